#include "load.h"

#include "greeter.cell.h"
#include "ops.cell.h"
#include "pinger.cell.h"

#include <cell/cell.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull
/* A cell that is not there fails at once: a closed loop must not spin on that. */
#define PAUSE_AFTER_FAILURE_MS 10

struct load {
	struct run run;
	unsigned refs;
	uint64_t number;
	char cell[64];
	struct cell_method method; /* a copy, as `once` takes a flag from it */
	char *filling;             /* what a ping carries, or the name greeted */
	int over_fd;               /* an eventfd: rung by the last worker, never read */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* One call; only its outcome matters. */
static int call_once(const struct load *load, struct cell_call *call)
{
	static struct cell_ref target = CELL_REF(""); /* cell_to() says which */
	const struct run_plan *plan = &load->run.plan;

	if (plan->timeout_ms)
		call = cell_within_ms(call, plan->timeout_ms);
	call = cell_to(call, load->cell, 0);

	if (plan->method == RUN_GREET) {
		struct greeter_hello hello = { .name = load->filling };
		struct greeter_greeting greeting;

		return cell_invoke(call, &target, &load->method, &hello, &greeting);
	} else {
		struct ops_ping_message ping = { .n_data = plan->size_bytes,
						 .data = (const uint8_t *)load->filling };
		struct ops_ping_message pong;

		return cell_invoke(call, &target, &load->method, &ping, &pong);
	}
}

/* Sleep until DUE_NS. cell_sleep_ms() counts milliseconds; thousands of calls want it finer. */
static int sleep_until(struct cell_call *call, int timer, uint64_t due_ns)
{
	struct itimerspec due = { .it_value = { .tv_sec = (time_t)(due_ns / NS_PER_S),
						.tv_nsec = (long)(due_ns % NS_PER_S) } };
	uint64_t times;
	int err;

	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &due, NULL) < 0)
		return -errno;
	err = cell_wait_readable(call, timer);
	(void)!read(timer, &times, sizeof times);
	return err;
}

static void work(struct load *load, struct cell_call *call, int timer)
{
	struct run *run = &load->run;
	struct run_ticket ticket;

	while (run_take(run, now_ns(), &ticket)) {
		struct cell_arena_mark mark = cell_mark(call);
		uint64_t from_ns;
		int err = 0;

		if (ticket.due_ns > now_ns())
			err = sleep_until(call, timer, ticket.due_ns);
		if (err || !run_sent(run, &ticket, now_ns(), &from_ns))
			break;
		err = call_once(load, call);
		run_ended(run, err, cell_error(call)->text, now_ns() - from_ns);
		cell_rewind(call, mark);
		if (err && run->plan.rate <= 0 && cell_sleep_ms(call, PAUSE_AFTER_FAILURE_MS) < 0)
			break;
	}
}

static void worker(struct cell_call *call, void *userdata)
{
	struct load *load = userdata;
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (timer < 0)
		cell_log(CELL_LOG_ERR, "pinger", "no_timer", "reason=\"%s\"", strerror(errno));
	else
		work(load, call, timer);
	if (timer >= 0)
		(void)close(timer);
	run_leave(&load->run, now_ns());
	if (run_is_over(&load->run))
		(void)eventfd_write(load->over_fd, 1);
	load_unref(load);
}

static const struct cell_method *method_find(const struct cell_service *service, const char *name)
{
	for (size_t i = 0; i < service->n_methods; i++)
		if (strcmp(service->methods[i].name, name) == 0)
			return &service->methods[i];
	cell_assert(false); /* the contracts have it */
	return NULL;
}

static int load_new(struct load **ret_load, struct cell_call *call, const struct pinger_plan *plan,
		    const struct run_plan *run_plan)
{
	const struct cell_method *method = run_plan->method == RUN_GREET
						   ? method_find(&greeter_service, "Greet")
						   : method_find(&ops_service, "Ping");
	struct load *load = calloc(1, sizeof *load);

	if (!load)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a run");
	load->refs = 1;
	load->method = *method;
	if (plan->once)
		load->method.flags &= ~(uint32_t)CELL_METHOD_IDEMPOTENT;
	(void)snprintf(load->cell, sizeof load->cell, "%s", plan->cell);
	load->filling = malloc(run_plan->size_bytes + 1);
	load->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!load->filling || load->over_fd < 0) {
		load_unref(load);
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a run");
	}
	memset(load->filling, 'x', run_plan->size_bytes);
	load->filling[run_plan->size_bytes] = '\0';
	run_start(&load->run, run_plan, now_ns());
	*ret_load = load;
	return 0;
}

int load_start(struct load **ret_load, struct cell_call *call, uint64_t number,
	       const struct pinger_plan *plan)
{
	struct run_plan run_plan = {
		.method = (enum run_method)plan->method, .rate = plan->rate,
		.concurrency = plan->concurrency, .duration_ms = plan->duration_ms,
		.size_bytes = plan->size, .timeout_ms = plan->timeout_ms, .once = plan->once,
	};
	struct load *load = NULL;
	int err;

	if (!*plan->cell || strlen(plan->cell) >= sizeof load->cell)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "'%s' is no cell name", plan->cell);
	err = run_plan_check(&run_plan, cell_error_slot(call));
	if (!err)
		err = load_new(&load, call, plan, &run_plan);
	if (err)
		return err;

	load->number = number;
	for (uint32_t i = 0; !err && i < run_plan.concurrency; i++) {
		err = cell_spawn_task(call, worker, load);
		if (err)
			break;
		run_join(&load->run);
		load->refs++;
	}
	if (err) {
		load_stop(load);
		load_unref(load);
		return err;
	}
	*ret_load = load;
	return 0;
}

struct load *load_ref(struct load *load)
{
	load->refs++;
	return load;
}

void load_unref(struct load *load)
{
	if (!load || --load->refs > 0)
		return;
	if (load->over_fd >= 0)
		(void)close(load->over_fd);
	free(load->filling);
	free(load);
}

void load_stop(struct load *load)
{
	run_stop(&load->run);
}

int load_wait(struct load *load, struct cell_call *call)
{
	return load_is_over(load) ? 0 : cell_wait_readable(call, load->over_fd);
}

int load_over_fd(const struct load *load)
{
	return load->over_fd;
}

uint64_t load_number(const struct load *load)
{
	return load->number;
}

bool load_is_over(const struct load *load)
{
	return run_is_over(&load->run);
}

static int by_count(const void *a, const void *b)
{
	const struct pinger_outcome *left = a, *right = b;

	return (left->count < right->count) - (left->count > right->count);
}

static int report_outcomes(const struct run *run, struct cell_call *call,
			   struct pinger_result *result)
{
	struct pinger_outcome *outcomes =
		cell_arena_calloc(cell_arena(call), RUN_STATUSES, sizeof *outcomes);
	size_t n = 0;

	if (!outcomes)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a report");
	for (uint32_t i = 1; i < RUN_STATUSES; i++) {
		if (run->outcomes[i] == 0)
			continue;
		outcomes[n++] = (struct pinger_outcome){
			.status = cell_status_name(cell_status_from_wire(i)),
			.code = i,
			.count = run->outcomes[i],
			/* A copy: the text may change while the report waits to be sent. */
			.text = cell_arena_strdup(cell_arena(call), run->texts[i]),
		};
	}
	qsort(outcomes, n, sizeof *outcomes, by_count);
	result->n_outcomes = n;
	result->outcomes = outcomes;
	return 0;
}

int load_report(const struct load *load, struct cell_call *call, struct pinger_result *ret_result)
{
	const struct run *run = &load->run;
	const struct run_plan *plan = &run->plan;
	struct pinger_plan *shown = cell_arena_calloc(cell_arena(call), 1, sizeof *shown);

	if (!shown)
		return cell_refuse(call, CELL_RESOURCE_EXHAUSTED, "no memory for a report");
	*shown = (struct pinger_plan){
		.cell = load->cell, .method = (enum pinger_method)plan->method, .rate = plan->rate,
		.concurrency = plan->concurrency, .duration_ms = plan->duration_ms,
		.size = plan->size_bytes, .timeout_ms = plan->timeout_ms, .once = plan->once,
	};
	*ret_result = (struct pinger_result){
		.number = load->number,
		.plan = shown,
		.running = !run_is_over(run),
		.elapsed_ns = run_elapsed_ns(run, now_ns()),
		.sent = run->sent,
		.ok = run->outcomes[0],
		.in_flight = run->in_flight,
		.late = run->late,
		.min_ns = run->outcomes[0] ? run->min_ns : 0,
		.mean_ns = run_mean_ns(run),
		.p50_ns = run_percentile_ns(run, 0.5),
		.p90_ns = run_percentile_ns(run, 0.9),
		.p99_ns = run_percentile_ns(run, 0.99),
		.p999_ns = run_percentile_ns(run, 0.999),
		.max_ns = run->max_ns,
	};
	return report_outcomes(run, call, ret_result);
}
