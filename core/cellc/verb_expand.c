/* cell expand: the text that the compiler gets. */
#include "verb_sources.h"
#include "writer.h"

#include <cell/cell.h>

static const struct opts_argument arguments[] = {
	{ "FILE", .help = "a source in C", .words = OPTS_FILE },
	{ "WORD", .help = "more words for the compiler, after --: -Iinclude",
	  .is_optional = true, .repeats = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell expand bank.c | less", "read what stands behind the attributes" },
	{ "cell expand bank.c -- -Iinclude", "with a word for the compiler" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell expand",
	.summary = "print a source with its attributes expanded",
	.text = "The same as cellc -E, with the words that compile_commands.json has for the "
		"file. Nothing is provisioned.",
	.examples = examples,
	.arguments = arguments,
};

static int expand(struct command *command, struct cell_arena *arena, int *ret_status)
{
	static const char *const before[] = { "-E", NULL };
	struct project project;
	struct sources sources;
	int r = sources_project(&project, command, arena);

	if (r == 0)
		r = sources_find(&sources, command, &project, command->opts.args, 1, arena);
	if (r == 0)
		r = sources_run(command, &sources.list[0], before,
				(const char *const *)command->opts.args + 1, false, arena,
				ret_status);
	return r;
}

int main(int argc, char **argv)
{
	struct command command;
	struct cell_arena arena;
	int err, status = 0;

	if (!command_begin(&command, &table, argc, argv, NULL))
		return command.exit_code;
	cell_arena_init(&arena, 0);
	err = expand(&command, &arena, &status);
	cell_arena_deinit(&arena);
	err = command_end(&command, err);
	return err ? err : status;
}
