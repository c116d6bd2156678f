#include "test_node.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 15000

const char *test_find_program(const char *program, char out[static 512])
{
	const char *path = getenv("PATH");

	while (path && *path) {
		size_t len = strcspn(path, ":");

		snprintf(out, 512, "%.*s/%s", (int)len, path, program);
		if (access(out, X_OK) == 0)
			return out;
		path += len + (path[len] == ':');
	}
	ck_abort_msg("%s is not in $PATH: run this by make test", program);
	return NULL;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

void test_node_init(struct test_node *node)
{
	memset(node, 0, sizeof *node);
	node->client.fd = -1;
	strcpy(node->folder, "/tmp/cellcore_test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(node->folder));
	ck_assert_int_eq(chmod(node->folder, 0755), 0);
	snprintf(node->rundir, sizeof node->rundir, "%s/run", node->folder);
	snprintf(node->cells, sizeof node->cells, "%s/cells", node->folder);
	ck_assert_int_eq(mkdir(node->rundir, 0700), 0);
	ck_assert_int_eq(mkdir(node->cells, 0755), 0);
	test_node_conf(node, "");
}

void test_node_cell(struct test_node *node, const char *name, const char *args, const char *more)
{
	char path[256], program[512], text[2048];

	snprintf(path, sizeof path, "%s/%s.cell", node->cells, name);
	snprintf(text, sizeof text, "[cell]\nname = %s\nsummary = a test's %s\nexec = %s %s\n%s", name,
		 name, test_find_program("dummy_cell", program), args, more);
	write_file(path, text);
}

void test_node_conf(struct test_node *node, const char *more)
{
	char path[256], text[2048];

	snprintf(path, sizeof path, "%s/node.conf", node->rundir);
	/* Nodes of tests that run at the same time share no cgroups. */
	snprintf(text, sizeof text, "[node]\nname = test-%s\ncells = %s\n%s",
		 node->folder + strlen("/tmp/cellcore_test."), node->cells, more);
	write_file(path, text);
}

static void node_exec(const struct test_node *node)
{
	char program[512], log[128];
	const char *args[8] = { NULL };
	size_t n = 0;
	int fd;

	test_find_program("cellcore", program);
	snprintf(log, sizeof log, "%s/cellcore.log", node->folder);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	dup2(fd, 2);
	args[n++] = program;
	args[n++] = "--rundir";
	args[n++] = node->rundir;
	if (!node->is_sandboxed)
		args[n++] = "--no-sandbox";
	if (node->is_watched)
		args[n++] = "--watch";
	execv(program, (char *const *)(uintptr_t)args);
	_exit(126);
}

void test_node_start(struct test_node *node)
{
	struct cell_error err = { 0 };
	int r = -1;

	node->pid = fork();
	if (node->pid == 0)
		node_exec(node);
	for (int i = 0; i < PATIENCE_MS / 10 && r < 0; i++) {
		ck_assert_msg(waitpid(node->pid, NULL, WNOHANG) == 0, "cellcore did not start");
		r = control_client_open(&node->client, node->rundir, &err);
		if (r < 0)
			usleep(10000);
	}
	ck_assert_msg(r == 0, "joining: %s", err.text);
}

int test_node_wait(struct test_node *node)
{
	int status = 0;
	pid_t r = 0;

	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		r = waitpid(node->pid, &status, WNOHANG);
		if (r != 0)
			break;
		usleep(10000);
	}
	if (r == 0) {
		kill(node->pid, SIGKILL);
		waitpid(node->pid, &status, 0);
	}
	node->pid = 0;
	ck_assert_msg(r != 0, "cellcore did not end");
	return status;
}

void test_node_deinit(struct test_node *node)
{
	char command[128];

	if (node->client.fd >= 0)
		control_client_close(&node->client);
	if (node->pid) {
		kill(node->pid, SIGTERM);
		ck_assert_int_eq(test_node_wait(node), 0);
	}
	snprintf(command, sizeof command, "rm -rf '%s'", node->folder);
	ck_assert_int_eq(system(command), 0);
}

int test_node_connect(struct test_node *node, const char *cell, int *ret_life,
		      struct cell_error *err)
{
	struct core_connect_request in = { .cell = cell };
	struct core_connection out;
	struct sock_packet packet = { 0 };
	int r = control_call(&node->client, "Connect", &in, &out, &packet, err);

	if (r == 0) {
		ck_assert_uint_eq(packet.n_fds, 4);
		*ret_life = packet.fds[3];
		packet.fds[3] = -1;
	}
	sock_packet_close(&packet);
	return r;
}

const char *test_tell(int life, const char *format, ...)
{
	static char answer[1024];
	char order[512];
	struct pollfd at = { .fd = life, .events = POLLIN };
	va_list args;
	ssize_t n;

	va_start(args, format);
	vsnprintf(order, sizeof order, format, args);
	va_end(args);
	answer[0] = 0;
	if (send(life, order, strlen(order), MSG_NOSIGNAL) < 0)
		return answer;
	ck_assert_msg(poll(&at, 1, PATIENCE_MS) == 1, "no answer to '%s'", order);
	n = recv(life, answer, sizeof answer - 1, 0);
	answer[n > 0 ? n : 0] = 0;
	return answer;
}

unsigned test_node_count(struct test_node *node, const char *cell, int state)
{
	struct core_list_request in = { .cell = cell, .after_name = "" };
	struct core_instance_page page;
	struct cell_error err = { 0 };
	unsigned n = 0;

	do {
		ck_assert_msg(control_call(&node->client, "ListInstances", &in, &page, NULL, &err) == 0,
			      "%s", err.text);
		for (size_t i = 0; i < page.n_instances; i++) {
			n += state < 0 || (int)page.instances[i].state == state;
			in.after = page.instances[i].instance;
		}
	} while (page.more);
	return n;
}

void test_node_await(struct test_node *node, const char *cell, int state, unsigned n)
{
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		if (test_node_count(node, cell, state) == n)
			return;
		usleep(10000);
	}
	ck_abort_msg("%s: %u in state %d, not %u", cell, test_node_count(node, cell, state), state, n);
}

uint64_t test_node_await_next(struct test_node *node, const char *cell, uint64_t after)
{
	struct core_list_request in = { .cell = cell, .after = after, .after_name = "" };
	struct core_instance_page page;
	struct cell_error err = { 0 };

	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		ck_assert_msg(control_call(&node->client, "ListInstances", &in, &page, NULL, &err) == 0,
			      "%s", err.text);
		for (size_t k = 0; k < page.n_instances; k++)
			if (page.instances[k].state == CORE_INSTANCE_STATE_READY)
				return page.instances[k].instance;
		usleep(10000);
	}
	ck_abort_msg("%s: none after %llu", cell, (unsigned long long)after);
	return 0;
}

unsigned test_count_fds(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
