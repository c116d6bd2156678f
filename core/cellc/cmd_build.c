/*
 * cell build: the cells that a project declares, then its own build. --watch goes on, with
 * every change of a source.
 */
#include "compdb.h"
#include "project.h"
#include "steps.h"
#include "tree.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	bool watch;
	bool fix;
	const char *folder;
};

static const struct opts_option options[] = {
	{ 'w', "watch", OPTS_FLAG, offsetof(struct options, watch),
	  .help = "go on: build again whenever a file changes" },
	{ 0, "fix", OPTS_FLAG, offsetof(struct options, fix),
	  .help = "add to the manifest what the code is found to call" },
	{ 'C', "directory", OPTS_TEXT, offsetof(struct options, folder), .value = "DIR",
	  .help = "the project's folder, or one in it (.)", .words = OPTS_FOLDER },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "MAKE-ARGUMENT", .help = "passed on to make", .is_optional = true, .repeats = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell build", "start what is needed, and make" },
	{ "cell build --fix", "also add missing [uses] lines" },
	{ "cell build --watch", "again with every change; Ctrl-C ends it" },
	{ "cell build -- -j1 V=1", "arguments for make" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell build",
	.summary = "build a project with the cells that it declares",
	.text = "Starts the node and the cells of .cell/project, runs make CC=cellc, and leaves "
		"the cells running.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
};

/* CELLC_FLAGS with --fix: the compiler is called by make, which owns its arguments. */
static void flags_add(const char *flag)
{
	const char *flags = getenv("CELLC_FLAGS");
	char *joined;

	if (asprintf(&joined, "%s%s%s", flags ? flags : "", flags && *flags ? " " : "", flag) < 0)
		return;
	(void)setenv("CELLC_FLAGS", joined, 1);
	free(joined);
}

/* All that is compiled, also without attributes, is of interest to `cell ide`. */
static void record(const struct project *project)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/" COMPDB_FOLDER, project->folder);
	(void)setenv("CELLC_COMPDB", path, 0);
}

static int make(struct command *command, int *ret_status)
{
	size_t n = command->opts.n_args;
	const char **words = calloc(n + 3, sizeof(*words));
	int r;

	if (!words)
		return command_fail(command, -ENOMEM, "no memory for make's arguments");
	words[0] = "make";
	words[1] = "CC=cellc";
	for (size_t i = 0; i < n; i++)
		words[i + 2] = command->opts.args[i];
	r = step_run(words, ret_status, &command->error);
	free(words);
	return r;
}

/*
 * Who has asked for `cell ide` once sees new code in the editor from then on, also of the
 * files that were compiled before one failed. It is no part of the build.
 */
static int ide(struct command *command, const struct project *project, int build_status)
{
	static const char *const words[] = { "cell-ide", "-q", NULL };
	char path[PATH_MAX];
	int status;

	(void)snprintf(path, sizeof path, "%s/ide/overlay.yaml", project->folder);
	if (build_status > 128 || access(path, F_OK) < 0)
		return 0;
	return step_run(words, &status, &command->error);
}

/* Once; *RET_STATUS is that of the step which failed. */
static int build(struct command *command, const struct project *project, int *ret_status)
{
	int r = steps_cells(project, ret_status, &command->error);

	if (r == 0 && *ret_status == 0)
		r = make(command, ret_status);
	return r == 0 ? ide(command, project, *ret_status) : r;
}

static int watch(struct command *command, const struct project *project, int *ret_status)
{
	struct tree *tree;
	int r = tree_watch(&tree, project->root, &command->error);

	while (r == 0) {
		r = build(command, project, ret_status);
		if (r == 0)
			command_note(command, *ret_status ? "failed; waiting for a change"
							  : "done; waiting for a change");
		if (r == 0)
			r = tree_wait(tree, steps_signal_fd(), &command->error);
	}
	tree_free(tree);
	/* Ctrl-C is how one leaves, whatever the last build said. */
	if (r == CELL_CANCELLED && steps_signal())
		r = *ret_status = 0;
	return r;
}

int main(int argc, char **argv)
{
	struct options o = { .folder = "." };
	struct command command;
	struct cell_arena arena;
	struct project project;
	int status = 0, exit_code, r;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	cell_arena_init(&arena, 0);
	r = project_open(&project, o.folder, &arena, &command.error);
	if (r == 0)
		r = steps_begin(&command.error);
	if (r == 0)
		record(&project);
	if (r == 0 && o.fix)
		flags_add("--fix");
	if (r == 0)
		r = o.watch ? watch(&command, &project, &status)
			    : build(&command, &project, &status);
	cell_arena_deinit(&arena);
	exit_code = command_end(&command, r);
	return exit_code ? exit_code : status > 128 ? status : status != 0;
}
