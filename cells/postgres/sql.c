#include "sql.h"

#include <cell/internal/table/expression.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct sql sql_begin(struct cell_arena *arena)
{
	struct sql sql = { .arena = arena, .room = 512 };

	sql.text = cell_arena_alloc(arena, sql.room);
	sql.failed = !sql.text;
	if (sql.text)
		sql.text[0] = '\0';
	return sql;
}

void sql_put(struct sql *sql, const char *format, ...)
{
	va_list args;
	int n;

	if (sql->failed)
		return;
	va_start(args, format);
	n = vsnprintf(sql->text + sql->len, sql->room - sql->len, format, args);
	va_end(args);
	if (n < 0)
		sql->failed = true;
	else if ((size_t)n < sql->room - sql->len)
		sql->len += (size_t)n;
	else {
		size_t room = 2 * sql->room + (size_t)n;
		char *text = cell_arena_alloc(sql->arena, room);

		sql->failed = !text;
		if (!text)
			return;
		memcpy(text, sql->text, sql->len);
		sql->text = text;
		sql->room = room;
		va_start(args, format);
		sql->len += (size_t)vsnprintf(text + sql->len, room - sql->len, format, args);
		va_end(args);
	}
}

const char *sql_text(const struct sql *sql)
{
	return sql->failed ? NULL : sql->text;
}

static const char *quoted(const char *text, char quote, struct cell_arena *arena)
{
	char *out = cell_arena_alloc(arena, 2 * strlen(text) + 3), *at = out;

	if (!out)
		return NULL;
	*at++ = quote;
	for (; *text; text++) {
		if (*text == quote)
			*at++ = quote;
		*at++ = *text;
	}
	*at++ = quote;
	*at = '\0';
	return out;
}

const char *sql_name(const char *name, struct cell_arena *arena)
{
	return quoted(name, '"', arena);
}

/* As standard_conforming_strings, on since 9.1, has it: a backslash is itself. */
const char *sql_literal(const char *text, struct cell_arena *arena)
{
	return quoted(text, '\'', arena);
}

const char *sql_relation(const char *schema, const char *name, struct cell_arena *arena)
{
	const char *a = sql_name(schema, arena), *b = sql_name(name, arena);

	return a && b ? cell_arena_printf(arena, "%s.%s", a, b) : NULL;
}

/* ---- pieces -------------------------------------------------------------------------------------- */

static void put_columns(struct sql *sql, const struct view *view)
{
	for (size_t i = 0; i < view->schema->n_columns; i++)
		sql_put(sql, ", %s", view->columns[i].quoted);
}

static const struct view_column *key_column(const struct view *view, const struct schema_key *key,
					    size_t i)
{
	return &view->columns[key->columns[i]];
}

/* "a" = $1 AND "b" = $2; a table of one row has no key, and one row. */
static void put_key_is(struct sql *sql, const struct view *view, const struct schema_key *key,
		       const char *prefix)
{
	if (!key->n)
		sql_put(sql, "true");
	for (size_t i = 0; i < key->n; i++)
		sql_put(sql, "%s%s%s = $%zu", i ? " AND " : "", prefix,
			key_column(view, key, i)->quoted, i + 1);
}

static void put_sortable(struct sql *sql, const struct view_column *column)
{
	sql_put(sql, "%s%s", column->quoted, column->sorts_by_bytes ? "" : " COLLATE \"C\"");
}

const char *sql_get(const struct view *view, const struct schema_key *key, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	sql_put(&sql, "SELECT xmin");
	put_columns(&sql, view);
	sql_put(&sql, " FROM %s WHERE ", view->relation);
	put_key_is(&sql, view, key, "");
	return sql_text(&sql);
}

/* ---- scans ----------------------------------------------------------------------------------------- */

/* The columns compared as one: PostgreSQL finds the range in an index by that. */
static void put_row_compare(struct sql *sql, const struct view *view, const struct schema_key *key,
			    size_t n, const char *operator, size_t first)
{
	sql_put(sql, "(");
	for (size_t i = 0; i < n; i++) {
		sql_put(sql, i ? ", " : "");
		put_sortable(sql, key_column(view, key, i));
	}
	sql_put(sql, ") %s (", operator);
	for (size_t i = 0; i < n; i++)
		sql_put(sql, "%s$%zu", i ? ", " : "", first + i);
	sql_put(sql, ")");
}

static bool has_nullable(const struct view *view, const struct schema_key *key, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (key_column(view, key, i)->told->nullable)
			return true;
	return false;
}

/* a < $1 OR a IS NULL OR (a = $1 AND (b <= $2 OR b IS NULL)): NULL comes before all. */
static void put_up_to(struct sql *sql, const struct view *view, const struct schema_key *key,
		      size_t i, size_t n, size_t first)
{
	const struct view_column *column = key_column(view, key, i);
	bool is_last = i + 1 == n;

	sql_put(sql, "(");
	put_sortable(sql, column);
	sql_put(sql, " %s $%zu", is_last ? "<=" : "<", first + i);
	if (column->told->nullable)
		sql_put(sql, " OR %s IS NULL", column->quoted);
	if (!is_last) {
		sql_put(sql, " OR (%s = $%zu AND ", column->quoted, first + i);
		put_up_to(sql, view, key, i + 1, n, first);
		sql_put(sql, ")");
	}
	sql_put(sql, ")");
}

/* a > $1 OR (a = $1 AND b >= $2); a comparison with NULL is never true, which is right here. */
static void put_from(struct sql *sql, const struct view *view, const struct schema_key *key,
		     size_t i, size_t n, size_t first)
{
	const struct view_column *column = key_column(view, key, i);
	bool is_last = i + 1 == n;

	sql_put(sql, "(");
	put_sortable(sql, column);
	sql_put(sql, " %s $%zu", is_last ? ">=" : ">", first + i);
	if (!is_last) {
		sql_put(sql, " OR (%s = $%zu AND ", column->quoted, first + i);
		put_from(sql, view, key, i + 1, n, first);
		sql_put(sql, ")");
	}
	sql_put(sql, ")");
}

static void put_prefix(struct sql *sql, const struct view *view, const struct sql_scan *scan)
{
	size_t last = scan->n_from - 1;
	const struct view_column *column = key_column(view, scan->key, last);

	for (size_t i = 0; i < last; i++)
		sql_put(sql, " AND %s = $%zu", key_column(view, scan->key, i)->quoted, i + 1);
	sql_put(sql, " AND ");
	put_sortable(sql, column);
	sql_put(sql, " >= $%zu AND ", last + 1);
	if (column->type.codec == TYPE_BYTEA)
		sql_put(sql, "substring(%s from 1 for length($%zu)) = $%zu", column->quoted, last + 1,
			last + 1);
	else
		sql_put(sql, "starts_with(%s%s, $%zu)", column->quoted,
			column->sorts_by_bytes ? "" : " COLLATE \"C\"", last + 1);
}

static void put_range(struct sql *sql, const struct view *view, const struct sql_scan *scan)
{
	if (scan->is_prefix && scan->n_from) {
		put_prefix(sql, view, scan);
		return;
	}
	if (scan->n_from) {
		sql_put(sql, " AND ");
		if (has_nullable(view, scan->key, scan->n_from))
			put_from(sql, view, scan->key, 0, scan->n_from, 1);
		else
			put_row_compare(sql, view, scan->key, scan->n_from, ">=", 1);
	}
	if (scan->n_to) {
		sql_put(sql, " AND ");
		if (has_nullable(view, scan->key, scan->n_to))
			put_up_to(sql, view, scan->key, 0, scan->n_to, scan->n_from + 1);
		else
			put_row_compare(sql, view, scan->key, scan->n_to, "<=", scan->n_from + 1);
	}
}

static bool is_in_key(const struct schema_key *key, uint16_t column)
{
	for (size_t i = 0; i < key->n; i++)
		if (key->columns[i] == column)
			return true;
	return false;
}

static void put_order_by(struct sql *sql, const struct view *view, uint16_t column, bool backwards,
			 bool *any)
{
	sql_put(sql, *any ? ", " : " ORDER BY ");
	*any = true;
	put_sortable(sql, &view->columns[column]);
	if (view->columns[column].told->nullable)
		sql_put(sql, backwards ? " DESC NULLS LAST" : " NULLS FIRST");
	else
		sql_put(sql, backwards ? " DESC" : "");
}

/* By the key that was asked for, then by the primary one. */
static void put_order(struct sql *sql, const struct view *view, const struct sql_scan *scan)
{
	const struct schema_key *primary = &view->schema->keys[0];
	bool any = false;

	for (size_t i = 0; i < scan->key->n; i++)
		put_order_by(sql, view, scan->key->columns[i], scan->is_backwards, &any);
	for (size_t i = 0; i < primary->n; i++)
		if (!is_in_key(scan->key, primary->columns[i]))
			put_order_by(sql, view, primary->columns[i], scan->is_backwards, &any);
}

const char *sql_scan(const struct view *view, const struct sql_scan *scan, enum sql_scan_gives gives,
		     struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	if (gives == SQL_SCAN_COUNT)
		sql_put(&sql, "SELECT count(*) FROM (SELECT 1");
	else
		sql_put(&sql, "SELECT xmin");
	if (gives == SQL_SCAN_ROWS)
		put_columns(&sql, view);
	if (gives == SQL_SCAN_KEYS)
		for (size_t i = 0; i < view->schema->keys[0].n; i++)
			sql_put(&sql, ", %s", key_column(view, &view->schema->keys[0], i)->quoted);
	sql_put(&sql, " FROM %s WHERE true", view->relation);
	put_range(&sql, view, scan);
	if (scan->where) {
		const char *text = expression_sql(scan->where, arena);

		sql.failed |= !text;
		sql_put(&sql, " AND (%s)", text ? text : "");
	}
	if (gives != SQL_SCAN_COUNT || scan->limit)
		put_order(&sql, view, scan);
	if (scan->limit)
		sql_put(&sql, " LIMIT %" PRIu64, scan->limit);
	if (gives == SQL_SCAN_COUNT)
		sql_put(&sql, ") AS counted");
	return sql_text(&sql);
}

/* ---- writes ------------------------------------------------------------------------------------------ */

/* The number that the parameter for column COLUMN has. */
static size_t parameter_of(const struct view *view, size_t column)
{
	size_t n = 1;

	for (size_t i = 0; i < column; i++)
		n += !view->columns[i].is_generated;
	return n;
}

static void put_written_key_is(struct sql *sql, const struct view *view)
{
	const struct schema_key *key = &view->schema->keys[0];

	if (!key->n)
		sql_put(sql, "true");
	for (size_t i = 0; i < key->n; i++)
		sql_put(sql, "%s%s = $%zu", i ? " AND " : "", key_column(view, key, i)->quoted,
			parameter_of(view, key->columns[i]));
}

static void put_insert(struct sql *sql, const struct view *view)
{
	bool any = false;

	sql_put(sql, "INSERT INTO %s (", view->relation);
	for (size_t i = 0; i < view->schema->n_columns; i++)
		if (!view->columns[i].is_generated) {
			sql_put(sql, "%s%s", any ? ", " : "", view->columns[i].quoted);
			any = true;
		}
	sql_put(sql, ") VALUES (");
	any = false;
	for (size_t i = 0; i < view->schema->n_columns; i++)
		if (!view->columns[i].is_generated) {
			sql_put(sql, "%s$%zu", any ? ", " : "", parameter_of(view, i));
			any = true;
		}
	sql_put(sql, ")");
}

static bool is_set(const struct view *view, size_t i)
{
	return !view->columns[i].is_generated && !view->schema->columns[i].is_key;
}

static void put_set(struct sql *sql, const struct view *view, bool excluded)
{
	bool any = false;

	for (size_t i = 0; i < view->schema->n_columns; i++) {
		if (!is_set(view, i))
			continue;
		sql_put(sql, "%s%s = ", any ? ", " : " SET ", view->columns[i].quoted);
		if (excluded)
			sql_put(sql, "EXCLUDED.%s", view->columns[i].quoted);
		else
			sql_put(sql, "$%zu", parameter_of(view, i));
		any = true;
	}
	/* A table of nothing but its key: the row is written nevertheless, as its version says. */
	if (!any && view->schema->keys[0].n) {
		const char *name = key_column(view, &view->schema->keys[0], 0)->quoted;

		if (excluded)
			sql_put(sql, " SET %s = EXCLUDED.%s", name, name);
		else
			sql_put(sql, " SET %s = $%zu", name,
				parameter_of(view, view->schema->keys[0].columns[0]));
	}
}

static void put_was(struct sql *sql, const struct view *view, const struct view *now)
{
	sql_put(sql, "WITH was AS (SELECT true AS there");
	put_columns(sql, now);
	sql_put(sql, " FROM %s WHERE ", view->relation);
	put_written_key_is(sql, view);
	sql_put(sql, "), ");
}

static void put_returning(struct sql *sql, const struct view *now)
{
	sql_put(sql, " RETURNING true AS there");
	put_columns(sql, now);
	sql_put(sql, ")");
}

const char *sql_put_row(const struct view *view, const struct view *now, struct cell_arena *arena)
{
	const struct schema_key *key = &view->schema->keys[0];
	struct sql sql = sql_begin(arena);

	put_was(&sql, view, now);
	sql_put(&sql, "now AS (");
	put_insert(&sql, view);
	sql_put(&sql, " ON CONFLICT (");
	if (!key->n)
		sql_put(&sql, "(true)");
	for (size_t i = 0; i < key->n; i++)
		sql_put(&sql, "%s%s", i ? ", " : "", key_column(view, key, i)->quoted);
	sql_put(&sql, ") DO UPDATE");
	put_set(&sql, view, true);
	put_returning(&sql, now);
	sql_put(&sql, " SELECT was.*, now.* FROM now LEFT JOIN was ON true");
	return sql_text(&sql);
}

/* As many NULLs as a row has columns, and whether it is there. */
static void put_no_row(struct sql *sql, const struct view *now)
{
	sql_put(sql, "NULL::boolean");
	for (size_t i = 0; i < now->schema->n_columns; i++)
		sql_put(sql, ", NULL");
}

const char *sql_insert_row(const struct view *view, const struct view *now, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	sql_put(&sql, "WITH now AS (");
	put_insert(&sql, view);
	put_returning(&sql, now);
	sql_put(&sql, " SELECT ");
	put_no_row(&sql, now);
	sql_put(&sql, ", now.* FROM now");
	return sql_text(&sql);
}

const char *sql_update_row(const struct view *view, const struct view *now, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	put_was(&sql, view, now);
	sql_put(&sql, "now AS (UPDATE %s", view->relation);
	put_set(&sql, view, false);
	sql_put(&sql, " WHERE ");
	put_written_key_is(&sql, view);
	put_returning(&sql, now);
	sql_put(&sql, " SELECT was.*, now.* FROM now LEFT JOIN was ON true");
	return sql_text(&sql);
}

const char *sql_delete_row(const struct view *view, const struct view *now, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	sql_put(&sql, "WITH was AS (DELETE FROM %s WHERE ", view->relation);
	put_key_is(&sql, view, &view->schema->keys[0], "");
	put_returning(&sql, now);
	sql_put(&sql, " SELECT was.*, ");
	put_no_row(&sql, now);
	sql_put(&sql, " FROM was");
	return sql_text(&sql);
}
