#include "apply.h"

#include <cell/cell.h>
#include <string.h>

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory to write a commit");
}

/* ---- counts ------------------------------------------------------------------------------- */

int apply_count(const struct view *view, const struct catalog_table *table, uint64_t *ret,
		struct cell_error *err)
{
	struct cell_store_bytes bytes;
	struct layout_key key;
	int r;

	layout_count(&key, table->id);
	r = cell_store_get(view->txn, layout_bytes(&key), &bytes, err);
	if (r < 0)
		return r;
	if (r == 0 && bytes.len != 8)
		return cell_fail(err, CELL_DATA_LOSS, "the count of %s makes no sense", table->name);
	*ret = r == 0 ? cell_load_u64(bytes.at) : 0;
	return 0;
}

int apply_set_count(const struct view *view, const struct catalog_table *table, uint64_t n,
		    struct cell_error *err)
{
	struct layout_key key;
	uint8_t bytes[8];

	layout_count(&key, table->id);
	cell_store_u64(bytes, n);
	return cell_store_put(view->txn, layout_bytes(&key),
			      (struct cell_store_bytes){ bytes, sizeof bytes }, err);
}

static bool is_effective(const struct draft_row *row)
{
	return row->is_changed && (row->before || row->after);
}

/* Once for each table that rows came to or went from. */
static int counts_write(struct draft *draft, struct cell_error *err)
{
	for (struct draft_row *row = draft->first; row; row = row->next) {
		int64_t more = 0;
		bool is_first = true;
		uint64_t n;
		int r;

		for (struct draft_row *other = draft->first; other != row; other = other->next)
			if (other->table == row->table) {
				is_first = false;
				break;
			}
		if (!is_first)
			continue;
		for (struct draft_row *other = row; other; other = other->next)
			if (other->table == row->table && is_effective(other))
				more += (other->after != NULL) - (other->before != NULL);
		if (more == 0)
			continue;
		r = apply_count(draft->view, row->table, &n, err);
		if (r == 0)
			r = apply_set_count(draft->view, row->table, n + (uint64_t)more, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- rows and their index entries ----------------------------------------------------------- */

static bool is_same(const struct layout_key *a, const struct layout_key *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/*
 * The entries of one side of ROW: those of `before` are taken out, those of `after` put in,
 * unless both sides have the same. All go before any come: rows may swap unique values.
 */
static int entries(struct draft *draft, const struct draft_row *row, bool is_after,
		   struct cell_error *err)
{
	const struct value *mine = is_after ? row->after : row->before;
	const struct value *other = is_after ? row->before : row->after;

	for (size_t i = 1; mine && i < row->table->n_indexes; i++) {
		struct layout_key place, also;
		int r = rows_index_key(row->table, i, mine, row->key, &place, err);

		if (r == 0 && other)
			r = rows_index_key(row->table, i, other, row->key, &also, err);
		if (r < 0)
			return r;
		if (other && is_same(&place, &also))
			continue;
		r = is_after ? cell_store_put(draft->view->txn, layout_bytes(&place), row->key, err)
			     : cell_store_delete(draft->view->txn, layout_bytes(&place), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int row_write(struct draft *draft, const struct draft_row *row, uint64_t version,
		     struct cell_store_bytes bytes, struct cell_error *err)
{
	struct layout_key place;
	uint8_t *value;
	int r;

	rows_place(row->table, row->key, &place);
	if (!row->after) {
		r = cell_store_delete(draft->view->txn, layout_bytes(&place), err);
		return r < 0 ? r : 0;
	}
	value = cell_arena_alloc(draft->arena, RECORD_ROW_HEAD + bytes.len);
	if (!value)
		return no_memory(err);
	cell_store_u64(value, version);
	if (bytes.len)
		memcpy(value + RECORD_ROW_HEAD, bytes.at, bytes.len);
	return cell_store_put(draft->view->txn, layout_bytes(&place),
			      (struct cell_store_bytes){ value, RECORD_ROW_HEAD + bytes.len }, err);
}

static int change_of(struct draft *draft, const struct draft_row *row, int64_t now_us,
		     struct record_change *ret, struct cell_error *err)
{
	*ret = (struct record_change){ .at_us = (uint64_t)now_us, .table = row->table->id,
				       .key = row->key, .before = row->stored };
	return row->after ? rows_encode(draft->view, row->table, row->key, row->after, draft->arena,
					&ret->after, err)
			  : 0;
}

static int log_write(struct draft *draft, uint64_t version, uint32_t n,
		     const struct record_change *change, struct cell_error *err)
{
	struct cell_store_bytes bytes = record_change_encode(change, draft->arena);
	struct layout_key key;

	if (!bytes.at)
		return no_memory(err);
	layout_change(&key, version, n);
	return cell_store_put(draft->view->txn, layout_bytes(&key), bytes, err);
}

int apply_draft(struct draft *draft, uint64_t version, int64_t now_us, uint64_t *ret_changes,
		struct cell_error *err)
{
	uint32_t n = 0;
	int r = 0;

	for (struct draft_row *row = draft->first; r == 0 && row; row = row->next)
		if (is_effective(row))
			r = entries(draft, row, false, err);
	for (struct draft_row *row = draft->first; r == 0 && row; row = row->next) {
		struct cell_arena_mark mark = cell_arena_mark(draft->arena);
		struct record_change change;

		if (!is_effective(row))
			continue;
		r = change_of(draft, row, now_us, &change, err);
		if (r == 0)
			r = entries(draft, row, true, err);
		if (r == 0)
			r = row_write(draft, row, version, change.after, err);
		if (r == 0)
			r = log_write(draft, version, n++, &change, err);
		cell_arena_rewind(draft->arena, mark);
	}
	if (r == 0)
		r = counts_write(draft, err);
	*ret_changes = n;
	return r;
}

/* ---- what is prepared ------------------------------------------------------------------------ */

int apply_records(struct draft *draft, int64_t now_us, struct record_change **ret, size_t *ret_n,
		  struct cell_error *err)
{
	struct record_change *changes =
		cell_arena_calloc(draft->arena, draft->n_changed, sizeof *changes);
	size_t n = 0;
	int r = 0;

	if (!changes)
		return no_memory(err);
	for (struct draft_row *row = draft->first; r == 0 && row; row = row->next)
		if (is_effective(row))
			r = change_of(draft, row, now_us, &changes[n++], err);
	*ret = changes;
	*ret_n = n;
	return r;
}

int apply_prepared(struct draft *draft, const struct record_prepared *record,
		   struct cell_error *err)
{
	for (size_t i = 0; i < record->n_changes; i++) {
		const struct record_change *change = &record->changes[i];
		const struct catalog_table *table = catalog_by_id(draft->view->catalog, change->table);
		struct value *values = NULL;
		struct draft_row *row;
		int r;

		if (!table)
			return cell_fail(err, CELL_DATA_LOSS,
					 "a prepared transaction is about a table that is gone");
		r = draft_row(draft, table, change->key, &row, err);
		if (r == 0 && change->after.at) {
			values = rows_values(table, draft->arena);
			r = !values ? no_memory(err)
				    : rows_decode(draft->view, table, change->key, change->after,
						  values, draft->arena, err);
		}
		if (r < 0)
			return r;
		draft_change(draft, row, values);
	}
	return 0;
}
