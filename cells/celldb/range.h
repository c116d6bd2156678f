/*
 * Which rows a scan is about: a range of keys of the store, and a condition.
 */
#pragma once

#include "rows.h"

#include <cell/internal/table/expression.h>

struct range {
	const struct catalog_table *table;
	size_t index; /* of table->indexes */
	struct layout_key low;  /* keys at or behind it … */
	struct layout_key high; /* … up to all that begin so */
	const struct expression *where; /* NULL = all; in the arena that it was made with */
};

/*
 * What SCAN, of a client built with VERSION, is about. Returns 0, -ENOMEM, or
 * CELL_INVALID_ARGUMENT: no such index, a key that makes no sense, a condition that is none;
 * CELL_FAILED_PRECONDITION: the index was dropped.
 */
int range_of(struct range *ret, const struct catalog_version *version,
	     const struct table_scan_request *scan, struct cell_arena *arena,
	     struct cell_error *err);

/* *ret is the number in table->indexes of what VERSION calls INDEX. */
int range_index(const struct catalog_version *version, uint32_t index, size_t *ret,
		struct cell_error *err);

/* Whether KEY, of the store, is in it. */
bool range_has_key(const struct range *range, struct cell_store_bytes key);
/* Nothing that begins so can be in it from here on, in this direction. */
bool range_is_past(const struct range *range, bool backwards, struct cell_store_bytes key);

/*
 * Whether the row is in it, the condition included: *ret. KEY is its own. A condition that
 * cannot be worked out is an error, as in scans.
 */
int range_has(const struct range *range, const struct value *values, struct cell_store_bytes key,
	      struct cell_arena *arena, bool *ret, struct cell_error *err);
/* The condition alone. */
int range_matches(const struct range *range, const struct value *values, struct cell_arena *arena,
		  bool *ret, struct cell_error *err);
