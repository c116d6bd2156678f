#include "libcell/clock.h"

#include <check.h>
#include <time.h>

#define MS UINT64_C(1000000)

static void pause_ms(long ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&time, NULL);
}

/* As a rule ahead by less than a tick; late ticks of a busy machine are allowed for. */
START_TEST(coarse_time_is_about_the_time)
{
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t before = clock_now_ns(), coarse = clock_coarse_ns();

		ck_assert_uint_ge(coarse + 100 * MS, before);
		ck_assert_uint_le(coarse, clock_now_ns() + 11 * MS);
		if (i % 100 == 0)
			pause_ms(1);
	}
}
END_TEST

START_TEST(fast_time_never_goes_back)
{
	uint64_t last = clock_fast_ns();

	for (unsigned i = 0; i < 300000; i++) {
		uint64_t now = clock_fast_ns();

		ck_assert_uint_ge(now, last);
		last = now;
		if (i % 10000 == 0)
			pause_ms(1);
	}
}
END_TEST

/* Long enough for the rate to be measured and looked at again. */
START_TEST(fast_durations_are_those_of_the_clock)
{
	uint64_t begun = clock_now_ns();

	while (clock_now_ns() - begun < 2500 * MS) {
		uint64_t outer = clock_now_ns(), fast = clock_fast_ns(), passed;

		pause_ms(20);
		passed = clock_fast_ns() - fast;
		ck_assert_uint_le(passed, (clock_now_ns() - outer) + MS);
		ck_assert_uint_ge(passed, 19 * MS);
	}
}
END_TEST

START_TEST(a_faked_time_is_said_by_all)
{
	clock_fake(42);
	ck_assert_uint_eq(clock_now_ns(), 42);
	ck_assert_uint_eq(clock_coarse_ns(), 42);
	ck_assert_uint_eq(clock_fast_ns(), 42);
	clock_fake(43);
	ck_assert_uint_eq(clock_fast_ns(), 43);
	clock_fake(0);
	ck_assert_uint_gt(clock_now_ns(), 43);
	ck_assert_uint_gt(clock_fast_ns(), 43);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tc = tcase_create("clock");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, coarse_time_is_about_the_time);
	tcase_add_test(tc, fast_time_never_goes_back);
	tcase_add_test(tc, fast_durations_are_those_of_the_clock);
	tcase_add_test(tc, a_faked_time_is_said_by_all);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
