/* What an expression is for one row. */
#include <cell/internal/table/expression.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "expression_tree.h"

struct reckoning {
	const struct value *values;
	struct cell_arena *arena;
	struct cell_error *err;
};

static int value_of(const struct reckoning *r, const struct expression *e, struct value *ret);

/* Longer ones are cut where they are told of. */
#define TEXT_SHOWN_MAX 80

static int fail(const struct reckoning *r, const struct expression *e, const char *why)
{
	size_t len = e->text_len < TEXT_SHOWN_MAX ? e->text_len : TEXT_SHOWN_MAX;

	return cell_fail(r->err, CELL_OUT_OF_RANGE, "%.*s%s", (int)len, e->text, why);
}

static int by_zero(const struct reckoning *r)
{
	return cell_fail(r->err, CELL_OUT_OF_RANGE, "division by zero");
}

/* --- numbers ----------------------------------------------------------------------------------- */

/* VALUE, a number, as KIND; what is an INT and becomes an UINT is a literal or a size. */
static int convert(const struct reckoning *r, const struct expression *e, enum value_kind kind,
		   struct value *value)
{
	if (value->kind == VALUE_NULL || value->kind == kind)
		return 0;
	if (kind == VALUE_REAL && value->kind == VALUE_INT)
		value->real = (double)value->integer;
	else if (kind == VALUE_REAL && value->kind == VALUE_UINT)
		value->real = (double)value->natural;
	else if (kind == VALUE_UINT && value->integer < 0)
		return fail(r, e, " is negative");
	value->kind = kind;
	return 0;
}

static int int_value(const struct reckoning *r, const struct expression *e, int64_t a, int64_t b,
		     int64_t *ret)
{
	bool overflows = false;

	switch (e->operation) {
	case OPERATION_ADD: overflows = __builtin_add_overflow(a, b, ret); break;
	case OPERATION_SUBTRACT: overflows = __builtin_sub_overflow(a, b, ret); break;
	case OPERATION_MULTIPLY: overflows = __builtin_mul_overflow(a, b, ret); break;
	default:
		if (b == 0)
			return by_zero(r);
		/* The smallest number by -1 is one too large for 64 bits; its remainder is not. */
		if (b == -1 && e->operation == OPERATION_DIVIDE)
			overflows = __builtin_sub_overflow(0, a, ret);
		else
			*ret = e->operation == OPERATION_DIVIDE ? a / b : b == -1 ? 0 : a % b;
		break;
	}
	return overflows ? fail(r, e, " overflows") : 0;
}

static int uint_value(const struct reckoning *r, const struct expression *e, uint64_t a, uint64_t b,
		      uint64_t *ret)
{
	bool overflows = false;

	switch (e->operation) {
	case OPERATION_ADD: overflows = __builtin_add_overflow(a, b, ret); break;
	case OPERATION_SUBTRACT: overflows = __builtin_sub_overflow(a, b, ret); break;
	case OPERATION_MULTIPLY: overflows = __builtin_mul_overflow(a, b, ret); break;
	default:
		if (b == 0)
			return by_zero(r);
		*ret = e->operation == OPERATION_DIVIDE ? a / b : a % b;
		break;
	}
	return overflows ? fail(r, e, " overflows") : 0;
}

static int real_value(const struct reckoning *r, const struct expression *e, double a, double b,
		      double *ret)
{
	switch (e->operation) {
	case OPERATION_ADD: *ret = a + b; break;
	case OPERATION_SUBTRACT: *ret = a - b; break;
	case OPERATION_MULTIPLY: *ret = a * b; break;
	default:
		if (b == 0)
			return by_zero(r);
		*ret = a / b;
		break;
	}
	return isinf(*ret) && !isinf(a) && !isinf(b) ? fail(r, e, " overflows") : 0;
}

/* Both operands, each as e->operands. */
static int operands(const struct reckoning *r, const struct expression *e, struct value *a,
		    struct value *b)
{
	int err = value_of(r, e->of[0], a);

	if (err == 0)
		err = value_of(r, e->of[1], b);
	if (err == 0 && (e->operands == VALUE_UINT || e->operands == VALUE_REAL)) {
		err = convert(r, e->of[0], e->operands, a);
		if (err == 0)
			err = convert(r, e->of[1], e->operands, b);
	}
	return err;
}

static int arithmetic(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	struct value a, b;
	int err = operands(r, e, &a, &b);

	*ret = (struct value){ .kind = VALUE_NULL };
	if (err < 0 || a.kind == VALUE_NULL || b.kind == VALUE_NULL)
		return err;
	ret->kind = e->operands;
	switch (e->operands) {
	case VALUE_INT: return int_value(r, e, a.integer, b.integer, &ret->integer);
	case VALUE_UINT: return uint_value(r, e, a.natural, b.natural, &ret->natural);
	default: return real_value(r, e, a.real, b.real, &ret->real);
	}
}

static int negate(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	int err = value_of(r, e->of[0], ret);

	if (err < 0 || ret->kind == VALUE_NULL)
		return err;
	if (ret->kind == VALUE_REAL)
		ret->real = -ret->real;
	else if (ret->integer != INT64_MIN)
		ret->integer = -ret->integer;
	else if (!e->of[0]->is_either)
		return fail(r, e, " overflows");
	return 0;
}

static int compare(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	struct value a, b;
	int err = operands(r, e, &a, &b), order;

	*ret = (struct value){ .kind = VALUE_NULL };
	if (err < 0 || a.kind == VALUE_NULL || b.kind == VALUE_NULL)
		return err;
	order = value_compare(&a, &b);
	ret->kind = VALUE_BOOL;
	switch (e->operation) {
	case OPERATION_LESS: ret->boolean = order < 0; break;
	case OPERATION_LESS_EQUAL: ret->boolean = order <= 0; break;
	case OPERATION_GREATER: ret->boolean = order > 0; break;
	case OPERATION_GREATER_EQUAL: ret->boolean = order >= 0; break;
	case OPERATION_EQUAL: ret->boolean = order == 0; break;
	default: ret->boolean = order != 0; break;
	}
	return 0;
}

/* --- true, false and NULL ---------------------------------------------------------------------- */

/* One side settles it if it is false for &&, true for ||; else NULL on either side is NULL. */
static int logic(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	bool settles = e->operation == OPERATION_OR;
	struct value right;
	int err = value_of(r, e->of[0], ret);

	if (err < 0 || (ret->kind == VALUE_BOOL && ret->boolean == settles))
		return err;
	err = value_of(r, e->of[1], &right);
	if (err < 0)
		return err;
	if (right.kind == VALUE_BOOL && right.boolean == settles)
		*ret = right;
	else if (right.kind == VALUE_NULL)
		*ret = right;
	return 0;
}

static int negation(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	int err = value_of(r, e->of[0], ret);

	if (err == 0 && ret->kind == VALUE_BOOL)
		ret->boolean = !ret->boolean;
	return err;
}

static int choose(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	const struct expression *chosen;
	int err = value_of(r, e->of[0], ret);

	if (err < 0 || ret->kind == VALUE_NULL)
		return err;
	chosen = e->of[ret->boolean ? 1 : 2];
	err = value_of(r, chosen, ret);
	if (err == 0 && (e->kind == VALUE_UINT || e->kind == VALUE_REAL))
		err = convert(r, chosen, e->kind, ret);
	return err;
}

static int coalesce(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	int err = 0;

	*ret = (struct value){ .kind = VALUE_NULL };
	for (size_t i = 0; err == 0 && i < e->n && ret->kind == VALUE_NULL; i++) {
		err = value_of(r, e->of[i], ret);
		if (err == 0 && (e->kind == VALUE_UINT || e->kind == VALUE_REAL))
			err = convert(r, e->of[i], e->kind, ret);
	}
	return err;
}

/* --- text and lists ---------------------------------------------------------------------------- */

static int change_case(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	char first = e->operation == OPERATION_LOWER ? 'A' : 'a';
	int err = value_of(r, e->of[0], ret);
	uint8_t *bytes;

	if (err < 0 || ret->kind == VALUE_NULL)
		return err;
	bytes = cell_arena_alloc(r->arena, ret->len);
	if (!bytes)
		return cell_fail(r->err, -ENOMEM, "no memory for a text of %zu bytes", ret->len);
	for (size_t i = 0; i < ret->len; i++) {
		uint8_t c = ret->bytes[i];

		bytes[i] = c >= first && c < first + 26 ? c ^ 0x20 : c;
	}
	ret->bytes = bytes;
	return 0;
}

static int find(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	struct value text, part;
	int err = value_of(r, e->of[0], &text);

	if (err == 0)
		err = value_of(r, e->of[1], &part);
	*ret = (struct value){ .kind = VALUE_NULL };
	if (err < 0 || text.kind == VALUE_NULL || part.kind == VALUE_NULL)
		return err;
	ret->kind = VALUE_BOOL;
	if (!part.len)
		ret->boolean = true;
	else if (part.len > text.len)
		ret->boolean = false;
	else if (e->operation == OPERATION_STARTS_WITH)
		ret->boolean = memcmp(text.bytes, part.bytes, part.len) == 0;
	else
		ret->boolean = memmem(text.bytes, text.len, part.bytes, part.len) != NULL;
	return 0;
}

static int size(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	struct value of, item;
	int err = value_of(r, e->of[0], &of);
	int64_t n = 0;

	if (err < 0)
		return err;
	*ret = of;
	if (of.kind == VALUE_NULL)
		return 0;
	if (e->operation == OPERATION_LENGTH)
		n = (int64_t)of.len;
	else
		while (value_next(&of, e->of[0]->column->type, &item))
			n++;
	*ret = (struct value){ .kind = VALUE_INT, .integer = n };
	return 0;
}

static int is_null(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	struct value value;
	int err = value_of(r, e->of[0], &value);

	*ret = (struct value){ .kind = VALUE_BOOL, .boolean = value.kind == VALUE_NULL };
	return err;
}

/* --- all of them -------------------------------------------------------------------------------- */

/* As deep as EXPRESSION_DEPTH_MAX at most. */
static int value_of(const struct reckoning *r, const struct expression *e, struct value *ret)
{
	*ret = (struct value){ .kind = VALUE_NULL };
	switch (e->operation) {
	case OPERATION_LITERAL: *ret = e->value; return 0;
	case OPERATION_COLUMN: *ret = r->values[e->index]; return 0;
	case OPERATION_NOT: return negation(r, e, ret);
	case OPERATION_NEGATE: return negate(r, e, ret);
	case OPERATION_MULTIPLY:
	case OPERATION_DIVIDE:
	case OPERATION_REMAINDER:
	case OPERATION_ADD:
	case OPERATION_SUBTRACT: return arithmetic(r, e, ret);
	case OPERATION_LESS:
	case OPERATION_LESS_EQUAL:
	case OPERATION_GREATER:
	case OPERATION_GREATER_EQUAL:
	case OPERATION_EQUAL:
	case OPERATION_NOT_EQUAL: return compare(r, e, ret);
	case OPERATION_AND:
	case OPERATION_OR: return logic(r, e, ret);
	case OPERATION_CHOOSE: return choose(r, e, ret);
	case OPERATION_LENGTH:
	case OPERATION_COUNT: return size(r, e, ret);
	case OPERATION_LOWER:
	case OPERATION_UPPER: return change_case(r, e, ret);
	case OPERATION_STARTS_WITH:
	case OPERATION_CONTAINS: return find(r, e, ret);
	case OPERATION_COALESCE: return coalesce(r, e, ret);
	case OPERATION_IS_NULL: return is_null(r, e, ret);
	}
	return 0;
}

int expression_value(const struct expression *expression, const struct value *values,
		     struct value *ret_value, struct cell_arena *arena, struct cell_error *err)
{
	const struct reckoning reckoning = { values, arena, err };
	struct value value;
	int r = value_of(&reckoning, expression, &value);

	if (r == 0)
		*ret_value = value;
	return r;
}
