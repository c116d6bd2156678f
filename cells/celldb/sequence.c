/* Numbers of serial columns. */
#include "engine.h"

#include <cell/cell.h>
#include <string.h>

static int column_of(const struct catalog_table *table, uint32_t number, size_t *ret,
		     struct cell_error *err)
{
	int i = schema_column_by_number(table->schema, number);

	if (i < 0 || !table->schema->columns[i].told->serial)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "%s has no serial column %u",
				 table->name, number);
	*ret = (size_t)i;
	return 0;
}

static int64_t number_of(const struct value *value)
{
	if (value->kind == VALUE_INT)
		return value->integer;
	if (value->kind == VALUE_UINT && value->natural <= INT64_MAX)
		return (int64_t)value->natural;
	return 0;
}

/* The largest number in the column: where it begins if the table had rows before it counted. */
static int largest(struct engine *engine, const struct catalog_table *table, size_t column,
		   int64_t *ret, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	struct layout_key begin;
	int r;

	*ret = 0;
	layout_rows(&begin, table->id);
	r = cell_store_cursor_open(&engine->txn, &cursor, err);
	if (r < 0)
		return r;
	for (r = cell_store_seek(&cursor, layout_bytes(&begin), false, &key, &value, err);
	     r == 0 && layout_begins(key, &begin);
	     r = cell_store_next(&cursor, false, &key, &value, err)) {
		struct cell_arena_mark mark = cell_arena_mark(arena);
		struct value *values = rows_values(table, arena);
		struct rows_row row;

		r = values ? rows_split(value, &row, err)
			   : cell_fail(err, -ENOMEM, "no memory for a row");
		if (r == 0)
			r = row_decode(table->stored, row.bytes.at, row.bytes.len, values, arena, err);
		if (r == 0 && number_of(&values[column]) > *ret)
			*ret = number_of(&values[column]);
		cell_arena_rewind(arena, mark);
		if (r < 0)
			break;
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : 0;
}

static int64_t limit_of(const struct table_column *column)
{
	if (column->type == TABLE_COLUMN_TYPE_INT32)
		return INT32_MAX;
	if (column->type == TABLE_COLUMN_TYPE_UINT32)
		return UINT32_MAX;
	return INT64_MAX;
}

int engine_next(struct engine *engine, const struct catalog_peer *peer,
		const struct table_next_request *in, uint32_t n, int64_t *ret_first,
		struct cell_arena *arena, struct cell_error *err)
{
	const struct catalog_version *version;
	struct cell_store_bytes bytes;
	struct layout_key key;
	uint8_t next[8];
	size_t column = 0;
	int64_t first = 1;
	int r = catalog_find(engine->view.catalog, &engine->txn, in->table, peer, &version, err);

	if (r == 0)
		r = column_of(version->table, in->column, &column, err);
	if (r < 0)
		return r;
	layout_sequence(&key, version->table->id, in->column);
	r = cell_store_get(&engine->txn, layout_bytes(&key), &bytes, err);
	if (r == 0 && bytes.len == sizeof next) {
		first = (int64_t)cell_load_u64(bytes.at);
	} else if (r >= 0) {
		r = largest(engine, version->table, column, &first, arena, err);
		first++;
	}
	if (r < 0)
		return r;
	if (first > limit_of(version->table->schema->columns[column].told) - (int64_t)n)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "%s.%s has no numbers left",
				 version->table->name,
				 version->table->schema->columns[column].told->name);
	cell_store_u64(next, (uint64_t)first + n);
	engine->is_dirty = true;
	r = cell_store_put(&engine->txn, layout_bytes(&key),
			   (struct cell_store_bytes){ next, sizeof next }, err);
	if (r == 0)
		*ret_first = first;
	return r;
}
