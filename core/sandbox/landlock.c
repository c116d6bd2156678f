#include "landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's interface, which is younger than the headers of most machines. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

struct ruleset {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};
#define SCOPED_ABSTRACT_UNIX_SOCKET 1

int landlock_abstract_sockets(void)
{
	/* Nothing about files: bwrap could not mount any more. */
	const struct ruleset ruleset = { .scoped = SCOPED_ABSTRACT_UNIX_SOCKET };
	long fd = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, (int)fd, 0) < 0)
		r = -errno;
	(void)close((int)fd);
	return r;
}
