#include "linked_kept.h"

#include "table_row.h"
#include "tables.h"

#include <cell/cell.h>
#include <errno.h>
#include <string.h>

/*
 * A handler gets a copy of the state that is its own: the one row of a table, as it was when
 * the handler began. What it made of it is stored in the same transaction as all else that it
 * wrote, if it says that all is well.
 */

/* What a method's entry has as `handlers`. */
struct kept_method {
	const struct cell_linked_method *record;
	const struct cell_table *table;
	bool is_stream;
};

struct kept_run {
	const struct cell_table *table;
	void *state;
	const uint8_t
		*was; /* encoded, to see whether it has changed; NULL: it was not there */
	size_t was_len;
};

static int state_load(struct cell_call *call, struct kept_run *run)
{
	struct table_row_type type = table_row_type_of(run->table);
	struct cell_arena *arena = cell_arena(call);
	int r;

	run->state = cell_arena_calloc(arena, 1, type.size);
	if (!run->state)
		return cell_refuse(call, -ENOMEM, "a state of %zu bytes", type.size);
	r = cell_table_get(call, run->table, 0, run->state, run->state);
	if (r == CELL_NOT_FOUND)
		r = table_row_decode(&type, run->state, NULL, 0, 0, arena,
				     cell_error_slot(call));
	return r < 0 ? r
		     : table_row_bytes(call, run->table, run->state, arena, &run->was,
				       &run->was_len);
}

static int state_store(struct cell_call *call, const struct kept_run *run)
{
	const uint8_t *is;
	size_t len;
	int r = table_row_bytes(call, run->table, run->state, cell_arena(call), &is, &len);

	if (r < 0 || (len == run->was_len && memcmp(is, run->was, len) == 0))
		return r;
	return cell_table_put(call, run->table, run->state);
}

/* One run of a handler on a copy of its own. */
static int kept_once(struct cell_call *call, const struct kept_method *method, const void *in,
		     void *out)
{
	struct kept_run run = { .table = method->table };
	int r = state_load(call, &run);

	if (r == 0)
		r = method->record->invoke(NULL, call, run.state, in, out);
	if (r > 0) {
		cell_log(CELL_LOG_ERR, "server", "positive_result", "method=%s result=%d",
			 method->record->method.full_name, r);
		r = cell_refuse(call, CELL_INTERNAL, "%s returned %d",
				method->record->method.full_name, r);
	}
	return r < 0 ? r : state_store(call, &run);
}

/* What was sent or received in a stream cannot be done again. */
static int kept_stream(struct cell_call *call, const struct kept_method *method,
		       const void *in, void *out)
{
	int r = cell_txn_begin(call);

	return r < 0 ? r : cell_txn_end(call, kept_once(call, method, in, out));
}

/* Decoding in place spoils the bytes for the next run. */
static int kept_invoke(const void *handlers, struct cell_call *call, void *self,
		       const void *in, void *out)
{
	const struct kept_method *method = handlers;
	struct cell_undecoded bytes;
	struct cell_atomic atomic;
	int r;

	(void)self;
	if (method->is_stream)
		return kept_stream(call, method, in, out);
	if (method->record->method.flags & CELL_METHOD_UNDECODED) {
		bytes = *(const struct cell_undecoded *)in;
		bytes.flags = CELL_DECODE_BYTES_STAY;
		in = &bytes;
	}
	atomic = cell_atomic_begin(call);
	if (atomic.err)
		return atomic.err;
	do {
		memset(out, 0, method->record->method.out->size);
		r = kept_once(call, method, in, out);
	} while (cell_atomic_again(&atomic, &r));
	return r;
}

int kept_methods(struct runtime *rt, const struct cell_table *table,
		 const struct cell_linked_method *const *methods, size_t n,
		 struct cell_arena *arena, struct cell_error *err)
{
	const unsigned streams = CELL_METHOD_CLIENT_STREAM | CELL_METHOD_SERVER_STREAM;
	struct kept_method *kept = cell_arena_calloc(arena, n, sizeof *kept);

	if (!kept)
		return cell_fail(err, -ENOMEM, "methods on table %s", table->name);
	for (size_t i = 0; i < n; i++) {
		const struct cell_method *method = &methods[i]->method;
		struct method_entry *entry = server_find(rt, method->channel, method->hash);

		kept[i] = (struct kept_method){ .record = methods[i],
						.table = table,
						.is_stream = method->flags & streams };
		entry->handlers = &kept[i];
		entry->invoke = kept_invoke;
	}
	return 0;
}

/* --- functions at the start and the end ----------------------------------------------------
 */

struct hook_run {
	const struct cell_linked_hook *hook;
	const struct cell_table *table;
};

static int hook_once(struct cell_call *call, void *userdata)
{
	const struct hook_run *hook = userdata;
	struct kept_run run = { .table = hook->table };
	int r = state_load(call, &run);

	if (r == 0)
		r = hook->hook->run(call, run.state);
	return r == 0 ? state_store(call, &run) : r;
}

int kept_hook(struct cell_call *call, const struct cell_table *table,
	      const struct cell_linked_hook *hook)
{
	struct hook_run run = { hook, table };

	return cell_atomically(call, hook_once, &run);
}

int kept_load(struct cell_call *call, const struct cell_table *table)
{
	struct cell_arena_mark mark = cell_mark(call);
	struct kept_run run = { .table = table };
	int r = state_load(call, &run);

	cell_rewind(call, mark);
	return r < 0 ? cell_wrap(cell_error_slot(call), r, "the state in table %s",
				 table->name)
		     : 0;
}
