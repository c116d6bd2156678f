/*
 * Waiting for a change below a folder: sources, manifests, settings. What a build writes (the
 * folder build, objects, what .cell keeps) and what begins with a dot does not count.
 */
#pragma once

#include <cell/error.h>

struct tree;

/* Watch ROOT and the folders in it. Returns 0, or -errno (-ENOSPC: the limit of inotify). */
int tree_watch(struct tree **ret, const char *root, struct cell_error *err);

/*
 * Wait until something changed since the last call, and then until nothing has for 100 ms.
 * Returns 0, CELL_CANCELLED when CANCEL_FD becomes readable, or -errno.
 */
int tree_wait(struct tree *tree, int cancel_fd, struct cell_error *err);

void tree_free(struct tree *tree); /* accepts NULL */
