/* cell ps: the instances that run here, and with -a the cells that do not. */
#include "node.h"

#include "../libcell/guess.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <string.h>

struct options {
	bool all;
};

static const struct opts_option options[] = {
	{ 'a', "all", OPTS_FLAG, offsetof(struct options, all),
	  .help = "also the cells of which no instance runs" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "only the instances of this cell", .words = OPTS_CELL,
	  .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell ps", "all instances" },
	{ "cell ps -a", "the cells that do not run, too" },
	{ "cell ps --json greeter", "one cell, for programs" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell ps",
	.summary = "list the instances that run here",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

static const struct out_column columns[] = {
	{ .title = "ID", .is_right = true },
	{ .title = "CELL" },
	{ .title = "STATE" },
	{ .title = "PID", .is_right = true },
	{ .title = "UP", .is_right = true },
	{ .title = "CONN", .is_right = true },
	{ .title = "RESTARTS", .is_right = true },
	{ .title = "MEM", .is_right = true },
	{ .title = "CPU", .is_right = true },
	{ .title = "SANDBOX" },
	{ .title = "NOTE", .may_shrink = true },
	{ 0 },
};

static void row(struct out_table *rows, const struct core_instance_info *i)
{
	char up[OUT_NUMBER_SIZE], memory[OUT_NUMBER_SIZE], cpu[OUT_NUMBER_SIZE];

	out_cell(rows, OUT_PLAIN, "%" PRIu64, i->instance);
	out_cell(rows, OUT_BOLD, "%s", i->cell);
	out_cell(rows, node_state_style(i->state), "%s", node_state_name(i->state));
	out_cell(rows, OUT_PLAIN, i->pid ? "%u" : "-", i->pid);
	out_cell(rows, OUT_PLAIN, "%s",
		 i->pid ? out_duration(up, i->started_ms_ago / 1000 * 1000000000) : "-");
	out_cell(rows, OUT_PLAIN, "%u", i->connections);
	out_cell(rows, i->restarts ? OUT_WARN : OUT_PLAIN, "%u", i->restarts);
	out_cell(rows, OUT_PLAIN, "%s",
		 i->memory_bytes ? out_bytes(memory, i->memory_bytes) : "-");
	out_cell(rows, OUT_PLAIN, "%s",
		 i->cpu_us ? out_duration(cpu, i->cpu_us * 1000) : "-");
	out_cell(rows, OUT_DIM, "%s", i->sandbox);
	out_cell(rows, OUT_PLAIN, "%s", i->reason);
}

static void cell_row(struct out_table *rows, const struct core_cell_info *c)
{
	static const char *const nothing[] = { "-", "-", "-" };

	out_cell(rows, OUT_DIM, "-");
	out_cell(rows, OUT_BOLD, "%s", c->name);
	/* It is known and was not started: nothing is wrong with it. */
	out_cell(rows, node_state_style(c->state), "%s",
		 c->state == CORE_INSTANCE_STATE_GONE ? "-" : node_state_name(c->state));
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
		out_cell(rows, OUT_DIM, "%s", nothing[i]);
	out_cell(rows, OUT_PLAIN, "%u", c->restarts);
	for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
		out_cell(rows, OUT_DIM, "%s", nothing[i]);
	out_cell(rows, OUT_PLAIN, "%s", c->reason[0] ? c->reason : c->summary);
}

static bool is_listed(const struct core_instance_info *instances, size_t n, const char *cell)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(instances[i].cell, cell) == 0)
			return true;
	return false;
}

/* The cells to be shown beside the instances: none without --all. */
static int idle_cells(struct command *command, const struct options *o, const char *only,
		      const struct core_cell_info **ret_cells, size_t *ret_n)
{
	struct cell_call *call = command_call(command);
	const struct core_cell_info *cells;
	int err;

	*ret_n = 0;
	if (!o->all && !only)
		return 0;
	err = node_cells(call, &cells, ret_n);
	*ret_cells = cells;
	return err;
}

static json_t *cell_json(const struct core_cell_info *c)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:b}", "cell", c->name,
			 "summary", c->summary, "manifest", c->manifest, "state",
			 node_state_name(c->state), "instances", (json_int_t)c->instances,
			 "restarts", (json_int_t)c->restarts, "reason", c->reason, "boot",
			 c->boot);
}

static int unknown(struct command *command, const struct core_cell_info *cells, size_t n,
		   const char *name)
{
	struct guess guess = { .word = name };

	for (size_t i = 0; i < n; i++)
		guess_try(&guess, cells[i].name);
	if (guess.best)
		return command_fail(command, CELL_NOT_FOUND,
				    "no such cell: '%s' (did you mean '%s'?)", name,
				    guess.best);
	return command_fail(command, CELL_NOT_FOUND,
			    "no such cell: '%s' (cell ps -a lists those there are)", name);
}

static int list(struct command *command, const struct options *o, const char *only)
{
	struct out_table *rows = out_table_new(columns);
	json_t *instances_json = json_array(), *cells_json = json_array();
	const struct core_instance_info *instances;
	const struct core_cell_info *cells = NULL;
	size_t n, n_cells;
	bool is_known = !only;
	int err = node_instances(command_call(command), only ? only : "", &instances, &n);

	if (err == 0)
		err = idle_cells(command, o, only, &cells, &n_cells);
	if (err)
		goto out;
	for (size_t i = 0; i < n; i++) {
		row(rows, &instances[i]);
		(void)json_array_append_new(instances_json,
					    node_instance_json(&instances[i]));
	}
	for (size_t i = 0; i < n_cells; i++) {
		is_known = is_known || strcmp(cells[i].name, only) == 0;
		if (only ? strcmp(cells[i].name, only) != 0 : !o->all)
			continue;
		(void)json_array_append_new(cells_json, cell_json(&cells[i]));
		if (!is_listed(instances, n, cells[i].name))
			cell_row(rows, &cells[i]);
	}
	if (!is_known && n == 0)
		err = unknown(command, cells, n_cells, only);
	else if (command->is_json)
		err = command_json(command, json_pack("{s:O, s:O}", "instances",
						      instances_json, "cells", cells_json));
	else if (out_table_rows(rows) == 0)
		command_note(command, "nothing runs here (start something: cell run NAME; "
				      "cell ps -a lists what there is)");
	else
		out_table_print(rows, &command->out);
out:
	out_table_free(rows);
	json_decref(instances_json);
	json_decref(cells_json);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	return command_end(&command, list(&command, &o, command_arg(&command, 0)));
}
