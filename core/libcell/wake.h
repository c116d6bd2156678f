/*
 * How long to poll an empty ring before sleeping (KERNEL.md section 3).
 *
 * Polling pays only while the answer comes soon and the peer has a CPU of its own; on a
 * shared CPU it takes from the peer the very time it waits for. So each side publishes its
 * CPU, remembers how long recent waits were, and backs off after vain attempts. Pure,
 * except wake_own_cpu() and wake_nudge().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum wake_mode {
	WAKE_MODE_ADAPTIVE,
	WAKE_MODE_SLEEP, /* never poll (CELL_WAKE=sleep) */
	WAKE_MODE_SPIN /* poll for long (CELL_WAKE=spin): for measuring, with CPUs to spare */
};

/* A peer that has not said where it runs. */
#define WAKE_CPU_UNKNOWN UINT32_MAX

struct wake {
	enum wake_mode mode;
	uint32_t average_ns; /* of recent waits, slept ones included */
	uint32_t misses;     /* polls in vain since the last hit */
	uint32_t skip;       /* waits to sleep through at once after a miss */
	uint32_t skip_left;
	uint32_t probes;
	bool is_on_one_cpu; /* as of the last decision */
	uint32_t quick;     /* short waits in a row on one CPU */
	uint32_t nudge_after;
	uint32_t judge_in;  /* waits until the last nudge is judged; 0 = judged */
	uint32_t before_ns; /* average before the last nudge */
	bool is_bulk;
	uint32_t yield_skip, yield_skip_left, yields_quick;
};

void wake_init(struct wake *wake, enum wake_mode mode);
/*
 * The same for the waits within a body of many fragments: its next one, or room for it, is
 * a few microseconds away unless the peer sleeps or lost its CPU. So long waits are no
 * reason to stop polling, as two that sleep would each make the other's waits long; only
 * polls in vain are.
 */
void wake_init_bulk(struct wake *wake, enum wake_mode mode);

/* Nanoseconds to poll now, on OWN_CPU with the peer seen on PEER_CPU; 0: sleep at once. */
uint64_t wake_spin_ns(struct wake *wake, uint32_t own_cpu, uint32_t peer_cpu);

/* Something came after WAITED_NS of polling; polling was in vain; it came after a sleep. */
void wake_hit(struct wake *wake, uint64_t waited_ns);
void wake_miss(struct wake *wake);
void wake_slept(struct wake *wake, uint64_t waited_ns);

/*
 * Bulk waits on one CPU: whether to give the CPU up (sched_yield) and look again before
 * sleeping, as the peer is about to run, and needs no wake-up then. Asked once per wait; what
 * it came to is told by wake_yielded(): if a third party had the CPU meanwhile, yielding costs
 * whole time slices, where sleepers are favoured; so the next 256 waits sleep at once, then
 * four times as many, up to 16,384; until 256 yields in a row were quick.
 */
bool wake_should_yield(struct wake *wake);
void wake_yielded(struct wake *wake, bool is_ready, uint64_t took_ns);

/*
 * Whether to try to get away from the peer's CPU: after 1,024 short waits in a row on one
 * CPU. A nudge that did not make waits a fifth shorter makes the next come four times later.
 */
bool wake_should_nudge(struct wake *wake);

/* The CPU this thread runs on, without a system call. */
uint32_t wake_own_cpu(void);

/*
 * Let the kernel move this thread to another CPU of its mask, which is as before when this
 * returns. Does nothing with one CPU, or with CELL_NUDGE=0.
 */
void wake_nudge(void);
