#include "libcell/ring.h"

#include "quick_check.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct ring a, b; /* the two sides; where one lies, it is A */
static struct cell_error err;

static int memfd_with(size_t size, unsigned seals)
{
	int memfd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(memfd, 0);
	ck_assert_int_eq(ftruncate(memfd, (off_t)size), 0);
	if (seals)
		ck_assert_int_eq(fcntl(memfd, F_ADD_SEALS, seals), 0);
	return memfd;
}

static void setup(void)
{
	int memfd;

	memset(&err, 0, sizeof err);
	ck_assert_int_eq(ring_create(&memfd, &err), 0);
	ck_assert_int_eq(ring_map(&a, memfd, 0, &err), 0);
	ck_assert_int_eq(ring_map(&b, memfd, 1, &err), 0);
	ck_assert_int_eq(close(memfd), 0);
}

static void teardown(void)
{
	ring_unmap(&a);
	ring_unmap(&b);
	ring_unmap(&b);
}

/* A frame whose every byte can be told from its number. */
static bool put(struct ring *ring, uint64_t number, size_t length)
{
	struct frame header = { .kind = FRAME_REQUEST,
				.call_id = number + 1,
				.length = (uint32_t)length,
				.total = (uint32_t)length };
	bool is_broken;
	uint8_t *at = ring_reserve(ring, length, &is_broken);

	ck_assert(!is_broken);
	if (!at)
		return false;
	frame_encode(&header, at);
	memset(at + FRAME_HEADER_SIZE, (int)(number % 251), length);
	ring_commit(ring, length);
	return true;
}

static void put_all(struct ring *ring, uint64_t number, size_t length)
{
	ck_assert(put(ring, number, length));
	(void)ring_publish(ring);
}

/* Take the frame put as NUMBER; its length. */
static size_t take(struct ring *ring, uint64_t number)
{
	struct frame header;
	const uint8_t *body;
	unsigned wrong = 0;

	ck_assert_msg(ring_peek(ring, &header, &body, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(header.call_id, number + 1);
	for (size_t i = 0; i < header.length; i++)
		wrong += body[i] != (uint8_t)(number % 251);
	ck_assert_uint_eq(wrong, 0);
	ring_consume(ring, &header);
	return header.length;
}

static int peek(struct ring *ring)
{
	struct frame header;
	const uint8_t *body;

	return ring_peek(ring, &header, &body, &err);
}

/* ---- What may be mapped ------------------------------------------------------------ */

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static void refuses(int fd, int expected)
{
	struct ring ring;

	ck_assert_int_eq(ring_map(&ring, fd, 0, &err), expected);
	ck_assert_int_eq(err.code, expected);
	ring_unmap(&ring);
	if (fd >= 0)
		ck_assert_int_eq(close(fd), 0);
}

START_TEST(maps_only_a_sealed_memfd_of_the_right_size)
{
	char path[] = "/tmp/ring_test.XXXXXX";
	int file = mkstemp(path), ends[2];

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(ftruncate(file, RING_MEMFD_SIZE), 0);
	ck_assert_int_eq(pipe(ends), 0);
	refuses(file, -EPROTO);
	refuses(ends[0], -EPROTO);
	refuses(ends[1], -EPROTO);
	refuses(-1, -EPROTO);
	refuses(memfd_with(RING_MEMFD_SIZE, 0), -EPROTO);
	refuses(memfd_with(RING_MEMFD_SIZE, F_SEAL_SHRINK | F_SEAL_GROW), -EPROTO);
	refuses(memfd_with(RING_MEMFD_SIZE, F_SEAL_SHRINK | F_SEAL_SEAL), -EPROTO);
	refuses(memfd_with(RING_MEMFD_SIZE, F_SEAL_GROW | F_SEAL_SEAL), -EPROTO);
	refuses(memfd_with(0, SEALS), -EPROTO);
	refuses(memfd_with(RING_MEMFD_SIZE - 1, SEALS), -EPROTO);
	refuses(memfd_with(RING_MEMFD_SIZE + 1, SEALS), -EPROTO);
	refuses(memfd_with(1 << 30, SEALS), -EPROTO);
	/* Sealed against writing it can't be mapped at all. */
	refuses(memfd_with(RING_MEMFD_SIZE, SEALS | F_SEAL_WRITE), -EPERM);
}
END_TEST

START_TEST(what_we_create_cannot_be_resized)
{
	int memfd;

	ck_assert_int_eq(ring_create(&memfd, &err), 0);
	ck_assert_int_lt(ftruncate(memfd, 0), 0);
	ck_assert_int_lt(ftruncate(memfd, 2 * RING_MEMFD_SIZE), 0);
	ck_assert_int_lt(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	ck_assert_int_eq(fcntl(memfd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(close(memfd), 0);
}
END_TEST

/* ---- Frames ------------------------------------------------------------------------ */

START_TEST(what_one_side_sends_the_other_gets)
{
	ck_assert_int_eq(peek(&b), RING_EMPTY);
	ck_assert(!ring_is_ready(&b));
	put_all(&a, 1, 100);
	put_all(&b, 2, 200);
	ck_assert(ring_is_ready(&b));
	ck_assert_uint_eq(take(&b, 1), 100);
	ck_assert_uint_eq(take(&a, 2), 200);
	ck_assert_int_eq(peek(&a), RING_EMPTY);
	ck_assert_int_eq(peek(&b), RING_EMPTY);
	ck_assert(!ring_is_ready(&b));
}
END_TEST

START_TEST(nothing_is_seen_before_it_is_published)
{
	bool is_broken;

	ck_assert_ptr_nonnull(ring_reserve(&a, 8, &is_broken));
	ck_assert_int_eq(peek(&b), RING_EMPTY);
	ck_assert(put(&a, 1, 8));
	ck_assert_int_eq(peek(&b), RING_EMPTY);
	(void)ring_publish(&a);
	(void)take(&b, 1);
}
END_TEST

START_TEST(reserving_again_gives_the_same_place)
{
	bool is_broken;
	uint8_t *at = ring_reserve(&a, 1000, &is_broken);

	ck_assert_ptr_eq(ring_reserve(&a, 10, &is_broken), at);
	put_all(&a, 1, 10); /* less than was reserved first */
	ck_assert_uint_eq(take(&b, 1), 10);
}
END_TEST

START_TEST(frames_are_whole_wherever_the_end_of_the_area_falls)
{
	for (uint64_t i = 0; i < 3000; i++) {
		size_t length = (size_t)(i * 7919 % (i % 9 ? 700 : FRAME_BODY_MAX + 1));

		put_all(&a, i, length);
		ck_assert_uint_eq(take(&b, i), length);
		(void)ring_release(&b);
	}
}
END_TEST

START_TEST(two_large_frames_and_small_ones_fit)
{
	bool is_broken;

	ck_assert(put(&a, 0, FRAME_BODY_MAX));
	ck_assert(put(&a, 1, 500));
	ck_assert(put(&a, 2, FRAME_BODY_MAX));
	ck_assert(put(&a, 3, 500));
	ck_assert(put(&a, 4, 500));
	ck_assert(!put(&a, 5, FRAME_BODY_MAX));
	(void)ring_publish(&a);
	ck_assert_ptr_null(ring_reserve(&a, FRAME_BODY_MAX, &is_broken));
	ck_assert(!is_broken);
	for (uint64_t i = 0; i < 5; i++)
		(void)take(&b, i);
	ck_assert(!put(&a, 5, FRAME_BODY_MAX));
	(void)ring_release(&b);
	ck_assert(put(&a, 5, FRAME_BODY_MAX));
}
END_TEST

START_TEST(room_is_what_can_be_reserved)
{
	bool is_broken;
	uint64_t n = 0;

	ck_assert_uint_eq(ring_room(&a, &is_broken), RING_SIZE);
	while (put(&a, n, 96))
		n++;
	ck_assert_uint_eq(n, RING_SIZE / 128);
	ck_assert_uint_eq(ring_room(&a, &is_broken), 0);
	(void)ring_publish(&a);
	(void)take(&b, 0);
	ck_assert_uint_eq(ring_room(&a, &is_broken), 0);
	(void)ring_release(&b);
	ck_assert_uint_eq(ring_room(&a, &is_broken), 128);
	ck_assert(!is_broken);
}
END_TEST

START_TEST(tells_which_frames_a_dead_peer_had_taken)
{
	uint64_t ends[3];

	for (uint64_t i = 0; i < 3; i++) {
		put_all(&a, i, 50);
		ends[i] = a.tx_tail;
	}
	(void)take(&b, 0);
	(void)take(&b, 1);
	(void)ring_release(&b);
	ck_assert_uint_ge(ring_peer_head(&a), ends[1]);
	ck_assert_uint_lt(ring_peer_head(&a), ends[2]);
	/* And a liar's head is within what it can have seen. */
	atomic_store(&b.own->head, UINT64_MAX);
	ck_assert_uint_eq(ring_peer_head(&a), ends[2]);
	ck_assert_ptr_nonnull(ring_reserve(&a, 8, &(bool){ false }));
	atomic_store(&b.own->head, 0);
	ck_assert_uint_le(ring_peer_head(&a), ends[2]);
}
END_TEST

START_TEST(each_side_tells_its_cpu)
{
	ck_assert_uint_eq(ring_peer_cpu(&a), UINT32_MAX);
	ring_set_cpu(&b, 0);
	ck_assert_uint_eq(ring_peer_cpu(&a), 0);
	ring_set_cpu(&b, 7);
	ck_assert_uint_eq(ring_peer_cpu(&a), 7);
	ck_assert_uint_eq(ring_peer_cpu(&b), UINT32_MAX);
}
END_TEST

/* ---- Sleeping ---------------------------------------------------------------------- */

START_TEST(a_sleeper_is_woken_once)
{
	ck_assert(put(&a, 0, 8));
	ck_assert(!ring_publish(&a)); /* nobody sleeps */
	(void)take(&b, 0);
	ck_assert(ring_sleep(&b, false));
	ck_assert(put(&a, 1, 8));
	ck_assert(ring_publish(&a));
	ck_assert(put(&a, 2, 8));
	ck_assert(!ring_publish(&a)); /* it is being woken */
	ring_awake(&b);
	(void)take(&b, 1);
	(void)take(&b, 2);
}
END_TEST

START_TEST(publishing_nothing_wakes_nobody)
{
	ck_assert(ring_sleep(&b, false));
	ck_assert(!ring_publish(&a));
	ck_assert(put(&a, 0, 8));
	ck_assert(ring_publish(&a));
	ck_assert(!ring_publish(&a));
}
END_TEST

START_TEST(the_flag_must_be_set_on_every_pass)
{
	ck_assert(ring_sleep(&b, false));
	put_all(&a, 0, 8); /* takes it down */
	(void)take(&b, 0);
	ck_assert(ring_sleep(&b, false));
	ck_assert(put(&a, 1, 8));
	ck_assert(ring_publish(&a));
}
END_TEST

START_TEST(who_is_awake_again_is_not_woken)
{
	ck_assert(ring_sleep(&b, true));
	ring_awake(&b);
	ck_assert(put(&a, 0, 8));
	ck_assert(!ring_publish(&a));
}
END_TEST

START_TEST(does_not_sleep_over_a_frame)
{
	put_all(&a, 0, 8);
	ck_assert(!ring_sleep(&b, false));
	ck_assert(put(&a, 1, 8));
	ck_assert(!ring_publish(&a)); /* the flag is down */
	(void)take(&b, 0);
	ck_assert(!ring_sleep(&b, false)); /* the second is there still */
	(void)take(&b, 1);
	ck_assert(ring_sleep(&b, false));
}
END_TEST

START_TEST(a_paused_consumer_sleeps_over_frames)
{
	put_all(&a, 0, 8);
	ring_pause(&b, true);
	ck_assert(ring_sleep(&b, false));
	ck_assert(ring_is_ready(&b));
	ring_pause(&b, false);
	ck_assert(!ring_sleep(&b, false));
}
END_TEST

static uint64_t fill(struct ring *ring, uint64_t number)
{
	while (put(ring, number, 96))
		number++;
	return number;
}

START_TEST(a_producer_is_woken_when_half_is_free)
{
	uint64_t n = fill(&a, 0), taken = 0;

	(void)ring_publish(&a);
	ck_assert(ring_sleep(&a, true));
	while (!ring_release(&b)) {
		ck_assert_uint_lt(taken, n);
		(void)take(&b, taken++);
	}
	ck_assert_uint_eq(taken, n / 2);
	ck_assert(put(&a, n, FRAME_BODY_MAX));
	while (taken < n) {
		(void)take(&b, taken++);
		ck_assert(!ring_release(&b)); /* it has been woken */
	}
}
END_TEST

START_TEST(a_producer_does_not_sleep_over_room)
{
	(void)fill(&a, 0);
	(void)ring_publish(&a);
	(void)take(&b, 0);
	(void)ring_release(&b);
	ck_assert(!ring_sleep(&a, true));
	ck_assert(put(&a, 1, 96));
	(void)ring_publish(&a);
	ck_assert(ring_sleep(&a, true));
}
END_TEST

/*
 * The producer's flag comes up when the consumer has looked already: it must be seen
 * before the consumer sleeps.
 */
START_TEST(a_consumer_does_not_sleep_over_a_waiting_producer)
{
	uint64_t n = fill(&a, 0);

	(void)ring_publish(&a);
	for (uint64_t i = 0; i < n; i++) {
		(void)take(&b, i);
		ck_assert(!ring_release(&b));
	}
	/* As if it had looked for room just before. */
	atomic_store(&a.own->wants_room, 1);
	atomic_store(&a.own->sleeping, 1);
	b.rx_looked = b.rx_released - 8;
	ck_assert(!ring_sleep(&b, false));
	ck_assert(ring_release(&b));
	ck_assert(ring_sleep(&b, false));
}
END_TEST

/* ---- A peer that lies -------------------------------------------------------------- */

START_TEST(refuses_tails_that_make_no_sense)
{
	static const uint64_t tails[] = {
		1,
		7,
		8,
		24,
		31,
		33,
		RING_SIZE + 8,
		1ull << 32,
		1ull << 63,
		UINT64_MAX,
		UINT64_MAX - 7,
	};

	for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
		teardown();
		setup();
		atomic_store(&a.own->tail, tails[i]);
		ck_assert(ring_is_ready(&b));
		ck_assert_int_eq(peek(&b), -EPROTO);
		ck_assert_ptr_nonnull(strstr(err.text, "tail"));
	}
}
END_TEST

START_TEST(refuses_a_tail_that_goes_back)
{
	put_all(&a, 0, 8);
	put_all(&a, 1, 8);
	(void)take(&b, 0);
	(void)take(&b, 1);
	atomic_store(&a.own->tail, 40);
	ck_assert_int_eq(peek(&b), -EPROTO);
}
END_TEST

START_TEST(refuses_a_frame_beyond_what_is_published)
{
	struct frame header = { .kind = FRAME_REQUEST, .call_id = 1, .length = 9 };
	bool is_broken;
	uint8_t *at = ring_reserve(&a, 9, &is_broken);

	frame_encode(&header, at);
	ring_commit(&a, 8);
	(void)ring_publish(&a);
	ck_assert_int_eq(peek(&b), -EPROTO);
	ck_assert_ptr_nonnull(strstr(err.text, "request frame of 9 bytes, 40 published"));
}
END_TEST

START_TEST(refuses_heads_that_make_no_sense)
{
	static const uint64_t heads[] = { 1,          8 + 136,    4,
					  UINT64_MAX, 1ull << 63, RING_SIZE + 136 };
	bool is_broken;

	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		teardown();
		setup();
		put_all(&a, 0, 104); /* 136 bytes */
		atomic_store(&b.own->head, heads[i]);
		ck_assert_uint_eq(ring_room(&a, &is_broken), 0);
		ck_assert(is_broken);
		/* And whoever reserves until it is full learns of it then. */
		while (ring_reserve(&a, 1000, &is_broken))
			ring_commit(&a, 1000);
		ck_assert(is_broken);
	}
}
END_TEST

START_TEST(refuses_a_head_that_goes_back)
{
	bool is_broken;

	put_all(&a, 0, 104);
	atomic_store(&b.own->head, 136);
	ck_assert_uint_eq(ring_room(&a, &is_broken), RING_SIZE);
	atomic_store(&b.own->head, 128);
	ck_assert_uint_eq(ring_room(&a, &is_broken), 0);
	ck_assert(is_broken);
}
END_TEST

/* What B does with whatever A made of the memory: never a frame that is not within it. */
static void use_all(void)
{
	struct frame header;
	const uint8_t *body;
	bool is_broken;

	for (unsigned i = 0; i < 10; i++) {
		int r = ring_peek(&b, &header, &body, &err);

		if (r) {
			ck_assert(r == RING_EMPTY || r == -EPROTO);
			break;
		}
		if (header.length > FRAME_BODY_MAX || frame_check_all(&header, NULL) < 0 ||
		    body < b.rx || body + header.length > b.rx + 2 * RING_SIZE)
			ck_abort_msg("a frame of %u bytes", header.length);
		ring_consume(&b, &header);
		(void)ring_release(&b);
	}
	(void)ring_room(&b, &is_broken);
	if (ring_reserve(&b, FRAME_BODY_MAX, &is_broken))
		ring_commit(&b, FRAME_BODY_MAX);
	(void)ring_publish(&b);
	(void)ring_sleep(&b, true);
	ring_awake(&b);
	ck_assert_uint_le(ring_peer_head(&b), b.tx_published);
	(void)ring_peer_cpu(&b);
}

START_TEST(survives_every_value_of_every_index_byte)
{
	size_t size = sizeof(struct ring_side_shared);

	for (size_t at = 0; at < size; at++) {
		for (unsigned value = 0; value < 256; value += at % RING_LINE < 16 ? 1 : 51) {
			struct ring fresh = b;

			put_all(&a, 0, 8);
			((uint8_t *)a.own)[at] = (uint8_t)value;
			use_all();
			/* Both sides as they were. */
			memset((void *)a.own, 0, size);
			memset((void *)a.peer, 0, size);
			b = fresh;
			a.tx_tail = a.tx_published = a.tx_head_seen = 0;
		}
	}
}
END_TEST

START_TEST(survives_every_value_of_every_header_byte)
{
	for (size_t at = 0; at < FRAME_HEADER_SIZE; at++) {
		for (unsigned value = 0; value < 256; value++) {
			struct ring fresh = b;

			put_all(&a, 0, 8);
			put_all(&a, 1, 8);
			a.tx[at] = (uint8_t)value;
			use_all();
			memset((void *)a.own, 0, sizeof(struct ring_side_shared));
			memset((void *)a.peer, 0, sizeof(struct ring_side_shared));
			b = fresh;
			a.tx_tail = a.tx_published = a.tx_head_seen = 0;
		}
	}
}
END_TEST

/* The header is copied before it is looked at: later scribbling changes nothing. */
START_TEST(a_header_cannot_change_under_us)
{
	struct frame header;
	const uint8_t *body;

	put_all(&a, 0, 8);
	ck_assert_int_eq(ring_peek(&b, &header, &body, &err), 0);
	memset(a.tx, 0xff, FRAME_HEADER_SIZE);
	ck_assert_uint_eq(header.length, 8);
	ring_consume(&b, &header);
	ck_assert_int_eq(peek(&b), RING_EMPTY);
}
END_TEST

/* ---- Two threads ------------------------------------------------------------------- */

#define STRESS_FRAMES   150000
#define PING_PONGS      200000
#define STRESS_LIMIT_MS 20000

static int bells[2];

static void bell_ring(int bell)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(bell, &one, sizeof one), sizeof one);
}

/* Sleep until the bell rings; a lost wake-up shows as a time-out. */
static void bell_wait(int bell)
{
	struct pollfd poll_bell = { .fd = bell, .events = POLLIN };
	uint64_t count;

	if (poll(&poll_bell, 1, STRESS_LIMIT_MS) != 1)
		ck_abort_msg("a wake-up was lost");
	ck_assert_int_eq(read(bell, &count, sizeof count), sizeof count);
}

static size_t stress_length(uint64_t i)
{
	uint64_t x = i * 0x9e3779b97f4a7c15u;

	return (size_t)(x >> 32) % (i % 61 == 0      ? FRAME_BODY_MAX + 1
				    : i % 1000 < 500 ? 40
						     : 400);
}

/*
 * Both threads run this: send and check what comes, publishing and releasing as a loop
 * does, sleeping whenever there is nothing to do.
 */
static void exchange(struct ring *ring, int own_bell, int peer_bell)
{
	uint64_t sent = 0, got = 0;

	while (sent < STRESS_FRAMES || got < STRESS_FRAMES) {
		bool wants_room = false, worked = false;

		for (unsigned i = 0; i < 64 && got < STRESS_FRAMES && ring_is_ready(ring);
		     i++) {
			struct frame header;
			const uint8_t *body;
			int r = ring_peek(ring, &header, &body, &err);

			if (r < 0 || header.call_id != got + 1 ||
			    header.length != stress_length(got) ||
			    (header.length &&
			     (body[0] != (uint8_t)(got % 251) ||
			      body[header.length - 1] != (uint8_t)(got % 251))))
				ck_abort_msg("frame %llu: %s", (unsigned long long)got,
					     err.text);
			ring_consume(ring, &header);
			if (ring_release(ring))
				bell_ring(peer_bell);
			got++;
			worked = true;
		}
		for (unsigned i = 0; i < 1 + sent % 100 && sent < STRESS_FRAMES; i++) {
			struct frame header = { .kind = FRAME_ITEM, .call_id = sent + 1 };
			size_t length = stress_length(sent);
			bool is_broken;
			uint8_t *at = ring_reserve(ring, length, &is_broken);

			if (is_broken)
				ck_abort_msg("broken");
			wants_room = !at;
			if (!at)
				break;
			header.length = header.total = (uint32_t)length;
			frame_encode(&header, at);
			memset(at + FRAME_HEADER_SIZE, (int)(sent % 251), length);
			ring_commit(ring, length);
			sent++;
			worked = true;
		}
		if (ring_publish(ring))
			bell_ring(peer_bell);
		if (worked)
			continue;
		if (ring_release(ring))
			bell_ring(peer_bell);
		if (ring_sleep(ring, wants_room))
			bell_wait(own_bell);
		ring_awake(ring);
	}
}

/*
 * One frame back and forth. Who waits polls for a while, a little longer each time, so that
 * it falls asleep at every moment of the other's publishing.
 */
static void ping_pong(struct ring *ring, int own_bell, int peer_bell, bool serves)
{
	for (uint64_t i = 0; i < PING_PONGS; i++) {
		if (!serves || i > 0) {
			ck_assert(put(ring, i, 0));
			if (ring_publish(ring))
				bell_ring(peer_bell);
		}
		for (uint64_t polls = 0; !ring_is_ready(ring); polls++) {
			if (polls < i * 7 % 1024)
				continue;
			if (ring_sleep(ring, false))
				bell_wait(own_bell);
			ring_awake(ring);
		}
		while (ring_is_ready(ring)) {
			struct frame header;
			const uint8_t *body;

			ck_assert_int_eq(ring_peek(ring, &header, &body, &err), 0);
			ring_consume(ring, &header);
			(void)ring_release(ring);
		}
	}
	if (serves && put(ring, 0, 0) && ring_publish(ring))
		bell_ring(peer_bell);
}

static void *other_side(void *is_ping_pong)
{
	if (is_ping_pong)
		ping_pong(&b, bells[1], bells[0], true);
	else
		exchange(&b, bells[1], bells[0]);
	return NULL;
}

static void in_two_threads(bool is_ping_pong)
{
	pthread_t thread;

	bells[0] = eventfd(0, EFD_CLOEXEC);
	bells[1] = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_eq(pthread_create(&thread, NULL, other_side, is_ping_pong ? &a : NULL),
			 0);
	if (is_ping_pong)
		ping_pong(&a, bells[0], bells[1], false);
	else
		exchange(&a, bells[0], bells[1]);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(close(bells[0]) | close(bells[1]), 0);
}

START_TEST(two_threads_lose_nothing)
{
	in_two_threads(false);
}
END_TEST

START_TEST(two_threads_lose_no_wake_up)
{
	in_two_threads(true);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *tc = tcase_create("ring");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, maps_only_a_sealed_memfd_of_the_right_size);
	tcase_add_test(tc, what_we_create_cannot_be_resized);
	tcase_add_test(tc, what_one_side_sends_the_other_gets);
	tcase_add_test(tc, nothing_is_seen_before_it_is_published);
	tcase_add_test(tc, reserving_again_gives_the_same_place);
	tcase_add_test(tc, frames_are_whole_wherever_the_end_of_the_area_falls);
	tcase_add_test(tc, two_large_frames_and_small_ones_fit);
	tcase_add_test(tc, room_is_what_can_be_reserved);
	tcase_add_test(tc, tells_which_frames_a_dead_peer_had_taken);
	tcase_add_test(tc, each_side_tells_its_cpu);
	tcase_add_test(tc, a_sleeper_is_woken_once);
	tcase_add_test(tc, publishing_nothing_wakes_nobody);
	tcase_add_test(tc, the_flag_must_be_set_on_every_pass);
	tcase_add_test(tc, who_is_awake_again_is_not_woken);
	tcase_add_test(tc, does_not_sleep_over_a_frame);
	tcase_add_test(tc, a_paused_consumer_sleeps_over_frames);
	tcase_add_test(tc, a_producer_is_woken_when_half_is_free);
	tcase_add_test(tc, a_producer_does_not_sleep_over_room);
	tcase_add_test(tc, a_consumer_does_not_sleep_over_a_waiting_producer);
	tcase_add_test(tc, refuses_tails_that_make_no_sense);
	tcase_add_test(tc, refuses_a_tail_that_goes_back);
	tcase_add_test(tc, refuses_a_frame_beyond_what_is_published);
	tcase_add_test(tc, refuses_heads_that_make_no_sense);
	tcase_add_test(tc, refuses_a_head_that_goes_back);
	tcase_add_test(tc, survives_every_value_of_every_index_byte);
	tcase_add_test(tc, survives_every_value_of_every_header_byte);
	tcase_add_test(tc, a_header_cannot_change_under_us);
	tcase_add_test(tc, two_threads_lose_nothing);
	tcase_add_test(tc, two_threads_lose_no_wake_up);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
