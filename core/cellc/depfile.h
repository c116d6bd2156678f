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
 * prerequisites of the first one, and a rule without a recipe for each, as -MP makes them:
 * expansions have their keys in their names, and one that is gone is nothing that make could
 * not make. Lives in ARENA; NULL if that is exhausted.
 */
const char *depfile_append(const char *rules, size_t len, const char *const *files, size_t n,
			   struct cell_arena *arena);
