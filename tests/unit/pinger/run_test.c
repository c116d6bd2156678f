#include "pinger/run.h"

#include <check.h>
#include <stdlib.h>

#define MS 1000000ull

static struct run run;
static struct cell_error err;

static void begin(struct run_plan plan)
{
	ck_assert_int_eq(run_plan_check(&plan, &err), 0);
	run_start(&run, &plan, 1000 * MS);
	for (uint32_t i = 0; i < plan.concurrency; i++)
		run_join(&run);
}

static uint64_t failed(void)
{
	uint64_t n = 0;

	for (unsigned i = 1; i < RUN_STATUSES; i++)
		n += run.outcomes[i];
	return n;
}

START_TEST(keeps_a_rate)
{
	struct run_ticket ticket;
	uint64_t n = 0;

	begin((struct run_plan){ .rate = 2500, .duration_ms = 1000 });
	while (run_take(&run, 1000 * MS, &ticket)) {
		ck_assert_uint_eq(ticket.due_ns, 1000 * MS + n * 400000);
		ck_assert(!ticket.is_late);
		n++;
	}
	ck_assert_uint_eq(n, 2500);
}
END_TEST

START_TEST(counts_a_late_call_from_when_it_was_due)
{
	struct run_ticket ticket;
	uint64_t from_ns;

	begin((struct run_plan){ .rate = 1000 });
	ck_assert(run_take(&run, 1000 * MS, &ticket));
	ck_assert(run_sent(&run, &ticket, 1000 * MS + 5, &from_ns));
	ck_assert_uint_eq(from_ns, 1000 * MS + 5);

	ck_assert(run_take(&run, 1010 * MS, &ticket));
	ck_assert(run_sent(&run, &ticket, 1010 * MS, &from_ns));
	ck_assert_uint_eq(from_ns, 1001 * MS);
	ck_assert_uint_eq(run.late, 1);

	/* Taken in time, sent late: that was our timer. */
	ck_assert(run_take(&run, 1002 * MS, &ticket));
	ck_assert(run_sent(&run, &ticket, 1005 * MS, &from_ns));
	ck_assert_uint_eq(from_ns, 1005 * MS);
	ck_assert_uint_eq(run.late, 1);
}
END_TEST

START_TEST(ends_a_closed_loop_in_time)
{
	struct run_ticket ticket;

	begin((struct run_plan){ .duration_ms = 10 });
	ck_assert_uint_eq(run.plan.concurrency, 1);
	ck_assert(run_take(&run, 1009 * MS, &ticket));
	ck_assert_uint_eq(ticket.due_ns, 1009 * MS);
	ck_assert(!run_take(&run, 1010 * MS, &ticket));
	ck_assert(!run_is_over(&run));
	run_leave(&run, 1012 * MS);
	ck_assert(run_is_over(&run));
	ck_assert_uint_eq(run_elapsed_ns(&run, 5000 * MS), 12 * MS);
}
END_TEST

START_TEST(forgets_no_call)
{
	struct run_ticket tickets[3];
	uint64_t from_ns;

	begin((struct run_plan){ .concurrency = 3 });
	for (int i = 0; i < 3; i++)
		ck_assert(run_take(&run, 1000 * MS, &tickets[i]));
	ck_assert(run_sent(&run, &tickets[0], 1000 * MS, &from_ns));
	ck_assert(run_sent(&run, &tickets[1], 1000 * MS, &from_ns));
	run_stop(&run);
	ck_assert(!run_sent(&run, &tickets[2], 1000 * MS, &from_ns));
	ck_assert_uint_eq(run.sent, 2);
	ck_assert_uint_eq(run.in_flight, 2);

	run_ended(&run, 0, "", 7);
	run_ended(&run, CELL_UNAVAILABLE, "gone", 9);
	ck_assert_uint_eq(run.in_flight, 0);
	ck_assert_uint_eq(run.sent, run.outcomes[0] + failed());
	ck_assert_uint_eq(run.outcomes[14], 1);
	ck_assert_str_eq(run.texts[14], "gone");
	/* Failures do not make a cell look fast. */
	ck_assert_uint_eq(run.max_ns, 7);
	ck_assert(!run_take(&run, 1001 * MS, &tickets[0]));
}
END_TEST

START_TEST(counts_an_errno_as_the_nearest_status)
{
	struct run_ticket ticket;
	uint64_t from_ns;

	begin((struct run_plan){ 0 });
	ck_assert(run_take(&run, 1000 * MS, &ticket));
	ck_assert(run_sent(&run, &ticket, 1000 * MS, &from_ns));
	run_ended(&run, -12, "no memory", 1);
	ck_assert_uint_eq(run.outcomes[8], 1);
}
END_TEST

START_TEST(percentiles_are_right_to_three_percent)
{
	static const double shares[] = { 0, 0.5, 0.9, 0.99, 0.999 };

	begin((struct run_plan){ 0 });
	ck_assert_uint_eq(run_percentile_ns(&run, 0.5), 0);
	for (uint64_t i = 1; i <= 100000; i++) {
		run.in_flight++;
		run_ended(&run, 0, "", i * 1000);
	}
	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		double exact = shares[i] * 100000 * 1000 + 1000;
		double found = (double)run_percentile_ns(&run, shares[i]);

		ck_assert_double_ge(found, exact * 0.999);
		ck_assert_double_le(found, exact * 1.033);
	}
	ck_assert_uint_eq(run_percentile_ns(&run, 1), 100000000);
	ck_assert_uint_eq(run_mean_ns(&run), 50000500);
	ck_assert_uint_eq(run.min_ns, 1000);
}
END_TEST

START_TEST(takes_any_latency)
{
	static const uint64_t extremes[] = { 0, 1, 31, 32, 63, 64, UINT64_MAX / 2, UINT64_MAX };

	begin((struct run_plan){ 0 });
	for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
		run.in_flight++;
		run_ended(&run, 0, "", extremes[i]);
	}
	ck_assert_uint_eq(run_percentile_ns(&run, 0), 0);
	ck_assert_uint_eq(run_percentile_ns(&run, 1), UINT64_MAX);
}
END_TEST

START_TEST(refuses_what_is_over_a_limit)
{
	static const struct run_plan wrong[] = {
		{ .rate = -1 },
		{ .rate = 0.0 / 0.0 },
		{ .rate = RUN_RATE_MAX + 1 },
		{ .concurrency = RUN_CONCURRENCY_MAX + 1 },
		{ .duration_ms = RUN_DURATION_MAX_MS + 1 },
		{ .size_bytes = RUN_PING_MAX_BYTES + 1 },
		{ .method = RUN_GREET, .size_bytes = RUN_NAME_MAX_BYTES + 1 },
		{ .method = (enum run_method)7 },
	};
	struct run_plan plan = wrong[_i];

	ck_assert_int_eq(run_plan_check(&plan, &err), CELL_INVALID_ARGUMENT);
	ck_assert_str_ne(err.text, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pinger/run");
	TCase *tests = tcase_create("run");
	SRunner *runner;
	int n_failed;

	tcase_add_test(tests, keeps_a_rate);
	tcase_add_test(tests, counts_a_late_call_from_when_it_was_due);
	tcase_add_test(tests, ends_a_closed_loop_in_time);
	tcase_add_test(tests, forgets_no_call);
	tcase_add_test(tests, counts_an_errno_as_the_nearest_status);
	tcase_add_test(tests, percentiles_are_right_to_three_percent);
	tcase_add_test(tests, takes_any_latency);
	tcase_add_loop_test(tests, refuses_what_is_over_a_limit, 0, 8);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
