/* Literals as values of a column. */
#include <cell/internal/table/value.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include <cell/codec.h>

#include "literal.h"
#include "types.h"

/* What is to be read, and what of it. */
struct reading {
	const char *text;
	const struct table_column *column;
	struct cell_arena *arena;
	struct cell_error *err;
};

static int no(const struct reading *r, const char *what)
{
	return cell_fail(r->err, CELL_INVALID_ARGUMENT, "'%s' %s", r->text, what);
}

static int does_not_fit(const struct reading *r)
{
	return cell_fail(r->err, CELL_INVALID_ARGUMENT, "%s does not fit %s", r->text,
			 type_of(r->column->type)->name);
}

/* A whole number with its sign; *ret is its size. */
static int parse_number(const struct reading *r, struct value *ret, bool *ret_negative)
{
	const char *at = r->text, *why;

	*ret_negative = *at == '-';
	if (*at == '-' || *at == '+')
		at++;
	if (!literal_is_number(at))
		return no(r, "is no number");
	at = literal_number(at, ret, &why);
	if (!at)
		return no(r, why);
	return *at ? no(r, "is no number") : 0;
}

static int parse_integer(const struct reading *r, struct value *ret, int64_t min, int64_t max)
{
	struct value size;
	bool is_negative;
	int err = parse_number(r, &size, &is_negative);

	if (err < 0)
		return err;
	if (size.kind != VALUE_UINT)
		return no(r, "is no whole number");
	if (is_negative ? size.natural > 0 - (uint64_t)min : size.natural > (uint64_t)max)
		return does_not_fit(r);
	*ret = (struct value){ .kind = VALUE_INT,
			       .integer = (int64_t)(is_negative ? 0 - size.natural
								: size.natural) };
	return 0;
}

static int parse_natural(const struct reading *r, struct value *ret, uint64_t max)
{
	struct value size;
	bool is_negative;
	int err = parse_number(r, &size, &is_negative);

	if (err < 0)
		return err;
	if (size.kind != VALUE_UINT)
		return no(r, "is no whole number");
	if (size.natural > max || (is_negative && size.natural))
		return does_not_fit(r);
	*ret = size;
	return 0;
}

static int parse_real(const struct reading *r, struct value *ret)
{
	bool is_float = r->column->type == TABLE_COLUMN_TYPE_FLOAT, is_negative;
	struct value size;
	int err = parse_number(r, &size, &is_negative);
	double real;

	if (err < 0)
		return err;
	real = size.kind == VALUE_UINT ? (double)size.natural : size.real;
	if (is_float)
		real = (float)real;
	if (isinf(real))
		return does_not_fit(r);
	*ret = (struct value){ .kind = VALUE_REAL, .real = is_negative ? -real : real };
	return 0;
}

static int parse_bool(const struct reading *r, struct value *ret)
{
	bool is_true = strcmp(r->text, "true") == 0 || strcmp(r->text, "1") == 0;

	if (!is_true && strcmp(r->text, "false") != 0 && strcmp(r->text, "0") != 0)
		return no(r, "is neither true nor false");
	*ret = (struct value){ .kind = VALUE_BOOL, .boolean = is_true };
	return 0;
}

static int parse_enum(const struct reading *r, struct value *ret)
{
	const struct table_column *column = r->column;
	struct value number = { .kind = VALUE_NULL };

	if (literal_is_number(r->text + (*r->text == '-')) &&
	    parse_integer(r, &number, INT32_MIN, INT32_MAX) < 0)
		return CELL_INVALID_ARGUMENT;
	for (size_t i = 0; i < column->n_values; i++)
		if (number.kind == VALUE_INT ? number.integer == column->values[i].number
					     : strcmp(r->text, column->values[i].name) == 0) {
			*ret = (struct value){ .kind = VALUE_INT,
					       .integer = column->values[i].number };
			return 0;
		}
	return no(r, "is no value of it");
}

static int check_length(const struct reading *r, const struct value *value)
{
	const struct table_column *column = r->column;

	if (column->length && value->len > column->length)
		return cell_fail(r->err, CELL_INVALID_ARGUMENT, "%s has %zu bytes, limit %u",
				 r->text, value->len, column->length);
	if (column->fixed && value->len != column->length)
		return cell_fail(r->err, CELL_INVALID_ARGUMENT, "%s has %zu bytes, not %u",
				 r->text, value->len, column->length);
	return 0;
}

/* 0x0f10 */
static int parse_hex(const struct reading *r, struct value *ret)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = r->text + 2;
	size_t len = strlen(at) / 2;
	uint8_t *bytes = cell_arena_alloc(r->arena, len);

	if (!bytes)
		return cell_fail(r->err, -ENOMEM, "no memory for %zu bytes", len);
	if (strspn(at, digits) != strlen(at) || strlen(at) % 2)
		return no(r, "is no row of bytes: two digits each");
	for (size_t i = 0; i < len; i++) {
		size_t high = (size_t)(strchr(digits, at[2 * i]) - digits) % 16;
		size_t low = (size_t)(strchr(digits, at[2 * i + 1]) - digits) % 16;

		bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret = (struct value){ .kind = VALUE_BYTES, .bytes = bytes, .len = len };
	return check_length(r, ret);
}

static int parse_text(const struct reading *r, struct value *ret)
{
	bool is_text = r->column->type == TABLE_COLUMN_TYPE_TEXT;
	const char *end, *why;

	if (r->text[0] != '"')
		return no(r, is_text ? "is no text: \"…\"" : "is no row of bytes: 0x… or \"…\"");
	end = literal_text(r->text, ret, r->arena, &why);
	if (!end && !why)
		return cell_fail(r->err, -ENOMEM, "no memory for a text");
	if (!end)
		return no(r, why);
	if (*end)
		return no(r, "goes on behind its end");
	if (is_text && !cell_text_is_valid(ret->bytes, ret->len))
		return no(r, "is not UTF-8 text, or has a NUL in it");
	ret->kind = is_text ? VALUE_TEXT : VALUE_BYTES;
	return check_length(r, ret);
}

static int parse_one(const struct reading *r, struct value *ret)
{
	switch (r->column->type) {
	case TABLE_COLUMN_TYPE_BOOL: return parse_bool(r, ret);
	case TABLE_COLUMN_TYPE_INT32: return parse_integer(r, ret, INT32_MIN, INT32_MAX);
	case TABLE_COLUMN_TYPE_INT64: return parse_integer(r, ret, INT64_MIN, INT64_MAX);
	case TABLE_COLUMN_TYPE_UINT32: return parse_natural(r, ret, UINT32_MAX);
	case TABLE_COLUMN_TYPE_UINT64: return parse_natural(r, ret, UINT64_MAX);
	case TABLE_COLUMN_TYPE_FLOAT:
	case TABLE_COLUMN_TYPE_DOUBLE: return parse_real(r, ret);
	case TABLE_COLUMN_TYPE_ENUM: return parse_enum(r, ret);
	case TABLE_COLUMN_TYPE_TEXT: return parse_text(r, ret);
	case TABLE_COLUMN_TYPE_BYTES:
		return strncmp(r->text, "0x", 2) == 0 ? parse_hex(r, ret) : parse_text(r, ret);
	default: return no(r, "cannot be told in a literal");
	}
}

int value_parse(struct value *ret, const char *text, const struct table_column *column,
		struct cell_arena *arena, struct cell_error *err)
{
	const struct reading reading = { text, column, arena, err };
	struct value value;
	int r;

	if (strcmp(text, "NULL") == 0) {
		if (!column->nullable)
			return no(&reading, "cannot be: the column is never NULL");
		*ret = (struct value){ .kind = VALUE_NULL };
		return 0;
	}
	if (column->repeated)
		return no(&reading, "is no list, and lists have no literal");
	r = parse_one(&reading, &value);
	if (r < 0)
		return r;
	*ret = value;
	return 0;
}
