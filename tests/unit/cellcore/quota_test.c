#include "cellcore/quota.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

static struct list quotas;
static struct cell_error err;

static void setup(void)
{
	list_init(&quotas);
	memset(&err, 0, sizeof err);
}

START_TEST(owners_share_by_name_and_live_as_long_as_referred_to)
{
	struct quota *a = quota_ref(&quotas, "greeter", &quota_defaults);
	struct quota *b = quota_ref(&quotas, "uid:1000", &quota_defaults);
	struct quota *again = quota_ref(&quotas, "greeter", &quota_defaults);

	ck_assert_ptr_eq(a, again);
	ck_assert_ptr_ne(a, b);
	quota_unref(again);
	ck_assert_ptr_eq(quota_ref(&quotas, "greeter", &quota_defaults), a);
	quota_unref(a);
	quota_unref(a);
	quota_unref(b);
	quota_unref(NULL);
	ck_assert(list_is_empty(&quotas));
}
END_TEST

START_TEST(nothing_is_charged_beyond_the_limit)
{
	struct quota_limits limits = quota_defaults;
	struct quota *quota;

	limits.max[QUOTA_CONNECTIONS] = 2;
	quota = quota_ref(&quotas, "greeter", &limits);
	ck_assert_int_eq(quota_charge(quota, QUOTA_CONNECTIONS, 1, &err), 0);
	ck_assert_int_eq(quota_charge(quota, QUOTA_CONNECTIONS, 2, &err), CELL_RESOURCE_EXHAUSTED);
	ck_assert_int_eq(quota_charge(quota, QUOTA_CONNECTIONS, 1, &err), 0);
	ck_assert_int_eq(quota_charge(quota, QUOTA_CONNECTIONS, 1, &err), CELL_RESOURCE_EXHAUSTED);
	ck_assert_str_eq(err.text, "greeter has 2 connections, limit 2");
	ck_assert_int_eq(quota_charge(quota, QUOTA_CONNECTIONS, UINT64_MAX, &err),
			 CELL_RESOURCE_EXHAUSTED);
	quota_release(quota, QUOTA_CONNECTIONS, 1);
	ck_assert_int_eq(quota_charge(quota, QUOTA_CONNECTIONS, 1, &err), 0);
	/* Kinds do not mix. */
	ck_assert_int_eq(quota_charge(quota, QUOTA_PENDING, 1, &err), 0);
	quota_unref(quota);
}
END_TEST

START_TEST(a_second_gives_so_many_starts_and_no_more)
{
	struct quota_limits limits = quota_defaults;
	struct quota *quota;
	uint64_t now = 5 * SECOND;
	int granted = 0;

	limits.activations_per_s = 16;
	quota = quota_ref(&quotas, "greeter", &limits);
	for (int i = 0; i < 100; i++)
		granted += quota_activate(quota, now, &err) == 0;
	ck_assert_int_eq(granted, 16);
	ck_assert_int_eq(quota_activate(quota, now + SECOND / 16, &err), 0);
	ck_assert_int_eq(quota_activate(quota, now + SECOND / 16, &err), CELL_RESOURCE_EXHAUSTED);
	for (granted = 0, now += 10 * SECOND; quota_activate(quota, now, &err) == 0; granted++)
		;
	ck_assert_int_eq(granted, 16);
	quota_unref(quota);
}
END_TEST

START_TEST(no_starts_at_all_can_be_granted)
{
	struct quota_limits limits = { .activations_per_s = 0 };
	struct quota *quota = quota_ref(&quotas, "greeter", &limits);

	ck_assert_int_eq(quota_activate(quota, SECOND, &err), CELL_RESOURCE_EXHAUSTED);
	quota_unref(quota);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quota");
	TCase *tc = tcase_create("quota");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, owners_share_by_name_and_live_as_long_as_referred_to);
	tcase_add_test(tc, nothing_is_charged_beyond_the_limit);
	tcase_add_test(tc, a_second_gives_so_many_starts_and_no_more);
	tcase_add_test(tc, no_starts_at_all_can_be_granted);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
