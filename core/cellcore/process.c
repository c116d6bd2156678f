#include "process.h"

#include "control.h"
#include "watch.h"

#include <cell/log.h>
#include <core.cell.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PACKET_MAX (FRAME_HEADER_SIZE + CELL_CONTROL_BODY_MAX)
#define ACCEPT_AGAIN_S 0.5
/* Encoders want room for a bound that is higher than what they write. */
#define BODY_ROOM (4 * CELL_CONTROL_BODY_MAX)

static void packet_free(struct process *process, struct packet *packet)
{
	list_unlink(&packet->in_outgoing);
	process->n_outgoing--;
	for (size_t i = 0; i < packet->n_fds; i++)
		fd_close(&packet->fds[i]);
	free(packet);
}

/* ---- out ---------------------------------------------------------------------------------- */

/* From whom does not read nothing is read. */
static struct packet *packet_new(struct process *process, size_t len)
{
	struct packet *packet = calloc(1, sizeof *packet + len);

	if (!packet)
		return NULL;
	packet->len = len;
	list_append(&process->outgoing, &packet->in_outgoing);
	process->n_outgoing++;
	ev_io_start(process->daemon->loop, &process->on_writable);
	ev_io_stop(process->daemon->loop, &process->on_readable);
	return packet;
}

bool process_requeue(struct process *process, const void *bytes, size_t len, const int *fds,
		     size_t n_fds)
{
	struct packet *packet = packet_new(process, len);

	if (!packet)
		return false;
	memcpy(packet->bytes, bytes, len);
	memcpy(packet->fds, fds, n_fds * sizeof *fds);
	packet->n_fds = n_fds;
	return true;
}

static int packet_queue(struct process *process, const struct iovec parts[2], const int *fds,
			size_t n_fds, struct cell_error *err)
{
	struct packet *packet;

	if (process->n_outgoing >= CELL_CONTROL_QUEUE_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "%s does not read its control socket",
				 process->name);
	packet = packet_new(process, parts[0].iov_len + parts[1].iov_len);
	if (!packet)
		return cell_fail(err, -ENOMEM, "queueing for %s", process->name);
	memcpy(packet->bytes, parts[0].iov_base, parts[0].iov_len);
	memcpy(packet->bytes + parts[0].iov_len, parts[1].iov_base, parts[1].iov_len);
	for (; packet->n_fds < n_fds; packet->n_fds++) {
		int fd = fcntl(fds[packet->n_fds], F_DUPFD_CLOEXEC, 0);

		if (fd < 0) {
			int r = cell_fail(err, -errno, "queueing for %s: %s", process->name,
					  strerror(errno));

			packet_free(process, packet);
			return r;
		}
		packet->fds[packet->n_fds] = fd;
	}
	return 0;
}

static int body_encode(uint8_t out[static BODY_ROOM], const struct cell_message_type *type,
		       const void *message, size_t *ret_len, struct cell_error *err)
{
	if (type->bound(message) > BODY_ROOM)
		return cell_fail(err, CELL_INTERNAL, "%s is too large for a packet", type->name);
	*ret_len = (size_t)(type->encode(message, out) - out);
	if (*ret_len > CELL_CONTROL_BODY_MAX)
		return cell_fail(err, CELL_INTERNAL, "%s of %zu bytes, limit %d", type->name, *ret_len,
				 CELL_CONTROL_BODY_MAX);
	return 0;
}

int process_send(struct process *process, struct frame *header,
		 const struct cell_message_type *type, const void *message, const int *fds,
		 size_t n_fds, struct cell_error *err)
{
	uint8_t head[FRAME_HEADER_SIZE], body[BODY_ROOM];
	struct iovec parts[2] = { { head, sizeof head }, { body, 0 } };
	int r = 0;

	if (process->is_dropped)
		return cell_fail(err, CELL_UNAVAILABLE, "%s is gone", process->name);
	if (type)
		r = body_encode(body, type, message, &parts[1].iov_len, err);
	else
		parts[1] = (struct iovec){ (void *)message, message ? strlen(message) : 0 };
	if (r < 0)
		return r;
	header->length = (uint32_t)parts[1].iov_len;
	frame_encode(header, head);
	r = SOCK_WAIT;
	if (list_is_empty(&process->outgoing))
		r = sock_send(process->fd, parts, 2, fds, n_fds, err);
	if (r == SOCK_WAIT)
		r = packet_queue(process, parts, fds, n_fds, err);
	if (r == -EPIPE || r == -ECONNRESET)
		process_drop(process, "closed its control socket");
	return r;
}

static const struct cell_method *order_method(const char *name)
{
	for (size_t i = 0; i < core_instance_service.n_methods; i++)
		if (strcmp(core_instance_service.methods[i].name, name) == 0)
			return &core_instance_service.methods[i];
	return NULL;
}

int process_order(struct process *process, enum frame_kind kind, const char *method,
		  const void *message, const int *fds, size_t n_fds, uint64_t *ret_call_id,
		  struct cell_error *err)
{
	const struct cell_method *order = order_method(method);
	struct frame header = { .kind = (uint8_t)kind, .call_id = process->next_call_id++,
				.code = order->hash };

	if (kind == FRAME_REQUEST)
		header.timeout_ns = CELL_RESOLVE_TIMEOUT_MS * UINT64_C(1000000);
	if (ret_call_id)
		*ret_call_id = header.call_id;
	return process_send(process, &header, order->in, message, fds, n_fds, err);
}

/* An answer that cannot be given leaves its asker waiting for ever: better it sees the end. */
static void answer(struct process *process, struct frame *header,
		   const struct cell_message_type *type, const void *message, const int *fds,
		   size_t n_fds)
{
	struct cell_error err = { 0 };

	if (process->is_dropped || header->call_id == 0)
		return;
	if (process_send(process, header, type, message, fds, n_fds, &err) < 0)
		process_drop(process, err.text);
}

void process_reply(struct process *process, uint64_t call_id, const struct cell_message_type *type,
		   const void *message, const int *fds, size_t n_fds)
{
	struct frame header = { .kind = FRAME_REPLY, .call_id = call_id };

	answer(process, &header, type, message, fds, n_fds);
}

void process_refuse(struct process *process, uint64_t call_id, const struct cell_error *err)
{
	struct frame header = { .kind = FRAME_ERROR, .call_id = call_id,
				.code = cell_status_to_wire(err->code) };

	answer(process, &header, NULL, err->text, NULL, 0);
}

static void on_writable(struct ev_loop *loop, ev_io *io, int)
{
	struct process *process = list_entry(io, struct process, on_writable);
	struct daemon *daemon = process->daemon;
	struct cell_error err = { 0 };
	struct packet *packet;

	while ((packet = list_first(&process->outgoing, struct packet, in_outgoing))) {
		struct iovec part = { packet->bytes, packet->len };
		int r = sock_send(process->fd, &part, 1, packet->fds, packet->n_fds, &err);

		if (r == SOCK_WAIT)
			return;
		if (r < 0) {
			process_drop(process, err.text);
			daemon_settle(daemon);
			return;
		}
		packet_free(process, packet);
	}
	ev_io_stop(loop, &process->on_writable);
	ev_io_start(loop, &process->on_readable);
	watch_process_reads(process);
	daemon_settle(daemon);
}

/* ---- in ----------------------------------------------------------------------------------- */

/* One packet is one frame: nothing more, nothing less, nothing in fragments. */
static int packet_frame(const uint8_t *bytes, size_t len, struct frame *ret_frame,
			const uint8_t **ret_body, size_t *ret_len, struct cell_error *err)
{
	struct frame_metadata metadata;
	size_t skip = 0;
	int r;

	if (len < FRAME_HEADER_SIZE)
		return cell_fail(err, -EPROTO, "a packet of %zu bytes", len);
	frame_decode(ret_frame, bytes);
	r = frame_check(ret_frame, err);
	if (r < 0)
		return r;
	if (ret_frame->length != len - FRAME_HEADER_SIZE ||
	    (ret_frame->flags & (FRAME_FLAG_MORE | FRAME_FLAG_MEMFD)))
		return cell_fail(err, -EPROTO, "a packet of %zu bytes with a frame of %u", len,
				 (unsigned)ret_frame->length);
	if (ret_frame->flags & FRAME_FLAG_METADATA)
		r = frame_metadata_decode(&metadata, &skip, bytes + FRAME_HEADER_SIZE,
					  ret_frame->length, err);
	*ret_body = bytes + FRAME_HEADER_SIZE + skip;
	*ret_len = ret_frame->length - skip;
	return r;
}

/* Take one packet. SOCK_WAIT: there is none. */
static int process_take(struct process *process, struct cell_error *err)
{
	static uint8_t bytes[PACKET_MAX];
	struct sock_packet packet;
	struct frame frame;
	const uint8_t *body = NULL;
	size_t len = 0;
	int r;

	r = sock_recv(process->fd, bytes, sizeof bytes, &packet, err);
	if (r != 0)
		return r;
	r = packet_frame(bytes, packet.len, &frame, &body, &len, err);
	if (r == 0) {
		process->packet = &packet;
		r = control_packet(process, &frame, body, len, err);
		process->packet = NULL;
	}
	/* No order comes with descriptors. */
	sock_packet_close(&packet);
	return r;
}

static void on_readable(struct ev_loop *, ev_io *io, int)
{
	struct process *process = list_entry(io, struct process, on_readable);
	struct daemon *daemon = process->daemon;
	struct cell_error err = { 0 };
	int r = 0;

	for (int n = 0; n < CELL_CONTROL_PACKETS_PER_TURN && r == 0; n++) {
		r = process_take(process, &err);
		if (process->is_dropped || !list_is_empty(&process->outgoing))
			break;
	}
	if (r == SOCK_END)
		process_drop(process, "closed its control socket");
	else if (r < 0)
		process_drop(process, err.text);
	daemon_settle(daemon);
}

void process_finish(struct process *process, const char *reason)
{
	struct cell_error err = { 0 };
	int n = 0;

	while (!process->is_dropped && n++ < CELL_CONTROL_PACKETS_PER_TURN &&
	       process_take(process, &err) == 0)
		;
	process_drop(process, reason);
}

/* ---- life --------------------------------------------------------------------------------- */

static void on_unproven(struct ev_loop *, ev_timer *timer, int)
{
	struct process *process = list_entry(timer, struct process, on_unproven);
	struct daemon *daemon = process->daemon;

	process_drop(process, "did not authenticate in time");
	daemon_settle(daemon);
}

int process_new(struct daemon *daemon, int fd, struct kernel_instance *instance, uint32_t uid,
		struct process **ret, struct cell_error *err)
{
	struct process *process = calloc(1, sizeof *process);
	bool is_owner = !instance && (uid == daemon->uid || uid == 0);

	if (process) {
		broker_asker_init(&process->asker);
		process->asker.quota = instance ? kernel_quota_cell(&daemon->kernel, instance->cell)
						: kernel_quota_uid(&daemon->kernel, uid, is_owner);
	}
	if (!process || !process->asker.quota) {
		free(process);
		(void)close(fd);
		return cell_fail(err, -ENOMEM, "a control connection");
	}
	process->daemon = daemon;
	process->fd = fd;
	process->next_call_id = 1;
	process->asker.instance = instance;
	process->asker.uid = uid;
	process->asker.is_owner = is_owner;
	list_init(&process->outgoing);
	list_init(&process->watches);
	list_append(&daemon->processes, &process->in_daemon);
	ev_io_init(&process->on_readable, on_readable, fd, EV_READ);
	ev_io_init(&process->on_writable, on_writable, fd, EV_WRITE);
	ev_timer_init(&process->on_unproven, on_unproven, CELL_CONTROL_UNPROVEN_MS / 1e3, 0);
	ev_io_start(daemon->loop, &process->on_readable);
	if (instance) {
		instance->asker = &process->asker;
		(void)kernel_instance_name(instance, process->name);
	} else {
		(void)snprintf(process->name, sizeof process->name, "outside uid %u", (unsigned)uid);
		daemon->n_clients++;
	}
	*ret = process;
	return 0;
}

void process_drop(struct process *process, const char *reason)
{
	struct daemon *daemon = process->daemon;
	struct kernel_instance *instance = process->asker.instance;

	if (process->is_dropped)
		return;
	process->is_dropped = true;
	cell_log(instance ? CELL_LOG_INFO : CELL_LOG_DEBUG, "process", "control_closed",
		 "peer=\"%s\" reason=\"%s\"", process->name,
		 cell_log_quote((char[512]){ 0 }, 512, reason));
	ev_io_stop(daemon->loop, &process->on_readable);
	ev_io_stop(daemon->loop, &process->on_writable);
	control_forget(process);
	fd_close(&process->fd);
	list_move(&daemon->dropped, &process->in_daemon);
	if (instance) {
		instance->asker = NULL;
		if (strcmp(instance->cell->name, daemon->conf.resolver) == 0)
			broker_resolver_lost(&daemon->kernel);
		kernel_instance_lost(&daemon->kernel, instance, NULL, daemon_now());
	} else {
		daemon->n_clients--;
		process_proven(process);
		process_listen(daemon);
	}
}

void process_free(struct process *process)
{
	struct packet *packet;

	list_walk(packet, &process->outgoing, struct packet, in_outgoing)
		packet_free(process, packet);
	watch_free_all(process);
	quota_unref(process->asker.quota);
	list_unlink(&process->in_daemon);
	free(process);
}

/* ---- core.sock -------------------------------------------------------------------------------- */

void process_proven(struct process *process)
{
	if (!process->is_counted)
		return;
	process->is_counted = false;
	process->daemon->n_unproven--;
	ev_timer_stop(process->daemon->loop, &process->on_unproven);
	process_listen(process->daemon);
}

void process_unproven(struct process *process)
{
	process->is_counted = true;
	process->daemon->n_unproven++;
	ev_timer_start(process->daemon->loop, &process->on_unproven);
}

static int client_check(const struct daemon *daemon, int fd, struct sock_creds *ret_creds,
			struct cell_error *err)
{
	int r = sock_peer(fd, ret_creds, err);

	if (r < 0)
		return r;
	if (ret_creds->uid == daemon->uid_unmapped && ret_creds->uid != daemon->uid)
		return cell_fail(err, CELL_PERMISSION_DENIED, "a user this node cannot name");
	if (ret_creds->uid != daemon->uid && ret_creds->uid != 0)
		return cell_fail(err, CELL_PERMISSION_DENIED,
				 "uid %u does not own this node; cells/NAME.sock is for others",
				 (unsigned)ret_creds->uid);
	return 0;
}

static void client_accept(struct daemon *daemon, int fd)
{
	struct sock_creds creds;
	struct cell_error err = { 0 };
	struct process *process;
	int r;

	r = client_check(daemon, fd, &creds, &err);
	if (r < 0) {
		(void)close(fd);
	} else {
		r = process_new(daemon, fd, NULL, creds.uid, &process, &err);
	}
	if (r < 0) {
		cell_log(CELL_LOG_WARN, "process", "client_refused", "reason=\"%s\"", err.text);
		return;
	}
	process_unproven(process);
}

static bool has_place(const struct daemon *daemon)
{
	return daemon->n_unproven < CELL_CONTROL_UNPROVEN_MAX &&
	       daemon->n_clients < CELL_CONTROL_CLIENTS_MAX;
}

/* Who finds no place waits in the socket's queue, not in our memory. */
static void on_client(struct ev_loop *loop, ev_io *io, int)
{
	struct daemon *daemon = list_entry(io, struct daemon, on_client);
	struct cell_error err = { 0 };
	int fd, r = 0;

	while (has_place(daemon) && (r = sock_accept(&fd, daemon->listener, &err)) == 0)
		client_accept(daemon, fd);
	if (r < 0) {
		/* Out of descriptors, perhaps. That passes, and no event says when. */
		cell_log(CELL_LOG_WARN, "process", "accept_failed", "reason=\"%s\"", err.text);
		ev_timer_set(&daemon->accept_again, ACCEPT_AGAIN_S, 0);
		ev_timer_start(loop, &daemon->accept_again);
	}
	if (r < 0 || !has_place(daemon))
		ev_io_stop(loop, &daemon->on_client);
	daemon_settle(daemon);
}

static void on_accept_again(struct ev_loop *, ev_timer *timer, int)
{
	process_listen(list_entry(timer, struct daemon, accept_again));
}

void process_listen(struct daemon *daemon)
{
	if (daemon->listener < 0 || ev_is_active(&daemon->accept_again))
		return;
	if (!ev_is_active(&daemon->on_client))
		ev_io_init(&daemon->on_client, on_client, daemon->listener, EV_READ);
	ev_set_cb(&daemon->accept_again, on_accept_again);
	if (has_place(daemon))
		ev_io_start(daemon->loop, &daemon->on_client);
}
