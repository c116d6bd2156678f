#include "conflict.h"

#include "record.h"

#include <cell/cell.h>
#include <string.h>

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for a commit");
}

/* Whether one change of the log is in RANGE: before or after it. */
static int change_is_in(const struct view *view, const struct range *range,
			const struct record_change *change, struct cell_arena *arena, bool *ret,
			struct cell_error *err)
{
	const struct cell_store_bytes *sides[] = { &change->before, &change->after };
	int r = 0;

	*ret = false;
	for (size_t i = 0; r == 0 && !*ret && i < 2; i++) {
		struct value *values = rows_values(range->table, arena);

		if (!sides[i]->at)
			continue;
		if (!values)
			return no_memory(err);
		r = rows_decode(view, range->table, change->key, *sides[i], values, arena, err);
		if (r == 0)
			r = range_has(range, values, change->key, arena, ret, err);
	}
	return r;
}

static int in_change(const struct view *view, const struct range *range,
		     struct cell_store_bytes value, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_arena_mark mark = cell_arena_mark(arena);
	struct record_change change;
	bool is_in = false;
	int r = record_change_decode(&change, value, err);

	if (r == 0 && change.table == range->table->id)
		r = change_is_in(view, range, &change, arena, &is_in, err);
	cell_arena_rewind(arena, mark);
	if (r == 0 && is_in)
		r = cell_fail(err, CELL_ABORTED, "rows of %s that were read have changed since",
			      range->table->name);
	return r;
}

int conflict_since(const struct view *view, const struct range *range, uint64_t mark,
			      uint64_t log_from, struct cell_arena *arena, struct cell_error *err)
{
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	struct layout_key from;
	uint64_t version;
	uint32_t n;
	int r;

	if (mark < log_from || mark < range->table->log_from)
		return cell_fail(err, CELL_ABORTED,
				 "%s was read too long ago to know what has changed since",
				 range->table->name);
	layout_change(&from, mark + 1, 0);
	r = cell_store_cursor_open(view->txn, &cursor, err);
	if (r < 0)
		return r;
	for (r = cell_store_seek(&cursor, layout_bytes(&from), false, &key, &value, err);
	     r == 0 && layout_read_change(key, &version, &n);
	     r = cell_store_next(&cursor, false, &key, &value, err)) {
		r = in_change(view, range, value, arena, err);
		if (r < 0)
			break;
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : 0;
}

int conflict_range(struct draft *draft, const struct range *range, struct cell_error *err)
{
	const struct participant *other = participants_first(draft->participants);
	char name[64];

	for (; other; other = other->next)
		for (size_t i = 0; i < other->record.n_changes; i++) {
			bool is_in = false;
			int r = 0;

			if (other->record.changes[i].table == range->table->id)
				r = change_is_in(draft->view, range, &other->record.changes[i],
						 draft->arena, &is_in, err);
			if (r < 0)
				return r;
			if (is_in)
				return cell_fail(err, CELL_ABORTED,
						 "rows of %s are in the hands of %s, which is not "
						 "decided", range->table->name,
						 participant_name(other, name));
		}
	return 0;
}

int conflict_lock_range(struct draft *draft, const struct range *range, struct cell_error *err)
{
	struct record_range *to = &draft->ranges[draft->n_ranges];
	uint8_t *low = cell_arena_alloc(draft->arena, range->low.len);
	uint8_t *high = cell_arena_alloc(draft->arena, range->high.len);

	if (!low || !high)
		return no_memory(err);
	memcpy(low, range->low.bytes, range->low.len);
	memcpy(high, range->high.bytes, range->high.len);
	*to = (struct record_range){ .table = range->table->id,
				     .index = range->table->indexes[range->index].id,
				     .low = { low, range->low.len },
				     .high = { high, range->high.len } };
	draft->n_ranges++;
	return 0;
}

int conflict_row(struct draft *draft, const struct draft_row *row,
			const struct value *values, struct cell_error *err)
{
	const struct participant *other = participants_first(draft->participants);
	const struct catalog_table *table = row->table;
	char name[64];

	for (; other; other = other->next)
		for (size_t i = 0; i < other->record.n_ranges; i++) {
			const struct record_range *range = &other->record.ranges[i];
			struct range as = { .table = table };
			bool is_in = false;
			int r;

			while (as.index < table->n_indexes &&
			       table->indexes[as.index].id != range->index)
				as.index++;
			if (range->table != table->id || as.index == table->n_indexes)
				continue;
			as.low.len = as.high.len = 0;
			(void)layout_append(&as.low, range->low.at, range->low.len);
			(void)layout_append(&as.high, range->high.at, range->high.len);
			r = range_has(&as, values, row->key, draft->arena, &is_in, err);
			if (r < 0)
				return r;
			if (is_in)
				return cell_fail(err, CELL_ABORTED,
						 "%s is in the hands of %s, which is not decided",
						 rows_print(table, values, draft->arena),
						 participant_name(other, name));
		}
	return 0;
}
