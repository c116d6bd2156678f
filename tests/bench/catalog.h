/*
 * What the benchmark compares, in the order of the table; where and how it is measured.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CATALOG_PAIRS 4 /* how many pairs run at once in STAGE_PAIRS */

/* The order is that of the tables: what waits differently is not compared line by line. */
enum waiting {
	WAITING_FLOOR,    /* not a way to call: what the machine charges for its parts */
	WAITING_SPINNING, /* takes a core for each process */
	WAITING_ADAPTIVE, /* spins for a while or while it pays, then sleeps */
	WAITING_SLEEPING,
	WAITING_TABLE, /* databases: they have a table of their own */
	WAITING_COUNT,
};

enum stage {
	STAGE_UNPINNED, /* the main table: all phases, the scheduler places */
	STAGE_ONE_CPU,
	STAGE_TWO_CPUS,
	STAGE_LOADED, /* unpinned, beside a busy loop for every CPU */
	STAGE_PAIRS,  /* CATALOG_PAIRS unpinned pairs at once: calls_per_s is their sum */
	STAGE_TABLE,  /* databases: what table.h measures */
	STAGE_NODE,   /* a running node: rows 9 and 10 */
	STAGE_COUNT,
};

enum metric {
	METRIC_P50_US,
	METRIC_P99_US,
	METRIC_P999_US,
	METRIC_CPU_US,
	METRIC_CORES,
	METRIC_CALLS_PER_S,
	METRIC_PIPELINED_CALLS_PER_S,
	METRIC_PIPELINED_CPU_US,
	METRIC_PIPELINED_CORES,
	METRIC_BLOB_MB_PER_S,
	METRIC_BLOB_CORES,
	METRIC_PAYLOAD_1GIB_MS,
	METRIC_CONNECT_US,
	METRIC_SPAWN_CALL_MS,
	METRIC_IDLE_WAKEUPS,
	METRIC_CELL_MIB,
	METRIC_CORE_MIB,
	METRIC_CELLS_STARTED,
	METRIC_CELLS_REACHED,
	METRIC_CELLS_GIB,
	METRIC_CELL_KERNEL_MIB,
	METRIC_CORE_FULL_MIB,
	METRIC_CELLS_START_S,
	METRIC_CELLS_REACH_S,
	METRIC_CELLS_STOP_S,
	METRIC_WRITES_1_PER_S,
	METRIC_WRITES_16_PER_S,
	METRIC_WRITES_64_PER_S,
	METRIC_WRITES_64_P99_US,
	METRIC_READ_P50_US,
	METRIC_READ_P99_US,
	METRIC_SCAN_ROWS_PER_S,
	METRIC_TRANSFER_P50_US,
	METRIC_TRANSFER_P99_US,
	METRIC_COUNT,
};

/* Also the index of a peer in the table that catalog_peer() reads. */
enum peer_id {
	PEER_CACHE_LINE,
	PEER_RING_ONE_WAY,
	PEER_CODEC_MALLOC,
	PEER_CODEC_ARENA,
	PEER_EVENTFD,
	PEER_RING_SPIN,
	PEER_RING_SPIN_IN_PLACE,
	PEER_CELL,
	PEER_RING_SPIN20,
	PEER_CELL_SLEEP,
	PEER_RING_SLEEP,
	PEER_RING_SLEEP_IN_PLACE,
	PEER_UNIX,
	PEER_SDBUS_DIRECT,
	PEER_DBUS_BROKER,
	PEER_DBUS_DAEMON,
	PEER_ZMQ_REQ_REP,
	PEER_ZMQ_DEALER_ROUTER,
	PEER_CAPNP,
	PEER_GRPC_STREAM,
	PEER_GRPC_SYNC,
	PEER_NNG,
	PEER_NATS,
	PEER_CELLDB,
	PEER_SQLITE,
	PEER_SQLITE_BUSY,
	PEER_REDIS,
	PEER_POSTGRES,
	PEER_NODE,
	PEER_COUNT,
};

struct peer {
	const char *name;    /* on the command line and in results */
	const char *label;   /* in the table */
	const char *program; /* peer_<this> */
	const char *package; /* Debian's, to build it */
	enum waiting waiting;
	bool is_loaded; /* takes part in STAGE_LOADED and STAGE_PAIRS */
};

const struct peer *catalog_peer(enum peer_id id);

/* Its number, or PEER_COUNT. NAME need not end where it stops: LENGTH says. */
enum peer_id catalog_find_peer(const char *name, size_t length);

const char *catalog_metric_name(enum metric metric);
enum metric catalog_find_metric(const char *name, size_t length);

const char *catalog_stage_name(enum stage stage);

/* Is PEER measured in STAGE at all? */
bool catalog_has(enum peer_id id, enum stage stage);
