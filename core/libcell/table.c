#include "table.h"

#include <cell/cell.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/*
 * Linear probing in at most three quarters of the slots. Removing moves later entries of
 * the run back, so there are no tombstones and lookups never degrade.
 */

/* Both halves of the product of two odd-ish numbers: every bit depends on every bit. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product =
		(unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd1b54a32d192ed03u);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_string(uint64_t seed, const char *string)
{
	size_t len = strlen(string);
	uint64_t hash = mix(seed, len), word;

	for (; len >= sizeof word; len -= sizeof word, string += sizeof word) {
		memcpy(&word, string, sizeof word);
		hash = mix(hash, word ^ seed);
	}
	word = 0;
	memcpy(&word, string, len);
	return mix(hash, word ^ seed);
}

static size_t home_of_number(const struct table *table, uint64_t key)
{
	return (size_t)mix(table->seed, key) & table->mask;
}

static size_t home_of_string(const struct table *table, const char *key)
{
	return (size_t)hash_string(table->seed, key) & table->mask;
}

static size_t home_of(const struct table *table, const struct table_slot *slot)
{
	return table->kind == TABLE_STRINGS ? home_of_string(table, slot->key.string)
					    : home_of_number(table, slot->key.number);
}

int table_init(struct table *table, enum table_kind kind, size_t capacity,
	       struct cell_error *err)
{
	size_t size = 4;

	cell_assert(capacity > 0 && capacity <= TABLE_CAPACITY_MAX);
	while (size - size / 4 < capacity)
		size *= 2;
	*table = (struct table){ .kind = kind, .capacity = capacity, .mask = size - 1 };
	table->slots = calloc(size, sizeof *table->slots);
	if (!table->slots)
		return cell_fail(err, -ENOMEM, "a table of %zu entries", capacity);
	/* Without random bytes the address will do: a peer does not know that either. */
	if (getrandom(&table->seed, sizeof table->seed, GRND_NONBLOCK) != sizeof table->seed)
		table->seed = (uint64_t)(uintptr_t)table->slots;
	return 0;
}

void table_deinit(struct table *table)
{
	free(table->slots);
	*table = (struct table){ 0 };
}

/* The slot of KEY, or the empty one where it would be. */
static struct table_slot *find_number(const struct table *table, uint64_t key)
{
	size_t i = home_of_number(table, key);

	while (table->slots[i].value && table->slots[i].key.number != key)
		i = (i + 1) & table->mask;
	return &table->slots[i];
}

static struct table_slot *find_string(const struct table *table, const char *key)
{
	size_t i = home_of_string(table, key);

	while (table->slots[i].value && strcmp(table->slots[i].key.string, key) != 0)
		i = (i + 1) & table->mask;
	return &table->slots[i];
}

static int slot_fill(struct table *table, struct table_slot *slot, struct table_slot entry)
{
	cell_assert(entry.value);
	if (slot->value)
		return CELL_ALREADY_EXISTS;
	if (table->n == table->capacity)
		return CELL_RESOURCE_EXHAUSTED;
	*slot = entry;
	table->n++;
	return 0;
}

/*
 * Empty SLOT and move back into it, and into the gaps that this makes, what can't be found
 * behind a gap: every later entry of the run whose home is not between the gap and itself.
 */
static void *slot_empty(struct table *table, struct table_slot *slot)
{
	size_t gap = (size_t)(slot - table->slots), i = gap;
	void *value = slot->value;

	if (!value)
		return NULL;
	for (;;) {
		i = (i + 1) & table->mask;
		if (!table->slots[i].value)
			break;
		if (((i - home_of(table, &table->slots[i])) & table->mask) <
		    ((i - gap) & table->mask))
			continue;
		table->slots[gap] = table->slots[i];
		gap = i;
	}
	table->slots[gap] = (struct table_slot){ .value = NULL };
	table->n--;
	return value;
}

int table_put(struct table *table, uint64_t key, void *value)
{
	cell_assert(table->kind == TABLE_NUMBERS);
	return slot_fill(table, find_number(table, key),
			 (struct table_slot){ .key.number = key, .value = value });
}

int table_put_string(struct table *table, const char *key, void *value)
{
	cell_assert(table->kind == TABLE_STRINGS);
	return slot_fill(table, find_string(table, key),
			 (struct table_slot){ .key.string = key, .value = value });
}

void *table_get(const struct table *table, uint64_t key)
{
	return find_number(table, key)->value;
}

void *table_get_string(const struct table *table, const char *key)
{
	return find_string(table, key)->value;
}

void *table_remove(struct table *table, uint64_t key)
{
	return slot_empty(table, find_number(table, key));
}

void *table_remove_string(struct table *table, const char *key)
{
	return slot_empty(table, find_string(table, key));
}

/*
 * Backwards, from an empty slot: runs end there, so removing the entry got last moves only
 * entries that were got before it.
 */
struct table_at table_begin(const struct table *table)
{
	struct table_at at = { .i = 0, .left = table->mask };

	while (table->slots[at.i].value)
		at.i++;
	return at;
}

void *table_next(const struct table *table, struct table_at *at)
{
	while (at->left > 0) {
		at->left--;
		at->i = (at->i - 1) & table->mask;
		if (table->slots[at->i].value)
			return table->slots[at->i].value;
	}
	return NULL;
}
