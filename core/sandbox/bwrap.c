#include "bwrap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAY_OUT "or start the cell with --no-sandbox, which protects nothing"

/*
 * Which options this bwrap has. Asking it (--help) takes a millisecond for every instance
 * that starts; the names are plain text in the program, and reading it takes microseconds.
 */
static void options_find(struct bwrap *bwrap)
{
	int fd = open(bwrap->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *text;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		bwrap->is_setuid = (st.st_mode & S_ISUID) && st.st_uid == 0;
		text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (text != MAP_FAILED) {
			bwrap->has_disable_userns =
				memmem(text, (size_t)st.st_size, "--disable-userns", 16);
			bwrap->has_size =
				memmem(text, (size_t)st.st_size, "--size BYTES", 12);
			(void)munmap(text, (size_t)st.st_size);
		}
	}
	(void)close(fd);
	/* The two exclude each other: a setuid bwrap makes no user namespace. */
	if (bwrap->is_setuid)
		bwrap->has_disable_userns = false;
}

int bwrap_find(struct bwrap *ret, struct cell_error *err)
{
	const char *path = getenv("PATH");

	if (!path || !*path)
		path = "/usr/local/bin:/usr/bin:/bin";
	while (*path) {
		size_t len = strcspn(path, ":");
		int n;

		*ret = (struct bwrap){ .is_setuid = false };
		n = snprintf(ret->path, sizeof ret->path, "%.*s/bwrap", (int)len, path);
		/* An empty word is the current folder; nothing is looked for there. */
		if (len && n > 0 && (size_t)n < sizeof ret->path &&
		    access(ret->path, X_OK) == 0) {
			options_find(ret);
			return 0;
		}
		path += len + (path[len] == ':');
	}
	return cell_fail(
		err, -ENOENT,
		"bwrap (bubblewrap) is not installed: install the package 'bubblewrap', " WAY_OUT);
}

/* Whether a file of /proc/sys starts with WORD. */
static bool setting_is(const char *path, const char *word)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, word) == 0;
}

static int probe_fail(int error, struct cell_error *err)
{
	static const struct {
		const char *setting;
		const char *value;
		const char *command;
	} reasons[] = {
		{ "/proc/sys/kernel/unprivileged_userns_clone", "0",
		  "sysctl kernel.unprivileged_userns_clone=1" },
		{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
		  "sysctl kernel.apparmor_restrict_unprivileged_userns=0" },
		{ "/proc/sys/user/max_user_namespaces", "0",
		  "sysctl user.max_user_namespaces=10000" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (setting_is(reasons[i].setting, reasons[i].value))
			return cell_fail(
				err, CELL_PERMISSION_DENIED,
				"user namespaces are switched off, and bwrap needs them: run '%s', " WAY_OUT,
				reasons[i].command);
	return cell_fail(
		err, CELL_PERMISSION_DENIED,
		"user namespaces do not work here (%s; inside a container?), and bwrap "
		"needs them: allow them, " WAY_OUT,
		strerror(error));
}

int bwrap_probe(const struct bwrap *bwrap, struct cell_error *err)
{
	/* The mount namespace is the one that needs rights in the new user namespace. */
	unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD;
	pid_t pid;

	if (bwrap->is_setuid)
		return 0;
	/* As fork() does it: without a stack of its own the child has a copy of ours. */
	pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0UL);
	if (pid < 0)
		return probe_fail(errno, err);
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

int bwrap_try(const struct bwrap *bwrap, struct cell_error *err)
{
	int r = bwrap_probe(bwrap, err), status;
	pid_t pid;

	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return cell_fail(err, -errno, "running bwrap: %s", strerror(errno));
	if (pid == 0) {
		(void)execl(bwrap->path, "bwrap", "--unshare-all", "--unshare-user",
			    "--cap-drop", "ALL", "--as-pid-1", "--ro-bind", "/", "/",
			    "--proc", "/proc", "--dev", "/dev", "--", "/bin/true",
			    (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return cell_fail(err, -errno, "waiting for bwrap: %s",
					 strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return probe_fail(EPERM, err);
	return 0;
}
