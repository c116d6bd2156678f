/* cell greeter: asks the cell greeter to greet. See cell-greeter(8). */
#include "greeter.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>

struct options {
	uint64_t count;
	uint64_t interval_ns;
};

static const struct opts_option options[] = {
	{ 'n', "count", OPTS_NUMBER, offsetof(struct options, count), .value = "N",
	  .help = "so many greetings", .min = 1, .max = 1000000 },
	{ 'i', "interval", OPTS_DURATION, offsetof(struct options, interval_ns), .value = "TIME",
	  .help = "between them (as fast as they come)" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "NAME", .help = "whom to greet", .repeats = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell greeter Ada", "one greeting" },
	{ "cell greeter Ada Grace", "one greeting for all of them" },
	{ "cell greeter -n 3 -i 500ms Ada", "three greetings, half a second apart" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell greeter",
	.summary = "greet, the smallest real cell",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

static void print(const struct command *command, const struct greeter_greeting *greeting)
{
	json_t *json;

	if (!command->is_json) {
		out_print(&command->out, OUT_PLAIN, "%s\n", greeting->text);
		return;
	}
	json = json_pack("{s:s, s:I}", "text", greeting->text, "number",
			 (json_int_t)greeting->number);
	(void)out_json(stdout, json, false);
	json_decref(json);
}

static int greet_one(struct command *command, const char *name)
{
	struct greeter_hello hello = { .name = name };
	struct greeter_greeting greeting;
	int err = greeter_greet(command_call(command), &hello, &greeting);

	if (!err)
		print(command, &greeting);
	return err;
}

/* The cell streams them: each is printed as it comes. */
static int greet_many(struct command *command, const char *name, const struct options *o)
{
	struct greeter_hello_many hello = {
		.name = name, .count = (uint32_t)o->count,
		.interval_ms = (uint32_t)(o->interval_ns / 1000000),
	};
	struct greeter_greet_many_cursor all = greeter_greet_many(command_call(command), &hello);

	for (struct greeter_greeting *greeting; (greeting = greeter_greet_many_next(&all));) {
		print(command, greeting);
		(void)fflush(stdout);
	}
	return greeter_greet_many_end(&all);
}

/* We stream the names, and one greeting comes back. */
static int greet_all(struct command *command, char **names, size_t n)
{
	struct greeter_greet_all_stream stream = greeter_greet_all_open(command_call(command));
	struct greeter_greeting greeting;
	int err = 0;

	/* If sending fails, closing says why. */
	for (size_t i = 0; i < n && !err; i++)
		err = greeter_greet_all_send(&stream, &(struct greeter_hello){ .name = names[i] });
	err = greeter_greet_all_close(&stream, &greeting);
	if (!err)
		print(command, &greeting);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;
	const char *name;
	int err;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	name = command_arg(&command, 0);
	if (command.opts.n_args > 1 && o.count)
		return command_usage(&command, "--count greets one name");
	if (o.count)
		err = greet_many(&command, name, &o);
	else if (command.opts.n_args > 1)
		err = greet_all(&command, command.opts.args, command.opts.n_args);
	else
		err = greet_one(&command, name);
	return command_end(&command, err);
}
