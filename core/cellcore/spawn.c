#include "spawn.h"

#include "catalog.h"
#include "process.h"

#include <cell/log.h>
#include <core.cell.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child finds where. cell-sandbox keeps 0 to 3 for the cell. */
#define CHILD_CONTROL_FD 3
#define CHILD_STATUS_FD 4
/* Above all of these, so that moving one into place never lands on another. */
#define CHILD_FD_ABOVE 16
/* A cgroup is busy for some milliseconds after its last process. */
#define CLEANUP_EVERY_S 0.1
#define CLEANUPS_MAX 50
/* Files of a cgroup take long to read: not for everybody who asks. */
#define USAGE_AGE_NS (100 * UINT64_C(1000000))
/* Ended instances whose last words wait for a log cell. */
#define LOGS_KEPT_MAX 64

/* ---- preparing ------------------------------------------------------------------------------ */

/* Everything the child needs, made before the fork: between fork and exec nothing allocates. */
struct launch {
	char **argv;
	char **env;
	int control[2]; /* ours, the child's */
	int log[2];     /* read end (or -1), the child's stderr */
	int status[2];
	pid_t parent;
};

static void launch_close(struct launch *launch)
{
	int *fds[] = { &launch->control[0], &launch->control[1], &launch->log[0],
		       &launch->log[1],     &launch->status[0],  &launch->status[1] };

	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		fd_close(fds[i]);
}

static int open_log_file(const struct daemon *daemon, const char *cell, struct cell_error *err)
{
	char path[RUNDIR_PATH_MAX];
	int fd = open(rundir_path(&daemon->rundir, path, "log/%s.log", cell),
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);

	return fd < 0 ? cell_fail(err, -errno, "log file of %s: %s", cell, strerror(errno)) : fd;
}

/* A pipe for the log cell; a file if the node has none, or for the log cell itself. */
static int launch_log(const struct daemon *daemon, const char *cell, struct launch *launch,
		      struct cell_error *err)
{
	if (!daemon->conf.log[0] || strcmp(cell, daemon->conf.log) == 0) {
		launch->log[1] = open_log_file(daemon, cell, err);
		return launch->log[1] < 0 ? launch->log[1] : 0;
	}
	/* Who writes into a full pipe loses the line, and never waits. */
	if (pipe2(launch->log, O_CLOEXEC | O_NONBLOCK) < 0)
		return cell_fail(err, -errno, "log pipe of %s: %s", cell, strerror(errno));
	return 0;
}

static int launch_argv(struct daemon *daemon, const struct kernel_instance *instance,
		       struct launch *launch, struct cell_error *err)
{
	struct cell_arena *arena = &daemon->arena;
	const char *name = instance->cell->name;
	const char **argv = cell_arena_calloc(arena, 20, sizeof *argv);
	size_t n = 0;

	if (!argv)
		return cell_fail(err, -ENOMEM, "starting %s", name);
	argv[n++] = daemon->sandbox_program;
	argv[n++] = "--node";
	argv[n++] = daemon->conf.node;
	argv[n++] = "--cgroup";
	argv[n++] = daemon->group;
	if (daemon->cgroups.version != CELL_CGROUP_NONE) {
		argv[n++] = "--cgroup-root";
		argv[n++] = daemon->cgroups.path;
	}
	argv[n++] = "--instance";
	argv[n++] = cell_arena_printf(arena, "%" PRIu64, instance->id);
	argv[n++] = "--state";
	argv[n++] = cell_arena_printf(arena, "%s/%s", daemon->rundir.state, name);
	argv[n++] = "--status-fd";
	argv[n++] = cell_arena_printf(arena, "%d", CHILD_STATUS_FD);
	if (!daemon->conf.is_sandboxed)
		argv[n++] = "--no-sandbox";
	argv[n++] = catalog_path(instance->cell);
	for (size_t i = 0; i < n; i++)
		if (!argv[i])
			return cell_fail(err, -ENOMEM, "starting %s", name);
	launch->argv = (char **)(uintptr_t)argv;
	return 0;
}

/* What is about us, or about the node's secrets, is nothing for a cell. */
static bool env_is_ours(const char *entry)
{
	static const char *const names[] = { "CELL_RUNDIR=", "CELL_STATEDIR=", "CELL_CONTROL_FD=",
					     "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static int launch_env(struct daemon *daemon, struct launch *launch, struct cell_error *err)
{
	size_t n = 0, kept = 0;

	while (environ[n])
		n++;
	launch->env = cell_arena_calloc(&daemon->arena, n + 2, sizeof *launch->env);
	if (!launch->env)
		return cell_fail(err, -ENOMEM, "copying the environment");
	for (size_t i = 0; i < n; i++)
		if (!env_is_ours(environ[i]))
			launch->env[kept++] = environ[i];
	launch->env[kept] = cell_arena_printf(&daemon->arena, "CELL_CONTROL_FD=%d", CHILD_CONTROL_FD);
	return 0;
}

static int launch_prepare(struct daemon *daemon, const struct kernel_instance *instance,
			  struct launch *launch, struct cell_error *err)
{
	int r;

	*launch = (struct launch){ .control = { -1, -1 }, .log = { -1, -1 },
				   .status = { -1, -1 }, .parent = getpid() };
	if (!catalog_path(instance->cell)[0])
		return cell_fail(err, -ENOENT, "its manifest is gone");
	r = sock_pair(launch->control, SOCK_SEQPACKET, err);
	if (r == 0)
		r = sock_pass_creds(launch->control[0], err);
	if (r == 0 && pipe2(launch->status, O_CLOEXEC | O_NONBLOCK) < 0)
		r = cell_fail(err, -errno, "status pipe: %s", strerror(errno));
	if (r == 0)
		r = launch_log(daemon, instance->cell->name, launch, err);
	if (r == 0)
		r = launch_argv(daemon, instance, launch, err);
	if (r == 0)
		r = launch_env(daemon, launch, err);
	return r;
}

/* ---- the child --------------------------------------------------------------------------------- */

/*
 * Descriptors that are in the way are all close-on-exec, and copies are made above before
 * any is overwritten below. Only async-signal-safe calls from here to exec.
 */
__attribute__((noreturn)) static void child_run(const struct launch *launch)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[] = { null, launch->log[1], launch->log[1], launch->control[1], launch->status[1] };
	int high[5];
	sigset_t none;

	for (int i = 0; i < 5; i++) {
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, CHILD_FD_ABOVE);
		if (high[i] < 0)
			_exit(127);
	}
	for (int i = 0; i < 5; i++)
		if (dup2(high[i], i) < 0)
			_exit(127);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)sigaction(SIGPIPE, &by_default, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != launch->parent)
		_exit(127);
	(void)execve(launch->argv[0], launch->argv, launch->env);
	(void)dprintf(2, "cellcore: executing %s: %s\n", launch->argv[0], strerror(errno));
	_exit(127);
}

/* ---- starting ------------------------------------------------------------------------------------ */

struct spawn *spawn_add(struct daemon *daemon, struct kernel_instance *instance)
{
	struct spawn *spawn = calloc(1, sizeof *spawn);

	if (!spawn)
		return NULL;
	spawn->daemon = daemon;
	spawn->instance = instance;
	spawn->pidfd = spawn->cell_pidfd = spawn->log = spawn->status = -1;
	if (instance)
		instance->userdata = spawn;
	list_append(&daemon->spawns, &spawn->in_daemon);
	return spawn;
}

static struct spawn *spawn_new(struct daemon *daemon, struct kernel_instance *instance)
{
	struct spawn *spawn = spawn_add(daemon, instance);

	if (!spawn)
		return NULL;
	spawn->id = instance->id;
	(void)snprintf(spawn->cell, sizeof spawn->cell, "%s", instance->cell->name);
	(void)kernel_instance_name(instance, spawn->name);
	if (daemon->cgroups.version != CELL_CGROUP_NONE)
		(void)cell_cgroup_init(&spawn->cgroup, &daemon->cgroups, daemon->group,
				       instance->cell->name, (uint32_t)instance->id, NULL);
	return spawn;
}

static int spawn_fork(struct spawn *spawn, struct launch *launch, struct cell_error *err)
{
	spawn->pid = fork();
	if (spawn->pid == 0)
		child_run(launch);
	if (spawn->pid < 0)
		return cell_fail(err, -errno, "fork: %s", strerror(errno));
	spawn->pidfd = pidfd_open(spawn->pid, 0);
	if (spawn->pidfd < 0) {
		int r = cell_fail(err, -errno, "pidfd_open: %s", strerror(errno));

		(void)kill(spawn->pid, SIGKILL);
		(void)waitpid(spawn->pid, NULL, 0);
		return r;
	}
	spawn->log = launch->log[0];
	spawn->status = launch->status[0];
	launch->log[0] = launch->status[0] = -1;
	return 0;
}

static int start(struct daemon *daemon, struct kernel_instance *instance, struct launch *launch,
		 struct cell_error *err)
{
	struct process *process;
	struct spawn *spawn;
	int r, fd;

	r = launch_prepare(daemon, instance, launch, err);
	if (r < 0)
		return r;
	spawn = spawn_new(daemon, instance);
	if (!spawn)
		return cell_fail(err, -ENOMEM, "starting %s", instance->cell->name);
	fd = launch->control[0];
	launch->control[0] = -1;
	r = process_new(daemon, fd, instance, 0, &process, err);
	if (r == 0) {
		r = spawn_fork(spawn, launch, err);
		if (r < 0)
			process_drop(process, err->text);
	}
	if (r < 0) {
		spawn_free(spawn);
		return r;
	}
	spawn_watch(spawn);
	return 0;
}

void spawn_start(struct daemon *daemon, struct kernel_instance *instance)
{
	struct kernel_end end = { .is_clean = false };
	struct cell_error err = { 0 };
	struct launch launch;

	if (start(daemon, instance, &launch, &err) == 0) {
		cell_log(CELL_LOG_INFO, "spawn", "spawned", "instance=%s/%" PRIu64,
			 instance->cell->name, instance->id);
		kernel_instance_spawned(&daemon->kernel, instance, daemon_now());
		spawn_log(daemon, false);
	} else {
		end.reason = err.text;
		cell_log(CELL_LOG_ERR, "spawn", "spawn_failed", "instance=%s/%" PRIu64
			 " reason=\"%s\"", instance->cell->name, instance->id,
			 cell_log_quote((char[512]){ 0 }, 512, err.text));
		kernel_instance_ended(&daemon->kernel, instance, &end, daemon_now());
	}
	launch_close(&launch);
	cell_arena_reset(&daemon->arena);
}

int spawn_ready(struct daemon *daemon, struct kernel_instance *instance,
		const struct sock_creds *creds, struct cell_error *err)
{
	struct process *process = process_of(instance->asker);
	struct pollfd at = { .fd = process->fd };
	struct spawn *spawn = instance->userdata;
	int pidfd;

	if (instance->ready_ns)
		return cell_fail(err, CELL_FAILED_PRECONDITION, "ready was said already");
	pidfd = pidfd_open(creds->pid, 0);
	if (pidfd < 0)
		return cell_fail(err, CELL_FAILED_PRECONDITION, "process %ld: %s", (long)creds->pid,
				 strerror(errno));
	/*
	 * If it has died meanwhile, its number may be another's by now: but then its end of the
	 * socket is closed.
	 */
	if (poll(&at, 1, 0) > 0 && (at.revents & (POLLHUP | POLLERR))) {
		(void)close(pidfd);
		return cell_fail(err, CELL_UNAVAILABLE, "%s has just ended", spawn->name);
	}
	fd_close(&spawn->cell_pidfd);
	spawn->cell_pidfd = pidfd;
	instance->pid = creds->pid;
	instance->uid = creds->uid;
	if (strcmp(spawn->cell, daemon->conf.log) == 0)
		daemon->log_is_new = true;
	return 0;
}

/* ---- ending ---------------------------------------------------------------------------------------- */

/* TERM is for the cell: bwrap would die of it at once, and take the cell with it. */
static void spawn_term(struct spawn *spawn)
{
	int pidfd = spawn->cell_pidfd;

	if (pidfd < 0 && !spawn->daemon->conf.is_sandboxed)
		pidfd = spawn->pidfd;
	if (pidfd >= 0)
		(void)pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
}

static void spawn_kill(struct spawn *spawn)
{
	if (spawn->cell_pidfd >= 0)
		(void)pidfd_send_signal(spawn->cell_pidfd, SIGKILL, NULL, 0);
	if (spawn->pidfd >= 0)
		(void)pidfd_send_signal(spawn->pidfd, SIGKILL, NULL, 0);
}

static void spawn_drain(struct kernel_instance *instance)
{
	struct core_drain_order order = { .timeout_ms = instance->drain_ns / 1000000 };
	struct cell_error err = { 0 };

	if (instance->asker)
		(void)process_order(process_of(instance->asker), FRAME_ONE_WAY, "Drain", &order,
				    NULL, 0, NULL, &err);
}

void spawn_work(struct daemon *daemon, struct kernel_instance *instance, unsigned work)
{
	struct spawn *spawn = instance->userdata;

	if (work & KERNEL_WORK_SPAWN)
		spawn_start(daemon, instance);
	else if (!spawn)
		return;
	else if (work & KERNEL_WORK_KILL)
		spawn_kill(spawn);
	else if (work & KERNEL_WORK_TERM)
		spawn_term(spawn);
	else if (work & KERNEL_WORK_DRAIN)
		spawn_drain(instance);
}

/* What waitid() says, as a reason. bwrap tells its child's signal as 128 and more. */
static void end_reason(const struct spawn *spawn, const siginfo_t *info, char *out, size_t size)
{
	struct cell_cgroup_usage usage = { 0 };
	int status = info->si_status;
	bool is_signal = info->si_code != CLD_EXITED;

	if (!is_signal && status > 128 && status < 128 + NSIG && spawn->daemon->conf.is_sandboxed) {
		is_signal = true;
		status -= 128;
	}
	if (spawn->cgroup.path[0])
		(void)cell_cgroup_usage(&spawn->cgroup, &usage);
	if (usage.oom_kills > 0)
		(void)snprintf(out, size, "out of memory: [limits] memory is %" PRIu64 " MiB",
			       spawn->instance->cell->manifest
				       ? spawn->instance->cell->manifest->memory_bytes >> 20 : 0);
	else if (is_signal)
		(void)snprintf(out, size, "killed by SIG%s",
			       sigabbrev_np(status) ? sigabbrev_np(status) : "?");
	else if (status == 127) /* ours of cell-sandbox, its of bwrap or the cell, or the linker's */
		(void)snprintf(out, size, "exited with status 127: a program or library is missing");
	else
		(void)snprintf(out, size, "exited with status %d", status);
}

static void on_cleanup(struct ev_loop *, ev_timer *timer, int)
{
	struct spawn *spawn = list_entry(timer, struct spawn, on_cleanup);
	struct daemon *daemon = spawn->daemon;
	int r = spawn->cgroup.path[0] ? cell_cgroup_remove(&spawn->cgroup) : 0;

	if (r == -EBUSY && ++spawn->cleanups < CLEANUPS_MAX) {
		(void)cell_cgroup_kill(&spawn->cgroup);
		return;
	}
	if (r < 0)
		cell_log(CELL_LOG_WARN, "spawn", "cgroup_stays", "instance=%s reason=\"%s\"",
			 spawn->name, strerror(-r));
	ev_timer_stop(daemon->loop, &spawn->on_cleanup);
	if (spawn->log < 0)
		spawn_free(spawn);
	daemon_settle(daemon);
}

/* Too many last words that nobody fetches: the oldest go. */
static void logs_trim(struct daemon *daemon)
{
	struct spawn *spawn, *oldest = NULL;
	unsigned n = 0;

	list_walk(spawn, &daemon->spawns, struct spawn, in_daemon) {
		if (spawn->instance || spawn->log < 0)
			continue;
		if (!oldest)
			oldest = spawn;
		n++;
	}
	if (n <= LOGS_KEPT_MAX)
		return;
	fd_close(&oldest->log);
	if (!ev_is_active(&oldest->on_cleanup))
		spawn_free(oldest);
}

/* The process is gone. What is left is its cgroup, and what nobody has read of its stderr. */
static void spawn_ended(struct spawn *spawn, const siginfo_t *info)
{
	struct kernel_instance *instance = spawn->instance;
	struct daemon *daemon = spawn->daemon;
	char reason[128];
	struct kernel_end end = {
		.is_clean = info->si_code == CLD_EXITED && info->si_status == 0,
		.reason = reason,
	};

	end_reason(spawn, info, reason, sizeof reason);
	cell_log(end.is_clean ? CELL_LOG_INFO : CELL_LOG_WARN, "spawn", "ended",
		 "instance=%s reason=\"%s\"", spawn->name, reason);
	ev_io_stop(daemon->loop, &spawn->on_exit);
	ev_io_stop(daemon->loop, &spawn->on_status);
	fd_close(&spawn->pidfd);
	fd_close(&spawn->cell_pidfd);
	if (spawn->is_logged)
		fd_close(&spawn->log);
	if (instance->asker)
		process_finish(process_of(instance->asker), reason);
	instance->userdata = NULL;
	spawn->instance = NULL;
	kernel_instance_ended(&daemon->kernel, instance, &end, daemon_now());
	/* What is left in the cgroup belongs to nobody; the first look is soon enough. */
	if (spawn->cgroup.path[0])
		(void)cell_cgroup_kill(&spawn->cgroup);
	ev_timer_start(daemon->loop, &spawn->on_cleanup);
	logs_trim(daemon);
}

static void on_exit_seen(struct ev_loop *, ev_io *io, int)
{
	struct spawn *spawn = list_entry(io, struct spawn, on_exit);
	struct daemon *daemon = spawn->daemon;
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)spawn->pidfd, &info, WEXITED | WNOHANG) < 0)
		info = (siginfo_t){ .si_code = CLD_KILLED }; /* not our child: cannot be known */
	else if (info.si_pid == 0)
		return;
	spawn_ended(spawn, &info);
	daemon_settle(daemon);
}

/* bwrap says who its child is before that has said anything: so that TERM reaches it, too. */
static void on_status(struct ev_loop *loop, ev_io *io, int)
{
	static const char key[] = "\"child-pid\": ";
	struct spawn *spawn = list_entry(io, struct spawn, on_status);
	char text[512];
	ssize_t n = read(spawn->status, text, sizeof text - 1);
	const char *at;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		text[n] = 0;
		at = strstr(text, key);
		if (at && spawn->cell_pidfd < 0)
			spawn->cell_pidfd = pidfd_open((pid_t)strtol(at + strlen(key), NULL, 10), 0);
		return;
	}
	ev_io_stop(loop, &spawn->on_status);
	fd_close(&spawn->status);
}

void spawn_watch(struct spawn *spawn)
{
	ev_timer_init(&spawn->on_cleanup, on_cleanup, CLEANUP_EVERY_S / 10, CLEANUP_EVERY_S);
	ev_io_init(&spawn->on_status, on_status, spawn->status, EV_READ);
	ev_io_init(&spawn->on_exit, on_exit_seen, spawn->pidfd, EV_READ);
	if (spawn->status >= 0)
		ev_io_start(spawn->daemon->loop, &spawn->on_status);
	if (spawn->pidfd >= 0)
		ev_io_start(spawn->daemon->loop, &spawn->on_exit);
	else
		ev_timer_start(spawn->daemon->loop, &spawn->on_cleanup);
}

void spawn_free(struct spawn *spawn)
{
	ev_io_stop(spawn->daemon->loop, &spawn->on_exit);
	ev_io_stop(spawn->daemon->loop, &spawn->on_status);
	ev_timer_stop(spawn->daemon->loop, &spawn->on_cleanup);
	fd_close(&spawn->pidfd);
	fd_close(&spawn->cell_pidfd);
	fd_close(&spawn->log);
	fd_close(&spawn->status);
	if (spawn->instance)
		spawn->instance->userdata = NULL;
	list_unlink(&spawn->in_daemon);
	free(spawn);
}

bool spawn_is_clean(const struct daemon *daemon)
{
	const struct spawn *spawn;

	list_walk(spawn, &daemon->spawns, struct spawn, in_daemon)
		if (spawn->instance || ev_is_active(&spawn->on_cleanup))
			return false;
	return true;
}

/* ---- what cells use, and write ------------------------------------------------------------------------- */

void spawn_usage(const struct kernel_instance *instance, struct cell_cgroup_usage *ret)
{
	struct spawn *spawn = instance->userdata;
	uint64_t now_ns = daemon_now();

	*ret = (struct cell_cgroup_usage){ 0 };
	if (!spawn || !spawn->cgroup.path[0])
		return;
	if (now_ns - spawn->usage_ns >= USAGE_AGE_NS) {
		spawn->usage_ns = now_ns;
		if (cell_cgroup_usage(&spawn->cgroup, &spawn->usage) < 0)
			spawn->usage = (struct cell_cgroup_usage){ 0 };
	}
	*ret = spawn->usage;
}

const char *spawn_sandbox(const struct daemon *daemon, unsigned controllers, bool was_asked)
{
	if (!daemon->conf.is_sandboxed)
		return "none";
	return was_asked && controllers == 0 ? "bwrap, rlimits only" : "bwrap";
}

static bool log_give(struct process *log, struct spawn *spawn)
{
	const struct cell_manifest *manifest =
		spawn->instance ? spawn->instance->cell->manifest : NULL;
	struct core_log_source_note note = {
		.cell = spawn->cell,
		.instance = spawn->id,
		.pid = (uint32_t)spawn->pid,
		.rate_lines = manifest ? manifest->log_rate : 0,
		.file_bytes = manifest ? manifest->log_size_bytes : 0,
	};
	struct cell_error err = { 0 };

	return process_order(log, FRAME_ONE_WAY, "LogSource", &note, &spawn->log, 1, NULL, &err) == 0;
}

void spawn_log(struct daemon *daemon, bool again)
{
	const struct kernel_instance *instance = kernel_ready(&daemon->kernel, daemon->conf.log);
	struct process *log;
	struct spawn *spawn;

	if (!instance || !instance->asker)
		return;
	log = process_of(instance->asker);
	list_walk(spawn, &daemon->spawns, struct spawn, in_daemon) {
		spawn->is_logged = spawn->is_logged && !again;
		if (spawn->log < 0 || spawn->is_logged)
			continue;
		/* It gets the rest when it has read these. */
		if (log->is_dropped || !list_is_empty(&log->outgoing) || !log_give(log, spawn)) {
			daemon->log_is_behind = true;
			continue;
		}
		spawn->is_logged = true;
		if (spawn->instance)
			continue;
		fd_close(&spawn->log);
		if (!ev_is_active(&spawn->on_cleanup))
			spawn_free(spawn);
	}
}
