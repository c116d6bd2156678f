/* What clients name: tables, in the version that they were built with. */
#include "catalog_inside.h"

#include <cell/cell.h>
#include <cell/internal/table/migrate.h>
#include <string.h>

static int no_memory(struct cell_error *err)
{
	return cell_fail(err, -ENOMEM, "no memory for the catalog");
}

/* ---- versions that clients name --------------------------------------------------------------- */

static uint16_t index_now(const struct catalog_table *table, const struct schema *then,
			  const struct schema_key *key)
{
	for (size_t i = 1; i < table->schema->n_keys; i++) {
		const struct schema_key *now = &table->schema->keys[i];
		size_t n = 0;

		while (now->n == key->n && n < key->n &&
		       table->schema->columns[now->columns[n]].told->number ==
			       then->columns[key->columns[n]].told->number)
			n++;
		if (now->n == key->n && n == key->n && (now->is_unique || !key->is_unique))
			return (uint16_t)i;
	}
	return UINT16_MAX;
}

static int version_maps(struct catalog *catalog, struct catalog_version *version,
			const struct schema *then, struct cell_error *err)
{
	const struct schema *now = version->table->schema;
	uint16_t *indexes = cell_arena_calloc(&catalog->arena, then->n_keys, sizeof *indexes);
	bool *knows = cell_arena_calloc(&catalog->arena, now->n_columns, sizeof *knows);
	bool knows_all = true;

	if (!indexes || !knows)
		return no_memory(err);
	for (size_t i = 1; i < then->n_keys; i++)
		indexes[i] = index_now(version->table, then, &then->keys[i]);
	for (size_t i = 0; i < now->n_columns; i++) {
		knows[i] = schema_column_by_number(then, now->columns[i].told->number) >= 0;
		knows_all = knows_all && knows[i];
	}
	version->indexes = indexes;
	version->n_indexes = then->n_keys;
	version->knows = knows_all ? NULL : knows;
	return 0;
}

/* Look at the declaration for the first time. */
static int version_read(struct catalog *catalog, struct catalog_version *version,
			struct cell_store_txn *txn, struct cell_error *err)
{
	struct cell_error trouble = { .code = 0 };
	struct catalog_parsed *parsed = version->table->parsed;
	struct schema *schema;
	const char *member;
	int r = 0;

	if (memcmp(parsed->schema->digest, version->digest, LAYOUT_DIGEST) == 0) {
		parsed->refs++;
	} else {
		r = catalog_declaration(&schema, txn, version->table->id, version->digest, err);
		parsed = r == 0 ? catalog_parsed_new(schema) : NULL;
		if (r == 0 && !parsed)
			r = no_memory(err);
	}
	if (r < 0)
		return r;
	catalog->held[catalog->n_held++] = parsed;
	if (parsed != version->table->parsed)
		version->status = migration_coexists(parsed->schema, version->table->schema, &member,
						     &trouble);
	version->why = cell_arena_strdup(&catalog->arena, trouble.text);
	if (!version->why)
		return no_memory(err);
	r = version_maps(catalog, version, parsed->schema, err);
	version->is_known = r == 0;
	return r;
}

bool catalog_may_use(const struct catalog_peer *peer, const char *store, bool is_shared)
{
	return is_shared || peer->is_owner || strcmp(peer->cell, store) == 0;
}

static struct catalog_version *version_find(const struct catalog *catalog, uint64_t version)
{
	for (size_t i = version & (catalog->n_slots - 1); catalog->slots[i];
	     i = (i + 1) & (catalog->n_slots - 1))
		if (catalog->slots[i]->version == version)
			return catalog->slots[i];
	return NULL;
}

/* For tools: the table as it is. */
static int now_find(struct catalog *catalog, const struct table_table_ref *ref,
		    const struct catalog_peer *peer, struct catalog_version **ret,
		    struct cell_error *err)
{
	struct catalog_table *table = catalog_by_name(catalog, false, ref->store, ref->name);

	if (!table || !catalog_may_use(peer, table->store, false)) {
		struct catalog_table *shared = catalog_by_name(catalog, true, ref->store, ref->name);

		table = shared ? shared : table;
	}
	if (!table)
		return cell_fail(err, CELL_NOT_FOUND, "no table '%s' in store '%s'", ref->name,
				 ref->store);
	*ret = version_find(catalog, table->schema->version);
	if (!*ret)
		return cell_fail(err, CELL_DATA_LOSS, "table '%s' has lost its declaration",
				 table->name);
	return 0;
}

int catalog_find(struct catalog *catalog, struct cell_store_txn *txn,
		 const struct table_table_ref *ref, const struct catalog_peer *peer,
		 const struct catalog_version **ret, struct cell_error *err)
{
	struct catalog_version *version = version_find(catalog, ref->version);
	int r = 0;

	if (ref->version == 0)
		r = now_find(catalog, ref, peer, &version, err);
	if (r < 0)
		return r;
	if (!version || strcmp(version->table->name, ref->name) != 0 ||
	    strcmp(version->table->store, ref->store) != 0)
		return cell_fail(err, CELL_FAILED_PRECONDITION,
				 "table '%s' of store '%s' is not known as the program has it: "
				 "provision it again", ref->name, ref->store);
	if (!catalog_may_use(peer, version->table->store, version->table->is_shared))
		return cell_fail(err, CELL_PERMISSION_DENIED,
				 "table '%s' is of store '%s', and '%s' may not use it", ref->name,
				 ref->store, peer->cell);
	if (!version->is_known)
		r = version_read(catalog, version, txn, err);
	if (r == 0 && version->status)
		r = cell_fail(err, version->status, "table '%s': %s", version->table->name,
			      version->why);
	if (r == 0)
		*ret = version;
	return r;
}

/* ---- looking up --------------------------------------------------------------------------- */

const struct catalog_table *catalog_by_id(const struct catalog *catalog, uint32_t id)
{
	size_t low = 0, high = catalog->n_tables;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (catalog->tables[middle]->id == id)
			return catalog->tables[middle];
		if (catalog->tables[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct catalog_table *catalog_by_name(const struct catalog *catalog, bool is_shared,
				      const char *store, const char *name)
{
	for (size_t i = 0; i < catalog->n_tables; i++) {
		struct catalog_table *table = catalog->tables[i];

		if (table->is_shared == is_shared && strcmp(table->name, name) == 0 &&
		    strcmp(table->store, store) == 0)
			return table;
	}
	return NULL;
}

const struct catalog_version *catalog_by_digest(const struct catalog *catalog, uint32_t table,
						const uint8_t digest[static LAYOUT_DIGEST])
{
	const struct catalog_version *version = version_find(catalog, cell_load_u64(digest));

	return version && version->table->id == table &&
	       memcmp(version->digest, digest, LAYOUT_DIGEST) == 0 ? version : NULL;
}

const struct catalog_table *const *catalog_tables(const struct catalog *catalog, size_t *ret_n)
{
	*ret_n = catalog->n_tables;
	return (const struct catalog_table *const *)catalog->sorted;
}
