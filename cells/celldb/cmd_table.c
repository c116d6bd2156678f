/* Tables: found by name, listed, described. */
#include "cmd.h"

#include <cell/cell.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- finding ------------------------------------------------------------------------------ */

/* The declaration once more as bytes, since that is what a schema is made of. */
static int schema_make(struct db_table *table, const struct table_table *told)
{
	size_t bound = table_table_type.bound(told), len;
	uint8_t *bytes = cell_arena_alloc(cell_arena(table->call), bound);
	struct cell_error err = { .code = 0 };
	int r;

	if (!bytes)
		return command_fail(table->command, -ENOMEM, "no memory for a table");
	len = (size_t)(table_table_type.encode(told, bytes) - bytes);
	r = schema_new(&table->schema, bytes, len, &err);
	/* It is the database's word, not something that was typed. */
	return r < 0 ? command_fail(table->command, r == -ENOMEM ? r : CELL_INTERNAL,
				    "celldb describes a table that is none: %s", err.text)
		     : 0;
}

int db_table_find(struct db_table *ret, struct command *command)
{
	const char *typed = command_arg(command, 0), *slash = strchr(typed, '/');
	struct cell_call *call = db_call(command, false);
	struct celldb_table_name name = { .store = "", .name = slash ? slash + 1 : typed };
	struct db_table table = { .command = command, .call = call };
	struct celldb_table_description found;
	int r;

	if (slash)
		name.store = cell_arena_strndup(cell_arena(call), typed, (size_t)(slash - typed));
	r = name.store ? celldb_admin_describe_table(call, &name, &found) : -ENOMEM;
	if (r < 0)
		return r;
	if (!found.info || !found.table)
		return command_fail(command, CELL_INTERNAL, "celldb described nothing");
	table.info = found.info;
	table.ref = (struct table_table_ref){ .store = found.info->store, .name = found.info->name };
	r = schema_make(&table, found.table);
	if (r == 0)
		*ret = table;
	return r;
}

void db_table_done(struct db_table *table)
{
	schema_free(table->schema);
	table->schema = NULL;
}

struct value *db_row_new(const struct db_table *table)
{
	struct value *values = cell_arena_calloc(cell_arena(table->call),
						 table->schema->n_columns + 1, sizeof *values);

	if (!values)
		abort();
	return values;
}

int db_key_find(const struct db_table *table, const char *index, unsigned *ret_key)
{
	const struct schema *schema = table->schema;
	char list[CELL_ERROR_TEXT_MAX / 2] = "";

	*ret_key = 0;
	if (!index)
		return 0;
	for (size_t i = 1; i < schema->n_keys; i++) {
		size_t len = strlen(list);

		if (strcmp(schema->keys[i].name, index) == 0) {
			*ret_key = (unsigned)i;
			return 0;
		}
		(void)snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "",
			       schema->keys[i].name);
	}
	return command_fail(table->command, CELL_NOT_FOUND, "%s has no index '%.60s'%s%s",
			    table->info->name, index, *list ? ": there are " : "", list);
}

/* ---- cell db tables ------------------------------------------------------------------------- */

static const char *version_text(char out[17], uint64_t version)
{
	/* As its digest begins. */
	for (int i = 0; i < 8; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", (unsigned)(version >> 8 * i & 0xff));
	return out;
}

static json_t *info_json(const struct celldb_table_info *info)
{
	char version[17];

	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:s, s:s}", "store", info->store,
			 "name", info->name, "shared", (int)info->shared, "rows",
			 (json_int_t)info->rows, "columns", (json_int_t)info->columns, "indexes",
			 (json_int_t)info->indexes, "versions", (json_int_t)info->versions,
			 "version", version_text(version, info->version), "doc", info->doc);
}

int db_list(struct command *command, const struct options *options)
{
	static const struct out_column columns[] = {
		{ .title = "STORE" },
		{ .title = "TABLE" },
		{ "ROWS", .is_right = true },
		{ "COLUMNS", .is_right = true },
		{ "INDEXES", .is_right = true },
		{ "ABOUT", .may_shrink = true },
		{ 0 },
	};
	const char *store = command_arg(command, 0);
	struct celldb_tables_query query = { .store = store ? store : "" };
	json_t *all = command->is_json ? json_array() : NULL;
	struct celldb_table_list list;
	struct out_table *table;
	int r = celldb_admin_list_tables(db_call(command, false), &query, &list);

	(void)options;
	if (r < 0) {
		json_decref(all);
		return r;
	}
	for (size_t i = 0; all && i < list.n_tables; i++)
		(void)json_array_append_new(all, info_json(&list.tables[i]));
	if (all)
		return command_json(command, all);
	table = out_table_new(columns);
	for (size_t i = 0; i < list.n_tables; i++) {
		out_cell(table, OUT_PLAIN, "%s%s", list.tables[i].store,
			 list.tables[i].shared ? " (shared)" : "");
		out_cell(table, OUT_BOLD, "%s", list.tables[i].name);
		out_cell(table, OUT_PLAIN, "%" PRIu64, list.tables[i].rows);
		out_cell(table, OUT_PLAIN, "%" PRIu32, list.tables[i].columns);
		out_cell(table, OUT_PLAIN, "%" PRIu32, list.tables[i].indexes);
		out_cell(table, OUT_DIM, "%s", list.tables[i].doc);
	}
	out_table_print(table, &command->out);
	out_table_free(table);
	if (list.n_tables == 0)
		command_note(command, store ? "no table in store '%s'" : "no tables yet", store);
	return 0;
}

/* ---- cell db describe ------------------------------------------------------------------------ */

static const char *const on_delete[] = {
	[TABLE_ON_DELETE_RESTRICT] = "restrict",
	[TABLE_ON_DELETE_CASCADE] = "cascade",
	[TABLE_ON_DELETE_SET_NULL] = "set null",
};

static const char *on_delete_name(enum table_on_delete what)
{
	return (size_t)what < sizeof on_delete / sizeof *on_delete ? on_delete[what] : "?";
}

/* "city, age". */
static const char *key_columns(const struct db_table *table, const struct schema_key *key)
{
	const char *text = "";

	for (size_t i = 0; i < key->n; i++)
		text = cell_arena_printf(cell_arena(table->call), "%s%s%s", text, i ? ", " : "",
					 table->schema->columns[key->columns[i]].told->name);
	return text ? text : "";
}

static json_t *key_json(const struct db_table *table, const struct schema_key *key)
{
	json_t *columns = json_array();

	for (size_t i = 0; i < key->n; i++)
		(void)json_array_append_new(
			columns, json_string(table->schema->columns[key->columns[i]].told->name));
	return json_pack("{s:s, s:o, s:b}", "name", key->name, "columns", columns, "unique",
			 (int)key->is_unique);
}

static json_t *column_json(const struct db_table *table, const struct schema_column *column)
{
	const struct table_column *told = column->told;
	json_t *values = json_object();

	for (size_t i = 0; i < told->n_values; i++)
		(void)json_object_set_new(values, told->values[i].name,
					  json_integer(told->values[i].number));
	return json_pack("{s:s, s:I, s:s, s:b, s:b, s:b, s:b, s:b, s:s, s:s, s:s, s:o}", "name",
			 told->name, "number", (json_int_t)told->number, "type",
			 schema_type_print(told, cell_arena(table->call)), "key",
			 (int)column->is_key, "nullable", (int)told->nullable, "repeated",
			 (int)told->repeated, "serial", (int)told->serial, "encrypted",
			 (int)told->encrypted, "default", told->fallback, "computed",
			 told->computed, "native", told->native, "values", values);
}

static json_t *reference_json(const struct db_table *table, const struct table_reference *reference)
{
	int column = schema_column_by_number(table->schema, reference->column);

	return json_pack("{s:s, s:s, s:s, s:s}", "column",
			 column < 0 ? "" : table->schema->columns[column].told->name, "table",
			 reference->table, "ref_column", reference->ref_column, "on_delete",
			 on_delete_name(reference->on_delete));
}

static json_t *describe_json(const struct db_table *table)
{
	const struct schema *schema = table->schema;
	json_t *columns = json_array(), *indexes = json_array(), *checks = json_array(),
	       *references = json_array(), *all = info_json(table->info);

	for (size_t i = 0; i < schema->n_columns; i++)
		(void)json_array_append_new(columns, column_json(table, &schema->columns[i]));
	for (size_t i = 1; i < schema->n_keys; i++)
		(void)json_array_append_new(indexes, key_json(table, &schema->keys[i]));
	for (size_t i = 0; i < schema->told->n_checks; i++)
		(void)json_array_append_new(checks,
					    json_pack("{s:s, s:s}", "expression",
						      schema->told->checks[i].text, "column",
						      schema->told->checks[i].column));
	for (size_t i = 0; i < schema->told->n_references; i++)
		(void)json_array_append_new(
			references, reference_json(table, &schema->told->references[i]));
	(void)json_object_set_new(all, "columns", columns);
	(void)json_object_set_new(all, "key", key_json(table, &schema->keys[0]));
	(void)json_object_set_new(all, "indexes", indexes);
	(void)json_object_set_new(all, "checks", checks);
	(void)json_object_set_new(all, "references", references);
	(void)json_object_set_new(all, "doc", json_string(schema->told->doc));
	return all;
}

/* "key, not null, default 7". */
static const char *column_rules(const struct db_table *table, const struct schema_column *column)
{
	const struct table_column *told = column->told;

	return cell_arena_printf(
		cell_arena(table->call), "%s%s%s%s%s%s%s%s", column->is_key ? "key" : "",
		!told->nullable ? column->is_key ? ", not null" : "not null" : "nullable",
		told->serial ? ", serial" : "", told->encrypted ? ", encrypted" : "",
		*told->fallback ? ", default " : "", told->fallback,
		*told->computed ? ", computed " : "", told->computed);
}

static void columns_print(const struct db_table *table)
{
	static const struct out_column titles[] = {
		{ "#", .is_right = true },
		{ .title = "COLUMN" },
		{ .title = "TYPE" },
		{ "RULES", .may_shrink = true },
		{ 0 },
	};
	struct out_table *out = out_table_new(titles);

	for (size_t i = 0; i < table->schema->n_columns; i++) {
		const struct schema_column *column = &table->schema->columns[i];
		const char *rules = column_rules(table, column);

		out_cell(out, OUT_DIM, "%" PRIu32, column->told->number);
		out_cell(out, OUT_BOLD, "%s", column->told->name);
		out_cell(out, OUT_PLAIN, "%s",
			 schema_type_print(column->told, cell_arena(table->call)));
		out_cell(out, OUT_PLAIN, "%s", rules ? rules : "");
	}
	out_table_print(out, &table->command->out);
	out_table_free(out);
}

/* KIND on the left of what it is, both from the database. */
__attribute__((format(printf, 3, 4))) static void line_print(const struct db_table *table,
							     const char *kind,
							     const char *format, ...)
{
	char text[512], plain[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	out_print(&table->command->out, OUT_DIM, "%-11s", kind);
	printf("%s\n", out_plain(plain, sizeof plain, text));
}

static void rules_print(const struct db_table *table)
{
	const struct schema *schema = table->schema;

	if (schema->keys[0].n)
		line_print(table, "key", "%s", key_columns(table, &schema->keys[0]));
	else
		line_print(table, "key", "none: the table has one row");
	for (size_t i = 1; i < schema->n_keys; i++)
		line_print(table, schema->keys[i].is_unique ? "unique" : "index", "%s (%s)",
			   schema->keys[i].name, key_columns(table, &schema->keys[i]));
	for (size_t i = 0; i < schema->told->n_checks; i++)
		line_print(table, "check", "%s", schema->told->checks[i].text);
	for (size_t i = 0; i < schema->told->n_references; i++) {
		const struct table_reference *r = &schema->told->references[i];
		int column = schema_column_by_number(schema, r->column);

		line_print(table, "reference", "%s -> %s%s%s%s, on delete %s",
			   column < 0 ? "?" : schema->columns[column].told->name, r->table,
			   *r->ref_column ? " (" : "", r->ref_column, *r->ref_column ? ")" : "",
			   on_delete_name(r->on_delete));
	}
}

int db_describe(struct command *command, const struct options *options)
{
	struct db_table table;
	char version[17];
	int r = db_table_find(&table, command);

	(void)options;
	if (r < 0)
		return r;
	if (command->is_json) {
		r = command_json(command, describe_json(&table));
	} else {
		line_print(&table, "table", "%s of %s%s", table.info->name, table.info->store,
			   table.info->shared ? ", shared" : "");
		if (*table.info->doc)
			line_print(&table, "about", "%s", table.info->doc);
		line_print(&table, "rows", "%" PRIu64, table.info->rows);
		line_print(&table, "version", "%s, of %" PRIu32 " declaration%s",
			   version_text(version, table.info->version), table.info->versions,
			   table.info->versions == 1 ? "" : "s");
		columns_print(&table);
		rules_print(&table);
	}
	db_table_done(&table);
	return r;
}
