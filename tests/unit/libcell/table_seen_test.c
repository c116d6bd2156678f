/* Which versions of rows a call knows. */
#include <check.h>
#include <stdlib.h>

#include "libcell/tables.h"

static struct seen seen;

static void setup(void)
{
	seen = (struct seen){ 0 };
}

static void teardown(void)
{
	table_seen_free(&seen);
}

/* As good as random; never 0. */
static uint64_t hash_of(uint64_t n)
{
	n = (n + 1) * 0x9e3779b97f4a7c15u;
	return (n ^ n >> 31) * 0xbf58476d1ce4e5b9u | 1u << 20;
}

static void note(uint64_t first, uint64_t n)
{
	int r = 0;

	for (uint64_t i = first; r == 0 && i < first + n; i++)
		r = table_seen_note(&seen, hash_of(i), i);
	ck_assert_int_eq(r, 0);
}

/* How many of N are known, each with its version. */
static uint64_t count(uint64_t first, uint64_t n)
{
	uint64_t found = 0, wrong = 0, version;

	for (uint64_t i = first; i < first + n; i++)
		if (table_seen_find(&seen, hash_of(i), &version)) {
			found++;
			wrong += version != i;
		}
	ck_assert_uint_eq(wrong, 0);
	return found;
}

START_TEST(nothing_is_known_at_first)
{
	ck_assert_uint_eq(count(0, 100), 0);
	table_seen_update(&seen, hash_of(1), 7);
	table_seen_clear(&seen);
	ck_assert_uint_eq(count(0, 100), 0);
}
END_TEST

START_TEST(few_are_all_known)
{
	note(0, 10000);
	ck_assert_uint_eq(count(0, 10000), 10000);
}
END_TEST

START_TEST(of_many_the_last_are_known_all_but_a_few)
{
	note(0, 500000);
	ck_assert_uint_ge(count(500000 - 65536, 65536), 65536 * 9 / 10);
	ck_assert_uint_eq(count(500000 - 1000, 1000), 1000);
	ck_assert_uint_le(count(0, 500000), TABLE_SEEN_MAX);
	ck_assert_uint_le(seen.n_sets * SEEN_WAYS, TABLE_SEEN_MAX);
}
END_TEST

START_TEST(what_is_read_again_stays)
{
	uint64_t version;

	for (uint64_t i = 1; i < 500000; i++) {
		(void)table_seen_note(&seen, hash_of(i), i);
		(void)table_seen_note(&seen, hash_of(0), 0);
	}
	ck_assert(table_seen_find(&seen, hash_of(0), &version));
}
END_TEST

START_TEST(what_was_written_is_known_only_if_it_was_before)
{
	uint64_t version;

	note(3, 1);
	table_seen_update(&seen, hash_of(3), 30);
	table_seen_update(&seen, hash_of(4), 40);
	ck_assert(table_seen_find(&seen, hash_of(3), &version));
	ck_assert_uint_eq(version, 30);
	ck_assert(!table_seen_find(&seen, hash_of(4), &version));
	table_seen_clear(&seen);
	ck_assert(!table_seen_find(&seen, hash_of(3), &version));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table seen");
	TCase *tc = tcase_create("table seen");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_is_known_at_first);
	tcase_add_test(tc, few_are_all_known);
	tcase_add_test(tc, of_many_the_last_are_known_all_but_a_few);
	tcase_add_test(tc, what_is_read_again_stays);
	tcase_add_test(tc, what_was_written_is_known_only_if_it_was_before);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
