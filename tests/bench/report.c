#include "report.h"
#include "target.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

#define LABEL_WIDTH  28
#define COLUMN_WIDTH 13
#define CELL_MAX     32
#define TEXT_MAX     256 /* all columns of a row */

struct column {
	const char *title;
	enum stage stage;
	enum metric metric;
};

static const struct column main_columns[] = {
	{ "p50 us", STAGE_UNPINNED, METRIC_P50_US },
	{ "p99 us", STAGE_UNPINNED, METRIC_P99_US },
	{ "p99.9 us", STAGE_UNPINNED, METRIC_P999_US },
	{ "CPU us/call", STAGE_UNPINNED, METRIC_CPU_US },
	{ "cores", STAGE_UNPINNED, METRIC_CORES },
	{ "piped/s", STAGE_UNPINNED, METRIC_PIPELINED_CALLS_PER_S },
	{ "CPU us/call", STAGE_UNPINNED, METRIC_PIPELINED_CPU_US },
	{ "cores", STAGE_UNPINNED, METRIC_PIPELINED_CORES },
	{ "1 MiB MB/s", STAGE_UNPINNED, METRIC_BLOB_MB_PER_S },
};

static const struct column placement_columns[] = {
	{ "unpinned p50", STAGE_UNPINNED, METRIC_P50_US },
	{ "p99 us", STAGE_UNPINNED, METRIC_P99_US },
	{ "one CPU p50", STAGE_ONE_CPU, METRIC_P50_US },
	{ "p99 us", STAGE_ONE_CPU, METRIC_P99_US },
	{ "CPU us/call", STAGE_ONE_CPU, METRIC_CPU_US },
	{ "two CPUs p50", STAGE_TWO_CPUS, METRIC_P50_US },
	{ "p99 us", STAGE_TWO_CPUS, METRIC_P99_US },
	{ "CPU us/call", STAGE_TWO_CPUS, METRIC_CPU_US },
};

static const struct column loaded_columns[] = {
	{ "loaded p50", STAGE_LOADED, METRIC_P50_US },
	{ "p99 us", STAGE_LOADED, METRIC_P99_US },
	{ "CPU us/call", STAGE_LOADED, METRIC_CPU_US },
	{ "4 pairs/s", STAGE_PAIRS, METRIC_CALLS_PER_S },
};

static const struct column table_columns[] = {
	{ "1 client w/s", STAGE_TABLE, METRIC_WRITES_1_PER_S },
	{ "16 w/s", STAGE_TABLE, METRIC_WRITES_16_PER_S },
	{ "64 w/s", STAGE_TABLE, METRIC_WRITES_64_PER_S },
	{ "p99 us", STAGE_TABLE, METRIC_WRITES_64_P99_US },
	{ "read p50 us", STAGE_TABLE, METRIC_READ_P50_US },
	{ "p99 us", STAGE_TABLE, METRIC_READ_P99_US },
	{ "scan rows/s", STAGE_TABLE, METRIC_SCAN_ROWS_PER_S },
	{ "txn p50 us", STAGE_TABLE, METRIC_TRANSFER_P50_US },
	{ "p99 us", STAGE_TABLE, METRIC_TRANSFER_P99_US },
};

struct line {
	const char *text;
	enum metric metric;
};

static const struct line node_lines[] = {
	{ "connecting to a running cell, with the first call, us", METRIC_CONNECT_US },
	{ "first call to a cell that it starts in its sandbox, ms", METRIC_SPAWN_CALL_MS },
	{ "cells started, to do nothing", METRIC_CELLS_STARTED },
	{ "... within, s", METRIC_CELLS_START_S },
	{ "wake-ups of one while they were watched", METRIC_IDLE_WAKEUPS },
	{ "memory of one, its sandbox and the kernel's part included, MiB", METRIC_CELL_MIB },
	{ "... the kernel's part, MiB", METRIC_CELL_KERNEL_MIB },
	{ "cellcore without them, MiB", METRIC_CORE_MIB },
	{ "cellcore with them, MiB", METRIC_CORE_FULL_MIB },
	{ "all, if they were 1,000, GiB", METRIC_CELLS_GIB },
	{ "cells that still answer", METRIC_CELLS_REACHED },
	{ "... each connected to and called within, s", METRIC_CELLS_REACH_S },
	{ "the node with all of them ended within, s", METRIC_CELLS_STOP_S },
};

static const char *const waiting_titles[WAITING_COUNT] = {
	[WAITING_FLOOR] = "what the machine charges",
	[WAITING_SPINNING] = "spinning: takes both cores, always",
	[WAITING_ADAPTIVE] = "spinning first, then sleeping",
	[WAITING_SLEEPING] = "sleeping",
	[WAITING_TABLE] = "what is written is on the disk before the answer",
};

/* Three significant digits, as k and M from ten thousand on. */
static void number_format(char ret_text[CELL_MAX], double value)
{
	const char *suffix = "";

	if (value >= 1e6) {
		value /= 1e6;
		suffix = "M";
	} else if (value >= 1e4) {
		value /= 1e3;
		suffix = "k";
	}
	(void)snprintf(ret_text, CELL_MAX, "%.*f%s",
		       value < 0.1 && value > 0 ? 3
		       : value < 10             ? 2
		       : value < 100            ? 1
						: 0,
		       value, suffix);
}

static void range_format(char ret_text[2 * CELL_MAX], const struct summary *summary)
{
	char min[CELL_MAX];
	char max[CELL_MAX];

	number_format(min, summary->min);
	number_format(max, summary->max);
	(void)snprintf(ret_text, 2 * CELL_MAX, "%s-%s", min, max);
}

/* ---- Tables ---------------------------------------------------------------------- */

static void rule_print(FILE *out, size_t n_columns)
{
	for (size_t i = 0; i < LABEL_WIDTH + n_columns * COLUMN_WIDTH; i++)
		(void)fputc('-', out);
	(void)fputc('\n', out);
}

/* The medians, and below them from where to where the rounds' values reached. */
static void row_print(FILE *out, const struct results *results, enum peer_id peer,
		      const struct column *columns, size_t n)
{
	char medians[TEXT_MAX] = "";
	char ranges[TEXT_MAX] = "";
	int end = 0;

	for (size_t i = 0; i < n; i++) {
		struct summary summary =
			results_summary(results, peer, columns[i].stage, columns[i].metric);
		char median[CELL_MAX];
		char range[2 * CELL_MAX];
		int start = (int)i * COLUMN_WIDTH;

		if (summary.n == 0)
			continue;
		number_format(median, summary.median);
		range_format(range, &summary);
		(void)snprintf(medians + end, TEXT_MAX - (size_t)end, "%*s",
			       start + COLUMN_WIDTH - end, median);
		(void)snprintf(ranges + end, TEXT_MAX - (size_t)end, "%*s",
			       start + COLUMN_WIDTH - end, range);
		end = start + COLUMN_WIDTH;
	}
	fprintf(out, "%-*s%s\n%*s%s\n", LABEL_WIDTH, catalog_peer(peer)->label, medians,
		LABEL_WIDTH, "", ranges);
}

static void absence_print(FILE *out, const struct results *results, enum peer_id peer)
{
	const char *package = results->package[peer];

	fprintf(out, "%-*s   ", LABEL_WIDTH, catalog_peer(peer)->label);
	if (results->status[peer] == STATUS_FAILED)
		fprintf(out, "FAILED: see its message on stderr\n");
	else if (*package)
		fprintf(out, "NOT INSTALLED: apt package %s\n", package);
	else
		fprintf(out, "NOT BUILT: no program peer_%s\n", catalog_peer(peer)->program);
}

static bool has_any(const struct results *results, enum peer_id peer,
		    const struct column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (results_summary(results, peer, columns[i].stage, columns[i].metric).n > 0)
			return true;
	return false;
}

static void table_print(FILE *out, const struct results *results, const char *title,
			const struct column *columns, size_t n)
{
	enum waiting last = WAITING_COUNT;

	fprintf(out, "\n%s\n", title);
	rule_print(out, n);
	fprintf(out, "%-*s", LABEL_WIDTH, "");
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%*s", COLUMN_WIDTH, columns[i].title);
	(void)fputc('\n', out);
	for (enum peer_id peer = 0; peer < PEER_COUNT; peer++) {
		if (!catalog_has(peer, columns[0].stage) ||
		    !catalog_has(peer, columns[n - 1].stage) ||
		    results->status[peer] == STATUS_UNTRIED)
			continue;
		if (catalog_peer(peer)->waiting != last) {
			last = catalog_peer(peer)->waiting;
			fprintf(out, "-- %s\n", waiting_titles[last]);
		}
		if (has_any(results, peer, columns, n))
			row_print(out, results, peer, columns, n);
		if (results->status[peer] != STATUS_MEASURED)
			absence_print(out, results, peer);
	}
}

static void node_print(FILE *out, const struct results *results)
{
	if (results->status[PEER_NODE] != STATUS_MEASURED)
		return;
	fprintf(out, "\nA node, once: cells in their sandboxes. Memory as proportional shares.\n");
	rule_print(out, 4);
	for (size_t i = 0; i < sizeof node_lines / sizeof *node_lines; i++) {
		struct summary summary =
			results_summary(results, PEER_NODE, STAGE_NODE, node_lines[i].metric);
		char text[CELL_MAX] = "";

		if (summary.n > 0)
			number_format(text, summary.median);
		fprintf(out, "%-66s%*s\n", node_lines[i].text, COLUMN_WIDTH, text);
	}
}

static void targets_print(FILE *out, const struct results *results)
{
	fprintf(out,
		"\nTargets: ratios of values of the same round, unpinned where nothing else "
		"is said; median (min-max).\n"
		"\"best placed\": the same with the other side at the best of its three "
		"placements, round by round.\n");
	rule_print(out, 8);
	fprintf(out, "%2s  %-58s%10s%10s%20s%16s  %s\n", "#", "figure", "target", "measured",
		"(min-max)", "best placed", "reached");
	for (size_t i = 0; i < target_count(); i++) {
		const struct target *target = target_at(i);
		struct verdict verdict = target_judge(target, results);
		char bound[CELL_MAX];
		char text[CELL_MAX] = "";
		char range[2 * CELL_MAX] = "";
		char strict[CELL_MAX] = "";

		number_format(bound, target->bound);
		if (verdict.measured.n > 0) {
			number_format(text, verdict.measured.median);
			range_format(range, &verdict.measured);
		}
		if (verdict.strict.n > 0)
			number_format(strict, verdict.strict.median);
		fprintf(out, "%2u  %-58s%3s%7s%10s%20s%16s  %s\n", target->row, target->text,
			target->is_at_most ? "<=" : ">=", bound, text, range, strict,
			verdict.measured.n == 0 ? "NOT MEASURED"
			: verdict.is_reached    ? "yes"
						: "no");
	}
}

/* A table that lacks something says so at its head, by name. */
static void absences_print(FILE *out, const struct results *results)
{
	for (enum peer_id peer = 0; peer < PEER_COUNT; peer++)
		if (results->status[peer] == STATUS_MISSING ||
		    results->status[peer] == STATUS_FAILED) {
			fprintf(out, "absent    ");
			absence_print(out, results, peer);
		} else if (results->status[peer] == STATUS_UNTRIED) {
			fprintf(out, "absent    %-*s   not asked for\n", LABEL_WIDTH,
				catalog_peer(peer)->label);
		}
}

static void head_print(FILE *out, const struct run_info *info, const struct results *results)
{
	const struct machine *machine = &info->machine;

	fprintf(out,
		"Cell beside what Debian packages: %s run, %u interleaved rounds, %.0f s\n",
		info->mode, results->n_rounds, info->seconds);
	fprintf(out, "machine   %s%s, %d CPUs, %.1f GiB; %s; %s; %s\n", machine->cpu,
		machine->is_virtual ? " (virtual)" : "", machine->cpus, machine->memory_gib,
		machine->system, machine->kernel, machine->compiler);
	fprintf(out, "load      %.2f when the run began, %.2f when it ended%s\n",
		machine->load, info->load_end,
		machine->load > 0.5 ? ": OTHER WORK WAS GOING ON, trust only ratios" : "");
	if (machine->cpus < 2)
		fprintf(out,
			"placement ONE CPU ONLY: nothing below had two, whatever its title\n");
	fprintf(out, "a call    16-byte string and u64 there, 24-byte string back, checked; "
		     "two processes; pipelined: 128 outstanding\n");
	fprintf(out,
		"per round %u ms closed loop, %u ms pipelined, %u ms of 1 MiB requests, "
		"after %u ms each to warm up\n",
		info->durations.closed, info->durations.pipelined, info->durations.blob,
		info->durations.warmup);
	fprintf(out, "tables    %u ms for each database; all data on %s\n",
		info->durations.table, info->machine.data);
	fprintf(out,
		"CPU       client, server and broker together; \"cores\" is that over wall "
		"time\n");
	fprintf(out, "absent    %-*s   not packaged by Debian\n", LABEL_WIDTH, "Aeron IPC");
	absences_print(out, results);
}

void report_text(FILE *out, const struct run_info *info, const struct results *results)
{
	head_print(out, info, results);
	table_print(out, results,
		    "Unpinned: the scheduler places both processes. Median, min-max.",
		    main_columns, sizeof main_columns / sizeof *main_columns);
	table_print(out, results,
		    "Placement: closed loop, both processes on one CPU, or on one CPU each.",
		    placement_columns, sizeof placement_columns / sizeof *placement_columns);
	table_print(
		out, results,
		"A machine with no CPU to spare: beside a busy loop per CPU; and four pairs "
		"at once (calls/s of all).",
		loaded_columns, sizeof loaded_columns / sizeof *loaded_columns);
	table_print(out, results,
		    "Tables: rows written one a commit, by 1, 16 and 64 clients; read by key, by "
		    "index in order; 2 read and 2 written in a transaction.",
		    table_columns, sizeof table_columns / sizeof *table_columns);
	node_print(out, results);
	targets_print(out, results);
}

/* ---- JSON ------------------------------------------------------------------------ */

static json_t *values_json(const struct results *results, enum peer_id peer, enum stage stage)
{
	json_t *metrics = json_object();

	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		json_t *values;

		if (results_summary(results, peer, stage, metric).n == 0)
			continue;
		values = json_array();
		for (unsigned round = 0; round < results->n_rounds; round++) {
			double value = results_value(results, peer, stage, metric, round);

			(void)json_array_append_new(values, isnan(value) ? json_null()
									 : json_real(value));
		}
		(void)json_object_set_new(metrics, catalog_metric_name(metric), values);
	}
	return metrics;
}

static json_t *peer_json(const struct results *results, enum peer_id peer)
{
	static const char *const statuses[] = { "untried", "measured", "missing", "failed" };
	json_t *stages = json_object();

	for (enum stage stage = 0; stage < STAGE_COUNT; stage++)
		if (catalog_has(peer, stage))
			(void)json_object_set_new(stages, catalog_stage_name(stage),
						  values_json(results, peer, stage));
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", catalog_peer(peer)->name,
			 "label", catalog_peer(peer)->label, "status",
			 statuses[results->status[peer]], "package", results->package[peer],
			 "rounds", stages);
}

static json_t *target_json(const struct target *target, const struct results *results)
{
	struct verdict verdict = target_judge(target, results);
	json_t *json =
		json_pack("{s:i, s:s, s:s, s:f}", "row", (int)target->row, "figure",
			  target->text, "bound", target->is_at_most ? "at most" : "at least",
			  "target", target->bound);

	if (verdict.measured.n == 0)
		return json;
	(void)json_object_update_new(json, json_pack("{s:f, s:f, s:f, s:b}", "median",
						     verdict.measured.median, "min",
						     verdict.measured.min, "max",
						     verdict.measured.max, "reached",
						     (int)verdict.is_reached));
	if (verdict.strict.n > 0)
		(void)json_object_set_new(json, "best_placed",
					  json_real(verdict.strict.median));
	return json;
}

static json_t *machine_json(const struct run_info *info)
{
	const struct machine *machine = &info->machine;

	return json_pack("{s:s, s:b, s:i, s:f, s:s, s:s, s:s, s:f, s:f}", "cpu", machine->cpu,
			 "virtual", (int)machine->is_virtual, "cpus", machine->cpus,
			 "memory_gib", machine->memory_gib, "system", machine->system,
			 "kernel", machine->kernel, "compiler", machine->compiler,
			 "load_begin", machine->load, "load_end", info->load_end);
}

int report_json(FILE *out, const struct run_info *info, const struct results *results)
{
	json_t *peers = json_array();
	json_t *targets = json_array();
	json_t *document;
	int r;

	for (enum peer_id peer = 0; peer < PEER_COUNT; peer++)
		(void)json_array_append_new(peers, peer_json(results, peer));
	for (size_t i = 0; i < target_count(); i++)
		(void)json_array_append_new(targets, target_json(target_at(i), results));
	document = json_pack("{s:s, s:i, s:f, s:o, s:o, s:o}", "mode", info->mode, "rounds",
			     (int)results->n_rounds, "seconds", info->seconds, "machine",
			     machine_json(info), "peers", peers, "targets", targets);
	if (!document)
		return -ENOMEM;
	r = json_dumpf(document, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	(void)fputc('\n', out);
	json_decref(document);
	return r == 0 ? 0 : -EIO;
}
