#include "log/recent.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t add(struct recent *recent, const char *cell, uint64_t instance,
		    uint64_t at_ns, const char *text)
{
	struct recent_line line = { .cell = cell,
				    .instance = instance,
				    .at_ns = at_ns,
				    .pid = 42,
				    .text = text,
				    .text_len = strlen(text),
				    .level = recent_level_of(text, strlen(text)) };

	return recent_add(recent, &line);
}

START_TEST(keeps_the_last_lines_whatever_their_size)
{
	struct recent *recent = recent_new(65536, 300);
	static char text[4096];
	unsigned seed = 7;

	for (uint64_t i = 1; i <= 20000; i++) {
		size_t len = (seed = seed * 1103515245 + 12345) >> 16 & 0xfff;
		const struct recent_line *line;

		/* A line whose length and content tell its number. */
		memset(text, 'a' + (int)(i % 26), len);
		snprintf(text + len / 2, sizeof text - len / 2, "#%lu", (unsigned long)i);
		ck_assert_uint_eq(add(recent, "greeter", i, i, text), i);
		ck_assert_uint_le(recent_bytes(recent), 65536);
		ck_assert_uint_le(recent_next(recent) - recent_oldest(recent), 300);
		line = recent_get(recent, i);
		ck_assert_str_eq(line->text, text);
		ck_assert_str_eq(line->cell, "greeter");
		/* The oldest is whole as well. */
		line = recent_get(recent, recent_oldest(recent));
		ck_assert_uint_eq(line->number, line->instance);
		ck_assert_uint_eq(strlen(line->text), line->text_len);
		ck_assert_ptr_nonnull(strchr(line->text, '#'));
		ck_assert_uint_eq(strtoul(strchr(line->text, '#') + 1, NULL, 10),
				  line->number);
	}
	ck_assert_ptr_null(recent_get(recent, recent_oldest(recent) - 1));
	ck_assert_ptr_null(recent_get(recent, recent_next(recent)));
	/* It is nearly full all the time, not half empty. */
	ck_assert_uint_gt(recent_bytes(recent), 50000);
	recent_free(recent);
	recent_free(NULL);
}
END_TEST

START_TEST(finds_what_a_query_wants)
{
	struct recent *recent = recent_new(65536, 100);
	const struct recent_query all = { 0 };
	const struct recent_query greeter = { .cell = "greeter" };
	const struct recent_query one = { .cell = "greeter", .instance = 2 };
	const struct recent_query bad = { .level = RECENT_WARN };
	const struct recent_query late = { .since_ns = 30 };
	const struct recent_query text = { .contains = "needle" };

	add(recent, "greeter", 1, 10, "level=info hello");
	add(recent, "dht", 1, 20, "level=warn oops");
	add(recent, "greeter", 2, 30, "plain needle text");
	add(recent, "dht", 1, 40, "level=debug x");
	ck_assert_uint_eq(recent_from(recent, &all, 0), 1);
	ck_assert_uint_eq(recent_from(recent, &all, 2), 3);
	ck_assert_uint_eq(recent_from(recent, &all, 99), 1);
	ck_assert_uint_eq(recent_from(recent, &greeter, 1), 3);
	ck_assert_uint_eq(recent_from(recent, &greeter, 2), 1);
	ck_assert_uint_eq(recent_from(recent, &one, 5), 3);
	ck_assert_uint_eq(recent_from(recent, &bad, 5), 2);
	ck_assert_uint_eq(recent_from(recent, &late, 5), 3);
	ck_assert_uint_eq(recent_from(recent, &text, 5), 3);
	/* A line that does not say how bad it is counts as ordinary. */
	ck_assert(!recent_matches(recent_get(recent, 3), &bad));
	ck_assert(recent_matches(recent_get(recent, 3),
				 &(struct recent_query){ .level = RECENT_INFO }));
	recent_free(recent);
}
END_TEST

START_TEST(reads_levels_from_lines)
{
	static const struct {
		const char *text;
		enum recent_level level;
	} lines[] = {
		{ "level=warn cell=x", RECENT_WARN },
		{ "ts=1 level=error msg", RECENT_ERR },
		{ "level=err", RECENT_ERR },
		{ "level=debug ", RECENT_DEBUG },
		{ "sublevel=warn level=info", RECENT_INFO },
		{ "level=loud", RECENT_NONE },
		{ "level=", RECENT_NONE },
		{ "nothing", RECENT_NONE },
		{ "", RECENT_NONE },
		{ "level=warnlevel=err", RECENT_NONE },
	};

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		ck_assert_int_eq(recent_level_of(lines[i].text, strlen(lines[i].text)),
				 lines[i].level);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log/recent");
	TCase *tc = tcase_create("recent");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, keeps_the_last_lines_whatever_their_size);
	tcase_add_test(tc, finds_what_a_query_wants);
	tcase_add_test(tc, reads_levels_from_lines);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
