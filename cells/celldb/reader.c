#include "reader.h"

#include "record.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

int reader_open(struct reader **ret, struct cell_store *store, struct pulse *pulse,
		const char *seal_path, struct cell_error *err)
{
	struct reader *reader = calloc(1, sizeof *reader);
	const struct view *view;
	int r;

	if (!reader)
		return cell_fail(err, -ENOMEM, "no memory to read with");
	reader->store = store;
	reader->pulse = pulse;
	reader->seal_path = seal_path;
	reader->view.txn = &reader->txn;
	r = seal_open(&reader->view.seal, seal_path, err);
	if (r == 0)
		r = reader_view(reader, &view, err);
	if (r < 0) {
		reader_close(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	cell_store_abort(&reader->txn);
	catalog_unref(reader->view.catalog);
	seal_close(reader->view.seal);
	free(reader);
}

static int generation_of(struct cell_store_txn *txn, uint64_t *ret, struct cell_error *err)
{
	struct cell_store_bytes bytes;
	struct record_meta meta;
	struct layout_key key;
	int r;

	layout_meta(&key);
	r = cell_store_get(txn, layout_bytes(&key), &bytes, err);
	if (r == CELL_STORE_ABSENT)
		return cell_fail(err, CELL_DATA_LOSS, "the store has no head");
	if (r == 0)
		r = record_meta_decode(&meta, bytes, err);
	if (r == 0)
		*ret = meta.generation;
	return r;
}

/* The catalog that TXN sees: CATALOG, or a newer one in its place. */
static int catalog_follow(struct cell_store_txn *txn, struct catalog **catalog,
			  struct cell_error *err)
{
	struct catalog *fresh;
	uint64_t generation;
	int r = generation_of(txn, &generation, err);

	if (r < 0 || (*catalog && catalog_generation(*catalog) == generation))
		return r;
	r = catalog_load(&fresh, txn, *catalog, err);
	if (r < 0)
		return r;
	catalog_unref(*catalog);
	*catalog = fresh;
	return 0;
}

static void seal_follow(struct reader *reader)
{
	uint64_t seals = atomic_load(&reader->pulse->seal);
	struct cell_error err;
	struct seal *fresh;

	if (seals == reader->seals)
		return;
	if (seal_open(&fresh, reader->seal_path, &err) < 0) {
		cell_log(CELL_LOG_ERR, "reader", "no_keys", "reason=\"%s\"", err.text);
		return;
	}
	seal_close(reader->view.seal);
	reader->view.seal = fresh;
	reader->seals = seals;
}

static int renew(struct reader *reader, uint64_t commits, struct cell_error *err)
{
	uint64_t tick;
	int r = reader->txn.handle ? cell_store_renew(&reader->txn, err)
				   : cell_store_read(reader->store, &reader->txn, err);

	if (r < 0)
		return r;
	/*
	 * Loaded behind the snapshot: a commit that it shows was begun before, so the tick has
	 * moved already. While that commit is under way the tick is odd, and we look each time.
	 */
	tick = atomic_load(&reader->pulse->catalog);
	if (!reader->view.catalog || tick != reader->catalog || tick % 2)
		r = catalog_follow(&reader->txn, &reader->view.catalog, err);
	if (r < 0) {
		cell_store_abort(&reader->txn);
		return r;
	}
	reader->catalog = tick;
	reader->commits = commits;
	seal_follow(reader);
	return 0;
}

int reader_view(struct reader *reader, const struct view **ret, struct cell_error *err)
{
	uint64_t commits = atomic_load_explicit(&reader->pulse->commits, memory_order_acquire);
	int r;

	if (CELL_UNLIKELY(commits != reader->commits || !reader->txn.handle ||
			  cell_store_is_behind(&reader->txn))) {
		r = renew(reader, commits, err);
		if (r < 0)
			return r;
	}
	*ret = &reader->view;
	return 0;
}

void reader_refresh(struct reader *reader)
{
	struct cell_error err;
	const struct view *view;

	if (reader_view(reader, &view, &err) < 0)
		cell_log(CELL_LOG_ERR, "reader", "no_snapshot", "reason=\"%s\"", err.text);
}

int snapshot_open(struct reader *reader, struct snapshot *ret, struct cell_error *err)
{
	const struct view *view;
	int r = reader_view(reader, &view, err);

	*ret = (struct snapshot){ .reader = reader };
	if (r == 0)
		r = cell_store_read(reader->store, &ret->txn, err);
	if (r < 0)
		return r;
	ret->view = *view;
	ret->view.txn = &ret->txn;
	ret->view.catalog = catalog_ref(view->catalog);
	r = catalog_follow(&ret->txn, &ret->view.catalog, err);
	if (r < 0)
		snapshot_close(ret);
	return r;
}

void snapshot_close(struct snapshot *snapshot)
{
	cell_store_abort(&snapshot->txn);
	catalog_unref(snapshot->view.catalog);
	snapshot->view.catalog = NULL;
}

int snapshot_renew(struct snapshot *snapshot, struct cell_error *err)
{
	int r = snapshot->txn.handle
			? cell_store_renew(&snapshot->txn, err)
			: cell_store_read(snapshot->reader->store, &snapshot->txn, err);

	return r < 0 ? r : catalog_follow(&snapshot->txn, &snapshot->view.catalog, err);
}

const struct view *snapshot_view(struct snapshot *snapshot)
{
	snapshot->view.seal = snapshot->reader->view.seal;
	return &snapshot->view;
}
