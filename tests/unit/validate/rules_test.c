/* What validate makes of a source: which guards it refuses, and what the others let pass. */
#include "expansion.h"
#include "validate/validate.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct expansion_result result;

static void expand(const char *source)
{
	expansion_make(&result, &validate_provider, NULL, source);
}

static void teardown(void)
{
	expansion_free(&result);
	memset(&result, 0, sizeof result);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static const struct refusal {
	const char *source;
	const char *said;
} refusals[] = {
	{ "struct s { [[validate::range(1, 2)]] const char *name; };",
	  "1:14: error: 'name' is not a number\n"
	  "note: strings and repeated members have validate::length\n" },
	{ "struct s { [[validate::range]] int32_t n; };",
	  "1:14: error: validate::range without a bound\n" },
	{ "struct s { [[validate::range(5, 2)]] int32_t n; };",
	  "1:33: error: nothing is within these bounds: the first is the larger\n" },
	{ "struct s { [[validate::range(-1, 2)]] uint32_t n; };",
	  "1:30: error: 'n' is never negative\n" },
	{ "struct s { [[validate::range(1.5)]] int32_t n; };",
	  "1:30: error: 'n' is an integer, and so are its bounds\n" },
	{ "struct s { [[validate::range(\"a\")]] int32_t n; };",
	  "1:30: error: a bound is a number, or null\n" },
	{ "struct s { [[validate::length(1, 2)]] double d; };",
	  "1:14: error: 'd' has no length\nnote: numbers have validate::range\n" },
	{ "struct s { [[validate::length(5)]] char c[3]; };",
	  "1:31: error: 'c' has room for 3 bytes\n" },
	{ "struct s { [[validate::length(3, 2)]] const char *t; };",
	  "1:34: error: nothing is as long: the first bound is the larger\n" },
	{ "struct s { [[validate::email]] int32_t n; };", "1:14: error: 'n' is not a string\n" },
	{ "struct s { [[validate::one_of]] const char *t; };",
	  "1:14: error: validate::one_of lists nothing\n" },
	{ "struct s { [[validate::one_of(\"a\", 2)]] const char *t; };",
	  "1:36: error: 't' is a string, this is not\n" },
	{ "enum e { RED, GREEN }; struct s { [[validate::one_of(RED, BLUE)]] enum e e; };",
	  "1:59: error: enum e has no 'BLUE'\n" },
	{ "struct s { [[validate::range(1)]] int64_t n; };\n"
	  "[[validate::checked]] void f(struct cell_call *call, const struct s *in);\n"
	  "void f(struct cell_call *call, const struct s *in) { (void)call; (void)in; }\n",
	  NULL },
	{ "struct s { int64_t n; };\n[[validate::checked]]\n"
	  "static int f(struct cell_call *call, const struct s *in) { (void)call; (void)in; return 0; }\n",
	  "2:3: error: nothing that 'f' takes has a guard\n"
	  "note: put [[validate::range(1, 10)]] or the like on a member of what it takes; "
	  "items of a stream are checked with their TAG_check()\n" },
	{ "struct s { [[validate::range(1)]] int64_t n; };\n[[validate::checked]]\n"
	  "static long f(struct cell_call *call, const struct s *in) { (void)call; (void)in; return 0; }\n",
	  "2:3: error: 'f' cannot be checked: it has no way to refuse\n"
	  "note: int f(struct cell_call *call, …)\n" },
};

START_TEST(a_guard_that_cannot_be_is_refused_where_it_stands)
{
	const struct refusal *refusal = &refusals[_i];

	expand(refusal->source);
	if (refusal->said)
		ck_assert_str_eq(result.diagnostics, refusal->said);
	else
		ck_assert_ptr_nonnull(strstr(result.diagnostics, "error"));
}
END_TEST

/* ---- what passes ---------------------------------------------------------------------------- */

/* Guards on every kind of member; `it` passes as it is. */
static const char guarded[] =
	"enum color { RED = 0, GREEN = 1, BLUE = 2 };\n"
	"struct inner { [[validate::range(1, 9)]] int32_t digit; };\n"
	"struct outer { struct inner plain; int32_t other; };\n"
	"struct order {\n"
	"	[[validate::range(-5, 5)]] int32_t small;\n"
	"	[[validate::range(0, 10)]] uint64_t unsign;\n"
	"	[[validate::range(0.5, null)]] double price;\n"
	"	[[validate::range(max = 3)]] int8_t most;\n"
	"	bool has_age; [[validate::range(18, 99)]] uint32_t age;\n"
	"	[[validate::length(2, 5)]] const char *name;\n"
	"	bool has_nick; [[validate::length(2)]] const char *nick;\n"
	"	[[validate::length(2, 3)]] char code[3];\n"
	"	[[validate::email]] const char *mail;\n"
	"	[[validate::one_of(\"a\", \"q\\\"\")]] const char *word;\n"
	"	[[validate::one_of(RED, BLUE)]] enum color color;\n"
	"	[[validate::one_of(1, 2, -3)]] int64_t number;\n"
	"	size_t n_tags; [[validate::length(1, 2), validate::one_of(\"x\", \"y\")]] const char *const *tags;\n"
	"	size_t n_data; [[validate::length(1)]] const uint8_t *data;\n"
	"	struct inner inner;\n"
	"	const struct inner *maybe;\n"
	"	size_t n_inners; const struct inner *inners;\n"
	"	struct outer outer;\n"
	"};\n"
	"static struct cell_call *call;\n"
	"static const char *const tags[] = { \"x\", \"y\", \"z\" };\n"
	"static const struct inner good = { 5 }, bad = { 0 };\n"
	"static int check(struct order *it, const char *wanted)\n"
	"{\n"
	"	int err = order_check(call, it);\n"
	"	const char *text = cell_error(call)->text;\n"
	"	if (!wanted ? err == 0 : err == CELL_INVALID_ARGUMENT && strcmp(text, wanted) == 0)\n"
	"		return 0;\n"
	"	printf(\"%d '%s', wanted '%s'\\n\", err, text, wanted ? wanted : \"\");\n"
	"	return 1;\n"
	"}\n"
	"#define IT struct order it = { .price = 1, .name = \"ada\", .nick = \"\", .code = \"ab\", \\\n"
	"	.mail = \"a@b.c\", .word = \"a\", .number = 1, .n_tags = 1, .tags = tags, .n_data = 1, \\\n"
	"	.data = (const uint8_t *)\"x\", .inner = { 1 }, .outer = { .plain = { 9 } } }\n";

static const struct passing {
	const char *change;
	const char *wanted; /* C; NULL = it passes */
} changes[] = {
	{ "", NULL },
	{ "it.small = 6", "small: 6 is not within -5 and 5" },
	{ "it.small = -6", "small: -6 is not within -5 and 5" },
	{ "it.small = -5", NULL },
	{ "it.unsign = 11", "unsign: 11 is not within 0 and 10" },
	{ "it.unsign = UINT64_MAX", "unsign: 18446744073709551615 is not within 0 and 10" },
	{ "it.price = 0.25", "price: 0.25 is less than 0.5" },
	{ "it.price = 0.0 / 0.0 * (it.small = 0, 1)", "price: -nan is less than 0.5" },
	{ "it.most = 4", "most: 4 is more than 3" },
	{ "it.age = 3", NULL },
	{ "it.has_age = true, it.age = 3", "age: 3 is not within 18 and 99" },
	{ "it.has_age = true, it.age = 18", NULL },
	{ "it.name = \"a\"", "name: 1 bytes, not 2 to 5" },
	{ "it.name = \"abcdef\"", "name: 6 bytes, not 2 to 5" },
	{ "it.nick = \"a\"", NULL },
	{ "it.has_nick = true, it.nick = \"a\"", "nick: 1 bytes, at least 2" },
	{ "it.code[1] = 0", "code: 1 bytes, not 2 to 3" },
	{ "it.code[2] = 'c'", NULL },
	{ "it.mail = \"\"", "mail: '' is no e-mail address" },
	{ "it.mail = \"a@b\"", "mail: 'a@b' is no e-mail address" },
	{ "it.mail = \"a@@b.c\"", "mail: 'a@@b.c' is no e-mail address" },
	{ "it.mail = \"a b@c.d\"", "mail: 'a b@c.d' is no e-mail address" },
	{ "it.word = \"q\\\"\"", NULL },
	{ "it.word = \"b\"", "word: 'b' is not one of those that may be" },
	{ "it.color = GREEN", "color: 1 is not one of those that may be" },
	{ "it.color = BLUE", NULL },
	{ "it.number = -3", NULL },
	{ "it.number = 3", "number: 3 is not one of those that may be" },
	{ "it.n_tags = 0", "tags: 0 items, not 1 to 2" },
	{ "it.n_tags = 3", "tags: 3 items, not 1 to 2" },
	{ "it.tags = tags + 1, it.n_tags = 2", "tags: 'z' is not one of those that may be" },
	{ "it.n_data = 0", "data: 0 bytes, at least 1" },
	{ "it.inner.digit = 10", "digit: 10 is not within 1 and 9" },
	{ "it.maybe = &good", NULL },
	{ "it.maybe = &bad", "digit: 0 is not within 1 and 9" },
	{ "it.inners = &bad, it.n_inners = 1", "digit: 0 is not within 1 and 9" },
	{ "it.outer.plain.digit = 0", "digit: 0 is not within 1 and 9" },
};

START_TEST(guards_let_pass_what_they_say_and_name_what_they_do_not)
{
	char output[4096], *program;
	size_t len;
	FILE *out = open_memstream(&program, &len);
	int status;

	expand(guarded);
	ck_assert_str_eq(result.diagnostics, "");
	fprintf(out, "%sint main(void)\n{\n\tint n = 0;\n\tcall = cell_open(\"t\");\n", result.text);
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		fprintf(out, "\t{\n\t\tIT;\n\t\t%s;\n\t\tn += check(&it, ", changes[i].change);
		if (changes[i].wanted)
			fprintf(out, "\"%s\");\n\t}\n", changes[i].wanted);
		else
			fprintf(out, "NULL);\n\t}\n");
	}
	fprintf(out, "\tcell_close(call);\n\treturn n;\n}\n");
	ck_assert_int_eq(fclose(out), 0);
	status = expansion_run("gcc", program, output, sizeof output);
	ck_assert_msg(status == 0, "%d: %s", status, output);
	free(program);
}
END_TEST

START_TEST(a_checked_function_is_wrapped_in_its_own_shape)
{
	expand("struct s { [[validate::range(1, 2)]] int32_t n; };\n"
	       "struct r { int32_t n; };\n"
	       "[[validate::checked]]\n"
	       "static int f(struct cell_call *c, const struct s *in, struct r *out, int (*cb)(void))\n"
	       "{ (void)c; (void)in; (void)out; (void)cb; return 0; }\n");
	ck_assert_str_eq(result.diagnostics, "");
	ck_assert_str_eq(
		result.wrappers,
		"static int cell_40_f(struct cell_call *c, const struct s *in, struct r *out, int (*cb)(void))\n"
		"{\n"
		"\tint cell_err;\n"
		"\n"
		"\tcell_err = s_check(c, in);\n"
		"\tif (cell_err)\n"
		"\t\treturn cell_err;\n"
		"\treturn $next$(c, in, out, cb);\n"
		"}\n");
}
END_TEST

/* Guards deep inside count for who takes what has none of its own; items within items, too. */
START_TEST(checks_what_is_only_guarded_below)
{
	char output[4096], *program;
	size_t len;
	FILE *out = open_memstream(&program, &len);
	int status;

	expand("struct leaf { [[validate::range(1, 2)]] int32_t n; };\n"
	       "struct twig { struct leaf leaf; size_t n_more; const struct leaf *more; };\n"
	       "struct tree { size_t n_twigs; const struct twig *twigs; };\n"
	       "[[validate::checked]]\n"
	       "static int f(struct cell_call *c, const struct tree *in)\n"
	       "{ (void)c; return in->n_twigs ? 0 : 7; }\n");
	ck_assert_str_eq(result.diagnostics, "");
	fprintf(out,
		"%sint main(void)\n{\n"
		"\tstruct cell_call *c = cell_open(\"t\");\n"
		"\tstruct leaf leaves[] = { { 1 }, { 3 } };\n"
		"\tstruct twig twigs[] = { { { 1 }, 1, leaves }, { { 2 }, 1, leaves } };\n"
		"\tstruct tree tree = { 2, twigs };\n"
		"\tint good = cell_check_f_1(c, &tree), bad;\n\n"
		"\ttwigs[1].n_more = 2;\n"
		"\tbad = cell_check_f_1(c, &tree);\n"
		"\tcell_close(c);\n"
		"\t(void)f;\n\treturn good || bad != CELL_INVALID_ARGUMENT;\n}\n",
		result.text);
	ck_assert_int_eq(fclose(out), 0);
	status = expansion_run("gcc", program, output, sizeof output);
	ck_assert_msg(status == 0, "%d: %s", status, output);
	ck_assert_ptr_nonnull(strstr(result.wrappers, "cell_err = cell_check_f_1(c, in);"));
	free(program);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rules");
	TCase *tc = tcase_create("rules");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, a_guard_that_cannot_be_is_refused_where_it_stands, 0,
			    sizeof refusals / sizeof refusals[0]);
	tcase_add_test(tc, guards_let_pass_what_they_say_and_name_what_they_do_not);
	tcase_add_test(tc, checks_what_is_only_guarded_below);
	tcase_add_test(tc, a_checked_function_is_wrapped_in_its_own_shape);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
