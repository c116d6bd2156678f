#include "scan.h"

#include "arguments.h"
#include "vector.h"

#include <errno.h>
#include <stdio.h>

/* Brackets of one attribute in each other. */
#define BRACKETS_MAX 256

/* Macros like __END_DECLS between a declaration's end and an attribute. */
#define WORDS_MAX 8

#define NONE SIZE_MAX

/* Whether the branch of a conditional is compiled. Unknown ones are read as if. */
enum branch { BRANCH_ACTIVE, BRANCH_UNKNOWN, BRANCH_INACTIVE };

struct conditional {
	enum branch branch;   /* now */
	bool was_taken;       /* a branch before was certainly compiled */
	bool is_outer_active; /* whether the whole is */
};

/* A #define or #undef. */
struct definition {
	size_t name, name_end;
	size_t body; /* behind the name; 0 = #undef */
	bool is_function;
	bool is_built_in;
};

/* Where in the code we are. A macro's body has its own. */
struct context {
	struct token before; /* the last token; TOKEN_END: none */
	/* At depth 0: the first tokens since a declaration ended. */
	struct token since[WORDS_MAX];
	size_t n_since;
	size_t depth; /* of braces and parentheses */
	bool is_tag;  /* at depth 0: behind "struct name", where braces are its own */
	bool was_tag; /* the last braces at depth 0 were */
};

struct scanner {
	struct lexer lexer;
	struct scan *scan;
	struct cell_arena *arena;
	struct diag *diag;
	const char *main_file;
	VECTOR(struct attribute) attributes;
	VECTOR(struct line_marker) markers;
	VECTOR(struct definition) definitions;
	VECTOR(struct conditional) conditionals;
	VECTOR(struct token) tokens; /* of one attribute's arguments */
	struct context context;
	const struct definition *macro; /* whose body is read */
	const struct range *parameters; /* of it */
	size_t n_parameters;
	bool is_in_list; /* of attributes */
	bool has_failed;
};

/* Whether FIRST is anywhere followed by SECOND. */
static bool has_pair(const char *text, size_t len, char first, char second)
{
	for (const char *at = text, *end = text + len;
	     at < end && (at = memchr(at, first, (size_t)(end - at))) && at + 1 < end; at++)
		if (at[1] == second)
			return true;
	return false;
}

static bool has_brackets(const char *text, size_t len)
{
	struct lexer lexer;
	struct token token;

	for (const char *at = text, *end = text + len;
	     at < end && (at = memchr(at, '[', (size_t)(end - at))) && at + 1 < end; at++) {
		if (at[1] == '[')
			return true;
		if (!at[1] || !strchr(" \t\r\n\v\f\\/<", at[1]))
			continue;
		lex_init(&lexer, text, len, (size_t)(at - text) + 1);
		if (lex_next(&lexer, &token) == TOKEN_PUNCTUATOR && token.punctuator == '[')
			return true;
	}
	return false;
}

/* A word or a digraph that goes on in the next line hides from all but the exact scan. */
static bool has_continued_word(const char *text, size_t len)
{
	for (const char *at = text, *end = text + len;
	     at < end && (at = memchr(at, '\\', (size_t)(end - at))) && at + 1 < end; at++)
		if (at > text && strchr("CEL<:[", at[-1]) && at[-1] &&
		    (at[1] == '\n' || at[1] == '\r'))
			return true;
	return false;
}

bool scan_may_find(const char *text, size_t len)
{
	/* No spelling goes without "::", and hardly any C has it. */
	if (has_continued_word(text, len))
		return true;
	return has_pair(text, len, ':', ':') &&
	       (has_brackets(text, len) || has_pair(text, len, '<', ':') ||
		memmem(text, len, "CELL", 4) != NULL);
}

static bool is(const struct token *token, char punctuator)
{
	return token->kind == TOKEN_PUNCTUATOR && token->punctuator == (uint8_t)punctuator;
}

static struct place place_at(const struct scanner *scanner, size_t start, size_t end)
{
	return lines_place(&scanner->scan->lines, start, end);
}

/* The markers found so far are those that places need. */
static void lines_refresh(struct scanner *scanner)
{
	struct lines *lines = &scanner->scan->lines;

	if (!lines->starts)
		lines_init(lines, scanner->lexer.text, scanner->lexer.len, scanner->arena);
	lines->markers = scanner->markers.items;
	lines->n_markers = scanner->markers.n;
}

/* --- directives ---------------------------------------------------------------------------
 */

/* The string of a line marker, escapes decoded as far as they go. */
static const char *marker_file(struct scanner *scanner, const struct token *token)
{
	const char *file;
	size_t len;

	if (lex_decode(&scanner->lexer, token, scanner->arena, &file, &len) &&
	    strlen(file) == len)
		return file;
	if (token->end - token->start < 2)
		return "";
	return memory_copy(scanner->arena, scanner->lexer.text + token->start + 1,
			   token->end - token->start - 2);
}

/* # 12 "file" 1 3 and #line 12 "file". LINE is the number's token; reads to the line's end.
 */
static void read_marker(struct scanner *scanner, const struct token *line)
{
	const struct line_marker *last = &scanner->markers.items[scanner->markers.n - 1];
	struct line_marker marker = *last;
	struct lexer *lexer = &scanner->lexer;
	const char *digits = lex_text(lexer, line, scanner->arena);
	struct token token;

	marker.line = (uint32_t)strtoul(digits, NULL, 10);
	if (lex_next(lexer, &token) == TOKEN_STRING) {
		marker.file = marker_file(scanner, &token);
		marker.is_system = false;
		while (lex_next(lexer, &token) == TOKEN_NUMBER)
			switch (lexer->text[token.start]) {
			case '1': marker.depth += marker.depth < UINT32_MAX; break;
			case '2': marker.depth -= marker.depth > 0; break;
			case '3': marker.is_system = true; break;
			}
	}
	if (token.kind != TOKEN_LINE_END)
		lex_skip_line(lexer);
	marker.at = lexer->at;
	*VECTOR_ADD(scanner->arena, &scanner->markers) = marker;
}

/* The definition that NAME has behind everything read so far; NULL: none that is known. */
static const struct definition *definition_find(const struct scanner *scanner,
						const char *name, size_t len)
{
	const char *text = scanner->lexer.text;

	for (size_t i = scanner->definitions.n; i-- > 0;) {
		const struct definition *one = &scanner->definitions.items[i];

		if (one->name_end - one->name == len &&
		    memcmp(text + one->name, name, len) == 0)
			return one;
	}
	return NULL;
}

/* Whether a condition around here depends on macros that the text does not define. */
static bool is_conditional(const struct scanner *scanner)
{
	for (size_t i = 0; i < scanner->conditionals.n; i++)
		if (scanner->conditionals.items[i].branch == BRANCH_UNKNOWN)
			return true;
	return false;
}

static bool is_compiled(const struct scanner *scanner)
{
	return scanner->conditionals.n == 0 ||
	       scanner->conditionals.items[scanner->conditionals.n - 1].branch !=
		       BRANCH_INACTIVE;
}

/* What #if, #ifdef or #ifndef (KIND 0, 1, 2) says; reads from behind its name. */
static enum branch condition_read(struct scanner *scanner, int kind)
{
	struct lexer *lexer = &scanner->lexer;
	const struct definition *definition;
	struct token token, next;
	enum branch branch = BRANCH_UNKNOWN;

	lex_next(lexer, &token);
	if (kind == 0 && token.kind == TOKEN_NUMBER && token.end - token.start == 1 &&
	    (lexer->text[token.start] == '0' || lexer->text[token.start] == '1')) {
		char digit = lexer->text[token.start];

		if (lex_next(lexer, &next) == TOKEN_LINE_END || next.kind == TOKEN_END)
			branch = digit == '0' ? BRANCH_INACTIVE : BRANCH_ACTIVE;
	} else if (kind == 0 && lex_is(lexer, &token, "defined")) {
		/* What clang 19 writes around an #include that it has replaced. */
		if (lex_next(lexer, &next) == TOKEN_PUNCTUATOR)
			lex_next(lexer, &next);
		if (lex_is(lexer, &next, "__CLANG_REWRITTEN_INCLUDES"))
			branch = BRANCH_INACTIVE;
	} else if (kind != 0 && token.kind == TOKEN_IDENTIFIER) {
		definition = definition_find(scanner, lexer->text + token.start,
					     token.end - token.start);
		if (definition)
			branch = (definition->body != 0) == (kind == 1) ? BRANCH_ACTIVE
									: BRANCH_INACTIVE;
	}
	lex_skip_line(lexer);
	return branch;
}

static void conditional_open(struct scanner *scanner, int kind)
{
	struct conditional one = { .is_outer_active = is_compiled(scanner) };

	one.branch = condition_read(scanner, kind);
	if (!one.is_outer_active)
		one.branch = BRANCH_INACTIVE;
	one.was_taken = one.branch == BRANCH_ACTIVE;
	*VECTOR_ADD(scanner->arena, &scanner->conditionals) = one;
}

/* #elif and its kin; KIND -1: #else. */
static void conditional_turn(struct scanner *scanner, int kind)
{
	struct conditional *one;
	enum branch branch = kind < 0 ? BRANCH_ACTIVE : condition_read(scanner, kind);

	if (!scanner->conditionals.n)
		return;
	one = &scanner->conditionals.items[scanner->conditionals.n - 1];
	if (!one->is_outer_active || one->was_taken)
		branch = BRANCH_INACTIVE;
	else if (kind < 0 && one->branch == BRANCH_UNKNOWN)
		branch = BRANCH_UNKNOWN;
	one->branch = branch;
	one->was_taken = one->was_taken || branch == BRANCH_ACTIVE;
}

/* A macro's parameters from its parenthesis on. */
static void read_parameters(struct scanner *scanner)
{
	VECTOR(struct range) parameters = { 0 };
	struct token token;

	do {
		lex_next(&scanner->lexer, &token);
		if (token.kind == TOKEN_IDENTIFIER || token.kind == TOKEN_PUNCTUATOR)
			*VECTOR_ADD(scanner->arena, &parameters) =
				(struct range){ token.start, token.end };
	} while (!is(&token, ')') && scanner->lexer.in_directive && token.kind != TOKEN_END);
	scanner->parameters = parameters.items;
	scanner->n_parameters = parameters.n;
}

static void read_code(struct scanner *scanner);

static void read_define(struct scanner *scanner, bool is_define)
{
	struct lexer *lexer = &scanner->lexer;
	struct definition definition = { 0 };
	struct context context = scanner->context;
	const char *file;
	struct token token;

	if (lex_next(lexer, &token) != TOKEN_IDENTIFIER) {
		lex_skip_line(lexer);
		return;
	}
	scanner->scan->has_directives = true;
	file = scanner->markers.items[scanner->markers.n - 1].file;
	definition.name = token.start;
	definition.name_end = token.end;
	if (is_define) {
		definition.body = token.end;
		definition.is_function =
			token.end < lexer->len && lexer->text[token.end] == '(';
		definition.is_built_in = file && strcmp(file, "<built-in>") == 0;
	}
	*VECTOR_ADD(scanner->arena, &scanner->definitions) = definition;
	if (!is_define) {
		lex_skip_line(lexer);
		return;
	}
	/* Only the lines are of interest without somebody to talk to, and between brackets.
	 */
	if (!scanner->diag || scanner->is_in_list) {
		lex_skip_line(lexer);
		return;
	}
	scanner->n_parameters = 0;
	if (definition.is_function)
		read_parameters(scanner);
	if (!lexer->in_directive)
		return;
	scanner->macro = &definition;
	scanner->context = (struct context){ 0 };
	read_code(scanner);
	scanner->macro = NULL;
	scanner->context = context;
}

static void read_directive(struct scanner *scanner)
{
	static const struct {
		const char *name;
		bool is_turn;
		int kind;
	} conditionals[] = {
		{ "if", false, 0 },   { "ifdef", false, 1 },  { "ifndef", false, 2 },
		{ "elif", true, 0 },  { "elifdef", true, 1 }, { "elifndef", true, 2 },
		{ "else", true, -1 },
	};
	struct lexer *lexer = &scanner->lexer;
	struct ranges *comments = lexer->comments;
	struct token token;

	lexer->in_directive = true;
	lexer->comments = NULL;
	lex_next(lexer, &token);
	if (token.kind == TOKEN_NUMBER) {
		if (is_compiled(scanner))
			read_marker(scanner, &token);
	} else if (token.kind == TOKEN_IDENTIFIER) {
		for (size_t i = 0; i < sizeof conditionals / sizeof *conditionals; i++)
			if (lex_is(lexer, &token, conditionals[i].name)) {
				if (conditionals[i].is_turn)
					conditional_turn(scanner, conditionals[i].kind);
				else
					conditional_open(scanner, conditionals[i].kind);
				break;
			}
		if (lex_is(lexer, &token, "endif")) {
			scanner->conditionals.n -= scanner->conditionals.n > 0;
		} else if (is_compiled(scanner)) {
			if (lex_is(lexer, &token, "define"))
				read_define(scanner, true);
			else if (lex_is(lexer, &token, "undef"))
				read_define(scanner, false);
			else if (lex_is(lexer, &token, "line") &&
				 lex_next(lexer, &token) == TOKEN_NUMBER)
				read_marker(scanner, &token);
		}
	}
	lex_skip_line(lexer);
	lexer->comments = comments;
}

/* The next token that is no part of a directive, within one: up to its end. */
static enum token_kind next_token(struct scanner *scanner, struct token *ret)
{
	while (lex_next(&scanner->lexer, ret) == TOKEN_PUNCTUATOR && ret->punctuator == '#' &&
	       ret->is_first && !scanner->macro)
		read_directive(scanner);
	return ret->kind;
}

/* --- attributes ---------------------------------------------------------------------------
 */

/* One attribute of a list. */
struct item {
	struct token ns, name; /* NS of kind TOKEN_END: it has none */
	size_t start, end;
	size_t tokens, n_tokens; /* of its arguments, in scanner->tokens */
	bool is_ours;
};

struct list {
	VECTOR(struct item) items;
	VECTOR(size_t) commas; /* one after each item but perhaps the last; NONE = none */
	size_t start, open, close, end;
	bool is_call;
};

static bool is_foreign(const struct lexer *lexer, const struct token *ns)
{
	static const char *const known[] = { "gnu", "__gnu__", "clang", "_Clang",
					     "gcc", "msvc",    "omp",   "gsl" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (lex_is(lexer, ns, known[i]))
			return true;
	return false;
}

static void refuse(struct scanner *scanner, size_t start, size_t end, const struct item *item,
		   const char *text)
{
	const char *ns = lex_text(&scanner->lexer, &item->ns, scanner->arena);
	const char *name = lex_text(&scanner->lexer, &item->name, scanner->arena);
	struct place place;
	bool is_named = item->name.start != item->ns.start;

	lines_refresh(scanner);
	place = place_at(scanner, start, end);
	diag_say(scanner->diag, SEVERITY_ERROR, &place, ns, "%s%s%s: %s", ns,
		 is_named ? "::" : "", is_named ? name : "", text);
	scanner->has_failed = true;
}

/* Arguments behind their parenthesis, to its end. False: they are not balanced. */
static bool read_arguments(struct scanner *scanner, struct item *item)
{
	char closing[BRACKETS_MAX];
	size_t depth = 0;
	struct token token;

	item->tokens = scanner->tokens.n;
	closing[depth++] = ')';
	for (;;) {
		next_token(scanner, &token);
		if (token.kind == TOKEN_END || token.kind == TOKEN_LINE_END)
			return false;
		if (is(&token, '(') || is(&token, '[') || is(&token, '{')) {
			if (depth == BRACKETS_MAX)
				return false;
			closing[depth++] = is(&token, '(')   ? ')'
					   : is(&token, '[') ? ']'
							     : '}';
		} else if (is(&token, ')') || is(&token, ']') || is(&token, '}')) {
			if (!is(&token, closing[--depth]))
				return false;
			if (depth == 0)
				break;
		}
		*VECTOR_ADD(scanner->arena, &scanner->tokens) = token;
	}
	item->n_tokens = scanner->tokens.n - item->tokens;
	item->end = token.end;
	return true;
}

/*
 * The name and the arguments of an attribute that starts at TOKEN; TOKEN is behind it then.
 * Returns NULL, or what is wrong.
 */
static const char *read_item(struct scanner *scanner, struct token *token, struct item *item)
{
	struct lexer *lexer = &scanner->lexer;

	*item = (struct item){ .name = *token, .start = token->start, .end = token->end };
	if (token->kind != TOKEN_IDENTIFIER)
		return "a name must follow";
	next_token(scanner, token);
	if (token->kind == TOKEN_PUNCTUATOR && token->punctuator == PUNCTUATOR_SCOPE) {
		item->ns = item->name;
		item->is_ours = !is_foreign(lexer, &item->ns);
		if (next_token(scanner, token) != TOKEN_IDENTIFIER)
			return "a name must follow '::'";
		item->name = *token;
		item->end = token->end;
		next_token(scanner, token);
	}
	if (is(token, '(')) {
		if (!read_arguments(scanner, item))
			return "a bracket in its arguments is not closed";
		next_token(scanner, token);
	}
	return NULL;
}

/*
 * The list behind its opening brackets. False if it is no list of attributes: then the
 * message is said if one of ours was in it.
 */
static bool read_list(struct scanner *scanner, struct list *list)
{
	struct token token;
	struct item item;
	const char *wrong;
	bool has_ours = false;

	next_token(scanner, &token);
	for (;;) {
		while (is(&token, ',')) {
			if (list->items.n > list->commas.n)
				*VECTOR_ADD(scanner->arena, &list->commas) = token.start;
			next_token(scanner, &token);
		}
		if (is(&token, list->is_call ? ')' : ']'))
			break;
		if (list->items.n > list->commas.n) {
			if (has_ours)
				refuse(scanner, token.start, token.end, &item,
				       token.kind == TOKEN_PUNCTUATOR &&
						       token.punctuator == PUNCTUATOR_SCOPE
					       ? "namespaces do not nest"
				       : list->is_call ? "a comma or ')' must follow"
						       : "a comma or ']]' must follow");
			return false;
		}
		wrong = read_item(scanner, &token, &item);
		has_ours = has_ours || item.is_ours;
		if (wrong) {
			if (item.is_ours)
				refuse(scanner, item.start, item.name.end, &item, wrong);
			return false;
		}
		*VECTOR_ADD(scanner->arena, &list->items) = item;
	}
	list->close = token.start;
	list->end = token.end;
	if (list->is_call)
		return true;
	if (!is((next_token(scanner, &token), &token), ']')) {
		if (has_ours)
			refuse(scanner, token.start, token.end, &item, "']]' must follow");
		return false;
	}
	list->end = token.end;
	return true;
}

static bool is_parameter(const struct scanner *scanner, const struct token *token)
{
	const char *text = scanner->lexer.text;

	if (!scanner->macro || token->kind != TOKEN_IDENTIFIER)
		return false;
	for (size_t i = 0; i < scanner->n_parameters; i++) {
		const struct range *one = &scanner->parameters[i];

		if (one->end - one->start == token->end - token->start &&
		    memcmp(text + one->start, text + token->start, one->end - one->start) ==
			    0)
			return true;
		/* "..." */
		if (text[one->start] == '.' &&
		    (lex_is(&scanner->lexer, token, "__VA_ARGS__") ||
		     lex_is(&scanner->lexer, token, "__VA_OPT__")))
			return true;
	}
	return false;
}

static bool check_parameters(struct scanner *scanner, const struct item *item)
{
	const struct token *used = NULL;
	char text[128];

	if (is_parameter(scanner, &item->ns))
		used = &item->ns;
	else if (is_parameter(scanner, &item->name))
		used = &item->name;
	for (size_t i = 0; i < item->n_tokens && !used; i++)
		if (is_parameter(scanner, &scanner->tokens.items[item->tokens + i]))
			used = &scanner->tokens.items[item->tokens + i];
	if (!used)
		return true;
	snprintf(text, sizeof text,
		 "it is read before macros are expanded, so '%.*s', a parameter of "
		 "this macro, has no value",
		 (int)(used->end - used->start > 32 ? 32 : used->end - used->start),
		 scanner->lexer.text + used->start);
	refuse(scanner, used->start, used->end, item, text);
	return false;
}

/* An identifier that is a macro for one literal, perhaps with a sign, or in parentheses. */
static size_t on_macro(void *userdata, const struct token *name, struct token ret[2])
{
	struct scanner *scanner = userdata;
	const char *text = scanner->lexer.text, *word;
	const struct definition *definition;
	struct token tokens[6];
	struct lexer lexer;
	size_t n = 0, at = 0;

	word = lex_text(&scanner->lexer, name, scanner->arena);
	definition = definition_find(scanner, word, strlen(word));
	if (!definition || !definition->body || definition->is_function ||
	    (definition->is_built_in && word[0] != '_'))
		return 0;
	lex_init(&lexer, text, scanner->lexer.len, definition->body);
	lexer.in_directive = true;
	while (lex_next(&lexer, &tokens[n]) != TOKEN_LINE_END && tokens[n].kind != TOKEN_END)
		if (++n == 6)
			return 0;
	while (n - at > 2 && is(&tokens[at], '(') && is(&tokens[n - 1], ')'))
		at++, n--;
	n -= at;
	if (n == 2 && (is(&tokens[at], '-') || is(&tokens[at], '+')) &&
	    tokens[at + 1].kind == TOKEN_NUMBER) {
		ret[0] = tokens[at];
		ret[1] = tokens[at + 1];
		return 2;
	}
	if (n != 1 || tokens[at].is_unterminated ||
	    (tokens[at].kind != TOKEN_NUMBER && tokens[at].kind != TOKEN_STRING &&
	     tokens[at].kind != TOKEN_CHARACTER))
		return 0;
	ret[0] = tokens[at];
	return 1;
}

/* What to overwrite for item I: with the comma behind it, or before if nothing else follows.
 */
static void item_bytes(const struct list *list, size_t i, size_t *ret_start, size_t *ret_end)
{
	size_t foreign = 0;

	*ret_start = list->items.items[i].start;
	*ret_end = list->items.items[i].end;
	for (size_t k = i + 1; k < list->items.n; k++)
		foreign += !list->items.items[k].is_ours;
	if (foreign)
		*ret_end = list->commas.items[i] + 1;
	else if (i > 0)
		*ret_start = list->commas.items[i - 1];
}

static void attribute_add(struct scanner *scanner, const struct list *list, size_t i,
			  bool is_last)
{
	const struct item *item = &list->items.items[i];
	struct lexer *lexer = &scanner->lexer;
	struct attribute attribute = {
		.ns = lex_text(lexer, &item->ns, scanner->arena),
		.name = lex_text(lexer, &item->name, scanner->arena),
		.item_start = item->start,
		.item_end = item->end,
		.list_start = list->start,
		.list_end = list->end,
		.list_open = list->open,
		.list_close = list->close,
		.is_in_macro = scanner->macro != NULL,
		.is_call = list->is_call,
		.is_conditional = is_conditional(scanner),
		.before = scanner->context.before.kind == TOKEN_PUNCTUATOR
				  ? scanner->context.before.punctuator
			  : scanner->context.before.kind == TOKEN_END ? 0
								      : UINT32_MAX,
		.before_start = scanner->context.before.start,
	};
	struct arguments arguments = {
		.ns = attribute.ns,
		.name = attribute.name,
		.lexer = lexer,
		.lines = &scanner->scan->lines,
		.tokens = item->n_tokens ? &scanner->tokens.items[item->tokens] : NULL,
		.n_tokens = item->n_tokens,
		.macro = on_macro,
		.userdata = scanner,
	};
	struct argument_table table = { .n = 0 };

	if (!check_parameters(scanner, item))
		return;
	lines_refresh(scanner);
	attribute.at = place_at(scanner, item->start, item->name.end);
	attribute.name_at = place_at(scanner, item->name.start, item->name.end);
	attribute.is_in_header = lines_marker(&scanner->scan->lines, item->start)->depth > 0;
	if (is_last) {
		attribute.start = list->start;
		attribute.end = list->end;
	} else {
		item_bytes(list, i, &attribute.start, &attribute.end);
	}
	if (arguments_parse(&arguments, scanner->arena, scanner->diag, &table) < 0)
		scanner->has_failed = true;
	attribute.values = table.values;
	attribute.value_places = table.places;
	attribute.value_sources = table.sources;
	attribute.n_values = table.n;
	*VECTOR_ADD(scanner->arena, &scanner->attributes) = attribute;
}

/*
 * A list whose first bracket is TOKEN (or CELL). Returns false, with the lexer behind TOKEN,
 * if it is none.
 */
static bool try_list(struct scanner *scanner, const struct token *token, bool is_call)
{
	struct lexer *lexer = &scanner->lexer, saved = *lexer;
	size_t n_markers = scanner->markers.n, n_conditionals = scanner->conditionals.n;
	struct list list = { .start = token->start, .is_call = is_call };
	struct token next;
	size_t ours = 0, last = 0;
	bool is_list;

	scanner->tokens.n = 0;
	lex_next(lexer, &next);
	list.open = next.end;
	scanner->is_in_list = true;
	is_list = is(&next, is_call ? '(' : '[') && read_list(scanner, &list);
	scanner->is_in_list = false;
	if (!is_list) {
		*lexer = saved;
		scanner->markers.n = n_markers;
		scanner->conditionals.n = n_conditionals;
		return false;
	}
	for (size_t i = 0; i < list.items.n; i++)
		if (list.items.items[i].is_ours) {
			ours++;
			last = i;
		}
	if (!scanner->macro && (!is_call || ours))
		*VECTOR_ADD(scanner->arena, &scanner->scan->lists) =
			(struct range){ list.start, list.end };
	for (size_t i = 0; i < list.items.n; i++)
		if (list.items.items[i].is_ours)
			attribute_add(scanner, &list, i, i == last && ours == list.items.n);
	return true;
}

/* --- the text -----------------------------------------------------------------------------
 */

/* Whether only macros that are nothing stand between a declaration's end and here. */
static bool is_at_start(const struct scanner *scanner)
{
	const struct definition *definition;

	if (scanner->context.n_since > WORDS_MAX)
		return false;
	for (size_t i = 0; i < scanner->context.n_since; i++) {
		const struct token *word = &scanner->context.since[i];
		struct lexer lexer;
		struct token token;

		if (word->kind != TOKEN_IDENTIFIER)
			return false;
		definition = definition_find(scanner, scanner->lexer.text + word->start,
					     word->end - word->start);
		if (!definition || !definition->body || definition->is_function)
			return false;
		lex_init(&lexer, scanner->lexer.text, scanner->lexer.len, definition->body);
		lexer.in_directive = true;
		if (lex_next(&lexer, &token) != TOKEN_LINE_END)
			return false;
	}
	return true;
}

/* Whether what stands at TOKEN, behind lists, makes those before it bare: [[…]]; */
static void lists_end(struct scanner *scanner, size_t first, const struct token *token)
{
	const struct token *before = &scanner->context.before;
	struct attribute *final;
	bool is_after_tag =
		is(before, '}') && (scanner->context.depth > 0 || scanner->context.was_tag);
	bool is_bare = is(token, ';') && scanner->context.depth == 0 && !is_after_tag &&
		       is_at_start(scanner);

	for (size_t i = first; i < scanner->attributes.n; i++) {
		struct attribute *attribute = &scanner->attributes.items[i];

		attribute->after_start = token->start;
		attribute->is_bare = is_bare;
		attribute->is_after_tag = is_after_tag;
	}
	if (!is_bare || first == scanner->attributes.n)
		return;
	/* The last list takes the semicolon with it, unless a foreign attribute needs it. */
	final = &scanner->attributes.items[scanner->attributes.n - 1];
	if (final->start != final->list_start)
		return;
	final->end = token->end;
	for (struct attribute *one = final, *end = scanner->attributes.items + first;
	     one >= end && one->list_start == final->list_start; one--)
		one->list_end = token->end;
}

static bool is_word(const struct scanner *scanner, const struct token *token,
		    const char *const *words)
{
	for (; *words; words++)
		if (lex_is(&scanner->lexer, token, *words))
			return true;
	return false;
}

/* How deep we are, and whose braces these are. */
static void track(struct scanner *scanner, const struct token *token)
{
	static const char *const tags[] = { "struct", "union", "enum", NULL };
	static const char *const specifiers[] = { "__attribute__", "__attribute",
						  "__declspec",    "_Alignas",
						  "alignas",       NULL };

	if (scanner->context.depth == 0 && scanner->context.n_since <= WORDS_MAX) {
		if (scanner->context.n_since < WORDS_MAX)
			scanner->context.since[scanner->context.n_since] = *token;
		scanner->context.n_since++;
	}
	if (token->kind == TOKEN_IDENTIFIER && scanner->context.depth == 0 &&
	    strchr("sue", scanner->lexer.text[token->start]) && is_word(scanner, token, tags))
		scanner->context.is_tag = true;
	if (token->kind != TOKEN_PUNCTUATOR)
		return;
	switch (token->punctuator) {
	case '(':
		/* A function's, unless they belong to an attribute of the tag. */
		if (scanner->context.depth++ == 0 &&
		    !is_word(scanner, &scanner->context.before, specifiers))
			scanner->context.is_tag = false;
		break;
	case '{':
		if (scanner->context.depth++ == 0)
			scanner->context.was_tag = scanner->context.is_tag;
		break;
	case ';':
	case '=':
		if (scanner->context.depth == 0)
			scanner->context.is_tag = false;
		if (scanner->context.depth == 0 && is(token, ';'))
			scanner->context.n_since = 0;
		break;
	case ')': scanner->context.depth -= scanner->context.depth > 0; break;
	case '}':
		scanner->context.depth -= scanner->context.depth > 0;
		if (scanner->context.depth == 0) {
			scanner->context.is_tag = false;
			if (!scanner->context.was_tag)
				scanner->context.n_since = 0;
		}
		break;
	}
}

/* Code up to the end of the text, or of the macro's body. */
static void read_code(struct scanner *scanner)
{
	struct lexer *lexer = &scanner->lexer;
	size_t pending = NONE; /* the first attribute of lists that have just ended */
	struct token token;

	for (;;) {
		next_token(scanner, &token);
		if (token.kind == TOKEN_END || token.kind == TOKEN_LINE_END)
			break;
		if (!is_compiled(scanner))
			continue;
		if (is(&token, '[') ||
		    (token.kind == TOKEN_IDENTIFIER && lexer->text[token.start] == 'C' &&
		     lex_is(lexer, &token, "CELL"))) {
			size_t n = scanner->attributes.n;

			if (try_list(scanner, &token, !is(&token, '['))) {
				if (pending == NONE)
					pending = n;
				continue;
			}
		}
		if (pending != NONE) {
			lists_end(scanner, pending, &token);
			pending = NONE;
		}
		track(scanner, &token);
		scanner->context.before = token;
	}
	if (pending != NONE)
		lists_end(scanner, pending, &token);
}

int scan_text(struct scan *ret, const char *text, size_t len, const char *main_file,
	      struct cell_arena *arena, struct diag *diag)
{
	struct scanner scanner = {
		.scan = ret, .arena = arena, .diag = diag, .main_file = main_file
	};

	*ret = (struct scan){ 0 };
	if (!scan_may_find(text, len))
		return 0;
	lex_init(&scanner.lexer, text, len, 0);
	scanner.lexer.comments = &ret->comments;
	scanner.lexer.arena = arena;
	*VECTOR_ADD(arena, &scanner.markers) =
		(struct line_marker){ .file = main_file, .line = 1 };
	read_code(&scanner);
	if (scanner.attributes.n || scanner.has_failed)
		lines_refresh(&scanner);
	ret->attributes = scanner.attributes.items;
	ret->n_attributes = scanner.attributes.n;
	return scanner.has_failed ? -EINVAL : 0;
}

struct place scan_place(const char *text, size_t len, size_t offset, struct cell_arena *arena)
{
	struct scan scan = { 0 };
	struct scanner scanner = { .scan = &scan, .arena = arena };
	struct token token;

	lex_init(&scanner.lexer, text, len, 0);
	*VECTOR_ADD(arena, &scanner.markers) =
		(struct line_marker){ .file = NULL, .line = 1 };
	while (next_token(&scanner, &token) != TOKEN_END && token.start < offset)
		;
	lines_refresh(&scanner);
	return lines_place(&scan.lines, offset < len ? offset : len, 0);
}
