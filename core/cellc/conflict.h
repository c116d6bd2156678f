/*
 * What a plan needs of the file and the project around it, before any text is asked for:
 * names that are free, headers that are included, cells that may be called. Pure but for what
 * is said.
 */
#pragma once

#include "../libcell/manifest.h"
#include "request.h"

struct conflict_context {
	const struct unit *unit;
	const struct project *project;
	const struct cell_manifest *manifest; /* NULL: there is none */
	struct check_known check;
};

/* The place of what a diagnostic or plan names: an attribute, a value of it, a member. */
const struct place *conflict_place(const struct prepared *prepared, uint32_t attribute,
				   uint32_t value, const char *member);

/* The attribute with that id in PREPARED's request, or NULL. */
const struct attribute *conflict_attribute(const struct prepared *prepared, uint32_t id);

/* Returns 0, or -EINVAL after all conflicts of PLAN were said. */
int conflict_check(const struct conflict_context *context, const struct prepared *prepared,
		   const struct macro_plan *plan, struct diag *diag);

/* The same name planned by two declarations of one unit. */
int conflict_between(const struct prepared *a, const struct macro_plan *plan_a,
		     const struct prepared *b, const struct macro_plan *plan_b,
		     struct diag *diag);
