/*
 * What a provider makes of a source, in one process: preprocessed by gcc, parsed by
 * libclang, planned and expanded in place. For tests of providers.
 */
#pragma once

#include <cell/macro.h>

struct expansion_result {
	/* The source with each piece behind (or before) its declaration, free of attributes. */
	char *text;
	/* "LINE:COLUMN: error: TEXT\n", notes as "note: TEXT\n" behind it; "" if nothing was said. */
	char *diagnostics;
	/* The text of wrappers, $next$ as it came. */
	char *wrappers;
	/* "KEY = VALUE\n" for each line that the lock is to keep. */
	char *kept;
	/* "symbol NAME\n", "tag NAME\n", "use CELL CHANNEL\n", "reads STATE\n" of the plans. */
	char *planned;
	/* "state ID DIGEST\n", in hex. */
	char *states;
	/* The last declaration to be provisioned. */
	char *declared_name; /* NULL = there was none */
	uint8_t *declared;
	size_t declared_len;
};

/* A provider, and what its functions get as SELF. */
struct expansion_provider {
	const struct cell_macro_provider *provider; /* NULL ends a list */
	void *self;
};

/* What a project adds to its source. */
struct expansion_project {
	const char *program; /* "" = none */
	/* The lock's lines for the one declaration that has any. */
	const struct macro_kept *kept;
	size_t n_kept;
	const char *kept_ns;
};

/* Expand SOURCE ("#include <cell/cell.h>" stands before it by itself). The test fails if that is no C. */
void expansion_make(struct expansion_result *ret, const struct cell_macro_provider *provider,
		    void *self, const char *source);
/*
 * The same by several, each of which sees all attributes. With a PROJECT (it may be NULL)
 * wrappers stand around their functions in the text, as the macro cell puts them.
 */
void expansion_make_by(struct expansion_result *ret, const struct expansion_provider *providers,
		       const struct expansion_project *project, const char *source);
void expansion_free(struct expansion_result *result);

/* Whether COMPILER is there, with what this build needs of it: not all have every sanitizer. */
bool expansion_can_run(const char *compiler);

/*
 * Compile TEXT with COMPILER and every warning as an error, link it with libcell, run it.
 * Returns its exit status, and what it or the compiler printed in OUTPUT.
 */
int expansion_run(const char *compiler, const char *text, char *output, size_t size);
