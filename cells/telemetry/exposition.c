#include "exposition.h"

#include <stdlib.h>
#include <string.h>

/* In HELP backslash and newline are escaped; in label values the quote, too. */
static void put_escaped(FILE *out, const char *text, bool is_label)
{
	for (; *text; text++) {
		if (*text == '\\' || (is_label && *text == '"'))
			fprintf(out, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
}

static void put_labels(FILE *out, const struct series *series, const char *bound)
{
	fputs("{cell=\"", out);
	put_escaped(out, series->cell, true);
	fprintf(out, "\",outcome=\"%s\"", series->failed ? "error" : "ok");
	if (bound)
		fprintf(out, ",le=\"%s\"", bound);
	fputc('}', out);
}

static void put_histogram(FILE *out, const struct series *series)
{
	const char *name = series->metric->name;
	uint64_t below = 0;
	char bound[32];

	for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
		below += series->buckets[i];
		if (i < METRIC_BOUNDS)
			(void)snprintf(bound, sizeof bound, "%g", metric_bounds[i]);
		fprintf(out, "%s_bucket", name);
		put_labels(out, series, i < METRIC_BOUNDS ? bound : "+Inf");
		fprintf(out, " %llu\n", (unsigned long long)below);
	}
	fprintf(out, "%s_sum", name);
	put_labels(out, series, NULL);
	fprintf(out, " %.17g\n%s_count", series->sum, name);
	put_labels(out, series, NULL);
	fprintf(out, " %llu\n", (unsigned long long)series->count);
}

void exposition_write(FILE *out, struct metrics *metrics)
{
	const struct series *const *all;
	size_t n = metrics_series(metrics, &all);

	for (size_t i = 0; i < n; i++) {
		const struct metric *metric = all[i]->metric;

		if (!i || all[i - 1]->metric != metric) {
			if (*metric->help) {
				fprintf(out, "# HELP %s ", metric->name);
				put_escaped(out, metric->help, false);
				fputc('\n', out);
			}
			fprintf(out, "# TYPE %s %s\n", metric->name,
				metric->kind == METRIC_COUNTER ? "counter" : "histogram");
		}
		if (metric->kind == METRIC_HISTOGRAM) {
			put_histogram(out, all[i]);
			continue;
		}
		fputs(metric->name, out);
		put_labels(out, all[i], NULL);
		fprintf(out, " %.17g\n", all[i]->sum);
	}
}

char *exposition_text(struct metrics *metrics, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (!out)
		return NULL;
	exposition_write(out, metrics);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
