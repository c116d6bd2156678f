/*
 * cgroups by file. The two versions differ in where a group is (one tree, or one per
 * controller) and in the names of a few files; everything else is shared. Files are opened
 * with O_CREAT, which cgroupfs ignores, so that tests may give an ordinary folder as root.
 */
#include "cgroup.h"

#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium/crypto_generichash.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manifest.h"

#define MOUNT "/sys/fs/cgroup"
/* Root, controller, path and a file's name. */
#define FILE_MAX (CELL_CGROUP_ROOT_MAX + CELL_CGROUP_PATH_MAX + 64)
/* The folder that holds all nodes. */
#define TOP "cell"
/* Where cellcore itself goes on version 2. */
#define CORE          "core"
#define CPU_PERIOD_US 100000

/* The trees of version 1 that we use. cpuacct only counts, so it is part of CPU here. */
static const struct tree {
	const char *name;
	unsigned controller;
} trees[] = {
	{ "memory", CELL_CGROUP_MEMORY },
	{ "cpu", CELL_CGROUP_CPU },
	{ "cpuacct", 0 },
	{ "pids", CELL_CGROUP_TASKS },
};
#define N_TREES (sizeof trees / sizeof trees[0])

/* ---- files ---- */

__attribute__((format(printf, 2, 3))) static int file_write(const char *path,
							    const char *format, ...)
{
	char text[64];
	va_list args;
	ssize_t n;
	int fd, len;

	va_start(args, format);
	len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	n = write(fd, text, (size_t)len);
	if (n < 0)
		n = -errno;
	(void)close(fd);
	return n < 0 ? (int)n : 0;
}

/* The number behind KEY at the start of a line ("" = the whole file); false if there is none.
 */
static bool file_number(const char *folder, const char *name, const char *key, uint64_t *ret)
{
	char path[FILE_MAX + 32], text[4096];
	const char *at = text;
	size_t len = strlen(key);
	char *end;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	if (file_read(path, text, sizeof text) < 0)
		return false;
	while (len && strncmp(at, key, len) != 0) {
		at = strchr(at, '\n');
		if (!at)
			return false;
		at++;
	}
	at += len;
	*ret = strtoull(at, &end, 10);
	return end != at;
}

/* Whether WORD is one of the words in a file. */
static bool file_has_word(const char *path, const char *word)
{
	char text[512];
	char *save, *at;

	if (file_read(path, text, sizeof text) < 0)
		return false;
	for (at = strtok_r(text, " \n", &save); at; at = strtok_r(NULL, " \n", &save))
		if (strcmp(at, word) == 0)
			return true;
	return false;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Make PATH below BASE, folder by folder. */
static int folders_make(const char *base, const char *path)
{
	char whole[FILE_MAX];
	size_t at = strlen(base) + 1;
	int n = snprintf(whole, sizeof whole, "%s/%s", base, path);

	if (n < 0 || (size_t)n >= sizeof whole)
		return -ENAMETOOLONG;
	for (;;) {
		char *slash = strchr(whole + at, '/');

		if (slash)
			*slash = '\0';
		if (mkdir(whole, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (!slash)
			return 0;
		*slash = '/';
		at = (size_t)(slash - whole) + 1;
	}
}

/* ---- where ---- */

/* The folder of tree I. False when there is no such tree, or on version 2 for all but one. */
static bool tree_folder(const struct cell_cgroup_root *root, size_t i, const char *path,
			char folder[FILE_MAX])
{
	if (root->version == CELL_CGROUP_V2) {
		(void)snprintf(folder, FILE_MAX, "%s/%s", root->path, path);
		return i == 0;
	}
	if (root->version != CELL_CGROUP_V1 || i >= N_TREES)
		return false;
	if (trees[i].controller && !(root->controllers & trees[i].controller))
		return false;
	if (!trees[i].controller && !(root->controllers & CELL_CGROUP_CPU))
		return false;
	(void)snprintf(folder, FILE_MAX, "%s/%s/%s", root->path, trees[i].name, path);
	return true;
}

static int find_v1(struct cell_cgroup_root *root)
{
	char path[FILE_MAX];
	unsigned seen = 0;

	for (size_t i = 0; i < N_TREES; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", root->path, trees[i].name);
		if (!trees[i].controller || !is_folder(path))
			continue;
		seen |= trees[i].controller;
		if (access(path, W_OK) == 0)
			root->controllers |= trees[i].controller;
	}
	if (!seen)
		return -ENOENT;
	root->version = CELL_CGROUP_V1;
	return root->controllers ? 0 : -EACCES;
}

/* Processes in the cgroup at FOLDER besides us, as far as one read tells; -errno. */
static int others_in(const char *folder, bool *ret_us)
{
	char path[FILE_MAX], text[4096];
	char *save, *at;
	int r, n = 0;

	*ret_us = false;
	(void)snprintf(path, sizeof path, "%s/cgroup.procs", folder);
	r = file_read(path, text, sizeof text);
	if (r < 0)
		return r;
	for (at = strtok_r(text, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
		if (strtol(at, NULL, 10) == getpid())
			*ret_us = true;
		else
			n++;
	}
	return n;
}

/*
 * Whether limits can be set on children of FOLDER. Only the root of all cgroups may hold
 * processes beside children with limits; it alone has no cgroup.type.
 */
static int folder_is_usable(const char *folder)
{
	char path[FILE_MAX];
	bool has_us;
	int n;

	(void)snprintf(path, sizeof path, "%s/cgroup.subtree_control", folder);
	if (access(folder, W_OK) < 0 || access(path, W_OK) < 0)
		return -EACCES;
	(void)snprintf(path, sizeof path, "%s/cgroup.type", folder);
	if (access(path, F_OK) < 0)
		return 0;
	n = others_in(folder, &has_us);
	if (n < 0)
		return n;
	if (n > 0)
		return -EBUSY;
	if (!has_us)
		return 0;
	n = folders_make(folder, CORE);
	if (n < 0)
		return n;
	(void)snprintf(path, sizeof path, "%s/" CORE "/cgroup.procs", folder);
	return file_write(path, "%d", (int)getpid());
}

static int use_v2(struct cell_cgroup_root *root)
{
	static const struct {
		const char *name;
		unsigned controller;
	} words[] = { { "memory", CELL_CGROUP_MEMORY },
		      { "cpu", CELL_CGROUP_CPU },
		      { "pids", CELL_CGROUP_TASKS } };
	char path[FILE_MAX];
	int r = folder_is_usable(root->path);

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof path, "%s/cgroup.controllers", root->path);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (file_has_word(path, words[i].name))
			root->controllers |= words[i].controller;
	if (!root->controllers)
		return -ENOENT;
	root->version = CELL_CGROUP_V2;
	return 0;
}

/* Our own cgroup below the mount, "" being the root. */
static int own_path(char *path, size_t size)
{
	char text[2048];
	char *at, *end;
	int r = file_read("/proc/self/cgroup", text, sizeof text);

	if (r < 0)
		return r;
	at = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
	if (!at)
		return -ENOENT;
	at = strchr(at, '/');
	end = strchr(at, '\n');
	if (end)
		*end = '\0';
	if (strcmp(at, "/") == 0)
		at++;
	if (strlen(at) >= size)
		return -ENAMETOOLONG;
	strcpy(path, at);
	return 0;
}

/* From our own cgroup upwards to the first that can be used. */
static int find_v2(struct cell_cgroup_root *root)
{
	char own[CELL_CGROUP_ROOT_MAX - sizeof MOUNT];
	int r = own_path(own, sizeof own);

	if (r < 0)
		return r;
	for (;;) {
		char *slash = strrchr(own, '/');

		(void)snprintf(root->path, sizeof root->path, MOUNT "%s", own);
		r = use_v2(root);
		if (r == 0 || !slash)
			return r;
		*slash = '\0';
	}
}

int cell_cgroup_find(struct cell_cgroup_root *ret, const char *dir, struct cell_error *err)
{
	char path[FILE_MAX];
	bool is_v2;
	int r;

	*ret = (struct cell_cgroup_root){ .version = CELL_CGROUP_NONE };
	if (strlen(dir ? dir : MOUNT) >= sizeof ret->path)
		return cell_fail(err, -ENAMETOOLONG,
				 "the path of the cgroup root is too long");
	strcpy(ret->path, dir ? dir : MOUNT);
	(void)snprintf(path, sizeof path, "%s/cgroup.controllers", ret->path);
	is_v2 = access(path, F_OK) == 0;
	r = !is_v2 ? find_v1(ret) : dir ? use_v2(ret) : find_v2(ret);
	if (r == 0)
		return 0;
	ret->version = CELL_CGROUP_NONE;
	ret->controllers = 0;
	if (r == -ENOENT)
		return cell_fail(err, r, "no cgroup with memory, cpu or pids below '%s'",
				 dir ? dir : MOUNT);
	return cell_fail(err, r == -EBUSY ? r : -EACCES,
			 "no cgroup below '%s' is ours to use: %s", dir ? dir : MOUNT,
			 strerror(-r));
}

static bool node_is_valid(const char *node)
{
	size_t len = node ? strlen(node) : 0;

	return len > 0 && len <= CELL_NAME_MAX && node[0] != '.' &&
	       strspn(node,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

/* "-" and eight digits that say which run directory. */
#define MARK_MAX 10

static void rundir_mark(char ret[static MARK_MAX], const char *rundir)
{
	uint8_t hash[crypto_generichash_BYTES_MIN];

	(void)crypto_generichash(hash, sizeof hash, (const uint8_t *)rundir, strlen(rundir),
				 NULL, 0);
	(void)snprintf(ret, MARK_MAX, "-%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
}

void cell_cgroup_group(char ret[static CELL_CGROUP_GROUP_MAX], const char *node,
		       const char *rundir)
{
	char mark[MARK_MAX];

	rundir_mark(mark, rundir);
	(void)snprintf(ret, CELL_CGROUP_GROUP_MAX, "%.*s%s", CELL_CGROUP_GROUP_MAX - MARK_MAX,
		       node, mark);
}

int cell_cgroup_init(struct cell_cgroup *cgroup, const struct cell_cgroup_root *root,
		     const char *node, const char *name, uint32_t instance,
		     struct cell_error *err)
{
	if (!node_is_valid(node) || !cell_name_is_valid(name))
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "'%.64s/%.64s' is no node and cell to make a cgroup for",
				 node ? node : "", name ? name : "");
	cgroup->root = *root;
	(void)snprintf(cgroup->path, sizeof cgroup->path, TOP "/%s/%s-%" PRIu32, node, name,
		       instance);
	return 0;
}

/* ---- making ---- */

/* On version 2 each folder says which controllers its children have. */
static void controllers_enable(const struct cell_cgroup *cgroup)
{
	static const char *const words[] = { "+memory", "+cpu", "+pids" };
	char folder[FILE_MAX], path[FILE_MAX + 32];
	size_t at = strlen(cgroup->root.path);

	(void)snprintf(folder, sizeof folder, "%s/%s", cgroup->root.path, cgroup->path);
	while (folder[at]) {
		char *slash = strchr(folder + at + 1, '/');

		folder[at] = '\0';
		(void)snprintf(path, sizeof path, "%s/cgroup.subtree_control", folder);
		/* One by one: a controller that is missing must not keep out the others. */
		for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
			(void)file_write(path, "%s", words[i]);
		folder[at] = '/';
		if (!slash)
			return;
		at = (size_t)(slash - folder);
	}
}

static int memory_limit(const struct cell_cgroup *cgroup, const char *folder, uint64_t bytes)
{
	char path[FILE_MAX + 32];
	int r;

	if (!bytes)
		return 0;
	if (cgroup->root.version == CELL_CGROUP_V1) {
		(void)snprintf(path, sizeof path, "%s/memory.limit_in_bytes", folder);
		r = file_write(path, "%" PRIu64, bytes);
		/* Memory and swap together; not every kernel counts swap. */
		(void)snprintf(path, sizeof path, "%s/memory.memsw.limit_in_bytes", folder);
		(void)file_write(path, "%" PRIu64, bytes);
		return r;
	}
	(void)snprintf(path, sizeof path, "%s/memory.max", folder);
	r = file_write(path, "%" PRIu64, bytes);
	(void)snprintf(path, sizeof path, "%s/memory.swap.max", folder);
	(void)file_write(path, "0");
	/* Half a cell is no use: when one process must go, all go, and it is restarted. */
	(void)snprintf(path, sizeof path, "%s/memory.oom.group", folder);
	(void)file_write(path, "1");
	return r;
}

static int cpu_limit(const struct cell_cgroup *cgroup, const char *folder, uint32_t percent)
{
	uint64_t quota_us = (uint64_t)percent * CPU_PERIOD_US / 100;
	char path[FILE_MAX + 32];
	int r;

	if (!percent)
		return 0;
	if (cgroup->root.version == CELL_CGROUP_V2) {
		(void)snprintf(path, sizeof path, "%s/cpu.max", folder);
		return file_write(path, "%" PRIu64 " %d", quota_us, CPU_PERIOD_US);
	}
	(void)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
	r = file_write(path, "%d", CPU_PERIOD_US);
	(void)snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
	return r < 0 ? r : file_write(path, "%" PRIu64, quota_us);
}

static int tasks_limit(const char *folder, uint32_t tasks)
{
	char path[FILE_MAX + 32];

	if (!tasks)
		return 0;
	(void)snprintf(path, sizeof path, "%s/pids.max", folder);
	return file_write(path, "%" PRIu32, tasks);
}

/* Set LIMITS that tree I is for; controllers that refuse are struck off. */
static void limits_set(struct cell_cgroup *cgroup, size_t i, const char *folder,
		       const struct cell_cgroup_limits *limits)
{
	unsigned all = cgroup->root.controllers;
	unsigned here =
		cgroup->root.version == CELL_CGROUP_V2 ? all : trees[i].controller & all;

	if ((here & CELL_CGROUP_MEMORY) &&
	    memory_limit(cgroup, folder, limits->memory_bytes) < 0)
		cgroup->root.controllers &= ~(unsigned)CELL_CGROUP_MEMORY;
	if ((here & CELL_CGROUP_CPU) && cpu_limit(cgroup, folder, limits->cpu_percent) < 0)
		cgroup->root.controllers &= ~(unsigned)CELL_CGROUP_CPU;
	if ((here & CELL_CGROUP_TASKS) && tasks_limit(folder, limits->tasks) < 0)
		cgroup->root.controllers &= ~(unsigned)CELL_CGROUP_TASKS;
}

int cell_cgroup_create(struct cell_cgroup *cgroup, const struct cell_cgroup_limits *limits,
		       struct cell_error *err)
{
	char folder[FILE_MAX], base[FILE_MAX];
	struct cell_cgroup_root root = cgroup->root;
	bool has_us;

	if (root.version == CELL_CGROUP_NONE)
		return cell_fail(err, -ENOENT, "there are no cgroups to use");
	for (size_t i = 0; i < N_TREES; i++) {
		int r = 0;

		if (!tree_folder(&root, i, cgroup->path, folder))
			continue;
		/* What a dead instance left would count into our usage. */
		if (rmdir(folder) < 0 && errno == EBUSY && others_in(folder, &has_us) > 0)
			return cell_fail(err, -EBUSY, "processes live in cgroup '%s'",
					 folder);
		if (root.version == CELL_CGROUP_V2)
			strcpy(base, root.path);
		else
			(void)snprintf(base, sizeof base, "%s/%s", root.path, trees[i].name);
		/* Another instance that ends may remove the node's folder between our steps.
		 */
		for (int tries = 0; tries < 16; tries++) {
			r = folders_make(base, cgroup->path);
			if (r != -ENOENT)
				break;
		}
		if (r < 0)
			return cell_fail(err, r, "making cgroup '%s': %s", folder,
					 strerror(-r));
		if (root.version == CELL_CGROUP_V2)
			controllers_enable(cgroup);
		limits_set(cgroup, i, folder, limits);
	}
	return 0;
}

/*
 * Moving a whole process makes the kernel wait for all others (10 ms on an idle machine), as
 * none of its threads may fork meanwhile. A single thread that moves itself needs no such
 * care, but only version 1 can move single threads.
 */
static int join_folder(const struct cell_cgroup *cgroup, const char *folder, pid_t pid)
{
	char path[FILE_MAX + 32];

	(void)snprintf(path, sizeof path, "%s/tasks", folder);
	if (!pid && cgroup->root.version == CELL_CGROUP_V1 && file_write(path, "0") == 0)
		return 0;
	(void)snprintf(path, sizeof path, "%s/cgroup.procs", folder);
	return file_write(path, "%d", (int)(pid ? pid : getpid()));
}

int cell_cgroup_join(const struct cell_cgroup *cgroup, pid_t pid, struct cell_error *err)
{
	char folder[FILE_MAX];

	for (size_t i = 0; i < N_TREES; i++) {
		int r;

		if (!tree_folder(&cgroup->root, i, cgroup->path, folder))
			continue;
		r = join_folder(cgroup, folder, pid);
		if (r < 0)
			return cell_fail(err, r, "joining cgroup '%s': %s", folder,
					 strerror(-r));
	}
	return 0;
}

/* ---- reading ---- */

static void usage_v1(size_t i, const char *folder, struct cell_cgroup_usage *usage)
{
	uint64_t tasks;

	if (trees[i].controller == CELL_CGROUP_MEMORY) {
		/* Kernel memory is part of this counter on version 1, too. */
		if (file_number(folder, "memory.usage_in_bytes", "", &usage->memory_bytes))
			usage->controllers |= CELL_CGROUP_MEMORY;
		(void)file_number(folder, "memory.max_usage_in_bytes", "",
				  &usage->memory_peak_bytes);
		(void)file_number(folder, "memory.oom_control", "oom_kill ",
				  &usage->oom_kills);
	} else if (trees[i].controller == CELL_CGROUP_TASKS) {
		if (file_number(folder, "pids.current", "", &tasks)) {
			usage->tasks = (uint32_t)tasks;
			usage->controllers |= CELL_CGROUP_TASKS;
		}
	} else if (!trees[i].controller) {
		if (file_number(folder, "cpuacct.usage", "", &usage->cpu_ns))
			usage->controllers |= CELL_CGROUP_CPU;
	}
}

static void usage_v2(const char *folder, struct cell_cgroup_usage *usage)
{
	uint64_t cpu_us, tasks;

	if (file_number(folder, "memory.current", "", &usage->memory_bytes))
		usage->controllers |= CELL_CGROUP_MEMORY;
	(void)file_number(folder, "memory.peak", "", &usage->memory_peak_bytes);
	(void)file_number(folder, "memory.events", "oom_kill ", &usage->oom_kills);
	if (file_number(folder, "cpu.stat", "usage_usec ", &cpu_us)) {
		usage->cpu_ns = cpu_us * 1000;
		usage->controllers |= CELL_CGROUP_CPU;
	}
	if (file_number(folder, "pids.current", "", &tasks)) {
		usage->tasks = (uint32_t)tasks;
		usage->controllers |= CELL_CGROUP_TASKS;
	}
}

int cell_cgroup_usage(const struct cell_cgroup *cgroup, struct cell_cgroup_usage *ret)
{
	struct cell_cgroup_usage usage = { .controllers = 0 };
	char folder[FILE_MAX];
	bool exists = false;

	for (size_t i = 0; i < N_TREES; i++) {
		if (!tree_folder(&cgroup->root, i, cgroup->path, folder) ||
		    !is_folder(folder))
			continue;
		exists = true;
		if (cgroup->root.version == CELL_CGROUP_V2)
			usage_v2(folder, &usage);
		else
			usage_v1(i, folder, &usage);
	}
	if (!exists)
		return -ENOENT;
	*ret = usage;
	return 0;
}

/* ---- ending ---- */

static int folder_kill(const struct cell_cgroup_root *root, const char *folder)
{
	char path[FILE_MAX + 32];
	char *line = NULL;
	size_t room = 0;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/cgroup.kill", folder);
	if (root->version == CELL_CGROUP_V2 && access(path, W_OK) == 0)
		return file_write(path, "1");
	(void)snprintf(path, sizeof path, "%s/cgroup.procs", folder);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	while (getline(&line, &room, file) > 0) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		/* 0 stands for a process that this pid namespace does not see. */
		if (pid > 1 && pid != getpid())
			(void)kill(pid, SIGKILL);
	}
	free(line);
	(void)fclose(file);
	return 0;
}

int cell_cgroup_kill(const struct cell_cgroup *cgroup)
{
	char folder[FILE_MAX];
	int result = 0;

	for (size_t i = 0; i < N_TREES; i++) {
		int r = tree_folder(&cgroup->root, i, cgroup->path, folder)
				? folder_kill(&cgroup->root, folder)
				: 0;

		if (r < 0)
			result = r;
	}
	return result;
}

int cell_cgroup_remove(const struct cell_cgroup *cgroup)
{
	char folder[FILE_MAX];
	int result = 0;

	for (size_t i = 0; i < N_TREES; i++) {
		char *slash;

		if (!tree_folder(&cgroup->root, i, cgroup->path, folder))
			continue;
		if (rmdir(folder) < 0 && errno != ENOENT) {
			result = -errno;
			continue;
		}
		/* The node's folder, then that of all nodes, if nobody needs them. */
		for (int up = 0; up < 2 && (slash = strrchr(folder, '/')); up++) {
			*slash = '\0';
			if (rmdir(folder) < 0)
				break;
		}
	}
	return result;
}

int cell_cgroup_clear(const struct cell_cgroup_root *root, const char *node)
{
	char path[CELL_CGROUP_PATH_MAX], folder[FILE_MAX], child[FILE_MAX + 256];
	int left = 0;

	if (!node_is_valid(node))
		return CELL_INVALID_ARGUMENT;
	(void)snprintf(path, sizeof path, TOP "/%s", node);
	for (size_t i = 0; i < N_TREES; i++) {
		struct dirent *entry;
		DIR *dir;
		int here = 0;

		if (!tree_folder(root, i, path, folder) || !(dir = opendir(folder)))
			continue;
		while ((entry = readdir(dir))) {
			if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
				continue;
			(void)snprintf(child, sizeof child, "%s/%s", folder, entry->d_name);
			if (rmdir(child) == 0)
				continue;
			(void)folder_kill(root, child);
			here += rmdir(child) < 0;
		}
		(void)closedir(dir);
		/* And that of all nodes, if this was the last. */
		if (rmdir(folder) == 0) {
			*strrchr(folder, '/') = '\0';
			(void)rmdir(folder);
		}
		/* The same instances are in every tree. */
		left = here > left ? here : left;
	}
	return left;
}

int cell_cgroup_clear_rundir(const struct cell_cgroup_root *root, const char *rundir)
{
	char mark[MARK_MAX], folder[FILE_MAX];
	int left = 0;

	rundir_mark(mark, rundir);
	for (size_t i = 0; i < N_TREES; i++) {
		struct dirent *entry;
		DIR *dir;

		if (!tree_folder(root, i, TOP, folder) || !(dir = opendir(folder)))
			continue;
		while ((entry = readdir(dir))) {
			size_t len = strlen(entry->d_name);
			int here = 0;

			if (len >= MARK_MAX && strcmp(entry->d_name + len - (MARK_MAX - 1), mark) == 0)
				here = cell_cgroup_clear(root, entry->d_name);
			left = here > left ? here : left;
		}
		(void)closedir(dir);
	}
	return left;
}
