/* What a client sent becomes what is stored. */
#include <cell/internal/table/row.h>

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <string.h>

#include <cell/codec.h>
#include <cell/internal/table/expression.h>

#include "types.h"

struct finishing {
	const struct schema *schema;
	struct value *values;
	const struct row_moment *moment;
	struct cell_arena *arena;
	struct cell_error *err;
	unsigned n_uuids; /* given so far */
};

#define COLUMN_REFUSE(f, column, format, ...)                                          \
	cell_fail((f)->err, CELL_INVALID_ARGUMENT, "%s.%s: " format, (f)->schema->told->name, \
		  (column)->name __VA_OPT__(, ) __VA_ARGS__)

static int no_memory(const struct finishing *f)
{
	return cell_fail(f->err, -ENOMEM, "no memory for a row of %s", f->schema->told->name);
}

/* --- defaults ------------------------------------------------------------------------------ */

/* RFC 9562, version 4. The second and later ones of a row are made of the same random bytes. */
static int give_uuid(struct finishing *f, struct value *value)
{
	uint8_t *bytes = cell_arena_alloc(f->arena, sizeof f->moment->random);

	if (!bytes)
		return no_memory(f);
	memcpy(bytes, f->moment->random, sizeof f->moment->random);
	if (f->n_uuids)
		(void)crypto_generichash(bytes, sizeof f->moment->random, f->moment->random,
					 sizeof f->moment->random, (uint8_t *)&f->n_uuids,
					 sizeof f->n_uuids);
	f->n_uuids++;
	bytes[6] = (bytes[6] & 0x0f) | 0x40;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	*value = (struct value){ .kind = VALUE_BYTES, .bytes = bytes, .len = 16 };
	return 0;
}

static int give_fallback(struct finishing *f, const struct schema_column *column,
			 struct value *value)
{
	switch (column->fallback) {
	case SCHEMA_FALLBACK_VALUE: *value = column->value; return 0;
	case SCHEMA_FALLBACK_NOW:
		*value = (struct value){ .kind = VALUE_INT, .integer = f->moment->now_us };
		return 0;
	case SCHEMA_FALLBACK_UUID: return give_uuid(f, value);
	case SCHEMA_FALLBACK_NONE: break;
	}
	return 0;
}

/* --- computed columns ---------------------------------------------------------------------- */

static bool fits_int(int64_t integer, enum table_column_type type)
{
	return type == TABLE_COLUMN_TYPE_INT64 || integer == (int32_t)integer;
}

/* A number that was computed, as COLUMN has it. False: out of its range. */
static bool as_number(struct value *value, const struct table_column *column)
{
	enum value_kind kind = value_kind_of(column->type);

	if (kind == VALUE_REAL) {
		if (value->kind != VALUE_REAL)
			value->real = value->kind == VALUE_INT ? (double)value->integer
							       : (double)value->natural;
		if (column->type == TABLE_COLUMN_TYPE_FLOAT) {
			double real = (float)value->real;

			if (isinf(real) && !isinf(value->real))
				return false;
			value->real = real;
		}
	} else if (kind == VALUE_UINT) {
		if (value->kind == VALUE_INT && value->integer < 0)
			return false;
		if (column->type == TABLE_COLUMN_TYPE_UINT32 && value->natural > UINT32_MAX)
			return false;
	} else if (value->kind == VALUE_UINT ? value->natural > INT64_MAX
					     : !fits_int(value->integer, column->type)) {
		return false;
	}
	value->kind = kind;
	return true;
}

static int compute(struct finishing *f, const struct schema_column *column, struct value *value)
{
	const struct table_column *told = column->told;
	struct value result;
	int r = expression_value(column->computed, f->values, &result, f->arena, f->err);

	if (r < 0)
		return cell_wrap(f->err, r, "%s.%s", f->schema->told->name, told->name);
	switch (result.kind) {
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_REAL:
		if (!as_number(&result, told))
			return cell_fail(f->err, CELL_OUT_OF_RANGE, "%s.%s: %s does not fit %s",
					 f->schema->told->name, told->name, told->computed,
					 type_of(told->type)->name);
		break;
	case VALUE_TEXT:
		if (told->type != TABLE_COLUMN_TYPE_TEXT)
			result.kind = VALUE_BYTES;
		break;
	default: break;
	}
	*value = result;
	return 0;
}

/* --- what may not be ----------------------------------------------------------------------- */

static int check_item(struct finishing *f, const struct table_column *column,
		      const struct value *value)
{
	switch (value->kind) {
	case VALUE_TEXT:
		if (!cell_text_is_plain(value->bytes, value->len) &&
		    !cell_text_is_valid(value->bytes, value->len))
			return COLUMN_REFUSE(f, column, "not UTF-8 text, or with a NUL in it");
		break;
	case VALUE_BYTES: break;
	case VALUE_INT:
		if (column->type != TABLE_COLUMN_TYPE_ENUM)
			return 0;
		for (size_t i = 0; i < column->n_values; i++)
			if (column->values[i].number == value->integer)
				return 0;
		return COLUMN_REFUSE(f, column, "%lld is no value of it", (long long)value->integer);
	default: return 0;
	}
	if (column->fixed && value->len != column->length)
		return COLUMN_REFUSE(f, column, "%zu bytes, not %u", value->len, column->length);
	if (column->length && value->len > column->length)
		return COLUMN_REFUSE(f, column, "%zu bytes, limit %u", value->len, column->length);
	return 0;
}

static int check_value(struct finishing *f, const struct table_column *column,
		       const struct value *value)
{
	struct value list = *value, item;

	if (value->kind == VALUE_NULL)
		return column->nullable ? 0 : COLUMN_REFUSE(f, column, "is NULL, and may not be");
	if (value->kind != VALUE_LIST)
		return check_item(f, column, value);
	while (value_next(&list, column->type, &item)) {
		int r = check_item(f, column, &item);

		if (r < 0)
			return r;
	}
	return 0;
}

/* "balance is -5, limit is 3": the columns that EXPRESSION reads. */
static const char *print_used(struct finishing *f, const struct expression *expression)
{
	const char *text = "";

	for (size_t i = 0; text && i < f->schema->n_columns; i++) {
		const struct table_column *column = &f->schema->told->columns[i];

		if (!expression_uses(expression, i))
			continue;
		text = cell_arena_printf(f->arena, "%s%s%s is %s", text, *text ? ", " : ": ",
					 column->name,
					 column->encrypted
						 ? "encrypted"
						 : value_print(&f->values[i], column, f->arena));
	}
	return text ? text : "";
}

static int check_rules(struct finishing *f)
{
	const struct schema *schema = f->schema;

	for (size_t i = 0; i < schema->n_checks; i++) {
		const char *text = schema->told->checks[i].text;
		struct value holds;
		int r = expression_value(schema->checks[i], f->values, &holds, f->arena, f->err);

		if (r < 0)
			return cell_wrap(f->err, r, "%s: check(%s)", schema->told->name, text);
		if (holds.kind == VALUE_BOOL && !holds.boolean)
			return cell_fail(f->err, CELL_FAILED_PRECONDITION,
					 "%s: %s does not hold%s", schema->told->name, text,
					 print_used(f, schema->checks[i]));
	}
	return 0;
}

int row_finish(const struct schema *schema, struct value *values, bool fresh,
	       const struct row_moment *moment, struct cell_arena *arena, struct cell_error *err)
{
	struct finishing f = { schema, values, moment, arena, err, 0 };
	int r;

	for (size_t i = 0; i < schema->n_columns; i++) {
		const struct schema_column *column = &schema->columns[i];

		if (values[i].kind == VALUE_NULL && column->told->repeated && !column->told->nullable)
			values[i] = (struct value){ .kind = VALUE_LIST };
		if (values[i].kind != VALUE_NULL || column->fallback == SCHEMA_FALLBACK_NONE ||
		    !(fresh || !column->told->nullable))
			continue;
		r = give_fallback(&f, column, &values[i]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < schema->n_columns && schema->has_computed; i++) {
		if (!schema->columns[i].computed)
			continue;
		r = compute(&f, &schema->columns[i], &values[i]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < schema->n_columns; i++) {
		r = check_value(&f, schema->columns[i].told, &values[i]);
		if (r < 0)
			return r;
	}
	return check_rules(&f);
}
