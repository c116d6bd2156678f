#include "cell/sample.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

static struct sampler sampler;
static struct sample sample;

static void setup(void)
{
	memset(&sampler, 0, sizeof sampler);
	memset(&sample, 0, sizeof sample);
}

static void teardown(void)
{
	sample_deinit(&sample);
	sampler_deinit(&sampler);
}

/* Bucket of a duration, as libcell counts it. */
static unsigned bucket(uint64_t ns)
{
	unsigned exponent;

	if (ns < 4)
		return (unsigned)ns;
	exponent = 63 - (unsigned)__builtin_clzll(ns);
	return exponent * 4 + (unsigned)(ns >> (exponent - 2) & 3);
}

START_TEST(quantiles_are_upper_edges)
{
	uint64_t counts[SAMPLE_BUCKETS] = { 0 };
	const uint64_t durations[] = {
		1, 3, 4, 7, 100, 5000, 123456789
	};

	ck_assert_uint_eq(sample_quantile(counts, SAMPLE_BUCKETS, 0.5), 0);
	for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
		uint64_t edge;

		memset(counts, 0, sizeof counts);
		counts[bucket(durations[i])] = 10;
		edge = sample_quantile(counts, SAMPLE_BUCKETS, 0.5);
		ck_assert_uint_gt(edge, durations[i]);
		ck_assert_uint_le(edge, durations[i] + durations[i] / 4 + 1);
		ck_assert_uint_eq(sample_quantile(counts, SAMPLE_BUCKETS, 1), edge);
		ck_assert_uint_eq(sample_quantile(counts, SAMPLE_BUCKETS, 0), edge);
	}
	memset(counts, 0, sizeof counts);
	counts[bucket(1000)] = 99;
	counts[bucket(1000000)] = 1;
	ck_assert_uint_lt(sample_quantile(counts, SAMPLE_BUCKETS, 0.5), 2000);
	ck_assert_uint_gt(sample_quantile(counts, SAMPLE_BUCKETS, 0.99), 900000);
}
END_TEST

/* One instance that has answered CALLS calls, each in 1000 ns, and used CPU_US. */
static void look(uint64_t at_ns, uint64_t calls, uint64_t errors, uint64_t cpu_us)
{
	struct core_instance_info instance = { .instance = 7,
					       .cell = "greeter",
					       .cpu_us = cpu_us,
					       .state = CORE_INSTANCE_STATE_READY,
					       .started_ms_ago = 10000,
					       .memory_bytes = 4096 };
	uint64_t counts[SAMPLE_BUCKETS] = { 0 };
	struct ops_histogram latency = { .n_counts = SAMPLE_BUCKETS, .counts = counts };
	struct ops_method_stats methods[2] = {
		{ .method = "cell.ops.v1.Ops/Stats", .calls = 1000, .latency = &latency },
		{ .method = "cell.greeter.v1.Greeter/Greet",
		  .calls = calls,
		  .errors = errors,
		  .in_flight = 2,
		  .latency = &latency },
	};
	struct ops_stats_report report = { .n_methods = 2, .methods = methods };
	const struct ops_stats_report *reports[] = { &report };

	counts[bucket(1000)] = calls;
	sample_deinit(&sample);
	sampler_take(&sampler, at_ns, &instance, reports, 1, &sample);
}

START_TEST(rates_are_between_two_looks)
{
	look(SECOND, 100, 0, 500000);
	/* The first time: since it started, 10 seconds ago. */
	ck_assert_double_eq_tol(sample.rows[0].calls_per_s, 10, 0.001);
	ck_assert_double_eq_tol(sample.rows[0].cpu_percent, 5, 0.001);
	look(3 * SECOND, 500, 20, 1500000);
	ck_assert_uint_eq(sample.n, 1);
	ck_assert_double_eq_tol(sample.rows[0].calls_per_s, 200, 0.001);
	ck_assert_double_eq_tol(sample.rows[0].errors_per_s, 10, 0.001);
	ck_assert_double_eq_tol(sample.rows[0].cpu_percent, 50, 0.001);
	ck_assert_uint_eq(sample.rows[0].in_flight, 2);
	ck_assert_double_eq_tol(sample.calls_per_s, 200, 0.001);
	ck_assert_uint_eq(sample.memory_bytes, 4096);
	/* What every cell serves does not count. */
	ck_assert_uint_eq(sample.rows[0].n_methods, 1);
	ck_assert_str_eq(sample.rows[0].methods[0].name, "Greeter/Greet");
	ck_assert_uint_gt(sample.rows[0].p50_ns, 1000);
	/* Nothing in between: no latency of the instance, the method's stays. */
	look(4 * SECOND, 500, 20, 1500000);
	ck_assert_double_eq_tol(sample.rows[0].calls_per_s, 0, 0.001);
	ck_assert_uint_eq(sample.rows[0].p50_ns, 0);
	ck_assert_uint_gt(sample.rows[0].methods[0].p50_ns, 1000);
}
END_TEST

START_TEST(a_counter_that_fell_began_anew)
{
	look(SECOND, 1000, 10, 900000);
	look(2 * SECOND, 30, 1, 100000);
	ck_assert_double_eq_tol(sample.rows[0].calls_per_s, 30, 0.001);
	ck_assert_double_eq_tol(sample.rows[0].errors_per_s, 1, 0.001);
	ck_assert_double_eq_tol(sample.rows[0].cpu_percent, 10, 0.001);
}
END_TEST

START_TEST(an_instance_that_does_not_answer_has_no_rates)
{
	struct core_instance_info instance = { .instance = 1, .cell = "mute" };
	const struct ops_stats_report *reports[] = { NULL };

	sampler_take(&sampler, SECOND, &instance, reports, 1, &sample);
	ck_assert(!sample.rows[0].has_stats);
	ck_assert(isfinite(sample.rows[0].cpu_percent));
	ck_assert_double_eq_tol(sample.calls_per_s, 0, 0.001);
}
END_TEST

START_TEST(sorts_by_what_is_asked_for)
{
	struct core_instance_info instances[3] = {
		{ .instance = 3, .cell = "b", .memory_bytes = 10 },
		{ .instance = 1, .cell = "c", .memory_bytes = 30 },
		{ .instance = 2, .cell = "b", .memory_bytes = 20 },
	};
	const struct ops_stats_report *reports[3] = { NULL, NULL, NULL };

	sampler_take(&sampler, SECOND, instances, reports, 3, &sample);
	sample_sort(&sample, SAMPLE_BY_NAME);
	ck_assert_uint_eq(sample.rows[0].instance, 2);
	ck_assert_uint_eq(sample.rows[1].instance, 3);
	sample_sort(&sample, SAMPLE_BY_MEMORY);
	ck_assert_uint_eq(sample.rows[0].instance, 1);
	ck_assert_uint_eq(sample.rows[2].instance, 3);
	/* All equal: by name, then id. */
	sample_sort(&sample, SAMPLE_BY_CALLS);
	ck_assert_uint_eq(sample.rows[0].instance, 2);
	for (enum sample_order order = 0; order < SAMPLE_ORDERS; order++)
		ck_assert_str_ne(sample_order_name(order), "?");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cell/sample");
	TCase *tc = tcase_create("sample");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, quantiles_are_upper_edges);
	tcase_add_test(tc, rates_are_between_two_looks);
	tcase_add_test(tc, a_counter_that_fell_began_anew);
	tcase_add_test(tc, an_instance_that_does_not_answer_has_no_rates);
	tcase_add_test(tc, sorts_by_what_is_asked_for);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
