/*
 * Ranges that were read, held against what others changed or have prepared to change.
 */
#pragma once

#include "draft.h"

/*
 * That no row of RANGE was changed behind the commit MARK; else CELL_ABORTED. The log of
 * changes reaches back to LOG_FROM; a mark before that is CELL_ABORTED, too.
 */
int conflict_since(const struct view *view, const struct range *range, uint64_t mark,
		   uint64_t log_from, struct cell_arena *arena, struct cell_error *err);

/* That no prepared transaction will change what is in RANGE; else CELL_ABORTED. */
int conflict_range(struct draft *draft, const struct range *range, struct cell_error *err);

/* That no prepared transaction has read a range with VALUES of ROW in it; else CELL_ABORTED. */
int conflict_row(struct draft *draft, const struct draft_row *row, const struct value *values,
		 struct cell_error *err);

/* DRAFT, once prepared, has read RANGE; there is room for it. */
int conflict_lock_range(struct draft *draft, const struct range *range, struct cell_error *err);
