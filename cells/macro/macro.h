/* What an instance of macro knows, and the table of its handlers. */
#pragma once

#include "flight.h"

struct macro_handlers;
struct cell_macro_provider;

struct macro {
	struct flights flights;                     /* plans and expansions under way */
	const struct cell_macro_provider *builtin;  /* the cell:: macros */
	void *builtin_self;
};

/* One function per method of service Macro; they take a struct macro as `self`. */
extern const struct macro_handlers macro_handlers;
