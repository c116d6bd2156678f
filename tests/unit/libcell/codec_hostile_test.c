/*
 * Bytes that somebody else chose: what is refused and how it is named, what stays in
 * place, what memory it may take.
 */
#include <errno.h>

#include "codec_help.h"
#include "kinds.cell.h"
#include "kinds_leaf.cell.h"
#include "kinds_optional.cell.h"

#define LITERAL(text) (text), sizeof(text) - 1
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NINE_FF "\xff\xff\xff\xff\xff\xff\xff\xff\xff"

static const struct refused {
	const struct cell_message_type *type;
	const char *bytes;
	size_t len;
	const char *text;
} refused[] = {
#define REFUSED(type, bytes, text) { &type, LITERAL(bytes), text }
	REFUSED(kinds_narrow_type, "\x08", "cell.kinds.v1.Narrow.i32: cut short, or no number"),
	REFUSED(kinds_narrow_type, "\x08\x80", "cell.kinds.v1.Narrow.i32: cut short, or no number"),
	REFUSED(kinds_narrow_type, "\x08" NINE_FF "\x02",
		"cell.kinds.v1.Narrow.i32: cut short, or no number"),
	REFUSED(kinds_narrow_type, "\x08" NINE_FF "\x80\x01",
		"cell.kinds.v1.Narrow.i32: cut short, or no number"),
	REFUSED(kinds_narrow_type, "\x00\x01",
		"cell.kinds.v1.Narrow: in an unknown field: there is no field 0"),
	REFUSED(kinds_narrow_type, "\x80\x00\x01",
		"cell.kinds.v1.Narrow: in an unknown field: no valid tag"),
	REFUSED(kinds_narrow_type, "\x88\x80\x00\x01",
		"cell.kinds.v1.Narrow: in an unknown field: no valid tag"),
	REFUSED(kinds_narrow_type, "\xff\xff\xff\xff\x1f\x01",
		"cell.kinds.v1.Narrow: in an unknown field: no valid tag"),
	REFUSED(kinds_narrow_type, "\xff\xff\xff\xff\xff\x01",
		"cell.kinds.v1.Narrow: in an unknown field: no valid tag"),
	REFUSED(kinds_narrow_type, "\xff",
		"cell.kinds.v1.Narrow: in an unknown field: no valid tag"),
	REFUSED(kinds_narrow_type, "\x0e\x01", "cell.kinds.v1.Narrow.i32: cut short, or no number"),
	REFUSED(kinds_narrow_type, "\x17\x01",
		"cell.kinds.v1.Narrow: in an unknown field: cut short, or no number"),
	REFUSED(kinds_narrow_type, "\x15" "abc",
		"cell.kinds.v1.Narrow: in an unknown field: cut short, or no number"),
	REFUSED(kinds_narrow_type, "\x11" "abcdefg",
		"cell.kinds.v1.Narrow: in an unknown field: cut short, or no number"),
	REFUSED(kinds_narrow_type, "\x12\x05" "abcd",
		"cell.kinds.v1.Narrow: in an unknown field: cut short, or no number"),
	REFUSED(kinds_narrow_type, "\x14",
		"cell.kinds.v1.Narrow: in an unknown field: a group ends that did not begin"),
	REFUSED(kinds_narrow_type, "\x13\x1c",
		"cell.kinds.v1.Narrow: in an unknown field: a group ends that did not begin"),
	REFUSED(kinds_narrow_type, "\x13",
		"cell.kinds.v1.Narrow: in an unknown field: cut short, or no number"),
	REFUSED(kinds_narrow_type,
		"\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13"
		"\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13\x13",
		"cell.kinds.v1.Narrow: in an unknown field: groups nest too deep"),
	REFUSED(kinds_scalars_type, "\x7a\x03" "ab",
		"cell.kinds.v1.Scalars.text: its length is more than there is"),
	REFUSED(kinds_scalars_type, "\x7a" NINE_FF "\x01",
		"cell.kinds.v1.Scalars.text: its length is more than there is"),
	REFUSED(kinds_scalars_type, "\x7a\x01\x00",
		"cell.kinds.v1.Scalars.text: not UTF-8 text, or with a NUL in it"),
	REFUSED(kinds_scalars_type, "\x82\x01\x03" "ab",
		"cell.kinds.v1.Scalars.data: its length is more than there is"),
	REFUSED(kinds_scalars_type, "\x3d" "abc",
		"cell.kinds.v1.Scalars.f32: cut short, or no number"),
	REFUSED(kinds_scalars_type, "\x61" "abcdefg",
		"cell.kinds.v1.Scalars.precise: cut short, or no number"),
	REFUSED(kinds_lists_type, "\x1a\x03\x01\x02\x80",
		"cell.kinds.v1.Lists.u32: cut short, or no number"),
	REFUSED(kinds_lists_type, "\x3a\x03" "abc",
		"cell.kinds.v1.Lists.f32: its length is no whole number of items"),
	REFUSED(kinds_lists_type, "\x62\x09" "abcdefghi",
		"cell.kinds.v1.Lists.precise: its length is no whole number of items"),
	REFUSED(kinds_lists_type, "\x7a\x01" "a\x7a\x01\xff",
		"cell.kinds.v1.Lists.text: not UTF-8 text, or with a NUL in it"),
	REFUSED(kinds_tree_type, "\x12\x07\x1a\x05\x0a\x03" "ab\xff",
		"cell.kinds.leaf.v1.Leaf.label: not UTF-8 text, or with a NUL in it"),
	REFUSED(kinds_tree_type, "\x1a\x02\x0a\x01" "a",
		"cell.kinds.v1.Tree.Branch.name: its length is more than there is"),
	REFUSED(kinds_tree_type, "\x1a\x7f\x0a\x01" "a",
		"cell.kinds.v1.Tree.branches: its length is more than there is"),
	REFUSED(kinds_maps_type, "\x0a\x03\x0a\x01\x00",
		"cell.kinds.v1.Maps.CountsEntry.key: not UTF-8 text, or with a NUL in it"),
	REFUSED(kinds_wide_type, "\x82\x01\x05" "ab",
		"cell.kinds.v1.Wide.second: its length is more than there is"),
	REFUSED(kinds_wide_type, "\x82", "cell.kinds.v1.Wide: in an unknown field: no valid tag"),
#undef REFUSED
};

START_TEST(names_the_field_and_says_why)
{
	const struct refused *row = &refused[_i];
	void *message = buffer_new(row->type->size);

	for (size_t i = 0; i < N_DECODE_WAYS; i++) {
		ck_assert_int_eq(unpack_with(row->type, message, row->bytes, row->len,
					     decode_ways[i]),
				 CELL_INVALID_ARGUMENT);
		ck_assert_int_eq(err.code, CELL_INVALID_ARGUMENT);
		ck_assert_str_eq(err.text, row->text);
	}
}
END_TEST

START_TEST(the_error_may_be_unwanted)
{
	struct kinds_narrow got;

	ck_assert_int_eq(kinds_narrow_type.decode(&got, (const uint8_t *)"\x08", 1, 0, &arena, NULL),
			 CELL_INVALID_ARGUMENT);
}
END_TEST

START_TEST(varints_have_ten_bytes_at_most)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint64_t value;
	} rows[] = {
		{ LITERAL("\x20\x80\x00"), 0 }, /* longer than it need be */
		{ LITERAL("\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), 0 },
		{ LITERAL("\x20" NINE_FF "\x01"), UINT64_MAX },
		{ LITERAL("\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), (uint64_t)1 << 63 },
		{ LITERAL("\x20\x80\x80\x80\x80\x80\x80\x80\x80\x01"), (uint64_t)1 << 56 },
		{ LITERAL("\x20\x80\x80\x80\x80\x80\x80\x80\x01"), (uint64_t)1 << 49 },
		{ LITERAL("\x20\xff\xff\xff\xff\xff\xff\xff\x7f"), ((uint64_t)1 << 56) - 1 },
		{ LITERAL("\x20\x81\x82\x83\x84\x85\x86\x07"),
		  1 | 2 << 7 | 3 << 14 | 4 << 21 | (uint64_t)5 << 28 | (uint64_t)6 << 35 |
			  (uint64_t)7 << 42 },
	};
	struct kinds_scalars got;
	char padded[64];

	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_int_eq(unpack_with(&kinds_scalars_type, &got, rows[i].bytes, rows[i].len, 0),
				 0);
		ck_assert_uint_eq(got.u64, rows[i].value);
		/* The same with more behind it: other code reads eight bytes at once. */
		memcpy(padded, rows[i].bytes, rows[i].len);
		memcpy(padded + rows[i].len, "\x7a\x08" "abcdefgh", 10);
		ck_assert_int_eq(unpack_with(&kinds_scalars_type, &got, padded, rows[i].len + 10, 0),
				 0);
		ck_assert_uint_eq(got.u64, rows[i].value);
		ck_assert_str_eq(got.text, "abcdefgh");
	}
}
END_TEST

START_TEST(narrow_numbers_are_cut_as_protobuf_cuts_them)
{
	struct kinds_scalars got;

	ck_assert_int_eq(unpack_with(&kinds_scalars_type, &got,
				     LITERAL("\x08\xff\xff\xff\xff\x1f\x18\x81\x80\x80\x80\x20"
					     "\x28\x83\x80\x80\x80\x10\x68\x80\x80\x80\x80\x80\x01"),
				     0),
			 0);
	ck_assert_int_eq(got.i32, -1);
	ck_assert_uint_eq(got.u32, 1);
	ck_assert_int_eq(got.s32, -2);
	ck_assert(got.flag);
}
END_TEST

/* --- text --------------------------------------------------------------- */

/* The definition, a byte at a time (Unicode Standard, table 3-7). */
static bool is_text(const uint8_t *at, size_t len)
{
	uint32_t code = 0, least = 0;
	size_t left = 0;

	for (size_t i = 0; i < len; i++) {
		if (left) {
			if ((at[i] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (at[i] & 0x3f);
			if (--left)
				continue;
			if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
				return false;
		} else if (at[i] >= 0xf0 && at[i] < 0xf8) {
			left = 3, code = at[i] & 7, least = 0x10000;
		} else if (at[i] >= 0xe0 && at[i] < 0xf0) {
			left = 2, code = at[i] & 15, least = 0x800;
		} else if (at[i] >= 0xc0 && at[i] < 0xe0) {
			left = 1, code = at[i] & 31, least = 0x80;
		} else if (!at[i] || at[i] >= 0x80) {
			return false;
		}
	}
	return !left;
}

static bool takes_text(const uint8_t *text, size_t len)
{
	return cell_text_is_plain(text, len) || cell_text_is_valid(text, len);
}

START_TEST(text_is_utf8_without_nul)
{
	static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
					 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0,
					 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff };
	const size_t n = COUNT(edges);
	uint8_t text[40];

	/* All sequences of four such bytes, at each place that the eight-byte steps know. */
	for (size_t at = 0; at < 12; at++) {
		const size_t len = at + 4;

		memset(text, 'a', sizeof text);
		for (size_t i = 0; i < n * n * n * n; i++) {
			text[at] = edges[i % n];
			text[at + 1] = edges[i / n % n];
			text[at + 2] = edges[i / n / n % n];
			text[at + 3] = edges[i / n / n / n];
			if (takes_text(text, len) != is_text(text, len))
				ck_abort_msg("%02x %02x %02x %02x at %zu", text[at], text[at + 1],
					     text[at + 2], text[at + 3], at);
		}
	}
}
END_TEST

START_TEST(one_bad_byte_is_found_wherever_it_is)
{
	uint8_t *text = buffer_new((size_t)_i);

	for (size_t at = 0; at < (size_t)_i; at++)
		for (unsigned byte = 0; byte < 256; byte++) {
			memset(text, 'z', (size_t)_i);
			text[at] = (uint8_t)byte;
			ck_assert_int_eq(takes_text(text, (size_t)_i), is_text(text, (size_t)_i));
		}
}
END_TEST

/* --- in place ----------------------------------------------------------- */

static bool is_inside(const void *at, const uint8_t *bytes, size_t len)
{
	return (const uint8_t *)at >= bytes && (const uint8_t *)at <= bytes + len;
}

START_TEST(strings_in_place_need_no_memory)
{
	struct leaf_leaf leaf = { .label = "a leaf", .n_data = 3, .data = (const uint8_t *)"abc" };
	struct kinds_tree_branch branch = { .name = "a branch", .bud = &leaf };
	struct kinds_tree got, sent = { .name = "a tree", .trunk = &branch };
	struct packed packed = pack(&kinds_tree_type, &sent);
	uint8_t *copy = buffer_new(packed.len + 1);

	memcpy(copy, packed.bytes, packed.len);
	ck_assert_int_eq(kinds_tree_type.decode(&got, copy, packed.len, CELL_DECODE_IN_PLACE, &arena,
						&err), 0);
	ck_assert(is_inside(got.name, copy, packed.len));
	ck_assert(is_inside(got.trunk->name, copy, packed.len));
	ck_assert(is_inside(got.trunk->bud->label, copy, packed.len));
	ck_assert(is_inside(got.trunk->bud->data, copy, packed.len));
	ck_assert_str_eq(got.name, "a tree");
	ck_assert_str_eq(got.trunk->name, "a branch");
	ck_assert_str_eq(got.trunk->bud->label, "a leaf");
	ck_assert_mem_eq(got.trunk->bud->data, "abc", 3);
}
END_TEST

START_TEST(the_last_string_ends_in_the_spare_byte)
{
	uint8_t *bytes = buffer_new(5);
	struct kinds_scalars got;

	memcpy(bytes, "\x7a\x02hi\xee", 5);
	ck_assert_int_eq(kinds_scalars_type.decode(&got, bytes, 4, CELL_DECODE_IN_PLACE, &arena, &err),
			 0);
	ck_assert_str_eq(got.text, "hi");
	ck_assert_uint_eq(bytes[4], 0);
}
END_TEST

START_TEST(nothing_is_written_without_leave)
{
	const char *words[] = { "one", "", "three" };
	const struct kinds_wide sent = { .first = "1", .second = "2", .n_words = 3, .words = words,
					 .last = "9", .n_data = 2, .data = (const uint8_t *)"xy" };
	struct packed packed = pack(&kinds_wide_type, &sent);
	uint8_t *before = buffer_new(packed.len);
	struct kinds_wide got;

	memcpy(before, packed.bytes, packed.len);
	for (size_t i = 0; i < N_DECODE_WAYS; i++) {
		if (decode_ways[i] & CELL_DECODE_IN_PLACE)
			continue;
		ck_assert_int_eq(kinds_wide_type.decode(&got, packed.bytes, packed.len, decode_ways[i],
							&arena, &err), 0);
		ck_assert_mem_eq(packed.bytes, before, packed.len);
		ck_assert(!is_inside(got.first, packed.bytes, packed.len));
		ck_assert(!is_inside(got.words[2], packed.bytes, packed.len));
		ck_assert(is_inside(got.data, packed.bytes, packed.len) ==
			  !!(decode_ways[i] & CELL_DECODE_BYTES_STAY));
		ck_assert_str_eq(got.words[2], "three");
	}
}
END_TEST

START_TEST(strings_side_by_side_keep_apart)
{
	/* Each NUL goes where the next tag was, also across the end of nested messages. */
	static const char bytes[] = "\x0a\1T\x12\x0e\x0a\1B\x1a\3\x0a\1L\x22\4\x0a\2" "bd"
				    "\x1a\3\x0a\1C\x1a\0\x22\3\x0a\1F";
	struct kinds_tree got;

	for (size_t i = 0; i < N_DECODE_WAYS; i++) {
		int r = unpack_with(&kinds_tree_type, &got, LITERAL(bytes), decode_ways[i]);

		ck_assert_msg(!r, "%s", err.text);
		ck_assert_str_eq(got.name, "T");
		ck_assert_str_eq(got.trunk->name, "B");
		ck_assert_str_eq(got.trunk->leaves[0].label, "L");
		ck_assert_str_eq(got.trunk->bud->label, "bd");
		ck_assert_uint_eq(got.n_branches, 2);
		ck_assert_str_eq(got.branches[0].name, "C");
		ck_assert_str_eq(got.branches[1].name, "");
		ck_assert_str_eq(got.fallen->label, "F");
	}
}
END_TEST

/* --- memory ------------------------------------------------------------- */

START_TEST(memory_that_is_not_there_is_an_error)
{
	const struct leaf_leaf leaf = { .label = "a leaf" };
	const char *words[] = { "some", "words" };
	const struct kinds_tree tree = { .fallen = &leaf, .name = "a tree" };
	const struct kinds_wide wide = { .n_words = 2, .words = words };
	struct packed tree_bytes = pack(&kinds_tree_type, &tree);
	struct packed wide_bytes = pack(&kinds_wide_type, &wide);
	struct kinds_tree got_tree;
	struct kinds_wide got_wide;

	cell_arena_deinit(&arena);
	cell_arena_init(&arena, 8);
	ck_assert_int_eq(unpack_with(&kinds_tree_type, &got_tree, tree_bytes.bytes, tree_bytes.len,
				     CELL_DECODE_IN_PLACE), -ENOMEM);
	ck_assert_int_eq(err.code, -ENOMEM);
	ck_assert_str_eq(err.text, "cell.kinds.v1.Tree.fallen: no memory left for it");
	ck_assert_int_eq(unpack_with(&kinds_tree_type, &got_tree, tree_bytes.bytes, tree_bytes.len, 0),
			 -ENOMEM);
	ck_assert_str_eq(err.text, "cell.kinds.v1.Tree.name: no memory left for it");
	ck_assert_int_eq(unpack_with(&kinds_wide_type, &got_wide, wide_bytes.bytes, wide_bytes.len,
				     CELL_DECODE_IN_PLACE), -ENOMEM);
	ck_assert_str_eq(err.text, "cell.kinds.v1.Wide.words: no memory left for it");
}
END_TEST

START_TEST(memory_stays_in_proportion)
{
	enum { ROUNDS = 20000 };
	static const char piece[] = "\x18\1\x7a\1a\x1a\1\2"; /* one of a list, of another, a pack of one */
	const size_t size = sizeof piece - 1;
	uint8_t *bytes = buffer_new(ROUNDS * size + 1);
	struct kinds_lists got;

	/* The worst order: runs of one, so that nothing can be counted ahead. */
	for (size_t i = 0; i < ROUNDS; i++)
		memcpy(bytes + i * size, piece, size);
	ck_assert_int_eq(kinds_lists_type.decode(&got, bytes, ROUNDS * size, CELL_DECODE_IN_PLACE,
						 &arena, &err), 0);
	ck_assert_uint_eq(got.n_u32, 2 * ROUNDS);
	ck_assert_uint_eq(got.n_text, ROUNDS);
	ck_assert_uint_eq(got.u32[2 * ROUNDS - 1], 2);
	ck_assert_str_eq(got.text[ROUNDS - 1], "a");
	ck_assert_uint_le(arena.held_bytes, 8 * ROUNDS * (2 * sizeof(uint32_t) + sizeof(char *)));
}
END_TEST

START_TEST(a_message_in_many_pieces_costs_no_square)
{
	enum { ROUNDS = 50000 };
	uint8_t *bytes = buffer_new(ROUNDS * 4);
	struct kinds_tree got;

	/* trunk, again and again, each time with one more leaf. */
	for (size_t i = 0; i < ROUNDS; i++)
		memcpy(bytes + i * 4, "\x12\2\x1a\0", 4);
	ck_assert_int_eq(unpack_with(&kinds_tree_type, &got, bytes, ROUNDS * 4, 0), 0);
	ck_assert_uint_eq(got.trunk->n_leaves, ROUNDS);
	ck_assert_uint_le(arena.held_bytes, 6 * ROUNDS * sizeof(struct leaf_leaf));
}
END_TEST

START_TEST(a_second_call_takes_no_more_memory)
{
	const struct leaf_leaf leaves[5] = { { .label = "x" } };
	const struct kinds_tree_branch branch = { .name = "b", .n_leaves = 5, .leaves = leaves };
	const struct kinds_tree tree = { .trunk = &branch, .name = "t" };
	struct packed packed = pack(&kinds_tree_type, &tree);
	struct kinds_tree got;
	size_t held;

	unpack(&kinds_tree_type, &got, packed, CELL_DECODE_IN_PLACE);
	held = arena.held_bytes;
	for (int i = 0; i < 100; i++) {
		cell_arena_reset(&arena);
		unpack(&kinds_tree_type, &got, packed, CELL_DECODE_IN_PLACE);
	}
	ck_assert_uint_eq(arena.held_bytes, held);
}
END_TEST

START_TEST(what_is_too_large_cannot_be_encoded)
{
	static const uint8_t byte = 0;
	const uint32_t number = 0;
	const struct cell_bytes parts[] = { { (size_t)1 << 30, &byte }, { (size_t)1 << 30, &byte } };
	const struct kinds_scalars huge = { .n_data = SIZE_MAX, .data = &byte };
	const struct kinds_scalars large = { .n_data = CELL_MESSAGE_SIZE_MAX, .data = &byte };
	const struct kinds_scalars fits = { .n_data = CELL_MESSAGE_SIZE_MAX - 300, .data = &byte };
	const struct leaf_leaf leaf = { .n_data = (size_t)1 << 30, .data = &byte };
	const struct leaf_leaf leaves[] = { leaf, leaf };
	const struct kinds_tree_branch branch = { .n_leaves = 2, .leaves = leaves };

	ck_assert_uint_eq(kinds_scalars_type.bound(&huge), SIZE_MAX);
	ck_assert_uint_eq(kinds_scalars_type.bound(&large), SIZE_MAX);
	ck_assert_uint_le(kinds_scalars_type.bound(&fits), CELL_MESSAGE_SIZE_MAX);
	ck_assert_uint_eq(kinds_lists_type.bound(
				  &(struct kinds_lists){ .n_u32 = SIZE_MAX / 2, .u32 = &number }),
			  SIZE_MAX);
	ck_assert_uint_eq(kinds_lists_type.bound(&(struct kinds_lists){ .n_data = 2, .data = parts }),
			  SIZE_MAX);
	ck_assert_uint_eq(kinds_tree_type.bound(&(struct kinds_tree){ .trunk = &branch }), SIZE_MAX);
}
END_TEST

/* --- every byte of everything ------------------------------------------- */

static struct packed everything(const struct cell_message_type **ret_type, int which)
{
	static const char *const words[] = { "one", "", "three", "\xc3\xa4" };
	static const uint32_t numbers[] = { 0, 1, 300, UINT32_MAX };
	static const struct cell_bytes data[] = { { 2, (const uint8_t *)"ab" }, { 0, NULL } };
	static const bool flags[] = { true, false };
	static const struct leaf_leaf leaves[] = {
		{ .label = "l", .n_data = 2, .data = (const uint8_t *)"\0\0", .weight = -1 },
		{ .n_veins = 4, .veins = numbers },
	};
	static const struct kinds_tree_branch branches[] = {
		{ .name = "b", .n_leaves = 2, .leaves = leaves, .bud = &leaves[1] }, { .side = 1 }
	};
	static const struct kinds_scalars scalars = { .i32 = -1, .i64 = 1, .u64 = UINT64_MAX,
						      .real = 1, .precise = 2, .flag = true,
						      .text = "text", .n_data = 1,
						      .data = (const uint8_t *)"x" };
	static const struct kinds_lists lists = { .n_u32 = 4, .u32 = numbers, .n_text = 4,
						  .text = words, .n_data = 2, .data = data,
						  .n_flag = 2, .flag = flags, .n_f32 = 4,
						  .f32 = numbers };
	static const struct kinds_tree tree = { .name = "t", .trunk = &branches[0], .n_branches = 2,
						.branches = branches, .fallen = &leaves[0] };
	static const struct kinds_choice choice = { .scalars = &scalars, .after = "after" };
	static const struct kinds_maps_counts_entry counts[] = { { "a", 1 }, { "b", 2 } };
	static const struct kinds_maps_leaves_entry more[] = { { 1, &leaves[0] }, { 2, NULL } };
	static const struct kinds_maps maps = { .n_counts = 2, .counts = counts, .n_leaves = 2,
						.leaves = more };
	static const struct kinds_wide wide = { .first = "1", .second = "2", .third = "3",
						.n_words = 4, .words = words, .last = "last" };
	static const struct optional_optionals optionals = { .has_i32 = true, .has_text = true,
							     .has_data = true, .scalars = &scalars };
	static const struct {
		const struct cell_message_type *type;
		const void *message;
	} all[] = {
		{ &kinds_scalars_type, &scalars }, { &kinds_lists_type, &lists },
		{ &kinds_tree_type, &tree },       { &kinds_choice_type, &choice },
		{ &kinds_maps_type, &maps },       { &kinds_wide_type, &wide },
		{ &optional_optionals_type, &optionals },
	};

	*ret_type = all[which].type;
	return pack(all[which].type, all[which].message);
}

/* Whatever the bytes are: an error, or a message that can be sent on and means the same. */
static void survives(const struct cell_message_type *type, const uint8_t *bytes, size_t len)
{
	const size_t first_buffer = n_buffers;
	void *message = buffer_new(type->size);

	for (size_t i = 0; i < N_DECODE_WAYS; i++) {
		struct packed once;
		int r = unpack_with(type, message, bytes, len, decode_ways[i]);

		ck_assert(r == 0 || (r == CELL_INVALID_ARGUMENT && err.text[0]));
		if (!r) {
			once = pack(type, message);
			unpack(type, message, once, CELL_DECODE_IN_PLACE);
			same_bytes(pack(type, message), once.bytes, once.len);
		}
	}
	while (n_buffers > first_buffer)
		free(buffers[--n_buffers]);
	cell_arena_reset(&arena);
}

START_TEST(every_cut_is_survived)
{
	const struct cell_message_type *type;
	struct packed packed = everything(&type, _i);

	for (size_t len = 0; len <= packed.len; len++)
		survives(type, packed.bytes, len);
}
END_TEST

START_TEST(every_changed_byte_is_survived)
{
	const struct cell_message_type *type;
	struct packed packed = everything(&type, _i);

	for (size_t at = 0; at < packed.len; at++) {
		const uint8_t before = packed.bytes[at];

		for (unsigned byte = 0; byte < 256; byte++) {
			packed.bytes[at] = (uint8_t)byte;
			survives(type, packed.bytes, packed.len);
		}
		packed.bytes[at] = before;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec_hostile");
	TCase *tc = tcase_create("codec_hostile");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, help_setup, help_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, names_the_field_and_says_why, 0, (int)COUNT(refused));
	tcase_add_test(tc, the_error_may_be_unwanted);
	tcase_add_test(tc, varints_have_ten_bytes_at_most);
	tcase_add_test(tc, narrow_numbers_are_cut_as_protobuf_cuts_them);
	tcase_add_test(tc, text_is_utf8_without_nul);
	tcase_add_loop_test(tc, one_bad_byte_is_found_wherever_it_is, 1, 34);
	tcase_add_test(tc, strings_in_place_need_no_memory);
	tcase_add_test(tc, the_last_string_ends_in_the_spare_byte);
	tcase_add_test(tc, nothing_is_written_without_leave);
	tcase_add_test(tc, strings_side_by_side_keep_apart);
	tcase_add_test(tc, memory_that_is_not_there_is_an_error);
	tcase_add_test(tc, memory_stays_in_proportion);
	tcase_add_test(tc, a_message_in_many_pieces_costs_no_square);
	tcase_add_test(tc, a_second_call_takes_no_more_memory);
	tcase_add_test(tc, what_is_too_large_cannot_be_encoded);
	tcase_add_loop_test(tc, every_cut_is_survived, 0, 7);
	tcase_add_loop_test(tc, every_changed_byte_is_survived, 0, 7);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
