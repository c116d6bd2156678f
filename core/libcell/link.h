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
	bool has_unpublished;

	struct sock_packet packet; /* packets: descriptors of the frame last peeked */
};

/* Take over a mapped ring's descriptors. On failure nothing is taken. */
int link_open_ring(struct link *link, int memfd, unsigned side, int bell, int peer_bell,
		   int lifeline, struct cell_error *err);
/* Take over a connected non-blocking socket, LINK_STREAM or LINK_PACKET. */
int link_open_socket(struct link *link, enum link_kind kind, int fd, struct cell_error *err);
void link_close(struct link *link);

/*
 * Room for a frame with up to LENGTH bytes of body (at most FRAME_BODY_MAX), or NULL if
 * there is none now; *ret_broken tells a peer whose indices make no sense.
 */
uint8_t *link_reserve(struct link *link, size_t length, bool *ret_broken);

/* The frame at the reserved place, HEADER included, is complete. */
void link_commit(struct link *link, const struct frame *header);

/* Bytes that could be reserved now. */
size_t link_room(struct link *link, bool *ret_broken);

/* Make what was committed visible to the peer, waking it if it sleeps. 0 or -errno. */
int link_flush(struct link *link);

/*
 * The oldest frame: its header copied, its body in place until link_consume(). Returns 0,
 * LINK_EMPTY, LINK_END (a socket's peer closed), or an error: drop the peer.
 */
int link_peek(struct link *link, struct frame *ret_header, const uint8_t **ret_body,
	      struct cell_error *err);
void link_consume(struct link *link, const struct frame *header);

/* After a batch: give the room back to the peer. */
void link_release(struct link *link);

static inline bool link_is_ready(const struct link *link)
{
	return link->kind == LINK_RING && ring_is_ready(&link->ring);
}
