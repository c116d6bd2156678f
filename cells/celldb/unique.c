#include "unique.h"

#include "conflict.h"

#include <cell/cell.h>
#include <string.h>

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for a commit");
}

struct claim {
	struct claim *next;
	struct cell_store_bytes key; /* in a unique index */
	const struct draft_row *row;
};

struct claims {
	size_t n_buckets;
	struct claim **buckets;
};

static size_t claim_bucket(const struct claims *claims, struct cell_store_bytes key)
{
	const uint8_t *at = key.at;
	uint32_t hash = 0x811c9dc5;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ at[i]) * 0x01000193;
	return hash & (claims->n_buckets - 1);
}

static int taken(struct draft *draft, const struct draft_row *row, size_t index,
		 struct cell_error *err)
{
	const struct catalog_table *table = row->table;

	return cell_fail(err, CELL_ALREADY_EXISTS, "%s: another %s has %s",
			 rows_print(table, row->after, draft->arena), table->name,
			 row_key_print(table->schema, &table->indexes[index].key, row->after,
				       draft->arena));
}

/* ROW takes PLACE in a unique index: no other row of this commit does, nor one in the store. */
static int claim(struct draft *draft, struct claims *claims, const struct draft_row *row,
		 size_t index, const struct layout_key *place, struct cell_error *err)
{
	struct cell_store_bytes key = layout_bytes(place), holder;
	struct claim **bucket = &claims->buckets[claim_bucket(claims, key)];
	struct claim *claim = cell_arena_calloc(draft->arena, 1, sizeof *claim + key.len);
	struct layout_key now;
	struct draft_row *other;
	int r;

	if (!claim)
		return no_memory(err);
	for (const struct claim *at = *bucket; at; at = at->next)
		if (at->row != row && at->key.len == key.len &&
		    memcmp(at->key.at, key.at, key.len) == 0)
			return taken(draft, row, index, err);
	memcpy(claim + 1, key.at, key.len);
	*claim = (struct claim){ .next = *bucket, .key = { claim + 1, key.len }, .row = row };
	*bucket = claim;
	r = cell_store_get(draft->view->txn, key, &holder, err);
	if (r)
		return r < 0 ? r : 0;
	if (holder.len == row->key.len && memcmp(holder.at, row->key.at, holder.len) == 0)
		return 0;
	/* Its row may give it up in this very commit. */
	other = draft_peek(draft, row->table, holder);
	if (!other || !other->is_changed)
		return taken(draft, row, index, err);
	if (!other->after)
		return 0;
	r = rows_index_key(row->table, index, other->after, other->key, &now, err);
	if (r == 0 && now.len == place->len && memcmp(now.bytes, place->bytes, now.len) == 0)
		return taken(draft, row, index, err);
	return r;
}

/* One side of a changed row: its entries in unique indexes, held, and claimed if it is to be. */
static int uniques_check(struct draft *draft, struct claims *claims, const struct draft_row *row,
			 const struct value *values, bool is_after, struct cell_error *err)
{
	for (size_t i = 1; i < row->table->n_indexes; i++) {
		struct layout_key place;
		int r;

		if (!rows_is_unique(row->table, i, values))
			continue;
		r = rows_index_key(row->table, i, values, row->key, &place, err);
		if (r == 0)
			r = draft_hold(draft, layout_bytes(&place), true, row->table, values, err);
		if (r == 0 && is_after)
			r = claim(draft, claims, row, i, &place, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int changed_check(struct draft *draft, struct claims *claims, const struct draft_row *row,
			 struct cell_error *err)
{
	const struct value *sides[] = { row->before, row->after };
	struct layout_key place;
	int r;

	rows_place(row->table, row->key, &place);
	r = draft_hold(draft, layout_bytes(&place), true, row->table,
		       row->after ? row->after : row->before, err);
	for (size_t i = 0; r == 0 && i < 2; i++) {
		if (!sides[i])
			continue;
		r = uniques_check(draft, claims, row, sides[i], i == 1, err);
		if (r == 0)
			r = conflict_row(draft, row, sides[i], err);
	}
	return r;
}

int unique_check(struct draft *draft, struct cell_error *err)
{
	struct claims claims = { .n_buckets = 16 };
	int r = 0;

	while (claims.n_buckets < draft->n_changed)
		claims.n_buckets *= 2;
	claims.buckets = cell_arena_calloc(draft->arena, claims.n_buckets, sizeof *claims.buckets);
	if (!claims.buckets)
		return no_memory(err);
	for (struct draft_row *row = draft->first; r == 0 && row; row = row->next)
		if (row->is_changed && (row->before || row->after))
			r = changed_check(draft, &claims, row, err);
	return r;
}
