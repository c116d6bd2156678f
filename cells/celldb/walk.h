/*
 * Walking over the rows of a range, in one direction.
 */
#pragma once

#include "range.h"

struct walk {
	const struct range *range;
	struct cell_store_cursor cursor;
	bool backwards, has_begun;
};

/* One row, as it is in the store. */
struct walk_row {
	struct cell_store_bytes key; /* its own */
	struct rows_row row;
};

int walk_open(struct walk *walk, struct cell_store_txn *txn, const struct range *range,
	      bool backwards, struct cell_error *err);
void walk_close(struct walk *walk);

/*
 * The next row, which is good as long as the transaction; the range's condition is not looked
 * at. VIEW is the cursor's. Without RET the row itself is not read. 0 or CELL_STORE_ABSENT at
 * the end.
 */
int walk_next(struct walk *walk, const struct view *view, struct walk_row *ret,
	      struct cell_error *err);
