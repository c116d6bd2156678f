#include "cellc/project.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cell_arena arena;
static struct project project;
static struct cell_error err;
static char folder[] = "/tmp/cell-project.XXXXXX";

static void setup(void)
{
	cell_arena_init(&arena, 0);
	memset(&err, 0, sizeof err);
	project = (struct project){ .program = "" };
	memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
	cell_arena_deinit(&arena);
}

static int parse_with(const char *text, const char *features)
{
	return project_parse(&project, text, strlen(text), "project", features, &arena, &err);
}

static void refuses(const char *text, const char *message)
{
	ck_assert_int_eq(parse_with(text, NULL), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, message);
}

static const char *joined(const char *const *list)
{
	char *text = cell_arena_strdup(&arena, "");

	for (; *list; list++)
		text = cell_arena_printf(&arena, "%s%s%s", text, *text ? " " : "", *list);
	return text;
}

START_TEST(reads_every_key)
{
	ck_assert_msg(parse_with("# settings\n"
				 "[project]\n"
				 "program = bank\n"
				 "[build]\n"
				 "cells = celldb, auth\n"
				 "\ttelemetry ; and this one\n"
				 "compiler = ccache gcc -pipe\n"
				 "locked = yes\n"
				 "strict = no\n"
				 "[features]\n"
				 "telemetry = off\n"
				 "auth = on\n"
				 "cache=off\n"
				 "[order]\n"
				 "namespaces = auth db\n",
				 NULL) == 0,
		      "%s", err.text);
	ck_assert_str_eq(project.program, "bank");
	ck_assert_str_eq(joined(project.cells), "celldb auth telemetry");
	ck_assert_str_eq(project.compiler, "ccache gcc -pipe");
	ck_assert(project.locked && !project.strict && !project.offline);
	ck_assert_str_eq(joined(project.features_off), "cache telemetry");
	ck_assert_str_eq(joined(project.order), "auth db");
}
END_TEST

START_TEST(has_lists_even_if_nothing_is_said)
{
	ck_assert_int_eq(parse_with("", NULL), 0);
	ck_assert_str_eq(joined(project.cells), "");
	ck_assert_str_eq(joined(project.features_off), "");
	ck_assert_str_eq(joined(project.order), "");
	ck_assert_ptr_null(project.compiler);
}
END_TEST

START_TEST(lets_the_command_line_have_the_last_word)
{
	ck_assert_int_eq(parse_with("[features]\na = off\nb = off\n", "a=on,c=off"), 0);
	ck_assert_str_eq(joined(project.features_off), "b c");
	ck_assert_int_eq(parse_with("", "telemetry"), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, "--features: 'telemetry' is not NAME=on or NAME=off");
	ck_assert_int_eq(parse_with("", "telemetry=maybe"), CELL_INVALID_ARGUMENT);
}
END_TEST

START_TEST(says_where_and_what_was_meant)
{
	refuses("[projct]\n",
		"project:1:2: unknown section [projct]; did you mean [project]?");
	refuses("[xyzzy]\n",
		"project:1:2: unknown section [xyzzy]: there are project, build, "
		"features and order");
	refuses("[build]\n  cels = x\n",
		"project:2:3: [build] knows no 'cels'; did you mean 'cells'?");
	refuses("program = x\n", "project:1:1: this stands before the first section");
	refuses("[build]\ncells\n",
		"project:2:1: a line is 'key = value', and this one has no '='");
	refuses("[build]\ncells = a, b/c\n", "project:2:12: 'b/c' is no name");
	refuses("[build]\ncells = a, b a\n", "project:2:14: 'a' is there already");
	refuses("[build]\nlocked = maybe\n",
		"project:2:10: 'locked' is yes or no, not 'maybe'");
	refuses("[features]\ntelemetry = 0\n",
		"project:2:13: 'telemetry' is on or off, not '0'");
	refuses("[project]\nprogram =\n", "project:2:10: 'program' has no value");
	refuses("[project]\nprogram = a\n  b\n",
		"project:3:3: 'program' takes one value; this line is indented");
	refuses("[project\n", "project:1:1: the section has no ']'");
	refuses("[project] x\n", "project:1:11: text behind the section");
}
END_TEST

/* PATH below the folder, its text, and the folders above it. */
static void put(const char *path, const char *text)
{
	char whole[256];
	FILE *file;

	(void)snprintf(whole, sizeof whole, "%s/%s", folder, path);
	for (char *slash = whole + strlen(folder) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = '\0';
		(void)mkdir(whole, 0700);
		*slash = '/';
	}
	file = fopen(whole, "w");
	ck_assert_ptr_nonnull(file);
	(void)fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

static const char *in_folder(const char *path)
{
	return cell_arena_printf(&arena, "%s/%s", folder, path);
}

START_TEST(finds_the_nearest_project_above_a_source)
{
	put(".cell/project", "[build]\ncells = far\ncompiler = clang\n");
	put("sub/.cell/project", "[build]\ncells = near\n");
	put("sub/deep/er/b.c", "");
	ck_assert_msg(project_find(&project, in_folder("sub/deep/er/b.c"), NULL, &arena,
				   &err) == 0,
		      "%s", err.text);
	ck_assert_str_eq(project.root, in_folder("sub"));
	ck_assert_str_eq(project.folder, in_folder("sub/.cell"));
	ck_assert_str_eq(project.settings, in_folder("sub/.cell/project"));
	ck_assert_str_eq(joined(project.cells), "near");
	ck_assert_str_eq(project.program, "");
}
END_TEST

START_TEST(takes_the_only_manifest_for_the_program)
{
	put(".cell/project", "");
	put("bank.cell", "");
	ck_assert_int_eq(project_find(&project, in_folder("b.c"), NULL, &arena, &err), 0);
	ck_assert_str_eq(project.program, "bank");
	ck_assert_str_eq(project.manifest, in_folder("bank.cell"));
	put("other.cell", "");
	ck_assert_int_eq(project_find(&project, in_folder("b.c"), NULL, &arena, &err), 0);
	ck_assert_str_eq(project.program, "");
	ck_assert_ptr_null(project.manifest);
}
END_TEST

START_TEST(does_without_a_project)
{
	put(".git/HEAD", "");
	put("src/b.c", "");
	ck_assert_int_eq(project_find(&project, in_folder("src/b.c"), NULL, &arena, &err), 0);
	ck_assert_str_eq(project.root, folder);
	ck_assert_ptr_null(project.settings);
	ck_assert_int_eq(project_find(&project, in_folder("nowhere/b.c"), NULL, &arena, &err),
			 -2);
}
END_TEST

START_TEST(knows_the_compiler_of_a_project)
{
	const char *compiler;

	put(".cell/project", "[build]\ncompiler = clang-19\n");
	put("src/b.c", "");
	ck_assert_int_eq(project_compiler(&compiler, in_folder("src/b.c"), &arena, &err), 0);
	ck_assert_str_eq(compiler, "clang-19");
	/* A wrong file is wrong for whoever compiles below it, attributes or not. */
	put(".cell/project", "[build]\ncompilr = clang-19\n");
	ck_assert_int_eq(project_compiler(&compiler, in_folder("src/b.c"), &arena, &err),
			 CELL_INVALID_ARGUMENT);
}
END_TEST

START_TEST(trusts_no_settings_of_somebody_else)
{
	const char *compiler;

	if (geteuid() != 0)
		return; /* only root can give a folder away */
	put(".cell/project", "[build]\ncompiler = evil\n");
	put("src/b.c", "");
	ck_assert_int_eq(chown(in_folder(".cell/project"), 12345, 12345), 0);
	ck_assert_int_eq(project_compiler(&compiler, in_folder("src/b.c"), &arena, &err), 0);
	ck_assert_ptr_null(compiler);
	/* The source is theirs, too. */
	ck_assert_int_eq(chown(in_folder("src"), 12345, 12345), 0);
	ck_assert_int_eq(project_compiler(&compiler, in_folder("src/b.c"), &arena, &err), 0);
	ck_assert_str_eq(compiler, "evil");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("project");
	TCase *t = tcase_create("project");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, reads_every_key);
	tcase_add_test(t, has_lists_even_if_nothing_is_said);
	tcase_add_test(t, lets_the_command_line_have_the_last_word);
	tcase_add_test(t, says_where_and_what_was_meant);
	tcase_add_test(t, finds_the_nearest_project_above_a_source);
	tcase_add_test(t, takes_the_only_manifest_for_the_program);
	tcase_add_test(t, does_without_a_project);
	tcase_add_test(t, knows_the_compiler_of_a_project);
	tcase_add_test(t, trusts_no_settings_of_somebody_else);
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
