/*
 * kill -9 at bad moments: a cell under its clients, a client that reads nothing, a writer
 * between two stores to its ring.
 */
#include "scene.h"

#include "libcell/callstate.h"
#include "libcell/ring.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000ull

static struct scene scene;

static void setup(void)
{
	scene_init(&scene);
}

static void teardown(void)
{
	scene_deinit(&scene);
}

/* ---- a cell dies under three clients ----------------------------------------------------- */

struct fate {
	uint64_t failed_at_ns, served_at_ns;
	int failed, served;
};

static void caller(struct cell_call *call, int out, void *userdata)
{
	struct trial_slept slept;
	struct trial_blob blob;
	struct fate fate;

	(void)userdata;
	fate.failed = trial_sleep(call, &(struct trial_delay){ .ms = 20000 }, &slept);
	fate.failed_at_ns = scene_now_ns();
	fate.served = trial_once(call, &(struct trial_blob){ 0 }, &blob);
	fate.served_at_ns = scene_now_ns();
	if (fate.served < 0)
		fprintf(stderr, "%s\n", cell_error(call)->text);
	(void)!write(out, &fate, sizeof fate);
}

static void kill_under_clients(void)
{
	struct scene_client clients[3];
	struct core_instance_info instance;
	uint64_t killed_at_ns;

	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	for (int i = 0; i < 3; i++)
		scene_client(&clients[i], caller, NULL);
	scene_join(&scene);
	scene_await_in_flight(&scene, "trial", "Sleep", 3);
	instance = scene_instance(&scene, "trial");

	killed_at_ns = scene_now_ns();
	ck_assert_int_eq(kill((pid_t)instance.pid, SIGKILL), 0);
	for (int i = 0; i < 3; i++) {
		struct fate fate;

		scene_hear(&clients[i], &fate, sizeof fate);
		scene_client_end(&clients[i]);
		printf("client %d: failed after %.1f ms, served again after %.1f ms\n", i,
		       (double)(fate.failed_at_ns - killed_at_ns) / 1e6,
		       (double)(fate.served_at_ns - killed_at_ns) / 1e6);
		ck_assert_int_eq(fate.failed, CELL_UNAVAILABLE);
		ck_assert_uint_lt(fate.failed_at_ns - killed_at_ns, 100 * MS);
		ck_assert_int_eq(fate.served, 0);
		ck_assert_uint_lt(fate.served_at_ns - killed_at_ns, 2000 * MS);
	}
	ck_assert_uint_ne(scene_instance(&scene, "trial").instance, instance.instance);
}

START_TEST(killed_cell_fails_its_calls_at_once_and_is_back)
{
	kill_under_clients();
}
END_TEST

START_TEST(killed_cell_in_a_sandbox_too)
{
	scene.node.is_sandboxed = true;
	kill_under_clients();
}
END_TEST

/* ---- a client dies with replies unread ----------------------------------------------------- */

#define UNREAD 400
#define UNREAD_BYTES (1024u * 1024)

static void glutton(struct cell_call *call, int out, void *userdata)
{
	static struct cell_ref ref = CELL_REF("trial");
	const struct cell_method *fill = userdata;
	struct trial_blob blob;

	if (trial_once(call, &(struct trial_blob){ 0 }, &blob) < 0)
		_exit(1);
	for (int i = 0; i < UNREAD; i++)
		(void)cell_invoke_start(call, &ref, fill,
					&(struct trial_many_request){ .size = UNREAD_BYTES });
	runtime_flush(call->root->rt);
	(void)!write(out, "", 1);
	for (;;)
		(void)pause();
}

static const struct cell_method *method_named(const char *name)
{
	for (size_t i = 0; i < trial_service.n_methods; i++)
		if (strcmp(trial_service.methods[i].name, name) == 0)
			return &trial_service.methods[i];
	ck_abort_msg("no method %s", name);
	return NULL;
}

/* Wait until the cell has no connection but ours. */
static void await_alone(const char *cell)
{
	uint64_t until = scene_now_ns() + SCENE_PATIENCE_MS * MS;
	uint32_t n;

	do {
		struct cell_arena_mark mark = cell_mark(scene.call);

		n = scene_stats(&scene, cell)->connections;
		cell_rewind(scene.call, mark);
	} while (n != 1 && scene_now_ns() < until);
	ck_assert_uint_eq(n, 1);
}

START_TEST(killed_client_leaves_nothing_in_the_server)
{
	struct scene_client client;
	struct ops_stats_report *stats;
	uint64_t before, under, after;
	unsigned fds;
	pid_t pid;
	char byte;

	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	/* The first round warms up what is kept on purpose. */
	for (int round = 0; round < 2; round++) {
		scene_client(&client, glutton, (void *)(uintptr_t)method_named("Fill"));
		scene_hear(&client, &byte, 1);
		if (!scene.call)
			scene_join(&scene);
		pid = (pid_t)scene_instance(&scene, "trial").pid;
		under = 0;
		/* It holds some, and not more than a stated limit of it. */
		for (uint64_t last = 1; under != last || under < 8 * UNREAD_BYTES;) {
			last = under;
			ck_assert_int_eq(cell_sleep_ms(scene.call, 20), 0);
			under = scene_memory(pid);
		}
		if (!SCENE_KEEPS_FREED)
			ck_assert_uint_le(under, 80ull * 1024 * 1024);
		ck_assert_int_eq(kill(client.pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(client.pid, NULL, 0), client.pid);
		close(client.fd);
		await_alone("trial");
		after = scene_memory(pid);
		if (round == 0) {
			before = after;
			fds = test_count_fds(pid);
		}
	}
	stats = scene_stats(&scene, "trial");
	printf("resident: %.1f MiB, with 400 MiB asked for %.1f, afterwards %.1f\n",
	       (double)before / 1048576., (double)under / 1048576., (double)after / 1048576.);
	ck_assert_uint_eq(stats->held_bytes, 0);
	ck_assert_uint_eq(stats->calls_in_flight, 1);
	if (!SCENE_KEEPS_FREED)
		ck_assert_uint_le(after, before + 2 * UNREAD_BYTES);
	ck_assert_uint_eq(test_count_fds(pid), fds);
}
END_TEST

/* A small reply and a large one unread: room for some of the rest, and not for a fragment. */
static void dawdler(struct cell_call *call, int out, void *userdata)
{
	static struct cell_ref ref = CELL_REF("trial");
	static const uint64_t sizes[] = { 100, UNREAD_BYTES };
	struct trial_blob blob;

	if (trial_once(call, &(struct trial_blob){ 0 }, &blob) < 0)
		_exit(1);
	for (int i = 0; i < 2; i++)
		(void)cell_invoke_start(call, &ref, userdata,
					&(struct trial_many_request){ .size = sizes[i] });
	runtime_flush(call->root->rt);
	(void)!write(out, "", 1);
	for (;;)
		(void)pause();
}

START_TEST(client_that_stops_reading_delays_nobody)
{
	struct scene_client client;
	struct trial_blob blob;
	uint64_t before, after;
	pid_t pid;
	char byte;

	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	scene_client(&client, dawdler, (void *)(uintptr_t)method_named("Fill"));
	scene_hear(&client, &byte, 1);
	scene_join(&scene);
	for (int i = 0; i < 50; i++)
		ck_assert_msg(trial_once(cell_within_ms(scene.call, 1000), &(struct trial_blob){ 0 },
					 &blob) == 0, "%s", cell_error(scene.call)->text);
	/* And what cannot leave now is waited for asleep. */
	pid = (pid_t)scene_instance(&scene, "trial").pid;
	before = scene_cpu_ns(pid);
	ck_assert_int_eq(cell_sleep_ms(scene.call, 300), 0);
	after = scene_cpu_ns(pid);
	ck_assert_uint_lt(after - before, 20 * MS);
	ck_assert_int_eq(kill(client.pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(client.pid, NULL, 0), client.pid);
	close(client.fd);
	await_alone("trial");
}
END_TEST

/* ---- a writer dies between reserve and publish --------------------------------------------- */

static void half_writer(struct cell_call *call, int out, void *userdata)
{
	struct trial_blob blob;
	struct connection *conn;
	bool broken;
	uint8_t *at;

	(void)userdata;
	if (trial_once(call, &(struct trial_blob){ 0 }, &blob) < 0)
		_exit(1);
	conn = list_entry(call->root->rt->connections.next, struct connection, all);
	while (conn->role != CONNECTION_CLIENT)
		conn = list_entry(conn->all.next, struct connection, all);
	at = ring_reserve(&conn->link.ring, 64, &broken);
	if (!at)
		_exit(1);
	memset(at, 0xa5, 40); /* the header, and the body begun */
	(void)!write(out, "", 1);
	for (;;)
		(void)pause();
}

START_TEST(writer_killed_between_reserve_and_publish_is_noticed)
{
	struct scene_client client;
	struct ops_stats_report *stats;
	struct trial_blob blob;
	char byte;

	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	scene_client(&client, half_writer, NULL);
	scene_hear(&client, &byte, 1);
	scene_join(&scene);
	ck_assert_uint_eq(scene_stats(&scene, "trial")->connections, 2);
	ck_assert_int_eq(kill(client.pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(client.pid, NULL, 0), client.pid);
	close(client.fd);
	await_alone("trial");
	stats = scene_stats(&scene, "trial");
	/* Dying is no breach of the rules, and nobody else noticed. */
	ck_assert_uint_eq(stats->broken_peers, 0);
	ck_assert_int_eq(trial_once(scene.call, &(struct trial_blob){ 0 }, &blob), 0);
}
END_TEST

/* The other way round: the server dies in the middle of writing its reply. */
START_TEST(server_killed_in_a_reply_is_replaced)
{
	static struct cell_ref ref = CELL_REF("trial");
	struct cell_future future;
	struct trial_blob blob;
	uint64_t began;

	scene_cell(&scene, "trial", "trial", "");
	scene_start(&scene);
	scene_join(&scene);
	ck_assert_int_eq(trial_once(scene.call, &(struct trial_blob){ 0 }, &blob), 0);
	for (int i = 0; i < 3; i++) {
		/* 16 MiB, of which some fragments have come. */
		future = cell_invoke_start(scene.call, &ref, method_named("Fill"),
					   &(struct trial_many_request){ .size = 15u << 20 });
		ck_assert_int_eq(cell_sleep_ms(scene.call, 1), 0);
		began = scene_now_ns();
		ck_assert_int_eq(kill((pid_t)scene_instance(&scene, "trial").pid, SIGKILL), 0);
		(void)cell_invoke_wait(&future, &blob);
		ck_assert_uint_lt(scene_now_ns() - began, 100 * MS);
		ck_assert_msg(trial_once(cell_within_ms(scene.call, 2000), &(struct trial_blob){ 0 },
					 &blob) == 0, "%s", cell_error(scene.call)->text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kill");
	TCase *tc = tcase_create("kill");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, killed_cell_fails_its_calls_at_once_and_is_back);
	tcase_add_test(tc, killed_cell_in_a_sandbox_too);
	tcase_add_test(tc, killed_client_leaves_nothing_in_the_server);
	tcase_add_test(tc, client_that_stops_reading_delays_nobody);
	tcase_add_test(tc, writer_killed_between_reserve_and_publish_is_noticed);
	tcase_add_test(tc, server_killed_in_a_reply_is_replaced);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
