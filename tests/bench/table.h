/*
 * What all peers with a table share: rows, phases, results.
 *
 *   writes    one row, replaced and durable, per commit: 1, 16 and 64 clients of one process,
 *             each with one commit on its way
 *   reads     one row by its key, one client
 *   scan      TABLE_SCAN_ROWS rows by a secondary index, in its order
 *   transfer  one transaction: two rows read, both written, durable
 *
 * A row is an account: a number (the key), an owner of 16 letters, a city (indexed) and a
 * balance. The rows of a city are not neighbours.
 */
#pragma once

#include "bench.h"
#include "hist.h"

#define TABLE_ROWS        20000
#define TABLE_CITIES      200
#define TABLE_SCAN_CITIES 10
#define TABLE_SCAN_ROWS   (TABLE_ROWS / TABLE_CITIES * TABLE_SCAN_CITIES)
#define TABLE_OWNER_BYTES 16
#define TABLE_CLIENTS_MAX 64

/* One phase of one peer. */
struct table_run {
	struct bench_pair *pair;
	uint64_t end_ns; /* of the phase: no client begins a commit after it */
	uint64_t random; /* of the phase; each client of a peer's takes its own from it */
	struct hist hist;
};

/* What a peer does. A phase whose function is NULL is not measured. */
struct table_ops {
	/* N_CLIENTS at once, until end_ns: each commit goes to table_done(). */
	void (*writes)(struct table_run *run, unsigned n_clients);
	void (*read)(struct table_run *run, uint64_t id);
	/* The rows of TABLE_SCAN_CITIES cities from FIRST on; how many there were. */
	size_t (*scan)(struct table_run *run, uint32_t first);
	void (*transfer)(struct table_run *run, uint64_t from, uint64_t to, int64_t amount);
};

/* All phases, MS milliseconds together; for bench_variant.measure. */
void table_measure(struct bench_pair *pair, unsigned ms, const struct table_ops *ops);

/* A commit that began at STARTED_NS is durable. Returns the time, where the next one begins. */
uint64_t table_done(struct table_run *run, uint64_t started_ns);

/* A folder for the data, on the file system of the build; removed by the driver. */
const char *table_dir(struct bench_pair *pair);

/* The next of a sequence of numbers; *STATE is not 0. */
static inline uint64_t table_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline uint64_t table_random_id(uint64_t *state)
{
	return 1 + table_random(state) % TABLE_ROWS;
}

static inline uint32_t table_city(uint64_t id)
{
	return (uint32_t)(id % TABLE_CITIES);
}

static inline void table_owner(char ret_owner[TABLE_OWNER_BYTES + 1], uint64_t id)
{
	for (int i = 0; i < TABLE_OWNER_BYTES; i++)
		ret_owner[i] = (char)('a' + (id >> (i % 8 * 4) & 15));
	ret_owner[TABLE_OWNER_BYTES] = '\0';
}

/* Is this what row ID has? Dies if not. */
static inline void table_check(uint64_t id, const char *owner, uint32_t city)
{
	char expected[TABLE_OWNER_BYTES + 1];

	table_owner(expected, id);
	if (strcmp(owner, expected) != 0 || city != table_city(id))
		bench_die("row %llu is another", (unsigned long long)id);
}

/* ---- Many connections, one thread -------------------------------------------------- */

/* What a peer does with its connection number I. */
struct table_connections {
	int (*fd)(struct table_run *run, unsigned i);
	/* Send one commit. */
	void (*send)(struct table_run *run, unsigned i);
	/* Take what has come: is the commit done? */
	bool (*receive)(struct table_run *run, unsigned i);
};

/* N clients, each sending its next commit when the last one is done, until end_ns. */
void table_clients_run(struct table_run *run, unsigned n,
		       const struct table_connections *connections);
