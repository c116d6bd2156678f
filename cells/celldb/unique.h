/*
 * What rows that change may not share with others: places in unique indexes, and what prepared
 * transactions hold.
 */
#pragma once

#include "draft.h"

/*
 * Look through the changed rows of DRAFT, once all of them are known: rows may swap what is
 * unique. Returns 0, CELL_ALREADY_EXISTS naming row and columns, or CELL_ABORTED.
 */
int unique_check(struct draft *draft, struct cell_error *err);
