#include "ide.h"

#include "lex.h"
#include "writer.h"

#include <stdlib.h>
#include <string.h>

/* One declaration of generated text. */
struct chunk {
	size_t start, end; /* comments before it included */
	size_t first;      /* its first token */
	size_t body;       /* a function's brace; 0 = none */
	enum chunk_kind {
		CHUNK_FUNCTION,
		CHUNK_TYPE,
		CHUNK_VARIABLE, /* extern */
		CHUNK_DEFINE, /* #define, #undef */
		CHUNK_OTHER,
	} kind;
	const char *name; /* the function's, the variable's, the tag; "" */
};

struct chunks {
	const struct unit *unit;
	const char *file; /* that is behind it; NULL = none */
	struct cell_arena *arena;
	struct lexer lexer;
	struct token token;
};

static bool is(const struct token *token, char punctuator)
{
	return token->kind == TOKEN_PUNCTUATOR && token->punctuator == (uint8_t)punctuator;
}

static enum token_kind next(struct chunks *chunks)
{
	return lex_next(&chunks->lexer, &chunks->token);
}

static bool is_word(const struct chunks *chunks, const char *word)
{
	return lex_is(&chunks->lexer, &chunks->token, word);
}

static bool is_tag_word(const struct chunks *chunks)
{
	return is_word(chunks, "struct") || is_word(chunks, "union") ||
	       is_word(chunks, "enum");
}

/* The opening bracket has been read; its partner is the last token then. */
static void skip_brackets(struct chunks *chunks)
{
	size_t depth = 1;

	while (depth && next(chunks) != TOKEN_END) {
		const struct token *token = &chunks->token;

		if (is(token, '(') || is(token, '{') || is(token, '['))
			depth++;
		else if (is(token, ')') || is(token, '}') || is(token, ']'))
			depth--;
	}
}

/* --- splitting ---------------------------------------------------------------------------
 */

/* The directive whose '#' has been read. */
static void read_directive(struct chunks *chunks, struct chunk *chunk)
{
	chunks->lexer.in_directive = true;
	(void)next(chunks);
	if (is_word(chunks, "define") || is_word(chunks, "undef"))
		chunk->kind = CHUNK_DEFINE;
	if (chunks->token.kind != TOKEN_LINE_END)
		lex_skip_line(&chunks->lexer);
	chunks->lexer.in_directive = false;
	chunk->end = chunks->lexer.at;
}

/* What has no declarator is a type: a definition, or only its tag. */
static void finish(struct chunks *chunks, struct chunk *chunk, const char *last,
		   bool has_value)
{
	struct lexer lexer;
	struct token first;

	chunk->end = chunks->token.end;
	lex_init(&lexer, chunks->lexer.text, chunk->end, chunk->first);
	(void)lex_next(&lexer, &first);
	if (has_value || chunks->token.kind == TOKEN_END ||
	    strcmp(chunk->name, "_Static_assert") == 0 ||
	    strcmp(chunk->name, "static_assert") == 0) {
		chunk->kind = CHUNK_OTHER;
	} else if (chunk->kind == CHUNK_FUNCTION) {
		/* NAME(…); is a macro's. */
		if (lex_is(&lexer, &first, chunk->name))
			chunk->kind = CHUNK_OTHER;
	} else if (lex_is(&lexer, &first, "extern")) {
		chunk->kind = CHUNK_VARIABLE;
		chunk->name = last;
	} else if (lex_is(&lexer, &first, "typedef") ||
		   ((lex_is(&lexer, &first, "struct") || lex_is(&lexer, &first, "union") ||
		     lex_is(&lexer, &first, "enum")) &&
		    (!*last || strcmp(last, chunk->name) == 0))) {
		chunk->kind = CHUNK_TYPE;
	}
}

/* From the first token to a semicolon, or to a function's last brace. */
static void read_declaration(struct chunks *chunks, struct chunk *chunk)
{
	const char *word = "", *last = ""; /* the last may be what is declared */
	bool has_value = false, is_tag = false;

	do {
		const struct token *token = &chunks->token;

		if (token->kind == TOKEN_IDENTIFIER) {
			word = lex_text(&chunks->lexer, token, chunks->arena);
			if (is_tag && !*chunk->name)
				chunk->name = word;
			is_tag = is_tag_word(chunks);
			if (is_tag || is_word(chunks, "__attribute__") ||
			    is_word(chunks, "_Alignas") || is_word(chunks, "typeof") ||
			    is_word(chunks, "__typeof__"))
				word = "";
			else
				last = word;
			continue;
		}
		if (is(token, '=')) {
			has_value = true;
		} else if (is(token, '(')) {
			if (*word && !has_value && chunk->kind != CHUNK_FUNCTION) {
				chunk->kind = CHUNK_FUNCTION;
				chunk->name = word;
			}
			skip_brackets(chunks);
		} else if (is(token, '{')) {
			chunk->body = token->start;
			skip_brackets(chunks);
			if (chunk->kind == CHUNK_FUNCTION && !has_value)
				break;
			chunk->body = 0;
			last = "";
		} else if (is(token, '[')) {
			skip_brackets(chunks);
		} else if (is(token, ';')) {
			break;
		}
		word = "";
		is_tag = false;
	} while (next(chunks) != TOKEN_END);
	finish(chunks, chunk, last, has_value);
}

static bool chunk_next(struct chunks *chunks, struct chunk *ret)
{
	*ret = (struct chunk){ .start = chunks->lexer.at, .kind = CHUNK_OTHER, .name = "" };
	if (next(chunks) == TOKEN_END)
		return false;
	ret->first = chunks->token.start;
	if (is(&chunks->token, '#') && chunks->token.is_first)
		read_directive(chunks, ret);
	else
		read_declaration(chunks, ret);
	return true;
}

/* --- choosing ----------------------------------------------------------------------------
 */

static bool is_named(const struct unit *unit, const char *name, bool is_tag)
{
	for (size_t i = 0; i < unit->n_names; i++)
		if (unit->names[i].is_tag == is_tag &&
		    strcmp(unit->names[i].name, name) == 0)
			return true;
	return false;
}

static const char *main_name(const struct unit *unit)
{
	const struct lines *lines = &unit->scan.lines;

	return lines->n_markers && lines->markers[0].file ? lines->markers[0].file : "";
}

static bool is_of_file(const struct unit *unit, const char *file, const char *name,
		       bool is_tag)
{
	for (size_t i = 0; i < unit->n_names; i++)
		if (unit->names[i].is_tag == is_tag &&
		    strcmp(unit->names[i].name, name) == 0 && unit->names[i].at.file &&
		    strcmp(unit->names[i].at.file, file) == 0)
			return true;
	return false;
}

/*
 * Whether the chunk cannot stand before the file: it has a member, or speaks of an enum or a
 * typedef, of there.
 */
static bool needs_file(const struct chunks *chunks, const char *text,
		       const struct chunk *chunk)
{
	bool is_tag = false, is_enum = false;
	struct lexer lexer;
	struct token token, after;

	lex_init(&lexer, text, chunk->body ? chunk->body : chunk->end, chunk->first);
	while (lex_next(&lexer, &token) != TOKEN_END) {
		const char *word;

		if (token.kind != TOKEN_IDENTIFIER) {
			is_tag = is_enum = false;
			continue;
		}
		word = lex_text(&lexer, &token, chunks->arena);
		if (is_tag) {
			struct lexer ahead = lexer;

			(void)lex_next(&ahead, &after);
			if (is_of_file(chunks->unit, chunks->file, word, true) &&
			    (is_enum ||
			     (chunk->kind == CHUNK_TYPE && !is(&after, '*') &&
			      !is(&after, ';'))))
				return true;
		} else if (is_of_file(chunks->unit, chunks->file, word, false) &&
			   strcmp(word, chunk->name) != 0) {
			return true;
		}
		is_enum = strcmp(word, "enum") == 0;
		is_tag = is_enum || strcmp(word, "struct") == 0 ||
			 strcmp(word, "union") == 0;
	}
	return false;
}

static bool is_definition(const char *text, const struct chunk *chunk)
{
	return memchr(text + chunk->first, '{', chunk->end - chunk->first) != NULL;
}

static bool is_wanted(const struct chunks *chunks, const char *text,
		      const struct chunk *chunk)
{
	switch (chunk->kind) {
	case CHUNK_FUNCTION:
	case CHUNK_VARIABLE:
		return strncmp(chunk->name, "cell_", 5) != 0 &&
		       !is_named(chunks->unit, chunk->name, false);
	case CHUNK_TYPE:
		return !is_definition(text, chunk) || !*chunk->name ||
		       !is_named(chunks->unit, chunk->name, true);
	case CHUNK_DEFINE: return true;
	case CHUNK_OTHER: break;
	}
	return false;
}

/* Tags in a prototype's parentheses would be the prototype's own. */
static void put_tags(struct writer *out, struct chunks *chunks, const char *text,
		     const struct chunk *chunk)
{
	const char *keyword = NULL;
	struct lexer lexer;
	struct token token;

	lex_init(&lexer, text, chunk->body ? chunk->body : chunk->end, chunk->first);
	while (lex_next(&lexer, &token) != TOKEN_END) {
		if (keyword && token.kind == TOKEN_IDENTIFIER) {
			const char *line =
				must_printf(chunks->arena, "%s %s;\n", keyword,
					    lex_text(&lexer, &token, chunks->arena));

			if (!strstr(out->text, line))
				writer_put(out, "%s", line);
		}
		keyword = lex_is(&lexer, &token, "struct")  ? "struct"
			  : lex_is(&lexer, &token, "union") ? "union"
							    : NULL;
	}
}

/* The words of a prototype that say nothing to who calls it; LEXER is moved behind them. */
static bool is_left_out(struct lexer *lexer, const struct token *token)
{
	static const char *const words[] = { "static", "inline", "__inline", "__inline__" };
	struct token bracket;
	size_t depth = 0;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (lex_is(lexer, token, words[i]))
			return true;
	if (!lex_is(lexer, token, "__attribute__"))
		return false;
	do {
		if (lex_next(lexer, &bracket) == TOKEN_END)
			break;
		depth += is(&bracket, '(');
		depth -= is(&bracket, ')');
	} while (depth);
	return true;
}

/* A definition is not in sight, so nobody may ask for one. */
static void put_prototype(struct writer *out, struct chunks *chunks, const char *text,
			  const struct chunk *chunk)
{
	size_t end = chunk->body ? chunk->body : chunk->end, at = chunk->first;
	struct lexer lexer;
	struct token token;

	put_tags(out, chunks, text, chunk);
	writer_add(out, text + chunk->start, chunk->first - chunk->start);
	lex_init(&lexer, text, end, chunk->first);
	while (lex_next(&lexer, &token) != TOKEN_END) {
		if (!is_left_out(&lexer, &token))
			continue;
		writer_add(out, text + at, token.start - at);
		at = lexer.at + (lexer.at < end && text[lexer.at] == ' ');
	}
	while (end > at && (text[end - 1] == ' ' || text[end - 1] == '\n'))
		end--;
	writer_add(out, text + at, end - at);
	writer_put(out, "%s\n", chunk->body ? ";" : "");
}

const char *ide_declarations(const struct unit *unit, const char *text, const char *file,
			     struct cell_arena *arena)
{
	struct chunks chunks = { .unit = unit, .file = file, .arena = arena };
	struct writer out = writer_new(arena);
	struct chunk chunk;

	lex_init(&chunks.lexer, text, strlen(text), 0);
	while (chunk_next(&chunks, &chunk)) {
		if (!is_wanted(&chunks, text, &chunk))
			continue;
		if (file && chunk.kind != CHUNK_DEFINE &&
		    needs_file(&chunks, text, &chunk)) {
			if (chunk.kind == CHUNK_TYPE && *chunk.name &&
			    strncmp(text + chunk.first, "struct", 6) == 0)
				writer_put(&out, "struct %s { char cell_; };\n", chunk.name);
			continue;
		}
		if (chunk.kind == CHUNK_FUNCTION) {
			put_prototype(&out, &chunks, text, &chunk);
			continue;
		}
		writer_add(&out, text + chunk.start, chunk.end - chunk.start);
		if (chunk.kind != CHUNK_DEFINE)
			writer_put(&out, "\n");
	}
	return out.text;
}

const char *ide_line(const char *text, struct cell_arena *arena)
{
	struct writer out = writer_new(arena);
	struct lexer lexer;
	struct token token;
	struct ranges comments = { 0 };
	size_t comment = 0, len = strlen(text);

	lex_init(&lexer, text, len, 0);
	lexer.comments = &comments;
	lexer.arena = arena;
	while (lex_next(&lexer, &token) != TOKEN_END)
		if (is(&token, '#') && token.is_first)
			return NULL;
	for (size_t i = 0; i < len; i++) {
		bool is_comment = comment < comments.n && i >= comments.items[comment].start;

		if (is_comment && i == comments.items[comment].start && text[i + 1] == '/') {
			writer_put(&out, "/*");
			i++;
			continue;
		}
		if (is_comment && i >= comments.items[comment].end) {
			if (text[comments.items[comment].start + 1] == '/')
				writer_put(&out, " */");
			comment++;
			i--;
			continue;
		}
		if (text[i] == '\\' && text[i + 1] == '\n') {
			i++;
			continue;
		}
		/* No closing of the comment that was made of one with slashes. */
		if (is_comment && text[comments.items[comment].start + 1] == '/' &&
		    text[i] == '*' && text[i + 1] == '/')
			continue;
		writer_add(&out, text[i] == '\n' || text[i] == '\t' ? " " : text + i, 1);
	}
	if (comment < comments.n && text[comments.items[comment].start + 1] == '/')
		writer_put(&out, " */");
	while (out.len && out.text[out.len - 1] == ' ')
		out.text[--out.len] = 0;
	return out.text;
}

/* --- putting together --------------------------------------------------------------------
 */

/* The insertions in the order of the text. */
static int by_place(const void *a, const void *b)
{
	const struct insertion *const *x = a, *const *y = b;

	if ((*x)->at != (*y)->at)
		return (*x)->at < (*y)->at ? -1 : 1;
	return (*x)->order < (*y)->order ? -1 : (*x)->order > (*y)->order;
}

static const struct insertion **in_order(const struct splice *splice, struct cell_arena *arena)
{
	const struct insertion **list =
		must_new(arena, const struct insertion *, splice->n_insertions);

	for (size_t i = 0; i < splice->n_insertions; i++)
		list[i] = &splice->insertions[i];
	if (splice->n_insertions)
		qsort(list, splice->n_insertions, sizeof *list, by_place);
	return list;
}

/* Within the braces of a declaration, where members are. */
static bool is_member(const struct unit *unit, size_t at)
{
	for (size_t i = 0; i < unit->n_declarations; i++)
		if (unit->declarations[i].open && at > unit->declarations[i].open &&
		    at <= unit->declarations[i].close)
			return true;
	return false;
}

/* The byte of HEADER where PLACE is, if its line is still the one of the unit; else SIZE_MAX. */
static size_t header_offset(const struct unit *unit, size_t at, const struct place *place,
			    const char *header)
{
	const char *line = header;
	size_t before = at - lines_start(&unit->scan.lines, at);

	for (uint32_t i = 1; i < place->line && line; i++) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	if (!line || strlen(line) < before || memchr(line, '\n', before) ||
	    memcmp(line, unit->text + at - before, before) != 0)
		return SIZE_MAX;
	return (size_t)(line - header) + before;
}

/* TEXT at the end of OUT, on its line if that can be. */
static void put_inserted(struct writer *out, const char *text, struct cell_arena *arena)
{
	const char *line = ide_line(text, arena);

	if (line)
		writer_put(out, " %s ", line);
	else
		writer_put(out, "\n%s\n", text);
}

const char *ide_header(const struct unit *unit, const struct splice *splice, const char *file,
		       const char *header, bool *ret_any, struct cell_arena *arena)
{
	const struct insertion **list = in_order(splice, arena);
	struct writer out = writer_new(arena);
	size_t done = 0;

	*ret_any = false;
	for (size_t i = 0; i < splice->n_insertions; i++) {
		struct place place = lines_place(&unit->scan.lines, list[i]->at, 0);
		const char *text = list[i]->text;
		size_t at;

		if (!place.file || strcmp(place.file, file) != 0)
			continue;
		at = header_offset(unit, list[i]->at, &place, header);
		if (at == SIZE_MAX || at < done)
			continue;
		if (!is_member(unit, list[i]->at))
			text = ide_declarations(unit, text, NULL, arena);
		if (!*text)
			continue;
		writer_add(&out, header + done, at - done);
		put_inserted(&out, text, arena);
		done = at;
		*ret_any = true;
	}
	writer_add(&out, header + done, strlen(header + done));
	return out.text;
}

/*
 * Lines of TEXT that are directives, up to the last #include before byte TOP; what they open
 * is closed. ONLY_INCLUDES: a header's other ones are about itself.
 */
static void put_directives(struct writer *out, const char *text, size_t top,
			   bool only_includes)
{
	size_t depth = 0, last_len = 0, last_depth = 0;
	struct lexer lexer;
	struct token token;

	lex_init(&lexer, text, top, 0);
	while (lex_next(&lexer, &token) != TOKEN_END) {
		size_t start = token.start;
		bool is_include;

		if (!is(&token, '#') || !token.is_first)
			continue;
		lexer.in_directive = true;
		(void)lex_next(&lexer, &token);
		is_include = lex_is(&lexer, &token, "include");
		if (lex_is(&lexer, &token, "if") || lex_is(&lexer, &token, "ifdef") ||
		    lex_is(&lexer, &token, "ifndef"))
			depth++;
		else if (lex_is(&lexer, &token, "endif") && depth)
			depth--;
		if (token.kind != TOKEN_LINE_END)
			lex_skip_line(&lexer);
		lexer.in_directive = false;
		if (is_include || !only_includes)
			writer_add(out, text + start, lexer.at - start);
		if (is_include) {
			last_len = out->len;
			last_depth = only_includes ? 0 : depth;
		}
	}
	out->len = last_len;
	out->text[last_len] = 0;
	if (last_len && out->text[last_len - 1] != '\n')
		writer_put(out, "\n");
	for (size_t i = 0; i < last_depth; i++)
		writer_put(out, "#endif\n");
}

/* The first byte of TEXT that is code. */
static size_t first_code(const char *text)
{
	struct lexer lexer;
	struct token token;

	lex_init(&lexer, text, strlen(text), 0);
	while (lex_next(&lexer, &token) != TOKEN_END) {
		if (!is(&token, '#') || !token.is_first)
			return token.start;
		lexer.in_directive = true;
		lex_skip_line(&lexer);
		lexer.in_directive = false;
	}
	return strlen(text);
}

const char *ide_before(const struct unit *unit, const struct splice *splice, const char *file,
		       const char *text, struct cell_arena *arena)
{
	const struct insertion **list = in_order(splice, arena);
	struct writer out = writer_new(arena);

	put_directives(&out, text, first_code(text), strcmp(file, main_name(unit)) != 0);
	for (size_t i = 0; i < splice->n_insertions; i++) {
		struct place place = lines_place(&unit->scan.lines, list[i]->at, 0);

		if ((place.file && strcmp(place.file, file) != 0) ||
		    is_member(unit, list[i]->at))
			continue;
		writer_put(&out, "%s",
			   ide_declarations(unit, list[i]->text, file, arena));
	}
	return out.text;
}
