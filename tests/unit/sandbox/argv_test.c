#include "sandbox/argv.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libcell/manifest.h"

static struct cell_manifest *manifest;
static struct cell_arena arena;
static struct sandbox_plan plan;
static struct cell_error err;
static char **vector;

/* What main() would get, from literals. */
#define VECTOR(array) ((char *const *)(void *)(array))

static const struct sandbox_link links[] = { { "/bin", "usr/bin" }, { "/lib64", NULL } };

static void plan_for(const char *text)
{
	cell_manifest_free(manifest);
	manifest = NULL;
	ck_assert_msg(cell_manifest_parse(&manifest, text, strlen(text), "greeter.cell",
					  &err) == 0,
		      "%s", err.text);
	plan = (struct sandbox_plan){ .manifest = manifest,
				      .node = "node1",
				      .instance = 2,
				      .user = "cell",
				      .uid = 990,
				      .gid = 991,
				      .program = "/opt/greeter",
				      .program_fd = -1,
				      .links = links,
				      .n_links = 2,
				      .seccomp_fd = -1,
				      .passwd_fd = -1,
				      .group_fd = -1,
				      .nsswitch_fd = -1,
				      .status_fd = -1 };
}

static void setup(void)
{
	manifest = NULL;
	cell_arena_init(&arena, 0);
	plan_for("[cell]\n");
}

static void teardown(void)
{
	cell_manifest_free(manifest);
	manifest = NULL;
	cell_arena_deinit(&arena);
}

static void build(void)
{
	ck_assert_int_eq(sandbox_argv(&vector, &plan, &arena, &err), 0);
}

/* Where in the vector these words stand in a row (up to NULL); -1: nowhere. */
static int position(const char *first, const char *second, const char *third)
{
	for (int i = 0; vector[i]; i++)
		if (strcmp(vector[i], first) == 0 &&
		    (!second ||
		     (vector[i + 1] && strcmp(vector[i + 1], second) == 0 &&
		      (!third || (vector[i + 2] && strcmp(vector[i + 2], third) == 0)))))
			return i;
	return -1;
}

static bool has(const char *first, const char *second, const char *third)
{
	return position(first, second, third) >= 0;
}

START_TEST(separates_everything_and_dies_with_its_parent)
{
	build();
	ck_assert_str_eq(vector[0], "bwrap");
	ck_assert(has("--unshare-all", NULL, NULL));
	ck_assert(has("--unshare-user", NULL, NULL));
	ck_assert(has("--die-with-parent", NULL, NULL));
	ck_assert(has("--new-session", NULL, NULL));
	ck_assert(has("--cap-drop", "ALL", NULL));
	ck_assert(has("--hostname", "greeter", NULL));
	ck_assert(has("--as-pid-1", NULL, NULL));
	ck_assert(!has("--share-net", NULL, NULL));
	ck_assert(!has("--disable-userns", NULL, NULL));
	ck_assert(!has("--size", NULL, NULL));
	ck_assert(!has("--seccomp", NULL, NULL));
	ck_assert(!has("--json-status-fd", NULL, NULL));
}
END_TEST

START_TEST(asks_bwrap_only_for_what_it_knows)
{
	plan.has_disable_userns = plan.has_size = true;
	build();
	ck_assert(has("--disable-userns", NULL, NULL));
	/* Half of the default memory, which is 512 MiB. */
	ck_assert(has("--size", "268435456", "--perms"));
	plan_for("[limits]\nmemory = none\n");
	plan.has_size = true;
	build();
	ck_assert(!has("--size", NULL, NULL));
}
END_TEST

START_TEST(mounts_the_system_and_nothing_of_its_owner)
{
	build();
	ck_assert(has("--ro-bind", "/usr", "/usr"));
	ck_assert(has("--symlink", "usr/bin", "/bin"));
	ck_assert(has("--ro-bind", "/lib64", "/lib64"));
	ck_assert(has("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"));
	ck_assert(has("--proc", "/proc", "--dev"));
	ck_assert(has("--tmpfs", "/tmp", NULL));
	for (int i = 0; vector[i]; i++) {
		ck_assert_str_ne(vector[i], "/");
		ck_assert_str_ne(vector[i], "/etc");
		ck_assert_str_ne(vector[i], "/home");
		if (strcmp(vector[i], "--remount-ro") == 0)
			i++;
		if (strcmp(vector[i], "--chdir") == 0)
			i++;
	}
}
END_TEST

START_TEST(the_program_has_one_place)
{
	build();
	ck_assert(has("--ro-bind", "/opt/greeter", "/cell/greeter"));
	ck_assert(has("--", "/cell/greeter", NULL));
	ck_assert_ptr_null(vector[position("--", "/cell/greeter", NULL) + 2]);
}
END_TEST

START_TEST(a_program_out_of_reach_is_copied)
{
	plan.program = NULL;
	plan.program_fd = 12;
	build();
	ck_assert(has("--ro-bind-data", "12", "/cell/greeter"));
	ck_assert(has("--perms", "0755", "--ro-bind-data"));
}
END_TEST

START_TEST(arguments_of_the_manifest_come_before_the_others)
{
	const char *args[] = { "--verbose", "a b", NULL };
	int at;

	plan_for("[cell]\nexec = greeter --from manifest\n");
	plan.args = VECTOR(args);
	build();
	at = position("--", "/cell/greeter", "--from");
	ck_assert_int_ge(at, 0);
	ck_assert_str_eq(vector[at + 3], "manifest");
	ck_assert_str_eq(vector[at + 4], "--verbose");
	ck_assert_str_eq(vector[at + 5], "a b");
	ck_assert_ptr_null(vector[at + 6]);
	ck_assert_int_eq(sandbox_exec(&vector, &plan, "/opt/greeter", &arena, &err), 0);
	ck_assert_str_eq(vector[0], "/opt/greeter");
	ck_assert_str_eq(vector[1], "--from");
	ck_assert_str_eq(vector[4], "a b");
	ck_assert_ptr_null(vector[5]);
}
END_TEST

START_TEST(state_is_the_only_place_to_write)
{
	build();
	ck_assert(!has("--bind", NULL, NULL));
	ck_assert(has("--chdir", "/", NULL));
	plan.state = "/var/lib/cell/greeter";
	build();
	ck_assert(has("--bind", "/var/lib/cell/greeter", "/state"));
	ck_assert(has("--chdir", "/state", NULL));
	/* After every mount, or bwrap could not make the places to mount at. */
	ck_assert_int_gt(position("--remount-ro", "/", NULL), position("--bind", NULL, NULL));
}
END_TEST

START_TEST(network_brings_names_and_certificates)
{
	build();
	ck_assert(!has("--ro-bind-try", "/etc/resolv.conf", NULL));
	ck_assert(!has("--ro-bind-try", "/etc/ssl/certs", NULL));
	plan_for("[sandbox]\nnetwork = host\n");
	build();
	ck_assert(has("--share-net", NULL, NULL));
	ck_assert(has("--ro-bind-try", "/etc/resolv.conf", NULL));
	ck_assert(has("--ro-bind-try", "/etc/ssl/certs", NULL));
	ck_assert_int_gt(position("--share-net", NULL, NULL),
			 position("--unshare-all", NULL, NULL));
}
END_TEST

START_TEST(init_is_bwraps_own)
{
	plan_for("[cell]\ninit = yes\n");
	build();
	ck_assert(!has("--as-pid-1", NULL, NULL));
}
END_TEST

START_TEST(read_only_mounts_are_made_from_resolved_paths)
{
	const struct sandbox_mount mounts[] = { { "/srv/real", "/opt/data" } };

	plan.mounts = mounts;
	plan.n_mounts = 1;
	build();
	ck_assert(has("--ro-bind", "/srv/real", "/opt/data"));
}
END_TEST

START_TEST(descriptors_are_passed_by_number)
{
	plan.seccomp_fd = 10;
	plan.passwd_fd = 11;
	plan.group_fd = 12;
	plan.nsswitch_fd = 13;
	plan.status_fd = 14;
	build();
	ck_assert(has("--seccomp", "10", NULL));
	ck_assert(has("--ro-bind-data", "11", "/etc/passwd"));
	ck_assert(has("--ro-bind-data", "12", "/etc/group"));
	ck_assert(has("--ro-bind-data", "13", "/etc/nsswitch.conf"));
	ck_assert(has("--json-status-fd", "14", NULL));
}
END_TEST

START_TEST(many_arguments_all_arrive)
{
	const char *args[600];

	for (int i = 0; i < 599; i++)
		args[i] = "x";
	args[599] = NULL;
	plan.args = VECTOR(args);
	build();
	ck_assert_ptr_null(vector[position("--", "/cell/greeter", NULL) + 2 + 599]);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
	struct cell_arena small;

	cell_arena_init(&small, 1);
	ck_assert_int_eq(sandbox_argv(&vector, &plan, &small, &err), -ENOMEM);
	cell_arena_deinit(&small);
}
END_TEST

/* ---- environment ---- */

static const char *from[] = { "PATH=/evil",       "HOME=/root",        "LANG=de_DE.UTF-8",
			      "SECRET=x",         "PGHOST=db",         "CELL_LOG=debug",
			      "CELL_RUNDIR=/run", "CELL_CONTROL_FD=3", NULL };

static void environment(const char *state)
{
	ck_assert_int_eq(sandbox_environ(&vector, &plan, VECTOR(from), state, &arena, &err),
			 0);
}

START_TEST(environment_is_what_the_runtime_promises)
{
	environment("/state");
	ck_assert(has("PATH=/usr/local/bin:/usr/bin:/bin", NULL, NULL));
	ck_assert(has("HOME=/state", NULL, NULL));
	ck_assert(has("LANG=de_DE.UTF-8", NULL, NULL));
	ck_assert(has("CELL_NAME=greeter", NULL, NULL));
	ck_assert(has("CELL_NODE=node1", NULL, NULL));
	ck_assert(has("CELL_INSTANCE=2", NULL, NULL));
	ck_assert(has("CELL_STATEDIR=/state", NULL, NULL));
	ck_assert(has("CELL_LOG=debug", NULL, NULL));
	ck_assert(has("CELL_CONTROL_FD=3", NULL, NULL));
	for (int i = 0; vector[i]; i++) {
		ck_assert(strncmp(vector[i], "SECRET", 6) != 0);
		ck_assert(strncmp(vector[i], "PGHOST", 6) != 0);
		ck_assert(strncmp(vector[i], "CELL_RUNDIR", 11) != 0);
	}
	environment(NULL);
	ck_assert(has("HOME=/tmp", NULL, NULL));
	for (int i = 0; vector[i]; i++)
		ck_assert(strncmp(vector[i], "CELL_STATEDIR", 13) != 0);
}
END_TEST

START_TEST(the_manifest_passes_sets_and_replaces)
{
	plan_for("[sandbox]\nenv = PGHOST PGPORT LANG=C HOME=/tmp/h X=\n");
	environment("/state");
	ck_assert(has("PGHOST=db", NULL, NULL));
	ck_assert(has("LANG=C", NULL, NULL));
	ck_assert(has("HOME=/tmp/h", NULL, NULL));
	ck_assert(has("X=", NULL, NULL));
	ck_assert(!has("LANG=de_DE.UTF-8", NULL, NULL));
	ck_assert(!has("HOME=/state", NULL, NULL));
	for (int i = 0; vector[i]; i++)
		ck_assert(strncmp(vector[i], "PGPORT", 6) != 0);
}
END_TEST

START_TEST(the_manifests_log_level_is_a_default)
{
	const char *none[] = { NULL };

	plan_for("[log]\nlevel = warn\n");
	environment(NULL);
	ck_assert(has("CELL_LOG=debug", NULL, NULL));
	ck_assert_int_eq(sandbox_environ(&vector, &plan, VECTOR(none), NULL, &arena, &err),
			 0);
	ck_assert(has("CELL_LOG=warn", NULL, NULL));
}
END_TEST

/* ---- files and text ---- */

START_TEST(files_of_etc_name_the_user)
{
	ck_assert_str_eq(sandbox_passwd(&plan, &arena),
			 "cell:x:990:991:greeter:/tmp:/usr/sbin/nologin\n");
	plan.state = "/x";
	ck_assert_str_eq(sandbox_passwd(&plan, &arena),
			 "cell:x:990:991:greeter:/state:/usr/sbin/nologin\n");
	ck_assert_str_eq(sandbox_group(&plan, &arena), "cell:x:991:\n");
	ck_assert_ptr_null(strstr(sandbox_nsswitch(&plan), "dns"));
	plan_for("[sandbox]\nnetwork = host\n");
	ck_assert_ptr_nonnull(strstr(sandbox_nsswitch(&plan), "dns"));
}
END_TEST

START_TEST(what_is_shown_can_be_pasted)
{
	const char *env[] = { "A=b", "C=d e", NULL };
	const char *words[] = { "bwrap",   "--bind", "/a b", "/c", "--",
				"/cell/x", "--it's", "",     NULL };

	ck_assert_str_eq(
		sandbox_show(VECTOR(env), VECTOR(words), &arena),
		"env -i A=b 'C=d e' \\\nbwrap \\\n  --bind '/a b' /c \\\n  -- /cell/x "
		"'--it'\\''s' ''\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("argv");
	TCase *tc = tcase_create("argv");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, separates_everything_and_dies_with_its_parent);
	tcase_add_test(tc, asks_bwrap_only_for_what_it_knows);
	tcase_add_test(tc, mounts_the_system_and_nothing_of_its_owner);
	tcase_add_test(tc, the_program_has_one_place);
	tcase_add_test(tc, a_program_out_of_reach_is_copied);
	tcase_add_test(tc, arguments_of_the_manifest_come_before_the_others);
	tcase_add_test(tc, state_is_the_only_place_to_write);
	tcase_add_test(tc, network_brings_names_and_certificates);
	tcase_add_test(tc, init_is_bwraps_own);
	tcase_add_test(tc, read_only_mounts_are_made_from_resolved_paths);
	tcase_add_test(tc, descriptors_are_passed_by_number);
	tcase_add_test(tc, many_arguments_all_arrive);
	tcase_add_test(tc, running_out_of_memory_is_an_error);
	tcase_add_test(tc, environment_is_what_the_runtime_promises);
	tcase_add_test(tc, the_manifest_passes_sets_and_replaces);
	tcase_add_test(tc, the_manifests_log_level_is_a_default);
	tcase_add_test(tc, files_of_etc_name_the_user);
	tcase_add_test(tc, what_is_shown_can_be_pasted);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
