#include "store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include <cell/cell.h>
#include <cell/store.h>

#include "txn.cell.h"

/* Keys: this letter and the id. The value is an encoded Transaction of txn.proto. */
#define PREFIX    'D'
#define KEY_BYTES (1 + DECIDE_ID_BYTES)
/* Removals wait so long, or for so many, for something else to be synced with. */
#define FORGET_S        1
#define FORGET_TOGETHER 1000

struct job {
	STAILQ_ENTRY(job) link;
	uint8_t key[KEY_BYTES];
	bool is_removal;
	struct cell_error err;
	size_t len;
	uint8_t record[];
};
STAILQ_HEAD(jobs, job);

struct store {
	struct cell_store *kept;
	pthread_t thread;
	bool has_thread;
	int fd;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wanted;
	struct jobs todo, done;
	size_t n_writes, n_removals; /* to do */
	bool is_closing;
};

static void key_of(uint8_t key[static KEY_BYTES], const uint8_t *id)
{
	key[0] = PREFIX;
	memcpy(key + 1, id, DECIDE_ID_BYTES);
}

/* ---- The thread ---------------------------------------------------------------------------
 */

/* Until there is something to write, enough to remove, or it was to be removed long enough.
 */
static void wait_for_work(struct store *store)
{
	struct timespec until;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FORGET_S;
	while (!store->is_closing && !store->n_writes &&
	       store->n_removals < FORGET_TOGETHER &&
	       !(store->n_removals && r == ETIMEDOUT)) {
		bool was_idle = !store->n_removals;

		r = was_idle ? pthread_cond_wait(&store->wanted, &store->lock)
			     : pthread_cond_timedwait(&store->wanted, &store->lock, &until);
		if (was_idle) {
			(void)clock_gettime(CLOCK_MONOTONIC, &until);
			until.tv_sec += FORGET_S;
		}
	}
}

/* All of JOBS in one commit: they succeed or fail together. */
static int commit(struct cell_store *kept, struct jobs *jobs, struct cell_error *err)
{
	struct cell_store_txn txn;
	struct job *job;
	int r = cell_store_write(kept, &txn, err);

	if (r < 0)
		return r;
	STAILQ_FOREACH(job, jobs, link)
	{
		struct cell_store_bytes key = { job->key, sizeof job->key };

		if (job->is_removal)
			(void)cell_store_delete(&txn, key, err);
		else
			(void)cell_store_put(&txn, key,
					     (struct cell_store_bytes){ job->record,
									job->len },
					     err);
	}
	return cell_store_commit(&txn, err);
}

/* What is only removed tells nobody: it is told of once more if it is still there. */
static void finish(struct store *store, struct jobs *jobs, const struct cell_error *err)
{
	bool has_news = false;
	struct job *job;

	while ((job = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, link);
		if (job->is_removal) {
			free(job);
			continue;
		}
		job->err = *err;
		STAILQ_INSERT_TAIL(&store->done, job, link);
		has_news = true;
	}
	if (has_news)
		(void)eventfd_write(store->fd, 1);
}

static void *run(void *userdata)
{
	struct store *store = userdata;

	pthread_mutex_lock(&store->lock);
	for (;;) {
		struct jobs jobs = STAILQ_HEAD_INITIALIZER(jobs);
		struct cell_error err = { 0 };

		wait_for_work(store);
		if (STAILQ_EMPTY(&store->todo))
			break;
		STAILQ_CONCAT(&jobs, &store->todo);
		store->n_writes = store->n_removals = 0;
		pthread_mutex_unlock(&store->lock);
		if (commit(store->kept, &jobs, &err) == 0)
			err.code = 0;
		pthread_mutex_lock(&store->lock);
		finish(store, &jobs, &err);
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

/* ---- Its user -----------------------------------------------------------------------------
 */

static int start(struct store *store, struct cell_error *err)
{
	pthread_condattr_t monotonic;
	int r;

	store->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (store->fd < 0)
		return cell_fail(err, -errno, "eventfd: %s", strerror(errno));
	(void)pthread_mutex_init(&store->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&store->wanted, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	r = pthread_create(&store->thread, NULL, run, store);
	store->has_thread = r == 0;
	return r ? cell_fail(err, -r, "starting the thread that writes: %s", strerror(r)) : 0;
}

int store_open(struct store **ret_store, const char *dir, struct cell_error *err)
{
	struct store *store = calloc(1, sizeof *store);
	int r;

	if (!store)
		return cell_fail(err, -ENOMEM, "opening the log in '%s'", dir);
	store->fd = -1;
	STAILQ_INIT(&store->todo);
	STAILQ_INIT(&store->done);
	r = cell_store_open(&store->kept, dir, NULL, err);
	if (r == 0)
		r = start(store, err);
	if (r < 0) {
		store_close(store);
		return r;
	}
	*ret_store = store;
	return 0;
}

static void jobs_free(struct jobs *jobs)
{
	struct job *job;

	while ((job = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, link);
		free(job);
	}
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->has_thread) {
		pthread_mutex_lock(&store->lock);
		store->is_closing = true;
		pthread_cond_signal(&store->wanted);
		pthread_mutex_unlock(&store->lock);
		pthread_join(store->thread, NULL);
	}
	jobs_free(&store->todo);
	jobs_free(&store->done);
	if (store->fd >= 0) {
		(void)close(store->fd);
		pthread_mutex_destroy(&store->lock);
		pthread_cond_destroy(&store->wanted);
	}
	cell_store_close(store->kept);
	free(store);
}

static int on_entry(struct cell_store_bytes key, struct cell_store_bytes value,
		    struct cell_arena *arena, struct record *ret_record,
		    struct cell_error *err)
{
	struct txn_transaction *kept = cell_arena_alloc(arena, sizeof *kept);
	int r;

	if (!kept)
		return cell_fail(err, -ENOMEM, "reading the log");
	if (key.len != KEY_BYTES)
		return cell_fail(err, CELL_DATA_LOSS, "the log has a key of %zu bytes",
				 key.len);
	r = txn_transaction_type.decode(kept, value.at, value.len, 0, arena, err);
	if (r < 0)
		return cell_wrap(err, CELL_DATA_LOSS, "reading a record of the log");
	if (kept->n_waiting == 0 || kept->n_waiting > DECIDE_PARTICIPANTS_MAX)
		return cell_fail(err, CELL_DATA_LOSS,
				 "a record of the log has %zu participants", kept->n_waiting);
	memcpy(ret_record->id, (const uint8_t *)key.at + 1, sizeof ret_record->id);
	ret_record->owner = kept->owner;
	ret_record->n_participants = kept->n_waiting;
	ret_record->participants = kept->waiting;
	return 0;
}

int store_each(struct store *store,
	       int (*on_record)(void *userdata, const struct record *record,
				struct cell_error *err),
	       void *userdata, struct cell_error *err)
{
	struct cell_store_cursor cursor = { 0 };
	struct cell_store_bytes key, value;
	struct cell_store_txn txn;
	struct cell_arena arena;
	struct record record;
	int r = cell_store_read(store->kept, &txn, err);

	if (r < 0)
		return r;
	cell_arena_init(&arena, 0);
	r = cell_store_cursor_open(&txn, &cursor, err);
	while (r == 0 && (r = cell_store_next(&cursor, false, &key, &value, err)) == 0) {
		r = on_entry(key, value, &arena, &record, err);
		if (r == 0)
			r = on_record(userdata, &record, err);
		cell_arena_reset(&arena);
	}
	cell_store_cursor_close(&cursor);
	cell_store_abort(&txn);
	cell_arena_deinit(&arena);
	return r == CELL_STORE_ABSENT ? 0 : r;
}

static void add(struct store *store, struct job *job)
{
	pthread_mutex_lock(&store->lock);
	STAILQ_INSERT_TAIL(&store->todo, job, link);
	*(job->is_removal ? &store->n_removals : &store->n_writes) += 1;
	pthread_cond_signal(&store->wanted);
	pthread_mutex_unlock(&store->lock);
}

int store_write(struct store *store, const struct record *record)
{
	const struct txn_transaction kept = { .state = TXN_STATE_COMMITTED,
					      .owner = record->owner,
					      .n_waiting = record->n_participants,
					      .waiting = record->participants };
	struct job *job = calloc(1, sizeof *job + txn_transaction_type.bound(&kept));

	if (!job)
		return -ENOMEM;
	key_of(job->key, record->id);
	job->len = (size_t)(txn_transaction_type.encode(&kept, job->record) - job->record);
	add(store, job);
	return 0;
}

void store_forget(struct store *store, const uint8_t *id)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job)
		return;
	key_of(job->key, id);
	job->is_removal = true;
	add(store, job);
}

int store_fd(const struct store *store)
{
	return store->fd;
}

bool store_take(struct store *store, struct written *ret_written)
{
	struct job *job;

	pthread_mutex_lock(&store->lock);
	job = STAILQ_FIRST(&store->done);
	if (job)
		STAILQ_REMOVE_HEAD(&store->done, link);
	pthread_mutex_unlock(&store->lock);
	if (!job)
		return false;
	memcpy(ret_written->id, job->key + 1, sizeof ret_written->id);
	ret_written->err = job->err;
	free(job);
	return true;
}
