/*
 * Two declarations of tables, as a program sends them to be provisioned: the first two bytes are
 * the length of the first one. Each is refused with a text, or is a schema; one that came after
 * the other is planned, judged and printed, and no plan leads from a table to itself.
 */
#include <cell/internal/table/expression.h>
#include <cell/internal/table/migrate.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)          \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

static void on_refused(void *userdata, const struct migration_step *step, const char *text,
		       const char *note)
{
	size_t *n = userdata;

	MUST(step->member && step->macro[0] && text[0] && note);
	++*n;
}

static void look(const struct schema *schema)
{
	for (size_t i = 0; i < schema->n_columns; i++) {
		const struct table_column *told = schema->columns[i].told;

		MUST(schema_column_by_number(schema, told->number) == (int)i);
		MUST(schema_column_by_name(schema, told->name) == (int)i);
		MUST(schema->order[i] < schema->n_columns);
		MUST(!i || schema->told->columns[schema->order[i - 1]].number <
				   schema->told->columns[schema->order[i]].number);
	}
	for (size_t i = 0; i < schema->n_keys; i++)
		for (size_t j = 0; j < schema->keys[i].n; j++)
			MUST(schema->keys[i].columns[j] < schema->n_columns);
}

static void migrate(const struct schema *before, const struct schema *after)
{
	struct migration migration;
	struct cell_arena arena;
	struct cell_error err;
	size_t n_refused = 0;
	const char *member;
	int r;

	cell_arena_init(&arena, 0);
	MUST(migration_plan(&migration, before, after, &arena) == 0);
	MUST(before != after || !migration.n_steps);
	for (size_t i = 0; i < migration.n_steps; i++) {
		migration.steps[i].n = 3;
		MUST(migration_print(&migration, &migration.steps[i], &arena)[0]);
	}
	r = migration_judge(&migration, "db", on_refused, &n_refused);
	MUST(n_refused ? r == CELL_FAILED_PRECONDITION : r == 0);
	if (before) {
		r = migration_coexists(before, after, &member, &err);
		MUST(r == 0 || (r == CELL_FAILED_PRECONDITION && err.text[0]));
		MUST(before != after || r == 0);
	}
	/* Where nothing is counted, nothing is refused. */
	for (size_t i = 0; i < migration.n_steps; i++)
		migration.steps[i].n = 0;
	MUST(migration_judge(&migration, "db", on_refused, &n_refused) == 0);
	cell_arena_deinit(&arena);
}

static struct schema *make(const uint8_t *bytes, size_t len)
{
	struct schema *schema = NULL;
	struct cell_error err;
	int r = schema_new(&schema, bytes, len, &err);

	MUST(r == 0 ? schema != NULL : r == CELL_INVALID_ARGUMENT && err.text[0] && !schema);
	if (schema)
		look(schema);
	return schema;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct schema *before, *after;
	size_t len;

	if (size < 2)
		return 0;
	len = (size_t)data[0] | (size_t)data[1] << 8;
	if (len > size - 2)
		len = size - 2;
	before = make(data + 2, len);
	after = make(data + 2 + len, size - 2 - len);
	if (after) {
		migrate(NULL, after);
		migrate(after, after);
	}
	if (before && after) {
		migrate(before, after);
		migrate(after, before);
	}
	schema_free(before);
	schema_free(after);
	return 0;
}
