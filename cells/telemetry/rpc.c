/* The methods of telemetry: proto/telemetry.proto says what each promises. */
#include "exposition.h"
#include "telemetry.cell.h"
#include "telemetry.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

#define TRACES_DEFAULT 20
#define TRACES_LIMIT   1000
#define DIGITS_MIN     4

/* ---- taking ----------------------------------------------------------------------------- */

static bool span_from(struct span *span, const struct telemetry_span *in,
		      const struct cell_peer *peer)
{
	if (in->n_trace_id != TRACE_ID_SIZE || in->n_span_id != SPAN_ID_SIZE ||
	    (in->n_parent_id && in->n_parent_id != SPAN_ID_SIZE) || !*in->name ||
	    strlen(in->name) > SPAN_NAME_MAX || strlen(peer->cell) > SPAN_CELL_MAX)
		return false;
	/* No sum of the two may overflow, whatever a program says its clock shows. */
	if (in->start_ns > INT64_MAX || in->duration_ns > INT64_MAX)
		return false;
	memcpy(span->trace_id, in->trace_id, TRACE_ID_SIZE);
	memcpy(span->span_id, in->span_id, SPAN_ID_SIZE);
	span->has_parent = in->n_parent_id != 0;
	if (span->has_parent)
		memcpy(span->parent_id, in->parent_id, SPAN_ID_SIZE);
	span->status = in->status;
	span->instance = peer->instance;
	span->start_ns = in->start_ns;
	span->duration_ns = in->duration_ns;
	(void)snprintf(span->name, sizeof span->name, "%s", in->name);
	(void)snprintf(span->cell, sizeof span->cell, "%s", peer->cell);
	return true;
}

static int record(struct cell_call *call, void *self, const struct telemetry_batch *in)
{
	struct telemetry *telemetry = self;
	const struct cell_peer *peer = cell_call_peer(call);

	telemetry->dropped_by_programs += in->dropped;
	for (size_t i = 0; i < in->n_spans; i++) {
		struct span span = { .status = 0 };

		if (!span_from(&span, &in->spans[i], peer)) {
			telemetry->refused++;
			continue;
		}
		telemetry->spans++;
		traces_take(telemetry->traces, &span);
	}
	for (size_t i = 0; i < in->n_samples; i++)
		metrics_take(telemetry->metrics, peer->cell, in->samples[i].name,
			     in->samples[i].kind == TELEMETRY_KIND_HISTOGRAM ? METRIC_HISTOGRAM
									     : METRIC_COUNTER,
			     in->samples[i].value, in->samples[i].failed);
	return 0;
}

/* ---- metrics ------------------------------------------------------------------------------ */

static bool has_series(struct metrics *metrics, const struct metric *metric)
{
	const struct series *const *all;
	size_t n = metrics_series(metrics, &all);

	for (size_t i = 0; i < n; i++)
		if (all[i]->metric == metric)
			return true;
	return false;
}

static int add_waiting(struct cell_call *call, struct metrics *metrics, const char *prefix,
		       struct telemetry_metrics_report *out)
{
	const struct metric *known;
	size_t n = metrics_known(metrics, &known);
	struct telemetry_metric *items =
		cell_arena_calloc(cell_arena(call), n + 1, sizeof *items);

	if (!items)
		return cell_refuse(call, -ENOMEM, "%zu metrics", n);
	out->waiting = items;
	for (size_t i = 0; i < n; i++)
		if (strncmp(known[i].name, prefix, strlen(prefix)) == 0 &&
		    !has_series(metrics, &known[i]))
			items[out->n_waiting++] = (struct telemetry_metric){
				.name = known[i].name,
				.kind = known[i].kind == METRIC_HISTOGRAM
						? TELEMETRY_KIND_HISTOGRAM
						: TELEMETRY_KIND_COUNTER,
				.help = known[i].help,
			};
	return 0;
}

static int metrics(struct cell_call *call, void *self, const struct telemetry_metrics_query *in,
		   struct telemetry_metrics_report *out)
{
	struct telemetry *telemetry = self;
	const struct series *const *all;
	size_t n = metrics_series(telemetry->metrics, &all);
	struct telemetry_series *items =
		cell_arena_calloc(cell_arena(call), n + 1, sizeof *items);

	if (!items)
		return cell_refuse(call, -ENOMEM, "%zu series", n);
	*out = (struct telemetry_metrics_report){ .series = items };
	for (size_t i = 0; i < n; i++) {
		const struct series *series = all[i];
		struct telemetry_series *item = &items[out->n_series];
		uint64_t *buckets;

		if (strncmp(series->metric->name, in->prefix, strlen(in->prefix)) != 0)
			continue;
		*item = (struct telemetry_series){
			.name = series->metric->name, .help = series->metric->help,
			.cell = series->cell,	      .failed = series->failed,
			.sum = series->sum,	      .count = series->count,
		};
		out->n_series++;
		if (series->metric->kind == METRIC_COUNTER)
			continue;
		/* The table may move while the reply waits for room. */
		buckets = cell_arena_alloc(cell_arena(call), sizeof series->buckets);
		if (!buckets)
			return cell_refuse(call, -ENOMEM, "buckets of '%s'", series->metric->name);
		memcpy(buckets, series->buckets, sizeof series->buckets);
		item->kind = TELEMETRY_KIND_HISTOGRAM;
		item->n_bounds = METRIC_BOUNDS;
		item->bounds = metric_bounds;
		item->n_buckets = METRIC_BOUNDS + 1;
		item->buckets = buckets;
	}
	return add_waiting(call, telemetry->metrics, in->prefix, out);
}

static int exposition(struct cell_call *call, void *self, struct telemetry_exposition_text *out)
{
	struct telemetry *telemetry = self;
	size_t len;
	char *text = exposition_text(telemetry->metrics, &len);

	out->text = text ? cell_arena_strndup(cell_arena(call), text, len) : NULL;
	free(text);
	return out->text ? 0 : cell_refuse(call, -ENOMEM, "the text of all metrics");
}

/* ---- traces ------------------------------------------------------------------------------- */

static int traces(struct cell_call *call, void *self, const struct telemetry_traces_query *in,
		  struct telemetry_traces_report *out)
{
	struct telemetry *telemetry = self;
	size_t max = in->limit ? in->limit : TRACES_DEFAULT;
	struct trace_summary *found;
	struct telemetry_trace_summary *items;

	if (max > TRACES_LIMIT)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "%zu traces, at most %d", max,
				   TRACES_LIMIT);
	found = cell_arena_calloc(cell_arena(call), max, sizeof *found);
	items = cell_arena_calloc(cell_arena(call), max, sizeof *items);
	if (!found || !items)
		return cell_refuse(call, -ENOMEM, "%zu traces", max);
	out->n_traces = traces_list(telemetry->traces, in->cell, in->failed, found, max);
	out->traces = items;
	for (size_t i = 0; i < out->n_traces; i++)
		items[i] = (struct telemetry_trace_summary){
			.n_trace_id = TRACE_ID_SIZE,
			.trace_id = found[i].trace_id,
			.name = cell_arena_strdup(cell_arena(call), found[i].first->name),
			.cell = cell_arena_strdup(cell_arena(call), found[i].first->cell),
			.start_ns = found[i].start_ns,
			.duration_ns = found[i].duration_ns,
			.spans = found[i].n_spans,
			.failed = found[i].n_failed,
		};
	return 0;
}

static int trace(struct cell_call *call, void *self, const struct telemetry_trace_query *in,
		 struct telemetry_trace_report *out)
{
	struct telemetry *telemetry = self;
	struct cell_arena *arena = cell_arena(call);
	size_t n, digits = strlen(in->id);
	uint8_t *id = cell_arena_alloc(arena, TRACE_ID_SIZE);
	struct placed_span *placed = cell_arena_alloc(arena, TRACE_SPANS_MAX * sizeof *placed);
	struct telemetry_placed_span *items;
	struct telemetry_span *spans;
	struct span *copies;

	if (!id || !placed)
		return cell_refuse(call, -ENOMEM, "a trace");
	if (digits && digits < DIGITS_MIN)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "'%s' is short for an id: at least %d digits", in->id, DIGITS_MIN);
	switch (traces_find(telemetry->traces, in->id, id)) {
	case TRACE_FOUND: break;
	case TRACE_ABSENT:
		return cell_refuse(call, CELL_NOT_FOUND, "no trace %s%s is kept",
				   digits ? "that begins with " : "at all", in->id);
	case TRACE_AMBIGUOUS:
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "several traces begin with %s: give more digits", in->id);
	}
	n = traces_tree(telemetry->traces, id, placed);
	items = cell_arena_calloc(arena, n, sizeof *items);
	spans = cell_arena_calloc(arena, n, sizeof *spans);
	copies = cell_arena_calloc(arena, n, sizeof *copies);
	if (!items || !spans || !copies)
		return cell_refuse(call, -ENOMEM, "a trace of %zu spans", n);
	for (size_t i = 0; i < n; i++) {
		/* New spans take the places of old ones while the reply waits for room. */
		struct span *span = &copies[i];

		*span = *placed[i].span;
		spans[i] = (struct telemetry_span){
			.n_trace_id = TRACE_ID_SIZE,
			.trace_id = span->trace_id,
			.n_span_id = SPAN_ID_SIZE,
			.span_id = span->span_id,
			.n_parent_id = span->has_parent ? SPAN_ID_SIZE : 0,
			.parent_id = span->parent_id,
			.name = span->name,
			.start_ns = span->start_ns,
			.duration_ns = span->duration_ns,
			.status = span->status,
			.cell = span->cell,
			.instance = span->instance,
		};
		items[i] = (struct telemetry_placed_span){ .span = &spans[i],
							   .depth = placed[i].depth };
	}
	*out = (struct telemetry_trace_report){ .n_trace_id = TRACE_ID_SIZE, .trace_id = id,
						.n_spans = n, .spans = items };
	return 0;
}

static int counts(struct cell_call *call, void *self, struct telemetry_counts_report *out)
{
	struct telemetry *telemetry = self;
	const struct metrics_counts *counts = metrics_counts(telemetry->metrics);
	const struct series *const *all;

	(void)call;
	*out = (struct telemetry_counts_report){
		.spans = telemetry->spans,
		.samples = counts->samples,
		.dropped_by_programs = telemetry->dropped_by_programs,
		.refused = telemetry->refused + counts->refused,
		.no_room = counts->no_room,
		.series = (uint32_t)metrics_series(telemetry->metrics, &all),
		.series_max = SERIES_MAX,
		.kept_spans = (uint32_t)traces_kept(telemetry->traces),
		.kept_spans_max = SPANS_MAX,
		.http = telemetry->http,
	};
	return 0;
}

const struct telemetry_handlers telemetry_handlers = {
	.record = record,
	.metrics = metrics,
	.traces = traces,
	.trace = trace,
	.exposition = exposition,
	.counts = counts,
};
