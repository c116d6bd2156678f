/*
 * A checksum (XXH3, 64 bits) over key and value, so that damage is seen and a value is never that of
 * another key. Against accidents, not against attackers: its key is no secret.
 */
#pragma once

#include <stdint.h>

#include <cell/store.h>

#define CHECKSUM_BYTES 8

uint64_t checksum_of(struct cell_store_bytes key, struct cell_store_bytes value);

/* Whether STORED, a checksum and the value behind it, is KEY's; *ret_value is in STORED. */
bool checksum_take(struct cell_store_bytes key, struct cell_store_bytes stored,
		   struct cell_store_bytes *ret_value);
