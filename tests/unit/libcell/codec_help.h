/*
 * Helpers of the codec's tests: every buffer has exactly the size that was promised, so
 * that a sanitizer sees the first byte too many.
 */
#pragma once

#include <cell/arena.h>
#include <cell/codec.h>
#include <cell/error.h>

#include "quick_check.h"
#include <stdlib.h>

struct packed {
	uint8_t *bytes;
	size_t len;
};

/* "how": the flags of a decode, for loops over all of them. */
static const unsigned decode_ways[] = { 0, CELL_DECODE_IN_PLACE, CELL_DECODE_BYTES_STAY };
#define N_DECODE_WAYS 3

static struct cell_arena arena;
static struct cell_error err;
static uint8_t *buffers[4096];
static size_t n_buffers;

static inline uint8_t *buffer_new(size_t size)
{
	uint8_t *buffer = calloc(1, size ? size : 1);

	ck_assert_ptr_nonnull(buffer);
	ck_assert_uint_lt(n_buffers, sizeof buffers / sizeof buffers[0]);
	buffers[n_buffers++] = buffer;
	return buffer;
}

static inline void help_setup(void)
{
	cell_arena_init(&arena, 0);
	err = (struct cell_error){ .code = 0 };
}

static inline void help_teardown(void)
{
	cell_arena_deinit(&arena);
	while (n_buffers)
		free(buffers[--n_buffers]);
}

/* The next LEN bytes of WHOLE, from *AT on, are those. */
static inline bool goes_on_with(struct packed whole, size_t *at, const uint8_t *bytes, size_t len)
{
	bool is_same = len <= whole.len - *at && (!len || !memcmp(whole.bytes + *at, bytes, len));

	*at += is_same ? len : 0;
	return is_same;
}

/* MESSAGE in pieces, put together: the same bytes as in one. */
static inline bool is_same_in_pieces(const struct cell_message_type *type, const void *message,
				     struct packed whole)
{
	struct cell_chunks pieces = { .n = 0 };
	size_t bound = type->bound_around(message), at = 0;
	uint8_t *rest = buffer_new(bound), *end = type->encode_around(message, rest, &pieces);
	const uint8_t *from = rest;

	if ((size_t)(end - rest) > bound || pieces.n > CELL_CHUNKS_MAX)
		return false;
	for (size_t i = 0; i < pieces.n; i++) {
		const struct cell_chunk *piece = &pieces.items[i];

		if (piece->at < from || piece->at > end || piece->len < CELL_CHUNK_MIN ||
		    !goes_on_with(whole, &at, from, (size_t)(piece->at - from)) ||
		    !goes_on_with(whole, &at, piece->bytes, piece->len))
			return false;
		from = piece->at;
	}
	return goes_on_with(whole, &at, from, (size_t)(end - from)) && at == whole.len;
}

/* Encode MESSAGE into bound() bytes, not one more. */
static inline struct packed pack(const struct cell_message_type *type, const void *message)
{
	size_t bound = type->bound(message);
	struct packed packed;

	ck_assert_uint_le(bound, CELL_MESSAGE_SIZE_MAX);
	packed.bytes = buffer_new(bound);
	packed.len = (size_t)(type->encode(message, packed.bytes) - packed.bytes);
	ck_assert_uint_le(packed.len, bound);
	ck_assert_msg(!type->encode_around || is_same_in_pieces(type, message, packed),
		      "%s in pieces is another message", type->name);
	return packed;
}

/* Decode a copy of the bytes, with the spare byte only where it is promised. */
static inline int unpack_with(const struct cell_message_type *type, void *message,
			      const void *bytes, size_t len, unsigned flags)
{
	size_t spare = flags & CELL_DECODE_IN_PLACE ? 1 : 0;
	uint8_t *copy = buffer_new(len + spare);

	if (len)
		memcpy(copy, bytes, len);
	if (spare)
		copy[len] = 0xee;
	err = (struct cell_error){ .code = 0 };
	memset(message, 0xaa, type->size);
	return type->decode(message, copy, len, flags, &arena, &err);
}

static inline void unpack(const struct cell_message_type *type, void *message,
			  struct packed packed, unsigned flags)
{
	int r = unpack_with(type, message, packed.bytes, packed.len, flags);

	ck_assert_msg(r == 0, "%s", err.text);
}

static inline void same_bytes(struct packed a, const void *bytes, size_t len)
{
	ck_assert_uint_eq(a.len, len);
	ck_assert_mem_eq(a.bytes, bytes, len);
}

/* The bytes decode, and encode to the same bytes again, whichever way they are decoded. */
static inline void round_trips(const struct cell_message_type *type, const void *bytes,
			       size_t len)
{
	void *message = buffer_new(type->size);

	for (size_t i = 0; i < N_DECODE_WAYS; i++) {
		int r = unpack_with(type, message, bytes, len, decode_ways[i]);

		ck_assert_msg(r == 0, "%s", err.text);
		same_bytes(pack(type, message), bytes, len);
	}
}
