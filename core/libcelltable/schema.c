#include <cell/internal/table/schema.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <cell/bytes.h>
#include <cell/internal/table/expression.h>

#include "schema_check.h"
#include "types.h"

#define REFUSE(...)   cell_fail(err, CELL_INVALID_ARGUMENT, __VA_ARGS__)
#define NO_MEMORY()   cell_fail(err, -ENOMEM, "no memory for a table's schema")

/* Columns of one table have so many numbers at most; a hostile one must not take all memory. */
#define SCHEMA_ARENA_MAX ((size_t)64 << 20)

static void *take(struct schema *schema, size_t n, size_t size)
{
	return cell_arena_calloc(&schema->arena, n ? n : 1, size);
}

/* --- columns by number --------------------------------------------------------------------- */

/* In a table for those with small numbers, as nearly all are. */
static bool number_columns(struct schema *schema)
{
	const struct table_column *told = schema->told->columns;
	uint16_t *order = take(schema, schema->n_columns, sizeof *order), *by_number;
	size_t n_numbers = 0;

	for (size_t i = 0; i < schema->n_columns; i++)
		if (told[i].number < SCHEMA_NUMBERS_MAX && told[i].number >= n_numbers)
			n_numbers = told[i].number + 1;
	by_number = take(schema, n_numbers, sizeof *by_number);
	if (!order || !by_number)
		return false;

	for (size_t i = 0; i < schema->n_columns; i++) {
		size_t at = i;

		/* They come in order, but for a few. */
		for (; at && told[order[at - 1]].number > told[i].number; at--)
			order[at] = order[at - 1];
		order[at] = (uint16_t)i;
		if (told[i].number < n_numbers)
			by_number[told[i].number] = (uint16_t)(i + 1);
	}
	schema->order = order;
	schema->by_number = by_number;
	schema->n_numbers = n_numbers;
	return true;
}

int schema_column_by_number(const struct schema *schema, uint32_t number)
{
	if (number < schema->n_numbers)
		return schema->by_number[number] - 1;
	if (number < SCHEMA_NUMBERS_MAX)
		return -1;
	for (size_t i = 0; i < schema->n_columns; i++)
		if (schema->told->columns[i].number == number)
			return (int)i;
	return -1;
}

int schema_column_by_name(const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->n_columns; i++)
		if (strcmp(schema->told->columns[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* --- defaults and expressions -------------------------------------------------------------- */

static int read_fallback(struct schema *schema, struct schema_column *column,
			 struct cell_error *err)
{
	const struct table_column *told = column->told;
	const char *text = told->fallback, *table = schema->told->name;
	int r;

	if (!*text)
		return 0;
	if (strcmp(text, "now()") == 0) {
		if (told->type != TABLE_COLUMN_TYPE_INT64 || told->repeated)
			return REFUSE("%s.%s: now() is an int64, not %s", table, told->name,
				      schema_type_print(told, &schema->arena));
		column->fallback = SCHEMA_FALLBACK_NOW;
		return 0;
	}
	if (strcmp(text, "uuid()") == 0) {
		if (told->type != TABLE_COLUMN_TYPE_BYTES || !told->fixed || told->length != 16 ||
		    told->repeated)
			return REFUSE("%s.%s: uuid() is 16 bytes (uint8_t [16]), not %s", table,
				      told->name, schema_type_print(told, &schema->arena));
		column->fallback = SCHEMA_FALLBACK_UUID;
		return 0;
	}
	r = value_parse(&column->value, text, told, &schema->arena, err);
	if (r < 0)
		return cell_wrap(err, r, "%s.%s: its default", table, told->name);
	if (column->value.kind != VALUE_NULL)
		column->fallback = SCHEMA_FALLBACK_VALUE;
	return 0;
}

static int parse(const struct expression **ret, struct schema *schema, const char *text,
		 struct cell_error *err)
{
	return expression_parse(ret, text, schema->told->columns, schema->n_columns,
				&schema->arena, NULL, err);
}

static int read_computed(struct schema *schema, struct schema_column *column,
			 struct cell_error *err)
{
	const struct table_column *told = column->told;
	const char *table = schema->told->name;
	int r;

	if (!told->computed[0])
		return 0;
	r = parse(&column->computed, schema, told->computed, err);
	if (r < 0)
		return cell_wrap(err, r, "%s.%s: computed", table, told->name);
	if (!expression_fits(column->computed, told))
		return REFUSE("%s.%s: is %s, and %s is something else", table, told->name,
			      schema_type_print(told, &schema->arena), told->computed);
	schema->has_computed = true;
	for (size_t i = 0; i < schema->n_columns; i++) {
		const struct table_column *other = &schema->told->columns[i];

		if (!expression_uses(column->computed, i))
			continue;
		if (other->computed[0])
			return REFUSE("%s.%s: is computed from %s, which is computed itself", table,
				      told->name, other->name);
		if (other->encrypted && !told->encrypted)
			return REFUSE("%s.%s: is computed from %s, which is encrypted; this one is "
				      "not",
				      table, told->name, other->name);
	}
	return 0;
}

static int read_columns(struct schema *schema, struct cell_error *err)
{
	struct schema_column *columns = take(schema, schema->n_columns, sizeof *columns);

	if (!columns || !number_columns(schema))
		return NO_MEMORY();
	schema->columns = columns;
	for (size_t i = 0; i < schema->n_columns; i++) {
		int r;

		columns[i].told = &schema->told->columns[i];
		if (columns[i].told->repeated)
			schema->has_lists = true;
		r = read_fallback(schema, &columns[i], err);
		if (r == 0)
			r = read_computed(schema, &columns[i], err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; schema->told->key && i < schema->told->key->n_columns; i++)
		columns[schema_column_by_number(schema, schema->told->key->columns[i])].is_key = true;
	return 0;
}

static int read_checks(struct schema *schema, struct cell_error *err)
{
	const struct table_table *told = schema->told;
	const struct expression **checks = take(schema, told->n_checks, sizeof *checks);

	if (!checks)
		return NO_MEMORY();
	for (size_t i = 0; i < told->n_checks; i++) {
		const struct table_check *check = &told->checks[i];
		enum value_kind kind;
		int r = parse(&checks[i], schema, check->text, err);

		if (r < 0)
			return cell_wrap(err, r, "%s: check(%s)", told->name, check->text);
		kind = expression_kind(checks[i]);
		if (kind != VALUE_BOOL && kind != VALUE_NULL)
			return REFUSE("%s: check(%s) is neither true nor false", told->name,
				      check->text);
		if (check->column[0] && schema_column_by_name(schema, check->column) < 0)
			return REFUSE("%s: check(%s) stands at %s, which is no column", told->name,
				      check->text, check->column);
	}
	schema->checks = checks;
	schema->n_checks = told->n_checks;
	return 0;
}

/* --- keys ------------------------------------------------------------------------------------ */

static bool read_key(struct schema *schema, const struct table_index *told, struct schema_key *key)
{
	uint16_t *columns = take(schema, told ? told->n_columns : 0, sizeof *columns);

	if (!columns)
		return false;
	for (size_t i = 0; told && i < told->n_columns; i++)
		columns[i] = (uint16_t)schema_column_by_number(schema, told->columns[i]);
	key->columns = columns;
	key->n = told ? told->n_columns : 0;
	return true;
}

static int read_keys(struct schema *schema, struct cell_error *err)
{
	const struct table_table *told = schema->told;
	struct schema_key *keys = take(schema, told->n_indexes + 1, sizeof *keys);

	if (!keys || !read_key(schema, told->key, &keys[0]))
		return NO_MEMORY();
	keys[0].name = "";
	keys[0].is_unique = true;
	for (size_t i = 0; i < told->n_indexes; i++) {
		if (!read_key(schema, &told->indexes[i], &keys[i + 1]))
			return NO_MEMORY();
		keys[i + 1].name = told->indexes[i].name;
		keys[i + 1].is_unique = told->indexes[i].unique;
	}
	schema->keys = keys;
	schema->n_keys = told->n_indexes + 1;
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int read_table(struct schema *schema, const uint8_t *bytes, size_t len,
		      struct cell_error *err)
{
	struct table_table *told = cell_arena_alloc(&schema->arena, sizeof *told);
	int r;

	if (!told)
		return NO_MEMORY();
	r = table_table_type.decode(told, bytes, len, 0, &schema->arena, err);
	if (r == 0)
		r = schema_check(told, err);
	if (r < 0)
		return r;
	(void)crypto_generichash(schema->digest, sizeof schema->digest, bytes, len, NULL, 0);
	schema->version = cell_load_u64(schema->digest);
	schema->told = told;
	schema->n_columns = told->n_columns;
	r = read_columns(schema, err);
	if (r == 0)
		r = read_keys(schema, err);
	return r < 0 ? r : read_checks(schema, err);
}

int schema_new(struct schema **ret_schema, const uint8_t *bytes, size_t len,
	       struct cell_error *err)
{
	struct schema *schema = calloc(1, sizeof *schema);
	int r;

	if (!schema)
		return NO_MEMORY();
	cell_arena_init(&schema->arena, SCHEMA_ARENA_MAX);
	r = read_table(schema, bytes, len, err);
	if (r < 0) {
		schema_free(schema);
		return r;
	}
	*ret_schema = schema;
	return 0;
}

void schema_free(struct schema *schema)
{
	if (!schema)
		return;
	cell_arena_deinit(&schema->arena);
	free(schema);
}

void schema_freep(struct schema **schema)
{
	schema_free(*schema);
}

const char *schema_type_print(const struct table_column *column, struct cell_arena *arena)
{
	const char *name = type_of(column->type)->name, *text = name ? name : "nothing";

	if (column->native[0])
		text = column->native;
	else if (column->length && column->type == TABLE_COLUMN_TYPE_TEXT)
		text = cell_arena_printf(arena, "varchar(%u)", column->length);
	else if (column->length)
		text = cell_arena_printf(arena, column->fixed ? "bytes[%u]" : "bytes(%u)",
					 column->length);
	if (text && column->repeated)
		text = cell_arena_printf(arena, "list of %s", text);
	return text ? text : name;
}
