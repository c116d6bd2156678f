/*
 * Redis with an append-only file that is synced before every answer, over a Unix socket,
 * through hiredis. A row is one string. It gathers what its clients sent into one fsync by
 * itself. Snapshots are off: the append-only file is all that has to last.
 */
#include "table.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOAD_BATCH 500

struct redis_peer {
	redisContext *connections[TABLE_CLIENTS_MAX];
	char path[128];
};

static struct redis_peer peer;

static redisContext *redis_open(const char *path)
{
	redisContext *context = redisConnectUnix(path);

	if (!context || context->err)
		bench_die("connecting to Redis: %s", context ? context->errstr : "no memory");
	return context;
}

/* One SET of row ID into the output buffer. */
static void row_put(redisContext *context, uint64_t id, int64_t balance)
{
	char owner[TABLE_OWNER_BYTES + 1];
	char value[64];
	char key[32];

	table_owner(owner, id);
	(void)snprintf(key, sizeof key, "account:%" PRIu64, id);
	(void)snprintf(value, sizeof value, "%s %u %" PRId64, owner, table_city(id), balance);
	if (redisAppendCommand(context, "SET %s %s", key, value) != REDIS_OK)
		bench_die("Redis: %s", context->errstr);
}

static void out_write(redisContext *context)
{
	int is_done = 0;

	while (!is_done)
		if (redisBufferWrite(context, &is_done) != REDIS_OK)
			bench_die("Redis: %s", context->errstr);
}

static void check_ok(redisReply *reply)
{
	if (!reply || reply->type != REDIS_REPLY_STATUS || strcmp(reply->str, "OK") != 0)
		bench_die("Redis: %s", reply && reply->str ? reply->str : "no answer");
	freeReplyObject(reply);
}

static void rows_load(redisContext *context)
{
	void *reply;

	for (uint64_t id = 1; id <= TABLE_ROWS; id++) {
		row_put(context, id, 1000);
		if (id % LOAD_BATCH > 0 && id < TABLE_ROWS)
			continue;
		for (uint64_t i = 0; i < (id - 1) % LOAD_BATCH + 1; i++) {
			if (redisGetReply(context, &reply) != REDIS_OK)
				bench_die("Redis: %s", context->errstr);
			check_ok(reply);
		}
	}
}

static void redis_prepare(struct bench_pair *pair)
{
	const char *argv[] = { "redis-server", "--port",	"0",	     "--unixsocket",
			       peer.path,      "--dir",		table_dir(pair), "--appendonly",
			       "yes",	       "--appendfsync", "always",    "--save",
			       "",	       NULL };

	(void)snprintf(peer.path, sizeof peer.path, "%s/redis.sock", pair->dir);
	bench_broker(pair, "redis-server", argv, -1);
	bench_await_socket(peer.path);
}

static void redis_connect(struct bench_pair *pair)
{
	(void)pair;
	for (unsigned i = 0; i < TABLE_CLIENTS_MAX; i++)
		peer.connections[i] = redis_open(peer.path);
	rows_load(peer.connections[0]);
}

/* ---- Phases ------------------------------------------------------------------------ */

static int redis_fd(struct table_run *run, unsigned i)
{
	(void)run;
	return peer.connections[i]->fd;
}

static void redis_send(struct table_run *run, unsigned i)
{
	row_put(peer.connections[i], table_random_id(&run->random), (int64_t)i);
	out_write(peer.connections[i]);
}

static bool redis_receive(struct table_run *run, unsigned i)
{
	redisContext *context = peer.connections[i];
	void *reply = NULL;

	(void)run;
	if (redisBufferRead(context) != REDIS_OK ||
	    redisGetReplyFromReader(context, &reply) != REDIS_OK)
		bench_die("Redis: %s", context->errstr);
	if (!reply)
		return false;
	check_ok(reply);
	return true;
}

static void redis_writes(struct table_run *run, unsigned n_clients)
{
	static const struct table_connections connections = {
		.fd = redis_fd,
		.send = redis_send,
		.receive = redis_receive,
	};

	table_clients_run(run, n_clients, &connections);
}

static void redis_read(struct table_run *run, uint64_t id)
{
	redisReply *reply;
	char *city;

	(void)run;
	reply = redisCommand(peer.connections[0], "GET account:%llu", (unsigned long long)id);
	if (!reply || reply->type != REDIS_REPLY_STRING || reply->len <= TABLE_OWNER_BYTES)
		bench_die("Redis: no row %" PRIu64, id);
	city = reply->str + TABLE_OWNER_BYTES;
	*city++ = '\0';
	table_check(id, reply->str, (uint32_t)strtoul(city, NULL, 10));
	freeReplyObject(reply);
}

static void redis_measure(struct bench_pair *pair, unsigned ms)
{
	static const struct table_ops ops = { .writes = redis_writes, .read = redis_read };

	table_measure(pair, ms, &ops);
}

static const struct bench_variant variants[] = {
	{ .name = "redis",
	  .prepare = redis_prepare,
	  .connect = redis_connect,
	  .measure = redis_measure },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
