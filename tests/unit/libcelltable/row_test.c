/*
 * Rows: what is encoded comes back, and what is refused says why.
 */
#include "table_help.h"

static const struct table_enum_value colors[] = { { "RED", 0 }, { "GREEN", 5 }, { "BLUE", -1 } };

static struct table_column account_columns[] = {
	{ .name = "id", .type = TABLE_COLUMN_TYPE_UINT64 },
	{ .name = "owner", .type = TABLE_COLUMN_TYPE_TEXT, .length = 8 },
	{ .name = "balance", .type = TABLE_COLUMN_TYPE_INT64 },
	{ .name = "nick", .type = TABLE_COLUMN_TYPE_TEXT, .nullable = true, .fallback = "\"none\"" },
	{ .name = "color", .type = TABLE_COLUMN_TYPE_ENUM, .n_values = 3, .values = colors,
	  .fallback = "GREEN" },
	{ .name = "tags", .type = TABLE_COLUMN_TYPE_TEXT, .repeated = true },
	{ .name = "sums", .type = TABLE_COLUMN_TYPE_INT32, .repeated = true },
	{ .name = "token", .type = TABLE_COLUMN_TYPE_BYTES, .length = 16, .fixed = true,
	  .fallback = "uuid()" },
	{ .name = "at", .type = TABLE_COLUMN_TYPE_INT64, .fallback = "now()" },
	{ .name = "twice", .type = TABLE_COLUMN_TYPE_INT32, .computed = "balance * 2" },
	{ .name = "rate", .type = TABLE_COLUMN_TYPE_FLOAT, .nullable = true },
	{ .name = "on", .type = TABLE_COLUMN_TYPE_BOOL, .fallback = "true" },
	{ .name = "marks", .type = TABLE_COLUMN_TYPE_INT64, .repeated = true, .nullable = true },
};
enum { ID, OWNER, BALANCE, NICK, COLOR, TAGS, SUMS, TOKEN, AT, TWICE, RATE, ON, MARKS };

static struct table_table account = {
	.store = "bank", .name = "account",
	.n_columns = COUNT(account_columns), .columns = account_columns,
	.key = &(const struct table_index){ .name = "", .n_columns = 1,
					    .columns = (const uint32_t[]){ 1 } },
	.n_indexes = 1,
	.indexes = &(const struct table_index){ .name = "by_owner", .n_columns = 2,
						.columns = (const uint32_t[]){ 2, 4 } },
	.n_checks = 1,
	.checks = &(const struct table_check){ .text = "balance >= 0", .column = "balance" },
	.doc = "",
};

static struct schema *schema;
static struct value values[COUNT(account_columns)];
static const struct row_moment moment = { .now_us = 1234, .random = { 1, 2, 3 } };

static void setup(void)
{
	setup_arena();
	(void)columns_told(account_columns, COUNT(account_columns));
	schema = schema_must(&account);
	memset(values, 0, sizeof values);
	values[ID] = uint_value(9);
	values[OWNER] = text_value("Ada");
	values[BALANCE] = int_value(70);
}

static void teardown(void)
{
	schema_free(schema);
	teardown_arena();
}

static int finish(bool fresh)
{
	test_err = (struct cell_error){ .code = 0 };
	return row_finish(schema, values, fresh, &moment, &test_arena, &test_err);
}

START_TEST(a_fresh_row_gets_what_it_lacks)
{
	ck_assert_int_eq(finish(true), 0);
	ck_assert_str_eq(value_print(&values[NICK], &account_columns[NICK], &test_arena), "\"none\"");
	ck_assert_str_eq(value_print(&values[COLOR], &account_columns[COLOR], &test_arena), "GREEN");
	ck_assert_int_eq(values[AT].integer, 1234);
	ck_assert_int_eq(values[TWICE].integer, 140);
	ck_assert_uint_eq(values[TOKEN].len, 16);
	ck_assert_uint_eq(values[TOKEN].bytes[6] >> 4, 4);
	ck_assert_uint_eq(values[TOKEN].bytes[8] >> 6, 2);
	ck_assert(values[ON].boolean);
	ck_assert_int_eq(values[RATE].kind, VALUE_NULL);
}
END_TEST

START_TEST(an_old_row_keeps_its_nulls)
{
	ck_assert_int_eq(finish(false), 0);
	ck_assert_int_eq(values[NICK].kind, VALUE_NULL);
	ck_assert_int_eq(values[COLOR].integer, 5);
}
END_TEST

START_TEST(rows_come_back)
{
	struct value again[COUNT(account_columns)];
	uint8_t bytes[512], *end;

	values[TAGS] = (struct value){ .kind = VALUE_LIST, .bytes = (const uint8_t *)"\1a\0\2bc",
				       .len = 6 };
	values[SUMS] = (struct value){ .kind = VALUE_LIST, .bytes = (const uint8_t *)"\1\x80\1",
				       .len = 3 };
	values[RATE] = real_value(0.5);
	ck_assert_int_eq(finish(true), 0);
	ck_assert_uint_le(row_bound(schema, values), sizeof bytes);
	end = row_encode(schema, values, bytes);
	ck_assert_uint_le((size_t)(end - bytes), row_bound(schema, values));
	ck_assert_int_eq(row_decode(schema, bytes, (size_t)(end - bytes), again, &test_arena,
				    &test_err), 0);
	for (size_t i = 0; i < COUNT(values); i++)
		ck_assert_msg(value_equal(&values[i], &again[i]), "%s", account_columns[i].name);
	ck_assert_str_eq(value_print(&again[TAGS], &account_columns[TAGS], &test_arena),
			 "[\"a\", \"\", \"bc\"]");
	ck_assert_str_eq(value_print(&again[SUMS], &account_columns[SUMS], &test_arena), "[1, 128]");
}
END_TEST

START_TEST(a_rule_that_does_not_hold_is_named)
{
	values[BALANCE] = int_value(-5);
	ck_assert_int_eq(finish(true), CELL_FAILED_PRECONDITION);
	ck_assert_str_eq(test_err.text, "account: balance >= 0 does not hold: balance is -5");
}
END_TEST

static const struct {
	size_t column;
	struct value value;
	int code;
	const char *text;
} refused[] = {
	{ OWNER, { .kind = VALUE_NULL }, CELL_INVALID_ARGUMENT,
	  "account.owner: is NULL, and may not be" },
	{ OWNER, { .kind = VALUE_TEXT, .bytes = (const uint8_t *)"Ada Lovel", .len = 9 },
	  CELL_INVALID_ARGUMENT, "account.owner: 9 bytes, limit 8" },
	{ OWNER, { .kind = VALUE_TEXT, .bytes = (const uint8_t *)"A\xff", .len = 2 },
	  CELL_INVALID_ARGUMENT, "account.owner: not UTF-8 text, or with a NUL in it" },
	{ COLOR, { .kind = VALUE_INT, .integer = 7 }, CELL_INVALID_ARGUMENT,
	  "account.color: 7 is no value of it" },
	{ TOKEN, { .kind = VALUE_BYTES, .bytes = (const uint8_t *)"abc", .len = 3 },
	  CELL_INVALID_ARGUMENT, "account.token: 3 bytes, not 16" },
	{ BALANCE, { .kind = VALUE_INT, .integer = INT64_MAX }, CELL_OUT_OF_RANGE,
	  "account.twice: balance * 2 overflows" },
	{ BALANCE, { .kind = VALUE_INT, .integer = 1 << 30 }, CELL_OUT_OF_RANGE,
	  "account.twice: balance * 2 does not fit int32" },
};

START_TEST(what_may_not_be_is_refused)
{
	values[refused[_i].column] = refused[_i].value;
	ck_assert_int_eq(finish(true), refused[_i].code);
	ck_assert_str_eq(test_err.text, refused[_i].text);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} hostile[] = {
	{ "\x08", 1, "account.id: cut short, or no number" },
	{ "\x08\x01\x08\x02", 4, "account.id: there twice" },
	{ "\x0a\x01\x08", 3, "account.id: of another type" },
	{ "\x12\x05" "Ada", 5, "account.owner: its length is more than there is" },
	{ "\x12\x01\xff", 3, "account.owner: not UTF-8 text, or with a NUL in it" },
	{ "\x28\x80\x80\x80\x80\x10", 6, "account.color: out of range" },
	{ "\x3a\x02\x01\x80", 4, "account.sums: cut short, or no number" },
	{ "\x38\x01", 2, "account.sums: of another type" },
	{ "\x32\x01" "a\x08\x01\x32\x01" "b", 8, "account.tags: there twice" },
	{ "\x3a\x02\x85\x00", 4, "account.sums: a number that is not in its shortest form" },
	{ "\x32\x81\x00" "a", 4, "account.tags: a number that is not in its shortest form" },
	{ "\x5d\x01", 2, "account.rate: cut short" },
	{ "\x60\x02", 2, "account.on: out of range" },
	{ "\xff", 1, "a row of account: no valid tag" },
	{ "\xfa\x01\x05x", 4, "a row of account: cut short" },
	{ "\xff\x01", 2, "a row of account: cut short" },
};

START_TEST(bytes_that_make_no_sense_are_refused)
{
	/* To the byte, so that a sanitizer sees what is read behind it. */
	uint8_t *bytes = malloc(hostile[_i].len);

	memcpy(bytes, hostile[_i].bytes, hostile[_i].len);
	ck_assert_int_eq(row_decode(schema, bytes, hostile[_i].len, values, &test_arena, &test_err),
			 CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(test_err.text, hostile[_i].text);
	free(bytes);
}
END_TEST

START_TEST(what_is_no_column_is_skipped)
{
	static const uint8_t bytes[] = { 0xfa, 0x01, 1, 'x', 0x08, 5, 0xf8, 0x01, 1 };

	ck_assert_int_eq(row_decode(schema, bytes, sizeof bytes, values, &test_arena, &test_err), 0);
	ck_assert_uint_eq(values[ID].natural, 5);
	ck_assert_int_eq(values[OWNER].kind, VALUE_NULL);
	ck_assert(values[TAGS].kind == VALUE_LIST && !values[TAGS].len);
}
END_TEST

/* An empty list and none are the same bytes, so they must be the same value. */
START_TEST(an_empty_list_is_as_good_as_none)
{
	static const uint8_t given[] = { 0x08, 1, 0x3a, 0, 0x6a, 0 };
	uint8_t bytes[64];

	ck_assert_int_eq(row_decode(schema, given, sizeof given, values, &test_arena, &test_err), 0);
	ck_assert(values[SUMS].kind == VALUE_LIST && !values[SUMS].len);
	ck_assert_int_eq(values[MARKS].kind, VALUE_NULL);
	ck_assert_ptr_eq(row_encode(schema, values, bytes), bytes + 2);
}
END_TEST

START_TEST(a_row_without_lists_of_texts_needs_no_memory)
{
	uint8_t bytes[512];
	size_t len, key_len;

	ck_assert_int_eq(finish(true), 0);
	len = (size_t)(row_encode(schema, values, bytes) - bytes);
	ck_assert_int_eq(row_decode(schema, bytes, len, values, NULL, NULL), 0);
	ck_assert_int_eq(row_key(schema, &schema->keys[0], values, 1, false, bytes, sizeof bytes,
				 &key_len, NULL), 0);
	ck_assert_uint_eq(values[BALANCE].integer, 70);
}
END_TEST

START_TEST(keys_are_told_to_people)
{
	values[NICK] = (struct value){ .kind = VALUE_NULL };
	ck_assert_str_eq(row_key_print(schema, &schema->keys[0], values, &test_arena), "id 9");
	ck_assert_str_eq(row_key_print(schema, &schema->keys[1], values, &test_arena),
			 "owner Ada, nick NULL");
	ck_assert_uint_eq(row_key_given(&schema->keys[1], values), 1);
	ck_assert(row_key_has_null(&schema->keys[1], values));
}
END_TEST

START_TEST(a_key_says_how_long_it_would_be)
{
	uint8_t bytes[12];
	size_t len;

	ck_assert_int_eq(row_key(schema, &schema->keys[1], values, 1, false, bytes, 6, &len,
				 &test_err), 0);
	ck_assert_uint_eq(len, 6);
	ck_assert_mem_eq(bytes, "\1Ada\0\1", 6);
	ck_assert_int_eq(row_key(schema, &schema->keys[1], values, 1, true, bytes, 4, &len,
				 &test_err), 0);
	ck_assert_uint_eq(len, 4);
	ck_assert_int_eq(row_key(schema, &schema->keys[1], values, 2, false, bytes, 5, &len,
				 &test_err), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(test_err.text, "a key of 7 bytes in account.owner, limit 5");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("row");
	TCase *tcase = tcase_create("row");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_fresh_row_gets_what_it_lacks);
	tcase_add_test(tcase, an_old_row_keeps_its_nulls);
	tcase_add_test(tcase, rows_come_back);
	tcase_add_test(tcase, a_rule_that_does_not_hold_is_named);
	tcase_add_loop_test(tcase, what_may_not_be_is_refused, 0, (int)COUNT(refused));
	tcase_add_loop_test(tcase, bytes_that_make_no_sense_are_refused, 0, (int)COUNT(hostile));
	tcase_add_test(tcase, what_is_no_column_is_skipped);
	tcase_add_test(tcase, an_empty_list_is_as_good_as_none);
	tcase_add_test(tcase, a_row_without_lists_of_texts_needs_no_memory);
	tcase_add_test(tcase, keys_are_told_to_people);
	tcase_add_test(tcase, a_key_says_how_long_it_would_be);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
