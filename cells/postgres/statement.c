#include "statement.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define TRANSACTION "each query is a transaction of its own: it cannot begin or end one"
#define SESSION	    "connections are shared: a query cannot change or use what belongs to a session"

static const struct {
	const char *word, *why;
} refused[] = {
	{ "begin", TRANSACTION },
	{ "start", TRANSACTION },
	{ "commit", TRANSACTION },
	{ "end", TRANSACTION },
	{ "rollback", TRANSACTION },
	{ "abort", TRANSACTION },
	{ "savepoint", TRANSACTION },
	{ "release", TRANSACTION },
	{ "set", SESSION },
	{ "reset", SESSION },
	{ "discard", SESSION },
	{ "prepare", SESSION },
	{ "execute", SESSION },
	{ "deallocate", SESSION },
	{ "declare", SESSION },
	{ "fetch", SESSION },
	{ "move", SESSION },
	{ "close", SESSION },
	{ "listen", SESSION },
	{ "unlisten", SESSION },
	{ "load", SESSION },
	{ "copy", "COPY has a protocol of its own: use SELECT or INSERT" },
};

/* Behind a comment that may have others in it. */
static const char *skip_comment(const char *at)
{
	size_t depth = 0;

	do {
		if (at[0] == '/' && at[1] == '*') {
			depth++;
			at += 2;
		} else if (at[0] == '*' && at[1] == '/') {
			depth--;
			at += 2;
		} else if (*at) {
			at++;
		}
	} while (depth && *at);
	return at;
}

static const char *skip_blanks(const char *at)
{
	for (;;) {
		at += strspn(at, " \t\r\n\f\v;");
		if (at[0] == '-' && at[1] == '-')
			at += strcspn(at, "\r\n");
		else if (at[0] == '/' && at[1] == '*')
			at = skip_comment(at);
		else
			return at;
	}
}

const char *statement_fault(const char *text)
{
	const char *at = skip_blanks(text);
	size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");

	if (!*at)
		return "there is no statement in it";
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (strlen(refused[i].word) == n && strncasecmp(at, refused[i].word, n) == 0)
			return refused[i].why;
	return NULL;
}
