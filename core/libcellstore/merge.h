/*
 * Goes through map and tables of a transaction (settle.h) as through one: of several entries
 * of a key the newest one counts, and none that says that it is gone.
 */
#pragma once

#include "inside.h"

#define MERGE_TABLES 2
#define MERGE_MAP    MERGE_TABLES /* the map's place among what is merged */

struct change;

struct merge_entry {
	bool is_there;
	const struct change *change; /* of a table */
	struct cell_store_bytes key, stored; /* nothing stored: gone */
};

struct merge {
	bool is_set; /* the entries are those next to where it stands */
	bool backwards;
	struct merge_entry entries[MERGE_TABLES + 1]; /* the newest first */
};

/*
 * The next entry from KEY on (STRICTLY: behind it); backwards: before. NULL: from the start, or
 * the end. LMDB's result; MDB_NOTFOUND: there is none.
 */
int merge_seek(struct merge *merge, const struct cell_store_txn *txn, MDB_cursor *cursor,
	       const struct cell_store_bytes *key, bool strictly, bool backwards,
	       struct cell_store_bytes *ret_key, struct cell_store_bytes *ret_stored);

/* The next entry behind KEY, where it was left, in the same direction. */
int merge_next(struct merge *merge, const struct cell_store_txn *txn, MDB_cursor *cursor,
	       struct cell_store_bytes key, struct cell_store_bytes *ret_key,
	       struct cell_store_bytes *ret_stored);
