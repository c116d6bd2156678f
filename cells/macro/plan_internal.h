/* Shared by plan.c, plan_check.c and plan_order.c. */
#pragma once

#include "plan.h"

#include <stdarg.h>

struct merge {
	struct cell_arena *arena;
	const struct macro_plan_request *request;
	const struct plan_part *parts;
	size_t n_parts;
	const struct plan_world *world;
	struct plan_merged *merged;
	struct macro_diagnostic *diagnostics;
	size_t n_diagnostics;
	bool is_out_of_memory;
};

const struct macro_attribute *plan_attribute(const struct macro_plan_request *request, uint32_t id);
/* Room for one more item behind N of SIZE bytes: ITEMS, or a copy twice as large; NULL. */
void *plan_grow(struct cell_arena *arena, void *items, size_t n, size_t size);
/* An error at an attribute; NULL TEXT is no memory. */
struct macro_diagnostic *plan_error(struct merge *m, uint32_t attribute, const char *text);

/* plan_order.c: fill needs, cut and order; say what loops there are. */
void plan_order_parts(struct merge *m);
/* Fill wraps; say which have no order. */
void plan_order_wraps(struct merge *m);
/* plan_check.c: diagnostics and digest of the merged plan. 0 or -ENOMEM. */
int plan_digest(struct merge *m);
