/* What goes with what, found while an expression is parsed. */
#include <string.h>

#include "../libcell/guess.h"
#include "expression_tree.h"

/* --- words ----------------------------------------------------------------------------------- */

static bool is_number(const struct expression *e)
{
	return e->kind == VALUE_INT || e->kind == VALUE_UINT || e->kind == VALUE_REAL;
}

static const char *what(const struct expression *e)
{
	switch (e->kind) {
	case VALUE_NULL: return "NULL";
	case VALUE_BOOL: return "true or false";
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_REAL: return "a number";
	case VALUE_TEXT: return "text";
	case VALUE_BYTES: return "bytes";
	case VALUE_LIST: break;
	}
	return "a list";
}

static struct expression *is_not(struct parsing *p, const struct expression *e, const char *wanted)
{
	return parsing_fail(p, e->text, "'%.*s' is %s, not %s", (int)e->text_len, e->text, what(e),
			    wanted);
}

/* A and B are of kinds that do not go together: "'owner' is text, and is compared with a number". */
static struct expression *mismatch(struct parsing *p, const struct expression *a,
				   const struct expression *b, const char *done)
{
	const struct expression *subject = a->operation == OPERATION_LITERAL ? b : a;
	const struct expression *other = subject == a ? b : a;

	return parsing_fail(p, subject->text, "'%.*s' is %s, and is %s %s", (int)subject->text_len,
			    subject->text, what(subject), done, what(other));
}

/* --- enums ----------------------------------------------------------------------------------- */

bool expression_settle(struct parsing *p, struct expression *enumerator,
		       const struct table_column *column)
{
	struct guess guess;
	char *word;

	if (enumerator->operation != OPERATION_LITERAL || !enumerator->column)
		return true;
	word = cell_arena_strndup(p->arena, enumerator->text, enumerator->text_len);
	if (!word) {
		(void)parsing_no_memory(p);
		return false;
	}
	guess = (struct guess){ .word = word };
	for (size_t i = 0; i < column->n_values; i++) {
		if (strcmp(column->values[i].name, word) == 0) {
			enumerator->value.integer = column->values[i].number;
			enumerator->column = column;
			return true;
		}
		guess_try(&guess, column->values[i].name);
	}
	(void)parsing_fail(p, enumerator->text, "'%s' has no value %s%s%s%s", column->name, word,
			   guess.best ? " (did you mean '" : "", guess.best ? guess.best : "",
			   guess.best ? "'?)" : "");
	return false;
}

static bool is_enum(const struct expression *e)
{
	return e->operation == OPERATION_COLUMN && e->column->type == TABLE_COLUMN_TYPE_ENUM;
}

/* --- what two operands become ------------------------------------------------------------------ */

/* An INT literal where the other one is an UINT. */
static bool as_natural(struct parsing *p, struct expression *e, const struct expression *other)
{
	if (e->operation == OPERATION_LITERAL && e->value.integer < 0) {
		(void)parsing_fail(p, e->text, "'%.*s' is never negative, and %.*s is",
				   (int)other->text_len, other->text, (int)e->text_len, e->text);
		return false;
	}
	return true;
}

/* The kind that numbers A and B are reckoned with or compared in; VALUE_NULL: p->code says why not. */
static enum value_kind numbers(struct parsing *p, struct expression *a, struct expression *b)
{
	const struct expression *subject;

	if (a->kind == VALUE_REAL || b->kind == VALUE_REAL)
		return VALUE_REAL;
	if (a->kind == b->kind)
		return a->kind;
	if (a->kind == VALUE_INT && a->is_either)
		return as_natural(p, a, b) ? VALUE_UINT : VALUE_NULL;
	if (b->kind == VALUE_INT && b->is_either)
		return as_natural(p, b, a) ? VALUE_UINT : VALUE_NULL;
	subject = a->operation == OPERATION_LITERAL ? b : a;
	(void)parsing_fail(p, subject->text, "'%.*s' is %s, and '%.*s' is %s",
			   (int)a->text_len, a->text,
			   a->kind == VALUE_INT ? "signed" : "unsigned", (int)b->text_len, b->text,
			   b->kind == VALUE_INT ? "signed" : "unsigned");
	return VALUE_NULL;
}

/*
 * The kind that A and B have in common, NULL going with everything. False: p->code says why
 * there is none; DONE is what is done with them.
 */
static bool common(struct parsing *p, struct expression *a, struct expression *b,
		   const char *done, enum value_kind *ret)
{
	*ret = a->kind == VALUE_NULL ? b->kind : a->kind;
	if (a->kind == VALUE_NULL || b->kind == VALUE_NULL)
		return true;
	if (is_number(a) && is_number(b)) {
		*ret = numbers(p, a, b);
		return *ret != VALUE_NULL;
	}
	if (a->kind == VALUE_TEXT && a->is_either && b->kind == VALUE_BYTES)
		a->kind = a->value.kind = *ret = VALUE_BYTES;
	else if (b->kind == VALUE_TEXT && b->is_either && a->kind == VALUE_BYTES)
		b->kind = b->value.kind = VALUE_BYTES;
	if (a->kind == b->kind)
		return true;
	(void)mismatch(p, a, b, done);
	return false;
}

/* --- each operation ---------------------------------------------------------------------------- */

static bool type_logic(struct parsing *p, struct expression *e)
{
	e->kind = VALUE_BOOL;
	for (size_t i = 0; i < e->n; i++)
		if (e->of[i]->kind != VALUE_BOOL && e->of[i]->kind != VALUE_NULL)
			return is_not(p, e->of[i], "true or false") != NULL;
	return true;
}

/* Of what stands behind a minus: the size of INT64_MIN alone is no INT before it has its sign. */
static enum value_kind negative_kind(struct expression *e)
{
	if (e->operation == OPERATION_LITERAL && e->kind == VALUE_UINT &&
	    e->value.natural == (uint64_t)INT64_MAX + 1) {
		/* As a two's complement it is its own negative. */
		e->kind = e->value.kind = VALUE_INT;
		e->is_either = true;
	}
	return e->kind;
}

static bool type_arithmetic(struct parsing *p, struct expression *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (!is_number(e->of[i]) && e->of[i]->kind != VALUE_NULL)
			return is_not(p, e->of[i], "a number") != NULL;
	if (e->n == 1)
		e->kind = negative_kind(e->of[0]);
	else if (!common(p, e->of[0], e->of[1], "reckoned with", &e->kind))
		return false;
	e->operands = e->kind;
	if (e->operation == OPERATION_NEGATE && e->kind == VALUE_UINT)
		return parsing_fail(p, e->text, "'%.*s' is unsigned, and has no negative",
				    (int)e->of[0]->text_len, e->of[0]->text) != NULL;
	if (e->operation == OPERATION_REMAINDER && e->kind == VALUE_REAL)
		return parsing_fail(p, e->text, "'%%' is of whole numbers") != NULL;
	e->is_either = e->kind == VALUE_INT && e->of[0]->is_either &&
		       (e->n == 1 || e->of[1]->is_either);
	return true;
}

static bool type_comparison(struct parsing *p, struct expression *e)
{
	struct expression *a = e->of[0], *b = e->of[1];

	e->kind = VALUE_BOOL;
	for (size_t i = 0; i < 2; i++) {
		const struct expression *other = e->of[1 - i];

		if (e->of[i]->kind == VALUE_NULL)
			return parsing_fail(p, e->of[i]->text,
					    "nothing is equal to NULL: write is_null(%.*s)",
					    (int)other->text_len, other->text) != NULL;
		if (e->of[i]->kind == VALUE_LIST)
			return parsing_fail(p, e->of[i]->text, "'%.*s' is a list: only its count() "
					    "can be compared",
					    (int)e->of[i]->text_len, e->of[i]->text) != NULL;
		if (is_enum(e->of[i]) && !expression_settle(p, e->of[1 - i], e->of[i]->column))
			return false;
	}
	return common(p, a, b, "compared with", &e->operands);
}

static bool type_choice(struct parsing *p, struct expression *e)
{
	struct expression *a = e->of[e->n - 2], *b = e->of[e->n - 1];

	if (e->n == 3 && e->of[0]->kind != VALUE_BOOL && e->of[0]->kind != VALUE_NULL)
		return is_not(p, e->of[0], "true or false") != NULL;
	if (a->kind == VALUE_LIST || b->kind == VALUE_LIST)
		return is_not(p, a->kind == VALUE_LIST ? a : b, "one value") != NULL;
	if (!common(p, a, b, "the alternative to", &e->kind))
		return false;
	e->operands = e->kind;
	e->is_either = e->kind == VALUE_INT && a->is_either && b->is_either;
	return true;
}

static bool type_text(struct parsing *p, struct expression *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->of[i]->kind != VALUE_TEXT && e->of[i]->kind != VALUE_NULL)
			return is_not(p, e->of[i], "text") != NULL;
	e->kind = e->operation == OPERATION_LOWER || e->operation == OPERATION_UPPER ? VALUE_TEXT
										     : VALUE_BOOL;
	return true;
}

static bool type_size(struct parsing *p, struct expression *e)
{
	enum value_kind kind = e->of[0]->kind;

	e->kind = VALUE_INT;
	e->is_either = true;
	if (kind == VALUE_NULL)
		return true;
	if (e->operation == OPERATION_COUNT)
		return kind == VALUE_LIST || is_not(p, e->of[0], "a list");
	return kind == VALUE_TEXT || kind == VALUE_BYTES || is_not(p, e->of[0], "text or bytes");
}

static bool type_find(struct parsing *p, struct expression *e)
{
	switch (e->operation) {
	case OPERATION_NOT:
	case OPERATION_AND:
	case OPERATION_OR: return type_logic(p, e);
	case OPERATION_NEGATE:
	case OPERATION_MULTIPLY:
	case OPERATION_DIVIDE:
	case OPERATION_REMAINDER:
	case OPERATION_ADD:
	case OPERATION_SUBTRACT: return type_arithmetic(p, e);
	case OPERATION_LESS:
	case OPERATION_LESS_EQUAL:
	case OPERATION_GREATER:
	case OPERATION_GREATER_EQUAL:
	case OPERATION_EQUAL:
	case OPERATION_NOT_EQUAL: return type_comparison(p, e);
	case OPERATION_CHOOSE:
	case OPERATION_COALESCE: return type_choice(p, e);
	case OPERATION_LENGTH:
	case OPERATION_COUNT: return type_size(p, e);
	case OPERATION_LOWER:
	case OPERATION_UPPER:
	case OPERATION_STARTS_WITH:
	case OPERATION_CONTAINS: return type_text(p, e);
	case OPERATION_IS_NULL: e->kind = VALUE_BOOL; return true;
	case OPERATION_LITERAL:
	case OPERATION_COLUMN: break;
	}
	return true;
}

/* What has only literals is one: 60 * 60, -1. */
static struct expression *fold(struct parsing *p, struct expression *e)
{
	struct cell_error why = { .code = 0 };
	struct value value;
	int r;

	for (size_t i = 0; i < e->n; i++)
		if (e->of[i]->operation != OPERATION_LITERAL)
			return e;
	r = expression_value(e, NULL, &value, p->arena, &why);
	if (r == CELL_OUT_OF_RANGE)
		return parsing_fail(p, e->text, "%s", why.text);
	if (r < 0)
		return parsing_no_memory(p);
	e->operation = OPERATION_LITERAL;
	e->n = 0;
	e->depth = 0;
	e->value = value;
	e->kind = value.kind;
	return e;
}

struct expression *expression_make(struct parsing *p, enum operation operation, const char *text,
				   size_t text_len, struct expression *const *of, size_t n)
{
	struct expression *e = cell_arena_calloc(p->arena, 1, sizeof *e);

	if (!e)
		return parsing_no_memory(p);
	e->operation = operation;
	e->text = text;
	e->text_len = text_len;
	e->n = n;
	for (size_t i = 0; i < n; i++) {
		e->of[i] = of[i];
		if (of[i]->depth >= e->depth)
			e->depth = of[i]->depth + 1;
	}
	if (e->depth > EXPRESSION_DEPTH_MAX)
		return parsing_fail(p, text, "more than %u operators within each other",
				    EXPRESSION_DEPTH_MAX);
	return type_find(p, e) ? fold(p, e) : NULL;
}

/* --- questions --------------------------------------------------------------------------------- */

enum value_kind expression_kind(const struct expression *expression)
{
	return expression->kind;
}

bool expression_fits(const struct expression *e, const struct table_column *column)
{
	enum value_kind kind = value_kind_of(column->type);

	if (column->repeated || column->type == TABLE_COLUMN_TYPE_MESSAGE)
		return false;
	if (e->kind == VALUE_NULL)
		return column->nullable;
	if (e->kind == kind)
		return true;
	if (kind == VALUE_REAL)
		return is_number(e);
	if (kind == VALUE_UINT)
		return e->kind == VALUE_INT && e->is_either;
	return kind == VALUE_BYTES && e->kind == VALUE_TEXT && e->is_either;
}

bool expression_uses(const struct expression *e, size_t column)
{
	if (e->operation == OPERATION_COLUMN)
		return e->index == column;
	for (size_t i = 0; i < e->n; i++)
		if (expression_uses(e->of[i], column))
			return true;
	return false;
}
