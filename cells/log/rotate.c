#include "rotate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX    ".log"
#define SECOND_NS UINT64_C(1000000000)

bool rotate_is_due(uint64_t size, uint64_t len, uint64_t total)
{
	uint64_t max = (total ? total : ROTATE_DEFAULT_BYTES) / (ROTATE_KEEP + 1);

	if (max < ROTATE_FILE_MIN_BYTES)
		max = ROTATE_FILE_MIN_BYTES;
	/* A line longer than a file gets one for itself. */
	return size > 0 && size + len > max;
}

bool rotate_name(char *out, size_t size, const char *cell, unsigned n)
{
	int len = n ? snprintf(out, size, "%s" SUFFIX ".%u", cell, n)
		    : snprintf(out, size, "%s" SUFFIX, cell);

	return len > 0 && (size_t)len < size;
}

bool rotate_cell_of(char *out, size_t size, const char *name)
{
	size_t len = strlen(name), suffix = strlen(SUFFIX);

	if (len <= suffix || len - suffix >= size || strcmp(name + len - suffix, SUFFIX) != 0)
		return false;
	memcpy(out, name, len - suffix);
	out[len - suffix] = '\0';
	return true;
}

/* ---- times -------------------------------------------------------------------------- */

/*
 * Days since 1970 to a date of the Gregorian calendar, and back: years begin in March, so
 * that the day that comes and goes is the last; 400 years have 146,097 days.
 */
static void date_of(int64_t days, int *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t since = days + 719468, era = (since >= 0 ? since : since - 146096) / 146097;
	unsigned of_era = (unsigned)(since - era * 146097);
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * of_year + 2) / 153;

	*ret_day = of_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = (int)((int64_t)year + era * 400) + (*ret_month <= 2);
}

static int64_t days_of(int year, unsigned month, unsigned day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
	unsigned of_era_year = (unsigned)(y - era * 400);
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned of_era = of_era_year * 365 + of_era_year / 4 - of_era_year / 100 + of_year;

	return era * 146097 + (int64_t)of_era - 719468;
}

size_t rotate_head_write(char out[ROTATE_HEAD_SIZE], const struct recent_line *line)
{
	uint64_t seconds = line->at_ns / SECOND_NS;
	unsigned of_day = (unsigned)(seconds % 86400), month, day;
	int year, len;

	date_of((int64_t)(seconds / 86400), &year, &month, &day);
	len = snprintf(out, ROTATE_HEAD_SIZE,
		       "%04d-%02u-%02uT%02u:%02u:%02u.%06uZ %.63s/%" PRIu64 " %" PRIu32 " ",
		       year, month, day, of_day / 3600, of_day / 60 % 60, of_day % 60,
		       (unsigned)(line->at_ns % SECOND_NS / 1000), line->cell, line->instance,
		       line->pid);
	return len > 0 ? (size_t)len : 0;
}

/* N digits at *AT, which moves past them and AFTER. */
static bool digits_read(const char **at, int n, char after, unsigned *ret)
{
	unsigned value = 0;

	for (; n; n--, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		value = value * 10 + (unsigned)(**at - '0');
	}
	*ret = value;
	if (**at != after)
		return false;
	(*at)++;
	return true;
}

static bool time_read(const char **at, uint64_t *ret_ns)
{
	unsigned year, month, day, hour, minute, second, micros;
	int64_t days;

	if (!digits_read(at, 4, '-', &year) || !digits_read(at, 2, '-', &month) ||
	    !digits_read(at, 2, 'T', &day) || !digits_read(at, 2, ':', &hour) ||
	    !digits_read(at, 2, ':', &minute) || !digits_read(at, 2, '.', &second) ||
	    !digits_read(at, 6, 'Z', &micros) || **at != ' ')
		return false;
	(*at)++;
	if (year < 1970 || year > 2500 || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	days = days_of((int)year, month, day);
	*ret_ns = ((uint64_t)days * 86400 + hour * 3600 + minute * 60 + second) * SECOND_NS +
		  (uint64_t)micros * 1000;
	return true;
}

bool rotate_line_read(struct recent_line *ret_line, char cell[static 64], const char *line,
		      size_t len)
{
	char head[ROTATE_HEAD_SIZE];
	const char *at = head;
	char *end;
	size_t n;

	/* A terminated copy of the front: whatever the file holds, nothing reads past it. */
	n = len < sizeof head - 1 ? len : sizeof head - 1;
	memcpy(head, line, n);
	head[n] = '\0';
	*ret_line = (struct recent_line){ .cell = cell };
	if (!time_read(&at, &ret_line->at_ns))
		return false;
	n = strcspn(at, "/ ");
	if (n == 0 || n >= 64 || at[n] != '/')
		return false;
	memcpy(cell, at, n);
	cell[n] = '\0';
	at += n + 1;
	ret_line->instance = strtoull(at, &end, 10);
	if (end == at || *end != ' ')
		return false;
	at = end + 1;
	ret_line->pid = (uint32_t)strtoul(at, &end, 10);
	if (end == at || *end != ' ')
		return false;
	n = (size_t)(end + 1 - head);
	ret_line->text = line + n;
	ret_line->text_len = len - n;
	ret_line->level = recent_level_of(ret_line->text, ret_line->text_len);
	return true;
}
