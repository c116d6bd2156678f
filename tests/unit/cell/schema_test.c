#include "cell/schema.h"

#include "fixture.h"

#include <errno.h>

static struct schema *schema;
static struct cell_error err;

static void setup(void)
{
	schema = fixture_schema();
	memset(&err, 0, sizeof err);
}

static void teardown(void)
{
	schema_release(schema);
	schema = NULL;
}

START_TEST(knows_messages_fields_and_comments)
{
	const struct schema_message *item = fixture_message(schema, "Item");
	const struct schema_field *field;

	ck_assert_str_eq(item->name, "cell.fixture.v1.Item");
	ck_assert_str_eq(item->short_name, "Item");
	ck_assert_str_eq(item->comment, "One thing.");
	field = schema_field(item, 1);
	ck_assert_str_eq(field->name, "name");
	ck_assert_str_eq(field->comment, "What it is called.");
	ck_assert(!field->has_presence);
	ck_assert_str_eq(schema_field(item, 17)->comment, "of something");
	ck_assert_str_eq(schema_type_name(schema_field(item, 17)),
			 "cell.fixture.v1.Item.Part");
	ck_assert_str_eq(schema_field(item, 17)->message->comment, "A part of it.");
	ck_assert(schema_field(item, 19)->is_packed);
	ck_assert(!schema_field(item, 32)->is_packed);
	ck_assert(schema_field(item, 21)->is_map);
	ck_assert_str_eq(schema_field(item, 24)->oneof->name, "choice");
	ck_assert(schema_field(item, 24)->has_presence);
	ck_assert_ptr_null(schema_field(item, 27)->oneof);
	ck_assert(schema_field(item, 27)->has_presence);
	ck_assert_ptr_null(schema_field(item, 99));
	ck_assert_ptr_null(schema_field(item, 0));
	ck_assert_ptr_eq(schema_field_named(item, "isGood"), schema_field(item, 14));
	ck_assert_ptr_eq(schema_field_named(item, "is_good"), schema_field(item, 14));
	ck_assert_ptr_eq(schema_field_named(item, "other"), schema_field(item, 33));
	ck_assert_int_eq(schema_field(item, 28)->message->special, SCHEMA_TIMESTAMP);
	ck_assert_int_eq(schema_field(item, 31)->message->special, SCHEMA_WRAPPER);
}
END_TEST

START_TEST(knows_services_and_enums)
{
	const struct schema_method *method = NULL;
	struct schema_type_ref type;

	ck_assert_int_eq(schema_find_method(schema, "Store.PutItem", &method, &err), 0);
	ck_assert_str_eq(method->full_name, "cell.fixture.v1.Store/PutItem");
	ck_assert_str_eq(method->comment, "Put one in.");
	ck_assert_str_eq(method->service->comment, "Where things are kept.\nIn two lines.");
	ck_assert(method->is_idempotent && !method->client_streams &&
		  !method->server_streams);
	ck_assert_int_eq(schema_find_method(schema, "list_items", &method, &err), 0);
	ck_assert(!method->is_idempotent && method->server_streams);
	ck_assert_int_eq(schema_find_method(schema, "AddAll", &method, &err), 0);
	ck_assert(method->client_streams);
	ck_assert_int_eq(schema_find_type(schema, "color", &type, &err), 0);
	ck_assert_str_eq(type.enumeration->values[1].comment, "as blood");
	ck_assert_int_eq(type.enumeration->values[2].number, -2);
	ck_assert_int_eq(schema_find_type(schema, "store", &type, &err), 0);
	ck_assert_uint_eq(type.service->n_methods, 3);
	ck_assert_ptr_nonnull(schema_method(schema, "cell.fixture.v1.Other/HTTPGet"));
	ck_assert_ptr_null(schema_method(schema, "cell.fixture.v1.Other/httpget"));
}
END_TEST

START_TEST(finds_methods_however_they_are_spelled)
{
	static const char *const spellings[] = {
		"ListItems",
		"list_items",
		"listitems",
		"LISTITEMS",
		"Store.ListItems",
		"store/list_items",
		"cell.fixture.v1.Store/ListItems",
		"list-items",
		"fixture.v1.store.listItems",
	};

	for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
		const struct schema_method *method = NULL;
		int r = schema_find_method(schema, spellings[i], &method, &err);

		ck_assert_msg(r == 0, "%s: %s", spellings[i], err.text);
		ck_assert_str_eq(method->name, "ListItems");
	}
}
END_TEST

START_TEST(suggests_what_was_meant)
{
	const struct schema_method *method;
	struct schema_type_ref type;

	ck_assert_int_eq(schema_find_method(schema, "lst_items", &method, &err),
			 CELL_NOT_FOUND);
	ck_assert_str_eq(err.text, "no method 'lst_items' (did you mean 'list_items'?)");
	ck_assert_int_eq(schema_find_method(schema, "HttpGte", &method, &err),
			 CELL_NOT_FOUND);
	ck_assert_str_eq(err.text, "no method 'HttpGte' (did you mean 'http_get'?)");
	ck_assert_int_eq(schema_find_method(schema, "frobnicate", &method, &err),
			 CELL_NOT_FOUND);
	ck_assert_str_eq(err.text, "no method 'frobnicate'");
	ck_assert_int_eq(schema_find_method(schema, "", &method, &err), CELL_NOT_FOUND);
	ck_assert_int_eq(schema_find_method(schema, "Stor.ListItems", &method, &err),
			 CELL_NOT_FOUND);
	ck_assert_int_eq(schema_find_type(schema, "Itme", &type, &err), CELL_NOT_FOUND);
	ck_assert_str_eq(err.text, "no message or enum 'Itme' (did you mean 'Item'?)");
}
END_TEST

START_TEST(says_when_a_method_could_be_two)
{
	const struct schema_method *method = NULL;

	ck_assert_int_eq(schema_find_method(schema, "put_item", &method, &err),
			 CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, "'put_item' could be cell.fixture.v1.Other/PutItem or "
				   "cell.fixture.v1.Store/PutItem");
	ck_assert_int_eq(schema_find_method(schema, "other.put_item", &method, &err), 0);
}
END_TEST

START_TEST(leaves_out_services_that_are_not_served)
{
	static const char *const served[] = { "cell.fixture.v1.Other" };
	const struct schema_method *method = NULL;
	struct schema *other = NULL;
	size_t len;
	uint8_t *bytes = fixture_bytes(&len);

	ck_assert_int_eq(schema_parse(&other, bytes, len, served, 1, &err), 0);
	ck_assert_int_eq(schema_find_method(other, "list_items", &method, &err),
			 CELL_NOT_FOUND);
	ck_assert_int_eq(schema_find_method(other, "put_item", &method, &err), 0);
	ck_assert_str_eq(method->service->name, "cell.fixture.v1.Other");
	schema_release(other);
	free(bytes);
}
END_TEST

/* Sets of several services are joined end to end. */
START_TEST(takes_a_file_that_occurs_twice_once)
{
	struct schema *other = NULL;
	size_t len, n_files = schema->n_files;
	uint8_t *bytes = fixture_bytes(&len);
	uint8_t *twice = malloc(2 * len);

	memcpy(twice, bytes, len);
	memcpy(twice + len, bytes, len);
	ck_assert_msg(schema_parse(&other, twice, 2 * len, NULL, 0, &err) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(other->n_files, n_files);
	schema_release(other);
	free(twice);
	free(bytes);
}
END_TEST

START_TEST(refuses_bytes_that_are_no_schema)
{
	size_t len;
	uint8_t *bytes = fixture_bytes(&len);

	for (size_t cut = 1; cut < len; cut += 1 + cut / 8) {
		struct schema *broken = NULL;
		int r = schema_parse(&broken, bytes, cut, NULL, 0, &err);

		ck_assert_int_le(r, 0);
		if (r == 0)
			schema_release(broken);
	}
	for (size_t at = 0; at < len; at += 3) {
		struct schema *broken = NULL;

		bytes[at] ^= 0x55;
		if (schema_parse(&broken, bytes, len, NULL, 0, &err) == 0)
			schema_release(broken);
		bytes[at] ^= 0x55;
	}
	free(bytes);
	ck_assert_int_eq(schema_parse(&schema, (const uint8_t *)"\xff", 1, NULL, 0, &err),
			 -EPROTO);
}
END_TEST

/* A message in a message in a message …: each level a length of up to 4 bytes. */
START_TEST(survives_messages_nested_without_end)
{
	size_t levels = 200000, size = levels * 6 + 16, at = size, len = 0;
	uint8_t *bytes = malloc(size);
	struct schema *deep = NULL;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < levels + 1; i++) {
		uint32_t tag = i == levels       ? 1 << 3 | 2
			       : i == levels - 1 ? 4 << 3 | 2
						 : 3 << 3 | 2;
		uint8_t varint[5];
		size_t n = 0;

		for (size_t rest = len; n == 0 || rest; rest >>= 7)
			varint[n++] = (uint8_t)((rest & 0x7f) | (rest >> 7 ? 0x80 : 0));
		at -= n;
		memcpy(bytes + at, varint, n);
		bytes[--at] = (uint8_t)tag;
		len += n + 1;
	}
	ck_assert_int_eq(schema_parse(&deep, bytes + at, len, NULL, 0, &err), -EPROTO);
	free(bytes);
}
END_TEST

START_TEST(spells_names_as_commands_do)
{
	static const char *const pairs[][2] = {
		{ "GreetMany", "greet_many" },
		{ "Greet", "greet" },
		{ "GetHTTPPage", "get_http_page" },
		{ "HTTPGet", "http_get" },
		{ "already_so", "already_so" },
		{ "ListX", "list_x" },
		{ "", "" },
	};
	char out[64], tiny[6];

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		ck_assert_str_eq(schema_snake(out, sizeof out, pairs[i][0]), pairs[i][1]);
	ck_assert_uint_lt(strlen(schema_snake(tiny, sizeof tiny, "GreetManyPeople")),
			  sizeof tiny);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cell/schema");
	TCase *tc = tcase_create("schema");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, knows_messages_fields_and_comments);
	tcase_add_test(tc, knows_services_and_enums);
	tcase_add_test(tc, finds_methods_however_they_are_spelled);
	tcase_add_test(tc, suggests_what_was_meant);
	tcase_add_test(tc, says_when_a_method_could_be_two);
	tcase_add_test(tc, leaves_out_services_that_are_not_served);
	tcase_add_test(tc, takes_a_file_that_occurs_twice_once);
	tcase_add_test(tc, refuses_bytes_that_are_no_schema);
	tcase_add_test(tc, survives_messages_nested_without_end);
	tcase_add_test(tc, spells_names_as_commands_do);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
