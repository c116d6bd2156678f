#include "catalog.h"

#include "postgres.h"
#include "sql.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OID  25
#define BYTEA_OID 17
#define INT8_OID  20

struct catalog_entry {
	struct catalog_entry *next;
	char *store, *name;
	bool is_shared;
	size_t n_views;
	struct view **views; /* the newest first */
};

static void entry_free(struct catalog_entry *entry)
{
	for (size_t i = 0; i < entry->n_views; i++)
		view_unref(entry->views[i]);
	free(entry->views);
	free(entry->store);
	free(entry->name);
	free(entry);
}

void catalog_deinit(struct catalog *catalog)
{
	for (struct catalog_entry *entry; (entry = catalog->entries);) {
		catalog->entries = entry->next;
		entry_free(entry);
	}
}

void catalog_forget(struct postgres *postgres, const char *store, const char *name)
{
	struct catalog_entry **at = &postgres->catalog.entries;

	while (*at) {
		struct catalog_entry *entry = *at;

		if (store && (strcmp(entry->store, store) != 0 || strcmp(entry->name, name) != 0)) {
			at = &entry->next;
			continue;
		}
		*at = entry->next;
		entry_free(entry);
	}
}

/* ---- the schema `cell` ---------------------------------------------------------------------- */

/* The number is "cell" in ASCII: whoever makes or changes tables holds this lock. */
static const char *const making[] = {
	"SELECT pg_advisory_xact_lock(1667591276)",
	"CREATE SCHEMA IF NOT EXISTS cell",
	"CREATE TABLE IF NOT EXISTS cell.tables (store text COLLATE \"C\", name text COLLATE \"C\", "
	"schema text NOT NULL, is_adopted boolean NOT NULL, is_shared boolean NOT NULL, "
	"digest bytea NOT NULL, PRIMARY KEY (store, name))",
	"CREATE TABLE IF NOT EXISTS cell.versions (store text COLLATE \"C\", name text COLLATE \"C\", "
	"version bigint, digest bytea NOT NULL, body bytea NOT NULL, "
	"made timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (store, name, version))",
	"CREATE TABLE IF NOT EXISTS cell.commits (id bytea PRIMARY KEY, version bigint NOT NULL, "
	"reply bytea NOT NULL, made timestamptz NOT NULL DEFAULT now())",
	"CREATE INDEX IF NOT EXISTS commits_made ON cell.commits (made)",
	"CREATE TABLE IF NOT EXISTS cell.changes (at bigint, n integer, store text COLLATE \"C\" NOT NULL, "
	"name text COLLATE \"C\" NOT NULL, before bytea, after bytea, "
	"made timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (at, n))",
	"CREATE TABLE IF NOT EXISTS cell.pruned (last bigint NOT NULL)",
	"CREATE UNIQUE INDEX IF NOT EXISTS pruned_one ON cell.pruned ((true))",
	"CREATE INDEX IF NOT EXISTS changes_table ON cell.changes (store, name, at, n)",
	"CREATE INDEX IF NOT EXISTS changes_made ON cell.changes (made)",
};

int catalog_make(struct cell_call *call, struct postgres *postgres, struct pg_session *session)
{
	const struct pg_result *result;
	int r = 0;

	if (postgres->catalog.is_made)
		return 0;
	r = pg_do(call, session, "SELECT to_regclass('cell.changes') IS NOT NULL", NULL, 0, &result);
	if (!r && !pg_integer(result, 0, 0)) {
		pg_add(session, "BEGIN", NULL, 0);
		for (size_t i = 0; i < sizeof making / sizeof *making; i++)
			pg_add(session, making[i], NULL, 0);
		pg_add(session, "COMMIT", NULL, 0);
		r = pg_run(call, session, NULL);
		if (r)
			return cell_wrap(cell_error_slot(call), r, "making the schema 'cell'");
	}
	postgres->catalog.is_made = !r;
	return r;
}

/* ---- what PostgreSQL knows of a table --------------------------------------------------------- */

static struct pg_value text_value(const char *text)
{
	return (struct pg_value){ .bytes = text, .len = strlen(text), .oid = TEXT_OID };
}

/*
 * The type behind domains; for an array also what it is of. An enum is known by what kind of
 * type it is.
 */
static const char facts_text[] =
	"SELECT a.attname::text, "
	"CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, "
	"format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, "
	"a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '', "
	"a.attgenerated <> '' OR a.attidentity = 'a', "
	"a.attcollation = 0 OR c.collname IN ('C', 'POSIX'), "
	"t.typtype = 'e', e.oid, t.typarray "
	"FROM pg_catalog.pg_attribute a "
	"JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
	"LEFT JOIN pg_catalog.pg_type e ON e.typarray = t.oid AND e.typtype = 'e' "
	"LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation "
	"JOIN pg_catalog.pg_class r ON r.oid = a.attrelid AND r.relkind IN ('r', 'p', 'v', 'm', 'f') "
	"JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace "
	"WHERE n.nspname = $1 AND r.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped "
	"ORDER BY a.attnum";

static void fact_type(struct type *type, const struct pg_result *result, size_t row)
{
	uint32_t oid = (uint32_t)pg_integer(result, row, 1);
	size_t len;

	if (pg_integer(result, row, 7))
		*type = (struct type){ .oid = oid, .array = (uint32_t)pg_integer(result, row, 9),
				       .codec = TYPE_LABEL };
	else if (pg_cell(result, row, 8, &len))
		*type = (struct type){ .oid = (uint32_t)pg_integer(result, row, 8), .array = oid,
				       .is_array = true, .codec = TYPE_LABEL };
	else if (!type_by_oid(oid, type))
		*type = (struct type){ .oid = oid };
}

int catalog_facts(struct cell_call *call, struct pg_session *session, const char *schema,
		  const char *name, struct fact **ret_facts, size_t *ret_n)
{
	const struct pg_value values[] = { text_value(schema), text_value(name) };
	const struct pg_result *result;
	struct fact *facts;
	int r = pg_do(call, session, facts_text, values, 2, &result);

	if (r)
		return r;
	facts = cell_arena_calloc(cell_arena(call), pg_rows(result) + 1, sizeof *facts);
	if (!facts)
		return cell_refuse(call, -ENOMEM, "table %s", name);
	for (size_t i = 0; i < pg_rows(result); i++) {
		struct fact *fact = &facts[i];

		fact_type(&fact->type, result, i);
		fact->name = cell_arena_strdup(cell_arena(call), pg_text(result, i, 0));
		fact->type.name = cell_arena_strdup(cell_arena(call), pg_text(result, i, 2));
		fact->is_nullable = pg_integer(result, i, 3);
		fact->has_default = pg_integer(result, i, 4);
		fact->is_generated = pg_integer(result, i, 5);
		fact->sorts_by_bytes = pg_integer(result, i, 6);
		if (!fact->name || !fact->type.name)
			return cell_refuse(call, -ENOMEM, "table %s", name);
	}
	*ret_facts = facts;
	*ret_n = pg_rows(result);
	return 0;
}

/* ---- versions ------------------------------------------------------------------------------------ */

static const uint8_t *copied(struct cell_call *call, const struct pg_result *result, size_t row,
			     size_t column, size_t *ret_len)
{
	const uint8_t *bytes = pg_cell(result, row, column, ret_len);

	return bytes ? (const uint8_t *)cell_arena_strndup(cell_arena(call), (const char *)bytes,
							    *ret_len)
		     : NULL;
}

int catalog_now(struct cell_call *call, struct pg_session *session, const char *store,
		const char *name, struct catalog_now *ret)
{
	const struct pg_value values[] = { text_value(store), text_value(name) };
	const struct pg_result *result;
	size_t len;
	int r = pg_do(call, session,
		      "SELECT t.schema, t.is_adopted, v.body, v.digest FROM cell.tables t "
		      "JOIN cell.versions v USING (store, name, digest) "
		      "WHERE t.store = $1 AND t.name = $2",
		      values, 2, &result);

	if (r)
		return r;
	if (!pg_rows(result))
		return cell_refuse(call, CELL_NOT_FOUND, "no table '%s' in store '%s'", name, store);
	*ret = (struct catalog_now){
		.schema = cell_arena_strdup(cell_arena(call), pg_text(result, 0, 0)),
		.is_adopted = pg_integer(result, 0, 1),
		.body = copied(call, result, 0, 2, &ret->body_len),
	};
	ret->body = copied(call, result, 0, 2, &ret->body_len);
	ret->digest = copied(call, result, 0, 3, &len);
	return ret->schema && ret->body && ret->digest && len == 32
		       ? 0
		       : cell_refuse(call, -ENOMEM, "table %s", name);
}

static int body_of(struct cell_call *call, struct pg_session *session, const struct table_table_ref *ref,
		   const uint8_t **ret_body, size_t *ret_len)
{
	uint64_t big = __builtin_bswap64(ref->version);
	const struct pg_value values[] = { text_value(ref->store), text_value(ref->name),
					   { .bytes = &big, .len = 8, .oid = INT8_OID } };
	const struct pg_result *result;
	int r = pg_do(call, session,
		      "SELECT body FROM cell.versions WHERE store = $1 AND name = $2 AND version = $3",
		      values, 3, &result);

	if (r)
		return r;
	if (!pg_rows(result))
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "table '%s' of store '%s' is not known in this version: provision it again",
				   ref->name, ref->store);
	*ret_body = copied(call, result, 0, 0, ret_len);
	return *ret_body ? 0 : cell_refuse(call, -ENOMEM, "table %s", ref->name);
}

/* ---- entries --------------------------------------------------------------------------------------- */

static struct catalog_entry *entry_find(const struct catalog *catalog, const char *store,
					const char *name)
{
	for (struct catalog_entry *entry = catalog->entries; entry; entry = entry->next)
		if (strcmp(entry->name, name) == 0 && strcmp(entry->store, store) == 0)
			return entry;
	return NULL;
}

/* Takes VIEW, also when it fails. */
static int entry_add_view(struct catalog_entry *entry, struct view *view)
{
	struct view **views = realloc(entry->views, (entry->n_views + 1) * sizeof(struct view *));

	if (!views) {
		view_unref(view);
		return -ENOMEM;
	}
	views[entry->n_views++] = view;
	entry->views = views;
	return 0;
}

static int entry_load(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
		      const char *store, const char *name, struct catalog_entry **ret)
{
	struct cell_error *err = cell_error_slot(call);
	struct catalog_entry *entry, *raced;
	struct schema *schema;
	struct catalog_now now;
	struct fact *facts;
	struct view *view;
	size_t n_facts;
	int r = catalog_now(call, session, store, name, &now);

	r = r ? r : catalog_facts(call, session, now.schema, name, &facts, &n_facts);
	if (r)
		return r;
	if (!n_facts)
		return cell_refuse(call, CELL_FAILED_PRECONDITION, "table %s.%s is gone from PostgreSQL",
				   now.schema, name);
	r = schema_new(&schema, now.body, now.body_len, err);
	r = r ? r : view_new(&view, schema, schema, now.schema, name, facts, n_facts, err);
	if (r)
		return r;
	view->is_adopted = now.is_adopted;
	raced = entry_find(&postgres->catalog, store, name);
	if (raced) {
		view_unref(view);
		*ret = raced;
		return 0;
	}
	entry = calloc(1, sizeof *entry);
	if (!entry) {
		view_unref(view);
		return cell_refuse(call, -ENOMEM, "table %s", name);
	}
	entry->store = strdup(store);
	entry->name = strdup(name);
	entry->is_shared = view->schema->told->shared;
	if (!entry->store || !entry->name || entry_add_view(entry, view)) {
		entry_free(entry);
		return cell_refuse(call, -ENOMEM, "table %s", name);
	}
	entry->next = postgres->catalog.entries;
	postgres->catalog.entries = entry;
	*ret = entry;
	return 0;
}

static struct view *view_find(const struct catalog_entry *entry, uint64_t version)
{
	if (!version)
		return entry->views[0];
	for (size_t i = 0; i < entry->n_views; i++)
		if (entry->views[i]->schema->version == version)
			return entry->views[i];
	return NULL;
}

/* An older version, on the table as it is. */
static int version_load(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
			const struct table_table_ref *ref, struct view **ret)
{
	struct cell_error *err = cell_error_slot(call);
	struct schema *schema, *now_schema;
	struct catalog_entry *entry;
	struct catalog_now now;
	const uint8_t *body;
	struct fact *facts;
	size_t n_facts, len;
	int r = body_of(call, session, ref, &body, &len);

	r = r ? r : catalog_now(call, session, ref->store, ref->name, &now);
	r = r ? r : catalog_facts(call, session, now.schema, ref->name, &facts, &n_facts);
	r = r ? r : schema_new(&now_schema, now.body, now.body_len, err);
	if (r)
		return r;
	r = schema_new(&schema, body, len, err);
	if (!r)
		r = view_new(ret, schema, now_schema, now.schema, ref->name, facts, n_facts, err);
	schema_free(now_schema);
	/* It may have been forgotten meanwhile; then the view is for this call alone. */
	entry = r ? NULL : entry_find(&postgres->catalog, ref->store, ref->name);
	if (entry && !view_find(entry, ref->version))
		(void)entry_add_view(entry, view_ref(*ret));
	return r;
}

/* ---- who may use what ------------------------------------------------------------------------------- */

static int check_caller(struct cell_call *call, const struct table_table_ref *ref, bool is_shared)
{
	const struct cell_peer *peer = cell_call_peer(call);

	if (is_shared || peer->is_outside || strcmp(peer->cell, ref->store) == 0 ||
	    (!*peer->cell))
		return 0;
	return cell_refuse(call, CELL_PERMISSION_DENIED,
			   "store '%s' is its own program's; cell '%s' may not use it", ref->store,
			   peer->cell);
}

int catalog_enter(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
		  const struct table_table_ref *ref, struct catalog_table *ret)
{
	struct catalog_entry *entry;
	struct view *view, *now;
	int r = 0;

	if (!ref)
		return cell_refuse(call, CELL_INVALID_ARGUMENT, "no table is named");
	r = catalog_make(call, postgres, session);
	if (r)
		return r;
	entry = entry_find(&postgres->catalog, ref->store, ref->name);
	if (!entry)
		r = entry_load(call, postgres, session, ref->store, ref->name, &entry);
	/* One that was never heard of may be known to the caller, who can provision it. */
	if (r == CELL_NOT_FOUND && ref->version)
		return cell_refuse(call, CELL_FAILED_PRECONDITION,
				   "no table '%s' in store '%s': provision it again", ref->name,
				   ref->store);
	r = r ? r : check_caller(call, ref, entry->is_shared);
	if (r)
		return r;
	now = view_ref(entry->views[0]);
	view = view_find(entry, ref->version);
	if (view)
		(void)view_ref(view);
	else
		r = version_load(call, postgres, session, ref, &view);
	if (r) {
		view_unref(now);
		return r;
	}
	*ret = (struct catalog_table){
		.view = view,
		.now = now,
		.store = cell_arena_strdup(cell_arena(call), ref->store),
		.name = cell_arena_strdup(cell_arena(call), ref->name),
	};
	return 0;
}

void catalog_leave(struct catalog_table *table)
{
	view_unref(table->view);
	view_unref(table->now);
	table->view = table->now = NULL;
}
