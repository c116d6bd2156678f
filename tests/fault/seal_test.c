/*
 * A key file on a disk that fails, or beside a process that is killed: whatever was sealed
 * before opens after it, and nothing is ever sealed with a key that is not on the disk.
 */
#include <cell/internal/table/seal.h>

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- a disk that fails --------------------------------------------------------------------------- */

enum trouble {
	NONE,
	FAILS, /* the call does nothing and returns EIO */
	CUTS,  /* a write takes half of it; all else fails */
	KILLS  /* the process ends before it */
};

static enum trouble trouble;
static unsigned count, fails_at;

/* Whether this call of write(), fsync() or rename() goes wrong. */
static bool goes_wrong(void)
{
	if (trouble == NONE || ++count != fails_at)
		return false;
	if (trouble == KILLS)
		_exit(9);
	errno = EIO;
	return true;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	if (goes_wrong()) {
		if (trouble != CUTS || len < 2)
			return -1;
		len /= 2;
	}
	return syscall(SYS_write, fd, bytes, len);
}

int fsync(int fd)
{
	return goes_wrong() ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	return goes_wrong() ? -1 : (int)syscall(SYS_rename, from, to);
}

/* --- keys on it ------------------------------------------------------------------------------------ */

static char folder[32], path[64];
static struct cell_arena arena;
static struct cell_error err;
static const struct table_column column = { .number = 1, .name = "ssn",
					    .type = TABLE_COLUMN_TYPE_TEXT };
static const struct seal_place place = { "bank", "account", 1, (const uint8_t *)"k", 1 };
static const struct value secret = { .kind = VALUE_TEXT, .bytes = (const uint8_t *)"123", .len = 3 };

static void setup(void)
{
	cell_arena_init(&arena, 0);
	strcpy(folder, "/tmp/seal-fault-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/keys", folder);
}

static void forget_files(void)
{
	char fresh[80];

	snprintf(fresh, sizeof fresh, "%s.new", path);
	(void)unlink(path);
	(void)unlink(fresh);
}

static void teardown(void)
{
	forget_files();
	ck_assert_int_eq(rmdir(folder), 0);
	cell_arena_deinit(&arena);
}

static void arm(enum trouble what, unsigned at)
{
	trouble = what;
	fails_at = at;
	count = 0;
}

static struct seal *open_seal(void)
{
	struct seal *seal = NULL;

	ck_assert_msg(seal_open(&seal, path, &err) == 0, "%s", err.text);
	return seal;
}

static struct value seal_secret(const struct seal *seal)
{
	struct value sealed;

	ck_assert_int_eq(seal_value(seal, &place, &column, &secret, &sealed, &arena, &err), 0);
	return sealed;
}

static void opens(const struct seal *seal, const struct value *sealed)
{
	struct value value;

	ck_assert_msg(unseal_value(seal, &place, &column, sealed, &value, &arena, &err) == 0, "%s",
		      err.text);
	ck_assert(value_equal(&value, &secret));
}

/* What seals next is on the disk, and what was sealed before opens there. */
static void all_is_well(const struct seal *seal, const struct value *before)
{
	const struct value after = seal_secret(seal);
	struct seal *again = open_seal();

	opens(again, before);
	opens(again, &after);
	seal_close(again);
}

/* Trouble at each call in turn, until there is none left to go wrong. */
static void rotate_under(enum trouble what)
{
	bool failed = true;
	unsigned at;

	for (at = 1; failed; at++) {
		struct seal *seal = open_seal();
		const struct value before = seal_secret(seal);
		uint32_t newest = seal_newest(seal);
		int r;

		arm(what, at);
		r = seal_rotate(seal, &err);
		failed = count >= at;
		arm(NONE, 0);
		if (r < 0) {
			ck_assert_int_eq(r, -EIO);
			ck_assert_ptr_nonnull(strstr(err.text, path));
			ck_assert_uint_eq(seal_newest(seal), newest);
		} else {
			ck_assert_uint_eq(seal_newest(seal), newest + 1);
		}
		all_is_well(seal, &before);
		seal_close(seal);
	}
	/* write, fsync, rename, fsync of the folder */
	ck_assert_uint_ge(at, 6);
}

START_TEST(a_rotation_that_fails_changes_nothing)
{
	rotate_under(FAILS);
}
END_TEST

START_TEST(a_write_that_is_cut_goes_on)
{
	rotate_under(CUTS);
}
END_TEST

START_TEST(a_first_key_that_fails_can_be_made_again)
{
	bool failed = true;

	for (unsigned at = 1; failed; at++) {
		struct seal *seal = NULL;
		struct value sealed;
		int r;

		forget_files();
		arm(FAILS, at);
		r = seal_open(&seal, path, &err);
		failed = count >= at;
		arm(NONE, 0);
		ck_assert(failed ? r == -EIO && !seal : r == 0);
		if (!seal)
			seal = open_seal();
		sealed = seal_secret(seal);
		all_is_well(seal, &sealed);
		seal_close(seal);
	}
}
END_TEST

START_TEST(killed_anywhere_the_keys_are_there)
{
	int status = 9 << 8;

	for (unsigned at = 1; status == 9 << 8; at++) {
		struct seal *seal = open_seal();
		const struct value before = seal_secret(seal);
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			arm(KILLS, at);
			(void)seal_rotate(seal, NULL);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(status == 9 << 8 || status == 0);
		all_is_well(seal, &before);
		seal_close(seal);
	}
}
END_TEST

START_TEST(killed_before_the_first_key_there_is_none_or_it)
{
	int status = 9 << 8;

	for (unsigned at = 1; status == 9 << 8; at++) {
		struct seal *seal = NULL;
		pid_t pid;

		forget_files();
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			arm(KILLS, at);
			(void)seal_open(&seal, path, NULL);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		seal = open_seal();
		ck_assert_uint_eq(seal_newest(seal), 1);
		seal_close(seal);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal");
	TCase *tcase = tcase_create("seal");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_rotation_that_fails_changes_nothing);
	tcase_add_test(tcase, a_write_that_is_cut_goes_on);
	tcase_add_test(tcase, a_first_key_that_fails_can_be_made_again);
	tcase_add_test(tcase, killed_anywhere_the_keys_are_there);
	tcase_add_test(tcase, killed_before_the_first_key_there_is_none_or_it);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
