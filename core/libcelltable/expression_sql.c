/* The same in PostgreSQL's SQL. */
#include <cell/internal/table/expression.h>

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "expression_tree.h"

/* Text that grows in an arena. */
struct sql {
	struct cell_arena *arena;
	char *text;
	size_t len, room;
	bool failed;
};

static char *reserve(struct sql *sql, size_t more)
{
	size_t room = sql->room ? sql->room : 128;
	char *text;

	while (room - sql->len < more + 1)
		room *= 2;
	if (room > sql->room) {
		text = cell_arena_alloc(sql->arena, room);
		if (!text) {
			sql->failed = true;
			return NULL;
		}
		if (sql->len)
			memcpy(text, sql->text, sql->len);
		sql->text = text;
		sql->room = room;
	}
	return sql->text + sql->len;
}

static void put(struct sql *sql, const char *text, size_t len)
{
	char *at = sql->failed ? NULL : reserve(sql, len);

	if (!at)
		return;
	memcpy(at, text, len);
	sql->len += len;
	at[len] = '\0';
}

static void put_word(struct sql *sql, const char *text)
{
	put(sql, text, strlen(text));
}

/* Every QUOTE in it twice. */
static void put_doubled(struct sql *sql, const char *text, size_t len, char quote)
{
	put(sql, &quote, 1);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == quote)
			put(sql, &quote, 1);
		put(sql, &text[i], 1);
	}
	put(sql, &quote, 1);
}

/* --- literals and columns ------------------------------------------------------------------------ */

/* A backslash is one in E'', whatever standard_conforming_strings says. */
static void put_text(struct sql *sql, const struct value *value)
{
	const char *text = (const char *)value->bytes;

	if (!value->len || !memchr(text, '\\', value->len)) {
		put_doubled(sql, text, value->len, '\'');
		return;
	}
	put_word(sql, "E'");
	for (size_t i = 0; i < value->len; i++) {
		if (text[i] == '\\' || text[i] == '\'')
			put(sql, &text[i], 1);
		put(sql, &text[i], 1);
	}
	put_word(sql, "'");
}

static void put_bytes(struct sql *sql, const struct value *value)
{
	char digits[3];

	put_word(sql, "'\\x");
	for (size_t i = 0; i < value->len; i++) {
		(void)snprintf(digits, sizeof digits, "%02x", value->bytes[i]);
		put(sql, digits, 2);
	}
	put_word(sql, "'::bytea");
}

static void put_literal(struct sql *sql, const struct expression *e)
{
	char number[48];

	switch (e->value.kind) {
	case VALUE_NULL: put_word(sql, "NULL"); return;
	case VALUE_BOOL: put_word(sql, e->value.boolean ? "true" : "false"); return;
	case VALUE_TEXT: put_text(sql, &e->value); return;
	case VALUE_BYTES: put_bytes(sql, &e->value); return;
	case VALUE_INT:
		(void)snprintf(number, sizeof number, e->value.integer < 0 ? "(%" PRId64 ")"
									      : "%" PRId64,
			       e->value.integer);
		break;
	case VALUE_UINT:
		(void)snprintf(number, sizeof number, "%" PRIu64, e->value.natural);
		break;
	default:
		/* Without the type it would be a decimal, which is reckoned with in another way. */
		(void)snprintf(number, sizeof number, "'%.17g'::float8", e->value.real);
		break;
	}
	put_word(sql, number);
}

static void put_name(struct sql *sql, const struct table_column *column)
{
	put_doubled(sql, column->name, strlen(column->name), '"');
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* COLUMN is of an enum of the database's own, which has names and no numbers. */
static bool has_labels(const struct table_column *column)
{
	static const char *const numbers[] = { "smallint", "integer", "bigint", "int2", "int4", "int8" };

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(column->native, numbers[i]) == 0)
			return false;
	return column->type == TABLE_COLUMN_TYPE_ENUM && column->native[0];
}

static void put_labels(struct sql *sql, const struct table_column *column)
{
	char number[24];

	put_word(sql, "(CASE ");
	put_name(sql, column);
	for (size_t i = 0; i < column->n_values; i++) {
		put_word(sql, " WHEN ");
		put_doubled(sql, column->values[i].name, strlen(column->values[i].name), '\'');
		(void)snprintf(number, sizeof number, " THEN %" PRId32, column->values[i].number);
		put_word(sql, number);
	}
	put_word(sql, " END)");
}

/* PREFIX, the column's name, SUFFIX. */
static void put_around(struct sql *sql, const char *prefix, const struct table_column *column,
		       const char *suffix)
{
	put_word(sql, prefix);
	put_name(sql, column);
	put_word(sql, suffix);
}

/*
 * A column as the value that rows have of it. Differences of times rather than extract() of one:
 * that would depend on the time zone, and no index or generated column could be made of it.
 */
static void put_column(struct sql *sql, const struct table_column *column)
{
	const char *native = column->repeated ? "" : column->native;
	bool is_text = begins(native, "text") || begins(native, "varchar") || begins(native, "char");

	if (!native[0] || column->encrypted)
		put_name(sql, column);
	else if (begins(native, "timestamptz") || begins(native, "timestamp with time zone"))
		put_around(sql, "(extract(epoch FROM ", column,
			   " - '1970-01-01 00:00:00+00'::timestamptz) * 1000000)::int8");
	else if (begins(native, "timestamp"))
		put_around(sql, "(extract(epoch FROM ", column,
			   " - '1970-01-01 00:00:00'::timestamp) * 1000000)::int8");
	else if (strcmp(native, "date") == 0)
		put_around(sql, "(", column, " - '1970-01-01'::date)");
	else if (strcmp(native, "uuid") == 0)
		put_around(sql, "uuid_send(", column, ")");
	else if (has_labels(column))
		put_labels(sql, column);
	else if (column->type == TABLE_COLUMN_TYPE_TEXT && !is_text)
		put_around(sql, "", column, "::text");
	else
		put_name(sql, column);
}

/* --- operations ------------------------------------------------------------------------------------ */

static void put_expression(struct sql *sql, const struct expression *e);

/*
 * An operand of arithmetic, in the type that we reckon in: 64 bits for a signed number, more
 * than that for an unsigned one, which PostgreSQL does not have.
 */
static void put_operand(struct sql *sql, const struct expression *e, enum value_kind kind)
{
	bool is_column = e->operation == OPERATION_COLUMN;

	put_expression(sql, e);
	if (kind == VALUE_REAL && !(e->operation == OPERATION_LITERAL && e->kind == VALUE_REAL))
		put_word(sql, "::float8");
	else if (kind == VALUE_UINT && is_column)
		put_word(sql, "::numeric");
	else if (kind == VALUE_INT && (is_column || e->operation == OPERATION_LITERAL))
		put_word(sql, "::int8");
}

static void put_binary(struct sql *sql, const struct expression *e, const char *sign)
{
	put_word(sql, "(");
	put_operand(sql, e->of[0], e->operands);
	put_word(sql, sign);
	put_operand(sql, e->of[1], e->operands);
	put_word(sql, ")");
}

/* Numbers without a fraction: "/" of numerics has one. */
static void put_division(struct sql *sql, const struct expression *e)
{
	if (e->operands != VALUE_UINT) {
		put_binary(sql, e, " / ");
		return;
	}
	put_word(sql, "div(");
	put_operand(sql, e->of[0], VALUE_UINT);
	put_word(sql, ", ");
	put_operand(sql, e->of[1], VALUE_UINT);
	put_word(sql, ")");
}

/* A column that is of the database's own type. */
static const struct table_column *native_column(const struct expression *e)
{
	return e->operation == OPERATION_COLUMN && e->column->native[0] ? e->column : NULL;
}

/* What can be compared as the database has it, so that indexes help. False: nothing was put. */
static bool put_natives(struct sql *sql, const struct expression *e, const char *sign)
{
	const struct table_column *a = native_column(e->of[0]), *b = native_column(e->of[1]);
	bool is_equality = e->operation == OPERATION_EQUAL || e->operation == OPERATION_NOT_EQUAL;

	if (a && b && a->type != TABLE_COLUMN_TYPE_ENUM && a->type != TABLE_COLUMN_TYPE_TEXT &&
	    strcmp(a->native, b->native) == 0) {
		put_around(sql, "(", a, sign);
		put_around(sql, "", b, ")");
		return true;
	}
	/* kind == RED, either way round; the enumerator is known to be one of the column's. */
	for (size_t i = 0; i < 2 && is_equality; i++) {
		const struct table_column *column = i ? b : a;
		const struct expression *other = e->of[1 - i];

		if (!column || !has_labels(column) || other->operation != OPERATION_LITERAL ||
		    other->column != column)
			continue;
		put_around(sql, "(", column, sign);
		put_doubled(sql, other->text, other->text_len, '\'');
		put_word(sql, ")");
		return true;
	}
	return false;
}

static void put_comparison(struct sql *sql, const struct expression *e, const char *sign)
{
	bool is_real = e->operands == VALUE_REAL;

	if (put_natives(sql, e, sign))
		return;
	put_word(sql, "(");
	for (size_t i = 0; i < 2; i++) {
		const struct expression *of = e->of[i];

		put_word(sql, i ? sign : "");
		/* A float against what it is not: as a double. Columns alone, so that indexes help. */
		if (is_real && of->operation == OPERATION_COLUMN &&
		    of->column->type != TABLE_COLUMN_TYPE_DOUBLE)
			put_operand(sql, of, VALUE_REAL);
		else
			put_expression(sql, of);
		/* The order of bytes, not of a language. */
		if (e->operands == VALUE_TEXT && of->kind == VALUE_TEXT)
			put_word(sql, " COLLATE \"C\"");
	}
	put_word(sql, ")");
}

/* PREFIX the operands, with SEPARATOR between them, SUFFIX. */
static void put_list(struct sql *sql, const struct expression *e, const char *prefix,
		     const char *separator, const char *suffix)
{
	put_word(sql, prefix);
	for (size_t i = 0; i < e->n; i++) {
		put_word(sql, i ? separator : "");
		put_expression(sql, e->of[i]);
	}
	put_word(sql, suffix);
}

/* Where the condition is NULL neither is chosen: the form with a value gives NULL then. */
static void put_choice(struct sql *sql, const struct expression *e)
{
	put_word(sql, "(CASE ");
	put_expression(sql, e->of[0]);
	put_word(sql, " WHEN true THEN ");
	put_expression(sql, e->of[1]);
	put_word(sql, " WHEN false THEN ");
	put_expression(sql, e->of[2]);
	put_word(sql, " END)");
}

static void put_expression(struct sql *sql, const struct expression *e)
{
	switch (e->operation) {
	case OPERATION_LITERAL: put_literal(sql, e); return;
	case OPERATION_COLUMN: put_column(sql, e->column); return;
	case OPERATION_NOT: put_list(sql, e, "(NOT ", "", ")"); return;
	case OPERATION_NEGATE: put_list(sql, e, "(- ", "", ")"); return;
	case OPERATION_MULTIPLY: put_binary(sql, e, " * "); return;
	case OPERATION_DIVIDE: put_division(sql, e); return;
	case OPERATION_REMAINDER: put_binary(sql, e, " % "); return;
	case OPERATION_ADD: put_binary(sql, e, " + "); return;
	case OPERATION_SUBTRACT: put_binary(sql, e, " - "); return;
	case OPERATION_LESS: put_comparison(sql, e, " < "); return;
	case OPERATION_LESS_EQUAL: put_comparison(sql, e, " <= "); return;
	case OPERATION_GREATER: put_comparison(sql, e, " > "); return;
	case OPERATION_GREATER_EQUAL: put_comparison(sql, e, " >= "); return;
	case OPERATION_EQUAL: put_comparison(sql, e, " = "); return;
	case OPERATION_NOT_EQUAL: put_comparison(sql, e, " <> "); return;
	case OPERATION_AND: put_list(sql, e, "(", " AND ", ")"); return;
	case OPERATION_OR: put_list(sql, e, "(", " OR ", ")"); return;
	case OPERATION_CHOOSE: put_choice(sql, e); return;
	case OPERATION_LENGTH: put_list(sql, e, "octet_length(", "", ")"); return;
	case OPERATION_COUNT: put_list(sql, e, "cardinality(", "", ")"); return;
	case OPERATION_LOWER: put_list(sql, e, "lower(", "", " COLLATE \"C\")"); return;
	case OPERATION_UPPER: put_list(sql, e, "upper(", "", " COLLATE \"C\")"); return;
	case OPERATION_STARTS_WITH: put_list(sql, e, "starts_with(", ", ", ")"); return;
	case OPERATION_CONTAINS: put_list(sql, e, "(strpos(", ", ", ") > 0)"); return;
	case OPERATION_COALESCE: put_list(sql, e, "coalesce(", ", ", ")"); return;
	case OPERATION_IS_NULL: put_list(sql, e, "(", "", " IS NULL)"); return;
	}
}

const char *expression_sql(const struct expression *expression, struct cell_arena *arena)
{
	struct sql sql = { .arena = arena };

	put_expression(&sql, expression);
	return sql.failed ? NULL : sql.text;
}
