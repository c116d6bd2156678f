#include "libcell/cgroup.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64];
static struct cell_cgroup_root found;
static struct cell_cgroup cgroup;
static struct cell_error err;

static const struct cell_cgroup_limits limits = { .memory_bytes = 64u << 20,
						  .cpu_percent = 150,
						  .tasks = 20 };

static int on_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static void setup(void)
{
	strcpy(root, "/tmp/cgroup_test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	(void)nftw(root, on_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- an ordinary folder that looks like cgroups ---- */

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", root, name);
	return path;
}

static void folder(const char *name)
{
	ck_assert_int_eq(mkdir(path_of(name), 0755), 0);
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
	char now[256] = "";
	FILE *file = fopen(path_of(name), "r");

	ck_assert_msg(file != NULL, "%s is missing", name);
	now[fread(now, 1, sizeof now - 1, file)] = '\0';
	fclose(file);
	ck_assert_str_eq(now, text);
}

static bool exists(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

static void looks_like_v1(void)
{
	folder("memory");
	folder("cpu");
	folder("cpuacct");
	folder("pids");
	folder("freezer");
}

static void looks_like_v2(const char *controllers)
{
	put("cgroup.controllers", controllers);
	put("cgroup.subtree_control", "");
}

static void find_and_init(void)
{
	ck_assert_msg(cell_cgroup_find(&found, root, &err) == 0, "%s", err.text);
	ck_assert_int_eq(cell_cgroup_init(&cgroup, &found, "node1", "greeter", 3, &err), 0);
	ck_assert_str_eq(cgroup.path, "cell/node1/greeter-3");
}

/* ---- finding ---- */

START_TEST(knows_version_1_by_its_folders)
{
	looks_like_v1();
	find_and_init();
	ck_assert_int_eq(found.version, CELL_CGROUP_V1);
	ck_assert_uint_eq(found.controllers,
			  CELL_CGROUP_MEMORY | CELL_CGROUP_CPU | CELL_CGROUP_TASKS);
}
END_TEST

START_TEST(takes_the_controllers_there_are)
{
	folder("pids");
	find_and_init();
	ck_assert_uint_eq(found.controllers, CELL_CGROUP_TASKS);
}
END_TEST

START_TEST(knows_version_2_by_its_file)
{
	looks_like_v2("cpuset cpu io memory pids\n");
	find_and_init();
	ck_assert_int_eq(found.version, CELL_CGROUP_V2);
	ck_assert_uint_eq(found.controllers,
			  CELL_CGROUP_MEMORY | CELL_CGROUP_CPU | CELL_CGROUP_TASKS);
}
END_TEST

START_TEST(words_that_contain_a_controller_are_none)
{
	looks_like_v2("cpuset hugetlb pids\n");
	find_and_init();
	ck_assert_uint_eq(found.controllers, CELL_CGROUP_TASKS);
}
END_TEST

START_TEST(a_folder_with_neither_is_no_root)
{
	ck_assert_int_eq(cell_cgroup_find(&found, root, &err), -ENOENT);
	ck_assert_int_eq(found.version, CELL_CGROUP_NONE);
	ck_assert_ptr_nonnull(strstr(err.text, root));
	looks_like_v2("cpuset\n");
	ck_assert_int_eq(cell_cgroup_find(&found, root, &err), -ENOENT);
}
END_TEST

START_TEST(a_version_2_group_with_others_in_it_cannot_be_used)
{
	looks_like_v2("memory\n");
	put("cgroup.type", "domain\n");
	put("cgroup.procs", "1\n");
	ck_assert_int_eq(cell_cgroup_find(&found, root, &err), -EBUSY);
	ck_assert_uint_eq(found.controllers, 0);
}
END_TEST

START_TEST(alone_in_a_version_2_group_it_steps_aside)
{
	char pid[16];

	looks_like_v2("memory\n");
	put("cgroup.type", "domain\n");
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	put("cgroup.procs", pid);
	ck_assert_int_eq(cell_cgroup_find(&found, root, &err), 0);
	holds("core/cgroup.procs", pid);
}
END_TEST

START_TEST(refuses_names_that_are_paths)
{
	looks_like_v1();
	ck_assert_int_eq(cell_cgroup_find(&found, root, &err), 0);
	ck_assert_int_eq(cell_cgroup_init(&cgroup, &found, "..", "x", 0, &err),
			 CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(cell_cgroup_init(&cgroup, &found, "a/b", "x", 0, &err),
			 CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(cell_cgroup_init(&cgroup, &found, "", "x", 0, &err),
			 CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(cell_cgroup_init(&cgroup, &found, "a", "../x", 0, &err),
			 CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(cell_cgroup_clear(&found, "../.."), CELL_INVALID_ARGUMENT);
}
END_TEST

/* ---- making ---- */

START_TEST(version_1_has_a_folder_in_every_tree)
{
	looks_like_v1();
	find_and_init();
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &limits, &err), 0);
	holds("memory/cell/node1/greeter-3/memory.limit_in_bytes", "67108864");
	holds("memory/cell/node1/greeter-3/memory.memsw.limit_in_bytes", "67108864");
	holds("cpu/cell/node1/greeter-3/cpu.cfs_period_us", "100000");
	holds("cpu/cell/node1/greeter-3/cpu.cfs_quota_us", "150000");
	holds("pids/cell/node1/greeter-3/pids.max", "20");
	ck_assert(!exists("freezer/cell"));
	/* One thread that moves itself is cheap; a process is not. */
	ck_assert_int_eq(cell_cgroup_join(&cgroup, 0, &err), 0);
	holds("memory/cell/node1/greeter-3/tasks", "0");
	holds("cpu/cell/node1/greeter-3/tasks", "0");
	holds("cpuacct/cell/node1/greeter-3/tasks", "0");
	holds("pids/cell/node1/greeter-3/tasks", "0");
	ck_assert_int_eq(cell_cgroup_join(&cgroup, 4711, &err), 0);
	holds("memory/cell/node1/greeter-3/cgroup.procs", "4711");
	holds("pids/cell/node1/greeter-3/cgroup.procs", "4711");
}
END_TEST

START_TEST(without_a_tasks_file_the_process_is_moved)
{
	char pid[16];

	folder("memory");
	find_and_init();
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &limits, &err), 0);
	folder("memory/cell/node1/greeter-3/tasks");
	ck_assert_int_eq(cell_cgroup_join(&cgroup, 0, &err), 0);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	holds("memory/cell/node1/greeter-3/cgroup.procs", pid);
}
END_TEST

START_TEST(version_2_hands_controllers_down_the_tree)
{
	looks_like_v2("cpu memory pids\n");
	find_and_init();
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &limits, &err), 0);
	/* Written one by one: an ordinary file keeps the last. */
	holds("cgroup.subtree_control", "+pids");
	holds("cell/cgroup.subtree_control", "+pids");
	holds("cell/node1/cgroup.subtree_control", "+pids");
	ck_assert(!exists("cell/node1/greeter-3/cgroup.subtree_control"));
	holds("cell/node1/greeter-3/memory.max", "67108864");
	holds("cell/node1/greeter-3/memory.swap.max", "0");
	holds("cell/node1/greeter-3/memory.oom.group", "1");
	holds("cell/node1/greeter-3/cpu.max", "150000 100000");
	holds("cell/node1/greeter-3/pids.max", "20");
	ck_assert_int_eq(cell_cgroup_join(&cgroup, 4711, &err), 0);
	holds("cell/node1/greeter-3/cgroup.procs", "4711");
}
END_TEST

START_TEST(no_limit_writes_none)
{
	const struct cell_cgroup_limits none = { .tasks = 0 };

	looks_like_v2("cpu memory pids\n");
	find_and_init();
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &none, &err), 0);
	ck_assert(!exists("cell/node1/greeter-3/memory.max"));
	ck_assert(!exists("cell/node1/greeter-3/cpu.max"));
	ck_assert(!exists("cell/node1/greeter-3/pids.max"));
}
END_TEST

START_TEST(a_controller_that_refuses_its_limit_is_struck_off)
{
	looks_like_v1();
	find_and_init();
	/* A folder in the place of the file: nothing can be written there. */
	folder("pids/cell");
	folder("pids/cell/node1");
	folder("pids/cell/node1/greeter-3");
	folder("pids/cell/node1/greeter-3/pids.max");
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &limits, &err), 0);
	ck_assert_uint_eq(cgroup.root.controllers, CELL_CGROUP_MEMORY | CELL_CGROUP_CPU);
}
END_TEST

START_TEST(without_cgroups_every_step_says_so)
{
	struct cell_cgroup_usage usage;

	(void)cell_cgroup_find(&found, root, &err);
	ck_assert_int_eq(cell_cgroup_init(&cgroup, &found, "n", "x", 0, &err), 0);
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &limits, &err), -ENOENT);
	ck_assert_int_eq(cell_cgroup_usage(&cgroup, &usage), -ENOENT);
	ck_assert_int_eq(cell_cgroup_kill(&cgroup), 0);
	ck_assert_int_eq(cell_cgroup_remove(&cgroup), 0);
}
END_TEST

/* ---- reading ---- */

START_TEST(reads_usage_of_version_1)
{
	struct cell_cgroup_usage usage;

	looks_like_v1();
	find_and_init();
	ck_assert_int_eq(cell_cgroup_usage(&cgroup, &usage), -ENOENT);
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &limits, &err), 0);
	put("memory/cell/node1/greeter-3/memory.usage_in_bytes", "385024\n");
	put("memory/cell/node1/greeter-3/memory.max_usage_in_bytes", "500000\n");
	put("memory/cell/node1/greeter-3/memory.oom_control",
	    "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
	put("cpuacct/cell/node1/greeter-3/cpuacct.usage", "123456789012\n");
	put("pids/cell/node1/greeter-3/pids.current", "4\n");
	ck_assert_int_eq(cell_cgroup_usage(&cgroup, &usage), 0);
	ck_assert_uint_eq(usage.memory_bytes, 385024);
	ck_assert_uint_eq(usage.memory_peak_bytes, 500000);
	ck_assert_uint_eq(usage.oom_kills, 2);
	ck_assert_uint_eq(usage.cpu_ns, 123456789012);
	ck_assert_uint_eq(usage.tasks, 4);
	ck_assert_uint_eq(usage.controllers,
			  CELL_CGROUP_MEMORY | CELL_CGROUP_CPU | CELL_CGROUP_TASKS);
}
END_TEST

START_TEST(reads_usage_of_version_2)
{
	struct cell_cgroup_usage usage;

	looks_like_v2("cpu memory pids\n");
	find_and_init();
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &limits, &err), 0);
	put("cell/node1/greeter-3/memory.current", "385024\n");
	put("cell/node1/greeter-3/memory.events",
	    "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n");
	put("cell/node1/greeter-3/cpu.stat", "usage_usec 1500\nuser_usec 1000\n");
	ck_assert_int_eq(cell_cgroup_usage(&cgroup, &usage), 0);
	ck_assert_uint_eq(usage.memory_bytes, 385024);
	ck_assert_uint_eq(usage.memory_peak_bytes, 0);
	ck_assert_uint_eq(usage.oom_kills, 1);
	ck_assert_uint_eq(usage.cpu_ns, 1500000);
	ck_assert_uint_eq(usage.controllers, CELL_CGROUP_MEMORY | CELL_CGROUP_CPU);
}
END_TEST

/* ---- ending ---- */

START_TEST(removes_the_group_and_the_nodes_last_folder)
{
	struct cell_cgroup other;

	looks_like_v1();
	find_and_init();
	ck_assert_int_eq(cell_cgroup_init(&other, &found, "node1", "log", 0, &err), 0);
	folder("memory/cell");
	folder("memory/cell/node1");
	folder("memory/cell/node1/greeter-3");
	folder("memory/cell/node1/log-0");
	ck_assert_int_eq(cell_cgroup_remove(&cgroup), 0);
	ck_assert(!exists("memory/cell/node1/greeter-3"));
	ck_assert(exists("memory/cell/node1/log-0"));
	ck_assert_int_eq(cell_cgroup_remove(&cgroup), 0);
	ck_assert_int_eq(cell_cgroup_remove(&other), 0);
	ck_assert(!exists("memory/cell"));
	ck_assert(exists("memory"));
}
END_TEST

START_TEST(clears_what_an_earlier_node_left)
{
	looks_like_v1();
	find_and_init();
	ck_assert_int_eq(cell_cgroup_clear(&found, "node1"), 0);
	folder("memory/cell");
	folder("memory/cell/node1");
	folder("memory/cell/node1/greeter-3");
	folder("memory/cell/node1/log-0");
	folder("memory/cell/node2");
	folder("memory/cell/node2/log-0");
	put("memory/cell/node1/log-0/cgroup.procs", "");
	ck_assert_int_eq(cell_cgroup_clear(&found, "node1"), 1);
	ck_assert(!exists("memory/cell/node1/greeter-3"));
	ck_assert(exists("memory/cell/node2/log-0"));
	(void)unlink(path_of("memory/cell/node1/log-0/cgroup.procs"));
	ck_assert_int_eq(cell_cgroup_clear(&found, "node1"), 0);
	ck_assert(!exists("memory/cell/node1"));
	ck_assert(exists("memory/cell"));
	ck_assert_int_eq(cell_cgroup_clear(&found, "node2"), 0);
	ck_assert(!exists("memory/cell"));
}
END_TEST

START_TEST(clears_what_the_node_of_a_run_directory_left)
{
	char group[CELL_CGROUP_GROUP_MAX], other[CELL_CGROUP_GROUP_MAX], path[128];
	char node[] = "a-name-of-63-characters-which-is-as-long-as-a-name-can-ever-be-";

	looks_like_v1();
	find_and_init();
	cell_cgroup_group(group, node, "/run/one");
	cell_cgroup_group(other, node, "/run/two");
	ck_assert_str_ne(group, other);
	ck_assert_int_eq(cell_cgroup_init(&cgroup, &found, group, "greeter", 1, &err), 0);
	folder("memory/cell");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "memory/cell/%s", i ? other : group);
		folder(path);
	}
	ck_assert_int_eq(cell_cgroup_clear_rundir(&found, "/run/three"), 0);
	ck_assert_int_eq(cell_cgroup_clear_rundir(&found, "/run/one"), 0);
	ck_assert(exists(path));
	snprintf(path, sizeof path, "memory/cell/%s", group);
	ck_assert(!exists(path));
	ck_assert_int_eq(cell_cgroup_clear_rundir(&found, "/run/two"), 0);
	ck_assert(!exists("memory/cell"));
}
END_TEST

START_TEST(kills_the_processes_of_the_group)
{
	pid_t pid = fork();
	char text[32];
	int status;

	if (pid == 0) {
		(void)alarm(30);
		for (;;)
			(void)pause();
	}
	looks_like_v2("memory\n");
	find_and_init();
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &limits, &err), 0);
	/* 0: a process of another pid namespace. It must not mean our own group. */
	snprintf(text, sizeof text, "0\n%d\n", (int)pid);
	put("cell/node1/greeter-3/cgroup.procs", text);
	ck_assert_int_eq(cell_cgroup_kill(&cgroup), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

/* ---- this machine ---- */

START_TEST(the_cgroups_of_this_machine_work)
{
	struct cell_cgroup_usage usage;
	char node[32];
	int ends[2];
	pid_t pid;

	if (cell_cgroup_find(&found, NULL, &err) < 0)
		return;
	snprintf(node, sizeof node, "test%d", (int)getpid());
	ck_assert_int_eq(cell_cgroup_init(&cgroup, &found, node, "greeter", 0, &err), 0);
	ck_assert_msg(cell_cgroup_create(&cgroup, &limits, &err) == 0, "%s", err.text);
	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		char byte;

		(void)close(ends[1]);
		(void)!read(ends[0], &byte, 1);
		_exit(0);
	}
	ck_assert_msg(cell_cgroup_join(&cgroup, pid, &err) == 0, "%s", err.text);
	ck_assert_int_eq(cell_cgroup_usage(&cgroup, &usage), 0);
	if (usage.controllers & CELL_CGROUP_TASKS)
		ck_assert_uint_eq(usage.tasks, 1);
	ck_assert_int_eq(cell_cgroup_create(&cgroup, &limits, &err), -EBUSY);
	ck_assert_int_eq(cell_cgroup_remove(&cgroup), -EBUSY);
	ck_assert_int_eq(cell_cgroup_kill(&cgroup), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	(void)close(ends[0]);
	(void)close(ends[1]);
	ck_assert_int_eq(cell_cgroup_remove(&cgroup), 0);
	ck_assert_int_eq(cell_cgroup_usage(&cgroup, &usage), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cgroup");
	TCase *tc = tcase_create("cgroup");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, knows_version_1_by_its_folders);
	tcase_add_test(tc, takes_the_controllers_there_are);
	tcase_add_test(tc, knows_version_2_by_its_file);
	tcase_add_test(tc, words_that_contain_a_controller_are_none);
	tcase_add_test(tc, a_folder_with_neither_is_no_root);
	tcase_add_test(tc, a_version_2_group_with_others_in_it_cannot_be_used);
	tcase_add_test(tc, alone_in_a_version_2_group_it_steps_aside);
	tcase_add_test(tc, refuses_names_that_are_paths);
	tcase_add_test(tc, version_1_has_a_folder_in_every_tree);
	tcase_add_test(tc, without_a_tasks_file_the_process_is_moved);
	tcase_add_test(tc, version_2_hands_controllers_down_the_tree);
	tcase_add_test(tc, no_limit_writes_none);
	tcase_add_test(tc, a_controller_that_refuses_its_limit_is_struck_off);
	tcase_add_test(tc, without_cgroups_every_step_says_so);
	tcase_add_test(tc, reads_usage_of_version_1);
	tcase_add_test(tc, reads_usage_of_version_2);
	tcase_add_test(tc, removes_the_group_and_the_nodes_last_folder);
	tcase_add_test(tc, clears_what_an_earlier_node_left);
	tcase_add_test(tc, clears_what_the_node_of_a_run_directory_left);
	tcase_add_test(tc, kills_the_processes_of_the_group);
	tcase_add_test(tc, the_cgroups_of_this_machine_work);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
