/*
 * Which system calls a cell may not make. The filter is built with libseccomp and handed
 * to bwrap as a file of BPF; nothing here changes the calling process.
 */
#pragma once

#include <stdbool.h>

#include <cell/error.h>

struct seccomp_options {
	bool network; /* socket() for local, IPv4, IPv6 and netlink sockets */
	bool report;  /* answer with SIGSYS, for libcell to log, instead of EPERM */
};

/*
 * The calls refused whatever their arguments, NULL-terminated. Some do not exist on every
 * processor. `socket` is among them unless OPTIONS allow the network; clone, ioctl and
 * personality are refused by argument and not listed.
 */
const char *const *seccomp_refused(void);

/*
 * Write the filter to a new memfd, *RET_FD, at offset 0 and without CLOEXEC, as bwrap is
 * to read it. The caller closes it.
 *
 * Returns 0 or -errno.
 */
int seccomp_filter(int *ret_fd, const struct seccomp_options *options,
		   struct cell_error *err);
