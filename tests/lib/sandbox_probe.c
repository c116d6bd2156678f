/*
 * A hostile program for the sandbox to hold: tries one thing and says how it went, as
 * "WHAT: allowed" (exit 0) or "WHAT: ENAME" (exit 1).
 *
 *	sandbox_probe read|write|list PATH     files
 *	sandbox_probe connect PORT             TCP to this machine
 *	sandbox_probe abstract NAME            connect to an abstract Unix socket
 *	sandbox_probe fork N                   have N children at once
 *	sandbox_probe allocate BYTES           allocate and touch
 *	sandbox_probe fill PATH BYTES          write a file of that size
 *	sandbox_probe spin MS                  use the processor; prints the CPU time it got
 *	sandbox_probe ptrace|mount|unshare|newuser|clone3|setuid|keyctl|tiocsti|kill-outside
 *	sandbox_probe id|env|fds|args          what it is and has
 *	sandbox_probe listen [@NAME]           outside: print a port, accept one connection
 *
 * With "libcell" as first word it installs libcell's SIGSYS handler first, as a cell does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libcell/sigsys.h"

static int say(const char *what, int r)
{
	printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "allowed");
	return r < 0;
}

static const char *arg(char **args, int i)
{
	for (int k = 0; k <= i; k++)
		if (!args[k])
			return "";
	return args[i];
}

/* ---- files ---- */

static int try_read(char **args)
{
	char byte;
	int fd = open(arg(args, 0), O_RDONLY);

	return say("read", fd < 0 ? -1 : (int)read(fd, &byte, 1));
}

static int try_write(char **args)
{
	return say("write", open(arg(args, 0), O_WRONLY | O_CREAT, 0644));
}

static int try_list(char **args)
{
	DIR *dir = opendir(arg(args, 0));
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			printf("%s\n", entry->d_name);
	return say("list", dir ? 0 : -1);
}

static int try_fill(char **args)
{
	static char page[4096] = { 1 };
	long long left = atoll(arg(args, 1));
	int fd = open(arg(args, 0), O_WRONLY | O_CREAT, 0644), r = fd;

	for (; r >= 0 && left > 0; left -= (long long)sizeof page)
		r = (int)write(fd, page, sizeof page);
	return say("fill", r);
}

/* ---- network ---- */

static int try_connect(char **args)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)atoi(arg(args, 0))),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return say("socket", -1);
	return say("connect", connect(fd, (struct sockaddr *)&address, sizeof address));
}

static socklen_t abstract_address(struct sockaddr_un *address, const char *name)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strncpy(address->sun_path + 1, name, sizeof address->sun_path - 2);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int try_abstract(char **args)
{
	struct sockaddr_un address;
	socklen_t len = abstract_address(&address, arg(args, 0));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		return say("socket", -1);
	return say("abstract", connect(fd, (struct sockaddr *)&address, len));
}

static int try_listen(char **args)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	bool is_unix = arg(args, 0)[0] == '@';
	int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof in;
	struct sockaddr_un un;

	if (is_unix) {
		len = abstract_address(&un, args[0] + 1);
		if (bind(fd, (struct sockaddr *)&un, len) < 0)
			return say("bind", -1);
	} else if (bind(fd, (struct sockaddr *)&in, sizeof in) < 0 ||
		   getsockname(fd, (struct sockaddr *)&in, &len) < 0) {
		return say("bind", -1);
	}
	if (listen(fd, 8) < 0)
		return say("listen", -1);
	printf("%d\n", is_unix ? 0 : ntohs(in.sin_port));
	fflush(stdout);
	/* Nobody may come; the test must end all the same. */
	alarm(30);
	return accept(fd, NULL, NULL) < 0;
}

/* ---- resources ---- */

/* At most N, so that a sandbox that does not hold leaves the machine alive. */
static int try_fork(char **args)
{
	int n = atoi(arg(args, 0)), made = 0, failed = 0, ends[2];

	if (n > 1000 || pipe(ends) < 0)
		return say("fork", -1);
	for (; made < n; made++) {
		pid_t pid = fork();
		char byte;

		if (pid < 0) {
			failed = errno;
			break;
		}
		if (pid == 0) {
			/* Until the parent has closed its end: all live at the same time. */
			(void)close(ends[1]);
			(void)!read(ends[0], &byte, 1);
			_exit(0);
		}
	}
	(void)close(ends[1]);
	while (wait(NULL) > 0)
		;
	printf("children: %d\n", made);
	errno = failed;
	return say("fork", failed ? -1 : 0);
}

static int try_allocate(char **args)
{
	size_t size = strtoull(arg(args, 0), NULL, 10);
	volatile char *memory = malloc(size);

	for (size_t i = 0; memory && i < size; i += 4096)
		memory[i] = 1;
	return say("allocate", memory ? 0 : -1);
}

static int try_spin(char **args)
{
	long ms = atol(arg(args, 0));
	struct timespec start, now, used;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	do
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
	       ms);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	printf("%ld\n", (long)used.tv_sec * 1000 + used.tv_nsec / 1000000);
	return 0;
}

/* ---- the kernel ---- */

static int try_ptrace(char **args)
{
	(void)args;
	return say("ptrace", (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_mount(char **args)
{
	(void)args;
	return say("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
}

static int try_unshare(char **args)
{
	(void)args;
	return say("unshare", unshare(CLONE_NEWUSER));
}

static int try_newuser(char **args)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0UL);

	(void)args;
	if (pid == 0)
		_exit(0);
	return say("newuser", (int)pid);
}

static int try_clone3(char **args)
{
	(void)args;
	return say("clone3", (int)syscall(SYS_clone3, NULL, 0));
}

static int try_setuid(char **args)
{
	(void)args;
	return say("setuid", setuid(0));
}

static int try_keyctl(char **args)
{
	(void)args;
	return say("keyctl", (int)syscall(SYS_keyctl, 0, -3, 0, 0, 0));
}

static int try_tiocsti(char **args)
{
	char byte = 'x';

	(void)args;
	return say("tiocsti", ioctl(0, TIOCSTI, &byte));
}

/* Every pid that can be seen from here and is not ours. */
static int try_kill_outside(char **args)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	(void)args;
	errno = ESRCH;
	while (dir && (entry = readdir(dir))) {
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid > 0 && pid != getpid()) {
			printf("sees pid %d\n", (int)pid);
			return say("kill-outside", kill(pid, 0));
		}
	}
	errno = ESRCH;
	return say("kill-outside", -1);
}

/* ---- what it is ---- */

static int show_id(char **args)
{
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	(void)args;
	printf("uid=%d gid=%d pid=%d\n", (int)getuid(), (int)getgid(), (int)getpid());
	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "NoNewPrivs", 10) == 0)
			fputs(line, stdout);
	if (file)
		fclose(file);
	return 0;
}

static int show_env(char **args)
{
	(void)args;
	for (char **at = environ; *at; at++)
		puts(*at);
	return 0;
}

static int show_fds(char **args)
{
	(void)args;
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("%d\n", fd);
	return 0;
}

static int show_args(char **args)
{
	for (; *args; args++)
		puts(*args);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **args);
} probes[] = {
	{ "read", try_read },
	{ "write", try_write },
	{ "list", try_list },
	{ "fill", try_fill },
	{ "connect", try_connect },
	{ "abstract", try_abstract },
	{ "listen", try_listen },
	{ "fork", try_fork },
	{ "allocate", try_allocate },
	{ "spin", try_spin },
	{ "ptrace", try_ptrace },
	{ "mount", try_mount },
	{ "unshare", try_unshare },
	{ "newuser", try_newuser },
	{ "clone3", try_clone3 },
	{ "setuid", try_setuid },
	{ "keyctl", try_keyctl },
	{ "tiocsti", try_tiocsti },
	{ "kill-outside", try_kill_outside },
	{ "id", show_id },
	{ "env", show_env },
	{ "fds", show_fds },
	{ "args", show_args },
};

int main(int argc, char **argv)
{
	int at = 1;

	if (argc > 1 && strcmp(argv[1], "libcell") == 0) {
		cell_sigsys_install("probe");
		at = 2;
	}
	for (size_t i = 0; at < argc && i < sizeof probes / sizeof probes[0]; i++)
		if (strcmp(argv[at], probes[i].name) == 0)
			return probes[i].run(argv + at + 1);
	fprintf(stderr, "usage: sandbox_probe [libcell] WHAT [ARGUMENT ...]\n");
	return 2;
}
