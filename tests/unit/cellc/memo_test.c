#include "cellc/memo.h"

#include <cell/bytes.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "help.h"

static struct cell_arena arena;

/* --- the key ------------------------------------------------------------------------------ */

/* Words of a command line; NULL-terminated. */
struct words {
	const char *list[3];
};

static struct command_line line;
static struct compiler compiler;
static struct project project;
static struct memo_source source;
static struct words preprocess, compile, defines, target, features, order, driver;

static void key_reset(void)
{
	preprocess = compile = defines = target = features = order = (struct words){ { "a" } };
	driver = (struct words){ { "gcc" } };
	line = (struct command_line){
		.preprocess = preprocess.list,
		.compile = compile.list,
		.defines = defines.list,
		.target_flags = target.list,
		.standard = "gnu2x",
		.output = "a.o",
	};
	compiler = (struct compiler){ .path = "/usr/bin/gcc", .inner = "/usr/bin/gcc",
				      .words = driver.list, .n_words = 1 };
	project = (struct project){ .root = "/bank", .folder = "/bank/.cell", .program = "",
				    .features_off = features.list, .order = order.list };
	source = (struct memo_source){
		.build = "id", .build_len = 2, .cwd = "/bank", .path = "a.c", .text = "int a;",
		.len = 6, .line = &line, .compiler = &compiler, .project = &project,
	};
}

static bool key_is(const uint8_t other[MEMO_HASH_SIZE])
{
	uint8_t now[MEMO_HASH_SIZE];

	memo_key(now, &source);
	return memcmp(now, other, sizeof now) == 0;
}

START_TEST(every_ingredient_of_the_key_counts)
{
	uint8_t key[MEMO_HASH_SIZE];

	key_reset();
	memo_key(key, &source);
#define DIFFERS(change)                                        \
	do {                                                   \
		key_reset();                                   \
		ck_assert(key_is(key));                        \
		change;                                        \
		ck_assert_msg(!key_is(key), "%s", #change);    \
	} while (0)
	DIFFERS(source.build = "iD");
	DIFFERS(source.build_len = 1);
	DIFFERS(source.cwd = "/bank/src");
	DIFFERS(source.path = "./a.c");
	DIFFERS(source.text = "int b;");
	DIFFERS(source.len = 5);
	DIFFERS(source.is_plain = true);
	DIFFERS(source.manifest = "");
	DIFFERS((source.manifest = "[uses]\n", source.manifest_len = 7));
	DIFFERS(source.libclang = "/usr/lib/libclang.so");
	DIFFERS(preprocess.list[0] = "-Ib");
	DIFFERS(preprocess.list[1] = "b");
	DIFFERS(compile.list[0] = "-O2");
	DIFFERS(compile.list[1] = "b");
	DIFFERS(defines.list[1] = "-DX");
	DIFFERS(target.list[1] = "-m32");
	DIFFERS(line.standard = "gnu17");
	DIFFERS(line.standard = NULL);
	DIFFERS(compiler.kind = COMPILER_CLANG);
	DIFFERS(compiler.path = "/opt/gcc");
	DIFFERS(compiler.inner = "/opt/gcc");
	DIFFERS(compiler.is_wrapped = true);
	DIFFERS(driver.list[1] = "-m32");
	DIFFERS(compiler.size = 1);
	DIFFERS(compiler.mtime_ns = 1);
	DIFFERS(compiler.inode = 1);
	DIFFERS(compiler.inner_size = 1);
	DIFFERS(compiler.inner_mtime_ns = 1);
	DIFFERS(compiler.inner_inode = 1);
	DIFFERS(project.root = "/shop");
	DIFFERS(project.folder = "/shop/.cell");
	DIFFERS(project.settings = "/bank/.cell/project");
	DIFFERS(project.program = "bank");
	DIFFERS(project.manifest = "/bank/bank.cell");
	DIFFERS(features.list[1] = "t");
	DIFFERS(order.list[0] = "t");
	DIFFERS(project.locked = true);
	DIFFERS(project.offline = true);
	DIFFERS(project.strict = true);
	/* A word more in one list is none more in the next. */
	DIFFERS((preprocess.list[1] = "a", compile.list[0] = NULL));
}
END_TEST

START_TEST(where_the_output_goes_is_not_in_the_key)
{
	uint8_t key[MEMO_HASH_SIZE];

	key_reset();
	memo_key(key, &source);
	line.output = "b.o";
	line.depfile = "b.d";
	ck_assert(key_is(key));
}
END_TEST

/* --- circumstances ------------------------------------------------------------------------ */

#define HASH "0000000000000000000000000000000000000000000000000000000000000000"

static struct expansion_basis basis;
static struct lock locks[2];
static struct lock_use uses[3];
static struct lock_kept kept[2];
static struct lock_state states[2];
static struct macro_macro_description signature;
static struct macro_catalog catalogs[2];
static struct macro_macros macros;
static struct macro_state live[2];
static const char *reads[] = { "table:account" };
static const char *namespaces[1], *used[1];
static const char *trouble;
static char root[] = "/tmp/cell-memo.XXXXXX";

static void circumstances_reset(void)
{
	static const struct expansion_declaration declared[] = { { "bank.h", "struct:account" } };
	static const struct lock_state looked[] = { { "table:account", "30" } };

	used[0] = namespaces[0] = "db";
	basis = (struct expansion_basis){
		.asks = true, .main_file = "bank.c", .namespaces = used, .n_namespaces = 1,
		.declarations = declared, .n_declarations = 1, .states = looked, .n_states = 1,
	};
	uses[0] = (struct lock_use){ "bank.h", "struct:account", HASH, HASH, reads, 1 };
	uses[1] = (struct lock_use){ "shop.c", "struct:item", HASH, HASH, NULL, 0 };
	uses[2] = (struct lock_use){ "bank.c", "struct:gone", HASH, HASH, NULL, 0 };
	kept[0] = (struct lock_kept){ "bank.h", "struct:account", "field id", "1" };
	kept[1] = (struct lock_kept){ "shop.c", "struct:item", "field id", "1" };
	states[0] = (struct lock_state){ "table:account", "00" };
	states[1] = (struct lock_state){ "table:item", "00" };
	signature = (struct macro_macro_description){ .ns = "db", .name = "table", .doc = "" };
	locks[0] = (struct lock){ .ns = "db", .cell = "celldb", .key = "local", .catalog = HASH,
				  .macros = &signature, .n_macros = 1, .states = states,
				  .n_states = 2, .kept = kept, .n_kept = 2, .uses = uses,
				  .n_uses = 2 };
	locks[1] = (struct lock){ .ns = "auth", .cell = "auth", .key = "local", .catalog = HASH };
	live[0] = (struct macro_state){ .id = "table:account", .digest = (const uint8_t *)"0",
					.n_digest = 1 };
	live[1] = (struct macro_state){ .id = "table:item", .digest = (const uint8_t *)"0",
					.n_digest = 1 };
	catalogs[0] = (struct macro_catalog){
		.cell = "celldb", .namespaces = namespaces, .n_namespaces = 1, .key = "local",
		.digest = (const uint8_t *)"0", .n_digest = 1, .states = live, .n_states = 2,
		.trouble = "",
	};
	catalogs[1] = (struct macro_catalog){ .cell = "auth", .key = "local", .trouble = "" };
	macros = (struct macro_macros){ .catalogs = catalogs, .n_catalogs = 2 };
	trouble = "";
}

static void circumstances(uint8_t hash[MEMO_HASH_SIZE], const struct macro_macros *answer)
{
	memo_circumstances(hash, &basis, locks, 2, answer, trouble, root, &arena);
}

static bool circumstances_are(const uint8_t other[MEMO_HASH_SIZE],
			      const struct macro_macros *answer)
{
	uint8_t now[MEMO_HASH_SIZE];

	circumstances(now, answer);
	return memcmp(now, other, sizeof now) == 0;
}

#define CHANGES(answer, change)                                          \
	do {                                                             \
		circumstances_reset();                                   \
		ck_assert(circumstances_are(hash, answer));              \
		change;                                                  \
		ck_assert_msg(!circumstances_are(hash, answer), "%s", #change); \
	} while (0)
#define LEAVES(answer, change)                                           \
	do {                                                             \
		circumstances_reset();                                   \
		change;                                                  \
		ck_assert_msg(circumstances_are(hash, answer), "%s", #change); \
	} while (0)

START_TEST(what_the_cells_say_counts)
{
	uint8_t hash[MEMO_HASH_SIZE];

	circumstances_reset();
	circumstances(hash, &macros);
	CHANGES(&macros, catalogs[0].cell = "other");
	CHANGES(&macros, namespaces[0] = "dc");
	CHANGES(&macros, catalogs[0].key = "ed25519:00");
	CHANGES(&macros, catalogs[0].digest = (const uint8_t *)"1");
	CHANGES(&macros, catalogs[0].trouble = "it does not answer");
	CHANGES(&macros, (catalogs[0].program = (const uint8_t *)"p", catalogs[0].n_program = 1));
	CHANGES(&macros, macros.n_catalogs = 1);
	circumstances_reset();
	ck_assert(!circumstances_are(hash, NULL));
	/* The program of a provider that the unit does not use is nothing to it. */
	LEAVES(&macros, (catalogs[1].program = (const uint8_t *)"p", catalogs[1].n_program = 1));
}
END_TEST

START_TEST(states_that_were_looked_at_count)
{
	static const struct lock_state forgotten[] = { { "table:gone", "" } };

	circumstances_reset();
	ck_assert(memo_states_hold(&basis, &macros, &arena));
	live[0].digest = (const uint8_t *)"1";
	ck_assert(!memo_states_hold(&basis, &macros, &arena));
	circumstances_reset();
	live[0].id = "table:other";
	ck_assert(!memo_states_hold(&basis, &macros, &arena));
	circumstances_reset();
	/* What other units look at is theirs. */
	live[1].digest = (const uint8_t *)"1";
	ck_assert(memo_states_hold(&basis, &macros, &arena));
	catalogs[0].n_states = 1;
	ck_assert(memo_states_hold(&basis, &macros, &arena));
	catalogs[0].n_states = 0;
	ck_assert(!memo_states_hold(&basis, &macros, &arena));
	/* Nobody knew it then: nobody may know it now. */
	basis.states = forgotten;
	ck_assert(memo_states_hold(&basis, &macros, &arena));
	catalogs[0].n_states = 1;
	live[0].id = "table:gone";
	ck_assert(!memo_states_hold(&basis, &macros, &arena));
	ck_assert(memo_states_hold(&basis, NULL, &arena));
}
END_TEST

START_TEST(why_nobody_answers_counts)
{
	uint8_t hash[MEMO_HASH_SIZE];

	circumstances_reset();
	circumstances(hash, NULL);
	CHANGES(NULL, trouble = "no node");
}
END_TEST

START_TEST(lines_of_the_lock_about_the_unit_count)
{
	uint8_t hash[MEMO_HASH_SIZE];

	circumstances_reset();
	circumstances(hash, NULL);
	CHANGES(NULL, locks[0].cell = "other");
	CHANGES(NULL, locks[0].key = "ed25519:00");
	CHANGES(NULL, locks[0].catalog = "");
	CHANGES(NULL, signature.may = 1);
	CHANGES(NULL, locks[0].n_macros = 0);
	CHANGES(NULL, states[0].digest = "01");
	CHANGES(NULL, uses[0].key = "1");
	CHANGES(NULL, uses[0].plan = "1");
	CHANGES(NULL, uses[0].n_reads = 0);
	CHANGES(NULL, uses[0].file = "shop.h");
	CHANGES(NULL, kept[0].value = "2");
	CHANGES(NULL, locks[0].n_kept = 0);
	CHANGES(NULL, locks[0].cell = NULL);
	/* It would be dropped from the lock. */
	CHANGES(NULL, locks[0].n_uses = 3);
	/* It would be taken along from there. */
	CHANGES(NULL, kept[1].declaration = "struct:account");
	/* A namespace that the unit does not use any more. */
	CHANGES(NULL, (locks[1].uses = &uses[2], locks[1].n_uses = 1));
}
END_TEST

START_TEST(lines_of_the_lock_about_other_units_do_not)
{
	uint8_t hash[MEMO_HASH_SIZE];

	circumstances_reset();
	circumstances(hash, NULL);
	LEAVES(NULL, uses[1].key = "1");
	LEAVES(NULL, kept[1].value = "2");
	LEAVES(NULL, states[1].digest = "01");
	LEAVES(NULL, locks[0].n_uses = 1);
	LEAVES(NULL, locks[0].n_kept = 1);
	LEAVES(NULL, locks[1].key = "ed25519:00");
	LEAVES(NULL, locks[1].cell = NULL);
}
END_TEST

START_TEST(file_that_a_declaration_may_have_left_counts)
{
	uint8_t there[MEMO_HASH_SIZE];
	char path[64];
	FILE *file;

	memcpy(root + sizeof root - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(path, sizeof path, "%s/shop.c", root);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fclose(file);
	circumstances_reset();
	kept[1].declaration = "struct:account";
	circumstances(there, NULL);
	ck_assert(circumstances_are(there, NULL));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!circumstances_are(there, NULL));
	ck_assert_int_eq(rmdir(root), 0);
}
END_TEST

/* --- bytes -------------------------------------------------------------------------------- */

#define BEFORE "/* long enough to be worth a copy ... */ int a [[t::x]] ; /* and some more of that */"
#define AFTER  "/* long enough to be worth a copy ... */ int a          ;\nINSERTED\n /* and some more of that */NOTES"

static void encode(const uint8_t **bytes, size_t *n)
{
	const size_t head = (size_t)(strchr(BEFORE, ';') + 1 - BEFORE);
	const struct splice_copy copies[] = {
		{ 0, 0, head },
		{ (size_t)(strstr(AFTER, "D\n") + 2 - AFTER), head, sizeof BEFORE - 1 - head },
	};
	static const struct lock_state looked[] = { { "table:account", "00" } };
	static const struct expansion_file made[] = { { "exp/db/x.c", HASH } };
	static const struct expansion_declaration declarations[] = { { "a.h", "struct:a" } };
	static const char *depends[] = { ".cell/x", ".cell/y" };
	static const struct macro_declared declared[] = {
		{ .ns = "db", .name = "struct a", .digest = (const uint8_t *)"d", .n_digest = 1,
		  .body = (const uint8_t *)"b\0d", .n_body = 3, .attribute = 7 },
	};
	static const struct expansion_spot spots[] = {
		{ "", "table", "", { "a.h", 3, 4, 5 } },
		{ "x", "check", "x > 0", { "a.h", 4, 6, 7 } },
	};
	static const struct expansion_site sites[] = {
		{ "db", "table", { "a.h", 3, 4, 5 }, spots, 2 },
	};
	static const struct macro_file files[] = {
		{ .path = "a.txt", .content = (const uint8_t *)"f", .n_content = 1 },
	};
	static struct memo_message messages[] = {
		{ SEVERITY_WARNING, { "a.c", 1, 2, 3 }, "db", "mind" },
		{ SEVERITY_NOTE, { 0 }, NULL, "why" },
	};
	struct memo memo = {
		.basis = { .asks = true, .main_file = "a.c", .namespaces = used, .n_namespaces = 1,
			   .declarations = declarations, .n_declarations = 1, .states = looked,
			   .n_states = 1, .files = made, .n_files = 1 },
		.libclang = { "/lib/libclang.so", 1, 2, 3 },
		.circumstances = { 9, 8 },
		.messages = messages, .n_messages = 2,
		.text = AFTER, .text_len = sizeof AFTER - 1,
		.copies = copies, .n_copies = 2,
		.depends = depends, .n_depends = 2,
		.declared = declared, .sites = sites, .n_declared = 1,
		.files = files, .n_files = 1,
	};

	used[0] = "db";
	memo_encode(&memo, BEFORE, sizeof BEFORE - 1, &arena, bytes, n);
}

START_TEST(what_is_kept_comes_back)
{
	const uint8_t *bytes;
	struct memo memo;
	size_t n;

	encode(&bytes, &n);
	ck_assert(memo_decode(&memo, bytes, n, BEFORE, sizeof BEFORE - 1, &arena));
	ck_assert_str_eq(memo.text, AFTER);
	ck_assert_uint_eq(memo.text_len, sizeof AFTER - 1);
	ck_assert(memo.basis.asks);
	ck_assert_str_eq(memo.basis.main_file, "a.c");
	ck_assert_uint_eq(memo.basis.n_namespaces, 1);
	ck_assert_str_eq(memo.basis.namespaces[0], "db");
	ck_assert_str_eq(memo.basis.declarations[0].name, "struct:a");
	ck_assert_str_eq(memo.basis.states[0].digest, "00");
	ck_assert_str_eq(memo.basis.files[0].path, "exp/db/x.c");
	ck_assert_str_eq(memo.libclang.path, "/lib/libclang.so");
	ck_assert_uint_eq(memo.libclang.inode, 3);
	ck_assert_uint_eq(memo.circumstances[1], 8);
	ck_assert_uint_eq(memo.n_messages, 2);
	ck_assert_int_eq(memo.messages[0].severity, SEVERITY_WARNING);
	ck_assert_uint_eq(memo.messages[0].place.column, 2);
	ck_assert_str_eq(memo.messages[0].ns, "db");
	ck_assert_ptr_null(memo.messages[1].ns);
	ck_assert_ptr_null(memo.messages[1].place.file);
	ck_assert_str_eq(memo.messages[1].text, "why");
	ck_assert_uint_eq(memo.n_depends, 2);
	ck_assert_str_eq(memo.depends[1], ".cell/y");
	ck_assert_uint_eq(memo.n_declared, 1);
	ck_assert_uint_eq(memo.declared[0].n_body, 3);
	ck_assert_mem_eq(memo.declared[0].body, "b\0d", 3);
	ck_assert_uint_eq(memo.declared[0].attribute, 7);
	ck_assert_str_eq(memo.sites[0].name, "table");
	ck_assert_uint_eq(memo.sites[0].at.line, 3);
	ck_assert_uint_eq(memo.sites[0].n_spots, 2);
	ck_assert_str_eq(memo.sites[0].spots[1].member, "x");
	ck_assert_str_eq(memo.sites[0].spots[1].macro, "check");
	ck_assert_str_eq(memo.sites[0].spots[1].argument, "x > 0");
	ck_assert_uint_eq(memo.sites[0].spots[1].at.column, 6);
	ck_assert_uint_eq(memo.n_files, 1);
	ck_assert_str_eq(memo.files[0].path, "a.txt");
}
END_TEST

START_TEST(text_of_the_user_is_not_stored)
{
	const uint8_t *bytes;
	size_t n;

	encode(&bytes, &n);
	ck_assert_ptr_null(memmem(bytes, n, "worth a copy", 12));
	ck_assert_ptr_nonnull(memmem(bytes, n, "INSERTED", 8));
}
END_TEST

START_TEST(damaged_memo_is_none)
{
	const uint8_t *bytes;
	uint8_t *copy;
	struct memo memo;
	size_t n;

	encode(&bytes, &n);
	for (size_t len = 0; len < n; len++)
		ck_assert(!memo_decode(&memo, bytes, len, BEFORE, sizeof BEFORE - 1, &arena));
	copy = malloc(n);
	ck_assert_ptr_nonnull(copy);
	for (size_t i = 0; i < n; i++) {
		memcpy(copy, bytes, n);
		copy[i] ^= 0x20;
		ck_assert(!memo_decode(&memo, copy, n, BEFORE, sizeof BEFORE - 1, &arena));
	}
	free(copy);
	ck_assert(!memo_decode(&memo, bytes, n, BEFORE, sizeof BEFORE - 2, &arena));
}
END_TEST

static void setup(void)
{
	cell_arena_init(&arena, 0);
}

static void teardown(void)
{
	cell_arena_deinit(&arena);
}

int main(void)
{
	Suite *suite = suite_create("memo");
	TCase *tcase = tcase_create("memo");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, every_ingredient_of_the_key_counts);
	tcase_add_test(tcase, where_the_output_goes_is_not_in_the_key);
	tcase_add_test(tcase, what_the_cells_say_counts);
	tcase_add_test(tcase, states_that_were_looked_at_count);
	tcase_add_test(tcase, why_nobody_answers_counts);
	tcase_add_test(tcase, lines_of_the_lock_about_the_unit_count);
	tcase_add_test(tcase, lines_of_the_lock_about_other_units_do_not);
	tcase_add_test(tcase, file_that_a_declaration_may_have_left_counts);
	tcase_add_test(tcase, what_is_kept_comes_back);
	tcase_add_test(tcase, text_of_the_user_is_not_stored);
	tcase_add_test(tcase, damaged_memo_is_none);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
