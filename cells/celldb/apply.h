/*
 * A draft becomes what is in the store: rows, index entries, counts, the log of changes.
 */
#pragma once

#include "draft.h"

/*
 * Write what DRAFT changes, as the commit VERSION. *ret_changes entries were added to the log.
 * An error of the store makes its transaction inert.
 */
int apply_draft(struct draft *draft, uint64_t version, int64_t now_us, uint64_t *ret_changes,
		struct cell_error *err);

/* The changed rows as records, for a transaction that is prepared. In the draft's arena. */
int apply_records(struct draft *draft, int64_t now_us, struct record_change **ret, size_t *ret_n,
		  struct cell_error *err);

/* Fill DRAFT with changes that were prepared. */
int apply_prepared(struct draft *draft, const struct record_prepared *record,
		   struct cell_error *err);

/* Rows of TABLE that are in the store. */
int apply_count(const struct view *view, const struct catalog_table *table, uint64_t *ret,
		struct cell_error *err);
int apply_set_count(const struct view *view, const struct catalog_table *table, uint64_t n,
		    struct cell_error *err);
