#include "stored.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stored s;

static void setup(void)
{
	stored_init(&s);
	stored_open(&s, 0);
}

static void teardown(void)
{
	stored_deinit(&s);
}

#define ck_ok(expression) ck_assert_msg((expression) == 0, "%s: %s", #expression, s.err.text)

START_TEST(what_was_committed_is_there_after_opening_again)
{
	ck_ok(stored_put(&s, "a", "one"));
	ck_ok(stored_put(&s, "b", ""));
	stored_close(&s);
	stored_open(&s, 0);
	ck_assert_str_eq(stored_get(&s, "a"), "one");
	ck_assert_str_eq(stored_get(&s, "b"), "");
	ck_assert_ptr_null(stored_get(&s, "c"));
}
END_TEST

START_TEST(an_aborted_transaction_left_nothing)
{
	struct cell_store_txn txn;

	ck_ok(cell_store_write(s.store, &txn, &s.err));
	ck_ok(cell_store_put(&txn, stored_text("a"), stored_text("one"), &s.err));
	cell_store_abort(&txn);
	cell_store_abort(&txn);
	ck_assert_ptr_null(stored_get(&s, "a"));
	txn = (struct cell_store_txn){ 0 };
	cell_store_abort(&txn);
}
END_TEST

START_TEST(a_reader_sees_what_was_when_it_began)
{
	struct cell_store_txn old, renewed;
	struct cell_store_bytes value;

	ck_ok(stored_put(&s, "a", "one"));
	ck_ok(cell_store_read(s.store, &old, &s.err));
	ck_ok(cell_store_read(s.store, &renewed, &s.err));
	ck_ok(stored_put(&s, "a", "two"));
	ck_ok(cell_store_renew(&renewed, &s.err));
	ck_ok(cell_store_get(&old, stored_text("a"), &value, &s.err));
	ck_assert_mem_eq(value.at, "one", 3);
	ck_ok(cell_store_get(&renewed, stored_text("a"), &value, &s.err));
	ck_assert_mem_eq(value.at, "two", 3);
	cell_store_abort(&old);
	cell_store_abort(&renewed);
}
END_TEST

START_TEST(a_transaction_that_failed_once_is_inert)
{
	struct cell_store_txn txn;
	struct cell_store_bytes value;
	char key[CELL_STORE_KEY_MAX + 1];

	memset(key, 'k', sizeof key);
	ck_ok(stored_put(&s, "a", "one"));
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	ck_ok(cell_store_put(&txn, stored_text("a"), stored_text("two"), &s.err));
	ck_assert_int_eq(cell_store_put(&txn, (struct cell_store_bytes){ key, sizeof key },
					stored_text("x"), &s.err),
			 CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(s.err.text, "a key of 512 bytes; it has 1 to 511");
	ck_assert_int_eq(cell_store_get(&txn, stored_text("a"), &value, &s.err),
			 CELL_INVALID_ARGUMENT);
	s.err.text[0] = '\0';
	ck_assert_int_eq(cell_store_commit(&txn, &s.err), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(s.err.text, "a key of 512 bytes; it has 1 to 511");
	ck_assert_str_eq(stored_get(&s, "a"), "one");
	/* And the next one is as good as new. */
	ck_ok(stored_put(&s, "a", "three"));
	ck_assert_str_eq(stored_get(&s, "a"), "three");
}
END_TEST

START_TEST(what_has_ended_says_so)
{
	struct cell_store_txn txn;
	struct cell_store_bytes value;

	ck_ok(cell_store_write(s.store, &txn, &s.err));
	ck_ok(cell_store_commit(&txn, &s.err));
	ck_assert_int_eq(cell_store_commit(&txn, &s.err), CELL_FAILED_PRECONDITION);
	ck_assert_int_eq(cell_store_get(&txn, stored_text("a"), &value, &s.err),
			 CELL_FAILED_PRECONDITION);
	ck_ok(cell_store_read(s.store, &txn, &s.err));
	ck_assert_int_eq(cell_store_put(&txn, stored_text("a"), stored_text("b"), &s.err),
			 CELL_INVALID_ARGUMENT);
	ck_ok(cell_store_commit(&txn, &s.err));
}
END_TEST

START_TEST(deleting_says_whether_it_was_there)
{
	struct cell_store_txn txn;

	ck_ok(stored_put(&s, "a", "one"));
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	ck_ok(cell_store_delete(&txn, stored_text("a"), &s.err));
	ck_assert_int_eq(cell_store_delete(&txn, stored_text("a"), &s.err),
			 CELL_STORE_ABSENT);
	ck_ok(cell_store_commit(&txn, &s.err));
	ck_assert_ptr_null(stored_get(&s, "a"));
}
END_TEST

/* The cursor's step as one letter; '-' at the end. */
static char step(struct cell_store_cursor *cursor, bool backwards)
{
	struct cell_store_bytes key, value;
	int r = cell_store_next(cursor, backwards, &key, &value, &s.err);

	ck_assert_msg(r >= 0, "%s", s.err.text);
	return r == 0 ? *(const char *)key.at : '-';
}

static char seek(struct cell_store_cursor *cursor, const char *to, bool backwards)
{
	struct cell_store_bytes key, value;
	int r = cell_store_seek(cursor, stored_text(to), backwards, &key, &value, &s.err);

	ck_assert_msg(r >= 0, "%s", s.err.text);
	return r == 0 ? *(const char *)key.at : '-';
}

static void put_letters(const char *letters)
{
	char key[2] = "";

	for (; *letters; letters++) {
		key[0] = *letters;
		ck_ok(stored_put(&s, key, "x"));
	}
}

START_TEST(a_cursor_goes_both_ways)
{
	struct cell_store_cursor cursor;
	struct cell_store_txn txn;

	put_letters("bdf");
	ck_ok(cell_store_read(s.store, &txn, &s.err));
	ck_ok(cell_store_cursor_open(&txn, &cursor, &s.err));
	ck_assert_int_eq(step(&cursor, false), 'b');
	ck_assert_int_eq(step(&cursor, false), 'd');
	ck_assert_int_eq(step(&cursor, true), 'b');
	ck_assert_int_eq(step(&cursor, true), '-');
	ck_assert_int_eq(step(&cursor, true), '-');
	ck_assert_int_eq(step(&cursor, false), 'b');
	ck_assert_int_eq(seek(&cursor, "c", false), 'd');
	ck_assert_int_eq(seek(&cursor, "d", false), 'd');
	ck_assert_int_eq(seek(&cursor, "d", true), 'd');
	ck_assert_int_eq(seek(&cursor, "e", true), 'd');
	ck_assert_int_eq(seek(&cursor, "a", true), '-');
	ck_assert_int_eq(step(&cursor, false), 'b');
	ck_assert_int_eq(seek(&cursor, "g", false), '-');
	ck_assert_int_eq(step(&cursor, false), '-');
	ck_assert_int_eq(step(&cursor, true), 'f');
	ck_assert_int_eq(seek(&cursor, "g", true), 'f');
	ck_assert_int_eq(seek(&cursor, "", false), 'b');
	cell_store_cursor_close(&cursor);
	cell_store_cursor_close(&cursor);
	ck_ok(cell_store_cursor_open(&txn, &cursor, &s.err));
	ck_assert_int_eq(step(&cursor, true), 'f');
	cell_store_abort(&txn);
	cell_store_cursor_close(&cursor);
}
END_TEST

START_TEST(a_cursor_over_nothing_is_at_both_ends)
{
	struct cell_store_cursor cursor;
	struct cell_store_txn txn;

	ck_ok(cell_store_read(s.store, &txn, &s.err));
	ck_ok(cell_store_cursor_open(&txn, &cursor, &s.err));
	ck_assert_int_eq(step(&cursor, false), '-');
	ck_assert_int_eq(step(&cursor, true), '-');
	ck_assert_int_eq(seek(&cursor, "a", true), '-');
	ck_assert_int_eq(seek(&cursor, "a", false), '-');
	cell_store_cursor_close(&cursor);
	cell_store_abort(&txn);
}
END_TEST

START_TEST(a_cursor_goes_on_behind_what_was_deleted_under_it)
{
	struct cell_store_cursor cursor;
	struct cell_store_txn txn;

	put_letters("bdfh");
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	ck_ok(cell_store_cursor_open(&txn, &cursor, &s.err));
	ck_assert_int_eq(step(&cursor, false), 'b');
	ck_ok(cell_store_delete(&txn, stored_text("b"), &s.err));
	ck_assert_int_eq(step(&cursor, false), 'd');
	ck_ok(cell_store_put(&txn, stored_text("e"), stored_text("x"), &s.err));
	ck_assert_int_eq(step(&cursor, false), 'e');
	ck_ok(cell_store_delete(&txn, stored_text("f"), &s.err));
	ck_assert_int_eq(step(&cursor, false), 'h');
	ck_ok(cell_store_delete(&txn, stored_text("h"), &s.err));
	ck_assert_int_eq(step(&cursor, true), 'e');
	ck_ok(cell_store_commit(&txn, &s.err));
	cell_store_cursor_close(&cursor);
}
END_TEST

/* Each pass deletes all that it sees, while pages merge and vanish under the cursor. */
START_TEST(a_cursor_deletes_all_of_many_pages)
{
	struct cell_store_bytes key, value;
	struct cell_store_cursor cursor;
	struct cell_store_stat stat;
	struct cell_store_txn txn;
	unsigned n = 0;
	int r;

	ck_ok(stored_fill(&s, 'a', 5000, 100));
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	ck_ok(cell_store_cursor_open(&txn, &cursor, &s.err));
	while ((r = cell_store_next(&cursor, _i == 1, &key, &value, &s.err)) == 0) {
		ck_ok(cell_store_delete(&txn, key, &s.err));
		n++;
	}
	ck_assert_int_eq(r, CELL_STORE_ABSENT);
	cell_store_cursor_close(&cursor);
	ck_ok(cell_store_commit(&txn, &s.err));
	ck_assert_uint_eq(n, 5000);
	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_eq(stat.entries, 0);
}
END_TEST

START_TEST(a_value_may_be_put_under_another_key)
{
	struct cell_store_bytes value;
	struct cell_store_txn txn;

	ck_ok(stored_fill(&s, 'a', 30, 300));
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	for (unsigned i = 0; i < 30; i++) {
		char from[16], to[16];

		snprintf(from, sizeof from, "a%08u", i);
		snprintf(to, sizeof to, "0%08u", i);
		ck_ok(cell_store_get(&txn, stored_text(from), &value, &s.err));
		ck_ok(cell_store_put(&txn, stored_text(to), value, &s.err));
		ck_ok(cell_store_get(&txn, stored_text(to), &value, &s.err));
		ck_assert_uint_eq(value.len, 300);
		ck_assert_int_eq(((const char *)value.at)[299], 'a');
	}
	ck_ok(cell_store_commit(&txn, &s.err));
}
END_TEST

START_TEST(a_second_opening_is_refused)
{
	struct cell_store *second = NULL;
	int status;
	pid_t child;

	ck_assert_int_eq(cell_store_open(&second, s.dir, NULL, &s.err), CELL_ALREADY_EXISTS);
	ck_assert_ptr_nonnull(strstr(s.err.text, s.dir));
	ck_assert_int_eq(cell_store_open(&second, s.dir,
					 &(struct cell_store_options){ .is_read_only = true },
					 &s.err),
			 CELL_ALREADY_EXISTS);
	child = fork();
	if (child == 0)
		_exit(cell_store_open(&second, s.dir, NULL, NULL) == CELL_ALREADY_EXISTS ? 7
											 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(WEXITSTATUS(status), 7);
	stored_close(&s);
	ck_assert_int_eq(stored_try(&s), 0);
}
END_TEST

START_TEST(readers_share_and_write_nothing)
{
	struct cell_store_options options = { .is_read_only = true };
	struct cell_store *one, *two;
	int status;
	struct cell_store_bytes value;
	struct cell_store_txn txn;

	ck_ok(stored_put(&s, "a", "one"));
	stored_close(&s);
	ck_ok(cell_store_open(&one, s.dir, &options, &s.err));
	/* LMDB wants another process for that. */
	if (fork() == 0)
		_exit(cell_store_open(&two, s.dir, &options, NULL) == 0 ? 7 : 1);
	ck_assert_int_gt(wait(&status), 0);
	ck_assert_int_eq(WEXITSTATUS(status), 7);
	ck_assert_int_eq(stored_try(&s), CELL_ALREADY_EXISTS);
	ck_assert_int_eq(cell_store_write(one, &txn, &s.err), -EROFS);
	ck_ok(cell_store_read(one, &txn, &s.err));
	ck_ok(cell_store_get(&txn, stored_text("a"), &value, &s.err));
	ck_assert_mem_eq(value.at, "one", 3);
	cell_store_abort(&txn);
	cell_store_close(one);
}
END_TEST

START_TEST(the_map_is_full_and_then_larger)
{
	unsigned n = 0;

	stored_close(&s);
	stored_open(&s, 1024 * 1024);
	ck_ok(stored_put(&s, "kept", "well"));
	while (stored_fill(&s, (char)('a' + n), 100, 1000) == 0)
		n++;
	ck_assert_int_eq(s.err.code, CELL_RESOURCE_EXHAUSTED);
	ck_assert_msg(strstr(s.err.text, "has 1048576 bytes, which is its limit") != NULL,
		      "%s", s.err.text);
	ck_assert_uint_gt(n, 3);
	/* It goes on living: reads, and writes that fit. */
	ck_assert_str_eq(stored_get(&s, "kept"), "well");
	stored_close(&s);
	stored_open(&s, 16 * 1024 * 1024);
	ck_ok(stored_fill(&s, (char)('a' + n), 100, 1000));
	ck_assert_str_eq(stored_get(&s, "kept"), "well");
}
END_TEST

START_TEST(a_limit_of_readers_is_told)
{
	struct cell_store_txn txns[4];
	struct cell_store_stat stat;

	stored_close(&s);
	ck_ok(cell_store_open(&s.store, s.dir, &(struct cell_store_options){ .readers = 3 },
			      &s.err));
	for (unsigned i = 0; i < 3; i++)
		ck_ok(cell_store_read(s.store, &txns[i], &s.err));
	ck_assert_int_eq(cell_store_read(s.store, &txns[3], &s.err), CELL_RESOURCE_EXHAUSTED);
	ck_assert_msg(strstr(s.err.text, "3 read transactions") != NULL, "%s", s.err.text);
	cell_store_abort(&txns[0]);
	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_eq(stat.readers, 2);
	cell_store_abort(&txns[1]);
	cell_store_abort(&txns[2]);
}
END_TEST

START_TEST(figures_are_right)
{
	struct cell_store_stat stat;
	struct cell_store_txn txn;

	ck_ok(stored_fill(&s, 'a', 1000, 200));
	ck_ok(cell_store_read(s.store, &txn, &s.err));
	ck_ok(stored_put(&s, "b", "x"));
	ck_ok(stored_put(&s, "b", "y"));
	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_eq(stat.entries, 1001);
	ck_assert_uint_eq(stat.readers, 1);
	ck_assert_uint_eq(stat.oldest_reader, 2);
	ck_assert_uint_ge(stat.file_bytes, 200 * 1000);
	ck_assert_uint_gt(stat.max_bytes, stat.file_bytes);
	ck_assert_uint_lt(stat.free_bytes, stat.file_bytes);
	cell_store_abort(&txn);
	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_eq(stat.readers, 0);
	ck_assert_uint_eq(stat.oldest_reader, 0);
}
END_TEST

START_TEST(a_backup_is_a_store_without_holes)
{
	struct cell_store_stat before, after;
	struct stored copy;
	int fd;

	ck_ok(stored_fill(&s, 'a', 2000, 300));
	ck_ok(stored_fill(&s, 'a', 2000, 30));
	ck_ok(cell_store_stat(s.store, &before, &s.err));
	stored_init(&copy);
	ck_assert_int_eq(mkdir(copy.dir, 0700), 0);
	fd = open(stored_path(&copy, "data.mdb"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_ok(cell_store_backup(s.store, fd, &s.err));
	close(fd);
	stored_open(&copy, 0);
	ck_ok(cell_store_stat(copy.store, &after, &s.err));
	ck_assert_uint_eq(after.entries, 2000);
	ck_assert_uint_lt(after.file_bytes, before.file_bytes / 3 * 2);
	ck_assert_uint_eq(after.free_bytes, 0);
	ck_assert_uint_eq(strlen(stored_get(&copy, "a00001999")), 30);
	stored_deinit(&copy);
}
END_TEST

static atomic_bool is_written;

/* Both values are of one commit, and no commit is older than one that was seen before. */
static void *read_pairs(void *unused)
{
	unsigned last = 0, bad = 0;
	struct cell_store_txn txn;

	(void)unused;
	while (!atomic_load(&is_written) || last < 300) {
		struct cell_store_bytes a, b;
		unsigned x, y;

		if (cell_store_read(s.store, &txn, NULL) < 0)
			return (void *)"reading";
		if (cell_store_get(&txn, stored_text("a"), &a, NULL) == 0 &&
		    cell_store_get(&txn, stored_text("b"), &b, NULL) == 0) {
			memcpy(&x, a.at, sizeof x);
			memcpy(&y, b.at, sizeof y);
			bad += x != y || x < last;
			last = x;
		}
		cell_store_abort(&txn);
	}
	return bad ? (void *)"a half commit" : NULL;
}

START_TEST(readers_in_other_threads_see_whole_commits)
{
	pthread_t threads[4];
	void *what;

	atomic_store(&is_written, false);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_pairs, NULL), 0);
	for (unsigned i = 1; i <= 300; i++) {
		struct cell_store_bytes value = { &i, sizeof i };
		struct cell_store_txn txn;

		ck_ok(cell_store_write(s.store, &txn, &s.err));
		ck_ok(cell_store_put(&txn, stored_text("a"), value, &s.err));
		ck_ok(cell_store_put(&txn, stored_text("b"), value, &s.err));
		ck_ok(cell_store_commit(&txn, &s.err));
	}
	atomic_store(&is_written, true);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &what), 0);
		ck_assert_msg(what == NULL, "%s", (const char *)what);
	}
}
END_TEST

START_TEST(verifying_counts_what_is_good)
{
	struct cell_store_txn txn;
	uint64_t entries = 0;

	ck_ok(cell_store_verify(s.dir, &entries, &s.err));
	ck_assert_uint_eq(entries, 0);
	/* Values of all sizes, deletions, and pages that are free. */
	ck_ok(stored_fill(&s, 'a', 3000, 50));
	ck_ok(stored_fill(&s, 'b', 30, 20000));
	ck_ok(stored_fill(&s, 'c', 300, 2500));
	ck_ok(stored_fill(&s, 'b', 30, 9000));
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	for (unsigned i = 0; i < 3000; i += 3) {
		char key[16];

		snprintf(key, sizeof key, "a%08u", i);
		ck_ok(cell_store_delete(&txn, stored_text(key), &s.err));
	}
	ck_ok(cell_store_commit(&txn, &s.err));
	ck_ok(cell_store_verify(s.dir, &entries, &s.err));
	ck_assert_uint_eq(entries, 2330);
	stored_close(&s);
	ck_ok(cell_store_verify(s.dir, &entries, &s.err));
	ck_assert_uint_eq(entries, 2330);
	ck_assert_int_eq(cell_store_verify(s.root, &entries, &s.err), -ENOENT);
}
END_TEST

START_TEST(what_cannot_be_opened_says_why)
{
	struct cell_store *store = NULL;

	ck_assert_int_eq(cell_store_open(&store, "/nowhere/at/all", NULL, &s.err), -ENOENT);
	ck_assert_msg(strstr(s.err.text, "/nowhere/at/all") != NULL, "%s", s.err.text);
	ck_assert_int_eq(cell_store_open(&store, "/dev/null", NULL, &s.err), -ENOTDIR);
	ck_assert_ptr_null(store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, what_was_committed_is_there_after_opening_again);
	tcase_add_test(tc, an_aborted_transaction_left_nothing);
	tcase_add_test(tc, a_reader_sees_what_was_when_it_began);
	tcase_add_test(tc, a_transaction_that_failed_once_is_inert);
	tcase_add_test(tc, what_has_ended_says_so);
	tcase_add_test(tc, deleting_says_whether_it_was_there);
	tcase_add_test(tc, a_cursor_goes_both_ways);
	tcase_add_test(tc, a_cursor_over_nothing_is_at_both_ends);
	tcase_add_test(tc, a_cursor_goes_on_behind_what_was_deleted_under_it);
	tcase_add_loop_test(tc, a_cursor_deletes_all_of_many_pages, 0, 2);
	tcase_add_test(tc, a_value_may_be_put_under_another_key);
	tcase_add_test(tc, a_second_opening_is_refused);
	tcase_add_test(tc, readers_share_and_write_nothing);
	tcase_add_test(tc, the_map_is_full_and_then_larger);
	tcase_add_test(tc, a_limit_of_readers_is_told);
	tcase_add_test(tc, figures_are_right);
	tcase_add_test(tc, a_backup_is_a_store_without_holes);
	tcase_add_test(tc, readers_in_other_threads_see_whole_commits);
	tcase_add_test(tc, verifying_counts_what_is_good);
	tcase_add_test(tc, what_cannot_be_opened_says_why);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
