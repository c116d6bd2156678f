#include "clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

#define NS_PER_S 1000000000u

static _Atomic uint64_t fake_ns;

static uint64_t read_clock(clockid_t id)
{
	uint64_t fake = atomic_load_explicit(&fake_ns, memory_order_relaxed);
	struct timespec now;

	if (__builtin_expect(fake != 0, 0))
		return fake;
	(void)clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_tick_ns(void)
{
	static _Atomic uint64_t tick_ns; /* the same whoever writes it */
	uint64_t tick = atomic_load_explicit(&tick_ns, memory_order_relaxed);

	if (atomic_load_explicit(&fake_ns, memory_order_relaxed))
		return 0;
	if (!tick) {
		struct timespec resolution;

		(void)clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
		tick = (uint64_t)resolution.tv_sec * NS_PER_S + (uint64_t)resolution.tv_nsec;
		atomic_store_explicit(&tick_ns, tick, memory_order_relaxed);
	}
	return tick;
}

uint64_t clock_coarse_ns(void)
{
	if (atomic_load_explicit(&fake_ns, memory_order_relaxed))
		return read_clock(CLOCK_MONOTONIC);
	return read_clock(CLOCK_MONOTONIC_COARSE) + clock_tick_ns();
}

#ifndef __x86_64__

uint64_t clock_fast_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_fake(uint64_t now_ns)
{
	atomic_store(&fake_ns, now_ns);
}

#else

/* An anchor is believed for so many cycles: about a second. */
#define ANCHOR_CYCLES (1ull << 31)
/* Two anchors so far apart tell the rate to some parts in a million. */
#define RATE_NS       10000000u
/* Reading the clock and the counter together took longer: something came in between. */
#define PAIR_CYCLES   1000u
#define PAIR_TRIES    8
/* Off by this and a thousandth of the time, the counter is no clock. */
#define DRIFT_NS      20000u

/*
 * A pair of readings of the counter and the clock, and the rate since the one before. A
 * thread has its own, so a counter that another CPU has set differently shows up as a step
 * within the thread, and is given up. Reading /sys for what the kernel thinks of the
 * counter is no option: a sandboxed cell has none.
 */
static _Thread_local __attribute__((tls_model("initial-exec"))) struct {
	uint64_t cycles;
	uint64_t ns;
	uint64_t rate;  /* nanoseconds per cycle, times 2^32; 0 = not known yet */
	uint64_t valid; /* cycles it is good for; 0 = look at the clock */
	bool is_refused;
} anchor;

static bool counter_has_one_rate(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
}

static bool read_pair(uint64_t *ret_cycles, uint64_t *ret_ns)
{
	for (unsigned i = 0; i < PAIR_TRIES; i++) {
		uint64_t before = __builtin_ia32_rdtsc();
		uint64_t ns = read_clock(CLOCK_MONOTONIC);
		uint64_t after = __builtin_ia32_rdtsc();

		if (after - before <= PAIR_CYCLES) {
			*ret_cycles = after;
			*ret_ns = ns;
			return true;
		}
	}
	return false;
}

static __attribute__((noinline)) uint64_t fast_look(void)
{
	uint64_t cycles, ns, said, off;

	if (anchor.is_refused || atomic_load_explicit(&fake_ns, memory_order_relaxed))
		return read_clock(CLOCK_MONOTONIC);
	if (!read_pair(&cycles, &ns)) {
		/* Here reading the counter is what takes so long (emulated, trapped): never again. */
		anchor.is_refused = true;
		return read_clock(CLOCK_MONOTONIC);
	}

	if (!anchor.cycles) {
		anchor.is_refused = !counter_has_one_rate();
		anchor.cycles = cycles;
		anchor.ns = ns;
		return ns;
	}
	if (ns - anchor.ns < RATE_NS && cycles > anchor.cycles && !anchor.valid)
		return ns;

	said = anchor.ns;
	if (anchor.rate && cycles - anchor.cycles < 2 * ANCHOR_CYCLES) {
		said += (cycles - anchor.cycles) * anchor.rate >> 32;
		off = said > ns ? said - ns : ns - said;
		anchor.is_refused = off > DRIFT_NS + (ns - anchor.ns) / 1000;
	}
	if (cycles > anchor.cycles && ns - anchor.ns < UINT32_MAX)
		anchor.rate = ((ns - anchor.ns) << 32) / (cycles - anchor.cycles);
	else if (cycles <= anchor.cycles)
		anchor.is_refused = true;
	/* More than a nanosecond per cycle would overflow, and is no processor of today. */
	if (anchor.rate >> 32)
		anchor.is_refused = true;
	anchor.valid = anchor.is_refused || !anchor.rate ? 0 : ANCHOR_CYCLES;
	anchor.cycles = cycles;
	anchor.ns = said > ns && said - ns < DRIFT_NS ? said : ns;
	return anchor.ns;
}

uint64_t clock_fast_ns(void)
{
	uint64_t passed = __builtin_ia32_rdtsc() - anchor.cycles;

	if (__builtin_expect(passed < anchor.valid, 1))
		return anchor.ns + (passed * anchor.rate >> 32);
	return fast_look();
}

void clock_fake(uint64_t now_ns)
{
	atomic_store(&fake_ns, now_ns);
	anchor.valid = 0;
}

#endif
