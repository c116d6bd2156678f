#include "postgres/conf.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct conf conf;
static struct cell_error err;

static int parse(const char *text)
{
	err.text[0] = '\0';
	return conf_parse(&conf, text, strlen(text), &err);
}

START_TEST(reads_words_and_our_own_settings)
{
	ck_assert_int_eq(parse("# a comment\n\n host = db.example\npassword = 'two  words'\n"
			       "pool=3\nwait = 500\nsslmode=\n"),
			 0);
	ck_assert_uint_eq(conf.n_words, 3);
	ck_assert_str_eq(conf.words[0].key, "host");
	ck_assert_str_eq(conf.words[0].value, "db.example");
	ck_assert_str_eq(conf.words[1].value, "two  words");
	ck_assert_str_eq(conf.words[2].value, "");
	ck_assert_uint_eq(conf.words[1].line, 4);
	ck_assert(conf.has_password);
	ck_assert_uint_eq(conf.pool, 3);
	ck_assert_uint_eq(conf.wait_ms, 500);
}
END_TEST

START_TEST(an_empty_file_has_the_defaults)
{
	ck_assert_int_eq(parse(""), 0);
	ck_assert_uint_eq(conf.pool, CONF_POOL_DEFAULT);
	ck_assert_uint_eq(conf.wait_ms, CONF_WAIT_DEFAULT);
	ck_assert(!conf.has_password);
}
END_TEST

START_TEST(refuses_by_line_and_tells_no_value)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{ "host", "line 1: no '='" },
		{ "\npool = 0", "line 2: pool is a number from 1 to 200" },
		{ "pool = 9x", "line 1: pool" },
		{ "wait = -5", "line 1: wait" },
		{ "password = 'open", "line 1: no closing quote" },
		{ "host = a\nhost = b", "line 2: host is on line 1 already" },
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ck_assert_int_eq(parse(wrong[i].text), CELL_INVALID_ARGUMENT);
		ck_assert_msg(strstr(err.text, wrong[i].says) != NULL, "%s", err.text);
		ck_assert_ptr_null(strstr(err.text, "open"));
	}
	ck_assert_int_eq(conf_parse(&conf, "a=\0b", 4, &err), CELL_INVALID_ARGUMENT);
}
END_TEST

START_TEST(has_limits)
{
	static char text[CONF_TEXT_MAX + 1];
	size_t len = 0;

	memset(text, '#', sizeof text);
	ck_assert_int_eq(conf_parse(&conf, text, sizeof text, &err), CELL_INVALID_ARGUMENT);
	for (int i = 0; i <= CONF_WORDS_MAX; i++)
		len += (size_t)sprintf(text + len, "k%d = v\n", i);
	ck_assert_int_eq(conf_parse(&conf, text, len, &err), CELL_INVALID_ARGUMENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = tcase_create("conf");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, reads_words_and_our_own_settings);
	tcase_add_test(tc, an_empty_file_has_the_defaults);
	tcase_add_test(tc, refuses_by_line_and_tells_no_value);
	tcase_add_test(tc, has_limits);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
