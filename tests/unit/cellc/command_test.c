#include "cellc/command.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cell_arena arena;
static struct command_line line;
static struct cell_error err;

static void setup(void)
{
	cell_arena_init(&arena, 0);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

/* @files that the tests name. */
static int on_read(void *userdata, const char *path, struct cell_arena *in,
		   const char **ret_text, size_t *ret_len)
{
	static const char *const files[][2] = {
		{ "simple", "-c b.c\n-o  b.o" },
		{ "quoted", "-c '-DA=\"x y\"' \"-DB='z'\" -D\\ C b\\'.c \"\"" },
		{ "outer", "-Ifirst @inner -Ilast" },
		{ "inner", "-Imiddle" },
		{ "itself", "-DX @itself" },
		{ "own", "-c b.c --locked" },
		{ "empty", "" },
	};

	(void)userdata;
	(void)in;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (strcmp(files[i][0], path) == 0) {
			*ret_text = files[i][1];
			*ret_len = strlen(files[i][1]);
			return 0;
		}
	return -2;
}

/* Parse "cellc WORDS", split at blanks. */
static int parse_with(const char *words, const char *flags)
{
	static char name[] = "cellc";
	char *argv[64] = { name };
	int argc = 1;
	char *copy = cell_arena_strdup(&arena, words);

	for (char *word; (word = strsep(&copy, " "));)
		if (*word)
			argv[argc++] = word;
	argv[argc] = NULL;
	return command_parse(&line, argc, argv, flags, on_read, NULL, &arena, &err);
}

static void parse(const char *words)
{
	ck_assert_msg(parse_with(words, NULL) == 0, "%s: %s", words, err.text);
}

/* The words of a list with blanks between. */
static const char *joined(const char *const *list)
{
	char *text = cell_arena_strdup(&arena, "");

	for (; *list; list++)
		text = cell_arena_printf(&arena, "%s%s%s", text, *text ? " " : "", *list);
	return text;
}

static const struct {
	const char *words;
	enum command_mode mode;
	size_t n_sources;
} modes[] = {
	{ "-c b.c", COMMAND_OBJECT, 1 },
	{ "-cb.c", COMMAND_PASS, 0 },
	{ "-S b.c", COMMAND_ASSEMBLY, 1 },
	{ "-c -S b.c", COMMAND_ASSEMBLY, 1 },
	{ "-E -c b.c", COMMAND_PREPROCESS, 1 },
	{ "-c -fsyntax-only b.c", COMMAND_CHECK, 1 },
	{ "b.c -o b", COMMAND_LINK, 1 },
	{ "a.c b.c c.o -lm", COMMAND_LINK, 2 },
	{ "a.o b.a -o b", COMMAND_LINK, 0 },
	{ "-c a.c b.c", COMMAND_OBJECT, 2 },
	{ "-c a.c b.c -o x.o", COMMAND_PASS, 2 },
	{ "", COMMAND_PASS, 0 },
	{ "-M b.c", COMMAND_PASS, 1 },
	{ "-MM -MG b.c", COMMAND_PASS, 1 },
	{ "-c -Wp,-M b.c", COMMAND_PASS, 1 },
	{ "-### -c b.c", COMMAND_PASS, 1 },
	{ "-v -c b.c", COMMAND_PASS, 1 },
	{ "--version", COMMAND_PASS, 0 },
	{ "-dumpmachine", COMMAND_PASS, 0 },
	{ "-print-file-name=x", COMMAND_PASS, 0 },
	{ "-E -dM b.c", COMMAND_PASS, 1 },
	{ "-c b.s", COMMAND_PASS, 0 },
	{ "-c b.S", COMMAND_PASS, 0 },
	{ "-c b.cpp", COMMAND_PASS, 0 },
	{ "-c b.i", COMMAND_PASS, 0 },
	{ "b.h", COMMAND_LINK, 0 },
	{ "-x c++ -c b.c", COMMAND_PASS, 0 },
	{ "-x c -c b", COMMAND_OBJECT, 1 },
	{ "-xc -c b", COMMAND_OBJECT, 1 },
	{ "-x c++ a -x none -c b.c", COMMAND_OBJECT, 1 },
	{ "-x c -c -", COMMAND_OBJECT, 1 },
	{ "-c -", COMMAND_PASS, 0 },
	{ "-c -fpreprocessed b.c", COMMAND_PASS, 1 },
	{ "-E -fdirectives-only b.c", COMMAND_PASS, 1 },
	{ "-emit-llvm -c b.c", COMMAND_PASS, 1 },
	{ "-c b.c -MF", COMMAND_PASS, 1 },
	{ "-c -- -odd.c", COMMAND_OBJECT, 1 },
};

START_TEST(knows_what_is_wanted)
{
	parse(modes[_i].words);
	ck_assert_msg(line.mode == modes[_i].mode, "%s: mode %d", modes[_i].words, line.mode);
	ck_assert_msg(line.n_sources == modes[_i].n_sources, "%s: %zu sources",
		      modes[_i].words, line.n_sources);
	ck_assert_msg(line.mode != COMMAND_PASS || line.why_pass, "%s: no reason",
		      modes[_i].words);
}
END_TEST

static const struct {
	const char *words, *preprocess, *compile, *defines;
} steps[] = {
	{ "-c -O2 -g -Wall b.c -o b.o", "-O2 -g -Wall", "-O2 -g -Wall", "" },
	{ "-DA -D B -UC -c b.c", "-DA -D B -UC", "", "-DA -D B -UC" },
	{ "-Ix -I y -isystem z -iquote q -c b.c", "-Ix -I y -isystem z -iquote q", "", "" },
	{ "-include h.h -imacros m.h -c b.c", "-include h.h -imacros m.h", "", "" },
	{ "-nostdinc -undef -c b.c", "-nostdinc -undef", "", "" },
	{ "-std=gnu17 -m32 -fPIC -c b.c", "-std=gnu17 -m32 -fPIC", "-std=gnu17 -m32 -fPIC",
	  "" },
	{ "-MD -MP -MF d -MT t -c b.c", "", "", "" },
	{ "-Wl,-z,now -Lx -ly -z relro b.c", "", "", "" },
	{ "-Wa,-W -Xassembler x -c b.c", "", "-Wa,-W -Xassembler x", "" },
	{ "-Wp,-MD,d,-DX -c b.c", "-Wp,-DX", "", "" },
	{ "-Wp,-DX,-UY -c b.c", "-Wp,-DX,-UY", "", "" },
	{ "-save-temps -flto -c b.c", "", "-save-temps -flto", "" },
	{ "--param ssp=4 -Xclang -x -mllvm y -c b.c", "--param ssp=4 -Xclang -x -mllvm y",
	  "--param ssp=4 -Xclang -x -mllvm y", "" },
	{ "-Xpreprocessor -DX -c b.c", "-Xpreprocessor -DX", "", "" },
	{ "-export-dynamic -shared -r b.c", "", "", "" },
	{ "-dumpdir x -dumpbase y -c b.c", "", "", "" },
};

START_TEST(gives_each_step_its_words)
{
	parse(steps[_i].words);
	ck_assert_str_eq(joined(line.preprocess), steps[_i].preprocess);
	ck_assert_str_eq(joined(line.compile), steps[_i].compile);
	ck_assert_str_eq(joined(line.defines), steps[_i].defines);
}
END_TEST

static const struct {
	const char *words, *source;
	const char *output, *depfile, *target, *dumpdir, *dumpbase;
} names[] = {
	{ "-c s/b.c", "s/b.c", "b.o", "b.d", "b.o", "", "b.c" },
	{ "-S s/b.c", "s/b.c", "b.s", "b.d", "b.o", "", "b.c" },
	{ "-c b.c -o d/x.o", "b.c", "d/x.o", "d/x.d", "d/x.o", "d/", "x.c" },
	{ "-c b.c -od/x", "b.c", "d/x", "d/x.d", "d/x", "d/", "x.c" },
	{ "-c b.c -o d/x.y.o", "b.c", "d/x.y.o", "d/x.y.d", "d/x.y.o", "d/", "x.y.c" },
	{ "-c b.c -MF m -MTt", "b.c", "b.o", "m", "b.o", "", "b.c" },
	{ "-c b.c -Wp,-MMD,m -o d/x.o", "b.c", "d/x.o", "m", "b.o", "d/", "x.c" },
	{ "b.c", "b.c", NULL, "a-b.d", "b.o", "a-", "b.c" },
	{ "b.c -o d/p", "b.c", NULL, "d/p.d", "d/p", "d/p-", "b.c" },
	{ "-E b.c", "b.c", NULL, "b.d", "b.o", "", "b.c" },
	{ "-c b.c -dumpdir e/ -dumpbase z.c", "b.c", "b.o", "b.d", "b.o", "e/", "z.c" },
};

START_TEST(names_files_as_the_compiler_does)
{
	const char *source = names[_i].source, *output;

	parse(names[_i].words);
	output = command_output(&line, source, &arena);
	if (names[_i].output)
		ck_assert_str_eq(output, names[_i].output);
	else
		ck_assert_ptr_null(output);
	ck_assert_str_eq(command_depfile(&line, source, &arena), names[_i].depfile);
	ck_assert_str_eq(command_dep_target(&line, source, &arena), names[_i].target);
	ck_assert_str_eq(command_dumpdir(&line, &arena), names[_i].dumpdir);
	ck_assert_str_eq(command_dumpbase(&line, source, &arena), names[_i].dumpbase);
}
END_TEST

START_TEST(takes_dependency_options_apart)
{
	parse("-MMD -MP -MF d -MT a -MQ b -c b.c");
	ck_assert(line.writes_depfile && line.depfile_user_only && line.depfile_phony);
	ck_assert_str_eq(line.depfile, "d");
	ck_assert_str_eq(joined(line.dep_targets), "-MT a -MQ b");
	parse("-Wp,-MD,d,-MT,a,-MP -c b.c");
	ck_assert(line.writes_depfile && !line.depfile_user_only && line.depfile_phony);
	ck_assert(line.depfile_of_step);
	ck_assert_str_eq(line.depfile, "d");
	ck_assert_str_eq(joined(line.dep_targets), "-MT a");
	/* Names a file for a rule that nobody asked for. */
	parse("-MF d -c b.c");
	ck_assert(!line.writes_depfile);
}
END_TEST

START_TEST(reads_files_of_words)
{
	parse("@simple -O2");
	ck_assert_int_eq(line.mode, COMMAND_OBJECT);
	ck_assert_str_eq(joined((const char *const *)line.expanded + 1), "-c b.c -o b.o -O2");
	ck_assert_str_eq(joined((const char *const *)line.argv + 1), "@simple -O2");
	ck_assert_str_eq(line.expanded[line.inputs[0].word], "b.c");
	parse("@quoted");
	ck_assert_str_eq(line.expanded[2], "-DA=\"x y\"");
	ck_assert_str_eq(line.expanded[3], "-DB='z'");
	ck_assert_str_eq(line.expanded[4], "-D C");
	ck_assert_str_eq(line.expanded[5], "b'.c");
	ck_assert_str_eq(line.expanded[6], "");
	ck_assert_uint_eq(line.n_expanded, 7);
	parse("@outer -c b.c");
	ck_assert_str_eq(joined(line.directories), "first middle last");
	parse("@empty -c b.c");
	ck_assert_uint_eq(line.n_expanded, 3);
}
END_TEST

START_TEST(leaves_unreadable_and_endless_files_to_the_compiler)
{
	parse("@nowhere -c b.c");
	ck_assert_str_eq(line.expanded[1], "@nowhere");
	parse("@itself -c b.c");
	ck_assert_str_eq(line.expanded[line.n_expanded - 3], "@itself");
	ck_assert_uint_le(line.n_expanded, COMMAND_FILES_MAX + 4);
}
END_TEST

START_TEST(keeps_its_own_options_from_the_compiler)
{
	parse("--locked -c b.c --features a=off --features=b=on --cellc-verbose");
	ck_assert(line.locked && !line.offline && !line.strict && line.verbose);
	ck_assert_str_eq(line.features, "a=off,b=on");
	ck_assert_str_eq(joined((const char *const *)line.argv + 1), "-c b.c");
	ck_assert_str_eq(line.expanded[line.inputs[0].word], "b.c");
	parse("--frozen --strict -c b.c");
	ck_assert(line.locked && line.offline && line.strict);
}
END_TEST

START_TEST(leaves_words_that_belong_to_another_option)
{
	parse("-Xlinker --locked b.o");
	ck_assert(!line.locked);
	ck_assert_str_eq(joined((const char *const *)line.argv + 1), "-Xlinker --locked b.o");
	/* The compiler reads the @file itself, and would not know it. */
	parse("@own");
	ck_assert(!line.locked);
}
END_TEST

START_TEST(takes_options_from_the_environment)
{
	ck_assert_int_eq(parse_with("-c b.c --features c=off",
				    " --offline --features 'a=off' "),
			 0);
	ck_assert(line.offline && !line.locked);
	ck_assert_str_eq(line.features, "a=off,c=off");
	ck_assert_int_eq(parse_with("-c b.c", "--lokced"), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, "CELLC_FLAGS: '--lokced' is no option of cellc's");
	ck_assert_int_eq(parse_with("-c b.c --features", NULL), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, "--features needs NAME=on or NAME=off");
}
END_TEST

START_TEST(knows_what_changes_layouts_and_messages)
{
	parse("-std=gnu2x -m32 --target=arm -target x86 -fshort-enums -fpack-struct=1 -O2 -c b.c");
	ck_assert_str_eq(line.standard, "gnu2x");
	ck_assert_str_eq(joined(line.target_flags),
			 "-m32 --target=arm -target x86 -fshort-enums -fpack-struct=1");
	parse("-Werror -w -fdiagnostics-color=always -fdiagnostics-format=json -c b.c");
	ck_assert(line.warnings_are_errors && line.no_warnings && line.json_diagnostics);
	ck_assert(line.color && line.color_is_set);
	parse("-Werror=format -Wno-error -fno-diagnostics-color -c b.c");
	ck_assert(!line.warnings_are_errors && !line.color && line.color_is_set);
	parse("-flto=auto -r -save-temps=obj b.c");
	ck_assert(line.optimizes_links && line.is_relocatable && line.saves_temps);
}
END_TEST

START_TEST(sees_inputs_with_their_languages)
{
	parse("a.c -x c b -x none c.o -lm -l z lib.a");
	ck_assert_uint_eq(line.n_inputs, 6);
	ck_assert_uint_eq(line.n_sources, 2);
	ck_assert_ptr_null(line.inputs[0].language);
	ck_assert_str_eq(line.inputs[1].language, "c");
	ck_assert_int_eq(line.inputs[2].kind, COMMAND_INPUT_LINKED);
	ck_assert_int_eq(line.inputs[3].kind, COMMAND_INPUT_LIBRARY);
	ck_assert_str_eq(line.inputs[3].path, "m");
	ck_assert_str_eq(line.inputs[4].path, "z");
}
END_TEST

START_TEST(tells_compilers_by_their_names)
{
	ck_assert_int_eq(command_compiler_kind("/usr/bin/clang-14"), COMPILER_CLANG);
	ck_assert_int_eq(command_compiler_kind("/opt/clang/bin/gcc"), COMPILER_GCC);
	ck_assert_int_eq(command_compiler_kind("x86_64-linux-gnu-gcc-12"), COMPILER_GCC);
	ck_assert(command_is_wrapper("/usr/bin/ccache"));
	ck_assert(!command_is_wrapper("ccache-gcc"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("command");
	TCase *t = tcase_create("command");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, knows_what_is_wanted, 0, sizeof modes / sizeof *modes);
	tcase_add_loop_test(t, gives_each_step_its_words, 0, sizeof steps / sizeof *steps);
	tcase_add_loop_test(t, names_files_as_the_compiler_does, 0,
			    sizeof names / sizeof *names);
	tcase_add_test(t, takes_dependency_options_apart);
	tcase_add_test(t, reads_files_of_words);
	tcase_add_test(t, leaves_unreadable_and_endless_files_to_the_compiler);
	tcase_add_test(t, keeps_its_own_options_from_the_compiler);
	tcase_add_test(t, leaves_words_that_belong_to_another_option);
	tcase_add_test(t, takes_options_from_the_environment);
	tcase_add_test(t, knows_what_changes_layouts_and_messages);
	tcase_add_test(t, sees_inputs_with_their_languages);
	tcase_add_test(t, tells_compilers_by_their_names);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
