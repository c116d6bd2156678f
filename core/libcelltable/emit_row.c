/* Types, and the functions that every table has. */
#include "emit.h"

#include <cell/cell.h>

static const char types[] =
	"\n/* Rows of $tag$: `for (struct $tag$ *x; (x = $noun$_next(&cursor)); )`, then $noun$_end(). */\n"
	"struct $noun$_cursor {\n"
	"\tstruct cell_cursor cursor;\n"
	"};\n"
	"\n"
	"/* What happened to a row. */\n"
	"struct $noun$_change {\n"
	"\tuint64_t at;                  /* the commit: a point to go on from */\n"
	"\tconst struct $tag$ *before; /* NULL = there was none */\n"
	"\tconst struct $tag$ *row;    /* NULL = it was deleted */\n"
	"};\n"
	"\n"
	"struct $noun$_change_cursor {\n"
	"\tstruct cell_cursor cursor;\n"
	"\tstruct $noun$_change change;\n"
	"};\n";

static const char rows[] =
	"/* Insert or replace, now or at the end of CALL's transaction. CELL_ABORTED: it has changed since CALL read it. */\n"
	"static inline int $noun$_put(struct cell_call *call, const struct $tag$ *row)\n"
	"{\n"
	"\treturn cell_table_put(call, &cell_$noun$_table, row);\n"
	"}\n"
	"/* A new row; ROW gets defaults and numbers. CELL_ALREADY_EXISTS: its key is there. */\n"
	"static inline int $noun$_insert(struct cell_call *call, struct $tag$ *row)\n"
	"{\n"
	"\treturn cell_table_insert(call, &cell_$noun$_table, row);\n"
	"}\n"
	"/* Replace. CELL_NOT_FOUND: its key is not there. */\n"
	"static inline int $noun$_update(struct cell_call *call, const struct $tag$ *row)\n"
	"{\n"
	"\treturn cell_table_update(call, &cell_$noun$_table, row);\n"
	"}\n"
	"/* N rows, all or none of them. As $noun$_put() each. */\n"
	"static inline int $noun$_put_all(struct cell_call *call, const struct $tag$ *rows, size_t n)\n"
	"{\n"
	"\treturn cell_table_put_all(call, &cell_$noun$_table, rows, n);\n"
	"}\n"
	"/* How many rows there are. */\n"
	"static inline int $noun$_count(struct cell_call *call, uint64_t *ret_n)\n"
	"{\n"
	"\treturn cell_table_count(call, &cell_$noun$_table, ret_n);\n"
	"}\n"
	"/* The next row, good until the next call of this; NULL at the end. */\n"
	"static inline struct $tag$ *$noun$_next(struct $noun$_cursor *cursor)\n"
	"{\n"
	"\treturn (struct $tag$ *)cell_cursor_next(&cursor->cursor);\n"
	"}\n"
	"/* 0 at the end, or why it stopped; before the end it gives up the rest. */\n"
	"static inline int $noun$_end(struct $noun$_cursor *cursor)\n"
	"{\n"
	"\treturn cell_cursor_end(&cursor->cursor);\n"
	"}\n";

static const char changes[] =
	"/* Changes behind the point AFTER (UINT64_MAX: from now on), then as they come. CELL_OUT_OF_RANGE: no longer kept. */\n"
	"static inline struct $noun$_change_cursor $noun$_watch(struct cell_call *call, uint64_t after)\n"
	"{\n"
	"\treturn (struct $noun$_change_cursor){ .cursor = cell_table_watch(call, &cell_$noun$_table, after) };\n"
	"}\n"
	"/* The next change, good until the next call of this; waits for one. NULL: it has ended. */\n"
	"static inline const struct $noun$_change *$noun$_change_next(struct $noun$_change_cursor *cursor)\n"
	"{\n"
	"\tconst struct cell_change *cell_change = (const struct cell_change *)cell_cursor_next(&cursor->cursor);\n"
	"\n"
	"\tif (!cell_change)\n"
	"\t\treturn 0;\n"
	"\tcursor->change = (struct $noun$_change){ .at = cell_change->at,\n"
	"\t\t.before = (const struct $tag$ *)cell_change->before,\n"
	"\t\t.row = (const struct $tag$ *)cell_change->row };\n"
	"\treturn &cursor->change;\n"
	"}\n"
	"/* Why it ended: CELL_DEADLINE_EXCEEDED if the call's time is over. 0: it is given up here. */\n"
	"static inline int $noun$_change_end(struct $noun$_change_cursor *cursor)\n"
	"{\n"
	"\treturn cell_cursor_end(&cursor->cursor);\n"
	"}\n";

void emit_declarations(struct text *out, const struct read *read)
{
	emit_layout(out, read);
	text_template(out, types, (const char *const[]){ EMIT_WORDS(read), NULL });
}

/* get and delete, which take the key. */
static void put_keyed(struct text *out, const struct read *read)
{
	const struct read_key *key = &read->keys[0];
	const struct emit_part part = { .read = read,
					.key = key,
					.n = key->n,
					.row = "cell_row",
					.before = "",
					.open = "",
					.close = "" };
	const char *const words[] = { EMIT_WORDS(read), "columns",
				      emit_names(read, key, key->n, ", ", " and "), NULL };

	text_template(
		out,
		"/* The row with this $columns$. CELL_NOT_FOUND: there is none, and *ret_$noun$ is as it was. */\n"
		"static inline int $noun$_get(struct cell_call *call",
		words);
	emit_parameters(out, &part);
	text_template(out, ", struct $tag$ *ret_$noun$)\n{\n", words);
	emit_row(out, &part);
	text_add(out, "\n");
	emit_copies(out, &part);
	text_template(
		out,
		"\treturn cell_table_get(call, &cell_$noun$_table, 0, &cell_row, ret_$noun$);\n}\n"
		"/* CELL_NOT_FOUND: there is no such row; CELL_FAILED_PRECONDITION: others refer to it. */\n"
		"static inline int $noun$_delete(struct cell_call *call",
		words);
	emit_parameters(out, &part);
	text_add(out, ")\n{\n");
	emit_row(out, &part);
	text_add(out, "\n");
	emit_copies(out, &part);
	text_template(out,
		      "\treturn cell_table_delete(call, &cell_$noun$_table, &cell_row);\n}\n",
		      words);
}

void emit_functions(struct text *out, const struct read *read)
{
	const char *const words[] = { EMIT_WORDS(read), NULL };

	put_keyed(out, read);
	text_template(out, rows, words);
	emit_cursors(out, read);
	text_template(out, changes, words);
}
