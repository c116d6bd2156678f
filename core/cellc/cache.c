#include "cache.h"

#include "accept.h"
#include "key.h"
#include "writer.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static const char *const anchors[] = { "after", "before", "top", "fields",
				       "body",  "wrap",   "end" };
static const char *const kinds[] = { "decl", "inline", "once", "unit" };

#define N_ANCHORS (sizeof anchors / sizeof anchors[0])
#define N_KINDS   (sizeof kinds / sizeof kinds[0])

/* ---- names ----------------------------------------------------------------------------- */

const char *cache_stem(const char *ns, const char *declaration, const char *key,
		       struct cell_arena *arena)
{
	char *name = must_printf(arena, "%.100s", declaration);

	for (char *c = name; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.",
			    *c))
			*c = '-';
	return must_printf(arena, "%s/%s-%.16s", ns, name, key);
}

/* after: nothing; the rest by its name; once and unit say so. */
static const char *piece_path(const struct macro_piece *piece, const char *stem, unsigned n,
			      struct cell_arena *arena)
{
	struct writer out = writer_new(arena);

	writer_put(&out, "%s", stem);
	if (piece->anchor != MACRO_ANCHOR_AFTER)
		writer_put(&out, ".%s", anchors[piece->anchor]);
	if (piece->anchor == MACRO_ANCHOR_WRAP)
		writer_put(&out, ".%s", piece->symbol);
	if (piece->kind >= MACRO_PIECE_KIND_ONCE)
		writer_put(&out, ".%s", kinds[piece->kind]);
	if (n)
		writer_put(&out, ".%u", n + 1);
	writer_put(&out, ".c");
	return out.text;
}

static bool is_taken(const struct cached *cached, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(cached->paths[i], path) == 0)
			return true;
	return false;
}

void cache_make(struct cached *ret, const struct macro_plan *plan,
		const struct macro_generated_code *code, const char *declaration,
		const char *key, struct cell_arena *arena)
{
	*ret = (struct cached){ .plan = *plan, .code = *code };
	ret->paths = must_new(arena, const char *, code->n_pieces);
	ret->hashes = must_new(arena, const char *, code->n_pieces);
	for (size_t i = 0; i < code->n_pieces; i++) {
		const struct macro_piece *piece = &code->pieces[i];
		const char *stem = cache_stem(piece->ns, declaration, key, arena);
		unsigned n = 0;

		do
			ret->paths[i] = piece_path(piece, stem, n, arena);
		while (is_taken(ret, i, ret->paths[i]) && ++n);
		ret->hashes[i] = key_hash(piece->text, strlen(piece->text), arena);
	}
}

/* ---- writing ----------------------------------------------------------------------------
 */

static void put_word(struct writer *out, const char *word)
{
	writer_put(out, " ");
	if (*word)
		writer_quote(out, word, "");
	else
		writer_put(out, "%%");
}

static void put_pieces(struct writer *out, const struct cached *cached)
{
	for (size_t i = 0; i < cached->code.n_pieces; i++) {
		const struct macro_piece *piece = &cached->code.pieces[i];

		writer_put(out, "piece %s %s %u %u", anchors[piece->anchor],
			   kinds[piece->kind], piece->attribute, piece->phase);
		put_word(out, piece->symbol);
		put_word(out, piece->ns);
		put_word(out, cached->paths[i]);
		writer_put(out, " blake2b:%s\n", cached->hashes[i]);
		for (size_t k = 0; k < piece->n_sources; k++) {
			const struct macro_line_source *source = &piece->sources[k];

			writer_put(out, "source %u %u %u", source->line, source->attribute,
				   source->value);
			put_word(out, source->member);
			writer_put(out, "\n");
		}
	}
}

static void put_diagnostics(struct writer *out, const struct macro_diagnostic *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		writer_put(out, "warning %u %u", list[i].attribute, list[i].value);
		put_word(out, list[i].member);
		put_word(out, list[i].ns);
		put_word(out, list[i].text);
		for (size_t k = 0; k < list[i].n_notes; k++)
			put_word(out, list[i].notes[k]);
		writer_put(out, "\n");
	}
}

static void put_plan(struct writer *out, const struct macro_plan *plan)
{
	for (size_t i = 0; i < plan->n_fields; i++) {
		writer_put(out, "field %u", plan->fields[i].attribute);
		put_word(out, plan->fields[i].name);
		put_word(out, plan->fields[i].type);
		writer_put(out, "\n");
	}
	for (size_t i = 0; i < plan->n_symbols; i++) {
		const struct macro_planned_symbol *symbol = &plan->symbols[i];

		writer_put(out, "symbol %s %s %u",
			   (unsigned)symbol->piece < N_KINDS ? kinds[symbol->piece]
							     : kinds[0],
			   symbol->is_type ? "tag" : "name", symbol->attribute);
		put_word(out, symbol->name);
		writer_put(out, "\n");
	}
	for (size_t i = 0; i < plan->n_uses; i++) {
		writer_put(out, "use %u", plan->uses[i].attribute);
		put_word(out, plan->uses[i].cell);
		put_word(out, plan->uses[i].channel);
		writer_put(out, "\n");
	}
	for (size_t i = 0; i < plan->n_headers; i++) {
		writer_put(out, "header");
		put_word(out, plan->headers[i]);
		writer_put(out, "\n");
	}
	for (size_t i = 0; i < plan->n_link; i++) {
		writer_put(out, "link");
		put_word(out, plan->link[i]);
		writer_put(out, "\n");
	}
}

const char *cache_text(const struct cached *cached, struct cell_arena *arena)
{
	const struct macro_generated_code *code = &cached->code;
	struct writer out = writer_new(arena);

	writer_put(&out, "cell-expansion 1\n");
	put_plan(&out, &cached->plan);
	if (*code->rename)
		writer_put(&out, "rename %s\n", code->rename);
	put_pieces(&out, cached);
	for (size_t i = 0; i < code->n_declared; i++) {
		const struct macro_declared *declared = &code->declared[i];

		writer_put(&out, "declared %u", declared->attribute);
		put_word(&out, declared->ns);
		put_word(&out, declared->name);
		put_word(&out, hex_of(arena, declared->digest, declared->n_digest));
		put_word(&out, hex_of(arena, declared->body, declared->n_body));
		writer_put(&out, "\n");
	}
	for (size_t i = 0; i < code->n_files; i++) {
		writer_put(&out, "file");
		put_word(&out, code->files[i].path);
		put_word(&out,
			 hex_of(arena, code->files[i].content, code->files[i].n_content));
		writer_put(&out, "\n");
	}
	put_diagnostics(&out, cached->plan.diagnostics, cached->plan.n_diagnostics);
	put_diagnostics(&out, code->diagnostics, code->n_diagnostics);
	return out.text;
}

/* ---- parsing ------------------------------------------------------------------------------
 */

struct parser {
	struct cached *cached;
	struct cell_arena *arena;
	struct cell_error *err;
	const char *path;
	unsigned line;
	bool is_wrong;
	char *rest; /* of the line */
	struct macro_planned_field *fields;
	struct macro_planned_symbol *symbols;
	struct macro_planned_use *uses;
	const char **headers, **link;
	struct macro_piece *pieces;
	size_t n_paths, n_hashes;
	struct macro_line_source *sources; /* of the last piece */
	struct macro_declared *declared;
	struct macro_file *files;
	struct macro_diagnostic *diagnostics;
};

/* The next word; what is missing or wrong is remembered, and gives "". */
static const char *take(struct parser *p)
{
	char *word = p->rest, *end = word ? strchr(word, ' ') : NULL;

	if (!word) {
		p->is_wrong = true;
		return "";
	}
	if (end)
		*end = 0;
	p->rest = end ? end + 1 : NULL;
	if (strcmp(word, "%") == 0)
		return "";
	if (!*word || writer_unquote(word) < 0)
		p->is_wrong = true;
	return word;
}

static uint32_t take_number(struct parser *p)
{
	const char *word = take(p);
	char *end;
	unsigned long value = strtoul(word, &end, 10);

	if (*word < '0' || *word > '9' || *end || value > UINT32_MAX)
		p->is_wrong = true;
	return (uint32_t)value;
}

static unsigned take_choice(struct parser *p, const char *const *choices, size_t n)
{
	const char *word = take(p);

	for (size_t i = 0; i < n; i++)
		if (strcmp(choices[i], word) == 0)
			return (unsigned)i;
	p->is_wrong = true;
	return 0;
}

static void take_hex(struct parser *p, const uint8_t **ret, size_t *ret_n)
{
	uint8_t *bytes = NULL;

	if (hex_parse(p->arena, take(p), &bytes, ret_n) < 0)
		p->is_wrong = true;
	*ret = bytes;
}

static void parse_field(struct parser *p)
{
	struct macro_planned_field *field =
		must_add(p->arena, p->fields, p->cached->plan.n_fields);

	field->attribute = take_number(p);
	field->name = take(p);
	field->type = take(p);
}

static void parse_symbol(struct parser *p)
{
	static const char *const words[] = { "name", "tag" };
	struct macro_planned_symbol *symbol =
		must_add(p->arena, p->symbols, p->cached->plan.n_symbols);

	symbol->piece = (enum macro_piece_kind)take_choice(p, kinds, N_KINDS);
	symbol->is_type = take_choice(p, words, 2) == 1;
	symbol->attribute = take_number(p);
	symbol->name = take(p);
	p->is_wrong = p->is_wrong || !accept_identifier(symbol->name);
}

static void parse_use(struct parser *p)
{
	struct macro_planned_use *use = must_add(p->arena, p->uses, p->cached->plan.n_uses);

	use->attribute = take_number(p);
	use->cell = take(p);
	use->channel = take(p);
}

static void parse_header(struct parser *p)
{
	const char *header = *must_add(p->arena, p->headers, p->cached->plan.n_headers) =
		take(p);

	p->is_wrong = p->is_wrong || !accept_header(header);
}

static void parse_link(struct parser *p)
{
	const char *flag = *must_add(p->arena, p->link, p->cached->plan.n_link) = take(p);

	p->is_wrong = p->is_wrong || !accept_link(flag);
}

static void parse_piece(struct parser *p)
{
	struct macro_piece *piece = must_add(p->arena, p->pieces, p->cached->code.n_pieces);
	const char *path, *hash;

	piece->anchor = (enum macro_anchor)take_choice(p, anchors, N_ANCHORS);
	piece->kind = (enum macro_piece_kind)take_choice(p, kinds, N_KINDS);
	piece->attribute = take_number(p);
	piece->phase = take_number(p);
	piece->symbol = take(p);
	piece->ns = take(p);
	piece->text = "";
	path = *must_add(p->arena, p->cached->paths, p->n_paths) = take(p);
	hash = take(p);
	p->is_wrong = p->is_wrong || !accept_path(path) ||
		      strncmp(hash, "blake2b:", 8) != 0 || strlen(hash) != 72;
	*must_add(p->arena, p->cached->hashes, p->n_hashes) = p->is_wrong ? "" : hash + 8;
	p->sources = NULL;
}

static void parse_source(struct parser *p)
{
	struct macro_piece *piece;
	struct macro_line_source *source;

	if (p->cached->code.n_pieces == 0) {
		p->is_wrong = true;
		return;
	}
	piece = &p->pieces[p->cached->code.n_pieces - 1];
	source = must_add(p->arena, p->sources, piece->n_sources);
	source->line = take_number(p);
	source->attribute = take_number(p);
	source->value = take_number(p);
	source->member = take(p);
	piece->sources = p->sources;
}

static void parse_rename(struct parser *p)
{
	p->cached->code.rename = take(p);
	p->is_wrong = p->is_wrong || !accept_identifier(p->cached->code.rename);
}

static void parse_declared(struct parser *p)
{
	struct macro_declared *declared =
		must_add(p->arena, p->declared, p->cached->code.n_declared);

	declared->attribute = take_number(p);
	declared->ns = take(p);
	declared->name = take(p);
	take_hex(p, &declared->digest, &declared->n_digest);
	take_hex(p, &declared->body, &declared->n_body);
}

static void parse_file(struct parser *p)
{
	struct macro_file *file = must_add(p->arena, p->files, p->cached->code.n_files);

	file->path = take(p);
	take_hex(p, &file->content, &file->n_content);
	p->is_wrong = p->is_wrong || !accept_path(file->path);
}

static void parse_warning(struct parser *p)
{
	struct macro_diagnostic *diagnostic =
		must_add(p->arena, p->diagnostics, p->cached->code.n_diagnostics);
	const char **notes = NULL;

	diagnostic->severity = MACRO_DIAGNOSTIC_SEVERITY_WARNING;
	diagnostic->attribute = take_number(p);
	diagnostic->value = take_number(p);
	diagnostic->member = take(p);
	diagnostic->ns = take(p);
	diagnostic->text = take(p);
	while (p->rest)
		*must_add(p->arena, notes, diagnostic->n_notes) = take(p);
	diagnostic->notes = notes;
}

static int parse_line(struct parser *p, char *line)
{
	static const struct {
		const char *word;
		void (*parse)(struct parser *);
	} table[] = {
		{ "field", parse_field },     { "symbol", parse_symbol },
		{ "use", parse_use },         { "header", parse_header },
		{ "link", parse_link },       { "piece", parse_piece },
		{ "source", parse_source },   { "file", parse_file },
		{ "rename", parse_rename },   { "declared", parse_declared },
		{ "warning", parse_warning },
	};
	const char *word;

	p->rest = line;
	word = take(p);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcmp(word, table[i].word) != 0)
			continue;
		table[i].parse(p);
		if (p->is_wrong || p->rest)
			break;
		return 0;
	}
	return cell_fail(p->err, CELL_INVALID_ARGUMENT,
			 "%s:%u: damaged (make it anew: cell fetch)", p->path, p->line);
}

int cache_parse(struct cached *ret, const char *text, size_t len, const char *path,
		struct cell_arena *arena, struct cell_error *err)
{
	struct cached cached = { .code.rename = "" };
	struct parser p = {
		.cached = &cached, .arena = arena, .err = err, .path = path, .line = 1
	};
	char *line = must(cell_arena_strndup(arena, text, len));
	int r = 0;

	if (memchr(text, 0, len) || strncmp(line, "cell-expansion 1\n", 17) != 0)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "%s:1: not an expansion of this cellc", path);
	while (line && r == 0) {
		char *end = strchr(line, '\n');

		if (end)
			*end = 0;
		if (p.line > 1 && *line)
			r = parse_line(&p, line);
		line = end ? end + 1 : NULL;
		p.line++;
	}
	if (r < 0)
		return r;
	cached.plan.fields = p.fields;
	cached.plan.symbols = p.symbols;
	cached.plan.uses = p.uses;
	cached.plan.headers = p.headers;
	cached.plan.link = p.link;
	cached.code.pieces = p.pieces;
	cached.code.declared = p.declared;
	cached.code.files = p.files;
	cached.code.diagnostics = p.diagnostics;
	*ret = cached;
	return 0;
}
