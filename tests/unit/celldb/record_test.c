/* Records of the store, whole and cut short, and the order of its keys. */
#include "base.h"

#include "celldb/participant.h"
#include "celldb/record.h"

static struct cell_arena arena;
static struct cell_error err;

static void setup(void)
{
	cell_arena_init(&arena, 0);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

static struct cell_store_bytes text(const char *bytes)
{
	return (struct cell_store_bytes){ bytes, strlen(bytes) };
}

static bool is(struct cell_store_bytes bytes, const char *expected)
{
	return bytes.at && bytes.len == strlen(expected) &&
	       memcmp(bytes.at, expected, bytes.len) == 0;
}

static struct cell_store_bytes prepared_bytes(void)
{
	struct record_change change = { .at_us = 7, .table = 3, .key = text("k"),
					.after = text("row") };
	struct record_lock locks[] = { { .key = text("Rk") }, { .key = text("Rp"), .is_read = true } };
	struct record_range range = { .table = 3, .index = 2, .low = text("l"), .high = text("h") };
	struct record_prepared prepared = { .coordinator = "txn", .at_us = 9, .reply = text("yes"),
					    .n_changes = 1, .n_locks = 2, .n_ranges = 1,
					    .changes = &change, .locks = locks, .ranges = &range };

	return record_prepared_encode(&prepared, &arena);
}

START_TEST(records_are_read_as_they_were_written)
{
	static const uint32_t columns[] = { 5, 6 };
	struct record_index index = { .id = 9, .is_unique = true, .n = 2, .columns = columns };
	struct record_table table = { .is_shared = true, .log_from = 11, .next_index = 10,
				      .n_indexes = 1, .indexes = &index }, table_read;
	struct record_meta meta = { 1, 2, 3, 4, 5, 6 }, meta_read;
	uint8_t bytes[RECORD_META_SIZE];
	struct record_prepared prepared;

	record_meta_encode(&meta, bytes);
	ck_assert_int_eq(record_meta_decode(&meta_read, (struct cell_store_bytes){ bytes, sizeof bytes },
					    &err), 0);
	ck_assert_mem_eq(&meta_read, &meta, sizeof meta);
	ck_assert_int_eq(record_table_decode(&table_read, record_table_encode(&table, &arena), &arena,
					     &err), 0);
	ck_assert_uint_eq(table_read.indexes[0].columns[1], 6);
	ck_assert(table_read.is_shared && table_read.indexes[0].is_unique);
	ck_assert_int_eq(record_prepared_decode(&prepared, prepared_bytes(), &arena, &err), 0);
	ck_assert_str_eq(prepared.coordinator, "txn");
	ck_assert(is(prepared.changes[0].after, "row"));
	ck_assert_ptr_null(prepared.changes[0].before.at);
	ck_assert(is(prepared.locks[1].key, "Rp") && prepared.locks[1].is_read);
	ck_assert(is(prepared.ranges[0].high, "h"));
}
END_TEST

START_TEST(records_that_are_cut_short_are_refused)
{
	struct record_change change = { .at_us = 7, .table = 3, .key = text("k"), .before = text("b") };
	struct record_answer answer = { .at_us = 1, .reply = text("r") };
	struct cell_store_bytes all[] = { prepared_bytes(), record_change_encode(&change, &arena),
					  record_answer_encode(&answer, &arena) };
	struct record_prepared prepared;

	for (size_t kind = 0; kind < 3; kind++)
		for (size_t len = 0; len < all[kind].len; len++) {
			/* At the end of a block of its own, so that a sanitizer sees more. */
			uint8_t *copy = malloc(len ? len : 1);
			struct cell_store_bytes cut = { copy, len };
			int r;

			memcpy(copy, all[kind].at, len);
			r = kind == 0	? record_prepared_decode(&prepared, cut, &arena, &err)
			    : kind == 1 ? record_change_decode(&change, cut, &err)
					: record_answer_decode(&answer, cut, &err);
			free(copy);
			ck_assert_int_eq(r, CELL_DATA_LOSS);
		}
}
END_TEST

START_TEST(store_of_another_format_is_named)
{
	struct record_meta meta = { 0 };
	uint8_t bytes[RECORD_META_SIZE];

	record_meta_encode(&meta, bytes);
	bytes[0]++;
	ck_assert_int_eq(record_meta_decode(&meta, (struct cell_store_bytes){ bytes, sizeof bytes }, &err),
			 CELL_DATA_LOSS);
	ck_assert_str_eq(err.text, "the store is of format 2, this is 1");
}
END_TEST

START_TEST(keys_sort_as_numbers_do)
{
	struct layout_key a, b;
	uint64_t version;
	uint32_t n;

	layout_change(&a, 255, 7);
	layout_change(&b, 256, 0);
	ck_assert_int_lt(memcmp(a.bytes, b.bytes, a.len), 0);
	ck_assert(layout_read_change(layout_bytes(&a), &version, &n));
	ck_assert(version == 255 && n == 7);
	ck_assert(!layout_read_answer(layout_bytes(&a), &version));
	layout_rows(&a, 1);
	ck_assert_uint_eq(a.len, LAYOUT_ROWS_SIZE);
	layout_index(&b, 1, 1);
	ck_assert_uint_eq(b.len, LAYOUT_INDEX_SIZE);
	layout_fill(&a);
	layout_rows(&b, 2);
	ck_assert_int_lt(memcmp(a.bytes, b.bytes, b.len), 0);
}
END_TEST

START_TEST(locks_hold_until_their_transaction_goes)
{
	struct participants *all = participants_new();
	const uint8_t one[16] = { 1 }, two[16] = { 2 };

	ck_assert_int_eq(participants_add(all, one, prepared_bytes(), &err), 0);
	ck_assert_int_eq(participants_add(all, two, prepared_bytes(), &err), 0);
	ck_assert_ptr_nonnull(participants_holder(all, text("Rk"), false));
	/* What is read may be read by others too, and not written. */
	ck_assert_ptr_null(participants_holder(all, text("Rp"), false));
	ck_assert_ptr_nonnull(participants_holder(all, text("Rp"), true));
	ck_assert_ptr_null(participants_holder(all, text("Rx"), true));
	participants_remove(all, one);
	ck_assert_mem_eq(participants_holder(all, text("Rk"), false)->txn, two, 16);
	participants_remove(all, two);
	ck_assert_ptr_null(participants_holder(all, text("Rk"), true));
	ck_assert_uint_eq(participants_count(all), 0);
	participants_free(all);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("record");
	TCase *tc = tcase_create("record");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, records_are_read_as_they_were_written);
	tcase_add_test(tc, records_that_are_cut_short_are_refused);
	tcase_add_test(tc, store_of_another_format_is_named);
	tcase_add_test(tc, keys_sort_as_numbers_do);
	tcase_add_test(tc, locks_hold_until_their_transaction_goes);
	return base_run(suite, tc);
}
