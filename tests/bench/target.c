#include "target.h"

#include <math.h>

/* clang-format off */
#define AT(peer, stage, metric) { PEER_##peer, STAGE_##stage, METRIC_##metric }
#define AT_MOST	 .is_at_most = true, .bound
#define AT_LEAST .is_at_most = false, .bound
#define RATIO(a, b) .over = a, .is_ratio = true, .under = b

/* How many times slower PEER's closed loop is than Cell's. */
#define SLOWER(peer) RATIO(AT(peer, UNPINNED, P50_US), AT(CELL, UNPINNED, P50_US))

static const struct target targets[] = {
	{ 1, "p50, Cell / spinning ring",
	  RATIO(AT(CELL, UNPINNED, P50_US), AT(RING_SPIN, UNPINNED, P50_US)), AT_MOST = 1.3 },
	{ 1, "the same, with generated codecs",
	  RATIO(AT(CELL, UNPINNED, P50_US), AT(RING_SPIN, UNPINNED, P50_US)), AT_MOST = 0.9 },
	{ 1, "the same, on two CPUs",
	  RATIO(AT(CELL, TWO_CPUS, P50_US), AT(RING_SPIN, TWO_CPUS, P50_US)), AT_MOST = 1.3 },
	{ 1, "p50, Unix socket / Cell", SLOWER(UNIX), AT_LEAST = 8 },
	{ 2, "p99, Cell / Unix socket",
	  RATIO(AT(CELL, UNPINNED, P99_US), AT(UNIX, UNPINNED, P99_US)), AT_MOST = 0.1 },
	{ 3, "p50, sleeping Cell / Unix socket",
	  RATIO(AT(CELL_SLEEP, UNPINNED, P50_US), AT(UNIX, UNPINNED, P50_US)), AT_MOST = 0.75 },
	{ 3, "the same, on one CPU",
	  RATIO(AT(CELL_SLEEP, ONE_CPU, P50_US), AT(UNIX, ONE_CPU, P50_US)), AT_MOST = 0.75 },
	{ 3, "the same, on two CPUs",
	  RATIO(AT(CELL_SLEEP, TWO_CPUS, P50_US), AT(UNIX, TWO_CPUS, P50_US)), AT_MOST = 0.75 },
	{ 3, "CPU per call, sleeping Cell / Unix socket",
	  RATIO(AT(CELL_SLEEP, UNPINNED, CPU_US), AT(UNIX, UNPINNED, CPU_US)), AT_MOST = 0.7 },
	{ 3, "the same, on one CPU",
	  RATIO(AT(CELL_SLEEP, ONE_CPU, CPU_US), AT(UNIX, ONE_CPU, CPU_US)), AT_MOST = 0.7 },
	{ 3, "p50, sd-bus direct / sleeping Cell",
	  RATIO(AT(SDBUS_DIRECT, UNPINNED, P50_US), AT(CELL_SLEEP, UNPINNED, P50_US)),
	  AT_LEAST = 3 },
	{ 4, "p50, sd-bus direct / Cell", SLOWER(SDBUS_DIRECT), AT_LEAST = 18 },
	{ 4, "p50, Cap'n Proto / Cell", SLOWER(CAPNP), AT_LEAST = 45 },
	{ 4, "p50, ZeroMQ req-rep / Cell", SLOWER(ZMQ_REQ_REP), AT_LEAST = 45 },
	{ 4, "p50, ZeroMQ dealer-router / Cell", SLOWER(ZMQ_DEALER_ROUTER), AT_LEAST = 45 },
	{ 4, "p50, dbus-broker / Cell", SLOWER(DBUS_BROKER), AT_LEAST = 45 },
	{ 4, "p50, nng / Cell", SLOWER(NNG), AT_LEAST = 80 },
	{ 4, "p50, gRPC sync / Cell", SLOWER(GRPC_SYNC), AT_LEAST = 120 },
	{ 4, "p50, NATS / Cell", SLOWER(NATS), AT_LEAST = 120 },
	{ 5, "pipelined calls/s, Cell / Unix socket",
	  RATIO(AT(CELL, UNPINNED, PIPELINED_CALLS_PER_S),
		AT(UNIX, UNPINNED, PIPELINED_CALLS_PER_S)), AT_LEAST = 1.2 },
	{ 5, "pipelined calls/s, Cell / ZeroMQ dealer-router",
	  RATIO(AT(CELL, UNPINNED, PIPELINED_CALLS_PER_S),
		AT(ZMQ_DEALER_ROUTER, UNPINNED, PIPELINED_CALLS_PER_S)), AT_LEAST = 6 },
	{ 5, "pipelined calls/s, Cell / Cap'n Proto",
	  RATIO(AT(CELL, UNPINNED, PIPELINED_CALLS_PER_S),
		AT(CAPNP, UNPINNED, PIPELINED_CALLS_PER_S)), AT_LEAST = 100 },
	{ 5, "pipelined calls/s, Cell (high goal)",
	  .over = AT(CELL, UNPINNED, PIPELINED_CALLS_PER_S), AT_LEAST = 5e6 },
	{ 6, "CPU per pipelined call, sleeping Cell / Unix socket",
	  RATIO(AT(CELL_SLEEP, UNPINNED, PIPELINED_CPU_US),
		AT(UNIX, UNPINNED, PIPELINED_CPU_US)), AT_MOST = 1 },
	{ 7, "1 MiB, Cell / Unix socket",
	  RATIO(AT(CELL, UNPINNED, BLOB_MB_PER_S), AT(UNIX, UNPINNED, BLOB_MB_PER_S)),
	  AT_LEAST = 2 },
	{ 7, "1 MiB, Cell / gRPC sync",
	  RATIO(AT(CELL, UNPINNED, BLOB_MB_PER_S), AT(GRPC_SYNC, UNPINNED, BLOB_MB_PER_S)),
	  AT_LEAST = 20 },
	{ 7, "1 GiB in a payload, handed over, ms", .over = AT(CELL, UNPINNED, PAYLOAD_1GIB_MS),
	  AT_MOST = 50 },
	{ 8, "loaded machine, p50, Cell / sleeping ring, every round",
	  RATIO(AT(CELL, LOADED, P50_US), AT(RING_SLEEP, LOADED, P50_US)), AT_MOST = 1.2,
	  JUDGED_WORST },
	{ 8, "busy pairs, calls/s, Cell / sleeping Cell, every round",
	  RATIO(AT(CELL, PAIRS, CALLS_PER_S), AT(CELL_SLEEP, PAIRS, CALLS_PER_S)), AT_LEAST = 1,
	  JUDGED_WORST },
	{ 9, "connect to a running cell, us", .over = AT(NODE, NODE, CONNECT_US),
	  AT_MOST = 150 },
	{ 9, "first call to a cell that must be spawned, ms",
	  .over = AT(NODE, NODE, SPAWN_CALL_MS), AT_MOST = 30 },
	{ 10, "wake-ups of an idle cell", .over = AT(NODE, NODE, IDLE_WAKEUPS), AT_MOST = 0 },
	{ 10, "an idle cell with its sandbox and kernel memory, MiB",
	  .over = AT(NODE, NODE, CELL_MIB), AT_MOST = 2 },
	{ 10, "cellcore, MiB", .over = AT(NODE, NODE, CORE_MIB), AT_MOST = 3 },
	{ 10, "1,000 idle cells, GiB", .over = AT(NODE, NODE, CELLS_GIB), AT_MOST = 1 },
	{ 10, "idle cells that still answer / all",
	  RATIO(AT(NODE, NODE, CELLS_REACHED), AT(NODE, NODE, CELLS_STARTED)), AT_LEAST = 1 },
	{ 13, "durable writes/s, 64 clients, celldb / SQLite",
	  RATIO(AT(CELLDB, TABLE, WRITES_64_PER_S), AT(SQLITE, TABLE, WRITES_64_PER_S)),
	  AT_LEAST = 4 },
	{ 13, "durable writes/s, 64 clients, celldb / Redis",
	  RATIO(AT(CELLDB, TABLE, WRITES_64_PER_S), AT(REDIS, TABLE, WRITES_64_PER_S)),
	  AT_LEAST = 4 },
	{ 14, "row read by its key, p50, celldb, us", .over = AT(CELLDB, TABLE, READ_P50_US),
	  AT_MOST = 2 },
	{ 14, "row read by its key, p50, Redis GET / celldb",
	  RATIO(AT(REDIS, TABLE, READ_P50_US), AT(CELLDB, TABLE, READ_P50_US)), AT_LEAST = 5 },
};
/* clang-format on */

size_t target_count(void)
{
	return sizeof targets / sizeof *targets;
}

const struct target *target_at(size_t index)
{
	return &targets[index];
}

static double figure_value(const struct results *results, struct figure figure,
			   unsigned round)
{
	return results_value(results, figure.peer, figure.stage, figure.metric, round);
}

/* The best of a peer's placements in one round: what someone who pinned it would see. */
static double figure_best(const struct results *results, struct figure figure, unsigned round)
{
	double best = figure_value(results, figure, round);

	for (enum stage stage = STAGE_UNPINNED; stage <= STAGE_TWO_CPUS; stage++)
		best = fmin(best,
			    results_value(results, figure.peer, stage, figure.metric, round));
	return best;
}

static bool is_cell(enum peer_id peer)
{
	return peer == PEER_CELL || peer == PEER_CELL_SLEEP;
}

/* Of closed loops only: the other phases are not measured pinned. */
static bool has_strict(const struct target *target)
{
	return target->is_ratio && target->over.stage == STAGE_UNPINNED &&
	       target->over.metric <= METRIC_CPU_US;
}

static struct summary target_measure(const struct target *target,
				     const struct results *results, bool is_strict)
{
	double values[RESULT_ROUNDS_MAX];

	for (unsigned round = 0; round < results->n_rounds; round++) {
		double over = figure_value(results, target->over, round);
		double under = 1;

		if (target->is_ratio)
			under = figure_value(results, target->under, round);
		if (is_strict && is_cell(target->over.peer))
			under = figure_best(results, target->under, round);
		else if (is_strict)
			over = figure_best(results, target->over, round);
		values[round] = under > 0 ? over / under : NAN;
	}
	return summary_of(values, results->n_rounds);
}

struct verdict target_judge(const struct target *target, const struct results *results)
{
	struct verdict verdict = { .measured = target_measure(target, results, false) };
	double value = verdict.measured.median;

	if (verdict.measured.n == 0)
		return verdict;
	if (has_strict(target))
		verdict.strict = target_measure(target, results, true);
	if (target->judged == JUDGED_WORST)
		value = target->is_at_most ? verdict.measured.max : verdict.measured.min;
	verdict.is_reached =
		target->is_at_most ? value <= target->bound : value >= target->bound;
	return verdict;
}
