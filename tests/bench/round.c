#include "round.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS       30000 /* beyond its phases; a peer's own alarm() is earlier */
#define STOP_MS        10000 /* for a program that is asked to end */
#define LOAD_MAX       64
#define LOAD_LIMIT_S   120 /* a busy loop ends by itself after this */
#define ARGUMENT_MAX   32
#define NODE_LIMIT_S   330 /* its own alarm() is earlier */

struct run {
	pid_t pid;
	int fd;
	bool has_ended; /* and was waited for */
	char line[256];
	size_t length;
};

static pid_t loads[LOAD_MAX];
static size_t n_loads;

static void child_init(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

/* ---- Starting -------------------------------------------------------------------- */

static void arguments_fill(char text[][ARGUMENT_MAX], const char *argv[], enum peer_id peer,
			   enum stage stage, const struct durations *d)
{
	static const char *const placements[STAGE_COUNT] = {
		[STAGE_UNPINNED] = "unpinned", [STAGE_ONE_CPU] = "one",
		[STAGE_TWO_CPUS] = "two",      [STAGE_LOADED] = "unpinned",
		[STAGE_PAIRS] = "unpinned",    [STAGE_TABLE] = "unpinned",
		[STAGE_NODE] = "unpinned",
	};
	bool is_whole = stage == STAGE_UNPINNED;
	bool is_loaded = stage == STAGE_LOADED || stage == STAGE_PAIRS;
	unsigned closed = is_whole              ? d->closed
			  : is_loaded            ? d->loaded
			  : stage == STAGE_TABLE ? d->table
						 : d->placed;
	size_t n = 0;

	(void)snprintf(text[n++], ARGUMENT_MAX, "--variant=%s", catalog_peer(peer)->name);
	(void)snprintf(text[n++], ARGUMENT_MAX, "--placement=%s", placements[stage]);
	(void)snprintf(text[n++], ARGUMENT_MAX, "--warmup-ms=%u", d->warmup);
	(void)snprintf(text[n++], ARGUMENT_MAX, "--closed-ms=%u", closed);
	(void)snprintf(text[n++], ARGUMENT_MAX, "--pipelined-ms=%u",
		       is_whole ? d->pipelined : 0);
	(void)snprintf(text[n++], ARGUMENT_MAX, "--blob-ms=%u", is_whole ? d->blob : 0);
	for (size_t i = 0; i < n; i++)
		argv[1 + i] = text[i];
	argv[1 + n] = NULL;
}

static bool run_start(struct run *run, const char *program, const char *const argv[])
{
	pid_t parent = getpid();
	int fds[2];

	*run = (struct run){ .pid = -1, .fd = -1 };
	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	run->pid = fork();
	if (run->pid == 0) {
		child_init(parent);
		/* A group of its own, so that what it started ends with it. */
		(void)setpgid(0, 0);
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)execv(program, (char *const *)argv);
		_exit(127);
	}
	(void)close(fds[1]);
	if (run->pid < 0) {
		(void)close(fds[0]);
		return false;
	}
	(void)setpgid(run->pid, run->pid);
	run->fd = fds[0];
	return true;
}

/* ---- Reading --------------------------------------------------------------------- */

static int ms_left(const struct timespec *end)
{
	struct timespec now;
	long long ms;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (end->tv_sec - now.tv_sec) * 1000LL + (end->tv_nsec - now.tv_nsec) / 1000000;
	return ms < 0 ? 0 : (int)ms;
}

static void run_take_bytes(struct run *run, const char *bytes, size_t n,
			   struct results *results, enum stage stage, unsigned round)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			/* A line too long for us is not ours. */
			if (run->length < sizeof run->line - 1)
				run->line[run->length++] = bytes[i];
			continue;
		}
		run->line[run->length] = '\0';
		run->length = 0;
		(void)results_read_line(results, stage, round, run->line);
	}
}

/*
 * End the program and what it started, which is in its group. Asked first: a node takes its
 * cells and its control groups along.
 */
static void run_stop(struct run *run)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	(void)kill(-run->pid, SIGTERM);
	for (unsigned ms = 0; ms < STOP_MS && kill(-run->pid, 0) == 0; ms += 10) {
		siginfo_t info;

		/* Until it is waited for there is a group. */
		if (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG) == 0 &&
		    info.si_pid == run->pid)
			run->has_ended = true;
		(void)nanosleep(&pause, NULL);
	}
	(void)kill(-run->pid, SIGKILL);
}

/* Read until the program has closed its output or the time is over; then it is gone. */
static bool run_finish(struct run *run, const struct timespec *end, struct results *results,
		       enum stage stage, unsigned round)
{
	struct pollfd poll_fd = { .fd = run->fd, .events = POLLIN };
	bool is_done = false;
	char bytes[1024];
	int status;

	while (!is_done && poll(&poll_fd, 1, ms_left(end)) > 0) {
		ssize_t n = read(run->fd, bytes, sizeof bytes);

		if (n > 0)
			run_take_bytes(run, bytes, (size_t)n, results, stage, round);
		else if (n == 0 || errno != EINTR)
			is_done = true;
	}
	(void)close(run->fd);
	if (!is_done)
		run_stop(run);
	return !run->has_ended && waitpid(run->pid, &status, 0) == run->pid && is_done && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

/* ---- One round of one peer ------------------------------------------------------- */

static void peer_is_missing(struct results *results, enum peer_id peer)
{
	results->status[peer] = STATUS_MISSING;
	(void)snprintf(results->package[peer], sizeof results->package[peer], "%s",
		       catalog_peer(peer)->package);
}

/* Half a pair's figure is none: what failed leaves nothing in this stage. */
static void forget(struct results *results, enum peer_id peer, enum stage stage,
		   unsigned round)
{
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++)
		results->values[peer][stage][metric][round] = __builtin_nan("");
	results->status[peer] = STATUS_FAILED;
}

void round_run(struct results *results, const char *programs, enum peer_id peer,
	       enum stage stage, unsigned round, const struct durations *d)
{
	int limit_ms = GRACE_MS +
		       (int)(4 * d->warmup + d->closed + d->pipelined + d->blob + d->loaded + d->table);
	size_t n_runs = stage == STAGE_PAIRS ? CATALOG_PAIRS : 1;
	struct run runs[CATALOG_PAIRS];
	char text[8][ARGUMENT_MAX];
	const char *argv[10];
	struct timespec end;
	char program[512];
	bool is_good = true;

	if (results->status[peer] == STATUS_MISSING || results->status[peer] == STATUS_FAILED)
		return;
	(void)snprintf(program, sizeof program, "%s/peer_%s", programs,
		       catalog_peer(peer)->program);
	if (access(program, X_OK) < 0) {
		peer_is_missing(results, peer);
		return;
	}
	argv[0] = program;
	arguments_fill(text, argv, peer, stage, d);
	for (size_t i = 0; i < n_runs; i++)
		is_good = run_start(&runs[i], program, argv) && is_good;
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += limit_ms / 1000;
	for (size_t i = 0; i < n_runs; i++)
		if (runs[i].pid > 0)
			is_good =
				run_finish(&runs[i], &end, results, stage, round) && is_good;
	if (!is_good)
		forget(results, peer, stage, round);
}

void round_node(struct results *results, const char *programs, const struct idle *idle)
{
	char text[3][ARGUMENT_MAX];
	const char *argv[] = { NULL, text[0], text[1], text[2], NULL };
	char program[512];
	struct timespec end;
	struct run run;

	(void)snprintf(program, sizeof program, "%s/node", programs);
	argv[0] = program;
	if (access(program, X_OK) < 0) {
		peer_is_missing(results, PEER_NODE);
		return;
	}
	(void)snprintf(text[0], ARGUMENT_MAX, "--cells=%u", idle->cells);
	(void)snprintf(text[1], ARGUMENT_MAX, "--settle-ms=%u", idle->settle_ms);
	(void)snprintf(text[2], ARGUMENT_MAX, "--idle-ms=%u", idle->watch_ms);
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += NODE_LIMIT_S;
	if (!run_start(&run, program, argv) ||
	    !run_finish(&run, &end, results, STAGE_NODE, results->n_rounds - 1))
		results->status[PEER_NODE] = STATUS_FAILED;
}

/* ---- Load ------------------------------------------------------------------------ */

void round_load_start(void)
{
	pid_t parent = getpid();
	cpu_set_t allowed;
	size_t n = 1;

	if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
		n = (size_t)CPU_COUNT(&allowed);
	for (n_loads = 0; n_loads < n && n_loads < LOAD_MAX; n_loads++) {
		loads[n_loads] = fork();
		if (loads[n_loads] < 0)
			break;
		if (loads[n_loads] == 0) {
			child_init(parent);
			(void)alarm(LOAD_LIMIT_S);
			for (;;)
				__asm__ volatile("");
		}
	}
}

void round_load_stop(void)
{
	while (n_loads > 0) {
		n_loads--;
		(void)kill(loads[n_loads], SIGKILL);
		(void)waitpid(loads[n_loads], NULL, 0);
	}
}
