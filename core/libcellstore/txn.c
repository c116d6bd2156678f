#include "inside.h"

#include <errno.h>
#include <string.h>

#include <cell/cell.h>

#include "checksum.h"
#include "recent.h"
#include "settle.h"
#include "txn.h"

/* Write transactions between two looks for readers that died without letting go. */
#define READERS_CHECK_EVERY 256

int txn_begin_failed(const struct cell_store_txn *txn, struct cell_error *err)
{
	if (!txn->handle)
		return cell_fail(err, CELL_FAILED_PRECONDITION, "the transaction has ended");
	if (txn->failed && txn->is_write && err)
		*err = txn->store->write_error;
	else if (txn->failed && err)
		(void)store_fail(err, txn->store, MDB_CORRUPTED, "reading");
	return txn->failed;
}

int txn_fail(struct cell_store_txn *txn, int code, struct cell_error *err,
	     const struct cell_error *text)
{
	if (err)
		*err = *text;
	if (txn->is_write && !txn->failed) {
		txn->failed = code;
		txn->store->write_error = *text;
	}
	return code;
}

int txn_fail_rc(struct cell_store_txn *txn, int rc, const char *doing, struct cell_error *err)
{
	struct cell_error text;
	int code = store_fail(&text, txn->store, rc, doing);

	/* LMDB answers nothing any more in a transaction that came upon a damaged page. */
	if (code == CELL_DATA_LOSS && !txn->is_write)
		txn->failed = code;
	return txn_fail(txn, code, err, &text);
}

int txn_take(struct cell_store_txn *txn, struct cell_store_bytes key,
	     struct cell_store_bytes stored, struct cell_store_bytes *ret_value,
	     struct cell_error *err)
{
	struct cell_error text;

	if (checksum_take(key, stored, ret_value))
		return 0;
	cell_fail(
		&text, CELL_DATA_LOSS,
		"reading '%s': the value of a key of %zu bytes is damaged; restore it from a "
		"backup",
		txn->store->folder.data_path, key.len);
	return txn_fail(txn, text.code, err, &text);
}

static int check_key(struct cell_store_txn *txn, struct cell_store_bytes key,
		     struct cell_error *err)
{
	struct cell_error text;

	if (key.len > 0 && key.len <= CELL_STORE_KEY_MAX)
		return 0;
	cell_fail(&text, CELL_INVALID_ARGUMENT, "a key of %zu bytes; it has 1 to %d", key.len,
		  CELL_STORE_KEY_MAX);
	return txn_fail(txn, text.code, err, &text);
}

/* One that was let go and kept, or NULL. */
static MDB_txn *spare_take(struct cell_store *store)
{
	MDB_txn *spare = NULL;

	pthread_mutex_lock(&store->lock);
	if (store->n_spare)
		spare = store->spare[--store->n_spare];
	pthread_mutex_unlock(&store->lock);
	return spare;
}

static void spare_give(struct cell_store *store, MDB_txn *txn)
{
	mdb_txn_reset(txn);
	pthread_mutex_lock(&store->lock);
	if (store->n_spare < STORE_SPARE_MAX) {
		store->spare[store->n_spare++] = txn;
		txn = NULL;
	}
	pthread_mutex_unlock(&store->lock);
	if (txn)
		mdb_txn_abort(txn);
}

/* LMDB's own table may be larger: a file of it that is there already stays as it is. */
static bool reader_count(struct cell_store *store)
{
	if (atomic_fetch_add_explicit(&store->readers, 1, memory_order_relaxed) <
	    store->readers_max)
		return true;
	atomic_fetch_sub_explicit(&store->readers, 1, memory_order_relaxed);
	return false;
}

static int read_begin(struct cell_store *store, MDB_txn **ret_txn)
{
	MDB_txn *txn = spare_take(store);
	int rc;

	if (txn) {
		rc = mdb_txn_renew(txn);
		if (rc)
			mdb_txn_abort(txn);
	} else {
		rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
	}
	*ret_txn = txn;
	return rc;
}

int cell_store_read(struct cell_store *store, struct cell_store_txn *ret_txn,
		    struct cell_error *err)
{
	MDB_txn *txn = NULL;
	int rc;

	if (!reader_count(store))
		return store_fail(err, store, MDB_READERS_FULL, "reading");
	if (store->has_journal)
		rc = settle_read(store, ret_txn);
	else
		rc = read_begin(store, &txn);
	if (rc) {
		atomic_fetch_sub_explicit(&store->readers, 1, memory_order_relaxed);
		if (rc == MDB_PANIC && store_broken(err, store))
			return store_broken(err, store);
		return store_fail(err, store, rc, "reading");
	}
	if (!store->has_journal)
		*ret_txn = (struct cell_store_txn){ .store = store, .handle = txn };
	return 0;
}

int cell_store_write(struct cell_store *store, struct cell_store_txn *ret_txn,
		     struct cell_error *err)
{
	int dead, rc, r = store_broken(err, store);
	MDB_txn *txn;

	if (r < 0)
		return r;
	if (store->is_read_only)
		return cell_fail(err, -EROFS, "'%s' was opened for reading only",
				 store->folder.path);
	if (store->has_journal)
		return settle_write(store, ret_txn, err);
	rc = mdb_txn_begin(store->env, NULL, 0, &txn);
	/* It may have broken while we waited for the one before us. */
	r = store_broken(err, store);
	if (r < 0 && rc == 0)
		mdb_txn_abort(txn);
	if (r < 0)
		return r;
	if (rc)
		return store_fail(err, store, rc, "writing to");
	/* A verifying process that was killed would keep its pages from being used again. */
	if (++store->n_writes % READERS_CHECK_EVERY == 0)
		(void)mdb_reader_check(store->env, &dead);
	store->write_steps++;
	*ret_txn = (struct cell_store_txn){ .store = store, .handle = txn, .is_write = true };
	return 0;
}

int cell_store_commit(struct cell_store_txn *txn, struct cell_error *err)
{
	int rc, r = txn_begin_failed(txn, err);

	if (r < 0 || !txn->is_write) {
		cell_store_abort(txn);
		return r;
	}
	if (txn->store->has_journal)
		return settle_commit(txn, err);
	rc = mdb_txn_commit(txn->handle);
	txn->handle = NULL;
	return rc ? store_commit_fail(err, txn->store, rc) : 0;
}

void cell_store_abort(struct cell_store_txn *txn)
{
	if (!txn->handle)
		return;
	if (!txn->is_write)
		atomic_fetch_sub_explicit(&txn->store->readers, 1, memory_order_relaxed);
	if (txn->store->has_journal)
		settle_abort(txn);
	else if (txn->is_write)
		mdb_txn_abort(txn->handle);
	else
		spare_give(txn->store, txn->handle);
	txn->handle = NULL;
}

int cell_store_renew(struct cell_store_txn *txn, struct cell_error *err)
{
	int rc;

	if (!txn->handle)
		return txn_begin_failed(txn, err);
	if (txn->is_write)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "only a read transaction can be renewed");
	if (txn->store->has_journal) {
		struct cell_store *store = txn->store;

		cell_store_abort(txn);
		return cell_store_read(store, txn, err);
	}
	txn->failed = 0;
	mdb_txn_reset(txn->handle);
	rc = mdb_txn_renew(txn->handle);
	if (rc == 0)
		return 0;
	mdb_txn_abort(txn->handle);
	txn->handle = NULL;
	atomic_fetch_sub_explicit(&txn->store->readers, 1, memory_order_relaxed);
	return store_fail(err, txn->store, rc, "reading");
}

int cell_store_get(struct cell_store_txn *txn, struct cell_store_bytes key,
		   struct cell_store_bytes *ret_value, struct cell_error *err)
{
	MDB_val k = { key.len, (void *)key.at }, v;
	int rc, r = txn_begin_failed(txn, err);
	const struct change *change;

	if (r == 0)
		r = check_key(txn, key, err);
	if (r < 0)
		return r;
	change = txn->store->has_journal ? settle_find(txn, key) : NULL;
	if (change)
		return change_is_gone(change) ? CELL_STORE_ABSENT
					      : txn_take(txn, key, change_stored(change),
							 ret_value, err);
	rc = mdb_get(txn->handle, txn->store->dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return CELL_STORE_ABSENT;
	if (rc)
		return txn_fail_rc(txn, rc, "reading", err);
	return txn_take(txn, key, (struct cell_store_bytes){ v.mv_data, v.mv_size },
			ret_value, err);
}

/* Whether TXN may change KEY. */
static int check_change(struct cell_store_txn *txn, struct cell_store_bytes key,
			struct cell_error *err)
{
	int r = txn_begin_failed(txn, err);

	if (r < 0)
		return r;
	if (!txn->is_write)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "a read transaction changes nothing");
	txn->store->write_steps++;
	return check_key(txn, key, err);
}

int cell_store_put(struct cell_store_txn *txn, struct cell_store_bytes key,
		   struct cell_store_bytes value, struct cell_error *err)
{
	MDB_val k = { key.len, (void *)key.at }, v = { value.len + CHECKSUM_BYTES, NULL };
	uint64_t sum;
	int rc, r = check_change(txn, key, err);

	if (r < 0)
		return r;
	if (txn->store->has_journal) {
		rc = settle_change(txn, key, value, false);
		return rc ? txn_fail_rc(txn, rc, "writing to", err) : 0;
	}
	/* Before the room is made: VALUE may lie on a page that is about to move. */
	sum = checksum_of(key, value);
	rc = mdb_put(txn->handle, txn->store->dbi, &k, &v, MDB_RESERVE);
	if (rc)
		return txn_fail_rc(txn, rc, "writing to", err);
	memcpy(v.mv_data, &sum, sizeof sum);
	memcpy((char *)v.mv_data + sizeof sum, value.at, value.len);
	return 0;
}

/* In a store with a journal. */
static int delete_later(struct cell_store_txn *txn, struct cell_store_bytes key,
			struct cell_error *err)
{
	const struct change *change = settle_find(txn, key);
	MDB_val k = { key.len, (void *)(uintptr_t)key.at }, v;
	int rc = 0;

	if (change && change_is_gone(change))
		return CELL_STORE_ABSENT;
	if (!change)
		rc = mdb_get(txn->handle, txn->store->dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return CELL_STORE_ABSENT;
	if (rc == 0)
		rc = settle_change(txn, key, (struct cell_store_bytes){ 0 }, true);
	return rc ? txn_fail_rc(txn, rc, "deleting from", err) : 0;
}

int cell_store_delete(struct cell_store_txn *txn, struct cell_store_bytes key,
		      struct cell_error *err)
{
	MDB_val k = { key.len, (void *)key.at };
	int rc, r = check_change(txn, key, err);

	if (r < 0)
		return r;
	if (txn->store->has_journal)
		return delete_later(txn, key, err);
	rc = mdb_del(txn->handle, txn->store->dbi, &k, NULL);
	if (rc == MDB_NOTFOUND)
		return CELL_STORE_ABSENT;
	return rc ? txn_fail_rc(txn, rc, "deleting from", err) : 0;
}
