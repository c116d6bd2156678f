#include "log/rotate.h"

#include "log/file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

START_TEST(rotates_at_its_share_of_all)
{
	ck_assert(!rotate_is_due(0, 5000000, 1024));
	ck_assert(!rotate_is_due(90000, 10000, 500000));
	ck_assert(rotate_is_due(90001, 10000, 500000));
	ck_assert(!rotate_is_due(2000000, 100, 0));
	ck_assert(rotate_is_due(ROTATE_DEFAULT_BYTES / 5, 1, 0));
	ck_assert(!rotate_is_due(900, 100, 1));
	ck_assert(rotate_is_due(1000, 100, 1));
}
END_TEST

START_TEST(names_files)
{
	char name[64], tiny[8], cell[64];

	ck_assert(rotate_name(name, sizeof name, "greeter", 0));
	ck_assert_str_eq(name, "greeter.log");
	ck_assert(rotate_name(name, sizeof name, "greeter", 3));
	ck_assert_str_eq(name, "greeter.log.3");
	ck_assert(!rotate_name(tiny, sizeof tiny, "greeter", 0));
	ck_assert(rotate_cell_of(cell, sizeof cell, "greeter.log"));
	ck_assert_str_eq(cell, "greeter");
	ck_assert(!rotate_cell_of(cell, sizeof cell, "greeter.log.1"));
	ck_assert(!rotate_cell_of(cell, sizeof cell, ".log"));
	ck_assert(!rotate_cell_of(cell, sizeof cell, "core"));
}
END_TEST

START_TEST(lines_go_there_and_back)
{
	/* Both ends of a leap day, and of some centuries. */
	static const int64_t times[] = { 0,          951782399,  951868799,
					 4107542400, 1709164800, 1735689599 };
	char head[ROTATE_HEAD_SIZE], line[512], cell[64], wanted[32];
	struct recent_line back;

	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		struct recent_line in = { .at_ns =
						  (uint64_t)times[i] * 1000000000 + 123456000,
					  .cell = "greeter",
					  .instance = 7,
					  .pid = 4711 };
		time_t at = (time_t)times[i];
		struct tm tm;
		size_t len;

		ck_assert_uint_gt(rotate_head_write(head, &in), 0);
		strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S.", gmtime_r(&at, &tm));
		ck_assert_msg(strncmp(head, wanted, strlen(wanted)) == 0, "%s is not %s",
			      head, wanted);
		len = (size_t)snprintf(line, sizeof line, "%slevel=warn some text", head);
		ck_assert(rotate_line_read(&back, cell, line, len));
		ck_assert_uint_eq(back.at_ns, in.at_ns);
		ck_assert_str_eq(back.cell, "greeter");
		ck_assert_uint_eq(back.instance, 7);
		ck_assert_uint_eq(back.pid, 4711);
		ck_assert_uint_eq(back.text_len, strlen("level=warn some text"));
		ck_assert_int_eq(back.level, RECENT_WARN);
		/* Cut anywhere in front, it is refused; never read beyond. */
		for (size_t cut = 0; cut < strlen(head); cut++)
			ck_assert(!rotate_line_read(&back, cell, line, cut));
	}
	ck_assert(!rotate_line_read(&back, cell, "hello world", 11));
	ck_assert(!rotate_line_read(&back, cell, "2024-13-01T00:00:00.000000Z a/1 1 x", 35));
	ck_assert(!rotate_line_read(&back, cell, "2024-01-01T00:00:00.000000Z /1 1 x", 34));
}
END_TEST

static char seen[65536];
static size_t n_seen;

static void on_line(void *userdata, const struct recent_line *line)
{
	(void)userdata;
	n_seen++;
	snprintf(seen, sizeof seen, "%s/%lu %.*s", line->cell, (unsigned long)line->instance,
		 (int)line->text_len, line->text);
}

static void append(struct files *files, const char *cell, uint64_t at_ns, const char *text,
		   uint64_t total)
{
	struct recent_line line = { .cell = cell,
				    .instance = 1,
				    .at_ns = at_ns,
				    .text = text,
				    .text_len = strlen(text) };

	ck_assert_int_eq(files_append(files, &line, total, NULL), 0);
}

static off_t size_of(const char *dir, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return stat(path, &st) == 0 ? st.st_size : -1;
}

START_TEST(files_rotate_and_are_read_again)
{
	char dir[] = "/tmp/rotate_test.XXXXXX", text[64], command[64];
	struct files *files;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	files = files_open(dir);
	ck_assert_ptr_nonnull(files);
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(text, sizeof text, "line %u", i);
		append(files, i % 2 ? "one" : "two", i * UINT64_C(1000000), text, 20000);
		if (i % 10 == 0)
			ck_assert_int_eq(files_flush(files, NULL), 0);
	}
	files_close(files);
	/* The newest file and four before it, each a fifth of what all may have. */
	ck_assert_int_gt(size_of(dir, "one.log"), 0);
	ck_assert_int_le(size_of(dir, "one.log"), 4000);
	ck_assert_int_le(size_of(dir, "one.log.4"), 4000);
	ck_assert_int_gt(size_of(dir, "one.log.4"), 3000);
	ck_assert_int_eq(size_of(dir, "one.log.5"), -1);
	files = files_open(dir);
	files_reload(files, on_line, NULL);
	/* Of both cells, by time: the very last line comes last. */
	ck_assert_str_eq(seen, "one/1 line 1999");
	ck_assert_uint_gt(n_seen, 10);
	files_close(files);
	snprintf(command, sizeof command, "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
	ck_assert_ptr_null(files_open("/nonexistent"));
	files_close(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log/rotate");
	TCase *tc = tcase_create("rotate");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, rotates_at_its_share_of_all);
	tcase_add_test(tc, names_files);
	tcase_add_test(tc, lines_go_there_and_back);
	tcase_add_test(tc, files_rotate_and_are_read_again);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
