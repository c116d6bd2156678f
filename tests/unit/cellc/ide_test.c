/* What is left of generated text for an editor. */
#include "help.h"

#include "cellc/ide.h"

static struct unit_name names[] = {
	{ "seven", false, { .file = "main.c", .line = 1 } },
	{ "note", true, { .file = "main.c", .line = 2 } },
	{ "color", true, { .file = "main.c", .line = 3 } },
	{ "word", false, { .file = "main.c", .line = 4 } },
	{ "account", true, { .file = "x.h", .line = 1 } },
};
static const struct unit unit = { .names = names, .n_names = COUNT(names) };

static const struct {
	const char *text, *left;
	bool is_before; /* the main file */
} pieces[] = {
	{ "static inline int account_get(int a)\n{\n\treturn a;\n}\n", "int account_get(int a);\n",
	  false },
	{ "__attribute__((weak)) int f(int (*of)(int)) { if (of) { } }",
	  "int f(int (*of)(int));\n", false },
	{ "struct a *f(const struct b *x);",
	  "struct a;\nstruct b;\nstruct a *f(const struct b *x);\n", false },
	{ "struct c { int x; union { int y; } z; };", "struct c { int x; union { int y; } z; };\n",
	  false },
	{ "struct c;\n", "struct c;\n", false },
	{ "typedef int (*fn)(int);", "typedef int (*fn)(int);\n", false },
	{ "enum e { A, B };", "enum e { A, B };\n", false },
	{ "extern const char *const names[];", "extern const char *const names[];\n", false },
	{ "#define N 3\n#pragma weak f\n", "#define N 3\n", false },
	/* Nobody's business, or the user's own. */
	{ "int cell_run(int a) { return a; }", "", false },
	{ "extern const struct x cell_x;", "", false },
	{ "static int a[] = { 1, 2 }; static const struct s b = { .f = g(1) };", "", false },
	{ "int total;", "", false },
	{ "_Static_assert(sizeof(struct x) == 4, \"x\");", "", false },
	{ "CELL_LINK(a, b);", "", false },
	{ "static int seven(int a) { return a; }", "", false },
	{ "struct account { int x; };", "", false },
	/* What the main file has yet to define. */
	{ "struct cursor { struct note row; int at; };", "struct cursor { char cell_; };\n", true },
	{ "struct cursor { struct note row; int at; };",
	  "struct cursor { struct note row; int at; };\n", false },
	{ "struct cursor { const struct note *row; };",
	  "struct cursor { const struct note *row; };\n", true },
	{ "int paint(enum color c);", "", true },
	{ "int speak(word w);", "", true },
	{ "struct holder { struct account row; };", "struct holder { struct account row; };\n",
	  true },
	{ "int note_put(struct note *n);", "struct note;\nint note_put(struct note *n);\n", true },
	{ "", "", false },
	{ "int f(", "", false },
};

START_TEST(keeps_declarations)
{
	struct cell_arena arena;

	cell_arena_init(&arena, 0);
	ck_assert_str_eq(ide_declarations(&unit, pieces[_i].text,
					  pieces[_i].is_before ? "main.c" : NULL, &arena),
			 pieces[_i].left);
	cell_arena_deinit(&arena);
}
END_TEST

static const struct {
	const char *text, *line;
} lines[] = {
	{ "int a;\n\tint b;\n", "int a;  int b;" },
	{ "/* one\n two */ int a;\n", "/* one  two */ int a;" },
	{ "// one\nint a; // two", "/* one */ int a; /* two */" },
	{ "// ends */ here\nint a;\n", "/* ends / here */ int a;" },
	{ "const char *a = \"// no\";\n", "const char *a = \"// no\";" },
	{ "int a\\\nb;\n", "int ab;" },
	{ "#define A 1\n", NULL },
	{ "", "" },
};

START_TEST(makes_one_line)
{
	struct cell_arena arena;
	const char *line;

	cell_arena_init(&arena, 0);
	line = ide_line(lines[_i].text, &arena);
	if (lines[_i].line)
		ck_assert_str_eq(line, lines[_i].line);
	else
		ck_assert_ptr_null(line);
	cell_arena_deinit(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ide");
	TCase *cases = tcase_create("ide");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(cases, keeps_declarations, 0, (int)COUNT(pieces));
	tcase_add_loop_test(cases, makes_one_line, 0, (int)COUNT(lines));
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
