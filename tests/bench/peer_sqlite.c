/*
 * SQLite with a write-ahead log and synchronous=FULL: a commit is synced before it returns.
 * It has no server: each client is a thread with a connection of its own.
 *
 *   sqlite         the clients of the process take turns by a mutex, so that none sleeps in
 *                  SQLite's busy handler while the lock is free
 *   sqlite-busy    busy_timeout alone, as separate processes would have it
 */
#include "table.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define BUSY_MS 20000

enum mode {
	MODE_TURNS,
	MODE_BUSY,
};

struct connection {
	sqlite3 *db;
	sqlite3_stmt *put, *get, *scan, *set, *begin, *commit;
};

struct client {
	struct connection connection;
	struct table_run *run;
	pthread_t thread;
	uint64_t random;
	struct hist hist;
};

static char path[512];
static struct client *clients;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void must(struct connection *connection, int r, int expected)
{
	if (r != expected)
		bench_die("SQLite: %s", sqlite3_errmsg(connection->db));
}

static void run_sql(struct connection *connection, const char *sql)
{
	must(connection, sqlite3_exec(connection->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static sqlite3_stmt *prepare(struct connection *connection, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	must(connection,
	     sqlite3_prepare_v3(connection->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
				NULL),
	     SQLITE_OK);
	return statement;
}

static void connection_open(struct connection *connection, bool is_first)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	must(connection, sqlite3_open_v2(path, &connection->db, flags, NULL), SQLITE_OK);
	must(connection, sqlite3_busy_timeout(connection->db, BUSY_MS), SQLITE_OK);
	if (is_first)
		run_sql(connection,
			"PRAGMA journal_mode=WAL;"
			"CREATE TABLE account (id INTEGER PRIMARY KEY, owner TEXT NOT NULL,"
			" city INTEGER NOT NULL, balance INTEGER NOT NULL);"
			"CREATE INDEX account_city ON account (city)");
	run_sql(connection, "PRAGMA synchronous=FULL");
	connection->put = prepare(connection,
				  "INSERT INTO account VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id)"
				  " DO UPDATE SET owner = ?2, city = ?3, balance = ?4");
	connection->get = prepare(connection,
				  "SELECT owner, city, balance FROM account WHERE id = ?1");
	connection->scan = prepare(connection, "SELECT id, owner, city, balance FROM account"
					       " WHERE city BETWEEN ?1 AND ?2 ORDER BY city, id");
	connection->set =
		prepare(connection, "UPDATE account SET balance = ?2 WHERE id = ?1");
	connection->begin = prepare(connection, "BEGIN IMMEDIATE");
	connection->commit = prepare(connection, "COMMIT");
}

static void step(struct connection *connection, sqlite3_stmt *statement)
{
	must(connection, sqlite3_step(statement), SQLITE_DONE);
	must(connection, sqlite3_reset(statement), SQLITE_OK);
}

/* Alone it is a transaction of its own, which takes the write lock at once. */
static void row_put(struct connection *connection, uint64_t id, int64_t balance)
{
	char owner[TABLE_OWNER_BYTES + 1];

	table_owner(owner, id);
	(void)sqlite3_bind_int64(connection->put, 1, (sqlite3_int64)id);
	(void)sqlite3_bind_text(connection->put, 2, owner, TABLE_OWNER_BYTES, SQLITE_STATIC);
	(void)sqlite3_bind_int64(connection->put, 3, table_city(id));
	(void)sqlite3_bind_int64(connection->put, 4, balance);
	step(connection, connection->put);
}

static void sqlite_connect(struct bench_pair *pair)
{
	(void)snprintf(path, sizeof path, "%s/account.db", table_dir(pair));
	clients = calloc(TABLE_CLIENTS_MAX, sizeof *clients);
	if (!clients)
		bench_die("no memory for clients");
	for (unsigned i = 0; i < TABLE_CLIENTS_MAX; i++)
		connection_open(&clients[i].connection, i == 0);
	step(&clients[0].connection, clients[0].connection.begin);
	for (uint64_t id = 1; id <= TABLE_ROWS; id++)
		row_put(&clients[0].connection, id, 1000);
	step(&clients[0].connection, clients[0].connection.commit);
}

/* ---- Phases ------------------------------------------------------------------------ */

static void *client_run(void *userdata)
{
	struct client *client = userdata;
	bool takes_turns = client->run->pair->variant->mode == MODE_TURNS;
	uint64_t now = bench_now_ns();

	while (now < client->run->end_ns) {
		uint64_t started = now;

		if (takes_turns)
			(void)pthread_mutex_lock(&turn);
		row_put(&client->connection, table_random_id(&client->random), 1);
		if (takes_turns)
			(void)pthread_mutex_unlock(&turn);
		now = bench_now_ns();
		hist_add(&client->hist, now - started);
	}
	return NULL;
}

static void sqlite_writes(struct table_run *run, unsigned n_clients)
{
	for (unsigned i = 0; i < n_clients; i++) {
		clients[i].run = run;
		clients[i].random = table_random(&run->random);
		hist_reset(&clients[i].hist);
		if (pthread_create(&clients[i].thread, NULL, client_run, &clients[i]) != 0)
			bench_die("no thread for client %u", i);
	}
	for (unsigned i = 0; i < n_clients; i++) {
		(void)pthread_join(clients[i].thread, NULL);
		hist_merge(&run->hist, &clients[i].hist);
	}
}

static int64_t row_get(struct connection *connection, uint64_t id)
{
	int64_t balance;

	(void)sqlite3_bind_int64(connection->get, 1, (sqlite3_int64)id);
	must(connection, sqlite3_step(connection->get), SQLITE_ROW);
	table_check(id, (const char *)sqlite3_column_text(connection->get, 0),
		    (uint32_t)sqlite3_column_int64(connection->get, 1));
	balance = sqlite3_column_int64(connection->get, 2);
	must(connection, sqlite3_reset(connection->get), SQLITE_OK);
	return balance;
}

static void sqlite_read(struct table_run *run, uint64_t id)
{
	(void)run;
	(void)row_get(&clients[0].connection, id);
}

static size_t sqlite_scan(struct table_run *run, uint32_t first)
{
	struct connection *connection = &clients[0].connection;
	sqlite3_stmt *scan = connection->scan;
	size_t n = 0;
	int r;

	(void)run;
	(void)sqlite3_bind_int64(scan, 1, first);
	(void)sqlite3_bind_int64(scan, 2, first + TABLE_SCAN_CITIES - 1);
	for (; (r = sqlite3_step(scan)) == SQLITE_ROW; n++)
		table_check((uint64_t)sqlite3_column_int64(scan, 0),
			    (const char *)sqlite3_column_text(scan, 1),
			    (uint32_t)sqlite3_column_int64(scan, 2));
	must(connection, r, SQLITE_DONE);
	must(connection, sqlite3_reset(scan), SQLITE_OK);
	return n;
}

static void balance_set(struct connection *connection, uint64_t id, int64_t balance)
{
	(void)sqlite3_bind_int64(connection->set, 1, (sqlite3_int64)id);
	(void)sqlite3_bind_int64(connection->set, 2, balance);
	step(connection, connection->set);
}

static void sqlite_transfer(struct table_run *run, uint64_t from, uint64_t to, int64_t amount)
{
	struct connection *connection = &clients[0].connection;
	int64_t from_balance;
	int64_t to_balance;

	(void)run;
	step(connection, connection->begin);
	from_balance = row_get(connection, from);
	to_balance = row_get(connection, to);
	balance_set(connection, from, from_balance - amount);
	balance_set(connection, to, to_balance + amount);
	step(connection, connection->commit);
}

static void sqlite_measure(struct bench_pair *pair, unsigned ms)
{
	static const struct table_ops all = { .writes = sqlite_writes,
					      .read = sqlite_read,
					      .scan = sqlite_scan,
					      .transfer = sqlite_transfer };
	/* Alone a client never meets a lock: the rest would be the same twice. */
	static const struct table_ops writes = { .writes = sqlite_writes };

	table_measure(pair, ms, pair->variant->mode == MODE_BUSY ? &writes : &all);
}

static const struct bench_variant variants[] = {
	{ .name = "sqlite",
	  .mode = MODE_TURNS,
	  .connect = sqlite_connect,
	  .measure = sqlite_measure },
	{ .name = "sqlite-busy",
	  .mode = MODE_BUSY,
	  .connect = sqlite_connect,
	  .measure = sqlite_measure },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
