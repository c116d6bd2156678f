/* The files of a cell on this machine: its program, its state directory, what it may read. */
#pragma once

#include <stdbool.h>

#include <cell/arena.h>
#include <cell/error.h>

#include "argv.h"

struct user;

struct files {
	const char *program; /* NULL once it has to be copied */
	int program_fd;
	const char *state; /* NULL: none */
	int state_fd;
	struct sandbox_mount *mounts;
	size_t n_mounts;
	struct sandbox_link *links;
	size_t n_links;
};

/*
 * Find and open everything: PROGRAM, the state directory STATE (made if it is missing; NULL:
 * none), the manifest's `read-only =` and the links at the root of the system.
 *
 * Returns 0; -ENOENT, naming what is missing; CELL_PERMISSION_DENIED for a mount that is not
 * allowed; -errno. files_close() ends it in any case.
 */
int files_open(struct files *files, const struct cell_manifest *manifest, const char *program,
	       const char *state, struct cell_arena *arena, struct cell_error *err);

/*
 * Make program and state reachable for USER where the folders above them are closed to it:
 * in a mount namespace of our own they get a second place, below /sys. A program that USER
 * may not read, or that cannot be moved, is left to be copied: FILES->program is NULL then.
 *
 * Returns 0 or CELL_PERMISSION_DENIED.
 */
int files_stage(struct files *files, const struct user *user, struct cell_error *err);

void files_close(struct files *files);

/* TEXT in a memfd without CLOEXEC, at its start. Returns the descriptor or -errno. */
int files_memfd(const char *name, const char *text);
