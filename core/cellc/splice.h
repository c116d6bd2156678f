/*
 * Putting generated text into a unit without moving a byte of the user's: attributes are
 * overwritten by spaces, insertions stand between line markers.
 */
#pragma once

#include "unit.h"

struct insertion {
	size_t at;           /* byte of the text before which it goes */
	const char *text;    /* whole lines */
	const char *file;    /* that holds exactly this text: named by the marker */
	unsigned order;      /* among those at one place: smaller first */
	size_t blank;        /* bytes from AT on to be overwritten by spaces, as the semicolon of a
			      * prototype that gets a body; usually 0 */
};

/* Replaces a name: a wrapped function becomes cell_body_X, with __func__ kept. */
struct renaming {
	size_t at;           /* the name in its definition */
	size_t start, end;   /* the function's braces, between which __func__ must stay NAME */
	const char *name;
	const char *new_name;
};

struct splice {
	const struct insertion *insertions;
	size_t n_insertions;
	const struct renaming *renamings;
	size_t n_renamings;
	const char *const *blank_namespaces; /* NULL: all of ours */
	size_t n_blank_namespaces;
};

/* N bytes of the result that are N bytes of the unit's text, but for what is blanked. */
struct splice_copy {
	size_t to, from, n;
};

/*
 * The text of UNIT with its attributes blanked and SPLICE put in. Lives in ARENA;
 * *ret_len without the NUL behind it.
 */
int splice_text(const struct unit *unit, const struct splice *splice, struct cell_arena *arena,
		const char **ret_text, size_t *ret_len, struct cell_error *err);

/* The same, and which bytes stayed: in order of the result, in ARENA. */
int splice_with_copies(const struct unit *unit, const struct splice *splice,
		       struct cell_arena *arena, const char **ret_text, size_t *ret_len,
		       const struct splice_copy **ret_copies, size_t *ret_n,
		       struct cell_error *err);
