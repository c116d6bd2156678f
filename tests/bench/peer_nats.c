/*
 * NATS request and reply through nats-server, on a loopback port of its own: the broker
 * that many microservices use. Its CPU counts. Single calls are written at once; for
 * pipelined ones the library gathers for a millisecond, which beats a write for each.
 */
#include "bench.h"
#include "codec.h"

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TIMEOUT_MS 10000
#define URL_MAX    64

struct nats_peer {
	char ports_path[160]; /* where the server writes which port it got */
	natsConnection *now;  /* flushes every message */
	natsConnection *batch;
	natsSubscription *replies;
	natsInbox *inbox;
	struct codec codec;
};

static void check(natsStatus status, const char *what)
{
	if (status != NATS_OK)
		bench_die("%s: %s", what, natsStatus_GetText(status));
}

/* The default payload limit, 1 MiB, leaves no room for the blob's own header. */
static void nats_prepare(struct bench_pair *pair)
{
	struct nats_peer *peer = calloc(1, sizeof *peer);
	char config[128];
	const char *const argv[] = { "nats-server", "--config", config, NULL };
	FILE *file;

	if (!peer)
		bench_die("no memory");
	(void)snprintf(config, sizeof config, "%s/nats.conf", pair->dir);
	file = fopen(config, "we");
	if (!file)
		bench_die("cannot write %s", config);
	fprintf(file,
		"host: 127.0.0.1\nport: -1\nmax_payload: 8388608\n"
		"ports_file_dir: \"%s\"\nlog_file: \"%s/nats.log\"\n",
		pair->dir, pair->dir);
	if (fclose(file) != 0)
		bench_die("cannot write %s", config);
	bench_broker(pair, "nats-server", argv, -1);
	(void)snprintf(peer->ports_path, sizeof peer->ports_path, "%s/nats-server_%d.ports",
		       pair->dir, (int)pair->helpers[0].pid);
	pair->state = peer;
}

/* The file is JSON of one line that we need: "nats": [ "nats://127.0.0.1:40123" ]. */
static bool url_read(const char *path, char ret_url[URL_MAX])
{
	char text[1024] = "";
	FILE *file = fopen(path, "re");
	const char *start;
	size_t n;

	if (!file)
		return false;
	n = fread(text, 1, sizeof text - 1, file);
	(void)fclose(file);
	text[n] = '\0';
	start = strstr(text, "nats://");
	n = start ? strcspn(start, "\"") : 0;
	if (n == 0 || n >= URL_MAX || start[n] != '"')
		return false;
	memcpy(ret_url, start, n);
	ret_url[n] = '\0';
	return true;
}

static void connections_open(struct nats_peer *peer)
{
	uint64_t give_up = bench_now_ns() + UINT64_C(5000000000);
	natsOptions *options;
	char url[URL_MAX];

	while (!url_read(peer->ports_path, url)) {
		if (bench_now_ns() > give_up)
			bench_die("nats-server did not write %s", peer->ports_path);
		nats_Sleep(5);
	}
	check(natsOptions_Create(&options), "natsOptions_Create");
	check(natsOptions_SetURL(options, url), "natsOptions_SetURL");
	check(natsConnection_Connect(&peer->batch, options), "connecting");
	check(natsOptions_SetSendAsap(options, true), "natsOptions_SetSendAsap");
	check(natsConnection_Connect(&peer->now, options), "connecting");
	natsOptions_Destroy(options);
	codec_init(&peer->codec);
}

/* A body is the method in one byte, then the packed message. */
static void on_request(natsConnection *connection, natsSubscription *subscription,
		       natsMsg *message, void *data)
{
	struct codec *codec = data;
	const uint8_t *body = (const uint8_t *)natsMsg_GetData(message);
	int n = natsMsg_GetDataLength(message);
	uint8_t out[CODEC_MESSAGE_MAX];
	size_t length;

	(void)subscription;
	if (n < 1)
		bench_die("an empty request");
	length = codec_serve(codec, (enum codec_method)body[0], body + 1, (size_t)n - 1, out);
	check(natsConnection_Publish(connection, natsMsg_GetReply(message), out, (int)length),
	      "replying");
	natsMsg_Destroy(message);
}

static void nats_serve(struct bench_pair *pair)
{
	struct nats_peer *peer = pair->state;
	natsSubscription *subscription;
	struct codec batch_codec;

	connections_open(peer);
	codec_init(&batch_codec);
	check(natsConnection_Subscribe(&subscription, peer->now, "bench.now", on_request,
				       &peer->codec),
	      "subscribing");
	check(natsConnection_Subscribe(&subscription, peer->batch, "bench.batch", on_request,
				       &batch_codec),
	      "subscribing");
	check(natsConnection_Flush(peer->now), "flushing");
	check(natsConnection_Flush(peer->batch), "flushing");
	bench_ready(pair);
	for (;;)
		(void)pause();
}

static void nats_connect(struct bench_pair *pair)
{
	struct nats_peer *peer = pair->state;

	connections_open(peer);
	check(natsInbox_Create(&peer->inbox), "natsInbox_Create");
	check(natsConnection_SubscribeSync(&peer->replies, peer->batch, peer->inbox),
	      "subscribing");
}

static void nats_call(struct bench_pair *pair, uint64_t number)
{
	struct nats_peer *peer = pair->state;
	uint8_t body[1 + CODEC_MESSAGE_MAX] = { CODEC_ECHO };
	size_t n = codec_request(body + 1, number);
	natsMsg *reply;

	check(natsConnection_Request(&reply, peer->now, "bench.now", body, (int)(1 + n),
				     TIMEOUT_MS),
	      "calling");
	codec_check_reply(&peer->codec, (const uint8_t *)natsMsg_GetData(reply),
			  (size_t)natsMsg_GetDataLength(reply), number);
	natsMsg_Destroy(reply);
}

static void request_publish(struct nats_peer *peer, uint64_t number)
{
	uint8_t body[1 + CODEC_MESSAGE_MAX] = { CODEC_ECHO };
	size_t n = codec_request(body + 1, number);

	check(natsConnection_PublishRequest(peer->batch, "bench.batch", peer->inbox, body,
					    (int)(1 + n)),
	      "publishing");
}

static void nats_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	struct nats_peer *peer = pair->state;
	size_t sent = 0;

	for (size_t answered = 0; answered < n_calls; answered++) {
		natsMsg *reply;

		if (sent - answered <= BENCH_WINDOW / 2)
			while (sent < n_calls && sent - answered < BENCH_WINDOW)
				request_publish(peer, first + sent++);
		check(natsSubscription_NextMsg(&reply, peer->replies, TIMEOUT_MS),
		      "receiving");
		codec_check_reply(&peer->codec, (const uint8_t *)natsMsg_GetData(reply),
				  (size_t)natsMsg_GetDataLength(reply), first + answered);
		natsMsg_Destroy(reply);
	}
}

static void nats_store(struct bench_pair *pair, const uint8_t *data, size_t size)
{
	static uint8_t body[1 + CODEC_BLOB_MAX] = { CODEC_STORE };
	struct nats_peer *peer = pair->state;
	size_t n = codec_blob(body + 1, data, size);
	natsMsg *reply;

	check(natsConnection_Request(&reply, peer->now, "bench.now", body, (int)(1 + n),
				     TIMEOUT_MS),
	      "storing");
	codec_check_stored(&peer->codec, (const uint8_t *)natsMsg_GetData(reply),
			   (size_t)natsMsg_GetDataLength(reply), size);
	natsMsg_Destroy(reply);
}

static const struct bench_variant variants[] = {
	{ .name = "nats",
	  .prepare = nats_prepare,
	  .serve = nats_serve,
	  .connect = nats_connect,
	  .call = nats_call,
	  .pipeline = nats_pipeline,
	  .store = nats_store },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
