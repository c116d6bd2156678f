#include "rows.h"

#include "record.h"

#include <cell/cell.h>
#include <string.h>

static int no_memory(struct cell_error *err, const struct catalog_table *table)
{
	return cell_fail(err, -ENOMEM, "no memory for a row of '%s'", table->name);
}

struct value *rows_values(const struct catalog_table *table, struct cell_arena *arena)
{
	/* VALUE_NULL is 0. */
	return cell_arena_calloc(arena, table->schema->n_columns, sizeof(struct value));
}

void rows_place(const struct catalog_table *table, struct cell_store_bytes key,
		struct layout_key *ret)
{
	layout_rows(ret, table->id);
	/* Keys that are longer were refused when they were made. */
	(void)layout_append(ret, key.at, key.len);
}

int rows_key(const struct catalog_table *table, const struct value *values,
	     struct cell_arena *arena, struct cell_store_bytes *ret, struct cell_error *err)
{
	const struct schema_key *key = &table->indexes[0].key;
	uint8_t *bytes;
	size_t len;
	int r;

	if (row_key_has_null(key, values))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "%s: a row without its key", table->name);
	bytes = cell_arena_alloc(arena, CELL_STORE_KEY_MAX);
	if (!bytes)
		return no_memory(err, table);
	r = row_key(table->schema, key, values, key->n, false, bytes,
		    CELL_STORE_KEY_MAX - LAYOUT_ROWS_SIZE, &len, err);
	if (r < 0)
		return cell_wrap(err, r, "%s", table->name);
	*ret = (struct cell_store_bytes){ bytes, len };
	return 0;
}

bool rows_is_unique(const struct catalog_table *table, size_t i, const struct value *values)
{
	return table->indexes[i].key.is_unique &&
	       !row_key_has_null(&table->indexes[i].key, values);
}

int rows_index_key(const struct catalog_table *table, size_t i, const struct value *values,
		   struct cell_store_bytes key, struct layout_key *ret, struct cell_error *err)
{
	const struct schema_key *columns = &table->indexes[i].key;
	bool has_tail = !rows_is_unique(table, i, values);
	size_t tail = has_tail ? key.len : 0, len;
	int r;

	layout_index(ret, table->id, table->indexes[i].id);
	r = row_key(table->schema, columns, values, columns->n, false, ret->bytes + ret->len,
		    CELL_STORE_KEY_MAX - LAYOUT_INDEX_SIZE - tail, &len, err);
	if (r < 0)
		return cell_wrap(err, r, "%s: index '%s'", table->name, columns->name);
	ret->len += len;
	if (has_tail)
		(void)layout_append(ret, key.at, key.len);
	return 0;
}

int rows_split(struct cell_store_bytes value, struct rows_row *ret, struct cell_error *err)
{
	if (value.len < RECORD_ROW_HEAD)
		return cell_fail(err, CELL_DATA_LOSS, "a row of %zu bytes in the store", value.len);
	ret->version = cell_load_u64(value.at);
	ret->bytes = (struct cell_store_bytes){ (const uint8_t *)value.at + RECORD_ROW_HEAD,
						value.len - RECORD_ROW_HEAD };
	return 0;
}

int rows_get(const struct view *view, const struct catalog_table *table,
	     struct cell_store_bytes key, struct rows_row *ret, struct cell_error *err)
{
	struct cell_store_bytes value;
	struct layout_key place;
	int r;

	rows_place(table, key, &place);
	r = cell_store_get(view->txn, layout_bytes(&place), &value, err);
	return r ? r : rows_split(value, ret, err);
}

static struct seal_place place_of(const struct catalog_table *table, size_t column,
				  struct cell_store_bytes key)
{
	return (struct seal_place){ .store = table->store,
				    .table = table->name,
				    .column = table->schema->columns[column].told->number,
				    .key = key.at,
				    .key_len = key.len };
}

int rows_decode(const struct view *view, const struct catalog_table *table,
		struct cell_store_bytes key, struct cell_store_bytes bytes, struct value *values,
		struct cell_arena *arena, struct cell_error *err)
{
	int r = row_decode(table->stored, bytes.at, bytes.len, values, arena, err);

	if (r == CELL_INVALID_ARGUMENT)
		return cell_wrap(err, CELL_DATA_LOSS, "a stored row of '%s'", table->name);
	for (size_t i = 0; r == 0 && table->has_sealed && i < table->schema->n_columns; i++) {
		const struct table_column *column = table->schema->columns[i].told;
		struct seal_place place = place_of(table, i, key);

		if (column->encrypted && values[i].kind != VALUE_NULL) {
			struct value sealed = values[i];

			r = unseal_value(view->seal, &place, column, &sealed, &values[i], arena, err);
		}
	}
	return r;
}

int rows_encode(const struct view *view, const struct catalog_table *table,
		struct cell_store_bytes key, const struct value *values, struct cell_arena *arena,
		struct cell_store_bytes *ret, struct cell_error *err)
{
	const struct value *stored = values;
	uint8_t *bytes, *end;
	size_t bound;
	int r = 0;

	if (table->has_sealed) {
		struct value *sealed = rows_values(table, arena);

		if (!sealed)
			return no_memory(err, table);
		memcpy(sealed, values, table->schema->n_columns * sizeof *sealed);
		for (size_t i = 0; r == 0 && i < table->schema->n_columns; i++) {
			const struct table_column *column = table->schema->columns[i].told;
			struct seal_place place = place_of(table, i, key);

			if (column->encrypted && values[i].kind != VALUE_NULL)
				r = seal_value(view->seal, &place, column, &values[i], &sealed[i],
					       arena, err);
		}
		stored = sealed;
	}
	if (r < 0)
		return r;
	bound = row_bound(table->stored, stored);
	bytes = cell_arena_alloc(arena, bound);
	if (!bytes)
		return no_memory(err, table);
	end = row_encode(table->stored, stored, bytes);
	*ret = (struct cell_store_bytes){ bytes, (size_t)(end - bytes) };
	return 0;
}

struct cell_store_bytes rows_wire_values(const struct catalog_table *table,
					 const struct value *values, struct cell_arena *arena)
{
	uint8_t *bytes = cell_arena_alloc(arena, row_bound(table->schema, values)), *end;

	if (!bytes)
		return (struct cell_store_bytes){ NULL, 0 };
	end = row_encode(table->schema, values, bytes);
	return (struct cell_store_bytes){ bytes, (size_t)(end - bytes) };
}

int rows_wire(const struct view *view, const struct catalog_table *table,
	      struct cell_store_bytes key, struct cell_store_bytes bytes, struct cell_arena *arena,
	      struct cell_store_bytes *ret, struct cell_error *err)
{
	struct value *values;
	int r;

	if (!table->has_sealed) {
		*ret = bytes;
		return 0;
	}
	values = rows_values(table, arena);
	if (!values)
		return no_memory(err, table);
	r = rows_decode(view, table, key, bytes, values, arena, err);
	if (r < 0)
		return r;
	*ret = rows_wire_values(table, values, arena);
	return ret->at ? 0 : no_memory(err, table);
}

const char *rows_print(const struct catalog_table *table, const struct value *values,
		       struct cell_arena *arena)
{
	const struct schema_key *key = &table->indexes[0].key;
	const char *text = key->n ? row_key_print(table->schema, key, values, arena) : NULL;
	char *all = text ? cell_arena_printf(arena, "%s with %s", table->name, text) : NULL;

	return all ? all : table->name;
}
