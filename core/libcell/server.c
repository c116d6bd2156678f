#include "callstate.h"
#include "clock.h"
#include "sigsys.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <core.cell.h>
#include <ops.cell.h>

/* In so much time the two cheap clocks move apart by far less than a tick. */
#define LATE_LOOK_NS 10000000u

/* --- the table of methods ------------------------------------------------------------ */

static unsigned slot_of(const struct runtime *rt, uint8_t channel, uint32_t hash)
{
	return (hash ^ (uint32_t)channel * 0x9e3779b1u) & (rt->methods_size - 1);
}

struct method_entry *server_find(struct runtime *rt, uint8_t channel, uint32_t hash)
{
	unsigned i;

	if (!rt->methods_size)
		return NULL;
	for (i = slot_of(rt, channel, hash); rt->methods[i]; i = (i + 1) & (rt->methods_size - 1))
		if (rt->methods[i]->method->hash == hash &&
		    rt->methods[i]->method->channel == channel)
			return rt->methods[i];
	return NULL;
}

static void table_put(struct runtime *rt, struct method_entry *entry)
{
	unsigned i = slot_of(rt, entry->method->channel, entry->method->hash);

	while (rt->methods[i])
		i = (i + 1) & (rt->methods_size - 1);
	rt->methods[i] = entry;
}

static int table_reserve(struct runtime *rt, size_t more)
{
	struct method_entry **old = rt->methods;
	unsigned old_size = rt->methods_size, size = old_size ? old_size : 64;

	while (size < 2 * (rt->n_methods + more))
		size *= 2;
	if (size == old_size)
		return 0;
	rt->methods = calloc(size, sizeof *rt->methods);
	if (!rt->methods) {
		rt->methods = old;
		return -ENOMEM;
	}
	rt->methods_size = size;
	for (unsigned i = 0; i < old_size; i++)
		if (old[i])
			table_put(rt, old[i]);
	free(old);
	return 0;
}

int server_register(struct runtime *rt, const struct cell_service *service, const void *handlers,
		    void *self, bool is_control, struct cell_error *err)
{
	struct method_entry *entries;

	for (size_t i = 0; i < service->n_methods; i++) {
		const struct cell_method *method = &service->methods[i];
		struct method_entry *other = server_find(rt, method->channel, method->hash);

		if (other)
			return cell_fail(err, CELL_ALREADY_EXISTS, "%s: %s has the same hash %08x",
					 method->full_name, other->method->full_name, method->hash);
	}
	if (rt->n_services == sizeof rt->services / sizeof *rt->services)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "%s: %u services are served already",
				 service->name, rt->n_services);
	if (table_reserve(rt, service->n_methods) < 0)
		return cell_fail(err, -ENOMEM, "%s: its methods", service->name);
	entries = calloc(service->n_methods ? service->n_methods : 1, sizeof *entries);
	if (!entries)
		return cell_fail(err, -ENOMEM, "%s: its methods", service->name);
	for (size_t i = 0; i < service->n_methods; i++) {
		entries[i] = (struct method_entry){
			.service = service, .method = &service->methods[i],
			.invoke = service->invoke[i], .handlers = handlers, .self = self,
			.is_control = is_control, .is_first = i == 0,
		};
		table_put(rt, &entries[i]);
		rt->n_methods++;
	}
	if (!is_control) {
		rt->services[rt->n_services++] = service;
		for (size_t i = 0; i < service->schema_len; i++)
			rt->schema = (rt->schema ^ service->schema[i]) * 0x100000001b3ull;
	}
	return 0;
}

int server_register_builtin(struct runtime *rt, struct cell_error *err)
{
	int r = server_register(rt, &core_instance_service, &control_handlers, rt, true, err);

	if (r == 0)
		r = server_register(rt, &ops_service, &ops_handlers, rt, false, err);
	return r;
}

int cell_serve(struct cell_call *call, const struct cell_service *service, const void *handlers,
	       void *self)
{
	struct call_root *root = call->root;

	if (!root->rt)
		return root->error.code;
	if (root->rt->is_serving)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "%s: to be served before cell_loop_run()", service->name);
	return server_register(root->rt, service, handlers, self, false, &root->error);
}

/* --- requests ------------------------------------------------------------------------ */

static struct served **bucket_of(struct connection *conn, uint64_t id)
{
	return &conn->served[id & (CONNECTION_SERVED_BUCKETS - 1)];
}

static struct served *served_find(struct connection *conn, uint64_t id)
{
	struct served *served = *bucket_of(conn, id);

	while (served && served->id != id)
		served = served->next;
	return served;
}

/*
 * The clock while frames are taken in a row: how long a handler took is read as it ends, and
 * then the next one begins.
 */
static inline uint64_t batch_fast_ns(struct runtime *rt)
{
	if (!rt->batch_ns)
		rt->batch_ns = clock_fast_ns();
	return rt->batch_ns;
}

/*
 * As late as clock_coarse_ns() may be: by that one the caller has told what is left. The time is
 * read now and then, and carried on by the other clock.
 */
static inline uint64_t batch_late_ns(struct runtime *rt)
{
	uint64_t now = batch_fast_ns(rt);

	if (now - rt->late_read_ns > LATE_LOOK_NS) {
		rt->late_read_ns = now;
		rt->late_ahead_ns = clock_now_ns() + clock_tick_ns() - now;
	}
	return now + rt->late_ahead_ns;
}

static struct served *served_new(struct connection *conn, const struct frame *frame)
{
	struct runtime *rt = conn->rt;
	struct served *served = rt->served_free;
	struct served **bucket = bucket_of(conn, frame->call_id);

	if (served) {
		rt->served_free = served->next;
		rt->n_served_free--;
	} else {
		served = calloc(1, sizeof *served);
		if (!served)
			return NULL;
		cell_arena_init(&served->root.arena, 0);
	}
	call_root_init(&served->root, rt, &conn->peer, UINT64_MAX);
	if (frame->timeout_ns && frame->timeout_ns < UINT64_MAX / 4)
		served->root.call.deadline_ns = batch_late_ns(rt) + frame->timeout_ns;
	served->conn = conn;
	served->id = frame->call_id;
	served->channel = frame->channel;
	served->flags = frame->flags;
	served->entry = NULL;
	served->assembly = (struct assembly){ 0 };
	served->payload = served->reply_payload = NULL;
	served->stream = NULL;
	served->is_running = false;
	served->is_one_way = frame->kind == FRAME_ONE_WAY;
	served->n_fds = 0;
	served->next = *bucket;
	*bucket = served;
	connection_ref(conn);
	conn->n_served++;
	return served;
}

static void served_free(struct served *served)
{
	struct connection *conn = served->conn;
	struct runtime *rt = conn->rt;
	struct served **at = bucket_of(conn, served->id);

	while (*at != served)
		at = &(*at)->next;
	*at = served->next;
	conn->n_served--;
	connection_assembly_drop(conn, &served->assembly);
	for (size_t i = 0; i < served->n_fds; i++)
		if (served->fds[i] >= 0)
			(void)close(served->fds[i]);
	if (served->stream)
		stream_free(served->stream);
	if (rt->n_served_free < RUNTIME_SERVED_KEPT) {
		call_root_reset(&served->root);
		if (served->root.arena.spare)
			runtime_trim_later(rt);
		served->next = rt->served_free;
		rt->served_free = served;
		rt->n_served_free++;
	} else {
		call_root_deinit(&served->root);
		free(served);
	}
	connection_unref(conn);
}

void server_trim(struct runtime *rt)
{
	for (struct served *served = rt->served_free; served; served = served->next)
		cell_arena_trim(&served->root.arena);
}

void server_free(struct runtime *rt)
{
	while (rt->served_free) {
		struct served *served = rt->served_free;

		rt->served_free = served->next;
		call_root_deinit(&served->root);
		free(served);
	}
	for (unsigned i = 0; i < rt->methods_size; i++)
		if (rt->methods[i] && !rt->methods[i]->is_first)
			rt->methods[i] = NULL;
	for (unsigned i = 0; i < rt->methods_size; i++)
		free(rt->methods[i]); /* the first of each service's array */
	free(rt->methods);
	rt->methods = NULL;
	rt->methods_size = 0;
}

/* Four buckets to an octave: the exponent and two bits below it. */
static unsigned latency_bucket(uint64_t ns)
{
	unsigned exponent;

	if (ns < 4)
		return (unsigned)ns;
	exponent = 63 - (unsigned)__builtin_clzll(ns);
	exponent = exponent * 4 + (unsigned)(ns >> (exponent - 2) & 3);
	return exponent < 128 ? exponent : 127;
}

static void count_end(struct method_entry *entry, uint64_t took_ns, int status)
{
	struct method_stats *stats = &entry->stats;

	stats->in_flight--;
	stats->errors += status < 0;
	stats->latency[latency_bucket(took_ns)]++;
	if (took_ns > stats->max_ns)
		stats->max_ns = took_ns;
}

static void refuse(struct connection *conn, const struct frame *frame, int code, const char *text)
{
	if (frame->kind == FRAME_REQUEST)
		connection_send_status(conn, FRAME_ERROR, frame->channel, frame->call_id, code, text);
}

static void refuse_served(struct served *served, int code, const char *text)
{
	if (!served->is_one_way)
		connection_send_status(served->conn, FRAME_ERROR, served->channel, served->id, code,
				       text);
}

static void send_end(struct served *served, int status)
{
	struct connection *conn = served->conn;
	const struct cell_error *error = &served->root.error;
	const char *text = error->code == status ? error->text : cell_status_name(status);
	uint8_t kind = status < 0 ? FRAME_ERROR : FRAME_END;

	connection_send_status(conn, kind, served->channel, served->id, status,
			       status < 0 ? text : "");
}

static void send_reply(struct served *served, const void *out)
{
	struct connection *conn = served->conn;
	struct cell_error err;
	struct frame frame;
	int r;

	frame_begin(&frame, FRAME_REPLY, served->channel, 0, served->id);
	if (served->reply_payload)
		r = payload_send(conn, served->reply_payload, &frame, &err);
	else
		r = connection_send(conn, &frame, served->entry->method->out, out, NULL, false,
				    &err);
	if (r < 0 && !conn->is_broken)
		connection_send_status(conn, FRAME_ERROR, served->channel,
				       served->id, r, err.text);
}

/* The request's bytes, and what decoding may do to them. */
static struct cell_undecoded *undecoded(struct served *served)
{
	struct cell_undecoded *bytes = &served->undecoded;

	if (served->payload) {
		bytes->bytes = payload_message(served->payload, &bytes->len);
		bytes->flags = CELL_DECODE_BYTES_STAY;
	} else {
		bytes->bytes = served->assembly.bytes;
		bytes->len = served->assembly.have;
		bytes->flags = CELL_DECODE_IN_PLACE;
	}
	if (served->entry->method->flags & CELL_METHOD_RAW) {
		bytes->flags = CELL_DECODE_BYTES_STAY;
		served->root.raw = bytes;
	}
	return bytes;
}

static int decode(struct call_root *root, const struct cell_method *method, void *in,
		  const struct cell_undecoded *bytes)
{
	int r = method->in->decode(in, bytes->bytes, bytes->len, bytes->flags, &root->arena,
				   &root->error);

	return r < 0 ? cell_wrap(&root->error, r, "request of %s", method->full_name) : 0;
}

void *cell_request(struct cell_call *call, const struct cell_method *method, const void *bytes)
{
	struct call_root *root = call->root;
	void *in = cell_arena_alloc(&root->arena, method->in->size);

	if (!in) {
		(void)cell_fail(&root->error, CELL_RESOURCE_EXHAUSTED, "no memory for a call");
		return NULL;
	}
	return decode(root, method, in, bytes) < 0 ? NULL : in;
}

const uint8_t *cell_request_bytes(const struct cell_call *call, size_t *ret_len)
{
	const struct cell_undecoded *raw = call->root->raw;

	*ret_len = raw ? raw->len : 0;
	return raw ? raw->bytes : NULL;
}

static int handle(struct served *served, const void **ret_out)
{
	struct method_entry *entry = served->entry;
	const struct cell_method *method = entry->method;
	struct call_root *root = &served->root;
	bool client_streams = method->flags & CELL_METHOD_CLIENT_STREAM;
	bool server_streams = method->flags & CELL_METHOD_SERVER_STREAM;
	void *in, *out;
	int r = 0;

	if (client_streams || server_streams) {
		served->stream = stream_for_served(served);
		if (!served->stream)
			return cell_fail(&root->error, CELL_RESOURCE_EXHAUSTED, "no memory for a stream");
	}
	if (client_streams)
		in = served->stream;
	else if (method->flags & CELL_METHOD_UNDECODED)
		in = undecoded(served);
	else
		in = cell_arena_alloc(&root->arena, method->in->size);
	out = server_streams ? served->stream : cell_arena_calloc(&root->arena, 1, method->out->size);
	if (!in || !out)
		return cell_fail(&root->error, CELL_RESOURCE_EXHAUSTED, "no memory for a call");
	if (!client_streams && !(method->flags & CELL_METHOD_UNDECODED))
		r = decode(root, method, in, undecoded(served));
	if (r < 0)
		return r;
	r = entry->invoke(entry->handlers, &root->call, entry->self, in, out);
	if (r > 0) {
		cell_log(CELL_LOG_ERR, "server", "positive_result", "method=%s result=%d",
			 method->full_name, r);
		return cell_fail(&root->error, CELL_INTERNAL, "%s returned %d", method->full_name, r);
	}
	*ret_out = out;
	return r;
}

static void run_handler(struct served *served)
{
	struct runtime *rt = served->root.rt;
	struct method_entry *entry = served->entry;
	struct connection *conn = served->conn;
	const void *out = NULL;
	int status;

	served->is_running = true;
	served->started_ns = batch_fast_ns(rt);
	entry->stats.calls++;
	entry->stats.in_flight++;
	rt->n_serving++;
	status = handle(served, &out);
	rt->batch_ns = clock_fast_ns();
	count_end(entry, rt->batch_ns - served->started_ns, status);
	if (!served->is_one_way && !conn->is_broken) {
		if (status == 0 && served->root.is_cancelled)
			status = served->root.cancel_status;
		if (status < 0 || entry->method->flags & CELL_METHOD_SERVER_STREAM)
			send_end(served, status);
		else
			send_reply(served, out);
	}
	served_free(served);
	rt->n_serving--;
	if (rt->is_draining)
		runtime_check_drained(rt);
}

static int read_metadata(struct served *served, struct cell_error *err)
{
	struct assembly *assembly = &served->assembly;
	struct call_root *root = &served->root;
	struct frame_metadata metadata;
	size_t used;
	int r = frame_metadata_decode(&metadata, &used, assembly->bytes, assembly->have, err);

	if (r < 0)
		return r;
	assembly->bytes += used;
	assembly->have -= used;
	assembly->total -= used;
	if (metadata.trace)
		cell_call_set_trace(&root->call, metadata.trace);
	root->idempotency_key = metadata.idempotency_key;
	root->idempotency_key_len = metadata.idempotency_key_len;
	if (metadata.principal && served->conn->speaks_for) {
		root->own_peer = served->conn->peer;
		root->own_peer.principal = cell_arena_strndup(&root->arena, metadata.principal,
							      metadata.principal_len);
		if (!root->own_peer.principal)
			return -ENOMEM;
		root->peer = &root->own_peer;
	}
	return 0;
}

/* What forbids this request, if anything does; answered with a typed error. */
static bool is_refused(struct connection *conn, const struct frame *frame,
		       struct method_entry *entry)
{
	struct runtime *rt = conn->rt;
	char text[CELL_ERROR_TEXT_MAX];
	int code = 0;

	if (!connection_allows(conn, frame->channel)) {
		code = CELL_PERMISSION_DENIED;
		(void)snprintf(text, sizeof text, "%s may not use channel %u of %s",
			       conn->peer_cell[0] ? conn->peer_cell : "this client",
			       frame->channel, rt->cell);
	} else if (!entry) {
		code = CELL_UNIMPLEMENTED;
		rt->stats.unknown++;
		if (frame->channel > CELL_CHANNEL_MACRO && frame->channel < 0x80)
			(void)snprintf(text, sizeof text, "channel %u is reserved", frame->channel);
		else
			(void)snprintf(text, sizeof text,
				       "%s serves no method %08x on channel %u", rt->program,
				       frame->code, frame->channel);
	} else if (conn->n_served >= rt->calls_max) {
		code = CELL_RESOURCE_EXHAUSTED;
		rt->stats.refused++;
		(void)snprintf(text, sizeof text, "%u calls in flight on this connection, limit %u",
			       conn->n_served, rt->calls_max);
	}
	if (code)
		refuse(conn, frame, code, text);
	return code != 0;
}

/* One more frame of a request that is a payload; its first one begins it. */
static int take_payload(struct served *served, const struct frame *frame, const uint8_t *body,
			struct cell_error *err)
{
	struct connection *conn = served->conn;
	int r = connection_assemble_payload(conn, &served->assembly, frame, body,
					    conn->rt->payload_max, &served->payload, err);

	connection_consume(conn, frame);
	if (r == 1)
		return 0;
	if (r == 0) {
		payload_list(&served->root, served->payload);
		run_handler(served);
		return 0;
	}
	if (r == CELL_RESOURCE_EXHAUSTED) {
		conn->rt->stats.refused++;
		refuse_served(served, r, err->text);
		served_free(served);
		return 0;
	}
	return r;
}

/* A first or only fragment of a request. */
static int begin_request(struct connection *conn, const struct frame *frame, const uint8_t *body,
			 struct cell_error *err)
{
	struct cell_payload *payload;
	struct method_entry *entry;
	struct served *served;
	int r;

	if (frame->call_id <= conn->last_request_id) {
		/* Only the rest of a body we refused may come under an old id. */
		bool is_rest = frame->total == 0 && frame->length > 0;

		connection_consume(conn, frame);
		if (!is_rest)
			return cell_fail(err, -EPROTO, "call id %" PRIu64 " after %" PRIu64,
					 frame->call_id, conn->last_request_id);
		conn->rt->stats.late++;
		return 0;
	}
	conn->last_request_id = frame->call_id;
	if (conn->goaway_sent) {
		connection_consume(conn, frame); /* it goes elsewhere */
		return 0;
	}
	entry = conn->last_method;
	if (!entry || entry->method->hash != frame->code || entry->method->channel != frame->channel)
		entry = conn->last_method = server_find(conn->rt, frame->channel, frame->code);
	if (entry && entry->is_control != (conn->role == CONNECTION_CONTROL))
		entry = NULL;
	if (conn->role != CONNECTION_CONTROL && is_refused(conn, frame, entry)) {
		connection_consume(conn, frame);
		return 0;
	}
	served = entry ? served_new(conn, frame) : NULL;
	if (!served) {
		connection_consume(conn, frame);
		refuse(conn, frame, entry ? CELL_RESOURCE_EXHAUSTED : CELL_UNIMPLEMENTED,
		       entry ? "no memory for a call" : "no such method");
		return 0;
	}
	served->entry = entry;
	if (conn->link.kind == LINK_PACKET) {
		served->n_fds = conn->link.packet.n_fds;
		memcpy(served->fds, conn->link.packet.fds, sizeof served->fds);
		conn->link.packet.n_fds = 0;
	}
	if (connection_is_payload(conn, &served->assembly, frame))
		return take_payload(served, frame, body, err);
	if (frame->flags & FRAME_FLAG_MEMFD) {
		connection_consume(conn, frame);
		payload = connection_take_payload(conn, frame, conn->rt->payload_max, err);
		if (conn->is_broken)
			return 0; /* the lifeline broke it, and this call ended with it */
		if (!payload) {
			served_free(served);
			return err->code;
		}
		served->payload = payload;
		payload_list(&served->root, served->payload);
		run_handler(served);
		return 0;
	}
	r = connection_take_body(conn, &served->assembly, frame, body, conn->rt->message_max,
				 &served->root.arena, err);
	connection_consume(conn, frame);
	if (r == 1)
		return 0;
	if (r == 0 && frame->flags & FRAME_FLAG_METADATA)
		r = read_metadata(served, err);
	if (r == 0) {
		run_handler(served);
		return 0;
	}
	if (r == CELL_RESOURCE_EXHAUSTED) {
		conn->rt->stats.refused++;
		refuse(conn, frame, r, err->text);
		r = 0;
	}
	served_free(served);
	return r;
}

/* One more fragment of a request that has begun. */
static int continue_request(struct served *served, const struct frame *frame, const uint8_t *body,
			    struct cell_error *err)
{
	struct connection *conn = served->conn;
	int r;

	if (!served->is_running && connection_is_payload(conn, &served->assembly, frame))
		return take_payload(served, frame, body, err);
	r = served->is_running ? cell_fail(err, -EPROTO, "more of a request that is complete")
				   : connection_assemble(conn, &served->assembly, frame, body,
							 conn->rt->message_max, NULL, err);

	connection_consume(conn, frame);
	if (r == 1 || r < 0)
		return r == 1 ? 0 : r;
	if (served->flags & FRAME_FLAG_METADATA) {
		r = read_metadata(served, err);
		if (r < 0)
			return r;
	}
	run_handler(served);
	return 0;
}

static void cancel(struct served *served)
{
	if (served->is_running) {
		call_root_cancel(&served->root, CELL_CANCELLED);
		if (served->stream)
			stream_broken(served->stream);
		return;
	}
	refuse_served(served, CELL_CANCELLED, "cancelled before it was complete");
	served_free(served);
}

int server_frame(struct connection *conn, const struct frame *frame, const uint8_t *body,
		 struct cell_error *err)
{
	struct served *served = served_find(conn, frame->call_id);
	int r = 0;

	if (frame->kind == FRAME_REQUEST || frame->kind == FRAME_ONE_WAY)
		return served ? continue_request(served, frame, body, err)
			      : begin_request(conn, frame, body, err);
	if (!served && frame->kind == FRAME_CANCEL &&
	    connection_unsend_payload(conn, frame->call_id)) {
		/* The rest of a gigabyte that nobody wants need not be sent. */
		connection_send_status(conn, FRAME_ERROR, frame->channel, frame->call_id,
				       CELL_CANCELLED, "cancelled before all of it was sent");
	} else if (!served) {
		/* The call has ended meanwhile. */
		if (frame->call_id > conn->last_request_id)
			r = cell_fail(err, -EPROTO, "%s for call %" PRIu64 ", which never began",
				      frame_kind_name(frame->kind), frame->call_id);
		conn->rt->stats.late++;
	} else if (frame->kind == FRAME_CANCEL) {
		cancel(served);
	} else if (!served->stream) {
		r = cell_fail(err, -EPROTO, "%s for a call that is no stream",
			      frame_kind_name(frame->kind));
	} else if (frame->kind == FRAME_ITEM) {
		r = stream_item(served->stream, frame, body, err);
	} else if (frame->kind == FRAME_CREDIT) {
		stream_credit(served->stream, frame->code);
	} else if (frame->kind == FRAME_END) {
		stream_recv_end(served->stream);
	} else {
		r = cell_fail(err, -EPROTO, "%s for a server", frame_kind_name(frame->kind));
	}
	if (!conn->is_broken)
		connection_consume(conn, frame);
	return r;
}

void server_broken(struct connection *conn)
{
	for (unsigned i = 0; i < CONNECTION_SERVED_BUCKETS; i++) {
		struct served *served = conn->served[i];

		while (served) {
			struct served *next = served->next;

			if (served->is_running) {
				call_root_cancel(&served->root, CELL_CANCELLED);
				if (served->stream)
					stream_broken(served->stream);
			} else {
				served_free(served);
			}
			served = next;
		}
	}
}

/* --- running ------------------------------------------------------------------------- */

void server_say_goaway(struct runtime *rt)
{
	struct list *at = rt->connections.next;

	while (at != &rt->connections) {
		struct connection *conn = list_entry(at, struct connection, all);
		struct frame frame = { .kind = FRAME_GOAWAY, .call_id = conn->last_request_id };

		at = at->next;
		if (conn->role != CONNECTION_SERVER || conn->goaway_sent)
			continue;
		conn->goaway_sent = true;
		(void)connection_send_bytes(conn, &frame, NULL, 0, NULL);
	}
}

void runtime_drained(struct runtime *rt)
{
	for (struct list *at = rt->connections.next; at != &rt->connections; at = at->next) {
		struct connection *conn = list_entry(at, struct connection, all);

		if (!list_is_empty(&conn->outgoing) || conn->link.tx_blocked)
			return; /* connection_pump() asks again */
	}
	runtime_flush(rt);
	cell_log(CELL_LOG_INFO, "server", "drained", NULL);
	runtime_stop(rt, 0);
}

/*
 * The runtime of the process that TERM and INT stop. Signals through libev would only be seen
 * by its own sleep, not by ours.
 */
static _Atomic int stop_fd = -1;

static void on_stop_signal(int number)
{
	static const uint64_t one = 1;
	int saved_errno = errno;

	(void)number;
	(void)!write(atomic_load(&stop_fd), &one, sizeof one);
	errno = saved_errno;
}

static void on_stop(struct ev_loop *ev, ev_io *io, int events)
{
	struct runtime *rt = io->data;
	uint64_t count;

	(void)ev;
	(void)events;
	(void)!read(io->fd, &count, sizeof count);
	runtime_drain(rt, rt->drain_timeout_ns);
}

/* A second runtime in the process stops when its program says so. */
static int signals_watch(struct runtime *rt, struct cell_error *err)
{
	struct sigaction action = { .sa_handler = on_stop_signal, .sa_flags = SA_RESTART };
	int none = -1;

	rt->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rt->stop_fd < 0)
		return cell_fail(err, -errno, "waiting for signals: %s", strerror(errno));
	ev_io_init(&rt->stop_io, on_stop, rt->stop_fd, EV_READ);
	rt->stop_io.data = rt;
	runtime_io_start(rt, &rt->stop_io);
	if (!atomic_compare_exchange_strong(&stop_fd, &none, rt->stop_fd))
		return 0;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	return 0;
}

static void signals_unwatch(struct runtime *rt)
{
	int own = rt->stop_fd;

	if (own >= 0 && atomic_load(&stop_fd) == own) {
		(void)signal(SIGTERM, SIG_DFL);
		(void)signal(SIGINT, SIG_DFL);
		atomic_store(&stop_fd, -1);
	}
	if (own >= 0) {
		ev_io_stop(rt->ev, &rt->stop_io);
		(void)close(own);
	}
	rt->stop_fd = -1;
}

/* As pid 1 of a namespace a default action would be ignored, and the crash look like another. */
static void on_fatal(int number)
{
	static const char line[] = "level=err event=fatal_signal signal=ABRT\n";

	(void)!write(STDERR_FILENO, line, sizeof line - 1);
	_exit(128 + number);
}

static void pid_1_duties(void)
{
	if (getpid() != 1)
		return;
	(void)signal(SIGCHLD, SIG_IGN); /* orphans are reaped by the kernel */
	(void)signal(SIGABRT, on_fatal);
}

static int say_ready(struct runtime *rt, struct cell_call *call)
{
	uint64_t deadline_ns = clock_coarse_ns() + CELL_CONNECT_TIMEOUT_MS * 1000000ull;
	const char *names[sizeof rt->services / sizeof *rt->services];
	struct core_ready_note note = { .schema = rt->schema, .services = names, .streams = true };
	struct connection *control;
	int r;

	r = runtime_control(rt, call, deadline_ns, &control);
	if (r < 0)
		return r;
	if (!rt->is_spawned)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "this cell was not started by cellcore; run: cell run %s",
				   rt->program);
	for (unsigned i = 0; i < rt->n_services; i++)
		names[note.n_services++] = rt->services[i]->name;
	return core_ready(call, &note);
}

int runtime_run(struct runtime *rt, struct call_root *root)
{
	int r = signals_watch(rt, &root->error);

	rt->is_serving = true;
	while (r == 0 && !rt->must_stop)
		r = runtime_wait(rt, root, &rt->runner, UINT64_MAX);
	signals_unwatch(rt);
	wheel_disarm(&rt->wheel, &rt->drain_timer);
	rt->is_serving = false;
	if (r == 0 && rt->stop_status)
		r = cell_fail(&root->error, rt->stop_status, "cellcore is gone");
	return r;
}

int cell_loop_run(struct cell_call *call)
{
	struct call_root *root = call->root;
	struct runtime *rt = root->rt;
	int stopped, r;

	if (!rt)
		return root->error.code;
	cell_sigsys_install(rt->program);
	task_overflow_handler_install();
	pid_1_duties();
	r = say_ready(rt, call);
	if (r < 0)
		return r;
	cell_log(CELL_LOG_INFO, "server", "ready", "services=%u instance=%" PRIu64,
		 rt->n_services, rt->instance);
	r = runtime_run(rt, root);
	stopped = linked_stop(rt, call);
	return r < 0 ? r : stopped;
}

void cell_loop_stop(struct cell_call *call)
{
	if (call->root->rt)
		runtime_drain(call->root->rt, call->root->rt->drain_timeout_ns);
}

struct ev_loop *cell_loop_ev(struct cell_call *call)
{
	struct runtime *rt = call->root->rt;

	if (!rt)
		return NULL;
	runtime_share_ev(rt);
	return rt->ev;
}

int cell_spawn_task(struct cell_call *call, void (*fn)(struct cell_call *, void *), void *userdata)
{
	struct runtime *rt = call->root->rt;
	struct spawned *spawned;

	if (!rt)
		return call->root->error.code;
	if (rt->is_closing)
		return cell_refuse(call, CELL_CANCELLED, "a task of a program that closes");
	spawned = calloc(1, sizeof *spawned);
	if (!spawned)
		return CELL_RESOURCE_EXHAUSTED;
	cell_arena_init(&spawned->root.arena, 0);
	call_root_init(&spawned->root, rt, &rt->self, UINT64_MAX);
	spawned->fn = fn;
	spawned->userdata = userdata;
	list_append(&rt->spawned, &spawned->node);
	rt->n_serving++;
	return 0;
}

void cell_set_health(struct cell_call *call, const char *reason)
{
	struct runtime *rt = call->root->rt;

	if (!rt)
		return;
	if (!reason)
		reason = "";
	if (strcmp(rt->health, reason) == 0)
		return;
	if ((rt->health[0] == '\0') != (*reason == '\0'))
		rt->health_since_ns = clock_now_ns();
	(void)snprintf(rt->health, sizeof rt->health, "%s", reason);
}

void cell_on_log_source(struct cell_call *call, cell_log_source_fn *fn, void *userdata)
{
	struct runtime *rt = call->root->rt;

	if (!rt)
		return;
	rt->on_log_source = fn;
	rt->log_source_userdata = userdata;
}
