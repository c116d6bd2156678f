/* The database as a whole: how it is, and copies of it. */
#include "cmd.h"

#include <cell/cell.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- cell db stats, verify, rotate-key ---------------------------------------------------------- */

static json_t *stats_json(const struct celldb_database_stats *s)
{
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
		"s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}",
		"tables", (json_int_t)s->tables, "versions", (json_int_t)s->versions, "rows",
		(json_int_t)s->rows, "file_bytes", (json_int_t)s->file_bytes, "max_bytes",
		(json_int_t)s->max_bytes, "free_bytes", (json_int_t)s->free_bytes, "entries",
		(json_int_t)s->entries, "version", (json_int_t)s->version, "changes",
		(json_int_t)s->changes, "changes_from", (json_int_t)s->changes_from, "commits",
		(json_int_t)s->commits, "refused", (json_int_t)s->refused, "batches",
		(json_int_t)s->batches, "sync_ns", (json_int_t)s->sync_ns, "gets",
		(json_int_t)s->gets, "scans", (json_int_t)s->scans, "queued", (json_int_t)s->queued,
		"prepared", (json_int_t)s->prepared, "watches", (json_int_t)s->watches, "readers",
		(json_int_t)s->readers, "oldest_reader", (json_int_t)s->oldest_reader,
		"encrypted", (json_int_t)s->encrypted, "key", (json_int_t)s->key, "uptime_us", (json_int_t)s->uptime_us, "trouble", s->trouble);
}

static void stats_print(const struct command *command, const struct celldb_database_stats *s)
{
	char used[OUT_NUMBER_SIZE], most[OUT_NUMBER_SIZE], unused[OUT_NUMBER_SIZE];
	char uptime[OUT_NUMBER_SIZE], sync[OUT_NUMBER_SIZE], trouble[CELL_ERROR_TEXT_MAX];

	printf("tables %" PRIu64 ", declarations %" PRIu64 ", rows %" PRIu64 ", version %" PRIu64 "\n",
	       s->tables, s->versions, s->rows, s->version);
	printf("%s of %s in use, %s of it free; %" PRIu64 " entries\n",
	       out_bytes(used, s->file_bytes), out_bytes(most, s->max_bytes),
	       out_bytes(unused, s->free_bytes), s->entries);
	printf("in %s: %" PRIu64 " commits (%" PRIu64 " refused) in %" PRIu64
	       " batches, %s each; %" PRIu64 " gets, %" PRIu64 " scans\n",
	       out_duration(uptime, s->uptime_us * 1000), s->commits, s->refused, s->batches,
	       out_duration(sync, s->batches ? s->sync_ns / s->batches : 0), s->gets, s->scans);
	printf("%" PRIu64 " changes kept, behind version %" PRIu64 "; %" PRIu32 " watches\n",
	       s->changes, s->changes_from, s->watches);
	printf("now: %" PRIu32 " commits wait, %" PRIu32 " undecided, %" PRIu32
	       " readers, the oldest %" PRIu64 " versions behind\n",
	       s->queued, s->prepared, s->readers, s->oldest_reader);
	if (s->encrypted)
		printf("%" PRIu32 " encrypted column%s, sealed with key %" PRIu32 "\n", s->encrypted,
		       s->encrypted == 1 ? "" : "s", s->key);
	if (*s->trouble)
		out_print(&command->out, OUT_BAD, "unhealthy: %s\n",
			  out_plain(trouble, sizeof trouble, s->trouble));
}

int db_stats(struct command *command, const struct options *options)
{
	struct celldb_database_stats stats;
	int r = celldb_admin_stats(db_call(command, false), &stats);

	(void)options;
	if (r < 0)
		return r;
	if (command->is_json)
		return command_json(command, stats_json(&stats));
	stats_print(command, &stats);
	return 0;
}

int db_verify(struct command *command, const struct options *options)
{
	struct celldb_verified verified;
	int r = celldb_admin_verify(db_call(command, true), &verified);

	(void)options;
	if (r < 0)
		return r;
	if (command->is_json)
		return command_json(command,
				    json_pack("{s:I}", "entries", (json_int_t)verified.entries));
	printf("%" PRIu64 " entries, all good\n", verified.entries);
	return 0;
}

int db_rotate_key(struct command *command, const struct options *options)
{
	struct celldb_rotated rotated;
	int r = celldb_admin_rotate_key(db_call(command, true), &rotated);

	(void)options;
	if (r < 0)
		return r;
	if (command->is_json)
		return command_json(command, json_pack("{s:I, s:I}", "rows", (json_int_t)rotated.rows,
						       "key", (json_int_t)rotated.key));
	printf("%" PRIu64 " row%s sealed with key %" PRIu32 "\n", rotated.rows,
	       rotated.rows == 1 ? "" : "s", rotated.key);
	return 0;
}

/* ---- cell db backup ------------------------------------------------------------------------------ */

static int write_all(struct command *command, int fd, const char *name, const uint8_t *bytes,
		     size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return command_fail(command, -errno, "writing '%s': %s", name, strerror(errno));
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_to(struct command *command, int fd, const char *name, uint64_t *ret_bytes)
{
	struct celldb_admin_backup_cursor cursor = celldb_admin_backup(db_call(command, true));
	const struct celldb_chunk *chunk;
	int r = 0, end;

	*ret_bytes = 0;
	while (r == 0 && (chunk = celldb_admin_backup_next(&cursor))) {
		r = write_all(command, fd, name, chunk->data, chunk->n_data);
		*ret_bytes += chunk->n_data;
	}
	end = celldb_admin_backup_end(&cursor);
	return r ? r : end;
}

/* What is renamed is there after a power cut. */
static int folder_sync(struct command *command, const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int r = fd < 0 || fsync(fd) < 0
			? command_fail(command, -errno, "syncing the folder of '%s': %s", path,
				       strerror(errno))
			: 0;

	if (fd >= 0)
		(void)close(fd);
	free(copy);
	return r;
}

/* Whole and durable at PATH, or not there. Nobody else reads what is in it. */
static int copy_to_file(struct command *command, const char *path, bool force,
			uint64_t *ret_bytes)
{
	char *temporary;
	int fd, r;

	if (!force && access(path, F_OK) == 0)
		return command_fail(command, CELL_ALREADY_EXISTS,
				    "'%s' is there already: another name, or --force", path);
	if (asprintf(&temporary, "%s.%d", path, (int)getpid()) < 0)
		return command_fail(command, -ENOMEM, "no memory for a name");
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = fd < 0 ? command_fail(command, -errno, "making '%s': %s", temporary, strerror(errno))
		   : copy_to(command, fd, temporary, ret_bytes);
	if (r == 0 && fsync(fd) < 0)
		r = command_fail(command, -errno, "writing '%s': %s", temporary, strerror(errno));
	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = command_fail(command, -errno, "writing '%s': %s", temporary, strerror(errno));
	if (r == 0 && rename(temporary, path) < 0)
		r = command_fail(command, -errno, "renaming '%s': %s", temporary, strerror(errno));
	if (r == 0)
		r = folder_sync(command, path);
	else if (fd >= 0)
		(void)unlink(temporary);
	free(temporary);
	return r;
}

/* Whoever has only the copy cannot read encrypted columns. */
static void note_key(struct command *command)
{
	struct celldb_database_stats stats;

	if (celldb_admin_stats(db_call(command, false), &stats) == 0 &&
	    stats.encrypted)
		command_note(command, "encrypted columns need the cell's key file, too: "
				      "it is not in the copy");
}

int db_backup(struct command *command, const struct options *options)
{
	const char *path = command_arg(command, 0);
	bool is_stdout = strcmp(path, "-") == 0;
	char size[OUT_NUMBER_SIZE];
	uint64_t bytes;
	int r;

	if (is_stdout && isatty(STDOUT_FILENO))
		return command_fail(command, CELL_INVALID_ARGUMENT,
				    "a backup is nothing for a terminal: name a file");
	r = is_stdout ? copy_to(command, STDOUT_FILENO, "stdout", &bytes)
		      : copy_to_file(command, path, options->force, &bytes);
	if (r < 0)
		return r;
	note_key(command);
	if (is_stdout)
		return 0;
	if (command->is_json)
		return command_json(command, json_pack("{s:s, s:I}", "file", path, "bytes",
						       (json_int_t)bytes));
	command_note(command, "%s in '%s'", out_bytes(size, bytes), path);
	return 0;
}
