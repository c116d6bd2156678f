/*
 * Methods and services as data.
 */
#include <cell/message.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "services.cell.h"

typedef Google__Protobuf__FileDescriptorSet set_proto;
typedef Google__Protobuf__SourceCodeInfo__Location location_proto;

START_TEST(hashes_are_fnv_1a)
{
	/* The published test vectors. */
	ck_assert_uint_eq(cell_method_hash(""), 0x811c9dc5);
	ck_assert_uint_eq(cell_method_hash("a"), 0xe40c292c);
	ck_assert_uint_eq(cell_method_hash("foobar"), 0xbf9cf968);
}
END_TEST

START_TEST(no_hash_is_zero)
{
	/* Four bytes whose hash is 0, which on the wire means "none". */
	ck_assert_uint_eq(cell_method_hash("\xcc\x24\x31\xc4"), 1);
}
END_TEST

START_TEST(generated_hashes_are_the_same)
{
	for (size_t i = 0; i < shapes_test_service.n_methods; i++)
		ck_assert_uint_eq(shapes_test_methods[i].hash,
				  cell_method_hash(shapes_test_methods[i].full_name));
}
END_TEST

START_TEST(services_list_their_methods)
{
	ck_assert_str_eq(shapes_test_service.name, "cell.shapes_test.v1.ShapesTest");
	ck_assert_uint_eq(shapes_test_service.n_methods, 9);
	ck_assert_ptr_eq(shapes_test_service.methods, shapes_test_methods);
	ck_assert_str_eq(shapes_test_methods[0].name, "Ask");
	ck_assert_str_eq(shapes_test_methods[0].full_name,
			 "cell.shapes_test.v1.ShapesTest/Ask");
	ck_assert_ptr_eq(shapes_test_methods[0].in, &shapes_test_question_type);
	ck_assert_ptr_eq(shapes_test_methods[1].out, &common_empty_type);
	ck_assert_str_eq(shapes_test_other_service.name, "cell.shapes_test.v1.Other");
	ck_assert_uint_eq(shapes_test_bare_service.n_methods, 0);
}
END_TEST

START_TEST(flags_say_what_streams_and_what_may_be_repeated)
{
	static const struct {
		const char *name;
		uint32_t flags;
	} rows[] = {
		{ "Ask", CELL_METHOD_IDEMPOTENT },
		{ "Tell", 0 },
		{ "Poll", CELL_METHOD_IDEMPOTENT },
		{ "Delete", 0 },
		{ "AskMany", CELL_METHOD_SERVER_STREAM },
		{ "Watch", CELL_METHOD_SERVER_STREAM },
		{ "Collect", CELL_METHOD_CLIENT_STREAM },
		{ "Drop", CELL_METHOD_CLIENT_STREAM },
		{ "Talk", CELL_METHOD_CLIENT_STREAM | CELL_METHOD_SERVER_STREAM },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ck_assert_str_eq(shapes_test_methods[i].name, rows[i].name);
		ck_assert_uint_eq(shapes_test_methods[i].flags, rows[i].flags);
		ck_assert_uint_eq(shapes_test_methods[i].channel, CELL_CHANNEL_APP);
	}
}
END_TEST

static set_proto *schema_of(const struct cell_service *service)
{
	set_proto *set =
		google__protobuf__file_descriptor_set__unpack(NULL, service->schema_len,
							      service->schema);

	ck_assert_ptr_nonnull(set);
	return set;
}

START_TEST(the_schema_has_all_that_is_imported_first)
{
	set_proto *set = schema_of(&shapes_test_service);

	ck_assert_uint_eq(set->n_file, 3);
	ck_assert(!strcmp(set->file[0]->name, "common.proto") ||
		  !strcmp(set->file[1]->name, "common.proto"));
	ck_assert_str_eq(set->file[2]->name, "services.proto");
	ck_assert_uint_eq(set->file[2]->n_service, 3);
	ck_assert_uint_eq(set->file[2]->service[0]->n_method, 9);
	google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
}
END_TEST

START_TEST(the_schema_keeps_comments_and_nothing_else)
{
	set_proto *set = schema_of(&shapes_test_service);
	const Google__Protobuf__SourceCodeInfo *info = set->file[2]->source_code_info;
	bool found = false;

	ck_assert_ptr_nonnull(info);
	for (size_t i = 0; i < info->n_location; i++) {
		const location_proto *at = info->location[i];

		ck_assert(at->leading_comments || at->trailing_comments);
		/* service 0, method 1 */
		if (at->n_path == 4 && at->path[0] == 6 && at->path[2] == 2 &&
		    at->path[3] == 1) {
			ck_assert_str_eq(at->leading_comments,
					 " Tell, and hear nothing back.\n");
			found = true;
		}
	}
	ck_assert(found);
	google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *tc = tcase_create("message");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, hashes_are_fnv_1a);
	tcase_add_test(tc, no_hash_is_zero);
	tcase_add_test(tc, generated_hashes_are_the_same);
	tcase_add_test(tc, services_list_their_methods);
	tcase_add_test(tc, flags_say_what_streams_and_what_may_be_repeated);
	tcase_add_test(tc, the_schema_has_all_that_is_imported_first);
	tcase_add_test(tc, the_schema_keeps_comments_and_nothing_else);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
