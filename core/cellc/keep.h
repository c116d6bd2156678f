/*
 * Writing down what was found: expansions first, then locks, under the lock of .cell; only
 * what changes. With --locked nothing is written, and differences are said with a diff. Who
 * only looks writes nothing either, and nothing is said.
 */
#pragma once

#include "known.h"

struct keep_file {
	const char *path; /* relative to .cell */
	const char *text;
	/* Of the expansion before it, to be compared with; NULL = new. */
	const char *old_path;
};

struct keep {
	const struct project *project;
	const struct known *known;
	const char *main_file;           /* relative to the root */
	const char *const *declarations; /* all that the main file has */
	size_t n_declarations;
	const struct keep_file *files;
	size_t n_files;
};

/* Returns 0, or -EINVAL after what is wrong was said. */
int keep_all(const struct keep *keep, struct cell_arena *arena, struct diag *diag);
