/*
 * table_reads READS: one row of a table of the celldb that runs in the node, read so often.
 * For counting what a read costs: it prints its own pid.
 */
#include "accounts.h"

#include <cell/cell.h>
#include <macro.cell.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(struct cell_call *call, int err)
{
	if (!err)
		return;
	fprintf(stderr, "table_reads: %s\n", cell_error(call)->text);
	exit(1);
}

/* What database_declare() does, which only tests may call: it asserts. */
static int declare(struct cell_call *call)
{
	static uint8_t body[4096];
	uint8_t digest[32];
	struct macro_declared declared = { .ns = "db", .name = "account", .n_digest = 32,
					   .digest = digest, .body = body };
	const struct macro_provision_request request = { .n_declared = 1, .declared = &declared,
							 .program = "bank" };
	struct macro_provisioned answer = { 0 };
	int r;

	if (table_table_type.bound(&accounts_told[0]) > sizeof body)
		return cell_refuse(call, CELL_INTERNAL, "a table of more than %zu bytes",
				   sizeof body);
	declared.n_body = (size_t)(table_table_type.encode(&accounts_told[0], body) - body);
	(void)crypto_generichash(digest, sizeof digest, body, declared.n_body, NULL, 0);
	for (int i = 7; i >= 0; i--)
		account_table.version = account_table.version << 8 | digest[i];
	r = macro_provider_provision(cell_to(call, "celldb", 0), &request, &answer);
	return r || answer.status == 0 ? r : cell_refuse(call, CELL_INTERNAL, "not provisioned");
}

static void read_once(struct cell_call *call)
{
	struct account account;

	must(call, account_get(call, 7, &account));
	if (strcmp(account.owner, "Ada Lovelace") == 0 && account.balance == 70)
		return;
	fprintf(stderr, "table_reads: another row\n");
	exit(1);
}

int main(int argc, char **argv)
{
	const struct account account = { .id = 7, .owner = "Ada Lovelace", .balance = 70 };
	unsigned long reads = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	struct cell_call *call = cell_open("bank");
	struct cell_arena_mark mark;

	if (reads == 0) {
		fprintf(stderr, "usage: table_reads READS\n");
		return 2;
	}
	must(call, declare(call));
	must(call, account_put(call, &account));
	mark = cell_mark(call);
	for (unsigned long i = 0; i < reads; i++) {
		read_once(call);
		cell_rewind(call, mark);
	}
	printf("%ld\n", (long)getpid());
	return cell_exit(call, 0);
}
