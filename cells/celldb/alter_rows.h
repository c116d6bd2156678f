/*
 * The rows of a table that changes: counted for the judge, and made what they will be.
 */
#pragma once

#include "alter.h"

#include <cell/internal/table/migrate.h>

struct alter {
	struct engine *engine;
	struct cell_arena *arena;
	struct alter_report *report;
	const uint8_t *body;
	size_t body_len;
	bool only_check, is_compiling;
	const struct catalog_table *before; /* NULL: there is none */
	struct catalog_table after;
	struct schema *stored;              /* after.stored, if it is another; owned */
	struct migration migration;
	bool *is_new;                       /* for each of after.indexes */
	bool has_new;
	struct cell_error row_error;        /* the first row that cannot be what it should; code 0: none */
};

/*
 * One walk over all rows, or none if no step needs it: the steps' counts, rows rewritten,
 * entries of new indexes.
 */
int alter_rows(struct alter *alter, struct cell_error *err);

/* Delete all that begins so. */
int alter_drop(struct engine *engine, const struct layout_key *begin, struct cell_error *err);
