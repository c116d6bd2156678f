/*
 * celldb as its clients see it, over real rings.
 */
#include "database.h"

#include <check.h>
#include <stdlib.h>

static struct scene scene;

static void setup(void)
{
	scene_init(&scene);
	database_cell(&scene, "");
	scene_start(&scene);
	scene_join(&scene);
	database_provision_accounts(scene.call);
}

static void teardown(void)
{
	scene_deinit(&scene);
}

#define OK(r) ck_assert_msg((r) == 0, "%s", cell_error(scene.call)->text)

START_TEST(rows_are_put_got_and_scanned)
{
	struct account ada = { .id = 7, .owner = "Ada", .balance = 12 }, got;
	struct cell_cursor all;
	unsigned n = 0;

	OK(account_put(scene.call, &ada));
	OK(account_put(scene.call, &(struct account){ .id = 3, .owner = "Bo", .balance = 1 }));
	OK(account_get(scene.call, 7, &got));
	ck_assert_str_eq(got.owner, "Ada");
	ck_assert_int_eq(got.balance, 12);
	ck_assert_int_eq(got.twice, 24);
	OK(account_by_owner(scene.call, "Bo", &got));
	ck_assert_uint_eq(got.id, 3);
	ck_assert_int_eq(account_get(scene.call, 8, &got), CELL_NOT_FOUND);
	all = cell_table_scan(scene.call, &account_table, &(struct cell_scan){ .key = 0 });
	for (struct account *a; (a = cell_cursor_next(&all)); n++)
		ck_assert_uint_eq(a->id, n ? 7 : 3);
	OK(cell_cursor_end(&all));
	ck_assert_uint_eq(n, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("celldb service");
	TCase *tc = tcase_create("celldb service");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rows_are_put_got_and_scanned);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
