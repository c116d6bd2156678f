#include "conf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static char *trimmed(char *from, char *to)
{
	while (from < to && isspace((unsigned char)*from))
		from++;
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	*to = '\0';
	return from;
}

static int number(unsigned *ret, const struct conf_word *word, unsigned max, struct cell_error *err)
{
	char *end;
	unsigned long n = strtoul(word->value, &end, 10);

	if (*end || !isdigit((unsigned char)*word->value) || n < 1 || n > max)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "line %u: %s is a number from 1 to %u",
				 word->line, word->key, max);
	*ret = (unsigned)n;
	return 0;
}

static int take(struct conf *conf, const struct conf_word *word, struct cell_error *err)
{
	if (strcmp(word->key, "pool") == 0)
		return number(&conf->pool, word, CONF_POOL_MAX, err);
	if (strcmp(word->key, "wait") == 0)
		return number(&conf->wait_ms, word, CONF_WAIT_MAX, err);
	for (size_t i = 0; i < conf->n_words; i++)
		if (strcmp(conf->words[i].key, word->key) == 0)
			return cell_fail(err, CELL_INVALID_ARGUMENT,
					 "line %u: %.40s is on line %u already", word->line, word->key,
					 conf->words[i].line);
	if (conf->n_words == CONF_WORDS_MAX)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "line %u: more than %d settings",
				 word->line, CONF_WORDS_MAX);
	if (strcmp(word->key, "password") == 0 || strcmp(word->key, "sslpassword") == 0)
		conf->has_password = true;
	conf->words[conf->n_words++] = *word;
	return 0;
}

static int line_parse(struct conf *conf, char *from, char *to, unsigned line, struct cell_error *err)
{
	struct conf_word word = { .line = line };
	char *value, *equals, *end;

	from = trimmed(from, to);
	if (!*from || *from == '#')
		return 0;
	equals = strchr(from, '=');
	if (!equals)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "line %u: no '=' in it", line);
	value = trimmed(equals + 1, equals + 1 + strlen(equals + 1));
	word.key = trimmed(from, equals);
	end = value + strlen(value);
	if (*value == '\'') {
		if (end - value < 2 || end[-1] != '\'')
			return cell_fail(err, CELL_INVALID_ARGUMENT, "line %u: no closing quote", line);
		end[-1] = '\0';
		value++;
	}
	word.value = value;
	return take(conf, &word, err);
}

int conf_parse(struct conf *ret, const char *text, size_t len, struct cell_error *err)
{
	unsigned line = 1;
	int r = 0;

	memset(ret, 0, sizeof *ret);
	ret->pool = CONF_POOL_DEFAULT;
	ret->wait_ms = CONF_WAIT_DEFAULT;
	if (len >= sizeof ret->text)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "%zu bytes, at most %zu", len,
				 sizeof ret->text - 1);
	if (memchr(text, '\0', len))
		return cell_fail(err, CELL_INVALID_ARGUMENT, "a NUL byte is in it");
	memcpy(ret->text, text, len);
	for (char *at = ret->text, *end = ret->text + len; !r && at < end; line++) {
		char *newline = memchr(at, '\n', (size_t)(end - at));
		char *next = newline ? newline + 1 : end;

		r = line_parse(ret, at, newline ? newline : end, line, err);
		at = next;
	}
	return r;
}

void conf_wipe(struct conf *conf)
{
	explicit_bzero(conf, sizeof *conf);
}
