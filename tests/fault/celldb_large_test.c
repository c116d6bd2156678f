/*
 * A million rows: what is read streams, memory stays flat, and a snapshot is one moment
 * whatever is written meanwhile.
 */
#include "database.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS	 1000000u
#define BATCH	 10000u
#define PATIENCE 100000 /* ms, for all of one scan */
/* What celldb may have of its own; pages of the store are the page cache's. */
#define MEMORY_MAX (160ull * 1024 * 1024)

static struct scene scene;
static struct cell_call *writer; /* another program: what it is given goes with each batch */

static void setup(void)
{
	scene_init(&scene);
	database_cell(&scene, "");
	scene_start(&scene);
	scene_join(&scene);
	database_provision_accounts(scene.call);
	writer = cell_open("writer");
}

static void teardown(void)
{
	cell_close(writer);
	scene_deinit(&scene);
}

#define OK(r) ck_assert_msg((r) == 0, "%s", cell_error(scene.call)->text)

/* Memory that is nobody else's, in bytes. */
static uint64_t own_memory(void)
{
	char path[64], line[256];
	unsigned long long kib = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)scene_instance(&scene, "celldb").pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "RssAnon: %llu", &kib) == 1)
			break;
	fclose(file);
	ck_assert_uint_gt(kib, 0);
	return kib * 1024;
}

static void write_batch(uint32_t first, uint32_t n, uint32_t seats)
{
	struct cell_arena_mark mark = cell_mark(writer);
	struct ticket *rows = calloc(n, sizeof *rows);

	ck_assert_ptr_nonnull(rows);
	for (uint32_t i = 0; i < n; i++)
		rows[i] = (struct ticket){ .id = first + i, .state = "sold", .has_seats = true,
					   .seats = seats };
	ck_assert_msg(cell_table_put_all(writer, &ticket_table, rows, n) == 0, "%s",
		      cell_error(writer)->text);
	free(rows);
	cell_rewind(writer, mark);
}

START_TEST(million_rows_stream_in_flat_memory)
{
	struct ticket from = { .id = ROWS / 2 };
	uint64_t begun, filled, memory, most = 0, n, sum = 0, seen = 0;
	struct cell_cursor all;

	begun = scene_now_ns();
	for (uint32_t i = 1; i <= ROWS; i += BATCH)
		write_batch(i, BATCH, 1);
	filled = scene_now_ns();
	OK(cell_table_count(scene.call, &ticket_table, &n));
	ck_assert_uint_eq(n, ROWS);
	all = cell_table_scan(cell_within_ms(scene.call, PATIENCE), &ticket_table,
			      &(struct cell_scan){ .key = 0 });
	for (struct ticket *t; (t = cell_cursor_next(&all));) {
		ck_assert_uint_eq(t->id, ++seen);
		sum += t->seats;
		/* In the middle of it everything else goes on, and is not seen. */
		if (seen % (ROWS / 20) == 0) {
			write_batch(ROWS - BATCH + 1, BATCH, 1000);
			memory = own_memory();
			most = memory > most ? memory : most;
		}
	}
	OK(cell_cursor_end(&all));
	printf("%u rows: written in %.1f s, read in %.1f s; %.1f MiB at most\n", ROWS,
	       (double)(filled - begun) / 1e9, (double)(scene_now_ns() - filled) / 1e9,
	       (double)most / 1048576.);
	ck_assert_uint_eq(seen, ROWS);
	ck_assert_uint_eq(sum, ROWS);
	if (!SCENE_KEEPS_FREED)
		ck_assert_uint_le(most, MEMORY_MAX);
	/* Where a scan begins costs nothing, and one that is given up neither. */
	all = cell_table_scan(scene.call, &ticket_table,
			      &(struct cell_scan){ .key = 0, .from = &from, .n_from = 1 });
	ck_assert_ptr_nonnull(cell_cursor_next(&all));
	OK(cell_cursor_end(&all));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("celldb large");
	TCase *tc = tcase_create("celldb large");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 110);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, million_rows_stream_in_flat_memory);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
