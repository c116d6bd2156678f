/*
 * cell db restore: a backup becomes the state of a cell that has none. The database does not
 * run meanwhile, so this is done on its folder.
 */
#include "cmd.h"

#include "core.cell.h"

#include <cell/cell.h>
#include <cell/store.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA "data.mdb"
#define COPY_BYTES (1024 * 1024)

/* The folder that the copy is made in, beside what it will be moved to. */
struct restoring {
	struct command *command;
	const char *from; /* for messages */
	char folder[PATH_MAX];
	char temporary[PATH_MAX + 16];
};

static int fail(const struct restoring *r, const char *what, const char *path)
{
	return command_fail(r->command, -errno, "%s '%s': %s", what, path, strerror(errno));
}

/* ---- where ------------------------------------------------------------------------------------ */

static int refuse_running(struct command *command, struct cell_call *call)
{
	struct core_instance_page page;

	if (core_list_instances(call, &(struct core_list_request){ .cell = "celldb" }, &page) < 0 ||
	    page.n_instances == 0)
		return 0;
	return command_fail(command, CELL_FAILED_PRECONDITION,
			    "celldb runs: end it first (cell retire celldb), and move its state away");
}

/* Of the node if it is up; else $CELL_STATEDIR must say it. */
static int folder_find(struct restoring *r, const char *into)
{
	struct cell_call *call = command_call(r->command);
	const char *statedir = getenv("CELL_STATEDIR");
	struct core_node_status status;
	int err = 0;

	if (core_status(call, &status) == 0) {
		statedir = status.statedir;
		err = into ? 0 : refuse_running(r->command, call);
	}
	if (err < 0)
		return err;
	if (!into && (!statedir || !*statedir))
		return command_fail(r->command, CELL_FAILED_PRECONDITION,
				    "no node is up to say where its state is: give --into DIR, or "
				    "CELL_STATEDIR");
	if (snprintf(r->folder, sizeof r->folder, "%s%s", into ? into : statedir,
		     into ? "" : "/celldb") >= (int)sizeof r->folder)
		return command_fail(r->command, -ENAMETOOLONG, "the name of the folder is too long");
	return 0;
}

static int folder_check(const struct restoring *r)
{
	/* What is left of a journal would be carried out on top of the backup. */
	static const char *const names[] = { DATA, "journal.0", "journal.1" };
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", r->folder, names[i]);
		if (access(path, F_OK) == 0)
			return command_fail(r->command, CELL_ALREADY_EXISTS,
					    "'%s' has a database already: move its %s away first",
					    r->folder, names[i]);
	}
	if (mkdir(r->folder, 0700) < 0 && errno != EEXIST)
		return fail(r, "making", r->folder);
	return 0;
}

/* ---- the copy ----------------------------------------------------------------------------------- */

static int copy_fd(const struct restoring *r, int from, int to)
{
	uint8_t *bytes = malloc(COPY_BYTES);
	ssize_t n = 0;
	int err = bytes ? 0 : command_fail(r->command, -ENOMEM, "no memory to copy");

	while (err == 0 && (n = read(from, bytes, COPY_BYTES)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = fail(r, "reading", r->from);
			break;
		}
		for (ssize_t done = 0, k; err == 0 && done < n; done += k) {
			k = write(to, bytes + done, (size_t)(n - done));
			if (k < 0 && errno == EINTR)
				k = 0;
			else if (k < 0)
				err = fail(r, "writing into", r->temporary);
		}
	}
	if (err == 0 && fsync(to) < 0)
		err = fail(r, "writing into", r->temporary);
	free(bytes);
	return err;
}

static int copy_file(const struct restoring *r, const char *path)
{
	int from = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), to, err;
	char name[sizeof r->temporary + sizeof DATA];

	if (from < 0)
		return command_fail(r->command, errno == ENOENT ? CELL_NOT_FOUND : -errno,
				    "opening '%s': %s", path, strerror(errno));
	(void)snprintf(name, sizeof name, "%s/" DATA, r->temporary);
	to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	err = to < 0 ? fail(r, "making", name) : copy_fd(r, from, to);
	if (to >= 0)
		(void)close(to);
	if (from != STDIN_FILENO)
		(void)close(from);
	return err;
}

/* A folder that stayed, for its keys, may be another user's, whom the cell runs as. */
static int give_away(const struct restoring *r, const char *path)
{
	struct stat folder;

	if (stat(r->folder, &folder) < 0)
		return fail(r, "looking at", r->folder);
	if (folder.st_uid == geteuid() || chown(path, folder.st_uid, folder.st_gid) == 0)
		return 0;
	return fail(r, "giving its folder's owner", path);
}

/* Into place, if nobody made a database there meanwhile. */
static int move(const struct restoring *r)
{
	char from[sizeof r->temporary + sizeof DATA], to[PATH_MAX + sizeof DATA + 1];
	int fd, err;

	(void)snprintf(from, sizeof from, "%s/" DATA, r->temporary);
	err = give_away(r, from);
	if (err < 0)
		return err;
	(void)snprintf(to, sizeof to, "%s/" DATA, r->folder);
	if (link(from, to) < 0)
		return errno == EEXIST ? command_fail(r->command, CELL_ALREADY_EXISTS,
						      "'%s' has a database by now", r->folder)
				       : fail(r, "moving the copy to", to);
	fd = open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return fail(r, "syncing", r->folder);
	(void)close(fd);
	return 0;
}

/* What the copy and looking at it left. */
static void clean(const struct restoring *r)
{
	static const char *const names[] = { DATA, "lock.mdb", "state" };
	char path[sizeof r->temporary + 16];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", r->temporary, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(r->temporary);
}

static int restore(struct restoring *r, const char *path, uint64_t *ret_entries)
{
	int err;

	(void)snprintf(r->temporary, sizeof r->temporary, "%s/restore.XXXXXX", r->folder);
	if (!mkdtemp(r->temporary))
		return fail(r, "making a folder in", r->folder);
	err = copy_file(r, path);
	if (err == 0)
		err = cell_store_verify(r->temporary, ret_entries, &r->command->error);
	if (err == CELL_DATA_LOSS)
		err = command_fail(r->command, err, "'%s' is no backup, or damaged", r->from);
	if (err == 0)
		err = move(r);
	clean(r);
	return err;
}

int db_restore(struct command *command, const struct options *options)
{
	const char *path = command_arg(command, 0);
	struct restoring r = { .command = command,
			       .from = strcmp(path, "-") == 0 ? "stdin" : path };
	uint64_t entries;
	int err = folder_find(&r, options->into);

	if (err == 0)
		err = folder_check(&r);
	if (err == 0)
		err = restore(&r, path, &entries);
	if (err < 0)
		return err;
	if (command->is_json)
		return command_json(command, json_pack("{s:s, s:I}", "folder", r.folder, "entries",
						       (json_int_t)entries));
	command_note(command, "%" PRIu64 " entries in '%s'; start the cell: cell run celldb", entries,
		     r.folder);
	return 0;
}
