#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PHASES 6 /* of equal length */

static const unsigned clients[] = { 1, 16, 64 };

uint64_t table_done(struct table_run *run, uint64_t started_ns)
{
	uint64_t now = bench_now_ns();

	hist_add(&run->hist, now - started_ns);
	return now;
}

const char *table_dir(struct bench_pair *pair)
{
	static char path[480];
	const char *root = getenv("CELL_BENCH_DATA");

	if (path[0])
		return path;
	(void)snprintf(path, sizeof path, "%s/data-XXXXXX", root ? root : pair->dir);
	if (!mkdtemp(path))
		bench_die("no folder %s: %s", path, strerror(errno));
	return path;
}

/* ---- Phases ------------------------------------------------------------------------ */

static uint64_t phase_begin(struct table_run *run, unsigned ms)
{
	uint64_t now = bench_now_ns();

	run->end_ns = now + (uint64_t)ms * 1000000;
	hist_reset(&run->hist);
	return now;
}

static void result(const struct table_run *run, const char *metric, double value)
{
	bench_result(run->pair->variant->name, metric, value);
}

static void writes_measure(struct table_run *run, unsigned ms, const struct table_ops *ops)
{
	char metric[32];

	(void)phase_begin(run, ms / 8);
	ops->writes(run, clients[1]);
	for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
		uint64_t began = phase_begin(run, ms);
		double seconds;

		ops->writes(run, clients[i]);
		seconds = (double)(bench_now_ns() - began) / 1e9;
		(void)snprintf(metric, sizeof metric, "writes_%u_per_s", clients[i]);
		result(run, metric, (double)run->hist.count / seconds);
	}
	result(run, "writes_64_p99_us", hist_percentile(&run->hist, 0.99) / 1e3);
}

/* The first eighth warms up. */
static void reads_measure(struct table_run *run, unsigned ms, const struct table_ops *ops)
{
	uint64_t now = phase_begin(run, ms);
	uint64_t warm_ns = now + (uint64_t)ms * 1000000 / 8;

	while (now < run->end_ns) {
		bool is_warm = now >= warm_ns;
		uint64_t began = bench_now_ns();

		ops->read(run, table_random_id(&run->random));
		now = bench_now_ns();
		if (is_warm)
			hist_add(&run->hist, now - began);
	}
	result(run, "read_p50_us", hist_percentile(&run->hist, 0.5) / 1e3);
	result(run, "read_p99_us", hist_percentile(&run->hist, 0.99) / 1e3);
}

static void scan_measure(struct table_run *run, unsigned ms, const struct table_ops *ops)
{
	uint64_t began = phase_begin(run, ms);
	uint64_t now = began;
	size_t n_rows = 0;

	while (now < run->end_ns) {
		uint64_t last = TABLE_CITIES - TABLE_SCAN_CITIES + 1;
		uint32_t first = (uint32_t)(table_random(&run->random) % last);
		size_t n = ops->scan(run, first);

		if (n != TABLE_SCAN_ROWS)
			bench_die("a scan of %zu rows, not %d", n, TABLE_SCAN_ROWS);
		n_rows += n;
		now = bench_now_ns();
	}
	result(run, "scan_rows_per_s", (double)n_rows * 1e9 / (double)(now - began));
}

static void transfers_measure(struct table_run *run, unsigned ms, const struct table_ops *ops)
{
	uint64_t now = phase_begin(run, ms);

	while (now < run->end_ns) {
		uint64_t from = table_random_id(&run->random);

		ops->transfer(run, from, from % TABLE_ROWS + 1, 1);
		now = table_done(run, now);
	}
	result(run, "transfer_p50_us", hist_percentile(&run->hist, 0.5) / 1e3);
	result(run, "transfer_p99_us", hist_percentile(&run->hist, 0.99) / 1e3);
}

void table_measure(struct bench_pair *pair, unsigned ms, const struct table_ops *ops)
{
	static struct table_run run;

	run.pair = pair;
	run.random = bench_now_ns() | 1;
	ms /= PHASES;
	if (ops->writes)
		writes_measure(&run, ms, ops);
	if (ops->read)
		reads_measure(&run, ms, ops);
	if (ops->scan)
		scan_measure(&run, ms, ops);
	if (ops->transfer)
		transfers_measure(&run, ms, ops);
}

/* ---- Many connections, one thread -------------------------------------------------- */

static int poll_make(struct table_run *run, unsigned n,
		     const struct table_connections *connections)
{
	int poll_fd = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, connections->fd(run, i), &event) < 0)
			bench_die("epoll: %s", strerror(errno));
	}
	return poll_fd;
}

void table_clients_run(struct table_run *run, unsigned n,
		       const struct table_connections *connections)
{
	int poll_fd = poll_make(run, n, connections);
	struct epoll_event events[TABLE_CLIENTS_MAX];
	uint64_t started_ns[TABLE_CLIENTS_MAX];
	unsigned busy = n;

	for (unsigned i = 0; i < n; i++) {
		started_ns[i] = bench_now_ns();
		connections->send(run, i);
	}
	while (busy > 0) {
		int n_events = epoll_wait(poll_fd, events, TABLE_CLIENTS_MAX, -1);

		for (int e = 0; e < n_events; e++) {
			unsigned i = events[e].data.u32;

			if (!connections->receive(run, i))
				continue;
			started_ns[i] = table_done(run, started_ns[i]);
			if (started_ns[i] < run->end_ns)
				connections->send(run, i);
			else
				busy--;
		}
	}
	(void)close(poll_fd);
}
