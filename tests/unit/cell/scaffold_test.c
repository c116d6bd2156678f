#include "cell/scaffold.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct scaffold_file *file_named(const char *path)
{
	for (size_t i = 0; i < scaffold_service.n_files; i++)
		if (strcmp(scaffold_service.files[i].path, path) == 0)
			return &scaffold_service.files[i];
	ck_abort_msg("no file %s", path);
}

START_TEST(spells_the_name_as_each_place_wants)
{
	char *text = scaffold_text(file_named("NAME.proto"), "hello-big-world");
	char *path = scaffold_path(file_named("NAME.proto"), "hello-big-world");

	ck_assert_str_eq(path, "hello-big-world.proto");
	ck_assert_ptr_nonnull(strstr(text, "package hello_big_world.v1;"));
	ck_assert_ptr_nonnull(strstr(text, "service HelloBigWorld {"));
	free(text);
	free(path);
	text = scaffold_text(file_named("main.c"), "hello-big-world");
	path = scaffold_path(file_named("main.c"), "hello-big-world");
	ck_assert_str_eq(path, "main.c");
	ck_assert_ptr_nonnull(strstr(text, "#include \"hello-big-world.cell.h\""));
	ck_assert_ptr_nonnull(strstr(text, "&hello_big_world_service"));
	free(text);
	free(path);
}
END_TEST

START_TEST(leaves_no_mark_behind)
{
	const struct scaffold *scaffold = _i ? &scaffold_provider : &scaffold_service;

	for (size_t i = 0; i < scaffold->n_files; i++) {
		char *text = scaffold_text(&scaffold->files[i], "x");

		ck_assert_ptr_null(strstr(text, "@NAME@"));
		ck_assert_ptr_null(strstr(text, "@ID@"));
		ck_assert_ptr_null(strstr(text, "@SERVICE@"));
		ck_assert(text[strlen(text) - 1] == '\n');
		free(text);
	}
}
END_TEST

START_TEST(knows_names_that_c_has_taken)
{
	ck_assert(scaffold_is_taken("int"));
	ck_assert(scaffold_is_taken("while"));
	ck_assert(scaffold_is_taken("core"));
	ck_assert(!scaffold_is_taken("hello"));
	ck_assert(!scaffold_is_taken("integer"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cell/scaffold");
	TCase *tc = tcase_create("scaffold");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, spells_the_name_as_each_place_wants);
	tcase_add_loop_test(tc, leaves_no_mark_behind, 0, 2);
	tcase_add_test(tc, knows_names_that_c_has_taken);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
