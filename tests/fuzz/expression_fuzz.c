/*
 * An expression that somebody wrote: refused with a text and a place in it, or computed for
 * some rows and said in SQL. What it is for a row is of the kind that it was said to be.
 */
#include <cell/internal/table/expression.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)          \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

static const struct table_enum_value colors[] = { { "RED", 0 }, { "GREEN", 5 } };

#define COLUMN(n, t, ...)                                                                         \
	{                                                                                         \
		.name = n, .type = TABLE_COLUMN_TYPE_##t, .native = "" __VA_OPT__(, ) __VA_ARGS__ \
	}
static const struct table_column columns[] = {
	COLUMN("i", INT64), COLUMN("u", UINT32), COLUMN("t", TEXT), COLUMN("d", DOUBLE),
	COLUMN("k", ENUM, .n_values = 2, .values = colors), COLUMN("b", BOOL), COLUMN("x", BYTES),
	COLUMN("l", TEXT, .repeated = true), COLUMN("f", FLOAT), COLUMN("m", MESSAGE),
};
#define N_COLUMNS (sizeof columns / sizeof *columns)

#define BYTES(k, s)                                                                    \
	{                                                                              \
		.kind = k, .bytes = (const uint8_t *)(s), .len = sizeof(s) - 1          \
	}
static const struct value rows[][N_COLUMNS] = {
	{ { .kind = VALUE_NULL } },
	{ { .kind = VALUE_INT, .integer = INT64_MIN }, { .kind = VALUE_UINT, .natural = UINT32_MAX },
	  BYTES(VALUE_TEXT, "Ada"), { .kind = VALUE_REAL, .real = -0.5 },
	  { .kind = VALUE_INT, .integer = 5 }, { .kind = VALUE_BOOL, .boolean = true },
	  BYTES(VALUE_BYTES, "\0\xff"), BYTES(VALUE_LIST, "\1a\2bc"),
	  { .kind = VALUE_REAL, .real = 1e30 }, BYTES(VALUE_BYTES, "\x08\1") },
	{ { .kind = VALUE_INT, .integer = 0 }, { .kind = VALUE_UINT, .natural = 0 },
	  BYTES(VALUE_TEXT, ""), { .kind = VALUE_REAL, .real = 0 },
	  { .kind = VALUE_INT, .integer = 0 }, { .kind = VALUE_BOOL, .boolean = false },
	  BYTES(VALUE_BYTES, ""), { .kind = VALUE_LIST }, { .kind = VALUE_REAL, .real = 0 },
	  { .kind = VALUE_NULL } },
};

static void compute(const struct expression *expression, struct cell_arena *arena)
{
	const char *sql = expression_sql(expression, arena);
	struct cell_error err;
	struct value value;
	bool fits;

	MUST(sql && sql[0]);
	for (size_t i = 0; i < N_COLUMNS; i++) {
		fits = expression_fits(expression, &columns[i]);
		MUST(!fits || expression_kind(expression) != VALUE_LIST);
		(void)expression_uses(expression, i);
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int r = expression_value(expression, rows[i], &value, arena, &err);

		MUST(r == 0 || (r == CELL_OUT_OF_RANGE && err.text[0]));
		MUST(r < 0 || value.kind == VALUE_NULL || value.kind == expression_kind(expression));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct expression *expression;
	struct cell_arena arena;
	struct cell_error err;
	size_t at = SIZE_MAX;
	char *text = malloc(size + 1);
	int r;

	MUST(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	cell_arena_init(&arena, 0);
	r = expression_parse(&expression, text, columns, N_COLUMNS, &arena, &at, &err);
	/* Whatever it needs of it is its own. */
	memset(text, 'x', size);
	MUST(r == 0 || (r == CELL_INVALID_ARGUMENT && err.text[0] && at <= size));
	if (r == 0)
		compute(expression, &arena);
	cell_arena_deinit(&arena);
	free(text);
	return 0;
}
