#include "checksum.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert(CHECKSUM_BYTES == crypto_shorthash_BYTES, "the stored checksum is a SipHash");

/*
 * SipHash of the key is half of the key under which the value is hashed: no copying of both
 * into one buffer, and no way to move bytes from one to the other.
 */
uint64_t checksum_of(struct cell_store_bytes key, struct cell_store_bytes value)
{
	unsigned char secret[crypto_shorthash_KEYBYTES] = "cell store value";
	uint64_t sum;

	(void)crypto_shorthash(secret, key.at, key.len, secret);
	(void)crypto_shorthash((unsigned char *)&sum, value.at, value.len, secret);
	return sum;
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
