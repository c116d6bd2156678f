/* Values and rows as JSON, both ways. */
#include "cmd.h"

#include <cell/cell.h>
#include <cell/codec.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Integers up to here a double holds exactly, and so does every reader of JSON. */
#define EXACT_MAX (INT64_C(1) << 53)

/* ---- writing ------------------------------------------------------------------------------ */

static json_t *integer_json(int64_t integer)
{
	char text[24];

	if (integer <= EXACT_MAX && integer >= -EXACT_MAX)
		return json_integer(integer);
	(void)snprintf(text, sizeof text, "%" PRId64, integer);
	return json_string(text);
}

static json_t *natural_json(uint64_t natural)
{
	char text[24];

	if (natural <= (uint64_t)EXACT_MAX)
		return json_integer((json_int_t)natural);
	(void)snprintf(text, sizeof text, "%" PRIu64, natural);
	return json_string(text);
}

/* A float in the digits that a float has: 0.1, not 0.10000000149011612. */
static json_t *real_json(double real, bool is_float)
{
	char text[40];

	if (isnan(real))
		return json_string("NaN");
	if (isinf(real))
		return json_string(real < 0 ? "-Infinity" : "Infinity");
	for (int digits = 6; is_float && digits <= 9; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, real);
		if (strtof(text, NULL) == (float)real)
			return json_real(strtod(text, NULL));
	}
	return json_real(real);
}

static json_t *enum_json(const struct table_column *column, int64_t number)
{
	for (size_t i = 0; i < column->n_values; i++)
		if (column->values[i].number == number)
			return json_string(column->values[i].name);
	return json_integer(number);
}

static json_t *bytes_json(const struct value *value)
{
	size_t size = sodium_base64_ENCODED_LEN(value->len, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(size);
	json_t *json;

	if (!text)
		return NULL;
	json = json_string(sodium_bin2base64(text, size, value->bytes, value->len,
					     sodium_base64_VARIANT_ORIGINAL));
	free(text);
	return json;
}

static json_t *list_json(const struct table_column *column, struct value list)
{
	struct table_column one = *column;
	json_t *items = json_array();
	struct value item;

	one.repeated = false;
	while (value_next(&list, column->type, &item))
		(void)json_array_append_new(items, db_value_json(&one, &item));
	return items;
}

json_t *db_value_json(const struct table_column *column, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NULL: return column->repeated ? json_array() : json_null();
	case VALUE_BOOL: return json_boolean(value->boolean);
	case VALUE_INT:
		return column->type == TABLE_COLUMN_TYPE_ENUM ? enum_json(column, value->integer)
							      : integer_json(value->integer);
	case VALUE_UINT: return natural_json(value->natural);
	case VALUE_REAL: return real_json(value->real, column->type == TABLE_COLUMN_TYPE_FLOAT);
	case VALUE_TEXT: return json_stringn((const char *)value->bytes, value->len);
	case VALUE_BYTES: return bytes_json(value);
	case VALUE_LIST: return list_json(column, *value);
	}
	return json_null();
}

json_t *db_row_json(const struct db_table *table, const struct value *values)
{
	json_t *row = json_object();

	for (size_t i = 0; i < table->schema->n_columns; i++)
		(void)json_object_set_new(
			row, table->schema->columns[i].told->name,
			db_value_json(table->schema->columns[i].told, &values[i]));
	return row;
}

/* ---- reading ------------------------------------------------------------------------------ */

static int refuse(const struct db_table *table, const struct table_column *column,
		  const char *what)
{
	return command_fail(table->command, CELL_INVALID_ARGUMENT, "column '%s': %s", column->name,
			    what);
}

static const char *wanted(const struct table_column *column)
{
	switch (value_kind_of(column->type)) {
	case VALUE_BOOL: return "wants true or false";
	case VALUE_INT:
		return column->type == TABLE_COLUMN_TYPE_ENUM ? "wants the name of a value"
							      : "wants a whole number";
	case VALUE_UINT: return "wants a whole number";
	case VALUE_REAL: return "wants a number";
	case VALUE_TEXT: return "wants a string";
	default: return "wants a string of base64";
	}
}

static int bytes_from_json(const struct db_table *table, const struct table_column *column,
			   const json_t *json, struct value *ret)
{
	size_t text_len = json_string_length(json), len;
	uint8_t *bytes = cell_arena_alloc(cell_arena(table->call), text_len + 1);
	const char *end;

	if (!bytes)
		return command_fail(table->command, -ENOMEM, "no memory for %zu bytes", text_len);
	if (sodium_base642bin(bytes, text_len + 1, json_string_value(json), text_len, NULL, &len, &end,
			      sodium_base64_VARIANT_ORIGINAL) < 0 ||
	    end != json_string_value(json) + text_len)
		return refuse(table, column, wanted(column));
	*ret = (struct value){ .kind = VALUE_BYTES, .bytes = bytes, .len = len };
	return 0;
}

static int text_from_json(const struct db_table *table, const json_t *json, struct value *ret)
{
	size_t len = json_string_length(json);
	const char *text = cell_arena_strndup(cell_arena(table->call), json_string_value(json), len);

	if (!text)
		return command_fail(table->command, -ENOMEM, "no memory for %zu bytes", len);
	*ret = (struct value){ .kind = VALUE_TEXT, .bytes = (const uint8_t *)text, .len = len };
	return 0;
}

static bool real_from_name(const char *text, double *ret)
{
	static const struct {
		const char *name;
		double value;
	} names[] = { { "NaN", NAN }, { "Infinity", INFINITY }, { "-Infinity", -INFINITY } };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i].name, text) == 0) {
			*ret = names[i].value;
			return true;
		}
	return false;
}

/* A number or a word as the literal that it is. */
static const char *literal_of(const struct db_table *table, const json_t *json)
{
	struct cell_arena *arena = cell_arena(table->call);

	switch (json_typeof(json)) {
	case JSON_TRUE: return "true";
	case JSON_FALSE: return "false";
	case JSON_INTEGER:
		return cell_arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	case JSON_REAL: return cell_arena_printf(arena, "%.17g", json_real_value(json));
	case JSON_STRING: return cell_arena_strdup(arena, json_string_value(json));
	default: return NULL;
	}
}

/* Whether COLUMN takes a value that JSON calls so. */
static bool type_fits(const struct table_column *column, const json_t *json)
{
	switch (value_kind_of(column->type)) {
	case VALUE_BOOL: return json_is_boolean(json);
	case VALUE_TEXT:
	case VALUE_BYTES: return json_is_string(json);
	default: return json_is_number(json) || json_is_string(json);
	}
}

static int one_from_json(const struct db_table *table, const struct table_column *column,
			 const json_t *json, struct value *ret)
{
	struct cell_error err = { .code = 0 };
	const char *text;
	int r;

	if (!type_fits(column, json))
		return refuse(table, column, wanted(column));
	switch (value_kind_of(column->type)) {
	case VALUE_TEXT: return text_from_json(table, json, ret);
	case VALUE_BYTES: return bytes_from_json(table, column, json, ret);
	case VALUE_REAL:
		if (json_is_string(json) && real_from_name(json_string_value(json), &ret->real)) {
			ret->kind = VALUE_REAL;
			return 0;
		}
		break;
	default: break;
	}
	text = literal_of(table, json);
	if (!text)
		return command_fail(table->command, -ENOMEM, "no memory for a value");
	r = value_parse(ret, text, column, cell_arena(table->call), &err);
	return r < 0 ? refuse(table, column, err.text) : 0;
}

/* ---- lists: their items in wire format ---- */

static uint8_t *item_encode(enum table_column_type type, const struct value *item, uint8_t *out)
{
	switch (item->kind) {
	case VALUE_BOOL: return cell_encode_varint(out, item->boolean);
	case VALUE_INT: return cell_encode_varint(out, (uint64_t)item->integer);
	case VALUE_UINT: return cell_encode_varint(out, item->natural);
	case VALUE_REAL:
		return type == TABLE_COLUMN_TYPE_FLOAT
			       ? cell_encode_fixed32(out, cell_float_bits((float)item->real))
			       : cell_encode_fixed64(out, cell_double_bits(item->real));
	default: return cell_encode_bytes(out, item->bytes, item->len);
	}
}

static size_t item_bound(const struct value *item)
{
	return item->kind == VALUE_TEXT || item->kind == VALUE_BYTES ? item->len + 10 : 10;
}

static int list_from_json(const struct db_table *table, const struct table_column *column,
			  const json_t *json, struct value *ret)
{
	struct cell_arena *arena = cell_arena(table->call);
	size_t n = json_array_size(json), bound = 0;
	struct value *items = cell_arena_calloc(arena, n + 1, sizeof *items);
	struct table_column one = *column;
	uint8_t *bytes, *end;

	one.repeated = false;
	one.nullable = false;
	for (size_t i = 0; items && i < n; i++) {
		int r = one_from_json(table, &one, json_array_get(json, i), &items[i]);

		if (r < 0)
			return r;
		bound += item_bound(&items[i]);
	}
	bytes = end = items ? cell_arena_alloc(arena, bound + 1) : NULL;
	if (!bytes)
		return command_fail(table->command, -ENOMEM, "no memory for a list of %zu", n);
	for (size_t i = 0; i < n; i++)
		end = item_encode(column->type, &items[i], end);
	*ret = n ? (struct value){ .kind = VALUE_LIST, .bytes = bytes, .len = (size_t)(end - bytes) }
		 : (struct value){ .kind = VALUE_NULL };
	return 0;
}

int db_value_from_json(const struct db_table *table, const struct table_column *column,
		       const json_t *json, struct value *ret)
{
	if (json_is_null(json)) {
		*ret = (struct value){ .kind = VALUE_NULL };
		return 0;
	}
	if (!column->repeated)
		return one_from_json(table, column, json, ret);
	return json_is_array(json) ? list_from_json(table, column, json, ret)
				   : refuse(table, column, "wants a list");
}

int db_row_from_json(const struct db_table *table, const json_t *json, struct value *values)
{
	const char *name;
	json_t *member;

	if (!json_is_object(json))
		return command_fail(table->command, CELL_INVALID_ARGUMENT,
				    "a row is an object: {\"column\": value, …}");
	json_object_foreach((json_t *)json, name, member) {
		int column = schema_column_by_name(table->schema, name), r;

		if (column < 0)
			return command_fail(table->command, CELL_INVALID_ARGUMENT,
					    "%s has no column '%.60s'", table->info->name, name);
		r = db_value_from_json(table, table->schema->columns[column].told, member,
				       &values[column]);
		if (r < 0)
			return r;
	}
	return 0;
}
