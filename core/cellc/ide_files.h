/*
 * What `cell ide` has cellc write below .cell/ide for a command line: copies of headers that
 * expansions add something to, what editors are to include before each file that they open,
 * and a list of both.
 */
#pragma once

#include "compile.h"

/*
 * Write them for the N sources, and LIST, whose lines are a word and absolute paths, with
 * tabs between them:
 *
 *	source	a source that has attributes, and what is included before it
 *	header	a header in the project that it includes; and the same, if that is anything
 *	copy	a header, and its copy
 *
 * Nothing else is written and no cell is asked. Returns 0, or negative after the errors were
 * said: LIST is as it was then.
 */
int ide_files_write(const char *list, const struct command_line *line,
		    const struct compiler *compiler, const struct compile_source *sources,
		    size_t n, struct cell_arena *arena, struct diag *diag);
