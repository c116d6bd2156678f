/* The running coordinator: what decides, what is kept, and who waits. */
#pragma once

#include <ev.h>

#include "decide.h"

/* Commits that wait at once. They and all tells are fewer than the handlers that may wait. */
#define TXN_WAITERS_MAX 128

struct cell_call;
struct store;
struct txn_handlers;

/* Who waits for an ANSWER. Linked while it waits; on its handler's stack. */
struct waiter {
	struct waiter *next;
	const uint8_t *id;
	int fd; /* readable when CODE is there */
	bool is_answered;
	int code;
};

struct txn {
	struct cell_call *call; /* the root */
	struct decide *decide;
	struct store *store;
	struct waiter *waiters;
	unsigned n_waiters;
	ev_timer due;
	ev_io written;
	bool is_running; /* the timer and the descriptor are watched */
};

extern const struct txn_handlers txn_handlers;

/*
 * Begin with the log in DIR: what is in it is told again as soon as the loop runs. 0, or a
 * status in CALL.
 */
int txn_start(struct txn *txn, struct cell_call *call, const char *dir);
/* Nothing happens by itself any more. Before the root call is closed. */
void txn_stop(struct txn *txn);
/* After it: tasks still say what became of them while it is closed. */
void txn_deinit(struct txn *txn);

/* One step, and what follows from it. 0, or a status that is in CALL, too, if there is one.
 */
int txn_step(struct txn *txn, struct cell_call *call, const struct decide_event *event);

/*
 * Commit transaction ID for CALL's peer, and wait until it is answered. 0 or the status, in
 * CALL; CELL_RESOURCE_EXHAUSTED: it was given up.
 */
int txn_commit_and_wait(struct txn *txn, struct cell_call *call, const uint8_t *id);

uint64_t txn_now_ms(void);
