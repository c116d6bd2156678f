/*
 * Encrypted columns: values sealed with a key of the database's cell (XChaCha20-Poly1305 of
 * libsodium, RFC 8439 with the extended nonce), each bound to its table, column and row.
 *
 * The key file has several keys, newest last, each with a number; the newest seals, all open,
 * so that rows can be sealed anew while others still have the old one: cell-keys(5).
 */
#pragma once

#include <cell/internal/table/value.h>

/* Number, nonce and tag around the sealed bytes. */
#define SEAL_OVERHEAD (4 + 24 + 16)
#define SEAL_KEYS_MAX 256

struct seal;

/*
 * Open the key file PATH; one that is not there is made, with one key, mode 0600, durably.
 * Returns 0, -errno, or CELL_DATA_LOSS for a file that makes no sense, CELL_PERMISSION_DENIED
 * for one that others may read.
 */
int seal_open(struct seal **ret_seal, const char *path, struct cell_error *err);
void seal_close(struct seal *seal);

/* A new newest key, durable before it returns. */
int seal_rotate(struct seal *seal, struct cell_error *err);
uint32_t seal_newest(const struct seal *seal);
/* Forget the keys before NUMBER: nothing is sealed with them any more. */
int seal_forget(struct seal *seal, uint32_t number, struct cell_error *err);

/* Where a value belongs; a value moved elsewhere does not open. */
struct seal_place {
	const char *store, *table;
	uint32_t column;
	const uint8_t *key; /* of its row, as row_key() has it */
	size_t key_len;
};

/* VALUE of COLUMN, not NULL, as VALUE_BYTES in ARENA; and back. CELL_DATA_LOSS: it does not open. */
int seal_value(const struct seal *seal, const struct seal_place *place,
		     const struct table_column *column, const struct value *value,
		     struct value *ret_sealed, struct cell_arena *arena, struct cell_error *err);
int unseal_value(const struct seal *seal, const struct seal_place *place,
		    const struct table_column *column, const struct value *sealed,
		    struct value *ret_value, struct cell_arena *arena, struct cell_error *err);
/* The number of the key that SEALED was made with; 0 if it is none of ours. */
uint32_t seal_number(const struct value *sealed);
