#include <cell/internal/table/value.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cell/codec.h>

#include "literal.h"
#include "types.h"

/* Bytes of text or bytes that are shown to people. */
#define SHOWN_MAX 60
/* Items of a list that are. */
#define SHOWN_ITEMS_MAX 10

const struct type column_types[TYPES_N] = {
	[TABLE_COLUMN_TYPE_BOOL] = { "bool", VALUE_BOOL, WIRE_VARINT },
	[TABLE_COLUMN_TYPE_INT32] = { "int32", VALUE_INT, WIRE_VARINT },
	[TABLE_COLUMN_TYPE_UINT32] = { "uint32", VALUE_UINT, WIRE_VARINT },
	[TABLE_COLUMN_TYPE_INT64] = { "int64", VALUE_INT, WIRE_VARINT },
	[TABLE_COLUMN_TYPE_UINT64] = { "uint64", VALUE_UINT, WIRE_VARINT },
	[TABLE_COLUMN_TYPE_FLOAT] = { "float", VALUE_REAL, WIRE_FIXED32 },
	[TABLE_COLUMN_TYPE_DOUBLE] = { "double", VALUE_REAL, WIRE_FIXED64 },
	[TABLE_COLUMN_TYPE_TEXT] = { "text", VALUE_TEXT, WIRE_LENGTH },
	[TABLE_COLUMN_TYPE_BYTES] = { "bytes", VALUE_BYTES, WIRE_LENGTH },
	[TABLE_COLUMN_TYPE_ENUM] = { "enum", VALUE_INT, WIRE_VARINT },
	[TABLE_COLUMN_TYPE_MESSAGE] = { "message", VALUE_BYTES, WIRE_LENGTH },
};

enum value_kind value_kind_of(enum table_column_type type)
{
	return type_of(type)->kind;
}

/* --- from the wire ----------------------------------------------------------------------- */

static const uint8_t *read_varint(enum table_column_type type, const uint8_t *at,
				  const uint8_t *end, struct value *ret, const char **ret_why)
{
	struct cell_varint v = cell_decode_varint(at, end);

	*ret_why = "cut short, or no number";
	if (CELL_UNLIKELY(!v.at))
		return NULL;
	*ret_why = "out of range";
	switch ((unsigned)type) {
	case TABLE_COLUMN_TYPE_BOOL:
		ret->kind = VALUE_BOOL;
		ret->boolean = v.value != 0;
		return v.value <= 1 ? v.at : NULL;
	case TABLE_COLUMN_TYPE_UINT32:
	case TABLE_COLUMN_TYPE_UINT64:
		ret->kind = VALUE_UINT;
		ret->natural = v.value;
		return type == TABLE_COLUMN_TYPE_UINT64 || v.value <= UINT32_MAX ? v.at : NULL;
	default:
		ret->kind = VALUE_INT;
		ret->integer = (int64_t)v.value;
		return type == TABLE_COLUMN_TYPE_INT64 || ret->integer == (int32_t)ret->integer
			       ? v.at
			       : NULL;
	}
}

static const uint8_t *read_length(enum table_column_type type, const uint8_t *at,
				  const uint8_t *end, struct value *ret, const char **ret_why)
{
	struct cell_varint v = cell_decode_varint(at, end);

	*ret_why = "its length is more than there is";
	if (CELL_UNLIKELY(!v.at || v.value > (size_t)(end - v.at)))
		return NULL;
	ret->bytes = v.at;
	ret->len = v.value;
	ret->kind = VALUE_BYTES;
	if (type != TABLE_COLUMN_TYPE_TEXT)
		return v.at + v.value;
	ret->kind = VALUE_TEXT;
	*ret_why = "not UTF-8 text, or with a NUL in it";
	return cell_text_is_plain(v.at, v.value) || cell_text_is_valid(v.at, v.value)
		       ? v.at + v.value
		       : NULL;
}

const uint8_t *column_read(enum table_column_type type, const uint8_t *at, const uint8_t *end,
			 struct value *ret, const char **ret_why)
{
	float single = 0;

	switch (type_of(type)->wire) {
	case WIRE_VARINT: return read_varint(type, at, end, ret, ret_why);
	case WIRE_LENGTH: return read_length(type, at, end, ret, ret_why);
	case WIRE_FIXED32:
		at = cell_decode_float(at, end, &single);
		ret->real = single;
		break;
	default: at = cell_decode_double(at, end, &ret->real); break;
	}
	ret->kind = VALUE_REAL;
	*ret_why = "cut short";
	return at;
}

bool value_next(struct value *list, enum table_column_type type, struct value *ret_item)
{
	const uint8_t *at;
	const char *why;

	if (list->kind != VALUE_LIST || !list->len)
		return false;
	at = column_read(type, list->bytes, list->bytes + list->len, ret_item, &why);
	if (!at)
		return false;
	list->len -= (size_t)(at - list->bytes);
	list->bytes = at;
	return true;
}

/* --- order ------------------------------------------------------------------------------- */

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int bytes_compare(const struct value *a, const struct value *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order = len ? memcmp(a->bytes, b->bytes, len) : 0;

	return order ? order : ORDER(a->len, b->len);
}

int value_compare(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return ORDER(a->kind, b->kind);
	switch (a->kind) {
	case VALUE_NULL: return 0;
	case VALUE_BOOL: return ORDER(a->boolean, b->boolean);
	case VALUE_INT: return ORDER(a->integer, b->integer);
	case VALUE_UINT: return ORDER(a->natural, b->natural);
	case VALUE_REAL:
		if (isnan(a->real) || isnan(b->real))
			return !!isnan(a->real) - !!isnan(b->real);
		return ORDER(a->real, b->real);
	case VALUE_TEXT:
	case VALUE_BYTES:
	case VALUE_LIST: break;
	}
	return bytes_compare(a, b);
}

bool value_equal(const struct value *a, const struct value *b)
{
	return value_compare(a, b) == 0;
}

/* --- for people -------------------------------------------------------------------------- */

static const char *or_dots(const char *text)
{
	return text ? text : "…";
}

/* The fewest digits that give the same number again. */
static const char *print_real(double real, bool is_float, struct cell_arena *arena)
{
	char text[40];

	for (int digits = 6; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, real);
		if (is_float ? strtof(text, NULL) == (float)real : strtod(text, NULL) == real)
			break;
	}
	return or_dots(cell_arena_strdup(arena, text));
}

static const char *print_text(const struct value *value, struct cell_arena *arena)
{
	size_t len = value->len;
	const char *text;

	if (len > SHOWN_MAX)
		for (len = SHOWN_MAX; len && (value->bytes[len] & 0xc0) == 0x80;)
			len--;
	text = literal_quote(value->bytes, len, arena);
	if (text && len < value->len)
		text = cell_arena_printf(arena, "%s…", text);
	return or_dots(text);
}

static const char *print_bytes(const struct value *value, struct cell_arena *arena)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = value->len < SHOWN_MAX ? value->len : SHOWN_MAX;
	char *text = cell_arena_alloc(arena, 2 * len + sizeof "0x…"), *out = text;

	if (!text)
		return "…";
	*out++ = '0';
	*out++ = 'x';
	for (size_t i = 0; i < len; i++) {
		*out++ = digits[value->bytes[i] >> 4];
		*out++ = digits[value->bytes[i] & 15];
	}
	memcpy(out, len < value->len ? "…" : "", len < value->len ? sizeof "…" : 1);
	return text;
}

static const char *print_list(struct value list, const struct table_column *column,
			      struct cell_arena *arena)
{
	struct table_column one = *column;
	const char *text = "[";
	struct value item;

	one.repeated = false;
	for (size_t n = 0; value_next(&list, column->type, &item); n++) {
		if (n == SHOWN_ITEMS_MAX) {
			text = or_dots(cell_arena_printf(arena, "%s, …", text));
			break;
		}
		text = or_dots(cell_arena_printf(arena, "%s%s%s", text, n ? ", " : "",
						 value_print(&item, &one, arena)));
	}
	return or_dots(cell_arena_printf(arena, "%s]", text));
}

const char *value_print(const struct value *value, const struct table_column *column,
			struct cell_arena *arena)
{
	switch (value->kind) {
	case VALUE_NULL: return "NULL";
	case VALUE_BOOL: return value->boolean ? "true" : "false";
	case VALUE_INT:
		for (size_t i = 0; i < column->n_values; i++)
			if (column->values[i].number == value->integer)
				return column->values[i].name;
		return or_dots(cell_arena_printf(arena, "%" PRId64, value->integer));
	case VALUE_UINT: return or_dots(cell_arena_printf(arena, "%" PRIu64, value->natural));
	case VALUE_REAL:
		return print_real(value->real, column->type == TABLE_COLUMN_TYPE_FLOAT, arena);
	case VALUE_TEXT: return print_text(value, arena);
	case VALUE_BYTES: return print_bytes(value, arena);
	case VALUE_LIST: break;
	}
	return print_list(*value, column, arena);
}
