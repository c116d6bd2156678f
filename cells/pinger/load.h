/*
 * A run being carried out: its workers, each a task that calls, waits, and tells run.h
 * what became of the call. Shared by the cell and its command.
 */
#pragma once

#include "run.h"

#include <cell/call.h>
#include <cell/message.h>

struct load;
struct pinger_plan;
struct pinger_result;

/*
 * Begin a run of CELL by PLAN (checked and filled in here), with tasks in CALL's process.
 * The caller holds one reference; each worker another one. Returns 0, or a status with the
 * text in CALL.
 */
int load_start(struct load **ret_load, struct cell_call *call, uint64_t number,
	       const struct pinger_plan *plan);
struct load *load_ref(struct load *load);
void load_unref(struct load *load); /* accepts NULL */

/* Start no more calls. */
void load_stop(struct load *load);

/* Wait until every call has ended. 0, CELL_CANCELLED or CELL_DEADLINE_EXCEEDED. */
int load_wait(struct load *load, struct cell_call *call);

/* Readable from the moment the run is over. */
int load_over_fd(const struct load *load);

uint64_t load_number(const struct load *load);
bool load_is_over(const struct load *load);

/* How it stands now; texts live in CALL. Returns 0 or a status. */
int load_report(const struct load *load, struct cell_call *call, struct pinger_result *ret_result);
