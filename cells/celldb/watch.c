/* Tables.Watch: the log of changes from a point on, then what comes. */
#include "record.h"
#include "serve.h"
#include "watcher.h"

#include <cell/cell.h>
#include <string.h>

/* Changes of one item: a commit with more of them takes several. */
#define CHANGES_PER_ITEM 256

struct watch {
	struct celldb *db;
	struct cell_call *call;
	const struct catalog_table *table;
	uint32_t table_id;
	struct snapshot snapshot;
	struct table_changes_sink *out;
	uint64_t after;       /* what was sent */
	struct watcher watcher;
	/* the item that is being filled */
	struct cell_arena arena;
	struct table_change *changes;
	size_t n, bytes;
	uint64_t at;
};

void watch_wake(struct celldb *db)
{
	for (struct watcher *watcher = db->watchers; watcher; watcher = watcher->next)
		cell_event_set(&watcher->has_news);
}

static void watcher_add(struct celldb *db, struct watcher *watcher)
{
	watcher->next = db->watchers;
	watcher->link = &db->watchers;
	if (watcher->next)
		watcher->next->link = &watcher->next;
	db->watchers = watcher;
	db->reader->watches++;
}

static void watcher_remove(struct celldb *db, struct watcher *watcher)
{
	*watcher->link = watcher->next;
	if (watcher->next)
		watcher->next->link = watcher->link;
	db->reader->watches--;
}

/* ---- items -------------------------------------------------------------------------------- */

static int send(struct watch *watch)
{
	struct table_changes item = { .at = watch->at, .n_changes = watch->n,
				      .changes = watch->changes };
	int r = watch->n ? table_changes_send(watch->out, &item) : 0;

	cell_arena_reset(&watch->arena);
	watch->n = watch->bytes = 0;
	return r;
}

static int side(struct watch *watch, const struct record_change *change,
		struct cell_store_bytes stored, const uint8_t **ret, size_t *ret_n)
{
	struct cell_store_bytes wire;
	int r;

	if (!stored.at)
		return 0;
	r = rows_wire(snapshot_view(&watch->snapshot), watch->table, change->key, stored,
		      &watch->arena, &wire, cell_error_slot(watch->call));
	if (r < 0)
		return r;
	*ret = wire.at;
	*ret_n = wire.len;
	return 0;
}

static int add(struct watch *watch, uint64_t at, const struct record_change *change)
{
	struct table_change *to;
	int r = 0;

	if (watch->n && (watch->at != at || watch->n == CHANGES_PER_ITEM ||
			 watch->bytes >= SERVE_ITEM_BYTES))
		r = send(watch);
	if (r < 0)
		return r;
	watch->at = at;
	to = &watch->changes[watch->n];
	memset(to, 0, sizeof *to);
	r = side(watch, change, change->before, &to->before, &to->n_before);
	if (r == 0)
		r = side(watch, change, change->after, &to->row, &to->n_row);
	watch->n += r == 0;
	watch->bytes += to->n_before + to->n_row;
	return r;
}

/* ---- the log ------------------------------------------------------------------------------ */

static int is_kept(struct watch *watch, const struct record_meta *head)
{
	uint64_t from = head->log_from > watch->table->log_from ? head->log_from
								: watch->table->log_from;

	if (watch->after >= from)
		return 0;
	return cell_refuse(watch->call, CELL_OUT_OF_RANGE,
			   "changes of %s are kept behind %" PRIu64 ", not from %" PRIu64 " on",
			   watch->table->name, from, watch->after);
}

/* All that the snapshot has behind `after`. */
static int walk(struct watch *watch)
{
	struct cell_error *err = cell_error_slot(watch->call);
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	struct record_change change;
	struct layout_key from;
	uint64_t version;
	uint32_t n;
	int r = cell_store_cursor_open(&watch->snapshot.txn, &cursor, err);

	if (r < 0)
		return r;
	layout_change(&from, watch->after + 1, 0);
	for (r = cell_store_seek(&cursor, layout_bytes(&from), false, &key, &value, err);
	     r == 0 && layout_read_change(key, &version, &n);
	     r = cell_store_next(&cursor, false, &key, &value, err)) {
		r = record_change_decode(&change, value, err);
		if (r == 0 && change.table == watch->table_id)
			r = add(watch, version, &change);
		if (r < 0)
			break;
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : send(watch);
}

static int round_of(struct watch *watch)
{
	struct cell_error *err = cell_error_slot(watch->call);
	struct record_meta head;
	int r = snapshot_renew(&watch->snapshot, err);

	if (r == 0)
		r = serve_head(&watch->snapshot.view, &head, err);
	if (r < 0)
		return r;
	watch->table = catalog_by_id(watch->snapshot.view.catalog, watch->table_id);
	if (!watch->table)
		return cell_refuse(watch->call, CELL_DATA_LOSS, "the table is gone");
	r = is_kept(watch, &head);
	if (r == 0 && head.version > watch->after)
		r = walk(watch);
	if (r == 0)
		watch->after = head.version;
	/* Kept over a wait it would keep the store from reusing what is old. */
	cell_store_abort(&watch->snapshot.txn);
	return r;
}

static int begin(struct watch *watch, const struct table_watch_request *in)
{
	struct catalog_peer peer = serve_peer(watch->call);
	struct cell_error *err = cell_error_slot(watch->call);
	const struct view *view = &watch->snapshot.view;
	const struct catalog_version *version;
	struct record_meta head;
	int r = catalog_find(view->catalog, view->txn, in->table, &peer, &version, err);

	if (r == 0)
		r = serve_head(view, &head, err);
	if (r < 0)
		return r;
	watch->table_id = version->table->id;
	watch->after = in->has_after ? in->after : head.version;
	if (watch->after > head.version)
		return cell_refuse(watch->call, CELL_OUT_OF_RANGE,
				   "changes behind %" PRIu64 "; the last one is %" PRIu64,
				   watch->after, head.version);
	if (in->has_after)
		return 0;
	return table_changes_send(watch->out, &(struct table_changes){ .at = head.version });
}

int serve_watch(struct cell_call *call, void *self, const struct table_watch_request *in,
		struct table_changes_sink *out)
{
	struct celldb *db = self;
	struct watch watch = { .db = db, .call = call, .out = out };
	int r;

	if (!in->table)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "of which table?");
	if (db->reader->watches >= SERVE_WATCHES_MAX)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "%d watch already",
				   SERVE_WATCHES_MAX);
	watch.changes = cell_arena_calloc(cell_arena(call), CHANGES_PER_ITEM, sizeof *watch.changes);
	if (!watch.changes)
		return cell_refuse(call, -ENOMEM, "no memory to watch with");
	cell_arena_init(&watch.arena, 0);
	watcher_add(db, &watch.watcher);
	r = snapshot_open(db->reader, &watch.snapshot, cell_error_slot(call));
	if (r == 0)
		r = begin(&watch, in);
	while (r == 0) {
		r = round_of(&watch);
		if (r == 0)
			r = cell_event_wait(call, &watch.watcher.has_news);
	}
	snapshot_close(&watch.snapshot);
	watcher_remove(db, &watch.watcher);
	cell_arena_deinit(&watch.arena);
	return r;
}
