/*
 * Cells that do not come up, or keep ending: what the node does, whom it tells, and that
 * everybody else goes on.
 */
#include "scene.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull

static struct scene scene;

static void setup(void)
{
	scene_init(&scene);
	scene_cell(&scene, "trial", "trial", "");
}

static void teardown(void)
{
	scene_deinit(&scene);
}

static void bystander_is_well(void)
{
	struct trial_blob blob;

	ck_assert_msg(trial_once(cell_within_ms(scene.call, 1000), &(struct trial_blob){ 0 }, &blob) == 0,
		      "%s", cell_error(scene.call)->text);
}

/* What is known of the cell: its page in the list. */
static struct core_cell_info cell_info(const char *cell)
{
	struct core_list_request in = { .cell = cell, .after_name = "" };
	struct core_cell_page page;
	struct cell_error err = { 0 };

	ck_assert_msg(control_call(&scene.node.client, "ListCells", &in, &page, NULL, &err) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(page.n_cells, 1);
	return page.cells[0];
}

static int start(const char *cell, struct cell_error *err)
{
	struct core_spawn_request in = { .cell = cell };
	struct core_instance_info info;

	return control_call(&scene.node.client, "Spawn", &in, &info, NULL, err);
}

START_TEST(a_crash_loop_backs_off_and_ends_as_failed)
{
	struct core_connect_request in = { .cell = "looper" };
	struct core_connection connection;
	struct core_cell_info info;
	struct cell_error err = { 0 };
	uint64_t began;
	int r;

	/* It becomes ready, and ends at once after that. */
	test_node_cell(&scene.node, "looper", "exit 3", "restart = always\n");
	scene_start(&scene);
	scene_join(&scene);
	bystander_is_well();
	began = scene_now_ns();
	(void)start("looper", &err);
	do {
		info = cell_info("looper");
		bystander_is_well();
		/* Who waits for it meanwhile gets its reason, not a hang. */
		r = control_call(&scene.node.client, "Connect", &in, &connection, NULL, &err);
		ck_assert_int_lt(r, 0);
		ck_assert_int_ne(r, CELL_DEADLINE_EXCEEDED);
		ck_assert_ptr_nonnull(strstr(err.text, "status 3"));
	} while (info.state != CORE_INSTANCE_STATE_FAILED &&
		 scene_now_ns() - began < SCENE_PATIENCE_MS * MS);
	printf("failed after %.0f ms and %u restarts: %s\n", (double)(scene_now_ns() - began) / 1e6,
	       info.restarts, info.reason);
	ck_assert_int_eq((int)info.state, CORE_INSTANCE_STATE_FAILED);
	/* 100, 200, 400 and 800 ms lie between five ends. */
	ck_assert_uint_ge(scene_now_ns() - began, 1400 * MS);
	ck_assert_ptr_nonnull(strstr(info.reason, "status 3"));
	/* From now on it is said at once, with what helps. */
	began = scene_now_ns();
	ck_assert_int_eq(control_call(&scene.node.client, "Connect", &in, &connection, NULL, &err),
			 CELL_UNAVAILABLE);
	ck_assert_uint_lt(scene_now_ns() - began, 100 * MS);
	ck_assert_ptr_nonnull(strstr(err.text, "failed"));
	bystander_is_well();
}
END_TEST

START_TEST(a_libcell_caller_is_told_the_reason)
{
	struct trial_blob blob;
	uint64_t began;
	int r;

	test_node_cell(&scene.node, "broken", "explain no-database-here", "");
	scene_start(&scene);
	scene_join(&scene);
	began = scene_now_ns();
	r = trial_once(cell_to(scene.call, "broken", 0), &(struct trial_blob){ 0 }, &blob);
	ck_assert_int_lt(r, 0);
	ck_assert_msg(strstr(cell_error(scene.call)->text, "no-database-here") != NULL, "%s",
		      cell_error(scene.call)->text);
	ck_assert_uint_lt(scene_now_ns() - began, 5000 * MS);
	bystander_is_well();
}
END_TEST

/* trial uses it: its call fails with the reason, and it serves on. */
START_TEST(a_dependent_cell_is_told)
{
	struct trial_slept out;

	scene_cell(&scene, "front", "broken", "[uses]\nbroken = app\n");
	test_node_cell(&scene.node, "broken", "exit 3", "");
	scene_start(&scene);
	scene_join(&scene);
	ck_assert_int_lt(trial_nested(cell_to(scene.call, "front", 0), &(struct trial_delay){ .ms = 1 },
				      &out), 0);
	ck_assert_msg(strstr(cell_error(scene.call)->text, "broken") != NULL, "%s",
		      cell_error(scene.call)->text);
	bystander_is_well();
	ck_assert_int_eq(trial_sleep(cell_to(scene.call, "front", 0), &(struct trial_delay){ .ms = 1 },
				     &out), 0);
}
END_TEST

START_TEST(a_cell_that_never_says_ready_is_reaped)
{
	struct core_instance_info info;
	struct core_list_request list = { .cell = "mute", .after_name = "" };
	struct core_instance_page page;
	struct cell_error err = { 0 };
	uint64_t began, took;

	test_node_cell(&scene.node, "mute", "not-ready", "ready-timeout = 300ms\nrestart = never\n");
	scene_start(&scene);
	scene_join(&scene);
	began = scene_now_ns();
	ck_assert_int_lt(start("mute", &err), 0);
	took = scene_now_ns() - began;
	printf("reaped after %.0f ms: %s\n", (double)took / 1e6, err.text);
	ck_assert_uint_ge(took, 300 * MS);
	ck_assert_uint_lt(took, 3500 * MS); /* TERM, and KILL 2 s later */
	ck_assert_ptr_nonnull(strstr(err.text, "ready"));
	ck_assert_int_eq(control_call(&scene.node.client, "ListInstances", &list, &page, NULL, &err), 0);
	for (size_t i = 0; i < page.n_instances; i++) {
		info = page.instances[i];
		ck_assert(info.pid == 0 || !scene_is_alive((pid_t)info.pid));
	}
	bystander_is_well();
}
END_TEST

/* ---- names --------------------------------------------------------------------------------- */

START_TEST(names_that_are_none_are_refused_everywhere)
{
	static char long_name[301];
	const char *const names[] = { "../x", "a;rm", "", "A", "1a", "a/b", "a b", "-a", "a\n", "core ",
				      "\xc3\xa4", long_name };

	memset(long_name, 'a', sizeof long_name - 1);
	scene_start(&scene);
	scene_join(&scene);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct core_connect_request to = { .cell = names[i] };
		struct core_spawn_request spawn = { .cell = names[i] };
		struct core_retire_request retire = { .cell = names[i] };
		struct core_connection connection;
		struct core_instance_info info;
		struct cell_error err = { 0 };
		struct trial_blob blob;
		int r;

		ck_assert_int_eq(control_call(&scene.node.client, "Connect", &to, &connection, NULL,
					      &err), CELL_INVALID_ARGUMENT);
		ck_assert_int_eq(control_call(&scene.node.client, "Spawn", &spawn, &info, NULL, &err),
				 CELL_INVALID_ARGUMENT);
		r = control_call(&scene.node.client, "Retire", &retire, &info, NULL, &err);
		ck_assert_int_eq(r, CELL_INVALID_ARGUMENT);
		/* By libcell they never leave the process. */
		ck_assert_int_eq(trial_once(cell_to(scene.call, names[i], 0), &(struct trial_blob){ 0 },
					    &blob), CELL_INVALID_ARGUMENT);
	}
	bystander_is_well();
}
END_TEST

START_TEST(paths_that_are_none_are_refused_by_load)
{
	const char *const paths[] = { "", "x.cell", "../x.cell", "/nonexistent/x.cell", "/etc/passwd",
				      "/tmp", "/dev/zero", "/tmp/a;rm.cell" };

	scene_start(&scene);
	scene_join(&scene);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct core_load_request in = { .path = paths[i] };
		struct core_cell_info info;
		struct cell_error err = { 0 };
		uint64_t began = scene_now_ns();

		ck_assert_int_lt(control_call(&scene.node.client, "Load", &in, &info, NULL, &err), 0);
		ck_assert_uint_lt(scene_now_ns() - began, 1000 * MS);
	}
	bystander_is_well();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fail");
	TCase *tc = tcase_create("fail");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_crash_loop_backs_off_and_ends_as_failed);
	tcase_add_test(tc, a_libcell_caller_is_told_the_reason);
	tcase_add_test(tc, a_dependent_cell_is_told);
	tcase_add_test(tc, a_cell_that_never_says_ready_is_reaped);
	tcase_add_test(tc, names_that_are_none_are_refused_everywhere);
	tcase_add_test(tc, paths_that_are_none_are_refused_by_load);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
