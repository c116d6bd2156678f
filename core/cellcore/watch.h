/*
 * Watches: events about instances for those who asked.
 *
 * A watcher is told the latest state of what changed, when it reads; so one that is slow
 * costs no memory, and one that is quick misses nothing.
 */
#pragma once

#include "process.h"

struct watch {
	struct list in_process;
	char cell[CELL_NAME_MAX + 1]; /* "": all */
	uint64_t seen;    /* the change it was last told of */
	uint64_t since;   /* the node's last change when the watch began */
	uint64_t call_id; /* answered when it has been told all that exists; 0: it was */
};

/* Begin; the order CALL_ID is answered later. CELL_ALREADY_EXISTS, CELL_RESOURCE_EXHAUSTED, -ENOMEM. */
int watch_add(struct process *process, const char *cell, uint64_t call_id, struct cell_error *err);
/* CELL_NOT_FOUND if there is none. */
int watch_remove(struct process *process, const char *cell, struct cell_error *err);
void watch_free_all(struct process *process);

/* PROCESS can be sent to again. */
void watch_process_reads(struct process *process);
/* Tell all watchers what changed, and let the kernel forget what everybody knows. */
void watch_pump(struct daemon *daemon);
