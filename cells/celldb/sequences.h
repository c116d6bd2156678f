/*
 * Numbers of serial columns that the store has given away, and nobody has taken yet. Pure. They are
 * lost when the process ends.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Columns that are remembered; the others go to the store each time. */
#define SEQUENCES_MAX 256

struct sequences;

struct sequences *sequences_new(void);
void sequences_free(struct sequences *all);

/* N numbers in a row from *ret_first on. False if there are not so many. */
bool sequences_take(struct sequences *all, uint32_t table, uint32_t column, uint32_t n,
		    int64_t *ret_first);
/* N numbers from FIRST on are to be taken; what is left of older ones is given up. */
void sequences_keep(struct sequences *all, uint32_t table, uint32_t column, int64_t first,
		    uint32_t n);
