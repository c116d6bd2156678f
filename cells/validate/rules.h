/*
 * Guards on the members of a struct: whether they make sense, and the C that checks them.
 * Pure: a request goes in, text comes out.
 */
#pragma once

#include <cell/macro.h>

/* Whether any member of TYPE (a struct) has a guard of its own. */
bool rules_are_on(const struct macro_type *type);

/* The same, or a member of a struct in it has. */
bool rules_are_below(struct cell_macro_work *work, const struct macro_type *type);

/* Whether some member of TYPE must be an e-mail address. */
bool rules_want_email(const struct macro_type *type);

/*
 * Whether MINE, which stands on a member of TYPE, can be checked there: the member's type,
 * the bounds. 0, or CELL_INVALID_ARGUMENT after saying why not.
 */
int rules_check(struct cell_macro_work *work, const struct macro_type *type,
		const struct macro_attribute *mine);

/* Statements that return from the function when a member of `it` (a TAG) does not pass. */
void rules_put_checks(struct cell_macro_work *work, struct cell_piece *piece,
		      const struct macro_type *type, const char *tag);

/* The function that looks at an address, named after TAG. */
void rules_put_email(struct cell_piece *piece, const char *tag);
