#include "telemetry/traces.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct traces *traces;
static struct placed_span placed[TRACE_SPANS_MAX];

static void setup(void)
{
	traces = traces_new(64);
	ck_assert_ptr_nonnull(traces);
}

static void teardown(void)
{
	traces_free(traces);
}

/* PARENT 0: none. */
static struct span span_of(uint8_t trace, uint8_t id, uint8_t parent, uint64_t start_ns,
			   uint64_t duration_ns)
{
	struct span span = { .start_ns = start_ns, .duration_ns = duration_ns,
			     .has_parent = parent != 0, .cell = "bank" };

	memset(span.trace_id, trace, sizeof span.trace_id);
	memset(span.span_id, id, sizeof span.span_id);
	memset(span.parent_id, parent, sizeof span.parent_id);
	span.name[0] = (char)('a' + id);
	return span;
}

static void take(uint8_t trace, uint8_t id, uint8_t parent, uint64_t start_ns,
		 uint64_t duration_ns)
{
	struct span span = span_of(trace, id, parent, start_ns, duration_ns);

	traces_take(traces, &span);
}

/* "name depth name depth …" of the tree of TRACE. */
static const char *tree(uint8_t trace)
{
	static char text[1024];
	uint8_t id[TRACE_ID_SIZE];
	size_t n;

	memset(id, trace, sizeof id);
	n = traces_tree(traces, id, placed);
	text[0] = 0;
	for (size_t i = 0; i < n; i++)
		(void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u ",
			       placed[i].span->name, placed[i].depth);
	return text;
}

START_TEST(parents_stand_before_children_and_siblings_by_their_start)
{
	take(1, 4, 2, 40, 1);
	take(1, 3, 1, 50, 1);
	take(1, 2, 1, 20, 30);
	take(2, 9, 0, 1, 1);
	take(1, 5, 2, 30, 1);
	take(1, 1, 0, 10, 90);
	ck_assert_str_eq(tree(1), "b0 c1 f2 e2 d1 ");
	ck_assert_str_eq(tree(2), "j0 ");
	ck_assert_str_eq(tree(3), "");
}
END_TEST

START_TEST(an_orphan_is_a_root)
{
	take(1, 3, 7, 30, 1);
	take(1, 1, 0, 10, 5);
	take(1, 4, 3, 31, 1);
	ck_assert_str_eq(tree(1), "b0 d0 e1 ");
}
END_TEST

START_TEST(a_circle_of_parents_ends_and_loses_nothing)
{
	take(1, 1, 2, 10, 1);
	take(1, 2, 3, 11, 1);
	take(1, 3, 1, 12, 1);
	take(1, 4, 4, 13, 1);
	take(1, 5, 0, 14, 1);
	ck_assert_uint_eq(strlen(tree(1)), 15);
	ck_assert_str_eq(tree(1), "e0 f0 b0 d1 c2 ");
}
END_TEST

START_TEST(two_spans_of_one_id_are_both_shown)
{
	take(1, 1, 0, 10, 9);
	take(1, 2, 1, 11, 1);
	take(1, 2, 1, 12, 1);
	take(1, 3, 2, 13, 1);
	ck_assert_str_eq(tree(1), "b0 c1 d2 c1 ");
}
END_TEST

START_TEST(the_oldest_make_room_for_the_newest)
{
	struct trace_summary found[8];

	for (uint64_t i = 0; i < 70; i++)
		take((uint8_t)(1 + i / 10), (uint8_t)(1 + i % 10), 0, i, 1);
	ck_assert_uint_eq(traces_kept(traces), 64);
	ck_assert_uint_eq(traces_list(traces, "", false, found, 8), 7);
	ck_assert_uint_eq(found[0].trace_id[0], 7);
	ck_assert_uint_eq(found[6].n_spans, 4);
}
END_TEST

START_TEST(a_summary_spans_first_beginning_to_last_end)
{
	struct trace_summary found[2];
	struct span failed = span_of(1, 2, 1, 20, 500);

	take(1, 1, 0, 10, 100);
	failed.status = 14;
	(void)strcpy(failed.cell, "fraud");
	traces_take(traces, &failed);
	take(2, 1, 0, 5, 1);
	ck_assert_uint_eq(traces_list(traces, "", false, found, 2), 2);
	ck_assert_uint_eq(found[1].start_ns, 10);
	ck_assert_uint_eq(found[1].duration_ns, 510);
	ck_assert_str_eq(found[1].first->name, "b");
	ck_assert_uint_eq(found[1].n_failed, 1);
	ck_assert_uint_eq(traces_list(traces, "fraud", false, found, 2), 1);
	ck_assert_uint_eq(traces_list(traces, "", true, found, 2), 1);
	ck_assert_uint_eq(traces_list(traces, "nobody", false, found, 2), 0);
	ck_assert_uint_eq(traces_list(traces, "", false, found, 1), 1);
}
END_TEST

START_TEST(ids_are_found_by_how_they_begin)
{
	uint8_t id[TRACE_ID_SIZE];

	ck_assert_int_eq(traces_find(traces, "", id), TRACE_ABSENT);
	take(0xab, 1, 0, 1, 1);
	take(0xac, 1, 0, 2, 1);
	ck_assert_int_eq(traces_find(traces, "ABab", id), TRACE_FOUND);
	ck_assert_uint_eq(id[0], 0xab);
	ck_assert_int_eq(traces_find(traces, "a", id), TRACE_AMBIGUOUS);
	ck_assert_int_eq(traces_find(traces, "", id), TRACE_FOUND);
	ck_assert_uint_eq(id[0], 0xac);
	ck_assert_int_eq(traces_find(traces, "xy", id), TRACE_ABSENT);
	ck_assert_int_eq(traces_find(traces, "abababababababababababababababababab", id),
			 TRACE_ABSENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("traces");
	TCase *tc = tcase_create("traces");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, parents_stand_before_children_and_siblings_by_their_start);
	tcase_add_test(tc, an_orphan_is_a_root);
	tcase_add_test(tc, a_circle_of_parents_ends_and_loses_nothing);
	tcase_add_test(tc, two_spans_of_one_id_are_both_shown);
	tcase_add_test(tc, the_oldest_make_room_for_the_newest);
	tcase_add_test(tc, a_summary_spans_first_beginning_to_last_end);
	tcase_add_test(tc, ids_are_found_by_how_they_begin);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
