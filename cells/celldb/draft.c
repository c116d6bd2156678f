#include "draft.h"

#include <cell/cell.h>
#include <string.h>

#define BUCKETS_MIN 32

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for a commit");
}

int draft_init(struct draft *draft, const struct view *view,
	       const struct participants *participants, struct cell_arena *arena,
	       struct cell_error *err)
{
	*draft = (struct draft){ .view = view, .participants = participants, .arena = arena };
	draft->last = &draft->first;
	draft->queue_last = &draft->queue;
	draft->n_buckets = BUCKETS_MIN;
	draft->buckets = cell_arena_calloc(arena, BUCKETS_MIN, sizeof *draft->buckets);
	return draft->buckets ? 0 : no_memory(err);
}

static size_t bucket_of(const struct draft *draft, const struct catalog_table *table,
			struct cell_store_bytes key)
{
	const uint8_t *at = key.at;
	uint32_t hash = 0x811c9dc5 ^ table->id;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ at[i]) * 0x01000193;
	return hash & (draft->n_buckets - 1);
}

struct draft_row *draft_peek(const struct draft *draft, const struct catalog_table *table,
			     struct cell_store_bytes key)
{
	struct draft_row *row = draft->buckets[bucket_of(draft, table, key)];

	while (row && (row->table != table || row->key.len != key.len ||
		       memcmp(row->key.at, key.at, key.len) != 0))
		row = row->bucket_next;
	return row;
}

static int grow(struct draft *draft, struct cell_error *err)
{
	size_t n = draft->n_buckets * 4;
	struct draft_row **buckets = cell_arena_calloc(draft->arena, n, sizeof *buckets);

	if (!buckets)
		return no_memory(err);
	draft->buckets = buckets;
	draft->n_buckets = n;
	for (struct draft_row *row = draft->first; row; row = row->next) {
		size_t i = bucket_of(draft, row->table, row->key);

		row->bucket_next = buckets[i];
		buckets[i] = row;
	}
	return 0;
}

static int copy(struct draft *draft, struct cell_store_bytes from, struct cell_store_bytes *ret,
		struct cell_error *err)
{
	uint8_t *at = cell_arena_alloc(draft->arena, from.len);

	if (!at)
		return no_memory(err);
	if (from.len)
		memcpy(at, from.at, from.len);
	*ret = (struct cell_store_bytes){ at, from.len };
	return 0;
}

/* What the store has of ROW. It is copied: writing moves what is in the store. */
static int load(struct draft *draft, struct draft_row *row, struct cell_error *err)
{
	struct rows_row stored;
	struct value *values;
	int r = rows_get(draft->view, row->table, row->key, &stored, err);

	if (r)
		return r < 0 ? r : 0;
	row->version = stored.version;
	r = copy(draft, stored.bytes, &row->stored, err);
	if (r < 0)
		return r;
	values = rows_values(row->table, draft->arena);
	if (!values)
		return no_memory(err);
	r = rows_decode(draft->view, row->table, row->key, row->stored, values, draft->arena, err);
	row->before = values;
	row->after = values;
	return r;
}

int draft_row(struct draft *draft, const struct catalog_table *table, struct cell_store_bytes key,
	      struct draft_row **ret, struct cell_error *err)
{
	struct draft_row *row = draft_peek(draft, table, key);
	size_t bucket;
	int r;

	if (row) {
		*ret = row;
		return 0;
	}
	if (draft->n_rows >= DRAFT_ROWS_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "more than %d rows in one commit",
				 DRAFT_ROWS_MAX);
	if (draft->n_rows >= 2 * draft->n_buckets && (r = grow(draft, err)) < 0)
		return r;
	row = cell_arena_calloc(draft->arena, 1, sizeof *row);
	if (!row)
		return no_memory(err);
	row->table = table;
	r = copy(draft, key, &row->key, err);
	if (r == 0)
		r = load(draft, row, err);
	if (r < 0)
		return r;
	bucket = bucket_of(draft, table, row->key);
	row->bucket_next = draft->buckets[bucket];
	draft->buckets[bucket] = row;
	*draft->last = row;
	draft->last = &row->next;
	draft->n_rows++;
	*ret = row;
	return 0;
}

int draft_finish(struct draft *draft, const struct catalog_table *table, struct value *values,
		 bool fresh, const struct draft_moment *moment, struct cell_error *err)
{
	struct row_moment row = { .now_us = moment->now_us };

	if (table->has_uuid)
		moment->fill_random(row.random);
	return row_finish(table->schema, values, fresh, &row, draft->arena, err);
}

void draft_fall_back(const struct schema_column *column, const struct draft_moment *moment,
		     struct cell_arena *arena, struct value *ret)
{
	uint8_t *random;

	if (column->fallback == SCHEMA_FALLBACK_VALUE) {
		*ret = column->value;
	} else if (column->fallback == SCHEMA_FALLBACK_NOW) {
		*ret = (struct value){ .kind = VALUE_INT, .integer = moment->now_us };
	} else if (column->fallback == SCHEMA_FALLBACK_UUID) {
		random = cell_arena_alloc(arena, 16);
		if (!random)
			return;
		moment->fill_random(random);
		random[6] = (uint8_t)((random[6] & 0x0f) | 0x40);
		random[8] = (uint8_t)((random[8] & 0x3f) | 0x80);
		*ret = (struct value){ .kind = VALUE_BYTES, .bytes = random, .len = 16 };
	}
}

void draft_change(struct draft *draft, struct draft_row *row, struct value *after)
{
	draft->n_changed += !row->is_changed;
	row->is_changed = true;
	row->after = after;
	if (row->is_queued || !row->table->n_referrers)
		return;
	row->is_queued = true;
	row->queue_next = NULL;
	*draft->queue_last = row;
	draft->queue_last = &row->queue_next;
}

struct draft_row *draft_next_changed(struct draft *draft)
{
	struct draft_row *row = draft->queue;

	if (!row)
		return NULL;
	draft->queue = row->queue_next;
	if (!draft->queue)
		draft->queue_last = &draft->queue;
	row->is_queued = false;
	return row;
}

static int lock_add(struct draft *draft, struct cell_store_bytes key, bool is_read,
		    struct cell_error *err)
{
	struct draft_locks *locks = &draft->locks;

	if (locks->n == locks->room) {
		size_t room = locks->room ? 2 * locks->room : 16;
		struct record_lock *items = cell_arena_calloc(draft->arena, room, sizeof *items);

		if (!items)
			return no_memory(err);
		if (locks->n)
			memcpy(items, locks->items, locks->n * sizeof *items);
		locks->items = items;
		locks->room = room;
	}
	locks->items[locks->n].is_read = is_read;
	if (copy(draft, key, &locks->items[locks->n].key, err) < 0)
		return -ENOMEM;
	locks->n++;
	return 0;
}

int draft_hold(struct draft *draft, struct cell_store_bytes key, bool to_write,
	       const struct catalog_table *table, const struct value *values,
	       struct cell_error *err)
{
	const struct participant *holder = participants_holder(draft->participants, key, to_write);
	char name[64];

	if (holder)
		return cell_fail(err, CELL_ABORTED, "%s is in the hands of %s, which is not decided",
				 rows_print(table, values, draft->arena),
				 participant_name(holder, name));
	return draft->takes_locks ? lock_add(draft, key, !to_write, err) : 0;
}
