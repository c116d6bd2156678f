/* What the parts of the cell share. */
#pragma once

#include "catalog.h"
#include "pg.h"

#include <cell/internal/table/macros.h>
#include <cell/internal/table/seal.h>
#include <cell/macro.h>
#include <table.cell.h>

struct watch;
struct planned;

struct postgres {
	struct table_provider provider; /* must be the first: table_macros() finds it there */
	struct pg *pg;
	struct catalog catalog;
	struct seal *seal;
	struct cell_call *call; /* the root, for tasks */
	struct watch *watch;     /* watch.c's */
	struct planned *planned; /* planned.c's */
	uint64_t commits, conflicts;
};

/* rpc.c */
extern const struct table_tables_handlers postgres_tables;
extern const struct postgres_handlers postgres_handlers;

/* macros.c: serve postgres:: on channel 3. */
int macros_provide(struct cell_call *call, struct postgres *postgres);

/* --- rows.c: between the wire, values and PostgreSQL ------------------------------------ */

/*
 * Read the columns of VIEW from ROW of RESULT, where they begin at column FIRST; encrypted ones
 * are opened. *VALUES has as many as the view, in the call's arena.
 */
int rows_values(struct cell_call *call, const struct postgres *postgres, const struct view *view,
		const struct pg_result *result, size_t row, size_t first, struct value **ret_values);

/* The same as a row on the wire, in the call's arena. */
int rows_encode(struct cell_call *call, const struct view *view, const struct value *values,
		const uint8_t **ret_bytes, size_t *ret_len);

/* VALUES as the parameters of a write: all columns that are not generated. */
int rows_parameters(struct cell_call *call, const struct postgres *postgres,
		    const struct view *view, const struct value *values,
		    struct pg_value **ret_parameters, size_t *ret_n);

/* Those of the first N columns of KEY, at OUT. */
int rows_key(struct cell_call *call, const struct view *view, const struct schema_key *key,
	     const struct value *values, size_t n, struct pg_value *out);

/* Decode BYTES, a row of VIEW's version or a part of one. */
int rows_decode(struct cell_call *call, const struct view *view, const uint8_t *bytes, size_t len,
		struct value **ret_values);

/* The version of a row from its xmin, which has 32 of its bits. */
uint64_t rows_version(const struct postgres *postgres, uint32_t xmin);

/* The row's bytes as they are kept in cell.changes: sealed if the table has an encrypted column. */
int rows_for_log(struct cell_call *call, const struct postgres *postgres, const struct view *view,
		 const struct value *values, const uint8_t **ret_bytes, size_t *ret_len);
int rows_from_log(struct cell_call *call, const struct postgres *postgres, const struct view *view,
		  const uint8_t *bytes, size_t len, const uint8_t **ret_bytes, size_t *ret_len);

/* --- scan.c ----------------------------------------------------------------------------- */

/* A scan that was understood: where it goes, with its parameters. */
struct scan {
	struct view *view;
	const char *rows, *keys, *count; /* statements */
	struct pg_value *parameters;
	size_t n_parameters;
};
int scan_read(struct cell_call *call, struct view *view, const struct table_scan_request *in,
	      struct scan *ret);

/* What a scan saw: a digest of keys and versions, in order. */
#define MARK_SIZE 32
/* That of SCAN in the transaction that SESSION is in, and how many rows there are. */
int scan_mark(struct cell_call *call, struct pg_session *session, const struct scan *scan,
	      uint8_t ret_mark[MARK_SIZE], uint64_t *ret_n);

int tables_get(struct cell_call *call, void *self, const struct table_get_request *in,
	       struct table_get_reply *out);
int tables_scan(struct cell_call *call, void *self, const struct table_scan_request *in,
		struct table_rows_sink *out);
int tables_count(struct cell_call *call, void *self, const struct table_scan_request *in,
		 struct table_counted *out);

/* --- commit.c --------------------------------------------------------------------------- */

int tables_commit(struct cell_call *call, void *self, const struct table_commit_request *in,
		  struct table_committed *out);
int tables_next(struct cell_call *call, void *self, const struct table_next_request *in,
		struct table_next_reply *out);

/* How a transaction ends that is not COMMIT: "PREPARE TRANSACTION '…'". */
int commit_as(struct cell_call *call, struct postgres *postgres,
	      const struct table_commit_request *in, const char *end, struct table_committed *out);

/* --- twophase.c -------------------------------------------------------------------------- */

int tables_prepare(struct cell_call *call, void *self, const struct table_prepare_request *in,
		   struct table_prepared *out);
int tables_decide(struct cell_call *call, void *self, const struct table_decision *in,
		  struct table_decided *out);

/* --- watch.c ------------------------------------------------------------------------------ */

int tables_watch(struct cell_call *call, void *self, const struct table_watch_request *in,
		 struct table_changes_sink *out);

/* --- query.c ------------------------------------------------------------------------------ */

int tables_query(struct cell_call *call, void *self, const struct table_query_request *in,
		 struct table_query_rows_sink *out);

/* --- reseal.c ------------------------------------------------------------------------------ */

struct migration;
struct migration_step;

/* Carry out MIGRATION_SET_ENCRYPTED, in the transaction that SESSION is in. */
int reseal_column(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
		  const char *sql_schema, const struct migration *migration,
		  const struct migration_step *step);
/* Seal all encrypted columns of all tables with the newest key; a transaction for each table. */
int reseal_all(struct cell_call *call, struct postgres *postgres, struct pg_session *session,
	       uint64_t *ret_rows);

/* --- provision.c --------------------------------------------------------------------------- */

int postgres_provision(struct cell_macro_work *work, const struct macro_declared *declared,
		       bool only_check);
/* For table_provider.live and cell_macro_provider.states. */
int postgres_live(struct cell_call *call, void *self, const char *store, const char *name,
		  const struct table_table **ret);
int postgres_states(struct cell_call *call, void *self, const struct macro_state **ret_states,
		    size_t *ret_n);
