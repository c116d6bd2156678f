#include "cellc/check.h"

#include "said.h"

#include <stdlib.h>

static struct diag *diag;

static void setup(void)
{
	diag = said_new();
}

static void teardown(void)
{
}

static const char *const choices[] = { "none", "raft" };
static const struct macro_argument table_arguments[] = {
	{ .name = "name", .kind = MACRO_VALUE_KIND_STRING, .positional = true },
	{ .name = "replicate", .kind = MACRO_VALUE_KIND_IDENTIFIER, .n_choices = 2,
	  .choices = choices },
	{ .name = "indexes", .kind = MACRO_VALUE_KIND_LIST, .of = MACRO_VALUE_KIND_RECORD },
	{ .name = "cached", .kind = MACRO_VALUE_KIND_BOOL },
};
static const struct macro_argument index_arguments[] = {
	{ .name = "on", .kind = MACRO_VALUE_KIND_STRING, .required = true },
};
#define BIT(place) (1u << MACRO_PLACE_##place)
static const struct macro_macro_description macros[] = {
	{ .ns = "db", .name = "table", .places = BIT(STRUCT), .n_arguments = 4,
	  .arguments = table_arguments },
	{ .ns = "db", .name = "key", .places = BIT(MEMBER) },
	{ .ns = "db", .name = "check", .places = BIT(MEMBER), .raw_argument = true },
	{ .ns = "db", .name = "index", .places = BIT(STRUCT) | BIT(MEMBER), .repeatable = true,
	  .n_arguments = 1, .arguments = index_arguments },
	{ .ns = "cell", .name = "remote", .places = BIT(FILE), .any_arguments = true },
};
static const char *const namespaces[] = { "cell", "db" }, *const cells[] = { "cell-cc", "celldb" };
static const struct check_known known = { namespaces, cells, 2, macros, 5 };

/* The last checked values. */
static struct macro_value checked[8];

static int check(const char *ns, const char *name, enum macro_place place, size_t n,
		 const struct macro_value *values)
{
	static struct place places[8];
	struct attribute attribute = {
		.ns = ns, .name = name, .at = { "bank.c", 5, 10, 2 }, .name_at = { "bank.c", 5, 14, 5 },
		.values = values, .value_places = places, .n_values = n,
	};

	for (size_t i = 0; i < n; i++) {
		places[i] = (struct place){ "bank.c", 5, (uint32_t)(20 + i), 1 };
		checked[i] = values[i];
		checked[i].name = values[i].name ? values[i].name : "";
		checked[i].text = values[i].text ? values[i].text : "";
	}
	return check_attribute(&known, &attribute, place, checked, diag);
}

#define VALUES(...)                                                              \
	sizeof((const struct macro_value[]){ __VA_ARGS__ }) / sizeof(struct macro_value), \
		(const struct macro_value[]){ __VA_ARGS__ }
#define STRING(n, t)  { .kind = MACRO_VALUE_KIND_STRING, .name = (n), .text = (t) }
#define WORD(n, t)    { .kind = MACRO_VALUE_KIND_IDENTIFIER, .name = (n), .text = (t) }
#define NUMBER(n, i)  { .kind = MACRO_VALUE_KIND_INTEGER, .name = (n), .integer = (i) }
#define LIST(n)       { .kind = MACRO_VALUE_KIND_LIST, .name = (n) }

static void says(const char *text)
{
	const char *said = said_end(diag);

	ck_assert_str_eq(said, text);
}

START_TEST(what_is_right_is_not_spoken_of)
{
	ck_assert_int_eq(check("db", "table", MACRO_PLACE_STRUCT, 0, NULL), 0);
	ck_assert_int_eq(check("db", "table", MACRO_PLACE_STRUCT,
			       VALUES(STRING("", "accounts"), WORD("replicate", "raft"))), 0);
	ck_assert_int_eq(check("db", "key", MACRO_PLACE_MEMBER, 0, NULL), 0);
	ck_assert_int_eq(check("cell", "remote", MACRO_PLACE_FILE, VALUES(STRING("fraud", "fraud"))),
			 0);
	ck_assert_int_eq(check("db", "index", MACRO_PLACE_STRUCT, VALUES(STRING("on", "x"))), 0);
	says("");
}
END_TEST

START_TEST(unknown_macro_has_a_guess)
{
	ck_assert_int_lt(check("db", "kee", MACRO_PLACE_MEMBER, 0, NULL), 0);
	says("bank.c:5:14: error: db::kee: cell 'celldb' provides no such macro (did you mean "
	     "'key'?)\n");
}
END_TEST

START_TEST(unknown_argument_has_a_guess)
{
	ck_assert_int_lt(check("db", "table", MACRO_PLACE_STRUCT, VALUES(WORD("replicat", "raft"))), 0);
	says("bank.c:5:20: error: db::table: no argument 'replicat' (did you mean 'replicate'?)\n");
}
END_TEST

START_TEST(unknown_namespace_has_a_guess)
{
	ck_assert_int_lt(check("cel", "remote", MACRO_PLACE_FILE, 0, NULL), 0);
	says("bank.c:5:10: error: cel::remote: no cell provides the namespace 'cel' (did you mean "
	     "'cell'?)\n");
}
END_TEST

START_TEST(wrong_place_says_the_right_one)
{
	ck_assert_int_lt(check("db", "table", MACRO_PLACE_FUNCTION, 0, NULL), 0);
	says("bank.c:5:14: error: db::table does not belong on a function with a body\n"
	     "cellc: note: it belongs on a struct\n");
}
END_TEST

START_TEST(wrong_kind_says_what_to_write)
{
	ck_assert_int_lt(check("db", "table", MACRO_PLACE_STRUCT, VALUES(WORD("name", "accounts"))), 0);
	says("bank.c:5:20: error: db::table: 'name' wants a string, not an identifier\n"
	     "cellc: note: write \"accounts\"\n");
}
END_TEST

START_TEST(wrong_choice_has_a_guess)
{
	ck_assert_int_lt(check("db", "table", MACRO_PLACE_STRUCT, VALUES(WORD("replicate", "rafd"))), 0);
	says("bank.c:5:20: error: db::table: 'replicate' cannot be 'rafd': it is one of none, raft "
	     "(did you mean 'raft'?)\n");
}
END_TEST

START_TEST(missing_and_repeated_are_said)
{
	ck_assert_int_lt(check("db", "index", MACRO_PLACE_STRUCT, 0, NULL), 0);
	ck_assert_int_lt(check("db", "index", MACRO_PLACE_STRUCT,
			       VALUES(STRING("on", "a"), STRING("on", "b"))), 0);
	says("bank.c:5:14: error: db::index: argument 'on' is missing\n"
	     "bank.c:5:21: error: db::index: argument 'on' is given twice\n");
}
END_TEST

START_TEST(positional_arguments_are_limited)
{
	ck_assert_int_lt(check("db", "key", MACRO_PLACE_MEMBER, VALUES(NUMBER("", 1))), 0);
	ck_assert_int_lt(check("db", "index", MACRO_PLACE_MEMBER, VALUES(STRING("", "x"))), 0);
	ck_assert_int_lt(check("db", "table", MACRO_PLACE_STRUCT,
			       VALUES(STRING("", "a"), STRING("", "b"))), 0);
	says("bank.c:5:20: error: db::key: takes no arguments\n"
	     "bank.c:5:20: error: db::index: arguments need their names: on = …\n"
	     "bank.c:5:14: error: db::index: argument 'on' is missing\n"
	     "bank.c:5:21: error: db::table: only 1 argument may stand without a name\n");
}
END_TEST

START_TEST(zero_and_one_are_booleans)
{
	ck_assert_int_eq(check("db", "table", MACRO_PLACE_STRUCT, VALUES(NUMBER("cached", 1))), 0);
	ck_assert_int_eq(checked[0].kind, MACRO_VALUE_KIND_BOOL);
	ck_assert_int_eq(checked[0].integer, 1);
	ck_assert_int_lt(check("db", "table", MACRO_PLACE_STRUCT, VALUES(NUMBER("cached", 2))), 0);
	says("bank.c:5:20: error: db::table: 'cached' wants true or false, not an integer\n");
}
END_TEST

START_TEST(lists_hold_one_kind)
{
	struct macro_value inside = STRING("", "x"), list = LIST("indexes");

	inside.parent = 1;
	ck_assert_int_lt(check("db", "table", MACRO_PLACE_STRUCT, 2,
			       (struct macro_value[]){ list, inside }), 0);
	says("bank.c:5:21: error: db::table: 'indexes' is a list of record, not a string\n");
}
END_TEST

START_TEST(expressions_stay_tokens)
{
	struct macro_value tokens = { .kind = MACRO_VALUE_KIND_TOKENS, .text = "balance >= 0" };

	ck_assert_int_eq(check("db", "check", MACRO_PLACE_MEMBER, 1, &tokens), 0);
	ck_assert_int_eq(check("db", "check", MACRO_PLACE_MEMBER, VALUES(WORD("", "active"))), 0);
	ck_assert_int_eq(checked[0].kind, MACRO_VALUE_KIND_TOKENS);
	ck_assert_int_lt(check("db", "check", MACRO_PLACE_MEMBER, VALUES(NUMBER("balance", 0))), 0);
	ck_assert_int_lt(check("db", "check", MACRO_PLACE_MEMBER, 0, NULL), 0);
	says("bank.c:5:20: error: db::check: wants an expression, not 'balance = …' (did you mean "
	     "'=='?)\n"
	     "bank.c:5:14: error: db::check: wants one expression\n");
}
END_TEST

START_TEST(once_means_once)
{
	struct attribute a = { .ns = "db", .name = "table", .name_at = { "a.c", 1, 1, 1 } };
	struct attribute b = { .ns = "db", .name = "table", .name_at = { "a.c", 2, 1, 1 } };
	struct attribute c = { .ns = "db", .name = "index" };
	const struct attribute *list[] = { &a, &c, &c, &b };

	ck_assert_int_eq(check_repeated(&known, list, 3, diag), 0);
	ck_assert_int_lt(check_repeated(&known, list, 4, diag), 0);
	says("a.c:2:1: error: db::table stands here twice\na.c:1:1: note: the first one is here\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *tcase = tcase_create("check");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_is_right_is_not_spoken_of);
	tcase_add_test(tcase, unknown_macro_has_a_guess);
	tcase_add_test(tcase, unknown_argument_has_a_guess);
	tcase_add_test(tcase, unknown_namespace_has_a_guess);
	tcase_add_test(tcase, wrong_place_says_the_right_one);
	tcase_add_test(tcase, wrong_kind_says_what_to_write);
	tcase_add_test(tcase, wrong_choice_has_a_guess);
	tcase_add_test(tcase, missing_and_repeated_are_said);
	tcase_add_test(tcase, positional_arguments_are_limited);
	tcase_add_test(tcase, zero_and_one_are_booleans);
	tcase_add_test(tcase, lists_hold_one_kind);
	tcase_add_test(tcase, expressions_stay_tokens);
	tcase_add_test(tcase, once_means_once);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
