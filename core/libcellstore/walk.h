/*
 * Walks a data file page by page, trusting none of it: what LMDB itself believes without
 * looking, it may die of, or worse, write over. No page is used twice, or is free and used;
 * each is what its parent says, and inside the file; keys are in order; every value has its
 * checksum.
 */
#pragma once

#include <cell/store.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

enum walk_outcome {
	WALK_STOPPED = 1 /* on_page said so; what was seen until then is good */
};

struct walk {
	const char *path;          /* for texts */
	const unsigned char *file; /* its bytes */
	uint64_t size;
	struct format_meta meta; /* the commit to be walked */
	/* Called for each page; false stops. May be NULL. */
	bool (*on_page)(struct walk *walk);
	void *data;

	uint64_t entries; /* good ones */
	uint64_t pages;

	/* Inside. */
	uint64_t *used; /* a bit for each page */
	const struct walk_tree *tree;
	struct cell_store_bytes last; /* the key before: in the file; NULL = none yet */
	bool last_is_floor;           /* it is a branch's: the next key may be it */
	uint64_t tree_entries;
};

/*
 * Walk it: the free pages first, then the map. Returns 0, WALK_STOPPED, CELL_DATA_LOSS, or
 * -ENOMEM. May die of SIGBUS if the disk fails to read: for a process of its own.
 */
int walk_file(struct walk *walk, struct cell_error *err);
