/*
 * Output is caught in files in memory, not through pipes: the child never waits for us, there
 * is no order of reading that could block, and the text is mapped as it is.
 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define N_SIGNALS (sizeof signals / sizeof *signals)

/* Read and written by the handler. */
static volatile sig_atomic_t child;
static volatile sig_atomic_t signalled;
static bool is_watching;

static char *folders[PROCESS_TEMPS_MAX];
static volatile sig_atomic_t n_folders;

/* ---- what must not stay -------------------------------------------------------------- */

/*
 * Called from the handler as well: readdir() is not on the list of what may be, but cellc
 * waits in waitpid() or in a call to a cell then, and never while it walks a folder.
 */
static void folder_remove(const char *path)
{
	DIR *dir = opendir(path);

	if (dir) {
		for (struct dirent *entry; (entry = readdir(dir));)
			if (strcmp(entry->d_name, ".") != 0 &&
			    strcmp(entry->d_name, "..") != 0)
				(void)unlinkat(dirfd(dir), entry->d_name, 0);
		(void)closedir(dir);
	}
	(void)rmdir(path);
}

void process_clean(void)
{
	while (n_folders > 0) {
		n_folders--;
		folder_remove(folders[n_folders]);
	}
}

static void die(int number)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;

	process_clean();
	(void)sigaction(number, &action, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, number);
	(void)raise(number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + number);
}

static void on_signal(int number)
{
	signalled = number;
	if (child > 0)
		(void)kill((pid_t)child, number);
	else
		die(number);
}

/* What was ignored stays so: nohup, and a shell's background jobs. */
static void watch(void)
{
	struct sigaction action = { .sa_handler = on_signal }, old;

	if (is_watching)
		return;
	is_watching = true;
	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < N_SIGNALS; i++)
		(void)sigaddset(&action.sa_mask, signals[i]);
	for (size_t i = 0; i < N_SIGNALS; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &action, NULL);
}

int process_folder(const char *folder, char *path, size_t size, struct cell_error *err)
{
	char *copy;

	if (n_folders == PROCESS_TEMPS_MAX)
		return cell_fail(err, -EMFILE, "more than %d temporary folders",
				 PROCESS_TEMPS_MAX);
	if ((size_t)snprintf(path, size, "%s/.cellc-XXXXXX", folder) >= size)
		return cell_fail(err, -ENAMETOOLONG, "'%s': the path is too long", folder);
	watch();
	if (!mkdtemp(path))
		return cell_fail(err, -errno, "making a folder in '%s': %s", folder,
				 strerror(errno));
	copy = strdup(path);
	if (!copy) {
		(void)rmdir(path);
		return cell_fail(err, -ENOMEM, "making a folder in '%s'", folder);
	}
	folders[n_folders] = copy;
	n_folders++;
	return 0;
}

/* ---- running -----------------------------------------------------------------------------
 */

static int actions_fill(posix_spawn_file_actions_t *actions, const struct process *process)
{
	int r = 0;

	if (process->in >= 0)
		r = posix_spawn_file_actions_adddup2(actions, process->in, 0);
	if (r == 0 && process->out >= 0)
		r = posix_spawn_file_actions_adddup2(actions, process->out, 1);
	if (r == 0 && process->err >= 0)
		r = posix_spawn_file_actions_adddup2(actions, process->err, 2);
	/* Onto itself: that takes away close-on-exec. */
	if (r == 0 && process->kept >= 0)
		r = posix_spawn_file_actions_adddup2(actions, process->kept, process->kept);
	return r;
}

/* With the signals blocked, so that none falls between the start and `child`. */
static int start(const struct process *process, const sigset_t *mask, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = actions_fill(&actions, process);
		if (r == 0)
			r = posix_spawnattr_setsigmask(&attributes, mask);
		if (r == 0)
			r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
		if (r == 0)
			r = posix_spawn(ret_pid, process->path, &actions, &attributes,
					(char *const *)process->argv,
					process->environment ? process->environment
							     : environ);
		(void)posix_spawnattr_destroy(&attributes);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int process_run(const struct process *process, int *ret_status, struct cell_error *err)
{
	sigset_t set, old;
	int status = 0, r;
	pid_t pid;

	watch();
	(void)sigemptyset(&set);
	for (size_t i = 0; i < N_SIGNALS; i++)
		(void)sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	r = start(process, &old, &pid);
	if (r == 0)
		child = pid;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return cell_fail(err, r, "running '%s': %s", process->path, strerror(-r));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return cell_fail(err, -errno, "waiting for '%s': %s", process->path,
					 strerror(errno));
	child = 0;
	if (signalled)
		die((int)signalled);
	*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return 0;
}

int process_exec(const char *path, const char *const *argv, struct cell_error *err)
{
	(void)execv(path, (char *const *)argv);
	return cell_fail(err, -errno, "running '%s': %s", path, strerror(errno));
}

void process_end(int status)
{
	process_clean();
	if (fflush(stdout) != 0 && status == 0)
		status = 1;
	if (status > 128 && status < 128 + SIGRTMIN) {
		/* The core file would be the compiler's by rights. */
		(void)prctl(PR_SET_DUMPABLE, 0);
		die(status - 128);
	}
	_exit(status);
}

/* ---- descriptors -------------------------------------------------------------------------
 */

int process_memory(const char *name, struct cell_error *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd >= 0 ? fd
		       : cell_fail(err, -errno, "making a file in memory: %s",
				   strerror(errno));
}

int process_text(int fd, const char **ret_text, size_t *ret_len, struct cell_error *err)
{
	struct stat stat;
	void *text;

	if (fstat(fd, &stat) < 0)
		return cell_fail(err, -errno, "reading what was caught: %s", strerror(errno));
	if (stat.st_size == 0) {
		*ret_text = "";
		*ret_len = 0;
		return 0;
	}
	text = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (text == MAP_FAILED)
		return cell_fail(err, -errno, "reading what was caught: %s", strerror(errno));
	*ret_text = text;
	*ret_len = (size_t)stat.st_size;
	return 0;
}

int process_write(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}
