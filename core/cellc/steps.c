#include "steps.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals are blocked and read from here, so that none comes between a look and a wait. */
static struct {
	int fd;
	int seen;
	sigset_t before; /* what steps get */
} signals = { .fd = -1 };

int steps_begin(struct cell_error *err)
{
	const char *path = getenv("PATH");
	char program[PATH_MAX], *joined, *slash;
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, &signals.before);
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals.fd < 0)
		return cell_fail(err, -errno, "signalfd: %s", strerror(errno));
	if (n < 0)
		return cell_fail(err, -errno, "/proc/self/exe: %s", strerror(errno));
	program[n] = 0;
	slash = strrchr(program, '/');
	*slash = 0;
	if (asprintf(&joined, "%s:%s", program, path && *path ? path : "/usr/bin:/bin") < 0)
		return cell_fail(err, -ENOMEM, "no memory for $PATH");
	(void)setenv("PATH", joined, 1);
	free(joined);
	return 0;
}

int steps_signal_fd(void)
{
	return signals.fd;
}

int steps_signal(void)
{
	struct signalfd_siginfo info;

	while (signals.fd >= 0 && read(signals.fd, &info, sizeof info) == sizeof info)
		signals.seen = (int)info.ssi_signo;
	return signals.seen;
}

static int spawn(const char *const *words, pid_t *ret_pid)
{
	posix_spawnattr_t attributes;
	int r = posix_spawnattr_init(&attributes);

	if (r)
		return r;
	r = posix_spawnattr_setsigmask(&attributes, &signals.before);
	r = r ? r : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	r = r ? r : posix_spawnp(ret_pid, words[0], NULL, &attributes, (char *const *)words, environ);
	(void)posix_spawnattr_destroy(&attributes);
	return r;
}

/* A terminal tells the whole group; whoever sent a signal to us alone meant the step, too. */
static void pass_on(pid_t pid)
{
	struct signalfd_siginfo info;

	while (read(signals.fd, &info, sizeof info) == sizeof info) {
		signals.seen = (int)info.ssi_signo;
		(void)kill(pid, signals.seen);
	}
}

int step_finally(const char *const *words, int *ret_status, struct cell_error *err)
{
	struct pollfd fds[2] = { { .fd = -1, .events = POLLIN },
				 { .fd = signals.fd, .events = POLLIN } };
	pid_t pid;
	int status, r = spawn(words, &pid);

	if (r)
		return cell_fail(err, -r, "%s: %s", words[0], strerror(r));
	fds[0].fd = (int)syscall(SYS_pidfd_open, pid, 0);
	while (fds[0].fd >= 0 && poll(fds, 2, -1) > 0 && !fds[0].revents)
		pass_on(pid);
	if (fds[0].fd >= 0)
		(void)close(fds[0].fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

int step_run(const char *const *words, int *ret_status, struct cell_error *err)
{
	if (steps_signal())
		return cell_fail(err, CELL_CANCELLED, "interrupted");
	return step_finally(words, ret_status, err);
}

int steps_cells(const struct project *project, int *ret_status, struct cell_error *err)
{
	const char *const up[] = { "cell", "-q", "up", NULL };
	int r = step_run(up, ret_status, err);

	/* The macro cell first: it stands between cellc and all others. */
	for (size_t i = 0; r == 0 && *ret_status == 0; i++) {
		const char *cell = i ? project->cells[i - 1] : "macro";
		const char *const run[] = { "cell", "-q", "run", cell, NULL };

		if (!cell)
			break;
		r = step_run(run, ret_status, err);
	}
	return r;
}

int project_open(struct project *ret, const char *folder, struct cell_arena *arena,
		 struct cell_error *err)
{
	int r;

	if (chdir(folder) < 0)
		return cell_fail(err, -errno, "%s: %s", folder, strerror(errno));
	r = project_find(ret, "./source.c", NULL, arena, err);
	if (r == 0 && !ret->settings)
		return cell_fail(err, CELL_NOT_FOUND,
				 "no .cell/project in %s or above it; cell new --app NAME makes a project",
				 strcmp(folder, ".") == 0 ? "this folder" : folder);
	if (r == 0 && chdir(ret->root) < 0)
		r = cell_fail(err, -errno, "%s: %s", ret->root, strerror(errno));
	return r;
}
