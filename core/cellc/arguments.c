#include "arguments.h"

#include "vector.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

/* Tokens from START to END of the attribute's. */
struct slice {
	size_t start, end;
};

struct parser {
	const struct arguments *arguments;
	const struct token *tokens;
	struct cell_arena *arena;
	struct diag *diag;
	VECTOR(struct macro_value) values;
	VECTOR(struct place) places;
	VECTOR(struct value_source) sources;
	int depth;
};

static bool is(const struct token *token, char punctuator)
{
	return token->kind == TOKEN_PUNCTUATOR && token->punctuator == (uint8_t)punctuator;
}

static struct place place_of(const struct parser *parser, const struct token *first,
			     const struct token *last)
{
	return lines_place(parser->arguments->lines, first->start, last->end);
}

static int refuse(struct parser *parser, const struct token *token, const char *text,
		  const char *detail)
{
	struct place place = place_of(parser, token, token);
	const struct arguments *arguments = parser->arguments;

	diag_say(parser->diag, SEVERITY_ERROR, &place, arguments->ns, "%s::%s: %s%s",
		 arguments->ns, arguments->name, text, detail);
	return -EINVAL;
}

static const char *text_of(const struct parser *parser, const struct token *token)
{
	return lex_text(parser->arguments->lexer, token, parser->arena);
}

/* The index behind what closes the bracket at AT. The tokens are balanced. */
static size_t skip_bracket(const struct parser *parser, size_t at)
{
	size_t depth = 0;

	do {
		if (is(&parser->tokens[at], '(') || is(&parser->tokens[at], '[') ||
		    is(&parser->tokens[at], '{'))
			depth++;
		else if (is(&parser->tokens[at], ')') || is(&parser->tokens[at], ']') ||
			 is(&parser->tokens[at], '}'))
			depth--;
		at++;
	} while (depth);
	return at;
}

static bool is_utf8(const char *text, size_t len)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + len;

	while (at < end) {
		uint32_t code = *at, least;
		int more;

		if (*at++ < 0x80)
			continue;
		more = code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : 1;
		least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
		if (code < 0xc2 || code > 0xf4 || end - at < more)
			return false;
		code &= 0x3fu >> more;
		for (int i = 0; i < more; i++, at++) {
			if ((*at & 0xc0) != 0x80)
				return false;
			code = code << 6 | (*at & 0x3f);
		}
		if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return false;
	}
	return true;
}

static size_t macro_tokens(struct parser *parser, const struct token *token,
			   struct token ret[2])
{
	const struct arguments *arguments = parser->arguments;

	if (!arguments->macro || token->kind != TOKEN_IDENTIFIER)
		return 0;
	return arguments->macro(arguments->userdata, token, ret);
}

/* The string that TOKEN is, or is a macro for. */
static bool string_of(struct parser *parser, const struct token *token, struct token *ret)
{
	struct token macro[2];

	*ret = *token;
	if (token->kind == TOKEN_STRING)
		return true;
	if (macro_tokens(parser, token, macro) != 1 || macro[0].kind != TOKEN_STRING)
		return false;
	*ret = macro[0];
	return true;
}

/* One or more string literals, as one. */
static int parse_strings(struct parser *parser, struct slice slice, const char **ret_text,
			 size_t *ret_len)
{
	VECTOR(char) all = { 0 };

	for (size_t i = slice.start; i < slice.end; i++) {
		const struct token *token = &parser->tokens[i];
		struct token string;
		const char *bytes;
		size_t len;

		if (!string_of(parser, token, &string) ||
		    !lex_decode(parser->arguments->lexer, &string, parser->arena, &bytes,
				&len))
			return refuse(parser, token,
				      "this string has an escape that C does not know", "");
		for (size_t k = 0; k < len; k++)
			*VECTOR_ADD(parser->arena, &all) = bytes[k];
	}
	*ret_text = memory_copy(parser->arena, all.n ? all.items : "", all.n);
	*ret_len = all.n;
	return 0;
}

static int parse_string(struct parser *parser, struct slice slice, struct macro_value *value)
{
	const struct token *first = &parser->tokens[slice.start];
	size_t len;
	int r = parse_strings(parser, slice, &value->text, &len);

	if (r < 0)
		return r;
	if (memchr(value->text, '\0', len))
		return refuse(parser, first, "a string must not hold a NUL", "");
	if (!is_utf8(value->text, len))
		return refuse(parser, first, "this string is not UTF-8", "");
	value->kind = MACRO_VALUE_KIND_STRING;
	return 0;
}

/* Digits without C23's quotes between them. */
static char *digits_of(const struct parser *parser, const struct token *token)
{
	const char *text = text_of(parser, token);
	char *digits = memory_copy(parser->arena, text, strlen(text)), *to = digits;

	for (; *text; text++)
		if (*text != '\'')
			*to++ = *text;
	*to = '\0';
	return digits;
}

static bool is_integer_suffix(const char *text)
{
	static const char *const suffixes[] = { "",    "u",   "l", "ul", "lu", "ll",
						"ull", "llu", "z", "uz", "zu" };
	char lower[4] = "";

	if (strlen(text) > 3)
		return false;
	for (size_t i = 0; text[i]; i++)
		lower[i] = (char)(text[i] | 0x20);
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (strcmp(lower, suffixes[i]) == 0)
			return true;
	return false;
}

/* A floating constant without its suffix; false if DIGITS is none. */
static bool float_read(char *digits)
{
	bool is_hex = digits[0] == '0' && (digits[1] | 0x20) == 'x';
	char *end;

	if (!strpbrk(digits, is_hex ? "pP" : ".eE"))
		return false;
	(void)strtod(digits, &end);
	if (end == digits || strchr("nNiI", digits[0]))
		return false;
	if (*end && (!strchr("fFlL", *end) || end[1]))
		return false;
	*end = '\0';
	return true;
}

static int parse_number(struct parser *parser, const struct token *token, bool is_negative,
			struct macro_value *value)
{
	char *digits = digits_of(parser, token), *end;
	bool is_binary = digits[0] == '0' && (digits[1] | 0x20) == 'b';
	unsigned long long number;

	if (float_read(digits)) {
		value->kind = MACRO_VALUE_KIND_FLOAT;
		value->text = memory_check(cell_arena_printf(parser->arena, "%s%s",
							     is_negative ? "-" : "", digits));
		return 0;
	}
	errno = 0;
	number = is_binary ? strtoull(digits + 2, &end, 2) : strtoull(digits, &end, 0);
	if (end == digits || (is_binary && end == digits + 2) || !is_integer_suffix(end))
		return refuse(parser, token, "this is no number of C; write it as a string: ",
			      memory_check(
				      cell_arena_printf(parser->arena, "\"%s\"", digits)));
	if (errno || number > (unsigned long long)INT64_MAX + is_negative)
		return refuse(parser, token, "this number has more than 64 bits: ", digits);
	value->kind = MACRO_VALUE_KIND_INTEGER;
	value->integer = (int64_t)(is_negative ? 0 - number : number);
	return 0;
}

static int parse_character(struct parser *parser, const struct token *token,
			   struct macro_value *value)
{
	const char *bytes;
	size_t len;

	if (!lex_decode(parser->arguments->lexer, token, parser->arena, &bytes, &len) ||
	    len != 1)
		return refuse(parser, token, "this is no character; strings have two quotes",
			      "");
	value->kind = MACRO_VALUE_KIND_INTEGER;
	value->integer = bytes[0];
	return 0;
}

static const struct word {
	const char *word;
	enum macro_value_kind kind;
	int64_t integer;
} words[] = {
	{ "true", MACRO_VALUE_KIND_BOOL, 1 },    { "false", MACRO_VALUE_KIND_BOOL, 0 },
	{ "null", MACRO_VALUE_KIND_NULL, 0 },    { "NULL", MACRO_VALUE_KIND_NULL, 0 },
	{ "nullptr", MACRO_VALUE_KIND_NULL, 0 },
};

/* What became of the words where macros were expanded. */
static const struct {
	const char *text;
	size_t word;
} expanded_words[] = {
	{ "( ( _Bool ) + 1u )", 0 },
	{ "( ( _Bool ) + 0u )", 1 },
	{ "( ( void * ) 0 )", 3 },
};

/* The words that are literals. */
static bool word_read(struct parser *parser, const struct token *token,
		      struct macro_value *value)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (lex_is(parser->arguments->lexer, token, words[i].word)) {
			value->kind = words[i].kind;
			value->integer = words[i].integer;
			return true;
		}
	return false;
}

/* Anything else: its tokens, with a space between each two. */
static const char *tokens_text(struct parser *parser, struct slice slice)
{
	VECTOR(char) all = { 0 };

	for (size_t i = slice.start; i < slice.end; i++) {
		struct token one[2] = { parser->tokens[i] };
		size_t n = macro_tokens(parser, &parser->tokens[i], one);

		for (size_t k = 0; k < (n ? n : 1); k++) {
			if (all.n && k == 0)
				*VECTOR_ADD(parser->arena, &all) = ' ';
			for (const char *at = text_of(parser, &one[k]); *at; at++)
				*VECTOR_ADD(parser->arena, &all) = *at;
		}
	}
	return memory_copy(parser->arena, all.n ? all.items : "", all.n);
}

static int parse_one(struct parser *parser, const struct token *sign,
		     const struct token *token, struct macro_value *value)
{
	bool is_negative = sign && is(sign, '-');

	switch (token->kind) {
	case TOKEN_NUMBER: return parse_number(parser, token, is_negative, value);
	case TOKEN_CHARACTER: return parse_character(parser, token, value);
	default: break;
	}
	if (!word_read(parser, token, value)) {
		value->kind = MACRO_VALUE_KIND_IDENTIFIER;
		value->text = text_of(parser, token);
	}
	return 0;
}

static int parse_all(struct parser *parser, struct slice slice, uint32_t parent);

/* A slice of more than one token that is no list: a record if it can be one. */
static int parse_tokens(struct parser *parser, struct slice slice, struct macro_value *value)
{
	value->text = tokens_text(parser, slice);
	for (size_t i = 0; i < sizeof expanded_words / sizeof *expanded_words; i++)
		if (strcmp(value->text, expanded_words[i].text) == 0) {
			value->kind = words[expanded_words[i].word].kind;
			value->integer = words[expanded_words[i].word].integer;
			value->text = "";
			return 0;
		}
	value->kind = MACRO_VALUE_KIND_TOKENS;
	return 0;
}

/* Whether SLICE, which has brackets around it, is an expression in parentheses. */
static bool is_expression(struct parser *parser, struct slice inner)
{
	size_t n = 0, at = inner.start;
	bool is_list = false;

	/* One part, of several tokens, that is neither named nor a list nor strings. */
	for (; at < inner.end; n++) {
		is_list = is_list || is(&parser->tokens[at], ',') ||
			  is(&parser->tokens[at], '=') || is(&parser->tokens[at], ':');
		at = is(&parser->tokens[at], '(') || is(&parser->tokens[at], '[') ||
				     is(&parser->tokens[at], '{')
			     ? skip_bracket(parser, at)
			     : at + 1;
	}
	if (n < 2 || is_list)
		return false;
	if (n == 2 &&
	    (is(&parser->tokens[inner.start], '-') || is(&parser->tokens[inner.start], '+')))
		return parser->tokens[inner.start + 1].kind != TOKEN_NUMBER;
	return parser->tokens[inner.start].kind != TOKEN_STRING ||
	       parser->tokens[inner.start + 1].kind != TOKEN_STRING;
}

/* SLICE is not empty. INDEX is the value's. */
static int parse_value(struct parser *parser, struct slice slice, size_t index)
{
	const struct token *first = &parser->tokens[slice.start];
	struct macro_value value = parser->values.items[index];
	size_t n = slice.end - slice.start, strings = slice.start;
	struct slice inner = { slice.start + 1, slice.end - 1 };
	struct token macro[2];
	int r;

	if (first->kind == TOKEN_PUNCTUATOR && strchr("([{", (int)first->punctuator) &&
	    n > 1 && skip_bracket(parser, slice.start) == slice.end &&
	    (!is(first, '(') || !is_expression(parser, inner))) {
		value.kind = is(first, '[') ? MACRO_VALUE_KIND_LIST : MACRO_VALUE_KIND_RECORD;
		parser->values.items[index] = value;
		return parse_all(parser, inner, (uint32_t)index + 1);
	}
	while (strings < slice.end && string_of(parser, &parser->tokens[strings], &macro[0]))
		strings++;
	if (strings == slice.end) {
		r = parse_string(parser, slice, &value);
	} else if (n == 1 && first->kind == TOKEN_IDENTIFIER) {
		size_t k = macro_tokens(parser, first, macro);

		if (word_read(parser, first, &value))
			r = 0;
		else if (k)
			r = parse_one(parser, k == 2 ? &macro[0] : NULL, &macro[k - 1],
				      &value);
		else
			r = parse_one(parser, NULL, first, &value);
	} else if (n == 1 &&
		   (first->kind == TOKEN_NUMBER || first->kind == TOKEN_CHARACTER)) {
		r = parse_one(parser, NULL, first, &value);
	} else if (n == 2 && (is(first, '-') || is(first, '+')) &&
		   first[1].kind == TOKEN_NUMBER) {
		r = parse_one(parser, first, first + 1, &value);
	} else {
		r = parse_tokens(parser, slice, &value);
	}
	parser->values.items[index] = value;
	return r;
}

/* NAME = or NAME: at the start of SLICE; moves it behind. */
static int parse_name(struct parser *parser, struct slice *slice, const char **ret_name)
{
	const struct token *token = &parser->tokens[slice->start];
	size_t len;
	int r;

	*ret_name = "";
	/* a => b is an expression of somebody's. */
	if (slice->end - slice->start > 2 && is(token + 1, '=') && is(token + 2, '>') &&
	    token[1].end == token[2].start)
		return 0;
	if (slice->end - slice->start < 2 || (!is(token + 1, '=') && !is(token + 1, ':')))
		return 0;
	if (token->kind == TOKEN_IDENTIFIER) {
		*ret_name = text_of(parser, token);
	} else if (token->kind == TOKEN_STRING && is(token + 1, ':')) {
		r = parse_strings(parser, (struct slice){ slice->start, slice->start + 1 },
				  ret_name, &len);
		if (r < 0)
			return r;
		if (!len || memchr(*ret_name, '\0', len) || !is_utf8(*ret_name, len))
			return refuse(parser, token, "this is no name", "");
	} else {
		return 0;
	}
	if (slice->end - slice->start == 2)
		return refuse(parser, token + 1, "a value must follow '='", "");
	slice->start += 2;
	return 0;
}

/* ---- where a text comes from ---- */

/* The tokens of SLICE, with where the text of each begins: as parse_strings() joins them. */
static struct value_source source_strings(struct parser *parser, struct slice slice)
{
	size_t n = slice.end - slice.start, at = 0, len;
	struct value_part *parts = memory_new(parser->arena, n, sizeof *parts);

	for (size_t i = 0; i < n; i++) {
		const struct token *token = &parser->tokens[slice.start + i];
		struct token string;
		const char *bytes;

		parts[i] = (struct value_part){ at, *token, token->kind != TOKEN_STRING };
		if (string_of(parser, token, &string) &&
		    lex_decode(parser->arguments->lexer, &string, parser->arena, &bytes,
			       &len))
			at += len;
	}
	return (struct value_source){ parts, n };
}

/* The same as tokens_text() joins them. */
static struct value_source source_tokens(struct parser *parser, struct slice slice)
{
	size_t n = slice.end - slice.start, at = 0;
	struct value_part *parts = memory_new(parser->arena, n, sizeof *parts);

	for (size_t i = 0; i < n; i++) {
		const struct token *token = &parser->tokens[slice.start + i];
		struct slice one = { slice.start + i, slice.start + i + 1 };

		parts[i] = (struct value_part){ at, *token, true };
		at += strlen(tokens_text(parser, one)) + 1;
	}
	return (struct value_source){ parts, n };
}

/* Of SLICE, which has become the value at INDEX. */
static void source_add(struct parser *parser, struct slice slice, size_t index)
{
	switch (parser->values.items[index].kind) {
	case MACRO_VALUE_KIND_LIST:
	case MACRO_VALUE_KIND_RECORD: break;
	case MACRO_VALUE_KIND_STRING:
		parser->sources.items[index] = source_strings(parser, slice);
		break;
	default: parser->sources.items[index] = source_tokens(parser, slice); break;
	}
}

static bool is_word(char byte)
{
	return isalnum((unsigned char)byte) || byte == '_';
}

struct place arguments_place(const struct value_source *source, const struct lines *lines,
			     size_t offset, struct cell_arena *arena)
{
	const struct value_part *part = &source->parts[source->n - 1];
	struct lexer lexer;
	size_t start, end;

	while (part > source->parts && part->at > offset)
		part--;
	if (part->is_macro)
		return lines_place(lines, part->token.start, part->token.end);
	lex_init(&lexer, lines->text, lines->len, 0);
	start = end = lex_locate(&lexer, &part->token, offset - part->at, arena);
	while (end < part->token.end && is_word(lines->text[end]))
		end++;
	return lines_place(lines, start, end);
}

/* ---- lists of arguments ---- */

static int parse_argument(struct parser *parser, struct slice slice, uint32_t parent)
{
	struct place place = place_of(parser, &parser->tokens[slice.start],
				      &parser->tokens[slice.end - 1]);
	struct macro_value value = { .text = "", .parent = parent };
	int r = parse_name(parser, &slice, &value.name);
	size_t index = parser->values.n;

	if (r < 0)
		return r;
	if (index == ARGUMENTS_VALUES_MAX)
		return refuse(parser, &parser->tokens[slice.start],
			      "these are too many values", "");
	*VECTOR_ADD(parser->arena, &parser->values) = value;
	*VECTOR_ADD(parser->arena, &parser->places) = place;
	*VECTOR_ADD(parser->arena, &parser->sources) = (struct value_source){ 0 };
	r = parse_value(parser, slice, index);
	if (r == 0)
		source_add(parser, slice, index);
	return r;
}

/* What is between commas. One more at the end is allowed. */
static int parse_all(struct parser *parser, struct slice slice, uint32_t parent)
{
	int r = 0;

	if (parser->depth == ARGUMENTS_DEPTH_MAX)
		return refuse(parser, &parser->tokens[slice.start - 1],
			      "this is nested too deeply", "");
	parser->depth++;
	while (r == 0 && slice.start < slice.end) {
		size_t end = slice.start;

		while (end < slice.end && !is(&parser->tokens[end], ','))
			end = is(&parser->tokens[end], '(') ||
					      is(&parser->tokens[end], '[') ||
					      is(&parser->tokens[end], '{')
				      ? skip_bracket(parser, end)
				      : end + 1;
		if (end == slice.start)
			r = refuse(parser, &parser->tokens[end],
				   "there is nothing before this comma", "");
		else
			r = parse_argument(parser, (struct slice){ slice.start, end },
					   parent);
		slice.start = end + 1;
	}
	parser->depth--;
	return r;
}

/* What no compiler takes, even within an attribute. */
static int check_tokens(struct parser *parser)
{
	const struct arguments *arguments = parser->arguments;

	for (size_t i = 0; i < arguments->n_tokens; i++) {
		const struct token *token = &arguments->tokens[i];
		struct macro_value ignored = { 0 };
		int r;

		if (token->is_unterminated)
			return refuse(parser, token, "the closing quote is missing", "");
		if (token->kind == TOKEN_STRAY || is(token, '#') ||
		    (token->kind == TOKEN_PUNCTUATOR &&
		     token->punctuator == PUNCTUATOR_2('#', '#')))
			return refuse(parser, token,
				      "this is nothing that C knows; write it as a string",
				      "");
		if (token->kind == TOKEN_NUMBER) {
			r = parse_number(parser, token, true, &ignored);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int arguments_parse(const struct arguments *arguments, struct cell_arena *arena,
		    struct diag *diag, struct argument_table *ret)
{
	struct parser parser = { .arguments = arguments,
				 .tokens = arguments->tokens,
				 .arena = arena,
				 .diag = diag };
	int r = check_tokens(&parser);

	if (r == 0)
		r = parse_all(&parser, (struct slice){ 0, arguments->n_tokens }, 0);
	if (r < 0)
		return r;
	*ret = (struct argument_table){ parser.values.items, parser.places.items,
					parser.sources.items, parser.values.n };
	return 0;
}
