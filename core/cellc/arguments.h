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

struct arguments {
	const char *ns, *name;          /* of the attribute, for messages */
	const struct lexer *lexer;      /* whose text the tokens are of */
	const struct lines *lines;
	const struct token *tokens;     /* between the parentheses, balanced */
	size_t n_tokens;
	arguments_macro_fn *macro;      /* NULL: there are none */
	void *userdata;
};

/*
 * Read ARGUMENTS into a table: parents before what is in them, in the order of the source.
 * A value's place is that of its name, if it has one. All lives in ARENA. What is wrong is
 * said to DIAG.
 *
 * Returns 0, or -EINVAL after an error was said.
 */
int arguments_parse(const struct arguments *arguments, struct cell_arena *arena,
		    struct diag *diag, const struct macro_value **ret_values,
		    const struct place **ret_places, size_t *ret_n);
