#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cell/store.h>

#include "child.h"

int cell_store_verify(const char *dir, uint64_t *ret_entries, struct cell_error *err)
{
	char *path = NULL;
	bool is_partial;
	int r, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return cell_fail(err, -errno, "opening '%s': %s", dir, strerror(errno));
	if (asprintf(&path, "%s/data.mdb", dir) < 0) {
		path = NULL;
		r = cell_fail(err, -ENOMEM, "verifying '%s'", dir);
	} else {
		r = child_walk(fd, path, false, 0, ret_entries, &is_partial, err);
	}
	free(path);
	(void)close(fd);
	return r;
}
