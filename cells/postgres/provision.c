/*
 * Provisioning: a declaration becomes a table, or changes one, or is found to fit one that was
 * there before us. One transaction, under a lock that one at a time has.
 */
#include "ddl.h"
#include "macros.h"
#include "postgres.h"
#include "retype.h"

#include <cell/cell.h>
#include <cell/internal/table/migrate.h>
#include <string.h>

#define BYTEA_OID 17
#define BOOL_OID  16
#define INT8_OID  20
#define TEXT_OID  25

struct provisioning {
	struct cell_macro_work *work;
	const struct macro_declared *declared;
	struct cell_call *call;
	struct postgres *postgres;
	struct pg_session *session;
	struct schema *after;
	struct schema *before; /* NULL = there is none in the catalog */
	struct ddl_place place;
	bool is_adopted;
	bool refused;
};

static struct pg_value text_value(const char *text)
{
	return (struct pg_value){ .bytes = text, .len = strlen(text), .oid = TEXT_OID };
}

/* The error that is in the call, at the declaration. */
static int refuse(struct provisioning *p, int code)
{
	p->refused = true;
	return cell_provision_refuse(p->work, p->declared, code, "%s", cell_error(p->call)->text);
}

static int run_text(struct provisioning *p, const char *text)
{
	return text ? pg_do(p->call, p->session, text, NULL, 0, NULL)
		    : cell_refuse(p->call, -ENOMEM, "a statement");
}

/* ---- what may be asked for ----------------------------------------------------------------------- */

/* It becomes a part of statements: nothing but a type's name may be in it. */
static bool native_is_valid(const char *native)
{
	return strlen(native) < 64 &&
	       strspn(native, "abcdefghijklmnopqrstuvwxyz0123456789_ (),[]") == strlen(native) &&
	       strcspn(native, "(") >= 1 && *native >= 'a' && *native <= 'z';
}

static int check_declaration(struct provisioning *p)
{
	const struct cell_peer *peer = cell_call_peer(p->call);
	const struct table_table *told = p->after->told;

	for (size_t i = 0; i < told->n_columns; i++)
		if (*told->columns[i].native && !native_is_valid(told->columns[i].native))
			return cell_refuse(p->call, CELL_INVALID_ARGUMENT, "'%s' is no type of PostgreSQL",
					   told->columns[i].native);
	if (*told->schema && !schema_name_is_valid(told->schema))
		return cell_refuse(p->call, CELL_INVALID_ARGUMENT, "'%s' is no name of a schema",
				   told->schema);
	if (strcmp(told->schema, "cell") == 0 || strncmp(told->schema, "pg_", 3) == 0)
		return cell_refuse(p->call, CELL_INVALID_ARGUMENT, "schema '%s' is not for tables",
				   told->schema);
	/* A cell speaks for itself; compilers come through the macro cell. */
	if (told->shared || peer->is_outside || !*peer->cell || strcmp(peer->cell, "macro") == 0 ||
	    strcmp(peer->cell, told->store) == 0)
		return 0;
	return cell_refuse(p->call, CELL_PERMISSION_DENIED,
			   "store '%s' is its own program's; cell '%s' may not change it", told->store,
			   peer->cell);
}

/* ---- adoption --------------------------------------------------------------------------------------- */

static const struct fact *fact_of(const struct fact *facts, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(facts[i].name, name) == 0)
			return &facts[i];
	return NULL;
}

/* At MEMBER ("": the table), by the attribute MACRO there. */
static void wrong_at(struct provisioning *p, const char *member, const char *macro, const char *text)
{
	if (text)
		(void)cell_provision_refuse_member(p->work, p->declared, CELL_FAILED_PRECONDITION,
						   member, macro, "%s", text);
	p->refused = true;
}

static void wrong(struct provisioning *p, const char *text)
{
	wrong_at(p, "", "table", text);
}

/* "artist_id, name": the columns of KEY. */
static const char *names_of(struct provisioning *p, const struct schema_key *key)
{
	struct sql sql = sql_begin(cell_arena(p->call));

	for (size_t i = 0; i < key->n; i++)
		sql_put(&sql, "%s%s", i ? ", " : "", p->after->columns[key->columns[i]].told->name);
	return sql_text(&sql);
}

static void adopt_column(struct provisioning *p, const struct table_column *told,
			 const struct fact *fact)
{
	struct cell_arena *arena = cell_arena(p->call);

	if (!fact)
		wrong_at(p, told->name, "", cell_arena_printf(arena,
					   "'%s': table %s.%s is there already, and has no such column",
					   told->name, p->place.schema, p->place.name));
	else if (!type_is(told, &fact->type))
		wrong_at(p, told->name, "", cell_arena_printf(arena,
					   "'%s' is %s in the struct, and %s in table %s.%s", told->name,
					   type_member(told, arena), fact->type.name, p->place.schema,
					   p->place.name));
	else if (fact->is_nullable && !told->nullable && !told->repeated)
		wrong_at(p, told->name, "", cell_arena_printf(arena,
					   "'%s' may be NULL in table %s.%s: put \"bool has_%s;\" before it",
					   told->name, p->place.schema, p->place.name, told->name));
}

/* Columns that the struct lacks: an inserted row must be able to do without. */
static void adopt_others(struct provisioning *p, const struct fact *facts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (schema_column_by_name(p->after, facts[i].name) < 0 && !facts[i].is_nullable &&
		    !facts[i].has_default)
			wrong(p, cell_arena_printf(
					 cell_arena(p->call),
					 "table %s.%s has a column '%s' (%s), which the struct lacks; it "
					 "can't be NULL and has no default",
					 p->place.schema, p->place.name, facts[i].name,
					 facts[i].type.name));
}

/* Whether an index that is unique and complete has just these columns, in any order. */
static int has_unique_index(struct provisioning *p, const struct schema_key *key, bool *ret)
{
	struct pg_value values[] = { text_value(p->place.schema), text_value(p->place.name),
				     text_value("") };
	struct sql sql = sql_begin(cell_arena(p->call));
	const struct pg_result *result;
	int r;

	/* An array as text: names are words of C, without quotes or commas. */
	sql_put(&sql, "{");
	for (size_t i = 0; i < key->n; i++)
		sql_put(&sql, "%s%s", i ? "," : "", p->after->columns[key->columns[i]].told->name);
	sql_put(&sql, "}");
	if (!sql_text(&sql))
		return cell_refuse(p->call, -ENOMEM, "a statement");
	values[2] = text_value(sql_text(&sql));
	r = pg_do(p->call, p->session,
		  "SELECT EXISTS (SELECT 1 FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid "
		  "JOIN pg_namespace n ON n.oid = t.relnamespace "
		  "WHERE n.nspname = $1 AND t.relname = $2 AND i.indisunique AND i.indpred IS NULL "
		  "AND i.indexprs IS NULL AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text) "
		  "FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey)) = "
		  "(SELECT array_agg(c ORDER BY c) FROM unnest($3::text::text[]) AS c))",
		  values, 3, &result);
	*ret = !r && pg_integer(result, 0, 0);
	return r;
}

static int adopt_keys(struct provisioning *p)
{
	struct cell_arena *arena = cell_arena(p->call);
	int r = 0;

	for (size_t i = 0; !r && i < p->after->n_keys; i++) {
		const struct schema_key *key = &p->after->keys[i];
		bool has = true;

		if (!key->n)
			wrong(p, "a table that is there already has no single row: it needs a key");
		else if (key->is_unique || i == 0)
			r = has_unique_index(p, key, &has);
		if (!r && !has)
			wrong(p, cell_arena_printf(arena, "table %s.%s has no %s on (%s)",
						   p->place.schema, p->place.name,
						   i ? "unique index" : "primary key or unique index",
						   names_of(p, key)));
	}
	return r;
}

static int adopt_checks(struct provisioning *p)
{
	struct migration as_is = { .before = p->after, .after = p->after };
	int r = 0;

	for (size_t i = 0; !r && i < p->after->n_checks; i++) {
		const struct migration_step step = { .kind = MIGRATION_ADD_CHECK, .before = -1,
						     .after = (int)i,
						     .count = MIGRATION_COUNT_VIOLATIONS };
		const char *text = ddl_count(&as_is, &step, &p->place, NULL, cell_arena(p->call));
		const struct pg_result *result;
		int64_t n;

		r = text ? pg_do(p->call, p->session, text, NULL, 0, &result)
			 : cell_refuse(p->call, -ENOMEM, "a statement");
		n = r ? 0 : pg_integer(result, 0, 0);
		if (n)
			wrong_at(p, p->after->told->checks[i].column, cell_macro_printf(p->work, "check(%s)", p->after->told->checks[i].text), cell_arena_printf(cell_arena(p->call), "%lld row%s of table %s.%s violate%s %s",
						   (long long)n, n == 1 ? "" : "s", p->place.schema,
						   p->place.name, n == 1 ? "s" : "",
						   p->after->told->checks[i].text));
	}
	return r;
}

static int adopt(struct provisioning *p, const struct fact *facts, size_t n_facts)
{
	int r;

	for (size_t i = 0; i < p->after->n_columns; i++) {
		const struct table_column *told = p->after->columns[i].told;

		adopt_column(p, told, fact_of(facts, n_facts, told->name));
	}
	adopt_others(p, facts, n_facts);
	if (p->refused)
		return CELL_FAILED_PRECONDITION;
	r = adopt_keys(p);
	r = r || p->refused ? r : adopt_checks(p);
	if (r)
		return refuse(p, r);
	if (p->refused)
		return CELL_FAILED_PRECONDITION;
	p->is_adopted = true;
	return cell_provision_changed(p->work, "adopted table %s.%s", p->place.schema, p->place.name);
}

/* ---- a new table ------------------------------------------------------------------------------------ */

static int create(struct provisioning *p)
{
	struct cell_arena *arena = cell_arena(p->call);
	const char **texts = cell_arena_calloc(arena, ddl_create_bound(p->after), sizeof *texts);
	size_t n = 0;
	int r = texts && ddl_create(p->after, &p->place, arena, texts, &n)
			? 0
			: cell_refuse(p->call, -ENOMEM, "a statement");

	for (size_t i = 0; !r && i < n; i++)
		r = run_text(p, texts[i]);
	if (r)
		return refuse(p, r);
	return cell_provision_changed(p->work, "created table %s.%s", p->place.schema, p->place.name);
}

/*
 * The same table in the same schema, made for another program: whoever was first has it. One
 * that was there before us is everybody's.
 */
static int check_owner(struct provisioning *p)
{
	const struct pg_value values[] = { text_value(p->place.schema), text_value(p->place.name),
					   text_value(p->after->told->store) };
	const struct pg_result *result;
	int r = pg_do(p->call, p->session,
		      "SELECT store FROM cell.tables WHERE schema = $1 AND name = $2 AND store <> $3 "
		      "AND NOT is_adopted LIMIT 1",
		      values, 3, &result);

	if (r)
		return refuse(p, r);
	if (!pg_rows(result))
		return 0;
	p->refused = true;
	r = cell_provision_refuse(p->work, p->declared, CELL_FAILED_PRECONDITION,
				  "table %s.%s is program '%s''s", p->place.schema, p->place.name,
				  pg_text(result, 0, 0));
	cell_macro_note(p->work, "write [[postgres::table(schema = \"%s\")]] for one of its own, or "
				 "shared = \"…\" in both programs", p->after->told->store);
	return r;
}

static int begin_table(struct provisioning *p)
{
	struct fact *facts;
	size_t n;
	int r = check_owner(p);

	if (r)
		return r;
	r = catalog_facts(p->call, p->session, p->place.schema, p->place.name, &facts, &n);
	if (r)
		return refuse(p, r);
	return n ? adopt(p, facts, n) : create(p);
}

/* ---- changes ------------------------------------------------------------------------------------------ */

static void on_refused(void *userdata, const struct migration_step *step, const char *text,
		       const char *note)
{
	struct provisioning *p = userdata;

	p->refused = true;
	(void)cell_provision_refuse_member(p->work, p->declared, CELL_FAILED_PRECONDITION, step->member,
					   step->macro, "%s", text);
	if (*note)
		cell_macro_note(p->work, "%s", note);
}

static int ref_key(struct provisioning *p, const struct migration_step *step, const char **ret)
{
	const char *table = p->after->told->references[step->after].table;
	const struct pg_value values[] = { text_value(p->place.schema), text_value(table) };
	const struct pg_result *result;
	int r = pg_do(p->call, p->session,
		      "SELECT a.attname::text FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid "
		      "JOIN pg_namespace n ON n.oid = t.relnamespace "
		      "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0] "
		      "WHERE n.nspname = $1 AND t.relname = $2 AND i.indisprimary",
		      values, 2, &result);

	if (!r && !pg_rows(result))
		return cell_refuse(p->call, CELL_FAILED_PRECONDITION,
				   "no table %s.%s with a primary key", p->place.schema, table);
	if (!r)
		*ret = cell_arena_strdup(cell_arena(p->call), pg_text(result, 0, 0));
	return r;
}

/* What PostgreSQL's own types make of a change: varchar(n) is a length that the plan can't see. */
static void count_kind(const struct migration *migration, struct migration_step *step)
{
	if (step->kind != MIGRATION_RETYPE_COLUMN)
		return;
	step->count = retype_of(migration->before->columns[step->before].told,
				migration->after->columns[step->after].told) == RETYPE_NEVER
			      ? MIGRATION_COUNT_HELD
			      : MIGRATION_COUNT_UNFIT;
}

static int count_steps(struct provisioning *p, const struct migration *migration)
{
	for (size_t i = 0; i < migration->n_steps; i++) {
		struct migration_step *step = &migration->steps[i];
		const struct pg_result *result;
		const char *text, *key = "";
		int r = 0;

		count_kind(migration, step);
		if (step->count == MIGRATION_COUNT_NOTHING)
			continue;
		if (step->count == MIGRATION_COUNT_ORPHANS)
			r = ref_key(p, step, &key);
		text = ddl_count(migration, step, &p->place, key, cell_arena(p->call));
		r = r ? r
		      : text ? pg_do(p->call, p->session, text, NULL, 0, &result)
			     : cell_refuse(p->call, -ENOMEM, "a statement");
		if (r)
			return refuse(p, r);
		step->n = (uint64_t)pg_integer(result, 0, 0);
	}
	return 0;
}

static int take_step(struct provisioning *p, const struct migration *migration,
		     const struct migration_step *step)
{
	struct cell_arena *arena = cell_arena(p->call);
	const char *said = migration_print(migration, step, arena);
	struct ddl ddl;
	int r = ddl_step(migration, step, &p->place, arena, &ddl)
			? 0
			: cell_refuse(p->call, -ENOMEM, "a statement");

	for (size_t i = 0; !r && i < ddl.n; i++)
		r = run_text(p, ddl.texts[i]);
	if (!r && step->kind == MIGRATION_SET_ENCRYPTED)
		r = reseal_column(p->call, p->postgres, p->session, p->place.schema, migration, step);
	if (r) {
		(void)cell_wrap(cell_error_slot(p->call), r, "%s", said ? said : "a change");
		return refuse(p, r);
	}
	return said ? cell_provision_changed(p->work, "%s", said) : 0;
}

static int change(struct provisioning *p)
{
	struct migration migration;
	int r = migration_plan(&migration, p->before, p->after, cell_arena(p->call));

	if (r)
		return r;
	r = count_steps(p, &migration);
	r = r ? r : migration_judge(&migration, "postgres", on_refused, p);
	for (size_t i = 0; !r && i < migration.n_steps; i++)
		r = take_step(p, &migration, &migration.steps[i]);
	return r;
}

/* ---- versions ------------------------------------------------------------------------------------------ */

static int remember(struct provisioning *p)
{
	const struct table_table *told = p->after->told;
	const uint64_t version = __builtin_bswap64(p->after->version);
	const uint8_t is_adopted = p->is_adopted, is_shared = told->shared;
	const struct pg_value of_version[] = {
		text_value(told->store),
		text_value(told->name),
		{ .bytes = &version, .len = 8, .oid = INT8_OID },
		{ .bytes = p->after->digest, .len = 32, .oid = BYTEA_OID },
		{ .bytes = p->declared->body, .len = p->declared->n_body, .oid = BYTEA_OID },
	};
	const struct pg_value of_table[] = {
		text_value(told->store),
		text_value(told->name),
		text_value(p->place.schema),
		{ .bytes = &is_adopted, .len = 1, .oid = BOOL_OID },
		{ .bytes = &is_shared, .len = 1, .oid = BOOL_OID },
		{ .bytes = p->after->digest, .len = 32, .oid = BYTEA_OID },
	};
	int r;

	pg_add(p->session,
	       "INSERT INTO cell.versions (store, name, version, digest, body) "
	       "VALUES ($1, $2, $3, $4, $5)",
	       of_version, 5);
	pg_add(p->session,
	       "INSERT INTO cell.tables (store, name, schema, is_adopted, is_shared, digest) "
	       "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (store, name) DO UPDATE "
	       "SET is_shared = EXCLUDED.is_shared, digest = EXCLUDED.digest",
	       of_table, 6);
	r = pg_run(p->call, p->session, NULL);
	return r ? refuse(p, r) : 0;
}

/* Whether this very version has been provisioned before. */
static int is_known(struct provisioning *p, bool *ret)
{
	const struct pg_value values[] = {
		text_value(p->after->told->store),
		text_value(p->after->told->name),
		{ .bytes = p->after->digest, .len = 32, .oid = BYTEA_OID },
	};
	const struct pg_result *result;
	int r = pg_do(p->call, p->session,
		      "SELECT 1 FROM cell.versions WHERE store = $1 AND name = $2 AND digest = $3", values,
		      3, &result);

	*ret = !r && pg_rows(result);
	return r;
}

static int load_before(struct provisioning *p)
{
	const struct table_table *told = p->after->told;
	struct catalog_now now;
	int r = catalog_now(p->call, p->session, told->store, told->name, &now);

	p->place.schema = *told->schema ? told->schema : SQL_SCHEMA_DEFAULT;
	p->place.name = told->name;
	if (r == CELL_NOT_FOUND)
		return 0;
	if (r)
		return r;
	if (strcmp(now.schema, p->place.schema) != 0)
		return cell_refuse(p->call, CELL_FAILED_PRECONDITION,
				   "the table is in schema %s: moving it to %s is not done while compiling",
				   now.schema, p->place.schema);
	p->is_adopted = now.is_adopted;
	return schema_new(&p->before, now.body, now.body_len, cell_error_slot(p->call));
}

/* A declaration that the table has had before. */
static int coexist(struct provisioning *p)
{
	const char *member;
	int r = migration_coexists(p->after, p->before, &member, cell_error_slot(p->call));

	if (!r)
		return 0;
	p->refused = true;
	return cell_provision_refuse_member(p->work, p->declared, r, member, "table", "%s",
					    cell_error(p->call)->text);
}

static int transact(struct provisioning *p)
{
	bool known = false;
	int r;

	pg_add(p->session, "BEGIN", NULL, 0);
	pg_add(p->session, "SELECT pg_advisory_xact_lock(1667591276)", NULL, 0);
	r = pg_run(p->call, p->session, NULL);
	r = r ? r : load_before(p);
	r = r ? r : is_known(p, &known);
	if (r)
		return refuse(p, r);
	if (known && p->before)
		return coexist(p);
	r = p->before ? change(p) : begin_table(p);
	r = r || p->refused ? r : remember(p);
	return !r && p->refused ? CELL_FAILED_PRECONDITION : r;
}

static int provision_in(struct provisioning *p, bool only_check)
{
	int r = pg_take(p->call, p->postgres->pg, false, &p->session);

	r = r ? r : catalog_make(p->call, p->postgres, p->session);
	if (r)
		return refuse(p, r);
	r = transact(p);
	if (!r && !only_check) {
		r = pg_do(p->call, p->session, "COMMIT", NULL, 0, NULL);
		if (r)
			return refuse(p, r);
		catalog_forget(p->postgres, p->after->told->store, p->after->told->name);
		pg_forget_statements(p->postgres->pg);
	}
	return r;
}

int postgres_provision(struct cell_macro_work *work, const struct macro_declared *declared,
		       bool only_check)
{
	struct provisioning p = {
		.work = work,
		.declared = declared,
		.call = cell_macro_call(work),
		.postgres = cell_macro_self(work),
	};
	int r = schema_new(&p.after, declared->body, declared->n_body, cell_error_slot(p.call));

	r = r ? r : check_declaration(&p);
	if (r)
		r = refuse(&p, r);
	else
		r = provision_in(&p, only_check);
	/* What is open is rolled back there. */
	pg_give(p.session);
	schema_free(p.after);
	schema_free(p.before);
	return r;
}

/* ---- the live table, for column numbers and for what expansions depend on -------------------------- */

int postgres_live(struct cell_call *call, void *self, const char *store, const char *name,
		  const struct table_table **ret)
{
	struct postgres *postgres = self;
	struct table_table *table = cell_arena_alloc(cell_arena(call), sizeof *table);
	struct pg_session *session;
	struct catalog_now now;
	int r = table ? pg_take(call, postgres->pg, false, &session)
		      : cell_refuse(call, -ENOMEM, "table %s", name);

	if (r)
		return r;
	*ret = NULL;
	r = catalog_make(call, postgres, session);
	r = r ? r : catalog_now(call, session, store, name, &now);
	pg_give(session);
	if (r)
		return r == CELL_NOT_FOUND ? 0 : r;
	r = table_table_type.decode(table, now.body, now.body_len, 0, cell_arena(call),
				    cell_error_slot(call));
	if (!r)
		*ret = table;
	return r;
}

static int schema_state(struct cell_call *call, struct pg_session *session, struct macro_state *ret)
{
	uint8_t *digest = cell_arena_alloc(cell_arena(call), 32);

	if (!digest)
		return cell_refuse(call, -ENOMEM, "the schema");
	*ret = (struct macro_state){ .id = SCHEMA_STATE, .n_digest = 32, .digest = digest };
	return macro_query_state(call, session, digest);
}

int postgres_states(struct cell_call *call, void *self, const struct macro_state **ret_states,
		    size_t *ret_n)
{
	struct postgres *postgres = self;
	struct cell_arena *arena = cell_arena(call);
	const struct pg_result *result;
	struct pg_session *session;
	struct macro_state *states;
	size_t n = 0;
	int r = pg_take(call, postgres->pg, false, &session);

	if (r)
		return r;
	r = catalog_make(call, postgres, session);
	r = r ? r
	      : pg_do(call, session,
		      "SELECT t.store, t.name, v.body FROM cell.tables t JOIN cell.versions v "
		      "USING (store, name, digest) ORDER BY t.store || '/' || t.name COLLATE \"C\"",
		      NULL, 0, &result);
	states = r ? NULL : cell_arena_calloc(arena, pg_rows(result) + 2, sizeof *states);
	if (!r && !states)
		r = cell_refuse(call, -ENOMEM, "the tables");
	for (size_t i = 0; !r && i < pg_rows(result); i++) {
		uint8_t *digest = cell_arena_alloc(arena, TABLE_DIGEST_SIZE);
		struct table_table table;
		size_t len;
		const uint8_t *body = pg_cell(result, i, 2, &len);

		r = digest && body ? table_table_type.decode(&table, body, len, 0, arena,
							     cell_error_slot(call))
				   : cell_refuse(call, -ENOMEM, "the tables");
		r = r ? r : table_state_digest(arena, &table, digest);
		states[n++] = (struct macro_state){
			.id = table_state_id(arena, pg_text(result, i, 0), pg_text(result, i, 1)),
			.n_digest = TABLE_DIGEST_SIZE,
			.digest = digest,
		};
	}
	/* Sorted by id: "schema" comes before "table …". */
	if (!r && n)
		memmove(states + 1, states, n * sizeof *states);
	r = r ? r : schema_state(call, session, &states[0]);
	n++;
	pg_give(session);
	*ret_states = states;
	*ret_n = n;
	return r;
}
