#include "diag.h"

#include "vector.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of one source line that is shown. */
#define LINE_MAX_BYTES 400
/* As gcc's -ftabstop. */
#define TAB_STOP 8

struct message {
	enum severity severity;
	struct place place;
	const char *ns;
	const char *text;
	bool is_error; /* also a warning that counts as one */
};

struct diag {
	struct diag_options options;
	int fd;
	struct cell_arena arena;
	VECTOR(struct message) said; /* without notes, unless for JSON */
	size_t errors;
	diag_listen_fn *on_say;
	void *userdata;
	bool is_muted; /* the last message was said before, and so its notes */
	/* The last file that lines were shown of. */
	const char *file;
	char *content;
	size_t content_len;
};

struct diag *diag_new(const struct diag_options *options, int fd)
{
	struct diag *diag = memory_check(calloc(1, sizeof *diag));

	diag->options = *options;
	diag->fd = fd;
	cell_arena_init(&diag->arena, 0);
	return diag;
}

void diag_listen(struct diag *diag, diag_listen_fn *on_say, void *userdata)
{
	diag->on_say = on_say;
	diag->userdata = userdata;
}

size_t diag_errors(const struct diag *diag)
{
	return diag->errors;
}

static void write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

/* --- the source line ----------------------------------------------------------------------
 */

static void content_read(struct diag *diag, const char *file)
{
	struct stat status;
	FILE *stream;
	size_t room = 0;
	ssize_t n;

	if (diag->file && strcmp(diag->file, file) == 0)
		return;
	free(diag->content);
	diag->content = NULL;
	diag->content_len = 0;
	diag->file = memory_copy(&diag->arena, file, strlen(file));
	stream = fopen(file, "re");
	if (!stream)
		return;
	/* A line marker may name anything, also what never ends. */
	if (fstat(fileno(stream), &status) < 0 || !S_ISREG(status.st_mode)) {
		fclose(stream);
		return;
	}
	n = getdelim(&diag->content, &room, '\0', stream);
	diag->content_len = n > 0 ? (size_t)n : 0;
	fclose(stream);
}

/* The line of PLACE; NULL if it cannot be read. */
static const char *line_find(struct diag *diag, const struct place *place, size_t *ret_len)
{
	const char *at, *end, *line_end;
	uint32_t line = 1;

	content_read(diag, place->file);
	at = diag->content;
	end = at + diag->content_len;
	for (; at && at < end && line < place->line; line++) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	if (!at || at >= end)
		return NULL;
	line_end = memchr(at, '\n', (size_t)(end - at));
	*ret_len = (size_t)((line_end ? line_end : end) - at);
	return *ret_len > LINE_MAX_BYTES ? NULL : at;
}

static const char *const colors[] = {
	[SEVERITY_ERROR] = "\033[01;31m\033[K",
	[SEVERITY_WARNING] = "\033[01;35m\033[K",
	[SEVERITY_NOTE] = "\033[01;36m\033[K",
};
static const char *const words[] = {
	[SEVERITY_ERROR] = "error",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_NOTE] = "note",
};

/* Bytes on the way out. */
struct text {
	FILE *stream;
	char *bytes;
	size_t len;
};

static void put_color(struct diag *diag, struct text *text, const char *color)
{
	if (diag->options.color)
		fputs(color, text->stream);
}

/* The columns that are seen of LINE's first N bytes. */
static size_t columns_of(const char *line, size_t n)
{
	size_t columns = 0;

	for (size_t i = 0; i < n; i++)
		if (line[i] == '\t')
			columns += TAB_STOP - columns % TAB_STOP;
		else if ((line[i] & 0xc0) != 0x80)
			columns++;
	return columns;
}

/* LINE's bytes from START to END, tabs as the spaces that they are seen as. */
static void put_bytes(struct text *text, const char *line, size_t start, size_t end)
{
	for (size_t i = start; i < end; i++)
		if (line[i] == '\t')
			fprintf(text->stream, "%*s",
				(int)(columns_of(line, i + 1) - columns_of(line, i)), "");
		else
			putc(line[i], text->stream);
}

/* As gcc: the line with its number, and the bytes underlined. */
static void put_source(struct diag *diag, struct text *text, const struct place *place,
		       enum severity severity)
{
	size_t len = 0, start = place->column ? place->column - 1 : 0, end, columns;
	const char *line = line_find(diag, place, &len);

	if (!line || start > len)
		return;
	end = start + (place->width ? place->width : 1);
	if (end > len)
		end = len;
	fprintf(text->stream, "%5u | ", place->line);
	put_bytes(text, line, 0, start);
	put_color(diag, text, colors[severity]);
	put_bytes(text, line, start, end);
	put_color(diag, text, "\033[m\033[K");
	put_bytes(text, line, end, len);
	fprintf(text->stream, "\n      | %*s", (int)columns_of(line, start), "");
	put_color(diag, text, colors[severity]);
	putc('^', text->stream);
	columns = columns_of(line, end) - columns_of(line, start);
	for (size_t i = 1; i < columns; i++)
		putc('~', text->stream);
	put_color(diag, text, "\033[m\033[K");
	putc('\n', text->stream);
}

/* The column that is said for the byte in COLUMN of PLACE's line. */
static uint32_t column_seen(struct diag *diag, const struct place *place, uint32_t column)
{
	size_t len = 0;
	const char *line = line_find(diag, place, &len);

	if (!line || column == 0 || column - 1 > len)
		return column;
	return (uint32_t)columns_of(line, column - 1) + 1;
}

static uint32_t column_said(struct diag *diag, const struct place *place)
{
	return diag->options.columns_are_bytes ? place->column
					       : column_seen(diag, place, place->column);
}

static const char *option_of(struct diag *diag, const struct message *message)
{
	if (!message->ns || message->severity == SEVERITY_NOTE)
		return NULL;
	return memory_check(
		cell_arena_printf(&diag->arena,
				  message->severity == SEVERITY_WARNING && message->is_error
					  ? "-Werror=cell=%s"
					  : "-Wcell=%s",
				  message->ns));
}

static void print(struct diag *diag, const struct message *message)
{
	enum severity severity = message->severity == SEVERITY_WARNING && message->is_error
					 ? SEVERITY_ERROR
					 : message->severity;
	const char *option = option_of(diag, message);
	struct text text = { 0 };

	text.stream = memory_check(open_memstream(&text.bytes, &text.len));
	put_color(diag, &text, "\033[01m\033[K");
	if (message->place.file && message->place.line)
		fprintf(text.stream, "%s:%u:%u: ", message->place.file, message->place.line,
			column_said(diag, &message->place));
	else
		fputs("cellc: ", text.stream);
	put_color(diag, &text, "\033[m\033[K");
	put_color(diag, &text, colors[severity]);
	fprintf(text.stream, "%s: ", words[severity]);
	put_color(diag, &text, "\033[m\033[K");
	fputs(message->text, text.stream);
	if (option) {
		fputs(" [", text.stream);
		put_color(diag, &text, colors[severity]);
		fputs(option, text.stream);
		put_color(diag, &text, "\033[m\033[K");
		putc(']', text.stream);
	}
	putc('\n', text.stream);
	if (message->place.file && message->place.line)
		put_source(diag, &text, &message->place, severity);
	if (fclose(text.stream) == 0)
		write_all(diag->fd, text.bytes, text.len);
	free(text.bytes);
}

/* --- JSON ---------------------------------------------------------------------------------
 */

static void put_json_string(FILE *stream, const char *string)
{
	putc('"', stream);
	for (; *string; string++)
		if (*string == '"' || *string == '\\')
			fprintf(stream, "\\%c", *string);
		else if (*string == '\n')
			fputs("\\n", stream);
		else if ((uint8_t)*string < 0x20)
			fprintf(stream, "\\u%04x", *string);
		else
			putc(*string, stream);
	putc('"', stream);
}

static void put_json_point(struct diag *diag, FILE *stream, const char *name,
			   const struct place *place, uint32_t column)
{
	uint32_t seen = column_seen(diag, place, column);

	fprintf(stream, "\"%s\": {\"file\": ", name);
	put_json_string(stream, place->file);
	fprintf(stream,
		", \"line\": %u, \"display-column\": %u, \"byte-column\": %u, \"column\": %u}",
		place->line, seen, column, diag->options.columns_are_bytes ? column : seen);
}

static void put_json(struct diag *diag, FILE *stream, const struct message *message)
{
	const struct place *place = &message->place;
	bool is_error = message->severity == SEVERITY_WARNING && message->is_error;
	const char *option = option_of(diag, message);

	fprintf(stream, "{\"kind\": \"%s\", \"column-origin\": 1, \"locations\": [",
		is_error ? "error" : words[message->severity]);
	if (place->file && place->line) {
		putc('{', stream);
		put_json_point(diag, stream, "caret", place, place->column);
		if (place->width > 1) {
			fputs(", ", stream);
			put_json_point(diag, stream, "finish", place,
				       place->column + place->width - 1);
		}
		putc('}', stream);
	}
	fputs("], ", stream);
	if (option) {
		fputs("\"option\": ", stream);
		put_json_string(stream, option);
		fputs(", ", stream);
	}
	fputs("\"escape-source\": false, \"message\": ", stream);
	put_json_string(stream, message->text);
}

static void print_all_json(struct diag *diag)
{
	struct text text = { 0 };

	text.stream = memory_check(open_memstream(&text.bytes, &text.len));
	putc('[', text.stream);
	for (size_t i = 0; i < diag->said.n;) {
		if (i)
			fputs(", ", text.stream);
		put_json(diag, text.stream, &diag->said.items[i++]);
		fputs(", \"children\": [", text.stream);
		for (bool first = true;
		     i < diag->said.n && diag->said.items[i].severity == SEVERITY_NOTE;
		     first = false) {
			if (!first)
				fputs(", ", text.stream);
			put_json(diag, text.stream, &diag->said.items[i++]);
			putc('}', text.stream);
		}
		fputs("]}", text.stream);
	}
	fputs("]\n", text.stream);
	if (fclose(text.stream) == 0)
		write_all(diag->fd, text.bytes, text.len);
	free(text.bytes);
}

void diag_free(struct diag *diag)
{
	if (!diag)
		return;
	if (diag->options.as_json && diag->said.n)
		print_all_json(diag);
	free(diag->content);
	cell_arena_deinit(&diag->arena);
	free(diag);
}

/* --- saying it ----------------------------------------------------------------------------
 */

static bool is_same(const struct message *a, const struct message *b)
{
	const char *x = a->place.file ? a->place.file : "",
		   *y = b->place.file ? b->place.file : "";

	return a->severity == b->severity && a->place.line == b->place.line &&
	       a->place.column == b->place.column && strcmp(x, y) == 0 &&
	       strcmp(a->text, b->text) == 0;
}

static bool was_said(const struct diag *diag, const struct message *message)
{
	for (size_t i = 0; i < diag->said.n; i++)
		if (is_same(&diag->said.items[i], message))
			return true;
	return false;
}

void diag_say(struct diag *diag, enum severity severity, const struct place *place,
	      const char *ns, const char *format, ...)
{
	struct message message = { .severity = severity };
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		abort();
	message.text = memory_copy(&diag->arena, text, (size_t)n);
	free(text);
	if (ns)
		message.ns = memory_copy(&diag->arena, ns, strlen(ns));
	if (place) {
		message.place = *place;
		if (place->file)
			message.place.file =
				memory_copy(&diag->arena, place->file, strlen(place->file));
	}

	if (diag->on_say)
		diag->on_say(diag->userdata, severity, &message.place, message.ns,
			     message.text);
	if (severity == SEVERITY_NOTE) {
		if (diag->is_muted)
			return;
	} else {
		diag->is_muted =
			(severity == SEVERITY_WARNING && diag->options.no_warnings) ||
			was_said(diag, &message);
		if (diag->is_muted)
			return;
		message.is_error =
			severity == SEVERITY_ERROR || diag->options.warnings_are_errors;
		diag->errors += message.is_error;
	}
	if (severity != SEVERITY_NOTE || diag->options.as_json)
		*VECTOR_ADD(&diag->arena, &diag->said) = message;
	if (!diag->options.as_json)
		print(diag, &message);
}

/* --- did you mean -------------------------------------------------------------------------
 */

/* Longer words are never near. */
#define NEAREST_MAX 64

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many insertions, removals, replacements and swaps of neighbours make B of A. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][NEAREST_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2],
					 *next;

	for (size_t k = 0; k <= m; k++)
		last[k] = k;
	for (size_t i = 1; i <= n; i++) {
		row[0] = i;
		for (size_t k = 1; k <= m; k++) {
			row[k] = least(least(last[k], row[k - 1]) + 1,
				       last[k - 1] + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				row[k] = least(row[k], before[k - 2] + 1);
		}
		next = before;
		before = last;
		last = row;
		row = next;
	}
	return last[m];
}

const char *diag_nearest(const char *word, const char *const *words_known, size_t n)
{
	size_t len = strlen(word), best = SIZE_MAX, limit = (len + 2) / 3;
	const char *found = NULL;

	if (len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t m = strlen(words_known[i]), d;

		if (m > NEAREST_MAX || m > len + limit || len > m + limit)
			continue;
		d = distance(word, len, words_known[i], m);
		if (d <= limit && d < best) {
			best = d;
			found = words_known[i];
		}
	}
	return found;
}
