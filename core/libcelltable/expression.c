/* From text to a tree. */
#include <cell/internal/table/expression.h>

#include <errno.h>
#include <string.h>

#include "../libcell/guess.h"
#include "expression_tree.h"
#include "literal.h"

/* --- errors -------------------------------------------------------------------------------- */

struct expression *parsing_fail(struct parsing *p, const char *at, const char *format, ...)
{
	va_list args;

	if (p->code)
		return NULL;
	va_start(args, format);
	p->code = cell_failv(p->err, CELL_INVALID_ARGUMENT, format, args);
	va_end(args);
	if (p->ret_at)
		*p->ret_at = (size_t)(at - p->text);
	return NULL;
}

struct expression *parsing_no_memory(struct parsing *p)
{
	if (!p->code)
		p->code = cell_fail(p->err, -ENOMEM, "no memory for an expression");
	return NULL;
}

/* --- tokens -------------------------------------------------------------------------------- */

enum token_kind {
	TOKEN_END,
	TOKEN_NUMBER,
	TOKEN_TEXT,
	TOKEN_NAME,
	TOKEN_SIGN, /* an operator or bracket */
	TOKEN_WRONG
};

struct token {
	enum token_kind kind;
	const char *at;
	size_t len;
	struct value value; /* of a number or text */
};

struct parser {
	struct parsing *p;
	const char *at;
	const char *end;    /* of the token before */
	struct token token; /* the next one */
	unsigned depth;     /* brackets and signs that are open */
};

static bool is_name(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!is_first && c >= '0' && c <= '9');
}

static size_t sign_len(const char *at)
{
	static const char *const two[] = { "||", "&&", "==", "!=", "<=", ">=" };

	for (size_t i = 0; i < sizeof two / sizeof *two; i++)
		if (strncmp(at, two[i], 2) == 0)
			return 2;
	return *at && strchr("!<>+-*/%?:(),", *at) ? 1 : 0;
}

static bool token_fail(struct parser *parser, const char *at, const char *why)
{
	parser->token = (struct token){ .kind = TOKEN_WRONG, .at = at };
	(void)parsing_fail(parser->p, at, "%s", why);
	return false;
}

static bool take_wrong(struct parser *parser)
{
	const char *at = parser->at;

	if (*at == '=')
		return token_fail(parser, at, "'=' assigns: write '=='");
	if (*at == '\'')
		return token_fail(parser, at, "text stands in \"…\"");
	if (strchr("&|^~", *at))
		return token_fail(parser, at, "there are no operators on bits");
	(void)parsing_fail(parser->p, at, (unsigned char)*at < 0x80 && *at >= 0x20
						  ? "nothing begins with '%.1s'"
						  : "a character that no expression has",
			   at);
	return token_fail(parser, at, "");
}

static bool take_literal(struct parser *parser)
{
	struct token *token = &parser->token;
	bool is_text = *token->at == '"';
	const char *end, *why;

	token->kind = is_text ? TOKEN_TEXT : TOKEN_NUMBER;
	end = is_text ? literal_text(token->at, &token->value, parser->p->arena, &why)
		      : literal_number(token->at, &token->value, &why);
	if (end) {
		token->len = (size_t)(end - token->at);
		return true;
	}
	if (!why)
		(void)parsing_no_memory(parser->p);
	else
		(void)parsing_fail(parser->p, token->at, "'%.20s' %s", token->at, why);
	token->kind = TOKEN_WRONG;
	return false;
}

/* Read the next token. False, and TOKEN_WRONG, if there is none. */
static bool advance(struct parser *parser)
{
	struct token *token = &parser->token;

	parser->end = token->at + token->len;
	parser->at = parser->end;
	parser->at += strspn(parser->at, " \t\r\n");
	*token = (struct token){ .kind = TOKEN_END, .at = parser->at };
	if (!*parser->at)
		return true;
	if (*parser->at == '"' || literal_is_number(parser->at))
		return take_literal(parser);
	if (is_name(*parser->at, true)) {
		token->kind = TOKEN_NAME;
		while (is_name(parser->at[token->len], false))
			token->len++;
		return true;
	}
	token->kind = TOKEN_SIGN;
	token->len = sign_len(parser->at);
	return token->len || take_wrong(parser);
}

static bool token_is(const struct token *token, const char *word)
{
	return strlen(word) == token->len && memcmp(token->at, word, token->len) == 0;
}

static bool next_is(const struct parser *parser, const char *sign)
{
	return parser->token.kind == TOKEN_SIGN && token_is(&parser->token, sign);
}

/* SIGN comes now, and is taken. */
static bool expect(struct parser *parser, const char *sign)
{
	if (next_is(parser, sign))
		return advance(parser);
	if (parser->token.kind == TOKEN_END)
		(void)parsing_fail(parser->p, parser->token.at, "'%s' is missing at the end", sign);
	else
		(void)parsing_fail(parser->p, parser->token.at, "'%s' is missing before '%.*s'", sign,
				   (int)parser->token.len, parser->token.at);
	return false;
}

/* --- names --------------------------------------------------------------------------------- */

static const struct function {
	const char *name;
	enum operation operation;
	size_t n;
} functions[] = {
	{ "length", OPERATION_LENGTH, 1 },	     { "count", OPERATION_COUNT, 1 },
	{ "lower", OPERATION_LOWER, 1 },	     { "upper", OPERATION_UPPER, 1 },
	{ "starts_with", OPERATION_STARTS_WITH, 2 }, { "contains", OPERATION_CONTAINS, 2 },
	{ "coalesce", OPERATION_COALESCE, 2 },	     { "is_null", OPERATION_IS_NULL, 1 },
};
#define N_FUNCTIONS (sizeof functions / sizeof *functions)

static struct expression *leaf(struct parser *parser, const struct token *token)
{
	struct expression *e = cell_arena_calloc(parser->p->arena, 1, sizeof *e);

	if (!e)
		return parsing_no_memory(parser->p);
	e->operation = OPERATION_LITERAL;
	e->text = token->at;
	e->text_len = token->len;
	e->value = token->value;
	e->kind = e->value.kind;
	return e;
}

static struct expression *boolean(struct parser *parser, const struct token *token, bool value)
{
	struct expression *e = leaf(parser, token);

	if (e) {
		e->kind = VALUE_BOOL;
		e->value = (struct value){ .kind = VALUE_BOOL, .boolean = value };
	}
	return e;
}

static struct expression *column_leaf(struct parser *parser, const struct token *token,
				      size_t index)
{
	const struct table_column *column = &parser->p->columns[index];
	struct expression *e = leaf(parser, token);

	if (e) {
		e->operation = OPERATION_COLUMN;
		e->kind = column->repeated ? VALUE_LIST : value_kind_of(column->type);
		e->column = column;
		e->index = index;
	}
	return e;
}

/* The enumerator of any enum that there is among the columns; NULL, and no error, if it is none. */
static struct expression *enumerator(struct parser *parser, const struct token *token)
{
	const struct parsing *p = parser->p;

	for (size_t i = 0; i < p->n_columns; i++)
		for (size_t v = 0; v < p->columns[i].n_values; v++) {
			struct expression *e;

			if (!token_is(token, p->columns[i].values[v].name))
				continue;
			e = leaf(parser, token);
			if (!e)
				return NULL;
			e->kind = VALUE_INT;
			e->value = (struct value){ .kind = VALUE_INT,
						   .integer = p->columns[i].values[v].number };
			e->column = &p->columns[i];
			e->is_either = true;
			return e;
		}
	return NULL;
}

/* WORD is TOKEN, that nothing is called. */
static struct expression *unknown(struct parser *parser, const struct token *token,
				  bool is_function)
{
	const struct parsing *p = parser->p;
	const char *word = cell_arena_strndup(p->arena, token->at, token->len);
	struct guess guess = { .word = word };

	if (!word)
		return parsing_no_memory(parser->p);
	for (size_t i = 0; is_function && i < N_FUNCTIONS; i++)
		guess_try(&guess, functions[i].name);
	for (size_t i = 0; !is_function && i < p->n_columns; i++) {
		guess_try(&guess, p->columns[i].name);
		for (size_t v = 0; v < p->columns[i].n_values; v++)
			guess_try(&guess, p->columns[i].values[v].name);
	}
	return parsing_fail(parser->p, token->at, "no %s '%s'%s%s%s",
			    is_function ? "function" : "column", word,
			    guess.best ? " (did you mean '" : "", guess.best ? guess.best : "",
			    guess.best ? "'?)" : "");
}

static struct expression *name(struct parser *parser, const struct token *token)
{
	const struct parsing *p = parser->p;
	struct expression *e;

	for (size_t i = 0; i < p->n_columns; i++)
		if (token_is(token, p->columns[i].name))
			return column_leaf(parser, token, i);
	if (token_is(token, "true") || token_is(token, "false"))
		return boolean(parser, token, token->len == 4);
	if (token_is(token, "NULL"))
		return leaf(parser, token);
	e = enumerator(parser, token);
	return e || p->code ? e : unknown(parser, token, false);
}

/* --- what is made of them -------------------------------------------------------------------- */

static struct expression *choice(struct parser *parser);

static struct expression *call(struct parser *parser, const struct token *token)
{
	struct expression *of[OPERANDS_MAX];
	const struct function *function = functions, *end = functions + N_FUNCTIONS;
	size_t n = 0;

	while (function < end && !token_is(token, function->name))
		function++;
	if (function == end)
		return unknown(parser, token, true);
	if (!expect(parser, "("))
		return NULL;
	while (n < function->n) {
		if (n && !expect(parser, ","))
			return NULL;
		of[n] = choice(parser);
		if (!of[n++])
			return NULL;
	}
	if (!expect(parser, ")"))
		return NULL;
	return expression_make(parser->p, function->operation, token->at,
			       (size_t)(parser->end - token->at), of, n);
}

static struct expression *number(struct parser *parser, const struct token *token)
{
	struct expression *e = leaf(parser, token);

	if (e && e->kind == VALUE_UINT && e->value.natural <= INT64_MAX) {
		e->kind = e->value.kind = VALUE_INT;
		e->is_either = true;
	}
	return e;
}

static struct expression *text(struct parser *parser, const struct token *token)
{
	struct expression *e = leaf(parser, token);

	if (e)
		e->is_either = true;
	return e;
}

static struct expression *in_brackets(struct parser *parser, const struct token *open)
{
	struct expression *e = choice(parser);

	if (!e || !expect(parser, ")"))
		return NULL;
	e->text = open->at;
	e->text_len = (size_t)(parser->end - open->at);
	return e;
}

static struct expression *primary(struct parser *parser)
{
	struct token token = parser->token;

	if (token.kind == TOKEN_END)
		return parsing_fail(parser->p, token.at, "something is missing at the end");
	if (!advance(parser))
		return NULL;
	switch (token.kind) {
	case TOKEN_NUMBER: return number(parser, &token);
	case TOKEN_TEXT: return text(parser, &token);
	case TOKEN_NAME:
		return next_is(parser, "(") ? call(parser, &token) : name(parser, &token);
	default: break;
	}
	if (token_is(&token, "("))
		return in_brackets(parser, &token);
	return parsing_fail(parser->p, token.at, "something is missing before '%.*s'",
			    (int)token.len, token.at);
}

/* Signs, of which there may be several, and what they stand before. */
static struct expression *unary(struct parser *parser)
{
	struct token sign = parser->token;
	struct expression *e;

	if (!next_is(parser, "!") && !next_is(parser, "-") && !next_is(parser, "+"))
		return primary(parser);
	if (++parser->depth > EXPRESSION_DEPTH_MAX)
		return parsing_fail(parser->p, sign.at, "more than %u brackets and signs within "
				    "each other", EXPRESSION_DEPTH_MAX);
	if (!advance(parser))
		return NULL;
	e = unary(parser);
	parser->depth--;
	if (!e)
		return NULL;
	if (*sign.at == '+' && e->kind != VALUE_INT && e->kind != VALUE_UINT &&
	    e->kind != VALUE_REAL && e->kind != VALUE_NULL)
		return parsing_fail(parser->p, sign.at, "'+' stands before what is no number");
	if (*sign.at == '+')
		return e;
	return expression_make(parser->p, *sign.at == '!' ? OPERATION_NOT : OPERATION_NEGATE,
			       sign.at, (size_t)(parser->end - sign.at), &e, 1);
}

static const struct binary {
	const char *sign;
	enum operation operation;
	unsigned precedence;
} binaries[] = {
	{ "||", OPERATION_OR, 1 },	 { "&&", OPERATION_AND, 2 },
	{ "==", OPERATION_EQUAL, 3 },	 { "!=", OPERATION_NOT_EQUAL, 3 },
	{ "<", OPERATION_LESS, 4 },	 { "<=", OPERATION_LESS_EQUAL, 4 },
	{ ">", OPERATION_GREATER, 4 },	 { ">=", OPERATION_GREATER_EQUAL, 4 },
	{ "+", OPERATION_ADD, 5 },	 { "-", OPERATION_SUBTRACT, 5 },
	{ "*", OPERATION_MULTIPLY, 6 },	 { "/", OPERATION_DIVIDE, 6 },
	{ "%", OPERATION_REMAINDER, 6 },
};

static const struct binary *binary_next(const struct parser *parser)
{
	for (size_t i = 0; i < sizeof binaries / sizeof *binaries; i++)
		if (next_is(parser, binaries[i].sign))
			return &binaries[i];
	return NULL;
}

/* Operators that bind at least as PRECEDENCE does, from the left. */
static struct expression *binary(struct parser *parser, unsigned precedence)
{
	struct expression *of[2] = { unary(parser), NULL };
	const struct binary *sign;

	while (of[0] && (sign = binary_next(parser)) && sign->precedence >= precedence) {
		if (!advance(parser))
			return NULL;
		of[1] = binary(parser, sign->precedence + 1);
		if (!of[1])
			return NULL;
		of[0] = expression_make(parser->p, sign->operation, of[0]->text,
					(size_t)(parser->end - of[0]->text), of, 2);
	}
	return of[0];
}

static struct expression *choice(struct parser *parser)
{
	struct expression *of[3], *e;

	if (++parser->depth > EXPRESSION_DEPTH_MAX)
		return parsing_fail(parser->p, parser->token.at,
				    "more than %u brackets and signs within each other",
				    EXPRESSION_DEPTH_MAX);
	of[0] = e = binary(parser, 1);
	if (e && next_is(parser, "?")) {
		if (!advance(parser))
			return NULL;
		of[1] = choice(parser);
		if (!of[1] || !expect(parser, ":"))
			return NULL;
		of[2] = choice(parser);
		if (!of[2])
			return NULL;
		e = expression_make(parser->p, OPERATION_CHOOSE, of[0]->text,
				    (size_t)(parser->end - of[0]->text), of, 3);
	}
	parser->depth--;
	return e;
}

int expression_parse(const struct expression **ret_expression, const char *text_in,
		     const struct table_column *columns, size_t n_columns,
		     struct cell_arena *arena, size_t *ret_at, struct cell_error *err)
{
	struct parsing p = { .columns = columns, .n_columns = n_columns, .arena = arena,
			     .err = err, .ret_at = ret_at };
	struct parser parser = { .p = &p };
	const struct expression *e;

	if (ret_at)
		*ret_at = 0;
	if (strlen(text_in) > EXPRESSION_TEXT_MAX)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "an expression of %zu bytes, limit %u", strlen(text_in),
				 EXPRESSION_TEXT_MAX);
	p.text = cell_arena_strdup(arena, text_in);
	if (!p.text)
		return cell_fail(err, -ENOMEM, "no memory for an expression");
	parser.token.at = p.text;
	if (!advance(&parser))
		return p.code;
	if (parser.token.kind == TOKEN_END)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "an empty expression");
	e = choice(&parser);
	if (!e)
		return p.code;
	if (parser.token.kind != TOKEN_END) {
		(void)parsing_fail(&p, parser.token.at, "'%.*s' makes no sense here",
				   (int)parser.token.len, parser.token.at);
		return p.code;
	}
	*ret_expression = e;
	return 0;
}
