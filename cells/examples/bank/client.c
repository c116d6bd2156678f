/* client ACCOUNT AMOUNT [TIMES]: deposits, one after the other. */
#include <cell/cell.h>
#include <stdio.h>
#include <stdlib.h>

[[cell::remote(bank = "bank")]];

int main(int argc, char **argv)
{
	struct cell_call *call = cell_open("teller");
	struct bank_deposit deposit = { .account = argc > 1 ? strtoull(argv[1], NULL, 10) : 0,
					.amount = argc > 2 ? strtoll(argv[2], NULL, 10) : 0 };
	struct cell_arena_mark mark = cell_mark(call);
	struct bank_receipt receipt = { 0 };
	int err = 0;

	for (int times = argc > 3 ? atoi(argv[3]) : 1; !err && times > 0; times--) {
		/* Whoever lost every race may try again: nothing has happened. */
		do {
			cell_rewind(call, mark);
			err = bank_deposit(call, &deposit, &receipt);
		} while (err == CELL_ABORTED);
	}
	if (!err)
		printf("%s has %" PRId64 "\n", receipt.owner, receipt.balance);
	return cell_exit(call, err);
}
