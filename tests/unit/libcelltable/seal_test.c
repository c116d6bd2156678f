/*
 * Sealed values open where they belong and nowhere else; the key file survives, and a damaged
 * or shared one is not used.
 */
#include "table_help.h"

#include <cell/internal/table/seal.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/seal-test-XXXXXX", path[64];
static struct seal *seal;
static const struct table_column text_column = { .number = 3, .name = "ssn",
						 .type = TABLE_COLUMN_TYPE_TEXT };
static const struct seal_place place = { "bank", "account", 3, (const uint8_t *)"\1k", 2 };

static void open_again(void)
{
	seal_close(seal);
	seal = NULL;
	ck_assert_msg(seal_open(&seal, path, &test_err) == 0, "%s", test_err.text);
}

static void setup(void)
{
	setup_arena();
	memcpy(folder, "/tmp/seal-test-XXXXXX", sizeof folder);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/keys", folder);
	open_again();
}

static void teardown(void)
{
	char fresh[80];

	seal_close(seal);
	seal = NULL;
	snprintf(fresh, sizeof fresh, "%s.new", path);
	(void)unlink(path);
	(void)unlink(fresh);
	ck_assert_int_eq(rmdir(folder), 0);
	teardown_arena();
}

static struct value sealed_text(const char *text)
{
	const struct value value = text_value(text);
	struct value sealed;

	ck_assert_int_eq(seal_value(seal, &place, &text_column, &value, &sealed, &test_arena,
				    &test_err), 0);
	ck_assert_uint_eq(sealed.len, value.len + SEAL_OVERHEAD);
	return sealed;
}

static int open_text(const struct value *sealed, const struct seal_place *at,
		     const struct table_column *column, struct value *ret)
{
	return unseal_value(seal, at, column, sealed, ret, &test_arena, &test_err);
}

START_TEST(what_is_sealed_opens)
{
	const struct value sealed = sealed_text("123-45"), again = sealed_text("123-45");
	struct value value;

	ck_assert(!value_equal(&sealed, &again));
	ck_assert_int_eq(open_text(&sealed, &place, &text_column, &value), 0);
	ck_assert_uint_eq(value.len, 6);
	ck_assert_mem_eq(value.bytes, "123-45", 6);
	ck_assert_uint_eq(seal_number(&sealed), 1);
}
END_TEST

static const struct {
	enum table_column_type type;
	bool repeated;
	struct value value;
} kinds[] = {
	{ TABLE_COLUMN_TYPE_BOOL, false, { .kind = VALUE_BOOL, .boolean = true } },
	{ TABLE_COLUMN_TYPE_INT32, false, { .kind = VALUE_INT, .integer = -7 } },
	{ TABLE_COLUMN_TYPE_UINT64, false, { .kind = VALUE_UINT, .natural = UINT64_MAX } },
	{ TABLE_COLUMN_TYPE_DOUBLE, false, { .kind = VALUE_REAL, .real = -0.5 } },
	{ TABLE_COLUMN_TYPE_FLOAT, false, { .kind = VALUE_REAL, .real = 1.5 } },
	{ TABLE_COLUMN_TYPE_BYTES, false, { .kind = VALUE_BYTES, .bytes = (const uint8_t *)"\0\1",
					    .len = 2 } },
	{ TABLE_COLUMN_TYPE_TEXT, false, { .kind = VALUE_TEXT } },
	{ TABLE_COLUMN_TYPE_TEXT, true, { .kind = VALUE_LIST, .bytes = (const uint8_t *)"\1a",
					  .len = 2 } },
};

START_TEST(values_of_every_kind_come_back)
{
	const struct table_column column = { .number = 3, .name = "c", .type = kinds[_i].type,
					     .repeated = kinds[_i].repeated };
	struct value sealed, value;

	ck_assert_int_eq(seal_value(seal, &place, &column, &kinds[_i].value, &sealed, &test_arena,
				    &test_err), 0);
	ck_assert_int_eq(open_text(&sealed, &place, &column, &value), 0);
	ck_assert_int_eq(value.kind, kinds[_i].value.kind);
	ck_assert(value_equal(&value, &kinds[_i].value));
}
END_TEST

START_TEST(a_value_moved_elsewhere_does_not_open)
{
	const struct seal_place elsewhere[] = {
		{ "shop", "account", 3, place.key, 2 },
		{ "bank", "client", 3, place.key, 2 },
		{ "banka", "ccount", 3, place.key, 2 },
		{ "bank", "account", 4, place.key, 2 },
		{ "bank", "account", 3, (const uint8_t *)"\1l", 2 },
		{ "bank", "account", 3, place.key, 1 },
	};
	const struct table_column bytes_column = { .number = 3, .name = "ssn",
						   .type = TABLE_COLUMN_TYPE_BYTES };
	const struct value sealed = sealed_text("123-45");
	struct value value;

	for (size_t i = 0; i < COUNT(elsewhere); i++)
		ck_assert_int_eq(open_text(&sealed, &elsewhere[i], &text_column, &value),
				 CELL_DATA_LOSS);
	ck_assert_int_eq(open_text(&sealed, &place, &bytes_column, &value), CELL_DATA_LOSS);
}
END_TEST

START_TEST(no_bit_of_it_may_be_another)
{
	const struct value sealed = sealed_text("123-45");
	uint8_t bytes[SEAL_OVERHEAD + 6];
	struct value other = sealed, value;

	other.bytes = bytes;
	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
		memcpy(bytes, sealed.bytes, sizeof bytes);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(open_text(&other, &place, &text_column, &value), CELL_DATA_LOSS);
	}
	for (other.len = 0; other.len < sealed.len; other.len++) {
		memcpy(bytes, sealed.bytes, sizeof bytes);
		ck_assert_int_eq(open_text(&other, &place, &text_column, &value), CELL_DATA_LOSS);
	}
}
END_TEST

START_TEST(keys_rotate_and_are_forgotten)
{
	const struct value old = sealed_text("old");
	struct value fresh, value;

	ck_assert_int_eq(seal_rotate(seal, &test_err), 0);
	ck_assert_uint_eq(seal_newest(seal), 2);
	open_again();
	ck_assert_uint_eq(seal_newest(seal), 2);
	fresh = sealed_text("new");
	ck_assert_uint_eq(seal_number(&fresh), 2);
	ck_assert_int_eq(open_text(&old, &place, &text_column, &value), 0);
	ck_assert_int_eq(seal_forget(seal, 2, &test_err), 0);
	ck_assert_int_eq(seal_forget(seal, 2, &test_err), 0);
	open_again();
	ck_assert_int_eq(open_text(&old, &place, &text_column, &value), CELL_DATA_LOSS);
	ck_assert_int_eq(open_text(&fresh, &place, &text_column, &value), 0);
	ck_assert_int_eq(seal_forget(seal, 3, &test_err), CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(seal_rotate(seal, &test_err), 0);
	ck_assert_uint_eq(seal_newest(seal), 3);
}
END_TEST

START_TEST(keys_have_a_limit)
{
	for (int i = 1; i < SEAL_KEYS_MAX; i++)
		ck_assert_int_eq(seal_rotate(seal, &test_err), 0);
	ck_assert_int_eq(seal_rotate(seal, &test_err), CELL_RESOURCE_EXHAUSTED);
	open_again();
	ck_assert_uint_eq(seal_newest(seal), SEAL_KEYS_MAX);
}
END_TEST

static size_t read_file(char *text, size_t size)
{
	FILE *file = fopen(path, "rbe");
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(text, 1, size, file);
	fclose(file);
	return n;
}

static void write_file(const char *text, size_t len)
{
	FILE *file = fopen(path, "wbe");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_damaged_key_file_is_not_used)
{
	struct seal *other = NULL;
	char text[512], bad[512];
	size_t len = read_file(text, sizeof text);

	for (size_t n = 0; n < len; n++) {
		write_file(text, n);
		ck_assert_int_eq(seal_open(&other, path, &test_err), CELL_DATA_LOSS);
	}
	for (size_t i = 0; i < len; i++) {
		memcpy(bad, text, len);
		bad[i] ^= 1;
		write_file(bad, len);
		ck_assert_int_eq(seal_open(&other, path, &test_err), CELL_DATA_LOSS);
	}
	memcpy(bad, text, len);
	memcpy(bad + len, "x", 1);
	write_file(bad, len + 1);
	ck_assert_int_eq(seal_open(&other, path, &test_err), CELL_DATA_LOSS);
	ck_assert_ptr_null(other);
	write_file(text, len);
	open_again();
}
END_TEST

START_TEST(a_key_file_that_others_may_read_is_not_used)
{
	struct seal *other = NULL;
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(seal_open(&other, path, &test_err), CELL_PERMISSION_DENIED);
	ck_assert_ptr_nonnull(strstr(test_err.text, "mode 640"));
	ck_assert_ptr_null(other);
}
END_TEST

START_TEST(what_a_crash_left_behind_is_no_key_file)
{
	char fresh[80];
	FILE *file;

	snprintf(fresh, sizeof fresh, "%s.new", path);
	file = fopen(fresh, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(seal_rotate(seal, &test_err), 0);
	ck_assert_int_eq(access(fresh, F_OK), -1);
	open_again();
	ck_assert_uint_eq(seal_newest(seal), 2);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_told)
{
	struct seal *other = NULL;

	ck_assert_int_eq(seal_open(&other, "/tmp/no-such-folder-at-all/keys", &test_err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(test_err.text, "/tmp/no-such-folder-at-all/keys"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seal");
	TCase *tcase = tcase_create("seal");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_is_sealed_opens);
	tcase_add_loop_test(tcase, values_of_every_kind_come_back, 0, (int)COUNT(kinds));
	tcase_add_test(tcase, a_value_moved_elsewhere_does_not_open);
	tcase_add_test(tcase, no_bit_of_it_may_be_another);
	tcase_add_test(tcase, keys_rotate_and_are_forgotten);
	tcase_add_test(tcase, keys_have_a_limit);
	tcase_add_test(tcase, a_damaged_key_file_is_not_used);
	tcase_add_test(tcase, a_key_file_that_others_may_read_is_not_used);
	tcase_add_test(tcase, what_a_crash_left_behind_is_no_key_file);
	tcase_add_test(tcase, a_folder_that_is_not_there_is_told);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
