/* `cell`: finds the program for a verb and becomes it. */
#include "dispatch.h"

#include <string.h>

static const struct opts_argument arguments[] = {
	{ "VERB", .words = OPTS_VERB },
	{ "ARGUMENT", .is_optional = true, .repeats = true },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell",
	.summary = "processes that call each other",
	.arguments = arguments,
	.has_json = true,
	.in_order = true,
};

int main(int argc, char **argv)
{
	struct command command;
	const char *verb;

	if (argc >= 2 && strcmp(argv[1], "--complete") == 0)
		return dispatch_complete(argv + 2, (size_t)argc - 2);
	if (argc == 1) {
		help_overview(stderr);
		return 2;
	}
	/* -h is ours only before the verb; after it, it is the verb's. */
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help_overview(stdout);
		return 0;
	}
	if (!command_begin(&command, &table, argc, argv, NULL))
		return command.exit_code;
	verb = command_arg(&command, 0);
	if (strcmp(verb, "help") == 0)
		return help(&command, command_arg(&command, 1));
	return dispatch(&command, verb, command.opts.args + 1, command.opts.n_args - 1);
}
