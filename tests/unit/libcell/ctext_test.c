/*
 * Reading generated C: tokens, and the names that it declares.
 */
#include <cell/internal/ctext.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char names[1024];

static int add(void *userdata, enum ctext_role role, const char *name, size_t len, unsigned line)
{
	static const char *const roles[] = { "", "tag:", "define:" };

	(void)userdata;
	(void)line;
	snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s%.*s",
		 *names ? " " : "", roles[role], (int)len, name);
	return 0;
}

/* "name tag:name define:NAME" of what TEXT declares. */
static const char *declared(const char *text)
{
	const char *why;
	unsigned line;

	names[0] = '\0';
	if (ctext_declared(text, add, NULL, &why, &line) == -EINVAL)
		snprintf(names, sizeof names, "%u: %s", line, why);
	return names;
}

static const struct {
	const char *text, *names;
} rows[] = {
	{ "", "" },
	{ "int a;", "a" },
	{ "static const uint64_t a = f(1, 2), *b, c[3] = { [0] = x };", "a b c" },
	{ "int f(int a, struct g { int h; } *i);", "f" },
	{ "static inline int f(void)\n{\n\tint local = 1;\n\treturn local;\n}\nint g;", "f g" },
	{ "foo_t *f(bar_t *x) { return x->y; }", "f" },
	{ "int (*fp)(int), g(void);", "fp g" },
	{ "foo_t (*fp[3])(int);", "fp" },
	{ "typedef int (*fn_t)(int);\ntypedef struct a b;", "fn_t b" },
	{ "struct a;", "" },
	{ "struct a { int b; struct c { int d; } e; } f;", "tag:a tag:c f" },
	{ "enum a { B, C = 1 << 3, D = F(1, 2) };", "tag:a B C D" },
	{ "struct a { enum b { X, Y } z; };", "tag:a tag:b X Y" },
	{ "struct __attribute__((packed)) a { int b; } __attribute__((aligned(8)));", "tag:a" },
	{ "struct [[gnu::packed]] a { int b; };", "tag:a" },
	{ "[[gnu::unused]] static int f(void) { return 0; }", "f" },
	{ "__attribute__((weak)) int f(void);", "f" },
	{ "int f(void) __attribute__((weak));", "f" },
	{ "int a __attribute__((section(\"x\"))) = 1;", "a" },
	{ "_Static_assert(sizeof(struct a) == 8, \"x;y{\");", "" },
	{ "#define A(x) \\\n  do { x } while (0)\nint b;", "define:A b" },
	{ "#if X\nint a;\n#else\nint b;\n#endif\n", "a b" },
	{ "/* int a; */ int b; // int c;\n", "b" },
	{ "const char *a = \"; int b;\"; char c = '\\'';", "a c" },
	{ "unsigned a : 3, b : 4;", "a b" },
	{ "extern struct a b; union c *d;", "b d" },
	{ "__extension__ union { int a; } b;", "b" },
	{ "CELL_THING(x)", "CELL_THING" },
	{ "typeof(x) y; _Alignas(16) char z;", "y z" },
	{ "int a = { 1 }; } int b;", "1: brackets that do not match" },
	{ "int f(void) {\n", "2: brackets that are not closed" },
	{ "int f(void) { ( } )", "1: brackets that do not match" },
	{ "/* x", "1: a comment does not end" },
	{ "\nchar *a = \"x\n\";", "2: a literal does not end" },
	{ "int a\\\nb;", "1: a line goes on in the next one" },
	{ "// x \\\nint a;", "1: a comment ends with a backslash" },
	{ "%:define A", "1: a digraph" },
	{ "?\?=define A", "1: a trigraph" },
	{ "char *a = R\"(x)\";", "1: a raw string" },
	{ "\x01", "1: a character that C has no use for" },
};

START_TEST(names_what_is_declared)
{
	ck_assert_str_eq(declared(rows[_i].text), rows[_i].names);
}
END_TEST

START_TEST(tokens_know_their_lines)
{
	struct ctext ctext;

	ctext_init(&ctext, "a\n/* b\n */ \"c\"\n# include <d>\ne");
	ck_assert_int_eq(ctext_next(&ctext), CTEXT_NAME);
	ck_assert_uint_eq(ctext.line, 1);
	ck_assert_int_eq(ctext_next(&ctext), CTEXT_STRING);
	ck_assert_uint_eq(ctext.line, 3);
	ck_assert(ctext_is(&ctext, "\"c\""));
	ck_assert_int_eq(ctext_next(&ctext), CTEXT_DIRECTIVE);
	ck_assert(ctext_is(&ctext, "include"));
	ck_assert_uint_eq(ctext.line, 4);
	while (ctext_next(&ctext) != CTEXT_NEWLINE)
		;
	ck_assert_int_eq(ctext_next(&ctext), CTEXT_NAME);
	ck_assert_uint_eq(ctext.line, 5);
	ck_assert_int_eq(ctext_next(&ctext), CTEXT_END);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctext");
	TCase *tcase = tcase_create("ctext");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, names_what_is_declared, 0, sizeof rows / sizeof *rows);
	tcase_add_test(tcase, tokens_know_their_lines);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
