/*
 * [uses] of a program's manifest, added to: `cell build --fix`. Comments, order and blanks
 * of the rest stay as they are.
 */
#pragma once

#include "../libcell/manifest.h"

#include <cell/arena.h>
#include <cell/error.h>

/*
 * TEXT, a manifest that is right, with CHANNELS ("app macro") granted for CELL: behind what
 * its line under [uses] has, else on a new line at the end of the section, else in a new
 * section at the end. Lives in ARENA.
 */
const char *grant_text(const char *text, const char *cell, const char *channels,
		       struct cell_arena *arena);

/* The channels of SET that MANIFEST does not grant for CELL: "app macro", "" if none. */
const char *grant_missing(const struct cell_manifest *manifest, const char *cell,
			  const struct cell_channels *set, struct cell_arena *arena);

/*
 * Grant them in the manifest PATH, under the lock of FOLDER, which is .cell: others add at
 * the same time. *RET_ADDED is what was added, "" if all was there by then. Returns 0 or
 * negative.
 */
int grant_add(const char *folder, const char *path, const char *cell,
	      const struct cell_channels *set, struct cell_arena *arena,
	      const char **ret_added, struct cell_error *err);
