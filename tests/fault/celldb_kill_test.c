/*
 * kill -9 of the database, and of everybody else in a transaction, at bad moments.
 */
#include "database.h"

#include <celldb.cell.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct scene scene;

static void setup(void)
{
	scene_init(&scene);
	database_cell(&scene, "");
	database_cell_as(&scene, "postgres", "");
	database_txn(&scene);
	scene_start(&scene);
	scene_join(&scene);
	database_provision_accounts(scene.call);
}

static void teardown(void)
{
	scene_deinit(&scene);
}

#define OK(r) ck_assert_msg((r) == 0, "%s", cell_error(scene.call)->text)

/* ---- commits ------------------------------------------------------------------------------ */

#define CLIENTS 4
/* One more within a minute, and the node gives a cell up. */
#define KILLS	4

/* Told through the pipe before and after each commit; the last ones are looked at. */
struct progress {
	uint64_t sent, acknowledged;
};

static int increment(struct cell_call *call, void *userdata)
{
	struct account account;
	int r = account_get(call, *(uint64_t *)userdata, &account);

	account.balance++;
	return r == 0 ? account_put(call, &account) : r;
}

/* Its own account, and one for each commit. Until it is told to stop: its stdin closes. */
static void committer(struct cell_call *call, int out, void *userdata)
{
	uint64_t id = *(uint64_t *)userdata;
	struct progress progress = { 0 };
	int failures = 0;

	accounts_init();
	while (progress.acknowledged < 400 && failures < 200) {
		struct cell_arena_mark mark = cell_mark(call);
		int r;

		progress.sent = progress.acknowledged + 1;
		r = cell_atomically(call, increment, &id);
		progress.acknowledged += r == 0;
		failures += r != 0;
		cell_rewind(call, mark);
		if (r != 0 && r != CELL_ABORTED)
			break; /* it may have happened or not */
	}
	(void)!write(out, &progress, sizeof progress);
}

/* A moment that is another one each time, within so many microseconds. */
static void wait_some(unsigned most_us)
{
	static unsigned seed = 12345;

	seed = seed * 1103515245 + 12345;
	(void)usleep(1000 + seed / 65536 * 37 % most_us);
}

START_TEST(acknowledged_commits_survive_kills_and_none_happens_twice)
{
	struct scene_client clients[CLIENTS];
	uint64_t ids[CLIENTS];
	struct account got;

	for (uint64_t i = 0; i < CLIENTS; i++) {
		struct account account = { .id = i, .balance = 0 };

		ids[i] = i;
		account.owner = cell_arena_printf(cell_arena(scene.call), "client %d", (int)i);
		OK(account_put(scene.call, &account));
		scene_client(&clients[i], committer, &ids[i]);
	}
	for (int i = 0; i < KILLS; i++) {
		wait_some(120000);
		database_kill(&scene, "celldb");
	}
	for (uint64_t i = 0; i < CLIENTS; i++) {
		struct progress progress;

		scene_hear(&clients[i], &progress, sizeof progress);
		scene_client_end(&clients[i]);
		OK(account_get(scene.call, i, &got));
		printf("client %d: sent %d, acknowledged %d, there %d\n", (int)i,
		       (int)progress.sent, (int)progress.acknowledged, (int)got.balance);
		ck_assert_uint_ge((uint64_t)got.balance, progress.acknowledged);
		ck_assert_uint_le((uint64_t)got.balance, progress.sent);
		/* The client repeats what was lost: all are there, each once. */
		ck_assert_uint_eq(progress.acknowledged, 400);
	}
}
END_TEST

/* ---- transactions over two cells ------------------------------------------------------------- */

static int transfer(struct cell_call *call, void *userdata)
{
	const struct account key = { .id = *(uint64_t *)userdata };
	struct account here, there;
	int r = cell_table_get(call, &account_table, 0, &key, &here);

	if (r == 0)
		r = cell_table_get(call, &far_account_table, 0, &key, &there);
	if (r < 0)
		return r;
	here.balance -= 1;
	there.balance += 1;
	r = cell_table_put(call, &account_table, &here);
	return r == 0 ? cell_table_put(call, &far_account_table, &there) : r;
}

static void mover(struct cell_call *call, int out, void *userdata)
{
	uint64_t id = *(uint64_t *)userdata, done = 0, ends = scene_now_ns() + 6000000000ull;

	accounts_init();
	while (scene_now_ns() < ends && done < 500) {
		struct cell_arena_mark mark = cell_mark(call);

		done += cell_atomically(cell_within_ms(call, 5000), transfer, &id) == 0;
		cell_rewind(call, mark);
	}
	(void)!write(out, &done, sizeof done);
}

static uint32_t in_doubt(const char *cell)
{
	struct celldb_database_stats stats;

	OK(celldb_admin_stats(cell_to(scene.call, cell, 0), &stats));
	return stats.prepared;
}

static int64_t sum(const struct cell_table *table)
{
	struct cell_cursor all = cell_table_scan(scene.call, table, &(struct cell_scan){ .key = 0 });
	int64_t total = 0;

	for (struct account *a; (a = cell_cursor_next(&all));)
		total += a->balance;
	OK(cell_cursor_end(&all));
	return total;
}

START_TEST(money_is_conserved_whoever_dies)
{
	static const char *const victims[] = { "celldb", "txn", "postgres" };
	struct scene_client clients[2];
	uint64_t ids[2] = { 0, 1 }, done, all = 0, ended;

	database_provision_at(scene.call, "postgres", &accounts_told[0]);
	for (uint64_t i = 0; i < 2; i++) {
		struct account account = { .id = i, .balance = 1000 };

		account.owner = cell_arena_printf(cell_arena(scene.call), "owner %d", (int)i);
		OK(cell_table_put(scene.call, &account_table, &account));
		OK(cell_table_put(scene.call, &far_account_table, &account));
	}
	for (int i = 0; i < 2; i++)
		scene_client(&clients[i], mover, &ids[i]);
	for (int i = 0; i < 3 * KILLS; i++) {
		wait_some(250000);
		database_kill(&scene, victims[i % 3]);
	}
	for (int i = 0; i < 2; i++) {
		scene_hear(&clients[i], &done, sizeof done);
		scene_client_end(&clients[i]);
		all += done;
	}
	/* Nothing stays in doubt for more than 5 s after they are back. */
	ended = scene_now_ns();
	while ((in_doubt("celldb") || in_doubt("postgres")) &&
	       scene_now_ns() - ended < 5000000000ull)
		OK(cell_sleep_ms(scene.call, 50));
	printf("%d transfers; in doubt for %.1f s more\n", (int)all,
	       (double)(scene_now_ns() - ended) / 1e9);
	ck_assert_uint_eq(in_doubt("celldb"), 0);
	ck_assert_uint_eq(in_doubt("postgres"), 0);
	ck_assert_int_eq(sum(&account_table) + sum(&far_account_table), 4000);
	ck_assert_uint_gt(all, 0);
	/* At least those that were acknowledged have happened. */
	ck_assert_int_le(sum(&account_table), 2000 - (int64_t)all);
}
END_TEST

/* A transaction whose coordinator knows nothing of it was given up. */
START_TEST(prepared_row_is_free_again_when_nobody_knows_its_transaction)
{
	struct account ada = { .id = 7, .owner = "Ada", .balance = 12 }, got;
	uint8_t txn[16] = { 9, 9, 9 }, row[] = { 8, 7, 18, 1, 'B', 24, 5, 32, 0 };
	struct table_table_ref table = { .store = "bank", .name = "account",
					 .version = account_table.version };
	struct table_write write = { .n_row = sizeof row, .row = row };
	struct table_commit_request commit = { .n_tables = 1, .tables = &table, .n_writes = 1,
					       .writes = &write };
	struct table_prepare_request prepare = { .n_txn = 16, .txn = txn, .coordinator = "txn",
						 .commit = &commit };
	struct table_prepared prepared;
	uint64_t began;
	int r;

	OK(account_put(scene.call, &ada));
	OK(table_tables_prepare(cell_to(scene.call, "celldb", 0), &prepare, &prepared));
	ck_assert_uint_eq(in_doubt("celldb"), 1);
	ck_assert_int_eq(account_put(scene.call, &ada), CELL_ABORTED);
	ck_assert_ptr_nonnull(strstr(cell_error(scene.call)->text, "transaction 090909"));
	database_kill(&scene, "celldb");
	/* Readers do not wait for it. */
	OK(account_get(scene.call, 7, &got));
	ck_assert_str_eq(got.owner, "Ada");
	began = scene_now_ns();
	while ((r = account_put(scene.call, &ada)) == CELL_ABORTED &&
	       scene_now_ns() - began < 5000000000ull)
		OK(cell_sleep_ms(scene.call, 20));
	OK(r);
	ck_assert_uint_eq(in_doubt("celldb"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("celldb kill");
	TCase *tc = tcase_create("celldb kill");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, acknowledged_commits_survive_kills_and_none_happens_twice);
	tcase_add_test(tc, money_is_conserved_whoever_dies);
	tcase_add_test(tc, prepared_row_is_free_again_when_nobody_knows_its_transaction);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
