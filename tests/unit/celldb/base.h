/*
 * An engine on a store in a temporary folder, without threads and without a node.
 */
#pragma once

#include "celldb/alter.h"
#include "celldb/engine.h"
#include "stored.h"

#include <cell/cell.h>
#include <check.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct base {
	struct stored stored;
	struct pulse pulse;
	struct seal *seal;
	struct engine *engine;
	struct cell_arena arena;
	struct cell_error err;
	int64_t now_us;
	uint64_t log_max;
	uint8_t next_id;
};

__attribute__((unused)) static const struct catalog_peer base_owner = { .cell = "", .is_owner = true };

__attribute__((unused)) static void base_random(uint8_t out[static 16])
{
	static uint8_t n;

	memset(out, ++n, 16);
}

__attribute__((unused)) static void base_open(struct base *base)
{
	struct engine_options options = { .fill_random = base_random, .log_max = base->log_max };

	/* Small enough for tools that watch over memory. */
	stored_open(&base->stored, 64u << 20);
	ck_assert_msg(seal_open(&base->seal, stored_path(&base->stored, "keys"), &base->err) == 0,
		      "%s", base->err.text);
	ck_assert_msg(engine_open(&base->engine, base->stored.store, base->seal, &base->pulse, &options,
				  &base->err) == 0,
		      "%s", base->err.text);
}

__attribute__((unused)) static void base_close(struct base *base)
{
	engine_close(base->engine);
	seal_close(base->seal);
	stored_close(&base->stored);
	base->engine = NULL;
}

__attribute__((unused)) static void base_reopen(struct base *base)
{
	base_close(base);
	base_open(base);
}

__attribute__((unused)) static void base_init(struct base *base)
{
	memset(base, 0, sizeof *base);
	base->now_us = 1700000000000000;
	cell_arena_init(&base->arena, 0);
	stored_init(&base->stored);
	base_open(base);
}

__attribute__((unused)) static void base_deinit(struct base *base)
{
	base_close(base);
	stored_deinit(&base->stored);
	cell_arena_deinit(&base->arena);
}

#define BASE_OK(base, r) ck_assert_msg((r) == 0, "%s", (base)->err.text)

__attribute__((unused)) static void base_begin(struct base *base)
{
	BASE_OK(base, engine_begin(base->engine, ++base->now_us, &base->err));
}

__attribute__((unused)) static void base_end(struct base *base)
{
	BASE_OK(base, engine_end(base->engine, &base->err));
}

/* ---- tables ----------------------------------------------------------------------------- */

/* What provisioning says to PEER. REPORT may be NULL. */
__attribute__((unused)) static int base_alter_by(struct base *base, const struct catalog_peer *peer,
						 const struct table_table *told, bool only_check,
						 struct alter_report *report)
{
	uint8_t *body = cell_arena_alloc(&base->arena, table_table_type.bound(told));
	size_t len = (size_t)(table_table_type.encode(told, body) - body);
	struct alter_report none;
	int r;

	base_begin(base);
	r = alter_table(base->engine, peer, body, len, only_check, report ? report : &none,
			&base->arena, &base->err);
	if (r < 0 || only_check)
		engine_abort(base->engine);
	else
		base_end(base);
	return r;
}

__attribute__((unused)) static int base_alter(struct base *base, const struct table_table *told, bool only_check,
		      struct alter_report *report)
{
	return base_alter_by(base, &base_owner, told, only_check, report);
}

__attribute__((unused)) static uint64_t base_version(const struct table_table *told)
{
	uint8_t body[8192], digest[32];
	size_t len = (size_t)(table_table_type.encode(told, body) - body);

	(void)crypto_generichash(digest, sizeof digest, body, len, NULL, 0);
	return cell_load_u64(digest);
}

__attribute__((unused)) static struct table_table_ref base_ref(const struct table_table *told)
{
	return (struct table_table_ref){ .store = told->store, .name = told->name,
					 .version = base_version(told) };
}

/* ---- rows ------------------------------------------------------------------------------- */

/* Names and literals ("id", "7", "owner", "\"Ada\"") up to NULL, as the row's bytes. */
__attribute__((unused)) static struct cell_bytes base_row(struct base *base, const struct table_table *told, ...)
{
	uint8_t *body = cell_arena_alloc(&base->arena, table_table_type.bound(told));
	size_t len = (size_t)(table_table_type.encode(told, body) - body);
	struct value *values;
	struct schema *schema;
	struct cell_bytes row;
	const char *name;
	uint8_t *bytes;
	va_list args;

	ck_assert_msg(schema_new(&schema, body, len, &base->err) == 0, "%s", base->err.text);
	values = cell_arena_calloc(&base->arena, schema->n_columns, sizeof *values);
	va_start(args, told);
	while ((name = va_arg(args, const char *))) {
		int i = schema_column_by_name(schema, name);

		ck_assert_msg(i >= 0, "no column %s", name);
		ck_assert_msg(value_parse(&values[i], va_arg(args, const char *), &told->columns[i],
					  &base->arena, &base->err) == 0,
			      "%s", base->err.text);
	}
	va_end(args);
	bytes = cell_arena_alloc(&base->arena, row_bound(schema, values));
	row = (struct cell_bytes){ .at = bytes };
	row.len = (size_t)(row_encode(schema, values, bytes) - bytes);
	schema_free(schema);
	return row;
}

/* ---- commits ---------------------------------------------------------------------------- */

struct base_write {
	const struct table_table *told;
	enum table_write_kind kind;
	struct cell_bytes row;
};

/* A commit of N writes within the transaction that is under way; its id is ID. */
__attribute__((unused)) static int base_commit_id(struct base *base, uint8_t id, const struct base_write *writes, size_t n,
			  struct table_committed *out)
{
	struct table_table_ref *tables = cell_arena_calloc(&base->arena, n, sizeof *tables);
	struct table_write *list = cell_arena_calloc(&base->arena, n, sizeof *list);
	struct table_committed none = { 0 };
	uint8_t bytes[16] = { id, 1 };
	struct table_commit_request request = { .n_id = 16, .id = bytes, .n_tables = n,
						.tables = tables, .n_writes = n, .writes = list,
						.want_rows = out != NULL };

	for (size_t i = 0; i < n; i++) {
		tables[i] = base_ref(writes[i].told);
		list[i] = (struct table_write){ .table = (uint32_t)i, .kind = writes[i].kind,
						.n_row = writes[i].row.len,
						.row = writes[i].row.at };
	}
	return engine_commit(base->engine, &base_owner, &request, out ? out : &none, &base->arena,
			     &base->err);
}

/* One in a transaction of its own. */
__attribute__((unused)) static int base_commit(struct base *base, const struct base_write *writes,
					       size_t n)
{
	int r;

	base_begin(base);
	r = base_commit_id(base, ++base->next_id, writes, n, NULL);
	base_end(base);
	return r;
}

#define BASE_COMMIT(base, ...)                                                             \
	base_commit((base), (const struct base_write[]){ __VA_ARGS__ },                    \
		    sizeof((const struct base_write[]){ __VA_ARGS__ }) / sizeof(struct base_write))

/* ---- what is there ------------------------------------------------------------------------ */

/* The row with this key as text ("7 \"Ada\" 12"), in the order of columns; NULL: none. */
__attribute__((unused)) static const char *base_get(struct base *base,
						    const struct table_table *told,
						    struct cell_bytes key_row)
{
	const struct catalog_table *table;
	struct cell_store_bytes key;
	struct rows_row row;
	struct value *values;
	char *text = cell_arena_calloc(&base->arena, 1, 1024);
	int r;

	base_begin(base);
	table = catalog_by_name(base->engine->view.catalog, told->shared, told->store, told->name);
	ck_assert_ptr_nonnull(table);
	values = rows_values(table, &base->arena);
	BASE_OK(base, row_decode(table->schema, key_row.at, key_row.len, values, &base->arena,
				 &base->err));
	BASE_OK(base, rows_key(table, values, &base->arena, &key, &base->err));
	r = rows_get(&base->engine->view, table, key, &row, &base->err);
	ck_assert_int_ge(r, 0);
	if (r == 0) {
		BASE_OK(base, rows_decode(&base->engine->view, table, key, row.bytes, values,
					  &base->arena, &base->err));
		for (size_t i = 0; i < table->schema->n_columns; i++) {
			if (i)
				strcat(text, " ");
			strcat(text, value_print(&values[i], table->schema->columns[i].told,
						 &base->arena));
		}
	}
	engine_abort(base->engine);
	return r == 0 ? text : NULL;
}

/* Entries of the store that begin with KIND. */
__attribute__((unused)) static unsigned base_entries(struct base *base, char kind)
{
	struct layout_key begin = { .len = 1, .bytes = { (uint8_t)kind } };
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	unsigned n = 0;
	int r;

	base_begin(base);
	BASE_OK(base, cell_store_cursor_open(&base->engine->txn, &cursor, &base->err));
	for (r = cell_store_seek(&cursor, layout_bytes(&begin), false, &key, &value, &base->err);
	     r == 0 && layout_begins(key, &begin);
	     r = cell_store_next(&cursor, false, &key, &value, &base->err))
		n++;
	cell_store_cursor_close(&cursor);
	engine_abort(base->engine);
	return n;
}

/* ---- running ----------------------------------------------------------------------------- */

__attribute__((unused)) static int base_run(Suite *suite, TCase *tc)
{
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
