/*
 * One value of a column, as the databases and their logic handle it. Plain data: what it
 * points to belongs to whoever made it.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <table.cell.h>

enum value_kind {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INT,   /* INT32, INT64, ENUM */
	VALUE_UINT,  /* UINT32, UINT64 */
	VALUE_REAL,  /* FLOAT, DOUBLE */
	VALUE_TEXT,  /* UTF-8, not terminated */
	VALUE_BYTES, /* BYTES, MESSAGE */
	VALUE_LIST   /* of a repeated column: see value_next() */
};

struct value {
	enum value_kind kind;
	union {
		bool boolean;
		int64_t integer;
		uint64_t natural;
		double real;
		struct {
			const uint8_t *bytes;
			size_t len;
		};
	};
};

/* What values of TYPE are, when they are not NULL and no list. */
enum value_kind value_kind_of(enum table_column_type type);

/*
 * A list's bytes are its items in wire format, without tags: numbers one behind the other, as
 * packed; text and bytes each behind its length. Take the first item of TYPE off LIST. False
 * at the end. Lists of rows that were decoded are well-formed.
 */
bool value_next(struct value *list, enum table_column_type type, struct value *ret_item);

/*
 * Order of two values of one type: less than, equal to or greater than 0. NULL comes first;
 * NaN behind all numbers, equal to itself; bytes and text as memcmp() has it.
 */
int value_compare(const struct value *a, const struct value *b);
bool value_equal(const struct value *a, const struct value *b);

/*
 * VALUE of COLUMN for people: 12, "Ada", RED, NULL, 0x0f, [1, 2]. At most 60 bytes of text or
 * bytes are shown, then "…". Lives in ARENA; never NULL.
 */
const char *value_print(const struct value *value, const struct table_column *column,
			struct cell_arena *arena);

/*
 * The literal TEXT ("7", "-1.5", "true", "\"new\"", "RED", "NULL", "0x0f" for bytes) as a value
 * of COLUMN; now() and uuid() are no literals. It lives in ARENA. Returns 0 or
 * CELL_INVALID_ARGUMENT: "'x7' is no number", "300 does not fit int32".
 */
int value_parse(struct value *ret, const char *text, const struct table_column *column,
		struct cell_arena *arena, struct cell_error *err);
