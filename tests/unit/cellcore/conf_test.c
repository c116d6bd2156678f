#include "cellcore/conf.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct conf conf;
static struct cell_error err;

static void setup(void)
{
	conf_init(&conf);
	memset(&err, 0, sizeof err);
}

static int parse(const char *text)
{
	return conf_parse(&conf, text, "node.conf", &err);
}

START_TEST(the_defaults_make_a_node)
{
	ck_assert(conf_node_is_valid(conf.node));
	ck_assert(conf.is_sandboxed);
	ck_assert_str_eq(conf.resolver, "");
	ck_assert_str_eq(conf.macro, "macro");
	ck_assert_uint_eq(conf.limits.max[QUOTA_CONNECTIONS], 256);
}
END_TEST

START_TEST(reads_what_a_node_is)
{
	ck_assert_msg(parse("[node]\nname = n1\nresolver = nucleus\ngateway = gateway\nlog = log\n"
			    "spawn = autoscaler nucleus\ntrusted = gateway\ncells = /a:/b\n"
			    "sandbox = none\n") == 0, "%s", err.text);
	ck_assert_str_eq(conf.node, "n1");
	ck_assert_str_eq(conf.resolver, "nucleus");
	ck_assert_str_eq(conf.cells, "/a:/b");
	ck_assert(!conf.is_sandboxed);
	ck_assert(conf_list_has(conf.spawn, "nucleus"));
	ck_assert(!conf_list_has(conf.spawn, "nucle"));
	ck_assert(!conf_list_has(conf.trusted, "nucleus"));
	ck_assert(conf_list_has(" a, b ,c", "b"));
	ck_assert(conf_list_has("*", "anything"));
	ck_assert(!conf_list_has("", ""));
}
END_TEST

START_TEST(reads_quotas_of_kinds_and_of_owners)
{
	ck_assert_msg(parse("[quota]\nconnections = 10\n[quota owner]\nconnections = 4096\n"
			    "[quota greeter]\nring-bytes = 1G\nactivations = 3\n"
			    "[quota uid:1000]\npending = 7\n") == 0, "%s", err.text);
	ck_assert_uint_eq(conf.limits.max[QUOTA_CONNECTIONS], 10);
	ck_assert_uint_eq(conf.limits_owner.max[QUOTA_CONNECTIONS], 4096);
	ck_assert_uint_eq(conf.limits_boot.max[QUOTA_CONNECTIONS], 256);
	ck_assert_uint_eq(conf_limits(&conf, "greeter", &conf.limits)->max[QUOTA_RING_BYTES],
			  1u << 30);
	ck_assert_uint_eq(conf_limits(&conf, "greeter", &conf.limits)->max[QUOTA_CONNECTIONS], 10);
	ck_assert_uint_eq(conf_limits(&conf, "greeter", &conf.limits)->activations_per_s, 3);
	ck_assert_uint_eq(conf_limits(&conf, "uid:1000", &conf.limits)->max[QUOTA_PENDING], 7);
	ck_assert_ptr_eq(conf_limits(&conf, "other", &conf.limits_boot), &conf.limits_boot);
}
END_TEST

START_TEST(names_the_line_and_what_was_meant)
{
	ck_assert_int_eq(parse("[node]\nname = n1\nresolvr = nucleus\n"), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, "node.conf:3: unknown key 'resolvr'; did you mean 'resolver'?");
}
END_TEST

static const char *const wrong[] = {
	"name = n1\n",
	"[nodes]\nname = n1\n",
	"[node]\nname = a/b\n",
	"[node]\nname = ..\n",
	"[node]\nname =\n",
	"[node]\nresolver = Nucleus\n",
	"[node]\nsandbox = docker\n",
	"[node]\nnonsense\n",
	"[quota]\nconnections = -1\n",
	"[quota]\nconnections = 1x\n",
	"[quota]\nring-bytes = much\n",
	"[quota]\nactivations = 99999999999\n",
	"[quota Greeter]\nconnections = 1\n",
	"[quotas]\nconnections = 1\n",
};

START_TEST(refuses_what_makes_no_sense)
{
	ck_assert_int_eq(parse(wrong[_i]), CELL_INVALID_ARGUMENT);
	ck_assert_msg(strncmp(err.text, "node.conf:", 10) == 0, "%s", err.text);
}
END_TEST

START_TEST(a_missing_file_is_told_apart)
{
	ck_assert_int_eq(conf_read(&conf, "/nonexistent/node.conf", &err), -ENOENT);
	ck_assert_int_eq(conf_read(&conf, "/tmp", &err), CELL_INVALID_ARGUMENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = tcase_create("conf");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, the_defaults_make_a_node);
	tcase_add_test(tc, reads_what_a_node_is);
	tcase_add_test(tc, reads_quotas_of_kinds_and_of_owners);
	tcase_add_test(tc, names_the_line_and_what_was_meant);
	tcase_add_loop_test(tc, refuses_what_makes_no_sense, 0, sizeof wrong / sizeof wrong[0]);
	tcase_add_test(tc, a_missing_file_is_told_apart);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
