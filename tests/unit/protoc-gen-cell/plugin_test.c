/*
 * The plugin under protoc: what it refuses, that it says the same twice, and that every
 * header it makes stands alone in C and C++ without a warning.
 *
 * $CELL_TOP and $CELL_BUILD say where the tree and its build folder are.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/plugin_test.XXXXXX";
static char output[16384];

static const char *env_or(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* Run a command line in the tree, keep what it prints. Returns its exit status. */
__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
	char command[4096];
	size_t len;
	va_list args;
	FILE *pipe;
	int n, status;

	n = snprintf(command, sizeof command, "cd '%s' && exec 2>&1; ", env_or("CELL_TOP", "."));
	va_start(args, format);
	n += vsnprintf(command + n, sizeof command - (size_t)n, format, args);
	va_end(args);
	ck_assert_int_lt(n, (int)sizeof command);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	len = fread(output, 1, sizeof output - 1, pipe);
	output[len] = '\0';
	status = pclose(pipe);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int protoc(const char *to, const char *include, const char *files)
{
	return run("mkdir -p '%s/%s' && ASAN_OPTIONS=detect_leaks=0 "
		   "protoc --plugin=protoc-gen-cell='%s/bin/protoc-gen-cell' --cell_out='%s/%s' "
		   "-I proto -I tests/unit/proto %s %s",
		   folder, to, env_or("CELL_BUILD", "build"), folder, to, include, files);
}

/*
 * What is made of .proto files stays the same to the byte, whatever else the generator learns
 * to make code from. Who means to change it puts the new sums here. (Not of services.cell.c:
 * the schema in it is protoc's.)
 */
START_TEST(text_is_the_same_to_the_byte)
{
	ck_assert_int_eq(protoc("same", "", "kinds_leaf.proto"), 0);
	ck_assert_int_eq(protoc("same", "", "kinds.proto"), 0);
	ck_assert_int_eq(protoc("same", "", "services.proto"), 0);
	ck_assert_int_eq(run("cd '%s/same' && cat kinds_leaf.cell.h kinds.cell.h services.cell.h "
			     "kinds_leaf.cell.c kinds.cell.c | cksum", folder), 0);
	ck_assert_str_eq(output, "2550228443 93291\n");
}
END_TEST

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
	(void)run("rm -rf '%s'", folder);
}

static const struct refusal {
	const char *file;
	const char *text;
} refusals[] = {
	{ "proto2", "proto2.proto: proto2 is not supported; say: syntax = \"proto3\";" },
	{ "no_package", "no_package.proto: needs a package that names the cell" },
	{ "extension", "extension.proto: extensions are not supported" },
	{ "recursion", "recursion.proto:4:3: cell.refused.v1.Node.Edge contains itself "
		       "(target.edges); schemas do not recurse" },
	{ "proto2_type", "proto2_type.proto:5:3: option: its type is defined in proto2 "
			 "(google/protobuf/descriptor.proto)" },
	{ "member_clash", "member_clash.proto:5:3: field 'n_tags' would be called 'n_tags' in C, "
			  "as field 'tags' is; rename one" },
	{ "type_clash", "type_clash.proto:5:3: message 'cell.refused.v1.Outer.Inner' would be called "
			"'refused_outer_inner' in C, as message 'cell.refused.v1.OuterInner' is" },
	{ "method_clash", "the source of message 'cell.refused.v1.Entry' would be called "
			  "'refused_entry_recv' in C, as method" },
	{ "hash_clash", "hash_clash.proto:7:3: method 'cell.refused.v1.Refused/DropTakeStopSort' has "
			"the same hash as 'cell.refused.v1.Refused/AddLoadJoinLeave'" },
};

START_TEST(refuses_and_says_where)
{
	const struct refusal *row = &refusals[_i];
	char file[128];

	(void)snprintf(file, sizeof file, "tests/unit/proto/refused/%s.proto", row->file);
	ck_assert_int_ne(protoc("refused", "-I tests/unit/proto/refused", file), 0);
	ck_assert_msg(strstr(output, row->text), "%s", output);
	/* Nothing half done is left. */
	ck_assert_int_eq(run("ls '%s/refused'", folder), 0);
	ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(says_the_same_twice)
{
	static const char files[] = "tests/unit/proto/*.proto proto/*.proto";

	ck_assert_msg(protoc("one", "", files) == 0, "%s", output);
	ck_assert_msg(protoc("two", "", files) == 0, "%s", output);
	ck_assert_msg(run("diff -r '%s/one' '%s/two'", folder, folder) == 0, "%s", output);
}
END_TEST

START_TEST(one_file_alone_or_with_others_is_the_same)
{
	ck_assert_msg(protoc("all", "", "tests/unit/proto/*.proto") == 0, "%s", output);
	ck_assert_msg(protoc("alone", "", "tests/unit/proto/kinds.proto") == 0, "%s", output);
	ck_assert_msg(run("cmp '%s/all/kinds.cell.c' '%s/alone/kinds.cell.c' && "
			  "cmp '%s/all/kinds.cell.h' '%s/alone/kinds.cell.h'",
			  folder, folder, folder, folder) == 0, "%s", output);
}
END_TEST

static const char *const compilers[] = {
	"gcc -std=c11 -x c",   "gcc -std=gnu2x -x c",     "clang -std=c11 -x c",
	"clang -std=gnu2x -x c", "g++ -std=c++11 -x c++", "g++ -std=c++20 -x c++",
	"clang++ -std=c++17 -x c++",
};

START_TEST(headers_stand_alone_without_a_warning)
{
	const char *compiler = compilers[_i];
	char program[16];

	ck_assert_int_eq(sscanf(compiler, "%15s", program), 1);
	if (run("command -v %s", program))
		return;
	ck_assert_msg(protoc("headers", "", "tests/unit/proto/*.proto proto/common.proto") == 0, "%s",
		      output);
	ck_assert_msg(run("for h in '%s'/headers/*.h; do %s -Wall -Wextra -Wpedantic -Werror "
			  "-fsyntax-only -Icore/include -I'%s/headers' -include \"$h\" /dev/null || "
			  "exit 1; done", folder, compiler, folder) == 0, "%s", output);
}
END_TEST

START_TEST(sources_compile_without_a_warning)
{
	const char *compiler = compilers[_i];
	char program[16];

	ck_assert_int_eq(sscanf(compiler, "%15s", program), 1);
	if (run("command -v %s", program))
		return;
	ck_assert_msg(protoc("sources", "", "tests/unit/proto/*.proto proto/common.proto") == 0, "%s",
		      output);
	ck_assert_msg(run("for c in '%s'/sources/*.c; do %s -Wall -Wextra -Wpedantic -Wsign-compare "
			  "-Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror -fsyntax-only "
			  "-Icore/include -I'%s/sources' \"$c\" || exit 1; done",
			  folder, compiler, folder) == 0, "%s", output);
}
END_TEST

START_TEST(bytes_that_are_no_request_are_refused)
{
	ck_assert_int_eq(run("printf '\\377\\377' | ASAN_OPTIONS=detect_leaks=0 '%s/bin/protoc-gen-cell'",
			     env_or("CELL_BUILD", "build")), 1);
	ck_assert_msg(strstr(output, "standard input is no CodeGeneratorRequest"), "%s", output);
	ck_assert_int_eq(run("'%s/bin/protoc-gen-cell' file.proto </dev/null",
			     env_or("CELL_BUILD", "build")), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plugin");
	TCase *tc = tcase_create("plugin");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 100);
	tcase_add_loop_test(tc, refuses_and_says_where, 0,
			    (int)(sizeof refusals / sizeof refusals[0]));
	tcase_add_test(tc, text_is_the_same_to_the_byte);
	tcase_add_test(tc, says_the_same_twice);
	tcase_add_test(tc, one_file_alone_or_with_others_is_the_same);
	tcase_add_loop_test(tc, headers_stand_alone_without_a_warning, 0,
			    (int)(sizeof compilers / sizeof compilers[0]));
	tcase_add_loop_test(tc, sources_compile_without_a_warning, 0, 4);
	tcase_add_test(tc, bytes_that_are_no_request_are_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
