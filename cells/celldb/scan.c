/* Tables.Scan: a snapshot of its own, sent in items of some 32 KiB. */
#include "serve.h"
#include "walk.h"

#include <cell/cell.h>
#include <string.h>

/* Rows of one item, and rows looked at (with a condition) before others get a turn. */
#define ROWS_PER_ITEM 1024
#define ROWS_PER_TURN 4096

struct scan {
	struct cell_call *call;
	struct snapshot snapshot;
	const struct catalog_table *table;
	struct range range;
	struct walk walk;
	uint64_t limit, left;
	struct table_rows_sink *out;
	const uint8_t *mark;
	size_t n_mark;
	/* the item that is being filled */
	struct cell_arena arena; /* of its rows */
	struct cell_bytes *rows;
	uint64_t *versions;
	size_t n, bytes;
};

static int send(struct scan *scan, bool is_last)
{
	struct table_rows item = { .n_rows = scan->n, .rows = scan->rows, .n_versions = scan->n,
				   .versions = scan->versions };
	int r;

	if (is_last) {
		item.mark = scan->mark;
		item.n_mark = scan->n_mark;
	}
	if (!scan->n && !item.n_mark)
		return 0;
	r = table_rows_send(scan->out, &item);
	cell_arena_reset(&scan->arena);
	scan->n = scan->bytes = 0;
	return r;
}

/* Whether the row is wanted; its bytes for clients are in the item's arena, or the store's. */
static int row_wire(struct scan *scan, const struct walk_row *row, bool *ret_is_wanted,
		    struct cell_store_bytes *ret)
{
	struct cell_error *err = cell_error_slot(scan->call);
	const struct view *view = snapshot_view(&scan->snapshot);
	struct value *values;
	int r;

	*ret_is_wanted = true;
	if (!scan->range.where)
		return rows_wire(view, scan->table, row->key, row->row.bytes, &scan->arena, ret, err);
	values = rows_values(scan->table, &scan->arena);
	if (!values)
		return cell_refuse(scan->call, -ENOMEM, "no memory for a row");
	r = rows_decode(view, scan->table, row->key, row->row.bytes, values, &scan->arena, err);
	if (r == 0)
		r = range_matches(&scan->range, values, &scan->arena, ret_is_wanted, err);
	if (r < 0 || !*ret_is_wanted)
		return r;
	*ret = scan->table->has_sealed ? rows_wire_values(scan->table, values, &scan->arena)
				       : row->row.bytes;
	return ret->at ? 0 : cell_refuse(scan->call, -ENOMEM, "no memory for a row");
}

/* Add it, and send the item if that is large enough. The snapshot keeps the bytes. */
static int add(struct scan *scan, struct cell_store_bytes wire, uint64_t version)
{
	scan->rows[scan->n] = (struct cell_bytes){ .len = wire.len, .at = wire.at };
	scan->versions[scan->n++] = version;
	scan->bytes += wire.len;
	scan->left -= scan->limit != 0;
	if (scan->n == ROWS_PER_ITEM || scan->bytes >= SERVE_ITEM_BYTES)
		return send(scan, false);
	return 0;
}

static int one(struct scan *scan, uint64_t i)
{
	struct cell_store_bytes wire;
	struct cell_arena_mark mark;
	struct walk_row row;
	bool is_wanted;
	int r = walk_next(&scan->walk, snapshot_view(&scan->snapshot), &row,
			  cell_error_slot(scan->call));

	if (r)
		return r;
	mark = cell_arena_mark(&scan->arena);
	r = row_wire(scan, &row, &is_wanted, &wire);
	if (r < 0)
		return r;
	if (is_wanted)
		r = add(scan, wire, row.row.version);
	else
		cell_arena_rewind(&scan->arena, mark);
	if (r == 0 && i % ROWS_PER_TURN == 0)
		r = cell_sleep_ms(scan->call, 0);
	return r;
}

static int run(struct scan *scan, const struct table_scan_request *in)
{
	struct catalog_peer peer = serve_peer(scan->call);
	struct cell_error *err = cell_error_slot(scan->call);
	const struct view *view = &scan->snapshot.view;
	const struct catalog_version *version;
	int r = catalog_find(view->catalog, view->txn, in->table, &peer, &version, err);

	if (r == 0)
		r = range_of(&scan->range, version, in, cell_arena(scan->call), err);
	if (r == 0 && in->counts)
		r = serve_mark(scan->call, view, &scan->mark, &scan->n_mark);
	if (r < 0)
		return r;
	scan->table = version->table;
	scan->limit = scan->left = in->limit;
	r = walk_open(&scan->walk, &scan->snapshot.txn, &scan->range, in->backwards, err);
	if (r < 0)
		return r;
	for (uint64_t i = 1; r == 0 && (!scan->limit || scan->left); i++)
		r = one(scan, i);
	walk_close(&scan->walk);
	return r < 0 ? r : send(scan, true);
}

int serve_scan(struct cell_call *call, void *self, const struct table_scan_request *in,
	       struct table_rows_sink *out)
{
	struct celldb *db = self;
	struct scan scan = { .call = call, .out = out };
	int r;

	if (!in->table)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "of which table?");
	db->reader->scans++;
	scan.rows = cell_arena_alloc(cell_arena(call), ROWS_PER_ITEM * sizeof *scan.rows);
	scan.versions = cell_arena_alloc(cell_arena(call), ROWS_PER_ITEM * sizeof *scan.versions);
	if (!scan.rows || !scan.versions)
		return cell_refuse(call, -ENOMEM, "no memory for a scan");
	cell_arena_init(&scan.arena, 0);
	r = snapshot_open(db->reader, &scan.snapshot, cell_error_slot(call));
	if (r == 0) {
		r = run(&scan, in);
		snapshot_close(&scan.snapshot);
	}
	cell_arena_deinit(&scan.arena);
	return r;
}
