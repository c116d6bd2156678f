/*
 * From the pieces of an expansion to places in the unit's text. Pure.
 */
#pragma once

#include "cache.h"
#include "expand.h"
#include "request.h"

/* One unit's insertions under construction. */
struct assembly {
	struct cell_arena *arena;
	const struct unit *unit;
	const struct project *project;
	const char *prefix; /* before "exp/…" in markers: ".cell/" as seen from here */
	size_t top;         /* where ANCHOR_TOP is */
	const char *const *emitted; /* headers whose ONCE pieces belong here: "users_h" */
	size_t n_emitted;
	const char *const *grown; /* tags of structs that get members: their layout changes */
	size_t n_grown;
	bool is_forgotten; /* what is added now is not to be kept */
	const char **provisioned; /* ids of declarations that have a record */
	size_t n_provisioned;
	struct insertion *insertions;
	size_t n_insertions;
	struct renaming *renamings;
	size_t n_renamings;
	struct expansion_unit *units;
	size_t n_units;
	/* Texts of cellc's own that markers name: to be written beside the pieces. */
	struct assembly_file {
		const char *path; /* relative to .cell */
		const char *text;
	} * files;
	size_t n_files;
};

/* Before the first declaration of the main file, behind what headers say. */
size_t assemble_top(const struct unit *unit, const char *main_file);

/* Put in what CACHED says about PREPARED. KEY names cellc's own files. */
void assemble_add(struct assembly *assembly, const struct prepared *prepared,
		  const struct cached *cached, const char *key);

/* _Static_assert()s for the structs whose layout was told. "" if there are none. */
const char *assemble_layout(const struct macro_plan_request *request,
			    const char *const *grown, size_t n_grown,
			    struct cell_arena *arena);
