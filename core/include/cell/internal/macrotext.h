/*
 * Text that must not reach a compiler: what a macro could do with it beyond declaring things.
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <macro.cell.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All text of one declaration's expansion. */
#define MACRO_TEXT_MAX_BYTES (1u << 20)

struct macro_text_rules {
	bool allows_asm; /* the macro announced it: asm, pragmas, constructors */
	bool is_unit;    /* a translation unit of its own: it includes <x.h> itself */
	const struct macro_plan_request *request; /* a path that the user wrote is the user's */
};

enum macro_text_verdict {
	MACRO_TEXT_FINE,
	MACRO_TEXT_REFUSED,
	MACRO_TEXT_NEEDS_ASM /* refused unless the macro has announced it */
};

/*
 * Look at TEXT: whole lines of C without directives that read files or change lines,
 * without dates or paths of a machine, and without what `allows_asm` is for. If refused
 * *ret_why says what is there, and *ret_line where.
 */
enum macro_text_verdict macro_text_check(const char *text, const struct macro_text_rules *rules,
			     const char **ret_why, unsigned *ret_line);

#ifdef __cplusplus
}
#endif
