#include "run.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS 1000000ull

int run_plan_check(struct run_plan *plan, struct cell_error *err)
{
	uint32_t size_max = plan->method == RUN_GREET ? RUN_NAME_MAX_BYTES : RUN_PING_MAX_BYTES;

	if (plan->method != RUN_PING && plan->method != RUN_GREET)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "method %d is neither ping nor greet",
				 (int)plan->method);
	/* Written so that NaN fails it, too. */
	if (!(plan->rate >= 0 && plan->rate <= RUN_RATE_MAX))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a rate of %g, limit %g", plan->rate,
				 RUN_RATE_MAX);
	if (plan->concurrency > RUN_CONCURRENCY_MAX)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a concurrency of %u, limit %d",
				 plan->concurrency, RUN_CONCURRENCY_MAX);
	if (plan->duration_ms > RUN_DURATION_MAX_MS)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a duration over a day");
	if (plan->size_bytes > size_max)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a size of %u bytes, limit %u",
				 plan->size_bytes, size_max);

	if (plan->concurrency == 0)
		plan->concurrency = plan->rate > 0 ? RUN_CONCURRENCY_WITH_RATE : 1;
	/* A greeting needs a name. */
	if (plan->method == RUN_GREET && plan->size_bytes == 0)
		plan->size_bytes = 1;
	return 0;
}

void run_start(struct run *run, const struct run_plan *plan, uint64_t now_ns)
{
	memset(run, 0, sizeof *run);
	run->plan = *plan;
	run->started_ns = run->ended_ns = now_ns;
	run->min_ns = UINT64_MAX;
}

static uint64_t end_ns(const struct run *run)
{
	if (run->plan.duration_ms == 0)
		return UINT64_MAX;
	return run->started_ns + run->plan.duration_ms * NS_PER_MS;
}

void run_join(struct run *run)
{
	run->workers++;
}

void run_leave(struct run *run, uint64_t now_ns)
{
	run->workers--;
	run->ended_ns = now_ns;
}

bool run_take(struct run *run, uint64_t now_ns, struct run_ticket *ret_ticket)
{
	uint64_t due_ns = now_ns;

	if (run->plan.rate > 0)
		due_ns = run->started_ns + (uint64_t)((double)run->taken * 1e9 / run->plan.rate);
	if (run->is_stopped || due_ns >= end_ns(run))
		return false;
	run->taken++;
	/* Who takes it in time waits for it; then only the timer can be late. */
	*ret_ticket = (struct run_ticket){ .due_ns = due_ns,
					   .is_late = now_ns > due_ns + NS_PER_MS };
	return true;
}

bool run_sent(struct run *run, const struct run_ticket *ticket, uint64_t now_ns,
	      uint64_t *ret_from_ns)
{
	if (run->is_stopped)
		return false;
	run->sent++;
	run->in_flight++;
	run->late += ticket->is_late;
	*ret_from_ns = ticket->is_late ? ticket->due_ns : now_ns;
	return true;
}

/* Buckets are linear within an octave: below 32 ns each nanosecond has its own. */
static size_t bucket_of(uint64_t ns)
{
	unsigned octave;
	size_t bucket;

	if (ns < RUN_OCTAVE_BUCKETS)
		return (size_t)ns;
	octave = 63u - (unsigned)__builtin_clzll(ns) - 4; /* 32 to 63: 1 */
	bucket = (size_t)octave * RUN_OCTAVE_BUCKETS + ((ns >> (octave - 1)) - RUN_OCTAVE_BUCKETS);
	return bucket < RUN_BUCKETS ? bucket : RUN_BUCKETS - 1;
}

/* The largest value that falls into BUCKET. */
static uint64_t bucket_end_ns(size_t bucket)
{
	size_t octave = bucket / RUN_OCTAVE_BUCKETS;
	uint64_t place = bucket % RUN_OCTAVE_BUCKETS;

	if (octave == 0)
		return place;
	return ((place + RUN_OCTAVE_BUCKETS + 1) << (octave - 1)) - 1;
}

void run_ended(struct run *run, int code, const char *text, uint64_t latency_ns)
{
	uint32_t status = cell_status_to_wire(code);

	run->in_flight--;
	run->outcomes[status]++;
	if (status) {
		(void)snprintf(run->texts[status], sizeof run->texts[status], "%s", text);
		return;
	}
	run->sum_ns += latency_ns;
	if (latency_ns < run->min_ns)
		run->min_ns = latency_ns;
	if (latency_ns > run->max_ns)
		run->max_ns = latency_ns;
	run->latency[bucket_of(latency_ns)]++;
}

void run_stop(struct run *run)
{
	run->is_stopped = true;
}

bool run_is_over(const struct run *run)
{
	return run->workers == 0;
}

uint64_t run_elapsed_ns(const struct run *run, uint64_t now_ns)
{
	return (run_is_over(run) ? run->ended_ns : now_ns) - run->started_ns;
}

uint64_t run_percentile_ns(const struct run *run, double share)
{
	uint64_t ok = run->outcomes[0], seen = 0;
	uint64_t wanted = (uint64_t)((double)ok * share);

	if (ok == 0)
		return 0;
	for (size_t i = 0; i < RUN_BUCKETS; i++) {
		seen += run->latency[i];
		if (seen > wanted || seen == ok) {
			uint64_t ns = bucket_end_ns(i);

			return ns > run->max_ns ? run->max_ns : ns;
		}
	}
	return run->max_ns;
}

uint64_t run_mean_ns(const struct run *run)
{
	return run->outcomes[0] ? run->sum_ns / run->outcomes[0] : 0;
}
