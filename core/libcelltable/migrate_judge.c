/* What may be done, and what to say of the rest. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cell/internal/table/migrate.h>

#include "types.h"

#define TEXT_MAX 512

struct judging {
	const struct migration *migration;
	const char *ns;
	char text[TEXT_MAX];
	char note[TEXT_MAX];
};

#define SAY(where, ...) ((void)snprintf((where), TEXT_MAX, __VA_ARGS__))

/* "17 rows", "1 row" */
#define ROWS_FORMAT "%" PRIu64 " row%s"
#define ROWS(n)	    (n), (n) == 1 ? "" : "s"
/* The verb of so many. */
#define VERB(n, one, many) ((n) == 1 ? (one) : (many))

static const struct table_column *before_column(const struct judging *j,
						const struct migration_step *step)
{
	return &j->migration->before->told->columns[step->before];
}

static const struct table_column *after_column(const struct judging *j,
					       const struct migration_step *step)
{
	return &j->migration->after->told->columns[step->after];
}

/* --- columns -------------------------------------------------------------------------------------- */

static void example(const struct table_column *column, char *text, size_t size)
{
	const char *literal = "0";

	if (column->type == TABLE_COLUMN_TYPE_ENUM && column->n_values)
		literal = column->values[0].name;
	else if (column->type == TABLE_COLUMN_TYPE_BOOL)
		literal = "false";
	else if (column->type == TABLE_COLUMN_TYPE_TEXT)
		literal = strncmp(column->native, "json", 4) == 0      ? "\"{}\""
			  : strncmp(column->native, "numeric", 7) == 0 ? "\"0\""
								       : "\"\"";
	else if (column->type == TABLE_COLUMN_TYPE_BYTES)
		literal = column->fixed && column->length == 16 ? "uuid()" : "\"\"";
	(void)snprintf(text, size, "%s", literal);
}

/* What helps a column for which rows have no value. */
static void needs_default(struct judging *j, const struct table_column *column, const char *may_be)
{
	char literal[SCHEMA_NAME_MAX + 1];

	if (column->serial || column->type == TABLE_COLUMN_TYPE_MESSAGE) {
		SAY(j->note, "%s", may_be);
		return;
	}
	example(column, literal, sizeof literal);
	SAY(j->note, "write [[%s::default(%s)]] before it, or %s", j->ns, literal, may_be);
}

static bool judge_added(struct judging *j, const struct migration_step *step)
{
	const struct table_column *column = after_column(j, step);

	if (!step->n || step->count == MIGRATION_COUNT_NOTHING)
		return true;
	SAY(j->text, "'%s' would have no value in the " ROWS_FORMAT " that %s there", column->name,
	    ROWS(step->n), VERB(step->n, "is", "are"));
	needs_default(j, column,
		      column->serial ? "a serial column comes with the table, or while it is empty"
				     : "make it nullable (a 'bool has_…' before it)");
	return false;
}

/* A column that is new, of the type of COLUMN, and may be what has become of it; or NULL. */
static const char *successor(const struct judging *j, const struct table_column *column)
{
	const struct migration *m = j->migration;

	for (size_t i = 0; i < m->n_steps; i++) {
		const struct migration_step *step = &m->steps[i];

		if (step->kind == MIGRATION_ADD_COLUMN &&
		    after_column(j, step)->type == column->type &&
		    after_column(j, step)->repeated == column->repeated)
			return after_column(j, step)->name;
	}
	return NULL;
}

static bool judge_dropped(struct judging *j, const struct migration_step *step)
{
	const struct table_column *column = before_column(j, step);
	const char *next = successor(j, column);

	if (!step->n || step->count == MIGRATION_COUNT_NOTHING)
		return true;
	SAY(j->text, ROWS_FORMAT " %s a value of '%s', which is no longer declared", ROWS(step->n),
	    VERB(step->n, "has", "have"), column->name);
	if (next)
		SAY(j->note,
		    "if it is called '%s' now, write [[%s::renamed(from = \"%s\")]] there; to give "
		    "the values up, write [[%s::dropped(\"%s\")]] at the table",
		    next, j->ns, column->name, j->ns, column->name);
	else
		SAY(j->note,
		    "to give the values up, write [[%s::dropped(\"%s\")]] at the table; if it has "
		    "another name now, [[%s::renamed(from = \"%s\")]] there",
		    j->ns, column->name, j->ns, column->name);
	return false;
}

static void print_type(char *text, size_t size, const struct table_column *column)
{
	const char *name = column->native[0] ? column->native : type_of(column->type)->name;
	const char *list = column->repeated ? "list of " : "";

	if (column->length && !column->native[0])
		(void)snprintf(text, size, "%s%s of %s%u byte%s", list, name,
			       column->fixed ? "" : "at most ", column->length,
			       column->length == 1 ? "" : "s");
	else
		(void)snprintf(text, size, "%s%s", list, name);
}

static bool judge_retyped(struct judging *j, const struct migration_step *step)
{
	const struct table_column *before = before_column(j, step), *after = after_column(j, step);
	char was[96], is[96];

	if (!step->n || step->count == MIGRATION_COUNT_NOTHING)
		return true;
	print_type(was, sizeof was, before);
	print_type(is, sizeof is, after);
	if (step->count == MIGRATION_COUNT_HELD) {
		SAY(j->text, ROWS_FORMAT " %s a value of '%s', which was %s and cannot become %s",
		    ROWS(step->n), VERB(step->n, "has", "have"), after->name, was, is);
		SAY(j->note,
		    "give the new one another name, and write [[%s::dropped(\"%s\")]] at the table "
		    "when the old one is not needed any more",
		    j->ns, before->name);
		return false;
	}
	SAY(j->text, ROWS_FORMAT " %s a value of '%s' that does not fit %s", ROWS(step->n),
	    VERB(step->n, "has", "have"), after->name, is);
	SAY(j->note, "it was %s: change those values first, or leave the type as it was", was);
	return false;
}

static bool judge_required(struct judging *j, const struct migration_step *step)
{
	const struct schema_column *column = &j->migration->after->columns[step->after];

	if (!step->n || column->fallback != SCHEMA_FALLBACK_NONE || column->computed)
		return true;
	SAY(j->text, ROWS_FORMAT " %s NULL in '%s', which may be NULL no longer", ROWS(step->n),
	    VERB(step->n, "has", "have"), column->told->name);
	needs_default(j, column->told, "leave it nullable");
	return false;
}

static bool judge_values(struct judging *j, const struct migration_step *step)
{
	const struct table_column *before = before_column(j, step), *after = after_column(j, step);

	if (!step->n || step->count == MIGRATION_COUNT_NOTHING)
		return true;
	if (step->count == MIGRATION_COUNT_UNFIT) {
		SAY(j->text, ROWS_FORMAT " %s a value of '%s' that its enum no longer has",
		    ROWS(step->n), VERB(step->n, "has", "have"), after->name);
		SAY(j->note, "keep the enumerator, or change those values first");
		return false;
	}
	SAY(j->text, ROWS_FORMAT " %s a value of '%s', whose enumerators have other numbers now",
	    ROWS(step->n), VERB(step->n, "has", "have"), after->name);
	for (size_t i = 0; i < before->n_values; i++)
		for (size_t k = 0; k < after->n_values; k++)
			if (strcmp(before->values[i].name, after->values[k].name) == 0 &&
			    before->values[i].number != after->values[k].number) {
				SAY(j->note, "%s was %d, and is %d now: write %s = %d",
				    before->values[i].name, before->values[i].number,
				    after->values[k].number, before->values[i].name,
				    before->values[i].number);
				return false;
			}
	return false;
}

static bool judge_renumbered(struct judging *j, const struct migration_step *step)
{
	const struct table_column *before = before_column(j, step), *after = after_column(j, step);

	if (!step->n)
		return true;
	if (strcmp(before->name, after->name) == 0)
		SAY(j->text, "'%s' is column %u of the table, and was built as column %u",
		    after->name, before->number, after->number);
	else
		SAY(j->text, "'%s' was built as column %u, which is '%s' in the table", after->name,
		    after->number, before->name);
	SAY(j->note, "it was built beside another table: build it again where this one is");
	return false;
}

/* --- rules ------------------------------------------------------------------------------------------ */

static bool judge_index(struct judging *j, const struct migration_step *step)
{
	const struct schema *after = j->migration->after;
	const struct schema_key *key = &after->keys[step->after];
	char names[160] = "";

	if (!step->n || step->count == MIGRATION_COUNT_NOTHING)
		return true;
	for (size_t i = 0, len = 0; i < key->n && len < sizeof names - 1; i++)
		len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i ? ", " : "",
					after->told->columns[key->columns[i]].name);
	SAY(j->text, ROWS_FORMAT " %s the same %s as another", ROWS(step->n),
	    VERB(step->n, "has", "have"), names);
	SAY(j->note, "change or delete them first, or write [[%s::index]]", j->ns);
	return false;
}

static bool judge_check(struct judging *j, const struct migration_step *step)
{
	const char *text = j->migration->after->told->checks[step->after].text;

	if (!step->n)
		return true;
	SAY(j->text, ROWS_FORMAT " violate%s %s", ROWS(step->n), VERB(step->n, "s", ""), text);
	SAY(j->note, "change or delete them first; the filter !(%s) finds them", text);
	return false;
}

static bool judge_reference(struct judging *j, const struct migration_step *step)
{
	const struct table_table *after = j->migration->after->told;
	const struct table_reference *reference = &after->references[step->after];

	if (!step->n)
		return true;
	SAY(j->text, ROWS_FORMAT " refer%s to a row of %s that is not there", ROWS(step->n),
	    VERB(step->n, "s", ""), reference->table);
	SAY(j->note, "add those rows, or change what refers to them, first");
	return false;
}

static bool judge_key(struct judging *j, const struct migration_step *step)
{
	const struct schema *after = j->migration->after;

	if (!step->n)
		return true;
	SAY(j->text, "the key of %s is another one, and the table has " ROWS_FORMAT,
	    after->told->name, ROWS(step->n));
	SAY(j->note, "leave the key as it was, or make a table of another name and copy the rows");
	return false;
}

/* --- all ---------------------------------------------------------------------------------------------- */

static bool judge(struct judging *j, const struct migration_step *step)
{
	switch (step->kind) {
	case MIGRATION_ADD_COLUMN: return judge_added(j, step);
	case MIGRATION_DROP_COLUMN: return judge_dropped(j, step);
	case MIGRATION_RETYPE_COLUMN: return judge_retyped(j, step);
	case MIGRATION_SET_REQUIRED: return judge_required(j, step);
	case MIGRATION_SET_VALUES: return judge_values(j, step);
	case MIGRATION_ADD_INDEX: return judge_index(j, step);
	case MIGRATION_ADD_CHECK: return judge_check(j, step);
	case MIGRATION_ADD_REFERENCE: return judge_reference(j, step);
	case MIGRATION_CHANGE_KEY: return judge_key(j, step);
	case MIGRATION_RENUMBER_COLUMN: return judge_renumbered(j, step);
	case MIGRATION_CREATE:
	case MIGRATION_RENAME_COLUMN:
	case MIGRATION_SET_NULLABLE:
	case MIGRATION_SET_FALLBACK:
	case MIGRATION_SET_COMPUTED:
	case MIGRATION_SET_ENCRYPTED:
	case MIGRATION_DROP_INDEX:
	case MIGRATION_DROP_CHECK:
	case MIGRATION_DROP_REFERENCE: break;
	}
	return true;
}

int migration_judge(const struct migration *migration, const char *ns,
		    migration_refused_fn *refused, void *userdata)
{
	struct judging j = { .migration = migration, .ns = ns };
	int r = 0;

	for (size_t i = 0; i < migration->n_steps; i++) {
		j.text[0] = j.note[0] = '\0';
		if (judge(&j, &migration->steps[i]))
			continue;
		refused(userdata, &migration->steps[i], j.text, j.note);
		r = CELL_FAILED_PRECONDITION;
	}
	return r;
}
