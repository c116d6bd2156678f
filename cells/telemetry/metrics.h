/*
 * Metrics: what is declared, and the series that samples make. Pure, and of bounded size.
 *
 * A series is a metric as one cell sends it; calls that failed have a series of their own.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each takes about 400 bytes. */
#define METRICS_MAX 1024
#define SERIES_MAX  4096
#define METRIC_NAME_MAX 128
#define METRIC_HELP_MAX 160
#define METRIC_CELL_MAX 64
/* Upper bounds in seconds: 1-2.5-5 from 10 us to 10 s, which calls are within. */
#define METRIC_BOUNDS 19
extern const double metric_bounds[METRIC_BOUNDS];

enum metric_kind { METRIC_COUNTER, METRIC_HISTOGRAM };

struct metric {
	char name[METRIC_NAME_MAX + 1];
	char help[METRIC_HELP_MAX + 1];
	enum metric_kind kind;
};

struct series {
	const struct metric *metric;
	char cell[METRIC_CELL_MAX + 1];
	bool failed;
	double sum;
	uint64_t count;
	uint64_t buckets[METRIC_BOUNDS + 1];
};

struct metrics;

struct metrics_counts {
	uint64_t samples, refused, no_room;
};

/* NULL when out of memory. */
struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics); /* accepts NULL */

/* [a-zA-Z_:][a-zA-Z0-9_:]*, at most METRIC_NAME_MAX bytes: as Prometheus wants them. */
bool metric_name_is_valid(const char *name);

/*
 * Make a metric known, or give it another help text. Returns 0, CELL_INVALID_ARGUMENT for a
 * name, CELL_ALREADY_EXISTS if it is known as the other kind, CELL_RESOURCE_EXHAUSTED.
 */
int metrics_declare(struct metrics *metrics, const char *name, enum metric_kind kind,
		    const char *help, struct cell_error *err);
/* Whether that would succeed. */
int metrics_may_declare(const struct metrics *metrics, const char *name, enum metric_kind kind,
			struct cell_error *err);

/* One sample of CELL. A metric not declared becomes known by it. Counts what it drops. */
void metrics_take(struct metrics *metrics, const char *cell, const char *name,
		  enum metric_kind kind, double value, bool failed);

/* Sorted by name, cell, failed. *RET points into METRICS, until it changes. */
size_t metrics_series(struct metrics *metrics, const struct series *const **ret);

/* In the order in which they became known. *RET points into METRICS, until it changes. */
size_t metrics_known(const struct metrics *metrics, const struct metric **ret);

const struct metrics_counts *metrics_counts(const struct metrics *metrics);
