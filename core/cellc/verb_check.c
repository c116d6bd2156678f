/* cell check: whether sources, locks and the cells that run say the same. */
#include "verb_sources.h"
#include "writer.h"

#include <cell/cell.h>

struct options {
	bool offline;
	bool twice;
};

static const struct opts_option options[] = {
	{ 0, "offline", OPTS_FLAG, offsetof(struct options, offline),
	  .help = "ask no cell: only whether .cell has an answer to everything" },
	{ 0, "twice", OPTS_FLAG, offsetof(struct options, twice),
	  .help = "ask the cells again, and compare what they say with .cell" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "FILE", .help = "sources (those of compile_commands.json, else those built so far)",
	  .words = OPTS_FILE, .is_optional = true, .repeats = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell check", "is .cell up to date, as the cells see it?" },
	{ "cell check --offline", "the same on a machine without a node, as in CI" },
	{ "cell check --twice bank.c", "do the cells give the same answer twice?" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell check",
	.summary = "compare sources with the locks in .cell",
	.text = "Expands each source as cellc --locked would, and shows what would change. "
		"Nothing is compiled, written or provisioned.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
};

static int check(struct command *command, const struct options *o, struct cell_arena *arena)
{
	const char *before[4] = { "--locked", "-fsyntax-only" };
	struct project project;
	struct sources sources;
	size_t n_bad = 0;
	int r = sources_project(&project, command, arena);

	if (r == 0)
		r = sources_find(&sources, command, &project, command->opts.args,
				 command->opts.n_args, arena);
	if (r < 0)
		return r;
	if (o->offline)
		before[2] = "--offline";
	else if (o->twice)
		before[2] = "--fresh";
	for (size_t i = 0; i < sources.n; i++) {
		int status;

		r = sources_run(command, &sources.list[i], before, NULL, false, arena, &status);
		if (r < 0)
			return r;
		n_bad += status != 0;
	}
	if (n_bad)
		return command_fail(
			command, CELL_UNKNOWN,
			"%zu of %zu files differ from .cell or are wrong (if that is "
			"meant: cell fetch)",
			n_bad, sources.n);
	command_note(command, "%zu file%s: as .cell has it", sources.n,
		     sources.n == 1 ? "" : "s");
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;
	struct cell_arena arena;
	int err;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	if (o.offline && o.twice)
		return command_usage(&command, "--offline asks nobody, --twice asks again");
	command.exit_on_error = 1;
	cell_arena_init(&arena, 0);
	err = check(&command, &o, &arena);
	cell_arena_deinit(&arena);
	return command_end(&command, err);
}
