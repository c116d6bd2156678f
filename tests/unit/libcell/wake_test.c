#include "libcell/wake.h"

#include <check.h>
#include <sched.h>
#include <stdlib.h>

#define US 1000u

/* One CPU for us, one for the peer. */
#define HERE  0u
#define THERE 1u

static struct wake wake;

static void setup(void)
{
	wake_init(&wake, WAKE_MODE_ADAPTIVE);
}

static void slept(unsigned n, uint64_t waited_ns)
{
	while (n--)
		wake_slept(&wake, waited_ns);
}

/* N waits as the loop has them, with the peer on PEER_CPU and an answer after ANSWER_NS. */
static unsigned wait_for(unsigned n, uint32_t peer_cpu, uint64_t answer_ns, uint64_t slept_ns)
{
	unsigned n_slept = 0;

	while (n--) {
		uint64_t spin = wake_spin_ns(&wake, HERE, peer_cpu);

		if (spin >= answer_ns) {
			wake_hit(&wake, answer_ns);
			continue;
		}
		if (spin)
			wake_miss(&wake);
		wake_slept(&wake, slept_ns);
		n_slept++;
	}
	return n_slept;
}

START_TEST(sleeps_at_once_when_both_share_a_cpu)
{
	slept(100, 3 * US);
	ck_assert_uint_eq(wake_spin_ns(&wake, HERE, HERE), 0);
	ck_assert_uint_gt(wake_spin_ns(&wake, HERE, THERE), 0);
	ck_assert_uint_gt(wake_spin_ns(&wake, HERE, WAKE_CPU_UNKNOWN), 0);
}
END_TEST

START_TEST(spins_for_twice_the_average_within_limits)
{
	slept(200, 6 * US);
	ck_assert_uint_ge(wake_spin_ns(&wake, HERE, THERE), 11 * US);
	ck_assert_uint_le(wake_spin_ns(&wake, HERE, THERE), 12 * US);
	slept(200, 100);
	ck_assert_uint_eq(wake_spin_ns(&wake, HERE, THERE), 2 * US);
	slept(200, 50 * US);
	ck_assert_uint_eq(wake_spin_ns(&wake, HERE, THERE), 60 * US);
}
END_TEST

/* Two sleepers each find the other asleep: without trying they would do so for ever. */
START_TEST(two_sleepers_come_to_spin)
{
	ck_assert_uint_le(wait_for(100, THERE, 3 * US, 14 * US), 1);
	setup();
	slept(1000, 14 * US);
	ck_assert_uint_le(wait_for(100, THERE, 3 * US, 14 * US), 1);
	ck_assert_uint_le(wake_spin_ns(&wake, HERE, THERE), 8 * US);
}
END_TEST

START_TEST(rare_calls_are_waited_for_asleep_but_for_a_probe)
{
	unsigned probes = 0;

	slept(100, 1000 * US);
	for (unsigned i = 0; i < 10 * 256; i++) {
		probes += wake_spin_ns(&wake, HERE, THERE) > 0;
		wake_slept(&wake, 1000 * US);
	}
	ck_assert_uint_eq(probes, 10);
}
END_TEST

/* A client that paused: its next calls are not slept for long. */
START_TEST(a_burst_after_a_pause_is_noticed_soon)
{
	unsigned n = 0;

	slept(100, 1000000 * US);
	while (!wake_spin_ns(&wake, HERE, THERE)) {
		wake_slept(&wake, 13 * US);
		ck_assert_uint_lt(++n, 20);
	}
}
END_TEST

START_TEST(one_long_wait_does_not_end_spinning)
{
	wait_for(200, THERE, 2 * US, 14 * US);
	slept(1, 5000000 * US);
	ck_assert_uint_gt(wake_spin_ns(&wake, HERE, THERE), 0);
}
END_TEST

/* Waits that a spin asked for now would have to be skipped before. */
static unsigned skipped(void)
{
	unsigned n = 0;

	while (!wake_spin_ns(&wake, HERE, THERE))
		n++;
	return n;
}

START_TEST(vain_spins_are_skipped_for_longer_and_longer)
{
	unsigned expected = 16;

	wake_miss(&wake);
	wake_miss(&wake);
	ck_assert_uint_eq(skipped(), 0);
	wake_miss(&wake);
	for (unsigned i = 0; i < 12; i++) {
		ck_assert_uint_eq(skipped(), expected);
		wake_miss(&wake);
		expected = expected < 4096 ? 2 * expected : 4096;
	}
}
END_TEST

START_TEST(a_hit_ends_the_skipping)
{
	for (unsigned i = 0; i < 6; i++)
		wake_miss(&wake);
	ck_assert_uint_gt(skipped(), 16);
	wake_hit(&wake, 2 * US);
	wake_miss(&wake);
	wake_miss(&wake);
	ck_assert_uint_eq(skipped(), 0);
	wake_miss(&wake);
	ck_assert_uint_eq(skipped(), 16);
}
END_TEST

/* A peer that always answers later than we would spin costs next to nothing. */
START_TEST(a_slow_peer_costs_few_spins)
{
	unsigned spins = 0;

	for (unsigned i = 0; i < 100000; i++) {
		uint64_t spin = wake_spin_ns(&wake, HERE, THERE);

		if (spin) {
			spins++;
			wake_miss(&wake);
		}
		wake_slept(&wake, 24 * US);
	}
	ck_assert_uint_le(spins, 40);
}
END_TEST

/* The next fragment is on its way: had both slept once, long waits would keep them asleep. */
START_TEST(bulk_waits_are_polled_however_long_the_last_ones_were)
{
	wake_init_bulk(&wake, WAKE_MODE_ADAPTIVE);
	slept(1000, 200 * US);
	ck_assert_uint_eq(wake_spin_ns(&wake, HERE, THERE), 60 * US);
	ck_assert_uint_eq(wake_spin_ns(&wake, HERE, HERE), 0);
	ck_assert_uint_eq(wait_for(100, THERE, 40 * US, 200 * US), 0);
	wake_init_bulk(&wake, WAKE_MODE_SLEEP);
	ck_assert_uint_eq(wake_spin_ns(&wake, HERE, THERE), 0);
}
END_TEST

START_TEST(bulk_waits_in_vain_are_skipped_too)
{
	wake_init_bulk(&wake, WAKE_MODE_ADAPTIVE);
	for (unsigned i = 0; i < 4; i++)
		wake_miss(&wake);
	ck_assert_uint_eq(skipped(), 32);
	wake_hit(&wake, 3 * US);
	ck_assert_uint_eq(skipped(), 0);
}
END_TEST

/* Bulk waits that would yield, of N on one CPU where each yield takes TOOK_NS. */
static unsigned yields(unsigned n, uint64_t took_ns)
{
	unsigned n_yields = 0;

	while (n--) {
		ck_assert_uint_eq(wake_spin_ns(&wake, HERE, HERE), 0);
		if (!wake_should_yield(&wake))
			continue;
		n_yields++;
		wake_yielded(&wake, true, took_ns);
	}
	return n_yields;
}

START_TEST(bulk_waits_on_one_cpu_yield)
{
	wake_init_bulk(&wake, WAKE_MODE_ADAPTIVE);
	ck_assert_uint_eq(yields(1000, 10 * US), 1000);
	ck_assert_uint_gt(wake_spin_ns(&wake, HERE, THERE), 0);
	ck_assert(!wake_should_yield(&wake));
	wake_init_bulk(&wake, WAKE_MODE_SLEEP);
	ck_assert_uint_eq(yields(100, 10 * US), 0);
	wake_init(&wake, WAKE_MODE_ADAPTIVE);
	ck_assert_uint_eq(yields(100, 10 * US), 0);
}
END_TEST

/* Somebody else has the CPU: each yield gives away a time slice. */
START_TEST(slow_yields_become_rare_and_come_back)
{
	wake_init_bulk(&wake, WAKE_MODE_ADAPTIVE);
	ck_assert_uint_le(yields(100000, 3000 * US), 12);
	ck_assert_uint_le(yields(16384, 10 * US), 16384);
	ck_assert_uint_eq(yields(1000, 10 * US), 1000);
}
END_TEST

START_TEST(quick_yields_lead_to_a_nudge)
{
	wake_init_bulk(&wake, WAKE_MODE_ADAPTIVE);
	(void)yields(1023, 10 * US);
	ck_assert(!wake_should_nudge(&wake));
	(void)yields(1, 10 * US);
	ck_assert(wake_should_nudge(&wake));
}
END_TEST

START_TEST(the_modes_for_measuring_do_not_adapt)
{
	wake_init(&wake, WAKE_MODE_SLEEP);
	ck_assert_uint_eq(wake_spin_ns(&wake, HERE, THERE), 0);
	wake_init(&wake, WAKE_MODE_SPIN);
	slept(100, 1000 * US);
	ck_assert_uint_gt(wake_spin_ns(&wake, HERE, THERE), 1000 * US);
	ck_assert_uint_gt(wake_spin_ns(&wake, HERE, HERE), 1000 * US);
}
END_TEST

/* Waits on one CPU until a nudge is asked for; 0 if not within MAX. */
static unsigned nudge_after(unsigned max, uint64_t waited_ns)
{
	for (unsigned i = 1; i <= max; i++) {
		ck_assert_uint_eq(wake_spin_ns(&wake, HERE, HERE), 0);
		wake_slept(&wake, waited_ns);
		if (wake_should_nudge(&wake))
			return i;
	}
	return 0;
}

START_TEST(nudges_after_many_quick_waits_on_one_cpu)
{
	ck_assert_uint_eq(nudge_after(100000, 4 * US), 1024);
}
END_TEST

START_TEST(a_slow_wait_or_another_cpu_begins_the_count_again)
{
	ck_assert_uint_eq(nudge_after(1000, 4 * US), 0);
	slept(1, 100 * US);
	ck_assert_uint_eq(nudge_after(1023, 4 * US), 0);
	ck_assert_uint_gt(wake_spin_ns(&wake, HERE, THERE), 0);
	wake_hit(&wake, 4 * US);
	ck_assert_uint_eq(nudge_after(1023, 4 * US), 0);
	ck_assert_uint_eq(nudge_after(1, 4 * US), 1);
}
END_TEST

START_TEST(nudges_in_vain_become_rare)
{
	for (unsigned expected = 1024; expected <= 1024 * 1024; expected *= 4)
		ck_assert_uint_eq(nudge_after(10000000, 4 * US), expected);
	ck_assert_uint_eq(nudge_after(10000000, 4 * US), 1024 * 1024);
}
END_TEST

START_TEST(a_nudge_that_helped_may_come_again_soon)
{
	ck_assert_uint_eq(nudge_after(100000, 4 * US), 1024);
	wait_for(2048, THERE, 1 * US, 14 * US);
	ck_assert_uint_eq(nudge_after(100000, 4 * US), 1024);
}
END_TEST

START_TEST(knows_its_cpu)
{
	uint32_t cpu = wake_own_cpu();

	ck_assert_uint_lt(cpu, CPU_SETSIZE);
}
END_TEST

START_TEST(a_nudge_leaves_the_mask_as_it_was)
{
	cpu_set_t before, after;

	ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
	wake_nudge();
	ck_assert_int_eq(sched_getaffinity(0, sizeof after, &after), 0);
	ck_assert(CPU_EQUAL(&before, &after));
	ck_assert_int_eq(setenv("CELL_NUDGE", "0", 1), 0);
	wake_nudge();
	ck_assert_int_eq(sched_getaffinity(0, sizeof after, &after), 0);
	ck_assert(CPU_EQUAL(&before, &after));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wake");
	TCase *tc = tcase_create("wake");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60); /* some count through millions of waits */
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, sleeps_at_once_when_both_share_a_cpu);
	tcase_add_test(tc, spins_for_twice_the_average_within_limits);
	tcase_add_test(tc, two_sleepers_come_to_spin);
	tcase_add_test(tc, rare_calls_are_waited_for_asleep_but_for_a_probe);
	tcase_add_test(tc, a_burst_after_a_pause_is_noticed_soon);
	tcase_add_test(tc, one_long_wait_does_not_end_spinning);
	tcase_add_test(tc, vain_spins_are_skipped_for_longer_and_longer);
	tcase_add_test(tc, a_hit_ends_the_skipping);
	tcase_add_test(tc, a_slow_peer_costs_few_spins);
	tcase_add_test(tc, bulk_waits_are_polled_however_long_the_last_ones_were);
	tcase_add_test(tc, bulk_waits_in_vain_are_skipped_too);
	tcase_add_test(tc, bulk_waits_on_one_cpu_yield);
	tcase_add_test(tc, slow_yields_become_rare_and_come_back);
	tcase_add_test(tc, quick_yields_lead_to_a_nudge);
	tcase_add_test(tc, the_modes_for_measuring_do_not_adapt);
	tcase_add_test(tc, nudges_after_many_quick_waits_on_one_cpu);
	tcase_add_test(tc, a_slow_wait_or_another_cpu_begins_the_count_again);
	tcase_add_test(tc, nudges_in_vain_become_rare);
	tcase_add_test(tc, a_nudge_that_helped_may_come_again_soon);
	tcase_add_test(tc, knows_its_cpu);
	tcase_add_test(tc, a_nudge_leaves_the_mask_as_it_was);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
