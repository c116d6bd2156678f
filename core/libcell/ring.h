/*
 * A pair of rings in one sealed memfd: one producer and one consumer in each direction.
 *
 * The data areas are mapped twice in a row, so every frame is contiguous. The peer is not
 * trusted: its indices are loaded once, checked and kept as copies; a frame header is
 * copied before it is looked at; bodies must be copied out before they are parsed.
 * Nothing here blocks or makes a system call, except create, map and unmap.
 * KERNEL.md section 1; the conditional wake-up is that of PERFORMANCE.md.
 */
#pragma once

#include "frame.h"

#include <cell/error.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of data area in each direction. */
#define RING_SIZE (64u * 1024)
/* Bytes of the memfd: one page of indices, two data areas. */
#define RING_MEMFD_SIZE (4096u + 2 * RING_SIZE)

enum ring_outcome { RING_EMPTY = 1 };

/* What one side writes and the other reads; each group on cache lines of its own. */
struct ring_side_shared;

struct ring {
	struct ring_side_shared *own;  /* we write it */
	struct ring_side_shared *peer; /* we read it, and do not believe it */

	uint8_t *tx;           /* the area we produce into, mapped twice */
	uint64_t tx_tail;      /* next byte to reserve; published up to tx_published */
	uint64_t tx_published;
	uint64_t tx_head_seen; /* the peer's head when last looked at: what is free is a lower bound */

	const uint8_t *rx;     /* the area we consume from, mapped twice */
	uint64_t rx_head;      /* next byte to read */
	uint64_t rx_released;  /* the head the peer knows of */
	uint64_t rx_tail_seen; /* checked copy of the peer's tail */

	void *page;            /* the index page, for unmapping */
};

/*
 * A new memfd for a pair, zeroed, sized RING_MEMFD_SIZE and sealed against any change of
 * size or seals. The caller closes *ret_memfd.
 */
int ring_create(int *ret_memfd, struct cell_error *err);

/*
 * Map side SIDE (0 or 1) of the pair. MEMFD stays the caller's and may be closed after.
 * Refuses with -EPROTO a descriptor that is no memfd of the right size and seals, as the
 * peer's truncate would else be our SIGBUS.
 */
int ring_map(struct ring *ring, int memfd, unsigned side, struct cell_error *err);
void ring_unmap(struct ring *ring);

/*
 * Room for a frame with LENGTH bytes of body (at most FRAME_BODY_MAX), header included;
 * NULL if there is none now, or -- then *ret_broken is true -- if the peer's head makes
 * no sense. Nothing is visible to the peer before ring_commit() and ring_publish().
 * Reserving again without a commit gives the same place.
 */
uint8_t *ring_reserve(struct ring *ring, size_t length, bool *ret_broken);

/* The frame at the last reserved place is complete; LENGTH may be less than was reserved. */
void ring_commit(struct ring *ring, size_t length);

/* Bytes that could be reserved now, refreshing our view of the peer's head. */
size_t ring_room(struct ring *ring, bool *ret_broken);

/*
 * Make committed frames visible. True: the peer sleeps (its flag was set, and is cleared
 * now by us): ring its doorbell. Call once per turn, not once per frame.
 */
bool ring_publish(struct ring *ring);

/*
 * Copy the oldest frame's header to *ret_header; *ret_body points into shared memory and
 * stays valid until ring_consume(). Returns 0, RING_EMPTY, or -EPROTO if the indices or
 * the header make no sense (drop that peer). Includes frame_check().
 */
int ring_peek(struct ring *ring, struct frame *ret_header, const uint8_t **ret_body,
	      struct cell_error *err);

/* Step over the frame last peeked. The peer sees the room after ring_release(). */
void ring_consume(struct ring *ring, const struct frame *header);

/* Publish how far we have read. True: the peer sleeps and waits for room: ring its bell. */
bool ring_release(struct ring *ring);

/* Whether a frame (or nonsense) is waiting: one acquire load, for spinning. */
bool ring_is_ready(const struct ring *ring);

/*
 * Sleeping: set our flag, fence, look again. Returns true if it is safe to sleep; false if
 * something came in meanwhile (the flag is down again). Call on every pass before waiting.
 * WANTS_ROOM: we also wait for the peer to release.
 */
bool ring_sleep(struct ring *ring, bool wants_room);
void ring_awake(struct ring *ring);

/* Publish the CPU we run on, and read the peer's: (uint32_t)-1 if it never told. */
void ring_set_cpu(struct ring *ring, uint32_t cpu);
uint32_t ring_peer_cpu(const struct ring *ring);

/* How far the peer had read, for deciding after EOF which calls were never taken. */
uint64_t ring_peer_head(const struct ring *ring);
