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
};

/* Expand SOURCE ("#include <cell/cell.h>" stands before it by itself). The test fails if that is no C. */
void expansion_make(struct expansion_result *ret, const struct cell_macro_provider *provider,
		    void *self, const char *source);
void expansion_free(struct expansion_result *result);

/*
 * Compile TEXT with COMPILER and every warning as an error, link it with libcell, run it.
 * Returns its exit status, and what it or the compiler printed in OUTPUT.
 */
int expansion_run(const char *compiler, const char *text, char *output, size_t size);
