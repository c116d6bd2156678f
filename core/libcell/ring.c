#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RING_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/*
 * Address space of one mapping: the area we write twice, the area we read twice, the page.
 * In the memfd the indices are last, so that every offset suits pages of up to 64 KiB.
 */
#define MAPPED_TX   0u
#define MAPPED_RX   (2 * RING_SIZE)
#define MAPPED_PAGE (4 * RING_SIZE)
#define MAPPED_SIZE (4 * RING_SIZE + RING_PAGE_SIZE)

int ring_create(int *ret_memfd, struct cell_error *err)
{
	int memfd = memfd_create("cell-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (memfd < 0)
		return cell_fail(err, -errno, "creating a ring: %s", strerror(errno));
	if (ftruncate(memfd, RING_MEMFD_SIZE) < 0 ||
	    fcntl(memfd, F_ADD_SEALS, RING_SEALS) < 0) {
		r = cell_fail(err, -errno, "sizing and sealing a ring: %s", strerror(errno));
		(void)close(memfd);
		return r;
	}
	*ret_memfd = memfd;
	return 0;
}

/*
 * Only a memfd has these seals: other files either know none or have F_SEAL_SEAL alone. A
 * huge page memfd has them too, but no such size.
 */
static int memfd_check(int memfd, struct cell_error *err)
{
	int seals = fcntl(memfd, F_GET_SEALS);
	struct stat st;

	if (seals < 0)
		return cell_fail(err, -EPROTO, "a ring that is no memfd: %s",
				 strerror(errno));
	if ((seals & RING_SEALS) != RING_SEALS)
		return cell_fail(err, -EPROTO,
				 "a ring whose memfd lacks seals: has 0x%x, needs 0x%x",
				 (unsigned)seals, (unsigned)RING_SEALS);
	if (fstat(memfd, &st) < 0)
		return cell_fail(err, -errno, "looking at a ring: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size != RING_MEMFD_SIZE)
		return cell_fail(err, -EPROTO, "a ring of %lld bytes, not %u",
				 (long long)st.st_size, RING_MEMFD_SIZE);
	return 0;
}

static bool map_at(uint8_t *at, size_t size, int protection, int memfd, size_t offset)
{
	return mmap(at, size, protection, MAP_SHARED | MAP_FIXED, memfd, (off_t)offset) !=
	       MAP_FAILED;
}

int ring_map(struct ring *ring, int memfd, unsigned side, struct cell_error *err)
{
	size_t tx_offset = side ? RING_SIZE : 0, rx_offset = side ? 0 : RING_SIZE;
	struct ring_side_shared *sides;
	uint8_t *base;
	int r;

	*ring = (struct ring){ 0 };
	r = memfd_check(memfd, err);
	if (r < 0)
		return r;

	/* One reservation, filled piece by piece: nothing else can get in between. */
	base = mmap(NULL, MAPPED_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	if (base == MAP_FAILED)
		return cell_fail(err, -errno, "mapping a ring: %s", strerror(errno));
	for (unsigned i = 0; i < 2; i++) {
		if (!map_at(base + MAPPED_TX + i * RING_SIZE, RING_SIZE,
			    PROT_READ | PROT_WRITE, memfd, tx_offset) ||
		    !map_at(base + MAPPED_RX + i * RING_SIZE, RING_SIZE, PROT_READ, memfd,
			    rx_offset))
			goto fail;
	}
	if (!map_at(base + MAPPED_PAGE, RING_PAGE_SIZE, PROT_READ | PROT_WRITE, memfd,
		    2 * RING_SIZE))
		goto fail;

	sides = (struct ring_side_shared *)(void *)(base + MAPPED_PAGE);
	ring->page = base;
	ring->own = &sides[side ? 1 : 0];
	ring->peer = &sides[side ? 0 : 1];
	ring->tx = base + MAPPED_TX;
	ring->rx = base + MAPPED_RX;
	return 0;
fail:
	r = cell_fail(err, -errno, "mapping a ring: %s", strerror(errno));
	(void)munmap(base, MAPPED_SIZE);
	return r;
}

void ring_unmap(struct ring *ring)
{
	if (!ring->page)
		return;
	(void)munmap(ring->page, MAPPED_SIZE);
	*ring = (struct ring){ 0 };
}

/* Take the peer's head, unless it went back or beyond what we published. */
bool ring_refresh_head(struct ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->peer->head, memory_order_acquire);

	if (head < ring->tx_head_seen || head > ring->tx_published || head % FRAME_ALIGN)
		return false;
	ring->tx_head_seen = head;
	return true;
}

size_t ring_room(struct ring *ring, bool *ret_broken)
{
	*ret_broken = !ring_refresh_head(ring);
	return *ret_broken ? 0 : RING_SIZE - (size_t)(ring->tx_tail - ring->tx_head_seen);
}

int ring_refuse(const struct ring *ring, uint64_t tail, struct cell_error *err)
{
	return cell_fail(err, -EPROTO, "ring with its tail at %llu and its head at %llu",
			 (unsigned long long)tail, (unsigned long long)ring->rx_head);
}

int ring_refuse_frame(const struct ring *ring, const struct frame *header,
		      struct cell_error *err)
{
	return cell_fail(err, -EPROTO, "%s frame of %u bytes, %llu published",
			 frame_kind_name(header->kind), (unsigned)header->length,
			 (unsigned long long)(ring->rx_tail_seen - ring->rx_head));
}

/*
 * Everything that could have been missed is looked at between our flag and our sleep:
 * frames, room, and a producer that waits for the room we made.
 */
bool ring_sleep(struct ring *ring, bool wants_room)
{
	bool is_quiet;

	/* Again, in an order that ring_release() may have left open. */
	if (ring->rx_looked != ring->rx_released)
		atomic_store_explicit(&ring->own->head, ring->rx_released,
				      memory_order_seq_cst);
	if (wants_room)
		atomic_store_explicit(&ring->own->wants_room, 1, memory_order_seq_cst);
	atomic_store_explicit(&ring->own->sleeping, 1, memory_order_seq_cst);

	is_quiet = ring->rx_paused ||
		   atomic_load_explicit(&ring->peer->tail, memory_order_seq_cst) ==
			   ring->rx_head;
	if (wants_room && atomic_load_explicit(&ring->peer->head, memory_order_seq_cst) !=
				  ring->tx_head_seen)
		is_quiet = false;
	if (ring->rx_looked != ring->rx_released &&
	    ring->rx_tail_seen - ring->rx_released <= RING_SIZE / 2) {
		/* Left as it is, so that the next ring_release() says so. */
		if (atomic_load_explicit(&ring->peer->wants_room, memory_order_seq_cst))
			is_quiet = false;
		else
			ring->rx_looked = ring->rx_released;
	}
	if (!is_quiet)
		ring_awake(ring);
	return is_quiet;
}

void ring_awake(struct ring *ring)
{
	if (atomic_load_explicit(&ring->own->sleeping, memory_order_relaxed))
		atomic_store_explicit(&ring->own->sleeping, 0, memory_order_relaxed);
	if (atomic_load_explicit(&ring->own->wants_room, memory_order_relaxed))
		atomic_store_explicit(&ring->own->wants_room, 0, memory_order_relaxed);
}

uint64_t ring_peer_head(const struct ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->peer->head, memory_order_acquire);

	if (head < ring->tx_head_seen)
		return ring->tx_head_seen;
	return head > ring->tx_published ? ring->tx_published : head;
}
