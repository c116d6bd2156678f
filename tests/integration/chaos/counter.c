/* Counts in the state of a service and in a row, and moves money between rows. */
#include "chaos.h"

struct [[cell::service("counter"), db::persist]] counter {
	uint64_t n;
	uint64_t moves;
};

[[cell::handler]]
static int add(struct cell_call *call, struct counter *counter, const struct step *in, struct total *out)
{
	(void)call;
	counter->n += in->by;
	out->n = counter->n;
	return 0;
}

[[cell::handler, db::atomic]]
static int bump(struct cell_call *call, struct counter *counter, const struct step *in, struct total *out)
{
	struct tally tally = { .id = 1 };
	int err = tally_get(call, 1, &tally);

	(void)counter;
	if (err && err != CELL_NOT_FOUND)
		return err;
	tally.n += in->by;
	out->n = tally.n;
	return tally_put(call, &tally);
}

[[cell::handler, db::atomic]]
static int move(struct cell_call *call, struct counter *counter, const struct transfer *in, struct moved *out)
{
	struct vault from, to;
	int err = vault_get(call, in->from, &from);

	err = err ? err : vault_get(call, in->to, &to);
	if (err)
		return err;
	counter->moves++;
	out->moves = counter->moves;
	from.money -= in->money;
	to.money += in->money;
	err = vault_put(call, &to);
	if (!err && in->fails)
		return cell_refuse(call, CELL_FAILED_PRECONDITION, "half-way");
	return err ? err : vault_put(call, &from);
}
