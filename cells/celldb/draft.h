/*
 * What one commit is about to change: rows as they are in the store, and as they will be.
 *
 * Nothing is written while it is made, so a commit that fails leaves nothing behind in the
 * transaction that it shares with others. All of it lives in one arena.
 */
#pragma once

#include "participant.h"
#include "range.h"
#include "rows.h"

/* Rows in one commit, those that cascades reach included: it must fit into memory. */
#define DRAFT_ROWS_MAX 200000

struct draft_row {
	struct draft_row *bucket_next, *next, *queue_next;
	const struct catalog_table *table;
	struct cell_store_bytes key;
	uint64_t version;            /* in the store; 0 = it is not there */
	struct cell_store_bytes stored; /* its bytes; .at is NULL if it is not there */
	const struct value *before;  /* NULL = it is not in the store */
	struct value *after;         /* NULL = it will not be */
	bool is_changed;
	bool is_queued;              /* who refers to it is still to be looked after */
};

/* What defaults are made of. */
struct draft_moment {
	int64_t now_us; /* since 1970 UTC */
	void (*fill_random)(uint8_t out[static 16]);
};

struct draft_locks {
	size_t n, room;
	struct record_lock *items;
};

struct draft {
	const struct view *view;
	const struct participants *participants;
	struct cell_arena *arena;
	struct draft_row *first, **last;
	struct draft_row *queue, **queue_last; /* changed rows that others may refer to */
	struct draft_row **buckets;
	size_t n_buckets, n_rows, n_changed;
	bool takes_locks;            /* it will be prepared, not committed */
	struct draft_locks locks;
	struct record_range *ranges; /* that were read; if it takes locks */
	size_t n_ranges;
};

/* Returns 0 or -ENOMEM. */
int draft_init(struct draft *draft, const struct view *view,
	       const struct participants *participants, struct cell_arena *arena,
	       struct cell_error *err);

/*
 * The row of TABLE with this KEY, which is copied. The first time it is read from the store.
 * *ret is never NULL on success: without `after` there is (or will be) no such row.
 */
int draft_row(struct draft *draft, const struct catalog_table *table, struct cell_store_bytes key,
	      struct draft_row **ret, struct cell_error *err);
/* The same if the draft has it already, else NULL. */
struct draft_row *draft_peek(const struct draft *draft, const struct catalog_table *table,
			     struct cell_store_bytes key);

/* row_finish() for a row of TABLE. */
int draft_finish(struct draft *draft, const struct catalog_table *table, struct value *values,
		 bool fresh, const struct draft_moment *moment, struct cell_error *err);

/* What COLUMN has in a row that says nothing of it: its default, or what *ret is. */
void draft_fall_back(const struct schema_column *column, const struct draft_moment *moment,
		     struct cell_arena *arena, struct value *ret);

/* ROW will be AFTER (in the arena; NULL: it will not be). */
void draft_change(struct draft *draft, struct draft_row *row, struct value *after);
/* The next changed row whose referrers have not been looked after; NULL at the end. */
struct draft_row *draft_next_changed(struct draft *draft);

/*
 * That the commit stands on KEY of the store as it is: refused (CELL_ABORTED) if a prepared
 * transaction holds it, else locked if this one is prepared. The message names the row of
 * TABLE with these VALUES.
 */
int draft_hold(struct draft *draft, struct cell_store_bytes key, bool to_write,
	       const struct catalog_table *table, const struct value *values,
	       struct cell_error *err);
