/*
 * One after the other: of several cellc that meet the same header at one time (`make -j`) one
 * asks what its attributes mean, and the others find the answer in .cell.
 */
#pragma once

#include <cell/arena.h>

struct turn {
	int *fds;
	size_t n;
};

/*
 * Wait until nobody else has the turn for any of the N files at PATHS, 35 s at most: whoever
 * has it then hangs, and it is better to ask twice. Files that cannot be opened do not count.
 * RET is given back with turn_end(), or by exiting.
 */
void turn_take(struct turn *ret, const char **paths, size_t n, struct cell_arena *arena);
void turn_end(struct turn *turn);
