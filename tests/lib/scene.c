#include "scene.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t scene_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the node -------------------------------------------------------------------------- */

void scene_init(struct scene *scene)
{
	scene->call = NULL;
	test_node_init(&scene->node);
}

void scene_cell(struct scene *scene, const char *name, const char *args, const char *more)
{
	char path[256], program[512], text[2048];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s.cell", scene->node.cells, name);
	snprintf(text, sizeof text, "[cell]\nname = %s\nsummary = a test's %s\nexec = %s %s %s\n%s",
		 name, name, test_find_program("trial_cell", program), args, scene->node.folder, more);
	file = fopen(path, "we");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

void scene_start(struct scene *scene)
{
	test_node_start(&scene->node);
	ck_assert_int_eq(setenv("CELL_RUNDIR", scene->node.rundir, 1), 0);
	/* What a broken peer makes libcell say belongs into a log, not into a test's output. */
	ck_assert_int_eq(setenv("CELL_LOG", "err", 1), 0);
}

void scene_join(struct scene *scene)
{
	scene->call = cell_open("test");
}

/* Whether process PID was started with TEXT among its arguments. */
static bool process_has(const char *pid, const char *text)
{
	char path[300], line[4096];
	size_t len;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	len = fread(line, 1, sizeof line - 1, file);
	fclose(file);
	for (size_t i = 0; i < len; i++)
		if (!line[i])
			line[i] = ' ';
	line[len] = 0;
	return strstr(line, text) != NULL;
}

unsigned scene_processes(const struct scene *scene)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	unsigned n = 0;

	ck_assert_ptr_nonnull(proc);
	while ((entry = readdir(proc)))
		n += entry->d_name[0] > '0' && entry->d_name[0] <= '9' &&
		     process_has(entry->d_name, scene->node.folder);
	closedir(proc);
	return n;
}

/* cellcore ends, and all cells in their own way: that is when leaks are found. */
static void stop(struct scene *scene)
{
	if (!scene->node.pid)
		return;
	control_client_close(&scene->node.client);
	scene->node.client.fd = -1;
	ck_assert_int_eq(kill(scene->node.pid, SIGTERM), 0);
	ck_assert_int_eq(test_node_wait(&scene->node), 0);
}

static void must_not_complain(const struct scene *scene)
{
	char command[512];

	snprintf(command, sizeof command, "! grep -rE 'Sanitizer|runtime error' %s/*.log %s >&2",
		 scene->node.folder, scene->node.rundir);
	ck_assert_int_eq(system(command), 0);
}

void scene_deinit(struct scene *scene)
{
	struct scene copy = *scene;

	if (scene->call)
		cell_close(scene->call);
	scene->call = NULL;
	stop(scene);
	must_not_complain(scene);
	test_node_deinit(&scene->node);
	ck_assert_uint_eq(scene_processes(&copy), 0);
}

/* ---- what it says of itself -------------------------------------------------------------- */

struct core_instance_info scene_instance(struct scene *scene, const char *cell)
{
	struct core_list_request in = { .cell = cell, .after_name = "" };
	uint64_t until = scene_now_ns() + SCENE_PATIENCE_MS * 1000000ull;
	struct core_instance_page page;
	struct cell_error err = { 0 };

	do {
		int r = control_call(&scene->node.client, "ListInstances", &in, &page, NULL, &err);

		ck_assert_msg(r == 0, "%s", err.text);
		for (size_t i = 0; i < page.n_instances; i++)
			if (page.instances[i].state == CORE_INSTANCE_STATE_READY)
				return page.instances[i];
		(void)usleep(2000);
	} while (scene_now_ns() < until);
	ck_abort_msg("%s: no instance is ready", cell);
	return (struct core_instance_info){ 0 };
}

struct ops_stats_report *scene_stats(struct scene *scene, const char *cell)
{
	struct ops_stats_report *out = cell_arena_alloc(cell_arena(scene->call), sizeof *out);
	int r = ops_stats(cell_to(scene->call, cell, 0), out);

	ck_assert_msg(r == 0, "%s", cell_error(scene->call)->text);
	return out;
}

uint64_t scene_in_flight(struct scene *scene, const char *cell, const char *method)
{
	struct cell_arena_mark mark = cell_mark(scene->call);
	struct ops_stats_report *stats = scene_stats(scene, cell);
	uint64_t n = 0;

	for (size_t i = 0; i < stats->n_methods; i++) {
		const char *name = strrchr(stats->methods[i].method, '/');

		if (name && strcmp(name + 1, method) == 0)
			n += stats->methods[i].in_flight;
	}
	cell_rewind(scene->call, mark);
	return n;
}

void scene_await_in_flight(struct scene *scene, const char *cell, const char *method, uint64_t n)
{
	uint64_t until = scene_now_ns() + SCENE_PATIENCE_MS * 1000000ull;

	while (scene_in_flight(scene, cell, method) != n) {
		ck_assert_msg(scene_now_ns() < until, "%s: %llu calls of %s in flight, not %llu", cell,
			      (unsigned long long)scene_in_flight(scene, cell, method), method,
			      (unsigned long long)n);
		ck_assert_int_eq(cell_sleep_ms(scene->call, 1), 0);
	}
}

uint64_t scene_memory(pid_t pid)
{
	unsigned long size, resident;
	char path[64];
	FILE *file;
	int n;

	snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	n = fscanf(file, "%lu %lu", &size, &resident);
	fclose(file);
	ck_assert_int_eq(n, 2);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool scene_is_alive(pid_t pid)
{
	char path[64], line[512] = "", *state;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	state = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return state && state[1] && !strchr("ZX", state[2]);
}

uint64_t scene_cpu_ns(pid_t pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%ld/schedstat", (long)pid);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(fscanf(file, "%llu", &ns), 1);
	fclose(file);
	return ns;
}

uint64_t scene_sleeps(pid_t pid)
{
	unsigned long long n = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1)
			break;
	fclose(file);
	return n;
}

/* ---- clients ----------------------------------------------------------------------------- */

void scene_client(struct scene_client *client, scene_client_fn *fn, void *userdata)
{
	struct cell_call *call;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	client->pid = fork();
	ck_assert_int_ge(client->pid, 0);
	client->fd = ends[0];
	if (client->pid > 0) {
		(void)close(ends[1]);
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Nothing of the parent's may live on in us: ends of connections, above all. */
	if (dup2(ends[1], 3) < 0)
		_exit(1);
	(void)close_range(4, ~0u, 0);
	call = cell_open("client");
	fn(call, 3, userdata);
	cell_close(call);
	_exit(0);
}

void scene_hear(struct scene_client *client, void *bytes, size_t len)
{
	size_t have = 0;

	while (have < len) {
		struct pollfd at = { .fd = client->fd, .events = POLLIN };
		ssize_t n;

		ck_assert_msg(poll(&at, 1, SCENE_PATIENCE_MS) == 1, "a client says nothing");
		n = read(client->fd, (char *)bytes + have, len - have);
		ck_assert_msg(n > 0, "a client ended early");
		have += (size_t)n;
	}
}

void scene_client_end(struct scene_client *client)
{
	int status;

	ck_assert_int_eq(waitpid(client->pid, &status, 0), client->pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a client ended with %#x",
		      (unsigned)status);
	(void)close(client->fd);
}
