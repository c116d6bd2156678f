/*
 * What goes out is what protobuf-c writes, what comes in is what it wrote, for every kind
 * of field. Where it cannot read the schema, bytes of the Python implementation stand.
 */
#include <math.h>

#include "codec_help.h"
#include "kinds.cell.h"
#include "kinds.pb-c.h"
#include "kinds_leaf.pb-c.h"
#include "kinds_optional.cell.h"

#define LITERAL(text) (text), sizeof(text) - 1
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int32_t int32s[] = { 0, 1, -1, 127, 128, -128, 16383, 16384, 65536, INT32_MAX,
				  INT32_MIN, INT32_MIN + 1, 5, 2097151, 2097152, 268435456 };
static const int64_t int64s[] = { 0, 1, -1, 127, 128, -64, 16384, 34359738367, 34359738368,
				  4398046511104, 562949953421312, 72057594037927936, INT64_MAX,
				  INT64_MIN, -9000000000, 1700000000123456789 };
static const double doubles[] = { 0, 1, -1, 0.5, 1e300, -1e-30, INFINITY, -INFINITY };
static const char *const texts[] = { "", "a", "ab", "abc", "abcd", "abcdefg", "abcdefgh",
				     "abcdefghi", "sixteen bytes .." , "seventeen bytes..",
				     "gr\xc3\xbc\xc3\x9f dich", "\xe2\x82\xac", "\xf0\x9f\x90\x9d" };

static const char *long_text(size_t len)
{
	char *text = (char *)buffer_new(len + 1);

	memset(text, 'x', len);
	text[len] = '\0';
	return text;
}

/* PB, packed by protobuf-c. */
static struct packed pack_c(const void *pb)
{
	struct packed packed;

	packed.len = protobuf_c_message_get_packed_size(pb);
	packed.bytes = buffer_new(packed.len);
	ck_assert_uint_eq(protobuf_c_message_pack(pb, packed.bytes), packed.len);
	return packed;
}

/* MESSAGE and PB mean the same: equal bytes, and each reads the other's. */
static void agree(const struct cell_message_type *type, const void *message,
		  const ProtobufCMessage *pb)
{
	struct packed ours = pack(type, message), theirs = pack_c(pb);
	ProtobufCMessage *again;

	same_bytes(ours, theirs.bytes, theirs.len);
	round_trips(type, theirs.bytes, theirs.len);
	again = protobuf_c_message_unpack(pb->descriptor, NULL, ours.len, ours.bytes);
	ck_assert_ptr_nonnull(again);
	theirs = pack_c(again);
	same_bytes(ours, theirs.bytes, theirs.len);
	protobuf_c_message_free_unpacked(again, NULL);
}

/* --- scalars ------------------------------------------------------------ */

static struct kinds_scalars scalars_at(size_t i)
{
	const int32_t i32 = int32s[i % COUNT(int32s)];
	const int64_t i64 = int64s[i % COUNT(int64s)];

	return (struct kinds_scalars){
		.i32 = i32, .i64 = i64, .u32 = (uint32_t)i32, .u64 = (uint64_t)i64,
		.s32 = i32, .s64 = i64, .f32 = (uint32_t)i32, .f64 = (uint64_t)i64,
		.sf32 = i32, .sf64 = i64, .real = (float)doubles[i % COUNT(doubles)],
		.precise = doubles[i % COUNT(doubles)], .flag = i % 2,
		.color = (enum kinds_color)i32, .text = texts[i % COUNT(texts)],
		.n_data = i % 5, .data = (const uint8_t *)"\0\1\2\3\4",
	};
}

static Cell__Kinds__V1__Scalars scalars_c(const struct kinds_scalars *s)
{
	Cell__Kinds__V1__Scalars c = CELL__KINDS__V1__SCALARS__INIT;

	c.i32 = s->i32, c.i64 = s->i64, c.u32 = s->u32, c.u64 = s->u64;
	c.s32 = s->s32, c.s64 = s->s64, c.f32 = s->f32, c.f64 = s->f64;
	c.sf32 = s->sf32, c.sf64 = s->sf64, c.real = s->real, c.precise = s->precise;
	c.flag = s->flag, c.color = (Cell__Kinds__V1__Color)s->color, c.text = (char *)s->text;
	c.data.len = s->n_data, c.data.data = (uint8_t *)s->data;
	return c;
}

START_TEST(scalars_are_as_protobuf_has_them)
{
	const struct kinds_scalars ours = scalars_at((size_t)_i);
	const Cell__Kinds__V1__Scalars theirs = scalars_c(&ours);

	agree(&kinds_scalars_type, &ours, &theirs.base);
}
END_TEST

START_TEST(scalars_come_back)
{
	const struct kinds_scalars sent = scalars_at((size_t)_i);
	struct kinds_scalars got;

	for (size_t i = 0; i < N_DECODE_WAYS; i++) {
		unpack(&kinds_scalars_type, &got, pack(&kinds_scalars_type, &sent), decode_ways[i]);
		ck_assert_int_eq(got.i32, sent.i32);
		ck_assert_int_eq(got.i64, sent.i64);
		ck_assert_uint_eq(got.u32, sent.u32);
		ck_assert_uint_eq(got.u64, sent.u64);
		ck_assert_int_eq(got.s32, sent.s32);
		ck_assert_int_eq(got.s64, sent.s64);
		ck_assert_uint_eq(got.f32, sent.f32);
		ck_assert_uint_eq(got.f64, sent.f64);
		ck_assert_int_eq(got.sf32, sent.sf32);
		ck_assert_int_eq(got.sf64, sent.sf64);
		ck_assert_mem_eq(&got.real, &sent.real, sizeof got.real);
		ck_assert_mem_eq(&got.precise, &sent.precise, sizeof got.precise);
		ck_assert_int_eq(got.flag, sent.flag);
		ck_assert_int_eq((int32_t)got.color, (int32_t)sent.color);
		ck_assert_str_eq(got.text, sent.text);
		ck_assert_uint_eq(got.n_data, sent.n_data);
		if (sent.n_data)
			ck_assert_mem_eq(got.data, sent.data, sent.n_data);
	}
}
END_TEST

START_TEST(defaults_are_not_written)
{
	const struct kinds_scalars nothing = { .text = NULL };
	struct kinds_scalars got;

	same_bytes(pack(&kinds_scalars_type, &nothing), LITERAL(""));
	unpack(&kinds_scalars_type, &got, (struct packed){ NULL, 0 }, 0);
	ck_assert_str_eq(got.text, "");
	ck_assert_int_eq(got.i32, 0);
	ck_assert_uint_eq(got.n_data, 0);
}
END_TEST

START_TEST(negative_zero_and_nan_are_written)
{
	const struct kinds_scalars zero = { .real = -0.0f, .precise = -0.0 };

	same_bytes(pack(&kinds_scalars_type, &zero),
		   LITERAL("\x5d\0\0\0\x80\x61\0\0\0\0\0\0\0\x80"));
	round_trips(&kinds_scalars_type,
		    LITERAL("\x5d\0\0\xc0\x7f\x61\0\0\0\0\0\0\xf0\xff"));
}
END_TEST

START_TEST(texts_of_every_length_come_back)
{
	struct kinds_scalars got, sent = { .text = long_text((size_t)_i) };
	struct packed packed = pack(&kinds_scalars_type, &sent);

	for (size_t i = 0; i < N_DECODE_WAYS; i++) {
		unpack(&kinds_scalars_type, &got, packed, decode_ways[i]);
		ck_assert_str_eq(got.text, sent.text);
	}
}
END_TEST

START_TEST(presence_is_kept)
{
	static const char bytes[] =
		"\x08\x00\x10\x00\x18\x00\x20\x00\x28\x00\x30\x00\x3d\x00\x00\x00\x00\x41\x00\x00"
		"\x00\x00\x00\x00\x00\x00\x4d\x00\x00\x00\x00\x51\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x5d\x00\x00\x00\x00\x61\x00\x00\x00\x00\x00\x00\x00\x00\x68\x00\x70\x00\x7a\x00"
		"\x82\x01\x00\x8a\x01\x00\x90\x01\x00";
	struct optional_optionals got, absent = { .i32 = 5, .text = "not there", .n_data = 3 };

	round_trips(&optional_optionals_type, LITERAL(bytes));
	ck_assert_int_eq(unpack_with(&optional_optionals_type, &got, LITERAL(bytes), 0), 0);
	ck_assert(got.has_i32 && got.has_u64 && got.has_s32 && got.has_f64 && got.has_precise);
	ck_assert(got.has_flag && got.has_color && got.has_text && got.has_data);
	ck_assert(got.has_default && got.scalars);
	ck_assert_str_eq(got.text, "");

	same_bytes(pack(&optional_optionals_type, &absent), LITERAL(""));
	unpack(&optional_optionals_type, &got, (struct packed){ NULL, 0 }, 0);
	ck_assert(!got.has_i32 && !got.has_text && !got.has_data && !got.scalars);
	ck_assert_str_eq(got.text, "");
}
END_TEST

START_TEST(unset_strings_that_are_present_are_empty)
{
	const struct optional_optionals sent = { .has_text = true, .has_data = true };

	same_bytes(pack(&optional_optionals_type, &sent), LITERAL("\x7a\0\x82\1\0"));
}
END_TEST

/* --- lists -------------------------------------------------------------- */

/* N items of each list; the arrays live in buffers. */
static struct kinds_lists lists_of(size_t n)
{
	int32_t *i32 = (int32_t *)(void *)buffer_new(n * 4);
	int64_t *i64 = (int64_t *)(void *)buffer_new(n * 8);
	float *real = (float *)(void *)buffer_new(n * 4);
	double *precise = (double *)(void *)buffer_new(n * 8);
	bool *flag = (bool *)buffer_new(n);
	const char **text = (const char **)(void *)buffer_new(n * sizeof *text);
	struct cell_bytes *data = (struct cell_bytes *)(void *)buffer_new(n * sizeof *data);

	for (size_t i = 0; i < n; i++) {
		i32[i] = int32s[i % COUNT(int32s)];
		i64[i] = int64s[i % COUNT(int64s)];
		real[i] = (float)doubles[i % COUNT(doubles)];
		precise[i] = doubles[i % COUNT(doubles)];
		flag[i] = i % 3 == 1;
		text[i] = texts[i % COUNT(texts)];
		data[i] = (struct cell_bytes){ i % 4, (const uint8_t *)"\0\xff\0" };
	}
	return (struct kinds_lists){
		.n_i32 = n, .i32 = i32, .n_i64 = n, .i64 = i64,
		.n_u32 = n, .u32 = (uint32_t *)i32, .n_u64 = n, .u64 = (uint64_t *)i64,
		.n_s32 = n, .s32 = i32, .n_s64 = n, .s64 = i64,
		.n_f32 = n, .f32 = (uint32_t *)i32, .n_f64 = n, .f64 = (uint64_t *)i64,
		.n_sf32 = n, .sf32 = i32, .n_sf64 = n, .sf64 = i64,
		.n_real = n, .real = real, .n_precise = n, .precise = precise,
		.n_flag = n, .flag = flag, .n_color = n, .color = (const enum kinds_color *)i32,
		.n_text = n, .text = text, .n_data = n, .data = data,
	};
}

/* protobuf-c's lists have our layout, but for bools and bytes. */
#define COPY_LISTS(c, l)                                                                     \
	do {                                                                                 \
		(c)->n_i32 = (l)->n_i32, (c)->i32 = (int32_t *)(l)->i32;                     \
		(c)->n_i64 = (l)->n_i64, (c)->i64 = (int64_t *)(l)->i64;                     \
		(c)->n_u32 = (l)->n_u32, (c)->u32 = (uint32_t *)(l)->u32;                    \
		(c)->n_u64 = (l)->n_u64, (c)->u64 = (uint64_t *)(l)->u64;                    \
		(c)->n_s32 = (l)->n_s32, (c)->s32 = (int32_t *)(l)->s32;                     \
		(c)->n_s64 = (l)->n_s64, (c)->s64 = (int64_t *)(l)->s64;                     \
		(c)->n_f32 = (l)->n_f32, (c)->f32 = (uint32_t *)(l)->f32;                    \
		(c)->n_f64 = (l)->n_f64, (c)->f64 = (uint64_t *)(l)->f64;                    \
		(c)->n_sf32 = (l)->n_sf32, (c)->sf32 = (int32_t *)(l)->sf32;                 \
		(c)->n_sf64 = (l)->n_sf64, (c)->sf64 = (int64_t *)(l)->sf64;                 \
		(c)->n_real = (l)->n_real, (c)->real = (float *)(l)->real;                   \
		(c)->n_precise = (l)->n_precise, (c)->precise = (double *)(l)->precise;      \
		(c)->n_flag = (l)->n_flag, (c)->flag = flags_c((l)->flag, (l)->n_flag);      \
		(c)->n_color = (l)->n_color, (c)->color = (Cell__Kinds__V1__Color *)(l)->color; \
	} while (0)

static protobuf_c_boolean *flags_c(const bool *flags, size_t n)
{
	protobuf_c_boolean *copy = (void *)buffer_new(n * sizeof *copy);

	for (size_t i = 0; i < n; i++)
		copy[i] = flags[i];
	return copy;
}

START_TEST(lists_are_packed_as_protobuf_has_them)
{
	const struct kinds_lists ours = lists_of((size_t)_i);
	Cell__Kinds__V1__Lists theirs = CELL__KINDS__V1__LISTS__INIT;

	COPY_LISTS(&theirs, &ours);
	theirs.n_text = ours.n_text;
	theirs.text = (char **)ours.text;
	theirs.n_data = ours.n_data;
	theirs.data = (void *)buffer_new(ours.n_data * sizeof *theirs.data);
	for (size_t i = 0; i < ours.n_data; i++)
		theirs.data[i] = (ProtobufCBinaryData){ ours.data[i].len,
							(uint8_t *)ours.data[i].at };
	agree(&kinds_lists_type, &ours, &theirs.base);
}
END_TEST

/* The same numbers, not packed. */
static struct kinds_unpacked unpacked_of(const struct kinds_lists *l)
{
	return (struct kinds_unpacked){
		.n_i32 = l->n_i32, .i32 = l->i32, .n_i64 = l->n_i64, .i64 = l->i64,
		.n_u32 = l->n_u32, .u32 = l->u32, .n_u64 = l->n_u64, .u64 = l->u64,
		.n_s32 = l->n_s32, .s32 = l->s32, .n_s64 = l->n_s64, .s64 = l->s64,
		.n_f32 = l->n_f32, .f32 = l->f32, .n_f64 = l->n_f64, .f64 = l->f64,
		.n_sf32 = l->n_sf32, .sf32 = l->sf32, .n_sf64 = l->n_sf64, .sf64 = l->sf64,
		.n_real = l->n_real, .real = l->real, .n_precise = l->n_precise,
		.precise = l->precise, .n_flag = l->n_flag, .flag = l->flag,
		.n_color = l->n_color, .color = l->color,
	};
}

START_TEST(lists_may_be_unpacked)
{
	const struct kinds_lists lists = lists_of((size_t)_i);
	const struct kinds_unpacked ours = unpacked_of(&lists);
	Cell__Kinds__V1__Unpacked theirs = CELL__KINDS__V1__UNPACKED__INIT;

	COPY_LISTS(&theirs, &lists);
	agree(&kinds_unpacked_type, &ours, &theirs.base);
}
END_TEST

START_TEST(packed_and_unpacked_are_both_read)
{
	struct kinds_lists lists = lists_of((size_t)_i);
	struct kinds_unpacked unpacked, sent = unpacked_of(&lists);
	struct kinds_lists got;

	lists.n_text = lists.n_data = 0;
	unpack(&kinds_unpacked_type, &unpacked, pack(&kinds_lists_type, &lists), 0);
	unpack(&kinds_lists_type, &got, pack(&kinds_unpacked_type, &sent), 0);
	lists = lists_of((size_t)_i);
	lists.n_text = lists.n_data = 0;
	same_bytes(pack(&kinds_lists_type, &got), pack(&kinds_lists_type, &lists).bytes,
		   pack(&kinds_lists_type, &lists).len);
	same_bytes(pack(&kinds_unpacked_type, &unpacked), pack(&kinds_unpacked_type, &sent).bytes,
		   pack(&kinds_unpacked_type, &sent).len);
}
END_TEST

START_TEST(lists_in_pieces_are_joined)
{
	struct kinds_lists got;

	/* u32: packed {1, 2}, one alone, packed {}, packed {300}; between them texts. */
	ck_assert_int_eq(unpack_with(&kinds_lists_type, &got,
				     LITERAL("\x1a\2\1\2\x7a\1a\x18\3\x1a\0\x7a\1b\x1a\2\xac\2"), 0),
			 0);
	ck_assert_uint_eq(got.n_u32, 4);
	ck_assert_uint_eq(got.u32[0], 1);
	ck_assert_uint_eq(got.u32[2], 3);
	ck_assert_uint_eq(got.u32[3], 300);
	ck_assert_uint_eq(got.n_text, 2);
	ck_assert_str_eq(got.text[0], "a");
	ck_assert_str_eq(got.text[1], "b");
}
END_TEST

/* --- messages in messages ----------------------------------------------- */

static void tree_agrees(const char *label, size_t n_data)
{
	const uint8_t *data = buffer_new(n_data);
	struct leaf_leaf leaf = { .label = label, .n_data = n_data, .data = data, .weight = -5 };
	struct kinds_tree_branch branch = { .name = "b", .side = KINDS_TREE_BRANCH_SIDE_RIGHT,
					    .n_leaves = 1, .leaves = &leaf, .bud = &leaf };
	struct kinds_tree_branch branches[] = { branch, { .name = label }, branch };
	struct kinds_tree tree = { .name = "t", .trunk = &branch, .n_branches = 3,
				   .branches = branches, .fallen = &leaf, .age = 77 };
	Cell__Kinds__Leaf__V1__Leaf c = CELL__KINDS__LEAF__V1__LEAF__INIT, *cs[] = { &c };
	Cell__Kinds__V1__Tree__Branch b = CELL__KINDS__V1__TREE__BRANCH__INIT, b2 = b;
	Cell__Kinds__V1__Tree__Branch *bs[] = { &b, &b2, &b };
	Cell__Kinds__V1__Tree t = CELL__KINDS__V1__TREE__INIT;

	memset((uint8_t *)data, 7, n_data);
	c.label = (char *)label, c.data.len = n_data, c.data.data = (uint8_t *)data, c.weight = -5;
	b.name = (char *)"b", b.side = CELL__KINDS__V1__TREE__BRANCH__SIDE__RIGHT;
	b.n_leaves = 1, b.leaves = cs, b.bud = &c;
	b2.name = (char *)label;
	t.name = (char *)"t", t.trunk = &b, t.n_branches = 3, t.branches = bs, t.fallen = &c;
	t.age = 77;
	agree(&kinds_tree_type, &tree, &t.base);
}

START_TEST(nested_messages_have_the_right_lengths)
{
	/* Around each size at which a length takes one byte more. */
	static const size_t sizes[] = { 0, 1, 40, 100, 115, 118, 119, 120, 121, 122, 123, 124, 125,
					126, 127, 128, 129, 8000, 16270, 16379, 16380, 16381,
					16382, 16383, 16384, 16390, 2097140, 2097151, 2097152 };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		tree_agrees("label", sizes[i]);
		tree_agrees(long_text(sizes[i]), 3);
	}
}
END_TEST

START_TEST(absent_messages_are_null)
{
	struct kinds_tree got;
	struct kinds_tree_branch empty = { .name = NULL };

	unpack(&kinds_tree_type, &got, (struct packed){ NULL, 0 }, 0);
	ck_assert_ptr_null(got.trunk);
	ck_assert_uint_eq(got.n_branches, 0);
	unpack(&kinds_tree_type, &got,
	       pack(&kinds_tree_type, &(struct kinds_tree){ .trunk = &empty }), 0);
	ck_assert_ptr_nonnull(got.trunk);
	ck_assert_str_eq(got.trunk->name, "");
}
END_TEST

START_TEST(a_message_that_comes_twice_is_merged)
{
	struct leaf_leaf leaf[] = { { .label = "one" }, { .label = "two" } };
	struct kinds_tree_branch first = { .name = "first", .n_leaves = 1, .leaves = &leaf[0],
					   .bud = &(struct leaf_leaf){ .weight = 4 } };
	struct kinds_tree_branch second = { .name = "second", .n_leaves = 1, .leaves = &leaf[1],
					    .bud = &(struct leaf_leaf){ .label = "bud" } };
	struct packed a = pack(&kinds_tree_type, &(struct kinds_tree){ .trunk = &first });
	struct packed b = pack(&kinds_tree_type, &(struct kinds_tree){ .trunk = &second, .age = 9 });
	uint8_t *both = buffer_new(a.len + b.len);
	struct kinds_tree got;

	memcpy(both, a.bytes, a.len);
	memcpy(both + a.len, b.bytes, b.len);
	for (size_t i = 0; i < N_DECODE_WAYS; i++) {
		unpack(&kinds_tree_type, &got, (struct packed){ both, a.len + b.len },
		       decode_ways[i]);
		ck_assert_str_eq(got.trunk->name, "second");
		ck_assert_uint_eq(got.trunk->n_leaves, 2);
		ck_assert_str_eq(got.trunk->leaves[0].label, "one");
		ck_assert_str_eq(got.trunk->leaves[1].label, "two");
		ck_assert_int_eq(got.trunk->bud->weight, 4);
		ck_assert_str_eq(got.trunk->bud->label, "bud");
		ck_assert_uint_eq(got.age, 9);
	}
}
END_TEST

START_TEST(of_scalars_that_come_twice_the_last_counts)
{
	struct kinds_scalars got;

	for (size_t i = 0; i < N_DECODE_WAYS; i++) {
		ck_assert_int_eq(unpack_with(&kinds_scalars_type, &got,
					     LITERAL("\x08\1\x7a\3one\x82\1\2ab\x08\2\x7a\3two\x82\1\0"),
					     decode_ways[i]),
				 0);
		ck_assert_int_eq(got.i32, 2);
		ck_assert_str_eq(got.text, "two");
		ck_assert_uint_eq(got.n_data, 0);
	}
}
END_TEST

START_TEST(fields_come_in_any_order)
{
	struct kinds_wide got;

	ck_assert_int_eq(unpack_with(&kinds_wide_type, &got,
				     LITERAL("\xfa\xff\xff\xff\x0f\1z\x82\1\1b\x8a\1\1c\x0a\1a"
					     "\xfa\x7f\1w\x92\1\2xy\xfa\x7f\1v\x80\x80\1\5"),
				     CELL_DECODE_IN_PLACE),
			 0);
	ck_assert_str_eq(got.first, "a");
	ck_assert_str_eq(got.second, "b");
	ck_assert_str_eq(got.third, "c");
	ck_assert_str_eq(got.last, "z");
	ck_assert_uint_eq(got.n_words, 2);
	ck_assert_str_eq(got.words[0], "w");
	ck_assert_str_eq(got.words[1], "v");
	ck_assert_uint_eq(got.number, 5);
	ck_assert_mem_eq(got.data, "xy", 2);
}
END_TEST

START_TEST(long_tags_are_as_protobuf_has_them)
{
	const char *words[] = { "x", "", "yy" };
	const uint32_t numbers[] = { 1, 300, 70000 };
	const struct kinds_wide ours = { .first = "1", .second = "22", .third = "333",
					 .n_words = 3, .words = words, .number = UINT64_MAX,
					 .n_numbers = 3, .numbers = numbers, .last = "the end",
					 .n_data = 2, .data = (const uint8_t *)"\0\0" };
	Cell__Kinds__V1__Wide theirs = CELL__KINDS__V1__WIDE__INIT;

	theirs.first = (char *)"1", theirs.second = (char *)"22", theirs.third = (char *)"333";
	theirs.n_words = 3, theirs.words = (char **)words, theirs.number = UINT64_MAX;
	theirs.n_numbers = 3, theirs.numbers = (uint32_t *)numbers;
	theirs.last = (char *)"the end";
	theirs.data.len = 2, theirs.data.data = (uint8_t *)"\0\0";
	agree(&kinds_wide_type, &ours, &theirs.base);
}
END_TEST

START_TEST(names_that_c_took_get_an_underscore)
{
	const int32_t ints[] = { -1 };
	const struct optional_words sent = { .default_ = 1, .class_ = "c", .n_int = 1, .int_ = ints,
					  .n_errno = 1, .errno_ = (const uint8_t *)"e",
					  .linux_ = &(struct optional_words2){ .new_ = true } };
	struct optional_words got;

	unpack(&optional_words_type, &got, pack(&optional_words_type, &sent), 0);
	ck_assert_str_eq(got.class_, "c");
	ck_assert(got.linux_->new_);
	ck_assert_str_eq(optional_words_type.name, "cell.kinds.optional.v1.Words");
}
END_TEST

/* --- oneofs and maps ---------------------------------------------------- */

START_TEST(a_choice_is_as_protobuf_has_it)
{
	struct kinds_scalars scalars = scalars_at(3);
	Cell__Kinds__V1__Scalars scalars_pb = scalars_c(&scalars);
	const struct {
		struct kinds_choice ours;
		Cell__Kinds__V1__Choice__WhatCase which;
	} rows[] = {
		{ { .before = 1, .after = "z" }, CELL__KINDS__V1__CHOICE__WHAT__NOT_SET },
		{ { .has_number = true }, CELL__KINDS__V1__CHOICE__WHAT_NUMBER },
		{ { .has_text = true, .text = "hi" }, CELL__KINDS__V1__CHOICE__WHAT_TEXT },
		{ { .has_data = true, .n_data = 1, .data = (const uint8_t *)"" },
		  CELL__KINDS__V1__CHOICE__WHAT_DATA },
		{ { .scalars = &scalars }, CELL__KINDS__V1__CHOICE__WHAT_SCALARS },
		{ { .has_color = true, .color = KINDS_COLOR_LOW },
		  CELL__KINDS__V1__CHOICE__WHAT_COLOR },
		{ { .has_precise = true, .precise = 0 }, CELL__KINDS__V1__CHOICE__WHAT_PRECISE },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct kinds_choice *ours = &rows[i].ours;
		Cell__Kinds__V1__Choice theirs = CELL__KINDS__V1__CHOICE__INIT;

		theirs.before = ours->before;
		theirs.after = (char *)(ours->after ? ours->after : "");
		theirs.what_case = rows[i].which;
		if (ours->has_number)
			theirs.number = ours->number;
		if (ours->has_text)
			theirs.text = (char *)ours->text;
		if (ours->has_data)
			theirs.data = (ProtobufCBinaryData){ 1, (uint8_t *)ours->data };
		if (ours->scalars)
			theirs.scalars = &scalars_pb;
		if (ours->has_color)
			theirs.color = (Cell__Kinds__V1__Color)ours->color;
		if (ours->has_precise)
			theirs.precise = ours->precise;
		agree(&kinds_choice_type, ours, &theirs.base);
	}
}
END_TEST

START_TEST(the_last_choice_clears_the_others)
{
	struct kinds_choice got;

	ck_assert_int_eq(unpack_with(&kinds_choice_type, &got,
				     LITERAL("\x10\5\x1a\2hi\x2a\2\x08\1\x30\1"), 0), 0);
	ck_assert(got.has_color && !got.has_number && !got.has_text && !got.scalars);
	ck_assert_int_eq(got.number, 0);
	ck_assert_str_eq(got.text, "");
	ck_assert_int_eq(got.color, KINDS_COLOR_RED);

	/* A message twice in a row is merged; with another choice between them it is not. */
	ck_assert_int_eq(unpack_with(&kinds_choice_type, &got, LITERAL("\x2a\2\x08\1\x2a\2\x18\2"),
				     0), 0);
	ck_assert_int_eq(got.scalars->i32, 1);
	ck_assert_uint_eq(got.scalars->u32, 2);
	ck_assert_int_eq(unpack_with(&kinds_choice_type, &got,
				     LITERAL("\x2a\2\x08\1\x10\5\x2a\2\x18\2"), 0), 0);
	ck_assert(!got.has_number);
	ck_assert_int_eq(got.scalars->i32, 0);
	ck_assert_uint_eq(got.scalars->u32, 2);
}
END_TEST

START_TEST(maps_are_lists_of_entries)
{
	static const char bytes[] =
		"\x0a\x05\x0a\x01\x61\x10\x01\x0a\x06\x0a\x01\x62\x10\xac\x02\x12\x10\x08\xff\xff\xff"
		"\xff\xff\xff\xff\xff\xff\x01\x12\x03\x0a\x01\x78\x12\x04\x08\x07\x12\x00\x1a\x0f\x08"
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x02\x00\x01\x22\x04\x08\x00\x12\x00\x22"
		"\x07\x08\x01\x12\x03\x79\x65\x73\x2a\x0e\x0a\x01\x63\x10\x80\x80\x80\x80\xf8\xff\xff"
		"\xff\xff\x01";
	struct kinds_maps got;

	round_trips(&kinds_maps_type, LITERAL(bytes));
	ck_assert_int_eq(unpack_with(&kinds_maps_type, &got, LITERAL(bytes), CELL_DECODE_IN_PLACE),
			 0);
	ck_assert_uint_eq(got.n_counts, 2);
	ck_assert_str_eq(got.counts[1].key, "b");
	ck_assert_uint_eq(got.counts[1].value, 300);
	ck_assert_int_eq(got.leaves[0].key, -1);
	ck_assert_str_eq(got.leaves[0].value->label, "x");
	ck_assert_uint_eq(got.blobs[0].key, UINT64_MAX);
	ck_assert_uint_eq(got.blobs[0].n_value, 2);
	ck_assert(!got.words[0].key && got.words[1].key);
	ck_assert_str_eq(got.words[1].value, "yes");
	ck_assert_int_eq((int32_t)got.colors[0].value, INT32_MIN);

	/* Both of an entry are written; what is missing is the default. */
	same_bytes(pack(&kinds_maps_type,
			&(struct kinds_maps){ .n_counts = 1,
					      .counts = &(struct kinds_maps_counts_entry){ 0 } }),
		   LITERAL("\x0a\4\x0a\0\x10\0"));
	ck_assert_int_eq(unpack_with(&kinds_maps_type, &got, LITERAL("\x0a\0\x12\2\x08\3\x22\0"), 0),
			 0);
	ck_assert_str_eq(got.counts[0].key, "");
	ck_assert_ptr_null(got.leaves[0].value);
	ck_assert_str_eq(got.words[0].value, "");
}
END_TEST

/* --- what it does not know ---------------------------------------------- */

/* pack() compares the pieces with the whole. */
START_TEST(large_bytes_may_be_sent_from_where_they_are)
{
	static const size_t sizes[] = { 0, 1, CELL_CHUNK_MIN - 1, CELL_CHUNK_MIN, 5000, 1 << 20 };
	size_t size = sizes[_i];
	uint8_t *data = buffer_new(size);
	struct kinds_choice choice = { .before = 1, .has_data = true, .n_data = size,
				       .data = data, .after = "after" };
	struct kinds_wide wide = { .first = "first", .last = "last", .n_data = size,
				   .data = data };
	struct cell_chunks pieces = { .n = 0 };

	memset(data, 0x5a, size);
	ck_assert_ptr_nonnull(kinds_choice_type.encode_around);
	ck_assert_ptr_nonnull(kinds_wide_type.encode_around);
	ck_assert_ptr_null(kinds_lists_type.encode_around);
	(void)pack(&kinds_choice_type, &choice);
	(void)pack(&kinds_wide_type, &wide);
	(void)kinds_choice_type.encode_around(
		&choice, buffer_new(kinds_choice_type.bound_around(&choice)), &pieces);
	ck_assert_uint_eq(pieces.n, size >= CELL_CHUNK_MIN);
	ck_assert(!pieces.n || pieces.items[0].bytes == data);
	/* Not set: its bytes do not count, whatever they are. */
	choice.has_data = false;
	(void)pack(&kinds_choice_type, &choice);
}
END_TEST

START_TEST(unknown_fields_are_skipped)
{
	const struct kinds_scalars sent = scalars_at((size_t)_i);
	struct packed packed = pack(&kinds_scalars_type, &sent);
	struct kinds_narrow narrow;
	struct kinds_nothing nothing;

	unpack(&kinds_narrow_type, &narrow, packed, 0);
	ck_assert_int_eq(narrow.i32, sent.i32);
	unpack(&kinds_nothing_type, &nothing, packed, 0);
	/* Groups of old schemas, one in the other; a known number of another wire type. */
	ck_assert_int_eq(unpack_with(&kinds_narrow_type, &narrow,
				     LITERAL("\x23\x08\1\x2b\x0d" "abcd\x2c\x24\x08\7\x0d" "abcd"), 0),
			 0);
	ck_assert_int_eq(narrow.i32, 7);
}
END_TEST

START_TEST(unknown_enum_values_are_kept)
{
	struct kinds_scalars got;

	ck_assert_int_eq(unpack_with(&kinds_scalars_type, &got, LITERAL("\x70\xb9\x60"), 0), 0);
	ck_assert_int_eq((int32_t)got.color, 12345);
	same_bytes(pack(&kinds_scalars_type, &got), LITERAL("\x70\xb9\x60"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec");
	TCase *tc = tcase_create("codec");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, help_setup, help_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, scalars_are_as_protobuf_has_them, 0, 48);
	tcase_add_loop_test(tc, scalars_come_back, 0, 48);
	tcase_add_test(tc, defaults_are_not_written);
	tcase_add_test(tc, negative_zero_and_nan_are_written);
	tcase_add_loop_test(tc, texts_of_every_length_come_back, 0, 140);
	tcase_add_test(tc, presence_is_kept);
	tcase_add_test(tc, unset_strings_that_are_present_are_empty);
	tcase_add_loop_test(tc, lists_are_packed_as_protobuf_has_them, 0, 40);
	tcase_add_loop_test(tc, lists_are_packed_as_protobuf_has_them, 126, 130);
	tcase_add_loop_test(tc, lists_may_be_unpacked, 0, 20);
	tcase_add_loop_test(tc, packed_and_unpacked_are_both_read, 0, 20);
	tcase_add_test(tc, lists_in_pieces_are_joined);
	tcase_add_test(tc, nested_messages_have_the_right_lengths);
	tcase_add_test(tc, absent_messages_are_null);
	tcase_add_test(tc, a_message_that_comes_twice_is_merged);
	tcase_add_test(tc, of_scalars_that_come_twice_the_last_counts);
	tcase_add_test(tc, fields_come_in_any_order);
	tcase_add_test(tc, long_tags_are_as_protobuf_has_them);
	tcase_add_test(tc, names_that_c_took_get_an_underscore);
	tcase_add_test(tc, a_choice_is_as_protobuf_has_it);
	tcase_add_test(tc, the_last_choice_clears_the_others);
	tcase_add_test(tc, maps_are_lists_of_entries);
	tcase_add_loop_test(tc, large_bytes_may_be_sent_from_where_they_are, 0, 6);
	tcase_add_loop_test(tc, unknown_fields_are_skipped, 0, 16);
	tcase_add_test(tc, unknown_enum_values_are_kept);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
