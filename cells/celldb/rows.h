/*
 * Rows between the bytes that the store has, values, and the bytes that clients see.
 *
 * A row in the store is its version and its columns; those that are encrypted are sealed, so
 * that their bytes are what the table's `stored` schema says.
 */
#pragma once

#include "layout.h"
#include "view.h"

#include <cell/internal/table/row.h>

struct rows_row {
	uint64_t version;
	struct cell_store_bytes bytes; /* its columns as they are stored */
};

/* Values in ARENA for all columns of TABLE, all NULL; NULL without memory. */
struct value *rows_values(const struct catalog_table *table, struct cell_arena *arena);

/* KEY as row_key() of TABLE's key has it: where the row is in the store. */
void rows_place(const struct catalog_table *table, struct cell_store_bytes key,
		struct layout_key *ret);

/* The KEY's bytes of the row VALUES, in ARENA. CELL_INVALID_ARGUMENT: too long, or NULL. */
int rows_key(const struct catalog_table *table, const struct value *values,
	     struct cell_arena *arena, struct cell_store_bytes *ret, struct cell_error *err);

/*
 * The key of the store under which index I has a row; KEY is the row's own. Rows that may
 * share it (the index is not unique, or a column is NULL) have KEY at its end.
 */
int rows_index_key(const struct catalog_table *table, size_t i, const struct value *values,
		   struct cell_store_bytes key, struct layout_key *ret, struct cell_error *err);
/* Whether nobody else may have the entry that this row has in index I. */
bool rows_is_unique(const struct catalog_table *table, size_t i, const struct value *values);

/* 0 or CELL_STORE_ABSENT. *ret points into the store. */
int rows_get(const struct view *view, const struct catalog_table *table,
	     struct cell_store_bytes key, struct rows_row *ret, struct cell_error *err);

/* What a value of the store says; CELL_DATA_LOSS if it is too short. */
int rows_split(struct cell_store_bytes value, struct rows_row *ret, struct cell_error *err);

/* BYTES as stored → VALUES by the table's schema. Damage is CELL_DATA_LOSS. */
int rows_decode(const struct view *view, const struct catalog_table *table,
		struct cell_store_bytes key, struct cell_store_bytes bytes, struct value *values,
		struct cell_arena *arena, struct cell_error *err);
/* And back: *ret is in ARENA. */
int rows_encode(const struct view *view, const struct catalog_table *table,
		struct cell_store_bytes key, const struct value *values, struct cell_arena *arena,
		struct cell_store_bytes *ret, struct cell_error *err);

/* BYTES as stored → what clients see: the same bytes, unless columns are encrypted. */
int rows_wire(const struct view *view, const struct catalog_table *table,
	      struct cell_store_bytes key, struct cell_store_bytes bytes, struct cell_arena *arena,
	      struct cell_store_bytes *ret, struct cell_error *err);
/* VALUES → what clients see, in ARENA; .at is NULL without memory. */
struct cell_store_bytes rows_wire_values(const struct catalog_table *table,
					 const struct value *values, struct cell_arena *arena);

/* "account with id 9": for messages, in ARENA. */
const char *rows_print(const struct catalog_table *table, const struct value *values,
		       struct cell_arena *arena);
