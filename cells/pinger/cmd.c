/* cell pinger: has a cell called at a rate, and reports. See cell-pinger(8). */
#include "load.h"
#include "pinger.cell.h"

#include <cell/cell.h>
#include <cell/internal/command.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define NS_PER_MS 1000000ull
#define DURATION_NS (10 * 1000 * NS_PER_MS)
#define PROGRESS_MS 1000
/* Calls in flight end within their timeout; this is on top of it. */
#define STOP_MS 5000

struct options {
	uint64_t rate;
	uint64_t concurrency;
	uint64_t duration_ns;
	const char *method;
	uint64_t size;
	uint64_t timeout_ns;
	bool once;
	bool from_here;
};

static const struct opts_option options[] = {
	{ 'r', "rate", OPTS_NUMBER, offsetof(struct options, rate), .value = "N",
	  .help = "calls a second (each when the last is answered)", .min = 1,
	  .max = (uint64_t)RUN_RATE_MAX },
	{ 'c', "concurrency", OPTS_NUMBER, offsetof(struct options, concurrency), .value = "N",
	  .help = "calls in flight at most (1; with a rate 32)", .min = 1,
	  .max = RUN_CONCURRENCY_MAX },
	{ 'd', "duration", OPTS_DURATION, offsetof(struct options, duration_ns), .value = "TIME",
	  .help = "start calls for so long; 0: until Ctrl-C (10s)" },
	{ 'm', "method", OPTS_TEXT, offsetof(struct options, method), .value = "METHOD",
	  .help = "ping, which every cell answers, or greet (ping)", .choices = "ping|greet" },
	{ 's', "size", OPTS_SIZE, offsetof(struct options, size), .value = "BYTES",
	  .help = "of a ping, or of the name greeted (0)", .max = RUN_PING_MAX_BYTES },
	{ 't', "timeout", OPTS_DURATION, offsetof(struct options, timeout_ns), .value = "TIME",
	  .help = "of each call (30s)" },
	{ 0, "once", OPTS_FLAG, offsetof(struct options, once),
	  .help = "never send a call again after a lost connection" },
	{ 0, "from-here", OPTS_FLAG, offsetof(struct options, from_here),
	  .help = "let this command call, not the cell pinger" },
	{ 0 },
};

static const struct opts_argument arguments[] = {
	{ "CELL", .help = "the cell to call", .words = OPTS_CELL },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell pinger greeter", "one call after the other, for 10 seconds" },
	{ "cell pinger --rate 1000 --duration 5s greeter", "1000 calls a second" },
	{ "cell pinger -c 16 --from-here hello", "a cell that pinger.cell does not list" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell pinger",
	.summary = "call a cell at a rate and count every outcome",
	.text = "Ctrl-C ends the run early, with its report. Exits with 1 if a call failed.",
	.examples = examples,
	.options = options,
	.arguments = arguments,
	.has_json = true,
};

struct job {
	struct command command;
	struct cell_call *call;
	struct pinger_plan plan;
	struct load *here; /* NULL: the cell pinger has it, as `run` */
	struct pinger_run run;
	int events; /* an epoll descriptor: a signal, or the end of `here` */
	bool is_from_here;
};

/* --- the report ---------------------------------------------------------------------- */

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static uint64_t failed(const struct pinger_result *result)
{
	return result->sent - result->ok - result->in_flight;
}

static double rate_of(const struct pinger_result *result)
{
	return result->elapsed_ns ? (double)result->sent / seconds(result->elapsed_ns) : 0;
}

static void print_latency(const struct pinger_result *result)
{
	const struct {
		const char *name;
		uint64_t ns;
	} marks[] = {
		{ "p50", result->p50_ns },     { "p90", result->p90_ns }, { "p99", result->p99_ns },
		{ "p99.9", result->p999_ns }, { "max", result->max_ns },
	};
	char text[OUT_NUMBER_SIZE];

	printf("took");
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
		printf("  %s %s", marks[i].name, out_duration(text, marks[i].ns));
	printf("\n");
}

static const char *method_name(const struct pinger_plan *plan)
{
	return plan->method == PINGER_METHOD_GREET ? "greet" : "ping";
}

static void print_text(const struct out *out, const struct pinger_result *result)
{
	const struct pinger_plan *plan = result->plan;
	char plain[CELL_ERROR_TEXT_MAX];

	printf("%s: %s", plan->cell, method_name(plan));
	if (plan->rate > 0)
		printf(", %g a second", plan->rate);
	printf(", at most %" PRIu32 " at a time, for %.1f s\n", plan->concurrency,
	       seconds(result->elapsed_ns));

	printf("sent %" PRIu64 "  ok %" PRIu64 "  ", result->sent, result->ok);
	out_print(out, failed(result) ? OUT_BAD : OUT_PLAIN, "failed %" PRIu64, failed(result));
	printf("  in flight %" PRIu64 "  %.1f a second\n", result->in_flight, rate_of(result));

	if (result->ok)
		print_latency(result);
	if (result->late)
		printf("late %" PRIu64 "  due while all others were in flight\n", result->late);
	for (size_t i = 0; i < result->n_outcomes; i++)
		printf("%s %" PRIu64 "  %s\n", result->outcomes[i].status,
		       result->outcomes[i].count,
		       out_plain(plain, sizeof plain, result->outcomes[i].text));
}

static json_t *json_of(const struct pinger_result *result)
{
	const struct pinger_plan *plan = result->plan;
	json_t *outcomes = json_array();

	for (size_t i = 0; i < result->n_outcomes; i++) {
		const struct pinger_outcome *outcome = &result->outcomes[i];

		(void)json_array_append_new(
			outcomes, json_pack("{s:s, s:I, s:s}", "status", outcome->status, "count",
					    (json_int_t)outcome->count, "text", outcome->text));
	}
	return json_pack("{s:s, s:s, s:f, s:i, s:b, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:o,"
			 " s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I}}",
			 "cell", plan->cell,
			 "method", method_name(plan),
			 "rate", plan->rate,
			 "concurrency", (int)plan->concurrency,
			 "once", (int)plan->once,
			 "seconds", seconds(result->elapsed_ns),
			 "sent", (json_int_t)result->sent,
			 "ok", (json_int_t)result->ok,
			 "failed", (json_int_t)failed(result),
			 "in_flight", (json_int_t)result->in_flight,
			 "late", (json_int_t)result->late,
			 "per_second", rate_of(result),
			 "outcomes", outcomes,
			 "latency_ns",
			 "min", (json_int_t)result->min_ns,
			 "mean", (json_int_t)result->mean_ns,
			 "p50", (json_int_t)result->p50_ns,
			 "p90", (json_int_t)result->p90_ns,
			 "p99", (json_int_t)result->p99_ns,
			 "p999", (json_int_t)result->p999_ns,
			 "max", (json_int_t)result->max_ns);
}

/* --- the run ------------------------------------------------------------------------- */

static void events_add(int events, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	(void)epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
}

/* Ctrl-C shall end the run, not us: it arrives as one more thing to read. */
static void events_open(struct job *job)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	job->events = epoll_create1(EPOLL_CLOEXEC);
	events_add(job->events, signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

static int start(struct job *job)
{
	int err;

	if (!job->is_from_here)
		return pinger_start(job->call, &job->plan, &job->run);
	err = load_start(&job->here, job->call, 1, &job->plan);
	if (!err)
		events_add(job->events, load_over_fd(job->here));
	return err;
}

static int report(struct job *job, struct pinger_result *ret_result)
{
	if (job->here)
		return load_report(job->here, job->call, ret_result);
	return pinger_report(job->call, &job->run, ret_result);
}

static int stop(struct job *job, struct pinger_result *ret_result)
{
	uint64_t timeout_ms = job->plan.timeout_ms ? job->plan.timeout_ms : 30000;
	struct cell_call *call = cell_within_ms(job->call, timeout_ms + STOP_MS);
	int err;

	if (!job->here)
		return pinger_stop(call, &job->run, ret_result);
	load_stop(job->here);
	err = load_wait(job->here, call);
	return err ? err : load_report(job->here, call, ret_result);
}

/* Until it is over or somebody interrupts. */
static int watch(struct job *job)
{
	uint64_t left_ms = job->plan.duration_ms ? job->plan.duration_ms : UINT64_MAX;
	struct out_progress progress = { .out = &job->command.err };
	int err = CELL_DEADLINE_EXCEEDED;

	while (left_ms > 0 && err == CELL_DEADLINE_EXCEEDED) {
		uint64_t step_ms = left_ms < PROGRESS_MS ? left_ms : PROGRESS_MS;
		struct cell_arena_mark mark = cell_mark(job->call);
		struct pinger_result result;

		err = cell_wait_readable(cell_within_ms(job->call, step_ms), job->events);
		left_ms -= left_ms == UINT64_MAX ? 0 : step_ms;
		if (err == CELL_DEADLINE_EXCEEDED && left_ms > 0 && report(job, &result) == 0)
			out_progress(&progress, "sent %" PRIu64 "  failed %" PRIu64 "  p50 %s",
				     result.sent, failed(&result),
				     out_duration((char[OUT_NUMBER_SIZE]){ 0 }, result.p50_ns));
		cell_rewind(job->call, mark);
	}
	out_progress_end(&progress);
	return err == CELL_DEADLINE_EXCEEDED ? 0 : err;
}

static struct pinger_plan plan_of(const struct options *o, const char *cell)
{
	return (struct pinger_plan){
		.cell = cell,
		.method = strcmp(o->method, "greet") == 0 ? PINGER_METHOD_GREET
							  : PINGER_METHOD_PING,
		.rate = (double)o->rate,
		.concurrency = (uint32_t)o->concurrency,
		.duration_ms = o->duration_ns / NS_PER_MS,
		.size = (uint32_t)o->size,
		.timeout_ms = o->timeout_ns / NS_PER_MS,
		.once = o->once,
	};
}

static int ping(struct job *job, struct pinger_result *ret_result)
{
	int err = start(job);

	if (!err)
		err = watch(job);
	return err ? err : stop(job, ret_result);
}

int main(int argc, char **argv)
{
	struct options o = { .duration_ns = DURATION_NS, .method = "ping" };
	struct job job = { 0 };
	struct pinger_result result = { 0 };
	int err, exit_code;

	if (!command_begin(&job.command, &table, argc, argv, &o))
		return job.command.exit_code;
	job.plan = plan_of(&o, command_arg(&job.command, 0));
	job.is_from_here = o.from_here;
	events_open(&job);
	job.call = command_call(&job.command);

	err = ping(&job, &result);
	if (!err && job.command.is_json)
		err = command_json(&job.command, json_of(&result));
	else if (!err)
		print_text(&job.command.out, &result);
	load_unref(job.here);
	exit_code = command_end(&job.command, err);
	return exit_code ? exit_code : failed(&result) > 0;
}
