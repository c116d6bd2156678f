/*
 * What PostgreSQL keeps for the cell, in the schema `cell` of its database, and what of it is
 * remembered here: the tables, their versions as views.
 *
 *	cell.tables    store, name → the schema it is in, the digest of its newest version
 *	cell.versions  store, name, version → the declaration (an encoded table.v1.Table)
 *	cell.commits   id → the answer to a commit, for an hour
 *	cell.changes   transaction, number → a row before and after, for a day
 */
#pragma once

#include "pg.h"
#include "view.h"

#include <table.cell.h>

struct postgres;
struct catalog_entry;

struct catalog {
	struct catalog_entry *entries;
	bool is_made; /* the schema `cell` is there */
};

void catalog_deinit(struct catalog *catalog);

/* Make the schema `cell` and its tables, if they are not there. */
int catalog_make(struct cell_call *call, struct postgres *postgres, struct pg_session *session);

/* A table in two versions: the caller's, and the newest. To be ended with catalog_leave(). */
struct catalog_table {
	struct view *view, *now;
	const char *store, *name; /* of the entry; in the call's arena */
};

/*
 * The table that REF names, if the caller may use it. Returns 0, CELL_NOT_FOUND,
 * CELL_PERMISSION_DENIED, CELL_FAILED_PRECONDITION "… provision it again" for a version that is
 * not known, or why it cannot be said.
 */
int catalog_enter(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
		  const struct table_table_ref *ref, struct catalog_table *ret);
void catalog_leave(struct catalog_table *table);

/* It is another than it was: look again when it is asked for. NULL: all tables. */
void catalog_forget(struct postgres *postgres, const char *store, const char *name);

/* The columns of a table as PostgreSQL has them, in the call's arena; *ret_n 0: there is none. */
int catalog_facts(struct cell_call *call, struct pg_session *session, const char *schema,
		  const char *name, struct fact **ret_facts, size_t *ret_n);

/* The newest version: *ret_body lives in CALL. CELL_NOT_FOUND: the table is not provisioned. */
struct catalog_now {
	const char *schema; /* in PostgreSQL */
	bool is_adopted;
	const uint8_t *body;
	size_t body_len;
	const uint8_t *digest; /* 32 bytes */
};
int catalog_now(struct cell_call *call, struct pg_session *session, const char *store,
		const char *name, struct catalog_now *ret);
