#include "cellcore/supervise.h"

#include <check.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static struct supervise supervise;
static uint64_t at;

static void setup(void)
{
	supervise = (struct supervise){ 0 };
	at = 0;
}

static enum supervise_verdict ends(enum cell_restart policy, bool is_clean, uint64_t ready_ns,
				   uint64_t now_ns)
{
	struct supervise_end end = { .is_clean = is_clean, .ready_ns = ready_ns };

	return supervise_ended(&supervise, policy, &end, now_ns, 0, &at);
}

START_TEST(a_clean_exit_is_restarted_only_always)
{
	ck_assert_int_eq(ends(CELL_RESTART_ON_FAILURE, true, 0, 1), SUPERVISE_REST);
	ck_assert_int_eq(ends(CELL_RESTART_NEVER, true, 0, 1), SUPERVISE_REST);
	ck_assert_int_eq(ends(CELL_RESTART_ALWAYS, true, 0, 1), SUPERVISE_RESTART);
	ck_assert_uint_eq(at, 1 + 100 * MS);
}
END_TEST

START_TEST(a_failure_is_restarted_unless_never)
{
	ck_assert_int_eq(ends(CELL_RESTART_NEVER, false, 0, 1), SUPERVISE_REST);
	ck_assert_int_eq(ends(CELL_RESTART_ON_FAILURE, false, 0, 1), SUPERVISE_RESTART);
	ck_assert_int_eq(ends(CELL_RESTART_ALWAYS, false, 0, 1), SUPERVISE_RESTART);
}
END_TEST

START_TEST(the_delay_doubles_to_its_limit)
{
	uint64_t expected_ms = 100;

	/* Far enough apart that it never gives up. */
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t now = i * 20 * SECOND;

		ck_assert_int_eq(ends(CELL_RESTART_ON_FAILURE, false, 0, now), SUPERVISE_RESTART);
		ck_assert_uint_eq(at - now, expected_ms * MS);
		expected_ms = 2 * expected_ms < 30000 ? 2 * expected_ms : 30000;
	}
}
END_TEST

START_TEST(jitter_only_adds_and_at_most_a_quarter)
{
	struct supervise_end end = { .is_clean = false };

	for (uint32_t random = 0; random < 5000; random += 7) {
		supervise = (struct supervise){ 0 };
		supervise_ended(&supervise, CELL_RESTART_ALWAYS, &end, 0, random, &at);
		ck_assert_uint_ge(at, 100 * MS);
		ck_assert_uint_le(at, 125 * MS);
	}
}
END_TEST

START_TEST(five_within_a_minute_are_too_many)
{
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(ends(CELL_RESTART_ON_FAILURE, false, 0, (uint64_t)i * SECOND),
				 SUPERVISE_RESTART);
	ck_assert_int_eq(ends(CELL_RESTART_ON_FAILURE, false, 0, 59 * SECOND), SUPERVISE_FAILED);
}
END_TEST

START_TEST(five_in_more_than_a_minute_are_not)
{
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(ends(CELL_RESTART_ON_FAILURE, false, 0, (uint64_t)i * SECOND),
				 SUPERVISE_RESTART);
	ck_assert_int_eq(ends(CELL_RESTART_ON_FAILURE, false, 0, 60 * SECOND), SUPERVISE_RESTART);
}
END_TEST

START_TEST(demand_starts_that_fail_count_though_nothing_restarts)
{
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(ends(CELL_RESTART_NEVER, false, 0, 1), SUPERVISE_REST);
	ck_assert_int_eq(ends(CELL_RESTART_NEVER, false, 0, 1), SUPERVISE_FAILED);
}
END_TEST

START_TEST(a_minute_of_service_forgives_the_streak)
{
	for (uint64_t i = 0; i < 10; i++)
		ends(CELL_RESTART_ON_FAILURE, false, 0, i * 20 * SECOND);
	ends(CELL_RESTART_ON_FAILURE, false, 61 * SECOND, 300 * SECOND);
	ck_assert_uint_eq(at, 300 * SECOND + 100 * MS);
}
END_TEST

START_TEST(what_was_asked_for_is_no_failure)
{
	struct supervise_end end = { .was_asked = true };

	for (int i = 0; i < 4; i++)
		ends(CELL_RESTART_ALWAYS, false, 0, 1);
	ck_assert_int_eq(supervise_ended(&supervise, CELL_RESTART_ALWAYS, &end, 1, 0, &at),
			 SUPERVISE_REST);
	ck_assert_int_eq(ends(CELL_RESTART_ALWAYS, false, 0, 1), SUPERVISE_RESTART);
	ck_assert_uint_eq(at, 1 + 100 * MS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervise");
	TCase *tc = tcase_create("supervise");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_clean_exit_is_restarted_only_always);
	tcase_add_test(tc, a_failure_is_restarted_unless_never);
	tcase_add_test(tc, the_delay_doubles_to_its_limit);
	tcase_add_test(tc, jitter_only_adds_and_at_most_a_quarter);
	tcase_add_test(tc, five_within_a_minute_are_too_many);
	tcase_add_test(tc, five_in_more_than_a_minute_are_not);
	tcase_add_test(tc, demand_starts_that_fail_count_though_nothing_restarts);
	tcase_add_test(tc, a_minute_of_service_forgives_the_streak);
	tcase_add_test(tc, what_was_asked_for_is_no_failure);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
