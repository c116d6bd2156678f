#include "retype.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool starts_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* varchar(n), char(n): the n; 0 = none. */
static unsigned characters_of(const char *native)
{
	unsigned n = 0;

	if (!starts_with(native, "varchar") && !starts_with(native, "char"))
		return 0;
	return sscanf(native, "%*[a-z](%u)", &n) == 1 ? n : 0;
}

static bool is_plain_text(const char *native)
{
	return !*native || characters_of(native);
}

/* numeric(p,s) in numeric(p,s): as many digits before the point and behind it. */
static bool numeric_holds(const char *before, const char *after)
{
	unsigned bp, bs, ap, as;

	if (strcmp(after, "numeric") == 0)
		return true;
	return sscanf(before, "numeric(%u,%u)", &bp, &bs) == 2 &&
	       sscanf(after, "numeric(%u,%u)", &ap, &as) == 2 && as >= bs && ap - as >= bp - bs;
}

static enum retype text_to_text(const char *before, const char *after)
{
	if (strcmp(before, after) == 0 || (is_plain_text(before) && is_plain_text(after)))
		return RETYPE_LENGTH;
	if (starts_with(before, "numeric") && starts_with(after, "numeric"))
		return numeric_holds(before, after) ? RETYPE_ALWAYS : RETYPE_NEVER;
	if (strcmp(before, "json") == 0 && strcmp(after, "jsonb") == 0)
		return RETYPE_ALWAYS;
	/* All have a text that says all of them. */
	return !*after ? RETYPE_LENGTH : RETYPE_NEVER;
}

static bool is_integer(const struct table_column *column)
{
	switch (column->type) {
	case TABLE_COLUMN_TYPE_INT32:
	case TABLE_COLUMN_TYPE_UINT32:
	case TABLE_COLUMN_TYPE_INT64:
	case TABLE_COLUMN_TYPE_UINT64:
		return !*column->native || strcmp(column->native, "smallint") == 0;
	default: return false;
	}
}

static enum retype by_type(const struct table_column *before, const struct table_column *after)
{
	bool are_plain = !*before->native && !*after->native;

	if (before->type == TABLE_COLUMN_TYPE_TEXT && after->type == TABLE_COLUMN_TYPE_TEXT)
		return text_to_text(before->native, after->native);
	if (is_integer(before) && is_integer(after))
		return RETYPE_RANGE;
	if (before->type == after->type && strcmp(before->native, after->native) == 0)
		return RETYPE_LENGTH;
	if (!are_plain)
		return RETYPE_NEVER;
	if (before->type == TABLE_COLUMN_TYPE_ENUM && is_integer(after))
		return RETYPE_RANGE;
	if (is_integer(before) && after->type == TABLE_COLUMN_TYPE_ENUM)
		return RETYPE_VALUES;
	if (after->type == TABLE_COLUMN_TYPE_DOUBLE &&
	    (before->type == TABLE_COLUMN_TYPE_FLOAT || before->type == TABLE_COLUMN_TYPE_INT32 ||
	     before->type == TABLE_COLUMN_TYPE_UINT32))
		return RETYPE_ALWAYS;
	if (before->type == TABLE_COLUMN_TYPE_TEXT && after->type == TABLE_COLUMN_TYPE_BYTES)
		return RETYPE_BYTES;
	return RETYPE_NEVER;
}

enum retype retype_of(const struct table_column *before, const struct table_column *after)
{
	if (before->repeated != after->repeated)
		return RETYPE_NEVER;
	/* Items are not converted one by one, nor what is sealed. */
	if (before->repeated || before->encrypted || after->encrypted)
		return before->type == after->type && strcmp(before->native, after->native) == 0
			       ? RETYPE_ALWAYS
			       : RETYPE_NEVER;
	return by_type(before, after);
}

static void put_range(struct sql *sql, const struct table_column *after, const char *name)
{
	const char *from = "0", *to = "18446744073709551615";

	if (strcmp(after->native, "smallint") == 0) {
		from = "-32768";
		to = "32767";
	} else if (after->type == TABLE_COLUMN_TYPE_INT32) {
		from = "-2147483648";
		to = "2147483647";
	} else if (after->type == TABLE_COLUMN_TYPE_INT64) {
		from = "-9223372036854775808";
		to = "9223372036854775807";
	} else if (after->type == TABLE_COLUMN_TYPE_UINT32) {
		to = "4294967295";
	}
	sql_put(sql, "%s NOT BETWEEN %s AND %s", name, from, to);
}

static void put_length(struct sql *sql, const struct table_column *after, const char *name)
{
	unsigned characters = characters_of(after->native);
	const char *cast = after->type == TABLE_COLUMN_TYPE_TEXT ? "::text" : "";

	sql_put(sql, "(false");
	if (after->length)
		sql_put(sql, " OR octet_length(%s%s) %s %u", name, cast, after->fixed ? "<>" : ">",
			after->length);
	if (characters)
		sql_put(sql, " OR length(%s%s) > %u", name, cast, characters);
	sql_put(sql, ")");
}

void retype_put_unfit(struct sql *sql, const struct table_column *before,
		      const struct table_column *after, const char *name)
{
	switch (retype_of(before, after)) {
	case RETYPE_ALWAYS: sql_put(sql, "false"); break;
	case RETYPE_LENGTH: put_length(sql, after, name); break;
	case RETYPE_RANGE: put_range(sql, after, name); break;
	case RETYPE_VALUES:
		sql_put(sql, "%s NOT IN (", name);
		for (size_t i = 0; i < after->n_values; i++)
			sql_put(sql, "%s%" PRId32, i ? ", " : "", after->values[i].number);
		sql_put(sql, ")");
		break;
	case RETYPE_BYTES:
		sql_put(sql, "(false");
		if (after->length)
			sql_put(sql, " OR octet_length(%s) %s %u", name, after->fixed ? "<>" : ">",
				after->length);
		sql_put(sql, ")");
		break;
	case RETYPE_NEVER: sql_put(sql, "%s IS NOT NULL", name); break;
	}
}

void retype_put_value(struct sql *sql, const struct table_column *before,
		      const struct table_column *after, const char *name)
{
	const char *type = type_declared(after, sql->arena);

	sql->failed |= !type;
	switch (retype_of(before, after)) {
	case RETYPE_NEVER: sql_put(sql, "NULL"); break;
	case RETYPE_BYTES: sql_put(sql, "convert_to(%s, 'UTF8')", name); break;
	default: sql_put(sql, "%s::%s", name, type ? type : "");
	}
}
