#include "merge.h"

#include <string.h>

#include "recent.h"

static void table_set(struct merge_entry *entry, const struct change *change)
{
	entry->is_there = change != NULL;
	entry->change = change;
	if (!change)
		return;
	entry->key = change_key(change);
	entry->stored = change_stored(change);
}

static void table_seek(struct merge_entry *entry, const struct recent *recent, uint64_t commit,
		       const struct cell_store_bytes *key, bool strictly, bool backwards)
{
	static const struct cell_store_bytes start;

	entry->is_there = false;
	if (!recent || recent_is_empty(recent))
		return;
	table_set(entry, backwards ? recent_before(recent, key, strictly, commit)
				   : recent_after(recent, key ? *key : start, key && strictly,
						  commit));
}

static int map_set(struct merge_entry *entry, int rc, const MDB_val *key, const MDB_val *stored)
{
	entry->is_there = rc == 0;
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : rc;
	entry->key = (struct cell_store_bytes){ key->mv_data, key->mv_size };
	entry->stored = (struct cell_store_bytes){ stored->mv_data, stored->mv_size };
	return 0;
}

static bool is_same(const MDB_val *found, const struct cell_store_bytes *key)
{
	return found->mv_size == key->len && memcmp(found->mv_data, key->at, key->len) == 0;
}

static int map_seek(struct merge_entry *entry, MDB_cursor *cursor,
		    const struct cell_store_bytes *key, bool strictly, bool backwards)
{
	MDB_val found, stored;
	int rc;

	if (!key || key->len == 0) {
		rc = mdb_cursor_get(cursor, &found, &stored, backwards ? MDB_LAST : MDB_FIRST);
		return map_set(entry, rc, &found, &stored);
	}
	found = (MDB_val){ key->len, (void *)(uintptr_t)key->at };
	rc = mdb_cursor_get(cursor, &found, &stored, MDB_SET_RANGE);
	if (!backwards && rc == 0 && strictly && is_same(&found, key))
		rc = mdb_cursor_get(cursor, &found, &stored, MDB_NEXT);
	else if (backwards && rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(cursor, &found, &stored, MDB_LAST);
	else if (backwards && rc == 0 && (strictly || !is_same(&found, key)))
		rc = mdb_cursor_get(cursor, &found, &stored, MDB_PREV);
	return map_set(entry, rc, &found, &stored);
}

static void table_step(struct merge_entry *entry, const struct recent *recent, uint64_t commit,
		       bool backwards)
{
	struct cell_store_bytes key = change_key(entry->change);

	table_set(entry, backwards ? recent_before(recent, &key, true, commit)
				   : recent_next(entry->change, commit));
}

/* Those that stand at KEY go on. */
static int step(struct merge *merge, const struct cell_store_txn *txn, MDB_cursor *cursor,
		struct cell_store_bytes key)
{
	MDB_val found, stored;
	int rc;

	for (int i = 0; i < MERGE_TABLES; i++)
		if (merge->entries[i].is_there &&
		    bytes_compare(merge->entries[i].key, key) == 0)
			table_step(&merge->entries[i], txn->recent[i], txn->commit,
				   merge->backwards);
	if (!merge->entries[MERGE_MAP].is_there ||
	    bytes_compare(merge->entries[MERGE_MAP].key, key) != 0)
		return 0;
	rc = mdb_cursor_get(cursor, &found, &stored, merge->backwards ? MDB_PREV : MDB_NEXT);
	return map_set(&merge->entries[MERGE_MAP], rc, &found, &stored);
}

/* The entry that comes first, the newest of its key; NULL: there is none. */
static const struct merge_entry *first(const struct merge *merge)
{
	const struct merge_entry *best = NULL;

	for (int i = 0; i <= MERGE_MAP; i++) {
		const struct merge_entry *entry = &merge->entries[i];
		int order;

		if (!entry->is_there)
			continue;
		order = best ? bytes_compare(entry->key, best->key) : -1;
		if (best && merge->backwards)
			order = -order;
		if (order < 0)
			best = entry;
	}
	return best;
}

static int give(struct merge *merge, const struct cell_store_txn *txn, MDB_cursor *cursor,
		struct cell_store_bytes *ret_key, struct cell_store_bytes *ret_stored)
{
	const struct merge_entry *best;
	int rc = 0;

	while (rc == 0 && (best = first(merge)) && best->stored.len == 0)
		rc = step(merge, txn, cursor, best->key);
	if (rc)
		return rc;
	if (!best)
		return MDB_NOTFOUND;
	*ret_key = best->key;
	*ret_stored = best->stored;
	return 0;
}

int merge_seek(struct merge *merge, const struct cell_store_txn *txn, MDB_cursor *cursor,
	       const struct cell_store_bytes *key, bool strictly, bool backwards,
	       struct cell_store_bytes *ret_key, struct cell_store_bytes *ret_stored)
{
	int rc;

	merge->backwards = backwards;
	for (int i = 0; i < MERGE_TABLES; i++)
		table_seek(&merge->entries[i], txn->recent[i], txn->commit, key, strictly,
			   backwards);
	rc = map_seek(&merge->entries[MERGE_MAP], cursor, key, strictly, backwards);
	merge->is_set = rc == 0;
	return rc ? rc : give(merge, txn, cursor, ret_key, ret_stored);
}

int merge_next(struct merge *merge, const struct cell_store_txn *txn, MDB_cursor *cursor,
	       struct cell_store_bytes key, struct cell_store_bytes *ret_key,
	       struct cell_store_bytes *ret_stored)
{
	int rc = step(merge, txn, cursor, key);

	merge->is_set = rc == 0;
	return rc ? rc : give(merge, txn, cursor, ret_key, ret_stored);
}
