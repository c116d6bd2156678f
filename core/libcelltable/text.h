/*
 * Text under construction, in the arena of a work: planning needs it to know its names,
 * expanding to make pieces of it.
 */
#pragma once

#include <cell/macro.h>

struct text {
	struct cell_macro_work *work;
	char *bytes; /* terminated; NULL = nothing yet */
	size_t len, room;
};

void text_add(struct text *text, const char *bytes);
void text_put(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* FORMAT with each $name$ replaced by what follows NAME in WORDS: pairs, ended by NULL. */
void text_template(struct text *text, const char *format, const char *const *words);
/* VALUE as a literal of C, quotes included. */
void text_literal(struct text *text, const char *value);

/* As a piece of MINE; nothing if it is empty. */
void text_piece(const struct text *text, const struct macro_attribute *mine,
		enum macro_anchor anchor, enum macro_piece_kind kind);
