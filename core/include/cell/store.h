/*
 * A store: one ordered map from bytes to bytes in a file (LMDB), for cells that keep things.
 *
 * One process has a store open at a time. Any number of readers go on beside one writer, and
 * each sees the store as it was when its transaction began. What was committed survives
 * kill -9 and power loss. Every value carries a checksum over key and value: damage is
 * CELL_DATA_LOSS, not another value.
 *
 * A write transaction that failed once is inert: everything in it and its commit return the
 * first error, and the store is as before. Write transactions belong to the thread that began
 * them; read transactions to one thread at a time. Nothing here may be called from a libev
 * callback that must be quick, but for reads: commits wait for the disk.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a key: LMDB's limit. */
#define CELL_STORE_KEY_MAX 511

enum cell_store_outcome {
	CELL_STORE_ABSENT = 1 /* no such key; or a cursor is at its end */
};

#define CELL_STORE_JOURNAL_BYTES ((size_t)8 * 1024 * 1024)

struct cell_store;

struct cell_store_options {
	/*
	 * How large the file may become; it grows by itself until then. 0 = as large as the
	 * address space allows, up to 1 TiB.
	 */
	uint64_t max_bytes;
	unsigned readers; /* read transactions at once; 0 = 4,096, at most 65,536 */
	/* Together with others that only read; nobody may write meanwhile. */
	bool is_read_only;
	/*
	 * Commits go to a journal, and to the map later, many at once: several times as many a
	 * second, for two files of this many bytes, about as much memory, and a thread of the
	 * store's own. 0 = none; CELL_STORE_JOURNAL_BYTES is a good size, 64 KiB the least. A store
	 * that was not closed is opened in either way; for reading only, once it was closed.
	 */
	size_t journal_bytes;
};

struct cell_store_bytes {
	const void *at;
	size_t len;
};

struct cell_store_txn {
	struct cell_store *store;
	void *handle; /* LMDB's; NULL = none, it has ended */
	bool is_write;
	/* The first error of a write transaction, or that a reader found a damaged page; 0 = none */
	int failed;
	/* The rest is of a store with a journal. */
	void *recent[2];
	uint64_t commit;
	uint64_t settles;
	void *last;
};

struct cell_store_cursor {
	struct cell_store_txn *txn;
	void *handle;
};

struct cell_store_stat {
	uint64_t file_bytes;
	uint64_t max_bytes;
	uint64_t free_bytes; /* of them: pages that are free to be used again */
	uint64_t entries; /* with a journal: those that the map has, see cell_store_settle() */
	uint64_t memory_bytes; /* that commits take which the map does not have, or readers keep */
	uint32_t readers;       /* read transactions of this process, now */
	uint64_t oldest_reader; /* commits that the oldest reader of any process is behind */
};

/*
 * Open the store in the folder DIR, or make it, in a folder that is there. *ret_store is for
 * cell_store_close(). OPTIONS may be NULL.
 *
 * The file is looked through first, in a child process: all of it, or as much as can be read
 * within a second, or 5 s if it was not closed in order. Blocks as long. What its journal has, if it had
 * one, is carried out.
 *
 * Returns 0, -errno, or: CELL_ALREADY_EXISTS if it is open already, in another process or
 * this one, CELL_DATA_LOSS if the file is no store, of a version we do not know, cut short,
 * damaged, or gone, or its journal damaged, CELL_FAILED_PRECONDITION if it is to be read only
 * and there are commits in its journal, CELL_RESOURCE_EXHAUSTED if the disk is full, -EROFS or -EACCES where
 * nothing may be written. The text names the file and what helps.
 */
int cell_store_open(struct cell_store **ret_store, const char *dir,
		    const struct cell_store_options *options, struct cell_error *err);
/* All transactions have ended. NULL is fine. */
void cell_store_close(struct cell_store *store);

/*
 * Begin. Waits only for another write transaction of this process. CELL_RESOURCE_EXHAUSTED:
 * there are as many readers as may be; the error of an earlier commit after which nothing is
 * written any more; -EROFS: it was opened for reading only.
 */
int cell_store_read(struct cell_store *store, struct cell_store_txn *ret_txn,
		    struct cell_error *err);
int cell_store_write(struct cell_store *store, struct cell_store_txn *ret_txn,
		     struct cell_error *err);
/*
 * End it, whatever is returned. Durable when it returns 0; waits for the disk.
 * CELL_RESOURCE_EXHAUSTED: the disk or the store is full ("the store has 1073741824 bytes,
 * which is its limit"); nothing was committed, and it may be tried again. -EIO and the like:
 * nobody sees it, and the store refuses every further write until it is opened again, since
 * what the disk holds is not known (fsync's errors are reported once): then it is there or not.
 */
int cell_store_commit(struct cell_store_txn *txn, struct cell_error *err);
/* Forget it. Harmless after a commit and for a zeroed one. */
void cell_store_abort(struct cell_store_txn *txn);
/* A read transaction let go, keeping its slot, and begun anew: cheaper than both. */
int cell_store_renew(struct cell_store_txn *txn, struct cell_error *err);
/*
 * Whether TXN is better begun anew, for whoever keeps one for long; costs next to nothing. With
 * a journal: what has come to the map since is read faster, and lets memory go. In any store: a
 * read transaction that came upon a damaged page answers nothing but CELL_DATA_LOSS.
 */
bool cell_store_is_behind(const struct cell_store_txn *txn);

/*
 * Keys have 1 to CELL_STORE_KEY_MAX bytes and are ordered by them. *ret_value points into the
 * store, until the transaction ends or writes. 0 or CELL_STORE_ABSENT; CELL_DATA_LOSS.
 */
int cell_store_get(struct cell_store_txn *txn, struct cell_store_bytes key,
		   struct cell_store_bytes *ret_value, struct cell_error *err);
int cell_store_put(struct cell_store_txn *txn, struct cell_store_bytes key,
		   struct cell_store_bytes value, struct cell_error *err);
/* 0 or CELL_STORE_ABSENT. */
int cell_store_delete(struct cell_store_txn *txn, struct cell_store_bytes key,
		      struct cell_error *err);

/*
 * A cursor; it stands nowhere at first, and the first step is to the first entry, or
 * backwards to the last. Writing through its transaction invalidates the bytes it gave, not
 * the cursor: it goes on behind the key where it was. Where it has said CELL_STORE_ABSENT it
 * stays, until it is sent elsewhere or back: then it gives that end's entry. Close it before
 * TXN begins anew; the end of TXN may come first.
 */
int cell_store_cursor_open(struct cell_store_txn *txn, struct cell_store_cursor *ret_cursor,
			   struct cell_error *err);
void cell_store_cursor_close(struct cell_store_cursor *cursor);
/* To the first entry at or behind KEY, which may be empty; backwards: the last at or before
 * it. */
int cell_store_seek(struct cell_store_cursor *cursor, struct cell_store_bytes key,
		    bool backwards, struct cell_store_bytes *ret_key,
		    struct cell_store_bytes *ret_value, struct cell_error *err);
int cell_store_next(struct cell_store_cursor *cursor, bool backwards,
		    struct cell_store_bytes *ret_key, struct cell_store_bytes *ret_value,
		    struct cell_error *err);

/*
 * Write a copy of the store, as it is at this moment and without its free pages, to FD, and
 * sync it: the "data.mdb" of a folder that cell_store_open() takes. Waits for the disk; for a
 * thread of its own. Writers go on. CELL_RESOURCE_EXHAUSTED: no room where the copy goes.
 */
int cell_store_backup(struct cell_store *store, int fd, struct cell_error *err);

/*
 * Bring to the map what only the journal has, for whoever looks at the map alone, as
 * cell_store_verify() and the number of entries do. Waits for the disk; a commit that comes
 * meanwhile may wait with it. Nothing without a journal.
 */
int cell_store_settle(struct cell_store *store, struct cell_error *err);

/*
 * Walk all of the store in DIR, as it is at this moment, and check every page and checksum,
 * in a child process. It may be open, here or elsewhere, and writers go on. *ret_entries were
 * good: what only a
 * journal has is not among them. CELL_DATA_LOSS: what is wrong; also if the child dies of it, or reads nothing for 10
 * s. Blocks for as long as it takes, for a thread of its own.
 */
int cell_store_verify(const char *dir, uint64_t *ret_entries, struct cell_error *err);

int cell_store_stat(struct cell_store *store, struct cell_store_stat *ret_stat,
		    struct cell_error *err);

#ifdef __cplusplus
}
#endif
