/* Reading: one row, ranges, counts. */
#include "postgres.h"
#include "sql.h"

#include <cell/cell.h>
#include <cell/internal/table/expression.h>
#include <cell/internal/table/row.h>
#include <sodium.h>
#include <string.h>

/* Rows of one FETCH, and of one item. */
#define FETCH_ROWS 256
/* An item is sent when its rows have so many bytes. */
#define ITEM_BYTES 65536

/* ---- one row --------------------------------------------------------------------------------- */

static int key_of(struct cell_call *call, const struct view *view, uint32_t index,
		  const struct schema_key **ret)
{
	if (index >= view->schema->n_keys)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "table '%s' has no index %u",
				   view->schema->told->name, index);
	*ret = &view->schema->keys[index];
	return 0;
}

static int get_from(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
		    const struct view *view, const struct table_get_request *in,
		    struct table_get_reply *out)
{
	const struct schema_key *key = NULL;
	const struct pg_result *result;
	struct pg_value *parameters;
	struct value *values;
	const char *text;
	int r = key_of(call, view, in->index, &key);

	if (!r && in->index && !key->is_unique)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "index '%s' of '%s' is not unique",
				   key->name, view->schema->told->name);
	r = r ? r : rows_decode(call, view, in->key, in->n_key, &values);
	if (r)
		return r;
	if (row_key_given(key, values) != key->n)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "table '%s': the key is not whole",
				   view->schema->told->name);
	parameters = cell_arena_calloc(cell_arena(call), key->n + 1, sizeof *parameters);
	text = sql_get(view, key, cell_arena(call));
	if (!parameters || !text)
		return cell_refuse(call, -ENOMEM, "a statement");
	r = rows_key(call, view, key, values, key->n, parameters);
	r = r ? r : pg_do(call, session, text, parameters, key->n, &result);
	if (r || !pg_rows(result))
		return r;
	r = rows_values(call, postgres, view, result, 0, 1, &values);
	r = r ? r : rows_encode(call, view, values, &out->row, &out->n_row);
	out->found = !r;
	out->version = rows_version(postgres, (uint32_t)pg_integer(result, 0, 0));
	return r;
}

int tables_get(struct cell_call *call, void *self, const struct table_get_request *in,
	       struct table_get_reply *out)
{
	struct postgres *postgres = self;
	struct catalog_table table = { .view = NULL };
	struct pg_session *session;
	int r = pg_take(call, postgres->pg, false, &session);

	if (r)
		return r;
	r = catalog_enter(call, postgres, session, in->table, &table);
	if (!r) {
		r = get_from(call, postgres, session, table.view, in, out);
		catalog_leave(&table);
	}
	pg_give(session);
	return r;
}

/* ---- what a scan is -------------------------------------------------------------------------- */

/* The text of the filter, over the columns as they are called in this version. */
static int where_read(struct cell_call *call, const struct view *view, const char *text,
		      const struct expression **ret)
{
	const struct schema *schema = view->schema;
	size_t at = 0;
	int r;

	*ret = NULL;
	if (!*text)
		return 0;
	r = expression_parse(ret, text, schema->told->columns, schema->n_columns, cell_arena(call),
			     &at, cell_error_slot(call));
	if (r)
		return cell_wrap(cell_error_slot(call), r, "where, character %zu", at + 1);
	for (size_t i = 0; i < schema->n_columns; i++)
		if (schema->columns[i].told->encrypted && expression_uses(*ret, i))
			return cell_refuse(call, CELL_INVALID_ARGUMENT, "where: '%s' is encrypted",
					   schema->columns[i].told->name);
	return 0;
}

static int bounds_read(struct cell_call *call, const struct view *view,
		       const struct table_scan_request *in, struct sql_scan *scan, struct scan *ret)
{
	const struct schema_key *key = scan->key;
	struct value *from, *to;
	int r = rows_decode(call, view, in->from, in->n_from, &from);

	r = r ? r : rows_decode(call, view, in->to, in->n_to, &to);
	if (r)
		return r;
	scan->n_from = row_key_given(key, from);
	scan->n_to = row_key_given(key, to);
	ret->n_parameters = scan->n_from + scan->n_to;
	ret->parameters = cell_arena_calloc(cell_arena(call), ret->n_parameters + 1,
					    sizeof *ret->parameters);
	if (!ret->parameters)
		return cell_refuse(call, -ENOMEM, "a scan");
	if (in->prefix && (!scan->n_from || scan->n_to))
		return cell_refuse(call, CELL_INVALID_ARGUMENT,
				   "a prefix is the last column of 'from', and 'to' is left out");
	r = rows_key(call, view, key, from, scan->n_from, ret->parameters);
	return r ? r : rows_key(call, view, key, to, scan->n_to, ret->parameters + scan->n_from);
}

int scan_read(struct cell_call *call, struct view *view, const struct table_scan_request *in,
	      struct scan *ret)
{
	struct sql_scan scan = { .is_prefix = in->prefix, .is_backwards = in->backwards,
				 .limit = in->limit };
	int r = key_of(call, view, in->index, &scan.key);

	*ret = (struct scan){ .view = view };
	r = r ? r : bounds_read(call, view, in, &scan, ret);
	r = r ? r : where_read(call, view, in->where, &scan.where);
	if (r)
		return r;
	ret->rows = sql_scan(view, &scan, SQL_SCAN_ROWS, cell_arena(call));
	ret->keys = sql_scan(view, &scan, SQL_SCAN_KEYS, cell_arena(call));
	ret->count = sql_scan(view, &scan, SQL_SCAN_COUNT, cell_arena(call));
	return ret->rows && ret->keys && ret->count ? 0 : cell_refuse(call, -ENOMEM, "a scan");
}

/* ---- marks ------------------------------------------------------------------------------------- */

static void mark_begin(crypto_generichash_state *state)
{
	(void)crypto_generichash_init(state, NULL, 0, MARK_SIZE);
}

/* The version, then the columns of the key, which RESULT has in binary format. */
static void mark_add(crypto_generichash_state *state, const struct pg_result *result, size_t row,
		     const size_t *columns, size_t n)
{
	size_t len = 0;
	const uint8_t *bytes = pg_cell(result, row, 0, &len);

	(void)crypto_generichash_update(state, bytes, len);
	for (size_t i = 0; i < n; i++) {
		uint8_t length[8];

		bytes = pg_cell(result, row, columns[i], &len);
		len = bytes ? len : 0;
		cell_store_u64(length, len);
		(void)crypto_generichash_update(state, length, sizeof length);
		if (len)
			(void)crypto_generichash_update(state, bytes, len);
	}
}

/* The mark up to here; more may be added. */
static void mark_say(const crypto_generichash_state *state, uint8_t ret_mark[MARK_SIZE])
{
	crypto_generichash_state copy = *state;

	(void)crypto_generichash_final(&copy, ret_mark, MARK_SIZE);
}

static int declare(struct cell_call *call, struct pg_session *session, const char *text,
		   const struct scan *scan)
{
	const char *cursor = cell_arena_printf(cell_arena(call),
					       "DECLARE cell_scan NO SCROLL CURSOR FOR %s", text);

	if (!cursor)
		return cell_refuse(call, -ENOMEM, "a scan");
	pg_add(session, cursor, scan->parameters, scan->n_parameters);
	return 0;
}

#define TEXT_(x) #x
#define TEXT(x)	 TEXT_(x)
static const char fetch_text[] = "FETCH " TEXT(FETCH_ROWS) " FROM cell_scan";

int scan_mark(struct cell_call *call, struct pg_session *session, const struct scan *scan,
	      uint8_t ret_mark[MARK_SIZE], uint64_t *ret_n)
{
	size_t n_key = scan->view->schema->keys[0].n;
	size_t *columns = cell_arena_calloc(cell_arena(call), n_key + 1, sizeof *columns);
	const struct pg_result *const *results, *result;
	crypto_generichash_state state;
	size_t at = 1;
	int r = columns ? declare(call, session, scan->keys, scan)
			: cell_refuse(call, -ENOMEM, "a scan");

	if (r)
		return r;
	for (size_t i = 0; i < n_key; i++)
		columns[i] = i + 1;
	mark_begin(&state);
	*ret_n = 0;
	do {
		pg_add(session, fetch_text, NULL, 0);
		r = pg_run(call, session, &results);
		if (r)
			return r;
		result = results[at];
		at = 0;
		for (size_t i = 0; i < pg_rows(result); i++)
			mark_add(&state, result, i, columns, n_key);
		*ret_n += pg_rows(result);
	} while (pg_rows(result) == FETCH_ROWS);
	mark_say(&state, ret_mark);
	return pg_do(call, session, "CLOSE cell_scan", NULL, 0, NULL);
}

/* ---- scans --------------------------------------------------------------------------------------- */

struct scanning {
	struct cell_call *call;
	struct postgres *postgres;
	const struct view *view;
	struct table_rows_sink *out;
	bool counts;
	size_t n_key;
	size_t *key_columns; /* where the primary key is in the results */
	crypto_generichash_state state;
	bool has_sent;
};

/* Some rows of RESULT (NULL: there are none), from *AT on, as one item. */
static int item_send(struct scanning *s, const struct pg_result *result, size_t *at)
{
	size_t total = result ? pg_rows(result) : 0, n = total - *at, bytes = 0;
	struct cell_bytes *rows = cell_arena_calloc(cell_arena(s->call), n + 1, sizeof *rows);
	uint64_t *versions = cell_arena_calloc(cell_arena(s->call), n + 1, sizeof *versions);
	struct table_rows item = { .rows = rows, .versions = versions };
	uint8_t mark[MARK_SIZE];
	int r = rows && versions ? 0 : cell_refuse(s->call, -ENOMEM, "%zu rows", n);

	for (; !r && *at < total && bytes < ITEM_BYTES; ++*at) {
		const uint8_t *row;
		struct value *values;
		size_t len;

		r = rows_values(s->call, s->postgres, s->view, result, *at, 1, &values);
		r = r ? r : rows_encode(s->call, s->view, values, &row, &len);
		if (r)
			break;
		rows[item.n_rows] = (struct cell_bytes){ .len = len, .at = row };
		versions[item.n_rows++] =
			rows_version(s->postgres, (uint32_t)pg_integer(result, *at, 0));
		bytes += len;
		if (s->counts)
			mark_add(&s->state, result, *at, s->key_columns, s->n_key);
	}
	if (r)
		return r;
	item.n_versions = item.n_rows;
	if (s->counts) {
		mark_say(&s->state, mark);
		item.mark = mark;
		item.n_mark = sizeof mark;
	}
	s->has_sent = true;
	return table_rows_send(s->out, &item);
}

static int result_send(struct scanning *s, const struct pg_result *result)
{
	struct cell_arena_mark mark = cell_mark(s->call);
	size_t at = 0;
	int r = 0;

	while (!r && at < pg_rows(result)) {
		r = item_send(s, result, &at);
		if (!r)
			cell_rewind(s->call, mark);
	}
	return r;
}

static int scanning_begin(struct scanning *s, const struct view *view)
{
	const struct schema_key *key = &view->schema->keys[0];

	mark_begin(&s->state);
	s->n_key = key->n;
	s->key_columns = cell_arena_calloc(cell_arena(s->call), key->n + 1, sizeof *s->key_columns);
	if (!s->key_columns)
		return cell_refuse(s->call, -ENOMEM, "a scan");
	for (size_t i = 0; i < key->n; i++)
		s->key_columns[i] = 1 + key->columns[i];
	return 0;
}

/* A few rows: one statement. */
static int scan_short(struct scanning *s, struct pg_session *session, const struct scan *scan)
{
	const struct pg_result *result;
	int r = pg_do(s->call, session, scan->rows, scan->parameters, scan->n_parameters, &result);

	return r ? r : result_send(s, result);
}

/*
 * A cursor: the server keeps the rest while the client takes its time, and a client that has
 * seen enough costs no more. The first rows come with the answer to DECLARE.
 */
static int scan_long(struct scanning *s, struct pg_session *session, const struct scan *scan)
{
	const struct pg_result *const *results, *result;
	size_t at = 2;
	int r;

	pg_add(session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0);
	r = declare(s->call, session, scan->rows, scan);
	if (r)
		return r;
	do {
		pg_add(session, fetch_text, NULL, 0);
		r = pg_run(s->call, session, &results);
		if (r)
			return r;
		result = results[at];
		at = 0;
		r = result_send(s, result);
	} while (!r && pg_rows(result) == FETCH_ROWS);
	return r;
}

int tables_scan(struct cell_call *call, void *self, const struct table_scan_request *in,
		struct table_rows_sink *out)
{
	struct scanning s = { .call = call, .postgres = self, .out = out, .counts = in->counts };
	bool is_short = in->limit && in->limit <= FETCH_ROWS;
	struct catalog_table table;
	struct pg_session *session;
	struct scan scan;
	size_t none = 0;
	int r = pg_take(call, s.postgres->pg, !is_short, &session);

	if (r)
		return r;
	r = catalog_enter(call, s.postgres, session, in->table, &table);
	if (!r) {
		s.view = table.view;
		r = scan_read(call, table.view, in, &scan);
		r = r ? r : scanning_begin(&s, table.view);
		r = r ? r : is_short ? scan_short(&s, session, &scan) : scan_long(&s, session, &scan);
		if (!r && !s.has_sent)
			r = item_send(&s, NULL, &none);
		catalog_leave(&table);
	}
	pg_give(session);
	return r;
}

/* ---- counting ---------------------------------------------------------------------------------- */

static int count_with_mark(struct cell_call *call, struct pg_session *session, const struct scan *scan,
			   struct table_counted *out)
{
	uint8_t *mark = cell_arena_alloc(cell_arena(call), MARK_SIZE);
	int r = mark ? 0 : cell_refuse(call, -ENOMEM, "a mark");

	if (r)
		return r;
	pg_add(session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0);
	r = pg_run(call, session, NULL);
	r = r ? r : scan_mark(call, session, scan, mark, &out->n);
	out->mark = mark;
	out->n_mark = MARK_SIZE;
	return r;
}

static int count_in(struct cell_call *call, struct pg_session *session, struct view *view,
		    const struct table_scan_request *in, struct table_counted *out)
{
	const struct pg_result *result;
	struct scan scan;
	int r = scan_read(call, view, in, &scan);

	if (r)
		return r;
	if (in->counts)
		return count_with_mark(call, session, &scan, out);
	r = pg_do(call, session, scan.count, scan.parameters, scan.n_parameters, &result);
	if (!r)
		out->n = (uint64_t)pg_integer(result, 0, 0);
	return r;
}

int tables_count(struct cell_call *call, void *self, const struct table_scan_request *in,
		 struct table_counted *out)
{
	struct postgres *postgres = self;
	struct catalog_table table;
	struct pg_session *session;
	int r = pg_take(call, postgres->pg, true, &session);

	if (r)
		return r;
	r = catalog_enter(call, postgres, session, in->table, &table);
	if (!r) {
		r = count_in(call, session, table.view, in, out);
		catalog_leave(&table);
	}
	pg_give(session);
	return r;
}
