#include "table_row.h"

#include "table_column.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Keys: as bytes, in their order, and for people. */

/* Bytes of a text or of bytes that a message shows. */
#define PRINTED_MAX 60

static inline const struct cell_column *key_column(const struct cell_table *table,
						   unsigned key, unsigned i)
{
	return &table->columns[table->keys[key].columns[i]];
}

size_t table_key_bound(const struct cell_table *table, unsigned key, unsigned n,
		       const void *row)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += COLUMN_HEAD_MAX + table_column_bound(key_column(table, key, i), row);
	return cell_bound_end(size);
}

/* Minus zero is zero where it is a key. */
static uint8_t *zero_encode(const struct cell_column *column, uint8_t *out)
{
	out = cell_encode_varint(out, column->number << 3 | column_wire_types[column->kind]);
	return column->kind == CELL_COLUMN_FLOAT ? cell_encode_float(out, 0)
						 : cell_encode_double(out, 0);
}

static bool is_real_zero(const struct cell_column *column, const void *row)
{
	if (column->kind == CELL_COLUMN_FLOAT)
		return *(const float *)column_member(column, row) == 0;
	return column->kind == CELL_COLUMN_DOUBLE &&
	       *(const double *)column_member(column, row) == 0;
}

uint8_t *table_key_encode(const struct cell_table *table, unsigned key, unsigned n,
			  const void *row, uint8_t *out)
{
	for (unsigned i = 0; i < n; i++) {
		const struct cell_column *column = key_column(table, key, i);

		if (CELL_UNLIKELY(is_real_zero(column, row) && !column_is_null(column, row)))
			out = zero_encode(column, out);
		else
			out = table_column_encode(column, row, out);
	}
	return out;
}

/* --- order ---------------------------------------------------------------------------------
 */

static int bytes_compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	int r = n ? memcmp(a, b, n) : 0;

	return r ? r : (a_len > b_len) - (a_len < b_len);
}

/* NaN behind all numbers, equal to itself. */
static int real_compare(double a, double b)
{
	if (isnan(a) || isnan(b))
		return (isnan(a) != 0) - (isnan(b) != 0);
	return (a > b) - (a < b);
}

#define COMPARE(type, a, b)                                                                  \
	((*(const type *)(a) > *(const type *)(b)) -                                         \
	 (*(const type *)(a) < *(const type *)(b)))

/* The bytes of a column that has some. */
static const void *bytes_of(const struct cell_column *column, const void *row,
			    size_t *ret_len)
{
	const void *at = column_member(column, row);

	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_TEXT:
		at = column_pointer(column, row);
		*ret_len = at ? strlen(at) : 0;
		return at;
	case CELL_COLUMN_BYTES:
		*ret_len = column_count(column, row);
		return column_pointer(column, row);
	case CELL_COLUMN_CHARS: *ret_len = column_chars_len(column, row); return at;
	default: *ret_len = column->size; return at;
	}
}

static int column_compare(const struct cell_column *column, const void *a, const void *b)
{
	const void *x = column_member(column, a), *y = column_member(column, b);
	bool a_is_null = column_is_null(column, a), b_is_null = column_is_null(column, b);
	size_t x_len, y_len;

	if (a_is_null || b_is_null)
		return b_is_null - a_is_null;
	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_BOOL: return COMPARE(bool, x, y);
	case CELL_COLUMN_INT32:
	case CELL_COLUMN_ENUM: return COMPARE(int32_t, x, y);
	case CELL_COLUMN_UINT32: return COMPARE(uint32_t, x, y);
	case CELL_COLUMN_INT64: return COMPARE(int64_t, x, y);
	case CELL_COLUMN_UINT64: return COMPARE(uint64_t, x, y);
	case CELL_COLUMN_FLOAT: return real_compare(*(const float *)x, *(const float *)y);
	case CELL_COLUMN_DOUBLE: return real_compare(*(const double *)x, *(const double *)y);
	default:
		x = bytes_of(column, a, &x_len);
		y = bytes_of(column, b, &y_len);
		return bytes_compare(x, x_len, y, y_len);
	}
}

int table_key_compare(const struct cell_table *table, unsigned key, unsigned n, const void *a,
		      const void *b)
{
	int r = 0;

	for (unsigned i = 0; i < n && r == 0; i++)
		r = column_compare(key_column(table, key, i), a, b);
	return r;
}

bool table_key_has_prefix(const struct cell_table *table, unsigned key, unsigned n,
			  const void *begin, const void *row)
{
	const struct cell_column *column;
	const void *part, *whole;
	size_t part_len, whole_len;

	if (n == 0)
		return true;
	column = key_column(table, key, n - 1);
	if (table_key_compare(table, key, n - 1, begin, row) != 0 ||
	    column_is_null(column, row) || column_is_null(column, begin))
		return false;
	part = bytes_of(column, begin, &part_len);
	whole = bytes_of(column, row, &whole_len);
	return part_len <= whole_len && (!part_len || memcmp(part, whole, part_len) == 0);
}

/* --- for people ----------------------------------------------------------------------------
 */

static int bytes_print(const struct cell_column *column, const void *row, char *out,
		       size_t size)
{
	size_t len;
	const uint8_t *bytes = bytes_of(column, row, &len);
	bool is_long = len > PRINTED_MAX;
	int n = 0;

	if (is_long)
		len = PRINTED_MAX;
	if (column->kind == CELL_COLUMN_TEXT || column->kind == CELL_COLUMN_CHARS) {
		while (is_long && len && (bytes[len] & 0xc0) == 0x80)
			len--;
		return snprintf(out, size, "%.*s%s", (int)len,
				bytes ? (const char *)bytes : "", is_long ? "…" : "");
	}
	n = snprintf(out, size, "0x");
	for (size_t i = 0; i < len && (size_t)n < size; i++)
		n += snprintf(out + n, size - (size_t)n, "%02x", bytes[i]);
	return (size_t)n < size && is_long ? n + snprintf(out + n, size - (size_t)n, "…") : n;
}

static int column_print(const struct cell_column *column, const void *row, char *out,
			size_t size)
{
	const void *at = column_member(column, row);

	if (column_is_null(column, row))
		return snprintf(out, size, "NULL");
	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_BOOL:
		return snprintf(out, size, "%s", *(const bool *)at ? "true" : "false");
	case CELL_COLUMN_INT32:
	case CELL_COLUMN_ENUM: return snprintf(out, size, "%" PRId32, *(const int32_t *)at);
	case CELL_COLUMN_UINT32:
		return snprintf(out, size, "%" PRIu32, *(const uint32_t *)at);
	case CELL_COLUMN_INT64: return snprintf(out, size, "%" PRId64, *(const int64_t *)at);
	case CELL_COLUMN_UINT64:
		return snprintf(out, size, "%" PRIu64, *(const uint64_t *)at);
	case CELL_COLUMN_FLOAT: return snprintf(out, size, "%g", (double)*(const float *)at);
	case CELL_COLUMN_DOUBLE: return snprintf(out, size, "%g", *(const double *)at);
	default: return bytes_print(column, row, out, size);
	}
}

const char *table_key_print(const struct cell_table *table, unsigned key, const void *row,
			    char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < table->keys[key].n && at < size; i++) {
		const struct cell_column *column = key_column(table, key, i);
		int n = snprintf(out + at, size - at, "%s%s ", i ? ", " : "", column->name);

		at += n > 0 ? (size_t)n : 0;
		if (at < size) {
			n = column_print(column, row, out + at, size - at);
			at += n > 0 ? (size_t)n : 0;
		}
	}
	return out;
}
