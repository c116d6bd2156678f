#include "writer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must(void *pointer)
{
	if (!pointer) {
		(void)fputs("cellc: out of memory\n", stderr);
		exit(1);
	}
	return pointer;
}

char *must_printf(struct cell_arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = must(cell_arena_alloc(arena, len < 0 ? 1 : (size_t)len + 1));
	va_start(args, format);
	(void)vsnprintf(text, len < 0 ? 1 : (size_t)len + 1, format, args);
	va_end(args);
	return text;
}

void *must_add_(struct cell_arena *arena, void *list, size_t *n, size_t size)
{
	void *old;

	memcpy(&old, list, sizeof old);
	if ((*n & (*n - 1)) == 0) {
		size_t room = *n ? *n * 2 : 1;
		void *grown = must(cell_arena_calloc(arena, room, size));

		if (*n)
			memcpy(grown, old, *n * size);
		memcpy(list, &grown, sizeof grown);
		old = grown;
	}
	return (char *)old + (*n)++ * size;
}

void strings_unite(struct cell_arena *arena, const char *const **list, size_t *n,
		   const char *const *more, size_t n_more)
{
	const char **made = NULL;
	size_t n_made = 0;

	for (size_t i = 0; i < *n; i++)
		*must_add(arena, made, n_made) = (*list)[i];
	for (size_t i = 0; i < n_more; i++) {
		bool is_there = false;

		for (size_t k = 0; k < n_made && !is_there; k++)
			is_there = strcmp(made[k], more[i]) == 0;
		if (!is_there)
			*must_add(arena, made, n_made) = more[i];
	}
	*list = made;
	*n = n_made;
}

struct writer writer_new(struct cell_arena *arena)
{
	struct writer writer = { .arena = arena, .room = 256 };

	writer.text = must(cell_arena_alloc(arena, writer.room));
	writer.text[0] = 0;
	return writer;
}

static void reserve(struct writer *writer, size_t more)
{
	size_t room = writer->room;
	char *grown;

	while (room - writer->len <= more)
		room *= 2;
	if (room == writer->room)
		return;
	grown = must(cell_arena_alloc(writer->arena, room));
	memcpy(grown, writer->text, writer->len + 1);
	writer->text = grown;
	writer->room = room;
}

void writer_add(struct writer *writer, const char *bytes, size_t len)
{
	reserve(writer, len);
	memcpy(writer->text + writer->len, bytes, len);
	writer->len += len;
	writer->text[writer->len] = 0;
}

void writer_put(struct writer *writer, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len <= 0)
		return;
	reserve(writer, (size_t)len);
	va_start(args, format);
	(void)vsnprintf(writer->text + writer->len, (size_t)len + 1, format, args);
	va_end(args);
	writer->len += (size_t)len;
}

void writer_quote(struct writer *writer, const char *text, const char *stop)
{
	for (const char *c = text; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte <= ' ' || byte == '%' || byte == 0x7f || strchr(stop, byte))
			writer_put(writer, "%%%02X", byte);
		else
			writer_add(writer, c, 1);
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int writer_unquote(char *word)
{
	char *out = word;

	for (const char *c = word; *c; c++) {
		if (*c != '%') {
			*out++ = *c;
			continue;
		}
		if (digit(c[1]) < 0 || digit(c[2]) < 0 || digit(c[1]) * 16 + digit(c[2]) == 0)
			return -EINVAL;
		*out++ = (char)(digit(c[1]) * 16 + digit(c[2]));
		c += 2;
	}
	*out = 0;
	return 0;
}

const char *hex_of(struct cell_arena *arena, const uint8_t *bytes, size_t n)
{
	char *text = must(cell_arena_alloc(arena, n * 2 + 1));

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	text[2 * n] = 0;
	return text;
}

int hex_parse(struct cell_arena *arena, const char *text, uint8_t **ret_bytes, size_t *ret_n)
{
	size_t len = strlen(text);
	uint8_t *bytes;

	if (len % 2)
		return -EINVAL;
	bytes = must(cell_arena_alloc(arena, len / 2 + 1));
	for (size_t i = 0; i < len / 2; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret_bytes = bytes;
	*ret_n = len / 2;
	return 0;
}
