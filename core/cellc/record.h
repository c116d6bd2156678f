/*
 * What an expansion leaves in the object, as notes.
 */
#pragma once

#include "command.h"
#include "expand.h"

/*
 * C to be put behind the spliced text of UNIT: a note for each type that got fields, for each
 * unit of its own, with the words that compile it as LINE is compiled, and for each library;
 * each names SOURCE. Lives in ARENA; NULL if that is exhausted.
 */
const char *record_source(const struct unit *unit, const struct expansion *expansion,
			  const struct command_line *line, const char *source,
			  struct cell_arena *arena);
