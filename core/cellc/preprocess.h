/*
 * The first step: a source with its headers put in and nothing else changed, caught in
 * memory. Directives-only text keeps comments, columns and unexpanded tokens; where the
 * compiler cannot make it, plain -E is taken.
 */
#pragma once

#include "compiler.h"

struct preprocessed {
	const char *text; /* mapped for the life of the process */
	size_t len;
	bool is_plain;        /* by -E: macros are expanded */
	const char *messages; /* what the compiler said on stderr */
	size_t messages_len;
	const char *rules; /* what -MD would have written; "" unless asked for */
	size_t rules_len;
};

/* The compiler accepts the source in no way: let it say so itself. */
#define PREPROCESS_REFUSED 1

/*
 * Preprocess SOURCE. STDIN_FD is what it reads as standard input, -1 = ours. Everything
 * lives as long as ARENA or the process. Returns 0, PREPROCESS_REFUSED, or -errno.
 */
int preprocess_source(struct preprocessed *ret, const struct command_line *line,
		      const struct compiler *compiler, const struct command_input *source,
		      int stdin_fd, struct cell_arena *arena, struct cell_error *err);

/*
 * Run REST of the compiler's words on TEXT-that-was-spliced once more so that it reads as
 * after -E: macros expanded, no #define. Not for text that is_plain. OUT gets it. Returns 0
 * and *RET_STATUS, or -errno.
 */
int preprocess_again(const struct command_line *line, const struct compiler *compiler,
		     const char *file, int out, struct cell_arena *arena, int *ret_status,
		     struct cell_error *err);
