#include "cell/json.h"

#include "fixture.h"

#include <cell/arena.h>
#include <errno.h>
#include <unistd.h>

static struct schema *schema;
static const struct schema_message *item;
static struct cell_arena arena;
static struct cell_error err;

static void setup(void)
{
	schema = fixture_schema();
	item = fixture_message(schema, "Item");
	cell_arena_init(&arena, 0);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
	schema_release(schema);
}

/* Encode TEXT; the status. */
static int encode(const char *text, const uint8_t **ret_bytes, size_t *ret_len)
{
	json_t *value = NULL;
	int r = json_parse(&value, text, strlen(text), "request", &err);

	if (r == 0)
		r = json_to_bytes(item, value, "request", &arena, ret_bytes, ret_len, &err);
	json_decref(value);
	return r;
}

static void encodes_to(const char *text, const char *bytes, size_t len)
{
	const uint8_t *got = NULL;
	size_t got_len = 0;
	int r = encode(text, &got, &got_len);

	ck_assert_msg(r == 0, "%s: %s", text, err.text);
	ck_assert_msg(got_len == len && memcmp(got, bytes, len) == 0, "%s: %zu bytes", text,
		      got_len);
}
#define ENCODES(text, bytes) encodes_to(text, bytes, sizeof bytes - 1)

static void fails_with(const char *text, int code, const char *why)
{
	const uint8_t *bytes;
	size_t len;

	ck_assert_int_eq(encode(text, &bytes, &len), code);
	ck_assert_str_eq(err.text, why);
}
#define REFUSES(text, why) fails_with(text, CELL_INVALID_ARGUMENT, why)
#define RANGE(text, why)   fails_with(text, CELL_OUT_OF_RANGE, why)

static void decodes_to(const char *bytes, size_t len, unsigned flags, const char *text)
{
	json_t *got = NULL, *wanted = json_loads(text, 0, NULL);
	int r = json_from_bytes(item, (const uint8_t *)bytes, len, flags, "reply", &got,
				&err);
	char *dump;

	ck_assert_msg(r == 0, "%s: %s", text, err.text);
	dump = json_dumps(got, 0);
	ck_assert_msg(json_equal(got, wanted), "%s instead of %s", dump, text);
	free(dump);
	json_decref(got);
	json_decref(wanted);
}
#define DECODES(bytes, text) decodes_to(bytes, sizeof bytes - 1, 0, text)

static void breaks(const char *bytes, size_t len, const char *why)
{
	json_t *got;
	int r = json_from_bytes(item, (const uint8_t *)bytes, len, 0, "reply", &got, &err);

	ck_assert_int_eq(r, -EPROTO);
	ck_assert_str_eq(err.text, why);
}
#define BREAKS(bytes, why) breaks(bytes, sizeof bytes - 1, why)

START_TEST(encodes_each_kind_of_field)
{
	ENCODES("{}", "");
	ENCODES("{\"name\":\"ab\"}", "\x0a\x02"
				     "ab");
	ENCODES("{\"small\":-1}", "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	ENCODES("{\"large\":\"-9223372036854775808\"}",
		"\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
	ENCODES("{\"id\":18446744073709551615}",
		"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	ENCODES("{\"id\":\"18446744073709551615\"}",
		"\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	ENCODES("{\"count\":1e3}", "\x20\xe8\x07");
	ENCODES("{\"count\":2.0}", "\x20\x02");
	ENCODES("{\"delta\":-2}", "\x30\x03");
	ENCODES("{\"hash32\":1}", "\x45\x01\0\0\0");
	ENCODES("{\"lfixed\":\"-1\"}", "\x59\xff\xff\xff\xff\xff\xff\xff\xff");
	ENCODES("{\"ratio\":1.5}", "\x65\0\0\xc0\x3f");
	ENCODES("{\"ratio\":\"Infinity\"}", "\x65\0\0\x80\x7f");
	ENCODES("{\"exact\":\"NaN\"}", "\x69\0\0\0\0\0\0\xf8\x7f");
	ENCODES("{\"exact\":\"-1e2\"}", "\x69\0\0\0\0\0\0\x59\xc0");
	ENCODES("{\"exact\":18446744073709551616}", "\x69\0\0\0\0\0\0\xf0\x43");
	ENCODES("{\"is_good\":true,\"rawData\":\"-_8\"}", "\x70\x01\x7a\x02\xfb\xff");
	ENCODES("{\"raw_data\":\"+/8=\"}", "\x7a\x02\xfb\xff");
	ENCODES("{\"color\":\"COLOR_BLUE\"}",
		"\x80\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	ENCODES("{\"color\":77}", "\x80\x01\x4d");
	ENCODES("{\"color\":\"77\"}", "\x80\x01\x4d");
	ENCODES("{\"part\":{\"label\":\"x\"}}", "\x8a\x01\x03\x0a\x01x");
	ENCODES("{\"part\":{}}", "\x8a\x01\x00");
	ENCODES("{\"parts\":[{},{\"weight\":\"3\"}]}", "\x92\x01\x00\x92\x01\x02\x10\x03");
	ENCODES("{\"numbers\":[1,\"2\",300],\"tags\":[\"\",\"a\"]}",
		"\x9a\x01\x04\x01\x02\xac\x02\xa2\x01\x00\xa2\x01\x01"
		"a");
	ENCODES("{\"unpacked\":[1,-1]}", "\x80\x02\x02\x80\x02\x01");
	ENCODES("{\"byName\":{\"k\":{\"label\":\"v\"}}}",
		"\xaa\x01\x08\x0a\x01k\x12\x03\x0a\x01v");
	ENCODES("{\"by_number\":{\"-1\":\"v\"}}",
		"\xb2\x01\x0e\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x01v");
	ENCODES("{\"by_truth\":{\"true\":\"COLOR_RED\"}}", "\xba\x01\x04\x08\x01\x10\x01");
	ENCODES("{\"maybe\":0}", "\xd8\x01\x00");
	ENCODES("{\"middle\":0}", "\xd0\x01\x00");
	ENCODES("{\"other\":\"o\"}", "\x8a\x02\x01o");
	ENCODES("{\"renamed\":\"o\"}", "\x8a\x02\x01o");
	ENCODES("{\"madeAt\":\"1970-01-01T00:00:01.5Z\"}",
		"\xe2\x01\x08\x08\x01\x10\x80\xca\xb5\xee\x01");
	ENCODES("{\"madeAt\":\"1970-01-01T02:00:00+02:00\"}", "\xe2\x01\x00");
	ENCODES("{\"took\":\"-1.000000001s\"}",
		"\xea\x01\x16\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	ENCODES("{\"note\":\"\"}", "\xf2\x01\x02\x0a\x00");
	ENCODES("{\"bigNote\":\"5\"}", "\xfa\x01\x02\x08\x05");
	ENCODES("{\"inner\":{\"inner\":{\"count\":1}}}", "\xa2\x06\x05\xa2\x06\x02\x20\x01");
}
END_TEST

START_TEST(null_is_absence)
{
	ENCODES("{\"name\":null,\"part\":null,\"parts\":null,\"by_name\":null,\"left\":null}",
		"");
	ENCODES("{\"left\":null,\"middle\":1}", "\xd0\x01\x01");
	REFUSES("{\"tags\":[\"a\",null]}", "request.tags[1]: null cannot be in a list");
	REFUSES("{\"by_name\":{\"a\":null}}",
		"request.by_name[\"a\"]: null cannot be in a map");
}
END_TEST

START_TEST(names_the_path_of_what_is_wrong)
{
	REFUSES("{\"nmae\":\"x\"}", "request.nmae: no such field (did you mean \"name\"?)");
	REFUSES("{\"parts\":[{},{},{},{\"lable\":\"x\"}]}",
		"request.parts[3].lable: no such field (did you mean \"label\"?)");
	REFUSES("{\"by_name\":{\"k\":{\"zzz\":1}}}",
		"request.by_name[\"k\"].zzz: no such field in Part");
	REFUSES("{\"color\":\"COLOR_REDD\"}",
		"request.color: no such value of Color: 'COLOR_REDD' (did you mean \"COLOR_RED\"?)");
	REFUSES("{\"color\":\"green\"}", "request.color: no such value of Color: 'green'");
	REFUSES("{\"name\":5}", "request.name: wants a string, got a number");
	REFUSES("{\"name\":99999999999999999999}",
		"request.name: wants a string, got a number");
	REFUSES("{\"count\":true}", "request.count: wants an integer, got true or false");
	REFUSES("{\"count\":1.5}", "request.count: 1.5 is no integer");
	REFUSES("{\"count\":\"1x\"}", "request.count: '1x' is no integer");
	REFUSES("{\"count\":\"\"}", "request.count: '' is no integer");
	REFUSES("{\"is_good\":1}", "request.is_good: wants true or false, got a number");
	REFUSES("{\"raw_data\":\"a\"}",
		"request.raw_data: bytes are written in base64; this is none");
	REFUSES("{\"exact\":\"1,5\"}", "request.exact: '1,5' is no number");
	REFUSES("{\"part\":[]}", "request.part: wants an object, got a list");
	REFUSES("{\"parts\":{}}", "request.parts: wants a list, got an object");
	REFUSES("{\"by_name\":[]}", "request.by_name: wants an object, got a list");
	REFUSES("{\"by_truth\":{\"yes\":1}}",
		"request.by_truth[\"yes\"]: the key must be true or false");
	REFUSES("{\"left\":\"a\",\"middle\":1}",
		"request.left: only one of 'left' and 'middle' may be set (oneof choice)");
	REFUSES("{\"is_good\":true,\"isGood\":true}",
		"request.is_good: given twice, as 'is_good' and 'isGood'");
	REFUSES("{\"made_at\":\"2031-02-30T00:00:00Z\"}",
		"request.made_at: '2031-02-30T00:00:00Z' is no time, such as \"2031-05-06T07:08:09Z\"");
	REFUSES("{\"took\":\"5\"}", "request.took: '5' is no duration, such as \"1.5s\"");
	REFUSES("[]", "request: wants an object, got a list");
	REFUSES("\"x\"", "request: wants an object, got a string");
}
END_TEST

START_TEST(refuses_what_is_out_of_range)
{
	RANGE("{\"count\":-1}",
	      "request.count: out of range: uint32 goes from 0 to 4294967295");
	RANGE("{\"count\":4294967296}",
	      "request.count: out of range: uint32 goes from 0 to 4294967295");
	RANGE("{\"small\":2147483648}",
	      "request.small: out of range: int32 goes from -2147483648 to 2147483647");
	RANGE("{\"large\":9223372036854775808}",
	      "request.large: out of range: int64 goes from "
	      "-9223372036854775808 to 9223372036854775807");
	RANGE("{\"id\":18446744073709551616}",
	      "request.id: out of range: uint64 goes from 0 to 18446744073709551615");
	RANGE("{\"id\":\"99999999999999999999999\"}",
	      "request.id: out of range: uint64 goes from 0 to 18446744073709551615");
	RANGE("{\"id\":1e30}",
	      "request.id: out of range: uint64 goes from 0 to 18446744073709551615");
	RANGE("{\"numbers\":[1,2,3000000000]}",
	      "request.numbers[2]: out of range: int32 goes from -2147483648 to 2147483647");
	RANGE("{\"ratio\":1e39}", "request.ratio: out of range: float goes to 3.40282e+38");
	RANGE("{\"exact\":\"1e999\"}", "request.exact: out of range: 1e999");
	RANGE("{\"color\":2147483648}",
	      "request.color: out of range: an enum goes from -2147483648 to 2147483647");
	ENCODES("{\"large\":-9223372036854775808}",
		"\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
}
END_TEST

START_TEST(says_where_the_text_is_no_json)
{
	REFUSES("{\"name\": }", "request:1:10: unexpected token near '}'");
	REFUSES("{\"name\": \"a\",\n \"name\": \"b\"}",
		"request:2:7: duplicate object key near '\"name\"'");
	REFUSES("", "request:1:0: unexpected token near end of file");
}
END_TEST

START_TEST(decodes_each_kind_of_field)
{
	DECODES("", "{}");
	DECODES("\x0a\x02"
		"ab",
		"{\"name\":\"ab\"}");
	DECODES("\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"{\"id\":\"18446744073709551615\"}");
	DECODES("\x30\x03\x65\0\0\xc0\x3f", "{\"delta\":-2,\"ratio\":1.5}");
	DECODES("\x65\xcd\xcc\xcc\x3d", "{\"ratio\":0.1}");
	DECODES("\x65\0\0\x80\xff\x69\0\0\0\0\0\0\xf8\x7f",
		"{\"ratio\":\"-Infinity\",\"exact\":\"NaN\"}");
	DECODES("\x7a\x02\xfb\xff", "{\"rawData\":\"+/8=\"}");
	DECODES("\x80\x01\x4d", "{\"color\":77}");
	DECODES("\x80\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"{\"color\":\"COLOR_BLUE\"}");
	/* Zero on the wire is as good as absent, where that cannot be told. */
	DECODES("\x20\x00\x0a\x00\xd8\x01\x00\xd0\x01\x00", "{\"maybe\":0,\"middle\":0}");
	/* The last of a oneof, and of a scalar, wins. */
	DECODES("\xc2\x01\x01"
		"a\xd0\x01\x07",
		"{\"middle\":7}");
	DECODES("\xd0\x01\x07\xc2\x01\x01"
		"a",
		"{\"left\":\"a\"}");
	DECODES("\x20\x01\x20\x02", "{\"count\":2}");
	/* Messages that come in pieces are merged. */
	DECODES("\x8a\x01\x03\x0a\x01x\x8a\x01\x02\x10\x03",
		"{\"part\":{\"label\":\"x\",\"weight\":\"3\"}}");
	/* Packed or not, whatever was declared. */
	DECODES("\x98\x01\x01\x9a\x01\x02\x02\x03\x98\x01\x04", "{\"numbers\":[1,2,3,4]}");
	DECODES("\x82\x02\x02\x02\x01", "{\"unpacked\":[\"1\",\"-1\"]}");
	DECODES("\xaa\x01\x00\xaa\x01\x03\x0a\x01k", "{\"byName\":{\"\":{},\"k\":{}}}");
	DECODES("\xb2\x01\x05\x08\x05\x12\x01v", "{\"byNumber\":{\"5\":\"v\"}}");
	DECODES("\xba\x01\x00", "{\"byTruth\":{\"false\":\"COLOR_NONE\"}}");
	DECODES("\xe2\x01\x08\x08\x01\x10\x80\xca\xb5\xee\x01",
		"{\"madeAt\":\"1970-01-01T00:00:01.500Z\"}");
	DECODES("\xe2\x01\x00\xea\x01\x00\xf2\x01\x00\xfa\x01\x00",
		"{\"madeAt\":\"1970-01-01T00:00:00Z\",\"took\":\"0s\",\"note\":\"\",\"bigNote\":\"0\"}");
	/* What is not in the schema, or has another wire type, is skipped. */
	DECODES("\xc0\x3e\x01\x22\x01z\x0d\x01\x02\x03\x04\x20\x05", "{\"count\":5}");
}
END_TEST

START_TEST(emits_defaults_when_asked)
{
	json_t *got = NULL;

	ck_assert_int_eq(json_from_bytes(item, NULL, 0, JSON_EMIT_DEFAULTS, "reply", &got,
					 &err),
			 0);
	ck_assert_str_eq(json_string_value(json_object_get(got, "name")), "");
	ck_assert_str_eq(json_string_value(json_object_get(got, "id")), "0");
	ck_assert_int_eq(json_integer_value(json_object_get(got, "count")), 0);
	ck_assert_str_eq(json_string_value(json_object_get(got, "color")), "COLOR_NONE");
	ck_assert(json_is_array(json_object_get(got, "parts")));
	ck_assert(json_is_object(json_object_get(got, "byName")));
	ck_assert_ptr_null(json_object_get(got, "part"));
	ck_assert_ptr_null(json_object_get(got, "maybe"));
	ck_assert_ptr_null(json_object_get(got, "left"));
	json_decref(got);
}
END_TEST

START_TEST(refuses_bytes_that_are_no_message)
{
	BREAKS("\x0a", "reply: cell.fixture.v1.Item.name: it is cut short");
	BREAKS("\x0a\x05"
	       "ab",
	       "reply: cell.fixture.v1.Item.name: it is cut short");
	BREAKS("\x0a\x01\xff", "reply: cell.fixture.v1.Item.name: not UTF-8 text");
	BREAKS("\x45\x01", "reply: cell.fixture.v1.Item.hash32: it is cut short");
	BREAKS("\x9a\x01\x01\x80",
	       "reply: cell.fixture.v1.Item.numbers: its items are cut short");
	BREAKS("\x00", "reply: cell.fixture.v1.Item: a field's tag makes no sense");
	BREAKS("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	       "reply: cell.fixture.v1.Item: a field's tag makes no sense");
	BREAKS("\x8a\x01\x02\x0a\x05",
	       "reply: cell.fixture.v1.Item.Part.label: it is cut short");
	BREAKS("\xe2\x01\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
	       "reply: google.protobuf.Timestamp.seconds: it is cut short");
	BREAKS("\xe2\x01\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	       "reply: google.protobuf.Timestamp: out of range");
}
END_TEST

START_TEST(bounds_nesting_both_ways)
{
	enum { LEVELS = 3000 };
	static char text[LEVELS * 11];
	static uint8_t bytes[LEVELS * 4];
	size_t n = 0, at = sizeof bytes, len = 0;
	const uint8_t *out;
	json_t *got = NULL;
	size_t out_len;

	for (int i = 0; i < 150; i++)
		n += (size_t)sprintf(text + n, "{\"inner\":");
	n += (size_t)sprintf(text + n, "{}");
	memset(text + n, '}', 150);
	ck_assert_int_eq(encode(text, &out, &out_len), CELL_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(err.text, "messages nest more than 100 deep"));

	for (int i = 0; i < LEVELS / 2; i++) {
		uint8_t varint[3];
		size_t k = 0;

		for (size_t rest = len; k == 0 || rest; rest >>= 7)
			varint[k++] = (uint8_t)((rest & 0x7f) | (rest >> 7 ? 0x80 : 0));
		at -= k + 2;
		bytes[at] = 0xa2;
		bytes[at + 1] = 0x06;
		memcpy(bytes + at + 2, varint, k);
		len += k + 2;
	}
	ck_assert_int_eq(json_from_bytes(item, bytes + at, len, 0, "reply", &got, &err),
			 -EPROTO);
}
END_TEST

START_TEST(bounds_what_small_bytes_become)
{
	size_t len = JSON_VALUES_MAX / 10;
	uint8_t *bytes = malloc(2 * len);
	json_t *got;

	/* Millions of empty messages, each with room for its 36 fields. */
	for (size_t i = 0; i < len; i++) {
		bytes[2 * i] = 0xa2;
		bytes[2 * i + 1] = 0x06;
	}
	for (size_t i = 0; i < 2 * len; i += 4)
		memcpy(bytes + i, "\x92\x01\x00\x20", 4 - (i + 4 > 2 * len));
	ck_assert_int_lt(json_from_bytes(item, bytes, 2 * len, 0, "reply", &got, &err), 0);
	free(bytes);
}
END_TEST

START_TEST(examples_encode)
{
	json_t *example = json_example(item);
	const uint8_t *bytes;
	size_t len;

	ck_assert_ptr_nonnull(example);
	ck_assert_ptr_nonnull(json_object_get(example, "byName"));
	ck_assert_msg(json_to_bytes(item, example, "request", &arena, &bytes, &len, &err) ==
			      0,
		      "%s", err.text);
	json_decref(example);
}
END_TEST

static void hex_read(char *hex, size_t *ret_len)
{
	size_t n = 0;

	for (char *at = hex; at[0] && at[1]; at += 2) {
		unsigned byte;

		ck_assert_int_eq(sscanf(at, "%2x", &byte), 1);
		hex[n++] = (char)byte;
	}
	*ret_len = n;
}

/* One line of the oracle: bytes and JSON must lead to each other. */
static void oracle_line(char *line)
{
	char *text = strchr(line, '\t');
	json_t *wanted = NULL, *got = NULL, *again = NULL;
	const uint8_t *bytes;
	size_t len;
	int r;

	ck_assert_ptr_nonnull(text);
	*text++ = '\0';
	r = json_parse(&wanted, text, strlen(text), "oracle", &err);
	ck_assert_msg(r == 0, "%s: %s", text, err.text);
	hex_read(line, &len);
	r = json_from_bytes(item, (uint8_t *)line, len, 0, "reply", &got, &err);
	ck_assert_msg(r == 0, "%s: %s", text, err.text);
	if (!json_equal(got, wanted))
		ck_abort_msg("%s\ninstead of\n%s", json_dumps(got, 0), text);
	r = json_to_bytes(item, wanted, "request", &arena, &bytes, &len, &err);
	ck_assert_msg(r == 0, "%s: %s", text, err.text);
	r = json_from_bytes(item, bytes, len, 0, "again", &again, &err);
	ck_assert_msg(r == 0, "%s: %s", text, err.text);
	ck_assert_msg(json_equal(again, wanted), "%s", text);
	json_decref(wanted);
	json_decref(got);
	json_decref(again);
}

START_TEST(agrees_with_another_implementation)
{
	const char *top = getenv("CELL_TOP") ? getenv("CELL_TOP") : ".";
	char path[] = "/tmp/json_test.XXXXXX", command[1024];
	char *line = NULL;
	size_t len, size = 0, n = 0;
	uint8_t *bytes;
	FILE *pipe;
	int fd;

	/* Not everybody has it; then the fixed vectors must do. */
	if (system("/usr/bin/python3 -c 'import google.protobuf' 2>/dev/null") != 0)
		return;
	bytes = fixture_bytes(&len);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	free(bytes);
	close(fd);
	snprintf(command, sizeof command,
		 "/usr/bin/python3 %s/tests/unit/cell/json_oracle.py %s 1 400", top, path);
	pipe = popen(command, "re");
	ck_assert_ptr_nonnull(pipe);
	for (; getline(&line, &size, pipe) > 0; n++)
		oracle_line(line);
	free(line);
	unlink(path);
	ck_assert_int_eq(pclose(pipe), 0);
	ck_assert_uint_eq(n, 400);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cell/json");
	TCase *tc = tcase_create("json");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, encodes_each_kind_of_field);
	tcase_add_test(tc, null_is_absence);
	tcase_add_test(tc, names_the_path_of_what_is_wrong);
	tcase_add_test(tc, refuses_what_is_out_of_range);
	tcase_add_test(tc, says_where_the_text_is_no_json);
	tcase_add_test(tc, decodes_each_kind_of_field);
	tcase_add_test(tc, emits_defaults_when_asked);
	tcase_add_test(tc, refuses_bytes_that_are_no_message);
	tcase_add_test(tc, bounds_nesting_both_ways);
	tcase_add_test(tc, bounds_what_small_bytes_become);
	tcase_add_test(tc, examples_encode);
	tcase_add_test(tc, agrees_with_another_implementation);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
