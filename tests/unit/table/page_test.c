/* The examples of db-macros(7) compile as they stand there. */
#include "fixture.h"

#include "macro/builtin.h"

#define MARK ".\\\" compiles\n"

static struct builtin builtin_self;

static char *page(void)
{
	const char *top = getenv("CELL_TOP");
	static char text[1 << 16];
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/man/db-macros.7", top ? top : ".");
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	ck_assert_int_eq(fclose(file), 0);
	return text;
}

/* The example that begins at AT, without what mdoc escapes; a program with a main. */
static char *example(const char *at)
{
	const char *end = strstr(at, "\n.Ed");
	char *text, *to;

	ck_assert_ptr_nonnull(end);
	to = text = malloc((size_t)(end - at) + 64);
	ck_assert_ptr_nonnull(text);
	for (; at < end; at++)
		if (strncmp(at, "\\e", 2) == 0) {
			*to++ = '\\';
			at++;
		} else if (strncmp(at, "\\&", 2) == 0) {
			at++;
		} else {
			*to++ = *at;
		}
	(void)strcpy(to, "\nint main(void)\n{\n\treturn 0;\n}\n");
	return text;
}

START_TEST(every_example_compiles)
{
	static char output[1 << 14];
	const struct expansion_provider providers[] = {
		{ &cell_builtin, &builtin_self }, { &fixture.db, &fixture }, { NULL, NULL }
	};
	const struct expansion_project project = { .program = "page", .kept_ns = "" };
	const char *at = page();
	size_t n = 0;

	for (; (at = strstr(at, MARK)); n++) {
		char *source = example(at += strlen(MARK));
		int status;

		expansion_free(&fixture.result);
		expansion_make_by(&fixture.result, providers, &project, source);
		ck_assert_str_eq(fixture.result.diagnostics, "");
		status = expansion_run("gcc", fixture.result.text, output, sizeof output);
		ck_assert_msg(status == 0, "%d: %.3000s\n%s", status, output, source);
		free(source);
	}
	ck_assert_uint_ge(n, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page");
	TCase *examples = tcase_create("page");

	(void)setenv("CELL_RUNDIR", "/nonexistent", 1);
	tcase_add_checked_fixture(examples, fixture_setup, fixture_teardown);
	tcase_add_test(examples, every_example_compiles);
	tcase_set_timeout(examples, 120);
	suite_add_tcase(suite, examples);
	return fixture_run(suite);
}
