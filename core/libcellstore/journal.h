/*
 * The journal of a store: commits one behind the other, each on the disk with one write,
 * until the map in data.mdb has them too.
 *
 *	journal.0, journal.1   written in turn, each anew when the map has all that is in it
 *
 * A record is a commit: a header, then for each change
 *
 *	uint32 bytes of the key, uint32 of what is stored (0: deleted), both
 *
 * padded to a block. Numbers are the machine's own, as LMDB's. A record belongs to its file's
 * present generation, or is left from an earlier one. Carrying all of them out again, in
 * order, changes nothing: so the map need not say how far it has come.
 */
#pragma once

#include <cell/error.h>
#include <cell/store.h>

#include "folder.h"
#include "recent.h"

#define JOURNAL_MIN ((size_t)64 * 1024) /* bytes of each file */
#define JOURNAL_MAX ((size_t)1024 * 1024 * 1024)
/* A record begins at a multiple of it: what O_DIRECT may want, and no disk writes less. */
#define JOURNAL_BLOCK ((size_t)4096)

struct journal {
	int fds[2];
	size_t file_bytes;
	unsigned current;
	size_t at; /* where the next record goes, in bytes */
	uint64_t generation;
	bool is_void; /* there is no record in either file */
	uint8_t *record; /* file_bytes, aligned: the one being made; a block for marks behind */
	size_t used;
};

/* Make both files, empty and of BYTES (about), durably. Returns 0 or as folder_open(). */
int journal_open(struct journal *journal, const struct folder *folder, size_t bytes,
		 struct cell_error *err);
/* Harmless for a zeroed one. The files stay. */
void journal_close(struct journal *journal);
/* Remove both files, if they are there; durably. */
int journal_remove(const struct folder *folder, struct cell_error *err);

/* Make the record of COMMIT out of what ends with LAST. False: no file has room for it. */
bool journal_make(struct journal *journal, uint64_t commit, const struct change *last);
/* Whether it fits into the present file; else journal_turn() comes first. */
bool journal_has_room(const struct journal *journal);
/*
 * Go on in the other file, whose records the map has: that is marked at the end of the present
 * one. Returns as journal_write().
 */
int journal_turn(struct journal *journal);
/*
 * Write the record. Durable when it returns 0. -ENOSPC: nothing was written that counts. Any
 * other -errno: what the disk holds is not known.
 */
int journal_write(struct journal *journal);
/* The map has all: no record counts any longer, durably. 0 or -errno. */
int journal_void(struct journal *journal);

/* What to do with a change of a record; 0, or an error that ends it. */
typedef int journal_change_fn(void *userdata, struct cell_store_bytes key,
			      struct cell_store_bytes stored, struct cell_error *err);

/*
 * Go through what the files in FOLDER hold, in order. *ret_n changes were given to ON_CHANGE;
 * a record at the end that was not written to its end counts for nothing. Returns 0, what
 * ON_CHANGE returned, -errno, or CELL_DATA_LOSS if one that was is damaged.
 */
int journal_replay(const struct folder *folder, journal_change_fn *on_change, void *userdata,
		   uint64_t *ret_n, struct cell_error *err);
