/*
 * cellcore: names, connections, processes of one node (cellcore(8)).
 *
 * Here are only the options, and with --watch the small parent that starts cellcore again
 * when it crashes. The daemon itself is in daemon.c.
 */
#include "daemon.h"
#include "resume.h"

#include <cell/defaults.h>
#include <cell/internal/opts.h>
#include <cell/log.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options {
	const char *statedir;
	const char *config;
	const char *sandbox_program;
	bool no_sandbox;
	bool watch;
	bool check_table;
	uint64_t resume;
};

#define NO_RESUME UINT64_MAX

static const struct opts_option option_table[] = {
	{ 's', "statedir", OPTS_TEXT, offsetof(struct options, statedir), .value = "DIR",
	  .help = "where cells keep what lasts (RUNDIR/state)", .words = OPTS_FOLDER },
	{ 'c', "config", OPTS_TEXT, offsetof(struct options, config), .value = "FILE",
	  .help = "the node's configuration (RUNDIR/node.conf)", .words = OPTS_FILE },
	{ 0, "no-sandbox", OPTS_FLAG, offsetof(struct options, no_sandbox),
	  .help = "start cells without protection from them" },
	{ 'w', "watch", OPTS_FLAG, offsetof(struct options, watch),
	  .help = "stay beside it, and start it again if it crashes" },
	{ 0, "sandbox-program", OPTS_TEXT, offsetof(struct options, sandbox_program),
	  .value = "FILE", .help = "what starts cells (cell-sandbox beside cellcore)",
	  .words = OPTS_FILE },
	{ 0, "resume", OPTS_NUMBER, offsetof(struct options, resume), .value = "FD",
	  .help = "take over a running node's table; for cellcore itself" },
	{ 0, "check-table", OPTS_FLAG, offsetof(struct options, check_table),
	  .help = "only say whether that table would be understood" },
	{ .name = NULL },
};

static const struct opts_example examples[] = {
	{ "cellcore --rundir /run/cell --statedir /var/lib/cell", "as systemd does" },
	{ "cellcore --rundir ./rundir/node1 --watch", "by hand, in the tree" },
	{ .line = NULL },
};

static const struct opts_command command = {
	.name = "cellcore",
	.summary = "names, connections and processes of one node",
	.examples = examples,
	.options = option_table,
};

/* ---- where things are ---------------------------------------------------------------------- */

/* FOLDER/NAME of our own program's folder, if it is there. Taken memory, or NULL. */
static char *beside_us(const char *name)
{
	char self[PATH_MAX], path[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n < 0)
		return NULL;
	self[n] = 0;
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	*slash = 0;
	(void)snprintf(path, sizeof path, "%s/%s", self, name);
	return realpath(path, NULL);
}

static const char *find_beside(const char *const *places, const char *otherwise)
{
	for (; *places; places++) {
		char *found = beside_us(*places);

		if (found)
			return found;
	}
	return otherwise;
}

static const char *find_self(void)
{
	char *self = realpath("/proc/self/exe", NULL);

	return self ? self : "";
}

static const char *find_sandbox(void)
{
	static const char *const places[] = { "cell-sandbox", "../libexec/cell/cell-sandbox",
					      "../lib/cell/cell-sandbox", NULL };

	return find_beside(places, "cell-sandbox");
}

static const char *find_cells(void)
{
	static const char *const places[] = { "../cells", "../lib/cell/cells",
					      "../libexec/cell/cells", NULL };

	return find_beside(places, "");
}

/* ---- the parent that watches ------------------------------------------------------------------ */

static volatile sig_atomic_t watched_pid, watch_ends;

/* What is meant for us is meant for the one we watch. */
static void on_forward(int number)
{
	if (number != SIGHUP)
		watch_ends = 1;
	if (watched_pid > 0)
		(void)kill((pid_t)watched_pid, number);
}

static void watch_signals(void (*handler)(int))
{
	const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		(void)sigaction(numbers[i], &(struct sigaction){ .sa_handler = handler }, NULL);
}

/* In the child: returns, to become cellcore. In the parent: its pid. */
static pid_t watch_fork(void)
{
	pid_t parent = getpid(), pid;

	watched_pid = 0;
	pid = fork();
	if (pid != 0) {
		watched_pid = pid;
		return pid;
	}
	watch_signals(SIG_DFL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	return 0;
}

/* Sleep, unless we are to end. */
static void watch_pause(unsigned ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	while (!watch_ends && nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
}

/*
 * Fork cellcore and start it again when a signal has killed it; an exit status is its own
 * decision. Returns in the child only; the parent ends with the child's status.
 */
static void watch(void)
{
	unsigned pause_ms = CELL_RESTART_MIN_MS;

	watch_signals(on_forward);
	for (;;) {
		time_t started = time(NULL);
		pid_t pid = watch_fork();
		int status = 0;

		if (pid == 0)
			return;
		while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (pid > 0 && WIFEXITED(status))
			exit(WEXITSTATUS(status));
		if (watch_ends)
			exit(1);
		if (time(NULL) - started > CELL_RESTARTS_WINDOW_MS / 1000)
			pause_ms = CELL_RESTART_MIN_MS;
		cell_log(CELL_LOG_ERR, "watch", "cellcore_crashed", "signal=%d again_in_ms=%u",
			 WTERMSIG(status), pause_ms);
		watch_pause(pause_ms);
		pause_ms = 2 * pause_ms < CELL_RESTART_MAX_MS ? 2 * pause_ms : CELL_RESTART_MAX_MS;
	}
}

/* ---- options ---------------------------------------------------------------------------------------- */

static int usage(const struct cell_error *err)
{
	fprintf(stderr, "cellcore: %s\n", err->text);
	return 2;
}

int main(int argc, char **argv)
{
	struct options options = { .resume = NO_RESUME };
	static struct daemon daemon;
	struct cell_error err = { 0 };
	char state[PATH_MAX + 8];
	struct opts opts;
	int r;

	cell_log_init("cellcore");
	r = opts_parse(&opts, &command, argc, argv, &options, &err);
	if (r < 0)
		return usage(&err);
	if (opts.common.help) {
		opts_help(stdout, NULL, &command);
		return 0;
	}
	if (opts.common.version) {
		printf("cellcore %s\n", CELL_VERSION);
		return 0;
	}
	if (!opts.common.rundir)
		opts.common.rundir = getenv("CELL_RUNDIR");
	if (!opts.common.rundir || !opts.common.rundir[0]) {
		(void)cell_fail(&err, CELL_INVALID_ARGUMENT, "which run directory? --rundir DIR");
		return usage(&err);
	}
	if (!options.statedir)
		options.statedir = getenv("CELL_STATEDIR");
	(void)snprintf(state, sizeof state, "%s/state", opts.common.rundir);
	daemon.conf_path = options.config;
	daemon.sandbox_program = options.sandbox_program ? options.sandbox_program : find_sandbox();
	daemon.self_program = find_self();
	daemon.default_cells = find_cells();
	daemon.argv = argv;
	daemon.no_sandbox = options.no_sandbox;
	if (options.check_table)
		return resume_check((int)options.resume, &err) < 0 ? 1 : RESUME_UNDERSTOOD;
	if (options.watch && options.resume == NO_RESUME)
		watch();
	r = daemon_run(&daemon, opts.common.rundir, options.statedir ? options.statedir : state,
		       options.resume == NO_RESUME ? -1 : (int)options.resume, &err);
	if (r < 0)
		fprintf(stderr, "cellcore: %s\n", err.text);
	return cell_status_exit_code(r);
}
