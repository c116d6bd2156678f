#include "activate.h"

#include "broker.h"
#include "connect.h"
#include "process.h"

#include "../libcell/frame.h"

#include <cell/log.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Clients accepted from one socket in one turn of the loop. */
#define ACCEPTS_PER_TURN 32
#define LISTEN_BACKLOG 64
#define ACCEPT_AGAIN_S 0.5

struct activation {
	struct list in_daemon;
	struct daemon *daemon;
	struct kernel_cell *cell;
	int listener;
	ev_io on_client;
	ev_timer again;
	char path[RUNDIR_PATH_MAX];
};

/* An accepted socket on its way to an instance. */
struct stream {
	struct kernel_asker asker;
	struct kernel_request request;
};

static void stream_free(struct stream *stream)
{
	fd_close(&stream->request.stream);
	quota_unref(stream->asker.quota);
	free(stream);
}

/* Why it is refused, as far as a stream can carry that: hello, and goaway with a text. */
static void stream_refuse(int fd, const struct cell_error *err)
{
	struct frame_hello hello = { .version = FRAME_VERSION };
	struct frame heads[2] = {
		{ .kind = FRAME_HELLO, .length = FRAME_HELLO_SIZE },
		{ .kind = FRAME_GOAWAY, .code = cell_status_to_wire(err->code),
		  .length = (uint32_t)strlen(err->text) },
	};
	uint8_t bytes[2 * FRAME_HEADER_SIZE + FRAME_HELLO_SIZE + CELL_ERROR_TEXT_MAX], *at = bytes;

	frame_encode(&heads[0], at);
	frame_hello_encode(&hello, at + FRAME_HEADER_SIZE);
	at += FRAME_HEADER_SIZE + FRAME_HELLO_SIZE;
	frame_encode(&heads[1], at);
	memcpy(at + FRAME_HEADER_SIZE, err->text, heads[1].length);
	at += FRAME_HEADER_SIZE + heads[1].length;
	(void)send(fd, bytes, (size_t)(at - bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
}

struct kernel_request *activate_request(struct daemon *daemon, const char *cell, int fd,
					uint32_t uid)
{
	struct stream *stream = calloc(1, sizeof *stream);
	struct kernel_request *request;

	if (!stream) {
		(void)close(fd);
		return NULL;
	}
	request = &stream->request;
	request->stream = fd;
	broker_asker_init(&stream->asker);
	stream->asker.uid = uid;
	stream->asker.is_owner = uid == daemon->uid || uid == 0;
	stream->asker.is_stream = true;
	stream->asker.quota = kernel_quota_uid(&daemon->kernel, uid, stream->asker.is_owner);
	if (!stream->asker.quota) {
		stream_free(stream);
		return NULL;
	}
	request->order = KERNEL_CONNECT;
	request->asker = &stream->asker;
	(void)snprintf(request->cell_name, sizeof request->cell_name, "%s", cell);
	return request;
}

static void activate_client(struct activation *activation, int fd)
{
	struct daemon *daemon = activation->daemon;
	struct sock_creds creds;
	struct cell_error err = { 0 };
	struct kernel_request *request;

	if (sock_peer(fd, &creds, &err) == 0 && creds.uid == daemon->uid_unmapped &&
	    creds.uid != daemon->uid)
		(void)cell_fail(&err, CELL_PERMISSION_DENIED, "a user this node cannot name");
	if (err.code) {
		stream_refuse(fd, &err);
		(void)close(fd);
		return;
	}
	request = activate_request(daemon, activation->cell->name, fd, creds.uid);
	if (request)
		broker_submit(&daemon->kernel, request, daemon_now());
}

void activate_outcome(struct daemon *daemon, struct kernel_request *request)
{
	struct stream *stream = list_entry(request, struct stream, request);
	struct cell_error err = request->err;

	if (request->outcome == KERNEL_GRANTED) {
		err.code = 0;
		(void)connect_stream(daemon, request, request->stream, &err);
	}
	if (err.code) {
		cell_log(CELL_LOG_DEBUG, "activate", "stream_refused", "cell_name=%s reason=\"%s\"",
			 request->cell_name, err.text);
		stream_refuse(request->stream, &err);
	}
	broker_request_deinit(request);
	stream_free(stream);
}

static void on_client(struct ev_loop *loop, ev_io *io, int)
{
	struct activation *activation = list_entry(io, struct activation, on_client);
	struct daemon *daemon = activation->daemon;
	struct cell_error err = { 0 };
	int fd, r = 0;

	for (int n = 0; n < ACCEPTS_PER_TURN; n++) {
		r = sock_accept(&fd, activation->listener, &err);
		if (r != 0)
			break;
		activate_client(activation, fd);
	}
	if (r < 0) {
		cell_log(CELL_LOG_WARN, "activate", "accept_failed", "path=\"%s\" reason=\"%s\"",
			 activation->path, err.text);
		ev_io_stop(loop, io);
		ev_timer_start(loop, &activation->again);
	}
	daemon_settle(daemon);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int)
{
	struct activation *activation = list_entry(timer, struct activation, again);

	ev_io_start(loop, &activation->on_client);
}

/* Whoever may open it is still asked for his uid; for most cells none but ours counts. */
static mode_t activation_mode(const struct kernel_cell *cell)
{
	return cell->manifest->serves_any_uid || cell->manifest->n_serves_uids > 0 ? 0666 : 0600;
}

static struct activation *activation_new(struct daemon *daemon, struct kernel_cell *cell,
					 int listener, struct cell_error *err)
{
	struct activation *activation = calloc(1, sizeof *activation);
	int r = 0;

	if (!activation) {
		(void)cell_fail(err, -ENOMEM, "no memory");
		return NULL;
	}
	activation->listener = listener;
	(void)rundir_path(&daemon->rundir, activation->path, "cells/%s.sock", cell->name);
	if (listener < 0)
		r = sock_listen(&activation->listener, activation->path, SOCK_STREAM,
				activation_mode(cell), LISTEN_BACKLOG, err);
	if (r < 0) {
		free(activation);
		return NULL;
	}
	return activation;
}

struct activation *activate_open(struct daemon *daemon, struct kernel_cell *cell, int listener)
{
	struct cell_error err = { 0 };
	struct activation *activation = activation_new(daemon, cell, listener, &err);

	if (!activation) {
		cell_log(CELL_LOG_WARN, "activate", "listen_failed", "cell_name=%s reason=\"%s\"",
			 cell->name, cell_log_quote((char[512]){ 0 }, 512, err.text));
		return NULL;
	}
	activation->daemon = daemon;
	activation->cell = cell;
	list_append(&daemon->activations, &activation->in_daemon);
	ev_timer_init(&activation->again, on_again, ACCEPT_AGAIN_S, 0);
	ev_io_init(&activation->on_client, on_client, activation->listener, EV_READ);
	ev_io_start(daemon->loop, &activation->on_client);
	return activation;
}

void activate_update(struct activation *activation)
{
	(void)chmod(activation->path, activation_mode(activation->cell));
}

int activate_listener(const struct daemon *daemon, const struct kernel_cell *cell)
{
	const struct activation *activation;

	list_walk(activation, &daemon->activations, struct activation, in_daemon)
		if (activation->cell == cell)
			return activation->listener;
	return -1;
}

void activate_close(struct activation *activation)
{
	ev_io_stop(activation->daemon->loop, &activation->on_client);
	ev_timer_stop(activation->daemon->loop, &activation->again);
	(void)close(activation->listener);
	(void)unlink(activation->path);
	list_unlink(&activation->in_daemon);
	free(activation);
}
