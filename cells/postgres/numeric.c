#include "numeric.h"

#include <cell/bytes.h>
#include <ctype.h>
#include <string.h>

#define BASE_DIGITS   4
#define SIGN_PLUS     0x0000
#define SIGN_MINUS    0x4000
#define SIGN_NAN      0xc000
#define SIGN_INF      0xd000
#define SIGN_MINUSINF 0xf000

static const struct {
	const char *text;
	uint16_t sign;
} words[] = { { "NaN", SIGN_NAN }, { "Infinity", SIGN_INF }, { "-Infinity", SIGN_MINUSINF } };

static unsigned load16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void store16(uint8_t *at, unsigned n)
{
	at[0] = (uint8_t)(n >> 8);
	at[1] = (uint8_t)n;
}

/* The group of four digits at WEIGHT (0 = the ones). */
static unsigned group_at(const uint8_t *bytes, int weight)
{
	int first = (int16_t)load16(bytes + 2), n = (int)load16(bytes);
	int index = first - weight;

	return index < 0 || index >= n ? 0 : load16(bytes + 8 + 2 * index);
}

static bool is_sane(const uint8_t *bytes, size_t len)
{
	if (len < 8 || len != 8 + 2 * (size_t)load16(bytes) || load16(bytes + 6) > NUMERIC_TEXT_MAX ||
	    (int16_t)load16(bytes + 2) > NUMERIC_TEXT_MAX)
		return false;
	for (size_t at = 8; at < len; at += 2)
		if (load16(bytes + at) > 9999)
			return false;
	return true;
}

static char *put_group(char *out, unsigned group)
{
	for (unsigned place = 1000; place; place /= 10)
		*out++ = (char)('0' + group / place % 10);
	return out;
}

static char *put_whole(char *out, const uint8_t *bytes)
{
	int weight = (int16_t)load16(bytes + 2);
	char *from = out;

	for (; weight >= 0; weight--)
		out = put_group(out, group_at(bytes, weight));
	while (out > from && *from == '0' && out - from > 1) {
		memmove(from, from + 1, (size_t)(out - from - 1));
		out--;
	}
	if (out == from)
		*out++ = '0';
	return out;
}

bool numeric_print(const char **ret, const uint8_t *bytes, size_t len, struct cell_arena *arena)
{
	unsigned scale, sign;
	int weight;
	char *text, *out;

	if (!is_sane(bytes, len))
		return false;
	sign = load16(bytes + 4);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (sign == words[i].sign) {
			*ret = words[i].text;
			return true;
		}
	scale = load16(bytes + 6);
	weight = (int16_t)load16(bytes + 2);
	text = cell_arena_alloc(arena, 8 + (size_t)(weight < 0 ? 0 : weight + 1) * BASE_DIGITS +
					       scale + BASE_DIGITS);
	*ret = text;
	if (!text)
		return true;
	out = text;
	if (sign == SIGN_MINUS)
		*out++ = '-';
	out = put_whole(out, bytes);
	if (scale) {
		char *point = out;

		*out++ = '.';
		for (int at = -1; (size_t)(out - point) <= scale; at--)
			out = put_group(out, group_at(bytes, at));
		out = point + 1 + scale;
	}
	*out = '\0';
	return true;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct decimal {
	bool is_negative;
	const char *whole, *fraction;
	size_t n_whole, n_fraction;
};

static bool split(struct decimal *d, const char *text, size_t len)
{
	const char *end = text + len;

	*d = (struct decimal){ .is_negative = len && *text == '-' };
	if (len && (*text == '-' || *text == '+'))
		text++;
	while (text < end - 1 && *text == '0' && isdigit((unsigned char)text[1]))
		text++;
	d->whole = text;
	while (text < end && isdigit((unsigned char)*text))
		text++;
	d->n_whole = (size_t)(text - d->whole);
	if (text < end && *text == '.') {
		d->fraction = ++text;
		while (text < end && isdigit((unsigned char)*text))
			text++;
		d->n_fraction = (size_t)(text - d->fraction);
	}
	return text == end && d->n_whole + d->n_fraction > 0;
}

/* The digit at PLACE (0 = the ones, -1 = the tenths), or 0. */
static unsigned digit_at(const struct decimal *d, long place)
{
	if (place >= 0)
		return (size_t)place < d->n_whole
			       ? (unsigned)(d->whole[d->n_whole - 1 - (size_t)place] - '0')
			       : 0;
	place = -place - 1;
	return (size_t)place < d->n_fraction ? (unsigned)(d->fraction[place] - '0') : 0;
}

bool numeric_read(const uint8_t **ret, size_t *ret_len, const char *text, size_t len,
		  struct cell_arena *arena)
{
	long first, last;
	struct decimal d;
	uint8_t *bytes;
	size_t n = 0;

	*ret = NULL;
	if (len > NUMERIC_TEXT_MAX)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (len == strlen(words[i].text) && memcmp(text, words[i].text, len) == 0) {
			bytes = cell_arena_calloc(arena, 8, 1);
			if (bytes)
				store16(bytes + 4, words[i].sign);
			*ret = bytes;
			*ret_len = 8;
			return true;
		}
	if (!split(&d, text, len))
		return false;
	first = d.n_whole ? (long)((d.n_whole - 1) / BASE_DIGITS) : -1;
	last = -(long)((d.n_fraction + BASE_DIGITS - 1) / BASE_DIGITS);
	bytes = cell_arena_alloc(arena, 8 + 2 * (size_t)(first - last + 2));
	*ret = bytes;
	if (!bytes)
		return true;
	for (long at = first; at >= last; at--) {
		unsigned group = 0;

		for (long place = at * BASE_DIGITS + BASE_DIGITS - 1; place >= at * BASE_DIGITS; place--)
			group = group * 10 + digit_at(&d, place);
		store16(bytes + 8 + 2 * n++, group);
	}
	store16(bytes, (unsigned)n);
	store16(bytes + 2, (unsigned)first & 0xffff);
	store16(bytes + 4, d.is_negative ? SIGN_MINUS : SIGN_PLUS);
	store16(bytes + 6, (unsigned)d.n_fraction);
	*ret_len = 8 + 2 * n;
	return true;
}
