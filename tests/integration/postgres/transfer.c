/* Money in two databases: moves it from one to the other, or says how much there is. */
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

static int move(struct cell_call *call, void *userdata)
{
	const int64_t *amount = userdata;
	struct right right;
	struct left left;
	int err = left_get(call, 1, &left);

	err = err ? err : right_get(call, 1, &right);
	if (err)
		return err;
	left.amount -= *amount;
	right.amount += *amount;
	err = left_put(call, &left);
	return err ? err : right_put(call, &right);
}

static void moves(struct cell_call *call)
{
	int64_t done = 0;

	for (unsigned n = 0; n < 1000000; n++) {
		struct cell_arena_mark mark = cell_mark(call);
		int64_t amount = n % 3 == 2 ? -3 : 2;
		int err = cell_atomically(cell_within_ms(call, 5000), move, &amount);

		if (!err) {
			printf("%d\n", (int)++done);
			fflush(stdout);
		} else if (err != CELL_UNAVAILABLE && err != CELL_ABORTED && err != CELL_DEADLINE_EXCEEDED) {
			fprintf(stderr, "%s\n", cell_error(call)->text);
		}
		cell_rewind(call, mark);
	}
}

int main(int argc, char **argv)
{
	struct cell_call *call = cell_open("bank");
	struct right right = { .id = 1, .amount = 1000 };
	struct left left = { .id = 1, .amount = 1000 };
	int64_t amount = argc > 2 ? atoi(argv[2]) : 0;
	int err;

	if (argc > 2) {
		err = cell_atomically(call, move, &amount);
	} else if (!strcmp(argv[1], "begin")) {
		err = left_put(call, &left);
		err = err ? err : right_put(call, &right);
	} else if (!strcmp(argv[1], "moves")) {
		moves(call);
		err = 0;
	} else {
		err = left_get(call, 1, &left);
		err = err ? err : right_get(call, 1, &right);
		if (!err)
			printf("%d %d\n", (int)left.amount, (int)(left.amount + right.amount));
	}
	return cell_exit(call, err);
}
