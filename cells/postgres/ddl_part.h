/* What the texts that make tables, change them and count rows are made of. Pure. */
#pragma once

#include "ddl.h"

bool ddl_has_default(const struct schema_column *column);
/* What rows get that lack it, as an expression of SQL. */
void ddl_put_default(struct sql *sql, const struct schema_column *column);
/* NAME in quotes. */
void ddl_put_name(struct sql *sql, const char *name);
/* The columns of KEY, with commas. */
void ddl_put_key_columns(struct sql *sql, const struct schema *schema, const struct schema_key *key,
			 bool is_index);
/* "schema"."table"; NULL without memory. */
const char *ddl_relation(const struct ddl_place *place, struct cell_arena *arena);

/* The column that STEP changes, before and after it; NULL = there is none. */
static inline const struct schema_column *ddl_before(const struct migration *m,
						     const struct migration_step *step)
{
	return step->before >= 0 ? &m->before->columns[step->before] : NULL;
}

static inline const struct schema_column *ddl_after(const struct migration *m,
						    const struct migration_step *step)
{
	return step->after >= 0 ? &m->after->columns[step->after] : NULL;
}
