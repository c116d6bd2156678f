/*
 * A view: one version of a table, as a program was built with it, on the columns that
 * PostgreSQL has now. Pure; immutable once made; counted, as handlers wait while they use one.
 */
#pragma once

#include "types.h"

#include <cell/internal/table/schema.h>

/* What PostgreSQL says of a column. */
struct fact {
	const char *name;
	struct type type;    /* codec TYPE_UNKNOWN: none that we know */
	bool is_nullable;
	bool has_default;    /* of any kind, identity and generated ones too */
	bool is_generated;   /* GENERATED ALWAYS AS (…) STORED, or identity ALWAYS */
	bool sorts_by_bytes; /* or has no collation at all */
};

struct view_column {
	const struct table_column *told;
	const char *quoted; /* the name it has now, as SQL */
	struct type type;
	bool is_generated;
	bool sorts_by_bytes;
};

struct view {
	unsigned refs;
	struct cell_arena arena;
	struct schema *schema; /* the version */
	const char *relation;  /* "\"public\".\"account\"" */
	bool is_adopted;
	struct view_column *columns; /* as in the schema */
};

/*
 * The view of SCHEMA (which it takes, also when it fails) on a table of SQL_SCHEMA with FACTS.
 * NOW is the version that the table has: where a column has been renamed since, it is found by
 * its number. Returns 0, -ENOMEM, or CELL_FAILED_PRECONDITION for a column that is not there
 * or is of another type.
 */
int view_new(struct view **ret, struct schema *schema, const struct schema *now,
	     const char *sql_schema, const char *sql_name, const struct fact *facts, size_t n_facts,
	     struct cell_error *err);
struct view *view_ref(struct view *view);
void view_unref(struct view *view);
void view_unrefp(struct view **view);

/* The schema of PostgreSQL where a table is kept that says nothing itself. */
#define SQL_SCHEMA_DEFAULT "public"
