/* What people and tools ask: proto/celldb.proto says what each method promises. */
#include "celldb.h"

#include "celldb.cell.h"

#include <cell/cell.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Bytes of a backup in one item; and what its pipe holds, so that writer and reader overlap. */
#define CHUNK_BYTES (256 * 1024)
#define PIPE_BYTES  (1024 * 1024)

static int only_owner(struct cell_call *call)
{
	if (cell_call_peer(call)->is_owner)
		return 0;
	return cell_refuse(call, CELL_PERMISSION_DENIED,
			   "the whole database is the node owner's: ask about single tables");
}

/* ---- tables ----------------------------------------------------------------------------- */

static const char *first_line(struct cell_call *call, const char *text)
{
	return cell_arena_strndup(cell_arena(call), text, strcspn(text, "\n"));
}

static struct celldb_table_info info_of(struct cell_call *call, const struct celldb_table *table)
{
	const struct table_table *told = table->told;

	return (struct celldb_table_info){
		.store = told->store,
		.name = told->name,
		.shared = told->shared,
		.rows = table->rows,
		.columns = (uint32_t)told->n_columns,
		.indexes = (uint32_t)told->n_indexes,
		.versions = table->versions,
		.version = table->version,
		.doc = first_line(call, told->doc),
	};
}

static int list_tables(struct cell_call *call, void *self, const struct celldb_tables_query *in,
		       struct celldb_table_list *out)
{
	const struct celldb_table *tables;
	struct celldb_table_info *items;
	size_t n;
	int r = celldb_tables(self, call, &tables, &n);

	if (r < 0)
		return r;
	items = cell_arena_calloc(cell_arena(call), n + 1, sizeof *items);
	if (!items)
		return cell_refuse(call, -ENOMEM, "no memory to list %zu tables", n);
	*out = (struct celldb_table_list){ .tables = items };
	for (size_t i = 0; i < n; i++)
		if (!*in->store || strcmp(tables[i].told->store, in->store) == 0)
			items[out->n_tables++] = info_of(call, &tables[i]);
	return 0;
}

static int describe_table(struct cell_call *call, void *self, const struct celldb_table_name *in,
			  struct celldb_table_description *out)
{
	struct celldb_table_info *info = cell_arena_alloc(cell_arena(call), sizeof *info);
	struct celldb_table table;
	int r = celldb_table(self, call, in->store, in->name, &table);

	if (r < 0)
		return r;
	if (!info)
		return cell_refuse(call, -ENOMEM, "no memory to describe '%s'", in->name);
	*info = info_of(call, &table);
	*out = (struct celldb_table_description){ .info = info, .table = table.told };
	return 0;
}

/* ---- all of it -------------------------------------------------------------------------- */

static uint64_t uptime_us(const struct celldb *db)
{
	struct timespec now;
	uint64_t now_us;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return now_us > db->started_us ? now_us - db->started_us : 0;
}

/* Columns that are encrypted. */
static int encrypted_count(struct celldb *db, struct cell_call *call, uint32_t *ret_n)
{
	const struct celldb_table *tables;
	size_t n;
	int r = celldb_tables(db, call, &tables, &n);

	*ret_n = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		for (size_t k = 0; k < tables[i].told->n_columns; k++)
			*ret_n += tables[i].told->columns[k].encrypted;
	return r;
}

static int stats(struct cell_call *call, void *self, struct celldb_database_stats *out)
{
	struct celldb_stats s;
	uint32_t encrypted;
	int r = only_owner(call);

	if (r == 0)
		r = celldb_stats(self, call, &s);
	if (r == 0)
		r = encrypted_count(self, call, &encrypted);
	if (r < 0)
		return r;
	*out = (struct celldb_database_stats){
		.encrypted = encrypted,
		.tables = s.tables,
		.versions = s.versions,
		.rows = s.rows,
		.file_bytes = s.store.file_bytes,
		.max_bytes = s.store.max_bytes,
		.free_bytes = s.store.free_bytes,
		.entries = s.store.entries,
		.version = s.version,
		.changes = s.log_entries,
		.changes_from = s.log_from,
		.commits = s.commits,
		.refused = s.refused,
		.batches = s.batches,
		.sync_ns = s.sync_ns,
		.gets = s.gets,
		.scans = s.scans,
		.queued = s.queued,
		.prepared = s.prepared,
		.watches = s.watches,
		.readers = s.store.readers,
		.oldest_reader = s.store.oldest_reader,
		.key = s.seal_key,
		.uptime_us = uptime_us(self),
		.trouble = s.trouble,
	};
	return 0;
}

static int verify(struct cell_call *call, void *self, struct celldb_verified *out)
{
	int r = only_owner(call);

	return r < 0 ? r : celldb_verify(self, call, &out->entries);
}

static int rotate_key(struct cell_call *call, void *self, struct celldb_rotated *out)
{
	struct celldb_stats s;
	uint64_t rows;
	int r = only_owner(call);

	if (r == 0)
		r = celldb_rotate(self, call, &rows);
	if (r == 0)
		r = celldb_stats(self, call, &s);
	if (r < 0)
		return r;
	*out = (struct celldb_rotated){ .rows = rows, .key = s.seal_key };
	return 0;
}

/* ---- backup: the database writes into a pipe, the handler sends what comes out ------------ */

/* What both have; who is done last frees it. */
struct backup {
	struct celldb *db;
	int fd; /* that is written to */
	struct cell_error error; /* once it is closed: why the copy is not whole; code 0: it is */
	unsigned users;
};

static void backup_unref(struct backup *backup)
{
	if (--backup->users == 0)
		free(backup);
}

static void backup_write(struct cell_call *call, void *userdata)
{
	struct backup *backup = userdata;
	int r = cell_call_is_cancelled(call) ? CELL_CANCELLED
					     : celldb_backup(backup->db, call, backup->fd);

	if (r < 0) {
		backup->error = *cell_error(call);
		if (backup->error.code != r)
			(void)cell_fail(&backup->error, r, "copying the store failed");
	}
	(void)close(backup->fd);
	backup_unref(backup);
}

/* Both ends to RET, which are the caller's. */
static int backup_pipe(struct cell_call *call, int ret[2])
{
	if (pipe2(ret, O_CLOEXEC) < 0)
		return cell_refuse(call, -errno, "making a pipe: %s", strerror(errno));
	/* A smaller one only takes more turns. */
	(void)fcntl(ret[0], F_SETPIPE_SZ, PIPE_BYTES);
	(void)fcntl(ret[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int backup_send(struct cell_call *call, int fd, struct celldb_chunk_sink *out)
{
	uint8_t *bytes = cell_arena_alloc(cell_arena(call), CHUNK_BYTES);
	ssize_t n;
	int r = 0;

	if (!bytes)
		return cell_refuse(call, -ENOMEM, "no memory for a backup");
	while (r == 0 && (n = read(fd, bytes, CHUNK_BYTES)) != 0) {
		if (n > 0)
			r = celldb_chunk_send(
				out, &(struct celldb_chunk){ .n_data = (size_t)n, .data = bytes });
		else if (errno == EAGAIN)
			r = cell_wait_readable(call, fd);
		else if (errno != EINTR)
			r = cell_refuse(call, -errno, "reading a backup: %s", strerror(errno));
	}
	return r;
}

static int backup_start(struct celldb *db, struct cell_call *call, int fd,
			struct backup **ret)
{
	struct backup *backup = calloc(1, sizeof *backup);
	int r;

	if (!backup) {
		(void)close(fd);
		return cell_refuse(call, -ENOMEM, "no memory for a backup");
	}
	*backup = (struct backup){ .db = db, .fd = fd, .users = 2 };
	r = cell_spawn_task(call, backup_write, backup);
	if (r < 0) {
		(void)close(fd);
		free(backup);
		return r;
	}
	*ret = backup;
	return 0;
}

static int backup(struct cell_call *call, void *self, struct celldb_chunk_sink *out)
{
	struct backup *copy = NULL;
	int ends[2], r = only_owner(call);

	if (r == 0)
		r = backup_pipe(call, ends);
	if (r < 0)
		return r;
	r = backup_start(self, call, ends[1], &copy);
	if (r == 0) {
		r = backup_send(call, ends[0], out);
		/* The pipe's end was the task's last act but one. */
		if (r == 0 && copy->error.code < 0)
			r = cell_refuse(call, copy->error.code, "%s", copy->error.text);
		backup_unref(copy);
	}
	(void)close(ends[0]);
	return r;
}

const struct celldb_admin_handlers celldb_admin_handlers = {
	.list_tables = list_tables,
	.describe_table = describe_table,
	.stats = stats,
	.backup = backup,
	.verify = verify,
	.rotate_key = rotate_key,
};
