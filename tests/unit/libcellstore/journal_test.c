/* A store with a journal: the same as one without, in other ways. */
#include "stored.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stored s;

/* Small, so that its files are written in turn often. */
#define JOURNAL ((size_t)256 * 1024)

static void setup(void)
{
	stored_init(&s);
	s.journal_bytes = JOURNAL;
	stored_open(&s, 0);
}

static void teardown(void)
{
	stored_deinit(&s);
}

#define ck_ok(expression) ck_assert_msg((expression) == 0, "%s: %s", #expression, s.err.text)

/* ---- Against a model ---------------------------------------------------------------- */

#define MODEL_KEYS 200

struct model {
	char values[MODEL_KEYS][32]; /* "" = not there */
	uint64_t random;
};

static uint64_t draw(struct model *model, uint64_t below)
{
	model->random ^= model->random << 13;
	model->random ^= model->random >> 7;
	model->random ^= model->random << 17;
	return model->random % below;
}

static struct cell_store_bytes model_key(unsigned i)
{
	static char text[16];

	snprintf(text, sizeof text, "key%04u", i);
	return stored_text(text);
}

static void model_change(struct model *model, struct cell_store_txn *txn)
{
	unsigned i = (unsigned)draw(model, MODEL_KEYS);
	bool was_there = model->values[i][0] != '\0';

	if (draw(model, 3) == 0) {
		int r = cell_store_delete(txn, model_key(i), &s.err);

		ck_assert_int_eq(r, was_there ? 0 : CELL_STORE_ABSENT);
		model->values[i][0] = '\0';
	} else {
		snprintf(model->values[i], sizeof model->values[i], "%llu",
			 (unsigned long long)draw(model, UINT64_MAX));
		ck_ok(cell_store_put(txn, model_key(i), stored_text(model->values[i]), &s.err));
	}
}

static int model_next(const struct model *model, int at, int step)
{
	for (at += step; at >= 0 && at < MODEL_KEYS; at += step)
		if (model->values[at][0])
			return at;
	return -1;
}

static void expect(const struct model *model, int at, int r, struct cell_store_bytes key,
		   struct cell_store_bytes value)
{
	if (at < 0) {
		ck_assert_int_eq(r, CELL_STORE_ABSENT);
		return;
	}
	ck_assert_msg(r == 0, "%d: %s", r, s.err.text);
	ck_assert_uint_eq(key.len, 7);
	ck_assert_mem_eq(key.at, model_key((unsigned)at).at, 7);
	ck_assert_uint_eq(value.len, strlen(model->values[at]));
	ck_assert_mem_eq(value.at, model->values[at], value.len);
}

/* All of it, in both directions, by key, and back and forth. */
static void model_check(struct model *model, struct cell_store_txn *txn)
{
	struct cell_store_bytes key = { 0 }, value = { 0 };
	struct cell_store_cursor cursor;
	int at, r;

	for (unsigned i = 0; i < MODEL_KEYS; i++) {
		r = cell_store_get(txn, model_key(i), &value, &s.err);
		ck_assert_int_eq(r, model->values[i][0] ? 0 : CELL_STORE_ABSENT);
		if (r == 0)
			ck_assert_mem_eq(value.at, model->values[i], value.len);
	}
	for (int step = -1; step <= 1; step += 2) {
		ck_ok(cell_store_cursor_open(txn, &cursor, &s.err));
		at = step > 0 ? -1 : MODEL_KEYS;
		do {
			at = model_next(model, at, step);
			r = cell_store_next(&cursor, step < 0, &key, &value, &s.err);
			expect(model, at, r, key, value);
		} while (at >= 0);
		cell_store_cursor_close(&cursor);
	}
	ck_ok(cell_store_cursor_open(txn, &cursor, &s.err));
	for (int i = 0; i < 50; i++) {
		int to = (int)draw(model, MODEL_KEYS);
		bool backwards = draw(model, 2) == 0;

		at = model->values[to][0] ? to : model_next(model, to, backwards ? -1 : 1);
		r = cell_store_seek(&cursor, model_key((unsigned)to), backwards, &key, &value,
				    &s.err);
		expect(model, at, r, key, value);
		while (at >= 0 && draw(model, 8) > 0) {
			backwards = draw(model, 2) == 0;
			at = model_next(model, at, backwards ? -1 : 1);
			r = cell_store_next(&cursor, backwards, &key, &value, &s.err);
			expect(model, at, r, key, value);
		}
	}
	cell_store_cursor_close(&cursor);
}

/* What is committed, given up, settled and opened again, in any order. */
START_TEST(all_is_as_in_a_model)
{
	static struct model model, before, old;
	struct cell_store_txn txn, reader = { 0 };

	memset(&model, 0, sizeof model);
	model.random = 88172645463325252u + (uint64_t)_i;
	for (unsigned round = 0; round < 150; round++) {
		before = model;
		ck_ok(cell_store_write(s.store, &txn, &s.err));
		for (uint64_t n = draw(&model, 40); n > 0; n--)
			model_change(&model, &txn);
		if (round % 10 == 0)
			model_check(&model, &txn);
		if (draw(&model, 4) == 0) {
			uint64_t random = model.random;

			cell_store_abort(&txn);
			model = before;
			model.random = random;
		} else {
			ck_ok(cell_store_commit(&txn, &s.err));
		}
		/* A reader that stays behind, over settling. */
		if (round % 30 == 5) {
			old = model;
			ck_ok(cell_store_read(s.store, &reader, &s.err));
		}
		if (draw(&model, 12) == 0) {
			int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

			ck_ok(cell_store_backup(s.store, fd, &s.err));
			close(fd);
		}
		if (round % 30 == 25) {
			model_check(&old, &reader);
			cell_store_abort(&reader);
			stored_close(&s);
			stored_open(&s, 0);
		}
		if (round % 5 == 0) {
			struct cell_store_txn now;

			ck_ok(cell_store_read(s.store, &now, &s.err));
			model_check(&model, &now);
			cell_store_abort(&now);
		}
	}
	cell_store_abort(&reader);
}
END_TEST

/* ---- Readers beside a writer ---------------------------------------------------------- */

#define PAIR_COMMITS 3000
#define PAIR_KEYS    16

static _Atomic bool pairs_end;

/* Each commit writes its number under all keys. */
static void *pairs_write(void *userdata)
{
	(void)userdata;
	for (unsigned n = 1; n <= PAIR_COMMITS; n++) {
		struct cell_store_txn txn;
		struct cell_error err;
		char text[16];

		snprintf(text, sizeof text, "%08u", n);
		if (cell_store_write(s.store, &txn, &err) < 0)
			abort();
		for (unsigned i = 0; i < PAIR_KEYS; i++) {
			char key[16];

			snprintf(key, sizeof key, "key%04u", i);
			(void)cell_store_put(&txn, stored_text(key), stored_text(text), &err);
		}
		if (cell_store_commit(&txn, &err) < 0)
			abort();
		if (n % 500 == 0) {
			int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

			if (cell_store_backup(s.store, fd, &err) < 0)
				abort();
			close(fd);
		}
	}
	pairs_end = true;
	return NULL;
}

START_TEST(readers_see_whole_commits_while_they_are_written_and_settled)
{
	unsigned last = 0, n_reads = 0;
	pthread_t writer;

	ck_assert_int_eq(pthread_create(&writer, NULL, pairs_write, NULL), 0);
	while (!pairs_end) {
		struct cell_store_bytes key, value;
		struct cell_store_cursor cursor;
		struct cell_store_txn txn;
		unsigned n = 0, first = 0;
		int r;

		ck_ok(cell_store_read(s.store, &txn, &s.err));
		ck_ok(cell_store_cursor_open(&txn, &cursor, &s.err));
		while ((r = cell_store_next(&cursor, n_reads % 2, &key, &value, &s.err)) == 0) {
			char text[9] = "";
			unsigned now;

			ck_assert_uint_eq(value.len, 8);
			memcpy(text, value.at, 8);
			now = (unsigned)atoi(text);
			first = n++ == 0 ? now : first;
			ck_assert_uint_eq(now, first);
		}
		ck_assert_int_eq(r, CELL_STORE_ABSENT);
		ck_assert(n == 0 || n == PAIR_KEYS);
		ck_assert_uint_ge(first, last);
		last = first;
		cell_store_cursor_close(&cursor);
		cell_store_abort(&txn);
		n_reads++;
	}
	ck_assert_int_eq(pthread_join(writer, NULL), 0);
	ck_assert_uint_gt(n_reads, 100);
}
END_TEST

START_TEST(who_looks_at_what_was_settled_is_told)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct cell_store_bytes value;
	struct cell_store_txn txn;

	ck_ok(stored_put(&s, "a", "one"));
	ck_ok(cell_store_read(s.store, &txn, &s.err));
	ck_assert(!cell_store_is_behind(&txn));
	ck_ok(cell_store_backup(s.store, fd, &s.err));
	close(fd);
	ck_assert(cell_store_is_behind(&txn));
	ck_ok(cell_store_get(&txn, stored_text("a"), &value, &s.err));
	ck_ok(cell_store_renew(&txn, &s.err));
	ck_assert(!cell_store_is_behind(&txn));
	ck_ok(cell_store_get(&txn, stored_text("a"), &value, &s.err));
	ck_assert_mem_eq(value.at, "one", 3);
	cell_store_abort(&txn);
	ck_assert(!cell_store_is_behind(&txn));
}
END_TEST

/* Nothing is in the map alone, or counted there, until somebody asks for it. */
START_TEST(verifying_and_counting_see_what_was_settled)
{
	struct cell_store_stat stat;
	uint64_t entries;

	ck_ok(stored_put(&s, "a", "one"));
	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_gt(stat.memory_bytes, 0);
	ck_ok(cell_store_settle(s.store, &s.err));
	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_eq(stat.memory_bytes, 0);
	ck_assert_uint_eq(stat.entries, 1);
	ck_ok(cell_store_verify(s.dir, &entries, &s.err));
	ck_assert_uint_eq(entries, 1);
	ck_ok(cell_store_settle(s.store, &s.err));
}
END_TEST

/* ---- Files -------------------------------------------------------------------------- */

START_TEST(closing_leaves_no_journal)
{
	ck_ok(stored_put(&s, "a", "one"));
	ck_assert_int_eq(access(stored_path(&s, "journal.0"), F_OK), 0);
	stored_close(&s);
	ck_assert_int_lt(access(stored_path(&s, "journal.0"), F_OK), 0);
	ck_assert_int_lt(access(stored_path(&s, "journal.1"), F_OK), 0);
	/* And it is an ordinary one. */
	s.journal_bytes = 0;
	stored_open(&s, 0);
	ck_assert_str_eq(stored_get(&s, "a"), "one");
}
END_TEST

/* More than both files hold, several times. */
START_TEST(the_files_are_written_in_turn)
{
	struct stat status;

	for (unsigned i = 0; i < 60; i++)
		ck_ok(stored_fill(&s, (char)('A' + i % 20), 100, 700 + i));
	ck_assert_int_eq(stat(stored_path(&s, "journal.0"), &status), 0);
	ck_assert_int_eq(status.st_size, JOURNAL);
	stored_close(&s);
	stored_open(&s, 0);
	for (unsigned i = 0; i < 20; i++) {
		char key[16];

		snprintf(key, sizeof key, "%c%08u", 'A' + i, 99);
		ck_assert_uint_eq(strlen(stored_get(&s, key)), 255);
	}
}
END_TEST

START_TEST(what_no_file_has_room_for_is_committed_all_the_same)
{
	ck_ok(stored_put(&s, "before", "x"));
	ck_ok(stored_put(&s, "b00000001", "old"));
	ck_ok(stored_fill(&s, 'b', 1200, 1000));
	ck_ok(stored_put(&s, "b00000001", "new"));
	ck_assert_str_eq(stored_get(&s, "before"), "x");
	ck_assert_str_eq(stored_get(&s, "b00000001"), "new");
	stored_close(&s);
	stored_open(&s, 0);
	ck_assert_str_eq(stored_get(&s, "before"), "x");
	ck_assert_str_eq(stored_get(&s, "b00000001"), "new");
	ck_assert_uint_gt(strlen(stored_get(&s, "b00001199")), 200);
}
END_TEST

START_TEST(a_full_map_is_told_before_the_answer)
{
	unsigned n = 0;

	stored_close(&s);
	stored_open(&s, 4 * 1024 * 1024);
	ck_ok(stored_put(&s, "kept", "well"));
	while (stored_fill(&s, (char)('A' + n), 50, 1000) == 0)
		n++;
	ck_assert_int_eq(s.err.code, CELL_RESOURCE_EXHAUSTED);
	ck_assert_uint_gt(n, 20);
	ck_assert_str_eq(stored_get(&s, "kept"), "well");
	stored_close(&s);
	stored_open(&s, 64 * 1024 * 1024);
	for (unsigned i = 0; i < n; i++) {
		char key[16];

		snprintf(key, sizeof key, "%c%08u", (char)('A' + i), 49);
		ck_assert_ptr_nonnull(stored_get(&s, key));
	}
	ck_ok(stored_fill(&s, (char)('A' + n), 50, 1000));
}
END_TEST

/* ---- Crashes ------------------------------------------------------------------------ */

/* A child that commits 1, 2, … up to LAST under key "n", says each to the pipe, and is killed. */
static void child_commits(int fd, unsigned padding, unsigned last)
{
	char *more = calloc(1, padding + 1);

	memset(more, 'p', padding);
	for (unsigned i = 1; i <= last; i++) {
		struct cell_store_txn txn;
		char text[16];

		snprintf(text, sizeof text, "%u", i);
		if (cell_store_write(s.store, &txn, &s.err) < 0)
			_exit(1);
		(void)cell_store_put(&txn, stored_text("n"), stored_text(text), &s.err);
		(void)cell_store_put(&txn, stored_text(text),
				     (struct cell_store_bytes){ more, padding }, &s.err);
		if (cell_store_commit(&txn, &s.err) < 0 ||
		    write(fd, &i, sizeof i) != sizeof i)
			_exit(1);
	}
	for (;;)
		pause();
}

/* Let a child commit until at least N, at most LAST were acknowledged, and kill it; how many. */
static unsigned crash(unsigned n, unsigned last, unsigned padding)
{
	unsigned acknowledged = 0, i;
	int fds[2];
	pid_t child;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		stored_open(&s, 0);
		child_commits(fds[1], padding, last);
	}
	close(fds[1]);
	while (acknowledged < n && read(fds[0], &i, sizeof i) == sizeof i)
		acknowledged = i;
	kill(child, SIGKILL);
	while (read(fds[0], &i, sizeof i) == sizeof i)
		acknowledged = i;
	close(fds[0]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_uint_ge(acknowledged, n);
	return acknowledged;
}

static void check_commits(unsigned acknowledged)
{
	unsigned last = (unsigned)atoi(stored_get(&s, "n"));

	ck_assert_uint_ge(last, acknowledged);
	ck_assert_uint_le(last, acknowledged + 1);
	for (unsigned i = 1; i <= last; i++) {
		char key[16];

		snprintf(key, sizeof key, "%u", i);
		ck_assert_msg(stored_get(&s, key) != NULL, "%u of %u is not there", i, last);
	}
}

/* Few, and so many that both files were written more than once. */
START_TEST(nothing_acknowledged_is_lost_by_a_kill)
{
	static const unsigned counts[] = { 1, 7, 300, 1500 };
	unsigned acknowledged;

	stored_close(&s);
	acknowledged = crash(counts[_i], UINT_MAX, _i == 3 ? 2000 : 10);
	s.journal_bytes = _i % 2 == 0 ? JOURNAL : 0;
	stored_open(&s, 0);
	check_commits(acknowledged);
}
END_TEST

START_TEST(a_journal_is_for_those_who_may_write)
{
	struct cell_store_options options = { .is_read_only = true };
	struct cell_store *store;

	stored_close(&s);
	(void)crash(5, 5, 10);
	ck_assert_int_eq(cell_store_open(&store, s.dir, &options, &s.err),
			 CELL_FAILED_PRECONDITION);
	stored_open(&s, 0);
	stored_close(&s);
	ck_ok(cell_store_open(&store, s.dir, &options, &s.err));
	cell_store_close(store);
}
END_TEST

/* Flip a byte of block BLOCK of FILE. */
static void damage(const char *file, unsigned block)
{
	int fd = open(stored_path(&s, file), O_RDWR | O_CLOEXEC);
	off_t at = (off_t)block * 4096 + 60;
	unsigned char byte;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
	byte ^= 0x40;
	ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

START_TEST(a_damaged_journal_is_told)
{
	stored_close(&s);
	(void)crash(20, 20, 10);
	damage("journal.0", (unsigned)_i);
	ck_assert_int_eq(stored_try(&s), CELL_DATA_LOSS);
	ck_assert_msg(strstr(s.err.text, "journal") != NULL, "%s", s.err.text);
}
END_TEST

/*
 * As if the power had failed while the last record was written: anywhere, and as the first of a
 * file that was never written, or is written anew.
 */
START_TEST(a_last_record_that_is_torn_counts_for_nothing)
{
	static const unsigned counts[] = { 1, 20, 64, 65, 127 };
	unsigned last = counts[_i / 4], blocks = _i % 4 ? 3 : 1;
	unsigned per_file = 63 / blocks, block;

	if (blocks == 3)
		last = last / 3 + 1;
	stored_close(&s);
	ck_assert_uint_eq(crash(last, last, blocks == 1 ? 10 : 10000), last);
	block = (last - 1) % per_file * blocks + (blocks == 1 ? 0 : (unsigned)_i % 4 - 1);
	damage((last - 1) / per_file % 2 ? "journal.1" : "journal.0", block);
	stored_open(&s, 0);
	if (last == 1)
		ck_assert_ptr_null(stored_get(&s, "n"));
	else
		ck_assert_int_eq(atoi(stored_get(&s, "n")), (int)last - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tc = tcase_create("journal");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, all_is_as_in_a_model, 0, 4);
	tcase_add_test(tc, readers_see_whole_commits_while_they_are_written_and_settled);
	tcase_add_test(tc, who_looks_at_what_was_settled_is_told);
	tcase_add_test(tc, verifying_and_counting_see_what_was_settled);
	tcase_add_test(tc, closing_leaves_no_journal);
	tcase_add_test(tc, the_files_are_written_in_turn);
	tcase_add_test(tc, what_no_file_has_room_for_is_committed_all_the_same);
	tcase_add_test(tc, a_full_map_is_told_before_the_answer);
	tcase_add_loop_test(tc, nothing_acknowledged_is_lost_by_a_kill, 0, 4);
	tcase_add_test(tc, a_journal_is_for_those_who_may_write);
	tcase_add_loop_test(tc, a_damaged_journal_is_told, 0, 3);
	tcase_add_loop_test(tc, a_last_record_that_is_torn_counts_for_nothing, 0, 20);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
