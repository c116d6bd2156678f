#include "connection.h"

#include "callstate.h"
#include "clock.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sizes of a buffer that is worth keeping. */
#define SPARE_MIN (64u * 1024)
#define SPARE_MAX (4u * 1024 * 1024)

/* Room that large bodies leave in a link for small frames. */
#define HEADROOM (RING_SIZE - 2 * (FRAME_HEADER_SIZE + FRAME_BODY_MAX))

static void on_readable(struct ev_loop *ev, ev_io *io, int events)
{
	struct connection *conn = io->data;

	(void)ev;
	(void)events;
	runtime_make_hot(conn->rt, conn);
}

static void on_writable(struct ev_loop *ev, ev_io *io, int events)
{
	struct connection *conn = io->data;

	(void)events;
	ev_io_stop(ev, &conn->write_io);
	runtime_make_dirty(conn->rt, conn);
	runtime_make_hot(conn->rt, conn);
}

/* The lifeline: payload descriptors while the peer lives, its end when it is gone. */
static void lifeline_read(struct connection *conn)
{
	while (!conn->is_broken) {
		struct sock_packet packet;
		struct cell_error err;
		uint8_t bytes[16];
		int r = sock_recv(conn->link.fd, bytes, sizeof bytes, &packet, &err);

		if (r == SOCK_WAIT)
			return;
		if (r == SOCK_END || r == -ECONNRESET) {
			/* What it sent before it ended still counts. */
			while (!conn->is_broken && connection_drain(conn, RUNTIME_FRAMES_PER_TURN))
				;
			connection_break(conn, CELL_UNAVAILABLE, "the peer is gone");
			return;
		}
		if (r < 0 || packet.len != sizeof bytes || packet.n_fds != 1 ||
		    conn->n_payloads == CONNECTION_PAYLOADS_MAX) {
			if (r == 0)
				sock_packet_close(&packet);
			conn->rt->stats.broken_peers++;
			connection_break(conn, CELL_UNAVAILABLE,
					 "the peer broke the rules of its lifeline");
			return;
		}
		conn->payloads[conn->n_payloads++] = (struct waiting_payload){
			.call_id = cell_load_u64(bytes),
			.size = cell_load_u64(bytes + 8),
			.fd = packet.fds[0],
		};
	}
}

static void on_lifeline(struct ev_loop *ev, ev_io *io, int events)
{
	struct connection *conn = io->data;

	(void)ev;
	(void)events;
	/* Its last frames may start handlers: that is the outer loop's work. */
	conn->lifeline_is_ready = true;
	ev_io_stop(ev, io);
	runtime_make_hot(conn->rt, conn);
}

static void on_hello_due(struct wheel_timer *timer)
{
	struct connection *conn = list_entry(timer, struct connection, hello_timer);

	conn->rt->stats.broken_peers++;
	connection_break(conn, CELL_UNAVAILABLE, "the peer said no hello");
}

static int send_hello(struct connection *conn, struct cell_error *err)
{
	uint8_t body[FRAME_HELLO_SIZE];
	struct frame frame = { .kind = FRAME_HELLO };

	frame_hello_encode(&(struct frame_hello){
		.version = FRAME_VERSION,
		.message_max = conn->rt->message_max,
		.calls_max = conn->rt->calls_max,
		.window = CONNECTION_STREAM_WINDOW,
		.payload_max = conn->rt->payload_max, /* a control connection says no hello */
		.schema = conn->rt->schema,
	}, body);
	return connection_send_bytes(conn, &frame, body, sizeof body, err);
}

static int watch(struct connection *conn, struct cell_error *err)
{
	struct runtime *rt = conn->rt;
	bool is_ring = conn->link.kind == LINK_RING;
	int r = is_ring ? runtime_watch_bell(rt, conn, err) : 0;

	ev_io_init(&conn->socket_io, is_ring ? on_lifeline : on_readable, conn->link.fd, EV_READ);
	ev_io_init(&conn->write_io, on_writable, conn->link.fd, EV_WRITE);
	conn->socket_io.data = conn->write_io.data = conn;
	runtime_io_start(rt, &conn->socket_io);
	return r;
}

int connection_new(struct connection **ret_conn, struct runtime *rt, struct link *link,
		   enum connection_role role, const struct cell_peer *peer,
		   struct cell_error *err)
{
	struct connection *conn = calloc(1, sizeof *conn);
	int r;

	if (!conn) {
		link_close(link);
		return cell_fail(err, -ENOMEM, "a connection");
	}
	conn->rt = rt;
	conn->link = *link;
	conn->role = role;
	conn->refs = 1;
	conn->next_id = 1;
	conn->theirs = (struct frame_hello){
		.message_max = CELL_MESSAGE_MAX_BYTES, .calls_max = CELL_CALLS_MAX,
		.window = CONNECTION_STREAM_WINDOW, .payload_max = CELL_PAYLOAD_MAX_BYTES,
	};
	conn->peer = *peer;
	(void)snprintf(conn->peer_cell, sizeof conn->peer_cell, "%s", peer->cell);
	(void)snprintf(conn->peer_node, sizeof conn->peer_node, "%s", peer->node);
	conn->peer.cell = conn->peer_cell;
	conn->peer.node = conn->peer_node;
	conn->peer.principal = "";
	list_init(&conn->outgoing);
	wake_init(&conn->wake, rt->wake_mode);
	wake_init_bulk(&conn->bulk_wake, rt->wake_mode);
	conn->waits_with = &conn->wake;
	list_append(&rt->connections, &conn->all);
	r = watch(conn, err);
	if (role == CONNECTION_CONTROL)
		conn->has_hello = true; /* Core.Hello takes its place */
	else if (r == 0)
		r = send_hello(conn, err);
	if (r < 0) {
		connection_break(conn, r, "no hello could be sent");
		if (role != CONNECTION_SERVER) /* that one the runtime held, and let go */
			connection_unref(conn);
		return r;
	}
	if (role == CONNECTION_SERVER) {
		conn->hello_timer.on_due = on_hello_due;
		wheel_arm(&rt->wheel, &conn->hello_timer,
			  clock_coarse_ns() + CELL_HELLO_TIMEOUT_MS * 1000000ull);
	}
	runtime_make_hot(rt, conn);
	*ret_conn = conn;
	return 0;
}

void connection_end(struct connection *conn)
{
	connection_break(conn, CELL_CANCELLED, "closed");
	list_append(&conn->rt->dead, &conn->all);
}

void connection_free(struct connection *conn)
{
	free(conn->pendings);
	free(conn);
}

/* One large buffer is kept: given back each time it costs more in page faults than to fill. */
static void outgoing_release(struct runtime *rt, struct outgoing *out)
{
	if (rt->spare_outgoing || out->size < SPARE_MIN || out->size > SPARE_MAX) {
		free(out);
		return;
	}
	rt->spare_outgoing = out;
	rt->spare_outgoing_size = out->size;
	runtime_trim_later(rt);
}

/*
 * Payloads are counted apart: their memory is charged elsewhere, and one that takes long to send
 * must not keep other bodies from beginning, nor us from hearing that it is not wanted.
 */
static void count_started(struct connection *conn, struct outgoing *out)
{
	out->is_started = true;
	if (out->payload) {
		conn->n_started_payloads++;
		conn->started_payload_bytes += out->frame.total;
		return;
	}
	conn->n_started++;
	conn->started_bytes += out->frame.total;
	conn->n_waiting_small -= out->frame.total <= FRAME_BODY_MAX;
}

static void count_ended(struct connection *conn, const struct outgoing *out)
{
	conn->n_outgoing--;
	if (out->payload) {
		conn->n_outgoing_payloads--;
		if (!out->is_started)
			return;
		conn->n_started_payloads--;
		conn->started_payload_bytes -= out->frame.total;
		return;
	}
	conn->outgoing_bytes -= out->frame.total;
	if (out->is_started) {
		conn->n_started--;
		conn->started_bytes -= out->frame.total;
	} else if (out->frame.total <= FRAME_BODY_MAX) {
		conn->n_waiting_small--;
	}
}

static void outgoing_free(struct connection *conn, struct outgoing *out)
{
	list_unlink(&out->node);
	count_ended(conn, out);
	payload_unref(out->payload);
	outgoing_release(conn->rt, out);
}

void connection_break(struct connection *conn, int code, const char *text)
{
	struct runtime *rt = conn->rt;
	uint64_t head;

	if (conn->is_broken)
		return;
	conn->is_broken = true;
	wheel_disarm(&rt->wheel, &conn->hello_timer);
	cell_log(CELL_LOG_DEBUG, "connection", "closed", "connection=%" PRIu64 " peer=%s reason=\"%s\"",
		 conn->id, conn->peer_cell, text);
	head = conn->link.kind == LINK_RING ? ring_peer_head(&conn->link.ring) : UINT64_MAX;
	conn->peer_head = head;

	if (conn->link.kind == LINK_RING)
		runtime_unwatch_bell(rt, conn);
	ev_io_stop(rt->ev, &conn->write_io);
	ev_io_stop(rt->ev, &conn->socket_io);
	list_unlink(&conn->all);
	list_unlink(&conn->dirty);
	if (conn->is_hot) {
		list_unlink(&conn->hot);
		conn->is_hot = false;
		rt->n_hot--;
	}
	conn->is_dirty = false;
	while (!list_is_empty(&conn->outgoing))
		outgoing_free(conn, list_entry(conn->outgoing.next, struct outgoing, node));
	for (unsigned i = 0; i < conn->n_payloads; i++)
		(void)close(conn->payloads[i].fd);
	conn->n_payloads = 0;
	connection_ref(conn);
	client_broken(conn, code, text);
	server_broken(conn);
	link_close(&conn->link);
	runtime_connection_closed(rt, conn);
	if (--conn->refs == 0)
		list_append(&rt->dead, &conn->all);
}

/* --- sending ------------------------------------------------------------------------- */

/*
 * Publishing and waking once per turn is cheapest; but while the peer polls, it may as well
 * begin with the first few frames of a batch, on its own CPU.
 */
#define FRAMES_HELD_BACK 8

static inline void publish_early(struct connection *conn)
{
	if (conn->link.kind != LINK_RING || ++conn->n_held_back < FRAMES_HELD_BACK)
		return;
	conn->n_held_back = 0;
	if (ring_peer_is_awake(&conn->link.ring))
		(void)link_flush(&conn->link);
}

static inline void count_out(struct connection *conn, const struct frame *frame,
			     const uint8_t *body)
{
	struct runtime *rt = conn->rt;

	rt->stats.frames_out++;
	rt->stats.bytes_out += frame->length;
	publish_early(conn);
	if (__builtin_expect(!list_is_empty(&rt->taps), 0))
		tap_frame(rt, conn, frame, body, true);
}

/*
 * May a new frame of CALL_ID go out now, before those that wait? Large bodies that wait for
 * their turn to begin hold nothing small up; whatever waits for room does.
 */
static bool may_overtake(const struct connection *conn, uint64_t call_id)
{
	if (conn->n_waiting_small > 0)
		return false;
	for (struct list *at = conn->outgoing.next; at != &conn->outgoing; at = at->next)
		if (list_entry(at, struct outgoing, node)->frame.call_id == call_id)
			return false;
	return true;
}

static inline bool may_go_first(const struct connection *conn, uint64_t call_id)
{
	return conn->n_outgoing == 0 || may_overtake(conn, call_id);
}

static inline bool begins_call(const struct frame *frame)
{
	return frame->kind == FRAME_REQUEST || frame->kind == FRAME_ONE_WAY;
}

/*
 * Calls begin with rising ids: a request that was overtaken while it waited, of which nothing
 * has left, gets a new one.
 */
static void begin_call_late(struct connection *conn, struct frame *frame)
{
	uint64_t id = frame->call_id;

	frame->call_id = client_renumber(conn, id);
	conn->last_begun_id = frame->call_id;
	for (struct list *at = conn->outgoing.next; at != &conn->outgoing; at = at->next) {
		struct outgoing *out = list_entry(at, struct outgoing, node);

		if (out->frame.call_id == id)
			out->frame.call_id = frame->call_id;
	}
}

static inline void begin_call(struct connection *conn, struct frame *frame)
{
	if (__builtin_expect(frame->call_id > conn->last_begun_id, 1))
		conn->last_begun_id = frame->call_id;
	else
		begin_call_late(conn, frame);
}

/* The message of LENGTH bytes at AT + FRAME_HEADER_SIZE is complete, and so leaves. */
static inline void send_whole(struct connection *conn, struct frame *frame, size_t length,
			      uint8_t *at)
{
	if (begins_call(frame))
		begin_call(conn, frame);
	link_commit_whole(&conn->link, frame, (uint32_t)length, at);
	count_out(conn, frame, at + FRAME_HEADER_SIZE);
	if (!conn->is_dirty)
		runtime_make_dirty(conn->rt, conn);
}

static struct outgoing *outgoing_new(struct connection *conn, const struct frame *frame,
				     size_t bound)
{
	struct runtime *rt = conn->rt;
	struct outgoing *out;
	size_t size;

	if (!cell_add(sizeof *out, bound, &size))
		return NULL;
	if (rt->spare_outgoing && size > SPARE_MIN && size <= rt->spare_outgoing_size) {
		out = rt->spare_outgoing;
		size = rt->spare_outgoing_size;
		rt->spare_outgoing = NULL;
	} else {
		out = malloc(size);
		if (!out)
			return NULL;
	}
	out->frame = *frame;
	out->size = size;
	out->sent = 0;
	out->is_started = false;
	out->pieces.n = out->piece = out->piece_at = 0;
	out->payload = NULL;
	out->at = out->bytes;
	return out;
}

static void outgoing_push(struct connection *conn, struct outgoing *out, struct frame *frame,
			  size_t len)
{
	out->frame.total = (uint32_t)len;
	frame->total = (uint32_t)len;
	list_append(&conn->outgoing, &out->node);
	conn->n_outgoing++;
	if (out->payload) {
		conn->n_outgoing_payloads++;
	} else {
		conn->n_waiting_small += len <= FRAME_BODY_MAX;
		conn->outgoing_bytes += len;
	}
	connection_pump(conn);
}

static int check_size(const struct connection *conn, size_t len, struct cell_error *err)
{
	uint32_t max = conn->theirs.message_max;

	if (conn->link.kind == LINK_PACKET)
		max = LINK_PACKET_BODY_MAX;
	if (len <= max)
		return 0;
	return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
			 "a body of %zu bytes, %s takes %u; build larger ones with "
			 "cell_payload_new()", len, *conn->peer_cell ? conn->peer_cell : "its caller", max);
}

/* Copy the next N bytes of the body of OUT to TO. */
static void outgoing_copy(struct outgoing *out, uint8_t *to, size_t n)
{
	while (n > 0) {
		const struct cell_chunk *piece = &out->pieces.items[out->piece];
		size_t part = n;

		if (out->piece == out->pieces.n || out->at < piece->at) {
			if (out->piece < out->pieces.n && part > (size_t)(piece->at - out->at))
				part = (size_t)(piece->at - out->at);
			memcpy(to, out->at, part);
			out->at += part;
		} else {
			if (part > piece->len - out->piece_at)
				part = piece->len - out->piece_at;
			memcpy(to, piece->bytes + out->piece_at, part);
			out->piece_at += part;
			if (out->piece_at == piece->len) {
				out->piece++;
				out->piece_at = 0;
			}
		}
		to += part;
		n -= part;
	}
}

int connection_send(struct connection *conn, struct frame *frame,
		    const struct cell_message_type *type, const void *message,
		    const struct frame_metadata *metadata, bool is_lent,
		    struct cell_error *err)
{
	size_t extra = metadata ? frame_metadata_size(metadata) : 0;
	size_t bound = type->bound(message);
	struct outgoing *out;
	uint8_t *at, *end;
	size_t len;
	bool broken;
	int r;

	if (conn->is_broken)
		return cell_fail(err, CELL_UNAVAILABLE, "the connection to %s is closed",
				 conn->peer_cell);
	if (bound > FRAME_MESSAGE_MAX * 2ul)
		return check_size(conn, bound, err);
	if (extra)
		frame->flags |= FRAME_FLAG_METADATA;
	if (bound + extra <= FRAME_BODY_MAX && may_go_first(conn, frame->call_id)) {
		at = link_reserve(&conn->link, bound + extra, &broken);
		if (at) {
			uint8_t *body = at + FRAME_HEADER_SIZE;

			end = extra ? frame_metadata_encode(metadata, body) : body;
			end = type->encode(message, end);
			send_whole(conn, frame, (size_t)(end - body), at);
			return 0;
		}
		if (broken) {
			conn->rt->stats.broken_peers++;
			connection_break(conn, CELL_UNAVAILABLE, "the peer broke its ring");
			return cell_fail(err, CELL_UNAVAILABLE, "%s broke its ring",
					 conn->peer_cell);
		}
	}
	is_lent = is_lent && bound > FRAME_BODY_MAX && type->encode_around;
	out = outgoing_new(conn, frame, (is_lent ? type->bound_around(message) : bound) + extra);
	if (!out)
		return cell_fail(err, -ENOMEM, "a body of %zu bytes", bound);
	end = extra ? frame_metadata_encode(metadata, out->bytes) : out->bytes;
	end = is_lent ? type->encode_around(message, end, &out->pieces)
		      : type->encode(message, end);
	len = (size_t)(end - out->bytes);
	for (size_t i = 0; i < out->pieces.n; i++)
		len += out->pieces.items[i].len;
	r = check_size(conn, len, err);
	if (r < 0) {
		outgoing_release(conn->rt, out);
		return r;
	}
	outgoing_push(conn, out, frame, len);
	return 0;
}

int connection_send_bytes(struct connection *conn, struct frame *frame, const void *bytes,
			  size_t len, struct cell_error *err)
{
	struct outgoing *out;
	uint8_t *at;
	bool broken;
	int r;

	if (conn->is_broken)
		return cell_fail(err, CELL_UNAVAILABLE, "the connection to %s is closed",
				 conn->peer_cell);
	r = check_size(conn, len, err);
	if (r < 0)
		return r;
	if (len <= FRAME_BODY_MAX && may_go_first(conn, frame->call_id)) {
		at = link_reserve(&conn->link, len, &broken);
		if (at) {
			if (len)
				memcpy(at + FRAME_HEADER_SIZE, bytes, len);
			send_whole(conn, frame, len, at);
			return 0;
		}
	}
	out = outgoing_new(conn, frame, len);
	if (!out)
		return cell_fail(err, -ENOMEM, "a body of %zu bytes", len);
	if (len)
		memcpy(out->bytes, bytes, len);
	outgoing_push(conn, out, frame, len);
	return 0;
}

int connection_send_payload(struct connection *conn, struct frame *frame,
			    struct cell_payload *payload, struct cell_error *err)
{
	struct outgoing *out;
	struct cell_chunk *piece;
	size_t len;

	if (conn->n_outgoing_payloads == CONNECTION_PAYLOADS_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "%s has not taken earlier payloads",
				 conn->peer_cell);
	out = outgoing_new(conn, frame, 0);
	if (!out)
		return cell_fail(err, -ENOMEM, "sending a payload");
	out->frame.flags |= FRAME_FLAG_MEMFD;
	out->payload = payload_ref(payload);
	piece = &out->pieces.items[out->pieces.n++];
	piece->at = out->bytes;
	piece->bytes = payload_message(payload, &piece->len);
	len = piece->len;
	outgoing_push(conn, out, frame, len);
	return 0;
}

void connection_send_status(struct connection *conn, uint8_t kind, uint8_t channel, uint64_t call_id,
			    int code, const char *text)
{
	struct frame frame = {
		.kind = kind, .channel = channel, .call_id = call_id,
		.code = cell_status_to_wire(code),
	};

	(void)connection_send_bytes(conn, &frame, text, strlen(text), NULL);
}

/*
 * Two sides that copy at the same time go on most evenly with a few fragments in the ring;
 * two that take turns on one CPU have the fewest turns with large ones.
 */
static size_t fragment_max(const struct connection *conn, size_t total)
{
	if (total <= FRAME_BODY_MAX || conn->link.kind != LINK_RING ||
	    conn->bulk_wake.is_on_one_cpu)
		return FRAME_BODY_MAX;
	return FRAME_BODY_MAX / 2;
}

/* Send the next fragment of OUT; false if there is no room for it. */
static bool pump_fragment(struct connection *conn, struct outgoing *out)
{
	size_t total = out->frame.total;
	size_t left = total - out->sent;
	size_t max = fragment_max(conn, total);
	size_t n = left < max ? left : max;
	size_t headroom = total > FRAME_BODY_MAX ? HEADROOM : 0;
	bool broken = false;
	struct frame frame;
	uint8_t *at;

	conn->room_needed = frame_ring_size(n) + headroom;
	at = NULL;
	if (!headroom || link_room(&conn->link, &broken) >= conn->room_needed)
		at = link_reserve(&conn->link, n, &broken);
	if (broken) {
		conn->rt->stats.broken_peers++;
		connection_break(conn, CELL_UNAVAILABLE, "the peer broke its ring");
	}
	if (!at)
		return false;
	outgoing_copy(out, at + FRAME_HEADER_SIZE, n);
	if (!out->is_started && begins_call(&out->frame))
		begin_call(conn, &out->frame);
	frame = out->frame;
	frame.length = (uint32_t)n;
	if (out->sent > 0) {
		frame.total = 0;
		frame.timeout_ns = 0;
		frame.flags &= (uint16_t)~(FRAME_FLAG_METADATA | FRAME_FLAG_MEMFD);
	}
	if (n < left)
		frame.flags |= FRAME_FLAG_MORE;
	link_commit(&conn->link, &frame);
	count_out(conn, &frame, at + FRAME_HEADER_SIZE);
	if (total > FRAME_BODY_MAX) {
		conn->bulk_waits = CONNECTION_BULK_WAITS;
		/* While we copy the next one, the peer may as well copy this one. */
		if (conn->link.kind == LINK_RING && ring_peer_is_awake(&conn->link.ring))
			(void)link_flush(&conn->link);
	}
	out->sent += n;
	if (!out->is_started)
		count_started(conn, out);
	if (out->sent < total)
		return true;
	if (begins_call(&out->frame))
		client_sent(conn, out->frame.call_id);
	outgoing_free(conn, out);
	return true;
}

/* Whether something of the same call stands before OUT. */
static bool is_behind(const struct connection *conn, const struct outgoing *out)
{
	for (struct list *at = conn->outgoing.next; at != &out->node; at = at->next)
		if (list_entry(at, struct outgoing, node)->frame.call_id == out->frame.call_id)
			return true;
	return false;
}

/* Whether OUT may not begin before a body that is under way has ended. */
static bool exceeds_limits(const struct connection *conn, const struct outgoing *out)
{
	if (out->payload)
		return conn->n_started_payloads > 0 &&
		       conn->started_payload_bytes + out->frame.total >
			       conn->theirs.payload_max + FRAME_PAYLOAD_PREFIX;
	return out->frame.total > FRAME_BODY_MAX &&
	       (conn->n_started >= CONNECTION_ASSEMBLIES_MAX ||
		(conn->n_started > 0 && conn->started_bytes + out->frame.total >
						CONNECTION_ASSEMBLY_BYTES_MAX));
}

/*
 * One fragment of each body that is under way, in turn; the next large body begins when
 * fewer than the receiver's limits are. Small ones do not wait for that.
 */
void connection_pump(struct connection *conn)
{
	bool any = !list_is_empty(&conn->outgoing);
	bool sent = false;

	while (any && !conn->is_broken) {
		struct list *at = conn->outgoing.next;
		bool is_full[2] = { false, false }; /* bodies, payloads */

		any = false;
		while (at != &conn->outgoing) {
			struct outgoing *out = list_entry(at, struct outgoing, node);

			at = at->next;
			if (!out->is_started && is_behind(conn, out))
				continue; /* the parts of one call stay in order */
			if (!out->is_started &&
			    (out->payload || out->frame.total > FRAME_BODY_MAX)) {
				bool *full = &is_full[out->payload != NULL];

				*full = *full || exceeds_limits(conn, out);
				if (*full)
					continue; /* nor does a later one of them begin before it */
			}
			if (!pump_fragment(conn, out)) {
				any = false;
				goto full;
			}
			any = sent = true;
		}
		any = any && !list_is_empty(&conn->outgoing);
	}
full:
	if (conn->is_broken)
		return;
	conn->wants_room = !list_is_empty(&conn->outgoing);
	if (sent)
		runtime_make_dirty(conn->rt, conn);
	if (!conn->wants_room)
		runtime_check_drained(conn->rt);
	else if (conn->link.kind == LINK_RING)
		/* It may be asleep with a flag that says nothing of room: it must sleep anew. */
		runtime_make_hot(conn->rt, conn);
}

bool connection_has_begun(const struct connection *conn, uint64_t call_id)
{
	for (struct list *at = conn->outgoing.next; at != &conn->outgoing; at = at->next) {
		const struct outgoing *out = list_entry(at, struct outgoing, node);

		if (out->frame.call_id == call_id && begins_call(&out->frame))
			return out->is_started;
	}
	return true;
}

/* Take back what was not sent of CALL_ID. True if its first fragment had left. */
bool connection_unsend(struct connection *conn, uint64_t call_id)
{
	bool had_left = true;
	struct list *at = conn->outgoing.next;

	while (!conn->is_broken && at != &conn->outgoing) {
		struct outgoing *out = list_entry(at, struct outgoing, node);

		at = at->next;
		if (out->frame.call_id != call_id)
			continue;
		if (out->frame.kind == FRAME_REQUEST && !out->is_started)
			had_left = false;
		outgoing_free(conn, out);
	}
	return had_left;
}

bool connection_unsend_payload(struct connection *conn, uint64_t call_id)
{
	for (struct list *at = conn->outgoing.next; at != &conn->outgoing; at = at->next) {
		struct outgoing *out = list_entry(at, struct outgoing, node);

		if (out->frame.call_id == call_id && out->frame.kind == FRAME_REPLY &&
		    out->payload) {
			outgoing_free(conn, out);
			return true;
		}
	}
	return false;
}

/* --- receiving ----------------------------------------------------------------------- */

int connection_assemble(struct connection *conn, struct assembly *assembly,
			const struct frame *frame, const uint8_t *body, size_t max,
			struct cell_arena *arena, struct cell_error *err)
{
	bool is_whole = !(frame->flags & FRAME_FLAG_MORE);

	if (assembly->total == 0) {
		size_t total = is_whole ? frame->length : frame->total;

		if (total > max)
			return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
					 "a body of %zu bytes, limit %zu; build larger ones with "
					 "cell_payload_new()", total, max);
		if (!is_whole && (conn->n_assemblies == CONNECTION_ASSEMBLIES_MAX ||
				  (conn->n_assemblies > 0 && conn->assembly_bytes + total >
							     CONNECTION_ASSEMBLY_BYTES_MAX)))
			return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
					 "%u bodies with %zu bytes arrive on this connection already",
					 conn->n_assemblies, conn->assembly_bytes);
		assembly->bytes = arena ? cell_arena_alloc(arena, total + 1) : malloc(total + 1);
		if (!assembly->bytes)
			return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "no memory for %zu bytes",
					 total);
		assembly->have = 0;
		assembly->total = total;
		if (is_whole) {
			if (total)
				memcpy(assembly->bytes, body, total);
			assembly->have = total;
			return 0;
		}
		conn->n_assemblies++;
		conn->assembly_bytes += total;
	}
	if (frame->length > assembly->total - assembly->have ||
	    (is_whole && frame->length != assembly->total - assembly->have) ||
	    (!is_whole && frame->length == 0))
		return cell_fail(err, -EPROTO, "fragments of %zu bytes that were announced as %zu",
				 assembly->have + frame->length, assembly->total);
	memcpy(assembly->bytes + assembly->have, body, frame->length);
	assembly->have += frame->length;
	conn->bulk_waits = CONNECTION_BULK_WAITS;
	if (!is_whole)
		return 1;
	conn->n_assemblies--;
	conn->assembly_bytes -= assembly->total;
	return 0;
}

static int payload_announced(struct connection *conn, struct assembly *assembly,
			     const struct frame *frame, uint64_t max, struct cell_error *err)
{
	uint64_t total = frame->flags & FRAME_FLAG_MORE ? frame->total : frame->length;
	int r;

	if (total == 0)
		return cell_fail(err, -EPROTO, "a payload without bytes");
	if (total > max + FRAME_PAYLOAD_PREFIX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "a payload of %" PRIu64 " bytes, limit %" PRIu64, total, max);
	if (conn->n_arriving_payloads == CONNECTION_PAYLOADS_MAX ||
	    (conn->n_arriving_payloads > 0 &&
	     conn->arriving_payload_bytes + total > max + FRAME_PAYLOAD_PREFIX))
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "%u payloads of %" PRIu64 " bytes arrive on this connection already",
				 conn->n_arriving_payloads, conn->arriving_payload_bytes);
	r = payload_begin(&assembly->fd, err);
	if (r < 0)
		return r;
	assembly->is_payload = true;
	assembly->total = total;
	assembly->have = 0;
	conn->n_arriving_payloads++;
	conn->arriving_payload_bytes += total;
	return 0;
}

int connection_assemble_payload(struct connection *conn, struct assembly *assembly,
				const struct frame *frame, const uint8_t *body, uint64_t max,
				struct cell_payload **ret_payload, struct cell_error *err)
{
	bool is_whole = !(frame->flags & FRAME_FLAG_MORE);
	size_t left;
	int fd, r;

	if (assembly->total == 0) {
		r = payload_announced(conn, assembly, frame, max, err);
		if (r < 0)
			return r;
	}
	left = assembly->total - assembly->have;
	if (!assembly->is_payload || frame->length > left || is_whole != (frame->length == left))
		return cell_fail(err, -EPROTO,
				 "fragments of a payload, %zu bytes that were announced as %zu",
				 assembly->have + frame->length, assembly->total);
	r = payload_append(assembly->fd, assembly->have, body, frame->length, err);
	if (r < 0)
		return r;
	assembly->have += frame->length;
	if (!is_whole)
		return 1;
	fd = assembly->fd;
	assembly->fd = -1;
	*ret_payload = payload_finish(fd, assembly->have, max, err);
	connection_assembly_drop(conn, assembly);
	return *ret_payload ? 0 : CELL_RESOURCE_EXHAUSTED;
}

void connection_assembly_forget(struct connection *conn, struct assembly *assembly)
{
	if (assembly->is_payload) {
		conn->n_arriving_payloads--;
		conn->arriving_payload_bytes -= assembly->total;
		if (assembly->fd >= 0)
			(void)close(assembly->fd);
	} else {
		conn->n_assemblies--;
		conn->assembly_bytes -= assembly->total;
	}
	*assembly = (struct assembly){ 0 };
}

struct cell_payload *connection_take_payload(struct connection *conn, const struct frame *frame,
					     uint64_t max, struct cell_error *err)
{
	if (frame->length || frame->flags & FRAME_FLAG_MORE) {
		(void)cell_fail(err, -EPROTO, "a body both in a memfd and in frames");
		return NULL;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < conn->n_payloads; i++) {
			struct waiting_payload taken = conn->payloads[i];

			if (taken.call_id != frame->call_id)
				continue;
			conn->payloads[i] = conn->payloads[--conn->n_payloads];
			return payload_map(taken.fd, taken.size, max, err);
		}
		/* It was sent before its frame was published: it must be there now. */
		if (conn->link.kind == LINK_RING && !conn->is_broken)
			lifeline_read(conn);
	}
	(void)cell_fail(err, -EPROTO, "a frame without the payload it announces");
	return NULL;
}

static int hello(struct connection *conn, const struct frame *frame, const uint8_t *body,
		 struct cell_error *err)
{
	uint8_t copy[FRAME_HELLO_SIZE * 4];
	size_t len = frame->length < sizeof copy ? frame->length : sizeof copy;
	int r;

	if (frame->kind != FRAME_HELLO || conn->has_hello)
		return cell_fail(err, -EPROTO, "%s where hello was due",
				 frame_kind_name(frame->kind));
	memcpy(copy, body, len);
	r = frame_hello_decode(&conn->theirs, copy, len, err);
	if (r < 0)
		return r;
	if (conn->theirs.version != FRAME_VERSION)
		return cell_fail(err, -EPROTO, "protocol version %u, ours is %u",
				 conn->theirs.version, FRAME_VERSION);
	if (conn->theirs.message_max > FRAME_MESSAGE_MAX)
		conn->theirs.message_max = FRAME_MESSAGE_MAX;
	if (conn->theirs.payload_max > FRAME_PAYLOAD_MAX)
		conn->theirs.payload_max = FRAME_PAYLOAD_MAX; /* so that sums cannot overflow */
	if (conn->theirs.schema && conn->rt->schema && conn->role == CONNECTION_SERVER &&
	    conn->theirs.schema != conn->rt->schema)
		conn->rt->stats.schema_differs++;
	conn->has_hello = true;
	wheel_disarm(&conn->rt->wheel, &conn->hello_timer);
	return 0;
}

static inline bool is_for_client(const struct connection *conn, const struct frame *frame)
{
	switch (frame->kind) {
	case FRAME_REPLY:
	case FRAME_ERROR:
	case FRAME_GOAWAY:
		return true;
	case FRAME_REQUEST:
	case FRAME_ONE_WAY:
	case FRAME_CANCEL:
		return false;
	default:
		return conn->role != CONNECTION_SERVER;
	}
}

/* One frame. It is consumed in any case, before handlers run. */
static int take_frame(struct connection *conn, const struct frame *frame, const uint8_t *body,
		      struct cell_error *err)
{
	bool for_client;
	int r;

	conn->rt->stats.frames_in++;
	conn->rt->stats.bytes_in += frame->length;
	if (__builtin_expect(!list_is_empty(&conn->rt->taps), 0))
		tap_frame(conn->rt, conn, frame, body, false);
	if (__builtin_expect(!conn->has_hello || frame->kind == FRAME_HELLO, 0)) {
		r = hello(conn, frame, body, err);
		connection_consume(conn, frame);
		return r;
	}
	for_client = is_for_client(conn, frame);
	if ((for_client && conn->role == CONNECTION_SERVER) ||
	    (!for_client && conn->role == CONNECTION_CLIENT))
		return cell_fail(err, -EPROTO, "%s from the wrong side",
				 frame_kind_name(frame->kind));
	if (!for_client)
		return server_frame(conn, frame, body, err);
	r = client_frame(conn, frame, body, err);
	if (!conn->is_broken)
		connection_consume(conn, frame);
	return r;
}

static void break_for(struct connection *conn, int r, const struct cell_error *err)
{
	char quoted[256];

	if (r == -ENOMEM) {
		connection_break(conn, CELL_RESOURCE_EXHAUSTED, err->text);
		return;
	}
	conn->rt->stats.broken_peers++;
	cell_log(CELL_LOG_WARN, "connection", "peer_drop",
		 "connection=%" PRIu64 " peer=\"%s\" instance=%" PRIu64 " reason=\"%s\"", conn->id,
		 conn->peer_cell, conn->peer.instance,
		 cell_log_quote(quoted, sizeof quoted, err->text));
	connection_break(conn, CELL_UNAVAILABLE, err->text);
}

/* A peer that does not take its answers asks nothing more of us. */
static bool is_choked(const struct connection *conn)
{
	return conn->role != CONNECTION_CLIENT &&
	       (conn->n_outgoing >= CONNECTION_OUTGOING_MAX ||
		conn->outgoing_bytes >= CONNECTION_OUTGOING_BYTES_MAX);
}

/* While choked, what lies there unread must not wake us; only room for the answers does. */
static void choke(struct connection *conn, bool is_now)
{
	if (conn->is_choked == is_now)
		return;
	conn->is_choked = is_now;
	if (conn->link.kind == LINK_RING)
		ring_pause(&conn->link.ring, is_now);
	else if (is_now)
		ev_io_stop(conn->rt->ev, &conn->socket_io);
	else
		runtime_io_start(conn->rt, &conn->socket_io);
}

unsigned connection_drain(struct connection *conn, unsigned budget)
{
	struct runtime *rt = conn->rt;
	uint64_t epoch = rt->epoch;
	unsigned n = 0;

	if (conn->is_broken)
		return 0;
	rt->batch_ns = 0;
	connection_ref(conn);
	while (n < budget && !conn->is_broken && !is_choked(conn)) {
		struct cell_error err;
		const uint8_t *body;
		struct frame frame;
		int r = link_peek(&conn->link, &frame, &body, &err);

		if (r == LINK_EMPTY)
			break;
		if (r == LINK_END) {
			connection_break(conn, CELL_UNAVAILABLE, "the peer closed the connection");
			break;
		}
		if (r == 0) {
			n++;
			r = take_frame(conn, &frame, body, &err);
		}
		if (r < 0)
			break_for(conn, r, &err);
		if (rt->epoch != epoch)
			break;
	}
	if (!conn->is_broken) {
		/* The last look at whether the peer waits for room: none was sure till now. */
		link_release(&conn->link);
		if (!list_is_empty(&conn->outgoing))
			connection_pump(conn);
		if (conn->tx_has_failed && is_choked(conn))
			connection_break(conn, CELL_UNAVAILABLE, "the peer is gone");
	}
	if (!conn->is_broken) {
		choke(conn, is_choked(conn));
		if (conn->lifeline_is_ready && n == 0) {
			conn->lifeline_is_ready = false;
			lifeline_read(conn);
			if (!conn->is_broken)
				runtime_io_start(rt, &conn->socket_io);
		}
	}
	connection_unref(conn);
	return n;
}
