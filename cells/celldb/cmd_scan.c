/* Rows in order, their number, and their changes. */
#include "cmd.h"

#include <cell/cell.h>
#include <cell/internal/table/row.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A database that went away is asked again so often: 10 s in all, as long as a start may take. */
#define WATCH_TRIES    50
#define WATCH_PAUSE_MS 200

/* ---- ranges ------------------------------------------------------------------------------- */

static int bound_read(const struct db_table *table, unsigned key, const char *text,
		      const uint8_t **ret_bytes, size_t *ret_len)
{
	struct value *values = db_row_new(table);
	size_t n;
	int r = db_key_parse(table, key, text, values, &n);

	return r < 0 ? r : db_row_encode(table, values, ret_bytes, ret_len);
}

/* As the cell has it: 0 is all. */
static uint64_t limit_of(const struct options *options)
{
	return options->limit == UINT64_MAX ? 0 : options->limit;
}

static int scan_read(const struct db_table *table, const struct options *o,
		     struct table_scan_request *ret)
{
	struct table_scan_request scan = {
		.table = &table->ref, .limit = limit_of(o), .backwards = o->reverse,
		.where = o->where ? o->where : "", .prefix = o->prefix != NULL,
	};
	int r = db_key_find(table, o->index, &scan.index);

	if (r == 0 && o->prefix && (o->from || o->to))
		r = command_fail(table->command, CELL_INVALID_ARGUMENT,
				 "--prefix is a range of its own, without --from and --to");
	if (r == 0 && (o->from || o->prefix))
		r = bound_read(table, scan.index, o->prefix ? o->prefix : o->from, &scan.from,
			       &scan.n_from);
	if (r == 0 && o->to)
		r = bound_read(table, scan.index, o->to, &scan.to, &scan.n_to);
	if (r == 0)
		*ret = scan;
	return r;
}

/* ---- cell db scan, count -------------------------------------------------------------------- */

static int scan_rows(const struct db_table *table, const struct table_scan_request *scan,
		     struct db_rows *rows)
{
	struct table_tables_scan_cursor cursor = table_tables_scan(table->call, scan);
	struct value *values = db_row_new(table);
	struct cell_arena_mark mark;
	const struct table_rows *items;
	int r = 0, end;

	while (r == 0 && (items = table_tables_scan_next(&cursor)))
		for (size_t i = 0; r == 0 && i < items->n_rows; i++) {
			mark = cell_mark(table->call);
			r = db_row_decode(table, items->rows[i].at, items->rows[i].len, values);
			if (r == 0)
				r = db_rows_add(rows, values);
			cell_rewind(table->call, mark);
		}
	end = table_tables_scan_end(&cursor);
	return r ? r : end;
}

int db_scan(struct command *command, const struct options *options)
{
	struct table_scan_request scan;
	struct db_table table;
	struct db_rows rows;
	int r = db_table_find(&table, command), end;

	if (r < 0)
		return r;
	r = scan_read(&table, options, &scan);
	if (r == 0) {
		db_rows_begin(&rows, &table);
		r = scan_rows(&table, &scan, &rows);
		end = db_rows_end(&rows);
		r = r ? r : end;
	}
	if (r == 0 && rows.n == 0)
		command_note(command, "no rows");
	db_table_done(&table);
	return r;
}

int db_count(struct command *command, const struct options *options)
{
	struct table_scan_request scan;
	struct table_counted counted;
	struct db_table table;
	int r = db_table_find(&table, command);

	if (r < 0)
		return r;
	r = scan_read(&table, options, &scan);
	if (r == 0)
		r = table_tables_count(table.call, &scan, &counted);
	if (r == 0 && command->is_json)
		r = command_json(command, json_pack("{s:I}", "rows", (json_int_t)counted.n));
	else if (r == 0)
		printf("%" PRIu64 "\n", counted.n);
	db_table_done(&table);
	return r;
}

/* ---- cell db watch ---------------------------------------------------------------------------- */

struct watching {
	const struct db_table *table;
	uint64_t limit; /* changes; 0 = all */
	uint64_t n;
	bool has_after;
	uint64_t after; /* the last commit that was seen */
	struct value *before, *row;
};

static const char *change_name(const struct table_change *change)
{
	return change->n_before == 0 ? "insert" : change->n_row == 0 ? "delete" : "update";
}

static int change_json(const struct watching *w, uint64_t at, const struct table_change *change)
{
	json_t *json = json_pack(
		"{s:I, s:s, s:o, s:o}", "at", (json_int_t)at, "change", change_name(change), "before",
		change->n_before ? db_row_json(w->table, w->before) : json_null(), "row",
		change->n_row ? db_row_json(w->table, w->row) : json_null());
	int r = out_json(stdout, json, false);

	json_decref(json);
	return r < 0 ? command_fail(w->table->command, r, "writing the result: %s", strerror(-r)) : 0;
}

/* NAME=VALUE, or NAME=BEFORE -> VALUE where it is another one. */
static void change_column(const struct watching *w, const struct table_change *change, size_t i)
{
	const struct schema_column *column = &w->table->schema->columns[i];
	const struct value *now = change->n_row ? &w->row[i] : &w->before[i];
	bool is_other = change->n_before && change->n_row && !value_equal(&w->before[i], now);
	struct cell_arena *arena = cell_arena(w->table->call);
	char plain[600];

	if (change->n_before && change->n_row && !is_other && !column->is_key)
		return;
	/* A deleted row is known by its key. */
	if (!change->n_row && !column->is_key && w->table->schema->keys[0].n)
		return;
	printf(" %s=", column->told->name);
	if (is_other)
		printf("%s -> ", out_plain(plain, sizeof plain,
					   value_print(&w->before[i], column->told, arena)));
	printf("%s", out_plain(plain, sizeof plain, value_print(now, column->told, arena)));
}

static int change_print(const struct watching *w, uint64_t at, const struct table_change *change)
{
	const struct out *out = &w->table->command->out;

	out_print(out, OUT_DIM, "%" PRIu64, at);
	fputc(' ', out->file);
	out_print(out, change->n_row ? change->n_before ? OUT_PLAIN : OUT_GOOD : OUT_WARN, "%s",
		  change_name(change));
	for (size_t i = 0; i < w->table->schema->n_columns; i++)
		change_column(w, change, i);
	fputc('\n', out->file);
	return 0;
}

static int change_show(struct watching *w, uint64_t at, const struct table_change *change)
{
	struct cell_arena_mark mark = cell_mark(w->table->call);
	int r = 0;

	if (change->n_before)
		r = db_row_decode(w->table, change->before, change->n_before, w->before);
	if (r == 0 && change->n_row)
		r = db_row_decode(w->table, change->row, change->n_row, w->row);
	if (r == 0)
		r = w->table->command->is_json ? change_json(w, at, change)
					       : change_print(w, at, change);
	cell_rewind(w->table->call, mark);
	if (r == 0 && fflush(stdout) != 0)
		r = command_fail(w->table->command, -errno, "writing the result: %s", strerror(errno));
	w->n++;
	return r;
}

static bool is_enough(const struct watching *w)
{
	return w->limit && w->n >= w->limit;
}

static int watch_once(struct watching *w)
{
	const struct table_watch_request in = { .table = &w->table->ref, .has_after = w->has_after,
						.after = w->after };
	struct table_tables_watch_cursor cursor = table_tables_watch(w->table->call, &in);
	const struct table_changes *item;
	int r = 0, end;

	while (r == 0 && !is_enough(w) && (item = table_tables_watch_next(&cursor))) {
		if (!w->has_after)
			command_note(w->table->command, "watching %s behind version %" PRIu64,
				     w->table->info->name, item->at);
		for (size_t i = 0; r == 0 && !is_enough(w) && i < item->n_changes; i++)
			r = change_show(w, item->at, &item->changes[i]);
		w->has_after = true;
		w->after = item->at;
	}
	end = table_tables_watch_end(&cursor);
	return r || is_enough(w) ? r : end;
}

/* A database that died is back soon, and goes on behind what was seen. */
static int watch(struct watching *w)
{
	unsigned tries = 0;
	int r;

	for (;;) {
		uint64_t after = w->after;

		r = watch_once(w);
		if (r != CELL_UNAVAILABLE || !w->has_after || is_enough(w))
			return r;
		if (w->after != after)
			tries = 0;
		if (++tries == WATCH_TRIES)
			return r;
		r = cell_sleep_ms(w->table->call, WATCH_PAUSE_MS);
		if (r < 0)
			return r;
	}
}

int db_watch(struct command *command, const struct options *options)
{
	struct watching watching = { .limit = limit_of(options) };
	struct db_table table;
	int r = db_table_find(&table, command);

	if (r < 0)
		return r;
	watching.table = &table;
	watching.before = db_row_new(&table);
	watching.row = db_row_new(&table);
	watching.has_after = options->after != UINT64_MAX;
	watching.after = watching.has_after ? options->after : 0;
	r = watch(&watching);
	db_table_done(&table);
	return r;
}
