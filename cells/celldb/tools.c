/* What people and tools ask of the whole database: admin.c hands it on. */
#include "apply.h"
#include "serve.h"

#include <cell/cell.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- tables ----------------------------------------------------------------------------- */

int tools_copy(struct cell_call *call, const struct catalog_table *table,
	       const struct table_table **ret)
{
	struct cell_arena *arena = cell_arena(call);
	const struct table_table *told = table->schema->told;
	size_t size = table_table_type.bound(told);
	uint8_t *bytes = cell_arena_alloc(arena, size + 1);
	struct table_table *copy = cell_arena_alloc(arena, sizeof *copy);
	int r;

	if (!bytes || !copy)
		return cell_refuse(call, -ENOMEM, "no memory for the declaration of '%s'",
				   table->name);
	size = (size_t)(table_table_type.encode(told, bytes) - bytes);
	r = table_table_type.decode(copy, bytes, size, CELL_DECODE_IN_PLACE, arena,
				    cell_error_slot(call));
	if (r == 0)
		*ret = copy;
	return r;
}

static int table_tell(struct cell_call *call, const struct view *view,
		      const struct catalog_table *table, struct celldb_table *ret)
{
	ret->version = table->schema->version;
	ret->versions = table->n_versions;
	return apply_count(view, table, &ret->rows, cell_error_slot(call)) < 0
		       ? cell_error(call)->code
		       : tools_copy(call, table, &ret->told);
}

int celldb_tables(struct celldb *db, struct cell_call *call, const struct celldb_table **ret,
		  size_t *ret_n)
{
	struct catalog_peer peer = serve_peer(call);
	const struct catalog_table *const *tables;
	struct celldb_table *items;
	const struct view *view;
	size_t n, n_items = 0;
	int r = reader_view(db->reader, &view, cell_error_slot(call));

	if (r < 0)
		return r;
	tables = catalog_tables(view->catalog, &n);
	items = cell_arena_calloc(cell_arena(call), n + 1, sizeof *items);
	if (!items)
		return cell_refuse(call, -ENOMEM, "no memory to list %zu tables", n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (catalog_may_use(&peer, tables[i]->store, tables[i]->is_shared))
			r = table_tell(call, view, tables[i], &items[n_items++]);
	*ret = items;
	*ret_n = n_items;
	return r;
}

/* How many single-byte changes make A of B, roughly: for "did you mean". */
static bool is_similar(const char *a, const char *b)
{
	size_t same = 0, a_len = strlen(a), b_len = strlen(b);
	size_t tail = 0, shorter = a_len < b_len ? a_len : b_len;

	while (same < shorter && a[same] == b[same])
		same++;
	while (tail < shorter - same && a[a_len - 1 - tail] == b[b_len - 1 - tail])
		tail++;
	return shorter > 2 && a_len - same - tail <= 2 && b_len - same - tail <= 2;
}

static int absent(struct cell_call *call, const struct catalog_table *const *tables, size_t n,
		  const struct catalog_peer *peer, const char *store, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (catalog_may_use(peer, tables[i]->store, tables[i]->is_shared) &&
		    is_similar(tables[i]->name, name))
			return cell_refuse(call, CELL_NOT_FOUND,
					   "no table '%s'%s%s; did you mean '%s' of store '%s'?", name,
					   *store ? " in store " : "", store, tables[i]->name,
					   tables[i]->store);
	return cell_refuse(call, CELL_NOT_FOUND, "no table '%s'%s%s", name,
			   *store ? " in store " : "", store);
}

int celldb_table(struct celldb *db, struct cell_call *call, const char *store, const char *name,
		 struct celldb_table *ret)
{
	struct catalog_peer peer = serve_peer(call);
	const struct catalog_table *const *tables, *found = NULL;
	bool is_forbidden = false;
	const struct view *view;
	size_t n;
	int r = reader_view(db->reader, &view, cell_error_slot(call));

	if (r < 0)
		return r;
	tables = catalog_tables(view->catalog, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(tables[i]->name, name) != 0 ||
		    (*store && strcmp(tables[i]->store, store) != 0))
			continue;
		if (!catalog_may_use(&peer, tables[i]->store, tables[i]->is_shared))
			is_forbidden = true;
		else if (found)
			return cell_refuse(call, CELL_INVALID_ARGUMENT,
					   "stores '%s' and '%s' have a table '%s': say which",
					   found->store, tables[i]->store, name);
		else
			found = tables[i];
	}
	if (found)
		return table_tell(call, view, found, ret);
	if (is_forbidden)
		return cell_refuse(call, CELL_PERMISSION_DENIED, "table '%s' is not for '%s'", name,
				   peer.cell);
	return absent(call, tables, n, &peer, store, name);
}

/* ---- numbers ------------------------------------------------------------------------------ */

int celldb_stats(struct celldb *db, struct cell_call *call, struct celldb_stats *ret)
{
	const struct catalog_table *const *tables;
	struct group_stats writing;
	const struct view *view;
	char trouble[160];
	size_t n;
	int r = reader_view(db->reader, &view, cell_error_slot(call));

	*ret = (struct celldb_stats){ 0 };
	if (r == 0)
		r = cell_store_stat(db->store, &ret->store, cell_error_slot(call));
	if (r < 0)
		return r;
	tables = catalog_tables(view->catalog, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		uint64_t rows;

		r = apply_count(view, tables[i], &rows, cell_error_slot(call));
		ret->rows += r == 0 ? rows : 0;
		ret->versions += tables[i]->n_versions;
	}
	group_stats(db->group, &writing);
	group_trouble(db->group, trouble);
	ret->tables = n;
	ret->version = writing.version;
	ret->log_entries = writing.log_entries;
	ret->log_from = writing.log_from;
	ret->commits = writing.commits;
	ret->refused = writing.refused;
	ret->batches = writing.batches;
	ret->sync_ns = writing.sync_ns;
	ret->queued = writing.queued;
	ret->prepared = writing.prepared;
	ret->gets = db->reader->gets;
	ret->scans = db->reader->scans;
	ret->watches = db->reader->watches;
	ret->seal_key = seal_newest(view->seal);
	ret->trouble = cell_arena_strdup(cell_arena(call), trouble);
	return ret->trouble ? r : cell_refuse(call, -ENOMEM, "no memory for statistics");
}

/* ---- work on a thread of its own ---------------------------------------------------------------- */

struct errand {
	int (*run)(struct errand *errand);
	struct celldb *db;
	int fd;               /* that a backup goes to */
	uint64_t entries;
	int done_fd;
	bool is_left;         /* nobody waits for it any more */
	int status;
	struct cell_error err;
};

static void *errand_run(void *argument)
{
	static const uint64_t one = 1;
	struct errand *errand = argument;

	errand->status = errand->run(errand);
	(void)!write(errand->done_fd, &one, sizeof one);
	return NULL;
}

static int errand_start(struct errand *errand, pthread_t *ret)
{
	sigset_t all, before;
	int r;

	errand->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (errand->done_fd < 0)
		return -errno;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(ret, NULL, errand_run, errand);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		(void)close(errand->done_fd);
	return -r;
}

/*
 * Waits. The process ends if CALL is cancelled: then the thread, which may itself wait for a
 * pipe that nobody reads, is left alone with what it uses, until it ends with the process.
 */
static int errand_do(struct celldb *db, struct cell_call *call, struct errand *errand)
{
	pthread_t thread;
	int r;

	if (db->is_busy)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
				   "a backup or a verification is under way");
	errand->db = db;
	r = errand_start(errand, &thread);
	if (r < 0)
		return cell_refuse(call, r, "starting a thread: %s", strerror(-r));
	db->is_busy = true;
	r = cell_wait_readable(call, errand->done_fd);
	if (r < 0 && cell_call_is_cancelled(call)) {
		(void)pthread_detach(thread);
		errand->is_left = db->is_left = true;
		return r;
	}
	(void)pthread_join(thread, NULL);
	(void)close(errand->done_fd);
	db->is_busy = false;
	return errand->status < 0 ? cell_refuse(call, errand->status, "%s", errand->err.text) : 0;
}

/* Unless it was left alone. */
static void errand_free(struct errand *errand)
{
	if (errand->is_left)
		return;
	if (errand->fd >= 0)
		(void)close(errand->fd);
	free(errand);
}

static int errand_new(struct errand **ret, struct cell_call *call,
		      int (*run)(struct errand *errand), int fd)
{
	struct errand *errand = calloc(1, sizeof *errand);

	if (!errand)
		return cell_refuse(call, -ENOMEM, "no memory for a thread");
	errand->run = run;
	errand->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (fd >= 0 && errand->fd < 0) {
		free(errand);
		return cell_refuse(call, -errno, "a backup: %s", strerror(errno));
	}
	*ret = errand;
	return 0;
}

static int run_backup(struct errand *errand)
{
	return cell_store_backup(errand->db->store, errand->fd, &errand->err);
}

int celldb_backup(struct celldb *db, struct cell_call *call, int fd)
{
	struct errand *errand = NULL;
	int r = errand_new(&errand, call, run_backup, fd);

	if (r < 0)
		return r;
	r = errand_do(db, call, errand);
	errand_free(errand);
	return r;
}

static int run_verify(struct errand *errand)
{
	int r = cell_store_settle(errand->db->store, &errand->err);

	return r < 0 ? r : cell_store_verify(errand->db->dir, &errand->entries, &errand->err);
}

int celldb_verify(struct celldb *db, struct cell_call *call, uint64_t *ret_entries)
{
	struct errand *errand = NULL;
	int r = errand_new(&errand, call, run_verify, -1);

	if (r < 0)
		return r;
	r = errand_do(db, call, errand);
	if (r == 0)
		*ret_entries = errand->entries;
	errand_free(errand);
	return r;
}

/* ---- keys --------------------------------------------------------------------------------- */

static int run_rotate(struct engine *engine, struct job *job)
{
	int r = engine_may_reseal(engine, &job->err);

	/* Refused, it has not made a key: there are only so many. */
	r = r < 0 ? r : seal_rotate(engine->seal, &job->err);

	/* Who reads must know the key before it meets a row that is sealed with it. */
	if (r == 0)
		atomic_fetch_add(&engine->pulse->seal, 1);
	return r < 0 ? r : engine_reseal(engine, job->out, &job->err);
}

static int run_forget(struct engine *engine, struct job *job)
{
	return seal_forget(engine->seal, seal_newest(engine->seal), &job->err);
}

int celldb_rotate(struct celldb *db, struct cell_call *call, uint64_t *ret_rows)
{
	cell_cleanup(job_freep) struct job *job = NULL, *forget = NULL;
	int r = job_new(&job, call, run_rotate, NULL, NULL, sizeof *ret_rows);

	if (r == 0) {
		job->is_solo = true;
		r = job_wait(&job, db->group, call);
	}
	if (r < 0)
		return r;
	*ret_rows = *(const uint64_t *)job->out;
	/* Only now that nothing in the store needs them: the commit has happened. */
	r = job_new(&forget, call, run_forget, NULL, NULL, 0);
	if (r == 0) {
		forget->is_solo = true;
		r = job_wait(&forget, db->group, call);
	}
	return r;
}
