/*
 * A store on a disk that fails: no call crashes, every error is typed and names the file,
 * what was acknowledged is there, and what was refused is not.
 */
#include "disk.h"
#include "stored.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stored s;

static void setup(void)
{
	stored_init(&s);
	disk = (struct disk){ 0 };
}

static void teardown(void)
{
	disk.at = 0;
	stored_deinit(&s);
}

#define ck_ok(expression) ck_assert_msg((expression) == 0, "%s: %s", #expression, s.err.text)

static unsigned count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

/* An error has a code of ours or the system's, and names the store. */
static void check_error(int code)
{
	ck_assert_int_lt(code, 0);
	ck_assert_int_eq(code, s.err.code);
	ck_assert_msg(strstr(s.err.text, s.dir) != NULL, "%s", s.err.text);
}

static int put_number(unsigned i)
{
	char text[16];

	snprintf(text, sizeof text, "%u", i);
	return stored_put(&s, "n", text);
}

static unsigned number(void)
{
	const char *text = stored_get(&s, "n");

	return text ? (unsigned)atoi(text) : 0;
}

/* Commits of several pages, until COMMITS are tried. The last that was acknowledged. */
#define COMMITS 6
static unsigned commit_some(void)
{
	unsigned acknowledged = 0;

	for (unsigned i = 1; i <= COMMITS; i++) {
		struct cell_store_txn txn;
		char text[16], filler[6000];
		int r = cell_store_write(s.store, &txn, &s.err);

		if (r < 0) {
			check_error(r);
			continue;
		}
		memset(filler, (int)i, sizeof filler);
		snprintf(text, sizeof text, "%u", i);
		ck_ok(cell_store_put(&txn, stored_text("n"), stored_text(text), &s.err));
		ck_ok(cell_store_put(&txn, stored_text(text),
				     (struct cell_store_bytes){ filler, sizeof filler },
				     &s.err));
		r = cell_store_commit(&txn, &s.err);
		if (r == 0)
			acknowledged = i;
		else
			check_error(r);
	}
	return acknowledged;
}

struct way {
	enum disk_trouble trouble;
	int error;
	bool stays;
};
static const struct way ways[] = {
	{ DISK_FAILS, EIO, false },    { DISK_FAILS, ENOSPC, false },
	{ DISK_FAILS, EIO, true },     { DISK_FAILS, ENOSPC, true },
	{ DISK_FAILS, EROFS, true },   { DISK_CUTS, EIO, false },
	{ DISK_FAILS, EDQUOT, false },
};

/* Opening (and making) a store, six commits, closing: each call that touches the disk once.
 */
START_TEST(each_write_and_sync_may_fail)
{
	const struct way *way = &ways[_i];
	unsigned fds = count_fds();

	for (unsigned at = 1;; at++) {
		unsigned acknowledged = 0;
		int r;

		disk = (struct disk){ .trouble = way->trouble,
				      .error = way->error,
				      .stays = way->stays,
				      .calls = DISK_ALL,
				      .at = at };
		r = cell_store_open(&s.store, s.dir, NULL, &s.err);
		if (r < 0)
			check_error(r);
		else
			acknowledged = commit_some();
		stored_close(&s);
		disk.at = 0;
		ck_assert_uint_eq(count_fds(), fds);
		stored_open(&s, 0);
		ck_assert_msg(number() == acknowledged, "call %u: %u, acknowledged %u", at,
			      number(), acknowledged);
		ck_ok(put_number(COMMITS + 1));
		stored_deinit(&s);
		stored_init(&s);
		if (!disk.happened)
			break;
	}
}
END_TEST

START_TEST(after_a_failed_sync_nothing_more_is_written)
{
	stored_open(&s, 0);
	ck_ok(put_number(1));
	disk = (struct disk){ .calls = DISK_SYNCS, .at = 1, .error = EIO };
	ck_assert_int_eq(put_number(2), -EIO);
	ck_assert_msg(strstr(s.err.text, "until the store is opened again") != NULL, "%s",
		      s.err.text);
	disk.at = 0;
	/* The disk says that all is well now. That is not believed. */
	ck_assert_int_eq(put_number(3), -EIO);
	ck_assert_uint_eq(number(), 1);
	stored_close(&s);
	stored_open(&s, 0);
	ck_assert_uint_eq(number(), 1);
	ck_ok(put_number(4));
}
END_TEST

START_TEST(after_a_full_disk_it_goes_on)
{
	stored_open(&s, 0);
	ck_ok(put_number(1));
	disk = (struct disk){ .calls = DISK_WRITES, .at = 1, .error = ENOSPC };
	ck_assert_int_eq(put_number(2), CELL_RESOURCE_EXHAUSTED);
	ck_assert_msg(strstr(s.err.text, "no room on its disk") != NULL, "%s", s.err.text);
	disk.at = 0;
	ck_ok(put_number(3));
	ck_assert_uint_eq(number(), 3);
}
END_TEST

/* Fill until it says no: the error, and that all before is there and all goes on after. */
static void fill_up(void)
{
	unsigned n = 0, last = 0;
	struct cell_store_txn txn;

	while (n < 64 && stored_fill(&s, (char)('0' + n), 100, 1000) == 0) {
		n++;
		if (put_number(n) == 0)
			last = n;
	}
	ck_assert_uint_lt(n, 64);
	ck_assert_int_eq(s.err.code, CELL_RESOURCE_EXHAUSTED);
	ck_assert_msg(strstr(s.err.text, s.dir) != NULL, "%s", s.err.text);
	ck_assert_uint_eq(number(), last);
	ck_assert_uint_gt(last, 1);
	stored_close(&s);
	stored_open(&s, 0);
	ck_assert_uint_eq(number(), last);
	/* What is full can be emptied: pages of an earlier commit are free by now. */
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	for (unsigned i = 0; i < 20; i++) {
		char key[16];

		snprintf(key, sizeof key, "0%08u", i);
		ck_ok(cell_store_delete(&txn, stored_text(key), &s.err));
	}
	(void)cell_store_commit(&txn, &s.err);
}

START_TEST(the_file_may_not_grow)
{
	struct rlimit limit = { 2 * 1024 * 1024, 2 * 1024 * 1024 };

	(void)signal(SIGXFSZ, SIG_IGN);
	stored_open(&s, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill_up();
}
END_TEST

/* Mounts of this process alone, gone with it. */
static bool has_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

START_TEST(the_disk_is_full)
{
	ck_assert_int_eq(mkdir(s.dir, 0700), 0);
	if (!has_mounts() || mount("none", s.dir, "tmpfs", 0, "size=2m") < 0) {
		fprintf(stderr,
			"SKIPPED: the_disk_is_full: mounting a small tmpfs: %s; "
			"the_file_may_not_grow stands in for it\n",
			strerror(errno));
		return;
	}
	stored_open(&s, 0);
	fill_up();
	stored_close(&s);
	ck_assert_int_eq(umount(s.dir), 0);
}
END_TEST

START_TEST(nothing_may_be_written)
{
	struct cell_store_options options = { .is_read_only = true };
	int r;

	stored_open(&s, 0);
	ck_ok(put_number(1));
	stored_close(&s);
	if (has_mounts() && mount(s.dir, s.dir, NULL, MS_BIND, NULL) == 0) {
		ck_assert_int_eq(mount(NULL, s.dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY,
				       NULL),
				 0);
		r = stored_try(&s);
	} else if (geteuid() != 0) {
		ck_assert_int_eq(chmod(s.dir, 0500), 0);
		ck_assert_int_eq(chmod(stored_path(&s, "data.mdb"), 0400), 0);
		ck_assert_int_eq(chmod(stored_path(&s, "lock.mdb"), 0400), 0);
		ck_assert_int_eq(chmod(stored_path(&s, "state"), 0400), 0);
		r = stored_try(&s);
	} else {
		fprintf(stderr, "SKIPPED: nothing_may_be_written: root, who may not mount\n");
		return;
	}
	check_error(r);
	ck_assert_msg(r == -EROFS || r == -EACCES, "%s", s.err.text);
	/* It can be read all the same. */
	ck_ok(cell_store_open(&s.store, s.dir, &options, &s.err));
	ck_assert_uint_eq(number(), 1);
	stored_close(&s);
	(void)umount2(s.dir, MNT_DETACH);
	(void)chmod(s.dir, 0700);
}
END_TEST

/* ---- Damage -------------------------------------------------------------------------------
 */

static off_t size_of(const char *file)
{
	struct stat status;

	ck_assert_int_eq(stat(stored_path(&s, file), &status), 0);
	return status.st_size;
}

#define ENTRIES 400

/* A store with short and long values and free pages, closed in order or not. */
static void make_one(bool is_closed)
{
	pid_t child;

	stored_open(&s, 0);
	ck_ok(stored_fill(&s, 'a', ENTRIES, 100));
	ck_ok(stored_fill(&s, 'b', 10, 9000));
	ck_ok(stored_fill(&s, 'a', ENTRIES, 150));
	stored_close(&s);
	if (is_closed)
		return;
	child = fork();
	if (child == 0) {
		stored_open(&s, 0);
		(void)put_number(1);
		(void)raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

/* Read all that there should be. Every answer is right or an error; the number of errors. */
static unsigned read_opened(void)
{
	struct cell_store_bytes value;
	struct cell_store_txn txn;
	unsigned errors = 0;

	ck_ok(cell_store_read(s.store, &txn, &s.err));
	for (unsigned i = 0; i < ENTRIES; i++) {
		char key[16], wanted[150];
		int r;

		snprintf(key, sizeof key, "a%08u", i);
		memset(wanted, 'a', sizeof wanted);
		r = cell_store_get(&txn, stored_text(key), &value, &s.err);
		errors += r < 0;
		if (r < 0)
			continue;
		ck_assert_int_eq(r, 0);
		ck_assert_uint_eq(value.len, sizeof wanted);
		ck_assert_mem_eq(value.at, wanted, sizeof wanted);
	}
	cell_store_abort(&txn);
	return errors;
}

/* The same of one that is to be opened. Nothing may kill us. */
static unsigned read_all(void)
{
	unsigned errors;

	if (cell_store_open(&s.store, s.dir, NULL, &s.err) < 0) {
		check_error(s.err.code);
		ck_assert_msg(s.err.code == CELL_DATA_LOSS, "%s", s.err.text);
		return 1;
	}
	errors = read_opened();
	stored_close(&s);
	return errors;
}

START_TEST(the_last_page_was_torn_off)
{
	make_one(_i % 2);
	/* One page, or half of one; until something that is used is gone. */
	while (read_all() == 0)
		ck_assert_int_eq(truncate(stored_path(&s, "data.mdb"),
					  size_of("data.mdb") - (_i < 2 ? 4096 : 1000)),
				 0);
	ck_assert_msg(strstr(s.err.text, "cut short") != NULL, "%s", s.err.text);
}
END_TEST

START_TEST(it_was_cut_off_anywhere)
{
	off_t size;
	int fd;

	make_one(true);
	size = size_of("data.mdb");
	fd = open(stored_path(&s, "data.mdb"), O_RDWR | O_CLOEXEC);
	/* From the end to nothing at all. */
	for (off_t left = size - 5000; left > 0; left -= 7333) {
		ck_assert_int_eq(ftruncate(fd, left), 0);
		ck_assert_uint_eq(read_all(), 1);
	}
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_uint_eq(read_all(), 1);
	ck_assert_int_eq(unlink(stored_path(&s, "data.mdb")), 0);
	ck_assert_uint_eq(read_all(), 1);
	ck_assert_msg(strstr(s.err.text, "is gone") != NULL, "%s", s.err.text);
	close(fd);
}
END_TEST

static void overwrite(int fd, off_t at, const void *bytes, size_t n)
{
	ck_assert_int_eq(pwrite(fd, bytes, n, at), (ssize_t)n);
}

START_TEST(it_is_something_else)
{
	static const unsigned char version[4] = { 9 };
	char garbage[4096];
	int fd;

	make_one(true);
	fd = open(stored_path(&s, "data.mdb"), O_RDWR | O_CLOEXEC);
	overwrite(fd, 16 + 4, version, sizeof version);
	ck_assert_uint_eq(read_all(), 1);
	ck_assert_msg(strstr(s.err.text, "version 9") != NULL, "%s", s.err.text);
	memset(garbage, 'x', sizeof garbage);
	overwrite(fd, 0, garbage, sizeof garbage);
	ck_assert_uint_eq(read_all(), 1);
	ck_assert_msg(strstr(s.err.text, "is no store") != NULL, "%s", s.err.text);
	close(fd);
}
END_TEST

/* In every page in turn, bytes that were thrown: after a crash, and while it was closed. */
START_TEST(bytes_were_changed_in_any_page)
{
	unsigned seed = 1 + (unsigned)_i, found = 0, tried = 0;
	char *whole, *now;
	off_t size;
	int fd;

	make_one(false);
	size = size_of("data.mdb");
	whole = malloc((size_t)size);
	now = malloc((size_t)size);
	fd = open(stored_path(&s, "data.mdb"), O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, whole, (size_t)size, 0), size);
	for (off_t page = 0; page * 4096 < size; page++) {
		int state = open(stored_path(&s, "state"), O_RDWR | O_TRUNC | O_CLOEXEC);
		off_t at = page * 4096;

		overwrite(state, 0, _i % 2 ? "closed\n" : "open\n", _i % 2 ? 7 : 5);
		close(state);
		overwrite(fd, 0, whole, (size_t)size);
		/* Its header in the first round, anything in the others. */
		for (unsigned i = 0; i < 4; i++) {
			unsigned char byte = (unsigned char)rand_r(&seed);

			overwrite(fd, at + rand_r(&seed) % (_i == 0 ? 16 : 4096), &byte, 1);
		}
		ck_assert_int_eq(ftruncate(fd, size), 0);
		tried++;
		found += read_all() > 0;
		stored_close(&s);
	}
	/* Pages that are free, and room in others, may be anything. */
	ck_assert_msg(found * 4 > tried, "%u of %u", found, tried);
	free(whole);
	free(now);
	close(fd);
}
END_TEST

/* What has changed since it was opened: a value is looked at when it is read. */
START_TEST(a_changed_value_is_an_error_and_not_another_value)
{
	char byte[1];
	off_t size;
	unsigned errors;
	int fd;

	make_one(true);
	stored_open(&s, 0);
	size = size_of("data.mdb");
	fd = open(stored_path(&s, "data.mdb"), O_RDWR | O_CLOEXEC);
	/* One byte in each value of 150 times 'a', wherever they are. */
	for (off_t at = 2 * 4096; at < size; at++) {
		if (pread(fd, byte, 1, at) == 1 && byte[0] == 'a' && at % 40 == 0) {
			char next[8];

			if (pread(fd, next, 8, at) == 8 && memcmp(next, "aaaaaaaa", 8) == 0)
				overwrite(fd, at, "b", 1);
		}
	}
	errors = read_opened();
	ck_assert_uint_eq(errors, ENTRIES);
	ck_assert_int_eq(s.err.code, CELL_DATA_LOSS);
	close(fd);
}
END_TEST

/* A reader that comes upon a page that is none says so of all, until it is begun anew. */
START_TEST(a_changed_page_is_damage_and_not_a_transaction_that_is_invalid)
{
	struct cell_store_bytes value;
	struct cell_store_txn txn;
	char *whole, *zero;
	off_t size;
	int fd;

	make_one(true);
	stored_open(&s, 0);
	size = size_of("data.mdb");
	whole = malloc((size_t)size);
	zero = calloc(1, (size_t)size);
	fd = open(stored_path(&s, "data.mdb"), O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, whole, (size_t)size, 0), size);
	ck_ok(cell_store_read(s.store, &txn, &s.err));
	ck_assert(!cell_store_is_behind(&txn));
	/* All but the two heads: the root is neither leaf nor branch then, or has no page. */
	for (off_t at = 2 * 4096; at < size; at += 4096)
		overwrite(fd, at + 10, zero, 6);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(cell_store_get(&txn, stored_text("a00000001"), &value, &s.err),
				 CELL_DATA_LOSS);
		ck_assert_msg(strstr(s.err.text, "restore it from a backup") != NULL, "%s",
			      s.err.text);
	}
	ck_assert(cell_store_is_behind(&txn));
	overwrite(fd, 0, whole, (size_t)size);
	ck_ok(cell_store_renew(&txn, &s.err));
	ck_assert_int_eq(cell_store_get(&txn, stored_text("a00000001"), &value, &s.err), 0);
	cell_store_abort(&txn);
	close(fd);
	free(whole);
	free(zero);
}
END_TEST

/* A restored file has no state beside it, and is looked through. */
START_TEST(a_file_from_elsewhere_is_looked_at)
{
	make_one(true);
	ck_assert_int_eq(unlink(stored_path(&s, "state")), 0);
	ck_assert_int_eq(unlink(stored_path(&s, "lock.mdb")), 0);
	ck_assert_uint_eq(read_all(), 0);
}
END_TEST

START_TEST(a_damaged_file_fails_to_verify)
{
	uint64_t entries = 0;
	int fd;

	make_one(true);
	ck_ok(cell_store_verify(s.dir, &entries, &s.err));
	ck_assert_uint_eq(entries, ENTRIES + 10);
	fd = open(stored_path(&s, "data.mdb"), O_RDWR | O_CLOEXEC);
	for (off_t at = 2 * 4096 + 2000; at < size_of("data.mdb"); at += 4096)
		overwrite(fd, at, "????", 4);
	ck_assert_int_eq(cell_store_verify(s.dir, &entries, &s.err), CELL_DATA_LOSS);
	check_error(s.err.code);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, each_write_and_sync_may_fail, 0,
			    sizeof ways / sizeof ways[0]);
	tcase_add_test(tc, after_a_failed_sync_nothing_more_is_written);
	tcase_add_test(tc, after_a_full_disk_it_goes_on);
	tcase_add_test(tc, the_file_may_not_grow);
	tcase_add_test(tc, the_disk_is_full);
	tcase_add_test(tc, nothing_may_be_written);
	tcase_add_loop_test(tc, the_last_page_was_torn_off, 0, 4);
	tcase_add_test(tc, it_was_cut_off_anywhere);
	tcase_add_test(tc, it_is_something_else);
	tcase_add_loop_test(tc, bytes_were_changed_in_any_page, 0, 4);
	tcase_add_test(tc, a_changed_value_is_an_error_and_not_another_value);
	tcase_add_test(tc, a_changed_page_is_damage_and_not_a_transaction_that_is_invalid);
	tcase_add_test(tc, a_file_from_elsewhere_is_looked_at);
	tcase_add_test(tc, a_damaged_file_fails_to_verify);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
