/*
 * Where a node lives on this machine, and making the place for one.
 */
#pragma once

#include <cell/error.h>
#include <limits.h>
#include <stdbool.h>

struct setup {
	char rundir[PATH_MAX];
	char statedir[PATH_MAX];
	bool has_node;    /* something listens there */
	bool is_made;     /* node.conf was there already */
	bool is_volatile; /* the state directory is lost at the next boot */
};

/*
 * Decide on the directories: $CELL_RUNDIR or the search of cell(1); STATEDIR (may be NULL),
 * $CELL_STATEDIR, or what belongs to that run directory. Makes nothing.
 */
int setup_find(struct setup *setup, const char *statedir, struct cell_error *err);

/*
 * Make the run directory (0700) and its node.conf, whatever of the two is missing. NAME is
 * the node's name, or NULL for the host's.
 */
int setup_make(struct setup *setup, const char *name, struct cell_error *err);
