/*
 * The text of statements over tables. Pure; all in ARENA, NULL without memory.
 *
 * Columns come in the order of the view, parameters as each function says.
 */
#pragma once

#include "view.h"

struct expression;

/* Text that grows in an arena. Without memory it is kept, and sql_text() gives NULL. */
struct sql {
	struct cell_arena *arena;
	char *text;
	size_t len, room;
	bool failed;
};
struct sql sql_begin(struct cell_arena *arena);
void sql_put(struct sql *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *sql_text(const struct sql *sql);

/* NAME in quotes; a string in quotes; schema and table. */
const char *sql_name(const char *name, struct cell_arena *arena);
const char *sql_literal(const char *text, struct cell_arena *arena);
const char *sql_relation(const char *schema, const char *name, struct cell_arena *arena);

/* xmin and all columns of the row with KEY; parameters: the key's columns. */
const char *sql_get(const struct view *view, const struct schema_key *key, struct cell_arena *arena);

/* What a scan is, with how many columns of the key are given. */
struct sql_scan {
	const struct schema_key *key;
	size_t n_from, n_to;
	bool is_prefix, is_backwards;
	uint64_t limit;
	const struct expression *where; /* NULL = all */
};

/*
 * SELECT of a scan; parameters: the columns of FROM, then those of TO. Gives xmin and all
 * columns; ONLY_KEYS: xmin and those of the primary key; ONLY_COUNT: how many there are.
 */
enum sql_scan_gives { SQL_SCAN_ROWS, SQL_SCAN_KEYS, SQL_SCAN_COUNT };
const char *sql_scan(const struct view *view, const struct sql_scan *scan, enum sql_scan_gives gives,
		     struct cell_arena *arena);

/*
 * A write through VIEW; NOW is the newest version, whose columns are given back. Gives one row if
 * there was something to write: whether there was a row before, its columns, whether there is
 * one now, its columns. Parameters: all columns of VIEW that are not generated, in order; of
 * a deletion, the key's.
 */
const char *sql_put_row(const struct view *view, const struct view *now, struct cell_arena *arena);
const char *sql_insert_row(const struct view *view, const struct view *now, struct cell_arena *arena);
const char *sql_update_row(const struct view *view, const struct view *now, struct cell_arena *arena);
const char *sql_delete_row(const struct view *view, const struct view *now, struct cell_arena *arena);

/* Rows that refer to the key of a row that is about to be written or deleted are PostgreSQL's. */
