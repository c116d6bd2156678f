/*
 * Linked services: what the macros of namespace cell leave in a program, and libcell finds.
 *
 * Each handler, state, start or stop function and declaration to be provisioned has a record,
 * and a linker set has a pointer to each. `cell_serve_linked(call)` serves what it finds;
 * libcell-main.a has a main() that does, for programs without one. In a program that is not
 * the cell of that name, a linked service stands in for it: calls to it stay in the process,
 * on a connection of their own, with deadlines, streams and errors as ever.
 *
 * Nothing here is written by hand.
 */
#pragma once

#include <cell/call.h>
#include <cell/message.h>
#include <cell/server.h>
#include <cell/table.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cell_linked_kind {
	CELL_LINKED_METHOD = 1,
	CELL_LINKED_SERVICE = 2,
	CELL_LINKED_START = 3,
	CELL_LINKED_STOP = 4,
	CELL_LINKED_PROVISION = 5,
	CELL_LINKED_KEPT = 6
};

/* What every record begins with. */
struct cell_linked {
	uint32_t kind; /* enum cell_linked_kind; others are skipped */
	uint32_t size; /* of the record, in bytes */
};

/*
 * Put a pointer to RECORD into the set, as POINTER. Pointers, because compilers align structs
 * in sections as they like.
 */
#define CELL_LINK(pointer, record)                                               \
	static const struct cell_linked *const pointer                           \
		__attribute__((used, retain, section("cell_linked"))) = &(record).linked

/* A method: strong, so that two of one name do not link. */
struct cell_linked_method {
	struct cell_linked linked;
	const char *service;       /* "bank" */
	struct cell_method method; /* its full name: "cell.bank.v1.Bank/Deposit" */
	cell_invoke_fn *invoke;    /* gets the service's state as SELF, NULL as HANDLERS */
	const char *doc;           /* the comment before the handler, or NULL */
};

/* The state of a service: one struct per process, zeroed, handed to its handlers. */
struct cell_linked_service {
	struct cell_linked linked;
	const char *service;
	size_t state_size; /* bytes; 0 = none */
	const char *doc;
};

/* To be run before "ready" (in no given order), or when all handlers are done. */
struct cell_linked_hook {
	struct cell_linked linked;
	const char *service; /* whose state it gets; "" = none */
	const char *name;    /* of the function, for messages */
	int (*run)(struct cell_call *call, void *self);
};

/* What a provider made of a declaration: sent to it again before "ready". */
struct cell_provision {
	struct cell_linked linked;
	const char *ns;
	const char *cell; /* the provider */
	const char *name; /* "struct account" */
	const uint8_t *digest; /* 32 bytes */
	const uint8_t *body;
	size_t body_len;
};

/*
 * The state of a service lasts (db::persist): it is the one row of TABLE. Each call of a
 * handler gets a private copy, loaded in a transaction that ends with it: what it changed is
 * stored if it returns 0, else forgotten. See cell_atomic_begin() for when it runs again.
 */
struct cell_linked_kept {
	struct cell_linked linked;
	const char *service;
	const struct cell_table *table;
};

/*
 * Serve the methods of the records from BEGIN to END; provision what they declare, and run
 * what is to run at the start. To be called before cell_loop_run(), which runs the stop
 * functions when it has drained. Waits. The pointers and records must outlive CALL.
 *
 * Returns 0, CELL_FAILED_PRECONDITION if there is no method, CELL_ALREADY_EXISTS if types or
 * services clash, what a provider answered, or what a start function returned.
 */
int cell_serve_records(struct cell_call *call, const struct cell_linked *const *begin,
		       const struct cell_linked *const *end);

static inline int cell_serve_linked(struct cell_call *call)
{
	return cell_serve_records(call, __start_cell_linked, __stop_cell_linked);
}

/* --- what generated entries of handlers call ------------------------------------------ */

/* A request before anybody has looked at its bytes: `in` of a CELL_METHOD_UNDECODED method. */
struct cell_undecoded {
	const uint8_t *bytes;
	size_t len;
	unsigned flags; /* enum cell_decode_flag */
};

/*
 * The request of METHOD, decoded into memory of CALL; NULL after a refusal that names the
 * field. Once per call: decoding in place writes into the bytes.
 */
void *cell_request(struct cell_call *call, const struct cell_method *method, const void *undecoded);

/*
 * In a handler of a CELL_METHOD_RAW method: the request as it came, for signatures and for
 * forwarding; it lives as long as the call. NULL in other handlers.
 */
const uint8_t *cell_request_bytes(const struct cell_call *call, size_t *ret_len);

/* cell.common.v1.Empty: what stands for a request or a reply that a handler leaves out. */
extern const struct cell_message_type cell_empty_type;

#ifdef __cplusplus
}
#endif
