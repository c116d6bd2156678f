/* The macros of the cell:: namespace, which the macro cell provides itself. */
#pragma once

#include <cell/macro.h>

extern const struct cell_macro_provider cell_builtin;

/* What its functions get as self. */
extern void *cell_builtin_self;
