/*
 * Rows of tables outside of transactions: against a database in a process of its own.
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
	static struct memdb memdb;

	(void)setenv("CELL_LOG", "err", 1);
	accounts_init();
	shared = memdb_shared_new();
	memdb = (struct memdb){ "celldb", accounts_told, 2, shared };
	crew_start(&crew, &(struct crew_member){ "celldb", memdb_serve, &memdb }, 1);
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

static void fill(struct cell_call *by, uint64_t from, uint64_t to)
{
	for (uint64_t id = from; id <= to; id++) {
		char owner[32];
		struct account account = { .id = id, .owner = owner, .balance = (int64_t)id * 10,
					   .has_city = id % 2, .city = id % 4 == 1 ? "Rome" : "Oslo" };

		(void)snprintf(owner, sizeof owner, "owner %03u", (unsigned)id);
		ck_assert_msg(account_put(by, &account) == 0, "%s", cell_error(by)->text);
	}
}

START_TEST(row_that_was_put_is_got)
{
	struct account account = { .id = 9, .owner = "Ada", .balance = 5 }, got = { .id = 77 };

	fails(account_get(call, 9, &got), CELL_NOT_FOUND, "no account with id 9");
	ck_assert_uint_eq(got.id, 77); /* written on success only */
	ok(account_put(call, &account));
	ok(account_get(call, 9, &got));
	ck_assert_uint_eq(got.id, 9);
	ck_assert_str_eq(got.owner, "Ada");
	ck_assert_int_eq(got.balance, 5);
	ck_assert(!got.has_city);
	ck_assert_str_eq(got.city, "");
	ck_assert_int_eq(got.twice, 10);
	got.owner = "Ada";
	ok(cell_table_get(call, &account_table, ACCOUNT_BY_OWNER, &got, &got));
	ck_assert_uint_eq(got.id, 9);
	fails(account_by_owner(call, "Bob", &got), CELL_NOT_FOUND, "no account with owner Bob");
}
END_TEST

START_TEST(put_of_a_row_that_changed_since_it_was_read_is_aborted)
{
	struct account mine, theirs;

	fill(call, 1, 2);
	ok(account_get(call, 1, &mine));
	ck_assert_int_eq(account_get(other, 1, &theirs), 0);
	theirs.balance += 7;
	ck_assert_int_eq(account_put(other, &theirs), 0);
	mine.balance += 1;
	fails(account_put(call, &mine), CELL_ABORTED, "account with id 1 has changed since it was read");
	ok(account_get(call, 1, &mine));
	ck_assert_int_eq(mine.balance, 17);
	mine.balance += 1;
	ok(account_put(call, &mine));
	mine.balance += 1; /* its own write is known to it */
	ok(account_put(call, &mine));
	ck_assert_int_eq(cell_table_delete(other, &account_table, &theirs), CELL_ABORTED);
	/* A row that nobody read is put whatever it was. */
	mine = (struct account){ .id = 2, .owner = "Bob", .balance = 1 };
	ok(account_put(call, &mine));
}
END_TEST

START_TEST(what_was_not_there_counts_as_read)
{
	struct account mine, theirs = { .id = 5, .owner = "Eve", .balance = 1 };

	ck_assert_int_eq(account_get(call, 5, &mine), CELL_NOT_FOUND);
	ck_assert_int_eq(account_put(other, &theirs), 0);
	mine = (struct account){ .id = 5, .owner = "Ada" };
	ck_assert_int_eq(account_put(call, &mine), CELL_ABORTED);
	ck_assert_int_eq(account_get(call, 6, &mine), CELL_NOT_FOUND);
	mine = (struct account){ .id = 6, .owner = "Ada" };
	ok(cell_table_insert(call, &account_table, &mine));
	mine.balance = 3;
	ok(account_put(call, &mine));
	ok(cell_table_delete(call, &account_table, &mine));
	ok(account_put(call, &mine));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("rows");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, row_that_was_put_is_got);
	tcase_add_test(tc, put_of_a_row_that_changed_since_it_was_read_is_aborted);
	tcase_add_test(tc, what_was_not_there_counts_as_read);
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
