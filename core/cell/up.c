/* cell up: starts this user's node, or says that it runs. */
#include "process.h"
#include "setup.h"
#include "verbs.h"

#include "core.cell.h"

#include <cell/cell.h>
#include <cell/defaults.h>
#include <cell/internal/command.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Between two turns of the wheel that shows that something is waited for. */
#define TURN_MS 100
/* cellcore's own lines, from its start to its end; older ones are in cellcore.log.1. */
#define LOG_MAX_BYTES (1024 * 1024)
/* Of its last lines, when it did not come up. */
#define LOG_SHOWN_BYTES 2000

struct options {
	const char *statedir;
	bool foreground;
	bool no_sandbox;
	uint64_t timeout_ns;
};

static const struct opts_option options[] = {
	{ 'f', "foreground", OPTS_FLAG, offsetof(struct options, foreground),
	  .help = "stay in the foreground; Ctrl-C ends the node" },
	{ 's', "statedir", OPTS_TEXT, offsetof(struct options, statedir), .value = "DIR",
	  .help = "where cells keep what lasts", .words = OPTS_FOLDER },
	{ 0, "no-sandbox", OPTS_FLAG, offsetof(struct options, no_sandbox),
	  .help = "start cells without protection from them" },
	{ 't', "timeout", OPTS_DURATION, offsetof(struct options, timeout_ns),
	  .value = "DURATION", .help = "give up if it is not up by then (10s)" },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "cell up", "start the node, in the background" },
	{ "cell up --foreground", "see what it says; Ctrl-C ends it" },
	{ "cell --rundir ./rundir up", "one in this folder" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell up",
	.summary = "start a node",
	.text = "Makes its run directory if there is none. If it runs already, that is said, "
		"and all is well.",
	.examples = examples,
	.options = options,
	.has_json = true,
};

/* What is being started. */
struct start {
	struct command *command;
	const struct options *options;
	struct setup setup;
	char *program;
	char notify[sizeof((struct sockaddr_un *)NULL)->sun_path + 1];
	int notify_fd;
	char log[PATH_MAX + 32];
	off_t log_from;
	pid_t pid;
};

/* What starting may say besides 0 and an error: another one is up. */
enum { NODE_WAS_THERE = 1 };

static int status_get(struct command *command, struct core_node_status *ret)
{
	return core_status(cell_within_ms(command_call(command), 2000), ret);
}

static json_t *status_json(const struct core_node_status *status, const char *statedir,
			   bool started)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:b}", "node", status->node, "pid",
			 (json_int_t)status->pid, "rundir", status->rundir, "statedir",
			 *status->statedir ? status->statedir : statedir, "sandbox",
			 status->sandbox, "started", started);
}

static int report(struct start *start, bool started)
{
	struct command *command = start->command;
	struct core_node_status status;
	int err = status_get(command, &status);

	if (err)
		return err;
	if (command->is_json)
		return command_json(command,
				    status_json(&status, start->setup.statedir, started));
	if (!started) {
		command_note(command, "node %s is running already (pid %u, %s)", status.node,
			     status.pid, status.rundir);
		return 0;
	}
	command_note(command, "node %s is up (pid %u, %s)", status.node, status.pid,
		     status.rundir);
	if (strcmp(status.sandbox, "none") == 0)
		command_note(command, "cells run without a sandbox");
	if (start->setup.is_volatile)
		command_note(
			command,
			"%s is lost when this machine stops; --statedir says another place",
			start->setup.statedir);
	return 0;
}

/* ---- starting ------------------------------------------------------------------------ */

/* A datagram socket on which cellcore says READY=1, as it does to systemd. */
static int notify_open(struct start *start)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len = sizeof address;

	/* Of the abstract kind, with a name of the kernel's choice: nothing to clean up. */
	start->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (start->notify_fd < 0 ||
	    bind(start->notify_fd, (struct sockaddr *)&address, sizeof address.sun_family) <
		    0 ||
	    getsockname(start->notify_fd, (struct sockaddr *)&address, &len) < 0)
		return command_fail(start->command, -errno, "a socket: %s", strerror(errno));
	(void)snprintf(start->notify, sizeof start->notify, "@%.*s",
		       (int)(len - offsetof(struct sockaddr_un, sun_path) - 1),
		       address.sun_path + 1);
	return 0;
}

/* Open the file for its stderr; it grows from start to start, and once is kept. */
static int log_open(struct start *start, int *ret_fd)
{
	char folder[PATH_MAX + 16], old[PATH_MAX + 64];
	struct stat st;

	(void)snprintf(folder, sizeof folder, "%s/log", start->setup.rundir);
	(void)snprintf(start->log, sizeof start->log, "%s/cellcore.log", folder);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return command_fail(start->command, -errno, "making '%s': %s", folder,
				    strerror(errno));
	if (stat(start->log, &st) == 0 && st.st_size > LOG_MAX_BYTES) {
		(void)snprintf(old, sizeof old, "%s.1", start->log);
		(void)rename(start->log, old);
	}
	*ret_fd = open(start->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (*ret_fd < 0)
		return command_fail(start->command, -errno, "%s: %s", start->log,
				    strerror(errno));
	start->log_from = lseek(*ret_fd, 0, SEEK_END);
	return 0;
}

static void execute(const struct start *start)
{
	const char *argv[] = { "cellcore",
			       "--watch",
			       "--rundir",
			       start->setup.rundir,
			       "--statedir",
			       start->setup.statedir,
			       start->options->no_sandbox ? "--no-sandbox" : NULL,
			       NULL };

	(void)execv(start->program, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "%s: %s\n", start->program, strerror(errno));
}

/* In the child: a session of its own, away from this terminal. Does not return. */
static void become_node(const struct start *start, int log_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(log_fd, STDOUT_FILENO);
	(void)dup2(log_fd, STDERR_FILENO);
	(void)setenv("NOTIFY_SOCKET", start->notify, 1);
	/* The folder it was started from must not be kept from being removed. */
	if (chdir("/") == 0)
		execute(start);
	_exit(127);
}

/* What cellcore said since it was started: the reason why it did not come up. */
static void log_show(const struct start *start)
{
	char text[LOG_SHOWN_BYTES + 1], *line = text, *next;
	int fd = open(start->log, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), from = start->log_from;
	ssize_t n;

	if (end - from > LOG_SHOWN_BYTES)
		from = end - LOG_SHOWN_BYTES;
	n = fd < 0 ? 0 : pread(fd, text, LOG_SHOWN_BYTES, from);
	if (fd >= 0)
		(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	while ((next = strsep(&line, "\n"))) {
		char plain[512];

		if (*next)
			fprintf(stderr, "  %s\n", out_plain(plain, sizeof plain, next));
	}
}

/* 1 if cellcore said it is ready, 0 if nothing came. */
static int notify_read(const struct start *start)
{
	char text[256];
	ssize_t n;

	while ((n = recv(start->notify_fd, text, sizeof text - 1, 0)) > 0) {
		text[n] = '\0';
		if (strstr(text, "READY=1"))
			return 1;
	}
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* 0, NODE_WAS_THERE, or the error. */
static int wait_ready(struct start *start)
{
	struct core_node_status node;
	struct out_progress progress = { .out = &start->command->err };
	uint64_t until = now_ms() + start->options->timeout_ns / 1000000;
	struct pollfd polled = { .fd = start->notify_fd, .events = POLLIN };
	int status;

	for (;;) {
		if (poll(&polled, 1, TURN_MS) > 0 && notify_read(start))
			break;
		if (waitpid(start->pid, &status, WNOHANG) > 0) {
			out_progress_end(&progress);
			/* Somebody else, or the parent of one that crashed, was quicker. */
			if (status_get(start->command, &node) == 0)
				return NODE_WAS_THERE;
			log_show(start);
			return command_fail(start->command, CELL_FAILED_PRECONDITION,
					    "cellcore did not start (its lines: %s)",
					    start->log);
		}
		if (now_ms() > until) {
			out_progress_end(&progress);
			(void)kill(start->pid, SIGTERM);
			log_show(start);
			return command_fail(start->command, CELL_DEADLINE_EXCEEDED,
					    "cellcore was not ready in time (its lines: %s)",
					    start->log);
		}
		if (!start->command->opts.common.quiet)
			out_progress(&progress, "starting the node");
	}
	out_progress_end(&progress);
	return 0;
}

static int start_node(struct start *start)
{
	int log_fd = -1, err = notify_open(start);

	if (err == 0)
		err = log_open(start, &log_fd);
	if (err)
		return err;
	start->pid = fork();
	if (start->pid == 0)
		become_node(start, log_fd);
	(void)close(log_fd);
	if (start->pid < 0)
		return command_fail(start->command, -errno, "fork: %s", strerror(errno));
	return wait_ready(start);
}

static int up(struct start *start)
{
	struct command *command = start->command;
	struct core_node_status status;
	int err = setup_find(&start->setup, start->options->statedir, &command->error);

	if (err)
		return err;
	/* Whoever we ask must be the one we would start. */
	if (setenv("CELL_RUNDIR", start->setup.rundir, 1) < 0)
		return command_fail(command, -errno, "%s", strerror(errno));
	if (start->setup.has_node && status_get(command, &status) == 0)
		return report(start, false);
	start->program = program_path("cellcore");
	if (!start->program)
		return command_fail(command, CELL_NOT_FOUND,
				    "no program 'cellcore' beside cell or in $PATH");
	err = setup_make(&start->setup, NULL, &command->error);
	if (err)
		return err;
	if (start->options->foreground) {
		execute(start);
		return command_fail(command, -errno, "%s: %s", start->program,
				    strerror(errno));
	}
	err = start_node(start);
	return err < 0 ? err : report(start, err != NODE_WAS_THERE);
}

int main(int argc, char **argv)
{
	struct options o = { .timeout_ns = UINT64_C(10000000000) };
	struct command command;
	struct start start = { .command = &command, .options = &o, .notify_fd = -1 };
	int err;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	err = up(&start);
	free(start.program);
	if (start.notify_fd >= 0)
		(void)close(start.notify_fd);
	return command_end(&command, err);
}
