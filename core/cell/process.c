#include "process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

void processes_add(struct processes *processes, pid_t pid)
{
	void *list;
	int fd;

	for (size_t i = 0; i < processes->n; i++)
		if (processes->list[i].pid == pid)
			return;
	fd = pid > 0 ? pidfd_open(pid) : -1;
	if (fd < 0)
		return;
	list = realloc(processes->list, (processes->n + 1) * sizeof processes->list[0]);
	if (!list) {
		(void)close(fd);
		return;
	}
	processes->list = list;
	processes->list[processes->n].pid = pid;
	processes->list[processes->n++].fd = fd;
}

/* The parent of PID; 0 if it has ended. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[512], *end;
	FILE *file;
	pid_t parent = 0;

	(void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* The name, in parentheses, may hold anything; what follows the last one is fixed. */
	if (fgets(line, sizeof line, file) && (end = strrchr(line, ')')) && strlen(end) > 4)
		parent = (pid_t)strtol(end + 4, NULL, 10);
	(void)fclose(file);
	return parent;
}

static bool is_in(const struct processes *processes, pid_t pid)
{
	for (size_t i = 0; i < processes->n; i++)
		if (processes->list[i].pid == pid)
			return true;
	return false;
}

void processes_add_below(struct processes *processes, pid_t top)
{
	size_t before;

	/* A child may stand before its parent in /proc: look until nothing is new. */
	do {
		DIR *dir = opendir("/proc");
		struct dirent *entry;

		before = processes->n;
		while (dir && (entry = readdir(dir))) {
			pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), parent;

			if (!isdigit((unsigned char)entry->d_name[0]) || pid == getpid())
				continue;
			parent = parent_of(pid);
			if (parent > 0 && (parent == top || is_in(processes, parent)) &&
			    pid != top)
				processes_add(processes, pid);
		}
		if (dir)
			(void)closedir(dir);
	} while (processes->n > before);
}

static bool program_of(pid_t pid, char out[static PATH_MAX])
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
	n = readlink(path, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

pid_t process_watcher(pid_t pid)
{
	pid_t parent = parent_of(pid);
	char ours[PATH_MAX], theirs[PATH_MAX];

	if (parent <= 1 || !program_of(pid, ours) || !program_of(parent, theirs))
		return 0;
	return strcmp(ours, theirs) == 0 ? parent : 0;
}

/* Forget those whose descriptor says that they have ended. */
static void drop_ended(struct processes *processes, const struct pollfd *polled)
{
	size_t n = 0;

	for (size_t i = 0; i < processes->n; i++) {
		if (polled[i].revents)
			(void)close(processes->list[i].fd);
		else
			processes->list[n++] = processes->list[i];
	}
	processes->n = n;
}

size_t processes_wait(struct processes *processes, int ms)
{
	struct pollfd *polled = calloc(processes->n ? processes->n : 1, sizeof *polled);

	if (!polled)
		return processes->n;
	for (size_t i = 0; i < processes->n; i++)
		polled[i] = (struct pollfd){ .fd = processes->list[i].fd, .events = POLLIN };
	if (poll(polled, processes->n, ms) > 0)
		drop_ended(processes, polled);
	free(polled);
	return processes->n;
}

void processes_signal(const struct processes *processes, int number)
{
	for (size_t i = 0; i < processes->n; i++)
		(void)syscall(SYS_pidfd_send_signal, processes->list[i].fd, number, NULL, 0);
}

void processes_free(struct processes *processes)
{
	for (size_t i = 0; i < processes->n; i++)
		(void)close(processes->list[i].fd);
	free(processes->list);
	*processes = (struct processes){ 0 };
}
