#include "cellc/seen.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct cell_arena arena;
static struct command_line line;
static struct compiler compiler;
static struct seen seen;
static char folder[] = "/tmp/cell-seen.XXXXXX";
static const char *cache;

static void run(const char *command)
{
	ck_assert_int_eq(system(command), 0);
}

/* A file's text, and times that are long past; or HOW long before now, in seconds. */
static void put_aged(const char *path, const char *text, time_t seconds)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = 1 } };
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	(void)fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
	(void)clock_gettime(CLOCK_REALTIME, &times[1]);
	times[1].tv_sec -= seconds;
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void put(const char *path, const char *text)
{
	put_aged(path, text, 100);
}

static void parse(const char *words)
{
	char *copy = cell_arena_strdup(&arena, words);
	static char name[] = "cellc";
	char *argv[32] = { name };
	struct cell_error err;
	int argc = 1;

	for (char *word; (word = strsep(&copy, " "));)
		argv[argc++] = word;
	ck_assert_int_eq(command_parse(&line, argc, argv, NULL, NULL, NULL, &arena, &err), 0);
}

/* Ctime is what nobody can set: so the clock of the test runs ahead instead. */
static void begin(void)
{
	seen_init(&seen, cache, &line, &compiler, &arena);
	seen.started_ns += 10000000000;
}

static void setup(void)
{
	static const char *const words[] = { "gcc", NULL };

	cell_arena_init(&arena, 0);
	memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(mkdir("inc", 0700), 0);
	ck_assert_int_eq(mkdir("first", 0700), 0);
	ck_assert_int_eq(mkdir("inc/sub", 0700), 0);
	put("b.c", "#include \"b.h\"\n");
	put("inc/b.h", "int b;\n");
	put("inc/sub/s.h", "int s;\n");
	cache = cell_arena_printf(&arena, "%s/cache", folder);
	compiler = (struct compiler){ .path = "/usr/bin/gcc", .words = words, .n_words = 1 };
	parse("-Ifirst -Iinc -c b.c -o out.o");
	begin();
}

static void teardown(void)
{
	char command[128];

	ck_assert_int_eq(chdir("/"), 0);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
	run(command);
	cell_arena_deinit(&arena);
}

static const char text[] = "# 1 \"b.c\"\n# 1 \"<built-in>\"\n# 1 \"/nowhere//\"\n"
			   "# 1 \"inc/b.h\" 1\nint b;\n# 1 \"inc/sub/s.h\" 1 3\n"
			   "# 2 \"b.c\" 2\n#line 7 \"from.y\"\n";

static void keep(void)
{
	begin();
	seen_note(&seen, text, strlen(text));
	seen_keep(&seen);
}

static bool is_clean(void)
{
	begin();
	return seen_is_clean(&seen);
}

START_TEST(knows_what_it_has_kept)
{
	ck_assert(!is_clean());
	keep();
	ck_assert(is_clean());
	ck_assert(is_clean());
}
END_TEST

START_TEST(knows_only_the_same_command)
{
	keep();
	parse("-Ifirst -Iinc -DX -c b.c -o out.o");
	ck_assert(!is_clean());
	parse("-Ifirst -Iinc -c b.c -o out.o");
	ck_assert(is_clean());
	compiler.mtime_ns++;
	ck_assert(!is_clean());
	compiler.mtime_ns--;
	ck_assert_int_eq(chdir("inc"), 0);
	ck_assert(!is_clean());
}
END_TEST

START_TEST(forgets_when_a_header_changes)
{
	struct stat before;
	struct timespec times[2];

	keep();
	put("inc/b.h", "int c;\n");
	ck_assert(!is_clean());
	put("inc/b.h", "int b;\n");
	keep();
	/* The same size and mtime: ctime and the hash tell. */
	ck_assert_int_eq(stat("inc/b.h", &before), 0);
	put("inc/b.h", "int c;\n");
	times[0] = times[1] = before.st_mtim;
	ck_assert_int_eq(utimensat(AT_FDCWD, "inc/b.h", times, 0), 0);
	ck_assert(!is_clean());
}
END_TEST

START_TEST(minds_no_touch)
{
	keep();
	put_aged("inc/b.h", "int b;\n", 5);
	put_aged("b.c", "#include \"b.h\"\n", 5);
	ck_assert(is_clean());
}
END_TEST

START_TEST(forgets_when_a_header_goes)
{
	keep();
	ck_assert_int_eq(unlink("inc/sub/s.h"), 0);
	ck_assert(!is_clean());
}
END_TEST

START_TEST(forgets_when_another_header_would_be_found_first)
{
	keep();
	put("first/b.h", "int other;\n");
	ck_assert(!is_clean());
	ck_assert_int_eq(unlink("first/b.h"), 0);
	ck_assert(is_clean());
	/* Beside the source. */
	put("b.h", "int other;\n");
	ck_assert(!is_clean());
	ck_assert_int_eq(unlink("b.h"), 0);
	/* A folder of a name with parts. */
	ck_assert_int_eq(mkdir("first/sub", 0700), 0);
	put("first/sub/s.h", "int other;\n");
	ck_assert(!is_clean());
}
END_TEST

START_TEST(forgets_when_a_header_appears_in_a_folder_that_was_there)
{
	ck_assert_int_eq(mkdir("first/sub", 0700), 0);
	keep();
	ck_assert(is_clean());
	put("first/sub/s.h", "int other;\n");
	ck_assert(!is_clean());
}
END_TEST

START_TEST(minds_no_objects_that_come_and_go)
{
	keep();
	put("out.o", "");
	put("first/other.h", "");
	ck_assert(is_clean());
}
END_TEST

START_TEST(forgets_when_the_file_of_a_line_directive_appears)
{
	keep();
	put("from.y", "");
	ck_assert(!is_clean());
}
END_TEST

START_TEST(relies_on_nothing_that_has_just_changed)
{
	keep();
	ck_assert(is_clean());
	put_aged("inc/b.h", "int d;\n", 0);
	seen_init(&seen, cache, &line, &compiler, &arena);
	seen_note(&seen, text, strlen(text));
	seen_keep(&seen);
	ck_assert(!is_clean());
}
END_TEST

START_TEST(keeps_nothing_of_a_source_that_asks_for_headers)
{
	put("b.c", "#if __has_include(\"x.h\")\n#include \"x.h\"\n#endif\n");
	keep();
	ck_assert(!is_clean());
}
END_TEST

START_TEST(keeps_nothing_of_what_it_cannot_follow)
{
	static const char *const words[] = { "-I=inc -c b.c", "-imacros x -c b.c",
					     "-x c -c -", "-Xpreprocessor -Iinc -c b.c" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		parse(words[i]);
		keep();
		ck_assert_msg(!is_clean(), "%s", words[i]);
	}
	parse("-c b.c");
	setenv("CPATH", "inc", 1);
	keep();
	ck_assert(!is_clean());
	unsetenv("CPATH");
	keep();
	ck_assert(is_clean());
}
END_TEST

START_TEST(does_without_a_cache)
{
	cache = NULL;
	keep();
	ck_assert(!is_clean());
	cache = "/proc/nowhere";
	keep();
	ck_assert(!is_clean());
}
END_TEST

START_TEST(takes_a_damaged_entry_for_none)
{
	char bytes[4096];
	size_t len;
	FILE *file;

	keep();
	file = fopen(seen.entry.path, "r");
	ck_assert_ptr_nonnull(file);
	len = fread(bytes, 1, sizeof bytes, file);
	(void)fclose(file);
	ck_assert_uint_gt(len, 100);
	for (size_t n = 0; n < len; n++) {
		file = fopen(seen.entry.path, "w");
		ck_assert_ptr_nonnull(file);
		(void)fwrite(bytes, 1, n, file);
		(void)fclose(file);
		ck_assert_msg(!is_clean(), "cut to %zu of %zu", n, len);
	}
	file = fopen(seen.entry.path, "w");
	(void)fwrite(bytes, 1, len, file);
	(void)fputc(0, file);
	(void)fclose(file);
	ck_assert(!is_clean());
}
END_TEST

START_TEST(bears_many_writers)
{
	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			for (int k = 0; k < 50; k++) {
				keep();
				if (!is_clean())
					_exit(1);
			}
			_exit(0);
		}
	for (int i = 0, status; i < 8; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

START_TEST(lets_the_oldest_entry_go)
{
	const char *entries;
	size_t n = 0;
	DIR *dir;

	keep();
	entries = cell_arena_strdup(&arena, seen.entry.folder);
	for (int i = 0; i < SEEN_ENTRIES_MAX + 10; i++)
		put(cell_arena_printf(&arena, "%s/%d", entries, i), "old");
	keep();
	dir = opendir(entries);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	(void)closedir(dir);
	ck_assert_uint_le(n, SEEN_ENTRIES_MAX);
	ck_assert(is_clean());
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("seen");
	TCase *t = tcase_create("seen");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, knows_what_it_has_kept);
	tcase_add_test(t, knows_only_the_same_command);
	tcase_add_test(t, forgets_when_a_header_changes);
	tcase_add_test(t, minds_no_touch);
	tcase_add_test(t, forgets_when_a_header_goes);
	tcase_add_test(t, forgets_when_another_header_would_be_found_first);
	tcase_add_test(t, forgets_when_a_header_appears_in_a_folder_that_was_there);
	tcase_add_test(t, minds_no_objects_that_come_and_go);
	tcase_add_test(t, forgets_when_the_file_of_a_line_directive_appears);
	tcase_add_test(t, relies_on_nothing_that_has_just_changed);
	tcase_add_test(t, keeps_nothing_of_a_source_that_asks_for_headers);
	tcase_add_test(t, keeps_nothing_of_what_it_cannot_follow);
	tcase_add_test(t, does_without_a_cache);
	tcase_add_test(t, takes_a_damaged_entry_for_none);
	tcase_add_test(t, bears_many_writers);
	tcase_add_test(t, lets_the_oldest_entry_go);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
