/* Tables.Get and Tables.Count. */
#include "apply.h"
#include "record.h"
#include "serve.h"
#include "walk.h"

#include <cell/cell.h>

/* Rows between two looks at the rest of the world. */
#define ROWS_PER_TURN 4096

struct catalog_peer serve_peer(const struct cell_call *call)
{
	const struct cell_peer *peer = cell_call_peer(call);

	return (struct catalog_peer){ .cell = peer->cell, .is_owner = peer->is_owner };
}

/* The row that a unique index (or the key, 0) has for VALUES. */
static int find(const struct view *view, const struct catalog_table *table, size_t index,
		const struct value *values, struct cell_store_bytes *ret_key, struct rows_row *ret,
		struct layout_key *place, struct cell_error *err)
{
	const struct schema_key *key = &table->indexes[index].key;
	struct cell_store_bytes value;
	size_t len;
	int r;

	if (index)
		layout_index(place, table->id, table->indexes[index].id);
	else
		layout_rows(place, table->id);
	r = row_key(table->schema, key, values, key->n, false, place->bytes + place->len,
		    sizeof place->bytes - place->len, &len, err);
	if (r < 0)
		return r;
	place->len += len;
	r = cell_store_get(view->txn, layout_bytes(place), &value, err);
	if (r)
		return r;
	if (index) {
		*ret_key = value;
		return rows_get(view, table, value, ret, err);
	}
	*ret_key = (struct cell_store_bytes){ place->bytes + LAYOUT_ROWS_SIZE, len };
	return rows_split(value, ret, err);
}

static int get_row(struct cell_call *call, const struct view *view, const struct catalog_table *table,
		   size_t index, const struct table_get_request *in, struct table_get_reply *out)
{
	const struct schema_key *key = &table->indexes[index].key;
	struct cell_arena *arena = cell_arena(call);
	struct cell_error *err = cell_error_slot(call);
	struct value *values = rows_values(table, arena);
	struct cell_store_bytes own, wire;
	struct layout_key place;
	struct rows_row row;
	int r;

	if (index && !key->is_unique)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "%s: index '%s' is not unique",
				   table->name, key->name);
	if (!values)
		return cell_refuse(call, -ENOMEM, "no memory for a key");
	r = row_decode(table->schema, in->key, in->n_key, values, arena, err);
	if (r < 0)
		return r;
	if (row_key_given(key, values) != key->n)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "%s: part of the key is missing",
				   table->name);
	r = find(view, table, index, values, &own, &row, &place, err);
	if (r)
		return r < 0 ? r : 0;
	r = rows_wire(view, table, own, row.bytes, arena, &wire, err);
	if (r < 0)
		return r;
	/* Without encrypted columns this is the store's own memory; the reply copies it. */
	*out = (struct table_get_reply){ .found = true, .row = wire.at, .n_row = wire.len,
					 .version = row.version };
	return 0;
}

int serve_get(struct cell_call *call, void *self, const struct table_get_request *in,
	      struct table_get_reply *out)
{
	struct celldb *db = self;
	struct catalog_peer peer = serve_peer(call);
	struct cell_error *err = cell_error_slot(call);
	const struct catalog_version *version;
	const struct view *view;
	size_t index;
	int r;

	if (!in->table)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "of which table?");
	db->reader->gets++;
	r = reader_view(db->reader, &view, err);
	if (r == 0)
		r = catalog_find(view->catalog, view->txn, in->table, &peer, &version, err);
	if (r == 0)
		r = range_index(version, in->index, &index, err);
	return r < 0 ? r : get_row(call, view, version->table, index, in, out);
}

/* ---- counting ----------------------------------------------------------------------------- */

static int matches(const struct view *view, const struct range *range, const struct walk_row *row,
		   struct cell_arena *arena, bool *ret, struct cell_error *err)
{
	struct cell_arena_mark mark = cell_arena_mark(arena);
	struct value *values = rows_values(range->table, arena);
	int r;

	if (!values)
		return cell_fail(err, -ENOMEM, "no memory for a row");
	r = rows_decode(view, range->table, row->key, row->row.bytes, values, arena, err);
	if (r == 0)
		r = range_matches(range, values, arena, ret, err);
	cell_arena_rewind(arena, mark);
	return r;
}

static int count_rows(struct cell_call *call, struct snapshot *snapshot, const struct range *range,
		      uint64_t limit, uint64_t *ret_n)
{
	struct cell_error *err = cell_error_slot(call);
	struct walk_row row;
	struct walk walk;
	uint64_t n = 0;
	int r = walk_open(&walk, &snapshot->txn, range, false, err);

	if (r < 0)
		return r;
	for (uint64_t i = 1; r == 0 && (!limit || n < limit); i++) {
		bool is_one = true;

		r = walk_next(&walk, snapshot_view(snapshot), range->where ? &row : NULL, err);
		if (r == 0 && range->where)
			r = matches(snapshot_view(snapshot), range, &row, cell_arena(call), &is_one,
				    err);
		n += r == 0 && is_one;
		if (r == 0 && i % ROWS_PER_TURN == 0)
			r = cell_sleep_ms(call, 0);
	}
	walk_close(&walk);
	*ret_n = n;
	return r < 0 ? r : 0;
}

static bool is_whole(const struct table_scan_request *in)
{
	return in->n_from == 0 && in->n_to == 0 && in->limit == 0 && !*in->where;
}

static int count(struct cell_call *call, struct snapshot *snapshot,
		 const struct table_scan_request *in, struct table_counted *out)
{
	struct catalog_peer peer = serve_peer(call);
	struct cell_error *err = cell_error_slot(call);
	const struct view *view = &snapshot->view;
	const struct catalog_version *version;
	struct range range;
	int r = catalog_find(view->catalog, view->txn, in->table, &peer, &version, err);

	if (r == 0)
		r = range_of(&range, version, in, cell_arena(call), err);
	if (r < 0)
		return r;
	if (in->counts)
		r = serve_mark(call, view, &out->mark, &out->n_mark);
	if (r < 0)
		return r;
	return is_whole(in) ? apply_count(view, version->table, &out->n, err)
			    : count_rows(call, snapshot, &range, in->limit, &out->n);
}

int serve_count(struct cell_call *call, void *self, const struct table_scan_request *in,
		struct table_counted *out)
{
	struct celldb *db = self;
	struct snapshot snapshot;
	int r;

	if (!in->table)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "of which table?");
	r = snapshot_open(db->reader, &snapshot, cell_error_slot(call));
	if (r < 0)
		return r;
	r = count(call, &snapshot, in, out);
	snapshot_close(&snapshot);
	return r;
}

int serve_mark(struct cell_call *call, const struct view *view, const uint8_t **ret, size_t *ret_n)
{
	uint8_t *mark = cell_arena_alloc(cell_arena(call), 8);
	struct record_meta head;
	int r = serve_head(view, &head, cell_error_slot(call));

	if (r == 0 && !mark)
		r = cell_refuse(call, -ENOMEM, "no memory for a mark");
	if (r < 0)
		return r;
	cell_store_u64(mark, head.version);
	*ret = mark;
	*ret_n = 8;
	return 0;
}

int serve_head(const struct view *view, struct record_meta *ret, struct cell_error *err)
{
	struct cell_store_bytes bytes;
	struct layout_key key;
	int r;

	layout_meta(&key);
	r = cell_store_get(view->txn, layout_bytes(&key), &bytes, err);
	if (r == CELL_STORE_ABSENT)
		return cell_fail(err, CELL_DATA_LOSS, "the store has no head");
	return r < 0 ? r : record_meta_decode(ret, bytes, err);
}
