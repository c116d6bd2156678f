/* Rows as structs and as bytes: every kind of column, NULL and zero, and bytes that lie. */
#include "accounts.h"
#include "bank.cell.h"
#include "libcell/table_row.h"

#include <cell/codec.h>
#include <check.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <table.cell.h>

/* All kinds, never NULL and nullable, and lists. Numbers are not in the order of members. */
struct all {
	bool boolean;
	int32_t int32;
	uint32_t uint32;
	int64_t int64;
	uint64_t uint64;
	float real32;
	double real64;
	int choice;
	const char *text;
	char code[3];
	size_t n_bytes;
	const uint8_t *bytes;
	uint8_t block[4];
	struct bank_receipt receipt;
	bool has_age;
	uint32_t age;
	bool has_name;
	const char *name;
	bool has_tag;
	char tag[3];
	bool has_id;
	uint8_t id[4];
	bool has_best;
	struct bank_receipt best;
	size_t n_flags;
	const bool *flags;
	size_t n_int32s;
	const int32_t *int32s;
	size_t n_uint64s;
	const uint64_t *uint64s;
	size_t n_reals;
	const float *reals;
	size_t n_doubles;
	const double *doubles;
	size_t n_texts;
	const char *const *texts;
};

#define AT(member)   offsetof(struct all, member)
#define SIZE(member) sizeof(((struct all *)0)->member)
#define PLAIN(member, number, kind, ...)                                                     \
	{                                                                                    \
#member, number, CELL_COLUMN_##kind, 0, AT(member), UINT32_MAX, UINT32_MAX,  \
			SIZE(member), __VA_ARGS__                                            \
	}
#define NULLABLE(member, number, kind, ...)                                                  \
	{                                                                                    \
#member, number, CELL_COLUMN_##kind, 0, AT(member), AT(has_##member),        \
			UINT32_MAX, SIZE(member), __VA_ARGS__                                \
	}
#define LIST(member, number, kind)                                                           \
	{                                                                                    \
#member, number, CELL_COLUMN_##kind, CELL_COLUMN_REPEATED, AT(member),       \
			UINT32_MAX, AT(n_##member), SIZE(member), NULL, NULL                 \
	}

static const struct cell_column columns[] = {
	PLAIN(boolean, 1, BOOL, NULL, NULL),
	PLAIN(int32, 20, INT32, NULL, NULL),
	PLAIN(uint32, 3, UINT32, NULL, NULL),
	PLAIN(int64, 4, INT64, NULL, NULL),
	PLAIN(uint64, 5, UINT64, NULL, NULL),
	PLAIN(real32, 6, FLOAT, NULL, NULL),
	PLAIN(real64, 7, DOUBLE, NULL, NULL),
	PLAIN(choice, 8, ENUM, NULL, NULL),
	PLAIN(text, 9, TEXT, NULL, NULL),
	PLAIN(code, 10, CHARS, NULL, NULL),
	{ "bytes", 11, CELL_COLUMN_BYTES, 0, AT(bytes), UINT32_MAX, AT(n_bytes), SIZE(bytes),
	  NULL, NULL },
	PLAIN(block, 12, BLOCK, NULL, NULL),
	PLAIN(receipt, 13, MESSAGE, &bank_receipt_type, NULL),
	NULLABLE(age, 300, UINT32, NULL, NULL),
	NULLABLE(name, 15, TEXT, NULL, NULL),
	NULLABLE(tag, 16, CHARS, NULL, NULL),
	NULLABLE(id, 17, BLOCK, NULL, NULL),
	NULLABLE(best, 18, MESSAGE, &bank_receipt_type, NULL),
	LIST(flags, 30, BOOL),
	LIST(int32s, 31, INT32),
	LIST(uint64s, 32, UINT64),
	LIST(reals, 33, FLOAT),
	LIST(doubles, 34, DOUBLE),
	LIST(texts, 35, TEXT),
};
#define N_COLUMNS (sizeof columns / sizeof *columns)

static const struct table_row_type type = { "all", columns, N_COLUMNS, sizeof(struct all) };
static struct cell_arena arena;
static struct cell_error err;

static void setup(void)
{
	cell_arena_init(&arena, 0);
	err = (struct cell_error){ 0 };
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

/* The bytes of ROW, one spare one behind them, in memory of exactly that size. */
static uint8_t *encoded(const struct all *row, size_t *ret_len)
{
	size_t bound = table_row_bound(&type, row);
	uint8_t *room = malloc(bound), *exact;

	ck_assert_ptr_nonnull(room);
	*ret_len = (size_t)(table_row_encode(&type, row, room) - room);
	ck_assert_uint_le(*ret_len, bound);
	exact = malloc(*ret_len + 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, room, *ret_len);
	free(room);
	return exact;
}

static const struct all full = {
	.boolean = true,
	.int32 = INT32_MIN,
	.uint32 = UINT32_MAX,
	.int64 = INT64_MIN,
	.uint64 = UINT64_MAX,
	.real32 = -FLT_MAX,
	.real64 = DBL_MIN,
	.choice = -7,
	.text = "Ünïcode",
	.code = { 'A', 'B', 'C' },
	.n_bytes = 3,
	.bytes = (const uint8_t *)"\0\1\2",
	.block = { 1, 0, 0, 255 },
	.receipt = { .balance = -5, .owner = "Ada", .status = BANK_STATUS_CLOSED },
	.has_age = true,
	.age = 41,
	.has_name = true,
	.name = "Grace",
	.has_tag = true,
	.tag = { 'x' },
	.has_id = true,
	.id = { 9, 9, 9, 9 },
	.has_best = true,
	.best = { .balance = 1, .owner = "" },
	.n_flags = 3,
	.flags = (const bool[]){ true, false, true },
	.n_int32s = 3,
	.int32s = (const int32_t[]){ -1, 0, INT32_MAX },
	.n_uint64s = 2,
	.uint64s = (const uint64_t[]){ 0, UINT64_MAX },
	.n_reals = 2,
	.reals = (const float[]){ 0.5f, -1e30f },
	.n_doubles = 1,
	.doubles = (const double[]){ M_PI },
	.n_texts = 3,
	.texts = (const char *const[]){ "a", "", "third" },
};

static void is_full(const struct all *row)
{
	ck_assert(row->boolean && row->int32 == INT32_MIN && row->uint32 == UINT32_MAX);
	ck_assert(row->int64 == INT64_MIN && row->uint64 == UINT64_MAX && row->choice == -7);
	ck_assert(row->real32 == -FLT_MAX && row->real64 == DBL_MIN);
	ck_assert_str_eq(row->text, "Ünïcode");
	ck_assert_mem_eq(row->code, "ABC", 3);
	ck_assert_uint_eq(row->n_bytes, 3);
	ck_assert_mem_eq(row->bytes, "\0\1\2", 3);
	ck_assert_mem_eq(row->block, full.block, 4);
	ck_assert_int_eq(row->receipt.balance, -5);
	ck_assert_str_eq(row->receipt.owner, "Ada");
	ck_assert_int_eq(row->receipt.status, BANK_STATUS_CLOSED);
	ck_assert(row->has_age && row->age == 41 && row->has_name && row->has_tag &&
		  row->has_id);
	ck_assert_str_eq(row->name, "Grace");
	ck_assert_mem_eq(row->tag, "x\0\0", 3);
	ck_assert_mem_eq(row->id, full.id, 4);
	ck_assert(row->has_best && row->best.balance == 1);
	ck_assert_uint_eq(row->n_flags, 3);
	ck_assert_mem_eq(row->flags, full.flags, 3 * sizeof(bool));
	ck_assert_uint_eq(row->n_int32s, 3);
	ck_assert_mem_eq(row->int32s, full.int32s, 3 * sizeof(int32_t));
	ck_assert_uint_eq(row->n_uint64s, 2);
	ck_assert_mem_eq(row->uint64s, full.uint64s, 2 * sizeof(uint64_t));
	ck_assert_mem_eq(row->reals, full.reals, 2 * sizeof(float));
	ck_assert_mem_eq(row->doubles, full.doubles, sizeof(double));
	ck_assert_uint_eq(row->n_texts, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_str_eq(row->texts[i], full.texts[i]);
}

static const unsigned ways[] = { 0, CELL_DECODE_IN_PLACE, CELL_DECODE_BYTES_STAY };

START_TEST(every_kind_comes_back)
{
	struct all row;
	size_t len;
	uint8_t *bytes = encoded(&full, &len);

	memset(&row, 0x55, sizeof row);
	ck_assert_msg(table_row_decode(&type, &row, bytes, len, ways[_i], &arena, &err) == 0,
		      "%s", err.text);
	is_full(&row);
	if (ways[_i] == 0) {
		memset(bytes, 0xff, len); /* nothing of it is needed any more */
		is_full(&row);
	}
	free(bytes);
}
END_TEST

START_TEST(zero_is_written_and_null_is_not)
{
	const struct all nothing = { .text = NULL }, zero = { .has_age = true,
							      .has_name = true,
							      .has_tag = true,
							      .has_id = true,
							      .has_best = true };
	struct all row;
	size_t len, zero_len;
	uint8_t *bytes = encoded(&nothing, &len), *zero_bytes = encoded(&zero, &zero_len);

	memset(&row, 0x55, sizeof row);
	ck_assert_int_eq(table_row_decode(&type, &row, bytes, len, CELL_DECODE_IN_PLACE,
					  &arena, &err),
			 0);
	ck_assert(!row.has_age && !row.has_name && !row.has_tag && !row.has_id &&
		  !row.has_best);
	ck_assert_str_eq(row.text, "");
	ck_assert_str_eq(row.name, "");
	ck_assert_str_eq(row.receipt.owner, "");
	ck_assert_str_eq(row.best.owner, "");
	ck_assert(row.age == 0 && row.n_texts == 0 && row.n_bytes == 0 && row.int32 == 0);
	ck_assert_int_eq(table_row_decode(&type, &row, zero_bytes, zero_len,
					  CELL_DECODE_IN_PLACE, &arena, &err),
			 0);
	ck_assert(row.has_age && row.has_name && row.has_tag && row.has_id && row.has_best);
	ck_assert_uint_gt(zero_len, len);
	/* No bytes at all are a row of nothing. */
	memset(&row, 0x55, sizeof row);
	ck_assert_int_eq(table_row_decode(&type, &row, NULL, 0, 0, &arena, &err), 0);
	ck_assert(!row.has_age && row.boolean == false);
	ck_assert_str_eq(row.text, "");
	free(bytes);
	free(zero_bytes);
}
END_TEST

START_TEST(columns_that_are_not_known_are_skipped)
{
	/* 99: a varint; 98: bytes; 97: fixed64; then int32 out of order. */
	uint8_t bytes[] = { 0x98, 6, 5, 0x92, 6, 2, 'h',  'i', 0x89, 6,    1, 2,
			    3,    4, 5, 6,    7, 8, 0xa0, 1,   7,    0x08, 1, 0 };
	struct all row;

	ck_assert_msg(table_row_decode(&type, &row, bytes, sizeof bytes - 1,
				       CELL_DECODE_IN_PLACE, &arena, &err) == 0,
		      "%s", err.text);
	ck_assert_int_eq(row.int32, 7);
	ck_assert(row.boolean);
}
END_TEST

static const struct lie {
	const char *bytes;
	size_t len;
	const char *text;
} lies[] = {
	{ "\x08", 1, "all.boolean: cut short, or no number" },
	{ "\x0a\x01x", 3, "all.boolean: of another type than the struct has it" },
	{ "\x4a\x05"
	  "abc",
	  5, "all.text: its length is more than there is" },
	{ "\x4a\x02\xff\xfe", 4, "all.text: not UTF-8 text, or with a NUL in it" },
	{ "\x4a\x02"
	  "a\0",
	  4, "all.text: not UTF-8 text, or with a NUL in it" },
	{ "\x52\x04"
	  "ABCD",
	  6, "all.code: " },
	{ "\x62\x03"
	  "abc",
	  5, "all.block: " },
	{ "\x62\x05"
	  "abcde",
	  7, "all.block: " },
	{ "\x18\xff\xff\xff\xff\xff\x01", 7,
	  "all.uint32: a number that does not fit the member" },
	{ "\xa0\x01\xff\xff\xff\xff\x0f", 7,
	  "all.int32: a number that does not fit the member" },
	{ "\x35\x01\x02", 3, "all.real32: cut short, or no number" },
	{ "\x39\x01\x02", 3, "all.real64: cut short, or no number" },
	{ "\x6a\x02\x08\x80", 4,
	  "all.receipt: cell.bank.v1.Receipt.balance: cut short, or no number" },
	{ "\x8a\x02\x03\x01\x02\x03", 6,
	  "all.reals: its length is no whole number of items" },
	{ "\x80", 1, "all.a column that is not known: no valid tag" },
	{ "\x00\x01", 2, "all.a column that is not known: there is no field 0" },
};

START_TEST(bytes_that_lie_are_refused)
{
	const struct lie *lie = &lies[_i];
	uint8_t *bytes = malloc(lie->len + 1);
	struct all row;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		memcpy(bytes, lie->bytes, lie->len);
		ck_assert_int_eq(table_row_decode(&type, &row, bytes, lie->len, ways[i],
						  &arena, &err),
				 CELL_INTERNAL);
		ck_assert_msg(strncmp(err.text, lie->text, strlen(lie->text)) == 0, "'%s'",
			      err.text);
	}
	free(bytes);
}
END_TEST

START_TEST(rows_that_are_cut_anywhere_do_no_harm)
{
	size_t len;
	uint8_t *bytes = encoded(&full, &len), *cut;
	struct all row;

	for (size_t n = 0; n < len; n++) {
		int r;

		cut = malloc(n + 1);
		ck_assert_ptr_nonnull(cut);
		memcpy(cut, bytes, n);
		r = table_row_decode(&type, &row, cut, n, CELL_DECODE_IN_PLACE, &arena, &err);
		ck_assert(r == 0 ||
			  (r == CELL_INTERNAL && strncmp(err.text, "all.", 4) == 0));
		free(cut);
	}
	srand(11);
	for (int i = 0; i < 20000; i++) {
		cut = malloc(len + 1);
		ck_assert_ptr_nonnull(cut);
		memcpy(cut, bytes, len);
		for (int k = 0; k < 3; k++)
			cut[(size_t)rand() % len] = (uint8_t)rand();
		(void)table_row_decode(&type, &row, cut, len, ways[i % 3], &arena, &err);
		free(cut);
		cell_arena_reset(&arena);
	}
	free(bytes);
}
END_TEST

START_TEST(memory_that_is_short_is_told)
{
	size_t len;
	uint8_t *bytes = encoded(&full, &len);
	struct all row;
	int r = -ENOMEM;

	for (size_t limit = 1; r == -ENOMEM && limit < 100000; limit += 40) {
		cell_arena_deinit(&arena);
		cell_arena_init(&arena, limit);
		r = table_row_decode(&type, &row, bytes, len, 0, &arena, &err);
		ck_assert(r == 0 || r == -ENOMEM);
	}
	ck_assert_int_eq(r, 0);
	is_full(&row);
	free(bytes);
}
END_TEST

/* --- keys
 * ------------------------------------------------------------------------------------ */

static const uint16_t text_age[] = { 8, 13 };
static const uint16_t real_code[] = { 6, 9 };
static const uint16_t block_bool[] = { 11, 0 };
static const uint16_t int_choice[] = { 1, 7, 3, 2, 4, 5 };
static const struct cell_table_key keys[] = {
	{ "text, age", text_age, 2, true },
	{ "real64, code", real_code, 2, true },
	{ "block, boolean", block_bool, 2, true },
	{ "numbers", int_choice, 6, false },
};
static const struct cell_table table = {
	.name = "all",
	.row_size = sizeof(struct all),
	.columns = columns,
	.n_columns = N_COLUMNS,
	.keys = keys,
	.n_keys = 4,
};

static int order(unsigned key, const struct all *a, const struct all *b)
{
	int r = table_key_compare(&table, key, keys[key].n, a, b);

	ck_assert_int_eq(table_key_compare(&table, key, keys[key].n, b, a) < 0, r > 0);
	return r;
}

START_TEST(keys_are_ordered_as_databases_have_it)
{
	ck_assert_int_lt(order(0, &(struct all){ .text = "a" },
			       &(struct all){ .text = "aa" }),
			 0);
	ck_assert_int_lt(order(0, &(struct all){ .text = "z" },
			       &(struct all){ .text = "\xc3\xa4" }),
			 0);
	/* NULL before all. */
	ck_assert_int_lt(order(0, &(struct all){ .text = "a" },
			       &(struct all){ .text = "a", .has_age = true }),
			 0);
	ck_assert_int_eq(order(0, &(struct all){ .text = "a", .age = 5 },
			       &(struct all){ .text = "a" }),
			 0);
	ck_assert_int_eq(order(1, &(struct all){ .real64 = -0.0 },
			       &(struct all){ .real64 = 0 }),
			 0);
	ck_assert_int_lt(order(1, &(struct all){ .real64 = INFINITY },
			       &(struct all){ .real64 = NAN }),
			 0);
	ck_assert_int_eq(order(1, &(struct all){ .real64 = NAN },
			       &(struct all){ .real64 = NAN }),
			 0);
	ck_assert_int_lt(order(1, &(struct all){ .code = "ab" },
			       &(struct all){ .code = { 'a', 'b', 'c' } }),
			 0);
	ck_assert_int_lt(order(2, &(struct all){ .block = { 1 } },
			       &(struct all){ .block = { 0x80 } }),
			 0);
	ck_assert_int_lt(order(2, &(struct all){ .boolean = false },
			       &(struct all){ .boolean = true }),
			 0);
	ck_assert_int_lt(order(3, &(struct all){ .int32 = -1 }, &(struct all){ .int32 = 0 }),
			 0);
	ck_assert_int_lt(order(3, &(struct all){ .choice = -1 },
			       &(struct all){ .choice = 0 }),
			 0);
	ck_assert_int_lt(order(3, &(struct all){ .int64 = INT64_MIN },
			       &(struct all){ .int64 = 1 }),
			 0);
	ck_assert_int_lt(order(3, &(struct all){ .uint32 = 1 },
			       &(struct all){ .uint32 = UINT32_MAX }),
			 0);
	ck_assert_int_lt(order(3, &(struct all){ .uint64 = 1 },
			       &(struct all){ .uint64 = UINT64_MAX }),
			 0);
	ck_assert_int_lt(order(3, &(struct all){ .real32 = -2 },
			       &(struct all){ .real32 = 1 }),
			 0);
}
END_TEST

START_TEST(equal_keys_have_equal_bytes)
{
	struct all a = { .real64 = -0.0, .code = "ab" },
		   b = { .real64 = 0.0, .code = "ab", .int32 = 7 };
	uint8_t x[64], y[64];
	size_t x_len, y_len;

	ck_assert_uint_le(table_key_bound(&table, 1, 2, &a), sizeof x);
	x_len = (size_t)(table_key_encode(&table, 1, 2, &a, x) - x);
	y_len = (size_t)(table_key_encode(&table, 1, 2, &b, y) - y);
	ck_assert_uint_eq(x_len, y_len);
	ck_assert_mem_eq(x, y, x_len);
}
END_TEST

START_TEST(keys_are_printed_for_people)
{
	char text[CELL_ERROR_TEXT_MAX], small[8];
	struct all row = { .text = "Ada",
			   .real64 = 1.5,
			   .code = { 'a', 'b', 'c' },
			   .block = { 1, 2, 3, 255 },
			   .boolean = true,
			   .int32 = -3,
			   .choice = 2,
			   .int64 = 4,
			   .uint32 = 5 };

	ck_assert_str_eq(table_key_print(&table, 0, &row, text, sizeof text),
			 "text Ada, age NULL");
	ck_assert_str_eq(table_key_print(&table, 1, &row, text, sizeof text),
			 "real64 1.5, code abc");
	ck_assert_str_eq(table_key_print(&table, 2, &row, text, sizeof text),
			 "block 0x010203ff, boolean true");
	ck_assert_str_eq(table_key_print(&table, 3, &row, text, sizeof text),
			 "int32 -3, choice 2, int64 4, uint32 5, uint64 0, real32 0");
	ck_assert_str_eq(table_key_print(&table, 0, &row, small, sizeof small), "text Ad");
	row.text =
		"a text of more than sixty bytes, which nobody wants to read to its end in a line";
	ck_assert_str_eq(
		table_key_print(&table, 0, &row, text, sizeof text),
		"text a text of more than sixty bytes, which nobody wants to read …, age NULL");
	row.text = NULL;
	ck_assert_str_eq(table_key_print(&table, 0, &row, text, sizeof text),
			 "text , age NULL");
}
END_TEST

START_TEST(prefix_is_the_beginning_of_the_last_column)
{
	struct all begin = { .real64 = 2, .code = "ab" };

	ck_assert(table_key_has_prefix(&table, 1, 2, &begin,
				       &(struct all){ .real64 = 2,
						      .code = { 'a', 'b', 'z' } }));
	ck_assert(!table_key_has_prefix(&table, 1, 2, &begin,
					&(struct all){ .real64 = 2, .code = "a" }));
	ck_assert(!table_key_has_prefix(&table, 1, 2, &begin,
					&(struct all){ .real64 = 3, .code = "ab" }));
	ck_assert(table_key_has_prefix(&table, 0, 1, &(struct all){ .text = "" },
				       &(struct all){ .text = "x" }));
}
END_TEST

/* The codec's own idea of the method that it calls by hand. */
START_TEST(method_of_its_own_is_the_services)
{
	ck_assert_str_eq(table_tables_methods[0].full_name, "cell.table.v1.Tables/Get");
	ck_assert_uint_eq(cell_method_hash("cell.table.v1.Tables/Get"), 0xc962974au);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("table_row");
	TCase *tc = tcase_create("rows");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_kind_comes_back, 0, 3);
	tcase_add_test(tc, zero_is_written_and_null_is_not);
	tcase_add_test(tc, columns_that_are_not_known_are_skipped);
	tcase_add_loop_test(tc, bytes_that_lie_are_refused, 0, sizeof lies / sizeof *lies);
	tcase_add_test(tc, rows_that_are_cut_anywhere_do_no_harm);
	tcase_add_test(tc, memory_that_is_short_is_told);
	tcase_add_test(tc, keys_are_ordered_as_databases_have_it);
	tcase_add_test(tc, equal_keys_have_equal_bytes);
	tcase_add_test(tc, keys_are_printed_for_people);
	tcase_add_test(tc, prefix_is_the_beginning_of_the_last_column);
	tcase_add_test(tc, method_of_its_own_is_the_services);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
