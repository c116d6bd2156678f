#include "cellc/grant.h"

#include <check.h>
#include <stdlib.h>

static struct cell_arena arena;

static void setup(void)
{
	cell_arena_init(&arena, 0);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

static const struct {
	const char *old, *cell, *channels, *new;
} grants[] = {
	{ "", "auth", "app", "[uses]\nauth = app\n" },
	{ "[cell]\nexec = x", "auth", "app", "[cell]\nexec = x\n\n[uses]\nauth = app\n" },
	{ "[uses]", "auth", "app", "[uses]\nauth = app\n" },
	/* At the end of the section, before what is said about the next one. */
	{ "; mine\n[uses]\nlog = app ; all of it\n\n# tight\n[limits]\nmemory = 1M\n", "auth",
	  "app macro",
	  "; mine\n[uses]\nlog = app ; all of it\nauth = app macro\n\n# tight\n[limits]\nmemory = 1M\n" },
	{ "[uses]\n  \n; nothing\n", "auth", "app", "[uses]\nauth = app\n  \n; nothing\n" },
	{ "[uses]\nlog = app\n  ops\n[cell]\n", "auth", "app",
	  "[uses]\nlog = app\n  ops\nauth = app\n[cell]\n" },
	{ "[uses]\r\nlog = app", "auth", "app", "[uses]\r\nlog = app\nauth = app\n" },
	/* A cell has one line. */
	{ "[uses]\nauth = app  ; why\nlog = app\n", "auth", "macro",
	  "[uses]\nauth = app macro  ; why\nlog = app\n" },
	{ "[uses]\nauth: app\n", "auth", "macro ops", "[uses]\nauth: app macro ops\n" },
	/* Only there, and only of that name. */
	{ "[cell]\nauth = no\n[uses]\nauth2 = app\n; auth = app\n", "auth", "app",
	  "[cell]\nauth = no\n[uses]\nauth2 = app\nauth = app\n; auth = app\n" },
};

START_TEST(adds_and_leaves_the_rest)
{
	ck_assert_str_eq(grant_text(grants[_i].old, grants[_i].cell, grants[_i].channels, &arena),
			 grants[_i].new);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("grant");
	TCase *t = tcase_create("grant");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, adds_and_leaves_the_rest, 0, sizeof grants / sizeof *grants);
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
