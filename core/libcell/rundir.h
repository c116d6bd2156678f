/*
 * Where the node is that a program talks to (cell(1), ENVIRONMENT).
 */
#pragma once

#include <stddef.h>

#define RUNDIR_MAX 4096

/*
 * The run directory: $CELL_RUNDIR; else the nearest rundir/ or rundir/node1 above the
 * current folder that has a core.sock; else $XDG_RUNTIME_DIR/cell (/tmp/cell-UID without it),
 * or /run/cell for root. What is searched for must belong to this user or to root.
 * Returns 0, or -ENOENT if none of them has a core.sock (OUT then holds the last one, the
 * place where `cell up` makes one), or -ENAMETOOLONG.
 */
int cell_rundir_find(char *out, size_t size);
