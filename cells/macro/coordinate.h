/*
 * Carrying it out: all providers plan, then expand, each as soon as those it needs are done.
 *
 * A coordination belongs to the task that made it and to the tasks of its expansions; what
 * they share lives in its arena until the last of them is gone.
 */
#pragma once

#include "discover.h"
#include "plan.h"

#include <cell/call.h>

/* A provider has this long for each answer. */
#define COORDINATE_CALL_MS 2000
/* After which one that was gone is asked for its plan again, once. */
#define COORDINATE_AGAIN_MS 100
/* The longest chain of questions that lead to other questions. */
#define COORDINATE_HOPS_MAX 8

struct coordination_part {
	const struct provider *provider;
	const struct macro_plan_request *request; /* as it sees it */
	bool is_started, is_done;
	const struct macro_generated_code *code; /* when done; NULL if it failed */
	struct macro_diagnostic *diagnostics;    /* what we say about it */
	size_t n_diagnostics;
	bool is_degraded;
};

struct coordination {
	unsigned refs;
	struct cell_arena arena;
	const struct macro_plan_request *request;
	bool is_strict;
	struct providers providers;
	struct plan_world world;
	struct plan_part parts[PLAN_PARTS_MAX];
	struct coordination_part state[PLAN_PARTS_MAX];
	size_t n_parts;
	struct plan_merged merged;
	int event; /* raised when a part is done */
	unsigned n_running;
};

/* NULL if there is no memory. */
struct coordination *coordination_new(void);
struct coordination *coordination_ref(struct coordination *c);
void coordination_unref(struct coordination *c);
void coordination_unrefp(struct coordination **c);

/*
 * Ask everybody for plans of REQUEST (copied) and merge them into c->merged. What is wrong
 * with the source, or with a provider that answers badly or not at all, is a diagnostic; an
 * error is a request that makes no sense, or a provider that is not there.
 */
int coordinate_plan(struct cell_call *call, struct coordination *c,
		    const struct macro_plan_request *request,
		    const struct cell_macro_provider *builtin, void *self);

/* After it: the text. Lives in C. */
int coordinate_expand(struct cell_call *call, struct coordination *c,
		      struct macro_generated_code *ret_code);

/* "cell 'x' did not answer within 2000 ms" and the like, of a status and its text; in ARENA. */
const char *coordinate_failure(struct cell_arena *arena, const char *cell, uint64_t ms, int status,
			       const char *text);

/* CALL, but to PROVIDER and for MS at most. */
struct cell_call *coordinate_to(struct cell_call *call, const struct provider *provider,
				uint64_t ms);
