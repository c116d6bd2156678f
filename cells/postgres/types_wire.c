/* The binary formats: src/backend/utils/adt of PostgreSQL, the functions …_send and …_recv. */
#include "numeric.h"
#include "types.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Days and microseconds between 1970-01-01 and PostgreSQL's 2000-01-01. */
#define EPOCH_DAYS 10957
#define EPOCH_US   (EPOCH_DAYS * INT64_C(86400000000))

/* An item of an array may have so many bytes; arrays so many items. */
#define ITEMS_MAX 1000000

static uint64_t load(const uint8_t *at, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n = n << 8 | at[i];
	return n;
}

static void store(uint8_t *at, size_t len, uint64_t n)
{
	while (len--) {
		at[len] = (uint8_t)n;
		n >>= 8;
	}
}

/* ---- to PostgreSQL ------------------------------------------------------------------------------ */

struct encoding {
	const struct type *type;
	const struct table_column *column;
	struct cell_arena *arena;
	struct cell_error *err;
};

static int out_of_range(const struct encoding *e, const char *what)
{
	return cell_fail(e->err, CELL_OUT_OF_RANGE, "%.60s: %s does not fit %.60s", e->column->name,
			 what, e->type->name);
}

static int put_bytes(struct pg_value *ret, const struct encoding *e, const void *bytes, size_t len)
{
	/* A parameter with a NULL pointer is NULL. */
	ret->bytes = bytes ? bytes : "";
	ret->len = len;
	(void)e;
	return 0;
}

static int put_fixed(struct pg_value *ret, const struct encoding *e, uint64_t n, size_t len)
{
	uint8_t *bytes = cell_arena_alloc(e->arena, len);

	if (!bytes)
		return cell_fail(e->err, -ENOMEM, "a parameter");
	store(bytes, len, n);
	return put_bytes(ret, e, bytes, len);
}

static int put_numeric(struct pg_value *ret, const struct encoding *e, const char *text, size_t len)
{
	const uint8_t *bytes;
	size_t n = 0;

	if (!numeric_read(&bytes, &n, text, len, e->arena))
		return cell_fail(e->err, CELL_INVALID_ARGUMENT, "%.60s: '%.*s' is no number",
				 e->column->name, (int)(len > 60 ? 60 : len), text);
	return bytes ? put_bytes(ret, e, bytes, n) : cell_fail(e->err, -ENOMEM, "a parameter");
}

/* A label's number is its place among the values. */
static const char *label_of(const struct table_column *column, int64_t number)
{
	for (size_t i = 0; i < column->n_values; i++)
		if (column->values[i].number == number)
			return column->values[i].name;
	return NULL;
}

static int put_integer(struct pg_value *ret, const struct encoding *e, int64_t n)
{
	char text[24];
	const char *label;
	int64_t moved;

	(void)snprintf(text, sizeof text, "%" PRId64, n);
	switch (e->type->codec) {
	case TYPE_INT2:
		return n == (int16_t)n ? put_fixed(ret, e, (uint64_t)n, 2) : out_of_range(e, text);
	case TYPE_INT4:
		return n == (int32_t)n ? put_fixed(ret, e, (uint64_t)n, 4) : out_of_range(e, text);
	case TYPE_OID:
		return n == (uint32_t)n ? put_fixed(ret, e, (uint64_t)n, 4) : out_of_range(e, text);
	case TYPE_INT8: return put_fixed(ret, e, (uint64_t)n, 8);
	case TYPE_FLOAT8: {
		double real = (double)n;
		uint64_t bits;

		memcpy(&bits, &real, sizeof bits);
		return put_fixed(ret, e, bits, 8);
	}
	case TYPE_DATE:
		moved = n == INT32_MAX || n == INT32_MIN ? n : n - EPOCH_DAYS;
		return moved == (int32_t)moved ? put_fixed(ret, e, (uint64_t)moved, 4)
					       : out_of_range(e, text);
	case TYPE_TIMESTAMP:
		if (n == INT64_MAX || n == INT64_MIN)
			moved = n;
		else if (__builtin_sub_overflow(n, EPOCH_US, &moved))
			return out_of_range(e, text);
		return put_fixed(ret, e, (uint64_t)moved, 8);
	case TYPE_NUMERIC: return put_numeric(ret, e, text, strlen(text));
	case TYPE_LABEL:
		label = label_of(e->column, n);
		return label ? put_bytes(ret, e, label, strlen(label))
			     : cell_fail(e->err, CELL_INVALID_ARGUMENT, "%.60s: %s is no value of its enum",
					 e->column->name, text);
	default: return out_of_range(e, text);
	}
}

static int put_natural(struct pg_value *ret, const struct encoding *e, uint64_t n)
{
	char text[24];

	if (n <= INT64_MAX)
		return put_integer(ret, e, (int64_t)n);
	(void)snprintf(text, sizeof text, "%" PRIu64, n);
	return e->type->codec == TYPE_NUMERIC ? put_numeric(ret, e, text, strlen(text))
					      : out_of_range(e, text);
}

static int put_real(struct pg_value *ret, const struct encoding *e, double real)
{
	float narrow = (float)real;
	uint32_t narrow_bits;
	uint64_t bits;

	memcpy(&bits, &real, sizeof bits);
	memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
	return e->type->codec == TYPE_FLOAT4 ? put_fixed(ret, e, narrow_bits, 4)
					     : put_fixed(ret, e, bits, 8);
}

static int put_text(struct pg_value *ret, const struct encoding *e, const uint8_t *text, size_t len)
{
	uint8_t *bytes;

	if (e->type->codec == TYPE_NUMERIC)
		return put_numeric(ret, e, (const char *)text, len);
	if (e->type->codec != TYPE_JSONB)
		return put_bytes(ret, e, text, len);
	bytes = cell_arena_alloc(e->arena, len + 1);
	if (!bytes)
		return cell_fail(e->err, -ENOMEM, "a parameter");
	bytes[0] = 1; /* the version of the format */
	memcpy(bytes + 1, text, len);
	return put_bytes(ret, e, bytes, len + 1);
}

static int put_scalar(struct pg_value *ret, const struct encoding *e, const struct value *value)
{
	switch (value->kind) {
	case VALUE_BOOL: return put_fixed(ret, e, value->boolean, 1);
	case VALUE_INT: return put_integer(ret, e, value->integer);
	case VALUE_UINT: return put_natural(ret, e, value->natural);
	case VALUE_REAL: return put_real(ret, e, value->real);
	case VALUE_TEXT: return put_text(ret, e, value->bytes, value->len);
	case VALUE_BYTES:
		if (e->type->codec == TYPE_UUID && value->len != 16)
			return out_of_range(e, "that many bytes");
		return put_bytes(ret, e, value->bytes, value->len);
	case VALUE_NULL:
	case VALUE_LIST: break;
	}
	return cell_fail(e->err, CELL_INTERNAL, "%.60s: a value of kind %d", e->column->name,
			 (int)value->kind);
}

/* Number of dimensions, whether there are NULLs, the type; then length and first index; items. */
static int put_array(struct pg_value *ret, const struct encoding *e, struct value list)
{
	struct value counted = list, item;
	size_t n = 0, room = 20;
	struct pg_value *items;
	uint8_t *bytes, *at;
	int r = 0;

	while (value_next(&counted, e->column->type, &item))
		n++;
	items = n > ITEMS_MAX ? NULL : cell_arena_calloc(e->arena, n + 1, sizeof *items);
	if (!items)
		return cell_fail(e->err, -ENOMEM, "%.60s: %zu items", e->column->name, n);
	for (size_t i = 0; !r && i < n && value_next(&list, e->column->type, &item); i++) {
		r = put_scalar(&items[i], e, &item);
		room += 4 + items[i].len;
	}
	bytes = r ? NULL : cell_arena_alloc(e->arena, room);
	if (!bytes)
		return r ? r : cell_fail(e->err, -ENOMEM, "%.60s: %zu items", e->column->name, n);
	store(bytes, 4, n > 0);
	store(bytes + 4, 4, 0);
	store(bytes + 8, 4, e->type->oid);
	store(bytes + 12, 4, n);
	store(bytes + 16, 4, 1);
	at = bytes + (n ? 20 : 12);
	for (size_t i = 0; i < n; i++) {
		store(at, 4, items[i].len);
		memcpy(at + 4, items[i].bytes, items[i].len);
		at += 4 + items[i].len;
	}
	return put_bytes(ret, e, bytes, (size_t)(at - bytes));
}

int type_encode(struct pg_value *ret, const struct type *type, const struct table_column *column,
		const struct value *value, struct cell_arena *arena, struct cell_error *err)
{
	const struct encoding e = { type, column, arena, err };

	*ret = (struct pg_value){ .oid = type->is_array ? type->array : type->oid };
	if (value->kind == VALUE_NULL)
		return 0;
	return value->kind == VALUE_LIST ? put_array(ret, &e, *value) : put_scalar(ret, &e, value);
}

/* ---- from PostgreSQL ------------------------------------------------------------------------------ */

static int makes_no_sense(const struct encoding *e, size_t len)
{
	return cell_fail(e->err, CELL_DATA_LOSS, "%.60s: %zu bytes are no %.60s", e->column->name, len,
			 e->type->name);
}

static int does_not_fit(const struct encoding *e, const char *what)
{
	return cell_fail(e->err, CELL_OUT_OF_RANGE, "%.60s: %.60s of PostgreSQL does not fit %.60s",
			 e->column->name, what, type_member(e->column, e->arena));
}

/* N as the column has numbers. */
static int take_number(struct value *ret, const struct encoding *e, int64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRId64, n);
	switch (e->column->type) {
	case TABLE_COLUMN_TYPE_INT32:
	case TABLE_COLUMN_TYPE_ENUM:
		*ret = (struct value){ .kind = VALUE_INT, .integer = n };
		return n == (int32_t)n ? 0 : does_not_fit(e, text);
	case TABLE_COLUMN_TYPE_INT64:
		*ret = (struct value){ .kind = VALUE_INT, .integer = n };
		return 0;
	case TABLE_COLUMN_TYPE_UINT32:
		*ret = (struct value){ .kind = VALUE_UINT, .natural = (uint64_t)n };
		return n == (uint32_t)n ? 0 : does_not_fit(e, text);
	case TABLE_COLUMN_TYPE_UINT64:
		*ret = (struct value){ .kind = VALUE_UINT, .natural = (uint64_t)n };
		return n >= 0 ? 0 : does_not_fit(e, text);
	case TABLE_COLUMN_TYPE_DOUBLE:
		*ret = (struct value){ .kind = VALUE_REAL, .real = (double)n };
		return 0;
	default: return does_not_fit(e, text);
	}
}

static int take_decimal(struct value *ret, const struct encoding *e, const uint8_t *bytes, size_t len)
{
	const char *text;
	uint64_t n = 0;

	if (!numeric_print(&text, bytes, len, e->arena))
		return makes_no_sense(e, len);
	if (!text)
		return cell_fail(e->err, -ENOMEM, "a number");
	if (e->column->type == TABLE_COLUMN_TYPE_TEXT) {
		*ret = (struct value){ .kind = VALUE_TEXT, { .bytes = (const uint8_t *)text,
							     .len = strlen(text) } };
		return 0;
	}
	for (const char *at = text; *at; at++)
		if (*at < '0' || *at > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
			return does_not_fit(e, text);
	*ret = (struct value){ .kind = VALUE_UINT, .natural = n };
	return e->column->type == TABLE_COLUMN_TYPE_UINT64 ? 0 : does_not_fit(e, text);
}

static int take_label(struct value *ret, const struct encoding *e, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < e->column->n_values; i++)
		if (strlen(e->column->values[i].name) == len &&
		    memcmp(e->column->values[i].name, bytes, len) == 0) {
			*ret = (struct value){ .kind = VALUE_INT,
					       .integer = e->column->values[i].number };
			return 0;
		}
	return cell_fail(e->err, CELL_OUT_OF_RANGE, "%.60s: '%.*s' of %.60s is none of its enumerators",
			 e->column->name, (int)(len > 60 ? 60 : len), bytes, e->type->name);
}

static void take_real(struct value *ret, const uint8_t *bytes, size_t len)
{
	uint64_t bits = load(bytes, len);
	uint32_t narrow_bits = (uint32_t)bits;
	float narrow;

	*ret = (struct value){ .kind = VALUE_REAL };
	memcpy(&narrow, &narrow_bits, sizeof narrow);
	if (len == 4)
		ret->real = (double)narrow;
	else
		memcpy(&ret->real, &bits, sizeof bits);
}

static size_t width_of(enum type_codec codec)
{
	static const uint8_t widths[] = {
		[TYPE_BOOL] = 1,   [TYPE_INT2] = 2,   [TYPE_INT4] = 4, [TYPE_INT8] = 8,
		[TYPE_FLOAT4] = 4, [TYPE_FLOAT8] = 8, [TYPE_DATE] = 4, [TYPE_TIMESTAMP] = 8,
		[TYPE_UUID] = 16,  [TYPE_OID] = 4,    [TYPE_VOID] = 0,
	};

	return widths[codec];
}

static int take_scalar(struct value *ret, const struct encoding *e, const uint8_t *bytes, size_t len)
{
	int64_t n;

	if (width_of(e->type->codec) && width_of(e->type->codec) != len)
		return makes_no_sense(e, len);
	switch (e->type->codec) {
	case TYPE_BOOL:
		*ret = (struct value){ .kind = VALUE_BOOL, .boolean = bytes[0] != 0 };
		return 0;
	case TYPE_INT2: return take_number(ret, e, (int16_t)load(bytes, 2));
	case TYPE_INT4: return take_number(ret, e, (int32_t)load(bytes, 4));
	case TYPE_OID: return take_number(ret, e, (int64_t)load(bytes, 4));
	case TYPE_INT8: return take_number(ret, e, (int64_t)load(bytes, 8));
	case TYPE_DATE:
		n = (int32_t)load(bytes, 4);
		return take_number(ret, e, n == INT32_MAX || n == INT32_MIN ? n : n + EPOCH_DAYS);
	case TYPE_TIMESTAMP:
		n = (int64_t)load(bytes, 8);
		if (n != INT64_MAX && n != INT64_MIN && __builtin_add_overflow(n, EPOCH_US, &n))
			return makes_no_sense(e, len);
		return take_number(ret, e, n);
	case TYPE_FLOAT4:
	case TYPE_FLOAT8: take_real(ret, bytes, len); return 0;
	case TYPE_NUMERIC: return take_decimal(ret, e, bytes, len);
	case TYPE_LABEL:
		if (e->column->type == TABLE_COLUMN_TYPE_ENUM)
			return take_label(ret, e, bytes, len);
		break;
	case TYPE_JSONB:
		if (!len || bytes[0] != 1)
			return makes_no_sense(e, len);
		bytes++;
		len--;
		break;
	case TYPE_BYTEA:
	case TYPE_UUID:
		*ret = (struct value){ .kind = VALUE_BYTES, { .bytes = bytes, .len = len } };
		return 0;
	case TYPE_TEXT: break;
	case TYPE_VOID:
	case TYPE_UNKNOWN: return makes_no_sense(e, len);
	}
	*ret = (struct value){ .kind = VALUE_TEXT, { .bytes = bytes, .len = len } };
	return 0;
}

/* ---- lists: items in wire format, one behind the other -------------------------------------------- */

static uint8_t *put_varint(uint8_t *at, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		*at++ = (uint8_t)(n | 0x80);
	*at++ = (uint8_t)n;
	return at;
}

static uint8_t *put_little(uint8_t *at, uint64_t n, size_t len)
{
	for (size_t i = 0; i < len; i++, n >>= 8)
		*at++ = (uint8_t)n;
	return at;
}

static uint8_t *put_item(uint8_t *at, const struct table_column *column, const struct value *item)
{
	float narrow = (float)item->real;
	uint32_t narrow_bits;
	uint64_t bits;

	switch (item->kind) {
	case VALUE_BOOL: return put_varint(at, item->boolean);
	case VALUE_INT: return put_varint(at, (uint64_t)item->integer);
	case VALUE_UINT: return put_varint(at, item->natural);
	case VALUE_REAL:
		memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
		memcpy(&bits, &item->real, sizeof bits);
		return column->type == TABLE_COLUMN_TYPE_FLOAT ? put_little(at, narrow_bits, 4)
							       : put_little(at, bits, 8);
	default:
		at = put_varint(at, item->len);
		memcpy(at, item->bytes, item->len);
		return at + item->len;
	}
}

static int take_items(struct value *ret, const struct encoding *e, const uint8_t *bytes, size_t len,
		      size_t n)
{
	/* No item takes more than ten bytes for a number, or its own and ten. */
	uint8_t *out = cell_arena_alloc(e->arena, len + 10 * n + 10), *at = out;
	const uint8_t *end = bytes + len;
	int r = 0;

	if (!out)
		return cell_fail(e->err, -ENOMEM, "%.60s: %zu items", e->column->name, n);
	for (size_t i = 0; !r && i < n; i++) {
		struct value item;
		size_t size;

		if (end - bytes < 4)
			return makes_no_sense(e, len);
		size = load(bytes, 4);
		bytes += 4;
		if (size == UINT32_MAX)
			return does_not_fit(e, "an array with NULL");
		if (size > (size_t)(end - bytes))
			return makes_no_sense(e, len);
		r = take_scalar(&item, e, bytes, size);
		bytes += size;
		/* A number as text may be longer than PostgreSQL has it. */
		if (!r && e->type->codec == TYPE_NUMERIC && item.kind == VALUE_TEXT)
			return does_not_fit(e, "an array of numeric");
		if (!r)
			at = put_item(at, e->column, &item);
	}
	*ret = (struct value){ .kind = VALUE_LIST, { .bytes = out, .len = (size_t)(at - out) } };
	return r;
}

static int take_array(struct value *ret, const struct encoding *e, const uint8_t *bytes, size_t len)
{
	uint64_t dimensions, n;

	if (len < 12)
		return makes_no_sense(e, len);
	dimensions = load(bytes, 4);
	if (!dimensions) {
		*ret = (struct value){ .kind = VALUE_LIST, { .bytes = bytes, .len = 0 } };
		return 0;
	}
	if (dimensions > 1)
		return does_not_fit(e, "an array of several dimensions");
	if (len < 20)
		return makes_no_sense(e, len);
	n = load(bytes + 12, 4);
	/* Each has at least its length. */
	if (n > (len - 20) / 4)
		return makes_no_sense(e, len);
	return take_items(ret, e, bytes + 20, len - 20, n);
}

int type_decode(struct value *ret, const struct type *type, const struct table_column *column,
		const uint8_t *bytes, size_t len, struct cell_arena *arena, struct cell_error *err)
{
	const struct encoding e = { type, column, arena, err };

	if (!bytes) {
		*ret = (struct value){ .kind = VALUE_NULL };
		return 0;
	}
	return type->is_array ? take_array(ret, &e, bytes, len) : take_scalar(ret, &e, bytes, len);
}
