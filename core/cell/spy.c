/* cell spy: the calls of a cell as they pass, decoded. */
#include "node.h"
#include "tapped.h"
#include "text.h"

#include "../libcell/frame.h"

#include "ops.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Bodies are decoded whole or not at all, so as much as a tap gives. */
#define BODY_MAX_BYTES (64 * 1024)
/* Calls in flight whose requests are remembered; older ones are forgotten. */
#define CALLS_MAX 4096

struct options {
	uint64_t instance;
	const char *method;
	uint64_t sample;
	uint64_t count;
	bool all;
	bool full;
};

static const struct opts_option options[] = {
	{ 'i', "instance", OPTS_NUMBER, offsetof(struct options, instance), .value = "ID",
	  .help = "only this instance (all that run now)", .min = 1 },
	{ 'm', "method", OPTS_TEXT, offsetof(struct options, method), .value = "METHOD",
	  .help = "only this method", .words = OPTS_METHOD },
	{ 's', "sample", OPTS_NUMBER, offsetof(struct options, sample), .value = "N",
	  .help = "only one call in N", .min = 1, .max = 1000000 },
	{ 'n', "count", OPTS_NUMBER, offsetof(struct options, count), .value = "N",
	  .help = "end after N lines", .min = 1 },
	{ 'a', "all", OPTS_FLAG, offsetof(struct options, all),
	  .help = "also what every cell serves: ping, health, stats, …" },
	{ 'f', "full", OPTS_FLAG, offsetof(struct options, full),
	  .help = "do not cut lines to the terminal's width" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "the cell to look at; it must run", .words = OPTS_CELL },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell spy greeter", "every call, until Ctrl-C" },
	{ "cell spy greeter -m greet --json", "one method, for programs" },
	{ "cell spy greeter -s 100", "one call in a hundred" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell spy",
	.summary = "watch the calls of a cell, decoded",
	.text = "One line for each call when it ends, and for each item of a stream. Only the "
		"node's owner may. The cell does not wait for us: when we are slow we miss calls, "
		"and are told how many.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

/* A call whose end has not been seen. */
struct open_call {
	uint64_t connection;
	uint64_t id;
	json_t *request; /* or NULL */
	uint64_t items_in;
	uint64_t items_out;
};

struct spy {
	struct command *command;
	const struct options *options;
	const char *cell;
	struct schema *schema;
	const struct schema_method *only;
	uint64_t lines;
	uint64_t missed, tell_missed_ns; /* frames not told of yet, and when they may be */
	size_t n_tapping;
	int done_fd; /* eventfd: a tap has ended, or there were enough lines */
	int err;
};

/* The tap of one instance. */
struct tap {
	struct spy *spy;
	uint64_t instance;
	struct open_call *calls; /* a ring by call id */
};

/* ---- lines
 * ---------------------------------------------------------------------------------- */

/* What a line tells; members that do not apply are NULL or 0. */
struct event {
	const struct ops_tap_frame *frame;
	const char *kind; /* "call", "one-way", "item", "end" */
	const struct schema_method *method;
	uint64_t instance;
	json_t *request;
	json_t *reply;
	int status;
	const char *message;            /* of an error */
	const struct open_call *stream; /* at the end of a stream: how many items */
	bool is_outgoing;
};

static void time_write(char out[TEXT_TIME_SIZE], uint64_t at_ns, bool is_short)
{
	time_t seconds = (time_t)(at_ns / 1000000000);
	struct tm tm;

	if (!is_short) {
		/* Microseconds are what can be told apart. */
		if (!text_timestamp_write(out, (int64_t)seconds,
					  (int32_t)(at_ns % 1000000000)))
			out[0] = '\0';
		return;
	}
	(void)localtime_r(&seconds, &tm);
	(void)snprintf(out, TEXT_TIME_SIZE, "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min,
		       tm.tm_sec, (unsigned)(at_ns / 1000000 % 1000));
}

static json_t *event_json(const struct event *e)
{
	char at[TEXT_TIME_SIZE];
	json_t *line;

	time_write(at, e->frame->at_ns, false);
	line = json_pack("{s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:I}", "time", at, "kind",
			 e->kind, "method", e->frame->method, "instance",
			 (json_int_t)e->instance, "peer", e->frame->peer_cell,
			 "peer_instance", (json_int_t)e->frame->peer_instance, "connection",
			 (json_int_t)e->frame->connection, "call",
			 (json_int_t)e->frame->call_id);
	if (e->request)
		(void)json_object_set(line, "request", e->request);
	if (e->reply)
		(void)json_object_set(line, e->kind[0] == 'i' ? "item" : "reply", e->reply);
	if (e->kind[0] == 'i')
		(void)json_object_set_new(line, "from",
					  json_string(e->is_outgoing ? "server" : "client"));
	if (e->stream)
		(void)json_object_set_new(line, "items",
					  json_pack("{s:I, s:I}", "client",
						    (json_int_t)e->stream->items_in, "server",
						    (json_int_t)e->stream->items_out));
	if (strcmp(e->kind, "call") == 0 || strcmp(e->kind, "end") == 0) {
		(void)json_object_set_new(line, "status",
					  json_string(cell_status_name(e->status)));
		(void)json_object_set_new(line, "took_ns",
					  json_integer((json_int_t)e->frame->took_ns));
	}
	if (e->status)
		(void)json_object_set_new(line, "message", json_string(e->message));
	return line;
}

/* Print JSON on one line, cut to WIDTH columns. */
static void json_print(const struct out *out, const json_t *value, size_t width)
{
	char *text = out_json_text(value, false), *plain;
	size_t len = text ? strlen(text) : 0;

	plain = text ? malloc(len + 1) : NULL;
	if (plain) {
		(void)out_plain(plain, width < len ? width : len + 1, text);
		fprintf(out->file, " %s%s", plain, width < len ? "…" : "");
	}
	free(plain);
	free(text);
}

static void event_print(const struct out *out, const struct event *e, bool is_full)
{
	char at[TEXT_TIME_SIZE], method[128], peer[96], took[OUT_NUMBER_SIZE],
		message[CELL_ERROR_TEXT_MAX];
	/* Two bodies share what the rest of a line leaves. */
	size_t width = is_full || out->width == SIZE_MAX ? SIZE_MAX
		       : out->width > 90                 ? (out->width - 60) / 2
							 : 20;

	time_write(at, e->frame->at_ns, true);
	if (*e->frame->peer_cell)
		(void)snprintf(peer, sizeof peer, "%.63s/%" PRIu64, e->frame->peer_cell,
			       e->frame->peer_instance);
	else
		(void)snprintf(peer, sizeof peer, "outside");
	out_print(out, OUT_DIM, "%s", at);
	fprintf(out->file, " %-12s ", peer);
	out_print(out, OUT_BOLD, "%s",
		  e->method ? schema_snake(method, sizeof method, e->method->name)
			    : out_plain(method, sizeof method, e->frame->method));
	if (e->request)
		json_print(out, e->request, width);
	if (strcmp(e->kind, "item") == 0)
		fputs(e->is_outgoing ? " <-" : " ->", out->file);
	else if (e->reply || e->status)
		fputs(" =>", out->file);
	if (e->reply)
		json_print(out, e->reply, width);
	if (e->stream)
		fprintf(out->file, " end: %" PRIu64 " items in, %" PRIu64 " out",
			e->stream->items_in, e->stream->items_out);
	if (e->status) {
		fputc(' ', out->file);
		out_print(out, OUT_BAD, "%s", cell_status_name(e->status));
		fprintf(out->file, ": %s", out_plain(message, sizeof message, e->message));
	}
	if (e->frame->took_ns)
		out_print(out, OUT_DIM, " %s", out_duration(took, e->frame->took_ns));
	else if (strcmp(e->kind, "one-way") == 0)
		out_print(out, OUT_DIM, " one-way");
	fputc('\n', out->file);
}

static void event_emit(struct tap *tap, struct event *e)
{
	struct spy *spy = tap->spy;
	json_t *line;

	if (spy->options->count && spy->lines >= spy->options->count)
		return;
	e->instance = tap->instance;
	if (spy->command->is_json) {
		line = event_json(e);
		(void)out_json(stdout, line, false);
		json_decref(line);
	} else {
		event_print(&spy->command->out, e, spy->options->full);
	}
	if (fflush(stdout) != 0)
		spy->err = command_fail(spy->command, -errno, "writing the result: %s",
					strerror(errno));
	spy->lines++;
	if (spy->err || (spy->options->count && spy->lines >= spy->options->count))
		(void)eventfd_write(spy->done_fd, 1);
}

/* ---- frames to calls
 * --------------------------------------------------------------------------- */

static struct open_call *call_slot(struct tap *tap, const struct ops_tap_frame *frame)
{
	return &tap->calls[(frame->call_id ^ frame->connection * 31) % CALLS_MAX];
}

static struct open_call *call_find(struct tap *tap, const struct ops_tap_frame *frame)
{
	struct open_call *call = call_slot(tap, frame);

	return call->connection == frame->connection && call->id == frame->call_id ? call
										   : NULL;
}

static void call_forget(struct open_call *call)
{
	json_decref(call->request);
	*call = (struct open_call){ 0 };
}

static void on_request(struct tap *tap, const struct ops_tap_frame *frame,
		       const struct schema_method *method)
{
	struct open_call *call = call_slot(tap, frame);
	bool has_body = !(method && method->client_streams);
	json_t *request = has_body ? tapped_body(frame, method ? method->in : NULL) : NULL;

	call_forget(call);
	*call = (struct open_call){ frame->connection, frame->call_id, request, 0, 0 };
}

static void on_one_way(struct tap *tap, const struct ops_tap_frame *frame,
		       const struct schema_method *method)
{
	struct event e = { .frame = frame, .kind = "one-way", .method = method };

	e.request = tapped_body(frame, method ? method->in : NULL);
	event_emit(tap, &e);
	json_decref(e.request);
}

static void on_item(struct tap *tap, const struct ops_tap_frame *frame,
		    const struct schema_method *method)
{
	struct open_call *call = call_find(tap, frame);
	struct event e = { .frame = frame,
			   .kind = "item",
			   .method = method,
			   .is_outgoing = frame->outgoing };

	if (call)
		*(frame->outgoing ? &call->items_out : &call->items_in) += 1;
	e.reply = tapped_body(frame, !method           ? NULL
				   : frame->outgoing ? method->out
						     : method->in);
	event_emit(tap, &e);
	json_decref(e.reply);
}

/* Reply, error, or the end of a stream: CALL is over. */
static void on_terminal(struct tap *tap, const struct ops_tap_frame *frame,
			const struct schema_method *method)
{
	struct open_call *call = call_find(tap, frame);
	char message[CELL_ERROR_TEXT_MAX];
	struct event e = {
		.frame = frame,
		.kind = frame->kind == FRAME_END ? "end" : "call",
		.method = method,
		.request = call ? call->request : NULL,
		.message = message,
	};

	if (frame->kind == FRAME_REPLY) {
		e.reply = tapped_body(frame, method ? method->out : NULL);
	} else {
		e.status = cell_status_from_wire(frame->code);
		(void)snprintf(message, sizeof message, "%.*s", (int)frame->n_body,
			       (const char *)frame->body);
	}
	if (frame->kind == FRAME_END)
		e.stream = call;
	event_emit(tap, &e);
	json_decref(e.reply);
	if (call)
		call_forget(call);
}

/* A cell under load is missed a little all the time: a line a second is enough to know. */
static void missed_add(struct spy *spy, uint64_t missed)
{
	struct timespec now;
	uint64_t now_ns;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
	spy->missed += missed;
	if (now_ns < spy->tell_missed_ns)
		return;
	command_note(spy->command, "%" PRIu64 " frames were missed", spy->missed);
	spy->missed = 0;
	spy->tell_missed_ns = now_ns + UINT64_C(1000000000);
}

static void on_frame(struct tap *tap, const struct ops_tap_frame *frame)
{
	struct spy *spy = tap->spy;
	const struct schema_method *method =
		*frame->method ? schema_method(spy->schema, frame->method) : NULL;

	if (frame->missed)
		missed_add(spy, frame->missed);
	if (frame->channel == CELL_CHANNEL_OPS && !spy->options->all && !spy->only)
		return;
	if (tapped_is_continuation(frame))
		return;
	switch (frame->kind) {
	case FRAME_REQUEST: on_request(tap, frame, method); break;
	case FRAME_ONE_WAY: on_one_way(tap, frame, method); break;
	case FRAME_ITEM: on_item(tap, frame, method); break;
	case FRAME_REPLY:
	case FRAME_ERROR: on_terminal(tap, frame, method); break;
	case FRAME_END:
		/* The client's end only says that it sends no more. */
		if (frame->outgoing)
			on_terminal(tap, frame, method);
		break;
	default: break;
	}
}

/* ---- taps
 * ------------------------------------------------------------------------------------- */

static int tap_run(struct tap *tap, struct cell_call *call)
{
	struct spy *spy = tap->spy;
	const struct ops_tap_request in = {
		.method = spy->only ? spy->only->full_name : "",
		.one_in = (uint32_t)spy->options->sample,
		.body_max = BODY_MAX_BYTES,
	};
	struct ops_tap_cursor frames;

	tap->calls = calloc(CALLS_MAX, sizeof *tap->calls);
	if (!tap->calls)
		return cell_refuse(call, -ENOMEM, "no memory");
	frames = ops_tap(cell_to(call, spy->cell, tap->instance), &in);
	for (const struct ops_tap_frame *frame; (frame = ops_tap_next(&frames));)
		on_frame(tap, frame);
	return ops_tap_end(&frames);
}

static void on_tap(struct cell_call *call, void *userdata)
{
	struct tap *tap = userdata;
	struct spy *spy = tap->spy;
	int err = tap_run(tap, call);

	for (size_t i = 0; tap->calls && i < CALLS_MAX; i++)
		call_forget(&tap->calls[i]);
	free(tap->calls);
	/* That the instance has gone is no error: it was looked at until its end. */
	if (err && err != CELL_UNAVAILABLE && !spy->err)
		spy->err = command_fail(spy->command, err, "%s", cell_error(call)->text);
	else
		command_note(spy->command, "%s %" PRIu64 " is gone", spy->cell,
			     tap->instance);
	spy->n_tapping--;
	(void)eventfd_write(spy->done_fd, 1);
	free(tap);
}

static int tap_start(struct spy *spy, struct cell_call *call, uint64_t instance)
{
	struct tap *tap = calloc(1, sizeof *tap);
	int err;

	if (!tap)
		return cell_refuse(call, -ENOMEM, "no memory");
	*tap = (struct tap){ .spy = spy, .instance = instance };
	err = cell_spawn_task(call, on_tap, tap);
	if (err)
		free(tap);
	else
		spy->n_tapping++;
	return err;
}

static int taps_start(struct spy *spy, struct cell_call *call)
{
	const struct core_instance_info *instances;
	uint64_t wanted = spy->options->instance;
	size_t n;
	int err = node_instances(call, spy->cell, &instances, &n);

	for (size_t i = 0; err == 0 && i < n; i++)
		if (instances[i].state == CORE_INSTANCE_STATE_READY &&
		    (!wanted || wanted == instances[i].instance))
			err = tap_start(spy, call, instances[i].instance);
	if (err)
		return err;
	if (spy->n_tapping)
		return 0;
	if (wanted)
		return command_fail(spy->command, CELL_NOT_FOUND,
				    "%s has no instance %" PRIu64, spy->cell, wanted);
	return command_fail(spy->command, CELL_NOT_FOUND, "no instance of '%s' is ready",
			    spy->cell);
}

static bool is_done(const struct spy *spy)
{
	return spy->err || spy->n_tapping == 0 ||
	       (spy->options->count && spy->lines >= spy->options->count);
}

static int spy_run(struct spy *spy)
{
	struct cell_call *call = command_call(spy->command);
	const struct core_instance_info *instances;
	size_t n;
	int err = node_instances(call, spy->cell, &instances, &n);

	/* Looking must not start what does not run. */
	if (err == 0 && n == 0)
		err = command_fail(spy->command, CELL_NOT_FOUND,
				   "no instance of '%s' runs (run: cell run %s)", spy->cell,
				   spy->cell);
	if (err == 0)
		err = node_schema(call, spy->cell, spy->options->instance, &spy->schema);
	if (err == 0 && spy->options->method)
		err = schema_find_method(spy->schema, spy->options->method, &spy->only,
					 cell_error_slot(call));
	if (err == 0)
		err = taps_start(spy, call);
	if (err)
		return err;
	if (spy->command->err.is_terminal)
		command_note(spy->command, "looking at %zu instance%s of %s; Ctrl-C ends",
			     spy->n_tapping, spy->n_tapping == 1 ? "" : "s", spy->cell);
	while (err == 0 && !is_done(spy)) {
		eventfd_t ignored;

		err = cell_wait_readable(call, spy->done_fd);
		(void)eventfd_read(spy->done_fd, &ignored);
	}
	/* Taps that go on cannot be told to stop: they end with the process. */
	spy->command->keeps_call = spy->n_tapping > 0;
	return err ? err : spy->err;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;
	struct spy spy = { .command = &command, .options = &o };
	int err;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	spy.cell = command_arg(&command, 0);
	spy.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = spy.done_fd < 0 ? command_fail(&command, -errno, "eventfd: %s", strerror(errno))
			      : spy_run(&spy);
	if (!command.keeps_call)
		schema_release(spy.schema);
	return command_end(&command, err);
}
