/*
 * Two processes are introduced to each other, and on the way the nth thing fails that the
 * system may refuse: an allocation, a memfd, its size or seals, a doorbell, a socket, a
 * mapping. For every n, in cellcore, in the cell and in the client: the client gets its answer
 * or a typed error, everybody lives, and nothing is left behind.
 *
 * This program is all three of them: cellcore and the cell are itself under other names, so
 * that what it defines below stands in for the C library's in each.
 */
#include "cellcore/daemon.h"
#include "scene.h"

#include <check.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MS 1000000ull
/* More connections than this would be too many for the cell: so it shows if any is kept. */
#define CONNECTIONS_MAX "6"

enum role { ROLE_CORE, ROLE_CELL, ROLE_CLIENT, N_ROLES };
static const char *const role_names[N_ROLES] = { "cellcore", "trial_cell", "the client" };

/* In a file that all three map. */
struct faults {
	_Atomic uint64_t asked[N_ROLES];
	_Atomic uint64_t fail_at[N_ROLES]; /* the number of what fails; 0: nothing */
	_Atomic int failed_what[N_ROLES];  /* the last that did, enum thing */
};

enum thing { A_MALLOC, A_CALLOC, A_REALLOC, A_MEMFD, A_SIZE, A_SEAL, A_COPY, A_BELL, A_PAIR, A_MAPPING };
static const char *const things[] = { "malloc", "calloc", "realloc", "memfd_create", "ftruncate",
				      "F_ADD_SEALS", "F_DUPFD", "eventfd", "socketpair", "mmap" };

static struct faults *faults;
static enum role role = ROLE_CLIENT;

/* Sanitizers bring an allocator of their own: then this is for those without. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_INJECTED 0
#else
#define IS_INJECTED 1

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static bool fails(enum thing what, int error)
{
	uint64_t n;

	if (!faults)
		return false;
	n = atomic_fetch_add(&faults->asked[role], 1) + 1;
	if (n != atomic_load(&faults->fail_at[role]))
		return false;
	atomic_store(&faults->failed_what[role], what);
	errno = error;
	return true;
}

void *malloc(size_t size)
{
	return fails(A_MALLOC, ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(A_CALLOC, ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails(A_REALLOC, ENOMEM) ? NULL : __libc_realloc(old, size);
}

int memfd_create(const char *name, unsigned flags)
{
	return fails(A_MEMFD, EMFILE) ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}

int ftruncate(int fd, off_t size)
{
	return fails(A_SIZE, EINTR) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int fcntl(int fd, int command, ...)
{
	va_list args;
	long value;

	va_start(args, command);
	value = va_arg(args, long);
	va_end(args);
	if ((command == F_ADD_SEALS && fails(A_SEAL, ENOMEM)) ||
	    (command == F_DUPFD_CLOEXEC && fails(A_COPY, EMFILE)))
		return -1;
	return (int)syscall(SYS_fcntl, fd, command, value);
}

int eventfd(unsigned count, int flags)
{
	return fails(A_BELL, EMFILE) ? -1 : (int)syscall(SYS_eventfd2, count, flags);
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
	return fails(A_PAIR, EMFILE) ? -1
				     : (int)syscall(SYS_socketpair, domain, type, protocol, fds);
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	if (fails(A_MAPPING, ENOMEM))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
}

/* libev knows no failure: it ends the process. */
static void *allocate_for_ev(void *old, long size)
{
	if (size)
		return __libc_realloc(old, (size_t)size);
	free(old);
	return NULL;
}
#endif

static void faults_map(const char *folder, enum role mine)
{
	char path[256];
	void *at;
	int fd;

	(void)snprintf(path, sizeof path, "%s/faults", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	/* The cell may be another user's process. */
	if (fd < 0 || (mine == ROLE_CLIENT &&
		       (fchmod(fd, 0666) < 0 || ftruncate(fd, sizeof *faults) < 0)))
		abort();
	at = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		abort();
	(void)close(fd);
#if IS_INJECTED
	ev_set_allocator(allocate_for_ev);
#endif
	role = mine;
	faults = at;
}

/* ---- cellcore and the cell ------------------------------------------------------------------- */

/* cellcore --rundir FOLDER/run --no-sandbox */
static int be_cellcore(char **argv)
{
	static struct daemon daemon = { .self_program = "", .default_cells = "",
					.no_sandbox = true };
	char folder[256], state[300], sandbox[512];
	struct cell_error err;
	int r;

	(void)snprintf(folder, sizeof folder, "%s", argv[2]);
	*strrchr(folder, '/') = '\0';
	(void)snprintf(state, sizeof state, "%s/state", argv[2]);
	faults_map(folder, ROLE_CORE);
	cell_log_init("cellcore");
	daemon.argv = argv;
	daemon.sandbox_program = test_find_program("cell-sandbox", sandbox);
	r = daemon_run(&daemon, argv[2], state, -1, &err);
	if (r < 0)
		fprintf(stderr, "cellcore: %s\n", err.text);
	return cell_status_exit_code(r);
}

/* trial_cell FOLDER */
static int be_cell(char **argv)
{
	struct trial trial = { 0 };
	struct cell_call *call = cell_open("trial");
	int r = cell_serve(call, &trial_service, &trial_handlers, &trial);

	faults_map(argv[1], ROLE_CELL);
	return cell_exit(call, r ? r : cell_loop_run(call));
}

/* ---- the tests --------------------------------------------------------------------------------- */

static struct scene scene;
static char bin[64];

static void setup(void)
{
	char path[1024], name[128];

	(void)strcpy(bin, "/tmp/cell_introduce.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(bin));
	ck_assert_int_eq(chmod(bin, 0755), 0);
	for (int i = 0; i < ROLE_CLIENT; i++) {
		char self[512] = "";

		ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
		(void)snprintf(name, sizeof name, "%s/%s", bin, role_names[i]);
		ck_assert_int_eq(symlink(self, name), 0);
	}
	(void)snprintf(path, sizeof path, "%s:%s", bin, getenv("PATH"));
	ck_assert_int_eq(setenv("PATH", path, 1), 0);
	scene_init(&scene);
	faults_map(scene.node.folder, ROLE_CLIENT);
	/* The one of the test itself, a few that are not seen to be closed yet. */
	scene_cell(&scene, "trial", "", "max-instances = 1\n[limits]\nconnections = " CONNECTIONS_MAX "\n");
	scene_start(&scene);
	scene_join(&scene);
}

static void teardown(void)
{
	char command[128];

	scene_deinit(&scene);
	(void)snprintf(command, sizeof command, "rm -rf '%s'", bin);
	ck_assert_int_eq(system(command), 0);
}

static int echo(struct cell_call *call)
{
	struct trial_blob out;
	int r = trial_once(cell_within_ms(call, 5000),
			   &(struct trial_blob){ .n_data = 5, .data = (void *)"hello" }, &out);

	if (r == 0 && (out.n_data != 5 || memcmp(out.data, "hello", 5) != 0))
		r = CELL_DATA_LOSS;
	return r;
}

/* A client that is new to the node: joins, is introduced, calls. With the text if it failed. */
static int fresh_call(char text[CELL_ERROR_TEXT_MAX])
{
	struct cell_call *call = cell_open("fresh");
	int r = echo(call);

	(void)snprintf(text, CELL_ERROR_TEXT_MAX, "%s", cell_error(call)->text);
	cell_close(call);
	return r;
}

static void await_fds(enum role who, pid_t pid, unsigned n, const char *what)
{
	for (int i = 0; i < 3000 && test_count_fds(pid) > n; i++)
		(void)usleep(1000);
	ck_assert_msg(test_count_fds(pid) <= n, "after %s: %s has %u descriptors, not %u",
		      what, role_names[who], test_count_fds(pid), n);
}

static uint64_t one_failure(enum role victim, uint64_t n, char what[static 128])
{
	char text[CELL_ERROR_TEXT_MAX];
	uint64_t from = atomic_load(&faults->asked[victim]);
	int r;

	atomic_store(&faults->fail_at[victim], from + n);
	r = fresh_call(text);
	atomic_store(&faults->fail_at[victim], 0);
	(void)snprintf(what, 128, "%s, %s %llu", role_names[victim],
		       things[atomic_load(&faults->failed_what[victim])], (unsigned long long)n);
	/* Told, at once, and in words. */
	ck_assert_msg(r == 0 || (r < 0 && r != CELL_DEADLINE_EXCEEDED && r != CELL_UNKNOWN && text[0]),
		      "%s: %s: %s", what, cell_status_name(r), text);
	return atomic_load(&faults->asked[victim]) - from;
}

START_TEST(whatever_fails_the_client_is_told_and_all_live)
{
	enum role victim = (enum role)_i;
	unsigned fds[N_ROLES], failed = 0;
	pid_t pids[N_ROLES];
	char text[CELL_ERROR_TEXT_MAX], what[128];
	uint64_t n;

	if (!IS_INJECTED)
		return;
	ck_assert_msg(echo(scene.call) == 0, "%s", cell_error(scene.call)->text);
	pids[ROLE_CORE] = scene.node.pid;
	pids[ROLE_CELL] = (pid_t)scene_instance(&scene, "trial").pid;
	pids[ROLE_CLIENT] = getpid();
	ck_assert_int_eq(fresh_call(text), 0);
	while (scene_stats(&scene, "trial")->connections != 1)
		ck_assert_int_eq(echo(scene.call), 0);
	for (int i = 0; i < N_ROLES; i++)
		fds[i] = test_count_fds(pids[i]);
	for (n = 1; n < 1000; n++) {
		uint64_t asked = one_failure(victim, n, what);

		/* Who was there before is served on, by the same processes; who comes is, too. */
		ck_assert_msg(echo(scene.call) == 0, "%s: %s", what, cell_error(scene.call)->text);
		ck_assert_msg(fresh_call(text) == 0, "after %s: %s", what, text);
		ck_assert_int_eq((pid_t)scene_instance(&scene, "trial").pid, pids[ROLE_CELL]);
		for (int i = 0; i < N_ROLES; i++)
			await_fds((enum role)i, pids[i], fds[i], what);
		if (asked < n)
			break;
		failed++;
	}
	ck_assert_uint_lt(n, 1000);
	printf("%s: each of %u failed\n", role_names[victim], failed);
	ck_assert_uint_ge(failed, 5);
}
END_TEST

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	Suite *suite;
	SRunner *runner;
	TCase *tc;
	int failed;

	if (argc > 2 && strcmp(name, role_names[ROLE_CORE]) == 0)
		return be_cellcore(argv);
	if (argc > 1 && strcmp(name, role_names[ROLE_CELL]) == 0)
		return be_cell(argv);
	suite = suite_create("introduce");
	tc = tcase_create("introduce");
	tcase_set_timeout(tc, 100);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, whatever_fails_the_client_is_told_and_all_live, 0, N_ROLES);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
