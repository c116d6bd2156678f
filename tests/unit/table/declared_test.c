/* What is sent to be provisioned: the struct as a table.v1.Table. */
#include "fixture.h"

#include <cell/internal/table/schema.h>
#include <sodium.h>

static struct cell_call *call; /* what was decoded lives in it */
static struct table_table table;

static void setup(void)
{
	fixture_setup();
	call = cell_open("declared");
}

static void teardown(void)
{
	cell_close(call);
	fixture_teardown();
}

static void declare(const char *source)
{
	struct cell_error err = { .code = 0 };

	fixture_expand(source);
	ck_assert_str_eq(fixture.result.diagnostics, "");
	ck_assert_ptr_nonnull(fixture.result.declared);
	ck_assert_msg(table_table_type.decode(&table, fixture.result.declared,
					      fixture.result.declared_len, 0, cell_arena(call),
					      &err) == 0,
		      "%s", err.text);
}

static const struct table_column *column(const char *name)
{
	for (size_t i = 0; i < table.n_columns; i++)
		if (strcmp(table.columns[i].name, name) == 0)
			return &table.columns[i];
	ck_abort_msg("no column %s", name);
}

START_TEST(columns_say_what_their_members_are)
{
	declare("enum kind { PLAIN = 0, FANCY = 3 };\n"
		"/* Things.\n   More of them. */\n"
		"struct [[db::table(\"things\", shared = \"global.x\")]] thing {\n"
		"	[[db::key]] uint8_t id[16];\n"
		"	char iso[3];\n"
		"	[[db::default(FANCY)]] enum kind kind;\n"
		"	bool has_note; [[db::encrypted, db::renamed(from = \"remark\")]] const char *note;\n"
		"	size_t n_tags; const char *const *tags;\n"
		"	[[db::serial]] int64_t number;\n"
		"	[[db::default(\"a\\\"b\\n\")]] const char *text;\n"
		"	[[db::default(-1.5)]] double rate;\n"
		"	[[db::default(NOW())]] int64_t made_us;\n"
		"	[[db::computed(number * 2 + length(text))]] int64_t twice;\n"
		"};");
	ck_assert_str_eq(table.store, "global.x");
	ck_assert_str_eq(table.name, "things");
	ck_assert(table.shared);
	ck_assert_str_eq(table.doc, "Things.\nMore of them.");
	ck_assert_uint_eq(table.n_columns, 10);
	ck_assert_int_eq(column("id")->type, TABLE_COLUMN_TYPE_BYTES);
	ck_assert(column("id")->fixed && column("id")->length == 16);
	ck_assert_int_eq(column("iso")->type, TABLE_COLUMN_TYPE_TEXT);
	ck_assert(!column("iso")->fixed && column("iso")->length == 3);
	ck_assert_int_eq(column("kind")->type, TABLE_COLUMN_TYPE_ENUM);
	ck_assert_uint_eq(column("kind")->n_values, 2);
	ck_assert_str_eq(column("kind")->values[1].name, "FANCY");
	ck_assert_int_eq(column("kind")->values[1].number, 3);
	ck_assert_str_eq(column("kind")->fallback, "FANCY");
	ck_assert(column("note")->nullable && column("note")->encrypted);
	ck_assert_str_eq(column("note")->renamed_from, "remark");
	ck_assert(column("tags")->repeated && !column("tags")->nullable);
	ck_assert(column("number")->serial);
	ck_assert_str_eq(column("text")->fallback, "\"a\\\"b\\012\"");
	ck_assert_str_eq(column("rate")->fallback, "-1.5");
	ck_assert_str_eq(column("made_us")->fallback, "now()");
	ck_assert_str_eq(column("twice")->computed, "number * 2 + length(text)");
}
END_TEST

START_TEST(keys_indexes_checks_and_references)
{
	declare("struct [[db::table, db::index(city, age, name = \"where\"), db::check(age < 200 || id == 1), "
		"db::dropped(\"nick\", \"note\")]] person {\n"
		"	[[db::primary_key]] uint64_t country;\n"
		"	[[db::key]] uint64_t id;\n"
		"	[[db::index]] const char *city;\n"
		"	[[db::check(age >= 0), db::check(age != 13)]] int32_t age;\n"
		"	[[db::unique(\"pair\")]] int32_t b;\n"
		"	[[db::unique(\"pair\")]] int32_t a;\n"
		"	bool has_boss; [[db::ref(\"person2.code\", on_delete = set_null)]] uint64_t boss;\n"
		"	[[db::foreign_key(ref = \"team\", on_delete = \"cascade\")]] uint64_t team;\n"
		"};");
	ck_assert(!table.shared);
	ck_assert_uint_eq(table.key->n_columns, 2);
	ck_assert_uint_eq(table.key->columns[0], column("country")->number);
	ck_assert_uint_eq(table.key->columns[1], column("id")->number);
	ck_assert_uint_eq(table.n_indexes, 3);
	ck_assert_str_eq(table.indexes[0].name, "city");
	ck_assert(!table.indexes[0].unique);
	ck_assert_str_eq(table.indexes[1].name, "pair");
	ck_assert(table.indexes[1].unique);
	ck_assert_uint_eq(table.indexes[1].columns[0], column("b")->number);
	ck_assert_uint_eq(table.indexes[1].columns[1], column("a")->number);
	ck_assert_str_eq(table.indexes[2].name, "where");
	ck_assert_uint_eq(table.indexes[2].n_columns, 2);
	ck_assert_uint_eq(table.n_checks, 3);
	ck_assert_str_eq(table.checks[0].text, "age >= 0");
	ck_assert_str_eq(table.checks[0].column, "age");
	ck_assert_str_eq(table.checks[1].text, "age != 13");
	ck_assert_str_eq(table.checks[2].text, "age < 200 || id == 1");
	ck_assert_str_eq(table.checks[2].column, "");
	ck_assert_uint_eq(table.n_references, 2);
	ck_assert_str_eq(table.references[0].table, "person2");
	ck_assert_str_eq(table.references[0].ref_column, "code");
	ck_assert_int_eq(table.references[0].on_delete, TABLE_ON_DELETE_SET_NULL);
	ck_assert_str_eq(table.references[1].table, "team");
	ck_assert_str_eq(table.references[1].ref_column, "");
	ck_assert_int_eq(table.references[1].on_delete, TABLE_ON_DELETE_CASCADE);
	ck_assert_uint_eq(table.n_dropped, 2);
	ck_assert_str_eq(table.dropped[1], "note");
}
END_TEST

START_TEST(the_descriptor_has_the_declarations_version)
{
	uint8_t digest[32];
	uint64_t version = 0;
	char text[32];

	declare("struct [[db::table]] t { [[db::key]] uint64_t id; };");
	ck_assert_int_eq(crypto_generichash(digest, sizeof digest, fixture.result.declared,
					    fixture.result.declared_len, NULL, 0),
			 0);
	for (size_t i = 8; i-- > 0;)
		version = version << 8 | digest[i];
	(void)snprintf(text, sizeof text, "0x%016llxu", (unsigned long long)version);
	ck_assert_ptr_nonnull(strstr(fixture.result.text, text));
}
END_TEST

START_TEST(a_state_has_no_key)
{
	declare("struct [[cell::service(\"bank\"), db::persist(\"vault\")]] bank { [[db::check(n < 5)]] uint64_t n; };");
	ck_assert_str_eq(table.name, "vault");
	ck_assert_uint_eq(table.key ? table.key->n_columns : 0, 0);
	ck_assert_uint_eq(table.n_checks, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("declared");
	TCase *declared = tcase_create("declared");

	tcase_add_checked_fixture(declared, setup, teardown);
	tcase_add_test(declared, columns_say_what_their_members_are);
	tcase_add_test(declared, keys_indexes_checks_and_references);
	tcase_add_test(declared, the_descriptor_has_the_declarations_version);
	tcase_add_test(declared, a_state_has_no_key);
	tcase_set_timeout(declared, 60);
	suite_add_tcase(suite, declared);
	return fixture_run(suite);
}
