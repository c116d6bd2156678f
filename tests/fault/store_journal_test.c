/*
 * The journal of a store on a disk that fails, or where somebody dies at the wrong moment:
 * what was acknowledged is there when it is opened again, as it was last.
 */
#include "disk.h"
#include "stored.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stored s;
#define JOURNAL 65536
#define BLOCK   4096

static void setup(void)
{
	stored_init(&s);
	s.journal_bytes = JOURNAL;
	disk = (struct disk){ 0 };
}

static void teardown(void)
{
	disk.at = 0;
	stored_deinit(&s);
}

#define ck_ok(expression) ck_assert_msg((expression) == 0, "%s: %s", #expression, s.err.text)

/* One commit, which takes a block of the journal. */
static int put_number(const char *key, unsigned n)
{
	char text[16];

	snprintf(text, sizeof text, "%u", n);
	return stored_put(&s, key, text);
}

static int number(const char *key)
{
	const char *text = stored_get(&s, key);

	return text ? atoi(text) : -1;
}

static void settle(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	ck_ok(cell_store_backup(s.store, fd, &s.err));
	close(fd);
}

/* RUN in a process that dies of it. */
static void dies(void (*run)(void))
{
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		run();
		(void)raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x",
		      (unsigned)status);
}

/* ---- Files written in turn --------------------------------------------------------------
 */

#define TURN (JOURNAL / BLOCK - 1) /* commits to a file; then its mark */

/*
 * The other file is begun, and has no room for its first record. What the first file has must
 * be in the map before it is written anew: as far as the one that dies got, that is.
 */
static void fills_up_at_the_turn(void)
{
	stored_open(&s, 0);
	for (unsigned i = 0; i < TURN; i++)
		ck_ok(put_number("old", i));
	disk = (struct disk){
		.trouble = DISK_FAILS, .calls = DISK_WRITES, .at = 2, .error = ENOSPC
	};
	ck_assert_int_eq(put_number("old", 1000), CELL_RESOURCE_EXHAUSTED);
	disk.at = 0;
	for (unsigned i = 0; i < TURN; i++)
		ck_ok(put_number("new", i));
	/* The map gets nothing from here on. */
	disk = (struct disk){ .trouble = DISK_FAILS,
			      .calls = DISK_SYNCS,
			      .at = 1,
			      .error = EIO,
			      .stays = true };
	(void)put_number("new", TURN);
}

START_TEST(what_a_file_has_is_settled_though_the_next_one_took_nothing)
{
	dies(fills_up_at_the_turn);
	stored_open(&s, 0);
	ck_assert_int_eq(number("old"), TURN - 1);
	ck_assert_int_ge(number("new"), TURN - 1);
}
END_TEST

/* ---- Removing ---------------------------------------------------------------------------
 */

static const char *dies_behind; /* removing this one */

int unlinkat(int fd, const char *name, int flags)
{
	char path[200];
	int r;

	snprintf(path, sizeof path, "/proc/self/fd/%d/%s", fd, name);
	r = flags ? rmdir(path) : unlink(path);
	if (r == 0 && dies_behind && strncmp(name, dies_behind, strlen(dies_behind)) == 0)
		(void)raise(SIGKILL);
	return r;
}

static unsigned rounds;

/* Both files have records of one key; the map has it all. */
static void closes_and_dies_between_the_two(void)
{
	stored_open(&s, 0);
	for (unsigned i = 0; i < rounds; i++)
		ck_ok(put_number("key", i));
	dies_behind = "journal.";
	stored_close(&s);
}

START_TEST(removing_one_file_brings_nothing_older_back)
{
	/* The newer file is the second, and the first again. */
	rounds = TURN + 3 + (unsigned)_i * TURN;
	dies(closes_and_dies_between_the_two);
	stored_open(&s, 0);
	ck_assert_int_eq(number("key"), (int)rounds - 1);
}
END_TEST

static void commits(void)
{
	stored_open(&s, 0);
	for (unsigned i = 0; i < rounds; i++)
		ck_ok(put_number("key", i));
}

static void recovers_and_dies(void)
{
	dies_behind = "journal.";
	stored_open(&s, 0);
}

START_TEST(carrying_out_half_removed_files_brings_nothing_older_back)
{
	rounds = TURN + 3 + (unsigned)_i * TURN;
	dies(commits);
	dies(recovers_and_dies);
	stored_open(&s, 0);
	ck_assert_int_eq(number("key"), (int)rounds - 1);
}
END_TEST

/* ---- Values that look like records --------------------------------------------------------
 */

/* The record that is in FILE at block AT, as bytes of a value. */
static void record_read(const char *file, unsigned at, char *out)
{
	int fd = open(stored_path(&s, file), O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, out, BLOCK, (off_t)at * BLOCK), BLOCK);
	close(fd);
}

static char forged[BLOCK];

/*
 * Somebody who may write values knows what records look like, from a store of his own that is
 * made in the same way. He writes one into a value that lies where the next record would
 * begin, once the one with the value was overwritten by a shorter one.
 */
static void leaves_a_record_in_a_value(void)
{
	static char value[3 * BLOCK];
	struct cell_store_txn txn;

	stored_open(&s, 0);
	/* Header 40, lengths 8, key 1, checksum 8: what follows is at the next block. */
	memcpy(value + BLOCK - 57, forged, BLOCK);
	disk = (struct disk){
		.trouble = DISK_FAILS_LATE, .calls = DISK_WRITES, .at = 1, .error = ENOSPC
	};
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	ck_ok(cell_store_put(&txn, stored_text("v"),
			     (struct cell_store_bytes){ value, sizeof value }, &s.err));
	ck_assert_int_eq(cell_store_commit(&txn, &s.err), CELL_RESOURCE_EXHAUSTED);
	disk.at = 0;
	ck_ok(put_number("mine", 1));
}

static void commits_two(void)
{
	stored_open(&s, 0);
	ck_ok(put_number("mine", 1));
	ck_ok(put_number("theirs", 666));
}

START_TEST(a_value_that_looks_like_a_record_is_none)
{
	dies(commits_two);
	record_read("journal.0", 1, forged);
	stored_deinit(&s);
	stored_init(&s);
	s.journal_bytes = JOURNAL;
	dies(leaves_a_record_in_a_value);
	stored_open(&s, 0);
	ck_assert_int_eq(number("mine"), 1);
	ck_assert_int_eq(number("theirs"), -1);
	ck_assert_int_eq(number("v"), -1);
}
END_TEST

/* ---- Settling -----------------------------------------------------------------------------
 */

/* Its error is told once; what it says later is not to be believed. */
START_TEST(a_failed_sync_while_settling_ends_writing)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	stored_open(&s, 0);
	ck_ok(put_number("n", 1));
	disk = (struct disk){
		.trouble = DISK_FAILS, .calls = DISK_SYNCS, .at = 1, .error = EIO
	};
	ck_assert_int_eq(cell_store_backup(s.store, fd, &s.err), -EIO);
	close(fd);
	disk.at = 0;
	ck_assert_int_eq(put_number("n", 2), -EIO);
	ck_assert_int_eq(number("n"), 1);
	stored_close(&s);
	/* It was left to the next one. */
	ck_assert_int_eq(access(stored_path(&s, "journal.0"), F_OK), 0);
	stored_open(&s, 0);
	ck_assert_int_eq(number("n"), 1);
	ck_ok(put_number("n", 3));
}
END_TEST

#define KEYS 1600 /* of them two or three to a page */

/* Each change copies a page of the map, however small it is. */
START_TEST(there_is_room_in_the_map_for_what_is_in_the_journal)
{
	struct cell_store_txn txn;
	char key[16];

	s.journal_bytes = 1024 * 1024;
	stored_open(&s, 5 * 1024 * 1024);
	ck_ok(stored_fill(&s, 'k', KEYS, 700));
	settle();
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	for (unsigned i = 0; i < KEYS; i++) {
		snprintf(key, sizeof key, "k%08u", i);
		ck_ok(cell_store_put(&txn, stored_text(key), stored_text("small"), &s.err));
	}
	/* Refused now or never. */
	(void)cell_store_commit(&txn, &s.err);
	settle();
}
END_TEST

/* ---- Memory -------------------------------------------------------------------------------
 */

#define LAGGARDS 100

/* Readers that stay behind keep what they look at: as much as may be, then commits are slow.
 */
START_TEST(readers_that_stay_behind_hold_a_limited_amount)
{
	static struct cell_store_txn readers[LAGGARDS];
	struct cell_store_stat stat;

	stored_open(&s, 0);
	for (unsigned i = 0; i < LAGGARDS; i++) {
		ck_ok(stored_fill(&s, 'k', 100, 300));
		ck_ok(cell_store_read(s.store, &readers[i], &s.err));
	}
	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_gt(stat.memory_bytes, 0);
	ck_assert_uint_le(stat.memory_bytes, 40 * JOURNAL);
	for (unsigned i = 0; i < LAGGARDS; i++)
		cell_store_abort(&readers[i]);
	ck_ok(put_number("n", 1));
	settle();
	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_le(stat.memory_bytes, JOURNAL);
	ck_assert_int_eq(number("n"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store journal");
	TCase *tc = tcase_create("store journal");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_a_file_has_is_settled_though_the_next_one_took_nothing);
	tcase_add_loop_test(tc, removing_one_file_brings_nothing_older_back, 0, 2);
	tcase_add_loop_test(tc, carrying_out_half_removed_files_brings_nothing_older_back, 0,
			    2);
	tcase_add_test(tc, a_value_that_looks_like_a_record_is_none);
	tcase_add_test(tc, a_failed_sync_while_settling_ends_writing);
	tcase_add_test(tc, there_is_room_in_the_map_for_what_is_in_the_journal);
	tcase_add_test(tc, readers_that_stay_behind_hold_a_limited_amount);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
