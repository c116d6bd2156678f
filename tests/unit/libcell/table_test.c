#include "libcell/table.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#define KEYS 600

static struct table table;
static struct cell_error err;
static bool is_in[KEYS];
static uint64_t seed;

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void setup(void)
{
	seed = 88172645463325252u;
	memset(&table, 0, sizeof table);
	memset(is_in, 0, sizeof is_in);
}

static void teardown(void)
{
	table_deinit(&table);
}

/* The value of key I, and back. */
static void *value_of(uint64_t i)
{
	return &is_in[i];
}

START_TEST(finds_what_was_put)
{
	ck_assert_int_eq(table_init(&table, TABLE_NUMBERS, 100, &err), 0);
	for (uint64_t i = 0; i < 100; i++)
		ck_assert_int_eq(table_put(&table, i << 32, value_of(i)), 0);
	for (uint64_t i = 0; i < 100; i++)
		ck_assert_ptr_eq(table_get(&table, i << 32), value_of(i));
	ck_assert_ptr_null(table_get(&table, 1));
	ck_assert_ptr_null(table_get(&table, UINT64_MAX));
}
END_TEST

START_TEST(a_key_is_put_once)
{
	ck_assert_int_eq(table_init(&table, TABLE_NUMBERS, 2, &err), 0);
	ck_assert_int_eq(table_put(&table, 7, value_of(1)), 0);
	ck_assert_int_eq(table_put(&table, 7, value_of(2)), CELL_ALREADY_EXISTS);
	ck_assert_ptr_eq(table_get(&table, 7), value_of(1));
	ck_assert_uint_eq(table.n, 1);
}
END_TEST

START_TEST(the_stated_capacity_fits_and_no_more)
{
	for (size_t capacity = 1; capacity < 200; capacity++) {
		ck_assert_int_eq(table_init(&table, TABLE_NUMBERS, capacity, &err), 0);
		for (uint64_t i = 0; i < capacity; i++)
			ck_assert_int_eq(table_put(&table, draw(), value_of(i)), 0);
		ck_assert_int_eq(table_put(&table, draw(), value_of(0)),
				 CELL_RESOURCE_EXHAUSTED);
		ck_assert_ptr_null(table_get(&table, draw()));
		table_deinit(&table);
	}
}
END_TEST

START_TEST(what_is_removed_is_gone_and_makes_room)
{
	ck_assert_int_eq(table_init(&table, TABLE_NUMBERS, 1, &err), 0);
	ck_assert_ptr_null(table_remove(&table, 3));
	ck_assert_int_eq(table_put(&table, 3, value_of(3)), 0);
	ck_assert_ptr_eq(table_remove(&table, 3), value_of(3));
	ck_assert_ptr_null(table_remove(&table, 3));
	ck_assert_int_eq(table_put(&table, 4, value_of(4)), 0);
	ck_assert_ptr_eq(table_get(&table, 4), value_of(4));
}
END_TEST

START_TEST(strings_are_told_apart_to_the_last_byte)
{
	static char keys[KEYS][32];

	ck_assert_int_eq(table_init(&table, TABLE_STRINGS, KEYS, &err), 0);
	for (unsigned i = 0; i < KEYS; i++) {
		(void)snprintf(keys[i], sizeof keys[i], "%.*s%u", (int)(i % 17),
			       "aaaaaaaaaaaaaaaaa", i);
		ck_assert_int_eq(table_put_string(&table, keys[i], value_of(i)), 0);
	}
	for (unsigned i = 0; i < KEYS; i++) {
		char copy[32];

		memcpy(copy, keys[i], sizeof copy);
		ck_assert_ptr_eq(table_get_string(&table, copy), value_of(i));
		ck_assert_int_eq(table_put_string(&table, copy, value_of(0)),
				 CELL_ALREADY_EXISTS);
	}
	ck_assert_ptr_null(table_get_string(&table, ""));
	ck_assert_ptr_null(table_get_string(&table, "aaaaaaaaaaaaaaaaa"));
	for (unsigned i = 0; i < KEYS; i += 2)
		ck_assert_ptr_eq(table_remove_string(&table, keys[i]), value_of(i));
	for (unsigned i = 0; i < KEYS; i++)
		ck_assert_ptr_eq(table_get_string(&table, keys[i]),
				 i % 2 ? value_of(i) : NULL);
}
END_TEST

/* Small tables, so that runs go around the end; keys from a small set, so that they meet. */
START_TEST(does_what_a_plain_array_would_do)
{
	for (unsigned round = 0; round < 300; round++) {
		size_t capacity = 1 + draw() % 60, n = 0;
		uint64_t keys = 1 + draw() % 90;

		memset(is_in, 0, sizeof is_in);
		ck_assert_int_eq(table_init(&table, TABLE_NUMBERS, capacity, &err), 0);
		for (unsigned step = 0; step < 1000; step++) {
			uint64_t key = draw() % keys;
			int r, expected;

			if (draw() % 2) {
				expected = is_in[key]      ? CELL_ALREADY_EXISTS
					   : n == capacity ? CELL_RESOURCE_EXHAUSTED
							   : 0;
				r = table_put(&table, key, value_of(key));
				if (r != expected)
					ck_abort_msg("put: %d, not %d", r, expected);
				n += r == 0;
				is_in[key] |= r == 0;
			} else {
				if (table_remove(&table, key) !=
				    (is_in[key] ? value_of(key) : NULL))
					ck_abort_msg("remove");
				n -= is_in[key];
				is_in[key] = false;
			}
			for (uint64_t i = 0; i < keys; i++)
				if (table_get(&table, i) != (is_in[i] ? value_of(i) : NULL))
					ck_abort_msg("key %u", (unsigned)i);
		}
		ck_assert_uint_eq(table.n, n);
		table_deinit(&table);
	}
}
END_TEST

START_TEST(iterating_gets_each_once_even_while_removing)
{
	for (unsigned round = 0; round < 3000; round++) {
		size_t capacity = 1 + draw() % 50;
		unsigned seen[50] = { 0 }, n = 0;
		struct table_at at;
		bool *value;

		ck_assert_int_eq(table_init(&table, TABLE_NUMBERS, capacity, &err), 0);
		for (uint64_t i = 0; i < capacity; i++)
			ck_assert_int_eq(table_put(&table, i, value_of(i)), 0);
		at = table_begin(&table);
		while ((value = table_next(&table, &at))) {
			uint64_t i = (uint64_t)(value - is_in);

			if (seen[i]++)
				ck_abort_msg("twice");
			if (draw() % 3 == 0 || round % 10 == 0) {
				ck_assert_ptr_eq(table_remove(&table, i), value);
				n++;
			}
		}
		for (unsigned i = 0; i < capacity; i++)
			ck_assert_uint_eq(seen[i], 1);
		ck_assert_uint_eq(table.n, capacity - n);
		table_deinit(&table);
	}
}
END_TEST

START_TEST(an_empty_table_has_nothing_to_iterate)
{
	struct table_at at;

	ck_assert_int_eq(table_init(&table, TABLE_STRINGS, 10, &err), 0);
	at = table_begin(&table);
	ck_assert_ptr_null(table_next(&table, &at));
	ck_assert_ptr_null(table_next(&table, &at));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tc = tcase_create("table");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, finds_what_was_put);
	tcase_add_test(tc, a_key_is_put_once);
	tcase_add_test(tc, the_stated_capacity_fits_and_no_more);
	tcase_add_test(tc, what_is_removed_is_gone_and_makes_room);
	tcase_add_test(tc, strings_are_told_apart_to_the_last_byte);
	tcase_add_test(tc, does_what_a_plain_array_would_do);
	tcase_add_test(tc, iterating_gets_each_once_even_while_removing);
	tcase_add_test(tc, an_empty_table_has_nothing_to_iterate);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
