/*
 * ZeroMQ over its ipc transport: REQ to REP, one call at a time; and DEALER to ROUTER,
 * which may have many outstanding.
 */
#include "bench.h"
#include "codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum {
	REQ_REP,
	DEALER_ROUTER,
};

struct zmq_peer {
	void *socket;
	struct codec codec;
	char url[128];
};

static void check(int result, const char *what)
{
	if (result < 0)
		bench_die("%s: %s", what, zmq_strerror(zmq_errno()));
}

static void zmq_peer_prepare(struct bench_pair *pair)
{
	struct zmq_peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		bench_die("no memory");
	(void)snprintf(peer->url, sizeof peer->url, "ipc://%s/zmq", pair->dir);
	codec_init(&peer->codec);
	pair->state = peer;
}

static void socket_open(struct zmq_peer *peer, int type)
{
	void *context = zmq_ctx_new();

	peer->socket = context ? zmq_socket(context, type) : NULL;
	if (!peer->socket)
		bench_die("zmq_socket: %s", zmq_strerror(zmq_errno()));
}

/* A body is the method in one byte, then the packed message. */
static void body_send(struct zmq_peer *peer, enum codec_method method, const uint8_t *bytes,
		      size_t n)
{
	zmq_msg_t message;
	uint8_t *body;

	check(zmq_msg_init_size(&message, 1 + n), "zmq_msg_init_size");
	body = zmq_msg_data(&message);
	body[0] = (uint8_t)method;
	memcpy(body + 1, bytes, n);
	check(zmq_msg_send(&message, peer->socket, 0), "zmq_msg_send");
}

/* False if FLAGS say not to wait and there is nothing. The caller closes MESSAGE. */
static bool body_receive(struct zmq_peer *peer, int flags, zmq_msg_t *message)
{
	check(zmq_msg_init(message), "zmq_msg_init");
	if (zmq_msg_recv(message, peer->socket, flags) < 0) {
		if (zmq_errno() == EAGAIN)
			return false;
		check(-1, "zmq_msg_recv");
	}
	if (zmq_msg_size(message) < 1)
		bench_die("an empty message");
	return true;
}

static void zmq_peer_serve(struct bench_pair *pair)
{
	struct zmq_peer *peer = pair->state;
	bool is_router = pair->variant->mode == DEALER_ROUTER;

	socket_open(peer, is_router ? ZMQ_ROUTER : ZMQ_REP);
	check(zmq_bind(peer->socket, peer->url), "zmq_bind");
	bench_ready(pair);
	for (;;) {
		uint8_t out[CODEC_MESSAGE_MAX];
		enum codec_method method;
		zmq_msg_t sender;
		zmq_msg_t request;
		uint8_t *body;
		size_t n;

		/* A router gets, and wants back, the sender's identity before each body. */
		if (is_router)
			(void)body_receive(peer, 0, &sender);
		(void)body_receive(peer, 0, &request);
		body = zmq_msg_data(&request);
		method = (enum codec_method)body[0];
		n = codec_serve(&peer->codec, method, body + 1, zmq_msg_size(&request) - 1,
				out);
		(void)zmq_msg_close(&request);
		if (is_router)
			check(zmq_msg_send(&sender, peer->socket, ZMQ_SNDMORE),
			      "zmq_msg_send");
		body_send(peer, method, out, n);
	}
}

static void zmq_peer_connect(struct bench_pair *pair)
{
	struct zmq_peer *peer = pair->state;

	socket_open(peer, pair->variant->mode == DEALER_ROUTER ? ZMQ_DEALER : ZMQ_REQ);
	check(zmq_connect(peer->socket, peer->url), "zmq_connect");
}

static void request_send(struct zmq_peer *peer, uint64_t number)
{
	uint8_t bytes[CODEC_MESSAGE_MAX];
	size_t n = codec_request(bytes, number);

	body_send(peer, CODEC_ECHO, bytes, n);
}

static bool reply_receive(struct zmq_peer *peer, int flags, uint64_t number)
{
	zmq_msg_t reply;

	if (!body_receive(peer, flags, &reply))
		return false;
	codec_check_reply(&peer->codec, (uint8_t *)zmq_msg_data(&reply) + 1,
			  zmq_msg_size(&reply) - 1, number);
	(void)zmq_msg_close(&reply);
	return true;
}

static void zmq_peer_call(struct bench_pair *pair, uint64_t number)
{
	struct zmq_peer *peer = pair->state;

	request_send(peer, number);
	(void)reply_receive(peer, 0, number);
}

static void zmq_peer_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	struct zmq_peer *peer = pair->state;
	size_t sent = 0;
	size_t answered = 0;

	while (answered < n_calls) {
		if (sent - answered <= BENCH_WINDOW / 2)
			while (sent < n_calls && sent - answered < BENCH_WINDOW)
				request_send(peer, first + sent++);
		(void)reply_receive(peer, 0, first + answered++);
		while (answered < sent && reply_receive(peer, ZMQ_DONTWAIT, first + answered))
			answered++;
	}
}

static void body_free(void *body, void *unused)
{
	(void)unused;
	free(body);
}

static void zmq_peer_store(struct bench_pair *pair, const uint8_t *data, size_t size)
{
	struct zmq_peer *peer = pair->state;
	uint8_t *body = malloc(1 + CODEC_BLOB_MAX);
	zmq_msg_t message;
	size_t n;

	if (!body)
		bench_die("no memory for a blob");
	body[0] = CODEC_STORE;
	n = codec_blob(body + 1, data, size);
	check(zmq_msg_init_data(&message, body, 1 + n, body_free, NULL), "zmq_msg_init_data");
	check(zmq_msg_send(&message, peer->socket, 0), "zmq_msg_send");
	(void)body_receive(peer, 0, &message);
	codec_check_stored(&peer->codec, (uint8_t *)zmq_msg_data(&message) + 1,
			   zmq_msg_size(&message) - 1, size);
	(void)zmq_msg_close(&message);
}

static const struct bench_variant variants[] = {
	{ "zmq-req-rep", REQ_REP, zmq_peer_prepare, zmq_peer_serve, zmq_peer_connect,
	  zmq_peer_call, NULL, zmq_peer_store },
	{ "zmq-dealer-router", DEALER_ROUTER, zmq_peer_prepare, zmq_peer_serve,
	  zmq_peer_connect, zmq_peer_call, zmq_peer_pipeline, zmq_peer_store },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
