/*
 * cell db: what its files have in common. cmd.c has the table of commands, cmd_table.c finds
 * tables, cmd_value.c reads and prints values, cmd_json.c the same in JSON, and the rest are the
 * commands, by what they are about.
 *
 * Functions return 0, or negative with the text in the command or its call, as
 * command_end() wants it.
 */
#pragma once

#include "celldb.cell.h"

#include <cell/internal/command.h>
#include <cell/internal/table/schema.h>

struct options {
	const char *where;
	const char *index;
	const char *from;
	const char *to;
	const char *prefix;
	uint64_t limit; /* UINT64_MAX: it was not given */
	bool reverse;
	uint64_t after; /* UINT64_MAX: it was not given */
	bool force;
	const char *into;
};

/* The database cell, whatever a generated stub would call. Without the default deadline of
 * 30 s if IS_LONG: an hour. */
struct cell_call *db_call(struct command *command, bool is_long);

/* ---- cmd_table.c ------------------------------------------------------------------------- */

/* A table that a command is about. */
struct db_table {
	struct command *command;
	struct cell_call *call;              /* to the database; has its memory */
	const struct celldb_table_info *info;
	struct schema *schema;               /* as it is now */
	struct table_table_ref ref;          /* the table as it is, whatever its version */
};

/* Find the table that the first argument names: NAME or STORE/NAME. */
int db_table_find(struct db_table *ret, struct command *command);
void db_table_done(struct db_table *table);

/* Room for one row, all NULL. Aborts when there is no memory. */
struct value *db_row_new(const struct db_table *table);

/* The key that --index names, or the primary one: its number on the wire. */
int db_key_find(const struct db_table *table, const char *index, unsigned *ret_key);

int db_list(struct command *command, const struct options *options);
int db_describe(struct command *command, const struct options *options);

/* ---- cmd_value.c ------------------------------------------------------------------------- */

/*
 * TEXT, as typed, for COLUMN: a literal as in C, text with or without its quotes, bytes as
 * 0x…, a list as in JSON, NULL. The error names the column.
 */
int db_value_parse(const struct db_table *table, const struct table_column *column,
		   const char *text, struct value *ret);

/*
 * Values for the first columns of key KEY, as --from has them: "Rome,7". A comma in quotes or
 * brackets is part of a value, and all are if the key has one column. *RET_N were given.
 */
int db_key_parse(const struct db_table *table, unsigned key, const char *text,
		 struct value *values, size_t *ret_n);

/* For people: text as it is, everything else as a literal. Lives in the table's call. */
const char *db_value_text(const struct db_table *table, const struct table_column *column,
			  const struct value *value);

/* VALUES as bytes, in the table's call. */
int db_row_encode(const struct db_table *table, const struct value *values,
		  const uint8_t **ret_bytes, size_t *ret_len);
int db_row_decode(const struct db_table *table, const uint8_t *bytes, size_t len,
		  struct value *values);

/* ---- cmd_json.c -------------------------------------------------------------------------- */

/* A new reference, never NULL but for want of memory. Integers that a double cannot hold are
 * text, as are NaN and the infinities; bytes are base64. */
json_t *db_value_json(const struct table_column *column, const struct value *value);
json_t *db_row_json(const struct db_table *table, const struct value *values);

/* The way back. Both forms of a number are read. The error names the column. */
int db_value_from_json(const struct db_table *table, const struct table_column *column,
		       const json_t *json, struct value *ret);
/* Every member must be a column. */
int db_row_from_json(const struct db_table *table, const json_t *json, struct value *values);

/* ---- rows: cmd_row.c, cmd_scan.c --------------------------------------------------------- */

/* What is printed row after row: tables of so many rows, or one JSON document a line. */
struct db_rows {
	const struct db_table *table;
	struct out_column *columns;
	struct out_table *out;
	uint64_t n;
};
void db_rows_begin(struct db_rows *rows, const struct db_table *table);
int db_rows_add(struct db_rows *rows, const struct value *values);
int db_rows_end(struct db_rows *rows);

int db_get(struct command *command, const struct options *options);
int db_put(struct command *command, const struct options *options);
int db_delete(struct command *command, const struct options *options);
int db_scan(struct command *command, const struct options *options);
int db_count(struct command *command, const struct options *options);
int db_watch(struct command *command, const struct options *options);

/* ---- the whole: cmd_whole.c, cmd_restore.c ----------------------------------------------- */

int db_stats(struct command *command, const struct options *options);
int db_verify(struct command *command, const struct options *options);
int db_rotate_key(struct command *command, const struct options *options);
int db_backup(struct command *command, const struct options *options);
int db_restore(struct command *command, const struct options *options);
