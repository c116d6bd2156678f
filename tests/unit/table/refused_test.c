/* What the macros of tables refuse, where, and the remedy that they name. */
#include "fixture.h"

#define HEAD "struct [[db::table]] t {\n[[db::key]] uint64_t id;\n"

static const struct refusal {
	const char *source;
	const char *said;
} refusals[] = {
	/* --- the table ------------------------------------------------------------------- */
	{ "struct [[db::table]] t { uint64_t id; };",
	  "1:10: error: 't' has no key\n"
	  "note: put [[db::key]] on the member that names a row\n" },
	{ "struct [[db::table(nam = \"x\")]] t { [[db::key]] uint64_t id; };",
	  "1:20: error: no argument 'nam' (did you mean 'name'?)\n" },
	{ "struct [[db::table(name = 5)]] t { [[db::key]] uint64_t id; };",
	  "1:20: error: 'name' must be a string, not an integer\n" },
	{ "struct [[db::table(\"two words\")]] t { [[db::key]] uint64_t id; };",
	  "1:20: error: 'two words' is no name of a table\n"
	  "note: letters, digits and '_', at most 63 bytes, no digit first\n" },
	{ "struct [[db::table(shared = \"a/b\")]] t { [[db::key]] uint64_t id; };",
	  "1:20: error: 'a/b' is no name of a store\n"
	  "note: letters, digits and '_', '-', '.', at most 63 bytes, no digit first\n" },
	{ "struct [[db::table(prefix = \"a-b\")]] t { [[db::key]] uint64_t id; };",
	  "1:20: error: 'a-b' is no beginning of a name\n" },
	{ "struct [[db::table]] cell { [[db::key]] uint64_t id; };",
	  "1:10: error: names that begin with cell_ are libcell's\n"
	  "note: add prefix = \"my_cell\"\n" },
	{ "struct [[db::table(prefix = \"cell_a\")]] a { [[db::key]] uint64_t id; };",
	  "1:20: error: names that begin with cell_ are libcell's\n"
	  "note: add prefix = \"my_a\"\n" },
	{ "struct t { [[db::key]] uint64_t id; };",
	  "1:14: error: 't' is no table\nnote: write: struct [[db::table]] t {\n" },
	{ "struct [[db::index(id)]] t { uint64_t id; };",
	  "1:10: error: 't' is no table\nnote: write: struct [[db::table]] t {\n" },
	{ "struct [[db::tabel]] t { uint64_t id; };",
	  "1:10: error: no such macro (did you mean 'table'?)\n" },
	{ "struct [[db::table]] t { [[db::kee]] uint64_t id; };",
	  "1:28: error: no such macro (did you mean 'key'?)\n" },
	{ "struct [[db::table, db::key]] t { [[db::key]] uint64_t id; };",
	  "1:21: error: does not belong on a struct\nnote: it belongs on a member\n" },
	{ "struct [[db::table]] t { [[db::key, db::key]] uint64_t id; };",
	  "1:37: error: stands here twice\n" },

	/* --- types ----------------------------------------------------------------------- */
	{ HEAD "long x; };", "3:6: error: 'long' has no fixed size on the wire\nnote: use int64_t\n" },
	{ HEAD "uint8_t x; };",
	  "3:9: error: 'uint8_t' is smaller than any number on the wire\nnote: use uint32_t\n" },
	{ HEAD "char *x; };", "3:7: error: 'char *' could be written through\nnote: use const char *x\n" },
	{ HEAD "const uint32_t *tags; };",
	  "3:17: error: 'tags' needs its count\nnote: put \"size_t n_tags;\" before it\n" },
	{ HEAD "uint32_t x[4]; };",
	  "3:10: error: 'x' is an array of numbers, which no column holds\n"
	  "note: write \"size_t n_x; const uint32_t *x;\"\n" },
	{ "struct p { int x; };\n" HEAD "const struct p *p; };",
	  "4:17: error: 'p' is a pointer to a struct, which no column holds\n"
	  "note: put the struct itself there; it is then always there\n" },
	{ "struct p { int x; };\n" HEAD "size_t n_p; const struct p *p; };",
	  "4:29: error: 'p' is a list of structs, which no column holds\n"
	  "note: make it a table of its own, whose rows refer to this one\n" },
	{ HEAD "size_t n_b; const struct cell_bytes *b; };",
	  "3:38: error: 'b' is a list of bytes, which no column holds\n"
	  "note: make it a table of its own, whose rows refer to this one\n" },
	{ "struct p { int x; };\n" HEAD "struct p p; };",
	  "4:10: error: 'struct p' is no message\nnote: write: struct [[cell::message]] p {\n" },
	{ HEAD "const int32_t x; };",
	  "3:15: error: 'x' is const: no row could be read into it\n"
	  "note: leave out the const of the member itself\n" },
	{ HEAD "bool has_x; size_t n_x; const char *const *x; };",
	  "3:44: error: 'has_x' says nothing here\nnote: an empty list is none\n" },
	{ HEAD "[[db::index]] bool has_x; uint32_t x; };",
	  "3:3: error: 'has_x' belongs to 'x': put db::index before that\n" },
	{ HEAD "[[db::index]] size_t n_x; const uint8_t *x; };",
	  "3:3: error: 'n_x' belongs to 'x': put db::index before that\n" },
	{ HEAD "uint32_t abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl; };",
	  "3:10: error: 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl' has more than 63 bytes\n" },

	/* --- keys and indexes -------------------------------------------------------------- */
	{ "struct [[db::table]] t { bool has_id; [[db::key]] uint64_t id; };",
	  "1:41: error: 'id' may be absent, and a key is always there\nnote: leave out 'has_id'\n" },
	{ "struct [[db::table]] t { size_t n_id; [[db::primary_key]] const uint32_t *id; };",
	  "1:41: error: 'id' is a list: it cannot be in the key\n" },
	{ "struct [[db::table]] t { [[db::key, db::encrypted]] uint64_t id; };",
	  "1:28: error: 'id' is encrypted: it cannot be in the key\n" },
	{ "struct [[db::table]] t { [[db::key, db::computed(x)]] uint64_t id; uint64_t x; };",
	  "1:28: error: 'id' is computed: it cannot be in the key\n" },
	{ HEAD "[[db::encrypted, db::index]] const char *pin; };",
	  "3:18: error: 'pin' is encrypted: it cannot be in an index\n" },
	{ HEAD "[[db::encrypted, db::unique]] const char *pin; };",
	  "3:18: error: 'pin' is encrypted: it cannot be in an index\n" },
	{ HEAD "size_t n_tags; [[db::unique]] const char *const *tags; };",
	  "3:18: error: 'tags' is a list: it cannot be in an index\n" },
	{ HEAD "[[db::index, db::index]] int32_t x; };",
	  "3:14: error: 'x' has an index of that name already\n" },
	{ HEAD "[[db::index(\"p\")]] int32_t x; [[db::unique(\"p\")]] int32_t y; };",
	  "3:44: error: 'p' is an index that is not unique elsewhere\n"
	  "note: write db::index everywhere, or give one another name\n" },
	{ HEAD "[[db::index(5)]] int32_t x; };", "3:13: error: the name of an index is a string\n" },
	{ HEAD "[[db::index(nam = \"x\")]] int32_t x; };",
	  "3:13: error: no argument 'nam' (did you mean 'name'?)\n" },
	{ HEAD "[[db::index(\"a b\")]] int32_t x; };",
	  "3:13: error: 'a b' is no name of an index\nnote: letters, digits and '_', at most 63 bytes\n" },
	{ "struct [[db::table, db::index(id, agee)]] t { [[db::key]] uint64_t id; int32_t age; };",
	  "1:35: error: no column 'agee' (did you mean 'age'?)\n" },
	{ "struct [[db::table, db::index]] t { [[db::key]] uint64_t id; };",
	  "1:21: error: at a struct it names columns\nnote: db::index(a, b)\n" },
	{ "struct [[db::table, db::index(id, id)]] t { [[db::key]] uint64_t id; };",
	  "1:35: error: 'id' is in it twice\n" },
	{ "struct [[db::table, db::index(x), db::unique(x)]] t { [[db::key]] uint64_t id; int32_t x; };",
	  "1:35: error: there is an index 'x' already\nnote: give it another: name = \"…\"\n" },
	{ "struct [[db::table, db::index(\"x\")]] t { [[db::key]] uint64_t id; int32_t x; };",
	  "1:31: error: a column is named without quotes\n" },
	{ HEAD "[[db::index]] int32_t x; [[db::index]] int32_t x_from; };",
	  "3:28: error: it makes 't_by_x_from', which another index makes, too\n"
	  "note: give one of them another name: db::index(\"…\")\n" },

	/* --- values ------------------------------------------------------------------------- */
	{ HEAD "[[db::default(x7)]] int32_t x; };", "3:15: error: 'x7' is no number\n" },
	{ HEAD "[[db::default(5000000000)]] int32_t x; };",
	  "3:15: error: 5000000000 does not fit int32\n" },
	{ HEAD "[[db::default(7)]] const char *x; };",
	  "3:15: error: '7' is no text: \"…\"\n" },
	{ "enum k { RED }; " HEAD "[[db::default(BLUE)]] enum k x; };",
	  "3:15: error: 'BLUE' is no value of it\n" },
	{ HEAD "[[db::default(\"abcd\")]] char x[3]; };",
	  "3:15: error: \"abcd\" has 4 bytes, limit 3\n" },
	{ HEAD "[[db::default(now())]] int32_t x; };",
	  "3:15: error: 'x' cannot hold now()\nnote: use int64_t: it is microseconds since 1970\n" },
	{ HEAD "[[db::default(uuid())]] uint8_t x[8]; };",
	  "3:15: error: 'x' cannot hold uuid()\nnote: use uint8_t x[16]: it is 16 random bytes\n" },
	{ HEAD "[[db::default(NULL)]] int32_t x; };",
	  "3:15: error: 'x' has NULL as its default\n"
	  "note: that is what it is without one, if 'has_x' stands before it\n" },
	{ HEAD "size_t n_x; [[db::default(1)]] const int32_t *x; };",
	  "3:27: error: 'x' can have no default\n"
	  "note: numbers, enums, bool, text and bytes of a fixed length can\n" },
	{ HEAD "[[db::default]] int32_t x; };", "3:3: error: needs an expression\n" },
	{ HEAD "[[db::default(1), db::serial]] int32_t x; };",
	  "3:3: error: 'x' is serial already\n" },
	{ HEAD "[[db::serial]] const char *x; };", "3:3: error: 'x' is no integer\nnote: use uint64_t\n" },
	{ HEAD "bool has_x; [[db::serial]] int64_t x; };",
	  "3:15: error: 'x' may be absent, and always gets a number\nnote: leave out 'has_x'\n" },

	/* --- expressions ----------------------------------------------------------------------- */
	{ HEAD "[[db::check(balence >= 0)]] int64_t balance; };",
	  "3:13: error: no column 'balence' (did you mean 'balance'?)\n" },
	{ HEAD "[[db::check(balance >= 0 && ownr)]] int64_t balance; bool owner; };",
	  "3:29: error: no column 'ownr' (did you mean 'owner'?)\n" },
	/* Tokens are tidied on the way. */
	{ HEAD "[[db::check(length( name )<9 && lenght(name) > 2)]] const char *name; };",
	  "3:33: error: no function 'lenght' (did you mean 'length'?)\n" },
	{ HEAD "[[db::check(length(nam) < 9)]] const char *name; };",
	  "3:20: error: no column 'nam' (did you mean 'name'?)\n" },
	{ HEAD "[[db::check(x +)]] int32_t x; };",
	  "3:15: error: something is missing at the end\n" },
	{ HEAD "[[db::check(x == \"a\")]] int32_t x; };",
	  "3:13: error: 'x' is a number, and is compared with text\n" },
	{ "struct [[db::table, db::check(x + 1)]] t { [[db::key]] uint64_t id; int32_t x; };",
	  "1:31: error: a check is true or false, and this is an integer\n" },
	{ HEAD "[[db::check]] int64_t x; };", "3:3: error: needs an expression\n" },
	{ HEAD "[[db::check(x > 0, x < 5)]] int64_t x; };", "3:20: error: takes one expression\n" },
	{ HEAD "[[db::computed(name)]] int64_t x; const char *name; };",
	  "3:16: error: 'x' is int64, and this is text\n" },
	{ HEAD "[[db::computed(id + 1)]] int64_t x; };",
	  "3:16: error: 'x' is int64, and this is an unsigned integer\n" },
	{ HEAD "[[db::computed(y)]] int64_t x; [[db::computed(x)]] int64_t y; };",
	  "3:16: error: 'y' is computed itself\nnote: write out its expression instead\n"
	  "3:47: error: 'x' is computed itself\nnote: write out its expression instead\n" },
	{ HEAD "[[db::computed(length(y))]] int64_t x; [[db::encrypted]] const char *y; };",
	  "3:3: error: 'x' is computed from y, which is encrypted; this one is not\n" },
	{ HEAD "[[db::serial, db::encrypted]] int64_t x; };",
	  "3:3: error: 'x' is serial, so it is neither nullable, encrypted nor computed, and has no "
	  "default\n" },

	/* --- references --------------------------------------------------------------------------- */
	{ HEAD "[[db::ref(\"a.b.c\")]] uint64_t x; };",
	  "3:11: error: 'a.b.c' is neither a table nor a table.column\n" },
	{ HEAD "[[db::ref(account)]] uint64_t x; };",
	  "3:11: error: 'table' must be a string, not a name\n" },
	{ HEAD "[[db::ref]] uint64_t x; };", "3:3: error: needs 'table', a string\n" },
	{ HEAD "[[db::ref(\"a\", on_delete = casade)]] uint64_t x; };",
	  "3:16: error: 'casade' is no on_delete (did you mean 'cascade'?)\n"
	  "note: on_delete = restrict\nnote: on_delete = cascade\nnote: on_delete = set_null\n" },
	{ HEAD "[[db::ref(\"a\", on_delete = 5)]] uint64_t x; };",
	  "3:16: error: on_delete is restrict, cascade or set_null\n" },
	{ HEAD "[[db::foreign_key(ref = \"a.id\", on_delete = \"set_null\")]] uint64_t x; };",
	  "3:33: error: 'x' can never be NULL\nnote: put \"bool has_x;\" before it\n" },
	{ HEAD "size_t n_x; [[db::ref(\"a\")]] const uint64_t *x; };",
	  "3:15: error: 'x' is a list: it refers to nothing\n" },
	{ HEAD "[[db::ref(\"t.y\")]] uint64_t x; uint64_t y; };",
	  "3:3: error: 'x' refers to t.y, which is neither the key nor unique\n" },
	{ HEAD "[[db::ref(\"t\")]] const char *x; };",
	  "3:3: error: 'x' is text, and refers to t.id, which is uint64\n" },
	{ HEAD "[[db::ref(\"t\"), db::foreign_key(\"u\")]] uint64_t x; };",
	  "3:3: error: 'x' has two references\n" },

	/* --- what became of columns ------------------------------------------------------------------ */
	{ HEAD "[[db::renamed(from = \"id\")]] uint64_t x; };",
	  "3:15: error: 'id' is still a member\n" },
	{ HEAD "[[db::renamed]] uint64_t x; };", "3:3: error: needs 'from', a string\n" },
	{ HEAD "[[db::renamed(from = \"a b\")]] uint64_t x; };",
	  "3:15: error: 'a b' is no name of a column\n" },
	{ HEAD "[[db::renamed(from = \"o\")]] uint64_t x; [[db::renamed(from = \"o\")]] uint64_t y; };",
	  "3:55: error: 'x' says the same of itself\n" },
	{ "struct [[db::table, db::dropped(\"id\")]] t { [[db::key]] uint64_t id; };",
	  "1:33: error: 'id' is still a member\n" },
	{ "struct [[db::table, db::dropped(\"o\")]] t { [[db::key]] uint64_t id; "
	  "[[db::renamed(from = \"o\")]] uint64_t x; };",
	  "1:33: error: 'o' is renamed to 'x'\n" },
	{ "struct [[db::table, db::dropped(nick)]] t { [[db::key]] uint64_t id; };",
	  "1:33: error: it takes names of columns that are gone, in quotes\n" },
	{ "struct [[db::table, db::dropped]] t { [[db::key]] uint64_t id; };",
	  "1:21: error: it takes names of columns that are gone: dropped(\"nick\")\n" },

	/* --- services ----------------------------------------------------------------------------------- */
	{ "struct [[db::persist]] t { uint64_t n; };",
	  "1:10: error: 't' is no state of a service\n"
	  "note: write: struct [[cell::service(\"bank\"), db::persist]] t {\n" },
	{ "struct [[cell::service(\"s\"), db::persist]] t { [[db::key]] uint64_t n; };",
	  "1:50: error: a state that lasts is one row: it has no key\n" },
	{ "struct [[cell::service(\"s\"), db::persist]] t { [[db::index]] uint64_t n; };",
	  "1:50: error: a state that lasts is one row: it has no index\n" },
	{ "struct [[cell::service(\"s\"), db::persist, db::table]] t { [[db::key]] uint64_t n; };",
	  "1:30: error: a struct is a table or the state of a service, not both\n" },
	{ "struct [[db::crud(\"s\")]] t { uint64_t n; };",
	  "1:10: error: 't' is no table\nnote: write: struct [[db::table, …]] t {\n" },
	{ "struct [[db::table, db::crud(\"s\")]] t { [[db::key]] uint64_t n; };",
	  "1:21: error: 't' is no message, and calls carry it\n"
	  "note: write: struct [[cell::message, …]] t {\n" },
	{ "struct [[cell::message, db::table, db::crud]] t { [[db::key]] uint64_t n; };",
	  "1:36: error: its methods belong to no service\nnote: write db::crud(service = \"bank\")\n" },
	{ "struct [[cell::message, db::table, db::crud(\"S S\")]] t { [[db::key]] uint64_t n; };",
	  "1:45: error: 'S S' is no name of a service\n" },
	{ "[[db::atomic]] static int f(int x) { return x; }\nint g(void); int g(void) { return f(1); }",
	  "1:3: error: 'f' cannot be atomic: it takes no call, or has no way to fail\n"
	  "note: int f(struct cell_call *call, …)\n" },
	{ "[[db::atomic]] static void f(struct cell_call *call) { (void)call; }",
	  "1:3: error: 'f' cannot be atomic: it takes no call, or has no way to fail\n"
	  "note: int f(struct cell_call *call, …)\n" },
};

START_TEST(a_mistake_is_said_where_it_stands)
{
	const struct refusal *refusal = &refusals[_i];

	fixture_expand(refusal->source);
	ck_assert_msg(strcmp(fixture.result.diagnostics, refusal->said) == 0,
		      "%s\nsaid:\n%swanted:\n%s", refusal->source, fixture.result.diagnostics,
		      refusal->said);
}
END_TEST

/* --- limits -------------------------------------------------------------------------- */

/* A table with N members that begin with ATTRIBUTE, from x0 on. */
static void expand_many(const char *attribute, int n)
{
	static char source[1 << 16];
	size_t len = (size_t)snprintf(source, sizeof source, "struct [[db::table]] t {\n%s",
				      *attribute == 'k' ? "" : "[[db::key]] uint64_t id;\n");

	for (int i = 0; i < n; i++)
		len += (size_t)snprintf(source + len, sizeof source - len, "%s%s%sint32_t x%d;\n",
					*attribute ? "[[db::" : "", attribute, *attribute ? "]] " : "", i);
	(void)snprintf(source + len, sizeof source - len, "};");
	fixture_expand(source);
}

START_TEST(what_is_too_much_is_said)
{
	expand_many("key", 16);
	ck_assert_str_eq(fixture.result.diagnostics, "");
	expand_many("key", 17);
	ck_assert_str_eq(fixture.result.diagnostics, "18:3: error: it has more than 16 columns\n");
	expand_many("index", 64);
	ck_assert_str_eq(fixture.result.diagnostics, "");
	expand_many("index", 65);
	ck_assert_str_eq(fixture.result.diagnostics, "67:3: error: it has more than 64 indexes\n");
	expand_many("", 511);
	ck_assert_str_eq(fixture.result.diagnostics, "");
	expand_many("", 512);
	ck_assert_str_eq(fixture.result.diagnostics, "1:10: error: 513 columns, limit 512\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refused");
	TCase *refused = tcase_create("refused");

	tcase_add_checked_fixture(refused, fixture_setup, fixture_teardown);
	tcase_add_loop_test(refused, a_mistake_is_said_where_it_stands, 0,
			    sizeof refusals / sizeof *refusals);
	tcase_add_test(refused, what_is_too_much_is_said);
	tcase_set_timeout(refused, 60);
	suite_add_tcase(suite, refused);
	return fixture_run(suite);
}
