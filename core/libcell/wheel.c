#include "wheel.h"

/* Timers that wheel_next() looks at for an exact answer. */
#define LOOK_MAX 16

/*
 * A timer is at the level of the highest digit (of 6 bits) in which its tick differs from
 * the wheel's, in the slot of that digit. So digits above are the wheel's own, the slot is
 * ahead of the wheel's digit, and all of a level comes before any of the next.
 */

static unsigned level_of(uint64_t ticks_differ)
{
	return (63 - (unsigned)__builtin_clzll(ticks_differ)) / WHEEL_LEVEL_BITS;
}

static unsigned digit_of(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * WHEEL_LEVEL_BITS)) % WHEEL_SLOTS;
}

/* The tick at whose beginning NS has passed. */
static uint64_t tick_of(uint64_t ns)
{
	return (ns >> WHEEL_TICK_BITS) + (ns % WHEEL_TICK_NS != 0);
}

static struct wheel_timer *timer_of(struct list *node)
{
	return list_entry(node, struct wheel_timer, node);
}

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
	wheel->tick = now_ns >> WHEEL_TICK_BITS;
	wheel->n_armed = 0;
	wheel->soonest_ns = UINT64_MAX;
	list_init(&wheel->overdue);
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		wheel->used[level] = 0;
		for (unsigned i = 0; i < WHEEL_SLOTS; i++)
			list_init(&wheel->slots[level][i]);
	}
}

static void put(struct wheel *wheel, struct wheel_timer *timer)
{
	uint64_t tick = tick_of(timer->expires_ns);
	unsigned level, slot;

	if (tick <= wheel->tick) {
		list_append(&wheel->overdue, &timer->node);
		return;
	}
	level = level_of(tick ^ wheel->tick);
	slot = digit_of(tick, level);
	wheel->used[level] |= UINT64_C(1) << slot;
	list_append(&wheel->slots[level][slot], &timer->node);
}

void wheel_arm(struct wheel *wheel, struct wheel_timer *timer, uint64_t expires_ns)
{
	wheel_disarm(wheel, timer);
	timer->expires_ns = expires_ns;
	if (expires_ns < wheel->soonest_ns)
		wheel->soonest_ns = expires_ns;
	wheel->n_armed++;
	put(wheel, timer);
}

void wheel_disarm(struct wheel *wheel, struct wheel_timer *timer)
{
	const struct list *head = timer->node.next;
	size_t i;

	if (!head)
		return;
	/* The last of its list leaves the head alone: a slot's bit goes with it. */
	i = ((uintptr_t)head - (uintptr_t)wheel->slots) / sizeof *head;
	if (head == timer->node.prev && i < WHEEL_LEVELS * WHEEL_SLOTS)
		wheel->used[i / WHEEL_SLOTS] &= ~(UINT64_C(1) << i % WHEEL_SLOTS);
	list_unlink(&timer->node);
	wheel->n_armed--;
}

/* Move all of FROM to the end of TO. */
static void list_move(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* The next slot in use, and the tick at which it begins. False if all are empty. */
static bool next_slot(const struct wheel *wheel, unsigned *ret_level, unsigned *ret_slot,
		      uint64_t *ret_tick)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned shift = level * WHEEL_LEVEL_BITS, slot;

		if (!wheel->used[level])
			continue;
		slot = (unsigned)__builtin_ctzll(wheel->used[level]);
		*ret_level = level;
		*ret_slot = slot;
		*ret_tick = ((wheel->tick >> shift) & ~(uint64_t)(WHEEL_SLOTS - 1)) + slot;
		*ret_tick <<= shift;
		return true;
	}
	return false;
}

/* Step to TICK, at which SLOT of LEVEL begins, and spread its timers over what is finer. */
static void spread(struct wheel *wheel, unsigned level, unsigned slot, uint64_t tick)
{
	struct list timers;

	list_init(&timers);
	list_move(&timers, &wheel->slots[level][slot]);
	wheel->used[level] &= ~(UINT64_C(1) << slot);
	wheel->tick = tick;
	while (!list_is_empty(&timers)) {
		struct wheel_timer *timer = timer_of(timers.next);

		list_unlink(&timer->node);
		put(wheel, timer);
	}
}

void wheel_advance(struct wheel *wheel, uint64_t now_ns, void (*on_due)(struct wheel_timer *))
{
	uint64_t now = now_ns >> WHEEL_TICK_BITS, tick;
	unsigned level, slot;
	struct list due;

	/* What becomes due at a tick lands among the overdue. */
	while (next_slot(wheel, &level, &slot, &tick) && tick <= now)
		spread(wheel, level, slot, tick);
	if (wheel->tick < now)
		wheel->tick = now;

	list_init(&due);
	list_move(&due, &wheel->overdue);
	while (!list_is_empty(&due)) {
		struct wheel_timer *timer = timer_of(due.next);

		wheel_disarm(wheel, timer);
		on_due(timer);
	}
}

bool wheel_next(const struct wheel *wheel, uint64_t *ret_ns)
{
	uint64_t tick, first = UINT64_MAX;
	const struct list *head;
	unsigned level, slot, n = 0;

	if (!list_is_empty(&wheel->overdue)) {
		*ret_ns = wheel->tick << WHEEL_TICK_BITS;
		return true;
	}
	if (!next_slot(wheel, &level, &slot, &tick))
		return false;

	/* The first timer is in this slot; if it is not crowded we can tell which. */
	head = &wheel->slots[level][slot];
	for (struct list *at = head->next; at != head && level > 0; at = at->next) {
		uint64_t its = tick_of(timer_of(at)->expires_ns);

		if (++n > LOOK_MAX) {
			first = tick;
			break;
		}
		first = its < first ? its : first;
	}
	if (level > 0)
		tick = first;
	/* The end of time: a timer that never fires. */
	*ret_ns = tick >> (64 - WHEEL_TICK_BITS) ? UINT64_MAX : tick << WHEEL_TICK_BITS;
	return true;
}
