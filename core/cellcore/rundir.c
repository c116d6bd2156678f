#include "rundir.h"

#include <cell/cell.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

char *rundir_path(const struct rundir *rundir, char out[static RUNDIR_PATH_MAX],
		  const char *format, ...)
{
	int n = snprintf(out, RUNDIR_PATH_MAX, "%s/", rundir->path);
	va_list args;

	va_start(args, format);
	n += vsnprintf(out + n, (size_t)(RUNDIR_PATH_MAX - n), format, args);
	va_end(args);
	cell_assert(n < RUNDIR_PATH_MAX);
	return out;
}

/* The folder and those above it that are missing. */
static int make_folders(const char *path, mode_t mode)
{
	char part[RUNDIR_PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof part)
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	for (char *at = part + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = 0;
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return mkdir(part, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int folder_ensure(const char *path, mode_t mode, char ret_real[static RUNDIR_PATH_MAX],
			 struct cell_error *err)
{
	struct stat st;
	char *real;
	int r;

	r = make_folders(path, mode);
	if (r < 0)
		return cell_fail(err, r, "making '%s': %s", path, strerror(-r));
	real = realpath(path, NULL);
	if (!real)
		return cell_fail(err, -errno, "'%s': %s", path, strerror(errno));
	r = snprintf(ret_real, RUNDIR_PATH_MAX, "%s", real);
	free(real);
	if (r >= RUNDIR_PATH_MAX - RUNDIR_NAME_MAX)
		return cell_fail(err, -ENAMETOOLONG, "'%s' is too long", path);
	if (stat(ret_real, &st) < 0 || !S_ISDIR(st.st_mode))
		return cell_fail(err, -ENOTDIR, "'%s' is no folder", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return cell_fail(err, -EPERM, "'%s' belongs to another user", path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return cell_fail(err, -EPERM, "'%s' may be written to by others: chmod go-w it", path);
	return 0;
}

/* The pid of whoever has the lock, for the message. */
static long lock_holder(int fd)
{
	char text[32] = { 0 };

	return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

/* Whether PATH still names what FD has open: an earlier holder removes the file at its end. */
static bool is_same_file(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
	       ours.st_dev == named.st_dev;
}

static int lock_try(struct rundir *rundir, const char *path, struct cell_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return cell_fail(err, -errno, "'%s': %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		long pid = lock_holder(fd);

		(void)close(fd);
		return cell_fail(err, -EEXIST, "'%s' has a cellcore already (pid %ld)", rundir->path,
				 pid);
	}
	if (!is_same_file(fd, path)) {
		(void)close(fd);
		return -EAGAIN;
	}
	rundir->lock = fd;
	return 0;
}

int rundir_write_pid(const struct rundir *rundir)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	if (ftruncate(rundir->lock, 0) < 0 || pwrite(rundir->lock, text, (size_t)n, 0) != n)
		return -errno;
	return 0;
}

static int lock_take(struct rundir *rundir, struct cell_error *err)
{
	char path[RUNDIR_PATH_MAX];
	int r;

	(void)rundir_path(rundir, path, "cellcore.pid");
	do {
		r = lock_try(rundir, path, err);
	} while (r == -EAGAIN);
	if (r < 0)
		return r;
	r = rundir_write_pid(rundir);
	return r < 0 ? cell_fail(err, r, "'%s': %s", path, strerror(-r)) : 0;
}

static int subfolder_ensure(const struct rundir *rundir, const char *name, mode_t mode,
			    struct cell_error *err)
{
	char path[RUNDIR_PATH_MAX];

	if (mkdir(rundir_path(rundir, path, "%s", name), mode) < 0 && errno != EEXIST)
		return cell_fail(err, -errno, "making '%s': %s", path, strerror(errno));
	return 0;
}

int rundir_open(struct rundir *rundir, const char *path, const char *state, bool lock,
		struct cell_error *err)
{
	int r;

	rundir->lock = -1;
	r = folder_ensure(path, 0700, rundir->path, err);
	if (r == 0 && lock)
		r = lock_take(rundir, err);
	if (r == 0)
		r = folder_ensure(state, 0700, rundir->state, err);
	/* Whom the run directory lets pass (0711) finds the sockets of cells that serve others. */
	if (r == 0)
		r = subfolder_ensure(rundir, "cells", 0711, err);
	if (r == 0)
		r = subfolder_ensure(rundir, "manifests", 0700, err);
	if (r == 0)
		r = subfolder_ensure(rundir, "log", 0700, err);
	return r;
}

void rundir_clear(const struct rundir *rundir)
{
	char path[RUNDIR_PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(rundir_path(rundir, path, "cells"));

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot && strcmp(dot, ".sock") == 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	(void)closedir(dir);
}

void rundir_close(struct rundir *rundir, bool keep_socket)
{
	char path[RUNDIR_PATH_MAX];

	if (rundir->lock < 0)
		return;
	rundir_clear(rundir);
	if (!keep_socket)
		(void)unlink(rundir_path(rundir, path, "core.sock"));
	/* Gone before the lock is: whoever makes a new one has a file of its own. */
	(void)unlink(rundir_path(rundir, path, "cellcore.pid"));
	(void)close(rundir->lock);
	rundir->lock = -1;
}
