#include "quota.h"

#include <cell/defaults.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)

const struct quota_limits quota_defaults = {
	.max = { [QUOTA_CONNECTIONS] = CELL_QUOTA_CONNECTIONS,
		 [QUOTA_RING_BYTES] = CELL_QUOTA_RING_BYTES,
		 [QUOTA_PENDING] = CELL_QUOTA_PENDING },
	.activations_per_s = CELL_QUOTA_ACTIVATIONS_PER_S,
};

static const char *const quota_kind_names[QUOTA_KINDS] = {
	[QUOTA_CONNECTIONS] = "connections",
	[QUOTA_RING_BYTES] = "bytes of rings",
	[QUOTA_PENDING] = "waiting orders",
};

struct quota *quota_ref(struct list *quotas, const char *owner, const struct quota_limits *limits)
{
	struct quota *quota;

	list_walk(quota, quotas, struct quota, in_quotas) {
		if (strcmp(quota->owner, owner) == 0) {
			quota->refs++;
			return quota;
		}
	}
	quota = calloc(1, sizeof *quota);
	if (!quota)
		return NULL;
	(void)snprintf(quota->owner, sizeof quota->owner, "%s", owner);
	quota->limits = *limits;
	quota->refs = 1;
	list_append(quotas, &quota->in_quotas);
	return quota;
}

void quota_unref(struct quota *quota)
{
	if (!quota || --quota->refs > 0)
		return;
	list_unlink(&quota->in_quotas);
	free(quota);
}

int quota_check(const struct quota *quota, enum quota_kind kind, uint64_t amount,
		struct cell_error *err)
{
	uint64_t max = quota->limits.max[kind];

	if (amount > max || quota->used[kind] > max - amount)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "%s has %" PRIu64 " %s, limit %" PRIu64, quota->owner,
				 quota->used[kind], quota_kind_names[kind], max);
	return 0;
}

int quota_charge(struct quota *quota, enum quota_kind kind, uint64_t amount,
		 struct cell_error *err)
{
	int r = quota_check(quota, kind, amount, err);

	if (r == 0)
		quota->used[kind] += amount;
	return r;
}

void quota_release(struct quota *quota, enum quota_kind kind, uint64_t amount)
{
	quota->used[kind] -= amount < quota->used[kind] ? amount : quota->used[kind];
}

/* The bucket as the time at which it will be full: one number, nothing to refill. */
int quota_activate(struct quota *quota, uint64_t now_ns, struct cell_error *err)
{
	uint32_t rate = quota->limits.activations_per_s;
	uint64_t full_ns = quota->activations_ns > now_ns ? quota->activations_ns : now_ns;

	if (rate == 0 || full_ns + SECOND / rate > now_ns + SECOND)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED,
				 "%s starts cells faster than %u a second", quota->owner, rate);
	quota->activations_ns = full_ns + SECOND / rate;
	return 0;
}
