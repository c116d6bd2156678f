/*
 * Calls through a real node: deadlines that travel on, cells that call each other, many at
 * a time, and large ones beside small ones.
 */
#include "libcell/callstate.h"
#include "libcell/frame.h"
#include "scene.h"

#include "libcell/callstate.h"

#include <cell/payload.h>
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <unistd.h>

#define MS 1000000ull
#define MIB (1024ull * 1024)

static struct scene scene;

/* Two cells that may call each other. */
static void setup(void)
{
	scene_init(&scene);
	scene_cell(&scene, "trial", "other", "[uses]\nother = app\n");
	scene_cell(&scene, "other", "trial", "[uses]\ntrial = app\n");
	scene_start(&scene);
	scene_join(&scene);
}

static void teardown(void)
{
	scene_deinit(&scene);
}

static const struct cell_method *method_named(const char *name)
{
	for (size_t i = 0; i < trial_service.n_methods; i++)
		if (strcmp(trial_service.methods[i].name, name) == 0)
			return &trial_service.methods[i];
	ck_abort_msg("no method %s", name);
	return NULL;
}

#define must(r) ck_assert_msg((r) == 0, "%s", cell_error(scene.call)->text)

START_TEST(a_hundred_replies_reach_their_callers)
{
	enum { N = 100 };
	static struct cell_ref ref = CELL_REF("trial");
	struct cell_future futures[N];

	srand(11);
	for (uint32_t i = 0; i < N; i++)
		futures[i] = cell_invoke_start(scene.call, &ref, method_named("Sleep"),
					       &(struct trial_delay){ .ms = (uint64_t)(rand() % 100),
								      .tag = i });
	for (uint32_t i = 0; i < N; i++) {
		struct trial_slept out;

		must(cell_invoke_wait(&futures[i], &out));
		ck_assert_uint_eq(out.tag, i);
	}
}
END_TEST

START_TEST(a_deadline_travels_on_and_ends_all_of_it)
{
	struct trial_slept out;
	uint64_t began, took;

	/* A nested call that fits: it had what was left. */
	must(trial_nested(cell_within_ms(scene.call, 3000), &(struct trial_delay){ .ms = 1 }, &out));
	/* Two ticks of the kernel's a hop at most: none ends early, by whichever clock. */
	ck_assert_uint_le(out.nested_left_ms, 3000 + 2 * 2 * 4);
	ck_assert_uint_ge(out.nested_left_ms, 2000);
	/* One that does not: both handlers see the end. */
	began = scene_now_ns();
	ck_assert_int_eq(trial_nested(cell_within_ms(scene.call, 50),
				      &(struct trial_delay){ .ms = 5000 }, &out),
			 CELL_DEADLINE_EXCEEDED);
	took = scene_now_ns() - began;
	printf("a deadline of 50 ms on 5 s, two cells deep: %.1f ms\n", (double)took / 1e6);
	ck_assert_uint_ge(took, 50 * MS);
	ck_assert_uint_le(took, 80 * MS);
	scene_await_in_flight(&scene, "other", "Sleep", 0);
	scene_await_in_flight(&scene, "trial", "Nested", 0);
	must(trial_last(cell_to(scene.call, "other", 0), &out));
	ck_assert(out.cancelled);
	ck_assert_uint_le(out.left_ms, 50 + 2 * 2 * 4);
	must(trial_last(scene.call, &out));
	ck_assert(out.cancelled);
}
END_TEST

START_TEST(late_reply_is_dropped_and_counted)
{
	enum { N = 5 };
	struct ops_stats_report *stats;
	struct trial_blob out;
	pid_t pid;

	must(trial_once(scene.call, &(struct trial_blob){ 0 }, &out));
	pid = (pid_t)scene_instance(&scene, "trial").pid;
	for (int i = 0; i < N; i++) {
		/* It does not look until nobody waits any more, and answers all the same. */
		ck_assert_int_eq(kill(pid, SIGSTOP), 0);
		ck_assert_int_eq(trial_once(cell_within_ms(scene.call, 5),
					    &(struct trial_blob){ .n_data = 4, .data = (void *)"late" },
					    &out), CELL_DEADLINE_EXCEEDED);
		ck_assert_int_eq(kill(pid, SIGCONT), 0);
		must(trial_once(scene.call, &(struct trial_blob){ .n_data = 4, .data = (void *)"next" },
				&out));
		ck_assert_uint_eq(out.n_data, 4);
		ck_assert(memcmp(out.data, "next", 4) == 0);
	}
	ck_assert_uint_eq(scene.call->root->rt->stats.late, N);
	/* The cell counted the cancels of calls that had ended. */
	stats = scene_stats(&scene, "trial");
	ck_assert_uint_eq(stats->late, N);
	ck_assert_uint_eq(stats->broken_peers, 0);
}
END_TEST

static void post_and_leave(struct cell_call *call, int out, void *userdata)
{
	static const uint8_t bytes[200];
	int r = 0;

	(void)userdata;
	for (int i = 0; i < 1000 && r == 0; i++)
		r = trial_note_post(call, &(struct trial_blob){ .n_data = sizeof bytes, .data = bytes });
	cell_close(call);
	(void)!write(out, &r, sizeof r);
	_exit(0);
}

START_TEST(what_was_posted_before_an_orderly_end_arrives)
{
	uint64_t until = scene_now_ns() + SCENE_PATIENCE_MS * MS;
	struct scene_client client;
	struct trial_count count = { 0 };
	int r;

	scene_client(&client, post_and_leave, NULL);
	scene_hear(&client, &r, sizeof r);
	ck_assert_int_eq(r, 0);
	scene_client_end(&client);
	while (count.items < 1000 && scene_now_ns() < until)
		must(trial_notes(scene.call, &count));
	ck_assert_uint_eq(count.items, 1000);
	must(trial_notes(scene.call, &count));
	ck_assert_uint_eq(count.items, 1000);
}
END_TEST

START_TEST(a_calls_b_calls_a)
{
	static const uint8_t depth[20];
	struct trial_blob out;

	for (size_t n = 0; n <= sizeof depth; n++)
		must(trial_forth(scene.call, &(struct trial_blob){ .n_data = n, .data = depth }, &out));
}
END_TEST

/* ---- large ones ---------------------------------------------------------------------------- */

static uint64_t sum_of(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof word);
		sum = (sum << 1 | sum >> 63) ^ word;
	}
	return sum;
}

static void fill(uint8_t *bytes, size_t len)
{
	uint64_t word = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < len; i++) {
		if (i % 8 == 0)
			word = word * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)(word >> (i % 8 * 8));
	}
}

START_TEST(copied_bodies_arrive_intact)
{
	static const size_t sizes[] = { 0, 1, 64 * 1024, MIB, 16 * MIB - 16 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct cell_arena_mark mark = cell_mark(scene.call);
		uint8_t *bytes = cell_arena_alloc(cell_arena(scene.call), sizes[i] + 1);
		struct trial_blob out;

		fill(bytes, sizes[i]);
		must(trial_once(scene.call, &(struct trial_blob){ .n_data = sizes[i], .data = bytes },
				&out));
		ck_assert_uint_eq(out.n_data, sizes[i]);
		ck_assert(sizes[i] == 0 || memcmp(out.data, bytes, sizes[i]) == 0);
		cell_rewind(scene.call, mark);
	}
}
END_TEST

static void send_payload(size_t size)
{
	static struct cell_ref ref = CELL_REF("trial");
	struct cell_payload *payload = cell_payload_new(scene.call, size);
	struct trial_count count;
	uint64_t began, sum;

	ck_assert_msg(payload != NULL, "%s", cell_error(scene.call)->text);
	fill(cell_payload_data(payload), size);
	sum = sum_of(cell_payload_data(payload), size);
	began = scene_now_ns();
	must(cell_invoke_payload(scene.call, &ref, method_named("Digest"), payload, &count));
	printf("a payload of %zu bytes, summed there: %.1f ms\n", size,
	       (double)(scene_now_ns() - began) / 1e6);
	ck_assert_uint_eq(count.items, 1);
	ck_assert_uint_eq(count.bytes, sum);
	cell_payload_free(payload);
}

START_TEST(payloads_arrive_intact)
{
	static const size_t sizes[] = { 1, 8, 64 * 1024, MIB, 16 * MIB, 100 * MIB };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		send_payload(sizes[i]);
}
END_TEST

/* A client of the Unix stream that anybody may connect to; calls of "trial" go over it. */
static struct cell_call *stream_client(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct cell_peer peer = { .cell = "trial", .node = "", .principal = "" };
	struct cell_call *call = cell_open("outside");
	struct connection *conn;
	struct cell_error err;
	struct link link;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	int len = snprintf(at.sun_path, sizeof at.sun_path, "%s/cells/trial.sock", scene.node.rundir);

	ck_assert_int_lt(len, (int)sizeof at.sun_path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(link_open_socket(&link, LINK_STREAM, fd, &err), 0);
	ck_assert_int_eq(connection_new(&conn, call->root->rt, &link, CONNECTION_CLIENT, &peer, &err),
			 0);
	memset(conn->channels, 0xff, sizeof conn->channels);
	ck_assert_int_eq(runtime_set_target(call->root->rt, "trial", conn), 0);
	return call;
}

/* Over the message limit, to a cell in its sandbox and back: both programs see payloads. */
START_TEST(payloads_cross_a_stream)
{
	static const size_t sizes[] = { 1, MIB, 17 * MIB, 100 * MIB };
	static struct cell_ref ref = CELL_REF("trial");
	struct cell_call *outside = stream_client();

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct cell_payload *payload = cell_payload_new(outside, sizes[i]);
		struct trial_count count;
		struct trial_blob blob;
		uint64_t sum;

		ck_assert_msg(payload != NULL, "%s", cell_error(outside)->text);
		fill(cell_payload_data(payload), sizes[i]);
		sum = sum_of(cell_payload_data(payload), sizes[i]);
		ck_assert_msg(cell_invoke_payload(outside, &ref, method_named("Digest"), payload,
						  &count) == 0,
			      "%zu bytes: %s", sizes[i], cell_error(outside)->text);
		ck_assert_uint_eq(count.items, 1);
		ck_assert_uint_eq(count.bytes, sum);
		cell_payload_free(payload);
		ck_assert_msg(trial_make(outside, &(struct trial_many_request){ .size = sizes[i] },
					 &blob) == 0,
			      "%zu bytes: %s", sizes[i], cell_error(outside)->text);
		ck_assert_uint_eq(blob.n_data, sizes[i]);
		ck_assert_uint_eq(blob.data[sizes[i] - 1], 0x5a);
	}
	cell_close(outside);
}
END_TEST

START_TEST(payload_of_a_gib_arrives_intact)
{
	struct sysinfo info;

	ck_assert_int_eq(sysinfo(&info), 0);
	if ((uint64_t)(info.freeram + info.bufferram) * info.mem_unit < 1536 * MIB) {
		fprintf(stderr, "SKIPPED: a payload of 1 GiB: less than 1.5 GiB of memory is free\n");
		return;
	}
	send_payload(1024 * MIB);
	ck_assert_ptr_null(cell_payload_new(scene.call, 1024 * MIB + 1));
	ck_assert_int_eq(cell_error(scene.call)->code, CELL_RESOURCE_EXHAUSTED);
}
END_TEST

START_TEST(body_over_the_limit_costs_only_itself)
{
	size_t len = 16 * MIB + 1;
	uint8_t *bytes = cell_arena_calloc(cell_arena(scene.call), 1, len);
	struct ops_stats_report *stats;
	struct trial_blob out;

	ck_assert_int_eq(trial_once(scene.call, &(struct trial_blob){ .n_data = len, .data = bytes },
				    &out), CELL_RESOURCE_EXHAUSTED);
	ck_assert_ptr_nonnull(strstr(cell_error(scene.call)->text, "cell_payload_new"));
	/* A reply over the limit, too. */
	ck_assert_int_eq(trial_fill(scene.call, &(struct trial_many_request){ .size = len }, &out),
			 CELL_RESOURCE_EXHAUSTED);
	must(trial_once(scene.call, &(struct trial_blob){ 0 }, &out));
	stats = scene_stats(&scene, "trial");
	ck_assert_uint_eq(stats->connections, 1);
	ck_assert_uint_eq(stats->broken_peers, 0);
}
END_TEST

START_TEST(small_calls_pass_large_ones)
{
	enum { LARGE = 16, SMALL = 200 };
	static struct cell_ref ref = CELL_REF("trial");
	struct cell_future large[LARGE];
	size_t len = 15 * MIB;
	uint8_t *bytes = cell_arena_calloc(cell_arena(scene.call), 1, len);
	uint64_t began = scene_now_ns(), worst = 0, all;
	struct trial_blob out;
	unsigned left = 0;

	for (int i = 0; i < LARGE; i++)
		large[i] = cell_invoke_start(scene.call, &ref, method_named("Once"),
					     &(struct trial_blob){ .n_data = len, .data = bytes });
	for (int i = 0; i < SMALL; i++) {
		uint64_t one = scene_now_ns();

		must(trial_once(scene.call, &(struct trial_blob){ .n_data = 8, .data = bytes }, &out));
		one = scene_now_ns() - one;
		worst = one > worst ? one : worst;
		if (i == 0)
			for (int k = 0; k < LARGE; k++)
				left += !cell_future_is_ready(&large[k]);
	}
	for (int i = 0; i < LARGE; i++)
		must(cell_invoke_wait(&large[i], &out));
	all = scene_now_ns() - began;
	printf("240 MiB each way in %.0f ms; the worst of 200 small calls beside them: %.1f ms\n",
	       (double)all / 1e6, (double)worst / 1e6);
	ck_assert_uint_ge(left, LARGE / 2);
	/* One after the other they would each wait for what is before them. */
	ck_assert_uint_lt(worst, all / 4);
}
END_TEST

/* The flags of the first request of Once that is seen, and how many bytes stand before it. */
static void tap_one_request(struct cell_call *call, int out, void *userdata)
{
	struct ops_tap_cursor frames = ops_tap(
		cell_to(call, "trial", 0),
		&(struct ops_tap_request){ .method = method_named("Once")->full_name });
	const struct ops_tap_frame *frame = NULL;

	(void)userdata;
	while ((frame = ops_tap_next(&frames)) && frame->kind != FRAME_REQUEST)
		;
	(void)!write(out, &(uint32_t[]){ frame && frame->has_flags, frame ? frame->flags : 0,
					 frame ? (uint32_t)frame->n_body : 0 },
		     3 * sizeof(uint32_t));
}

START_TEST(tap_tells_that_metadata_stands_before_a_body)
{
	static const uint8_t trace[FRAME_TRACE_SIZE] = { 1, 2, 3 };

	for (int traced = 0; traced < 2; traced++) {
		struct scene_client tap;
		struct trial_blob out;
		uint32_t seen[3];

		cell_call_set_trace(scene.call, traced ? trace : NULL);
		scene_client(&tap, tap_one_request, NULL);
		do
			must(trial_once(scene.call, &(struct trial_blob){ 0 }, &out));
		while (poll(&(struct pollfd){ .fd = tap.fd, .events = POLLIN }, 1, 1) == 0);
		scene_hear(&tap, seen, sizeof seen);
		ck_assert_uint_eq(seen[0], true);
		ck_assert_uint_eq(seen[1] & FRAME_FLAG_METADATA, traced ? FRAME_FLAG_METADATA : 0);
		ck_assert_uint_eq(seen[2] > 0, traced);
		scene_client_end(&tap);
	}
}
END_TEST

/* A tap that stops before it has read all, and goes on when it is told to. */
static void tap_and_stop(struct cell_call *call, int out, void *userdata)
{
	struct ops_tap_cursor frames =
		ops_tap(cell_to(call, "trial", 0), &(struct ops_tap_request){ 0 });
	uint64_t missed = !ops_tap_next(&frames);

	(void)userdata;
	(void)!write(out, &missed, sizeof missed);
	(void)raise(SIGSTOP);
	for (const struct ops_tap_frame *frame; !missed && (frame = ops_tap_next(&frames));)
		missed = frame->missed;
	(void)!write(out, &missed, sizeof missed);
}

START_TEST(tap_that_is_not_read_misses_frames_and_costs_little)
{
	enum { N = 40000 };
	struct trial_blob out;
	struct scene_client tap;
	uint64_t memory, missed;
	pid_t pid;

	must(trial_once(scene.call, &(struct trial_blob){ 0 }, &out));
	pid = (pid_t)scene_instance(&scene, "trial").pid;
	scene_client(&tap, tap_and_stop, NULL);
	do
		must(trial_once(scene.call, &(struct trial_blob){ 0 }, &out));
	while (poll(&(struct pollfd){ .fd = tap.fd, .events = POLLIN }, 1, 1) == 0);
	scene_hear(&tap, &missed, sizeof missed);
	ck_assert_uint_eq(missed, 0);
	memory = scene_memory(pid);
	for (int i = 0; i < N; i++) {
		struct cell_arena_mark mark = cell_mark(scene.call);

		must(trial_once(scene.call, &(struct trial_blob){ 0 }, &out));
		cell_rewind(scene.call, mark);
	}
	if (!SCENE_KEEPS_FREED)
		ck_assert_uint_lt(scene_memory(pid), memory + 4 * MIB);
	ck_assert_int_eq(kill(tap.pid, SIGCONT), 0);
	must(trial_once(scene.call, &(struct trial_blob){ 0 }, &out));
	/* Frames that were not copied are told by the next that is: there must be one. */
	while (poll(&(struct pollfd){ .fd = tap.fd, .events = POLLIN }, 1, 1) == 0)
		must(trial_once(scene.call, &(struct trial_blob){ 0 }, &out));
	scene_hear(&tap, &missed, sizeof missed);
	ck_assert_uint_gt(missed, N);
	scene_client_end(&tap);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("call");
	TCase *tc = tcase_create("node");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_hundred_replies_reach_their_callers);
	tcase_add_test(tc, a_deadline_travels_on_and_ends_all_of_it);
	tcase_add_test(tc, late_reply_is_dropped_and_counted);
	tcase_add_test(tc, what_was_posted_before_an_orderly_end_arrives);
	tcase_add_test(tc, a_calls_b_calls_a);
	tcase_add_test(tc, copied_bodies_arrive_intact);
	tcase_add_test(tc, payloads_arrive_intact);
	tcase_add_test(tc, payloads_cross_a_stream);
	tcase_add_test(tc, payload_of_a_gib_arrives_intact);
	tcase_add_test(tc, body_over_the_limit_costs_only_itself);
	tcase_add_test(tc, small_calls_pass_large_ones);
	tcase_add_test(tc, tap_tells_that_metadata_stands_before_a_body);
	tcase_add_test(tc, tap_that_is_not_read_misses_frames_and_costs_little);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
