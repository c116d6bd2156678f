/*
 * One run: which call is due when, and what became of each.
 *
 * Pure: the time goes in, decisions and counts come out. Whoever carries it out (load.c)
 * has workers that ask run_take() for each call, tell run_sent() that it leaves, and
 * run_ended() what became of it; so at any time sent = ok + failed + in flight.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_RATE_MAX 1000000.0
/* A call waits on a stack of its own; an instance has 256 of them. */
#define RUN_CONCURRENCY_MAX 128
#define RUN_CONCURRENCY_WITH_RATE 32
#define RUN_DURATION_MAX_MS (24ull * 3600 * 1000)
#define RUN_PING_MAX_BYTES (1024u * 1024)
#define RUN_NAME_MAX_BYTES 256
/* gRPC's numbers, 0 to 16. */
#define RUN_STATUSES 17

enum run_method { RUN_PING, RUN_GREET };

struct run_plan {
	enum run_method method;
	double rate; /* calls a second; 0 = closed loop */
	uint32_t concurrency;
	uint64_t duration_ms; /* 0 = until stopped */
	uint32_t size_bytes;
	uint64_t timeout_ms; /* 0 = the default */
	bool once;
};

/* Eight buckets to an octave would be 9 %; 32 are 3 %. */
#define RUN_OCTAVE_BUCKETS 32
#define RUN_BUCKETS (RUN_OCTAVE_BUCKETS * 60)

struct run {
	struct run_plan plan;
	uint64_t started_ns;
	uint64_t ended_ns; /* when the last worker left */
	uint32_t workers;  /* who have not left */
	bool is_stopped;   /* no more calls, whatever the plan says */

	uint64_t taken; /* calls that a worker has in hand or had */
	uint64_t sent, in_flight, late;
	uint64_t outcomes[RUN_STATUSES];           /* [0]: ok */
	char texts[RUN_STATUSES][CELL_ERROR_TEXT_MAX]; /* of the last one of each */

	uint64_t sum_ns, min_ns, max_ns;
	uint64_t latency[RUN_BUCKETS];
};

/*
 * Fill in what PLAN leaves open and check the rest. Returns 0 or CELL_INVALID_ARGUMENT
 * with the limit named.
 */
int run_plan_check(struct run_plan *plan, struct cell_error *err);

/* Begin at NOW_NS with a checked plan. */
void run_start(struct run *run, const struct run_plan *plan, uint64_t now_ns);

/* One more worker takes part, or one fewer. */
void run_join(struct run *run);
void run_leave(struct run *run, uint64_t now_ns);

/* A call that a worker has in hand. */
struct run_ticket {
	uint64_t due_ns; /* send it then; if that is past, at once */
	bool is_late;    /* by more than a millisecond: every worker was busy */
};

/* The next call for a worker: true, or false if there is none any more. */
bool run_take(struct run *run, uint64_t now_ns, struct run_ticket *ret_ticket);

/*
 * The call leaves now: true, and its latency counts from *ret_from_ns. For a late one that
 * is when it was due: else a slow cell would be asked less often, and look fast.
 * False: the run was stopped meanwhile; do not send it.
 */
bool run_sent(struct run *run, const struct run_ticket *ticket, uint64_t now_ns,
	      uint64_t *ret_from_ns);

/* A call that was sent ended with CODE (0, -errno or a status) LATENCY_NS after *ret_from_ns. */
void run_ended(struct run *run, int code, const char *text, uint64_t latency_ns);

/* Start no more calls. Its workers leave when those in flight have ended. */
void run_stop(struct run *run);

/* Whether every worker has left. */
bool run_is_over(const struct run *run);

uint64_t run_elapsed_ns(const struct run *run, uint64_t now_ns);

/* The latency that a share of all answered calls stayed within: 0.5 is the median. 0 if none. */
uint64_t run_percentile_ns(const struct run *run, double share);
uint64_t run_mean_ns(const struct run *run);
