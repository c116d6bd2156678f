#include "wrap.h"

#include <cell/internal/ctext.h>
#include <stddef.h>
#include <string.h>

/* Specifiers of one declaration that may have to go. */
#define SPECIFIERS_MAX 8

struct writer {
	char *text;
	size_t len;
	/* of the declaration that is being read, as places in `text` */
	size_t begin;
	bool has_begun;
	bool has_static;
	struct {
		size_t at, len;
	} specifiers[SPECIFIERS_MAX];
	size_t n_specifiers;
	int depth;
};

static void put(struct writer *w, const char *text, size_t len)
{
	memcpy(w->text + w->len, text, len);
	w->len += len;
}

static void insert(struct writer *w, size_t at, const char *text)
{
	size_t len = strlen(text);

	memmove(w->text + at + len, w->text + at, w->len - at);
	memcpy(w->text + at, text, len);
	w->len += len;
}

static void declaration_begin(struct writer *w)
{
	w->has_begun = false;
	w->has_static = false;
	w->n_specifiers = 0;
}

/* The function itself is declared here: as the user has it. */
static void settle_linkage(struct writer *w, const struct wrap_names *names)
{
	for (size_t i = 0; i < w->n_specifiers; i++) {
		const char *word = w->text + w->specifiers[i].at;
		bool stays = *word == 's' ? names->is_static : *word == 'i' && names->is_inline;

		/* Blanks, so that columns of errors stay true. */
		if (!stays)
			memset(w->text + w->specifiers[i].at, ' ', w->specifiers[i].len);
	}
	if (names->is_static && !w->has_static)
		insert(w, w->begin, "static ");
	w->n_specifiers = 0;
	w->has_static = true;
}

static void note_token(struct writer *w, const struct ctext *ctext, enum ctext_kind kind)
{
	if (w->depth > 0)
		return;
	if (!w->has_begun) {
		w->begin = w->len;
		w->has_begun = true;
	}
	if (kind != CTEXT_NAME)
		return;
	if (ctext_is(ctext, "static") || ctext_is(ctext, "inline") || ctext_is(ctext, "extern")) {
		w->has_static = w->has_static || ctext_is(ctext, "static");
		if (w->n_specifiers < SPECIFIERS_MAX) {
			w->specifiers[w->n_specifiers].at = w->len;
			w->specifiers[w->n_specifiers++].len = ctext->len;
		}
	}
}

static void note_bracket(struct writer *w, char c)
{
	if (c == '(' || c == '[' || c == '{')
		w->depth++;
	else if (c == ')' || c == ']' || c == '}')
		w->depth--;
	if (w->depth == 0 && (c == ';' || c == '}'))
		declaration_begin(w);
}

static void put_name(struct writer *w, const struct ctext *ctext, const struct wrap_names *names)
{
	if (ctext_is(ctext, "$next$")) {
		put(w, names->next, strlen(names->next));
	} else if (names->takes && ctext_is(ctext, names->symbol)) {
		if (w->depth == 0)
			settle_linkage(w, names);
		put(w, names->takes, strlen(names->takes));
	} else {
		put(w, ctext->start, ctext->len);
	}
}

/* Bytes that the text can have at most: every token may become the longest name. */
static size_t room_for(const char *text, const struct wrap_names *names)
{
	size_t grown = strlen(names->next), tokens = 0;
	struct ctext ctext;

	if (names->takes && strlen(names->takes) > grown)
		grown = strlen(names->takes);
	ctext_init(&ctext, text);
	for (;;) {
		enum ctext_kind kind = ctext_next(&ctext);

		if (kind == CTEXT_END || kind == CTEXT_BROKEN)
			break;
		tokens += kind == CTEXT_NAME &&
			  (ctext_is(&ctext, "$next$") || ctext_is(&ctext, names->symbol));
	}
	return strlen(text) + tokens * (grown + sizeof "static ") + 1;
}

char *wrap_text(struct cell_arena *arena, const char *text, const struct wrap_names *names)
{
	struct writer w = { .text = cell_arena_alloc(arena, room_for(text, names)) };
	const char *copied = text;
	struct ctext ctext;

	if (!w.text)
		return NULL;
	ctext_init(&ctext, text);
	for (;;) {
		enum ctext_kind kind = ctext_next(&ctext);

		if (kind == CTEXT_END || kind == CTEXT_BROKEN)
			break;
		put(&w, copied, (size_t)(ctext.start - copied));
		copied = ctext.start + ctext.len;
		/* A directive is no part of a declaration; its "#" has been copied as a blank is. */
		if (kind != CTEXT_DIRECTIVE && kind != CTEXT_NEWLINE)
			note_token(&w, &ctext, kind);
		if (kind == CTEXT_NAME)
			put_name(&w, &ctext, names);
		else
			put(&w, ctext.start, ctext.len);
		if (kind == CTEXT_PUNCTUATOR)
			note_bracket(&w, *ctext.start);
		if (kind == CTEXT_NEWLINE)
			declaration_begin(&w);
	}
	put(&w, copied, strlen(copied));
	w.text[w.len] = '\0';
	return w.text;
}
