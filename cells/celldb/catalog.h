/*
 * Which tables there are, in which versions: as the store says, parsed.
 *
 * Each of the two threads has a catalog of its own, and loads it anew when the store's has
 * another generation; declarations that are the same are taken over. A catalog does not
 * change but for versions that are looked at for the first time; who keeps one beyond a view
 * holds a reference.
 */
#pragma once

#include "layout.h"

#include <cell/internal/table/schema.h>
#include <cell/store.h>
#include <table.cell.h>

struct catalog;
struct catalog_parsed;
struct catalog_table;

/* Something rows can be found by. */
struct catalog_index {
	uint16_t id;           /* in the store; 0 = the rows themselves */
	struct schema_key key; /* columns of the live schema */
};

/* That values of a column are those of a row elsewhere. */
struct catalog_reference {
	struct catalog_table *child, *parent;
	uint16_t column;        /* of the child */
	uint16_t parent_column;
	uint16_t child_index;   /* of child->indexes: begins with `column` */
	uint16_t parent_index;  /* is unique, and of `parent_column` alone; 0 = its key */
	enum table_on_delete on_delete;
};

struct catalog_table {
	uint32_t id;
	bool is_shared;
	bool has_sealed;             /* columns are encrypted */
	bool has_uuid;               /* columns have random defaults */
	uint64_t log_from;
	const char *store, *name;
	const struct schema *schema; /* as it is now */
	const struct schema *stored; /* as rows are stored: the same, but encrypted columns are bytes */
	size_t n_indexes;            /* [0] the key, then those of the schema, then those of references */
	const struct catalog_index *indexes;
	uint16_t next_index;
	uint32_t n_versions;
	size_t n_references, n_referrers;
	struct catalog_reference *references;
	struct catalog_reference **referrers;
	struct catalog_parsed *parsed, *parsed_stored;
};

/* A declaration that somebody was built with. */
struct catalog_version {
	uint64_t version;
	const uint8_t *digest;
	struct catalog_table *table;
	bool is_known;               /* the rest has been looked at */
	int status;                  /* why it may not be used any more; 0 = it may */
	const char *why;
	const uint16_t *indexes;     /* its index N is the table's; UINT16_MAX = there is none now */
	size_t n_indexes;
	const bool *knows;           /* for each column of the table; NULL = all */
};

/* Who asks. */
struct catalog_peer {
	const char *cell; /* "" for a program that is none */
	bool is_owner; /* a program of the node's user: it may do anything */
};

/*
 * The catalog that TXN sees; OLD (or NULL) gives what is the same. *ret is for
 * catalog_unref(). Returns 0, -ENOMEM, or CELL_DATA_LOSS.
 */
int catalog_load(struct catalog **ret, struct cell_store_txn *txn, const struct catalog *old,
		 struct cell_error *err);
struct catalog *catalog_ref(struct catalog *catalog);
void catalog_unref(struct catalog *catalog);
uint64_t catalog_generation(const struct catalog *catalog);

/*
 * What REF means for PEER. TXN is for versions that are looked at for the first time.
 *
 * CELL_FAILED_PRECONDITION: a version that is not known ("… provision it again") or can no
 * longer be used; CELL_NOT_FOUND: version 0 of no table; CELL_PERMISSION_DENIED.
 */
int catalog_find(struct catalog *catalog, struct cell_store_txn *txn,
		 const struct table_table_ref *ref, const struct catalog_peer *peer,
		 const struct catalog_version **ret, struct cell_error *err);

/* Whether PEER may use a table of STORE. */
bool catalog_may_use(const struct catalog_peer *peer, const char *store, bool is_shared);

const struct catalog_table *catalog_by_id(const struct catalog *catalog, uint32_t id);
/* NULL if there is none. */
struct catalog_table *catalog_by_name(const struct catalog *catalog, bool is_shared,
				      const char *store, const char *name);
/* The version with this digest, or NULL. */
const struct catalog_version *catalog_by_digest(const struct catalog *catalog, uint32_t table,
						const uint8_t digest[static LAYOUT_DIGEST]);
/* All tables, by store and name. */
const struct catalog_table *const *catalog_tables(const struct catalog *catalog, size_t *ret_n);

/*
 * The indexes that SCHEMA wants: those it declares, and one for each reference that none of
 * those serves. *ret is in ARENA; ids are 0. Returns 0 or -ENOMEM.
 */
int catalog_wants(const struct schema *schema, struct cell_arena *arena,
		  struct catalog_index **ret, size_t *ret_n);

/*
 * The schema that rows of SCHEMA are stored by: *ret is NULL if it is SCHEMA itself, else for
 * schema_free(). Returns 0 or -ENOMEM.
 */
int catalog_stored_schema(struct schema **ret, const struct schema *schema, struct cell_error *err);
