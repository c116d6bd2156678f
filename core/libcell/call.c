#include "callstate.h"
#include "clock.h"
#include "tables.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the call as a context ----------------------------------------------------------- */

void call_root_end_children(struct call_root *root)
{
	if (root->tables)
		call_tables_end(root);
	while (!list_is_empty(&root->pendings))
		pending_drop(list_entry(root->pendings.next, struct pending, in_root), true);
	while (!list_is_empty(&root->streams))
		stream_free(list_entry(root->streams.next, struct cell_stream, in_root));
	while (!list_is_empty(&root->payloads))
		payload_unlist(root->payloads.next);
}

void call_root_deinit(struct call_root *root)
{
	call_root_end_children(root);
	cell_arena_deinit(&root->arena);
}

void call_root_cancel(struct call_root *root, int status)
{
	if (root->is_cancelled)
		return;
	root->is_cancelled = true;
	root->cancel_status = status;
	runtime_wake(root->rt, root->waiter);
}

/*
 * A root call without a runtime (no memory, no epoll) still has to be one: every stub
 * then reports why. It is never written to, except for its error.
 */
static struct call_root *root_without_runtime(const struct cell_error *err)
{
	static const struct cell_peer nobody = { .cell = "", .node = "", .principal = "" };
	static struct call_root broken;

	if (broken.call.root == NULL)
		call_root_init(&broken, NULL, &nobody, UINT64_MAX);
	broken.error = *err;
	return &broken;
}

struct cell_call *cell_open(const char *program)
{
	struct call_root *root = calloc(1, sizeof *root);
	struct cell_error err = { 0 };
	struct runtime *rt;

	cell_log_init(program);
	if (!root) {
		(void)cell_fail(&err, -ENOMEM, "opening '%s'", program);
		return &root_without_runtime(&err)->call;
	}
	if (runtime_new(&rt, program, &err) < 0) {
		free(root);
		return &root_without_runtime(&err)->call;
	}
	cell_arena_init(&root->arena, 0);
	call_root_init(root, rt, &rt->self, UINT64_MAX);
	rt->root = root;
	return &root->call;
}

void cell_close(struct cell_call *call)
{
	struct runtime *rt = call->root->rt;
	struct call_root *root;

	if (!rt)
		return;
	root = rt->root;
	if (!task_is_on_first_stack(rt->tasks)) {
		/* We stand on what would be freed: whoever opened it does that. */
		call_root_cancel(root, CELL_CANCELLED);
		runtime_cancel_tasks(rt);
		return;
	}
	linked_close(rt, call);
	call_root_end_children(root);
	runtime_close(rt);
	call_root_deinit(root);
	runtime_free(rt);
	free(root);
}

static struct cell_call *derive(struct cell_call *call)
{
	struct cell_call *copy = cell_arena_alloc(&call->root->arena, sizeof *copy);

	if (!copy) {
		(void)cell_fail(&call->root->error, -ENOMEM, "a derived call");
		return call;
	}
	*copy = *call;
	return copy;
}

/*
 * What a time that somebody asked for is counted from: the coarse clock, by which deadlines
 * are told to the other side, unless the kernel's tick is late and that one is behind.
 */
static uint64_t never_early_ns(void)
{
	uint64_t coarse = clock_coarse_ns(), now = clock_now_ns();

	return coarse > now ? coarse : now;
}

struct cell_call *cell_within_ms(struct cell_call *call, uint64_t ms)
{
	struct cell_call *copy = derive(call);
	uint64_t ns;

	if (__builtin_mul_overflow(ms, 1000000ull, &ns) ||
	    __builtin_add_overflow(ns, never_early_ns(), &ns))
		return copy;
	copy->deadline_ns = deadline_min(call->deadline_ns, ns);
	return copy;
}

struct cell_call *cell_to(struct cell_call *call, const char *cell, uint64_t instance)
{
	struct cell_call *copy = derive(call);

	copy->to_cell = cell_arena_strdup(&call->root->arena, cell);
	copy->to_instance = instance;
	copy->pool = NULL;
	return copy;
}

struct cell_arena *cell_arena(struct cell_call *call)
{
	return &call->root->arena;
}

struct cell_arena_mark cell_mark(struct cell_call *call)
{
	return cell_arena_mark(&call->root->arena);
}

void cell_rewind(struct cell_call *call, struct cell_arena_mark mark)
{
	cell_arena_rewind(&call->root->arena, mark);
}

const struct cell_error *cell_error(const struct cell_call *call)
{
	return &call->root->error;
}

struct cell_error *cell_error_slot(struct cell_call *call)
{
	return &call->root->error;
}

int cell_refuse(struct cell_call *call, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)cell_failv(&call->root->error, code, format, args);
	va_end(args);
	return code;
}

int cell_exit(struct cell_call *call, int err)
{
	if (err) {
		const struct cell_error *error = cell_error(call);
		const char *text = error->code == err && error->text[0] ? error->text
									 : cell_status_name(err);
		const char *program = call->root->rt ? call->root->rt->program : "cell";

		fprintf(stderr, "%s: %s\n", program, text);
	}
	cell_close(call);
	return cell_status_exit_code(err);
}

const struct cell_peer *cell_call_peer(const struct cell_call *call)
{
	return call->root->peer;
}

uint64_t cell_call_left_ns(const struct cell_call *call)
{
	uint64_t now;

	if (call->deadline_ns == UINT64_MAX)
		return UINT64_MAX;
	now = clock_now_ns();
	return now < call->deadline_ns ? call->deadline_ns - now : 0;
}

bool cell_call_is_cancelled(const struct cell_call *call)
{
	return call->root->is_cancelled || cell_call_left_ns(call) == 0;
}

int cell_sleep_ms(struct cell_call *call, uint64_t ms)
{
	struct call_root *root = call->root;
	uint64_t until = never_early_ns() + ms * 1000000ull;
	struct waiter *slot;
	int r;

	if (!root->rt)
		return root->error.code;
	r = runtime_wait(root->rt, root, &slot, deadline_min(until, call->deadline_ns));
	if (r == CELL_DEADLINE_EXCEEDED && until <= call->deadline_ns)
		return 0;
	if (r < 0)
		return cell_refuse(call, r, "sleeping: %s", cell_status_name(r));
	return 0;
}

struct readable {
	ev_io io;
	struct runtime *rt;
	struct waiter *waiter;
};

static void on_fd_readable(struct ev_loop *ev, ev_io *io, int events)
{
	struct readable *readable = io->data;

	(void)events;
	ev_io_stop(ev, io);
	runtime_wake(readable->rt, readable->waiter);
}

static int wait_for(struct cell_call *call, int fd, int events, const char *what)
{
	struct call_root *root = call->root;
	struct readable readable = { .rt = root->rt };
	int r;

	if (!root->rt)
		return root->error.code;
	ev_io_init(&readable.io, on_fd_readable, fd, events);
	readable.io.data = &readable;
	runtime_io_start(root->rt, &readable.io);
	r = runtime_wait(root->rt, root, &readable.waiter, call->deadline_ns);
	ev_io_stop(root->rt->ev, &readable.io);
	if (r < 0)
		return cell_refuse(call, r, "waiting for %s: %s", what, cell_status_name(r));
	return 0;
}

int cell_event_wait(struct cell_call *call, struct cell_event *event)
{
	struct call_root *root = call->root;
	struct waiter *waiter = NULL;
	int r = 0;

	if (!root->rt)
		return root->error.code;
	cell_assert(!event->waiter);
	if (!event->has_happened) {
		event->waiter = &waiter;
		r = runtime_wait(root->rt, root, &waiter, call->deadline_ns);
		event->waiter = NULL;
	}
	if (r < 0)
		return cell_refuse(call, r, "waiting: %s", cell_status_name(r));
	event->has_happened = false;
	return 0;
}

void cell_event_set(struct cell_event *event)
{
	struct waiter **waiter = event->waiter;

	event->has_happened = true;
	if (waiter && *waiter)
		runtime_wake((*waiter)->rt, *waiter);
}

int cell_wait_readable(struct cell_call *call, int fd)
{
	return wait_for(call, fd, EV_READ, "input");
}

int cell_wait_writable(struct cell_call *call, int fd)
{
	return wait_for(call, fd, EV_READ | EV_WRITE, "room for output");
}

const uint8_t *cell_call_trace(const struct cell_call *call)
{
	return call->root->has_trace ? call->root->trace : NULL;
}

void cell_call_set_trace(struct cell_call *call, const uint8_t *trace)
{
	call->root->has_trace = trace != NULL;
	if (trace)
		memcpy(call->root->trace, trace, sizeof call->root->trace);
}

const uint8_t *cell_call_idempotency_key(const struct cell_call *call, size_t *ret_len)
{
	*ret_len = call->root->idempotency_key_len;
	return call->root->idempotency_key;
}

struct deadline deadline_at(uint64_t at_ns)
{
	uint64_t now;

	if (at_ns == UINT64_MAX)
		return (struct deadline){ .at_ns = UINT64_MAX };
	now = clock_coarse_ns();
	return (struct deadline){ .at_ns = at_ns, .left_ns = at_ns > now ? at_ns - now : 1 };
}

struct deadline deadline_after(uint64_t at_ns, uint64_t timeout_ns)
{
	if (at_ns != UINT64_MAX)
		return deadline_at(at_ns);
	return (struct deadline){ .at_ns = clock_coarse_ns() + timeout_ns,
				  .left_ns = timeout_ns };
}

/* --- calls in flight ----------------------------------------------------------------- */

/*
 * Ids rise and are skipped where their place in the table is taken by a call that is still
 * in flight: so a look-up is one index, and no id is used twice.
 */
static int table_grow(struct connection *conn)
{
	unsigned size = conn->pendings_size ? conn->pendings_size * 2 : 64;
	struct pending **table = calloc(size, sizeof *table);

	if (!table)
		return -ENOMEM;
	for (unsigned i = 0; i < conn->pendings_size; i++)
		if (conn->pendings[i])
			table[conn->pendings[i]->id & (size - 1)] = conn->pendings[i];
	free(conn->pendings);
	conn->pendings = table;
	conn->pendings_size = size;
	return 0;
}

static int pending_insert(struct connection *conn, struct pending *pending)
{
	if (conn->n_pending * 2 >= conn->pendings_size && table_grow(conn) < 0)
		return -ENOMEM;
	while (conn->pendings[conn->next_id & (conn->pendings_size - 1)])
		conn->next_id++;
	pending->id = conn->next_id++;
	pending->conn = conn;
	conn->pendings[pending->id & (conn->pendings_size - 1)] = pending;
	conn->n_pending++;
	return 0;
}

/* All but what pending_start() sets, and the body and text that its end brings. */
static inline void pending_init(struct pending *pending, const struct cell_method *method,
				struct cell_payload *payload, bool lends)
{
	pending->lends = lends;
	pending->method = method;
	pending->conn = NULL;
	pending->in_root = (struct list){ 0 };
	pending->stream = NULL;
	pending->waiter = NULL;
	pending->on_ready = NULL;
	pending->assembly = (struct assembly){ 0 };
	pending->payload = payload;
	pending->status = 0;
	pending->done = pending->was_taken = pending->was_lost = pending->must_retry = false;
	pending->error_text = NULL;
	pending->n_fds = 0;
}

static void pending_remove(struct pending *pending)
{
	struct connection *conn = pending->conn;

	if (!conn)
		return;
	connection_assembly_drop(conn, &pending->assembly);
	if (pending->lends && conn->n_outgoing > 0)
		(void)connection_unsend(conn, pending->id); /* answered before all of it had left */
	conn->pendings[pending->id & (conn->pendings_size - 1)] = NULL;
	conn->n_pending--;
	pending->conn = NULL;
	if (conn->is_going_away && conn->n_pending == 0)
		connection_break(conn, CELL_UNAVAILABLE, "the peer said goaway");
}

static struct pending *pending_find(struct connection *conn, uint64_t id)
{
	struct pending *pending;

	if (!conn->pendings_size)
		return NULL;
	pending = conn->pendings[id & (conn->pendings_size - 1)];
	return pending && pending->id == id ? pending : NULL;
}

/* Where what was sent last ends. */
static inline uint64_t sent_end(const struct connection *conn)
{
	return conn->link.kind == LINK_RING ? conn->link.ring.tx_tail : 0;
}

void client_sent(struct connection *conn, uint64_t call_id)
{
	struct pending *pending = pending_find(conn, call_id);

	if (pending)
		pending->sent_end = sent_end(conn);
}

uint64_t client_renumber(struct connection *conn, uint64_t call_id)
{
	struct pending *pending = pending_find(conn, call_id);
	unsigned mask = conn->pendings_size - 1;

	if (!pending)
		return conn->next_id++; /* one-way: nobody waits */
	conn->pendings[call_id & mask] = NULL;
	while (conn->pendings[conn->next_id & mask])
		conn->next_id++;
	pending->id = conn->next_id++;
	conn->pendings[pending->id & mask] = pending;
	if (pending->stream)
		pending->stream->id = pending->id;
	return pending->id;
}

void pending_finish(struct pending *pending, int status, const char *text)
{
	if (pending->done)
		return;
	pending_remove(pending);
	pending->done = true;
	pending->status = status;
	if (status < 0)
		pending->error_text = cell_arena_strdup(&pending->root->arena, text);
	if (pending->waiter)
		runtime_wake(pending->root->rt, pending->waiter);
	if (pending->stream)
		stream_recv_end(pending->stream);
	if (pending->on_ready)
		pending->on_ready(pending->userdata);
}

void pending_drop(struct pending *pending, bool say)
{
	struct connection *conn = pending->conn;

	list_unlink(&pending->in_root);
	for (size_t i = 0; i < pending->n_fds; i++)
		(void)close(pending->fds[i]);
	pending->n_fds = 0;
	if (!conn)
		return;
	if (connection_unsend(conn, pending->id) && say) {
		struct frame frame = {
			.kind = FRAME_CANCEL, .call_id = pending->id,
			.channel = pending->method->channel,
		};

		(void)connection_send_bytes(conn, &frame, NULL, 0, NULL);
	}
	pending->done = true;
	pending->status = CELL_CANCELLED;
	pending_remove(pending);
}

/* The request's frame. */
static inline void request_frame(struct frame *ret_frame, const struct pending *pending,
				 enum frame_kind kind, const struct cell_method *method)
{
	frame_begin(ret_frame, kind, method->channel,
		    method->flags & CELL_METHOD_IDEMPOTENT ? FRAME_FLAG_IDEMPOTENT : 0, pending->id);
	ret_frame->code = method->hash;
	ret_frame->timeout_ns = pending->timeout_ns;
}

/* Send MESSAGE in FRAME, with what the call of ROOT carries on. */
static inline int send_request(struct connection *conn, struct frame *frame,
			       const struct cell_message_type *type, const void *message,
			       struct call_root *root, bool lends)
{
	struct frame_metadata metadata;

	if (__builtin_expect(!root->has_trace, 1))
		return connection_send(conn, frame, type, message, NULL, lends, &root->error);
	metadata = (struct frame_metadata){ .trace = root->trace };
	return connection_send(conn, frame, type, message, &metadata, lends, &root->error);
}

int pending_start(struct pending *pending, struct cell_call *call, struct connection *conn,
		  const void *in, struct deadline deadline)
{
	const struct cell_method *method = pending->method;
	struct cell_error *err = &call->root->error;
	struct frame frame;
	int r;

	pending->root = call->root;
	pending->deadline_ns = deadline.at_ns;
	pending->timeout_ns = deadline.left_ns;
	pending->is_idempotent = method->flags & CELL_METHOD_IDEMPOTENT;
	pending->sent_end = UINT64_MAX;
	if (conn->n_pending >= conn->theirs.calls_max)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "%s: %u calls in flight, limit %u",
				 conn->peer_cell, conn->n_pending, conn->theirs.calls_max);
	if (!connection_allows(conn, method->channel))
		return cell_fail(err, CELL_PERMISSION_DENIED,
				 "%s: channel %u is not allowed; add it to \"%s = \" under [uses]",
				 conn->peer_cell, method->channel, conn->peer_cell);
	r = conn->is_stand_in ? linked_check(conn->rt, method, err) : 0;
	if (r < 0)
		return r;
	r = pending_insert(conn, pending);
	if (r < 0)
		return cell_fail(err, r, "a call");
	request_frame(&frame, pending, FRAME_REQUEST, method);
	if (__builtin_expect(pending->payload != NULL, 0))
		r = payload_send(conn, pending->payload, &frame, err);
	else
		r = send_request(conn, &frame, method->in, in, call->root, pending->lends);
	if (r < 0) {
		if (pending->conn)
			pending_remove(pending);
		return r;
	}
	if (pending->conn && connection_has_sent(conn, pending->id))
		pending->sent_end = sent_end(conn);
	return 0;
}

int pending_wait(struct pending *pending)
{
	struct call_root *root = pending->root;
	struct runtime *rt = root->rt;
	int r = 0;

	while (!pending->done && r == 0)
		r = runtime_wait(rt, root, &pending->waiter, pending->deadline_ns);
	if (pending->done)
		return 0;
	pending_drop(pending, true);
	return r;
}

/* --- frames for us ------------------------------------------------------------------- */

static int take_reply(struct pending *pending, const struct frame *frame, const uint8_t *body,
		      struct cell_error *err)
{
	struct connection *conn = pending->conn;
	struct cell_payload *payload = NULL;
	int r;

	if (connection_is_payload(conn, &pending->assembly, frame)) {
		r = connection_assemble_payload(conn, &pending->assembly, frame, body,
						conn->rt->payload_max, &payload, err);
	} else if (frame->flags & FRAME_FLAG_MEMFD) {
		payload = connection_take_payload(conn, frame, conn->rt->payload_max, err);
		r = payload ? 0 : err->code;
	} else {
		r = connection_take_body(conn, &pending->assembly, frame, body, conn->rt->message_max,
					 &pending->root->arena, err);
	}
	if (r == 1)
		return 0;
	if (r == CELL_RESOURCE_EXHAUSTED) {
		pending_finish(pending, r, err->text);
		return 0;
	}
	if (r < 0)
		return r;
	if (payload) {
		pending->payload = payload;
		payload_list(pending->root, payload);
		pending_finish(pending, 0, NULL);
		return 0;
	}
	pending->body = pending->assembly.bytes;
	pending->len = pending->assembly.have;
	if (conn->link.kind == LINK_PACKET) {
		pending->n_fds = conn->link.packet.n_fds;
		memcpy(pending->fds, conn->link.packet.fds, sizeof pending->fds);
		conn->link.packet.n_fds = 0;
	}
	pending_finish(pending, 0, NULL);
	return 0;
}

static void take_error(struct pending *pending, const struct frame *frame, const uint8_t *body)
{
	char text[CELL_ERROR_TEXT_MAX];
	size_t n = frame->length < sizeof text - 1 ? frame->length : sizeof text - 1;
	int status = cell_status_from_wire(frame->code);

	if (n)
		memcpy(text, body, n);
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	pending_finish(pending, status ? status : CELL_UNKNOWN, n ? text : cell_status_name(status));
}

static void take_goaway(struct connection *conn, uint64_t last)
{
	conn->is_going_away = true;
	conn->goaway_id = last;
	if (conn->target)
		target_forget(conn);
	for (unsigned i = 0; i < conn->pendings_size && !conn->is_broken; i++) {
		struct pending *pending = conn->pendings[i];

		if (pending && (pending->id > last || !connection_has_begun(conn, pending->id))) {
			(void)connection_unsend(conn, pending->id);
			pending->was_taken = false;
			pending->must_retry = true;
			pending_finish(pending, CELL_UNAVAILABLE, "the instance retires");
		}
	}
	if (conn->n_pending == 0 && !conn->is_broken)
		connection_break(conn, CELL_UNAVAILABLE, "the peer said goaway");
}

int client_frame(struct connection *conn, const struct frame *frame, const uint8_t *body,
		 struct cell_error *err)
{
	struct pending *pending;

	if (frame->kind == FRAME_GOAWAY) {
		take_goaway(conn, frame->call_id);
		return 0;
	}
	pending = pending_find(conn, frame->call_id);
	if (!pending) {
		if (frame->call_id == 0 || frame->call_id >= conn->next_id)
			return cell_fail(err, -EPROTO, "%s for call %" PRIu64 ", which was never made",
					 frame_kind_name(frame->kind), frame->call_id);
		conn->rt->stats.late++; /* timed out, or cancelled, meanwhile */
		return 0;
	}
	switch (frame->kind) {
	case FRAME_REPLY:
		return take_reply(pending, frame, body, err);
	case FRAME_ERROR:
		take_error(pending, frame, body);
		return 0;
	case FRAME_END:
		if (!pending->stream)
			return cell_fail(err, -EPROTO, "end of a call that is no stream");
		if (frame->code)
			take_error(pending, frame, body);
		else
			pending_finish(pending, 0, NULL);
		return 0;
	case FRAME_ITEM:
		if (!pending->stream)
			return cell_fail(err, -EPROTO, "an item for a call that is no stream");
		return stream_item(pending->stream, frame, body, err);
	case FRAME_CREDIT:
		if (!pending->stream)
			return cell_fail(err, -EPROTO, "credit for a call that is no stream");
		stream_credit(pending->stream, frame->code);
		return 0;
	default:
		return cell_fail(err, -EPROTO, "%s for a client", frame_kind_name(frame->kind));
	}
}

void client_broken(struct connection *conn, int code, const char *text)
{
	char full[CELL_ERROR_TEXT_MAX];

	(void)snprintf(full, sizeof full, "%s: %s", conn->peer_cell[0] ? conn->peer_cell : "peer",
		       text);
	for (unsigned i = 0; i < conn->pendings_size; i++) {
		struct pending *pending = conn->pendings[i];

		if (!pending)
			continue;
		pending->was_taken = pending->sent_end != UINT64_MAX &&
				     pending->sent_end <= conn->peer_head;
		pending->must_retry = !pending->was_taken;
		pending->was_lost = true;
		if (pending->stream)
			stream_broken(pending->stream);
		pending_finish(pending, code, full);
	}
	free(conn->pendings);
	conn->pendings = NULL;
	conn->pendings_size = conn->n_pending = 0;
}

/* --- unary calls --------------------------------------------------------------------- */

/* The deadline of a stub's call: the caller's, or the default from now. */
static struct deadline call_deadline(const struct cell_call *call)
{
	return deadline_after(call->deadline_ns, call->root->rt->call_timeout_ns);
}

static int no_runtime(struct cell_call *call)
{
	return call->root->error.code ? call->root->error.code
				      : cell_refuse(call, -ENOMEM, "no runtime");
}

/* Where, what: before the error's own text. */
static int explain(struct cell_call *call, const struct pending *pending,
		   const struct cell_method *method, int status)
{
	struct cell_error *err = &call->root->error;

	if (pending && pending->done && pending->status == status) {
		const char *text = pending->error_text;

		return cell_fail(err, status, "%s", text ? text : cell_status_name(status));
	}
	if (status == CELL_DEADLINE_EXCEEDED)
		return cell_fail(err, status, "%s: no answer in time", method->full_name);
	if (status == CELL_CANCELLED)
		return cell_fail(err, status, "%s: cancelled", method->full_name);
	if (err->code != status)
		return cell_fail(err, status, "%s: %s", method->full_name, cell_status_name(status));
	return status;
}

static int decode_reply(struct cell_call *call, struct pending *pending, void *out)
{
	const struct cell_message_type *type = pending->method->out;
	int r;

	if (pending->payload) {
		size_t len;
		const uint8_t *bytes = payload_message(pending->payload, &len);

		r = type->decode(out, bytes, len, CELL_DECODE_BYTES_STAY, &call->root->arena,
				 &call->root->error);
		return r < 0 ? cell_wrap(&call->root->error, CELL_INTERNAL, "reply of %s",
					 pending->method->full_name) : 0;
	}
	r = type->decode(out, pending->body, pending->len, CELL_DECODE_IN_PLACE,
			 &call->root->arena, &call->root->error);
	if (r < 0) {
		call->root->error.code = CELL_INTERNAL;
		return cell_wrap(&call->root->error, CELL_INTERNAL, "reply of %s",
				 pending->method->full_name);
	}
	return 0;
}

static uint64_t retry_pause_ms(unsigned attempt)
{
	uint64_t max = CELL_RETRY_MIN_MS << (attempt < 6 ? attempt : 6);

	if (max > CELL_RETRY_MAX_MS)
		max = CELL_RETRY_MAX_MS;
	return max / 2 + clock_now_ns() % (max / 2 + 1); /* jitter: half to whole */
}

/* Whether a failed attempt may be made again, after a pause. */
static bool may_retry(struct cell_call *call, const struct pending *pending, int status,
		      unsigned attempt, uint64_t deadline_ns)
{
	uint64_t pause_ms = retry_pause_ms(attempt);

	if (status != CELL_UNAVAILABLE || attempt >= 8)
		return false;
	if (!pending->must_retry && !(pending->is_idempotent && pending->was_lost))
		return false;
	if (attempt == 0 && pending->must_retry)
		return true; /* a retiring instance: the next one is there already */
	if (clock_coarse_ns() + pause_ms * 1000000 >= deadline_ns)
		return false;
	return cell_sleep_ms(call, pause_ms) == 0;
}

int connection_invoke(struct connection *conn, struct cell_call *call,
		      const struct cell_method *method, const void *in, void *out,
		      uint64_t deadline_ns, int *fds, size_t *n_fds)
{
	struct pending pending = { .method = method, .lends = true };
	int r;

	connection_ref(conn);
	r = pending_start(&pending, call, conn, in, deadline_at(deadline_ns));
	if (r == 0) {
		r = pending_wait(&pending);
		if (r == 0)
			r = pending.status;
		if (r < 0)
			r = explain(call, &pending, method, r);
	}
	connection_unref(conn);
	if (r == 0)
		r = decode_reply(call, &pending, out);
	if (r == 0 && fds) {
		*n_fds = pending.n_fds;
		memcpy(fds, pending.fds, sizeof pending.fds);
		pending.n_fds = 0;
	}
	for (size_t i = 0; i < pending.n_fds; i++)
		(void)close(pending.fds[i]);
	return r;
}

static int invoke(struct cell_call *call, struct cell_ref *ref, const struct cell_method *method,
		  const void *in, struct cell_payload *payload, struct pending *pending)
{
	struct deadline deadline;
	int r;

	if (!call->root->rt)
		return no_runtime(call);
	deadline = call_deadline(call);
	for (unsigned attempt = 0;; attempt++) {
		struct connection *conn;

		r = call_connect(call, ref, deadline.at_ns, &conn);
		if (r < 0)
			return r;
		pending_init(pending, method, payload, true);
		connection_ref(conn);
		r = pending_start(pending, call, conn, in, deadline);
		if (r == 0) {
			r = pending_wait(pending);
			if (r == 0)
				r = pending->status;
			if (r < 0)
				r = explain(call, pending, method, r);
		} else if (r == CELL_UNAVAILABLE) {
			pending->must_retry = true;
		}
		connection_unref(conn);
		if (r == 0 || !may_retry(call, pending, r, attempt, deadline.at_ns))
			return r;
		deadline = deadline_at(deadline.at_ns);
	}
}

int cell_invoke(struct cell_call *call, struct cell_ref *ref, const struct cell_method *method,
		const void *in, void *out)
{
	struct pending pending;
	int r;

	call_tables_note(call->root, method);
	r = invoke(call, ref, method, in, NULL, &pending);
	return r < 0 ? r : decode_reply(call, &pending, out);
}

int cell_invoke_payload(struct cell_call *call, struct cell_ref *ref,
			const struct cell_method *method, struct cell_payload *payload, void *out)
{
	struct pending pending;
	int r;

	call_tables_note(call->root, method);
	r = invoke(call, ref, method, NULL, payload, &pending);
	if (r < 0)
		return r;
	pending.payload = pending.payload == payload ? NULL : pending.payload;
	return decode_reply(call, &pending, out);
}

int cell_post(struct cell_call *call, struct cell_ref *ref, const struct cell_method *method,
	      const void *in)
{
	struct connection *conn;
	struct pending pending;
	struct deadline deadline;
	struct frame frame;
	int r;

	if (!call->root->rt)
		return no_runtime(call);
	call_tables_note(call->root, method);
	deadline = deadline_after(call->deadline_ns, CELL_CONNECT_TIMEOUT_MS * 1000000ull);
	r = call_connect(call, ref, deadline.at_ns, &conn);
	if (r < 0)
		return r;
	if (!connection_allows(conn, method->channel))
		return cell_refuse(call, CELL_PERMISSION_DENIED, "%s: channel %u is not allowed",
				   conn->peer_cell, method->channel);
	r = conn->is_stand_in ? linked_check(conn->rt, method, &call->root->error) : 0;
	if (r < 0)
		return r;
	if (conn->n_outgoing >= CONNECTION_OUTGOING_MAX)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "%s: %u messages wait already",
				   conn->peer_cell, conn->n_outgoing);
	pending.timeout_ns = call->deadline_ns == UINT64_MAX ? 0 : deadline.left_ns;
	pending.id = conn->next_id++;
	request_frame(&frame, &pending, FRAME_ONE_WAY, method);
	return send_request(conn, &frame, method->in, in, call->root, false);
}

struct cell_future cell_invoke_start(struct cell_call *call, struct cell_ref *ref,
				     const struct cell_method *method, const void *in)
{
	struct cell_future future = { .call = call };
	struct deadline deadline;
	struct pending *pending;
	struct connection *conn;

	if (!call->root->rt) {
		future.err = no_runtime(call);
		return future;
	}
	call_tables_note(call->root, method);
	pending = cell_arena_alloc(&call->root->arena, sizeof *pending);
	if (!pending) {
		future.err = cell_refuse(call, -ENOMEM, "a future");
		return future;
	}
	pending_init(pending, method, NULL, false);
	deadline = call_deadline(call);
	future.err = call_connect(call, ref, deadline.at_ns, &conn);
	if (future.err < 0)
		return future;
	future.err = pending_start(pending, call, conn, in, deadline);
	if (future.err < 0)
		return future;
	list_append(&call->root->pendings, &pending->in_root);
	future.pending = pending;
	return future;
}

int cell_invoke_wait(struct cell_future *future, void *out)
{
	struct pending *pending = future->pending;
	struct cell_call *call = future->call;
	int r;

	if (!pending)
		return future->err ? future->err
				   : cell_refuse(call, CELL_FAILED_PRECONDITION,
						 "this future was waited for already");
	r = pending_wait(pending);
	future->pending = NULL;
	list_unlink(&pending->in_root);
	if (r == 0)
		r = pending->status;
	future->err = r < 0 ? explain(call, pending, pending->method, r)
			    : decode_reply(call, pending, out);
	return future->err;
}

bool cell_future_is_ready(const struct cell_future *future)
{
	const struct pending *pending = future->pending;

	return !pending || pending->done;
}

void cell_future_notify(struct cell_future *future, void (*on_ready)(void *), void *userdata)
{
	struct pending *pending = future->pending;

	if (!pending || pending->done) {
		on_ready(userdata);
		return;
	}
	pending->on_ready = on_ready;
	pending->userdata = userdata;
}

/* --- bytes --------------------------------------------------------------------------- */

/* A message that is already encoded: what tools send that know only the schema. */
static size_t raw_bound(const void *message)
{
	return ((const struct cell_raw *)message)->len;
}

static uint8_t *raw_encode(const void *message, uint8_t *out)
{
	const struct cell_raw *raw = message;

	if (raw->len)
		memcpy(out, raw->bytes, raw->len);
	return out + raw->len;
}

static size_t raw_bound_around(const void *message)
{
	size_t len = ((const struct cell_raw *)message)->len;

	return len < CELL_CHUNK_MIN ? len : 0;
}

static uint8_t *raw_encode_around(const void *message, uint8_t *out, struct cell_chunks *pieces)
{
	const struct cell_raw *raw = message;

	if (raw->len < CELL_CHUNK_MIN)
		return raw_encode(message, out);
	pieces->items[pieces->n++] = (struct cell_chunk){
		.at = out, .bytes = raw->bytes, .len = raw->len };
	return out;
}

static int raw_decode(void *message, const uint8_t *bytes, size_t len, unsigned flags,
		      struct cell_arena *arena, struct cell_error *err)
{
	(void)flags;
	(void)arena;
	(void)err;
	*(struct cell_raw *)message = (struct cell_raw){ .bytes = bytes, .len = len };
	return 0;
}

const struct cell_message_type cell_raw_type = {
	.name = "bytes", .size = sizeof(struct cell_raw),
	.bound = raw_bound, .encode = raw_encode, .decode = raw_decode,
	.bound_around = raw_bound_around, .encode_around = raw_encode_around,
};

int cell_invoke_bytes(struct cell_call *call, struct cell_ref *ref, uint8_t channel,
		      const char *method, const uint8_t *in, size_t in_len,
		      const uint8_t **ret_bytes, size_t *ret_len)
{
	struct cell_method untyped = {
		.name = method, .full_name = method, .hash = cell_method_hash(method),
		.channel = channel, .in = &cell_raw_type, .out = &cell_raw_type,
	};
	struct cell_raw request = { .bytes = in, .len = in_len }, reply;
	int r = cell_invoke(call, ref, &untyped, &request, &reply);

	if (r < 0)
		return r;
	*ret_bytes = reply.bytes;
	*ret_len = reply.len;
	return 0;
}
