/*
 * Who writes a store dies at any moment, or the power goes: what was acknowledged is there
 * when it is opened again, what was never sent is not, and no commit is there in half.
 */
#include "disk.h"
#include "stored.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct stored s;
/* So small that its files are written in turn often. */
#define JOURNAL 65536

static bool writer_has_journal; /* who looks afterwards has none */

static void setup(void)
{
	stored_init(&s);
	disk = (struct disk){ 0 };
	writer_has_journal = false;
}

static void teardown(void)
{
	stored_deinit(&s);
}

#define ck_ok(expression) ck_assert_msg((expression) == 0, "%s: %s", #expression, s.err.text)

/* How many rows are kept; older ones are deleted, so that pages come free and are used again.
 */
#define WINDOW 20

/* What a writer says over its pipe about commit I. */
struct word {
	unsigned i;
	bool is_acknowledged;
};

static void say(int pipe, unsigned i, bool is_acknowledged)
{
	struct word word = { i, is_acknowledged };

	if (write(pipe, &word, sizeof word) != (ssize_t)sizeof word)
		_exit(1);
}

static const char *row_key(unsigned i)
{
	static char key[16];

	snprintf(key, sizeof key, "r%08u", i);
	return key;
}

/* Row I has a length and bytes of its own; some need pages of their own. */
static struct cell_store_bytes row_of(unsigned i)
{
	static char row[12000];
	size_t len = 10 + i * 7919 % (sizeof row - 10);

	memset(row, (int)('a' + i % 26), len);
	return (struct cell_store_bytes){ row, len };
}

static unsigned number(void)
{
	const char *text = stored_get(&s, "n");

	return text ? (unsigned)atoi(text) : 0;
}

/* Bring what the journal has to the map: a copy is of the map. */
static void settle(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	ck_ok(cell_store_backup(s.store, fd, &s.err));
	close(fd);
}

/* One commit: the number, its row, and one row less. */
static void commit_number(int pipe, unsigned i)
{
	struct cell_store_txn txn;
	char text[16];

	snprintf(text, sizeof text, "%u", i);
	say(pipe, i, false);
	ck_ok(cell_store_write(s.store, &txn, &s.err));
	ck_ok(cell_store_put(&txn, stored_text("n"), stored_text(text), &s.err));
	ck_ok(cell_store_put(&txn, stored_text(row_key(i)), row_of(i), &s.err));
	if (i > WINDOW)
		ck_ok(cell_store_delete(&txn, stored_text(row_key(i - WINDOW)), &s.err));
	ck_ok(cell_store_commit(&txn, &s.err));
	say(pipe, i, true);
	if (writer_has_journal && i % 7 == 0)
		settle();
}

/* Rows are those of the number that is there: all of a commit or nothing. */
static void check_rows(unsigned n)
{
	unsigned first = n > WINDOW ? n - WINDOW + 1 : 1;
	struct cell_store_bytes value, wanted;
	struct cell_store_stat stat;
	struct cell_store_txn txn;

	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_eq(stat.entries, n ? n - first + 2 : 0);
	ck_ok(cell_store_read(s.store, &txn, &s.err));
	for (unsigned i = first; i <= n; i++) {
		wanted = row_of(i);
		ck_ok(cell_store_get(&txn, stored_text(row_key(i)), &value, &s.err));
		ck_assert_uint_eq(value.len, wanted.len);
		ck_assert_mem_eq(value.at, wanted.at, wanted.len);
	}
	cell_store_abort(&txn);
}

struct said {
	unsigned sent, acknowledged;
};

/* Start a writer of COMMITS commits behind those that are there. */
static pid_t start_writer(unsigned commits, int *ret_pipe, const struct disk *trouble)
{
	int ends[2];
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		unsigned n;

		close(ends[0]);
		disk = *trouble;
		s.journal_bytes = writer_has_journal ? JOURNAL : 0;
		stored_open(&s, 0);
		n = number();
		for (unsigned i = 1; i <= commits; i++)
			commit_number(ends[1], n + i);
		stored_close(&s);
		_exit(0);
	}
	close(ends[1]);
	*ret_pipe = ends[0];
	return child;
}

static bool hear(int pipe, struct said *said)
{
	struct word word;

	if (read(pipe, &word, sizeof word) != (ssize_t)sizeof word)
		return false;
	*(word.is_acknowledged ? &said->acknowledged : &said->sent) = word.i;
	return true;
}

/* The rest of what was said, and how it ended: true if nobody killed it. */
static bool hear_out(pid_t child, int pipe, struct said *said)
{
	int status;

	while (hear(pipe, said))
		continue;
	close(pipe);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
					  : WEXITSTATUS(status) == 0,
		      "status %x", (unsigned)status);
	return WIFEXITED(status);
}

static void check_said(const struct said *said, const char *what, unsigned at)
{
	unsigned n;

	stored_open(&s, 0);
	n = number();
	ck_assert_msg(n >= said->acknowledged && n <= said->sent,
		      "%s %u: %u is there, %u acknowledged, %u sent", what, at, n,
		      said->acknowledged, said->sent);
	check_rows(n);
	stored_close(&s);
}

/* It dies before, or behind, each call that touches the disk, the making of the store
 * included. */
START_TEST(dies_at_each_write_and_sync)
{
	bool is_over = false;
	unsigned at;

	writer_has_journal = _i >= 2;
	for (at = 1; !is_over; at++) {
		struct disk trouble = { .trouble = _i % 2 == 0 ? DISK_KILLS : DISK_KILLS_LATE,
					.calls = DISK_ALL,
					.at = at };
		struct said said = { 0 };
		int pipe;
		pid_t child = start_writer(3, &pipe, &trouble);

		is_over = hear_out(child, pipe, &said);
		check_said(&said, "call", at);
		/* And somebody goes on from there, and dies the same way. */
		child = start_writer(2, &pipe, &trouble);
		said.sent = said.acknowledged = 0;
		(void)hear_out(child, pipe, &said);
		stored_open(&s, 0);
		check_rows(number());
		ck_assert_uint_ge(number(), said.acknowledged);
		stored_deinit(&s);
		stored_init(&s);
	}
	ck_assert_uint_gt(at, 20);
}
END_TEST

/* Pages that were not synced are there or not, each as a coin has it. */
START_TEST(power_is_lost_at_each_write_and_sync)
{
	bool is_over = false;
	unsigned at;

	writer_has_journal = _i % 2 == 1;
	for (at = 1; !is_over; at++) {
		struct disk trouble = { .trouble = DISK_LOSES_POWER,
					.calls = DISK_ALL,
					.at = at,
					.seed = at + (unsigned)_i * 1000 };
		struct said said = { 0 };
		int pipe;
		pid_t child = start_writer(WINDOW + 10, &pipe, &trouble);

		is_over = hear_out(child, pipe, &said);
		check_said(&said, "call", at);
		stored_deinit(&s);
		stored_init(&s);
	}
	ck_assert_uint_gt(at, writer_has_journal ? 50 : 90);
}
END_TEST

START_TEST(is_killed_at_any_moment)
{
	struct disk none = { 0 };
	unsigned seed = 7 + (unsigned)_i;
	struct said said = { 0 };

	writer_has_journal = _i % 2 == 1;
	for (unsigned round = 0; round < 50; round++) {
		unsigned words = (unsigned)rand_r(&seed) % 60,
			 spins = (unsigned)rand_r(&seed) % 50000;
		volatile unsigned spun = 0;
		int pipe;
		pid_t child = start_writer(1000000, &pipe, &none);

		for (unsigned i = 0; i < words; i++)
			ck_assert(hear(pipe, &said));
		while (spun < spins)
			spun++;
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		(void)hear_out(child, pipe, &said);
		check_said(&said, "round", round);
	}
	ck_assert_uint_gt(said.acknowledged, 100);
}
END_TEST

/* As a cell without sandbox has its state directory. */
START_TEST(a_path_by_a_descriptor_is_looked_through_as_well)
{
	struct disk none = { 0 };
	struct said said = { 0 };
	uint64_t entries;
	char dir[80];
	pid_t child;
	int fd, pipe;

	child = start_writer(1000000, &pipe, &none);
	ck_assert(hear(pipe, &said) && hear(pipe, &said));
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	(void)hear_out(child, pipe, &said);
	fd = open(s.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memcpy(dir, s.dir, sizeof dir);
	snprintf(s.dir, sizeof s.dir, "/proc/self/fd/%d/store", fd);
	check_said(&said, "descriptor", 0);
	ck_ok(cell_store_verify(s.dir, &entries, &s.err));
	memcpy(s.dir, dir, sizeof dir);
	close(fd);
}
END_TEST

/* It holds on to one commit while others are made, and the file grows. */
START_TEST(verifying_goes_on_beside_a_writer)
{
	struct disk none = { 0 };
	struct said said = { 0 };
	uint64_t entries;
	pid_t child;
	int pipe;

	child = start_writer(1000000, &pipe, &none);
	while (said.acknowledged < WINDOW)
		ck_assert(hear(pipe, &said));
	for (unsigned i = 0; i < 100; i++) {
		ck_ok(cell_store_verify(s.dir, &entries, &s.err));
		ck_assert_uint_eq(entries, WINDOW + 1);
		/* What it says has room in the pipe, or it would stop. */
		for (unsigned words = 0; words < 50; words++)
			ck_assert(hear(pipe, &said));
	}
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	(void)hear_out(child, pipe, &said);
}
END_TEST

/* A reader that verifies dies; its place in LMDB's table is given back. */
START_TEST(a_killed_verifier_holds_no_pages)
{
	struct cell_store_stat stat;
	struct disk none = { 0 };
	uint64_t entries;
	pid_t child;
	int pipe;

	child = start_writer(30, &pipe, &none);
	ck_assert(hear_out(child, pipe, &(struct said){ 0 }));
	stored_open(&s, 0);
	child = fork();
	if (child == 0) {
		/* What it starts dies with it. */
		alarm(0);
		while (cell_store_verify(s.dir, &entries, NULL) == 0)
			continue;
		_exit(1);
	}
	do
		ck_ok(cell_store_stat(s.store, &stat, &s.err));
	while (stat.oldest_reader == 0 && stored_put(&s, "x", "y") == 0 &&
	       waitpid(child, NULL, WNOHANG) == 0);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	for (unsigned i = 0; i < 600; i++)
		ck_ok(stored_put(&s, "x", "z"));
	ck_ok(cell_store_stat(s.store, &stat, &s.err));
	ck_assert_uint_lt(stat.oldest_reader, 300);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store kill");
	TCase *tc = tcase_create("store kill");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, dies_at_each_write_and_sync, 0, 4);
	tcase_add_loop_test(tc, power_is_lost_at_each_write_and_sync, 0, 3);
	tcase_add_loop_test(tc, is_killed_at_any_moment, 0, 2);
	tcase_add_test(tc, a_path_by_a_descriptor_is_looked_through_as_well);
	tcase_add_test(tc, verifying_goes_on_beside_a_writer);
	tcase_add_test(tc, a_killed_verifier_holds_no_pages);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
