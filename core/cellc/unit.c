#include "unit.h"

#include "clang.h"
#include "declare.h"
#include "vector.h"

#include <errno.h>
#include <stdio.h>

/* A stretch of the unit's text, and what libclang reads instead. */
struct edit {
	size_t start, end;         /* of the unit's text */
	size_t new_start, new_end; /* of libclang's */
};

struct edited {
	struct cell_arena *arena;
	const struct unit *unit;
	VECTOR(struct edit) edits;
	char *text;
	size_t len;
	size_t copied; /* of the unit's text, so far */
};

/* What gcc's headers say that clang does not know. */
static const char shim[] = "#define __malloc__(...) __malloc__\n"
			   "#define _Float32 float\n"
			   "#define _Float64 double\n"
			   "#define _Float32x double\n"
			   "#define _Float64x long double\n";
static const char shim_float128[] = "#define _Float128 __float128\n";
static const char shim_no_float128[] = "#define _Float128 long double\n";

/* --- the text for libclang ----------------------------------------------------------------
 */

static void edited_put(struct edited *edited, const char *bytes, size_t n)
{
	memcpy(edited->text + edited->len, bytes, n);
	edited->len += n;
}

/* The unit's bytes from START to END become TEXT. */
static void edited_replace(struct edited *edited, size_t start, size_t end, const char *text)
{
	struct edit *edit = VECTOR_ADD(edited->arena, &edited->edits);

	edited_put(edited, edited->unit->text + edited->copied, start - edited->copied);
	*edit = (struct edit){ .start = start, .end = end, .new_start = edited->len };
	edited_put(edited, text, strlen(text));
	edit->new_end = edited->len;
	edited->copied = end;
}

/* A byte of libclang's text, in the unit's. */
static size_t on_offset(const void *userdata, size_t offset)
{
	const struct edited *edited = userdata;
	size_t low = 0, high = edited->edits.n;
	const struct edit *edit;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (edited->edits.items[middle].new_start <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	/* The shim is the first edit: nothing is before it. */
	edit = &edited->edits.items[low - 1];
	if (offset < edit->new_end)
		return edit->start;
	offset = edit->end + (offset - edit->new_end);
	return offset < edited->unit->len ? offset : edited->unit->len;
}

static bool has(const struct unit *unit, const char *word)
{
	return memmem(unit->text, unit->len, word, strlen(word)) != NULL;
}

static const char *shim_make(const struct unit *unit, struct cell_arena *arena)
{
	/* With clang's own headers these are typedefs. */
	if (has(unit, "typedef float _Float32;"))
		return "";
	return memory_check(cell_arena_printf(arena, "%s%s", shim,
					      has(unit, "#define __SIZEOF_FLOAT128__") ||
							      !unit->scan.has_directives
						      ? shim_float128
						      : shim_no_float128));
}

/* gcc takes no [[…]] there. */
static bool is_after_specifier(const struct unit *unit, const struct attribute *attribute)
{
	size_t end = attribute->before_start + 1;

	return attribute->before == ')' && declare_specifier(unit, end) != end;
}

/* Attributes that clang is not to see: they apply to nothing, or will be refused. */
static bool is_left_out(const struct unit *unit, const struct attribute *attribute)
{
	return attribute->is_bare ||
	       (!attribute->is_in_macro &&
		(attribute->is_after_tag || is_after_specifier(unit, attribute)));
}

/*
 * Behind a function's parameters or an array's brackets an attribute is one of the type, and
 * newer clangs refuse annotations there; those in GNU's spelling are of the declaration.
 */
static bool is_of_type(const struct attribute *attribute)
{
	return !attribute->is_in_macro &&
	       (attribute->before == ')' || attribute->before == ']');
}

static void list_replace(struct edited *edited, size_t first, size_t end)
{
	const struct attribute *all = edited->unit->scan.attributes;
	bool is_gnu = is_of_type(&all[first]);
	char text[64];

	if (all[first].is_bare && all[end - 1].start == all[first].list_start) {
		edited_replace(edited, all[first].list_start, all[first].list_end, " ");
		return;
	}
	if (all[first].is_call)
		edited_replace(edited, all[first].list_start, all[first].list_open, "[[");
	for (size_t i = first; i < end; i++) {
		snprintf(text, sizeof text, "clang::annotate(\"cell:%zu\")", i);
		edited_replace(edited, all[i].item_start, all[i].item_end,
			       is_gnu || is_left_out(edited->unit, &all[i]) ? "" : text);
	}
	if (all[first].is_call)
		edited_replace(edited, all[first].list_close, all[first].list_end, "]]");
	for (size_t i = first; i < end && is_gnu; i++) {
		snprintf(text, sizeof text, " __attribute__((annotate(\"cell:%zu\")))", i);
		if (!is_left_out(edited->unit, &all[i]))
			edited_replace(edited, all[i].list_end, all[i].list_end, text);
	}
}

static void edited_make(struct edited *edited, const struct unit *unit,
			struct cell_arena *arena)
{
	const struct scan *scan = &unit->scan;
	const char *first = shim_make(unit, arena);

	edited->arena = arena;
	edited->unit = unit;
	edited->text =
		memory_new(arena, unit->len + strlen(first) + scan->n_attributes * 128 + 1,
			   1);
	edited_replace(edited, 0, 0, first);
	for (size_t i = 0, end; i < scan->n_attributes; i = end) {
		for (end = i + 1;
		     end < scan->n_attributes &&
		     scan->attributes[end].list_start == scan->attributes[i].list_start;)
			end++;
		list_replace(edited, i, end);
	}
	edited_put(edited, unit->text + edited->copied, unit->len - edited->copied);
	edited->text[edited->len] = '\0';
}

/* --- libclang's command line ---------------------------------------------------------------
 */

/* What every libclang calls it. */
static const char *standard_name(const struct unit *unit, const char *standard)
{
	static const char *const names[][2] = {
		{ "gnu23", "gnu2x" }, { "c23", "c2x" },          { "gnu2y", "gnu2x" },
		{ "c2y", "c2x" },     { "iso9899:2024", "c2x" },
	};

	/* C23 before it was done, as in gcc 12 and 13: bool is no keyword yet, and K&R
	 * functions are C. */
	if (has(unit, "#define __STDC_VERSION__ 202000L"))
		return "gnu17";
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(standard, names[i][0]) == 0)
			return names[i][1];
	return standard;
}

static const char *const *arguments_make(const struct unit *unit,
					 const struct unit_options *options,
					 struct cell_arena *arena)
{
	static const char *const fixed[] = { "-x", "c", "-Wno-everything",
					     "-ferror-limit=0" };
	VECTOR(const char *) all = { 0 };

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		*VECTOR_ADD(arena, &all) = fixed[i];
	*VECTOR_ADD(arena, &all) = memory_check(
		cell_arena_printf(arena, "-std=%s",
				  options->standard ? standard_name(unit, options->standard)
						    : "gnu17"));
	/* gcc's text has the macros that it knows by itself, and no #if any more. */
	if (has(unit, "#define __STDC__ ") || !unit->scan.has_directives)
		*VECTOR_ADD(arena, &all) = "-undef";
	for (const char *const *flag = options->target_flags; flag && *flag; flag++)
		*VECTOR_ADD(arena, &all) = *flag;
	*VECTOR_ADD(arena, &all) = NULL;
	return all.items;
}

/* --- attributes that nothing can be made of ------------------------------------------------
 */

/* The word at byte AT of the text: an identifier, or "". */
static const char *word_at(const struct unit *unit, size_t at, struct cell_arena *arena)
{
	struct lexer lexer;
	struct token token;

	lex_init(&lexer, unit->text, unit->len, at);
	if (lex_next(&lexer, &token) != TOKEN_IDENTIFIER)
		return "";
	return lex_text(&lexer, &token, arena);
}

/* "struct [[db::table]] account {", for the struct whose keyword is at AT. */
static const char *placement_show(const struct unit *unit, const struct attribute *attribute,
				  size_t at, struct cell_arena *arena)
{
	size_t start = attribute->item_start, len = attribute->item_end - start;
	struct lexer lexer;
	struct token keyword, name, after;
	bool is_short = len <= 48 && !memchr(unit->text + start, '\n', len);
	const char *shown = unit->text + start;

	lex_init(&lexer, unit->text, unit->len, at);
	lex_next(&lexer, &keyword);
	lex_next(&lexer, &name);
	after = name;
	if (name.kind == TOKEN_IDENTIFIER)
		lex_next(&lexer, &after);
	if (!is_short) {
		shown = memory_check(cell_arena_printf(arena, "%s::%s(...)", attribute->ns,
						       attribute->name));
		len = strlen(shown);
	}
	return memory_check(cell_arena_printf(
		arena, "%s [[%.*s]]%s%s%s", lex_text(&lexer, &keyword, arena), (int)len,
		shown, name.kind == TOKEN_IDENTIFIER ? " " : "",
		name.kind == TOKEN_IDENTIFIER ? lex_text(&lexer, &name, arena) : "",
		after.kind == TOKEN_PUNCTUATOR && after.punctuator == '{' ? " {" : ";"));
}

static bool is_tag_word(const char *word)
{
	return strcmp(word, "struct") == 0 || strcmp(word, "union") == 0 ||
	       strcmp(word, "enum") == 0;
}

/* The keyword of the struct whose closing brace is at byte CLOSE; LEN if it is not found. */
static size_t tag_keyword(const struct unit *unit, size_t close)
{
	VECTOR(size_t) open = { 0 };
	size_t keyword = unit->len, found = unit->len;
	struct cell_arena arena;
	struct lexer lexer;
	struct token token;

	cell_arena_init(&arena, 0);
	lex_init(&lexer, unit->text, unit->len, 0);
	while (lex_next(&lexer, &token) != TOKEN_END && token.start < close) {
		if (token.kind == TOKEN_PUNCTUATOR && token.punctuator == '#' &&
		    token.is_first) {
			lexer.in_directive = true;
			lex_skip_line(&lexer);
		} else if (lex_is(&lexer, &token, "struct") ||
			   lex_is(&lexer, &token, "union") ||
			   lex_is(&lexer, &token, "enum")) {
			keyword = token.start;
		} else if (token.kind == TOKEN_PUNCTUATOR && token.punctuator == '{') {
			*VECTOR_ADD(&arena, &open) = keyword;
		} else if (token.kind == TOKEN_PUNCTUATOR && token.punctuator == '}' &&
			   open.n) {
			open.n--;
		}
	}
	if (open.n)
		found = open.items[open.n - 1];
	cell_arena_deinit(&arena);
	return found;
}

static void refuse(const struct declare_context *context, const struct attribute *attribute,
		   struct diag *diag, const char *text)
{
	struct place place = lines_place(&context->unit->scan.lines, attribute->list_start,
					 attribute->list_end);

	diag_say(diag, SEVERITY_ERROR, &place, attribute->ns, "[[%s::%s]] %s", attribute->ns,
		 attribute->name, text);
}

static void advise(const struct declare_context *context, const struct attribute *attribute,
		   struct diag *diag, const char *text, const char *what)
{
	struct place place = lines_place(&context->unit->scan.lines, attribute->list_start,
					 attribute->list_end);

	diag_say(diag, SEVERITY_NOTE, &place, NULL, "%s%s", text, what);
}

/* The function whose body byte AT is in; NULL if it is in none. */
static const struct clang_declaration *function_around(const struct declare_context *context,
						       const struct clang_tree *tree,
						       size_t at)
{
	const struct clang_declaration *last = NULL;
	struct declaration bytes = { 0 };

	for (size_t i = 0; i < tree->n_declarations; i++)
		if (context->offset(context->userdata, tree->declarations[i].start) <= at)
			last = &tree->declarations[i];
	if (!last || declare_place(context, last) != MACRO_PLACE_FUNCTION)
		return NULL;
	declare_bytes(context, last, &bytes);
	return bytes.open && bytes.open < at && at < bytes.close ? last : NULL;
}

static void misplaced_say(const struct declare_context *context,
			  const struct clang_tree *tree, const struct attribute *attribute,
			  struct diag *diag)
{
	const struct unit *unit = context->unit;
	struct cell_arena *arena = context->arena;
	const char *after = word_at(unit, attribute->after_start, arena), *before;
	const struct clang_declaration *function;

	if (attribute->is_in_macro) {
		refuse(context, attribute, diag,
		       "applies to nothing where this macro is used");
		return;
	}
	if (attribute->is_after_tag) {
		size_t keyword = tag_keyword(unit, attribute->before_start);

		refuse(context, attribute, diag,
		       "behind the closing brace applies to nothing here");
		if (keyword < unit->len)
			advise(context, attribute, diag,
			       "write: ", placement_show(unit, attribute, keyword, arena));
		return;
	}
	function = function_around(context, tree, attribute->list_start);
	if (function) {
		refuse(context, attribute, diag,
		       memory_check(cell_arena_printf(arena,
						      "stands inside the function '%s'",
						      function->name)));
		advise(context, attribute, diag, "put it on a declaration at file scope", "");
		return;
	}
	if (is_after_specifier(unit, attribute)) {
		refuse(context, attribute, diag, "applies to nothing here");
		advise(context, attribute, diag, "put it before '__attribute__'", "");
		return;
	}
	if (is_tag_word(after)) {
		refuse(context, attribute, diag,
		       memory_check(cell_arena_printf(arena,
						      "before '%s' applies to nothing here",
						      after)));
		advise(context, attribute, diag, "write: ",
		       placement_show(unit, attribute, attribute->after_start, arena));
		return;
	}
	before = attribute->before == UINT32_MAX
			 ? word_at(unit, attribute->before_start, arena)
			 : "";
	refuse(context, attribute, diag, "applies to nothing here");
	if (before[0])
		advise(context, attribute, diag, "put it before ",
		       memory_check(cell_arena_printf(arena, "'%s'", before)));
	else
		advise(context, attribute, diag,
		       "attributes stand before a declaration, 'static' and __attribute__, after "
		       "the word struct, union or enum, and after the name of an enumerator",
		       "");
}

/* --- the declarations
 * ----------------------------------------------------------------------- */

struct filler {
	struct declare_context context;
	struct unit *unit;
	const struct clang_tree *tree;
	struct cell_arena *arena;
	struct diag *diag;
	bool *is_attached; /* by attribute */
	VECTOR(struct declaration) declarations;
};

/* Takes note of the marks that are SOURCE's own; returns how many there are. */
static size_t marks_take(struct filler *filler, const struct clang_declaration *source,
			 size_t start, int depth)
{
	size_t n = 0;

	for (size_t i = 0; i < source->n_marks; i++)
		if (source->marks[i].attribute < filler->unit->scan.n_attributes &&
		    declare_is_own(&filler->context, &source->marks[i], start)) {
			filler->is_attached[source->marks[i].attribute] = true;
			n++;
		}
	for (size_t i = 0; i < source->n_parts; i++) {
		const struct clang_declaration *part = &source->parts[i];

		n += marks_take(filler, part, start, depth + 1);
		/* Also those in structs that are defined right here. */
		if (part->place == MACRO_PLACE_MEMBER && part->type &&
		    part->type->definition && depth < 16 &&
		    part->type->definition->start >= source->start &&
		    part->type->definition->end <= source->end)
			n += marks_take(filler, part->type->definition, start, depth + 1);
	}
	return n;
}

/* [[db::table]] struct account {…}; where clang knows better than gcc what is meant. */
static bool is_before_tag(const struct filler *filler, const struct clang_declaration *source)
{
	size_t keyword = on_offset(filler->context.userdata, source->start);
	bool is_wrong = false;

	if (source->place != MACRO_PLACE_STRUCT && source->place != MACRO_PLACE_UNION &&
	    source->place != MACRO_PLACE_ENUM)
		return false;
	for (size_t i = 0; i < source->n_marks; i++) {
		const struct attribute *attribute =
			&filler->unit->scan.attributes[source->marks[i].attribute];

		if (attribute->is_in_macro || attribute->list_start >= keyword ||
		    !declare_is_own(&filler->context, &source->marks[i], keyword))
			continue;
		misplaced_say(&filler->context, filler->tree, attribute, filler->diag);
		is_wrong = true;
	}
	return is_wrong;
}

static bool is_of_attribute(const struct scan *scan, size_t at)
{
	for (size_t i = 0; i < scan->n_attributes; i++)
		if (at >= scan->attributes[i].list_start && at < scan->attributes[i].list_end)
			return true;
	return false;
}

/* What clang finds wrong in an annotated declaration, but not what it thinks of annotations.
 */
static void errors_say(struct filler *filler, const struct declaration *declaration)
{
	size_t end = declaration->open && declaration->request.declaration->place ==
						  MACRO_PLACE_FUNCTION
			     ? declaration->open
			     : declaration->end;

	for (size_t i = 0; i < filler->tree->n_errors; i++) {
		size_t at = on_offset(filler->context.userdata, filler->tree->errors[i].at);
		struct place place;

		if (at < declaration->start || at >= end ||
		    is_of_attribute(&filler->unit->scan, at))
			continue;
		place = lines_place(&filler->unit->scan.lines, at, 0);
		diag_say(filler->diag, SEVERITY_ERROR, &place, NULL, "%s",
			 filler->tree->errors[i].text);
	}
}

static void declarations_fill(struct filler *filler)
{
	const struct clang_tree *tree = filler->tree;

	for (size_t i = 0; i < tree->n_declarations; i++) {
		const struct clang_declaration *source = &tree->declarations[i];
		struct declaration *one;
		size_t start = on_offset(filler->context.userdata, source->start);

		if (!marks_take(filler, source, start, 0) || is_before_tag(filler, source))
			continue;
		one = VECTOR_ADD(filler->arena, &filler->declarations);
		declare_make(&filler->context, source, one);
		errors_say(filler, one);
	}
}

static void bare_fill(struct filler *filler)
{
	const struct attribute *all = filler->unit->scan.attributes;
	size_t n = filler->unit->scan.n_attributes;

	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && all[end].list_start == all[i].list_start;)
			end++;
		if (!all[i].is_bare || all[i].is_in_macro)
			continue;
		for (size_t k = i; k < end; k++)
			filler->is_attached[k] = true;
		declare_bare(&filler->context, &all[i], end - i,
			     VECTOR_ADD(filler->arena, &filler->declarations));
	}
}

static bool is_skipped(const struct filler *filler, const struct attribute *attribute)
{
	for (size_t i = 0; i < filler->tree->n_skipped; i++)
		if (on_offset(filler->context.userdata, filler->tree->skipped[i].start) <
			    attribute->list_start &&
		    on_offset(filler->context.userdata, filler->tree->skipped[i].end) >=
			    attribute->list_end)
			return true;
	return false;
}

static int by_start(const void *a, const void *b)
{
	const struct declaration *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

static void names_fill(struct filler *filler)
{
	const struct clang_tree *tree = filler->tree;
	struct unit *unit = filler->unit;

	unit->names = memory_new(filler->arena, tree->n_declarations, sizeof *unit->names);
	for (size_t i = 0; i < tree->n_declarations; i++) {
		const struct clang_declaration *source = &tree->declarations[i];
		bool is_tag = source->place == MACRO_PLACE_STRUCT ||
			      source->place == MACRO_PLACE_UNION ||
			      source->place == MACRO_PLACE_ENUM;
		size_t at = on_offset(filler->context.userdata, source->name_at);
		size_t len = strlen(source->name);

		/* typedef struct {} T: libclang calls the struct T, too. */
		if (!len || (is_tag && (unit->len - at < len ||
					memcmp(unit->text + at, source->name, len) != 0)))
			continue;
		unit->names[unit->n_names++] = (struct unit_name){
			.name = source->name,
			.is_tag = is_tag,
			.at = lines_place(&unit->scan.lines, at, at + len),
		};
	}
}

int unit_parse(struct unit *unit, const struct unit_options *options,
	       struct cell_arena *arena, struct diag *diag, struct cell_error *err)
{
	struct edited edited = { 0 };
	struct clang_options clang = { .libclang = options->libclang };
	struct clang_tree tree;
	struct filler filler = { .unit = unit, .arena = arena, .diag = diag, .tree = &tree };
	size_t errors = diag_errors(diag);
	int r;

	unit->declarations = NULL;
	unit->n_declarations = 0;
	unit->names = NULL;
	unit->n_names = 0;
	if (!unit->scan.n_attributes)
		return 0;
	edited_make(&edited, unit, arena);
	clang.arguments = arguments_make(unit, options, arena);
	for (size_t i = 0; i < unit->scan.n_attributes; i++)
		clang.wants_skipped |= unit->scan.attributes[i].is_conditional;
	r = clang_parse(&tree, edited.text, edited.len, &clang, arena, err);
	if (r == -EINVAL) {
		diag_say(diag, SEVERITY_ERROR, NULL, NULL, "%s: %s", options->main_file,
			 err->text);
		return r;
	}
	if (r < 0)
		return r;

	filler.context = (struct declare_context){ .unit = unit,
						   .offset = on_offset,
						   .userdata = &edited,
						   .target = tree.target,
						   .arena = arena };
	filler.is_attached = memory_new(arena, unit->scan.n_attributes, sizeof(bool));
	declarations_fill(&filler);
	bare_fill(&filler);
	for (size_t i = 0; i < unit->scan.n_attributes; i++)
		if (!filler.is_attached[i] && !is_skipped(&filler, &unit->scan.attributes[i]))
			misplaced_say(&filler.context, &tree, &unit->scan.attributes[i],
				      diag);
	names_fill(&filler);
	if (filler.declarations.n)
		qsort(filler.declarations.items, filler.declarations.n,
		      sizeof *filler.declarations.items, by_start);
	unit->declarations = filler.declarations.items;
	unit->n_declarations = filler.declarations.n;
	return diag_errors(diag) > errors ? -EINVAL : 0;
}
