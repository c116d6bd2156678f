/*
 * The real compiler: $CELLC_CC, else what .cell/project says, else gcc.
 */
#pragma once

#include "command.h"

struct compiler {
	enum compiler_kind kind;
	const char *path;  /* the first word's file */
	const char *inner; /* the compiler's own; differs if it is wrapped */
	const char *const
		*words; /* "ccache", "gcc": what comes before the user's; NULL-terminated */
	size_t n_words;
	bool is_wrapped; /* by ccache or the like, in the first word */
	bool is_cxx;     /* it takes .c files for C++ */
	/* What changes when it is another one: of the program behind `path`. */
	unsigned long long size, mtime_ns, inode;
	/* The same of the one behind `inner`. */
	unsigned long long inner_size, inner_mtime_ns, inner_inode;
};

/*
 * Find it: WORDS as $CELLC_CC spells it. A name without a slash is looked for in $PATH, past
 * whatever is cellc itself. Everything lives in ARENA. Returns 0, or CELL_NOT_FOUND.
 */
int compiler_find(struct compiler *ret, const char *words, struct cell_arena *arena,
		  struct cell_error *err);

/* The compiler's words, then those of the lists up to a NULL list; NULL if out of memory. */
const char **compiler_argv(const struct compiler *compiler, struct cell_arena *arena,
			   const char *const *list, ...);
