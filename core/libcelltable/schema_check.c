#include "schema_check.h"

#include <string.h>

#include "types.h"


#define REFUSE(...) cell_fail(err, CELL_INVALID_ARGUMENT, __VA_ARGS__)

static bool is_word(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!is_first && c >= '0' && c <= '9');
}

bool schema_name_is_valid(const char *name)
{
	size_t n = 0;

	while (is_word(name[n], n == 0))
		n++;
	return n && !name[n] && n <= SCHEMA_NAME_MAX;
}

bool schema_store_is_valid(const char *name)
{
	size_t n = 0;

	while (is_word(name[n], false) || name[n] == '-' || (n && name[n] == '.'))
		n++;
	return n && !name[n] && n <= SCHEMA_NAME_MAX;
}

const struct table_column *schema_check_find(const struct table_table *table, uint32_t number)
{
	for (size_t i = 0; i < table->n_columns; i++)
		if (table->columns[i].number == number)
			return &table->columns[i];
	return NULL;
}

static const struct table_column *find_name(const struct table_table *table, const char *name)
{
	for (size_t i = 0; i < table->n_columns; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	return NULL;
}

/* --- columns ----------------------------------------------------------------------------- */

static int check_values(const struct table_table *table, const struct table_column *column,
			struct cell_error *err)
{
	bool is_enum = column->type == TABLE_COLUMN_TYPE_ENUM;

	if (!is_enum && column->n_values)
		return REFUSE("%s.%s: has values, and is no enum", table->name, column->name);
	if (is_enum && !column->n_values)
		return REFUSE("%s.%s: is an enum without values", table->name, column->name);
	for (size_t i = 0; i < column->n_values; i++) {
		if (!schema_name_is_valid(column->values[i].name))
			return REFUSE("%s.%s: a value has no valid name", table->name, column->name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(column->values[i].name, column->values[j].name) == 0)
				return REFUSE("%s.%s: has the value %s twice", table->name,
					      column->name, column->values[i].name);
	}
	return 0;
}

static int check_size(const struct table_table *table, const struct table_column *column,
		      struct cell_error *err)
{
	bool is_bytes = column->type == TABLE_COLUMN_TYPE_BYTES;

	if (column->length && !is_bytes && column->type != TABLE_COLUMN_TYPE_TEXT)
		return REFUSE("%s.%s: has a length, and is %s", table->name, column->name,
			      type_of(column->type)->name);
	if (column->fixed && (!is_bytes || !column->length))
		return REFUSE("%s.%s: only bytes with a length can be fixed", table->name,
			      column->name);
	return 0;
}

static int check_serial(const struct table_table *table, const struct table_column *column,
			struct cell_error *err)
{
	enum value_kind kind = value_kind_of(column->type);
	bool is_number = (kind == VALUE_INT || kind == VALUE_UINT) &&
			 column->type != TABLE_COLUMN_TYPE_ENUM;

	if (!column->serial)
		return 0;
	if (!is_number || column->repeated)
		return REFUSE("%s.%s: only a whole number can be serial", table->name, column->name);
	if (column->nullable || column->encrypted || column->fallback[0] || column->computed[0])
		return REFUSE("%s.%s: is serial, so it is neither nullable, encrypted nor computed, "
			      "and has no default",
			      table->name, column->name);
	return 0;
}

static int check_column(const struct table_table *table, const struct table_column *column,
			struct cell_error *err)
{
	int r;

	if (!schema_name_is_valid(column->name))
		return REFUSE("%s: '%s' is no name for a column: letters, digits and _, at most %u",
			      table->name, column->name, SCHEMA_NAME_MAX);
	if (!column->number || column->number > COLUMN_NUMBER_MAX)
		return REFUSE("%s.%s: its number is %u, not 1 to %u", table->name, column->name,
			      column->number, COLUMN_NUMBER_MAX);
	if (!type_of(column->type)->name)
		return REFUSE("%s.%s: type %d is not known", table->name, column->name,
			      (int)column->type);
	r = check_values(table, column, err);
	if (r == 0)
		r = check_size(table, column, err);
	if (r == 0)
		r = check_serial(table, column, err);
	if (r < 0)
		return r;
	if (column->computed[0] && column->fallback[0])
		return REFUSE("%s.%s: is computed, so it has no default", table->name, column->name);
	return 0;
}

/* --- names and numbers of all of them ------------------------------------------------------ */

static int check_renamed(const struct table_table *table, const struct table_column *column,
			 struct cell_error *err)
{
	if (!column->renamed_from[0])
		return 0;
	if (!schema_name_is_valid(column->renamed_from))
		return REFUSE("%s.%s: '%s' was no column's name", table->name, column->name,
			      column->renamed_from);
	if (find_name(table, column->renamed_from))
		return REFUSE("%s.%s: is renamed from %s, which is a column still", table->name,
			      column->name, column->renamed_from);
	for (const struct table_column *c = table->columns; c < column; c++)
		if (strcmp(c->renamed_from, column->renamed_from) == 0)
			return REFUSE("%s.%s: is renamed from %s, as %s is", table->name,
				      column->name, column->renamed_from, c->name);
	return 0;
}

static int check_counts(const struct table_table *table, struct cell_error *err)
{
	size_t n_values = 0, n_text = 0;

	if (!table->n_columns || table->n_columns > SCHEMA_COLUMNS_MAX)
		return REFUSE("%s: has %zu columns, not 1 to %u", table->name, table->n_columns,
			      SCHEMA_COLUMNS_MAX);
	for (size_t i = 0; i < table->n_columns; i++) {
		n_values += table->columns[i].n_values;
		n_text += strlen(table->columns[i].computed);
	}
	if (n_values > SCHEMA_VALUES_MAX)
		return REFUSE("%s: its enums have %zu values, limit %u", table->name, n_values,
			      SCHEMA_VALUES_MAX);
	if (table->n_checks > SCHEMA_CHECKS_MAX)
		return REFUSE("%s: has %zu checks, limit %u", table->name, table->n_checks,
			      SCHEMA_CHECKS_MAX);
	for (size_t i = 0; i < table->n_checks; i++)
		n_text += strlen(table->checks[i].text);
	if (n_text > SCHEMA_TEXT_MAX)
		return REFUSE("%s: its checks and computed columns have %zu bytes, limit %u",
			      table->name, n_text, SCHEMA_TEXT_MAX);
	if (table->n_dropped > SCHEMA_DROPPED_MAX)
		return REFUSE("%s: has dropped %zu columns, limit %u", table->name,
			      table->n_dropped, SCHEMA_DROPPED_MAX);
	if (table->n_indexes > SCHEMA_INDEXES_MAX)
		return REFUSE("%s: has %zu indexes, limit %u", table->name, table->n_indexes,
			      SCHEMA_INDEXES_MAX);
	return 0;
}

static int check_columns(const struct table_table *table, struct cell_error *err)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		const struct table_column *column = &table->columns[i];
		int r = check_column(table, column, err);

		if (r < 0)
			return r;
		if (find_name(table, column->name) != column)
			return REFUSE("%s.%s: there are two columns of that name", table->name,
				      column->name);
		if (schema_check_find(table, column->number) != column)
			return REFUSE("%s.%s: has the number %u of %s", table->name, column->name,
				      column->number,
				      schema_check_find(table, column->number)->name);
		r = check_renamed(table, column, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < table->n_dropped; i++)
		if (find_name(table, table->dropped[i]))
			return REFUSE("%s.%s: is dropped, and declared", table->name,
				      table->dropped[i]);
	return 0;
}

/* --- keys ---------------------------------------------------------------------------------- */

static int check_part(const struct table_table *table, const struct table_index *key, size_t part,
		      bool is_primary, struct cell_error *err)
{
	const struct table_column *column = schema_check_find(table, key->columns[part]);
	const char *what = is_primary ? "the key" : key->name, *why = NULL;

	if (!column)
		return REFUSE("%s: %s has a column of number %u, which there is not", table->name,
			      what, key->columns[part]);
	for (size_t i = 0; i < part; i++)
		if (key->columns[i] == key->columns[part])
			return REFUSE("%s.%s: is twice in %s", table->name, column->name, what);
	if (column->encrypted)
		why = "is encrypted";
	else if (column->repeated)
		why = "is a list";
	else if (column->type == TABLE_COLUMN_TYPE_MESSAGE)
		why = "is a message";
	else if (is_primary && column->nullable)
		why = "may be NULL";
	else if (is_primary && column->computed[0])
		why = "is computed";
	if (why)
		return REFUSE("%s.%s: %s, so it cannot be in %s%s", table->name, column->name, why,
			      is_primary ? "" : "the index ", what);
	return 0;
}

static int check_key(const struct table_table *table, const struct table_index *key,
		     bool is_primary, struct cell_error *err)
{
	for (size_t i = 0; i < key->n_columns; i++) {
		int r = check_part(table, key, i, is_primary, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_indexes(const struct table_table *table, struct cell_error *err)
{
	for (size_t i = 0; i < table->n_indexes; i++) {
		const struct table_index *index = &table->indexes[i];
		int r;

		if (!schema_name_is_valid(index->name))
			return REFUSE("%s: '%s' is no name for an index", table->name, index->name);
		if (!index->n_columns)
			return REFUSE("%s: the index %s has no columns", table->name, index->name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(table->indexes[j].name, index->name) == 0)
				return REFUSE("%s: there are two indexes %s", table->name,
					      index->name);
		r = check_key(table, index, false, err);
		if (r < 0)
			return r;
	}
	return table->key ? check_key(table, table->key, true, err) : 0;
}

/* --- references ------------------------------------------------------------------------------ */

/* What a reference to the table itself leads to: a key or unique index of one column. */
static const struct table_column *referred(const struct table_table *table, const char *name)
{
	if (!*name)
		return table->key && table->key->n_columns == 1
			       ? schema_check_find(table, table->key->columns[0])
			       : NULL;
	for (size_t i = 0; i < table->n_indexes + !!table->key; i++) {
		const struct table_index *key = i < table->n_indexes ? &table->indexes[i]
								     : table->key;
		const struct table_column *column;

		if (key->n_columns != 1 || (i < table->n_indexes && !key->unique))
			continue;
		column = schema_check_find(table, key->columns[0]);
		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

static int check_itself(const struct table_table *table, const struct table_column *column,
			const struct table_reference *reference, struct cell_error *err)
{
	const struct table_column *to = referred(table, reference->ref_column);

	if (!to)
		return REFUSE("%s.%s: refers to %s.%s, which is neither the key nor unique",
			      table->name, column->name, table->name,
			      reference->ref_column[0] ? reference->ref_column : "(key)");
	if (to == column)
		return REFUSE("%s.%s: refers to itself", table->name, column->name);
	if (to->type != column->type)
		return REFUSE("%s.%s: is %s, and refers to %s.%s, which is %s", table->name,
			      column->name, type_of(column->type)->name, table->name, to->name,
			      type_of(to->type)->name);
	return 0;
}

static int check_reference(const struct table_table *table, size_t i, struct cell_error *err)
{
	const struct table_reference *reference = &table->references[i];
	const struct table_column *column = schema_check_find(table, reference->column);

	if (!column)
		return REFUSE("%s: a reference is of column number %u, which there is not",
			      table->name, reference->column);
	if (!schema_name_is_valid(reference->table) ||
	    (reference->ref_column[0] && !schema_name_is_valid(reference->ref_column)))
		return REFUSE("%s.%s: '%s.%s' cannot be referred to", table->name, column->name,
			      reference->table, reference->ref_column);
	for (size_t j = 0; j < i; j++)
		if (table->references[j].column == reference->column)
			return REFUSE("%s.%s: has two references", table->name, column->name);
	if (column->repeated || column->encrypted || column->type == TABLE_COLUMN_TYPE_MESSAGE)
		return REFUSE("%s.%s: %s cannot refer to a row", table->name, column->name,
			      column->encrypted  ? "what is encrypted"
			      : column->repeated ? "a list"
						 : "a message");
	if ((unsigned)reference->on_delete > TABLE_ON_DELETE_SET_NULL)
		return REFUSE("%s.%s: on_delete %d is not known", table->name, column->name,
			      (int)reference->on_delete);
	if (reference->on_delete == TABLE_ON_DELETE_SET_NULL && !column->nullable)
		return REFUSE("%s.%s: is set to NULL when its row goes, and is never NULL",
			      table->name, column->name);
	if (strcmp(reference->table, table->name) == 0)
		return check_itself(table, column, reference, err);
	return 0;
}

int schema_check(const struct table_table *table, struct cell_error *err)
{
	int r;

	if (!schema_name_is_valid(table->name))
		return REFUSE("'%s' is no name for a table: letters, digits and _, at most %u",
			      table->name, SCHEMA_NAME_MAX);
	if (!schema_store_is_valid(table->store))
		return REFUSE("%s: '%s' is no name for a store: letters, digits, _, - and ., at most "
			      "%u",
			      table->name, table->store, SCHEMA_NAME_MAX);
	r = check_counts(table, err);
	if (r == 0)
		r = check_columns(table, err);
	if (r == 0)
		r = check_indexes(table, err);
	for (size_t i = 0; r == 0 && i < table->n_references; i++)
		r = check_reference(table, i, err);
	return r;
}
