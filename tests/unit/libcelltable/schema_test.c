/*
 * What may be declared, and what is said of what may not.
 */
#include "table_help.h"

#include <sodium.h>
#include <stdio.h>

static const struct table_enum_value colors[] = { { "RED", 0 }, { "GREEN", 5 } };
static const struct table_enum_value twice[] = { { "RED", 0 }, { "RED", 1 } };
static const struct table_enum_value spaced[] = { { "RED HAT", 0 } };

static const uint32_t one[] = { 1 }, two[] = { 2 }, nine[] = { 9 }, one_one[] = { 1, 1 },
		      two_three[] = { 2, 3 };

#define COLUMN(n, t, ...)                                                           \
	{                                                                           \
		.name = n, .type = TABLE_COLUMN_TYPE_##t __VA_OPT__(, ) __VA_ARGS__ \
	}
#define ID COLUMN("id", UINT64)

struct declaration {
	const char *store, *name; /* NULL = "bank", "account" */
	struct table_column columns[4];
	const uint32_t *key;
	size_t n_key;
	bool has_no_key;
	struct table_index indexes[2];
	struct table_check checks[2];
	struct table_reference references[2];
	const char *dropped[2];
};

static struct schema *try(struct declaration *d)
{
	struct table_index key = { .name = "", .n_columns = d->key ? d->n_key : 1,
				   .columns = d->key ? d->key : one };
	struct table_table table = { .store = d->store ? d->store : "bank",
				     .name = d->name ? d->name : "account", .columns = d->columns,
				     .key = d->has_no_key ? NULL : &key, .indexes = d->indexes,
				     .checks = d->checks, .references = d->references,
				     .dropped = d->dropped, .doc = "" };

	while (table.n_columns < COUNT(d->columns) && d->columns[table.n_columns].name)
		table.n_columns++;
	while (table.n_indexes < COUNT(d->indexes) && d->indexes[table.n_indexes].name)
		table.n_indexes++;
	while (table.n_checks < COUNT(d->checks) && d->checks[table.n_checks].text) {
		if (!d->checks[table.n_checks].column)
			d->checks[table.n_checks].column = "";
		table.n_checks++;
	}
	while (table.n_references < COUNT(d->references) && d->references[table.n_references].table) {
		if (!d->references[table.n_references].ref_column)
			d->references[table.n_references].ref_column = "";
		table.n_references++;
	}
	while (table.n_dropped < COUNT(d->dropped) && d->dropped[table.n_dropped])
		table.n_dropped++;
	(void)columns_told(d->columns, table.n_columns);
	return schema_try(&table);
}

static struct {
	struct declaration declaration;
	const char *why; /* "" = it is fine */
} rows[] = {
	{ { .columns = { ID } }, "" },
	{ { .columns = { ID }, .has_no_key = true }, "" },
	{ { .columns = { ID }, .store = "my-store.x" }, "" },
	{ { .columns = { ID }, .store = ".hidden" },
	  "account: '.hidden' is no name for a store: letters, digits, _, - and ., at most 63" },
	{ { .columns = { ID }, .store = "" },
	  "account: '' is no name for a store: letters, digits, _, - and ., at most 63" },
	{ { .columns = { ID }, .name = "a b" },
	  "'a b' is no name for a table: letters, digits and _, at most 63" },
	{ { .columns = { ID }, .name = "a234567890123456789012345678901234567890123456789012345678901234" },
	  "'a234567890123456789012345678901234567890123456789012345678901234' is no name for a "
	  "table: letters, digits and _, at most 63" },
	{ { .has_no_key = true }, "account: has 0 columns, not 1 to 512" },
	/* names and numbers */
	{ { .columns = { ID, COLUMN("1st", TEXT) } },
	  "account: '1st' is no name for a column: letters, digits and _, at most 63" },
	{ { .columns = { ID, COLUMN("id", TEXT) } },
	  "account.id: there are two columns of that name" },
	{ { .columns = { ID, COLUMN("nick", TEXT, .number = 1) } },
	  "account.nick: has the number 1 of id" },
	{ { .columns = { ID, COLUMN("nick", TEXT, .number = 536870912) } },
	  "account.nick: its number is 536870912, not 1 to 536870911" },
	{ { .columns = { ID, COLUMN("nick", TEXT, .number = 536870911) } }, "" },
	{ { .columns = { ID, COLUMN("nick", TEXT, .renamed_from = "alias") } }, "" },
	{ { .columns = { ID, COLUMN("nick", TEXT, .renamed_from = "id") } },
	  "account.nick: is renamed from id, which is a column still" },
	{ { .columns = { COLUMN("id", UINT64, .renamed_from = "old"),
			 COLUMN("nick", TEXT, .renamed_from = "old") } },
	  "account.nick: is renamed from old, as id is" },
	{ { .columns = { ID, COLUMN("nick", TEXT, .renamed_from = "a-b") } },
	  "account.nick: 'a-b' was no column's name" },
	{ { .columns = { ID }, .dropped = { "nick" } }, "" },
	{ { .columns = { ID }, .dropped = { "id" } }, "account.id: is dropped, and declared" },
	/* types */
	{ { .columns = { ID, { .name = "x", .type = (enum table_column_type)12 } } },
	  "account.x: type 12 is not known" },
	{ { .columns = { ID, { .name = "x" } } }, "account.x: type 0 is not known" },
	{ { .columns = { ID, COLUMN("x", INT32, .length = 4) } },
	  "account.x: has a length, and is int32" },
	{ { .columns = { ID, COLUMN("x", TEXT, .length = 4, .fixed = true) } },
	  "account.x: only bytes with a length can be fixed" },
	{ { .columns = { ID, COLUMN("x", ENUM) } }, "account.x: is an enum without values" },
	{ { .columns = { ID, COLUMN("x", TEXT, .n_values = 2, .values = colors) } },
	  "account.x: has values, and is no enum" },
	{ { .columns = { ID, COLUMN("x", ENUM, .n_values = 2, .values = twice) } },
	  "account.x: has the value RED twice" },
	{ { .columns = { ID, COLUMN("x", ENUM, .n_values = 1, .values = spaced) } },
	  "account.x: a value has no valid name" },
	{ { .columns = { COLUMN("id", UINT64, .serial = true) } }, "" },
	{ { .columns = { ID, COLUMN("x", TEXT, .serial = true) } },
	  "account.x: only a whole number can be serial" },
	{ { .columns = { ID, COLUMN("x", INT64, .serial = true, .fallback = "7") } },
	  "account.x: is serial, so it is neither nullable, encrypted nor computed, and has no "
	  "default" },
	/* defaults */
	{ { .columns = { ID, COLUMN("x", INT64, .fallback = "now()") } }, "" },
	{ { .columns = { ID, COLUMN("x", BYTES, .length = 16, .fixed = true, .fallback = "uuid()") } },
	  "" },
	{ { .columns = { ID, COLUMN("x", INT32, .fallback = "now()") } },
	  "account.x: now() is an int64, not int32" },
	{ { .columns = { ID, COLUMN("x", BYTES, .fallback = "uuid()") } },
	  "account.x: uuid() is 16 bytes (uint8_t [16]), not bytes" },
	{ { .columns = { ID, COLUMN("x", INT32, .fallback = "3000000000") } },
	  "account.x: its default: 3000000000 does not fit int32" },
	{ { .columns = { ID, COLUMN("x", TEXT, .fallback = "x7") } },
	  "account.x: its default: 'x7' is no text: \"…\"" },
	{ { .columns = { ID, COLUMN("x", TEXT, .fallback = "NULL") } },
	  "account.x: its default: 'NULL' cannot be: the column is never NULL" },
	{ { .columns = { ID, COLUMN("x", ENUM, .n_values = 2, .values = colors, .fallback = "BLUE") } },
	  "account.x: its default: 'BLUE' is no value of it" },
	{ { .columns = { ID, COLUMN("x", INT64, .repeated = true, .fallback = "1") } },
	  "account.x: its default: '1' is no list, and lists have no literal" },
	/* computed */
	{ { .columns = { ID, COLUMN("x", UINT64, .computed = "id + 1") } }, "" },
	{ { .columns = { ID, COLUMN("x", UINT64, .computed = "idd + 1") } },
	  "account.x: computed: no column 'idd' (did you mean 'id'?)" },
	{ { .columns = { ID, COLUMN("x", TEXT, .computed = "id + 1") } },
	  "account.x: is text, and id + 1 is something else" },
	{ { .columns = { ID, COLUMN("x", UINT64, .computed = "id + 1", .fallback = "1") } },
	  "account.x: is computed, so it has no default" },
	{ { .columns = { ID, COLUMN("x", UINT64, .computed = "id + 1"),
			 COLUMN("y", UINT64, .computed = "x + 1") } },
	  "account.y: is computed from x, which is computed itself" },
	{ { .columns = { ID, COLUMN("x", UINT64, .computed = "x + 1") } },
	  "account.x: is computed from x, which is computed itself" },
	{ { .columns = { ID, COLUMN("x", UINT64, .encrypted = true),
			 COLUMN("y", UINT64, .computed = "x + 1") } },
	  "account.y: is computed from x, which is encrypted; this one is not" },
	{ { .columns = { ID, COLUMN("x", UINT64, .encrypted = true),
			 COLUMN("y", UINT64, .computed = "x + 1", .encrypted = true) } },
	  "" },
	/* keys */
	{ { .columns = { ID }, .key = nine, .n_key = 1 },
	  "account: the key has a column of number 9, which there is not" },
	{ { .columns = { ID }, .key = one_one, .n_key = 2 }, "account.id: is twice in the key" },
	{ { .columns = { COLUMN("id", UINT64, .nullable = true) } },
	  "account.id: may be NULL, so it cannot be in the key" },
	{ { .columns = { COLUMN("id", UINT64, .encrypted = true) } },
	  "account.id: is encrypted, so it cannot be in the key" },
	{ { .columns = { COLUMN("id", UINT64, .repeated = true) } },
	  "account.id: is a list, so it cannot be in the key" },
	{ { .columns = { COLUMN("id", MESSAGE) } },
	  "account.id: is a message, so it cannot be in the key" },
	{ { .columns = { COLUMN("id", UINT64, .computed = "x"), COLUMN("x", UINT64) } },
	  "account.id: is computed, so it cannot be in the key" },
	{ { .columns = { ID, COLUMN("x", TEXT, .nullable = true) },
	    .indexes = { { "by_x", 1, two, true } } }, "" },
	{ { .columns = { ID, COLUMN("x", TEXT, .encrypted = true) },
	    .indexes = { { "by_x", 1, two, true } } },
	  "account.x: is encrypted, so it cannot be in the index by_x" },
	{ { .columns = { ID, COLUMN("x", TEXT) }, .indexes = { { "by x", 1, two, true } } },
	  "account: 'by x' is no name for an index" },
	{ { .columns = { ID, COLUMN("x", TEXT) }, .indexes = { { "by_x", 0, two, true } } },
	  "account: the index by_x has no columns" },
	{ { .columns = { ID, COLUMN("x", TEXT) },
	    .indexes = { { "by_x", 1, two, true }, { "by_x", 1, one, true } } },
	  "account: there are two indexes by_x" },
	{ { .columns = { ID, COLUMN("x", TEXT), COLUMN("y", MESSAGE) },
	    .indexes = { { "by_x", 2, two_three, true } } },
	  "account.y: is a message, so it cannot be in the index by_x" },
	/* checks */
	{ { .columns = { ID }, .checks = { { "id > 0", "id" } } }, "" },
	{ { .columns = { ID }, .checks = { { "id >", "id" } } },
	  "account: check(id >): something is missing at the end" },
	{ { .columns = { ID }, .checks = { { "id + 1", "id" } } },
	  "account: check(id + 1) is neither true nor false" },
	{ { .columns = { ID }, .checks = { { "id > 0", "idd" } } },
	  "account: check(id > 0) stands at idd, which is no column" },
	/* references */
	{ { .columns = { ID, COLUMN("x", UINT64) }, .references = { { 2, "client", "", 0 } } }, "" },
	{ { .columns = { ID, COLUMN("x", UINT64) }, .references = { { 2, "account", "", 0 } } }, "" },
	{ { .columns = { ID, COLUMN("x", UINT64) }, .references = { { 2, "account", "id", 0 } } }, "" },
	{ { .columns = { ID, COLUMN("x", UINT64) }, .references = { { 1, "account", "", 0 } } },
	  "account.id: refers to itself" },
	{ { .columns = { ID, COLUMN("x", UINT64) }, .references = { { 1, "account", "x", 0 } } },
	  "account.id: refers to account.x, which is neither the key nor unique" },
	{ { .columns = { ID, COLUMN("x", TEXT) }, .references = { { 2, "account", "", 0 } } },
	  "account.x: is text, and refers to account.id, which is uint64" },
	{ { .columns = { ID }, .references = { { 9, "client", "", 0 } } },
	  "account: a reference is of column number 9, which there is not" },
	{ { .columns = { ID, COLUMN("x", UINT64) }, .references = { { 2, "cli ent", "", 0 } } },
	  "account.x: 'cli ent.' cannot be referred to" },
	{ { .columns = { ID, COLUMN("x", UINT64) },
	    .references = { { 2, "client", "", 0 }, { 2, "other", "", 0 } } },
	  "account.x: has two references" },
	{ { .columns = { ID, COLUMN("x", UINT64) },
	    .references = { { 2, "client", "", TABLE_ON_DELETE_SET_NULL } } },
	  "account.x: is set to NULL when its row goes, and is never NULL" },
	{ { .columns = { ID, COLUMN("x", UINT64, .encrypted = true) },
	    .references = { { 2, "client", "", 0 } } },
	  "account.x: what is encrypted cannot refer to a row" },
	{ { .columns = { ID, COLUMN("x", UINT64) },
	    .references = { { 2, "client", "", (enum table_on_delete)3 } } },
	  "account.x: on_delete 3 is not known" },
};

START_TEST(a_declaration_is_fine_or_told_why_not)
{
	struct schema *schema = try(&rows[_i].declaration);

	if (schema)
		ck_assert_str_eq(rows[_i].why, "");
	else
		ck_assert_str_eq(test_err.text, rows[_i].why);
	schema_free(schema);
}
END_TEST

START_TEST(a_schema_knows_its_columns)
{
	struct declaration d = {
		.columns = { COLUMN("c", TEXT, .number = 70), COLUMN("a", UINT64, .number = 2),
			     COLUMN("far", INT32, .number = 99999), COLUMN("b", BOOL, .number = 5) },
		.key = (const uint32_t[]){ 70, 2 }, .n_key = 2,
		.indexes = { { "by_b", 1, (const uint32_t[]){ 5 }, false } },
	};
	struct schema *schema = try(&d);
	const char *names = "";

	ck_assert_msg(schema != NULL, "%s", test_err.text);
	ck_assert_int_eq(schema_column_by_number(schema, 70), 0);
	ck_assert_int_eq(schema_column_by_number(schema, 2), 1);
	ck_assert_int_eq(schema_column_by_number(schema, 99999), 2);
	ck_assert_int_eq(schema_column_by_number(schema, 5), 3);
	ck_assert_int_eq(schema_column_by_number(schema, 0), -1);
	ck_assert_int_eq(schema_column_by_number(schema, 3), -1);
	ck_assert_int_eq(schema_column_by_number(schema, 71), -1);
	ck_assert_int_eq(schema_column_by_number(schema, UINT32_MAX), -1);
	ck_assert_int_eq(schema_column_by_name(schema, "far"), 2);
	ck_assert_int_eq(schema_column_by_name(schema, "fa"), -1);
	for (size_t i = 0; i < schema->n_columns; i++)
		names = cell_arena_printf(&test_arena, "%s %s", names,
					  schema->columns[schema->order[i]].told->name);
	ck_assert_str_eq(names, " a b c far");
	ck_assert_uint_eq(schema->n_keys, 2);
	ck_assert_uint_eq(schema->keys[0].n, 2);
	ck_assert_uint_eq(schema->keys[0].columns[0], 0);
	ck_assert_uint_eq(schema->keys[1].columns[0], 3);
	ck_assert(schema->columns[0].is_key && !schema->columns[3].is_key);
	schema_free(schema);
}
END_TEST

START_TEST(its_version_is_of_its_bytes)
{
	struct declaration d = { .columns = { ID } };
	const struct table_table table = { .store = "bank", .name = "account", .n_columns = 1,
					   .columns = columns_told(d.columns, 1), .doc = "" };
	struct schema *schema = schema_must(&table);
	uint8_t *bytes, digest[32];
	size_t len = table_bytes(&table, &bytes);

	crypto_generichash(digest, sizeof digest, bytes, len, NULL, 0);
	ck_assert_mem_eq(schema->digest, digest, sizeof digest);
	for (size_t i = 0; i < 8; i++)
		ck_assert_uint_eq(schema->version >> 8 * i & 0xff, digest[i]);
	free(bytes);
	schema_free(schema);
}
END_TEST

START_TEST(bytes_cut_anywhere_are_refused_or_another_table)
{
	struct declaration d = { .columns = { ID, COLUMN("x", TEXT, .fallback = "\"a\"") } };
	const struct table_table table = { .store = "bank", .name = "account", .n_columns = 2,
					   .columns = columns_told(d.columns, 2), .doc = "" };
	uint8_t *bytes;
	size_t len = table_bytes(&table, &bytes);

	for (size_t n = 0; n < len; n++) {
		uint8_t *part = malloc(n + 1);
		struct schema *schema = NULL;
		int r;

		memcpy(part, bytes, n);
		r = schema_new(&schema, part, n, &test_err);
		ck_assert(r == 0 ? schema != NULL : r == CELL_INVALID_ARGUMENT && !schema);
		schema_free(schema);
		free(part);
	}
	free(bytes);
}
END_TEST

static struct {
	struct table_column column;
	const char *text;
} types[] = {
	{ COLUMN("x", INT32), "int32" },
	{ COLUMN("x", INT64, .repeated = true), "list of int64" },
	{ COLUMN("x", TEXT, .length = 40), "varchar(40)" },
	{ COLUMN("x", BYTES, .length = 40), "bytes(40)" },
	{ COLUMN("x", BYTES, .length = 16, .fixed = true), "bytes[16]" },
	{ COLUMN("x", TEXT, .native = "citext"), "citext" },
	{ COLUMN("x", TEXT, .length = 3, .repeated = true), "list of varchar(3)" },
};

START_TEST(types_have_names)
{
	ck_assert_str_eq(schema_type_print(columns_told(&types[_i].column, 1), &test_arena),
			 types[_i].text);
}
END_TEST

START_TEST(so_many_of_everything_and_no_more)
{
	static struct table_column columns[SCHEMA_COLUMNS_MAX + 1];
	static char names[SCHEMA_COLUMNS_MAX + 1][16];
	struct table_table table = { .store = "bank", .name = "wide", .columns = columns, .doc = "" };
	struct schema *schema;

	for (size_t i = 0; i < COUNT(columns); i++) {
		snprintf(names[i], sizeof names[i], "c%zu", i);
		columns[i] = (struct table_column)COLUMN(names[i], INT32);
	}
	(void)columns_told(columns, COUNT(columns));
	table.n_columns = SCHEMA_COLUMNS_MAX;
	schema = schema_must(&table);
	ck_assert_int_eq(schema_column_by_number(schema, 512), 511);
	schema_free(schema);
	table.n_columns++;
	ck_assert_ptr_null(schema_try(&table));
	ck_assert_str_eq(test_err.text, "wide: has 513 columns, not 1 to 512");
}
END_TEST

/* What takes the square of its size to check must be small, whoever sends it. */
START_TEST(a_table_made_to_take_long_is_refused)
{
	static struct table_enum_value values[SCHEMA_VALUES_MAX + 1];
	static struct table_check checks[SCHEMA_CHECKS_MAX + 1];
	static char names[COUNT(values)][8], text[1000];
	static const char *dropped[SCHEMA_DROPPED_MAX + 1];
	struct table_column column = COLUMN("c", ENUM, .values = values);
	struct table_table table = { .store = "bank", .name = "t", .n_columns = 1,
				     .columns = columns_told(&column, 1), .checks = checks,
				     .dropped = dropped, .doc = "" };

	for (size_t i = 0; i < COUNT(values); i++) {
		snprintf(names[i], sizeof names[i], "V%zu", i);
		values[i].name = names[i];
	}
	for (size_t i = 0; i < COUNT(dropped); i++)
		dropped[i] = names[i];
	for (size_t i = 0; i < COUNT(checks); i++)
		checks[i] = (struct table_check){ .text = "c == V0", .column = "" };
	column.n_values = SCHEMA_VALUES_MAX;
	table.n_checks = SCHEMA_CHECKS_MAX;
	table.n_dropped = SCHEMA_DROPPED_MAX;
	schema_free(schema_must(&table));

	column.n_values++;
	ck_assert_ptr_null(schema_try(&table));
	ck_assert_str_eq(test_err.text, "t: its enums have 4097 values, limit 4096");
	column.n_values--;
	table.n_checks++;
	ck_assert_ptr_null(schema_try(&table));
	ck_assert_str_eq(test_err.text, "t: has 257 checks, limit 256");
	table.n_checks--;
	table.n_dropped++;
	ck_assert_ptr_null(schema_try(&table));
	ck_assert_str_eq(test_err.text, "t: has dropped 1025 columns, limit 1024");
	table.n_dropped--;
	memset(text, ' ', sizeof text - 1);
	for (size_t i = 0; i < 66; i++)
		checks[i].text = text;
	ck_assert_ptr_null(schema_try(&table));
	ck_assert_str_eq(test_err.text,
			 "t: its checks and computed columns have 67264 bytes, limit 65536");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schema");
	TCase *tcase = tcase_create("schema");

	tcase_add_checked_fixture(tcase, setup_arena, teardown_arena);
	tcase_add_loop_test(tcase, a_declaration_is_fine_or_told_why_not, 0, (int)COUNT(rows));
	tcase_add_test(tcase, a_schema_knows_its_columns);
	tcase_add_test(tcase, its_version_is_of_its_bytes);
	tcase_add_test(tcase, bytes_cut_anywhere_are_refused_or_another_table);
	tcase_add_loop_test(tcase, types_have_names, 0, (int)COUNT(types));
	tcase_add_test(tcase, so_many_of_everything_and_no_more);
	tcase_add_test(tcase, a_table_made_to_take_long_is_refused);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
