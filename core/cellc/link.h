/*
 * Linking: the notes of all that goes into a program are read first. Objects that disagree on
 * a type's layout are refused; units of their own are compiled, each once, and linked.
 */
#pragma once

#include "compiler.h"
#include "note.h"

struct link {
	struct cell_arena *arena;
	struct link_note {
		struct note note;
		const char *where; /* "libbank.a(deposit.o)" */
	} * notes;                 /* one of each kind and name */
	size_t n_notes, room;
	size_t n_units, n_libraries;
	struct cell_error *err;
	const char *file, *member; /* that is read now */
};

/*
 * Read the notes of what LINE links. OBJECTS has for each of its inputs the object that
 * stands for it, or NULL: the input itself; it may be NULL. Files that cannot be read are
 * left to the linker to complain about.
 *
 * Returns 0, CELL_FAILED_PRECONDITION if two objects disagree (ERR names both), or -errno.
 */
int link_read(struct link *ret, const struct command_line *line, const char *const *objects,
	      struct cell_arena *arena, struct cell_error *err);

/*
 * Whether the user's own words are all that is needed.
 */
bool link_is_plain(const struct link *link);

/*
 * Compile the units and link: LINE with OBJECTS in place of inputs, the units, and the
 * libraries asked for. *RET_STATUS is that of the first step that failed, or 0. Temporary
 * files are in folders of process_folder(). Returns 0 or -errno.
 */
int link_run(const struct link *link, const struct command_line *line,
	     const struct compiler *compiler, const char *const *objects, int *ret_status);
