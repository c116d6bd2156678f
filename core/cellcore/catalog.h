/*
 * Which cells this node knows: manifests found by name, read once, read again when they
 * change.
 *
 * NAME is looked for as DIR/NAME.cell and DIR/NAME/NAME.cell in each folder of node.conf's
 * `cells`, then as RUNDIR/manifests/NAME.cell: a link that Load made, so that what was
 * loaded is known after a restart.
 */
#pragma once

#include "daemon.h"

/* The kernel's lookup: bring what it knows of NAME up to date. Two system calls if nothing changed. */
void catalog_lookup(void *userdata, const char *name);

/* Look through all folders for names, and again at all that are known. */
void catalog_scan(struct daemon *daemon);
/* The same, unless the last time was just now. */
void catalog_scan_again(struct daemon *daemon);

/*
 * Make known the manifest at PATH (absolute). On success *RET_CELL is its cell.
 * CELL_ALREADY_EXISTS if another file has that name; CELL_INVALID_ARGUMENT and the like
 * if it is wrong.
 */
int catalog_load(struct daemon *daemon, const char *path, struct kernel_cell **ret_cell,
		 struct cell_error *err);

/* For taking over a table: LISTENER becomes that of CELL's socket, if its manifest is there. */
void catalog_adopt_listener(struct daemon *daemon, struct kernel_cell *cell, int listener);

/* Give all manifests back. */
void catalog_close(struct daemon *daemon);

/* The manifest's path; "" if CELL has none. */
const char *catalog_path(const struct kernel_cell *cell);
