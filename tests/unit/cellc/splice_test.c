/*
 * What is put into a text, and that compilers and debuggers see the user's bytes where they
 * were.
 */
#include "help.h"

#include "cellc/splice.h"

#include <cell/error.h>

struct scene {
	struct unit unit;
	struct cell_arena arena;
	struct caught caught;
	const char *out;
	size_t len;
};

static void scene_open(struct scene *scene, const char *source)
{
	static const struct diag_options options = { 0 };

	memset(scene, 0, sizeof *scene);
	cell_arena_init(&scene->arena, 0);
	caught_open(&scene->caught, &options);
	scene->unit.text = source;
	scene->unit.len = strlen(source);
	ck_assert_int_eq(scan_text(&scene->unit.scan, source, strlen(source), "main.c",
				   &scene->arena, scene->caught.diag),
			 0);
}

static void scene_splice(struct scene *scene, const struct splice *splice)
{
	ck_assert_int_eq(splice_text(&scene->unit, splice, &scene->arena, &scene->out,
				     &scene->len, NULL),
			 0);
	ck_assert_uint_eq(strlen(scene->out), scene->len);
}

static void scene_close(struct scene *scene)
{
	ck_assert_str_eq(caught_close(&scene->caught), "");
	cell_arena_deinit(&scene->arena);
}

/* The byte of SOURCE where WHAT starts. */
static size_t byte_of(const char *source, const char *what)
{
	const char *at = strstr(source, what);

	ck_assert_msg(at != NULL, "%s", what);
	return (size_t)(at - source);
}

static const char *const off[] = { "b" };

static const struct {
	const char *source, *blanked;
	bool only_b; /* only the namespace b is switched off */
} blanks[] = {
	{ "struct [[a::b(1)]] s {};", "struct             s {};", false },
	{ "[[a::b]];int x;", "         int x;", false },
	{ "[[nodiscard, a::b]] int f();", "[[nodiscard      ]] int f();", false },
	{ "[[a::b, nodiscard, b::c]] int f();", "[[      nodiscard      ]] int f();", false },
	{ "int x [[a::b,\n\tb::c]];", "int x        \n\t      ;", false },
	{ "#define T(x) [[a::b]] \\\n [[a::c(1, \\\n2)]] x",
	  "#define T(x)          \\\n           \\\n     x", false },
	{ "[[a::b(1,\n# 7 \"main.c\"\n2)]];", "         \n# 7 \"main.c\"\n     ", false },
	{ "CELL(a::b) int x;", "           int x;", false },
	{ "CELL(a::b, gnu::pure) int x;", "CELL(      gnu::pure) int x;", false },
	{ "[[a::b]] [[b::c]] int x;", "[[a::b]]          int x;", true },
	{ "[[a::b, b::c]] int x;", "[[a::b,     ]] int x;", true },
	{ "[[b::c, b::d]] int x;", "               int x;", true },
};

START_TEST(blanks_attributes)
{
	struct splice splice = { 0 };
	struct scene scene;

	if (blanks[_i].only_b) {
		splice.blank_namespaces = off;
		splice.n_blank_namespaces = 1;
	}
	scene_open(&scene, blanks[_i].source);
	scene_splice(&scene, &splice);
	ck_assert_str_eq(scene.out, blanks[_i].blanked);
	scene_close(&scene);
}
END_TEST

START_TEST(puts_text_between_markers)
{
	static const char source[] = "int a;\n\tint b; int c;\nint d;\n";
	const struct insertion insertions[] = {
		{ byte_of(source, "int c"), "second\n", "b.h", 2, 0 },
		{ byte_of(source, "int c"), "first", "a\"\\.h", 1, 0 },
		{ byte_of(source, "int d"), "third\n", "c.h", 0, 0 },
		{ sizeof source - 1, "last\n", "d.h", 0, 0 },
		{ byte_of(source, ";"), "{ body }\n", "e.h", 0, 1 },
	};
	const struct splice splice = { .insertions = insertions,
				       .n_insertions = COUNT(insertions) };
	struct scene scene;

	scene_open(&scene, source);
	scene_splice(&scene, &splice);
	ck_assert_str_eq(scene.out,
			 "int a\n# 1 \"e.h\" 1 3\n{ body }\n# 1 \"\" 2\n      \n"
			 "\tint b; \n# 1 \"a\\\"\\\\.h\" 1 3\nfirst\n# 2 \"\" 2\n\t       \n"
			 "# 1 \"b.h\" 1 3\nsecond\n# 2 \"\" 2\n\t       int c;\n"
			 "# 1 \"c.h\" 1 3\nthird\n# 3 \"\" 2\nint d;\n"
			 "# 1 \"d.h\" 1 3\nlast\n# 4 \"\" 2\n");
	scene_close(&scene);
}
END_TEST

START_TEST(returns_to_where_it_was)
{
	static const char source[] =
		"# 1 \"main.c\"\n# 5 \"sys.h\" 1 3\nint a; int b;\n# 2 \"main.c\" 2\n[[a::b]];";
	const struct insertion insertions[] = {
		{ byte_of(source, "int b"), "x\n", "x.h", 0, 0 },
	};
	const struct splice splice = { .insertions = insertions, .n_insertions = 1 };
	struct scene scene;

	scene_open(&scene, source);
	scene_splice(&scene, &splice);
	ck_assert_str_eq(scene.out,
			 "# 1 \"main.c\"\n# 5 \"sys.h\" 1 3\nint a; \n# 1 \"x.h\" 1 3\nx\n"
			 "# 5 \"sys.h\" 2 3\n       int b;\n# 2 \"main.c\" 2\n         ");
	scene_close(&scene);
}
END_TEST

START_TEST(renames_a_function_and_keeps_its_name_in_it)
{
	static const char source[] =
		"#define D\n[[a::b]] int f(int a) { return g(__func__); }\n";
	static const char plain[] = "[[a::b]] int f(int a) { return g(__func__); }\n";
	struct renaming renaming = { .name = "f", .new_name = "cell_body_f" };
	const struct splice splice = { .renamings = &renaming, .n_renamings = 1 };
	struct scene scene;

	renaming.at = byte_of(source, "f(int");
	renaming.start = byte_of(source, "{ return");
	renaming.end = byte_of(source, "}") + 1;
	scene_open(&scene, source);
	scene_splice(&scene, &splice);
	ck_assert_str_eq(
		scene.out,
		"#define D\n         int cell_body_f\n# 2 \"main.c\"\n              (int a) \n"
		"# 2 \"main.c\" 3\n#define __func__ \"f\"\n#define __FUNCTION__ \"f\"\n"
		"#define __PRETTY_FUNCTION__ \"f\"\n# 2 \"main.c\"\n                      "
		"{ return g(__func__); }\n# 2 \"main.c\" 3\n#undef __func__\n#undef __FUNCTION__\n"
		"#undef __PRETTY_FUNCTION__\n# 2 \"main.c\"\n"
		"                                             \n");
	scene_close(&scene);

	/* Where macros have been expanded, nobody would expand this one. */
	renaming.at = byte_of(plain, "f(int");
	renaming.start = byte_of(plain, "{ return");
	renaming.end = byte_of(plain, "}") + 1;
	scene_open(&scene, plain);
	scene_splice(&scene, &splice);
	ck_assert_str_eq(
		scene.out,
		"         int cell_body_f\n# 1 \"main.c\"\n              (int a) { return g(\"f\"\n"
		"# 1 \"main.c\"\n                                         ); }\n");
	scene_close(&scene);
}
END_TEST

START_TEST(refuses_what_is_not_in_the_text)
{
	const struct insertion insertion = { 99, "x", "x.h", 0, 0 };
	const struct renaming renaming = { 0, 0, 1, "nobody", "x" };
	const struct splice one = { .insertions = &insertion, .n_insertions = 1 };
	const struct splice other = { .renamings = &renaming, .n_renamings = 1 };
	struct cell_error err;
	struct scene scene;

	scene_open(&scene, "int a;");
	ck_assert_int_lt(splice_text(&scene.unit, &one, &scene.arena, &scene.out, &scene.len,
				     &err),
			 0);
	ck_assert_str_eq(err.text, "'x.h' is to be inserted behind the end");
	ck_assert_int_lt(splice_text(&scene.unit, &other, &scene.arena, &scene.out,
				     &scene.len, &err),
			 0);
	ck_assert_str_eq(err.text, "'nobody' is not where it is to be renamed");
	scene_close(&scene);
}
END_TEST

/* --- with compilers -----------------------------------------------------------------------
 */

static const struct compiler {
	const char *preprocess; /* FILE.c to FILE.i */
	const char *compile;    /* NAME.x.c */
	bool moves_columns;     /* in the first step: comments are gone */
} compilers[] = {
	{ "gcc -std=gnu2x -w -E -fdirectives-only",
	  "gcc -std=gnu2x -fpreprocessed -fdirectives-only -Wall -Wextra -Wpedantic -Wconversion -Werror",
	  false },
	{ "gcc -std=gnu17 -w -E",
	  "gcc -std=gnu17 -fpreprocessed -Wall -Wextra -Wpedantic -Werror", true },
	{ "clang-14 -std=gnu2x -w -E -frewrite-includes",
	  "clang-14 -std=gnu2x -Wall -Wextra -Wpedantic -Wconversion -Werror", false },
	{ "clang-19 -std=gnu2x -w -E -frewrite-includes",
	  "clang-19 -std=gnu2x -Wall -Wextra -Wpedantic -Wconversion -Werror -Wno-gnu-line-marker",
	  false },
};

static char folder[] = "/tmp/cellc-splice-XXXXXX";

static void folder_make(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void folder_remove(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -r '%s'", folder);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(system(command), 0);
}

/* Run it, all output to RET. Returns what system() does. */
static int run(char *ret, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int run(char *ret, size_t size, const char *format, ...)
{
	char command[512];
	va_list args;
	size_t n, k;
	FILE *pipe;

	va_start(args, format);
	n = (size_t)vsnprintf(command, sizeof command, format, args);
	va_end(args);
	snprintf(command + n, sizeof command - n, " 2>&1");
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	n = 0;
	while ((k = fread(ret + n, 1, size - 1 - n, pipe)) > 0)
		n += k;
	ret[n] = '\0';
	return pclose(pipe);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static const char header[] =
	"#include <stdint.h>\n"
	"/* A cart. */\n"
	"struct [[db::table]] cart { [[db::key]] int id; }; /* x */ extern int %s;\n";
static const char user[] =
	"#include <stdio.h>\n"
	"#include <assert.h>\n"
	"#include <string.h>\n"
	"#include \"cart.h\"\n"
	"int zz;\n"
	"[[cell::remote(a = \"b\")]];\n"
	"[[db::atomic, telemetry::span]] static int checkout(struct cart *c) { /* one */\n"
	"	printf(\"%%s %%d\\n\", __func__, c->id);\n"
	"	assert(c->id < 100 && strlen(\"id\"));\n"
	"	return c->cell_dirty; } int tail(void);\n"
	"int tail(void) { return __LINE__; } %s\n"
	"int main(void) {\n"
	"	struct cart c = { .id = 7 };\n"
	"	return checkout(&c) + cart_get(&c) - tail();\n"
	"}\n";

/* Silent is what these must be: conversions, unused things, an empty declaration. */
static const char field[] = "\tint cell_dirty;\n";
static const char after[] =
	"static inline int cart_get(struct cart *c)\n{\n\tunsigned x = -1; int unused;\n"
	"\treturn c->cell_dirty + x + 1;\n};\n";
static const char wrapper[] =
	"static int checkout(struct cart *c)\n{\n\treturn cell_body_checkout(c) + 11;\n}\n";

/* USER's text, expanded, as NAME.x.c. */
static void expand(const struct compiler *compiler, const char *name, const char *in_header,
		   const char *in_user)
{
	char text[4096], path[64], out[4096], *source;
	struct insertion insertions[3] = { 0 };
	struct renaming renaming = { .name = "checkout", .new_name = "cell_body_checkout" };
	const struct splice splice = { insertions, 3, &renaming, 1, NULL, 0 };
	struct scene scene;
	FILE *file;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof text, header, in_header);
	write_file("cart.h", text);
	snprintf(text, sizeof text, user, in_user);
#pragma GCC diagnostic pop
	snprintf(path, sizeof path, "%s.c", name);
	write_file(path, text);
	write_file("field.h", field);
	write_file("after.h", after);
	write_file("wrapper.h", wrapper);
	ck_assert_msg(run(out, sizeof out, "%s %s.c -o %s.i", compiler->preprocess, name,
			  name) == 0,
		      "%s", out);
	snprintf(path, sizeof path, "%s.i", name);
	source = calloc(1, 1 << 20);
	file = fopen(path, "r");
	ck_assert_uint_gt(fread(source, 1, (1 << 20) - 1, file), 0);
	fclose(file);

	scene_open(&scene, source);
	insertions[0] = (struct insertion){ byte_of(source, "int id; }") + 8, field,
					    "field.h", 0, 0 };
	insertions[1] = (struct insertion){ byte_of(source, "int id; }") + 10, after,
					    "after.h", 0, 0 };
	insertions[2] = (struct insertion){ byte_of(source, "cell_dirty; }") + 13, wrapper,
					    "wrapper.h", 0, 0 };
	renaming.at = byte_of(source, "checkout(struct");
	renaming.start = renaming.at + byte_of(source + renaming.at, "{");
	renaming.end = insertions[2].at;
	scene_splice(&scene, &splice);
	snprintf(path, sizeof path, "%s.x.c", name);
	write_file(path, scene.out);
	scene_close(&scene);
	free(source);
}

START_TEST(generated_text_is_silent_and_runs)
{
	char out[8192];

	expand(&compilers[_i], "ok", "zz", "");
	ck_assert_msg(run(out, sizeof out, "%s -c -g ok.x.c -o ok.o",
			  compilers[_i].compile) == 0,
		      "%s", out);
	ck_assert_str_eq(out, "");
	ck_assert_int_eq(run(out, sizeof out, "gcc ok.o -o ok"), 0);
	ck_assert_int_eq(run(out, sizeof out, "./ok"), 0);
	ck_assert_str_eq(out, "checkout 7\n");
	ck_assert_int_eq(
		run(out, sizeof out,
		    "gdb -nx -batch -ex 'break ok.c:9' -ex 'break ok.c:11' -ex 'info line "
		    "checkout' ok"),
		0);
	ck_assert_msg(strstr(out, "ok.c, line 9.") && strstr(out, "ok.c, line 11.") &&
			      strstr(out, "wrapper.h\" starts at"),
		      "%s", out);
}
END_TEST

START_TEST(errors_stand_where_they_stood)
{
	bool moves = compilers[_i].moves_columns;
	char out[8192];

	expand(&compilers[_i], "bad", "undeclared_a[undeclared_b]", "int w = undeclared_c;");
	ck_assert_int_ne(run(out, sizeof out, "%s -c bad.x.c -o bad.o",
			     compilers[_i].compile),
			 0);
	ck_assert_msg(strstr(out, moves ? "cart.h:3:" : "cart.h:3:84: error: ") &&
			      strstr(out, moves ? "bad.c:11:" : "bad.c:11:45: error: "),
		      "%s", out);
	/* The caret is below the word. */
	ck_assert_msg(strstr(out, "int w = undeclared_c;\n") != NULL, "%s", out);
	ck_assert_ptr_null(strstr(out, "after.h"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cellc/splice");
	TCase *tc = tcase_create("splice"), *real = tcase_create("compilers");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, blanks_attributes, 0, COUNT(blanks));
	tcase_add_test(tc, puts_text_between_markers);
	tcase_add_test(tc, returns_to_where_it_was);
	tcase_add_test(tc, renames_a_function_and_keeps_its_name_in_it);
	tcase_add_test(tc, refuses_what_is_not_in_the_text);
	tcase_set_timeout(real, 60);
	tcase_add_checked_fixture(real, folder_make, folder_remove);
	tcase_add_loop_test(real, generated_text_is_silent_and_runs, 0, COUNT(compilers));
	tcase_add_loop_test(real, errors_stand_where_they_stood, 0, COUNT(compilers));
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, real);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
