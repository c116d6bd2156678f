/*
 * Messages that outlive the call that brought them: copies, and digests of their bytes.
 */
#pragma once

#include <cell/arena.h>
#include <cell/message.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_DIGEST_SIZE 32

/* A copy of MESSAGE in ARENA; NULL if there is no memory. */
void *message_copy(struct cell_arena *arena, const struct cell_message_type *type,
		   const void *message);

/* MESSAGE's bytes, with one spare byte behind them; NULL if there is no memory. */
uint8_t *message_bytes(struct cell_arena *arena, const struct cell_message_type *type,
		       const void *message, size_t *ret_len);

/* BLAKE2b-256 of the LEN bytes. */
void message_digest(const uint8_t *bytes, size_t len, uint8_t digest[static MESSAGE_DIGEST_SIZE]);
