#include "answers.h"

#include <stdlib.h>
#include <string.h>

/* A queue by age, and a table by id: open addressing, at most half full. */
#define QUEUE (2 * ANSWERS_MAX)
#define SLOTS (4 * ANSWERS_MAX)

struct answer {
	uint8_t id[LAYOUT_ID];
	uint64_t version, at_us;
};

struct answers {
	size_t first, n;      /* in the queue */
	struct answer *queue;
	uint32_t *slots;      /* place in the queue + 1; 0 = free */
};

static size_t slot_of(const uint8_t id[static LAYOUT_ID])
{
	uint64_t half;

	/* Ids are random; who sends others harms only how fast it is found. */
	memcpy(&half, id, sizeof half);
	return (size_t)(half * 0x9e3779b97f4a7c15ull >> 32) & (SLOTS - 1);
}

struct answers *answers_new(void)
{
	struct answers *answers = calloc(1, sizeof *answers);

	if (!answers)
		return NULL;
	answers->queue = calloc(QUEUE, sizeof *answers->queue);
	answers->slots = calloc(SLOTS, sizeof *answers->slots);
	if (!answers->queue || !answers->slots) {
		answers_free(answers);
		return NULL;
	}
	return answers;
}

void answers_free(struct answers *answers)
{
	if (answers) {
		free(answers->queue);
		free(answers->slots);
	}
	free(answers);
}

static bool slot_find(const struct answers *answers, const uint8_t *id, size_t *ret_slot)
{
	size_t slot = slot_of(id);

	while (answers->slots[slot] &&
	       memcmp(answers->queue[answers->slots[slot] - 1].id, id, LAYOUT_ID) != 0)
		slot = (slot + 1) & (SLOTS - 1);
	*ret_slot = slot;
	return answers->slots[slot] != 0;
}

/* What stands behind a freed slot may belong before it. */
static void slot_free(struct answers *answers, size_t slot)
{
	size_t hole = slot, at = slot;

	answers->slots[hole] = 0;
	for (;;) {
		size_t home;

		at = (at + 1) & (SLOTS - 1);
		if (!answers->slots[at])
			return;
		home = slot_of(answers->queue[answers->slots[at] - 1].id);
		if (((at - home) & (SLOTS - 1)) < ((at - hole) & (SLOTS - 1)))
			continue;
		answers->slots[hole] = answers->slots[at];
		answers->slots[at] = 0;
		hole = at;
	}
}

static void forget(struct answers *answers, size_t place)
{
	size_t slot;

	if (slot_find(answers, answers->queue[place].id, &slot) &&
	    answers->slots[slot] == place + 1)
		slot_free(answers, slot);
}

static uint64_t forget_oldest(struct answers *answers)
{
	uint64_t version = answers->queue[answers->first].version;

	forget(answers, answers->first);
	answers->first = (answers->first + 1) % QUEUE;
	answers->n--;
	return version;
}

void answers_add(struct answers *answers, const uint8_t id[static LAYOUT_ID], uint64_t version,
		 uint64_t at_us)
{
	size_t place, slot;

	if (answers->n == QUEUE)
		(void)forget_oldest(answers);
	place = (answers->first + answers->n++) % QUEUE;
	memcpy(answers->queue[place].id, id, LAYOUT_ID);
	answers->queue[place].version = version;
	answers->queue[place].at_us = at_us;
	(void)slot_find(answers, id, &slot);
	answers->slots[slot] = (uint32_t)place + 1;
}

uint64_t answers_find(const struct answers *answers, const uint8_t id[static LAYOUT_ID])
{
	size_t slot;

	return slot_find(answers, id, &slot) ? answers->queue[answers->slots[slot] - 1].version : 0;
}

void answers_undo(struct answers *answers, uint64_t version)
{
	while (answers->n) {
		size_t last = (answers->first + answers->n - 1) % QUEUE;

		if (answers->queue[last].version <= version)
			return;
		forget(answers, last);
		answers->n--;
	}
}

uint64_t answers_expire(struct answers *answers, uint64_t now_us)
{
	const struct answer *oldest = &answers->queue[answers->first];

	if (!answers->n)
		return 0;
	if (answers->n > ANSWERS_MAX ||
	    (oldest->at_us + ANSWERS_AGE_US < now_us))
		return forget_oldest(answers);
	return 0;
}

size_t answers_count(const struct answers *answers)
{
	return answers->n;
}
