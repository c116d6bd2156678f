#include "result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct results *results_new(unsigned n_rounds)
{
	struct results *results = calloc(1, sizeof *results);
	double *value;

	if (!results)
		return NULL;
	results->n_rounds = n_rounds;
	value = &results->values[0][0][0][0];
	for (size_t i = 0; i < sizeof results->values / sizeof *value; i++)
		value[i] = NAN;
	return results;
}

/* The word after KEY in LINE: `key=word`. */
static bool field(const char *line, const char *key, const char **ret_word,
		  size_t *ret_length)
{
	const char *at = strstr(line, key);

	if (!at)
		return false;
	*ret_word = at + strlen(key);
	*ret_length = strcspn(*ret_word, " \n");
	return *ret_length > 0;
}

static bool read_missing(struct results *results, enum peer_id peer, const char *line)
{
	const char *package;
	size_t length;

	if (!field(line, " package=", &package, &length) ||
	    length >= sizeof results->package[peer])
		return false;
	memcpy(results->package[peer], package, length);
	results->package[peer][length] = '\0';
	results->status[peer] = STATUS_MISSING;
	return true;
}

bool results_read_line(struct results *results, enum stage stage, unsigned round,
		       const char *line)
{
	enum metric metric;
	enum peer_id peer;
	const char *word;
	size_t length;
	double *place;
	double value;
	char *end;

	if (!field(line, " peer=", &word, &length))
		return false;
	peer = catalog_find_peer(word, length);
	if (peer == PEER_COUNT)
		return false;
	if (strncmp(line, "missing ", 8) == 0)
		return read_missing(results, peer, line);
	if (strncmp(line, "result ", 7) != 0 || !field(line, " metric=", &word, &length))
		return false;
	metric = catalog_find_metric(word, length);
	if (metric == METRIC_COUNT || !field(line, " value=", &word, &length))
		return false;
	value = strtod(word, &end);
	if (end != word + length || !isfinite(value))
		return false;
	place = &results->values[peer][stage][metric][round];
	*place = isnan(*place) ? value : *place + value;
	if (results->status[peer] == STATUS_UNTRIED)
		results->status[peer] = STATUS_MEASURED;
	return true;
}

double results_value(const struct results *results, enum peer_id peer, enum stage stage,
		     enum metric metric, unsigned round)
{
	return results->values[peer][stage][metric][round];
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return (a > b) - (a < b);
}

struct summary summary_of(const double *values, unsigned n)
{
	double sorted[RESULT_ROUNDS_MAX];
	struct summary summary = { 0 };

	for (unsigned i = 0; i < n; i++)
		if (!isnan(values[i]))
			sorted[summary.n++] = values[i];
	if (summary.n == 0)
		return summary;
	qsort(sorted, summary.n, sizeof *sorted, compare);
	summary.min = sorted[0];
	summary.median = (sorted[(summary.n - 1) / 2] + sorted[summary.n / 2]) / 2;
	summary.max = sorted[summary.n - 1];
	return summary;
}

struct summary results_summary(const struct results *results, enum peer_id peer,
			       enum stage stage, enum metric metric)
{
	return summary_of(results->values[peer][stage][metric], results->n_rounds);
}
