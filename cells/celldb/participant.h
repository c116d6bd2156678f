/*
 * Transactions over several cells that are prepared here: what they will do, and what nobody
 * else may touch until they are decided. Pure; the same is in the store (record.h), from
 * where it is made anew at the start.
 */
#pragma once

#include "record.h"

/* At once; each holds memory, and rows that others run into. */
#define PARTICIPANTS_MAX 1024

struct participant {
	uint8_t txn[LAYOUT_ID];
	struct record_prepared record;
	struct cell_arena arena;
	struct participant *next;
	struct participant_lock *locks;
};

struct participants;

struct participants *participants_new(void);
void participants_free(struct participants *all);
/* Forget all. */
void participants_clear(struct participants *all);

/*
 * Take in what the store has (or will have) for TXN. Returns 0, -ENOMEM, CELL_DATA_LOSS,
 * or CELL_RESOURCE_EXHAUSTED.
 */
int participants_add(struct participants *all, const uint8_t txn[static LAYOUT_ID],
		     struct cell_store_bytes record, struct cell_error *err);
/* Its locks are gone. */
void participants_remove(struct participants *all, const uint8_t txn[static LAYOUT_ID]);

/* NULL if it is not prepared here. */
const struct participant *participants_find(const struct participants *all,
					    const uint8_t txn[static LAYOUT_ID]);
size_t participants_count(const struct participants *all);
/* The first, for walking by `next`; NULL if there is none. */
const struct participant *participants_first(const struct participants *all);

/* Who keeps KEY of the store from being read by a transaction, or (TO_WRITE) written; or NULL. */
const struct participant *participants_holder(const struct participants *all,
					      struct cell_store_bytes key, bool to_write);

/* "transaction 0f3a…": for messages. OUT has room for 64 bytes. */
const char *participant_name(const struct participant *participant, char out[static 64]);
