/* Every test runs in a process of its own (check forks), so it may close what it likes. */
#include "sandbox/fds.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* Run BODY in a child; what it returns is its verdict. */
static void in_child(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(body());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

#define CHECK(condition)                                                                     \
	if (!(condition))                                                                    \
	return __LINE__ % 250 + 1

static int seals(void)
{
	struct fds fds;
	int kept, lost, low;

	close_range(3, ~0U, 0);
	fds_start(&fds);
	CHECK(!fds_has(&fds, 3));
	low = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(low == 3);
	low = fds_keep_moved(&fds, low);
	CHECK(low >= FDS_FIRST && !is_open(3));
	kept = fcntl(low, F_DUPFD_CLOEXEC, 50);
	lost = fcntl(low, F_DUPFD, 70);
	CHECK(fds_keep(&fds, kept) == 0);
	CHECK(fds_seal(&fds) == 0);
	CHECK(is_open(0) && is_open(1) && is_open(2) && is_open(low) && is_open(kept));
	CHECK(!is_open(3) && !is_open(lost));
	CHECK(fcntl(kept, F_GETFD) == 0 && fcntl(low, F_GETFD) == 0);
	CHECK(is_same(1, 2));
	return 0;
}

START_TEST(only_what_is_kept_stays_open)
{
	in_child(seals);
}
END_TEST

static int keeps_control(void)
{
	struct fds fds;
	int ends[2];

	close_range(3, ~0U, 0);
	CHECK(pipe2(ends, O_CLOEXEC) == 0 && ends[0] == 3);
	fds_start(&fds);
	CHECK(fds_has(&fds, 3));
	CHECK(fds_seal(&fds) == 0);
	CHECK(fcntl(3, F_GETFD) == 0 && !is_open(ends[1]));
	return 0;
}

START_TEST(the_control_socket_stays)
{
	in_child(keeps_control);
}
END_TEST

static int fills_holes(void)
{
	struct fds fds;

	close_range(0, ~0U, 0);
	fds_start(&fds);
	CHECK(is_open(0) && is_open(1) && is_open(2) && !is_open(3));
	/* Nothing opened later is taken for standard input. */
	CHECK(open("/dev/null", O_RDONLY) == 3);
	CHECK(fds_seal(&fds) == 0);
	CHECK(is_open(0) && is_open(1) && is_open(2) && !is_open(3));
	return 0;
}

START_TEST(standard_descriptors_are_always_there)
{
	in_child(fills_holes);
}
END_TEST

static int keeps_standard(void)
{
	struct fds fds;
	int ends[2];

	CHECK(pipe(ends) == 0 && dup2(ends[0], 0) == 0 && dup2(ends[1], 1) == 1);
	fds_start(&fds);
	CHECK(fds_keep(&fds, 0) == 0 && fds_keep(&fds, 1) == 0 && fds_keep(&fds, 1) == 0);
	CHECK(fds.n <= 3);
	CHECK(fds_seal(&fds) == 0);
	CHECK(is_same(0, 1) && !is_same(1, 2));
	return 0;
}

START_TEST(standard_input_and_output_can_be_kept)
{
	in_child(keeps_standard);
}
END_TEST

START_TEST(what_is_not_open_cannot_be_kept)
{
	struct fds fds = { .n = 0 };

	ck_assert_int_eq(fds_keep(&fds, 4000), -EBADF);
	ck_assert_int_eq(fds_keep_moved(&fds, -EIO), -EIO);
	ck_assert_uint_eq(fds.n, 0);
	for (int i = 0; i < FDS_MAX; i++)
		fds.at[fds.n++] = 1000 + i;
	ck_assert_int_eq(fds_keep(&fds, 0), -EMFILE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fds");
	TCase *tc = tcase_create("fds");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, only_what_is_kept_stays_open);
	tcase_add_test(tc, the_control_socket_stays);
	tcase_add_test(tc, standard_descriptors_are_always_there);
	tcase_add_test(tc, standard_input_and_output_can_be_kept);
	tcase_add_test(tc, what_is_not_open_cannot_be_kept);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
