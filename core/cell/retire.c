/* cell retire: one instance fewer, drained first. */
#include "node.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <string.h>

/* Added to how long the instance may drain: TERM, KILL and the answer. */
#define MARGIN_MS 10000

struct options {
	uint64_t instance;
	uint64_t drain_ns;
	bool kill;
};

static const struct opts_option options[] = {
	{ 'i', "instance", OPTS_NUMBER, offsetof(struct options, instance), .value = "ID",
	  .help = "this one (all of the cell)", .min = 1 },
	{ 'd', "drain", OPTS_DURATION, offsetof(struct options, drain_ns),
	  .value = "DURATION",
	  .help = "let calls in flight finish for so long (what the manifest says)" },
	{ 'k', "kill", OPTS_FLAG, offsetof(struct options, kill), .help = "do not drain" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "the cell to have fewer instances of", .words = OPTS_CELL },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell retire greeter", "stop all of greeter, when its calls are done" },
	{ "cell retire greeter -i 7 -d 2s", "stop one, within two seconds" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell retire",
	.summary = "stop instances of a cell, letting their calls finish",
	.text = "It comes back at the next call to it, unless nobody calls.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

/* How long retiring may take: as long as a drain, by default that of the manifest, at most.
 */
static uint64_t wait_ms(const struct options *o)
{
	return (o->kill ? 0 : o->drain_ns ? o->drain_ns / 1000000 : 600000) + MARGIN_MS;
}

static int retire(struct command *command, const struct options *o, const char *cell)
{
	struct cell_call *call = command_call(command);
	const struct core_retire_request in = {
		.cell = cell,
		.instance = o->instance,
		.drain_ms = o->drain_ns / 1000000,
		.kill = o->kill,
	};
	const struct core_instance_info *instances;
	struct core_instance_info gone;
	size_t n;
	int err = node_instances(call, cell, &instances, &n);

	if (err)
		return err;
	err = core_retire(cell_within_ms(call, wait_ms(o)), &in, &gone);
	if (err)
		return err;
	if (command->is_json)
		return command_json(command, node_instance_json(&gone));
	if (o->instance)
		command_note(command, "instance %" PRIu64 " of %s is gone", o->instance,
			     cell);
	else if (n)
		command_note(command, "%zu instance%s of %s %s gone", n, n == 1 ? "" : "s",
			     cell, n == 1 ? "is" : "are");
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	return command_end(&command, retire(&command, &o, command_arg(&command, 0)));
}
