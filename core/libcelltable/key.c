/* Keys that memcmp() orders. */
#include <cell/internal/table/row.h>

#include <string.h>

#include <cell/codec.h>

/*
 * A column begins with one of these. Whole numbers take 8 bytes whatever their type, and reals
 * those of a double, so that a wider type leaves every key as it was.
 */
enum {
	MARK_NULL = 0x00,
	MARK_VALUE = 0x01
};

/* In text, 0x00 is followed by 0xff; by this it is the end, which sorts before all that goes on. */
enum {
	TEXT_ESCAPE = 0xff,
	TEXT_END = 0x01
};

#define SIGN ((uint64_t)1 << 63)

static uint64_t big64(uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	value = __builtin_bswap64(value);
#endif
	return value;
}

/*
 * Bits that are ordered as the numbers are: the sign turned, and all others too if it is set.
 * Zero has one sign here and NaN one pattern, behind infinity.
 */
static uint64_t real_order(double real)
{
	uint64_t bits;

	if (real != real)
		return UINT64_MAX;
	if (real == 0)
		return SIGN;
	bits = cell_double_bits(real);
	return bits & SIGN ? ~bits : bits | SIGN;
}

static uint64_t number_order(const struct value *value)
{
	switch (value->kind) {
	case VALUE_INT: return (uint64_t)value->integer ^ SIGN;
	case VALUE_REAL: return real_order(value->real);
	default: return value->natural;
	}
}

/* Without its end. NULL if it does not fit. */
static uint8_t *put_text(uint8_t *out, const uint8_t *stop, const uint8_t *bytes, size_t len)
{
	while (len) {
		const uint8_t *zero = memchr(bytes, 0, len);
		size_t n = zero ? (size_t)(zero - bytes) : len;

		if ((size_t)(stop - out) < n + 2 * (zero != NULL))
			return NULL;
		memcpy(out, bytes, n);
		out += n;
		bytes += n;
		len -= n;
		if (zero) {
			*out++ = 0;
			*out++ = TEXT_ESCAPE;
			bytes++;
			len--;
		}
	}
	return out;
}

/* One column; NULL if it does not fit. */
static uint8_t *put_value(uint8_t *out, const uint8_t *stop, const struct value *value,
			  bool has_end)
{
	uint64_t order;

	if (CELL_UNLIKELY(stop - out < 1 + (ptrdiff_t)sizeof order)) {
		/* Rare enough to have a way of its own: what is short may fit still. */
		size_t need = value->kind == VALUE_NULL   ? 1
			      : value->kind == VALUE_BOOL ? 2
			      : value->kind < VALUE_TEXT  ? 1 + sizeof order
							  : 1 + 2 * (size_t)has_end;

		if ((size_t)(stop - out) < need)
			return NULL;
	}
	if (value->kind == VALUE_NULL) {
		*out++ = MARK_NULL;
		return out;
	}
	*out++ = MARK_VALUE;
	switch (value->kind) {
	case VALUE_BOOL: *out++ = value->boolean; return out;
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_REAL:
		order = big64(number_order(value));
		memcpy(out, &order, sizeof order);
		return out + sizeof order;
	default: break;
	}
	out = put_text(out, has_end ? stop - 2 : stop, value->bytes, value->len);
	if (out && has_end) {
		*out++ = 0;
		*out++ = TEXT_END;
	}
	return out;
}

/* Bytes that put_value() needs. */
static size_t value_size(const struct value *value, bool has_end)
{
	size_t size = 1 + (has_end ? 2 : 0) + value->len;

	switch (value->kind) {
	case VALUE_NULL: return 1;
	case VALUE_BOOL: return 2;
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_REAL: return 1 + 8;
	default: break;
	}
	for (size_t i = 0; i < value->len; i++)
		size += value->bytes[i] == 0;
	return size;
}

static int too_long(const struct schema *schema, const struct schema_key *key,
		    const struct value *values, size_t n, size_t column, bool as_prefix,
		    size_t room, struct cell_error *err)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += value_size(&values[key->columns[i]], !(as_prefix && i + 1 == n));
	return cell_fail(err, CELL_INVALID_ARGUMENT, "a key of %zu bytes in %s.%s, limit %zu", size,
			 schema->told->name, schema->told->columns[key->columns[column]].name, room);
}

int row_key(const struct schema *schema, const struct schema_key *key, const struct value *values,
	    size_t n, bool as_prefix, uint8_t *out, size_t room, size_t *ret_len,
	    struct cell_error *err)
{
	const uint8_t *stop = out + room;
	uint8_t *at = out;

	for (size_t i = 0; i < n; i++) {
		at = put_value(at, stop, &values[key->columns[i]], !(as_prefix && i + 1 == n));
		if (CELL_UNLIKELY(!at))
			return too_long(schema, key, values, n, i, as_prefix, room, err);
	}
	*ret_len = (size_t)(at - out);
	return 0;
}

bool row_key_has_null(const struct schema_key *key, const struct value *values)
{
	return row_key_given(key, values) < key->n;
}

size_t row_key_given(const struct schema_key *key, const struct value *values)
{
	size_t n = 0;

	while (n < key->n && values[key->columns[n]].kind != VALUE_NULL)
		n++;
	return n;
}

/* As value_print(), but text without its quotes. */
static const char *print_part(const struct value *value, const struct table_column *column,
			      struct cell_arena *arena)
{
	const char *text = value_print(value, column, arena), *end = strrchr(text, '"');

	if (value->kind != VALUE_TEXT || text[0] != '"' || end == text)
		return text;
	return cell_arena_printf(arena, "%.*s%s", (int)(end - text - 1), text + 1, end + 1);
}

const char *row_key_print(const struct schema *schema, const struct schema_key *key,
			  const struct value *values, struct cell_arena *arena)
{
	const char *text = key->n ? "" : "the one row";

	for (size_t i = 0; i < key->n; i++) {
		const struct table_column *column = &schema->told->columns[key->columns[i]];
		const struct value *value = &values[key->columns[i]];

		const char *part = print_part(value, column, arena);

		text = part ? cell_arena_printf(arena, "%s%s%s %s", text, i ? ", " : "",
						column->name, part)
			    : NULL;
		if (!text)
			return "a key";
	}
	return text;
}
