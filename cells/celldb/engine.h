/*
 * Everything that changes the database: on one thread, some jobs to one transaction of the
 * store. It knows no sockets, no clocks and no other threads: time and randomness come in.
 *
 *	engine_begin()
 *	engine_commit(), engine_prepare(), …   each all or nothing
 *	engine_end()                           all durable, or none happened
 */
#pragma once

#include "answers.h"
#include "apply.h"
#include "commit.h"
#include "participant.h"
#include "pulse.h"
#include "record.h"

struct engine_options {
	uint64_t log_max;     /* changes that are kept; 0 = 1,000,000 */
	uint64_t log_age_us;  /* and for how long; 0 = 1 h */
	void (*fill_random)(uint8_t out[static 16]);
};

struct engine {
	struct cell_store *store;
	struct seal *seal;          /* this thread's; not owned */
	struct pulse *pulse;
	struct engine_options options;
	struct cell_store_txn txn;
	struct view view;           /* of the transaction that is under way */
	struct record_meta meta;    /* as it will be */
	struct record_meta durable; /* as it is */
	struct participants *participants;
	struct answers *answers;
	int64_t now_us;
	bool is_dirty;              /* something was written */
	bool has_prepared;          /* participants have changed */
	bool has_altered;           /* the catalog has */
};

/*
 * Take over STORE, which is made ready if it is empty. *ret is for engine_close(), which
 * closes neither STORE nor SEAL. Returns 0, -ENOMEM, or what the store says.
 */
int engine_open(struct engine **ret, struct cell_store *store, struct seal *seal,
		struct pulse *pulse, const struct engine_options *options, struct cell_error *err);
void engine_close(struct engine *engine);

int engine_begin(struct engine *engine, int64_t now_us, struct cell_error *err);
/* Waits for the disk, unless nothing was written. After an error nothing has happened. */
int engine_end(struct engine *engine, struct cell_error *err);
void engine_abort(struct engine *engine);
/* Whether the transaction is lost, with all that was in it. */
bool engine_is_broken(const struct engine *engine);

/* Tables.Commit. What *out points to lives in ARENA. */
int engine_commit(struct engine *engine, const struct catalog_peer *peer,
		  const struct table_commit_request *in, struct table_committed *out,
		  struct cell_arena *arena, struct cell_error *err);
int engine_prepare(struct engine *engine, const struct catalog_peer *peer,
		   const struct table_prepare_request *in, struct table_prepared *out,
		   struct cell_arena *arena, struct cell_error *err);
/* PEER NULL: the coordinator said so when it was asked. */
int engine_decide(struct engine *engine, const struct catalog_peer *peer,
		  const struct table_decision *in, struct table_decided *out,
		  struct cell_arena *arena, struct cell_error *err);

/* Numbers *ret_first to *ret_first + N - 1 of a serial column, which nobody else gets. */
int engine_next(struct engine *engine, const struct catalog_peer *peer,
		const struct table_next_request *in, uint32_t n, int64_t *ret_first,
		struct cell_arena *arena, struct cell_error *err);

/*
 * Whether columns may be sealed anew: CELL_ABORTED while transactions are prepared, since what
 * they will store is sealed with keys that would be forgotten.
 */
int engine_may_reseal(const struct engine *engine, struct cell_error *err);
/* Every encrypted column sealed with the newest key of the engine's. As above. */
int engine_reseal(struct engine *engine, uint64_t *ret_rows, struct cell_error *err);
