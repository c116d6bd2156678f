/*
 * What each owner holds, and may hold: connections, ring memory, waiting orders, starts
 * on demand. An owner is a cell (all its instances together) or the uid of outside
 * processes. Everything is charged before it is granted.
 *
 * Pure. Owners are few (cells and users), so a list is enough.
 */
#pragma once

#include "lists.h"

#include <cell/error.h>
#include <stdint.h>

enum quota_kind {
	QUOTA_CONNECTIONS,
	QUOTA_RING_BYTES,
	QUOTA_PENDING, /* orders that wait for an instance or for the resolver */
	QUOTA_KINDS
};

struct quota_limits {
	uint64_t max[QUOTA_KINDS];
	uint32_t activations_per_s;
};

/* "greeter", or "uid:4294967295" */
#define QUOTA_OWNER_MAX 64

struct quota {
	struct list in_quotas;
	char owner[QUOTA_OWNER_MAX];
	unsigned refs;
	struct quota_limits limits;
	uint64_t used[QUOTA_KINDS];
	uint64_t activations_ns; /* when the bucket of activations is full again */
};

/* The limits of defaults.h. */
extern const struct quota_limits quota_defaults;

/*
 * The quota of OWNER in QUOTAS, made with LIMITS if there is none; NULL without memory.
 * Give it back with quota_unref(): it lives as long as somebody refers to it.
 */
struct quota *quota_ref(struct list *quotas, const char *owner, const struct quota_limits *limits);
void quota_unref(struct quota *quota); /* accepts NULL */

/* 0, or CELL_RESOURCE_EXHAUSTED with owner, kind and limit in ERR. Charges nothing. */
int quota_check(const struct quota *quota, enum quota_kind kind, uint64_t amount,
		struct cell_error *err);
/* The same, and charge it if there is room. */
int quota_charge(struct quota *quota, enum quota_kind kind, uint64_t amount,
		 struct cell_error *err);
void quota_release(struct quota *quota, enum quota_kind kind, uint64_t amount);

/* Take one start on demand: as many at once as a second gives. Errors as above. */
int quota_activate(struct quota *quota, uint64_t now_ns, struct cell_error *err);
