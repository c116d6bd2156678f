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

/* At the end of a turn: execute what was asked for. Returns only if nothing was, or failed. */
void resume_execute(struct daemon *daemon);

/*
 * Take the table in FD over into DAEMON, whose kernel is new and whose folders have been
 * scanned. -EPROTO if it makes no sense.
 */
int resume_take(struct daemon *daemon, int fd, struct cell_error *err);
