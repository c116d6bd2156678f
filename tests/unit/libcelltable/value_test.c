/*
 * Values: their order, what people see of them, and literals.
 */
#include "table_help.h"

#include <math.h>

static const struct table_enum_value colors[] = { { "RED", 0 }, { "GREEN", 5 }, { "BLUE", -1 } };

#define COLUMN(t, ...)                                                                          \
	{                                                                                       \
		.name = "x", .native = "", .type = TABLE_COLUMN_TYPE_##t __VA_OPT__(, ) __VA_ARGS__ \
	}

#define TEXT(s)                                                                            \
	{                                                                                  \
		.kind = VALUE_TEXT, .bytes = (const uint8_t *)(s), .len = sizeof(s) - 1     \
	}
#define BYTES(s)                                                                           \
	{                                                                                  \
		.kind = VALUE_BYTES, .bytes = (const uint8_t *)(s), .len = sizeof(s) - 1    \
	}

/* Each list rises. */
static const struct value rising[][9] = {
	{ { .kind = VALUE_NULL }, { .kind = VALUE_BOOL, .boolean = false },
	  { .kind = VALUE_BOOL, .boolean = true } },
	{ { .kind = VALUE_NULL }, { .kind = VALUE_INT, .integer = INT64_MIN },
	  { .kind = VALUE_INT, .integer = -1 }, { .kind = VALUE_INT, .integer = 0 },
	  { .kind = VALUE_INT, .integer = 1 }, { .kind = VALUE_INT, .integer = INT64_MAX } },
	{ { .kind = VALUE_NULL }, { .kind = VALUE_UINT, .natural = 0 },
	  { .kind = VALUE_UINT, .natural = 1 }, { .kind = VALUE_UINT, .natural = UINT64_MAX } },
	{ { .kind = VALUE_NULL }, { .kind = VALUE_REAL, .real = -INFINITY },
	  { .kind = VALUE_REAL, .real = -1e300 }, { .kind = VALUE_REAL, .real = -0.5 },
	  { .kind = VALUE_REAL, .real = 0 }, { .kind = VALUE_REAL, .real = 5e-324 },
	  { .kind = VALUE_REAL, .real = 3 }, { .kind = VALUE_REAL, .real = INFINITY },
	  { .kind = VALUE_REAL, .real = NAN } },
	{ { .kind = VALUE_NULL }, TEXT(""), TEXT("a"), TEXT("aa"), TEXT("ab"), TEXT("b"),
	  TEXT("\xc3\xa4") },
	{ { .kind = VALUE_NULL }, BYTES(""), BYTES("\0"), BYTES("\0\0"), BYTES("\0\1"), BYTES("\1"),
	  BYTES("\xff"), BYTES("\xff\0"), BYTES("\xff\xff") },
};

START_TEST(values_have_an_order)
{
	const struct value *list = rising[_i];
	size_t n = 1;

	while (n < COUNT(rising[0]) && list[n].kind != VALUE_NULL)
		n++;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			int order = value_compare(&list[i], &list[j]);

			ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
			ck_assert_int_eq(value_equal(&list[i], &list[j]), i == j);
		}
}
END_TEST

START_TEST(zero_has_no_sign)
{
	const struct value plus = real_value(0.0), minus = real_value(-0.0);

	ck_assert(value_equal(&plus, &minus));
}
END_TEST

static const struct {
	struct table_column column;
	struct value value;
	const char *text;
} printed[] = {
	{ COLUMN(INT32), { .kind = VALUE_INT, .integer = -12 }, "-12" },
	{ COLUMN(UINT64), { .kind = VALUE_UINT, .natural = UINT64_MAX }, "18446744073709551615" },
	{ COLUMN(BOOL), { .kind = VALUE_BOOL, .boolean = true }, "true" },
	{ COLUMN(DOUBLE), { .kind = VALUE_REAL, .real = 0.1 }, "0.1" },
	{ COLUMN(DOUBLE), { .kind = VALUE_REAL, .real = 1.0 / 3 }, "0.3333333333333333" },
	{ COLUMN(FLOAT), { .kind = VALUE_REAL, .real = 0.1f }, "0.1" },
	{ COLUMN(DOUBLE), { .kind = VALUE_REAL, .real = NAN }, "nan" },
	{ COLUMN(TEXT), TEXT("Ada"), "\"Ada\"" },
	{ COLUMN(TEXT), TEXT("it's \"so\"\n\x01?\\"), "\"it's \\\"so\\\"\\n\\001?\\\\\"" },
	{ COLUMN(TEXT), TEXT("0123456789012345678901234567890123456789012345678901234567890"),
	  "\"012345678901234567890123456789012345678901234567890123456789\"…" },
	{ COLUMN(TEXT), TEXT("01234567890123456789012345678901234567890123456789012345678\xc3\xa4"),
	  "\"01234567890123456789012345678901234567890123456789012345678\"…" },
	{ COLUMN(BYTES), BYTES("\0\x0f\xff"), "0x000fff" },
	{ COLUMN(BYTES), BYTES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	  "0x61616161616161616161616161616161616161616161616161616161616161616161616161616161616161"
	  "6161616161616161616161616161616161…" },
	{ COLUMN(ENUM, .n_values = 3, .values = colors), { .kind = VALUE_INT, .integer = 5 }, "GREEN" },
	{ COLUMN(ENUM, .n_values = 3, .values = colors), { .kind = VALUE_INT, .integer = 9 }, "9" },
	{ COLUMN(INT32), { .kind = VALUE_NULL }, "NULL" },
	{ COLUMN(INT32, .repeated = true),
	  { .kind = VALUE_LIST, .bytes = (const uint8_t *)"\1\2\3\4\5\6\7\x08\x09\x0a\x0b", .len = 11 },
	  "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …]" },
	{ COLUMN(TEXT, .repeated = true), { .kind = VALUE_LIST }, "[]" },
};

START_TEST(people_see_what_it_is)
{
	ck_assert_str_eq(value_print(&printed[_i].value, &printed[_i].column, &test_arena),
			 printed[_i].text);
}
END_TEST

static const struct {
	struct table_column column;
	const char *text, *value; /* value: as value_print(), or what is wrong */
	bool is_wrong;
} literals[] = {
	{ COLUMN(INT32), "7", "7", false },
	{ COLUMN(INT32), "-2147483648", "-2147483648", false },
	{ COLUMN(INT32), "0x7fffffff", "2147483647", false },
	{ COLUMN(INT32), "2147483648", "2147483648 does not fit int32", true },
	{ COLUMN(INT32), "-2147483649", "-2147483649 does not fit int32", true },
	{ COLUMN(INT32), "x7", "'x7' is no number", true },
	{ COLUMN(INT32), "", "'' is no number", true },
	{ COLUMN(INT32), "-", "'-' is no number", true },
	{ COLUMN(INT32), "7 ", "'7 ' is no number", true },
	{ COLUMN(INT32), "7.5", "'7.5' is no whole number", true },
	{ COLUMN(INT32), "017", "'017' is no number", true },
	{ COLUMN(INT64), "-9223372036854775808", "-9223372036854775808", false },
	{ COLUMN(INT64), "9223372036854775807ll", "9223372036854775807", false },
	{ COLUMN(INT64), "9223372036854775808", "9223372036854775808 does not fit int64", true },
	{ COLUMN(UINT32), "4294967295u", "4294967295", false },
	{ COLUMN(UINT32), "-0", "0", false },
	{ COLUMN(UINT32), "-1", "-1 does not fit uint32", true },
	{ COLUMN(UINT64), "18446744073709551615ULL", "18446744073709551615", false },
	{ COLUMN(UINT64), "18446744073709551616", "'18446744073709551616' does not fit 64 bits", true },
	{ COLUMN(UINT64), "1uu", "'1uu' is no number", true },
	{ COLUMN(UINT64), "0x", "'0x' is no number", true },
	{ COLUMN(DOUBLE), "-1.5", "-1.5", false },
	{ COLUMN(DOUBLE), "1e3", "1000", false },
	{ COLUMN(DOUBLE), "7", "7", false },
	{ COLUMN(DOUBLE), ".5f", "0.5", false },
	{ COLUMN(DOUBLE), "1e400", "'1e400' is too large", true },
	{ COLUMN(DOUBLE), "nan", "'nan' is no number", true },
	{ COLUMN(DOUBLE), "1.5.2", "'1.5.2' is no number", true },
	{ COLUMN(FLOAT), "0.1", "0.1", false },
	{ COLUMN(FLOAT), "1e39", "1e39 does not fit float", true },
	{ COLUMN(BOOL), "true", "true", false },
	{ COLUMN(BOOL), "0", "false", false },
	{ COLUMN(BOOL), "yes", "'yes' is neither true nor false", true },
	{ COLUMN(TEXT), "\"new\"", "\"new\"", false },
	{ COLUMN(TEXT), "\"\\u00e4\\n\"", "\"ä\\n\"", false },
	{ COLUMN(TEXT), "new", "'new' is no text: \"…\"", true },
	{ COLUMN(TEXT), "\"new", "'\"new' does not end", true },
	{ COLUMN(TEXT), "\"a\" b", "'\"a\" b' goes on behind its end", true },
	{ COLUMN(TEXT), "\"a\\0b\"", "'\"a\\0b\"' is not UTF-8 text, or has a NUL in it", true },
	{ COLUMN(TEXT), "\"\\xff\"", "'\"\\xff\"' is not UTF-8 text, or has a NUL in it", true },
	{ COLUMN(TEXT, .length = 2), "\"abc\"", "\"abc\" has 3 bytes, limit 2", true },
	{ COLUMN(BYTES), "0x0fA0", "0x0fa0", false },
	{ COLUMN(BYTES), "\"\\xff\"", "0xff", false },
	{ COLUMN(BYTES), "0x0", "'0x0' is no row of bytes: two digits each", true },
	{ COLUMN(BYTES), "0xzz", "'0xzz' is no row of bytes: two digits each", true },
	{ COLUMN(BYTES), "12", "'12' is no row of bytes: 0x… or \"…\"", true },
	{ COLUMN(BYTES, .length = 2, .fixed = true), "0x00", "0x00 has 1 bytes, not 2", true },
	{ COLUMN(ENUM, .n_values = 3, .values = colors), "GREEN", "GREEN", false },
	{ COLUMN(ENUM, .n_values = 3, .values = colors), "-1", "BLUE", false },
	{ COLUMN(ENUM, .n_values = 3, .values = colors), "7", "'7' is no value of it", true },
	{ COLUMN(ENUM, .n_values = 3, .values = colors), "green", "'green' is no value of it", true },
	{ COLUMN(INT32, .nullable = true), "NULL", "NULL", false },
	{ COLUMN(INT32), "NULL", "'NULL' cannot be: the column is never NULL", true },
	{ COLUMN(MESSAGE), "1", "'1' cannot be told in a literal", true },
	{ COLUMN(INT32, .repeated = true), "1", "'1' is no list, and lists have no literal", true },
};

START_TEST(a_literal_is_a_value_or_is_told_why_not)
{
	struct value value = { .kind = VALUE_NULL };
	int r = value_parse(&value, literals[_i].text, &literals[_i].column, &test_arena, &test_err);

	ck_assert_int_eq(r, literals[_i].is_wrong ? CELL_INVALID_ARGUMENT : 0);
	ck_assert_str_eq(r < 0 ? test_err.text
			       : value_print(&value, &literals[_i].column, &test_arena),
			 literals[_i].value);
}
END_TEST

START_TEST(lists_are_taken_item_by_item)
{
	struct value list = { .kind = VALUE_LIST, .bytes = (const uint8_t *)"\x80\x01\x05", .len = 3 };
	struct value item;

	ck_assert(value_next(&list, TABLE_COLUMN_TYPE_UINT32, &item));
	ck_assert_uint_eq(item.natural, 128);
	ck_assert(value_next(&list, TABLE_COLUMN_TYPE_UINT32, &item));
	ck_assert_uint_eq(item.natural, 5);
	ck_assert(!value_next(&list, TABLE_COLUMN_TYPE_UINT32, &item));
	ck_assert(!value_next(&item, TABLE_COLUMN_TYPE_UINT32, &item));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("value");
	TCase *tcase = tcase_create("value");

	tcase_add_checked_fixture(tcase, setup_arena, teardown_arena);
	tcase_add_loop_test(tcase, values_have_an_order, 0, (int)COUNT(rising));
	tcase_add_test(tcase, zero_has_no_sign);
	tcase_add_loop_test(tcase, people_see_what_it_is, 0, (int)COUNT(printed));
	tcase_add_loop_test(tcase, a_literal_is_a_value_or_is_told_why_not, 0, (int)COUNT(literals));
	tcase_add_test(tcase, lists_are_taken_item_by_item);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
