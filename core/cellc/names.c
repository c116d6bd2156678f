#include "expand_work.h"

#include <string.h>

static const char *place_word(enum macro_place place)
{
	static const char *const words[] = {
		[MACRO_PLACE_FILE] = "file",         [MACRO_PLACE_STRUCT] = "struct",
		[MACRO_PLACE_UNION] = "union",       [MACRO_PLACE_ENUM] = "enum",
		[MACRO_PLACE_FUNCTION] = "function", [MACRO_PLACE_PROTOTYPE] = "prototype",
		[MACRO_PLACE_TYPEDEF] = "typedef",   [MACRO_PLACE_VARIABLE] = "variable",
	};

	return (unsigned)place < sizeof words / sizeof words[0] && words[place] ? words[place]
										: "other";
}

/* The nth of one name in one file gets a number, so that names are unique. */
static const char *unique_name(const struct work *w, const char *file, const char *name)
{
	const char *candidate = name;

	for (unsigned n = 2;; n++) {
		bool is_taken = false;

		for (size_t i = 0; i < w->n_items && !is_taken; i++)
			is_taken = strcmp(w->items[i].prepared.file, file) == 0 &&
				   strcmp(w->items[i].prepared.name, candidate) == 0;
		if (!is_taken)
			return candidate;
		candidate = must_printf(w->arena, "%s.%u", name, n);
	}
}

const char *names_declaration(const struct work *w, const struct declaration *d,
			      const char *file)
{
	const struct macro_declaration *declaration = d->request.declaration;
	const struct attribute *first = d->n_attributes ? d->attributes[0] : NULL;

	if (*declaration->name)
		return unique_name(w, file,
				   must_printf(w->arena, "%s:%s",
					       place_word(declaration->place),
					       declaration->name));
	return unique_name(w, file,
			   must_printf(w->arena, "%s:%s.%s", place_word(declaration->place),
				       first ? first->ns : "", first ? first->name : ""));
}

const char *names_prefix(const char *cwd, const struct project *project,
			 struct cell_arena *arena)
{
	size_t len = strlen(project->root);
	struct writer out = writer_new(arena);

	if (strncmp(cwd, project->root, len) != 0 || (cwd[len] && cwd[len] != '/'))
		return must_printf(arena, "%s/", project->folder);
	for (const char *c = cwd + len; *c; c++)
		if (*c == '/' && c[1])
			writer_put(&out, "../");
	writer_put(&out, ".cell/");
	return out.text;
}

const char *names_main_marker(const struct unit *unit, struct cell_arena *arena)
{
	const char *open = memchr(unit->text, '"', unit->len), *close;
	size_t left;

	if (unit->len < 2 || unit->text[0] != '#' || !open)
		return "";
	left = unit->len - (size_t)(open + 1 - unit->text);
	close = memchr(open + 1, '"', left);
	return close ? must(cell_arena_strndup(arena, open + 1, (size_t)(close - open - 1)))
		     : "";
}
