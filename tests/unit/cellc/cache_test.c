#include "cellc/cache.h"

#include "cellc/key.h"
#include "said.h"

#include <stdlib.h>

static struct cell_arena arena;
static struct cell_error err;

static void setup(void)
{
	cell_arena_init(&arena, 0);
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct macro_line_source sources[] = { { 1, 1, 0, "" }, { 3, 1, 2, "owner" } };
static const struct macro_piece pieces[] = {
	{ .anchor = MACRO_ANCHOR_AFTER, .kind = MACRO_PIECE_KIND_INLINE, .text = "int a;\n",
	  .attribute = 1, .symbol = "", .ns = "db", .n_sources = 2, .sources = sources },
	{ .anchor = MACRO_ANCHOR_AFTER, .kind = MACRO_PIECE_KIND_DECL, .text = "int b;\n",
	  .attribute = 1, .symbol = "", .ns = "db" },
	{ .anchor = MACRO_ANCHOR_END, .kind = MACRO_PIECE_KIND_ONCE, .text = "int c;\n",
	  .attribute = 2, .symbol = "", .ns = "auth" },
	{ .anchor = MACRO_ANCHOR_WRAP, .kind = MACRO_PIECE_KIND_INLINE, .text = "int w;\n",
	  .attribute = 2, .symbol = "cell_30_f", .phase = 30, .ns = "auth" },
};
static const uint8_t digest[32] = { 1, 2, 3 }, body[] = { 0, 255, 10, 37 };
static const struct macro_declared declared[] = {
	{ .ns = "db", .name = "table account", .n_digest = 32, .digest = digest, .n_body = 4,
	  .body = body, .attribute = 1 },
};
static const struct macro_file files[] = { { .path = "gen/x.json", .n_content = 4, .content = body },
					   { .path = "empty" } };
static const char *const notes[] = { "do this", "or\nthat" };
static const struct macro_diagnostic warnings[] = {
	{ .severity = MACRO_DIAGNOSTIC_SEVERITY_WARNING, .attribute = 1, .value = 2,
	  .member = "owner", .text = "slow: 100 %", .n_notes = 2, .notes = notes, .ns = "db" },
};
static const struct macro_planned_symbol symbols[] = {
	{ .name = "account_get", .piece = MACRO_PIECE_KIND_INLINE, .attribute = 1 },
	{ .name = "account_cursor", .is_type = true, .piece = MACRO_PIECE_KIND_DECL },
};
static const struct macro_planned_use uses[] = { { "celldb", "app", 1 } };
static const struct macro_planned_field fields[] = { { "next", "struct account *", 1 } };
static const char *const headers[] = { "<time.h>" }, *const link_flags[] = { "-lm" };

static struct cached make(void)
{
	struct macro_plan plan = {
		.n_symbols = 2, .symbols = symbols, .n_uses = 1, .uses = uses, .n_fields = 1,
		.fields = fields, .n_headers = 1, .headers = headers, .n_link = 1,
		.link = link_flags,
	};
	struct macro_generated_code code = {
		.n_pieces = 4, .pieces = pieces, .n_declared = 1, .declared = declared,
		.n_files = 2, .files = files, .rename = "cell_body_f", .n_diagnostics = 1, .diagnostics = warnings,
	};
	struct cached cached;

	cache_make(&cached, &plan, &code, "struct:account", KEY, &arena);
	return cached;
}

START_TEST(each_piece_has_a_file_of_its_own)
{
	struct cached cached = make();

	ck_assert_str_eq(cached.paths[0], "db/struct-account-0123456789abcdef.c");
	ck_assert_str_eq(cached.paths[1], "db/struct-account-0123456789abcdef.2.c");
	ck_assert_str_eq(cached.paths[2], "auth/struct-account-0123456789abcdef.end.once.c");
	ck_assert_str_eq(cached.paths[3],
			 "auth/struct-account-0123456789abcdef.wrap.cell_30_f.c");
	ck_assert_str_eq(cached.hashes[0], key_hash("int a;\n", 7, &arena));
}
END_TEST

START_TEST(reads_what_it_writes)
{
	struct cached cached = make(), again;
	const char *text = cache_text(&cached, &arena);
	int r = cache_parse(&again, text, strlen(text), "x.plan", &arena, &err);

	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert_str_eq(cache_text(&again, &arena), text);
	ck_assert_uint_eq(again.code.n_pieces, 4);
	ck_assert_uint_eq(again.code.pieces[3].phase, 30);
	ck_assert_str_eq(again.code.pieces[3].symbol, "cell_30_f");
	ck_assert_str_eq(again.code.pieces[0].sources[1].member, "owner");
	ck_assert_str_eq(again.paths[2], cached.paths[2]);
	ck_assert_uint_eq(again.code.declared[0].n_body, 4);
	ck_assert(memcmp(again.code.declared[0].body, body, 4) == 0);
	ck_assert_str_eq(again.code.declared[0].name, "table account");
	ck_assert_str_eq(again.code.files[1].path, "empty");
	ck_assert_uint_eq(again.code.files[1].n_content, 0);
	ck_assert_str_eq(again.code.diagnostics[0].text, "slow: 100 %");
	ck_assert_str_eq(again.code.diagnostics[0].notes[1], "or\nthat");
	ck_assert_str_eq(again.plan.symbols[1].name, "account_cursor");
	ck_assert(again.plan.symbols[1].is_type);
	ck_assert_str_eq(again.plan.fields[0].type, "struct account *");
	ck_assert_str_eq(again.plan.uses[0].cell, "celldb");
	ck_assert_str_eq(again.plan.headers[0], "<time.h>");
	ck_assert_str_eq(again.plan.link[0], "-lm");
	ck_assert_str_eq(again.code.rename, "cell_body_f");
}
END_TEST

START_TEST(nothing_is_something)
{
	struct macro_plan plan = { 0 };
	struct macro_generated_code code = { .rename = "" };
	struct cached cached, again;
	const char *text;

	cache_make(&cached, &plan, &code, "file:cell.remote", KEY, &arena);
	text = cache_text(&cached, &arena);
	ck_assert_str_eq(text, "cell-expansion 1\n");
	ck_assert_int_eq(cache_parse(&again, text, strlen(text), "x", &arena, &err), 0);
}
END_TEST

static void refuses(const char *text)
{
	struct cached cached;

	ck_assert_msg(cache_parse(&cached, text, strlen(text), "x.plan", &arena, &err) < 0, "%s",
		      text);
	ck_assert_has(err.text, "x.plan:");
}

/* It is committed, so it comes from whoever sent the change. */
START_TEST(what_is_damaged_or_hostile_is_refused)
{
	refuses("");
	refuses("cell-expansion 2\n");
	refuses("cell-expansion 1\nsource 1 1 0 %\n");
	refuses("cell-expansion 1\nlink -Wl,-rpath,/tmp\n");
	refuses("cell-expansion 1\nlink @args\n");
	refuses("cell-expansion 1\nheader <../x.h>\n");
	refuses("cell-expansion 1\nfile ../x 00\n");
	refuses("cell-expansion 1\nfile /x 00\n");
	refuses("cell-expansion 1\nfile x 0\n");
	refuses("cell-expansion 1\nsymbol once name 1 a;b\n");
	refuses("cell-expansion 1\npiece after inline 1 0 % db ../../x blake2b:" KEY "\n");
	refuses("cell-expansion 1\npiece after inline 1 0 % db db/x.c " KEY "\n");
	refuses("cell-expansion 1\npiece nowhere inline 1 0 % db db/x.c blake2b:" KEY "\n");
	refuses("cell-expansion 1\nuse 99999999999 a app\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cache");
	TCase *tcase = tcase_create("cache");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, each_piece_has_a_file_of_its_own);
	tcase_add_test(tcase, reads_what_it_writes);
	tcase_add_test(tcase, nothing_is_something);
	tcase_add_test(tcase, what_is_damaged_or_hostile_is_refused);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
