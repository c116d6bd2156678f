/* What was done, for people. */
#include <cell/internal/table/migrate.h>

static const char *print_column(const struct migration *m, const struct migration_step *step,
				struct cell_arena *arena)
{
	const struct table_column *before =
		step->before >= 0 ? &m->before->told->columns[step->before] : NULL;
	const struct table_column *after =
		step->after >= 0 ? &m->after->told->columns[step->after] : NULL;
	const char *table = m->after->told->name;

	switch (step->kind) {
	case MIGRATION_ADD_COLUMN:
		return cell_arena_printf(arena, "added column %s to table %s", after->name, table);
	case MIGRATION_RENAME_COLUMN:
		return cell_arena_printf(arena, "renamed column %s of table %s to %s", before->name,
					 table, after->name);
	case MIGRATION_DROP_COLUMN:
		return cell_arena_printf(arena, "dropped column %s of table %s", before->name,
					 table);
	case MIGRATION_RETYPE_COLUMN:
		return cell_arena_printf(arena, "changed column %s of table %s from %s to %s",
					 after->name, table, schema_type_print(before, arena),
					 schema_type_print(after, arena));
	case MIGRATION_SET_NULLABLE:
		return cell_arena_printf(arena, "made column %s of table %s nullable", after->name,
					 table);
	case MIGRATION_SET_REQUIRED:
		return cell_arena_printf(arena, "made column %s of table %s required", after->name,
					 table);
	case MIGRATION_SET_FALLBACK:
		return cell_arena_printf(arena, "changed the default of column %s of table %s",
					 after->name, table);
	case MIGRATION_SET_COMPUTED:
		return cell_arena_printf(arena,
					 after->computed[0] ? "computed column %s of table %s"
							    : "no longer compute column %s of table %s",
					 after->name, table);
	case MIGRATION_SET_ENCRYPTED:
		return cell_arena_printf(arena,
					 after->encrypted ? "encrypted column %s of table %s"
							  : "decrypted column %s of table %s",
					 after->name, table);
	case MIGRATION_SET_VALUES:
		return cell_arena_printf(arena, "changed the values of column %s of table %s",
					 after->name, table);
	default:
		return cell_arena_printf(arena, "changed the number of column %s of table %s",
					 after->name, table);
	}
}

static const char *print_reference(const struct schema *schema, int i, const char *verb,
				   const char *joint, struct cell_arena *arena)
{
	const struct table_reference *reference = &schema->told->references[i];
	int column = schema_column_by_number(schema, reference->column);

	return cell_arena_printf(arena, "%s reference %s to table %s %s table %s", verb,
				 schema->told->columns[column].name, reference->table, joint,
				 schema->told->name);
}

static const char *print(const struct migration *m, const struct migration_step *step,
			 struct cell_arena *arena)
{
	const char *table = m->after->told->name;

	switch (step->kind) {
	case MIGRATION_CREATE: return cell_arena_printf(arena, "created table %s", table);
	case MIGRATION_ADD_INDEX:
		return cell_arena_printf(arena, "added %sindex %s to table %s",
					 m->after->keys[step->after].is_unique ? "unique " : "",
					 m->after->keys[step->after].name, table);
	case MIGRATION_DROP_INDEX:
		return cell_arena_printf(arena, "dropped index %s of table %s",
					 m->before->keys[step->before].name, table);
	case MIGRATION_ADD_CHECK:
		return cell_arena_printf(arena, "added check %s to table %s",
					 m->after->told->checks[step->after].text, table);
	case MIGRATION_DROP_CHECK:
		return cell_arena_printf(arena, "dropped check %s of table %s",
					 m->before->told->checks[step->before].text, table);
	case MIGRATION_ADD_REFERENCE:
		return print_reference(m->after, step->after, "added", "in", arena);
	case MIGRATION_DROP_REFERENCE:
		return print_reference(m->before, step->before, "dropped", "in", arena);
	case MIGRATION_CHANGE_KEY:
		return cell_arena_printf(arena, "changed the key of table %s", table);
	default: return print_column(m, step, arena);
	}
}

const char *migration_print(const struct migration *migration, const struct migration_step *step,
			    struct cell_arena *arena)
{
	const char *text = print(migration, step, arena);

	return text ? text : "changed a table";
}
