/*
 * PostgreSQL as it comes, over a Unix socket, through libpq: prepared statements with binary
 * parameters, and for a transaction one round trip to begin and read, one to write and commit
 * (pipeline mode). It gathers concurrent commits into one fsync by itself.
 */
#include "table.h"

#include <endian.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVER_USER "postgres" /* it refuses to run as root */
#define PORT	    "5432"     /* part of its socket's name; no port is opened */

struct postgres_peer {
	PGconn *connections[TABLE_CLIENTS_MAX];
	char bin[256]; /* its programs are not on the PATH */
	char data[512];
};

static struct postgres_peer peer;

/* ---- The server -------------------------------------------------------------------- */

/* The newest that is installed. */
static void bin_find(struct bench_pair *pair)
{
	glob_t found;

	if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) != 0)
		bench_missing(pair, "postgresql");
	(void)snprintf(peer.bin, sizeof peer.bin, "%s", found.gl_pathv[found.gl_pathc - 1]);
	*strrchr(peer.bin, '/') = '\0';
	globfree(&found);
}

static void owner_change(const char *path)
{
	struct passwd *user = getpwnam(SERVER_USER);

	if (!user || chown(path, user->pw_uid, user->pw_gid) < 0)
		bench_die("giving %s to user %s: %s", path, SERVER_USER, strerror(errno));
}

/* PROGRAM as a user that may run it, and that dies with us. ARGV has room for five in front. */
static void argv_fill(const char **argv, const char *program, const char *const arguments[])
{
	static char path[300];
	size_t n = 0;

	(void)snprintf(path, sizeof path, "%s/%s", peer.bin, program);
	if (geteuid() == 0) {
		argv[n++] = "setpriv";
		argv[n++] = "--reuid=" SERVER_USER;
		argv[n++] = "--regid=" SERVER_USER;
		argv[n++] = "--clear-groups";
		argv[n++] = "--pdeathsig=TERM";
		argv[n++] = path;
	} else {
		argv[n++] = "env";
		argv[n++] = path;
	}
	for (size_t i = 0; arguments[i]; i++)
		argv[n++] = arguments[i];
	argv[n] = NULL;
}

static void cluster_make(const char *log)
{
	const char *const arguments[] = { "-D",		 peer.data, "--auth=trust", "--no-sync",
					  "--encoding=UTF8", "--no-locale", "--username=bench",
					  NULL };
	void (*on_child)(int) = signal(SIGCHLD, SIG_DFL);
	const char *argv[16];
	int status;
	pid_t pid;

	argv_fill(argv, "initdb", arguments);
	pid = fork();
	if (pid == 0) {
		if (!freopen(log, "ae", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
			_exit(1);
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		bench_die("initdb failed; see %s", log);
	(void)signal(SIGCHLD, on_child);
}

static void postgres_prepare(struct bench_pair *pair)
{
	const char *const arguments[] = { "-D", peer.data, "-p", PORT, "-c",
					  "listen_addresses=", "-k", pair->dir, NULL };
	const char *argv[16];
	char text[128];

	bin_find(pair);
	(void)snprintf(peer.data, sizeof peer.data, "%s", table_dir(pair));
	if (geteuid() == 0) {
		owner_change(peer.data);
		owner_change(pair->dir);
	}
	(void)snprintf(text, sizeof text, "%s/broker.log", pair->dir);
	cluster_make(text);
	argv_fill(argv, "postgres", arguments);
	bench_broker(pair, "postgresql", argv, -1);
	(void)snprintf(text, sizeof text, "%s/.s.PGSQL." PORT, pair->dir);
	bench_await_socket(text);
}

/* ---- Statements -------------------------------------------------------------------- */

static void must(PGconn *connection, bool is_good)
{
	if (!is_good)
		bench_die("PostgreSQL: %s", PQerrorMessage(connection));
}

static void result_drop(PGconn *connection, PGresult *result, ExecStatusType expected)
{
	if (PQresultStatus(result) != expected)
		bench_die("PostgreSQL: %s%s", PQresultErrorMessage(result),
			  PQerrorMessage(connection));
	PQclear(result);
}

static void run_sql(PGconn *connection, const char *sql)
{
	result_drop(connection, PQexec(connection, sql), PGRES_COMMAND_OK);
}

static void prepare(PGconn *connection, const char *name, const char *sql)
{
	result_drop(connection, PQprepare(connection, name, sql, 0, NULL), PGRES_COMMAND_OK);
}

static PGconn *connection_open(const char *dir)
{
	const char *const keys[] = { "host", "port", "user", "dbname", NULL };
	const char *const values[] = { dir, PORT, "bench", "postgres", NULL };
	const struct timespec pause = { .tv_nsec = 1000000 };
	PGconn *connection = NULL;

	/* It listens before it can do more. */
	for (unsigned i = 0; i < 5000; i++) {
		connection = PQconnectdbParams(keys, values, 0);
		if (PQstatus(connection) == CONNECTION_OK)
			return connection;
		if (i < 4999)
			PQfinish(connection);
		(void)nanosleep(&pause, NULL);
	}
	must(connection, false);
	return NULL;
}

static void table_make(PGconn *connection)
{
	char owner[TABLE_OWNER_BYTES + 1];
	char line[96];

	run_sql(connection, "CREATE TABLE account (id bigint PRIMARY KEY, owner text NOT NULL,"
			    " city int NOT NULL, balance bigint NOT NULL)");
	run_sql(connection, "CREATE INDEX account_city ON account (city)");
	result_drop(connection, PQexec(connection, "COPY account FROM STDIN"), PGRES_COPY_IN);
	for (uint64_t id = 1; id <= TABLE_ROWS; id++) {
		int n;

		table_owner(owner, id);
		n = snprintf(line, sizeof line, "%" PRIu64 "\t%s\t%u\t1000\n", id, owner,
			     table_city(id));
		must(connection, PQputCopyData(connection, line, n) == 1);
	}
	must(connection, PQputCopyEnd(connection, NULL) == 1);
	result_drop(connection, PQgetResult(connection), PGRES_COMMAND_OK);
	must(connection, !PQgetResult(connection));
	run_sql(connection, "VACUUM ANALYZE account");
}

static void postgres_connect(struct bench_pair *pair)
{
	for (unsigned i = 0; i < TABLE_CLIENTS_MAX; i++) {
		PGconn *connection = connection_open(pair->dir);

		if (i == 0)
			table_make(connection);
		prepare(connection, "put",
			"INSERT INTO account VALUES ($1, $2, $3, $4) ON CONFLICT (id)"
			" DO UPDATE SET owner = $2, city = $3, balance = $4");
		peer.connections[i] = connection;
	}
	prepare(peer.connections[0], "get",
		"SELECT owner, city, balance FROM account WHERE id = $1");
	prepare(peer.connections[0], "lock",
		"SELECT owner, city, balance FROM account WHERE id = $1 FOR UPDATE");
	prepare(peer.connections[0], "scan",
		"SELECT id, owner, city, balance FROM account WHERE city BETWEEN $1 AND $2"
		" ORDER BY city, id");
	prepare(peer.connections[0], "set", "UPDATE account SET balance = $2 WHERE id = $1");
}

/* Parameters in binary, as they go over the wire. */
struct parameters {
	uint64_t numbers[4];
	uint32_t small[4];
	char owner[TABLE_OWNER_BYTES + 1];
	const char *values[4];
	int lengths[4];
	int formats[4];
	int n;
};

static void big_add(struct parameters *parameters, uint64_t value)
{
	int i = parameters->n++;

	parameters->numbers[i] = htobe64(value);
	parameters->values[i] = (const char *)&parameters->numbers[i];
	parameters->lengths[i] = 8;
	parameters->formats[i] = 1;
}

static void small_add(struct parameters *parameters, uint32_t value)
{
	int i = parameters->n++;

	parameters->small[i] = htobe32(value);
	parameters->values[i] = (const char *)&parameters->small[i];
	parameters->lengths[i] = 4;
	parameters->formats[i] = 1;
}

static void owner_add(struct parameters *parameters, uint64_t id)
{
	int i = parameters->n++;

	table_owner(parameters->owner, id);
	parameters->values[i] = parameters->owner;
	parameters->lengths[i] = TABLE_OWNER_BYTES;
	parameters->formats[i] = 1;
}

static void statement_send(PGconn *connection, const char *name,
			   const struct parameters *parameters)
{
	must(connection, PQsendQueryPrepared(connection, name, parameters->n,
					     parameters->values, parameters->lengths,
					     parameters->formats, 1) == 1);
}

static PGresult *statement_run(const char *name, const struct parameters *parameters)
{
	PGconn *connection = peer.connections[0];
	PGresult *result = PQexecPrepared(connection, name, parameters->n, parameters->values,
					  parameters->lengths, parameters->formats, 1);

	must(connection, PQresultStatus(result) == PGRES_TUPLES_OK);
	return result;
}

static uint64_t big_at(const PGresult *result, int row, int column)
{
	uint64_t value;

	memcpy(&value, PQgetvalue(result, row, column), sizeof value);
	return be64toh(value);
}

/* Columns from FIRST on: owner, city. */
static void row_check(const PGresult *result, int row, int first, uint64_t id)
{
	uint32_t city;

	memcpy(&city, PQgetvalue(result, row, first + 1), sizeof city);
	table_check(id, PQgetvalue(result, row, first), be32toh(city));
}

/* ---- Phases ------------------------------------------------------------------------ */

static int postgres_fd(struct table_run *run, unsigned i)
{
	(void)run;
	return PQsocket(peer.connections[i]);
}

static void postgres_send(struct table_run *run, unsigned i)
{
	struct parameters parameters = { .n = 0 };
	uint64_t id = table_random_id(&run->random);

	big_add(&parameters, id);
	owner_add(&parameters, id);
	small_add(&parameters, table_city(id));
	big_add(&parameters, i);
	statement_send(peer.connections[i], "put", &parameters);
	must(peer.connections[i], PQflush(peer.connections[i]) == 0);
}

static bool postgres_receive(struct table_run *run, unsigned i)
{
	PGconn *connection = peer.connections[i];

	(void)run;
	must(connection, PQconsumeInput(connection) == 1);
	if (PQisBusy(connection))
		return false;
	result_drop(connection, PQgetResult(connection), PGRES_COMMAND_OK);
	/* The end of the statement came in the same bytes, or is about to. */
	must(connection, !PQgetResult(connection));
	return true;
}

static void postgres_writes(struct table_run *run, unsigned n_clients)
{
	static const struct table_connections connections = {
		.fd = postgres_fd,
		.send = postgres_send,
		.receive = postgres_receive,
	};

	table_clients_run(run, n_clients, &connections);
}

static void postgres_read(struct table_run *run, uint64_t id)
{
	struct parameters parameters = { .n = 0 };
	PGresult *result;

	(void)run;
	big_add(&parameters, id);
	result = statement_run("get", &parameters);
	if (PQntuples(result) != 1)
		bench_die("PostgreSQL: no row %" PRIu64, id);
	row_check(result, 0, 0, id);
	PQclear(result);
}

static size_t postgres_scan(struct table_run *run, uint32_t first)
{
	struct parameters parameters = { .n = 0 };
	PGresult *result;
	int n;

	(void)run;
	small_add(&parameters, first);
	small_add(&parameters, first + TABLE_SCAN_CITIES - 1);
	result = statement_run("scan", &parameters);
	n = PQntuples(result);
	for (int row = 0; row < n; row++)
		row_check(result, row, 1, big_at(result, row, 0));
	PQclear(result);
	return (size_t)n;
}

/* Of a pipeline, the result of its next statement. */
static PGresult *piped_result(ExecStatusType expected)
{
	PGconn *connection = peer.connections[0];
	PGresult *result = PQgetResult(connection);

	must(connection, PQresultStatus(result) == expected);
	if (expected != PGRES_PIPELINE_SYNC)
		must(connection, !PQgetResult(connection));
	return result;
}

static void transfer_read(uint64_t from, uint64_t to, int64_t ret_balances[2])
{
	static const struct parameters none;
	PGconn *connection = peer.connections[0];
	const uint64_t ids[2] = { from, to };

	must(connection, PQsendQueryParams(connection, "BEGIN", 0, NULL, none.values,
					   none.lengths, none.formats, 1) == 1);
	for (int i = 0; i < 2; i++) {
		struct parameters parameters = { .n = 0 };

		big_add(&parameters, ids[i]);
		statement_send(connection, "lock", &parameters);
	}
	must(connection, PQpipelineSync(connection) == 1);
	PQclear(piped_result(PGRES_COMMAND_OK));
	for (int i = 0; i < 2; i++) {
		PGresult *result = piped_result(PGRES_TUPLES_OK);

		row_check(result, 0, 0, ids[i]);
		ret_balances[i] = (int64_t)big_at(result, 0, 2);
		PQclear(result);
	}
	PQclear(piped_result(PGRES_PIPELINE_SYNC));
}

static void transfer_write(uint64_t from, uint64_t to, const int64_t balances[2])
{
	static const struct parameters none;
	PGconn *connection = peer.connections[0];
	const uint64_t ids[2] = { from, to };

	for (int i = 0; i < 2; i++) {
		struct parameters parameters = { .n = 0 };

		big_add(&parameters, ids[i]);
		big_add(&parameters, (uint64_t)balances[i]);
		statement_send(connection, "set", &parameters);
	}
	must(connection, PQsendQueryParams(connection, "COMMIT", 0, NULL, none.values,
					   none.lengths, none.formats, 1) == 1);
	must(connection, PQpipelineSync(connection) == 1);
	for (int i = 0; i < 3; i++)
		PQclear(piped_result(PGRES_COMMAND_OK));
	PQclear(piped_result(PGRES_PIPELINE_SYNC));
}

static void postgres_transfer(struct table_run *run, uint64_t from, uint64_t to,
			      int64_t amount)
{
	int64_t balances[2];

	(void)run;
	must(peer.connections[0], PQenterPipelineMode(peer.connections[0]) == 1);
	transfer_read(from, to, balances);
	balances[0] -= amount;
	balances[1] += amount;
	transfer_write(from, to, balances);
	must(peer.connections[0], PQexitPipelineMode(peer.connections[0]) == 1);
}

static void postgres_measure(struct bench_pair *pair, unsigned ms)
{
	static const struct table_ops ops = { .writes = postgres_writes,
					      .read = postgres_read,
					      .scan = postgres_scan,
					      .transfer = postgres_transfer };

	table_measure(pair, ms, &ops);
	/* It waits for its clients when it is asked to end. */
	for (unsigned i = 0; i < TABLE_CLIENTS_MAX; i++)
		PQfinish(peer.connections[i]);
}

static const struct bench_variant variants[] = {
	{ .name = "postgres",
	  .prepare = postgres_prepare,
	  .connect = postgres_connect,
	  .measure = postgres_measure },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
