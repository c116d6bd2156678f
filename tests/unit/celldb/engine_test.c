/* Commits: what they check, and that a refused one leaves nothing. */
#include "base.h"

#include "accounts.h"

static struct base base;

#define account (&accounts_told[0])
#define ticket	(&accounts_told[1])

static const struct table_column entry_columns[] = {
	{ .number = 1, .name = "id", .type = TABLE_COLUMN_TYPE_UINT64 },
	{ .number = 2, .name = "account", .type = TABLE_COLUMN_TYPE_UINT64, .nullable = true },
};
static const struct table_index entry_key = { .n_columns = 1, .columns = (const uint32_t[]){ 1 } };

static struct table_table entry_of(const char *name, enum table_on_delete on_delete)
{
	static struct table_reference references[3];
	struct table_reference *reference = &references[on_delete];

	*reference = (struct table_reference){ .column = 2, .table = "account",
					       .ref_column = "", .on_delete = on_delete };
	return (struct table_table){ .store = "bank", .name = name, .n_columns = 2,
				     .columns = entry_columns, .key = &entry_key,
				     .n_references = 1, .references = reference };
}

static void setup(void)
{
	base_init(&base);
	BASE_OK(&base, base_alter(&base, account, false, NULL));
	BASE_OK(&base, base_alter(&base, ticket, false, NULL));
}

static void teardown(void)
{
	base_deinit(&base);
}

static struct cell_bytes row(const char *id, const char *owner, const char *balance)
{
	return base_row(&base, account, "id", id, "owner", owner, "balance", balance, NULL);
}

static struct cell_bytes key(const char *id)
{
	return base_row(&base, account, "id", id, NULL);
}

static const char *get(const char *id)
{
	return base_get(&base, account, key(id));
}

#define PUT(id, owner, balance) { account, TABLE_WRITE_KIND_PUT, row(id, owner, balance) }
#define INSERT(id, owner, balance) { account, TABLE_WRITE_KIND_INSERT, row(id, owner, balance) }
#define UPDATE(id, owner, balance) { account, TABLE_WRITE_KIND_UPDATE, row(id, owner, balance) }
#define DELETE(id) { account, TABLE_WRITE_KIND_DELETE, key(id) }
#define REMOVE(id) { account, TABLE_WRITE_KIND_REMOVE, key(id) }

START_TEST(each_kind_of_write_does_what_it_says)
{
	BASE_OK(&base, BASE_COMMIT(&base, PUT("1", "\"Ada\"", "5")));
	ck_assert_str_eq(get("1"), "1 \"Ada\" 5 NULL 10");
	ck_assert_int_eq(BASE_COMMIT(&base, INSERT("1", "\"Bo\"", "6")), CELL_ALREADY_EXISTS);
	ck_assert_str_eq(base.err.text, "there is account with id 1 already");
	ck_assert_int_eq(BASE_COMMIT(&base, UPDATE("2", "\"Bo\"", "6")), CELL_NOT_FOUND);
	ck_assert_str_eq(base.err.text, "no account with id 2");
	ck_assert_int_eq(BASE_COMMIT(&base, REMOVE("2")), CELL_NOT_FOUND);
	BASE_OK(&base, BASE_COMMIT(&base, DELETE("2")));
	BASE_OK(&base, BASE_COMMIT(&base, UPDATE("1", "\"Ada\"", "6")));
	ck_assert_str_eq(get("1"), "1 \"Ada\" 6 NULL 12");
	BASE_OK(&base, BASE_COMMIT(&base, REMOVE("1")));
	ck_assert_ptr_null(get("1"));
	/* Neither rows nor entries of indexes are left. */
	ck_assert_uint_eq(base_entries(&base, 'R'), 0);
	ck_assert_uint_eq(base_entries(&base, 'I'), 0);
}
END_TEST

START_TEST(refused_commit_leaves_nothing_and_others_in_its_transaction_stay)
{
	const struct base_write good[] = { PUT("1", "\"Ada\"", "5") };
	const struct base_write bad[] = { PUT("2", "\"Bo\"", "5"), PUT("3", "\"Cy\"", "-5") };

	base_begin(&base);
	BASE_OK(&base, base_commit_id(&base, 1, good, 1, NULL));
	ck_assert_int_eq(base_commit_id(&base, 2, bad, 2, NULL), CELL_FAILED_PRECONDITION);
	ck_assert_ptr_nonnull(strstr(base.err.text, "balance >= 0"));
	base_end(&base);
	ck_assert_ptr_nonnull(get("1"));
	ck_assert_ptr_null(get("2"));
	ck_assert_uint_eq(base_entries(&base, 'R'), 1);
	ck_assert_uint_eq(base_entries(&base, 'I'), 2);
	ck_assert_uint_eq(base_entries(&base, 'L'), 1);
}
END_TEST

START_TEST(unique_values_clash_but_may_be_swapped)
{
	BASE_OK(&base, BASE_COMMIT(&base, PUT("1", "\"Ada\"", "5"), PUT("2", "\"Bo\"", "6")));
	ck_assert_int_eq(BASE_COMMIT(&base, PUT("3", "\"Bo\"", "1")), CELL_ALREADY_EXISTS);
	ck_assert_str_eq(base.err.text, "account with id 3: another account has owner Bo");
	ck_assert_int_eq(BASE_COMMIT(&base, PUT("3", "\"Cy\"", "1"), PUT("4", "\"Cy\"", "1")),
			 CELL_ALREADY_EXISTS);
	BASE_OK(&base, BASE_COMMIT(&base, PUT("1", "\"Bo\"", "5"), PUT("2", "\"Ada\"", "6")));
	ck_assert_str_eq(get("1"), "1 \"Bo\" 5 NULL 10");
	ck_assert_int_eq(BASE_COMMIT(&base, PUT("3", "\"Ada\"", "1")), CELL_ALREADY_EXISTS);
	/* A value that is given up is free in the same commit. */
	BASE_OK(&base, BASE_COMMIT(&base, REMOVE("2"), PUT("3", "\"Ada\"", "1")));
	ck_assert_uint_eq(base_entries(&base, 'R'), 2);
	ck_assert_uint_eq(base_entries(&base, 'I'), 4);
}
END_TEST

/* ---- what was read ------------------------------------------------------------------------ */

static int commit_read(const char *id, uint64_t version, const struct base_write *write)
{
	struct table_table_ref table = base_ref(account);
	struct cell_bytes read = key(id);
	struct table_row_read reads = { .n_key = read.len, .key = read.at, .version = version };
	struct table_write writes = { .kind = write->kind, .n_row = write->row.len,
				      .row = write->row.at };
	uint8_t bytes[16] = { ++base.next_id };
	struct table_commit_request request = { .n_id = 16, .id = bytes, .n_tables = 1,
						.tables = &table, .n_reads = 1, .reads = &reads,
						.n_writes = 1, .writes = &writes };
	struct table_committed out = { 0 };
	int r;

	base_begin(&base);
	r = engine_commit(base.engine, &base_owner, &request, &out, &base.arena, &base.err);
	base_end(&base);
	return r;
}

START_TEST(row_that_was_read_must_be_the_same)
{
	const struct base_write write = PUT("1", "\"Ada\"", "7");
	uint64_t version;

	BASE_OK(&base, commit_read("1", 0, &write));
	version = base.engine->durable.version;
	ck_assert_int_eq(commit_read("1", 0, &write), CELL_ABORTED);
	BASE_OK(&base, commit_read("1", version, &write));
	ck_assert_int_eq(commit_read("1", version, &write), CELL_ABORTED);
	ck_assert_str_eq(base.err.text, "account with id 1 has changed since it was read");
	/* Taken away and put in again is not the same. */
	version = base.engine->durable.version;
	BASE_OK(&base, BASE_COMMIT(&base, REMOVE("1")));
	BASE_OK(&base, BASE_COMMIT(&base, PUT("1", "\"Ada\"", "7")));
	ck_assert_int_eq(commit_read("1", version, &write), CELL_ABORTED);
}
END_TEST

/* A commit that has read rows of INDEX from FROM to TO at MARK. */
static int commit_range(uint32_t index, struct cell_bytes from, struct cell_bytes to,
			const char *where, uint64_t mark)
{
	struct table_table_ref table = base_ref(account);
	struct table_scan_request scan = { .index = index, .n_from = from.len, .from = from.at,
					   .n_to = to.len, .to = to.at, .where = where };
	uint8_t bytes[16] = { ++base.next_id }, mark_bytes[8];
	struct table_range_read range = { .scan = &scan, .n_mark = 8, .mark = mark_bytes };
	struct cell_bytes row_bytes = row("999", "\"Zed\"", "1");
	struct table_write write = { .n_row = row_bytes.len, .row = row_bytes.at };
	struct table_commit_request request = { .n_id = 16, .id = bytes, .n_tables = 1,
						.tables = &table, .n_ranges = 1, .ranges = &range,
						.n_writes = 1, .writes = &write };
	struct table_committed out = { 0 };
	int r;

	cell_store_u64(mark_bytes, mark);
	base_begin(&base);
	r = engine_commit(base.engine, &base_owner, &request, &out, &base.arena, &base.err);
	engine_abort(base.engine);
	return r;
}

static struct cell_bytes nothing;

START_TEST(range_that_was_read_has_no_phantoms)
{
	uint64_t mark;

	BASE_OK(&base, BASE_COMMIT(&base, PUT("10", "\"Ada\"", "5"), PUT("20", "\"Bo\"", "50")));
	mark = base.engine->durable.version;
	BASE_OK(&base, commit_range(0, key("10"), key("20"), "", mark));
	/* In it, and beside it. */
	BASE_OK(&base, BASE_COMMIT(&base, PUT("15", "\"Cy\"", "7")));
	ck_assert_int_eq(commit_range(0, key("10"), key("20"), "", mark), CELL_ABORTED);
	ck_assert_int_eq(commit_range(0, nothing, nothing, "", mark), CELL_ABORTED);
	BASE_OK(&base, commit_range(0, key("16"), key("20"), "", mark));
	BASE_OK(&base, commit_range(0, key("16"), nothing, "", mark));
	/* By another index. */
	ck_assert_int_eq(commit_range(1, base_row(&base, account, "owner", "\"B\"", NULL),
				      base_row(&base, account, "owner", "\"D\"", NULL), "", mark),
			 CELL_ABORTED);
	BASE_OK(&base, commit_range(1, base_row(&base, account, "owner", "\"D\"", NULL), nothing,
				    "", mark));
	/* Only what the condition is about counts, before and after. */
	BASE_OK(&base, commit_range(0, nothing, nothing, "balance > 40", mark));
	mark = base.engine->durable.version;
	BASE_OK(&base, BASE_COMMIT(&base, PUT("20", "\"Bo\"", "1")));
	ck_assert_int_eq(commit_range(0, nothing, nothing, "balance > 40", mark), CELL_ABORTED);
	mark = base.engine->durable.version;
	BASE_OK(&base, BASE_COMMIT(&base, REMOVE("15")));
	ck_assert_int_eq(commit_range(0, key("10"), key("20"), "", mark), CELL_ABORTED);
}
END_TEST

START_TEST(mark_from_before_the_log_is_not_believed)
{
	uint64_t mark;

	base.log_max = 4;
	base_reopen(&base);
	BASE_OK(&base, BASE_COMMIT(&base, PUT("1", "\"Ada\"", "5")));
	mark = base.engine->durable.version;
	for (int i = 0; i < 8; i++)
		BASE_OK(&base, BASE_COMMIT(&base, PUT("500", "\"Bo\"", "5")));
	ck_assert_uint_le(base_entries(&base, 'L'), 5);
	ck_assert_uint_eq(base_entries(&base, 'L'), base.engine->durable.log_entries);
	ck_assert_int_eq(commit_range(0, key("1"), key("2"), "", mark), CELL_ABORTED);
	ck_assert_ptr_nonnull(strstr(base.err.text, "too long ago"));
}
END_TEST

/* ---- answers ------------------------------------------------------------------------------ */

START_TEST(repeated_commit_is_answered_as_before)
{
	const struct base_write write[] = { INSERT("1", "\"Ada\"", "5") };
	struct table_committed first = { 0 }, again = { 0 };

	base_begin(&base);
	BASE_OK(&base, base_commit_id(&base, 77, write, 1, &first));
	/* In the very same transaction of the store, too. */
	BASE_OK(&base, base_commit_id(&base, 77, write, 1, &again));
	ck_assert_uint_eq(again.version, first.version);
	base_end(&base);
	base_reopen(&base);
	base_begin(&base);
	again = (struct table_committed){ 0 };
	BASE_OK(&base, base_commit_id(&base, 77, write, 1, &again));
	base_end(&base);
	ck_assert_uint_eq(again.version, first.version);
	ck_assert_uint_eq(again.n_rows, 1);
	ck_assert_uint_eq(again.rows[0].len, first.rows[0].len);
	ck_assert_mem_eq(again.rows[0].at, first.rows[0].at, first.rows[0].len);
	ck_assert_uint_eq(base.engine->durable.version, first.version);
	/* What was undone is not remembered. */
	base_begin(&base);
	BASE_OK(&base, base_commit_id(&base, 78, (const struct base_write[]){ PUT("2", "\"Bo\"", "1") },
				      1, NULL));
	engine_abort(base.engine);
	ck_assert_ptr_null(get("2"));
	base_begin(&base);
	BASE_OK(&base, base_commit_id(&base, 78, (const struct base_write[]){ PUT("2", "\"Bo\"", "1") },
				      1, NULL));
	base_end(&base);
	ck_assert_ptr_nonnull(get("2"));
}
END_TEST

START_TEST(answers_of_ten_minutes_ago_are_given_up)
{
	const struct base_write write[] = { INSERT("1", "\"Ada\"", "5") };

	base_begin(&base);
	BASE_OK(&base, base_commit_id(&base, 77, write, 1, NULL));
	base_end(&base);
	base.now_us += 601 * 1000000ll;
	BASE_OK(&base, BASE_COMMIT(&base, PUT("2", "\"Bo\"", "1")));
	ck_assert_uint_eq(base_entries(&base, 'A'), 1);
	base_begin(&base);
	ck_assert_int_eq(base_commit_id(&base, 77, write, 1, NULL), CELL_ALREADY_EXISTS);
	base_end(&base);
}
END_TEST

START_TEST(inserted_rows_get_their_defaults)
{
	struct table_committed out = { 0 };
	const struct base_write writes[] = {
		{ ticket, TABLE_WRITE_KIND_INSERT, base_row(&base, ticket, "id", "1", NULL) },
		{ ticket, TABLE_WRITE_KIND_PUT, base_row(&base, ticket, "id", "2", NULL) },
	};
	const char *first, *second;

	base_begin(&base);
	BASE_OK(&base, base_commit_id(&base, 1, writes, 2, &out));
	base_end(&base);
	first = base_get(&base, ticket, base_row(&base, ticket, "id", "1", NULL));
	second = base_get(&base, ticket, base_row(&base, ticket, "id", "2", NULL));
	ck_assert_ptr_nonnull(strstr(first, "1 \"new\" 17000000000000"));
	ck_assert_ptr_nonnull(strstr(first, " 2"));
	/* put stores what it is given, as far as it can be NULL. */
	ck_assert_ptr_nonnull(strstr(second, "2 \"new\" NULL 0x"));
	ck_assert_ptr_nonnull(strstr(second, "NULL"));
}
END_TEST

/* ---- references --------------------------------------------------------------------------- */

static struct cell_bytes entry_row(const struct table_table *told, const char *id,
				   const char *account_id)
{
	return base_row(&base, told, "id", id, "account", account_id, NULL);
}

#define ENTRY(told, id, to) { told, TABLE_WRITE_KIND_PUT, entry_row(told, id, to) }

START_TEST(references_lead_to_rows)
{
	struct table_table entry = entry_of("entry", TABLE_ON_DELETE_RESTRICT);

	BASE_OK(&base, base_alter(&base, &entry, false, NULL));
	ck_assert_int_eq(BASE_COMMIT(&base, ENTRY(&entry, "1", "7")), CELL_FAILED_PRECONDITION);
	ck_assert_str_eq(base.err.text,
			 "entry with id 1: account refers to 7, and no account has that id");
	BASE_OK(&base, BASE_COMMIT(&base, ENTRY(&entry, "1", "NULL")));
	/* In one commit, in either order. */
	BASE_OK(&base, BASE_COMMIT(&base, ENTRY(&entry, "1", "7"), PUT("7", "\"Ada\"", "1")));
	ck_assert_int_eq(BASE_COMMIT(&base, REMOVE("7")), CELL_FAILED_PRECONDITION);
	ck_assert_str_eq(base.err.text, "account with id 7 is referred to by account of entry with id 1");
	/* Who refers goes with it, or goes elsewhere. */
	BASE_OK(&base, BASE_COMMIT(&base, REMOVE("7"), ENTRY(&entry, "1", "8"),
				   PUT("8", "\"Bo\"", "1")));
	ck_assert_int_eq(BASE_COMMIT(&base, REMOVE("8"), ENTRY(&entry, "2", "8")),
			 CELL_FAILED_PRECONDITION);
	BASE_OK(&base, BASE_COMMIT(&base, REMOVE("8"),
				   { &entry, TABLE_WRITE_KIND_REMOVE,
				     base_row(&base, &entry, "id", "1", NULL) }));
	ck_assert_uint_eq(base_entries(&base, 'R'), 0);
	ck_assert_uint_eq(base_entries(&base, 'I'), 0);
}
END_TEST

START_TEST(rows_go_with_what_they_refer_to)
{
	struct table_table gone = entry_of("gone", TABLE_ON_DELETE_CASCADE);
	struct table_table kept = entry_of("kept", TABLE_ON_DELETE_SET_NULL);
	struct table_reference to_gone = { .column = 2, .table = "gone", .ref_column = "id",
					   .on_delete = TABLE_ON_DELETE_CASCADE };
	struct table_table further = { .store = "bank", .name = "further", .n_columns = 2,
				       .columns = entry_columns, .key = &entry_key,
				       .n_references = 1, .references = &to_gone };

	BASE_OK(&base, base_alter(&base, &gone, false, NULL));
	BASE_OK(&base, base_alter(&base, &kept, false, NULL));
	BASE_OK(&base, base_alter(&base, &further, false, NULL));
	BASE_OK(&base, BASE_COMMIT(&base, PUT("7", "\"Ada\"", "1"), ENTRY(&gone, "1", "7"),
				   ENTRY(&gone, "2", "7"), ENTRY(&kept, "3", "7"),
				   ENTRY(&further, "4", "1"), ENTRY(&further, "5", "2")));
	ck_assert_uint_eq(base_entries(&base, 'R'), 6);
	BASE_OK(&base, BASE_COMMIT(&base, REMOVE("7")));
	ck_assert_uint_eq(base_entries(&base, 'R'), 1);
	ck_assert_str_eq(base_get(&base, &kept, base_row(&base, &kept, "id", "3", NULL)), "3 NULL");
	/* All of it is in the log: the account, two of gone, one of kept, two of further. */
	ck_assert_uint_eq(base_entries(&base, 'L'), 6 + 6);
}
END_TEST

/* ---- transactions over several cells --------------------------------------------------------- */

static const uint8_t txn_id[16] = { 1, 2, 3 };
static const struct catalog_peer txn_cell = { .cell = "txn" }, other_cell = { .cell = "bank" };

/* Of one write, which has read nothing. */
static int prepare(const uint8_t *id, const struct base_write *write)
{
	struct table_table_ref table = base_ref(write->told);
	struct table_write writes = { .kind = write->kind, .n_row = write->row.len,
				      .row = write->row.at };
	struct table_commit_request commit = { .n_tables = 1, .tables = &table, .n_writes = 1,
					       .writes = &writes, .want_rows = true };
	struct table_prepare_request request = { .n_txn = 16, .txn = id, .coordinator = "txn",
						 .commit = &commit };
	struct table_prepared out = { 0 };
	int r;

	base_begin(&base);
	r = engine_prepare(base.engine, &base_owner, &request, &out, &base.arena, &base.err);
	base_end(&base);
	if (r == 0)
		ck_assert_uint_eq(out.n_rows, 1);
	return r;
}

static int decide(const struct catalog_peer *peer, bool commit, uint64_t *ret_version)
{
	struct table_decision decision = { .n_txn = 16, .txn = txn_id, .commit = commit };
	struct table_decided out = { 0 };
	int r;

	base_begin(&base);
	r = engine_decide(base.engine, peer, &decision, &out, &base.arena, &base.err);
	base_end(&base);
	*ret_version = out.version;
	return r;
}

START_TEST(prepared_rows_are_nobody_elses_until_decided)
{
	const struct base_write write = PUT("1", "\"Ada\"", "5");
	const struct base_write again = PUT("1", "\"Bo\"", "5"), same_owner = PUT("2", "\"Ada\"", "5");
	uint64_t version, mark = base.engine->durable.version;

	BASE_OK(&base, prepare(txn_id, &write));
	BASE_OK(&base, prepare(txn_id, &write)); /* repeated */
	ck_assert_ptr_null(get("1"));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(BASE_COMMIT(&base, again), CELL_ABORTED);
		ck_assert_ptr_nonnull(strstr(base.err.text, "transaction 0102030000000000"));
		ck_assert_int_eq(BASE_COMMIT(&base, same_owner), CELL_ABORTED);
		ck_assert_int_eq(commit_read("1", 0, &same_owner), CELL_ABORTED);
		ck_assert_int_eq(commit_range(0, key("1"), key("3"), "", mark), CELL_ABORTED);
		BASE_OK(&base, commit_range(0, key("2"), key("3"), "", mark));
		base_reopen(&base); /* the same when the process was another meanwhile */
	}
	ck_assert_int_eq(decide(&other_cell, true, &version), CELL_PERMISSION_DENIED);
	BASE_OK(&base, decide(&txn_cell, true, &version));
	ck_assert_uint_gt(version, 0);
	ck_assert_str_eq(get("1"), "1 \"Ada\" 5 NULL 10");
	BASE_OK(&base, decide(&txn_cell, true, &version));
	ck_assert_uint_eq(version, 0);
	BASE_OK(&base, BASE_COMMIT(&base, again));
	ck_assert_uint_eq(base_entries(&base, 'P'), 0);
}
END_TEST

START_TEST(given_up_transaction_leaves_nothing)
{
	const struct base_write write = PUT("1", "\"Ada\"", "5");
	uint64_t version;

	BASE_OK(&base, prepare(txn_id, &write));
	base_reopen(&base);
	BASE_OK(&base, decide(NULL, false, &version));
	ck_assert_uint_eq(version, 0);
	ck_assert_ptr_null(get("1"));
	BASE_OK(&base, BASE_COMMIT(&base, PUT("1", "\"Bo\"", "1")));
	ck_assert_uint_eq(base_entries(&base, 'R'), 1);
}
END_TEST

static int reseal(void)
{
	uint64_t rows;
	int r;

	base_begin(&base);
	r = engine_reseal(base.engine, &rows, &base.err);
	base_end(&base);
	return r;
}

/* What it will store is sealed with a key that would be forgotten. */
START_TEST(no_key_is_changed_under_a_prepared_transaction)
{
	const struct base_write write = PUT("1", "\"Ada\"", "5");
	uint64_t version;

	BASE_OK(&base, reseal());
	BASE_OK(&base, prepare(txn_id, &write));
	ck_assert_int_eq(engine_may_reseal(base.engine, &base.err), CELL_ABORTED);
	ck_assert_ptr_nonnull(strstr(base.err.text, "1 transaction is prepared"));
	ck_assert_int_eq(reseal(), CELL_ABORTED);
	BASE_OK(&base, decide(&txn_cell, true, &version));
	BASE_OK(&base, engine_may_reseal(base.engine, &base.err));
	BASE_OK(&base, reseal());
}
END_TEST

START_TEST(decision_that_is_undone_stays_prepared)
{
	const struct base_write write = PUT("1", "\"Ada\"", "5");
	struct table_decision decision = { .n_txn = 16, .txn = txn_id, .commit = true };
	struct table_decided out = { 0 };

	BASE_OK(&base, prepare(txn_id, &write));
	base_begin(&base);
	BASE_OK(&base, engine_decide(base.engine, &txn_cell, &decision, &out, &base.arena, &base.err));
	engine_abort(base.engine);
	ck_assert_ptr_null(get("1"));
	ck_assert_int_eq(BASE_COMMIT(&base, PUT("1", "\"Bo\"", "1")), CELL_ABORTED);
	ck_assert_uint_eq(participants_count(base.engine->participants), 1);
}
END_TEST

START_TEST(prepared_insert_keeps_its_parent)
{
	struct table_table entry = entry_of("entry", TABLE_ON_DELETE_CASCADE);
	const struct base_write child = ENTRY(&entry, "1", "7");
	const struct base_write touch = PUT("7", "\"Ada\"", "2");

	BASE_OK(&base, base_alter(&base, &entry, false, NULL));
	BASE_OK(&base, BASE_COMMIT(&base, PUT("7", "\"Ada\"", "1")));
	BASE_OK(&base, prepare(txn_id, &child));
	ck_assert_int_eq(BASE_COMMIT(&base, REMOVE("7")), CELL_ABORTED);
	/* Others may refer to it meanwhile. */
	BASE_OK(&base, BASE_COMMIT(&base, ENTRY(&entry, "2", "7")));
	ck_assert_int_eq(BASE_COMMIT(&base, touch), CELL_ABORTED);
}
END_TEST

/* ---- numbers ------------------------------------------------------------------------------ */

START_TEST(numbers_are_given_once)
{
	struct table_table_ref table = base_ref(ticket);
	struct table_next_request request = { .table = &table, .column = 1, .n = 10 };
	int64_t first;

	BASE_OK(&base, BASE_COMMIT(&base, { ticket, TABLE_WRITE_KIND_PUT,
					    base_row(&base, ticket, "id", "41", NULL) }));
	for (int64_t expected = 42; expected < 82; expected += 10) {
		base_begin(&base);
		BASE_OK(&base, engine_next(base.engine, &base_owner, &request, 10, &first, &base.arena,
					   &base.err));
		base_end(&base);
		ck_assert_int_eq(first, expected);
		base_reopen(&base);
	}
	request.column = 5;
	base_begin(&base);
	ck_assert_int_eq(engine_next(base.engine, &base_owner, &request, 10, &first, &base.arena,
				     &base.err), CELL_INVALID_ARGUMENT);
	base_end(&base);
}
END_TEST

START_TEST(stores_are_private)
{
	struct table_table_ref table = base_ref(account);
	struct cell_bytes bytes = row("1", "\"Ada\"", "1");
	struct table_write write = { .n_row = bytes.len, .row = bytes.at };
	uint8_t id[16] = { 9 };
	struct table_commit_request request = { .n_id = 16, .id = id, .n_tables = 1,
						.tables = &table, .n_writes = 1, .writes = &write };
	struct catalog_peer shop = { .cell = "shop" };
	struct table_committed out = { 0 };

	base_begin(&base);
	ck_assert_int_eq(engine_commit(base.engine, &shop, &request, &out, &base.arena, &base.err),
			 CELL_PERMISSION_DENIED);
	BASE_OK(&base, engine_commit(base.engine, &other_cell, &request, &out, &base.arena, &base.err));
	table.version ^= 1;
	id[0]++;
	ck_assert_int_eq(engine_commit(base.engine, &other_cell, &request, &out, &base.arena, &base.err),
			 CELL_FAILED_PRECONDITION);
	ck_assert_ptr_nonnull(strstr(base.err.text, "provision it again"));
	base_end(&base);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine");
	TCase *tc = tcase_create("engine");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_kind_of_write_does_what_it_says);
	tcase_add_test(tc, refused_commit_leaves_nothing_and_others_in_its_transaction_stay);
	tcase_add_test(tc, unique_values_clash_but_may_be_swapped);
	tcase_add_test(tc, row_that_was_read_must_be_the_same);
	tcase_add_test(tc, range_that_was_read_has_no_phantoms);
	tcase_add_test(tc, mark_from_before_the_log_is_not_believed);
	tcase_add_test(tc, repeated_commit_is_answered_as_before);
	tcase_add_test(tc, answers_of_ten_minutes_ago_are_given_up);
	tcase_add_test(tc, inserted_rows_get_their_defaults);
	tcase_add_test(tc, references_lead_to_rows);
	tcase_add_test(tc, rows_go_with_what_they_refer_to);
	tcase_add_test(tc, prepared_rows_are_nobody_elses_until_decided);
	tcase_add_test(tc, given_up_transaction_leaves_nothing);
	tcase_add_test(tc, no_key_is_changed_under_a_prepared_transaction);
	tcase_add_test(tc, decision_that_is_undone_stays_prepared);
	tcase_add_test(tc, prepared_insert_keeps_its_parent);
	tcase_add_test(tc, numbers_are_given_once);
	tcase_add_test(tc, stores_are_private);
	return base_run(suite, tc);
}
