#include "wake.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define SPIN_MIN_NS 2000u
/*
 * Twice what it takes to wake a sleeper on another CPU of a virtual machine (24 to 35 us
 * where 25 us were not enough: two sleepers always found each other asleep).
 */
#define SPIN_MAX_NS    60000u
#define SPIN_ALWAYS_NS 50000000u
/* Before anything is known: worth a try. */
#define FIRST_AVERAGE_NS 5000u
/* One long pause says nothing about the next wait; so a burst is noticed within a dozen. */
#define WAITED_MAX_NS   (4 * SPIN_MAX_NS)
#define MISSES_MAX      3
#define SKIP_MIN        16u
#define SKIP_MAX        4096u
#define PROBE_EVERY     256u
#define NUDGE_AFTER     1024u
#define NUDGE_AFTER_MAX (1024u << 10)
#define JUDGE_AFTER     2048u
/* The peer copies a ring's worth in 5 to 20 us; who has had the CPU for longer is another. */
#define YIELD_QUICK_NS  200000u
#define YIELD_SKIP_MIN  256u
#define YIELD_SKIP_MAX  16384u
#define YIELDS_QUICK    256u

void wake_init(struct wake *wake, enum wake_mode mode)
{
	*wake = (struct wake){
		.mode = mode,
		.average_ns = FIRST_AVERAGE_NS,
		.nudge_after = NUDGE_AFTER,
	};
}

void wake_init_bulk(struct wake *wake, enum wake_mode mode)
{
	wake_init(wake, mode);
	wake->is_bulk = true;
}

/* An eighth of each new wait; and the verdict on the last nudge, when it is due. */
static void average_in(struct wake *wake, uint64_t waited_ns)
{
	uint32_t ns = waited_ns < WAITED_MAX_NS ? (uint32_t)waited_ns : WAITED_MAX_NS;

	wake->average_ns = wake->average_ns - wake->average_ns / 8 + ns / 8;
	if (wake->judge_in && --wake->judge_in == 0) {
		bool helped = wake->average_ns < wake->before_ns - wake->before_ns / 5;

		wake->nudge_after = helped ? NUDGE_AFTER
				    : wake->nudge_after < NUDGE_AFTER_MAX
					    ? wake->nudge_after * 4
					    : NUDGE_AFTER_MAX;
	}
}

uint64_t wake_spin_ns(struct wake *wake, uint32_t own_cpu, uint32_t peer_cpu)
{
	uint32_t ns;

	if (wake->mode == WAKE_MODE_SLEEP)
		return 0;
	if (wake->mode == WAKE_MODE_SPIN)
		return SPIN_ALWAYS_NS;
	wake->is_on_one_cpu = peer_cpu == own_cpu;
	if (wake->is_on_one_cpu)
		return 0;
	wake->quick = 0;
	if (wake->skip_left) {
		wake->skip_left--;
		return 0;
	}
	if (wake->is_bulk)
		return SPIN_MAX_NS;
	if (wake->average_ns > SPIN_MAX_NS)
		return ++wake->probes % PROBE_EVERY == 0 ? SPIN_MAX_NS : 0;
	ns = wake->average_ns * 2;
	return ns < SPIN_MIN_NS ? SPIN_MIN_NS : ns > SPIN_MAX_NS ? SPIN_MAX_NS : ns;
}

void wake_hit(struct wake *wake, uint64_t waited_ns)
{
	wake->misses = wake->skip = 0;
	average_in(wake, waited_ns);
}

void wake_miss(struct wake *wake)
{
	if (++wake->misses < MISSES_MAX)
		return;
	wake->skip = wake->skip == 0         ? SKIP_MIN
		     : wake->skip < SKIP_MAX ? wake->skip * 2
					     : SKIP_MAX;
	wake->skip_left = wake->skip;
}

void wake_slept(struct wake *wake, uint64_t waited_ns)
{
	average_in(wake, waited_ns);
	if (wake->is_on_one_cpu && waited_ns < SPIN_MAX_NS)
		wake->quick++;
	else
		wake->quick = 0;
}

bool wake_should_yield(struct wake *wake)
{
	if (!wake->is_bulk || !wake->is_on_one_cpu || wake->mode != WAKE_MODE_ADAPTIVE)
		return false;
	if (wake->yield_skip_left) {
		wake->yield_skip_left--;
		return false;
	}
	return true;
}

void wake_yielded(struct wake *wake, bool is_ready, uint64_t took_ns)
{
	if (took_ns > YIELD_QUICK_NS) {
		wake->yield_skip = wake->yield_skip == 0                  ? YIELD_SKIP_MIN
				   : wake->yield_skip < YIELD_SKIP_MAX / 4 ? wake->yield_skip * 4
									  : YIELD_SKIP_MAX;
		wake->yield_skip_left = wake->yield_skip;
		wake->yields_quick = 0;
		return;
	}
	if (!is_ready)
		return;
	if (++wake->yields_quick >= YIELDS_QUICK)
		wake->yield_skip = 0;
	wake_slept(wake, took_ns); /* as good as asleep: a CPU of its own may be better */
}

bool wake_should_nudge(struct wake *wake)
{
	/* Not before the last one is judged: else none ever would be. */
	if (wake->quick < wake->nudge_after || wake->judge_in ||
	    wake->mode != WAKE_MODE_ADAPTIVE)
		return false;
	wake->quick = 0;
	wake->judge_in = JUDGE_AFTER;
	wake->before_ns = wake->average_ns;
	return true;
}

uint32_t wake_own_cpu(void)
{
	int cpu = sched_getcpu(); /* glibc reads it from the thread's rseq area */

	return cpu < 0 ? WAKE_CPU_UNKNOWN : (uint32_t)cpu;
}

void wake_nudge(void)
{
	const char *wanted = getenv("CELL_NUDGE");
	cpu_set_t mask, others;
	int cpu = sched_getcpu();

	if ((wanted && strcmp(wanted, "0") == 0) || cpu < 0 ||
	    sched_getaffinity(0, sizeof mask, &mask) < 0 || CPU_COUNT(&mask) < 2)
		return;
	others = mask;
	CPU_CLR(cpu, &others);
	if (sched_setaffinity(0, sizeof others, &others) == 0)
		(void)sched_setaffinity(0, sizeof mask, &mask);
}
