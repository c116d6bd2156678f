/* cell run: one instance, ready and healthy, or the reason why not. */
#include "../libcell/rundir.h"
#include "node.h"

#include "ops.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".cell"
/* The answer to "are you well?" of a cell that has just said that it is ready. */
#define HEALTH_TIMEOUT_MS 2000
#define EXIT_UNHEALTHY    8
/* What is looked at of a log's end: a program's last words are a line. */
#define LAST_BYTES 2048

struct options {
	bool more;
	bool only_load;
	uint64_t timeout_ns;
};

static const struct opts_option options[] = {
	{ 'n', "new", OPTS_FLAG, offsetof(struct options, more),
	  .help = "one more instance, even if one runs" },
	{ 'l', "load", OPTS_FLAG, offsetof(struct options, only_load),
	  .help = "make the cell known, and start nothing" },
	{ 't', "timeout", OPTS_DURATION, offsetof(struct options, timeout_ns),
	  .value = "DURATION", .help = "give up if it is not ready by then (2m)" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "its name, or the path of its manifest or folder",
	  .words = OPTS_CELL, .may_be_path = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell run greeter", "a cell that the node knows" },
	{ "cell run ./hello", "the cell in this folder" },
	{ "cell run --new greeter", "one more instance" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell run",
	.summary = "start an instance of a cell",
	.text = "Succeeds when it is ready and healthy, also if it was before.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

/* ---- manifests ---------------------------------------------------------------------------
 */

static bool has_suffix(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(SUFFIX) && strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0;
}

/* The only manifest in FOLDER, in PATH. */
static int manifest_in(struct command *command, const char *folder,
		       char path[static PATH_MAX])
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t n = 0;
	int len;

	if (!dir)
		return command_fail(command, -errno, "%s: %s", folder, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !has_suffix(entry->d_name))
			continue;
		n++;
		len = snprintf(path, PATH_MAX, "%s/%s", folder, entry->d_name);
		if (len < 0 || len >= PATH_MAX)
			n = 0;
	}
	(void)closedir(dir);
	if (n == 1)
		return 0;
	return n ? command_fail(command, CELL_INVALID_ARGUMENT,
				"%s holds %zu manifests; which one?", folder, n)
		 : command_fail(command, CELL_NOT_FOUND, "%s holds no manifest (*" SUFFIX ")",
				folder);
}

/* Whether WHAT means a file rather than a name: it has a slash, or is one. */
static bool is_path(const char *what)
{
	struct stat st;

	return strchr(what, '/') || *what == '.' ||
	       (has_suffix(what) && stat(what, &st) == 0);
}

static int manifest_find(struct command *command, const char *what,
			 char path[static PATH_MAX])
{
	char found[PATH_MAX];
	struct stat st;
	int err;

	if (stat(what, &st) < 0)
		return command_fail(command, -errno, "%s: %s", what, strerror(errno));
	(void)snprintf(found, sizeof found, "%s", what);
	err = S_ISDIR(st.st_mode) ? manifest_in(command, what, found) : 0;
	if (err)
		return err;
	if (!realpath(found, path))
		return command_fail(command, -errno, "%s: %s", found, strerror(errno));
	return 0;
}

/* ---- starting
 * ------------------------------------------------------------------------------ */

/* Names what CELL uses and nobody here knows: it may be why it is not well. */
static void missing_note(struct command *command, const char *cell)
{
	const struct core_cell_info *cells, *own = NULL;
	size_t n;

	if (node_cells(command_call(command), &cells, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (strcmp(cells[i].name, cell) == 0)
			own = &cells[i];
	for (size_t u = 0; own && u < own->n_uses; u++) {
		bool is_known = strchr(own->uses[u], '*') != NULL;
		size_t len = strcspn(own->uses[u], " =");

		for (size_t i = 0; i < n && !is_known; i++)
			is_known = strlen(cells[i].name) == len &&
				   strncmp(cells[i].name, own->uses[u], len) == 0;
		if (!is_known)
			command_note(command, "%s uses '%.*s', which this node does not know",
				     cell, (int)len, own->uses[u]);
	}
}

static int health_check(struct command *command, const struct core_instance_info *instance,
			bool *ret_is_healthy)
{
	struct cell_call *call = command_call(command);
	struct ops_health_report report;
	int err = ops_health(cell_within_ms(cell_to(call, instance->cell, instance->instance),
					    HEALTH_TIMEOUT_MS),
			     &report);

	/* A program that speaks no OPS is as well as it says by being ready. */
	if (err == CELL_UNIMPLEMENTED || err == CELL_PERMISSION_DENIED) {
		*ret_is_healthy = true;
		return 0;
	}
	if (err)
		return err;
	*ret_is_healthy = report.healthy;
	if (!report.healthy)
		command_note(command, "%s %" PRIu64 " is unhealthy: %s", instance->cell,
			     instance->instance, report.reason);
	return 0;
}

/* The last line of TEXT, ended; empty if there is none. */
static const char *last_line(char *text)
{
	size_t len = strlen(text);
	const char *newline;

	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	newline = strrchr(text, '\n');
	return newline ? newline + 1 : text;
}

/* Why a program gave up stands at the end of its log, if that can be read from here. */
static void last_words_note(struct command *command, const char *cell)
{
	char rundir[PATH_MAX], path[PATH_MAX + 300], text[LAST_BYTES + 1];
	const char *line;
	off_t size;
	ssize_t n = 0;
	int fd;

	if (cell_rundir_find(rundir, sizeof rundir) < 0)
		return;
	(void)snprintf(path, sizeof path, "%s/log/%.255s.log", rundir, cell);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	if (size > 0)
		n = pread(fd, text, LAST_BYTES, size > LAST_BYTES ? size - LAST_BYTES : 0);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* It goes to a terminal. */
	for (char *c = text; *c; c++)
		if ((*c & 0xe0) == 0 && *c != '\n')
			*c = *c == '\t' ? ' ' : '?';
	line = last_line(text);
	/* Its own words, not what the library logs. */
	if (*line && strncmp(line, "level=", 6) != 0)
		command_note(command, "%s", line);
}

/* The node answers and the cell does not: that is no case for asking again. */
static int spawn_fail(struct command *command, const char *cell, int err)
{
	struct cell_call *call = command_call(command);
	struct cell_error error = *cell_error(call);
	struct core_node_status status;

	if (err == CELL_UNAVAILABLE && core_status(call, &status) == 0)
		command->exit_on_error = EXIT_UNHEALTHY;
	if (strstr(error.text, "ended before it was ready"))
		last_words_note(command, cell);
	if (err != CELL_NOT_FOUND)
		missing_note(command, cell);
	return command_fail(command, err, "%s", error.text);
}

static int spawn(struct command *command, const struct options *o, const char *cell,
		 bool *ret_is_healthy)
{
	struct cell_call *call = command_call(command);
	const struct core_spawn_request in = { .cell = cell, .only_if_none = !o->more };
	struct out_progress progress = { .out = &command->err };
	struct core_instance_info instance;
	char age[OUT_NUMBER_SIZE];
	int err;

	if (!command->opts.common.quiet)
		out_progress(&progress, "starting %s", cell);
	err = core_spawn(cell_within_ms(call, o->timeout_ns / 1000000), &in, &instance);
	out_progress_end(&progress);
	if (err == 0)
		err = health_check(command, &instance, ret_is_healthy);
	if (err)
		return spawn_fail(command, cell, err);
	if (!*ret_is_healthy) {
		missing_note(command, cell);
		command_note(command, "its own lines: cell logs %s", cell);
		return 0;
	}
	if (command->is_json)
		return command_json(command, node_instance_json(&instance));
	command_note(command, "%s %" PRIu64 " is ready (pid %u, up %s)", cell,
		     instance.instance, instance.pid,
		     out_duration(age, instance.started_ms_ago * 1000000));
	return 0;
}

static int load(struct command *command, const char *path, const char **ret_cell)
{
	const struct core_load_request in = { .path = path };
	struct core_cell_info info;
	int err = core_load(command_call(command), &in, &info);

	if (err == 0)
		*ret_cell = info.name;
	return err;
}

static int run(struct command *command, const struct options *o, const char *what,
	       bool *ret_is_healthy)
{
	char path[PATH_MAX];
	int err = 0;

	if (is_path(what)) {
		err = manifest_find(command, what, path);
		if (err == 0)
			err = load(command, path, &what);
	} else if (o->only_load) {
		return command_fail(command, CELL_INVALID_ARGUMENT,
				    "--load wants the path of a manifest, not a name");
	}
	if (err)
		return err;
	if (!o->only_load)
		return spawn(command, o, what, ret_is_healthy);
	*ret_is_healthy = true;
	command_note(command, "%s is known to the node", what);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { .timeout_ns = UINT64_C(120000000000) };
	struct command command;
	bool is_healthy = false;
	int exit_code;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	exit_code = command_end(&command,
				run(&command, &o, command_arg(&command, 0), &is_healthy));
	return exit_code == 0 && !is_healthy ? EXIT_UNHEALTHY : exit_code;
}
