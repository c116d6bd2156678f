/* The binary format of PostgreSQL's numeric: digits to the base of 10,000. Pure. */
#pragma once

#include <cell/arena.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More decimal digits than PostgreSQL takes in a text are refused. */
#define NUMERIC_TEXT_MAX 20000

/* "-12.50", "NaN", "Infinity" in ARENA; *ret NULL without memory. False: BYTES make no sense. */
bool numeric_print(const char **ret, const uint8_t *bytes, size_t len, struct cell_arena *arena);

/* The reverse, of "[-+]digits[.digits]" and those words. False: TEXT is none of it. */
bool numeric_read(const uint8_t **ret, size_t *ret_len, const char *text, size_t len,
		  struct cell_arena *arena);
