/*
 * What db:: and postgres:: have in common at compile time: structs with attributes become
 * tables, the text of their functions, and the declaration that is provisioned.
 *
 * A database's cell joins its own macros to these, and has a struct table_provider as the
 * first member of what it hands to cell_provide_macros() as SELF.
 */
#pragma once

#include <cell/internal/table/schema.h>
#include <cell/macro.h>

struct table_provider {
	const char *ns;   /* "db" */
	const char *cell; /* "celldb" */
	/*
	 * The table as it is now: *ret lives in CALL; NULL if there is none. For column numbers.
	 * Returns 0 or why it cannot be said.
	 */
	int (*live)(struct cell_call *call, void *self, const char *store, const char *name,
		    const struct table_table **ret);
	/*
	 * May be NULL. Make COLUMN what this database's own attributes at MEMBER say (varchar,
	 * uuid): `native` and what follows from it. 0, or negative after a refusal.
	 */
	int (*native)(struct cell_macro_work *work, const struct macro_member *member,
		      struct table_column *column);
	/*
	 * May be NULL. A table that the program declares was expanded; it may never be provisioned.
	 * BODY is an encoded table.v1.Table, good until this returns.
	 */
	void (*declared)(struct cell_macro_work *work, const char *store, const char *name,
			 const uint8_t *body, size_t len);
};

/*
 * table, key, primary_key (the same), unique, index, check, default, computed, ref,
 * foreign_key (the same), serial, crud, persist, atomic, encrypted, renamed, dropped.
 * For cell_macro_provider.macros: these and OWN (a table, or NULL), allocated once. One of OWN
 * that has the name of one of these gives it its arguments and its text: `table` with `schema`.
 */
const struct cell_macro *table_macros(const struct cell_macro *own);

/* For cell_macro_provider.comes_before: a table comes before those that refer to it. */
bool table_comes_before(struct cell_macro_work *work, const struct macro_declared *first,
			const struct macro_declared *second);

/* State ids and digests of what the provider has: "table STORE/NAME". For its `states`. */
#define TABLE_DIGEST_SIZE 32
const char *table_state_id(struct cell_arena *arena, const char *store, const char *name);
/* TABLE NULL: there is none. Uses ARENA for a moment. Returns 0 or -ENOMEM. */
int table_state_digest(struct cell_arena *arena, const struct table_table *table,
		       uint8_t digest[static TABLE_DIGEST_SIZE]);

/*
 * The struct TYPE that a macro of the provider's own stands on or names, read as columns, as
 * table does it: for rows of queries. Numbers count from 1. In the work's memory. Returns 0,
 * or negative after refusals at its members.
 */
int table_columns_of(struct cell_macro_work *work, const struct macro_type *type,
		     const struct table_column **ret_columns, size_t *ret_n);

/* The text of a `static const struct cell_column NAME[]` for columns of TYPE as read above. */
void table_put_columns(struct cell_macro_work *work, struct cell_piece *piece, const char *name,
		       const struct macro_type *type, const struct table_column *columns, size_t n);
