/*
 * Tables are made when the compiler has succeeded, and queries are described while it has not
 * begun: what the program declares is remembered, so that its queries see its tables.
 */
#include "ddl.h"
#include "macros.h"

#include <cell/cell.h>
#include <cell/internal/table/migrate.h>
#include <stdlib.h>
#include <string.h>

#define PLANNED_MAX 512

struct planned_table {
	struct planned_table *next;
	char *store, *name;
	bool is_shared;
	uint8_t *body;
	size_t len;
};

struct planned {
	struct planned_table *tables; /* the newest first */
	size_t n;
	uint64_t generation;
};

struct planned *planned_new(void)
{
	return calloc(1, sizeof(struct planned));
}

static void table_free(struct planned_table *table)
{
	if (!table)
		return;
	free(table->store);
	free(table->name);
	free(table->body);
	free(table);
}

void planned_free(struct planned *planned)
{
	if (!planned)
		return;
	for (struct planned_table *table; (table = planned->tables);) {
		planned->tables = table->next;
		table_free(table);
	}
	free(planned);
}

uint64_t planned_generation(const struct planned *planned)
{
	return planned->generation;
}

/* An older declaration of the same table; or the oldest of all, when there are too many. */
static void forget(struct planned *planned, const char *store, const char *name)
{
	for (struct planned_table **at = &planned->tables; *at; at = &(*at)->next) {
		struct planned_table *table = *at;
		bool is_same = strcmp(table->store, store) == 0 && strcmp(table->name, name) == 0;

		if (!is_same && (table->next || planned->n < PLANNED_MAX))
			continue;
		*at = table->next;
		planned->n--;
		table_free(table);
		return;
	}
}

void planned_declare(struct cell_macro_work *work, const char *store, const char *name,
		     const uint8_t *body, size_t len)
{
	struct postgres *postgres = cell_macro_self(work);
	struct planned *planned = postgres->planned;
	struct planned_table *table = calloc(1, sizeof *table);
	struct table_table told;
	struct cell_error err;

	if (!table)
		return;
	*table = (struct planned_table){ .store = strdup(store), .name = strdup(name),
					 .body = malloc(len), .len = len };
	if (!table->store || !table->name || !table->body ||
	    table_table_type.decode(&told, body, len, 0, cell_arena(cell_macro_call(work)), &err)) {
		table_free(table);
		return;
	}
	memcpy(table->body, body, len);
	table->is_shared = told.shared;
	forget(planned, store, name);
	table->next = planned->tables;
	planned->tables = table;
	planned->n++;
	planned->generation++;
}

/* ---- as they will be ---------------------------------------------------------------------------- */

static int try_texts(struct cell_call *call, struct pg_session *session, const char *const *texts,
		     size_t n)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = texts[i] ? pg_do(call, session, texts[i], NULL, 0, NULL) : -ENOMEM;
	return r;
}

static int try_create(struct cell_call *call, struct pg_session *session, const struct schema *schema,
		      const struct ddl_place *place)
{
	struct cell_arena *arena = cell_arena(call);
	const char **texts = cell_arena_calloc(arena, ddl_create_bound(schema), sizeof *texts);
	size_t n = 0;

	if (!texts || !ddl_create(schema, place, arena, texts, &n))
		return -ENOMEM;
	return try_texts(call, session, texts, n);
}

/* Whether it is allowed is for provisioning to say. */
static int try_change(struct cell_call *call, struct pg_session *session, const struct schema *before,
		      const struct schema *after, const struct ddl_place *place)
{
	struct migration migration;
	int r = migration_plan(&migration, before, after, cell_arena(call));

	for (size_t i = 0; !r && i < migration.n_steps; i++) {
		struct ddl ddl;

		r = ddl_step(&migration, &migration.steps[i], place, cell_arena(call), &ddl)
			    ? try_texts(call, session, ddl.texts, ddl.n)
			    : -ENOMEM;
	}
	return r;
}

static int try_table(struct cell_call *call, struct pg_session *session,
		     const struct planned_table *table)
{
	struct schema *after = NULL, *before = NULL;
	struct ddl_place place = { .name = table->name };
	struct catalog_now now;
	struct fact *facts;
	size_t n_facts;
	int r = schema_new(&after, table->body, table->len, cell_error_slot(call));

	if (r)
		return r;
	place.schema = *after->told->schema ? after->told->schema : SQL_SCHEMA_DEFAULT;
	r = catalog_now(call, session, table->store, table->name, &now);
	if (r == CELL_NOT_FOUND) {
		r = catalog_facts(call, session, place.schema, place.name, &facts, &n_facts);
		if (!r && !n_facts)
			r = try_create(call, session, after, &place);
	} else if (!r && memcmp(now.digest, after->digest, sizeof after->digest) != 0) {
		r = schema_new(&before, now.body, now.body_len, cell_error_slot(call));
		r = r ? r : try_change(call, session, before, after, &place);
	}
	schema_free(after);
	schema_free(before);
	return r;
}

/* Tables refer to others, which may come later: what fails is tried once more after the rest. */
int planned_make(struct cell_call *call, const struct planned *planned, struct pg_session *session,
		 const char *store)
{
	bool *done = cell_arena_calloc(cell_arena(call), planned->n + 1, sizeof *done);
	const struct planned_table **all =
		cell_arena_calloc(cell_arena(call), planned->n + 1, sizeof(struct planned_table *));
	size_t n = 0;
	int r = 0;

	if (!done || !all)
		return cell_refuse(call, -ENOMEM, "the tables of '%s'", store);
	for (const struct planned_table *table = planned->tables; table; table = table->next)
		if (table->is_shared || strcmp(table->store, store) == 0)
			all[n++] = table;
	for (size_t i = 0; !r && i < 2 * n; i++) {
		size_t at = n - 1 - i % n;

		if (done[at])
			continue;
		r = pg_do(call, session, "SAVEPOINT cell_planned", NULL, 0, NULL);
		if (!r && try_table(call, session, all[at]) == 0)
			done[at] = true;
		else if (!r)
			r = pg_do(call, session, "ROLLBACK TO SAVEPOINT cell_planned", NULL, 0, NULL);
	}
	return r;
}
