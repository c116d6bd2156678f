/*
 * Tables without memory: whichever allocation fails, what is asked for is refused with -ENOMEM,
 * nothing is left behind, and with memory it works.
 */
#include "table_help.h"

#include <cell/internal/table/expression.h>
#include <cell/internal/table/migrate.h>
#include <errno.h>
#include <stdio.h>

/* Sanitizers bring an allocator of their own, and look for what is left behind. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_FAIL 0
#else
#define CAN_FAIL 1

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void __libc_free(void *at);

static unsigned allocations, fails_at;
static int held;

static bool goes_wrong(void)
{
	if (!fails_at || ++allocations != fails_at) {
		held += fails_at != 0;
		return false;
	}
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return goes_wrong() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return goes_wrong() ? NULL : __libc_calloc(n, size);
}

void free(void *at)
{
	held -= at && fails_at;
	__libc_free(at);
}

/* The AT-th allocation from here on fails. */
static void arm(unsigned at)
{
	fails_at = at;
	allocations = 0;
	held = 0;
}
#endif

static struct table_column columns[40];
static char names[COUNT(columns)][8];
static uint8_t *bytes;
static size_t len;

/* Large enough to need several chunks. */
static void setup(void)
{
	static const uint32_t one[] = { 1 };
	static const struct table_index key = { "", 1, one, false };
	static const struct table_check checks[] = {
		{ "c0 > 0 && (c1 < 5 || length(t) > 3) && lower(t) != \"x\"", "" },
		{ "c2 == 2 * (c3 + c4) || is_null(t)", "" },
	};
	struct table_table table = { .store = "s", .name = "t", .n_columns = COUNT(columns),
				     .columns = columns, .key = &key, .n_checks = COUNT(checks),
				     .checks = checks, .doc = "" };

	setup_arena();
	for (size_t i = 0; i < COUNT(columns); i++) {
		snprintf(names[i], sizeof names[i], "c%zu", i);
		columns[i] = (struct table_column){ .name = names[i], .fallback = "7",
						    .type = TABLE_COLUMN_TYPE_INT64 };
	}
	columns[39] = (struct table_column){ .name = "t", .type = TABLE_COLUMN_TYPE_TEXT,
					     .nullable = true, .fallback = "\"new\"" };
	(void)columns_told(columns, COUNT(columns));
	len = table_bytes(&table, &bytes);
}

static void teardown(void)
{
	free(bytes);
	teardown_arena();
}

#if CAN_FAIL
START_TEST(a_schema_without_memory_is_refused)
{
	struct schema *schema = NULL;
	unsigned at = 0;
	int r;

	do {
		arm(++at);
		r = schema_new(&schema, bytes, len, &test_err);
		fails_at = r < 0 ? fails_at : 0;
		ck_assert(r == 0 || (r == -ENOMEM && !schema && held == 0 && test_err.text[0]));
	} while (r < 0);
	fails_at = 0;
	ck_assert_uint_gt(at, 3);
	schema_free(schema);
}
END_TEST

/* What works in an arena that has no more to give. */
START_TEST(a_migration_without_memory_is_refused)
{
	struct schema *schema = NULL;
	struct migration migration;
	unsigned n_failed = 0;

	ck_assert_int_eq(schema_new(&schema, bytes, len, &test_err), 0);
	for (size_t limit = 1; limit < 65536; limit += 2048) {
		struct cell_arena small;
		int r;

		cell_arena_init(&small, limit);
		r = migration_plan(&migration, schema, schema, &small);
		ck_assert(r == -ENOMEM || (r == 0 && !migration.n_steps));
		n_failed += r < 0;
		cell_arena_deinit(&small);
	}
	ck_assert_uint_gt(n_failed, 0);
	ck_assert_uint_lt(n_failed, 32);
	schema_free(schema);
}
END_TEST
#endif

START_TEST(with_memory_it_works)
{
	struct schema *schema = NULL;

	ck_assert_int_eq(schema_new(&schema, bytes, len, &test_err), 0);
	schema_free(schema);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tcase = tcase_create("table");

	tcase_add_checked_fixture(tcase, setup, teardown);
#if CAN_FAIL
	tcase_add_test(tcase, a_schema_without_memory_is_refused);
	tcase_add_test(tcase, a_migration_without_memory_is_refused);
#endif
	tcase_add_test(tcase, with_memory_it_works);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
