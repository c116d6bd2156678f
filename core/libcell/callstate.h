/*
 * What is behind struct cell_call: shared by call.c, server.c, stream.c and payload.c.
 */
#pragma once

#include "connection.h"
#include "runtime.h"

#include <cell/arena.h>
#include <cell/call.h>
#include <cell/linked.h>

struct cell_call {
	struct call_root *root;
	uint64_t deadline_ns;  /* on the coarse clock; UINT64_MAX = none */
	const char *to_cell;   /* cell_to(): overrides references; NULL = no */
	uint64_t to_instance;
	struct cell_pool *pool;  /* of which the member PREFERRED gets it; NULL = no */
	uint64_t preferred;
};

/* What a handler's or program's calls share. */
struct call_root {
	struct cell_call call;
	struct runtime *rt;
	struct cell_arena arena;
	struct cell_error error;
	const struct cell_peer *peer;
	struct cell_peer own_peer; /* when a principal was added */
	struct waiter *waiter;     /* its stack waits here */
	struct list pendings;      /* futures not waited for */
	struct list streams;
	struct list payloads;
	uint8_t trace[25];
	bool has_trace;
	bool is_cancelled;
	int cancel_status;
	const uint8_t *idempotency_key;
	size_t idempotency_key_len;
	const struct cell_undecoded *raw; /* the request of a CELL_METHOD_RAW method */
	struct call_tables *tables;       /* tables.h; NULL = it uses none */
};

/* A request being received or handled. */
struct served {
	struct call_root root;
	struct connection *conn; /* referenced; it may be broken */
	struct served *next;     /* in the connection's bucket, or in the free list */
	struct method_entry *entry;
	uint64_t id;             /* of the call, and of its request's frame the rest */
	uint16_t flags;
	uint8_t channel;
	struct assembly assembly;
	struct cell_payload *payload;
	struct cell_payload *reply_payload;
	struct cell_stream *stream;
	struct cell_undecoded undecoded;
	uint64_t started_ns;
	bool is_running;
	bool is_one_way;
	bool is_listed;
	int fds[SOCK_FDS_MAX];   /* control */
	size_t n_fds;
};

/* A function that runs as a handler without a caller. */
struct spawned {
	struct call_root root;
	struct list node; /* in the runtime's spawned, then in its tasks_running */
	void (*fn)(struct cell_call *, void *);
	void *userdata;
};

struct method_stats {
	uint64_t calls, errors, in_flight, max_ns;
	uint64_t latency[128]; /* four buckets to an octave of ns */
};

struct method_entry {
	const struct cell_service *service;
	const struct cell_method *method;
	cell_invoke_fn *invoke;
	const void *handlers;
	void *self;
	bool is_control; /* only on the control connection */
	bool is_first;   /* of its service: the array is freed through it */
	struct method_stats stats;
};

struct cell_stream {
	struct call_root *root;
	struct list in_root;
	struct connection *conn; /* referenced; NULL if it never opened */
	const struct cell_method *method;
	struct cell_method own_method; /* of an untyped stream */
	bool is_client;
	uint64_t id;
	uint8_t channel;

	struct pending *pending; /* client: how it ends */
	struct pending own_pending;

	int64_t send_credit;     /* bytes; may go below 0 by one item */
	bool send_closed;
	struct waiter *send_waiter;

	/* received items: u32 length, bytes, one spare byte, padded to 8; a growing FIFO */
	uint8_t *fifo;
	size_t fifo_size, fifo_at, fifo_end;
	struct assembly assembly; /* in `assembly_bytes`, malloc'ed */
	uint8_t *lent_fifo;      /* outgrown, but the item last received lives in it */
	bool item_is_lent;       /* the item last received lives in `fifo` */
	uint64_t received, granted; /* bytes, all in all */
	int status;              /* why it ended on this side; 0 = it did not */
	bool is_broken;
	uint32_t consumed;       /* not granted again yet */
	uint32_t window;
	bool recv_ended;         /* no more items will come */
	struct waiter *recv_waiter;
	struct cell_arena item_arena;
};

/* Start ROOT for a new call of RT. */
static inline void call_root_init(struct call_root *root, struct runtime *rt,
				  const struct cell_peer *peer, uint64_t deadline_ns)
{
	root->call = (struct cell_call){ .root = root, .deadline_ns = deadline_ns };
	root->rt = rt;
	root->error.code = 0;
	root->error.text[0] = '\0';
	root->peer = peer;
	root->waiter = NULL;
	list_init(&root->pendings);
	list_init(&root->streams);
	list_init(&root->payloads);
	root->has_trace = root->is_cancelled = false;
	root->cancel_status = 0;
	root->idempotency_key = NULL;
	root->idempotency_key_len = 0;
	root->raw = NULL;
	root->tables = NULL;
}
/* End the calls and streams that it started, let go of its payloads. */
void call_root_end_children(struct call_root *root);
/* Cancel what it started, forget what it was given; the arena keeps its first chunk. */
static inline void call_root_reset(struct call_root *root)
{
	if (!list_is_empty(&root->pendings) || !list_is_empty(&root->streams) ||
	    !list_is_empty(&root->payloads) || root->tables)
		call_root_end_children(root);
	cell_arena_reset(&root->arena);
}
void call_root_deinit(struct call_root *root);
/* Wake its stack, if it waits, with STATUS. */
void call_root_cancel(struct call_root *root, int status);

/* The connection that REF means in CALL: made if need be. */
int call_connect(struct cell_call *call, struct cell_ref *ref, uint64_t deadline_ns,
		 struct connection **ret_conn);
/* A connection to one instance (0: any) of CELL. */
int runtime_connect(struct runtime *rt, struct cell_call *call, const char *cell,
		    uint64_t instance, uint64_t deadline_ns, struct connection **ret_conn);
/* The control connection, said hello and authenticated on. */
int runtime_control(struct runtime *rt, struct cell_call *call, uint64_t deadline_ns,
		    struct connection **ret_conn);
/* A ring (four descriptors) or stream that cellcore gave. Takes the descriptors. */
int runtime_adopt(struct runtime *rt, const int *fds, size_t n_fds, bool is_stream,
		  enum connection_role role, const struct cell_peer *peer, uint64_t id,
		  const uint64_t *channels, size_t n_channels, struct connection **ret_conn,
		  struct cell_error *err);

/* When a call ends by itself, and how long that is from now: one look at the clock. */
struct deadline {
	uint64_t at_ns;   /* UINT64_MAX = never */
	uint64_t left_ns; /* 0 = never */
};
struct deadline deadline_at(uint64_t at_ns);
/* At AT_NS if that is ever, else TIMEOUT_NS from now. */
struct deadline deadline_after(uint64_t at_ns, uint64_t timeout_ns);

/*
 * Send a request of PENDING's method on CONN and note PENDING for its end. Returns 0 or why
 * nothing was sent.
 */
int pending_start(struct pending *pending, struct cell_call *call, struct connection *conn,
		  const void *in, struct deadline deadline);
/* Wait for its end. 0 when done (see its status), or why waiting stopped: then it is cancelled. */
int pending_wait(struct pending *pending);
/* Stop caring: the late reply will be dropped. SAY: tell the server. */
void pending_drop(struct pending *pending, bool say);
void pending_finish(struct pending *pending, int status, const char *text);

/* One call on a known connection, without retries: for control requests. */
int connection_invoke(struct connection *conn, struct cell_call *call,
		      const struct cell_method *method, const void *in, void *out,
		      uint64_t deadline_ns, int *fds, size_t *n_fds);

/* stream.c */
int stream_item(struct cell_stream *stream, const struct frame *frame, const uint8_t *body,
		struct cell_error *err);
void stream_credit(struct cell_stream *stream, uint32_t bytes);
void stream_recv_end(struct cell_stream *stream);
void stream_broken(struct cell_stream *stream);
void stream_free(struct cell_stream *stream);
struct cell_stream *stream_for_served(struct served *served);

/* server.c */
struct method_entry *server_find(struct runtime *rt, uint8_t channel, uint32_t hash);
/* OPS and Instance, which every process serves. */
int server_register(struct runtime *rt, const struct cell_service *service, const void *handlers,
		    void *self, bool is_control, struct cell_error *err);
int server_register_builtin(struct runtime *rt, struct cell_error *err);
/* Give back memory that ended calls keep for the next ones. */
void server_trim(struct runtime *rt);
void server_free(struct runtime *rt);
void server_say_goaway(struct runtime *rt);
/* All handlers are done and what they sent has left, or will never: stop. */
void runtime_drained(struct runtime *rt);
void targets_free(struct runtime *rt);
extern const struct core_instance_handlers control_handlers;
extern const struct ops_handlers ops_handlers;

/* linked.c */
/*
 * A connection to the service in this program that stands in for CELL; LINKED_NONE if none
 * does. Starts the linked services at first use.
 */
enum { LINKED_NONE = 1 };
int linked_connect(struct runtime *rt, struct cell_call *call, const char *cell,
		   struct connection **ret_conn);
/*
 * Whether METHOD, as the caller knows it, is what stands in for its cell: the same messages on
 * the wire. 0, or CELL_FAILED_PRECONDITION naming it and what differs; what is not known of
 * either side counts as the same.
 */
int linked_check(const struct runtime *rt, const struct cell_method *method,
		 struct cell_error *err);
/* The method with HASH of what stands in; NULL = there is none. */
const struct cell_method *linked_method(const struct runtime *rt, uint32_t hash);
/* Run the stop functions of what was started: once. */
int linked_stop(struct runtime *rt, struct cell_call *call);
/* Before the runtime ends: finish what stand-ins still do. */
void linked_close(struct runtime *rt, struct cell_call *call);
void linked_free(struct runtime *rt);

/* pool.c */
/* CALL's preferred member if that still takes calls, else another, preferred from now on. */
int pool_connect(struct cell_pool *pool, struct cell_call *call, uint64_t deadline_ns,
		 struct connection **ret_conn);
/* An instance of CELL changed its state (enum core_instance_state). */
void pools_event(struct runtime *rt, const char *cell, uint64_t instance, int state);
/* The instances of CELL that pools know may not be right any more: they are told anew. */
void pools_forget(struct runtime *rt, const char *cell);

/* ops.c */
/* The process drains: taps end. */
void taps_wake(struct runtime *rt);
void tap_frame(struct runtime *rt, struct connection *conn, const struct frame *frame,
	       const uint8_t *body, bool outgoing);

/* Bytes that are a message already. */
struct cell_raw {
	const uint8_t *bytes;
	size_t len;
};
extern const struct cell_message_type cell_raw_type;

/* Handle signals and wait until told to stop; the part of cell_loop_run() that needs no node. */
int runtime_run(struct runtime *rt, struct call_root *root);

/* control.c: calls to CELL go over CONN from now on; takes the reference. */
int runtime_set_target(struct runtime *rt, const char *cell, struct connection *conn);

/* CONN is no longer where new calls to its target go. */
void target_forget(struct connection *conn);

/* payload.c */
int payload_send(struct connection *conn, struct cell_payload *payload, struct frame *frame,
		 struct cell_error *err);
/* The whole of it, as an encoded message: read-only once sealed. */
const uint8_t *payload_message(const struct cell_payload *payload, size_t *ret_len);
/* PAYLOAD ends with ROOT. */
void payload_list(struct call_root *root, struct cell_payload *payload);
void payload_unlist(struct list *node);
struct cell_payload *payload_map(int fd, uint64_t size, uint64_t max, struct cell_error *err);
struct cell_payload *payload_ref(struct cell_payload *payload);
void payload_unref(struct cell_payload *payload);
/* A memfd to write a payload to that arrives in frames; payload_finish() takes it over. */
int payload_begin(int *ret_fd, struct cell_error *err);
/* 0, or CELL_RESOURCE_EXHAUSTED. */
int payload_append(int fd, uint64_t at, const uint8_t *bytes, size_t len, struct cell_error *err);
struct cell_payload *payload_finish(int fd, uint64_t size, uint64_t max, struct cell_error *err);
uint64_t deadline_min(uint64_t a, uint64_t b);
