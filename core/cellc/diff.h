/*
 * Unified diffs of small texts, as people know them from diff -u.
 */
#pragma once

#include <cell/arena.h>

/*
 * What turns OLD into NEW, with three lines of context; "" if they are equal. A NAME that is
 * new or gone is said as /dev/null by an OLD or NEW that is NULL. Lives in ARENA.
 */
const char *diff_unified(const char *name, const char *old, const char *new,
			 struct cell_arena *arena);
