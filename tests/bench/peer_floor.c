/*
 * What this machine charges before any transport is built on it: a cache line between
 * two processes, an eventfd each way, one ring one way, the codec alone.
 */
#include "bench.h"
#include "codec.h"
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ONE_WAY_BYTES (64 - sizeof(struct link_frame))
#define ONE_WAY_TURN  16 /* frames per publication */

/* ---- A cache line ---------------------------------------------------------------- */

struct lines {
	_Alignas(64) _Atomic uint64_t request;
	_Alignas(64) _Atomic uint64_t reply;
};

static void lines_prepare(struct bench_pair *pair)
{
	pair->state = mmap(NULL, sizeof(struct lines), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pair->state == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
}

static void lines_serve(struct bench_pair *pair)
{
	struct lines *lines = pair->state;
	uint64_t last = 0;

	bench_ready(pair);
	for (;;) {
		uint64_t number;

		while ((number = atomic_load_explicit(&lines->request,
						      memory_order_acquire)) == last)
			link_relax();
		atomic_store_explicit(&lines->reply, number, memory_order_release);
		last = number;
	}
}

static void lines_call(struct bench_pair *pair, uint64_t number)
{
	struct lines *lines = pair->state;

	atomic_store_explicit(&lines->request, number, memory_order_release);
	while (atomic_load_explicit(&lines->reply, memory_order_acquire) != number)
		link_relax();
}

/* ---- An eventfd each way --------------------------------------------------------- */

static void events_prepare(struct bench_pair *pair)
{
	struct link_pair *events = malloc(sizeof *events);

	if (!events)
		bench_die("no memory");
	link_pair_init(events);
	pair->state = events;
}

static void event_wait(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof count) != sizeof count)
		bench_die("reading an eventfd: %s", strerror(errno));
}

static void event_ring(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof one) != sizeof one)
		bench_die("writing an eventfd: %s", strerror(errno));
}

static void events_serve(struct bench_pair *pair)
{
	const struct link_pair *events = pair->state;

	bench_ready(pair);
	for (;;) {
		event_wait(events->bells[1]);
		event_ring(events->bells[0]);
	}
}

static void events_call(struct bench_pair *pair, uint64_t number)
{
	const struct link_pair *events = pair->state;

	(void)number;
	event_ring(events->bells[1]);
	event_wait(events->bells[0]);
}

/* ---- One ring, one way ----------------------------------------------------------- */

struct one_way {
	struct link_pair pair;
	struct link link;
};

static void one_way_prepare(struct bench_pair *pair)
{
	struct one_way *peer = calloc(1, sizeof *peer);

	if (!peer)
		bench_die("no memory");
	link_pair_init(&peer->pair);
	pair->state = peer;
}

static void one_way_serve(struct bench_pair *pair)
{
	struct one_way *peer = pair->state;
	struct link *link = &peer->link;
	const struct link_frame *frame;
	uint64_t sum = 0;

	link_open(link, &peer->pair, true, LINK_SPIN);
	bench_ready(pair);
	for (;;) {
		link_await(link);
		for (int i = 0; i < ONE_WAY_TURN && (frame = link_peek(link)); i++) {
			sum += frame->id;
			link_release(link, frame);
		}
		link_flush(link);
		/* The sum is what a consumer does with a message; it must not be left out. */
		__asm__ volatile("" : : "r"(sum));
	}
}

static void one_way_connect(struct bench_pair *pair)
{
	struct one_way *peer = pair->state;

	link_open(&peer->link, &peer->pair, false, LINK_SPIN);
}

static void one_way_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	struct one_way *peer = pair->state;
	struct link *link = &peer->link;

	for (size_t i = 0; i < n_calls; i++) {
		uint8_t *room = link_reserve(link, ONE_WAY_BYTES);

		memset(room, (int)i, ONE_WAY_BYTES);
		link_commit(link, ONE_WAY_BYTES, CODEC_ECHO, false, first + i);
		if (i % ONE_WAY_TURN == ONE_WAY_TURN - 1)
			link_flush(link);
	}
	link_flush(link);
	while (!link_is_drained(link))
		link_relax();
}

/* ---- The codec alone ------------------------------------------------------------- */

static void codec_serve_nobody(struct bench_pair *pair)
{
	bench_ready(pair);
	for (;;)
		(void)pause();
}

static void codec_connect(struct bench_pair *pair)
{
	struct codec *codec = malloc(sizeof *codec);

	if (!codec)
		bench_die("no memory");
	if (pair->variant->mode)
		codec_init(codec);
	else
		codec_init_malloc(codec);
	pair->state = codec;
}

/* Both messages are packed and unpacked, in one process. */
static void codec_call(struct bench_pair *pair, uint64_t number)
{
	struct codec *codec = pair->state;
	uint8_t request[CODEC_MESSAGE_MAX];
	uint8_t reply[CODEC_MESSAGE_MAX];
	size_t n = codec_request(request, number);

	n = codec_serve(codec, CODEC_ECHO, request, n, reply);
	codec_check_reply(codec, reply, n, number);
}

static void nothing(struct bench_pair *pair)
{
	(void)pair;
}

static const struct bench_variant variants[] = {
	{ .name = "cache-line",
	  .prepare = lines_prepare,
	  .serve = lines_serve,
	  .connect = nothing,
	  .call = lines_call },
	{ .name = "eventfd",
	  .prepare = events_prepare,
	  .serve = events_serve,
	  .connect = nothing,
	  .call = events_call },
	{ .name = "ring-one-way",
	  .prepare = one_way_prepare,
	  .serve = one_way_serve,
	  .connect = one_way_connect,
	  .pipeline = one_way_pipeline },
	{ .name = "codec-malloc",
	  .mode = 0,
	  .serve = codec_serve_nobody,
	  .connect = codec_connect,
	  .call = codec_call },
	{ .name = "codec-arena",
	  .mode = 1,
	  .serve = codec_serve_nobody,
	  .connect = codec_connect,
	  .call = codec_call },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
