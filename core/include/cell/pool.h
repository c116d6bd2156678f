/*
 * A pool: all instances of a cell, one of which gets each call.
 *
 * The members follow what runs: instances that start join, those that retire or die leave.
 * Belongs to the root call it was made from.
 */
#pragma once

#include <cell/call.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cell_pool_policy {
	CELL_POOL_ROUND_ROBIN,
	CELL_POOL_LEAST_IN_FLIGHT,
	CELL_POOL_TWO_CHOICES /* the better of two random ones (Mitzenmacher 2001) */
};

struct cell_pool;

/* Waits for the list of instances. NULL with the error in CALL. */
struct cell_pool *cell_pool_open(struct cell_call *call, const char *cell,
				 enum cell_pool_policy policy);
void cell_pool_close(struct cell_pool *pool);

/* How many members there are now. */
size_t cell_pool_size(const struct cell_pool *pool);

/* CALL with stubs going to the member whose turn it is. NULL and CELL_UNAVAILABLE if none is there. */
struct cell_call *cell_pool_next(struct cell_pool *pool, struct cell_call *call);

/* One result per member of a broadcast. */
struct cell_pool_result {
	uint64_t instance;
	int err;                 /* 0, or the status */
	const char *text;        /* of the error, or "" */
	void *out;               /* the reply if err is 0 */
};

/*
 * Call METHOD on every member at once, wait for all. Returns how many results there are (in
 * CALL's arena), or a negative status if nothing could be sent.
 */
int cell_pool_broadcast(struct cell_pool *pool, struct cell_call *call,
			const struct cell_method *method, const void *in,
			struct cell_pool_result **ret_results);

#ifdef __cplusplus
}
#endif
