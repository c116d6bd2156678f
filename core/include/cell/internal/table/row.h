/*
 * Rows: from the bytes of table.proto to values and back, and keys that sort as their values
 * do. Pure. All bytes are hostile.
 */
#pragma once

#include <cell/internal/table/schema.h>

/*
 * Fill VALUES (n_columns of SCHEMA) from a row or part of one. What is not there is
 * VALUE_NULL, but a list that cannot be NULL is empty, and one that can is NULL when it is
 * empty; numbers of no column are skipped. Text and bytes point into BYTES; ARENA is needed by
 * lists of several texts alone. Returns 0, -ENOMEM, or CELL_INVALID_ARGUMENT:
 * "account.balance: …" for what is cut short, of another type, out of range, no UTF-8, there
 * twice, or in a list not in its shortest form.
 */
int row_decode(const struct schema *schema, const uint8_t *bytes, size_t len,
	       struct value *values, struct cell_arena *arena, struct cell_error *err);

/*
 * All columns that are neither NULL nor an empty list, by rising number: equal rows have equal
 * bytes. OUT has room for row_bound() bytes; the end of what was written is returned.
 */
size_t row_bound(const struct schema *schema, const struct value *values);
uint8_t *row_encode(const struct schema *schema, const struct value *values, uint8_t *out);

/* What a default that is no constant needs. */
struct row_moment {
	int64_t now_us;      /* since 1970 UTC */
	uint8_t random[16];  /* for one uuid(); others are derived from it */
};

/*
 * Make of what a client sent what is stored. FRESH: NULLs get their defaults (nullable columns
 * too); else only those that cannot be NULL do. Computed columns are computed. What VALUES
 * point to lives where it did or in ARENA. Serial columns have their number already, encrypted
 * ones are not sealed yet. Returns 0, -ENOMEM, or why such a row may not be:
 * CELL_INVALID_ARGUMENT (NULL, length, enum, UTF-8), CELL_OUT_OF_RANGE (a computed column or a
 * check overflows) or CELL_FAILED_PRECONDITION ("account: balance >= 0 does not hold: balance
 * is -5"). A check that is NULL holds.
 */
int row_finish(const struct schema *schema, struct value *values, bool fresh,
	       const struct row_moment *moment, struct cell_arena *arena, struct cell_error *err);

/*
 * A key that memcmp() orders as value_compare() orders its columns, one after the other: the
 * first N columns of KEY. In each column a byte says NULL or not; numbers are big-endian with
 * their sign turned; text and bytes have 0x00 as 0x00 0xff and end with 0x00 0x01, as in the
 * tuple layer of FoundationDB. AS_PREFIX leaves out that end of the last column.
 *
 * *ret_len bytes are written at OUT. Returns 0, or CELL_INVALID_ARGUMENT if it takes more than
 * ROOM bytes: "a key of 600 bytes in account.owner, limit 480".
 */
int row_key(const struct schema *schema, const struct schema_key *key, const struct value *values,
	    size_t n, bool as_prefix, uint8_t *out, size_t room, size_t *ret_len,
	    struct cell_error *err);

/* Whether any of the KEY's columns is NULL. */
bool row_key_has_null(const struct schema_key *key, const struct value *values);

/* Which of the first columns of KEY are given, that is not NULL: for parts of keys. */
size_t row_key_given(const struct schema_key *key, const struct value *values);

/* "id 9", "city Rome, age 7": the columns of KEY for people. In ARENA. */
const char *row_key_print(const struct schema *schema, const struct schema_key *key,
			  const struct value *values, struct cell_arena *arena);
