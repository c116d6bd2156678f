#include "record.h"

#include "note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether fields are put into DECLARATION; then their text goes to OUT. */
static bool write_fields(FILE *out, const struct declaration *declaration,
			 const struct splice *splice)
{
	bool any = false;

	for (size_t i = 0; i < splice->n_insertions; i++) {
		const struct insertion *insertion = &splice->insertions[i];

		if (!declaration->open || insertion->at <= declaration->open ||
		    insertion->at > declaration->close)
			continue;
		(void)fputs(insertion->text, out);
		any = true;
	}
	return any;
}

/* What two objects must agree on: where the members are, and how large each is. */
static void write_layout(FILE *out, const struct macro_plan_request *request)
{
	const struct macro_type *type;

	if (request->declaration->type == 0 || request->declaration->type > request->n_types)
		return;
	type = &request->types[request->declaration->type - 1];
	(void)fprintf(out, "%llu %u\n", (unsigned long long)type->size, type->align);
	for (size_t i = 0; i < type->n_members; i++) {
		const struct macro_member *member = &type->members[i];
		const struct macro_type *of = member->type && member->type <= request->n_types
						      ? &request->types[member->type - 1]
						      : NULL;

		(void)fprintf(out, "%s %llu %u %llu\n", member->name,
			      (unsigned long long)member->offset_bits, member->bits,
			      of ? (unsigned long long)of->size : 0ull);
	}
}

/* Fills NOTE if DECLARATION is a struct or union with added fields. */
static bool layout_note(struct note *note, const struct declaration *declaration,
			const struct expansion *expansion, struct cell_arena *arena)
{
	const struct macro_declaration *what = declaration->request.declaration;
	bool is_union = what && what->place == MACRO_PLACE_UNION, any;
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (!what || (!is_union && what->place != MACRO_PLACE_STRUCT))
		return false;
	out = open_memstream(&text, &len);
	if (!out)
		return false;
	any = write_fields(out, declaration, &expansion->splice);
	write_layout(out, &declaration->request);
	any &= fclose(out) == 0;
	if (any) {
		note->kind = NOTE_LAYOUT;
		note->name = cell_arena_printf(arena, "%s %s", is_union ? "union" : "struct",
					       what->name);
		note_digest(note->digest, text, len);
	}
	free(text);
	return any;
}

/* The compiler's words, one a line; warnings about generated text are of no use. */
static const char *words_join(const struct command_line *line, struct cell_arena *arena)
{
	const char *const *const lists[] = { line->preprocess, line->compile };
	char *text = NULL, *copy;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < 2; i++)
		for (const char *const *word = lists[i]; *word; word++)
			if (!strchr(*word, '\n') && strncmp(*word, "-W", 2) != 0 &&
			    strncmp(*word, "-save-temps", 11) != 0 &&
			    strncmp(*word, "-pedantic", 9) != 0)
				(void)fprintf(out, "%s\n", *word);
	copy = fclose(out) == 0 ? cell_arena_strndup(arena, text, len) : NULL;
	free(text);
	return copy;
}

const char *record_source(const struct unit *unit, const struct expansion *expansion,
			  const struct command_line *line, const char *source,
			  struct cell_arena *arena)
{
	size_t most = unit->n_declarations + expansion->n_units + expansion->n_link, n = 0;
	struct note *notes = cell_arena_calloc(arena, most, sizeof *notes);
	const char *words = expansion->n_units ? words_join(line, arena) : "";

	if (!notes || !words)
		return NULL;
	for (size_t i = 0; i < unit->n_declarations; i++)
		n += layout_note(&notes[n], &unit->declarations[i], expansion, arena);
	for (size_t i = 0; i < expansion->n_units; i++, n++) {
		const struct expansion_unit *of = &expansion->units[i];

		notes[n] = (struct note){
			.kind = NOTE_UNIT, .name = of->name, .words = words, .text = of->text
		};
		note_digest(notes[n].digest, of->text, strlen(of->text));
	}
	for (size_t i = 0; i < expansion->n_link; i++, n++)
		notes[n] = (struct note){ .kind = NOTE_LINK, .name = expansion->link[i] };
	for (size_t i = 0; i < n; i++) {
		notes[i].source = source;
		notes[i].words = notes[i].words ? notes[i].words : "";
		notes[i].text = notes[i].text ? notes[i].text : "";
	}
	return note_source(notes, n, arena);
}
