/*
 * nng's request-reply protocol over its ipc transport. One call at a time goes through
 * the socket; 128 at once need a context each, driven by nng's own threads.
 */
#include "bench.h"
#include "codec.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RECEIVE_MAX (CODEC_BLOB_MAX + 4096) /* nng's default is 1 MiB */

/* One call at a time, on either side. */
struct slot {
	nng_ctx context;
	nng_aio *aio;
	bool is_receiving;
	struct codec codec;
	struct nng_peer *peer;
	uint64_t number;
};

struct nng_peer {
	nng_socket socket;
	struct codec codec;
	struct slot slots[BENCH_WINDOW];
	char url[128];

	/* The pipelined phase. */
	uint64_t first;
	size_t n_calls;
	_Atomic size_t started;
	size_t finished;
	pthread_mutex_t lock;
	pthread_cond_t done;
};

static void check(int error, const char *what)
{
	if (error)
		bench_die("%s: %s", what, nng_strerror(error));
}

static void nng_prepare(struct bench_pair *pair)
{
	struct nng_peer *peer = calloc(1, sizeof *peer);

	if (!peer)
		bench_die("no memory");
	(void)snprintf(peer->url, sizeof peer->url, "ipc://%s/nng", pair->dir);
	pair->state = peer;
}

static void slots_init(struct nng_peer *peer, void (*on_event)(void *))
{
	for (size_t i = 0; i < BENCH_WINDOW; i++) {
		struct slot *slot = &peer->slots[i];

		slot->peer = peer;
		codec_init(&slot->codec);
		check(nng_ctx_open(&slot->context, peer->socket), "nng_ctx_open");
		check(nng_aio_alloc(&slot->aio, on_event, slot), "nng_aio_alloc");
	}
}

/* A body is the method in one byte, then the packed message. */
static nng_msg *message_new(enum codec_method method, const uint8_t *bytes, size_t n)
{
	nng_msg *message;
	uint8_t *body;

	check(nng_msg_alloc(&message, 1 + n), "nng_msg_alloc");
	body = nng_msg_body(message);
	body[0] = (uint8_t)method;
	memcpy(body + 1, bytes, n);
	return message;
}

/* ---- Server ---------------------------------------------------------------------- */

static void slot_receive(struct slot *slot)
{
	slot->is_receiving = true;
	nng_ctx_recv(slot->context, slot->aio);
}

static void slot_send(struct slot *slot, nng_msg *message)
{
	slot->is_receiving = false;
	nng_aio_set_msg(slot->aio, message);
	nng_ctx_send(slot->context, slot->aio);
}

static void on_server_event(void *data)
{
	struct slot *slot = data;
	uint8_t out[CODEC_MESSAGE_MAX];
	enum codec_method method;
	nng_msg *message;
	uint8_t *body;
	size_t n;

	check(nng_aio_result(slot->aio), "serving");
	if (!slot->is_receiving) {
		slot_receive(slot);
		return;
	}
	message = nng_aio_get_msg(slot->aio);
	body = nng_msg_body(message);
	n = nng_msg_len(message);
	if (n < 1)
		bench_die("an empty request");
	method = (enum codec_method)body[0];
	n = codec_serve(&slot->codec, method, body + 1, n - 1, out);
	nng_msg_free(message);
	slot_send(slot, message_new(method, out, n));
}

static void nng_serve(struct bench_pair *pair)
{
	struct nng_peer *peer = pair->state;

	check(nng_rep0_open(&peer->socket), "nng_rep0_open");
	check(nng_socket_set_size(peer->socket, NNG_OPT_RECVMAXSZ, RECEIVE_MAX), "nng limit");
	slots_init(peer, on_server_event);
	check(nng_listen(peer->socket, peer->url, NULL, 0), "nng_listen");
	for (size_t i = 0; i < BENCH_WINDOW; i++)
		slot_receive(&peer->slots[i]);
	bench_ready(pair);
	for (;;)
		(void)pause();
}

/* ---- Client ---------------------------------------------------------------------- */

static void call_start(struct slot *slot, size_t index)
{
	uint8_t bytes[CODEC_MESSAGE_MAX];
	size_t n;

	slot->number = slot->peer->first + index;
	n = codec_request(bytes, slot->number);
	slot_send(slot, message_new(CODEC_ECHO, bytes, n));
}

static void call_finish(struct slot *slot)
{
	struct nng_peer *peer = slot->peer;
	nng_msg *message = nng_aio_get_msg(slot->aio);
	size_t next;

	codec_check_reply(&slot->codec, (uint8_t *)nng_msg_body(message) + 1,
			  nng_msg_len(message) - 1, slot->number);
	nng_msg_free(message);
	next = atomic_fetch_add(&peer->started, 1);
	if (next < peer->n_calls)
		call_start(slot, next);
	(void)pthread_mutex_lock(&peer->lock);
	if (++peer->finished == peer->n_calls)
		(void)pthread_cond_signal(&peer->done);
	(void)pthread_mutex_unlock(&peer->lock);
}

static void on_client_event(void *data)
{
	struct slot *slot = data;

	check(nng_aio_result(slot->aio), "calling");
	if (slot->is_receiving)
		call_finish(slot);
	else
		slot_receive(slot);
}

static void nng_connect(struct bench_pair *pair)
{
	struct nng_peer *peer = pair->state;

	check(nng_req0_open(&peer->socket), "nng_req0_open");
	check(nng_socket_set_size(peer->socket, NNG_OPT_RECVMAXSZ, RECEIVE_MAX), "nng limit");
	check(nng_dial(peer->socket, peer->url, NULL, 0), "nng_dial");
	codec_init(&peer->codec);
	slots_init(peer, on_client_event);
	(void)pthread_mutex_init(&peer->lock, NULL);
	(void)pthread_cond_init(&peer->done, NULL);
}

/* Send and receive one message on the socket itself; the caller frees what comes back. */
static nng_msg *exchange(struct nng_peer *peer, nng_msg *message)
{
	check(nng_sendmsg(peer->socket, message, 0), "nng_sendmsg");
	check(nng_recvmsg(peer->socket, &message, 0), "nng_recvmsg");
	if (nng_msg_len(message) < 1)
		bench_die("an empty reply");
	return message;
}

static void nng_call(struct bench_pair *pair, uint64_t number)
{
	struct nng_peer *peer = pair->state;
	uint8_t bytes[CODEC_MESSAGE_MAX];
	size_t n = codec_request(bytes, number);
	nng_msg *reply = exchange(peer, message_new(CODEC_ECHO, bytes, n));

	codec_check_reply(&peer->codec, (uint8_t *)nng_msg_body(reply) + 1,
			  nng_msg_len(reply) - 1, number);
	nng_msg_free(reply);
}

static void nng_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	struct nng_peer *peer = pair->state;

	peer->first = first;
	peer->n_calls = n_calls;
	peer->finished = 0;
	atomic_store(&peer->started, BENCH_WINDOW);
	for (size_t i = 0; i < BENCH_WINDOW; i++)
		call_start(&peer->slots[i], i);
	(void)pthread_mutex_lock(&peer->lock);
	while (peer->finished < n_calls)
		(void)pthread_cond_wait(&peer->done, &peer->lock);
	(void)pthread_mutex_unlock(&peer->lock);
}

static void nng_store(struct bench_pair *pair, const uint8_t *data, size_t size)
{
	struct nng_peer *peer = pair->state;
	nng_msg *message;
	uint8_t *body;
	size_t n;

	check(nng_msg_alloc(&message, 1 + CODEC_BLOB_MAX), "nng_msg_alloc");
	body = nng_msg_body(message);
	body[0] = CODEC_STORE;
	n = codec_blob(body + 1, data, size);
	check(nng_msg_chop(message, CODEC_BLOB_MAX - n), "nng_msg_chop");
	message = exchange(peer, message);
	codec_check_stored(&peer->codec, (uint8_t *)nng_msg_body(message) + 1,
			   nng_msg_len(message) - 1, size);
	nng_msg_free(message);
}

static const struct bench_variant variants[] = {
	{ .name = "nng",
	  .prepare = nng_prepare,
	  .serve = nng_serve,
	  .connect = nng_connect,
	  .call = nng_call,
	  .pipeline = nng_pipeline,
	  .store = nng_store },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
