/*
 * Columns as members of a struct, and as fields of a message: for the files that read and
 * write rows.
 */
#pragma once

#include <cell/codec.h>
#include <cell/table.h>
#include <string.h>

/* Tag and length, or tag and number, of a column. */
#define COLUMN_HEAD_MAX 15

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static const uint8_t column_wire_types[] = {
	[CELL_COLUMN_BOOL] = WIRE_VARINT,    [CELL_COLUMN_INT32] = WIRE_VARINT,
	[CELL_COLUMN_UINT32] = WIRE_VARINT,  [CELL_COLUMN_INT64] = WIRE_VARINT,
	[CELL_COLUMN_UINT64] = WIRE_VARINT,  [CELL_COLUMN_FLOAT] = WIRE_FIXED32,
	[CELL_COLUMN_DOUBLE] = WIRE_FIXED64, [CELL_COLUMN_ENUM] = WIRE_VARINT,
	[CELL_COLUMN_TEXT] = WIRE_BYTES,     [CELL_COLUMN_CHARS] = WIRE_BYTES,
	[CELL_COLUMN_BYTES] = WIRE_BYTES,    [CELL_COLUMN_BLOCK] = WIRE_BYTES,
	[CELL_COLUMN_MESSAGE] = WIRE_BYTES,
};

static inline const void *column_member(const struct cell_column *column, const void *row)
{
	return (const uint8_t *)row + column->offset;
}

static inline void *column_member_of(const struct cell_column *column, void *row)
{
	return (uint8_t *)row + column->offset;
}

static inline bool column_is_null(const struct cell_column *column, const void *row)
{
	return column->has_offset != UINT32_MAX &&
	       !*(const bool *)((const uint8_t *)row + column->has_offset);
}

static inline size_t column_count(const struct cell_column *column, const void *row)
{
	return *(const size_t *)((const uint8_t *)row + column->count_offset);
}

static inline size_t *column_count_in(const struct cell_column *column, void *row)
{
	return (size_t *)((uint8_t *)row + column->count_offset);
}

static inline const void *column_pointer(const struct cell_column *column, const void *row)
{
	return *(const void *const *)column_member(column, row);
}

/* The text of a char array, which need not be terminated. */
static inline size_t column_chars_len(const struct cell_column *column, const void *row)
{
	return strnlen(column_member(column, row), column->size);
}

/* Bytes of the value, but for what COLUMN_HEAD_MAX allows. */
uint64_t table_column_bound(const struct cell_column *column, const void *row);
/* With its tag; nothing if it is NULL. */
uint8_t *table_column_encode(const struct cell_column *column, const void *row, uint8_t *out);
