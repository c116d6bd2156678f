#include "group.h"

#include <cell/cell.h>
#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Jobs in one transaction: what waits longer than a commit takes. */
#define BATCH_MAX 256

struct group {
	struct engine *engine;
	struct pulse *pulse;
	void (*on_batch)(void *userdata);
	void *userdata;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t has_work;
	/* under the lock */
	struct job *queue, **queue_last;
	unsigned n_queued;
	size_t queued_bytes;
	struct job *finished, **finished_last;
	bool must_stop;
	unsigned n_last; /* jobs of the last batch */
	struct group_stats stats;
	struct group_doubt *doubts;
	size_t n_doubts;
	char trouble[160];
	/* the loop's */
	int done_fd;
	unsigned n_outstanding;
	bool is_watched;
	ev_prepare before_sleep;
	struct ev_loop *loop; /* before_sleep is in it; NULL = not yet */
	bool must_wake; /* the thread, then */
};

int64_t group_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- the writing thread ----------------------------------------------------------------------- */

static void job_run(struct engine *engine, struct job *job)
{
	if (atomic_load(&job->is_cancelled)) {
		job->status = cell_fail(&job->err, CELL_CANCELLED, "given up before it was begun");
		return;
	}
	job->err.code = 0;
	memset(job->out, 0, job->out_size);
	job->status = job->run(engine, job);
}

static void fail_all(struct job *jobs, int status, const struct cell_error *err)
{
	for (struct job *job = jobs; job; job = job->next) {
		if (job->status < 0)
			continue;
		job->status = status;
		job->err = *err;
	}
}

static int try_batch(struct group *group, struct job *jobs, struct cell_error *err)
{
	struct engine *engine = group->engine;
	uint64_t began;
	int r = engine_begin(engine, group_now_us(), err);

	if (r < 0)
		return r;
	for (struct job *job = jobs; job; job = job->next) {
		job_run(engine, job);
		if (engine_is_broken(engine) || (job->is_solo && job->status < 0)) {
			*err = job->err;
			engine_abort(engine);
			return job->status < 0 ? job->status : CELL_INTERNAL;
		}
	}
	began = now_ns();
	r = engine_end(engine, err);
	began = now_ns() - began;
	(void)pthread_mutex_lock(&group->lock);
	group->stats.batches++;
	group->stats.sync_ns += began;
	(void)pthread_mutex_unlock(&group->lock);
	return r;
}

/* What keeps others from being written, too: not what one request has asked for. */
static bool is_trouble(int status)
{
	return status > -1000 || status == CELL_RESOURCE_EXHAUSTED || status == CELL_DATA_LOSS;
}

static void note_trouble(struct group *group, int status, const struct cell_error *err)
{
	char quoted[200];
	bool is_new;

	(void)pthread_mutex_lock(&group->lock);
	is_new = status < 0 && !group->trouble[0];
	(void)snprintf(group->trouble, sizeof group->trouble, "%.159s",
		       status < 0 ? err->text : "");
	(void)pthread_mutex_unlock(&group->lock);
	if (is_new)
		cell_log(CELL_LOG_ERR, "group", "write_failed", "reason=\"%s\"",
			 cell_log_quote(quoted, sizeof quoted, err->text));
}

static void run_batch(struct group *group, struct job *jobs)
{
	struct cell_error err = { .code = 0 };
	bool was_solo = jobs->is_solo;
	int r = try_batch(group, jobs, &err);

	if (r == 0 || (was_solo && !is_trouble(r))) {
		if (r == 0)
			note_trouble(group, 0, NULL);
		return;
	}
	if (!jobs->next) {
		fail_all(jobs, r, &err);
		if (is_trouble(r))
			note_trouble(group, r, &err);
		return;
	}
	for (struct job *job = jobs; job; job = job->next) {
		struct job *next = job->next;

		job->next = NULL;
		r = try_batch(group, job, &err);
		if (r < 0)
			fail_all(job, r, &err);
		note_trouble(group, r < 0 && is_trouble(r) ? r : 0, &err);
		job->next = next;
	}
}

/* What others may know of the engine, while nobody changes it. */
static void publish(struct group *group, struct job *jobs)
{
	const struct engine *engine = group->engine;
	size_t n = participants_count(engine->participants);
	struct group_doubt *doubts = n ? calloc(n, sizeof *doubts) : NULL;
	size_t i = 0;

	for (const struct participant *at = participants_first(engine->participants);
	     doubts && at; at = at->next, i++) {
		memcpy(doubts[i].txn, at->txn, LAYOUT_ID);
		(void)snprintf(doubts[i].coordinator, sizeof doubts[i].coordinator, "%s",
			       at->record.coordinator);
		doubts[i].at_us = at->record.at_us;
	}
	(void)pthread_mutex_lock(&group->lock);
	free(group->doubts);
	group->doubts = doubts;
	group->n_doubts = doubts ? n : 0;
	group->stats.prepared = (uint32_t)n;
	group->stats.version = engine->durable.version;
	group->stats.log_entries = engine->durable.log_entries;
	group->stats.log_from = engine->durable.log_from;
	group->n_last = 0;
	for (struct job *job = jobs; job; job = job->next) {
		group->n_last++;
		group->stats.commits += job->status == 0;
		group->stats.refused += job->status < 0;
	}
	(void)pthread_mutex_unlock(&group->lock);
}

/* All that wait, up to one that wants to be alone. NULL: to stop. */
static struct job *take(struct group *group)
{
	struct job *jobs, **last;
	unsigned n = 0;

	(void)pthread_mutex_lock(&group->lock);
	while (!group->queue && !group->must_stop)
		(void)pthread_cond_wait(&group->has_work, &group->lock);
	jobs = group->queue;
	for (last = &group->queue; *last && n < BATCH_MAX && (n == 0 || !(*last)->is_solo);) {
		bool is_solo = (*last)->is_solo;

		group->queued_bytes -= (*last)->size_bytes;
		last = &(*last)->next;
		n++;
		if (is_solo)
			break;
	}
	if (jobs) {
		struct job *rest = *last;

		*last = NULL;
		group->queue = rest;
		if (!rest)
			group->queue_last = &group->queue;
		group->n_queued -= n;
	}
	(void)pthread_mutex_unlock(&group->lock);
	return jobs;
}

static void give_back(struct group *group, struct job *jobs)
{
	static const uint64_t one = 1;
	struct job *last = jobs;

	while (last->next)
		last = last->next;
	(void)pthread_mutex_lock(&group->lock);
	*group->finished_last = jobs;
	group->finished_last = &last->next;
	(void)pthread_mutex_unlock(&group->lock);
	(void)!write(group->done_fd, &one, sizeof one);
}

static void *write_loop(void *argument)
{
	struct group *group = argument;
	struct job *jobs;

	while ((jobs = take(group))) {
		run_batch(group, jobs);
		publish(group, jobs);
		give_back(group, jobs);
	}
	return NULL;
}

/* Signals are the loop's. */
static int thread_start(struct group *group)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&group->thread, NULL, write_loop, group);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int group_start(struct group **ret, struct engine *engine, struct pulse *pulse,
		void (*on_batch)(void *userdata), void *userdata, struct cell_error *err)
{
	struct group *group = calloc(1, sizeof *group);
	int r;

	if (!group)
		return cell_fail(err, -ENOMEM, "no memory for the writing thread");
	group->engine = engine;
	group->pulse = pulse;
	group->on_batch = on_batch;
	group->userdata = userdata;
	group->queue_last = &group->queue;
	group->finished_last = &group->finished;
	(void)pthread_mutex_init(&group->lock, NULL);
	(void)pthread_cond_init(&group->has_work, NULL);
	group->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	publish(group, NULL);
	r = group->done_fd < 0 ? -errno : thread_start(group);
	if (r < 0) {
		if (group->done_fd >= 0)
			(void)close(group->done_fd);
		free(group->doubts);
		free(group);
		return cell_fail(err, r, "starting the writing thread: %s", strerror(-r));
	}
	*ret = group;
	return 0;
}

static void collect(struct group *group);

void group_stop(struct group *group)
{
	if (!group)
		return;
	(void)pthread_mutex_lock(&group->lock);
	group->must_stop = true;
	(void)pthread_cond_signal(&group->has_work);
	(void)pthread_mutex_unlock(&group->lock);
	(void)pthread_join(group->thread, NULL);
	group->on_batch = NULL;
	collect(group);
	if (group->loop) {
		ev_ref(group->loop);
		ev_prepare_stop(group->loop, &group->before_sleep);
	}
	(void)close(group->done_fd);
	(void)pthread_cond_destroy(&group->has_work);
	(void)pthread_mutex_destroy(&group->lock);
	free(group->doubts);
	free(group);
}

/* ---- the loop ----------------------------------------------------------------------------- */

/* Wake whose jobs are done. */
static void collect(struct group *group)
{
	struct job *jobs;
	uint64_t count;

	(void)!read(group->done_fd, &count, sizeof count);
	(void)pthread_mutex_lock(&group->lock);
	jobs = group->finished;
	group->finished = NULL;
	group->finished_last = &group->finished;
	(void)pthread_mutex_unlock(&group->lock);
	while (jobs) {
		struct job *job = jobs;

		jobs = job->next;
		group->n_outstanding--;
		job->is_done = true;
		if (job->is_abandoned)
			job_free(job);
		else
			cell_event_set(&job->done);
	}
	if (group->on_batch)
		group->on_batch(group->userdata);
}

/* There is one of these as long as jobs are under way: it does not keep a drain from ending. */
static void watch(struct cell_call *call, void *userdata)
{
	struct group *group = userdata;

	while (group->n_outstanding && cell_wait_readable(call, group->done_fd) == 0)
		collect(group);
	group->is_watched = false;
}

int job_new(struct job **ret, struct cell_call *call, job_fn *run,
	    const struct cell_message_type *in_type, const void *in, size_t out_size)
{
	const struct cell_peer *peer = cell_call_peer(call);
	size_t size = in_type ? in_type->bound(in) : 0;
	struct job *job;
	uint8_t *bytes;
	void *copy = NULL;
	int r = 0;

	if (size > GROUP_QUEUE_BYTES)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "a request of %zu bytes, limit %u",
				   size, GROUP_QUEUE_BYTES);
	job = calloc(1, sizeof *job);
	if (!job)
		return cell_refuse(call, -ENOMEM, "no memory for a job");
	cell_arena_init(&job->arena, 0);
	bytes = cell_arena_alloc(&job->arena, size + 1);
	job->out = cell_arena_calloc(&job->arena, 1, out_size);
	if (in_type)
		copy = cell_arena_alloc(&job->arena, in_type->size);
	if (!bytes || !job->out || (in_type && !copy))
		r = cell_refuse(call, -ENOMEM, "no memory for a job");
	if (r == 0 && in_type)
		r = in_type->decode(copy, bytes, (size_t)(in_type->encode(in, bytes) - bytes),
				    CELL_DECODE_IN_PLACE, &job->arena, cell_error_slot(call));
	if (r < 0) {
		job_free(job);
		return r;
	}
	job->in = copy;
	job->out_size = out_size;
	job->size_bytes = size;
	job->run = run;
	(void)snprintf(job->peer_cell, sizeof job->peer_cell, "%s", peer->cell);
	job->peer.cell = job->peer_cell;
	job->peer.is_owner = peer->is_owner;
	*ret = job;
	return 0;
}

static void on_before_sleep(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct group *group = prepare->data;

	(void)loop;
	(void)events;
	if (!group->must_wake)
		return;
	group->must_wake = false;
	(void)pthread_mutex_lock(&group->lock);
	(void)pthread_cond_signal(&group->has_work);
	(void)pthread_mutex_unlock(&group->lock);
}

/*
 * Where several commit at once their requests come together, as they were answered together:
 * the thread takes them all if it is woken when the loop has read what there is. Woken by the
 * first it would wait for the disk with that one alone, and all others for the next time.
 */
static void wake_later(struct group *group, struct cell_call *call)
{
	group->must_wake = true;
	if (group->loop)
		return;
	group->loop = cell_loop_ev(call);
	ev_prepare_init(&group->before_sleep, on_before_sleep);
	group->before_sleep.data = group;
	ev_prepare_start(group->loop, &group->before_sleep);
	ev_unref(group->loop);
}

static int submit(struct group *group, struct job *job, struct cell_call *call)
{
	int r = 0;

	(void)pthread_mutex_lock(&group->lock);
	if (group->n_queued >= GROUP_QUEUE_MAX ||
	    group->queued_bytes + job->size_bytes > GROUP_QUEUE_BYTES) {
		r = cell_refuse(call, CELL_RESOURCE_EXHAUSTED,
				"%u commits wait to be written, limit %d", group->n_queued,
				GROUP_QUEUE_MAX);
	} else {
		*group->queue_last = job;
		group->queue_last = &job->next;
		group->queued_bytes += job->size_bytes;
		/* Who was alone is not kept waiting for others. */
		if (group->n_queued++ == 0 && group->n_last > 1)
			wake_later(group, call);
		else if (group->n_queued == 1)
			(void)pthread_cond_signal(&group->has_work);
	}
	(void)pthread_mutex_unlock(&group->lock);
	return r;
}

int job_wait(struct job **in, struct group *group, struct cell_call *call)
{
	struct job *job = *in;
	int r = 0;

	if (!group->is_watched)
		r = cell_spawn_task(call, watch, group);
	if (r < 0)
		return cell_refuse(call, r, "no task to wait for the writing thread");
	group->is_watched = true;
	r = submit(group, job, call);
	if (r < 0)
		return r;
	group->n_outstanding++;
	r = cell_event_wait(call, &job->done);
	if (!job->is_done) {
		atomic_store(&job->is_cancelled, true);
		job->is_abandoned = true;
		*in = NULL;
		return r;
	}
	if (job->status < 0)
		return cell_refuse(call, job->status, "%s",
				   job->err.code ? job->err.text : cell_status_name(job->status));
	return 0;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	cell_arena_deinit(&job->arena);
	free(job);
}

void job_freep(struct job **job)
{
	job_free(*job);
}

void group_stats(struct group *group, struct group_stats *ret)
{
	(void)pthread_mutex_lock(&group->lock);
	*ret = group->stats;
	ret->queued = group->n_queued;
	(void)pthread_mutex_unlock(&group->lock);
}

void group_trouble(struct group *group, char out[static 160])
{
	(void)pthread_mutex_lock(&group->lock);
	memcpy(out, group->trouble, sizeof group->trouble);
	(void)pthread_mutex_unlock(&group->lock);
}

size_t group_doubts(struct group *group, uint64_t before_us, struct group_doubt *ret, size_t max)
{
	size_t n = 0;

	(void)pthread_mutex_lock(&group->lock);
	for (size_t i = 0; i < group->n_doubts && n < max; i++)
		if (group->doubts[i].at_us < before_us)
			ret[n++] = group->doubts[i];
	(void)pthread_mutex_unlock(&group->lock);
	return n;
}
