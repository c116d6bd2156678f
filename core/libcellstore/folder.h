/*
 * The folder of a store: who has it open, in which state it was left, and the names of its
 * files.
 *
 *	data.mdb   the map, LMDB's
 *	lock.mdb   LMDB's table of readers; holds nothing that lasts
 *	state      "new", "open" or "closed": what whoever opens it next has to do
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stdint.h>

enum folder_state {
	FOLDER_UNMARKED, /* none of these: nothing is there, or a data file from elsewhere */
	FOLDER_NEW,      /* being made: nobody was told that anything is in it */
	FOLDER_OPEN,     /* in use, or its user died */
	FOLDER_CLOSED
};

struct folder {
	char *path;
	char *data_path; /* PATH/data.mdb */
	int fd;          /* of the folder; the lock is on it */
	int data_fd;     /* of the data file, for looking at it; -1 = not there yet */
	enum folder_state state;
};

/*
 * Open the folder at PATH, making it if it is not there and WRITABLE; lock it: for this
 * process alone if WRITABLE, else together with other readers.
 *
 * Returns 0, CELL_ALREADY_EXISTS if another has it, or -errno.
 */
int folder_open(struct folder *folder, const char *path, bool writable,
		struct cell_error *err);
/* Harmless for a zeroed one and twice. */
void folder_close(struct folder *folder);

/* Write STATE, durably. */
int folder_mark(struct folder *folder, enum folder_state state, struct cell_error *err);

/* Open the data file for looking at it. 0, or -errno; -ENOENT if there is none. */
int folder_open_data(struct folder *folder, struct cell_error *err);
/* Remove a data file that was never finished. */
int folder_remove_data(struct folder *folder, struct cell_error *err);
/* The data file was just made: see to it that it is there after a power cut. */
int folder_keep_data(struct folder *folder, struct cell_error *err);
