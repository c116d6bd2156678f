/*
 * What stands behind the keys of layout.h, as bytes and as structs. Pure. What is read points
 * into the bytes.
 */
#pragma once

#include "layout.h"

#include <cell/arena.h>
#include <cell/error.h>

#define RECORD_FORMAT 1

struct record_meta {
	uint64_t generation;  /* of the catalog; rises with each change of a table */
	uint64_t version;     /* of the last commit */
	uint64_t log_from;    /* changes behind this commit are kept */
	uint64_t log_entries;
	uint64_t answers_from; /* answers to commits behind this one are kept */
	uint32_t next_table;
};

#define RECORD_META_SIZE (4 + 5 * 8 + 4)

void record_meta_encode(const struct record_meta *meta, uint8_t out[static RECORD_META_SIZE]);
/* CELL_DATA_LOSS, also for a format that is not ours: "of format 2, this is 1". */
int record_meta_decode(struct record_meta *ret, struct cell_store_bytes bytes,
		       struct cell_error *err);

struct record_index {
	uint16_t id;
	bool is_unique;
	uint16_t n;
	const uint32_t *columns; /* numbers */
};

struct record_table {
	bool is_shared;
	uint8_t digest[LAYOUT_DIGEST]; /* of the declaration that is in force */
	uint64_t log_from;             /* the same for this table: since then its rows look as now */
	uint16_t next_index;
	size_t n_indexes;
	const struct record_index *indexes;
};

/* Bytes in ARENA; .at is NULL without memory. */
struct cell_store_bytes record_table_encode(const struct record_table *table,
					    struct cell_arena *arena);
int record_table_decode(struct record_table *ret, struct cell_store_bytes bytes,
			struct cell_arena *arena, struct cell_error *err);

/* A row: its version, then its columns. */
#define RECORD_ROW_HEAD 8

/* One change; .at is NULL where there was or is no row. */
struct record_change {
	uint64_t at_us;
	uint32_t table;
	struct cell_store_bytes key, before, after;
};

struct cell_store_bytes record_change_encode(const struct record_change *change,
					     struct cell_arena *arena);
int record_change_decode(struct record_change *ret, struct cell_store_bytes bytes,
			 struct cell_error *err);

struct record_answer {
	uint64_t at_us;
	uint8_t id[LAYOUT_ID];
	struct cell_store_bytes reply; /* an encoded table.v1.Committed */
};

struct cell_store_bytes record_answer_encode(const struct record_answer *answer,
					     struct cell_arena *arena);
int record_answer_decode(struct record_answer *ret, struct cell_store_bytes bytes,
			 struct cell_error *err);

/* A transaction that is prepared: what it will do, and what nobody may touch until then. */
struct record_lock {
	struct cell_store_bytes key; /* of the store: a row's, or of an entry of a unique index */
	bool is_read;                /* others may read it too */
};

struct record_range {
	uint32_t table;
	uint16_t index; /* its id; 0 = the primary key */
	struct cell_store_bytes low, high; /* keys of the store: at or behind, up to all that begin so */
};

struct record_prepared {
	const char *coordinator;
	uint64_t at_us;
	struct cell_store_bytes reply; /* an encoded table.v1.Prepared */
	size_t n_changes, n_locks, n_ranges;
	struct record_change *changes;
	struct record_lock *locks;
	struct record_range *ranges;
};

struct cell_store_bytes record_prepared_encode(const struct record_prepared *prepared,
					       struct cell_arena *arena);
int record_prepared_decode(struct record_prepared *ret, struct cell_store_bytes bytes,
			   struct cell_arena *arena, struct cell_error *err);
