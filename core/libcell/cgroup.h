/*
 * One cgroup per instance: cell/<group>/<name>-<instance>, on version 2, or on version 1
 * (hybrid machines) once below each controller.
 *
 * cell-sandbox creates and joins it before it gives up its rights; cellcore reads its
 * usage and removes it when the instance has ended. Where nothing is writable there is no
 * cgroup and rlimits are all there is; every function says so by its return value and
 * none of them insists.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <cell/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the folder that cgroups are made in, its NUL included. */
#define CELL_CGROUP_ROOT_MAX 512
/* "cell/" + node + "/" + name + "-" + number, its NUL included. */
#define CELL_CGROUP_PATH_MAX 160
/* The folder of a node's cgroups, its NUL included. */
#define CELL_CGROUP_GROUP_MAX 64

enum cell_cgroup_version { CELL_CGROUP_NONE, CELL_CGROUP_V1, CELL_CGROUP_V2 };

enum cell_cgroup_controller {
	CELL_CGROUP_MEMORY = 1,
	CELL_CGROUP_CPU = 2,
	CELL_CGROUP_TASKS = 4
};

/* Where this machine lets us make cgroups. */
struct cell_cgroup_root {
	enum cell_cgroup_version version;
	unsigned controllers;            /* enum cell_cgroup_controller: which can be used */
	char path[CELL_CGROUP_ROOT_MAX]; /* v2: the folder below which ours go; v1: the one
					    that holds a folder per controller */
};

struct cell_cgroup {
	struct cell_cgroup_root root;
	char path[CELL_CGROUP_PATH_MAX]; /* below root.path, or root.path/<controller> */
};

/* 0 means no limit. */
struct cell_cgroup_limits {
	uint64_t memory_bytes;
	uint32_t cpu_percent; /* of one CPU */
	uint32_t tasks;
};

/* What an instance has used; a number that this machine does not tell is 0. */
struct cell_cgroup_usage {
	uint64_t memory_bytes;      /* now, kernel memory included */
	uint64_t memory_peak_bytes; /* ever */
	uint64_t cpu_ns;            /* user and system, since it was made */
	uint32_t tasks;             /* processes and threads now */
	uint64_t oom_kills;         /* processes killed for its memory limit */
	unsigned controllers;       /* which of the above are known */
};

/*
 * Find where cgroups can be made. DIR, unless NULL, is taken as that place; a folder that
 * has cgroup.controllers is version 2, one that has folders named memory, cpu or pids is
 * version 1. Without DIR: /sys/fs/cgroup, and on version 2 there the nearest folder at or
 * above our own cgroup that is writable and holds no process but us; if it does hold us we
 * move into its child "core", as version 2 forbids limits beside processes.
 *
 * Call it once, at the start. Returns 0; -ENOENT without any cgroups; -EACCES if none is
 * writable; with the reason in ERR and RET->version CELL_CGROUP_NONE.
 */
int cell_cgroup_find(struct cell_cgroup_root *ret, const char *dir, struct cell_error *err);

/*
 * The folder of a node's cgroups: its name, cut, and a hash of its run directory. Two nodes
 * of one name may run on a machine, as the name is by default the host's; each has cgroups
 * of its own, as it kills what it finds there. RUNDIR is a real path.
 */
void cell_cgroup_group(char ret[static CELL_CGROUP_GROUP_MAX], const char *node,
		       const char *rundir);

/*
 * Name the cgroup of an instance; makes nothing. NODE is letters, digits, '.', '_' and '-'.
 * Returns 0 or CELL_INVALID_ARGUMENT.
 */
int cell_cgroup_init(struct cell_cgroup *cgroup, const struct cell_cgroup_root *root,
		     const char *node, const char *name, uint32_t instance,
		     struct cell_error *err);

/*
 * Make it, or take what a dead instance left, and set LIMITS. CGROUP->root.controllers
 * keeps only those that took their limit.
 *
 * Returns 0, -EBUSY if processes live in it, -errno.
 */
int cell_cgroup_create(struct cell_cgroup *cgroup, const struct cell_cgroup_limits *limits,
		       struct cell_error *err);

/* Move process PID (0: us, with no second thread) into it. Returns 0 or -errno. */
int cell_cgroup_join(const struct cell_cgroup *cgroup, pid_t pid, struct cell_error *err);

/* Returns 0, or -ENOENT if there is no such cgroup (never made, or removed). */
int cell_cgroup_usage(const struct cell_cgroup *cgroup, struct cell_cgroup_usage *ret);

/* SIGKILL for every process in it. Returns 0 (also if there is none) or -errno. */
int cell_cgroup_kill(const struct cell_cgroup *cgroup);

/*
 * Remove it, and the node's folder if it was the last. Returns 0, also if it is gone
 * already; -EBUSY while processes live or are not reaped yet (try again); -errno.
 */
int cell_cgroup_remove(const struct cell_cgroup *cgroup);

/*
 * Kill and remove whatever an earlier cellcore of NODE left. Returns how many are still
 * there (0: all gone) or -errno. Waits for none of them.
 */
int cell_cgroup_clear(const struct cell_cgroup_root *root, const char *node);

/* The same for the node that had the run directory RUNDIR, whatever it was called. */
int cell_cgroup_clear_rundir(const struct cell_cgroup_root *root, const char *rundir);

#ifdef __cplusplus
}
#endif
