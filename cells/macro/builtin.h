/*
 * The macros of namespace cell: messages, services, handlers and clients. A provider like
 * any other (cell/macro.h), in the macro cell's own process.
 */
#pragma once

#include <cell/macro.h>

extern const struct cell_macro_provider cell_builtin;

struct builtin;

/*
 * IDS are states that a project was expanded with, maybe by an earlier instance: those that
 * are about cells are among the catalogue's again.
 */
void builtin_recall(struct builtin *self, const char *const *ids, size_t n);

/* What cell_builtin takes as its SELF: zeroed at first. */
struct builtin {
	/* Cells whose schema some expansion has read: what its states are about. */
	char cells[64][64];
	size_t n_cells;
};
