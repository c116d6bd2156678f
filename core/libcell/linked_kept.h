/*
 * Services whose state lasts (db::persist): each run of a handler, start or stop function has
 * a copy of the state and a transaction of its own. See struct cell_linked_kept.
 */
#pragma once

#include "callstate.h"

#include <cell/linked.h>
#include <cell/table.h>

/* Let what METHODS say run on the row of TABLE; they are registered. ARENA is the runtime's.
 */
int kept_methods(struct runtime *rt, const struct cell_table *table,
		 const struct cell_linked_method *const *methods, size_t n,
		 struct cell_arena *arena, struct cell_error *err);

/* Run HOOK so. Returns what it returns, or why the state could not be had or stored. */
int kept_hook(struct cell_call *call, const struct cell_table *table,
	      const struct cell_linked_hook *hook);

/* Whether the state can be had: 0 also if there is none yet. */
int kept_load(struct cell_call *call, const struct cell_table *table);
