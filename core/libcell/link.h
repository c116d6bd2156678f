/*
 * A link carries frames: over a pair of rings, a Unix stream, or packets with descriptors
 * (the control socket). One small interface, so that nothing above knows which it is.
 *
 * Nothing here blocks or allocates after opening. What a link reads is checked as a frame;
 * whether it makes sense is its owner's business.
 */
#pragma once

#include "frame.h"
#include "ring.h"
#include "sock.h"

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum link_kind { LINK_RING, LINK_STREAM, LINK_PACKET };
enum link_outcome { LINK_EMPTY = 1, LINK_END = 2 };

/* Bytes of each buffer of a stream: two of the largest frames and some small ones. */
#define LINK_BUFFER_SIZE (64u * 1024)
/* Bytes of a packet's body: what core.proto promises. */
#define LINK_PACKET_BODY_MAX 4096u

struct link {
	enum link_kind kind;
	int fd;        /* the stream or packet socket; a ring's lifeline */
	int bell;      /* ring: we sleep on it */
	int peer_bell; /* ring: we wake the peer with it */
	struct ring ring;

	/* Streams and packets: bytes read and not consumed, bytes committed and not written. */
	uint8_t *rx;
	size_t rx_at, rx_end;
	uint8_t *tx;
	size_t tx_at, tx_end;
	bool rx_ended;   /* the peer closed its side */
	bool tx_blocked; /* the kernel took no more: wait until it is writable */

	struct sock_packet packet; /* packets: descriptors of the frame last peeked */
};

/* Take over a mapped ring's descriptors. On failure nothing is taken. */
int link_open_ring(struct link *link, int memfd, unsigned side, int bell, int peer_bell,
		   int lifeline, struct cell_error *err);
/* Take over a connected non-blocking socket, LINK_STREAM or LINK_PACKET. */
int link_open_socket(struct link *link, enum link_kind kind, int fd, struct cell_error *err);
void link_close(struct link *link);

/* Those of a socket; the functions below are for either kind. */
uint8_t *link_socket_reserve(struct link *link, size_t length);
int link_socket_peek(struct link *link, struct frame *ret_header, const uint8_t **ret_body,
		     struct cell_error *err);
int link_socket_flush(struct link *link);
/* Ring the peer's bell. */
void link_ring_bell(struct link *link);

/*
 * Room for a frame with up to LENGTH bytes of body (at most FRAME_BODY_MAX), or NULL if
 * there is none now; *ret_broken tells a peer whose indices make no sense.
 */
static inline uint8_t *link_reserve(struct link *link, size_t length, bool *ret_broken)
{
	if (__builtin_expect(link->kind == LINK_RING, 1))
		return ring_reserve(&link->ring, length, ret_broken);
	*ret_broken = false;
	return link_socket_reserve(link, length);
}

/* The frame at the reserved place, HEADER included, is complete. */
void link_commit(struct link *link, const struct frame *header);

/*
 * The whole message of LENGTH bytes at the place AT that was reserved is complete; length
 * and total of HEADER, which are 0 till now, are set.
 */
static inline void link_commit_whole(struct link *link, struct frame *header, uint32_t length,
				     uint8_t *at)
{
	frame_encode_whole(header, length, at);
	header->length = header->total = length;
	if (__builtin_expect(link->kind == LINK_RING, 1))
		ring_commit(&link->ring, length);
	else
		link->tx_end += FRAME_HEADER_SIZE + length;
}

/* Bytes that could be reserved now. */
size_t link_room(struct link *link, bool *ret_broken);

/* Make what was committed visible to the peer, waking it if it sleeps. 0 or -errno. */
static inline int link_flush(struct link *link)
{
	if (__builtin_expect(link->kind != LINK_RING, 0))
		return link_socket_flush(link);
	if (ring_publish(&link->ring))
		link_ring_bell(link);
	return 0;
}

/*
 * The oldest frame: its header copied, its body in place until link_consume(). Returns 0,
 * LINK_EMPTY, LINK_END (a socket's peer closed), or an error: drop the peer.
 */
static inline int link_peek(struct link *link, struct frame *ret_header, const uint8_t **ret_body,
			    struct cell_error *err)
{
	if (__builtin_expect(link->kind == LINK_RING, 1))
		return ring_peek(&link->ring, ret_header, ret_body, err);
	return link_socket_peek(link, ret_header, ret_body, err);
}

static inline void link_consume(struct link *link, const struct frame *header)
{
	if (__builtin_expect(link->kind == LINK_RING, 1))
		ring_consume(&link->ring, header);
	else if (link->kind == LINK_STREAM)
		link->rx_at += FRAME_HEADER_SIZE + header->length;
}

/* After a batch: give the room back to the peer. */
static inline void link_release(struct link *link)
{
	if (link->kind == LINK_RING && ring_release(&link->ring))
		link_ring_bell(link);
}

static inline bool link_is_ready(const struct link *link)
{
	return link->kind == LINK_RING && ring_is_ready(&link->ring);
}
