#include "libcell/wheel.h"

#include "quick_check.h"
#include <stdlib.h>
#include <string.h>

#define N_TIMERS 300
#define N_STEPS  60000
#define MS       UINT64_C(1000000)

static struct wheel wheel;
static uint64_t now_ns;
static unsigned n_fired;
static struct wheel_timer *last_fired;

/* The model: what is armed, and for when. */
static struct timer {
	struct wheel_timer timer;
	bool is_armed;
	unsigned long fired;
} timers[N_TIMERS];
static uint64_t seed;

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Of any magnitude: nanoseconds to days. */
static uint64_t draw_ns(void)
{
	return draw() >> (16 + draw() % 48);
}

static void setup(void)
{
	now_ns = 123456789;
	n_fired = 0;
	last_fired = NULL;
	seed = 88172645463325252u;
	memset(timers, 0, sizeof timers);
	wheel_init(&wheel, now_ns);
}

static void on_due(struct wheel_timer *timer)
{
	n_fired++;
	last_fired = timer;
}

static void advance(uint64_t ns)
{
	now_ns += ns;
	wheel_advance(&wheel, now_ns, on_due);
}

/* When a timer fires: at the end of the tick that it is due in. */
static uint64_t end_of_tick(uint64_t ns)
{
	return (ns + WHEEL_TICK_NS - 1) / WHEEL_TICK_NS * WHEEL_TICK_NS;
}

START_TEST(fires_once_and_never_early)
{
	struct wheel_timer timer = { 0 };

	wheel_arm(&wheel, &timer, now_ns + 5 * MS);
	ck_assert(wheel_timer_is_armed(&timer));
	advance(5 * MS - 1);
	ck_assert_uint_eq(n_fired, 0);
	advance(1 + WHEEL_TICK_NS);
	ck_assert_uint_eq(n_fired, 1);
	ck_assert(!wheel_timer_is_armed(&timer));
	ck_assert(wheel_is_empty(&wheel));
	advance(3600 * 1000 * MS);
	ck_assert_uint_eq(n_fired, 1);
}
END_TEST

START_TEST(a_disarmed_timer_never_fires)
{
	struct wheel_timer zeroed = { 0 }, timer = { 0 };

	wheel_disarm(&wheel, &zeroed);
	wheel_arm(&wheel, &timer, now_ns + 70 * MS);
	wheel_disarm(&wheel, &timer);
	wheel_disarm(&wheel, &timer);
	ck_assert(wheel_is_empty(&wheel));
	advance(1000 * MS);
	ck_assert_uint_eq(n_fired, 0);
}
END_TEST

START_TEST(arming_again_moves_a_timer)
{
	struct wheel_timer timer = { 0 };

	wheel_arm(&wheel, &timer, now_ns + 5 * MS);
	wheel_arm(&wheel, &timer, now_ns + 500 * MS);
	advance(400 * MS);
	ck_assert_uint_eq(n_fired, 0);
	wheel_arm(&wheel, &timer, now_ns + 2 * MS);
	advance(4 * MS);
	ck_assert_uint_eq(n_fired, 1);
}
END_TEST

START_TEST(what_was_due_before_it_was_armed_fires_with_the_next_advance)
{
	struct wheel_timer timer = { 0 };
	uint64_t next;

	wheel_arm(&wheel, &timer, 0);
	ck_assert(wheel_next(&wheel, &next));
	ck_assert_uint_le(next, now_ns);
	advance(0);
	ck_assert_uint_eq(n_fired, 1);
}
END_TEST

START_TEST(a_clock_that_goes_back_fires_nothing)
{
	struct wheel_timer timer = { 0 };

	wheel_arm(&wheel, &timer, now_ns + 5 * MS);
	wheel_advance(&wheel, 0, on_due);
	ck_assert_uint_eq(n_fired, 0);
	advance(7 * MS);
	ck_assert_uint_eq(n_fired, 1);
}
END_TEST

START_TEST(the_end_of_time_can_be_waited_for)
{
	struct wheel_timer timer = { 0 };
	uint64_t next;

	wheel_arm(&wheel, &timer, UINT64_MAX);
	ck_assert(wheel_next(&wheel, &next));
	ck_assert_uint_eq(next, UINT64_MAX);
	wheel_advance(&wheel, UINT64_MAX, on_due);
	ck_assert_uint_eq(n_fired, 0);
	ck_assert(wheel_timer_is_armed(&timer));
	wheel_disarm(&wheel, &timer);
	ck_assert(!wheel_next(&wheel, &next));
}
END_TEST

START_TEST(next_is_exact_for_a_few_timers_however_far)
{
	for (uint64_t ms = 1; ms < 1000ull * 86400 * 1000; ms *= 3) {
		struct wheel_timer timer = { 0 }, later = { 0 };
		uint64_t next;

		wheel_arm(&wheel, &timer, now_ns + ms * MS);
		wheel_arm(&wheel, &later, now_ns + (ms + 2) * MS);
		ck_assert(wheel_next(&wheel, &next));
		ck_assert_uint_eq(next, end_of_tick(timer.expires_ns));
		wheel_disarm(&wheel, &timer);
		ck_assert(wheel_next(&wheel, &next));
		ck_assert_uint_eq(next, end_of_tick(later.expires_ns));
		wheel_disarm(&wheel, &later);
	}
}
END_TEST

/* However crowded, a loop that sleeps as told is woken a few times per timer at most. */
START_TEST(an_idle_loop_is_not_woken_again_and_again)
{
	unsigned wakes = 0;
	uint64_t next;

	for (unsigned i = 0; i < N_TIMERS; i++)
		wheel_arm(&wheel, &timers[i].timer, now_ns + 3600 * 1000 * MS + i);
	while (wheel_next(&wheel, &next)) {
		ck_assert_uint_gt(next, now_ns);
		now_ns = next;
		wheel_advance(&wheel, now_ns, on_due);
		wakes++;
	}
	ck_assert_uint_eq(n_fired, N_TIMERS);
	ck_assert_uint_le(wakes, WHEEL_LEVELS);
}
END_TEST

static void on_due_rearm(struct wheel_timer *timer)
{
	n_fired++;
	wheel_arm(&wheel, timer, 0);
}

START_TEST(a_timer_that_rearms_itself_for_the_past_fires_once_per_advance)
{
	struct wheel_timer timer = { 0 };

	wheel_arm(&wheel, &timer, now_ns + MS);
	now_ns += 10 * MS;
	for (unsigned i = 1; i <= 3; i++) {
		wheel_advance(&wheel, now_ns, on_due_rearm);
		ck_assert_uint_eq(n_fired, i);
	}
}
END_TEST

static void on_due_free(struct wheel_timer *timer)
{
	n_fired++;
	free(timer);
}

START_TEST(a_callback_may_free_its_own_timer)
{
	for (unsigned i = 0; i < 20; i++) {
		struct wheel_timer *timer = calloc(1, sizeof *timer);

		ck_assert_ptr_nonnull(timer);
		wheel_arm(&wheel, timer, now_ns + (i % 5) * MS);
	}
	wheel_advance(&wheel, now_ns + 10 * MS, on_due_free);
	ck_assert_uint_eq(n_fired, 20);
	ck_assert(wheel_is_empty(&wheel));
}
END_TEST

static void model_arm(struct timer *timer)
{
	uint64_t expires_ns = now_ns + draw_ns();

	wheel_arm(&wheel, &timer->timer, draw() % 16 ? expires_ns : now_ns - draw() % now_ns);
	timer->is_armed = true;
}

static void model_disarm(struct timer *timer)
{
	wheel_disarm(&wheel, &timer->timer);
	timer->is_armed = false;
}

static void on_due_model(struct wheel_timer *due)
{
	struct timer *timer = list_entry(due, struct timer, timer);

	ck_assert(timer->is_armed);
	ck_assert(!wheel_timer_is_armed(due));
	ck_assert(due->expires_ns <= now_ns);
	timer->is_armed = false;
	timer->fired++;
	if (draw() % 4 == 0)
		model_arm(timer);
	if (draw() % 8 == 0)
		model_disarm(&timers[draw() % N_TIMERS]);
	if (draw() % 8 == 0)
		model_arm(&timers[draw() % N_TIMERS]);
}

static void model_check(uint64_t overdue_since_ns)
{
	uint64_t first = UINT64_MAX, next = 0;
	unsigned n_armed = 0;

	for (unsigned i = 0; i < N_TIMERS; i++) {
		const struct timer *timer = &timers[i];

		ck_assert(timer->is_armed == wheel_timer_is_armed(&timer->timer));
		if (!timer->is_armed)
			continue;
		n_armed++;
		if (end_of_tick(timer->timer.expires_ns) < first)
			first = end_of_tick(timer->timer.expires_ns);
	}
	ck_assert(n_armed == wheel.n_armed);
	ck_assert((n_armed == 0) == wheel_is_empty(&wheel));
	ck_assert((n_armed > 0) == wheel_next(&wheel, &next));
	if (n_armed == 0)
		return;
	/* Never too late; and never in the past, unless something is overdue. */
	ck_assert(next <= first || next <= now_ns);
	ck_assert(next > now_ns || first <= overdue_since_ns || first <= now_ns);
}

START_TEST(does_what_a_plain_list_would_do)
{
	for (unsigned step = 0; step < N_STEPS; step++) {
		struct timer *timer = &timers[draw() % N_TIMERS];
		uint64_t next;

		switch (draw() % 4) {
		case 0:
		case 1: model_arm(timer); break;
		case 2: model_disarm(timer); break;
		default:
			/* Mostly as a loop does, sometimes late, sometimes by very much. */
			if (draw() % 2 && wheel_next(&wheel, &next) && next > now_ns)
				now_ns = next;
			else
				now_ns += draw() % 64 ? draw() % (200 * MS) : draw_ns();
			wheel_advance(&wheel, now_ns, on_due_model);
		}
		model_check(now_ns);
	}
	/* Nothing is forgotten: with quiet callbacks everything armed fires. */
	for (unsigned i = 0; i < N_TIMERS; i++)
		n_fired += timers[i].is_armed ? 0 : 1;
	now_ns += UINT64_C(1) << 49;
	wheel_advance(&wheel, now_ns, on_due);
	ck_assert_uint_eq(n_fired, N_TIMERS);
	ck_assert(wheel_is_empty(&wheel));
}
END_TEST

/* After each advance exactly those are left that were not due. */
START_TEST(no_due_timer_is_left_behind)
{
	for (unsigned round = 0; round < 2000; round++) {
		uint64_t step = draw_ns() % (UINT64_C(1) << 45);
		unsigned due = 0;

		setup();
		seed += round * 2654435761u;
		for (unsigned i = 0; i < 40; i++) {
			uint64_t expires_ns = now_ns + draw_ns();

			wheel_arm(&wheel, &timers[i].timer, expires_ns);
			due += end_of_tick(expires_ns) <=
			       (now_ns + step) / WHEEL_TICK_NS * WHEEL_TICK_NS;
		}
		advance(step);
		ck_assert_uint_eq(n_fired, due);
		ck_assert_uint_eq(wheel.n_armed, 40 - due);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wheel");
	TCase *tc = tcase_create("wheel");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, fires_once_and_never_early);
	tcase_add_test(tc, a_disarmed_timer_never_fires);
	tcase_add_test(tc, arming_again_moves_a_timer);
	tcase_add_test(tc, what_was_due_before_it_was_armed_fires_with_the_next_advance);
	tcase_add_test(tc, a_clock_that_goes_back_fires_nothing);
	tcase_add_test(tc, the_end_of_time_can_be_waited_for);
	tcase_add_test(tc, next_is_exact_for_a_few_timers_however_far);
	tcase_add_test(tc, an_idle_loop_is_not_woken_again_and_again);
	tcase_add_test(tc, a_timer_that_rearms_itself_for_the_past_fires_once_per_advance);
	tcase_add_test(tc, a_callback_may_free_its_own_timer);
	tcase_add_test(tc, does_what_a_plain_list_would_do);
	tcase_add_test(tc, no_due_timer_is_left_behind);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
