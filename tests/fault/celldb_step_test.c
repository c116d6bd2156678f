/*
 * A transfer between two databases, brought to each of its steps by who is stopped, and then
 * one of the parties is killed: money is conserved, and nothing stays in doubt.
 */
#include "database.h"

#include <celldb.cell.h>
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <txn.cell.h>
#include <unistd.h>

#define MONEY    1000
#define DOUBT_NS 5000000000ull

enum step { BEGUN, ONE_PREPARED, ALL_PREPARED, DECIDED, ONE_TOLD, STEPS };
enum party { PROGRAM, LEFT, RIGHT, TXN, PARTIES };

static const char *const step_names[] = { "begun", "one prepared", "all prepared", "decided",
					  "one told" };
static const char *const cells[] = { "program", "celldb", "postgres", "txn" };

static struct scene scene;
static pid_t pids[PARTIES];

static void setup(void)
{
	struct account account = { .id = 1, .owner = "Ada", .balance = MONEY };
	const struct txn_list_request all = { 0 };
	struct txn_listed listed;

	scene_init(&scene);
	database_cell(&scene, "");
	database_cell_as(&scene, "postgres", "");
	database_txn(&scene);
	scene_start(&scene);
	scene_join(&scene);
	database_provision_accounts(scene.call);
	database_provision_at(scene.call, "postgres", &accounts_told[0]);
	ck_assert_int_eq(cell_table_put(scene.call, &account_table, &account), 0);
	ck_assert_int_eq(cell_table_put(scene.call, &far_account_table, &account), 0);
	/* Started when it is first asked. */
	ck_assert_int_eq(txn_list(cell_to(scene.call, "txn", 0), &all, &listed), 0);
}

static void teardown(void)
{
	scene_deinit(&scene);
}

#define OK(r) ck_assert_msg((r) == 0, "%s", cell_error(scene.call)->text)

/* ---- the program ----------------------------------------------------------------- */

static int transfer(struct cell_call *call)
{
	const struct account key = { .id = 1 };
	struct account here, there;
	int r = cell_table_get(call, &account_table, 0, &key, &here);

	if (r == 0)
		r = cell_table_get(call, &far_account_table, 0, &key, &there);
	if (r < 0)
		return r;
	/* Until we are told to go on. */
	(void)raise(SIGSTOP);
	here.balance -= 5;
	there.balance += 5;
	r = cell_table_put(call, &account_table, &here);
	return r == 0 ? cell_table_put(call, &far_account_table, &there) : r;
}

static void program(struct cell_call *call, int out, void *userdata)
{
	int r;

	(void)userdata;
	accounts_init();
	r = cell_txn_begin(call);
	r = cell_txn_end(call, r ? r : transfer(call));
	(void)!write(out, &r, sizeof r);
}

/* ---- what is seen from outside --------------------------------------------------- */

static bool is_prepared(enum party party)
{
	struct celldb_database_stats stats;

	OK(celldb_admin_stats(cell_to(scene.call, cells[party], 0), &stats));
	return stats.prepared > 0;
}

/* Whether a transaction is under way, in STATE. */
static bool is_under_way(enum txn_state state)
{
	const struct txn_list_request all = { 0 };
	struct txn_listed listed;

	OK(txn_list(cell_to(scene.call, "txn", 0), &all, &listed));
	return listed.n_transactions && listed.transactions[0].state == state;
}

static int64_t balance(const struct cell_table *table)
{
	struct account got;

	OK(cell_table_get(scene.call, table, 0, &(struct account){ .id = 1 }, &got));
	return got.balance;
}

static void stop(enum party party)
{
	ck_assert_int_eq(kill(pids[party], SIGSTOP), 0);
}

static void go_on(enum party party)
{
	(void)kill(pids[party], SIGCONT);
}

#define AWAIT(claim)                                                                         \
	do {                                                                                 \
		uint64_t until = scene_now_ns() + SCENE_PATIENCE_MS * 1000000ull;            \
		while (!(claim)) {                                                           \
			ck_assert_msg(scene_now_ns() < until, "%s", #claim);                 \
			OK(cell_sleep_ms(scene.call, 2));                                    \
		}                                                                            \
	} while (0)

static bool is_given_up(void)
{
	const struct txn_list_request all = { 0 };
	struct txn_listed listed;

	OK(txn_list(cell_to(scene.call, "txn", 0), &all, &listed));
	return listed.n_transactions == 0 ||
	       listed.transactions[0].state == TXN_STATE_ABORTED;
}

/*
 * The coordinator gives up after 3 s: long before it does we are there, unless the machine has
 * other things to do. False: it has, nothing has happened, and the client is gone.
 */
static bool reach(enum step step, struct scene_client *client)
{
	int answer = 0;
	int status;

	for (enum party p = LEFT; p < PARTIES; p++)
		pids[p] = (pid_t)scene_instance(&scene, cells[p]).pid;
	scene_client(client, program, NULL);
	pids[PROGRAM] = client->pid;
	ck_assert_int_eq(waitpid(client->pid, &status, WUNTRACED), client->pid);
	ck_assert(WIFSTOPPED(status));
	stop(RIGHT);
	if (step != ONE_PREPARED)
		stop(LEFT);
	go_on(PROGRAM);
	AWAIT(is_under_way(TXN_STATE_PENDING));
	if (step == ONE_PREPARED)
		AWAIT(is_prepared(LEFT));
	if (step <= ONE_PREPARED)
		return true;
	stop(TXN);
	go_on(LEFT);
	go_on(RIGHT);
	AWAIT(is_prepared(LEFT) && is_prepared(RIGHT));
	if (step == ALL_PREPARED)
		return true;
	stop(LEFT);
	stop(RIGHT);
	go_on(TXN);
	AWAIT(is_under_way(TXN_STATE_COMMITTED) || is_given_up());
	if (!is_under_way(TXN_STATE_COMMITTED)) {
		go_on(LEFT);
		go_on(RIGHT);
		scene_hear(client, &answer, sizeof answer);
		ck_assert_int_eq(answer, CELL_ABORTED);
		scene_client_end(client);
		return false;
	}
	if (step == DECIDED)
		return true;
	go_on(LEFT);
	AWAIT(!is_prepared(LEFT));
	return true;
}

/* ---- the story ------------------------------------------------------------------- */

static bool is_in_doubt(void)
{
	const struct txn_list_request all = { 0 };
	struct txn_listed listed;

	OK(txn_list(cell_to(scene.call, "txn", 0), &all, &listed));
	return listed.n_transactions || is_prepared(LEFT) || is_prepared(RIGHT);
}

static void kill_at(enum step step, enum party victim)
{
	int64_t before = balance(&account_table), after;
	struct scene_client client;
	uint64_t back, took;
	int answer = 0;
	bool has_answer = victim != PROGRAM;

	while (!reach(step, &client))
		AWAIT(!is_in_doubt());
	ck_assert_int_eq(kill(pids[victim], SIGKILL), 0);
	for (enum party p = 0; p < PARTIES; p++)
		if (p != victim)
			go_on(p);
	if (victim == PROGRAM)
		ck_assert_int_eq(waitpid(client.pid, NULL, 0), client.pid);
	else
		AWAIT((pid_t)scene_instance(&scene, cells[victim]).pid != pids[victim]);
	back = scene_now_ns();
	while (is_in_doubt()) {
		ck_assert_msg(scene_now_ns() - back < DOUBT_NS,
			      "%s, %s killed: still in doubt", step_names[step],
			      cells[victim]);
		OK(cell_sleep_ms(scene.call, 10));
	}
	took = scene_now_ns() - back;
	if (has_answer) {
		scene_hear(&client, &answer, sizeof answer);
		scene_client_end(&client);
	} else {
		(void)close(client.fd);
	}
	after = balance(&account_table);
	printf("%s, %s killed: %s, in doubt for %.1f s, %d moved\n", step_names[step],
	       cells[victim],
	       !has_answer ? "no answer"
	       : answer    ? cell_status_name(answer)
			   : "moved",
	       (double)took / 1e9, (int)(before - after));
	ck_assert_int_eq(after + balance(&far_account_table), 2 * MONEY);
	ck_assert(after == before || after == before - 5);
	if (has_answer && answer == 0)
		ck_assert_int_eq(after, before - 5);
	if (has_answer && answer == CELL_ABORTED)
		ck_assert_int_eq(after, before);
	/* The program had not come to its commit; the decision was on the disk. */
	if (victim == PROGRAM && step <= ONE_PREPARED)
		ck_assert_int_eq(after, before);
	if (step >= DECIDED)
		ck_assert_int_eq(after, before - 5);
}

START_TEST(whoever_is_killed_money_is_conserved)
{
	for (enum party victim = 0; victim < PARTIES; victim++)
		kill_at((enum step)_i, victim);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("celldb step");
	TCase *tc = tcase_create("celldb step");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, whoever_is_killed_money_is_conserved, 0, STEPS);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
