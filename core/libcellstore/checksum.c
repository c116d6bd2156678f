#include "checksum.h"

#include <assert.h>
#include <string.h>

/* In here, not linked: short values are hashed in fewer instructions than a call takes. */
#define XXH_INLINE_ALL
#include <xxhash.h>

static_assert(CHECKSUM_BYTES == sizeof(XXH64_hash_t), "the stored checksum is XXH3's");

/*
 * The hash of the key seeds that of the value: no copying of both into one buffer, and no way
 * to move bytes from one to the other.
 */
uint64_t checksum_of(struct cell_store_bytes key, struct cell_store_bytes value)
{
	return XXH3_64bits_withSeed(value.at, value.len, XXH3_64bits(key.at, key.len));
}

bool checksum_take(struct cell_store_bytes key, struct cell_store_bytes stored,
		   struct cell_store_bytes *ret_value)
{
	uint64_t sum;

	if (stored.len < CHECKSUM_BYTES)
		return false;
	memcpy(&sum, stored.at, sizeof sum);
	*ret_value = (struct cell_store_bytes){ (const char *)stored.at + CHECKSUM_BYTES,
						stored.len - CHECKSUM_BYTES };
	return checksum_of(key, *ret_value) == sum;
}
