/*
 * A store with a journal: a commit is durable in the journal and seen in memory (recent.h),
 * and brought to the map in data.mdb later, many at once, by a thread of its own. There each
 * page is then written once for all of them; a commit to the map alone writes, and waits for,
 * every page that it touches.
 *
 *	commits → active → frozen → the map
 *
 * Readers look at both tables and at the map as they were when they began. A table is frozen
 * when its journal file is full, or some time after its first commit; the next one has to wait
 * until the map has it. Where the map is nearly full, or cannot grow, commits go to it at
 * once, so that whether there is room is known before they are answered.
 */
#pragma once

#include "inside.h"

/* Carry out what a journal has that was not closed. For a store opened to write. */
int settle_recover(struct cell_store *store, struct cell_error *err);

/* Begin a journal of files of JOURNAL_BYTES, and the thread. */
int settle_start(struct cell_store *store, size_t journal_bytes, struct cell_error *err);
/* All is in the map, and the journal gone. False: it is not, and was left. */
bool settle_stop(struct cell_store *store);

/* Bring all that is committed to the map; waits for the disk. */
int settle_all(struct cell_store *store, struct cell_error *err);

/* The transactions of such a store; as those of cell/store.h. */
int settle_read(struct cell_store *store, struct cell_store_txn *ret_txn);
int settle_write(struct cell_store *store, struct cell_store_txn *ret_txn,
		 struct cell_error *err);
int settle_commit(struct cell_store_txn *txn, struct cell_error *err);
void settle_abort(struct cell_store_txn *txn);

/* The newest change of KEY that TXN sees in memory; NULL: see the map. */
const struct change *settle_find(const struct cell_store_txn *txn,
				 struct cell_store_bytes key);
/* Add one to a write transaction. 0 or ENOMEM. */
int settle_change(struct cell_store_txn *txn, struct cell_store_bytes key,
		  struct cell_store_bytes value, bool is_gone);
