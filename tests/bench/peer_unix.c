/*
 * A Unix stream socket with protobuf-c and an arena, blocking: what one writes without
 * any library. Pipelined, 128 requests leave in one write, and so do their replies.
 */
#include "bench.h"
#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (CODEC_BLOB_MAX + 65536)

struct frame {
	uint32_t length;
	uint32_t method;
};

struct unix_peer {
	int fds[2]; /* client, server */
	struct codec codec;
	uint8_t *in;
	size_t in_start;
	size_t in_end;
	uint8_t *out;
	size_t out_end;
};

static void unix_prepare(struct bench_pair *pair)
{
	struct unix_peer *peer = calloc(1, sizeof *peer);

	if (!peer || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, peer->fds) < 0)
		bench_die("socketpair: %s", strerror(errno));
	codec_init(&peer->codec);
	peer->in = malloc(BUFFER_BYTES);
	peer->out = malloc(BUFFER_BYTES);
	if (!peer->in || !peer->out)
		bench_die("no memory for buffers");
	pair->state = peer;
}

static void unix_connect(struct bench_pair *pair)
{
	(void)pair;
}

/* Room for a frame's body in the output; it counts once frame_end() has its length. */
static uint8_t *frame_begin(struct unix_peer *peer)
{
	return peer->out + peer->out_end + sizeof(struct frame);
}

static void frame_end(struct unix_peer *peer, size_t length, enum codec_method method)
{
	struct frame frame = { (uint32_t)length, method };

	memcpy(peer->out + peer->out_end, &frame, sizeof frame);
	peer->out_end += sizeof frame + length;
}

static void out_write(struct unix_peer *peer, int fd)
{
	size_t done = 0;

	while (done < peer->out_end) {
		ssize_t n = write(fd, peer->out + done, peer->out_end - done);

		if (n < 0)
			bench_die("write: %s", strerror(errno));
		done += (size_t)n;
	}
	peer->out_end = 0;
}

/* The next whole frame of the input, or NULL if more has to be read first. */
static const uint8_t *in_next(struct unix_peer *peer, struct frame *ret_frame)
{
	size_t have = peer->in_end - peer->in_start;
	const uint8_t *bytes = peer->in + peer->in_start;

	if (have < sizeof *ret_frame)
		return NULL;
	memcpy(ret_frame, bytes, sizeof *ret_frame);
	if (ret_frame->length > CODEC_BLOB_MAX)
		bench_die("a frame of %u bytes", ret_frame->length);
	if (have < sizeof *ret_frame + ret_frame->length)
		return NULL;
	peer->in_start += sizeof *ret_frame + ret_frame->length;
	return bytes + sizeof *ret_frame;
}

/* What is left of a frame moves to the front: at most once per read. */
static void in_read(struct unix_peer *peer, int fd)
{
	ssize_t n;

	if (peer->in_start > 0) {
		peer->in_end -= peer->in_start;
		memmove(peer->in, peer->in + peer->in_start, peer->in_end);
		peer->in_start = 0;
	}
	n = read(fd, peer->in + peer->in_end, BUFFER_BYTES - peer->in_end);
	if (n <= 0)
		bench_die("read: %s", n < 0 ? strerror(errno) : "the peer is gone");
	peer->in_end += (size_t)n;
}

static const uint8_t *in_await(struct unix_peer *peer, int fd, struct frame *ret_frame)
{
	const uint8_t *bytes;

	while (!(bytes = in_next(peer, ret_frame)))
		in_read(peer, fd);
	return bytes;
}

static void unix_serve(struct bench_pair *pair)
{
	struct unix_peer *peer = pair->state;
	int fd = peer->fds[1];

	bench_ready(pair);
	for (;;) {
		struct frame frame;
		const uint8_t *bytes = in_await(peer, fd, &frame);

		do {
			size_t n = codec_serve(&peer->codec, (enum codec_method)frame.method,
					       bytes, frame.length, frame_begin(peer));
			frame_end(peer, n, (enum codec_method)frame.method);
		} while ((bytes = in_next(peer, &frame)));
		out_write(peer, fd);
	}
}

static void request_put(struct unix_peer *peer, uint64_t number)
{
	frame_end(peer, codec_request(frame_begin(peer), number), CODEC_ECHO);
}

static void reply_take(struct unix_peer *peer, uint64_t number)
{
	struct frame frame;
	const uint8_t *bytes = in_await(peer, peer->fds[0], &frame);

	codec_check_reply(&peer->codec, bytes, frame.length, number);
}

static void unix_call(struct bench_pair *pair, uint64_t number)
{
	struct unix_peer *peer = pair->state;

	request_put(peer, number);
	out_write(peer, peer->fds[0]);
	reply_take(peer, number);
}

static void unix_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	struct unix_peer *peer = pair->state;

	for (size_t done = 0; done < n_calls; done += BENCH_WINDOW) {
		for (size_t i = 0; i < BENCH_WINDOW; i++)
			request_put(peer, first + done + i);
		out_write(peer, peer->fds[0]);
		for (size_t i = 0; i < BENCH_WINDOW; i++)
			reply_take(peer, first + done + i);
	}
}

static void unix_store(struct bench_pair *pair, const uint8_t *data, size_t size)
{
	struct unix_peer *peer = pair->state;
	const uint8_t *bytes;
	struct frame frame;

	frame_end(peer, codec_blob(frame_begin(peer), data, size), CODEC_STORE);
	out_write(peer, peer->fds[0]);
	bytes = in_await(peer, peer->fds[0], &frame);
	codec_check_stored(&peer->codec, bytes, frame.length, size);
}

static const struct bench_variant variants[] = {
	{ .name = "unix",
	  .prepare = unix_prepare,
	  .serve = unix_serve,
	  .connect = unix_connect,
	  .call = unix_call,
	  .pipeline = unix_pipeline,
	  .store = unix_store },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
