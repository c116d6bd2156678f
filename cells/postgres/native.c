/* PostgreSQL's own types at members. */
#include "macros.h"

#include <cell/cell.h>
#include <string.h>

/* What each of the attributes is, and for which members. */
static const struct native {
	const char *macro;
	enum table_column_type type;
	enum { NO_NUMBER, ONE_NUMBER, TWO_NUMBERS, A_NAME } argument;
	uint32_t size; /* of fixed bytes */
	const char *member; /* what to write */
} natives[] = {
	{ "varchar", TABLE_COLUMN_TYPE_TEXT, ONE_NUMBER, 0, "const char *" },
	{ "char", TABLE_COLUMN_TYPE_TEXT, ONE_NUMBER, 0, "const char *" },
	{ "numeric", TABLE_COLUMN_TYPE_TEXT, TWO_NUMBERS, 0, "const char *" },
	{ "json", TABLE_COLUMN_TYPE_TEXT, NO_NUMBER, 0, "const char *" },
	{ "jsonb", TABLE_COLUMN_TYPE_TEXT, NO_NUMBER, 0, "const char *" },
	{ "date", TABLE_COLUMN_TYPE_INT32, NO_NUMBER, 0, "int32_t" },
	{ "smallint", TABLE_COLUMN_TYPE_INT32, NO_NUMBER, 0, "int32_t" },
	{ "timestamp", TABLE_COLUMN_TYPE_INT64, NO_NUMBER, 0, "int64_t" },
	{ "timestamptz", TABLE_COLUMN_TYPE_INT64, NO_NUMBER, 0, "int64_t" },
	{ "uuid", TABLE_COLUMN_TYPE_BYTES, NO_NUMBER, 16, "uint8_t [16]" },
	{ "enum", TABLE_COLUMN_TYPE_ENUM, A_NAME, 0, "an enum" },
};

static const struct native *native_find(const char *macro)
{
	for (size_t i = 0; i < sizeof natives / sizeof *natives; i++)
		if (strcmp(natives[i].macro, macro) == 0)
			return &natives[i];
	return NULL;
}

/* "numeric(10,2)", "varchar(40)", "uuid". */
static const char *native_text(struct cell_macro_work *work, const struct macro_attribute *at,
			       const struct native *native)
{
	int64_t n = cell_macro_integer(work, at, "n", -1);
	int64_t p = cell_macro_integer(work, at, "precision", -1);
	int64_t s = cell_macro_integer(work, at, "scale", 0);

	switch (native->argument) {
	case NO_NUMBER: break;
	case ONE_NUMBER: return cell_macro_printf(work, "%s(%d)", at->name, (int)n);
	case TWO_NUMBERS:
		if (p >= 0)
			return cell_macro_printf(work, "numeric(%d,%d)", (int)p, (int)s);
		break;
	case A_NAME: return cell_macro_text(work, at, "name", "");
	}
	return at->name;
}

static int check_numbers(struct cell_macro_work *work, const struct macro_attribute *at,
			 const struct native *native)
{
	int64_t n = cell_macro_integer(work, at, "n", 1);
	int64_t p = cell_macro_integer(work, at, "precision", 1);
	int64_t s = cell_macro_integer(work, at, "scale", 0);

	if (native->argument == ONE_NUMBER && (n < 1 || n > 10485760))
		return cell_macro_refuse(work, at, cell_macro_argument(work, at, "n"),
					 "a length is 1 to 10485760");
	if (native->argument == TWO_NUMBERS && (p < 1 || p > 1000 || s < 0 || s > p))
		return cell_macro_refuse(work, at, cell_macro_argument(work, at, "precision"),
					 "a numeric has 1 to 1000 digits, and no more of them behind the point");
	if (native->argument == A_NAME && !schema_name_is_valid(cell_macro_text(work, at, "name", "")))
		return cell_macro_refuse(work, at, cell_macro_argument(work, at, "name"),
					 "'%s' is no name of a type", cell_macro_text(work, at, "name", ""));
	return 0;
}

int native_read(struct cell_macro_work *work, const struct macro_member *member,
		struct table_column *column)
{
	const struct macro_attribute *found = NULL;
	const struct native *native = NULL;
	int r;

	for (size_t i = 0; i < member->n_attributes; i++) {
		const struct macro_attribute *at = &member->attributes[i];
		const struct native *one = strcmp(at->ns, "postgres") ? NULL : native_find(at->name);

		if (one && native)
			return cell_macro_refuse(work, at, NULL, "'%s' is %s already", member->name,
						 found->name);
		if (!one)
			continue;
		native = one;
		found = at;
	}
	if (!native)
		return 0;
	if (column->type != native->type || (native->size && (!column->fixed || column->length != native->size))) {
		(void)cell_macro_refuse(work, found, NULL, "'%s' cannot be a %s", member->name, found->name);
		cell_macro_note(work, "a %s is: %s %s", found->name, native->member, member->name);
		return CELL_INVALID_ARGUMENT;
	}
	r = check_numbers(work, found, native);
	if (r)
		return r;
	column->native = native_text(work, found, native);
	if (column->native && column->repeated)
		column->native = cell_macro_printf(work, "%s[]", column->native);
	return column->native ? 0 : -ENOMEM;
}
