/*
 * Processes: fork cell-sandbox, watch it, end it, clean up after it.
 *
 * A spawned cell inherits its control socket (3), a pipe or file as stderr, and nothing
 * else. The pidfd of what we forked tells its end and its reason; the cell's own pid, which
 * may be another one (KERNEL.md section 5), comes with its Ready.
 */
#pragma once

#include "../libcell/cgroup.h"
#include "../libcell/sock.h"
#include "daemon.h"

struct spawn {
	struct list in_daemon;
	struct daemon *daemon;
	struct kernel_instance *instance; /* NULL: ended, only cleaning up is left */
	pid_t pid;           /* of cell-sandbox, later bwrap, or of the cell itself */
	int pidfd;           /* the same; -1: reaped */
	int cell_pidfd;      /* of the cell; -1: not known yet */
	int log;             /* read end of its stderr, never read here; -1: none */
	bool is_logged;      /* the log cell has a copy */
	int status;          /* bwrap's report of the child's pid; -1: done */
	ev_io on_exit, on_status;
	ev_timer on_cleanup; /* the cgroup may be busy a little longer */
	unsigned cleanups;
	struct cell_cgroup cgroup;
	struct cell_cgroup_usage usage; /* as last read, … */
	uint64_t usage_ns;              /* … and when */
	char name[KERNEL_INSTANCE_NAME_MAX];
	char cell[CELL_NAME_MAX + 1];
	uint64_t id;
};

/* Start INSTANCE. On failure the kernel is told that it ended. */
void spawn_start(struct daemon *daemon, struct kernel_instance *instance);

/* Do the kernel's work of these bits (enum kernel_work). */
void spawn_work(struct daemon *daemon, struct kernel_instance *instance, unsigned work);

/* The cell says ready: CREDS name the true process. 0, or an error to answer with. */
int spawn_ready(struct daemon *daemon, struct kernel_instance *instance,
		const struct sock_creds *creds, struct cell_error *err);

/* What its cgroup counts, or did a moment ago; all zero where there is none. */
void spawn_usage(const struct kernel_instance *instance, struct cell_cgroup_usage *ret);

/* "bwrap", "bwrap, rlimits only", "none": CONTROLLERS as usage found them, if it was asked. */
const char *spawn_sandbox(const struct daemon *daemon, unsigned controllers, bool was_asked);

/* Give the log cell what it has not got yet; AGAIN: it is a new one, and has got nothing. */
void spawn_log(struct daemon *daemon, bool again);

/*
 * For taking over a table: an empty one of INSTANCE (NULL: it has ended), NULL without memory;
 * and watch it once it is filled.
 */
struct spawn *spawn_add(struct daemon *daemon, struct kernel_instance *instance);
void spawn_watch(struct spawn *spawn);

/* Give up what is left of the ended. True if nothing is. */
bool spawn_is_clean(const struct daemon *daemon);
void spawn_free(struct spawn *spawn);
