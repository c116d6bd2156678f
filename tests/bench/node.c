/*
 * What a running node costs: connecting, the first call to a cell that must be spawned,
 * and cells that do nothing. Prints result lines, as the peers do.
 *
 * It knows the node only by commands, so that it measures from outside what a user would
 * see, and links nothing of what it measures. In a command `{}` is the number of a cell.
 */
#include "bench.h"
#include "proc.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CELLS_MAX     2000
#define PROCESSES_MAX (4 * CELLS_MAX) /* a cell and its sandbox */
#define READY_MS      10000
#define STOP_MS       10000
#define COMMAND_MAX   1024
#define LIMIT_S       600 /* of the whole program */

struct node {
	const char *up;    /* stays in the foreground: cellcore */
	const char *ready; /* succeeds as soon as the node takes orders */
	const char *start; /* start cell {}, return when it is ready */
	const char *reach; /* succeeds if cell {} answers a call */
	const char *calls; /* measures connect_us and spawn_call_ms, prints results */
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

/* ---- Commands -------------------------------------------------------------------- */

static void command_fill(char ret_text[COMMAND_MAX], const char *command, unsigned number)
{
	size_t used = 0;

	for (const char *at = command; *at; at++) {
		int n = 1;

		if (at[0] == '{' && at[1] == '}') {
			n = snprintf(ret_text + used, COMMAND_MAX - used, "%u", number);
			at++;
		} else {
			ret_text[used] = *at;
		}
		used += (size_t)n;
		if (used >= COMMAND_MAX - 16)
			bench_die("command too long: %s", command);
	}
	ret_text[used] = '\0';
}

/* Only what measures may write to our stdout: it is for results. */
static pid_t command_start(const char *command, unsigned number, bool is_measuring)
{
	char text[COMMAND_MAX];
	pid_t pid;

	command_fill(text, command, number);
	(void)fflush(stdout);
	pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!is_measuring)
			(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)execl("/bin/sh", "sh", "-c", text, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static bool pid_succeeds(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static bool command_succeeds(const char *command, unsigned number)
{
	return pid_succeeds(command_start(command, number, false));
}

/* ---- The node -------------------------------------------------------------------- */

static bool core_is_gone(const struct node *node)
{
	return waitpid(node->core, NULL, WNOHANG) == node->core;
}

static void node_start(struct node *node)
{
	uint64_t give_up = bench_now_ns() + READY_MS * UINT64_C(1000000);
	char exec[COMMAND_MAX];

	/* `exec`, so that the process that we watch is the node and not a shell. */
	(void)snprintf(exec, sizeof exec, "exec %s", node->up);
	node->core = command_start(exec, 0, false);
	while (node->ready && !command_succeeds(node->ready, 0)) {
		if (core_is_gone(node))
			bench_die("'%s' ended before it was ready", node->up);
		if (bench_now_ns() > give_up)
			bench_die("'%s' is not ready after %d ms", node->up, READY_MS);
		wait_ms(10);
	}
}

static void core_stop(struct node *node)
{
	(void)kill(node->core, SIGTERM);
	for (unsigned ms = 0; ms < STOP_MS; ms += 10) {
		if (core_is_gone(node))
			return;
		wait_ms(10);
	}
	(void)kill(node->core, SIGKILL);
	(void)waitpid(node->core, NULL, 0);
}

/* A node takes its cells with it. Where it does not, nothing of ours stays behind. */
static void node_stop(struct node *node)
{
	size_t n = proc_tree(node->core, processes, PROCESSES_MAX);
	unsigned left = 0;

	core_stop(node);
	for (size_t i = 0; i < n; i++)
		left += kill(processes[i], SIGKILL) == 0;
	if (left > 0)
		fprintf(stderr, "level=warn event=stop processes_left=%u of=%zu\n", left, n);
}

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

/* ---- Idle cells ------------------------------------------------------------------ */

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

static void idle_measure(struct node *node)
{
	struct footprint empty = node_footprint(node);
	struct footprint full;
	struct footprint later;
	unsigned started = 0;
	unsigned reached = 0;
	double cells_mib;

	while (started < node->cells && command_succeeds(node->start, started))
		started++;
	bench_result("node", "cells_started", started);
	if (started < node->cells)
		fprintf(stderr, "level=warn event=start cell=%u of=%u\n", started,
			node->cells);
	if (started == 0)
		return;

	wait_ms(node->settle_ms);
	full = node_footprint(node);
	wait_ms(node->idle_ms);
	later = node_footprint(node);
	if (later.n_processes != full.n_processes)
		bench_die("%zu processes became %zu while idle", full.n_processes,
			  later.n_processes);
	cells_mib = mib_grown(&empty, &full);
	bench_result("node", "idle_wakeups",
		     (double)(later.wakeups - full.wakeups) / started);
	bench_result("node", "cell_mib", cells_mib / started);
	bench_result("node", "cells_gib",
		     (cells_mib / started * 1000 + mib(full.core_bytes)) / 1024);

	for (unsigned i = 0; node->reach && i < started; i++)
		reached += command_succeeds(node->reach, i);
	if (node->reach)
		bench_result("node", "cells_reached", reached);
}

/* ---- Options --------------------------------------------------------------------- */

static __attribute__((noreturn)) void usage(void)
{
	fputs("usage: node --up=COMMAND [--ready=COMMAND] [--calls=COMMAND]\n"
	      "            [--start=COMMAND] [--reach=COMMAND] [--cells=N]\n"
	      "            [--settle-ms=N] [--idle-ms=N]\n"
	      "Without --up nothing is measured.\n",
	      stderr);
	exit(2);
}

static unsigned parse_number(const char *text, unsigned max)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end == text || *end || number > max)
		usage();
	return (unsigned)number;
}

static struct node options_read(int argc, char **argv)
{
	static const struct option options[] = {
		{ "up", required_argument, NULL, 'u' },
		{ "ready", required_argument, NULL, 'r' },
		{ "start", required_argument, NULL, 's' },
		{ "reach", required_argument, NULL, 'e' },
		{ "calls", required_argument, NULL, 'c' },
		{ "cells", required_argument, NULL, 'n' },
		{ "settle-ms", required_argument, NULL, 't' },
		{ "idle-ms", required_argument, NULL, 'i' },
		{ 0 },
	};
	struct node node = { .cells = 100, .settle_ms = 2000, .idle_ms = 3000 };

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (option) {
		case 'u': node.up = optarg; break;
		case 'r': node.ready = optarg; break;
		case 's': node.start = optarg; break;
		case 'e': node.reach = optarg; break;
		case 'c': node.calls = optarg; break;
		case 'n': node.cells = parse_number(optarg, CELLS_MAX); break;
		case 't': node.settle_ms = parse_number(optarg, 60000); break;
		case 'i': node.idle_ms = parse_number(optarg, 60000); break;
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

	if (!node.up)
		return 0;
	(void)alarm(LIMIT_S);
	node_start(&node);
	bench_result("node", "core_mib", mib(proc_memory_bytes(node.core)));
	if (node.calls && !pid_succeeds(command_start(node.calls, 0, true)))
		fprintf(stderr, "level=warn event=calls command=\"%s\" failed\n", node.calls);
	if (node.start)
		idle_measure(&node);
	node_stop(&node);
	return 0;
}
