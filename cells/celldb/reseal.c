/* Encrypted columns, sealed anew with the newest key. */
#include "engine.h"

#include <cell/cell.h>
#include <string.h>

static int row_reseal(struct engine *engine, const struct catalog_table *table,
		      struct cell_store_bytes key, struct cell_store_bytes value,
		      struct cell_arena *arena, struct cell_error *err)
{
	struct value *values = rows_values(table, arena);
	struct cell_store_bytes bytes;
	struct layout_key place;
	struct rows_row row;
	uint8_t *copy, *fresh;
	int r;

	copy = cell_arena_alloc(arena, value.len);
	if (!values || !copy)
		return cell_fail(err, -ENOMEM, "no memory for a row");
	memcpy(copy, value.at, value.len);
	r = rows_split((struct cell_store_bytes){ copy, value.len }, &row, err);
	if (r == 0)
		r = rows_decode(&engine->view, table, key, row.bytes, values, arena, err);
	if (r == 0)
		r = rows_encode(&engine->view, table, key, values, arena, &bytes, err);
	if (r < 0)
		return r;
	fresh = cell_arena_alloc(arena, RECORD_ROW_HEAD + bytes.len);
	if (!fresh)
		return cell_fail(err, -ENOMEM, "no memory for a row");
	cell_store_u64(fresh, row.version);
	memcpy(fresh + RECORD_ROW_HEAD, bytes.at, bytes.len);
	rows_place(table, key, &place);
	return cell_store_put(&engine->txn, layout_bytes(&place),
			      (struct cell_store_bytes){ fresh, RECORD_ROW_HEAD + bytes.len }, err);
}

static int table_reseal(struct engine *engine, const struct catalog_table *table,
			uint64_t *ret_rows, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	struct layout_key begin;
	int r = cell_store_cursor_open(&engine->txn, &cursor, err);

	if (r < 0)
		return r;
	layout_rows(&begin, table->id);
	for (r = cell_store_seek(&cursor, layout_bytes(&begin), false, &key, &value, err);
	     r == 0 && layout_begins(key, &begin);
	     r = cell_store_next(&cursor, false, &key, &value, err)) {
		struct cell_arena_mark mark = cell_arena_mark(arena);
		uint8_t own[CELL_STORE_KEY_MAX];
		size_t len = key.len - LAYOUT_ROWS_SIZE;

		memcpy(own, (const uint8_t *)key.at + LAYOUT_ROWS_SIZE, len);
		r = row_reseal(engine, table, (struct cell_store_bytes){ own, len }, value, arena, err);
		cell_arena_rewind(arena, mark);
		if (r < 0)
			break;
		++*ret_rows;
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : 0;
}

/* What the log has of TABLE is sealed with keys that will be forgotten. */
static int log_forget(struct engine *engine, const struct catalog_table *table,
		      struct cell_arena *arena, struct cell_error *err)
{
	struct record_table record;
	struct cell_store_bytes bytes;
	struct layout_key key;
	int r;

	layout_table(&key, table->id);
	r = cell_store_get(&engine->txn, layout_bytes(&key), &bytes, err);
	if (r == CELL_STORE_ABSENT)
		return cell_fail(err, CELL_DATA_LOSS, "table '%s' is gone", table->name);
	if (r == 0)
		r = record_table_decode(&record, bytes, arena, err);
	if (r < 0)
		return r;
	record.log_from = engine->meta.version;
	bytes = record_table_encode(&record, arena);
	if (!bytes.at)
		return cell_fail(err, -ENOMEM, "no memory for a table");
	return cell_store_put(&engine->txn, layout_bytes(&key), bytes, err);
}

int engine_may_reseal(const struct engine *engine, struct cell_error *err)
{
	size_t n = participants_count(engine->participants);

	return n ? cell_fail(err, CELL_ABORTED,
			     "%zu transaction%s prepared and not decided: `cell txn list`; try again "
			     "when there is none",
			     n, n == 1 ? " is" : "s are")
		 : 0;
}

int engine_reseal(struct engine *engine, uint64_t *ret_rows, struct cell_error *err)
{
	const struct catalog_table *const *tables;
	struct cell_arena arena;
	size_t n;
	int r = engine_may_reseal(engine, err);

	*ret_rows = 0;
	tables = catalog_tables(engine->view.catalog, &n);
	cell_arena_init(&arena, 0);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!tables[i]->has_sealed)
			continue;
		engine->is_dirty = engine->has_altered = true;
		r = table_reseal(engine, tables[i], ret_rows, &arena, err);
		if (r == 0)
			r = log_forget(engine, tables[i], &arena, err);
		cell_arena_reset(&arena);
	}
	if (engine->has_altered)
		engine->meta.generation++;
	cell_arena_deinit(&arena);
	return r;
}
