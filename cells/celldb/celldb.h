/*
 * The database, as the rest of this folder sees it: tables on one LMDB store.
 *
 * The loop's thread reads: each call has a view (view.h), a consistent snapshot. One thread of
 * its own writes: whoever changes anything hands it a job (group.h) and waits, so that all who
 * wait together share one fsync. Nothing here blocks the loop.
 */
#pragma once

#include <cell/call.h>
#include <cell/internal/table/macros.h>
#include <cell/internal/table/schema.h>
#include <cell/macro.h>
#include <cell/store.h>
#include <table.cell.h>

struct celldb_admin_handlers;
struct engine;
struct group;
struct pulse;
struct reader;
struct sequences;
struct watcher;

struct celldb {
	struct table_provider provider; /* first: what macros.c is asked with */
	struct reader *reader;          /* of the loop's thread: snapshots, catalog, keys */
	struct group *group;            /* the thread that writes */
	struct sequences *sequences;    /* numbers that were taken ahead */
	struct watcher *watchers;       /* who is told of commits */
	struct cell_call *call;         /* the process's own */
	bool is_asking;                 /* for decisions */
	bool is_busy;                   /* with a backup or a verification */
	bool is_left;                   /* a thread goes on with it while the process ends */
	uint64_t started_us;            /* by the monotonic clock */
	char dir[256];                  /* where the store and the key file are */
	char keys[300];                 /* the key file */
	struct cell_store *store;
	struct engine *engine;          /* the writing thread's */
	struct seal *engine_seal;
	struct pulse *pulse;
};

/*
 * Open what is in DIR, or make it, and start the writing thread. CALL is the process's own.
 * Environment: CELL_CELLDB_MAX (how large the store may become), CELL_CELLDB_LOG (changes
 * that are kept). Returns 0, or why it cannot be: the text is in CALL.
 */
int celldb_open(struct celldb **ret, struct cell_call *call, const char *dir);
/* From now on ask for decisions that do not come; before cell_loop_run(). */
void celldb_start_asking(struct celldb *db);
/* Finishes what is queued. */
void celldb_close(struct celldb *db);

/* cell.table.v1.Tables; SELF is a struct celldb. */
extern const struct table_tables_handlers celldb_tables_handlers;

/* For cell_macro_provider: SELF is a struct celldb. */
int celldb_provision(struct cell_macro_work *work, const struct macro_declared *declared,
		     bool only_check);
/* "table STORE/NAME" of each table, with the digest of its declaration. */
int celldb_states(struct cell_call *call, void *self, const struct macro_state **ret_states,
		  size_t *ret_n);
/* For table_provider: the table as it is now, or NULL. */
int celldb_live(struct cell_call *call, void *self, const char *store, const char *name,
		const struct table_table **ret);

/* ---- for tools: admin.c --------------------------------------------------------------------- */

/* cell.celldb.v1.Admin, for cell_serve(); SELF is a struct celldb. */
extern const struct celldb_admin_handlers celldb_admin_handlers;

struct celldb_table {
	const struct table_table *told; /* the declaration as it is now */
	uint64_t version;               /* TableRef.version of it */
	uint32_t versions;              /* that were ever provisioned */
	uint64_t rows;
};

/*
 * All tables that CALL's peer may use, by store and name. *ret is an array in CALL, with all
 * that it points to. Returns 0, -ENOMEM, or what the store says.
 */
int celldb_tables(struct celldb *db, struct cell_call *call, const struct celldb_table **ret,
		  size_t *ret_n);

/*
 * One of them, in CALL. STORE "": the only store that has a table NAME. CELL_NOT_FOUND, with a
 * similar name if there is one; CELL_PERMISSION_DENIED; CELL_INVALID_ARGUMENT if several do.
 */
int celldb_table(struct celldb *db, struct cell_call *call, const char *store, const char *name,
		 struct celldb_table *ret);

struct celldb_stats {
	struct cell_store_stat store;
	uint64_t tables, versions, rows;
	uint64_t version;           /* of the last commit */
	uint64_t log_entries;       /* changes that are kept */
	uint64_t log_from;          /* changes behind this commit are kept */
	uint64_t commits, refused;  /* since the start */
	uint64_t batches;           /* transactions of the store that commits shared */
	uint64_t sync_ns;           /* that these took, all together */
	uint64_t gets, scans;
	uint32_t queued;            /* jobs that wait for the writing thread */
	uint32_t prepared;          /* transactions over several cells that are not decided */
	uint32_t watches;
	uint32_t seal_key;          /* number of the newest key for encrypted columns; 0 = none */
	const char *trouble;        /* why it is unhealthy, "" = it is not; in CALL */
};

int celldb_stats(struct celldb *db, struct cell_call *call, struct celldb_stats *ret);

/*
 * Write a compacted copy of the store as it is now to FD (which stays the caller's), on a
 * thread of its own; waits, and others go on. One backup or verification runs at a time:
 * CELL_RESOURCE_EXHAUSTED. -errno if FD cannot be written.
 */
int celldb_backup(struct celldb *db, struct cell_call *call, int fd);

/* Check every entry, in a process of its own; waits. CELL_DATA_LOSS names what is damaged. */
int celldb_verify(struct celldb *db, struct cell_call *call, uint64_t *ret_entries);

/*
 * A new key for encrypted columns: all rows are sealed anew, then the older keys are
 * forgotten. Waits; writers wait with it. What was to be watched of such tables before is no
 * longer kept. *ret_rows were sealed anew.
 */
int celldb_rotate(struct celldb *db, struct cell_call *call, uint64_t *ret_rows);
