/*
 * Statements in PostgreSQL's own SQL. The first column of the request's row is $1; the columns
 * of the rows that come back are numbered from 1.
 */
#include "query.h"

#include "postgres.h"
#include "sql.h"
#include "statement.h"

#include <cell/cell.h>
#include <cell/codec.h>
#include <cell/internal/table/row.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_MAX 512
#define ITEM_ROWS   256
#define ITEM_BYTES  65536

/* ---- rows of no table ------------------------------------------------------------------------- */

/* A schema for COLUMNS: what row_encode() and row_decode() need of one. NULL for none of them. */
static int schema_of(struct cell_call *call, const struct table_column *columns, size_t n,
		     struct schema **ret)
{
	struct cell_arena *arena = cell_arena(call);
	struct table_column *loose = cell_arena_calloc(arena, n + 1, sizeof *loose);
	const struct table_index key = { .name = "" };
	const struct table_table table = { .store = "query", .name = "query", .columns = loose,
					   .n_columns = n, .key = &key, .doc = "", .schema = "" };
	uint8_t *body;

	*ret = NULL;
	if (!n)
		return 0;
	if (!loose || n > COLUMNS_MAX)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "%zu columns, at most %d", n, COLUMNS_MAX);
	/* Column N of the statement is the one with number N, wherever the struct has it. */
	for (size_t at = 0; at < n; at++) {
		size_t i = columns[at].number - 1u;

		if (i >= n || loose[i].number)
			return cell_refuse(call, CELL_INVALID_ARGUMENT, "column number %u of %zu",
					   columns[at].number, n);
		loose[i] = columns[at];
		loose[i].fallback = loose[i].computed = loose[i].renamed_from = "";
		loose[i].serial = loose[i].encrypted = false;
		/* A list has no NULL: it is empty then. */
		loose[i].nullable = !columns[at].repeated;
		if (!*columns[at].name)
			loose[i].name = cell_arena_printf(arena, "column_%zu", i + 1);
		if (!loose[i].name)
			return cell_refuse(call, -ENOMEM, "a query");
	}
	body = cell_arena_alloc(arena, table_table_type.bound(&table));
	if (!body)
		return cell_refuse(call, -ENOMEM, "a query");
	return schema_new(ret, body, (size_t)(table_table_type.encode(&table, body) - body),
			  cell_error_slot(call));
}

static size_t count(const struct schema *schema)
{
	return schema ? schema->n_columns : 0;
}

/* ---- types that only the server knows ------------------------------------------------------------ */

/*
 * Enums: what PostgreSQL calls the type OID, whether it is an enum or an array of one. *RET's
 * codec is TYPE_UNKNOWN for all else.
 */
int query_type(struct cell_call *call, struct pg_session *session, uint32_t oid, struct type *ret)
{
	const uint32_t big = __builtin_bswap32(oid);
	const struct pg_value value = { .bytes = &big, .len = 4, .oid = 26 };
	const struct pg_result *result;
	int r;

	if (type_by_oid(oid, ret))
		return 0;
	r = pg_do(call, session,
		  "SELECT format_type(t.oid, NULL), t.typtype = 'e', coalesce(e.oid, 0), t.typarray, "
		  "CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE 0 END "
		  "FROM pg_type t LEFT JOIN pg_type e ON e.typarray = t.oid AND e.typtype = 'e' "
		  "WHERE t.oid = $1",
		  &value, 1, &result);
	if (r)
		return r;
	*ret = (struct type){ .oid = oid, .name = "unknown" };
	if (!pg_rows(result))
		return 0;
	ret->name = cell_arena_strdup(cell_arena(call), pg_text(result, 0, 0));
	if (pg_integer(result, 0, 1)) {
		ret->codec = TYPE_LABEL;
		ret->array = (uint32_t)pg_integer(result, 0, 3);
	} else if (pg_integer(result, 0, 2)) {
		*ret = (struct type){ .oid = (uint32_t)pg_integer(result, 0, 2), .array = oid,
				      .is_array = true, .codec = TYPE_LABEL, .name = ret->name };
	} else if (pg_integer(result, 0, 4)) {
		(void)type_by_oid((uint32_t)pg_integer(result, 0, 4), ret);
	}
	return ret->name ? 0 : cell_refuse(call, -ENOMEM, "a type");
}

int query_types(struct cell_call *call, struct pg_session *session, const struct pg_described *described,
		struct query_types *ret)
{
	struct cell_arena *arena = cell_arena(call);
	int r = 0;

	ret->parameters = cell_arena_calloc(arena, described->n_parameters + 1, sizeof *ret->parameters);
	ret->columns = cell_arena_calloc(arena, described->n_columns + 1, sizeof *ret->columns);
	if (!ret->parameters || !ret->columns)
		return cell_refuse(call, -ENOMEM, "a query");
	for (size_t i = 0; !r && i < described->n_parameters; i++)
		r = query_type(call, session, described->parameters[i], &ret->parameters[i]);
	for (size_t i = 0; !r && i < described->n_columns; i++)
		r = query_type(call, session, described->columns[i].oid, &ret->columns[i]);
	return r;
}

/* ---- running --------------------------------------------------------------------------------------- */

struct querying {
	struct cell_call *call;
	struct pg_session *session;
	const struct table_query_request *in;
	struct table_query_rows_sink *out;
	struct schema *parameters, *columns;
	struct query_types types;
	struct pg_value *values;
	bool *takes_null; /* of each column */
	uint64_t sent;
};

static int parameters_read(struct querying *q, const struct pg_described *described)
{
	const struct schema *schema = q->parameters;
	size_t n = count(schema);
	struct value *values = cell_arena_calloc(cell_arena(q->call), n + 1, sizeof *values);
	int r;

	if (described->n_parameters != n)
		return cell_refuse(q->call, CELL_INVALID_ARGUMENT, "the statement has %zu parameters, not %zu",
				   described->n_parameters, n);
	q->values = cell_arena_calloc(cell_arena(q->call), n + 1, sizeof *q->values);
	if (!values || !q->values)
		return cell_refuse(q->call, -ENOMEM, "a query");
	r = n ? row_decode(schema, q->in->parameters, q->in->n_parameters, values,
			   cell_arena(q->call), cell_error_slot(q->call))
	      : 0;
	for (size_t i = 0; !r && i < n; i++) {
		const struct table_column *told = schema->columns[i].told;

		if (!type_can_write(told, &q->types.parameters[i]))
			return cell_refuse(q->call, CELL_INVALID_ARGUMENT, "$%zu is %s in PostgreSQL, not %s",
					   i + 1, q->types.parameters[i].name,
					   type_member(told, cell_arena(q->call)));
		r = type_encode(&q->values[i], &q->types.parameters[i], told, &values[i],
				cell_arena(q->call), cell_error_slot(q->call));
	}
	return r;
}

static int columns_check(struct querying *q, const struct pg_described *described)
{
	const struct schema *schema = q->columns;

	q->takes_null = cell_arena_calloc(cell_arena(q->call), count(schema) + 1, sizeof(bool));
	if (!q->takes_null)
		return cell_refuse(q->call, -ENOMEM, "a query");
	for (size_t i = 0; i < count(schema); i++)
		q->takes_null[q->in->column_types[i].number - 1] =
			q->in->column_types[i].nullable || q->in->column_types[i].repeated;
	/* Who wants no columns gets none of those that there are. */
	if (!schema)
		return 0;
	if (described->n_columns != schema->n_columns)
		return cell_refuse(q->call, CELL_FAILED_PRECONDITION,
				   "the statement gives %zu columns, not %zu: build it again",
				   described->n_columns, schema->n_columns);
	for (size_t i = 0; i < schema->n_columns; i++)
		if (!type_can_read(schema->columns[i].told, &q->types.columns[i]))
			return cell_refuse(q->call, CELL_FAILED_PRECONDITION,
					   "column '%s' is %s in PostgreSQL, not %s: build it again",
					   described->columns[i].name, q->types.columns[i].name,
					   type_member(schema->columns[i].told, cell_arena(q->call)));
	return 0;
}

static int row_take(struct querying *q, const struct pg_result *result, size_t row,
		    struct cell_bytes *ret)
{
	const struct schema *schema = q->columns;
	struct value *values = cell_arena_calloc(cell_arena(q->call), schema->n_columns + 1, sizeof *values);
	uint8_t *bytes;
	int r = values ? 0 : cell_refuse(q->call, -ENOMEM, "a row");

	for (size_t i = 0; !r && i < schema->n_columns; i++) {
		size_t len = 0;
		const uint8_t *cell = pg_cell(result, row, i, &len);

		r = type_decode(&values[i], &q->types.columns[i], schema->columns[i].told, cell, len,
				cell_arena(q->call), cell_error_slot(q->call));
		if (!r && !cell && !q->takes_null[i])
			r = cell_refuse(q->call, CELL_FAILED_PRECONDITION, "column '%s' is NULL",
					schema->columns[i].told->name);
	}
	bytes = r ? NULL : cell_arena_alloc(cell_arena(q->call), row_bound(schema, values));
	if (!r && !bytes)
		r = cell_refuse(q->call, -ENOMEM, "a row");
	if (!r)
		*ret = (struct cell_bytes){ .at = bytes,
					    .len = (size_t)(row_encode(schema, values, bytes) - bytes) };
	return r;
}

static int rows_send(struct querying *q, const struct pg_result *result)
{
	struct cell_arena_mark mark = cell_mark(q->call);
	size_t at = 0;
	int r = 0;

	while (!r && at < pg_rows(result)) {
		struct cell_bytes *rows =
			cell_arena_calloc(cell_arena(q->call), ITEM_ROWS, sizeof *rows);
		size_t n = 0, bytes = 0;

		if (!rows)
			return cell_refuse(q->call, -ENOMEM, "rows");
		for (; !r && at < pg_rows(result) && n < ITEM_ROWS && bytes < ITEM_BYTES; at++) {
			if (q->in->limit && q->sent == q->in->limit)
				return cell_refuse(q->call, CELL_FAILED_PRECONDITION,
						   "the statement gives more than %llu row%s",
						   (unsigned long long)q->in->limit,
						   q->in->limit == 1 ? "" : "s");
			r = row_take(q, result, at, &rows[n]);
			bytes += r ? 0 : rows[n++].len;
			q->sent++;
		}
		if (!r)
			r = table_query_rows_send(q->out, &(struct table_query_rows){ .n_rows = n,
										      .rows = rows });
		if (!r)
			cell_rewind(q->call, mark);
	}
	return r;
}

/* A statement that only reads may be a cursor, and so of any size. */
static bool is_select(const char *text)
{
	text += strspn(text, " \t\n(");
	return strncasecmp(text, "select", 6) == 0 || strncasecmp(text, "values", 6) == 0;
}

/*
 * SELECT may yet write, through a function or FOR UPDATE, so its transaction is committed; a
 * statement that changes rows cannot be a cursor and gives all at once.
 */
static int run_cursor(struct querying *q)
{
	const char *text = cell_arena_printf(cell_arena(q->call),
					     "DECLARE cell_query NO SCROLL CURSOR FOR %s", q->in->text);
	const struct pg_result *const *results, *result;
	size_t at = 2;
	int r;

	if (!text)
		return cell_refuse(q->call, -ENOMEM, "a query");
	pg_add(q->session, "BEGIN", NULL, 0);
	pg_add(q->session, text, q->values, count(q->parameters));
	do {
		pg_add(q->session, "FETCH 256 FROM cell_query", NULL, 0);
		r = pg_run(q->call, q->session, &results);
		if (r)
			return r;
		result = results[at];
		at = 0;
		r = rows_send(q, result);
	} while (!r && pg_rows(result) == 256);
	return r ? r : pg_do(q->call, q->session, "COMMIT", NULL, 0, NULL);
}

static int run_whole(struct querying *q, uint64_t *ret_changed)
{
	const struct pg_result *result;
	int r = pg_do(q->call, q->session, q->in->text, q->values, count(q->parameters), &result);

	if (r)
		return r;
	*ret_changed = pg_changed(result);
	return q->columns ? rows_send(q, result) : 0;
}

static int query_in(struct querying *q)
{
	struct pg_described described;
	uint64_t changed = 0;
	int r = pg_describe(q->call, q->session, q->in->text, &described);

	r = r ? r : query_types(q->call, q->session, &described, &q->types);
	r = r ? r : parameters_read(q, &described);
	r = r ? r : columns_check(q, &described);
	if (r)
		return r;
	if (q->columns && is_select(q->in->text))
		r = run_cursor(q);
	else
		r = run_whole(q, &changed);
	return r ? r
		 : table_query_rows_send(q->out, &(struct table_query_rows){ .done = true,
									     .changed = changed });
}

int tables_query(struct cell_call *call, void *self, const struct table_query_request *in,
		 struct table_query_rows_sink *out)
{
	struct postgres *postgres = self;
	struct querying q = { .call = call, .in = in, .out = out };
	const char *fault = statement_fault(in->text);
	int r = fault ? cell_refuse(call, CELL_INVALID_ARGUMENT, "%s", fault) : 0;

	r = r ? r : schema_of(call, in->parameter_types, in->n_parameter_types, &q.parameters);

	r = r ? r : schema_of(call, in->column_types, in->n_column_types, &q.columns);
	r = r ? r : pg_take(call, postgres->pg, true, &q.session);
	r = r ? r : query_in(&q);
	pg_give(q.session);
	schema_free(q.parameters);
	schema_free(q.columns);
	return r;
}
