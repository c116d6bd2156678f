/*
 * From source to text, with a real node and a scripted macro cell (tests/lib/macro_cell.c).
 */
#include "cellc/expand.h"
#include "cellc/key.h"

#include "said.h"
#include "scene.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct scene scene;
static struct cell_arena arena;
static char home[96], answers[120], root[120], manifest_path[160];
static struct project project;
static const char *off[4];

/* Of the last expansion. */
static struct unit unit;
static struct expansion expansion;
static struct session *session;
static const char *said;
static const char *text; /* the spliced one; NULL after an error */
static size_t text_len;

static void write_text(const char *folder, const char *name, const char *content)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "we");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	fputs(content, file);
	ck_assert_int_eq(fclose(file), 0);
}

static const char *read_text(const char *folder, const char *name)
{
	static char buffer[4][65536];
	static unsigned at;
	char *out = buffer[at++ % 4], path[300];
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	n = fread(out, 1, sizeof buffer[0] - 1, file);
	fclose(file);
	out[n] = 0;
	return out;
}

static void shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void setup(void)
{
	char program[512], cell[900];

	scene_init(&scene);
	snprintf(home, sizeof home, "%s", scene.node.folder);
	snprintf(answers, sizeof answers, "%s/answers", home);
	snprintf(root, sizeof root, "%s/bank", home);
	/* Cells run as somebody else; without a node there would be no log to look into. */
	shell("mkdir -m 777 %s && mkdir %s && touch %s/test.log", answers, root, home);
	snprintf(cell, sizeof cell, "[cell]\nname = macro\nsummary = scripted\nexec = %s %s\n",
		 test_find_program("macro_cell", program), answers);
	write_text(scene.node.cells, "macro.cell", cell);
	cell_arena_init(&arena, 0);
	memset(off, 0, sizeof off);
	project = (struct project){
		.root = root, .folder = cell_arena_printf(&arena, "%s/.cell", root),
		.program = "bank", .features_off = off,
	};
	ck_assert_int_eq(chdir(root), 0);
	session = NULL;
}

static void start(void)
{
	scene_start(&scene);
}

static void teardown(void)
{
	session_free(session);
	ck_assert_int_eq(chdir("/"), 0);
	scene_deinit(&scene);
	cell_arena_deinit(&arena);
}

static void stop(void)
{
	control_client_close(&scene.node.client);
	scene.node.client.fd = -1;
	kill(scene.node.pid, SIGTERM);
	ck_assert_int_eq(test_node_wait(&scene.node), 0);
}

/* How often CALL ("plan account") was made since the last time. */
static unsigned calls(const char *what)
{
	const char *log = read_text(answers, "calls");
	unsigned n = 0;

	for (; log && (log = strstr(log, what)); log++)
		n++;
	return n;
}

/* Expand SOURCE, the preprocessed form of bank.c, in a process of its own as far as sessions go. */
static int expand(const char *source)
{
	struct diag *diag = said_new();
	struct unit_options options = { .main_file = "bank.c", .standard = "gnu2x" };
	struct cell_error err = { 0 };
	int r;

	session_free(session);
	session = session_new(&project, diag);
	unit = (struct unit){ .text = source, .len = strlen(source) };
	memset(&expansion, 0, sizeof expansion);
	text = NULL;
	r = scan_text(&unit.scan, unit.text, unit.len, options.main_file, &arena, diag);
	if (r == 0)
		r = unit_parse(&unit, &options, &arena, diag, &err);
	ck_assert_msg(r != -ENOENT, "%s", err.text);
	if (r == 0)
		r = expand_unit(&expansion, &unit, session, &project, &arena, diag);
	if (r == 0)
		ck_assert_int_eq(splice_text(&unit, &expansion.splice, &arena, &text, &text_len, &err),
				 0);
	said = said_end(diag);
	return r;
}

#define EXPANDS(source) ck_assert_msg(expand(source) == 0, "%s", said)
#define FAILS(source)   ck_assert_int_lt(expand(source), 0)

/* The spliced text is good C, and its main() returns 0. */
static void runs(void)
{
	char path[200];
	FILE *file;

	snprintf(path, sizeof path, "%s/spliced.c", home);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, text_len, file), text_len);
	ck_assert_int_eq(fclose(file), 0);
	shell("gcc -std=gnu2x -Wall -Wextra -Werror -fpreprocessed -fdirectives-only -o %s/spliced "
	      "%s && %s/spliced", home, path, home);
}

#define ACCOUNT                                                                     \
	"# 1 \"bank.c\"\n"                                                          \
	"struct [[db::table(replicate = raft)]] account {\n"                        \
	"\t[[db::key]] unsigned long id;\n"                                         \
	"\tint balance;\n"                                                          \
	"};\n"
#define MAIN "int main(void)\n{\n\tstruct account a;\n\n\treturn account_get(&a) - 1;\n}\n"

START_TEST(struct_becomes_a_table)
{
	const char *lock;

	start();
	EXPANDS(ACCOUNT MAIN);
	ck_assert_str_eq(said, "");
	runs();
	lock = read_text(root, ".cell/db.schema.lock");
	ck_assert_ptr_nonnull(lock);
	ck_assert_has(lock, "cell-lock 1\ncell celldb local catalog=blake2b:");
	ck_assert_has(lock, "macro table places=struct may=declarations args=prefix:string,"
			    "replicate:identifier{none|raft},cached:bool\n");
	ck_assert_has(lock, "kept bank.c struct:account field balance = 2\n");
	ck_assert_has(lock, "use bank.c struct:account key=blake2b:");
	ck_assert_has(lock, " reads=table:account\n");
	ck_assert_uint_eq(expansion.n_declared, 1);
	ck_assert_str_eq(expansion.sites[0].name, "table");
	/* Every marker names a file that holds exactly what follows it. */
	for (size_t i = 0; i < expansion.splice.n_insertions; i++) {
		const struct insertion *insertion = &expansion.splice.insertions[i];
		const char *content = read_text(root, insertion->file);

		ck_assert_msg(content != NULL, "%s", insertion->file);
		ck_assert_str_eq(content, insertion->text);
	}
}
END_TEST

START_TEST(second_time_nobody_is_asked)
{
	struct stat before, after;

	start();
	EXPANDS(ACCOUNT MAIN);
	ck_assert_int_eq(stat(".cell/db.schema.lock", &before), 0);
	EXPANDS(ACCOUNT MAIN);
	ck_assert_uint_eq(calls("expand account"), 1);
	ck_assert_uint_eq(calls("plan account"), 1);
	ck_assert_uint_eq(calls("info"), 1);
	ck_assert_uint_eq(calls("hello"), 2);
	ck_assert_int_eq(stat(".cell/db.schema.lock", &after), 0);
	ck_assert(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	runs();
}
END_TEST

START_TEST(moved_lines_change_nothing)
{
	start();
	EXPANDS(ACCOUNT MAIN);
	EXPANDS("# 1 \"bank.c\"\n\n\n/* moved */\n\nstruct [[db::table(replicate = raft)]] account {\n"
		"\t[[db::key]] unsigned long id;\n\n\tint balance;\n};\n" MAIN);
	ck_assert_uint_eq(calls("expand account"), 1);
}
END_TEST

START_TEST(changed_state_asks_again)
{
	start();
	EXPANDS(ACCOUNT MAIN);
	write_text(answers, "state", "migrated");
	write_text(answers, "text", "1 + 0");
	EXPANDS(ACCOUNT MAIN);
	ck_assert_uint_eq(calls("expand account"), 2);
	ck_assert_has(text, "return 1 + 0;");
	runs();
	/* The old text is gone, and only one is left. */
	shell("test $(ls .cell/exp/db/*.plan | wc -l) = 1");
}
END_TEST

START_TEST(without_a_node_it_builds_from_memory)
{
	const char *first;

	start();
	EXPANDS(ACCOUNT MAIN);
	first = text;
	stop();
	EXPANDS(ACCOUNT MAIN);
	ck_assert_str_eq(text, first);
	ck_assert_has(said, "warning: cell 'celldb' is not running: built from what .cell remembers");
	project.offline = true;
	EXPANDS(ACCOUNT MAIN);
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(text, first);
}
END_TEST

START_TEST(without_node_and_memory_it_says_what_to_do)
{
	FAILS(ACCOUNT MAIN);
	ck_assert_has(said, "bank.c:1:10: error: cell 'db' is not running and .cell has no answer "
			    "from it\n");
	ck_assert_has(said, "note: run: cell run db\n");
	ck_assert_has(said, "note: or leave it out: cellc --features db=off\n");
	ck_assert_lacks(said, "bank.c:3");
	ck_assert_int_lt(access(".cell", F_OK), 0);
}
END_TEST

START_TEST(offline_says_that_it_may_not_ask)
{
	start();
	EXPANDS(ACCOUNT MAIN);
	project.offline = true;
	FAILS("# 1 \"bank.c\"\nstruct [[db::table]] account { unsigned long id; };\n");
	ck_assert_has(said, "bank.c:1:10: error: db::table: .cell has no answer from cell 'celldb' "
			    "to what stands here now, and --offline forbids to ask\n");
	/* Arguments are checked all the same. */
	FAILS("# 1 \"bank.c\"\nstruct [[db::table(replicat = raft)]] account { int id; };\n");
	ck_assert_has(said, "no argument 'replicat' (did you mean 'replicate'?)");
	ck_assert_uint_eq(calls("hello"), 1);
}
END_TEST

START_TEST(locked_shows_the_difference_and_writes_nothing)
{
	const char *before;

	start();
	EXPANDS(ACCOUNT MAIN);
	project.locked = true;
	EXPANDS(ACCOUNT MAIN);
	ck_assert_str_eq(said, "");
	before = read_text(root, ".cell/db.schema.lock");
	write_text(answers, "state", "migrated");
	write_text(answers, "text", "2");
	FAILS(ACCOUNT MAIN);
	ck_assert_has(said, "error: .cell/db.schema.lock would change, and --locked forbids that");
	ck_assert_has(said, "--- a/.cell/db.schema.lock\n+++ b/.cell/db.schema.lock\n@@ ");
	ck_assert_has(said, "\n-\treturn 1;\n+\treturn 2;\n");
	ck_assert_str_eq(read_text(root, ".cell/db.schema.lock"), before);
	shell("! grep -r 'return 2' .cell");
}
END_TEST

START_TEST(locked_refuses_what_is_new)
{
	start();
	project.locked = true;
	FAILS(ACCOUNT MAIN);
	ck_assert_has(said, "--- /dev/null\n+++ b/.cell/db.schema.lock\n");
	ck_assert_int_lt(access(".cell", F_OK), 0);
}
END_TEST

START_TEST(edited_expansion_is_made_anew)
{
	start();
	EXPANDS(ACCOUNT MAIN);
	shell("sed -i 's/return 1/return 9/' .cell/exp/db/*.c");
	EXPANDS(ACCOUNT MAIN);
	ck_assert_lacks(text, "return 9");
	shell("! grep -r 'return 9' .cell");
	shell("sed -i 's/return 1/return 9/' .cell/exp/db/*.c");
	project.offline = true;
	FAILS(ACCOUNT MAIN);
}
END_TEST

START_TEST(switched_off_is_blanked_and_not_asked)
{
	static const char source[] = "# 1 \"bank.c\"\nstruct [[db::table]] account { int id; };\n";

	off[0] = "db";
	EXPANDS(source);
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(text, "# 1 \"bank.c\"\nstruct               account { int id; };\n");
	ck_assert_uint_eq(expansion.splice.n_insertions, 0);
}
END_TEST

START_TEST(others_hear_what_is_off)
{
	start();
	off[0] = "auth";
	EXPANDS("# 1 \"bank.c\"\n[[cell::handler, auth::require(role = \"x\")]]\n"
		"static int f(int x) { return x; }\n"
		"int main(void) { return cell_method_f(4) - 4; }\n");
	runs();
	ck_assert_lacks(text, "cell_30_f");
	ck_assert_int_lt(access(".cell/auth.schema.lock", F_OK), 0);
}
END_TEST

START_TEST(handlers_are_wrapped_in_order)
{
	start();
	EXPANDS("# 1 \"bank.c\"\n[[cell::handler, auth::require(role = \"x\")]]\n"
		"static int f(int x) { return x; }\n"
		"int main(void) { return f(4) == 4 && cell_method_f(4) == 34 ? 0 : 1; }\n");
	runs();
	ck_assert_uint_eq(expansion.splice.n_renamings, 0);
}
END_TEST

START_TEST(others_are_renamed)
{
	start();
	EXPANDS("# 1 \"bank.c\"\nextern int strcmp(const char *, const char *);\n"
		"[[auth::require(role = \"x\")]]\n"
		"static int /* why */ f(int x)\n{\n"
		"\treturn x > 0 ? f(x - 1) : strcmp(__func__, \"f\");\n}\n"
		"[[auth::require(role = \"y\")]] int g(int x) { return x; }\n"
		"[[db::body, auth::require(role = \"z\")]] static int h(int);\n"
		"int main(void) { return f(2) == 90 && g(1) == 31 && h(1) == 37 ? 0 : 1; }\n");
	runs();
	ck_assert_uint_eq(expansion.splice.n_renamings, 2);
}
END_TEST

START_TEST(bodies_members_and_units)
{
	start();
	EXPANDS("# 1 \"bank.c\"\n[[db::body]] static int seven(void);\n"
		"struct [[db::grow, db::unit]] point { int x; };\n"
		"struct line { struct point a, b; };\n"
		"int main(void)\n{\n\tstruct line l = { .a.version = 1 };\n\n"
		"\treturn seven() - 6 - l.a.version;\n}\n");
	runs();
	ck_assert_uint_eq(expansion.n_units, 1);
	ck_assert_str_eq(expansion.units[0].text, "int cell_unit_value = 5;\n");
}
END_TEST

/* What is defined once comes with the header's own source; else everyone has it, weakly. */
START_TEST(headers_define_weakly_unless_emitted)
{
#define HEADER                                                                              \
	"# 1 \"bank.c\"\n# 1 \"account.h\" 1\nstruct [[db::table]] account { int id; };\n" \
	"# 2 \"bank.c\" 2\n"

	start();
	EXPANDS(HEADER "int main(void) { struct account a; return account_get(&a) - 1; }\n");
	ck_assert_has(text, "#pragma weak account_shared\n");
	runs();
	ck_assert_has(read_text(root, ".cell/db.schema.lock"), "use account.h struct:account ");
	EXPANDS(HEADER "[[cell::emit(account_h)]];\nint main(void) { struct account a; return account_get(&a) - 1; }\n");
	ck_assert_lacks(text, "#pragma weak");
	runs();
	FAILS(HEADER "[[cell::emit(\"account.h\")]];\n");
	ck_assert_has(said, "cell::emit: wants the header");
}
END_TEST

START_TEST(conflicts_are_found_before_anything_is_made)
{
	start();
	FAILS("# 1 \"bank.c\"\n# 1 \"/usr/include/time.h\" 1 3 4\n"
	      "extern int account_get(int);\n# 2 \"bank.c\" 2\n"
	      "struct [[db::table]] account { int id; };\n");
	ck_assert_has(said, "bank.c:2:10: error: db::table would declare 'account_get', which "
			    "<time.h>:1 declares\n");
	ck_assert_has(said, "note: add prefix = \"my_account\"\n");
	ck_assert_uint_eq(calls("expand"), 0);
	ck_assert_int_lt(access(".cell", F_OK), 0);
	FAILS("# 1 \"bank.c\"\nstruct [[db::table(prefix = \"x\")]] account { int id; };\n"
	      "struct [[db::table(prefix = \"x\")]] other { int id; };\n");
	ck_assert_has(said, "would declare 'x_get', which the attribute at bank.c:1 declares, too");
}
END_TEST

START_TEST(missing_header_is_named)
{
	start();
	FAILS("# 1 \"bank.c\"\nstruct [[db::math]] account { int id; };\n");
	ck_assert_has(said, "error: db::math: what it generates needs <time.h>\n");
	ck_assert_has(said, "note: add #include <time.h>\n");
	EXPANDS("# 1 \"bank.c\"\n# 1 \"/usr/include/time.h\" 1 3 4\n# 2 \"bank.c\" 2\n"
		"struct [[db::math]] account { int id; };\n");
	ck_assert_uint_eq(expansion.n_link, 1);
	ck_assert_str_eq(expansion.link[0], "-lm");
}
END_TEST

START_TEST(manifest_must_list_what_is_called)
{
	static const char source[] =
		"# 1 \"bank.c\"\n[[auth::require(role = \"x\")]] int g(int x) { return x; }\n";

	start();
	write_text(root, "bank.cell", "[cell]\nname = bank\nsummary = x\nexec = bank\n");
	snprintf(manifest_path, sizeof manifest_path, "%s/bank.cell", root);
	project.manifest = manifest_path;
	FAILS(source);
	ck_assert_has(said, "bank.c:1:3: error: auth::require calls cell 'auth', which bank.cell does "
			    "not list\n");
	ck_assert_has(said, "note: add \"auth = app\" under [uses]\n");
	write_text(root, "bank.cell",
		   "[cell]\nname = bank\nsummary = x\nexec = bank\n[uses]\nauth = app\n");
	EXPANDS(source);
}
END_TEST

START_TEST(another_key_is_not_trusted)
{
	start();
	EXPANDS(ACCOUNT MAIN);
	write_text(answers, "key", "ed25519:00ff");
	FAILS(ACCOUNT MAIN);
	ck_assert_has(said, "error: db:: is provided by cell 'celldb' with key ed25519:00ff, but this "
			    "project trusts 'celldb' with key local\n");
	ck_assert_has(said, "note: if that is right: cell macro trust db ed25519:00ff\n");
	ck_assert_has(read_text(root, ".cell/db.schema.lock"), "cell celldb local ");
}
END_TEST

START_TEST(bad_text_is_refused)
{
	start();
	write_text(answers, "bad", "#include <stdio.h>\n");
	FAILS(ACCOUNT MAIN);
	ck_assert_has(said, "bank.c:1:10: error: db::table: refused: line 6 of its text has an #include");
	write_text(answers, "bad", "int main(void);\n");
	FAILS(ACCOUNT MAIN);
	ck_assert_has(said, "declares 'main'");
	ck_assert_int_lt(access(".cell", F_OK), 0);
}
END_TEST

START_TEST(degraded_is_used_once_and_kept_nowhere)
{
	start();
	write_text(answers, "degraded", "");
	EXPANDS(ACCOUNT MAIN);
	ck_assert(expansion.is_degraded);
	runs();
	ck_assert_int_lt(access(".cell/exp", F_OK), 0);
	EXPANDS(ACCOUNT MAIN);
	ck_assert_uint_eq(calls("expand account"), 2);
	project.strict = true;
	FAILS(ACCOUNT MAIN);
	ck_assert_has(said, "its expansion is incomplete, and --strict forbids that");
}
END_TEST

START_TEST(warnings_are_said_each_time)
{
	static const char source[] = "# 1 \"bank.c\"\nstruct [[db::warn]] account { int id; };\n";

	start();
	EXPANDS(source);
	ck_assert_has(said, "bank.c:1:10: warning: db::warn: this is slow");
	EXPANDS(source);
	ck_assert_has(said, "bank.c:1:10: warning: db::warn: this is slow");
	ck_assert_uint_eq(calls("expand account"), 1);
}
END_TEST

START_TEST(provisioning_comes_afterwards)
{
	struct diag *diag;

	start();
	EXPANDS(ACCOUNT MAIN);
	ck_assert_uint_eq(calls("provision"), 0);
	diag = said_new();
	ck_assert_int_eq(expand_provision(&expansion, session, diag, NULL), 0);
	said = said_end(diag);
	ck_assert_has(said, "note: created table account");
	ck_assert_uint_eq(calls("provision table account"), 1);
	write_text(answers, "refuse", "column 'x' holds values");
	diag = said_new();
	ck_assert_int_lt(expand_provision(&expansion, session, diag, NULL), 0);
	said = said_end(diag);
	ck_assert_has(said, "bank.c:1:10: error: db::table: column 'x' holds values");
}
END_TEST

/* The table is there now, which is another state, and the next build must not care. */
START_TEST(provisioning_brings_locks_up_to_date)
{
	struct diag *diag;

	start();
	write_text(answers, "next", "created");
	EXPANDS(ACCOUNT MAIN);
	diag = said_new();
	ck_assert_int_eq(expand_provision(&expansion, session, diag, NULL), 0);
	said = said_end(diag);
	ck_assert_lacks(said, "warning");
	ck_assert_uint_eq(calls("expand account"), 2);
	/* make looks for what the object is said to depend on. */
	ck_assert_uint_ge(expansion.n_depends, 3);
	for (size_t i = 0; i < expansion.n_depends; i++)
		ck_assert_msg(access(expansion.depends[i], F_OK) == 0, "%s", expansion.depends[i]);
	project.locked = true;
	EXPANDS(ACCOUNT MAIN);
	ck_assert_uint_eq(calls("expand account"), 2);
	project.locked = false;
	EXPANDS(ACCOUNT MAIN);
	/* Text that follows the state is old when it has been compiled. */
	write_text(answers, "next", "grown");
	write_text(answers, "text", "1 + 0");
	diag = said_new();
	ck_assert_int_eq(expand_provision(&expansion, session, diag, NULL), 0);
	said = said_end(diag);
	ck_assert_has(said, "warning: what was provisioned changes what is generated");
}
END_TEST

START_TEST(remembered_expansion_is_made_again_if_provisioning_changes_it)
{
	struct diag *diag;
	bool changed = false;

	start();
	EXPANDS(ACCOUNT MAIN);
	expand_remember(&expansion, &project, &arena);
	diag = said_new();
	ck_assert_int_eq(expand_provision(&expansion, session, diag, &changed), 0);
	ck_assert(!changed);
	write_text(answers, "next", "created");
	ck_assert_int_eq(expand_provision(&expansion, session, diag, &changed), EXPAND_CHANGED);
	ck_assert(changed);
	said = said_end(diag);
	ck_assert_has(said, "note: created table account");
	ck_assert_uint_eq(calls("expand account"), 1);
}
END_TEST

START_TEST(basis_has_all_that_was_looked_at)
{
	const struct expansion_basis *basis = &expansion.basis;
	bool has_lock = false;

	start();
	EXPANDS(ACCOUNT MAIN);
	ck_assert(basis->asks);
	ck_assert_str_eq(basis->main_file, "bank.c");
	ck_assert_uint_eq(basis->n_namespaces, 1);
	ck_assert_str_eq(basis->namespaces[0], "db");
	ck_assert_uint_eq(basis->n_declarations, 1);
	ck_assert_str_eq(basis->declarations[0].file, "bank.c");
	ck_assert_str_eq(basis->declarations[0].name, "struct:account");
	ck_assert_uint_eq(basis->n_states, 1);
	ck_assert_str_eq(basis->states[0].id, "table:account");
	/* Its files hold what it says, and its locks are those that were written. */
	ck_assert_uint_ge(basis->n_files, 2);
	for (size_t i = 0; i < basis->n_files; i++) {
		const char *path = cell_arena_printf(&arena, ".cell/%s", basis->files[i].path);
		const char *content = read_text(root, path);

		ck_assert_msg(content != NULL, "%s", path);
		ck_assert_str_eq(key_hash(content, strlen(content), &arena),
				 basis->files[i].hash);
	}
	for (size_t i = 0; i < basis->n_locks; i++)
		if (strcmp(basis->locks[i].ns, "db") == 0) {
			has_lock = true;
			ck_assert_str_eq(lock_text(&basis->locks[i], &arena),
					 read_text(root, ".cell/db.schema.lock"));
		}
	ck_assert(has_lock);
}
END_TEST

START_TEST(numbers_stay_when_members_come_go_and_move)
{
	start();
	EXPANDS(ACCOUNT MAIN);
	EXPANDS("# 1 \"bank.c\"\nstruct [[db::table]] account { int nick, balance; };\n");
	ck_assert_has(read_text(root, ".cell/db.schema.lock"),
		      "kept bank.c struct:account field balance = 2\n"
		      "kept bank.c struct:account field nick = 3\n");
	/* The file that it was in is gone: it was renamed. */
	EXPANDS("# 1 \"teller.c\"\nstruct [[db::table]] account { int nick, balance; };\n");
	ck_assert_has(read_text(root, ".cell/db.schema.lock"),
		      "kept teller.c struct:account field balance = 2\n"
		      "kept teller.c struct:account field nick = 3\n");
	ck_assert_lacks(read_text(root, ".cell/db.schema.lock"), "kept bank.c");
}
END_TEST

START_TEST(one_silent_provider_stops_its_own_only)
{
	start();
	write_text(answers, "off", "auth");
	EXPANDS(ACCOUNT MAIN);
	FAILS("# 1 \"bank.c\"\n[[auth::require(role = \"x\")]] int g(int x) { return x; }\n");
	ck_assert_has(said, "cell 'auth' does not answer and .cell has no answer from it\n");
	ck_assert_has(said, "note: it said nothing for 2 s\n");
}
END_TEST

START_TEST(unknown_names_are_found_in_catalogues)
{
	start();
	FAILS("# 1 \"bank.c\"\nstruct [[db::tabel]] account { int id; };\n");
	ck_assert_has(said, "db::tabel: cell 'celldb' provides no such macro (did you mean 'table'?)");
	FAILS("# 1 \"bank.c\"\nstruct [[dbb::table]] account { int id; };\n");
	ck_assert_has(said, "no cell provides the namespace 'dbb'");
	FAILS("# 1 \"bank.c\"\n[[db::table]] int g(int x) { return x; }\n");
	ck_assert_has(said, "db::table does not belong on a function with a body");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("expand");
	TCase *tcase = tcase_create("expand");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, struct_becomes_a_table);
	tcase_add_test(tcase, second_time_nobody_is_asked);
	tcase_add_test(tcase, moved_lines_change_nothing);
	tcase_add_test(tcase, changed_state_asks_again);
	tcase_add_test(tcase, without_a_node_it_builds_from_memory);
	tcase_add_test(tcase, without_node_and_memory_it_says_what_to_do);
	tcase_add_test(tcase, offline_says_that_it_may_not_ask);
	tcase_add_test(tcase, locked_shows_the_difference_and_writes_nothing);
	tcase_add_test(tcase, locked_refuses_what_is_new);
	tcase_add_test(tcase, edited_expansion_is_made_anew);
	tcase_add_test(tcase, switched_off_is_blanked_and_not_asked);
	tcase_add_test(tcase, others_hear_what_is_off);
	tcase_add_test(tcase, handlers_are_wrapped_in_order);
	tcase_add_test(tcase, others_are_renamed);
	tcase_add_test(tcase, bodies_members_and_units);
	tcase_add_test(tcase, headers_define_weakly_unless_emitted);
	tcase_add_test(tcase, conflicts_are_found_before_anything_is_made);
	tcase_add_test(tcase, missing_header_is_named);
	tcase_add_test(tcase, manifest_must_list_what_is_called);
	tcase_add_test(tcase, another_key_is_not_trusted);
	tcase_add_test(tcase, bad_text_is_refused);
	tcase_add_test(tcase, degraded_is_used_once_and_kept_nowhere);
	tcase_add_test(tcase, warnings_are_said_each_time);
	tcase_add_test(tcase, provisioning_comes_afterwards);
	tcase_add_test(tcase, provisioning_brings_locks_up_to_date);
	tcase_add_test(tcase, remembered_expansion_is_made_again_if_provisioning_changes_it);
	tcase_add_test(tcase, basis_has_all_that_was_looked_at);
	tcase_add_test(tcase, numbers_stay_when_members_come_go_and_move);
	tcase_add_test(tcase, one_silent_provider_stops_its_own_only);
	tcase_add_test(tcase, unknown_names_are_found_in_catalogues);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
