#include "sandbox/limits.h"

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcell/cgroup.h"
#include "libcell/manifest.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DATA_LIMIT -1 /* it would keep sanitized programs from starting */
#else
#define DATA_LIMIT (64 << 20)
#endif

#define EVERYTHING (CELL_CGROUP_MEMORY | CELL_CGROUP_CPU | CELL_CGROUP_TASKS)

static struct cell_manifest *manifest;
static struct limit limits[LIMITS_MAX];
static struct cell_error err;
static size_t n_limits;
static char root[64];

static void manifest_is(const char *text)
{
	cell_manifest_free(manifest);
	manifest = NULL;
	ck_assert_msg(cell_manifest_parse(&manifest, text, strlen(text), "greeter.cell",
					  &err) == 0,
		      "%s", err.text);
}

static int on_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static void setup(void)
{
	strcpy(root, "/tmp/limits_test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	manifest_is("[limits]\nmemory = 64M\ntasks = 20\nfiles = 100\ncpu = 50\n");
}

static void teardown(void)
{
	(void)nftw(root, on_entry, 8, FTW_DEPTH | FTW_PHYS);
	cell_manifest_free(manifest);
	manifest = NULL;
}

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", root, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	ck_assert_msg(file != NULL, "%s", name);
	fputs(text, file);
	fclose(file);
}

static void holds(const char *name, const char *text)
{
	char now[64] = "";
	FILE *file = fopen(path_of(name), "r");

	ck_assert_msg(file != NULL, "%s is missing", name);
	now[fread(now, 1, sizeof now - 1, file)] = '\0';
	fclose(file);
	ck_assert_str_eq(now, text);
}

static void plan(unsigned controllers)
{
	n_limits = limits_plan(limits, manifest, controllers);
	ck_assert_uint_le(n_limits, LIMITS_MAX);
}

/* The planned value, or -1. */
static long long planned(int resource)
{
	for (size_t i = 0; i < n_limits; i++)
		if (limits[i].resource == resource)
			return (long long)limits[i].value;
	return -1;
}

START_TEST(cgroups_leave_little_to_rlimits)
{
	plan(EVERYTHING);
	ck_assert_int_eq(planned(RLIMIT_CORE), 0);
	ck_assert_int_eq(planned(RLIMIT_NOFILE), 100);
	ck_assert_int_eq(planned(RLIMIT_DATA), -1);
	ck_assert_int_eq(planned(RLIMIT_NPROC), -1);
	ck_assert_int_eq(planned(RLIMIT_AS), -1);
}
END_TEST

START_TEST(rlimits_stand_in_for_what_no_cgroup_holds)
{
	plan(CELL_CGROUP_CPU);
	ck_assert_int_eq(planned(RLIMIT_DATA), DATA_LIMIT);
	/* Of the user, not of the cell, so far above what one cell may have. */
	ck_assert_int_eq(planned(RLIMIT_NPROC), 4096);
	plan(CELL_CGROUP_MEMORY);
	ck_assert_int_eq(planned(RLIMIT_DATA), -1);
	ck_assert_int_eq(planned(RLIMIT_NPROC), 4096);
	manifest_is("[limits]\ntasks = 5000\n");
	plan(0);
	ck_assert_int_eq(planned(RLIMIT_NPROC), 5000);
	manifest_is("[limits]\ntasks = none\nmemory = none\n");
	plan(0);
	ck_assert_int_eq(planned(RLIMIT_DATA), -1);
	ck_assert_int_eq(planned(RLIMIT_NPROC), -1);
}
END_TEST

START_TEST(limits_are_set_for_good)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const struct limit lower[] = { { RLIMIT_NOFILE, 64 }, { RLIMIT_CORE, 0 } };
		struct rlimit now;

		if (limits_apply(lower, 2, &err) < 0 || getrlimit(RLIMIT_NOFILE, &now) < 0)
			_exit(1);
		_exit(now.rlim_cur == 64 && now.rlim_max == 64 ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(who_may_not_raise_a_limit_keeps_it)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const struct limit low = { RLIMIT_NOFILE, 64 }, high = { RLIMIT_NOFILE, 128 };
		struct rlimit now;

		if (limits_apply(&low, 1, &err) < 0)
			_exit(1);
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		if (limits_apply(&high, 1, &err) < 0 || getrlimit(RLIMIT_NOFILE, &now) < 0)
			_exit(3);
		_exit(now.rlim_cur == 64 ? 0 : 4);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- cgroups, in an ordinary folder ---- */

START_TEST(joins_a_cgroup_of_version_2)
{
	unsigned controllers;
	char pid[16];

	put("cgroup.controllers", "cpu memory pids\n");
	put("cgroup.subtree_control", "");
	ck_assert_int_eq(limits_join(&controllers, manifest, root, "node1", 1, &err), 0);
	ck_assert_uint_eq(controllers, EVERYTHING);
	holds("cell/node1/greeter-1/memory.max", "67108864");
	holds("cell/node1/greeter-1/cpu.max", "50000 100000");
	/* One more for bwrap, which waits beside the cell. */
	holds("cell/node1/greeter-1/pids.max", "21");
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	holds("cell/node1/greeter-1/cgroup.procs", pid);
}
END_TEST

START_TEST(joins_every_tree_of_version_1)
{
	unsigned controllers;

	ck_assert_int_eq(mkdir(path_of("memory"), 0755), 0);
	ck_assert_int_eq(mkdir(path_of("pids"), 0755), 0);
	manifest_is("[cell]\ninit = yes\n[limits]\nmemory = 64M\ntasks = 20\n");
	ck_assert_int_eq(limits_join(&controllers, manifest, root, "node1", 0, &err), 0);
	ck_assert_uint_eq(controllers, CELL_CGROUP_MEMORY | CELL_CGROUP_TASKS);
	holds("memory/cell/node1/greeter-0/memory.limit_in_bytes", "67108864");
	holds("pids/cell/node1/greeter-0/pids.max", "22");
	holds("memory/cell/node1/greeter-0/tasks", "0");
	holds("pids/cell/node1/greeter-0/tasks", "0");
}
END_TEST

START_TEST(no_limit_is_no_limit_plus_one)
{
	unsigned controllers;

	put("cgroup.controllers", "pids\n");
	put("cgroup.subtree_control", "");
	manifest_is("[limits]\ntasks = none\n");
	ck_assert_int_eq(limits_join(&controllers, manifest, root, "node1", 1, &err), 0);
	ck_assert(access(path_of("cell/node1/greeter-1/pids.max"), F_OK) < 0);
}
END_TEST

/* The same, with what it logged. */
static int join_logging(unsigned *controllers, const char *node, char *text, size_t size)
{
	int ends[2], saved = dup(STDERR_FILENO), r;
	ssize_t n;

	ck_assert_int_eq(pipe(ends), 0);
	(void)dup2(ends[1], STDERR_FILENO);
	r = limits_join(controllers, manifest, root, node, 0, &err);
	/* An empty log must not make us wait. */
	(void)!write(ends[1], "\n", 1);
	(void)dup2(saved, STDERR_FILENO);
	(void)close(ends[1]);
	(void)close(saved);
	n = read(ends[0], text, size - 1);
	text[n > 0 ? n - 1 : 0] = '\0';
	(void)close(ends[0]);
	return r;
}

START_TEST(without_cgroups_one_line_says_so)
{
	unsigned controllers = EVERYTHING;
	char text[1024];

	ck_assert_int_eq(join_logging(&controllers, "node1", text, sizeof text), 0);
	ck_assert_uint_eq(controllers, 0);
	ck_assert_ptr_nonnull(strstr(text, "level=warn"));
	ck_assert_ptr_nonnull(
		strstr(text, "event=no_cgroup limits=rlimits reason=\"no cgroup"));
	ck_assert_ptr_eq(strchr(text, '\n') + 1, text + strlen(text));
}
END_TEST

START_TEST(a_node_that_is_a_path_is_refused)
{
	unsigned controllers;

	ck_assert_int_eq(limits_join(&controllers, manifest, root, "../x", 0, &err),
			 CELL_INVALID_ARGUMENT);
}
END_TEST

START_TEST(removes_what_it_made)
{
	ck_assert_int_eq(limits_remove(manifest, root, "node1", 0, &err), 0);
	ck_assert_int_eq(mkdir(path_of("memory"), 0755), 0);
	ck_assert_int_eq(limits_remove(manifest, root, "node1", 0, &err), 0);
	ck_assert_int_eq(mkdir(path_of("memory/cell"), 0755), 0);
	ck_assert_int_eq(mkdir(path_of("memory/cell/node1"), 0755), 0);
	ck_assert_int_eq(mkdir(path_of("memory/cell/node1/greeter-0"), 0755), 0);
	ck_assert_int_eq(limits_remove(manifest, root, "node1", 0, &err), 0);
	ck_assert(access(path_of("memory/cell"), F_OK) < 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits");
	TCase *tc = tcase_create("limits");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, cgroups_leave_little_to_rlimits);
	tcase_add_test(tc, rlimits_stand_in_for_what_no_cgroup_holds);
	tcase_add_test(tc, limits_are_set_for_good);
	tcase_add_test(tc, who_may_not_raise_a_limit_keeps_it);
	tcase_add_test(tc, joins_a_cgroup_of_version_2);
	tcase_add_test(tc, joins_every_tree_of_version_1);
	tcase_add_test(tc, no_limit_is_no_limit_plus_one);
	tcase_add_test(tc, without_cgroups_one_line_says_so);
	tcase_add_test(tc, a_node_that_is_a_path_is_refused);
	tcase_add_test(tc, removes_what_it_made);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
