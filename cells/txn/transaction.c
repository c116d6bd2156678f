#include "transaction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 64

struct decide *decide_new(void)
{
	struct decide *decide = calloc(1, sizeof *decide);

	if (!decide)
		return NULL;
	decide->n_buckets = BUCKETS_FIRST;
	decide->buckets = calloc(decide->n_buckets, sizeof *decide->buckets);
	TAILQ_INIT(&decide->pending);
	TAILQ_INIT(&decide->logging);
	TAILQ_INIT(&decide->keeping);
	TAILQ_INIT(&decide->overdue);
	TAILQ_INIT(&decide->answering);
	TAILQ_INIT(&decide->participants);
	TAILQ_INIT(&decide->owners);
	if (!decide->buckets) {
		free(decide);
		return NULL;
	}
	return decide;
}

void decide_free(struct decide *decide)
{
	if (!decide)
		return;
	for (size_t i = 0; i < decide->n_buckets; i++)
		while (decide->buckets[i])
			transaction_remove(decide, decide->buckets[i]);
	/* Those that were being told of something that is gone. */
	while (!TAILQ_EMPTY(&decide->participants)) {
		struct participant *participant = TAILQ_FIRST(&decide->participants);

		participant->refs = 1;
		participant_unref(decide, participant);
	}
	free(decide->buckets);
	free(decide);
}

/* Ids are random, so any bits of them will do. */
static struct transaction **bucket_of(const struct decide *decide, const uint8_t *id)
{
	uint64_t hash;

	memcpy(&hash, id, sizeof hash);
	return &decide->buckets[hash & (decide->n_buckets - 1)];
}

struct transaction *transaction_find(const struct decide *decide, const uint8_t *id)
{
	struct transaction *found = *bucket_of(decide, id);

	while (found && memcmp(found->id, id, DECIDE_ID_BYTES) != 0)
		found = found->next;
	return found;
}

/* Without memory the old buckets serve on, if slower. */
static void grow(struct decide *decide)
{
	size_t n_old = decide->n_buckets;
	struct transaction **old = decide->buckets, *next;
	struct transaction **buckets = calloc(n_old * 2, sizeof *buckets);

	if (!buckets)
		return;
	decide->buckets = buckets;
	decide->n_buckets = n_old * 2;
	for (size_t i = 0; i < n_old; i++) {
		for (struct transaction *moved = old[i]; moved; moved = next) {
			struct transaction **bucket = bucket_of(decide, moved->id);

			next = moved->next;
			moved->next = *bucket;
			*bucket = moved;
		}
	}
	free(old);
}

struct transaction *transaction_add(struct decide *decide, const uint8_t *id,
				    const char *owner, const char *const *participants,
				    size_t n)
{
	struct transaction *added = calloc(1, sizeof *added + n * sizeof added->parts[0]);
	struct transaction **bucket;

	if (!added)
		return NULL;
	for (; added->n_parts < n; added->n_parts++) {
		struct part *part = &added->parts[added->n_parts];

		part->transaction = added;
		part->participant = participant_ref(decide, participants[added->n_parts]);
		if (!part->participant)
			break;
	}
	if (added->n_parts < n) {
		while (added->n_parts)
			participant_unref(decide, added->parts[--added->n_parts].participant);
		free(added);
		return NULL;
	}
	memcpy(added->id, id, sizeof added->id);
	(void)snprintf(added->owner, sizeof added->owner, "%s", owner);
	if (++decide->n_known > decide->n_buckets)
		grow(decide);
	bucket = bucket_of(decide, id);
	added->next = *bucket;
	*bucket = added;
	return added;
}

void transaction_remove(struct decide *decide, struct transaction *transaction)
{
	struct transaction **link = bucket_of(decide, transaction->id);

	while (*link != transaction)
		link = &(*link)->next;
	*link = transaction->next;
	decide->n_known--;
	TAILQ_REMOVE(transaction->list, transaction, link);
	if (transaction->stage != DECIDE_COMMITTED) {
		decide->n_pending--;
		owner_drop(decide, transaction->owner);
	}
	if (transaction->answer_ms)
		TAILQ_REMOVE(&decide->answering, transaction, answer_link);
	for (size_t i = 0; i < transaction->n_parts; i++) {
		struct part *part = &transaction->parts[i];

		if (part->is_queued)
			TAILQ_REMOVE(&part->participant->queue, part, link);
		participant_unref(decide, part->participant);
	}
	free(transaction);
}

/* Nearly all have the same time to go, so the place is at the end, or near it. */
void transaction_move(struct transactions *list, struct transaction *transaction)
{
	struct transaction *before;

	if (transaction->list)
		TAILQ_REMOVE(transaction->list, transaction, link);
	transaction->list = list;
	before = TAILQ_LAST(list, transactions);
	while (before && before->due_ms > transaction->due_ms)
		before = TAILQ_PREV(before, transactions, link);
	if (before)
		TAILQ_INSERT_AFTER(list, before, transaction, link);
	else
		TAILQ_INSERT_HEAD(list, transaction, link);
}

struct participant *participant_find(const struct decide *decide, const char *name)
{
	struct participant *found;

	TAILQ_FOREACH(found, &decide->participants, link)
	if (strcmp(found->name, name) == 0)
		return found;
	return NULL;
}

struct participant *participant_ref(struct decide *decide, const char *name)
{
	struct participant *participant = participant_find(decide, name);

	if (!participant) {
		participant = calloc(1, sizeof *participant);
		if (!participant)
			return NULL;
		(void)snprintf(participant->name, sizeof participant->name, "%s", name);
		TAILQ_INIT(&participant->queue);
		TAILQ_INSERT_TAIL(&decide->participants, participant, link);
		decide->n_participants++;
	}
	participant->refs++;
	return participant;
}

void participant_unref(struct decide *decide, struct participant *participant)
{
	if (--participant->refs)
		return;
	TAILQ_REMOVE(&decide->participants, participant, link);
	decide->n_participants--;
	free(participant);
}

static struct owner *owner_find(const struct decide *decide, const char *name)
{
	struct owner *found;

	TAILQ_FOREACH(found, &decide->owners, link)
	if (strcmp(found->name, name) == 0)
		return found;
	return NULL;
}

size_t owner_pending(const struct decide *decide, const char *name)
{
	const struct owner *owner = owner_find(decide, name);

	return owner ? owner->pending : 0;
}

bool owner_add(struct decide *decide, const char *name)
{
	struct owner *owner = owner_find(decide, name);

	if (!owner) {
		owner = calloc(1, sizeof *owner);
		if (!owner)
			return false;
		(void)snprintf(owner->name, sizeof owner->name, "%s", name);
		TAILQ_INSERT_TAIL(&decide->owners, owner, link);
	}
	owner->pending++;
	return true;
}

void owner_drop(struct decide *decide, const char *name)
{
	struct owner *owner = owner_find(decide, name);

	if (--owner->pending)
		return;
	TAILQ_REMOVE(&decide->owners, owner, link);
	free(owner);
}
