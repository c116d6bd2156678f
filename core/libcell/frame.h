/*
 * The frame: 32 bytes of header, then the body (cell-protocol(7)).
 *
 * The same on rings, Unix streams, the control socket and links between nodes.
 * Pure: bytes in, struct out.
 */
#pragma once

#include <assert.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FRAME_HEADER_SIZE 32
/* Protocol version in hello; a different major one ends the connection. */
#define FRAME_VERSION 1
/* In a ring every frame starts at a multiple of this. */
#define FRAME_ALIGN 8
/*
 * Largest body of one frame. Two of them and small frames between them fit into a
 * 64 KiB ring, so that a large message never holds up a small one.
 */
#define FRAME_BODY_MAX (30 * 1024)
/* Largest body of one message in fragments, unless a hello says less (DESIGN.md). */
#define FRAME_MESSAGE_MAX (16u * 1024 * 1024)
/* Largest body in a payload memfd, and what stands before its data so that it is aligned. */
#define FRAME_PAYLOAD_MAX (1024u * 1024 * 1024)
#define FRAME_PAYLOAD_PREFIX 8u

enum frame_kind {
	FRAME_HELLO = 1,   /* first in each direction; body: struct frame_hello */
	FRAME_REQUEST = 2, /* client; code = method hash */
	FRAME_REPLY = 3,   /* server; ends a call with status 0 and a body */
	FRAME_ERROR = 4,   /* server; ends a call; code = wire status; body = text */
	FRAME_ONE_WAY = 5, /* client; code = method hash; answered by nothing */
	FRAME_ITEM = 6,    /* either; one message of a stream */
	FRAME_END = 7,     /* client: no more items; server: as error, ends a stream */
	FRAME_CANCEL = 8,  /* client; still answered by one terminal frame */
	FRAME_CREDIT = 9,  /* either; code = bytes of items granted */
	FRAME_GOAWAY = 10  /* server; call id = last one accepted */
};

enum frame_flag {
	/*
	 * The body is a payload: on a ring in a memfd sent on the lifeline, on a stream in the
	 * frames, and its receiver makes the memfd.
	 */
	FRAME_FLAG_MEMFD = 1,
	FRAME_FLAG_MORE = 2,       /* more fragments of this body follow */
	FRAME_FLAG_IDEMPOTENT = 4, /* the request may be repeated */
	FRAME_FLAG_METADATA = 8    /* the body begins with a metadata block */
};
#define FRAME_FLAGS_KNOWN 15u

struct frame {
	uint32_t length; /* body bytes in this frame */
	uint8_t channel;
	uint8_t kind;     /* enum frame_kind */
	uint16_t flags;   /* enum frame_flag */
	uint64_t call_id; /* rises, never reused; 0 for hello and goaway of none */
	uint32_t code;
	uint32_t total; /* bytes of the whole body, in its first fragment; 0 in later ones */
	uint64_t timeout_ns; /* left, relative; 0 = none */
};

struct frame_hello {
	uint16_t version;
	uint32_t message_max; /* largest body the sender accepts */
	uint32_t calls_max;   /* calls in flight it accepts */
	uint32_t window;      /* bytes of items a stream may have outstanding to it */
	uint64_t payload_max; /* largest payload memfd it accepts, 0 = none */
	uint64_t schema;      /* fingerprint of the schema it speaks, 0 = unknown */
};
#define FRAME_HELLO_SIZE 30

/*
 * The struct and the wire agree on every offset, so a little-endian machine copies the
 * header and all others turn its four words around.
 */
static_assert(sizeof(struct frame) == FRAME_HEADER_SIZE, "a frame is its header");
static_assert(offsetof(struct frame, channel) == 4 && offsetof(struct frame, kind) == 5 &&
		      offsetof(struct frame, flags) == 6 &&
		      offsetof(struct frame, call_id) == 8 &&
		      offsetof(struct frame, code) == 16 &&
		      offsetof(struct frame, total) == 20 &&
		      offsetof(struct frame, timeout_ns) == 24,
	      "a frame is its header");

#define FRAME_IS_WIRE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

static inline uint64_t frame_word(uint64_t word)
{
	return FRAME_IS_WIRE ? word : __builtin_bswap64(word);
}

/*
 * A processor that loads a word which was just stored in parts waits until the parts have
 * left for the cache, a dozen cycles. So headers are built in registers, stored word by word
 * and never copied as structs; frame_begin() stores the first word, length aside, in one piece
 * and frame_encode_whole() loads it in one piece.
 */

/* Word I of the header at BYTES. */
static inline void frame_put_word(void *bytes, unsigned i, uint64_t word)
{
	memcpy((uint8_t *)bytes + i * sizeof word, &word, sizeof word);
}

/* The header from its four words, as they stand in memory. */
static inline void frame_from_words(struct frame *ret_header, uint64_t w0, uint64_t w1,
				    uint64_t w2, uint64_t w3)
{
	if (FRAME_IS_WIRE) {
		frame_put_word(ret_header, 0, w0);
		frame_put_word(ret_header, 1, w1);
		frame_put_word(ret_header, 2, w2);
		frame_put_word(ret_header, 3, w3);
		return;
	}
	w0 = frame_word(w0);
	w2 = frame_word(w2);
	*ret_header = (struct frame){
		.length = (uint32_t)w0,
		.channel = (uint8_t)(w0 >> 32),
		.kind = (uint8_t)(w0 >> 40),
		.flags = (uint16_t)(w0 >> 48),
		.call_id = frame_word(w1),
		.code = (uint32_t)w2,
		.total = (uint32_t)(w2 >> 32),
		.timeout_ns = frame_word(w3),
	};
}

/* Write HEADER's 32 bytes at OUT. */
static inline void frame_encode(const struct frame *header,
				uint8_t out[static FRAME_HEADER_SIZE])
{
	frame_put_word(out, 0, frame_word(header->length | (uint64_t)header->channel << 32 |
					  (uint64_t)header->kind << 40 |
					  (uint64_t)header->flags << 48));
	frame_put_word(out, 1, frame_word(header->call_id));
	frame_put_word(out, 2, frame_word(header->code | (uint64_t)header->total << 32));
	frame_put_word(out, 3, frame_word(header->timeout_ns));
}

/* A header of no bytes yet, with code and timeout 0. */
static inline void frame_begin(struct frame *ret_header, enum frame_kind kind, uint8_t channel,
			       uint16_t flags, uint64_t call_id)
{
	uint64_t word = (uint64_t)channel << 32 | (uint64_t)kind << 40 | (uint64_t)flags << 48;

	if (FRAME_IS_WIRE)
		frame_put_word(ret_header, 0, word);
	else
		*ret_header = (struct frame){ .channel = channel, .kind = (uint8_t)kind,
					      .flags = flags };
	ret_header->call_id = call_id;
	ret_header->code = ret_header->total = 0;
	ret_header->timeout_ns = 0;
}

/* Write the header of a whole message of LENGTH bytes: HEADER, whose length and total are 0. */
static inline void frame_encode_whole(const struct frame *header, uint32_t length,
				      uint8_t out[static FRAME_HEADER_SIZE])
{
	struct frame copy;
	uint64_t first;

	if (!FRAME_IS_WIRE) {
		copy = *header;
		copy.length = copy.total = length;
		frame_encode(&copy, out);
		return;
	}
	memcpy(&first, header, sizeof first);
	frame_put_word(out, 0, first | length);
	frame_put_word(out, 1, header->call_id);
	frame_put_word(out, 2, header->code | (uint64_t)length << 32);
	frame_put_word(out, 3, header->timeout_ns);
}

/* Read 32 bytes. Says nothing about their sense; see frame_check(). */
static inline void frame_decode(struct frame *ret_header,
				const uint8_t bytes[static FRAME_HEADER_SIZE])
{
	uint64_t words[4];

	memcpy(words, bytes, sizeof words);
	frame_from_words(ret_header, words[0], words[1], words[2], words[3]);
}

/*
 * Whether HEADER could be part of a sane conversation:
 * - kind and flags are known, and length is at most FRAME_BODY_MAX;
 * - hello has no call id; all others but goaway have one;
 * - flags stand on messages only (request, reply, one-way, item); memfd not on an item in
 *   fragments, nor with metadata on one that carries bytes; a fragment that others follow is not empty;
 * - total is 0 (a later fragment, or an empty body), or the length of a body in one
 *   frame, or more than the length of the first fragment; with memfd, at most
 *   FRAME_PAYLOAD_MAX + FRAME_PAYLOAD_PREFIX (whether a total is affordable is for the receiver to say);
 * - error has a status; cancel and credit have no body.
 * Returns 0 or -EPROTO with the field named in ERR.
 */
int frame_check_all(const struct frame *header, struct cell_error *err);

static inline int frame_check(const struct frame *header, struct cell_error *err)
{
	const uint32_t messages = 1u << FRAME_REQUEST | 1u << FRAME_REPLY |
				  1u << FRAME_ONE_WAY | 1u << FRAME_ITEM;
	const uint32_t plain = FRAME_FLAG_IDEMPOTENT | FRAME_FLAG_METADATA;

	/* Nearly every frame is a whole message; it needs no call. */
	if (header->kind < 32 && (messages >> header->kind & 1) &&
	    !(header->flags & ~plain) && header->length <= FRAME_BODY_MAX &&
	    header->call_id && (header->total == header->length || header->total == 0))
		return 0;
	return frame_check_all(header, err);
}

/* Bytes a frame with LENGTH bytes of body takes in a ring. LENGTH at most FRAME_BODY_MAX. */
static inline size_t frame_ring_size(size_t length)
{
	return (FRAME_HEADER_SIZE + length + FRAME_ALIGN - 1) & ~(size_t)(FRAME_ALIGN - 1);
}

void frame_hello_encode(const struct frame_hello *hello,
			uint8_t out[static FRAME_HELLO_SIZE]);

/* Longer hellos of later versions are accepted, shorter ones are not: -EPROTO. */
int frame_hello_decode(struct frame_hello *ret_hello, const uint8_t *bytes, size_t len,
		       struct cell_error *err);

/*
 * Metadata: a u16 size (of what follows it), then records of u8 tag, u16 length, value,
 * in front of the body. Unknown tags are skipped; a known one stands at most once.
 */
#define FRAME_TRACE_SIZE          25
#define FRAME_IDEMPOTENCY_KEY_MAX 64
/* Bytes of a block after its size. */
#define FRAME_METADATA_MAX 512

enum frame_tag {
	FRAME_TAG_TRACE = 1,     /* trace id (16), span id (8), flags (1), as W3C has it */
	FRAME_TAG_PRINCIPAL = 2, /* text; only from who may speak for others */
	FRAME_TAG_IDEMPOTENCY_KEY = 3 /* bytes, 1 to 64 */
};

struct frame_metadata {
	const uint8_t *trace;  /* 25 bytes, or NULL */
	const char *principal; /* not terminated, or NULL */
	size_t principal_len;
	const uint8_t *idempotency_key; /* or NULL */
	size_t idempotency_key_len;
};

/*
 * Split the metadata block off the front of a body: *ret_used bytes of it.
 * The pointers of *ret_metadata point into BYTES. Returns 0 or -EPROTO.
 */
int frame_metadata_decode(struct frame_metadata *ret_metadata, size_t *ret_used,
			  const uint8_t *bytes, size_t len, struct cell_error *err);

/* Bytes that frame_metadata_encode() will write; 0 if there is nothing to say. */
size_t frame_metadata_size(const struct frame_metadata *metadata);

/*
 * Write the block at OUT and return where the body follows. The caller keeps to the
 * limits above; an empty METADATA writes nothing (and wants no FRAME_FLAG_METADATA).
 */
uint8_t *frame_metadata_encode(const struct frame_metadata *metadata, uint8_t *out);

/* "request", "item", …; never NULL. */
const char *frame_kind_name(uint8_t kind);
