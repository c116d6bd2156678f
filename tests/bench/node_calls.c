/*
 * The clients of a node that is measured: what a connection and a start on demand cost, and
 * many instances of one cell, started and reached.
 *
 *   node_calls calls      connect_us and spawn_call_ms, over the cells spawn-0 to spawn-19
 *   node_calls start N    N instances of the cell idle
 *   node_calls reach      call each of them once
 */
#include "bench.h"
#include "hist.h"
#include "node.h"

#include <bench.cell.h>
#include <cell/cell.h>
#include <core.cell.h>
#include <ops.cell.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define CONNECT_ROUNDS 5
#define START_WINDOW   8 /* starts at once: some for every CPU, no more than a quota allows */

static struct cell_call *call;

static void must(int err, const char *what)
{
	if (err)
		bench_die("%s: %s", what, cell_error(call)->text);
}

static double seconds_since(uint64_t began_ns)
{
	return (double)(bench_now_ns() - began_ns) / 1e9;
}

/* ---- One cell after the other ---------------------------------------------------- */

/* A client that has said hello to the node, and knows no cell yet. */
static void client_open(void)
{
	struct core_node_status status;

	call = cell_open("bench-client");
	must(core_status(call, &status), "joining the node");
}

static const char *cell_name(unsigned number)
{
	static char name[32];

	(void)snprintf(name, sizeof name, "spawn-%u", number);
	return name;
}

/* A first call to each cell: with the connecting, and the starting if it does not run. */
static void cells_call(struct hist *hist)
{
	for (unsigned i = 0; i < NODE_CALL_CELLS; i++) {
		struct cell_call *to = cell_to(call, cell_name(i), 0);
		struct bench_reply reply;
		uint64_t began = bench_now_ns();

		must(bench_echo(to, &(struct bench_request){ .text = BENCH_TEXT, .number = i },
				&reply),
		     "first call");
		hist_add(hist, bench_now_ns() - began);
		bench_check(reply.text, strlen(reply.text), i);
	}
}

static void cells_retire(void)
{
	struct core_instance_info gone;

	for (unsigned i = 0; i < NODE_CALL_CELLS; i++)
		must(core_retire(call, &(struct core_retire_request){ .cell = cell_name(i) },
				 &gone),
		     "retiring");
}

static void run_calls(void)
{
	static struct hist spawn;
	static struct hist connect;

	client_open();
	cells_call(&spawn);
	cell_close(call);
	for (unsigned i = 0; i < CONNECT_ROUNDS; i++) {
		client_open();
		cells_call(&connect);
		cell_close(call);
	}
	client_open();
	cells_retire();
	cell_close(call);
	bench_result("node", "spawn_call_ms", hist_percentile(&spawn, 0.5) / 1e6);
	bench_result("node", "connect_us", hist_percentile(&connect, 0.5) / 1e3);
}

/* ---- Many instances of one cell -------------------------------------------------- */

static void run_start(unsigned cells)
{
	const struct core_spawn_request request = { .cell = NODE_IDLE_CELL };
	struct core_spawn_future futures[START_WINDOW];
	uint64_t began = bench_now_ns();
	struct core_instance_info info;
	unsigned asked = 0;
	unsigned ready = 0;

	client_open();
	while (ready < cells) {
		while (asked < cells && asked < ready + START_WINDOW)
			futures[asked++ % START_WINDOW] = core_spawn_start(call, &request);
		if (core_spawn_wait(&futures[ready % START_WINDOW], &info) != 0) {
			fprintf(stderr, "level=warn event=start ready=%u of=%u reason=\"%s\"\n",
				ready, cells, cell_error(call)->text);
			break;
		}
		ready++;
	}
	bench_result("node", "cells_started", ready);
	bench_result("node", "cells_start_s", seconds_since(began));
	cell_close(call);
}

/* The reply is the request, so that nobody else's answer counts. */
static bool instance_answers(uint64_t instance)
{
	struct ops_ping_message ping = { .data = (const uint8_t *)&instance,
					 .n_data = sizeof instance };
	struct ops_ping_message pong;
	int err = ops_ping(cell_to(call, NODE_IDLE_CELL, instance), &ping, &pong);

	if (err)
		fprintf(stderr, "level=warn event=reach instance=%llu reason=\"%s\"\n",
			(unsigned long long)instance, cell_error(call)->text);
	return !err && pong.n_data == sizeof instance &&
	       memcmp(pong.data, &instance, sizeof instance) == 0;
}

static void run_reach(void)
{
	struct core_list_request list = { .cell = NODE_IDLE_CELL, .after_name = "" };
	uint64_t began = bench_now_ns();
	struct core_instance_page page;
	unsigned reached = 0;

	client_open();
	do {
		must(core_list_instances(call, &list, &page), "listing instances");
		for (size_t i = 0; i < page.n_instances; i++) {
			list.after = page.instances[i].instance;
			reached += instance_answers(list.after);
		}
	} while (page.more);
	bench_result("node", "cells_reached", reached);
	bench_result("node", "cells_reach_s", seconds_since(began));
	cell_close(call);
}

/* ---- Options --------------------------------------------------------------------- */

/* A connection has three descriptors, and the usual limit is 1,024. */
static void files_allow(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	files_allow();
	if (argc == 2 && strcmp(argv[1], "calls") == 0)
		run_calls();
	else if (argc == 3 && strcmp(argv[1], "start") == 0)
		run_start((unsigned)strtoul(argv[2], NULL, 10));
	else if (argc == 2 && strcmp(argv[1], "reach") == 0)
		run_reach();
	else
		bench_die("usage: node_calls calls | start N | reach");
	return 0;
}
