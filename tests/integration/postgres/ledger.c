/* Works on a table in the way its first argument says: see postgres.bats. */
#include <cell/cell.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct [[postgres::table]] ledger {
	[[postgres::key]] const char *city;
	[[postgres::key]] int32_t number;
	[[postgres::index]] int64_t amount;
	bool has_tag;
	[[postgres::unique]] const char *tag;
	[[postgres::check(amount >= 0)]] int64_t checked;
	[[postgres::encrypted]] const char *secret;
};

static int fail(struct cell_call *call, int line)
{
	return cell_refuse(call, CELL_DATA_LOSS, "line %d: %s", line, cell_error(call)->text);
}
#define MUST(condition)                            \
	do                                         \
		if (!(condition))                  \
			return fail(call, __LINE__); \
	while (0)

static struct ledger row(const char *city, int32_t number, int64_t amount)
{
	return (struct ledger){ .city = city, .number = number, .amount = amount, .secret = "hush" };
}

/* What a cursor gives, as "Bern1 Bern2 ". */
static int said(struct cell_call *call, struct ledger_cursor cursor, char *text)
{
	*text = '\0';
	for (struct ledger *l; (l = ledger_next(&cursor));)
		(void)sprintf(text + strlen(text), "%s%d ", l->city, l->number);
	(void)call;
	return ledger_end(&cursor);
}

static int scans(struct cell_call *call)
{
	static const char *const cities[] = { "Bern", "Z\xc3\xbcrich", "Aarau", "Bern", "Bernau" };
	struct ledger l, got;
	char text[200];
	uint64_t n;

	for (int i = 0; i < 5; i++) {
		l = row(cities[i], i, 10 * (5 - i));
		l.has_tag = i == 2;
		l.tag = "only";
		MUST(ledger_insert(call, &l) == 0);
	}
	MUST(said(call, ledger_each(call), text) == 0);
	MUST(!strcmp(text, "Aarau2 Bern0 Bern3 Bernau4 Z\xc3\xbcrich1 "));
	MUST(said(call, ledger_each_back(call), text) == 0);
	MUST(!strcmp(text, "Z\xc3\xbcrich1 Bernau4 Bern3 Bern0 Aarau2 "));
	MUST(said(call, ledger_each_from(call, "Bern", 1), text) == 0);
	MUST(!strcmp(text, "Bern3 Bernau4 Z\xc3\xbcrich1 "));
	MUST(said(call, ledger_by_amount_between(call, 20, 40), text) == 0);
	MUST(!strcmp(text, "Bern3 Aarau2 Z\xc3\xbcrich1 "));
	MUST(ledger_by_tag(call, "only", &got) == 0 && !strcmp(got.city, "Aarau") && !strcmp(got.secret, "hush"));
	MUST(ledger_count(call, &n) == 0 && n == 5);
	l = row("Bern", 0, 7);
	l.has_tag = true;
	l.tag = "only";
	MUST(ledger_put(call, &l) == CELL_ALREADY_EXISTS);
	l.has_tag = false;
	l.amount = -1;
	MUST(ledger_put(call, &l) == CELL_FAILED_PRECONDITION && strstr(cell_error(call)->text, "amount >= 0"));
	l.amount = 7;
	MUST(ledger_update(call, &l) == 0);
	l.number = 99;
	MUST(ledger_update(call, &l) == CELL_NOT_FOUND);
	MUST(ledger_delete(call, "Bern", 99) == CELL_NOT_FOUND);
	MUST(ledger_delete(call, "Bern", 0) == 0);
	MUST(ledger_get(call, "Bern", 0, &got) == CELL_NOT_FOUND);
	printf("%s\n", cell_error(call)->text);
	return 0;
}

/* Read before a change of somebody else: neither is lost. */
static int races(struct cell_call *call)
{
	struct cell_call *other = cell_open("bank");
	struct ledger mine, yours, l = row("Chur", 1, 5);
	char text[200];

	MUST(ledger_put(call, &l) == 0);
	MUST(ledger_get(call, "Chur", 1, &mine) == 0 && ledger_get(other, "Chur", 1, &yours) == 0);
	yours.amount++;
	MUST(ledger_put(other, &yours) == 0);
	mine.amount++;
	MUST(ledger_put(call, &mine) == CELL_ABORTED);
	/* A row that is new in a range that was read. */
	MUST(cell_txn_begin(call) == 0);
	MUST(said(call, ledger_each(call), text) == 0);
	l = row("Davos", 1, 1);
	MUST(ledger_put(other, &l) == 0);
	l.number = 2;
	MUST(ledger_put(call, &l) == 0);
	MUST(cell_txn_end(call, 0) == CELL_ABORTED);
	MUST(ledger_get(other, "Davos", 2, &yours) == CELL_NOT_FOUND);
	/* Several rows, or none. */
	MUST(cell_txn_begin(call) == 0);
	l.number = 3;
	MUST(ledger_put(call, &l) == 0 && ledger_insert(call, &(struct ledger){ .city = "Davos", .number = 1, .secret = "" }) == 0);
	MUST(cell_txn_end(call, 0) == CELL_ALREADY_EXISTS);
	MUST(ledger_get(other, "Davos", 3, &yours) == CELL_NOT_FOUND);
	cell_close(other);
	return 0;
}

static int add(struct cell_call *call, void *userdata)
{
	struct ledger l;
	int err = ledger_get(call, "Sum", 0, &l);

	(void)userdata;
	if (err)
		return err;
	l.amount++;
	return ledger_put(call, &l);
}

/* N additions that lose no race; what fails is tried again. Says what was acknowledged. */
static int sum(struct cell_call *call, int n, bool forever)
{
	int err = 0, done = 0, failed = 0;

	while (done < n) {
		struct cell_arena_mark mark = cell_mark(call);

		err = cell_atomically(cell_within_ms(call, 5000), add, NULL);
		done += !err;
		failed += err == CELL_UNAVAILABLE;
		cell_rewind(call, mark);
		if (err && err != CELL_ABORTED && err != CELL_UNAVAILABLE && !forever)
			return err;
		if (!err && forever) {
			printf("%d %d\n", done, failed);
			fflush(stdout);
		}
	}
	return 0;
}

static int watch(struct cell_call *call)
{
	struct ledger_change_cursor changes = ledger_watch(call, UINT64_MAX);
	struct cell_call *other = cell_open("bank");
	struct ledger l = row("Wil", 1, 1);
	const struct ledger_change *change;

	MUST(ledger_put(other, &l) == 0);
	l.amount = 2;
	MUST(ledger_put(other, &l) == 0 && ledger_delete(other, "Wil", 1) == 0);
	change = ledger_change_next(&changes);
	MUST(change && !change->before && change->row->amount == 1 && !strcmp(change->row->secret, "hush"));
	change = ledger_change_next(&changes);
	MUST(change && change->before->amount == 1 && change->row->amount == 2);
	change = ledger_change_next(&changes);
	MUST(change && change->before->amount == 2 && !change->row);
	cell_close(other);
	(void)ledger_change_end(&changes);
	return 0;
}

int main(int argc, char **argv)
{
	struct cell_call *call = cell_open("bank");
	const char *what = argc > 1 ? argv[1] : "";
	struct ledger l = row("Sum", 0, 0);
	int err = 0;

	if (!strcmp(what, "scans"))
		err = scans(call);
	else if (!strcmp(what, "races"))
		err = races(call);
	else if (!strcmp(what, "zero"))
		err = ledger_put(call, &l);
	else if (!strcmp(what, "sum"))
		err = sum(call, atoi(argv[2]), argc > 3);
	else if (!strcmp(what, "watch"))
		err = watch(cell_within_ms(call, 20000));
	else if (!strcmp(what, "get") && !(err = ledger_get(call, "Sum", 0, &l)))
		printf("%d\n", (int)l.amount);
	return cell_exit(call, err);
}
