#include "celldb/answers.h"

#include "base.h"

static struct answers *answers;

static void setup(void)
{
	answers = answers_new();
	ck_assert_ptr_nonnull(answers);
}

static void teardown(void)
{
	answers_free(answers);
}

static const uint8_t *id_of(uint32_t n)
{
	static uint8_t id[LAYOUT_ID];

	memset(id, 0, sizeof id);
	/* Ids that begin alike, as no random ones do: the table has to find them all the same. */
	memcpy(id + 4, &n, sizeof n);
	return id;
}

START_TEST(finds_what_was_added_and_nothing_else)
{
	for (uint32_t i = 1; i <= 1000; i++)
		answers_add(answers, id_of(i), i, i);
	for (uint32_t i = 1; i <= 1000; i++)
		ck_assert_uint_eq(answers_find(answers, id_of(i)), i);
	ck_assert_uint_eq(answers_find(answers, id_of(1001)), 0);
}
END_TEST

START_TEST(undone_commits_are_forgotten)
{
	for (uint32_t i = 1; i <= 100; i++)
		answers_add(answers, id_of(i), i, i);
	answers_undo(answers, 60);
	for (uint32_t i = 1; i <= 100; i++)
		ck_assert_uint_eq(answers_find(answers, id_of(i)), i <= 60 ? i : 0);
	ck_assert_uint_eq(answers_count(answers), 60);
}
END_TEST

START_TEST(old_and_surplus_ones_expire_oldest_first)
{
	answers_add(answers, id_of(1), 1, 1000);
	answers_add(answers, id_of(2), 2, 2000);
	ck_assert_uint_eq(answers_expire(answers, 1000 + ANSWERS_AGE_US), 0);
	ck_assert_uint_eq(answers_expire(answers, 1001 + ANSWERS_AGE_US), 1);
	ck_assert_uint_eq(answers_expire(answers, 1001 + ANSWERS_AGE_US), 0);
	ck_assert_uint_eq(answers_find(answers, id_of(1)), 0);
	ck_assert_uint_eq(answers_find(answers, id_of(2)), 2);
	for (uint32_t i = 3; i <= ANSWERS_MAX + 2; i++)
		answers_add(answers, id_of(i), i, 2000);
	ck_assert_uint_eq(answers_expire(answers, 2000), 2);
	ck_assert_uint_eq(answers_expire(answers, 2000), 0);
	ck_assert_uint_eq(answers_count(answers), ANSWERS_MAX);
}
END_TEST

/* More than it has room for, if nobody lets them expire. */
START_TEST(overfull_queue_gives_up_the_oldest)
{
	uint32_t n = 2 * ANSWERS_MAX + 500;

	for (uint32_t i = 1; i <= n; i++)
		answers_add(answers, id_of(i), i, i);
	ck_assert_uint_eq(answers_count(answers), 2 * ANSWERS_MAX);
	ck_assert_uint_eq(answers_find(answers, id_of(500)), 0);
	ck_assert_uint_eq(answers_find(answers, id_of(501)), 501);
	ck_assert_uint_eq(answers_find(answers, id_of(n)), n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("answers");
	TCase *tc = tcase_create("answers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, finds_what_was_added_and_nothing_else);
	tcase_add_test(tc, undone_commits_are_forgotten);
	tcase_add_test(tc, old_and_surplus_ones_expire_oldest_first);
	tcase_add_test(tc, overfull_queue_gives_up_the_oldest);
	return base_run(suite, tc);
}
