#include "literal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- numbers ----------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_word(char c)
{
	return hex_digit(c) >= 0 || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z') || c == '_';
}

bool literal_is_number(const char *at)
{
	return is_digit(at[0]) || (at[0] == '.' && is_digit(at[1]));
}

/* What C takes for one number, right or wrong: 1.5e+3, 0x1fu, 12abc. */
static const char *number_end(const char *at)
{
	bool is_hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');

	for (;; at++) {
		if (!is_hex && (*at == 'e' || *at == 'E') && (at[1] == '+' || at[1] == '-'))
			at++;
		else if (!is_word(*at) && *at != '.')
			return at;
	}
}

/* u, l, ll, and both in either order. */
static bool is_suffix(const char *at, const char *end)
{
	unsigned n_u = 0, n_l = 0;

	for (; at < end; at++) {
		if ((*at == 'u' || *at == 'U') && !n_u) {
			n_u++;
		} else if ((*at == 'l' || *at == 'L') && !n_l) {
			n_l++;
			at += at + 1 < end && at[1] == at[0];
		} else {
			return false;
		}
	}
	return true;
}

static const char *natural(const char *at, const char *end, struct value *ret,
			   const char **ret_why)
{
	bool is_hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
	char *stop;

	*ret_why = "is no number";
	if (is_hex && hex_digit(at[2]) < 0)
		return NULL;
	/* 017 is 15 in C, and hardly what was meant. */
	if (!is_hex && at[0] == '0' && is_digit(at[1]))
		return NULL;
	errno = 0;
	ret->kind = VALUE_UINT;
	ret->natural = strtoull(at, &stop, is_hex ? 16 : 10);
	if (!is_suffix(stop, end))
		return NULL;
	*ret_why = "does not fit 64 bits";
	return errno ? NULL : end;
}

static const char *real(const char *at, const char *end, struct value *ret, const char **ret_why)
{
	char *stop;

	ret->kind = VALUE_REAL;
	ret->real = strtod(at, &stop);
	*ret_why = "is no number";
	if (stop != end && !(stop + 1 == end && strchr("fFlL", *stop)))
		return NULL;
	*ret_why = "is too large";
	return __builtin_isinf(ret->real) ? NULL : end;
}

const char *literal_number(const char *at, struct value *ret, const char **ret_why)
{
	const char *end = number_end(at);
	bool is_hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');

	for (const char *c = at; c < end; c++)
		if (*c == '.' || (!is_hex && (*c == 'e' || *c == 'E')))
			return is_hex ? (*ret_why = "is no number", NULL)
				      : real(at, end, ret, ret_why);
	return natural(at, end, ret, ret_why);
}

/* --- text -------------------------------------------------------------------------------- */

static const char escapes[] = "a\ab\bf\fn\nr\rt\tv\v\\\\\"\"''??";

static uint8_t *put_utf8(uint8_t *out, uint32_t code)
{
	if (code < 0x80) {
		*out++ = (uint8_t)code;
		return out;
	}
	if (code >= 0x10000) {
		*out++ = (uint8_t)(0xf0 | code >> 18);
		*out++ = (uint8_t)(0x80 | (code >> 12 & 0x3f));
	} else if (code >= 0x800) {
		*out++ = (uint8_t)(0xe0 | code >> 12);
	} else {
		*out++ = (uint8_t)(0xc0 | code >> 6);
		*out++ = (uint8_t)(0x80 | (code & 0x3f));
		return out;
	}
	*out++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	*out++ = (uint8_t)(0x80 | (code & 0x3f));
	return out;
}

/* The escape behind the backslash at AT; what it stands for is never longer. */
static const char *escape(const char *at, uint8_t **out)
{
	uint32_t code = 0;
	unsigned n = 0;
	char c = *++at;

	if (c >= '0' && c <= '7') {
		for (; n < 3 && *at >= '0' && *at <= '7'; n++)
			code = code * 8 + (uint32_t)(*at++ - '0');
		*(*out)++ = (uint8_t)code;
		return code > 0xff ? NULL : at;
	}
	if (c == 'x' || c == 'u' || c == 'U') {
		unsigned digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;

		for (at++; n < digits && hex_digit(*at) >= 0; n++)
			code = code * 16 + (uint32_t)hex_digit(*at++);
		if (!n || (c != 'x' && n < digits) || code > 0x10ffff)
			return NULL;
		if (c == 'x')
			*(*out)++ = (uint8_t)code;
		else
			*out = put_utf8(*out, code);
		return at;
	}
	for (const char *e = escapes; *e; e += 2)
		if (c == *e) {
			*(*out)++ = (uint8_t)e[1];
			return at + 1;
		}
	return NULL;
}

const char *literal_text(const char *at, struct value *ret, struct cell_arena *arena,
			 const char **ret_why)
{
	const char *end = at + 1;
	uint8_t *bytes, *out;

	*ret_why = "does not end";
	while (*end && *end != '"' && *end != '\n')
		end += 1 + (end[0] == '\\' && end[1]);
	if (*end != '"')
		return NULL;

	*ret_why = NULL;
	out = bytes = cell_arena_alloc(arena, (size_t)(end - at));
	if (!bytes)
		return NULL;
	*ret_why = "has an escape that C does not know";
	for (at++; at < end;) {
		if (*at != '\\') {
			*out++ = (uint8_t)*at++;
			continue;
		}
		at = escape(at, &out);
		if (!at)
			return NULL;
	}
	*ret = (struct value){ .kind = VALUE_TEXT, .bytes = bytes, .len = (size_t)(out - bytes) };
	return end + 1;
}

const char *literal_quote(const uint8_t *bytes, size_t len, struct cell_arena *arena)
{
	static const char digits[] = "01234567";
	char *text = cell_arena_alloc(arena, 4 * len + 3), *out = text;

	if (!text)
		return NULL;
	*out++ = '"';
	for (size_t i = 0; i < len; i++) {
		uint8_t c = bytes[i];
		const char *e = escapes;

		while (*e && ((uint8_t)e[1] != c || c == '\'' || c == '?'))
			e += 2;
		if (*e) {
			*out++ = '\\';
			*out++ = *e;
		} else if (c < 0x20 || c == 0x7f) {
			*out++ = '\\';
			*out++ = digits[c >> 6];
			*out++ = digits[c >> 3 & 7];
			*out++ = digits[c & 7];
		} else {
			*out++ = (char)c;
		}
	}
	*out++ = '"';
	*out = '\0';
	return text;
}
