/*
 * Timers for call deadlines: arming and disarming is O(1), as nearly all are disarmed
 * long before they are due.
 *
 * A hierarchy of wheels (Varghese and Lauck 1987, scheme 7): 64 slots of a tick, 64 of 64
 * ticks, and so on; timers move to a finer wheel as their time comes near. A bit per slot
 * tells which are in use, so an empty time is stepped over at once. Pure; nothing allocates.
 */
#pragma once

#include "list.h"

#include <stdbool.h>
#include <stdint.h>

/* A tick is 2^20 ns, about a millisecond: what is due fires at the end of its tick. */
#define WHEEL_TICK_BITS 20
#define WHEEL_TICK_NS   (UINT64_C(1) << WHEEL_TICK_BITS)

#define WHEEL_LEVEL_BITS 6
#define WHEEL_SLOTS      (1u << WHEEL_LEVEL_BITS)
/* Enough for every tick of 64 bits of nanoseconds. */
#define WHEEL_LEVELS ((64 - WHEEL_TICK_BITS + WHEEL_LEVEL_BITS - 1) / WHEEL_LEVEL_BITS)

struct wheel_timer {
	struct list node;
	uint64_t expires_ns;
	/* For the owner; the wheel does not call it. */
	void (*on_due)(struct wheel_timer *timer);
};

struct wheel {
	uint64_t tick; /* the last one advanced to */
	unsigned n_armed;
	uint64_t soonest_ns; /* of what was armed since the owner set it to UINT64_MAX */
	struct list overdue; /* armed for a time that was past: next advance */
	uint64_t used[WHEEL_LEVELS];
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* An empty wheel whose time is NOW_NS. */
void wheel_init(struct wheel *wheel, uint64_t now_ns);

/* Fire TIMER once EXPIRES_NS has come (never early). Armed already: moved. */
void wheel_arm(struct wheel *wheel, struct wheel_timer *timer, uint64_t expires_ns);

/* Accepts timers that are not armed, zeroed ones too. */
void wheel_disarm(struct wheel *wheel, struct wheel_timer *timer);

static inline bool wheel_timer_is_armed(const struct wheel_timer *timer)
{
	return timer->node.next != NULL;
}

static inline bool wheel_is_empty(const struct wheel *wheel)
{
	return wheel->n_armed == 0;
}

/*
 * Disarm and hand to ON_DUE every timer that is due at NOW_NS, those of an earlier tick
 * first. It may arm and disarm any timer, and free the one it got; what it arms for a time
 * already past fires with the next advance. A NOW_NS that goes back fires nothing new.
 */
void wheel_advance(struct wheel *wheel, uint64_t now_ns,
		   void (*on_due)(struct wheel_timer *));

/*
 * When to advance next: not later than the first timer fires, and exactly then unless very
 * many are armed for about the same time (an advance then makes it more exact). False if
 * no timer is armed.
 */
bool wheel_next(const struct wheel *wheel, uint64_t *ret_ns);
