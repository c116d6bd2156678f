/*
 * From bytes of a preprocessed text to the lines that people know. Pure.
 */
#pragma once

#include "diag.h"

#include <cell/arena.h>

struct line_marker {
	size_t at;        /* the first byte that it is true for */
	const char *file;
	uint32_t line;
	uint32_t depth;   /* of inclusion: 0 = the file that is compiled */
	bool is_system;   /* a system header: the compiler does not warn in it */
};

struct lines {
	const char *text;
	size_t len;
	const size_t *starts; /* of every line of the text */
	size_t n_starts;
	const struct line_marker *markers; /* the first is at byte 0 */
	size_t n_markers;
};

/* Find the lines of TEXT. The markers are the scanner's to find. */
void lines_init(struct lines *lines, const char *text, size_t len, struct cell_arena *arena);

/* The marker that holds for byte OFFSET. */
const struct line_marker *lines_marker(const struct lines *lines, size_t offset);

/* The first byte of the line of the text that OFFSET is in. */
size_t lines_start(const struct lines *lines, size_t offset);

/* The place of the bytes from START to END (0: one byte). */
struct place lines_place(const struct lines *lines, size_t start, size_t end);
