#include <cell/arena.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct cell_arena arena;

static void setup(void)
{
	cell_arena_init(&arena, 0);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

START_TEST(holds_nothing_before_the_first_allocation)
{
	ck_assert_uint_eq(arena.held_bytes, 0);
	ck_assert_ptr_nonnull(cell_arena_alloc(&arena, 0));
	ck_assert_uint_eq(arena.held_bytes, 0);
	cell_arena_reset(&arena);
	ck_assert_uint_eq(arena.held_bytes, 0);
}
END_TEST

START_TEST(a_zeroed_one_may_be_released)
{
	struct cell_arena zeroed = { .at = NULL };

	cell_arena_deinit(&zeroed);
	ck_assert_ptr_nonnull(cell_arena_alloc(&zeroed, 10));
	cell_arena_deinit(&zeroed);
	cell_arena_deinit(&zeroed);
}
END_TEST

START_TEST(every_allocation_is_aligned_and_apart)
{
	uint8_t *last = NULL;
	size_t last_size = 0;

	for (size_t size = 0; size < 5000; size += size < 40 ? 1 : 111) {
		uint8_t *at = cell_arena_alloc(&arena, size);

		ck_assert_ptr_nonnull(at);
		ck_assert_uint_eq((uintptr_t)at % CELL_ARENA_ALIGN, 0);
		memset(at, 0x5a, size);
		if (last && size)
			ck_assert(at >= last + last_size || at + size <= last);
		last = at;
		last_size = size;
	}
}
END_TEST

START_TEST(what_was_written_stays_while_it_grows)
{
	enum { N = 3000 };
	static uint32_t *items[N];

	for (uint32_t i = 0; i < N; i++) {
		items[i] = cell_arena_alloc(&arena, 64);
		*items[i] = i;
	}
	for (uint32_t i = 0; i < N; i++)
		ck_assert_uint_eq(*items[i], i);
}
END_TEST

START_TEST(a_chunk_is_used_to_its_last_byte)
{
	size_t held;

	(void)cell_arena_alloc(&arena, 8);
	held = arena.held_bytes;
	ck_assert_uint_eq(held, CELL_ARENA_CHUNK);
	(void)cell_arena_alloc(&arena, (size_t)(arena.end - arena.at));
	ck_assert_uint_eq(arena.held_bytes, held);
	(void)cell_arena_alloc(&arena, 1);
	ck_assert_uint_gt(arena.held_bytes, held);
}
END_TEST

START_TEST(a_reset_keeps_one_chunk)
{
	void *first = cell_arena_alloc(&arena, 16);

	for (int i = 0; i < 1000; i++)
		(void)cell_arena_alloc(&arena, 1000);
	ck_assert_uint_gt(arena.held_bytes, 1000000);
	cell_arena_reset(&arena);
	ck_assert_uint_eq(arena.held_bytes, CELL_ARENA_CHUNK);
	ck_assert_ptr_eq(cell_arena_alloc(&arena, 16), first);
}
END_TEST

START_TEST(a_large_first_allocation_is_not_what_is_kept)
{
	memset(cell_arena_alloc(&arena, 10000000), 1, 10000000);
	cell_arena_reset(&arena);
	ck_assert_uint_eq(arena.held_bytes, CELL_ARENA_CHUNK);
}
END_TEST

START_TEST(a_rewind_frees_what_came_since)
{
	struct cell_arena_mark mark;
	char *kept = cell_arena_strdup(&arena, "kept");
	void *next;
	size_t held = arena.held_bytes;

	mark = cell_arena_mark(&arena);
	next = cell_arena_alloc(&arena, 100);
	for (int i = 0; i < 100; i++)
		(void)cell_arena_alloc(&arena, 3000);
	cell_arena_rewind(&arena, mark);
	ck_assert_uint_eq(arena.held_bytes, held);
	ck_assert_ptr_eq(cell_arena_alloc(&arena, 100), next);
	ck_assert_str_eq(kept, "kept");
}
END_TEST

START_TEST(marks_nest)
{
	struct cell_arena_mark outer, inner;
	char *a, *b;

	a = cell_arena_strdup(&arena, "a");
	outer = cell_arena_mark(&arena);
	(void)cell_arena_alloc(&arena, 9000);
	b = cell_arena_strdup(&arena, "b");
	inner = cell_arena_mark(&arena);
	(void)cell_arena_alloc(&arena, 90000);
	cell_arena_rewind(&arena, inner);
	ck_assert_str_eq(b, "b");
	cell_arena_rewind(&arena, outer);
	ck_assert_str_eq(a, "a");
	ck_assert_uint_eq(arena.held_bytes, CELL_ARENA_CHUNK);
}
END_TEST

START_TEST(what_a_rewind_would_free_is_known)
{
	struct cell_arena_mark empty = cell_arena_mark(&arena), mark;
	char *before = cell_arena_strdup(&arena, "before"), *same, *later;

	mark = cell_arena_mark(&arena);
	same = cell_arena_strdup(&arena, "same chunk");
	(void)cell_arena_alloc(&arena, 9000);
	later = cell_arena_strdup(&arena, "later chunk");
	ck_assert(!cell_arena_is_behind(&arena, mark, before));
	ck_assert(cell_arena_is_behind(&arena, mark, same));
	ck_assert(cell_arena_is_behind(&arena, mark, later));
	ck_assert(cell_arena_is_behind(&arena, empty, before));
	ck_assert(!cell_arena_is_behind(&arena, mark, &arena));
}
END_TEST

START_TEST(a_mark_of_an_empty_arena_frees_all_but_one_chunk)
{
	struct cell_arena_mark mark = cell_arena_mark(&arena);

	(void)cell_arena_alloc(&arena, 100000);
	cell_arena_rewind(&arena, mark);
	ck_assert_uint_le(arena.held_bytes, CELL_ARENA_CHUNK);
	ck_assert_ptr_nonnull(cell_arena_alloc(&arena, 1));
}
END_TEST

START_TEST(the_limit_holds)
{
	size_t got = 0;

	cell_arena_deinit(&arena);
	cell_arena_init(&arena, 100000);
	while (cell_arena_alloc(&arena, 100)) {
		got += 100;
		ck_assert_uint_le(arena.held_bytes, 100000);
	}
	/* What it may hold is of use nearly to the end. */
	ck_assert_uint_ge(got, 90000);
	ck_assert_ptr_null(cell_arena_alloc(&arena, 100000));
	cell_arena_reset(&arena);
	ck_assert_ptr_nonnull(cell_arena_alloc(&arena, 50000));
	ck_assert_ptr_null(cell_arena_alloc(&arena, 60000));
	/* A refusal harms nothing. */
	ck_assert_ptr_nonnull(cell_arena_alloc(&arena, 1000));
}
END_TEST

START_TEST(small_limits_are_limits)
{
	for (size_t limit = 1; limit < 200; limit++) {
		cell_arena_deinit(&arena);
		cell_arena_init(&arena, limit);
		ck_assert_ptr_null(cell_arena_alloc(&arena, limit));
		(void)cell_arena_alloc(&arena, 1);
		ck_assert_uint_le(arena.held_bytes, limit);
	}
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
	ck_assert_ptr_null(cell_arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_null(cell_arena_alloc(&arena, SIZE_MAX - 6));
	ck_assert_ptr_null(cell_arena_alloc(&arena, SIZE_MAX / 2));
	ck_assert_ptr_null(cell_arena_calloc(&arena, SIZE_MAX / 2, 3));
	ck_assert_ptr_null(cell_arena_strndup(&arena, "", SIZE_MAX));
	ck_assert_ptr_nonnull(cell_arena_alloc(&arena, 1));
}
END_TEST

START_TEST(calloc_clears)
{
	uint8_t *at = cell_arena_alloc(&arena, 100);

	memset(at, 0xff, 100);
	cell_arena_reset(&arena);
	at = cell_arena_calloc(&arena, 25, 4);
	for (size_t i = 0; i < 100; i++)
		ck_assert_uint_eq(at[i], 0);
}
END_TEST

START_TEST(text_is_copied)
{
	char source[] = "some text";
	char *copy = cell_arena_strdup(&arena, source);
	char *part = cell_arena_strndup(&arena, source, 4);

	source[0] = 'S';
	ck_assert_str_eq(copy, "some text");
	ck_assert_str_eq(part, "some");
	ck_assert_str_eq(cell_arena_strndup(&arena, NULL, 0), "");
	ck_assert_uint_eq(cell_arena_strndup(&arena, "a\0b", 3)[2], 'b');
	ck_assert_str_eq(cell_arena_printf(&arena, "%d of %s", 7, "nine"), "7 of nine");
	ck_assert_uint_eq(strlen(cell_arena_printf(&arena, "%9000d", 1)), 9000);
	cell_arena_deinit(&arena);
	cell_arena_init(&arena, 100);
	ck_assert_ptr_null(cell_arena_printf(&arena, "%9000d", 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *tc = tcase_create("arena");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, holds_nothing_before_the_first_allocation);
	tcase_add_test(tc, a_zeroed_one_may_be_released);
	tcase_add_test(tc, every_allocation_is_aligned_and_apart);
	tcase_add_test(tc, what_was_written_stays_while_it_grows);
	tcase_add_test(tc, a_chunk_is_used_to_its_last_byte);
	tcase_add_test(tc, a_reset_keeps_one_chunk);
	tcase_add_test(tc, a_large_first_allocation_is_not_what_is_kept);
	tcase_add_test(tc, a_rewind_frees_what_came_since);
	tcase_add_test(tc, marks_nest);
	tcase_add_test(tc, what_a_rewind_would_free_is_known);
	tcase_add_test(tc, a_mark_of_an_empty_arena_frees_all_but_one_chunk);
	tcase_add_test(tc, the_limit_holds);
	tcase_add_test(tc, small_limits_are_limits);
	tcase_add_test(tc, sizes_that_overflow_are_refused);
	tcase_add_test(tc, calloc_clears);
	tcase_add_test(tc, text_is_copied);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
