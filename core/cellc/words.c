#include "command_work.h"

#include <errno.h>
#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word at *AT before END, written to OUT with its NUL; false at the end. */
static bool word_next(const char **at, const char *end, char **out)
{
	char quote = '\0';

	while (*at < end && (is_space(**at) || !**at))
		(*at)++;
	if (*at == end)
		return false;
	for (; *at < end; (*at)++) {
		char c = **at;

		if (c == '\\' && *at + 1 < end) {
			*(*out)++ = *++*at;
		} else if (quote) {
			if (c == quote)
				quote = '\0';
			else
				*(*out)++ = c;
		} else if (c == '\'' || c == '"') {
			quote = c;
		} else if (is_space(c) || !c) {
			break;
		} else {
			*(*out)++ = c;
		}
	}
	*(*out)++ = '\0';
	return true;
}

int command_split(const char *text, size_t len, struct cell_arena *arena, char ***ret_words,
		  size_t *ret_n, struct cell_error *err)
{
	/* A word and its NUL never take more than the word and what ends it, but the last. */
	char *out = cell_arena_alloc(arena, len + 2);
	char **words = cell_arena_calloc(arena, len / 2 + 2, sizeof *words);
	const char *at = text;
	size_t n = 0;

	if (!out || !words)
		return cell_fail(err, -ENOMEM, "reading words");
	for (char *word = out; word_next(&at, text + len, &out); word = out)
		words[n++] = word;
	*ret_words = words;
	*ret_n = n;
	return 0;
}

/* Room for MORE words beyond those that are there. */
static int words_grow(struct parser *parser, size_t more)
{
	struct word *words;

	if (parser->n_words + more > COMMAND_WORDS_MAX)
		return cell_fail(parser->err, CELL_INVALID_ARGUMENT,
				 "more than %d words on the command line", COMMAND_WORDS_MAX);
	words = cell_arena_calloc(parser->arena, parser->n_words + more + 1, sizeof *words);
	if (!words)
		return parser_no_memory(parser);
	if (parser->n_words)
		memcpy(words, parser->words, parser->n_words * sizeof *words);
	parser->words = words;
	return 0;
}

/* Put what the @file at INDEX holds in its place; that it cannot be read is no error. */
static int words_read(struct parser *parser, size_t index)
{
	struct word word = parser->words[index];
	const char *text;
	size_t len, n, behind = parser->n_words - index - 1;
	char **inner;
	int r;

	if (!parser->files_left || !parser->read ||
	    parser->read(parser->userdata, word.text + 1, parser->arena, &text, &len) < 0)
		return 1;
	parser->files_left--;
	r = command_split(text, len, parser->arena, &inner, &n, parser->err);
	if (r == 0)
		r = words_grow(parser, n);
	if (r < 0)
		return r;
	memmove(parser->words + index + n, parser->words + index + 1,
		behind * sizeof *parser->words);
	for (size_t i = 0; i < n; i++)
		parser->words[index + i] = (struct word){ inner[i], word.of, true };
	parser->n_words += n;
	parser->n_words--;
	return 0;
}

int words_collect(struct parser *parser, int argc, char **argv)
{
	int r = words_grow(parser, (size_t)argc);

	if (r < 0)
		return r;
	for (int i = 0; i < argc; i++)
		parser->words[parser->n_words++] = (struct word){ argv[i], (size_t)i, false };
	for (size_t i = 1; i < parser->n_words;) {
		if (parser->words[i].text[0] != '@') {
			i++;
			continue;
		}
		r = words_read(parser, i);
		if (r < 0)
			return r;
		if (r > 0)
			i++;
	}
	return 0;
}
