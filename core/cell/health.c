/* cell health: asks every instance whether it can do its work. */
#include "node.h"

#include "ops.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <string.h>

#define EXIT_UNHEALTHY 8

struct options {
	uint64_t timeout_ns;
};

static const struct opts_option options[] = {
	{ 't', "timeout", OPTS_DURATION, offsetof(struct options, timeout_ns),
	  .value = "DURATION",
	  .help = "take an instance that has not answered by then for unhealthy (2s)" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "only the instances of this cell", .words = OPTS_CELL,
	  .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell health", "every instance" },
	{ "cell health greeter && deploy", "go on only if it is well" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell health",
	.summary = "ask instances whether they can do their work",
	.text = "Exits with 8 if one cannot, or if none of CELL runs.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

static const struct out_column columns[] = {
	{ .title = "ID", .is_right = true },
	{ .title = "CELL" },
	{ .title = "HEALTH" },
	{ .title = "SINCE", .is_right = true },
	{ .title = "REASON", .may_shrink = true },
	{ 0 },
};

struct verdict {
	bool is_healthy;
	bool is_draining;
	uint64_t since_ms;
	const char *reason;
};

static struct verdict ask(struct cell_call *call, const struct core_instance_info *instance,
			  uint64_t timeout_ns)
{
	struct ops_health_report report;
	int err;

	if (instance->state != CORE_INSTANCE_STATE_READY &&
	    instance->state != CORE_INSTANCE_STATE_DRAINING)
		return (struct verdict){ .reason =
						 instance->reason[0]
							 ? instance->reason
							 : node_state_name(instance->state) };
	err = ops_health(cell_within_ms(cell_to(call, instance->cell, instance->instance),
					timeout_ns / 1000000),
			 &report);
	if (err)
		return (struct verdict){
			.reason = cell_arena_strdup(cell_arena(call), cell_error(call)->text)
		};
	return (struct verdict){ report.healthy, report.draining, report.since_ms,
				 report.reason };
}

static void row(struct out_table *rows, const struct core_instance_info *instance,
		const struct verdict *verdict)
{
	char since[OUT_NUMBER_SIZE];

	out_cell(rows, OUT_PLAIN, "%" PRIu64, instance->instance);
	out_cell(rows, OUT_BOLD, "%s", instance->cell);
	out_cell(rows, verdict->is_healthy ? OUT_GOOD : OUT_BAD, "%s",
		 verdict->is_healthy    ? "healthy"
		 : verdict->is_draining ? "draining"
					: "unhealthy");
	out_cell(rows, OUT_PLAIN, "%s",
		 verdict->since_ms
			 ? out_duration(since, verdict->since_ms / 1000 * 1000000000)
			 : "-");
	out_cell(rows, OUT_PLAIN, "%s", verdict->reason ? verdict->reason : "");
}

static int health(struct command *command, const struct options *o, const char *only,
		  bool *ret_is_healthy)
{
	struct cell_call *call = command_call(command);
	const struct core_instance_info *instances;
	struct out_table *rows;
	json_t *list;
	size_t n;
	int err = node_instances(call, only ? only : "", &instances, &n);

	if (err)
		return err;
	rows = out_table_new(columns);
	list = json_array();
	*ret_is_healthy = n || !only;
	for (size_t i = 0; i < n; i++) {
		struct verdict verdict = ask(call, &instances[i], o->timeout_ns);

		row(rows, &instances[i], &verdict);
		(void)json_array_append_new(
			list, json_pack("{s:I, s:s, s:b, s:b, s:I, s:s}", "instance",
					(json_int_t)instances[i].instance, "cell",
					instances[i].cell, "healthy", verdict.is_healthy,
					"draining", verdict.is_draining, "since_ms",
					(json_int_t)verdict.since_ms, "reason",
					verdict.reason ? verdict.reason : ""));
		*ret_is_healthy = *ret_is_healthy && verdict.is_healthy;
	}
	if (command->is_json)
		err = command_json(command, json_pack("{s:b, s:O}", "healthy",
						      *ret_is_healthy, "instances", list));
	else
		out_table_print(rows, &command->out);
	if (n == 0)
		command_note(command, only ? "no instance of '%s' runs" : "nothing runs here",
			     only);
	json_decref(list);
	out_table_free(rows);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = { .timeout_ns = UINT64_C(2000000000) };
	struct command command;
	bool is_healthy = true;
	int exit_code;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	exit_code = command_end(&command, health(&command, &o, command_arg(&command, 0),
						 &is_healthy));
	return exit_code == 0 && !is_healthy ? EXIT_UNHEALTHY : exit_code;
}
