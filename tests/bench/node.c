/*
 * What a running node costs: connecting, the first call to a cell that must be spawned in
 * its sandbox, and cells that do nothing. Prints result lines, as the peers do.
 *
 * It makes a node of its own, and looks at its processes from outside. The calls are those
 * of node_calls, which runs as a process of its own and is gone while cells idle.
 */
#include "node.h"
#include "bench.h"
#include "proc.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CELLS_MAX     1024            /* the most instances a manifest may ask for */
#define PROCESSES_MAX (3 * CELLS_MAX) /* a cell and its sandbox */
#define STOP_MS       30000
#define GONE_MS       10000 /* from the end of cellcore to that of all it started */
#define LIMIT_S       300   /* of the whole program */

struct node {
	char dir[96];  /* all of it; removed at the end */
	char name[32]; /* ours alone, as are its control groups */
	unsigned cells;
	unsigned settle_ms; /* before cells count as idle */
	unsigned idle_ms;   /* how long they are watched */
	pid_t core;
};

/* What the node and its cells hold. */
struct footprint {
	uint64_t core_bytes;
	uint64_t cell_bytes; /* all of them */
	uint64_t kernel_bytes;
	uint64_t wakeups;
	size_t n_processes;
};

static pid_t processes[PROCESSES_MAX]; /* of the node, when last looked at */

static void wait_ms(unsigned ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* ---- Making a node --------------------------------------------------------------- */

static void manifest_write(const struct node *node, const char *cell)
{
	char file[64];

	(void)snprintf(file, sizeof file, "%s.cell", cell);
	bench_write_file(node->dir, file,
			 "[cell]\nname = %s\nsummary = answers the benchmark\n"
			 "exec = %s/tests/bench/bench_cell\nmax-instances = %d\n",
			 cell, bench_build_dir(), CELLS_MAX);
}

/* One client starts and reaches them all: more than an owner may by default. */
static void conf_write(const struct node *node)
{
	bench_write_file(node->dir, "node.conf",
			 "[node]\nname = %s\ncells = %s\n"
			 "[quota owner]\nconnections = 4096\nring-bytes = 1G\n"
			 "pending = 1024\nactivations = 100000\n",
			 node->name, node->dir);
}

static void node_make(struct node *node)
{
	const char *tmp = getenv("TMPDIR");
	char cell[32];

	(void)snprintf(node->dir, sizeof node->dir, "%s/cell-bench-XXXXXX",
		       tmp ? tmp : "/tmp");
	if (!mkdtemp(node->dir))
		bench_die("no private folder '%s': %s", node->dir, strerror(errno));
	(void)snprintf(node->name, sizeof node->name, "bench-%d", (int)getpid());
	conf_write(node);
	manifest_write(node, NODE_IDLE_CELL);
	for (unsigned i = 0; i < NODE_CALL_CELLS; i++) {
		(void)snprintf(cell, sizeof cell, "spawn-%u", i);
		manifest_write(node, cell);
	}
	(void)setenv("CELL_RUNDIR", node->dir, 1);
	(void)setenv("CELL_LOG", "err", 1);
	(void)unsetenv("CELL_WAKE");
}

/* ---- Processes ------------------------------------------------------------------- */

/*
 * Start PROGRAM of the build. What cellcore says goes to our stderr: only what measures may
 * write to stdout, which is for results.
 */
static pid_t program_start(const char *program, const char *const arguments[], bool is_core)
{
	char path[512];
	pid_t parent = getpid();
	pid_t pid;

	(void)snprintf(path, sizeof path, "%s/%s", bench_build_dir(), program);
	(void)fflush(stdout);
	pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (pid == 0) {
		/* cellcore takes its cells along when it is asked to end. */
		(void)prctl(PR_SET_PDEATHSIG, is_core ? SIGTERM : SIGKILL);
		if (getppid() != parent)
			_exit(1);
		if (is_core)
			(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)execv(path, (char *const *)(uintptr_t)arguments);
		bench_die("starting %s: %s", path, strerror(errno));
	}
	return pid;
}

static bool calls_run(const char *what, const char *number)
{
	const char *arguments[] = { "node_calls", what, number, NULL };
	pid_t pid = program_start("tests/bench/node_calls", arguments, false);
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static void core_start(struct node *node)
{
	const char *arguments[] = { "cellcore", "--rundir", node->dir, NULL };
	char path[128];

	node->core = program_start("bin/cellcore", arguments, true);
	(void)snprintf(path, sizeof path, "%s/core.sock", node->dir);
	bench_await_listener(path, SOCK_SEQPACKET);
}

static bool core_stops(const struct node *node)
{
	(void)kill(node->core, SIGTERM);
	for (unsigned ms = 0; ms < STOP_MS; ms += 10) {
		if (waitpid(node->core, NULL, WNOHANG) == node->core)
			return true;
		wait_ms(10);
	}
	(void)kill(node->core, SIGKILL);
	(void)waitpid(node->core, NULL, 0);
	return false;
}

/* Control groups of the node that are still there; they are removed. */
static size_t groups_remove(const struct node *node)
{
	char pattern[128];
	glob_t found;
	size_t n = 0;

	(void)snprintf(pattern, sizeof pattern, "/sys/fs/cgroup/{cell,*/cell}/%s{,-*}",
		       node->name);
	if (glob(pattern, GLOB_BRACE, NULL, &found) == 0) {
		n = found.gl_pathc;
		for (size_t i = 0; i < n; i++)
			tree_remove(found.gl_pathv[i]);
		globfree(&found);
	}
	return n;
}

/* What was killed is there a little longer: those of the N that are still there then. */
static size_t processes_await(size_t n)
{
	size_t left = n;

	for (unsigned ms = 0; left > 0 && ms < GONE_MS; ms += 10) {
		while (left > 0 && kill(processes[left - 1], 0) < 0)
			left--;
		if (left > 0)
			wait_ms(10);
	}
	for (size_t i = 0; i < left; i++)
		(void)kill(processes[i], SIGKILL);
	return left;
}

/* A node takes its cells with it. Where it does not, nothing of ours stays, and we say so. */
static bool node_stop(const struct node *node)
{
	size_t n = proc_tree(node->core, processes, PROCESSES_MAX);
	uint64_t began = bench_now_ns();
	bool has_stopped = core_stops(node);
	size_t n_groups;
	size_t left;

	bench_result("node", "cells_stop_s", (double)(bench_now_ns() - began) / 1e9);
	left = processes_await(n);
	n_groups = groups_remove(node);
	tree_remove(node->dir);
	if (has_stopped && left == 0 && n_groups == 0)
		return true;
	fprintf(stderr,
		"level=err event=stop ended=%d processes_left=%zu of=%zu groups_left=%zu\n",
		(int)has_stopped, left, n, n_groups);
	return false;
}

/* ---- Idle cells ------------------------------------------------------------------ */

static struct footprint node_footprint(const struct node *node)
{
	struct footprint footprint = {
		.core_bytes = proc_memory_bytes(node->core),
		.kernel_bytes = proc_kernel_bytes(),
		.n_processes = proc_tree(node->core, processes, PROCESSES_MAX),
	};

	for (size_t i = 0; i < footprint.n_processes; i++) {
		footprint.cell_bytes += proc_memory_bytes(processes[i]);
		footprint.wakeups += proc_wakeups(processes[i]);
	}
	return footprint;
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* Growth of the kernel's memory may be negative where others gave memory back. */
static double mib_grown(const struct footprint *before, const struct footprint *after)
{
	double grown = mib(after->cell_bytes) - mib(before->cell_bytes) +
		       mib(after->kernel_bytes) - mib(before->kernel_bytes);

	return grown > 0 ? grown : 0;
}

/* Per cell, and so that 1,000 of them are what 1,000 would take where fewer were started. */
static void footprint_report(const struct node *node, const struct footprint *empty,
			     const struct footprint *full)
{
	double cells_mib = mib_grown(empty, full);

	bench_result("node", "cell_mib", cells_mib / node->cells);
	bench_result("node", "cell_kernel_mib",
		     (mib(full->kernel_bytes) - mib(empty->kernel_bytes)) / node->cells);
	bench_result("node", "core_full_mib", mib(full->core_bytes));
	bench_result("node", "cells_gib",
		     (cells_mib / node->cells * 1000 + mib(full->core_bytes)) / 1024);
}

static bool idle_measure(const struct node *node)
{
	struct footprint empty = node_footprint(node);
	struct footprint full;
	struct footprint later;
	char number[16];

	bench_result("node", "core_mib", mib(empty.core_bytes));
	(void)snprintf(number, sizeof number, "%u", node->cells);
	if (!calls_run("start", number))
		return false;
	wait_ms(node->settle_ms);
	full = node_footprint(node);
	wait_ms(node->idle_ms);
	later = node_footprint(node);
	if (full.n_processes < node->cells || later.n_processes != full.n_processes) {
		fprintf(stderr, "level=err event=idle cells=%u processes=%zu later=%zu\n",
			node->cells, full.n_processes, later.n_processes);
		return false;
	}
	bench_result("node", "idle_wakeups",
		     (double)(later.wakeups - full.wakeups) / node->cells);
	footprint_report(node, &empty, &full);
	return calls_run("reach", NULL);
}

/* ---- Options --------------------------------------------------------------------- */

static __attribute__((noreturn)) void usage(void)
{
	fprintf(stderr,
		"usage: node [--cells=N] [--settle-ms=N] [--idle-ms=N]\n"
		"At most %d cells.\n",
		CELLS_MAX);
	exit(2);
}

static unsigned parse_number(const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || number < min || number > max)
		usage();
	return (unsigned)number;
}

static struct node options_read(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cells", required_argument, NULL, 'n' },
		{ "settle-ms", required_argument, NULL, 't' },
		{ "idle-ms", required_argument, NULL, 'i' },
		{ 0 },
	};
	struct node node = { .cells = 100, .settle_ms = 2000, .idle_ms = 5000 };

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 'n': node.cells = parse_number(optarg, 1, CELLS_MAX); break;
		case 't': node.settle_ms = parse_number(optarg, 0, 60000); break;
		case 'i': node.idle_ms = parse_number(optarg, 0, 60000); break;
		default: usage();
		}
	}
	if (optind != argc)
		usage();
	return node;
}

int main(int argc, char **argv)
{
	struct node node = options_read(argc, argv);
	bool is_good;

	(void)alarm(LIMIT_S);
	node_make(&node);
	core_start(&node);
	is_good = calls_run("calls", NULL);
	is_good = idle_measure(&node) && is_good;
	is_good = node_stop(&node) && is_good;
	return !is_good;
}
