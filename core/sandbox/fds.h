/* Which descriptors go on into the sandbox. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Kept: 0 to 3, those of --keep-fd, and what bwrap reads. */
#define FDS_MAX 64
/* Our own descriptors are moved above this, so that none is taken for the control socket. */
#define FDS_FIRST 10

struct fds {
	int at[FDS_MAX];
	size_t n;
};

/*
 * First of all, before anything is opened: keep the control socket, 3, if there is one, and
 * make sure that 0, 1 and 2 are open, so that nothing of ours is taken for one of them.
 */
void fds_start(struct fds *fds);

/* Keep FD, without CLOEXEC. Returns 0, -EBADF if it is not open, -EMFILE if there are too
 * many. */
int fds_keep(struct fds *fds, int fd);

/* Move FD, if it is not negative, to FDS_FIRST or above, and keep it. Returns it or -errno.
 */
int fds_keep_moved(struct fds *fds, int fd);

bool fds_has(const struct fds *fds, int fd);

/*
 * Close all others. What is not kept of stdin and stdout becomes /dev/null and a copy of
 * stderr. Returns 0 or -errno.
 */
int fds_seal(struct fds *fds);
