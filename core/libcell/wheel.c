#include "wheel.h"

static struct wheel_timer *entry(struct list *node)
{
	return list_entry(node, struct wheel_timer, node);
}

/* The tick at whose end a timer is due: rounded up, so that it never fires early. */
static uint64_t tick_of(uint64_t ns)
{
	return ns / WHEEL_TICK_NS + (ns % WHEEL_TICK_NS != 0);
}

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		list_init(&wheel->slots[i]);
	wheel->tick = now_ns / WHEEL_TICK_NS;
	wheel->nearest_ns = UINT64_MAX;
	wheel->n_armed = 0;
}

void wheel_arm(struct wheel *wheel, struct wheel_timer *timer, uint64_t expires_ns)
{
	uint64_t tick = tick_of(expires_ns);

	wheel_disarm(wheel, timer);
	if (tick <= wheel->tick)
		tick = wheel->tick + 1; /* overdue: with the next tick */
	timer->expires_ns = expires_ns;
	list_append(&wheel->slots[tick % WHEEL_SLOTS], &timer->node);
	wheel->n_armed++;
	if (tick * WHEEL_TICK_NS < wheel->nearest_ns)
		wheel->nearest_ns = tick * WHEEL_TICK_NS;
}

void wheel_disarm(struct wheel *wheel, struct wheel_timer *timer)
{
	if (!wheel_timer_is_armed(timer))
		return;
	list_unlink(&timer->node);
	if (--wheel->n_armed == 0)
		wheel->nearest_ns = UINT64_MAX;
}

/* Hand out what of one slot is due; the callback may change the slot, so begin again each time. */
static void fire_slot(struct wheel *wheel, struct list *slot, uint64_t now_ns,
		      void (*on_due)(struct wheel_timer *))
{
	struct list *at = slot->next;

	while (at != slot) {
		struct wheel_timer *timer = entry(at);

		if (timer->expires_ns > now_ns) {
			at = at->next;
			continue;
		}
		wheel_disarm(wheel, timer);
		on_due(timer);
		at = slot->next;
	}
}

static void find_nearest(struct wheel *wheel)
{
	uint64_t nearest = UINT64_MAX;

	for (unsigned i = 0; wheel->n_armed && i < WHEEL_SLOTS; i++) {
		struct list *slot = &wheel->slots[i];

		for (struct list *at = slot->next; at != slot; at = at->next)
			if (tick_of(entry(at)->expires_ns) < nearest)
				nearest = tick_of(entry(at)->expires_ns);
	}
	wheel->nearest_ns = nearest == UINT64_MAX ? UINT64_MAX : nearest * WHEEL_TICK_NS;
}

void wheel_advance(struct wheel *wheel, uint64_t now_ns, void (*on_due)(struct wheel_timer *))
{
	uint64_t until = now_ns / WHEEL_TICK_NS;
	uint64_t first = wheel->tick + 1;

	if (until < first)
		return;
	/* A slot needs one look, however many rounds have passed. */
	if (until - first >= WHEEL_SLOTS)
		first = until - WHEEL_SLOTS + 1;
	wheel->tick = until;
	for (uint64_t tick = first; tick <= until; tick++)
		fire_slot(wheel, &wheel->slots[tick % WHEEL_SLOTS], now_ns, on_due);
	find_nearest(wheel);
}

bool wheel_next(struct wheel *wheel, uint64_t *ret_ns)
{
	if (!wheel->n_armed)
		return false;
	*ret_ns = wheel->nearest_ns;
	return true;
}
