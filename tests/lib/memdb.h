/*
 * A database in memory that serves Tables (proto/table.proto) as celldb does: versions,
 * marks, snapshots, commits that are all or nothing, two phases. It is made for what a client
 * has to bear: the test can look at what came, and have it fail, lie or hang up.
 */
#pragma once

#include "crew.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <table.cell.h>

/* What it was asked for: enum memdb_said. */
#define MEMDB_SAID_MAX 256

enum memdb_said {
	MEMDB_GET = 1,
	MEMDB_SCAN,
	MEMDB_COUNT,
	MEMDB_COMMIT,
	MEMDB_PREPARE,
	MEMDB_DECIDE_COMMIT,
	MEMDB_DECIDE_ABORT,
	MEMDB_NEXT,
	MEMDB_WATCH,
	MEMDB_QUERY,
	MEMDB_PROVISION,
	MEMDB_BEGIN,
	MEMDB_TXN_COMMIT,
	MEMDB_TXN_ABORT
};

/* Shared by the test and all its databases: zeroed to begin with. */
struct memdb_shared {
	_Atomic uint32_t n_said;
	_Atomic uint8_t said[MEMDB_SAID_MAX];    /* in order, over all members */
	_Atomic uint8_t said_by[MEMDB_SAID_MAX]; /* the first letter of the cell */
	_Atomic uint32_t
		abort_commits; /* so many of the next ones are answered with ABORTED */
	_Atomic uint32_t
		refuse_prepare;   /* first letter of the cell that refuses to prepare */
	_Atomic uint32_t hang_up; /* enum memdb_said that gets no answer but a closed door */
	_Atomic bool is_unprovisioned; /* answers "provision it again" until that has come */
	_Atomic uint32_t
		commit_takes_ms; /* as that of a disk does; several at once take no longer */
	_Atomic uint32_t rows_per_item; /* of a scan; 0 = 100 */
	_Atomic bool marks_at_end_only;
	_Atomic uint64_t n_reads, n_ranges, n_writes; /* of the last Commit or Prepare */
	/* Lies: sent instead of what is there. */
	_Atomic uint32_t lie_len; /* 0 = tell the truth */
	uint8_t lie[256];         /* a row's bytes */
};

struct memdb {
	const char *cell;
	const struct table_table *tables;
	size_t n_tables;
	struct memdb_shared *shared;
};

struct memdb_shared *memdb_shared_new(void);
void memdb_shared_free(struct memdb_shared *shared);

/* The `serve` of a crew_member; SELF is a struct memdb. */
void memdb_serve(struct cell_call *call, void *self);
/* Of a coordinator of transactions: it logs what it is asked, and tells participants. */
void memtxn_serve(struct cell_call *call, void *self);

/* TableRef.version of TABLE. */
uint64_t memdb_version(const struct table_table *table);
