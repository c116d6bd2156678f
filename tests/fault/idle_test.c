/*
 * What is idle costs nothing, and what is closed leaves nothing.
 */
#include "libcell/task.h"
#include "core.cell.h"
#include "scene.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS 1000000ull
#define CELLS 20

static struct scene scene;

static void setup(void)
{
	scene_init(&scene);
}

static void teardown(void)
{
	scene_deinit(&scene);
}

static int echo(struct cell_call *call, const char *cell)
{
	struct cell_arena_mark mark = cell_mark(call);
	struct trial_blob blob;
	int r = trial_once(cell_to(call, cell, 0), &(struct trial_blob){ 0 }, &blob);

	cell_rewind(call, mark);
	return r;
}

#define must(r) ck_assert_msg((r) == 0, "%s", cell_error(scene.call)->text)

START_TEST(twenty_idle_cells_are_never_woken)
{
	char names[CELLS][16];
	pid_t pids[CELLS + 1];
	uint64_t sleeps[CELLS + 1], cpu[CELLS + 1], first[CELLS], woken = 0, used = 0, core, worst = 0, median;
	unsigned n = 0;

	for (int i = 0; i < CELLS; i++) {
		snprintf(names[i], sizeof names[i], "idle-%d", i);
		scene_cell(&scene, names[i], "trial", "start = boot\n");
	}
	scene_start(&scene);
	scene_join(&scene);
	for (int i = 0; i < CELLS; i++)
		(void)scene_instance(&scene, names[i]);
	/* Each has served something, and has a client that stays. */
	for (int i = 0; i < CELLS; i++) {
		for (int k = 0; k < 10; k++)
			must(echo(scene.call, names[i]));
		pids[n++] = (pid_t)scene_instance(&scene, names[i]).pid;
	}
	pids[n++] = scene.node.pid;
	/* Buffers are given back a second later, once. */
	(void)sleep(3);
	for (unsigned i = 0; i < n; i++) {
		sleeps[i] = scene_sleeps(pids[i]);
		cpu[i] = scene_cpu_ns(pids[i]);
	}
	(void)sleep(10);
	for (unsigned i = 0; i < CELLS; i++) {
		woken += scene_sleeps(pids[i]) - sleeps[i];
		used += scene_cpu_ns(pids[i]) - cpu[i];
	}
	core = scene_sleeps(pids[CELLS]) - sleeps[CELLS];
	for (int i = 0; i < CELLS; i++) {
		uint64_t began = scene_now_ns();

		must(echo(scene.call, names[i]));
		first[i] = scene_now_ns() - began;
		worst = first[i] > worst ? first[i] : worst;
	}
	for (int i = 0; i < CELLS; i++)
		for (int k = i + 1; k < CELLS; k++)
			if (first[k] < first[i]) {
				uint64_t swap = first[i];

				first[i] = first[k];
				first[k] = swap;
			}
	median = first[CELLS / 2];
	printf("20 cells, 10 s: %llu wake-ups, %llu ns of CPU, cellcore %llu wake-ups; the first call "
	       "after that takes %.0f us (median), %.0f (worst)\n", (unsigned long long)woken,
	       (unsigned long long)used, (unsigned long long)core, (double)median / 1e3, (double)worst / 1e3);
	ck_assert_uint_eq(woken, 0);
	ck_assert_uint_eq(used, 0);
	/* Not even for the time-outs of their starts, which would fall due just then. */
	ck_assert_uint_eq(core, 0);
	ck_assert_uint_lt(first[CELLS / 2], 1 * MS); /* 200 us where nothing else runs */
}
END_TEST

/* Mappings of process PID that look like the guard of a stack. */
static unsigned stacks_mapped(pid_t pid)
{
	unsigned long from, to;
	char path[64], line[512];
	unsigned n = 0;
	FILE *maps;

	(void)snprintf(path, sizeof path, "/proc/%ld/maps", (long)pid);
	maps = fopen(path, "re");
	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && strstr(line, " ---p ") &&
		    to - from == TASK_GUARD_SIZE)
			n++;
	(void)fclose(maps);
	return n;
}

static const struct cell_method *sleep_method(void)
{
	for (size_t i = 0; i < trial_service.n_methods; i++)
		if (strcmp(trial_service.methods[i].name, "Sleep") == 0)
			return &trial_service.methods[i];
	return NULL;
}

START_TEST(a_burst_of_waiting_handlers_leaves_no_stacks)
{
	enum { N = 200 };
	static struct cell_ref ref = CELL_REF("trial");
	struct cell_future futures[N];
	struct trial_slept out;
	uint64_t sleeps;
	unsigned before;
	pid_t pid;

	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	scene_join(&scene);
	must(echo(scene.call, "trial"));
	pid = (pid_t)scene_instance(&scene, "trial").pid;
	before = stacks_mapped(pid);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < N; i++)
			futures[i] = cell_invoke_start(scene.call, &ref, sleep_method(),
						       &(struct trial_delay){ .ms = 500 });
		/* Their memory is there, and used, while they wait. */
		for (int i = 0; i < 1000 && stacks_mapped(pid) < before + N; i++)
			ck_assert_int_eq(cell_sleep_ms(scene.call, 1), 0);
		ck_assert_uint_ge(stacks_mapped(pid), before + N);
		for (uint32_t i = 0; i < N; i++)
			must(cell_invoke_wait(&futures[i], &out));
		/* Nobody says anything to it from here on. */
		for (int i = 0; i < 3000 && stacks_mapped(pid) > before + TASK_PARKED_KEPT; i++)
			(void)usleep(1000);
		ck_assert_uint_le(stacks_mapped(pid), before + TASK_PARKED_KEPT);
	}
	/* What is left to give back is given back a second later, once. */
	(void)sleep(2);
	sleeps = scene_sleeps(pid);
	(void)sleep(2);
	ck_assert_uint_eq(scene_sleeps(pid), sleeps);
}
END_TEST

static uint32_t clients_now(void)
{
	struct core_node_status status;

	must(core_status(scene.call, &status));
	return status.clients;
}

/* cellcore sees a client's end when it comes to it. */
static void await_clients(uint32_t n)
{
	while (clients_now() != n)
		;
}

START_TEST(a_thousand_connections_leave_nothing)
{
	unsigned own, theirs, core;
	uint32_t clients;
	uint64_t memory;
	pid_t pid;

	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	scene_join(&scene);
	must(echo(scene.call, "trial"));
	pid = (pid_t)scene_instance(&scene, "trial").pid;
	own = theirs = core = 0;
	memory = 0;
	clients = clients_now();
	for (int i = 0; i < 1100; i++) {
		struct cell_call *call = cell_open("fresh");
		int r = echo(call, "trial");

		ck_assert_msg(r == 0, "round %d: %s", i, cell_error(call)->text);
		cell_close(call);
		if (i != 99)
			continue;
		while (scene_stats(&scene, "trial")->connections != 1)
			must(echo(scene.call, "trial"));
		await_clients(clients);
		own = test_count_fds(getpid());
		theirs = test_count_fds(pid);
		core = test_count_fds(scene.node.pid);
		memory = scene_memory(pid);
	}
	while (scene_stats(&scene, "trial")->connections != 1)
		must(echo(scene.call, "trial"));
	ck_assert_uint_eq(test_count_fds(getpid()), own);
	ck_assert_uint_eq(test_count_fds(pid), theirs);
	await_clients(clients);
	ck_assert_uint_eq(test_count_fds(scene.node.pid), core);
	if (!SCENE_KEEPS_FREED)
		ck_assert_uint_le(scene_memory(pid), memory + 512 * 1024);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idle");
	TCase *tc = tcase_create("idle");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, twenty_idle_cells_are_never_woken);
	tcase_add_test(tc, a_burst_of_waiting_handlers_leaves_no_stacks);
	tcase_add_test(tc, a_thousand_connections_leave_nothing);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
