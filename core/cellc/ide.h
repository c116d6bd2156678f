/*
 * What an editor's parser gets of expansions: declarations without bodies. Those of headers go
 * into copies of the headers, on the lines where the attributes stand, so that every other
 * line keeps its number; those of the file that is open into a header of its own. Pure.
 */
#pragma once

#include "splice.h"

/*
 * What a piece of generated text declares, as an editor needs it: functions as prototypes
 * without `static`, types as they are, variables that are extern; nothing that begins with
 * cell_ but types. Functions and definitions of types that UNIT names itself are left out.
 * Lives in ARENA; "" if nothing is left.
 *
 * In text that is read before FILE (NULL: none), as line markers call it, a type that needs
 * the definition of one of FILE's has one member without a name worth knowing instead.
 */
const char *ide_declarations(const struct unit *unit, const char *text, const char *file,
			     struct cell_arena *arena);

/* TEXT on one line, comments included; NULL if it has directives. Lives in ARENA. */
const char *ide_line(const char *text, struct cell_arena *arena);

/*
 * HEADER, the text of FILE as the compiler's line markers call it, with what SPLICE inserts
 * in it: members within the braces, declarations elsewhere. *ret_any: there is any. What
 * cannot be placed, as FILE is another one now, is left out. Lives in ARENA.
 */
const char *ide_header(const struct unit *unit, const struct splice *splice, const char *file,
		       const char *header, bool *ret_any, struct cell_arena *arena);

/*
 * What is to be included before TEXT, that of FILE, in an editor that has it open: what
 * SPLICE declares in it, behind what that may need. That is, for the file that is compiled,
 * its own directives up to the last #include before its first declaration, and for a header
 * its #include lines. Lives in ARENA.
 */
const char *ide_before(const struct unit *unit, const struct splice *splice, const char *file,
		       const char *text, struct cell_arena *arena);
