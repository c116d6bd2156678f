/* Rows from their bytes and back: on the path of every point read, so nothing here allocates. */
#include <cell/internal/table/row.h>

#include <errno.h>
#include <string.h>

#include <cell/codec.h>

#include "types.h"

/* --- decoding ------------------------------------------------------------------------------ */

static int row_fail(const struct schema *schema, int column, const char *why,
		    struct cell_error *err)
{
	if (column < 0)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a row of %s: %s", schema->told->name,
				 why);
	return cell_fail(err, CELL_INVALID_ARGUMENT, "%s.%s: %s", schema->told->name,
			 schema->told->columns[column].name, why);
}

/*
 * Whether the varint from AT to END is longer than it has to be. In a list it stays as it is, and
 * equal lists would have different bytes.
 */
static bool is_overlong(const uint8_t *at, const uint8_t *end, const char **ret_why)
{
	if (CELL_LIKELY(end - at == 1 || end[-1]))
		return false;
	*ret_why = "a number that is not in its shortest form";
	return true;
}

/* The items of texts or bytes that follow each other, all with TAG, of which the first is read. */
static const uint8_t *read_texts(enum table_column_type type, uint32_t tag, const uint8_t *at,
				 const uint8_t *end, struct value *ret, struct cell_arena *arena,
				 const char **ret_why)
{
	const uint8_t *first = at, *stop;
	size_t n = 0, len = 0;
	struct value item;
	struct cell_varint next;
	uint8_t *out;

	do {
		stop = column_read(type, at, end, &item, ret_why);
		if (!stop || is_overlong(at, item.bytes, ret_why))
			return NULL;
		n++;
		len += (size_t)(stop - at);
		next = cell_decode_varint(stop, end);
		at = next.at;
	} while (at && next.value == tag);

	*ret = (struct value){ .kind = VALUE_LIST, .bytes = first, .len = len };
	if (n == 1)
		return stop;
	*ret_why = NULL;
	ret->bytes = out = cell_arena_alloc(arena, len);
	if (!out)
		return NULL;
	for (at = first; n--; at = cell_decode_varint(stop, end).at) {
		stop = column_read(type, at, end, &item, ret_why);
		memcpy(out, at, (size_t)(stop - at));
		out += stop - at;
	}
	return stop;
}

static const uint8_t *read_list(enum table_column_type type, uint32_t tag, const uint8_t *at,
				const uint8_t *end, struct value *ret, struct cell_arena *arena,
				const char **ret_why)
{
	struct value bytes, item;

	if (type_of(type)->wire == WIRE_LENGTH)
		return read_texts(type, tag, at, end, ret, arena, ret_why);
	at = column_read(TABLE_COLUMN_TYPE_BYTES, at, end, &bytes, ret_why);
	if (!at)
		return NULL;
	for (const uint8_t *i = bytes.bytes, *stop = i + bytes.len, *next; i < stop; i = next) {
		next = column_read(type, i, stop, &item, ret_why);
		if (!next || (type_of(type)->wire == WIRE_VARINT && is_overlong(i, next, ret_why)))
			return NULL;
	}
	/* An empty one is as good as left out: NULL, where that may be. */
	if (bytes.len) {
		*ret = bytes;
		ret->kind = VALUE_LIST;
	}
	return at;
}

/* Past the field of TAG, which is no column's. */
static const uint8_t *skip(uint32_t tag, const uint8_t *at, const uint8_t *end,
			   const char **ret_why)
{
	struct cell_decoder d;

	cell_decode_begin(&d, 0, NULL, NULL);
	at = cell_decode_skip(&d, at, end, tag);
	*ret_why = d.why ? d.why : "cut short";
	return at;
}

static const uint8_t *read_column(const struct table_column *column, uint32_t tag,
				  const uint8_t *at, const uint8_t *end, struct value *value,
				  struct cell_arena *arena, const char **ret_why)
{
	const struct type *type = type_of(column->type);

	*ret_why = "of another type";
	if (CELL_UNLIKELY(column->repeated)) {
		if ((tag & 7) != WIRE_LENGTH)
			return NULL;
		*ret_why = "there twice";
		if (value->kind == VALUE_LIST && value->len)
			return NULL;
		return read_list(column->type, tag, at, end, value, arena, ret_why);
	}
	if (CELL_UNLIKELY((tag & 7) != type->wire))
		return NULL;
	*ret_why = "there twice";
	if (CELL_UNLIKELY(value->kind != VALUE_NULL))
		return NULL;
	return column_read(column->type, at, end, value, ret_why);
}

static void clear(const struct schema *schema, struct value *values)
{
	memset(values, 0, schema->n_columns * sizeof *values);
	for (size_t i = 0; schema->has_lists && i < schema->n_columns; i++)
		if (schema->told->columns[i].repeated && !schema->told->columns[i].nullable)
			values[i].kind = VALUE_LIST;
}

int row_decode(const struct schema *schema, const uint8_t *bytes, size_t len,
	       struct value *values, struct cell_arena *arena, struct cell_error *err)
{
	const uint8_t *at = bytes, *end = bytes + len;

	clear(schema, values);
	while (at < end) {
		struct cell_varint tag = cell_decode_varint(at, end);
		const char *why = "no valid tag";
		int column;

		if (CELL_UNLIKELY(!tag.at || tag.value > UINT32_MAX))
			return row_fail(schema, -1, why, err);
		column = schema_column_by_number(schema, (uint32_t)tag.value >> 3);
		if (CELL_LIKELY(column >= 0))
			at = read_column(&schema->told->columns[column], (uint32_t)tag.value,
					 tag.at, end, &values[column], arena, &why);
		else
			at = skip((uint32_t)tag.value, tag.at, end, &why);
		if (CELL_UNLIKELY(!at))
			return why ? row_fail(schema, column, why, err)
				   : cell_fail(err, -ENOMEM, "no memory for a list of %s",
					       schema->told->name);
	}
	return 0;
}

/* --- encoding ------------------------------------------------------------------------------ */

/* Of a tag, and of a length. */
#define TAG_MAX    5
#define LENGTH_MAX 10

static size_t list_bound(const struct table_column *column, struct value list)
{
	size_t bound = TAG_MAX + LENGTH_MAX + list.len;
	struct value item;

	if (type_of(column->type)->wire == WIRE_LENGTH)
		while (value_next(&list, column->type, &item))
			bound += TAG_MAX;
	return bound;
}

size_t row_bound(const struct schema *schema, const struct value *values)
{
	size_t bound = 0;

	for (size_t i = 0; i < schema->n_columns; i++) {
		const struct value *value = &values[i];

		if (value->kind < VALUE_TEXT)
			bound += TAG_MAX + LENGTH_MAX;
		else if (value->kind == VALUE_LIST)
			bound += list_bound(&schema->told->columns[i], *value);
		else
			bound += TAG_MAX + LENGTH_MAX + value->len;
	}
	return bound;
}

static uint8_t *write_tag(uint8_t *out, const struct table_column *column, enum wire wire)
{
	return cell_encode_varint(out, (uint64_t)column->number << 3 | wire);
}

static uint8_t *write_list(uint8_t *out, const struct table_column *column, struct value list)
{
	struct value item;

	if (!list.len)
		return out;
	if (type_of(column->type)->wire != WIRE_LENGTH) {
		out = write_tag(out, column, WIRE_LENGTH);
		return cell_encode_bytes(out, list.bytes, list.len);
	}
	while (value_next(&list, column->type, &item)) {
		out = write_tag(out, column, WIRE_LENGTH);
		out = cell_encode_bytes(out, item.bytes, item.len);
	}
	return out;
}

static uint8_t *write_value(uint8_t *out, const struct table_column *column,
			    const struct value *value)
{
	switch (value->kind) {
	case VALUE_NULL: return out;
	case VALUE_BOOL:
		out = write_tag(out, column, WIRE_VARINT);
		return cell_encode_bool(out, value->boolean);
	case VALUE_INT:
		out = write_tag(out, column, WIRE_VARINT);
		return cell_encode_int64(out, value->integer);
	case VALUE_UINT:
		out = write_tag(out, column, WIRE_VARINT);
		return cell_encode_uint64(out, value->natural);
	case VALUE_REAL:
		if (column->type == TABLE_COLUMN_TYPE_FLOAT) {
			out = write_tag(out, column, WIRE_FIXED32);
			return cell_encode_float(out, (float)value->real);
		}
		out = write_tag(out, column, WIRE_FIXED64);
		return cell_encode_double(out, value->real);
	case VALUE_TEXT:
	case VALUE_BYTES:
		out = write_tag(out, column, WIRE_LENGTH);
		return cell_encode_bytes(out, value->bytes, value->len);
	case VALUE_LIST: break;
	}
	return write_list(out, column, *value);
}

uint8_t *row_encode(const struct schema *schema, const struct value *values, uint8_t *out)
{
	for (size_t i = 0; i < schema->n_columns; i++) {
		size_t column = schema->order[i];

		out = write_value(out, &schema->told->columns[column], &values[column]);
	}
	return out;
}
