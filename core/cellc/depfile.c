#include "depfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As make reads it back: blanks and '#' behind a backslash, '$' twice. */
static void write_name(FILE *out, const char *name)
{
	for (; *name; name++) {
		if (*name == ' ' || *name == '\t' || *name == '#')
			(void)putc('\\', out);
		if (*name == '$')
			(void)putc('$', out);
		(void)putc(*name, out);
	}
}

/* Where the first rule ends: the newline that no backslash takes away. */
static size_t rule_end(const char *rules, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (rules[i] == '\n' && (i == 0 || rules[i - 1] != '\\'))
			return i;
	return len;
}

const char *depfile_append(const char *rules, size_t len, const char *const *files, size_t n,
			   struct cell_arena *arena)
{
	size_t end = rule_end(rules, len), text_len = 0;
	char *text = NULL, *copy;
	FILE *out = open_memstream(&text, &text_len);

	if (!out)
		return NULL;
	(void)fwrite(rules, 1, end, out);
	for (size_t i = 0; i < n; i++) {
		(void)fputs(" \\\n ", out);
		write_name(out, files[i]);
	}
	if (end < len)
		(void)fwrite(rules + end, 1, len - end, out);
	else
		(void)putc('\n', out);
	for (size_t i = 0; i < n; i++) {
		write_name(out, files[i]);
		(void)fputs(":\n", out);
	}
	copy = fclose(out) == 0 ? cell_arena_strndup(arena, text, text_len) : NULL;
	free(text);
	return copy;
}
