/* Messages as gcc prints them. */
#include "help.h"

#include <fcntl.h>
#include <jansson.h>

static char path[] = "/tmp/cellc-diag-XXXXXX";

static void file_make(void)
{
	static const char text[] = "int a;\n\tint b = c + d;\nint \xc3\xbc = x;\n";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void file_remove(void)
{
	unlink(path);
	strcpy(path + strlen(path) - 6, "XXXXXX");
}

START_TEST(shows_the_line_with_a_caret)
{
	static const struct diag_options options = { 0 };
	const struct place place = { path, 2, 10, 5 };
	const struct place wide = { path, 3, 10, 1 };
	struct caught caught;
	char want[512];

	caught_open(&caught, &options);
	diag_say(caught.diag, SEVERITY_ERROR, &place, "db", "no '%s'", "c");
	diag_say(caught.diag, SEVERITY_NOTE, &wide, NULL, "here");
	ck_assert_uint_eq(diag_errors(caught.diag), 1);
	snprintf(want, sizeof want,
		 "%s:2:17: error: no 'c' [-Wcell=db]\n    2 |         int b = c + d;\n"
		 "      |                 ^~~~~\n"
		 "%s:3:9: note: here\n    3 | int \xc3\xbc = x;\n      |         ^\n",
		 path, path);
	ck_assert_str_eq(caught_close(&caught), want);
}
END_TEST

START_TEST(counts_bytes_where_clang_does)
{
	static const struct diag_options options = { .columns_are_bytes = true };
	const struct place place = { path, 2, 10, 5 };
	struct caught caught;

	caught_open(&caught, &options);
	diag_say(caught.diag, SEVERITY_ERROR, &place, "db", "no");
	ck_assert_ptr_nonnull(strstr(caught_close(&caught), ":2:10: error"));
}
END_TEST

START_TEST(needs_no_file_and_no_place)
{
	static const struct diag_options options = { 0 };
	static const struct place gone = { "/nowhere/x.c", 3, 4, 1 },
				  endless = { "/dev/zero", 1, 1, 1 };
	const struct place behind = { path, 99, 1, 1 }, right = { path, 1, 99, 1 };
	struct caught caught;
	char want[512];

	caught_open(&caught, &options);
	diag_say(caught.diag, SEVERITY_ERROR, NULL, NULL, "no place");
	diag_say(caught.diag, SEVERITY_ERROR, &gone, NULL, "no file");
	diag_say(caught.diag, SEVERITY_ERROR, &endless, NULL, "no end");
	diag_say(caught.diag, SEVERITY_WARNING, &behind, "a", "no line");
	diag_say(caught.diag, SEVERITY_WARNING, &right, "a", "no column");
	ck_assert_uint_eq(diag_errors(caught.diag), 3);
	snprintf(want, sizeof want,
		 "cellc: error: no place\n/nowhere/x.c:3:4: error: no file\n"
		 "/dev/zero:1:1: error: no end\n%s:99:1: warning: no line [-Wcell=a]\n"
		 "%s:1:99: warning: no column [-Wcell=a]\n",
		 path, path);
	ck_assert_str_eq(caught_close(&caught), want);
}
END_TEST

START_TEST(says_a_thing_once)
{
	static const struct diag_options options = { 0 };
	static const struct place here = { "/nowhere/a.c", 1, 1, 0 },
				  there = { "/nowhere/a.c", 1, 2, 0 };
	struct caught caught;

	caught_open(&caught, &options);
	for (int i = 0; i < 2; i++) {
		diag_say(caught.diag, SEVERITY_ERROR, &here, NULL, "one");
		diag_say(caught.diag, SEVERITY_NOTE, &here, NULL, "its note");
		diag_say(caught.diag, SEVERITY_ERROR, &there, NULL, "one");
		diag_say(caught.diag, SEVERITY_NOTE, &there, NULL, "its note");
	}
	ck_assert_uint_eq(diag_errors(caught.diag), 2);
	ck_assert_str_eq(caught_close(&caught),
			 "/nowhere/a.c:1:1: error: one\n/nowhere/a.c:1:1: note: its note\n"
			 "/nowhere/a.c:1:2: error: one\n/nowhere/a.c:1:2: note: its note\n");
}
END_TEST

START_TEST(obeys_the_options_for_warnings)
{
	static const struct diag_options silent = { .no_warnings = true };
	static const struct diag_options strict = { .warnings_are_errors = true };
	static const struct place here = { "/nowhere/a.c", 1, 1, 0 };
	struct caught caught;

	caught_open(&caught, &silent);
	diag_say(caught.diag, SEVERITY_WARNING, &here, "db", "w");
	diag_say(caught.diag, SEVERITY_NOTE, &here, NULL, "its note");
	diag_say(caught.diag, SEVERITY_ERROR, &here, "db", "e");
	ck_assert_uint_eq(diag_errors(caught.diag), 1);
	ck_assert_str_eq(caught_close(&caught), "/nowhere/a.c:1:1: error: e [-Wcell=db]\n");

	caught_open(&caught, &strict);
	diag_say(caught.diag, SEVERITY_WARNING, &here, "db", "w");
	ck_assert_uint_eq(diag_errors(caught.diag), 1);
	ck_assert_str_eq(caught_close(&caught),
			 "/nowhere/a.c:1:1: error: w [-Werror=cell=db]\n");
}
END_TEST

START_TEST(colours_as_gcc)
{
	static const struct diag_options options = { .color = true };
	static const struct place here = { "/nowhere/a.c", 1, 1, 0 };
	struct caught caught;

	caught_open(&caught, &options);
	diag_say(caught.diag, SEVERITY_WARNING, &here, "db", "w");
	ck_assert_str_eq(
		caught_close(&caught),
		"\033[01m\033[K/nowhere/a.c:1:1: \033[m\033[K\033[01;35m\033[Kwarning: \033[m\033[Kw "
		"[\033[01;35m\033[K-Wcell=db\033[m\033[K]\n");
}
END_TEST

START_TEST(writes_json_at_the_end)
{
	static const struct diag_options options = { .as_json = true };
	const struct place place = { path, 2, 10, 5 };
	struct caught caught;
	json_t *all, *one, *caret;

	caught_open(&caught, &options);
	diag_say(caught.diag, SEVERITY_ERROR, &place, "db", "a \"quoted\"\n\ttext");
	diag_say(caught.diag, SEVERITY_NOTE, NULL, NULL, "a note");
	diag_say(caught.diag, SEVERITY_NOTE, NULL, NULL, "two");
	diag_say(caught.diag, SEVERITY_WARNING, NULL, NULL, "w");
	all = json_loads(caught_close(&caught), 0, NULL);
	ck_assert_ptr_nonnull(all);
	ck_assert_uint_eq(json_array_size(all), 2);
	one = json_array_get(all, 0);
	ck_assert_str_eq(json_string_value(json_object_get(one, "kind")), "error");
	ck_assert_str_eq(json_string_value(json_object_get(one, "message")),
			 "a \"quoted\"\n\ttext");
	ck_assert_str_eq(json_string_value(json_object_get(one, "option")), "-Wcell=db");
	ck_assert_uint_eq(json_array_size(json_object_get(one, "children")), 2);
	caret = json_object_get(json_array_get(json_object_get(one, "locations"), 0),
				"caret");
	ck_assert_str_eq(json_string_value(json_object_get(caret, "file")), path);
	ck_assert_int_eq(json_integer_value(json_object_get(caret, "line")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(caret, "byte-column")), 10);
	/* gcc's column is what is seen: a tab goes to the next stop of eight. */
	ck_assert_int_eq(json_integer_value(json_object_get(caret, "display-column")), 17);
	ck_assert_int_eq(json_integer_value(json_object_get(caret, "column")), 17);
	json_decref(all);

	caught_open(&caught, &options);
	ck_assert_str_eq(caught_close(&caught), "");
}
END_TEST

START_TEST(knows_what_was_meant)
{
	static const char *const words[] = { "key", "unique", "check", "replicate" };

	ck_assert_str_eq(diag_nearest("kee", words, 4), "key");
	ck_assert_str_eq(diag_nearest("uniqeu", words, 4), "unique");
	ck_assert_str_eq(diag_nearest("replicat", words, 4), "replicate");
	ck_assert_ptr_null(diag_nearest("table", words, 4));
	ck_assert_ptr_null(diag_nearest("k", words, 4));
	ck_assert_ptr_null(diag_nearest("", words, 0));
	diag_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cellc/diag");
	TCase *tc = tcase_create("diag");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, file_make, file_remove);
	tcase_add_test(tc, shows_the_line_with_a_caret);
	tcase_add_test(tc, counts_bytes_where_clang_does);
	tcase_add_test(tc, needs_no_file_and_no_place);
	tcase_add_test(tc, says_a_thing_once);
	tcase_add_test(tc, obeys_the_options_for_warnings);
	tcase_add_test(tc, colours_as_gcc);
	tcase_add_test(tc, writes_json_at_the_end);
	tcase_add_test(tc, knows_what_was_meant);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
