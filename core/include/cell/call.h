/*
 * A call: the context every handler and every stub takes first.
 *
 * It carries the arena, the deadline, the trace, the caller's identity, where nested
 * calls go, and the last error. A handler gets one; any other program opens a root call
 * with cell_open(). Everything that a stub gives back lives in the call's arena until the
 * call ends or is rewound: nobody frees.
 *
 * A call belongs to the thread that opened it. Waiting (stubs, streams, cell_sleep_ms)
 * lets the process go on serving; inside a libev callback it fails with -EDEADLK.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <cell/message.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cell_call;
struct cell_stream;

/* Who is at the other end, as cellcore (never the peer itself) said. */
struct cell_peer {
	const char *cell;   /* "" for a process that cellcore did not spawn */
	const char *node;
	uint64_t instance;
	uint32_t uid;
	bool is_outside;
	const char *principal; /* on whose behalf, from a peer that may speak for others; or "" */
	bool is_owner; /* outside, of the node's own user or root: it may do anything */
};

/*
 * What this program's generated code says of itself (cell/linked.h): a linker set. NULL if
 * there is nothing. Hidden: each program or shared library has its own.
 */
struct cell_linked;
extern const struct cell_linked *const __start_cell_linked[]
	__attribute__((weak, visibility("hidden")));
extern const struct cell_linked *const __stop_cell_linked[]
	__attribute__((weak, visibility("hidden")));

/*
 * Names a cell, and remembers the connection to it. Static in generated code. A service that
 * is linked into the program stands in for the cell of its name: see cell/linked.h.
 */
struct cell_ref {
	const char *cell;
	unsigned slot; /* libcell's; 0 = not assigned yet */
	const struct cell_linked *const *linked;
	const struct cell_linked *const *linked_end;
};
#define CELL_REF(name) { (name), 0, __start_cell_linked, __stop_cell_linked }

/*
 * A root call for a program that goes by the name PROGRAM. Never NULL: what goes wrong is
 * reported by the first stub. Connects lazily to the node that $CELL_RUNDIR (or the search
 * of cell(1)) names, or, in a spawned cell, through descriptor 3. Has no deadline: each
 * stub gets the default one (30 s).
 */
struct cell_call *cell_open(const char *program);

/*
 * End a root call: cancels what it started (handlers and tasks unwind first), hands over what
 * cell_post() accepted, closes its connections, frees its memory. Waits for the first two, at
 * most 2 s (CELL_CLOSE_TIMEOUT_MS); within a libev callback it waits for nothing. In a handler
 * or task it frees nothing: it cancels all of them and the root call, whose waits end with
 * CELL_CANCELLED, and who opened it closes it.
 */
void cell_close(struct cell_call *call);

/*
 * The same call with a nearer deadline, MS milliseconds from now (never a later one than
 * CALL has). Lives in CALL's arena, shares its error and memory.
 */
struct cell_call *cell_within_ms(struct cell_call *call, uint64_t ms);

/*
 * The same call, but stubs go to this cell whatever their own reference says: to one
 * INSTANCE, or (0) to any. For OPS methods and for tools.
 */
struct cell_call *cell_to(struct cell_call *call, const char *cell, uint64_t instance);

/* Memory of the call. */
struct cell_arena *cell_arena(struct cell_call *call);

/* In long loops: cell_rewind() frees all that the call has been given since the mark. */
struct cell_arena_mark cell_mark(struct cell_call *call);
void cell_rewind(struct cell_call *call, struct cell_arena_mark mark);

/* The last error of this call; code 0 if there was none. */
const struct cell_error *cell_error(const struct cell_call *call);
struct cell_error *cell_error_slot(struct cell_call *call);

/* Keep CODE and a text in the call, and return CODE: `return cell_refuse(call, CELL_NOT_FOUND, …)`. */
int cell_refuse(struct cell_call *call, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Print the error to stderr if ERR is not 0, close CALL, and return the exit code for it. */
int cell_exit(struct cell_call *call, int err);

/* Who calls; for a root call, this process itself. Never NULL. */
const struct cell_peer *cell_call_peer(const struct cell_call *call);

/* Nanoseconds left until the deadline: UINT64_MAX if there is none, 0 if it is past. */
uint64_t cell_call_left_ns(const struct cell_call *call);

/* Whether the caller gave up, its deadline passed, or it died. Look here in long loops. */
bool cell_call_is_cancelled(const struct cell_call *call);

/* Wait MS milliseconds, while the process serves on. 0, CELL_CANCELLED or CELL_DEADLINE_EXCEEDED. */
int cell_sleep_ms(struct cell_call *call, uint64_t ms);

/* Wait until FD is readable. 0, or CELL_CANCELLED, CELL_DEADLINE_EXCEEDED, -errno. */
int cell_wait_readable(struct cell_call *call, int fd);

/* Wait until FD is writable, or readable: who does not take what we send may be waiting for us. */
int cell_wait_writable(struct cell_call *call, int fd);

/* The trace this call belongs to: 16 bytes trace id, 8 bytes span id, 1 byte flags; NULL if none. */
const uint8_t *cell_call_trace(const struct cell_call *call);
/* Set it (25 bytes): nested calls carry it on. */
void cell_call_set_trace(struct cell_call *call, const uint8_t *trace);

/* The caller's idempotency key, or NULL; *ret_len bytes. */
const uint8_t *cell_call_idempotency_key(const struct cell_call *call, size_t *ret_len);

/* --- what generated stubs call ------------------------------------------------------ */

/*
 * Call METHOD of the cell REF names, and wait for the reply: *out is written on success
 * only, and lives in CALL. Bytes fields of 4 KiB or more in a body of several frames are sent
 * from where they are, so nobody may change them before this returns, also not another
 * handler meanwhile. Retries what never left; repeats a lost call only if METHOD is
 * idempotent. Returns 0 or the status, with the text in the call.
 */
int cell_invoke(struct cell_call *call, struct cell_ref *ref, const struct cell_method *method,
		const void *in, void *out);

/*
 * The same one-way: 0 means it was handed to the connection, no more (at most once). It is
 * not lost by an orderly end: see cell_close().
 */
int cell_post(struct cell_call *call, struct cell_ref *ref, const struct cell_method *method,
	      const void *in);

/* A call on its way. Must be waited for, or it ends with CALL. */
struct cell_future {
	struct cell_call *call;
	void *pending;
	int err;
};

struct cell_future cell_invoke_start(struct cell_call *call, struct cell_ref *ref,
				     const struct cell_method *method, const void *in);
int cell_invoke_wait(struct cell_future *future, void *out);
/* Whether cell_invoke_wait() would return at once. */
bool cell_future_is_ready(const struct cell_future *future);
/* Run ON_READY(userdata) from the loop (it must not wait) when the reply is there. */
void cell_future_notify(struct cell_future *future, void (*on_ready)(void *), void *userdata);

/*
 * Bytes instead of structs, for tools that know a method only by its schema. IN is copied.
 * *ret_bytes lives in CALL.
 */
int cell_invoke_bytes(struct cell_call *call, struct cell_ref *ref, uint8_t channel,
		      const char *method, const uint8_t *in, size_t in_len,
		      const uint8_t **ret_bytes, size_t *ret_len);

#ifdef __cplusplus
}
#endif
