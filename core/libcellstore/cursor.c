#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "txn.h"

/*
 * LMDB moves its cursors along when a page changes under them, with exceptions that are not
 * documented. So in a write transaction a cursor remembers its key, and looks it up again
 * when something was written since.
 */
struct place {
	MDB_cursor *cursor;
	bool stands; /* it has given an entry */
	bool at_end; /* it has said that there is no more, in the direction below */
	bool backwards;
	uint64_t steps; /* of the transaction when it last moved */
	struct merge merge; /* of a store with a journal, where all cursors know their key */
	size_t key_len;
	unsigned char key[CELL_STORE_KEY_MAX];
};

int cell_store_cursor_open(struct cell_store_txn *txn, struct cell_store_cursor *ret_cursor,
			   struct cell_error *err)
{
	struct place *place;
	int rc, r = txn_begin_failed(txn, err);

	if (r < 0)
		return r;
	place = calloc(1, sizeof *place);
	if (!place)
		return txn_fail_rc(txn, ENOMEM, "reading", err);
	rc = mdb_cursor_open(txn->handle, txn->store->dbi, &place->cursor);
	if (rc) {
		free(place);
		return txn_fail_rc(txn, rc, "reading", err);
	}
	*ret_cursor = (struct cell_store_cursor){ .txn = txn, .handle = place };
	return 0;
}

void cell_store_cursor_close(struct cell_store_cursor *cursor)
{
	struct place *place = cursor->handle;

	if (!place)
		return;
	/* The end of a write transaction has freed LMDB's part. */
	if (!cursor->txn->is_write || cursor->txn->store->has_journal || cursor->txn->handle)
		mdb_cursor_close(place->cursor);
	free(place);
	cursor->handle = NULL;
}

/* RC of a move that found KEY and STORED: give them. */
static int give(struct cell_store_cursor *cursor, int rc, const MDB_val *key,
		const MDB_val *stored, bool backwards, struct cell_store_bytes *ret_key,
		struct cell_store_bytes *ret_value, struct cell_error *err)
{
	struct place *place = cursor->handle;
	struct cell_store_txn *txn = cursor->txn;
	int r;

	place->backwards = backwards;
	place->at_end = rc == MDB_NOTFOUND;
	if (rc == MDB_NOTFOUND)
		return CELL_STORE_ABSENT;
	if (rc)
		return txn_fail_rc(txn, rc, "reading", err);
	place->stands = true;
	if (txn->is_write || txn->store->has_journal) {
		place->steps = txn->is_write ? txn->store->write_steps : 0;
		place->key_len = key->mv_size;
		memcpy(place->key, key->mv_data, key->mv_size);
	}
	*ret_key = (struct cell_store_bytes){ key->mv_data, key->mv_size };
	r = txn_take(txn, *ret_key,
		     (struct cell_store_bytes){ stored->mv_data, stored->mv_size }, ret_value,
		     err);
	return r;
}

/* To the last entry at or before KEY, or strictly before it. */
static int seek_back(MDB_cursor *cursor, MDB_val *key, MDB_val *stored, bool strictly)
{
	MDB_val wanted = *key;
	int rc = mdb_cursor_get(cursor, key, stored, MDB_SET_RANGE);

	if (rc == MDB_NOTFOUND)
		return mdb_cursor_get(cursor, key, stored, MDB_LAST);
	if (rc == 0 && !strictly && key->mv_size == wanted.mv_size &&
	    memcmp(key->mv_data, wanted.mv_data, wanted.mv_size) == 0)
		return 0;
	return rc ? rc : mdb_cursor_get(cursor, key, stored, MDB_PREV);
}

/* To the first entry at or behind KEY, or strictly behind it. */
static int seek_on(MDB_cursor *cursor, MDB_val *key, MDB_val *stored, bool strictly)
{
	MDB_val wanted = *key;
	int rc = mdb_cursor_get(cursor, key, stored, MDB_SET_RANGE);

	if (rc == 0 && strictly && key->mv_size == wanted.mv_size &&
	    memcmp(key->mv_data, wanted.mv_data, wanted.mv_size) == 0)
		return mdb_cursor_get(cursor, key, stored, MDB_NEXT);
	return rc;
}

/* The same as below in a store with a journal. */
static int seek_merged(struct cell_store_cursor *cursor, const struct cell_store_bytes *from,
		       bool strictly, bool backwards, MDB_val *key, MDB_val *stored)
{
	struct place *place = cursor->handle;
	struct cell_store_bytes found = { 0 }, value = { 0 };
	int rc = merge_seek(&place->merge, cursor->txn, place->cursor, from, strictly, backwards,
			    &found, &value);

	*key = (MDB_val){ found.len, (void *)(uintptr_t)found.at };
	*stored = (MDB_val){ value.len, (void *)(uintptr_t)value.at };
	return rc;
}

static int move_merged(struct cell_store_cursor *cursor, bool backwards, MDB_val *key,
		       MDB_val *stored)
{
	struct place *place = cursor->handle;
	struct cell_store_bytes at = { place->key, place->key_len };
	struct cell_store_bytes found = { 0 }, value = { 0 };
	int rc;

	if (!place->stands || place->at_end)
		return seek_merged(cursor, NULL, false, backwards, key, stored);
	if (!place->merge.is_set || place->merge.backwards != backwards ||
	    (cursor->txn->is_write && place->steps != cursor->txn->store->write_steps))
		return seek_merged(cursor, &at, true, backwards, key, stored);
	rc = merge_next(&place->merge, cursor->txn, place->cursor, at, &found, &value);
	*key = (MDB_val){ found.len, (void *)(uintptr_t)found.at };
	*stored = (MDB_val){ value.len, (void *)(uintptr_t)value.at };
	return rc;
}

int cell_store_seek(struct cell_store_cursor *cursor, struct cell_store_bytes key,
		    bool backwards, struct cell_store_bytes *ret_key,
		    struct cell_store_bytes *ret_value, struct cell_error *err)
{
	struct place *place = cursor->handle;
	MDB_val k = { key.len, (void *)key.at }, v;
	int rc, r = txn_begin_failed(cursor->txn, err);

	if (r < 0)
		return r;
	/* LMDB has no empty key; here it is the beginning of all. */
	if (key.len == 0 && cursor->txn->store->has_journal)
		rc = backwards ? MDB_NOTFOUND
			       : seek_merged(cursor, NULL, false, false, &k, &v);
	else if (key.len == 0)
		rc = backwards ? MDB_NOTFOUND
			       : mdb_cursor_get(place->cursor, &k, &v, MDB_FIRST);
	else if (key.len > CELL_STORE_KEY_MAX)
		rc = MDB_BAD_VALSIZE;
	else if (cursor->txn->store->has_journal)
		rc = seek_merged(cursor, &key, false, backwards, &k, &v);
	else
		rc = backwards ? seek_back(place->cursor, &k, &v, false)
			       : seek_on(place->cursor, &k, &v, false);
	return give(cursor, rc, &k, &v, backwards, ret_key, ret_value, err);
}

static int move(struct cell_store_cursor *cursor, bool backwards, MDB_val *key,
		MDB_val *stored)
{
	struct place *place = cursor->handle;

	if (cursor->txn->store->has_journal)
		return move_merged(cursor, backwards, key, stored);
	/* Nowhere yet, or turning round at an end. */
	if (!place->stands || place->at_end)
		return mdb_cursor_get(place->cursor, key, stored,
				      backwards ? MDB_LAST : MDB_FIRST);
	if (cursor->txn->is_write && place->steps != cursor->txn->store->write_steps) {
		*key = (MDB_val){ place->key_len, place->key };
		return backwards ? seek_back(place->cursor, key, stored, true)
				 : seek_on(place->cursor, key, stored, true);
	}
	return mdb_cursor_get(place->cursor, key, stored, backwards ? MDB_PREV : MDB_NEXT);
}

int cell_store_next(struct cell_store_cursor *cursor, bool backwards,
		    struct cell_store_bytes *ret_key, struct cell_store_bytes *ret_value,
		    struct cell_error *err)
{
	struct place *place = cursor->handle;
	MDB_val key, stored;
	int r = txn_begin_failed(cursor->txn, err);

	if (r < 0)
		return r;
	return give(cursor,
		    place->at_end && place->backwards == backwards
			    ? MDB_NOTFOUND
			    : move(cursor, backwards, &key, &stored),
		    &key, &stored, backwards, ret_key, ret_value, err);
}
