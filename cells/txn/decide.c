#include "decide.h"

#include <errno.h>
#include <string.h>

#include <cell/cell.h>

#include "transaction.h"

static struct decide_effect *effect(struct decide_effects *out, enum decide_effect_kind kind,
				    const uint8_t *id)
{
	struct decide_effect *added = &out->items[out->n++];

	cell_assert(out->n <= DECIDE_EFFECTS_MAX);
	*added = (struct decide_effect){ .kind = kind };
	memcpy(added->id, id, sizeof added->id);
	return added;
}

/* ---- Telling ------------------------------------------------------------------------------
 */

static bool may_tell(const struct decide *decide, const struct participant *participant,
		     uint64_t now_ms)
{
	if (decide->in_flight >= DECIDE_TELLS_MAX)
		return false;
	if (participant->wait_ms)
		return participant->in_flight == 0 && now_ms >= participant->retry_ms;
	return participant->in_flight < DECIDE_TELLS_EACH_MAX;
}

static void tell(struct decide *decide, struct participant *participant, const uint8_t *id,
		 bool is_commit, struct decide_effects *out)
{
	struct decide_effect *told = effect(out, DECIDE_TELL, id);

	memcpy(told->participant, participant->name, sizeof told->participant);
	told->is_commit = is_commit;
	participant->refs++;
	participant->in_flight++;
	decide->in_flight++;
}

/* All that may be told now; whoever was told goes to the end, so that each gets its turn. */
static void tell_more(struct decide *decide, uint64_t now_ms, struct decide_effects *out)
{
	struct participant *last = TAILQ_LAST(&decide->participants, participants);
	struct participant *next = TAILQ_FIRST(&decide->participants), *participant;

	do {
		participant = next;
		if (!participant)
			return;
		next = TAILQ_NEXT(participant, link);
		if (TAILQ_EMPTY(&participant->queue) ||
		    !may_tell(decide, participant, now_ms))
			continue;
		while (!TAILQ_EMPTY(&participant->queue) &&
		       may_tell(decide, participant, now_ms)) {
			struct part *part = TAILQ_FIRST(&participant->queue);

			TAILQ_REMOVE(&participant->queue, part, link);
			part->is_queued = false;
			tell(decide, participant, part->transaction->id, true, out);
		}
		TAILQ_REMOVE(&decide->participants, participant, link);
		TAILQ_INSERT_TAIL(&decide->participants, participant, link);
	} while (participant != last);
}

static void queue_part(struct part *part, bool is_first)
{
	if (is_first)
		TAILQ_INSERT_HEAD(&part->participant->queue, part, link);
	else
		TAILQ_INSERT_TAIL(&part->participant->queue, part, link);
	part->is_queued = true;
}

/* ---- Ends ---------------------------------------------------------------------------------
 */

/*
 * Who has prepared is told once that it need not wait; who does not hear of it asks. Nobody
 * waits for that, so a participant that is not well is left alone.
 */
static void give_up(struct decide *decide, struct transaction *transaction, uint64_t now_ms,
		    struct decide_effects *out)
{
	for (size_t i = 0; i < transaction->n_parts; i++)
		if (may_tell(decide, transaction->parts[i].participant, now_ms))
			tell(decide, transaction->parts[i].participant, transaction->id,
			     false, out);
	decide->aborted++;
	transaction_remove(decide, transaction);
}

static void answer(struct decide *decide, struct transaction *transaction,
		   struct decide_effects *out)
{
	if (!transaction->answer_ms)
		return;
	TAILQ_REMOVE(&decide->answering, transaction, answer_link);
	transaction->answer_ms = 0;
	effect(out, DECIDE_ANSWER, transaction->id);
}

static void forget(struct decide *decide, struct transaction *transaction,
		   struct decide_effects *out)
{
	effect(out, DECIDE_FORGET, transaction->id);
	transaction_remove(decide, transaction);
}

static bool is_known_everywhere(const struct transaction *transaction)
{
	return transaction->n_told == transaction->n_parts;
}

/* From the log, or just written to it. */
static void commit(struct decide *decide, struct transaction *transaction, uint64_t now_ms)
{
	transaction->stage = DECIDE_COMMITTED;
	transaction->due_ms = now_ms + DECIDE_KEEP_MS;
	transaction_move(&decide->keeping, transaction);
	for (size_t i = 0; i < transaction->n_parts; i++)
		queue_part(&transaction->parts[i], false);
}

/* ---- Events -------------------------------------------------------------------------------
 */

/* Nobody else could be told. */
static bool is_cell_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < DECIDE_NAME_BYTES && name[0] >= 'a' && name[0] <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int check_participants(const struct decide *decide, const struct decide_event *event,
			      struct cell_error *err)
{
	size_t n = event->n_participants, n_new = 0;

	if (n == 0 || n > DECIDE_PARTICIPANTS_MAX)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "%zu participants; a transaction has 1 to %d", n,
				 DECIDE_PARTICIPANTS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (!is_cell_name(event->participants[i]))
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "participant '%.80s' is no name of a cell",
					 event->participants[i]);
		for (size_t j = 0; j < i; j++)
			if (strcmp(event->participants[i], event->participants[j]) == 0)
				return cell_fail(err, CELL_INVALID_ARGUMENT,
						 "participant '%s' is named twice",
						 event->participants[i]);
		n_new += !participant_find(decide, event->participants[i]);
	}
	if (decide->n_participants + n_new > DECIDE_CELLS_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "%d cells take part in transactions, which is the limit",
				 DECIDE_CELLS_MAX);
	return 0;
}

static int check_room(const struct decide *decide, const struct decide_event *event,
		      struct cell_error *err)
{
	if (decide->n_pending >= DECIDE_PENDING_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "%zu transactions are pending, limit %d", decide->n_pending,
				 DECIDE_PENDING_MAX);
	if (owner_pending(decide, event->owner) >= DECIDE_PENDING_EACH_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "'%s' has %d transactions pending, which is the limit",
				 event->owner, DECIDE_PENDING_EACH_MAX);
	if (decide->n_known >= DECIDE_KNOWN_MAX)
		return cell_fail(
			err, CELL_RESOURCE_EXHAUSTED,
			"%zu transactions are not known everywhere or were decided a "
			"moment ago, limit %d",
			decide->n_known, DECIDE_KNOWN_MAX);
	return 0;
}

static int on_begin(struct decide *decide, const struct decide_event *event, uint64_t now_ms,
		    struct cell_error *err)
{
	uint32_t timeout_ms = event->timeout_ms ? event->timeout_ms : DECIDE_TIMEOUT_MS;
	struct transaction *transaction;
	int r = check_participants(decide, event, err);

	if (r == 0)
		r = check_room(decide, event, err);
	if (r == 0 && timeout_ms > DECIDE_TIMEOUT_MAX_MS)
		r = cell_fail(err, CELL_INVALID_ARGUMENT, "a timeout of %u ms, limit %d",
			      timeout_ms, DECIDE_TIMEOUT_MAX_MS);
	if (r == 0 && transaction_find(decide, event->id))
		r = cell_fail(err, CELL_ALREADY_EXISTS, "there is such a transaction");
	if (r < 0)
		return r;
	if (!owner_add(decide, event->owner))
		return cell_fail(err, -ENOMEM, "beginning a transaction");
	transaction = transaction_add(decide, event->id, event->owner, event->participants,
				      event->n_participants);
	if (!transaction) {
		owner_drop(decide, event->owner);
		return cell_fail(err, -ENOMEM, "beginning a transaction");
	}
	transaction->began_ms = now_ms;
	transaction->due_ms = now_ms + timeout_ms;
	transaction_move(&decide->pending, transaction);
	decide->n_pending++;
	return 0;
}

static int on_commit(struct decide *decide, const struct decide_event *event, uint64_t now_ms,
		     struct decide_effects *out, struct cell_error *err)
{
	struct transaction *transaction = transaction_find(decide, event->id);

	/* The timer may be late. */
	if (!transaction ||
	    (transaction->stage == DECIDE_PENDING && now_ms >= transaction->due_ms))
		return cell_fail(err, CELL_ABORTED,
				 "the transaction was given up: it took too long to come to "
				 "its commit, or the coordinator died meanwhile");
	if (strcmp(transaction->owner, event->owner) != 0)
		return cell_fail(err, CELL_PERMISSION_DENIED,
				 "only '%s', which began this transaction, may commit it",
				 transaction->owner);
	if (transaction->stage == DECIDE_PENDING) {
		transaction->stage = DECIDE_LOGGING;
		transaction_move(&decide->logging, transaction);
		effect(out, DECIDE_LOG, transaction->id);
	} else if (transaction->stage == DECIDE_COMMITTED && !transaction->answer_ms) {
		/* Its answer was lost. */
		effect(out, DECIDE_ANSWER, transaction->id);
	}
	return 0;
}

static int on_abort(struct decide *decide, const struct decide_event *event, uint64_t now_ms,
		    struct decide_effects *out, struct cell_error *err)
{
	struct transaction *transaction = transaction_find(decide, event->id);

	if (!transaction)
		return 0;
	if (!event->is_operator && strcmp(transaction->owner, event->owner) != 0)
		return cell_fail(err, CELL_PERMISSION_DENIED,
				 "only '%s', which began this transaction, may give it up",
				 transaction->owner);
	if (transaction->stage != DECIDE_PENDING)
		return cell_fail(err, CELL_FAILED_PRECONDITION,
				 "the transaction is %s, which cannot be taken back",
				 transaction->stage == DECIDE_LOGGING ? "being committed"
								      : "committed");
	give_up(decide, transaction, now_ms, out);
	return 0;
}

static void on_logged(struct decide *decide, const struct decide_event *event,
		      uint64_t now_ms, struct decide_effects *out)
{
	struct transaction *transaction = transaction_find(decide, event->id);

	cell_assert(transaction && transaction->stage == DECIDE_LOGGING);
	if (event->code) {
		effect(out, DECIDE_ANSWER, event->id)->code = event->code;
		give_up(decide, transaction, now_ms, out);
		return;
	}
	decide->n_pending--;
	owner_drop(decide, transaction->owner);
	decide->committed++;
	commit(decide, transaction, now_ms);
	transaction->answer_ms = now_ms + DECIDE_ANSWER_MS;
	TAILQ_INSERT_TAIL(&decide->answering, transaction, answer_link);
	tell_more(decide, now_ms, out);
}

/* What was in the log is true, whatever the limits say. */
static int on_recover(struct decide *decide, const struct decide_event *event,
		      uint64_t now_ms, struct cell_error *err)
{
	struct transaction *transaction = transaction_find(decide, event->id);

	if (transaction)
		return 0;
	transaction = transaction_add(decide, event->id, event->owner, event->participants,
				      event->n_participants);
	if (!transaction)
		return cell_fail(err, -ENOMEM, "recovering a transaction");
	transaction->began_ms = now_ms;
	commit(decide, transaction, now_ms);
	return 0;
}

/* It answered, or not: what comes next for it. */
static void judge(struct participant *participant, bool is_well, uint64_t now_ms)
{
	if (is_well) {
		participant->wait_ms = 0;
		return;
	}
	/* Of several that fail at once, the first counts. */
	if (participant->wait_ms && now_ms < participant->retry_ms)
		return;
	participant->wait_ms =
		participant->wait_ms ? participant->wait_ms * 2 : DECIDE_RETRY_MIN_MS;
	if (participant->wait_ms > DECIDE_RETRY_MAX_MS)
		participant->wait_ms = DECIDE_RETRY_MAX_MS;
	participant->retry_ms = now_ms + participant->wait_ms;
}

static void part_told(struct decide *decide, struct part *part, uint64_t version,
		      struct decide_effects *out)
{
	struct transaction *transaction = part->transaction;

	part->is_told = true;
	part->version = version;
	transaction->n_told++;
	if (!is_known_everywhere(transaction))
		return;
	answer(decide, transaction, out);
	if (transaction->list == &decide->overdue)
		forget(decide, transaction, out);
}

static struct part *find_part(const struct decide *decide, const uint8_t *id,
			      const struct participant *participant)
{
	struct transaction *transaction = transaction_find(decide, id);

	for (size_t i = 0; transaction && i < transaction->n_parts; i++)
		if (transaction->parts[i].participant == participant)
			return &transaction->parts[i];
	return NULL;
}

/* Who does not know what it is told of cannot have prepared it. */
static bool is_settled(int code)
{
	return code == 0 || code == CELL_UNIMPLEMENTED;
}

static void on_told(struct decide *decide, const struct decide_event *event, uint64_t now_ms,
		    struct decide_effects *out)
{
	struct participant *participant = participant_find(decide, event->participant);
	struct part *part;

	cell_assert(participant && participant->in_flight);
	participant->in_flight--;
	decide->in_flight--;
	judge(participant, is_settled(event->code), now_ms);
	part = event->is_commit ? find_part(decide, event->id, participant) : NULL;
	if (part && !part->is_told && !is_settled(event->code))
		queue_part(part, true);
	else if (part && !part->is_told)
		part_told(decide, part, event->version, out);
	participant_unref(decide, participant);
	tell_more(decide, now_ms, out);
}

static void keep_no_longer(struct decide *decide, struct transaction *transaction,
			   struct decide_effects *out)
{
	if (is_known_everywhere(transaction))
		forget(decide, transaction, out);
	else
		transaction_move(&decide->overdue, transaction);
}

/* As much as fits into one step; what is left is still due. */
static bool has_room(const struct decide_effects *out)
{
	return out->n + DECIDE_PARTICIPANTS_MAX <=
	       DECIDE_EFFECTS_MAX - DECIDE_PARTICIPANTS_MAX;
}

static void on_time(struct decide *decide, uint64_t now_ms, struct decide_effects *out)
{
	struct transaction *transaction;

	while (has_room(out) && (transaction = TAILQ_FIRST(&decide->answering)) &&
	       now_ms >= transaction->answer_ms)
		answer(decide, transaction, out);
	while (has_room(out) && (transaction = TAILQ_FIRST(&decide->pending)) &&
	       now_ms >= transaction->due_ms)
		give_up(decide, transaction, now_ms, out);
	while (has_room(out) && (transaction = TAILQ_FIRST(&decide->keeping)) &&
	       now_ms >= transaction->due_ms)
		keep_no_longer(decide, transaction, out);
	if (out->n == 0)
		tell_more(decide, now_ms, out);
}

int decide_step(struct decide *decide, const struct decide_event *event, uint64_t now_ms,
		struct decide_effects *out, struct cell_error *err)
{
	out->n = 0;
	switch (event->kind) {
	case DECIDE_BEGIN: return on_begin(decide, event, now_ms, err);
	case DECIDE_COMMIT: return on_commit(decide, event, now_ms, out, err);
	case DECIDE_ABORT: return on_abort(decide, event, now_ms, out, err);
	case DECIDE_LOGGED: on_logged(decide, event, now_ms, out); return 0;
	case DECIDE_RECOVER: return on_recover(decide, event, now_ms, err);
	case DECIDE_TOLD: on_told(decide, event, now_ms, out); return 0;
	case DECIDE_TIME: on_time(decide, now_ms, out); return 0;
	}
	return cell_fail(err, CELL_INTERNAL, "event %d", (int)event->kind);
}

uint64_t decide_due_ms(const struct decide *decide)
{
	const struct transaction *pending = TAILQ_FIRST(&decide->pending);
	const struct transaction *kept = TAILQ_FIRST(&decide->keeping);
	const struct transaction *answered = TAILQ_FIRST(&decide->answering);
	const struct participant *participant;
	uint64_t due = UINT64_MAX;

	if (pending && pending->due_ms < due)
		due = pending->due_ms;
	if (kept && kept->due_ms < due)
		due = kept->due_ms;
	if (answered && answered->answer_ms < due)
		due = answered->answer_ms;
	TAILQ_FOREACH(participant, &decide->participants, link)
	if (!TAILQ_EMPTY(&participant->queue) && may_tell(decide, participant, UINT64_MAX)) {
		uint64_t at = participant->wait_ms ? participant->retry_ms : 0;

		due = at < due ? at : due;
	}
	return due;
}
