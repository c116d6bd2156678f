/*
 * What the compiler's messages about generated text have to do with the source: a place in an
 * expansion is that of an attribute, and a function that is missing would have been one's.
 */
#pragma once

#include "expand.h"

/*
 * Say notes to DIAG for MESSAGES (LEN bytes), which a compiler has said in English about UNIT:
 *
 * - one for each piece of EXPANSION in whose file a place is, at the attribute or the argument
 *   of it that the line is made for;
 * - for a function that is not declared and whose name begins with that of a struct, which
 *   functions the attributes of the struct declare; or that PROJECT has switched them off, or
 *   that there are none.
 */
void blame_say(const char *messages, size_t len, const struct unit *unit,
	       const struct expansion *expansion, const struct project *project,
	       struct cell_arena *arena, struct diag *diag);
