#include "tables.h"

#include <cell/stream.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A cursor over rows of a table: what the cell sends, in items of several rows, and between
 * them, in a transaction, what that has written itself. A row is decoded where it lies in the
 * item, when it is asked for; memory is that of one item.
 */

struct scan {
	struct cursor cursor;
	const struct cell_table *table;
	unsigned key;
	bool is_backwards;
	uint64_t left; /* rows that may be given; UINT64_MAX = all */
	struct table_scan_request request;
	struct cell_stream *stream;
	bool is_provisioned;

	const struct table_rows *item;
	size_t at; /* the item's next row */
	uint64_t n_received;
	uint8_t *mark; /* of the last item that had one, in `arena` */
	size_t mark_len, mark_room;
	bool has_mark, has_ended;
	void *row; /* the cell's next one, if it is there already */
	bool has_row;
	void *buffer;

	void **own; /* structs, in the order of the scan */
	size_t n_own, own_at;
	uint64_t number; /* the transaction's writes up to this one count */
	bool hides;      /* some of the cell's rows are the transaction's */

	struct cell_arena arena;     /* the cursor's */
	struct cell_arena row_arena; /* the row's */
};

/* --- a transaction's own rows
 * ------------------------------------------------------------------ */

struct order {
	const struct cell_table *table;
	unsigned key;
	bool is_backwards;
};

static int rows_compare(const struct order *order, const void *a, const void *b)
{
	const struct cell_table *table = order->table;
	int r = table_key_compare(table, order->key, table->keys[order->key].n, a, b);

	if (r == 0)
		r = table_key_compare(table, 0, table->keys[0].n, a, b);
	return order->is_backwards ? -r : r;
}

static int own_order(const void *a, const void *b, void *order)
{
	return rows_compare(order, *(void *const *)a, *(void *const *)b);
}

static bool is_within(const struct cell_table *table, const struct cell_scan *scan,
		      const void *row)
{
	if (scan->is_prefix)
		return table_key_has_prefix(table, scan->key, scan->n_from, scan->from, row);
	if (scan->n_from &&
	    table_key_compare(table, scan->key, scan->n_from, row, scan->from) < 0)
		return false;
	return !scan->n_to ||
	       table_key_compare(table, scan->key, scan->n_to, row, scan->to) <= 0;
}

static int own_add(struct scan *scan, const struct cell_scan *range,
		   const struct txn_write *write)
{
	struct table_row_type type = table_row_type_of(scan->table);
	void *row = cell_arena_alloc(&scan->arena, type.size);
	struct cell_error *err = &scan->cursor.call.root->error;
	int r;

	if (!row)
		return cell_fail(err, -ENOMEM, "a row of %s", type.name);
	r = table_row_decode(&type, row, write->bytes, write->len, 0, &scan->arena, err);
	if (r == 0 && is_within(scan->table, range, row))
		scan->own[scan->n_own++] = row;
	return r;
}

static int own_collect(struct scan *scan, const struct cell_scan *range, struct txn *txn)
{
	struct cell_call *call = &scan->cursor.call;
	struct txn_table *where = table_txn_table(call, scan->table);
	struct order order = { scan->table, scan->key, scan->is_backwards };
	int r = 0;

	if (!where)
		return CELL_RESOURCE_EXHAUSTED;
	txn->frozen = scan->number = txn->n_writes;
	if (!where->n_writes)
		return 0;
	scan->hides = true;
	scan->own = cell_arena_calloc(&scan->arena, where->n_writes, sizeof *scan->own);
	if (!scan->own)
		return cell_refuse(call, -ENOMEM, "a cursor over what was written");
	for (struct txn_row *row = txn->rows; row && r == 0; row = row->next)
		if (row->table == where && row->write &&
		    row->write->kind != TABLE_WRITE_KIND_REMOVE)
			r = own_add(scan, range, row->write);
	qsort_r(scan->own, scan->n_own, sizeof *scan->own, own_order, &order);
	/* Each of them may stand for one of the cell's rows. */
	if (scan->request.limit)
		scan->request.limit += where->n_writes;
	return r;
}

/* Whether ROW, which the cell sent, is the transaction's since before the cursor began. */
static int is_hidden(struct scan *scan, const void *row)
{
	struct cell_call *call = &scan->cursor.call;
	struct cell_arena_mark mark = cell_arena_mark(&scan->arena);
	const struct cell_table *table = scan->table;
	const struct txn_row *own;
	const uint8_t *key;
	size_t len;
	int r;

	if (!scan->hides)
		return 0;
	r = table_key_bytes(call, table, 0, table->keys[0].n, row, &scan->arena, &key, &len);
	if (r < 0)
		return r;
	own = table_txn_find(&call->root->tables->txn, table, table_key_hash(call, table, key, len),
			     key, len);
	cell_arena_rewind(&scan->arena, mark);
	return own && table_txn_write_at(own, scan->number) != NULL;
}

/* --- the cell's rows
 * ------------------------------------------------------------------------------ */

static int mark_keep(struct scan *scan, const uint8_t *mark, size_t len)
{
	if (len > scan->mark_room) {
		scan->mark = cell_arena_alloc(&scan->arena, len);
		if (!scan->mark)
			return cell_refuse(&scan->cursor.call, -ENOMEM, "a mark of %zu bytes",
					   len);
		scan->mark_room = len;
	}
	memcpy(scan->mark, mark, len);
	scan->mark_len = len;
	scan->has_mark = true;
	return 0;
}

static void open_stream(struct scan *scan)
{
	scan->stream = cell_stream_open(&scan->cursor.call, scan->table->ref,
					&table_tables_methods[TABLES_SCAN], &scan->request);
}

/* 1: there is another item. 0: no more. */
static int item_receive(struct scan *scan)
{
	struct cell_call *call = &scan->cursor.call;
	int r;

	if (scan->has_ended)
		return 0;
	scan->item = cell_stream_recv(scan->stream);
	scan->at = 0;
	if (!scan->item) {
		r = table_cursor_end_stream(&scan->cursor, scan->stream);
		scan->stream = NULL;
		scan->has_ended = true;
		if (r < 0 && !scan->n_received && !scan->is_provisioned &&
		    tables_provisioned(call, scan->table->ref, r)) {
			scan->is_provisioned = true;
			scan->has_ended = false;
			open_stream(scan);
			return item_receive(scan);
		}
		return r;
	}
	if (scan->item->n_versions != scan->item->n_rows)
		return cell_refuse(call, CELL_INTERNAL, "%s: %zu rows with %zu versions",
				   scan->table->name, scan->item->n_rows,
				   scan->item->n_versions);
	scan->n_received += scan->item->n_rows;
	if (scan->request.counts && scan->item->n_mark) {
		r = mark_keep(scan, scan->item->mark, scan->item->n_mark);
		return r < 0 ? r : 1;
	}
	scan->has_mark = false;
	return 1;
}

/* The cell's next row into `row`. 1, or 0 at the end. */
static int row_receive(struct scan *scan)
{
	struct table_row_type type = table_row_type_of(scan->table);
	struct cell_call *call = &scan->cursor.call;
	const struct cell_bytes *bytes;
	int r;

	while (!scan->item || scan->at == scan->item->n_rows) {
		r = item_receive(scan);
		if (r <= 0)
			return r;
	}
	cell_arena_reset(&scan->row_arena);
	bytes = &scan->item->rows[scan->at];
	r = table_row_decode(&type, scan->buffer, bytes->at, bytes->len, CELL_DECODE_IN_PLACE,
			     &scan->row_arena, &call->root->error);
	if (r == 0 && !scan->cursor.is_of_txn)
		r = table_version_note(call, scan->table, scan->buffer,
				       scan->item->versions[scan->at]);
	scan->at++;
	return r < 0 ? r : 1;
}

static int row_ready(struct scan *scan)
{
	while (!scan->has_row) {
		int r = row_receive(scan);

		if (r <= 0)
			return r;
		r = is_hidden(scan, scan->buffer);
		if (r < 0)
			return r;
		scan->has_row = r == 0;
	}
	return 1;
}

/* --- the cursor
 * ------------------------------------------------------------------------------------ */

static void *scan_next(struct cursor *cursor, int *err)
{
	struct scan *scan = cell_container_of(cursor, struct scan, cursor);
	struct order order = { scan->table, scan->key, scan->is_backwards };
	bool has_own = scan->own_at < scan->n_own;
	int r;

	if (!scan->left)
		return NULL;
	r = row_ready(scan);
	if (r < 0)
		*err = r;
	if (r < 0 || (!scan->has_row && !has_own))
		return NULL;
	if (scan->left != UINT64_MAX)
		scan->left--;
	if (has_own && (!scan->has_row ||
			rows_compare(&order, scan->own[scan->own_at], scan->buffer) < 0))
		return scan->own[scan->own_at++];
	scan->has_row = false;
	return scan->buffer;
}

/* What was received counts as read: also rows of the last item that nobody asked for. */
static int range_add(struct scan *scan)
{
	struct table_scan_request read = scan->request;
	int r = 0;

	while (!scan->has_mark && !scan->has_ended && r >= 0 && scan->n_received)
		r = item_receive(scan);
	if (r < 0)
		return r;
	if (!scan->item && !scan->has_ended && !scan->n_received)
		return 0; /* nothing was read */
	if (!scan->has_mark)
		return cell_refuse(&scan->cursor.call, CELL_INTERNAL,
				   "%s: what a cursor read has no mark", scan->table->name);
	if (!scan->has_ended && !scan->n_received)
		return 0;
	if (!scan->has_ended)
		read.limit = scan->n_received;
	return table_txn_add_range(&scan->cursor.call, scan->table, &read, scan->mark,
				   scan->mark_len);
}

static int scan_stop(struct cursor *cursor, bool counts)
{
	struct scan *scan = cell_container_of(cursor, struct scan, cursor);
	int r = 0;

	if (counts && cursor->is_of_txn)
		r = range_add(scan);
	if (scan->stream)
		(void)table_cursor_end_stream(cursor, scan->stream);
	cell_arena_deinit(&scan->arena);
	cell_arena_deinit(&scan->row_arena);
	return r;
}

static int scan_begin(struct scan *scan, const struct cell_table *table,
		      const struct cell_scan *range)
{
	struct cell_call *call = &scan->cursor.call;
	struct table_scan_request *request = &scan->request;
	struct table_table_ref *ref = cell_arena_alloc(&scan->arena, sizeof *ref);
	int r;

	scan->buffer = cell_arena_alloc(&scan->arena, table->row_size);
	if (!scan->buffer || !ref)
		return cell_refuse(call, -ENOMEM, "a cursor over %s", table->name);
	*ref = table_ref_of(table);
	*request = (struct table_scan_request){
		.table = ref,
		.index = range->key,
		.prefix = range->is_prefix,
		.backwards = range->is_backwards,
		.limit = range->limit,
		.where = "",
		.counts = scan->cursor.is_of_txn,
	};
	r = table_key_bytes(call, table, range->key, range->n_from, range->from, &scan->arena,
			    &request->from, &request->n_from);
	if (r == 0)
		r = table_key_bytes(call, table, range->key, range->n_to, range->to,
				    &scan->arena, &request->to, &request->n_to);
	if (r == 0 && scan->cursor.is_of_txn)
		r = own_collect(scan, range, &call->root->tables->txn);
	return r;
}

struct cell_cursor cell_table_scan(struct cell_call *call, const struct cell_table *table,
				   const struct cell_scan *range)
{
	struct cursor *cursor = table_cursor_new(call, sizeof(struct scan));
	struct scan *scan;
	int r;

	if (!cursor)
		return table_cursor_failed(call, -ENOMEM);
	scan = cell_container_of(cursor, struct scan, cursor);
	scan->table = table;
	scan->key = range->key;
	scan->is_backwards = range->is_backwards;
	scan->left = range->limit ? range->limit : UINT64_MAX;
	cell_arena_init(&scan->arena, 0);
	cell_arena_init(&scan->row_arena, 0);
	r = scan_begin(scan, table, range);
	if (r < 0) {
		cell_arena_deinit(&scan->arena);
		return table_cursor_drop(cursor, r);
	}
	cursor->next = scan_next;
	cursor->stop = scan_stop;
	open_stream(scan);
	return table_cursor_begun(cursor);
}

/* --- counting
 * --------------------------------------------------------------------------------------- */

/* Whether ROW was there before the transaction wrote it: asked for if it is not known. */
static int was_there(struct cell_call *call, const struct cell_table *table,
		     struct txn_row *row, bool *ret)
{
	const struct txn_write *first = row->write;
	struct table_row_type type = table_row_type_of(table);
	struct cell_arena *arena = cell_arena(call);
	struct table_fetched fetched;
	void *key;
	int r;

	while (first->previous)
		first = first->previous;
	*ret = row->was_read ? row->version != 0 : first->kind != TABLE_WRITE_KIND_INSERT;
	if (row->was_read || first->kind != TABLE_WRITE_KIND_PUT)
		return 0;
	key = cell_arena_alloc(arena, type.size);
	if (!key)
		return cell_refuse(call, -ENOMEM, "counting %s", type.name);
	r = table_row_decode(&type, key, row->key, row->key_len, 0, arena,
			     &call->root->error);
	if (r == 0)
		r = table_fetch(call, table, 0, key, &fetched);
	if (r < 0)
		return r;
	row->was_read = true;
	row->version = fetched.version;
	row->table->party->n_reads++;
	*ret = fetched.found;
	return 0;
}

/* What the transaction itself has changed the number by. */
static int count_own(struct cell_call *call, const struct cell_table *table, int64_t *ret)
{
	struct txn_table *where = table_txn_table(call, table);
	struct cell_arena_mark mark = cell_mark(call);
	int r = 0;

	*ret = 0;
	if (!where)
		return CELL_RESOURCE_EXHAUSTED;
	for (struct txn_row *row = call->root->tables->txn.rows; row && r == 0;
	     row = row->next) {
		bool was = false, is;

		if (row->table != where || !row->write)
			continue;
		r = was_there(call, table, row, &was);
		is = row->write->kind != TABLE_WRITE_KIND_REMOVE;
		*ret += (int64_t)is - (int64_t)was;
	}
	cell_rewind(call, mark);
	return r;
}

int cell_table_count(struct cell_call *call, const struct cell_table *table, uint64_t *ret_n)
{
	struct table_table_ref ref = table_ref_of(table);
	struct table_scan_request request = { .table = &ref,
					      .where = "",
					      .counts = call_has_txn(call) };
	struct table_counted counted;
	int64_t own = 0;
	int r = 0;

	if (request.counts && call->root->tables->is_broken)
		return cell_refuse(call, -ENOMEM, "no memory for a transaction");
	if (request.counts)
		r = count_own(call, table, &own);
	if (r == 0)
		r = tables_invoke(call, table->ref, &table_tables_methods[TABLES_COUNT],
				  &request, &counted);
	if (r == 0 && request.counts)
		r = table_txn_add_range(call, table, &request, counted.mark, counted.n_mark);
	if (r == 0)
		*ret_n = counted.n + (uint64_t)own;
	return r;
}
