#include "postgres/statement.h"

#include <check.h>
#include <string.h>

static const struct {
	const char *text, *fault; /* how it begins; NULL = none */
} statements[] = {
	{ "SELECT 1", NULL },
	{ "(SELECT 1)", NULL },
	{ "\n\t-- all of them\n  delete FROM a", NULL },
	{ "/* a /* nested */ one */ UPDATE a SET b = 1", NULL },
	{ "settle", NULL },
	{ "WITH a AS (SELECT 1) SELECT * FROM a", NULL },
	{ "", "there is no statement" },
	{ " ; -- SELECT 1", "there is no statement" },
	{ "/* SELECT 1", "there is no statement" },
	{ "BEGIN", "each query is a transaction" },
	{ "/**/ Commit;", "each query is a transaction" },
	{ ";ROLLBACK PREPARED 'a'", "each query is a transaction" },
	{ "SET search_path = a", "connections are shared" },
	{ "set\tlocal role a", "connections are shared" },
	{ "Prepare a AS SELECT 1", "connections are shared" },
	{ "COPY a TO STDOUT", "COPY has a protocol" },
};

START_TEST(what_would_stay_with_the_connection_is_refused)
{
	const char *fault = statement_fault(statements[_i].text);

	if (!statements[_i].fault) {
		ck_assert_ptr_null(fault);
		return;
	}
	ck_assert_ptr_nonnull(fault);
	ck_assert_ptr_eq(strstr(fault, statements[_i].fault), fault);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("statement");
	TCase *tc = tcase_create("statement");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, what_would_stay_with_the_connection_is_refused, 0,
			    (int)(sizeof statements / sizeof statements[0]));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
