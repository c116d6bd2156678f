/* Stores for tests: a folder that is removed, and text in and out. */
#pragma once

#include <cell/store.h>

struct stored {
	char root[64]; /* removed at the end */
	char dir[80];  /* of the store, in it */
	struct cell_store *store;
	struct cell_error err;
	size_t journal_bytes; /* of stored_open(); set it before */
};

void stored_init(struct stored *stored);
/* Closes, and removes the folder. */
void stored_deinit(struct stored *stored);

/* Open it; MAX_BYTES as in the options. Fails the test if that fails. */
void stored_open(struct stored *stored, uint64_t max_bytes);
/* What opening it says; it is closed again at once. */
int stored_try(struct stored *stored);
void stored_close(struct stored *stored);

/* The path of FILE in the store's folder; good until the next call. */
const char *stored_path(struct stored *stored, const char *file);

struct cell_store_bytes stored_text(const char *text);

/* One commit with one value; what it says. */
int stored_put(struct stored *stored, const char *key, const char *value);
/* What is at KEY, good until the next call; NULL if nothing is. Fails the test on an error.
 */
const char *stored_get(struct stored *stored, const char *key);

/* N entries of SIZE bytes each, in one commit: key "BASE" and eight digits. */
int stored_fill(struct stored *stored, char base, unsigned n, size_t size);
