/*
 * When a file is full, what its successors are called, and the line format. Pure;
 * file.c does it.
 *
 * NAME.log is written to; when it is full it becomes NAME.log.1, that one NAME.log.2, and
 * so on; the last one goes. Together they take about as many bytes as the cell may have.
 */
#pragma once

#include "recent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Files kept besides the one that is written to. */
#define ROTATE_KEEP 4
/* Of all files of a cell, if its manifest says nothing. */
#define ROTATE_DEFAULT_BYTES (UINT64_C(10) * 1024 * 1024)
/* A file is never smaller than this. */
#define ROTATE_FILE_MIN_BYTES 1024

/* Whether a file of SIZE bytes is full before LEN more, if all may have TOTAL (0: default).
 */
bool rotate_is_due(uint64_t size, uint64_t len, uint64_t total);

/* The N-th file's name (0 is the one written to). False if it does not fit. */
bool rotate_name(char *out, size_t size, const char *cell, unsigned n);

/* The cell a file called NAME belongs to, if it is one that is written to ("greeter.log"). */
bool rotate_cell_of(char *out, size_t size, const char *name);

/* Room for what stands before the text of a line. */
#define ROTATE_HEAD_SIZE 192

/* "2031-05-06T07:08:09.123456Z greeter/3 4711 " in OUT; its length. */
size_t rotate_head_write(char out[ROTATE_HEAD_SIZE], const struct recent_line *line);

/*
 * Read a line of a file, LEN bytes without its newline; CELL takes its cell's name. The
 * text points into LINE. False if it is none of ours.
 */
bool rotate_line_read(struct recent_line *ret_line, char cell[static 64], const char *line,
		      size_t len);
