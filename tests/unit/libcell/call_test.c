/*
 * The rules of calls, over a ring and over a Unix stream: each test runs on both.
 */
#include "duo.h"
#include "libcell/callstate.h"
#include "trial.h"

#include <cell/defaults.h>
#include <cell/pool.h>
#include <cell/server.h>
#include <check.h>
#include <ev.h>
#include <fcntl.h>
#include <ops.cell.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const enum duo_link links[] = { DUO_RING, DUO_STREAM };
#define N_LINKS 2

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void stop_well(struct duo *duo)
{
	int status = duo_stop(duo);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "server ended with %#x", status);
}

static uint8_t *pattern(struct cell_call *call, size_t len)
{
	uint8_t *bytes = cell_arena_alloc(cell_arena(call), len + 1);

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 31 + (i >> 8) + 7);
	return bytes;
}

START_TEST(bodies_of_all_sizes_arrive_intact)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 30 * 1024 - 8, 30 * 1024, 30 * 1024 + 1,
					64 * 1024, 1024 * 1024, 16 * 1024 * 1024 - 16 };
	struct duo duo;

	duo_start(&duo, links[_i]);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct cell_arena_mark mark = cell_mark(duo.client);
		uint8_t *bytes = pattern(duo.client, sizes[i]);
		struct trial_blob out;
		int r = trial_echo(duo.client, &(struct trial_blob){ .n_data = sizes[i],
								      .data = bytes }, &out);

		ck_assert_msg(r == 0, "%zu bytes: %s", sizes[i], cell_error(duo.client)->text);
		ck_assert_uint_eq(out.n_data, sizes[i]);
		ck_assert(sizes[i] == 0 || memcmp(out.data, bytes, sizes[i]) == 0);
		cell_rewind(duo.client, mark);
	}
	stop_well(&duo);
}
END_TEST

START_TEST(body_over_the_limit_is_refused_and_the_connection_lives)
{
	size_t len = 16 * 1024 * 1024 + 1;
	struct trial_blob out;
	struct duo duo;
	int r;

	duo_start(&duo, links[_i]);
	r = trial_echo(duo.client, &(struct trial_blob){ .n_data = len,
							 .data = pattern(duo.client, len) }, &out);
	ck_assert_int_eq(r, CELL_RESOURCE_EXHAUSTED);
	ck_assert_ptr_nonnull(strstr(cell_error(duo.client)->text, "cell_payload_new"));
	ck_assert_int_eq(trial_echo(duo.client, &(struct trial_blob){ 0 }, &out), 0);
	stop_well(&duo);
}
END_TEST

START_TEST(error_keeps_its_status_and_text)
{
	struct duo duo;

	duo_start(&duo, links[_i]);
	for (int wire = 1; wire <= 16; wire++) {
		int r = trial_fail(duo.client, &(struct trial_failure){
			.status = -1000 - wire, .text = "no account with id 9" });

		ck_assert_int_eq(r, -1000 - wire);
		ck_assert_str_eq(cell_error(duo.client)->text, "no account with id 9");
	}
	stop_well(&duo);
}
END_TEST

START_TEST(every_reply_reaches_its_caller)
{
	enum { N = 100 };
	struct cell_future futures[N];
	static struct trial_ref { struct cell_ref ref; } ref = { CELL_REF("trial") };
	const struct cell_method *sleep_method = NULL;
	struct duo duo;

	for (size_t i = 0; i < trial_service.n_methods; i++)
		if (strcmp(trial_service.methods[i].name, "Sleep") == 0)
			sleep_method = &trial_service.methods[i];
	duo_start(&duo, links[_i]);
	srand(7);
	for (uint32_t i = 0; i < N; i++)
		futures[i] = cell_invoke_start(duo.client, &ref.ref, sleep_method,
					       &(struct trial_delay){ .ms = (uint64_t)(rand() % 60),
								      .tag = i });
	for (uint32_t i = 0; i < N; i++) {
		struct trial_slept out;

		ck_assert_msg(cell_invoke_wait(&futures[i], &out) == 0, "%s",
			      cell_error(duo.client)->text);
		ck_assert_uint_eq(out.tag, i);
	}
	stop_well(&duo);
}
END_TEST

START_TEST(deadline_ends_the_call_and_its_handler)
{
	struct trial_slept out;
	struct duo duo;
	uint64_t began;
	int r;

	duo_start(&duo, links[_i]);
	ck_assert_int_eq(trial_sleep(duo.client, &(struct trial_delay){ .ms = 0 }, &out), 0);
	began = now_ms();
	r = trial_sleep(cell_within_ms(duo.client, 50), &(struct trial_delay){ .ms = 5000 }, &out);
	ck_assert_int_eq(r, CELL_DEADLINE_EXCEEDED);
	ck_assert_uint_ge(now_ms() - began, 50);
	ck_assert_uint_le(now_ms() - began, 80);
	/* The handler saw it, and the connection serves on. */
	ck_assert_int_eq(cell_sleep_ms(duo.client, 20), 0);
	ck_assert_int_eq(trial_last(duo.client, &out), 0);
	ck_assert(out.cancelled);
	ck_assert_int_lt(out.status, 0);
	ck_assert_uint_le(out.left_ms, 60);
	stop_well(&duo);
}
END_TEST

START_TEST(late_reply_is_dropped_and_counted_once)
{
	struct ops_stats_report stats;
	const struct runtime *rt;
	struct trial_blob out;
	struct duo duo;

	duo_start(&duo, links[_i]);
	rt = duo.client->root->rt;
	ck_assert_int_eq(trial_once(duo.client, &(struct trial_blob){ 0 }, &out), 0);
	for (uint64_t n = 1; n <= 3; n++) {
		/* It sees request and cancel together, and has answered before it reads the latter. */
		ck_assert_int_eq(kill(duo.server_pid, SIGSTOP), 0);
		ck_assert_int_eq(trial_once(cell_within_ms(duo.client, 5),
					    &(struct trial_blob){ .n_data = 4, .data = (void *)"late" },
					    &out), CELL_DEADLINE_EXCEEDED);
		ck_assert_uint_eq(rt->stats.late, n - 1);
		ck_assert_int_eq(kill(duo.server_pid, SIGCONT), 0);
		ck_assert_int_eq(trial_once(duo.client,
					    &(struct trial_blob){ .n_data = 4, .data = (void *)"next" },
					    &out), 0);
		ck_assert_uint_eq(out.n_data, 4);
		ck_assert(memcmp(out.data, "next", 4) == 0);
		ck_assert_uint_eq(rt->stats.late, n);
		/* The server counted the cancel of a call that had ended, and tells so. */
		ck_assert_int_eq(ops_stats(cell_to(duo.client, "trial", 0), &stats), 0);
		ck_assert_uint_eq(stats.late, n);
		ck_assert_uint_eq(stats.broken_peers, 0);
	}
	ck_assert_uint_eq(rt->stats.broken_peers, 0);
	stop_well(&duo);
}
END_TEST

START_TEST(default_deadline_is_thirty_seconds)
{
	struct trial_slept out;
	struct duo duo;

	duo_start(&duo, links[_i]);
	ck_assert_int_eq(trial_sleep(duo.client, &(struct trial_delay){ .ms = 0 }, &out), 0);
	ck_assert_uint_ge(out.left_ms, 29000);
	ck_assert_uint_le(out.left_ms, 30010);
	stop_well(&duo);
}
END_TEST

START_TEST(one_way_calls_are_counted)
{
	struct trial_count count = { 0 };
	struct duo duo;

	duo_start(&duo, links[_i]);
	for (int i = 0; i < 500; i++)
		ck_assert_int_eq(trial_note_post(duo.client, &(struct trial_blob){ 0 }), 0);
	ck_assert_int_eq(trial_notes(duo.client, &count), 0);
	ck_assert_uint_eq(count.items, 500);
	stop_well(&duo);
}
END_TEST

/* What was posted has been taken: at the latest when all of it was read. */
static void await_notes(const struct duo *duo, uint64_t n)
{
	uint64_t until = now_ms() + 5000;

	while (*(const volatile uint64_t *)&duo->trial->notes < n && now_ms() < until)
		(void)usleep(500);
	ck_assert_uint_eq(duo->trial->notes, n);
}

static void post_and_close(struct duo *duo, int n)
{
	static const uint8_t bytes[200];

	for (int i = 0; i < n; i++)
		ck_assert_msg(trial_note_post(duo->client, &(struct trial_blob){
				      .n_data = sizeof bytes, .data = bytes }) == 0, "%s",
			      cell_error(duo->client)->text);
	cell_close(duo->client);
	duo->client = NULL;
}

START_TEST(closing_hands_over_what_was_posted)
{
	struct duo duo;

	duo_start(&duo, links[_i]);
	post_and_close(&duo, 1000);
	await_notes(&duo, 1000);
	stop_well(&duo);
}
END_TEST

/* The server reads nothing at first, so most of it has to wait for room. */
START_TEST(closing_waits_for_room_for_what_was_posted)
{
	struct duo duo;
	pid_t helper;
	int status;

	duo_start(&duo, links[_i]);
	ck_assert_int_eq(kill(duo.server_pid, SIGSTOP), 0);
	helper = fork();
	ck_assert_int_ge(helper, 0);
	if (helper == 0) {
		(void)usleep(50000);
		_exit(kill(duo.server_pid, SIGCONT) != 0);
	}
	post_and_close(&duo, 1000);
	ck_assert_int_eq(waitpid(helper, &status, 0), helper);
	ck_assert_int_eq(status, 0);
	await_notes(&duo, 1000);
	stop_well(&duo);
}
END_TEST

START_TEST(closing_gives_up_on_a_server_that_reads_nothing)
{
	struct trial_blob out;
	struct duo duo;
	uint64_t began;

	duo_start(&duo, links[_i]);
	ck_assert_int_eq(trial_once(duo.client, &(struct trial_blob){ 0 }, &out), 0);
	ck_assert_int_eq(kill(duo.server_pid, SIGSTOP), 0);
	began = now_ms();
	/* A socket's buffer may take in all that one may post. */
	post_and_close(&duo, 1000);
	ck_assert_uint_le(now_ms() - began, CELL_CLOSE_TIMEOUT_MS + 1000);
	ck_assert(links[_i] != DUO_RING || now_ms() - began >= CELL_CLOSE_TIMEOUT_MS);
	ck_assert_int_eq(kill(duo.server_pid, SIGCONT), 0);
	stop_well(&duo);
}
END_TEST

struct long_task {
	int status;
	bool has_begun, has_ended;
};

static void long_task(struct cell_call *call, void *userdata)
{
	struct long_task *task = userdata;
	struct trial_slept out;
	char *own = strdup("freed by the task alone");

	task->has_begun = true;
	task->status = trial_sleep(call, &(struct trial_delay){ .ms = 20000 }, &out);
	ck_assert(cell_call_is_cancelled(call));
	ck_assert_int_eq(cell_sleep_ms(call, 20000), CELL_CANCELLED);
	free(own);
	task->has_ended = true;
}

START_TEST(closing_ends_the_tasks_that_wait)
{
	struct long_task waits[3] = { 0 }, never_ran = { 0 };
	struct trial_blob out;
	struct duo duo;

	duo_start(&duo, links[_i]);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(cell_spawn_task(duo.client, long_task, &waits[i]), 0);
	while (!waits[0].has_begun || !waits[1].has_begun || !waits[2].has_begun)
		ck_assert_int_eq(cell_sleep_ms(duo.client, 1), 0);
	ck_assert_int_eq(trial_once(duo.client, &(struct trial_blob){ 0 }, &out), 0);
	ck_assert_int_eq(cell_spawn_task(duo.client, long_task, &never_ran), 0);
	stop_well(&duo);
	for (int i = 0; i < 3; i++) {
		ck_assert(waits[i].has_ended);
		ck_assert_int_eq(waits[i].status, CELL_CANCELLED);
	}
	ck_assert(never_ran.has_begun == never_ran.has_ended);
}
END_TEST

static void closing_task(struct cell_call *call, void *userdata)
{
	(void)call;
	cell_close(userdata);
}

/* It stands on what would be freed. */
START_TEST(closing_in_a_task_leaves_the_freeing_to_who_opened)
{
	struct long_task waits = { 0 };
	struct trial_blob out;
	struct duo duo;

	duo_start(&duo, links[_i]);
	ck_assert_int_eq(trial_once(duo.client, &(struct trial_blob){ 0 }, &out), 0);
	ck_assert_int_eq(cell_spawn_task(duo.client, long_task, &waits), 0);
	ck_assert_int_eq(cell_spawn_task(duo.client, closing_task, duo.client), 0);
	ck_assert_int_eq(cell_sleep_ms(duo.client, 20000), CELL_CANCELLED);
	ck_assert_int_eq(cell_spawn_task(duo.client, long_task, &waits), CELL_CANCELLED);
	stop_well(&duo);
	ck_assert(waits.has_ended);
}
END_TEST

struct meeting {
	struct cell_event came, answered;
	int status;
	unsigned n;
};

static void answering_task(struct cell_call *call, void *userdata)
{
	struct meeting *meeting = userdata;

	while (meeting->status == 0 && meeting->n < 3) {
		meeting->status = cell_event_wait(call, &meeting->came);
		meeting->n++;
		cell_event_set(&meeting->answered);
	}
}

START_TEST(event_wakes_who_waits_and_is_remembered_for_who_does_not_yet)
{
	struct meeting meeting = { .status = 0 };
	struct duo duo;

	duo_start(&duo, links[_i]);
	/* It has happened before anybody waits, and then only while somebody does. */
	cell_event_set(&meeting.came);
	ck_assert_int_eq(cell_spawn_task(duo.client, answering_task, &meeting), 0);
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(cell_event_wait(duo.client, &meeting.answered), 0);
		ck_assert_uint_eq(meeting.n, i);
		cell_event_set(&meeting.came);
	}
	ck_assert_int_eq(meeting.status, 0);
	ck_assert_int_eq(cell_event_wait(cell_within_ms(duo.client, 10), &meeting.answered),
			 CELL_DEADLINE_EXCEEDED);
	/* Nobody waits any more: it must not be touched but be kept. */
	cell_event_set(&meeting.answered);
	ck_assert_int_eq(cell_event_wait(cell_within_ms(duo.client, 1), &meeting.answered), 0);
	stop_well(&duo);
}
END_TEST

START_TEST(killed_server_fails_calls_in_flight_at_once)
{
	struct trial_slept out;
	struct duo duo;
	uint64_t began;
	int r, status;

	duo_start(&duo, links[_i]);
	began = now_ms();
	r = trial_crash(cell_within_ms(duo.client, 3000));
	ck_assert_int_eq(r, CELL_UNAVAILABLE);
	ck_assert_uint_le(now_ms() - began, 100);
	r = trial_sleep(cell_within_ms(duo.client, 300), &(struct trial_delay){ .ms = 1 }, &out);
	ck_assert_int_lt(r, 0);
	cell_close(duo.client);
	(void)waitpid(duo.server_pid, &status, 0);
	ck_assert(WIFSIGNALED(status));
}
END_TEST

START_TEST(server_stream_delivers_all_items_in_order)
{
	static const uint64_t counts[] = { 0, 1, 1000, 20000 };
	struct duo duo;

	duo_start(&duo, links[_i]);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct trial_many_cursor c = trial_many(duo.client, &(struct trial_many_request){
			.count = counts[i], .size = 100 });
		uint64_t n = 0;

		for (struct trial_blob *blob; (blob = trial_many_next(&c)); n++) {
			uint64_t number;

			ck_assert_uint_eq(blob->n_data, 100);
			memcpy(&number, blob->data, sizeof number);
			ck_assert_uint_eq(number, n);
		}
		ck_assert_msg(trial_many_end(&c) == 0, "%s", cell_error(duo.client)->text);
		ck_assert_uint_eq(n, counts[i]);
	}
	stop_well(&duo);
}
END_TEST

START_TEST(items_larger_than_the_window_pass)
{
	struct duo duo;
	struct trial_many_cursor c;
	unsigned n = 0;

	duo_start(&duo, links[_i]);
	c = trial_many(duo.client, &(struct trial_many_request){ .count = 5, .size = 1024 * 1024 });
	for (struct trial_blob *blob; (blob = trial_many_next(&c)); n++)
		ck_assert_uint_eq(blob->n_data, 1024 * 1024);
	ck_assert_msg(trial_many_end(&c) == 0, "%s", cell_error(duo.client)->text);
	ck_assert_uint_eq(n, 5);
	stop_well(&duo);
}
END_TEST

START_TEST(reader_that_stops_early_ends_the_stream)
{
	struct trial_many_cursor c;
	struct trial_count count;
	struct duo duo;

	duo_start(&duo, links[_i]);
	c = trial_many(duo.client, &(struct trial_many_request){ .count = 1u << 30, .size = 64 });
	for (int i = 0; i < 10; i++)
		ck_assert_ptr_nonnull(trial_many_next(&c));
	ck_assert_int_eq(trial_many_end(&c), 0);
	ck_assert_int_eq(trial_notes(duo.client, &count), 0);
	stop_well(&duo);
}
END_TEST

START_TEST(client_stream_is_summed)
{
	struct trial_sum_stream s;
	struct trial_count count;
	struct duo duo;

	duo_start(&duo, links[_i]);
	s = trial_sum_open(duo.client);
	for (int i = 0; i < 5000; i++)
		ck_assert_int_eq(trial_sum_send(&s, &(struct trial_blob){
			.n_data = 100, .data = (const uint8_t *)
			"0123456789012345678901234567890123456789012345678901234567890123456789"
			"012345678901234567890123456789" }), 0);
	ck_assert_int_eq(trial_sum_close(&s, &count), 0);
	ck_assert_uint_eq(count.items, 5000);
	ck_assert_uint_eq(count.bytes, 500000);
	stop_well(&duo);
}
END_TEST

START_TEST(both_sides_stream)
{
	struct trial_chat_stream s;
	struct duo duo;

	duo_start(&duo, links[_i]);
	s = trial_chat_open(duo.client);
	for (uint8_t i = 0; i < 200; i++) {
		struct trial_blob *back;

		ck_assert_int_eq(trial_chat_send(&s, &(struct trial_blob){ .n_data = 1,
									    .data = &i }), 0);
		back = trial_chat_recv(&s);
		ck_assert_ptr_nonnull(back);
		ck_assert_uint_eq(back->n_data, 1);
		ck_assert_uint_eq(back->data[0], i);
	}
	ck_assert_int_eq(trial_chat_close(&s), 0);
	stop_well(&duo);
}
END_TEST

START_TEST(unknown_methods_and_channels_get_typed_errors)
{
	static struct cell_ref ref = CELL_REF("trial");
	static const uint8_t reserved[] = { 0x04, 0x7f };
	const uint8_t *bytes;
	struct duo duo;
	size_t len;
	int r;

	duo_start(&duo, links[_i]);
	r = cell_invoke_bytes(duo.client, &ref, 0, "cell.trial.v1.Trial/Nothing", NULL, 0, &bytes,
			      &len);
	ck_assert_int_eq(r, CELL_UNIMPLEMENTED);
	for (size_t i = 0; i < sizeof reserved; i++) {
		r = cell_invoke_bytes(duo.client, &ref, reserved[i], "cell.trial.v1.Trial/Echo",
				      NULL, 0, &bytes, &len);
		ck_assert_int_eq(r, CELL_UNIMPLEMENTED);
		ck_assert_ptr_nonnull(strstr(cell_error(duo.client)->text, "reserved"));
	}
	stop_well(&duo);
}
END_TEST

START_TEST(payload_memfd_arrives_in_place)
{
	struct cell_payload *payload;
	struct trial_count count;
	struct trial_blob blob;
	struct duo duo;
	static struct cell_ref ref = CELL_REF("trial");
	const struct cell_method *digest = NULL, *make = NULL;

	for (size_t i = 0; i < trial_service.n_methods; i++) {
		if (strcmp(trial_service.methods[i].name, "Digest") == 0)
			digest = &trial_service.methods[i];
		if (strcmp(trial_service.methods[i].name, "Make") == 0)
			make = &trial_service.methods[i];
	}
	duo_start(&duo, DUO_RING);
	payload = cell_payload_new(duo.client, 64 * 1024 * 1024);
	ck_assert_ptr_nonnull(payload);
	cell_payload_data(payload)[64 * 1024 * 1024 - 8] = 42;
	ck_assert_msg(cell_invoke_payload(duo.client, &ref, digest, payload, &count) == 0, "%s",
		      cell_error(duo.client)->text);
	ck_assert_uint_eq(count.items, 1);
	ck_assert_uint_eq(count.bytes, 42);
	/* It may be sent again. */
	ck_assert_int_eq(cell_invoke_payload(duo.client, &ref, digest, payload, &count), 0);
	ck_assert_msg(cell_invoke(duo.client, &ref, make, &(struct trial_many_request){
		.size = 20 * 1024 * 1024 }, &blob) == 0, "%s", cell_error(duo.client)->text);
	ck_assert_uint_eq(blob.n_data, 20 * 1024 * 1024);
	ck_assert_uint_eq(blob.data[0], 0x5a);
	ck_assert_uint_eq(blob.data[blob.n_data - 1], 0x5a);
	stop_well(&duo);
}
END_TEST

static void on_ready(void *userdata)
{
	(*(int *)userdata)++;
}

START_TEST(future_tells_when_it_is_ready)
{
	static struct cell_ref ref = CELL_REF("trial");
	struct cell_future future;
	struct trial_blob out;
	struct duo duo;
	int told = 0;

	duo_start(&duo, links[_i]);
	future = cell_invoke_start(duo.client, &ref, &trial_service.methods[0],
				   &(struct trial_blob){ 0 });
	cell_future_notify(&future, on_ready, &told);
	ck_assert(!cell_future_is_ready(&future));
	for (int i = 0; i < 1000 && !told; i++)
		ck_assert_int_eq(cell_sleep_ms(duo.client, 1), 0);
	ck_assert_int_eq(told, 1);
	ck_assert(cell_future_is_ready(&future));
	ck_assert_int_eq(cell_invoke_wait(&future, &out), 0);
	stop_well(&duo);
}
END_TEST

static void on_tick(struct ev_loop *ev, ev_timer *timer, int events)
{
	(void)ev;
	(void)events;
	(*(int *)timer->data)++;
}

/* Timers of which libcell knows nothing: it must sleep where libev does. */
START_TEST(timers_of_the_program_fire_while_it_waits)
{
	struct trial_slept out;
	struct ev_loop *ev;
	struct duo duo;
	ev_timer timer;
	int ticks = 0;

	duo_start(&duo, links[_i]);
	ck_assert_int_eq(trial_sleep(duo.client, &(struct trial_delay){ .ms = 0 }, &out), 0);
	ev = cell_loop_ev(duo.client);
	ck_assert_ptr_nonnull(ev);
	ck_assert_ptr_eq(cell_loop_ev(duo.client), ev);
	ev_timer_init(&timer, on_tick, 0.001, 0.001);
	timer.data = &ticks;
	ev_timer_start(ev, &timer);
	ck_assert_int_eq(trial_sleep(duo.client, &(struct trial_delay){ .ms = 100 }, &out), 0);
	ck_assert_int_ge(ticks, 3);
	ev_timer_stop(ev, &timer);
	/* Deadlines and bells are seen there too. */
	ck_assert_int_eq(trial_sleep(cell_within_ms(duo.client, 20),
				     &(struct trial_delay){ .ms = 5000 }, &out),
			 CELL_DEADLINE_EXCEEDED);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(trial_sleep(duo.client, &(struct trial_delay){ .ms = 0 }, &out), 0);
	stop_well(&duo);
}
END_TEST

/* Who never reads its bell must still be woken each time. */
START_TEST(each_of_many_sleeps_ends)
{
	struct trial_blob out;
	struct duo duo;

	(void)setenv("CELL_WAKE", "sleep", 1);
	duo_start(&duo, links[_i]);
	for (int i = 0; i < 5000; i++) {
		struct cell_arena_mark mark = cell_mark(duo.client);

		ck_assert_int_eq(trial_echo(duo.client, &(struct trial_blob){ 0 }, &out), 0);
		cell_rewind(duo.client, mark);
	}
	(void)unsetenv("CELL_WAKE");
	stop_well(&duo);
}
END_TEST

/* Again and again, so that it also comes just before the server sleeps. */
START_TEST(term_ends_a_server_at_any_moment)
{
	struct trial_blob out;

	(void)setenv("CELL_WAKE", "sleep", 1);
	for (int i = 0; i < 50; i++) {
		struct duo duo;
		int status;

		duo_start(&duo, links[_i]);
		ck_assert_int_eq(trial_echo(duo.client, &(struct trial_blob){ 0 }, &out), 0);
		ck_assert_int_eq(kill(duo.server_pid, SIGTERM), 0);
		ck_assert_int_eq(waitpid(duo.server_pid, &status, 0), duo.server_pid);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		cell_close(duo.client);
	}
	(void)unsetenv("CELL_WAKE");
}
END_TEST

/*
 * libev then makes its epoll set anew, which must be waited for in place of the old one: it
 * has the socket and the lifeline.
 */
START_TEST(event_of_a_closed_descriptor_does_no_harm)
{
	struct trial_blob out;
	int ends[2], copy;
	struct duo duo;

	duo_start(&duo, links[_i]);
	ck_assert_int_eq(trial_echo(duo.client, &(struct trial_blob){ 0 }, &out), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(cell_wait_readable(cell_within_ms(duo.client, 1), ends[0]),
			 CELL_DEADLINE_EXCEEDED);
	/* Closed, but its description lives on, still in libev's set. */
	copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 100);
	ck_assert_int_ge(copy, 0);
	(void)close(ends[0]);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(cell_sleep_ms(duo.client, 1), 0);
		ck_assert_int_eq(trial_echo(cell_within_ms(duo.client, 5000),
					    &(struct trial_blob){ 0 }, &out), 0);
	}
	ck_assert_int_eq(kill(duo.server_pid, SIGKILL), 0);
	ck_assert_int_eq(trial_sleep(cell_within_ms(duo.client, 5000),
				     &(struct trial_delay){ .ms = 60000 },
				     &(struct trial_slept){ 0 }), CELL_UNAVAILABLE);
	(void)close(copy);
	(void)close(ends[1]);
	(void)duo_stop(&duo);
}
END_TEST

START_TEST(waits_for_room_or_for_what_the_other_end_says)
{
	char bytes[4096] = { 0 };
	struct trial_blob out;
	struct duo duo;
	int ends[2];

	duo_start(&duo, links[_i]);
	/* It serves before it is told to end: until then Check's own handlers would see that. */
	ck_assert_int_eq(trial_echo(duo.client, &(struct trial_blob){ 0 }, &out), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	ck_assert_int_eq(cell_wait_writable(cell_within_ms(duo.client, 5000), ends[0]), 0);
	while (write(ends[0], bytes, sizeof bytes) > 0)
		;
	ck_assert_int_eq(cell_wait_writable(cell_within_ms(duo.client, 1), ends[0]),
			 CELL_DEADLINE_EXCEEDED);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	ck_assert_int_eq(cell_wait_writable(cell_within_ms(duo.client, 5000), ends[0]), 0);
	ck_assert_int_eq(read(ends[0], bytes, 1), 1);
	while (read(ends[1], bytes, sizeof bytes) > 0)
		;
	ck_assert_int_eq(cell_wait_writable(cell_within_ms(duo.client, 5000), ends[0]), 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)duo_stop(&duo);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("call");
	TCase *tc = tcase_create("rules");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, bodies_of_all_sizes_arrive_intact, 0, N_LINKS);
	tcase_add_loop_test(tc, body_over_the_limit_is_refused_and_the_connection_lives, 0, N_LINKS);
	tcase_add_loop_test(tc, error_keeps_its_status_and_text, 0, N_LINKS);
	tcase_add_loop_test(tc, every_reply_reaches_its_caller, 0, N_LINKS);
	tcase_add_loop_test(tc, deadline_ends_the_call_and_its_handler, 0, N_LINKS);
	tcase_add_loop_test(tc, late_reply_is_dropped_and_counted_once, 0, N_LINKS);
	tcase_add_loop_test(tc, default_deadline_is_thirty_seconds, 0, N_LINKS);
	tcase_add_loop_test(tc, one_way_calls_are_counted, 0, N_LINKS);
	tcase_add_loop_test(tc, closing_hands_over_what_was_posted, 0, N_LINKS);
	tcase_add_loop_test(tc, closing_waits_for_room_for_what_was_posted, 0, N_LINKS);
	tcase_add_loop_test(tc, closing_gives_up_on_a_server_that_reads_nothing, 0, N_LINKS);
	tcase_add_loop_test(tc, closing_in_a_task_leaves_the_freeing_to_who_opened, 0, N_LINKS);
	tcase_add_loop_test(tc, event_wakes_who_waits_and_is_remembered_for_who_does_not_yet, 0, N_LINKS);
	tcase_add_loop_test(tc, closing_ends_the_tasks_that_wait, 0, N_LINKS);
	tcase_add_loop_test(tc, killed_server_fails_calls_in_flight_at_once, 0, N_LINKS);
	tcase_add_loop_test(tc, server_stream_delivers_all_items_in_order, 0, N_LINKS);
	tcase_add_loop_test(tc, items_larger_than_the_window_pass, 0, N_LINKS);
	tcase_add_loop_test(tc, reader_that_stops_early_ends_the_stream, 0, N_LINKS);
	tcase_add_loop_test(tc, client_stream_is_summed, 0, N_LINKS);
	tcase_add_loop_test(tc, both_sides_stream, 0, N_LINKS);
	tcase_add_loop_test(tc, unknown_methods_and_channels_get_typed_errors, 0, N_LINKS);
	tcase_add_test(tc, payload_memfd_arrives_in_place);
	tcase_add_loop_test(tc, future_tells_when_it_is_ready, 0, N_LINKS);
	tcase_add_loop_test(tc, timers_of_the_program_fire_while_it_waits, 0, N_LINKS);
	tcase_add_loop_test(tc, each_of_many_sleeps_ends, 0, N_LINKS);
	tcase_add_loop_test(tc, event_of_a_closed_descriptor_does_no_harm, 0, N_LINKS);
	tcase_add_loop_test(tc, waits_for_room_or_for_what_the_other_end_says, 0, N_LINKS);
	tcase_add_loop_test(tc, term_ends_a_server_at_any_moment, 0, N_LINKS);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
