#include <cell/cell.h>
[[cell::remote(fraud = "fraud")]];                 /* typed client of a running cell */

struct [[db::table]] account {
	[[db::key]]                 uint64_t    id;
	[[db::unique]]              const char *owner;
	[[db::check(balance >= 0)]] int64_t     balance;
};

struct [[cell::message]] deposit { uint64_t account; int64_t amount; };
struct [[cell::message]] receipt { int64_t balance; const char *owner; };
struct [[cell::message]] filter  { bool has_min_balance; int64_t min_balance; };
struct [[cell::message]] entry   { uint64_t account; int64_t balance; };

struct [[cell::service("bank")]] bank { uint64_t listings; };   /* its state, one per instance */

[[cell::handler, auth::require(role = "teller"), telemetry::span, db::atomic]]
static int deposit(struct cell_call *call, const struct deposit *in, struct receipt *out)
{
	struct fraud_verdict verdict;
	struct account account;
	int err;

	if (in->amount <= 0)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "amount %" PRId64 " is not positive", in->amount);
	err = account_get(call, in->account, &account);
	if (err)
		return err;                                /* CELL_NOT_FOUND, "no account with id 9" */
	err = fraud_check(call, &(struct fraud_query){ .owner = account.owner, .amount = in->amount }, &verdict);
	if (err)
		return err;
	if (verdict.suspicious)
		return cell_refuse(call, CELL_FAILED_PRECONDITION, "%s", verdict.reason);
	account.balance += in->amount;
	*out = (struct receipt){ .balance = account.balance, .owner = account.owner };
	return account_put(call, &account);                /* db::atomic commits when we return 0 */
}

[[cell::handler, auth::require(role = "teller")]]
static int list(struct cell_call *call, struct bank *bank, const struct filter *in, struct entry_sink *out)
{
	struct account_cursor all = account_each(call);
	int err = 0;

	bank->listings++;
	for (struct account *a; !err && (a = account_next(&all)); )
		if (!in->has_min_balance || a->balance >= in->min_balance)
			err = entry_send(out, &(struct entry){ .account = a->id, .balance = a->balance });
	return err ? err : account_end(&all);
}
