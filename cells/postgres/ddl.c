#include "ddl_part.h"

#include "retype.h"

#include <cell/internal/table/expression.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Longer identifiers PostgreSQL cuts off. */
#define IDENTIFIER_MAX 63

static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}

/* "account_owner_key", quoted; one that is too long ends in a number that is made of it all. */
static const char *object_name(const char *table, const char *what, const char *suffix,
			       struct cell_arena *arena)
{
	const char *name = cell_arena_printf(arena, "%s_%s%s%s", table, what, *what ? "_" : "", suffix);

	if (name && strlen(name) > IDENTIFIER_MAX)
		name = cell_arena_printf(arena, "%.50s_%08x_%.3s", name, hash_of(name), suffix);
	return name ? sql_name(name, arena) : NULL;
}

static const char *check_name(const char *table, const char *text, struct cell_arena *arena)
{
	char hash[12];

	(void)snprintf(hash, sizeof hash, "%08x", hash_of(text));
	return object_name(table, hash, "check", arena);
}

static const char *index_name(const struct schema *schema, const struct schema_key *key,
			      const char *table, struct cell_arena *arena)
{
	if (key == &schema->keys[0])
		return object_name(table, "", "pkey", arena);
	return object_name(table, key->name, key->is_unique ? "key" : "idx", arena);
}

/* ---- columns -------------------------------------------------------------------------------------- */

bool ddl_is_enum(const struct table_column *column)
{
	return column->type == TABLE_COLUMN_TYPE_ENUM && *column->native && !column->encrypted &&
	       strcmp(column->native, "smallint") != 0 && strcmp(column->native, "integer") != 0;
}

const char *ddl_enum(const struct table_column *column, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	/* Inside a literal of a literal: names of C have no quotes. */
	sql_put(&sql, "DO $cell$ BEGIN CREATE TYPE %s AS ENUM (", column->native);
	for (size_t i = 0; i < column->n_values; i++)
		sql_put(&sql, "%s'%s'", i ? ", " : "", column->values[i].name);
	sql_put(&sql, "); EXCEPTION WHEN duplicate_object THEN NULL; END $cell$");
	return sql_text(&sql);
}

static void put_bytes(struct sql *sql, const struct value *value)
{
	sql_put(sql, "'\\x");
	for (size_t i = 0; i < value->len; i++)
		sql_put(sql, "%02x", value->bytes[i]);
	sql_put(sql, "'");
}

static const char *label_of(const struct table_column *column, int64_t number)
{
	for (size_t i = 0; i < column->n_values; i++)
		if (column->values[i].number == number)
			return column->values[i].name;
	return "";
}

static bool starts_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void put_integer(struct sql *sql, const struct table_column *column, int64_t n)
{
	if (ddl_is_enum(column))
		sql_put(sql, "'%s'", label_of(column, n));
	else if (strcmp(column->native, "date") == 0)
		sql_put(sql, "(DATE '1970-01-01' + (%" PRId64 "))", n);
	else if (starts_with(column->native, "timestamptz"))
		sql_put(sql, "(TIMESTAMPTZ '1970-01-01 00:00:00+00' + INTERVAL '%" PRId64 " microseconds')",
			n);
	else if (starts_with(column->native, "timestamp"))
		sql_put(sql, "(TIMESTAMP '1970-01-01 00:00:00' + INTERVAL '%" PRId64 " microseconds')", n);
	else
		sql_put(sql, "'%" PRId64 "'", n);
}

static void put_value(struct sql *sql, const struct table_column *column, const struct value *value)
{
	const char *text;

	switch (value->kind) {
	case VALUE_BOOL: sql_put(sql, value->boolean ? "true" : "false"); break;
	case VALUE_INT: put_integer(sql, column, value->integer); break;
	case VALUE_UINT: sql_put(sql, "'%" PRIu64 "'", value->natural); break;
	case VALUE_REAL: sql_put(sql, "'%.17g'", value->real); break;
	case VALUE_TEXT:
		text = cell_arena_strndup(sql->arena, (const char *)value->bytes, value->len);
		text = text ? sql_literal(text, sql->arena) : NULL;
		sql->failed |= !text;
		sql_put(sql, "%s", text ? text : "");
		break;
	case VALUE_BYTES: put_bytes(sql, value); break;
	case VALUE_NULL:
	case VALUE_LIST: sql_put(sql, "NULL"); break;
	}
}

bool ddl_has_default(const struct schema_column *column)
{
	return column->fallback != SCHEMA_FALLBACK_NONE && !column->told->encrypted &&
	       !(column->fallback == SCHEMA_FALLBACK_VALUE &&
		 (column->value.kind == VALUE_LIST || column->value.kind == VALUE_NULL));
}

void ddl_put_default(struct sql *sql, const struct schema_column *column)
{
	const struct table_column *told = column->told;

	if (column->fallback == SCHEMA_FALLBACK_VALUE)
		put_value(sql, told, &column->value);
	else if (column->fallback == SCHEMA_FALLBACK_NOW)
		sql_put(sql, starts_with(told->native, "timestamp")
				     ? "clock_timestamp()"
				     : "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
	else
		sql_put(sql, strcmp(told->native, "uuid") == 0 ? "gen_random_uuid()"
							       : "uuid_send(gen_random_uuid())");
}

static bool is_textual(const struct table_column *column)
{
	return column->type == TABLE_COLUMN_TYPE_TEXT && !column->encrypted &&
	       !starts_with(column->native, "json") && !starts_with(column->native, "numeric") &&
	       !starts_with(column->native, "decimal");
}

/* The type, and for text the order of its bytes. */
static void put_type(struct sql *sql, const struct table_column *column)
{
	const char *type = type_declared(column, sql->arena);

	sql->failed |= !type;
	sql_put(sql, "%s%s", type ? type : "", is_textual(column) ? " COLLATE \"C\"" : "");
}

void ddl_put_name(struct sql *sql, const char *name)
{
	const char *quoted = sql_name(name, sql->arena);

	sql->failed |= !quoted;
	sql_put(sql, "%s", quoted ? quoted : "");
}

static void put_column(struct sql *sql, const struct schema_column *column)
{
	const struct table_column *told = column->told;
	const char *computed;

	ddl_put_name(sql, told->name);
	sql_put(sql, " ");
	put_type(sql, told);
	if (column->computed) {
		computed = expression_sql(column->computed, sql->arena);
		sql->failed |= !computed;
		sql_put(sql, " GENERATED ALWAYS AS (%s) STORED", computed ? computed : "");
	} else if (told->serial && told->type != TABLE_COLUMN_TYPE_UINT64) {
		sql_put(sql, " GENERATED BY DEFAULT AS IDENTITY");
	} else if (ddl_has_default(column)) {
		sql_put(sql, " DEFAULT ");
		ddl_put_default(sql, column);
	}
	if (!told->nullable && !told->repeated)
		sql_put(sql, " NOT NULL");
}

/* ---- keys, checks, references -------------------------------------------------------------------- */

void ddl_put_key_columns(struct sql *sql, const struct schema *schema, const struct schema_key *key,
			 bool is_index)
{
	for (size_t i = 0; i < key->n; i++) {
		const struct table_column *column = schema->columns[key->columns[i]].told;

		sql_put(sql, i ? ", " : "");
		ddl_put_name(sql, column->name);
		/* As scans read it: NULL comes first. */
		if (is_index && column->nullable)
			sql_put(sql, " NULLS FIRST");
	}
}

const char *ddl_relation(const struct ddl_place *place, struct cell_arena *arena)
{
	return sql_relation(place->schema, place->name, arena);
}

static const char *index_create(const struct schema *schema, const struct schema_key *key,
				const struct ddl_place *place, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);
	const char *name = index_name(schema, key, place->name, arena);
	const char *on = ddl_relation(place, arena);

	if (!name || !on)
		return NULL;
	sql_put(&sql, "CREATE %sINDEX %s ON %s (", key->is_unique ? "UNIQUE " : "", name, on);
	ddl_put_key_columns(&sql, schema, key, true);
	sql_put(&sql, ")");
	return sql_text(&sql);
}

static void put_check(struct sql *sql, const struct schema *schema, size_t i, const char *table)
{
	const char *name = check_name(table, schema->told->checks[i].text, sql->arena);
	const char *text = expression_sql(schema->checks[i], sql->arena);

	sql->failed |= !name || !text;
	sql_put(sql, "CONSTRAINT %s CHECK (%s)", name ? name : "", text ? text : "");
}

static void put_reference(struct sql *sql, const struct schema *schema, size_t i,
			  const struct ddl_place *place)
{
	static const char *const actions[] = {
		[TABLE_ON_DELETE_RESTRICT] = "RESTRICT",
		[TABLE_ON_DELETE_CASCADE] = "CASCADE",
		[TABLE_ON_DELETE_SET_NULL] = "SET NULL",
	};
	const struct table_reference *reference = &schema->told->references[i];
	int column = schema_column_by_number(schema, reference->column);
	const char *name, *to = sql_relation(place->schema, reference->table, sql->arena);

	if (column < 0) {
		sql->failed = true;
		return;
	}
	name = object_name(place->name, schema->columns[column].told->name, "fkey", sql->arena);
	sql->failed |= !name || !to;
	sql_put(sql, "CONSTRAINT %s FOREIGN KEY (", name ? name : "");
	ddl_put_name(sql, schema->columns[column].told->name);
	sql_put(sql, ") REFERENCES %s", to ? to : "");
	if (*reference->ref_column) {
		sql_put(sql, " (");
		ddl_put_name(sql, reference->ref_column);
		sql_put(sql, ")");
	}
	sql_put(sql, " ON DELETE %s", actions[reference->on_delete]);
}

static bool has_sequence(const struct table_column *column)
{
	return column->serial && column->type == TABLE_COLUMN_TYPE_UINT64;
}

/* A bigint's identity cannot be: a sequence of its own, which the column owns, is the same. */
static const char *sequence_create(const struct table_column *column, const struct ddl_place *place,
				   struct cell_arena *arena)
{
	const char *name = object_name(place->name, column->name, "seq", arena);
	const char *schema = sql_name(place->schema, arena), *on = ddl_relation(place, arena);
	const char *quoted = sql_name(column->name, arena);
	const char *sequence = name && schema ? cell_arena_printf(arena, "%s.%s", schema, name) : NULL;
	const char *literal = sequence ? sql_literal(sequence, arena) : NULL;

	if (!on || !quoted || !literal)
		return NULL;
	return cell_arena_printf(arena,
				 "DO $cell$ BEGIN CREATE SEQUENCE %s OWNED BY %s.%s; "
				 "ALTER TABLE %s ALTER COLUMN %s SET DEFAULT nextval(%s); END $cell$",
				 sequence, on, quoted, on, quoted, literal);
}

size_t ddl_create_bound(const struct schema *schema)
{
	return 3 + 2 * schema->n_columns + schema->n_keys;
}

bool ddl_create(const struct schema *schema, const struct ddl_place *place, struct cell_arena *arena,
		const char **texts, size_t *ret_n)
{
	const struct schema_key *key = &schema->keys[0];
	struct sql sql = sql_begin(arena);
	const char *quoted = sql_name(place->schema, arena), *on = ddl_relation(place, arena);
	size_t n = 0;

	if (!quoted || !on)
		return false;
	if (strcmp(place->schema, SQL_SCHEMA_DEFAULT) != 0)
		texts[n++] = cell_arena_printf(arena, "CREATE SCHEMA IF NOT EXISTS %s", quoted);
	for (size_t i = 0; i < schema->n_columns; i++)
		if (ddl_is_enum(schema->columns[i].told))
			texts[n++] = ddl_enum(schema->columns[i].told, arena);
	sql_put(&sql, "CREATE TABLE %s (", on);
	for (size_t i = 0; i < schema->n_columns; i++) {
		sql_put(&sql, i ? ", " : "");
		put_column(&sql, &schema->columns[i]);
	}
	if (key->n) {
		sql_put(&sql, ", CONSTRAINT %s PRIMARY KEY (", index_name(schema, key, place->name, arena));
		ddl_put_key_columns(&sql, schema, key, false);
		sql_put(&sql, ")");
	}
	for (size_t i = 0; i < schema->n_checks; i++) {
		sql_put(&sql, ", ");
		put_check(&sql, schema, i, place->name);
	}
	for (size_t i = 0; i < schema->told->n_references; i++) {
		sql_put(&sql, ", ");
		put_reference(&sql, schema, i, place);
	}
	sql_put(&sql, ")");
	texts[n++] = sql_text(&sql);
	/* The one row of a table without a key. */
	if (!key->n)
		texts[n++] = cell_arena_printf(arena, "CREATE UNIQUE INDEX %s ON %s ((true))",
					       index_name(schema, key, place->name, arena), on);
	for (size_t i = 1; i < schema->n_keys; i++)
		texts[n++] = index_create(schema, &schema->keys[i], place, arena);
	for (size_t i = 0; i < schema->n_columns; i++)
		if (has_sequence(schema->columns[i].told))
			texts[n++] = sequence_create(schema->columns[i].told, place, arena);
	for (size_t i = 0; i < n; i++)
		if (!texts[i])
			return false;
	*ret_n = n;
	return true;
}

/* ---- steps ----------------------------------------------------------------------------------------- */

static void ddl_add(struct ddl *ddl, const char *text)
{
	if (ddl->n < DDL_MAX)
		ddl->texts[ddl->n++] = text;
	else
		ddl->texts[0] = NULL; /* ddl_step() fails */
}

/* "ALTER TABLE t ALTER COLUMN c " and what follows. */
static void add_alter_column(struct ddl *ddl, const struct ddl_place *place,
			     const struct schema_column *column, const char *what,
			     struct cell_arena *arena)
{
	const char *name = sql_name(column->told->name, arena), *on = ddl_relation(place, arena);

	ddl_add(ddl, name && on && what
			     ? cell_arena_printf(arena, "ALTER TABLE %s ALTER COLUMN %s %s", on, name, what)
			     : NULL);
}

static void add_alter(struct ddl *ddl, const struct ddl_place *place, const char *what,
		      struct cell_arena *arena)
{
	const char *on = ddl_relation(place, arena);

	ddl_add(ddl, on && what ? cell_arena_printf(arena, "ALTER TABLE %s %s", on, what) : NULL);
}

static void add_column(struct ddl *ddl, const struct ddl_place *place,
		       const struct schema_column *column, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	if (ddl_is_enum(column->told))
		ddl_add(ddl, ddl_enum(column->told, arena));
	sql_put(&sql, "ADD COLUMN ");
	put_column(&sql, column);
	add_alter(ddl, place, sql_text(&sql), arena);
	if (has_sequence(column->told))
		ddl_add(ddl, sequence_create(column->told, place, arena));
}

static void drop_column(struct ddl *ddl, const struct ddl_place *place, const char *name,
			struct cell_arena *arena)
{
	const char *quoted = sql_name(name, arena);

	add_alter(ddl, place, quoted ? cell_arena_printf(arena, "DROP COLUMN IF EXISTS %s", quoted) : NULL, arena);
}

static void retype(struct ddl *ddl, const struct ddl_place *place, const struct table_column *before,
		   const struct schema_column *after, struct cell_arena *arena)
{
	const char *name = sql_name(after->told->name, arena);
	struct sql sql = sql_begin(arena);

	sql_put(&sql, "TYPE ");
	put_type(&sql, after->told);
	sql_put(&sql, " USING ");
	sql.failed |= !name;
	retype_put_value(&sql, before, after->told, name ? name : "");
	/* A default of the old type may not become one of the new. */
	add_alter_column(ddl, place, after, "DROP DEFAULT", arena);
	add_alter_column(ddl, place, after, sql_text(&sql), arena);
	if (ddl_has_default(after)) {
		sql = sql_begin(arena);
		sql_put(&sql, "SET DEFAULT ");
		ddl_put_default(&sql, after);
		add_alter_column(ddl, place, after, sql_text(&sql), arena);
	}
}

static void set_fallback(struct ddl *ddl, const struct ddl_place *place,
			 const struct schema_column *after, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	if (!ddl_has_default(after)) {
		add_alter_column(ddl, place, after, "DROP DEFAULT", arena);
		return;
	}
	sql_put(&sql, "SET DEFAULT ");
	ddl_put_default(&sql, after);
	add_alter_column(ddl, place, after, sql_text(&sql), arena);
}

static void set_values(struct ddl *ddl, const struct schema_column *after, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	if (!ddl_is_enum(after->told))
		return; /* numbers: the cell looks at them */
	sql_put(&sql, "DO $cell$ BEGIN ");
	for (size_t i = 0; i < after->told->n_values; i++)
		sql_put(&sql, "ALTER TYPE %s ADD VALUE IF NOT EXISTS '%s'; ", after->told->native,
			after->told->values[i].name);
	sql_put(&sql, "END $cell$");
	ddl_add(ddl, sql_text(&sql));
}

static void drop_constraint(struct ddl *ddl, const struct ddl_place *place, const char *name,
			    struct cell_arena *arena)
{
	add_alter(ddl, place,
		  name ? cell_arena_printf(arena, "DROP CONSTRAINT IF EXISTS %s", name) : NULL, arena);
}

static void drop_index(struct ddl *ddl, const struct migration *m, const struct migration_step *step,
		       const struct ddl_place *place, struct cell_arena *arena)
{
	const char *name = index_name(m->before, &m->before->keys[step->before], place->name, arena);
	const char *schema = sql_name(place->schema, arena);

	ddl_add(ddl, name && schema
			     ? cell_arena_printf(arena, "DROP INDEX IF EXISTS %s.%s", schema, name)
			     : NULL);
}

static void change_key(struct ddl *ddl, const struct migration *m, const struct ddl_place *place,
		       struct cell_arena *arena)
{
	const struct schema_key *before = &m->before->keys[0], *after = &m->after->keys[0];
	const char *old = index_name(m->before, before, place->name, arena);
	const char *on = ddl_relation(place, arena), *schema = sql_name(place->schema, arena);
	struct sql sql = sql_begin(arena);

	if (!old || !on || !schema) {
		ddl_add(ddl, NULL);
		return;
	}
	if (before->n)
		drop_constraint(ddl, place, old, arena);
	else
		ddl_add(ddl, cell_arena_printf(arena, "DROP INDEX IF EXISTS %s.%s", schema, old));
	if (!after->n) {
		ddl_add(ddl, cell_arena_printf(arena, "CREATE UNIQUE INDEX %s ON %s ((true))", old, on));
		return;
	}
	sql_put(&sql, "ADD CONSTRAINT %s PRIMARY KEY (", old);
	ddl_put_key_columns(&sql, m->after, after, false);
	sql_put(&sql, ")");
	add_alter(ddl, place, sql_text(&sql), arena);
}

static void add_check(struct ddl *ddl, const struct migration *m, size_t i,
		      const struct ddl_place *place, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	sql_put(&sql, "ADD ");
	put_check(&sql, m->after, i, place->name);
	add_alter(ddl, place, sql_text(&sql), arena);
}

static void add_reference(struct ddl *ddl, const struct migration *m, size_t i,
			  const struct ddl_place *place, struct cell_arena *arena)
{
	struct sql sql = sql_begin(arena);

	sql_put(&sql, "ADD ");
	put_reference(&sql, m->after, i, place);
	add_alter(ddl, place, sql_text(&sql), arena);
}

static void drop_reference(struct ddl *ddl, const struct migration *m, size_t i,
			   const struct ddl_place *place, struct cell_arena *arena)
{
	int column = schema_column_by_number(m->before, m->before->told->references[i].column);

	if (column >= 0)
		drop_constraint(ddl, place,
				object_name(place->name, m->before->columns[column].told->name, "fkey",
					    arena),
				arena);
}

static void rename_column(struct ddl *ddl, const struct migration *m, const struct migration_step *step,
			  const struct ddl_place *place, struct cell_arena *arena)
{
	const char *from = sql_name(ddl_before(m, step)->told->name, arena);
	const char *to = sql_name(ddl_after(m, step)->told->name, arena);

	add_alter(ddl, place,
		  from && to ? cell_arena_printf(arena, "RENAME COLUMN %s TO %s", from, to) : NULL, arena);
}

static bool has_step(const struct migration *m, enum migration_kind kind, size_t after)
{
	for (size_t i = 0; i < m->n_steps; i++)
		if (m->steps[i].kind == kind && m->steps[i].after == (int)after)
			return true;
	return false;
}

/* Whether STEP makes the column BEFORE, of what there was, go: a generated one, of a retyped one. */
static bool is_made_of(const struct migration *m, const struct migration_step *step, size_t before)
{
	const struct expression *computed = m->before->columns[before].computed;

	return computed && expression_uses(computed, (size_t)step->before);
}

/* Whether STEP makes the column AFTER anew. */
static bool is_anew(const struct migration *m, const struct migration_step *step, size_t after)
{
	int before = schema_column_by_number(m->before, m->after->told->columns[after].number);

	if (step->kind == MIGRATION_SET_COMPUTED)
		return (size_t)step->after == after;
	return before >= 0 && is_made_of(m, step, (size_t)before) &&
	       !has_step(m, MIGRATION_SET_COMPUTED, after);
}

/* The columns that STEP makes anew, and the indexes and checks that went with the old ones. */
static void add_anew(struct ddl *ddl, const struct migration *m, const struct migration_step *step,
		     const struct ddl_place *place, struct cell_arena *arena)
{
	const struct schema *after = m->after;

	for (size_t i = 0; i < after->n_columns; i++)
		if (is_anew(m, step, i))
			add_column(ddl, place, &after->columns[i], arena);
	for (size_t i = 1; i < after->n_keys; i++) {
		bool went = false;

		for (size_t k = 0; k < after->keys[i].n && !went; k++)
			went = is_anew(m, step, after->keys[i].columns[k]);
		if (went && !has_step(m, MIGRATION_ADD_INDEX, i))
			ddl_add(ddl, index_create(after, &after->keys[i], place, arena));
	}
	for (size_t i = 0; i < after->n_checks; i++) {
		bool went = false;

		for (size_t k = 0; k < after->n_columns && !went; k++)
			went = expression_uses(after->checks[i], k) && is_anew(m, step, k);
		if (went && !has_step(m, MIGRATION_ADD_CHECK, i))
			add_check(ddl, m, i, place, arena);
	}
}

/* PostgreSQL changes no type that a generated column is made of: those go, and come back. */
static void retype_column(struct ddl *ddl, const struct migration *m, const struct migration_step *step,
			  const struct ddl_place *place, struct cell_arena *arena)
{
	const struct schema *before = m->before;

	for (size_t i = 0; i < before->n_columns; i++) {
		const struct table_column *told = before->told->columns + i;
		int at = schema_column_by_number(m->after, told->number);

		if (is_made_of(m, step, i))
			drop_column(ddl, place, at < 0 ? told->name : m->after->told->columns[at].name,
				    arena);
	}
	retype(ddl, place, ddl_before(m, step)->told, ddl_after(m, step), arena);
	add_anew(ddl, m, step, place, arena);
}

bool ddl_step(const struct migration *m, const struct migration_step *step,
	      const struct ddl_place *place, struct cell_arena *arena, struct ddl *ret)
{
	ret->n = 0;
	switch (step->kind) {
	case MIGRATION_CREATE: break;          /* ddl_create() */
	case MIGRATION_RENUMBER_COLUMN: break; /* numbers are the catalog's */
	case MIGRATION_ADD_COLUMN: add_column(ret, place, ddl_after(m, step), arena); break;
	case MIGRATION_RENAME_COLUMN: rename_column(ret, m, step, place, arena); break;
	case MIGRATION_DROP_COLUMN:
		drop_column(ret, place, ddl_before(m, step)->told->name, arena);
		break;
	case MIGRATION_RETYPE_COLUMN:
		retype_column(ret, m, step, place, arena);
		break;
	case MIGRATION_SET_NULLABLE:
		add_alter_column(ret, place, ddl_after(m, step), "DROP NOT NULL", arena);
		break;
	case MIGRATION_SET_REQUIRED:
		add_alter_column(ret, place, ddl_after(m, step), "SET NOT NULL", arena);
		break;
	case MIGRATION_SET_FALLBACK: set_fallback(ret, place, ddl_after(m, step), arena); break;
	case MIGRATION_SET_ENCRYPTED: break; /* reseal.c, which has the key */
	case MIGRATION_SET_COMPUTED:
		drop_column(ret, place, ddl_after(m, step)->told->name, arena);
		add_anew(ret, m, step, place, arena);
		break;
	case MIGRATION_SET_VALUES: set_values(ret, ddl_after(m, step), arena); break;
	case MIGRATION_ADD_INDEX:
		ddl_add(ret, index_create(m->after, &m->after->keys[step->after], place, arena));
		break;
	case MIGRATION_DROP_INDEX: drop_index(ret, m, step, place, arena); break;
	case MIGRATION_ADD_CHECK: add_check(ret, m, (size_t)step->after, place, arena); break;
	case MIGRATION_DROP_CHECK:
		drop_constraint(ret, place,
				check_name(place->name, m->before->told->checks[step->before].text, arena),
				arena);
		break;
	case MIGRATION_ADD_REFERENCE: add_reference(ret, m, (size_t)step->after, place, arena); break;
	case MIGRATION_DROP_REFERENCE: drop_reference(ret, m, (size_t)step->before, place, arena); break;
	case MIGRATION_CHANGE_KEY: change_key(ret, m, place, arena); break;
	}
	for (size_t i = 0; i < ret->n; i++)
		if (!ret->texts[i])
			return false;
	return true;
}
