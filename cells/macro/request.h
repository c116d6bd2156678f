/*
 * What a request must be, and what one provider sees of it. Pure.
 */
#pragma once

#include "plan.h"

/* 0, or CELL_INVALID_ARGUMENT: no declaration, ids that are not unique, too much of it. */
int request_check(const struct macro_plan_request *request, struct cell_error *err);

/*
 * REQUEST as the provider of PART sees it: attributes of others without values, sorted by
 * name so that the order in the source decides nothing; context and what was kept of its own
 * only. In ARENA; NULL if there is no memory.
 */
const struct macro_plan_request *request_for(struct cell_arena *arena,
					     const struct macro_plan_request *request,
					     const struct plan_part *part);
