#include "alter_rows.h"

#include <cell/cell.h>
#include <cell/internal/table/expression.h>
#include <string.h>

struct work {
	struct alter *alter;
	struct view view;
	bool rewrites;
	uint64_t rows;
	/* the row at hand */
	struct cell_store_bytes key;
	struct rows_row row;
	struct value *was, *is;
	const bool *unfit; /* by column of the new schema */
};

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory to change a table");
}

/* ---- whether it is needed ----------------------------------------------------------------- */

static bool rewrites(const struct alter *alter, const struct migration_step *step)
{
	const struct schema_column *column;

	switch (step->kind) {
	case MIGRATION_ADD_COLUMN:
		column = &alter->after.schema->columns[step->after];
		return column->fallback != SCHEMA_FALLBACK_NONE || column->computed;
	case MIGRATION_DROP_COLUMN:
	case MIGRATION_RETYPE_COLUMN:
	case MIGRATION_SET_REQUIRED:
	case MIGRATION_SET_COMPUTED:
	case MIGRATION_SET_ENCRYPTED: return true;
	default: return false;
	}
}

/* ---- one row ------------------------------------------------------------------------------ */

/* The row by the new schema, as far as there are values for it. */
static int row_convert(struct work *work, bool *unfit, struct cell_error *err)
{
	struct alter *alter = work->alter;
	const struct schema *before = alter->before->schema, *after = alter->after.schema;
	struct draft_moment moment = { .now_us = alter->engine->now_us,
				       .fill_random = alter->engine->options.fill_random };
	struct row_moment finish = { .now_us = moment.now_us };
	int r;

	for (size_t i = 0; i < after->n_columns; i++) {
		const struct table_column *is = after->columns[i].told;
		int was = schema_column_by_number(before, is->number);

		if (was < 0)
			draft_fall_back(&after->columns[i], &moment, alter->arena, &work->is[i]);
		else if (work->was[was].kind != VALUE_NULL)
			unfit[i] = !migration_convert(before->columns[was].told, is,
						      &work->was[was], &work->is[i]);
	}
	if (alter->after.has_uuid)
		moment.fill_random(finish.random);
	r = row_finish(after, work->is, false, &finish, alter->arena, err);
	if (r == -ENOMEM)
		return r;
	if (r < 0 && !alter->row_error.code)
		alter->row_error = *err;
	work->unfit = unfit;
	return 0;
}

static bool violates(struct work *work, int check)
{
	struct cell_error err;
	struct value value;

	if (expression_value(work->alter->after.schema->checks[check], work->is, &value,
			     work->alter->arena, &err) < 0)
		return true;
	return value.kind == VALUE_BOOL && !value.boolean;
}

/* Whether what the row refers to is not there. The table itself is looked at as it was. */
static int is_orphan(struct work *work, const struct table_reference *told, bool *ret,
		     struct cell_error *err)
{
	struct alter *alter = work->alter;
	const struct catalog_table *parent =
		catalog_by_name(work->view.catalog, alter->after.is_shared, alter->after.store,
				told->table);
	int column = schema_column_by_number(alter->after.schema, told->column), target;
	struct cell_store_bytes found;
	struct layout_key place;
	struct value *values;
	size_t index = 0;
	int r;

	*ret = false;
	if (column < 0 || work->is[column].kind == VALUE_NULL)
		return 0;
	*ret = true;
	if (!parent)
		return 0;
	target = *told->ref_column ? schema_column_by_name(parent->schema, told->ref_column)
				   : parent->indexes[0].key.columns[0];
	while (index < parent->n_indexes &&
	       !(parent->indexes[index].key.n == 1 &&
		 parent->indexes[index].key.columns[0] == target &&
		 (index == 0 || parent->indexes[index].key.is_unique)))
		index++;
	values = rows_values(parent, alter->arena);
	if (!values)
		return no_memory(err);
	if (target < 0 || index == parent->n_indexes)
		return 0;
	values[target] = work->is[column];
	if (index) {
		r = rows_index_key(parent, index, values, (struct cell_store_bytes){ "", 0 }, &place,
				   err);
	} else {
		r = rows_key(parent, values, alter->arena, &found, err);
		if (r == 0)
			rows_place(parent, found, &place);
	}
	if (r == 0)
		r = cell_store_get(work->view.txn, layout_bytes(&place), &found, err);
	*ret = r == CELL_STORE_ABSENT;
	return r < 0 ? r : 0;
}

static int step_count(struct work *work, struct migration_step *step, struct cell_error *err)
{
	const struct value *was = step->before >= 0 && work->was ? &work->was[step->before] : NULL;
	bool counts = false;
	int r = 0;

	switch (step->count) {
	case MIGRATION_COUNT_NOTHING:
	case MIGRATION_COUNT_DUPLICATES: break;
	case MIGRATION_COUNT_ROWS: counts = true; break;
	case MIGRATION_COUNT_HELD:
		counts = was && was->kind != VALUE_NULL && !(was->kind == VALUE_LIST && !was->len);
		break;
	case MIGRATION_COUNT_NULLS: counts = was && was->kind == VALUE_NULL; break;
	case MIGRATION_COUNT_UNFIT: counts = work->unfit[step->after]; break;
	case MIGRATION_COUNT_VIOLATIONS: counts = violates(work, step->after); break;
	case MIGRATION_COUNT_ORPHANS:
		r = is_orphan(work, &work->alter->after.schema->told->references[step->after],
			      &counts, err);
		break;
	}
	step->n += r == 0 && counts;
	return r;
}

static void duplicate(struct work *work, const struct schema_key *key)
{
	struct migration *migration = &work->alter->migration;

	for (size_t i = 0; i < migration->n_steps; i++)
		if (migration->steps[i].count == MIGRATION_COUNT_DUPLICATES &&
		    migration->after->keys[migration->steps[i].after].columns == key->columns)
			migration->steps[i].n++;
}

static int entries_add(struct work *work, struct cell_error *err)
{
	struct alter *alter = work->alter;
	int r = 0;

	for (size_t i = 1; r == 0 && alter->has_new && i < alter->after.n_indexes; i++) {
		struct cell_store_bytes other;
		struct layout_key place;

		if (!alter->is_new[i])
			continue;
		r = rows_index_key(&alter->after, i, work->is, work->key, &place, err);
		if (r == CELL_INVALID_ARGUMENT) {
			if (!alter->row_error.code)
				alter->row_error = *err;
			r = 0;
			continue;
		}
		if (r == 0)
			r = cell_store_get(work->view.txn, layout_bytes(&place), &other, err);
		if (r == 0)
			duplicate(work, &alter->after.indexes[i].key);
		else if (r == CELL_STORE_ABSENT)
			r = cell_store_put(work->view.txn, layout_bytes(&place), work->key, err);
	}
	return r;
}

static int rewrite(struct work *work, struct cell_error *err)
{
	struct alter *alter = work->alter;
	struct cell_store_bytes bytes;
	struct layout_key place;
	uint8_t *value;
	int r = rows_encode(&work->view, &alter->after, work->key, work->is, alter->arena, &bytes, err);

	if (r < 0)
		return r;
	value = cell_arena_alloc(alter->arena, RECORD_ROW_HEAD + bytes.len);
	if (!value)
		return no_memory(err);
	cell_store_u64(value, work->row.version);
	if (bytes.len)
		memcpy(value + RECORD_ROW_HEAD, bytes.at, bytes.len);
	rows_place(&alter->after, work->key, &place);
	return cell_store_put(work->view.txn, layout_bytes(&place),
			      (struct cell_store_bytes){ value, RECORD_ROW_HEAD + bytes.len }, err);
}

/* KEY and VALUE are copies. */
static int row_alter(struct work *work, struct cell_error *err)
{
	struct alter *alter = work->alter;
	bool *unfit = cell_arena_calloc(alter->arena, alter->after.schema->n_columns, sizeof *unfit);
	int r;

	work->was = rows_values(alter->before, alter->arena);
	work->is = rows_values(&alter->after, alter->arena);
	if (!unfit || !work->was || !work->is)
		return no_memory(err);
	r = rows_decode(&work->view, alter->before, work->key, work->row.bytes, work->was,
			alter->arena, err);
	if (r == 0)
		r = row_convert(work, unfit, err);
	for (size_t i = 0; r == 0 && i < alter->migration.n_steps; i++)
		r = step_count(work, &alter->migration.steps[i], err);
	if (r == 0)
		r = entries_add(work, err);
	if (r == 0 && work->rewrites && !alter->row_error.code)
		r = rewrite(work, err);
	return r;
}

/* ---- all rows ----------------------------------------------------------------------------- */

static int copy(struct cell_arena *arena, struct cell_store_bytes from, struct cell_store_bytes *ret,
		struct cell_error *err)
{
	uint8_t *at = cell_arena_alloc(arena, from.len);

	if (!at)
		return no_memory(err);
	if (from.len)
		memcpy(at, from.at, from.len);
	*ret = (struct cell_store_bytes){ at, from.len };
	return 0;
}

static int entry_alter(struct work *work, struct cell_store_bytes key, struct cell_store_bytes value,
		       struct cell_error *err)
{
	struct cell_arena *arena = work->alter->arena;
	struct cell_store_bytes own = { (const uint8_t *)key.at + LAYOUT_ROWS_SIZE,
					key.len - LAYOUT_ROWS_SIZE };
	int r = copy(arena, own, &work->key, err);

	/* Writing moves what the store gave. */
	if (r == 0)
		r = copy(arena, value, &value, err);
	if (r == 0)
		r = rows_split(value, &work->row, err);
	return r < 0 ? r : row_alter(work, err);
}

int alter_rows(struct alter *alter, struct cell_error *err)
{
	struct work work = { .alter = alter, .view = alter->engine->view };
	bool is_needed = alter->has_new;
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	struct layout_key begin;
	int r;

	for (size_t i = 0; i < alter->migration.n_steps; i++) {
		work.rewrites = work.rewrites || rewrites(alter, &alter->migration.steps[i]);
		is_needed = is_needed || alter->migration.steps[i].count != MIGRATION_COUNT_NOTHING;
	}
	if (!alter->before || !(is_needed || work.rewrites))
		return 0;
	if (work.rewrites)
		alter->after.log_from = alter->engine->meta.version;
	layout_rows(&begin, alter->before->id);
	r = cell_store_cursor_open(&alter->engine->txn, &cursor, err);
	if (r < 0)
		return r;
	for (r = cell_store_seek(&cursor, layout_bytes(&begin), false, &key, &value, err);
	     r == 0 && layout_begins(key, &begin);
	     r = cell_store_next(&cursor, false, &key, &value, err)) {
		struct cell_arena_mark mark = cell_arena_mark(alter->arena);

		r = entry_alter(&work, key, value, err);
		cell_arena_rewind(alter->arena, mark);
		if (r < 0)
			break;
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : 0;
}

int alter_drop(struct engine *engine, const struct layout_key *begin, struct cell_error *err)
{
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	int r = cell_store_cursor_open(&engine->txn, &cursor, err);

	if (r < 0)
		return r;
	for (r = cell_store_seek(&cursor, layout_bytes(begin), false, &key, &value, err);
	     r == 0 && layout_begins(key, begin);
	     r = cell_store_next(&cursor, false, &key, &value, err)) {
		struct layout_key place = { .len = 0 };

		(void)layout_append(&place, key.at, key.len);
		r = cell_store_delete(&engine->txn, layout_bytes(&place), err);
		if (r < 0)
			break;
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : 0;
}
