/* The filter, loaded into children: what it stops, what it lets through, and how. */
#include "sandbox/seccomp.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcell/sigsys.h"

/* A child's verdict, as exit status. */
enum { ALLOWED = 0, NO_FILTER = 99 };

static void load(const struct seccomp_options *options)
{
	struct sock_fprog program;
	struct cell_error err;
	struct stat st;
	void *code;
	int fd;

	if (seccomp_filter(&fd, options, &err) < 0 || fstat(fd, &st) < 0)
		_exit(NO_FILTER);
	code = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	program.len = (unsigned short)((size_t)st.st_size / sizeof *program.filter);
	program.filter = code;
	if (code == MAP_FAILED || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(NO_FILTER);
}

/* Run CALL under a filter; 0 if it was allowed, its errno, or 1000 + the signal it died of.
 */
static int under(const struct seccomp_options *options, long (*call)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		load(options);
		errno = 0;
		_exit(call() < 0 ? errno : ALLOWED);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return 1000 + WTERMSIG(status);
	ck_assert_int_ne(WEXITSTATUS(status), NO_FILTER);
	return WEXITSTATUS(status);
}

static const struct seccomp_options quiet = { .network = false, .report = false };
static const struct seccomp_options network = { .network = true, .report = false };
static const struct seccomp_options report = { .network = false, .report = true };

static long number_now;

static long call_number(void)
{
	/* Arguments that the kernel would refuse in another way, if it got to see them. */
	return syscall(number_now, -1L, -1L, -1L, -1L, -1L, -1L);
}

START_TEST(refuses_every_call_of_its_list)
{
	int n = 0;

	for (const char *const *name = seccomp_refused(); *name; name++) {
		number_now = seccomp_syscall_resolve_name(*name);
		if (number_now < 0)
			continue;
		ck_assert_msg(under(&quiet, call_number) == EPERM, "%s", *name);
		n++;
	}
	ck_assert_int_gt(n, 40);
}
END_TEST

START_TEST(every_refused_call_has_a_name_in_the_log)
{
	static const char *const by_argument[] = { "clone", "ioctl", "personality",
						   "socket" };

	for (const char *const *name = seccomp_refused(); *name; name++) {
		long number = seccomp_syscall_resolve_name(*name);

		/* Those that were never given a number here, or have left the headers. */
		if (number < 0 || strcmp(*name, "create_module") == 0 ||
		    strcmp(*name, "nfsservctl") == 0 || strcmp(*name, "uselib") == 0 ||
		    strcmp(*name, "open_tree_attr") == 0)
			continue;
		ck_assert_msg(cell_sigsys_name(number) != NULL, "%s", *name);
		ck_assert_str_eq(cell_sigsys_name(number), *name);
	}
	for (size_t i = 0; i < 4; i++)
		ck_assert_str_eq(cell_sigsys_name(
					 seccomp_syscall_resolve_name(by_argument[i])),
				 by_argument[i]);
}
END_TEST

static long call_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : waitpid(pid, NULL, 0);
}

static long call_newuser(void)
{
	return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0UL);
}

static long call_newnet(void)
{
	return syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, 0UL);
}

static long call_clone3(void)
{
	return syscall(SYS_clone3, NULL, 0);
}

START_TEST(children_yes_namespaces_no)
{
	ck_assert_int_eq(under(&quiet, call_fork), ALLOWED);
	ck_assert_int_eq(under(&quiet, call_newuser), EPERM);
	ck_assert_int_eq(under(&quiet, call_newnet), EPERM);
	ck_assert_int_eq(under(&quiet, call_clone3), ENOSYS);
	/* libc takes this answer for an old kernel; it must not be a signal. */
	ck_assert_int_eq(under(&report, call_clone3), ENOSYS);
}
END_TEST

static int family_now;

static long call_socket(void)
{
	return socket(family_now, SOCK_STREAM, 0);
}

static long call_socket_high(void)
{
	/* The kernel looks at the low half of the family only. */
	return syscall(SYS_socket, (1L << 32) | AF_ALG, SOCK_SEQPACKET, 0);
}

static long call_socketpair(void)
{
	int ends[2];

	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
}

START_TEST(sockets_only_with_network)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
	static const int never[] = { AF_AX25, AF_ALG, AF_VSOCK, AF_PACKET, AF_TIPC, AF_XDP };

	for (size_t i = 0; i < 3; i++) {
		family_now = families[i];
		ck_assert_int_eq(under(&quiet, call_socket), EPERM);
		ck_assert_int_ne(under(&network, call_socket), EPERM);
	}
	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
		family_now = never[i];
		ck_assert_int_eq(under(&network, call_socket), EPERM);
	}
	ck_assert_int_eq(under(&network, call_socket_high), EPERM);
	ck_assert_int_eq(under(&quiet, call_socketpair), ALLOWED);
}
END_TEST

static long call_tiocsti(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static long call_tiocsti_high(void)
{
	return syscall(SYS_ioctl, 0, (1L << 32) | TIOCSTI, "x");
}

static long call_fionread(void)
{
	int ends[2], n;

	return pipe(ends) < 0 ? -1 : ioctl(ends[0], FIONREAD, &n);
}

START_TEST(nothing_is_typed_into_a_terminal)
{
	ck_assert_int_eq(under(&quiet, call_tiocsti), EPERM);
	ck_assert_int_eq(under(&quiet, call_tiocsti_high), EPERM);
	ck_assert_int_eq(under(&quiet, call_fionread), ALLOWED);
}
END_TEST

static long call_ask_personality(void)
{
	return personality(0xffffffff);
}

static long call_no_personality(void)
{
	return personality(0);
}

static long call_exec_personality(void)
{
	return personality(READ_IMPLIES_EXEC);
}

static long call_old_personality(void)
{
	return personality(PER_SVR4);
}

START_TEST(personalities_may_be_asked_for_only)
{
	ck_assert_int_eq(under(&quiet, call_ask_personality), ALLOWED);
	ck_assert_int_eq(under(&quiet, call_no_personality), ALLOWED);
	ck_assert_int_eq(under(&quiet, call_exec_personality), EPERM);
	ck_assert_int_eq(under(&quiet, call_old_personality), EPERM);
}
END_TEST

static long call_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long call_ordinary(void)
{
	int ends[2], fd = memfd_create("x", MFD_CLOEXEC);
	struct pollfd pollfd;

	if (fd < 0 || ftruncate(fd, 4096) < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pollfd = (struct pollfd){ .fd = ends[0], .events = POLLIN };
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ||
			       poll(&pollfd, 1, 0) < 0 || getpid() < 0
		       ? -1
		       : 0;
}

START_TEST(ordinary_work_is_not_touched)
{
	ck_assert_int_eq(under(&quiet, call_ordinary), ALLOWED);
	ck_assert_int_eq(under(&report, call_ordinary), ALLOWED);
}
END_TEST

START_TEST(without_a_handler_a_reported_call_ends_the_process)
{
	ck_assert_int_eq(under(&report, call_ptrace), 1000 + SIGSYS);
}
END_TEST

static long call_ptrace_handled(void)
{
	cell_sigsys_install("greeter");
	return call_ptrace();
}

static long call_ptrace_often(void)
{
	long r = 0;

	cell_sigsys_install("greeter");
	for (int i = 0; i < 1000; i++)
		r = call_ptrace();
	return r;
}

static long call_after_refusal(void)
{
	cell_sigsys_install("greeter");
	(void)call_ptrace();
	/* Other registers are as they were: the program goes on. */
	return call_ordinary();
}

/* The same, and what it wrote on stderr. */
static int under_reading(long (*call)(void), char *text, size_t size)
{
	int ends[2], saved = dup(STDERR_FILENO), r;
	ssize_t n;

	ck_assert_int_eq(pipe(ends), 0);
	(void)dup2(ends[1], STDERR_FILENO);
	r = under(&report, call);
	(void)dup2(saved, STDERR_FILENO);
	(void)close(ends[1]);
	(void)close(saved);
	n = read(ends[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)close(ends[0]);
	return r;
}

START_TEST(a_handled_call_fails_and_is_logged)
{
	char text[4096], wanted[128];

	ck_assert_int_eq(under_reading(call_ptrace_handled, text, sizeof text), EPERM);
	snprintf(
		wanted, sizeof wanted,
		"level=warn cell=greeter sub=sandbox event=syscall_denied name=ptrace number=%d "
		"times=1\n",
		SYS_ptrace);
	ck_assert_str_eq(text, wanted);
	ck_assert_int_eq(under_reading(call_after_refusal, text, sizeof text), ALLOWED);
}
END_TEST

START_TEST(many_refusals_are_few_lines)
{
	char text[4096];
	int lines = 0;

	ck_assert_int_eq(under_reading(call_ptrace_often, text, sizeof text), EPERM);
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	/* 1, 2, 4 … 512. */
	ck_assert_int_eq(lines, 10);
	ck_assert_ptr_nonnull(strstr(text, "times=512\n"));
}
END_TEST

static long call_with_full_stderr(void)
{
	int ends[2];
	char block[4096] = { 0 };

	if (pipe(ends) < 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0)
		return 0;
	while (write(ends[1], block, sizeof block) > 0)
		;
	(void)fcntl(ends[1], F_SETFL, 0);
	(void)dup2(ends[1], STDERR_FILENO);
	cell_sigsys_install("greeter");
	(void)alarm(20);
	return call_ptrace();
}

START_TEST(a_full_pipe_does_not_stop_the_cell)
{
	ck_assert_int_eq(under(&report, call_with_full_stderr), EPERM);
}
END_TEST

static long call_sigsys_by_hand(void)
{
	cell_sigsys_install("greeter");
	return raise(SIGSYS);
}

START_TEST(a_signal_sent_by_hand_changes_nothing)
{
	ck_assert_int_eq(under(&report, call_sigsys_by_hand), ALLOWED);
}
END_TEST

START_TEST(names_only_what_may_be_refused)
{
	ck_assert_ptr_null(cell_sigsys_name(SYS_read));
	ck_assert_ptr_null(cell_sigsys_name(-1));
	ck_assert_ptr_null(cell_sigsys_name(1 << 20));
	ck_assert_str_eq(cell_sigsys_name(SYS_mount), "mount");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seccomp");
	TCase *tc = tcase_create("seccomp"), *reported = tcase_create("reported");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, refuses_every_call_of_its_list);
	tcase_add_test(tc, every_refused_call_has_a_name_in_the_log);
	tcase_add_test(tc, children_yes_namespaces_no);
	tcase_add_test(tc, sockets_only_with_network);
	tcase_add_test(tc, nothing_is_typed_into_a_terminal);
	tcase_add_test(tc, personalities_may_be_asked_for_only);
	tcase_add_test(tc, ordinary_work_is_not_touched);
	tcase_add_test(tc, names_only_what_may_be_refused);
	suite_add_tcase(suite, tc);
	if (cell_sigsys_is_supported()) {
		tcase_set_timeout(reported, 60);
		tcase_add_test(reported, without_a_handler_a_reported_call_ends_the_process);
		tcase_add_test(reported, a_handled_call_fails_and_is_logged);
		tcase_add_test(reported, many_refusals_are_few_lines);
		tcase_add_test(reported, a_full_pipe_does_not_stop_the_cell);
		tcase_add_test(reported, a_signal_sent_by_hand_changes_nothing);
		suite_add_tcase(suite, reported);
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
