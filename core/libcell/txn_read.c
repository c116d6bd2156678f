#include "tables.h"

#include <cell/cell.h>
#include <errno.h>
#include <string.h>

/*
 * Reading in a transaction: its own writes first, then what the cell says, which is
 * remembered with its version.
 */

/* A row as the transaction itself has written it. Its bytes may be replaced: texts are
 * copied. */
static int give_own(struct cell_call *call, const struct cell_table *table, unsigned key,
		    const struct txn_write *write, const void *row, void *ret_row)
{
	struct table_row_type type = table_row_type_of(table);
	void *copy;
	int r;

	if (txn_write_deletes(write))
		return table_not_found(call, table, key, row);
	copy = cell_arena_alloc(&call->root->arena, table->row_size);
	if (!copy)
		return cell_refuse(call, -ENOMEM, "a row of %s", table->name);
	r = table_row_decode(&type, copy, write->bytes, write->len, 0, &call->root->arena,
			     &call->root->error);
	if (r == 0)
		memcpy(ret_row, copy, table->row_size);
	return r;
}

/* It was read before, as another: then the transaction cannot succeed, and had better know.
 */
static int lost(struct cell_call *call, const struct cell_table *table, unsigned key,
		const void *row)
{
	char text[CELL_ERROR_TEXT_MAX];

	call_txn(call)->has_lost = true;
	return cell_refuse(call, CELL_ABORTED, "%s with %s has changed since it was read",
			   table->name, table_key_print(table, key, row, text, sizeof text));
}

static int note_read(struct cell_call *call, const struct cell_table *table,
		     struct txn_named *named, const void *row, uint64_t version)
{
	int r = table_txn_add(call, table, named);

	if (r < 0)
		return r;
	if (named->row->was_read)
		return named->row->version == version ? 0 : lost(call, table, 0, row);
	named->row->was_read = true;
	named->row->version = version;
	named->row->table->party->n_reads++;
	return 0;
}

static int get_primary(struct cell_call *call, const struct cell_table *table,
		       const void *row, void *ret_row)
{
	struct table_fetched fetched;
	struct txn_named named;
	int r = table_txn_name(call, table, row, &named);

	if (r == 0 && !named.row)
		r = table_turn_take(call, named.hash);
	if (r < 0)
		return r;
	if (named.row && named.row->write)
		return give_own(call, table, 0, named.row->write, row, ret_row);
	r = table_fetch(call, table, 0, row, &fetched);
	if (r == 0)
		r = note_read(call, table, &named, row, fetched.version);
	if (r < 0)
		return r;
	if (!fetched.found)
		return table_not_found(call, table, 0, row);
	memcpy(ret_row, fetched.row, table->row_size);
	return 0;
}

/* Whether one of the transaction's own rows has the KEY that ROW has. */
static int find_own(struct cell_call *call, const struct cell_table *table, unsigned key,
		    const void *row, void *ret_row)
{
	struct txn_table *where = table_txn_table(call, table);
	struct cell_arena *arena = &call->root->arena;

	if (!where)
		return CELL_RESOURCE_EXHAUSTED;
	if (!where->n_writes)
		return CELL_NOT_FOUND;
	for (struct txn_row *own = call_txn(call)->rows; own; own = own->next) {
		struct cell_arena_mark mark = cell_arena_mark(arena);
		void *copy = cell_arena_alloc(arena, table->row_size);
		int r;

		if (!copy)
			return cell_refuse(call, -ENOMEM, "a row of %s", table->name);
		if (own->table != where || !own->write || txn_write_deletes(own->write)) {
			cell_arena_rewind(arena, mark);
			continue;
		}
		r = give_own(call, table, key, own->write, row, copy);
		if (r < 0)
			return r;
		if (table_key_compare(table, key, table->keys[key].n, copy, row) == 0) {
			memcpy(ret_row, copy, table->row_size);
			return 0;
		}
		cell_arena_rewind(arena, mark);
	}
	return CELL_NOT_FOUND;
}

/*
 * There is none with that unique value: what says so is a range, and its mark comes with a
 * scan. Should one have come up meanwhile, the transaction has seen two different things.
 */
static int read_nothing(struct cell_call *call, const struct cell_table *table, unsigned key,
			const void *row)
{
	unsigned n = table->keys[key].n;
	struct cell_cursor cursor = cell_table_scan(
		call, table,
		&(struct cell_scan){
			.key = key, .from = row, .n_from = n, .to = row, .n_to = n });
	bool found = cell_cursor_next(&cursor) != NULL;
	int r = cell_cursor_end(&cursor);

	return r < 0   ? r
	       : found ? lost(call, table, key, row)
		       : table_not_found(call, table, key, row);
}

static int get_unique(struct cell_call *call, const struct cell_table *table, unsigned key,
		      const void *row, void *ret_row)
{
	struct table_fetched fetched;
	struct txn_named named;
	int r = find_own(call, table, key, row, ret_row);

	if (r != CELL_NOT_FOUND)
		return r;
	r = table_fetch(call, table, key, row, &fetched);
	if (r < 0)
		return r;
	if (!fetched.found)
		return read_nothing(call, table, key, row);
	r = table_txn_name(call, table, fetched.row, &named);
	if (r == 0)
		r = note_read(call, table, &named, fetched.row, fetched.version);
	if (r < 0)
		return r;
	/* This one has another value by now, or is gone. */
	if (named.row->write)
		return table_not_found(call, table, key, row);
	memcpy(ret_row, fetched.row, table->row_size);
	return 0;
}

int table_txn_get(struct cell_call *call, const struct cell_table *table, unsigned key,
		  const void *row, void *ret_row)
{
	if (call->root->tables->is_broken)
		return table_txn_broken(call);
	return key ? get_unique(call, table, key, row, ret_row)
		   : get_primary(call, table, row, ret_row);
}

int table_txn_add_range(struct cell_call *call, const struct cell_table *table,
			const struct table_scan_request *scan, const uint8_t *mark,
			size_t mark_len)
{
	struct call_tables *tables = call->root->tables;
	struct txn_table *where = table_txn_table(call, table);
	struct txn_range *range = cell_arena_alloc(&tables->arena, sizeof *range);
	size_t from_len = scan->n_from, to_len = scan->n_to;
	uint8_t *bytes = cell_arena_alloc(&tables->arena, from_len + to_len + mark_len);

	if (!where || !range || !bytes)
		return table_txn_too_large(call);
	*range = (struct txn_range){ .next = tables->txn.ranges,
				     .table = where,
				     .scan = *scan };
	range->scan.table = NULL;
	range->scan.from = bytes;
	range->scan.to = bytes + from_len;
	range->mark = bytes + from_len + to_len;
	range->mark_len = mark_len;
	if (from_len)
		memcpy(bytes, scan->from, from_len);
	if (to_len)
		memcpy(bytes + from_len, scan->to, to_len);
	if (mark_len)
		memcpy(bytes + from_len + to_len, mark, mark_len);
	tables->txn.ranges = range;
	where->party->n_ranges++;
	return 0;
}
