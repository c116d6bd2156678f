#include "rundir.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Whether a node is there that we would look for: ours, or root's. Anybody can put another
 * into /tmp, above whatever we do there, and be told all that is meant for ours.
 */
static bool has_node(const char *dir)
{
	char path[RUNDIR_MAX + 16];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/core.sock", dir);
	return stat(dir, &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0) &&
	       access(path, F_OK) == 0;
}

/* BASE/rundir or BASE/rundir/node1, whichever has a node. */
static bool in_folder(const char *base, char *out, size_t size)
{
	static const char *const names[] = { "rundir", "rundir/node1" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int n = snprintf(out, size, "%s/%s", strcmp(base, "/") == 0 ? "" : base, names[i]);

		if (n > 0 && (size_t)n < size && has_node(out))
			return true;
	}
	return false;
}

static bool above(char *out, size_t size)
{
	char folder[RUNDIR_MAX];

	if (!getcwd(folder, sizeof folder))
		return false;
	for (;;) {
		char *slash;

		if (in_folder(folder, out, size))
			return true;
		slash = strrchr(folder, '/');
		if (!slash || folder[1] == '\0')
			return false;
		slash[slash == folder] = '\0';
	}
}

int cell_rundir_find(char *out, size_t size)
{
	const char *given = getenv("CELL_RUNDIR");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int n;

	if (given && *given) {
		n = snprintf(out, size, "%s", given);
		return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
	}
	if (above(out, size))
		return 0;
	if (getuid() != 0 && runtime && *runtime)
		n = snprintf(out, size, "%s/cell", runtime);
	else if (getuid() == 0)
		n = snprintf(out, size, "/run/cell");
	else
		n = snprintf(out, size, "/tmp/cell-%u", (unsigned)getuid());
	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	return has_node(out) ? 0 : -ENOENT;
}
