/*
 * The project a source belongs to: the nearest folder above with a .cell, and its settings.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

struct project {
	const char *root;     /* absolute; where .cell is, or would be made */
	const char *folder;   /* ROOT/.cell */
	const char *settings; /* ROOT/.cell/project; NULL = there is none */
	const char *program; /* [project] program; else the name of the only manifest in ROOT;
				"" */
	const char *manifest; /* path of that manifest; NULL = none */
	const char *compiler; /* [build] compiler, as $CELLC_CC is spelled; NULL = not said */
	const char **cells;   /* [build] cells: to be started; NULL-terminated */
	const char **features_off; /* sorted; NULL-terminated */
	const char **order;        /* namespaces, outermost first; NULL-terminated */
	bool locked, offline, strict;
	bool fresh; /* ask again what .cell has an answer to */
	bool looks_only; /* write nothing, and do not say what would be written */
	bool fix;   /* add to MANIFEST what the code is found to call */
};

/* Bytes of .cell/project. */
#define PROJECT_TEXT_MAX 65536

/*
 * Find the project of SOURCE (a path, may be relative; "-" is one in the current folder), and
 * read its settings. A project need not exist: ROOT is then the nearest folder above with
 * .git, else the current folder. A .cell that belongs neither to us, nor to root, nor to whom
 * the source's folder belongs, is none: in /tmp anybody could name the compiler.
 * FEATURES ("a=off,b=on"; NULL = none) adds to what the settings say.
 *
 * Everything lives in ARENA. Returns 0, CELL_INVALID_ARGUMENT ("file:line:col: …"), or
 * -errno.
 */
int project_find(struct project *ret, const char *source, const char *features,
		 struct cell_arena *arena, struct cell_error *err);

/*
 * Only what .cell/project says of the compiler: NULL if there is none or it says nothing.
 * Looks at nothing else.
 */
int project_compiler(const char **ret, const char *source, struct cell_arena *arena,
		     struct cell_error *err);

/*
 * The settings in LEN bytes of TEXT, called PATH in messages; touches no file. Of RET, what
 * the settings can say is set, the rest left alone. Returns as project_find().
 */
int project_parse(struct project *ret, const char *text, size_t len, const char *path,
		  const char *features, struct cell_arena *arena, struct cell_error *err);
