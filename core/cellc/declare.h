/*
 * From what libclang saw of a declaration to what is asked about it.
 */
#pragma once

#include "clang.h"
#include "unit.h"

/* More types than this are not told: the rest of the graph is left incomplete. */
#define DECLARE_TYPES_MAX 1024

/* A byte of the text that libclang read, in the unit's. */
typedef size_t declare_offset_fn(const void *userdata, size_t offset);

struct declare_context {
	const struct unit *unit;
	declare_offset_fn *offset;
	const void *userdata;
	const struct macro_target *target;
	struct cell_arena *arena;
};

/* Whether MARK is of the declaration that starts at byte START, not inherited from another. */
bool declare_is_own(const struct declare_context *context, const struct clang_mark *mark,
		    size_t start);

/* Where __attribute__((…)) that ends at byte END starts; END if it is none. */
size_t declare_specifier(const struct unit *unit, size_t end);

/* What SOURCE is: a function with a body is no prototype. */
enum macro_place declare_place(const struct declare_context *context,
			       const struct clang_declaration *source);

/* Only start, end, name, open and close of it. */
void declare_bytes(const struct declare_context *context, const struct clang_declaration *source,
		   struct declaration *ret);

/* The declaration with all that is known about it. */
void declare_make(const struct declare_context *context, const struct clang_declaration *source,
		  struct declaration *ret);

/* The N bare attributes of one list, which are a declaration of their own. */
void declare_bare(const struct declare_context *context, const struct attribute *attributes,
		  size_t n, struct declaration *ret);

/*
 * The comment before byte START, or with BEHIND not 0 the one behind that on its line,
 * without its stars. "" if there is none.
 */
const char *declare_doc(const struct unit *unit, size_t start, size_t behind,
			struct cell_arena *arena);
