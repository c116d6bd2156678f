#include "txn/decide.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct decide *decide;
static struct decide_effects effects;
static struct cell_error err;
static uint64_t now;

static void setup(void)
{
	decide = decide_new();
	ck_assert_ptr_nonnull(decide);
	now = 1000;
}

static void teardown(void)
{
	decide_free(decide);
}

static const char *const two[] = { "celldb", "postgres" };

/* The id of transaction I. */
static const uint8_t *id(unsigned i)
{
	static uint8_t ids[4][DECIDE_ID_BYTES];
	static unsigned turn;
	uint8_t *it = ids[turn++ % 4];

	memset(it, 0, DECIDE_ID_BYTES);
	memcpy(it, &i, sizeof i);
	return it;
}

static int step(struct decide_event event)
{
	return decide_step(decide, &event, now, &effects, &err);
}

static int begin(unsigned i, const char *owner)
{
	return step((struct decide_event){ .kind = DECIDE_BEGIN,
					   .id = id(i),
					   .owner = owner,
					   .n_participants = 2,
					   .participants = two });
}

static int commit(unsigned i, const char *owner)
{
	return step(
		(struct decide_event){ .kind = DECIDE_COMMIT, .id = id(i), .owner = owner });
}

static int abort_by(unsigned i, const char *owner, bool is_operator)
{
	return step((struct decide_event){ .kind = DECIDE_ABORT,
					   .id = id(i),
					   .owner = owner,
					   .is_operator = is_operator });
}

static void logged(unsigned i, int code)
{
	ck_assert_int_eq(step((struct decide_event){
				 .kind = DECIDE_LOGGED, .id = id(i), .code = code }),
			 0);
}

static void told(unsigned i, const char *participant, bool is_commit, int code)
{
	ck_assert_int_eq(step((struct decide_event){ .kind = DECIDE_TOLD,
						     .id = id(i),
						     .participant = participant,
						     .is_commit = is_commit,
						     .code = code,
						     .version = 7 }),
			 0);
}

static void time_passes(uint64_t ms)
{
	now += ms;
	ck_assert_int_eq(step((struct decide_event){ .kind = DECIDE_TIME }), 0);
}

static size_t count(enum decide_effect_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < effects.n; i++)
		n += effects.items[i].kind == kind;
	return n;
}

static bool is_known(unsigned i)
{
	struct decide_view view;

	return decide_find(decide, id(i), &view);
}

START_TEST(nobody_is_told_before_it_is_in_the_log)
{
	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_uint_eq(effects.n, 0);
	ck_assert_int_eq(commit(1, "bank"), 0);
	ck_assert_uint_eq(effects.n, 1);
	ck_assert_int_eq(effects.items[0].kind, DECIDE_LOG);
	/* Asked again meanwhile: it is written once. */
	ck_assert_int_eq(commit(1, "bank"), 0);
	ck_assert_uint_eq(effects.n, 0);
	logged(1, 0);
	ck_assert_uint_eq(effects.n, 2);
	ck_assert_uint_eq(count(DECIDE_TELL), 2);
	ck_assert(effects.items[0].is_commit && effects.items[1].is_commit);
}
END_TEST

START_TEST(commit_is_answered_when_all_know)
{
	struct decide_view view;

	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_int_eq(commit(1, "bank"), 0);
	logged(1, 0);
	told(1, "postgres", true, 0);
	ck_assert_uint_eq(effects.n, 0);
	told(1, "celldb", true, 0);
	ck_assert_uint_eq(effects.n, 1);
	ck_assert_int_eq(effects.items[0].kind, DECIDE_ANSWER);
	ck_assert_int_eq(effects.items[0].code, 0);
	ck_assert(decide_find(decide, id(1), &view));
	ck_assert_uint_eq(view.parts[0].version, 7);
	/* An answer that was lost is given again. */
	ck_assert_int_eq(commit(1, "bank"), 0);
	ck_assert_uint_eq(count(DECIDE_ANSWER), 1);
}
END_TEST

START_TEST(commit_is_answered_after_a_second_at_the_latest)
{
	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_int_eq(commit(1, "bank"), 0);
	logged(1, 0);
	told(1, "celldb", true, 0);
	ck_assert_uint_eq(decide_due_ms(decide), now + DECIDE_ANSWER_MS);
	time_passes(DECIDE_ANSWER_MS - 1);
	ck_assert_uint_eq(effects.n, 0);
	time_passes(1);
	ck_assert_uint_eq(effects.n, 1);
	ck_assert_int_eq(effects.items[0].kind, DECIDE_ANSWER);
}
END_TEST

START_TEST(what_does_not_come_to_commit_is_given_up)
{
	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_uint_eq(decide_due_ms(decide), now + DECIDE_TIMEOUT_MS);
	time_passes(DECIDE_TIMEOUT_MS);
	/* Participants that have prepared are told, so that their rows are free. */
	ck_assert_uint_eq(count(DECIDE_TELL), 2);
	ck_assert(!effects.items[0].is_commit);
	ck_assert(!is_known(1));
	ck_assert_int_eq(commit(1, "bank"), CELL_ABORTED);
	ck_assert_uint_eq(decide_counts(decide).aborted, 1);
	/* Nobody waits for what becomes of that. */
	told(1, "celldb", false, CELL_UNAVAILABLE);
	told(1, "postgres", false, 0);
	ck_assert_uint_eq(effects.n, 0);
	ck_assert_uint_eq(decide_due_ms(decide), UINT64_MAX);
}
END_TEST

START_TEST(a_commit_that_comes_late_is_refused_though_the_timer_is_later)
{
	ck_assert_int_eq(begin(1, "bank"), 0);
	now += DECIDE_TIMEOUT_MS;
	ck_assert_int_eq(commit(1, "bank"), CELL_ABORTED);
	ck_assert_uint_eq(effects.n, 0);
}
END_TEST

/* It is being written: late or not, it will be decided by the disk. */
START_TEST(what_is_being_written_is_not_given_up)
{
	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_int_eq(commit(1, "bank"), 0);
	time_passes(DECIDE_TIMEOUT_MS * 2);
	ck_assert_uint_eq(effects.n, 0);
	ck_assert_int_eq(abort_by(1, "bank", false), CELL_FAILED_PRECONDITION);
	ck_assert_ptr_nonnull(strstr(err.text, "being committed"));
	logged(1, 0);
	ck_assert_uint_eq(count(DECIDE_TELL), 2);
	ck_assert_int_eq(abort_by(1, "bank", true), CELL_FAILED_PRECONDITION);
}
END_TEST

START_TEST(what_could_not_be_written_is_given_up)
{
	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_int_eq(commit(1, "bank"), 0);
	logged(1, CELL_RESOURCE_EXHAUSTED);
	ck_assert_uint_eq(count(DECIDE_ANSWER), 1);
	ck_assert_int_eq(effects.items[0].code, CELL_RESOURCE_EXHAUSTED);
	ck_assert_uint_eq(count(DECIDE_TELL), 2);
	ck_assert(!effects.items[1].is_commit);
	ck_assert(!is_known(1));
}
END_TEST

START_TEST(only_who_began_it_may_end_it)
{
	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_int_eq(commit(1, "shop"), CELL_PERMISSION_DENIED);
	ck_assert_int_eq(abort_by(1, "shop", false), CELL_PERMISSION_DENIED);
	ck_assert_int_eq(commit(1, ""), CELL_PERMISSION_DENIED);
	ck_assert(is_known(1));
	ck_assert_int_eq(abort_by(1, "", true), 0);
	ck_assert(!is_known(1));
	/* And again: it is not known, so it is given up. */
	ck_assert_int_eq(abort_by(1, "bank", false), 0);
}
END_TEST

START_TEST(who_fails_is_tried_later_and_later_until_it_knows)
{
	uint64_t wait = DECIDE_RETRY_MIN_MS;

	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_int_eq(commit(1, "bank"), 0);
	logged(1, 0);
	told(1, "celldb", true, 0);
	time_passes(DECIDE_ANSWER_MS);
	for (int i = 0; i < 10; i++) {
		told(1, "postgres", true, CELL_UNAVAILABLE);
		ck_assert_uint_eq(effects.n, 0);
		ck_assert_uint_eq(decide_due_ms(decide), now + wait);
		time_passes(wait - 1);
		ck_assert_uint_eq(effects.n, 0);
		time_passes(1);
		ck_assert_uint_eq(count(DECIDE_TELL), 1);
		ck_assert_str_eq(effects.items[0].participant, "postgres");
		wait = wait * 2 < DECIDE_RETRY_MAX_MS ? wait * 2 : DECIDE_RETRY_MAX_MS;
	}
	told(1, "postgres", true, 0);
	time_passes(DECIDE_KEEP_MS);
	ck_assert_uint_eq(count(DECIDE_FORGET), 1);
	ck_assert(!is_known(1));
}
END_TEST

START_TEST(it_is_kept_until_all_know_however_long_that_takes)
{
	const void *at = NULL;
	struct decide_view view;

	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_int_eq(commit(1, "bank"), 0);
	logged(1, 0);
	told(1, "celldb", true, 0);
	told(1, "postgres", true, CELL_UNAVAILABLE);
	time_passes(DECIDE_KEEP_MS * 100);
	time_passes(0);
	ck_assert_uint_eq(count(DECIDE_FORGET), 0);
	ck_assert(decide_next(decide, &at, &view));
	ck_assert(view.parts[0].is_told && !view.parts[1].is_told);
	ck_assert(!decide_next(decide, &at, &view));
	/* It was told by that. */
	told(1, "postgres", true, 0);
	ck_assert_uint_eq(count(DECIDE_FORGET), 1);
	ck_assert(!is_known(1));
}
END_TEST

/* The one that hangs gets one question at a time; the other its sixteen. */
START_TEST(who_hangs_holds_up_nobody_else)
{
	static const char *const bad[] = { "postgres" }, *const good[] = { "celldb" };
	size_t to_bad = 0, to_good = 0;

	for (unsigned i = 0; i < 200; i++) {
		ck_assert_int_eq(step((struct decide_event){ .kind = DECIDE_BEGIN,
							     .id = id(i),
							     .owner = "bank",
							     .n_participants = 1,
							     .participants =
								     i % 2 ? bad : good }),
				 0);
		ck_assert_int_eq(commit(i, "bank"), 0);
	}
	for (unsigned i = 0; i < 200; i++) {
		logged(i, 0);
		for (size_t e = 0; e < effects.n; e++)
			*(strcmp(effects.items[e].participant, "celldb") ? &to_bad
									 : &to_good) += 1;
	}
	ck_assert_uint_eq(to_good, DECIDE_TELLS_EACH_MAX);
	ck_assert_uint_eq(to_bad, DECIDE_TELLS_EACH_MAX);
	/* All of its sixteen fail. */
	for (unsigned i = 0; i < DECIDE_TELLS_EACH_MAX; i++)
		told(2 * i + 1, "postgres", true, CELL_DEADLINE_EXCEEDED);
	ck_assert_uint_eq(effects.n, 0);
	/* The other goes on, one for each that is done. */
	for (unsigned i = 0; i < DECIDE_TELLS_EACH_MAX; i++) {
		told(2 * i, "celldb", true, 0);
		ck_assert_uint_eq(count(DECIDE_TELL), 1);
		ck_assert_str_eq(effects.items[effects.n - 1].participant, "celldb");
	}
	time_passes(DECIDE_RETRY_MIN_MS);
	ck_assert_uint_eq(count(DECIDE_TELL), 1);
	/* The one it is tried with is the oldest or one of those that failed; it works. */
	ck_assert_str_eq(effects.items[0].participant, "postgres");
	{
		unsigned i;

		memcpy(&i, effects.items[0].id, sizeof i);
		told(i, "postgres", true, 0);
	}
	ck_assert_uint_eq(count(DECIDE_TELL), DECIDE_TELLS_EACH_MAX);
}
END_TEST

START_TEST(who_does_not_know_decisions_has_prepared_nothing)
{
	ck_assert_int_eq(begin(1, "bank"), 0);
	ck_assert_int_eq(commit(1, "bank"), 0);
	logged(1, 0);
	told(1, "celldb", true, 0);
	told(1, "postgres", true, CELL_UNIMPLEMENTED);
	ck_assert_uint_eq(count(DECIDE_ANSWER), 1);
}
END_TEST

START_TEST(the_log_is_told_again)
{
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_int_eq(step((struct decide_event){ .kind = DECIDE_RECOVER,
							     .id = id(i),
							     .owner = "bank",
							     .n_participants = 2,
							     .participants = two }),
				 0);
		ck_assert_uint_eq(effects.n, 0);
	}
	ck_assert_uint_eq(decide_due_ms(decide), 0);
	time_passes(0);
	ck_assert_uint_eq(count(DECIDE_TELL), 2 * DECIDE_TELLS_EACH_MAX);
	/* Nobody waits for it, but who asks gets an answer. */
	told(0, "celldb", true, 0);
	told(0, "postgres", true, 0);
	ck_assert_uint_eq(count(DECIDE_ANSWER), 0);
	ck_assert_int_eq(commit(0, "bank"), 0);
	ck_assert_uint_eq(count(DECIDE_ANSWER), 1);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	static const char *const twice[] = { "celldb", "celldb" }, *const bad[] = { "../x" };
	const char *many[DECIDE_PARTICIPANTS_MAX + 1];
	struct decide_event event = { .kind = DECIDE_BEGIN, .id = id(1), .owner = "bank" };

	for (size_t i = 0; i <= DECIDE_PARTICIPANTS_MAX; i++)
		many[i] = "celldb";
	ck_assert_int_eq(step(event), CELL_INVALID_ARGUMENT);
	event.n_participants = DECIDE_PARTICIPANTS_MAX + 1;
	event.participants = many;
	ck_assert_int_eq(step(event), CELL_INVALID_ARGUMENT);
	event.n_participants = 2;
	event.participants = twice;
	ck_assert_int_eq(step(event), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, "participant 'celldb' is named twice");
	event.n_participants = 1;
	event.participants = bad;
	ck_assert_int_eq(step(event), CELL_INVALID_ARGUMENT);
	event.participants = two;
	event.timeout_ms = DECIDE_TIMEOUT_MAX_MS + 1;
	ck_assert_int_eq(step(event), CELL_INVALID_ARGUMENT);
	event.timeout_ms = DECIDE_TIMEOUT_MAX_MS;
	ck_assert_int_eq(step(event), 0);
	ck_assert_int_eq(step(event), CELL_ALREADY_EXISTS);
	ck_assert_int_eq(commit(2, "bank"), CELL_ABORTED);
}
END_TEST

START_TEST(one_owner_leaves_room_for_the_others)
{
	unsigned i = 0;

	for (; i < DECIDE_PENDING_EACH_MAX; i++)
		ck_assert_int_eq(begin(i, "bank"), 0);
	ck_assert_int_eq(begin(i, "bank"), CELL_RESOURCE_EXHAUSTED);
	ck_assert_ptr_nonnull(strstr(err.text, "bank"));
	ck_assert_int_eq(begin(i, "shop"), 0);
	ck_assert_int_eq(abort_by(0, "bank", false), 0);
	ck_assert_int_eq(begin(++i, "bank"), 0);
}
END_TEST

START_TEST(limits_hold_for_all_together)
{
	char owner[16];
	unsigned i = 0;

	for (; i < DECIDE_PENDING_MAX; i++) {
		snprintf(owner, sizeof owner, "o%u", i % 100);
		ck_assert_int_eq(begin(i, owner), 0);
	}
	ck_assert_int_eq(begin(i, "bank"), CELL_RESOURCE_EXHAUSTED);
	/* All are given up at once, in as many steps as that takes. */
	now += DECIDE_TIMEOUT_MS;
	while (decide_due_ms(decide) <= now) {
		time_passes(0);
		ck_assert_uint_gt(effects.n + decide_counts(decide).aborted, 0);
	}
	ck_assert_uint_eq(decide_counts(decide).pending, 0);
	ck_assert_uint_eq(decide_counts(decide).aborted, DECIDE_PENDING_MAX);
	ck_assert_int_eq(begin(i, "bank"), 0);
}
END_TEST

START_TEST(different_timeouts_end_in_their_order)
{
	static const uint32_t timeouts[] = { 500, 100, 900, 300 };

	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(step((struct decide_event){ .kind = DECIDE_BEGIN,
							     .id = id(i),
							     .owner = "bank",
							     .n_participants = 2,
							     .participants = two,
							     .timeout_ms = timeouts[i] }),
				 0);
	ck_assert_uint_eq(decide_due_ms(decide), now + 100);
	time_passes(300);
	ck_assert(is_known(0) && !is_known(1) && is_known(2) && !is_known(3));
	ck_assert_uint_eq(decide_due_ms(decide), now + 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide");
	TCase *tc = tcase_create("decide");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nobody_is_told_before_it_is_in_the_log);
	tcase_add_test(tc, commit_is_answered_when_all_know);
	tcase_add_test(tc, commit_is_answered_after_a_second_at_the_latest);
	tcase_add_test(tc, what_does_not_come_to_commit_is_given_up);
	tcase_add_test(tc, a_commit_that_comes_late_is_refused_though_the_timer_is_later);
	tcase_add_test(tc, what_is_being_written_is_not_given_up);
	tcase_add_test(tc, what_could_not_be_written_is_given_up);
	tcase_add_test(tc, only_who_began_it_may_end_it);
	tcase_add_test(tc, who_fails_is_tried_later_and_later_until_it_knows);
	tcase_add_test(tc, it_is_kept_until_all_know_however_long_that_takes);
	tcase_add_test(tc, who_hangs_holds_up_nobody_else);
	tcase_add_test(tc, who_does_not_know_decisions_has_prepared_nothing);
	tcase_add_test(tc, the_log_is_told_again);
	tcase_add_test(tc, what_makes_no_sense_is_refused);
	tcase_add_test(tc, one_owner_leaves_room_for_the_others);
	tcase_add_test(tc, limits_hold_for_all_together);
	tcase_add_test(tc, different_timeouts_end_in_their_order);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
