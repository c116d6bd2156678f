/* What attributes say of a column's values: defaults, checks, references, what became of it.
 */
#include "read.h"

#include <cell/cell.h>
#include <cell/internal/table/expression.h>
#include <string.h>
#include <strings.h>

static const struct macro_attribute *of_member(const struct read *read,
					       const struct read_column *c, const char *name)
{
	return read_find(read, c->member.at->attributes, c->member.at->n_attributes, name);
}

static const char *argument_text(const struct read *read, const struct macro_attribute *at)
{
	const struct macro_value *value = cell_macro_next(at, NULL, NULL);

	return value ? read_literal(read, value) : "";
}

/* --- what a member says by itself ---------------------------------------------------- */

static bool is_integer(enum table_column_type type)
{
	return type == TABLE_COLUMN_TYPE_INT32 || type == TABLE_COLUMN_TYPE_UINT32 ||
	       type == TABLE_COLUMN_TYPE_INT64 || type == TABLE_COLUMN_TYPE_UINT64;
}

static void read_serial(struct read *read, struct read_column *c)
{
	const struct macro_attribute *at = of_member(read, c, "serial");

	if (!at)
		return;
	c->column.serial = true;
	if (!is_integer(c->column.type) || c->column.repeated) {
		(void)READ_REFUSE(read, at, NULL, "'%s' is no integer", c->column.name);
		cell_macro_note(read->work, "use uint64_t");
	} else if (c->column.nullable) {
		(void)READ_REFUSE(read, at, NULL,
				  "'%s' may be absent, and always gets a number",
				  c->column.name);
		cell_macro_note(read->work, "leave out 'has_%s'", c->column.name);
	}
}

/* Two that both say where the value comes from. */
static void check_one_source(struct read *read, const struct read_column *c)
{
	static const char *const sources[] = { "serial", "computed", "default" };
	const struct macro_attribute *first = NULL, *at;

	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		at = of_member(read, c, sources[i]);
		if (at && first)
			(void)READ_REFUSE(read, at, NULL, "'%s' is %s already",
					  c->column.name, first->name);
		else if (at)
			first = at;
	}
}

void read_member_rules(struct read *read, struct read_column *c)
{
	const struct macro_attribute *at = of_member(read, c, "computed");

	if (at)
		c->column.computed = argument_text(read, at);
	at = of_member(read, c, "renamed");
	if (at)
		c->column.renamed_from = cell_macro_text(read->work, at, "from", "");
	c->column.encrypted = of_member(read, c, "encrypted") != NULL;
	read_serial(read, c);
	check_one_source(read, c);
}

/* --- defaults ------------------------------------------------------------------------ */

static int default_wrong(struct read *read, const struct macro_attribute *at,
			 const struct macro_value *value, const struct read_column *c,
			 const char *text, const char *instead)
{
	(void)READ_REFUSE(read, at, value, "'%s' %s", c->column.name, text);
	cell_macro_note(read->work, "%s", instead);
	return CELL_INVALID_ARGUMENT;
}

/* now() and uuid(), also "NOW()" where no text is stored. */
static const char *function_of(const struct macro_value *value, const char *text,
			       const struct read_column *c)
{
	if (value->kind == MACRO_VALUE_KIND_STRING &&
	    c->column.type != TABLE_COLUMN_TYPE_TEXT)
		text = value->text;
	if (strcasecmp(text, "now()") == 0)
		return "now()";
	return strcasecmp(text, "uuid()") == 0 ? "uuid()" : NULL;
}

static int read_default(struct read *read, struct read_column *c)
{
	const struct macro_attribute *at = of_member(read, c, "default");
	const struct macro_value *value = at ? cell_macro_next(at, NULL, NULL) : NULL;
	struct cell_error err = { .code = 0 };
	const char *text, *function;

	if (!value)
		return 0;
	text = read_literal(read, value);
	function = function_of(value, text, c);
	c->column.fallback = function ? function : text;
	if (c->column.repeated || c->column.type == TABLE_COLUMN_TYPE_MESSAGE ||
	    c->member.kind == CELL_MEMBER_BYTES)
		return default_wrong(
			read, at, value, c, "can have no default",
			"numbers, enums, bool, text and bytes of a fixed length can");
	if (value->kind == MACRO_VALUE_KIND_NULL)
		return default_wrong(
			read, at, value, c, "has NULL as its default",
			"that is what it is without one, if 'has_x' stands before it");
	if (function && strcmp(function, "now()") == 0) {
		if (c->column.type == TABLE_COLUMN_TYPE_INT64)
			return 0;
		return default_wrong(read, at, value, c, "cannot hold now()",
				     "use int64_t: it is microseconds since 1970");
	}
	if (function) {
		if (c->column.fixed && c->column.length == 16)
			return 0;
		return default_wrong(read, at, value, c, "cannot hold uuid()",
				     "use uint8_t x[16]: it is 16 random bytes");
	}
	if (value_parse(&c->fallback, text, &c->column,
			cell_arena(cell_macro_call(read->work)), &err) < 0)
		return READ_REFUSE(read, at, value, "%s", err.text);
	c->has_fallback = true;
	return 0;
}

/* --- expressions --------------------------------------------------------------------- */

static const struct table_column *all_columns(const struct read *read)
{
	struct table_column *columns = read_take(read, read->n_columns, sizeof *columns);

	for (size_t i = 0; columns && i < read->n_columns; i++)
		columns[i] = read->columns[i].column;
	return columns;
}

/* The expression of AT; NULL after a refusal. */
static const struct expression *parse(struct read *read, const struct macro_attribute *at,
				      const struct table_column *columns,
				      const char **ret_text)
{
	const struct macro_value *value = cell_macro_next(at, NULL, NULL);
	struct cell_arena *arena = cell_arena(cell_macro_call(read->work));
	const bool is_tokens = value && value->kind == MACRO_VALUE_KIND_TOKENS;
	struct cell_error err = { .code = 0 };
	const struct expression *expression;
	size_t where = 0;

	*ret_text = argument_text(read, at);
	/* As it came, so that a byte of it is a place in the source. */
	if (!columns || expression_parse(&expression, is_tokens ? value->text : *ret_text,
					 columns, read->n_columns, arena, &where, &err) == 0)
		return columns ? expression : NULL;
	read->is_wrong = true;
	if (is_tokens)
		(void)cell_macro_refuse_at(read->work, at, value, where, "%s", err.text);
	else
		(void)cell_macro_refuse(read->work, at, value, "%s", err.text);
	return NULL;
}

static const char *kind_name(enum value_kind kind)
{
	switch (kind) {
	case VALUE_BOOL: return "true or false";
	case VALUE_INT: return "an integer";
	case VALUE_UINT: return "an unsigned integer";
	case VALUE_REAL: return "a number";
	case VALUE_TEXT: return "text";
	case VALUE_BYTES: return "bytes";
	case VALUE_LIST: return "a list";
	case VALUE_NULL: break;
	}
	return "always NULL";
}

static void add_check(struct read *read, const struct macro_attribute *at,
		      const struct table_column *columns, const char *column)
{
	const char *text;
	const struct expression *expression = parse(read, at, columns, &text);

	if (expression && expression_kind(expression) != VALUE_BOOL) {
		(void)READ_REFUSE(read, at, cell_macro_next(at, NULL, NULL),
				  "a check is true or false, and this is %s",
				  kind_name(expression_kind(expression)));
		return;
	}
	read->checks[read->n_checks++] =
		(struct table_check){ .text = text, .column = column };
}

static size_t count_checks(const struct read *read)
{
	size_t n = read->type->n_attributes;

	for (size_t i = 0; i < read->n_columns; i++)
		n += read->columns[i].member.at->n_attributes;
	return n;
}

static void add_checks(struct read *read, const struct macro_attribute *attributes, size_t n,
		       const struct table_column *columns, const char *column)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(attributes[i].ns, read->provider->ns) == 0 &&
		    strcmp(attributes[i].name, "check") == 0)
			add_check(read, &attributes[i], columns, column);
}

static void read_checks(struct read *read, const struct table_column *columns)
{
	read->checks = read_take(read, count_checks(read), sizeof *read->checks);
	if (!read->checks)
		return;
	for (size_t i = 0; i < read->n_columns; i++)
		add_checks(read, read->columns[i].member.at->attributes,
			   read->columns[i].member.at->n_attributes, columns,
			   read->columns[i].column.name);
	add_checks(read, read->type->attributes, read->type->n_attributes, columns, "");
}

static void read_computed(struct read *read, struct read_column *c,
			  const struct table_column *columns)
{
	const struct macro_attribute *at = of_member(read, c, "computed");
	const struct expression *expression;
	const char *text;

	expression = at ? parse(read, at, columns, &text) : NULL;
	if (!expression)
		return;
	for (size_t i = 0; i < read->n_columns; i++)
		if (*read->columns[i].column.computed && expression_uses(expression, i)) {
			(void)READ_REFUSE(read, at, cell_macro_next(at, NULL, NULL),
					  "'%s' is computed itself",
					  read->columns[i].column.name);
			cell_macro_note(read->work, "write out its expression instead");
			return;
		}
	if (!expression_fits(expression, &c->column))
		(void)READ_REFUSE(read, at, cell_macro_next(at, NULL, NULL),
				  "'%s' is %s, and this is %s", c->column.name,
				  schema_type_print(&c->column,
						    cell_arena(cell_macro_call(read->work))),
				  kind_name(expression_kind(expression)));
}

/* --- references ---------------------------------------------------------------------- */

static bool reference_split(struct read *read, const char *text, struct read_reference *ret)
{
	const char *dot = strchr(text, '.');

	ret->table =
		dot ? cell_macro_printf(read->work, "%.*s", (int)(dot - text), text) : text;
	ret->ref_column = dot ? dot + 1 : "";
	return ret->table && schema_name_is_valid(ret->table) &&
	       (!dot || schema_name_is_valid(ret->ref_column));
}

static void read_reference(struct read *read, size_t column, const char *macro,
			   const char *argument)
{
	const struct read_column *c = &read->columns[column];
	const struct macro_attribute *at = of_member(read, c, macro);
	struct read_reference *ref = &read->references[read->n_references];
	const struct macro_value *value, *action;
	const char *what;

	value = at ? cell_macro_argument(read->work, at, argument) : NULL;
	if (!value)
		return; /* it is required, and that has been said */
	action = cell_macro_argument(read->work, at, "on_delete");
	what = action ? action->text : "restrict";
	*ref = (struct read_reference){ .column = (uint16_t)column };
	if (!reference_split(read, value->text, ref)) {
		(void)READ_REFUSE(read, at, value,
				  "'%s' is neither a table nor a table.column", value->text);
		return;
	}
	if (c->column.repeated || c->column.encrypted ||
	    c->column.type == TABLE_COLUMN_TYPE_MESSAGE) {
		(void)READ_REFUSE(read, at, NULL, "'%s' is %s: it refers to nothing",
				  c->column.name,
				  c->column.encrypted  ? "encrypted"
				  : c->column.repeated ? "a list"
						       : "a message");
		return;
	}
	if (strcmp(what, "cascade") == 0)
		ref->on_delete = TABLE_ON_DELETE_CASCADE;
	else if (strcmp(what, "set_null") == 0)
		ref->on_delete = TABLE_ON_DELETE_SET_NULL;
	else if (strcmp(what, "restrict") != 0)
		(void)READ_REFUSE(read, at, action,
				  "on_delete is restrict, cascade or set_null");
	if (ref->on_delete == TABLE_ON_DELETE_SET_NULL && !c->column.nullable) {
		(void)READ_REFUSE(read, at, action, "'%s' can never be NULL", c->column.name);
		cell_macro_note(read->work, "put \"bool has_%s;\" before it", c->column.name);
	}
	read->n_references++;
}

/* --- what became of columns ---------------------------------------------------------- */

static void check_renamed(struct read *read, const struct read_column *c)
{
	const struct macro_attribute *at = of_member(read, c, "renamed");
	const struct macro_value *value =
		at ? cell_macro_argument(read->work, at, "from") : NULL;

	if (!value)
		return;
	if (!schema_name_is_valid(value->text))
		(void)READ_REFUSE(read, at, value, "'%s' is no name of a column",
				  value->text);
	else if (read_column_by_name(read, value->text) >= 0)
		(void)READ_REFUSE(read, at, value, "'%s' is still a member", value->text);
	for (size_t i = 0; i < read->n_columns && &read->columns[i] != c; i++)
		if (strcmp(read->columns[i].column.renamed_from, value->text) == 0)
			(void)READ_REFUSE(read, at, value, "'%s' says the same of itself",
					  read->columns[i].column.name);
}

static void add_dropped(struct read *read, const struct macro_attribute *at,
			const struct macro_value *value)
{
	if (*value->name || value->kind != MACRO_VALUE_KIND_STRING ||
	    !schema_name_is_valid(value->text)) {
		(void)READ_REFUSE(read, at, value,
				  "it takes names of columns that are gone, in quotes");
		return;
	}
	if (read_column_by_name(read, value->text) >= 0)
		(void)READ_REFUSE(read, at, value, "'%s' is still a member", value->text);
	for (size_t i = 0; i < read->n_columns; i++)
		if (strcmp(read->columns[i].column.renamed_from, value->text) == 0)
			(void)READ_REFUSE(read, at, value, "'%s' is renamed to '%s'",
					  value->text, read->columns[i].column.name);
	read->dropped[read->n_dropped++] = value->text;
}

static void read_dropped(struct read *read)
{
	size_t n = 0;

	for (size_t i = 0; i < read->type->n_attributes; i++)
		n += read->type->attributes[i].n_values;
	read->dropped = read_take(read, n, sizeof *read->dropped);
	for (size_t i = 0; read->dropped && i < read->type->n_attributes; i++) {
		const struct macro_attribute *at = &read->type->attributes[i];
		const struct macro_value *value = NULL;

		if (strcmp(at->ns, read->provider->ns) != 0 ||
		    strcmp(at->name, "dropped") != 0)
			continue;
		if (!cell_macro_next(at, NULL, NULL))
			(void)READ_REFUSE(
				read, at, NULL,
				"it takes names of columns that are gone: dropped(\"nick\")");
		while ((value = cell_macro_next(at, NULL, value)))
			add_dropped(read, at, value);
	}
}

/* --- all ----------------------------------------------------------------------------- */

void read_rules(struct read *read)
{
	const struct table_column *columns;

	for (size_t i = 0; i < read->n_columns; i++)
		(void)read_default(read, &read->columns[i]);
	columns = all_columns(read);
	read_checks(read, columns);
	for (size_t i = 0; i < read->n_columns; i++)
		read_computed(read, &read->columns[i], columns);
	read->references = read_take(read, 2 * read->n_columns, sizeof *read->references);
	for (size_t i = 0; read->references && i < read->n_columns; i++) {
		read_reference(read, i, "ref", "table");
		read_reference(read, i, "foreign_key", "ref");
		check_renamed(read, &read->columns[i]);
	}
	read_dropped(read);
}
