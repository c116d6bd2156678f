/*
 * bench.proto through protobuf-c, for the peers that carry bare bytes. Everything that
 * is unpacked lives in one arena, which each call empties: no malloc per message.
 */
#pragma once

#include "bench.h"

#include <protobuf-c/protobuf-c.h>

#define CODEC_MESSAGE_MAX 64 /* a packed request, reply or stored */
#define CODEC_BLOB_MAX    (BENCH_BLOB_BYTES + CODEC_MESSAGE_MAX)

enum codec_method {
	CODEC_ECHO,
	CODEC_STORE,
};

struct codec {
	ProtobufCAllocator arena;
	uint8_t *memory;
	size_t used;
	size_t size;
};

void codec_init(struct codec *codec);

/* Unpack with malloc and free instead of the arena: what the arena saves. */
void codec_init_malloc(struct codec *codec);

/* Client: pack request NUMBER into OUT; its length. */
size_t codec_request(uint8_t out[CODEC_MESSAGE_MAX], uint64_t number);

/* Client: unpack a reply and check it against what NUMBER must give. */
void codec_check_reply(struct codec *codec, const uint8_t *bytes, size_t n, uint64_t number);

/* Client: pack a blob into OUT, which holds CODEC_BLOB_MAX; its length. */
size_t codec_blob(uint8_t *out, const uint8_t *data, size_t size);

/* Client: the same, into SINK piece by piece; its length. */
size_t codec_blob_into(ProtobufCBuffer *sink, const uint8_t *data, size_t size);

/* Client: unpack the answer to a blob and check that all SIZE bytes arrived. */
void codec_check_stored(struct codec *codec, const uint8_t *bytes, size_t n, size_t size);

/* Server: unpack the N bytes of a request to METHOD, pack its answer into OUT; its length. */
size_t codec_serve(struct codec *codec, enum codec_method method, const uint8_t *bytes,
		   size_t n, uint8_t out[CODEC_MESSAGE_MAX]);

/* Server: the data inside the N packed BYTES of a blob, where it lies, without a copy. */
void codec_blob_view(const uint8_t *bytes, size_t n, const uint8_t **ret_data,
		     size_t *ret_size);

/* Server: pack the answer to a blob of SIZE bytes into OUT; its length. */
size_t codec_stored(uint8_t out[CODEC_MESSAGE_MAX], size_t size);
