#include "alter.h"

#include "alter_rows.h"

#include <cell/cell.h>
#include <stdio.h>
#include <string.h>

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory to change a table");
}

/* ---- saying what is wrong ------------------------------------------------------------------- */

static void refuse(struct alter *alter, const char *member, const char *macro, const char *text,
		   const char *note)
{
	struct alter_refusal **last = &alter->report->refusals;
	struct alter_refusal *refusal = cell_arena_calloc(alter->arena, 1, sizeof *refusal);

	if (!refusal)
		return;
	refusal->text = cell_arena_strdup(alter->arena, text);
	refusal->note = cell_arena_strdup(alter->arena, note);
	refusal->member = cell_arena_strdup(alter->arena, member);
	refusal->macro = cell_arena_strdup(alter->arena, macro);
	if (!refusal->text || !refusal->note || !refusal->member || !refusal->macro)
		return;
	while (*last)
		last = &(*last)->next;
	*last = refusal;
}

static void on_refused(void *userdata, const struct migration_step *step, const char *text,
		       const char *note)
{
	struct alter *alter = userdata;

	refuse(alter, step->member, step->macro, text, note);
}

static int report_changes(struct alter *alter, struct cell_error *err)
{
	struct alter_report *report = alter->report;

	report->changes = cell_arena_calloc(alter->arena, alter->migration.n_steps, sizeof(char *));
	if (!report->changes)
		return no_memory(err);
	for (size_t i = 0; i < alter->migration.n_steps; i++) {
		const char *text = migration_print(&alter->migration, &alter->migration.steps[i],
						   alter->arena);

		if (!text)
			return no_memory(err);
		report->changes[report->n_changes++] = text;
	}
	return 0;
}

/* ---- what must be so whatever rows there are ---------------------------------------------------- */

static const struct schema *schema_of(const struct alter *alter, const char *table)
{
	const struct catalog_table *other;

	if (strcmp(table, alter->after.name) == 0)
		return alter->after.schema;
	other = catalog_by_name(alter->engine->view.catalog, alter->after.is_shared,
				alter->after.store, table);
	return other ? other->schema : NULL;
}

/* The column that is referred to: alone in the key, or in a unique index. -1: there is none. */
static int target_of(const struct schema *schema, const char *column)
{
	int i = *column ? schema_column_by_name(schema, column)
			: (schema->keys[0].n == 1 ? schema->keys[0].columns[0] : -1);

	for (size_t k = 0; i >= 0 && k < schema->n_keys; k++)
		if (schema->keys[k].n == 1 && schema->keys[k].columns[0] == i &&
		    (k == 0 || schema->keys[k].is_unique))
			return i;
	return -1;
}

static void reference_check(struct alter *alter, const struct table_reference *told)
{
	const struct schema *mine = alter->after.schema, *theirs = schema_of(alter, told->table);
	const struct table_column *column = NULL;
	int i = schema_column_by_number(mine, told->column), target;
	char text[256];

	if (i >= 0)
		column = mine->columns[i].told;
	if (!column)
		return;
	if (!theirs) {
		(void)snprintf(text, sizeof text, "there is no table '%s' in store '%s' to refer to",
			       told->table, alter->after.store);
		refuse(alter, column->name, "ref", text, "declare it before this one");
		return;
	}
	target = target_of(theirs, told->ref_column);
	if (target < 0) {
		(void)snprintf(text, sizeof text, "'%s' has no column%s%s that is unique by itself",
			       told->table, *told->ref_column ? " " : "", told->ref_column);
		refuse(alter, column->name, "ref", text, "a reference leads to a key or a unique column");
	} else if (value_kind_of(theirs->columns[target].told->type) != value_kind_of(column->type)) {
		(void)snprintf(text, sizeof text, "'%s' is %s, and %s.%s is %s", column->name,
			       schema_type_print(column, alter->arena), told->table,
			       theirs->columns[target].told->name,
			       schema_type_print(theirs->columns[target].told, alter->arena));
		refuse(alter, column->name, "ref", text, "");
	}
}

/* What others refer to stays. */
static void referrers_check(struct alter *alter)
{
	for (size_t i = 0; alter->before && i < alter->before->n_referrers; i++) {
		const struct catalog_reference *reference = alter->before->referrers[i];
		const struct table_column *column =
			alter->before->schema->columns[reference->parent_column].told;
		char text[256];

		if (reference->child == alter->before ||
		    target_of(alter->after.schema, column->name) >= 0)
			continue;
		(void)snprintf(text, sizeof text, "%s.%s refers to '%s', which must stay, and unique",
			       reference->child->name,
			       reference->child->schema->columns[reference->column].told->name,
			       column->name);
		refuse(alter, "", "table", text, "");
	}
}

/* What a prepared transaction will do was checked against the table as it is. */
static int prepared_check(const struct alter *alter, struct cell_error *err)
{
	const struct participant *other = participants_first(alter->engine->participants);
	char name[64];

	for (; alter->before && other; other = other->next)
		for (size_t i = 0; i < other->record.n_changes; i++)
			if (other->record.changes[i].table == alter->before->id)
				return cell_fail(err, CELL_ABORTED,
						 "table '%s' is in the hands of %s, which is not decided",
						 alter->before->name, participant_name(other, name));
	return 0;
}

/* ---- indexes -------------------------------------------------------------------------------- */

/* Whether entries of OLD are what an index of these columns has. */
static bool serves(const struct alter *alter, const struct schema_key *old,
		   const struct schema_key *key)
{
	const struct schema *before = alter->before->schema, *after = alter->after.schema;

	if (old->n != key->n || old->is_unique != key->is_unique)
		return false;
	for (size_t i = 0; i < key->n; i++) {
		const struct table_column *was = before->columns[old->columns[i]].told;
		const struct table_column *is = after->columns[key->columns[i]].told;

		if (was->number != is->number || value_kind_of(was->type) != value_kind_of(is->type))
			return false;
	}
	return true;
}

static int indexes_plan(struct alter *alter, struct cell_error *err)
{
	struct catalog_index *indexes;
	size_t n;

	if (catalog_wants(alter->after.schema, alter->arena, &indexes, &n) < 0)
		return no_memory(err);
	alter->is_new = cell_arena_calloc(alter->arena, n, sizeof *alter->is_new);
	if (!alter->is_new)
		return no_memory(err);
	alter->after.next_index = alter->before ? alter->before->next_index : 1;
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 1; alter->before && j < alter->before->n_indexes; j++)
			if (serves(alter, &alter->before->indexes[j].key, &indexes[i].key))
				indexes[i].id = alter->before->indexes[j].id;
		if (indexes[i].id)
			continue;
		if (alter->after.next_index == UINT16_MAX)
			return cell_fail(err, CELL_RESOURCE_EXHAUSTED, "'%s' has had %u indexes",
					 alter->after.name, UINT16_MAX);
		indexes[i].id = alter->after.next_index++;
		alter->is_new[i] = alter->has_new = true;
	}
	alter->after.indexes = indexes;
	alter->after.n_indexes = n;
	return 0;
}

/* Entries of indexes that nobody wants any more. */
static int indexes_drop(struct alter *alter, struct cell_error *err)
{
	int r = 0;

	for (size_t i = 1; r == 0 && alter->before && i < alter->before->n_indexes; i++) {
		bool is_kept = false;
		struct layout_key begin;

		for (size_t j = 1; j < alter->after.n_indexes; j++)
			is_kept = is_kept || alter->after.indexes[j].id == alter->before->indexes[i].id;
		layout_index(&begin, alter->before->id, alter->before->indexes[i].id);
		if (!is_kept)
			r = alter_drop(alter->engine, &begin, err);
	}
	return r;
}

/* ---- what is kept of it ---------------------------------------------------------------------- */

static int record_write(struct alter *alter, struct cell_error *err)
{
	const struct catalog_table *after = &alter->after;
	struct record_index *indexes =
		cell_arena_calloc(alter->arena, after->n_indexes, sizeof *indexes);
	struct record_table record = { .is_shared = after->is_shared,
				       .log_from = after->log_from,
				       .next_index = after->next_index,
				       .n_indexes = after->n_indexes - 1,
				       .indexes = indexes };
	struct cell_store_bytes bytes;
	struct layout_key key;

	if (!indexes)
		return no_memory(err);
	memcpy(record.digest, after->schema->digest, LAYOUT_DIGEST);
	for (size_t i = 1; i < after->n_indexes; i++) {
		const struct schema_key *columns = &after->indexes[i].key;
		uint32_t *numbers = cell_arena_calloc(alter->arena, columns->n, sizeof *numbers);

		if (!numbers)
			return no_memory(err);
		for (size_t j = 0; j < columns->n; j++)
			numbers[j] = after->schema->columns[columns->columns[j]].told->number;
		indexes[i - 1] = (struct record_index){ .id = after->indexes[i].id,
							.is_unique = columns->is_unique,
							.n = (uint16_t)columns->n,
							.columns = numbers };
	}
	bytes = record_table_encode(&record, alter->arena);
	if (!bytes.at)
		return no_memory(err);
	layout_table(&key, after->id);
	return cell_store_put(&alter->engine->txn, layout_bytes(&key), bytes, err);
}

static int version_write(struct alter *alter, struct cell_error *err)
{
	struct layout_key key;

	layout_version(&key, alter->after.id, alter->after.schema->digest);
	return cell_store_put(&alter->engine->txn, layout_bytes(&key),
			      (struct cell_store_bytes){ alter->body, alter->body_len }, err);
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int plan(struct alter *alter, struct cell_error *err)
{
	const struct schema *after = alter->after.schema;
	int r = 0;

	if (migration_plan(&alter->migration, alter->before ? alter->before->schema : NULL, after,
			   alter->arena) < 0)
		return no_memory(err);
	for (size_t i = 0; i < after->told->n_references; i++)
		reference_check(alter, &after->told->references[i]);
	referrers_check(alter);
	if (alter->report->refusals)
		return cell_fail(err, CELL_FAILED_PRECONDITION, "%s",
				 alter->report->refusals->text);
	r = prepared_check(alter, err);
	return r < 0 ? r : indexes_plan(alter, err);
}

static int judge(struct alter *alter, struct cell_error *err)
{
	int r = migration_judge(&alter->migration, "db", on_refused, alter);

	if (r < 0)
		return cell_fail(err, r, "%s",
				 alter->report->refusals ? alter->report->refusals->text
							 : "the table cannot be changed so");
	if (alter->row_error.code) {
		refuse(alter, "", "table", alter->row_error.text, "a row that is there does not fit");
		*err = alter->row_error;
		return alter->row_error.code;
	}
	return 0;
}

static int carry_out(struct alter *alter, struct cell_error *err)
{
	struct engine *engine = alter->engine;
	int r = alter_rows(alter, err);

	if (r == 0)
		r = judge(alter, err);
	if (r == 0)
		r = report_changes(alter, err);
	if (r < 0 || alter->only_check)
		return r;
	engine->is_dirty = engine->has_altered = true;
	engine->meta.generation++;
	r = indexes_drop(alter, err);
	if (r == 0)
		r = version_write(alter, err);
	if (r == 0)
		r = record_write(alter, err);
	return r;
}

/* The table as it will be, but for its indexes. */
static int after_make(struct alter *alter, struct cell_error *err)
{
	struct engine *engine = alter->engine;
	struct catalog_table *after = &alter->after;
	int r = catalog_stored_schema(&alter->stored, after->schema, err);

	if (r < 0)
		return r;
	after->stored = alter->stored ? alter->stored : after->schema;
	after->has_sealed = alter->stored != NULL;
	after->log_from = alter->before ? alter->before->log_from : engine->meta.version;
	after->id = alter->before ? alter->before->id : engine->meta.next_table;
	for (size_t i = 0; i < after->schema->n_columns; i++)
		if (after->schema->columns[i].fallback == SCHEMA_FALLBACK_UUID)
			after->has_uuid = true;
	if (!alter->before && !alter->only_check)
		engine->meta.next_table++;
	return 0;
}

/* A declaration that the table has had before. */
static int coexist(struct alter *alter, struct cell_error *err)
{
	const char *member;
	int r = migration_coexists(alter->after.schema, alter->before->schema, &member, err);

	if (r < 0)
		refuse(alter, member, "table", err->text, "");
	return r;
}

static int alter_with(struct alter *alter, struct cell_error *err)
{
	const struct catalog_version *version =
		alter->before ? catalog_by_digest(alter->engine->view.catalog, alter->before->id,
						  alter->after.schema->digest)
			      : NULL;
	int r;

	if (version)
		return coexist(alter, err);
	r = after_make(alter, err);
	if (r == 0)
		r = plan(alter, err);
	return r < 0 ? r : carry_out(alter, err);
}

int alter_table(struct engine *engine, const struct catalog_peer *peer, const uint8_t *body,
		size_t len, bool only_check, struct alter_report *report, struct cell_arena *arena,
		struct cell_error *err)
{
	struct alter alter = { .engine = engine, .arena = arena, .report = report, .body = body,
			       .body_len = len, .only_check = only_check };
	struct schema *schema;
	int r = schema_new(&schema, body, len, err);

	*report = (struct alter_report){ 0 };
	if (r == 0) {
		alter.after.schema = schema;
		alter.after.name = schema->told->name;
		alter.after.store = schema->told->store;
		alter.after.is_shared = schema->told->shared;
		alter.before = catalog_by_name(engine->view.catalog, alter.after.is_shared,
					       alter.after.store, alter.after.name);
		if (catalog_may_use(peer, alter.after.store, alter.after.is_shared) ||
		    strcmp(peer->cell, ALTER_COORDINATOR) == 0)
			r = alter_with(&alter, err);
		else
			r = cell_fail(err, CELL_PERMISSION_DENIED,
				      "'%s' may not declare tables of store '%s'", peer->cell,
				      alter.after.store);
	}
	if (r < 0 && !report->refusals)
		refuse(&alter, "", "table", err->text, "");
	schema_free(alter.stored);
	if (alter.after.schema)
		schema_free(schema);
	return r;
}
