/*
 * The log of decisions, on disk. A thread of its own writes: all that wait for it at a time
 * share one sync. Taking away what is known everywhere waits for company.
 */
#pragma once

#include "decide.h"

/* A decision: who has to be told, and who began it. */
struct record {
	uint8_t id[DECIDE_ID_BYTES];
	const char *owner;
	size_t n_participants;
	const char *const *participants;
};

/* What became of a record that was to be written. */
struct written {
	uint8_t id[DECIDE_ID_BYTES];
	struct cell_error err; /* code 0: it is on the disk */
};

struct store;

/* Open the log in DIR. 0, or a status with its text. */
int store_open(struct store **ret_store, const char *dir, struct cell_error *err);
/* What was given to it is written first. NULL is fine. */
void store_close(struct store *store);

/* Each record of the log, before anything is written. ON_RECORD says 0 to go on. */
int store_each(struct store *store,
	       int (*on_record)(void *userdata, const struct record *record,
				struct cell_error *err),
	       void *userdata, struct cell_error *err);

/* Write RECORD, then tell by store_fd(). 0, or -ENOMEM with nothing begun. */
int store_write(struct store *store, const struct record *record);
/* Remove it, within a second. Without memory it stays, and is told of once more. */
void store_forget(struct store *store, const uint8_t *id);

/* Readable when something was written. */
int store_fd(const struct store *store);
/* The next that was, or false. */
bool store_take(struct store *store, struct written *ret_written);
