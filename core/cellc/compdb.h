/*
 * A record of what was compiled and how, for editors: one file for each source and output, as
 * clang's -MJ writes it. `cell ide` and `cell check` read them where there is no
 * compile_commands.json.
 */
#pragma once

#include "compiler.h"

/* Below .cell, if $CELLC_COMPDB names no other folder. */
#define COMPDB_FOLDER "state/commands"

/*
 * Record how INPUT of LINE is compiled in FOLDER, which is made if it is absent. The words are
 * the user's without the other sources, behind the compiler's own name: a wrapper's headers
 * are nobody's. A record that is there already is left alone. Does nothing for what makes no
 * output (-E, -fsyntax-only), and if FOLDER cannot be written: nothing depends on it.
 */
void compdb_record(const struct command_line *line, const struct compiler *compiler,
		   const struct command_input *input, const char *folder,
		   struct cell_arena *arena);
