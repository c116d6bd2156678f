#include "cellc/lock.h"

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

#define HASH  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static const char whole[] =
	"cell-lock 1\n"
	"cell celldb ed25519:77 catalog=blake2b:" HASH "\n"
	"macro check places=member raw\n"
	"macro table places=struct may=declarations,files "
	"args=*name:string!,indexes:list<record>,replicate:identifier{none|raft}=none "
	"headers=<time.h>,<x.h> link=-lm\n"
	"state table:account blake2b:" HASH "\n"
	"kept src/account.h struct:account field id = 1\n"
	"kept src/account.h struct:account field owner = 2\n"
	"use src/account.h struct:account key=blake2b:" HASH " plan=blake2b:" OTHER
	" reads=table:account\n";

static struct lock parse(const char *text)
{
	struct lock lock;
	int r = lock_parse(&lock, "db", text, strlen(text), ".cell/db.schema.lock", &arena, &err);

	ck_assert_msg(r == 0, "%s", err.text);
	return lock;
}

START_TEST(writes_what_it_reads)
{
	struct lock lock = parse(whole);
	const struct macro_macro_description *table = &lock.macros[1];

	ck_assert_str_eq(lock_text(&lock, &arena), whole);
	ck_assert_str_eq(table->name, "table");
	ck_assert_str_eq(table->ns, "db");
	ck_assert_uint_eq(table->places, 1u << MACRO_PLACE_STRUCT);
	ck_assert_uint_eq(table->n_arguments, 3);
	ck_assert(table->arguments[0].required && table->arguments[0].positional);
	ck_assert_int_eq(table->arguments[1].of, MACRO_VALUE_KIND_RECORD);
	ck_assert_str_eq(table->arguments[2].choices[1], "raft");
	ck_assert_str_eq(table->arguments[2].fallback, "none");
	ck_assert_str_eq(table->headers[1], "<x.h>");
	ck_assert(lock.macros[0].raw_argument);
	ck_assert_str_eq(lock_find_state(&lock, "table:account"), HASH);
}
END_TEST

START_TEST(order_of_lines_does_not_matter)
{
	struct lock lock = parse(
		"cell-lock 1\nkept b.h struct:b field x = 2\nkept a.h struct:a field x = 1\n");

	ck_assert_str_eq(lock_text(&lock, &arena),
			 "cell-lock 1\nkept a.h struct:a field x = 1\n"
			 "kept b.h struct:b field x = 2\n");
}
END_TEST

START_TEST(growing_is_adding_lines_and_changing_uses)
{
	static const struct {
		const char *text;
		bool grows;
	} table[] = {
		{ "cell-lock 1\nstate a blake2b:" HASH "\nkept a s:a x = 1\n", true },
		{ "cell-lock 1\nstate a blake2b:" HASH "\nstate b blake2b:" HASH
		  "\nkept a s:a w = 2\nkept a s:a x = 1\nuse a s:a key=blake2b:" HASH
		  " plan=blake2b:" HASH "\n",
		  true },
		{ "cell-lock 1\ncell x local catalog=blake2b:" HASH "\nstate a blake2b:" HASH
		  "\nkept a s:a x = 1\n",
		  true },
		{ "cell-lock 1\nstate a blake2b:" OTHER "\nkept a s:a x = 1\n", false },
		{ "cell-lock 1\nstate a blake2b:" HASH "\nkept a s:a x = 2\n", false },
		{ "cell-lock 1\nstate a blake2b:" HASH "\n", false },
		{ "cell-lock 1\nkept a s:a x = 1\n", false },
	};
	struct lock old =
		parse("cell-lock 1\nstate a blake2b:" HASH "\nkept a s:a x = 1\n"
		      "use a s:a key=blake2b:" OTHER " plan=blake2b:" OTHER "\n");

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct lock new = parse(table[i].text);

		ck_assert_msg(lock_only_grows(&old, &new, &arena) == table[i].grows, "%zu",
			      i);
	}
}
END_TEST

START_TEST(odd_names_survive)
{
	struct lock lock = { .ns = "db", .catalog = "" }, again;
	const struct macro_kept kept[] = { { "a = b", "100 %" }, { " x  y ", "=" },
					   { "line\nbreak", "\xc3\xa9" } };

	lock_set_kept(&lock, "my file.h", "struct:a,b", kept, 3, &arena);
	again = parse(lock_text(&lock, &arena));
	ck_assert_uint_eq(again.n_kept, 3);
	for (size_t i = 0; i < 3; i++) {
		bool found = false;

		for (size_t k = 0; k < 3; k++)
			found = found || (strcmp(again.kept[k].key, kept[i].key) == 0 &&
					  strcmp(again.kept[k].value, kept[i].value) == 0);
		ck_assert_msg(found, "%s", kept[i].key);
		ck_assert_str_eq(again.kept[i].file, "my file.h");
	}
}
END_TEST

/* What two branches wrote: the provider says which of them is wrong. */
START_TEST(one_number_twice_survives)
{
	struct lock lock = parse("cell-lock 1\nkept a.h struct:a field nick = 4\n"
				 "kept a.h struct:a field note = 4\n"
				 "kept a.h struct:a field nick = 5\n");

	ck_assert_uint_eq(lock.n_kept, 3);
	ck_assert_has(lock_text(&lock, &arena), "field nick = 5");
}
END_TEST

static void refuses(const char *text, const char *why)
{
	struct lock lock;

	ck_assert_int_eq(lock_parse(&lock, "db", text, strlen(text), "x.lock", &arena, &err),
			 CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, why);
}

START_TEST(says_what_is_wrong)
{
	refuses("", "x.lock:1: not a lock file that this cellc knows ('cell-lock 1')");
	refuses("cell-lock 2\n", "x.lock:1: not a lock file that this cellc knows ('cell-lock 1')");
	refuses("cell-lock 1\n<<<<<<< HEAD\n",
		"x.lock:2: two branches changed this: keep the lines of both, without the marks of "
		"the merge, then build");
	refuses("cell-lock 1\nuses x\n", "x.lock:2: unknown line 'uses'");
	refuses("cell-lock 1\nuse a.h struct:a key=1\n",
		"x.lock:2: wanted key=blake2b: and 64 digits");
	refuses("cell-lock 1\nkept a.h struct:a field\n", "x.lock:2: wanted KEY = VALUE");
	refuses("cell-lock 1\nmacro t places=moon\n", "x.lock:2: unknown word 'moon'");
	refuses("cell-lock 1\nmacro t args=x:strin\n",
		"x.lock:2: argument 'x': unknown kind 'strin'");
	refuses("cell-lock 1\nstate a%zz blake2b:" HASH "\n", "x.lock:2: the state's id has a wrong %XX");
	refuses("cell-lock 1\ncell a local catalog=blake2b:" HASH "\ncell b local catalog=blake2b:" HASH
		"\n",
		"x.lock:3: there is a second line 'cell': keep the one that is right");
}
END_TEST

START_TEST(changes_replace_their_own_only)
{
	struct lock lock = parse(whole);
	const char *reads[] = { "table:other" };
	struct lock_use use = { "src/account.h", "struct:account", OTHER, HASH, reads, 1 };
	const char *none[] = { "x" };

	lock_set_use(&lock, &use, &arena);
	ck_assert_uint_eq(lock.n_uses, 1);
	use.file = "b.h";
	lock_set_use(&lock, &use, &arena);
	ck_assert_uint_eq(lock.n_uses, 2);
	lock_set_state(&lock, "table:other", HASH, &arena);
	lock_trim_states(&lock);
	ck_assert_ptr_null(lock_find_state(&lock, "table:account"));
	ck_assert_ptr_nonnull(lock_find_state(&lock, "table:other"));
	lock_keep_uses(&lock, "b.h", none, 1);
	ck_assert_ptr_null(lock_find_use(&lock, "b.h", "struct:account"));
	ck_assert_ptr_nonnull(lock_find_use(&lock, "src/account.h", "struct:account"));
	lock_move_kept(&lock, "src/account.h", "inc/account.h", "struct:account");
	ck_assert_str_eq(lock.kept[0].file, "inc/account.h");
	lock_set_kept(&lock, "inc/account.h", "struct:account", NULL, 0, &arena);
	ck_assert_uint_eq(lock.n_kept, 0);
}
END_TEST

START_TEST(copies_are_changed_alone)
{
	struct lock lock = parse(whole), copy = lock_copy(&lock, &arena);

	lock_keep_uses(&copy, "src/account.h", NULL, 0);
	lock_trim_states(&copy);
	ck_assert_uint_eq(copy.n_uses + copy.n_states, 0);
	ck_assert_str_eq(lock_text(&lock, &arena), whole);
}
END_TEST

START_TEST(namespaces_are_names)
{
	ck_assert(lock_namespace_is_valid("db"));
	ck_assert(!lock_namespace_is_valid(""));
	ck_assert(!lock_namespace_is_valid("../x"));
	ck_assert(!lock_namespace_is_valid("9db"));
	ck_assert(!lock_namespace_is_valid("a b"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock");
	TCase *tcase = tcase_create("lock");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, writes_what_it_reads);
	tcase_add_test(tcase, order_of_lines_does_not_matter);
	tcase_add_test(tcase, growing_is_adding_lines_and_changing_uses);
	tcase_add_test(tcase, odd_names_survive);
	tcase_add_test(tcase, one_number_twice_survives);
	tcase_add_test(tcase, says_what_is_wrong);
	tcase_add_test(tcase, changes_replace_their_own_only);
	tcase_add_test(tcase, copies_are_changed_alone);
	tcase_add_test(tcase, namespaces_are_names);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
