/*
 * Reading generated C: its tokens, and the names that it declares.
 *
 * For checking that text does what its plan said and nothing else, so the reader is strict:
 * whatever could hide a token from it (trigraphs, digraphs, a line that goes on in the middle
 * of a word) makes the text broken. It knows no types and expands no macros. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ctext_kind {
	CTEXT_END,
	CTEXT_NAME,      /* identifier or keyword */
	CTEXT_NUMBER,
	CTEXT_STRING,    /* with its quotes and prefix */
	CTEXT_CHARACTER,
	CTEXT_PUNCTUATOR, /* one character each; "##" alone has two */
	CTEXT_DIRECTIVE, /* "#" and the word behind it: START and LEN are the word's */
	CTEXT_NEWLINE,   /* ends a directive; not reported elsewhere */
	CTEXT_BROKEN     /* WHY says what is wrong; nothing more comes */
};

struct ctext {
	const char *start; /* of the token */
	size_t len;
	unsigned line;     /* of the token, from 1 */
	const char *why;   /* when broken */

	/* its own */
	const char *at;
	bool is_line_start;
	bool is_directive;
	unsigned at_line;
};

void ctext_init(struct ctext *ctext, const char *text);
enum ctext_kind ctext_next(struct ctext *ctext);

/* Whether the token is WORD. */
bool ctext_is(const struct ctext *ctext, const char *word);

enum ctext_role {
	CTEXT_ORDINARY, /* function, variable, typedef, enumerator; or a struct's member */
	CTEXT_TAG,      /* of a struct, union or enum that is defined, not only named */
	CTEXT_MACRO     /* #define or #undef */
};

/* A declared name, on LINE. Anything but 0 ends the reading. */
typedef int ctext_name_fn(void *userdata, enum ctext_role role, const char *name, size_t len,
			  unsigned line);

/*
 * Call FN for every name that TEXT, standing at file scope or within a struct, declares
 * outside of functions. Returns 0, what FN returned, or -EINVAL with *ret_why and *ret_line
 * (either may be NULL) if it is not whole C text: quotes, comments and brackets all closed.
 */
int ctext_declared(const char *text, ctext_name_fn *fn, void *userdata, const char **ret_why,
		   unsigned *ret_line);

#ifdef __cplusplus
}
#endif
