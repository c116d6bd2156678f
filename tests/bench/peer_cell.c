/*
 * Cell itself, over its whole path: a node, a cell in its sandbox, generated stubs on both
 * sides, a deadline on every call. `cell` wakes as by default, `cell-sleep` sleeps at once,
 * `cell-spin` polls for long.
 */
#include "bench.h"

#include <bench.cell.h>
#include <cell/cell.h>
#include <core.cell.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAYLOAD_BYTES ((size_t)1 << 30)

static struct cell_call *call;

static void must(int err, const char *what)
{
	if (err)
		bench_die("%s: %s", what, cell_error(call)->text);
}

static void cell_prepare(struct bench_pair *pair)
{
	static const char *const modes[] = { "adaptive", "sleep", "spin" };
	const char *build = bench_build_dir();
	const char *argv[] = { "cellcore", "--rundir", pair->dir, NULL };
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/bin:%s", build, getenv("PATH"));
	(void)setenv("PATH", path, 1);
	(void)setenv("CELL_WAKE", modes[pair->variant->mode], 1);
	(void)setenv("CELL_RUNDIR", pair->dir, 1);
	(void)setenv("CELL_LOG", "err", 1);
	(void)chmod(pair->dir, 0700);
	/* Pairs that run at once share no control groups. */
	bench_write_file(pair->dir, "node.conf", "[node]\nname = bench-%d\ncells = %s\n",
			 (int)getpid(), pair->dir);
	bench_write_file(pair->dir, "bench.cell",
			 "[cell]\nname = bench\nsummary = answers the benchmark\n"
			 "exec = %s/tests/bench/bench_cell\n[limits]\npayload = 1G\n",
			 build);
	bench_broker(pair, "cell", argv, -1);
}

static void cell_connect_(struct bench_pair *pair)
{
	struct core_list_request all = { .cell = "bench", .after_name = "" };
	struct core_instance_page page;
	struct bench_reply reply;
	char path[128];

	(void)snprintf(path, sizeof path, "%s/cells/bench.sock", pair->dir);
	bench_await_socket(path);
	call = cell_open("bench-client");
	must(bench_echo(call, &(struct bench_request){ .text = BENCH_TEXT }, &reply), "first call");
	must(core_list_instances(call, &all, &page), "listing instances");
	if (page.n_instances != 1)
		bench_die("%zu instances of one cell", page.n_instances);
	bench_account(pair, (pid_t)page.instances[0].pid);
}

static void cell_call_(struct bench_pair *pair, uint64_t number)
{
	struct cell_arena_mark mark = cell_mark(call);
	struct bench_request request = { .text = BENCH_TEXT, .number = number };
	struct bench_reply reply;

	(void)pair;
	must(bench_echo(call, &request, &reply), "call");
	bench_check(reply.text, strlen(reply.text), number);
	cell_rewind(call, mark);
}

static void cell_pipeline(struct bench_pair *pair, uint64_t first, size_t n_calls)
{
	struct bench_echo_future futures[BENCH_WINDOW];
	struct bench_reply reply;

	(void)pair;
	for (size_t done = 0; done < n_calls; done += BENCH_WINDOW) {
		struct cell_arena_mark mark = cell_mark(call);

		for (size_t i = 0; i < BENCH_WINDOW; i++)
			futures[i] = bench_echo_start(call, &(struct bench_request){
				.text = BENCH_TEXT, .number = first + done + i });
		for (size_t i = 0; i < BENCH_WINDOW; i++) {
			must(bench_echo_wait(&futures[i], &reply), "call");
			bench_check(reply.text, strlen(reply.text), first + done + i);
		}
		cell_rewind(call, mark);
	}
}

/* One gigabyte that was born in a payload: only its descriptor travels. */
static void measure_payload(void)
{
	static struct cell_ref ref = CELL_REF("bench");
	struct cell_payload *payload = cell_payload_new(call, PAYLOAD_BYTES - 16);
	const struct cell_method *store = &bench_service.methods[1];
	struct bench_stored stored;
	uint64_t began;

	if (!payload) {
		printf("# 1 GiB payload: %s\n", cell_error(call)->text);
		return;
	}
	began = bench_now_ns();
	must(cell_invoke_payload(call, &ref, store, payload, &stored), "payload");
	bench_result("cell", "payload_1gib_ms", (double)(bench_now_ns() - began) / 1e6);
	if (stored.size_bytes != PAYLOAD_BYTES - 16)
		bench_die("%llu bytes arrived", (unsigned long long)stored.size_bytes);
	cell_payload_free(payload);
}

static void cell_store_(struct bench_pair *pair, const uint8_t *data, size_t size)
{
	static bool has_measured;
	struct cell_arena_mark mark = cell_mark(call);
	struct bench_stored stored;

	if (!has_measured && pair->variant->mode == 0 && pair->placement == BENCH_UNPINNED)
		measure_payload();
	has_measured = true;
	must(bench_store(call, &(struct bench_blob){ .n_data = size, .data = data }, &stored),
	     "store");
	if (stored.size_bytes != size)
		bench_die("%llu bytes arrived", (unsigned long long)stored.size_bytes);
	cell_rewind(call, mark);
}

#define VARIANT(text, number)                                                            \
	{                                                                                \
		.name = (text), .mode = (number), .prepare = cell_prepare,               \
		.connect = cell_connect_, .call = cell_call_, .pipeline = cell_pipeline, \
		.store = cell_store_                                                     \
	}

static const struct bench_variant variants[] = {
	VARIANT("cell", 0),
	VARIANT("cell-sleep", 1),
	VARIANT("cell-spin", 2),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, variants, sizeof variants / sizeof *variants);
}
