/*
 * Tables and transactions: what the functions that db::table and postgres::table generate are
 * made of. Programs use those (db-macros(7)) and, from here, cell_txn_begin() to
 * cell_txn_end(), and cell_rows_end(); the rest is for generated code.
 *
 * A row is the user's struct. Whatever names a row by its key takes a struct of which only
 * the columns of that key are read. What is given back lives in the call; rows of a cursor
 * until the next one.
 *
 * Everything waits as any call does, and may be called in handlers, tasks and programs, not
 * in callbacks of the loop. Besides what is said here everything returns what keeps it from
 * reaching the cell that has the table (CELL_UNAVAILABLE, CELL_DEADLINE_EXCEEDED, …).
 */
#pragma once

#include <cell/call.h>
#include <cell/message.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- what a table is; generated, constant ------------------------------------------------ */

enum cell_column_kind {
	CELL_COLUMN_BOOL = 1,
	CELL_COLUMN_INT32,
	CELL_COLUMN_UINT32,
	CELL_COLUMN_INT64,
	CELL_COLUMN_UINT64,
	CELL_COLUMN_FLOAT,
	CELL_COLUMN_DOUBLE,
	CELL_COLUMN_ENUM,   /* an int */
	CELL_COLUMN_TEXT,   /* const char * */
	CELL_COLUMN_CHARS,  /* char [size]; NUL-terminated unless it is full */
	CELL_COLUMN_BYTES,  /* size_t n_x; const uint8_t *x */
	CELL_COLUMN_BLOCK,  /* uint8_t [size] */
	CELL_COLUMN_MESSAGE /* a struct by value, of type `message` */
};

enum cell_column_flag {
	CELL_COLUMN_REPEATED = 1, /* size_t n_x; const T *x, of the kinds up to TEXT */
	CELL_COLUMN_SERIAL = 2,   /* inserted as 0 it gets the next number */
	CELL_COLUMN_COMPUTED = 4, /* what the struct has counts for nothing when it is written */
	/* What an inserted row gets that lacks it, where `fallback` is NULL: */
	CELL_COLUMN_NOW = 8,      /* microseconds since 1970 UTC, an int64_t */
	CELL_COLUMN_UUID = 16     /* 16 random bytes as RFC 9562, version 4, a BLOCK */
};

struct cell_column {
	const char *name;
	uint32_t number;       /* on the wire: proto/table.proto */
	uint8_t kind;          /* enum cell_column_kind */
	uint8_t flags;         /* enum cell_column_flag */
	uint32_t offset;       /* of the member in the struct, in bytes */
	uint32_t has_offset;   /* of its `bool has_x`; UINT32_MAX = it is never NULL */
	uint32_t count_offset; /* of its `size_t n_x`; UINT32_MAX = it has none */
	uint32_t size;         /* of the member's type, in bytes */
	const struct cell_message_type *message;
	/*
	 * A value as the member has it (of bytes a struct cell_bytes), for rows inserted without:
	 * NULL, or zero where NULL cannot be. NULL = none.
	 */
	const void *fallback;
};

struct cell_table_key {
	const char *name;        /* for messages: "id", "city, age" */
	const uint16_t *columns; /* indices into the table's columns, in order */
	uint16_t n;              /* 0: the table has one row */
	bool is_unique;
};

struct cell_table {
	struct cell_ref *ref;    /* the cell that has it */
	const char *store;
	const char *name;
	uint64_t version;        /* TableRef.version of table.proto */
	size_t row_size;         /* sizeof the struct */
	const struct cell_column *columns;
	size_t n_columns;
	const struct cell_table_key *keys; /* [0] is the primary key, [N] the index N on the wire */
	size_t n_keys;
};

/* --- rows -------------------------------------------------------------------------------- */

/*
 * The row with the KEY (0: the primary one, else a unique index) that ROW has. *ret_row is
 * written on success only and may be ROW. CELL_NOT_FOUND: "no account with id 9".
 */
int cell_table_get(struct cell_call *call, const struct cell_table *table, unsigned key,
		   const void *row, void *ret_row);

/*
 * Insert or replace. Within a transaction it happens at its end; else now, and fails with
 * CELL_ABORTED if CALL has read the row and it is another since. Of the rows that a call reads
 * outside of transactions this is known for the last 65,536, all but a few.
 *
 * CELL_FAILED_PRECONDITION: a check or reference forbids it. CELL_ALREADY_EXISTS: another row
 * has the value of a unique index.
 */
int cell_table_put(struct cell_call *call, const struct cell_table *table, const void *row);

/*
 * A new row: CELL_ALREADY_EXISTS if its key is there. Members that are NULL, or zero where
 * they cannot be NULL, get their default; serial ones their number, also in a transaction;
 * computed ones what was computed, outside of one.
 */
int cell_table_insert(struct cell_call *call, const struct cell_table *table, void *row);

/* Replace: CELL_NOT_FOUND if its key is not there. Else as cell_table_put(). */
int cell_table_update(struct cell_call *call, const struct cell_table *table, const void *row);

/*
 * CELL_NOT_FOUND if it is not there; CELL_FAILED_PRECONDITION if others refer to it;
 * CELL_ABORTED as cell_table_put().
 */
int cell_table_delete(struct cell_call *call, const struct cell_table *table, const void *row);

/* N rows at ROWS, one behind the other, in one transaction. As cell_table_put() each. */
int cell_table_put_all(struct cell_call *call, const struct cell_table *table, const void *rows,
		       size_t n);

int cell_table_count(struct cell_call *call, const struct cell_table *table, uint64_t *ret_n);

/* --- cursors ------------------------------------------------------------------------------- */

/* What a cursor goes over. The structs are copied. */
struct cell_scan {
	unsigned key;          /* 0 = the primary one, N = index N */
	const void *from;      /* a row, of which the first n_from columns of the key count */
	unsigned n_from;
	const void *to;        /* up to all that begin so, themselves included */
	unsigned n_to;
	bool is_prefix;        /* the last column of `from` is only the beginning of a text */
	bool is_backwards;     /* from the end of the range */
	uint64_t limit;        /* rows; 0 = all */
};

/*
 * One moment of the table: what is written later does not show, except for what CALL's own
 * transaction had written before the cursor began. Cannot fail: cell_cursor_end() says why it
 * stopped. Ends with the call.
 */
struct cell_cursor {
	struct cell_call *call;
	void *state; /* libcell's; NULL = it failed, or has ended */
	int err;
};

struct cell_cursor cell_table_scan(struct cell_call *call, const struct cell_table *table,
				   const struct cell_scan *scan);
/* The next row, good until the next call of this; NULL at the end. */
void *cell_cursor_next(struct cell_cursor *cursor);
/* 0 at the end, or why it stopped. To be called once; before the end it gives up the rest. */
int cell_cursor_end(struct cell_cursor *cursor);

/* --- watches ------------------------------------------------------------------------------- */

/* What happened to a row. Generated: struct account_change has the same members, typed. */
struct cell_change {
	uint64_t at;         /* the commit: a point to go on from */
	const void *before;  /* the row that was; NULL = there was none */
	const void *row;     /* the row that is; NULL = it was deleted */
};

/*
 * A cursor of struct cell_change: changes behind the point AFTER. UINT64_MAX: from now on, for
 * which the cell is waited for here.
 * The next one waits until there is one, or the call's deadline passes; a call without one
 * waits for ever. CELL_OUT_OF_RANGE: they are no longer kept that far back.
 */
struct cell_cursor cell_table_watch(struct cell_call *call, const struct cell_table *table,
				    uint64_t after);

/* --- transactions ------------------------------------------------------------------------- */

/*
 * From here to cell_txn_end() what CALL reads and writes in tables is one transaction,
 * wherever they are. Nothing is locked: rows read are remembered with their versions, writes
 * are kept in the call, and the end sends both. Reads see own writes.
 *
 * Within another transaction it joins that one: the outer end decides. Returns 0 or -ENOMEM.
 */
int cell_txn_begin(struct cell_call *call);

/*
 * End it: commit if ERR is 0, else forget it. Returns ERR, 0 when it is durable, or
 * CELL_ABORTED if something that was read is another now: then nothing has happened. With
 * CELL_UNAVAILABLE or CELL_DEADLINE_EXCEEDED it may have happened or not.
 */
int cell_txn_end(struct cell_call *call, int err);

/*
 * Run FN(CALL, USERDATA) in a transaction, again if it loses a race, at most 5 times in all,
 * unless it has called a method that is not idempotent or sent an item. Before each run the
 * call's memory is rewound to what it was.
 */
int cell_atomically(struct cell_call *call, int (*fn)(struct cell_call *call, void *userdata),
		    void *userdata);

/*
 * The same for the wrapper of db::atomic: a loop around the function.
 *
 *	struct cell_atomic cell_atomic = cell_atomic_begin(call);
 *	do
 *		err = …;
 *	while (cell_atomic_again(&cell_atomic, &err));
 *	return err;
 *
 * cell_atomic_again() ends the transaction; true: it is begun anew, run the function again.
 */
struct cell_atomic {
	struct cell_call *call;
	struct cell_arena_mark mark;
	unsigned runs;
	bool is_outermost;
	int err;
};
struct cell_atomic cell_atomic_begin(struct cell_call *call);
bool cell_atomic_again(struct cell_atomic *atomic, int *err);

/* --- queries: postgres::query ------------------------------------------------------------- */

/* A statement with its parameters and columns, as the struct members that they are. */
struct cell_query {
	struct cell_ref *ref;
	const char *text;
	const struct cell_column *parameters; /* members of one struct */
	size_t n_parameters;
	const struct cell_column *columns;
	size_t n_columns;
	size_t row_size;
};

/* Zeroed before the first call of a function that gives one row a call. */
struct cell_rows {
	struct cell_cursor cursor;
	bool is_open;
};

/* 0, and how many rows it changed in *ret_n, which may be NULL. */
int cell_query_run(struct cell_call *call, const struct cell_query *query, const void *parameters,
		   uint64_t *ret_n);
/* The one row. CELL_NOT_FOUND, or CELL_FAILED_PRECONDITION if there are several. */
int cell_query_one(struct cell_call *call, const struct cell_query *query, const void *parameters,
		   void *ret_row);
/* All of them, an array in CALL. */
int cell_query_all(struct cell_call *call, const struct cell_query *query, const void *parameters,
		   size_t *ret_n, void **ret_rows);
/* The next one, good until the next; NULL at the end. The first call of ROWS runs the query. */
void *cell_query_next(struct cell_call *call, const struct cell_query *query,
		      const void *parameters, struct cell_rows *rows);
int cell_rows_end(struct cell_rows *rows);

#ifdef __cplusplus
}
#endif
