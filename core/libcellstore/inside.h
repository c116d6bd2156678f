/*
 * What the parts of libcellstore share: the open store, and LMDB's errors as ours.
 */
#pragma once

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include <cell/store.h>

#include "folder.h"

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

/* Why it is broken, as ERR; the code, 0 if it is not. */
int store_broken(struct cell_error *err, struct cell_store *store);
