/*
 * Tables and values for tests: schemas of a few columns, made as a client would send them.
 */
#pragma once

#include "quick_check.h"

#include <cell/codec.h>
#include <cell/internal/table/row.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Of the running test; tests fork, so that nobody has to give it back. */
static struct cell_arena test_arena;
static struct cell_error test_err;

/* Column number I + 1 for the entry I, unless it has a number; texts that are NULL become "". */
static inline const struct table_column *columns_told(struct table_column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct table_column *c = &columns[i];

		if (!c->number)
			c->number = (uint32_t)i + 1;
		c->fallback = c->fallback ? c->fallback : "";
		c->computed = c->computed ? c->computed : "";
		c->native = c->native ? c->native : "";
		c->renamed_from = c->renamed_from ? c->renamed_from : "";
	}
	return columns;
}

/* What TABLE is on the wire. */
static inline size_t table_bytes(const struct table_table *table, uint8_t **ret)
{
	uint8_t *end;

	*ret = malloc(table_table_type.bound(table));
	ck_assert_ptr_nonnull(*ret);
	end = table_table_type.encode(table, *ret);
	return (size_t)(end - *ret);
}

/* The schema of TABLE, or NULL and why in test_err. */
static inline struct schema *schema_try(const struct table_table *table)
{
	struct schema *schema = NULL;
	uint8_t *bytes;
	size_t len = table_bytes(table, &bytes);
	int r;

	test_err = (struct cell_error){ .code = 0 };
	r = schema_new(&schema, bytes, len, &test_err);
	free(bytes);
	if (r == 0)
		ck_assert_ptr_nonnull(schema);
	else
		ck_assert(r == test_err.code && r == CELL_INVALID_ARGUMENT && !schema);
	return schema;
}

static inline struct schema *schema_must(const struct table_table *table)
{
	struct schema *schema = schema_try(table);

	ck_assert_msg(schema != NULL, "%s", test_err.text);
	return schema;
}

static inline struct value text_value(const char *text)
{
	return (struct value){ .kind = VALUE_TEXT, .bytes = (const uint8_t *)text,
			       .len = strlen(text) };
}

static inline struct value int_value(int64_t integer)
{
	return (struct value){ .kind = VALUE_INT, .integer = integer };
}

static inline struct value uint_value(uint64_t natural)
{
	return (struct value){ .kind = VALUE_UINT, .natural = natural };
}

static inline struct value real_value(double real)
{
	return (struct value){ .kind = VALUE_REAL, .real = real };
}

static inline struct value bool_value(bool boolean)
{
	return (struct value){ .kind = VALUE_BOOL, .boolean = boolean };
}

static inline void setup_arena(void)
{
	cell_arena_init(&test_arena, 0);
	test_err = (struct cell_error){ .code = 0 };
}

static inline void teardown_arena(void)
{
	cell_arena_deinit(&test_arena);
}

static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
