/* cell telemetry: metrics. cell trace: where calls went. One program under two names. */
#include "telemetry.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <string.h>
#include <time.h>

#define ID_SIZE 16
/* Columns of the bar that shows when a span ran. */
#define BAR_WIDTH 24

struct options {
	uint64_t limit;
	const char *cell;
	bool failed;
	bool counts;
};

/* ---- cell telemetry ------------------------------------------------------------------------ */

static const struct opts_option metrics_options[] = {
	{ 0, "counts", OPTS_FLAG, offsetof(struct options, counts),
	  .help = "what the cell took, dropped and keeps, and where it serves HTTP" },
	{ 0 },
};

static const struct opts_argument metrics_arguments[] = {
	{ "PREFIX", .help = "only metrics whose names begin so", .is_optional = true },
	{ 0 },
};

static const struct opts_example metrics_examples[] = {
	{ "cell telemetry", "every metric" },
	{ "cell telemetry deposits", "those whose names begin so" },
	{ "cell telemetry --counts", "is something lost?" },
	{ 0 },
};

static const struct opts_command metrics_table = {
	.name = "cell telemetry",
	.summary = "show what programs measured of themselves",
	.text = "Functions with telemetry::counter or ::histogram; see cell-telemetry(8).",
	.examples = metrics_examples,
	.options = metrics_options,
	.arguments = metrics_arguments,
	.has_json = true,
};

/*
 * The upper bound of the bucket in which the fraction Q of all observations is reached; the
 * largest bound if it is beyond.
 */
static double quantile(const struct telemetry_series *series, double q)
{
	uint64_t below = 0;

	for (size_t i = 0; i < series->n_bounds && i < series->n_buckets; i++) {
		below += series->buckets[i];
		if ((double)below >= q * (double)series->count)
			return series->bounds[i];
	}
	return series->n_bounds ? series->bounds[series->n_bounds - 1] : 0;
}

static const char *seconds(char out[OUT_NUMBER_SIZE], double s)
{
	return out_duration(out, s < 0 || s > 1e9 ? 0 : (uint64_t)(s * 1e9));
}

static json_t *series_json(const struct telemetry_series *s)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:b, s:f}", "name", s->name, "kind",
				   s->kind == TELEMETRY_KIND_HISTOGRAM ? "histogram" : "counter",
				   "help", s->help, "cell", s->cell, "failed", (int)s->failed, "sum",
				   s->sum);
	json_t *buckets;

	if (s->kind != TELEMETRY_KIND_HISTOGRAM)
		return object;
	buckets = json_array();
	for (size_t i = 0; i < s->n_buckets; i++)
		(void)json_array_append_new(
			buckets, json_pack("{s:o, s:I}", "le",
					   i < s->n_bounds ? json_real(s->bounds[i]) : json_null(),
					   "count", (json_int_t)s->buckets[i]));
	(void)json_object_set_new(object, "count", json_integer((json_int_t)s->count));
	(void)json_object_set_new(object, "buckets", buckets);
	return object;
}

/* What was declared shows that its programs are there, before they do anything. */
static json_t *waiting_json(const struct telemetry_metric *m)
{
	return json_pack("{s:s, s:s, s:s, s:n, s:i}", "name", m->name, "kind",
			 m->kind == TELEMETRY_KIND_HISTOGRAM ? "histogram" : "counter", "help",
			 m->help, "cell", "sum", 0);
}

static int show_metrics(struct command *command, const char *prefix)
{
	static const struct out_column columns[] = {
		{ "METRIC", .may_shrink = true }, { "CELL", .may_shrink = true },
		{ .title = "OUTCOME" },			  { "COUNT", .is_right = true },
		{ "MEAN", .is_right = true },	  { "P50", .is_right = true },
		{ "P99", .is_right = true },	  { 0 },
	};
	const struct telemetry_metrics_query in = { .prefix = prefix ? prefix : "" };
	struct telemetry_metrics_report report;
	struct out_table *table;
	char number[OUT_NUMBER_SIZE];
	int err = telemetry_metrics(command_call(command), &in, &report);

	if (err)
		return err;
	if (command->is_json) {
		json_t *all = json_array();

		for (size_t i = 0; i < report.n_series; i++)
			(void)json_array_append_new(all, series_json(&report.series[i]));
		for (size_t i = 0; i < report.n_waiting; i++)
			(void)json_array_append_new(all, waiting_json(&report.waiting[i]));
		return command_json(command, all);
	}
	if (!report.n_series && !report.n_waiting) {
		command_note(command, prefix ? "no metric begins with '%s'" : "no metric yet%s",
			     prefix ? prefix : "");
		return 0;
	}
	table = out_table_new(columns);
	for (size_t i = 0; i < report.n_series; i++) {
		const struct telemetry_series *s = &report.series[i];

		out_cell(table, OUT_PLAIN, "%s", s->name);
		out_cell(table, OUT_PLAIN, "%s", *s->cell ? s->cell : "-");
		out_cell(table, s->failed ? OUT_BAD : OUT_PLAIN, "%s", s->failed ? "error" : "ok");
		if (s->kind != TELEMETRY_KIND_HISTOGRAM) {
			out_cell(table, OUT_PLAIN, "%s", out_count(number, s->sum));
			for (int blank = 0; blank < 3; blank++)
				out_cell(table, OUT_PLAIN, "%s", "");
			continue;
		}
		out_cell(table, OUT_PLAIN, "%s", out_count(number, (double)s->count));
		out_cell(table, OUT_PLAIN, "%s",
			 seconds(number, s->count ? s->sum / (double)s->count : 0));
		out_cell(table, OUT_PLAIN, "<%s", seconds(number, quantile(s, .5)));
		out_cell(table, OUT_PLAIN, "<%s", seconds(number, quantile(s, .99)));
	}
	for (size_t i = 0; i < report.n_waiting; i++) {
		out_cell(table, OUT_PLAIN, "%s", report.waiting[i].name);
		out_cell(table, OUT_PLAIN, "-");
		out_cell(table, OUT_PLAIN, "-");
		out_cell(table, OUT_PLAIN, "0");
		for (int blank = 0; blank < 3; blank++)
			out_cell(table, OUT_PLAIN, "%s", "");
	}
	out_table_print(table, &command->out);
	out_table_free(table);
	return 0;
}

static int show_counts(struct command *command)
{
	struct telemetry_counts_report c;
	int err = telemetry_counts(command_call(command), &c);

	if (err)
		return err;
	if (command->is_json)
		return command_json(
			command,
			json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "spans",
				  (json_int_t)c.spans, "samples", (json_int_t)c.samples,
				  "dropped_by_programs", (json_int_t)c.dropped_by_programs,
				  "refused", (json_int_t)c.refused, "no_room",
				  (json_int_t)c.no_room, "series", (json_int_t)c.series,
				  "series_max", (json_int_t)c.series_max, "kept_spans",
				  (json_int_t)c.kept_spans, "kept_spans_max",
				  (json_int_t)c.kept_spans_max, "http", c.http));
	printf("%" PRIu64 " spans and %" PRIu64 " samples taken\n"
	       "%" PRIu64 " dropped by programs, %" PRIu64 " refused, %" PRIu64 " without room\n"
	       "%u of %u series, %u of %u spans kept\n"
	       "HTTP: %s\n",
	       c.spans, c.samples, c.dropped_by_programs, c.refused, c.no_room, c.series,
	       c.series_max, c.kept_spans, c.kept_spans_max, c.http);
	return 0;
}

/* ---- cell trace ------------------------------------------------------------------------------- */

static const struct opts_option trace_options[] = {
	{ 'n', "limit", OPTS_NUMBER, offsetof(struct options, limit), .value = "N",
	  .help = "so many of the last traces (20)", .min = 1, .max = 1000 },
	{ 'c', "cell", OPTS_TEXT, offsetof(struct options, cell), .value = "CELL",
	  .help = "only traces that passed this cell", .words = OPTS_CELL },
	{ 'f', "failed", OPTS_FLAG, offsetof(struct options, failed),
	  .help = "only traces in which something failed" },
	{ 0 },
};

static const struct opts_argument trace_arguments[] = {
	{ "ID", .help = "show this trace as a tree: four digits or more, or `last`",
	  .is_optional = true },
	{ 0 },
};

static const struct opts_example trace_examples[] = {
	{ "cell trace", "the last traces" },
	{ "cell trace last", "the newest one, as a tree" },
	{ "cell trace --failed --cell bank", "what went wrong in bank" },
	{ 0 },
};

static const struct opts_command trace_table = {
	.name = "cell trace",
	.summary = "show where calls went, and how long each step took",
	.text = "Functions with telemetry::span; see cell-telemetry(8).",
	.examples = trace_examples,
	.options = trace_options,
	.arguments = trace_arguments,
	.has_json = true,
};

static const char *hex(char *out, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return out;
}

static const char *clock_text(char out[32], uint64_t ns)
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	char text[16];

	(void)localtime_r(&s, &tm);
	(void)strftime(text, sizeof text, "%H:%M:%S", &tm);
	(void)snprintf(out, 32, "%s.%03u", text, (unsigned)(ns / 1000000 % 1000));
	return out;
}

static int show_traces(struct command *command, const struct options *o)
{
	static const struct out_column columns[] = {
		{ .title = "TRACE" },
		{ .title = "BEGAN" },
		{ "FIRST", .may_shrink = true },
		{ "CELL", .may_shrink = true },
		{ "SPANS", .is_right = true },
		{ "FAILED", .is_right = true },
		{ "TOOK", .is_right = true },
		{ 0 },
	};
	const struct telemetry_traces_query in = { .limit = (uint32_t)o->limit,
						   .cell = o->cell ? o->cell : "",
						   .failed = o->failed };
	struct telemetry_traces_report report;
	struct out_table *table;
	json_t *all = command->is_json ? json_array() : NULL;
	int err = telemetry_traces(command_call(command), &in, &report);

	if (err) {
		json_decref(all);
		return err;
	}
	table = out_table_new(columns);
	for (size_t i = 0; i < report.n_traces; i++) {
		const struct telemetry_trace_summary *t = &report.traces[i];
		char id[2 * ID_SIZE + 1] = "", began[32], took[OUT_NUMBER_SIZE];

		if (t->n_trace_id == ID_SIZE)
			(void)hex(id, t->trace_id, ID_SIZE);
		if (all) {
			(void)json_array_append_new(
				all, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "trace", id,
					       "name", t->name, "cell", t->cell, "start_ns",
					       (json_int_t)t->start_ns, "duration_ns",
					       (json_int_t)t->duration_ns, "spans",
					       (json_int_t)t->spans, "failed",
					       (json_int_t)t->failed));
			continue;
		}
		out_cell(table, OUT_BOLD, "%.8s", id);
		out_cell(table, OUT_PLAIN, "%s", clock_text(began, t->start_ns));
		out_cell(table, OUT_PLAIN, "%s", t->name);
		out_cell(table, OUT_PLAIN, "%s", *t->cell ? t->cell : "-");
		out_cell(table, OUT_PLAIN, "%u", t->spans);
		out_cell(table, t->failed ? OUT_BAD : OUT_PLAIN, "%u", t->failed);
		out_cell(table, OUT_PLAIN, "%s", out_duration(took, t->duration_ns));
	}
	if (!all && out_table_rows(table))
		out_table_print(table, &command->out);
	else if (!all)
		command_note(command, "no trace is kept that fits");
	out_table_free(table);
	return all ? command_json(command, all) : 0;
}

static json_t *span_json(const struct telemetry_placed_span *placed)
{
	const struct telemetry_span *s = placed->span;
	char id[17] = "", parent[17] = "";

	if (s->n_span_id == 8)
		(void)hex(id, s->span_id, 8);
	if (s->n_parent_id == 8)
		(void)hex(parent, s->parent_id, 8);
	return json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:s}", "span", id, "parent", parent,
			 "depth", (json_int_t)placed->depth, "name", s->name, "cell", s->cell,
			 "instance", (json_int_t)s->instance, "start_ns", (json_int_t)s->start_ns,
			 "duration_ns", (json_int_t)s->duration_ns, "status",
			 cell_status_name(cell_status_from_wire(s->status)));
}

/* Where in the trace the span ran: a bar of BAR_WIDTH columns. */
static const char *bar(char out[BAR_WIDTH + 1], const struct telemetry_span *s, uint64_t start_ns,
		       uint64_t whole_ns)
{
	uint64_t from = s->start_ns > start_ns ? s->start_ns - start_ns : 0;
	double scale = whole_ns ? (double)BAR_WIDTH / (double)whole_ns : 0;
	int left = (int)((double)from * scale);
	int right = (int)((double)(from + s->duration_ns) * scale + .5);

	left = left > BAR_WIDTH - 1 ? BAR_WIDTH - 1 : left;
	right = right > BAR_WIDTH ? BAR_WIDTH : right <= left ? left + 1 : right;
	memset(out, ' ', BAR_WIDTH);
	memset(out + left, '=', (size_t)(right - left));
	out[BAR_WIDTH] = 0;
	return out;
}

static void tree_print(struct command *command, const struct telemetry_trace_report *report)
{
	static const struct out_column columns[] = {
		{ "SPAN", .may_shrink = true }, { "CELL", .may_shrink = true },
		{ .title = "STATUS" },			{ "AT", .is_right = true },
		{ "TOOK", .is_right = true },	{ .title = "" },
		{ 0 },
	};
	struct out_table *table = out_table_new(columns);
	uint64_t start_ns = UINT64_MAX, end_ns = 0;

	for (size_t i = 0; i < report->n_spans; i++) {
		const struct telemetry_span *s = report->spans[i].span;

		start_ns = s->start_ns < start_ns ? s->start_ns : start_ns;
		end_ns = s->start_ns + s->duration_ns > end_ns ? s->start_ns + s->duration_ns : end_ns;
	}
	for (size_t i = 0; i < report->n_spans; i++) {
		const struct telemetry_span *s = report->spans[i].span;
		char at[OUT_NUMBER_SIZE], took[OUT_NUMBER_SIZE], columns_of_bar[BAR_WIDTH + 1];

		out_cell(table, OUT_PLAIN, "%*s%s", 2 * (int)(report->spans[i].depth % 64), "", s->name);
		out_cell(table, OUT_PLAIN, "%s", *s->cell ? s->cell : "-");
		out_cell(table, s->status ? OUT_BAD : OUT_GOOD, "%s",
			 cell_status_name(cell_status_from_wire(s->status)));
		out_cell(table, OUT_PLAIN, "%s", out_duration(at, s->start_ns - start_ns));
		out_cell(table, OUT_PLAIN, "%s", out_duration(took, s->duration_ns));
		out_cell(table, s->status ? OUT_BAD : OUT_DIM, "%s",
			 bar(columns_of_bar, s, start_ns, end_ns - start_ns));
	}
	out_table_print(table, &command->out);
	out_table_free(table);
}

static int show_trace(struct command *command, const char *id)
{
	const struct telemetry_trace_query in = { .id = strcmp(id, "last") == 0 ? "" : id };
	struct telemetry_trace_report report;
	char digits[2 * ID_SIZE + 1] = "";
	int err = telemetry_trace(command_call(command), &in, &report);

	if (err)
		return err;
	for (size_t i = 0; i < report.n_spans; i++)
		if (!report.spans[i].span)
			return command_fail(command, CELL_DATA_LOSS, "the report lacks span %zu", i);
	if (report.n_trace_id == ID_SIZE)
		(void)hex(digits, report.trace_id, ID_SIZE);
	if (command->is_json) {
		json_t *spans = json_array();

		for (size_t i = 0; i < report.n_spans; i++)
			(void)json_array_append_new(spans, span_json(&report.spans[i]));
		return command_json(command, json_pack("{s:s, s:o}", "trace", digits, "spans", spans));
	}
	command_note(command, "trace %s", digits);
	tree_print(command, &report);
	return 0;
}

/* ---- both ---------------------------------------------------------------------------------------- */

static bool is_called_trace(const char *program)
{
	const char *name = strrchr(program, '/');

	return strcmp(name ? name + 1 : program, "cell-trace") == 0;
}

int main(int argc, char **argv)
{
	bool is_trace = is_called_trace(argv[0]);
	struct options o = { .limit = 20 };
	struct command command;
	const char *argument;
	int err;

	if (!command_begin(&command, is_trace ? &trace_table : &metrics_table, argc, argv, &o))
		return command.exit_code;
	argument = command_arg(&command, 0);
	if (is_trace)
		err = argument ? show_trace(&command, argument) : show_traces(&command, &o);
	else
		err = o.counts ? show_counts(&command) : show_metrics(&command, argument);
	return command_end(&command, err);
}
