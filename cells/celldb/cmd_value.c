/* Values as they are typed and shown. */
#include "cmd.h"

#include <cell/cell.h>
#include <cell/codec.h>
#include <cell/internal/table/row.h>
#include <errno.h>
#include <string.h>

/* ---- reading ------------------------------------------------------------------------------ */

/* Text without its quotes. */
static int parse_bare_text(const struct db_table *table, const struct table_column *column,
			   const char *text, struct value *ret)
{
	size_t len = strlen(text);

	if (!cell_text_is_valid((const uint8_t *)text, len))
		return command_fail(table->command, CELL_INVALID_ARGUMENT,
				    "column '%s': this text is not UTF-8", column->name);
	*ret = (struct value){ .kind = VALUE_TEXT, .bytes = (const uint8_t *)text, .len = len };
	return 0;
}

static int parse_list(const struct db_table *table, const struct table_column *column,
		      const char *text, struct value *ret)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	int r;

	if (!json_is_array(json)) {
		json_decref(json);
		return command_fail(table->command, CELL_INVALID_ARGUMENT,
				    "column '%s' is a list, as in JSON: [1, 2]", column->name);
	}
	r = db_value_from_json(table, column, json, ret);
	json_decref(json);
	return r;
}

int db_value_parse(const struct db_table *table, const struct table_column *column,
		   const char *text, struct value *ret)
{
	/* Of messages nothing is known here but that they are bytes. */
	struct table_column plain = *column;
	struct cell_error err = { .code = 0 };
	int r;

	if (strcmp(text, "NULL") != 0 && column->repeated)
		return parse_list(table, column, text, ret);
	if (strcmp(text, "NULL") != 0 && column->type == TABLE_COLUMN_TYPE_TEXT && text[0] != '"')
		return parse_bare_text(table, column, text, ret);
	if (column->type == TABLE_COLUMN_TYPE_MESSAGE)
		plain.type = TABLE_COLUMN_TYPE_BYTES;
	r = value_parse(ret, text, &plain, cell_arena(table->call), &err);
	return r < 0 ? command_fail(table->command, r, "column '%s': %s", column->name, err.text) : 0;
}

/* The end of the value at TEXT: a comma outside of quotes and brackets, or the end. */
static const char *value_end(const char *text)
{
	bool is_quoted = false;
	int depth = 0;

	for (; *text; text++) {
		if (is_quoted && *text == '\\' && text[1])
			text++;
		else if (*text == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && *text == '[')
			depth++;
		else if (!is_quoted && *text == ']')
			depth--;
		else if (!is_quoted && depth <= 0 && *text == ',')
			break;
	}
	return text;
}

int db_key_parse(const struct db_table *table, unsigned key, const char *text,
		 struct value *values, size_t *ret_n)
{
	const struct schema_key *k = &table->schema->keys[key];
	size_t n = 0;

	for (const char *end; n < k->n; text = end + 1) {
		uint16_t column = k->columns[n++];
		const char *one;
		int r;

		end = k->n == 1 ? text + strlen(text) : value_end(text);
		one = cell_arena_strndup(cell_arena(table->call), text, (size_t)(end - text));
		if (!one)
			return command_fail(table->command, -ENOMEM, "no memory for a key");
		r = db_value_parse(table, table->schema->columns[column].told, one, &values[column]);
		if (r < 0)
			return r;
		if (!*end) {
			*ret_n = n;
			return 0;
		}
	}
	return command_fail(table->command, CELL_INVALID_ARGUMENT,
			    "the key has %zu column%s, and '%.60s' is one value more", k->n,
			    k->n == 1 ? "" : "s", text);
}

/* ---- showing ------------------------------------------------------------------------------ */

const char *db_value_text(const struct db_table *table, const struct table_column *column,
			  const struct value *value)
{
	const char *text;

	if (value->kind != VALUE_TEXT)
		return value_print(value, column, cell_arena(table->call));
	text = cell_arena_strndup(cell_arena(table->call), (const char *)value->bytes, value->len);
	return text ? text : "…";
}

/* ---- bytes -------------------------------------------------------------------------------- */

int db_row_encode(const struct db_table *table, const struct value *values,
		  const uint8_t **ret_bytes, size_t *ret_len)
{
	uint8_t *bytes = cell_arena_alloc(cell_arena(table->call), row_bound(table->schema, values));

	if (!bytes)
		return command_fail(table->command, -ENOMEM, "no memory for a row");
	*ret_len = (size_t)(row_encode(table->schema, values, bytes) - bytes);
	*ret_bytes = bytes;
	return 0;
}

int db_row_decode(const struct db_table *table, const uint8_t *bytes, size_t len,
		  struct value *values)
{
	int r = row_decode(table->schema, bytes, len, values, cell_arena(table->call),
			   &table->command->error);

	/* It is the database's word, not something that was typed. */
	return r == CELL_INVALID_ARGUMENT ? table->command->error.code = CELL_INTERNAL : r;
}
