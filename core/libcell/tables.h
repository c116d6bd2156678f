/*
 * What calls do with tables: the versions of rows that a call has seen, its transaction, its
 * cursors; and, of the process, what they share.
 *
 * A call that uses no tables has a NULL in struct call_root and no more. One that does has a
 * struct call_tables, with memory of its own: callers rewind theirs in the middle of
 * transactions. These are kept for the next calls, so that none is allocated on the way.
 */
#pragma once

#include "callstate.h"
#include "table_row.h"

#include <cell/table.h>
#include <table.cell.h>

/*
 * Places for rows read outside of transactions, of which a call knows the version: twice as many
 * as cell/table.h says, as each row has but few to choose from.
 */
#define TABLE_SEEN_MAX 131072u
/* What a transaction may hold: rows that it wrote, keys of rows that it read. */
#define TABLE_TXN_BYTES_MAX ((size_t)64 << 20)
/* Handlers that lost a race on a row wait for each other: so long, then they go on. */
#define TABLE_TURN_TIMEOUT_NS 1000000000ull
/* Rows that take turns are told apart by this many queues. */
#define TABLE_TURNS 256u
/* Turns that one transaction may have at a time. */
#define TABLE_TURNS_HELD_MAX 8

/* Indices of table_tables_methods. */
enum tables_method {
	TABLES_GET,
	TABLES_SCAN,
	TABLES_COUNT,
	TABLES_COMMIT,
	TABLES_PREPARE,
	TABLES_DECIDE,
	TABLES_NEXT,
	TABLES_WATCH,
	TABLES_QUERY
};
/* And of txn_methods. */
enum txn_method { TXN_BEGIN, TXN_COMMIT, TXN_ABORT };

/* --- versions seen outside of transactions
 * --------------------------------------------------- */

struct seen_row {
	uint64_t hash; /* 0 = none */
	uint64_t version;
};

/* A line of the cache, that read last first: what a read of one row of many costs. */
#define SEEN_WAYS 4
struct seen_set {
	struct seen_row rows[SEEN_WAYS];
};

struct seen {
	struct seen_set *sets;
	uint32_t n_sets; /* a power of two; more when one is full, up to TABLE_SEEN_MAX rows */
};

/* --- transactions
 * --------------------------------------------------------------------------- */

struct txn_write {
	struct txn_write *next;     /* in order */
	struct txn_write *previous; /* of the same row */
	struct txn_row *row;
	enum table_write_kind kind;
	uint64_t number; /* rises */
	size_t len;
	const uint8_t *bytes; /* the row, or its key */
};

/* A row that was read or written. */
struct txn_row {
	struct txn_row *next; /* all of the transaction */
	struct txn_table *table;
	struct txn_write *write; /* the last one */
	uint64_t hash;
	uint64_t version; /* that was read; 0 = it was not there */
	bool was_read;
	size_t key_len;
	uint8_t key[];
};

struct txn_range {
	struct txn_range *next;
	struct txn_table *table;
	struct table_scan_request
		scan; /* without its table; what it points to is the transaction's */
	const uint8_t *mark;
	size_t mark_len;
};

/* A cell that takes part. */
struct txn_party {
	struct txn_party *next;
	const char *cell;
	struct cell_ref *ref;
	const char *to_cell; /* as in struct cell_call */
	uint64_t to_instance;
	uint32_t n_tables, n_reads, n_ranges, n_writes;
};

struct txn_table {
	struct txn_table *next;
	const struct cell_table *table;
	struct txn_party *party;
	uint32_t number; /* in its party's request */
	uint32_t n_writes;
};

/* What a transaction within another takes back if it fails: writes behind LAST. */
struct txn_level {
	struct txn_level *outer;
	struct txn_write *last;
};

struct txn {
	struct txn_level *level; /* innermost; NULL = no transaction */
	struct txn_level outermost;
	struct txn_party *parties;
	uint32_t n_parties;
	struct txn_table *tables; /* the last one used is first */
	struct txn_row **buckets;
	uint32_t n_buckets, n_rows;
	struct txn_row *rows;
	struct txn_range *ranges;
	struct txn_write *writes, **writes_end, *last_write;
	uint64_t n_writes;
	uint64_t frozen; /* writes up to this number were shown by a cursor, or saved */
	bool is_repeatable;
	bool has_lost; /* something read twice was another the second time */
};

/* --- turns
 * ------------------------------------------------------------------------------------ */

struct turn {
	struct list node; /* in its queue; the first has the turn */
	struct list *queue;
	struct waiter *waiter;
};

/* --- a call's
 * ---------------------------------------------------------------------------------- */

struct call_tables {
	struct call_tables *next; /* in the process's spare ones */
	struct cell_arena arena;  /* the transaction's */
	struct txn txn;
	struct seen seen;
	struct list cursors;
	struct turn turns[TABLE_TURNS_HELD_MAX];
	unsigned n_turns;
	bool is_broken; /* there was no memory for one: everything fails */
};

/* Numbers of a serial column, taken in advance. */
struct serial {
	struct serial *next;
	const struct cell_table *table;
	const struct cell_column *column;
	int64_t at;
	uint32_t left, batch;
};

/* The process's. */
struct tables {
	struct call_tables *spare;
	unsigned n_spare;
	struct serial *serials;
	struct list turns[TABLE_TURNS];
};

/* CALL's; NULL, and the error is kept, if there is no memory. */
struct call_tables *call_tables_get(struct cell_call *call);
/* Take ROOT's from it: forget its transaction, end its cursors. */
void call_tables_end(struct call_root *root);
void tables_free(struct runtime *rt);

/* CALL has called a method that is not idempotent, or sent an item. */
void call_tables_spoil(struct call_root *root);
static inline void call_tables_note(struct call_root *root, const struct cell_method *method)
{
	if (__builtin_expect(root->tables != NULL, 0) &&
	    !(method->flags & CELL_METHOD_IDEMPOTENT))
		call_tables_spoil(root);
}

/* Whether CALL is in a transaction. */
static inline bool call_has_txn(const struct cell_call *call)
{
	const struct call_tables *tables = call->root->tables;

	return tables && tables->txn.level;
}

/* --- versions seen: seen.c
 * -------------------------------------------------------------------- */

/* What names a row of a table in a process, and at the cell that CALL goes to; not 0. */
uint64_t table_key_hash(const struct cell_call *call, const struct cell_table *table,
			const uint8_t *key, size_t len);
/* -ENOMEM leaves it as it was: then it is not known. */
int table_seen_note(struct seen *seen, uint64_t hash, uint64_t version);
bool table_seen_find(const struct seen *seen, uint64_t hash, uint64_t *ret_version);
/* What was written: known from now on as VERSION, if it was known before. */
void table_seen_update(struct seen *seen, uint64_t hash, uint64_t version);
/* Forget all; small memory is kept. */
void table_seen_clear(struct seen *seen);
void table_seen_free(struct seen *seen);

/* --- requests: table.c
 * ------------------------------------------------------------------------- */

static inline struct table_table_ref table_ref_of(const struct cell_table *table)
{
	return (struct table_table_ref){ table->store, table->name, table->version };
}

/* Key KEY of ROW as bytes in ARENA. */
int table_key_bytes(struct cell_call *call, const struct cell_table *table, unsigned key,
		    unsigned n, const void *row, struct cell_arena *arena,
		    const uint8_t **ret_bytes, size_t *ret_len);
int table_row_bytes(struct cell_call *call, const struct cell_table *table, const void *row,
		    struct cell_arena *arena, const uint8_t **ret_bytes, size_t *ret_len);

/*
 * Call METHOD of the cell that has tables; provisions what is linked in, once, if that cell
 * does not know it. Else as cell_invoke().
 */
int tables_invoke(struct cell_call *call, struct cell_ref *ref,
		  const struct cell_method *method, const void *in, void *out);
/* Whether the error of CALL says so, and provisioning helped: try again. */
bool tables_provisioned(struct cell_call *call, struct cell_ref *ref, int status);

/* One row, from its cell: *ret_version is 0 if it is not there. ROW_ARENA gets what it points
 * to. */
struct table_fetched {
	const struct cell_table *table;
	void *row;
	bool found;
	uint64_t version;
};
int table_fetch(struct cell_call *call, const struct cell_table *table, unsigned key,
		const void *row, struct table_fetched *fetched);
/* One write, outside of a transaction. */
int table_write_now(struct cell_call *call, const struct cell_table *table,
		    enum table_write_kind kind, const void *row);
/* Insert ROW, and fill it with what was stored. */
int table_insert_now(struct cell_call *call, const struct cell_table *table, void *row);
/* CALL knows that ROW has VERSION; 0: it is not there. */
int table_version_note(struct cell_call *call, const struct cell_table *table,
		       const void *row, uint64_t version);
/* "no account with id 9" */
int table_not_found(struct cell_call *call, const struct cell_table *table, unsigned key,
		    const void *row);

/* --- transactions: txn.c
 * ------------------------------------------------------------------------ */

static inline struct txn *call_txn(const struct cell_call *call)
{
	return &call->root->tables->txn;
}

/* Refuse: it holds what it may hold; or there never was memory for it. */
int table_txn_too_large(struct cell_call *call);
int table_txn_broken(struct cell_call *call);

/* TABLE in the transaction; NULL, and the error is kept, if there is no room for it. */
struct txn_table *table_txn_table(struct cell_call *call, const struct cell_table *table);
struct txn_row *table_txn_find(const struct txn *txn, const struct cell_table *table,
			       uint64_t hash, const uint8_t *key, size_t len);

/* The primary key of a row, and its place in the transaction, if it has one. */
struct txn_named {
	struct txn_row *row;
	const uint8_t *key;
	size_t len;
	uint64_t hash;
};
int table_txn_name(struct cell_call *call, const struct cell_table *table, const void *row,
		   struct txn_named *ret);
/* Give it one. */
int table_txn_add(struct cell_call *call, const struct cell_table *table,
		  struct txn_named *named);

int table_txn_write(struct cell_call *call, const struct cell_table *table,
		    enum table_write_kind kind, const void *row);
/* What happened to ROW up to the write number NUMBER; NULL = nothing. */
const struct txn_write *table_txn_write_at(const struct txn_row *row, uint64_t number);
static inline bool txn_write_deletes(const struct txn_write *write)
{
	return write->kind == TABLE_WRITE_KIND_REMOVE ||
	       write->kind == TABLE_WRITE_KIND_DELETE;
}

/* End the outermost transaction, but keep what it read and wrote for a look. */
int table_txn_commit(struct cell_call *call, int err);
/* End one that is within another. Returns ERR. */
int table_txn_leave(struct cell_call *call, int err);
void table_txn_clear(struct call_tables *tables);

/* txn_read.c */
int table_txn_get(struct cell_call *call, const struct cell_table *table, unsigned key,
		  const void *row, void *ret_row);
/* A scan gave what MARK stands for; SCAN's bytes are copied. */
int table_txn_add_range(struct cell_call *call, const struct cell_table *table,
			const struct table_scan_request *scan, const uint8_t *mark,
			size_t mark_len);

/* txn_commit.c */
/* Commit REQUEST at a cell, under an id of its own. */
int table_txn_send(struct cell_call *call, struct cell_ref *ref,
		   struct table_commit_request *request, struct table_committed *ret);
/* All that the transaction has for PARTY. */
int table_txn_commit_at(struct cell_call *call, const struct txn_party *party);
int table_txn_commit_over_cells(struct cell_call *call);

/* --- turns: table_atomic.c
 * ---------------------------------------------------------------------- */

/* If others take turns at a row of HASH: wait for one. 0, or CALL cannot wait any more. */
int table_turn_take(struct cell_call *call, uint64_t hash);
void table_turns_leave(struct call_root *root);

/* --- cursors: table_cursor.c
 * --------------------------------------------------------------------- */

struct cursor {
	struct list node; /* in the call's cursors */
	struct cell_call call;
	/* The next row; NULL, with *ERR as it was or set, at the end. */
	void *(*next)(struct cursor *cursor, int *err);
	/* Free all but the cursor itself. COUNTS: the transaction is to know what was read.
	 */
	int (*stop)(struct cursor *cursor, bool counts);
	bool is_of_txn;
	bool is_over;
	int err;
	struct cell_error error;
};

/* SIZE bytes that begin with a struct cursor, zeroed; NULL, and the error is kept. */
struct cursor *table_cursor_new(struct cell_call *call, size_t size);
/* Free it at once: nothing has begun. Returns what a caller gets: one that failed with ERR.
 */
struct cell_cursor table_cursor_drop(struct cursor *cursor, int err);
struct cell_cursor table_cursor_failed(struct cell_call *call, int err);
struct cell_cursor table_cursor_begun(struct cursor *cursor);
/* As cell_stream_end(), always with a text if it fails. */
int table_cursor_end_stream(struct cursor *cursor, struct cell_stream *stream);
/* End those of the transaction that ends; COUNTS: what they have read is part of it. */
int table_cursors_stop(struct cell_call *call, bool counts);
/* The call ends: free all. */
void table_cursors_free(struct call_tables *tables);

/* linked.c */
/* What REF's program declares for CELL, sent there again. 0, or LINKED_NONE if there is
 * nothing. */
int linked_provision(struct cell_call *call, const struct cell_ref *ref, const char *cell);
