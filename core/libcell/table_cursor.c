#include "tables.h"

#include <cell/stream.h>
#include <errno.h>
#include <stdlib.h>

/*
 * What all cursors have in common: they end with their call, or with the transaction that
 * they were begun in. Their state stays until the caller ends them, or its call ends.
 */

struct cursor *table_cursor_new(struct cell_call *call, size_t size)
{
	struct call_tables *tables = call_tables_get(call);
	struct cursor *cursor = tables ? calloc(1, size) : NULL;

	if (!cursor) {
		(void)cell_refuse(call, -ENOMEM, "a cursor");
		return NULL;
	}
	cursor->call = *call;
	cursor->is_of_txn = tables->txn.level != NULL;
	list_append(&tables->cursors, &cursor->node);
	return cursor;
}

struct cell_cursor table_cursor_failed(struct cell_call *call, int err)
{
	return (struct cell_cursor){ .call = call, .err = err };
}

struct cell_cursor table_cursor_drop(struct cursor *cursor, int err)
{
	struct cell_cursor failed = table_cursor_failed(&cursor->call.root->call, err);

	list_unlink(&cursor->node);
	free(cursor);
	return failed;
}

struct cell_cursor table_cursor_begun(struct cursor *cursor)
{
	return (struct cell_cursor){ .call = &cursor->call, .state = cursor };
}

int table_cursor_end_stream(struct cursor *cursor, struct cell_stream *stream)
{
	struct call_root *root = cursor->call.root;
	int r = cell_stream_end(stream, NULL);

	/* One that there was no memory for belongs to no call, and has no place for a text.
	 */
	if (r < 0 && root->error.code != r)
		return cell_fail(&root->error, r, "a cursor: %s", cell_status_name(r));
	return r;
}

/* Keep why it stopped, as errors of other things may come between. */
static void over(struct cursor *cursor, int err, bool counts)
{
	int r;

	if (cursor->is_over)
		return;
	cursor->is_over = true;
	cursor->err = err;
	if (err)
		cursor->error = cursor->call.root->error;
	r = cursor->stop(cursor, counts && !err);
	if (err || r == 0)
		return;
	cursor->err = r;
	cursor->error = cursor->call.root->error;
}

void *cell_cursor_next(struct cell_cursor *cursor)
{
	struct cursor *state = cursor->state;
	void *row;
	int err = 0;

	if (!state || state->is_over)
		return NULL;
	row = state->next(state, &err);
	if (!row)
		over(state, err, true);
	return row;
}

int cell_cursor_end(struct cell_cursor *cursor)
{
	struct cursor *state = cursor->state;
	int err;

	if (!state)
		return cursor->err;
	over(state, 0, true);
	err = state->err;
	if (err)
		state->call.root->error = state->error;
	list_unlink(&state->node);
	cursor->call = &state->call.root->call;
	cursor->state = NULL;
	cursor->err = err;
	free(state);
	return err;
}

int table_cursors_stop(struct cell_call *call, bool counts)
{
	struct call_tables *tables = call->root->tables;
	struct cell_error error = call->root->error;
	int first = 0;

	for (struct list *at = tables->cursors.next; at != &tables->cursors; at = at->next) {
		struct cursor *cursor = list_entry(at, struct cursor, node);

		if (!cursor->is_of_txn || cursor->is_over)
			continue;
		over(cursor, 0, counts);
		if (counts && !first)
			first = cursor->err;
		/* It ended before its caller had read all. */
		if (!cursor->err) {
			cursor->err = cell_refuse(call, CELL_CANCELLED,
						  "the cursor's transaction has ended");
			cursor->error = call->root->error;
		}
	}
	if (!first)
		call->root->error = error;
	return first;
}

void table_cursors_free(struct call_tables *tables)
{
	while (!list_is_empty(&tables->cursors)) {
		struct cursor *cursor = list_entry(tables->cursors.next, struct cursor, node);

		over(cursor, 0, false);
		list_unlink(&cursor->node);
		free(cursor);
	}
}
