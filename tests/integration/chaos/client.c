/*
 * client count FILE TIMES END: until so many increments of each kind are acknowledged, and
 * the file END is there. FILE has, of the state and of the row, the last value acknowledged
 * and the last that may have been sent; every answer has to lie between them. client check
 * FILE: whether what is there lies between them, too. client open: fill the vaults. client
 * move SEED TIMES [kills]: move money about; a third of it fails half-way. client watch FILE
 * [kills]: read all vaults, in both ways, until FILE is there. With kills: calls may be lost.
 * client fill FROM MOST: store things from number FROM on until one is refused; says how many
 *   there are then, and why.
 * client held N: whether things 1 to N are there, each as it was stored. What is said to be
 *   damaged is counted.
 * client drop FROM N: delete these things.
 */
#include "chaos.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

[[cell::remote(counter = "counter")]];

/* What may be said to who loses his database: it happened, or it did not. */
static bool may_happen(int err)
{
	return err == CELL_UNAVAILABLE || err == CELL_ABORTED ||
	       err == CELL_DEADLINE_EXCEEDED;
}

struct bounds {
	uint64_t low, high;
};

static struct bounds of_state, of_row;

static void bounds_load(const char *path)
{
	unsigned long long n[4] = { 0 };
	FILE *file = fopen(path, "re");

	if (file && fscanf(file, "%llu %llu %llu %llu", &n[0], &n[1], &n[2], &n[3]) == 4) {
		of_state = (struct bounds){ n[0], n[1] };
		of_row = (struct bounds){ n[2], n[3] };
	}
	if (file)
		fclose(file);
}

static void bounds_store(int fd)
{
	char line[128];
	int n = snprintf(line, sizeof line,
			 "%020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRIu64 "\n",
			 of_state.low, of_state.high, of_row.low, of_row.high);

	if (pwrite(fd, line, (size_t)n, 0) != n)
		exit(90);
}

/* One increment answered with ERR and N. */
static void judge(struct cell_call *call, const char *what, struct bounds *bounds, int err,
		  uint64_t n)
{
	if (err && !may_happen(err)) {
		fprintf(stderr, "%s: %d, %s\n", what, err, cell_error(call)->text);
		exit(91);
	}
	if (err)
		return;
	if (n <= bounds->low || n > bounds->high) {
		fprintf(stderr,
			"%s is %" PRIu64 ", acknowledged %" PRIu64 ", sent %" PRIu64 "\n",
			what, n, bounds->low, bounds->high);
		exit(92);
	}
	/* What was in doubt before that is in it, or was refused for what it had read. */
	*bounds = (struct bounds){ n, n };
}

static int count(struct cell_call *call, const char *path, uint64_t times, const char *end)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644), err;
	uint64_t done[2] = { 0 }, failed = 0;
	struct counter_total total;

	if (fd < 0)
		return cell_refuse(call, -errno, "opening %s", path);
	bounds_load(path);
	while (done[0] < times || done[1] < times || access(end, F_OK) != 0) {
		struct cell_arena_mark mark = cell_mark(call);

		of_state.high++;
		bounds_store(fd);
		err = counter_add(cell_within_ms(call, 5000),
				  &(struct counter_step){ .by = 1 }, &total);
		judge(call, "state", &of_state, err, total.n);
		done[0] += err == 0;
		failed += err != 0;
		of_row.high++;
		bounds_store(fd);
		err = counter_bump(cell_within_ms(call, 5000),
				   &(struct counter_step){ .by = 1 }, &total);
		judge(call, "row", &of_row, err, total.n);
		done[1] += err == 0;
		failed += err != 0;
		bounds_store(fd);
		/* Nobody there yet: no need to ask in a hurry. */
		if (err)
			(void)cell_sleep_ms(call, 5);
		cell_rewind(call, mark);
	}
	printf("%" PRIu64 " %" PRIu64 " acknowledged, %" PRIu64 " failed\n", done[0], done[1],
	       failed);
	return 0;
}

static int check(struct cell_call *call, const char *path)
{
	struct counter_total total;
	struct tally tally = { .n = 0 };
	int err = counter_add(call, &(struct counter_step){ .by = 0 }, &total);

	bounds_load(path);
	if (!err && (total.n < of_state.low || total.n > of_state.high))
		err = cell_refuse(call, CELL_DATA_LOSS,
				  "state is %" PRIu64 ", acknowledged %" PRIu64
				  ", sent %" PRIu64,
				  total.n, of_state.low, of_state.high);
	err = err ? err : tally_get(call, 1, &tally);
	if (!err && (tally.n < of_row.low || tally.n > of_row.high))
		err = cell_refuse(call, CELL_DATA_LOSS,
				  "row is %" PRIu64 ", acknowledged %" PRIu64
				  ", sent %" PRIu64,
				  tally.n, of_row.low, of_row.high);
	if (!err)
		printf("%" PRIu64 " %" PRIu64 "\n", total.n, tally.n);
	return err;
}

/* ---- vaults ---------------------------------------------------------------------- */

static int open_vaults(struct cell_call *call)
{
	int err = 0;

	for (int32_t i = 0; !err && i < VAULTS; i++)
		err = vault_put(call, &(struct vault){ .id = i, .money = VAULT_MONEY });
	return err;
}

static bool has_kills;

/* Lost on a row that all want; and where somebody is killed, lost with him. */
static bool is_lost(int err)
{
	return err == CELL_ABORTED || (has_kills && may_happen(err));
}

static int move_about(struct cell_call *call, unsigned seed, unsigned times)
{
	unsigned moved = 0, failed = 0, lost = 0, poor = 0;

	for (unsigned i = 0; i < times; i++) {
		struct cell_arena_mark mark = cell_mark(call);
		struct counter_transfer in = { .fails = i % 3 == 2 };
		struct counter_moved out;
		int err;

		seed = seed * 1103515245 + 12345;
		in.from = (int32_t)(seed >> 16) % VAULTS & (VAULTS - 1);
		in.to = (in.from + 1 + (int32_t)(seed >> 24 & 3)) % VAULTS;
		in.money = 1 + (seed >> 20 & 31);
		err = counter_move(call, &in, &out);
		moved += err == 0;
		lost += is_lost(err);
		if (err == CELL_FAILED_PRECONDITION &&
		    strstr(cell_error(call)->text, "half-way"))
			failed++;
		else if (err == CELL_FAILED_PRECONDITION)
			poor++;
		else if (err && !is_lost(err))
			return err;
		cell_rewind(call, mark);
	}
	printf("%u %u %u %u\n", moved, failed, poor, lost);
	return 0;
}

/* Row by row, in one transaction: its end says whether they belong together. */
static int sum_rows(struct cell_call *call, void *userdata)
{
	int64_t *sum = userdata;
	int err = 0;

	*sum = 0;
	for (int32_t i = 0; !err && i < VAULTS; i++) {
		struct vault vault;

		err = vault_get(call, i, &vault);
		*sum += err ? 0 : vault.money;
	}
	return err;
}

static int sum_scan(struct cell_call *call, int64_t *sum)
{
	struct vault_cursor all = vault_each(call);

	*sum = 0;
	for (struct vault *v; (v = vault_next(&all));)
		*sum += v->money;
	return vault_end(&all);
}

static int watch(struct cell_call *call, const char *end)
{
	unsigned by_row = 0, by_scan = 0, lost = 0;

	while (access(end, F_OK) != 0 || !by_row || !by_scan) {
		struct cell_arena_mark mark = cell_mark(call);
		int64_t sum;
		int err = cell_atomically(call, sum_rows, &sum);

		by_row += err == 0;
		lost += is_lost(err);
		if (!err && sum != VAULTS * VAULT_MONEY)
			return cell_refuse(call, CELL_DATA_LOSS,
					   "%" PRId64 " in rows read in a transaction", sum);
		if (err && !is_lost(err))
			return err;
		err = sum_scan(call, &sum);
		if (err && (!has_kills || !is_lost(err)))
			return err;
		by_scan += err == 0;
		if (!err && sum != VAULTS * VAULT_MONEY)
			return cell_refuse(call, CELL_DATA_LOSS,
					   "%" PRId64 " in rows scanned", sum);
		cell_rewind(call, mark);
	}
	printf("%u %u %u\n", by_row, by_scan, lost);
	return 0;
}

/* ---- things ---------------------------------------------------------------------- */

#define THING_BYTES 1000

static void thing_fill(uint8_t bytes[THING_BYTES], uint64_t id)
{
	for (size_t i = 0; i < THING_BYTES; i++)
		bytes[i] = (uint8_t)(id * 31 + i * 7);
}

static int fill(struct cell_call *call, uint64_t from, uint64_t most)
{
	static uint8_t bytes[THING_BYTES];
	struct thing thing = { .n_bytes = THING_BYTES, .bytes = bytes };
	int err = 0;

	for (thing.id = from; thing.id < from + most; thing.id++) {
		struct cell_arena_mark mark = cell_mark(call);

		thing_fill(bytes, thing.id);
		err = thing_put(cell_within_ms(call, 10000), &thing);
		if (err)
			break;
		cell_rewind(call, mark);
	}
	printf("%" PRIu64 " %s %s\n", thing.id - 1, cell_status_name(err),
	       err ? cell_error(call)->text : "");
	return 0;
}

static int held(struct cell_call *call, uint64_t n)
{
	static uint8_t bytes[THING_BYTES];
	uint64_t damaged = 0, scanned = 0;
	struct thing_cursor all;
	int err;

	for (uint64_t id = 1; id <= n; id++) {
		struct cell_arena_mark mark = cell_mark(call);
		struct thing thing;

		thing_fill(bytes, id);
		err = thing_get(cell_within_ms(call, 10000), id, &thing);
		if (err && err != CELL_DATA_LOSS)
			return err;
		damaged += err != 0;
		if (!err &&
		    (thing.n_bytes != THING_BYTES || memcmp(thing.bytes, bytes, THING_BYTES)))
			return cell_refuse(call, CELL_DATA_LOSS,
					   "thing %" PRIu64 " is another", id);
		cell_rewind(call, mark);
	}
	all = thing_each(cell_within_ms(call, 10000));
	while (thing_next(&all))
		scanned++;
	err = thing_end(&all);
	if (err && err != CELL_DATA_LOSS)
		return err;
	if (!err && (damaged || scanned < n))
		return cell_refuse(call, CELL_DATA_LOSS,
				   "%" PRIu64 " scanned, %" PRIu64 " stored, %" PRIu64
				   " damaged",
				   scanned, n, damaged);
	printf("%" PRIu64 " damaged\n", damaged);
	return 0;
}

static int drop(struct cell_call *call, uint64_t from, uint64_t n)
{
	int err = 0;

	for (uint64_t id = from; !err && id < from + n; id++)
		err = thing_delete(cell_within_ms(call, 10000), id);
	return err;
}

int main(int argc, char **argv)
{
	struct cell_call *call = cell_open("client");
	const char *what = argc > 1 ? argv[1] : "", *file = argc > 2 ? argv[2] : "";
	unsigned n = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	int err;

	has_kills = !strcmp(argc > 1 ? argv[argc - 1] : "", "kills");
	if (!strcmp(what, "count"))
		err = count(call, file, n, argc > 4 ? argv[4] : "/");
	else if (!strcmp(what, "check"))
		err = check(call, file);
	else if (!strcmp(what, "open"))
		err = open_vaults(call);
	else if (!strcmp(what, "move"))
		err = move_about(call, (unsigned)atoi(file), n);
	else if (!strcmp(what, "watch"))
		err = watch(call, file);
	else if (!strcmp(what, "fill"))
		err = fill(call, (uint64_t)atoi(file), n);
	else if (!strcmp(what, "held"))
		err = held(call, (uint64_t)atoi(file));
	else if (!strcmp(what, "drop"))
		err = drop(call, (uint64_t)atoi(file), n);
	else
		err = cell_refuse(call, CELL_INVALID_ARGUMENT, "'%s' is nothing that it does",
				  what);
	return cell_exit(call, err);
}
