#include "catalog_inside.h"

#include "record.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for the catalog");
}

/* ---- parsed declarations -------------------------------------------------------------------- */

void catalog_parsed_unref(struct catalog_parsed *parsed)
{
	if (!parsed || --parsed->refs)
		return;
	schema_free(parsed->schema);
	free(parsed);
}

struct catalog_parsed *catalog_parsed_new(struct schema *schema)
{
	struct catalog_parsed *parsed = calloc(1, sizeof *parsed);

	if (!parsed) {
		schema_free(schema);
		return NULL;
	}
	parsed->refs = 1;
	parsed->schema = schema;
	return parsed;
}

int catalog_declaration(struct schema **ret, struct cell_store_txn *txn, uint32_t table,
			    const uint8_t digest[static LAYOUT_DIGEST], struct cell_error *err)
{
	struct cell_store_bytes body;
	struct layout_key key;
	int r;

	layout_version(&key, table, digest);
	r = cell_store_get(txn, layout_bytes(&key), &body, err);
	if (r == CELL_STORE_ABSENT)
		return cell_fail(err, CELL_DATA_LOSS, "table %u has lost its declaration", table);
	if (r < 0)
		return r;
	r = schema_new(ret, body.at, body.len, err);
	return r < 0 ? cell_wrap(err, r, "declaration of table %u", table) : 0;
}

int catalog_stored_schema(struct schema **ret, const struct schema *schema, struct cell_error *err)
{
	struct table_table told = *schema->told;
	struct cell_arena arena;
	struct table_column *columns;
	uint8_t *bytes, *end;
	bool has_sealed = false;
	int r;

	for (size_t i = 0; i < schema->n_columns; i++)
		has_sealed = has_sealed || told.columns[i].encrypted;
	*ret = NULL;
	if (!has_sealed)
		return 0;
	cell_arena_init(&arena, 0);
	columns = cell_arena_calloc(&arena, told.n_columns, sizeof *columns);
	if (!columns) {
		cell_arena_deinit(&arena);
		return no_memory(err);
	}
	for (size_t i = 0; i < told.n_columns; i++) {
		columns[i] = told.columns[i];
		columns[i].computed = columns[i].fallback = "";
		if (columns[i].encrypted)
			columns[i] = (struct table_column){
				.number = columns[i].number, .name = columns[i].name,
				.type = TABLE_COLUMN_TYPE_BYTES, .nullable = columns[i].nullable,
				.fallback = "", .computed = "", .native = "", .renamed_from = "",
			};
	}
	told.columns = columns;
	told.n_checks = told.n_references = 0;
	bytes = cell_arena_alloc(&arena, table_table_type.bound(&told));
	end = bytes ? table_table_type.encode(&told, bytes) : NULL;
	r = bytes ? schema_new(ret, bytes, (size_t)(end - bytes), err) : no_memory(err);
	cell_arena_deinit(&arena);
	return r;
}

/* The live declaration of TABLE, from OLD if that has the same. */
static int table_parse(struct catalog_table *table, const struct record_table *record,
		       struct cell_store_txn *txn, const struct catalog_table *old,
		       struct cell_error *err)
{
	struct schema *schema, *stored;
	int r;

	if (old && memcmp(old->schema->digest, record->digest, LAYOUT_DIGEST) == 0) {
		table->parsed = old->parsed;
		table->parsed_stored = old->parsed_stored;
		table->parsed->refs++;
		if (table->parsed_stored)
			table->parsed_stored->refs++;
		return 0;
	}
	r = catalog_declaration(&schema, txn, table->id, record->digest, err);
	if (r < 0)
		return r;
	table->parsed = catalog_parsed_new(schema);
	if (!table->parsed)
		return no_memory(err);
	r = catalog_stored_schema(&stored, schema, err);
	if (r == 0 && stored && !(table->parsed_stored = catalog_parsed_new(stored)))
		r = no_memory(err);
	return r;
}

/* ---- indexes and references ----------------------------------------------------------------- */

int catalog_wants(const struct schema *schema, struct cell_arena *arena,
		  struct catalog_index **ret, size_t *ret_n)
{
	size_t n = schema->n_keys;
	struct catalog_index *indexes =
		cell_arena_calloc(arena, n + schema->told->n_references, sizeof *indexes);

	if (!indexes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		indexes[i].key = schema->keys[i];
	for (size_t i = 0; i < schema->told->n_references; i++) {
		int column = schema_column_by_number(schema, schema->told->references[i].column);
		uint16_t *columns;
		bool is_served = column < 0;

		for (size_t j = 0; j < n && !is_served; j++)
			is_served = indexes[j].key.n && indexes[j].key.columns[0] == column;
		if (is_served)
			continue;
		columns = cell_arena_alloc(arena, sizeof *columns);
		if (!columns)
			return -ENOMEM;
		columns[0] = (uint16_t)column;
		indexes[n++].key = (struct schema_key){ .name = "", .n = 1, .columns = columns };
	}
	*ret = indexes;
	*ret_n = n;
	return 0;
}

static bool is_same_index(const struct schema *schema, const struct schema_key *key,
			  const struct record_index *record)
{
	if (key->n != record->n || key->is_unique != record->is_unique)
		return false;
	for (size_t i = 0; i < key->n; i++)
		if (schema->columns[key->columns[i]].told->number != record->columns[i])
			return false;
	return true;
}

static int table_indexes(struct catalog_table *table, const struct record_table *record,
			 struct cell_arena *arena, struct cell_error *err)
{
	struct catalog_index *indexes;
	size_t n;

	if (catalog_wants(table->schema, arena, &indexes, &n) < 0)
		return no_memory(err);
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < record->n_indexes; j++)
			if (is_same_index(table->schema, &indexes[i].key, &record->indexes[j]))
				indexes[i].id = record->indexes[j].id;
		if (!indexes[i].id)
			return cell_fail(err, CELL_DATA_LOSS, "table %s has lost its index '%s'",
					 table->name, indexes[i].key.name);
	}
	table->indexes = indexes;
	table->n_indexes = n;
	return 0;
}

static int table_add(struct catalog *catalog, struct cell_store_txn *txn, uint32_t id,
		     struct cell_store_bytes bytes, const struct catalog *old, struct cell_error *err)
{
	struct catalog_table *table = cell_arena_calloc(&catalog->arena, 1, sizeof *table);
	struct record_table record;
	int r;

	if (!table)
		return no_memory(err);
	r = record_table_decode(&record, bytes, &catalog->arena, err);
	if (r < 0)
		return r;
	table->id = id;
	catalog->tables[catalog->n_tables++] = table;
	r = table_parse(table, &record, txn, old ? catalog_by_id(old, id) : NULL, err);
	if (r < 0)
		return r;
	table->schema = table->parsed->schema;
	table->stored = table->parsed_stored ? table->parsed_stored->schema : table->schema;
	table->has_sealed = table->parsed_stored != NULL;
	for (size_t i = 0; i < table->schema->n_columns; i++)
		if (table->schema->columns[i].fallback == SCHEMA_FALLBACK_UUID)
			table->has_uuid = true;
	table->is_shared = record.is_shared;
	table->log_from = record.log_from;
	table->next_index = record.next_index;
	table->store = table->schema->told->store;
	table->name = table->schema->told->name;
	return table_indexes(table, &record, &catalog->arena, err);
}

static uint16_t index_of(const struct catalog_table *table, int column, bool must_be_unique)
{
	for (size_t i = 0; i < table->n_indexes; i++) {
		const struct schema_key *key = &table->indexes[i].key;

		if (key->n && key->columns[0] == column &&
		    (!must_be_unique || (key->n == 1 && (i == 0 || key->is_unique))))
			return (uint16_t)i;
	}
	return UINT16_MAX;
}

/* What REFERENCE leads to; false if that is not there (any more). */
static bool reference_find(const struct catalog *catalog, struct catalog_table *table,
			   const struct table_reference *told, struct catalog_reference *reference)
{
	struct catalog_table *parent =
		catalog_by_name(catalog, table->is_shared, table->store, told->table);
	int column = schema_column_by_number(table->schema, told->column);
	int parent_column;

	if (!parent || column < 0)
		return false;
	if (*told->ref_column)
		parent_column = schema_column_by_name(parent->schema, told->ref_column);
	else
		parent_column = parent->indexes[0].key.n ? parent->indexes[0].key.columns[0] : -1;
	*reference = (struct catalog_reference){
		.child = table,
		.parent = parent,
		.column = (uint16_t)column,
		.parent_column = (uint16_t)parent_column,
		.child_index = index_of(table, column, false),
		.parent_index = index_of(parent, parent_column, true),
		.on_delete = told->on_delete,
	};
	return reference->child_index != UINT16_MAX && reference->parent_index != UINT16_MAX;
}

static int references_find(struct catalog *catalog, struct cell_error *err)
{
	for (size_t i = 0; i < catalog->n_tables; i++) {
		struct catalog_table *table = catalog->tables[i];
		const struct table_table *told = table->schema->told;

		table->references = cell_arena_calloc(&catalog->arena, told->n_references,
						      sizeof *table->references);
		if (!table->references)
			return no_memory(err);
		for (size_t j = 0; j < told->n_references; j++)
			if (reference_find(catalog, table, &told->references[j],
					   &table->references[table->n_references]))
				table->references[table->n_references++].parent->n_referrers++;
	}
	for (size_t i = 0; i < catalog->n_tables; i++) {
		struct catalog_table *table = catalog->tables[i];

		table->referrers = cell_arena_calloc(&catalog->arena, table->n_referrers,
						     sizeof *table->referrers);
		if (!table->referrers)
			return no_memory(err);
		table->n_referrers = 0;
	}
	for (size_t i = 0; i < catalog->n_tables; i++)
		for (size_t j = 0; j < catalog->tables[i]->n_references; j++) {
			struct catalog_reference *reference = &catalog->tables[i]->references[j];
			struct catalog_table *parent = reference->parent;

			parent->referrers[parent->n_referrers++] = reference;
		}
	return 0;
}

/* ---- loading ------------------------------------------------------------------------------ */

typedef int entry_fn(struct catalog *catalog, struct cell_store_txn *txn, struct cell_store_bytes key,
		     struct cell_store_bytes value, const struct catalog *old,
		     struct cell_error *err);

static int each(struct catalog *catalog, struct cell_store_txn *txn, const struct layout_key *begin,
		entry_fn *fn, const struct catalog *old, struct cell_error *err)
{
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	int r = cell_store_cursor_open(txn, &cursor, err);

	if (r < 0)
		return r;
	for (r = cell_store_seek(&cursor, layout_bytes(begin), false, &key, &value, err);
	     r == 0 && layout_begins(key, begin);
	     r = cell_store_next(&cursor, false, &key, &value, err)) {
		r = fn(catalog, txn, key, value, old, err);
		if (r < 0)
			break;
	}
	cell_store_cursor_close(&cursor);
	return r < 0 ? r : 0;
}

static int on_count(struct catalog *catalog, struct cell_store_txn *txn, struct cell_store_bytes key,
		    struct cell_store_bytes value, const struct catalog *old, struct cell_error *err)
{
	uint32_t id;

	(void)txn;
	(void)value;
	(void)old;
	(void)err;
	if (layout_read_table(key, &id))
		catalog->n_tables++;
	else
		catalog->n_versions++;
	return 0;
}

static int on_table(struct catalog *catalog, struct cell_store_txn *txn, struct cell_store_bytes key,
		    struct cell_store_bytes value, const struct catalog *old, struct cell_error *err)
{
	uint32_t id;

	if (!layout_read_table(key, &id))
		return cell_fail(err, CELL_DATA_LOSS, "the store has a table without a number");
	return table_add(catalog, txn, id, value, old, err);
}

static void slot_put(struct catalog *catalog, struct catalog_version *version)
{
	size_t i = version->version & (catalog->n_slots - 1);

	while (catalog->slots[i])
		i = (i + 1) & (catalog->n_slots - 1);
	catalog->slots[i] = version;
}

static int on_version(struct catalog *catalog, struct cell_store_txn *txn,
		      struct cell_store_bytes key, struct cell_store_bytes value,
		      const struct catalog *old, struct cell_error *err)
{
	struct catalog_version *version = &catalog->versions[catalog->n_versions];
	const uint8_t *digest;
	uint8_t *copy;
	uint32_t id;

	(void)txn;
	(void)value;
	(void)old;
	if (!layout_read_version(key, &id, &digest))
		return cell_fail(err, CELL_DATA_LOSS, "the store has a declaration without a number");
	/* One of a table that was never finished is nobody's. */
	version->table = (struct catalog_table *)catalog_by_id(catalog, id);
	copy = cell_arena_alloc(&catalog->arena, LAYOUT_DIGEST);
	if (!copy)
		return no_memory(err);
	if (!version->table)
		return 0;
	memcpy(copy, digest, LAYOUT_DIGEST);
	version->digest = copy;
	version->version = cell_load_u64(copy);
	version->table->n_versions++;
	catalog->n_versions++;
	slot_put(catalog, version);
	return 0;
}

static int by_store_and_name(const void *a, const void *b)
{
	const struct catalog_table *const *left = a, *const *right = b;
	int order = strcmp((*left)->store, (*right)->store);

	if (order == 0)
		order = strcmp((*left)->name, (*right)->name);
	return order ? order : (*left)->is_shared - (*right)->is_shared;
}

static int rooms(struct catalog *catalog, struct cell_error *err)
{
	catalog->n_slots = 16;
	while (catalog->n_slots < 2 * catalog->n_versions)
		catalog->n_slots *= 2;
	catalog->tables = cell_arena_calloc(&catalog->arena, catalog->n_tables, sizeof(void *));
	catalog->sorted = cell_arena_calloc(&catalog->arena, catalog->n_tables, sizeof(void *));
	catalog->versions = cell_arena_calloc(&catalog->arena, catalog->n_versions,
					      sizeof *catalog->versions);
	catalog->held = cell_arena_calloc(&catalog->arena, catalog->n_versions, sizeof(void *));
	catalog->slots = cell_arena_calloc(&catalog->arena, catalog->n_slots, sizeof(void *));
	catalog->n_tables = catalog->n_versions = 0;
	if (!catalog->tables || !catalog->sorted || !catalog->versions || !catalog->held ||
	    !catalog->slots)
		return no_memory(err);
	return 0;
}

static int generation_read(struct catalog *catalog, struct cell_store_txn *txn,
			   struct cell_error *err)
{
	struct cell_store_bytes bytes;
	struct record_meta meta;
	struct layout_key key;
	int r;

	layout_meta(&key);
	r = cell_store_get(txn, layout_bytes(&key), &bytes, err);
	if (r == 0)
		r = record_meta_decode(&meta, bytes, err);
	if (r == 0)
		catalog->generation = meta.generation;
	return r < 0 ? r : 0;
}

int catalog_load(struct catalog **ret, struct cell_store_txn *txn, const struct catalog *old,
		 struct cell_error *err)
{
	struct catalog *catalog = calloc(1, sizeof *catalog);
	struct layout_key tables, versions;
	int r;

	if (!catalog)
		return no_memory(err);
	catalog->refs = 1;
	cell_arena_init(&catalog->arena, 0);
	layout_tables(&tables);
	layout_versions(&versions);
	r = generation_read(catalog, txn, err);
	if (r == 0)
		r = each(catalog, txn, &tables, on_count, NULL, err);
	if (r == 0)
		r = each(catalog, txn, &versions, on_count, NULL, err);
	if (r == 0)
		r = rooms(catalog, err);
	if (r == 0)
		r = each(catalog, txn, &tables, on_table, old, err);
	if (r == 0)
		r = each(catalog, txn, &versions, on_version, NULL, err);
	if (r == 0) {
		memcpy(catalog->sorted, catalog->tables,
		       catalog->n_tables * sizeof *catalog->tables);
		qsort(catalog->sorted, catalog->n_tables, sizeof *catalog->sorted,
		      by_store_and_name);
		r = references_find(catalog, err);
	}
	if (r < 0) {
		catalog_unref(catalog);
		return r;
	}
	*ret = catalog;
	return 0;
}

struct catalog *catalog_ref(struct catalog *catalog)
{
	catalog->refs++;
	return catalog;
}

void catalog_unref(struct catalog *catalog)
{
	if (!catalog || --catalog->refs)
		return;
	for (size_t i = 0; i < catalog->n_held; i++)
		catalog_parsed_unref(catalog->held[i]);
	for (size_t i = 0; i < catalog->n_tables; i++) {
		catalog_parsed_unref(catalog->tables[i]->parsed);
		catalog_parsed_unref(catalog->tables[i]->parsed_stored);
	}
	cell_arena_deinit(&catalog->arena);
	free(catalog);
}

uint64_t catalog_generation(const struct catalog *catalog)
{
	return catalog->generation;
}
