/*
 * Expressions over the columns of a row: C's syntax, what db::check, db::computed and filters
 * are written in. Pure.
 *
 *	balance >= 0    length(owner) <= 40 && owner != ""    kind == RED || price * n < 1000
 *
 * Operators of C with its precedence: || && ! == != < <= > >= + - * / % and the sign, ?: and
 * parentheses; no assignment, no bits. Literals: numbers, "text", true, false, NULL;
 * enumerators of the columns' enums. Columns by name. Functions: length(text or bytes) in
 * bytes, count(list), lower(text) and upper(text) in ASCII, starts_with(text, text),
 * contains(text, text), coalesce(a, b), is_null(a).
 *
 * Types are checked when it is parsed: integers are 64 bits and do not mix signed columns
 * with unsigned ones (a literal is either); integers and reals mix to real. NULL makes NULL,
 * and && and || know three values, as in SQL. An overflow or a division by zero is an error.
 */
#pragma once

#include <cell/internal/table/value.h>

/* Operators within operators: far more than anybody writes. */
#define EXPRESSION_DEPTH_MAX 64
#define EXPRESSION_TEXT_MAX  4096

struct expression;

/*
 * Parse TEXT over COLUMNS. *ret_expression lives in ARENA, as does what it needs of TEXT;
 * COLUMNS must outlive it. Returns 0, -ENOMEM, or CELL_INVALID_ARGUMENT with *ret_at (may be
 * NULL) the byte of TEXT where it is wrong: "no column 'balence' (did you mean 'balance'?)",
 * "'owner' is text, and is compared with a number".
 */
int expression_parse(const struct expression **ret_expression, const char *text,
		     const struct table_column *columns, size_t n_columns,
		     struct cell_arena *arena, size_t *ret_at, struct cell_error *err);

/* What it gives; VALUE_NULL for one that is always NULL. */
enum value_kind expression_kind(const struct expression *expression);

/* Whether a value of it can be stored in COLUMN (which is computed). */
bool expression_fits(const struct expression *expression, const struct table_column *column);

/* Whether it reads the column with this index. */
bool expression_uses(const struct expression *expression, size_t column);

/*
 * Its value for a row. Text in it lives in ARENA or in VALUES. Returns 0, -ENOMEM, or
 * CELL_OUT_OF_RANGE: "price * n overflows", "division by zero".
 */
int expression_value(const struct expression *expression, const struct value *values,
		     struct value *ret_value, struct cell_arena *arena, struct cell_error *err);

/*
 * The same in PostgreSQL's SQL, names quoted, in ARENA; NULL without memory. Equal in all rows
 * that PostgreSQL can hold, except that it has other limits of overflow for int32.
 */
const char *expression_sql(const struct expression *expression, struct cell_arena *arena);
