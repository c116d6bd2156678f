#include "proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parent {
	pid_t pid;
	pid_t parent;
};

/* The state and the parent follow the name, which is in brackets and may hold anything. */
static pid_t parent_of(const char *pid)
{
	char path[64];
	char line[512];
	const char *after = NULL;
	FILE *file;
	int parent = -1;

	(void)snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fgets(line, sizeof line, file))
		after = strrchr(line, ')');
	if (!after || sscanf(after + 1, " %*c %d", &parent) != 1)
		parent = -1;
	(void)fclose(file);
	return parent;
}

static size_t parents_read(struct parent **ret_parents)
{
	DIR *dir = opendir("/proc");
	struct parent *parents = NULL;
	size_t room = 0;
	size_t n = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		int pid = atoi(entry->d_name);

		if (pid <= 0)
			continue;
		if (n == room) {
			struct parent *more;

			room = room ? 2 * room : 1024;
			more = reallocarray(parents, room, sizeof *parents);
			if (!more)
				break;
			parents = more;
		}
		parents[n++] = (struct parent){ pid, parent_of(entry->d_name) };
	}
	(void)closedir(dir);
	*ret_parents = parents;
	return n;
}

size_t proc_tree(pid_t root, pid_t *pids, size_t max)
{
	struct parent *parents = NULL;
	size_t n_parents = parents_read(&parents);
	size_t n = 0;

	/* Breadth first: PIDS is also the queue of those whose children are not in it yet. */
	for (size_t done = 0; done <= n; done++) {
		pid_t parent = done == 0 ? root : pids[done - 1];

		for (size_t i = 0; i < n_parents && n < max; i++)
			if (parents[i].parent == parent)
				pids[n++] = parents[i].pid;
	}
	free(parents);
	return n;
}

/* The sum of all numbers that follow KEY at the start of a line; 0 if PATH is gone. */
static uint64_t numbers_sum(const char *path, const char *const *keys, size_t n_keys)
{
	FILE *file = fopen(path, "re");
	uint64_t sum = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof line, file))
		for (size_t i = 0; i < n_keys; i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				sum += strtoull(line + strlen(keys[i]), NULL, 10);
	(void)fclose(file);
	return sum;
}

uint64_t proc_wakeups(pid_t pid)
{
	static const char *const keys[] = { "voluntary_ctxt_switches:",
					    "nonvoluntary_ctxt_switches:" };
	uint64_t wakeups = 0;
	char path[64];
	DIR *dir;

	(void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (atoi(entry->d_name) <= 0)
			continue;
		(void)snprintf(path, sizeof path, "/proc/%d/task/%.20s/status", (int)pid,
			       entry->d_name);
		wakeups += numbers_sum(path, keys, sizeof keys / sizeof *keys);
	}
	(void)closedir(dir);
	return wakeups;
}

uint64_t proc_memory_bytes(pid_t pid)
{
	static const char *const keys[] = { "Pss:" };
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	return 1024 * numbers_sum(path, keys, 1);
}

uint64_t proc_kernel_bytes(void)
{
	static const char *const keys[] = { "SUnreclaim:", "KernelStack:", "PageTables:",
					    "Percpu:" };

	return 1024 * numbers_sum("/proc/meminfo", keys, sizeof keys / sizeof *keys);
}
