/*
 * Money in two databases. transfer open: 1,000 in each; transfer say: what is in the first,
 * and in both; transfer move N: says "read" when it has read, moves N when a line comes, and
 * says "moved", or "not" or "perhaps" and why.
 */
#include <cell/cell.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct [[db::table]] left {
	[[db::key]] int32_t id;
	[[db::check(amount >= 0)]] int64_t amount;
};

struct [[postgres::table]] right {
	[[postgres::key]] int32_t id;
	[[postgres::check(amount >= 0)]] int64_t amount;
};

static int move(struct cell_call *call, int64_t amount)
{
	struct right right;
	struct left left;
	char line[16];
	int err = left_get(call, 1, &left);

	err = err ? err : right_get(call, 1, &right);
	if (err)
		return err;
	printf("read\n");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		return cell_refuse(call, CELL_CANCELLED, "nobody said go");
	left.amount -= amount;
	right.amount += amount;
	err = left_put(call, &left);
	return err ? err : right_put(call, &right);
}

int main(int argc, char **argv)
{
	struct cell_call *call = cell_open("bank");
	struct right right = { .id = 1, .amount = 1000 };
	struct left left = { .id = 1, .amount = 1000 };
	int err;

	if (argc > 2) {
		err = cell_txn_begin(call);
		err = cell_txn_end(call, err ? err : move(call, atoi(argv[2])));
		printf("%s %s\n", !err ? "moved" : err == CELL_ABORTED ? "not" : "perhaps",
		       err ? cell_error(call)->text : "");
		cell_close(call);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "open")) {
		err = left_put(call, &left);
		err = err ? err : right_put(call, &right);
	} else {
		err = left_get(call, 1, &left);
		err = err ? err : right_get(call, 1, &right);
		if (!err)
			printf("%d %d\n", (int)left.amount, (int)(left.amount + right.amount));
	}
	return cell_exit(call, err);
}
