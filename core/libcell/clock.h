/*
 * The monotonic clock, in nanoseconds. Each thread may read it; tests may replace it.
 */
#pragma once

#include <stdint.h>

/* Exact. */
uint64_t clock_now_ns(void);

/*
 * Cheap, for deadlines: the kernel's last tick and one more, so that what is due by it is
 * not early, unless the kernel's own ticks come late (a virtual machine that does not get
 * its processor). At most a tick (4 ms at 250 Hz) ahead. A quarter of the exact one's price.
 */
uint64_t clock_coarse_ns(void);
/* How far ahead that may be. */
uint64_t clock_tick_ns(void);

/*
 * For durations within a thread only: the processor's counter where it runs at one rate,
 * checked against clock_now_ns() about once a second; clock_now_ns() elsewhere. Never
 * goes back. A third of its price.
 */
uint64_t clock_fast_ns(void);

/* For tests of one thread: all three say NOW_NS from now on; 0: the real time again. */
void clock_fake(uint64_t now_ns);
