/* Which attributes are found, and which bytes are theirs. */
#include "help.h"

/*
 * What is found in SOURCE: for each attribute "line:column ns::name" with what it takes with
 * it between braces, and letters: b bare, h in a header, m in a macro, c CELL().
 */
static const struct {
	const char *source;
	const char *found;
} rows[] = {
	{ "int a;", "" },
	{ "[[cell::remote(a = 1)]];", "1:3 cell::remote b{[[cell::remote(a = 1)]];}" },
	{ "int x [[a::b]];", "1:9 a::b {[[a::b]]}" },
	{ "struct [[ db :: t ]] s { [[db::k]] int x; };",
	  "1:11 db::t {[[ db :: t ]]} 1:28 db::k {[[db::k]]}" },
	/* Lists. */
	{ "[[a::x, b::y(1)]] int f();", "1:3 a::x {a::x} 1:9 b::y {[[a::x, b::y(1)]]}" },
	{ "[[nodiscard, a::x]] int f();", "1:14 a::x {, a::x}" },
	{ "[[a::x, nodiscard]] int f();", "1:3 a::x {a::x,}" },
	{ "[[a::x, gnu::pure, b::y]] int f();", "1:3 a::x {a::x,} 1:20 b::y {, b::y}" },
	{ "[[gnu::pure, a::x, b::y]] int f();", "1:14 a::x {, a::x} 1:20 b::y {, b::y}" },
	{ "[[,a::x,,]] int f();", "1:4 a::x {[[,a::x,,]]}" },
	{ "[[a::x]] [[b::y]] int f();", "1:3 a::x {[[a::x]]} 1:12 b::y {[[b::y]]}" },
	{ "[[a::x]] [[b::y]];", "1:3 a::x b{[[a::x]]} 1:12 b::y b{[[b::y]];}" },
	/* Others' attributes, and what is none. */
	{ "[[nodiscard, deprecated(\"x::y\")]] [[gnu::a, clang::b, gcc::c, msvc::d, omp::e(f)]] "
	  "[[__gnu__::a]] int f();",
	  "" },
	{ "const char *s = \"[[a::b]]\"; char c = '[[a::b]]'; // [[a::b]]\n/* [[a::b]] */",
	  "" },
	{ "const char *s = R\"([[a::b]])\" \"\\\"[[a::b]]\";", "" },
	{ "int x = a[b[1]]; y = z::w; CELL(1 + 2); CELL(a, b);", "" },
	{ "#pragma x [[a::b]]\n#error don't [[a::b]]\nint a;", "" },
	/* Every way to write brackets. */
	{ "<:<:a::b:> :> int x;", "1:5 a::b {<:<:a::b:> :>}" },
	{ "[/**/[a::b] // x\n] int x;", "1:7 a::b {[/**/[a::b] // x\n]}" },
	{ "[\\\n[a:\\\n:b]\\\n] int x;", "2:2 a::b {[\\\n[a:\\\n:b]\\\n]}" },
	{ "CELL(a::b(1)) int x;", "1:6 a::b c{CELL(a::b(1))}" },
	{ "CELL (gnu::pure, a::b) int x;", "1:18 a::b c{, a::b}" },
	{ "CE\\\nLL(a::b) int x;", "2:4 a::b c{CE\\\nLL(a::b)}" },
	{ "[[P::default, A::struct, if::while]] int x;",
	  "1:3 P::default {P::default} 1:15 A::struct {, A::struct} "
	  "1:26 if::while {[[P::default, A::struct, if::while]]}" },
	/* Bare ones stand at file scope, where a declaration could begin. */
	{ "int f(void) {} [[a::b]];", "1:18 a::b b{[[a::b]];}" },
	{ "struct s { int x; } [[a::b]];", "1:23 a::b {[[a::b]]}" },
	{ "struct s *f(int a) { [[a::b]]; } [[a::c]];",
	  "1:24 a::b {[[a::b]]} 1:36 a::c b{[[a::c]];}" },
	{ "struct __attribute__((packed)) s { int x; } [[a::b]];", "1:47 a::b {[[a::b]]}" },
	{ "int a[] = { 1 }; [[a::b]];", "1:20 a::b b{[[a::b]];}" },
	{ "#define END\nEND\n[[a::b]];", "3:3 a::b b{[[a::b]];}" },
	{ "END\n[[a::b]];", "2:3 a::b {[[a::b]]}" },
	{ "[[nodiscard, a::b]];", "1:14 a::b b{, a::b}" },
	/* Line markers and directives. */
	{ "# 7 \"x.h\" 1\n[[a::b]];\n# 3 \"main.c\" 2\n[[a::c]];",
	  "x.h:7:3 a::b bh{[[a::b]];} 3:3 a::c b{[[a::c]];}" },
	{ "#line 9 \"y.c\"\n[[a::b]];", "y.c:9:3 a::b b{[[a::b]];}" },
	{ "# 1 \"a\\\"b\\\\c.c\"\n[[a::b]];", "a\"b\\c.c:1:3 a::b b{[[a::b]];}" },
	{ "/*\n# 9 \"x.h\" 1\n*/ [[a::b]];", "3:6 a::b b{[[a::b]];}" },
	{ "[[a::b(1,\n# 20 \"main.c\"\n2)]];\nint x [[a::c]];",
	  "1:3 a::b b{[[a::b(1,\n# 20 \"main.c\"\n2)]];} 21:9 a::c {[[a::c]]}" },
	{ "#define T [[a::b(1)]]\nT int x;", "1:13 a::b m{[[a::b(1)]]}" },
	{ "#define T(x) [[a::b]] \\\n\tint x [[a::c]];",
	  "1:16 a::b m{[[a::b]]} 2:10 a::c m{[[a::c]]}" },
	{ "#define CELL(...) [[__VA_ARGS__]]\n#define X(...) CELL(__VA_ARGS__)\nint x;", "" },
	/* What is not compiled, as clang -frewrite-includes says it. */
	{ "#if 0 /* expanded by -frewrite-includes */\n[[a::b]];\n#endif\n[[a::c]];",
	  "4:3 a::c b{[[a::c]];}" },
	{ "#if 0\n[[a::b]];\n#elif 1 /* evaluated */\n[[a::c]];\n#else\n[[a::d]];\n#endif",
	  "4:3 a::c b{[[a::c]];}" },
	{ "#if defined(__CLANG_REWRITTEN_INCLUDES) /* x */\n[[a::b]];\n#else\n[[a::c]];\n#endif",
	  "4:3 a::c b{[[a::c]];}" },
	{ "#define G\n#ifdef G\n[[a::b]];\n#else\n[[a::c]];\n#endif\n#ifndef G\n[[a::d]];\n#endif",
	  "3:3 a::b b{[[a::b]];}" },
	{ "#if 0\n#if 1\n[[a::b]];\n#else\n[[a::c]];\n#endif\n#endif", "" },
	{ "#ifdef __GNUC__\n[[a::b]];\n#else\n[[a::c]];\n#endif",
	  "2:3 a::b b?{[[a::b]];} 4:3 a::c b?{[[a::c]];}" },
};

static char *found_print(const struct scan *scan, const char *text)
{
	char *found = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&found, &len);

	for (size_t i = 0; i < scan->n_attributes; i++) {
		const struct attribute *one = &scan->attributes[i];

		fprintf(out, "%s", i ? " " : "");
		if (strcmp(one->at.file, "main.c") != 0)
			fprintf(out, "%s:", one->at.file);
		fprintf(out, "%u:%u %s::%s %s%s%s%s%s{%.*s}", one->at.line, one->at.column,
			one->ns, one->name, one->is_bare ? "b" : "",
			one->is_in_header ? "h" : "", one->is_in_macro ? "m" : "",
			one->is_call ? "c" : "", one->is_conditional ? "?" : "",
			(int)(one->end - one->start), text + one->start);
	}
	fclose(out);
	return found;
}

START_TEST(finds_attributes)
{
	static const struct diag_options options = { .as_json = true };
	const char *source = rows[_i].source;
	struct cell_arena arena;
	struct caught caught;
	struct scan scan;
	char *found;
	int r;

	cell_arena_init(&arena, 0);
	caught_open(&caught, &options);
	r = scan_text(&scan, source, strlen(source), "main.c", &arena, caught.diag);
	ck_assert_str_eq(caught_close(&caught), "");
	ck_assert_int_eq(r, 0);
	found = found_print(&scan, source);
	ck_assert_str_eq(found, rows[_i].found);
	if (rows[_i].found[0])
		ck_assert(scan_may_find(source, strlen(source)));
	free(found);
	cell_arena_deinit(&arena);
}
END_TEST

static const struct {
	const char *source;
	const char *said;
} wrong[] = {
	{ "[[a::]] int x;", "1:3: error: a: a name must follow '::'" },
	{ "[[a::b::c]] int x;", "1:7: error: a::b: namespaces do not nest" },
	{ "[[a::b c]] int x;", "1:8: error: a::b: a comma or ']]' must follow" },
	{ "[[a::b] int x;", "1:9: error: a::b: ']]' must follow" },
	{ "CELL(a::b]] int x;", "1:10: error: a::b: a comma or ')' must follow" },
	{ "[[a::b(1]] int x;", "1:3: error: a::b: a bracket in its arguments is not closed" },
	{ "[[a::b(']] int x;", "1:3: error: a::b: a bracket in its arguments is not closed" },
	{ "[[a::b(", "1:3: error: a::b: a bracket in its arguments is not closed" },
	{ "[[a::b", "1:7: error: a::b: a comma or ']]' must follow" },
	{ "#define T(x, y) [[a::b(n = y)]]\n",
	  "1:28: error: a::b: it is read before macros are expanded, so 'y', a parameter of this "
	  "macro, has no value" },
	{ "#define T(...) [[a::b(__VA_ARGS__)]]\n",
	  "1:23: error: a::b: it is read before macros are expanded, so '__VA_ARGS__'" },
	{ "#define T(x) [[a::x]]\n", "1:19: error: a::x: it is read before macros" },
};

START_TEST(says_what_is_wrong)
{
	static const struct diag_options options = { 0 };
	const char *source = wrong[_i].source;
	char want[256];
	struct cell_arena arena;
	struct caught caught;
	struct scan scan;

	cell_arena_init(&arena, 0);
	caught_open(&caught, &options);
	ck_assert_int_lt(scan_text(&scan, source, strlen(source), "/none.c", &arena,
				   caught.diag),
			 0);
	caught_close(&caught);
	snprintf(want, sizeof want, "/none.c:%s", wrong[_i].said);
	if (strncmp(caught.text, want, strlen(want)) != 0)
		ck_assert_str_eq(caught.text, want);
	cell_arena_deinit(&arena);
}
END_TEST

START_TEST(finds_places_of_bytes)
{
	static const char text[] =
		"int a;\n# 5 \"x.h\" 1 3\n/*\n# 1 \"y.h\"\n*/ int b;\n# 2 \"m.c\" 2\n  int c;\n";
	struct cell_arena arena;
	struct place place;

	cell_arena_init(&arena, 0);
	place = scan_place(text, strlen(text), (size_t)(strstr(text, "int b") - text),
			   &arena);
	ck_assert_str_eq(place.file, "x.h");
	ck_assert_uint_eq(place.line, 7);
	ck_assert_uint_eq(place.column, 4);
	place = scan_place(text, strlen(text), (size_t)(strstr(text, "int c") - text),
			   &arena);
	ck_assert_str_eq(place.file, "m.c");
	ck_assert_uint_eq(place.line, 2);
	ck_assert_uint_eq(place.column, 3);
	place = scan_place(text, strlen(text), 0, &arena);
	ck_assert_ptr_null(place.file);
	ck_assert_uint_eq(place.line, 1);
	cell_arena_deinit(&arena);
}
END_TEST

START_TEST(looks_away_quickly)
{
	static const char *const texts[] = { "",
					     "a[1]",
					     "int x = y[z[1]];",
					     "\"a::b\"",
					     "[[nodiscard]] int f();",
					     "#define CEL(x) [x]" };

	for (size_t i = 0; i < COUNT(texts); i++)
		ck_assert_msg(!scan_may_find(texts[i], strlen(texts[i])), "%s", texts[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cellc/scan");
	TCase *tc = tcase_create("scan");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, finds_attributes, 0, COUNT(rows));
	tcase_add_loop_test(tc, says_what_is_wrong, 0, COUNT(wrong));
	tcase_add_test(tc, finds_places_of_bytes);
	tcase_add_test(tc, looks_away_quickly);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
