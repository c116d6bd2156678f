#include "message.h"

#include <cell/bytes.h>
#include <sodium.h>

uint8_t *message_bytes(struct cell_arena *arena, const struct cell_message_type *type,
		       const void *message, size_t *ret_len)
{
	uint8_t *bytes;
	size_t size;

	if (!cell_add(type->bound(message), 1, &size))
		return NULL;
	bytes = cell_arena_alloc(arena, size);
	if (bytes)
		*ret_len = (size_t)(type->encode(message, bytes) - bytes);
	return bytes;
}

void *message_copy(struct cell_arena *arena, const struct cell_message_type *type,
		   const void *message)
{
	size_t len;
	uint8_t *bytes = message_bytes(arena, type, message, &len);
	void *copy = cell_arena_alloc(arena, type->size);

	if (!bytes || !copy ||
	    type->decode(copy, bytes, len, CELL_DECODE_IN_PLACE, arena, NULL) < 0)
		return NULL;
	return copy;
}

void message_digest(const uint8_t *bytes, size_t len, uint8_t digest[static MESSAGE_DIGEST_SIZE])
{
	(void)crypto_generichash(digest, MESSAGE_DIGEST_SIZE, bytes, len, NULL, 0);
}
