#include "blame.h"

#include "request.h"
#include "writer.h"

#include <stdlib.h>
#include <string.h>

/* Names in one note. */
#define NAMES_MAX 12

/* --- places in expansions --------------------------------------------------------------------
 */

/* The line that a message which begins at TEXT is about, if that is in PIECE; else 0. */
static uint32_t line_in(const struct expansion_piece *piece, const char *text, size_t len)
{
	size_t n = strlen(piece->file);
	const char *at;
	unsigned long line;
	char *end;

	if (len <= n || memcmp(text, piece->file, n) != 0)
		return 0;
	at = text + n;
	if (piece->is_stem)
		at = memchr(at, ':', len - n);
	if (!at || *at != ':')
		return 0;
	line = strtoul(at + 1, &end, 10);
	return end > at + 1 && *end == ':' && line <= UINT32_MAX ? (uint32_t)line : 0;
}

static void say_piece(const struct expansion_piece *piece, uint32_t line, struct diag *diag)
{
	const struct expansion_line *found = &piece->lines[0];
	const struct attribute *attribute;

	for (size_t i = 1; i < piece->n_lines; i++)
		if (piece->lines[i].line <= line)
			found = &piece->lines[i];
	attribute = found->attribute ? found->attribute : piece->attribute;
	if (attribute)
		diag_say(diag, SEVERITY_NOTE, found->place, NULL,
			 "in the expansion of %s::%s", attribute->ns, attribute->name);
	else
		diag_say(diag, SEVERITY_NOTE, found->place, NULL, "in its expansion");
}

static void say_place(const struct expansion *expansion, bool *is_said, const char *text,
		      size_t len, struct diag *diag)
{
	for (size_t i = 0; i < expansion->n_pieces; i++) {
		uint32_t line = line_in(&expansion->pieces[i], text, len);

		if (line == 0)
			continue;
		if (!is_said[i])
			say_piece(&expansion->pieces[i], line, diag);
		is_said[i] = true;
		return;
	}
}

/* --- names that are missing ------------------------------------------------------------------
 */

/* The function that the line says is not declared, or NULL. */
static const char *missing(const char *text, size_t len, struct cell_arena *arena)
{
	static const char *const phrases[] = { "implicit declaration of function '",
					       "call to undeclared function '",
					       "call to undeclared library function '" };

	for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
		size_t n = strlen(phrases[i]);
		const char *at = memmem(text, len, phrases[i], n), *end;

		if (!at)
			continue;
		at += n;
		end = memchr(at, '\'', len - (size_t)(at - text));
		return end ? must(cell_arena_strndup(arena, at, (size_t)(end - at))) : NULL;
	}
	return NULL;
}

/* Whether NAME is NOUN_VERB. */
static bool is_of(const char *name, const char *noun)
{
	size_t n = strlen(noun);

	return n > 0 && strncmp(name, noun, n) == 0 && name[n] == '_' && name[n + 1];
}

/* The struct with the longest name that NAME begins with. */
static const struct unit_name *noun_of(const struct unit *unit, const char *name)
{
	const struct unit_name *best = NULL;

	for (size_t i = 0; i < unit->n_names; i++)
		if (unit->names[i].is_tag && is_of(name, unit->names[i].name) &&
		    (!best || strlen(unit->names[i].name) > strlen(best->name)))
			best = &unit->names[i];
	return best;
}

static const struct declaration *declaration_of(const struct unit *unit, const char *tag)
{
	for (size_t i = 0; i < unit->n_declarations; i++) {
		const struct macro_declaration *d = unit->declarations[i].request.declaration;

		if (strcmp(d->name, tag) == 0 && d->place != MACRO_PLACE_FUNCTION &&
		    d->place != MACRO_PLACE_PROTOTYPE)
			return &unit->declarations[i];
	}
	return NULL;
}

/* Whether an attribute of it is switched off: that was said. */
static bool say_off(const struct declaration *declaration, const struct project *project,
		    const char *name, struct diag *diag)
{
	for (size_t i = 0; i < declaration->n_attributes; i++) {
		const struct attribute *a = declaration->attributes[i];

		if (!request_is_off(project, a->ns))
			continue;
		diag_say(diag, SEVERITY_NOTE, &a->at, NULL,
			 "'%s' may be declared by %s::%s, but the feature '%s' is off", name,
			 a->ns, a->name, a->ns);
		return true;
	}
	return false;
}

static void say_missing(const struct unit *unit, const struct expansion *expansion,
			const struct project *project, const char *name,
			struct cell_arena *arena, struct diag *diag)
{
	const struct unit_name *noun = noun_of(unit, name);
	const struct declaration *declaration = noun ? declaration_of(unit, noun->name) : NULL;
	struct writer list = writer_new(arena);
	size_t n = 0;

	if (!noun)
		return;
	if (!declaration) {
		diag_say(diag, SEVERITY_NOTE, &noun->at, NULL,
			 "no attribute stands on '%s' that could declare '%s'", noun->name,
			 name);
		return;
	}
	if (say_off(declaration, project, name, diag))
		return;
	for (size_t i = 0; i < expansion->n_functions; i++)
		if (is_of(expansion->functions[i], noun->name) && n++ < NAMES_MAX)
			writer_put(&list, "%s%s", n > 1 ? ", " : "", expansion->functions[i]);
	diag_say(diag, SEVERITY_NOTE, &noun->at, NULL,
		 "the attributes on '%s' declare no '%s'%s%s%s", noun->name, name,
		 n ? ", but " : "", list.text, n > NAMES_MAX ? ", ..." : "");
}

void blame_say(const char *messages, size_t len, const struct unit *unit,
	       const struct expansion *expansion, const struct project *project,
	       struct cell_arena *arena, struct diag *diag)
{
	bool *is_said = must_new(arena, bool, expansion->n_pieces);
	const char *end = messages + len, *newline, *name;

	for (const char *at = messages; at < end; at = newline + 1) {
		size_t n;

		newline = memchr(at, '\n', (size_t)(end - at));
		newline = newline ? newline : end;
		n = (size_t)(newline - at);
		say_place(expansion, is_said, at, n, diag);
		name = missing(at, n, arena);
		if (name)
			say_missing(unit, expansion, project, name, arena, diag);
	}
}
