/*
 * Rows of tables outside of transactions: against a database in a process of its own.
 */
#include "accounts.h"
#include "crew.h"
#include "memdb.h"

#include <cell/linked.h>
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
	memdb = (struct memdb){ "celldb", accounts_told, 3, shared };
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
		struct account account = { .id = id,
					   .owner = owner,
					   .balance = (int64_t)id * 10,
					   .has_city = id % 2,
					   .city = id % 4 == 1 ? "Rome" : "Oslo" };

		(void)snprintf(owner, sizeof owner, "owner %03u", (unsigned)id);
		ck_assert_msg(account_put(by, &account) == 0, "%s", cell_error(by)->text);
	}
}

START_TEST(row_that_was_put_is_got)
{
	struct account account = { .id = 9, .owner = "Ada", .balance = 5 },
		       got = { .id = 77 };

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
	fails(account_by_owner(call, "Bob", &got), CELL_NOT_FOUND,
	      "no account with owner Bob");
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
	fails(account_put(call, &mine), CELL_ABORTED,
	      "account with id 1 has changed since it was read");
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

/* --- cursors ------------------------------------------------------------------------------
 */

/* "1 2 3": the ids of a scan, and its end. */
static const char *ids_of(struct cell_call *by, const struct cell_scan *scan, int *ret_end)
{
	static char text[4096];
	struct cell_cursor cursor = cell_table_scan(by, &account_table, scan);
	struct account *account;
	size_t at = 0;

	text[0] = '\0';
	while ((account = cell_cursor_next(&cursor)) && at < sizeof text - 32)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%u", at ? " " : "",
				       (unsigned)account->id);
	*ret_end = cell_cursor_end(&cursor);
	return text;
}

static void scans(struct cell_scan scan, const char *ids)
{
	int end;

	ck_assert_str_eq(ids_of(call, &scan, &end), ids);
	ok(end);
}

START_TEST(scan_gives_what_is_within_in_order)
{
	struct account three = { .id = 3 }, six = { .id = 6 };
	struct account rome = { .has_city = true, .city = "Rome" },
		       o = { .owner = "owner 01" };

	fill(call, 1, 12);
	shared->rows_per_item = 1 + (unsigned)_i * 2;
	scans((struct cell_scan){ 0 }, "1 2 3 4 5 6 7 8 9 10 11 12");
	scans((struct cell_scan){ .from = &three, .n_from = 1 }, "3 4 5 6 7 8 9 10 11 12");
	scans((struct cell_scan){ .from = &three, .n_from = 1, .to = &six, .n_to = 1 },
	      "3 4 5 6");
	scans((struct cell_scan){ .to = &six, .n_to = 1, .is_backwards = true },
	      "6 5 4 3 2 1");
	scans((struct cell_scan){ .limit = 4 }, "1 2 3 4");
	scans((struct cell_scan){ .is_backwards = true, .limit = 2 }, "12 11");
	scans((struct cell_scan){ .key = ACCOUNT_BY_OWNER,
				  .from = &o,
				  .n_from = 1,
				  .is_prefix = true },
	      "10 11 12");
	/* NULL comes first, rows of one city by their key. */
	scans((struct cell_scan){ .key = ACCOUNT_BY_CITY }, "2 4 6 8 10 12 3 7 11 1 5 9");
	scans((struct cell_scan){ .key = ACCOUNT_BY_CITY,
				  .from = &rome,
				  .n_from = 1,
				  .to = &rome,
				  .n_to = 1 },
	      "1 5 9");
	scans((struct cell_scan){ .key = ACCOUNT_BY_CITY,
				  .from = &rome,
				  .n_from = 1,
				  .to = &rome,
				  .n_to = 1,
				  .is_backwards = true,
				  .limit = 2 },
	      "9 5");
}
END_TEST

/* In a transaction that has changed, removed and added some, in each direction. */
START_TEST(scan_shows_what_its_transaction_wrote)
{
	struct account two = {
		.id = 2, .owner = "owner 002", .has_city = true, .city = "Rome"
	};
	struct account rome = { .has_city = true, .city = "Rome" },
		       o = { .owner = "owner 01" };
	struct account six = { .id = 6 }, four = { .id = 4 };
	struct account nine = { .id = 9, .owner = "moved", .has_city = true, .city = "Bern" };
	struct account new_one = {
		.id = 20, .owner = "owner 011a", .has_city = true, .city = "Rome"
	};

	fill(call, 1, 12);
	shared->rows_per_item = 1 + (unsigned)_i * 2;
	ok(cell_txn_begin(call));
	ok(account_put(call, &two));
	ok(account_put(call, &nine));
	ok(cell_table_insert(call, &account_table, &new_one));
	ok(cell_table_delete(call, &account_table, &six));
	ok(cell_table_delete(call, &account_table, &(struct account){ .id = 11 }));
	scans((struct cell_scan){ 0 }, "1 2 3 4 5 7 8 9 10 12 20");
	scans((struct cell_scan){ .is_backwards = true }, "20 12 10 9 8 7 5 4 3 2 1");
	scans((struct cell_scan){ .limit = 3, .is_backwards = true }, "20 12 10");
	scans((struct cell_scan){ .from = &four, .n_from = 1, .limit = 3 }, "4 5 7");
	scans((struct cell_scan){ .key = ACCOUNT_BY_CITY }, "4 8 10 12 9 3 7 1 2 5 20");
	scans((struct cell_scan){ .key = ACCOUNT_BY_CITY, .is_backwards = true },
	      "20 5 2 1 7 3 9 12 10 8 4");
	scans((struct cell_scan){ .key = ACCOUNT_BY_CITY,
				  .from = &rome,
				  .n_from = 1,
				  .to = &rome,
				  .n_to = 1 },
	      "1 2 5 20");
	scans((struct cell_scan){ .key = ACCOUNT_BY_OWNER,
				  .from = &o,
				  .n_from = 1,
				  .is_prefix = true },
	      "10 20 12");
	ok(cell_txn_end(call, 0));
	scans((struct cell_scan){ 0 }, "1 2 3 4 5 7 8 9 10 12 20");
}
END_TEST

START_TEST(cursor_is_of_one_moment)
{
	struct cell_cursor cursor;
	struct account *account;
	unsigned n = 0;

	fill(call, 1, 5);
	shared->rows_per_item = 1;
	cursor = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	ck_assert_ptr_nonnull(cell_cursor_next(&cursor));
	fill(other, 6, 8);
	while ((account = cell_cursor_next(&cursor)))
		n++;
	ok(cell_cursor_end(&cursor));
	ck_assert_uint_eq(n, 4);
	/* What its own transaction writes later does not show either. */
	ok(cell_txn_begin(call));
	ok(account_put(call, &(struct account){ .id = 9, .owner = "nine" }));
	cursor = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	ok(account_put(call, &(struct account){ .id = 9, .owner = "NINE" }));
	ok(account_put(call, &(struct account){ .id = 10, .owner = "ten" }));
	ok(cell_table_delete(call, &account_table, &(struct account){ .id = 8 }));
	for (n = 0; (account = cell_cursor_next(&cursor)); n++)
		if (account->id == 9)
			ck_assert_str_eq(account->owner, "nine");
	ok(cell_cursor_end(&cursor));
	ck_assert_uint_eq(n, 9);
	ok(cell_txn_end(call, 0));
	scans((struct cell_scan){ .is_backwards = true, .limit = 3 }, "10 9 7");
}
END_TEST

/* What a cursor has seen in a transaction must be so at its end: and no more than that. */
static int scan_and_write(unsigned rows, uint64_t theirs)
{
	struct cell_cursor cursor;

	ok(cell_txn_begin(call));
	cursor = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	for (unsigned i = 0; i < rows; i++)
		ck_assert_ptr_nonnull(cell_cursor_next(&cursor));
	ok(cell_cursor_end(&cursor));
	fill(other, theirs, theirs);
	ok(account_put(call, &(struct account){ .id = 99, .owner = "mine" }));
	return cell_txn_end(call, 0);
}

START_TEST(ranges_that_were_read_are_checked_as_far_as_they_were)
{
	fill(call, 2, 9);
	shared->rows_per_item = 3;
	shared->marks_at_end_only = _i;
	if (!_i)
		ok(scan_and_write(3, 20)); /* read to the third row: 20 is behind */
	ck_assert_int_eq(scan_and_write(3, 3), CELL_ABORTED);
	ck_assert_int_eq(scan_and_write(1, 1), CELL_ABORTED);
	ok(scan_and_write(0, 1));
	fill(other, 5, 5);
	ck_assert_int_eq(scan_and_write(8, 30), _i ? CELL_ABORTED : 0);
}
END_TEST

START_TEST(cursor_ends_with_its_transaction_and_with_its_call)
{
	struct cell_cursor cursor, left;

	fill(call, 1, 9);
	shared->rows_per_item = 1;
	left = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	ck_assert_ptr_nonnull(cell_cursor_next(&left));
	ok(cell_txn_begin(call));
	cursor = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	ck_assert_ptr_nonnull(cell_cursor_next(&cursor));
	ok(account_put(call, &(struct account){ .id = 5, .owner = "five" }));
	ok(cell_txn_end(call, 0)); /* it was still open, and counted */
	ck_assert_uint_eq(shared->n_ranges, 1);
	ck_assert_ptr_null(cell_cursor_next(&cursor));
	fails(cell_cursor_end(&cursor), CELL_CANCELLED, "the cursor's transaction has ended");
	ck_assert_ptr_nonnull(cell_cursor_next(&left)); /* forgotten: the call ends it */
}
END_TEST

START_TEST(rows_of_a_cursor_count_as_read)
{
	struct cell_cursor cursor;
	struct account *account, copy = { 0 };

	fill(call, 1, 3);
	cursor = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	while ((account = cell_cursor_next(&cursor)))
		if (account->id == 2)
			copy = (struct account){ .id = 2, .owner = "mine", .balance = 1 };
	ok(cell_cursor_end(&cursor));
	fill(other, 2, 2);
	ck_assert_int_eq(account_put(call, &copy), CELL_ABORTED);
	copy.id = 3;
	ok(account_put(call, &copy));
}
END_TEST

START_TEST(cursor_says_why_it_stopped)
{
	struct cell_cursor cursor;

	fill(call, 1, 3);
	shared->lie_len = 2;
	shared->lie[0] = 0x12; /* an owner of more bytes than there are */
	shared->lie[1] = 0x7f;
	cursor = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	ck_assert_ptr_null(cell_cursor_next(&cursor));
	fails(cell_cursor_end(&cursor), CELL_INTERNAL,
	      "account.owner: its length is more than there is");
	shared->hang_up = MEMDB_SCAN;
	cursor = cell_table_scan(call, &account_table, &(struct cell_scan){ 0 });
	ck_assert_ptr_null(cell_cursor_next(&cursor));
	ck_assert_int_eq(cell_cursor_end(&cursor), CELL_UNAVAILABLE);
	ck_assert_int_eq(cell_cursor_end(&cursor), CELL_UNAVAILABLE);
}
END_TEST

/* Sanitizers take their time, and keep what was freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROWS        150000
#define IS_MEASURED false
#else
#define ROWS        1000000
#define IS_MEASURED true
#endif

static size_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long total = 0, pages = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%lu %lu", &total, &pages), 2);
	ck_assert_int_eq(fclose(file), 0);
	return pages * 4096;
}

static void walk_all(uint64_t n_rows)
{
	struct cell_cursor cursor =
		cell_table_scan(call, &bulk_table, &(struct cell_scan){ 0 });
	struct account *account;
	size_t before = 0;
	uint64_t n = 0;

	while ((account = cell_cursor_next(&cursor))) {
		ck_assert_uint_eq(account->id, n);
		/* Versions of 65,536 rows are there by then. */
		if (++n == 100000)
			before = resident();
	}
	ok(cell_cursor_end(&cursor));
	ck_assert_uint_eq(n, n_rows);
	ck_assert(!IS_MEASURED || resident() <= before + 512 * 1024);
}

START_TEST(memory_is_flat_over_a_million_rows)
{
	enum { N = ROWS, CHUNK = 1000 };
	static struct account rows[CHUNK];

	for (uint64_t id = 0; id < N; id += CHUNK) {
		for (uint64_t i = 0; i < CHUNK; i++)
			rows[i] = (struct account){ .id = id + i,
						    .owner = "",
						    .balance = 1,
						    .has_city = true,
						    .city = "somewhere" };
		ok(cell_table_put_all(call, &bulk_table, rows, CHUNK));
	}
	walk_all(N);
	ok(cell_txn_begin(call));
	walk_all(N);
	ok(cell_txn_end(call, 0));
}
END_TEST

/* --- the rest
 * -------------------------------------------------------------------------------- */

START_TEST(insert_fills_in_what_is_missing)
{
	struct ticket ticket = { .state = "" }, got;
	struct account account = { .id = 1, .owner = "Ada", .balance = 4 };
	uint8_t zero[16] = { 0 };

	ok(cell_table_insert(call, &ticket_table, &ticket));
	ck_assert_uint_eq(ticket.id, 1);
	ck_assert_str_eq(ticket.state, "new");
	ck_assert(ticket.has_made_at && ticket.made_at > 1600000000000000);
	ck_assert_int_ne(memcmp(ticket.token, zero, 16), 0);
	ck_assert_uint_eq(ticket.token[6] >> 4, 4);
	ck_assert_uint_eq(ticket.token[8] >> 6, 2);
	ck_assert_uint_eq(ticket.seats, 2);
	ok(cell_table_get(call, &ticket_table, 0, &ticket, &got));
	ck_assert_int_eq(memcmp(got.token, ticket.token, 16), 0);
	ck_assert_int_eq(got.made_at, ticket.made_at);
	/* What is there stays, zero too if it could be NULL. */
	ticket = (struct ticket){
		.id = 50, .state = "old", .has_made_at = true, .has_seats = true
	};
	ok(cell_table_insert(call, &ticket_table, &ticket));
	ok(cell_table_get(call, &ticket_table, 0, &ticket, &got));
	ck_assert_uint_eq(got.id, 50);
	ck_assert_int_eq(got.made_at, 0);
	ck_assert(got.has_seats && got.seats == 0);
	ck_assert_str_eq(got.state, "old");
	/* Computed ones come back. */
	ok(cell_table_insert(call, &account_table, &account));
	ck_assert_int_eq(account.twice, 8);
	ck_assert_str_eq(account.owner, "Ada");
	fails(cell_table_insert(call, &account_table, &account), CELL_ALREADY_EXISTS,
	      "account: its key is there already");
	account = (struct account){ .id = 2, .owner = "Ada" };
	fails(cell_table_insert(call, &account_table, &account), CELL_ALREADY_EXISTS,
	      "account: another row has this owner");
	account = (struct account){ .id = 2, .owner = "Bob", .balance = -1 };
	ck_assert_int_eq(account_put(call, &account), CELL_FAILED_PRECONDITION);
	ck_assert_ptr_nonnull(strstr(cell_error(call)->text, "balance >= 0"));
}
END_TEST

START_TEST(numbers_are_nobody_elses)
{
	uint32_t mine[20], theirs[20];
	struct ticket ticket;

	for (unsigned i = 0; i < 20; i++) {
		ticket = (struct ticket){ .state = "" };
		ok(cell_table_insert(call, &ticket_table, &ticket));
		mine[i] = ticket.id;
		ticket = (struct ticket){ .state = "" };
		ck_assert_int_eq(cell_table_insert(other, &ticket_table, &ticket), 0);
		theirs[i] = ticket.id;
	}
	for (unsigned i = 0; i < 20; i++)
		for (unsigned k = 0; k < 20; k++)
			ck_assert((i == k || mine[i] != mine[k]) && mine[i] != theirs[k]);
}
END_TEST

START_TEST(update_and_delete_want_the_row_to_be_there)
{
	struct account account = { .id = 7, .owner = "Ada" };

	fails(cell_table_update(call, &account_table, &account), CELL_NOT_FOUND,
	      "no account with id 7");
	fails(cell_table_delete(call, &account_table, &account), CELL_NOT_FOUND,
	      "no account with id 7");
	ok(account_put(call, &account));
	account.balance = 3;
	ok(cell_table_update(call, &account_table, &account));
	ok(cell_table_delete(call, &account_table, &account));
	fails(account_get(call, 7, &account), CELL_NOT_FOUND, "no account with id 7");
}
END_TEST

START_TEST(put_all_is_all_or_nothing)
{
	struct account rows[3] = { { .id = 1, .owner = "a" },
				   { .id = 2, .owner = "b" },
				   { .id = 3, .owner = "c", .balance = -1 } };
	int end;

	ck_assert_int_eq(cell_table_put_all(call, &account_table, rows, 3),
			 CELL_FAILED_PRECONDITION);
	ck_assert_str_eq(ids_of(call, &(struct cell_scan){ 0 }, &end), "");
	rows[2].balance = 0;
	ok(cell_table_put_all(call, &account_table, rows, 3));
	scans((struct cell_scan){ 0 }, "1 2 3");
	ok(cell_table_put_all(call, &account_table, rows, 0));
}
END_TEST

static uint64_t counted(struct cell_call *by)
{
	uint64_t n = 0;

	ck_assert_int_eq(cell_table_count(by, &account_table, &n), 0);
	return n;
}

START_TEST(count_counts_what_the_transaction_sees)
{
	struct account new_one = { .id = 20, .owner = "x" };

	fill(call, 1, 5);
	ck_assert_uint_eq(counted(call), 5);
	ok(cell_txn_begin(call));
	fill(call, 5, 7); /* one of them was there */
	ok(cell_table_insert(call, &account_table, &new_one));
	ok(cell_table_delete(call, &account_table, &(struct account){ .id = 1 }));
	ck_assert_uint_eq(counted(call), 7);
	ck_assert_uint_eq(counted(other), 5);
	ok(cell_txn_end(call, 0));
	ck_assert_uint_eq(counted(other), 7);
	ok(cell_txn_begin(call));
	ck_assert_uint_eq(counted(call), 7);
	fill(other, 30, 30);
	ok(account_put(call, &new_one));
	ck_assert_int_eq(cell_txn_end(call, 0), CELL_ABORTED);
}
END_TEST

START_TEST(watch_gives_changes_from_a_point_on)
{
	struct cell_call *soon;
	struct cell_cursor cursor;
	struct cell_change *change;
	const struct account *row;
	uint64_t at;

	cursor = cell_table_watch(call, &account_table, UINT64_MAX);
	fill(other, 1, 1);
	change = cell_cursor_next(&cursor);
	ck_assert_ptr_nonnull(change);
	ck_assert_ptr_null(change->before);
	row = change->row;
	ck_assert_uint_eq(row->id, 1);
	ck_assert_str_eq(row->owner, "owner 001");
	at = change->at;
	ck_assert_int_eq(account_put(other, &(struct account){ .id = 1, .owner = "new" }), 0);
	change = cell_cursor_next(&cursor);
	ck_assert_str_eq(((const struct account *)change->before)->owner, "owner 001");
	ck_assert_str_eq(((const struct account *)change->row)->owner, "new");
	ok(cell_cursor_end(&cursor));
	ck_assert_int_eq(cell_table_delete(other, &account_table,
					   &(struct account){ .id = 1 }),
			 0);
	cursor = cell_table_watch(call, &account_table, at);
	change = cell_cursor_next(&cursor);
	ck_assert_str_eq(((const struct account *)change->row)->owner, "new");
	change = cell_cursor_next(&cursor);
	ck_assert_ptr_null(change->row);
	ck_assert_str_eq(((const struct account *)change->before)->owner, "new");
	ok(cell_cursor_end(&cursor));
	cursor = cell_table_watch(call, &account_table, 1000000);
	ck_assert_ptr_null(cell_cursor_next(&cursor));
	fails(cell_cursor_end(&cursor), CELL_OUT_OF_RANGE, "there is no such point");
	soon = cell_within_ms(call, 30);
	cursor = cell_table_watch(soon, &account_table, UINT64_MAX);
	ck_assert_ptr_null(cell_cursor_next(&cursor));
	ck_assert_int_eq(cell_cursor_end(&cursor), CELL_DEADLINE_EXCEEDED);
}
END_TEST

/* --- queries
 * ----------------------------------------------------------------------------------- */

struct pair {
	uint32_t n;
	const char *name;
};

static const struct cell_column pair_columns[] = {
	{ .name = "n",
	  .number = 1,
	  .kind = CELL_COLUMN_UINT32,
	  .offset = offsetof(struct pair, n),
	  .has_offset = UINT32_MAX,
	  .count_offset = UINT32_MAX,
	  .size = 4 },
	{ .name = "name",
	  .number = 2,
	  .kind = CELL_COLUMN_TEXT,
	  .offset = offsetof(struct pair, name),
	  .has_offset = UINT32_MAX,
	  .count_offset = UINT32_MAX,
	  .size = sizeof(char *) },
};

static struct cell_query query_of(const char *text)
{
	return (struct cell_query){ .ref = account_table.ref,
				    .text = text,
				    .parameters = pair_columns,
				    .n_parameters = 2,
				    .columns = pair_columns,
				    .n_columns = 2,
				    .row_size = sizeof(struct pair) };
}

START_TEST(query_gives_rows)
{
	struct cell_query rows = query_of("rows"), change = query_of("change"),
			  wrong = query_of("fail");
	struct pair in = { .n = 3, .name = "Ada" }, out = { .n = 77 }, *all;
	struct cell_rows cursor = { 0 };
	struct pair *each;
	uint64_t changed;
	size_t n;

	ok(cell_query_run(call, &change, &in, &changed));
	ck_assert_uint_eq(changed, 3);
	ok(cell_query_run(call, &change, &in, NULL));
	fails(cell_query_one(call, &rows, &in, &out), CELL_FAILED_PRECONDITION,
	      "more than 1 rows");
	ck_assert_uint_eq(out.n, 77);
	ok(cell_query_all(call, &rows, &in, &n, (void **)&all));
	ck_assert_uint_eq(n, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(all[i].n, i + 1);
		ck_assert_str_eq(all[i].name, "Ada");
	}
	for (n = 0; (each = cell_query_next(call, &rows, &in, &cursor)); n++)
		ck_assert_uint_eq(each->n, n + 1);
	ok(cell_rows_end(&cursor));
	ck_assert_uint_eq(n, 3);
	in.n = 1;
	ok(cell_query_one(call, &rows, &in, &out));
	ck_assert_uint_eq(out.n, 1);
	in.n = 0;
	ck_assert_int_eq(cell_query_one(call, &rows, &in, &out), CELL_NOT_FOUND);
	ok(cell_query_all(call, &rows, &in, &n, (void **)&all));
	ck_assert_uint_eq(n, 0);
	fails(cell_query_run(call, &wrong, &in, NULL), CELL_INVALID_ARGUMENT,
	      "syntax error at or near \"fail\"");
	cursor = (struct cell_rows){ 0 };
	ck_assert_ptr_null(cell_query_next(call, &wrong, &in, &cursor));
	ck_assert_int_eq(cell_rows_end(&cursor), CELL_INVALID_ARGUMENT);
}
END_TEST

/* --- provisioning
 * ------------------------------------------------------------------------------ */

static const uint8_t digest[32];
static const struct cell_provision record = { .linked = { CELL_LINKED_PROVISION,
							  sizeof record },
					      .ns = "db",
					      .cell = "celldb",
					      .name = "struct account",
					      .digest = digest,
					      .body = digest,
					      .body_len = 1 };
CELL_LINK(record_link, record);

START_TEST(table_that_is_not_known_is_provisioned_once)
{
	struct account account;
	int end;

	fill(call, 1, 2);
	shared->is_unprovisioned = true;
	ok(account_get(call, 1, &account));
	shared->is_unprovisioned = true;
	scans((struct cell_scan){ 0 }, "1 2");
	shared->is_unprovisioned = true;
	fill(call, 3, 3);
	/* One that nothing helps against. */
	account_table.version++;
	ck_assert_int_eq(account_get(call, 1, &account), CELL_FAILED_PRECONDITION);
	ck_assert_ptr_nonnull(strstr(cell_error(call)->text, "provision it again"));
	(void)ids_of(call, &(struct cell_scan){ 0 }, &end);
	ck_assert_int_eq(end, CELL_FAILED_PRECONDITION);
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
	tcase_add_loop_test(tc, scan_gives_what_is_within_in_order, 0, 3);
	tcase_add_loop_test(tc, scan_shows_what_its_transaction_wrote, 0, 3);
	tcase_add_test(tc, cursor_is_of_one_moment);
	tcase_add_loop_test(tc, ranges_that_were_read_are_checked_as_far_as_they_were, 0, 2);
	tcase_add_test(tc, cursor_ends_with_its_transaction_and_with_its_call);
	tcase_add_test(tc, rows_of_a_cursor_count_as_read);
	tcase_add_test(tc, cursor_says_why_it_stopped);
	tcase_add_test(tc, memory_is_flat_over_a_million_rows);
	tcase_add_test(tc, insert_fills_in_what_is_missing);
	tcase_add_test(tc, numbers_are_nobody_elses);
	tcase_add_test(tc, update_and_delete_want_the_row_to_be_there);
	tcase_add_test(tc, put_all_is_all_or_nothing);
	tcase_add_test(tc, count_counts_what_the_transaction_sees);
	tcase_add_test(tc, watch_gives_changes_from_a_point_on);
	tcase_add_test(tc, query_gives_rows);
	tcase_add_test(tc, table_that_is_not_known_is_provisioned_once);
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
