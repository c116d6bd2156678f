/* The macros of validate. */
#pragma once

#include <cell/cell.h>
#include <cell/macro.h>

extern const struct cell_macro_provider validate_provider;
