#include "cell/tapped.h"

#include "fixture.h"
#include "libcell/frame.h"

static struct schema *schema;
static const struct schema_message *item;

static void setup(void)
{
	schema = fixture_schema();
	item = fixture_message(schema, "Item");
}

static void teardown(void)
{
	schema_release(schema);
}

/* small = 5, name = "hello, reader" */
static const uint8_t body[17] = { 0x10, 5, 0x0a, 13, 'h', 'e', 'l', 'l', 'o', ',', ' ',
				  'r', 'e', 'a', 'd', 'e', 'r' };
static const char body_json[] = "{\"name\":\"hello, reader\",\"small\":5}";

/*
 * The same behind a metadata block (16 bytes: an unknown tag 10 with 13 bytes) that reads like
 * part of a message: small = 0, a name of 13 bytes, and another one of all but the first byte
 * of the body.
 */
static const uint8_t ambiguous[18 + sizeof body] = {
	16, 0, 10, 13, 0, 'm', 'e', 't', 'a', 'd', 'a', 't', 'a', 0, 0, 0, 0, 0x0a,
	0x10, 5, 0x0a, 13, 'h', 'e', 'l', 'l', 'o', ',', ' ', 'r', 'e', 'a', 'd', 'e', 'r'
};

/* And behind one that does not: a trace context. */
static size_t with_trace(uint8_t out[64])
{
	static const uint8_t trace[FRAME_TRACE_SIZE] = { 0xff, 0xff, 0xff };
	uint8_t *end = frame_metadata_encode(&(struct frame_metadata){ .trace = trace }, out);

	memcpy(end, body, sizeof body);
	return (size_t)(end - out) + sizeof body;
}

static void expect(const struct ops_tap_frame *frame, const struct schema_message *type,
		   const char *wanted)
{
	json_t *value = tapped_body(frame, type);
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	ck_assert_str_eq(text, wanted);
	free(text);
	json_decref(value);
}

static struct ops_tap_frame request(const uint8_t *bytes, size_t len)
{
	return (struct ops_tap_frame){
		.kind = FRAME_REQUEST, .length = (uint32_t)len, .n_body = len, .body = bytes,
	};
}

START_TEST(flags_say_where_the_message_begins)
{
	struct ops_tap_frame frame = request(body, sizeof body);
	uint8_t bytes[64];

	frame.has_flags = true;
	expect(&frame, item, body_json);
	frame = request(bytes, with_trace(bytes));
	frame.has_flags = true;
	frame.flags = FRAME_FLAG_METADATA | FRAME_FLAG_IDEMPOTENT;
	expect(&frame, item, body_json);
	frame = request(ambiguous, sizeof ambiguous);
	frame.has_flags = true;
	frame.flags = FRAME_FLAG_METADATA;
	expect(&frame, item, body_json);
	/* Metadata where the flags say none is no message. */
	frame = request(bytes, with_trace(bytes));
	frame.has_flags = true;
	expect(&frame, item, "\"(47 bytes)\"");
}
END_TEST

START_TEST(without_flags_it_is_guessed)
{
	struct ops_tap_frame frame = request(body, sizeof body);
	uint8_t bytes[64];

	expect(&frame, item, body_json);
	frame = request(bytes, with_trace(bytes));
	expect(&frame, item, body_json);
}
END_TEST

START_TEST(what_cannot_be_shown_tells_its_length)
{
	struct ops_tap_frame frame = request(body, sizeof body);

	expect(&frame, NULL, "\"(17 bytes)\"");
	frame.length = 100000; /* more than was copied */
	expect(&frame, item, "\"(100000 bytes)\"");
	frame = (struct ops_tap_frame){ .kind = FRAME_REQUEST, .length = 1 << 20,
					.has_flags = true, .flags = FRAME_FLAG_MEMFD };
	expect(&frame, item, "\"(1048576 bytes by reference)\"");
	frame = request((const uint8_t[]){ 0xff }, 1);
	expect(&frame, item, "\"(1 bytes)\"");
	frame.has_flags = true;
	frame.flags = FRAME_FLAG_METADATA;
	expect(&frame, item, "\"(1 bytes)\"");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tapped");
	TCase *tc = tcase_create("tapped");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, flags_say_where_the_message_begins);
	tcase_add_test(tc, without_flags_it_is_guessed);
	tcase_add_test(tc, what_cannot_be_shown_tells_its_length);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
