/*
 * What an expression is made of, for the files that parse it, type it, compute it and write it
 * as SQL.
 */
#pragma once

#include <cell/internal/table/expression.h>

enum operation {
	OPERATION_LITERAL,
	OPERATION_COLUMN,
	OPERATION_NOT,
	OPERATION_NEGATE,
	OPERATION_MULTIPLY,
	OPERATION_DIVIDE,
	OPERATION_REMAINDER,
	OPERATION_ADD,
	OPERATION_SUBTRACT,
	OPERATION_LESS,
	OPERATION_LESS_EQUAL,
	OPERATION_GREATER,
	OPERATION_GREATER_EQUAL,
	OPERATION_EQUAL,
	OPERATION_NOT_EQUAL,
	OPERATION_AND,
	OPERATION_OR,
	OPERATION_CHOOSE,
	OPERATION_LENGTH,
	OPERATION_COUNT,
	OPERATION_LOWER,
	OPERATION_UPPER,
	OPERATION_STARTS_WITH,
	OPERATION_CONTAINS,
	OPERATION_COALESCE,
	OPERATION_IS_NULL
};

#define OPERANDS_MAX 3

struct expression {
	enum operation operation;
	enum value_kind kind;     /* of what it gives */
	enum value_kind operands; /* of numbers that are reckoned with or compared: what both become */
	bool is_either;           /* an INT that may become an UINT; a text that may become bytes */
	unsigned depth;           /* operators within it */
	size_t n;
	struct expression *of[OPERANDS_MAX];
	struct value value;                /* a literal's */
	const struct table_column *column; /* a column; of an enumerator, whose it is */
	size_t index;                      /* of the column */
	const char *text;                  /* as it is written, text_len bytes */
	size_t text_len;
};

/* What is being parsed. */
struct parsing {
	const char *text; /* a copy in the arena */
	const struct table_column *columns;
	size_t n_columns;
	struct cell_arena *arena;
	struct cell_error *err;
	size_t *ret_at;
	int code; /* the first error */
};

/* Remember that TEXT is wrong at AT, a place in p->text, and why. Returns NULL. */
struct expression *parsing_fail(struct parsing *p, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
struct expression *parsing_no_memory(struct parsing *p);

/* The operation on its N operands OF, types checked; what is constant is computed. NULL: p->code. */
struct expression *expression_make(struct parsing *p, enum operation operation, const char *text,
				   size_t text_len, struct expression *const *of, size_t n);
/* An enumerator is of COLUMN's enum rather than of another that has one of that name. */
bool expression_settle(struct parsing *p, struct expression *enumerator,
		       const struct table_column *column);
