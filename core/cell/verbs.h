/*
 * The programs named cell-VERB that this installation has, with a line about each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct verb {
	char *name;    /* "ps" */
	char *path;    /* of its program */
	char *summary; /* from its manual page; "" if there is none */
};

struct verbs {
	struct verb *list; /* by name */
	size_t n;
};

/*
 * Look beside the running program, in $CELL_EXEC_PATH (folders, ':' between them), in
 * ../libexec/cell, and in $PATH, in this order; the first of a name counts. WITH_SUMMARIES
 * also reads the manual pages. What is no verb (cell-sandbox) is left out.
 */
void verbs_find(struct verbs *verbs, bool with_summaries);
void verbs_free(struct verbs *verbs);

const struct verb *verbs_get(const struct verbs *verbs, const char *name);

/* The path of one verb's program, looked for in the same places; the caller's, or NULL. */
char *verb_path(const char *name);

/*
 * The page NAME in section 1 to 8: "…/man1/cell-ps.1", or in the tree "man/cell-ps.1". The
 * caller's, or NULL.
 */
char *verb_page(const char *name);

/* The folder of the running program; "" if that cannot be told. Static text. */
const char *program_folder(void);

/* A program of this installation that is no verb, such as cellcore: beside us, else in $PATH.
 */
char *program_path(const char *name);
