#include "settle.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <cell/cell.h>
#include <cell/log.h>

#include "journal.h"
#include "recent.h"
#include "txn.h"

/* How long a commit is in memory alone, so that later readers find little there. */
#define SETTLE_AFTER_NS UINT64_C(500000000)
/* Between two tries while the map cannot take it. */
#define RETRY_NS UINT64_C(1000000000)
/* While a writer has the lock that freezing wants. */
#define WRITER_NS UINT64_C(20000000)

/*
 * How much more the map may need for what is in memory: pages are seldom full, and each
 * change may copy one that is there, and split it.
 */
#define ROOM_FACTOR 4
#define ROOM_BYTES  (UINT64_C(1) << 20)
#define ROOM_PAGES  2 /* for each change */

/*
 * Of journal files: what tables may take. Readers that stay behind keep theirs; beyond this
 * commits go to the map at once, and leave nothing to keep.
 */
#define MEMORY_FILES 16

#define ALL_COMMITS (RECENT_NO_COMMIT - 1)

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- To the map -------------------------------------------------------------------------
 */

static int map_change(MDB_txn *txn, MDB_dbi dbi, struct cell_store_bytes key,
		      struct cell_store_bytes stored)
{
	MDB_val k = { key.len, (void *)(uintptr_t)key.at };
	MDB_val v = { stored.len, (void *)(uintptr_t)stored.at };
	int rc;

	if (stored.len > 0)
		return mdb_put(txn, dbi, &k, &v, 0);
	rc = mdb_del(txn, dbi, &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/*
 * What RECENT has of the commits from FIRST to LAST, in one transaction of the map's, in the
 * order of its keys, which fills pages best. LMDB's result.
 */
static int table_settle(struct cell_store *store, const struct recent *recent, uint64_t first,
			uint64_t last)
{
	const struct change *change =
		recent_after(recent, (struct cell_store_bytes){ 0 }, false, last);
	MDB_txn *txn;
	int rc;

	if (!change)
		return 0;
	rc = mdb_txn_begin(store->env, NULL, 0, &txn);
	if (rc)
		return rc;
	for (; rc == 0 && change; change = recent_next(change, last))
		if (atomic_load_explicit(&change->commit, memory_order_relaxed) >= first)
			rc = map_change(txn, store->dbi, change_key(change),
					change_stored(change));
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/*
 * To be called with `settling`. What went wrong, as a failed commit; that it did is also kept
 * for writers to see.
 */
static int frozen_settle(struct cell_store *store, struct cell_error *err)
{
	struct recent *frozen;
	int dead, rc, r;

	pthread_mutex_lock(&store->lock);
	frozen = store->frozen;
	pthread_mutex_unlock(&store->lock);
	if (!frozen)
		return 0;
	r = store_broken(err, store);
	(void)mdb_reader_check(store->env, &dead);
	rc = r < 0 ? EIO : table_settle(store, frozen, 0, ALL_COMMITS);
	if (rc && r == 0)
		r = store_commit_fail(err, store, rc);
	pthread_mutex_lock(&store->lock);
	if (rc == 0) {
		store->frozen = NULL;
		recent_unref(frozen);
		atomic_fetch_add_explicit(&store->settles, 1, memory_order_release);
	}
	store->stalled = rc;
	pthread_cond_broadcast(&store->settled);
	pthread_mutex_unlock(&store->lock);
	return r;
}

/* With `lock` and `writer`; there is no frozen table. */
static void freeze(struct cell_store *store, struct recent *next)
{
	store->frozen = store->active;
	store->active = next;
	store->active_since_ns = 0;
	pthread_cond_signal(&store->work);
}

/* ---- The thread -------------------------------------------------------------------------
 */

/* With `lock`. */
static void work_await(struct cell_store *store, uint64_t until_ns)
{
	struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000),
				  .tv_nsec = (long)(until_ns % 1000000000) };

	(void)pthread_cond_timedwait(&store->work, &store->lock, &until);
}

/*
 * Freeze what has been in memory for long enough; with `lock`, which is let go for a while. A
 * writer may be waiting for us, so we do not wait for one.
 */
static void active_freeze(struct cell_store *store)
{
	struct recent *next;

	pthread_mutex_unlock(&store->lock);
	next = recent_new(&store->memory);
	if (next && pthread_mutex_trylock(&store->writer) == 0) {
		pthread_mutex_lock(&store->lock);
		if (!store->frozen && store->active_since_ns) {
			freeze(store, next);
			next = NULL;
		}
		pthread_mutex_unlock(&store->writer);
	} else {
		pthread_mutex_lock(&store->lock);
		work_await(store, now_ns() + WRITER_NS);
	}
	recent_unref(next);
}

/* The frozen table, or the next try with it; with `lock`, which is let go for a while. */
static void frozen_take(struct cell_store *store)
{
	bool was_stalled = store->stalled != 0;
	struct cell_error err;
	int r;

	if (was_stalled)
		work_await(store, now_ns() + RETRY_NS);
	pthread_mutex_unlock(&store->lock);
	pthread_mutex_lock(&store->settling);
	r = frozen_settle(store, &err);
	pthread_mutex_unlock(&store->settling);
	if (r < 0 && !was_stalled)
		cell_log(CELL_LOG_ERR, "store", "not_settled", "reason=\"%s\"", err.text);
	pthread_mutex_lock(&store->lock);
}

static void *settle_run(void *userdata)
{
	struct cell_store *store = userdata;

	pthread_mutex_lock(&store->lock);
	while (!store->stops) {
		if (store->frozen && store_broken(NULL, store)) {
			/* It is left to who opens the store next. */
			(void)pthread_cond_wait(&store->work, &store->lock);
		} else if (store->frozen) {
			frozen_take(store);
		} else if (!store->active_since_ns) {
			(void)pthread_cond_wait(&store->work, &store->lock);
		} else if (now_ns() < store->active_since_ns + SETTLE_AFTER_NS) {
			work_await(store, store->active_since_ns + SETTLE_AFTER_NS);
		} else {
			active_freeze(store);
		}
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

/* ---- Opening and closing ----------------------------------------------------------------
 */

struct replay {
	struct cell_store *store;
	MDB_txn *txn; /* NULL = none yet */
};

static int on_change(void *userdata, struct cell_store_bytes key,
		     struct cell_store_bytes stored, struct cell_error *err)
{
	struct replay *replay = userdata;
	struct cell_store *store = replay->store;
	int rc = 0;

	if (store->is_read_only)
		return cell_fail(
			err, CELL_FAILED_PRECONDITION,
			"'%s' was not closed: open it for writing once, which carries "
			"out what its journal has",
			store->folder.path);
	if (!replay->txn)
		rc = mdb_txn_begin(store->env, NULL, 0, &replay->txn);
	if (rc == 0)
		rc = map_change(replay->txn, store->dbi, key, stored);
	return rc ? store_fail(err, store, rc, "writing to") : 0;
}

int settle_recover(struct cell_store *store, struct cell_error *err)
{
	struct replay replay = { .store = store };
	uint64_t n;
	int rc, r = journal_replay(&store->folder, on_change, &replay, &n, err);

	if (r < 0) {
		if (replay.txn)
			mdb_txn_abort(replay.txn);
		return r;
	}
	if (replay.txn) {
		rc = mdb_txn_commit(replay.txn);
		if (rc)
			return store_commit_fail(err, store, rc);
		cell_log(CELL_LOG_INFO, "store", "journal_replayed",
			 "folder=\"%s\" changes=%" PRIu64, store->folder.path, n);
	}
	return store->is_read_only ? 0 : journal_remove(&store->folder, err);
}

static void threads_init(struct cell_store *store)
{
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&store->work, &attributes);
	(void)pthread_cond_init(&store->settled, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	(void)pthread_mutex_init(&store->writer, NULL);
	(void)pthread_mutex_init(&store->settling, NULL);
}

static void threads_deinit(struct cell_store *store)
{
	pthread_mutex_destroy(&store->settling);
	pthread_mutex_destroy(&store->writer);
	pthread_cond_destroy(&store->settled);
	pthread_cond_destroy(&store->work);
}

/* Signals are for whoever opened the store. */
static int thread_start(struct cell_store *store)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&store->thread, NULL, settle_run, store);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int settle_start(struct cell_store *store, size_t journal_bytes, struct cell_error *err)
{
	MDB_stat stat;
	int rc, r = journal_open(&store->journal, &store->folder, journal_bytes, err);

	if (r < 0) {
		journal_close(&store->journal);
		return r;
	}
	(void)mdb_env_stat(store->env, &stat);
	store->page_bytes = stat.ms_psize;
	store->active = recent_new(&store->memory);
	threads_init(store);
	rc = store->active ? thread_start(store) : ENOMEM;
	if (rc == 0) {
		store->has_journal = true;
		return 0;
	}
	threads_deinit(store);
	recent_unref(store->active);
	store->active = NULL;
	journal_close(&store->journal);
	return cell_fail(err, -rc, "opening store '%s': %s", store->folder.path,
			 strerror(rc));
}

bool settle_stop(struct cell_store *store)
{
	bool is_settled = settle_all(store, NULL) == 0;

	pthread_mutex_lock(&store->lock);
	store->stops = true;
	pthread_cond_signal(&store->work);
	pthread_mutex_unlock(&store->lock);
	(void)pthread_join(store->thread, NULL);
	threads_deinit(store);
	recent_unref(store->active);
	recent_unref(store->frozen);
	store->active = store->frozen = NULL;
	journal_close(&store->journal);
	store->has_journal = false;
	return is_settled && journal_remove(&store->folder, NULL) == 0;
}

int settle_all(struct cell_store *store, struct cell_error *err)
{
	struct recent *next = recent_new(&store->memory);
	int r;

	if (!next)
		return cell_fail(err, -ENOMEM, "writing to '%s'", store->folder.data_path);
	pthread_mutex_lock(&store->writer);
	pthread_mutex_lock(&store->settling);
	r = frozen_settle(store, err);
	pthread_mutex_lock(&store->lock);
	if (r == 0 && store->active_since_ns) {
		freeze(store, next);
		next = NULL;
	}
	recent_unref(next);
	pthread_mutex_unlock(&store->lock);
	pthread_mutex_unlock(&store->writer);
	if (r == 0)
		r = frozen_settle(store, err);
	pthread_mutex_unlock(&store->settling);
	return r;
}

/* ---- Transactions -----------------------------------------------------------------------
 */

/*
 * The map and the tables of one moment: under the lock, so that what leaves the tables in
 * between is in the map.
 */
static int view_take(struct cell_store *store, struct cell_store_txn *txn)
{
	MDB_txn *map = NULL;
	int rc;

	pthread_mutex_lock(&store->lock);
	if (store->n_spare) {
		map = store->spare[--store->n_spare];
		rc = mdb_txn_renew(map);
		if (rc)
			mdb_txn_abort(map);
	} else {
		rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &map);
	}
	if (rc == 0) {
		*txn = (struct cell_store_txn){ .store = store,
						.handle = map,
						.recent = { store->active, store->frozen },
						.commit = store->commit,
						.settles = store->settles };
		recent_ref(store->active);
		if (store->frozen)
			recent_ref(store->frozen);
	}
	pthread_mutex_unlock(&store->lock);
	return rc;
}

static void view_drop(struct cell_store_txn *txn)
{
	struct cell_store *store = txn->store;
	MDB_txn *map = txn->handle;

	mdb_txn_reset(map);
	pthread_mutex_lock(&store->lock);
	recent_unref(txn->recent[0]);
	recent_unref(txn->recent[1]);
	if (store->n_spare < STORE_SPARE_MAX) {
		store->spare[store->n_spare++] = map;
		map = NULL;
	}
	pthread_mutex_unlock(&store->lock);
	if (map)
		mdb_txn_abort(map);
	txn->handle = NULL;
}

int settle_read(struct cell_store *store, struct cell_store_txn *ret_txn)
{
	return view_take(store, ret_txn);
}

/* A table that has nothing is left to the readers that hold it: they would keep our changes.
 */
static void active_renew(struct cell_store *store)
{
	struct recent *next;

	pthread_mutex_lock(&store->lock);
	if (!store->active_since_ns && recent_is_shared(store->active) &&
	    (next = recent_new(&store->memory))) {
		recent_unref(store->active);
		store->active = next;
	}
	pthread_mutex_unlock(&store->lock);
}

int settle_write(struct cell_store *store, struct cell_store_txn *ret_txn,
		 struct cell_error *err)
{
	int rc, r;

	pthread_mutex_lock(&store->writer);
	active_renew(store);
	/* It may have broken while we waited for the one before us. */
	r = store_broken(err, store);
	rc = r ? 0 : view_take(store, ret_txn);
	if (rc)
		r = store_fail(err, store, rc, "writing to");
	if (r) {
		pthread_mutex_unlock(&store->writer);
		return r;
	}
	ret_txn->is_write = true;
	ret_txn->commit++;
	return 0;
}

bool cell_store_is_behind(const struct cell_store_txn *txn)
{
	return txn->handle &&
	       (txn->failed || txn->settles != atomic_load_explicit(&txn->store->settles,
								    memory_order_acquire));
}

const struct change *settle_find(const struct cell_store_txn *txn,
				 struct cell_store_bytes key)
{
	const struct change *change = NULL;

	for (int i = 0; !change && i < 2; i++)
		if (txn->recent[i] && !recent_is_empty(txn->recent[i]))
			change = recent_find(txn->recent[i], key, txn->commit);
	return change;
}

int settle_change(struct cell_store_txn *txn, struct cell_store_bytes key,
		  struct cell_store_bytes value, bool is_gone)
{
	struct change *change =
		recent_add(txn->recent[0], txn->commit, key, value, is_gone, txn->last);

	if (!change)
		return ENOMEM;
	txn->last = change;
	return 0;
}

/* ---- Commits ----------------------------------------------------------------------------
 */

static void forget(struct cell_store_txn *txn)
{
	for (struct change *change = txn->last; change; change = change->earlier)
		atomic_store_explicit(&change->commit, RECENT_NO_COMMIT,
				      memory_order_relaxed);
}

static void write_end(struct cell_store_txn *txn)
{
	struct cell_store *store = txn->store;

	view_drop(txn);
	pthread_mutex_unlock(&store->writer);
}

void settle_abort(struct cell_store_txn *txn)
{
	if (!txn->is_write) {
		view_drop(txn);
		return;
	}
	forget(txn);
	write_end(txn);
}

/* Whether the map may not have room for all that is in memory. */
static bool is_tight(struct cell_store *store, size_t n_frozen)
{
	uint64_t waiting = store->journal.at + store->journal.used;
	uint64_t used, copied;
	MDB_envinfo info;

	if (n_frozen)
		waiting += store->journal.file_bytes;
	if (mdb_env_info(store->env, &info) != 0)
		return true;
	used = (uint64_t)(info.me_last_pgno + 1) * store->page_bytes;
	copied = (recent_count(store->active) + n_frozen) * ROOM_PAGES * store->page_bytes;
	copied = copied < used ? copied : used;
	return used + copied + ROOM_FACTOR * waiting + ROOM_BYTES > info.me_mapsize;
}

/* All that is in memory to the map, and the journal void; with `settling`. */
static int memory_settle(struct cell_store *store, uint64_t commit, struct cell_error *err)
{
	int rc, r = frozen_settle(store, err);
	struct recent *next;

	if (r < 0)
		return r;
	rc = table_settle(store, store->active, 0, commit);
	if (rc)
		return store_commit_fail(err, store, rc);
	/* What was settled must not be again, after newer commits went to the map. */
	next = recent_new(&store->memory);
	if (!next)
		return cell_fail(err, -ENOMEM, "writing to '%s'", store->folder.data_path);
	pthread_mutex_lock(&store->lock);
	recent_unref(store->active);
	store->active = next;
	store->active_since_ns = 0;
	atomic_fetch_add_explicit(&store->settles, 1, memory_order_release);
	pthread_mutex_unlock(&store->lock);
	r = store->journal.is_void ? 0 : journal_void(&store->journal);
	return r < 0 ? store_break(err, store, -r) : 0;
}

/* TXN to the map, as a store without a journal does it. */
static int commit_to_map(struct cell_store_txn *txn, struct cell_error *err)
{
	struct cell_store *store = txn->store;
	int rc, r;

	pthread_mutex_lock(&store->settling);
	r = memory_settle(store, txn->commit - 1, err);
	if (r == 0) {
		rc = table_settle(store, txn->recent[0], txn->commit, txn->commit);
		r = rc ? store_commit_fail(err, store, rc) : 0;
	}
	pthread_mutex_unlock(&store->settling);
	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	store->commit = txn->commit;
	pthread_mutex_unlock(&store->lock);
	return 0;
}

/*
 * Into the journal. *NEXT, if the file was turned, is to be the active table, also if there
 * is an error: what the file before has must be in the map when it is turned to again.
 */
static int commit_write(struct cell_store_txn *txn, struct recent **next,
			struct cell_error *err)
{
	struct cell_store *store = txn->store;
	struct journal *journal = &store->journal;
	int r = 0;

	if (!journal_has_room(journal)) {
		*next = recent_new(&store->memory);
		if (!*next)
			return cell_fail(err, -ENOMEM, "writing to '%s'",
					 store->folder.data_path);
		r = journal_turn(journal);
		if (r < 0) {
			recent_unref(*next);
			*next = NULL;
		}
	}
	if (r == 0)
		r = journal_write(journal);
	if (r == -ENOSPC)
		return store_fail(err, store, ENOSPC, "committing to");
	return r < 0 ? store_break(err, store, -r) : 0;
}

static void publish(struct cell_store_txn *txn, struct recent *next)
{
	struct cell_store *store = txn->store;

	pthread_mutex_lock(&store->lock);
	store->commit = txn->commit;
	if (!store->active_since_ns) {
		store->active_since_ns = now_ns();
		if (!next)
			pthread_cond_signal(&store->work);
	}
	if (next)
		freeze(store, next);
	pthread_mutex_unlock(&store->lock);
}

/* With `lock`: until there is no frozen table, or the map cannot take it. */
static void frozen_await(struct cell_store *store)
{
	while (store->frozen && !store->stalled)
		(void)pthread_cond_wait(&store->settled, &store->lock);
}

/* Whether the journal can take TXN; waits until the other file may be written if it must. */
static bool goes_to_journal(struct cell_store_txn *txn)
{
	struct cell_store *store = txn->store;
	bool is_stalled;
	size_t n_frozen;

	if (atomic_load_explicit(&store->memory, memory_order_relaxed) >
	    MEMORY_FILES * store->journal.file_bytes)
		return false;
	if (!journal_make(&store->journal, txn->commit, txn->last))
		return false;
	pthread_mutex_lock(&store->lock);
	if (!journal_has_room(&store->journal))
		frozen_await(store);
	is_stalled = store->stalled != 0;
	n_frozen = store->frozen ? recent_count(store->frozen) : 0;
	pthread_mutex_unlock(&store->lock);
	return !is_stalled && !is_tight(store, n_frozen);
}

int settle_commit(struct cell_store_txn *txn, struct cell_error *err)
{
	struct cell_store *store = txn->store;
	struct recent *next = NULL;
	int r = 0;

	if (!txn->last) {
		write_end(txn);
		return 0;
	}
	if (!goes_to_journal(txn)) {
		r = commit_to_map(txn, err);
	} else {
		r = commit_write(txn, &next, err);
		if (r == 0)
			publish(txn, next);
	}
	if (r < 0)
		forget(txn);
	if (r < 0 && next) {
		pthread_mutex_lock(&store->lock);
		freeze(store, next);
		pthread_mutex_unlock(&store->lock);
	}
	write_end(txn);
	return r;
}
