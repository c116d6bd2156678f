/*
 * The text of a table: types and prototypes, functions, and the constant descriptor that they
 * are thin covers of. Conventions: GENERATED in cell-providers(7).
 */
#pragma once

#include "read.h"
#include "text.h"

/* For every translation unit: the layout, the descriptor's name, cursors and changes. */
void emit_declarations(struct text *out, const struct read *read);
/* The layout alone, and the descriptor's name. */
void emit_layout(struct text *out, const struct read *read);
/* static inline: rows, cursors over keys and indexes, watches. */
void emit_functions(struct text *out, const struct read *read);
/* Once in a program: the descriptor of VERSION. */
void emit_descriptor(struct text *out, const struct read *read, uint64_t version);
/* An array of struct cell_column, static, called NAME. */
void emit_columns(struct text *out, const struct read *read, const char *name);

/* --- what its files share ------------------------------------------------------------ */

/* Pairs for text_template(): noun, tag, ns. */
#define EMIT_WORDS(read) "noun", (read)->noun, "tag", (read)->tag, "ns", (read)->provider->ns

/* The first N columns of KEY, as parameters of a function and as the row that they make. */
struct emit_part {
	const struct read *read;
	const struct read_key *key;
	size_t n;
	const char *before;       /* in front of the parameters' names: "", "from_" */
	const char *row;          /* the row's name */
	bool is_prefix;           /* the last one is the beginning of a text */
	const char *open, *close; /* around a refusal that is returned */
};

/* emit_key.c */
void emit_cursors(struct text *out, const struct read *read);
/* ", uint64_t id, const char *owner" */
void emit_parameters(struct text *out, const struct emit_part *part);
/* The row's declaration, and then the statements that fill what an initialiser cannot. */
void emit_row(struct text *out, const struct emit_part *part);
void emit_copies(struct text *out, const struct emit_part *part);
/* "id", "city and age": the first N columns of KEY. */
const char *emit_names(const struct read *read, const struct read_key *key, size_t n,
		       const char *between, const char *last);
