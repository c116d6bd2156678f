/* What pg.c, pg_connect.c and pg_statement.c share: connections as libpq has them. */
#pragma once

#include "conf.h"
#include "pg.h"

#include <libpq-fe.h>

struct pg_waiter {
	struct pg_waiter *next;
	int event; /* an eventfd */
	bool is_long;
	bool is_woken; /* and no longer in the queue */
};

struct pg {
	char path[256]; /* of the settings */
	unsigned limit, wait_ms;
	unsigned open;   /* connections, and attempts at one */
	unsigned n_long; /* of those taken */
	struct pg_session *idle;
	struct pg_waiter *waiters;
	uint64_t generation; /* statements of an older one are prepared anew */
	uint64_t transaction_seen;
	unsigned backoff_ms; /* 0: the last attempt succeeded */
	uint64_t retry_at_ns;
	struct pg_status told;
};

/* A prepared statement: its name on the server is "s" and the number. */
struct pg_statement {
	char *text;
	uint32_t hash;
	uint32_t number;
	uint64_t types;
	uint64_t used; /* a clock of uses */
	bool is_due;   /* its preparation is on its way */
};

struct pg_pending {
	int statement; /* index; its preparation comes first if `prepares` */
	bool prepares;
};

struct pg_session {
	struct pg *pg;
	struct pg_session *next; /* idle */
	PGconn *conn;
	bool is_long;
	bool is_broken;    /* to be closed, not used again */
	bool is_settling;  /* a ROLLBACK is on its way */
	uint64_t generation;
	size_t n_statements;
	struct pg_statement statements[PG_STATEMENTS_MAX];
	uint32_t next_number;
	uint64_t uses;
	size_t n_pending;
	struct pg_pending pending[2 * PG_BATCH_MAX + 2];
	int add_err; /* -errno: something could not be added */
	size_t n_results;
	PGresult *results[2 * PG_BATCH_MAX + 2];
	struct pg_fault fault;
};

/* --- pg_connect.c: one connection, by the settings in the file --- */

int pg_settings(const char *path, struct conf *ret, struct cell_error *err);
/* A connected, non-blocking PGconn in pipeline mode. Waits. */
int pg_connect(struct cell_call *call, struct pg *pg, PGconn **ret);

/* --- pg_statement.c --- */

void pg_results_clear(struct pg_session *session);
void pg_statements_clear(struct pg_session *session);
/* The next result of CONN when it is there; NULL as PQgetResult() has it. Waits. */
int pg_next_result(struct cell_call *call, PGconn *conn, PGresult **ret);
/* The error in RESULT, or of the connection if it is NULL, as fault and in the call. */
int pg_failed(struct cell_call *call, struct pg_session *session, const PGresult *result);
/* Send ROLLBACK, without waiting; and take its answer. */
bool pg_settle_start(struct pg_session *session);
int pg_settle_end(struct cell_call *call, struct pg_session *session);
