#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_FIRST 32u
/* What is kept for the next call. */
#define SEEN_KEPT 1024u

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
	return mix(hash ^ word, k0);
}

static uint32_t *bucket_of(const struct seen *seen, uint64_t hash)
{
	return &seen->buckets[hash & (2 * seen->size - 1)];
}

static struct seen_row *find(const struct seen *seen, uint64_t hash)
{
	uint32_t at = seen->size ? *bucket_of(seen, hash) : 0;

	while (at && seen->rows[at - 1].hash != hash)
		at = seen->rows[at - 1].next;
	return at ? &seen->rows[at - 1] : NULL;
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

static uint32_t index_of(const struct seen *seen, const struct seen_row *row)
{
	return (uint32_t)(row - seen->rows) + 1;
}

static void age_unlink(struct seen *seen, struct seen_row *row)
{
	if (row->newer)
		seen->rows[row->newer - 1].older = row->older;
	else
		seen->newest = row->older;
	if (row->older)
		seen->rows[row->older - 1].newer = row->newer;
	else
		seen->oldest = row->newer;
}

static void age_link(struct seen *seen, struct seen_row *row)
{
	uint32_t at = index_of(seen, row);

	row->newer = 0;
	row->older = seen->newest;
	if (seen->newest)
		seen->rows[seen->newest - 1].newer = at;
	else
		seen->oldest = at;
	seen->newest = at;
}

static int grow(struct seen *seen)
{
	uint32_t size = seen->size ? seen->size * 2 : SEEN_FIRST;
	uint32_t *buckets = calloc((size_t)size * 2, sizeof *buckets);
	struct seen_row *rows;

	if (!buckets)
		return -ENOMEM;
	rows = realloc(seen->rows, size * sizeof *rows);
	if (!rows) {
		free(buckets);
		return -ENOMEM;
	}
	free(seen->buckets);
	seen->rows = rows;
	seen->buckets = buckets;
	seen->size = size;
	for (uint32_t i = 0; i < seen->n; i++) {
		uint32_t *bucket = bucket_of(seen, rows[i].hash);

		rows[i].next = *bucket;
		*bucket = i + 1;
	}
	return 0;
}

/* The oldest row's place. */
static struct seen_row *evict(struct seen *seen)
{
	struct seen_row *row = &seen->rows[seen->oldest - 1];
	uint32_t *at = bucket_of(seen, row->hash);

	age_unlink(seen, row);
	while (*at != index_of(seen, row))
		at = &seen->rows[*at - 1].next;
	*at = row->next;
	return row;
}

int table_seen_note(struct seen *seen, uint64_t hash, uint64_t version)
{
	struct seen_row *row = find(seen, hash);
	uint32_t *bucket;

	if (row) {
		row->version = version;
		age_unlink(seen, row);
		age_link(seen, row);
		return 0;
	}
	if (seen->n == seen->size && seen->size < TABLE_SEEN_MAX && grow(seen) < 0)
		return -ENOMEM;
	row = seen->n < seen->size ? &seen->rows[seen->n++] : evict(seen);
	bucket = bucket_of(seen, hash);
	*row = (struct seen_row){ .hash = hash, .version = version, .next = *bucket };
	*bucket = index_of(seen, row);
	age_link(seen, row);
	return 0;
}

void table_seen_free(struct seen *seen)
{
	free(seen->rows);
	free(seen->buckets);
	*seen = (struct seen){ 0 };
}

void table_seen_clear(struct seen *seen)
{
	if (!seen->n)
		return;
	if (seen->size > SEEN_KEPT) {
		table_seen_free(seen);
		return;
	}
	memset(seen->buckets, 0, 2 * seen->size * sizeof *seen->buckets);
	seen->n = seen->newest = seen->oldest = 0;
}
