#include "text.h"

#include "../libcell/macro_work.h"

#include <cell/cell.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void append(struct text *text, const char *bytes, size_t len)
{
	if (text->room - text->len <= len) {
		size_t room = text->room ? text->room : 1024;
		char *grown;

		while (room - text->len <= len)
			room *= 2;
		grown = cell_arena_alloc(cell_arena(cell_macro_call(text->work)), room);
		if (!grown) {
			text->work->is_out_of_memory = true;
			return;
		}
		if (text->len)
			memcpy(grown, text->bytes, text->len);
		text->bytes = grown;
		text->room = room;
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
}

void text_add(struct text *text, const char *bytes)
{
	append(text, bytes, strlen(bytes));
}

void text_put(struct text *text, const char *format, ...)
{
	va_list args, again;
	char small[512], *all;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(small, sizeof small, format, args);
	va_end(args);
	if (len >= (int)sizeof small) {
		all = cell_arena_alloc(cell_arena(cell_macro_call(text->work)),
				       (size_t)len + 1);
		if (!all)
			text->work->is_out_of_memory = true;
		else if (vsnprintf(all, (size_t)len + 1, format, again) == len)
			append(text, all, (size_t)len);
	} else if (len > 0) {
		append(text, small, (size_t)len);
	}
	va_end(again);
}

static const char *word_value(const char *const *words, const char *name, size_t len)
{
	for (; words[0]; words += 2)
		if (strlen(words[0]) == len && memcmp(words[0], name, len) == 0)
			return words[1];
	return NULL;
}

void text_template(struct text *text, const char *format, const char *const *words)
{
	while (*format) {
		size_t plain = strcspn(format, "$");
		const char *name = format + plain + 1, *value;
		size_t len;

		append(text, format, plain);
		if (!format[plain])
			return;
		len = strcspn(name, "$");
		value = word_value(words, name, len);
		cell_assert(name[len] == '$' && value);
		text_add(text, value);
		format = name + len + 1;
	}
}

void text_literal(struct text *text, const char *value)
{
	text_add(text, "\"");
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		/* "??" would begin a trigraph, and '$' is for the names of wrappers. */
		if (c == '"' || c == '\\')
			text_put(text, "\\%c", c);
		else if (c == '?' || c == '$' || c < ' ' || c == 0x7f)
			text_put(text, "\\%03o", c);
		else
			text_put(text, "%c", c);
	}
	text_add(text, "\"");
}

void text_piece(const struct text *text, const struct macro_attribute *mine,
		enum macro_anchor anchor, enum macro_piece_kind kind)
{
	if (text->len)
		cell_piece_put(cell_piece(text->work, mine, anchor, kind), "%s", text->bytes);
}
