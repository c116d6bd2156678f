/* cell fetch: make .cell anew from the sources and the cells that run. */
#include "verb_sources.h"
#include "writer.h"

#include <cell/cell.h>

static const struct opts_argument arguments[] = {
	{ "FILE", .help = "sources (those of compile_commands.json, else those built so far)",
	  .words = OPTS_FILE, .is_optional = true, .repeats = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell fetch", "ask the cells about everything again" },
	{ "cell fetch src/*.c && git diff .cell", "see what has changed" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell fetch",
	.summary = "make .cell anew from sources and cells",
	.text = "Asks the cells that provide macros about each source, whatever .cell has, and "
		"writes their answers there. Nothing is compiled or provisioned.",
	.examples = examples,
	.arguments = arguments,
};

static int fetch(struct command *command, struct cell_arena *arena)
{
	static const char *const before[] = { "--fresh", "-fsyntax-only", NULL };
	struct project project;
	struct sources sources;
	size_t n_bad = 0;
	int r = sources_project(&project, command, arena);

	if (r == 0)
		r = sources_find(&sources, command, &project, command->opts.args,
				 command->opts.n_args, arena);
	for (size_t i = 0; r == 0 && i < sources.n; i++) {
		int status = 0;

		r = sources_run(command, &sources.list[i], before, NULL, false, arena, &status);
		n_bad += status != 0;
	}
	if (r < 0)
		return r;
	if (n_bad)
		return command_fail(command, CELL_UNKNOWN, "%zu of %zu files have errors",
				    n_bad, sources.n);
	command_note(command, "%zu file%s", sources.n, sources.n == 1 ? "" : "s");
	return 0;
}

int main(int argc, char **argv)
{
	struct command command;
	struct cell_arena arena;
	int err;

	if (!command_begin(&command, &table, argc, argv, NULL))
		return command.exit_code;
	command.exit_on_error = 1;
	cell_arena_init(&arena, 0);
	err = fetch(&command, &arena);
	cell_arena_deinit(&arena);
	return command_end(&command, err);
}
