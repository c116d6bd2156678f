/*
 * No allocation on the message path; and whichever allocation fails, nothing but the call
 * that needed it.
 */
#include "duo.h"
#include "trial.h"

#include <check.h>
#include <errno.h>
#include <ev.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WARM_UP 2000
#define CALLS 10000

/* In memory that both processes share: [0] is the client's, [1] the server's. */
struct counts {
	_Atomic uint64_t allocations[2];
	_Atomic uint64_t fail_at[2]; /* the number of the allocation that fails; 0 = none */
};

static struct counts *counts;
static pid_t first_pid;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* Sanitizers bring an allocator of their own: then the count is for those without. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_COUNTED 0
#else
#define IS_COUNTED 1

static bool may_allocate(void)
{
	uint64_t n;
	int side;

	if (!counts)
		return true;
	side = getpid() != first_pid;
	n = atomic_fetch_add(&counts->allocations[side], 1) + 1;
	if (n != atomic_load(&counts->fail_at[side]))
		return true;
	errno = ENOMEM;
	return false;
}

/* libev knows no failure: it ends the process, and cellcore starts the cell again. */
static void *allocate_for_ev(void *old, long size)
{
	if (size)
		return __libc_realloc(old, (size_t)size);
	free(old);
	return NULL;
}

void *malloc(size_t size)
{
	return may_allocate() ? __libc_malloc(size) : NULL;
}

void *calloc(size_t n, size_t size)
{
	return may_allocate() ? __libc_calloc(n, size) : NULL;
}

void *realloc(void *old, size_t size)
{
	return may_allocate() ? __libc_realloc(old, size) : NULL;
}
#endif

static void setup(void)
{
	(void)setenv("CELL_LOG", "err", 1);
#if IS_COUNTED
	ev_set_allocator(allocate_for_ev);
#endif
	counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(counts != MAP_FAILED);
	first_pid = getpid();
}

static void teardown(void)
{
	(void)munmap(counts, sizeof *counts);
	counts = NULL;
}

static const enum duo_link links[] = { DUO_RING, DUO_STREAM };
static const uint8_t body[] = "sixty-four bytes of a body, which is about what one sends, mostly";

static int call_once(struct cell_call *call)
{
	struct cell_arena_mark mark = cell_mark(call);
	struct trial_blob out;
	int r = trial_once(call, &(struct trial_blob){ .n_data = 64, .data = body }, &out);

	if (r == 0 && (out.n_data != 64 || memcmp(out.data, body, 64) != 0))
		r = CELL_DATA_LOSS;
	cell_rewind(call, mark);
	return r;
}

START_TEST(ten_thousand_calls_allocate_nothing)
{
	uint64_t client, server;
	struct duo duo;

	duo_start(&duo, links[_i]);
	for (int i = 0; i < WARM_UP; i++)
		ck_assert_int_eq(call_once(duo.client), 0);
	client = atomic_load(&counts->allocations[0]);
	server = atomic_load(&counts->allocations[1]);
	for (int i = 0; i < CALLS; i++)
		if (call_once(duo.client) < 0)
			ck_abort_msg("%s", cell_error(duo.client)->text);
	ck_assert_uint_eq(atomic_load(&counts->allocations[0]) - client, 0);
	ck_assert_uint_eq(atomic_load(&counts->allocations[1]) - server, 0);
	ck_assert(!IS_COUNTED || (client > 0 && server > 0));
	ck_assert_int_eq(duo_stop(&duo), 0);
}
END_TEST

START_TEST(one_way_calls_allocate_nothing)
{
	uint64_t client, server;
	struct trial_count out;
	struct duo duo;

	duo_start(&duo, links[_i]);
	for (int round = 0; round < 2; round++) {
		client = atomic_load(&counts->allocations[0]);
		server = atomic_load(&counts->allocations[1]);
		for (int i = 0; i < CALLS; i++) {
			struct cell_arena_mark mark = cell_mark(duo.client);

			/* Not each by an assertion: those allocate. */
			if (trial_note_post(duo.client, &(struct trial_blob){ 0 }) < 0 ||
			    (i % 16 == 15 && trial_notes(duo.client, &out) < 0))
				ck_abort_msg("%s", cell_error(duo.client)->text);
			cell_rewind(duo.client, mark);
		}
	}
	ck_assert_uint_eq(atomic_load(&counts->allocations[0]) - client, 0);
	ck_assert_uint_eq(atomic_load(&counts->allocations[1]) - server, 0);
	ck_assert_int_eq(duo_stop(&duo), 0);
}
END_TEST

/* ---- the nth fails -------------------------------------------------------------------------- */

/* Some of everything: what fails may fail, and only that. */
static void some_of_everything(struct cell_call *call)
{
	struct trial_many_cursor many;
	struct trial_sum_stream sum;
	struct trial_count count;
	struct trial_blob out;
	struct trial_slept slept;

	(void)call_once(call);
	(void)trial_fill(call, &(struct trial_many_request){ .size = 100000 }, &out);
	(void)trial_sleep(cell_within_ms(call, 1000), &(struct trial_delay){ .ms = 1 }, &slept);
	many = trial_many(call, &(struct trial_many_request){ .count = 20, .size = 1000 });
	while (trial_many_next(&many))
		;
	(void)trial_many_end(&many);
	sum = trial_sum_open(call);
	for (int i = 0; i < 5; i++)
		(void)trial_sum_send(&sum, &(struct trial_blob){ .n_data = 64, .data = body });
	(void)trial_sum_close(&sum, &count);
}

/* With the server's or client's Nth allocation from now on failing. */
static uint64_t one_failure(enum duo_link link, int side, uint64_t n)
{
	uint64_t from, made;
	struct duo duo;
	int status;

	duo_start(&duo, link);
	if (call_once(duo.client) < 0)
		ck_abort_msg("%s", cell_error(duo.client)->text);
	from = atomic_load(&counts->allocations[side]);
	atomic_store(&counts->fail_at[side], from + n);
	some_of_everything(cell_within_ms(duo.client, 5000));
	atomic_store(&counts->fail_at[side], 0);
	made = atomic_load(&counts->allocations[side]) - from;
	/* Where the connection survived it serves on; where not, that is said. */
	if (call_once(duo.client) < 0)
		ck_assert_int_ne(cell_error(duo.client)->code, CELL_DEADLINE_EXCEEDED);
	status = duo_stop(&duo);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "allocation %llu of side %d: server ended with %#x", (unsigned long long)n, side,
		      (unsigned)status);
	return made;
}

START_TEST(whichever_allocation_fails_nothing_crashes)
{
	enum duo_link link = links[_i % 2];
	int side = _i / 2;

	if (!IS_COUNTED)
		return;
	for (uint64_t n = 1; n < 500; n++)
		if (one_failure(link, side, n) < n)
			return;
	ck_abort_msg("there is no end to it");
}
END_TEST

/* The client's set-up, from the first on: a root call that works, or says why not. */
START_TEST(whichever_allocation_of_opening_fails_it_is_said)
{
	uint64_t from;

	if (!IS_COUNTED)
		return;
	for (uint64_t n = 1; n < 1000; n++) {
		struct cell_call *call;
		struct trial trial = { 0 };
		int r;

		from = atomic_load(&counts->allocations[0]);
		atomic_store(&counts->fail_at[0], from + n);
		call = cell_open("test");
		r = cell_serve(call, &trial_service, &trial_handlers, &trial);
		atomic_store(&counts->fail_at[0], 0);
		ck_assert(r == 0 || cell_error(call)->code == r);
		cell_close(call);
		if (atomic_load(&counts->allocations[0]) - from < n)
			return;
	}
	ck_abort_msg("there is no end to it");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alloc");
	TCase *tc = tcase_create("alloc");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, ten_thousand_calls_allocate_nothing, 0, 2);
	tcase_add_loop_test(tc, one_way_calls_allocate_nothing, 0, 2);
	tcase_add_loop_test(tc, whichever_allocation_fails_nothing_crashes, 0, 4);
	tcase_add_test(tc, whichever_allocation_of_opening_fails_it_is_said);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
