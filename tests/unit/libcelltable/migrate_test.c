/*
 * What may change in a table, and what is said of what may not.
 */
#include "table_help.h"

#include <cell/internal/table/migrate.h>
#include <stdio.h>

static const struct table_enum_value colors[] = { { "RED", 0 }, { "GREEN", 5 } };
static const struct table_enum_value fewer[] = { { "RED", 0 } };
static const struct table_enum_value more[] = { { "RED", 0 }, { "GREEN", 5 }, { "BLUE", 6 } };
static const struct table_enum_value others[] = { { "RED", 1 }, { "GREEN", 5 } };

/* Everything that both versions may differ in; what is NULL or 0 is not there. */
struct version {
	struct table_column columns[6];
	const uint32_t *key;
	size_t n_key;
	struct table_index indexes[2];
	struct table_check checks[2];
	struct table_reference references[1];
	const char *dropped[2];
};

static const uint32_t one[] = { 1 }, two[] = { 2 }, one_two[] = { 1, 2 };

static struct schema *make(struct version *v)
{
	struct table_index key = { .name = "", .n_columns = v->key ? v->n_key : 1,
				   .columns = v->key ? v->key : one };
	struct table_table table = { .store = "bank", .name = "account", .columns = v->columns,
				     .key = &key, .indexes = v->indexes, .checks = v->checks,
				     .references = v->references, .dropped = v->dropped,
				     .doc = "" };

	while (table.n_columns < COUNT(v->columns) && v->columns[table.n_columns].name)
		table.n_columns++;
	while (table.n_indexes < COUNT(v->indexes) && v->indexes[table.n_indexes].name)
		table.n_indexes++;
	while (table.n_checks < COUNT(v->checks) && v->checks[table.n_checks].text) {
		if (!v->checks[table.n_checks].column)
			v->checks[table.n_checks].column = "";
		table.n_checks++;
	}
	while (table.n_references < COUNT(v->references) && v->references[table.n_references].table) {
		if (!v->references[table.n_references].ref_column)
			v->references[table.n_references].ref_column = "";
		table.n_references++;
	}
	while (table.n_dropped < COUNT(v->dropped) && v->dropped[table.n_dropped])
		table.n_dropped++;
	(void)columns_told(v->columns, table.n_columns);
	return schema_must(&table);
}

#define ID                                                         \
	{                                                          \
		.name = "id", .type = TABLE_COLUMN_TYPE_UINT64      \
	}
#define OWNER                                                      \
	{                                                          \
		.name = "owner", .type = TABLE_COLUMN_TYPE_TEXT     \
	}
#define COLUMN(n, t, ...)                                                              \
	{                                                                              \
		.name = n, .type = TABLE_COLUMN_TYPE_##t __VA_OPT__(, ) __VA_ARGS__    \
	}
#define NICK COLUMN("nick", TEXT, .nullable = true)

/* Notes go behind a '|', several refusals behind a newline; each step is "print[count]". */
static struct {
	struct version before, after;
	uint64_t n;          /* every count */
	const char *steps;   /* as migration_print(), with '#' where something is counted */
	const char *refused; /* "member/macro: text | note" with N rows; "" = nothing */
} rows[] = {
	{ { .columns = { ID, OWNER } }, { .columns = { ID, OWNER } }, 17, "", "" },
	/* --- columns that are new --- */
	{ { .columns = { ID } }, { .columns = { ID, NICK } }, 17,
	  "added column nick to table account", "" },
	{ { .columns = { ID } },
	  { .columns = { ID, COLUMN("n", INT64, .fallback = "7") } }, 17,
	  "added column n to table account", "" },
	{ { .columns = { ID } },
	  { .columns = { ID, COLUMN("tags", TEXT, .repeated = true) } }, 17,
	  "added column tags to table account", "" },
	{ { .columns = { ID } },
	  { .columns = { ID, COLUMN("twice", UINT64, .computed = "id * 2") } }, 17,
	  "added column twice to table account", "" },
	{ { .columns = { ID } }, { .columns = { ID, OWNER } }, 0,
	  "added column owner to table account#", "" },
	{ { .columns = { ID } }, { .columns = { ID, OWNER } }, 17,
	  "added column owner to table account#",
	  "owner/table: 'owner' would have no value in the 17 rows that are there | write "
	  "[[db::default(\"\")]] before it, or make it nullable (a 'bool has_…' before it)" },
	{ { .columns = { ID } }, { .columns = { ID, COLUMN("page", TEXT, .native = "jsonb") } }, 17,
	  "added column page to table account#",
	  "page/table: 'page' would have no value in the 17 rows that are there | write "
	  "[[db::default(\"{}\")]] before it, or make it nullable (a 'bool has_…' before it)" },
	{ { .columns = { ID } },
	  { .columns = { ID, COLUMN("price", TEXT, .native = "numeric(10,2)") } }, 17,
	  "added column price to table account#",
	  "price/table: 'price' would have no value in the 17 rows that are there | write "
	  "[[db::default(\"0\")]] before it, or make it nullable (a 'bool has_…' before it)" },
	{ { .columns = { ID } },
	  { .columns = { ID, COLUMN("color", ENUM, .n_values = 2, .values = colors) } }, 1,
	  "added column color to table account#",
	  "color/table: 'color' would have no value in the 1 row that is there | write "
	  "[[db::default(RED)]] before it, or make it nullable (a 'bool has_…' before it)" },
	/* --- columns that are gone --- */
	{ { .columns = { ID, NICK } }, { .columns = { ID } }, 0,
	  "dropped column nick of table account#", "" },
	{ { .columns = { ID, NICK } }, { .columns = { ID } }, 12,
	  "dropped column nick of table account#",
	  "/table: 12 rows have a value of 'nick', which is no longer declared | to give the values "
	  "up, write [[db::dropped(\"nick\")]] at the table; if it has another name now, "
	  "[[db::renamed(from = \"nick\")]] there" },
	{ { .columns = { ID, NICK } }, { .columns = { ID }, .dropped = { "nick" } }, 12,
	  "dropped column nick of table account", "" },
	{ { .columns = { ID, NICK } },
	  { .columns = { ID, COLUMN("alias", TEXT, .nullable = true, .number = 3) } }, 12,
	  "dropped column nick of table account#\nadded column alias to table account",
	  "/table: 12 rows have a value of 'nick', which is no longer declared | if it is called "
	  "'alias' now, write [[db::renamed(from = \"nick\")]] there; to give the values up, write "
	  "[[db::dropped(\"nick\")]] at the table" },
	/* --- another name --- */
	{ { .columns = { ID, NICK } },
	  { .columns = { ID, COLUMN("alias", TEXT, .nullable = true, .renamed_from = "nick") } }, 12,
	  "renamed column nick of table account to alias", "" },
	{ { .columns = { ID, COLUMN("alias", TEXT, .nullable = true) } },
	  { .columns = { ID, COLUMN("alias", TEXT, .nullable = true, .renamed_from = "nick") } }, 12,
	  "", "" },
	{ { .columns = { ID, NICK } },
	  { .columns = { ID, COLUMN("note", TEXT, .nullable = true) } }, 3,
	  "changed the number of column note of table account#\ndropped column nick of table "
	  "account#\nadded column note to table account",
	  "note/table: 'note' was built as column 2, which is 'nick' in the table | it was built "
	  "beside another table: build it again where this one is\n"
	  "/table: 3 rows have a value of 'nick', which is no longer declared | if it is called "
	  "'note' now, write [[db::renamed(from = \"nick\")]] there; to give the values up, write "
	  "[[db::dropped(\"nick\")]] at the table" },
	{ { .columns = { ID, NICK } },
	  { .columns = { ID, COLUMN("nick", TEXT, .nullable = true, .number = 4) } }, 3,
	  "changed the number of column nick of table account#",
	  "nick/table: 'nick' is column 2 of the table, and was built as column 4 | it was built "
	  "beside another table: build it again where this one is" },
	{ { .columns = { ID, NICK } },
	  { .columns = { ID, COLUMN("nick", TEXT, .nullable = true, .number = 4) } }, 0,
	  "changed the number of column nick of table account#", "" },
	/* --- another type --- */
	{ { .columns = { ID, COLUMN("n", INT32) } }, { .columns = { ID, COLUMN("n", INT64) } }, 17,
	  "changed column n of table account from int32 to int64", "" },
	{ { .columns = { ID, COLUMN("n", UINT32) } }, { .columns = { ID, COLUMN("n", UINT64) } }, 17,
	  "changed column n of table account from uint32 to uint64", "" },
	{ { .columns = { ID, COLUMN("n", FLOAT) } }, { .columns = { ID, COLUMN("n", DOUBLE) } }, 17,
	  "changed column n of table account from float to double", "" },
	{ { .columns = { ID, COLUMN("n", TEXT, .length = 4) } },
	  { .columns = { ID, COLUMN("n", TEXT, .length = 40) } }, 17,
	  "changed column n of table account from varchar(4) to varchar(40)", "" },
	{ { .columns = { ID, COLUMN("n", TEXT, .length = 4) } },
	  { .columns = { ID, COLUMN("n", TEXT) } }, 17,
	  "changed column n of table account from varchar(4) to text", "" },
	{ { .columns = { ID, COLUMN("n", INT64) } }, { .columns = { ID, COLUMN("n", INT32) } }, 0,
	  "changed column n of table account from int64 to int32#", "" },
	{ { .columns = { ID, COLUMN("n", INT64) } }, { .columns = { ID, COLUMN("n", INT32) } }, 3,
	  "changed column n of table account from int64 to int32#",
	  "n/table: 3 rows have a value of 'n' that does not fit int32 | it was int64: change those "
	  "values first, or leave the type as it was" },
	{ { .columns = { ID, COLUMN("n", TEXT, .length = 40) } },
	  { .columns = { ID, COLUMN("n", TEXT, .length = 4) } }, 1,
	  "changed column n of table account from varchar(40) to varchar(4)#",
	  "n/table: 1 row has a value of 'n' that does not fit text of at most 4 bytes | it was text "
	  "of at most 40 bytes: change those values first, or leave the type as it was" },
	{ { .columns = { ID, COLUMN("n", INT64) } }, { .columns = { ID, COLUMN("n", TEXT) } }, 3,
	  "changed column n of table account from int64 to text#",
	  "n/table: 3 rows have a value of 'n', which was int64 and cannot become text | give the new "
	  "one another name, and write [[db::dropped(\"n\")]] at the table when the old one is not "
	  "needed any more" },
	{ { .columns = { ID, COLUMN("n", INT64) } },
	  { .columns = { ID, COLUMN("n", INT64, .repeated = true) } }, 0,
	  "changed column n of table account from int64 to list of int64#", "" },
	/* --- NULL --- */
	{ { .columns = { ID, OWNER } },
	  { .columns = { ID, COLUMN("owner", TEXT, .nullable = true) } }, 17,
	  "made column owner of table account nullable", "" },
	{ { .columns = { ID, NICK } }, { .columns = { ID, COLUMN("nick", TEXT) } }, 2,
	  "made column nick of table account required#",
	  "nick/table: 2 rows have NULL in 'nick', which may be NULL no longer | write "
	  "[[db::default(\"\")]] before it, or leave it nullable" },
	{ { .columns = { ID, NICK } },
	  { .columns = { ID, COLUMN("nick", TEXT, .fallback = "\"x\"") } }, 2,
	  "changed the default of column nick of table account\nmade column nick of table account "
	  "required#",
	  "" },
	/* --- enums --- */
	{ { .columns = { ID, COLUMN("c", ENUM, .n_values = 2, .values = colors) } },
	  { .columns = { ID, COLUMN("c", ENUM, .n_values = 3, .values = more) } }, 4,
	  "changed the values of column c of table account", "" },
	{ { .columns = { ID, COLUMN("c", ENUM, .n_values = 2, .values = colors) } },
	  { .columns = { ID, COLUMN("c", ENUM, .n_values = 1, .values = fewer) } }, 4,
	  "changed the values of column c of table account#",
	  "c/table: 4 rows have a value of 'c' that its enum no longer has | keep the enumerator, or "
	  "change those values first" },
	{ { .columns = { ID, COLUMN("c", ENUM, .n_values = 2, .values = colors) } },
	  { .columns = { ID, COLUMN("c", ENUM, .n_values = 2, .values = others) } }, 4,
	  "changed the values of column c of table account#",
	  "c/table: 4 rows have a value of 'c', whose enumerators have other numbers now | RED was 0, "
	  "and is 1 now: write RED = 0" },
	/* --- computed, encrypted, serial --- */
	{ { .columns = { ID, COLUMN("n", UINT64, .computed = "id * 2") } },
	  { .columns = { ID, COLUMN("n", UINT64, .computed = "id * 3") } }, 17,
	  "computed column n of table account", "" },
	{ { .columns = { ID, OWNER } },
	  { .columns = { ID, COLUMN("owner", TEXT, .encrypted = true) } }, 17,
	  "encrypted column owner of table account", "" },
	{ { .columns = { ID } }, { .columns = { COLUMN("id", UINT64, .serial = true) } }, 17,
	  "changed the default of column id of table account", "" },
	/* --- indexes and keys --- */
	{ { .columns = { ID, OWNER } },
	  { .columns = { ID, OWNER }, .indexes = { { "by_owner", 1, two, false } } }, 5,
	  "added index by_owner to table account", "" },
	{ { .columns = { ID, OWNER } },
	  { .columns = { ID, OWNER }, .indexes = { { "by_owner", 1, two, true } } }, 5,
	  "added unique index by_owner to table account#",
	  "owner/unique: 5 rows have the same owner as another | change or delete them first, or write "
	  "[[db::index]]" },
	{ { .columns = { ID, OWNER }, .indexes = { { "a", 1, two, true }, { "b", 2, one_two, false } } },
	  { .columns = { ID, OWNER }, .indexes = { { "b", 2, one_two, false }, { "a", 1, two, true } } },
	  5, "", "" },
	{ { .columns = { ID, OWNER }, .indexes = { { "a", 1, two, false } } },
	  { .columns = { ID, OWNER }, .indexes = { { "a", 2, one_two, false } } }, 5,
	  "dropped index a of table account\nadded index a to table account", "" },
	{ { .columns = { ID, OWNER } }, { .columns = { ID, OWNER }, .key = one_two, .n_key = 2 }, 5,
	  "changed the key of table account#",
	  "id/key: the key of account is another one, and the table has 5 rows | leave the key as it "
	  "was, or make a table of another name and copy the rows" },
	{ { .columns = { ID, OWNER } }, { .columns = { ID, OWNER }, .key = two, .n_key = 1 }, 0,
	  "changed the key of table account#", "" },
	/* --- checks and references --- */
	{ { .columns = { ID, COLUMN("balance", INT64) } },
	  { .columns = { ID, COLUMN("balance", INT64) },
	    .checks = { { "balance >= 0", "balance" } } }, 17,
	  "added check balance >= 0 to table account#",
	  "balance/check(balance >= 0): 17 rows violate balance >= 0 | change or delete them first; the filter "
	  "!(balance >= 0) finds them" },
	{ { .columns = { ID, COLUMN("balance", INT64) }, .checks = { { "balance >= 0", "balance" } } },
	  { .columns = { ID, COLUMN("balance", INT64) }, .checks = { { "id > 0", "" } } }, 1,
	  "dropped check balance >= 0 of table account\nadded check id > 0 to table account#",
	  "/check(id > 0): 1 row violates id > 0 | change or delete them first; the filter !(id > 0) finds "
	  "them" },
	{ { .columns = { ID, OWNER, COLUMN("client", UINT64) } },
	  { .columns = { ID, OWNER, COLUMN("client", UINT64) }, .references = { { 3, "client", "", 0 } } },
	  2, "added reference client to table client in table account#",
	  "client/ref: 2 rows refer to a row of client that is not there | add those rows, or change "
	  "what refers to them, first" },
	{ { .columns = { ID, OWNER, COLUMN("client", UINT64) }, .references = { { 3, "client", "", 0 } } },
	  { .columns = { ID, OWNER, COLUMN("client", UINT64) } },
	  2, "dropped reference client to table client in table account", "" },
	/* --- a key's column of a wider type keeps its bytes; one of another kind does not --- */
	{ { .columns = { COLUMN("id", UINT32) } }, { .columns = { COLUMN("id", UINT64) } }, 3,
	  "changed column id of table account from uint32 to uint64", "" },
	{ { .columns = { COLUMN("id", UINT32) } }, { .columns = { COLUMN("id", INT64) } }, 3,
	  "changed column id of table account from uint32 to int64\nchanged the key of table account#",
	  "id/key: the key of account is another one, and the table has 3 rows | leave the key as it "
	  "was, or make a table of another name and copy the rows" },
};

static char said[4096];

static void add(const char *separator, const char *text)
{
	if (*said)
		strncat(said, separator, sizeof said - strlen(said) - 1);
	strncat(said, text, sizeof said - strlen(said) - 1);
}

static void on_refused(void *userdata, const struct migration_step *step, const char *text,
		       const char *note)
{
	char line[1200];

	(void)userdata;
	snprintf(line, sizeof line, "%s/%s: %s | %s", step->member, step->macro, text, note);
	add("\n", line);
}

START_TEST(a_change_is_taken_apart_and_judged)
{
	struct schema *before = make(&rows[_i].before), *after = make(&rows[_i].after);
	struct migration migration;
	int r;

	said[0] = '\0';
	ck_assert_int_eq(migration_plan(&migration, before, after, &test_arena), 0);
	for (size_t i = 0; i < migration.n_steps; i++) {
		struct migration_step *step = &migration.steps[i];

		add("\n", migration_print(&migration, step, &test_arena));
		if (step->count != MIGRATION_COUNT_NOTHING)
			add("", "#");
		step->n = rows[_i].n;
	}
	ck_assert_str_eq(said, rows[_i].steps);

	said[0] = '\0';
	r = migration_judge(&migration, "db", on_refused, NULL);
	ck_assert_str_eq(said, rows[_i].refused);
	ck_assert_int_eq(r, *said ? CELL_FAILED_PRECONDITION : 0);
	schema_free(before);
	schema_free(after);
}
END_TEST

START_TEST(a_new_table_is_one_step)
{
	struct version version = { .columns = { ID, OWNER },
				   .indexes = { { "by_owner", 1, two, true } } };
	struct schema *schema = make(&version);
	struct migration migration;

	ck_assert_int_eq(migration_plan(&migration, NULL, schema, &test_arena), 0);
	ck_assert_uint_eq(migration.n_steps, 1);
	ck_assert_str_eq(migration_print(&migration, &migration.steps[0], &test_arena),
			 "created table account");
	ck_assert_int_eq(migration_judge(&migration, "db", on_refused, NULL), 0);
	schema_free(schema);
}
END_TEST

/* --- older programs ------------------------------------------------------------------------------- */

#define AGAIN "; write it as the table has it, and build it again"

static struct {
	struct version old, now;
	const char *text;   /* "" = it may go on */
	const char *member; /* of it; NULL = none in particular */
} pairs[] = {
	{ { .columns = { ID, NICK } }, { .columns = { ID, NICK } }, "", NULL },
	{ { .columns = { ID } }, { .columns = { ID, NICK } }, "", NULL },
	{ { .columns = { ID } }, { .columns = { ID, COLUMN("n", INT64, .fallback = "1") } }, "", NULL },
	{ { .columns = { ID } }, { .columns = { ID, COLUMN("n", UINT64, .computed = "id") } }, "", NULL },
	{ { .columns = { ID } }, { .columns = { ID, OWNER } },
	  "built with account without owner, which has to be given now" AGAIN, NULL },
	{ { .columns = { ID, NICK } }, { .columns = { ID } },
	  "built with account.nick, which was dropped" AGAIN, "nick" },
	{ { .columns = { ID, NICK } },
	  { .columns = { ID, COLUMN("alias", TEXT, .nullable = true, .renamed_from = "nick") } }, "", NULL },
	{ { .columns = { ID, COLUMN("n", INT32) } }, { .columns = { ID, COLUMN("n", INT64) } },
	  "built with account.n as int32, which is int64 now" AGAIN, "n" },
	{ { .columns = { ID, COLUMN("n", TEXT, .length = 4) } },
	  { .columns = { ID, COLUMN("n", TEXT, .length = 40) } }, "", NULL },
	{ { .columns = { ID, COLUMN("n", TEXT, .length = 40) } },
	  { .columns = { ID, COLUMN("n", TEXT, .length = 4) } },
	  "built with account.n, which has at most 4 bytes now" AGAIN, "n" },
	{ { .columns = { ID, COLUMN("n", TEXT) } },
	  { .columns = { ID, COLUMN("n", TEXT, .repeated = true) } },
	  "built with account.n, which is a list now" AGAIN, "n" },
	{ { .columns = { ID, OWNER } }, { .columns = { ID, COLUMN("owner", TEXT, .nullable = true) } },
	  "", NULL },
	{ { .columns = { ID, NICK } }, { .columns = { ID, COLUMN("nick", TEXT) } },
	  "built with account.nick as one that may be NULL, which it may no longer" AGAIN, "nick" },
	{ { .columns = { ID, COLUMN("n", UINT64) } },
	  { .columns = { ID, COLUMN("n", UINT64, .computed = "id") } },
	  "built with account.n, which is now computed" AGAIN, "n" },
	{ { .columns = { ID, COLUMN("c", ENUM, .n_values = 2, .values = colors) } },
	  { .columns = { ID, COLUMN("c", ENUM, .n_values = 3, .values = more) } }, "", NULL },
	{ { .columns = { ID, COLUMN("c", ENUM, .n_values = 2, .values = colors) } },
	  { .columns = { ID, COLUMN("c", ENUM, .n_values = 1, .values = fewer) } },
	  "built with GREEN of account.c, which is no value of it any more" AGAIN, "c" },
	{ { .columns = { ID, OWNER } }, { .columns = { ID, OWNER }, .key = one_two, .n_key = 2 },
	  "built with another key of account" AGAIN, NULL },
	{ { .columns = { ID, OWNER }, .indexes = { { "by_owner", 1, two, true } } },
	  { .columns = { ID, OWNER } },
	  "built with the index by_owner of account, which was dropped" AGAIN, NULL },
	{ { .columns = { ID, OWNER } },
	  { .columns = { ID, OWNER }, .indexes = { { "by_owner", 1, two, true } } }, "", NULL },
};

START_TEST(an_older_program_goes_on_or_is_told_why_not)
{
	struct schema *old = make(&pairs[_i].old), *now = make(&pairs[_i].now);
	const char *member;
	int r = migration_coexists(old, now, &member, &test_err);

	ck_assert_str_eq(test_err.text, pairs[_i].text);
	ck_assert_str_eq(member, pairs[_i].member ? pairs[_i].member : "");
	ck_assert_int_eq(r, *pairs[_i].text ? CELL_FAILED_PRECONDITION : 0);
	schema_free(old);
	schema_free(now);
}
END_TEST

/* --- values of another type ------------------------------------------------------------------------ */

static struct {
	struct table_column before, after;
	struct value value;
	const char *becomes; /* as value_print(); NULL = it does not fit */
} values[] = {
	{ COLUMN("n", INT64), COLUMN("n", INT32), { .kind = VALUE_INT, .integer = INT32_MAX },
	  "2147483647" },
	{ COLUMN("n", INT64), COLUMN("n", INT32), { .kind = VALUE_INT, .integer = INT32_MAX + 1ll },
	  NULL },
	{ COLUMN("n", INT64), COLUMN("n", UINT64), { .kind = VALUE_INT, .integer = -1 }, NULL },
	{ COLUMN("n", UINT64), COLUMN("n", INT64), { .kind = VALUE_UINT, .natural = 1ull << 63 }, NULL },
	{ COLUMN("n", UINT64), COLUMN("n", UINT32), { .kind = VALUE_UINT, .natural = UINT32_MAX },
	  "4294967295" },
	{ COLUMN("n", INT64), COLUMN("n", DOUBLE), { .kind = VALUE_INT, .integer = 1ll << 53 },
	  "9007199254740992" },
	{ COLUMN("n", INT64), COLUMN("n", DOUBLE), { .kind = VALUE_INT, .integer = (1ll << 53) + 1 },
	  NULL },
	{ COLUMN("n", INT64), COLUMN("n", DOUBLE), { .kind = VALUE_INT, .integer = INT64_MAX }, NULL },
	{ COLUMN("n", INT64), COLUMN("n", FLOAT), { .kind = VALUE_INT, .integer = (1 << 24) + 1 }, NULL },
	{ COLUMN("n", DOUBLE), COLUMN("n", FLOAT), { .kind = VALUE_REAL, .real = 0.5 }, "0.5" },
	{ COLUMN("n", DOUBLE), COLUMN("n", FLOAT), { .kind = VALUE_REAL, .real = 0.1 }, NULL },
	{ COLUMN("n", DOUBLE), COLUMN("n", INT64), { .kind = VALUE_REAL, .real = -2 }, "-2" },
	{ COLUMN("n", DOUBLE), COLUMN("n", INT64), { .kind = VALUE_REAL, .real = 0.5 }, NULL },
	{ COLUMN("n", DOUBLE), COLUMN("n", INT64), { .kind = VALUE_REAL, .real = 9.3e18 }, NULL },
	{ COLUMN("n", DOUBLE), COLUMN("n", UINT64), { .kind = VALUE_REAL, .real = -0.0 }, "0" },
	{ COLUMN("n", DOUBLE), COLUMN("n", UINT64), { .kind = VALUE_REAL, .real = __builtin_nan("") },
	  NULL },
	{ COLUMN("n", INT32), COLUMN("n", ENUM, .n_values = 2, .values = colors),
	  { .kind = VALUE_INT, .integer = 5 }, "GREEN" },
	{ COLUMN("n", INT32), COLUMN("n", ENUM, .n_values = 2, .values = colors),
	  { .kind = VALUE_INT, .integer = 4 }, NULL },
	{ COLUMN("n", BYTES), COLUMN("n", TEXT), { .kind = VALUE_BYTES, .bytes = (const uint8_t *)"ab",
						   .len = 2 }, "\"ab\"" },
	{ COLUMN("n", BYTES), COLUMN("n", TEXT), { .kind = VALUE_BYTES, .bytes = (const uint8_t *)"\xff",
						   .len = 1 }, NULL },
	{ COLUMN("n", TEXT), COLUMN("n", TEXT, .length = 1), { .kind = VALUE_TEXT,
							       .bytes = (const uint8_t *)"ab", .len = 2 },
	  NULL },
	{ COLUMN("n", BYTES), COLUMN("n", BYTES, .length = 3, .fixed = true),
	  { .kind = VALUE_BYTES, .bytes = (const uint8_t *)"ab", .len = 2 }, NULL },
	{ COLUMN("n", TEXT, .repeated = true), COLUMN("n", TEXT, .repeated = true, .length = 1),
	  { .kind = VALUE_LIST, .bytes = (const uint8_t *)"\1a\1b", .len = 4 }, "[\"a\", \"b\"]" },
	{ COLUMN("n", TEXT, .repeated = true), COLUMN("n", TEXT, .repeated = true, .length = 1),
	  { .kind = VALUE_LIST, .bytes = (const uint8_t *)"\1a\2bc", .len = 5 }, NULL },
	{ COLUMN("n", BOOL), COLUMN("n", TEXT), { .kind = VALUE_BOOL, .boolean = true }, NULL },
	{ COLUMN("n", BOOL), COLUMN("n", TEXT), { .kind = VALUE_NULL }, "NULL" },
};

START_TEST(a_value_fits_another_type_or_not)
{
	const struct table_column *before = columns_told(&values[_i].before, 1);
	const struct table_column *after = columns_told(&values[_i].after, 1);
	struct value ret;

	ck_assert_int_eq(migration_convert(before, after, &values[_i].value, &ret),
			 values[_i].becomes != NULL);
	if (values[_i].becomes)
		ck_assert_str_eq(value_print(&ret, after, &test_arena), values[_i].becomes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate");
	TCase *tcase = tcase_create("migrate");

	tcase_add_checked_fixture(tcase, setup_arena, teardown_arena);
	tcase_add_loop_test(tcase, a_change_is_taken_apart_and_judged, 0, (int)COUNT(rows));
	tcase_add_test(tcase, a_new_table_is_one_step);
	tcase_add_loop_test(tcase, an_older_program_goes_on_or_is_told_why_not, 0, (int)COUNT(pairs));
	tcase_add_loop_test(tcase, a_value_fits_another_type_or_not, 0, (int)COUNT(values));
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
