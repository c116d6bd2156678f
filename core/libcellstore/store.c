#include "inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cell/cell.h>

#include "child.h"
#include "format.h"
#include "settle.h"

/* How long a store that was not closed is looked through. What is larger than can be read in
 * that time is opened all the same: cell_store_verify() reads all of it. */
#define WALK_MS         5000
/* And one that was: LMDB believes its pages, and one that another program or the disk has
 * changed since would be rows that are not there, or the end of this process. */
#define WALK_CLOSED_MS  1000
#define READERS_DEFAULT 4096
#define READERS_MOST    65536
/* Slots of those that are kept for the next, and of processes that verify. */
#define READERS_MORE (STORE_SPARE_MAX + 16)
#define MAP_MIN      (1024 * 1024)

/*
 * What is reserved of the address space; nothing is taken of it before it is used.
 * Sanitizers keep most of the address space, or shadow of all that is mapped.
 */
#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                         \
	HAS_FEATURE(address_sanitizer) || HAS_FEATURE(thread_sanitizer)
#define MAP_DEFAULT (UINT64_C(8) << 30)
#else
#define MAP_DEFAULT (UINT64_C(1) << 40)
#endif
#define MAP_LEAST (UINT64_C(64) << 20)

/* One try with a map of BYTES. LMDB wants a new environment after each that failed. */
static int env_open_with(struct cell_store *store, uint64_t bytes)
{
	unsigned flags = MDB_NOTLS | (store->is_read_only ? MDB_RDONLY | MDB_NOLOCK : 0);
	int rc = mdb_env_create(&store->env);

	if (rc)
		return rc;
	rc = mdb_env_set_mapsize(store->env, bytes);
	if (!rc)
		rc = mdb_env_set_maxreaders(store->env, store->readers_max + READERS_MORE);
	/* A reader has the folder's lock, so there is no writer, and no need of its table. */
	if (!rc)
		rc = mdb_env_open(store->env, store->folder.path, flags, 0600);
	if (rc) {
		mdb_env_close(store->env);
		store->env = NULL;
	}
	return rc;
}

static int env_open(struct cell_store *store, uint64_t max_bytes, struct cell_error *err)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t bytes = max_bytes ? max_bytes : MAP_DEFAULT;
	int rc;

	/* A huge page is the most that LMDB's own page can be; so the sum is whole pages. */
	bytes = bytes < MAP_MIN ? MAP_MIN : (bytes + page - 1) / page * page;
	rc = env_open_with(store, bytes);
	/* Under valgrind it is EINVAL. */
	while ((rc == ENOMEM || rc == EINVAL) && !max_bytes && bytes > MAP_LEAST) {
		bytes /= 2;
		rc = env_open_with(store, bytes);
	}
	if (rc == ENOMEM)
		return cell_fail(err, -ENOMEM,
				 "opening '%s': no room in the address space for %llu bytes",
				 store->folder.data_path, (unsigned long long)bytes);
	store->max_bytes = bytes;
	return rc ? store_fail(err, store, rc, "opening") : 0;
}

/* The handle of the one map; it needs a transaction, which changes nothing. */
static int map_open(struct cell_store *store, struct cell_error *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

	if (!rc) {
		rc = mdb_dbi_open(txn, NULL, 0, &store->dbi);
		mdb_txn_abort(txn);
	}
	return rc ? store_fail(err, store, rc, "opening") : 0;
}

/* A file that was never finished holds nothing that anybody was told of. */
static bool is_unfinished(struct cell_store *store)
{
	struct format_meta meta;
	uint64_t size, missing;
	struct stat status;

	return store->folder.state == FOLDER_NEW &&
	       format_read(store->folder.data_fd, store->folder.data_path, FORMAT_NEWEST,
			   &meta, &size, &missing, NULL) < 0 &&
	       fstat(store->folder.data_fd, &status) == 0 &&
	       status.st_size <= 2 * FORMAT_PAGE_MAX;
}

/* *ret_is_there: there is a data file to be opened; else one has to be made. */
static int look(struct cell_store *store, bool *ret_is_there, struct cell_error *err)
{
	struct folder *folder = &store->folder;
	int r = folder_open_data(folder, err);

	*ret_is_there = r == 0;
	if (r == -ENOENT && folder->state >= FOLDER_OPEN)
		return cell_fail(
			err, CELL_DATA_LOSS,
			"'%s' is gone; restore it from a backup, or remove '%s/state' "
			"to begin with nothing",
			folder->data_path, folder->path);
	if (r == -ENOENT && !store->is_read_only)
		return 0;
	if (r < 0 || store->is_read_only || !is_unfinished(store))
		return r;
	close(folder->data_fd);
	folder->data_fd = -1;
	*ret_is_there = false;
	return folder_remove_data(folder, err);
}

/* It is walked before LMDB sees it. */
static int check(struct cell_store *store, struct cell_error *err)
{
	const struct folder *folder = &store->folder;
	uint64_t size, missing, entries;
	unsigned walk_ms;
	struct format_meta meta;
	bool is_partial;
	int r = format_read(folder->data_fd, folder->data_path, FORMAT_NEWEST, &meta, &size,
			    &missing, err);

	if (r < 0)
		return r;
	walk_ms = folder->state == FOLDER_CLOSED && !missing ? WALK_CLOSED_MS : WALK_MS;
	r = child_walk(folder->fd, folder->data_path, true, walk_ms, &entries, &is_partial,
		       err);
	if (r == 0 && is_partial)
		cell_log(CELL_LOG_INFO, "store", "walk_partial",
			 "file=\"%s\" good_entries=%" PRIu64 " of=%" PRIu64 " after_ms=%u",
			 folder->data_path, entries, meta.main.entries, walk_ms);
	return r;
}

static int open_all(struct cell_store *store, const struct cell_store_options *options,
		    struct cell_error *err)
{
	struct folder *folder = &store->folder;
	bool is_there;
	int r = look(store, &is_there, err);

	if (r == 0 && is_there)
		r = check(store, err);
	if (r == 0 && !is_there)
		r = folder_mark(folder, FOLDER_NEW, err);
	if (r == 0)
		r = env_open(store, options->max_bytes, err);
	if (r == 0)
		r = map_open(store, err);
	if (r == 0 && !is_there)
		r = folder_keep_data(folder, err);
	if (r == 0)
		r = settle_recover(store, err);
	if (r == 0 && !store->is_read_only)
		r = folder_mark(folder, FOLDER_OPEN, err);
	if (r == 0 && !store->is_read_only && options->journal_bytes)
		r = settle_start(store, options->journal_bytes, err);
	return r;
}

static void store_free(struct cell_store *store)
{
	for (unsigned i = 0; i < store->n_spare; i++)
		mdb_txn_abort(store->spare[i]);
	if (store->env)
		mdb_env_close(store->env);
	folder_close(&store->folder);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

int cell_store_open(struct cell_store **ret_store, const char *dir,
		    const struct cell_store_options *options, struct cell_error *err)
{
	static const struct cell_store_options defaults;
	struct cell_store *store = calloc(1, sizeof *store);
	int r;

	if (!store)
		return cell_fail(err, -ENOMEM, "opening store '%s'", dir);
	options = options ? options : &defaults;
	store->is_read_only = options->is_read_only;
	store->readers_max = options->readers ? options->readers : READERS_DEFAULT;
	if (store->readers_max > READERS_MOST)
		store->readers_max = READERS_MOST;
	(void)pthread_mutex_init(&store->lock, NULL);
	r = folder_open(&store->folder, dir, !store->is_read_only, err);
	if (r == 0)
		r = open_all(store, options, err);
	if (r < 0) {
		store_free(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

void cell_store_close(struct cell_store *store)
{
	bool is_settled = true;

	if (!store)
		return;
	if (store->has_journal)
		is_settled = settle_stop(store);
	for (unsigned i = 0; i < store->n_spare; i++)
		mdb_txn_abort(store->spare[i]);
	store->n_spare = 0;
	mdb_env_close(store->env);
	store->env = NULL;
	/* All commits are on the disk. If this word is not, the file will be walked in vain.
	 */
	if (!store->is_read_only && is_settled && !store_broken(NULL, store))
		(void)folder_mark(&store->folder, FOLDER_CLOSED, NULL);
	store_free(store);
}
