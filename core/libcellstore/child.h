/*
 * Looking through a data file in a process of its own: whatever is wrong with file or disk,
 * it is that process that dies of it, or hangs, and the caller hears of it.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Walk the file of the store in the folder that is open as DIR_FD; PATH, of the file, is for
 * texts. What is committed while it goes on is not waited for.
 * BUDGET_MS: give up after so long and call good what was seen until then; 0 = all of it.
 * IS_ALONE: nobody else has it open.
 *
 * Blocks; at most until BUDGET_MS is over or, without, as long as pages are coming: 10 s
 * without one are too long.
 *
 * Returns 0, CELL_DATA_LOSS if something is wrong or the process died or hung, -ENOENT if
 * there is no store, or -errno. *ret_entries were good; *ret_is_partial: not all were seen.
 */
int child_walk(int dir_fd, const char *path, bool is_alone, unsigned budget_ms,
	       uint64_t *ret_entries, bool *ret_is_partial, struct cell_error *err);
