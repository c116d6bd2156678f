/* cell test: a project's tests, with real cells, on a node of their own that goes again. */
#include "project.h"
#include "steps.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
	bool keep;
	const char *folder;
};

static const struct opts_option options[] = {
	{ 'k', "keep", OPTS_FLAG, offsetof(struct options, keep),
	  .help = "leave the node running, and say where" },
	{ 'C', "directory", OPTS_TEXT, offsetof(struct options, folder), .value = "DIR",
	  .help = "the project's folder, or one in it (.)", .words = OPTS_FOLDER },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "MAKE-ARGUMENT", .help = "passed on to make; without any: test", .is_optional = true,
	  .repeats = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell test", "make test, on a fresh node" },
	{ "cell test --keep", "and look at it afterwards" },
	{ "cell test -- test V=1", "arguments for make" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell test",
	.summary = "run a project's tests with real cells",
	.text = "Starts a node in a fresh run directory with the cells of .cell/project, runs "
		"make CC=cellc test, and takes the node down. Exits with what make says.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
};

/* Sockets have short names: /tmp, whatever TMPDIR says, if that is long. */
#define FOLDER_MAX 64

static int folder_make(char folder[static FOLDER_MAX], struct cell_error *err)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || *tmp != '/' || strlen(tmp) > FOLDER_MAX - 20)
		tmp = "/tmp";
	(void)snprintf(folder, FOLDER_MAX, "%s/cell-test.XXXXXX", tmp);
	if (!mkdtemp(folder))
		return cell_fail(err, -errno, "a folder in %s: %s", tmp, strerror(errno));
	(void)setenv("CELL_RUNDIR", folder, 1);
	/* State in the folder, too: what the user's own cells keep is nothing for a test. */
	(void)unsetenv("CELL_STATEDIR");
	return 0;
}

static int make_test(struct command *command, int *ret_status)
{
	size_t n = command->opts.n_args;
	const char **words = calloc(n + 4, sizeof(*words));
	size_t k = 0;
	int r;

	if (!words)
		return command_fail(command, -ENOMEM, "no memory for make's arguments");
	words[k++] = "make";
	words[k++] = "CC=cellc";
	if (!n)
		words[k++] = "test";
	for (size_t i = 0; i < n; i++)
		words[k++] = command->opts.args[i];
	r = step_run(words, ret_status, &command->error);
	free(words);
	return r;
}

/* What has failed by now is of more interest than trouble with cleaning up. */
static void node_end(struct command *command, const char *folder)
{
	const char *const down[] = { "cell", "-q", "down", NULL };
	const char *const remove[] = { "rm", "-rf", "--", folder, NULL };
	struct cell_error err = { .code = 0 };
	int status = 0;

	if (step_finally(down, &status, &err) == 0 && status == 0)
		(void)step_finally(remove, &status, &err);
	else
		command_note(command, "the node in %s could not be taken down", folder);
}

int main(int argc, char **argv)
{
	struct options o = { .folder = "." };
	struct command command;
	struct cell_arena arena;
	struct project project;
	char folder[FOLDER_MAX] = "";
	int status = 0, exit_code, r;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	cell_arena_init(&arena, 0);
	r = project_open(&project, o.folder, &arena, &command.error);
	if (r == 0)
		r = steps_begin(&command.error);
	if (r == 0)
		r = folder_make(folder, &command.error);
	if (r == 0) {
		r = steps_cells(&project, &status, &command.error);
		if (r == 0 && status == 0)
			r = make_test(&command, &status);
		if (o.keep)
			command_note(&command, "the node is in %s: export CELL_RUNDIR=%s", folder,
				     folder);
		else
			node_end(&command, folder);
	}
	cell_arena_deinit(&arena);
	exit_code = command_end(&command, r);
	return exit_code ? exit_code : status > 128 ? status : status != 0;
}
