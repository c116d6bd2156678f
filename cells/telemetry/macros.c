/*
 * telemetry::span, ::counter, ::histogram on functions that take a struct cell_call * and
 * return int. All that stand on one function share one wrapper; metrics are declared to the
 * running cell, which refuses one that it knows as another kind.
 */
#include "runtime.h"
#include "telemetry.cell.h"
#include "telemetry.h"

#include <cell/cell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD "cell.telemetry.v1.Telemetry/Record"

static bool is_ours(const struct macro_attribute *attribute)
{
	return strcmp(attribute->ns, "telemetry") == 0;
}

/* The wrapper is planned and written for the first of ours. */
static bool is_first(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_plan_request *request = cell_macro_request(work);

	for (size_t i = 0; i < request->n_attributes; i++)
		if (is_ours(&request->attributes[i]))
			return request->attributes[i].id == mine->id;
	return false;
}

static int plan_wrapper(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *name = cell_macro_declaration(work)->name;
	int err;

	if (!cell_macro_is_fallible(work)) {
		(void)cell_macro_refuse(work, mine, NULL,
					"'%s' cannot be measured: it has no call to carry the trace",
					name);
		cell_macro_note(work, "int %s(struct cell_call *call, …)", name);
		return CELL_INVALID_ARGUMENT;
	}
	if (!is_first(work, mine))
		return 0;
	err = cell_plan_wrap(work, mine, MACRO_PHASE_TRACE, NULL, NULL);
	err = err ? err
		  : cell_plan_symbol(work, mine, MACRO_PIECE_KIND_INLINE, "cell_50_%s", name);
	err = err ? err
		  : cell_plan_symbol(work, mine, MACRO_PIECE_KIND_UNIT, "cell_telemetry_begin");
	err = err ? err
		  : cell_plan_symbol(work, mine, MACRO_PIECE_KIND_UNIT, "cell_telemetry_end");
	err = err ? err : cell_plan_use(work, mine, "telemetry", "app");
	return err;
}

static int plan_metric(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const char *name = cell_macro_text(work, mine, "name", "");
	int err;

	if (!metric_name_is_valid(name))
		return cell_macro_refuse(work, mine, cell_macro_argument(work, mine, "name"),
					 "'%s' is no name of a metric: a letter, then letters, digits, "
					 "_ and :, at most %d",
					 name, METRIC_NAME_MAX);
	if (strlen(cell_macro_text(work, mine, "help", "")) > METRIC_HELP_MAX)
		return cell_macro_refuse(work, mine, cell_macro_argument(work, mine, "help"),
					 "the help has more than %d bytes", METRIC_HELP_MAX);
	err = plan_wrapper(work, mine);
	return err ? err : cell_plan_use(work, mine, "telemetry", "macro");
}

static int declare_metric(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct telemetry_metric metric = {
		.name = cell_macro_text(work, mine, "name", ""),
		.kind = strcmp(mine->name, "counter") == 0 ? TELEMETRY_KIND_COUNTER
							   : TELEMETRY_KIND_HISTOGRAM,
		.help = cell_macro_text(work, mine, "help", ""),
	};
	uint8_t *bytes = malloc(telemetry_metric_type.bound(&metric));
	int err;

	if (!bytes)
		return -ENOMEM;
	err = cell_macro_declare(work, mine, cell_macro_printf(work, "metric %s", metric.name), bytes,
				 (size_t)(telemetry_metric_type.encode(&metric, bytes) - bytes));
	free(bytes);
	return err;
}

/* The names of our metrics called MACRO, as items of an array. */
static void put_names(struct cell_macro_work *work, struct cell_piece *piece, const char *macro)
{
	const struct macro_plan_request *request = cell_macro_request(work);

	for (size_t i = 0; i < request->n_attributes; i++) {
		const struct macro_attribute *attribute = &request->attributes[i];

		if (!is_ours(attribute) || strcmp(attribute->name, macro) != 0)
			continue;
		cell_piece_literal(piece, cell_macro_text(work, attribute, "name", ""));
		cell_piece_put(piece, ", ");
	}
}

static int expand(struct cell_macro_work *work, const struct macro_attribute *mine)
{
	const struct macro_declaration *function = cell_macro_declaration(work);
	const struct macro_attribute *span;
	struct cell_piece *piece;
	const char *symbol;
	char hash[16];
	int err = strcmp(mine->name, "span") == 0 ? 0 : declare_metric(work, mine);

	if (err || !is_first(work, mine))
		return err;
	piece = cell_piece(work, mine, MACRO_ANCHOR_BEFORE, MACRO_PIECE_KIND_DECL);
	cell_piece_put(piece, "%s", runtime_declarations);

	(void)snprintf(hash, sizeof hash, "0x%08x", cell_method_hash(RECORD));
	piece = cell_piece(work, mine, MACRO_ANCHOR_END, MACRO_PIECE_KIND_UNIT);
	cell_piece_template(piece, runtime_unit, (const char *const[]){ "hash", hash, NULL });

	span = cell_macro_find(cell_macro_request(work)->attributes,
			       cell_macro_request(work)->n_attributes, "telemetry", "span");
	symbol = cell_macro_printf(work, "cell_50_%s", function->name);
	piece = cell_piece_wrap(work, mine, MACRO_PHASE_TRACE, symbol);
	cell_piece_prototype(piece, symbol);
	cell_piece_put(piece, "\n{\n\tstatic const char *const cell_counters[] = { ");
	put_names(work, piece, "counter");
	cell_piece_put(piece, "NULL };\n\tstatic const char *const cell_histograms[] = { ");
	put_names(work, piece, "histogram");
	cell_piece_put(piece, "NULL };\n\tuint64_t cell_scope[10];\n\tint cell_err;\n\n"
			      "\tcell_telemetry_begin(%s, cell_scope);\n\tcell_err = ",
		       cell_macro_parameter_name(work, 0));
	cell_piece_next(piece);
	cell_piece_put(piece, ";\n\treturn cell_telemetry_end(%s, cell_scope, cell_err, ",
		       cell_macro_parameter_name(work, 0));
	if (span)
		cell_piece_literal(piece, cell_macro_text(work, span, "name", function->name));
	else
		cell_piece_put(piece, "NULL");
	cell_piece_put(piece, ",\n\t\t\tcell_counters, cell_histograms);\n}\n");
	return 0;
}

/* ---- when the compiler has succeeded, and when a program starts ---------------------------- */

static int provision(struct cell_macro_work *work, const struct macro_declared *declared,
		     bool only_check)
{
	struct telemetry *telemetry = cell_macro_self(work);
	struct telemetry_metric metric;
	struct cell_error error = { .code = 0 };
	enum metric_kind kind;
	int err = telemetry_metric_type.decode(&metric, declared->body, declared->n_body, 0,
					       cell_arena(cell_macro_call(work)), &error);

	kind = metric.kind == TELEMETRY_KIND_HISTOGRAM ? METRIC_HISTOGRAM : METRIC_COUNTER;
	if (!err)
		err = only_check ? metrics_may_declare(telemetry->metrics, metric.name, kind, &error)
				 : metrics_declare(telemetry->metrics, metric.name, kind,
						   metric.help, &error);
	if (!err)
		return 0;
	err = cell_provision_refuse(work, declared,
				    err == CELL_ALREADY_EXISTS ? CELL_FAILED_PRECONDITION : err, "%s",
				    error.text);
	if (err == CELL_FAILED_PRECONDITION)
		cell_macro_note(work, "a metric has one kind in all programs: choose another name, or "
				      "stop those that use it and restart telemetry");
	return err;
}

/* ---- the table ------------------------------------------------------------------------------ */

static const struct cell_macro_argument span_arguments[] = {
	{ .name = "name", .kind = MACRO_VALUE_KIND_STRING, .is_positional = true,
	  .doc = "what the span is called; the function's name if left out" },
	{ 0 },
};

static const struct cell_macro_argument metric_arguments[] = {
	{ .name = "name", .kind = MACRO_VALUE_KIND_STRING, .is_positional = true,
	  .is_required = true, .doc = "of the metric: \"deposits_total\"" },
	{ .name = "help", .kind = MACRO_VALUE_KIND_STRING,
	  .doc = "what it counts, for people: at most 160 bytes" },
	{ 0 },
};

static const struct cell_macro macros[] = {
	{ .name = "span",
	  .doc = "Each call of the function is a span of its caller's trace.\n"
		 "Calls to other cells from within are its children. `cell trace` shows them.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_FUNCTION),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_WRAP) | CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS),
	  .arguments = span_arguments,
	  .plan = plan_wrapper,
	  .expand = expand },
	{ .name = "counter",
	  .doc = "Counts the calls of the function, those that fail apart.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_FUNCTION),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_WRAP) | CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS),
	  .is_repeatable = true,
	  .arguments = metric_arguments,
	  .plan = plan_metric,
	  .expand = expand },
	{ .name = "histogram",
	  .doc = "How long the function takes, in seconds, those calls that fail apart.",
	  .places = CELL_MACRO_BIT(MACRO_PLACE_FUNCTION),
	  .may = CELL_MACRO_BIT(MACRO_ADDITION_WRAP) | CELL_MACRO_BIT(MACRO_ADDITION_DECLARATIONS),
	  .is_repeatable = true,
	  .arguments = metric_arguments,
	  .plan = plan_metric,
	  .expand = expand },
	{ 0 },
};

const struct cell_macro_provider telemetry_provider = {
	.namespaces = (const char *const[]){ "telemetry", NULL },
	.macros = macros,
	.provision = provision,
};
