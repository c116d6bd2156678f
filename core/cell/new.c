/* cell new: the folder of a new cell. */
#include "scaffold.h"

#include "../libcell/manifest.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
	bool is_app;
	bool is_provider;
};

static const struct opts_option options[] = {
	{ 'a', "app", OPTS_FLAG, offsetof(struct options, is_app),
	  .help = "a project of C with attributes, with a client: for cell build" },
	{ 'p', "provider", OPTS_FLAG, offsetof(struct options, is_provider),
	  .help = "a cell that provides macros, instead of one that serves methods" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "NAME",
	  .help = "the cell's name: a small letter, then small letters, digits and -" },
	{ "DIR", .help = "the folder to make (./NAME)", .words = OPTS_FOLDER,
	  .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell new hello && cd hello && make", "make a cell and build it" },
	{ "cell run .", "then run it" },
	{ "cell new --app shop && cd shop && cell build", "attributes instead of a schema" },
	{ "cell new --provider shapes", "a cell that provides macros, [[shapes::hello]]" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell new",
	.summary = "make the folder of a new cell",
	.text = "Writes a schema, its handlers, a manifest, a Makefile and a test; for a provider "
		"its macros instead. They build and run as they are.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

/* The one folder that a file may be in. */
static int folder_make(struct command *command, const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');

	(void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return command_fail(command, -errno, "%s: %s", folder, strerror(errno));
	return 0;
}

static int file_write(struct command *command, const char *path, const char *text,
		      mode_t mode)
{
	size_t len = strlen(text);
	/* What is there is somebody's work. */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int r = 0;

	if (fd < 0)
		return command_fail(command, -errno, "%s: %s", path, strerror(errno));
	if (write(fd, text, len) != (ssize_t)len)
		r = command_fail(command, errno ? -errno : -ENOSPC, "writing %s: %s", path,
				 strerror(errno ? errno : ENOSPC));
	if (close(fd) < 0 && r == 0)
		r = command_fail(command, -errno, "writing %s: %s", path, strerror(errno));
	return r;
}

static int file_make(struct command *command, const struct scaffold_file *file,
		     const char *name, const char *dir, json_t *list)
{
	char *below = scaffold_path(file, name), *text = scaffold_text(file, name),
	     path[PATH_MAX];
	int r = -ENOMEM;

	if (below && text) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, below);
		r = folder_make(command, path);
		if (r == 0)
			r = file_write(command, path, text, file->mode);
		(void)json_array_append_new(list, json_string(path));
	}
	free(below);
	free(text);
	return r;
}

static int make(struct command *command, const struct scaffold *scaffold, const char *name,
		const char *dir)
{
	const char *next = scaffold == &scaffold_app ? "cell build" : "make && cell run .";
	json_t *list;
	int err = 0;

	if (!cell_name_is_valid(name))
		return command_fail(
			command, CELL_INVALID_ARGUMENT,
			"'%.80s' is no name of a cell: a small letter, then small letters, "
			"digits and '-', at most %d",
			name, CELL_NAME_MAX);
	if (scaffold_is_taken(name))
		return command_fail(
			command, CELL_INVALID_ARGUMENT,
			"'%s' is a word of C or of Cell's own, which a cell's code cannot "
			"be named by",
			name);
	if (strlen(dir) > PATH_MAX - 128)
		return command_fail(command, -ENAMETOOLONG, "'%.60s…' is too long", dir);
	if (mkdir(dir, 0755) < 0)
		return errno == EEXIST
			       ? command_fail(command, CELL_ALREADY_EXISTS,
					      "%s is there already; choose another folder: "
					      "cell new %s DIR",
					      dir, name)
			       : command_fail(command, -errno, "%s: %s", dir,
					      strerror(errno));
	list = json_array();
	for (size_t i = 0; err == 0 && i < scaffold->n_files; i++)
		err = file_make(command, &scaffold->files[i], name, dir, list);
	if (err == 0 && command->is_json)
		err = command_json(command, json_pack("{s:s, s:s, s:O}", "cell", name,
						      "folder", dir, "files", list));
	else if (err == 0)
		command_note(command, "made %s (next: cd %s && %s)", dir, dir, next);
	json_decref(list);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;
	const char *name, *dir;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	name = command_arg(&command, 0);
	dir = command_arg(&command, 1);
	if (o.is_app && o.is_provider)
		return command_usage(&command, "--app and --provider are two things");
	return command_end(&command, make(&command,
					  o.is_app	  ? &scaffold_app
					  : o.is_provider ? &scaffold_provider
							  : &scaffold_service,
					  name, dir ? dir : name));
}
