/*
 * The coordinator of two-phase commit, without I/O: an event and the time go in, decisions
 * come out as effects, which the caller carries out in their order.
 *
 * A transaction is PENDING from Begin on. Commit asks for its record to be written (LOG);
 * when that is on the disk (LOGGED) it is COMMITTED, and only then anybody hears of it. What
 * is not here was given up. Participants are told until each has said that it knows; a
 * transaction that all know is kept for a while longer, for whoever asks again because an
 * answer was lost.
 *
 * A participant that fails is tried with one transaction at a time, later and later, so that
 * it holds up nobody else; when it answers, it gets all that waits for it.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECIDE_ID_BYTES   16
#define DECIDE_NAME_BYTES 64 /* of a cell, with its NUL */

/* Nobody waits for a transaction without end, and nobody locks rows for long. */
#define DECIDE_TIMEOUT_MS     3000
#define DECIDE_TIMEOUT_MAX_MS 30000
/* How long Commit waits for participants. */
#define DECIDE_ANSWER_MS 1000
/* Longer than any call that asks again. */
#define DECIDE_KEEP_MS 60000
/* Between two tries of a participant that fails; "in doubt" ends within 5 s of its return. */
#define DECIDE_RETRY_MIN_MS 100
#define DECIDE_RETRY_MAX_MS 2000

#define DECIDE_PARTICIPANTS_MAX 16   /* of one transaction */
#define DECIDE_CELLS_MAX        1024 /* participants of all transactions */
#define DECIDE_PENDING_MAX      10000
#define DECIDE_PENDING_EACH_MAX 2500 /* of one owner: the others get their turn */
#define DECIDE_KNOWN_MAX        100000
/* Tells at once, in all and to one participant. Each is a task with a stack of its own. */
#define DECIDE_TELLS_MAX      64
#define DECIDE_TELLS_EACH_MAX 16

enum decide_stage { DECIDE_PENDING, DECIDE_LOGGING, DECIDE_COMMITTED };

enum decide_event_kind {
	DECIDE_BEGIN,   /* id, owner, participants, timeout_ms */
	DECIDE_COMMIT,  /* id, owner */
	DECIDE_ABORT,   /* id, owner, is_operator */
	DECIDE_LOGGED,  /* id, code: 0, or why it is not in the log, for sure */
	DECIDE_RECOVER, /* id, owner, participants: from the log, before anything else */
	DECIDE_TOLD,    /* id, participant, is_commit, code, version */
	DECIDE_TIME     /* decide_due_ms() has come */
};

struct decide_event {
	enum decide_event_kind kind;
	const uint8_t *id; /* DECIDE_ID_BYTES */
	const char *owner; /* the cell that asks; "" = a program outside */
	bool is_operator;  /* it may abort what others began */
	size_t n_participants;
	const char *const *participants;
	uint32_t timeout_ms; /* 0 = DECIDE_TIMEOUT_MS */
	const char *participant;
	bool is_commit;
	int code;
	uint64_t version;
};

enum decide_effect_kind {
	DECIDE_LOG,    /* write the record of a transaction, then say LOGGED */
	DECIDE_FORGET, /* remove it, some time */
	DECIDE_TELL,   /* tell PARTICIPANT the decision IS_COMMIT, then say TOLD */
	DECIDE_ANSWER  /* who waits for Commit of this transaction gets CODE */
};

struct decide_effect {
	enum decide_effect_kind kind;
	uint8_t id[DECIDE_ID_BYTES];
	char participant[DECIDE_NAME_BYTES];
	bool is_commit;
	int code;
};

/* What one step can ask for: all tells there may be, and a few more. */
#define DECIDE_EFFECTS_MAX (DECIDE_TELLS_MAX + 16)

struct decide_effects {
	size_t n;
	struct decide_effect items[DECIDE_EFFECTS_MAX];
};

struct decide;

/* NULL without memory. */
struct decide *decide_new(void);
void decide_free(struct decide *decide);

/*
 * One step. *OUT is filled anew. Returns 0, or a status with its text in ERR and nothing
 * changed: CELL_INVALID_ARGUMENT, CELL_PERMISSION_DENIED, CELL_RESOURCE_EXHAUSTED,
 * CELL_ABORTED (Commit of what was given up), CELL_FAILED_PRECONDITION (Abort of what is
 * decided), -ENOMEM. Commit that returns 0 is answered by an ANSWER, perhaps in this step.
 */
int decide_step(struct decide *decide, const struct decide_event *event, uint64_t now_ms,
		struct decide_effects *out, struct cell_error *err);

/* When DECIDE_TIME is wanted; UINT64_MAX = not at all. May be in the past: then at once. */
uint64_t decide_due_ms(const struct decide *decide);

/* ---- Looking at it ------------------------------------------------------------------------
 */

struct decide_part {
	const char *participant;
	bool is_told;
	uint64_t version;
};

/* A transaction, good until the next step. */
struct decide_view {
	const uint8_t *id;
	enum decide_stage stage;
	const char *owner;
	uint64_t began_ms;
	size_t n_parts;
	struct decide_part parts[DECIDE_PARTICIPANTS_MAX];
};

/* False: it is not known, so it was given up. */
bool decide_find(const struct decide *decide, const uint8_t *id,
		 struct decide_view *ret_view);

/*
 * The next that is not decided or not known everywhere, behind *AT, which begins as NULL and
 * is good until the next step. False at the end.
 */
bool decide_next(const struct decide *decide, const void **at, struct decide_view *ret_view);

struct decide_counts {
	uint64_t committed, aborted; /* since it began */
	size_t pending, known;
};
struct decide_counts decide_counts(const struct decide *decide);
