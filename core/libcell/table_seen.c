#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sets. */
#define SEEN_FIRST 8u
/* What is kept for the next call. */
#define SEEN_KEPT 256u

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Multiply and fold, eight bytes at a time (Wang Yi, wyhash). */
uint64_t table_key_hash(const struct cell_call *call, const struct cell_table *table,
			const uint8_t *key, size_t len)
{
	const uint64_t k0 = 0xa0761d6478bd642full, k1 = 0xe7037ed1a0b428dbull;
	uint64_t hash = mix((uintptr_t)table ^ k0, len ^ k1), word;

	if (call->to_cell && strcmp(call->to_cell, table->ref->cell) != 0)
		hash = mix(hash ^ cell_method_hash(call->to_cell), k1);

	for (; len >= 8; key += 8, len -= 8) {
		memcpy(&word, key, 8);
		hash = mix(hash ^ word, k1);
	}
	word = 0;
	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)key[i] << (8 * i);
	hash = mix(hash ^ word, k0);
	return hash ? hash : 1;
}

/* Where HASH is, or would be. */
static struct seen_set *set_of(const struct seen *seen, uint64_t hash)
{
	return &seen->sets[hash & (seen->n_sets - 1)];
}

static struct seen_row *find(const struct seen *seen, uint64_t hash)
{
	struct seen_set *set;

	if (!seen->n_sets)
		return NULL;
	set = set_of(seen, hash);
	for (unsigned i = 0; i < SEEN_WAYS; i++)
		if (set->rows[i].hash == hash)
			return &set->rows[i];
	return NULL;
}

bool table_seen_find(const struct seen *seen, uint64_t hash, uint64_t *ret_version)
{
	const struct seen_row *row = find(seen, hash);

	if (row)
		*ret_version = row->version;
	return row != NULL;
}

void table_seen_update(struct seen *seen, uint64_t hash, uint64_t version)
{
	struct seen_row *row = find(seen, hash);

	if (row)
		row->version = version;
}

/* First in its set, where AT was or the oldest. */
static void set_first(struct seen_set *set, struct seen_row *at, uint64_t hash,
		      uint64_t version)
{
	for (; at > set->rows; at--)
		*at = at[-1];
	*at = (struct seen_row){ .hash = hash, .version = version };
}

/* A set becomes two, neither of which has more than it had. */
static int grow(struct seen *seen)
{
	uint32_t n = seen->n_sets ? seen->n_sets * 2 : SEEN_FIRST;
	struct seen more = { .n_sets = n };

	more.sets = aligned_alloc(sizeof *more.sets, n * sizeof *more.sets);
	if (!more.sets)
		return -ENOMEM;
	memset(more.sets, 0, n * sizeof *more.sets);
	for (uint32_t i = 0; i < seen->n_sets; i++)
		for (unsigned way = SEEN_WAYS; way-- > 0;) {
			const struct seen_row *row = &seen->sets[i].rows[way];
			struct seen_set *set = set_of(&more, row->hash);

			if (row->hash)
				set_first(set, &set->rows[SEEN_WAYS - 1], row->hash,
					  row->version);
		}
	free(seen->sets);
	*seen = more;
	return 0;
}

int table_seen_note(struct seen *seen, uint64_t hash, uint64_t version)
{
	struct seen_row *row = find(seen, hash);
	struct seen_set *set;

	if (!row) {
		while ((!seen->n_sets || set_of(seen, hash)->rows[SEEN_WAYS - 1].hash) &&
		       seen->n_sets < TABLE_SEEN_MAX / SEEN_WAYS)
			if (grow(seen) < 0)
				return -ENOMEM;
		row = &set_of(seen, hash)->rows[SEEN_WAYS - 1];
	}
	set = set_of(seen, hash);
	set_first(set, row, hash, version);
	return 0;
}

void table_seen_free(struct seen *seen)
{
	free(seen->sets);
	*seen = (struct seen){ 0 };
}

void table_seen_clear(struct seen *seen)
{
	if (seen->n_sets > SEEN_KEPT)
		table_seen_free(seen);
	else if (seen->n_sets)
		memset(seen->sets, 0, seen->n_sets * sizeof *seen->sets);
}
