#include <cell/internal/out.h>

#include "cell/text.h"

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What printing TABLE on a terminal of WIDTH columns gives; the caller's. */
static char *printed(const struct out_table *table, size_t width, bool is_colored)
{
	char *text = NULL;
	size_t size;
	struct out out = { .file = open_memstream(&text, &size),
			   .width = width,
			   .is_colored = is_colored };

	out_table_print(table, &out);
	fclose(out.file);
	return text;
}

static const struct out_column columns[] = {
	{ .title = "ID", .is_right = true },
	{ .title = "NAME" },
	{ .title = "NOTE", .may_shrink = true },
	{ 0 },
};

START_TEST(tables_line_up)
{
	struct out_table *table = out_table_new(columns);
	char *text;

	out_cell(table, OUT_PLAIN, "%d", 7);
	out_cell(table, OUT_BOLD, "%s", "gr\xc3\xbc\xc3\x9f");
	out_cell(table, OUT_PLAIN, "%s", "");
	out_cell(table, OUT_PLAIN, "%d", 123);
	out_cell(table, OUT_PLAIN, "%s", "x");
	out_cell(table, OUT_BAD, "%s", "bad");
	ck_assert_uint_eq(out_table_rows(table), 2);
	text = printed(table, SIZE_MAX, false);
	ck_assert_str_eq(text, " ID  NAME  NOTE\n  7  gr\xc3\xbc\xc3\x9f\n123  x     bad\n");
	free(text);
	text = printed(table, SIZE_MAX, true);
	ck_assert_ptr_nonnull(strstr(text, "\033[31mbad\033[0m"));
	free(text);
	out_table_free(table);
}
END_TEST

START_TEST(tables_fit_the_terminal)
{
	struct out_table *table = out_table_new(columns);
	char *text;

	out_cell(table, OUT_PLAIN, "1");
	out_cell(table, OUT_PLAIN, "name");
	out_cell(table, OUT_PLAIN, "a note that is far too long for this terminal");
	text = printed(table, 24, false);
	ck_assert_str_eq(strchr(text, '\n') + 1, " 1  name  a note that i\xe2\x80\xa6\n");
	free(text);
	out_table_free(table);
	table = out_table_new(columns);
	text = printed(table, 80, false);
	ck_assert_str_eq(text, "");
	free(text);
	out_table_free(table);
}
END_TEST

START_TEST(foreign_text_cannot_steer_the_terminal)
{
	char out[64], tiny[4];
	struct out_table *table = out_table_new(columns);
	char *text;

	ck_assert_str_eq(out_plain(out, sizeof out, "a\033[31mb\nc\x7f\xff?"),
			 "a?[31mb?c???");
	ck_assert_str_eq(out_plain(out, sizeof out, "\xe4\xb8\x96 \xc2\x9b"),
			 "\xe4\xb8\x96 ?");
	/* Cut at a character, not within one. */
	ck_assert_str_eq(out_plain(tiny, sizeof tiny, "ab\xe4\xb8\x96"), "ab");
	ck_assert_uint_eq(out_width("\xe4\xb8\x96x"), 3);
	out_cell(table, OUT_PLAIN, "1");
	out_cell(table, OUT_PLAIN, "%s", "\033]0;owned\a");
	out_cell(table, OUT_PLAIN, "%s", "b");
	text = printed(table, SIZE_MAX, false);
	ck_assert_ptr_null(strchr(text, '\033'));
	ck_assert_ptr_null(strchr(text, '\a'));
	free(text);
	out_table_free(table);
}
END_TEST

START_TEST(colours_are_for_terminals_only)
{
	struct out out;
	FILE *file = tmpfile();

	out = out_open(file, "auto");
	ck_assert(!out.is_colored && !out.is_terminal);
	ck_assert_str_eq(out_style(&out, OUT_BAD), "");
	out = out_open(file, "always");
	ck_assert_str_ne(out_style(&out, OUT_BAD), "");
	out = out_open(file, "never");
	ck_assert(!out.is_colored);
	fclose(file);
}
END_TEST

START_TEST(json_is_short_and_exact)
{
	json_t *value = json_loads(
		"{\"a\":[1,-2,0.1,1e300,1.0,true,null,\"\\u00e4\\n\\u0000\"],\"e\":{},"
		"\"l\":[],\"n\":123456789.123}",
		JSON_ALLOW_NUL, NULL);
	char *text = out_json_text(value, false);

	ck_assert_str_eq(
		text, "{\"a\":[1,-2,0.1,1e+300,1,true,null,\"\xc3\xa4\\n\\u0000\"],\"e\":{},"
		      "\"l\":[],\"n\":123456789.123}");
	free(text);
	text = out_json_text(value, true);
	ck_assert_ptr_nonnull(strstr(text, "{\n  \"a\": [\n    1,\n"));
	ck_assert_ptr_nonnull(strstr(text, "\"e\": {},"));
	free(text);
	json_decref(value);
}
END_TEST

START_TEST(numbers_are_for_people)
{
	char out[OUT_NUMBER_SIZE];

	ck_assert_str_eq(out_bytes(out, 0), "0B");
	ck_assert_str_eq(out_bytes(out, 1023), "1023B");
	ck_assert_str_eq(out_bytes(out, 1536), "1.5K");
	ck_assert_str_eq(out_bytes(out, 12900000), "12.3M");
	ck_assert_str_eq(out_count(out, 999), "999");
	ck_assert_str_eq(out_count(out, 12345), "12.3k");
	ck_assert_str_eq(out_count(out, 0.5), "0.5");
	ck_assert_str_eq(out_duration(out, 0), "0s");
	ck_assert_str_eq(out_duration(out, 850), "850ns");
	ck_assert_str_eq(out_duration(out, 3200000), "3.2ms");
	ck_assert_str_eq(out_duration(out, UINT64_C(123000000000)), "2m03s");
	ck_assert_str_eq(out_duration(out, UINT64_C(15000000000000)), "4h10m");
	ck_assert_str_eq(out_duration(out, UINT64_C(266400000000000)), "3d02h");
	ck_assert_uint_lt(strlen(out_duration(out, UINT64_MAX)), OUT_NUMBER_SIZE);
	ck_assert_uint_lt(strlen(out_bytes(out, UINT64_MAX)), OUT_NUMBER_SIZE);
}
END_TEST

START_TEST(floats_take_few_digits)
{
	char out[TEXT_NUMBER_SIZE];
	const double values[] = { 0.1,        1.0 / 3, 1e22, 5e-324, 1.7976931348623157e308,
				  123456.789, -0.0 };

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		text_double_write(out, values[i]);
		ck_assert(strtod(out, NULL) == values[i]);
	}
	text_double_write(out, 0.1);
	ck_assert_str_eq(out, "0.1");
	ck_assert(text_float_as_double(0.1f) == 0.1);
	ck_assert(text_float_as_double(16777216.0f) == 16777216.0);
}
END_TEST

START_TEST(base64_goes_there_and_back)
{
	uint8_t bytes[64], back[96];
	char text[TEXT_BASE64_SIZE(sizeof bytes)];
	size_t n;

	for (size_t len = 0; len <= sizeof bytes; len++) {
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)(i * 37 + len);
		text_base64_encode(text, bytes, len);
		ck_assert(text_base64_decode(back, &n, text, strlen(text)));
		ck_assert_uint_eq(n, len);
		ck_assert_mem_eq(back, bytes, len);
	}
	ck_assert(text_base64_decode(back, &n, "_-8", 3) && n == 2);
	ck_assert(!text_base64_decode(back, &n, "a", 1));
	ck_assert(!text_base64_decode(back, &n, "ab=c", 4));
	ck_assert(!text_base64_decode(back, &n, "abc=====", 8));
	ck_assert(!text_base64_decode(back, &n, "ab c", 4));
}
END_TEST

START_TEST(times_go_there_and_back)
{
	static const char *const good[] = {
		"0001-01-01T00:00:00Z",
		"1970-01-01T00:00:00Z",
		"2024-02-29T23:59:59.999999999Z",
		"9999-12-31T23:59:59Z",
	};
	static const char *const bad[] = {
		"",
		"2024-02-30T00:00:00Z",
		"2023-02-29T00:00:00Z",
		"2024-01-01T24:00:00Z",
		"2024-01-01T00:00:00",
		"2024-01-01 00:00:00Z",
		"0000-01-01T00:00:00Z",
		"2024-01-01T00:00:00.Z",
		"2024-01-01T00:00:00.1234567890Z",
		"2024-01-01T00:00:00+1:00",
		"9999-12-31T23:59:59-01:00",
		"0001-01-01T00:00:00+01:00",
	};
	char out[TEXT_TIME_SIZE];
	int64_t seconds;
	int32_t nanos;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		ck_assert_msg(text_timestamp_read(&seconds, &nanos, good[i]), "%s", good[i]);
		ck_assert(text_timestamp_write(out, seconds, nanos));
		ck_assert_str_eq(out, good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!text_timestamp_read(&seconds, &nanos, bad[i]), "%s", bad[i]);
	ck_assert(!text_timestamp_write(out, INT64_MAX, 0));
	ck_assert(!text_timestamp_write(out, 0, -1));
	ck_assert(text_duration_read(&seconds, &nanos, "-0.5s") && seconds == 0 &&
		  nanos == -500000000);
	ck_assert(text_duration_write(out, 0, -500000000));
	ck_assert_str_eq(out, "-0.500s");
	ck_assert(!text_duration_write(out, 1, -1));
	ck_assert(!text_duration_read(&seconds, &nanos, "s"));
	ck_assert(!text_duration_read(&seconds, &nanos, "999999999999999999999s"));
	ck_assert(!text_duration_read(&seconds, &nanos, "1.5"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cell/out");
	TCase *tc = tcase_create("out");
	SRunner *runner;
	int failed;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	tcase_add_test(tc, tables_line_up);
	tcase_add_test(tc, tables_fit_the_terminal);
	tcase_add_test(tc, foreign_text_cannot_steer_the_terminal);
	tcase_add_test(tc, colours_are_for_terminals_only);
	tcase_add_test(tc, json_is_short_and_exact);
	tcase_add_test(tc, numbers_are_for_people);
	tcase_add_test(tc, floats_take_few_digits);
	tcase_add_test(tc, base64_goes_there_and_back);
	tcase_add_test(tc, times_go_there_and_back);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
