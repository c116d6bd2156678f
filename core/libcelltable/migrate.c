/* What would have to be done. */
#include <cell/internal/table/migrate.h>

#include <errno.h>
#include <string.h>

#include "migrate_convert.h"
#include "types.h"

struct planning {
	const struct schema *before, *after;
	struct cell_arena *arena;
	struct migration_step *steps;
	size_t n;
	int *was; /* by column of AFTER: the index in BEFORE of what it was; -1 = it is new */
	int *is;  /* the other way round */
};

static const struct table_column *before_column(const struct planning *p, int i)
{
	return &p->before->told->columns[i];
}

static const struct table_column *after_column(const struct planning *p, int i)
{
	return &p->after->told->columns[i];
}

static struct migration_step *add(struct planning *p, enum migration_kind kind,
				  enum migration_count count, int before, int after)
{
	struct migration_step *step = &p->steps[p->n++];

	*step = (struct migration_step){ .kind = kind, .count = count, .before = before,
					 .after = after, .member = "", .macro = "table" };
	return step;
}

/* A step of the column AFTER, blamed on its attribute MACRO. */
static void add_column_step(struct planning *p, enum migration_kind kind,
			    enum migration_count count, int after, const char *macro)
{
	struct migration_step *step = add(p, kind, count, p->was[after], after);

	step->member = after_column(p, after)->name;
	step->macro = macro;
}

/* --- which column was which ------------------------------------------------------------------ */

static void match_columns(struct planning *p)
{
	for (size_t i = 0; i < p->before->n_columns; i++)
		p->is[i] = -1;
	for (size_t i = 0; i < p->after->n_columns; i++) {
		const struct table_column *column = after_column(p, (int)i);
		int was = schema_column_by_name(p->before, column->name);

		/* Once it was renamed, the attribute that said so may stay. */
		if (was < 0 && column->renamed_from[0])
			was = schema_column_by_name(p->before, column->renamed_from);
		p->was[i] = was;
		if (was >= 0)
			p->is[was] = (int)i;
	}
}

static bool is_dropped(const struct planning *p, const char *name)
{
	const struct table_table *told = p->after->told;

	for (size_t i = 0; i < told->n_dropped; i++)
		if (strcmp(told->dropped[i], name) == 0)
			return true;
	return false;
}

static void plan_drops(struct planning *p)
{
	for (size_t i = 0; i < p->before->n_columns; i++)
		if (p->is[i] < 0)
			(void)add(p, MIGRATION_DROP_COLUMN,
				  is_dropped(p, before_column(p, (int)i)->name)
					  ? MIGRATION_COUNT_NOTHING
					  : MIGRATION_COUNT_HELD,
				  (int)i, -1);
}

/* Rows have values by number: nobody may read another column's. */
static void plan_numbers(struct planning *p)
{
	for (size_t i = 0; i < p->after->n_columns; i++) {
		uint32_t number = after_column(p, (int)i)->number;
		int had = schema_column_by_number(p->before, number), was = p->was[i];

		if (was >= 0 ? had == was : had < 0)
			continue;
		add_column_step(p, MIGRATION_RENUMBER_COLUMN, MIGRATION_COUNT_ROWS, (int)i, "table");
		if (was < 0)
			p->steps[p->n - 1].before = had;
	}
}

/* --- what became of a column ------------------------------------------------------------------- */

static bool is_retyped(const struct table_column *before, const struct table_column *after)
{
	return before->type != after->type || before->repeated != after->repeated ||
	       before->length != after->length || before->fixed != after->fixed ||
	       strcmp(before->native, after->native) != 0;
}

static const struct table_enum_value *value_named(const struct table_column *column,
						  const char *name)
{
	for (size_t i = 0; i < column->n_values; i++)
		if (strcmp(column->values[i].name, name) == 0)
			return &column->values[i];
	return NULL;
}

static bool has_value(const struct table_column *column, int32_t number)
{
	for (size_t i = 0; i < column->n_values; i++)
		if (column->values[i].number == number)
			return true;
	return false;
}

/* Both are enums: whether and how their values differ. */
static bool values_differ(const struct table_column *before, const struct table_column *after,
			  enum migration_count *ret_count)
{
	bool differ = before->n_values != after->n_values;

	*ret_count = MIGRATION_COUNT_NOTHING;
	for (size_t i = 0; i < before->n_values; i++) {
		const struct table_enum_value *now = value_named(after, before->values[i].name);

		if (now && now->number == before->values[i].number)
			continue;
		differ = true;
		/* RED was 0 and is 1: what rows have would mean something else. */
		if (now)
			*ret_count = MIGRATION_COUNT_HELD;
		else if (!has_value(after, before->values[i].number) &&
			 *ret_count == MIGRATION_COUNT_NOTHING)
			*ret_count = MIGRATION_COUNT_UNFIT;
	}
	return differ;
}

static void plan_type(struct planning *p, int i)
{
	const struct table_column *before = before_column(p, p->was[i]), *after = after_column(p, i);
	bool both_enums = before->type == TABLE_COLUMN_TYPE_ENUM &&
			  after->type == TABLE_COLUMN_TYPE_ENUM;
	enum migration_count count;

	if (is_retyped(before, after)) {
		count = convert_always_fits(before, after) ? MIGRATION_COUNT_NOTHING
			: convert_may_fit(before, after)   ? MIGRATION_COUNT_UNFIT
							   : MIGRATION_COUNT_HELD;
		add_column_step(p, MIGRATION_RETYPE_COLUMN, count, i, "table");
	}
	if (both_enums && values_differ(before, after, &count))
		add_column_step(p, MIGRATION_SET_VALUES, count, i, "table");
}

static void plan_column(struct planning *p, int i)
{
	const struct table_column *before = before_column(p, p->was[i]), *after = after_column(p, i);

	if (strcmp(before->name, after->name) != 0)
		add_column_step(p, MIGRATION_RENAME_COLUMN, MIGRATION_COUNT_NOTHING, i, "renamed");
	plan_type(p, i);
	if (before->encrypted != after->encrypted)
		add_column_step(p, MIGRATION_SET_ENCRYPTED, MIGRATION_COUNT_NOTHING, i, "encrypted");
	if (strcmp(before->fallback, after->fallback) != 0 || before->serial != after->serial)
		add_column_step(p, MIGRATION_SET_FALLBACK, MIGRATION_COUNT_NOTHING, i, "default");
	if (!before->nullable && after->nullable)
		add_column_step(p, MIGRATION_SET_NULLABLE, MIGRATION_COUNT_NOTHING, i, "table");
	if (strcmp(before->computed, after->computed) != 0)
		add_column_step(p, MIGRATION_SET_COMPUTED, MIGRATION_COUNT_NOTHING, i, "computed");
	if (before->nullable && !after->nullable && !after->repeated)
		add_column_step(p, MIGRATION_SET_REQUIRED, MIGRATION_COUNT_NULLS, i, "table");
}

/* Whether rows that have no value of it can get one. */
static bool fills_itself(const struct schema_column *column)
{
	return column->told->nullable || column->told->repeated || column->computed ||
	       column->fallback != SCHEMA_FALLBACK_NONE;
}

static void plan_columns(struct planning *p)
{
	for (size_t i = 0; i < p->after->n_columns; i++) {
		if (p->was[i] >= 0)
			plan_column(p, (int)i);
		else
			add_column_step(p, MIGRATION_ADD_COLUMN,
					fills_itself(&p->after->columns[i])
						? MIGRATION_COUNT_NOTHING
						: MIGRATION_COUNT_ROWS,
					(int)i, "table");
	}
}

/* --- keys ---------------------------------------------------------------------------------------- */

/* Of the same columns, whose values are in the same form in it. */
static bool same_key(const struct planning *p, const struct schema_key *before,
		     const struct schema_key *after)
{
	if (before->n != after->n || before->is_unique != after->is_unique)
		return false;
	for (size_t i = 0; i < after->n; i++) {
		int was = p->was[after->columns[i]];

		if (was != before->columns[i])
			return false;
		if (value_kind_of(before_column(p, was)->type) !=
		    value_kind_of(after_column(p, after->columns[i])->type))
			return false;
	}
	return true;
}

static int find_key(const struct planning *p, const struct schema *in, const struct schema_key *key)
{
	for (size_t i = 1; i < in->n_keys; i++) {
		const struct schema_key *other = &in->keys[i];

		if (strcmp(other->name, key->name) == 0 &&
		    same_key(p, in == p->before ? other : key, in == p->before ? key : other))
			return (int)i;
	}
	return -1;
}

static void blame_key(const struct planning *p, struct migration_step *step, const char *macro)
{
	const struct schema_key *key = &p->after->keys[step->after];

	step->macro = macro;
	if (key->n)
		step->member = after_column(p, key->columns[0])->name;
}

static void plan_drop_indexes(struct planning *p)
{
	for (size_t i = 1; i < p->before->n_keys; i++)
		if (find_key(p, p->after, &p->before->keys[i]) < 0)
			(void)add(p, MIGRATION_DROP_INDEX, MIGRATION_COUNT_NOTHING, (int)i, -1);
}

static void plan_keys(struct planning *p)
{
	if (!same_key(p, &p->before->keys[0], &p->after->keys[0]))
		blame_key(p, add(p, MIGRATION_CHANGE_KEY, MIGRATION_COUNT_ROWS, 0, 0), "key");
	for (size_t i = 1; i < p->after->n_keys; i++) {
		const struct schema_key *key = &p->after->keys[i];

		if (find_key(p, p->before, key) < 0)
			blame_key(p, add(p, MIGRATION_ADD_INDEX,
					 key->is_unique ? MIGRATION_COUNT_DUPLICATES
							: MIGRATION_COUNT_NOTHING,
					 -1, (int)i),
				  key->is_unique ? "unique" : "index");
	}
}

/* --- checks and references ----------------------------------------------------------------------- */

static bool has_check(const struct schema *schema, const char *text)
{
	for (size_t i = 0; i < schema->n_checks; i++)
		if (strcmp(schema->told->checks[i].text, text) == 0)
			return true;
	return false;
}

static void plan_drop_checks(struct planning *p)
{
	for (size_t i = 0; i < p->before->n_checks; i++)
		if (!has_check(p->after, p->before->told->checks[i].text))
			(void)add(p, MIGRATION_DROP_CHECK, MIGRATION_COUNT_NOTHING, (int)i, -1);
}

static void plan_checks(struct planning *p)
{
	for (size_t i = 0; i < p->after->n_checks; i++) {
		const struct table_check *check = &p->after->told->checks[i];
		struct migration_step *step;

		if (has_check(p->before, check->text))
			continue;
		step = add(p, MIGRATION_ADD_CHECK, MIGRATION_COUNT_VIOLATIONS, -1, (int)i);
		step->member = check->column;
		/* There may be several. */
		step->macro = cell_arena_printf(p->arena, "check(%s)", check->text);
		if (!step->macro)
			step->macro = "check";
	}
}

static bool same_reference(const struct planning *p, const struct table_reference *before,
			   const struct table_reference *after)
{
	return p->was[schema_column_by_number(p->after, after->column)] ==
		       schema_column_by_number(p->before, before->column) &&
	       before->on_delete == after->on_delete && strcmp(before->table, after->table) == 0 &&
	       strcmp(before->ref_column, after->ref_column) == 0;
}

static void plan_drop_references(struct planning *p)
{
	const struct table_table *before = p->before->told, *after = p->after->told;

	for (size_t i = 0; i < before->n_references; i++) {
		bool found = false;

		for (size_t j = 0; j < after->n_references && !found; j++)
			found = same_reference(p, &before->references[i], &after->references[j]);
		if (!found)
			(void)add(p, MIGRATION_DROP_REFERENCE, MIGRATION_COUNT_NOTHING, (int)i, -1);
	}
}

static void plan_references(struct planning *p)
{
	const struct table_table *before = p->before->told, *after = p->after->told;

	for (size_t i = 0; i < after->n_references; i++) {
		int column = schema_column_by_number(p->after, after->references[i].column);
		struct migration_step *step;
		bool found = false;

		for (size_t j = 0; j < before->n_references && !found; j++)
			found = same_reference(p, &before->references[j], &after->references[i]);
		if (found)
			continue;
		step = add(p, MIGRATION_ADD_REFERENCE, MIGRATION_COUNT_ORPHANS, -1, (int)i);
		step->member = after_column(p, column)->name;
		step->macro = "ref";
	}
}

/* --- all of it ------------------------------------------------------------------------------------- */

/* Steps of one column of AFTER at most: one of each kind but the last. */
#define COLUMN_STEPS_MAX 9

static size_t steps_max(const struct schema *before, const struct schema *after)
{
	return 2 + before->n_columns + COLUMN_STEPS_MAX * after->n_columns + before->n_keys +
	       after->n_keys + before->n_checks + after->n_checks + before->told->n_references +
	       after->told->n_references;
}

int migration_plan(struct migration *ret, const struct schema *before, const struct schema *after,
		   struct cell_arena *arena)
{
	struct planning p = { .before = before, .after = after, .arena = arena };
	size_t max = before ? steps_max(before, after) : 1;

	p.steps = cell_arena_calloc(arena, max, sizeof *p.steps);
	p.was = cell_arena_calloc(arena, after->n_columns, sizeof *p.was);
	p.is = cell_arena_calloc(arena, before ? before->n_columns : 1, sizeof *p.is);
	if (!p.steps || !p.was || !p.is)
		return -ENOMEM;
	if (!before) {
		(void)add(&p, MIGRATION_CREATE, MIGRATION_COUNT_NOTHING, -1, -1);
	} else {
		match_columns(&p);
		plan_numbers(&p);
		plan_drop_references(&p);
		plan_drop_checks(&p);
		plan_drop_indexes(&p);
		plan_drops(&p);
		plan_columns(&p);
		plan_keys(&p);
		plan_checks(&p);
		plan_references(&p);
	}
	*ret = (struct migration){ before, after, p.steps, p.n };
	return 0;
}
