#include "view.h"

#include "sql.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

static const struct fact *fact_find(const struct fact *facts, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(facts[i].name, name) == 0)
			return &facts[i];
	return NULL;
}

/* What the column is called today. */
static const char *name_now(const struct schema *now, const struct table_column *column)
{
	int i = schema_column_by_number(now, column->number);

	return i < 0 ? column->name : now->columns[i].told->name;
}

static int column_fill(struct view *view, size_t i, const struct schema *now,
		       const struct fact *facts, size_t n_facts, struct cell_error *err)
{
	const struct table_column *told = view->schema->columns[i].told;
	const struct fact *fact = fact_find(facts, n_facts, name_now(now, told));

	if (!fact)
		return cell_fail(err, CELL_FAILED_PRECONDITION, "table %s has no column '%s'",
				 view->relation, told->name);
	if (!type_is(told, &fact->type) && !type_can_read(told, &fact->type))
		return cell_fail(err, CELL_FAILED_PRECONDITION,
				 "column '%s' of table %s is %s in PostgreSQL, and %s in the struct",
				 told->name, view->relation, fact->type.name,
				 type_member(told, &view->arena));
	view->columns[i] = (struct view_column){
		.told = told,
		.quoted = sql_name(fact->name, &view->arena),
		.type = fact->type,
		.is_generated = fact->is_generated,
		.sorts_by_bytes = fact->sorts_by_bytes,
	};
	view->columns[i].type.name = cell_arena_strdup(&view->arena, fact->type.name);
	return view->columns[i].quoted && view->columns[i].type.name
		       ? 0
		       : cell_fail(err, -ENOMEM, "table %s", view->relation);
}

int view_new(struct view **ret, struct schema *schema, const struct schema *now,
	     const char *sql_schema, const char *sql_table, const struct fact *facts, size_t n_facts,
	     struct cell_error *err)
{
	cell_cleanup(view_unrefp) struct view *view = calloc(1, sizeof *view);
	int r = 0;

	if (!view) {
		schema_free(schema);
		return cell_fail(err, -ENOMEM, "table %s", sql_table);
	}
	view->refs = 1;
	view->schema = schema;
	cell_arena_init(&view->arena, 0);
	view->relation = sql_relation(sql_schema, sql_table, &view->arena);
	view->columns = cell_arena_calloc(&view->arena, schema->n_columns + 1, sizeof *view->columns);
	if (!view->relation || !view->columns)
		return cell_fail(err, -ENOMEM, "table %s", sql_table);
	for (size_t i = 0; !r && i < schema->n_columns; i++)
		r = column_fill(view, i, now, facts, n_facts, err);
	if (!r)
		*ret = cell_steal(&view);
	return r;
}

struct view *view_ref(struct view *view)
{
	view->refs++;
	return view;
}

void view_unref(struct view *view)
{
	if (!view || --view->refs)
		return;
	schema_free(view->schema);
	cell_arena_deinit(&view->arena);
	free(view);
}

void view_unrefp(struct view **view)
{
	view_unref(*view);
}
