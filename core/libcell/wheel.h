/*
 * Timers for call deadlines: arming and disarming is O(1), as nearly all are disarmed
 * long before they are due.
 *
 * A hashed wheel (Varghese and Lauck 1987, scheme 6): a slot a millisecond, timers of
 * later rounds stay in their slot until theirs comes. Pure; nothing allocates.
 */
#pragma once

#include "list.h"

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_SLOTS 512u
#define WHEEL_TICK_NS 1000000u

struct wheel_timer {
	struct list node;
	uint64_t expires_ns;
	void (*on_due)(struct wheel_timer *timer); /* for the owner; not called by the wheel */
};

struct wheel {
	struct list slots[WHEEL_SLOTS];
	uint64_t tick;       /* the last one advanced through */
	uint64_t nearest_ns; /* no timer expires before; UINT64_MAX: none is armed */
	unsigned n_armed;
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

/*
 * Disarm and hand to ON_DUE every timer that is due at NOW_NS. It may arm and disarm any
 * timer, and free the one it got.
 */
void wheel_advance(struct wheel *wheel, uint64_t now_ns, void (*on_due)(struct wheel_timer *));

/*
 * When to advance next: not later than the first timer's time, and exactly that after an
 * advance. False if no timer is armed.
 */
bool wheel_next(struct wheel *wheel, uint64_t *ret_ns);
