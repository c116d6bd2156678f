/*
 * Literals as in C, that defaults and expressions are written with. Pure.
 */
#pragma once

#include <cell/internal/table/value.h>

/* Whether a number begins at AT: a digit, or a point and a digit. */
bool literal_is_number(const char *at);

/*
 * The number at AT: 12, 0x1f, 10ul, 1.5e3. *ret is VALUE_UINT or VALUE_REAL. Returns where it
 * ends, or NULL and says why: "is no number", "does not fit 64 bits".
 */
const char *literal_number(const char *at, struct value *ret, const char **ret_why);

/*
 * The string at AT, a quote: its bytes, escapes resolved, live in ARENA. Returns where it ends,
 * or NULL and says why; without memory *ret_why is NULL.
 */
const char *literal_text(const char *at, struct value *ret, struct cell_arena *arena,
			 const char **ret_why);

/* The same as the text of a literal, quotes and all. In ARENA; NULL without memory. */
const char *literal_quote(const uint8_t *bytes, size_t len, struct cell_arena *arena);
