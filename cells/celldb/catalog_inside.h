/*
 * What the files of the catalog share.
 */
#pragma once

#include "catalog.h"

/* A declaration, parsed once and shared by the catalogs of one thread. */
struct catalog_parsed {
	unsigned refs;
	struct schema *schema;
};

struct catalog {
	unsigned refs;
	struct cell_arena arena;
	uint64_t generation;
	size_t n_tables, n_versions, n_slots;
	struct catalog_table **tables;  /* by id */
	struct catalog_table **sorted;  /* by store and name */
	struct catalog_version *versions;
	struct catalog_version **slots; /* by version: open addressing */
	struct catalog_parsed **held;   /* of versions that were looked at: dropped with it */
	size_t n_held;
};

/* Takes SCHEMA, also when it returns NULL for want of memory. */
struct catalog_parsed *catalog_parsed_new(struct schema *schema);
void catalog_parsed_unref(struct catalog_parsed *parsed);

/* The declaration of TABLE with this digest, parsed, for schema_free(). */
int catalog_declaration(struct schema **ret, struct cell_store_txn *txn, uint32_t table,
			const uint8_t digest[static LAYOUT_DIGEST], struct cell_error *err);
