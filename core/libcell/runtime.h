/*
 * The runtime of one thread: its loop, its connections and what waits.
 *
 * Watchers only mark what is ready. The outer loop (runtime.c) then takes frames from the
 * connections that are hot, runs handlers on its own stack, publishes what was sent, and
 * spins or sleeps when there is nothing left. Who waits sets its stack aside (task.h).
 */
#pragma once

#include "list.h"
#include "task.h"
#include "wake.h"
#include "wheel.h"

#include <cell/call.h>
#include <cell/error.h>
#include <cell/server.h>
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct call_root;
struct cell_linked;
struct connection;
struct linked;
struct method_entry;
struct served;
struct tables;
struct tap;
struct target;

/* Frames a connection may have handled before it is another one's turn. */
#define RUNTIME_FRAMES_PER_TURN 64
/* Connections that may be polled while spinning; others sleep between their frames. */
#define RUNTIME_HOT_MAX 8
/* Handlers that may wait at a time; each keeps a stack of 256 KiB. */
#define RUNTIME_WAITS_MAX 256
/* Ended calls whose memory is kept for the next ones. */
#define RUNTIME_SERVED_KEPT 64

struct runtime_stats {
	uint64_t frames_in, frames_out, bytes_in, bytes_out;
	uint64_t refused, unknown, late, broken_peers, schema_differs, wakeups;
	uint64_t vain_polls; /* nothing came: what followed was a sleep, or late */
};

/* Somebody waits, on a stack of its own, until it is woken or its time is up. */
struct waiter {
	struct task_wait wait;
	struct wheel_timer timer;
	struct runtime *rt;
	bool timed_out;
};

struct runtime {
	struct ev_loop *ev;
	int ev_fd;          /* readable when EV has events; its own */
	int waits;          /* what we sleep on: every bell, and EV_FD unless EV is shared */
	ev_io waits_io;     /* in EV, while that is shared */
	ev_fork remade;     /* EV makes its descriptor anew */
	bool ev_is_remade;
	bool ev_is_shared;  /* the program has it, and its watchers: only ev_run() knows when */
	bool ev_has_changed; /* watchers were started: ev_run() must see it before we sleep */
	struct task_pool *tasks;
	struct wheel wheel;
	ev_timer wheel_timer;
	uint64_t wheel_timer_at; /* when to look at the wheel; UINT64_MAX: never */
	uint64_t epoch;          /* counts switches: lists may have changed if it moved */
	unsigned frames_since_ev;

	char program[64];
	struct list connections; /* all that are open */
	struct list hot;         /* polled on each turn */
	unsigned n_hot;
	struct list dirty;       /* have frames to publish */
	struct list dead;        /* to be freed at a clean point */
	uint64_t slept_at_ns;
	unsigned poll_ns;        /* what a poll of the hot rings took of late */

	/* client side */
	struct connection *control;
	bool control_connecting;
	struct list control_waiters;
	struct list targets;
	struct target **by_slot; /* by cell_ref.slot */
	unsigned n_slots;
	struct list pools;
	/* what the program's generated code says, from the first reference that is used */
	const struct cell_linked *const *records, *const *records_end;
	struct linked *linked; /* NULL: not looked at */
	struct tables *tables; /* what calls share that use tables; NULL: none did */

	/* server side */
	struct method_entry **methods; /* open addressing, by hash */
	unsigned n_methods, methods_size;
	const struct cell_service *services[32];
	unsigned n_services;
	struct list spawned;           /* functions to run as handlers */
	struct list tasks_running;     /* those that have begun */
	struct served *served_free;
	unsigned n_served_free;
	unsigned n_serving;            /* handlers begun and not finished */
	size_t held_bytes;             /* of requests not dispatched yet */
	uint64_t batch_ns;             /* clock_fast_ns() when the last handler ended; 0 = look */
	uint64_t late_ahead_ns;        /* of clock_now_ns() and a tick before clock_fast_ns() */
	uint64_t late_read_ns;         /* when that was read, by clock_fast_ns() */
	struct list taps;
	cell_log_source_fn *on_log_source;
	void *log_source_userdata;

	/* who we are, from Welcome */
	char node[64], cell[64];
	uint64_t instance;
	bool is_spawned;
	bool is_serving;    /* said ready */
	bool is_draining;
	bool must_stop;     /* drained, or forced */
	int stop_status;    /* why, if not 0 */
	struct waiter *runner; /* cell_loop_run() */
	struct call_root *root; /* cell_open()'s */
	bool is_closing;
	struct waiter *closer; /* runtime_close() */
	uint64_t started_ns, drain_by_ns, drain_timeout_ns, health_since_ns;
	uint32_t connections_max, calls_max, message_max;
	uint64_t payload_max, call_timeout_ns;
	uint64_t schema; /* fingerprint of what is served */
	char health[160];
	struct runtime_stats stats;
	enum wake_mode wake_mode;
	int stop_fd;             /* TERM and INT ring it, while runtime_run() runs */
	ev_io stop_io;
	struct wheel_timer drain_timer;
	struct wheel_timer trim_timer;
	uint64_t tasks_trimmed_ns;
	void *spare_outgoing; /* a large buffer kept for the next one */
	size_t spare_outgoing_size;
	struct cell_peer self;
};

int runtime_new(struct runtime **ret_rt, const char *program, struct cell_error *err);
/*
 * Before it is freed: cancel handlers and tasks, let them unwind, and hand over what clients
 * of this process were told has been sent; all of it within CELL_CLOSE_TIMEOUT_MS. On the
 * first stack.
 */
void runtime_close(struct runtime *rt);
/* Closes every connection; nobody may wait any more. */
void runtime_free(struct runtime *rt);
/* Cancel what cell_spawn_task() started, and what it will. */
void runtime_cancel_tasks(struct runtime *rt);

/*
 * Wait in the name of ROOT (whose cancellation ends it) until somebody calls
 * runtime_wake(*SLOT), at most until DEADLINE_NS. *SLOT points to the waiter meanwhile.
 * Publishes what was sent first. Returns 0, CELL_CANCELLED, CELL_DEADLINE_EXCEEDED,
 * -EDEADLK or CELL_RESOURCE_EXHAUSTED.
 */
int runtime_wait(struct runtime *rt, struct call_root *root, struct waiter **slot,
		 uint64_t deadline_ns);
void runtime_wake(struct runtime *rt, struct waiter *waiter);

/* Make everything visible that was committed to links. */
void runtime_flush(struct runtime *rt);

/* As ev_io_start() for watchers of the library itself. */
void runtime_io_start(struct runtime *rt, ev_io *io);

/* Be woken by CONN's bell. Returns 0 or -errno. */
int runtime_watch_bell(struct runtime *rt, struct connection *conn, struct cell_error *err);
void runtime_unwatch_bell(struct runtime *rt, struct connection *conn);

/* The program may start watchers and timers in rt->ev from now on. */
void runtime_share_ev(struct runtime *rt);

/* Let the outer loop poll CONN from its next turn on. */
void runtime_make_hot(struct runtime *rt, struct connection *conn);
void runtime_make_dirty(struct runtime *rt, struct connection *conn);

/* Something large was kept for reuse: give it back when it has not been wanted for a second. */
void runtime_trim_later(struct runtime *rt);

/* Begin to drain: goaway to all clients, stop when the last handler is done or at the time-out. */
void runtime_drain(struct runtime *rt, uint64_t timeout_ns);
/* Called when a handler ended, a connection closed or all of it left: stop if drained. */
void runtime_check_drained(struct runtime *rt);
/* CONN broke: forget it as a target, tell cellcore. */
void runtime_connection_closed(struct runtime *rt, struct connection *conn);
/* End cell_loop_run() now, with STATUS. */
void runtime_stop(struct runtime *rt, int status);
