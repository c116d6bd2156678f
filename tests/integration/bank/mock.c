/* A test of a caller: the bank's own code is linked in, and no node is needed. */
#include <cell/cell.h>
#include <stdio.h>
#include <string.h>

[[cell::remote(bank = "bank")]];

int main(int argc, char **argv)
{
	struct cell_call *call = cell_open("test");
	struct bank_holder holder = { .name = "ada" };
	struct bank_receipt receipt;
	struct bank_profile profile;
	int err;

	if (argc > 1 && strcmp(argv[1], "file") == 0)
		err = bank_file(call, &(struct bank_profile){ .holder = &holder }, &profile);
	else
		err = bank_deposit(call, &(struct bank_deposit){ .account = 1, .amount = 5 }, &receipt);
	puts(err ? cell_error(call)->text : "answered");
	return cell_exit(call, err);
}
