/* cell init: the place for a node. */
#include "setup.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <stdlib.h>

struct options {
	const char *name;
};

static const struct opts_option options[] = {
	{ 'n', "name", OPTS_TEXT, offsetof(struct options, name), .value = "NAME",
	  .help = "what the node is called (the host's name)" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "DIR",
	  .help = "the run directory ($CELL_RUNDIR, else $XDG_RUNTIME_DIR/cell, or /run/cell for root)",
	  .words = OPTS_FOLDER, .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell init", "a node for this user" },
	{ "cell init ./rundir --name here", "one in this folder" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell init",
	.summary = "make the run directory of a node",
	.text = "Makes the directory and its node.conf. What is there already stays as it is.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

static bool name_is_valid(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++)
		if (!(name[n] >= 'a' && name[n] <= 'z') &&
		    !(name[n] >= 'A' && name[n] <= 'Z') &&
		    !(name[n] >= '0' && name[n] <= '9') && name[n] != '_' && name[n] != '-' &&
		    (name[n] != '.' || n == 0))
			return false;
	return n > 0 && n <= 63;
}

static int init(struct command *command, const struct options *o, const char *dir)
{
	struct setup setup;
	int err;

	if (o->name && !name_is_valid(o->name))
		return command_fail(
			command, CELL_INVALID_ARGUMENT,
			"'%.60s' is no name of a node: letters, digits, '.', '_' and "
			"'-', at most 63",
			o->name);
	if (dir && setenv("CELL_RUNDIR", dir, 1) < 0)
		return command_fail(command, -errno, "%s", dir);
	err = setup_find(&setup, NULL, &command->error);
	if (err == 0)
		err = setup_make(&setup, o->name, &command->error);
	if (err)
		return err;
	if (command->is_json)
		return command_json(command,
				    json_pack("{s:s, s:s, s:b}", "rundir", setup.rundir,
					      "statedir", setup.statedir, "made",
					      !setup.is_made));
	if (setup.is_made)
		command_note(command, "%s is a node's place already", setup.rundir);
	else
		command_note(command, "made %s (next: cell up%s%s)", setup.rundir,
			     dir ? " --rundir " : "", dir ? dir : "");
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	return command_end(&command, init(&command, &o, command_arg(&command, 0)));
}
