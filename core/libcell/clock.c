#include "clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_coarse_ns(void)
{
	static uint64_t tick_ns; /* the same whoever writes it */
	uint64_t tick = __atomic_load_n(&tick_ns, __ATOMIC_RELAXED);

	if (!tick) {
		struct timespec resolution;

		(void)clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
		tick = (uint64_t)resolution.tv_sec * 1000000000u + (uint64_t)resolution.tv_nsec;
		__atomic_store_n(&tick_ns, tick, __ATOMIC_RELAXED);
	}
	return read_clock(CLOCK_MONOTONIC_COARSE) + tick;
}

uint64_t clock_fast_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}
