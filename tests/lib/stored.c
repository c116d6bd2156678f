#include "stored.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void stored_init(struct stored *stored)
{
	/* In memory, where that is possible: what is synced is the tests' business, not the
	 * disk's. */
	const char *base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";

	*stored = (struct stored){ .store = NULL };
	snprintf(stored->root, sizeof stored->root, "%s/cell-store-XXXXXX", base);
	ck_assert_ptr_nonnull(mkdtemp(stored->root));
	snprintf(stored->dir, sizeof stored->dir, "%s/store", stored->root);
}

static int on_file(const char *path, const struct stat *status, int kind, struct FTW *at)
{
	(void)status, (void)kind, (void)at;
	(void)remove(path);
	return 0;
}

void stored_deinit(struct stored *stored)
{
	stored_close(stored);
	(void)nftw(stored->root, on_file, 8, FTW_DEPTH | FTW_PHYS);
}

void stored_open(struct stored *stored, uint64_t max_bytes)
{
	struct cell_store_options options = { .max_bytes = max_bytes,
					      .journal_bytes = stored->journal_bytes };
	int r = cell_store_open(&stored->store, stored->dir, &options, &stored->err);

	ck_assert_msg(r == 0, "%s", stored->err.text);
}

int stored_try(struct stored *stored)
{
	struct cell_store *store = NULL;
	int r = cell_store_open(&store, stored->dir, NULL, &stored->err);

	if (r == 0)
		cell_store_close(store);
	return r;
}

void stored_close(struct stored *stored)
{
	cell_store_close(stored->store);
	stored->store = NULL;
}

const char *stored_path(struct stored *stored, const char *file)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", stored->dir, file);
	return path;
}

struct cell_store_bytes stored_text(const char *text)
{
	return (struct cell_store_bytes){ text, strlen(text) };
}

int stored_put(struct stored *stored, const char *key, const char *value)
{
	struct cell_store_txn txn;
	int r = cell_store_write(stored->store, &txn, &stored->err);

	if (r < 0)
		return r;
	(void)cell_store_put(&txn, stored_text(key), stored_text(value), &stored->err);
	return cell_store_commit(&txn, &stored->err);
}

const char *stored_get(struct stored *stored, const char *key)
{
	static char text[256];
	struct cell_store_bytes value;
	struct cell_store_txn txn;
	int r;

	ck_assert_msg(cell_store_read(stored->store, &txn, &stored->err) == 0, "%s",
		      stored->err.text);
	r = cell_store_get(&txn, stored_text(key), &value, &stored->err);
	ck_assert_msg(r >= 0, "%s", stored->err.text);
	if (r == 0)
		snprintf(text, sizeof text, "%.*s", (int)value.len, (const char *)value.at);
	cell_store_abort(&txn);
	return r == 0 ? text : NULL;
}

int stored_fill(struct stored *stored, char base, unsigned n, size_t size)
{
	struct cell_store_txn txn;
	char *value = malloc(size + 1), key[16];
	int r = cell_store_write(stored->store, &txn, &stored->err);

	ck_assert_ptr_nonnull(value);
	memset(value, base, size);
	for (unsigned i = 0; r == 0 && i < n; i++) {
		snprintf(key, sizeof key, "%c%08u", base, i);
		r = cell_store_put(&txn, stored_text(key),
				   (struct cell_store_bytes){ value, size }, &stored->err);
	}
	free(value);
	return r < 0 && !txn.handle ? r : cell_store_commit(&txn, &stored->err);
}
