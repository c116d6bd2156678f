/*
 * What was measured: one value per peer, stage, metric and round; and why a peer has none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "catalog.h"

#define RESULT_ROUNDS_MAX 32

enum status {
	STATUS_UNTRIED,
	STATUS_MEASURED,
	STATUS_MISSING, /* a package is not installed */
	STATUS_FAILED,
};

struct results {
	unsigned n_rounds;
	enum status status[PEER_COUNT];
	char package[PEER_COUNT][64];
	double values[PEER_COUNT][STAGE_COUNT][METRIC_COUNT]
		     [RESULT_ROUNDS_MAX]; /* NAN: none */
};

struct summary {
	unsigned n; /* rounds that have a value; the others are 0 if this is */
	double min;
	double median;
	double max;
};

/* All values absent. NULL when out of memory; freed with free(). */
struct results *results_new(unsigned n_rounds);

/*
 * Take in one line of a peer's output. Values of one place are added up, for what runs in
 * several pairs. False if it is no result line: not ours, or not of a known name.
 */
bool results_read_line(struct results *results, enum stage stage, unsigned round,
		       const char *line);

/* NAN if there is none. */
double results_value(const struct results *results, enum peer_id peer, enum stage stage,
		     enum metric metric, unsigned round);

/* Of N values; NANs among them do not count. At most RESULT_ROUNDS_MAX. */
struct summary summary_of(const double *values, unsigned n);

struct summary results_summary(const struct results *results, enum peer_id peer,
			       enum stage stage, enum metric metric);
