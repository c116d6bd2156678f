#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_COLUMNS 90
#define TAB_COLUMNS      8

void *take(size_t size)
{
	void *at = calloc(1, size ? size : 1);

	if (!at) {
		fprintf(stderr, "protoc-gen-cell: no memory for %zu bytes\n", size);
		exit(1);
	}
	return at;
}

__attribute__((format(printf, 1, 0))) static char *take_vprintf(const char *format,
								va_list args)
{
	va_list again;
	char *text;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	text = take(len < 0 ? 1 : (size_t)len + 1);
	if (len > 0)
		(void)vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}

char *take_printf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = take_vprintf(format, args);
	va_end(args);
	return text;
}

void text_add(struct text *text, const char *bytes)
{
	size_t len = strlen(bytes);

	if (text->room - text->len <= len) {
		size_t room = 2 * (text->len + len) + 1024;
		char *more = take(room);

		if (text->len)
			memcpy(more, text->bytes, text->len);
		free(text->bytes);
		text->bytes = more;
		text->room = room;
	}
	memcpy(text->bytes + text->len, bytes, len + 1);
	text->len += len;
}

void text_put(struct text *text, const char *format, ...)
{
	va_list args;
	char *formatted;

	va_start(args, format);
	formatted = take_vprintf(format, args);
	va_end(args);
	text_add(text, formatted);
	free(formatted);
}

static size_t columns(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n = *text == '\n' ? 0 : *text == '\t' ? n + TAB_COLUMNS : n + 1;
	return n;
}

void text_put_call(struct text *text, const char *head, const char *const *args, size_t n,
		   const char *tail)
{
	static const char indent[] = "\n\t\t";
	size_t column = columns(head) + 1;

	text_put(text, "%s(", head);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(args[i]) + 1 + (i + 1 < n ? 0 : strcspn(tail, "\n"));

		if (i && column + 1 + len > LINE_MAX_COLUMNS) {
			text_add(text, indent);
			column = 2 * TAB_COLUMNS;
		} else if (i) {
			text_add(text, " ");
			column++;
		}
		text_put(text, "%s%s", args[i], i + 1 < n ? "," : "");
		column += len;
	}
	text_put(text, ")%s", tail);
}
