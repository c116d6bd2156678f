/*
 * The text of tables: three compilers take it without a warning, and its functions hand their
 * arguments on as they should. The runtime is played by the program itself, which writes down
 * what it was called with.
 */
#include "fixture.h"

static const char *const compilers[] = { "gcc", "clang-14", "clang-19" };
#define N_COMPILERS ((int)(sizeof compilers / sizeof *compilers))

/* What stands before the struct: a runtime that prints rows by the descriptor. */
static const char runtime[] =
	"#define cell_table_get fake_get\n"
	"#define cell_table_put fake_put\n"
	"#define cell_table_insert fake_insert\n"
	"#define cell_table_update fake_update\n"
	"#define cell_table_delete fake_delete\n"
	"#define cell_table_put_all fake_put_all\n"
	"#define cell_table_count fake_count\n"
	"#define cell_table_scan fake_scan\n"
	"#define cell_table_watch fake_watch\n"
	"#define cell_cursor_next fake_next\n"
	"#define cell_cursor_end fake_end\n"
	"static char said[4096];\n"
	"#define SAY(...) snprintf(said + strlen(said), sizeof said - strlen(said), __VA_ARGS__)\n"
	"static void say_column(const struct cell_column *c, const char *row)\n"
	"{\n"
	"	const void *at = row + c->offset;\n"
	"	const char *text;\n"
	"	size_t n;\n"
	"	if (c->has_offset != UINT32_MAX && !*(const bool *)(const void *)(row + c->has_offset)) {\n"
	"		SAY(\" %s=NULL\", c->name);\n"
	"		return;\n"
	"	}\n"
	"	switch (c->kind) {\n"
	"	case CELL_COLUMN_BOOL: SAY(\" %s=%d\", c->name, *(const bool *)at); break;\n"
	"	case CELL_COLUMN_INT32: SAY(\" %s=%d\", c->name, *(const int32_t *)at); break;\n"
	"	case CELL_COLUMN_ENUM: SAY(\" %s=%d\", c->name, *(const int *)at); break;\n"
	"	case CELL_COLUMN_INT64: SAY(\" %s=%lld\", c->name, (long long)*(const int64_t *)at); break;\n"
	"	case CELL_COLUMN_UINT64: SAY(\" %s=%llu\", c->name, (unsigned long long)*(const uint64_t *)at); break;\n"
	"	case CELL_COLUMN_TEXT: SAY(\" %s='%s'\", c->name, *(const char *const *)at); break;\n"
	"	case CELL_COLUMN_CHARS: SAY(\" %s='%.*s'\", c->name, (int)c->size, (const char *)at); break;\n"
	"	case CELL_COLUMN_BYTES:\n"
	"		memcpy(&n, row + c->count_offset, sizeof n);\n"
	"		memcpy(&text, at, sizeof text);\n"
	"		SAY(\" %s=%zu:%.*s\", c->name, n, (int)n, text);\n"
	"		break;\n"
	"	case CELL_COLUMN_BLOCK: SAY(\" %s=%zu:%02x\", c->name, (size_t)c->size, *(const uint8_t *)at); break;\n"
	"	default: SAY(\" %s=?\", c->name);\n"
	"	}\n"
	"}\n"
	"static void say_key(const struct cell_table *t, unsigned key, const void *row, unsigned n)\n"
	"{\n"
	"	for (unsigned i = 0; i < n; i++)\n"
	"		say_column(&t->columns[t->keys[key].columns[i]], row);\n"
	"}\n"
	"static int fake_get(struct cell_call *call, const struct cell_table *t, unsigned key, const void *row, void *ret)\n"
	"{ (void)call; (void)ret; SAY(\"get %s %u\", t->name, key); say_key(t, key, row, t->keys[key].n); return 0; }\n"
	"static int fake_put(struct cell_call *call, const struct cell_table *t, const void *row)\n"
	"{ (void)call; SAY(\"put %s\", t->name); say_key(t, 0, row, t->keys[0].n); return 0; }\n"
	"static int fake_insert(struct cell_call *call, const struct cell_table *t, void *row)\n"
	"{ (void)call; SAY(\"insert %s\", t->name); say_key(t, 0, row, t->keys[0].n); return 0; }\n"
	"static int fake_update(struct cell_call *call, const struct cell_table *t, const void *row)\n"
	"{ (void)call; SAY(\"update %s\", t->name); say_key(t, 0, row, t->keys[0].n); return 0; }\n"
	"static int fake_delete(struct cell_call *call, const struct cell_table *t, const void *row)\n"
	"{ (void)call; SAY(\"delete %s\", t->name); say_key(t, 0, row, t->keys[0].n); return 0; }\n"
	"static int fake_put_all(struct cell_call *call, const struct cell_table *t, const void *rows, size_t n)\n"
	"{ (void)call; (void)rows; SAY(\"put_all %s %zu\", t->name, n); return 0; }\n"
	"static int fake_count(struct cell_call *call, const struct cell_table *t, uint64_t *ret)\n"
	"{ (void)call; SAY(\"count %s\", t->name); *ret = 7; return 0; }\n"
	"static struct cell_cursor fake_scan(struct cell_call *call, const struct cell_table *t, const struct cell_scan *s)\n"
	"{\n"
	"	SAY(\"scan %s %u from\", t->name, s->key);\n"
	"	say_key(t, s->key, s->from, s->n_from);\n"
	"	SAY(\" to\");\n"
	"	say_key(t, s->key, s->to, s->n_to);\n"
	"	SAY(\"%s%s\", s->is_prefix ? \" prefix\" : \"\", s->is_backwards ? \" back\" : \"\");\n"
	"	return (struct cell_cursor){ .call = call };\n"
	"}\n"
	"static struct cell_cursor fake_watch(struct cell_call *call, const struct cell_table *t, uint64_t after)\n"
	"{ SAY(\"watch %s %llu\", t->name, (unsigned long long)after); return (struct cell_cursor){ .call = call }; }\n"
	"static const void *given;\n"
	"static void *fake_next(struct cell_cursor *cursor)\n"
	"{ const void *now = given; (void)cursor; given = NULL; return (void *)(uintptr_t)now; }\n"
	"static int fake_end(struct cell_cursor *cursor) { SAY(\"end\"); return cursor->err; }\n"
	"static int failed;\n"
	"static void wants(const char *wanted)\n"
	"{\n"
	"	if (strcmp(said, wanted) != 0) {\n"
	"		printf(\"said '%s', wanted '%s'\\n\", said, wanted);\n"
	"		failed = 1;\n"
	"	}\n"
	"	said[0] = 0;\n"
	"}\n";

static void runs(const char *compiler, const char *source)
{
	static char output[1 << 14];
	char *all;
	int status;

	ck_assert_int_ge(asprintf(&all, "%s%s", runtime, source), 0);
	fixture_expand(all);
	ck_assert_str_eq(fixture.result.diagnostics, "");
	status = expansion_can_run(compiler)
			 ? expansion_run(compiler, fixture.result.text, output, sizeof output)
			 : 0;
	ck_assert_msg(status == 0, "%s: %d: %.3000s", compiler, status, output);
	free(all);
}

/* --- the bank ------------------------------------------------------------------------ */

static const char bank[] =
	"struct [[db::table]] account {\n"
	"	[[db::key]]                 uint64_t    id;\n"
	"	[[db::unique]]              const char *owner;\n"
	"	[[db::check(balance >= 0)]] int64_t     balance;\n"
	"};\n"
	"static int next_and_end(struct cell_call *call)\n"
	"{\n"
	"	struct account_cursor all = account_each(call);\n"
	"	static const struct account row = { .id = 3 };\n"
	"	uint64_t sum = 0;\n"
	"	given = &row;\n"
	"	for (struct account *a; (a = account_next(&all)); )\n"
	"		sum += a->id;\n"
	"	return account_end(&all) || sum != 3;\n"
	"}\n"
	"static int changes(struct cell_call *call)\n"
	"{\n"
	"	static const struct account row = { .id = 4 };\n"
	"	static const struct cell_change change = { .at = 9, .row = &row };\n"
	"	struct account_change_cursor all = account_watch(call, 8);\n"
	"	const struct account_change *c;\n"
	"	given = &change;\n"
	"	c = account_change_next(&all);\n"
	"	if (!c || c->at != 9 || c->before || !c->row || c->row->id != 4)\n"
	"		return 1;\n"
	"	return account_change_next(&all) || account_change_end(&all);\n"
	"}\n"
	"int main(void)\n"
	"{\n"
	"	struct cell_call *call = cell_open(\"text\");\n"
	"	struct account a = { .id = 5, .owner = \"ada\" };\n"
	"	uint64_t n;\n"
	"	failed |= account_get(call, 9, &a); wants(\"get account 0 id=9\");\n"
	"	failed |= account_put(call, &a); wants(\"put account id=5\");\n"
	"	failed |= account_insert(call, &a); wants(\"insert account id=5\");\n"
	"	failed |= account_update(call, &a); wants(\"update account id=5\");\n"
	"	failed |= account_delete(call, 6); wants(\"delete account id=6\");\n"
	"	failed |= account_put_all(call, &a, 1); wants(\"put_all account 1\");\n"
	"	failed |= account_count(call, &n) || n != 7; wants(\"count account\");\n"
	"	failed |= account_by_owner(call, \"bob\", &a); wants(\"get account 1 owner='bob'\");\n"
	"	account_each_back(call); wants(\"scan account 0 from to back\");\n"
	"	account_each_from(call, 7); wants(\"scan account 0 from id=7 to\");\n"
	"	account_each_between(call, 7, 8); wants(\"scan account 0 from id=7 to id=8\");\n"
	"	account_by_owner_from(call, \"b\"); wants(\"scan account 1 from owner='b' to\");\n"
	"	account_by_owner_between(call, \"b\", \"c\"); wants(\"scan account 1 from owner='b' to owner='c'\");\n"
	"	account_by_owner_with_prefix(call, \"b\"); wants(\"scan account 1 from owner='b' to prefix\");\n"
	"	failed |= next_and_end(call); wants(\"scan account 0 from toend\");\n"
	"	failed |= changes(call); wants(\"watch account 8end\");\n"
	"	cell_close(call);\n"
	"	return failed;\n"
	"}\n";

START_TEST(the_bank_does_what_it_says)
{
	runs(compilers[_i], bank);
}
END_TEST

/* --- every kind ---------------------------------------------------------------------- */

static const char wide[] =
	"enum kind { PLAIN = 0, FANCY = 3 };\n"
	"typedef enum { RED, GREEN } color_t;\n"
	"typedef int64_t money;\n"
	"struct [[db::table(\"wides\", prefix = \"w\"), db::index(flag, kind), db::check(i32 > -9)]] wide {\n"
	"	[[db::key]] uint8_t id[16];\n"
	"	[[db::key]] char code[3];\n"
	"	[[db::key]] const char *call;\n"
	"	[[db::default(true)]] bool flag;\n"
	"	[[db::default(-7)]] int32_t i32;\n"
	"	[[db::default(4000000000)]] uint32_t u32;\n"
	"	[[db::default(-9223372036854775808), db::unique(\"pair\")]] money i64;\n"
	"	[[db::default(0x7fffffffffffffff)]] uint64_t u64;\n"
	"	[[db::default(1.5)]] float f;\n"
	"	[[db::default(-2.25e100)]] double d;\n"
	"	[[db::default(FANCY), db::unique(\"pair\")]] enum kind kind;\n"
	"	[[db::default(GREEN)]] color_t color;\n"
	"	[[db::default(\"a\\\"b?\\n$\")]] const char *nick;\n"
	"	[[db::default(\"xyz\")]] char iso[3];\n"
	"	size_t n_blob; [[db::index]] const uint8_t *blob;\n"
	"	[[db::default(uuid())]] uint8_t uuid[16];\n"
	"	[[db::default(now())]] int64_t made_us;\n"
	"	[[db::default(\"NOW()\")]] int64_t made2_us;\n"
	"	[[db::computed(i64 * 2)]] int64_t twice;\n"
	"	[[db::serial]] uint64_t serial;\n"
	"	[[db::encrypted]] const char *secret;\n"
	"	bool has_owner; [[db::ref(\"account\", on_delete = set_null), db::index]] uint64_t owner;\n"
	"	bool has_b; bool b;\n"
	"	bool has_oi32; int32_t oi32;\n"
	"	bool has_of; float of;\n"
	"	bool has_okind; enum kind okind;\n"
	"	bool has_otext; [[db::renamed(from = \"older\")]] const char *otext;\n"
	"	bool has_ochars; [[db::index]] char ochars[5];\n"
	"	bool has_oblob; size_t n_oblob; [[db::index]] const uint8_t *oblob;\n"
	"	bool has_oblock; uint8_t oblock[4];\n"
	"	size_t n_bs; const bool *bs;\n"
	"	size_t n_ints; const int32_t *ints;\n"
	"	size_t n_nums; const double *nums;\n"
	"	size_t n_kinds; const enum kind *kinds;\n"
	"	size_t n_tags; const char *const *tags;\n"
	"};\n"
	"static const struct cell_column *column(const char *name)\n"
	"{\n"
	"	for (size_t i = 0; i < cell_w_table.n_columns; i++)\n"
	"		if (strcmp(cell_w_table.columns[i].name, name) == 0)\n"
	"			return &cell_w_table.columns[i];\n"
	"	printf(\"no column %s\\n\", name);\n"
	"	failed = 1;\n"
	"	return &cell_w_table.columns[0];\n"
	"}\n"
	"#define IS(type, name, value) failed |= *(const type *)column(#name)->fallback != (value)\n"
	"#define FLAGS(name, value) failed |= column(#name)->flags != (value)\n"
	"static void defaults(void)\n"
	"{\n"
	"	IS(bool, flag, true);\n"
	"	IS(int32_t, i32, -7);\n"
	"	IS(uint32_t, u32, 4000000000u);\n"
	"	IS(int64_t, i64, INT64_MIN);\n"
	"	IS(uint64_t, u64, 0x7fffffffffffffff);\n"
	"	IS(float, f, 1.5f);\n"
	"	IS(double, d, -2.25e100);\n"
	"	IS(int, kind, FANCY);\n"
	"	IS(int, color, GREEN);\n"
	"	failed |= strcmp(*(const char *const *)column(\"nick\")->fallback, \"a\\\"b?\\n$\") != 0;\n"
	"	failed |= memcmp(column(\"iso\")->fallback, \"xyz\", 3) != 0;\n"
	"	failed |= column(\"secret\")->fallback != NULL || column(\"uuid\")->fallback != NULL;\n"
	"	FLAGS(uuid, CELL_COLUMN_UUID);\n"
	"	FLAGS(made_us, CELL_COLUMN_NOW);\n"
	"	FLAGS(made2_us, CELL_COLUMN_NOW);\n"
	"	FLAGS(twice, CELL_COLUMN_COMPUTED);\n"
	"	FLAGS(serial, CELL_COLUMN_SERIAL);\n"
	"	FLAGS(tags, CELL_COLUMN_REPEATED);\n"
	"	FLAGS(kinds, CELL_COLUMN_REPEATED);\n"
	"	failed |= column(\"iso\")->size != 3 || column(\"ochars\")->size != 5;\n"
	"	if (failed)\n"
	"		printf(\"defaults or flags are wrong\\n\");\n"
	"}\n"
	"int main(void)\n"
	"{\n"
	"	struct cell_call *call = cell_open(\"text\");\n"
	"	const uint8_t id[16] = { 0xab }, *text = (const uint8_t *)\"text\";\n"
	"	struct w_cursor cursor;\n"
	"	struct wide row;\n"
	"	defaults();\n"
	"	failed |= w_get(call, id, \"xyz\", \"it\", &row); wants(\"get wides 0 id=16:ab code='xyz' call='it'\");\n"
	"	failed |= w_delete(call, id, \"x\", \"\"); wants(\"delete wides id=16:ab code='x' call=''\");\n"
	"	failed |= w_get(call, id, \"long\", \"it\", &row) != CELL_INVALID_ARGUMENT;\n"
	"	failed |= strcmp(cell_error(call)->text, \"wides.code has at most 3 bytes\") != 0; wants(\"\");\n"
	"	cursor = w_each_between(call, id, \"a\", \"b\", id, \"long\", \"c\"); wants(\"\");\n"
	"	failed |= w_end(&cursor) != CELL_INVALID_ARGUMENT; wants(\"end\");\n"
	"	w_each_of_id(call, id); wants(\"scan wides 0 from id=16:ab to id=16:ab\");\n"
	"	w_each_of_id_code(call, id, \"q\"); wants(\"scan wides 0 from id=16:ab code='q' to id=16:ab code='q'\");\n"
	"	w_each_with_prefix(call, id, \"q\", \"p\"); wants(\"scan wides 0 from id=16:ab code='q' call='p' to prefix\");\n"
	"	w_by_flag_kind(call, true, FANCY); wants(\"scan wides 6 from flag=1 kind=3 to flag=1 kind=3\");\n"
	"	w_by_flag_kind_of_flag(call, true); wants(\"scan wides 6 from flag=1 to flag=1\");\n"
	"	failed |= w_by_pair(call, -2, FANCY, &row); wants(\"get wides 1 i64=-2 kind=3\");\n"
	"	w_by_pair_of_i64(call, -2); wants(\"scan wides 1 from i64=-2 to i64=-2\");\n"
	"	w_by_pair_between(call, -2, PLAIN, 5, FANCY); wants(\"scan wides 1 from i64=-2 kind=0 to i64=5 kind=3\");\n"
	"	w_by_blob(call, 4, text); wants(\"scan wides 2 from blob=4:text to blob=4:text\");\n"
	"	w_by_owner(call, 8); wants(\"scan wides 3 from owner=8 to owner=8\");\n"
	"	w_by_ochars(call, \"abcde\"); wants(\"scan wides 4 from ochars='abcde' to ochars='abcde'\");\n"
	"	w_by_oblob_from(call, 2, text); wants(\"scan wides 5 from oblob=2:te to\");\n"
	"	cell_close(call);\n"
	"	return failed;\n"
	"}\n";

START_TEST(every_kind_of_column_is_taken)
{
	runs(compilers[_i], wide);
}
END_TEST

/* --- names --------------------------------------------------------------------------- */

START_TEST(what_libc_has_is_planned_so_that_the_clash_is_seen)
{
	fixture_expand("struct [[db::table]] timer { [[db::key]] int64_t id; };");
	ck_assert_ptr_nonnull(strstr(fixture.result.planned, "symbol timer_delete\n"));
	fixture_expand("struct [[db::table(prefix = \"alarm\")]] timer { [[db::key]] int64_t id; };");
	ck_assert_ptr_null(strstr(fixture.result.planned, "symbol timer_delete\n"));
	ck_assert_ptr_nonnull(strstr(fixture.result.planned, "symbol alarm_delete\n"));
	ck_assert_ptr_nonnull(strstr(fixture.result.text, ".name = \"timer\""));
}
END_TEST

START_TEST(every_function_is_documented)
{
	const char *text, *at;
	size_t n = 0;

	fixture_expand(wide);
	text = fixture.result.text;
	for (at = text; (at = strstr(at, "\nstatic inline ")); at++) {
		const char *end = at;

		/* The generated ones come behind the struct; the headers' are theirs. */
		if (at < strstr(text, "struct w_change_cursor"))
			continue;
		n++;
		ck_assert_msg(end - text > 2 && end[-1] == '/' && end[-2] == '*', "%.80s", at);
	}
	ck_assert_uint_ge(n, 40);
}
END_TEST

START_TEST(the_cell_that_is_called_is_announced)
{
	fixture_expand("struct [[db::table]] t { [[db::key]] int64_t id; };");
	ck_assert_ptr_nonnull(strstr(fixture.result.planned, "use celldb app\n"));
	ck_assert_ptr_nonnull(strstr(fixture.result.planned, "use celldb macro\n"));
	ck_assert_ptr_nonnull(strstr(fixture.result.text, "CELL_REF(\"celldb\")"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *text = tcase_create("text");

	tcase_add_checked_fixture(text, fixture_setup, fixture_teardown);
	tcase_add_loop_test(text, the_bank_does_what_it_says, 0, N_COMPILERS);
	tcase_add_loop_test(text, every_kind_of_column_is_taken, 0, N_COMPILERS);
	tcase_add_test(text, what_libc_has_is_planned_so_that_the_clash_is_seen);
	tcase_add_test(text, every_function_is_documented);
	tcase_add_test(text, the_cell_that_is_called_is_announced);
	tcase_set_timeout(text, 120);
	suite_add_tcase(suite, text);
	return fixture_run(suite);
}
