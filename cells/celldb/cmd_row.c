/* Rows one by one: shown, written, deleted. */
#include "cmd.h"

#include <cell/cell.h>
#include <cell/internal/table/row.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Rows between two lines of titles. */
#define ROWS_PER_TABLE 1000
/* Rows from stdin in one commit, and bytes. */
#define BATCH_ROWS  256
#define BATCH_BYTES (1024 * 1024)
/* A row that others change at the same time is read again so often. */
#define TRIES_MAX 5

/* ---- printing ----------------------------------------------------------------------------- */

void db_rows_begin(struct db_rows *rows, const struct db_table *table)
{
	size_t n = table->schema->n_columns;

	*rows = (struct db_rows){ .table = table };
	if (table->command->is_json)
		return;
	rows->columns = calloc(n + 1, sizeof *rows->columns);
	if (!rows->columns)
		abort();
	for (size_t i = 0; i < n; i++) {
		const struct table_column *told = table->schema->columns[i].told;
		enum value_kind kind = value_kind_of(told->type);

		rows->columns[i] = (struct out_column){
			.title = told->name,
			.is_right = !told->repeated && told->type != TABLE_COLUMN_TYPE_ENUM &&
				    (kind == VALUE_INT || kind == VALUE_UINT || kind == VALUE_REAL),
			.may_shrink = told->repeated || kind == VALUE_TEXT || kind == VALUE_BYTES,
		};
	}
	rows->out = out_table_new(rows->columns);
}

static int rows_flush(const struct db_table *table)
{
	if (fflush(stdout) != 0)
		return command_fail(table->command, -errno, "writing the result: %s", strerror(errno));
	return 0;
}

int db_rows_add(struct db_rows *rows, const struct value *values)
{
	const struct db_table *table = rows->table;

	rows->n++;
	if (table->command->is_json) {
		json_t *row = db_row_json(table, values);
		int r = out_json(stdout, row, false);

		json_decref(row);
		return r < 0 ? command_fail(table->command, r, "writing the result: %s", strerror(-r))
			     : 0;
	}
	for (size_t i = 0; i < table->schema->n_columns; i++)
		out_cell(rows->out, values[i].kind == VALUE_NULL ? OUT_DIM : OUT_PLAIN, "%s",
			 db_value_text(table, table->schema->columns[i].told, &values[i]));
	if (rows->n % ROWS_PER_TABLE)
		return 0;
	out_table_print(rows->out, &table->command->out);
	out_table_free(rows->out);
	rows->out = out_table_new(rows->columns);
	return rows_flush(table);
}

int db_rows_end(struct db_rows *rows)
{
	if (rows->out) {
		out_table_print(rows->out, &rows->table->command->out);
		out_table_free(rows->out);
	}
	free(rows->columns);
	return rows_flush(rows->table);
}

/* The one row that is the answer: a table, or a document. */
static int row_show(const struct db_table *table, const struct value *values)
{
	struct db_rows rows;
	int r, end;

	if (table->command->is_json)
		return command_json(table->command, db_row_json(table, values));
	db_rows_begin(&rows, table);
	r = db_rows_add(&rows, values);
	end = db_rows_end(&rows);
	return r ? r : end;
}

/* ---- keys from arguments ------------------------------------------------------------------ */

static int key_read(const struct db_table *table, unsigned key, struct value *values)
{
	const struct schema_key *k = &table->schema->keys[key];
	size_t n = table->command->opts.n_args - 1;
	const char *names = "";

	for (size_t i = 0; i < k->n; i++)
		names = cell_arena_printf(cell_arena(table->call), "%s%s%s", names, i ? " " : "",
					  table->schema->columns[k->columns[i]].told->name);
	if (n != k->n)
		return command_fail(table->command, CELL_INVALID_ARGUMENT,
				    "%s%s%s takes %zu value%s%s%s, not %zu", table->info->name,
				    key ? "." : "", k->name, k->n, k->n == 1 ? "" : "s",
				    k->n ? ": " : "", names, n);
	for (size_t i = 0; i < n; i++) {
		uint16_t column = k->columns[i];
		int r = db_value_parse(table, table->schema->columns[column].told,
				       command_arg(table->command, i + 1), &values[column]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Only the columns of the primary key, as bytes. */
static int key_encode(const struct db_table *table, const struct value *values,
		      const uint8_t **ret_bytes, size_t *ret_len)
{
	const struct schema_key *key = &table->schema->keys[0];
	struct value *only = db_row_new(table);

	for (size_t i = 0; i < key->n; i++)
		only[key->columns[i]] = values[key->columns[i]];
	return db_row_encode(table, only, ret_bytes, ret_len);
}

/* The row with the values of key KEY. CELL_NOT_FOUND has no text yet. */
static int row_get(const struct db_table *table, unsigned key, const struct value *values,
		   struct value *ret_values, uint64_t *ret_version)
{
	struct table_get_request in = { .table = &table->ref, .index = key };
	struct table_get_reply out;
	int r = db_row_encode(table, values, &in.key, &in.n_key);

	if (r == 0)
		r = table_tables_get(table->call, &in, &out);
	if (r < 0)
		return r;
	if (!out.found)
		return CELL_NOT_FOUND;
	*ret_version = out.version;
	return db_row_decode(table, out.row, out.n_row, ret_values);
}

static int no_row(const struct db_table *table, unsigned key, const struct value *values)
{
	return command_fail(table->command, CELL_NOT_FOUND, "no %s with %s", table->info->name,
			    row_key_print(table->schema, &table->schema->keys[key], values,
					  cell_arena(table->call)));
}

/* ---- cell db get, delete -------------------------------------------------------------------- */

int db_get(struct command *command, const struct options *options)
{
	struct value *values, *row;
	struct db_table table;
	uint64_t version;
	unsigned key;
	int r = db_table_find(&table, command);

	if (r < 0)
		return r;
	values = db_row_new(&table);
	row = db_row_new(&table);
	r = db_key_find(&table, options->index, &key);
	if (r == 0 && !table.schema->keys[key].is_unique)
		r = command_fail(command, CELL_INVALID_ARGUMENT,
				 "index '%s' is not unique: cell db scan %s --index %s --prefix KEY",
				 options->index, command_arg(command, 0), options->index);
	if (r == 0)
		r = key_read(&table, key, values);
	if (r == 0) {
		r = row_get(&table, key, values, row, &version);
		if (r == CELL_NOT_FOUND)
			r = no_row(&table, key, values);
	}
	if (r == 0)
		r = row_show(&table, row);
	db_table_done(&table);
	return r;
}

/* Commit WRITES (N), if the row READ is as it was. */
static int commit(const struct db_table *table, const struct table_row_read *read,
		  const struct table_write *writes, size_t n, bool want_rows,
		  struct table_committed *ret)
{
	uint8_t id[16];
	struct table_commit_request in = {
		.n_id = sizeof id, .id = id, .n_tables = 1, .tables = &table->ref,
		.n_reads = read ? 1 : 0, .reads = read, .n_writes = n, .writes = writes,
		.want_rows = want_rows,
	};

	randombytes_buf(id, sizeof id);
	return table_tables_commit(table->call, &in, ret);
}

int db_delete(struct command *command, const struct options *options)
{
	struct table_write write = { .kind = TABLE_WRITE_KIND_REMOVE };
	struct table_committed done;
	struct db_table table;
	struct value *values;
	int r = db_table_find(&table, command);

	(void)options;
	if (r < 0)
		return r;
	values = db_row_new(&table);
	r = key_read(&table, 0, values);
	if (r == 0)
		r = db_row_encode(&table, values, &write.row, &write.n_row);
	if (r == 0)
		r = commit(&table, NULL, &write, 1, false, &done);
	if (r == CELL_NOT_FOUND)
		r = no_row(&table, 0, values);
	if (r == 0 && command->is_json)
		r = command_json(command, json_pack("{s:I}", "version", (json_int_t)done.version));
	db_table_done(&table);
	return r;
}

/* ---- cell db put: one row of arguments -------------------------------------------------------- */

/* What was given, and which columns. */
struct given {
	struct value *values;
	bool *has;
};

static int given_read(const struct db_table *table, struct given *given)
{
	const struct schema *schema = table->schema;

	for (size_t i = 1; i < table->command->opts.n_args; i++) {
		const char *word = command_arg(table->command, i), *equals = strchr(word, '=');
		const char *name = cell_arena_strndup(cell_arena(table->call), word,
						      equals ? (size_t)(equals - word) : strlen(word));
		int column, r;

		if (!name)
			return command_fail(table->command, -ENOMEM, "no memory for a name");
		column = schema_column_by_name(schema, name);
		if (!equals)
			return command_fail(table->command, CELL_INVALID_ARGUMENT,
					    "'%.60s': write COLUMN=VALUE", word);
		if (column < 0)
			return command_fail(table->command, CELL_INVALID_ARGUMENT,
					    "%s has no column '%.60s'", table->info->name, name);
		if (given->has[column])
			return command_fail(table->command, CELL_INVALID_ARGUMENT,
					    "column '%s' is given twice", name);
		if (schema->columns[column].computed)
			return command_fail(table->command, CELL_INVALID_ARGUMENT,
					    "column '%s' is computed: %s", name,
					    schema->columns[column].told->computed);
		r = db_value_parse(table, schema->columns[column].told, equals + 1,
				   &given->values[column]);
		if (r < 0)
			return r;
		given->has[column] = true;
	}
	return 0;
}

static bool has_key(const struct db_table *table, const struct given *given)
{
	const struct schema_key *key = &table->schema->keys[0];

	for (size_t i = 0; i < key->n; i++)
		if (!given->has[key->columns[i]])
			return false;
	return true;
}

/* Numbers for serial columns that are NULL in VALUES. */
static int serials_fill(const struct db_table *table, struct value *values)
{
	for (size_t i = 0; i < table->schema->n_columns; i++) {
		const struct table_column *told = table->schema->columns[i].told;
		struct table_next_request in = { .table = &table->ref, .column = told->number, .n = 1 };
		bool is_unsigned = value_kind_of(told->type) == VALUE_UINT;
		struct table_next_reply out;
		int r;

		if (!told->serial || values[i].kind != VALUE_NULL)
			continue;
		r = table_tables_next(table->call, &in, &out);
		if (r < 0)
			return r;
		if (is_unsigned)
			values[i] = (struct value){ .kind = VALUE_UINT,
						    .natural = (uint64_t)out.first };
		else
			values[i] = (struct value){ .kind = VALUE_INT, .integer = out.first };
	}
	return 0;
}

/* Change the row that there is, or insert one: *ret_was says which. */
static int put_once(const struct db_table *table, const struct given *given, bool *ret_was,
		    struct table_committed *ret)
{
	struct table_write write = { .kind = TABLE_WRITE_KIND_INSERT };
	struct value *row = db_row_new(table);
	struct table_row_read read = { 0 };
	uint64_t version = 0;
	int r = has_key(table, given) ? row_get(table, 0, given->values, row, &version)
				      : CELL_NOT_FOUND;

	if (r < 0 && r != CELL_NOT_FOUND)
		return r;
	*ret_was = r == 0;
	write.kind = r == 0 ? TABLE_WRITE_KIND_UPDATE : TABLE_WRITE_KIND_INSERT;
	for (size_t i = 0; i < table->schema->n_columns; i++)
		if (given->has[i])
			row[i] = given->values[i];
	r = *ret_was ? 0 : serials_fill(table, row);
	if (r == 0 && *ret_was)
		r = key_encode(table, row, &read.key, &read.n_key);
	read.version = version;
	if (r == 0)
		r = db_row_encode(table, row, &write.row, &write.n_row);
	return r < 0 ? r : commit(table, *ret_was ? &read : NULL, &write, 1, true, ret);
}

/* Whether R came of another who wrote the same row meanwhile. */
static bool is_race(int r, bool has_whole_key, bool was)
{
	return r == CELL_ABORTED ||
	       (has_whole_key && r == (was ? CELL_NOT_FOUND : CELL_ALREADY_EXISTS));
}

static int put_row(const struct db_table *table)
{
	struct given given = { .values = db_row_new(table) };
	struct value *row = db_row_new(table);
	struct table_committed done;
	bool was = false;
	int r;

	given.has = cell_arena_calloc(cell_arena(table->call), table->schema->n_columns + 1,
				      sizeof *given.has);
	if (!given.has)
		return command_fail(table->command, -ENOMEM, "no memory for a row");
	r = given_read(table, &given);
	if (r < 0)
		return r;
	for (int i = 0; i < TRIES_MAX; i++) {
		r = put_once(table, &given, &was, &done);
		if (!is_race(r, has_key(table, &given), was))
			break;
	}
	if (r < 0)
		return r;
	if (done.n_rows != 1)
		return command_fail(table->command, CELL_INTERNAL, "celldb did not say what it stored");
	r = db_row_decode(table, done.rows[0].at, done.rows[0].len, row);
	if (r < 0)
		return r;
	command_note(table->command, "%s", was ? "changed" : "inserted");
	return row_show(table, row);
}

/* ---- cell db put: many rows from stdin ---------------------------------------------------------- */

struct batch {
	struct table_write writes[BATCH_ROWS];
	size_t n, bytes;
	uint64_t done;    /* rows of batches before */
	uint64_t version; /* of the last commit */
};

static int batch_commit(const struct db_table *table, struct batch *batch)
{
	struct table_committed done;
	int r;

	if (batch->n == 0)
		return 0;
	r = commit(table, NULL, batch->writes, batch->n, false, &done);
	if (r < 0)
		return r;
	batch->done += batch->n;
	batch->version = done.version;
	batch->n = batch->bytes = 0;
	return 0;
}

static int batch_add(const struct db_table *table, struct batch *batch, const json_t *json)
{
	struct table_write *write = &batch->writes[batch->n];
	struct value *values = db_row_new(table);
	int r = db_row_from_json(table, json, values);

	*write = (struct table_write){ .kind = TABLE_WRITE_KIND_PUT };
	if (r == 0)
		r = serials_fill(table, values);
	if (r == 0)
		r = db_row_encode(table, values, &write->row, &write->n_row);
	if (r < 0)
		return r;
	batch->n++;
	batch->bytes += write->n_row;
	return 0;
}

/* The next document of stdin; NULL at the end, with *RET 0, or after an error. */
static json_t *next_document(const struct db_table *table, uint64_t number, int *ret)
{
	json_error_t error;
	json_t *json;
	int c;

	*ret = 0;
	do
		c = getc(stdin);
	while (c == ' ' || c == '\n' || c == '\t' || c == '\r');
	if (c == EOF) {
		if (ferror(stdin))
			*ret = command_fail(table->command, -errno, "reading stdin: %s",
					    strerror(errno));
		return NULL;
	}
	(void)ungetc(c, stdin);
	json = json_loadf(stdin, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
	if (!json)
		*ret = command_fail(table->command, CELL_INVALID_ARGUMENT,
				    "row %" PRIu64 " of stdin, line %d of it: %s", number, error.line,
				    error.text);
	return json;
}

static int put_stdin(const struct db_table *table)
{
	struct batch *batch = cell_arena_calloc(cell_arena(table->call), 1, sizeof *batch);
	struct cell_arena_mark mark;
	uint64_t number = 1;
	json_t *json;
	int r = 0;

	if (!batch)
		return command_fail(table->command, -ENOMEM, "no memory for rows");
	mark = cell_mark(table->call);
	for (; r == 0 && (json = next_document(table, number, &r)); number++) {
		r = batch_add(table, batch, json);
		json_decref(json);
		if (r < 0) {
			struct cell_error err = table->command->error;

			return err.code == r ? command_fail(table->command, r, "row %" PRIu64 ": %s",
							    number, err.text)
					     : r;
		}
		if (batch->n == BATCH_ROWS || batch->bytes >= BATCH_BYTES) {
			r = batch_commit(table, batch);
			cell_rewind(table->call, mark);
		}
	}
	if (r == 0)
		r = batch_commit(table, batch);
	if (r < 0) {
		command_note(table->command, "%" PRIu64 " row%s written before", batch->done,
			     batch->done == 1 ? " was" : "s were");
		return r;
	}
	if (table->command->is_json)
		return command_json(table->command,
				    json_pack("{s:I, s:I}", "rows", (json_int_t)batch->done,
					      "version", (json_int_t)batch->version));
	command_note(table->command, "%" PRIu64 " row%s written", batch->done,
		     batch->done == 1 ? "" : "s");
	return 0;
}

int db_put(struct command *command, const struct options *options)
{
	struct db_table table;
	int r;

	(void)options;
	if (command->opts.n_args == 1 && isatty(STDIN_FILENO))
		return command_fail(command, CELL_INVALID_ARGUMENT,
				    "COLUMN=VALUE is missing, or rows as JSON on stdin");
	r = db_table_find(&table, command);
	if (r < 0)
		return r;
	r = command->opts.n_args > 1 ? put_row(&table) : put_stdin(&table);
	db_table_done(&table);
	return r;
}
