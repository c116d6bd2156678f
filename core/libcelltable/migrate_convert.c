#include "migrate_convert.h"

#include <math.h>

#include <cell/codec.h>

#include "types.h"

/* Reals from here on have values that no 64-bit number has; both are powers of two. */
#define TWO_TO_63 9223372036854775808.0
#define TWO_TO_64 18446744073709551616.0

static bool is_number(enum table_column_type type)
{
	enum value_kind kind = value_kind_of(type);

	return kind == VALUE_INT || kind == VALUE_UINT || kind == VALUE_REAL;
}

static bool is_text(enum table_column_type type)
{
	return type == TABLE_COLUMN_TYPE_TEXT || type == TABLE_COLUMN_TYPE_BYTES;
}

bool convert_may_fit(const struct table_column *before, const struct table_column *after)
{
	if (before->repeated != after->repeated)
		return false;
	/* Items of a list are not converted one by one. */
	if (before->type == after->type)
		return true;
	if (before->repeated)
		return false;
	if (is_number(before->type) && is_number(after->type))
		return true;
	return is_text(before->type) && is_text(after->type);
}

/* Numbers of TYPE are all numbers of WIDER. */
static bool is_wider(enum table_column_type type, enum table_column_type wider)
{
	switch ((unsigned)type) {
	case TABLE_COLUMN_TYPE_INT32: return wider == TABLE_COLUMN_TYPE_INT64;
	case TABLE_COLUMN_TYPE_UINT32:
		return wider == TABLE_COLUMN_TYPE_UINT64 || wider == TABLE_COLUMN_TYPE_INT64;
	case TABLE_COLUMN_TYPE_FLOAT: return wider == TABLE_COLUMN_TYPE_DOUBLE;
	case TABLE_COLUMN_TYPE_ENUM:
		return wider == TABLE_COLUMN_TYPE_INT32 || wider == TABLE_COLUMN_TYPE_INT64;
	case TABLE_COLUMN_TYPE_TEXT: return wider == TABLE_COLUMN_TYPE_BYTES;
	default: return false;
	}
}

bool convert_always_fits(const struct table_column *before, const struct table_column *after)
{
	if (before->repeated != after->repeated)
		return false;
	if (before->type != after->type && (before->repeated || !is_wider(before->type, after->type)))
		return false;
	if (after->fixed)
		return before->fixed && before->length == after->length;
	return !after->length || (before->length && before->length <= after->length);
}

/* --- one value ------------------------------------------------------------------------------------ */

static bool as_real(const struct table_column *after, const struct value *value, struct value *ret)
{
	double real = value->kind == VALUE_INT	  ? (double)value->integer
		      : value->kind == VALUE_UINT ? (double)value->natural
						  : value->real;

	/* A whole number must be the same one. */
	if (value->kind == VALUE_INT &&
	    (real >= TWO_TO_63 || (int64_t)real != value->integer))
		return false;
	if (value->kind == VALUE_UINT && (real >= TWO_TO_64 || (uint64_t)real != value->natural))
		return false;
	if (after->type == TABLE_COLUMN_TYPE_FLOAT && !isnan(real) && (float)real != real)
		return false;
	*ret = (struct value){ .kind = VALUE_REAL, .real = real };
	return true;
}

static bool as_int(const struct table_column *after, const struct value *value, struct value *ret)
{
	int64_t integer = value->integer;

	if (value->kind == VALUE_UINT && value->natural > INT64_MAX)
		return false;
	if (value->kind == VALUE_REAL) {
		if (!(value->real >= -TWO_TO_63 && value->real < TWO_TO_63))
			return false;
		integer = (int64_t)value->real;
		if ((double)integer != value->real)
			return false;
	}
	if (after->type != TABLE_COLUMN_TYPE_INT64 && integer != (int32_t)integer)
		return false;
	*ret = (struct value){ .kind = VALUE_INT, .integer = integer };
	for (size_t i = 0; i < after->n_values; i++)
		if (after->values[i].number == integer)
			return true;
	return after->type != TABLE_COLUMN_TYPE_ENUM;
}

static bool as_uint(const struct table_column *after, const struct value *value, struct value *ret)
{
	uint64_t natural = value->natural;

	if (value->kind == VALUE_INT && value->integer < 0)
		return false;
	if (value->kind == VALUE_REAL) {
		if (!(value->real >= 0 && value->real < TWO_TO_64))
			return false;
		natural = (uint64_t)value->real;
		if ((double)natural != value->real)
			return false;
	}
	*ret = (struct value){ .kind = VALUE_UINT, .natural = natural };
	return after->type == TABLE_COLUMN_TYPE_UINT64 || natural <= UINT32_MAX;
}

static bool as_text(const struct table_column *after, const struct value *value, struct value *ret)
{
	if (after->fixed ? value->len != after->length
			 : after->length && value->len > after->length)
		return false;
	*ret = *value;
	ret->kind = value_kind_of(after->type);
	return ret->kind == value->kind || ret->kind == VALUE_BYTES ||
	       cell_text_is_valid(value->bytes, value->len);
}

/* A list of the same type: its items may have become too long, or be no values any more. */
static bool as_list(const struct table_column *before, const struct table_column *after,
		    const struct value *value, struct value *ret)
{
	struct table_column from = *before, to = *after;
	struct value list = *value, item, converted;

	from.repeated = to.repeated = false;
	*ret = *value;
	while (value_next(&list, after->type, &item))
		if (!migration_convert(&from, &to, &item, &converted))
			return false;
	return true;
}

bool migration_convert(const struct table_column *before, const struct table_column *after,
		       const struct value *value, struct value *ret)
{
	if (value->kind == VALUE_NULL) {
		*ret = *value;
		return true;
	}
	if (!convert_may_fit(before, after))
		return false;
	if (after->repeated)
		return as_list(before, after, value, ret);
	switch (value_kind_of(after->type)) {
	case VALUE_INT: return as_int(after, value, ret);
	case VALUE_UINT: return as_uint(after, value, ret);
	case VALUE_REAL: return as_real(after, value, ret);
	case VALUE_TEXT:
	case VALUE_BYTES: return as_text(after, value, ret);
	default: *ret = *value; return true;
	}
}
