/* What an instance may use: its cgroup, and rlimits for what no cgroup limits. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cell/error.h>

struct cell_manifest;

#define LIMITS_MAX 8

struct limit {
	int resource; /* RLIMIT_… */
	rlim_t value;
};

/*
 * The rlimits for MANIFEST where cgroups hold CONTROLLERS (enum cell_cgroup_controller).
 * Pure. Returns how many of RET are filled.
 */
size_t limits_plan(struct limit ret[LIMITS_MAX], const struct cell_manifest *manifest,
		   unsigned controllers);

/*
 * Set them for this process. Who may not raise a hard limit keeps it. Returns 0 or -errno.
 */
int limits_apply(const struct limit *limits, size_t n, struct cell_error *err);

/*
 * Make the instance's cgroup below ROOT (NULL: look for one) and join it. Where that is
 * not possible one log line says so and the cell runs with rlimits only.
 *
 * *RET_CONTROLLERS is what the cgroup limits. Returns 0; CELL_INVALID_ARGUMENT if NODE is no
 * node; CELL_ALREADY_EXISTS if another process is this instance.
 */
int limits_join(unsigned *ret_controllers, const struct cell_manifest *manifest,
		const char *root, const char *node, uint32_t instance,
		struct cell_error *err);

/*
 * Remove that cgroup again, waiting up to a second for processes that are on their way out.
 * Returns 0, also without one; -EBUSY while processes live in it.
 */
int limits_remove(const struct cell_manifest *manifest, const char *root, const char *node,
		  uint32_t instance, struct cell_error *err);

/* Kill and remove all instances of NODE. Returns 0 or -EBUSY, after as long a wait. */
int limits_clear(const char *root, const char *node, struct cell_error *err);
