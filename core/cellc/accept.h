/*
 * Whether text that came back may become part of the program. It was planned, it stays where
 * it belongs, and it does nothing that a reader of the source would not expect of it.
 * Pure. All of it is hostile.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include "macro.cell.h"

struct accept_rules {
	const char *root; /* of the project: must not show up in the text */
	const struct macro_plan *plan;
	/* What its attributes may add, all together: bits of enum macro_addition. */
	uint32_t may;
	const struct macro_plan_request *request;
};

/*
 * Check CODE. Returns 0, or CELL_INVALID_ARGUMENT with the reason, which does not name the
 * provider; *ret_attribute is the attribute it comes from, 0 if that is not known.
 */
int accept_code(const struct accept_rules *rules, const struct macro_generated_code *code,
		uint32_t *ret_attribute, struct cell_error *err);

/* The same for the text of one piece. MAY_ASM: it may hold asm, pragmas and constructors. */
int accept_text(const struct macro_piece *piece, bool may_asm,
		const struct accept_rules *rules, struct cell_error *err);

/* Whether PATH is relative, and leads nowhere above. */
bool accept_path(const char *path);
/* "<time.h>" or "\"x.h\"". */
bool accept_header(const char *header);
/* "-lm", "-pthread". */
bool accept_link(const char *flag);
bool accept_identifier(const char *name);
