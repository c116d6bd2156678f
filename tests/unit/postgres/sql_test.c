#include "postgres/ddl.h"
#include "postgres/sql.h"

#include <cell/internal/table/expression.h>
#include <check.h>
#include <string.h>

static struct cell_arena arena;
static struct view *view;

/* CITY and NUMBER are the key, TAG may be NULL, TWICE is computed. */
static struct schema *made(void)
{
	static const struct table_column columns[] = {
		{ .number = 1, .name = "city", .type = TABLE_COLUMN_TYPE_TEXT, .fallback = "",
		  .computed = "", .native = "varchar(40)", .renamed_from = "" },
		{ .number = 2, .name = "number", .type = TABLE_COLUMN_TYPE_INT32, .fallback = "7",
		  .computed = "", .native = "", .renamed_from = "" },
		{ .number = 3, .name = "tag", .type = TABLE_COLUMN_TYPE_TEXT, .nullable = true,
		  .fallback = "", .computed = "", .native = "", .renamed_from = "" },
		{ .number = 4, .name = "twice", .type = TABLE_COLUMN_TYPE_INT64, .fallback = "",
		  .computed = "number * 2", .native = "", .renamed_from = "" },
	};
	static const uint32_t key_columns[] = { 1, 2 }, tag_columns[] = { 3 };
	const struct table_index key = { .name = "", .columns = key_columns, .n_columns = 2, .unique = true };
	const struct table_index tag = { .name = "tag", .columns = tag_columns, .n_columns = 1 };
	const struct table_check check = { .text = "number > 0", .column = "number" };
	const struct table_table table = { .store = "bank", .name = "pay", .columns = columns,
					   .n_columns = 4, .key = &key, .indexes = &tag, .n_indexes = 1,
					   .checks = &check, .n_checks = 1, .doc = "", .schema = "" };
	uint8_t body[1024];
	struct cell_error err;
	struct schema *schema;

	ck_assert_msg(schema_new(&schema, body, (size_t)(table_table_type.encode(&table, body) - body),
				 &err) == 0, "%s", err.text);
	return schema;
}

static void setup(void)
{
	struct fact facts[] = {
		{ .name = "city", .type = { .codec = TYPE_TEXT, .name = "character varying(40)" } },
		{ .name = "number", .type = { .codec = TYPE_INT4, .name = "integer" }, .sorts_by_bytes = true },
		{ .name = "tag", .type = { .codec = TYPE_TEXT, .name = "text" }, .sorts_by_bytes = true },
		{ .name = "twice", .type = { .codec = TYPE_INT8, .name = "bigint" }, .is_generated = true,
		  .sorts_by_bytes = true },
	};
	struct schema *schema = made();
	struct cell_error err;

	cell_arena_init(&arena, 0);
	ck_assert_int_eq(view_new(&view, schema, schema, "public", "pay", facts, 4, &err), 0);
}

static void teardown(void)
{
	view_unref(view);
	cell_arena_deinit(&arena);
}

START_TEST(names_and_texts_are_quoted)
{
	ck_assert_str_eq(sql_name("a\"b", &arena), "\"a\"\"b\"");
	ck_assert_str_eq(sql_literal("it's", &arena), "'it''s'");
	ck_assert_str_eq(sql_relation("s", "t", &arena), "\"s\".\"t\"");
}
END_TEST

START_TEST(a_row_is_found_by_its_key)
{
	ck_assert_str_eq(sql_get(view, &view->schema->keys[0], &arena),
			 "SELECT xmin, \"city\", \"number\", \"tag\", \"twice\" FROM \"public\".\"pay\" "
			 "WHERE \"city\" = $1 AND \"number\" = $2");
}
END_TEST

START_TEST(ranges_are_in_the_order_of_bytes_and_null_comes_first)
{
	const struct sql_scan all = { .key = &view->schema->keys[0], .n_from = 2, .n_to = 1, .limit = 5 };
	const struct sql_scan tags = { .key = &view->schema->keys[1], .n_to = 1, .is_backwards = true };
	const struct sql_scan prefix = { .key = &view->schema->keys[0], .n_from = 1, .is_prefix = true };

	ck_assert_str_eq(sql_scan(view, &all, SQL_SCAN_KEYS, &arena),
			 "SELECT xmin, \"city\", \"number\" FROM \"public\".\"pay\" WHERE true "
			 "AND (\"city\" COLLATE \"C\", \"number\") >= ($1, $2) "
			 "AND (\"city\" COLLATE \"C\") <= ($3) "
			 "ORDER BY \"city\" COLLATE \"C\", \"number\" LIMIT 5");
	ck_assert_str_eq(sql_scan(view, &tags, SQL_SCAN_KEYS, &arena),
			 "SELECT xmin, \"city\", \"number\" FROM \"public\".\"pay\" WHERE true "
			 "AND (\"tag\" <= $1 OR \"tag\" IS NULL) "
			 "ORDER BY \"tag\" DESC NULLS LAST, \"city\" COLLATE \"C\" DESC, \"number\" DESC");
	ck_assert_str_eq(sql_scan(view, &prefix, SQL_SCAN_COUNT, &arena),
			 "SELECT count(*) FROM (SELECT 1 FROM \"public\".\"pay\" WHERE true "
			 "AND \"city\" COLLATE \"C\" >= $1 AND starts_with(\"city\" COLLATE \"C\", $1)) AS counted");
}
END_TEST

START_TEST(what_postgresql_computes_is_not_written)
{
	const char *text = sql_put_row(view, view, &arena);

	ck_assert_ptr_nonnull(strstr(text, "INSERT INTO \"public\".\"pay\" (\"city\", \"number\", \"tag\") "
					   "VALUES ($1, $2, $3) ON CONFLICT (\"city\", \"number\") DO UPDATE "
					   "SET \"tag\" = EXCLUDED.\"tag\" RETURNING"));
	ck_assert_ptr_nonnull(strstr(sql_update_row(view, view, &arena),
				     "SET \"tag\" = $3 WHERE \"city\" = $1 AND \"number\" = $2"));
}
END_TEST

START_TEST(a_table_is_made_with_its_rules)
{
	const struct ddl_place place = { .schema = "shop", .name = "pay" };
	const char *texts[32];
	size_t n;

	ck_assert_uint_le(ddl_create_bound(view->schema), 32);
	ck_assert(ddl_create(view->schema, &place, &arena, texts, &n));
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(texts[0], "CREATE SCHEMA IF NOT EXISTS \"shop\"");
	ck_assert_ptr_nonnull(strstr(texts[1],
				     "CREATE TABLE \"shop\".\"pay\" (\"city\" varchar(40) COLLATE \"C\" NOT NULL, "
				     "\"number\" integer DEFAULT '7' NOT NULL, \"tag\" text COLLATE \"C\", "
				     "\"twice\" bigint GENERATED ALWAYS AS ("));
	ck_assert_ptr_nonnull(strstr(texts[1], "CONSTRAINT \"pay_pkey\" PRIMARY KEY (\"city\", \"number\"), "
					       "CONSTRAINT \"pay_"));
	ck_assert_str_eq(texts[2], "CREATE INDEX \"pay_tag_idx\" ON \"shop\".\"pay\" (\"tag\" NULLS FIRST)");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sql");
	TCase *tc = tcase_create("sql");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names_and_texts_are_quoted);
	tcase_add_test(tc, a_row_is_found_by_its_key);
	tcase_add_test(tc, ranges_are_in_the_order_of_bytes_and_null_comes_first);
	tcase_add_test(tc, what_postgresql_computes_is_not_written);
	tcase_add_test(tc, a_table_is_made_with_its_rules);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
