#include "cellc/accept.h"

#include <cell/internal/macrotext.h>

#include "said.h"

#include <stdlib.h>

static struct cell_error err;

static void setup(void)
{
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
}

static const struct macro_planned_symbol symbols[] = { { .name = "account_get" },
						       { .name = "account_cursor", .is_type = true } };
static const struct macro_planned_field fields[] = { { .name = "version", .type = "int" } };
static const struct macro_planned_wrap wraps[] = { { .phase = 30 } };
static const struct macro_plan plan = { .n_symbols = 2, .symbols = symbols, .n_fields = 1,
					.fields = fields, .n_wraps = 1, .wraps = wraps };
static const struct macro_declaration account = { .place = MACRO_PLACE_STRUCT, .name = "account" };
static const struct macro_declaration function = { .place = MACRO_PLACE_FUNCTION, .name = "f" };
static const struct macro_declaration prototype = { .place = MACRO_PLACE_PROTOTYPE, .name = "f" };

#define MAY(bit) (1u << MACRO_ADDITION_##bit)

static int try_piece(struct macro_piece piece, const struct macro_declaration *declaration,
		     uint32_t may)
{
	const struct macro_plan_request request = { .declaration = declaration };
	const struct accept_rules rules = { .root = "/home/ann/bank", .plan = &plan, .may = may,
					    .request = &request };
	struct macro_generated_code code = { .n_pieces = 1, .pieces = &piece, .rename = "" };
	uint32_t attribute = 0;
	int r;

	piece.attribute = 7;
	piece.symbol = piece.symbol ? piece.symbol : "";
	r = accept_code(&rules, &code, &attribute, &err);
	ck_assert_uint_eq(attribute, r < 0 ? 7 : 0);
	return r;
}

static int try_text(const char *text)
{
	return try_piece((struct macro_piece){ .text = text }, &account, MAY(DECLARATIONS));
}

#define ACCEPTS(c) ck_assert_msg(try_text(c) == 0, "%s: %s", c, err.text)
#define REFUSES(c, why)                                               \
	do {                                                          \
		ck_assert_msg(try_text(c) < 0, "accepted: %s", c);    \
		ck_assert_has(err.text, why);                         \
	} while (0)

START_TEST(ordinary_text_is_accepted)
{
	ACCEPTS("");
	ACCEPTS("static inline int account_get(void)\n{\n\treturn \"#include <x>\"[0];\n}\n");
	ACCEPTS("/* #include <x.h> */\n// # 1 \"x\"\nstruct account_cursor { int i; };\n");
	ACCEPTS("#define cell_limit 10\n#define CELL_LIMIT \\\n\tcell_limit\n");
	ACCEPTS("static int cell_x __attribute__((section(\"cell_methods\"), used));\n");
	ACCEPTS("static const char cell_path[] = \"/users/:id\";\n");
}
END_TEST

START_TEST(other_files_and_places_are_refused)
{
	REFUSES("#include <stdio.h>\n", "line 1 of its text has an #include");
	REFUSES("\n  #  include_next <stdio.h>\n", "line 2 of its text has a directive");
	REFUSES("#embed \"/etc/passwd\"\n", "a directive");
	REFUSES("# 1 \"user.c\"\n", "line marker");
	REFUSES("#line 1 \"user.c\"\n", "a line marker");
	REFUSES("/* x */ #include <stdio.h>\n", "an #include");
	REFUSES("#if 0\n#endif\n", "a directive");
	REFUSES("#inc\\\nlude <stdio.h>\n", "line");
	REFUSES("%:include <stdio.h>\n", "line");
	REFUSES("?\?=include <stdio.h>\n", "line");
	REFUSES("static const char *cell_x = \"/home/ann/bank/x\";\n", "path of this machine");
}
END_TEST

START_TEST(what_nobody_expects_is_refused)
{
	REFUSES("asm(\"nop\");\n", "asm");
	REFUSES("static void cell_x(void) { __asm__ volatile(\"nop\"); }\n", "asm");
	REFUSES("#pragma GCC poison malloc\n", "a pragma");
	REFUSES("_Pragma(\"x\")\n", "a pragma");
	REFUSES("__attribute__((constructor)) static void cell_x(void) {}\n", "a constructor");
	REFUSES("static void *cell_x __attribute__((section(\".init_array\")));\n", "a section of constructors");
	REFUSES("static const char cell_x[] = __DATE__;\n", "the date of the build");
	REFUSES("int main(void);\n", "declares 'main'");
	REFUSES("#define malloc evil\n", "declares 'malloc'");
	REFUSES("struct account_get { int x; };\n", "declares 'account_get'");
}
END_TEST

START_TEST(announced_asm_is_accepted)
{
	const struct macro_piece piece = { .text = "#pragma weak cell_x\nasm(\"nop\");\n" };

	ck_assert_int_eq(try_piece(piece, &account, MAY(DECLARATIONS) | MAY(ASM)), 0);
}
END_TEST

START_TEST(text_must_be_whole)
{
	REFUSES("static int cell_f(void) {\n", "");
	REFUSES("}\n", "");
	REFUSES("/* \n", "");
	REFUSES("static const char *cell_s = \"x;\n", "");
	REFUSES("int cell_a[(3];)\n", "");
}
END_TEST

START_TEST(anchors_need_leave)
{
	struct macro_piece field = { .anchor = MACRO_ANCHOR_STRUCT_END, .text = "int version;\n" };
	struct macro_piece body = { .anchor = MACRO_ANCHOR_BODY, .text = "{ return 1; }\n" };
	struct macro_piece wrap = { .anchor = MACRO_ANCHOR_WRAP, .phase = 30, .symbol = "cell_30_f",
				    .text = "static int cell_30_f(void) { return f(); }\n" };

	ck_assert_int_eq(try_piece(field, &account, MAY(FIELDS)), 0);
	ck_assert_int_lt(try_piece(field, &account, MAY(DECLARATIONS)), 0);
	ck_assert_int_lt(try_piece(field, &function, MAY(FIELDS)), 0);
	field.text = "int other;\n";
	ck_assert_int_lt(try_piece(field, &account, MAY(FIELDS)), 0);
	field.text = "}; int version;\n";
	ck_assert_int_lt(try_piece(field, &account, MAY(FIELDS)), 0);

	ck_assert_int_eq(try_piece(body, &prototype, MAY(BODY)), 0);
	ck_assert_int_lt(try_piece(body, &function, MAY(BODY)), 0);
	ck_assert_int_lt(try_piece(body, &prototype, MAY(WRAP)), 0);
	body.text = "= { return 1; }\n";
	ck_assert_int_lt(try_piece(body, &prototype, MAY(BODY)), 0);

	ck_assert_msg(try_piece(wrap, &function, MAY(WRAP)) == 0, "%s", err.text);
	ck_assert_int_lt(try_piece(wrap, &prototype, MAY(WRAP)), 0);
	wrap.text = "static int cell_30_f(void) { return $next$(); }\n";
	ck_assert_int_lt(try_piece(wrap, &function, MAY(WRAP)), 0);
	wrap.phase = 20;
	ck_assert_int_lt(try_piece(wrap, &function, MAY(WRAP)), 0);
	ck_assert_has(err.text, "was not planned");
	wrap.phase = 30;
	wrap.symbol = "a b";
	ck_assert_int_lt(try_piece(wrap, &function, MAY(WRAP)), 0);
	ck_assert_int_lt(try_piece((struct macro_piece){ .anchor = 99, .text = "" }, &account, ~0u),
			 0);
	ck_assert_int_lt(try_piece((struct macro_piece){ .kind = 99, .text = "" }, &account, ~0u), 0);
}
END_TEST

START_TEST(text_has_a_limit)
{
	char *text = malloc(MACRO_TEXT_MAX_BYTES + 2);

	memset(text, ' ', MACRO_TEXT_MAX_BYTES + 1);
	text[MACRO_TEXT_MAX_BYTES - 1] = '\n';
	text[MACRO_TEXT_MAX_BYTES] = 0;
	ck_assert_int_eq(try_text(text), 0);
	text[MACRO_TEXT_MAX_BYTES] = '\n';
	text[MACRO_TEXT_MAX_BYTES + 1] = 0;
	ck_assert_int_lt(try_text(text), 0);
	ck_assert_has(err.text, "longer than 1048576 bytes");
	free(text);
}
END_TEST

START_TEST(paths_stay_below)
{
	static const char *const bad[] = { "", "/x", "../x", "a/../x", "a//b", "a/", ".git/config",
					   "a/.x", "a\nb", "a\\b" };

	ck_assert(accept_path("a/b.c"));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!accept_path(bad[i]), "%s", bad[i]);
	ck_assert(accept_header("<sys/time.h>") && accept_header("\"x.h\""));
	ck_assert(!accept_header("<x.h") && !accept_header("x.h") && !accept_header("<a>\n#b>"));
	ck_assert(accept_link("-lm") && accept_link("-pthread"));
	ck_assert(!accept_link("-l") && !accept_link("-lx,y") && !accept_link("x.o"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("accept");
	TCase *tcase = tcase_create("accept");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, ordinary_text_is_accepted);
	tcase_add_test(tcase, other_files_and_places_are_refused);
	tcase_add_test(tcase, what_nobody_expects_is_refused);
	tcase_add_test(tcase, announced_asm_is_accepted);
	tcase_add_test(tcase, text_must_be_whole);
	tcase_add_test(tcase, anchors_need_leave);
	tcase_add_test(tcase, text_has_a_limit);
	tcase_add_test(tcase, paths_stay_below);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
