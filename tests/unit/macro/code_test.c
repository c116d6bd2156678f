/*
 * What providers made: text that may reach a compiler, wrappers around each other, all of it
 * in an order that depends on nothing but what was asked.
 */
#include "macro/code.h"
#include "macro/discover.h"
#include "macro/request.h"
#include "macro/wrap.h"

#include "core.cell.h"

#include <cell/internal/macrotext.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cell_arena arena;

static void setup(void)
{
	cell_arena_init(&arena, 0);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

/* --- text -------------------------------------------------------------------------------- */

static struct macro_value user_values[] = { { MACRO_VALUE_KIND_STRING, "", "/etc/app.conf", 0, 0 } };
static struct macro_attribute user_attributes[] = {
	{ .id = 1, .ns = "x", .name = "y", .n_values = 1, .values = user_values } };
static struct macro_plan_request user_request = { .n_attributes = 1,
						  .attributes = user_attributes };

static const struct {
	const char *text;
	enum macro_text_verdict verdict;
	const char *why;
	unsigned line;
} texts[] = {
	{ "int a;\n", MACRO_TEXT_FINE, "", 0 },
	{ "#define cell_x 1\n#undef cell_x\n", MACRO_TEXT_FINE, "", 0 },
	{ "#define cell_x 1\n#if cell_x\n#endif\n", MACRO_TEXT_REFUSED,
	  "a directive that text must not have", 2 },
	{ "#include <stdio.h>\n", MACRO_TEXT_REFUSED, "an #include", 1 },
	{ "int a;\n  # /* x */ include \"x\"\n", MACRO_TEXT_REFUSED, "an #include", 2 },
	{ "#include_next <x>\n", MACRO_TEXT_REFUSED, "a directive that text must not have", 1 },
	{ "#embed \"/etc/passwd\"\n", MACRO_TEXT_REFUSED, "a directive that text must not have", 1 },
	{ "#import <x>\n", MACRO_TEXT_REFUSED, "a directive that text must not have", 1 },
	{ "# 1 \"x.c\"\n", MACRO_TEXT_REFUSED, "a line marker", 1 },
	{ "#line 1\n", MACRO_TEXT_REFUSED, "a line marker", 1 },
	{ "#inc\\\nlude <x>\n", MACRO_TEXT_REFUSED, "a directive that text must not have", 1 },
	{ "#\\\ninclude <x>\n", MACRO_TEXT_REFUSED, "a line goes on in the next one", 1 },
	{ "%:include <x>\n", MACRO_TEXT_REFUSED, "a digraph", 1 },
	{ "const char *a = __DATE__;\n", MACRO_TEXT_REFUSED, "the date of the build", 1 },
	{ "const char *a = \"__DATE__\";\n", MACRO_TEXT_FINE, "", 0 },
	{ "const char *a =\n\"/home/ada/x\";\n", MACRO_TEXT_REFUSED, "an absolute path", 2 },
	{ "const char *a = \"/users/:id\";\n", MACRO_TEXT_FINE, "", 0 },
	{ "const char *a = \"/etc/app.conf\";\n", MACRO_TEXT_FINE, "", 0 },
	{ "const char *a = \"/etc/other.conf\";\n", MACRO_TEXT_REFUSED, "an absolute path", 1 },
	{ "void f(void) { asm(\"nop\"); }\n", MACRO_TEXT_NEEDS_ASM, "asm or a pragma", 1 },
	{ "void f(void) { __asm__ volatile(\"\"); }\n", MACRO_TEXT_NEEDS_ASM, "asm or a pragma", 1 },
	{ "#pragma once\n", MACRO_TEXT_NEEDS_ASM, "a pragma", 1 },
	{ "_Pragma(\"once\")\n", MACRO_TEXT_NEEDS_ASM, "asm or a pragma", 1 },
	{ "#define a as##m\n", MACRO_TEXT_NEEDS_ASM, "words pasted together", 1 },
	{ "__attribute__((constructor)) void f(void);\n", MACRO_TEXT_NEEDS_ASM, "a constructor", 1 },
	{ "[[gnu::constructor]] void f(void);\n", MACRO_TEXT_NEEDS_ASM, "a constructor", 1 },
	{ "void constructor(int destructor);\n", MACRO_TEXT_FINE, "", 0 },
	{ "int a __attribute__((section(\".init_array\")));\n", MACRO_TEXT_NEEDS_ASM,
	  "a section of constructors", 1 },
	{ "int a __attribute__((section(\".in\" \"it_array\")));\n", MACRO_TEXT_NEEDS_ASM,
	  "a string in two parts in an attribute", 1 },
	{ "int a __attribute__((section(\"cell_methods\"), used, retain));\n", MACRO_TEXT_FINE, "", 0 },
	{ "/* never ended\n", MACRO_TEXT_REFUSED, "a comment does not end", 2 },
	{ "int a;", MACRO_TEXT_REFUSED, "a line that is not ended", 1 },
};

START_TEST(dangerous_text_is_refused)
{
	struct macro_text_rules rules = { .request = &user_request };
	const char *why = "";
	unsigned line = 0;

	ck_assert_int_eq(macro_text_check(texts[_i].text, &rules, &why, &line), texts[_i].verdict);
	ck_assert_str_eq(why, texts[_i].why);
	ck_assert_uint_eq(line, texts[_i].line);
	/* Announced is allowed; nothing else is by that. */
	rules.allows_asm = true;
	ck_assert_int_eq(macro_text_check(texts[_i].text, &rules, &why, &line),
			 texts[_i].verdict == MACRO_TEXT_NEEDS_ASM ? MACRO_TEXT_FINE : texts[_i].verdict);
}
END_TEST

START_TEST(a_unit_of_its_own_includes_what_it_needs)
{
	static const struct {
		const char *text;
		enum macro_text_verdict verdict;
	} units[] = {
		{ "#include <time.h>\n", MACRO_TEXT_FINE },
		{ "# include /* x */ <time.h>\n", MACRO_TEXT_REFUSED },
		{ "#include \"x.h\"\n", MACRO_TEXT_REFUSED },
		{ "#include X\n", MACRO_TEXT_REFUSED },
		{ "#ifdef X\n#endif\n", MACRO_TEXT_FINE },
		{ "# 1 \"x.c\"\n", MACRO_TEXT_REFUSED },
	};
	const struct macro_text_rules rules = { .is_unit = true };
	const char *why;
	unsigned line;

	ck_assert_int_eq(macro_text_check(units[_i].text, &rules, &why, &line), units[_i].verdict);
}
END_TEST

/* --- wrappers ------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	struct wrap_names names;
	const char *becomes;
} wrapped[] = {
	{ "static int w(int a)\n{\n\treturn $next$(a);\n}\n", { "f", "w", NULL, false, false },
	  "static int w(int a)\n{\n\treturn f(a);\n}\n" },
	{ "static int w(int a)\n{\n\treturn $next$(a);\n}\n", { "cell_body_f", "w", "f", false, false },
	  "       int f(int a)\n{\n\treturn cell_body_f(a);\n}\n" },
	{ "static inline int w(int a) { return $next$(a); }\n",
	  { "cell_body_f", "w", "f", true, false },
	  "static        int f(int a) { return cell_body_f(a); }\n" },
	{ "int w(int a) { return $next$(a); }\n", { "cell_body_f", "w", "f", true, false },
	  "static int f(int a) { return cell_body_f(a); }\n" },
	{ "static int helper(void) { return 1; }\nstatic int w(void);\nstatic int w(void)\n"
	  "{\n\treturn helper() + $next$(); /* w $next$ */\n}\n",
	  { "g", "w", "f", false, false },
	  "static int helper(void) { return 1; }\n       int f(void);\n       int f(void)\n"
	  "{\n\treturn helper() + g(); /* w $next$ */\n}\n" },
	{ "#define cell_x 1\nint w(void) { return $next$() + cell_x; }\n",
	  { "g", "w", "f", true, false },
	  "#define cell_x 1\nstatic int f(void) { return g() + cell_x; }\n" },
};

START_TEST(names_are_taken_and_lines_stay)
{
	ck_assert_str_eq(wrap_text(&arena, wrapped[_i].text, &wrapped[_i].names),
			 wrapped[_i].becomes);
}
END_TEST

/* --- all of it --------------------------------------------------------------------------------- */

static struct macro_attribute attributes[4];
static struct macro_declaration declaration;
static struct macro_plan_request request;
static struct macro_plan plans[4];
static struct plan_part parts[4];
static const char *namespaces[4];
static struct macro_planned_wrap wraps[4];
static struct macro_planned_symbol symbols[4];
static struct macro_piece pieces[4][2];
static struct macro_generated_code codes[4];
static struct plan_merged merged;
static struct cell_error err;

static void begin(void)
{
	declaration = (struct macro_declaration){ .place = MACRO_PLACE_FUNCTION, .name = "checkout" };
	request = (struct macro_plan_request){ .declaration = &declaration,
					       .attributes = attributes };
}

/* A provider that wraps in PHASE and adds a function; its attribute has ID. */
static void add(const char *ns, uint32_t id, uint32_t phase)
{
	size_t i = request.n_attributes++;
	const char *name = cell_arena_printf(&arena, "cell_%u_%s", phase, ns);

	attributes[i] = (struct macro_attribute){ .id = id, .ns = ns, .name = "it" };
	namespaces[i] = ns;
	wraps[i] = (struct macro_planned_wrap){ .phase = phase, .attribute = id };
	symbols[i] = (struct macro_planned_symbol){ .attribute = id,
						    .name = cell_arena_printf(&arena, "%s_add", ns) };
	plans[i] = (struct macro_plan){ .n_wraps = 1, .wraps = &wraps[i], .n_symbols = 1,
					.symbols = &symbols[i] };
	parts[i] = (struct plan_part){ .cell = ns, .namespaces = &namespaces[i],
				       .n_namespaces = 1, .plan = &plans[i] };
	pieces[i][0] = (struct macro_piece){
		.anchor = MACRO_ANCHOR_AFTER, .kind = MACRO_PIECE_KIND_INLINE, .attribute = id,
		.text = cell_arena_printf(&arena, "static inline int %s_add(void) { return 1; }\n", ns),
		.symbol = "", .ns = "" };
	pieces[i][1] = (struct macro_piece){
		.anchor = MACRO_ANCHOR_WRAP, .attribute = id, .phase = phase, .symbol = name, .ns = "",
		.text = cell_arena_printf(&arena, "static int %s(void) { return $next$(); }\n", name) };
	codes[i] = (struct macro_generated_code){ .n_pieces = 2, .pieces = pieces[i], .rename = "" };
}

static const char *joined(const struct macro_generated_code *code)
{
	const char *text = "";

	for (size_t i = 0; i < code->n_pieces; i++)
		text = cell_arena_printf(&arena, "%s%s", text, code->pieces[i].text);
	return text;
}

static struct macro_generated_code made(void)
{
	const struct macro_generated_code *list[4];
	struct plan_world world = { 0 };
	struct macro_generated_code code;

	plan_sort(parts, request.n_attributes);
	ck_assert_int_eq(plan_merge(&arena, &request, parts, request.n_attributes, &world, &merged), 0);
	ck_assert_uint_eq(merged.n_errors, 0);
	for (size_t i = 0; i < request.n_attributes; i++)
		for (size_t k = 0; k < request.n_attributes; k++)
			if (parts[i].plan == &plans[k])
				list[i] = &codes[k];
	ck_assert_msg(code_merge(&arena, &request, parts, request.n_attributes, &merged, list, &code,
				 &err) == 0, "%s", err.text);
	return code;
}

START_TEST(the_outermost_takes_the_users_name)
{
	struct macro_generated_code code;

	begin();
	add("db", 1, MACRO_PHASE_TRANSACT);
	add("auth", 2, MACRO_PHASE_AUTHORIZE);
	code = made();
	ck_assert_str_eq(code.rename, "cell_body_checkout");
	ck_assert_str_eq(joined(&code),
			 "static int cell_60_db(void) { return cell_body_checkout(); }\n"
			 "       int checkout(void) { return cell_60_db(); }\n"
			 "static inline int auth_add(void) { return 1; }\n"
			 "static inline int db_add(void) { return 1; }\n");
	ck_assert_str_eq(code.pieces[1].symbol, "checkout");
	ck_assert_str_eq(code.pieces[1].ns, "auth");
}
END_TEST

START_TEST(with_an_entry_nobody_is_renamed)
{
	struct macro_generated_code code;

	begin();
	add("cell", 1, MACRO_PHASE_ENTRY);
	add("auth", 2, MACRO_PHASE_AUTHORIZE);
	code = made();
	ck_assert_str_eq(code.rename, "");
	ck_assert_str_eq(joined(&code),
			 "static int cell_30_auth(void) { return checkout(); }\n"
			 "static int cell_0_cell(void) { return cell_30_auth(); }\n"
			 "static inline int auth_add(void) { return 1; }\n"
			 "static inline int cell_add(void) { return 1; }\n");
}
END_TEST

START_TEST(six_orders_give_one_text)
{
	static const unsigned orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					       { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	static const struct {
		const char *ns;
		uint32_t phase;
	} who[] = { { "telemetry", MACRO_PHASE_TRACE }, { "auth", MACRO_PHASE_AUTHORIZE },
		    { "db", MACRO_PHASE_TRANSACT } };
	const char *first = NULL;

	for (size_t i = 0; i < 6; i++) {
		struct macro_generated_code code;

		begin();
		for (uint32_t k = 0; k < 3; k++)
			add(who[orders[i][k]].ns, k + 1, who[orders[i][k]].phase);
		code = made();
		if (!first)
			first = joined(&code);
		ck_assert_str_eq(joined(&code), first);
	}
}
END_TEST

/* --- one provider's code ------------------------------------------------------------------------- */

static enum code_verdict check(void)
{
	uint32_t attribute;

	err.text[0] = '\0';
	return code_check(&request, &parts[0], &codes[0], NULL, 0, &attribute, &err);
}

START_TEST(code_is_what_was_planned)
{
	uint32_t asm_ok[] = { 1 }, attribute = 0;

	begin();
	add("db", 1, MACRO_PHASE_TRANSACT);
	ck_assert_msg(check() == CODE_FINE, "%s", err.text);
	pieces[0][0].text = "int sneaky(void);\n";
	ck_assert_int_eq(check(), CODE_WRONG);
	ck_assert_str_eq(err.text,
			 "db::it: line 1 of its text declares 'sneaky', which it did not plan");
	pieces[0][0].text = "#include <x>\n";
	ck_assert_int_eq(check(), CODE_WRONG);
	ck_assert_str_eq(err.text, "db::it: line 1 of its text has an #include");
	pieces[0][0].text = "static inline void cell_x(void) { asm(\"\"); }\n";
	ck_assert_int_eq(check(), CODE_NEEDS_ASM);
	ck_assert_str_eq(err.text, "db::it: line 1 of its text has asm or a pragma, which the macro does not announce");
	ck_assert_int_eq(code_check(&request, &parts[0], &codes[0], asm_ok, 1, &attribute, &err),
			 CODE_FINE);
	pieces[0][0].attribute = 7;
	ck_assert_int_eq(check(), CODE_WRONG);
	ck_assert_str_eq(err.text, "cell 'db' answered what makes no sense: a piece of 'another's attribute'");
}
END_TEST

START_TEST(too_much_text_is_refused)
{
	char *text = malloc(MACRO_TEXT_MAX_BYTES + 2);

	memset(text, ' ', MACRO_TEXT_MAX_BYTES);
	text[MACRO_TEXT_MAX_BYTES] = '\n';
	text[MACRO_TEXT_MAX_BYTES + 1] = '\0';
	begin();
	add("db", 1, MACRO_PHASE_TRANSACT);
	pieces[0][0].text = text;
	ck_assert_int_eq(check(), CODE_WRONG);
	ck_assert_ptr_nonnull(strstr(err.text, "bytes of text, limit 1048576"));
	free(text);
}
END_TEST

static const char *const paths[] = { "/etc/passwd", "../x", "a/../../x", "", "a//b", ".x" };

START_TEST(files_stay_below_the_build)
{
	struct macro_file file = { .path = paths[_i] };

	begin();
	add("db", 1, MACRO_PHASE_TRANSACT);
	codes[0].n_files = 1;
	codes[0].files = &file;
	ck_assert_int_eq(check(), CODE_WRONG);
	file.path = "a/b.sql";
	ck_assert_int_eq(check(), CODE_FINE);
}
END_TEST

/* --- requests and providers ------------------------------------------------------------------------ */

START_TEST(a_provider_sees_values_of_its_own_and_of_cell)
{
	struct macro_value values[] = { { MACRO_VALUE_KIND_STRING, "", "secret", 0, 0 } };
	struct macro_kept_of kept[] = { { .ns = "auth" }, { .ns = "db" } };
	const struct macro_plan_request *seen;

	begin();
	add("db", 1, 60);
	add("auth", 2, 30);
	add("cell", 3, 35);
	for (size_t i = 0; i < 3; i++) {
		attributes[i].n_values = 1;
		attributes[i].values = values;
	}
	request.context = attributes;
	request.n_context = 3;
	request.kept = kept;
	request.n_kept = 2;
	seen = request_for(&arena, &request, &parts[0]);
	ck_assert_uint_eq(seen->n_attributes, 3);
	/* By name, whatever came first in the source. */
	ck_assert_str_eq(seen->attributes[0].ns, "auth");
	ck_assert_uint_eq(seen->attributes[0].n_values, 0);
	ck_assert_str_eq(seen->attributes[1].ns, "cell");
	ck_assert_uint_eq(seen->attributes[1].n_values, 1);
	ck_assert_uint_eq(seen->attributes[2].n_values, 1);
	ck_assert_uint_eq(seen->n_context, 2);
	ck_assert_str_eq(seen->context[0].ns, "db");
	ck_assert_str_eq(seen->context[1].ns, "cell");
	ck_assert_uint_eq(seen->n_kept, 1);
	ck_assert_str_eq(seen->kept[0].ns, "db");
}
END_TEST

START_TEST(requests_are_checked)
{
	begin();
	ck_assert_int_eq(request_check(&request, &err), CELL_INVALID_ARGUMENT);
	add("db", 1, 60);
	ck_assert_int_eq(request_check(&request, &err), 0);
	add("auth", 1, 60);
	ck_assert_int_eq(request_check(&request, &err), CELL_INVALID_ARGUMENT);
	request.declaration = NULL;
	ck_assert_int_eq(request_check(&request, &err), CELL_INVALID_ARGUMENT);
}
END_TEST

START_TEST(one_namespace_has_one_provider)
{
	struct core_cell_info infos[] = {
		{ .name = "celldb", .macros = "db raft", .state = CORE_INSTANCE_STATE_READY },
		{ .name = "auth", .macros = "auth", .state = CORE_INSTANCE_STATE_GONE },
		{ .name = "plain", .macros = "", .state = CORE_INSTANCE_STATE_READY },
		{ .name = "postgres", .macros = "postgres db", .state = CORE_INSTANCE_STATE_READY },
	};
	struct providers providers = { 0 };
	const struct provider *provider;
	const char *ns;

	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(providers_add(&arena, &providers, &infos[i]), 0);
	providers_sort(&providers);
	ck_assert_uint_eq(providers.n, 2);
	ck_assert_int_eq(providers_find(&providers, "raft", &provider, &err), 0);
	ck_assert_str_eq(provider->cell, "celldb");
	ck_assert_int_eq(providers_find(&providers, "nobody", &provider, &err), CELL_NOT_FOUND);
	ck_assert_int_eq(providers_find(&providers, "auth", &provider, &err), CELL_UNAVAILABLE);
	ck_assert_str_eq(err.text, "cell 'auth', which provides 'auth', is not running; run: cell run auth");
	ck_assert_int_eq(providers_add(&arena, &providers, &infos[3]), 0);
	providers_sort(&providers);
	ck_assert_int_eq(providers_find(&providers, "db", &provider, &err),
			 CELL_FAILED_PRECONDITION);
	ck_assert_str_eq(err.text, "namespace 'db' is announced by cell 'celldb' and by cell "
				   "'postgres'; one of them must give it up");
	/* Only what both announce is in doubt. */
	ck_assert_int_eq(providers_find(&providers, "raft", &provider, &err), 0);
	ck_assert_str_eq(providers_rival(&providers, provider, &ns)->cell, "postgres");
	ck_assert_str_eq(ns, "db");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("code");
	TCase *tcase = tcase_create("code");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_unit_of_its_own_includes_what_it_needs, 0, 6);
	tcase_add_loop_test(tcase, dangerous_text_is_refused, 0, sizeof texts / sizeof *texts);
	tcase_add_loop_test(tcase, names_are_taken_and_lines_stay, 0,
			    sizeof wrapped / sizeof *wrapped);
	tcase_add_test(tcase, the_outermost_takes_the_users_name);
	tcase_add_test(tcase, with_an_entry_nobody_is_renamed);
	tcase_add_test(tcase, six_orders_give_one_text);
	tcase_add_test(tcase, code_is_what_was_planned);
	tcase_add_test(tcase, too_much_text_is_refused);
	tcase_add_loop_test(tcase, files_stay_below_the_build, 0, sizeof paths / sizeof *paths);
	tcase_add_test(tcase, a_provider_sees_values_of_its_own_and_of_cell);
	tcase_add_test(tcase, requests_are_checked);
	tcase_add_test(tcase, one_namespace_has_one_provider);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
