/*
 * From declarations to text: what the lock and the cache know, else what the macro cell says.
 */
#pragma once

#include "project.h"
#include "lock.h"
#include "splice.h"

/* What the result was made from, beside the text and the settings: all that a later time must
 * find as it is. */
struct expansion_basis {
	bool asks; /* false: no attribute is for a cell, and the rest is empty */
	const char *main_file; /* relative to the root */
	const char **namespaces; /* of its attributes */
	size_t n_namespaces;
	const struct expansion_declaration {
		const char *file, *name;
	} *declarations; /* with attributes */
	size_t n_declarations;
	/* That were looked at, as the cells said they are: digest "" if no cell said it, and
	 * what the lock has was taken. */
	const struct lock_state *states;
	size_t n_states;
	const struct expansion_file {
		const char *path; /* relative to .cell */
		const char *hash; /* 64 digits */
	} *files;
	size_t n_files;
	const struct lock *locks; /* of the project, as this expansion leaves them */
	size_t n_locks;
};

/* Where in the source something stands that is declared. */
struct expansion_site {
	const char *ns, *name; /* of its attribute */
	struct place at;
	/* Its members, and what its namespace says of it and of them: what may be refused. */
	const struct expansion_spot {
		const char *member;   /* "" = the declaration */
		const char *macro;    /* "" = the member itself */
		const char *argument; /* text of the first one; "" = none, or it has no text */
		struct place at;
	} *spots;
	size_t n_spots;
};

struct expansion {
	struct splice splice;            /* ready for splice_text() */
	/* Files that the result depends on: locks, expansions, .cell/project. For -MD. */
	const char **depends;
	size_t n_depends;
	/* To be provisioned once the compiler has succeeded. */
	const struct macro_declared *declared;
	const struct expansion_site *sites; /* one for each: where diagnostics belong */
	size_t n_declared;
	/* Translation units of their own (PIECE_KIND_UNIT): name and text; named in the object. */
	const struct expansion_unit {
		const char *name;
		const char *text;
	} *units;
	size_t n_units;
	/* Whose text is in which file, as line markers name that: for errors of the compiler. */
	struct expansion_piece {
		const char *file;
		bool is_stem; /* all that begin like this */
		const struct attribute *attribute; /* of the whole; NULL = not known */
		struct expansion_line {
			uint32_t line; /* this one and those up to the next entry */
			const struct attribute *attribute;
			const struct place *place;
		} *lines; /* at least one */
		size_t n_lines;
	} *pieces;
	size_t n_pieces;
	const char **functions; /* that are declared */
	size_t n_functions;
	const struct macro_file *files;  /* beside the build */
	size_t n_files;
	const char **link;               /* "-lm" */
	size_t n_link;
	bool is_degraded;                /* not to be kept */
	const struct expansion_origin *origin; /* for expand_provision() */
	struct expansion_basis basis;
};

struct session; /* a connection to the macro cell; opened when first needed */

/* PROJECT is copied; what it points to must live as long as the session. */
struct session *session_new(const struct project *project, struct diag *diag);
void session_free(struct session *session); /* accepts NULL */

/*
 * Expand every declaration of UNIT. Writes expansions and locks below the project's .cell
 * unless the project says --locked. All diagnostics are said, with notes that help.
 * Everything lives in ARENA. Returns 0, or -EINVAL after errors were said.
 */
int expand_unit(struct expansion *ret, const struct unit *unit, struct session *session,
		const struct project *project, struct cell_arena *arena, struct diag *diag);

/*
 * For an EXPANSION that is remembered, with what it declares and its basis: let
 * expand_provision() take it. PROJECT is copied.
 */
void expand_remember(struct expansion *expansion, const struct project *project,
		     struct cell_arena *arena);

/* What was provisioned changes what a remembered expansion has looked at: expand again. */
#define EXPAND_CHANGED 1

/*
 * Provision what EXPANSION declares. If that changes what expansions have looked at, locks
 * are brought up to date, so that the next build finds its answers there; its `depends` are
 * then the new ones, and *RET_CHANGED (may be NULL) is true. ARENA, texts and project of
 * expand_unit() must still be there. Returns 0, EXPAND_CHANGED (remembered ones only), or
 * negative after the refusal was said.
 */
int expand_provision(struct expansion *expansion, struct session *session, struct diag *diag,
		     bool *ret_changed);
