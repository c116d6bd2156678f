#include "limits.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <cell/log.h>

#include "../libcell/cgroup.h"
#include "../libcell/manifest.h"

/* bwrap waits outside, with `init = yes` inside as well; that is not for the cell to pay. */
#define BWRAP_TASKS 1
#define INIT_TASKS  1
/*
 * RLIMIT_NPROC counts all processes of a user on the machine, so it is no limit of one cell;
 * it only has to stop a fork bomb before the machine does.
 */
#define NPROC_LEAST 4096

/* A sanitizer reserves terabytes of private memory, and a sanitized cell would not start. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RESERVES_TERABYTES true
#else
#define RESERVES_TERABYTES false
#endif

size_t limits_plan(struct limit ret[LIMITS_MAX], const struct cell_manifest *manifest,
		   unsigned controllers)
{
	size_t n = 0;

	/* A core would be written where the cell may write, with secrets in it. */
	ret[n++] = (struct limit){ RLIMIT_CORE, 0 };
	ret[n++] = (struct limit){ RLIMIT_NOFILE, manifest->files };
	/*
	 * Not RLIMIT_AS: rings are mapped twice and payloads can have a gigabyte. DATA counts
	 * private writable memory, which is what malloc() and stacks take.
	 */
	if (manifest->memory_bytes && !(controllers & CELL_CGROUP_MEMORY) &&
	    !RESERVES_TERABYTES)
		ret[n++] = (struct limit){ RLIMIT_DATA, manifest->memory_bytes };
	if (manifest->tasks && !(controllers & CELL_CGROUP_TASKS))
		ret[n++] = (struct limit){ RLIMIT_NPROC, manifest->tasks > NPROC_LEAST
								 ? manifest->tasks
								 : NPROC_LEAST };
	return n;
}

int limits_apply(const struct limit *limits, size_t n, struct cell_error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct rlimit now, wanted = { limits[i].value, limits[i].value };

		if (setrlimit(limits[i].resource, &wanted) == 0)
			continue;
		if (errno != EPERM || getrlimit(limits[i].resource, &now) < 0)
			return cell_fail(err, -errno, "setting rlimit %d to %llu: %s",
					 limits[i].resource,
					 (unsigned long long)limits[i].value,
					 strerror(errno));
		now.rlim_cur = now.rlim_max;
		if (setrlimit(limits[i].resource, &now) < 0)
			return cell_fail(err, -errno, "setting rlimit %d: %s",
					 limits[i].resource, strerror(errno));
	}
	return 0;
}

static int find(struct cell_cgroup *cgroup, const struct cell_manifest *manifest,
		const char *root, const char *node, uint32_t instance, int *ret_missing,
		struct cell_error *err)
{
	struct cell_cgroup_root found;

	*ret_missing = cell_cgroup_find(&found, root, err);
	return cell_cgroup_init(cgroup, &found, node, manifest->name, instance, err);
}

int limits_join(unsigned *ret_controllers, const struct cell_manifest *manifest,
		const char *root, const char *node, uint32_t instance, struct cell_error *err)
{
	const struct cell_cgroup_limits limits = {
		.memory_bytes = manifest->memory_bytes,
		.cpu_percent = manifest->cpu_percent,
		.tasks = manifest->tasks ? manifest->tasks + BWRAP_TASKS +
						   (manifest->init ? INIT_TASKS : 0)
					 : 0,
	};
	struct cell_error why = { .code = 0 };
	struct cell_cgroup cgroup;
	char quoted[CELL_ERROR_TEXT_MAX];
	int missing, r;

	*ret_controllers = 0;
	r = find(&cgroup, manifest, root, node, instance, &missing, &why);
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	r = missing;
	if (r == 0)
		r = cell_cgroup_create(&cgroup, &limits, &why);
	if (r == 0)
		r = cell_cgroup_join(&cgroup, 0, &why);
	if (r == -EBUSY && missing == 0)
		return cell_fail(err, CELL_ALREADY_EXISTS,
				 "instance %u of %s runs already: %s", (unsigned)instance,
				 manifest->name, why.text);
	if (r < 0) {
		cell_log(CELL_LOG_WARN, "sandbox", "no_cgroup",
			 "limits=rlimits reason=\"%s\"",
			 cell_log_quote(quoted, sizeof quoted, why.text));
		return 0;
	}
	*ret_controllers = cgroup.root.controllers;
	return 0;
}

/* Killed is not gone: the kernel takes a moment, and tells nobody on version 1. */
static bool wait_a_little(unsigned *tries)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	if (++*tries > 100)
		return false;
	(void)nanosleep(&pause, NULL);
	return true;
}

int limits_remove(const struct cell_manifest *manifest, const char *root, const char *node,
		  uint32_t instance, struct cell_error *err)
{
	struct cell_cgroup cgroup;
	unsigned tries = 0;
	int missing, r;

	r = find(&cgroup, manifest, root, node, instance, &missing, err);
	if (r < 0 || missing < 0)
		return r;
	do
		r = cell_cgroup_remove(&cgroup);
	while (r == -EBUSY && wait_a_little(&tries));
	if (r < 0)
		return cell_fail(err, r, "removing cgroup '%s': %s", cgroup.path,
				 strerror(-r));
	return 0;
}

int limits_clear(const char *root, const char *node, struct cell_error *err)
{
	struct cell_cgroup_root found;
	unsigned tries = 0;
	int r;

	if (cell_cgroup_find(&found, root, NULL) < 0)
		return 0;
	do
		r = cell_cgroup_clear(&found, node);
	while (r > 0 && wait_a_little(&tries));
	if (r > 0)
		return cell_fail(err, -EBUSY, "%d instances of node '%s' are still there", r,
				 node);
	return r < 0 ? cell_fail(err, r, "'%s' is no node", node) : 0;
}
