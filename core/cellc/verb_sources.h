/*
 * Which sources the commands around cellc look at, and running it for them.
 */
#pragma once

#include "project.h"

#include <cell/internal/command.h>

struct source_file {
	const char *path;   /* from FOLDER */
	const char *folder; /* where the compiler is run; absolute */
	const char *compiler; /* NULL = not known */
	const char *const *words; /* for it, without outputs; NULL-terminated */
};

struct sources {
	struct source_file *list;
	size_t n;
};

/*
 * FILES (N, from the current folder), else what compile_commands.json in the project's root
 * lists, else what cellc has recorded in .cell/state/commands, else the files that the locks
 * name. The words are those of compile_commands.json, or of the record.
 * Returns 0, CELL_NOT_FOUND if there is nothing to look at, or another status, with the text
 * in COMMAND.
 */
int sources_find(struct sources *ret, struct command *command, const struct project *project,
		 char *const *files, size_t n, struct cell_arena *arena);

/*
 * Run cellc for SOURCE with the words before and behind its own (NULL-terminated; BEHIND may
 * be NULL); IS_QUIET: whatever it says is lost. *RET_STATUS is its exit status. Returns 0 or
 * negative with the text in COMMAND.
 */
int sources_run(struct command *command, const struct source_file *source,
		const char *const *before, const char *const *behind, bool is_quiet,
		struct cell_arena *arena, int *ret_status);

/* The project of the current folder; 0, or negative with the text in COMMAND. */
int sources_project(struct project *ret, struct command *command, struct cell_arena *arena);
