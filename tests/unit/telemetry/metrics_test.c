#include "telemetry/exposition.h"
#include "telemetry/metrics.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct metrics *metrics;

static void setup(void)
{
	metrics = metrics_new();
	ck_assert_ptr_nonnull(metrics);
}

static void teardown(void)
{
	metrics_free(metrics);
}

static const struct series *series_at(size_t i)
{
	const struct series *const *all;

	ck_assert_uint_gt(metrics_series(metrics, &all), i);
	return all[i];
}

static size_t n_series(void)
{
	const struct series *const *all;

	return metrics_series(metrics, &all);
}

START_TEST(a_counter_adds_up_per_cell_and_outcome)
{
	metrics_take(metrics, "bank", "deposits_total", METRIC_COUNTER, 1, false);
	metrics_take(metrics, "bank", "deposits_total", METRIC_COUNTER, 2.5, false);
	metrics_take(metrics, "bank", "deposits_total", METRIC_COUNTER, 1, true);
	metrics_take(metrics, "atm", "deposits_total", METRIC_COUNTER, 7, false);
	ck_assert_uint_eq(n_series(), 3);
	ck_assert_str_eq(series_at(0)->cell, "atm");
	ck_assert_double_eq(series_at(0)->sum, 7);
	ck_assert_double_eq(series_at(1)->sum, 3.5);
	ck_assert(!series_at(1)->failed);
	ck_assert(series_at(2)->failed);
}
END_TEST

START_TEST(an_observation_is_in_the_bucket_whose_bound_it_does_not_exceed)
{
	metrics_take(metrics, "bank", "t_seconds", METRIC_HISTOGRAM, 0, false);
	metrics_take(metrics, "bank", "t_seconds", METRIC_HISTOGRAM, metric_bounds[3], false);
	metrics_take(metrics, "bank", "t_seconds", METRIC_HISTOGRAM, metric_bounds[3] * 1.01, false);
	metrics_take(metrics, "bank", "t_seconds", METRIC_HISTOGRAM, 11, false);
	ck_assert_uint_eq(series_at(0)->buckets[0], 1);
	ck_assert_uint_eq(series_at(0)->buckets[3], 1);
	ck_assert_uint_eq(series_at(0)->buckets[4], 1);
	ck_assert_uint_eq(series_at(0)->buckets[METRIC_BOUNDS], 1);
	ck_assert_uint_eq(series_at(0)->count, 4);
}
END_TEST

START_TEST(bounds_rise)
{
	for (int i = 1; i < METRIC_BOUNDS; i++)
		ck_assert_double_lt(metric_bounds[i - 1], metric_bounds[i]);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused_and_counted)
{
	static const char *const names[] = { "", "1a", "a b", "a\n", "a{", "\xc3\xa4" };
	char long_name[METRIC_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		metrics_take(metrics, "bank", names[i], METRIC_COUNTER, 1, false);
	memset(long_name, 'a', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	metrics_take(metrics, "bank", long_name, METRIC_COUNTER, 1, false);
	metrics_take(metrics, "bank", "a", METRIC_COUNTER, -1, false);
	metrics_take(metrics, "bank", "a", METRIC_COUNTER, NAN, false);
	metrics_take(metrics, "bank", "a", METRIC_COUNTER, INFINITY, false);
	ck_assert_uint_eq(metrics_counts(metrics)->refused, 10);
	ck_assert_uint_eq(n_series(), 0);
	long_name[METRIC_NAME_MAX] = 0;
	metrics_take(metrics, "bank", long_name, METRIC_COUNTER, 1, false);
	ck_assert_uint_eq(n_series(), 1);
}
END_TEST

START_TEST(a_metric_has_one_kind)
{
	struct cell_error err;

	ck_assert_int_eq(metrics_declare(metrics, "a", METRIC_COUNTER, "first", &err), 0);
	ck_assert_int_eq(metrics_declare(metrics, "a", METRIC_COUNTER, "", &err), 0);
	ck_assert_int_eq(metrics_declare(metrics, "a", METRIC_HISTOGRAM, "", &err),
			 CELL_ALREADY_EXISTS);
	ck_assert_str_eq(err.text, "metric 'a' is a counter");
	metrics_take(metrics, "bank", "a", METRIC_HISTOGRAM, 1, false);
	ck_assert_uint_eq(metrics_counts(metrics)->refused, 1);
	metrics_take(metrics, "bank", "a", METRIC_COUNTER, 1, false);
	ck_assert_str_eq(series_at(0)->metric->help, "first");
}
END_TEST

START_TEST(what_there_is_no_room_for_is_counted_and_the_rest_goes_on)
{
	char name[32];

	for (int i = 0; i < METRICS_MAX + 5; i++) {
		(void)snprintf(name, sizeof name, "m%d", i);
		metrics_take(metrics, "bank", name, METRIC_COUNTER, 1, false);
	}
	ck_assert_uint_eq(n_series(), METRICS_MAX);
	ck_assert_uint_eq(metrics_counts(metrics)->no_room, 5);
	for (int cell = 0; cell < 4; cell++) {
		(void)snprintf(name, sizeof name, "cell%d", cell);
		for (int i = 0; i < METRICS_MAX; i++) {
			char metric[32];

			(void)snprintf(metric, sizeof metric, "m%d", i);
			metrics_take(metrics, name, metric, METRIC_COUNTER, 1, false);
		}
	}
	ck_assert_uint_eq(n_series(), SERIES_MAX);
	ck_assert_uint_eq(metrics_counts(metrics)->no_room, 5 + METRICS_MAX);
	metrics_take(metrics, "bank", "m0", METRIC_COUNTER, 1, false);
	ck_assert_uint_eq(metrics_counts(metrics)->no_room, 5 + METRICS_MAX);
}
END_TEST

START_TEST(the_exposition_is_what_prometheus_reads)
{
	static const char wanted[] =
		"# HELP a_total how \\\\ many\\nlines\n"
		"# TYPE a_total counter\n"
		"a_total{cell=\"\",outcome=\"ok\"} 2\n"
		"a_total{cell=\"bank\",outcome=\"error\"} 1.5\n"
		"# TYPE t_seconds histogram\n";
	size_t len;
	char *text;

	ck_assert_int_eq(
		metrics_declare(metrics, "a_total", METRIC_COUNTER, "how \\ many\nlines", NULL), 0);
	metrics_take(metrics, "", "a_total", METRIC_COUNTER, 2, false);
	metrics_take(metrics, "bank", "a_total", METRIC_COUNTER, 1.5, true);
	metrics_take(metrics, "bank", "t_seconds", METRIC_HISTOGRAM, 0.003, false);
	metrics_take(metrics, "bank", "t_seconds", METRIC_HISTOGRAM, 100, false);
	text = exposition_text(metrics, &len);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(len, strlen(text));
	ck_assert_msg(strncmp(text, wanted, sizeof wanted - 1) == 0, "%s", text);
	/* Cumulative, and the last bucket is the count. */
	ck_assert_ptr_nonnull(
		strstr(text, "t_seconds_bucket{cell=\"bank\",outcome=\"ok\",le=\"0.0025\"} 0\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "t_seconds_bucket{cell=\"bank\",outcome=\"ok\",le=\"0.005\"} 1\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "t_seconds_bucket{cell=\"bank\",outcome=\"ok\",le=\"10\"} 1\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "t_seconds_bucket{cell=\"bank\",outcome=\"ok\",le=\"+Inf\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(text, "t_seconds_count{cell=\"bank\",outcome=\"ok\"} 2\n"));
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tc = tcase_create("metrics");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_counter_adds_up_per_cell_and_outcome);
	tcase_add_test(tc, an_observation_is_in_the_bucket_whose_bound_it_does_not_exceed);
	tcase_add_test(tc, bounds_rise);
	tcase_add_test(tc, what_makes_no_sense_is_refused_and_counted);
	tcase_add_test(tc, a_metric_has_one_kind);
	tcase_add_test(tc, what_there_is_no_room_for_is_counted_and_the_rest_goes_on);
	tcase_add_test(tc, the_exposition_is_what_prometheus_reads);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
