/*
 * What is known of each namespace: its lock, and the catalogue of the cell that provides it
 * if that runs. And what changes in the lock.
 */
#pragma once

#include "check.h"
#include "lock.h"
#include "program.h"
#include "project.h"

struct session;

struct known_namespace {
	const char *ns;
	const char *lock_name; /* ".cell/db.schema.lock" */
	const char *lock_path;
	const char *lock_old; /* the file's text; NULL = there is none */
	struct lock lock;
	const struct macro_catalog *catalog; /* of a cell that runs and answers; else NULL */
	const char *trouble;                 /* why it does not answer; "" */
	const char *silent;                  /* the cell that does not; NULL */
	/* From the catalogue, else from the lock; CELL is NULL if neither is there. */
	const char *cell, *key, *digest;
	const struct macro_macro_description *macros;
	size_t n_macros;
	/* Of the provider's program, hexadecimal: "" if it does not run, or does not say. */
	const char *program;
	const char *state_path;  /* ROOT/.cell/state/programs/NS */
	struct program answered; /* who gave the answers that .cell has */
	bool is_used;    /* an attribute of it stands in this unit */
	bool is_suspect; /* its provider's key is not the one in the lock; that was said */
	/* Changes of this unit. */
	struct lock_use *uses;
	size_t n_uses;
	const char **confirmed; /* keys of uses that PROGRAM stands by */
	size_t n_confirmed;
	struct lock_state *states;
	size_t n_states;
	struct known_kept {
		const char *file, *declaration;
		const char *from; /* the file's old name; NULL = it is the same */
		const struct macro_kept *kept;
		size_t n;
	} * kept;
	size_t n_kept;
};

struct known {
	struct known_namespace *list;
	size_t n;
	bool is_complete; /* the macro cell answered: there are no others */
};

/*
 * Read the locks of PROJECT and ask SESSION for catalogues, and for the signatures of the
 * namespaces that stand in SCAN. A lock that cannot be read is said. Lives in ARENA and
 * SESSION. Returns 0 or -EINVAL.
 */
int known_load(struct known *ret, const struct project *project, struct session *session,
	       const struct scan *scan, struct cell_arena *arena, struct diag *diag);

/* Only the locks, nobody is asked: returns 0, or -EINVAL if one cannot be read; not said. */
int known_locks(struct known *ret, const struct project *project, struct cell_arena *arena);

struct known_namespace *known_find(const struct known *known, const char *ns);

/* For check_attribute(). */
struct check_known known_for_check(const struct known *known, struct cell_arena *arena);

/* LOCK with the changes of KNOWN in it: the provider and its macros, uses, kept, states. */
void known_apply(const struct known_namespace *known, struct lock *lock,
		 const char *main_file, const char *const *declarations,
		 size_t n_declarations, struct cell_arena *arena);

/*
 * Let the project trust KEY of CELL for NS from now on: `cell macro trust`. Writes the lock.
 * Returns 0 or negative.
 */
int known_trust(const struct project *project, const char *ns, const char *cell,
		const char *key, struct cell_error *err);
