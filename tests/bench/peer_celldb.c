/*
 * celldb of the same build, in a node of its own and its sandbox, through the functions that
 * db::table generates calls of. Clients are tasks of one process, on its one connection.
 */
#include "table.h"

#include <assert.h>
#include <cell/cell.h>
#include <cell/table.h>
#include <errno.h>
#include <fcntl.h>
#include <macro.cell.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <table.cell.h>
#include <unistd.h>

#define PROGRAM	   "bench"
#define LOAD_BATCH 500
#define SCHEMA_MAX 512

/* What db::table would make of this struct; key id, index city. */
struct account {
	uint64_t id;
	const char *owner;
	uint32_t city;
	int64_t balance;
};

#define COLUMN(column_number, member, column_kind)                                     \
	{ .name = #member,                                                             \
	  .number = (column_number),                                                   \
	  .kind = (column_kind),                                                       \
	  .offset = offsetof(struct account, member),                                  \
	  .has_offset = UINT32_MAX,                                                    \
	  .count_offset = UINT32_MAX,                                                  \
	  .size = sizeof((struct account *)NULL)->member }

static const struct cell_column columns[] = {
	COLUMN(1, id, CELL_COLUMN_UINT64),
	COLUMN(2, owner, CELL_COLUMN_TEXT),
	COLUMN(3, city, CELL_COLUMN_UINT32),
	COLUMN(4, balance, CELL_COLUMN_INT64),
};

static const uint16_t key_columns[] = { 0 };
static const uint16_t city_columns[] = { 2 };

static const struct cell_table_key keys[] = {
	{ .name = "id", .columns = key_columns, .n = 1, .is_unique = true },
	{ .name = "city", .columns = city_columns, .n = 1 },
};

static struct cell_ref celldb = CELL_REF("celldb");

/* Its version is set once the schema is encoded. */
static struct cell_table account_table = {
	.ref = &celldb,
	.store = PROGRAM,
	.name = "account",
	.row_size = sizeof(struct account),
	.columns = columns,
	.n_columns = sizeof columns / sizeof *columns,
	.keys = keys,
	.n_keys = sizeof keys / sizeof *keys,
};

static struct cell_call *call;

static void must(struct cell_call *of, int err, const char *what)
{
	if (err)
		bench_die("%s: %s", what, cell_error(of)->text);
}

/* ---- The node ---------------------------------------------------------------------- */

static void celldb_prepare(struct bench_pair *pair)
{
	const char *argv[] = { "cellcore", "--rundir", pair->dir, "--statedir",
			       table_dir(pair), NULL };
	char path[512];

	bench_write_file(pair->dir, "node.conf", "[node]\nname = bench-%d\n", (int)getpid());
	(void)snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", bench_build_dir());
	(void)setenv("PATH", path, 1);
	(void)setenv("CELL_RUNDIR", pair->dir, 1);
	(void)setenv("CELL_LOG", "err", 1);
	(void)unsetenv("CELL_WAKE");
	bench_broker(pair, "", argv, -1);
	(void)snprintf(path, sizeof path, "%s/core.sock", pair->dir);
	bench_await_listener(path, SOCK_SEQPACKET);
}

/* What cellc would have the database do with the declaration. */
static void table_provision(void)
{
	static const struct table_column told[] = {
		{ .number = 1, .name = "id", .type = TABLE_COLUMN_TYPE_UINT64 },
		{ .number = 2, .name = "owner", .type = TABLE_COLUMN_TYPE_TEXT },
		{ .number = 3, .name = "city", .type = TABLE_COLUMN_TYPE_UINT32 },
		{ .number = 4, .name = "balance", .type = TABLE_COLUMN_TYPE_INT64 },
	};
	static const uint32_t key_numbers[] = { 1 };
	static const uint32_t city_numbers[] = { 3 };
	static const struct table_index key = { .n_columns = 1, .columns = key_numbers,
						.unique = true };
	static const struct table_index city = { .name = "city", .n_columns = 1,
						 .columns = city_numbers };
	static const struct table_table table = {
		.store = PROGRAM,
		.name = "account",
		.n_columns = 4,
		.columns = told,
		.key = &key,
		.n_indexes = 1,
		.indexes = &city,
	};
	static uint8_t body[SCHEMA_MAX];
	uint8_t digest[32];
	struct macro_provisioned answer;
	struct macro_declared declared = { .ns = "db",
					   .name = "struct account",
					   .n_digest = sizeof digest,
					   .digest = digest,
					   .body = body };
	const struct macro_provision_request request = { .program = PROGRAM,
							 .n_declared = 1,
							 .declared = &declared };

	if (table_table_type.bound(&table) > sizeof body)
		bench_die("a schema of more than %zu bytes", sizeof body);
	declared.n_body = (size_t)(table_table_type.encode(&table, body) - body);
	(void)crypto_generichash(digest, sizeof digest, body, declared.n_body, NULL, 0);
	for (int i = 7; i >= 0; i--)
		account_table.version = account_table.version << 8 | digest[i];
	must(call, macro_provider_provision(cell_to(call, "celldb", 0), &request, &answer),
	     "provisioning");
	if (answer.status != 0)
		bench_die("provisioning: %s", answer.n_diagnostics > 0
						      ? answer.diagnostics[0].text
						      : "refused");
}

/* OWNER has room for it. */
static struct account account_make(uint64_t id, int64_t balance, char *owner)
{
	table_owner(owner, id);
	return (struct account){ id, owner, table_city(id), balance };
}

static void rows_load(void)
{
	static char owners[LOAD_BATCH][TABLE_OWNER_BYTES + 1];
	static struct account rows[LOAD_BATCH];
	struct cell_arena_mark mark = cell_mark(call);

	for (uint64_t first = 1; first <= TABLE_ROWS; first += LOAD_BATCH) {
		for (size_t i = 0; i < LOAD_BATCH; i++)
			rows[i] = account_make(first + i, 1000, owners[i]);
		must(call, cell_table_put_all(call, &account_table, rows, LOAD_BATCH),
		     "loading");
		cell_rewind(call, mark);
	}
}

static void celldb_connect(struct bench_pair *pair)
{
	(void)pair;
	static_assert(TABLE_ROWS % LOAD_BATCH == 0, "the last batch is not shorter");
	call = cell_open(PROGRAM);
	table_provision();
	rows_load();
}

/* ---- Phases ------------------------------------------------------------------------ */

/* The clients of one phase; the last one to end says so. */
struct clients {
	struct table_run *run;
	unsigned busy;
	int done_fds[2];
};

static void client_run(struct cell_call *own, void *userdata)
{
	struct clients *clients = userdata;
	struct table_run *run = clients->run;
	struct cell_arena_mark mark = cell_mark(own);
	uint64_t now = bench_now_ns();

	while (now < run->end_ns) {
		char owner[TABLE_OWNER_BYTES + 1];
		struct account row = account_make(table_random_id(&run->random), 1, owner);

		must(own, cell_table_put(own, &account_table, &row), "writing");
		now = table_done(run, now);
		cell_rewind(own, mark);
	}
	if (--clients->busy == 0 && write(clients->done_fds[1], "", 1) != 1)
		bench_die("write: %s", strerror(errno));
}

static void celldb_writes(struct table_run *run, unsigned n_clients)
{
	struct clients clients = { .run = run, .busy = n_clients };

	if (pipe2(clients.done_fds, O_CLOEXEC) < 0)
		bench_die("pipe2: %s", strerror(errno));
	for (unsigned i = 0; i < n_clients; i++)
		must(call, cell_spawn_task(call, client_run, &clients), "starting a client");
	must(call, cell_wait_readable(call, clients.done_fds[0]), "waiting");
	(void)close(clients.done_fds[0]);
	(void)close(clients.done_fds[1]);
}

static void celldb_read(struct table_run *run, uint64_t id)
{
	struct cell_arena_mark mark = cell_mark(call);
	struct account row = { .id = id };

	(void)run;
	must(call, cell_table_get(call, &account_table, 0, &row, &row), "reading");
	table_check(id, row.owner, row.city);
	cell_rewind(call, mark);
}

static size_t celldb_scan(struct table_run *run, uint32_t first)
{
	const struct account from = { .city = first };
	const struct account to = { .city = first + TABLE_SCAN_CITIES - 1 };
	const struct cell_scan scan = { .key = 1, .from = &from, .n_from = 1, .to = &to,
					.n_to = 1 };
	struct cell_arena_mark mark = cell_mark(call);
	struct cell_cursor cursor = cell_table_scan(call, &account_table, &scan);
	size_t n = 0;

	(void)run;
	for (struct account *row; (row = cell_cursor_next(&cursor)); n++)
		table_check(row->id, row->owner, row->city);
	must(call, cell_cursor_end(&cursor), "scanning");
	cell_rewind(call, mark);
	return n;
}

static int transfer(struct account *from, struct account *to, int64_t amount)
{
	int err = cell_table_get(call, &account_table, 0, from, from);

	if (!err)
		err = cell_table_get(call, &account_table, 0, to, to);
	if (err)
		return err;
	from->balance -= amount;
	to->balance += amount;
	err = cell_table_put(call, &account_table, from);
	return err ? err : cell_table_put(call, &account_table, to);
}

static void celldb_transfer(struct table_run *run, uint64_t from_id, uint64_t to_id,
			    int64_t amount)
{
	struct cell_arena_mark mark = cell_mark(call);
	struct account from = { .id = from_id };
	struct account to = { .id = to_id };

	(void)run;
	must(call, cell_txn_begin(call), "beginning");
	must(call, cell_txn_end(call, transfer(&from, &to, amount)), "a transfer");
	cell_rewind(call, mark);
}

static void celldb_measure(struct bench_pair *pair, unsigned ms)
{
	static const struct table_ops ops = { .writes = celldb_writes,
					      .read = celldb_read,
					      .scan = celldb_scan,
					      .transfer = celldb_transfer };

	table_measure(pair, ms, &ops);
	cell_close(call);
}

static const struct bench_variant variants[] = {
	{ .name = "celldb",
	  .prepare = celldb_prepare,
	  .connect = celldb_connect,
	  .measure = celldb_measure },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
