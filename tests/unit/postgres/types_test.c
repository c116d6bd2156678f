#include "postgres/numeric.h"
#include "postgres/retype.h"
#include "postgres/types.h"

#include <check.h>
#include <string.h>

static struct cell_arena arena;
static struct cell_error err;

static void setup(void)
{
	cell_arena_init(&arena, 0);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

static struct table_column column_of(enum table_column_type type, const char *native)
{
	return (struct table_column){ .number = 1, .name = "c", .type = type, .fallback = "",
				      .computed = "", .native = native, .renamed_from = "" };
}

static struct type type_of(uint32_t oid)
{
	struct type type;

	ck_assert(type_by_oid(oid, &type));
	return type;
}

/* VALUE of COLUMN in PostgreSQL's format is BYTES, and comes back from it. */
static void both_ways(const struct table_column *column, uint32_t oid, struct value value,
		      const void *bytes, size_t len)
{
	struct type type = type_of(oid);
	struct pg_value out;
	struct value back;

	ck_assert_int_eq(type_encode(&out, &type, column, &value, &arena, &err), 0);
	ck_assert_uint_eq(out.oid, oid);
	ck_assert_uint_eq(out.len, len);
	ck_assert_mem_eq(out.bytes, bytes, len);
	ck_assert_int_eq(type_decode(&back, &type, column, bytes, len, &arena, &err), 0);
	ck_assert_int_eq(back.kind, value.kind);
	ck_assert(value_equal(&back, &value));
}

#define INT(n) ((struct value){ .kind = VALUE_INT, .integer = (n) })
#define BYTES(literal) (literal), sizeof(literal) - 1

START_TEST(numbers_are_big_endian)
{
	struct table_column i32 = column_of(TABLE_COLUMN_TYPE_INT32, "");
	struct table_column i64 = column_of(TABLE_COLUMN_TYPE_INT64, "");
	struct table_column f64 = column_of(TABLE_COLUMN_TYPE_DOUBLE, "");

	both_ways(&i32, 23, INT(-2), BYTES("\xff\xff\xff\xfe"));
	both_ways(&i32, 21, INT(300), BYTES("\x01\x2c"));
	both_ways(&i64, 20, INT(INT64_MIN), BYTES("\x80\0\0\0\0\0\0\0"));
	both_ways(&f64, 701, (struct value){ .kind = VALUE_REAL, .real = -1.5 },
		  BYTES("\xbf\xf8\0\0\0\0\0\0"));
}
END_TEST

START_TEST(days_and_microseconds_count_from_1970)
{
	struct table_column date = column_of(TABLE_COLUMN_TYPE_INT32, "date");
	struct table_column moment = column_of(TABLE_COLUMN_TYPE_INT64, "timestamptz");
	struct type type = type_of(1184);
	struct value value = INT(INT64_MIN + 5);
	struct pg_value out;

	both_ways(&date, 1082, INT(10957), BYTES("\0\0\0\0"));
	both_ways(&date, 1082, INT(0), BYTES("\xff\xff\xd5\x33"));
	both_ways(&date, 1082, INT(INT32_MAX), BYTES("\x7f\xff\xff\xff"));
	both_ways(&moment, 1184, INT(946684800000001), BYTES("\0\0\0\0\0\0\0\1"));
	both_ways(&moment, 1184, INT(INT64_MIN), BYTES("\x80\0\0\0\0\0\0\0"));
	ck_assert_int_eq(type_encode(&out, &type, &moment, &value, &arena, &err), CELL_OUT_OF_RANGE);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
	struct table_column i32 = column_of(TABLE_COLUMN_TYPE_INT32, "");
	struct table_column u64 = column_of(TABLE_COLUMN_TYPE_UINT64, "");
	struct type int2 = type_of(21), int8 = type_of(20), numeric = type_of(1700);
	struct value value = INT(40000), back;
	struct pg_value out;
	const uint8_t *bytes;
	size_t len;

	ck_assert_int_eq(type_encode(&out, &int2, &i32, &value, &arena, &err), CELL_OUT_OF_RANGE);
	ck_assert_int_eq(type_decode(&back, &int8, &i32, (const uint8_t *)"\0\0\0\1\0\0\0\0", 8, &arena,
				     &err),
			 CELL_OUT_OF_RANGE);
	ck_assert_int_eq(type_decode(&back, &int8, &u64, (const uint8_t *)"\xff\0\0\1\0\0\0\0", 8, &arena,
				     &err),
			 CELL_OUT_OF_RANGE);
	value = (struct value){ .kind = VALUE_UINT, .natural = UINT64_MAX };
	ck_assert_int_eq(type_encode(&out, &int8, &u64, &value, &arena, &err), CELL_OUT_OF_RANGE);
	ck_assert_int_eq(type_encode(&out, &numeric, &u64, &value, &arena, &err), 0);
	ck_assert_int_eq(type_decode(&back, &numeric, &u64, out.bytes, out.len, &arena, &err), 0);
	ck_assert_uint_eq(back.natural, UINT64_MAX);
	ck_assert(numeric_read(&bytes, &len, "18446744073709551616", 20, &arena));
	ck_assert_int_eq(type_decode(&back, &numeric, &u64, bytes, len, &arena, &err), CELL_OUT_OF_RANGE);
}
END_TEST

START_TEST(bytes_that_make_no_sense_are_data_loss)
{
	struct table_column list = column_of(TABLE_COLUMN_TYPE_INT32, "");
	struct table_column i32 = list, text = column_of(TABLE_COLUMN_TYPE_TEXT, "");
	struct type int4 = type_of(23), array = type_of(1007), jsonb = type_of(3802),
		    numeric = type_of(1700);
	static const uint8_t whole[] = { 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1,
					 0, 0, 0, 4, 0, 0, 0, 9 };
	struct value back;

	list.repeated = true;
	ck_assert_int_eq(type_decode(&back, &array, &list, whole, sizeof whole, &arena, &err), 0);
	for (size_t len = 0; len < sizeof whole; len++)
		ck_assert_int_lt(type_decode(&back, &array, &list, whole, len, &arena, &err), 0);
	ck_assert_int_eq(type_decode(&back, &int4, &i32, whole, 3, &arena, &err), CELL_DATA_LOSS);
	ck_assert_int_eq(type_decode(&back, &jsonb, &text, whole, 1, &arena, &err), CELL_DATA_LOSS);
	ck_assert_int_eq(type_decode(&back, &numeric, &text, whole, 7, &arena, &err), CELL_DATA_LOSS);
}
END_TEST

START_TEST(lists_are_arrays)
{
	struct table_column list = column_of(TABLE_COLUMN_TYPE_INT32, "");
	static const uint8_t items[] = { 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 };

	list.repeated = true;
	both_ways(&list, 1007, (struct value){ .kind = VALUE_LIST, { .bytes = items, .len = sizeof items } },
		  BYTES("\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\5\0\0\0\4\xff\xff\xff\xff"));
	both_ways(&list, 1007, (struct value){ .kind = VALUE_LIST, { .bytes = items, .len = 0 } },
		  BYTES("\0\0\0\0\0\0\0\0\0\0\0\x17"));
}
END_TEST

START_TEST(decimal_numbers_come_back_as_they_were)
{
	static const char *const same[] = { "0", "1", "-1", "9999", "10000", "0.1", "0.0001", "0.00001",
					    "-12345.6789", "100000000", "NaN", "Infinity", "-Infinity",
					    "123456789012345678901234567890.5", "0.00", "5.10" };
	static const char *const wrong[] = { "", "-", ".", "1.2.3", "1e5", "0x1", " 1", "1 ", "nan" };
	const uint8_t *bytes;
	const char *text;
	size_t len;

	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		ck_assert(numeric_read(&bytes, &len, same[i], strlen(same[i]), &arena));
		ck_assert(numeric_print(&text, bytes, len, &arena));
		ck_assert_str_eq(text, same[i]);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		ck_assert_msg(!numeric_read(&bytes, &len, wrong[i], strlen(wrong[i]), &arena), "'%s'",
			      wrong[i]);
}
END_TEST

START_TEST(a_column_of_another_type_is_not_the_member)
{
	struct table_column i32 = column_of(TABLE_COLUMN_TYPE_INT32, "");
	struct table_column text = column_of(TABLE_COLUMN_TYPE_TEXT, "");
	struct table_column named = column_of(TABLE_COLUMN_TYPE_TEXT, "varchar(40)");
	struct type varchar = type_of(1043), int8 = type_of(20), json = type_of(114), array = type_of(1007);

	ck_assert(type_is(&i32, &(struct type){ .oid = 23, .codec = TYPE_INT4, .name = "integer" }));
	ck_assert(!type_is(&i32, &int8));
	ck_assert(!type_is(&i32, &array));
	ck_assert(type_is(&text, &varchar));
	ck_assert(!type_is(&text, &json));
	varchar.name = "character varying(40)";
	ck_assert(type_is(&named, &varchar));
	varchar.name = "character varying(41)";
	ck_assert(!type_is(&named, &varchar));
	/* A parameter must hold all that the member has, a column of a result no more than it. */
	ck_assert(type_can_write(&i32, &int8) && !type_can_read(&i32, &int8));
}
END_TEST

START_TEST(values_change_their_type_only_if_none_is_lost)
{
	static const struct {
		enum table_column_type before_type;
		const char *before;
		enum table_column_type after_type;
		const char *after;
		enum retype says;
	} all[] = {
		{ TABLE_COLUMN_TYPE_TEXT, "", TABLE_COLUMN_TYPE_TEXT, "varchar(3)", RETYPE_LENGTH },
		{ TABLE_COLUMN_TYPE_TEXT, "varchar(3)", TABLE_COLUMN_TYPE_TEXT, "", RETYPE_LENGTH },
		{ TABLE_COLUMN_TYPE_TEXT, "", TABLE_COLUMN_TYPE_TEXT, "jsonb", RETYPE_NEVER },
		{ TABLE_COLUMN_TYPE_TEXT, "json", TABLE_COLUMN_TYPE_TEXT, "jsonb", RETYPE_ALWAYS },
		{ TABLE_COLUMN_TYPE_TEXT, "numeric(10,2)", TABLE_COLUMN_TYPE_TEXT, "numeric(12,4)", RETYPE_ALWAYS },
		{ TABLE_COLUMN_TYPE_TEXT, "numeric(10,2)", TABLE_COLUMN_TYPE_TEXT, "numeric(10,4)", RETYPE_NEVER },
		{ TABLE_COLUMN_TYPE_INT64, "", TABLE_COLUMN_TYPE_INT32, "smallint", RETYPE_RANGE },
		{ TABLE_COLUMN_TYPE_INT64, "timestamptz", TABLE_COLUMN_TYPE_INT64, "", RETYPE_NEVER },
		{ TABLE_COLUMN_TYPE_INT64, "", TABLE_COLUMN_TYPE_DOUBLE, "", RETYPE_NEVER },
		{ TABLE_COLUMN_TYPE_TEXT, "", TABLE_COLUMN_TYPE_BYTES, "", RETYPE_BYTES },
		{ TABLE_COLUMN_TYPE_ENUM, "", TABLE_COLUMN_TYPE_INT32, "", RETYPE_RANGE },
		{ TABLE_COLUMN_TYPE_ENUM, "mood", TABLE_COLUMN_TYPE_INT32, "", RETYPE_NEVER },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct table_column before = column_of(all[i].before_type, all[i].before);
		struct table_column after = column_of(all[i].after_type, all[i].after);

		ck_assert_msg(retype_of(&before, &after) == all[i].says, "%zu", i);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("types");
	TCase *tc = tcase_create("types");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, numbers_are_big_endian);
	tcase_add_test(tc, days_and_microseconds_count_from_1970);
	tcase_add_test(tc, what_does_not_fit_is_refused);
	tcase_add_test(tc, bytes_that_make_no_sense_are_data_loss);
	tcase_add_test(tc, lists_are_arrays);
	tcase_add_test(tc, decimal_numbers_come_back_as_they_were);
	tcase_add_test(tc, a_column_of_another_type_is_not_the_member);
	tcase_add_test(tc, values_change_their_type_only_if_none_is_lost);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
