/*
 * The run directory: what is where in it, who may have it, and what an earlier cellcore
 * left there.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>

#define RUNDIR_PATH_MAX 4096
/* What is left of that for names in it. */
#define RUNDIR_NAME_MAX 128

struct rundir {
	char path[RUNDIR_PATH_MAX];  /* absolute */
	char state[RUNDIR_PATH_MAX]; /* the state directory, absolute */
	int lock;                    /* the pid file, locked while we live; -1 */
};

/*
 * Make the directories that are missing (mode 0700; cells/ and log/ below), and with LOCK
 * take the lock. -EEXIST, with its pid in ERR, if another cellcore has it; -EPERM if others may
 * write to it.
 */
int rundir_open(struct rundir *rundir, const char *path, const char *state, bool lock,
		struct cell_error *err);

/* Put our pid into the pid file. 0 or -errno. */
int rundir_write_pid(const struct rundir *rundir);

/* Remove the sockets of cells that an earlier cellcore left. */
void rundir_clear(const struct rundir *rundir);

/* Remove sockets (core.sock too, unless KEEP_SOCKET) and the pid file, and give up the lock. */
void rundir_close(struct rundir *rundir, bool keep_socket);

/* "RUNDIR/name" in OUT, which it returns; names have up to RUNDIR_NAME_MAX bytes. */
char *rundir_path(const struct rundir *rundir, char out[static RUNDIR_PATH_MAX],
		  const char *format, ...) __attribute__((format(printf, 3, 4)));
