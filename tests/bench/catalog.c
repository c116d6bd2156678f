#include "catalog.h"

#include <string.h>

/* clang-format off */
/* name, label, program, package, waiting, is_loaded */
static const struct peer peers[PEER_COUNT] = {
	[PEER_CACHE_LINE] = { "cache-line", "cache line",
		"floor", "", WAITING_FLOOR, false },
	[PEER_RING_ONE_WAY] = { "ring-one-way", "ring, 64 B, one way",
		"floor", "", WAITING_FLOOR, false },
	[PEER_CODEC_MALLOC] = { "codec-malloc", "protobuf-c, malloc",
		"floor", "", WAITING_FLOOR, false },
	[PEER_CODEC_ARENA] = { "codec-arena", "protobuf-c, arena",
		"floor", "", WAITING_FLOOR, false },
	[PEER_EVENTFD] = { "eventfd", "eventfd ping-pong",
		"floor", "", WAITING_FLOOR, false },
	[PEER_RING_SPIN] = { "ring-spin", "bare ring",
		"ring", "", WAITING_SPINNING, true },
	[PEER_RING_SPIN_IN_PLACE] = { "ring-spin-in-place", "bare ring, in place",
		"ring", "", WAITING_SPINNING, false },
	[PEER_CELL] = { "cell", "Cell",
		"cell", "", WAITING_ADAPTIVE, true },
	[PEER_RING_SPIN20] = { "ring-spin20", "bare ring, 20 us spin",
		"ring", "", WAITING_ADAPTIVE, true },
	[PEER_CELL_SLEEP] = { "cell-sleep", "Cell, sleeping at once",
		"cell", "", WAITING_SLEEPING, true },
	[PEER_RING_SLEEP] = { "ring-sleep", "bare ring, eventfd",
		"ring", "", WAITING_SLEEPING, true },
	[PEER_RING_SLEEP_IN_PLACE] = { "ring-sleep-in-place", "bare ring, eventfd, in place",
		"ring", "", WAITING_SLEEPING, false },
	[PEER_UNIX] = { "unix", "Unix socket",
		"unix", "", WAITING_SLEEPING, true },
	[PEER_SDBUS_DIRECT] = { "sdbus-direct", "sd-bus, peer to peer",
		"sdbus", "libsystemd-dev", WAITING_SLEEPING, false },
	[PEER_DBUS_BROKER] = { "dbus-broker", "sd-bus, dbus-broker",
		"sdbus", "libsystemd-dev", WAITING_SLEEPING, false },
	[PEER_DBUS_DAEMON] = { "dbus-daemon", "sd-bus, dbus-daemon",
		"sdbus", "libsystemd-dev", WAITING_SLEEPING, false },
	[PEER_ZMQ_REQ_REP] = { "zmq-req-rep", "ZeroMQ, req-rep",
		"zmq", "libzmq3-dev", WAITING_SLEEPING, false },
	[PEER_ZMQ_DEALER_ROUTER] = { "zmq-dealer-router", "ZeroMQ, dealer-router",
		"zmq", "libzmq3-dev", WAITING_SLEEPING, false },
	[PEER_CAPNP] = { "capnp", "Cap'n Proto RPC",
		"capnp", "libcapnp-dev capnproto", WAITING_SLEEPING, false },
	[PEER_GRPC_STREAM] = { "grpc-stream", "gRPC, stream",
		"grpc", "libgrpc++-dev protobuf-compiler-grpc", WAITING_SLEEPING, false },
	[PEER_GRPC_SYNC] = { "grpc-sync", "gRPC, sync",
		"grpc", "libgrpc++-dev protobuf-compiler-grpc", WAITING_SLEEPING, false },
	[PEER_NNG] = { "nng", "nng, req-rep",
		"nng", "libnng-dev", WAITING_SLEEPING, false },
	[PEER_NATS] = { "nats", "NATS, request",
		"nats", "libnats-dev nats-server", WAITING_SLEEPING, false },
	[PEER_CELLDB] = { "celldb", "celldb",
		"celldb", "", WAITING_TABLE, false },
	[PEER_SQLITE] = { "sqlite", "SQLite, WAL, FULL",
		"sqlite", "libsqlite3-dev", WAITING_TABLE, false },
	[PEER_SQLITE_BUSY] = { "sqlite-busy", "SQLite, by busy_timeout",
		"sqlite", "libsqlite3-dev", WAITING_TABLE, false },
	[PEER_REDIS] = { "redis", "Redis, appendfsync always",
		"redis", "redis-server libhiredis-dev", WAITING_TABLE, false },
	[PEER_POSTGRES] = { "postgres", "PostgreSQL",
		"postgres", "postgresql libpq-dev", WAITING_TABLE, false },
	[PEER_NODE] = { "node", "a Cell node",
		"node", "", WAITING_FLOOR, false },
};
/* clang-format on */

static const char *const metric_names[METRIC_COUNT] = {
	[METRIC_P50_US] = "p50_us",
	[METRIC_P99_US] = "p99_us",
	[METRIC_P999_US] = "p999_us",
	[METRIC_CPU_US] = "cpu_us",
	[METRIC_CORES] = "cores",
	[METRIC_CALLS_PER_S] = "calls_per_s",
	[METRIC_PIPELINED_CALLS_PER_S] = "pipelined_calls_per_s",
	[METRIC_PIPELINED_CPU_US] = "pipelined_cpu_us",
	[METRIC_PIPELINED_CORES] = "pipelined_cores",
	[METRIC_BLOB_MB_PER_S] = "blob_mb_per_s",
	[METRIC_BLOB_CORES] = "blob_cores",
	[METRIC_PAYLOAD_1GIB_MS] = "payload_1gib_ms",
	[METRIC_CONNECT_US] = "connect_us",
	[METRIC_SPAWN_CALL_MS] = "spawn_call_ms",
	[METRIC_IDLE_WAKEUPS] = "idle_wakeups",
	[METRIC_CELL_MIB] = "cell_mib",
	[METRIC_CORE_MIB] = "core_mib",
	[METRIC_CELLS_STARTED] = "cells_started",
	[METRIC_CELLS_REACHED] = "cells_reached",
	[METRIC_CELLS_GIB] = "cells_gib",
	[METRIC_CELL_KERNEL_MIB] = "cell_kernel_mib",
	[METRIC_CORE_FULL_MIB] = "core_full_mib",
	[METRIC_CELLS_START_S] = "cells_start_s",
	[METRIC_CELLS_REACH_S] = "cells_reach_s",
	[METRIC_CELLS_STOP_S] = "cells_stop_s",
	[METRIC_WRITES_1_PER_S] = "writes_1_per_s",
	[METRIC_WRITES_16_PER_S] = "writes_16_per_s",
	[METRIC_WRITES_64_PER_S] = "writes_64_per_s",
	[METRIC_WRITES_64_P99_US] = "writes_64_p99_us",
	[METRIC_READ_P50_US] = "read_p50_us",
	[METRIC_READ_P99_US] = "read_p99_us",
	[METRIC_SCAN_ROWS_PER_S] = "scan_rows_per_s",
	[METRIC_TRANSFER_P50_US] = "transfer_p50_us",
	[METRIC_TRANSFER_P99_US] = "transfer_p99_us",
};

static const char *const stage_names[STAGE_COUNT] = {
	[STAGE_UNPINNED] = "unpinned", [STAGE_ONE_CPU] = "one-cpu",
	[STAGE_TWO_CPUS] = "two-cpus", [STAGE_LOADED] = "loaded",
	[STAGE_PAIRS] = "pairs",       [STAGE_TABLE] = "table",
	[STAGE_NODE] = "node",
};

const struct peer *catalog_peer(enum peer_id id)
{
	return &peers[id];
}

static bool is_name(const char *name, const char *text, size_t length)
{
	return strlen(name) == length && memcmp(name, text, length) == 0;
}

enum peer_id catalog_find_peer(const char *name, size_t length)
{
	for (enum peer_id id = 0; id < PEER_COUNT; id++)
		if (is_name(peers[id].name, name, length))
			return id;
	return PEER_COUNT;
}

const char *catalog_metric_name(enum metric metric)
{
	return metric_names[metric];
}

enum metric catalog_find_metric(const char *name, size_t length)
{
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++)
		if (is_name(metric_names[metric], name, length))
			return metric;
	return METRIC_COUNT;
}

const char *catalog_stage_name(enum stage stage)
{
	return stage_names[stage];
}

bool catalog_has(enum peer_id id, enum stage stage)
{
	bool is_table = peers[id].waiting == WAITING_TABLE;

	switch (stage) {
	case STAGE_TABLE: return is_table;
	case STAGE_UNPINNED: return !is_table && id != PEER_NODE;
	case STAGE_ONE_CPU:
	case STAGE_TWO_CPUS:
		/* The codec has one process, and the one-way ring no closed loop. */
		return id == PEER_CACHE_LINE || id == PEER_EVENTFD ||
		       (!is_table && peers[id].waiting != WAITING_FLOOR);
	case STAGE_LOADED:
	case STAGE_PAIRS: return peers[id].is_loaded;
	default: return id == PEER_NODE;
	}
}
