/* Tables that change: what is applied, what is refused, and what older programs see. */
#include "base.h"

static struct base base;

/* A declaration that a test changes. */
struct declared {
	struct table_column columns[6];
	struct table_index key, indexes[3];
	struct table_check checks[2];
	struct table_reference references[1];
	const char *dropped[2];
	struct table_table table;
};

static const uint32_t id_alone[] = { 1 }, owner_alone[] = { 2 };

static void declare(struct declared *d)
{
	*d = (struct declared){
		.columns = { { .number = 1, .name = "id", .type = TABLE_COLUMN_TYPE_UINT64 },
			     { .number = 2, .name = "owner", .type = TABLE_COLUMN_TYPE_TEXT },
			     { .number = 3, .name = "balance", .type = TABLE_COLUMN_TYPE_INT32 } },
		.key = { .n_columns = 1, .columns = id_alone },
	};
	d->table = (struct table_table){ .store = "bank", .name = "account", .n_columns = 3,
					 .columns = d->columns, .key = &d->key,
					 .indexes = d->indexes, .checks = d->checks,
					 .references = d->references, .dropped = d->dropped };
}

static struct declared now;

static void setup(void)
{
	base_init(&base);
	declare(&now);
	BASE_OK(&base, base_alter(&base, &now.table, false, NULL));
}

static void teardown(void)
{
	base_deinit(&base);
}

static int put(const struct table_table *told, const char *id, const char *owner, const char *balance)
{
	return BASE_COMMIT(&base, { told, TABLE_WRITE_KIND_PUT,
				    base_row(&base, told, "id", id, "owner", owner, "balance",
					     balance, NULL) });
}

static const char *get(const struct table_table *told, const char *id)
{
	return base_get(&base, told, base_row(&base, told, "id", id, NULL));
}

static void three_rows(void)
{
	BASE_OK(&base, put(&now.table, "1", "\"Ada\"", "5"));
	BASE_OK(&base, put(&now.table, "2", "\"Bo\"", "-6"));
	BASE_OK(&base, put(&now.table, "3", "\"Ada\"", "7"));
}

static void refused(const struct declared *d, const char *text, const char *member,
		    const char *macro)
{
	uint64_t generation = base.engine->durable.generation;
	struct alter_report report;

	ck_assert_int_lt(base_alter(&base, &d->table, false, &report), 0);
	ck_assert_ptr_nonnull(report.refusals);
	ck_assert_msg(strstr(report.refusals->text, text) != NULL, "%s", report.refusals->text);
	ck_assert_str_eq(report.refusals->member, member);
	ck_assert_str_eq(report.refusals->macro, macro);
	ck_assert_uint_eq(base.engine->durable.generation, generation);
}

START_TEST(same_declaration_changes_nothing)
{
	uint64_t generation = base.engine->durable.generation;
	struct alter_report report;

	BASE_OK(&base, base_alter(&base, &now.table, false, &report));
	ck_assert_uint_eq(report.n_changes, 0);
	ck_assert_uint_eq(base.engine->durable.generation, generation);
	base_reopen(&base);
	three_rows();
	ck_assert_str_eq(get(&now.table, "2"), "2 \"Bo\" -6");
}
END_TEST

START_TEST(only_checking_changes_nothing)
{
	struct declared next = now;
	struct alter_report report;

	next.columns[3] = (struct table_column){ .number = 4, .name = "city", .nullable = true,
						 .type = TABLE_COLUMN_TYPE_TEXT };
	next.table.columns = next.columns;
	next.table.n_columns = 4;
	BASE_OK(&base, base_alter(&base, &next.table, true, &report));
	ck_assert_uint_eq(report.n_changes, 1);
	ck_assert_str_eq(report.changes[0], "added column city to table account");
	ck_assert_uint_eq(base_entries(&base, 'C'), 3); /* the head, the table, its declaration */
}
END_TEST

START_TEST(added_columns_have_their_defaults_in_all_rows)
{
	struct declared next = now;

	three_rows();
	next.columns[3] = (struct table_column){ .number = 4, .name = "city", .nullable = true,
						 .type = TABLE_COLUMN_TYPE_TEXT };
	next.columns[4] = (struct table_column){ .number = 5, .name = "kind", .fallback = "7",
						 .type = TABLE_COLUMN_TYPE_INT32 };
	next.columns[5] = (struct table_column){ .number = 6, .name = "twice",
						 .computed = "balance * 2",
						 .type = TABLE_COLUMN_TYPE_INT64 };
	next.table.columns = next.columns;
	next.table.n_columns = 6;
	BASE_OK(&base, base_alter(&base, &next.table, false, NULL));
	ck_assert_str_eq(get(&next.table, "2"), "2 \"Bo\" -6 NULL 7 -12");
}
END_TEST

START_TEST(older_program_keeps_what_it_does_not_know)
{
	struct declared next = now;

	three_rows();
	next.columns[3] = (struct table_column){ .number = 4, .name = "city", .nullable = true,
						 .type = TABLE_COLUMN_TYPE_TEXT,
						 .fallback = "\"Rome\"" };
	next.table.columns = next.columns;
	next.table.n_columns = 4;
	BASE_OK(&base, base_alter(&base, &next.table, false, NULL));
	BASE_OK(&base, BASE_COMMIT(&base, { &next.table, TABLE_WRITE_KIND_PUT,
					    base_row(&base, &next.table, "id", "1", "owner",
						     "\"Ada\"", "balance", "5", "city", "\"Paris\"",
						     NULL) }));
	/* Built before there was a city. */
	BASE_OK(&base, put(&now.table, "1", "\"Ada\"", "6"));
	ck_assert_str_eq(get(&next.table, "1"), "1 \"Ada\" 6 \"Paris\"");
	BASE_OK(&base, put(&now.table, "9", "\"Cy\"", "6"));
	ck_assert_str_eq(get(&next.table, "9"), "9 \"Cy\" 6 \"Rome\"");
	/* And after a restart, when its declaration is read from the store. */
	base_reopen(&base);
	BASE_OK(&base, put(&now.table, "1", "\"Ada\"", "8"));
	ck_assert_str_eq(get(&next.table, "1"), "1 \"Ada\" 8 \"Paris\"");
	/* To declare the older one again is fine, and changes nothing. */
	BASE_OK(&base, base_alter(&base, &now.table, false, NULL));
	ck_assert_str_eq(get(&next.table, "1"), "1 \"Ada\" 8 \"Paris\"");
}
END_TEST

START_TEST(column_that_has_values_is_not_dropped_unless_said_so)
{
	struct declared next = now;

	three_rows();
	next.table.columns = next.columns;
	next.table.n_columns = 2;
	refused(&next, "3 rows have a value of 'balance'", "", "table");
	ck_assert_str_eq(get(&now.table, "1"), "1 \"Ada\" 5");
	next.dropped[0] = "balance";
	next.table.dropped = next.dropped;
	next.table.n_dropped = 1;
	BASE_OK(&base, base_alter(&base, &next.table, false, NULL));
	ck_assert_str_eq(get(&next.table, "1"), "1 \"Ada\"");
	/* A program that still has it is told so. */
	ck_assert_int_eq(put(&now.table, "1", "\"Ada\"", "6"), CELL_FAILED_PRECONDITION);
	ck_assert_ptr_nonnull(strstr(base.err.text, "balance"));
	ck_assert_int_lt(base_alter(&base, &now.table, false, NULL), 0);
}
END_TEST

START_TEST(check_that_rows_violate_is_refused_with_their_number)
{
	struct declared next = now;

	three_rows();
	next.checks[0] = (struct table_check){ .text = "balance >= 0", .column = "balance" };
	next.table.checks = next.checks;
	next.table.n_checks = 1;
	refused(&next, "1 row violates balance >= 0", "balance", "check(balance >= 0)");
	BASE_OK(&base, put(&now.table, "2", "\"Bo\"", "6"));
	BASE_OK(&base, base_alter(&base, &next.table, false, NULL));
	ck_assert_int_eq(put(&next.table, "2", "\"Bo\"", "-1"), CELL_FAILED_PRECONDITION);
}
END_TEST

START_TEST(indexes_are_built_of_the_rows_that_are_there)
{
	struct declared next = now;

	three_rows();
	next.indexes[0] = (struct table_index){ .name = "owner", .n_columns = 1, .unique = true,
						.columns = owner_alone };
	next.table.indexes = next.indexes;
	next.table.n_indexes = 1;
	refused(&next, "1 row has the same owner as another", "owner", "unique");
	ck_assert_uint_eq(base_entries(&base, 'I'), 0);
	next.indexes[0].unique = false;
	BASE_OK(&base, base_alter(&base, &next.table, false, NULL));
	ck_assert_uint_eq(base_entries(&base, 'I'), 3);
	/* From one kind to the other: built anew, and the old one goes. */
	BASE_OK(&base, put(&next.table, "3", "\"Cy\"", "7"));
	next.indexes[0].unique = true;
	BASE_OK(&base, base_alter(&base, &next.table, false, NULL));
	ck_assert_uint_eq(base_entries(&base, 'I'), 3);
	ck_assert_int_eq(put(&next.table, "4", "\"Cy\"", "7"), CELL_ALREADY_EXISTS);
	next.table.n_indexes = 0;
	next.table.doc = "not the first one again, which would change nothing";
	BASE_OK(&base, base_alter(&base, &next.table, false, NULL));
	ck_assert_uint_eq(base_entries(&base, 'I'), 0);
}
END_TEST

START_TEST(types_may_become_wider)
{
	struct declared next = now, back;

	three_rows();
	next.columns[2].type = TABLE_COLUMN_TYPE_INT64;
	next.table.columns = next.columns;
	BASE_OK(&base, base_alter(&base, &next.table, false, NULL));
	ck_assert_str_eq(get(&next.table, "2"), "2 \"Bo\" -6");
	BASE_OK(&base, put(&next.table, "2", "\"Bo\"", "5000000000"));
	back = next;
	back.columns[2].type = TABLE_COLUMN_TYPE_INT32;
	back.columns[2].nullable = true;
	back.table.columns = back.columns;
	refused(&back, "1 row has a value of 'balance' that does not fit", "balance", "table");
	/* What it once was is an older program's, which is told where it stands. */
	refused(&now, "built with account.balance as int32, which is int64 now", "balance", "table");
}
END_TEST

START_TEST(reference_needs_its_table_and_rows)
{
	static const struct table_column columns[] = {
		{ .number = 1, .name = "id", .type = TABLE_COLUMN_TYPE_UINT64 },
		{ .number = 2, .name = "account", .type = TABLE_COLUMN_TYPE_UINT64 },
	};
	struct declared child = { .columns = { { .number = 0 } } };

	child.references[0] = (struct table_reference){ .column = 2, .table = "acount" };
	child.table = (struct table_table){ .store = "bank", .name = "entry", .n_columns = 2,
					    .columns = columns, .key = &now.key,
					    .references = child.references };
	BASE_OK(&base, base_alter(&base, &child.table, false, NULL));
	BASE_OK(&base, BASE_COMMIT(&base, { &child.table, TABLE_WRITE_KIND_PUT,
					    base_row(&base, &child.table, "id", "1", "account", "7",
						     NULL) }));
	child.table.n_references = 1;
	refused(&child, "there is no table 'acount' in store 'bank'", "account", "ref");
	child.references[0].table = "account";
	refused(&child, "1 row refers to a row of account that is not there", "account", "ref");
	child.references[0].ref_column = "balance";
	refused(&child, "'account' has no column balance that is unique by itself", "account", "ref");
	child.references[0].ref_column = "";
	child.references[0].on_delete = TABLE_ON_DELETE_SET_NULL;
	refused(&child, "is set to NULL when its row goes", "", "table");
	child.references[0].on_delete = TABLE_ON_DELETE_RESTRICT;
	BASE_OK(&base, put(&now.table, "7", "\"Ada\"", "1"));
	BASE_OK(&base, base_alter(&base, &child.table, false, NULL));
	ck_assert_int_eq(BASE_COMMIT(&base, { &now.table, TABLE_WRITE_KIND_REMOVE,
					      base_row(&base, &now.table, "id", "7", NULL) }),
			 CELL_FAILED_PRECONDITION);
}
END_TEST

static const struct participant *prepared(void)
{
	return participants_first(base.engine->participants);
}

START_TEST(table_with_a_prepared_transaction_waits)
{
	struct declared next = now;
	struct table_table_ref table = base_ref(&now.table);
	struct cell_bytes row = base_row(&base, &now.table, "id", "1", "owner", "\"Ada\"", "balance",
					 "1", NULL);
	struct table_write write = { .n_row = row.len, .row = row.at };
	struct table_commit_request commit = { .n_tables = 1, .tables = &table, .n_writes = 1,
					       .writes = &write };
	uint8_t txn[16] = { 1 };
	struct table_prepare_request request = { .n_txn = 16, .txn = txn, .coordinator = "txn",
						 .commit = &commit };
	struct table_prepared out = { 0 };

	base_begin(&base);
	BASE_OK(&base, engine_prepare(base.engine, &base_owner, &request, &out, &base.arena,
				      &base.err));
	base_end(&base);
	ck_assert_ptr_nonnull(prepared());
	next.columns[2].nullable = true;
	next.table.columns = next.columns;
	ck_assert_int_eq(base_alter(&base, &next.table, false, NULL), CELL_ABORTED);
}
END_TEST

/* ---- encrypted columns ---------------------------------------------------------------------- */

/* Whether TEXT stands anywhere in the store's file. */
static bool file_has(const char *text)
{
	FILE *file = fopen(stored_path(&base.stored, "data.mdb"), "re");
	char *bytes;
	size_t len;
	bool found;

	ck_assert_ptr_nonnull(file);
	bytes = malloc(1 << 24);
	ck_assert_ptr_nonnull(bytes);
	len = fread(bytes, 1, 1 << 24, file);
	fclose(file);
	found = memmem(bytes, len, text, strlen(text)) != NULL;
	free(bytes);
	return found;
}

START_TEST(encrypted_columns_are_never_in_the_file)
{
	struct declared secret = now;
	uint64_t rows;

	secret.table.name = "secret";
	secret.columns[1].encrypted = true;
	secret.table.columns = secret.columns;
	BASE_OK(&base, base_alter(&base, &secret.table, false, NULL));
	BASE_OK(&base, put(&secret.table, "1", "\"Wintermute\"", "5"));
	BASE_OK(&base, put(&now.table, "1", "\"Neuromancer\"", "5"));
	ck_assert_str_eq(get(&secret.table, "1"), "1 \"Wintermute\" 5");
	ck_assert(!file_has("Wintermute"));
	ck_assert(file_has("Neuromancer"));
	/* A new key, and without the old one. */
	ck_assert_int_eq(seal_rotate(base.seal, &base.err), 0);
	base_begin(&base);
	BASE_OK(&base, engine_reseal(base.engine, &rows, &base.err));
	base_end(&base);
	ck_assert_uint_eq(rows, 1);
	BASE_OK(&base, seal_forget(base.seal, seal_newest(base.seal), &base.err));
	base_reopen(&base);
	ck_assert_str_eq(get(&secret.table, "1"), "1 \"Wintermute\" 5");
	BASE_OK(&base, put(&secret.table, "1", "\"Case\"", "6"));
	ck_assert_str_eq(get(&secret.table, "1"), "1 \"Case\" 6");
}
END_TEST

/* What a commit answered is kept, to answer it again. */
START_TEST(answers_with_encrypted_columns_are_kept_sealed)
{
	struct declared secret = now;
	struct table_committed first = { 0 }, again = { 0 };
	struct base_write write;

	secret.table.name = "secret";
	secret.columns[1].encrypted = true;
	secret.table.columns = secret.columns;
	BASE_OK(&base, base_alter(&base, &secret.table, false, NULL));
	write = (struct base_write){ &secret.table, TABLE_WRITE_KIND_PUT,
				     base_row(&base, &secret.table, "id", "1", "owner",
					      "\"Wintermute\"", "balance", "5", NULL) };
	base_begin(&base);
	BASE_OK(&base, base_commit_id(&base, 77, &write, 1, &first));
	base_end(&base);
	ck_assert(!file_has("Wintermute"));
	base_reopen(&base);
	base_begin(&base);
	BASE_OK(&base, base_commit_id(&base, 77, &write, 1, &again));
	ck_assert_uint_eq(again.version, first.version);
	ck_assert_uint_eq(again.n_rows, 1);
	ck_assert_uint_eq(again.rows[0].len, first.rows[0].len);
	ck_assert_mem_eq(again.rows[0].at, first.rows[0].at, first.rows[0].len);
	base_end(&base);
	/* With its key it is lost, and says that it has happened. */
	ck_assert_int_eq(seal_rotate(base.seal, &base.err), 0);
	BASE_OK(&base, seal_forget(base.seal, seal_newest(base.seal), &base.err));
	base_begin(&base);
	ck_assert_int_eq(base_commit_id(&base, 77, &write, 1, &again), CELL_DATA_LOSS);
	ck_assert_ptr_nonnull(strstr(base.err.text, "it was committed, and its answer is lost"));
	base_end(&base);
}
END_TEST

START_TEST(columns_become_encrypted_and_plain_again)
{
	struct declared secret = now;

	three_rows();
	secret.columns[1].encrypted = true;
	secret.table.columns = secret.columns;
	BASE_OK(&base, base_alter(&base, &secret.table, false, NULL));
	ck_assert_str_eq(get(&secret.table, "2"), "2 \"Bo\" -6");
	secret.columns[1].encrypted = false;
	secret.table.doc = "plain again";
	BASE_OK(&base, base_alter(&base, &secret.table, false, NULL));
	ck_assert_str_eq(get(&secret.table, "2"), "2 \"Bo\" -6");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alter");
	TCase *tc = tcase_create("alter");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, same_declaration_changes_nothing);
	tcase_add_test(tc, only_checking_changes_nothing);
	tcase_add_test(tc, added_columns_have_their_defaults_in_all_rows);
	tcase_add_test(tc, older_program_keeps_what_it_does_not_know);
	tcase_add_test(tc, column_that_has_values_is_not_dropped_unless_said_so);
	tcase_add_test(tc, check_that_rows_violate_is_refused_with_their_number);
	tcase_add_test(tc, indexes_are_built_of_the_rows_that_are_there);
	tcase_add_test(tc, types_may_become_wider);
	tcase_add_test(tc, reference_needs_its_table_and_rows);
	tcase_add_test(tc, table_with_a_prepared_transaction_waits);
	tcase_add_test(tc, encrypted_columns_are_never_in_the_file);
	tcase_add_test(tc, answers_with_encrypted_columns_are_kept_sealed);
	tcase_add_test(tc, columns_become_encrypted_and_plain_again);
	return base_run(suite, tc);
}
