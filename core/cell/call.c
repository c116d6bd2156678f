/* cell call: one method of a running cell, by its live schema, with JSON. */
#include "input.h"
#include "json.h"
#include "node.h"

#include "ops.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	uint64_t timeout_ns;
	uint64_t instance;
	bool one_way;
	bool emit_defaults;
	bool example;
};

static const struct opts_option options[] = {
	{ 't', "timeout", OPTS_DURATION, offsetof(struct options, timeout_ns),
	  .value = "DURATION", .help = "give up after so long (30s; a stream: never)" },
	{ 'i', "instance", OPTS_NUMBER, offsetof(struct options, instance), .value = "ID",
	  .help = "this instance (any; one is started if none runs)", .min = 1 },
	{ '1', "one-way", OPTS_FLAG, offsetof(struct options, one_way),
	  .help = "send it and do not wait for an answer" },
	{ 'd', "emit-defaults", OPTS_FLAG, offsetof(struct options, emit_defaults),
	  .help = "print fields that hold their default, too" },
	{ 'e', "example", OPTS_FLAG, offsetof(struct options, example),
	  .help = "print a request with every field, and call nothing" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "the cell to call", .words = OPTS_CELL },
	{ "METHOD", .help = "greet_many, GreetMany or Greeter.GreetMany",
	  .words = OPTS_METHOD },
	{ "REQUEST",
	  .help = "JSON; @FILE reads a file, - stdin (nothing: {}). Streams take one document a line, from stdin if there is no REQUEST",
	  .words = OPTS_FILE, .is_optional = true },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell call greeter greet '{\"name\": \"Ada\"}'", "one call" },
	{ "cell call greeter greet_many '{\"name\": \"Ada\", \"count\": 3}'",
	  "a reply a line" },
	{ "cell call greeter greet_each < names.ndjson", "a request a line" },
	{ "cell call --example greeter greet", "what a request looks like" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell call",
	.summary = "call a method of a cell",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

/* One call in the making. */
struct job {
	struct command *command;
	const struct options *options;
	const char *cell;
	const struct schema_method *method;
	struct cell_ref ref;
	struct cell_call *call; /* with the deadline and the instance */
	struct input input;
	struct cell_stream *stream;
	bool is_sending; /* the other task still reads and sends */
	int bad_request; /* why the input could not be sent, if that was its own fault */
};

/* What every cell answers is on a channel of its own. */
static uint8_t channel(const struct job *job)
{
	return job->method->service->is_common ? CELL_CHANNEL_OPS : CELL_CHANNEL_APP;
}

/* ---- messages ------------------------------------------------------------------------- */

static int encode(struct job *job, struct cell_call *call, const char *text, size_t len,
		  const char *name, const uint8_t **ret_bytes, size_t *ret_len)
{
	struct cell_error *err = cell_error_slot(call);
	json_t *value = NULL;
	int r = json_parse(&value, text, len, name, err);

	if (r == 0)
		r = json_to_bytes(job->method->in, value, "request", cell_arena(call),
				  ret_bytes, ret_len, err);
	json_decref(value);
	return r;
}

/* A reply, or one item of a stream, which is one line. */
static int print(struct job *job, const uint8_t *bytes, size_t len, bool is_item)
{
	unsigned flags = job->options->emit_defaults ? JSON_EMIT_DEFAULTS : 0;
	json_t *value;
	int r = json_from_bytes(job->method->out, bytes, len, flags, "reply", &value,
				cell_error_slot(job->call));

	if (r < 0)
		return r;
	if (!is_item)
		return command_json(job->command, value);
	r = out_json(stdout, value, false);
	json_decref(value);
	if (r == 0 && fflush(stdout) != 0)
		r = -errno;
	return r < 0 ? cell_refuse(job->call, r, "writing the result: %s", strerror(-r)) : 0;
}

/* ---- one request, one reply ---------------------------------------------------------------
 */

/* Bytes as a message of their own, for cell_post(). */
struct raw {
	const uint8_t *bytes;
	size_t len;
};

static size_t raw_bound(const void *message)
{
	return ((const struct raw *)message)->len;
}

static uint8_t *raw_encode(const void *message, uint8_t *out)
{
	const struct raw *raw = message;

	if (raw->len)
		memcpy(out, raw->bytes, raw->len);
	return out + raw->len;
}

static int post(struct job *job, const uint8_t *bytes, size_t len)
{
	const struct cell_message_type type = {
		.name = job->method->in->name,
		.size = sizeof(struct raw),
		.bound = raw_bound,
		.encode = raw_encode,
	};
	const struct cell_method method = {
		.name = job->method->name,
		.full_name = job->method->full_name,
		.hash = cell_method_hash(job->method->full_name),
		.channel = channel(job),
		.in = &type,
		.out = &type,
	};
	struct ops_ping_message pong;
	int err;

	err = cell_post(job->call, &job->ref, &method, &(struct raw){ bytes, len });
	/*
	 * We end at once, and with us the connection: what the cell has not taken by then is
	 * lost. It takes frames in order, so its answer to a ping says that it has.
	 */
	if (err == 0)
		(void)ops_ping(job->call, &(struct ops_ping_message){ 0 }, &pong);
	return err;
}

static int request_whole(struct job *job, const uint8_t **ret_bytes, size_t *ret_len)
{
	const char *text;
	size_t len;
	int err = input_whole(&job->input, job->call, &text, &len);

	return err ? err
		   : encode(job, job->call, text, len, job->input.name, ret_bytes, ret_len);
}

static int unary(struct job *job)
{
	const uint8_t *in, *out;
	size_t in_len, out_len;
	int err = request_whole(job, &in, &in_len);

	if (err == 0 && job->options->one_way)
		return post(job, in, in_len);
	if (err == 0)
		err = cell_invoke_bytes(job->call, &job->ref, channel(job),
					job->method->full_name, in, in_len, &out, &out_len);
	return err ? err : print(job, out, out_len, false);
}

/* ---- streams ----------------------------------------------------------------------------
 */

/* The text is kept, as that of the call's end would replace it. */
static int bad_request(struct job *job, int err, struct cell_call *call)
{
	job->bad_request = err;
	return command_fail(job->command, err, "%s", cell_error(call)->text);
}

/* Send what the input has, a line at a time; memory of a line is given back. */
static int send_all(struct job *job, struct cell_call *call)
{
	struct cell_arena_mark mark = cell_mark(call);
	const uint8_t *bytes;
	const char *text;
	size_t text_len, len;
	int r;

	while ((r = input_line(&job->input, call, &text, &text_len)) == 0) {
		char name[80];

		(void)snprintf(name, sizeof name, "%.60s:%u", job->input.name,
			       job->input.line);
		r = encode(job, call, text, text_len, "request", &bytes, &len);
		if (r < 0)
			return bad_request(job,
					   cell_wrap(cell_error_slot(call), r, "%s", name),
					   call);
		r = cell_stream_send_bytes(job->stream, bytes, len);
		cell_rewind(call, mark);
		if (r < 0)
			return r;
	}
	return r < 0 ? bad_request(job, r, call) : cell_stream_close_send(job->stream);
}

/* The sender's task, while the main one prints replies. A bad request ends what is sent. */
static void on_send(struct cell_call *call, void *userdata)
{
	struct job *job = userdata;

	(void)send_all(job, call);
	if (job->bad_request)
		(void)cell_stream_close_send(job->stream);
	job->is_sending = false;
}

static int receive_all(struct job *job)
{
	const uint8_t *bytes;
	size_t len;
	int err = 0;

	while (!err && (bytes = cell_stream_recv_bytes(job->stream, &len)))
		err = print(job, bytes, len, true);
	return err;
}

static int streaming(struct job *job)
{
	const struct schema_method *m = job->method;
	unsigned flags = (m->client_streams ? CELL_METHOD_CLIENT_STREAM : 0u) |
			 (m->server_streams ? CELL_METHOD_SERVER_STREAM : 0u);
	const uint8_t *bytes = NULL;
	size_t len = 0;
	int err = m->client_streams ? 0 : request_whole(job, &bytes, &len), end_err;

	if (err)
		return err;
	job->stream = cell_stream_open_bytes(job->call, &job->ref, channel(job), m->full_name,
					     flags, bytes, len);
	if (m->client_streams && m->server_streams) {
		job->is_sending = true;
		err = cell_spawn_task(job->call, on_send, job);
	} else if (m->client_streams) {
		err = send_all(job, job->call);
		if (job->bad_request)
			return err;
	}
	if (err == 0 && m->server_streams)
		err = receive_all(job);
	end_err = cell_stream_end_bytes(job->stream, &bytes, &len);
	/* Why the stream ended says more than that an item could not be sent. */
	if (end_err || job->bad_request)
		err = job->bad_request ? job->bad_request : end_err;
	return err || m->server_streams ? err : print(job, bytes, len, false);
}

/* ---- the command --------------------------------------------------------------------------
 */

static int example(struct job *job)
{
	return command_json(job->command, json_example(job->method->in));
}

static int run(struct job *job)
{
	const struct options *o = job->options;
	const char *request = command_arg(job->command, 2);
	bool is_stream = job->method->client_streams || job->method->server_streams;
	int err;

	if (o->example)
		return example(job);
	if (o->one_way && is_stream)
		return command_fail(job->command, CELL_INVALID_ARGUMENT,
				    "%s streams: that cannot be one-way", job->method->name);
	if (!request)
		request = job->method->client_streams ? "-" : "{}";
	err = input_open(&job->input, job->call, request);
	if (err)
		return err;
	if (job->method->client_streams && job->input.fd == STDIN_FILENO &&
	    isatty(STDIN_FILENO))
		command_note(job->command, "one request a line, please; Ctrl-D ends");
	err = is_stream ? streaming(job) : unary(job);
	/* A task that waits for stdin cannot be told to stop: the process just ends. */
	if (!job->is_sending)
		input_close(&job->input);
	return err;
}

static int call(struct command *command, const struct options *o)
{
	struct cell_call *root = command_call(command);
	struct job job = { .command = command,
			   .options = o,
			   .cell = command_arg(command, 0) };
	struct cell_call *limited;
	struct schema *schema = NULL;
	int err;

	limited = o->timeout_ns ? cell_within_ms(root, o->timeout_ns / 1000000) : root;
	job.call = cell_to(limited, job.cell, o->instance);
	job.ref = (struct cell_ref)CELL_REF(job.cell);
	err = node_schema(limited, job.cell, o->instance, &schema);
	if (err == 0)
		err = schema_find_method(schema, command_arg(command, 1), &job.method,
					 cell_error_slot(root));
	if (err == 0)
		err = run(&job);
	command->keeps_call = job.is_sending;
	schema_release(schema);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	command.shows_status = true;
	return command_end(&command, call(&command, &o));
}
