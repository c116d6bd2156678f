/*
 * Lock files, .cell/NAMESPACE.schema.lock: what a project has been built with, for review and
 * for building when no cell runs. cell-lock(5) has the format. Pure: text in, text out.
 *
 * The text is sorted and holds no version, date, host or line number, so that two branches
 * merge line by line. Lists here are in the order of the file.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include "macro.cell.h"

/* "blake2b:" and 64 digits. */
#define LOCK_HASH_SIZE (8 + 64 + 1)

struct lock_state {
	const char *id;
	const char *digest; /* hexadecimal */
};

/* Something that the provider wants kept about a declaration: a field's number. */
struct lock_kept {
	const char *file, *declaration;
	const char *key, *value;
};

/* One expansion in use. */
struct lock_use {
	const char *file;        /* relative to the project's root */
	const char *declaration; /* "struct:account" */
	const char *key;         /* of the cache: 64 digits */
	const char *plan;        /* hash of its plan file, 64 digits */
	const char **reads;      /* ids of states; sorted */
	size_t n_reads;
};

struct lock {
	const char *ns;
	const char *cell;    /* that provides it; NULL: a lock that is still empty */
	const char *key;     /* of the provider: "local", "ed25519:…" */
	const char *catalog; /* digest, hexadecimal; "" = none yet */
	struct macro_macro_description *macros; /* signatures, without docs */
	size_t n_macros;
	struct lock_state *states;
	size_t n_states;
	struct lock_kept
		*kept; /* two of one key survive: their provider says what is wrong */
	size_t n_kept;
	struct lock_use *uses;
	size_t n_uses;
};

/*
 * Parse LEN bytes at TEXT, the lock of namespace NS. PATH is for messages. Everything lives
 * in ARENA. Returns 0, or CELL_INVALID_ARGUMENT ("PATH:LINE: …"), which for conflict markers
 * of a merge says so.
 */
int lock_parse(struct lock *ret, const char *ns, const char *text, size_t len,
	       const char *path, struct cell_arena *arena, struct cell_error *err);

/* The text of LOCK, sorted. Lives in ARENA. */
const char *lock_text(const struct lock *lock, struct cell_arena *arena);

/*
 * Whether NEW has all lines of OLD, beside those of uses: then nothing has changed that
 * others were built with, as their expansions are files of their own.
 */
bool lock_only_grows(const struct lock *old, const struct lock *new,
		     struct cell_arena *arena);

/* Whether NAME may be a namespace, so that it may be part of a file's name. */
bool lock_namespace_is_valid(const char *name);

/* The use of DECLARATION in FILE, or NULL. */
const struct lock_use *lock_find_use(const struct lock *lock, const char *file,
				     const char *declaration);
/* The digest of a state, or NULL. */
const char *lock_find_state(const struct lock *lock, const char *id);

/* A copy whose lists may be changed. */
struct lock lock_copy(const struct lock *lock, struct cell_arena *arena);

/* --- changes; strings are not copied ---------------------------------------------------- */

/* Add USE, or replace the one of the same file and declaration. */
void lock_set_use(struct lock *lock, const struct lock_use *use, struct cell_arena *arena);
/* Drop uses of FILE of which DECLARATIONS (N) does not name the declaration. */
void lock_keep_uses(struct lock *lock, const char *file, const char *const *declarations,
		    size_t n);
void lock_set_state(struct lock *lock, const char *id, const char *digest,
		    struct cell_arena *arena);
/* Drop states that no use reads. */
void lock_trim_states(struct lock *lock);
/* Replace all that is kept about DECLARATION in FILE. */
void lock_set_kept(struct lock *lock, const char *file, const char *declaration,
		   const struct macro_kept *kept, size_t n, struct cell_arena *arena);
/* What is kept about DECLARATION belongs to file TO from now on; FROM uses it no more. */
void lock_move_kept(struct lock *lock, const char *from, const char *to,
		    const char *declaration);

/*
 * The same as text for one macro, without "macro ": signatures that are equal are equal text.
 */
const char *lock_macro_text(const struct macro_macro_description *macro,
			    struct cell_arena *arena);
