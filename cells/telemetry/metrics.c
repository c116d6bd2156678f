#include "metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const double metric_bounds[METRIC_BOUNDS] = {
	0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
	0.025,	 0.05,	   0.1,	    0.25,   0.5,     1,	     2.5,   5,	    10,
};

struct metrics {
	struct metric *metrics; /* METRICS_MAX; sorted would move what series point to */
	size_t n_metrics;
	const struct series **sorted; /* by name, cell, failed */
	size_t n_series;
	struct metrics_counts counts;
};

struct metrics *metrics_new(void)
{
	struct metrics *metrics = calloc(1, sizeof *metrics);

	if (!metrics)
		return NULL;
	metrics->metrics = calloc(METRICS_MAX, sizeof *metrics->metrics);
	metrics->sorted = calloc(SERIES_MAX, sizeof(*metrics->sorted));
	if (metrics->metrics && metrics->sorted)
		return metrics;
	metrics_free(metrics);
	return NULL;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < metrics->n_series; i++)
		free((struct series *)metrics->sorted[i]);
	free(metrics->sorted);
	free(metrics->metrics);
	free(metrics);
}

bool metric_name_is_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:";
	static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789";
	size_t len = strlen(name);

	return len && len <= METRIC_NAME_MAX && strchr(letters, *name) && strspn(name, all) == len;
}

static struct metric *metric_find(const struct metrics *metrics, const char *name)
{
	for (size_t i = 0; i < metrics->n_metrics; i++)
		if (strcmp(metrics->metrics[i].name, name) == 0)
			return &metrics->metrics[i];
	return NULL;
}

static const char *kind_name(enum metric_kind kind)
{
	return kind == METRIC_COUNTER ? "counter" : "histogram";
}

int metrics_may_declare(const struct metrics *metrics, const char *name, enum metric_kind kind,
			struct cell_error *err)
{
	const struct metric *known;

	if (!metric_name_is_valid(name))
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "'%.40s' is no name of a metric: a letter, then letters, digits, _ "
				 "and :, at most %d",
				 name, METRIC_NAME_MAX);
	known = metric_find(metrics, name);
	if (known && known->kind != kind)
		return cell_fail(err, CELL_ALREADY_EXISTS, "metric '%s' is a %s", name,
				 kind_name(known->kind));
	if (!known && metrics->n_metrics == METRICS_MAX)
		return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "there are %d metrics already",
				 METRICS_MAX);
	return 0;
}

int metrics_declare(struct metrics *metrics, const char *name, enum metric_kind kind,
		    const char *help, struct cell_error *err)
{
	struct metric *metric;
	int r = metrics_may_declare(metrics, name, kind, err);

	if (r)
		return r;
	metric = metric_find(metrics, name);
	if (!metric) {
		metric = &metrics->metrics[metrics->n_metrics++];
		metric->kind = kind;
		(void)snprintf(metric->name, sizeof metric->name, "%s", name);
	}
	if (*help)
		(void)snprintf(metric->help, sizeof metric->help, "%s", help);
	return 0;
}

/* ---- series ---------------------------------------------------------------------------- */

static int series_compare(const struct series *a, const char *name, const char *cell, bool failed)
{
	int r = strcmp(a->metric->name, name);

	r = r ? r : strcmp(a->cell, cell);
	return r ? r : (int)a->failed - (int)failed;
}

/* The place of the series among the sorted ones, or where it would go. */
static size_t series_place(const struct metrics *metrics, const char *name, const char *cell,
			   bool failed, bool *ret_is_there)
{
	size_t low = 0, high = metrics->n_series;

	*ret_is_there = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = series_compare(metrics->sorted[middle], name, cell, failed);

		if (r == 0) {
			*ret_is_there = true;
			return middle;
		}
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct series *series_get(struct metrics *metrics, const struct metric *metric,
				 const char *cell, bool failed)
{
	bool is_there;
	size_t place = series_place(metrics, metric->name, cell, failed, &is_there);
	struct series *series;

	if (is_there)
		return (struct series *)metrics->sorted[place];
	series = metrics->n_series < SERIES_MAX ? calloc(1, sizeof *series) : NULL;
	if (!series)
		return NULL;
	series->metric = metric;
	series->failed = failed;
	(void)snprintf(series->cell, sizeof series->cell, "%s", cell);
	memmove(&metrics->sorted[place + 1], &metrics->sorted[place],
		(metrics->n_series - place) * sizeof(*metrics->sorted));
	metrics->sorted[place] = series;
	metrics->n_series++;
	return series;
}

static size_t bucket_of(double value)
{
	size_t i = 0;

	while (i < METRIC_BOUNDS && value > metric_bounds[i])
		i++;
	return i;
}

void metrics_take(struct metrics *metrics, const char *cell, const char *name,
		  enum metric_kind kind, double value, bool failed)
{
	struct series *series;
	int r = metrics_declare(metrics, name, kind, "", NULL);

	/* A counter never falls: what would make it fall is somebody's mistake. */
	if ((r && r != CELL_RESOURCE_EXHAUSTED) || !isfinite(value) || value < 0 ||
	    strlen(cell) > METRIC_CELL_MAX) {
		metrics->counts.refused++;
		return;
	}
	series = r ? NULL : series_get(metrics, metric_find(metrics, name), cell, failed);
	if (!series) {
		metrics->counts.no_room++;
		return;
	}
	metrics->counts.samples++;
	series->sum += value;
	series->count++;
	if (kind == METRIC_HISTOGRAM)
		series->buckets[bucket_of(value)]++;
}

size_t metrics_series(struct metrics *metrics, const struct series *const **ret)
{
	*ret = metrics->sorted;
	return metrics->n_series;
}

size_t metrics_known(const struct metrics *metrics, const struct metric **ret)
{
	*ret = metrics->metrics;
	return metrics->n_metrics;
}

const struct metrics_counts *metrics_counts(const struct metrics *metrics)
{
	return &metrics->counts;
}
