/*
 * The files of the state directory: one per cell, rotated (rotate.h).
 */
#pragma once

#include "recent.h"

#include <cell/error.h>

struct files;

/* The files in DIR, "" being the current folder. NULL: no memory. */
struct files *files_open(const char *dir);
void files_close(struct files *files);

/*
 * Append LINE to its cell's file, of which all together may have TOTAL bytes. It is written
 * by files_flush() at the latest. Returns 0 or -errno; the next line tries again.
 */
int files_append(struct files *files, const struct recent_line *line, uint64_t total,
		 struct cell_error *err);

/* Write what is buffered. 0, or the first error. */
int files_flush(struct files *files, struct cell_error *err);

/* Hand the last lines of all files to ON_LINE, the oldest first. */
void files_reload(struct files *files, void (*on_line)(void *, const struct recent_line *),
		  void *userdata);
