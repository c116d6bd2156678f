/* cell down: ends the node, and sees to it that nothing of it is left. */
#include "process.h"
#include "setup.h"

#include "../libcell/cgroup.h"

#include "core.cell.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <cell/internal/command.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define TURN_MS 100
/* After the drain: TERM to KILL, and the time to clean up. */
#define MARGIN_MS (CELL_KILL_AFTER_MS + 5000)
/* A cellcore that does not answer by then is not going to. */
#define ANSWER_MS 2000

struct options {
	uint64_t drain_ns;
	bool force;
};

static const struct opts_option options[] = {
	{ 'd', "drain", OPTS_DURATION, offsetof(struct options, drain_ns),
	  .value = "DURATION", .help = "let calls in flight finish for so long (5s)" },
	{ 'f', "force", OPTS_FLAG, offsetof(struct options, force),
	  .help = "kill a node that does not answer" },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell down", "end the node when its calls are done" },
	{ "cell down --drain 30s", "give them more time" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell down",
	.summary = "end a node",
	.text = "Retires every cell, consumers before providers, ends cellcore, and waits until "
		"no process of theirs is left.",
	.examples = examples,
	.options = options,
	.has_json = true,
};

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * Wait for all of them, MS at most; how many are left. What CORE still starts meanwhile is
 * waited for as well; *SEEN is how many there were in all.
 */
static size_t wait_all(struct command *command, struct processes *processes, pid_t core,
		       uint64_t ms, size_t *seen)
{
	struct out_progress progress = { .out = &command->err };
	uint64_t until = now_ms() + ms;

	do {
		size_t before = processes->n;

		processes_add_below(processes, core);
		*seen += processes->n - before;
		if (!command->opts.common.quiet)
			out_progress(&progress, "waiting for %zu process%s", processes->n,
				     processes->n == 1 ? "" : "es");
	} while (processes_wait(processes, TURN_MS) && now_ms() < until);
	out_progress_end(&progress);
	return processes->n;
}

/* The pid in a pid file that somebody has locked; 0 if nobody has. */
static pid_t locked_pid(const char *rundir)
{
	char path[PATH_MAX + 32], text[32] = { 0 };
	pid_t pid = 0;
	int fd;

	(void)snprintf(path, sizeof path, "%s/cellcore.pid", rundir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK &&
	    read(fd, text, sizeof text - 1) > 0)
		pid = (pid_t)strtol(text, NULL, 10);
	(void)close(fd);
	return pid;
}

static void node_add(struct processes *processes, pid_t pid)
{
	pid_t watcher = process_watcher(pid);

	processes_add(processes, pid);
	processes_add_below(processes, pid);
	if (watcher)
		processes_add(processes, watcher);
}

static int force(struct command *command, pid_t pid, struct processes *processes, int err)
{
	if (pid <= 0)
		return err;
	node_add(processes, pid);
	command_note(command, "killing %zu processes", processes->n);
	processes_signal(processes, SIGKILL);
	return 0;
}

static int left_fail(struct command *command, const struct processes *processes)
{
	char list[128] = "";
	size_t len = 0;

	for (size_t i = 0; i < processes->n && len < sizeof list; i++)
		len += (size_t)snprintf(list + len, sizeof list - len, " %ld",
					(long)processes->list[i].pid);
	return command_fail(command, CELL_DEADLINE_EXCEEDED,
			    "still there: process%s%s (cell down --force kills)",
			    processes->n == 1 ? "" : "es", list);
}

/*
 * Who is killed cannot remove the cgroups of his cells, and killed is not gone: the kernel
 * takes a moment.
 */
static void cgroups_clear(const char *rundir)
{
	struct cell_cgroup_root root;
	char *real = realpath(rundir, NULL);

	if (real && cell_cgroup_find(&root, NULL, NULL) == 0)
		for (int i = 0; i < 100 && cell_cgroup_clear_rundir(&root, real) > 0; i++)
			(void)usleep(10 * 1000);
	free(real);
}

static int report(struct command *command, const char *rundir, size_t n_processes)
{
	if (command->is_json)
		return command_json(command, json_pack("{s:s, s:I}", "rundir", rundir,
						       "processes", (json_int_t)n_processes));
	if (n_processes)
		command_note(command,
			     "the node at %s is down, all of its %zu processes are gone",
			     rundir, n_processes);
	else
		command_note(command, "no node is running at %s", rundir);
	return 0;
}

static int down(struct command *command, const struct options *o, struct processes *processes)
{
	const struct core_shutdown_request in = { .drain_ms = o->drain_ns / 1000000 };
	struct core_node_status status;
	struct setup setup;
	size_t n;
	pid_t core;
	int err = setup_find(&setup, NULL, &command->error);

	if (err)
		return err;
	if (setenv("CELL_RUNDIR", setup.rundir, 1) < 0)
		return command_fail(command, -errno, "%s", strerror(errno));
	core = locked_pid(setup.rundir);
	if (core == 0) {
		cgroups_clear(setup.rundir);
		return report(command, setup.rundir, 0);
	}
	err = core_status(cell_within_ms(command_call(command), ANSWER_MS), &status);
	if (err == 0) {
		node_add(processes, core);
		err = core_shutdown(command_call(command), &in);
	}
	if (err && o->force)
		err = force(command, core, processes, err);
	n = processes->n;
	if (err)
		return err;
	if (wait_all(command, processes, core, o->drain_ns / 1000000 + MARGIN_MS, &n) &&
	    o->force)
		(void)force(command, core, processes, 0);
	if (processes->n &&
	    wait_all(command, processes, core, o->force ? CELL_KILL_AFTER_MS : 0, &n))
		return left_fail(command, processes);
	cgroups_clear(setup.rundir);
	return report(command, setup.rundir, n);
}

int main(int argc, char **argv)
{
	struct options o = { .drain_ns = CELL_SHUTDOWN_TIMEOUT_MS * UINT64_C(1000000) };
	struct processes processes = { 0 };
	struct command command;
	int err;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	err = down(&command, &o, &processes);
	processes_free(&processes);
	return command_end(&command, err);
}
