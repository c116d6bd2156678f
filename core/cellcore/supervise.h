/*
 * What becomes of an instance that ended: nothing, again after a while, or given up.
 *
 * Pure: an end and the time go in, a verdict comes out. One struct supervise follows an
 * instance through its restarts; all zero is one that never failed.
 */
#pragma once

#include "../libcell/manifest.h"

#include <cell/defaults.h>
#include <stdbool.h>
#include <stdint.h>

struct supervise {
	uint32_t streak;   /* ends in a row that asked for a restart: the back-off's exponent */
	uint32_t n_recent; /* how many of recent_ns count */
	uint64_t recent_ns[CELL_RESTARTS_MAX]; /* when, oldest first */
};

struct supervise_end {
	bool was_asked;    /* retired, or the node stops */
	bool is_clean;     /* exit status 0 */
	uint64_t ready_ns; /* how long it had been ready */
};

enum supervise_verdict {
	SUPERVISE_REST,    /* it stays down until somebody wants it */
	SUPERVISE_RESTART, /* start it again at the time given */
	SUPERVISE_FAILED   /* it ended too often: a person has to look */
};

/*
 * Take note of an end at NOW_NS. RANDOM (any bits) spreads restarts, so that cells which
 * fell together do not come back together. *RET_RESTART_NS is written for SUPERVISE_RESTART.
 */
enum supervise_verdict supervise_ended(struct supervise *supervise, enum cell_restart policy,
				       const struct supervise_end *end, uint64_t now_ns,
				       uint32_t random, uint64_t *ret_restart_ns);
