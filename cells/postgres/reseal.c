/*
 * Encrypted columns of a whole table: sealed, opened, or sealed with another key. A batch of rows
 * at a time, in the transaction that the session is in.
 */
#include "ddl.h"
#include "postgres.h"
#include "sql.h"

#include <cell/cell.h>
#include <string.h>

struct resealing {
	struct cell_call *call;
	struct postgres *postgres;
	struct pg_session *session;
	struct view *from, *to; /* how rows are read, and how they are written */
	uint64_t n;
};

/* UPDATE of the columns that are sealed in one of the two, by the row's place. */
static const char *update_text(const struct resealing *s)
{
	struct sql sql = sql_begin(cell_arena(s->call));
	size_t n = 0;

	sql_put(&sql, "UPDATE %s", s->to->relation);
	for (size_t i = 0; i < s->to->schema->n_columns; i++)
		if (s->to->columns[i].told->encrypted || s->from->columns[i].told->encrypted) {
			sql_put(&sql, "%s%s = $%zu", n ? ", " : " SET ", s->to->columns[i].quoted, n + 1);
			n++;
		}
	sql_put(&sql, " WHERE ctid = $%zu", n + 1);
	return n ? sql_text(&sql) : "";
}

static int row_update(struct resealing *s, const char *text, const struct pg_result *result, size_t row)
{
	size_t n_columns = s->to->schema->n_columns, n = 0, n_all = 0;
	struct pg_value *all, *some = cell_arena_calloc(cell_arena(s->call), n_columns + 1, sizeof *some);
	struct value *values;
	int r = some ? rows_values(s->call, s->postgres, s->from, result, row, 1, &values)
		     : cell_refuse(s->call, -ENOMEM, "a row");

	r = r ? r : rows_parameters(s->call, s->postgres, s->to, values, &all, &n_all);
	if (r)
		return r;
	for (size_t i = 0, at = 0; i < n_columns; i++) {
		if (s->to->columns[i].is_generated)
			continue;
		if (s->to->columns[i].told->encrypted || s->from->columns[i].told->encrypted)
			some[n++] = all[at];
		at++;
	}
	some[n].oid = 27; /* tid */
	some[n].bytes = pg_cell(result, row, 0, &some[n].len);
	pg_add(s->session, text, some, n + 1);
	s->n++;
	return 0;
}

static int rows_reseal(struct resealing *s)
{
	struct cell_arena_mark mark;
	struct sql select = sql_begin(cell_arena(s->call));
	const char *text = update_text(s);
	const struct pg_result *result;
	size_t n = 0;
	int r;

	if (!text || !*text)
		return text ? 0 : cell_refuse(s->call, -ENOMEM, "a statement");
	sql_put(&select, "DECLARE cell_reseal NO SCROLL CURSOR FOR SELECT ctid");
	for (size_t i = 0; i < s->from->schema->n_columns; i++)
		sql_put(&select, ", %s", s->from->columns[i].quoted);
	sql_put(&select, " FROM %s", s->from->relation);
	if (!sql_text(&select))
		return cell_refuse(s->call, -ENOMEM, "a statement");
	r = pg_do(s->call, s->session, sql_text(&select), NULL, 0, NULL);
	text = cell_arena_strdup(cell_arena(s->call), text);
	mark = cell_mark(s->call);
	do {
		r = r ? r : pg_do(s->call, s->session, "FETCH 50 FROM cell_reseal", NULL, 0, &result);
		n = r ? 0 : pg_rows(result);
		for (size_t i = 0; !r && i < n; i++)
			r = row_update(s, text, result, i);
		if (!r && n)
			r = pg_run(s->call, s->session, NULL);
		if (!r)
			cell_rewind(s->call, mark);
	} while (!r && n);
	return r ? r : pg_do(s->call, s->session, "CLOSE cell_reseal", NULL, 0, NULL);
}

/* ---- a column that becomes encrypted, or is so no longer ------------------------------------- */

/* The schema of TOLD with the column at I as WAS has it where it is kept. */
static int schema_with(struct cell_call *call, const struct table_table *told, size_t i,
		       const struct table_column *was, struct schema **ret)
{
	struct cell_arena *arena = cell_arena(call);
	struct table_column *columns = cell_arena_calloc(arena, told->n_columns, sizeof *columns);
	struct table_table copy = *told;
	uint8_t *body;

	if (!columns)
		return cell_refuse(call, -ENOMEM, "table %s", told->name);
	memcpy(columns, told->columns, told->n_columns * sizeof *columns);
	columns[i].encrypted = was->encrypted;
	columns[i].native = was->native;
	copy.columns = columns;
	/* Rules of the new version may not hold for it, and are nobody's business here. */
	copy.n_checks = copy.n_indexes = copy.n_references = 0;
	body = cell_arena_alloc(arena, table_table_type.bound(&copy));
	if (!body)
		return cell_refuse(call, -ENOMEM, "table %s", told->name);
	return schema_new(ret, body, (size_t)(table_table_type.encode(&copy, body) - body),
			  cell_error_slot(call));
}

#define OLD_NAME "cell_was"

/* What reads the old column, which goes by OLD_NAME, in place of the one at I. */
static int view_open(struct resealing *s, const char *sql_schema, const struct table_table *told,
		     size_t i, const struct table_column *was, bool is_old, struct view **ret)
{
	struct schema *schema;
	struct fact *facts;
	size_t n;
	int r = catalog_facts(s->call, s->session, sql_schema, told->name, &facts, &n);

	for (size_t at = 0; !r && is_old && at < n; at++)
		if (strcmp(facts[at].name, told->columns[i].name) == 0)
			facts[at].name = "";
		else if (strcmp(facts[at].name, OLD_NAME) == 0)
			facts[at].name = told->columns[i].name;
	r = r ? r : schema_with(s->call, told, i, was, &schema);
	r = r ? r
	      : view_new(ret, schema, schema, sql_schema, told->name, facts, n,
			 cell_error_slot(s->call));
	if (!r && is_old)
		(*ret)->columns[i].quoted = "\"" OLD_NAME "\"";
	return r;
}

static int alter(struct resealing *s, const char *on, const char *what)
{
	const char *text = what ? cell_arena_printf(cell_arena(s->call), "ALTER TABLE %s %s", on, what)
				: NULL;

	return text ? pg_do(s->call, s->session, text, NULL, 0, NULL)
		    : cell_refuse(s->call, -ENOMEM, "a statement");
}

int reseal_column(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
		  const char *sql_schema, const struct migration *migration,
		  const struct migration_step *step)
{
	struct resealing s = { .call = call, .postgres = postgres, .session = session };
	const struct table_table *told = migration->after->told;
	const struct table_column *was = migration->before->columns[step->before].told;
	size_t i = (size_t)step->after;
	const struct table_column *is = &told->columns[i];
	struct cell_arena *arena = cell_arena(call);
	const char *on = sql_relation(sql_schema, told->name, arena);
	const char *name = sql_name(is->name, arena), *type = type_declared(is, arena);
	int r;

	if (!on || !name || !type)
		return cell_refuse(call, -ENOMEM, "a statement");
	r = alter(&s, on, cell_arena_printf(arena, "RENAME COLUMN %s TO " OLD_NAME, name));
	r = r ? r : alter(&s, on, cell_arena_printf(arena, "ADD COLUMN %s %s", name, type));
	r = r ? r : view_open(&s, sql_schema, told, i, was, true, &s.from);
	r = r ? r : view_open(&s, sql_schema, told, i, is, false, &s.to);
	r = r ? r : rows_reseal(&s);
	r = r ? r : alter(&s, on, "DROP COLUMN " OLD_NAME);
	if (!r && !is->nullable && !is->repeated)
		r = alter(&s, on, cell_arena_printf(arena, "ALTER COLUMN %s SET NOT NULL", name));
	view_unref(s.from);
	view_unref(s.to);
	return r;
}

/* ---- a new key --------------------------------------------------------------------------------- */

static bool has_encrypted(const struct view *view)
{
	for (size_t i = 0; i < view->schema->n_columns; i++)
		if (view->columns[i].told->encrypted)
			return true;
	return false;
}

static int table_reseal(struct resealing *s, const char *store, const char *name)
{
	const struct table_table_ref ref = { .store = store, .name = name };
	struct catalog_table table;
	int r = catalog_enter(s->call, s->postgres, s->session, &ref, &table);

	if (r)
		return r;
	s->from = s->to = table.now;
	if (has_encrypted(table.now)) {
		r = pg_do(s->call, s->session, "BEGIN", NULL, 0, NULL);
		/* Nobody writes a row between its being read and written here. */
		r = r ? r
		      : pg_do(s->call, s->session,
			      cell_arena_printf(cell_arena(s->call), "LOCK TABLE %s IN EXCLUSIVE MODE",
						table.now->relation),
			      NULL, 0, NULL);
		r = r ? r : rows_reseal(s);
		r = r ? r : pg_do(s->call, s->session, "COMMIT", NULL, 0, NULL);
	}
	catalog_leave(&table);
	return r;
}

int reseal_all(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
	       uint64_t *ret_rows)
{
	struct resealing s = { .call = call, .postgres = postgres, .session = session };
	struct cell_arena *arena = cell_arena(call);
	const struct pg_result *result;
	const char **names;
	size_t n;
	int r = catalog_make(call, postgres, session);

	r = r ? r : pg_do(call, session, "SELECT store, name FROM cell.tables ORDER BY 1, 2", NULL, 0,
			  &result);
	n = r ? 0 : pg_rows(result);
	names = cell_arena_calloc(arena, 2 * n + 1, sizeof *names);
	if (!r && !names)
		r = cell_refuse(call, -ENOMEM, "the tables");
	for (size_t i = 0; !r && i < 2 * n; i++) {
		names[i] = cell_arena_strdup(arena, pg_text(result, i / 2, i % 2));
		if (!names[i])
			r = cell_refuse(call, -ENOMEM, "the tables");
	}
	for (size_t i = 0; !r && i < n; i++)
		r = table_reseal(&s, names[2 * i], names[2 * i + 1]);
	*ret_rows = s.n;
	return r;
}
