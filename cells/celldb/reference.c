#include "reference.h"

#include <cell/cell.h>
#include <string.h>

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for references");
}

/* A row of TABLE that has VALUE in COLUMN alone, to make keys of. */
static struct value *probe(struct draft *draft, const struct catalog_table *table, uint16_t column,
			   const struct value *value)
{
	struct value *values = rows_values(table, draft->arena);

	if (values)
		values[column] = *value;
	return values;
}

/* ---- what a row refers to --------------------------------------------------------------- */

static bool draft_has_value(const struct draft *draft, const struct catalog_table *table,
			    uint16_t column, const struct value *value)
{
	for (const struct draft_row *row = draft->first; row; row = row->next)
		if (row->table == table && row->is_changed && row->after &&
		    value_equal(&row->after[column], value))
			return true;
	return false;
}

/* Whether a row of the parent has VALUE once DRAFT is done: *ret. What it rests on is held. */
static int parent_is_there(struct draft *draft, const struct catalog_reference *reference,
			   const struct value *value, bool *ret, struct cell_error *err)
{
	const struct catalog_table *parent = reference->parent;
	struct value *values = probe(draft, parent, reference->parent_column, value);
	struct cell_store_bytes key, held;
	struct layout_key place;
	struct draft_row *row;
	int r;

	if (!values)
		return no_memory(err);
	if (reference->parent_index == 0) {
		r = rows_key(parent, values, draft->arena, &key, err);
		if (r < 0)
			return r;
		rows_place(parent, key, &place);
	} else {
		r = rows_index_key(parent, reference->parent_index, values,
				   (struct cell_store_bytes){ "", 0 }, &place, err);
		if (r == 0)
			r = cell_store_get(draft->view->txn, layout_bytes(&place), &key, err);
		if (r < 0)
			return r;
		if (r == CELL_STORE_ABSENT) {
			*ret = draft_has_value(draft, parent, reference->parent_column, value);
			return 0;
		}
	}
	held = layout_bytes(&place);
	r = draft_row(draft, parent, key, &row, err);
	if (r < 0)
		return r;
	*ret = row->after && value_equal(&row->after[reference->parent_column], value);
	if (!*ret && reference->parent_index)
		*ret = draft_has_value(draft, parent, reference->parent_column, value);
	if (*ret && !row->is_changed)
		return draft_hold(draft, held, false, parent, values, err);
	return 0;
}

static int parents_check(struct draft *draft, const struct draft_row *row, struct cell_error *err)
{
	for (size_t i = 0; i < row->table->n_references; i++) {
		const struct catalog_reference *reference = &row->table->references[i];
		const struct value *value = &row->after[reference->column];
		const struct table_column *column = row->table->schema->columns[reference->column].told;
		bool is_there;
		int r;

		if (value->kind == VALUE_NULL ||
		    (row->before && value_equal(&row->before[reference->column], value)))
			continue;
		r = parent_is_there(draft, reference, value, &is_there, err);
		if (r < 0)
			return r;
		if (!is_there)
			return cell_fail(err, CELL_FAILED_PRECONDITION,
					 "%s: %s refers to %s, and no %s has that %s",
					 rows_print(row->table, row->after, draft->arena), column->name,
					 value_print(value, column, draft->arena),
					 reference->parent->name,
					 reference->parent->schema->columns[reference->parent_column]
						 .told->name);
	}
	return 0;
}

/* ---- who refers to a row ------------------------------------------------------------------ */

struct keys {
	size_t n, room;
	struct cell_store_bytes *items;
};

static int keys_add(struct keys *keys, struct cell_store_bytes key, struct cell_arena *arena,
		    struct cell_error *err)
{
	uint8_t *copy = cell_arena_alloc(arena, key.len);

	if (keys->n == keys->room) {
		size_t room = keys->room ? 2 * keys->room : 16;
		struct cell_store_bytes *items = cell_arena_calloc(arena, room, sizeof *items);

		if (!items)
			return no_memory(err);
		if (keys->n)
			memcpy(items, keys->items, keys->n * sizeof *items);
		keys->items = items;
		keys->room = room;
	}
	if (!copy)
		return no_memory(err);
	if (keys->n >= DRAFT_ROWS_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "more than %d rows refer to one",
				 DRAFT_ROWS_MAX);
	if (key.len)
		memcpy(copy, key.at, key.len);
	keys->items[keys->n++] = (struct cell_store_bytes){ copy, key.len };
	return 0;
}

/* The keys of the rows in the store that have VALUE where REFERENCE begins. */
static int children(struct draft *draft, const struct catalog_reference *reference,
		    const struct value *value, struct keys *keys, struct cell_error *err)
{
	const struct catalog_table *child = reference->child;
	const struct catalog_index *index = &child->indexes[reference->child_index];
	struct value *values = probe(draft, child, reference->column, value);
	struct cell_store_bytes key, found;
	struct cell_store_cursor cursor;
	struct layout_key begin;
	size_t len;
	int r;

	if (!values)
		return no_memory(err);
	if (reference->child_index == 0)
		layout_rows(&begin, child->id);
	else
		layout_index(&begin, child->id, index->id);
	r = row_key(child->schema, &index->key, values, 1, false, begin.bytes + begin.len,
		    sizeof begin.bytes - begin.len, &len, err);
	if (r < 0)
		return r;
	begin.len += len;
	r = cell_store_cursor_open(draft->view->txn, &cursor, err);
	if (r < 0)
		return r;
	for (r = cell_store_seek(&cursor, layout_bytes(&begin), false, &key, &found, err);
	     r == 0 && layout_begins(key, &begin);
	     r = cell_store_next(&cursor, false, &key, &found, err)) {
		if (reference->child_index == 0)
			found = (struct cell_store_bytes){ (const uint8_t *)key.at + LAYOUT_ROWS_SIZE,
							   key.len - LAYOUT_ROWS_SIZE };
		r = keys_add(keys, found, draft->arena, err);
		if (r < 0)
			break;
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : 0;
}

static int refuse(struct draft *draft, const struct draft_row *row, const struct draft_row *child,
		  const struct catalog_reference *reference, struct cell_error *err)
{
	const struct table_column *column =
		child->table->schema->columns[reference->column].told;

	return cell_fail(err, CELL_FAILED_PRECONDITION, "%s is referred to by %s of %s",
			 rows_print(row->table, row->before, draft->arena), column->name,
			 rows_print(child->table, child->after, draft->arena));
}

static int set_null(struct draft *draft, struct draft_row *child,
		    const struct catalog_reference *reference, const struct draft_moment *moment,
		    struct cell_error *err)
{
	struct value *values = rows_values(child->table, draft->arena);
	int r;

	if (!values)
		return no_memory(err);
	memcpy(values, child->after, child->table->schema->n_columns * sizeof *values);
	values[reference->column] = (struct value){ .kind = VALUE_NULL };
	r = draft_finish(draft, child->table, values, false, moment, err);
	if (r == 0)
		draft_change(draft, child, values);
	return r;
}

/* ROW has given up the value that REFERENCE is about. */
static int child_check(struct draft *draft, struct draft_row *row,
		       const struct catalog_reference *reference, struct cell_store_bytes key,
		       const struct draft_moment *moment, struct cell_error *err)
{
	const struct value *value = &row->before[reference->parent_column];
	struct draft_row *child;
	int r = draft_row(draft, reference->child, key, &child, err);

	if (r < 0)
		return r;
	if (!child->after || !value_equal(&child->after[reference->column], value))
		return 0;
	if (row->after || reference->on_delete == TABLE_ON_DELETE_RESTRICT)
		return refuse(draft, row, child, reference, err);
	if (reference->on_delete == TABLE_ON_DELETE_SET_NULL)
		return set_null(draft, child, reference, moment, err);
	draft_change(draft, child, NULL);
	return 0;
}

static int referrers_check(struct draft *draft, struct draft_row *row,
			   const struct draft_moment *moment, struct cell_error *err)
{
	for (size_t i = 0; row->before && i < row->table->n_referrers; i++) {
		const struct catalog_reference *reference = row->table->referrers[i];
		const struct value *value = &row->before[reference->parent_column];
		struct keys keys = { 0 };
		bool is_there;
		int r;

		if (value->kind == VALUE_NULL ||
		    (row->after && value_equal(&row->after[reference->parent_column], value)))
			continue;
		/* Another row may have taken it over. */
		r = parent_is_there(draft, reference, value, &is_there, err);
		if (r == 0 && !is_there)
			r = children(draft, reference, value, &keys, err);
		for (size_t j = 0; r == 0 && j < keys.n; j++)
			r = child_check(draft, row, reference, keys.items[j], moment, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int reference_check(struct draft *draft, const struct draft_moment *moment, struct cell_error *err)
{
	struct draft_row *row;
	int r = 0;

	while (r == 0 && (row = draft_next_changed(draft)))
		r = referrers_check(draft, row, moment, err);
	for (row = draft->first; r == 0 && row; row = row->next)
		if (row->is_changed && row->after)
			r = parents_check(draft, row, err);
	return r;
}
