/*
 * Reading, on the loop's thread: the newest snapshot, begun anew only when there has been a
 * commit since, and snapshots of their own for what waits.
 */
#pragma once

#include "pulse.h"
#include "view.h"

struct reader {
	struct cell_store *store;
	struct pulse *pulse;
	const char *seal_path;
	struct cell_store_txn txn;
	struct view view;
	uint64_t commits, catalog, seals; /* of the pulse, when they were last looked at */
	uint64_t gets, scans;
	unsigned watches;
};

/* A moment that is kept while a handler waits. */
struct snapshot {
	struct reader *reader;
	struct cell_store_txn txn;
	struct view view;
};

/* SEAL_PATH is the file of keys; it must outlive the reader. */
int reader_open(struct reader **ret, struct cell_store *store, struct pulse *pulse,
		const char *seal_path, struct cell_error *err);
void reader_close(struct reader *reader);

/*
 * What is there now. *ret is good until the handler waits, and so is all that it gives. An
 * atomic load unless there has been a commit. Returns 0 or what the store says.
 */
int reader_view(struct reader *reader, const struct view **ret, struct cell_error *err);

/* Let go of what is older than the last commit: it keeps the store from reusing its pages. */
void reader_refresh(struct reader *reader);

int snapshot_open(struct reader *reader, struct snapshot *ret, struct cell_error *err);
void snapshot_close(struct snapshot *snapshot);
/* Begin anew, with what is there now. */
int snapshot_renew(struct snapshot *snapshot, struct cell_error *err);
/* To be called after a wait: keys may be others. */
const struct view *snapshot_view(struct snapshot *snapshot);
