#include "bank.h"
#include <stdio.h>
#include <string.h>

[[cell::remote(bank = "bank")]];

/* No handler, and wrapped. */
[[telemetry::span]]
static int helper(struct cell_call *call, int n)
{
	(void)call;
	puts(__func__);
	return n > 1 ? helper(call, n - 1) : strcmp(__func__, "helper");
}

int main(void)
{
	struct cell_call *call = cell_open("wrapped");
	struct bank_receipt receipt;
	int err = helper(call, 2);

	err = err ? err : bank_deposit(call, &(struct bank_deposit){ .account = 1, .amount = 5 }, &receipt);
	return cell_exit(call, err);
}
