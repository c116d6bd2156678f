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
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
