#include <cell/internal/out.h>

#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* A terminal narrower than this is not believed. */
#define WIDTH_MIN 20

/* ---- streams -------------------------------------------------------------------------- */

static size_t width_find(FILE *file)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long n;

	if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col >= WIDTH_MIN)
		return size.ws_col;
	n = columns ? strtol(columns, NULL, 10) : 0;
	return n >= WIDTH_MIN ? (size_t)n : 80;
}

struct out out_open(FILE *file, const char *when)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	struct out out = { .file = file, .width = SIZE_MAX };

	out.is_terminal = isatty(fileno(file));
	if (out.is_terminal)
		out.width = width_find(file);
	out.is_colored = out.is_terminal && !(no_color && *no_color) && term &&
			 strcmp(term, "dumb") != 0;
	if (strcmp(when, "auto") != 0)
		out.is_colored = strcmp(when, "always") == 0;
	return out;
}

const char *out_style(const struct out *out, enum out_style style)
{
	static const char *const sequences[] = {
		[OUT_PLAIN] = "\033[0m", [OUT_BOLD] = "\033[1m",  [OUT_DIM] = "\033[2m",
		[OUT_GOOD] = "\033[32m", [OUT_WARN] = "\033[33m", [OUT_BAD] = "\033[31m",
	};

	return out->is_colored ? sequences[style] : "";
}

void out_print(const struct out *out, enum out_style style, const char *format, ...)
{
	va_list args;

	if (style != OUT_PLAIN)
		fputs(out_style(out, style), out->file);
	va_start(args, format);
	vfprintf(out->file, format, args);
	va_end(args);
	if (style != OUT_PLAIN)
		fputs(out_style(out, OUT_PLAIN), out->file);
}

/* The next character of *TEXT, which moves past it, and its columns; L'?' for what is none.
 */
static wchar_t char_next(const char **text, int *ret_columns)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n = mbrtowc(&c, *text, MB_CUR_MAX, &state);

	if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
		*text += **text != '\0';
		*ret_columns = 1;
		return L'?';
	}
	*text += n;
	*ret_columns = wcwidth(c);
	if (*ret_columns >= 0)
		return c;
	*ret_columns = 1;
	return L'?';
}

size_t out_width(const char *text)
{
	size_t width = 0;
	int columns;

	while (*text) {
		(void)char_next(&text, &columns);
		width += (size_t)columns;
	}
	return width;
}

/* Copy TEXT to OUT until SIZE bytes or WIDTH columns are used up. */
static char *plain_copy(char *out, size_t size, size_t width, const char *text)
{
	size_t n = 0, used = 0;

	while (*text) {
		const char *from = text;
		int columns;
		wchar_t c = char_next(&text, &columns);
		bool is_same = c != L'?' || *from == '?';
		size_t len = is_same ? (size_t)(text - from) : 1;

		if (n + len >= size || used + (size_t)columns > width)
			break;
		if (is_same)
			memcpy(out + n, from, len);
		else
			out[n] = '?';
		n += len;
		used += (size_t)columns;
	}
	out[n] = '\0';
	return out;
}

char *out_plain(char *out, size_t size, const char *text)
{
	return plain_copy(out, size, SIZE_MAX, text);
}

/* ---- tables ------------------------------------------------------------------------------
 */

struct table_cell {
	char *text;
	size_t width;
	enum out_style style;
};

struct out_table {
	const struct out_column *columns;
	size_t n_columns;
	struct table_cell *cells;
	size_t n_cells;
	size_t size;
};

static void *must(void *memory)
{
	if (!memory) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return memory;
}

struct out_table *out_table_new(const struct out_column *columns)
{
	struct out_table *table = must(calloc(1, sizeof *table));

	table->columns = columns;
	while (columns[table->n_columns].title)
		table->n_columns++;
	return table;
}

void out_table_free(struct out_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void out_cell(struct out_table *table, enum out_style style, const char *format, ...)
{
	char *text = NULL, *plain;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	must(text);
	plain = must(malloc(strlen(text) + 1));
	(void)out_plain(plain, strlen(text) + 1, text);
	free(text);
	if (table->n_cells == table->size) {
		table->size = table->size ? 2 * table->size : 64;
		table->cells =
			must(realloc(table->cells, table->size * sizeof table->cells[0]));
	}
	table->cells[table->n_cells++] =
		(struct table_cell){ plain, out_width(plain), style };
}

size_t out_table_rows(const struct out_table *table)
{
	return table->n_cells / table->n_columns;
}

/* The width of each column, so that all fit into the terminal if those that may shrink do. */
static void widths_find(const struct out_table *table, size_t max, size_t *widths)
{
	size_t total = 2 * (table->n_columns - 1), shrinking = 0;

	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = out_width(table->columns[i].title);
	for (size_t i = 0; i < table->n_cells; i++)
		if (table->cells[i].width > widths[i % table->n_columns])
			widths[i % table->n_columns] = table->cells[i].width;
	for (size_t i = 0; i < table->n_columns; i++) {
		total += widths[i];
		shrinking += table->columns[i].may_shrink;
	}
	while (total > max && shrinking) {
		size_t widest = SIZE_MAX;

		for (size_t i = 0; i < table->n_columns; i++)
			if (table->columns[i].may_shrink &&
			    (widest == SIZE_MAX || widths[i] > widths[widest]))
				widest = i;
		if (widths[widest] <= 4)
			break;
		widths[widest]--;
		total--;
	}
}

/* A row in the making: blanks are written only when something follows them. */
struct row {
	const struct out *out;
	size_t blanks;
};

static void row_put(struct row *row, const char *text, size_t text_width, size_t width,
		    bool is_right, enum out_style style)
{
	const char *ellipsis = "";
	char *cut = NULL;
	size_t pad;

	/* What is cut shows that it was. */
	if (text_width > width) {
		cut = must(malloc(strlen(text) + 1));
		text = plain_copy(cut, strlen(text) + 1, width - 1, text);
		text_width = out_width(text) + 1;
		ellipsis = MB_CUR_MAX > 1 ? "…" : "~";
	}
	pad = width > text_width ? width - text_width : 0;
	row->blanks += is_right ? pad : 0;
	if (text_width) {
		fprintf(row->out->file, "%*s", (int)row->blanks, "");
		out_print(row->out, style, "%s%s", text, ellipsis);
		row->blanks = 0;
	}
	row->blanks += is_right ? 2 : pad + 2;
	free(cut);
}

void out_table_print(const struct out_table *table, const struct out *out)
{
	size_t n = table->n_columns;
	size_t *widths = must(calloc(n, sizeof *widths));
	struct row row = { .out = out };

	if (table->n_cells) {
		widths_find(table, out->width, widths);
		for (size_t i = 0; i < n; i++)
			row_put(&row, table->columns[i].title,
				out_width(table->columns[i].title), widths[i],
				table->columns[i].is_right, OUT_BOLD);
		fputc('\n', out->file);
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		const struct table_cell *cell = &table->cells[i];

		if (i % n == 0)
			row.blanks = 0;
		row_put(&row, cell->text, cell->width, widths[i % n],
			table->columns[i % n].is_right, cell->style);
		if (i % n == n - 1)
			fputc('\n', out->file);
	}
	free(widths);
}

/* ---- JSON ------------------------------------------------------------------------------ */

static void json_put(FILE *file, const json_t *value, bool is_pretty, int depth);

static void newline(FILE *file, bool is_pretty, int depth)
{
	if (is_pretty)
		fprintf(file, "\n%*s", 2 * depth, "");
}

static void json_put_string(FILE *file, const char *text, size_t len)
{
	json_t *value = json_stringn_nocheck(text, len);

	/* jansson knows what to escape. */
	if (!value || json_dumpf(value, file, JSON_ENCODE_ANY) < 0)
		fputs("null", file);
	json_decref(value);
}

static void json_put_object(FILE *file, const json_t *object, bool is_pretty, int depth)
{
	bool is_first = true;
	const char *key;
	json_t *value;
	size_t len;

	fputc('{', file);
	json_object_keylen_foreach((json_t *)(uintptr_t)object, key, len, value)
	{
		if (!is_first)
			fputc(',', file);
		newline(file, is_pretty, depth + 1);
		json_put_string(file, key, len);
		fputs(is_pretty ? ": " : ":", file);
		json_put(file, value, is_pretty, depth + 1);
		is_first = false;
	}
	if (!is_first)
		newline(file, is_pretty, depth);
	fputc('}', file);
}

static void json_put_array(FILE *file, const json_t *array, bool is_pretty, int depth)
{
	size_t i, n = json_array_size(array);

	fputc('[', file);
	for (i = 0; i < n; i++) {
		if (i)
			fputc(',', file);
		newline(file, is_pretty, depth + 1);
		json_put(file, json_array_get(array, i), is_pretty, depth + 1);
	}
	if (n)
		newline(file, is_pretty, depth);
	fputc(']', file);
}

static void json_put(FILE *file, const json_t *value, bool is_pretty, int depth)
{
	char number[TEXT_NUMBER_SIZE];

	switch (json_typeof(value)) {
	case JSON_OBJECT: json_put_object(file, value, is_pretty, depth); break;
	case JSON_ARRAY: json_put_array(file, value, is_pretty, depth); break;
	case JSON_STRING:
		json_put_string(file, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		fprintf(file, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		text_double_write(number, json_real_value(value));
		fputs(number, file);
		break;
	case JSON_TRUE: fputs("true", file); break;
	case JSON_FALSE: fputs("false", file); break;
	case JSON_NULL: fputs("null", file); break;
	}
}

int out_json(FILE *file, const json_t *value, bool is_pretty)
{
	json_put(file, value, is_pretty, 0);
	fputc('\n', file);
	return ferror(file) ? -EIO : 0;
}

char *out_json_text(const json_t *value, bool is_pretty)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	json_put(file, value, is_pretty, 0);
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- numbers for people -------------------------------------------------------------------
 */

/* VALUE in units of BASE, with one digit after the point while it is below 100. */
static char *scaled(char out[OUT_NUMBER_SIZE], double value, double base,
		    const char *const *units)
{
	while (value >= base - 0.5 && units[1]) {
		value /= base;
		units++;
	}
	/* The first unit counts whole things. */
	(void)snprintf(out, OUT_NUMBER_SIZE,
		       value < 100 && value != (double)(uint64_t)value ? "%.1f%s" : "%.0f%s",
		       value, *units);
	return out;
}

char *out_bytes(char out[OUT_NUMBER_SIZE], uint64_t bytes)
{
	static const char *const units[] = { "B", "K", "M", "G", "T", NULL };

	return scaled(out, (double)bytes, 1024, units);
}

char *out_count(char out[OUT_NUMBER_SIZE], double count)
{
	static const char *const units[] = { "", "k", "M", "G", NULL };

	return scaled(out, count, 1000, units);
}

char *out_duration(char out[OUT_NUMBER_SIZE], uint64_t ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s", NULL };
	uint64_t s = ns / 1000000000;

	if (ns == 0)
		return strcpy(out, "0s");
	if (s < 60)
		return scaled(out, (double)ns, 1000, units);
	if (s < 3600)
		(void)snprintf(out, OUT_NUMBER_SIZE, "%um%02us", (unsigned)(s / 60),
			       (unsigned)(s % 60));
	else if (s < 86400)
		(void)snprintf(out, OUT_NUMBER_SIZE, "%uh%02um", (unsigned)(s / 3600),
			       (unsigned)(s / 60 % 60));
	else
		(void)snprintf(out, OUT_NUMBER_SIZE, "%ud%02uh", (unsigned)(s / 86400),
			       (unsigned)(s / 3600 % 24));
	return out;
}

/* ---- waiting
 * -------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void out_progress(struct out_progress *progress, const char *format, ...)
{
	static const char wheel[] = { '|', '/', '-', '\\' };
	char text[256], line[256];
	uint64_t now = now_ns();
	va_list args;

	if (!progress->since_ns)
		progress->since_ns = now;
	if (!progress->out->is_terminal)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)plain_copy(line, sizeof line, progress->out->width - 16, text);
	fprintf(progress->out->file, "\r\033[K%c %s %.1fs",
		wheel[progress->turns++ % sizeof wheel], line,
		(double)(now - progress->since_ns) / 1e9);
	fflush(progress->out->file);
	progress->is_shown = true;
}

void out_progress_end(struct out_progress *progress)
{
	if (!progress->is_shown)
		return;
	fputs("\r\033[K", progress->out->file);
	fflush(progress->out->file);
	progress->is_shown = false;
}
