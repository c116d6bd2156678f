/*
 * The peer of a ring, which shares memory with us, writes what it likes when it likes. The
 * input is a script: what the liar writes into indices and data, in turns with what we do.
 * Whatever it wrote, we see frames within our mapping, an empty ring, or a peer to drop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cell/bytes.h>

#include "libcell/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                      \
	do {                                                                                 \
		if (!(condition))                                                            \
			abort();                                                             \
	} while (0)

static struct ring liar, ours;
static struct ring liar_fresh, ours_fresh; /* as mapped */

/* What the first byte of a step means. */
enum step {
	STEP_TAIL,     /* u16: the liar's tail goes so far on */
	STEP_TAIL_AT,  /* u64: or to anywhere */
	STEP_HEAD,     /* u16: the liar's head goes so far on */
	STEP_HEAD_AT,  /* u64 */
	STEP_FLAGS,    /* u8: sleeping, wants_room */
	STEP_SCRIBBLE, /* u16, u8, bytes: into the indices, ours as well */
	STEP_WRITE,    /* u16, u8, bytes: into its area */
	STEP_FRAME,    /* u8, u16: a good frame of this kind and length */
	STEP_PUBLISH,  /* the liar publishes what it has put */
	STEP_TAKE,     /* u8: we take up to so many frames */
	STEP_PEEK,     /* we look, the liar writes over it, we step over it */
	STEP_PUT,      /* u16: we send a frame */
	STEP_SLEEP,    /* u8: we go to sleep, perhaps for room, perhaps paused */
	STEP_COUNT
};

static bool is_dropped;

static int look(struct frame *header, const uint8_t **body)
{
	struct cell_error err = { .code = 0 };
	int r = ring_peek(&ours, header, body, &err);

	if (r < 0) {
		MUST(r == -EPROTO && err.code == r && *err.text);
		is_dropped = true;
	} else if (r == 0) {
		MUST(frame_check_all(header, NULL) == 0);
		MUST(*body >= ours.rx && *body + header->length <= ours.rx + 2 * RING_SIZE);
		MUST(ours.rx_tail_seen - ours.rx_head <= RING_SIZE);
		MUST(frame_ring_size(header->length) <= ours.rx_tail_seen - ours.rx_head);
	} else {
		MUST(r == RING_EMPTY);
	}
	return r;
}

static void take(unsigned n)
{
	volatile uint8_t sink = 0;
	struct frame header;
	const uint8_t *body;

	while (n-- > 0 && look(&header, &body) == 0) {
		for (uint32_t i = 0; i < header.length; i++)
			sink = (uint8_t)(sink ^ body[i]);
		ring_consume(&ours, &header);
		(void)ring_release(&ours);
	}
	MUST(ours.rx_head <= ours.rx_tail_seen);
}

static void put(size_t length)
{
	struct frame header = { .kind = FRAME_ITEM,
				.call_id = 1,
				.length = (uint32_t)length };
	bool is_broken;
	uint8_t *at = ring_reserve(&ours, length, &is_broken);
	size_t room;

	if (!at) {
		is_dropped |= is_broken;
		return;
	}
	MUST(!is_broken);
	MUST(at >= ours.tx && at + frame_ring_size(length) <= ours.tx + 2 * RING_SIZE);
	frame_encode(&header, at);
	memset(at + FRAME_HEADER_SIZE, 'x', length);
	ring_commit(&ours, length);
	(void)ring_publish(&ours);
	room = ring_room(&ours, &is_broken);
	MUST(room <= RING_SIZE);
	is_dropped |= is_broken;
}

static void put_as_liar(uint8_t kind, size_t length)
{
	struct frame header = {
		.kind = kind, .call_id = 1, .code = 1, .length = (uint32_t)length
	};

	/* It need not mind whether there is room. */
	frame_encode(&header, liar.tx + (liar.tx_tail & RING_MASK));
	ring_commit(&liar, length);
}

static void sleep_or_not(uint8_t how)
{
	ring_pause(&ours, how & 2);
	(void)ring_release(&ours);
	(void)ring_sleep(&ours, how & 1);
	ring_awake(&ours);
	ring_pause(&ours, false);
	(void)ring_peer_cpu(&ours);
	ring_set_cpu(&ours, how);
	MUST(ring_peer_head(&ours) <= ours.tx_published);
}

static void run_step(enum step step, struct cell_reader *script)
{
	struct frame header;
	const uint8_t *body, *bytes;
	size_t at, len;
	uint8_t kind;

	switch (step) {
	case STEP_TAIL:
		liar.tx_tail += cell_read_u16(script);
		atomic_store(&liar.own->tail, liar.tx_tail);
		break;
	case STEP_TAIL_AT: atomic_store(&liar.own->tail, cell_read_u64(script)); break;
	case STEP_HEAD:
		liar.rx_head += cell_read_u16(script);
		atomic_store(&liar.own->head, liar.rx_head);
		break;
	case STEP_HEAD_AT: atomic_store(&liar.own->head, cell_read_u64(script)); break;
	case STEP_FLAGS:
		len = cell_read_u8(script);
		atomic_store(&liar.own->sleeping, (uint32_t)len & 1);
		atomic_store(&liar.own->wants_room, (uint32_t)len >> 1);
		break;
	case STEP_SCRIBBLE:
	case STEP_WRITE:
		at = cell_read_u16(script);
		len = cell_read_u8(script);
		bytes = cell_read_bytes(script, len);
		if (bytes && step == STEP_WRITE)
			memcpy(liar.tx + at, bytes, len);
		else if (bytes && at + len <= 2 * sizeof *liar.own)
			memcpy((uint8_t *)(liar.own < liar.peer ? liar.own : liar.peer) + at,
			       bytes, len);
		break;
	case STEP_FRAME:
		kind = cell_read_u8(script);
		put_as_liar(kind, cell_read_u16(script) % (FRAME_BODY_MAX + 1));
		break;
	case STEP_PUBLISH: (void)ring_publish(&liar); break;
	case STEP_TAKE: take(cell_read_u8(script)); break;
	case STEP_PEEK:
		if (look(&header, &body) == 0) {
			memset(liar.tx + (ours.rx_head & RING_MASK), 0xff, FRAME_HEADER_SIZE);
			ring_consume(&ours, &header);
			MUST(ours.rx_head <= ours.rx_tail_seen);
		}
		break;
	case STEP_PUT: put(cell_read_u16(script) % (FRAME_BODY_MAX + 1)); break;
	case STEP_SLEEP: sleep_or_not(cell_read_u8(script)); break;
	case STEP_COUNT: break;
	}
}

static void start(void)
{
	if (!liar_fresh.page) {
		int memfd;

		MUST(ring_create(&memfd, NULL) == 0);
		MUST(ring_map(&liar_fresh, memfd, 0, NULL) == 0);
		MUST(ring_map(&ours_fresh, memfd, 1, NULL) == 0);
		(void)close(memfd);
	}
	liar = liar_fresh;
	ours = ours_fresh;
	is_dropped = false;
	memset(liar.tx, 0, RING_SIZE);
	memset((void *)liar.own, 0, sizeof *liar.own);
	memset((void *)liar.peer, 0, sizeof *liar.peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cell_reader script = cell_reader(data, size);

	start();
	while (!is_dropped && script.at < script.end && !script.failed)
		run_step(cell_read_u8(&script) % STEP_COUNT, &script);
	return 0;
}
