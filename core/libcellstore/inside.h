/*
 * What the parts of libcellstore share: the open store, and LMDB's errors as ours.
 */
#pragma once

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include <cell/store.h>

#include "folder.h"
#include "journal.h"

/* Read transactions kept for the next one: renewing is a tenth of beginning. */
#define STORE_SPARE_MAX 64

struct cell_store {
	MDB_env *env;
	MDB_dbi dbi;
	struct folder folder;
	bool is_read_only;
	uint64_t max_bytes;
	unsigned readers_max;

	/*
	 * The first error after which the disk is not known to hold what we think; 0 = none.
	 * Its text is written once, before the code.
	 */
	atomic_int broken;
	struct cell_error broken_text;

	/* Of the write transaction under way: there is one at most. */
	struct cell_error write_error;
	uint64_t write_steps; /* changes in it, so that cursors know that they must look again
			       */
	unsigned n_writes;

	pthread_mutex_t lock; /* of the two below */
	MDB_txn *spare[STORE_SPARE_MAX];
	unsigned n_spare;
	atomic_uint readers;

	/*
	 * Of a store with a journal; see settle.h. Locks are taken in the order `writer`,
	 * `settling`, `lock`.
	 */
	bool has_journal;
	struct journal journal;   /* `writer` */
	size_t page_bytes;        /* of the map */
	pthread_t thread;
	pthread_mutex_t writer;   /* the write transaction under way has it */
	pthread_mutex_t settling; /* who writes to the map */
	/* All below: `lock`. */
	struct recent *active;
	struct recent *frozen;    /* NULL = none */
	uint64_t commit;          /* the last one that readers see */
	uint64_t active_since_ns; /* its first commit; 0 = it has none */
	atomic_size_t memory;     /* what the tables take, with those that readers still have */
	atomic_uint_fast64_t settles; /* tables that went to the map; written with `lock` */
	int stalled;              /* why the map did not take the frozen one; 0 = it will */
	bool stops;
	pthread_cond_t work;      /* for the thread: frozen, stops, or the first commit */
	pthread_cond_t settled;   /* there is no frozen one, or it is stalled */
};

/*
 * Fill ERR with what LMDB's RC (not 0) means for STORE while DOING, and what helps; the
 * code, negative.
 */
int store_fail(struct cell_error *err, const struct cell_store *store, int rc,
	       const char *doing);

/*
 * The same after a failed commit, which also decides whether the disk is still known: if
 * not, the store is broken from here on.
 */
int store_commit_fail(struct cell_error *err, struct cell_store *store, int rc);

/* The store is broken from here on, by RC; the code. */
int store_break(struct cell_error *err, struct cell_store *store, int rc);

/* Why it is broken, as ERR; the code, 0 if it is not. */
int store_broken(struct cell_error *err, struct cell_store *store);
