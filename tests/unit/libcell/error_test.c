#include <cell/error.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct cell_error err;

static void setup(void)
{
	memset(&err, 0, sizeof err);
}

START_TEST(fail_keeps_code_and_text)
{
	ck_assert_int_eq(cell_fail(&err, -EPROTO, "frame of %zu bytes, limit %d", (size_t)9,
				   8),
			 -EPROTO);
	ck_assert_int_eq(err.code, -EPROTO);
	ck_assert_str_eq(err.text, "frame of 9 bytes, limit 8");
	ck_assert_int_eq(cell_fail(NULL, CELL_NOT_FOUND, "nobody listens"), CELL_NOT_FOUND);
}
END_TEST

START_TEST(wrap_puts_context_before_the_cause)
{
	(void)cell_fail(&err, CELL_NOT_FOUND, "no channel %d", 3);
	ck_assert_int_eq(cell_wrap(&err, CELL_NOT_FOUND, "joining '%s'", "greeter"),
			 CELL_NOT_FOUND);
	ck_assert_int_eq(cell_wrap(&err, CELL_NOT_FOUND, "starting"), CELL_NOT_FOUND);
	ck_assert_str_eq(err.text, "starting: joining 'greeter': no channel 3");
	ck_assert_int_eq(err.code, CELL_NOT_FOUND);
	ck_assert_int_eq(cell_wrap(NULL, -EIO, "nobody listens"), -EIO);
}
END_TEST

START_TEST(wrap_without_a_cause_takes_the_codes_own_text)
{
	(void)cell_wrap(&err, CELL_UNAVAILABLE, "calling greeter");
	ck_assert_str_eq(err.text, "calling greeter: unavailable");
	setup();
	(void)cell_wrap(&err, -ENOENT, "opening '%s'", "x");
	ck_assert_str_eq(err.text, "opening 'x': No such file or directory");
	ck_assert_int_eq(err.code, -ENOENT);
	setup();
	(void)cell_wrap(&err, -999, "doing");
	ck_assert_str_eq(err.text, "doing: unknown error");
}
END_TEST

START_TEST(an_argument_may_be_the_text_it_replaces)
{
	(void)cell_fail(&err, -EIO, "inner");
	(void)cell_fail(&err, -EIO, "outer (%s)", err.text);
	ck_assert_str_eq(err.text, "outer (inner)");
}
END_TEST

START_TEST(long_text_is_cut_and_says_so)
{
	char text[1000];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	(void)cell_fail(&err, -EIO, "%s", text);
	ck_assert_uint_lt(strlen(err.text), CELL_ERROR_TEXT_MAX);
	ck_assert_uint_ge(strlen(err.text), CELL_ERROR_TEXT_MAX - 8);
	ck_assert_str_eq(err.text + strlen(err.text) - 4, "x…");
	/* What just fits is whole. */
	(void)cell_fail(&err, -EIO, "%.*s", CELL_ERROR_TEXT_MAX - 1, text);
	ck_assert_uint_eq(strlen(err.text), CELL_ERROR_TEXT_MAX - 1);
	ck_assert_str_eq(err.text + CELL_ERROR_TEXT_MAX - 2, "x");
	/* The context of a long cause stays. */
	(void)cell_wrap(&err, -EIO, "while reading");
	ck_assert_int_eq(strncmp(err.text, "while reading: xxx", 18), 0);
	ck_assert_str_eq(err.text + strlen(err.text) - 4, "x…");
	setup();
	(void)cell_wrap(&err, -EIO, "%s", text);
	ck_assert_str_eq(err.text + strlen(err.text) - 4, "x…");
}
END_TEST

START_TEST(characters_are_not_cut_in_two)
{
	for (int shift = 0; shift < 4; shift++) {
		char text[1000] = "";

		memset(text, 'x', (size_t)shift);
		for (int i = 0; i < 200; i++)
			strcat(text, "€");
		(void)cell_fail(&err, -EIO, "%s", text);
		/* Before the ellipsis only whole ones: 3 bytes each, behind SHIFT others. */
		ck_assert_uint_eq((strlen(err.text) - (size_t)shift) % 3, 0);
		ck_assert_str_eq(err.text + strlen(err.text) - 6, "€…");
	}
}
END_TEST

START_TEST(text_is_one_line)
{
	(void)cell_fail(&err, -EIO, "a\nb\tc\x1b[31md\x7f");
	ck_assert_str_eq(err.text, "a b c [31md ");
}
END_TEST

START_TEST(names_are_those_of_grpc_and_errno)
{
	ck_assert_str_eq(cell_status_name(0), "OK");
	ck_assert_str_eq(cell_status_name(CELL_UNAVAILABLE), "UNAVAILABLE");
	ck_assert_str_eq(cell_status_name(CELL_UNAUTHENTICATED), "UNAUTHENTICATED");
	ck_assert_str_eq(cell_status_name(-ENOENT), "ENOENT");
	ck_assert_str_eq(cell_status_name(-999), "UNKNOWN");
	ck_assert_str_eq(cell_status_name(-1000), "UNKNOWN");
	ck_assert_str_eq(cell_status_name(-1017), "UNKNOWN");
	ck_assert_str_eq(cell_status_name(7), "UNKNOWN");
	ck_assert_str_eq(cell_status_name(INT32_MIN), "UNKNOWN");
}
END_TEST

START_TEST(statuses_survive_the_wire)
{
	static const int codes[] = {
		CELL_OK,
		CELL_CANCELLED,
		CELL_UNKNOWN,
		CELL_INVALID_ARGUMENT,
		CELL_DEADLINE_EXCEEDED,
		CELL_NOT_FOUND,
		CELL_ALREADY_EXISTS,
		CELL_PERMISSION_DENIED,
		CELL_RESOURCE_EXHAUSTED,
		CELL_FAILED_PRECONDITION,
		CELL_ABORTED,
		CELL_OUT_OF_RANGE,
		CELL_UNIMPLEMENTED,
		CELL_INTERNAL,
		CELL_UNAVAILABLE,
		CELL_DATA_LOSS,
		CELL_UNAUTHENTICATED,
	};

	for (uint32_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		ck_assert_uint_eq(cell_status_to_wire(codes[i]), i);
		ck_assert_int_eq(cell_status_from_wire(i), codes[i]);
	}
	ck_assert_int_eq(cell_status_from_wire(17), CELL_UNKNOWN);
	ck_assert_int_eq(cell_status_from_wire(UINT32_MAX), CELL_UNKNOWN);
}
END_TEST

START_TEST(errno_maps_to_the_nearest_status)
{
	ck_assert_uint_eq(cell_status_to_wire(-ENOENT), 5);
	ck_assert_uint_eq(cell_status_to_wire(-EEXIST), 6);
	ck_assert_uint_eq(cell_status_to_wire(-EACCES), 7);
	ck_assert_uint_eq(cell_status_to_wire(-ENOMEM), 8);
	ck_assert_uint_eq(cell_status_to_wire(-ETIMEDOUT), 4);
	ck_assert_uint_eq(cell_status_to_wire(-ECONNREFUSED), 14);
	ck_assert_uint_eq(cell_status_to_wire(-EPROTO), 13);
	ck_assert_uint_eq(cell_status_to_wire(-EXDEV), 2);
	ck_assert_uint_eq(cell_status_to_wire(-999), 2);
	/* A bug of whoever returned it, never a success. */
	ck_assert_uint_eq(cell_status_to_wire(1), 13);
	for (int code = -4096; code < 0; code++) {
		ck_assert_uint_ge(cell_status_to_wire(code), 1);
		ck_assert_uint_le(cell_status_to_wire(code), 16);
		ck_assert_int_ge(cell_status_exit_code(code), 1);
	}
}
END_TEST

START_TEST(exit_codes_are_the_documented_ones)
{
	ck_assert_int_eq(cell_status_exit_code(0), 0);
	ck_assert_int_eq(cell_status_exit_code(CELL_INTERNAL), 1);
	ck_assert_int_eq(cell_status_exit_code(CELL_INVALID_ARGUMENT), 2);
	ck_assert_int_eq(cell_status_exit_code(CELL_NOT_FOUND), 3);
	ck_assert_int_eq(cell_status_exit_code(-ENOENT), 3);
	ck_assert_int_eq(cell_status_exit_code(CELL_UNAVAILABLE), 4);
	ck_assert_int_eq(cell_status_exit_code(-ECONNREFUSED), 4);
	ck_assert_int_eq(cell_status_exit_code(CELL_PERMISSION_DENIED), 5);
	ck_assert_int_eq(cell_status_exit_code(CELL_UNAUTHENTICATED), 5);
	ck_assert_int_eq(cell_status_exit_code(CELL_DEADLINE_EXCEEDED), 6);
	ck_assert_int_eq(cell_status_exit_code(CELL_ALREADY_EXISTS), 7);
	ck_assert_int_eq(cell_status_exit_code(CELL_ABORTED), 7);
	ck_assert_int_eq(cell_status_exit_code(CELL_CANCELLED), 130);
	ck_assert_int_eq(cell_status_exit_code(-EINTR), 130);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("error");
	TCase *tc = tcase_create("error");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, fail_keeps_code_and_text);
	tcase_add_test(tc, wrap_puts_context_before_the_cause);
	tcase_add_test(tc, wrap_without_a_cause_takes_the_codes_own_text);
	tcase_add_test(tc, an_argument_may_be_the_text_it_replaces);
	tcase_add_test(tc, long_text_is_cut_and_says_so);
	tcase_add_test(tc, characters_are_not_cut_in_two);
	tcase_add_test(tc, text_is_one_line);
	tcase_add_test(tc, names_are_those_of_grpc_and_errno);
	tcase_add_test(tc, statuses_survive_the_wire);
	tcase_add_test(tc, errno_maps_to_the_nearest_status);
	tcase_add_test(tc, exit_codes_are_the_documented_ones);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
