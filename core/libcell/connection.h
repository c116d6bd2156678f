/*
 * A connection: frames of many calls over one link.
 *
 * Clients send requests on it, servers answer them; the control connection does both.
 * Here are the rules of cell-protocol(7) that both sides share: hello, fragments, queues
 * for what the link cannot take now, the end of a peer. Calls are in call.c (client) and
 * server.c; items and credit in stream.c.
 */
#pragma once

#include "link.h"
#include "list.h"
#include "runtime.h"
#include "wake.h"

#include <cell/call.h>
#include <cell/cell.h>
#include <cell/message.h>

enum connection_role { CONNECTION_CLIENT, CONNECTION_SERVER, CONNECTION_CONTROL };

/* Bodies in fragments that may be under way in one direction at a time, and their bytes. */
#define CONNECTION_ASSEMBLIES_MAX 8
#define CONNECTION_ASSEMBLY_BYTES_MAX (32u * 1024 * 1024)
/* Messages that may wait for room before we stop reading from that peer. */
#define CONNECTION_OUTGOING_MAX 1024
/* And their bytes: as many as a peer may make us hold of what it sends. */
#define CONNECTION_OUTGOING_BYTES_MAX (32u * 1024 * 1024)
/* A fragment makes its connection's next waits bulk waits: for room, the rest, the answer. */
#define CONNECTION_BULK_WAITS 4
/*
 * Payload descriptors that may wait for their frame; on a stream, payloads that may arrive, and
 * those that may leave, at a time.
 */
#define CONNECTION_PAYLOADS_MAX 8
#define CONNECTION_SERVED_BUCKETS 64
/* Bytes of items a stream may have on their way to us. */
#define CONNECTION_STREAM_WINDOW (256u * 1024)

struct cell_payload;

/* A message the link had no room for, or that travels in fragments. */
struct outgoing {
	struct list node;
	struct frame frame; /* of the first fragment; `total` bytes in all */
	size_t size;        /* of this allocation */
	size_t sent;
	bool is_started;
	struct cell_chunks pieces; /* of the body that are not in BYTES; lent by their owner */
	size_t piece, piece_at;    /* the next of them, and how much of it was sent */
	struct cell_payload *payload; /* referenced; the one piece is its memory */
	const uint8_t *at;         /* what follows in BYTES */
	uint8_t bytes[];
};

/* A body that arrives in fragments. */
struct assembly {
	uint8_t *bytes; /* has one spare byte behind its end */
	size_t total;   /* 0: none under way */
	size_t have;
	bool is_payload;
	int fd;         /* then the bytes go there */
};

/* A call we made and whose end has not come. */
struct pending {
	struct connection *conn; /* NULL: not sent, or ended */
	uint64_t id;
	struct call_root *root;
	struct list in_root;     /* futures and streams, which end with their call */
	const struct cell_method *method;
	struct cell_stream *stream; /* takes items; NULL for unary calls */
	struct waiter *waiter;
	void (*on_ready)(void *);
	void *userdata;
	uint64_t deadline_ns;
	uint64_t timeout_ns;     /* left when it was sent; 0 = none */
	uint64_t sent_end;       /* ring position behind the request; UINT64_MAX: it waits */
	struct assembly assembly;
	struct cell_payload *payload; /* the reply by reference */
	uint8_t *body;           /* the reply, in the call's arena, one spare byte behind */
	size_t len;
	int status;              /* once done */
	bool done;
	bool was_taken;          /* the peer may have seen the request */
	bool was_lost;           /* it ended because its connection did */
	bool lends;              /* the request's memory is ours until it ends: see connection_send() */
	bool must_retry;         /* the server never took it */
	bool is_idempotent;
	const char *error_text;  /* once done, if status is not 0; in the call's arena */
	int fds[SOCK_FDS_MAX];   /* control replies */
	size_t n_fds;
};

struct waiting_payload {
	uint64_t call_id;
	uint64_t size;
	int fd;
};

struct connection {
	struct runtime *rt;
	struct link link;
	enum connection_role role;
	unsigned refs;
	bool is_broken;
	bool is_hot, is_dirty;
	bool has_hello;
	uint64_t id;            /* cellcore's number, for logs and Closed */
	struct frame_hello theirs;
	struct cell_peer peer;
	char peer_cell[64], peer_node[64];
	uint64_t channels[4];
	bool speaks_for;
	bool is_stand_in;       /* a client's, to a service of this program */

	struct list all, hot, dirty;
	ev_io socket_io, write_io;
	struct wheel_timer hello_timer; /* a client's hello is due */
	struct wake wake;
	struct wake bulk_wake;   /* for the waits around bodies in fragments */
	struct wake *waits_with; /* the one of the last decision */
	unsigned bulk_waits;     /* so many more waits are of that kind */

	/* calls we make */
	struct pending **pendings; /* by id modulo size */
	unsigned pendings_size, n_pending;
	uint64_t next_id;
	bool is_going_away;
	uint64_t goaway_id;
	struct target *target;

	/* calls we serve */
	struct served *served[CONNECTION_SERVED_BUCKETS];
	unsigned n_served;
	uint64_t last_request_id;
	struct method_entry *last_method; /* that a request was for; NULL = look it up */
	bool goaway_sent;

	/* what waits for room */
	struct list outgoing;
	unsigned n_outgoing, n_started;
	unsigned n_waiting_small; /* bodies of one frame, not sent for want of room */
	uint64_t last_begun_id;   /* of the requests whose first frame has left */
	size_t outgoing_bytes, started_bytes;
	unsigned n_outgoing_payloads, n_started_payloads; /* not counted in the bytes above */
	uint64_t started_payload_bytes;
	size_t room_needed;      /* for the next fragment of what waits */
	bool is_choked;          /* too much waits: nothing is read */
	bool tx_has_failed;      /* nothing will ever leave again */
	bool wants_room;
	unsigned n_held_back;   /* frames committed since the last look at the peer */
	bool lifeline_is_ready;
	uint64_t peer_head;     /* when it broke: how far the peer had read our ring */

	unsigned n_assemblies;
	size_t assembly_bytes;
	struct waiting_payload payloads[CONNECTION_PAYLOADS_MAX];
	unsigned n_payloads;
	unsigned n_arriving_payloads; /* on a stream */
	uint64_t arriving_payload_bytes;
};

/* Nobody refers to CONN any more. */
void connection_end(struct connection *conn);

/*
 * A connection over LINK, which it takes over also on failure. PEER is copied. Sends hello.
 * The caller holds the one reference.
 */
int connection_new(struct connection **ret_conn, struct runtime *rt, struct link *link,
		   enum connection_role role, const struct cell_peer *peer,
		   struct cell_error *err);
static inline void connection_ref(struct connection *conn)
{
	conn->refs++;
}

/* The last reference frees it at the runtime's next clean point. */
static inline void connection_unref(struct connection *conn)
{
	cell_assert(conn->refs > 0);
	if (--conn->refs == 0)
		connection_end(conn);
}

/*
 * End it: every call in flight fails with CODE and the text, handlers are cancelled, the
 * link is closed. Idempotent.
 */
void connection_break(struct connection *conn, int code, const char *text);

/*
 * Handle up to BUDGET frames. Handlers run on this stack; if one waited, the runtime's
 * epoch has moved when this returns. Returns how many frames there were.
 */
unsigned connection_drain(struct connection *conn, unsigned budget);

/* Send what waits for room, as far as there is some. */
void connection_pump(struct connection *conn);

/*
 * Send one message: FRAME with its kind, ids, flags and code set; MESSAGE of TYPE (or
 * LEN bytes at BYTES) is its body, behind METADATA if there is some. Queued if the link is full.
 *
 * IS_LENT: the large bytes fields of MESSAGE stay where they are until all has left
 * (connection_has_sent()), or connection_unsend() or connection_break(); so they are copied
 * once, into the link.
 *
 * Returns 0, CELL_RESOURCE_EXHAUSTED (over the message limit), CELL_UNAVAILABLE (broken),
 * -ENOMEM.
 */
int connection_send(struct connection *conn, struct frame *frame,
		    const struct cell_message_type *type, const void *message,
		    const struct frame_metadata *metadata, bool is_lent,
		    struct cell_error *err);
int connection_send_bytes(struct connection *conn, struct frame *frame, const void *bytes,
			  size_t len, struct cell_error *err);

/* On a stream: PAYLOAD, which is sealed, as the body, flagged so. A reference is kept. */
int connection_send_payload(struct connection *conn, struct frame *frame,
			    struct cell_payload *payload, struct cell_error *err);

/* An error or end frame: status CODE and text. */
void connection_send_status(struct connection *conn, uint8_t kind, uint8_t channel, uint64_t call_id,
			    int code, const char *text);

/* The policy for the wait that begins now. */
static inline struct wake *connection_wake(struct connection *conn)
{
	conn->waits_with = &conn->wake;
	if (__builtin_expect(conn->bulk_waits > 0, 0)) {
		conn->bulk_waits--;
		conn->waits_with = &conn->bulk_wake;
	}
	return conn->waits_with;
}

/* Whether calls on CHANNEL are allowed. */
static inline bool connection_allows(const struct connection *conn, uint8_t channel)
{
	return conn->channels[channel >> 6] >> (channel & 63) & 1;
}

/*
 * Step over the frame and tell the peer, before it is acted on: what was not released when
 * we die is what the peer may safely repeat.
 */
static inline void connection_consume(struct connection *conn, const struct frame *frame)
{
	link_consume(&conn->link, frame);
	link_release(&conn->link);
}

/*
 * Take one more fragment of a body (or a whole one) into ASSEMBLY, with memory from ARENA.
 * Returns 0 when it is complete, 1 when more must come, CELL_RESOURCE_EXHAUSTED if there
 * are too many or it is too large (drop that call), -EPROTO (drop the peer).
 */
int connection_assemble(struct connection *conn, struct assembly *assembly,
			const struct frame *frame, const uint8_t *body, size_t max,
			struct cell_arena *arena, struct cell_error *err);
/* The same, quick for a body in one frame, as nearly all are. */
static inline int connection_take_body(struct connection *conn, struct assembly *assembly,
				       const struct frame *frame, const uint8_t *body, size_t max,
				       struct cell_arena *arena, struct cell_error *err)
{
	size_t length = frame->length;
	uint8_t *bytes;

	if (__builtin_expect(!(frame->flags & FRAME_FLAG_MORE) && assembly->total == 0 &&
			     length <= max, 1)) {
		bytes = cell_arena_alloc(arena, length + 1);
		if (bytes) {
			memcpy(bytes, body, length);
			*assembly = (struct assembly){ .bytes = bytes, .total = length,
						       .have = length };
			return 0;
		}
	}
	return connection_assemble(conn, assembly, frame, body, max, arena, err);
}

/*
 * The same for a payload in frames (on a stream). Its bytes go to a new memfd as they come, so
 * that it never holds more than was sent. When it is complete *RET_PAYLOAD is sealed and
 * mapped, and ASSEMBLY is as new. The announced size is charged first: at most MAX bytes of
 * data, in all that arrive on CONN at a time unless it is alone.
 */
int connection_assemble_payload(struct connection *conn, struct assembly *assembly,
				const struct frame *frame, const uint8_t *body, uint64_t max,
				struct cell_payload **ret_payload, struct cell_error *err);
/* Whether FRAME is part of a payload that travels in frames. */
static inline bool connection_is_payload(const struct connection *conn,
					 const struct assembly *assembly,
					 const struct frame *frame)
{
	return conn->link.kind == LINK_STREAM &&
	       (assembly->is_payload || frame->flags & FRAME_FLAG_MEMFD);
}
/* Forget a body if one is under way. */
void connection_assembly_forget(struct connection *conn, struct assembly *assembly);
static inline void connection_assembly_drop(struct connection *conn, struct assembly *assembly)
{
	if (assembly->have < assembly->total || assembly->is_payload)
		connection_assembly_forget(conn, assembly);
}

/*
 * Take the payload descriptor announced for the call of FRAME, which has no body: checked and
 * mapped. NULL with ERR filled.
 */
struct cell_payload *connection_take_payload(struct connection *conn, const struct frame *frame,
					     uint64_t max, struct cell_error *err);

/* Take back what was not sent of CALL_ID. False if nothing of it had left. */
bool connection_unsend(struct connection *conn, uint64_t call_id);
/* Take back the rest of a payload that answers CALL_ID. False if there is none. */
bool connection_unsend_payload(struct connection *conn, uint64_t call_id);
/* Whether anything of request CALL_ID has left. */
bool connection_has_begun(const struct connection *conn, uint64_t call_id);
/* Whether all of CALL_ID has left, which was sent last. */
static inline bool connection_has_sent(const struct connection *conn, uint64_t call_id)
{
	return list_is_empty(&conn->outgoing) ||
	       list_entry(conn->outgoing.prev, struct outgoing, node)->frame.call_id != call_id;
}

/* At a clean point, when nobody refers to it. */
void connection_free(struct connection *conn);

/* --- implemented by call.c, server.c and stream.c ------------------------------------ */

/* A frame of a call we made. Returns 0 or -EPROTO. */
int client_frame(struct connection *conn, const struct frame *frame, const uint8_t *body,
		 struct cell_error *err);
/*
 * A frame of a call we serve. BODY is in the link; the frame is consumed in here, before
 * any handler runs.
 */
int server_frame(struct connection *conn, const struct frame *frame, const uint8_t *body,
		 struct cell_error *err);
/* The connection broke. */
void client_broken(struct connection *conn, int code, const char *text);
/* The request CALL_ID has left, all of it. */
void client_sent(struct connection *conn, uint64_t call_id);
/* A higher id for a request of which nothing has left; who waits for it knows. */
uint64_t client_renumber(struct connection *conn, uint64_t call_id);
void server_broken(struct connection *conn);
