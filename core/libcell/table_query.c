#include "tables.h"

#include <cell/stream.h>
#include <errno.h>
#include <string.h>

/* The rows that a statement gives, one after the other. */
struct query {
	struct cursor cursor;
	const struct cell_query *told;
	struct cell_stream *stream;
	const struct table_query_rows *item;
	size_t at;
	bool is_done; /* the last item was there */
	uint64_t changed;
	void *row;
	struct cell_arena arena;     /* the request */
	struct cell_arena row_arena; /* the row */
};

static enum table_column_type type_of(const struct cell_column *column)
{
	static const uint8_t types[] = {
		[CELL_COLUMN_BOOL] = TABLE_COLUMN_TYPE_BOOL,
		[CELL_COLUMN_INT32] = TABLE_COLUMN_TYPE_INT32,
		[CELL_COLUMN_UINT32] = TABLE_COLUMN_TYPE_UINT32,
		[CELL_COLUMN_INT64] = TABLE_COLUMN_TYPE_INT64,
		[CELL_COLUMN_UINT64] = TABLE_COLUMN_TYPE_UINT64,
		[CELL_COLUMN_FLOAT] = TABLE_COLUMN_TYPE_FLOAT,
		[CELL_COLUMN_DOUBLE] = TABLE_COLUMN_TYPE_DOUBLE,
		[CELL_COLUMN_ENUM] = TABLE_COLUMN_TYPE_ENUM,
		[CELL_COLUMN_TEXT] = TABLE_COLUMN_TYPE_TEXT,
		[CELL_COLUMN_CHARS] = TABLE_COLUMN_TYPE_TEXT,
		[CELL_COLUMN_BYTES] = TABLE_COLUMN_TYPE_BYTES,
		[CELL_COLUMN_BLOCK] = TABLE_COLUMN_TYPE_BYTES,
		[CELL_COLUMN_MESSAGE] = TABLE_COLUMN_TYPE_MESSAGE,
	};

	return (enum table_column_type)types[column->kind];
}

/* What is said of columns: number, name and type. */
static const struct table_column *types_make(const struct cell_column *columns, size_t n,
					     struct cell_arena *arena)
{
	struct table_column *types = cell_arena_calloc(arena, n, sizeof *types);

	for (size_t i = 0; types && i < n; i++)
		types[i] = (struct table_column){
			.number = columns[i].number,
			.name = columns[i].name,
			.type = type_of(&columns[i]),
			.nullable = columns[i].has_offset != UINT32_MAX,
			.repeated = columns[i].flags & CELL_COLUMN_REPEATED,
			.fallback = "",
			.computed = "",
			.native = "",
			.renamed_from = "",
		};
	return types;
}

static struct table_row_type parameters_type(const struct cell_query *told)
{
	return (struct table_row_type){ "parameter", told->parameters, told->n_parameters,
					0 };
}

static int request_make(struct query *query, const void *parameters, uint64_t limit,
			struct table_query_request *ret)
{
	const struct cell_query *told = query->told;
	struct cell_call *call = &query->cursor.call;
	struct table_row_type type = parameters_type(told);
	size_t bound = table_row_bound(&type, parameters);
	uint8_t *bytes = bound == SIZE_MAX ? NULL : cell_arena_alloc(&query->arena, bound);

	*ret = (struct table_query_request){
		.text = told->text,
		.n_parameter_types = told->n_parameters,
		.parameter_types =
			types_make(told->parameters, told->n_parameters, &query->arena),
		.n_column_types = told->n_columns,
		.column_types = types_make(told->columns, told->n_columns, &query->arena),
		.limit = limit,
	};
	query->row = cell_arena_calloc(&query->arena, 1, told->row_size);
	if (bound == SIZE_MAX)
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "parameters of a query that cannot be encoded");
	if (!bytes || !ret->parameter_types || !ret->column_types || !query->row)
		return cell_refuse(call, -ENOMEM, "a query");
	ret->parameters = bytes;
	ret->n_parameters = (size_t)(table_row_encode(&type, parameters, bytes) - bytes);
	return 0;
}

/* 1: there is another item. */
static int item_receive(struct query *query)
{
	int r;

	if (!query->stream)
		return 0;
	query->item = cell_stream_recv(query->stream);
	query->at = 0;
	if (query->item) {
		query->is_done = query->item->done;
		query->changed = query->item->changed;
		return 1;
	}
	r = table_cursor_end_stream(&query->cursor, query->stream);
	query->stream = NULL;
	if (r < 0 || query->is_done)
		return r;
	return cell_refuse(&query->cursor.call, CELL_INTERNAL,
			   "the end of a query did not come");
}

/* The next row's bytes. 1, or 0 at the end. */
static int bytes_receive(struct query *query, const struct cell_bytes **ret)
{
	while (!query->item || query->at == query->item->n_rows) {
		int r = item_receive(query);

		if (r <= 0)
			return r;
	}
	*ret = &query->item->rows[query->at++];
	return 1;
}

static void *query_next(struct cursor *cursor, int *err)
{
	struct query *query = cell_container_of(cursor, struct query, cursor);
	struct table_row_type type = { "result", query->told->columns, query->told->n_columns,
				       query->told->row_size };
	const struct cell_bytes *bytes = NULL;
	int r = bytes_receive(query, &bytes);

	if (r <= 0) {
		*err = r;
		return NULL;
	}
	cell_arena_reset(&query->row_arena);
	*err = table_row_decode(&type, query->row, bytes->at, bytes->len,
				CELL_DECODE_IN_PLACE, &query->row_arena,
				&cursor->call.root->error);
	return *err ? NULL : query->row;
}

static int query_stop(struct cursor *cursor, bool counts)
{
	struct query *query = cell_container_of(cursor, struct query, cursor);

	(void)counts;
	if (query->stream)
		(void)table_cursor_end_stream(cursor, query->stream);
	cell_arena_deinit(&query->arena);
	cell_arena_deinit(&query->row_arena);
	return 0;
}

static struct cell_cursor query_begin(struct cell_call *call, const struct cell_query *told,
				      const void *parameters, uint64_t limit)
{
	struct cursor *cursor = table_cursor_new(call, sizeof(struct query));
	struct table_query_request request;
	struct query *query;
	int r;

	if (!cursor)
		return table_cursor_failed(call, -ENOMEM);
	query = cell_container_of(cursor, struct query, cursor);
	query->told = told;
	cell_arena_init(&query->arena, 0);
	cell_arena_init(&query->row_arena, 0);
	r = request_make(query, parameters, limit, &request);
	if (r < 0) {
		cell_arena_deinit(&query->arena);
		return table_cursor_drop(cursor, r);
	}
	cursor->is_of_txn = false; /* a query stands alone */
	cursor->next = query_next;
	cursor->stop = query_stop;
	query->stream = cell_stream_open(call, told->ref, &table_tables_methods[TABLES_QUERY],
					 &request);
	return table_cursor_begun(cursor);
}

int cell_query_run(struct cell_call *call, const struct cell_query *told,
		   const void *parameters, uint64_t *ret_n)
{
	struct cell_cursor cursor = query_begin(call, told, parameters, 0);
	struct query *query = cursor.state;
	uint64_t changed = 0;
	int r;

	while (cell_cursor_next(&cursor))
		;
	if (query)
		changed = query->changed;
	r = cell_cursor_end(&cursor);
	if (r == 0 && ret_n)
		*ret_n = changed;
	return r;
}

/* A row that lives in the call: what it points to is copied. */
static int row_take(struct cell_call *call, struct query *query, void *to, bool *ret_is_there)
{
	struct table_row_type type = { "result", query->told->columns, query->told->n_columns,
				       query->told->row_size };
	const struct cell_bytes *bytes = NULL;
	int r = bytes_receive(query, &bytes);

	*ret_is_there = r > 0;
	return r <= 0 ? r
		      : table_row_decode(&type, to, bytes->at, bytes->len, 0,
					 cell_arena(call), cell_error_slot(call));
}

/* End CURSOR, which failed with ERR or did not. */
static int end_with(struct cell_call *call, struct cell_cursor *cursor, int err)
{
	struct cell_error error = *cell_error(call);
	int r = cell_cursor_end(cursor);

	if (!err)
		return r;
	*cell_error_slot(call) = error;
	return err;
}

int cell_query_one(struct cell_call *call, const struct cell_query *told,
		   const void *parameters, void *ret_row)
{
	struct cell_cursor cursor = query_begin(call, told, parameters, 1);
	void *row = cell_arena_alloc(cell_arena(call), told->row_size);
	bool is_there = false, is_another = false;
	int r;

	if (!cursor.state)
		return cell_cursor_end(&cursor);
	r = row ? row_take(call, cursor.state, row, &is_there)
		: cell_refuse(call, -ENOMEM, "a row of a query");
	if (r == 0 && is_there) {
		void *more = cell_arena_alloc(cell_arena(call), told->row_size);

		r = more ? row_take(call, cursor.state, more, &is_another)
			 : cell_refuse(call, -ENOMEM, "a row of a query");
	}
	r = end_with(call, &cursor, r);
	if (r < 0)
		return r;
	if (!is_there)
		return cell_refuse(call, CELL_NOT_FOUND, "the query found no row");
	if (is_another)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "the query found several rows");
	memcpy(ret_row, row, told->row_size);
	return 0;
}

/* Room for one more row; what was outgrown stays in the arena. */
static int rows_reserve(struct cell_call *call, void **rows, size_t n, size_t *size,
			size_t row_size)
{
	size_t grown = *size ? *size * 2 : 16;
	void *bytes;

	if (n < *size)
		return 0;
	bytes = cell_arena_calloc(cell_arena(call), grown, row_size);
	if (!bytes)
		return cell_refuse(call, -ENOMEM, "%zu rows of a query", grown);
	if (n)
		memcpy(bytes, *rows, n * row_size);
	*rows = bytes;
	*size = grown;
	return 0;
}

int cell_query_all(struct cell_call *call, const struct cell_query *told,
		   const void *parameters, size_t *ret_n, void **ret_rows)
{
	struct cell_cursor cursor = query_begin(call, told, parameters, 0);
	size_t n = 0, size = 0;
	bool is_there = true;
	void *rows = NULL;
	int r = 0;

	if (!cursor.state)
		return cell_cursor_end(&cursor);
	while (r == 0 && is_there) {
		r = rows_reserve(call, &rows, n, &size, told->row_size);
		if (r == 0)
			r = row_take(call, cursor.state, (uint8_t *)rows + n * told->row_size,
				     &is_there);
		n += r == 0 && is_there;
	}
	r = end_with(call, &cursor, r);
	if (r < 0)
		return r;
	*ret_n = n;
	*ret_rows = rows;
	return 0;
}

void *cell_query_next(struct cell_call *call, const struct cell_query *told,
		      const void *parameters, struct cell_rows *rows)
{
	if (!rows->is_open) {
		rows->cursor = query_begin(call, told, parameters, 0);
		rows->is_open = true;
	}
	return cell_cursor_next(&rows->cursor);
}

int cell_rows_end(struct cell_rows *rows)
{
	if (!rows->is_open)
		return 0;
	return cell_cursor_end(&rows->cursor);
}
