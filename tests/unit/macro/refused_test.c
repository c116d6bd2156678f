/*
 * What the macros of namespace cell refuse, and the remedy that they name.
 */
#include "macro/builtin.h"
#include "source.h"

#include <cell/cell.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct cell_call *call;
static struct builtin self;

static void setup(void)
{
	call = cell_open("macro-test");
}

static void teardown(void)
{
	cell_close(call);
}

static void says(struct source *source, const char *said)
{
	const char *error, *text = source_expand(source, call, &cell_builtin, &self, &error);

	if (!said) {
		ck_assert_msg(text != NULL, "%s", error);
		return;
	}
	ck_assert_msg(text == NULL, "expanded, not refused: %s", said);
	ck_assert_str_eq(error, said);
}

/* --- members ---------------------------------------------------------------------------------- */

static const struct {
	const char *members, *said;
} members[] = {
	{ "long x;", "'long' has no fixed size on the wire\nnote: use int64_t" },
	{ "unsigned long x;", "'unsigned long' has no fixed size on the wire\nnote: use uint64_t" },
	{ "size_t x;", "'size_t' has no fixed size on the wire\nnote: use uint64_t" },
	{ "ssize_t x;", "'ssize_t' has no fixed size on the wire\nnote: use int64_t" },
	{ "time_t x;", "'time_t' has no fixed size on the wire\nnote: use int64_t" },
	{ "short x;", "'short' is smaller than any number on the wire\nnote: use int32_t" },
	{ "uint8_t x;", "'uint8_t' is smaller than any number on the wire\nnote: use uint32_t" },
	{ "__int128 x;",
	  "'__int128' is larger than any number on the wire\nnote: use uint8_t x[16] for its bytes" },
	{ "char x;", "'char' is neither text nor a number on the wire\n"
		     "note: use char x[N] or const char * for text, int32_t for a number" },
	{ "long double x;", "'long double' has no form on the wire\nnote: use double" },
	{ "uint32_t x : 3;", "bit-fields have no place of their own\nnote: use uint32_t" },
	{ "uint32_t x : 1;", "bit-fields have no place of their own\nnote: use bool" },
	{ "union u x;", "a union does not say which of its members is meant\n"
			"note: use a pointer for each, of which one is not NULL" },
	{ "const uint32_t *tags;", "'tags' needs its count\nnote: put \"size_t n_tags;\" before it" },
	{ "const uint8_t *data;", "'data' needs its count\nnote: put \"size_t n_data;\" before it" },
	{ "const char *const *names;",
	  "'names' needs its count\nnote: put \"size_t n_names;\" before it" },
	{ "char *name;", "'char *' could be written through\nnote: use const char *name" },
	{ "size_t n_data; uint8_t *data;",
	  "'uint8_t *' could be written through\nnote: use const uint8_t *data" },
	{ "size_t n_names; const char **names;",
	  "'const char **' could be written through\nnote: use const char *const *names" },
	{ "size_t n_x; uint32_t y; const uint32_t *x;",
	  "'n_x' must stand directly before 'x'" },
	{ "bool has_x; uint32_t y; uint32_t x;", "'has_x' must stand directly before 'x'" },
	{ "size_t n_x; uint32_t x;", "'n_x' counts nothing: 'x' is no list\nnote: leave it out" },
	{ "size_t n_x; const char *x;",
	  "'n_x' counts nothing: 'x' is no list\n"
	  "note: text ends with a NUL; for bytes use const uint8_t *" },
	{ "bool has_x; size_t n_x; const uint32_t *x;",
	  "'has_x' says nothing here\nnote: an empty list is none" },
	{ "bool has_x; const struct point *x;",
	  "'has_x' says nothing here\nnote: a pointer that is NULL says that it is absent" },
	{ "bool has_x; struct point x;",
	  "'has_x' says nothing here\nnote: use a pointer: NULL says that it is absent" },
	{ "struct plain x;", "'struct plain' is no message\nnote: write: struct [[cell::message]] plain {" },
	{ "const struct x *x;", "'struct x' contains itself; messages do not\n"
				"note: use a list of items that name each other by number" },
	{ "struct point x[3];", "an array of 'struct point' has no form on the wire\n"
				"note: use \"size_t n_x;\" and a pointer" },
	{ "uint32_t n; uint32_t x[];", "'x' has no length\nnote: use \"size_t n_x;\" and a pointer" },
	{ "enum odd x;", "the first value of enum odd is 1; what is not set is 0\n"
			 "note: put an enumerator with the value 0 first" },
	{ "void *x;", "'void *' points to nothing that has a form on the wire\n"
		      "note: use size_t n_x; const uint8_t *x; for bytes, or a message" },
	{ "size_t n_x; [[cell::map]] const struct point *x;",
	  "cell::map wants a list of pairs\n"
	  "note: a message with the members key and value, and nothing else" },
	{ "[[cell::field(0)]] uint32_t x;", "field numbers are 1 to 536870911, but 19000 to 19999" },
	{ "[[cell::field(19000)]] uint32_t x;",
	  "field numbers are 1 to 536870911, but 19000 to 19999" },
	{ "[[cell::field(2)]] uint32_t x; [[cell::field(2)]] uint32_t y;",
	  "'x' and 'y' are both field 2\nnote: give one of them another number" },
	{ "[[cell::field(2)]] uint32_t x; uint32_t has_more;", NULL },
	{ "bool has_children; account_id id; int plain; long long large;", NULL },
};

static struct source *source_with(const char *text)
{
	struct source *source = source_new("test");

	source_text(source, "union u { int a; };\n");
	source_enum(source, "odd", "ONE = 1, TWO = 2");
	source_typedef(source, "uint64_t", "account_id");
	source_struct(source, "", "cell::message", "point", "int32_t x; int32_t y;");
	source_struct(source, "", "", "plain", "int32_t x;");
	source_struct(source, "", "cell::message", "x", text);
	return source;
}

START_TEST(member_is_refused_with_a_remedy)
{
	says(source_with(members[_i].members), members[_i].said);
}
END_TEST

START_TEST(every_member_is_told_at_once)
{
	struct source *source = source_with("long a; size_t b;");
	struct macro_plan plan;

	ck_assert_int_eq(cell_macro_plan(call, &cell_builtin, &self, source_request(source, "x"),
					 &plan), 0);
	ck_assert_uint_eq(plan.n_diagnostics, 2);
	ck_assert_str_eq(plan.diagnostics[0].member, "a");
	ck_assert_str_eq(plan.diagnostics[1].member, "b");
}
END_TEST

START_TEST(message_of_nothing_is_refused)
{
	says(source_with(""), "a message is a struct with a tag and members");
}
END_TEST

/* --- numbers ---------------------------------------------------------------------------------- */

START_TEST(numbers_are_kept_and_never_used_again)
{
	struct source *source = source_with("uint32_t a; uint32_t c; uint32_t d;");
	const char *units;

	source_kept(source, "x", "field a", "3");
	source_kept(source, "x", "field b", "1");
	source_kept(source, "x", "reserved 2", "z");
	ck_assert_ptr_nonnull(source_expand(source, call, &cell_builtin, &self, &units));
	ck_assert_str_eq(source_kept_text(source, "x"),
			 "field a=3\nfield c=4\nfield d=5\nreserved 1=b\nreserved 2=z\n");
}
END_TEST

START_TEST(number_of_a_gone_field_is_refused)
{
	struct source *source = source_with("[[cell::field(1)]] uint32_t a;");

	source_kept(source, "x", "reserved 1", "b");
	says(source, "number 1 was that of 'b'; numbers are never used again");
}
END_TEST

START_TEST(field_comes_back_to_its_number)
{
	struct source *source = source_with("uint32_t a; [[cell::field(1)]] uint32_t b;");
	const char *units;

	source_kept(source, "x", "field a", "2");
	source_kept(source, "x", "reserved 1", "b");
	ck_assert_ptr_nonnull(source_expand(source, call, &cell_builtin, &self, &units));
	ck_assert_str_eq(source_kept_text(source, "x"), "field a=2\nfield b=1\n");
}
END_TEST

START_TEST(two_branches_gave_one_number)
{
	struct source *source = source_with("uint32_t nick; uint32_t note;");

	source_kept(source, "x", "field nick", "4");
	source_kept(source, "x", "field note", "4");
	says(source, "x.nick: both field 4 ('nick', 'note') in .cell/cell.schema.lock\n"
		     "note: keep the one already deployed, delete the other line");
}
END_TEST

START_TEST(two_branches_gave_two_numbers)
{
	struct source *source = source_with("uint32_t nick;");

	source_kept(source, "x", "field nick", "4");
	source_kept(source, "x", "field nick", "5");
	says(source, "x.nick: both field 4 and field 5 in .cell/cell.schema.lock\n"
		     "note: keep the one already deployed, delete the other line");
}
END_TEST

/* --- handlers --------------------------------------------------------------------------------- */

#define ALLOWED                                                                                \
	"\nnote: int f(struct cell_call *, [state *,] [const request *,] [reply *])"           \
	"\nnote: streams: struct X_source * as request, struct X_sink * as reply"

static const struct {
	const char *parameters, *attributes, *said;
} handlers[] = {
	{ "struct cell_call *call, const struct in *in, const struct out *out", "cell::handler",
	  "handler 'f': the reply must not be const" ALLOWED },
	{ "struct cell_call *call, struct in *in, struct out *out", "cell::handler",
	  "handler 'f': the request must be const" ALLOWED },
	{ "const struct in *in, struct out *out", "cell::handler",
	  "handler 'f': its first parameter is the call" ALLOWED },
	{ "struct cell_call *call, const struct in *in, struct bank *bank", "cell::handler",
	  "handler 'f': the state comes behind the call" ALLOWED },
	{ "struct cell_call *call, struct out_sink *out, struct in_source *in", "cell::handler",
	  "handler 'f': the request comes before the reply" ALLOWED },
	{ "struct cell_call *call, const struct in *in, struct out *a, struct out *b",
	  "cell::handler", "handler 'f': it has two replies" ALLOWED },
	{ "struct cell_call *call, const struct in *in, struct out_sink *a, struct out *b",
	  "cell::handler", "handler 'f': it has two replies" ALLOWED },
	{ "struct cell_call *call, const struct plain *in", "cell::handler",
	  "'struct plain' is no message\nnote: write: struct [[cell::message]] plain {" },
	{ "struct cell_call *call, int in", "cell::handler",
	  "handler 'f': 'int' is neither state, request nor reply" ALLOWED },
	{ "struct cell_call *call, const struct in *in", "cell::handler",
	  "handler 'f' belongs to no service\n"
	  "note: write [[cell::service(\"test\")]]; once in the file, or cell::handler(service = \"test\")" },
	{ "struct cell_call *call", "cell::handler(service = \"No\")", "'No' is no name of a service" },
	{ "struct cell_call *call", "cell::handler(service = \"bank\", name = \"a b\")",
	  "'a b' is no name of a method" },
	{ "struct cell_call *call, struct bank *bank", "cell::handler", NULL },
	{ "struct cell_call *call, const struct in *in, struct out_sink *out",
	  "cell::handler(service = \"bank\", raw, idempotent = true)", NULL },
};

static struct source *source_of(const char *attributes, bool is_static, const char *name,
				const char *parameters)
{
	struct source *source = source_new("test");

	source_struct(source, "", "cell::message", "in", "int32_t x;");
	source_struct(source, "", "cell::message", "out", "int32_t x;");
	source_struct(source, "", "", "plain", "int32_t x;");
	source_struct(source, "", "cell::service", "bank", "int32_t x;");
	source_function(source, "", attributes, is_static, name, parameters, "{}");
	return source;
}

START_TEST(handler_is_refused_with_the_forms)
{
	says(source_of(handlers[_i].attributes, true, "f", handlers[_i].parameters),
	     handlers[_i].said);
}
END_TEST

START_TEST(handler_never_replaces_libc)
{
	says(source_of("cell::handler", false, "write", "struct cell_call *call, struct bank *bank"),
	     "handler 'write' would replace libc's write()\nnote: make it static");
	says(source_of("cell::handler", true, "write", "struct cell_call *call, struct bank *bank"),
	     NULL);
	says(source_of("cell::handler", false, "write_it", "struct cell_call *call, struct bank *bank"),
	     NULL);
}
END_TEST

START_TEST(hook_is_refused_with_its_form)
{
	says(source_of("cell::start", true, "f", "struct cell_call *call, const struct in *in"),
	     "'f' takes the call and a state, and returns int\n"
	     "note: int f(struct cell_call *, [state *])");
	says(source_of("cell::stop", true, "f", "struct cell_call *call, struct bank *bank"), NULL);
	says(source_of("cell::start", true, "f", "struct cell_call *call"), NULL);
}
END_TEST

START_TEST(two_services_in_a_file_need_a_word)
{
	struct source *source = source_of("cell::handler", true, "f", "struct cell_call *call");

	source_bare(source, "cell::service(\"bank\")");
	source_bare(source, "cell::service(\"shop\")");
	says(source, "'f' may belong to 'bank' or to 'shop'\nnote: say handler(service = \"bank\")");
}
END_TEST

START_TEST(service_needs_a_name)
{
	struct source *source = source_new("test");

	source_bare(source, "cell::service");
	says(source, "at file scope it needs a name: cell::service(\"bank\")");
}
END_TEST

START_TEST(remote_of_nobody_says_how_to_run_it)
{
	struct source *source = source_new("test");

	source_bare(source, "cell::remote(fraud = \"fraud\")");
	says(source, "cell 'fraud' is not running\nnote: run: cell run fraud");
	source = source_new("test");
	source_bare(source, "cell::remote(fraud = 3)");
	says(source, "write: cell::remote(alias = \"cell\")");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refused");
	TCase *tcase = tcase_create("cell");
	SRunner *runner = srunner_create(suite);
	int failed;

	(void)setenv("CELL_RUNDIR", "/nonexistent", 1);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, member_is_refused_with_a_remedy, 0,
			    sizeof members / sizeof *members);
	tcase_add_test(tcase, every_member_is_told_at_once);
	tcase_add_test(tcase, message_of_nothing_is_refused);
	tcase_add_test(tcase, numbers_are_kept_and_never_used_again);
	tcase_add_test(tcase, number_of_a_gone_field_is_refused);
	tcase_add_test(tcase, field_comes_back_to_its_number);
	tcase_add_test(tcase, two_branches_gave_one_number);
	tcase_add_test(tcase, two_branches_gave_two_numbers);
	tcase_add_loop_test(tcase, handler_is_refused_with_the_forms, 0,
			    sizeof handlers / sizeof *handlers);
	tcase_add_test(tcase, handler_never_replaces_libc);
	tcase_add_test(tcase, hook_is_refused_with_its_form);
	tcase_add_test(tcase, two_services_in_a_file_need_a_word);
	tcase_add_test(tcase, service_needs_a_name);
	tcase_add_test(tcase, remote_of_nobody_says_how_to_run_it);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
