/*
 * Messages as gcc prints them: FILE:LINE:COL: error: TEXT [-Wcell=NS], the source line, a
 * caret, and notes. Honours -fdiagnostics-color, -Werror, -fdiagnostics-format=json and -w.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE };

/* A place as people know it: line markers have been applied. */
struct place {
	const char *file; /* as the compiler would print it; NULL = no place */
	uint32_t line;    /* from 1 */
	uint32_t column;  /* bytes, from 1 */
	uint32_t width;   /* bytes to underline; 0 = one */
};

struct diag;

struct diag_options {
	bool color;
	bool as_json;            /* gcc's format: one array at the end */
	bool warnings_are_errors;
	bool no_warnings;
	bool columns_are_bytes;  /* as clang counts; gcc goes to the next stop of eight at tabs */
};

/* Never NULL: out of memory ends the program. Prints to FD. */
struct diag *diag_new(const struct diag_options *options, int fd);
/* Prints what is held back (JSON). Accepts NULL. */
void diag_free(struct diag *diag);

/*
 * Say it. NS is the namespace of the macro for [-Wcell=NS], or NULL. A note belongs to the
 * message before it. Equal messages at one place are said once.
 */
void diag_say(struct diag *diag, enum severity severity, const struct place *place,
	      const char *ns, const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * Whatever is said from now on goes to ON_SAY, too, also what was said before and what -w
 * hides; NULL ends that.
 */
typedef void diag_listen_fn(void *userdata, enum severity severity, const struct place *place,
			    const char *ns, const char *text);
void diag_listen(struct diag *diag, diag_listen_fn *on_say, void *userdata);

/* How many errors there were, warnings that count as such included. */
size_t diag_errors(const struct diag *diag);

/*
 * The nearest of N words to WORD, for "did you mean": NULL if none is near.
 */
const char *diag_nearest(const char *word, const char *const *words, size_t n);
