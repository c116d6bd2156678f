/*
 * The rule that -MD writes, with what an expansion depends on put in.
 */
#pragma once

#include <cell/arena.h>
#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * RULES, as the compiler wrote them, with FILES, N of them, as further
 * prerequisites of the first one, and with IS_PHONY a rule without a recipe for each, as -MP
 * makes them. Lives in ARENA; NULL if that is exhausted.
 */
const char *depfile_append(const char *rules, size_t len, const char *const *files, size_t n,
			   bool is_phony, struct cell_arena *arena);
