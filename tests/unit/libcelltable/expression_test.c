/*
 * Expressions: what they are worth, what they are called in SQL, and what is wrong with others.
 */
#include "table_help.h"

#include <cell/internal/table/expression.h>
#include <errno.h>

static const struct table_enum_value colors[] = { { "RED", 0 }, { "GREEN", 5 }, { "BLUE", 2 } };
static const struct table_enum_value sizes[] = { { "SMALL", 0 }, { "BLUE", 7 } };

static struct table_column columns[] = {
	{ .name = "balance", .type = TABLE_COLUMN_TYPE_INT64 },
	{ .name = "n", .type = TABLE_COLUMN_TYPE_UINT32 },
	{ .name = "owner", .type = TABLE_COLUMN_TYPE_TEXT },
	{ .name = "nick", .type = TABLE_COLUMN_TYPE_TEXT, .nullable = true },
	{ .name = "price", .type = TABLE_COLUMN_TYPE_DOUBLE },
	{ .name = "rate", .type = TABLE_COLUMN_TYPE_FLOAT },
	{ .name = "kind", .type = TABLE_COLUMN_TYPE_ENUM, .n_values = 3, .values = colors },
	{ .name = "size", .type = TABLE_COLUMN_TYPE_ENUM, .n_values = 2, .values = sizes },
	{ .name = "open", .type = TABLE_COLUMN_TYPE_BOOL },
	{ .name = "maybe", .type = TABLE_COLUMN_TYPE_BOOL, .nullable = true },
	{ .name = "data", .type = TABLE_COLUMN_TYPE_BYTES },
	{ .name = "tags", .type = TABLE_COLUMN_TYPE_TEXT, .repeated = true },
	{ .name = "few", .type = TABLE_COLUMN_TYPE_INT32 },
	{ .name = "gone", .type = TABLE_COLUMN_TYPE_INT64, .nullable = true },
	{ .name = "big", .type = TABLE_COLUMN_TYPE_UINT64 },
	{ .name = "mood", .type = TABLE_COLUMN_TYPE_ENUM, .n_values = 3, .values = colors,
	  .native = "mood" },
	{ .name = "starts", .type = TABLE_COLUMN_TYPE_INT64, .native = "timestamptz" },
	{ .name = "ends", .type = TABLE_COLUMN_TYPE_INT64, .native = "timestamptz" },
	{ .name = "plain", .type = TABLE_COLUMN_TYPE_INT64, .native = "timestamp" },
	{ .name = "day", .type = TABLE_COLUMN_TYPE_INT32, .native = "date" },
	{ .name = "uid", .type = TABLE_COLUMN_TYPE_BYTES, .native = "uuid", .fixed = true, .length = 16 },
	{ .name = "amount", .type = TABLE_COLUMN_TYPE_TEXT, .native = "numeric(10,2)" },
	{ .name = "code", .type = TABLE_COLUMN_TYPE_TEXT, .native = "varchar(40)" },
	{ .name = "small", .type = TABLE_COLUMN_TYPE_ENUM, .n_values = 3, .values = colors,
	  .native = "smallint" },
};

static struct value values[COUNT(columns)];

static void setup(void)
{
	setup_arena();
	(void)columns_told(columns, COUNT(columns));
	values[0] = int_value(70);
	values[1] = uint_value(7);
	values[2] = text_value("Ada");
	values[3] = (struct value){ .kind = VALUE_NULL };
	values[4] = real_value(2.5);
	values[5] = real_value(0.5);
	values[6] = int_value(5);
	values[7] = int_value(7);
	values[8] = bool_value(true);
	values[9] = (struct value){ .kind = VALUE_NULL };
	values[10] = (struct value){ .kind = VALUE_BYTES, .bytes = (const uint8_t *)"\0\1", .len = 2 };
	values[11] = (struct value){ .kind = VALUE_LIST, .bytes = (const uint8_t *)"\1a\0\2bc",
				     .len = 6 };
	values[12] = int_value(-3);
	values[13] = (struct value){ .kind = VALUE_NULL };
	values[14] = uint_value(UINT64_MAX);
	values[15] = int_value(0);
	values[16] = int_value(1700000000000001);
	values[17] = int_value(1700000000000002);
	values[18] = int_value(-1);
	values[19] = int_value(-3);
	values[20] = (struct value){ .kind = VALUE_BYTES, .len = 16,
				     .bytes = (const uint8_t *)"\0\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f" };
	values[21] = text_value("-12.50");
	values[22] = text_value("x1");
	values[23] = int_value(5);
}

/* What VALUE is, whatever column it was computed of. */
static const char *print(const struct value *value)
{
	static const struct table_column kinds[] = {
		[VALUE_NULL] = { .type = TABLE_COLUMN_TYPE_TEXT },
		[VALUE_BOOL] = { .type = TABLE_COLUMN_TYPE_BOOL },
		[VALUE_INT] = { .type = TABLE_COLUMN_TYPE_INT64 },
		[VALUE_UINT] = { .type = TABLE_COLUMN_TYPE_UINT64 },
		[VALUE_REAL] = { .type = TABLE_COLUMN_TYPE_DOUBLE },
		[VALUE_TEXT] = { .type = TABLE_COLUMN_TYPE_TEXT },
		[VALUE_BYTES] = { .type = TABLE_COLUMN_TYPE_BYTES },
	};

	return value_print(value, &kinds[value->kind], &test_arena);
}

static const struct expression *parse(const char *text)
{
	const struct expression *expression = NULL;
	size_t at;
	int r = expression_parse(&expression, text, columns, COUNT(columns), &test_arena, &at,
				 &test_err);

	ck_assert_msg(r == 0, "%s: at %zu: %s", text, at, test_err.text);
	return expression;
}

/* --- what they are worth ---------------------------------------------------------------------------- */

static const struct {
	const char *text, *value;
} worth[] = {
	{ "balance >= 0", "true" },
	{ "balance", "70" },
	{ "1 + 2 * 3 - 4", "3" },
	{ "(1 + 2) * 3", "9" },
	{ "10 - 3 - 2", "5" },
	{ "7 / 2", "3" },
	{ "-7 / 2", "-3" },
	{ "-7 % 2", "-1" },
	{ "few / 2", "-1" },
	{ "n * 3", "21" },
	{ "n - 7", "0" },
	{ "n / 2", "3" },
	{ "n % 4", "3" },
	{ "+n", "7" },
	{ "- - few", "-3" },
	{ "-few", "3" },
	{ "0x10 + 0xFfu", "271" },
	{ "9223372036854775807", "9223372036854775807" },
	{ "-9223372036854775808", "-9223372036854775808" },
	{ "18446744073709551615", "18446744073709551615" },
	{ "big == 18446744073709551615", "true" },
	{ "big > n", "true" },
	{ "1.5 + 1", "2.5" },
	{ ".5e1 * 2", "10" },
	{ "price * n", "17.5" },
	{ "price * n < 1000", "true" },
	{ "rate == 0.5", "true" },
	{ "balance / 4 == 17", "true" },
	{ "balance / 4.0 == 17.5", "true" },
	{ "-price", "-2.5" },
	{ "1 < 2 == true", "true" },
	{ "1 + 1 < 2 * 2 && 3 > 2", "true" },
	{ "false && true || true", "true" },
	{ "true || false && false", "true" },
	{ "!open", "false" },
	{ "!!open", "true" },
	{ "!(open == false)", "true" },
	/* enums */
	{ "kind == GREEN", "true" },
	{ "kind == RED || price * n < 1000", "true" },
	{ "GREEN == kind", "true" },
	{ "kind > RED", "true" },
	{ "kind == BLUE", "false" },
	{ "size == BLUE", "true" },
	{ "kind", "5" },
	{ "GREEN + 1", "6" },
	/* text and bytes */
	{ "owner == \"Ada\"", "true" },
	{ "owner != \"\"", "true" },
	{ "owner < \"B\"", "true" },
	{ "\"a\" < \"\xc3\xa4\"", "true" },
	{ "length(owner) <= 40 && owner != \"\"", "true" },
	{ "length(owner)", "3" },
	{ "length(data)", "2" },
	{ "length(\"\\u20ac\")", "3" },
	{ "length(owner) == n - 4", "true" },
	{ "data == \"\\0\\x01\"", "true" },
	{ "data > \"\"", "true" },
	{ "count(tags)", "3" },
	{ "count(tags) <= n", "true" },
	{ "lower(owner)", "\"ada\"" },
	{ "upper(\"a\xc3\xa4z{\")", "\"A\xc3\xa4Z{\"" },
	{ "starts_with(owner, \"Ad\")", "true" },
	{ "starts_with(owner, \"Adam\")", "false" },
	{ "starts_with(owner, \"\")", "true" },
	{ "contains(owner, \"da\")", "true" },
	{ "contains(owner, \"x\")", "false" },
	{ "contains(\"\", \"\")", "true" },
	{ "\"a\\n\\t\\\"\\\\\\101\"", "\"a\\n\\t\\\"\\\\A\"" },
	/* NULL */
	{ "nick == \"x\"", "NULL" },
	{ "nick != \"x\"", "NULL" },
	{ "gone + 1", "NULL" },
	{ "-gone", "NULL" },
	{ "gone / 0", "NULL" },
	{ "maybe", "NULL" },
	{ "!maybe", "NULL" },
	{ "maybe && false", "false" },
	{ "false && maybe", "false" },
	{ "maybe && true", "NULL" },
	{ "true && maybe", "NULL" },
	{ "maybe || true", "true" },
	{ "true || maybe", "true" },
	{ "maybe || false", "NULL" },
	{ "false || maybe", "NULL" },
	{ "maybe && maybe", "NULL" },
	{ "is_null(nick)", "true" },
	{ "is_null(owner)", "false" },
	{ "!is_null(gone) && gone > 3", "false" },
	{ "is_null(tags)", "false" },
	{ "length(nick)", "NULL" },
	{ "lower(nick)", "NULL" },
	{ "starts_with(nick, \"a\")", "NULL" },
	{ "coalesce(nick, \"none\")", "\"none\"" },
	{ "coalesce(owner, \"none\")", "\"Ada\"" },
	{ "coalesce(gone, balance)", "70" },
	{ "coalesce(NULL, 4)", "4" },
	{ "coalesce(gone, 0.5)", "0.5" },
	{ "NULL", "NULL" },
	{ "NULL + 1", "NULL" },
	{ "NULL && false", "false" },
	/* what is not reached does not fail */
	{ "false && 1 / (n - 7) == 1", "false" },
	{ "open || 1 / (n - 7) == 1", "true" },
	{ "open ? 1 : 1 / (balance - 70)", "1" },
	/* ?: */
	{ "open ? \"yes\" : \"no\"", "\"yes\"" },
	{ "!open ? 1 : balance > 100 ? 2 : 3", "3" },
	{ "maybe ? 1 : 2", "NULL" },
	{ "open ? 1 : 2.5", "1" },
	{ "open ? n : 3", "7" },
	{ "open ? NULL : 3", "NULL" },
	{ "few % -1", "0" },
	{ "price / rate", "5" },
	/* what has types of its own in PostgreSQL */
	{ "starts", "1700000000000001" },
	{ "ends - starts", "1" },
	{ "starts < ends", "true" },
	{ "starts > 1700000000000000 && starts < 1700000000000002", "true" },
	{ "plain", "-1" },
	{ "day + 1", "-2" },
	{ "uid > \"\\0\\1\"", "true" },
	{ "length(uid)", "16" },
	{ "amount == \"-12.50\"", "true" },
	{ "length(amount)", "6" },
	{ "upper(code)", "\"X1\"" },
	{ "mood == RED", "true" },
	{ "RED != mood", "false" },
	{ "mood < GREEN && mood < kind", "true" },
	{ "mood + 1", "1" },
	{ "mood == 0", "true" },
	{ "open ? mood : kind", "0" },
	{ "small == GREEN", "true" },
	{ "small == kind", "true" },
	{ "is_null(mood) || is_null(starts)", "false" },
};

START_TEST(an_expression_has_a_value)
{
	struct value value;
	const struct expression *expression = parse(worth[_i].text);
	int r = expression_value(expression, values, &value, &test_arena, &test_err);

	ck_assert_msg(r == 0, "%s: %s", worth[_i].text, test_err.text);
	ck_assert_msg(strcmp(print(&value), worth[_i].value) == 0, "%s: %s, not %s", worth[_i].text,
		      print(&value), worth[_i].value);
	ck_assert(value.kind == VALUE_NULL || value.kind == expression_kind(expression));
}
END_TEST

static const struct {
	const char *text, *why;
} failing[] = {
	{ "balance * 9223372036854775807", "balance * 9223372036854775807 overflows" },
	{ "balance + 9223372036854775807", "balance + 9223372036854775807 overflows" },
	{ "few - 9223372036854775807", "few - 9223372036854775807 overflows" },
	{ "-9223372036854775808 / (few + 2)", "-9223372036854775808 / (few + 2) overflows" },
	{ "-(few - 9223372036854775805)", "-(few - 9223372036854775805) overflows" },
	{ "n - 8", "n - 8 overflows" },
	{ "big + 1", "big + 1 overflows" },
	{ "big * n", "big * n overflows" },
	{ "balance / (n - n + 0) == 1", NULL }, /* signed and unsigned */
	{ "balance / (balance - 70)", "division by zero" },
	{ "balance % (balance - 70)", "division by zero" },
	{ "n / (n - 7)", "division by zero" },
	{ "price / (rate - 0.5)", "division by zero" },
	{ "price * 1e308", "price * 1e308 overflows" },
	{ "length(owner) - 5 < n", "length(owner) - 5 is negative" },
	{ "open && 1 / (n - 7) == 1", "division by zero" },
};

START_TEST(what_cannot_be_computed_says_why)
{
	const struct expression *expression;
	struct value value;
	int r = expression_parse(&expression, failing[_i].text, columns, COUNT(columns), &test_arena,
				 NULL, &test_err);

	if (!failing[_i].why) {
		ck_assert_int_eq(r, CELL_INVALID_ARGUMENT);
		return;
	}
	ck_assert_msg(r == 0, "%s: %s", failing[_i].text, test_err.text);
	ck_assert_int_eq(expression_value(expression, values, &value, &test_arena, &test_err),
			 CELL_OUT_OF_RANGE);
	ck_assert_str_eq(test_err.text, failing[_i].why);
}
END_TEST

/* --- what is wrong ------------------------------------------------------------------------------------ */

static const struct {
	const char *text;
	size_t at;
	const char *why;
} wrong[] = {
	{ "", 0, "an empty expression" },
	{ "  ", 0, "an empty expression" },
	{ "balence >= 0", 0, "no column 'balence' (did you mean 'balance'?)" },
	{ "kind == GREAN", 8, "no column 'GREAN' (did you mean 'GREEN'?)" },
	{ "xyzzy", 0, "no column 'xyzzy'" },
	{ "size == RED", 8, "'size' has no value RED" },
	{ "kind == SMALL", 8, "'kind' has no value SMALL" },
	{ "lenght(owner) > 3", 0, "no function 'lenght' (did you mean 'length'?)" },
	{ "owner > 5", 0, "'owner' is text, and is compared with a number" },
	{ "5 < owner", 4, "'owner' is text, and is compared with a number" },
	{ "balance == \"x\"", 0, "'balance' is a number, and is compared with text" },
	{ "open == 1", 0, "'open' is true or false, and is compared with a number" },
	{ "owner == data", 0, "'owner' is text, and is compared with bytes" },
	{ "balance < n", 0, "'balance' is signed, and 'n' is unsigned" },
	{ "1 < balance + n", 4, "'balance' is signed, and 'n' is unsigned" },
	{ "n >= -1", 5, "'n' is never negative, and -1 is" },
	{ "balance > 18446744073709551615", 0,
	  "'balance' is signed, and '18446744073709551615' is unsigned" },
	{ "balance && open", 0, "'balance' is a number, not true or false" },
	{ "!balance", 1, "'balance' is a number, not true or false" },
	{ "balance ? 1 : 2", 0, "'balance' is a number, not true or false" },
	{ "open ? 1 : \"x\"", 11, NULL },
	{ "owner + 1", 0, "'owner' is text, not a number" },
	{ "price % 2", 0, "'%' is of whole numbers" },
	{ "-n", 0, "'n' is unsigned, and has no negative" },
	{ "+owner", 0, "'+' stands before what is no number" },
	{ "length(balance)", 7, "'balance' is a number, not text or bytes" },
	{ "count(owner)", 6, "'owner' is text, not a list" },
	{ "tags == \"a\"", 0, "'tags' is a list: only its count() can be compared" },
	{ "coalesce(tags, tags)", 9, "'tags' is a list, not one value" },
	{ "starts_with(owner, 3)", 19, "'3' is a number, not text" },
	{ "nick == NULL", 8, "nothing is equal to NULL: write is_null(nick)" },
	{ "NULL != nick", 0, "nothing is equal to NULL: write is_null(nick)" },
	{ "balance = 0", 8, "'=' assigns: write '=='" },
	{ "balance & 1", 8, "there are no operators on bits" },
	{ "balance << 1", 9, "something is missing before '<'" },
	{ "owner == 'x'", 9, "text stands in \"\xe2\x80\xa6\"" },
	{ "balance >= ", 11, "something is missing at the end" },
	{ "balance >= 0)", 12, "')' makes no sense here" },
	{ "(balance >= 0", 13, "')' is missing at the end" },
	{ "(balance >= 0 owner", 14, "')' is missing before 'owner'" },
	{ "balance 0", 8, "'0' makes no sense here" },
	{ "open ? 1", 8, "':' is missing at the end" },
	{ "length(owner, nick)", 12, "')' is missing before ','" },
	{ "starts_with(owner)", 17, "',' is missing before ')'" },
	{ "balance >= 017", 11, "'017' is no number" },
	{ "balance >= 12abc", 11, "'12abc' is no number" },
	{ "balance >= 1e999", 11, "'1e999' is too large" },
	{ "balance >= 99999999999999999999", 11, "'99999999999999999999' does not fit 64 bits" },
	{ "owner == \"x", 9, "'\"x' does not end" },
	{ "owner == \"\\q\"", 9, "'\"\\q\"' has an escape that C does not know" },
	{ "balance # 1", 8, "nothing begins with '#'" },
	{ "balance \xc3\xa4", 8, "a character that no expression has" },
	{ "9223372036854775807 + 1", 0, "9223372036854775807 + 1 overflows" },
	{ "1 / 0", 0, "division by zero" },
	{ "balance == 1 == 2", 0, "'balance == 1' is true or false, and is compared with a number" },
};

START_TEST(what_is_wrong_is_told_with_its_place)
{
	const struct expression *expression = NULL;
	size_t at = 999;

	ck_assert_int_eq(expression_parse(&expression, wrong[_i].text, columns, COUNT(columns),
					  &test_arena, &at, &test_err),
			 CELL_INVALID_ARGUMENT);
	ck_assert_ptr_null(expression);
	if (wrong[_i].why) {
		ck_assert_str_eq(test_err.text, wrong[_i].why);
		ck_assert_msg(at == wrong[_i].at, "%s: at %zu", wrong[_i].text, at);
	}
}
END_TEST

/* --- limits --------------------------------------------------------------------------------------------- */

/* PREFIX, then PART N times, and END. */
static const char *repeat(const char *prefix, const char *part, size_t n, const char *end)
{
	char *text = cell_arena_alloc(&test_arena, strlen(prefix) + n * strlen(part) + strlen(end) + 1);

	strcpy(text, prefix);
	for (size_t i = 0; i < n; i++)
		strcat(text, part);
	return strcat(text, end);
}

static int try(const char *text)
{
	const struct expression *expression;

	return expression_parse(&expression, text, columns, COUNT(columns), &test_arena, NULL,
				&test_err);
}

START_TEST(nesting_has_a_limit)
{
	ck_assert_int_eq(try(repeat("", "!", 60, "open")), 0);
	ck_assert_int_eq(try(repeat("", "!", 70, "open")), CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(try(repeat("", "(", 4000, "")), CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(try(repeat("", "-", 4000, "1")), CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(try(repeat("few", " + few", 60, "")), 0);
	ck_assert_int_eq(try(repeat("few", " + few", 70, "")), CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(try(repeat("", "open ? 1 : ", 300, "2")), CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(try(repeat("", "lower(", 300, "owner")), CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(try(repeat("", " ", 4096, "")), CELL_INVALID_ARGUMENT);
	ck_assert_int_eq(try(repeat("1", " ", 4096, "")), CELL_INVALID_ARGUMENT);
	ck_assert_str_eq(test_err.text, "an expression of 4097 bytes, limit 4096");
}
END_TEST

/* --- questions ------------------------------------------------------------------------------------------ */

START_TEST(it_knows_what_it_uses)
{
	const struct expression *expression = parse("length(owner) > 3 || kind == RED");

	ck_assert(expression_uses(expression, 2));
	ck_assert(expression_uses(expression, 6));
	ck_assert(!expression_uses(expression, 0));
	ck_assert(!expression_uses(expression, 7));
}
END_TEST

#define INTS                                                                                  \
	(1 << 0 | 1 << 6 | 1 << 7 | 1 << 12 | 1 << 13 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 18 | \
	 1 << 19 | 1 << 23)
#define UINTS (1 << 1 | 1 << 14)
#define REALS (1 << 4 | 1 << 5)
#define TEXTS (1 << 2 | 1 << 3 | 1 << 21 | 1 << 22)

static const struct {
	const char *text;
	int columns; /* bit N: it can be stored in columns[N] */
} fitting[] = {
	{ "balance", INTS | REALS },
	{ "n + 1", UINTS | REALS },
	{ "1", INTS | UINTS | REALS },
	{ "length(owner)", INTS | UINTS | REALS },
	{ "0.5", REALS },
	{ "lower(owner)", TEXTS },
	{ "\"x\"", TEXTS | 1 << 10 | 1 << 20 },
	{ "open", 1 << 8 | 1 << 9 },
	{ "NULL", 1 << 3 | 1 << 9 | 1 << 13 },
};

START_TEST(it_knows_where_it_can_be_stored)
{
	const struct expression *expression = parse(fitting[_i].text);

	for (size_t i = 0; i < COUNT(columns); i++)
		ck_assert_msg(expression_fits(expression, &columns[i]) == (fitting[_i].columns >> i & 1),
			      "%s in %s", fitting[_i].text, columns[i].name);
}
END_TEST

/* --- SQL ------------------------------------------------------------------------------------------------- */

static const struct {
	const char *text, *sql;
} sqls[] = {
	{ "balance >= 0", "(\"balance\" >= 0)" },
	{ "balance != -1", "(\"balance\" <> (-1))" },
	{ "open", "\"open\"" },
	{ "true", "true" },
	{ "NULL", "NULL" },
	{ "!open && (balance == 1 || balance == 2)",
	  "((NOT \"open\") AND ((\"balance\" = 1) OR (\"balance\" = 2)))" },
	{ "few * 2 > balance", "((\"few\"::int8 * 2::int8) > \"balance\")" },
	{ "n - 1 < 5", "((\"n\"::numeric - 1) < 5)" },
	{ "n / 2 == 1", "(div(\"n\"::numeric, 2) = 1)" },
	{ "balance / 2 % 3", "((\"balance\"::int8 / 2::int8) % 3::int8)" },
	{ "-few", "(- \"few\")" },
	{ "price * n < 0.5", "((\"price\"::float8 * \"n\"::float8) < '0.5'::float8)" },
	{ "rate < 0.5", "(\"rate\"::float8 < '0.5'::float8)" },
	{ "price == 1", "(\"price\" = 1)" },
	{ "kind == GREEN", "(\"kind\" = 5)" },
	{ "mood == GREEN", "(\"mood\" = 'GREEN')" },
	{ "mood < GREEN", "((CASE \"mood\" WHEN 'RED' THEN 0 WHEN 'GREEN' THEN 5 WHEN 'BLUE' THEN 2 END) "
			  "< 5)" },
	{ "small == GREEN", "(\"small\" = 5)" },
	{ "starts <= ends", "(\"starts\" <= \"ends\")" },
	{ "plain > 0", "((extract(epoch FROM \"plain\" - '1970-01-01 00:00:00'::timestamp) * "
		       "1000000)::int8 > 0)" },
	{ "day > 0", "((\"day\" - '1970-01-01'::date) > 0)" },
	{ "uid == \"a\"", "(uuid_send(\"uid\") = '\\x61'::bytea)" },
	{ "amount == code", "(\"amount\"::text COLLATE \"C\" = \"code\" COLLATE \"C\")" },
	{ "owner == \"it's\"", "(\"owner\" COLLATE \"C\" = 'it''s' COLLATE \"C\")" },
	{ "owner < \"\\\\'\"", "(\"owner\" COLLATE \"C\" < E'\\\\''' COLLATE \"C\")" },
	{ "data == \"\\0a\"", "(\"data\" = '\\x0061'::bytea)" },
	{ "length(owner)", "octet_length(\"owner\")" },
	{ "count(tags) > 1", "(cardinality(\"tags\") > 1)" },
	{ "lower(owner)", "lower(\"owner\" COLLATE \"C\")" },
	{ "starts_with(owner, \"A\")", "starts_with(\"owner\", 'A')" },
	{ "contains(owner, \"A\")", "(strpos(\"owner\", 'A') > 0)" },
	{ "coalesce(nick, owner)", "coalesce(\"nick\", \"owner\")" },
	{ "is_null(nick)", "(\"nick\" IS NULL)" },
	{ "maybe ? 1 : 2", "(CASE \"maybe\" WHEN true THEN 1 WHEN false THEN 2 END)" },
	{ "60 * 60 * 24", "86400" },
};

START_TEST(sql_says_the_same)
{
	ck_assert_str_eq(expression_sql(parse(sqls[_i].text), &test_arena), sqls[_i].sql);
}
END_TEST

START_TEST(names_are_quoted_in_sql)
{
	struct table_column column = { .name = "a\"b", .type = TABLE_COLUMN_TYPE_BOOL };
	const struct expression *expression;

	/* No such column can be declared; one that could may not get out of its quotes. */
	(void)columns_told(&column, 1);
	column.name = "order";
	ck_assert_int_eq(expression_parse(&expression, "!order", &column, 1, &test_arena, NULL,
					  &test_err), 0);
	ck_assert_str_eq(expression_sql(expression, &test_arena), "(NOT \"order\")");
	column.name = "a\"b";
	ck_assert_str_eq(expression_sql(expression, &test_arena), "(NOT \"a\"\"b\")");
}
END_TEST

START_TEST(without_memory_it_says_so)
{
	const struct expression *expression;
	struct cell_arena small;
	size_t failed = 0;

	for (size_t limit = 1; limit < 20000; limit += 64) {
		int r;

		cell_arena_init(&small, limit);
		r = expression_parse(&expression, "length(lower(owner)) > 3 && kind == RED", columns,
				     COUNT(columns), &small, NULL, &test_err);
		ck_assert(r == 0 || r == -ENOMEM);
		failed += r < 0;
		if (r == 0)
			(void)expression_sql(expression, &small);
		cell_arena_deinit(&small);
	}
	ck_assert_uint_gt(failed, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("expression");
	TCase *tcase = tcase_create("expression");

	tcase_add_checked_fixture(tcase, setup, teardown_arena);
	tcase_add_loop_test(tcase, an_expression_has_a_value, 0, (int)COUNT(worth));
	tcase_add_loop_test(tcase, what_cannot_be_computed_says_why, 0, (int)COUNT(failing));
	tcase_add_loop_test(tcase, what_is_wrong_is_told_with_its_place, 0, (int)COUNT(wrong));
	tcase_add_test(tcase, nesting_has_a_limit);
	tcase_add_test(tcase, it_knows_what_it_uses);
	tcase_add_loop_test(tcase, it_knows_where_it_can_be_stored, 0, (int)COUNT(fitting));
	tcase_add_loop_test(tcase, sql_says_the_same, 0, (int)COUNT(sqls));
	tcase_add_test(tcase, names_are_quoted_in_sql);
	tcase_add_test(tcase, without_memory_it_says_so);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
