/*
 * Who provides macros on this node: what manifests announce, and who of them runs. Pure but
 * for providers_discover(), which asks cellcore.
 */
#pragma once

#include <cell/arena.h>
#include <cell/call.h>
#include <cell/macro.h>
#include <stdbool.h>
#include <stddef.h>

struct core_cell_info;

struct provider {
	const char *cell;
	const char *const *namespaces; /* in the manifest's order */
	size_t n_namespaces;
	bool is_running;
	const struct cell_macro_provider *builtin; /* in this process; NULL: a cell of its own */
	void *self;                                /* of it */
};

struct providers {
	struct provider *items; /* sorted by cell */
	size_t n;
};

/*
 * All of this node, and BUILTIN (NULL: none), which goes by the name "macro". Lives in ARENA.
 * Waits for cellcore. 0, or its error in CALL.
 */
int providers_discover(struct cell_call *call, struct cell_arena *arena,
		       const struct cell_macro_provider *builtin, void *self,
		       struct providers *ret_providers);

/* Add what cellcore says of a cell, if its manifest has [macros]. 0 or -ENOMEM. */
int providers_add(struct cell_arena *arena, struct providers *providers,
		  const struct core_cell_info *info);
/* Add the one in this process. */
int providers_add_builtin(struct cell_arena *arena, struct providers *providers,
			  const struct cell_macro_provider *builtin, void *self);
void providers_sort(struct providers *providers);

/*
 * The provider of NS: 0 and *ret_provider; CELL_NOT_FOUND, or CELL_FAILED_PRECONDITION naming
 * both cells if two announce it, or CELL_UNAVAILABLE if it does not run.
 */
int providers_find(const struct providers *providers, const char *ns,
		   const struct provider **ret_provider, struct cell_error *err);
/* Another provider that announces a namespace of PROVIDER; NULL if there is none. */
const struct provider *providers_rival(const struct providers *providers,
				       const struct provider *provider, const char **ret_ns);
