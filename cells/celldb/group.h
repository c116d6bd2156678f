/*
 * The thread that writes, and how others hand it work: jobs wait in a queue, the thread takes
 * all that wait into one transaction of the store, and one fsync serves them all.
 *
 * If that fails each is tried alone, so that nobody pays for what another one asked.
 */
#pragma once

#include "engine.h"

#include <cell/call.h>
#include <cell/server.h>

/* Jobs that may wait: as many as handlers may. */
#define GROUP_QUEUE_MAX 256
/* Bytes of their requests. */
#define GROUP_QUEUE_BYTES (128u * 1024 * 1024)

struct group;
struct job;

/* What a job does, on the writing thread, within a transaction. 0 or why not, with JOB's error. */
typedef int job_fn(struct engine *engine, struct job *job);

struct job {
	/* for the function */
	struct catalog_peer peer;
	char peer_cell[64];
	const void *in;          /* of the type it was made with */
	void *out;               /* the same; zeroed */
	struct cell_arena arena;
	struct cell_error err;
	/* group.c's */
	job_fn *run;
	bool is_solo;            /* a transaction of its own, which the function may leave undone */
	int status;
	struct cell_event done;
	bool is_done, is_abandoned;
	_Atomic bool is_cancelled;
	size_t size_bytes;
	size_t out_size;
	struct job *next;
};

struct group_stats {
	uint64_t commits, refused, batches, sync_ns;
	uint32_t queued, prepared;
	uint64_t version, log_entries, log_from;
};

/* A transaction that waits for a decision. */
struct group_doubt {
	uint8_t txn[LAYOUT_ID];
	char coordinator[64];
	uint64_t at_us;
};

/*
 * Begin to write with ENGINE, which belongs to the thread until group_stop(). ON_BATCH is
 * called on the loop after each one.
 */
int group_start(struct group **ret, struct engine *engine, struct pulse *pulse,
		void (*on_batch)(void *userdata), void *userdata, struct cell_error *err);
/* Finish what waits, and end the thread. */
void group_stop(struct group *group);

/*
 * A job of CALL's: RUN with a copy of IN (of type IN_TYPE; NULL: none) and OUT_SIZE bytes for
 * the result. *ret is for job_free(). CELL_RESOURCE_EXHAUSTED: too many wait.
 */
int job_new(struct job **ret, struct cell_call *call, job_fn *run,
	    const struct cell_message_type *in_type, const void *in, size_t out_size);
/*
 * Hand it over and wait until it is durable, or failed: the error is then in CALL. If CALL
 * is cancelled meanwhile *JOB is given up (NULL); it may happen or not.
 */
int job_wait(struct job **job, struct group *group, struct cell_call *call);
void job_free(struct job *job);
void job_freep(struct job **job);

void group_stats(struct group *group, struct group_stats *ret);
/* Why writing fails, as text; "" if it does not. Copied. */
void group_trouble(struct group *group, char out[static 160]);
/* At most MAX transactions that were prepared before BEFORE_US. */
size_t group_doubts(struct group *group, uint64_t before_us, struct group_doubt *ret, size_t max);

/* Microseconds since 1970, as the writing thread has them. */
int64_t group_now_us(void);
