#include "tables.h"

#include <cell/stream.h>
#include <errno.h>
#include <string.h>

/* A cursor of changes: those of one commit come in one item, and are given one by one. */
struct watch {
	struct cursor cursor;
	const struct cell_table *table;
	struct table_watch_request request;
	struct table_table_ref ref;
	struct cell_stream *stream;
	const struct table_changes *item;
	size_t at;
	bool was_opened_again;
	struct cell_change change;
	struct cell_arena arena; /* the rows of `change` */
};

static void open_stream(struct watch *watch)
{
	watch->stream =
		cell_stream_open(&watch->cursor.call, watch->table->ref,
				 &table_tables_methods[TABLES_WATCH], &watch->request);
}

/* 0 if there is another item, or why not: there is always another change to wait for. */
static int item_receive(struct watch *watch)
{
	struct cell_call *call = &watch->cursor.call;
	bool is_first = !watch->item;
	int r;

	watch->item = cell_stream_recv(watch->stream);
	watch->at = 0;
	if (watch->item)
		return 0;
	r = table_cursor_end_stream(&watch->cursor, watch->stream);
	watch->stream = NULL;
	if (is_first && !watch->was_opened_again &&
	    tables_provisioned(call, watch->table->ref, r)) {
		watch->was_opened_again = true;
		open_stream(watch);
		return item_receive(watch);
	}
	return r < 0 ? r
		     : cell_refuse(call, CELL_UNAVAILABLE, "%s: the watch has ended",
				   watch->table->name);
}

/* What BYTES are as a row; NULL if they are none. */
static int row_make(struct watch *watch, const uint8_t *bytes, size_t len,
		    const void **ret_row)
{
	struct table_row_type type = table_row_type_of(watch->table);
	struct cell_error *err = &watch->cursor.call.root->error;
	void *row;

	*ret_row = NULL;
	if (!len)
		return 0;
	row = cell_arena_alloc(&watch->arena, type.size);
	if (!row)
		return cell_fail(err, -ENOMEM, "a row of %s", type.name);
	*ret_row = row;
	return table_row_decode(&type, row, bytes, len, CELL_DECODE_IN_PLACE, &watch->arena,
				err);
}

static void *watch_next(struct cursor *cursor, int *err)
{
	struct watch *watch = cell_container_of(cursor, struct watch, cursor);
	const struct table_change *change;
	int r = 0;

	while (r == 0 && (!watch->item || watch->at == watch->item->n_changes))
		r = item_receive(watch);
	if (r < 0) {
		*err = r;
		return NULL;
	}
	change = &watch->item->changes[watch->at++];
	cell_arena_reset(&watch->arena);
	watch->change.at = watch->item->at;
	r = row_make(watch, change->before, change->n_before, &watch->change.before);
	if (r == 0)
		r = row_make(watch, change->row, change->n_row, &watch->change.row);
	if (r == 0)
		return &watch->change;
	*err = r;
	return NULL;
}

static int watch_stop(struct cursor *cursor, bool counts)
{
	struct watch *watch = cell_container_of(cursor, struct watch, cursor);

	(void)counts;
	if (watch->stream)
		(void)table_cursor_end_stream(cursor, watch->stream);
	cell_arena_deinit(&watch->arena);
	return 0;
}

struct cell_cursor cell_table_watch(struct cell_call *call, const struct cell_table *table,
				    uint64_t after)
{
	struct cursor *cursor = table_cursor_new(call, sizeof(struct watch));
	struct watch *watch;
	int r;

	if (!cursor)
		return table_cursor_failed(call, -ENOMEM);
	watch = cell_container_of(cursor, struct watch, cursor);
	watch->table = table;
	watch->ref = table_ref_of(table);
	watch->request = (struct table_watch_request){ .table = &watch->ref,
						       .has_after = after != UINT64_MAX,
						       .after = after };
	if (!watch->request.has_after)
		watch->request.after = 0;
	cell_arena_init(&watch->arena, 0);
	cursor->is_of_txn = false; /* it tells of what is durable */
	cursor->next = watch_next;
	cursor->stop = watch_stop;
	open_stream(watch);
	/* The first item says that the cell is at it: from here on nothing is missed. */
	r = watch->request.has_after ? 0 : item_receive(watch);
	if (r == 0)
		return table_cursor_begun(cursor);
	(void)watch_stop(cursor, false);
	return table_cursor_drop(cursor, r);
}
