/*
 * Rows: the user's struct, as a descriptor says it is, and the bytes of proto/table.proto.
 * All bytes are hostile.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <cell/table.h>
#include <stddef.h>
#include <stdint.h>

/* What struct a row is. */
struct table_row_type {
	const char *name; /* of the table, for messages */
	const struct cell_column *columns;
	size_t n_columns;
	size_t size; /* of the struct */
};

static inline struct table_row_type table_row_type_of(const struct cell_table *table)
{
	return (struct table_row_type){ table->name, table->columns, table->n_columns,
					table->row_size };
}

/* All columns of ROW that are not NULL. The bound is SIZE_MAX if it cannot be encoded. */
size_t table_row_bound(const struct table_row_type *type, const void *row);
uint8_t *table_row_encode(const struct table_row_type *type, const void *row, uint8_t *out);

/* The first N columns of the key number KEY. Equal keys have equal bytes. */
size_t table_key_bound(const struct cell_table *table, unsigned key, unsigned n,
		       const void *row);
uint8_t *table_key_encode(const struct cell_table *table, unsigned key, unsigned n,
			  const void *row, uint8_t *out);

/*
 * Fill ROW from BYTES: what is not there is NULL, or zero where NULL cannot be; columns that
 * are not known are skipped. FLAGS are those of enum cell_decode_flag. Returns 0, -ENOMEM, or
 * CELL_INTERNAL: "account.owner: …".
 */
int table_row_decode(const struct table_row_type *type, void *row, const uint8_t *bytes,
		     size_t len, unsigned flags, struct cell_arena *arena,
		     struct cell_error *err);

/* Order of A and B by the first N columns of KEY, as databases have it: NULL first. */
int table_key_compare(const struct cell_table *table, unsigned key, unsigned n, const void *a,
		      const void *b);

/* Whether the last of the first N columns of KEY begins in ROW as in BEGIN, the others equal.
 */
bool table_key_has_prefix(const struct cell_table *table, unsigned key, unsigned n,
			  const void *begin, const void *row);

/* "id 9", "city Rome, age 7": for people. At most SIZE bytes at OUT, which is returned. */
const char *table_key_print(const struct cell_table *table, unsigned key, const void *row,
			    char *out, size_t size);
