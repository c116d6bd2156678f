#include "text.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- base64 -------------------------------------------------------------------- */

void text_base64_encode(char *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t group = (uint32_t)bytes[i] << 16;

		if (left > 1)
			group |= (uint32_t)bytes[i + 1] << 8;
		if (left > 2)
			group |= bytes[i + 2];
		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[group & 63] : '=';
	}
	*out = '\0';
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

bool text_base64_decode(uint8_t *out, size_t *ret_len, const char *text, size_t len)
{
	uint32_t group = 0;
	size_t n_bits = 0, n = 0, padding = 0;

	while (len && padding < 2 && text[len - 1] == '=') {
		padding++;
		len--;
	}
	if (len % 4 == 1 || (padding && (len + padding) % 4 != 0))
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return false;
		group = group << 6 | (uint32_t)digit;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[n++] = (uint8_t)(group >> n_bits);
		}
	}
	*ret_len = n;
	return true;
}

/* ---- times ------------------------------------------------------------------------ */

#define SECOND_NS 1000000000
/* Years 1 and 9999, as google/protobuf/timestamp.proto has them. */
#define TIMESTAMP_MIN INT64_C(-62135596800)
#define TIMESTAMP_MAX INT64_C(253402300799)
#define DURATION_MAX  INT64_C(315576000000)

/* ".010", as few groups of three digits as hold NANOS; nothing for 0. */
static void fraction_write(char *out, size_t size, int32_t nanos)
{
	if (nanos == 0)
		out[0] = '\0';
	else if (nanos % 1000000 == 0)
		(void)snprintf(out, size, ".%03d", nanos / 1000000);
	else if (nanos % 1000 == 0)
		(void)snprintf(out, size, ".%06d", nanos / 1000);
	else
		(void)snprintf(out, size, ".%09d", nanos);
}

/* One to nine digits after a dot at *AT, which moves past them; no dot is 0. */
static bool fraction_read(const char **at, int32_t *ret_nanos)
{
	int32_t nanos = 0;
	int n = 0;

	if (**at != '.') {
		*ret_nanos = 0;
		return true;
	}
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++) {
		if (++n > 9)
			return false;
		nanos = nanos * 10 + (**at - '0');
	}
	if (n == 0)
		return false;
	for (; n < 9; n++)
		nanos *= 10;
	*ret_nanos = nanos;
	return true;
}

/* Exactly N digits at *AT, in MIN to MAX. */
static bool digits_read(const char **at, int n, int min, int max, int *ret)
{
	int value = 0;

	for (; n; n--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		value = value * 10 + (**at - '0');
	}
	*ret = value;
	return value >= min && value <= max;
}

static bool char_read(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

bool text_timestamp_write(char out[TEXT_TIME_SIZE], int64_t seconds, int32_t nanos)
{
	time_t at = (time_t)seconds;
	char fraction[16], day[24];
	struct tm tm;

	if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX || nanos < 0 ||
	    nanos >= SECOND_NS || !gmtime_r(&at, &tm))
		return false;
	fraction_write(fraction, sizeof fraction, nanos);
	/* strftime() writes the year 1 without zeros before it. */
	(void)strftime(day, sizeof day, "-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out, TEXT_TIME_SIZE, "%04d%s%sZ", tm.tm_year + 1900, day, fraction);
	return true;
}

/* "Z", or hours and minutes east (+) or west (-) of Greenwich. */
static bool zone_read(const char **at, int64_t *ret_seconds)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	*ret_seconds = 0;
	if (char_read(at, 'Z'))
		return true;
	if (!char_read(at, '+') && !char_read(at, '-'))
		return false;
	if (!digits_read(at, 2, 0, 23, &hours) || !char_read(at, ':') ||
	    !digits_read(at, 2, 0, 59, &minutes))
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

bool text_timestamp_read(int64_t *ret_seconds, int32_t *ret_nanos, const char *text)
{
	struct tm tm = { 0 }, normal;
	int64_t seconds, zone;
	int year, month;
	int32_t nanos;
	time_t at;

	if (!digits_read(&text, 4, 1, 9999, &year) || !char_read(&text, '-') ||
	    !digits_read(&text, 2, 1, 12, &month) || !char_read(&text, '-') ||
	    !digits_read(&text, 2, 1, 31, &tm.tm_mday) || !char_read(&text, 'T') ||
	    !digits_read(&text, 2, 0, 23, &tm.tm_hour) || !char_read(&text, ':') ||
	    !digits_read(&text, 2, 0, 59, &tm.tm_min) || !char_read(&text, ':') ||
	    !digits_read(&text, 2, 0, 59, &tm.tm_sec) || !fraction_read(&text, &nanos) ||
	    !zone_read(&text, &zone) || *text)
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	normal = tm;
	at = timegm(&normal);
	/* timegm() makes the 30th of February one of March. */
	if (normal.tm_mday != tm.tm_mday)
		return false;
	seconds = (int64_t)at - zone;
	if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX)
		return false;
	*ret_seconds = seconds;
	*ret_nanos = nanos;
	return true;
}

bool text_duration_write(char out[TEXT_TIME_SIZE], int64_t seconds, int32_t nanos)
{
	bool is_negative = seconds < 0 || nanos < 0;
	char fraction[16];

	/* Both parts have one sign. */
	if (seconds < -DURATION_MAX || seconds > DURATION_MAX || nanos <= -SECOND_NS ||
	    nanos >= SECOND_NS || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0))
		return false;
	fraction_write(fraction, sizeof fraction, nanos < 0 ? -nanos : nanos);
	(void)snprintf(out, TEXT_TIME_SIZE, "%s%lld%ss", is_negative ? "-" : "",
		       (long long)(seconds < 0 ? -seconds : seconds), fraction);
	return true;
}

bool text_duration_read(int64_t *ret_seconds, int32_t *ret_nanos, const char *text)
{
	bool is_negative = char_read(&text, '-');
	int64_t seconds = 0;
	int32_t nanos;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		seconds = seconds * 10 + (*text - '0');
		if (seconds > DURATION_MAX)
			return false;
	}
	if (!fraction_read(&text, &nanos) || !char_read(&text, 's') || *text)
		return false;
	*ret_seconds = is_negative ? -seconds : seconds;
	*ret_nanos = is_negative ? -nanos : nanos;
	return true;
}

/* ---- numbers ------------------------------------------------------------------------ */

void text_double_write(char out[TEXT_NUMBER_SIZE], double value)
{
	/* 15 digits always survive, 17 always suffice. */
	for (int digits = DBL_DIG; digits <= 17; digits++) {
		(void)snprintf(out, TEXT_NUMBER_SIZE, "%.*g", digits, value);
		if (strtod(out, NULL) == value)
			return;
	}
}

double text_float_as_double(float value)
{
	char text[TEXT_NUMBER_SIZE];

	for (int digits = FLT_DIG; digits <= 9; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, (double)value);
		if (strtof(text, NULL) == value)
			break;
	}
	return strtod(text, NULL);
}
