/* The bank: what only looks; and a second service of the same program. */
#include "bank.h"

/* The audit keeps nothing, so it needs no struct. */
[[cell::service("audit")]];

/* Every account with something in it, or with enough. */
[[cell::handler(idempotent = true)]]
static int list(struct cell_call *call, struct bank *bank, const struct filter *in,
		struct receipt_sink *out)
{
	int err = 0;

	(void)call;
	for (int i = 1; !err && i < 9; i++)
		if (in->has_min_balance ? bank->balances[i] >= in->min_balance : bank->balances[i] != 0)
			err = receipt_send(out, &(struct receipt){ .balance = bank->balances[i] });
	return err;
}

/* The same profile, seen by the bank. */
[[cell::handler, validate::checked]]
static int file(struct cell_call *call, struct bank *bank, const struct profile *in,
		struct profile *out)
{
	(void)call;
	(void)bank;
	*out = *in;
	return 0;
}

/* Nothing goes in. */
[[cell::handler(name = "time")]]
static int hours(struct cell_call *call, struct receipt *out)
{
	(void)call;
	out->owner = "nine to five";
	return 0;
}

/* Nothing comes out. */
[[cell::handler]]
static int note(struct cell_call *call, const struct receipt *in)
{
	return in->balance < 0 ? cell_refuse(call, CELL_OUT_OF_RANGE, "a debt") : 0;
}
