/* cell postgres: the server, the connections to it, the tables; a new key for encrypted columns. */
#include "postgres.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <string.h>

static const struct opts_option options[] = { { 0 } };

static const struct opts_argument arguments[] = {
	{ "ACTION", .choices = "status|rotate-key", .is_optional = true,
	  .help = "status (if left out), or rotate-key: a new key for encrypted columns" },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell postgres", "is the server there, and what does it have?" },
	{ "cell postgres --json status", "the same for programs" },
	{ "cell postgres rotate-key", "seal all encrypted columns with a new key" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell postgres",
	.summary = "show the PostgreSQL server that keeps tables",
	.text = "Tables come from postgres:: attributes; see postgres-macros(7). The server's address "
		"and password are in postgres.conf of the cell's state folder: see cell-postgres(8).",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

static void txn_print(char text[33], const struct postgres_in_doubt *one)
{
	for (size_t i = 0; i < one->n_txn && i < 16; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", one->txn[i]);
}

static json_t *status_json(const struct postgres_status_report *s)
{
	json_t *tables = json_array(), *in_doubt = json_array();

	for (size_t i = 0; i < s->n_tables; i++)
		(void)json_array_append_new(
			tables, json_pack("{s:s, s:s, s:s, s:b, s:i}", "store", s->tables[i].store, "name",
					  s->tables[i].name, "schema", s->tables[i].schema, "adopted",
					  (int)s->tables[i].adopted, "versions",
					  (int)s->tables[i].versions));
	for (size_t i = 0; i < s->n_in_doubt; i++) {
		char txn[33] = "";

		txn_print(txn, &s->in_doubt[i]);
		(void)json_array_append_new(
			in_doubt, json_pack("{s:s, s:s, s:I}", "txn", txn, "coordinator",
					    s->in_doubt[i].coordinator, "age_ms",
					    (json_int_t)s->in_doubt[i].age_ms));
	}
	return json_pack("{s:s, s:i, s:s, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:i, s:o, s:o}",
			 "server", s->server, "version", (int)s->server_version, "trouble", s->trouble,
			 "connections", (int)s->connections, "idle", (int)s->connections_idle, "limit",
			 (int)s->connections_max, "waiting", (int)s->waiting, "connected",
			 (json_int_t)s->connected, "failed", (json_int_t)s->failed, "lost",
			 (json_int_t)s->lost, "commits", (json_int_t)s->commits, "conflicts",
			 (json_int_t)s->conflicts, "key", (int)s->key, "tables", tables, "in_doubt",
			 in_doubt);
}

static void tables_print(const struct command *command, const struct postgres_status_report *s)
{
	static const struct out_column columns[] = {
		{ "TABLE", .may_shrink = true }, { "STORE", .may_shrink = true },
		{ .title = "ORIGIN" },		 { "VERSIONS", .is_right = true },
		{ 0 },
	};
	struct out_table *rows = out_table_new(columns);

	for (size_t i = 0; i < s->n_tables; i++) {
		out_cell(rows, OUT_PLAIN, "%s.%s", s->tables[i].schema, s->tables[i].name);
		out_cell(rows, OUT_PLAIN, "%s", s->tables[i].store);
		out_cell(rows, OUT_PLAIN, "%s", s->tables[i].adopted ? "adopted" : "created");
		out_cell(rows, OUT_PLAIN, "%u", s->tables[i].versions);
	}
	out_table_print(rows, &command->out);
	out_table_free(rows);
}

static int status(struct command *command)
{
	const struct out *out = &command->out;
	struct postgres_status_report s;
	char text[200];
	int err = postgres_status(command_call(command), &(struct postgres_status_request){ 0 }, &s);

	if (err)
		return err;
	if (command->is_json)
		return command_json(command, status_json(&s));
	out_print(out, OUT_PLAIN, "server       %s\n",
		  *s.server ? out_plain(text, sizeof text, s.server) : "never reached");
	if (*s.trouble)
		out_print(out, OUT_BAD, "trouble      %s\n", out_plain(text, sizeof text, s.trouble));
	if (s.server_version)
		out_print(out, OUT_PLAIN, "version      %u.%u\n", s.server_version / 10000,
			  s.server_version % 10000);
	out_print(out, OUT_PLAIN, "connections  %u of %u, %u idle, %u calls wait\n", s.connections,
		  s.connections_max, s.connections_idle, s.waiting);
	out_print(out, OUT_PLAIN, "commits      %llu, %llu lost a race\n", (unsigned long long)s.commits,
		  (unsigned long long)s.conflicts);
	for (size_t i = 0; i < s.n_in_doubt; i++) {
		char txn[33] = "";

		txn_print(txn, &s.in_doubt[i]);
		out_print(out, OUT_WARN, "in doubt     %s, for cell '%s' to decide, %llu ms\n", txn,
			  out_plain(text, sizeof text, s.in_doubt[i].coordinator),
			  (unsigned long long)s.in_doubt[i].age_ms);
	}
	if (s.n_tables)
		tables_print(command, &s);
	return 0;
}

static int rotate_key(struct command *command)
{
	struct postgres_rotated rotated;
	int err = postgres_rotate_key(command_call(command), &(struct postgres_rotate_request){ 0 },
				      &rotated);

	if (err)
		return err;
	if (command->is_json)
		return command_json(command, json_pack("{s:i, s:I}", "key", (int)rotated.key, "rows",
						       (json_int_t)rotated.rows));
	out_print(&command->out, OUT_PLAIN, "key %u; %llu rows sealed anew\n", rotated.key,
		  (unsigned long long)rotated.rows);
	return 0;
}

int main(int argc, char **argv)
{
	struct command command;
	struct { int none; } into;
	const char *action;
	int err;

	if (!command_begin(&command, &table, argc, argv, &into))
		return command.exit_code;
	action = command_arg(&command, 0);
	err = action && strcmp(action, "rotate-key") == 0 ? rotate_key(&command) : status(&command);
	return command_end(&command, err);
}
