#include "declare.h"

#include "../libcell/macro_work.h"

#include <cell/cell.h>
#include <string.h>

static const uint32_t *key_numbers(const struct read *read, const struct read_key *key)
{
	uint32_t *numbers = read_take(read, key->n, sizeof *numbers);

	for (size_t i = 0; numbers && i < key->n; i++)
		numbers[i] = read->columns[key->columns[i]].column.number;
	return numbers;
}

static struct table_index index_of(const struct read *read, const struct read_key *key)
{
	return (struct table_index){ .name = key->name,
				     .n_columns = key->n,
				     .columns = key_numbers(read, key),
				     .unique = key->is_unique };
}

static void put_columns(const struct read *read, struct table_table *table)
{
	struct table_column *columns = read_take(read, read->n_columns, sizeof *columns);

	for (size_t i = 0; columns && i < read->n_columns; i++)
		columns[i] = read->columns[i].column;
	table->columns = columns;
	table->n_columns = read->n_columns;
}

static void put_indexes(const struct read *read, struct table_table *table)
{
	struct table_index *indexes = read_take(read, read->n_keys, sizeof *indexes);

	for (size_t i = 0; indexes && i < read->n_keys; i++)
		indexes[i] = index_of(read, &read->keys[i]);
	table->key = indexes;
	table->indexes = indexes ? indexes + 1 : NULL;
	table->n_indexes = read->n_keys - 1;
}

static void put_references(const struct read *read, struct table_table *table)
{
	struct table_reference *references =
		read_take(read, read->n_references, sizeof *references);

	for (size_t i = 0; references && i < read->n_references; i++) {
		const struct read_reference *from = &read->references[i];

		references[i] = (struct table_reference){
			.column = read->columns[from->column].column.number,
			.table = from->table,
			.ref_column = from->ref_column,
			.on_delete = from->on_delete,
		};
	}
	table->references = references;
	table->n_references = read->n_references;
}

/* The attribute of MEMBER that a refusal with this word is about; NULL for the member itself.
 */
static const struct macro_attribute *attribute_of(const struct read *read,
						  const struct macro_member *member,
						  const char *text)
{
	static const char *const words[][2] = {
		{ "refer", "ref" },         { "refer", "foreign_key" },
		{ "computed", "computed" }, { "serial", "serial" },
		{ "default", "default" },   { "renamed", "renamed" },
	};
	const struct macro_attribute *at = NULL;

	for (size_t i = 0; !at && i < sizeof words / sizeof *words; i++)
		if (strstr(text, words[i][0]))
			at = read_find(read, member->attributes, member->n_attributes,
				       words[i][1]);
	return at;
}

/* "TABLE.COLUMN: TEXT" at the column, all else at the table. */
static int refuse(struct read *read, const char *text)
{
	size_t len = strlen(read->name), name = strcspn(text, ":");

	for (size_t i = 0; i < read->n_columns && strncmp(text, read->name, len) == 0 &&
			   text[len] == '.' && name > len;
	     i++) {
		const struct macro_member *member = read->columns[i].member.at;
		const struct macro_attribute *at;

		if (strlen(member->name) != name - len - 1 ||
		    strncmp(text + len + 1, member->name, name - len - 1) != 0)
			continue;
		at = attribute_of(read, member, text);
		text += name + strspn(text + name, ": ");
		return at ? READ_REFUSE(read, at, NULL, "'%s' %s", member->name, text)
			  : READ_REFUSE_MEMBER(read, member->name, "'%s' %s", member->name,
					       text);
	}
	return READ_REFUSE(read, read->mine, NULL, "%s", text);
}

/* The rules that need all of it are the schema's; here they get a place. */
static int check(struct read *read, const uint8_t *body, size_t len, uint64_t *ret_version)
{
	struct cell_error err = { .code = 0 };
	struct schema *schema;
	int r = schema_new(&schema, body, len, &err);

	if (r == -ENOMEM) {
		read->work->is_out_of_memory = true;
		return r;
	}
	if (r < 0)
		return refuse(read, err.text);
	*ret_version = schema->version;
	schema_free(schema);
	return 0;
}

int declared_make(struct read *read, struct declared *ret)
{
	struct table_table table = {
		.store = read->store,
		.name = read->name,
		.shared = read->is_shared,
		.schema = read->schema,
		.doc = read->type->doc ? read->type->doc : "",
		.n_checks = read->n_checks,
		.checks = read->checks,
		.n_dropped = read->n_dropped,
		.dropped = (const char *const *)read->dropped,
	};
	uint8_t *body;

	put_columns(read, &table);
	put_indexes(read, &table);
	put_references(read, &table);
	if (read->work->is_out_of_memory)
		return -ENOMEM;
	body = read_take(read, table_table_type.bound(&table), 1);
	if (!body)
		return -ENOMEM;
	ret->body = body;
	ret->len = (size_t)(table_table_type.encode(&table, body) - body);
	return check(read, ret->body, ret->len, &ret->version);
}

/* --- the order in which tables are made -------------------------------------------------- */

static bool told(struct cell_macro_work *work, const struct macro_declared *declared,
		 struct table_table *ret)
{
	struct cell_arena *arena = cell_arena(cell_macro_call(work));

	return table_table_type.decode(ret, declared->body, declared->n_body, 0, arena, NULL) == 0;
}

/* One that makes no sense is in nobody's way: making it says what is wrong. */
bool table_comes_before(struct cell_macro_work *work, const struct macro_declared *first,
			const struct macro_declared *second)
{
	struct cell_call *call = cell_macro_call(work);
	struct cell_arena_mark mark = cell_mark(call);
	struct table_table one, other;
	bool refers = false;

	if (told(work, first, &one) && told(work, second, &other) &&
	    strcmp(one.store, other.store) == 0 && strcmp(one.name, other.name) != 0)
		for (size_t i = 0; !refers && i < other.n_references; i++)
			refers = strcmp(other.references[i].table, one.name) == 0;
	cell_rewind(call, mark);
	return refers;
}
