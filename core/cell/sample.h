/*
 * Rates from counters: what each instance did between two looks at it. Pure; `cell top`
 * does the looking.
 */
#pragma once

#include "core.cell.h"
#include "ops.cell.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Buckets of a latency histogram (proto/ops.proto). */
#define SAMPLE_BUCKETS 128

struct sample_method {
	char *name; /* "Greeter/Greet" */
	double calls_per_s;
	double errors_per_s;
	uint64_t calls; /* since the start */
	uint64_t in_flight;
	uint64_t p50_ns; /* of the calls in between; of all, if there were none */
	uint64_t p99_ns;
};

struct sample_row {
	uint64_t instance;
	char cell[64];
	enum core_instance_state state;
	uint32_t pid;
	uint64_t up_ms;
	uint32_t connections;
	uint64_t memory_bytes;
	double cpu_percent; /* of one CPU */
	double calls_per_s;
	double errors_per_s;
	uint64_t in_flight;
	uint64_t p50_ns;
	uint64_t p99_ns;
	bool has_stats; /* it answered */
	struct sample_method *methods;
	size_t n_methods;
};

struct sample {
	struct sample_row *rows;
	size_t n;
	double calls_per_s;
	double errors_per_s;
	double cpu_percent;
	uint64_t memory_bytes;
};

/* What the counters were, by instance. */
struct sampler {
	struct counters *list;
	size_t n;
	uint64_t at_ns;
};

/*
 * The upper edge, in ns, of the bucket in which the Q-th (0 to 1) of the durations counted
 * in COUNTS (N buckets) lies; 0 if there are none.
 */
uint64_t sample_quantile(const uint64_t *counts, size_t n, double q);

/*
 * Take a look at time NOW_NS: INSTANCES (N of them), and for each its STATS or NULL. The
 * result, the caller's (sample_deinit()), has rates since the look before; for what is seen
 * for the first time, averages since it started.
 */
void sampler_take(struct sampler *sampler, uint64_t now_ns,
		  const struct core_instance_info *instances,
		  const struct ops_stats_report *const *stats, size_t n,
		  struct sample *ret_sample);
void sampler_deinit(struct sampler *sampler);
void sample_deinit(struct sample *sample);

enum sample_order {
	SAMPLE_BY_CALLS,
	SAMPLE_BY_P99,
	SAMPLE_BY_CPU,
	SAMPLE_BY_MEMORY,
	SAMPLE_BY_NAME,
	SAMPLE_ORDERS
};
const char *sample_order_name(enum sample_order order);

/* Largest first (names: A first); equal ones by cell and id. */
void sample_sort(struct sample *sample, enum sample_order order);
