/*
 * References between rows: nothing refers to what is not there.
 */
#pragma once

#include "draft.h"

/*
 * Look after who refers to rows that DRAFT takes away: refuse, take them away too, or set
 * them to NULL; then see that what changed rows refer to is there. Returns 0, or
 * CELL_FAILED_PRECONDITION naming both rows, CELL_ABORTED for what is not decided.
 */
int reference_check(struct draft *draft, const struct draft_moment *moment, struct cell_error *err);
