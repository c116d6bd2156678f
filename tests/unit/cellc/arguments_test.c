/* What an attribute's arguments become, and what is said about those that are wrong. */
#include "help.h"

static const struct {
	const char *source;
	const char *values;
} rows[] = {
	{ "", "" },
	{ "\"a\"", "\"a\"" },
	{ "\"a\" /* and */ \"b\"", "\"ab\"" },
	{ "u8\"a\\x41\\102\\n\\u00fc\"", "\"aAB\n\xc3\xbc\"" },
	{ "R\"x(a\"])x\"", "\"a\"]\"" },
	{ "5, -5, +5, 0x10, 010, 0b101, 1'000, 5u, 5LL", "5, -5, 5, 16, 8, 5, 1000, 5, 5" },
	{ "9223372036854775807, -9223372036854775808",
	  "9223372036854775807, -9223372036854775808" },
	{ "1.5, -1.5e3, 2., .5f, 0x1p3", "1.5f, -1.5e3f, 2.f, .5f, 0x1p3f" },
	{ "'a', '\\n'", "97, 10" },
	{ "true, false, null, NULL", "true, false, null, null" },
	{ "name, default, struct", "name, default, struct" },
	{ "unique = true, name: \"x\"", "unique=true, name=\"x\"" },
	{ "indexes = [(\"email\", unique = true), \"id\"]",
	  "indexes=[(\"email\", unique=true), \"id\"]" },
	{ "{\"a\": [1, {\"b\": null}]}", "(a=[1, (b=null)])" },
	{ "[], (), {}", "[], (), ()" },
	{ "a[[1]]", "<a [ [ 1 ] ]>" },
	{ "balance >= 0", "<balance >= 0>" },
	{ "(a > b), ((a > b) && c)", "<( a > b )>, <( ( a > b ) && c )>" },
	{ "a => b, x <- y, a.b.c, $1, ...", "<a = > b>, <x < - y>, <a . b . c>, $1, <...>" },
	{ "/users/:id, 12:30:00", "</ users / : id>, <12 : 30 : 00>" },
	{ "1, 2,", "1, 2" },
	{ "(\"a\" \"b\"), (5), (-5)", "(\"ab\"), (5), (-5)" },
	/* Where macros are expanded before: stdbool.h and stddef.h of gcc. */
	{ "((_Bool)+1u), x = ((_Bool)+0u), ((void *)0)", "true, x=false, null" },
	/* Macros for one literal; see prelude. */
	{ "LIMIT, NEGATIVE, PARENTHESES, TEXT", "10, -7, 3, \"text\"" },
	{ "TEXT \"more\", x = TEXT", "\"textmore\", x=\"text\"" },
	{ "x > LIMIT", "<x > 10>" },
	{ "EXPRESSION, FUNCTION, EMPTY, GONE, LATER",
	  "EXPRESSION, FUNCTION, EMPTY, GONE, LATER" },
	{ "LIMIT = 1, REDEFINED", "LIMIT=1, 2" },
	{ "linux, __LINUX", "linux, 2" },
};

static const char prelude[] =
	"# 1 \"<built-in>\"\n#define linux 1\n#define __LINUX 2\n# 1 \"main.c\"\n"
	"#define LIMIT 10 /* ten */\n#define NEGATIVE -7\n"
	"#define PARENTHESES ((3))\n#define TEXT \"text\"\n"
	"#define EXPRESSION 1 + 1\n#define FUNCTION() 1\n#define EMPTY\n"
	"#define GONE 1\n#undef GONE\n#define REDEFINED 1\n#undef REDEFINED\n"
	"#define REDEFINED 2\n";

START_TEST(reads_values)
{
	static const struct diag_options options = { .as_json = true };
	char source[1024], want[512], *got;
	struct cell_arena arena;
	struct caught caught;
	struct scan scan;
	int r;

	snprintf(source, sizeof source, "%s[[db::x(%s)]];\n#define LATER 1\n", prelude,
		 rows[_i].source);
	snprintf(want, sizeof want, rows[_i].values[0] ? "db::x(%s)" : "db::x%s",
		 rows[_i].values);
	cell_arena_init(&arena, 0);
	caught_open(&caught, &options);
	r = scan_text(&scan, source, strlen(source), "main.c", &arena, caught.diag);
	ck_assert_str_eq(caught_close(&caught), "");
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(scan.n_attributes, 1);
	got = attribute_print(&scan.attributes[0]);
	ck_assert_str_eq(got, want);
	for (size_t i = 0; i < scan.attributes[0].n_values; i++)
		ck_assert_uint_le(scan.attributes[0].values[i].parent, i);
	free(got);
	cell_arena_deinit(&arena);
}
END_TEST

static const struct {
	const char *source; /* of [[db::x(…)]]; */
	unsigned column;
	const char *text;
} wrong[] = {
	{ "5ms", 9, "this is no number of C; write it as a string: \"5ms\"" },
	{ "a = 10MiB", 13, "this is no number of C; write it as a string: \"10MiB\"" },
	{ "1_000", 9, "this is no number of C; write it as a string: \"1_000\"" },
	{ "0..3", 9, "this is no number of C; write it as a string: \"0..3\"" },
	{ "08", 9, "this is no number of C; write it as a string: \"08\"" },
	{ "99999999999999999999", 9,
	  "this number has more than 64 bits: 99999999999999999999" },
	{ "9223372036854775808", 9,
	  "this number has more than 64 bits: 9223372036854775808" },
	{ "@", 9, "this is nothing that C knows; write it as a string" },
	{ "a, `b`", 12, "this is nothing that C knows; write it as a string" },
	{ "#a", 9, "this is nothing that C knows; write it as a string" },
	{ "\"\\q\"", 9, "this string has an escape that C does not know" },
	{ "\"a\\0b\"", 9, "a string must not hold a NUL" },
	{ "\"\\xff\"", 9, "this string is not UTF-8" },
	{ "'ab'", 9, "this is no character; strings have two quotes" },
	{ "a =", 11, "a value must follow '='" },
	{ "a, , b", 12, "there is nothing before this comma" },
	{ "{\"\": 1}", 10, "this is no name" },
};

START_TEST(says_what_is_wrong)
{
	static const struct diag_options options = { 0 };
	char source[256], want[256];
	struct cell_arena arena;
	struct caught caught;
	struct scan scan;

	snprintf(source, sizeof source, "[[db::x(%s)]];\n", wrong[_i].source);
	snprintf(want, sizeof want, "/none.c:1:%u: error: db::x: %s", wrong[_i].column,
		 wrong[_i].text);
	cell_arena_init(&arena, 0);
	caught_open(&caught, &options);
	ck_assert_int_lt(scan_text(&scan, source, strlen(source), "/none.c", &arena,
				   caught.diag),
			 0);
	caught_close(&caught);
	if (strncmp(caught.text, want, strlen(want)) != 0)
		ck_assert_str_eq(caught.text, want);
	ck_assert_ptr_nonnull(strstr(caught.text, "[-Wcell=db]\n"));
	cell_arena_deinit(&arena);
}
END_TEST

START_TEST(refuses_what_is_nested_too_deeply)
{
	static const struct diag_options options = { 0 };
	char source[512] = "[[db::x(";
	struct cell_arena arena;
	struct caught caught;
	struct scan scan;

	for (int i = 0; i < 100; i++)
		strcat(source, "[");
	for (int i = 0; i < 100; i++)
		strcat(source, "]");
	strcat(source, ")]];");
	cell_arena_init(&arena, 0);
	caught_open(&caught, &options);
	ck_assert_int_lt(scan_text(&scan, source, strlen(source), "/none.c", &arena,
				   caught.diag),
			 0);
	ck_assert_ptr_nonnull(strstr(caught_close(&caught), "this is nested too deeply"));
	cell_arena_deinit(&arena);
}
END_TEST

START_TEST(places_are_those_of_names_and_values)
{
	static const char source[] = "[[db::x(1, name = \"ab\",\n\t[three, 4])]];";
	static const struct place want[] = { { "a.c", 1, 9, 1 },
					     { "a.c", 1, 12, 11 },
					     { "a.c", 2, 2, 10 },
					     { "a.c", 2, 3, 5 },
					     { "a.c", 2, 10, 1 } };
	static const struct diag_options options = { 0 };
	struct cell_arena arena;
	struct caught caught;
	struct scan scan;

	cell_arena_init(&arena, 0);
	caught_open(&caught, &options);
	ck_assert_int_eq(scan_text(&scan, source, strlen(source), "a.c", &arena, caught.diag),
			 0);
	ck_assert_uint_eq(scan.attributes[0].n_values, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		const struct place *place = &scan.attributes[0].value_places[i];

		ck_assert_str_eq(place->file, want[i].file);
		ck_assert_uint_eq(place->line, want[i].line);
		ck_assert_uint_eq(place->column, want[i].column);
		ck_assert_uint_eq(place->width, want[i].width);
	}
	caught_close(&caught);
	cell_arena_deinit(&arena);
}
END_TEST

/* Where a byte of a value's text stands: LINE:COLUMN+WIDTH. */
static const struct {
	const char *source; /* of the value: from column 9 of line 1 on */
	size_t offset;
	const char *place;
} within[] = {
	{ "\"SELECT nmae\"", 7, "1:17+4" },
	{ "\"SELECT nmae\"", 9, "1:19+2" },
	{ "\"SELECT\"", 6, "1:16+0" },
	{ "\"SELECT\"", 99, "1:16+0" },
	{ "q = \"SELECT\"", 0, "1:14+6" },
	/* An escape is one byte, or several. */
	{ "\"a\\n\\x41\\101 b\"", 1, "1:11+0" },
	{ "\"a\\n\\x41\\101 b\"", 2, "1:13+0" },
	{ "\"a\\n\\x41\\101 b\"", 5, "1:22+1" },
	{ "\"\\u00fc b\"", 1, "1:10+0" },
	{ "\"\\u00fc b\"", 3, "1:17+1" },
	{ "u8\"ab\"", 1, "1:13+1" },
	{ "R\"x(a\\b)x\"", 2, "1:15+1" },
	/* Several literals, on several lines, and one that is continued. */
	{ "\"SELECT nmae \"\n\t\"FROM account\"", 12, "2:3+4" },
	{ "\"SELECT nmae \"\n\t\"FROM account\"", 11, "1:21+0" },
	{ "\"a\" \"b\" \"c\"", 2, "1:18+1" },
	{ "\"\" \"b\"", 0, "1:13+1" },
	{ "\"SELECT \\\nnmae\"", 7, "2:1+4" },
	{ "\"SELECT \\\nnmae\"", 8, "2:2+3" },
	/* A macro is there as a whole. */
	{ "TEXT \" more\"", 2, "1:9+4" },
	{ "TEXT \" more\"", 5, "1:16+4" },
	/* Expressions: the token. What is between two of them belongs to the first. */
	{ "balence  >=  0", 0, "1:9+7" },
	{ "balence  >=  0", 5, "1:9+7" },
	{ "balence  >=  0", 7, "1:9+7" },
	{ "balence  >=  0", 8, "1:18+2" },
	{ "balence  >=  0", 11, "1:22+1" },
	{ "balence  >=  0", 12, "1:22+1" },
	{ "a > /* b */ LIMIT && c", 4, "1:21+5" },
	{ "a > /* b */ LIMIT && c", 7, "1:27+2" },
	{ "a >\n  b", 4, "2:3+1" },
	{ "balance", 3, "1:9+7" },
	{ "-5", 0, "1:9+1" },
};

START_TEST(a_byte_of_a_text_has_a_place)
{
	static const struct diag_options options = { 0 };
	char source[512], got[64];
	struct cell_arena arena;
	struct caught caught;
	struct place place;
	struct scan scan;

	snprintf(source, sizeof source,
		 "# 1 \"main.c\"\n#define TEXT \"text\"\n#define LIMIT 10\n"
		 "# 1 \"main.c\"\n[[db::x(%s)]];\n",
		 within[_i].source);
	cell_arena_init(&arena, 0);
	caught_open(&caught, &options);
	ck_assert_int_eq(scan_text(&scan, source, strlen(source), "main.c", &arena,
				   caught.diag),
			 0);
	ck_assert_str_eq(caught_close(&caught), "");
	place = arguments_place(&scan.attributes[0].value_sources[0], &scan.lines,
				within[_i].offset, &arena);
	snprintf(got, sizeof got, "%u:%u+%u", place.line, place.column, place.width);
	ck_assert_str_eq(got, within[_i].place);
	ck_assert_str_eq(place.file, "main.c");
	cell_arena_deinit(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cellc/arguments");
	TCase *tc = tcase_create("arguments");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, reads_values, 0, COUNT(rows));
	tcase_add_loop_test(tc, says_what_is_wrong, 0, COUNT(wrong));
	tcase_add_test(tc, refuses_what_is_nested_too_deeply);
	tcase_add_test(tc, places_are_those_of_names_and_values);
	tcase_add_loop_test(tc, a_byte_of_a_text_has_a_place, 0, COUNT(within));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
