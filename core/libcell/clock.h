/*
 * The monotonic clock, in nanoseconds.
 */
#pragma once

#include <stdint.h>

/* Exact. About 20 ns. */
uint64_t clock_now_ns(void);

/*
 * Cheap, for deadlines: at least the time that has passed, and at most one tick of the
 * kernel (4 ms at 250 Hz) more, so that what is due by it is never early.
 */
uint64_t clock_coarse_ns(void);

/* For durations only: the processor's counter where the kernel itself trusts it. */
uint64_t clock_fast_ns(void);
