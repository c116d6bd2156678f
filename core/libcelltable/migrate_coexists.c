/* Whether a program of an older version may go on. */
#include <cell/internal/table/migrate.h>

#include <string.h>

#include "types.h"

#define REFUSE(format, ...)                                                                  \
	cell_fail(err, CELL_FAILED_PRECONDITION,                                             \
		  "built with " format "; write it as the table has it, and build it again"  \
		  __VA_OPT__(, ) __VA_ARGS__)

static int check_values(const char *table, const struct table_column *old,
			const struct table_column *now, struct cell_error *err)
{
	for (size_t i = 0; i < old->n_values; i++) {
		bool found = false;

		for (size_t j = 0; j < now->n_values && !found; j++)
			found = old->values[i].number == now->values[j].number;
		if (!found)
			return REFUSE("%s of %s.%s, which is no value of it any more",
				      old->values[i].name, table, old->name);
	}
	return 0;
}

static int check_type(const char *table, const struct table_column *old,
		      const struct table_column *now, struct cell_error *err)
{
	bool is_shorter = now->length && (!old->length || old->length > now->length);

	if (old->type != now->type)
		return REFUSE("%s.%s as %s, which is %s now", table, old->name,
			      type_of(old->type)->name, type_of(now->type)->name);
	if (old->repeated != now->repeated)
		return REFUSE("%s.%s, which %s a list now", table, old->name,
			      now->repeated ? "is" : "is not");
	if (is_shorter)
		return REFUSE("%s.%s, which has at most %u bytes now", table, old->name,
			      now->length);
	if (now->fixed != old->fixed)
		return REFUSE("%s.%s, which %s of a fixed length now", table, old->name,
			      now->fixed ? "is" : "is not");
	return check_values(table, old, now, err);
}

static int check_column(const struct schema *now_schema, const struct table_column *old,
			struct cell_error *err)
{
	const char *table = now_schema->told->name;
	int i = schema_column_by_number(now_schema, old->number);
	const struct schema_column *now;
	int r;

	if (i < 0)
		return REFUSE("%s.%s, which was dropped", table, old->name);
	now = &now_schema->columns[i];
	r = check_type(table, old, now->told, err);
	if (r < 0)
		return r;
	if (!old->computed[0] != !now->told->computed[0])
		return REFUSE("%s.%s, which is %s computed", table, old->name,
			      now->computed ? "now" : "no longer");
	if (old->nullable && !now->told->nullable && !now->told->repeated && !now->computed &&
	    now->fallback == SCHEMA_FALLBACK_NONE)
		return REFUSE("%s.%s as one that may be NULL, which it may no longer", table,
			      old->name);
	if (old->serial && !now->told->serial)
		return REFUSE("%s.%s, which is no longer serial", table, old->name);
	return 0;
}

/* Columns that are there now, of which OLD knows nothing. */
static int check_unknown(const struct schema *old, const struct schema *now, struct cell_error *err)
{
	for (size_t i = 0; i < now->n_columns; i++) {
		const struct schema_column *column = &now->columns[i];
		const struct table_column *told = column->told;

		if (schema_column_by_number(old, told->number) >= 0 || told->nullable ||
		    told->repeated || column->computed || column->fallback != SCHEMA_FALLBACK_NONE)
			continue;
		return REFUSE("%s without %s, which has to be given now", now->told->name,
			      told->name);
	}
	return 0;
}

static bool same_columns(const struct schema *old, const struct schema_key *old_key,
			 const struct schema *now, const struct schema_key *now_key)
{
	if (old_key->n != now_key->n)
		return false;
	for (size_t i = 0; i < now_key->n; i++)
		if (old->told->columns[old_key->columns[i]].number !=
		    now->told->columns[now_key->columns[i]].number)
			return false;
	return true;
}

static int check_keys(const struct schema *old, const struct schema *now, struct cell_error *err)
{
	if (!same_columns(old, &old->keys[0], now, &now->keys[0]))
		return REFUSE("another key of %s", now->told->name);
	for (size_t i = 1; i < old->n_keys; i++) {
		const struct schema_key *key = &old->keys[i];
		bool found = false;

		for (size_t j = 1; j < now->n_keys && !found; j++)
			found = strcmp(key->name, now->keys[j].name) == 0 &&
				key->is_unique == now->keys[j].is_unique &&
				same_columns(old, key, now, &now->keys[j]);
		if (!found)
			return REFUSE("the index %s of %s, which was dropped", key->name,
				      now->told->name);
	}
	return 0;
}

int migration_coexists(const struct schema *old, const struct schema *now, const char **ret_member,
		       struct cell_error *err)
{
	int r = 0;

	*ret_member = "";
	for (size_t i = 0; r == 0 && i < old->n_columns; i++) {
		r = check_column(now, &old->told->columns[i], err);
		if (r < 0)
			*ret_member = old->told->columns[i].name;
	}
	if (r == 0)
		r = check_unknown(old, now, err);
	return r < 0 ? r : check_keys(old, now, err);
}
