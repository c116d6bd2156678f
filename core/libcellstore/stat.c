#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "inside.h"

#define FREE_TREE 0 /* LMDB's handle of the tree of free pages; for reading only */

/* A record of the tree of free pages begins with how many it lists. */
static int count_free(MDB_txn *txn, uint64_t *ret_pages)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t sum = 0;
	size_t n;
	int rc = mdb_cursor_open(txn, FREE_TREE, &cursor);

	if (rc)
		return rc;
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		if (value.mv_size >= sizeof n) {
			memcpy(&n, value.mv_data, sizeof n);
			sum += n;
		}
	mdb_cursor_close(cursor);
	*ret_pages = sum;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* One line for each slot: pid, thread, and the commit that is read, or "-". */
static int on_reader(const char *line, void *oldest)
{
	unsigned long long commit;

	if (sscanf(line, "%*d %*s %llu", &commit) == 1 && commit < *(uint64_t *)oldest)
		*(uint64_t *)oldest = commit;
	return 0;
}

int cell_store_stat(struct cell_store *store, struct cell_store_stat *ret_stat,
		    struct cell_error *err)
{
	struct cell_store_stat stat = { .max_bytes = store->max_bytes };
	uint64_t oldest = UINT64_MAX, pages = 0;
	struct cell_store_txn txn;
	MDB_envinfo info;
	MDB_stat tree = { 0 };
	int rc, r;

	stat.memory_bytes = atomic_load_explicit(&store->memory, memory_order_relaxed);
	stat.readers = atomic_load_explicit(&store->readers, memory_order_relaxed);
	(void)mdb_reader_list(store->env, on_reader, &oldest);
	r = cell_store_read(store, &txn, err);
	if (r < 0)
		return r;
	rc = mdb_env_info(store->env, &info);
	if (rc == 0)
		rc = mdb_stat(txn.handle, store->dbi, &tree);
	if (rc == 0)
		rc = count_free(txn.handle, &pages);
	cell_store_abort(&txn);
	if (rc)
		return store_fail(err, store, rc, "reading");
	stat.file_bytes = (uint64_t)(info.me_last_pgno + 1) * tree.ms_psize;
	stat.free_bytes = pages * tree.ms_psize;
	stat.entries = tree.ms_entries;
	stat.oldest_reader = oldest < info.me_last_txnid ? info.me_last_txnid - oldest : 0;
	*ret_stat = stat;
	return 0;
}
