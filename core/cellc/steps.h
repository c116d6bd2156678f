/*
 * What `cell build` and `cell test` do, step by step: other commands, run to their end. Ctrl-C
 * and SIGTERM end the step that runs and let what must follow (taking a node down) happen.
 */
#pragma once

#include "project.h"

#include <cell/error.h>

/*
 * The project that FOLDER is in, whose root becomes the current folder. Returns 0,
 * CELL_NOT_FOUND if there is no .cell/project, or what project_find() says.
 */
int project_open(struct project *ret, const char *folder, struct cell_arena *arena,
		 struct cell_error *err);

/*
 * Catch SIGINT, SIGTERM and SIGHUP from now on, and put the folder of this program before
 * $PATH, so that steps are of the same installation. Returns 0 or -errno.
 */
int steps_begin(struct cell_error *err);

/* The signal that asked us to end, or 0; and a descriptor that is readable when there is one. */
int steps_signal(void);
int steps_signal_fd(void);

/*
 * Run WORDS (NULL-terminated; found in $PATH) to its end, unless a signal came before; one
 * that comes meanwhile is passed on. *RET_STATUS is its exit status, or 128 + N. Returns 0,
 * CELL_CANCELLED, or -errno if it could not be started.
 */
int step_run(const char *const *words, int *ret_status, struct cell_error *err);

/* The same whatever signal came before: for what must be done in the end. */
int step_finally(const char *const *words, int *ret_status, struct cell_error *err);

/*
 * Start the node if it does not run, the macro cell, and every cell that PROJECT declares.
 * *RET_STATUS is that of the first which failed, having said why; else 0.
 */
int steps_cells(const struct project *project, int *ret_status, struct cell_error *err);
