/* What an instance of pinger keeps: its runs. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Runs at a time, and runs that have ended and can still be asked for. */
#define PINGER_RUNS_MAX 8
#define PINGER_KEPT_MAX 8

struct load;
struct pinger_handlers;

struct pinger {
	uint64_t last_number;
	struct load *runs[PINGER_RUNS_MAX + PINGER_KEPT_MAX]; /* by number; NULL at the end */
};

extern const struct pinger_handlers pinger_handlers;

/* Stop every run, and forget them. */
void pinger_deinit(struct pinger *pinger);
