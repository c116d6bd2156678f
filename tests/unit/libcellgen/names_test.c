/*
 * From names of .proto files to names of C.
 */
#include <cell/internal/gen.h>

#include <check.h>

/* The plugin lives for one request and frees nothing. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

START_TEST(camel_case_becomes_snake_case)
{
	static const char *const rows[][2] = {
		{ "Hello", "hello" },          { "HelloMany", "hello_many" },
		{ "HTTPRequest", "http_request" }, { "GetHTTP", "get_http" },
		{ "V2Thing", "v2_thing" },     { "Thing2", "thing2" },
		{ "already_snake", "already_snake" }, { "Mixed_Up", "mixed_up" },
		{ "with-dash", "with_dash" },  { "A", "a" },
		{ "AB", "ab" },                { "ABc", "a_bc" },
		{ "aB", "a_b" },               { "", "" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert_str_eq(gen_name_snake(rows[i][0]), rows[i][1]);
	ck_assert_str_eq(gen_name_upper("HelloMany"), "HELLO_MANY");
}
END_TEST

START_TEST(a_package_names_its_cell)
{
	ck_assert_str_eq(gen_name_package_noun("cell.greeter.v1"), "greeter");
	ck_assert_str_eq(gen_name_package_noun("greeter"), "greeter");
	ck_assert_str_eq(gen_name_package_noun("cell.greeter"), "greeter");
	ck_assert_str_eq(gen_name_package_noun("a.b.v1beta2"), "b");
	ck_assert_str_eq(gen_name_package_noun("a.b.v12alpha3"), "b");
	ck_assert_str_eq(gen_name_package_noun("a.vivaldi"), "vivaldi");
	ck_assert_str_eq(gen_name_package_noun("a.v1x"), "v1x");
	ck_assert_str_eq(gen_name_package_noun("a.v1beta"), "v1beta");
	ck_assert_ptr_null(gen_name_package_noun(""));
	ck_assert_ptr_null(gen_name_package_noun("v1"));
}
END_TEST

START_TEST(members_avoid_what_is_taken)
{
	ck_assert_str_eq(gen_name_member("name"), "name");
	ck_assert_str_eq(gen_name_member("default"), "default_");
	ck_assert_str_eq(gen_name_member("class"), "class_");
	ck_assert_str_eq(gen_name_member("errno"), "errno_");
	ck_assert_str_eq(gen_name_member("linux"), "linux_");
	ck_assert_str_eq(gen_name_member("Default"), "Default");
}
END_TEST

START_TEST(constants_say_their_type_once)
{
	ck_assert_str_eq(gen_name_constant("greeter", "greeter_color", "Color", "RED"),
			 "GREETER_COLOR_RED");
	ck_assert_str_eq(gen_name_constant("greeter", "greeter_color", "Color", "COLOR_RED"),
			 "GREETER_COLOR_RED");
	ck_assert_str_eq(gen_name_constant("greeter", "greeter_color", "Color", "GREETER_COLOR_RED"),
			 "GREETER_COLOR_RED");
	ck_assert_str_eq(gen_name_constant("greeter", "greeter_outer_color", "Color", "COLOR_RED"),
			 "GREETER_OUTER_COLOR_RED");
	ck_assert_str_eq(gen_name_constant("greeter", "greeter_outer_color", "Color", "OUTER_COLOR_RED"),
			 "GREETER_OUTER_COLOR_RED");
	/* Nothing would be left. */
	ck_assert_str_eq(gen_name_constant("greeter", "greeter_color", "Color", "COLOR_"),
			 "GREETER_COLOR_COLOR_");
	ck_assert_str_eq(gen_name_constant("greeter", "greeter_color", "Color", "COLORFUL"),
			 "GREETER_COLOR_COLORFUL");
}
END_TEST

START_TEST(calls_are_broken_before_column_90)
{
	struct gen_text text = { .len = 0 };
	const char *args[] = { "struct cell_call *call", "const struct greeter_hello *in",
			       "struct greeter_greeting *ret_out" };

	gen_put_call(&text, "int f", args, 2, ";\n");
	ck_assert_str_eq(text.bytes,
			 "int f(struct cell_call *call, const struct greeter_hello *in);\n");
	text.len = 0;
	gen_put_call(&text, "static inline int greeter_greet", args, 3, "\n{\n");
	ck_assert_str_eq(text.bytes,
			 "static inline int greeter_greet(struct cell_call *call, "
			 "const struct greeter_hello *in,\n"
			 "\t\tstruct greeter_greeting *ret_out)\n{\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tc = tcase_create("names");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, camel_case_becomes_snake_case);
	tcase_add_test(tc, a_package_names_its_cell);
	tcase_add_test(tc, members_avoid_what_is_taken);
	tcase_add_test(tc, constants_say_their_type_once);
	tcase_add_test(tc, calls_are_broken_before_column_90);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
