/*
 * One command line whose sources have cell attributes, through all steps: parse, expand,
 * splice, compile, provision, and only then put the output where it belongs.
 */
#pragma once

#include "preprocess.h"
#include "scan.h"

/* One source of the command line, preprocessed. */
struct compile_source {
	const struct command_input *input;
	struct preprocessed text;
	struct scan scan;
	bool has_attributes;
};

/*
 * Do what LINE says with its sources, N of them; those without attributes are compiled from
 * the user's own words. Says everything that is wrong to DIAG or stderr.
 *
 * Returns the exit status for process_end(): the compiler's, or 1.
 */
int compile_run(const struct command_line *line, const struct compiler *compiler,
		const struct compile_source *sources, size_t n, struct cell_arena *arena,
		struct diag *diag);
