/*
 * Whatever the values: keys are ordered as they are, rows come back as they were, and bytes that
 * somebody made up never harm. Seeds are fixed; the one that failed is in the message.
 */
#include "table_help.h"

#include <math.h>

#define ROUNDS 20000

/* --- chance (xorshift64*) --------------------------------------------------------------------------- */

static uint64_t state;

static uint64_t chance(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static uint64_t below(uint64_t n)
{
	return chance() % n;
}

/* Mostly near the values where something changes. */
static uint64_t some_number(void)
{
	static const uint64_t edges[] = { 0, 1, 127, 128, 255, 256, 16383, 16384, INT32_MAX,
					  1ull << 31, UINT32_MAX, 1ull << 32, INT64_MAX, 1ull << 63,
					  UINT64_MAX };

	return below(3) ? edges[below(COUNT(edges))] + below(3) - 1 : chance() >> below(64);
}

static double some_real(void)
{
	static const double edges[] = { 0.0, -0.0, 1, -1, 0.5, INFINITY, -INFINITY, NAN, 5e-324,
					-5e-324, 1.7976931348623157e308, 2.2250738585072014e-308 };
	double real;
	uint64_t bits = chance();

	if (below(2))
		return edges[below(COUNT(edges))];
	memcpy(&real, &bits, sizeof real);
	return real;
}

/* Short, of few different bytes: so that many are equal or begin alike. */
static struct value some_bytes(enum value_kind kind)
{
	static const uint8_t few[] = { 0, 1, 0xff, 'a' };
	size_t len = below(6);
	uint8_t *bytes = cell_arena_alloc(&test_arena, len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = kind == VALUE_TEXT ? "ab\x01z"[below(4)] : few[below(COUNT(few))];
	return (struct value){ .kind = kind, .bytes = bytes, .len = len };
}

static struct value some_value(enum table_column_type type, bool nullable)
{
	if (nullable && below(5) == 0)
		return (struct value){ .kind = VALUE_NULL };
	switch ((int)type) {
	case TABLE_COLUMN_TYPE_BOOL: return bool_value(below(2));
	case TABLE_COLUMN_TYPE_INT32:
	case TABLE_COLUMN_TYPE_ENUM: return int_value((int32_t)some_number());
	case TABLE_COLUMN_TYPE_INT64: return int_value((int64_t)some_number());
	case TABLE_COLUMN_TYPE_UINT32: return uint_value((uint32_t)some_number());
	case TABLE_COLUMN_TYPE_UINT64: return uint_value(some_number());
	case TABLE_COLUMN_TYPE_FLOAT: return real_value((float)some_real());
	case TABLE_COLUMN_TYPE_DOUBLE: return real_value(some_real());
	case TABLE_COLUMN_TYPE_TEXT: return some_bytes(VALUE_TEXT);
	default: return some_bytes(VALUE_BYTES);
	}
}

/* --- tables of every type ------------------------------------------------------------------------------ */

static const struct table_enum_value colors[] = { { "RED", 0 } };

/* Column I has type I + 1; MESSAGE is in no key. */
static struct table_column columns[11];
static struct table_column lists[11];

static struct schema *of_every_type(struct table_column *told, bool are_lists)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k" };
	const uint32_t numbers[] = { 7, 1, 30, 4000, 5, 6, 100000, 8, 9, 10, 11 };
	const uint32_t key[] = { numbers[9], numbers[8], numbers[0], numbers[7], numbers[1], numbers[2],
				 numbers[3], numbers[4], numbers[5], numbers[6] };
	const struct table_index index = { "all", COUNT(key), key, false };
	struct table_table table = { .store = "s", .name = "t", .n_columns = 11, .columns = told,
				     .doc = "" };

	for (size_t i = 0; i < 11; i++) {
		told[i] = (struct table_column){ .name = names[i], .number = numbers[i],
						 .type = (enum table_column_type)(i + 1),
						 .nullable = !are_lists, .repeated = are_lists };
		if (told[i].type == TABLE_COLUMN_TYPE_ENUM) {
			told[i].n_values = 1;
			told[i].values = colors;
		}
	}
	(void)columns_told(told, 11);
	if (!are_lists) {
		table.n_indexes = 1;
		table.indexes = &index;
	}
	return schema_must(&table);
}

static struct schema *schema, *list_schema;

static void setup(void)
{
	setup_arena();
	state = 0x9e3779b97f4a7c15;
	schema = of_every_type(columns, false);
	list_schema = of_every_type(lists, true);
}

static void teardown(void)
{
	schema_free(schema);
	schema_free(list_schema);
	teardown_arena();
}

static int sign(int order)
{
	return (order > 0) - (order < 0);
}

struct key {
	uint8_t bytes[256];
	size_t len;
};

static struct key key_of(const struct schema_key *key, const struct value *values, size_t n,
			 bool as_prefix)
{
	struct key made;
	int r = row_key(schema, key, values, n, as_prefix, made.bytes, sizeof made.bytes, &made.len,
			&test_err);

	ck_assert_msg(r == 0, "%s", test_err.text);
	return made;
}

static int keys_compare(const struct key *a, const struct key *b)
{
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return order ? sign(order) : (a->len > b->len) - (a->len < b->len);
}

/* One column after the other. */
static int values_compare(const struct schema_key *key, const struct value *a, const struct value *b,
			  size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int order = value_compare(&a[key->columns[i]], &b[key->columns[i]]);

		if (order)
			return sign(order);
	}
	return 0;
}

START_TEST(keys_of_one_column_are_ordered_as_its_values)
{
	const uint16_t column = (uint16_t)_i;
	const struct schema_key one = { .name = "one", .n = 1, .columns = &column };
	struct value a[11], b[11];

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t seed = state;
		struct key of_a, of_b;

		a[column] = some_value(columns[column].type, true);
		b[column] = some_value(columns[column].type, true);
		of_a = key_of(&one, a, 1, false);
		of_b = key_of(&one, b, 1, false);
		ck_assert_msg(keys_compare(&of_a, &of_b) == sign(value_compare(&a[column], &b[column])),
			      "seed %llx: %s, %s", (unsigned long long)seed,
			      value_print(&a[column], &columns[column], &test_arena),
			      value_print(&b[column], &columns[column], &test_arena));
		if (round % 1024 == 0)
			cell_arena_reset(&test_arena);
	}
}
END_TEST

START_TEST(keys_of_several_columns_are_ordered_column_by_column)
{
	const struct schema_key *key = &schema->keys[1];
	struct value a[11], b[11];

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t seed = state;
		size_t n = 1 + below(key->n);
		struct key of_a, of_b;

		for (size_t i = 0; i < 11; i++) {
			a[i] = some_value(columns[i].type, true);
			b[i] = below(3) ? a[i] : some_value(columns[i].type, true);
		}
		of_a = key_of(key, a, n, false);
		of_b = key_of(key, b, n, false);
		ck_assert_msg(keys_compare(&of_a, &of_b) == values_compare(key, a, b, n), "seed %llx",
			      (unsigned long long)seed);
		if (round % 1024 == 0)
			cell_arena_reset(&test_arena);
	}
}
END_TEST

/* A scan by a prefix or by leading columns compares the beginnings of keys. */
START_TEST(a_prefix_is_the_beginning_of_those_that_have_it)
{
	const struct schema_key *key = &schema->keys[1];
	struct value a[11], b[11];

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t seed = state;
		struct key part, whole;
		bool begins;

		for (size_t i = 0; i < 11; i++) {
			a[i] = some_value(columns[i].type, false);
			b[i] = below(3) ? a[i] : some_value(columns[i].type, false);
		}
		/* The second column of the key is of bytes. */
		part = key_of(key, a, 2, true);
		whole = key_of(key, b, key->n, false);
		begins = value_equal(&a[key->columns[0]], &b[key->columns[0]]) &&
			 a[key->columns[1]].len <= b[key->columns[1]].len &&
			 memcmp(a[key->columns[1]].bytes, b[key->columns[1]].bytes,
				a[key->columns[1]].len) == 0;
		ck_assert_msg((whole.len >= part.len &&
			       memcmp(part.bytes, whole.bytes, part.len) == 0) == begins,
			      "seed %llx", (unsigned long long)seed);
		if (round % 1024 == 0)
			cell_arena_reset(&test_arena);
	}
}
END_TEST

START_TEST(a_key_fits_to_the_byte_or_not_at_all)
{
	const struct schema_key *key = &schema->keys[1];
	struct value values[11];

	for (int round = 0; round < 300; round++) {
		struct key whole;

		for (size_t i = 0; i < 11; i++)
			values[i] = some_value(columns[i].type, true);
		whole = key_of(key, values, key->n, false);
		for (size_t room = 0; room <= whole.len; room++) {
			/* To the byte, so that a sanitizer sees what is written behind it. */
			uint8_t *out = malloc(room ? room : 1);
			size_t len = 0;
			int r = row_key(schema, key, values, key->n, false, out, room, &len, &test_err);
			const char *told = strstr(test_err.text, "a key of ");

			ck_assert_int_eq(r, room < whole.len ? CELL_INVALID_ARGUMENT : 0);
			if (r == 0)
				ck_assert(len == whole.len && memcmp(out, whole.bytes, len) == 0);
			else
				ck_assert_uint_eq(strtoul(told + strlen("a key of "), NULL, 10), whole.len);
			free(out);
		}
	}
}
END_TEST

/* --- rows --------------------------------------------------------------------------------------------------- */

static struct value some_list(enum table_column_type type)
{
	uint8_t *bytes = cell_arena_alloc(&test_arena, 256), *out = bytes;

	for (size_t n = below(8); n--;) {
		struct value item = some_value(type, false);

		switch (item.kind) {
		case VALUE_BOOL: out = cell_encode_bool(out, item.boolean); break;
		case VALUE_INT: out = cell_encode_int64(out, item.integer); break;
		case VALUE_UINT: out = cell_encode_uint64(out, item.natural); break;
		case VALUE_REAL:
			out = type == TABLE_COLUMN_TYPE_FLOAT ? cell_encode_float(out, (float)item.real)
							      : cell_encode_double(out, item.real);
			break;
		default: out = cell_encode_bytes(out, item.bytes, item.len); break;
		}
	}
	return (struct value){ .kind = VALUE_LIST, .bytes = bytes, .len = (size_t)(out - bytes) };
}

static void comes_back(const struct schema *of, const struct value *values)
{
	size_t bound = row_bound(of, values);
	uint8_t *bytes = cell_arena_alloc(&test_arena, bound), *again;
	size_t len = (size_t)(row_encode(of, values, bytes) - bytes);
	struct value decoded[11];
	int r;

	ck_assert_uint_le(len, bound);
	r = row_decode(of, bytes, len, decoded, &test_arena, &test_err);
	ck_assert_msg(r == 0, "%s", test_err.text);
	for (size_t i = 0; i < 11; i++) {
		ck_assert_int_eq(decoded[i].kind, values[i].kind);
		ck_assert(value_equal(&decoded[i], &values[i]));
	}
	again = cell_arena_alloc(&test_arena, bound);
	ck_assert_uint_eq((size_t)(row_encode(of, decoded, again) - again), len);
	ck_assert_mem_eq(again, bytes, len);
}

START_TEST(rows_come_back)
{
	struct value values[11];

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < 11; i++)
			values[i] = some_value(columns[i].type, true);
		comes_back(schema, values);
		for (size_t i = 0; i < 11; i++)
			values[i] = some_list(lists[i].type);
		comes_back(list_schema, values);
		if (round % 256 == 0)
			cell_arena_reset(&test_arena);
	}
}
END_TEST

/* What was decoded of any bytes is a row: encoded and decoded it is the same. */
static void survives(const struct schema *of, const uint8_t *made_up, size_t len)
{
	struct value values[11];
	uint8_t *bytes = malloc(len ? len : 1);
	int r;

	if (len)
		memcpy(bytes, made_up, len);
	test_err.code = 0;
	r = row_decode(of, bytes, len, values, &test_arena, &test_err);
	if (r == 0)
		comes_back(of, values);
	else
		ck_assert(r == CELL_INVALID_ARGUMENT && test_err.code == r);
	free(bytes);
}

START_TEST(made_up_bytes_do_no_harm)
{
	uint8_t bytes[64];

	for (int round = 0; round < 10 * ROUNDS; round++) {
		size_t len = below(sizeof bytes);

		for (size_t i = 0; i < len; i++)
			bytes[i] = below(2) ? (uint8_t)(chance() & 0x7b) : (uint8_t)chance();
		survives(schema, bytes, len);
		survives(list_schema, bytes, len);
		if (round % 256 == 0)
			cell_arena_reset(&test_arena);
	}
}
END_TEST

START_TEST(rows_with_a_byte_changed_do_no_harm)
{
	const struct schema *const both[] = { schema, list_schema };
	struct value values[11];
	uint8_t bytes[2048];

	for (int round = 0; round < ROUNDS; round++) {
		const struct schema *of = both[round & 1];
		size_t len;

		for (size_t i = 0; i < 11; i++)
			values[i] = round & 1 ? some_list(lists[i].type)
					      : some_value(columns[i].type, true);
		ck_assert_uint_le(row_bound(of, values), sizeof bytes);
		len = (size_t)(row_encode(of, values, bytes) - bytes);
		if (len && below(3))
			bytes[below(len)] ^= (uint8_t)(1 << below(8));
		else if (len)
			len = below(len);
		survives(of, bytes, len);
		if (round % 256 == 0)
			cell_arena_reset(&test_arena);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("key");
	TCase *tcase = tcase_create("key");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, keys_of_one_column_are_ordered_as_its_values, 0, 10);
	tcase_add_test(tcase, keys_of_several_columns_are_ordered_column_by_column);
	tcase_add_test(tcase, a_prefix_is_the_beginning_of_those_that_have_it);
	tcase_add_test(tcase, a_key_fits_to_the_byte_or_not_at_all);
	tcase_add_test(tcase, rows_come_back);
	tcase_add_test(tcase, made_up_bytes_do_no_harm);
	tcase_add_test(tcase, rows_with_a_byte_changed_do_no_harm);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
