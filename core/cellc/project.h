/*
 * The project a source belongs to: the nearest folder above with a .cell, and its settings.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

struct project {
	const char *root;           /* absolute; where .cell is, or would be made */
	const char *folder;         /* ROOT/.cell */
	const char *settings;       /* ROOT/.cell/project; NULL = there is none */
	const char *program;        /* [project] program; else the name of the only manifest in ROOT; "" */
	const char *manifest;       /* path of that manifest; NULL = none */
	const char **cells;         /* [build] cells: to be started; NULL-terminated */
	const char **features_off;  /* sorted; NULL-terminated */
	const char **order;         /* namespaces, outermost first; NULL-terminated */
	bool locked, offline, strict;
};

/*
 * Find the project of SOURCE (a path, may be relative), and read its settings. A project
 * need not exist: ROOT is then the nearest folder above with .git, else the current folder.
 * Flags (locked, offline, strict, FEATURES "a=off,b=on") add to what the settings say.
 * Returns 0, or CELL_INVALID_ARGUMENT ("file:line:col: …").
 */
int project_find(struct project *ret, const char *source, const char *features,
		 struct cell_arena *arena, struct cell_error *err);
