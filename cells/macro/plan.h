/*
 * What all providers together will do to one declaration: their plans as one, conflicts
 * found before there is any text, and who must be expanded before whom.
 *
 * Pure. Order never comes from how attributes are listed: providers are sorted by their
 * first namespace on the declaration, wrappers by phase, then by what they say of each
 * other, then by the project's order, else it is an error.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "macro.cell.h"

/* Providers with attributes on one declaration; who waits for whom is one bit each. */
#define PLAN_PARTS_MAX 64
/* Of one request: enough for any real declaration, and what is quadratic stays small. */
#define PLAN_ATTRIBUTES_MAX 4096
/* Of each kind in one provider's plan, for the same reason. */
#define PLAN_ITEMS_MAX 1024

/* One provider's share in a declaration. */
struct plan_part {
	const char *cell;
	const char *const *namespaces;
	size_t n_namespaces;
	const struct macro_plan *plan; /* its answer; checked by plan_check() */
};

/* A wrapper in its place. */
struct plan_wrap {
	size_t part;
	const struct macro_planned_wrap *wrap;
};

struct plan_merged {
	struct macro_plan plan;      /* for cellc, with all diagnostics and the digest */
	size_t n_errors;
	size_t order[PLAN_PARTS_MAX]; /* of expansion: whom others need comes first */
	uint64_t needs[PLAN_PARTS_MAX]; /* bit N: part N must be done before */
	uint64_t cut[PLAN_PARTS_MAX];   /* bit N: would need part N, and does without: a loop */
	size_t loops[PLAN_PARTS_MAX]; /* which diagnostics of `plan` warn of loops */
	size_t n_loops;
	struct plan_wrap *wraps;     /* outermost first */
	size_t n_wraps;
};

/* What else is known when plans are merged. */
struct plan_world {
	const char *const *running; /* namespaces whose provider runs */
	size_t n_running;
};

/*
 * Whether the answer of PART makes sense for REQUEST: attributes that are its own, names
 * that are names. Returns 0, or CELL_INTERNAL saying what does not.
 */
int plan_check(const struct macro_plan_request *request, const struct plan_part *part,
	       struct cell_error *err);

/*
 * Merge the plans of PARTS, sorted by plan_sort() before. Conflicts are diagnostics. What is
 * returned lives in ARENA and points into REQUEST and PARTS. 0 or -ENOMEM.
 */
int plan_merge(struct cell_arena *arena, const struct macro_plan_request *request,
	       const struct plan_part *parts, size_t n_parts, const struct plan_world *world,
	       struct plan_merged *ret_merged);

/* How parts stand in everything that lists them: by their first namespace. */
void plan_sort(struct plan_part *parts, size_t n_parts);

/* The part whose namespace is NS, or N_PARTS. */
size_t plan_part_of(const struct plan_part *parts, size_t n_parts, const char *ns);

/* Why a want gets no answer before anybody is asked. */
enum plan_want {
	PLAN_WANT_FACT,    /* from part *ret_part, in its expansion */
	PLAN_WANT_ASK,     /* its provider has to be asked */
	PLAN_WANT_CUT,     /* from a part in a loop */
	PLAN_WANT_OFF,     /* switched off */
	PLAN_WANT_NOBODY   /* no such provider runs */
};
enum plan_want plan_want(const struct macro_plan_request *request, const struct plan_part *parts,
			 size_t n_parts, const struct plan_merged *merged,
			 const struct plan_world *world, size_t part,
			 const struct macro_want *want, size_t *ret_part);

/* Add a diagnostic to the growing list *AT of *N; its text is printed into ARENA. */
struct macro_diagnostic *plan_diagnose(struct cell_arena *arena, struct macro_diagnostic **at,
				       size_t *n, enum macro_diagnostic_severity severity,
				       const char *ns, uint32_t attribute, const char *format, ...)
	__attribute__((format(printf, 7, 8)));
/* A note to it. */
void plan_note(struct cell_arena *arena, struct macro_diagnostic *diagnostic, const char *note);

/* "db::table" of the attribute with that id; "" if there is none. In ARENA. */
const char *plan_attribute_name(struct cell_arena *arena, const struct macro_plan_request *request,
				uint32_t id);
bool plan_list_has(const char *const *list, size_t n, const char *word);
