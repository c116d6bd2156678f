#include "participant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096

struct participant_lock {
	struct participant_lock *bucket_next, *next;
	const struct participant *owner;
	const struct record_lock *lock;
	uint32_t hash;
};

struct participants {
	size_t n;
	struct participant *first;
	struct participant_lock *buckets[BUCKETS];
};

/* FNV-1a. */
static uint32_t hash_of(struct cell_store_bytes key)
{
	const uint8_t *at = key.at;
	uint32_t hash = 0x811c9dc5;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ at[i]) * 0x01000193;
	return hash;
}

struct participants *participants_new(void)
{
	return calloc(1, sizeof(struct participants));
}

static void participant_free(struct participant *participant)
{
	cell_arena_deinit(&participant->arena);
	free(participant);
}

void participants_clear(struct participants *all)
{
	while (all->first) {
		struct participant *participant = all->first;

		all->first = participant->next;
		participant_free(participant);
	}
	memset(all, 0, sizeof *all);
}

void participants_free(struct participants *all)
{
	if (all)
		participants_clear(all);
	free(all);
}

static int locks_take(struct participants *all, struct participant *participant,
		      struct cell_error *err)
{
	const struct record_prepared *record = &participant->record;
	struct participant_lock *locks =
		cell_arena_calloc(&participant->arena, record->n_locks, sizeof *locks);

	if (!locks)
		return cell_fail(err, -ENOMEM, "no memory for %zu locks", record->n_locks);
	for (size_t i = 0; i < record->n_locks; i++) {
		struct participant_lock *lock = &locks[i];

		lock->owner = participant;
		lock->lock = &record->locks[i];
		lock->hash = hash_of(record->locks[i].key);
		lock->bucket_next = all->buckets[lock->hash % BUCKETS];
		all->buckets[lock->hash % BUCKETS] = lock;
		lock->next = participant->locks;
		participant->locks = lock;
	}
	return 0;
}

int participants_add(struct participants *all, const uint8_t txn[static LAYOUT_ID],
		     struct cell_store_bytes record, struct cell_error *err)
{
	struct participant *participant;
	uint8_t *copy;
	int r;

	if (all->n >= PARTICIPANTS_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "%d transactions are prepared and not decided", PARTICIPANTS_MAX);
	participant = calloc(1, sizeof *participant);
	if (!participant)
		return cell_fail(err, -ENOMEM, "no memory for a prepared transaction");
	cell_arena_init(&participant->arena, 0);
	memcpy(participant->txn, txn, LAYOUT_ID);
	copy = cell_arena_alloc(&participant->arena, record.len);
	if (copy)
		memcpy(copy, record.at, record.len);
	r = copy ? record_prepared_decode(&participant->record,
					  (struct cell_store_bytes){ copy, record.len },
					  &participant->arena, err)
		 : cell_fail(err, -ENOMEM, "no memory for a prepared transaction");
	if (r == 0)
		r = locks_take(all, participant, err);
	if (r < 0) {
		participant_free(participant);
		return r;
	}
	participant->next = all->first;
	all->first = participant;
	all->n++;
	return 0;
}

static void locks_drop(struct participants *all, struct participant *participant)
{
	for (struct participant_lock *lock = participant->locks; lock; lock = lock->next) {
		struct participant_lock **at = &all->buckets[lock->hash % BUCKETS];

		while (*at != lock)
			at = &(*at)->bucket_next;
		*at = lock->bucket_next;
	}
}

void participants_remove(struct participants *all, const uint8_t txn[static LAYOUT_ID])
{
	struct participant **at = &all->first, *participant;

	while (*at && memcmp((*at)->txn, txn, LAYOUT_ID) != 0)
		at = &(*at)->next;
	participant = *at;
	if (!participant)
		return;
	*at = participant->next;
	all->n--;
	locks_drop(all, participant);
	participant_free(participant);
}

const struct participant *participants_find(const struct participants *all,
					    const uint8_t txn[static LAYOUT_ID])
{
	const struct participant *participant = all->first;

	while (participant && memcmp(participant->txn, txn, LAYOUT_ID) != 0)
		participant = participant->next;
	return participant;
}

size_t participants_count(const struct participants *all)
{
	return all->n;
}

const struct participant *participants_first(const struct participants *all)
{
	return all->first;
}

const struct participant *participants_holder(const struct participants *all,
					      struct cell_store_bytes key, bool to_write)
{
	uint32_t hash;

	if (!all->n)
		return NULL;
	hash = hash_of(key);
	for (const struct participant_lock *lock = all->buckets[hash % BUCKETS]; lock;
	     lock = lock->bucket_next)
		if (lock->hash == hash && (to_write || !lock->lock->is_read) &&
		    lock->lock->key.len == key.len &&
		    memcmp(lock->lock->key.at, key.at, key.len) == 0)
			return lock->owner;
	return NULL;
}

const char *participant_name(const struct participant *participant, char out[static 64])
{
	int n = snprintf(out, 64, "transaction ");

	for (size_t i = 0; i < 8; i++)
		n += snprintf(out + n, 64 - (size_t)n, "%02x", participant->txn[i]);
	return out;
}
