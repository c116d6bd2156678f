#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct method_counters {
	char *name;
	uint64_t calls;
	uint64_t errors;
	uint64_t counts[SAMPLE_BUCKETS];
};

struct counters {
	uint64_t instance;
	uint64_t cpu_us;
	uint64_t uptime_ms;
	struct method_counters *methods;
	size_t n_methods;
};

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

uint64_t sample_quantile(const uint64_t *counts, size_t n, double q)
{
	uint64_t total = 0, seen = 0, rank;

	for (size_t i = 0; i < n; i++)
		total += counts[i];
	if (total == 0)
		return 0;
	rank = (uint64_t)((double)total * q);
	if (rank >= total)
		rank = total - 1;
	for (size_t i = 0; i < n; i++) {
		seen += counts[i];
		if (seen > rank)
			return i < 8 ? i + 1 : (uint64_t)(4 + i % 4 + 1) << (i / 4 - 2);
	}
	return 0;
}

/* ---- counters ---------------------------------------------------------------------- */

static void counters_deinit(struct counters *counters)
{
	for (size_t i = 0; i < counters->n_methods; i++)
		free(counters->methods[i].name);
	free(counters->methods);
}

static void counters_take(struct counters *counters,
			  const struct core_instance_info *instance,
			  const struct ops_stats_report *stats)
{
	*counters = (struct counters){ .instance = instance->instance,
				       .cpu_us = instance->cpu_us,
				       .uptime_ms = instance->started_ms_ago };
	if (!stats || stats->n_methods == 0)
		return;
	counters->methods = must(calloc(stats->n_methods, sizeof *counters->methods));
	counters->n_methods = stats->n_methods;
	for (size_t i = 0; i < stats->n_methods; i++) {
		const struct ops_method_stats *from = &stats->methods[i];
		struct method_counters *to = &counters->methods[i];
		size_t n = from->latency ? from->latency->n_counts : 0;

		to->name = must(strdup(from->method));
		to->calls = from->calls;
		to->errors = from->errors;
		if (n > SAMPLE_BUCKETS)
			n = SAMPLE_BUCKETS;
		if (n)
			memcpy(to->counts, from->latency->counts, n * sizeof to->counts[0]);
	}
}

static const struct counters *counters_find(const struct sampler *sampler, uint64_t instance)
{
	for (size_t i = 0; i < sampler->n; i++)
		if (sampler->list[i].instance == instance)
			return &sampler->list[i];
	return NULL;
}

static const struct method_counters *method_find(const struct counters *counters,
						 const char *name)
{
	for (size_t i = 0; counters && i < counters->n_methods; i++)
		if (strcmp(counters->methods[i].name, name) == 0)
			return &counters->methods[i];
	return NULL;
}

/* Counters only rise; one that fell belongs to a program that started anew. */
static uint64_t risen(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

/* ---- rows ----------------------------------------------------------------------------- */

/* What every cell serves is not its work. */
static bool is_ops(const char *method)
{
	return strncmp(method, "cell.ops.", strlen("cell.ops.")) == 0;
}

/* "cell.greeter.v1.Greeter/Greet" without its package. */
static char *method_name(const char *full_name)
{
	const char *slash = strchr(full_name, '/'), *at = slash ? slash : full_name;

	while (at > full_name && at[-1] != '.')
		at--;
	return must(strdup(at));
}

static void method_row(struct sample_method *row, const struct method_counters *now,
		       const struct method_counters *before, double seconds, uint64_t *sum)
{
	static const struct method_counters nothing;
	uint64_t counts[SAMPLE_BUCKETS], n = 0;

	if (!before)
		before = &nothing;
	row->name = method_name(now->name);
	row->calls = now->calls;
	row->calls_per_s = (double)risen(now->calls, before->calls) / seconds;
	row->errors_per_s = (double)risen(now->errors, before->errors) / seconds;
	for (size_t i = 0; i < SAMPLE_BUCKETS; i++) {
		counts[i] = risen(now->counts[i], before->counts[i]);
		n += counts[i];
		sum[i] += counts[i];
	}
	row->p50_ns = sample_quantile(n ? counts : now->counts, SAMPLE_BUCKETS, 0.5);
	row->p99_ns = sample_quantile(n ? counts : now->counts, SAMPLE_BUCKETS, 0.99);
}

static void stats_row(struct sample_row *row, const struct counters *now,
		      const struct counters *before, const struct ops_stats_report *stats,
		      double seconds)
{
	uint64_t sum[SAMPLE_BUCKETS] = { 0 };

	row->has_stats = true;
	row->methods =
		must(calloc(now->n_methods ? now->n_methods : 1, sizeof *row->methods));
	for (size_t i = 0; i < now->n_methods; i++) {
		const struct method_counters *method = &now->methods[i];
		struct sample_method *to = &row->methods[row->n_methods];

		if (is_ops(method->name))
			continue;
		method_row(to, method, method_find(before, method->name), seconds, sum);
		to->in_flight = stats->methods[i].in_flight;
		row->in_flight += to->in_flight;
		row->calls_per_s += to->calls_per_s;
		row->errors_per_s += to->errors_per_s;
		row->n_methods++;
	}
	row->p50_ns = sample_quantile(sum, SAMPLE_BUCKETS, 0.5);
	row->p99_ns = sample_quantile(sum, SAMPLE_BUCKETS, 0.99);
}

static void row_take(struct sample_row *row, const struct core_instance_info *instance,
		     const struct ops_stats_report *stats, const struct counters *now,
		     const struct counters *before, double seconds)
{
	/* Seen for the first time: since it started. */
	if (!before || seconds <= 0)
		seconds = (double)instance->started_ms_ago / 1000;
	if (seconds < 0.001)
		seconds = 0.001;
	*row = (struct sample_row){
		.instance = instance->instance,
		.state = instance->state,
		.pid = instance->pid,
		.up_ms = instance->started_ms_ago,
		.connections = instance->connections,
		.memory_bytes = instance->memory_bytes,
		.cpu_percent = (double)risen(now->cpu_us, before ? before->cpu_us : 0) /
			       seconds / 1e4,
	};
	(void)snprintf(row->cell, sizeof row->cell, "%s", instance->cell);
	if (stats)
		stats_row(row, now, before, stats, seconds);
}

void sampler_take(struct sampler *sampler, uint64_t now_ns,
		  const struct core_instance_info *instances,
		  const struct ops_stats_report *const *stats, size_t n,
		  struct sample *ret_sample)
{
	struct counters *list = must(calloc(n ? n : 1, sizeof *list));
	double seconds = sampler->at_ns ? (double)(now_ns - sampler->at_ns) / 1e9 : 0;

	*ret_sample = (struct sample){ .n = n };
	ret_sample->rows = must(calloc(n ? n : 1, sizeof *ret_sample->rows));
	for (size_t i = 0; i < n; i++) {
		struct sample_row *row = &ret_sample->rows[i];

		counters_take(&list[i], &instances[i], stats[i]);
		row_take(row, &instances[i], stats[i], &list[i],
			 counters_find(sampler, instances[i].instance), seconds);
		ret_sample->calls_per_s += row->calls_per_s;
		ret_sample->errors_per_s += row->errors_per_s;
		ret_sample->cpu_percent += row->cpu_percent;
		ret_sample->memory_bytes += row->memory_bytes;
	}
	sampler_deinit(sampler);
	*sampler = (struct sampler){ list, n, now_ns };
}

void sampler_deinit(struct sampler *sampler)
{
	for (size_t i = 0; i < sampler->n; i++)
		counters_deinit(&sampler->list[i]);
	free(sampler->list);
	*sampler = (struct sampler){ 0 };
}

void sample_deinit(struct sample *sample)
{
	for (size_t i = 0; i < sample->n; i++) {
		for (size_t k = 0; k < sample->rows[i].n_methods; k++)
			free(sample->rows[i].methods[k].name);
		free(sample->rows[i].methods);
	}
	free(sample->rows);
	*sample = (struct sample){ 0 };
}

/* ---- order --------------------------------------------------------------------------------
 */

static double value_of(const struct sample_row *row, enum sample_order order)
{
	switch (order) {
	case SAMPLE_BY_CALLS: return row->calls_per_s;
	case SAMPLE_BY_P99: return (double)row->p99_ns;
	case SAMPLE_BY_CPU: return row->cpu_percent;
	case SAMPLE_BY_MEMORY: return (double)row->memory_bytes;
	default: return 0;
	}
}

static int compare(const void *a, const void *b, void *userdata)
{
	const enum sample_order *order = userdata;
	const struct sample_row *x = a, *y = b;
	double vx = value_of(x, *order), vy = value_of(y, *order);
	int by_name = strcmp(x->cell, y->cell);

	if (vx != vy)
		return vx > vy ? -1 : 1;
	if (by_name)
		return by_name;
	return (x->instance > y->instance) - (x->instance < y->instance);
}

void sample_sort(struct sample *sample, enum sample_order order)
{
	if (sample->n)
		qsort_r(sample->rows, sample->n, sizeof sample->rows[0], compare, &order);
}

const char *sample_order_name(enum sample_order order)
{
	static const char *const names[] = { "calls", "p99", "cpu", "memory", "name" };

	return order < SAMPLE_ORDERS ? names[order] : "?";
}
