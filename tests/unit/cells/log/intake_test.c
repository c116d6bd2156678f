#include "log/intake.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

static struct intake intake;
static struct intake_counts counts;
static char got[65536]; /* lines, each with its newline */
static size_t n_got;

static void on_line(void *userdata, const char *text, size_t len)
{
	ck_assert_ptr_eq(userdata, &intake);
	ck_assert_uint_eq(strlen(text), len);
	n_got++;
	if (strlen(got) + len + 2 < sizeof got)
		strcat(strcat(got, text), "\n");
}

static void begin(uint64_t rate)
{
	memset(&counts, 0, sizeof counts);
	got[0] = '\0';
	n_got = 0;
	intake_init(&intake, rate, 0, &counts, on_line, &intake);
}

static void feed(const char *text, uint64_t now_ns)
{
	intake_feed(&intake, text, strlen(text), now_ns);
}

START_TEST(splits_lines_wherever_reads_end)
{
	static const char text[] = "one\ntwo\r\n\nthree";

	for (size_t step = 1; step < sizeof text; step++) {
		begin(0);
		for (size_t at = 0; at < sizeof text - 1; at += step)
			intake_feed(&intake, text + at,
				    step < sizeof text - 1 - at ? step : sizeof text - 1 - at,
				    0);
		ck_assert_str_eq(got, "one\ntwo\n");
		intake_end(&intake, 0);
		ck_assert_str_eq(got, "one\ntwo\nthree\n");
		ck_assert_uint_eq(counts.lines, 3);
		ck_assert_uint_eq(counts.bytes, 11);
	}
}
END_TEST

START_TEST(cuts_lines_that_are_too_long)
{
	static char long_line[3 * INTAKE_LINE_MAX];

	memset(long_line, 'x', sizeof long_line - 1);
	begin(0);
	feed(long_line, 0);
	feed("\nnext\n", 0);
	ck_assert_uint_eq(counts.cut, 1);
	ck_assert_uint_eq(n_got, 2);
	ck_assert_uint_eq(strspn(got, "x"), INTAKE_LINE_MAX);
	ck_assert_str_eq(got + INTAKE_LINE_MAX, "\nnext\n");
}
END_TEST

START_TEST(lets_nothing_through_that_steers_a_terminal)
{
	begin(0);
	feed("a\033[2Jb\a\tc\x7f\n", 0);
	feed("\xc3\xa4 \xff\xc3 \xe4\xb8\x96 \xc2\x9b"
	     "31m\n",
	     0);
	ck_assert_str_eq(got, "a?[2Jb?\tc?\n\xc3\xa4 ?? \xe4\xb8\x96 ??31m\n");
	begin(0);
	intake_feed(&intake, "nul\0here\n", 9, 0);
	ck_assert_str_eq(got, "nul?here\n");
}
END_TEST

START_TEST(counts_repeats_and_tells_them)
{
	begin(0);
	for (int i = 0; i < 5; i++)
		feed("same\n", 10);
	ck_assert_str_eq(got, "same\n");
	ck_assert_uint_eq(counts.repeated, 4);
	ck_assert_uint_eq(intake_due_ns(&intake), 10 + INTAKE_HELD_MAX_NS);
	feed("other\n", 20);
	ck_assert_str_eq(got,
			 "same\nlevel=info cell=log event=line_repeated times=4\nother\n");
	ck_assert_uint_eq(intake_due_ns(&intake), UINT64_MAX);
	/* Nothing else comes: told in time all the same, and once. */
	feed("other\n", 30);
	intake_tick(&intake, 31);
	ck_assert_uint_eq(n_got, 3);
	intake_tick(&intake, 30 + INTAKE_HELD_MAX_NS);
	intake_tick(&intake, 30 + 2 * INTAKE_HELD_MAX_NS);
	ck_assert_uint_eq(n_got, 4);
	feed("other\n", 3 * SECOND);
	intake_end(&intake, 3 * SECOND);
	ck_assert_uint_eq(n_got, 5);
}
END_TEST

START_TEST(drops_what_is_over_the_rate_and_says_how_many)
{
	char line[32];

	begin(10);
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof line, "line %d\n", i);
		feed(line, 0);
	}
	ck_assert_uint_eq(n_got, 10);
	ck_assert_uint_eq(counts.dropped, 90);
	/* Half a second refills half the bucket; the count comes first. */
	feed("later\n", SECOND / 2);
	ck_assert_ptr_nonnull(
		strstr(got,
		       "line 9\nlevel=warn cell=log event=lines_dropped lines=90 rate=10\n"
		       "later\n"));
	ck_assert_uint_eq(intake_due_ns(&intake), UINT64_MAX);
	/* However long nothing comes, no more than a second's worth may come at once. */
	n_got = 0;
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof line, "line %d\n", i);
		feed(line, 3600 * SECOND);
	}
	ck_assert_uint_eq(n_got, 10);
	begin(0);
	for (int i = 0; i < 100000; i++) {
		snprintf(line, sizeof line, "line %d\n", i);
		feed(line, 0);
	}
	ck_assert_uint_eq(n_got, 100000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log/intake");
	TCase *tc = tcase_create("intake");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, splits_lines_wherever_reads_end);
	tcase_add_test(tc, cuts_lines_that_are_too_long);
	tcase_add_test(tc, lets_nothing_through_that_steers_a_terminal);
	tcase_add_test(tc, counts_repeats_and_tells_them);
	tcase_add_test(tc, drops_what_is_over_the_rate_and_says_how_many);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
