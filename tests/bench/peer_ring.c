/*
 * Bare rings with protobuf-c and an arena: the floor that a call over shared memory
 * stands on. No header checks, no deadline, no limits, no third party.
 *
 * Copied: messages are packed beside the ring and copied in, copied out and unpacked.
 * In place: they are packed into the ring and unpacked where they lie; of a blob both
 * sides make one copy only.
 */
#include "bench.h"
#include "codec.h"
#include "link.h"

#include <stdlib.h>

#define TURN_FRAMES          64 /* a server answers after at most so many */
#define MODE(wait, in_place) ((wait) << 1 | (in_place))

struct ring_peer {
	struct link_pair pair;
	struct link link;
	struct codec codec;
	uint8_t *blob; /* packed, or being put together */
	bool is_in_place;
};

static void ring_prepare(struct bench_pair *pair)
{
	struct ring_peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		bench_die("no memory");
	peer->is_in_place = pair->variant->mode & 1;
	peer->blob = malloc(CODEC_BLOB_MAX);
	if (!peer->blob)
		bench_die("no memory for a blob");
	codec_init(&peer->codec);
	link_pair_init(&peer->pair);
	pair->state = peer;
}

static void ring_connect(struct bench_pair *pair)
{
	struct ring_peer *peer = pair->state;

	link_open(&peer->link, &peer->pair, false,
		  (enum link_wait)(pair->variant->mode >> 1));
}

/* ---- Server ---------------------------------------------------------------------- */

/* The bytes of a frame: in the ring, or in BUFFER if they are to be copied out. */
static const uint8_t *frame_take(struct ring_peer *peer, const struct link_frame *frame,
				 uint8_t buffer[CODEC_MESSAGE_MAX])
{
	if (peer->is_in_place)
		return link_bytes(frame);
	memcpy(buffer, link_bytes(frame), frame->length);
	return buffer;
}

static void serve_echo(struct ring_peer *peer, const struct link_frame *frame)
{
	uint8_t in[CODEC_MESSAGE_MAX];
	uint8_t out[CODEC_MESSAGE_MAX];
	const uint8_t *request = frame_take(peer, frame, in);
	uint8_t *room = link_reserve(&peer->link, CODEC_MESSAGE_MAX);
	uint8_t *reply = peer->is_in_place ? room : out;
	size_t n;

	n = codec_serve(&peer->codec, CODEC_ECHO, request, frame->length, reply);
	if (!peer->is_in_place)
		memcpy(room, out, n);
	link_commit(&peer->link, n, CODEC_ECHO, false, frame->id);
}

/* *SIZE counts what has arrived of the blob; 0 again after its last fragment. */
static void serve_fragment(struct ring_peer *peer, const struct link_frame *frame,
			   size_t *size)
{
	uint8_t *room;
	size_t n;

	if (frame->length > CODEC_BLOB_MAX - *size)
		bench_die("a blob of more than %zu bytes", CODEC_BLOB_MAX);
	memcpy(peer->blob + *size, link_bytes(frame), frame->length);
	*size += frame->length;
	if (frame->more)
		return;

	room = link_reserve(&peer->link, CODEC_MESSAGE_MAX);
	if (peer->is_in_place) {
		const uint8_t *data;

		codec_blob_view(peer->blob, *size, &data, &n);
		bench_check_blob(data, n);
		n = codec_stored(room, n);
	} else {
		n = codec_serve(&peer->codec, CODEC_STORE, peer->blob, *size, room);
	}
	link_commit(&peer->link, n, CODEC_STORE, false, frame->id);
	*size = 0;
}

static void ring_serve(struct bench_pair *pair)
{
	struct ring_peer *peer = pair->state;
	struct link *link = &peer->link;
	size_t blob_size = 0;

	link_open(link, &peer->pair, true, (enum link_wait)(pair->variant->mode >> 1));
	bench_ready(pair);
	for (;;) {
		const struct link_frame *frame;

		link_await(link);
		for (int i = 0; i < TURN_FRAMES && (frame = link_peek(link)); i++) {
			if (frame->method == CODEC_ECHO) {
				serve_echo(peer, frame);
				link_release(link, frame);
				continue;
			}
			serve_fragment(peer, frame, &blob_size);
			link_release(link, frame);
			/* The client may be waiting for this room. */
			link_flush(link);
		}
		link_flush(link);
	}
}

/* ---- Client ---------------------------------------------------------------------- */

static void request_put(struct ring_peer *peer, uint64_t number)
{
	uint8_t *room = link_reserve(&peer->link, CODEC_MESSAGE_MAX);
	uint8_t bytes[CODEC_MESSAGE_MAX];
	size_t n;

	n = codec_request(peer->is_in_place ? room : bytes, number);
	if (!peer->is_in_place)
		memcpy(room, bytes, n);
	link_commit(&peer->link, n, CODEC_ECHO, false, number);
}

static void reply_take(struct ring_peer *peer, const struct link_frame *frame,
		       uint64_t number)
{
	uint8_t buffer[CODEC_MESSAGE_MAX];
	const uint8_t *bytes = frame_take(peer, frame, buffer);

	codec_check_reply(&peer->codec, bytes, frame->length, number);
	link_release(&peer->link, frame);
}

static void ring_call(struct bench_pair *pair, uint64_t number)
{
	struct ring_peer *peer = pair->state;

	request_put(peer, number);
	link_flush(&peer->link);
	link_await(&peer->link);
	reply_take(peer, link_peek(&peer->link), number);
}

/* New requests go out when half of the window has been answered, in one publication. */
static void ring_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	struct ring_peer *peer = pair->state;
	struct link *link = &peer->link;
	const struct link_frame *frame;
	size_t sent = 0;
	size_t answered = 0;

	while (answered < n_calls) {
		if (sent - answered <= BENCH_WINDOW / 2) {
			while (sent < n_calls && sent - answered < BENCH_WINDOW)
				request_put(peer, first + sent++);
			link_flush(link);
		}
		link_await(link);
		while ((frame = link_peek(link)))
			reply_take(peer, frame, first + answered++);
	}
}

/* A sink for protobuf-c that fills fragment after fragment in the ring. */
struct fragment_sink {
	ProtobufCBuffer base;
	struct link *link;
	uint8_t *room;
	size_t used;
};

static void fragment_append(ProtobufCBuffer *base, size_t n, const uint8_t *bytes)
{
	struct fragment_sink *sink = (struct fragment_sink *)base;

	while (n > 0) {
		size_t part = LINK_FRAGMENT_MAX - sink->used;

		if (part == 0) {
			link_commit(sink->link, sink->used, CODEC_STORE, true, 0);
			link_flush(sink->link);
			sink->room = link_reserve(sink->link, LINK_FRAGMENT_MAX);
			sink->used = 0;
			continue;
		}
		if (part > n)
			part = n;
		memcpy(sink->room + sink->used, bytes, part);
		sink->used += part;
		bytes += part;
		n -= part;
	}
}

static void ring_store(struct bench_pair *pair, const uint8_t *data, size_t size)
{
	struct ring_peer *peer = pair->state;
	struct link *link = &peer->link;
	struct fragment_sink sink = { { fragment_append }, link, NULL, 0 };
	const struct link_frame *frame;

	sink.room = link_reserve(link, LINK_FRAGMENT_MAX);
	if (peer->is_in_place)
		(void)codec_blob_into(&sink.base, data, size);
	else
		fragment_append(&sink.base, codec_blob(peer->blob, data, size), peer->blob);
	link_commit(link, sink.used, CODEC_STORE, false, 0);
	link_flush(link);
	link_await(link);
	frame = link_peek(link);
	codec_check_stored(&peer->codec, link_bytes(frame), frame->length, size);
	link_release(link, frame);
	link_flush(link);
}

#define RING_VARIANT(name_, wait, in_place)                                                   \
	{                                                                                    \
		.name = name_, .mode = MODE(wait, in_place), .prepare = ring_prepare,        \
		.serve = ring_serve, .connect = ring_connect, .call = ring_call,             \
		.pipeline = ring_pipeline, .store = ring_store                               \
	}

static const struct bench_variant variants[] = {
	RING_VARIANT("ring-spin", LINK_SPIN, false),
	RING_VARIANT("ring-spin-in-place", LINK_SPIN, true),
	RING_VARIANT("ring-spin20", LINK_SPIN_THEN_SLEEP, false),
	RING_VARIANT("ring-sleep", LINK_SLEEP, false),
	RING_VARIANT("ring-sleep-in-place", LINK_SLEEP, true),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
