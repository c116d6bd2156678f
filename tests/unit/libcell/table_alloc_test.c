/*
 * Whichever allocation of a program fails while it uses tables: it is told, it lives, and no
 * transaction is half done.
 */
#include "accounts.h"
#include "crew.h"
#include "memdb.h"

#include <check.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t n_allocations, fail_at; /* of this process; 0 = none fails */
static pid_t counted_pid;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* Sanitizers bring an allocator of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_COUNTED 0
#else
#define IS_COUNTED 1

static bool may_allocate(void)
{
	if (!fail_at || getpid() != counted_pid || ++n_allocations != fail_at)
		return true;
	errno = ENOMEM;
	return false;
}

/* libev knows no failure. */
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

static struct memdb_shared *shared;
static struct memdb memdb;
static struct crew crew;

static void setup(void)
{
	(void)setenv("CELL_LOG", "err", 1);
#if IS_COUNTED
	ev_set_allocator(allocate_for_ev);
#endif
	accounts_init();
	shared = memdb_shared_new();
	memdb = (struct memdb){ "celldb", accounts_told, 3, shared };
	counted_pid = getpid();
}

static void teardown(void)
{
	memdb_shared_free(shared);
}

static int transfer(struct cell_call *call, void *userdata)
{
	struct account from, to;
	struct cell_cursor all;
	int r = account_get(call, 1, &from);

	(void)userdata;
	if (r == 0)
		r = account_by_owner(call, "Bob", &to);
	if (r < 0)
		return r;
	from.balance -= 10;
	to.balance += 10;
	r = account_put(call, &from);
	if (r == 0)
		r = account_put(call, &to);
	all = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	while (cell_cursor_next(&all))
		;
	return r < 0 ? r : cell_cursor_end(&all);
}

/* Everything once; the first thing that fails ends it. */
static int use_tables(struct cell_call *call)
{
	struct ticket ticket = { .state = "" };
	struct account account;
	struct cell_cursor cursor;
	uint64_t n;
	int r = account_get(call, 1, &account);

	if (r == 0)
		r = account_put(call, &account);
	if (r == 0)
		r = cell_table_insert(call, &ticket_table, &ticket);
	if (r == 0)
		r = cell_table_count(call, &account_table, &n);
	if (r == 0)
		r = cell_atomically(call, transfer, NULL);
	if (r < 0)
		return r;
	for (uint64_t id = 0; id < 100; id++)
		if (account_get(call, 1000 + id, &account) != CELL_NOT_FOUND)
			return cell_error(call)->code;
	cursor = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	while (cell_cursor_next(&cursor))
		;
	r = cell_cursor_end(&cursor);
	if (r < 0)
		return r;
	cursor = cell_table_watch(call, &account_table, UINT64_MAX);
	return cell_cursor_end(&cursor);
}

/* 0 if it went well, or the error. */
static int run_with_failure(uint64_t n)
{
	struct account ada = { .id = 1, .owner = "Ada", .balance = 100 };
	struct account bob = { .id = 2, .owner = "Bob", .balance = 0 };
	int r;

	crew_start(&crew, &(struct crew_member){ "celldb", memdb_serve, &memdb }, 1);
	ck_assert_int_eq(account_put(crew.clients[1], &ada), 0);
	ck_assert_int_eq(account_put(crew.clients[1], &bob), 0);
	n_allocations = 0;
	fail_at = n;
	r = use_tables(crew.clients[0]);
	fail_at = 0;
	ck_assert_int_eq(account_get(crew.clients[1], 1, &ada), 0);
	ck_assert_int_eq(account_get(crew.clients[1], 2, &bob), 0);
	ck_assert_int_eq(ada.balance + bob.balance, 100);
	ck_assert(ada.balance == 100 || ada.balance == 90);
	ck_assert_msg(r == 0 || cell_error(crew.clients[0])->text[0],
		      "allocation %u: %d without a text", (unsigned)n, r);
	crew_stop(&crew);
	return r;
}

START_TEST(whichever_allocation_fails_nothing_is_half_done)
{
	unsigned failed = 0;

	if (!IS_COUNTED)
		return;
	for (uint64_t n = 1;; n++) {
		int r = run_with_failure(n);

		failed += r < 0;
		if (n_allocations < n)
			break; /* there are no more */
		ck_assert_uint_lt(n, 500);
	}
	ck_assert_uint_gt(failed, 5);
}
END_TEST

/* What a call with tables has is handed on to the next: nothing is allocated any more. */
static int move_one(struct cell_call *call)
{
	struct cell_arena_mark mark = cell_mark(call);
	struct account account;
	int r = cell_txn_begin(call);

	if (r == 0)
		r = account_get(call, 1, &account);
	account.balance--;
	if (r == 0)
		r = account_put(call, &account);
	r = cell_txn_end(call, r);
	if (r == 0)
		r = account_get(call, 2, &account);
	cell_rewind(call, mark);
	return r;
}

START_TEST(warm_transactions_allocate_nothing)
{
	int r = 0;

	if (!IS_COUNTED)
		return;
	crew_start(&crew, &(struct crew_member){ "celldb", memdb_serve, &memdb }, 1);
	ck_assert_int_eq(account_put(crew.clients[0], &(struct account){ .id = 1,
									 .owner = "Ada",
									 .balance = 100000 }),
			 0);
	ck_assert_int_eq(account_put(crew.clients[0],
				     &(struct account){ .id = 2, .owner = "Bob" }),
			 0);
	/* Check's own claims allocate. */
	for (int i = 0; i < 200 && r == 0; i++) {
		n_allocations = 0;
		fail_at = UINT64_MAX;
		r = move_one(crew.clients[0]);
		fail_at = 0;
		ck_assert(i < 100 || n_allocations == 0);
	}
	ck_assert_int_eq(r, 0);
	crew_stop(&crew);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("table_alloc");
	TCase *tc = tcase_create("memory");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, whichever_allocation_fails_nothing_is_half_done);
	tcase_add_test(tc, warm_transactions_allocate_nothing);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
