#include "table_row.h"

#include <cell/codec.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Tag and length, or tag and number, of a column. */
#define HEAD_MAX 15
/* Bytes of a text or of bytes that a message shows. */
#define PRINTED_MAX 60

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static const uint8_t wire_types[] = {
	[CELL_COLUMN_BOOL] = WIRE_VARINT,   [CELL_COLUMN_INT32] = WIRE_VARINT,
	[CELL_COLUMN_UINT32] = WIRE_VARINT, [CELL_COLUMN_INT64] = WIRE_VARINT,
	[CELL_COLUMN_UINT64] = WIRE_VARINT, [CELL_COLUMN_FLOAT] = WIRE_FIXED32,
	[CELL_COLUMN_DOUBLE] = WIRE_FIXED64, [CELL_COLUMN_ENUM] = WIRE_VARINT,
	[CELL_COLUMN_TEXT] = WIRE_BYTES,    [CELL_COLUMN_CHARS] = WIRE_BYTES,
	[CELL_COLUMN_BYTES] = WIRE_BYTES,   [CELL_COLUMN_BLOCK] = WIRE_BYTES,
	[CELL_COLUMN_MESSAGE] = WIRE_BYTES,
};

/* --- members ----------------------------------------------------------------------------- */

static inline const void *member(const struct cell_column *column, const void *row)
{
	return (const uint8_t *)row + column->offset;
}

static inline void *member_of(const struct cell_column *column, void *row)
{
	return (uint8_t *)row + column->offset;
}

static inline bool is_null(const struct cell_column *column, const void *row)
{
	return column->has_offset != UINT32_MAX &&
	       !*(const bool *)((const uint8_t *)row + column->has_offset);
}

static inline size_t count_of(const struct cell_column *column, const void *row)
{
	return *(const size_t *)((const uint8_t *)row + column->count_offset);
}

static inline size_t *count_in(const struct cell_column *column, void *row)
{
	return (size_t *)((uint8_t *)row + column->count_offset);
}

static inline const void *pointer_of(const struct cell_column *column, const void *row)
{
	return *(const void *const *)member(column, row);
}

/* The text of a char array, which need not be terminated. */
static size_t chars_len(const struct cell_column *column, const void *row)
{
	return strnlen(member(column, row), column->size);
}

static size_t item_size(enum cell_column_kind kind)
{
	switch (kind) {
	case CELL_COLUMN_BOOL:
		return sizeof(bool);
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64:
	case CELL_COLUMN_DOUBLE:
		return 8;
	case CELL_COLUMN_TEXT:
		return sizeof(const char *);
	default:
		return 4;
	}
}

/* --- encoding ------------------------------------------------------------------------------ */

static uint64_t list_bound(const struct cell_column *column, const void *row)
{
	size_t n = count_of(column, row);

	if (column->kind == CELL_COLUMN_TEXT)
		return cell_bound_strings(pointer_of(column, row), n, 5);
	return n > CELL_MESSAGE_SIZE_MAX / 10 ? (uint64_t)CELL_MESSAGE_SIZE_MAX + 1 : n * 10;
}

/* Numbers are all in HEAD_MAX. */
static uint64_t column_bound(const struct cell_column *column, const void *row)
{
	if (CELL_UNLIKELY(column->flags & CELL_COLUMN_REPEATED))
		return list_bound(column, row);
	if (column->kind < CELL_COLUMN_TEXT)
		return 0;
	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_TEXT:
		return cell_bound_string(pointer_of(column, row));
	case CELL_COLUMN_BYTES:
		return cell_bound_size(count_of(column, row));
	case CELL_COLUMN_CHARS:
	case CELL_COLUMN_BLOCK:
		return column->size;
	case CELL_COLUMN_MESSAGE:
		return cell_bound_size(column->message->bound(member(column, row)));
	default:
		return 0;
	}
}

static uint8_t *list_encode(const struct cell_column *column, const void *row, uint8_t *out)
{
	const void *items = pointer_of(column, row);
	size_t n = count_of(column, row);

	if (column->kind == CELL_COLUMN_TEXT) {
		for (size_t i = 0; i < n; i++) {
			out = cell_encode_varint(out, column->number << 3 | WIRE_BYTES);
			out = cell_encode_string(out, ((const char *const *)items)[i]);
		}
		return out;
	}
	if (!n)
		return out;
	out = cell_encode_varint(out, column->number << 3 | WIRE_BYTES);
	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_BOOL:
		return cell_encode_packed_bool(out, items, n);
	case CELL_COLUMN_UINT32:
		return cell_encode_packed_uint32(out, items, n);
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64:
		return cell_encode_packed_uint64(out, items, n);
	case CELL_COLUMN_FLOAT:
		return cell_encode_packed_fixed32(out, items, n);
	case CELL_COLUMN_DOUBLE:
		return cell_encode_packed_fixed64(out, items, n);
	default:
		return cell_encode_packed_int32(out, items, n);
	}
}

static uint8_t *message_encode(const struct cell_column *column, const void *row, uint8_t *out)
{
	uint8_t *body = cell_encode_open(out, 0);

	return cell_encode_close(out, body, column->message->encode(member(column, row), body));
}

/* The value behind its tag. */
static uint8_t *value_encode(const struct cell_column *column, const void *row, uint8_t *out)
{
	const void *at = member(column, row);

	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_BOOL:
		return cell_encode_bool(out, *(const bool *)at);
	case CELL_COLUMN_UINT32:
		return cell_encode_uint32(out, *(const uint32_t *)at);
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64:
		return cell_encode_uint64(out, *(const uint64_t *)at);
	case CELL_COLUMN_FLOAT:
		return cell_encode_float(out, *(const float *)at);
	case CELL_COLUMN_DOUBLE:
		return cell_encode_double(out, *(const double *)at);
	case CELL_COLUMN_TEXT:
		return cell_encode_string(out, pointer_of(column, row));
	case CELL_COLUMN_CHARS:
		return cell_encode_bytes(out, at, chars_len(column, row));
	case CELL_COLUMN_BYTES:
		return cell_encode_bytes(out, pointer_of(column, row), count_of(column, row));
	case CELL_COLUMN_BLOCK:
		return cell_encode_bytes(out, at, column->size);
	case CELL_COLUMN_MESSAGE:
		return message_encode(column, row, out);
	default:
		return cell_encode_int32(out, *(const int32_t *)at);
	}
}

static inline uint8_t *column_encode(const struct cell_column *column, const void *row, uint8_t *out)
{
	if (is_null(column, row))
		return out;
	if (CELL_UNLIKELY(column->flags & CELL_COLUMN_REPEATED))
		return list_encode(column, row, out);
	out = cell_encode_varint(out, column->number << 3 | wire_types[column->kind]);
	return value_encode(column, row, out);
}

size_t table_row_bound(const struct table_row_type *type, const void *row)
{
	uint64_t size = 0;

	for (size_t i = 0; i < type->n_columns && size <= CELL_MESSAGE_SIZE_MAX; i++)
		size += HEAD_MAX + column_bound(&type->columns[i], row);
	return cell_bound_end(size);
}

uint8_t *table_row_encode(const struct table_row_type *type, const void *row, uint8_t *out)
{
	for (size_t i = 0; i < type->n_columns; i++)
		out = column_encode(&type->columns[i], row, out);
	return out;
}

static inline const struct cell_column *key_column(const struct cell_table *table, unsigned key,
						   unsigned i)
{
	return &table->columns[table->keys[key].columns[i]];
}

size_t table_key_bound(const struct cell_table *table, unsigned key, unsigned n, const void *row)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += HEAD_MAX + column_bound(key_column(table, key, i), row);
	return cell_bound_end(size);
}

/* Minus zero is zero where it is a key. */
static uint8_t *zero_encode(const struct cell_column *column, uint8_t *out)
{
	out = cell_encode_varint(out, column->number << 3 | wire_types[column->kind]);
	return column->kind == CELL_COLUMN_FLOAT ? cell_encode_float(out, 0)
						 : cell_encode_double(out, 0);
}

static bool is_real_zero(const struct cell_column *column, const void *row)
{
	if (column->kind == CELL_COLUMN_FLOAT)
		return *(const float *)member(column, row) == 0;
	return column->kind == CELL_COLUMN_DOUBLE && *(const double *)member(column, row) == 0;
}

uint8_t *table_key_encode(const struct cell_table *table, unsigned key, unsigned n,
			  const void *row, uint8_t *out)
{
	for (unsigned i = 0; i < n; i++) {
		const struct cell_column *column = key_column(table, key, i);

		if (CELL_UNLIKELY(is_real_zero(column, row) && !is_null(column, row)))
			out = zero_encode(column, out);
		else
			out = column_encode(column, row, out);
	}
	return out;
}

/* --- decoding ------------------------------------------------------------------------------ */

/* Columns mostly come in the order of the struct: *NEXT is where to look first. */
static inline const struct cell_column *column_find(const struct table_row_type *type,
						    uint32_t number, size_t *next)
{
	size_t i = *next;

	if (CELL_LIKELY(i < type->n_columns && type->columns[i].number == number)) {
		*next = i + 1;
		return &type->columns[i];
	}
	for (i = 0; i < type->n_columns; i++)
		if (type->columns[i].number == number) {
			*next = i + 1;
			return &type->columns[i];
		}
	return NULL;
}

static const uint8_t *packed_decode(struct cell_decoder *d, const struct cell_column *column,
				    const uint8_t *at, const uint8_t *end, struct cell_list *list)
{
	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_BOOL:
		return cell_decode_packed_bool(d, at, end, list);
	case CELL_COLUMN_UINT32:
		return cell_decode_packed_uint32(d, at, end, list);
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64:
		return cell_decode_packed_uint64(d, at, end, list);
	case CELL_COLUMN_FLOAT:
		return cell_decode_packed_fixed32(d, at, end, list);
	case CELL_COLUMN_DOUBLE:
		return cell_decode_packed_fixed64(d, at, end, list);
	default:
		return cell_decode_packed_int32(d, at, end, list);
	}
}

/* A number in its member's width; NULL, and why, if it does not fit. */
static const uint8_t *number_decode(struct cell_decoder *d, enum cell_column_kind kind,
				    const uint8_t *at, const uint8_t *end, void *to)
{
	struct cell_varint v = cell_decode_varint(at, end);
	bool fits = true;

	switch (kind) {
	case CELL_COLUMN_BOOL:
		*(bool *)to = v.value != 0;
		break;
	case CELL_COLUMN_UINT32:
		fits = v.value <= UINT32_MAX;
		*(uint32_t *)to = (uint32_t)v.value;
		break;
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64:
		*(uint64_t *)to = v.value;
		break;
	default:
		fits = (int64_t)v.value == (int32_t)v.value;
		*(int32_t *)to = (int32_t)v.value;
		break;
	}
	if (CELL_UNLIKELY(!fits)) {
		d->why = "a number that does not fit the member";
		return NULL;
	}
	return v.at;
}

static const uint8_t *scalar_decode(struct cell_decoder *d, enum cell_column_kind kind,
				    const uint8_t *at, const uint8_t *end, void *to)
{
	if (kind == CELL_COLUMN_FLOAT)
		return cell_decode_float(at, end, to);
	if (kind == CELL_COLUMN_DOUBLE)
		return cell_decode_double(at, end, to);
	return number_decode(d, kind, at, end, to);
}

static const uint8_t *list_decode(struct cell_decoder *d, const struct cell_column *column,
				  uint32_t tag, const uint8_t *at, const uint8_t *end, void *row)
{
	size_t size = item_size(column->kind);
	struct cell_list list = { .n = count_of(column, row) };

	memcpy(&list.items, member(column, row), sizeof list.items);
	if (column->kind != CELL_COLUMN_TEXT && (tag & 7) == WIRE_BYTES) {
		at = packed_decode(d, column, at, end, &list);
	} else if (!cell_decode_room(d, &list, size, at, end, tag)) {
		at = NULL;
	} else if (column->kind == CELL_COLUMN_TEXT) {
		at = cell_decode_string(d, at, end, &((const char **)list.items)[list.n++]);
	} else {
		at = scalar_decode(d, column->kind, at, end,
				   (uint8_t *)list.items + size * list.n++);
	}
	*count_in(column, row) = list.n;
	memcpy(member_of(column, row), &list.items, sizeof list.items);
	return at;
}

/* Behind a message comes a tag that is not read yet: its texts cannot stay in place. */
static const uint8_t *message_decode(struct cell_decoder *d, const struct cell_column *column,
				     const uint8_t *at, const uint8_t *end, void *row)
{
	unsigned flags = d->flags & CELL_DECODE_IN_PLACE ? CELL_DECODE_BYTES_STAY : d->flags;
	const uint8_t *stop = NULL;

	at = cell_decode_length(d, at, end, &stop);
	if (!at)
		return NULL;
	d->code = column->message->decode(member_of(column, row), at, (size_t)(stop - at), flags,
					  d->arena, d->err);
	return d->code < 0 ? NULL : stop;
}

static inline const uint8_t *column_decode(struct cell_decoder *d, const struct cell_column *column,
					   const uint8_t *at, const uint8_t *end, void *row)
{
	void *to = member_of(column, row);

	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_TEXT:
		return cell_decode_string(d, at, end, to);
	case CELL_COLUMN_CHARS:
		return cell_decode_chars(d, at, end, to, column->size);
	case CELL_COLUMN_BYTES:
		return cell_decode_bytes(d, at, end, count_in(column, row), to);
	case CELL_COLUMN_BLOCK:
		return cell_decode_block(d, at, end, to, column->size);
	case CELL_COLUMN_MESSAGE:
		return message_decode(d, column, at, end, row);
	default:
		return scalar_decode(d, column->kind, at, end, to);
	}
}

/* Members of columns that did not come: NULL is all bits zero, but texts and messages. */
static int fill_absent(const struct table_row_type *type, void *row, struct cell_arena *arena,
		       struct cell_error *err)
{
	for (size_t i = 0; i < type->n_columns; i++) {
		const struct cell_column *column = &type->columns[i];
		void *to = member_of(column, row);

		if (column->kind == CELL_COLUMN_TEXT && !(column->flags & CELL_COLUMN_REPEATED))
			memcpy(to, &(const char *){ "" }, sizeof(const char *));
		if (column->kind == CELL_COLUMN_MESSAGE) {
			int r = column->message->decode(to, NULL, 0, 0, arena, err);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int decode_failed(const struct table_row_type *type, const struct cell_column *column,
			 const struct cell_decoder *d)
{
	int code = d->code == -ENOMEM ? -ENOMEM : CELL_INTERNAL;
	const char *name = column ? column->name : "a column that is not known";

	if (d->code && !d->why && d->code != -ENOMEM) {
		d->err->code = code;
		return cell_wrap(d->err, code, "%s.%s", type->name, name);
	}
	return cell_fail(d->err, code, "%s.%s: %s", type->name, name,
			 d->why ? d->why : "cut short, or no number");
}

int table_row_decode(const struct table_row_type *type, void *row, const uint8_t *bytes, size_t len,
		     unsigned flags, struct cell_arena *arena, struct cell_error *err)
{
	const struct cell_column *column = NULL;
	const uint8_t *at = bytes, *end = bytes + len;
	struct cell_decoder d;
	size_t next = 0;
	int r;

	memset(row, 0, type->size);
	r = fill_absent(type, row, arena, err);
	if (r < 0 || !len)
		return r;
	cell_decode_begin(&d, flags, arena, err);
	while (at < end) {
		uint32_t tag = *at++;

		*d.late = 0;
		column = NULL;
		if (CELL_UNLIKELY(tag >= 0x80))
			at = cell_decode_tag(&d, at, end, &tag);
		if (CELL_UNLIKELY(!at))
			break;
		column = column_find(type, tag >> 3, &next);
		if (CELL_UNLIKELY(!column)) {
			at = cell_decode_skip(&d, at, end, tag);
		} else if (CELL_UNLIKELY(column->flags & CELL_COLUMN_REPEATED) &&
			   ((tag & 7) == WIRE_BYTES || (tag & 7) == wire_types[column->kind])) {
			at = list_decode(&d, column, tag, at, end, row);
		} else if (CELL_UNLIKELY((tag & 7) != wire_types[column->kind])) {
			d.why = "of another type than the struct has it";
			at = NULL;
		} else {
			at = column_decode(&d, column, at, end, row);
		}
		if (CELL_UNLIKELY(!at))
			break;
		if (column && column->has_offset != UINT32_MAX)
			*(bool *)((uint8_t *)row + column->has_offset) = true;
	}
	*d.late = 0;
	return CELL_LIKELY(at != NULL) ? 0 : decode_failed(type, column, &d);
}

/* --- order --------------------------------------------------------------------------------- */

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

#define COMPARE(type, a, b) ((*(const type *)(a) > *(const type *)(b)) - \
			     (*(const type *)(a) < *(const type *)(b)))

/* The bytes of a column that has some. */
static const void *bytes_of(const struct cell_column *column, const void *row, size_t *ret_len)
{
	const void *at = member(column, row);

	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_TEXT:
		at = pointer_of(column, row);
		*ret_len = at ? strlen(at) : 0;
		return at;
	case CELL_COLUMN_BYTES:
		*ret_len = count_of(column, row);
		return pointer_of(column, row);
	case CELL_COLUMN_CHARS:
		*ret_len = chars_len(column, row);
		return at;
	default:
		*ret_len = column->size;
		return at;
	}
}

static int column_compare(const struct cell_column *column, const void *a, const void *b)
{
	const void *x = member(column, a), *y = member(column, b);
	bool a_is_null = is_null(column, a), b_is_null = is_null(column, b);
	size_t x_len, y_len;

	if (a_is_null || b_is_null)
		return b_is_null - a_is_null;
	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_BOOL:
		return COMPARE(bool, x, y);
	case CELL_COLUMN_INT32:
	case CELL_COLUMN_ENUM:
		return COMPARE(int32_t, x, y);
	case CELL_COLUMN_UINT32:
		return COMPARE(uint32_t, x, y);
	case CELL_COLUMN_INT64:
		return COMPARE(int64_t, x, y);
	case CELL_COLUMN_UINT64:
		return COMPARE(uint64_t, x, y);
	case CELL_COLUMN_FLOAT:
		return real_compare(*(const float *)x, *(const float *)y);
	case CELL_COLUMN_DOUBLE:
		return real_compare(*(const double *)x, *(const double *)y);
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
	if (table_key_compare(table, key, n - 1, begin, row) != 0 || is_null(column, row) ||
	    is_null(column, begin))
		return false;
	part = bytes_of(column, begin, &part_len);
	whole = bytes_of(column, row, &whole_len);
	return part_len <= whole_len && (!part_len || memcmp(part, whole, part_len) == 0);
}

/* --- for people ---------------------------------------------------------------------------- */

static int bytes_print(const struct cell_column *column, const void *row, char *out, size_t size)
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
		return snprintf(out, size, "%.*s%s", (int)len, bytes ? (const char *)bytes : "",
				is_long ? "…" : "");
	}
	n = snprintf(out, size, "0x");
	for (size_t i = 0; i < len && (size_t)n < size; i++)
		n += snprintf(out + n, size - (size_t)n, "%02x", bytes[i]);
	return (size_t)n < size && is_long ? n + snprintf(out + n, size - (size_t)n, "…") : n;
}

static int column_print(const struct cell_column *column, const void *row, char *out, size_t size)
{
	const void *at = member(column, row);

	if (is_null(column, row))
		return snprintf(out, size, "NULL");
	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_BOOL:
		return snprintf(out, size, "%s", *(const bool *)at ? "true" : "false");
	case CELL_COLUMN_INT32:
	case CELL_COLUMN_ENUM:
		return snprintf(out, size, "%" PRId32, *(const int32_t *)at);
	case CELL_COLUMN_UINT32:
		return snprintf(out, size, "%" PRIu32, *(const uint32_t *)at);
	case CELL_COLUMN_INT64:
		return snprintf(out, size, "%" PRId64, *(const int64_t *)at);
	case CELL_COLUMN_UINT64:
		return snprintf(out, size, "%" PRIu64, *(const uint64_t *)at);
	case CELL_COLUMN_FLOAT:
		return snprintf(out, size, "%g", (double)*(const float *)at);
	case CELL_COLUMN_DOUBLE:
		return snprintf(out, size, "%g", *(const double *)at);
	default:
		return bytes_print(column, row, out, size);
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

/* --- defaults ------------------------------------------------------------------------------ */

/* Whether an inserted row lacks COLUMN. */
static bool is_lacking(const struct cell_column *column, const void *row)
{
	if (column->has_offset != UINT32_MAX)
		return is_null(column, row);
	if (column->count_offset != UINT32_MAX)
		return count_of(column, row) == 0;
	if (column->kind == CELL_COLUMN_TEXT)
		return !pointer_of(column, row) || !*(const char *)pointer_of(column, row);
	return cell_bytes_are_zero(member(column, row), column->size);
}

/* RFC 9562, version 4. */
static int uuid_make(uint8_t *to, struct cell_error *err)
{
	if (getrandom(to, 16, 0) != 16)
		return cell_fail(err, -errno, "a random number");
	to[6] = (to[6] & 0x0f) | 0x40;
	to[8] = (to[8] & 0x3f) | 0x80;
	return 0;
}

static int column_complete(const struct cell_column *column, void *row, struct cell_error *err)
{
	void *to = member_of(column, row);
	int r = 0;

	if (column->fallback && column->kind == CELL_COLUMN_BYTES) {
		const struct cell_bytes *bytes = column->fallback;

		*count_in(column, row) = bytes->len;
		memcpy(to, &bytes->at, sizeof bytes->at);
	} else if (column->fallback) {
		memcpy(to, column->fallback, column->size);
	} else if (column->flags & CELL_COLUMN_NOW) {
		struct timespec now;

		(void)clock_gettime(CLOCK_REALTIME, &now);
		*(int64_t *)to = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	} else if (column->flags & CELL_COLUMN_UUID && column->size == 16) {
		r = uuid_make(to, err);
	} else {
		return 0;
	}
	if (r == 0 && column->has_offset != UINT32_MAX)
		*(bool *)((uint8_t *)row + column->has_offset) = true;
	return r;
}

int table_row_complete(const struct cell_table *table, void *row, struct cell_error *err)
{
	int r = 0;

	for (size_t i = 0; i < table->n_columns && r == 0; i++)
		if (!(table->columns[i].flags & CELL_COLUMN_COMPUTED) &&
		    is_lacking(&table->columns[i], row))
			r = column_complete(&table->columns[i], row, err);
	return r;
}
