#include "link.h"
#include "bench.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPIN_NS        20000
#define SPINS_PER_LOOK 32 /* at the clock */

/* The ring's data twice in a row, so that no frame is ever split at the end. */
static uint8_t *map_twice(int fd, off_t offset)
{
	int prot = PROT_READ | PROT_WRITE;
	uint8_t *area = mmap(NULL, 2 * LINK_RING_BYTES, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED ||
	    mmap(area, LINK_RING_BYTES, prot, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd,
		 offset) == MAP_FAILED ||
	    mmap(area + LINK_RING_BYTES, LINK_RING_BYTES, prot,
		 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, offset) == MAP_FAILED)
		bench_die("mapping a ring: %s", strerror(errno));
	return area;
}

void link_pair_init(struct link_pair *pair)
{
	size_t header = (size_t)sysconf(_SC_PAGESIZE);
	int fd = memfd_create("bench-link", MFD_CLOEXEC);
	struct link_shared *shared;

	if (fd < 0 || ftruncate(fd, (off_t)(header + 2 * LINK_RING_BYTES)) < 0)
		bench_die("memfd for two rings: %s", strerror(errno));
	shared = mmap(NULL, header, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		bench_die("mapping ring indices: %s", strerror(errno));
	for (size_t i = 0; i < 2; i++) {
		pair->shared[i] = &shared[i];
		pair->data[i] = map_twice(fd, (off_t)(header + i * LINK_RING_BYTES));
		pair->bells[i] = eventfd(0, EFD_CLOEXEC);
		if (pair->bells[i] < 0)
			bench_die("eventfd: %s", strerror(errno));
	}
	(void)close(fd);
}

void link_open(struct link *link, const struct link_pair *pair, bool is_server,
	       enum link_wait wait)
{
	int own = is_server;

	*link = (struct link){
		.out = { .shared = pair->shared[!own], .data = pair->data[!own] },
		.in = { .shared = pair->shared[own], .data = pair->data[own] },
		.own_bell = pair->bells[own],
		.peer_bell = pair->bells[!own],
		.wait = wait,
	};
}

static size_t frame_space(size_t length)
{
	return (sizeof(struct link_frame) + length + 7) & ~(size_t)7;
}

static uint8_t *ring_at(struct link_ring *ring, uint64_t index)
{
	return ring->data + (index & (LINK_RING_BYTES - 1));
}

/* Each side keeps the other's index in a copy and looks again only when that is used up. */
static bool has_space(struct link *link, size_t space)
{
	struct link_ring *ring = &link->out;

	if (ring->head + space - ring->tail <= LINK_RING_BYTES)
		return true;
	ring->tail = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
	return ring->head + space - ring->tail <= LINK_RING_BYTES;
}

static bool has_frame(struct link *link, size_t unused)
{
	struct link_ring *ring = &link->in;

	(void)unused;
	if (ring->head != ring->tail)
		return true;
	ring->head = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
	return ring->head != ring->tail;
}

static bool spin_until(struct link *link, bool (*is_true)(struct link *, size_t), size_t arg)
{
	uint64_t end = link->wait == LINK_SPIN ? UINT64_MAX : bench_now_ns() + SPIN_NS;

	do {
		for (int i = 0; i < SPINS_PER_LOOK; i++) {
			if (is_true(link, arg))
				return true;
			link_relax();
		}
	} while (end == UINT64_MAX || bench_now_ns() < end);
	return false;
}

/* The waker clears the flag, so it is set again on every pass. */
static void sleep_until(struct link *link, bool (*is_true)(struct link *, size_t), size_t arg)
{
	_Atomic uint32_t *asleep = &link->in.shared->asleep;
	uint64_t rings;

	for (;;) {
		atomic_store_explicit(asleep, 1, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst);
		if (is_true(link, arg))
			break;
		if (read(link->own_bell, &rings, sizeof rings) < 0 && errno != EINTR)
			bench_die("waiting on an eventfd: %s", strerror(errno));
	}
	atomic_store_explicit(asleep, 0, memory_order_relaxed);
}

static void wait_until(struct link *link, bool (*is_true)(struct link *, size_t), size_t arg)
{
	if (is_true(link, arg))
		return;
	if (link->wait != LINK_SLEEP && spin_until(link, is_true, arg))
		return;
	sleep_until(link, is_true, arg);
}

uint8_t *link_reserve(struct link *link, size_t size)
{
	wait_until(link, has_space, frame_space(size));
	return ring_at(&link->out, link->out.head) + sizeof(struct link_frame);
}

void link_commit(struct link *link, size_t length, uint16_t method, bool more, uint64_t id)
{
	struct link_frame *frame = (struct link_frame *)ring_at(&link->out, link->out.head);

	*frame = (struct link_frame){ (uint32_t)length, method, more, id };
	link->out.head += frame_space(length);
}

void link_flush(struct link *link)
{
	_Atomic uint32_t *asleep = &link->out.shared->asleep;
	const uint64_t one = 1;

	atomic_store_explicit(&link->out.shared->head, link->out.head, memory_order_release);
	atomic_store_explicit(&link->in.shared->tail, link->in.tail, memory_order_release);
	if (link->wait == LINK_SPIN)
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(asleep, memory_order_relaxed) &&
	    atomic_exchange_explicit(asleep, 0, memory_order_relaxed) &&
	    write(link->peer_bell, &one, sizeof one) != sizeof one)
		bench_die("ringing an eventfd: %s", strerror(errno));
}

const struct link_frame *link_peek(struct link *link)
{
	if (!has_frame(link, 0))
		return NULL;
	return (const struct link_frame *)ring_at(&link->in, link->in.tail);
}

void link_release(struct link *link, const struct link_frame *frame)
{
	link->in.tail += frame_space(frame->length);
}

void link_await(struct link *link)
{
	wait_until(link, has_frame, 0);
}

bool link_is_drained(struct link *link)
{
	return atomic_load_explicit(&link->out.shared->tail, memory_order_acquire) ==
	       link->out.head;
}
