/*
 * What is asked about a declaration, completed: attributes checked, what is switched off left
 * out, what the lock keeps and the project says put in. Pure but for what is said.
 */
#pragma once

#include "known.h"
#include "unit.h"

/* A declaration on its way. */
struct prepared {
	const struct declaration *declaration;
	const char *file; /* relative to the project's root, or "<x.h>" beyond it */
	const char *name; /* "struct:account", unique in FILE */
	struct macro_plan_request request;
	struct known_namespace **namespaces; /* of its attributes, sorted by name */
	size_t n_namespaces;
	const char *kept_from; /* the file whose kept lines were taken, if it is another */
};

/*
 * The path of PLACE_FILE (as the compiler prints it, from folder CWD) relative to ROOT; a
 * file elsewhere is "<name>". Lives in ARENA.
 */
const char *request_path(const char *place_file, const char *cwd, const char *root,
			 struct cell_arena *arena);

/* Whether the project switched NS off. */
bool request_is_off(const struct project *project, const char *ns);

/* cell::emit, which cellc answers itself. */
bool request_is_emit(const char *ns, const char *name);

/*
 * Check the attributes of DECLARATION against KNOWN and fill RET but for what is kept.
 * *ret_any says whether anything is left to ask about. Returns 0 or -EINVAL after the
 * mistakes were said.
 */
int request_prepare(struct prepared *ret, bool *ret_any,
		    const struct declaration *declaration, const char *file, const char *name,
		    const struct known *known, const struct project *project,
		    struct cell_arena *arena, struct diag *diag);

/* Put in what the locks keep about it. */
void request_take_kept(struct prepared *prepared, const char *root, struct cell_arena *arena);

/* KEPT with its list as requests have it: sorted. Lives in ARENA. */
struct macro_kept_of request_sort_kept(const struct macro_kept_of *kept,
				       struct cell_arena *arena);

/* A copy of REQUEST in which KEPT (N) stands for what is kept. */
struct macro_plan_request request_with_kept(const struct macro_plan_request *request,
					    const struct macro_kept_of *kept, size_t n);
