/*
 * One unit on its way through expand_unit(), and what the parts of that call of each other:
 * names.c, lookup.c, ask.c, outcome.c and remark.c, in the order in which expand.c needs
 * them. Nobody else includes this. What is made lives in the arena of the work; what is wrong
 * is said, and noted in its `err`.
 */
#pragma once

#include "assemble.h"
#include "cache.h"
#include "conflict.h"
#include "diag.h"
#include "expand.h"
#include "known.h"
#include "request.h"
#include "writer.h"

/*
 * A state of our own: the namespaces that are off. It matters to who asks other cells, and to
 * nobody else: all others give the text of a source without the attributes that are off.
 */
#define FEATURES "cellc:features"

/* One declaration from the question to its text. */
struct item {
	struct prepared prepared;
	struct cached cached;
	const char *key;
	const char *old_key; /* of the use in the lock; NULL = none */
	bool is_there;       /* CACHED is filled */
	bool is_new;         /* and was asked for just now */
	bool is_degraded;
	const char *assumed; /* a state that nobody knows now: as the lock has it; NULL */
	struct macro_kept_of *kept; /* from now on; if it is new */
	size_t n_kept;
	struct lock_state *states; /* that were looked at; sorted */
	size_t n_states;
	struct macro_plan plan; /* while it is asked for */
	struct macro_generated_code code;
};

/* What provisioning needs to expand again. */
struct expansion_origin {
	bool is_remembered; /* there is no unit */
	struct unit unit;
	struct project project;
	struct cell_arena *arena;
	const struct lock_state *states; /* that were looked at */
	size_t n_states;
};

struct work {
	const struct unit *unit;
	struct session *session;
	const struct project *project;
	struct cell_arena *arena;
	struct diag *diag;
	struct known known;
	struct conflict_context context;
	const char *cwd, *prefix;
	const char *main_marker; /* the main file as markers spell it */
	const char *main_file;   /* relative to the root */
	const char **main_names; /* of the declarations in it */
	size_t n_main_names;
	const char **emitted;
	size_t n_emitted;
	struct item *items;
	size_t n_items;
	int err; /* 0, or -EINVAL after something was said */
};

/* ---- names.c: what things are called ---- */

/* "struct:account" for D, which is in FILE: another name than those that W has there. */
const char *names_declaration(const struct work *w, const struct declaration *d,
			      const char *file);
/* "../.cell/" from a folder below the root; absolute from elsewhere. */
const char *names_prefix(const char *cwd, const struct project *project,
			 struct cell_arena *arena);
/* The main file as the first line marker spells it; "" if there is none. */
const char *names_main_marker(const struct unit *unit, struct cell_arena *arena);

/* ---- lookup.c: what the lock and the cache know ---- */

/*
 * Put what .cell has into ITEM: what is kept about it, the key of now, and, if that is the
 * key of the lock and may be relied on, the text and the states (`is_there`). Says nothing.
 */
void lookup_item(struct work *w, struct item *item);
/* The key of ITEM asked as REQUEST while the N STATES are as they say: 64 digits. */
const char *lookup_key(const struct work *w, const struct item *item,
		       const struct macro_plan_request *request,
		       const struct lock_state *states, size_t n);
/* The digest of the state ID as the cells that run say; NULL if none of them knows it. */
const char *lookup_state(const struct work *w, const char *id);
/* Of the state FEATURES now. */
const char *lookup_features(const struct work *w);
/* Where the plan of ITEM with KEY is, relative to .cell. */
const char *lookup_plan_path(const struct item *item, const char *key,
			     struct cell_arena *arena);
/* The first attribute of the namespace of it that cannot be asked; NULL: all can. */
const struct attribute *lookup_unreachable(const struct item *item);

/* ---- ask.c: what the macro cell says ---- */

/*
 * Ask for all items that are not there, wait, and take what is acceptable: they are there and
 * new then. Conflicts are all found before any text is asked for.
 */
void ask_missing(struct work *w);

/* ---- outcome.c: what becomes of the texts; all items are there ---- */

/* Say what cannot stand in one unit: what is remembered with what is there now, and items
 * with each other. */
void outcome_check(struct work *w);
/* Fill A with what all items add to the unit. */
void outcome_assemble(struct work *w, struct assembly *a);
/* Put what the compiler, the linker and provisioning want to know into E, and say warnings.
 */
void outcome_collect(struct work *w, struct expansion *e);
/* Write expansions and locks; with --locked, say what would be written (keep_all()). */
void outcome_keep(struct work *w, const struct assembly *a);
/* Fill the basis of E. After outcome_collect() and outcome_keep(). */
void outcome_note_basis(const struct work *w, const struct assembly *a, struct expansion *e);

/* ---- remark.c: what is said about it ---- */

/* Say the errors of LIST (N), which is about ITEM. Returns whether there was one. Warnings
 * are said when the text is used. */
bool remark_errors(const struct work *w, const struct item *item,
		   const struct macro_diagnostic *list, size_t n);
/* Say all that plan and text of ITEM, which is there, came with. */
void remark_warnings(const struct work *w, const struct item *item);
/* Error: ITEM got no acceptable answer, for the reason TEXT. */
void remark_refusal(struct work *w, const struct item *item, const char *text);
/* Error: A of ITEM is nowhere, and its cell cannot be asked. With what to do about it. */
void remark_unreachable(struct work *w, const struct item *item, const struct attribute *a);
/* Warning, once per process: who was not there to be asked, and .cell had the answer. */
void remark_remembered(struct work *w);
