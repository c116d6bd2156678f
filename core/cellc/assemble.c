#include "assemble.h"

#include "key.h"
#include "writer.h"

#include <cell/cell.h>
#include <string.h>

/* ---- places
 * --------------------------------------------------------------------------------- */

static const char *line_end(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline : end;
}

/* The file that a line marker "# 12 "x.h" 1 3" names, or false. */
static bool read_marker(const char *at, const char *end, const char **ret_file,
			size_t *ret_len)
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
				is_main =
					len == main_len && memcmp(file, main_file, len) == 0;
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

/* ---- insertions
 * ------------------------------------------------------------------------------ */

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
		*must_add(a->arena, a->files, a->n_files) =
			(struct assembly_file){ path, text };
	insert(a, at, path, text);
}

/*
 * The words of the declaration before its body or semicolon, on one line, with NAME instead
 * of its own.
 */
static const char *head(const struct assembly *a, const struct prepared *prepared,
			const char *name)
{
	const struct declaration *d = prepared->declaration;
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
		if (i == d->name) {
			writer_put(&out, "%s", name);
			i += strlen(prepared->request.declaration->name);
			blank = false;
			continue;
		}
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
	case MACRO_ANCHOR_END: return a->unit->len;
	default: return d->end;
	}
}

static void add_unit(struct assembly *a, const char *path, const char *text)
{
	*must_add(a->arena, a->units, a->n_units) = (struct expansion_unit){ path, text };
}

/*
 * A function that is wrapped and no handler: its own name means the outermost wrapper, so it
 * is declared before a body that may call it.
 */
static void rename_function(struct assembly *a, const struct prepared *prepared,
			    const char *new_name, const char *stem)
{
	const struct declaration *d = prepared->declaration;
	const char *name = prepared->request.declaration->name;

	insert_own(a, d->start, stem, "proto",
		   must_printf(a->arena, "%s;\n", head(a, prepared, name)));
	*must_add(a->arena, a->renamings, a->n_renamings) = (struct renaming){
		.at = d->name,
		.start = d->open,
		.end = d->close,
		.name = name,
		.new_name = new_name,
	};
}

/* Instead of the prototype's semicolon, or behind it for a function of another name. */
static void add_body(struct assembly *a, const struct prepared *prepared,
		     const struct macro_piece *piece, const char *path, const char *rename,
		     const char *stem)
{
	const struct declaration *d = prepared->declaration;

	if (*rename) {
		insert_own(a, d->end, stem, "head",
			   must_printf(a->arena, "%s\n", head(a, prepared, rename)));
		insert(a, d->end, path, piece->text);
		return;
	}
	insert(a, d->end - 1, path, piece->text);
	a->insertions[a->n_insertions - 1].blank = 1;
}

/* The body and what is around it come before all that may use them; the innermost first. */
static void add_function(struct assembly *a, const struct prepared *prepared,
			 const struct cached *cached, const char *stem)
{
	const struct macro_generated_code *code = &cached->code;

	if (*code->rename && prepared->declaration->open)
		rename_function(a, prepared, code->rename, stem);
	for (size_t i = 0; i < code->n_pieces; i++)
		if (code->pieces[i].anchor == MACRO_ANCHOR_BODY)
			add_body(a, prepared, &code->pieces[i],
				 must_printf(a->arena, "exp/%s", cached->paths[i]),
				 code->rename, stem);
	for (size_t i = 0; i < code->n_pieces; i++)
		if (code->pieces[i].anchor == MACRO_ANCHOR_WRAP)
			insert(a, prepared->declaration->end,
			       must_printf(a->arena, "exp/%s", cached->paths[i]),
			       code->pieces[i].text);
}

/* ---- what the program has to provision when it starts ---------------------------------- */

static const char *provider_of(const struct prepared *prepared, const char *ns)
{
	for (size_t i = 0; i < prepared->n_namespaces; i++)
		if (strcmp(prepared->namespaces[i]->ns, ns) == 0)
			return prepared->namespaces[i]->cell;
	return NULL;
}

/* As a string: octal, as the digits of hexadecimal escapes do not end. */
static void put_bytes(struct writer *out, const uint8_t *bytes, size_t n)
{
	writer_put(out, "(const uint8_t *)\"");
	for (size_t i = 0; i < n; i++)
		writer_put(out, "\\%03o", bytes[i]);
	writer_put(out, "\"");
}

static void put_text(struct writer *out, const char *text)
{
	writer_put(out, "(const char *)");
	put_bytes(out, (const uint8_t *)text, strlen(text));
}

/* The same for the same declaration in all files of a program: one of them is linked. */
static const char *provision_id(const struct macro_declared *declared,
				struct cell_arena *arena)
{
	const char *all = must_printf(arena, "%s %s %s", declared->ns, declared->name,
				      hex_of(arena, declared->digest, declared->n_digest));

	return must_printf(arena, "%.16s", key_hash(all, strlen(all), arena));
}

static bool is_provisioned(const struct assembly *a, const char *id)
{
	for (size_t i = 0; i < a->n_provisioned; i++)
		if (strcmp(a->provisioned[i], id) == 0)
			return true;
	return false;
}

/* Whether the unit has the type of the records: who has not cannot serve anything. */
static bool has_linked(const struct assembly *a)
{
	static const char name[] = "/cell/linked.h\"";

	return memmem(a->unit->text, a->unit->len, name, sizeof name - 1) != NULL;
}

/* A record of cell/linked.h for each declaration: see there. */
static const char *provisions(struct assembly *a, const struct prepared *prepared,
			      const struct macro_generated_code *code)
{
	struct writer out = writer_new(a->arena);

	for (size_t i = 0; i < code->n_declared && has_linked(a); i++) {
		const struct macro_declared *declared = &code->declared[i];
		const char *id = provision_id(declared, a->arena);
		const char *cell = provider_of(prepared, declared->ns);

		if (!cell || declared->n_digest != 32 || is_provisioned(a, id))
			continue;
		*must_add(a->arena, a->provisioned, a->n_provisioned) = id;
		writer_put(
			&out,
			"__attribute__((weak)) const struct cell_provision cell_provision_%s = {\n"
			"\t.linked = { CELL_LINKED_PROVISION, sizeof(struct cell_provision) },\n"
			"\t.ns = ",
			id);
		put_text(&out, declared->ns);
		writer_put(&out, ",\n\t.cell = ");
		put_text(&out, cell);
		writer_put(&out, ",\n\t.name = ");
		put_text(&out, declared->name);
		writer_put(&out, ",\n\t.digest = ");
		put_bytes(&out, declared->digest, declared->n_digest);
		writer_put(&out, ",\n\t.body = ");
		put_bytes(&out, declared->body, declared->n_body);
		writer_put(&out,
			   ",\n\t.body_len = %zu,\n};\n"
			   "static const struct cell_linked *const cell_provision_at_%s\n"
			   "\t__attribute__((used, retain, section(\"cell_linked\"))) = "
			   "&cell_provision_%s.linked;\n",
			   declared->n_body, id, id);
	}
	return out.text;
}

void assemble_add(struct assembly *a, const struct prepared *prepared,
		  const struct cached *cached, const char *key)
{
	const struct declaration *d = prepared->declaration;
	const struct macro_generated_code *code = &cached->code;
	const char *stem =
		cache_stem(prepared->namespaces[0]->ns, prepared->name, key, a->arena);
	bool is_weak = d->is_in_header && !is_emitted(a, prepared->file), said_weak = false;

	add_function(a, prepared, cached, stem);
	for (size_t i = 0; i < code->n_pieces; i++) {
		const struct macro_piece *piece = &code->pieces[i];
		const char *path = must_printf(a->arena, "exp/%s", cached->paths[i]);
		size_t at = anchor_at(a, d, piece->anchor);

		if (piece->anchor == MACRO_ANCHOR_WRAP || piece->anchor == MACRO_ANCHOR_BODY)
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
	}
	insert_own(a, a->unit->len, stem, "provision", provisions(a, prepared, code));
	insert_own(a, a->unit->len, stem, "layout",
		   assemble_layout(&prepared->request, a->grown, a->n_grown, a->arena));
}

/* ---- layout
 * ---------------------------------------------------------------------------------- */

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
			is_grown[i] =
				is_grown[i] || strcmp(request->types[i].tag, grown[k]) == 0;
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
				   (unsigned long long)(member->offset_bits / 8),
				   member->name, name);
	}
}

const char *assemble_layout(const struct macro_plan_request *request,
			    const char *const *grown, size_t n_grown,
			    struct cell_arena *arena)
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
