#include <cell/stream.h>

#include "callstate.h"
#include "clock.h"
#include "tables.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

/*
 * An item costs its encoded length and this much, so that empty ones are not free. It may be
 * sent while any credit is left, so that one longer than the window can pass: the credit
 * then goes below zero and must be paid back first.
 */
#define ITEM_COST 32
#define FIFO_FIRST_SIZE 4096u

/* --- the queue of received items ----------------------------------------------------- */

static size_t fifo_entry_size(size_t len)
{
	return (sizeof(uint32_t) * 2 + len + 1 + 7) & ~(size_t)7;
}

/* A place for LEN bytes behind the last item; NULL if there is no memory. */
static uint8_t *fifo_push(struct cell_stream *stream, size_t len)
{
	size_t need = fifo_entry_size(len);
	uint8_t *at;

	if (stream->fifo_at > 0 && stream->fifo_at == stream->fifo_end)
		stream->fifo_at = stream->fifo_end = 0;
	if (stream->fifo_at > 0 && stream->fifo_size - stream->fifo_end < need &&
	    !stream->item_is_lent) {
		memmove(stream->fifo, stream->fifo + stream->fifo_at,
			stream->fifo_end - stream->fifo_at);
		stream->fifo_end -= stream->fifo_at;
		stream->fifo_at = 0;
	}
	if (stream->fifo_size - stream->fifo_end < need) {
		size_t size = stream->fifo_size ? stream->fifo_size : FIFO_FIRST_SIZE;
		uint8_t *fifo;

		while (size - (stream->fifo_end - stream->fifo_at) < need)
			size *= 2;
		fifo = malloc(size);
		if (!fifo)
			return NULL;
		if (stream->fifo)
			memcpy(fifo, stream->fifo + stream->fifo_at,
			       stream->fifo_end - stream->fifo_at);
		if (stream->item_is_lent)
			stream->lent_fifo = stream->fifo; /* freed at the next receive */
		else
			free(stream->fifo);
		stream->item_is_lent = false;
		stream->fifo = fifo;
		stream->fifo_size = size;
		stream->fifo_end -= stream->fifo_at;
		stream->fifo_at = 0;
	}
	at = stream->fifo + stream->fifo_end;
	cell_store_u32(at, (uint32_t)len);
	stream->fifo_end += need;
	return at + sizeof(uint32_t) * 2;
}

static uint8_t *fifo_pop(struct cell_stream *stream, size_t *ret_len)
{
	uint8_t *at = stream->fifo + stream->fifo_at;

	*ret_len = cell_load_u32(at);
	stream->fifo_at += fifo_entry_size(*ret_len);
	return at + sizeof(uint32_t) * 2;
}

static bool fifo_is_empty(const struct cell_stream *stream)
{
	return stream->fifo_at == stream->fifo_end;
}

/* --- life ---------------------------------------------------------------------------- */

static struct cell_stream *stream_new(struct call_root *root)
{
	struct cell_stream *stream = calloc(1, sizeof *stream);

	if (!stream)
		return NULL;
	stream->root = root;
	stream->window = CONNECTION_STREAM_WINDOW;
	cell_arena_init(&stream->item_arena, 0);
	list_append(&root->streams, &stream->in_root);
	return stream;
}

struct cell_stream *stream_for_served(struct served *served)
{
	struct cell_stream *stream = stream_new(&served->root);

	if (!stream)
		return NULL;
	stream->conn = served->conn;
	connection_ref(stream->conn);
	stream->method = served->entry->method;
	stream->id = served->id;
	stream->channel = served->channel;
	stream->send_credit = served->conn->theirs.window;
	stream->send_closed = !(stream->method->flags & CELL_METHOD_SERVER_STREAM);
	stream->recv_ended = !(stream->method->flags & CELL_METHOD_CLIENT_STREAM);
	return stream;
}

void stream_free(struct cell_stream *stream)
{
	list_unlink(&stream->in_root);
	if (stream->pending)
		pending_drop(stream->pending, true);
	if (stream->conn) {
		connection_assembly_drop(stream->conn, &(struct assembly){
			.total = stream->assembly.total, .have = stream->assembly.have });
		connection_unref(stream->conn);
	}
	free(stream->assembly.bytes);
	free(stream->fifo);
	free(stream->lent_fifo);
	cell_arena_deinit(&stream->item_arena);
	free(stream);
}

struct cell_stream *cell_stream_open(struct cell_call *call, struct cell_ref *ref,
				     const struct cell_method *method, const void *in)
{
	static struct cell_stream no_memory; /* never opened, never written: every use says so */
	struct call_root *root = call->root;
	struct cell_stream *stream = root->rt ? stream_new(root) : NULL;
	static const struct cell_raw nothing;
	struct connection *conn;
	int r;

	if (!stream)
		return &no_memory;
	call_tables_note(root, method);
	stream->is_client = true;
	stream->method = method;
	stream->channel = method->channel;
	stream->recv_ended = true; /* until it is open */
	stream->send_closed = true;
	r = call_connect(call, ref, deadline_min(call->deadline_ns,
						 clock_coarse_ns() + root->rt->call_timeout_ns),
			 &conn);
	if (r < 0) {
		stream->status = r;
		return stream;
	}
	stream->conn = conn;
	connection_ref(conn);
	if (!in) {
		/* The client streams: its request frame has no body. */
		stream->own_method = *method;
		stream->own_method.in = &cell_raw_type;
		method = &stream->own_method;
		in = &nothing;
	}
	stream->own_pending.stream = stream;
	stream->own_pending.method = method;
	r = pending_start(&stream->own_pending, call, conn, in, deadline_at(call->deadline_ns));
	if (r < 0) {
		stream->status = r;
		return stream;
	}
	stream->own_pending.method = stream->method;
	stream->pending = &stream->own_pending;
	stream->id = stream->pending->id;
	stream->send_credit = conn->theirs.window;
	stream->send_closed = !(stream->method->flags & CELL_METHOD_CLIENT_STREAM);
	stream->recv_ended = !(stream->method->flags & CELL_METHOD_SERVER_STREAM);
	return stream;
}

struct cell_stream *cell_stream_open_bytes(struct cell_call *call, struct cell_ref *ref,
					   uint8_t channel, const char *method, unsigned flags,
					   const uint8_t *in, size_t in_len)
{
	struct cell_method *untyped = cell_arena_calloc(&call->root->arena, 1, sizeof *untyped);
	struct cell_raw raw = { .bytes = in, .len = in_len };

	if (!untyped) {
		static const struct cell_method none;

		return cell_stream_open(call, ref, &none, &raw);
	}
	*untyped = (struct cell_method){
		.name = method, .full_name = method, .hash = cell_method_hash(method),
		.flags = flags, .channel = channel, .in = &cell_raw_type, .out = &cell_raw_type,
	};
	return cell_stream_open(call, ref, untyped,
				flags & CELL_METHOD_CLIENT_STREAM ? NULL : &raw);
}

struct cell_call *cell_stream_call(struct cell_stream *stream)
{
	return &stream->root->call;
}

/* --- frames -------------------------------------------------------------------------- */

int stream_item(struct cell_stream *stream, const struct frame *frame, const uint8_t *body,
		struct cell_error *err)
{
	struct connection *conn = stream->conn;
	uint8_t *at;
	int r;

	if (stream->recv_ended)
		return 0; /* crossed our end or cancel */
	if (!(frame->flags & FRAME_FLAG_MORE) && stream->assembly.total == 0) {
		stream->received += frame->length + ITEM_COST;
		at = fifo_push(stream, frame->length);
		if (!at)
			return cell_fail(err, -ENOMEM, "an item of %u bytes", frame->length);
		if (frame->length)
			memcpy(at, body, frame->length);
	} else {
		r = connection_assemble(conn, &stream->assembly, frame, body, conn->rt->message_max,
					NULL, err);
		if (r == CELL_RESOURCE_EXHAUSTED)
			r = cell_fail(err, -EPROTO, "an item over the limit");
		if (r != 0)
			return r == 1 ? 0 : r;
		stream->received += stream->assembly.have + ITEM_COST;
		at = fifo_push(stream, stream->assembly.have);
		if (at)
			memcpy(at, stream->assembly.bytes, stream->assembly.have);
		free(stream->assembly.bytes);
		stream->assembly = (struct assembly){ 0 };
		if (!at)
			return cell_fail(err, -ENOMEM, "an item");
	}
	/* One item may pass the window by its own length, no more. */
	if (stream->received > (uint64_t)stream->granted + stream->window + conn->rt->message_max)
		return cell_fail(err, -EPROTO, "items beyond the credit that was granted");
	runtime_wake(conn->rt, stream->recv_waiter);
	return 0;
}

void stream_credit(struct cell_stream *stream, uint32_t bytes)
{
	if (stream->send_credit > INT64_MAX / 2)
		return;
	stream->send_credit += bytes;
	if (stream->send_credit > 0)
		runtime_wake(stream->root->rt, stream->send_waiter);
}

void stream_recv_end(struct cell_stream *stream)
{
	stream->recv_ended = true;
	runtime_wake(stream->root->rt, stream->recv_waiter);
	if (stream->is_client) {
		stream->send_closed = true; /* the call has ended: nothing more to say */
		runtime_wake(stream->root->rt, stream->send_waiter);
	}
}

void stream_broken(struct cell_stream *stream)
{
	stream->is_broken = true;
	stream->recv_ended = true;
	stream->send_closed = true;
	runtime_wake(stream->root->rt, stream->recv_waiter);
	runtime_wake(stream->root->rt, stream->send_waiter);
}

/* --- sending ------------------------------------------------------------------------- */

static struct cell_error *stream_error(struct cell_stream *stream)
{
	return &stream->root->error;
}

static int why_closed(struct cell_stream *stream)
{
	struct call_root *root = stream->root;
	int r;

	if (stream->status)
		return stream->status;
	if (root->is_cancelled)
		return cell_fail(&root->error, root->cancel_status, "%s: cancelled",
				 stream->method->full_name);
	if (stream->is_broken)
		return cell_fail(&root->error, CELL_UNAVAILABLE, "%s: the peer is gone",
				 stream->method->full_name);
	if (stream->pending && stream->pending->done && stream->pending->status < 0) {
		r = stream->pending->status;
		return cell_fail(&root->error, r, "%s", stream->pending->error_text
								? stream->pending->error_text
								: cell_status_name(r));
	}
	return cell_fail(&root->error, CELL_FAILED_PRECONDITION, "%s: the stream is closed",
			 stream->method->full_name);
}

static int send_typed(struct cell_stream *stream, const struct cell_message_type *type,
		      const void *item)
{
	struct runtime *rt;
	struct frame frame;
	int r;

	if (!stream->root)
		return -ENOMEM;
	rt = stream->root->rt;
	/* What was sent cannot be taken back. A client's stream was noted when it was opened. */
	if (CELL_UNLIKELY(stream->root->tables != NULL) && !stream->is_client)
		call_tables_spoil(stream->root);
	while (!stream->send_closed &&
	       (stream->send_credit <= 0 || stream->conn->n_outgoing >= CONNECTION_OUTGOING_MAX)) {
		if (stream->send_credit > 0) {
			/* Credit, but the peer does not drain its link: look again soon. */
			r = cell_sleep_ms(&stream->root->call, 1);
		} else {
			r = runtime_wait(rt, stream->root, &stream->send_waiter,
					 stream->root->call.deadline_ns);
		}
		if (r < 0) {
			stream->status = r;
			return cell_fail(stream_error(stream), r, "%s: sending an item: %s",
					 stream->method->full_name, cell_status_name(r));
		}
	}
	if (stream->send_closed)
		return why_closed(stream);
	frame = (struct frame){ .kind = FRAME_ITEM, .channel = stream->channel,
				.call_id = stream->id };
	r = connection_send(stream->conn, &frame, type, item, NULL, false, stream_error(stream));
	if (r < 0)
		return r;
	stream->send_credit -= (int64_t)frame.total + ITEM_COST;
	return 0;
}

int cell_stream_send(struct cell_stream *stream, const void *item)
{
	if (!stream->root)
		return -ENOMEM;
	return send_typed(stream, stream->is_client ? stream->method->in : stream->method->out,
			  item);
}

int cell_stream_send_bytes(struct cell_stream *stream, const uint8_t *bytes, size_t len)
{
	return send_typed(stream, &cell_raw_type, &(struct cell_raw){ .bytes = bytes, .len = len });
}

int cell_stream_close_send(struct cell_stream *stream)
{
	struct frame frame = { .kind = FRAME_END, .channel = stream->channel,
			       .call_id = stream->id };

	if (!stream->root)
		return -ENOMEM;
	if (stream->send_closed || !stream->is_client)
		return 0;
	stream->send_closed = true;
	return connection_send_bytes(stream->conn, &frame, NULL, 0, stream_error(stream));
}

/* --- receiving ----------------------------------------------------------------------- */

static void grant(struct cell_stream *stream, size_t len)
{
	struct frame frame = { .kind = FRAME_CREDIT, .channel = stream->channel,
			       .call_id = stream->id };

	stream->consumed += (uint32_t)len + ITEM_COST;
	if (stream->consumed < stream->window / 2 || stream->recv_ended || stream->conn->is_broken)
		return;
	frame.code = stream->consumed;
	stream->granted += stream->consumed;
	stream->consumed = 0;
	(void)connection_send_bytes(stream->conn, &frame, NULL, 0, NULL);
}

/* The next item's bytes, one spare byte behind them; NULL at the end. */
static uint8_t *recv_raw(struct cell_stream *stream, size_t *ret_len)
{
	struct runtime *rt;
	uint8_t *at;
	int r;

	if (!stream->root)
		return NULL;
	rt = stream->root->rt;
	free(stream->lent_fifo);
	stream->lent_fifo = NULL;
	stream->item_is_lent = false;
	while (fifo_is_empty(stream)) {
		if (stream->recv_ended)
			return NULL;
		r = runtime_wait(rt, stream->root, &stream->recv_waiter,
				 stream->root->call.deadline_ns);
		if (r < 0 && fifo_is_empty(stream)) {
			stream->status = r;
			(void)cell_fail(stream_error(stream), r, "%s: waiting for an item: %s",
					stream->method->full_name, cell_status_name(r));
			stream->recv_ended = true;
			return NULL;
		}
	}
	at = fifo_pop(stream, ret_len);
	stream->item_is_lent = true;
	grant(stream, *ret_len);
	return at;
}

void *cell_stream_recv(struct cell_stream *stream)
{
	const struct cell_message_type *type;
	uint8_t *bytes;
	size_t len;
	void *item;
	int r;

	bytes = recv_raw(stream, &len);
	if (!bytes)
		return NULL;
	type = stream->is_client ? stream->method->out : stream->method->in;
	cell_arena_reset(&stream->item_arena);
	item = cell_arena_alloc(&stream->item_arena, type->size);
	r = item ? type->decode(item, bytes, len, CELL_DECODE_IN_PLACE, &stream->item_arena,
				stream_error(stream))
		 : cell_fail(stream_error(stream), -ENOMEM, "an item");
	if (r == 0)
		return item;
	stream->status = cell_wrap(stream_error(stream), r, "an item of %s",
				   stream->method->full_name);
	stream->recv_ended = true;
	return NULL;
}

const uint8_t *cell_stream_recv_bytes(struct cell_stream *stream, size_t *ret_len)
{
	return recv_raw(stream, ret_len);
}

/* --- the end ------------------------------------------------------------------------- */

/* Wait for the terminal frame where one is owed, and say how it ended. */
static int finish(struct cell_stream *stream)
{
	struct pending *pending = stream->pending;
	int r;

	if (!stream->root)
		return -ENOMEM;
	if (stream->status || !pending)
		return stream->status ? stream->status : why_closed(stream);
	if (!pending->done && stream->method->flags & CELL_METHOD_SERVER_STREAM &&
	    !stream->recv_ended) {
		pending_drop(pending, true); /* the reader has had enough: that is no error */
		return 0;
	}
	if (!pending->done) {
		(void)cell_stream_close_send(stream);
		r = pending_wait(pending);
		if (r < 0)
			return cell_fail(stream_error(stream), r, "%s: %s",
					 stream->method->full_name, cell_status_name(r));
	}
	r = pending->status;
	if (r < 0)
		return cell_fail(stream_error(stream), r, "%s", pending->error_text
									? pending->error_text
									: cell_status_name(r));
	return 0;
}

int cell_stream_end(struct cell_stream *stream, void *out)
{
	int r = finish(stream);

	if (r == 0 && out && stream->pending)
		r = stream->method->out->decode(out, stream->pending->body, stream->pending->len,
						CELL_DECODE_IN_PLACE, &stream->root->arena,
						stream_error(stream));
	if (stream->root)
		stream_free(stream);
	return r;
}

int cell_stream_end_bytes(struct cell_stream *stream, const uint8_t **ret_bytes, size_t *ret_len)
{
	struct cell_raw raw = { 0 };
	int r = cell_stream_end(stream, &raw);

	if (r == 0 && ret_bytes) {
		*ret_bytes = raw.bytes;
		*ret_len = raw.len;
	}
	return r;
}
