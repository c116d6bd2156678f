/*
 * A pair of rings in one sealed memfd: one producer and one consumer in each direction.
 *
 * The data areas are mapped twice in a row, so every frame is contiguous. The peer is not
 * trusted: its indices are loaded once, checked and kept as copies; a frame header is
 * copied before it is looked at; bodies must be copied out before they are parsed.
 * Nothing here blocks or makes a system call, except create, map and unmap.
 * KERNEL.md section 1; the conditional wake-up is that of PERFORMANCE.md.
 *
 * Indices count bytes since the start, never wrap, and are multiples of FRAME_ALIGN.
 * What a frame passes through is inline: it is paid twice per call on each side.
 */
#pragma once

#include "frame.h"

#include <cell/error.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of data area in each direction. */
#define RING_SIZE (64u * 1024)
#define RING_MASK (RING_SIZE - 1)
/* Bytes of indices, the last page of the memfd. */
#define RING_PAGE_SIZE 4096u
/* Bytes of the memfd: two data areas, one page of indices. */
#define RING_MEMFD_SIZE (2 * RING_SIZE + RING_PAGE_SIZE)
/*
 * A consumer looks for certain whether the producer waits for room once per this many
 * bytes. Less than what is in use when a frame of FRAME_BODY_MAX finds no room, so that
 * no producer is forgotten (see ring_release()).
 */
#define RING_LOOK_EVERY (16u * 1024)

/* Caches fetch lines in pairs. */
#define RING_LINE 128

enum ring_outcome { RING_EMPTY = 1 };

/* What one side writes and the other reads; each group on cache lines of its own. */
struct ring_side_shared {
	/* As producer: bytes published. */
	_Alignas(RING_LINE) _Atomic uint64_t tail;
	/* As consumer: bytes read, and free again. */
	_Alignas(RING_LINE) _Atomic uint64_t head;
	/* Set before sleeping; taken down by whoever wakes, so these two have two writers. */
	_Alignas(RING_LINE) _Atomic uint32_t sleeping;
	_Atomic uint32_t wants_room;
	_Atomic uint32_t cpu; /* one more than the CPU; 0 = never told */
};
static_assert(2 * sizeof(struct ring_side_shared) <= RING_PAGE_SIZE, "both sides in a page");

struct ring {
	struct ring_side_shared *own;  /* we write it */
	struct ring_side_shared *peer; /* we read it, and do not believe it */

	uint8_t *tx;      /* the area we produce into, mapped twice */
	uint64_t tx_tail; /* next byte to reserve; published up to tx_published */
	uint64_t tx_published;
	uint64_t tx_head_seen; /* the peer's head when last looked at; it may be further */

	const uint8_t *rx;    /* the area we consume from, mapped twice, for reading only */
	uint64_t rx_head;     /* next byte to read */
	uint64_t rx_released; /* the head the peer knows of */
	uint64_t rx_looked;   /* the head for which we know whether the peer waits for room */
	uint64_t rx_tail_seen; /* checked copy of the peer's tail */
	bool rx_paused;        /* what is unread is left there on purpose: ring_pause() */

	void *page; /* the whole mapping, for unmapping */
};

/*
 * A new memfd for a pair, zeroed, sized RING_MEMFD_SIZE and sealed against any change of
 * size or seals. The caller closes *ret_memfd.
 */
int ring_create(int *ret_memfd, struct cell_error *err);

/*
 * Map side SIDE (0 or 1) of the pair. MEMFD stays the caller's and may be closed after.
 * Refuses with -EPROTO a descriptor that is no memfd of the right size and seals, as the
 * peer's truncate would else be our SIGBUS. RING is overwritten; on failure ring_unmap()
 * finds nothing to do in it.
 */
int ring_map(struct ring *ring, int memfd, unsigned side, struct cell_error *err);
void ring_unmap(struct ring *ring);

/* The parts of those below that are rarely needed. */
bool ring_refresh_head(struct ring *ring);
int ring_refuse(const struct ring *ring, uint64_t tail, struct cell_error *err);
int ring_refuse_frame(const struct ring *ring, const struct frame *header,
		      struct cell_error *err);

/*
 * Room for a frame with LENGTH bytes of body (at most FRAME_BODY_MAX), header included;
 * NULL if there is none now, or -- then *ret_broken is true -- if the peer's head makes
 * no sense. Nothing is visible to the peer before ring_commit() and ring_publish().
 * Reserving again without a commit gives the same place.
 */
static inline uint8_t *ring_reserve(struct ring *ring, size_t length, bool *ret_broken)
{
	size_t need = frame_ring_size(length);

	*ret_broken = false;
	if (__builtin_expect(RING_SIZE - (ring->tx_tail - ring->tx_head_seen) < need, 0)) {
		if (!ring_refresh_head(ring)) {
			*ret_broken = true;
			return NULL;
		}
		if (RING_SIZE - (ring->tx_tail - ring->tx_head_seen) < need)
			return NULL;
	}
	return ring->tx + (ring->tx_tail & RING_MASK);
}

/* The frame at the last reserved place is complete; LENGTH may be less than was reserved. */
static inline void ring_commit(struct ring *ring, size_t length)
{
	ring->tx_tail += frame_ring_size(length);
}

/*
 * Bytes that could be reserved now (frame_ring_size() of a body), refreshing our view of
 * the peer's head; 0 if that makes no sense.
 */
size_t ring_room(struct ring *ring, bool *ret_broken);

/*
 * Make committed frames visible. True: the peer sleeps (its flag was set, and is cleared
 * now by us): ring its doorbell. Call once per turn, not once per frame.
 *
 * The order of our store and our look at the flag matters, as that of the peer's in
 * ring_sleep(): both are sequentially consistent, which costs an exchange, once per turn.
 */
static inline bool ring_publish(struct ring *ring)
{
	uint32_t sleeps;

	if (ring->tx_tail == ring->tx_published)
		return false;
	ring->tx_published = ring->tx_tail;
	atomic_store_explicit(&ring->own->tail, ring->tx_tail, memory_order_seq_cst);
	sleeps = atomic_load_explicit(&ring->peer->sleeping, memory_order_seq_cst);
	if (__builtin_expect(!sleeps, 1))
		return false;
	return atomic_exchange_explicit(&ring->peer->sleeping, 0, memory_order_seq_cst) != 0;
}

/* Whether the peer polls now, so that publishing to it costs no system call. A hint. */
static inline bool ring_peer_is_awake(const struct ring *ring)
{
	return !atomic_load_explicit(&ring->peer->sleeping, memory_order_relaxed);
}

/*
 * Copy the oldest frame's header to *ret_header; *ret_body points into shared memory and
 * stays valid until ring_release(). Returns 0, RING_EMPTY, or -EPROTO if the indices or
 * the header make no sense (drop that peer). Includes frame_check().
 */
static inline int ring_peek(struct ring *ring, struct frame *ret_header,
			    const uint8_t **ret_body, struct cell_error *err)
{
	uint64_t available = ring->rx_tail_seen - ring->rx_head;
	const uint8_t *at = ring->rx + (ring->rx_head & RING_MASK);
	const uint64_t *words = (const uint64_t *)(const void *)at;
	uint64_t w0, w1, w2, w3;

	if (!available) {
		uint64_t tail = atomic_load_explicit(&ring->peer->tail, memory_order_acquire);

		available = tail - ring->rx_head;
		if (!available)
			return RING_EMPTY;
		/* A tail that went back is as far ahead as it gets. */
		if (__builtin_expect(available > RING_SIZE || available % FRAME_ALIGN, 0))
			return ring_refuse(ring, tail, err);
		ring->rx_tail_seen = tail;
	}
	if (__builtin_expect(available < FRAME_HEADER_SIZE, 0))
		return ring_refuse(ring, ring->rx_tail_seen, err);

	/* Each word is loaded once, whatever the compiler thinks of changing memory. */
	w0 = __atomic_load_n(&words[0], __ATOMIC_RELAXED);
	w1 = __atomic_load_n(&words[1], __ATOMIC_RELAXED);
	w2 = __atomic_load_n(&words[2], __ATOMIC_RELAXED);
	w3 = __atomic_load_n(&words[3], __ATOMIC_RELAXED);
	frame_from_words(ret_header, w0, w1, w2, w3);

	if (__builtin_expect(frame_check(ret_header, err) < 0, 0))
		return -EPROTO;
	if (__builtin_expect(frame_ring_size(ret_header->length) > available, 0))
		return ring_refuse_frame(ring, ret_header, err);

	*ret_body = at + FRAME_HEADER_SIZE;
	return 0;
}

/* Step over the frame last peeked. The peer sees the room after ring_release(). */
static inline void ring_consume(struct ring *ring, const struct frame *header)
{
	ring->rx_head += frame_ring_size(header->length);
}

/*
 * Publish how far we have read. True: the peer sleeps and waits for room, and half of the
 * ring is free: ring its bell.
 *
 * Cheap enough for every frame, and that is where it belongs, before the frame is acted
 * on: after our death the peer repeats what we had not released. So the store is a plain
 * one, and the look at the flag may miss a peer that goes to sleep this very moment; every
 * RING_LOOK_EVERY bytes, and in ring_sleep(), it cannot. A producer sleeps only while more
 * than that is in use, so before we have read it all we look for certain.
 */
static inline bool ring_release(struct ring *ring)
{
	uint64_t head = ring->rx_head;
	uint32_t waits;

	if (head != ring->rx_released) {
		ring->rx_released = head;
		atomic_store_explicit(&ring->own->head, head, memory_order_release);
	}
	/* Woken for every frame of room, a producer would sleep again after each. */
	if (head == ring->rx_looked || ring->rx_tail_seen - head > RING_SIZE / 2)
		return false;
	if (head - ring->rx_looked >= RING_LOOK_EVERY) {
		atomic_store_explicit(&ring->own->head, head, memory_order_seq_cst);
		ring->rx_looked = head;
	}
	waits = atomic_load_explicit(&ring->peer->wants_room, memory_order_seq_cst);
	if (__builtin_expect(!waits, 1))
		return false;
	ring->rx_looked = head;
	waits = atomic_exchange_explicit(&ring->peer->wants_room, 0, memory_order_seq_cst);
	return waits != 0;
}

/* Whether a frame (or nonsense) is waiting: one acquire load, for spinning. */
static inline bool ring_is_ready(const struct ring *ring)
{
	return atomic_load_explicit(&ring->peer->tail, memory_order_acquire) != ring->rx_head;
}

/*
 * Sleeping: set our flag, look again. Returns true if it is safe to sleep; false if
 * something came in meanwhile (the flag is down again) or the peer waits for what was
 * released. Call on every pass before waiting, as the waker took the flag down; publish
 * and release before it. WANTS_ROOM: we also wait for the peer to release.
 */
bool ring_sleep(struct ring *ring, bool wants_room);
void ring_awake(struct ring *ring);

/*
 * While paused, frames that wait unread do not keep ring_sleep() from sleeping: for a link
 * whose input is not wanted now. ring_is_ready() is not changed by it.
 */
static inline void ring_pause(struct ring *ring, bool is_paused)
{
	ring->rx_paused = is_paused;
}

/* Publish the CPU we run on, and read the peer's: (uint32_t)-1 if it never told. */
static inline void ring_set_cpu(struct ring *ring, uint32_t cpu)
{
	if (atomic_load_explicit(&ring->own->cpu, memory_order_relaxed) != cpu + 1)
		atomic_store_explicit(&ring->own->cpu, cpu + 1, memory_order_relaxed);
}

static inline uint32_t ring_peer_cpu(const struct ring *ring)
{
	return atomic_load_explicit(&ring->peer->cpu, memory_order_relaxed) - 1;
}

/*
 * How far the peer had read, for deciding after EOF which calls were never taken: as
 * tx_tail counts, and never beyond what was published.
 */
uint64_t ring_peer_head(const struct ring *ring);
