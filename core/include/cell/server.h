/*
 * Serving: the methods a cell answers.
 *
 *	int main(void)
 *	{
 *		static const struct greeter_handlers handlers = { .greet = greet };
 *		struct cell_call *call = cell_open("greeter");
 *		int err = cell_serve(call, &greeter_service, &handlers, NULL);
 *
 *		return cell_exit(call, err ? err : cell_loop_run(call));
 *	}
 *
 * Every cell also answers OPS (ping, health, stats, schema, log level, tap) by itself.
 */
#pragma once

#include <cell/call.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ev_loop;

/*
 * Serve SERVICE with HANDLERS (its generated struct of function pointers; NULL members
 * answer UNIMPLEMENTED). SELF is handed to each handler. Both must outlive CALL. To be
 * called before cell_loop_run(). Returns 0, CELL_ALREADY_EXISTS if two methods' hashes clash.
 */
int cell_serve(struct cell_call *call, const struct cell_service *service, const void *handlers,
	       void *self);

/*
 * Say ready, and serve until the process is told to stop (drain, SIGTERM, cell_loop_stop());
 * then drain: goaway to every client, finish what is in flight. Returns 0 or why it failed.
 */
int cell_loop_run(struct cell_call *call);
void cell_loop_stop(struct cell_call *call);

/* The libev loop, for watchers of the program's own. Their callbacks must not wait. */
struct ev_loop *cell_loop_ev(struct cell_call *call);

/*
 * Run FN(call, userdata) as a handler without a caller: it may wait. For periodic work:
 * start it from an ev_timer. It always runs, if only to see that it is cancelled. Returns 0,
 * CELL_RESOURCE_EXHAUSTED, or CELL_CANCELLED if the program is closing: FN will not run.
 */
int cell_spawn_task(struct cell_call *call, void (*fn)(struct cell_call *, void *), void *userdata);

/*
 * Something that a handler or task waits for, and that another one, or a callback of the loop,
 * brings about. Zeroed it has not happened. One waits for it at a time, and it must outlive
 * the wait.
 */
struct cell_event {
	void *waiter; /* libcell's */
	bool has_happened;
};

/*
 * Wait until EVENT has happened, and make it not have happened again. Returns 0, at once if
 * it has, or CELL_CANCELLED, CELL_DEADLINE_EXCEEDED, or -EDEADLK in a callback.
 */
int cell_event_wait(struct cell_call *call, struct cell_event *event);

/* It has happened: who waits goes on when the loop comes to it. Not from another thread. */
void cell_event_set(struct cell_event *event);

/* What OPS health says from now on. REASON "" or NULL: healthy. The text is copied. */
void cell_set_health(struct cell_call *call, const char *reason);

/* A descriptor that cellcore passed with a note for the log cell; see proto/core.proto. */
typedef void cell_log_source_fn(void *userdata, const char *cell, uint64_t instance, uint32_t pid,
				uint64_t rate_lines, uint64_t file_bytes, int fd);
/* Register the function that takes log sources (it owns FD). Only the node's log cell gets any. */
void cell_on_log_source(struct cell_call *call, cell_log_source_fn *fn, void *userdata);

#ifdef __cplusplus
}
#endif
