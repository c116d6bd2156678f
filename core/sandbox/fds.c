#include "fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define CONTROL_FD 3

void fds_start(struct fds *fds)
{
	fds->n = 0;
	(void)fds_keep(fds, CONTROL_FD);
	for (int fd = 0; fd < CONTROL_FD; fd++)
		/* The lowest that is free is the one that is missing. */
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDWR);
}

int fds_keep(struct fds *fds, int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -errno;
	if (fds_has(fds, fd))
		return 0;
	if (fds->n == FDS_MAX)
		return -EMFILE;
	if ((flags & FD_CLOEXEC) && fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) < 0)
		return -errno;
	fds->at[fds->n++] = fd;
	return 0;
}

int fds_keep_moved(struct fds *fds, int fd)
{
	int moved = fd, r;

	if (fd < 0)
		return fd;
	if (fd < FDS_FIRST) {
		moved = fcntl(fd, F_DUPFD, FDS_FIRST);
		if (moved < 0)
			return -errno;
		(void)close(fd);
	}
	r = fds_keep(fds, moved);
	return r < 0 ? r : moved;
}

bool fds_has(const struct fds *fds, int fd)
{
	for (size_t i = 0; i < fds->n; i++)
		if (fds->at[i] == fd)
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static void close_between(unsigned first, unsigned last)
{
	long max;

	if (first > last || close_range(first, last, 0) == 0)
		return;
	/* Kernels before 5.9. */
	max = sysconf(_SC_OPEN_MAX);
	for (unsigned fd = first; fd <= last && fd < (unsigned)max; fd++)
		(void)close((int)fd);
}

/* Descriptor FD becomes what SOURCE is, which is closed if it was opened for this. */
static int replace(int fd, int source, bool is_ours)
{
	if (source < 0)
		return -errno;
	if (source != fd && dup2(source, fd) < 0)
		return -errno;
	if (is_ours && source != fd)
		(void)close(source);
	return 0;
}

int fds_seal(struct fds *fds)
{
	unsigned next;
	int r = 0;

	if (!fds_has(fds, STDIN_FILENO))
		r = replace(STDIN_FILENO, open("/dev/null", O_RDONLY), true);
	if (r == 0 && !fds_has(fds, STDOUT_FILENO))
		r = replace(STDOUT_FILENO, STDERR_FILENO, false);
	if (r < 0)
		return r;
	for (int fd = 0; fd < CONTROL_FD; fd++)
		if ((r = fds_keep(fds, fd)) < 0)
			return r;
	qsort(fds->at, fds->n, sizeof fds->at[0], compare);
	next = 0;
	for (size_t i = 0; i < fds->n; i++) {
		unsigned fd = (unsigned)fds->at[i];

		if (fd > next)
			close_between(next, fd - 1);
		next = fd + 1;
	}
	close_between(next, ~0U);
	return 0;
}
