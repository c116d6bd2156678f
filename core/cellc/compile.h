/*
 * One command line whose sources have cell attributes, through all steps: parse, expand,
 * splice, compile, provision, and only then put the output where it belongs.
 */
#pragma once

#include "expand.h"
#include "preprocess.h"
#include "recall.h"
#include "scan.h"

/* One source of the command line, preprocessed. */
struct compile_source {
	const struct command_input *input;
	struct preprocessed text;
	struct scan scan;
	bool has_attributes;
	struct recall *recall; /* of one with attributes; if it is found, SCAN is empty */
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

/*
 * Parse and expand SOURCE, which has attributes, from what .cell has: nobody is asked and
 * nothing written. Everything lives in ARENA. Returns 0, or negative after errors were said.
 */
int compile_look(const struct command_line *line, const struct compiler *compiler,
		 const struct compile_source *source, struct project *ret_project,
		 struct unit *ret_unit, struct expansion *ret, struct cell_arena *arena,
		 struct diag *diag);
