/*
 * How the files of the manifest parser share their state: manifest.c reads lines and calls
 * what manifest_keys.c knows about a key; manifest_value.c knows single words.
 */
#pragma once

#include "manifest.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* Rows of the table of keys, at most. */
#define MANIFEST_KEYS_MAX 64
/* Sections, and a NULL. */
#define MANIFEST_SECTIONS_MAX 8

struct parser;
struct key;

/* Takes VALUE, in which every word may be changed; fails through manifest_fail_at(). */
typedef int key_set_fn(struct parser *parser, const struct key *key, char *value);

struct key {
	const char *section;
	const char *name;
	key_set_fn *set;
	size_t offset; /* of the member, for the general setters */
	uint64_t min;
	uint64_t max;
	const char *const *choices; /* NULL-terminated; the index is the enum's value */
	bool allows_none;           /* "none" is 0: no limit */
	bool is_list;               /* may be repeated and go on over indented lines */
};

struct parser {
	struct cell_manifest *manifest;
	struct cell_error *err;
	const char *path;
	int failed; /* the first failure */

	/* The text and the line that inih has now. */
	const char *at;
	const char *end;
	const char *line; /* raw, not terminated */
	size_t line_len;
	unsigned line_number;
	bool indented;
	size_t value_column; /* of the value's first byte, from 1 */

	const char *section;   /* in the arena or static; NULL before the first */
	const struct key *key; /* the last one read, for lines that go on */
	const char *uses;      /* the last cell of [uses], likewise */
	unsigned section_line[MANIFEST_SECTIONS_MAX]; /* by index in `sections` */
	unsigned key_line[MANIFEST_KEYS_MAX];         /* by index in `keys`; 0 = not given */

	uint32_t *serves_uids;
	struct cell_manifest_remote *serves_remotes;
	const char **read_only;
	const char **env;
	const char **namespaces;
};

/* ---- manifest.c ---- */

/* Fail at LINE and COLUMN, from 1. Only the first failure counts; it is returned again. */
int manifest_fail_at(struct parser *parser, unsigned line, size_t column, const char *format,
		     ...) __attribute__((format(printf, 4, 5)));
int manifest_no_memory(struct parser *parser);

/* Printable, and short enough for a message: manifests come from others, too. */
struct manifest_shown {
	char text[48];
};
struct manifest_shown manifest_show(const char *word);

/*
 * One more zeroed element of SIZE bytes at the end of the list whose pointer is at ARRAY
 * and whose length is *N; there is always another zeroed one behind it. NULL on failure.
 */
void *manifest_list_push(struct parser *parser, void *array, size_t *n, size_t size);

/*
 * The next word at *AT, within VALUE, which is moved behind it; NULL at the end or on
 * failure. Spaces, and with COMMAS also commas, separate words; "double quotes" keep
 * them together. *RET_COLUMN is where it stands in the line.
 */
char *manifest_word_next(struct parser *parser, char *value, char **at, bool commas,
			 size_t *ret_column);

/* A copy of TEXT that lives as long as the manifest. NULL on failure. */
char *manifest_keep(struct parser *parser, const char *text);

/* ---- manifest_keys.c ---- */

/* A line `NAME = VALUE` of any section but [uses]; NAME stands in COLUMN. */
int manifest_key_line(struct parser *parser, const char *name, size_t column, char *value);

/* The line on which a key was given; 0 if it was not. */
unsigned manifest_line_of(const struct parser *parser, const char *section, const char *name);

/* A line of [uses], and the words of a line that goes on. */
int manifest_uses_line(struct parser *parser, const char *cell, size_t column, char *value);
int manifest_uses_add(struct parser *parser, char *value);

/* ---- manifest_value.c ---- */

/*
 * Whether WORD has 1 to MAX bytes: lower-case letters and those of FIRST, and after the
 * first byte also those of REST.
 */
bool manifest_is_word(const char *word, const char *first, const char *rest, size_t max);
