/*
 * cellcore dies, or is replaced, under load; instances are retired under load; the resolver
 * is down or slow. What goes on must go on.
 */
#include "scene.h"

#include "libcell/callstate.h"

#include <cell/pool.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000ull
#define CLIENTS 3

static struct scene scene;

static void setup(void)
{
	scene_init(&scene);
}

static void teardown(void)
{
	scene_deinit(&scene);
}

/* ---- kill -9 of cellcore ------------------------------------------------------------------- */

struct gap {
	uint64_t failed_at_ns, served_at_ns;
	int status;
};

/* Call until it fails, then until it is served again, each time at once. */
static void across_a_gap(struct cell_call *call, int out, void *userdata)
{
	struct gap gap = { 0 };
	struct trial_blob blob;
	int r = 0;

	(void)userdata;
	if (trial_once(call, &(struct trial_blob){ 0 }, &blob) < 0)
		_exit(1);
	(void)!write(out, "", 1);
	while (r == 0)
		r = trial_once(call, &(struct trial_blob){ 0 }, &blob);
	gap.failed_at_ns = scene_now_ns();
	gap.status = r;
	while (r < 0) {
		struct cell_arena_mark mark = cell_mark(call);

		(void)cell_sleep_ms(call, 5);
		r = trial_once(cell_within_ms(call, 3000), &(struct trial_blob){ 0 }, &blob);
		cell_rewind(call, mark);
	}
	gap.served_at_ns = scene_now_ns();
	(void)!write(out, &gap, sizeof gap);
}

static pid_t core_pid(void)
{
	struct core_node_status status;
	struct common_empty empty = { 0 };
	struct cell_error err = { 0 };

	ck_assert_msg(control_call(&scene.node.client, "Status", &empty, &status, NULL, &err) == 0,
		      "%s", err.text);
	return (pid_t)status.pid;
}

static void rejoin(void)
{
	uint64_t until = scene_now_ns() + SCENE_PATIENCE_MS * MS;
	struct cell_error err = { 0 };

	control_client_close(&scene.node.client);
	while (control_client_open(&scene.node.client, scene.node.rundir, &err) < 0) {
		ck_assert_msg(scene_now_ns() < until, "%s", err.text);
		(void)usleep(2000);
	}
}

static void kill_cellcore(void)
{
	struct scene_client clients[CLIENTS];
	struct gap gaps[CLIENTS];
	uint64_t killed_at_ns, gone_at_ns;
	pid_t cell;
	char byte;

	scene.node.is_watched = true;
	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	for (int i = 0; i < CLIENTS; i++)
		scene_client(&clients[i], across_a_gap, NULL);
	for (int i = 0; i < CLIENTS; i++)
		scene_hear(&clients[i], &byte, 1);
	cell = (pid_t)scene_instance(&scene, "trial").pid;
	killed_at_ns = scene_now_ns();
	ck_assert_int_eq(kill(core_pid(), SIGKILL), 0);
	while (scene_is_alive(cell) && scene_now_ns() < killed_at_ns + 5000 * MS)
		(void)usleep(500);
	gone_at_ns = scene_now_ns();
	ck_assert(!scene_is_alive(cell));
	printf("the cell was gone after %.1f ms\n", (double)(gone_at_ns - killed_at_ns) / 1e6);
	ck_assert_uint_lt(gone_at_ns - killed_at_ns, 1000 * MS);
	for (int i = 0; i < CLIENTS; i++) {
		scene_hear(&clients[i], &gaps[i], sizeof gaps[i]);
		scene_client_end(&clients[i]);
		printf("client %d: failed after %.1f ms, served again after %.1f ms\n", i,
		       (double)(gaps[i].failed_at_ns - killed_at_ns) / 1e6,
		       (double)(gaps[i].served_at_ns - killed_at_ns) / 1e6);
		ck_assert_int_eq(gaps[i].status, CELL_UNAVAILABLE);
		ck_assert_uint_lt(gaps[i].served_at_ns - killed_at_ns, 2000 * MS);
	}
	rejoin();
}

START_TEST(killed_cellcore_takes_all_with_it_and_is_back)
{
	kill_cellcore();
}
END_TEST

START_TEST(killed_cellcore_with_sandboxes_too)
{
	scene.node.is_sandboxed = true;
	kill_cellcore();
}
END_TEST

/* ---- a steady load ---------------------------------------------------------------------------- */

struct load {
	uint64_t calls, failed, worst_ns;
	bool is_last;
	int status; /* of the last that failed */
	char text[CELL_ERROR_TEXT_MAX];
};

static volatile sig_atomic_t load_ends;

static void on_end(int number)
{
	(void)number;
	load_ends = 1;
}

static void load_one(struct cell_call *to, struct load *load)
{
	struct trial_blob blob;
	uint64_t began = scene_now_ns(), took;
	int r = trial_once(to, &(struct trial_blob){ 0 }, &blob);

	took = scene_now_ns() - began;
	load->calls++;
	load->worst_ns = took > load->worst_ns ? took : load->worst_ns;
	if (r == 0)
		return;
	load->failed++;
	load->status = r;
	snprintf(load->text, sizeof load->text, "%s", cell_error(to)->text);
}

/* 1,000 calls a second until told to end; with a pool if USERDATA says so. */
static void steady(struct cell_call *call, int out, void *userdata)
{
	struct cell_pool *pool = NULL;
	struct load load = { 0 };
	uint64_t began = scene_now_ns();

	(void)signal(SIGUSR1, on_end);
	if (userdata)
		pool = cell_pool_open(call, "trial", CELL_POOL_ROUND_ROBIN);
	if (userdata && !pool)
		_exit(1);
	load_one(call, &load);
	(void)!write(out, &load, sizeof load);
	while (!load_ends) {
		struct cell_arena_mark mark = cell_mark(call);
		struct cell_call *to = pool ? cell_pool_next(pool, call) : call;

		if (to)
			load_one(to, &load);
		else
			load.failed++;
		cell_rewind(call, mark);
		if (load.calls % 100 == 0)
			(void)!write(out, &load, sizeof load);
		if (scene_now_ns() - began < load.calls * MS)
			(void)cell_sleep_ms(call, 1);
	}
	load.is_last = true;
	(void)!write(out, &load, sizeof load);
	cell_pool_close(pool);
}

/* So many calls more have been made. */
static void load_goes_on(struct scene_client *client)
{
	struct load load;

	scene_hear(client, &load, sizeof load);
}

static void load_start(struct scene_client *client, bool in_a_pool)
{
	scene_client(client, steady, in_a_pool ? client : NULL);
	load_goes_on(client);
}

/* Nothing was lost. */
static void load_end(struct scene_client *client, const char *what)
{
	struct load load;

	ck_assert_int_eq(kill(client->pid, SIGUSR1), 0);
	do
		scene_hear(client, &load, sizeof load);
	while (!load.is_last);
	scene_client_end(client);
	printf("%s: %llu calls, %llu failed, the slowest took %.1f ms\n", what,
	       (unsigned long long)load.calls, (unsigned long long)load.failed,
	       (double)load.worst_ns / 1e6);
	ck_assert_msg(load.failed == 0, "%llu of %llu calls lost, the last with %d: %s",
		      (unsigned long long)load.failed, (unsigned long long)load.calls, load.status,
		      load.text);
}

START_TEST(upgrade_in_place_drops_no_call)
{
	struct scene_client clients[CLIENTS], late;
	struct core_upgrade_request in = { .path = "" };
	struct core_node_status status;
	struct core_instance_info before, after;
	struct cell_error err = { 0 };
	pid_t pid;

	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	for (int i = 0; i < CLIENTS; i++)
		load_start(&clients[i], i == 0);
	before = scene_instance(&scene, "trial");
	pid = core_pid();
	for (unsigned i = 1; i <= 5; i++) {
		ck_assert_msg(control_call(&scene.node.client, "Upgrade", &in, &status, NULL, &err) == 0,
			      "%s", err.text);
		ck_assert_uint_eq(status.generation, i);
		ck_assert_int_eq((pid_t)status.pid, pid);
		for (int k = 0; k < CLIENTS; k++)
			load_goes_on(&clients[k]);
		load_start(&late, false); /* who comes after it is served as before */
		load_end(&late, "a client after the upgrade");
	}
	for (int i = 0; i < CLIENTS; i++)
		load_end(&clients[i], "a client under five upgrades");
	after = scene_instance(&scene, "trial");
	ck_assert_uint_eq(before.instance, after.instance);
	ck_assert_uint_eq(before.pid, after.pid);
}
END_TEST

/* ---- retiring under load ------------------------------------------------------------------------ */

static void retire(uint64_t instance)
{
	struct core_retire_request in = { .cell = "trial", .instance = instance };
	struct core_instance_info info;
	struct cell_error err = { 0 };

	ck_assert_msg(control_call(&scene.node.client, "Retire", &in, &info, NULL, &err) == 0, "%s",
		      err.text);
}

static void spawn(void)
{
	struct core_spawn_request in = { .cell = "trial" };
	struct core_instance_info info;
	struct cell_error err = { 0 };

	ck_assert_msg(control_call(&scene.node.client, "Spawn", &in, &info, NULL, &err) == 0, "%s",
		      err.text);
}

START_TEST(retiring_under_load_loses_no_call)
{
	struct scene_client plain[2], pooled;

	scene_cell(&scene, "trial", "trial", "instances = 2\nmax-instances = 4\n");
	scene_start(&scene);
	spawn();
	load_start(&plain[0], false);
	load_start(&plain[1], false);
	load_start(&pooled, true);
	for (int i = 0; i < 10; i++) {
		spawn();
		load_goes_on(&pooled);
		retire(scene_instance(&scene, "trial").instance);
		load_goes_on(&plain[0]);
		load_goes_on(&plain[1]);
	}
	load_end(&plain[0], "a client under ten retirements");
	load_end(&plain[1], "another");
	load_end(&pooled, "and a pool");
}
END_TEST

/* ---- the resolver ------------------------------------------------------------------------------- */

static void local_calls_are_quick(const char *what)
{
	uint64_t worst = 0;
	struct trial_blob blob;

	for (int i = 0; i < 20; i++) {
		struct cell_call *call = cell_open("fresh");
		uint64_t began = scene_now_ns(), took;

		ck_assert_msg(trial_once(call, &(struct trial_blob){ 0 }, &blob) == 0, "%s",
			      cell_error(call)->text);
		took = scene_now_ns() - began;
		worst = took > worst ? took : worst;
		cell_close(call);
	}
	printf("with a resolver that is %s, joining, connecting and calling took at most %.1f ms\n",
	       what, (double)worst / 1e6);
	ck_assert_uint_lt(worst, 100 * MS);
}

START_TEST(a_resolver_that_is_slow_delays_nobody)
{
	struct core_connect_request slow = { .cell = "slow" };
	struct cell_error err = { 0 };
	struct trial_blob blob;

	scene_cell(&scene, "trial", "trial", "");
	test_node_cell(&scene.node, "nucleus", "", "");
	test_node_conf(&scene.node, "resolver = nucleus\n");
	scene_start(&scene);
	scene_join(&scene);
	ck_assert_int_eq(trial_once(scene.call, &(struct trial_blob){ 0 }, &blob), 0);
	test_node_await(&scene.node, "nucleus", CORE_INSTANCE_STATE_READY, 1);
	for (int i = 0; i < 32; i++) {
		uint64_t id;

		ck_assert_int_eq(control_send(&scene.node.client, "Connect", &slow, &id, &err), 0);
	}
	local_calls_are_quick("slow");
}
END_TEST

START_TEST(a_resolver_that_is_down_delays_nobody)
{
	struct core_connect_request unknown = { .cell = "unknown" };
	struct core_connection connection;
	struct cell_error err = { 0 };
	struct trial_blob blob;
	uint64_t began;

	scene_cell(&scene, "trial", "trial", "");
	test_node_cell(&scene.node, "nucleus", "exit 1", "");
	test_node_conf(&scene.node, "resolver = nucleus\n");
	scene_start(&scene);
	scene_join(&scene);
	ck_assert_int_eq(trial_once(scene.call, &(struct trial_blob){ 0 }, &blob), 0);
	began = scene_now_ns();
	ck_assert_int_eq(control_call(&scene.node.client, "Connect", &unknown, &connection, NULL, &err),
			 CELL_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(err.text, "nucleus"));
	ck_assert_uint_lt(scene_now_ns() - began, 100 * MS);
	local_calls_are_quick("down");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("restart");
	TCase *tc = tcase_create("restart");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, killed_cellcore_takes_all_with_it_and_is_back);
	tcase_add_test(tc, killed_cellcore_with_sandboxes_too);
	tcase_add_test(tc, upgrade_in_place_drops_no_call);
	tcase_add_test(tc, retiring_under_load_loses_no_call);
	tcase_add_test(tc, a_resolver_that_is_slow_delays_nobody);
	tcase_add_test(tc, a_resolver_that_is_down_delays_nobody);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
