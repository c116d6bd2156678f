/*
 * What commands print: tables and JSON on stdout for the result, plain sentences on stderr
 * for people. Colours only on a terminal, and not with NO_COLOR.
 *
 * Text that came from elsewhere goes through a table or out_plain(): no byte of it may
 * steer the terminal.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum out_style { OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_GOOD, OUT_WARN, OUT_BAD };

/* One of the two streams. */
struct out {
	FILE *file;
	bool is_terminal;
	bool is_colored;
	size_t width; /* columns; SIZE_MAX if it is no terminal */
};

/* WHEN is "auto", "always" or "never". */
struct out out_open(FILE *file, const char *when);

/* The sequence that begins STYLE, or "" without colours; OUT_PLAIN ends any. */
const char *out_style(const struct out *out, enum out_style style);

/* printf in STYLE. */
void out_print(const struct out *out, enum out_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Columns that TEXT takes on a terminal, and TEXT with what is not printable replaced by
 * '?', cut to SIZE bytes with the NUL. Needs setlocale(), as command_begin() does.
 */
size_t out_width(const char *text);
char *out_plain(char *out, size_t size, const char *text);

/* ---- tables ---------------------------------------------------------------------- */

struct out_column {
	const char *title; /* NULL ends the list */
	bool is_right;     /* numbers */
	bool may_shrink;   /* cut it when the terminal is too narrow */
};

struct out_table;

/* Aborts when out of memory, as the other table functions do. COLUMNS must outlive it. */
struct out_table *out_table_new(const struct out_column *columns);
void out_table_free(struct out_table *table);

/* The next cell, row after row. */
void out_cell(struct out_table *table, enum out_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

size_t out_table_rows(const struct out_table *table);

/* Titles (unless it is empty), then rows. */
void out_table_print(const struct out_table *table, const struct out *out);

/* ---- JSON -------------------------------------------------------------------------- */

/*
 * VALUE and a newline: on one line, or indented. Numbers are as short as they can be
 * without losing anything. Returns 0 or -errno of the stream.
 */
int out_json(FILE *file, const json_t *value, bool is_pretty);

/* The same as text without a newline; the caller's, or NULL. */
char *out_json_text(const json_t *value, bool is_pretty);

/* ---- numbers for people --------------------------------------------------------------- */

#define OUT_NUMBER_SIZE 24

/* "512B", "12.3M". */
char *out_bytes(char out[OUT_NUMBER_SIZE], uint64_t bytes);
/* "850ns", "3.2ms", "12s", "2m03s", "4h10m", "3d02h". */
char *out_duration(char out[OUT_NUMBER_SIZE], uint64_t ns);
/* "950", "12.3k", "4.5M". */
char *out_count(char out[OUT_NUMBER_SIZE], double count);

/* ---- waiting --------------------------------------------------------------------------- */

/*
 * One line on a terminal that says what is waited for, with the seconds since it began;
 * nothing elsewhere. Call out_progress() as often as the text changes or time passes,
 * then out_progress_end().
 */
struct out_progress {
	const struct out *out;
	uint64_t since_ns;
	unsigned turns;
	bool is_shown;
};

void out_progress(struct out_progress *progress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Takes the line away again. */
void out_progress_end(struct out_progress *progress);

#ifdef __cplusplus
}
#endif
