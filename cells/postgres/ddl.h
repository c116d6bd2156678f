/*
 * The text of statements that make and change tables, and that count what stands in their way.
 * Pure; all in ARENA, NULL without memory.
 */
#pragma once

#include "sql.h"

#include <cell/internal/table/migrate.h>

/* Where a table is, or will be. */
struct ddl_place {
	const char *schema, *name; /* in PostgreSQL */
};

/* Statements, in order; more than one is nothing unusual. */
#define DDL_MAX 256
struct ddl {
	size_t n;
	const char *texts[DDL_MAX];
};

/* CREATE TABLE with keys, indexes, checks and references: as many statements as there are. */
size_t ddl_create_bound(const struct schema *schema);
bool ddl_create(const struct schema *schema, const struct ddl_place *place, struct cell_arena *arena,
		const char **texts, size_t *ret_n);

/* One step of a migration. False without memory; *RET has no statement if there is nothing to do. */
bool ddl_step(const struct migration *migration, const struct migration_step *step,
	      const struct ddl_place *place, struct cell_arena *arena, struct ddl *ret);

/*
 * SELECT that gives step->count of STEP, on the table as it is before the migration. REF_KEY:
 * the key's column of the table that a reference leads to.
 */
const char *ddl_count(const struct migration *migration, const struct migration_step *step,
		      const struct ddl_place *place, const char *ref_key, struct cell_arena *arena);

/* The type of an enum that is to be there, with its labels: CREATE TYPE, if it is not there. */
const char *ddl_enum(const struct table_column *column, struct cell_arena *arena);
/* Whether COLUMN's type is one that CREATE TYPE … AS ENUM makes. */
bool ddl_is_enum(const struct table_column *column);
