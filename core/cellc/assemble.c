#include "assemble.h"

#include "writer.h"

#include <cell/cell.h>
#include <string.h>

/* ---- wrappers ------------------------------------------------------------------------------ */

#define NEXT "$next$"

static const char *body_name(const char *function, struct cell_arena *arena)
{
	return must_printf(arena, "cell_body_%s", function);
}

static const char *with_next(const char *text, const char *next, struct cell_arena *arena)
{
	struct writer out = writer_new(arena);
	const char *at;

	while ((at = strstr(text, NEXT))) {
		writer_add(&out, text, (size_t)(at - text));
		writer_add(&out, next, strlen(next));
		text = at + strlen(NEXT);
	}
	writer_add(&out, text, strlen(text));
	return out.text;
}

/* Wrappers to the end, outermost first; those of one phase stay as the macro cell ordered them. */
static void sort_pieces(struct macro_piece *pieces, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0; k--) {
			struct macro_piece *a = &pieces[k - 1], *b = &pieces[k], swap = *a;
			bool a_wraps = a->anchor == MACRO_ANCHOR_WRAP;
			bool b_wraps = b->anchor == MACRO_ANCHOR_WRAP;

			if (!a_wraps || (b_wraps && a->phase <= b->phase))
				break;
			*a = *b;
			*b = swap;
		}
}

static const char *whole_lines(const char *text, struct cell_arena *arena)
{
	size_t len = strlen(text);

	return len == 0 || text[len - 1] == '\n' ? text : must_printf(arena, "%s\n", text);
}

void assemble_wraps(struct macro_generated_code *code, const struct macro_declaration *declaration,
		    struct cell_arena *arena)
{
	struct macro_piece *pieces = must_new(arena, struct macro_piece, code->n_pieces);
	const char *next;
	size_t first = 0;

	if (code->n_pieces)
		memcpy(pieces, code->pieces, code->n_pieces * sizeof *pieces);
	for (size_t i = 0; i < code->n_pieces; i++)
		pieces[i].text = whole_lines(pieces[i].text, arena);
	sort_pieces(pieces, code->n_pieces);
	code->pieces = pieces;
	while (first < code->n_pieces && pieces[first].anchor != MACRO_ANCHOR_WRAP)
		first++;
	if (first == code->n_pieces)
		return;
	next = pieces[first].phase == MACRO_PHASE_ENTRY ? declaration->name
							: body_name(declaration->name, arena);
	for (size_t i = code->n_pieces; i-- > first;) {
		pieces[i].text = with_next(pieces[i].text, next, arena);
		next = pieces[i].symbol;
	}
}

/* ---- places --------------------------------------------------------------------------------- */

static const char *line_end(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline : end;
}

/* The file that a line marker "# 12 "x.h" 1 3" names, or false. */
static bool read_marker(const char *at, const char *end, const char **ret_file, size_t *ret_len)
{
	const char *quote, *close;

	if (at + 2 >= end || at[0] != '#' || at[1] != ' ' || at[2] < '0' || at[2] > '9')
		return false;
	quote = memchr(at, '"', (size_t)(end - at));
	if (!quote)
		return false;
	for (close = quote + 1; close < end && *close != '"'; close++)
		close += *close == '\\' && close + 1 < end;
	*ret_file = quote + 1;
	*ret_len = (size_t)(close - quote - 1);
	return true;
}

/* Behind blanks and comments that begin at AT. */
static const char *skip_nothing(const char *at, const char *end)
{
	for (;;) {
		while (at < end && strchr(" \t\f\v\r", *at))
			at++;
		if (end - at >= 2 && at[0] == '/' && at[1] == '*') {
			const char *close = memmem(at + 2, (size_t)(end - at - 2), "*/", 2);

			at = close ? close + 2 : end;
		} else if (end - at >= 2 && at[0] == '/' && at[1] == '/') {
			at = line_end(at, end);
		} else {
			return at;
		}
	}
}

/* A directive with its continuation lines. */
static const char *skip_directive(const char *at, const char *end)
{
	for (;;) {
		const char *newline = line_end(at, end);

		if (newline == end || newline == at || newline[-1] != '\\')
			return newline;
		at = newline + 1;
	}
}

size_t assemble_top(const struct unit *unit, const char *main_file)
{
	const char *at = unit->text, *end = at + unit->len, *file;
	size_t len, main_len = strlen(main_file);
	bool is_main = true;

	while (at < end) {
		const char *newline = line_end(at, end), *start = at;

		if (*at == '#') {
			if (read_marker(at, newline, &file, &len))
				is_main = len == main_len && memcmp(file, main_file, len) == 0;
			at = skip_directive(at, end);
		} else if (is_main) {
			at = skip_nothing(at, end);
			if (at < end && *at == '#')
				at = skip_directive(at, end);
			else if (at < end && *at != '\n')
				return (size_t)(start - unit->text);
		} else {
			at = newline;
		}
		at += at < end;
	}
	return unit->len;
}

/* ---- insertions ------------------------------------------------------------------------------ */

static void insert(struct assembly *a, size_t at, const char *path, const char *text)
{
	*must_add(a->arena, a->insertions, a->n_insertions) = (struct insertion){
		.at = at,
		.text = text,
		.file = must_printf(a->arena, "%s%s", a->prefix, path),
		.order = (unsigned)a->n_insertions,
	};
}

/* Text of cellc's own, which is no provider's. */
static void insert_own(struct assembly *a, size_t at, const char *stem, const char *word,
		       const char *text)
{
	const char *path = must_printf(a->arena, "exp/%s.%s.c", stem, word);

	if (!*text)
		return;
	if (!a->is_forgotten)
		*must_add(a->arena, a->files, a->n_files) = (struct assembly_file){ path, text };
	insert(a, at, path, text);
}

/* The words of the declaration before its body or semicolon, on one line. */
static const char *head(const struct assembly *a, const struct declaration *d)
{
	size_t end = d->open ? d->open : d->end;
	const char *text = a->unit->text;
	struct writer out = writer_new(a->arena);
	bool blank = true;

	for (size_t i = d->start; i < end;) {
		const char *next;
		bool is_ours = false;

		for (size_t k = 0; k < a->unit->scan.n_attributes && !is_ours; k++) {
			const struct attribute *attribute = &a->unit->scan.attributes[k];

			if (attribute->list_start <= i && i < attribute->list_end) {
				i = attribute->list_end;
				is_ours = true;
			}
		}
		if (is_ours)
			continue;
		next = skip_nothing(text + i, text + end);
		if (next == text + i && text[i] != '\n' && text[i] != ';') {
			writer_add(&out, text + i, 1);
			blank = false;
			i++;
			continue;
		}
		if (!blank)
			writer_put(&out, " ");
		blank = true;
		i = next == text + i ? i + 1 : (size_t)(next - text);
		/* A line marker within it. */
		if (i < end && text[i - 1] == '\n' && text[i] == '#')
			i = (size_t)(skip_directive(text + i, text + end) - text);
	}
	while (out.len && out.text[out.len - 1] == ' ')
		out.text[--out.len] = 0;
	return out.text;
}

static bool is_emitted(const struct assembly *a, const char *file)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	char *name = must_printf(a->arena, "%s", *base == '<' ? base + 1 : base);

	for (char *c = name; *c; c++)
		if (*c == '>')
			*c = 0;
		else if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			   (*c >= '0' && *c <= '9')))
			*c = '_';
	for (size_t i = 0; i < a->n_emitted; i++)
		if (strcmp(a->emitted[i], name) == 0)
			return true;
	return false;
}

/* Everyone who includes the header defines it: the linker takes one. */
static const char *weak_text(const struct assembly *a, const struct cached *cached)
{
	struct writer out = writer_new(a->arena);

	for (size_t i = 0; i < cached->plan.n_symbols; i++) {
		const struct macro_planned_symbol *symbol = &cached->plan.symbols[i];

		if (symbol->piece == MACRO_PIECE_KIND_ONCE && !symbol->is_type)
			writer_put(&out, "#pragma weak %s\n", symbol->name);
	}
	return out.text;
}

static size_t anchor_at(const struct assembly *a, const struct declaration *d,
			enum macro_anchor anchor)
{
	switch (anchor) {
	case MACRO_ANCHOR_BEFORE: return d->start;
	case MACRO_ANCHOR_TOP: return a->top;
	case MACRO_ANCHOR_STRUCT_END: return d->close;
	case MACRO_ANCHOR_BODY: return d->end - 1;
	case MACRO_ANCHOR_END: return a->unit->len;
	default: return d->end;
	}
}

static void add_unit(struct assembly *a, const char *path, const char *text)
{
	*must_add(a->arena, a->units, a->n_units) = (struct expansion_unit){ path, text };
}

/* A function that is wrapped and no handler: its body gets another name, and its own name
 * means the outermost wrapper. */
static void rename_body(struct assembly *a, const struct prepared *prepared,
			const struct macro_piece *outermost, const char *stem)
{
	const struct declaration *d = prepared->declaration;
	const char *name = prepared->request.declaration->name;

	insert_own(a, d->start, stem, "proto", must_printf(a->arena, "%s;\n", head(a, d)));
	*must_add(a->arena, a->renamings, a->n_renamings) = (struct renaming){
		.at = d->name, .start = d->open, .end = d->close, .name = name,
		.new_name = body_name(name, a->arena),
	};
	insert_own(a, d->end, stem, "alias",
		   must_printf(a->arena,
			       "%s__typeof__(%s) %s __attribute__((alias(\"%s\")));\n",
			       prepared->request.declaration->is_static ? "static " : "extern ",
			       outermost->symbol, name, outermost->symbol));
}

static void add_wraps(struct assembly *a, const struct prepared *prepared,
		      const struct cached *cached, const char *stem)
{
	const struct macro_generated_code *code = &cached->code;
	const struct macro_piece *outermost = NULL;

	for (size_t i = code->n_pieces; i-- > 0;) {
		if (code->pieces[i].anchor != MACRO_ANCHOR_WRAP)
			continue;
		outermost = &code->pieces[i];
		insert(a, prepared->declaration->end,
		       must_printf(a->arena, "exp/%s", cached->paths[i]), outermost->text);
	}
	if (outermost && outermost->phase != MACRO_PHASE_ENTRY)
		rename_body(a, prepared, outermost, stem);
}

void assemble_add(struct assembly *a, const struct prepared *prepared,
		  const struct cached *cached, const char *key)
{
	const struct declaration *d = prepared->declaration;
	const struct macro_generated_code *code = &cached->code;
	const char *stem = cache_stem(prepared->namespaces[0]->ns, prepared->name, key, a->arena);
	bool is_weak = d->is_in_header && !is_emitted(a, prepared->file), said_weak = false;

	add_wraps(a, prepared, cached, stem);
	for (size_t i = 0; i < code->n_pieces; i++) {
		const struct macro_piece *piece = &code->pieces[i];
		const char *path = must_printf(a->arena, "exp/%s", cached->paths[i]);
		size_t at = anchor_at(a, d, piece->anchor);

		if (piece->anchor == MACRO_ANCHOR_WRAP)
			continue;
		if (piece->kind == MACRO_PIECE_KIND_UNIT) {
			add_unit(a, path, piece->text);
			continue;
		}
		if (piece->kind == MACRO_PIECE_KIND_ONCE && is_weak && !said_weak) {
			insert_own(a, at, stem, "weak", weak_text(a, cached));
			said_weak = true;
		}
		insert(a, at, path, piece->text);
		/* The body stands instead of the prototype's semicolon. */
		if (piece->anchor == MACRO_ANCHOR_BODY)
			a->insertions[a->n_insertions - 1].blank = 1;
	}
	insert_own(a, a->unit->len, stem, "layout",
		   assemble_layout(&prepared->request, a->grown, a->n_grown, a->arena));
}

/* ---- layout ---------------------------------------------------------------------------------- */

/* "struct account", or the typedef of one without a tag; NULL if it has no name at all. */
static const char *type_name(const struct macro_plan_request *request, size_t index,
			     struct cell_arena *arena)
{
	const struct macro_type *type = &request->types[index];

	if (*type->tag)
		return must_printf(arena, "%s %s",
				   type->kind == MACRO_TYPE_KIND_UNION  ? "union"
				   : type->kind == MACRO_TYPE_KIND_ENUM ? "enum"
									: "struct",
				   type->tag);
	for (size_t i = 0; i < request->n_types; i++)
		if (request->types[i].kind == MACRO_TYPE_KIND_TYPEDEF &&
		    request->types[i].element == index + 1 && *request->types[i].tag)
			return request->types[i].tag;
	return NULL;
}

static bool is_compound(const struct macro_type *type)
{
	return type->kind == MACRO_TYPE_KIND_STRUCT || type->kind == MACRO_TYPE_KIND_UNION;
}

/* Which types have one of the grown structs in them: a few rounds settle it. */
static bool *find_grown(const struct macro_plan_request *request, const char *const *grown,
			size_t n_grown, struct cell_arena *arena)
{
	bool *is_grown = must_new(arena, bool, request->n_types);
	bool changed = true;

	for (size_t i = 0; i < request->n_types; i++)
		for (size_t k = 0; k < n_grown && is_compound(&request->types[i]); k++)
			is_grown[i] = is_grown[i] || strcmp(request->types[i].tag, grown[k]) == 0;
	while (changed) {
		changed = false;
		for (size_t i = 0; i < request->n_types; i++) {
			const struct macro_type *type = &request->types[i];
			bool now = is_grown[i];

			for (size_t k = 0; k < type->n_members && !now; k++)
				now = type->members[k].type > 0 &&
				      type->members[k].type <= request->n_types &&
				      is_grown[type->members[k].type - 1];
			if ((type->kind == MACRO_TYPE_KIND_TYPEDEF ||
			     type->kind == MACRO_TYPE_KIND_ARRAY) &&
			    type->element > 0 && type->element <= request->n_types)
				now = now || is_grown[type->element - 1];
			changed = changed || now != is_grown[i];
			is_grown[i] = now;
		}
	}
	return is_grown;
}

static void put_layout(struct writer *out, const struct macro_type *type, const char *name)
{
	writer_put(out,
		  "_Static_assert(sizeof(%s) == %llu && _Alignof(%s) == %u, "
		  "\"the compiler and cellc disagree on %s\");\n",
		  name, (unsigned long long)type->size, name, type->align, name);
	for (size_t i = 0; i < type->n_members; i++) {
		const struct macro_member *member = &type->members[i];

		if (*member->name && !member->bits && member->offset_bits % 8 == 0)
			writer_put(out,
				  "_Static_assert(__builtin_offsetof(%s, %s) == %llu, "
				  "\"the compiler and cellc disagree on %s in %s\");\n",
				  name, member->name,
				  (unsigned long long)(member->offset_bits / 8), member->name, name);
	}
}

const char *assemble_layout(const struct macro_plan_request *request, const char *const *grown,
			    size_t n_grown, struct cell_arena *arena)
{
	const bool *is_grown = find_grown(request, grown, n_grown, arena);
	struct writer out = writer_new(arena);

	for (size_t i = 0; i < request->n_types; i++) {
		const struct macro_type *type = &request->types[i];
		const char *name = type_name(request, i, arena);

		if (name && type->size > 0 && !is_grown[i] &&
		    (is_compound(type) || type->kind == MACRO_TYPE_KIND_ENUM))
			put_layout(&out, type, name);
	}
	return out.text;
}
