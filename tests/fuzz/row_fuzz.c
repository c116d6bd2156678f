/*
 * A row, or a key, that a client sent: refused with a text that names the column, or a row that
 * is the same again when it was encoded, has keys, and may be finished. The lowest bit of the
 * first byte says which table it is of.
 */
#include <cell/internal/table/row.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)          \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

#define N_COLUMNS 14

static const struct table_enum_value colors[] = { { "RED", 0 }, { "GREEN", 5 }, { "BLUE", -1 } };

/* Every type; where it is NULL, where it has limits, defaults, or is computed. */
static struct table_column plain[N_COLUMNS] = {
	{ .name = "id", .type = TABLE_COLUMN_TYPE_UINT64 },
	{ .name = "b", .type = TABLE_COLUMN_TYPE_BOOL, .nullable = true },
	{ .name = "i", .type = TABLE_COLUMN_TYPE_INT32, .fallback = "7" },
	{ .name = "u", .type = TABLE_COLUMN_TYPE_UINT32, .nullable = true },
	{ .name = "l", .type = TABLE_COLUMN_TYPE_INT64, .fallback = "now()" },
	{ .name = "f", .type = TABLE_COLUMN_TYPE_FLOAT, .nullable = true },
	{ .name = "d", .type = TABLE_COLUMN_TYPE_DOUBLE, .nullable = true },
	{ .name = "t", .type = TABLE_COLUMN_TYPE_TEXT, .length = 8, .nullable = true },
	{ .name = "x", .type = TABLE_COLUMN_TYPE_BYTES, .fixed = true, .length = 16,
	  .fallback = "uuid()" },
	{ .name = "e", .type = TABLE_COLUMN_TYPE_ENUM, .n_values = 3, .values = colors,
	  .fallback = "GREEN" },
	{ .name = "m", .type = TABLE_COLUMN_TYPE_MESSAGE, .nullable = true },
	{ .name = "sum", .type = TABLE_COLUMN_TYPE_INT64, .computed = "i * 2 + l", .nullable = true },
	{ .name = "low", .type = TABLE_COLUMN_TYPE_TEXT, .computed = "lower(t)", .nullable = true },
	{ .name = "s", .number = 70000, .type = TABLE_COLUMN_TYPE_TEXT, .nullable = true },
};
static struct table_column lists[N_COLUMNS];

static struct schema *schemas[2];

static struct schema *make(struct table_column *columns, const struct table_table *table)
{
	struct schema *schema = NULL;
	uint8_t *bytes, *end;

	for (size_t i = 0; i < N_COLUMNS; i++) {
		columns[i].number = columns[i].number ? columns[i].number : (uint32_t)i + 1;
		columns[i].fallback = columns[i].fallback ? columns[i].fallback : "";
		columns[i].computed = columns[i].computed ? columns[i].computed : "";
		columns[i].native = columns[i].renamed_from = "";
	}
	bytes = malloc(table_table_type.bound(table));
	MUST(bytes);
	end = table_table_type.encode(table, bytes);
	MUST(schema_new(&schema, bytes, (size_t)(end - bytes), NULL) == 0);
	free(bytes);
	return schema;
}

static void prepare(void)
{
	static const uint32_t id[] = { 1 }, all[] = { 8, 9, 2, 3, 4, 5, 6, 7, 10, 70000 };
	static const struct table_index key = { "", 1, id, false }, index = { "all", 10, all, true };
	static const struct table_check check = { "i < 100 || is_null(t) || length(t) > 2", "" };
	struct table_table table = { .store = "s", .name = "t", .n_columns = N_COLUMNS,
				     .columns = plain, .key = &key, .n_indexes = 1,
				     .indexes = &index, .n_checks = 1, .checks = &check, .doc = "" };

	memcpy(lists, plain, sizeof lists);
	schemas[0] = make(plain, &table);
	for (size_t i = 1; i < N_COLUMNS; i++) {
		lists[i].repeated = true;
		lists[i].nullable = i & 1;
		lists[i].fallback = lists[i].computed = "";
	}
	table = (struct table_table){ .store = "s", .name = "t", .n_columns = N_COLUMNS,
				      .columns = lists, .key = &key, .doc = "" };
	schemas[1] = make(lists, &table);
}

/* VALUES encoded, in memory of exactly that size, and decoded again. */
static void come_back(const struct schema *schema, const struct value *values,
		      struct cell_arena *arena)
{
	size_t bound = row_bound(schema, values);
	uint8_t *bytes = malloc(bound ? bound : 1);
	size_t len = (size_t)(row_encode(schema, values, bytes) - bytes);
	struct value again[N_COLUMNS];

	MUST(len <= bound);
	MUST(row_decode(schema, bytes, len, again, arena, NULL) == 0);
	for (size_t i = 0; i < N_COLUMNS; i++)
		MUST(values[i].kind == again[i].kind && value_equal(&values[i], &again[i]));
	free(bytes);
}

static void have_keys(const struct schema *schema, const struct value *values,
		      struct cell_arena *arena)
{
	struct cell_error err;

	for (size_t i = 0; i < schema->n_keys; i++) {
		const struct schema_key *key = &schema->keys[i];
		size_t len = 0;
		uint8_t *bytes = malloc(480);
		int r = row_key(schema, key, values, key->n, false, bytes, 480, &len, &err);

		MUST(r == 0 ? len >= key->n && len <= 480 : r == CELL_INVALID_ARGUMENT && err.text[0]);
		MUST(row_key_given(key, values) <= key->n);
		MUST(row_key_print(schema, key, values, arena)[0]);
		free(bytes);
	}
	for (size_t i = 0; i < N_COLUMNS; i++)
		MUST(value_print(&values[i], &schema->told->columns[i], arena)[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct row_moment moment = { .now_us = 1700000000000000, .random = { 1, 2 } };
	struct value values[N_COLUMNS];
	const struct schema *schema;
	struct cell_arena arena;
	struct cell_error err;
	int r;

	if (!schemas[0])
		prepare();
	if (!size)
		return 0;
	cell_arena_init(&arena, 0);
	schema = schemas[data[0] & 1];
	r = row_decode(schema, data + 1, size - 1, values, &arena, &err);
	if (r < 0) {
		MUST(r == CELL_INVALID_ARGUMENT && err.text[0]);
	} else {
		come_back(schema, values, &arena);
		have_keys(schema, values, &arena);
		r = row_finish(schema, values, data[0] & 2, &moment, &arena, &err);
		MUST(r == 0 || err.text[0]);
		if (r == 0)
			come_back(schema, values, &arena);
	}
	cell_arena_deinit(&arena);
	return 0;
}
