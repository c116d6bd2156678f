/* The bank: what changes accounts. */
#include "bank.h"

[[cell::start]]
static int begin(struct cell_call *call, struct bank *bank)
{
	(void)call;
	bank->is_open = true;
	return 0;
}

[[cell::stop]]
static int finish(struct cell_call *call, struct bank *bank)
{
	cell_log(CELL_LOG_INFO, "bank", "closed", "balance=%" PRId64, bank->balances[1]);
	(void)call;
	return 0;
}

/* Put money in. */
[[cell::handler, validate::checked, telemetry::span, telemetry::counter("deposits_total")]]
static int deposit(struct cell_call *call, struct bank *bank, const struct deposit *in,
		   struct receipt *out)
{
	if (!bank->is_open || in->account < 1 || in->account > 8)
		return cell_refuse(call, CELL_NOT_FOUND, "no account %" PRIu64, in->account);
	bank->balances[in->account] += in->amount;
	*out = (struct receipt){ .balance = bank->balances[in->account], .owner = "ada" };
	return 0;
}

/* Put in as much as comes, and say once what is there. */
[[cell::handler]]
static int collect(struct cell_call *call, struct bank *bank, struct deposit_source *in,
		   struct receipt *out)
{
	for (const struct deposit *item; (item = deposit_recv(in)); ) {
		int err = deposit_check(call, item);

		if (err)
			return err;
		bank->balances[item->account % 9] += item->amount;
		out->balance += item->amount;
	}
	return 0;
}

/* A receipt for each deposit, at once. */
[[cell::handler, telemetry::histogram("exchange_seconds")]]
static int exchange(struct cell_call *call, struct bank *bank, struct deposit_source *in,
		    struct receipt_sink *out)
{
	int err = 0;

	(void)call;
	for (const struct deposit *item; !err && (item = deposit_recv(in)); )
		err = receipt_send(out, &(struct receipt){
			.balance = bank->balances[item->account % 9] += item->amount });
	return err;
}
