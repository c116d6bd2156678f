#include "libcell/frame.h"

#include <check.h>
#include <errno.h>
#include <string.h>

static struct cell_error err;
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
	memset(&err, 0, sizeof err);
}

/* ---- Header --------------------------------------------------------------------------- */

START_TEST(a_header_is_32_little_endian_bytes)
{
	static const uint8_t expected[FRAME_HEADER_SIZE] = {
		0x04, 0x03, 0x02, 0x01, 0x05, 0x06, 0x08, 0x07, 0x10, 0x0f, 0x0e,
		0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x14, 0x13, 0x12, 0x11, 0x18, 0x17,
		0x16, 0x15, 0x20, 0x1f, 0x1e, 0x1d, 0x1c, 0x1b, 0x1a, 0x19,
	};
	struct frame header = {
		.length = 0x01020304,
		.channel = 5,
		.kind = 6,
		.flags = 0x0708,
		.call_id = 0x090a0b0c0d0e0f10,
		.code = 0x11121314,
		.total = 0x15161718,
		.timeout_ns = 0x191a1b1c1d1e1f20,
	};
	uint8_t bytes[FRAME_HEADER_SIZE];
	struct frame again;

	frame_encode(&header, bytes);
	ck_assert_mem_eq(bytes, expected, sizeof bytes);
	frame_decode(&again, bytes);
	ck_assert_mem_eq(&again, &header, sizeof header);
}
END_TEST

START_TEST(takes_multiples_of_eight_in_a_ring)
{
	ck_assert_uint_eq(frame_ring_size(0), 32);
	ck_assert_uint_eq(frame_ring_size(1), 40);
	ck_assert_uint_eq(frame_ring_size(8), 40);
	ck_assert_uint_eq(frame_ring_size(FRAME_BODY_MAX), 32 + FRAME_BODY_MAX);
}
END_TEST

START_TEST(accepts_what_a_sane_peer_says)
{
	/* clang-format off */
	static const struct frame good[] = {
		{ .kind = FRAME_HELLO, .length = FRAME_HELLO_SIZE },
		{ .kind = FRAME_HELLO, .length = 100 },
		{ .kind = FRAME_REQUEST, .call_id = 1 },
		{ .kind = FRAME_REQUEST, .call_id = 1, .length = 5, .total = 5 },
		{ .kind = FRAME_REQUEST, .call_id = UINT64_MAX, .length = FRAME_BODY_MAX },
		{ .kind = FRAME_REQUEST, .call_id = 1, .flags = FRAME_FLAG_IDEMPOTENT },
		{ .kind = FRAME_REQUEST, .call_id = 1, .flags = FRAME_FLAG_METADATA, .length = 2 },
		{ .kind = FRAME_REQUEST, .call_id = 1, .flags = FRAME_FLAG_MORE, .length = 9, .total = 10 },
		{ .kind = FRAME_REQUEST, .call_id = 1, .flags = FRAME_FLAG_MORE, .length = 9 },
		{ .kind = FRAME_REQUEST, .call_id = 1, .length = 9 },
		{ .kind = FRAME_REPLY, .call_id = 1, .flags = FRAME_FLAG_MEMFD, .total = FRAME_PAYLOAD_MAX },
		{ .kind = FRAME_REPLY, .call_id = 1, .flags = FRAME_FLAG_MEMFD, .length = 9, .total = 9 },
		{ .kind = FRAME_REQUEST, .call_id = 1, .flags = FRAME_FLAG_MEMFD | FRAME_FLAG_MORE,
		  .length = 9, .total = FRAME_PAYLOAD_MAX + FRAME_PAYLOAD_PREFIX },
		{ .kind = FRAME_REPLY, .call_id = 1, .flags = FRAME_FLAG_MORE, .length = 1, .total = UINT32_MAX },
		{ .kind = FRAME_ERROR, .call_id = 1, .code = 5, .length = 20 },
		{ .kind = FRAME_ONE_WAY, .call_id = 1, .code = 5 },
		{ .kind = FRAME_ITEM, .call_id = 1 },
		{ .kind = FRAME_END, .call_id = 1 },
		{ .kind = FRAME_END, .call_id = 1, .code = 5, .length = 4 },
		{ .kind = FRAME_CANCEL, .call_id = 1 },
		{ .kind = FRAME_CREDIT, .call_id = 1, .code = 65536 },
		{ .kind = FRAME_GOAWAY },
		{ .kind = FRAME_GOAWAY, .call_id = 9 },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		ck_assert_msg(frame_check(&good[i], &err) == 0, "%zu: %s", i, err.text);
		ck_assert_msg(frame_check_all(&good[i], &err) == 0, "%zu: %s", i, err.text);
	}
}
END_TEST

START_TEST(refuses_what_makes_no_sense_and_says_what)
{
	/* clang-format off */
	static const struct {
		struct frame header;
		const char *text;
	} bad[] = {
		{ { .kind = 0, .call_id = 1 }, "unknown kind 0" },
		{ { .kind = 11, .call_id = 1 }, "unknown kind 11" },
		{ { .kind = 255, .call_id = 1 }, "unknown kind 255" },
		{ { .kind = FRAME_REQUEST }, "request frame without a call id" },
		{ { .kind = FRAME_CANCEL }, "cancel frame without a call id" },
		{ { .kind = FRAME_HELLO, .call_id = 1, .length = 30 }, "hello frame with call id 1" },
		{ { .kind = FRAME_REQUEST, .call_id = 1, .flags = 16 }, "unknown flags 0x10" },
		{ { .kind = FRAME_REPLY, .call_id = 1, .flags = 0x8000 }, "unknown flags 0x8000" },
		{ { .kind = FRAME_END, .call_id = 1, .flags = FRAME_FLAG_MORE, .length = 1 }, "flags 0x2" },
		{ { .kind = FRAME_HELLO, .flags = FRAME_FLAG_METADATA }, "flags 0x8" },
		{ { .kind = FRAME_ITEM, .call_id = 1, .length = 1,
		    .flags = FRAME_FLAG_MORE | FRAME_FLAG_MEMFD }, "in a memfd" },
		{ { .kind = FRAME_ITEM, .call_id = 1, .flags = FRAME_FLAG_MORE }, "empty fragment" },
		{ { .kind = FRAME_REQUEST, .call_id = 1, .length = FRAME_BODY_MAX + 1 }, "limit 30720" },
		{ { .kind = FRAME_HELLO, .length = UINT32_MAX }, "limit 30720" },
		{ { .kind = FRAME_REQUEST, .call_id = 1, .length = 5, .total = 4 }, "total 4" },
		{ { .kind = FRAME_REQUEST, .call_id = 1, .length = 5, .total = 6 }, "total 6" },
		{ { .kind = FRAME_REQUEST, .call_id = 1, .total = 1 }, "total 1" },
		{ { .kind = FRAME_REQUEST, .call_id = 1, .length = 5, .total = 5,
		    .flags = FRAME_FLAG_MORE }, "total 5" },
		{ { .kind = FRAME_REPLY, .call_id = 1, .flags = FRAME_FLAG_MEMFD,
		    .total = FRAME_PAYLOAD_MAX + 9 }, "payload of 1073741833 bytes" },
		{ { .kind = FRAME_REQUEST, .call_id = 1, .length = 9, .total = 8,
		    .flags = FRAME_FLAG_MEMFD }, "total 8" },
		{ { .kind = FRAME_REQUEST, .call_id = 1, .length = 9, .total = 9,
		    .flags = FRAME_FLAG_MEMFD | FRAME_FLAG_MORE }, "total 9" },
		{ { .kind = FRAME_REQUEST, .call_id = 1, .length = 9, .total = 9,
		    .flags = FRAME_FLAG_MEMFD | FRAME_FLAG_METADATA }, "both with metadata" },
		{ { .kind = FRAME_ERROR, .call_id = 1 }, "error frame with status 0" },
		{ { .kind = FRAME_CANCEL, .call_id = 1, .length = 1 }, "cancel frame with a body" },
		{ { .kind = FRAME_CREDIT, .call_id = 1, .length = 8 }, "credit frame with a body" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_msg(frame_check(&bad[i].header, &err) == -EPROTO, "%zu", i);
		ck_assert_int_eq(err.code, -EPROTO);
		ck_assert_msg(strstr(err.text, bad[i].text), "%zu: %s", i, err.text);
	}
	ck_assert_int_eq(frame_check(&bad[0].header, NULL), -EPROTO);
}
END_TEST

START_TEST(the_short_check_agrees_with_the_long_one)
{
	for (unsigned i = 0; i < 2000000; i++) {
		struct frame header = {
			.length = (uint32_t)(draw() % (draw() % 2 ? 4 : FRAME_BODY_MAX + 3)),
			.kind = (uint8_t)(draw() % 64 ? draw() % 12 : draw()),
			.flags = (uint16_t)(draw() % 64 ? draw() % 16 : draw()),
			.call_id = draw() % 4,
			.code = draw() % 2,
		};

		header.total = draw() % 2 ? header.length + (uint32_t)(draw() % 3) - 1 : 0;
		if (frame_check(&header, NULL) != frame_check_all(&header, NULL))
			ck_abort_msg("kind %u flags %u length %u total %u", header.kind,
				     header.flags, header.length, header.total);
	}
}
END_TEST

START_TEST(every_kind_has_a_name)
{
	ck_assert_str_eq(frame_kind_name(FRAME_HELLO), "hello");
	ck_assert_str_eq(frame_kind_name(FRAME_ONE_WAY), "one-way");
	ck_assert_str_eq(frame_kind_name(FRAME_GOAWAY), "goaway");
	for (unsigned kind = 0; kind < 256; kind++)
		ck_assert_int_eq(strcmp(frame_kind_name((uint8_t)kind), "unknown") != 0,
				 kind >= FRAME_HELLO && kind <= FRAME_GOAWAY);
}
END_TEST

/* ---- Hello ---------------------------------------------------------------------------- */

START_TEST(a_hello_is_30_bytes_and_may_grow)
{
	static const uint8_t expected[FRAME_HELLO_SIZE] = {
		1,    0,    4,    3,    2,    1,    8,    7,    6,    5,
		12,   11,   10,   9,    0x20, 0x1f, 0x1e, 0x1d, 0x1c, 0x1b,
		0x1a, 0x19, 0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,
	};
	struct frame_hello hello = {
		.version = FRAME_VERSION,
		.message_max = 0x01020304,
		.calls_max = 0x05060708,
		.window = 0x090a0b0c,
		.payload_max = 0x191a1b1c1d1e1f20,
		.schema = 0x2122232425262728,
	};
	struct frame_hello again = { 0 };
	uint8_t bytes[FRAME_HELLO_SIZE + 10] = { 0 };

	frame_hello_encode(&hello, bytes);
	ck_assert_mem_eq(bytes, expected, sizeof expected);
	for (size_t len = 0; len <= sizeof bytes; len++) {
		int r = frame_hello_decode(&again, bytes, len, &err);

		ck_assert_int_eq(r, len < FRAME_HELLO_SIZE ? -EPROTO : 0);
	}
	ck_assert_uint_eq(again.version, hello.version);
	ck_assert_uint_eq(again.message_max, hello.message_max);
	ck_assert_uint_eq(again.calls_max, hello.calls_max);
	ck_assert_uint_eq(again.window, hello.window);
	ck_assert_uint_eq(again.payload_max, hello.payload_max);
	ck_assert_uint_eq(again.schema, hello.schema);
}
END_TEST

/* ---- Metadata ------------------------------------------------------------------------- */

static const uint8_t trace[FRAME_TRACE_SIZE] = "0123456789abcdefspanid..";
static const uint8_t key[FRAME_IDEMPOTENCY_KEY_MAX] = { 0, 1, 255 };
static const char principal[] = "node1/teller";

static const struct frame_metadata full = {
	.trace = trace,
	.principal = principal,
	.principal_len = sizeof principal - 1,
	.idempotency_key = key,
	.idempotency_key_len = sizeof key,
};

START_TEST(metadata_comes_back_as_it_was_put)
{
	uint8_t bytes[FRAME_METADATA_MAX + 64];
	struct frame_metadata again;
	size_t size = frame_metadata_size(&full), used;

	ck_assert_uint_eq(size, 2 + 3 + 25 + 3 + 12 + 3 + 64);
	ck_assert_ptr_eq(frame_metadata_encode(&full, bytes), bytes + size);
	ck_assert_int_eq(frame_metadata_decode(&again, &used, bytes, sizeof bytes, &err), 0);
	ck_assert_uint_eq(used, size);
	ck_assert_mem_eq(again.trace, trace, sizeof trace);
	ck_assert_uint_eq(again.principal_len, full.principal_len);
	ck_assert_mem_eq(again.principal, principal, full.principal_len);
	ck_assert_uint_eq(again.idempotency_key_len, sizeof key);
	ck_assert_mem_eq(again.idempotency_key, key, sizeof key);
}
END_TEST

START_TEST(nothing_to_say_takes_no_bytes)
{
	struct frame_metadata nothing = { 0 };
	uint8_t byte = 42;

	ck_assert_uint_eq(frame_metadata_size(&nothing), 0);
	ck_assert_ptr_eq(frame_metadata_encode(&nothing, &byte), &byte);
	ck_assert_uint_eq(byte, 42);
}
END_TEST

START_TEST(an_empty_block_is_metadata_too)
{
	static const uint8_t empty[2];
	struct frame_metadata metadata;
	size_t used;

	ck_assert_int_eq(frame_metadata_decode(&metadata, &used, empty, sizeof empty, &err),
			 0);
	ck_assert_uint_eq(used, 2);
	ck_assert_ptr_null(metadata.trace);
	ck_assert_ptr_null(metadata.principal);
	ck_assert_ptr_null(metadata.idempotency_key);
}
END_TEST

START_TEST(metadata_cut_off_anywhere_is_refused)
{
	uint8_t bytes[FRAME_METADATA_MAX];
	struct frame_metadata again;
	size_t size = frame_metadata_size(&full), used;

	(void)frame_metadata_encode(&full, bytes);
	for (size_t len = 0; len < size; len++)
		ck_assert_int_eq(frame_metadata_decode(&again, &used, bytes, len, &err),
				 -EPROTO);
	/* Or cut off within the block. */
	for (size_t block = 1; block < size - 2; block++) {
		bool is_whole_records = block == 28 || block == 43;

		bytes[0] = (uint8_t)block;
		ck_assert_int_eq(frame_metadata_decode(&again, &used, bytes, size, &err),
				 is_whole_records ? 0 : -EPROTO);
	}
}
END_TEST

START_TEST(unknown_tags_are_skipped)
{
	static const uint8_t bytes[] = { 12, 0, 200, 2,   0, 'x', 'y', 2,
					 1,  0, 'p', 201, 0, 0,   'b' };
	struct frame_metadata metadata;
	size_t used;

	ck_assert_int_eq(frame_metadata_decode(&metadata, &used, bytes, sizeof bytes, &err),
			 0);
	ck_assert_uint_eq(used, 14);
	ck_assert_uint_eq(metadata.principal_len, 1);
}
END_TEST

static int decode(const char *records, size_t len)
{
	uint8_t bytes[1024] = { (uint8_t)len, (uint8_t)(len >> 8) };
	struct frame_metadata metadata;
	size_t used;

	memcpy(bytes + 2, records, len);
	return frame_metadata_decode(&metadata, &used, bytes, 2 + len, &err);
}

START_TEST(two_principals_are_refused)
{
	ck_assert_int_eq(decode("\2\1\0a", 4), 0);
	ck_assert_int_eq(decode("\2\1\0a\2\1\0a", 8), -EPROTO);
	ck_assert_int_eq(decode("\3\1\0a\3\1\0b", 8), -EPROTO);
	ck_assert_int_eq(decode("\1\x19\0"
				"0123456789abcdefghijklmno"
				"\1\x19\0"
				"0123456789abcdefghijklmno",
				56),
			 -EPROTO);
}
END_TEST

START_TEST(values_of_impossible_length_are_refused)
{
	char records[600] = { 2 };

	ck_assert_int_eq(decode("\2\0\0", 3), -EPROTO);
	ck_assert_int_eq(decode("\3\0\0", 3), -EPROTO);
	ck_assert_int_eq(decode("\1\x18\0"
				"0123456789abcdefghijklmn",
				27),
			 -EPROTO);
	ck_assert_int_eq(decode("\1\x1a\0"
				"0123456789abcdefghijklmnop",
				29),
			 -EPROTO);
	records[0] = 3;
	records[1] = 64;
	ck_assert_int_eq(decode(records, 3 + 64), 0);
	records[1] = 65;
	ck_assert_int_eq(decode(records, 3 + 65), -EPROTO);
	/* A block is at most FRAME_METADATA_MAX, whatever is in it. */
	memset(records, 'p', sizeof records);
	records[0] = 99;
	records[1] = (char)((FRAME_METADATA_MAX - 3) & 255);
	records[2] = (FRAME_METADATA_MAX - 3) >> 8;
	ck_assert_int_eq(decode(records, FRAME_METADATA_MAX), 0);
	records[1]++;
	ck_assert_int_eq(decode(records, FRAME_METADATA_MAX + 1), -EPROTO);
}
END_TEST

START_TEST(a_principal_has_no_control_bytes)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		char record[] = { 2, 3, 0, 'a', (char)byte, 'b' };

		ck_assert_int_eq(decode(record, sizeof record),
				 byte < ' ' || byte == 0x7f ? -EPROTO : 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tc = tcase_create("frame");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_header_is_32_little_endian_bytes);
	tcase_add_test(tc, takes_multiples_of_eight_in_a_ring);
	tcase_add_test(tc, accepts_what_a_sane_peer_says);
	tcase_add_test(tc, refuses_what_makes_no_sense_and_says_what);
	tcase_add_test(tc, the_short_check_agrees_with_the_long_one);
	tcase_add_test(tc, every_kind_has_a_name);
	tcase_add_test(tc, a_hello_is_30_bytes_and_may_grow);
	tcase_add_test(tc, metadata_comes_back_as_it_was_put);
	tcase_add_test(tc, nothing_to_say_takes_no_bytes);
	tcase_add_test(tc, an_empty_block_is_metadata_too);
	tcase_add_test(tc, metadata_cut_off_anywhere_is_refused);
	tcase_add_test(tc, unknown_tags_are_skipped);
	tcase_add_test(tc, two_principals_are_refused);
	tcase_add_test(tc, values_of_impossible_length_are_refused);
	tcase_add_test(tc, a_principal_has_no_control_bytes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
