#include <cell/internal/gen.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_COLUMNS 90
#define TAB_COLUMNS      8

/* What a run has taken: blocks in a list, with their bytes behind them. */
struct block {
	struct block *next;
	_Alignas(max_align_t) unsigned char bytes[];
};

static struct {
	jmp_buf out_of_memory;
	struct block *blocks;
	bool is_on;
} run;

int gen_run(int (*fn)(void *userdata), void *userdata)
{
	int r = -ENOMEM;

	run.is_on = true;
	if (!setjmp(run.out_of_memory))
		r = fn(userdata);
	run.is_on = false;
	while (run.blocks) {
		struct block *block = run.blocks;

		run.blocks = block->next;
		free(block);
	}
	return r;
}

void *gen_take(size_t size)
{
	struct block *block = size < SIZE_MAX - sizeof *block
				      ? calloc(1, sizeof *block + (size ? size : 1))
				      : NULL;

	if (block && run.is_on) {
		block->next = run.blocks;
		run.blocks = block;
	}
	if (block)
		return block->bytes;
	if (run.is_on)
		longjmp(run.out_of_memory, 1);
	fprintf(stderr, "no memory for %zu bytes\n", size);
	exit(1);
}

__attribute__((format(printf, 1, 0))) static char *take_vprintf(const char *format,
								va_list args)
{
	va_list again;
	char *text;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	text = gen_take(len < 0 ? 1 : (size_t)len + 1);
	if (len > 0)
		(void)vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}

char *gen_printf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = take_vprintf(format, args);
	va_end(args);
	return text;
}

void gen_add(struct gen_text *text, const char *bytes)
{
	size_t len = strlen(bytes);

	if (text->room - text->len <= len) {
		size_t room = 2 * (text->len + len) + 1024;
		char *more = gen_take(room);

		if (text->len)
			memcpy(more, text->bytes, text->len);
		text->bytes = more;
		text->room = room;
	}
	memcpy(text->bytes + text->len, bytes, len + 1);
	text->len += len;
}

void gen_put(struct gen_text *text, const char *format, ...)
{
	va_list args;
	char *formatted;

	va_start(args, format);
	formatted = take_vprintf(format, args);
	va_end(args);
	gen_add(text, formatted);
}

static size_t columns(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n = *text == '\n' ? 0 : *text == '\t' ? n + TAB_COLUMNS : n + 1;
	return n;
}

void gen_put_call(struct gen_text *text, const char *head, const char *const *args, size_t n,
		  const char *tail)
{
	static const char indent[] = "\n\t\t";
	size_t column = columns(head) + 1;

	gen_put(text, "%s(", head);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(args[i]) + 1 + (i + 1 < n ? 0 : strcspn(tail, "\n"));

		if (i && column + 1 + len > LINE_MAX_COLUMNS) {
			gen_add(text, indent);
			column = 2 * TAB_COLUMNS;
		} else if (i) {
			gen_add(text, " ");
			column++;
		}
		gen_put(text, "%s%s", args[i], i + 1 < n ? "," : "");
		column += len;
	}
	gen_put(text, ")%s", tail);
}
