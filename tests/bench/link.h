/*
 * Two bare rings between two processes, one each way: what shared memory gives when
 * nobody checks, limits, times or names anything. The peer is trusted.
 *
 * Frames are reserved and committed, then published all at once by link_flush(), which
 * also hands back the room of what was taken, and wakes the other side if it sleeps.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_RING_BYTES ((size_t)64 << 10) /* data of one ring, mapped twice in a row */

enum link_wait {
	LINK_SPIN,
	LINK_SLEEP,           /* on an eventfd, at once */
	LINK_SPIN_THEN_SLEEP, /* after 20 us */
};

struct link_frame {
	uint32_t length;
	uint16_t method;
	uint16_t more; /* fragments follow */
	uint64_t id;
};

/* Two such frames fill a ring, so that both sides copy at the same time. */
#define LINK_FRAGMENT_MAX (LINK_RING_BYTES / 2 - sizeof(struct link_frame))

/* Shared: the indices of one ring and its consumer's state, each on a cache line. */
struct link_shared {
	_Alignas(64) _Atomic uint64_t head;
	_Alignas(64) _Atomic uint64_t tail;
	_Alignas(64) _Atomic uint32_t asleep; /* the process that reads this ring */
};

/* Private: one side's view of one ring. */
struct link_ring {
	struct link_shared *shared;
	uint8_t *data;
	uint64_t head;
	uint64_t tail;
};

struct link {
	struct link_ring out;
	struct link_ring in;
	int own_bell;
	int peer_bell;
	enum link_wait wait;
};

/* What both processes inherit: make it before the fork, then open one side in each. */
struct link_pair {
	struct link_shared *shared[2];
	uint8_t *data[2];
	int bells[2];
};

void link_pair_init(struct link_pair *pair);

void link_open(struct link *link, const struct link_pair *pair, bool is_server,
	       enum link_wait wait);

/* Room for a frame of up to SIZE bytes (at most LINK_FRAGMENT_MAX); waits for it. */
uint8_t *link_reserve(struct link *link, size_t size);

/* The frame that was reserved last has LENGTH bytes; it leaves with the next flush. */
void link_commit(struct link *link, size_t length, uint16_t method, bool more, uint64_t id);

/* Publish what was committed, give back what was released, wake the peer if it sleeps. */
void link_flush(struct link *link);

/* The oldest frame, where it lies in the ring, or NULL. Valid until link_release(). */
const struct link_frame *link_peek(struct link *link);

/* The bytes of a frame from link_peek(). */
static inline const uint8_t *link_bytes(const struct link_frame *frame)
{
	return (const uint8_t *)(frame + 1);
}

void link_release(struct link *link, const struct link_frame *frame);

/* Wait until link_peek() has something. */
void link_await(struct link *link);

/* Has the peer taken everything that was flushed? */
bool link_is_drained(struct link *link);

/* A spinning process's politeness towards its sibling thread. */
static inline void link_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}
