/* cell upgrade: cellcore executes a new program in place, and nobody notices. */
#include "core.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The new program has 5 s to say that it understands the table; then it takes it over. */
#define ANSWER_MS 10000

static const struct opts_argument arguments[] = {
	{ "PROGRAM", .help = "the cellcore to execute (the path of the one that runs)",
	  .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "make install && cell upgrade", "go on with the cellcore just installed" },
	{ "cell upgrade build/bin/cellcore", "with another one" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell upgrade",
	.summary = "have cellcore execute a new program in place",
	.text = "Its pid, all instances, connections and sockets stay, and no call is lost. A "
		"program that cannot take over is refused, and nothing has happened. Cells go "
		"on with the program they have: cell retire lets them start anew.",
	.examples = examples,
	.arguments = arguments,
	.has_json = true,
};

static json_t *status_json(const struct core_node_status *status)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "node", status->node,
			 "version", status->version, "pid", (json_int_t)status->pid,
			 "generation", (json_int_t)status->generation, "uptime_ms",
			 (json_int_t)status->uptime_ms, "instances",
			 (json_int_t)status->instances, "connections",
			 (json_int_t)status->connections, "rundir", status->rundir);
}

static int upgrade(struct command *command, const char *program)
{
	struct cell_call *call = command_call(command);
	char *path = program ? realpath(program, NULL) : NULL;
	struct core_node_status status;
	int err;

	if (program && !path)
		return command_fail(command, CELL_NOT_FOUND, "no program at '%s': %s", program,
				    strerror(errno));
	err = core_upgrade(cell_within_ms(call, ANSWER_MS),
			   &(struct core_upgrade_request){ .path = path ? path : "" }, &status);
	free(path);
	if (err)
		return err;
	if (command->is_json)
		return command_json(command, status_json(&status));
	command_note(command, "%s goes on with cellcore %s (pid %u, executed in place %u time%s)",
		     status.node, status.version, status.pid, status.generation,
		     status.generation == 1 ? "" : "s");
	return 0;
}

int main(int argc, char **argv)
{
	struct command command;

	if (!command_begin(&command, &table, argc, argv, NULL))
		return command.exit_code;
	return command_end(&command, upgrade(&command, command_arg(&command, 0)));
}
