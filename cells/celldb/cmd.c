/* cell db: the tables of the embedded database. See cell-db(1). */
#include "cmd.h"

#include "core.cell.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

#define LONG_MS     UINT64_C(3600000)
#define OFFER_MS    1000

#define TABLE_ARGUMENT \
	{ "TABLE", .help = "NAME, or STORE/NAME if several programs have one of that name", \
	  .words = OPTS_OWN }

/* ---- options ------------------------------------------------------------------------------ */

#define OPTION_INDEX \
	{ 'i', "index", OPTS_TEXT, offsetof(struct options, index), .value = "INDEX", \
	  .help = "by this index, not the primary key" }
#define OPTION_WHERE \
	{ 'w', "where", OPTS_TEXT, offsetof(struct options, where), .value = "EXPRESSION", \
	  .help = "only rows for which it holds: 'balance > 10 && owner != \"Ada\"'" }
#define OPTIONS_RANGE \
	{ 0, "from", OPTS_TEXT, offsetof(struct options, from), .value = "KEY", \
	  .help = "from this key on; of a key of several columns, the first: Rome,7" }, \
	{ 0, "to", OPTS_TEXT, offsetof(struct options, to), .value = "KEY", \
	  .help = "up to this key and all that begin so" }, \
	{ 'p', "prefix", OPTS_TEXT, offsetof(struct options, prefix), .value = "KEY", \
	  .help = "only keys that begin so; the last value is the beginning of a text" }

static const struct opts_option index_options[] = { OPTION_INDEX, { 0 } };
static const struct opts_option count_options[] = { OPTION_WHERE, OPTION_INDEX, OPTIONS_RANGE,
						    { 0 } };
static const struct opts_option scan_options[] = {
	OPTION_WHERE, OPTION_INDEX, OPTIONS_RANGE,
	{ 'n', "limit", OPTS_NUMBER, offsetof(struct options, limit), .value = "N",
	  .help = "at most so many rows" },
	{ 'r', "reverse", OPTS_FLAG, offsetof(struct options, reverse),
	  .help = "the last ones first" },
	{ 0 },
};
static const struct opts_option watch_options[] = {
	{ 0, "after", OPTS_NUMBER, offsetof(struct options, after), .value = "VERSION",
	  .help = "what was committed after this version, too (from now on)" },
	{ 'n', "limit", OPTS_NUMBER, offsetof(struct options, limit), .value = "N",
	  .help = "end after so many changes" },
	{ 0 },
};
static const struct opts_option backup_options[] = {
	{ 'f', "force", OPTS_FLAG, offsetof(struct options, force),
	  .help = "replace FILE if it is there" },
	{ 0 },
};
static const struct opts_option restore_options[] = {
	{ 0, "into", OPTS_TEXT, offsetof(struct options, into), .value = "DIR",
	  .help = "the cell's state (celldb in the node's state directory)",
	  .words = OPTS_FOLDER },
	{ 0 },
};

/* ---- arguments ---------------------------------------------------------------------------- */

static const struct opts_argument store_argument[] = {
	{ "STORE", .help = "only the tables of this program or shared store", .is_optional = true },
	{ 0 },
};
static const struct opts_argument table_argument[] = { TABLE_ARGUMENT, { 0 } };
static const struct opts_argument key_arguments[] = {
	TABLE_ARGUMENT,
	{ "KEY", .help = "a value for each column of the key", .is_optional = true, .repeats = true },
	{ 0 },
};
static const struct opts_argument put_arguments[] = {
	TABLE_ARGUMENT,
	{ "COLUMN=VALUE", .is_optional = true, .repeats = true,
	  .help = "columns of one row; the others stay as they are, or get their defaults. "
		  "Without any: rows from stdin, a JSON object each" },
	{ 0 },
};
static const struct opts_argument backup_argument[] = {
	{ "FILE", .help = "where the copy goes; - is stdout", .words = OPTS_FILE },
	{ 0 },
};
static const struct opts_argument restore_argument[] = {
	{ "FILE", .help = "what backup wrote; - is stdin", .words = OPTS_FILE },
	{ 0 },
};

/* ---- commands ----------------------------------------------------------------------------- */

struct verb {
	struct opts_command command;
	int (*run)(struct command *command, const struct options *options);
};

static const struct verb verbs[] = {
	{ { "tables", "list the tables there are", .arguments = store_argument }, db_list },
	{ { "describe", "show columns, keys and rules of a table", .arguments = table_argument },
	  db_describe },
	{ { "get", "show the row with a key", .options = index_options, .arguments = key_arguments },
	  db_get },
	{ { "put", "write rows: change one, or take them from stdin",
	    .arguments = put_arguments }, db_put },
	{ { "delete", "delete the row with a key", .arguments = key_arguments }, db_delete },
	{ { "scan", "show rows, in the order of a key", .options = scan_options,
	    .arguments = table_argument }, db_scan },
	{ { "count", "count rows", .options = count_options, .arguments = table_argument },
	  db_count },
	{ { "watch", "show changes as they are committed", .options = watch_options,
	    .arguments = table_argument }, db_watch },
	{ { "backup", "write a copy of all tables to a file", .options = backup_options,
	    .arguments = backup_argument }, db_backup },
	{ { "restore", "make a backup the state of a cell that has none",
	    .options = restore_options, .arguments = restore_argument }, db_restore },
	{ { "verify", .summary = "read everything and compare its checksums" }, db_verify },
	{ { "stats", .summary = "show sizes, commits, waits" }, db_stats },
	{ { "rotate-key", .summary = "seal encrypted columns with a new key" }, db_rotate_key },
};
#define N_VERBS (sizeof verbs / sizeof verbs[0])

static const struct opts_example examples[] = {
	{ "cell db tables", "which there are" },
	{ "cell db describe account", "columns, keys, checks" },
	{ "cell db get account 9", "one row" },
	{ "cell db put account id=9 owner=Ada", "a new one, or change it" },
	{ "cell db scan account -w 'balance > 10'", "those that match" },
	{ "cell db watch account --json", "every change, for a program" },
	{ "cell db backup today.mdb", "a copy, while others go on" },
	{ 0 },
};

/* ---- completion --------------------------------------------------------------------------- */

/* A key pressed must not start a cell. */
static bool is_running(struct cell_call *call)
{
	struct core_instance_page page;

	if (core_list_instances(call, &(struct core_list_request){ .cell = "celldb" }, &page) < 0)
		return false;
	for (size_t i = 0; i < page.n_instances; i++)
		if (page.instances[i].state == CORE_INSTANCE_STATE_READY)
			return true;
	return false;
}

static void offer_tables(void *userdata, enum opts_words words, char **args, size_t n_args,
			 FILE *file)
{
	struct cell_call *root = cell_open("cell-complete");
	struct cell_call *call = cell_within_ms(root, OFFER_MS);
	struct celldb_table_list list;

	(void)userdata, (void)words, (void)args, (void)n_args;
	if (is_running(call) &&
	    celldb_admin_list_tables(call, &(struct celldb_tables_query){ .store = "" }, &list) == 0)
		for (size_t i = 0; i < list.n_tables; i++) {
			const struct celldb_table_info *table = &list.tables[i];
			bool is_alone = true;

			for (size_t k = 0; k < list.n_tables; k++)
				is_alone = is_alone && (k == i || strcmp(list.tables[k].name, table->name) != 0);
			fprintf(file, "%s%s%s\t%s\n", is_alone ? "" : table->store, is_alone ? "" : "/",
				table->name, *table->doc ? table->doc : table->store);
		}
	cell_close(root);
}

/* ---- main --------------------------------------------------------------------------------- */

struct cell_call *db_call(struct command *command, bool is_long)
{
	struct cell_call *call = cell_to(command_call(command), "celldb", 0);

	return is_long ? cell_within_ms(call, LONG_MS) : call;
}

int main(int argc, char **argv)
{
	const struct opts_command *commands[N_VERBS + 1] = { 0 };
	struct opts_command table = {
		.name = "cell db",
		.summary = "show and change the tables of the embedded database",
		.text = "Values are written as in C; text needs no quotes where it is alone. For "
			"programs, --json: a document, or one a line where there may be many.",
		.examples = examples,
		.commands = commands,
		.offer = offer_tables,
		.has_json = true,
	};
	struct options options = { .after = UINT64_MAX, .limit = UINT64_MAX };
	struct command command;
	int err = 0;

	for (size_t i = 0; i < N_VERBS; i++)
		commands[i] = &verbs[i].command;
	if (!command_begin(&command, &table, argc, argv, &options))
		return command.exit_code;
	if (!options.limit)
		err = command_fail(&command, CELL_INVALID_ARGUMENT,
				   "--limit 0 would show nothing; without it there is no limit");
	for (size_t i = 0; i < N_VERBS && err == 0; i++)
		if (command.opts.command == &verbs[i].command)
			err = verbs[i].run(&command, &options);
	return command_end(&command, err);
}
