/*
 * A PostgreSQL server: a pool of connections, and statements on one of them. The one place that
 * sees libpq.
 *
 * Nothing here blocks the loop: what waits, waits as a call does, with its deadline, so it must
 * run in handlers and tasks. Errors are kept in the call, with PostgreSQL's own text.
 *
 *	pg_take → a session → pg_add, pg_add, … pg_run (one round trip) → pg_give
 */
#pragma once

#include <cell/call.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg;
struct pg_session;
struct pg_result;

/* Statements of one round trip. */
#define PG_BATCH_MAX 32
/* Prepared statements that a connection remembers; the one not used for longest goes. */
#define PG_STATEMENTS_MAX 256

/*
 * Read the settings (conf.h) in the file PATH; without that file libpq's defaults and the
 * environment count. It connects when first asked for a session; the file is read anew for each
 * connection. Returns 0, CELL_INVALID_ARGUMENT for a setting, CELL_PERMISSION_DENIED for a file
 * with a password that others may read, or -errno.
 */
int pg_open(struct pg **ret, const char *path, struct cell_error *err);
void pg_close(struct pg *pg);

struct pg_status {
	unsigned limit, open, idle, waiting;
	uint64_t connected, failed, lost; /* connections since the start */
	int server_version;               /* 150020; 0 = never connected */
	char server[200];                 /* "host 127.0.0.1, port 5432, database shop" */
	char trouble[160];                /* why there is no connection; "" */
};
void pg_status(const struct pg *pg, struct pg_status *ret);

/* One parameter of a statement. */
struct pg_value {
	const void *bytes; /* NULL = NULL */
	size_t len;
	uint32_t oid;  /* of its type; 0: PostgreSQL finds out */
	bool is_text;  /* in PostgreSQL's text format; with a NUL behind it */
};

/*
 * A connection of one's own until pg_give(). IS_LONG: it will be held for as long as the client
 * likes; of these there is always one less than there may be connections, so that commits go on.
 * Returns 0, CELL_UNAVAILABLE if the server cannot be reached within the setting `wait`, or
 * CELL_RESOURCE_EXHAUSTED when all are in use until the call's deadline.
 */
int pg_take(struct cell_call *call, struct pg *pg, bool is_long, struct pg_session **ret);

/* Accepts NULL. A transaction that is open is rolled back; one whose answer is due is cut off. */
void pg_give(struct pg_session *session);

/*
 * Add a statement to the next round trip. It is prepared once per connection. What VALUES point
 * to is copied. A failure shows in pg_run().
 */
void pg_add(struct pg_session *session, const char *text, const struct pg_value *values, size_t n);

/*
 * Send what was added and wait for all answers. RET_RESULTS, if not NULL, gets one result for
 * each; they live until the next pg_run() or pg_give(). Without BEGIN they are one transaction.
 * The first one to fail ends it. Returns 0, or the status of the error: see pg_fault().
 */
int pg_run(struct cell_call *call, struct pg_session *session,
	   const struct pg_result *const **ret_results);

/* One statement: pg_add() and pg_run(). RET may be NULL. */
int pg_do(struct cell_call *call, struct pg_session *session, const char *text,
	  const struct pg_value *values, size_t n, const struct pg_result **ret);

size_t pg_rows(const struct pg_result *result);
size_t pg_columns(const struct pg_result *result);
/* The bytes of a value in binary format; NULL for NULL. */
const uint8_t *pg_cell(const struct pg_result *result, size_t row, size_t column, size_t *ret_len);
uint32_t pg_column_oid(const struct pg_result *result, size_t column);
/* How many rows the statement changed, or gave. */
uint64_t pg_changed(const struct pg_result *result);
/* Numbers in binary format of 1 to 8 bytes, by their length. 0 for NULL. */
int64_t pg_integer(const struct pg_result *result, size_t row, size_t column);
/* Text, NUL-terminated; "" for NULL. */
const char *pg_text(const struct pg_result *result, size_t row, size_t column);

/* What the server said of the last failure of SESSION. */
struct pg_fault {
	char sqlstate[6]; /* "" = the connection broke, or the wait ended */
	char message[512];
	char detail[256];
	char hint[256];
	char constraint[64];
	char table[64];
	char column[64];
	size_t statement; /* which of those of the round trip failed */
	size_t position; /* of the character in the statement, from 1; 0 = not known */
};
const struct pg_fault *pg_fault(const struct pg_session *session);

/* Whether the failure is PostgreSQL's word for a lost race: a run again may do. */
bool pg_fault_is_race(const struct pg_session *session);

/* The status that stands for an SQLSTATE: "23505" → CELL_ALREADY_EXISTS. */
int pg_status_of(const char *sqlstate);

/* The number of the transaction that the server will give next, or a late one: see version.h. */
uint64_t pg_transaction_seen(const struct pg *pg);
void pg_saw_transaction(struct pg *pg, uint64_t number);

/* From now on all statements are prepared anew: a table is another than it was. */
void pg_forget_statements(struct pg *pg);

/* --- what a statement takes and gives ------------------------------------------------------ */

struct pg_described {
	size_t n_parameters;
	uint32_t *parameters; /* types */
	size_t n_columns;
	struct pg_described_column {
		const char *name;
		uint32_t oid;
		int32_t modifier;
		uint32_t table; /* that it comes from; 0 = none */
		int16_t column;
	} *columns;
};

/* Prepare and describe TEXT, without running it. *RET lives in CALL. As pg_run(). */
int pg_describe(struct cell_call *call, struct pg_session *session, const char *text,
		struct pg_described *ret);

/* --- notifications --------------------------------------------------------------------------- */

/*
 * Wait until the server sends a notification that SESSION listens to, or MS pass. Returns 0
 * either way, or why the connection is gone.
 */
int pg_wait_notified(struct cell_call *call, struct pg_session *session, uint64_t ms);
