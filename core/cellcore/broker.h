/*
 * Who is connected to what: may they, to which instance, now or when one is ready, or
 * does the resolver know. Also orders to spawn and retire, which wait the same way.
 *
 * Part of the kernel's pure state (kernel.h).
 */
#pragma once

#include "kernel.h"

void broker_asker_init(struct kernel_asker *asker);
/* It is gone: nobody waits for its orders, its connections close on their servers' word. */
void broker_asker_deinit(struct kernel *kernel, struct kernel_asker *asker);

/*
 * Submit an order, with the fields above `outcome` filled and the rest zero. From then on
 * it belongs to the kernel until broker_next_outcome() hands it back.
 */
void broker_submit(struct kernel *kernel, struct kernel_request *request, uint64_t now_ns);

/*
 * The next order with an outcome to act upon, or NULL. All but KERNEL_ASK are the
 * caller's to free, after broker_request_deinit().
 */
struct kernel_request *broker_next_outcome(struct kernel *kernel);
void broker_request_deinit(struct kernel_request *request);

/* The asker no longer wants it. False if there is no such order of it. */
bool broker_cancel(struct kernel *kernel, struct kernel_asker *asker, uint64_t call_id);

/*
 * The resolver's answer to the order with this resolve_id: a place, or (REMOTE NULL) why
 * not. Unknown ids are late answers: ignored.
 */
void broker_resolved(struct kernel *kernel, uint64_t id, const struct kernel_remote *remote,
		     const struct cell_error *why);
/* The resolver could not even be asked. */
void broker_unresolved(struct kernel *kernel, struct kernel_request *request,
		       const struct cell_error *why);
/* The resolver is gone: everybody who waits for it is told. */
void broker_resolver_lost(struct kernel *kernel);

/* A side says that a connection is closed. False: it has no such connection. */
bool broker_closed(struct kernel *kernel, struct kernel_asker *asker, uint64_t link_id);
/* NULL: it has ended. */
struct kernel_link *broker_link_find(const struct kernel *kernel, uint64_t id);
/* A granted connection could not be made, or its server ended. */
void broker_link_drop(struct kernel *kernel, struct kernel_link *link);
/*
 * For taking over a table: an order that waits, for CELL, or for the resolver if that is NULL.
 */
void broker_restore(struct kernel *kernel, struct kernel_request *request,
		    struct kernel_cell *cell);
/* A connection, charged to QUOTA whether or not there is room. NULL without memory. */
struct kernel_link *broker_link_add(struct kernel *kernel, uint64_t id, struct kernel_asker *client,
				    struct kernel_instance *server, struct quota *quota,
				    bool is_stream);

/* May ASKER spawn and retire? The node's owner may, and cells that node.conf names. */
bool broker_may_spawn(const struct kernel *kernel, const struct kernel_asker *asker);

/* ---- for kernel.c -------------------------------------------------------------------- */

/* An instance became ready, or will never be: orders that waited go on. */
void broker_cell_ready(struct kernel *kernel, struct kernel_instance *instance, uint64_t now_ns);
void broker_cell_ended(struct kernel *kernel, struct kernel_instance *instance, uint64_t now_ns);
/* Orders whose time is up; and when the next one's is. */
void broker_tick(struct kernel *kernel, uint64_t now_ns);
void broker_due(struct kernel *kernel);
/* The node stops: what waits for a start is refused. */
void broker_stop(struct kernel *kernel);
