#include <cell/bytes.h>

#include <check.h>
#include <stdlib.h>

START_TEST(numbers_are_little_endian)
{
	static const uint8_t bytes[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x88 };
	uint8_t out[8];

	ck_assert_uint_eq(cell_load_u8(bytes), 0x01);
	ck_assert_uint_eq(cell_load_u16(bytes), 0x0201);
	ck_assert_uint_eq(cell_load_u32(bytes), 0x04030201);
	ck_assert_uint_eq(cell_load_u64(bytes), 0x8807060504030201);
	cell_store_u64(out, 0x8807060504030201);
	ck_assert_mem_eq(out, bytes, 8);
	cell_store_u16(out, 0xbeef);
	ck_assert_uint_eq(out[0], 0xef);
	ck_assert_uint_eq(out[1], 0xbe);
	ck_assert_uint_eq(out[2], 0x03);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	uint8_t bytes[15];
	struct cell_writer writer = cell_writer(bytes, sizeof bytes);
	struct cell_reader reader = cell_reader(bytes, sizeof bytes);

	cell_write_u8(&writer, 0xab);
	cell_write_u16(&writer, 0xcdef);
	cell_write_u32(&writer, 0x89abcdef);
	cell_write_u64(&writer, 0x0123456789abcdef);
	ck_assert(!writer.failed);
	ck_assert_ptr_eq(writer.at, writer.end);
	ck_assert_uint_eq(cell_read_u8(&reader), 0xab);
	ck_assert_uint_eq(cell_read_u16(&reader), 0xcdef);
	ck_assert_uint_eq(cell_read_u32(&reader), 0x89abcdef);
	ck_assert(!cell_reader_is_done(&reader));
	ck_assert_uint_eq(cell_read_u64(&reader), 0x0123456789abcdef);
	ck_assert(cell_reader_is_done(&reader));
}
END_TEST

START_TEST(a_failed_read_fails_all_that_follow)
{
	static const uint8_t bytes[3] = { 1, 2, 3 };
	struct cell_reader reader = cell_reader(bytes, sizeof bytes);

	ck_assert_uint_eq(cell_read_u32(&reader), 0);
	ck_assert(reader.failed);
	/* Even what would fit: a message half read is no message. */
	ck_assert_uint_eq(cell_read_u8(&reader), 0);
	ck_assert_ptr_null(cell_read_bytes(&reader, 0));
	ck_assert(!cell_reader_is_done(&reader));
}
END_TEST

START_TEST(lengths_are_compared_not_added)
{
	static const uint8_t bytes[4] = { 0 };
	struct cell_reader reader = cell_reader(bytes, sizeof bytes);
	struct cell_writer writer;
	uint8_t out[4];

	ck_assert_ptr_eq(cell_read_bytes(&reader, 4), bytes);
	ck_assert_ptr_nonnull(cell_read_bytes(&reader, 0));
	ck_assert(cell_reader_is_done(&reader));
	reader = cell_reader(bytes, sizeof bytes);
	ck_assert_ptr_null(cell_read_bytes(&reader, SIZE_MAX));
	writer = cell_writer(out, sizeof out);
	ck_assert_ptr_null(cell_write_room(&writer, SIZE_MAX));
	ck_assert(writer.failed);
}
END_TEST

START_TEST(a_failed_write_writes_nothing_more)
{
	uint8_t out[4] = { 9, 9, 9, 9 };
	struct cell_writer writer = cell_writer(out, 3);

	cell_write_u16(&writer, 0);
	cell_write_u16(&writer, 0);
	ck_assert(writer.failed);
	cell_write_u8(&writer, 0);
	ck_assert_uint_eq(out[2], 9);
	ck_assert_uint_eq(out[3], 9);
}
END_TEST

START_TEST(overflow_is_reported_and_changes_nothing)
{
	size_t ret = 7;

	ck_assert(!cell_add(SIZE_MAX, 1, &ret));
	ck_assert(!cell_mul(SIZE_MAX / 2, 3, &ret));
	ck_assert_uint_eq(ret, 7);
	ck_assert(cell_add(SIZE_MAX - 1, 1, &ret));
	ck_assert_uint_eq(ret, SIZE_MAX);
	ck_assert(cell_mul(6, 7, &ret));
	ck_assert_uint_eq(ret, 42);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bytes");
	TCase *tc = tcase_create("bytes");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, numbers_are_little_endian);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, a_failed_read_fails_all_that_follow);
	tcase_add_test(tc, lengths_are_compared_not_added);
	tcase_add_test(tc, a_failed_write_writes_nothing_more);
	tcase_add_test(tc, overflow_is_reported_and_changes_nothing);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
