/* Keys and indexes: key and primary_key, unique and index, on members and on the struct. */
#include "read.h"

#include "../libcell/guess.h"

#include <string.h>

static bool is_index(const struct read *read, const struct macro_attribute *at)
{
	return strcmp(at->ns, read->provider->ns) == 0 &&
	       (strcmp(at->name, "index") == 0 || strcmp(at->name, "unique") == 0);
}

static bool is_primary(const struct read *read, const struct macro_attribute *at)
{
	return strcmp(at->ns, read->provider->ns) == 0 &&
	       (strcmp(at->name, "key") == 0 || strcmp(at->name, "primary_key") == 0);
}

/* --- which columns can be in one ----------------------------------------------------- */

static int refuse_column(struct read *read, const struct macro_attribute *at,
			 const struct macro_value *value, const struct read_column *c,
			 const char *what)
{
	return READ_REFUSE(read, at, value, "'%s' is %s: it cannot be in %s", c->column.name,
			   what, is_primary(read, at) ? "the key" : "an index");
}

static int check_column(struct read *read, const struct macro_attribute *at,
			const struct macro_value *value, const struct read_column *c)
{
	int r = 0;

	if (c->column.encrypted)
		r = refuse_column(read, at, value, c, "encrypted");
	else if (c->column.repeated)
		r = refuse_column(read, at, value, c, "a list");
	else if (c->column.type == TABLE_COLUMN_TYPE_MESSAGE)
		r = refuse_column(read, at, value, c, "a message");
	else if (is_primary(read, at) && *c->column.computed)
		r = refuse_column(read, at, value, c, "computed");
	if (r < 0 || !is_primary(read, at) || !c->column.nullable)
		return r;
	(void)READ_REFUSE(read, at, value, "'%s' may be absent, and a key is always there",
			  c->column.name);
	cell_macro_note(read->work, "leave out 'has_%s'", c->column.name);
	return CELL_INVALID_ARGUMENT;
}

static int add_column(struct read *read, struct read_key *key,
		      const struct macro_attribute *at, const struct macro_value *value,
		      size_t column)
{
	if (check_column(read, at, value, &read->columns[column]) < 0)
		return CELL_INVALID_ARGUMENT;
	for (size_t i = 0; i < key->n; i++)
		if (key->columns[i] == column)
			return READ_REFUSE(read, at, value, "'%s' is in it twice",
					   read->columns[column].column.name);
	if (key->n == READ_KEY_COLUMNS_MAX)
		return READ_REFUSE(read, at, value, "it has more than %d columns",
				   READ_KEY_COLUMNS_MAX);
	key->columns[key->n++] = (uint16_t)column;
	return 0;
}

/* --- indexes ------------------------------------------------------------------------- */

static struct read_key *find(struct read *read, const char *name)
{
	for (size_t i = 1; i < read->n_keys; i++)
		if (strcmp(read->keys[i].name, name) == 0)
			return &read->keys[i];
	return NULL;
}

static struct read_key *add(struct read *read, const struct macro_attribute *at,
			    const struct macro_value *value, const char *name)
{
	struct read_key *key = &read->keys[read->n_keys];

	if (!schema_name_is_valid(name)) {
		(void)READ_REFUSE(read, at, value, "'%s' is no name of an index", name);
		cell_macro_note(read->work, "letters, digits and '_', at most %d bytes",
				SCHEMA_NAME_MAX);
		return NULL;
	}
	if (read->n_keys > SCHEMA_INDEXES_MAX) {
		(void)READ_REFUSE(read, at, NULL, "it has more than %d indexes",
				  SCHEMA_INDEXES_MAX);
		return NULL;
	}
	read->n_keys++;
	*key = (struct read_key){ .name = name,
				  .at = at,
				  .is_unique = strcmp(at->name, "unique") == 0 };
	return key;
}

static int no_argument(struct read *read, const struct macro_attribute *at,
		       const struct macro_value *value)
{
	struct guess guess = { .word = value->name };

	guess_try(&guess, "name");
	return READ_REFUSE(read, at, value, "no argument '%s'%s", value->name,
			   guess.best ? " (did you mean 'name'?)" : "");
}

/* The name that MEMBER's index is given; *ret is its own, or NULL. */
static int member_name(struct read *read, const struct macro_attribute *at,
		       const struct macro_value **ret)
{
	*ret = NULL;
	for (const struct macro_value *value = NULL;
	     (value = cell_macro_next(at, NULL, value));) {
		if (*value->name && strcmp(value->name, "name") != 0)
			return no_argument(read, at, value);
		if (value->kind != MACRO_VALUE_KIND_STRING)
			return READ_REFUSE(read, at, value,
					   "the name of an index is a string");
		if (*ret)
			return READ_REFUSE(read, at, value, "one argument too many");
		*ret = value;
	}
	return 0;
}

static void member_index(struct read *read, const struct macro_attribute *at, size_t column)
{
	const char *own = read->columns[column].column.name;
	const struct macro_value *name;
	struct read_key *key;

	if (member_name(read, at, &name) < 0)
		return;
	key = find(read, name ? name->text : own);
	if (key && !name) {
		(void)READ_REFUSE(read, at, NULL, "'%s' has an index of that name already",
				  own);
		return;
	}
	if (key && key->is_unique != (strcmp(at->name, "unique") == 0)) {
		(void)READ_REFUSE(read, at, name, "'%s' is %s elsewhere", name->text,
				  key->is_unique ? "unique" : "an index that is not unique");
		cell_macro_note(read->work,
				"write %s::%s everywhere, or give one another name",
				read->provider->ns, key->at->name);
		return;
	}
	if (!key)
		key = add(read, at, name, name ? name->text : own);
	if (key)
		(void)add_column(read, key, at, NULL, column);
}

/* The name of an index that stands at the struct: name = "…", else its columns'. */
static const char *struct_name(struct read *read, const struct macro_attribute *at)
{
	const char *name = NULL;

	for (const struct macro_value *value = NULL;
	     (value = cell_macro_next(at, NULL, value));) {
		if (*value->name)
			return value->text;
		name = name ? cell_macro_printf(read->work, "%s_%s", name, value->text)
			    : value->text;
		if (!name)
			return "";
	}
	return name;
}

static int check_struct_index(struct read *read, const struct macro_attribute *at)
{
	size_t n = 0;

	for (const struct macro_value *value = NULL;
	     (value = cell_macro_next(at, NULL, value));) {
		if (*value->name && strcmp(value->name, "name") != 0)
			return no_argument(read, at, value);
		if (*value->name && value->kind != MACRO_VALUE_KIND_STRING)
			return READ_REFUSE(read, at, value,
					   "the name of an index is a string");
		if (!*value->name && value->kind != MACRO_VALUE_KIND_IDENTIFIER)
			return READ_REFUSE(read, at, value,
					   "a column is named without quotes");
		n += !*value->name;
	}
	if (n)
		return 0;
	(void)READ_REFUSE(read, at, NULL, "at a struct it names columns");
	cell_macro_note(read->work, "%s::%s(a, b)", at->ns, at->name);
	return CELL_INVALID_ARGUMENT;
}

static void struct_index(struct read *read, const struct macro_attribute *at)
{
	struct read_key *key;
	const char *name;

	if (check_struct_index(read, at) < 0)
		return;
	name = struct_name(read, at);
	if (find(read, name)) {
		(void)READ_REFUSE(read, at, NULL, "there is an index '%s' already", name);
		cell_macro_note(read->work, "give it another: name = \"…\"");
		return;
	}
	key = add(read, at, NULL, name);
	for (const struct macro_value *value = NULL;
	     key && (value = cell_macro_next(at, NULL, value));) {
		int column = *value->name ? -1 : read_column_by_name(read, value->text);

		if (column >= 0)
			(void)add_column(read, key, at, value, (size_t)column);
		else if (!*value->name)
			(void)read_no_column(read, at, value, value->text);
	}
}

/* --- all of them --------------------------------------------------------------------- */

static void member_keys(struct read *read, size_t column)
{
	const struct macro_member *m = read->columns[column].member.at;
	bool is_in_key = false;

	for (size_t i = 0; i < m->n_attributes; i++) {
		const struct macro_attribute *at = &m->attributes[i];
		bool is_key = is_primary(read, at);

		if (!is_key && !is_index(read, at))
			continue;
		if (read->kind == READ_PERSISTED) {
			(void)READ_REFUSE(read, at, NULL,
					  "a state that lasts is one row: it has no %s",
					  is_key ? "key" : "index");
		} else if (is_key && !is_in_key) {
			is_in_key = true;
			(void)add_column(read, &read->keys[0], at, NULL, column);
		} else if (!is_key) {
			member_index(read, at, column);
		}
	}
}

void read_keys(struct read *read)
{
	read->keys = read_take(read, SCHEMA_INDEXES_MAX + 1, sizeof *read->keys);
	if (!read->keys) {
		read->is_wrong = true;
		return;
	}
	read->n_keys = 1;
	read->keys[0] = (struct read_key){ .name = "", .at = read->mine, .is_unique = true };
	for (size_t i = 0; i < read->n_columns; i++)
		member_keys(read, i);
	for (size_t i = 0; i < read->type->n_attributes; i++)
		if (is_index(read, &read->type->attributes[i]) && read->kind == READ_TABLE)
			struct_index(read, &read->type->attributes[i]);
	if (read->keys[0].n || read->is_wrong || read->kind != READ_TABLE)
		return;
	(void)READ_REFUSE(read, read->mine, NULL, "'%s' has no key", read->tag);
	cell_macro_note(read->work, "put [[%s::key]] on the member that names a row",
			read->provider->ns);
}
