/*
 * What stands in the parentheses of an attribute: tokens in, a table of values out. Pure.
 *
 *	argument: value | name = value | name: value
 *	value:    "string" | 5 | -5 | 2.5 | 'c' | true | false | null | identifier
 *	        | [argument, …] | (argument, …) | {argument, …} | any other balanced tokens
 */
#pragma once

#include "diag.h"
#include "lex.h"
#include "lines.h"

#include <cell/arena.h>
#include "macro.cell.h"

/* Lists and records in each other; values of one attribute. Nobody writes that by hand. */
#define ARGUMENTS_DEPTH_MAX  32
#define ARGUMENTS_VALUES_MAX 4096

/*
 * What the identifier NAME stands for if it is a macro defined to one literal: its tokens (a
 * sign and the literal) to RET. Returns how many, 0 if it is no such macro.
 */
typedef size_t arguments_macro_fn(void *userdata, const struct token *name, struct token ret[2]);

/* A value's text is made of tokens, and each of them begins at byte AT of it. */
struct value_source {
	const struct value_part {
		size_t at;
		struct token token;
		bool is_macro; /* what it was defined as stands there */
	} *parts;
	size_t n; /* 0: of lists and records */
};

struct arguments {
	const char *ns, *name;          /* of the attribute, for messages */
	const struct lexer *lexer;      /* whose text the tokens are of */
	const struct lines *lines;
	const struct token *tokens;     /* between the parentheses, balanced */
	size_t n_tokens;
	arguments_macro_fn *macro;      /* NULL: there are none */
	void *userdata;
};

/* One entry for each value. */
struct argument_table {
	const struct macro_value *values;   /* parents before what is in them, as in the source */
	const struct place *places;         /* of the name, if it has one */
	const struct value_source *sources; /* behind the name */
	size_t n;
};

/*
 * Read ARGUMENTS into a table, in ARENA. What is wrong is said to DIAG.
 *
 * Returns 0, or -EINVAL after an error was said.
 */
int arguments_parse(const struct arguments *arguments, struct cell_arena *arena,
		    struct diag *diag, struct argument_table *ret);

/*
 * The place of byte OFFSET of the text of the value that SOURCE (not of a list or record)
 * made: a word within its string literals, or a token. Behind the last: its end.
 */
struct place arguments_place(const struct value_source *source, const struct lines *lines,
			     size_t offset, struct cell_arena *arena);
