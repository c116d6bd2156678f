/*
 * One run of one peer in one stage, as child processes that end by themselves or are ended.
 */
#pragma once

#include "catalog.h"
#include "result.h"

/* How long each phase lasts, in milliseconds. */
struct durations {
	unsigned warmup;
	unsigned closed;
	unsigned pipelined;
	unsigned blob;
	unsigned placed; /* the closed loop of the stages that only have that */
	unsigned loaded; /* the same where CPUs are shared: several time slices */
	unsigned table;  /* all phases of one database */
};

/*
 * Run PEER's program from the folder PROGRAMS and put what it prints into RESULTS. A peer
 * that was found missing or failed before is not tried again. Sets its status.
 */
void round_run(struct results *results, const char *programs, enum peer_id peer,
	       enum stage stage, unsigned round, const struct durations *durations);

/* How many cells of a node do nothing, how long before they count as idle, and are watched. */
struct idle {
	unsigned cells;
	unsigned settle_ms;
	unsigned watch_ms;
};

/* Run the program `node` from the folder PROGRAMS; its results are those of the last round. */
void round_node(struct results *results, const char *programs, const struct idle *idle);

/* A busy loop for every CPU we may use, until round_load_stop(). */
void round_load_start(void);
void round_load_stop(void);
