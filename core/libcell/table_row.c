#include "table_row.h"

#include "table_column.h"

#include <errno.h>
#include <string.h>

static size_t item_size(enum cell_column_kind kind)
{
	switch (kind) {
	case CELL_COLUMN_BOOL: return sizeof(bool);
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64:
	case CELL_COLUMN_DOUBLE: return 8;
	case CELL_COLUMN_TEXT: return sizeof(const char *);
	default: return 4;
	}
}

/* --- encoding ------------------------------------------------------------------------------
 */

static uint64_t list_bound(const struct cell_column *column, const void *row)
{
	size_t n = column_count(column, row);

	if (column->kind == CELL_COLUMN_TEXT)
		return cell_bound_strings(column_pointer(column, row), n, 5);
	return n > CELL_MESSAGE_SIZE_MAX / 10 ? (uint64_t)CELL_MESSAGE_SIZE_MAX + 1 : n * 10;
}

/* Numbers are all in COLUMN_HEAD_MAX. */
uint64_t table_column_bound(const struct cell_column *column, const void *row)
{
	if (CELL_UNLIKELY(column->flags & CELL_COLUMN_REPEATED))
		return list_bound(column, row);
	if (column->kind < CELL_COLUMN_TEXT)
		return 0;
	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_TEXT: return cell_bound_string(column_pointer(column, row));
	case CELL_COLUMN_BYTES: return cell_bound_size(column_count(column, row));
	case CELL_COLUMN_CHARS:
	case CELL_COLUMN_BLOCK: return column->size;
	case CELL_COLUMN_MESSAGE:
		return cell_bound_size(column->message->bound(column_member(column, row)));
	default: return 0;
	}
}

static uint8_t *list_encode(const struct cell_column *column, const void *row, uint8_t *out)
{
	const void *items = column_pointer(column, row);
	size_t n = column_count(column, row);

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
	case CELL_COLUMN_BOOL: return cell_encode_packed_bool(out, items, n);
	case CELL_COLUMN_UINT32: return cell_encode_packed_uint32(out, items, n);
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64: return cell_encode_packed_uint64(out, items, n);
	case CELL_COLUMN_FLOAT: return cell_encode_packed_fixed32(out, items, n);
	case CELL_COLUMN_DOUBLE: return cell_encode_packed_fixed64(out, items, n);
	default: return cell_encode_packed_int32(out, items, n);
	}
}

static uint8_t *message_encode(const struct cell_column *column, const void *row,
			       uint8_t *out)
{
	uint8_t *body = cell_encode_open(out, 0);

	return cell_encode_close(out, body,
				 column->message->encode(column_member(column, row), body));
}

/* The value behind its tag. */
static uint8_t *value_encode(const struct cell_column *column, const void *row, uint8_t *out)
{
	const void *at = column_member(column, row);

	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_BOOL: return cell_encode_bool(out, *(const bool *)at);
	case CELL_COLUMN_UINT32: return cell_encode_uint32(out, *(const uint32_t *)at);
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64: return cell_encode_uint64(out, *(const uint64_t *)at);
	case CELL_COLUMN_FLOAT: return cell_encode_float(out, *(const float *)at);
	case CELL_COLUMN_DOUBLE: return cell_encode_double(out, *(const double *)at);
	case CELL_COLUMN_TEXT: return cell_encode_string(out, column_pointer(column, row));
	case CELL_COLUMN_CHARS:
		return cell_encode_bytes(out, at, column_chars_len(column, row));
	case CELL_COLUMN_BYTES:
		return cell_encode_bytes(out, column_pointer(column, row),
					 column_count(column, row));
	case CELL_COLUMN_BLOCK: return cell_encode_bytes(out, at, column->size);
	case CELL_COLUMN_MESSAGE: return message_encode(column, row, out);
	default: return cell_encode_int32(out, *(const int32_t *)at);
	}
}

uint8_t *table_column_encode(const struct cell_column *column, const void *row, uint8_t *out)
{
	if (column_is_null(column, row))
		return out;
	if (CELL_UNLIKELY(column->flags & CELL_COLUMN_REPEATED))
		return list_encode(column, row, out);
	out = cell_encode_varint(out, column->number << 3 | column_wire_types[column->kind]);
	return value_encode(column, row, out);
}

size_t table_row_bound(const struct table_row_type *type, const void *row)
{
	uint64_t size = 0;

	for (size_t i = 0; i < type->n_columns && size <= CELL_MESSAGE_SIZE_MAX; i++)
		size += COLUMN_HEAD_MAX + table_column_bound(&type->columns[i], row);
	return cell_bound_end(size);
}

uint8_t *table_row_encode(const struct table_row_type *type, const void *row, uint8_t *out)
{
	for (size_t i = 0; i < type->n_columns; i++)
		out = table_column_encode(&type->columns[i], row, out);
	return out;
}

/* --- decoding ------------------------------------------------------------------------------
 */

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
				    const uint8_t *at, const uint8_t *end,
				    struct cell_list *list)
{
	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_BOOL: return cell_decode_packed_bool(d, at, end, list);
	case CELL_COLUMN_UINT32: return cell_decode_packed_uint32(d, at, end, list);
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64: return cell_decode_packed_uint64(d, at, end, list);
	case CELL_COLUMN_FLOAT: return cell_decode_packed_fixed32(d, at, end, list);
	case CELL_COLUMN_DOUBLE: return cell_decode_packed_fixed64(d, at, end, list);
	default: return cell_decode_packed_int32(d, at, end, list);
	}
}

/* A number in its member's width; NULL, and why, if it does not fit. */
static const uint8_t *number_decode(struct cell_decoder *d, enum cell_column_kind kind,
				    const uint8_t *at, const uint8_t *end, void *to)
{
	struct cell_varint v = cell_decode_varint(at, end);
	bool fits = true;

	switch (kind) {
	case CELL_COLUMN_BOOL: *(bool *)to = v.value != 0; break;
	case CELL_COLUMN_UINT32:
		fits = v.value <= UINT32_MAX;
		*(uint32_t *)to = (uint32_t)v.value;
		break;
	case CELL_COLUMN_INT64:
	case CELL_COLUMN_UINT64: *(uint64_t *)to = v.value; break;
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
				  uint32_t tag, const uint8_t *at, const uint8_t *end,
				  void *row)
{
	size_t size = item_size(column->kind);
	struct cell_list list = { .n = column_count(column, row) };

	memcpy(&list.items, column_member(column, row), sizeof list.items);
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
	*column_count_in(column, row) = list.n;
	memcpy(column_member_of(column, row), &list.items, sizeof list.items);
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
	d->code = column->message->decode(column_member_of(column, row), at,
					  (size_t)(stop - at), flags, d->arena, d->err);
	return d->code < 0 ? NULL : stop;
}

static inline const uint8_t *column_decode(struct cell_decoder *d,
					   const struct cell_column *column,
					   const uint8_t *at, const uint8_t *end, void *row)
{
	void *to = column_member_of(column, row);

	switch ((enum cell_column_kind)column->kind) {
	case CELL_COLUMN_TEXT: return cell_decode_string(d, at, end, to);
	case CELL_COLUMN_CHARS: return cell_decode_chars(d, at, end, to, column->size);
	case CELL_COLUMN_BYTES:
		return cell_decode_bytes(d, at, end, column_count_in(column, row), to);
	case CELL_COLUMN_BLOCK: return cell_decode_block(d, at, end, to, column->size);
	case CELL_COLUMN_MESSAGE: return message_decode(d, column, at, end, row);
	default: return scalar_decode(d, column->kind, at, end, to);
	}
}

/* Members of columns that did not come: NULL is all bits zero, but texts and messages. */
static int fill_absent(const struct table_row_type *type, void *row, struct cell_arena *arena,
		       struct cell_error *err)
{
	for (size_t i = 0; i < type->n_columns; i++) {
		const struct cell_column *column = &type->columns[i];
		void *to = column_member_of(column, row);

		if (column->kind == CELL_COLUMN_TEXT &&
		    !(column->flags & CELL_COLUMN_REPEATED))
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

int table_row_decode(const struct table_row_type *type, void *row, const uint8_t *bytes,
		     size_t len, unsigned flags, struct cell_arena *arena,
		     struct cell_error *err)
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
			   ((tag & 7) == WIRE_BYTES ||
			    (tag & 7) == column_wire_types[column->kind])) {
			at = list_decode(&d, column, tag, at, end, row);
		} else if (CELL_UNLIKELY((tag & 7) != column_wire_types[column->kind])) {
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
