#include "daemon.h"

#include "catalog.h"
#include "control.h"
#include "notify.h"
#include "process.h"
#include "resume.h"
#include "spawn.h"
#include "watch.h"

#include "../libcell/file.h"
#include "../libcell/sock.h"

#include <cell/defaults.h>
#include <cell/log.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
/* Bytes that decoding one control packet and encoding its answer may take. */
#define ARENA_MAX (256u * 1024)
#define LISTEN_BACKLOG 128
/* systemd passes sockets from here on. */
#define LISTEN_FD_FIRST 3

void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

uint64_t daemon_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- turns -------------------------------------------------------------------------------- */

static void on_timer(struct ev_loop *, ev_timer *timer, int)
{
	daemon_settle(list_entry(timer, struct daemon, timer));
}

static void on_again(struct ev_loop *, ev_timer *timer, int)
{
	daemon_settle(list_entry(timer, struct daemon, again));
}

void daemon_again(struct daemon *daemon)
{
	if (ev_is_active(&daemon->again))
		return;
	ev_timer_set(&daemon->again, 0, 0);
	ev_timer_start(daemon->loop, &daemon->again);
}

/* Work and outcomes make each other; forks take long, so there are only so many a turn. */
static void settle_kernel(struct daemon *daemon)
{
	struct kernel *kernel = &daemon->kernel;
	struct kernel_instance *instance;
	struct kernel_request *request;
	unsigned work, spawns = 0;

	for (;;) {
		request = broker_next_outcome(kernel);
		if (request) {
			control_outcome(daemon, request);
			continue;
		}
		if (spawns == DAEMON_SPAWNS_PER_TURN) {
			if (!list_is_empty(&kernel->work))
				daemon_again(daemon);
			return;
		}
		instance = kernel_next_work(kernel, daemon_now(), &work);
		if (!instance)
			return;
		spawns += (work & KERNEL_WORK_SPAWN) != 0;
		spawn_work(daemon, instance, work);
	}
}

static void settle_log(struct daemon *daemon)
{
	bool is_new = daemon->log_is_new;

	if (!is_new && !daemon->log_is_behind)
		return;
	daemon->log_is_new = daemon->log_is_behind = false;
	spawn_log(daemon, is_new);
}

static void settle_dropped(struct daemon *daemon)
{
	struct process *process;

	list_walk(process, &daemon->dropped, struct process, in_daemon)
		process_free(process);
}

static void settle_timer(struct daemon *daemon)
{
	uint64_t due_ns = kernel_next_due(&daemon->kernel), now_ns = daemon_now();

	ev_timer_stop(daemon->loop, &daemon->timer);
	if (due_ns == 0)
		return;
	ev_now_update(daemon->loop);
	ev_timer_set(&daemon->timer, due_ns > now_ns ? (double)(due_ns - now_ns) / 1e9 : 0, 0);
	ev_timer_start(daemon->loop, &daemon->timer);
}

void daemon_settle(struct daemon *daemon)
{
	/* Whatever happens below is taken care of below. */
	if (daemon->is_settling)
		return;
	daemon->is_settling = true;
	kernel_tick(&daemon->kernel, daemon_now());
	settle_kernel(daemon);
	settle_log(daemon);
	watch_pump(daemon);
	/* Telling watchers and the log may have dropped some of them. */
	settle_kernel(daemon);
	settle_dropped(daemon);
	settle_timer(daemon);
	daemon->is_settling = false;
	resume_execute(daemon);
	if (daemon->kernel.is_stopping && kernel_is_empty(&daemon->kernel) &&
	    spawn_is_clean(daemon))
		ev_break(daemon->loop, EVBREAK_ALL);
}

void daemon_stop(struct daemon *daemon, uint64_t grace_ns)
{
	if (!daemon->kernel.is_stopping) {
		cell_log(CELL_LOG_INFO, "daemon", "stopping", "grace_ms=%llu",
			 (unsigned long long)(grace_ns / MS));
		notify_send("STOPPING=1");
	}
	kernel_shutdown(&daemon->kernel, grace_ns, daemon_now());
}

/* ---- signals ------------------------------------------------------------------------------- */

static void on_stop(struct ev_loop *, ev_signal *signal, int)
{
	struct daemon *daemon = signal->data;

	/* Whoever asks twice is in a hurry. */
	daemon_stop(daemon, daemon->kernel.is_stopping ? 0 : CELL_SHUTDOWN_TIMEOUT_MS * MS);
	daemon_settle(daemon);
}

static void on_reload(struct ev_loop *, ev_signal *signal, int)
{
	struct daemon *daemon = signal->data;
	struct cell_error err = { 0 };

	if (daemon_configure(daemon, &err) < 0)
		cell_log(CELL_LOG_ERR, "daemon", "reload_failed", "reason=\"%s\"",
			 cell_log_quote((char[512]){ 0 }, 512, err.text));
	catalog_scan(daemon);
	cell_log(CELL_LOG_INFO, "daemon", "reloaded", "cells=%zu", daemon->kernel.n_cells);
	daemon_settle(daemon);
}

static void on_watchdog(struct ev_loop *, ev_timer *, int)
{
	notify_send("WATCHDOG=1");
}

static void signals_start(struct daemon *daemon)
{
	const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		ev_signal_init(&daemon->signals[i], numbers[i] == SIGHUP ? on_reload : on_stop,
			       numbers[i]);
		daemon->signals[i].data = daemon;
		ev_signal_start(daemon->loop, &daemon->signals[i]);
	}
}

/* ---- start ----------------------------------------------------------------------------------- */

int daemon_configure(struct daemon *daemon, struct cell_error *err)
{
	struct conf conf;
	char path[RUNDIR_PATH_MAX];
	int r;

	conf_init(&conf);
	r = conf_read(&conf, daemon->conf_path ? daemon->conf_path
					       : rundir_path(&daemon->rundir, path, "node.conf"),
		      err);
	if (r == -ENOENT && !daemon->conf_path)
		r = 0;
	if (r < 0)
		return r;
	if (!conf.cells[0])
		(void)snprintf(conf.cells, sizeof conf.cells, "%s", daemon->default_cells);
	if (daemon->no_sandbox)
		conf.is_sandboxed = false;
	/* The name is in cgroups and introductions: it stays until the end. */
	if (daemon->conf.node[0])
		(void)snprintf(conf.node, sizeof conf.node, "%s", daemon->conf.node);
	daemon->conf = conf;
	return 0;
}

static uint32_t unmapped_uid(void)
{
	char text[16];

	if (file_read("/proc/sys/kernel/overflowuid", text, sizeof text) <= 0)
		return 65534;
	return (uint32_t)strtoul(text, NULL, 10);
}

/* Three descriptors a connection while it is made, one a process: as many as we may have. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* core.sock as systemd made it for us, or -1. */
static int listener_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int flags;

	if (!pid || !fds || strtol(pid, NULL, 10) != getpid() || strtol(fds, NULL, 10) < 1)
		return -1;
	flags = fcntl(LISTEN_FD_FIRST, F_GETFL);
	if (flags < 0 || fcntl(LISTEN_FD_FIRST, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(LISTEN_FD_FIRST, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return LISTEN_FD_FIRST;
}

static int listener_open(struct daemon *daemon, struct cell_error *err)
{
	char path[RUNDIR_PATH_MAX];

	daemon->listener = listener_inherited();
	daemon->listener_is_systemd = daemon->listener >= 0;
	if (daemon->listener >= 0)
		return 0;
	return sock_listen(&daemon->listener, rundir_path(&daemon->rundir, path, "core.sock"),
			   SOCK_SEQPACKET, 0600, LISTEN_BACKLOG, err);
}

static void find_cgroups(struct daemon *daemon)
{
	struct cell_error err = { 0 };
	int r = cell_cgroup_find(&daemon->cgroups, NULL, &err);

	if (r < 0) {
		cell_log(CELL_LOG_WARN, "daemon", "no_cgroups", "reason=\"%s\"",
			 cell_log_quote((char[512]){ 0 }, 512, err.text));
		daemon->cgroups.version = CELL_CGROUP_NONE;
	}
}

/* Parts that node.conf names and that are not there: the node works, but not as was meant. */
static void check_parts(struct daemon *daemon)
{
	const char *const parts[] = { daemon->conf.log, daemon->conf.resolver, daemon->conf.gateway };

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		const struct kernel_cell *cell = kernel_cell_find(&daemon->kernel, parts[i]);

		if (parts[i][0] && (!cell || !cell->manifest))
			cell_log(CELL_LOG_WARN, "daemon", "part_missing",
				 "cell_name=%s reason=\"node.conf names it, and no folder of cells = has it\"",
				 parts[i]);
	}
}

static void watchdog_start(struct daemon *daemon)
{
	double every_s = (double)notify_watchdog_ns() / 2e9;

	if (every_s <= 0)
		return;
	ev_timer_init(&daemon->watchdog, on_watchdog, every_s, every_s);
	ev_timer_start(daemon->loop, &daemon->watchdog);
}

void daemon_init(struct daemon *daemon)
{
	list_init(&daemon->processes);
	list_init(&daemon->dropped);
	list_init(&daemon->spawns);
	list_init(&daemon->activations);
	daemon->listener = -1;
	daemon->uid = geteuid();
	daemon->uid_unmapped = unmapped_uid();
	daemon->started_ns = daemon_now();
	cell_arena_init(&daemon->arena, ARENA_MAX);
	ev_timer_init(&daemon->timer, on_timer, 0, 0);
	ev_timer_init(&daemon->again, on_again, 0, 0);
	ev_timer_init(&daemon->accept_again, on_again, 0, 0);
	control_init();
	raise_limits();
}

static int daemon_resume(struct daemon *daemon, int resume_fd, struct cell_error *err)
{
	sigset_t none;
	int r = resume_take(daemon, resume_fd, err);

	if (r < 0)
		return cell_wrap(err, r, "taking over the table");
	cell_cgroup_group(daemon->group, daemon->conf.node, daemon->rundir.path);
	process_listen(daemon);
	catalog_scan(daemon);
	/* Those that came while we were executed. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

static int daemon_start(struct daemon *daemon, const char *rundir, const char *statedir,
			int resume_fd, struct cell_error *err)
{
	char path[RUNDIR_PATH_MAX];
	int r;

	r = rundir_open(&daemon->rundir, rundir, statedir, resume_fd < 0, err);
	if (r == 0)
		r = daemon_configure(daemon, err);
	if (r == 0)
		r = auth_key_ensure(daemon->key, rundir_path(&daemon->rundir, path, "key"), err);
	if (r < 0)
		return r;
	if (kernel_init(&daemon->kernel, &daemon->conf, catalog_lookup, daemon) < 0)
		return cell_fail(err, -ENOMEM, "the kernel's tables");
	daemon->kernel.random = (uint32_t)daemon->started_ns ^ (uint32_t)getpid();
	signals_start(daemon);
	if (resume_fd >= 0)
		return daemon_resume(daemon, resume_fd, err);
	rundir_clear(&daemon->rundir);
	find_cgroups(daemon);
	cell_cgroup_group(daemon->group, daemon->conf.node, daemon->rundir.path);
	if (daemon->cgroups.version != CELL_CGROUP_NONE)
		(void)cell_cgroup_clear(&daemon->cgroups, daemon->group);
	r = listener_open(daemon, err);
	if (r < 0)
		return r;
	process_listen(daemon);
	catalog_scan(daemon);
	check_parts(daemon);
	kernel_boot(&daemon->kernel, daemon_now());
	return 0;
}

static void daemon_end(struct daemon *daemon)
{
	struct process *process;
	struct spawn *spawn;

	daemon->is_settling = true; /* nothing more to do for the kernel */
	list_walk(process, &daemon->processes, struct process, in_daemon)
		process_drop(process, "the node has stopped");
	settle_kernel(daemon);
	settle_dropped(daemon);
	list_walk(spawn, &daemon->spawns, struct spawn, in_daemon)
		spawn_free(spawn);
	if (daemon->kernel.links)
		catalog_close(daemon);
	kernel_deinit(&daemon->kernel);
	ev_io_stop(daemon->loop, &daemon->on_client);
	fd_close(&daemon->listener);
	auth_key_wipe(daemon->key);
	cell_arena_deinit(&daemon->arena);
	rundir_close(&daemon->rundir, daemon->listener_is_systemd);
}

int daemon_run(struct daemon *daemon, const char *rundir, const char *statedir, int resume_fd,
	       struct cell_error *err)
{
	int r;

	/* Not the default loop: that one reaps every child, and with it the reasons of their ends. */
	daemon->loop = ev_loop_new(EVFLAG_NOENV);
	if (!daemon->loop)
		return cell_fail(err, -EIO, "no event loop on this system");
	daemon_init(daemon);
	r = daemon_start(daemon, rundir, statedir, resume_fd, err);
	if (r == 0) {
		cell_log(CELL_LOG_INFO, "daemon", resume_fd < 0 ? "started" : "resumed",
			 "node=%s rundir=\"%s\" sandbox=%s cells=%zu", daemon->conf.node,
			 daemon->rundir.path, daemon->conf.is_sandboxed ? "bwrap" : "none",
			 daemon->kernel.n_cells);
		watchdog_start(daemon);
		daemon_settle(daemon);
		notify_send("READY=1");
		ev_run(daemon->loop, 0);
		cell_log(CELL_LOG_INFO, "daemon", "stopped", NULL);
	}
	daemon_end(daemon);
	ev_loop_destroy(daemon->loop);
	return r;
}
