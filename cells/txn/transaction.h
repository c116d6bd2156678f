/* The transactions of a coordinator, found by their ids, and the cells that take part. */
#pragma once

#include <sys/queue.h>

#include "decide.h"

struct transaction;

/* A participant's part in a transaction. */
struct part {
	TAILQ_ENTRY(part) link; /* in its participant's queue, unless told or being told */
	struct transaction *transaction;
	struct participant *participant;
	bool is_told;
	bool is_queued;
	uint64_t version;
};
TAILQ_HEAD(parts, part);

struct participant {
	TAILQ_ENTRY(participant) link;
	char name[DECIDE_NAME_BYTES];
	size_t refs; /* parts of transactions, and tells under way */
	size_t in_flight;
	struct parts queue; /* decisions to commit that it is to be told */
	uint64_t wait_ms;   /* between tries; 0 = it is well */
	uint64_t retry_ms;  /* when to try next, if it is not */
};
TAILQ_HEAD(participants, participant);

struct owner {
	TAILQ_ENTRY(owner) link;
	char name[DECIDE_NAME_BYTES];
	size_t pending;
};
TAILQ_HEAD(owners, owner);

struct transaction;
TAILQ_HEAD(transactions, transaction);

struct transaction {
	TAILQ_ENTRY(transaction) link;
	struct transactions *list; /* it is in */
	struct transaction *next;  /* of the same bucket */
	uint8_t id[DECIDE_ID_BYTES];
	enum decide_stage stage;
	char owner[DECIDE_NAME_BYTES];
	uint64_t began_ms;
	uint64_t due_ms; /* pending: given up; committed: forgotten, if all know it */
	TAILQ_ENTRY(transaction) answer_link;
	uint64_t answer_ms; /* 0 = answered */
	size_t n_parts, n_told;
	struct part parts[];
};

struct decide {
	struct transaction **buckets;
	size_t n_buckets; /* a power of two */
	size_t n_known, n_pending, in_flight;
	struct transactions pending; /* by when they are given up */
	struct transactions logging;
	struct transactions keeping; /* committed, by when they are forgotten */
	struct transactions overdue; /* they would be, but somebody does not know them yet */
	struct transactions answering; /* committed, and somebody may wait, by answer_ms */
	struct participants participants;
	size_t n_participants;
	struct owners owners;
	uint64_t committed, aborted;
};

struct transaction *transaction_find(const struct decide *decide, const uint8_t *id);

/* For transaction_move(). NULL without memory. */
struct transaction *transaction_add(struct decide *decide, const uint8_t *id,
				    const char *owner, const char *const *participants,
				    size_t n);
/* Out of all lists, and gone. */
void transaction_remove(struct decide *decide, struct transaction *transaction);

/* Out of the list where it is, if in any, and into LIST, which is sorted by due_ms. */
void transaction_move(struct transactions *list, struct transaction *transaction);

/* The one of NAME, which is made if it is not there: with one reference more. NULL without
 * memory. */
struct participant *participant_ref(struct decide *decide, const char *name);
void participant_unref(struct decide *decide, struct participant *participant);
struct participant *participant_find(const struct decide *decide, const char *name);

/* How many OWNER has pending, and one more or less. False without memory. */
size_t owner_pending(const struct decide *decide, const char *name);
bool owner_add(struct decide *decide, const char *name);
void owner_drop(struct decide *decide, const char *name);
