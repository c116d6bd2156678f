/* What stands in the way of a migration, counted by the server. */
#include "ddl_part.h"

#include "retype.h"

#include <cell/internal/table/expression.h>
#include <inttypes.h>
#include <string.h>

/* The column of the old version that AFTER is, or -1. */
static int was(const struct migration *m, const struct table_column *after)
{
	int before = schema_column_by_name(m->before, after->name);

	if (before < 0 && *after->renamed_from)
		before = schema_column_by_name(m->before, after->renamed_from);
	return before;
}

/* The rows as they will be: columns under their new names, new ones with their defaults. */
static void put_rows_to_be(struct sql *sql, const struct migration *m, const struct ddl_place *place)
{
	const char *on = ddl_relation(place, sql->arena);

	sql->failed |= !on;
	sql_put(sql, "(SELECT ");
	for (size_t i = 0; i < m->after->n_columns; i++) {
		const struct schema_column *after = &m->after->columns[i];
		int before = was(m, after->told);

		sql_put(sql, i ? ", " : "");
		if (before >= 0)
			ddl_put_name(sql, m->before->columns[before].told->name);
		else if (ddl_has_default(after))
			ddl_put_default(sql, after);
		else
			sql_put(sql, "NULL");
		if (before < 0)
			sql_put(sql, "::%s", type_declared(after->told, sql->arena));
		sql_put(sql, " AS ");
		ddl_put_name(sql, after->told->name);
	}
	sql_put(sql, " FROM %s) AS rows", on ? on : "");
}

static void put_null_test(struct sql *sql, const struct migration *m, const struct migration_step *step,
			  const char *test)
{
	const struct schema_column *before = ddl_before(m, step);

	if (!before) {
		sql_put(sql, strcmp(test, "IS NULL") == 0 ? "true" : "false");
		return;
	}
	ddl_put_name(sql, before->told->name);
	sql_put(sql, " %s", test);
}

static void put_unfit(struct sql *sql, const struct migration *m, const struct migration_step *step)
{
	const struct table_column *before = ddl_before(m, step)->told, *after = ddl_after(m, step)->told;
	const char *name = sql_name(before->name, sql->arena);

	sql->failed |= !name;
	if (!name)
		return;
	if (step->kind != MIGRATION_SET_VALUES) {
		retype_put_unfit(sql, before, after, name);
		return;
	}
	sql_put(sql, "%s NOT IN (", name);
	for (size_t i = 0; i < after->n_values; i++)
		if (ddl_is_enum(before))
			sql_put(sql, "%s'%s'", i ? ", " : "", after->values[i].name);
		else
			sql_put(sql, "%s%" PRId32, i ? ", " : "", after->values[i].number);
	sql_put(sql, ")");
}

static const char *count_duplicates(const struct migration *m, const struct migration_step *step,
				    const struct ddl_place *place, struct cell_arena *arena)
{
	const struct schema_key *key = &m->after->keys[step->after];
	struct sql sql = sql_begin(arena);

	/* Those that would have to go: all but one of each value. */
	sql_put(&sql, "SELECT count(*) FROM (SELECT row_number() OVER (PARTITION BY ");
	ddl_put_key_columns(&sql, m->after, key, false);
	sql_put(&sql, ") AS n FROM ");
	put_rows_to_be(&sql, m, place);
	sql_put(&sql, " WHERE true");
	for (size_t i = 0; i < key->n; i++) {
		sql_put(&sql, " AND ");
		ddl_put_name(&sql, m->after->columns[key->columns[i]].told->name);
		sql_put(&sql, " IS NOT NULL");
	}
	sql_put(&sql, ") AS counted WHERE n > 1");
	return sql_text(&sql);
}

static const char *count_orphans(const struct migration *m, const struct migration_step *step,
				 const struct ddl_place *place, const char *ref_key,
				 struct cell_arena *arena)
{
	const struct table_reference *reference = &m->after->told->references[step->after];
	int column = schema_column_by_number(m->after, reference->column);
	const char *to = sql_relation(place->schema, reference->table, arena);
	const char *name = column < 0 ? NULL : sql_name(m->after->columns[column].told->name, arena);
	const char *ref = sql_name(*reference->ref_column ? reference->ref_column : ref_key, arena);
	struct sql sql = sql_begin(arena);

	if (!to || !name || !ref)
		return NULL;
	sql_put(&sql, "SELECT count(*) FROM ");
	put_rows_to_be(&sql, m, place);
	sql_put(&sql,
		" WHERE rows.%s IS NOT NULL AND NOT EXISTS (SELECT 1 FROM %s AS other "
		"WHERE other.%s = rows.%s)",
		name, to, ref, name);
	return sql_text(&sql);
}

const char *ddl_count(const struct migration *m, const struct migration_step *step,
		      const struct ddl_place *place, const char *ref_key, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);
	const char *on = ddl_relation(place, arena), *text;

	if (!on)
		return NULL;
	sql_put(&sql, "SELECT count(*) FROM %s", on);
	switch (step->count) {
	case MIGRATION_COUNT_NOTHING:
	case MIGRATION_COUNT_ROWS: break;
	case MIGRATION_COUNT_HELD:
		sql_put(&sql, " WHERE ");
		put_null_test(&sql, m, step, "IS NOT NULL");
		break;
	case MIGRATION_COUNT_NULLS:
		sql_put(&sql, " WHERE ");
		put_null_test(&sql, m, step, "IS NULL");
		break;
	case MIGRATION_COUNT_UNFIT:
		sql_put(&sql, " WHERE ");
		put_unfit(&sql, m, step);
		break;
	case MIGRATION_COUNT_DUPLICATES: return count_duplicates(m, step, place, arena);
	case MIGRATION_COUNT_VIOLATIONS:
		sql = sql_begin(arena);
		sql_put(&sql, "SELECT count(*) FROM ");
		put_rows_to_be(&sql, m, place);
		text = expression_sql(m->after->checks[step->after], arena);
		sql_put(&sql, " WHERE NOT (%s)", text ? text : "");
		sql.failed |= !text;
		break;
	case MIGRATION_COUNT_ORPHANS: return count_orphans(m, step, place, ref_key, arena);
	}
	return sql_text(&sql);
}
