/* Which number a column gets, what the lock keeps of it, and the state that it depends on. */
#include "fixture.h"

#define SOURCE                                                                                     \
	"struct [[db::table]] t { [[db::key]] uint64_t id; int64_t a; "                            \
	"[[db::renamed(from = \"old\")]] int64_t b; };"

#define OWN "\n# 1 \"t.c\"\n"
#define DIGEST_NONE "0000000000000000000000000000000000000000000000000000000000000000"

static void with_lock(const struct macro_kept *kept, size_t n)
{
	const struct expansion_project project = { .program = "bank", .kept = kept, .n_kept = n,
						   .kept_ns = "db" };

	fixture_expand_in(&project, SOURCE);
}

START_TEST(a_new_table_counts_from_1)
{
	fixture_expand(SOURCE);
	ck_assert_str_eq(fixture.result.kept, "column a = 2\ncolumn b = 3\ncolumn id = 1\n");
	ck_assert_str_eq(fixture.result.states, "state table default/t " DIGEST_NONE "\n");
	ck_assert_ptr_nonnull(strstr(fixture.result.planned, "reads table default/t\n"));
	ck_assert_str_eq(fixture.asked, "default/t");
}
END_TEST

START_TEST(the_program_names_the_store)
{
	with_lock(NULL, 0);
	ck_assert_str_eq(fixture.asked, "bank/t");
	ck_assert_ptr_nonnull(strstr(fixture.result.text, ".store = \"bank\""));
	fixture_expand("struct [[db::table(\"rows\", shared = \"global.config\")]] t { [[db::key]] int64_t id; };");
	ck_assert_str_eq(fixture.asked, "global.config/rows");
	ck_assert_str_eq(fixture.result.declared_name, "table rows");
}
END_TEST

START_TEST(the_lock_is_followed_and_gone_columns_stay_reserved)
{
	static const struct macro_kept kept[] = {
		{ "column a", "7" }, { "column gone", "2" }, { "column id", "1" },
		{ "column old", "5" }, { "reserved 3", "older" },
	};

	with_lock(kept, 5);
	ck_assert_str_eq(fixture.result.diagnostics, "");
	ck_assert_str_eq(fixture.result.kept, "column a = 7\ncolumn b = 5\ncolumn id = 1\n"
					      "reserved 2 = gone\nreserved 3 = older\n");
}
END_TEST

START_TEST(the_next_number_is_one_that_nobody_had)
{
	static const struct macro_kept kept[] = { { "column gone", "2" }, { "column id", "1" },
						  { "reserved 4", "older" } };

	with_lock(kept, 3);
	ck_assert_str_eq(fixture.result.kept, "column a = 3\ncolumn b = 5\ncolumn id = 1\n"
					      "reserved 2 = gone\nreserved 4 = older\n");
}
END_TEST

START_TEST(the_live_table_knows_better_than_the_lock)
{
	static const struct table_column columns[] = {
		{ .number = 4, .name = "id", .type = TABLE_COLUMN_TYPE_UINT64, .fallback = "",
		  .computed = "", .native = "", .renamed_from = "" },
		{ .number = 9, .name = "old", .type = TABLE_COLUMN_TYPE_INT64, .fallback = "",
		  .computed = "", .native = "", .renamed_from = "" },
		{ .number = 7, .name = "others", .type = TABLE_COLUMN_TYPE_INT64, .fallback = "",
		  .computed = "", .native = "", .renamed_from = "" },
	};
	static const struct table_table live = { .store = "bank", .name = "t", .n_columns = 3,
						 .columns = columns, .doc = "" };
	static const struct macro_kept kept[] = { { "column a", "7" }, { "column id", "1" } };

	fixture.live = &live;
	with_lock(kept, 2);
	/* 7 is another program's column, so that a gets the next. */
	ck_assert_str_eq(fixture.result.kept,
			 "column a = 2\ncolumn b = 9\ncolumn id = 4\nreserved 1 = id\nreserved 7 = others\n");
	ck_assert_ptr_nonnull(strstr(fixture.result.states, "state table bank/t "));
	ck_assert_ptr_null(strstr(fixture.result.states, DIGEST_NONE));
}
END_TEST

START_TEST(two_branches_that_gave_one_number_are_told)
{
	static const struct macro_kept one[] = { { "column nick", "4" }, { "column note", "4" } };
	static const struct macro_kept two[] = { { "column nick", "4" }, { "column nick", "5" } };
	static const struct macro_kept bad[] = { { "column nick", "four" } };

	with_lock(one, 2);
	ck_assert_str_eq(fixture.result.diagnostics,
			 "1:10: error: t.nick: both column 4 ('nick', 'note') in .cell/db.schema.lock\n"
			 "note: keep the one already deployed, delete the other line\n");
	with_lock(two, 2);
	ck_assert_str_eq(fixture.result.diagnostics,
			 "1:10: error: t.nick: both column 4 and column 5 in .cell/db.schema.lock\n"
			 "note: keep the one already deployed, delete the other line\n");
	with_lock(bad, 1);
	ck_assert_str_eq(fixture.result.diagnostics,
			 "1:10: error: 'column nick = four' in .cell/db.schema.lock is no column number\n");
}
END_TEST

START_TEST(a_database_that_cannot_say_is_said)
{
	fixture.trouble = "the store is damaged";
	fixture_expand(SOURCE);
	ck_assert_str_eq(fixture.result.diagnostics,
			 "1:10: error: table default/t cannot be looked at: the store is damaged\n");
}
END_TEST

START_TEST(equal_source_gives_equal_text_and_a_new_column_another_version)
{
	char *first, version[sizeof ".version = 0x0123456789abcdefu"];

	fixture_expand(SOURCE);
	first = strdup(fixture.result.text);
	fixture_expand(SOURCE);
	/* What is before it names a folder of this run. */
	ck_assert(strcmp(strstr(fixture.result.text, OWN), strstr(first, OWN)) == 0);
	(void)snprintf(version, sizeof version, "%s", strstr(first, ".version = "));
	fixture_expand("struct [[db::table]] t { [[db::key]] uint64_t id; int64_t a; int64_t b; };");
	ck_assert(strstr(fixture.result.text, ".version = ") != NULL);
	ck_assert(strstr(fixture.result.text, version) == NULL);
	free(first);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("number");
	TCase *number = tcase_create("number");

	tcase_add_checked_fixture(number, fixture_setup, fixture_teardown);
	tcase_add_test(number, a_new_table_counts_from_1);
	tcase_add_test(number, the_program_names_the_store);
	tcase_add_test(number, the_lock_is_followed_and_gone_columns_stay_reserved);
	tcase_add_test(number, the_next_number_is_one_that_nobody_had);
	tcase_add_test(number, the_live_table_knows_better_than_the_lock);
	tcase_add_test(number, two_branches_that_gave_one_number_are_told);
	tcase_add_test(number, a_database_that_cannot_say_is_said);
	tcase_add_test(number, equal_source_gives_equal_text_and_a_new_column_another_version);
	tcase_set_timeout(number, 60);
	suite_add_tcase(suite, number);
	return fixture_run(suite);
}
