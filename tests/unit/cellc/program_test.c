#include "cellc/program.h"

#include <cell/cell.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct cell_arena arena;
static char folder[] = "/tmp/cell-program.XXXXXX", path[100];

static void setup(void)
{
	cell_arena_init(&arena, 0);
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/db", folder);
}

static void teardown(void)
{
	(void)unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
	cell_arena_deinit(&arena);
}

static bool is_used(const void *userdata, const char *key)
{
	return !userdata || strcmp(userdata, key) == 0;
}

static void put(const char *id, const char *key, const char *used)
{
	struct cell_error err = { .code = 0 };

	ck_assert_msg(program_write(path, id, &key, 1, is_used, used, &err) == 0, "%s", err.text);
}

static bool answered(const char *id, const char *key)
{
	struct program program = program_read(path, &arena);

	return program_answered(&program, id, key);
}

START_TEST(knows_who_answered_what)
{
	ck_assert(!answered("01", KEY_A));
	put("01", KEY_A, NULL);
	put("01", KEY_B, NULL);
	put("01", KEY_A, NULL);
	ck_assert(answered("01", KEY_A) && answered("01", KEY_B) && !answered("02", KEY_A));
	ck_assert_uint_eq(program_read(path, &arena).n_keys, 2);
}
END_TEST

START_TEST(another_program_answered_nothing_yet)
{
	put("01", KEY_A, NULL);
	put("02", KEY_B, NULL);
	ck_assert(answered("02", KEY_B) && !answered("02", KEY_A) && !answered("01", KEY_A));
}
END_TEST

START_TEST(what_is_not_used_is_dropped)
{
	put("01", KEY_A, NULL);
	put("01", KEY_B, KEY_B);
	ck_assert(answered("01", KEY_B) && !answered("01", KEY_A));
}
END_TEST

START_TEST(what_is_damaged_says_nothing)
{
	static const char *const texts[] = { "", "program\n" KEY_A "\n", "program 0x1\n",
					     "x\nprogram 01\n" KEY_A "\n" };
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(texts[_i], file), 0);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert(!answered("01", KEY_A));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("program");
	TCase *t = tcase_create("program");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, knows_who_answered_what);
	tcase_add_test(t, another_program_answered_nothing_yet);
	tcase_add_test(t, what_is_not_used_is_dropped);
	tcase_add_loop_test(t, what_is_damaged_says_nothing, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
