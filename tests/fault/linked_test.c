/*
 * A program that is nothing but handlers, on a real node: built from what the macros make,
 * with the main() of libcell-main.a; clients of it made by cell::remote from what it says of
 * itself; what it declares, provisioned before it is ready.
 *
 * $CELL_TOP and $CELL_BUILD say where the tree and its build folder are.
 */
#include "bank.cell.h"
#include "macro/builtin.h"
#include "scene.h"
#include "source.h"

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct scene scene;
static char output[65536];

static const char *env_or(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* Run a command line in the node's folder, keep what it prints. Returns its exit status. */
__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
	char command[8192];
	va_list args;
	size_t len;
	FILE *pipe;
	int n, status;

	n = snprintf(command, sizeof command, "cd '%s' && exec 2>&1; ", scene.node.folder);
	va_start(args, format);
	n += vsnprintf(command + n, sizeof command - (size_t)n, format, args);
	va_end(args);
	ck_assert_int_lt(n, (int)sizeof command);
	pipe = popen(command, "re");
	ck_assert_ptr_nonnull(pipe);
	len = fread(output, 1, sizeof output - 1, pipe);
	output[len] = '\0';
	status = pclose(pipe);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* COMPILER makes PROGRAM of SOURCES and of ARCHIVES of ours. */
static void build(const char *compiler, const char *program, const char *sources,
		  const char *archives)
{
	const char *top = env_or("CELL_TOP", "."), *o = env_or("CELL_BUILD", "build");
	const char *sanitize = strstr(o, "-address")     ? "-fsanitize=address"
			       : strstr(o, "-undefined") ? "-fsanitize=undefined"
			       : strstr(o, "-thread")    ? "-fsanitize=thread"
							 : "";
	int status = run("%s -std=gnu2x -O1 -Wall -Wextra -Wpedantic -Werror -D_GNU_SOURCE %s "
			 "-I'%s/core/include' -I'%s/gen' -o %s %s -L'%s/lib' %s -l:libcell.a -lev "
			 "-lprotobuf-c -lsodium -linih -lpthread -Wl,--gc-sections",
			 compiler, sanitize, top, o, program, sources, o, archives);

	ck_assert_msg(status == 0, "%s", output);
}

static void bank(const char *more_sources, const char *uses)
{
	char sources[512], manifest[512];

	(void)snprintf(sources, sizeof sources, "'%s/tests/lib/bank_expanded.c' %s",
		       env_or("CELL_TOP", "."), more_sources);
	build("gcc", "bank", sources, "-lcell-main");
	(void)snprintf(manifest, sizeof manifest,
		       "[cell]\nname = bank\nsummary = a bank\nexec = %s/bank\n%s", scene.node.folder,
		       uses);
	write_file(scene.node.cells, "bank.cell", manifest);
}

static void setup(void)
{
	scene_init(&scene);
}

static void teardown(void)
{
	scene_deinit(&scene);
}

/* --- serving -------------------------------------------------------------------------------- */

START_TEST(program_of_handlers_is_a_cell)
{
	struct bank_receipt receipt;
	struct bank_list_cursor all;
	unsigned n = 0;
	int r;

	bank("", "");
	scene_start(&scene);
	scene_join(&scene);
	r = bank_deposit(scene.call, &(struct bank_deposit){ 1, 5 }, &receipt);
	ck_assert_msg(r == 0, "%s", cell_error(scene.call)->text);
	ck_assert_int_eq(bank_deposit(scene.call, &(struct bank_deposit){ 1, 6 }, &receipt), 0);
	ck_assert_int_eq(receipt.balance, 11);
	ck_assert_int_eq(bank_deposit(scene.call, &(struct bank_deposit){ 9, 6 }, &receipt),
			 CELL_NOT_FOUND);
	ck_assert_str_eq(cell_error(scene.call)->text, "no account with id 9");
	all = bank_list(scene.call, &(struct bank_filter){ .has_min_balance = true, .min_balance = 1 });
	while (bank_list_next(&all))
		n++;
	ck_assert_int_eq(bank_list_end(&all), 0);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(node_describes_it_with_its_comments)
{
	bank("", "");
	scene_start(&scene);
	ck_assert_int_eq(run("cell describe bank"), 0);
	ck_assert_msg(strstr(output, "Deposit") != NULL, "%s", output);
	ck_assert_msg(strstr(output, "Put money in.") != NULL, "%s", output);
	ck_assert_int_eq(run("cell call bank deposit '{\"account\": 2, \"amount\": 7}'"), 0);
	ck_assert_msg(strstr(output, "\"7\"") || strstr(output, " 7"), "%s", output);
}
END_TEST

START_TEST(stop_function_runs_when_it_drains)
{
	struct bank_receipt receipt;

	bank("", "");
	scene_start(&scene);
	scene_join(&scene);
	ck_assert_int_eq(bank_deposit(scene.call, &(struct bank_deposit){ 1, 5 }, &receipt), 0);
	ck_assert_int_eq(run("cell down"), 0);
	ck_assert_int_eq(test_node_wait(&scene.node), 0);
	ck_assert_int_eq(run("cat '%s/log/bank.log'", scene.node.rundir), 0);
	ck_assert_msg(strstr(output, "bank: locked") != NULL, "%s", output);
}
END_TEST

START_TEST(program_without_handlers_says_why)
{
	scene_start(&scene);
	write_file(scene.node.folder, "none.c", "extern int nothing; int nothing;\n");
	build("gcc", "none", "none.c", "-lcell-main");
	ck_assert_int_ne(run("./none"), 0);
	ck_assert_str_eq(output, "none: no handlers linked in; an archive needs --whole-archive\n");
}
END_TEST

/* Handlers in an archive that nothing refers to: whole, they are found. */
START_TEST(archive_of_handlers_is_linked_whole)
{
	const char *top = env_or("CELL_TOP", "."), *o = env_or("CELL_BUILD", "build");

	scene_start(&scene);
	ck_assert_msg(run("gcc -std=gnu2x -D_GNU_SOURCE -I'%s/core/include' -I'%s/gen' -c "
			  "'%s/tests/lib/bank_expanded.c' -o b.o && ar rcs libbank.a b.o", top, o,
			  top) == 0, "%s", output);
	build("gcc", "lost", "", "-L. -lbank -lcell-main");
	ck_assert_int_ne(run("./lost"), 0);
	ck_assert_str_eq(output, "lost: no handlers linked in; an archive needs --whole-archive\n");
	build("gcc", "found", "", "-L. -Wl,--whole-archive -lbank -Wl,--no-whole-archive -lcell-main");
	ck_assert_int_ne(run("CELL_RUNDIR=/nonexistent ./found"), 0);
	ck_assert_msg(strstr(output, "no node is running here") || strstr(output, "cell up"), "%s",
		      output);
}
END_TEST

/* --- clients -------------------------------------------------------------------------------- */

static const char client[] =
	"#include <stdio.h>\n"
	"\n"
	"int main(void)\n"
	"{\n"
	"\tstruct cell_call *call = cell_open(\"client\");\n"
	"\tstruct shop_receipt receipt;\n"
	"\tstruct shop_report report;\n"
	"\tstruct shop_list_cursor all;\n"
	"\tstruct shop_total_stream total;\n"
	"\tstruct shop_deposit_future later;\n"
	"\tint err = shop_deposit(call, &(struct shop_deposit){ .account = 3, .amount = 40 }, &receipt);\n"
	"\n"
	"\tsetvbuf(stdout, NULL, _IONBF, 0);\n"
	"\tif (err)\n"
	"\t\treturn cell_exit(call, err);\n"
	"\tprintf(\"%lld %s %d\\n\", (long long)receipt.balance, receipt.owner,\n"
	"\t       receipt.status == SHOP_STATUS_OPEN);\n"
	"\tlater = shop_deposit_start(call, &(struct shop_deposit){ .account = 3, .amount = 2 });\n"
	"\terr = shop_deposit_wait(&later, &receipt);\n"
	"\tprintf(\"%lld\\n\", (long long)receipt.balance);\n"
	"\tall = shop_list(call, &(struct shop_filter){ .has_min_balance = true, .min_balance = 1 });\n"
	"\tfor (struct shop_entry *entry; (entry = shop_list_next(&all));)\n"
	"\t\tprintf(\"%u\\n\", entry->account);\n"
	"\terr = err ? err : shop_list_end(&all);\n"
	"\ttotal = shop_total_open(call);\n"
	"\terr = err ? err : shop_total_send(&total, &(struct shop_deposit){ .amount = 5 });\n"
	"\terr = err ? err : shop_total_close(&total, &receipt);\n"
	"\tprintf(\"%lld\\n\", (long long)receipt.balance);\n"
	"\terr = err ? err : shop_write(call, &report);\n"
	"\tif (!err)\n"
	"\t\tprintf(\"%zu %s\\n\", report.n_entries, report.currency);\n"
	"\terr = err ? err : shop_odd(call);\n"
	"\treturn cell_exit(call, err);\n"
	"}\n";

static const char *const compilers[] = { "gcc", "clang-14", "clang-19" };

static const char *expand_remote(const char *attribute)
{
	static struct builtin self;
	struct source *source = source_new("client");
	const char *units, *text;

	source_text(source, "#include <cell/cell.h>\n");
	source_bare(source, attribute);
	text = source_expand(source, scene.call, &cell_builtin, &self, &units);
	ck_assert_msg(text != NULL, "%s", units);
	return text;
}

START_TEST(remote_makes_a_client_of_what_runs)
{
	char command[64];
	char *whole;

	(void)snprintf(command, sizeof command, "command -v %s", compilers[_i]);
	if (run("%s", command) != 0)
		return;
	bank("", "");
	scene_start(&scene);
	scene_join(&scene);
	ck_assert_int_ge(asprintf(&whole, "%s\n%s",
				  expand_remote("cell::remote(shop = \"bank\")"), client), 0);
	ck_assert_ptr_nonnull(strstr(whole, "Put money in."));
	ck_assert_ptr_nonnull(strstr(whole, "From 0 to 3."));
	write_file(scene.node.folder, "client.c", whole);
	free(whole);
	build(compilers[_i], "client", "client.c", "");
	ck_assert_int_ne(run("CELL_RUNDIR='%s' ./client", scene.node.rundir), 0);
	ck_assert_str_eq(output, "40 Ada 1\n42\n3\n5\n4 EUR\n"
				 "client: cell.bank.v1.Bank/Odd returned 1\n");
}
END_TEST

/* Of a cell that a .proto file describes, with what that imports; and two in one file. */
START_TEST(remote_of_two_cells_does_not_clash)
{
	char *whole;

	bank("", "");
	scene_cell(&scene, "trial", "", "");
	scene_start(&scene);
	scene_join(&scene);
	ck_assert_int_ge(asprintf(&whole, "%s\nint main(void) { return 0; }\n",
				  expand_remote("cell::remote(a = \"trial\", b = \"trial\"), "
						"cell::remote(bank = \"bank\")")), 0);
	write_file(scene.node.folder, "client.c", whole);
	free(whole);
	build("gcc", "client", "client.c", "");
}
END_TEST

START_TEST(schema_is_a_state)
{
	struct builtin self = { .n_cells = 0 };
	struct source *source = source_new("client");
	const struct macro_state *states;
	const char *units;
	struct macro_plan plan;
	size_t n;

	bank("", "");
	scene_start(&scene);
	scene_join(&scene);
	source_bare(source, "cell::remote(shop = \"bank\")");
	ck_assert_ptr_nonnull(source_expand(source, scene.call, &cell_builtin, &self, &units));
	ck_assert_int_eq(cell_macro_plan(scene.call, &cell_builtin, &self,
					 source_request(source, ""), &plan), 0);
	ck_assert_str_eq(plan.reads[0], "schema bank");
	ck_assert_str_eq(plan.uses[0].cell, "bank");
	ck_assert_str_eq(plan.uses[0].channel, "app");
	ck_assert_int_eq(cell_builtin.states(scene.call, &self, &states, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(states[0].id, "schema bank");
	ck_assert_uint_eq(states[0].n_digest, 32);
}
END_TEST

/* --- provisioning --------------------------------------------------------------------------- */

static void declare(const char *name)
{
	char text[1024];

	(void)snprintf(text, sizeof text,
		       "#include <cell/cell.h>\n"
		       "static const uint8_t digest[32], body[] = { 1, 2, 3 };\n"
		       "static const struct cell_provision table = {\n"
		       "\t.linked = { CELL_LINKED_PROVISION, sizeof table }, .ns = \"db\",\n"
		       "\t.cell = \"db\", .name = \"%s\", .digest = digest, .body = body,\n"
		       "\t.body_len = sizeof body,\n"
		       "};\n"
		       "CELL_LINK(table_link, table);\n", name);
	write_file(scene.node.folder, "table.c", text);
}

static void provider(void)
{
	char program[512], manifest[1024];

	(void)snprintf(manifest, sizeof manifest,
		       "[cell]\nname = db\nsummary = a test's db\nexec = %s\n[macros]\nnamespace = db\n",
		       test_find_program("provider_cell", program));
	write_file(scene.node.cells, "db.cell", manifest);
}

static bool log_says(const char *text)
{
	ck_assert_int_eq(run("cat '%s/log/bank.log'", scene.node.rundir), 0);
	return strstr(output, text) != NULL;
}

START_TEST(declared_is_provisioned_before_ready)
{
	struct bank_receipt receipt;
	int r;

	provider();
	declare("table account");
	bank("table.c", "[uses]\ndb = app macro\n");
	scene_start(&scene);
	ck_assert_int_eq(setenv("CELL_LOG", "info", 1), 0);
	scene_join(&scene);
	r = bank_deposit(scene.call, &(struct bank_deposit){ 1, 5 }, &receipt);
	ck_assert_msg(r == 0, "%s", cell_error(scene.call)->text);
	ck_assert_msg(log_says("made table account of 3 bytes"), "%s", output);
}
END_TEST

static const struct {
	const char *name, *uses, *said;
} refusals[] = {
	{ "table refused", "[uses]\ndb = app macro\n",
	  "provisioning 'table refused' at cell 'db': column 'nick' held values" },
	{ "table account", "", "(the manifest needs \"db = app macro\" under [uses])" },
	{ "table account", "[uses]\ndb = app\n", "(the manifest needs \"db = app macro\" under [uses])" },
};

START_TEST(refused_provisioning_ends_the_start)
{
	struct bank_receipt receipt;

	provider();
	declare(refusals[_i].name);
	bank("table.c", refusals[_i].uses);
	scene_start(&scene);
	scene_join(&scene);
	ck_assert_int_lt(bank_deposit(cell_within_ms(scene.call, 3000),
				      &(struct bank_deposit){ 1, 5 }, &receipt), 0);
	ck_assert_msg(log_says(refusals[_i].said), "%s", output);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("linked");
	TCase *tcase = tcase_create("node");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, program_of_handlers_is_a_cell);
	tcase_add_test(tcase, node_describes_it_with_its_comments);
	tcase_add_test(tcase, stop_function_runs_when_it_drains);
	tcase_add_test(tcase, program_without_handlers_says_why);
	tcase_add_test(tcase, archive_of_handlers_is_linked_whole);
	tcase_add_loop_test(tcase, remote_makes_a_client_of_what_runs, 0,
			    sizeof compilers / sizeof *compilers);
	tcase_add_test(tcase, remote_of_two_cells_does_not_clash);
	tcase_add_test(tcase, schema_is_a_state);
	tcase_add_test(tcase, declared_is_provisioned_before_ready);
	tcase_add_loop_test(tcase, refused_provisioning_ends_the_start, 0,
			    sizeof refusals / sizeof *refusals);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
