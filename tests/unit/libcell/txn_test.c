/*
 * Transactions: of one cell, of several, lost races and the runs after them. The databases
 * and the coordinator are processes of their own.
 */
#include "accounts.h"
#include "crew.h"
#include "memdb.h"

#include <cell/stream.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct memdb_shared *shared;
static struct crew crew;
static struct cell_call *call, *other;

static void setup(void)
{
	static struct memdb near, far, txn;
	static struct crew_member members[3];

	(void)setenv("CELL_LOG", "err", 1);
	accounts_init();
	shared = memdb_shared_new();
	near = (struct memdb){ "celldb", accounts_told, 2, shared };
	far = (struct memdb){ "postgres", accounts_told, 2, shared };
	txn = (struct memdb){ "txn", NULL, 0, shared };
	members[0] = (struct crew_member){ "celldb", memdb_serve, &near };
	members[1] = (struct crew_member){ "postgres", memdb_serve, &far };
	members[2] = (struct crew_member){ "txn", memtxn_serve, &txn };
	crew_start(&crew, members, 3);
	call = crew.clients[0];
	other = crew.clients[1];
}

static void teardown(void)
{
	crew_stop(&crew);
	memdb_shared_free(shared);
}

#define ok(r) ck_assert_msg((r) == 0, "%s", cell_error(call)->text)

static void fails(int r, int code, const char *text)
{
	ck_assert_int_eq(r, code);
	ck_assert_str_eq(cell_error(call)->text, text);
}

static void put(struct cell_call *by, uint64_t id, const char *owner, int64_t balance)
{
	struct account account = { .id = id, .owner = owner, .balance = balance };

	ck_assert_msg(account_put(by, &account) == 0, "%s", cell_error(by)->text);
}

static int64_t balance(struct cell_call *by, uint64_t id)
{
	struct account account;
	int r = account_get(by, id, &account);

	ck_assert_msg(r == 0 || r == CELL_NOT_FOUND, "%s", cell_error(by)->text);
	return r == 0 ? account.balance : -1;
}

/* How often it was said, since the last look. */
static unsigned said_from;

static void listen(void)
{
	said_from = shared->n_said;
}

/* "GET c, COMMIT c": what was said since listen(), and by which cell. */
static const char *heard(void)
{
	static const char *const words[] = { "",       "get",     "scan",   "count",
					     "commit", "prepare", "decide", "undo",
					     "next",   "watch",   "query",  "provision",
					     "begin",  "end",     "abort" };
	static char text[2048];
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = said_from; i < shared->n_said; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s %c", at ? ", " : "",
				       words[shared->said[i % MEMDB_SAID_MAX]],
				       shared->said_by[i % MEMDB_SAID_MAX]);
	return text;
}

/* --- of one cell --------------------------------------------------------------------------
 */

START_TEST(nothing_happens_before_the_end)
{
	struct account account;

	put(call, 1, "Ada", 10);
	ok(cell_txn_begin(call));
	ok(account_get(call, 1, &account));
	account.balance = 20;
	ok(account_put(call, &account));
	ck_assert_int_eq(balance(call, 1), 20);  /* its own write */
	ck_assert_int_eq(balance(other, 1), 10); /* nobody else's */
	ok(cell_txn_end(call, 0));
	ck_assert_int_eq(balance(other, 1), 20);
	ck_assert_uint_eq(shared->n_reads, 1);
	ck_assert_uint_eq(shared->n_writes, 1);
}
END_TEST

START_TEST(error_forgets_it)
{
	put(call, 1, "Ada", 10);
	ok(cell_txn_begin(call));
	put(call, 1, "Ada", 30);
	(void)cell_refuse(call, CELL_OUT_OF_RANGE, "no");
	listen();
	fails(cell_txn_end(call, CELL_OUT_OF_RANGE), CELL_OUT_OF_RANGE, "no");
	ck_assert_str_eq(heard(), "");
	ck_assert_int_eq(balance(call, 1), 10);
	fails(cell_txn_end(call, 0), CELL_FAILED_PRECONDITION,
	      "the end of a transaction that was not begun");
}
END_TEST

START_TEST(end_is_aborted_if_a_row_that_was_read_has_changed)
{
	struct account account;

	put(call, 1, "Ada", 10);
	put(call, 2, "Bob", 10);
	ok(cell_txn_begin(call));
	ok(account_get(call, 1, &account));
	put(other, 1, "Ada", 11);
	account = (struct account){ .id = 2, .owner = "Bob", .balance = 12 };
	ok(account_put(call, &account));
	fails(cell_txn_end(call, 0), CELL_ABORTED,
	      "account with id 1 has changed since it was read");
	ck_assert_int_eq(balance(call, 2), 10);
}
END_TEST

START_TEST(row_read_twice_as_two_is_told_at_once)
{
	struct account account;

	put(call, 1, "Ada", 10);
	ok(cell_txn_begin(call));
	ok(account_get(call, 1, &account));
	put(other, 1, "Ada", 11);
	fails(account_get(call, 1, &account), CELL_ABORTED,
	      "account with id 1 has changed since it was read");
	ck_assert_int_eq(cell_txn_end(call, 0), CELL_ABORTED);
}
END_TEST

START_TEST(what_was_not_there_must_not_be_at_the_end)
{
	struct account account;

	ok(cell_txn_begin(call));
	ck_assert_int_eq(balance(call, 1), -1);
	put(other, 1, "Eve", 1);
	put(call, 2, "Bob", 1);
	ck_assert_int_eq(cell_txn_end(call, 0), CELL_ABORTED);
	/* The same by a unique index, where a range says so. */
	ok(cell_txn_begin(call));
	fails(account_by_owner(call, "Ada", &account), CELL_NOT_FOUND,
	      "no account with owner Ada");
	put(other, 3, "Ada", 1);
	put(call, 2, "Bob", 1);
	ck_assert_int_eq(cell_txn_end(call, 0), CELL_ABORTED);
	ck_assert_int_eq(balance(call, 2), -1);
}
END_TEST

START_TEST(own_writes_are_found_by_every_key)
{
	struct account account;

	put(call, 1, "Ada", 10);
	ok(cell_txn_begin(call));
	put(call, 1, "Eve", 10);
	put(call, 2, "Bob", 10);
	ok(account_by_owner(call, "Eve", &account));
	ck_assert_uint_eq(account.id, 1);
	ok(account_by_owner(call, "Bob", &account));
	ck_assert_uint_eq(account.id, 2);
	ck_assert_int_eq(account_by_owner(call, "Ada", &account), CELL_NOT_FOUND);
	ok(cell_table_delete(call, &account_table, &(struct account){ .id = 2 }));
	ck_assert_int_eq(account_by_owner(call, "Bob", &account), CELL_NOT_FOUND);
	fails(account_get(call, 2, &account), CELL_NOT_FOUND, "no account with id 2");
	fails(cell_table_delete(call, &account_table, &(struct account){ .id = 2 }),
	      CELL_NOT_FOUND, "no account with id 2");
	ok(cell_txn_end(call, 0));
	ok(account_by_owner(other, "Eve", &account));
}
END_TEST

START_TEST(presence_that_is_known_is_told_at_once)
{
	struct account account = { .id = 1, .owner = "Ada" };

	put(call, 1, "Ada", 10);
	ok(cell_txn_begin(call));
	ck_assert_int_eq(balance(call, 1), 10);
	ck_assert_int_eq(balance(call, 2), -1);
	listen();
	fails(cell_table_insert(call, &account_table, &account), CELL_ALREADY_EXISTS,
	      "there is a account with id 1 already");
	account.id = 2;
	fails(cell_table_update(call, &account_table, &account), CELL_NOT_FOUND,
	      "no account with id 2");
	ck_assert_str_eq(heard(), "");
	account.id = 3; /* of this one nothing is known: the end tells */
	ok(cell_table_update(call, &account_table, &account));
	fails(cell_txn_end(call, 0), CELL_NOT_FOUND, "no account with id 3");
}
END_TEST

START_TEST(reading_alone_is_checked_if_it_was_more_than_one_read)
{
	put(call, 1, "Ada", 10);
	put(call, 2, "Bob", 10);
	listen();
	ok(cell_txn_begin(call));
	ck_assert_int_eq(balance(call, 1), 10);
	ok(cell_txn_end(call, 0));
	ck_assert_str_eq(heard(), "get c");
	listen();
	ok(cell_txn_begin(call));
	ck_assert_int_eq(balance(call, 1), 10);
	ck_assert_int_eq(balance(call, 2), 10);
	ok(cell_txn_end(call, 0));
	ck_assert_str_eq(heard(), "get c, get c, commit c");
	ok(cell_txn_begin(call));
	ck_assert_int_eq(balance(call, 1), 10);
	put(other, 1, "Ada", 9);
	put(other, 2, "Bob", 11);
	ck_assert_int_eq(balance(call, 2), 11);
	ck_assert_int_eq(cell_txn_end(call, 0), CELL_ABORTED);
}
END_TEST

START_TEST(one_within_another_joins_it)
{
	put(call, 1, "Ada", 10);
	ok(cell_txn_begin(call));
	put(call, 1, "Ada", 20);
	ok(cell_txn_begin(call));
	put(call, 2, "Bob", 5);
	ok(cell_txn_end(call, 0));
	ck_assert_int_eq(balance(other, 2), -1);
	/* One that fails takes its own writes back, no others. */
	ok(cell_txn_begin(call));
	put(call, 1, "Ada", 30);
	put(call, 3, "Eve", 5);
	ck_assert_int_eq(balance(call, 1), 30);
	ck_assert_int_eq(cell_txn_end(call, CELL_CANCELLED), CELL_CANCELLED);
	ck_assert_int_eq(balance(call, 1), 20);
	ck_assert_int_eq(balance(call, 3), -1);
	ok(cell_txn_end(call, 0));
	ck_assert_int_eq(balance(other, 1), 20);
	ck_assert_int_eq(balance(other, 2), 5);
	ck_assert_int_eq(balance(other, 3), -1);
}
END_TEST

/* --- again ---------------------------------------------------------------------------------
 */

struct race {
	unsigned runs, losses; /* it loses so many times */
	bool is_spoilt;
};

static int deposit(struct cell_call *by, void *userdata)
{
	struct race *race = userdata;
	struct account account;
	int r = account_get(by, 1, &account);

	if (r < 0)
		return r;
	if (race->runs++ < race->losses)
		put(other, 1, "Ada", balance(other, 1) + 100);
	/* Not idempotent, so that the transaction cannot be repeated. */
	if (race->is_spoilt) {
		struct table_next_reply reply;
		struct cell_call *to = cell_to(by, "celldb", 0);

		r = table_tables_next(
			to,
			&(struct table_next_request){
				.table = &(struct table_table_ref){ "bank", "ticket", 0 },
				.column = 1,
				.n = 1 },
			&reply);
		if (r < 0)
			return r;
	}
	account.balance++;
	return account_put(by, &account);
}

START_TEST(loser_runs_again_until_it_wins)
{
	for (unsigned losses = 0; losses < 5; losses++) {
		struct race race = { .losses = losses };

		put(call, 1, "Ada", 0);
		ok(cell_atomically(call, deposit, &race));
		ck_assert_uint_eq(race.runs, losses + 1);
		ck_assert_int_eq(balance(call, 1), losses * 100 + 1);
	}
}
END_TEST

START_TEST(five_runs_are_enough)
{
	struct race race = { .losses = 9 };

	put(call, 1, "Ada", 0);
	ck_assert_int_eq(cell_atomically(call, deposit, &race), CELL_ABORTED);
	ck_assert_uint_eq(race.runs, 5);
}
END_TEST

START_TEST(call_that_is_not_idempotent_is_not_made_again)
{
	struct race race = { .losses = 1, .is_spoilt = true };

	put(call, 1, "Ada", 0);
	fails(cell_atomically(call, deposit, &race), CELL_ABORTED,
	      "account with id 1 has changed since it was read");
	ck_assert_uint_eq(race.runs, 1);
	race = (struct race){ .is_spoilt = true };
	ok(cell_atomically(call, deposit, &race));
	/* What was spoilt is that transaction, not the next. */
	race = (struct race){ .losses = 1 };
	ok(cell_atomically(call, deposit, &race));
	ck_assert_uint_eq(race.runs, 2);
}
END_TEST

static int refuse(struct cell_call *by, void *userdata)
{
	struct race *race = userdata;

	race->runs++;
	put(by, 1, "Ada", 99);
	(void)cell_arena_alloc(cell_arena(by), 100000);
	return cell_refuse(by, CELL_FAILED_PRECONDITION, "no");
}

START_TEST(refusal_is_no_reason_to_run_again)
{
	struct race race = { 0 };

	put(call, 1, "Ada", 1);
	fails(cell_atomically(call, refuse, &race), CELL_FAILED_PRECONDITION, "no");
	ck_assert_uint_eq(race.runs, 1);
	ck_assert_int_eq(balance(call, 1), 1);
}
END_TEST

static int use_memory(struct cell_call *by, void *userdata)
{
	uint8_t **first = userdata;
	uint8_t *here = cell_arena_alloc(cell_arena(by), 64);

	if (!*first)
		*first = here;
	ck_assert_ptr_eq(*first, here);
	(void)cell_arena_alloc(cell_arena(by), 300000);
	return cell_refuse(by, CELL_ABORTED, "lost");
}

START_TEST(memory_is_rewound_before_each_run)
{
	uint8_t *first = NULL;

	(void)cell_arena_alloc(cell_arena(call), 8);
	fails(cell_atomically(call, use_memory, &first), CELL_ABORTED, "lost");
	ck_assert_ptr_nonnull(first);
}
END_TEST

static int leave_a_future(struct cell_call *by, void *userdata)
{
	const struct table_table_ref table = { "bank", "account", 0 };
	const uint8_t key[] = { 0x08, 1 };
	unsigned *runs = userdata;

	(void)table_tables_get_start(cell_to(by, "celldb", 0),
				     &(struct table_get_request){ .table = &table,
								  .n_key = sizeof key,
								  .key = key });
	return ++*runs < 3 ? cell_refuse(by, CELL_ABORTED, "lost") : 0;
}

START_TEST(future_that_a_run_left_behind_does_no_harm)
{
	unsigned runs = 0;

	put(call, 1, "Ada", 1);
	ok(cell_atomically(call, leave_a_future, &runs));
	ck_assert_uint_eq(runs, 3);
	(void)cell_arena_calloc(cell_arena(call), 1, 2000); /* where the futures were */
	ck_assert_int_eq(balance(call, 1), 1);
}
END_TEST

START_TEST(wrapper_is_a_loop)
{
	struct race race = { .losses = 2 };
	struct cell_atomic outer, inner;
	int err, inner_err;

	put(call, 1, "Ada", 0);
	outer = cell_atomic_begin(call);
	do {
		inner = cell_atomic_begin(call);
		do
			inner_err = deposit(call, &race);
		while (cell_atomic_again(&inner, &inner_err));
		err = inner_err;
	} while (cell_atomic_again(&outer, &err));
	ok(err);
	ck_assert_uint_eq(race.runs, 3);
	ck_assert_int_eq(balance(call, 1), 201);
}
END_TEST

struct teller {
	unsigned left, failed, *running;
};

static int deposit_one(struct cell_call *by, void *userdata)
{
	struct account account;
	int r = account_get(by, 1, &account);

	(void)userdata;
	account.balance++;
	return r < 0 ? r : account_put(by, &account);
}

static void tell(struct cell_call *by, void *userdata)
{
	struct teller *teller = userdata;

	for (; teller->left; teller->left--)
		if (cell_atomically(by, deposit_one, NULL) < 0)
			teller->failed++;
	--*teller->running;
}

START_TEST(all_who_want_one_row_get_it)
{
	enum { TELLERS = 8 };
	struct teller tellers[TELLERS];
	unsigned running = TELLERS, deposits = _i ? 25 : 200;

	put(call, 1, "Ada", 0);
	shared->commit_takes_ms = _i * 3;
	for (unsigned i = 0; i < TELLERS; i++) {
		tellers[i] = (struct teller){ .left = deposits, .running = &running };
		ok(cell_spawn_task(call, tell, &tellers[i]));
	}
	while (running)
		ok(cell_sleep_ms(call, 1));
	for (unsigned i = 0; i < TELLERS; i++)
		ck_assert_uint_eq(tellers[i].failed, 0);
	ck_assert_int_eq(balance(other, 1), TELLERS * deposits);
}
END_TEST

/* --- several cells
 * --------------------------------------------------------------------------- */

static int transfer(int64_t amount)
{
	struct account from, to;
	int r = cell_txn_begin(call);

	if (r == 0)
		r = account_get(call, 1, &from);
	if (r == 0)
		r = cell_table_get(call, &far_account_table, ACCOUNT_BY_ID,
				   &(struct account){ .id = 2 }, &to);
	if (r == 0) {
		from.balance -= amount;
		to.balance += amount;
		r = account_put(call, &from);
	}
	if (r == 0)
		r = cell_table_put(call, &far_account_table, &to);
	return cell_txn_end(call, r);
}

static int64_t far_balance(void)
{
	struct account account;

	ok(cell_table_get(call, &far_account_table, ACCOUNT_BY_ID,
			  &(struct account){ .id = 2 }, &account));
	return account.balance;
}

static void open_both(void)
{
	put(call, 1, "Ada", 100);
	ok(cell_table_put(call, &far_account_table,
			  &(struct account){ .id = 2, .owner = "Bob", .balance = 0 }));
	listen();
}

/* The two prepare at the same time: in either order. */
static bool heard_either(const char *a, const char *b)
{
	return strcmp(heard(), a) == 0 || strcmp(heard(), b) == 0;
}

START_TEST(several_cells_decide_in_two_phases)
{
	open_both();
	ok(transfer(30));
	ck_assert_msg(
		heard_either(
			"get c, get p, begin t, prepare c, prepare p, decide p, decide c, end t",
			"get c, get p, begin t, prepare p, prepare c, decide p, decide c, end t"),
		"%s", heard());
	ck_assert_int_eq(balance(call, 1), 70);
	ck_assert_int_eq(far_balance(), 30);
}
END_TEST

START_TEST(one_table_at_two_cells_is_two)
{
	struct cell_call *far;
	struct account account;

	put(call, 1, "Ada", 10);
	far = cell_to(call, "postgres", 0);
	ck_assert_int_eq(balance(far, 1), -1);
	put(call, 1, "Ada", 11); /* what was seen there says nothing of here */
	ok(cell_txn_begin(call));
	put(far, 1, "Far", 5);
	ck_assert_int_eq(balance(call, 1), 11);
	ck_assert_int_eq(balance(far, 1), 5);
	put(call, 1, "Ada", 12);
	ck_assert_int_eq(balance(far, 1), 5);
	ok(cell_txn_end(call, 0));
	ok(account_get(far, 1, &account));
	ck_assert_str_eq(account.owner, "Far");
	ck_assert_int_eq(balance(other, 1), 12);
}
END_TEST

START_TEST(refusal_of_one_is_the_end_of_all)
{
	open_both();
	shared->refuse_prepare = 'p';
	fails(transfer(30), CELL_FAILED_PRECONDITION, "balance >= 0 does not hold");
	ck_assert_msg(
		heard_either(
			"get c, get p, begin t, prepare c, prepare p, undo p, undo c, abort t",
			"get c, get p, begin t, prepare p, prepare c, undo p, undo c, abort t") ||
			strstr(heard(), "abort t, undo p, undo c"),
		"%s", heard());
	shared->refuse_prepare = 0;
	ck_assert_int_eq(balance(call, 1), 100);
	ck_assert_int_eq(far_balance(), 0);
	ok(transfer(10)); /* nothing is locked any more */
}
END_TEST

START_TEST(race_that_one_cell_saw_aborts_both)
{
	struct account from;

	open_both();
	ok(cell_txn_begin(call));
	ok(account_get(call, 1, &from));
	put(other, 1, "Ada", 50);
	ok(cell_table_put(call, &far_account_table,
			  &(struct account){ .id = 2, .owner = "Bob", .balance = 9 }));
	ok(account_put(call, &from));
	ck_assert_int_eq(cell_txn_end(call, 0), CELL_ABORTED);
	ck_assert_int_eq(far_balance(), 0);
	ck_assert_int_eq(balance(call, 1), 50);
}
END_TEST

START_TEST(participant_that_is_lost_aborts_all)
{
	open_both();
	shared->hang_up = MEMDB_PREPARE;
	ck_assert_int_eq(transfer(30), CELL_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(heard(), "abort t"));
	ck_assert_ptr_null(strstr(heard(), "end t"));
}
END_TEST

START_TEST(coordinator_that_is_lost_before_the_end_leaves_nothing)
{
	open_both();
	shared->hang_up = MEMDB_BEGIN;
	ck_assert_int_eq(transfer(30), CELL_UNAVAILABLE);
	ck_assert_str_eq(heard(), "get c, get p, begin t");
	ck_assert_int_eq(balance(call, 1), 100);
}
END_TEST

START_TEST(reply_lost_at_the_end_says_that_it_may_have_happened)
{
	open_both();
	shared->hang_up = MEMDB_TXN_COMMIT;
	ck_assert_int_eq(transfer(30), CELL_UNAVAILABLE);
	ck_assert_int_eq(balance(call, 1), 70);
	ck_assert_int_eq(far_balance(), 30);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("txn");
	TCase *tc = tcase_create("transactions");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, nothing_happens_before_the_end);
	tcase_add_test(tc, error_forgets_it);
	tcase_add_test(tc, end_is_aborted_if_a_row_that_was_read_has_changed);
	tcase_add_test(tc, row_read_twice_as_two_is_told_at_once);
	tcase_add_test(tc, what_was_not_there_must_not_be_at_the_end);
	tcase_add_test(tc, own_writes_are_found_by_every_key);
	tcase_add_test(tc, presence_that_is_known_is_told_at_once);
	tcase_add_test(tc, reading_alone_is_checked_if_it_was_more_than_one_read);
	tcase_add_test(tc, one_within_another_joins_it);
	tcase_add_test(tc, loser_runs_again_until_it_wins);
	tcase_add_test(tc, five_runs_are_enough);
	tcase_add_test(tc, call_that_is_not_idempotent_is_not_made_again);
	tcase_add_test(tc, refusal_is_no_reason_to_run_again);
	tcase_add_test(tc, memory_is_rewound_before_each_run);
	tcase_add_test(tc, future_that_a_run_left_behind_does_no_harm);
	tcase_add_test(tc, wrapper_is_a_loop);
	tcase_add_loop_test(tc, all_who_want_one_row_get_it, 0, 2);
	tcase_add_test(tc, several_cells_decide_in_two_phases);
	tcase_add_test(tc, one_table_at_two_cells_is_two);
	tcase_add_test(tc, refusal_of_one_is_the_end_of_all);
	tcase_add_test(tc, race_that_one_cell_saw_aborts_both);
	tcase_add_test(tc, participant_that_is_lost_aborts_all);
	tcase_add_test(tc, coordinator_that_is_lost_before_the_end_leaves_nothing);
	tcase_add_test(tc, reply_lost_at_the_end_says_that_it_may_have_happened);
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
