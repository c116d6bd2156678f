#include "supervise.h"

#include <string.h>

#define MS UINT64_C(1000000)

/* Ends older than the window no longer count against it. */
static void supervise_forget(struct supervise *supervise, uint64_t now_ns)
{
	uint32_t old = 0;

	while (old < supervise->n_recent &&
	       now_ns - supervise->recent_ns[old] >= CELL_RESTARTS_WINDOW_MS * MS)
		old++;
	supervise->n_recent -= old;
	memmove(supervise->recent_ns, supervise->recent_ns + old,
		supervise->n_recent * sizeof supervise->recent_ns[0]);
}

/* Whether this end is the one too many. */
static bool supervise_count(struct supervise *supervise, uint64_t now_ns)
{
	supervise_forget(supervise, now_ns);
	if (supervise->n_recent < CELL_RESTARTS_MAX)
		supervise->recent_ns[supervise->n_recent++] = now_ns;
	return supervise->n_recent == CELL_RESTARTS_MAX;
}

/* 100 ms, doubled for each end of the streak, at most 30 s, and up to a quarter more. */
static uint64_t supervise_delay_ns(const struct supervise *supervise, uint32_t random)
{
	uint64_t delay_ms = CELL_RESTART_MIN_MS;

	for (uint32_t i = 1; i < supervise->streak && delay_ms < CELL_RESTART_MAX_MS; i++)
		delay_ms *= 2;
	if (delay_ms > CELL_RESTART_MAX_MS)
		delay_ms = CELL_RESTART_MAX_MS;
	return delay_ms * MS + (delay_ms * MS / 4 * (random % 1024)) / 1024;
}

static bool policy_restarts(enum cell_restart policy, const struct supervise_end *end)
{
	return policy == CELL_RESTART_ALWAYS ||
	       (policy == CELL_RESTART_ON_FAILURE && !end->is_clean);
}

enum supervise_verdict supervise_ended(struct supervise *supervise, enum cell_restart policy,
				       const struct supervise_end *end, uint64_t now_ns,
				       uint32_t random, uint64_t *ret_restart_ns)
{
	bool restarts = policy_restarts(policy, end);

	if (end->was_asked) {
		*supervise = (struct supervise){ 0 };
		return SUPERVISE_REST;
	}
	/* A failure counts under every policy: a cell that dies whenever it is wanted has failed. */
	if (end->is_clean && !restarts)
		return SUPERVISE_REST;
	if (end->ready_ns >= CELL_RESTARTS_WINDOW_MS * MS)
		supervise->streak = 0;
	supervise->streak++;
	if (supervise_count(supervise, now_ns))
		return SUPERVISE_FAILED;
	if (!restarts)
		return SUPERVISE_REST;
	*ret_restart_ns = now_ns + supervise_delay_ns(supervise, random);
	return SUPERVISE_RESTART;
}
