/*
 * celldb as its clients see it, over real rings.
 */
#include "database.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct scene scene;

static void start(const char *env)
{
	scene_init(&scene);
	database_cell(&scene, env);
	database_txn(&scene);
	scene_start(&scene);
	scene_join(&scene);
	database_provision_accounts(scene.call);
}

static void setup(void)
{
	start("");
}

static void teardown(void)
{
	scene_deinit(&scene);
}

#define OK(r) ck_assert_msg((r) == 0, "%s", cell_error(scene.call)->text)

static struct account account_of(uint64_t id, int64_t balance)
{
	static char owner[32];

	snprintf(owner, sizeof owner, "owner %llu", (unsigned long long)id);
	return (struct account){ .id = id, .owner = owner, .balance = balance };
}

static void put(uint64_t id, int64_t balance)
{
	struct account account = account_of(id, balance);

	OK(account_put(scene.call, &account));
}

/* Rows, and the sum of their balances. */
static unsigned sum(const struct cell_scan *scan, int64_t *ret_sum)
{
	struct cell_cursor all = cell_table_scan(scene.call, &account_table, scan);
	unsigned n = 0;

	*ret_sum = 0;
	for (struct account *a; (a = cell_cursor_next(&all)); n++)
		*ret_sum += a->balance;
	OK(cell_cursor_end(&all));
	return n;
}

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

START_TEST(scans_go_by_index_prefix_range_and_backwards)
{
	static const char *const owners[] = { "Ada", "Adam", "Bo", "Cy", "Cyd" };
	struct account from = { .owner = "Ad" }, low = { .id = 2 }, high = { .id = 4 };
	struct cell_scan prefix = { .key = ACCOUNT_BY_OWNER, .from = &from, .n_from = 1,
				    .is_prefix = true };
	struct cell_scan range = { .key = ACCOUNT_BY_ID, .from = &low, .n_from = 1, .to = &high,
				   .n_to = 1, .is_backwards = true };
	struct cell_cursor cursor;
	struct account *a;
	int64_t total;

	for (uint64_t i = 0; i < 5; i++)
		OK(account_put(scene.call, &(struct account){ .id = i, .owner = owners[i],
							      .balance = 1 << i }));
	ck_assert_uint_eq(sum(&prefix, &total), 2);
	ck_assert_int_eq(total, 3);
	cursor = cell_table_scan(scene.call, &account_table, &range);
	for (uint64_t id = 4; id >= 2; id--) {
		a = cell_cursor_next(&cursor);
		ck_assert_ptr_nonnull(a);
		ck_assert_uint_eq(a->id, id);
	}
	ck_assert_ptr_null(cell_cursor_next(&cursor));
	OK(cell_cursor_end(&cursor));
	range.limit = 2;
	ck_assert_uint_eq(sum(&range, &total), 2);
	ck_assert_int_eq(total, 16 + 8);
	ck_assert_uint_eq(sum(&(struct cell_scan){ .key = ACCOUNT_BY_OWNER, .is_backwards = true },
			      &total), 5);
}
END_TEST

START_TEST(serial_numbers_and_defaults_come_with_inserts)
{
	struct ticket ticket = { .id = 0 }, other = { .id = 0 };
	uint64_t n;

	OK(cell_table_insert(scene.call, &ticket_table, &ticket));
	OK(cell_table_insert(scene.call, &ticket_table, &other));
	ck_assert_uint_eq(ticket.id, 1);
	ck_assert_uint_eq(other.id, 2);
	ck_assert_str_eq(ticket.state, "new");
	ck_assert_uint_eq(ticket.seats, 2);
	ck_assert_int_ne(memcmp(ticket.token, other.token, 16), 0);
	OK(cell_table_count(scene.call, &ticket_table, &n));
	ck_assert_uint_eq(n, 2);
}
END_TEST

/* ---- snapshots ---------------------------------------------------------------------------- */

/* One unit from account to account, over and over, until told to stop through a pipe. */
static void mover(struct cell_call *call, int out, void *userdata)
{
	unsigned n = *(unsigned *)userdata;
	uint64_t moves = 0;

	accounts_init();
	for (; moves < 300; moves++) {
		struct account a, b;
		int r = cell_txn_begin(call);

		if (r == 0)
			r = account_get(call, moves % n, &a);
		if (r == 0)
			r = account_get(call, (moves + 1) % n, &b);
		a.balance--;
		b.balance++;
		if (r == 0)
			r = account_put(call, &a);
		if (r == 0)
			r = account_put(call, &b);
		r = cell_txn_end(call, r);
		if (r < 0 && r != CELL_ABORTED)
			break;
	}
	(void)!write(out, &moves, sizeof moves);
}

START_TEST(readers_never_see_half_of_a_transaction)
{
	struct scene_client client;
	unsigned n = 50, rounds = 0;
	uint64_t moves = 0;

	for (unsigned i = 0; i < n; i++)
		put(i, 1000);
	scene_client(&client, mover, &n);
	while (rounds < 200) {
		struct cell_arena_mark mark = cell_mark(scene.call);
		int64_t total;

		ck_assert_uint_eq(sum(&(struct cell_scan){ .key = 0 }, &total), n);
		ck_assert_int_eq(total, (int64_t)n * 1000);
		cell_rewind(scene.call, mark);
		rounds++;
	}
	scene_hear(&client, &moves, sizeof moves);
	ck_assert_uint_eq(moves, 300);
	scene_client_end(&client);
}
END_TEST

/* A scan that has begun sees nothing of what is written while it goes on. */
START_TEST(scan_is_of_one_moment)
{
	struct cell_cursor all;
	unsigned n = 0;
	int64_t total = 0;

	for (unsigned i = 0; i < 5000; i += 500) {
		struct account *rows = calloc(500, sizeof *rows);
		char owners[500][16];

		for (unsigned j = 0; j < 500; j++) {
			snprintf(owners[j], sizeof owners[j], "o%u", i + j);
			rows[j] = (struct account){ .id = i + j, .owner = owners[j], .balance = 1 };
		}
		OK(cell_table_put_all(scene.call, &account_table, rows, 500));
		free(rows);
	}
	all = cell_table_scan(scene.call, &account_table, &(struct cell_scan){ .key = 0 });
	for (struct account *a; (a = cell_cursor_next(&all)); n++) {
		total += a->balance;
		if (n % 100 == 0) {
			struct account late = { .id = 4999 - n / 100, .owner = "late", .balance = 77 };

			OK(cell_table_delete(scene.call, &account_table, &late));
			OK(account_put(scene.call, &late));
			OK(cell_table_delete(scene.call, &account_table, &late));
		}
	}
	OK(cell_cursor_end(&all));
	ck_assert_uint_eq(n, 5000);
	ck_assert_int_eq(total, 5000);
	ck_assert_uint_eq(sum(&(struct cell_scan){ .key = 0 }, &total), 4950);
}
END_TEST

/* ---- races -------------------------------------------------------------------------------- */

static int sum_and_insert(struct cell_call *call, void *userdata)
{
	struct account from = { .id = 100 }, to = { .id = 199 };
	struct cell_scan range = { .from = &from, .n_from = 1, .to = &to, .n_to = 1 };
	struct cell_cursor cursor = cell_table_scan(call, &account_table, &range);
	struct account last = account_of(0, 0);
	unsigned *runs = userdata;
	uint64_t n = 0;
	int r;

	while (cell_cursor_next(&cursor))
		n++;
	r = cell_cursor_end(&cursor);
	/* Another client, in the middle of it, once. */
	if (r == 0 && (*runs)++ == 0) {
		struct account phantom = account_of(150, 1);
		struct cell_call *other = cell_open("other");

		r = account_put(other, &phantom);
		cell_close(other);
	}
	last.balance = (int64_t)n;
	return r == 0 ? account_put(call, &last) : r;
}

START_TEST(phantom_makes_a_transaction_run_again)
{
	struct account got;
	unsigned runs = 0;

	put(101, 1);
	OK(cell_atomically(scene.call, sum_and_insert, &runs));
	ck_assert_uint_eq(runs, 2);
	OK(account_get(scene.call, 0, &got));
	ck_assert_int_eq(got.balance, 2);
}
END_TEST

static int deposit(struct cell_call *call, void *userdata)
{
	struct account account;
	int r = account_get(call, *(uint64_t *)userdata, &account);

	account.balance++;
	return r == 0 ? account_put(call, &account) : r;
}

static void depositor(struct cell_call *call, int out, void *userdata)
{
	uint64_t id = 1, done = 0;

	accounts_init();
	while (done < *(uint64_t *)userdata) {
		struct cell_arena_mark mark = cell_mark(call);
		int r = cell_atomically(call, deposit, &id);

		if (r < 0 && r != CELL_ABORTED)
			break;
		done += r == 0;
		cell_rewind(call, mark);
	}
	(void)!write(out, &done, sizeof done);
}

START_TEST(deposits_of_eight_clients_add_up)
{
	struct scene_client clients[8];
	uint64_t each = 100, done, all = 0;
	struct account got;

	put(1, 0);
	for (int i = 0; i < 8; i++)
		scene_client(&clients[i], depositor, &each);
	for (int i = 0; i < 8; i++) {
		scene_hear(&clients[i], &done, sizeof done);
		all += done;
		scene_client_end(&clients[i]);
	}
	OK(account_get(scene.call, 1, &got));
	ck_assert_uint_eq(all, 800);
	ck_assert_int_eq(got.balance, 800);
}
END_TEST

/* ---- watches ------------------------------------------------------------------------------ */

static void watcher(struct cell_call *call, int out, void *userdata)
{
	struct cell_cursor changes;
	struct cell_change *change;
	uint64_t seen[3];

	(void)userdata;
	accounts_init();
	changes = cell_table_watch(call, &account_table, 0);
	while ((change = cell_cursor_next(&changes))) {
		const struct account *before = change->before, *row = change->row;

		seen[0] = before ? (uint64_t)before->balance : 0;
		seen[1] = row ? (uint64_t)row->balance : 0;
		seen[2] = change->at;
		(void)!write(out, seen, sizeof seen);
		if (!row)
			break;
	}
	(void)cell_cursor_end(&changes);
}

START_TEST(watch_tells_what_was_and_what_comes)
{
	struct account gone = { .id = 1 };
	struct scene_client client;
	uint64_t seen[3], at = 0;

	put(1, 10);
	put(1, 20);
	scene_client(&client, watcher, NULL);
	for (unsigned i = 0; i < 4; i++) {
		if (i == 2)
			put(1, 30);
		if (i == 3)
			OK(cell_table_delete(scene.call, &account_table, &gone));
		scene_hear(&client, seen, sizeof seen);
		ck_assert_uint_eq(seen[0], i * 10);
		ck_assert_uint_eq(seen[1], i == 3 ? 0 : (i + 1) * 10);
		ck_assert_uint_gt(seen[2], at);
		at = seen[2];
	}
	scene_client_end(&client);
}
END_TEST

START_TEST(watch_from_before_the_log_is_out_of_range)
{
	struct cell_cursor changes;

	scene_deinit(&scene);
	start("env = CELL_CELLDB_LOG=5");
	for (int i = 0; i < 20; i++)
		put(1, i);
	changes = cell_table_watch(scene.call, &account_table, 1);
	ck_assert_ptr_null(cell_cursor_next(&changes));
	ck_assert_int_eq(cell_cursor_end(&changes), CELL_OUT_OF_RANGE);
}
END_TEST

/* ---- trouble ------------------------------------------------------------------------------ */

static const char *health(void)
{
	struct ops_health_report report;

	OK(ops_health(cell_to(scene.call, "celldb", 0), &report));
	return report.reason;
}

START_TEST(full_store_refuses_writes_and_serves_reads)
{
	struct account got;
	uint64_t id = 1000;
	int r;

	scene_deinit(&scene);
	start("env = CELL_CELLDB_MAX=1M");
	put(1, 10);
	do {
		struct account account = account_of(id++, 1);

		r = account_put(scene.call, &account);
	} while (r == 0 && id < 20000);
	ck_assert_int_eq(r, CELL_RESOURCE_EXHAUSTED);
	ck_assert_ptr_nonnull(strstr(cell_error(scene.call)->text, "1048576"));
	ck_assert_str_ne(health(), "");
	/* What was acknowledged is there, and can be read. */
	OK(account_get(scene.call, 1, &got));
	ck_assert_int_eq(got.balance, 10);
	OK(account_get(scene.call, id - 2, &got));
	ck_assert_int_eq(account_get(scene.call, id - 1, &got), CELL_NOT_FOUND);
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
	tcase_add_test(tc, scans_go_by_index_prefix_range_and_backwards);
	tcase_add_test(tc, serial_numbers_and_defaults_come_with_inserts);
	tcase_add_test(tc, readers_never_see_half_of_a_transaction);
	tcase_add_test(tc, scan_is_of_one_moment);
	tcase_add_test(tc, phantom_makes_a_transaction_run_again);
	tcase_add_test(tc, deposits_of_eight_clients_add_up);
	tcase_add_test(tc, watch_tells_what_was_and_what_comes);
	tcase_add_test(tc, watch_from_before_the_log_is_out_of_range);
	tcase_add_test(tc, full_store_refuses_writes_and_serves_reads);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
