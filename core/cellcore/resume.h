/*
 * Executing in place: the same process, another program, every descriptor kept.
 *
 * All that cannot be read again from files is written into a memfd (a private format:
 * records of numbers and strings, versioned), descriptors lose their close-on-exec flag,
 * and the new program is executed with --resume FD. If that fails, nothing has happened.
 */
#pragma once

#include "process.h"

/*
 * An Upgrade order: check PATH ("": what runs now), and have it executed when the turn is
 * over. Returns ORDER_LATER's 1, or an error.
 */
int resume_request(struct process *process, uint64_t call_id, const char *path,
		   struct cell_error *err);

/* Whoever ordered it is gone: it goes on. */
void resume_forget(struct process *process);

/* At the end of a turn: execute what was asked for. Returns only if nothing was, or failed. */
void resume_execute(struct daemon *daemon);

/* The exit status of --check-table that says yes: no other program's by chance. */
#define RESUME_UNDERSTOOD 86

/* Whether FD has a table that this program understands: -EPROTO if not. */
int resume_check(int fd, struct cell_error *err);

/*
 * Take the table in FD over into DAEMON, whose kernel is new. -EPROTO if it makes no sense.
 */
int resume_take(struct daemon *daemon, int fd, struct cell_error *err);
