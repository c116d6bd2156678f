/*
 * table_loop get|put|deposit|scan N: so many of them by a client of a database in memory, and
 * nothing else. For counting what the client's part costs: it prints its pid.
 */
#include "accounts.h"
#include "crew.h"
#include "memdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS 1000

static void check(struct cell_call *call, int err)
{
	if (!err)
		return;
	fprintf(stderr, "table_loop: %s\n", cell_error(call)->text);
	exit(1);
}

static void get(struct cell_call *call)
{
	struct account account;

	check(call, account_get(call, 1, &account));
}

static void put(struct cell_call *call)
{
	check(call, account_put(call, &(struct account){ .id = 1, .owner = "Ada Lovelace" }));
}

static int add(struct cell_call *call, void *userdata)
{
	struct account account;
	int r = account_get(call, 1, &account);

	(void)userdata;
	account.balance++;
	return r < 0 ? r : account_put(call, &account);
}

static void deposit(struct cell_call *call)
{
	check(call, cell_atomically(call, add, NULL));
}

static void scan(struct cell_call *call)
{
	struct cell_cursor cursor =
		cell_table_scan(call, &bulk_table, &(struct cell_scan){ 0 });

	while (cell_cursor_next(&cursor))
		;
	check(call, cell_cursor_end(&cursor));
}

static const struct {
	const char *name;
	void (*once)(struct cell_call *call);
} kinds[] = { { "get", get }, { "put", put }, { "deposit", deposit }, { "scan", scan } };

int main(int argc, char **argv)
{
	struct memdb_shared *shared = memdb_shared_new();
	struct memdb memdb = { "celldb", accounts_told, 3, shared };
	unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	void (*once)(struct cell_call * call) = NULL;
	static struct account rows[ROWS];
	struct crew crew;

	for (size_t i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			once = kinds[i].once;
	if (!n || !once) {
		fprintf(stderr, "usage: table_loop get|put|deposit|scan N\n");
		return 2;
	}
	accounts_init();
	crew_start(&crew, &(struct crew_member){ "celldb", memdb_serve, &memdb }, 1);
	printf("%ld\n", (long)getpid());
	put(crew.clients[0]);
	for (size_t i = 0; i < ROWS; i++)
		rows[i] = (struct account){ .id = i,
					    .owner = "Ada Lovelace",
					    .has_city = true,
					    .city = "somewhere" };
	check(crew.clients[0], cell_table_put_all(crew.clients[0], &bulk_table, rows, ROWS));
	for (unsigned long i = 0; i < n; i++) {
		struct cell_arena_mark mark = cell_mark(crew.clients[0]);

		once(crew.clients[0]);
		cell_rewind(crew.clients[0], mark);
	}
	crew_stop(&crew);
	memdb_shared_free(shared);
	return 0;
}
