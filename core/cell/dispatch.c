#include "dispatch.h"

#include "offer.h"
#include "verbs.h"

#include "../libcell/guess.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* argv[0], the common options, a NULL. */
#define FIXED_ARGS 16

static int verb_unknown(const struct command *command, const char *name)
{
	struct guess guess = { .word = name };
	struct verbs verbs;
	char plain[80];

	verbs_find(&verbs, false);
	for (size_t i = 0; i < verbs.n; i++)
		guess_try(&guess, verbs.list[i].name);
	guess_try(&guess, "help");
	fprintf(command->err.file, "cell: no such verb: '%s'",
		out_plain(plain, sizeof plain, name));
	if (guess.best)
		fprintf(command->err.file, " (did you mean '%s'?)", guess.best);
	fputs("\ncell help lists them\n", command->err.file);
	verbs_free(&verbs);
	return 2;
}

/* PROGRAM becomes us: FIRST (NULL-terminated) and then N ARGS. Returns if it cannot. */
static int execute(const char *path, char *const *first, char **args, size_t n)
{
	char **argv = calloc(n + FIXED_ARGS + 1, sizeof(char *));
	size_t k = 0;

	if (!argv)
		return -ENOMEM;
	while (*first)
		argv[k++] = *first++;
	for (size_t i = 0; i < n; i++)
		argv[k++] = args[i];
	(void)execv(path, argv);
	free(argv);
	return -errno;
}

int dispatch(const struct command *command, const char *verb, char **args, size_t n)
{
	const struct opts_common *common = &command->opts.common;
	char *path = verb_path(verb), name[128], color[32], *first[FIXED_ARGS];
	size_t k = 0;
	int r;

	if (!path)
		return verb_unknown(command, verb);
	(void)snprintf(name, sizeof name, "cell-%s", verb);
	(void)snprintf(color, sizeof color, "--color=%s", common->color);
	first[k++] = name;
	if (common->json)
		first[k++] = (char *)"--json";
	if (strcmp(common->color, "auto") != 0)
		first[k++] = color;
	/* More than three of each say nothing new. */
	for (unsigned i = 0; i < common->quiet && i < 3; i++)
		first[k++] = (char *)"-q";
	for (unsigned i = 0; i < common->verbose && i < 3; i++)
		first[k++] = (char *)"-v";
	first[k] = NULL;
	r = execute(path, first, args, n);
	fprintf(command->err.file, "cell: %s: %s\n", path, strerror(-r));
	free(path);
	return 1;
}

int dispatch_complete(char **words, size_t n)
{
	char name[] = "cell", complete[] = "--complete", *first[] = { name, complete, NULL };
	size_t i = 0;
	char *path;

	/* Options before the verb, two of which have a value. */
	while (i + 1 < n && words[i][0] == '-') {
		bool is_rundir = strcmp(words[i], "--rundir") == 0;
		bool has_value = is_rundir || strcmp(words[i], "--color") == 0;

		if (has_value && i + 2 == n) {
			fputs(is_rundir ? ":folders\n" : "auto\nalways\nnever\n", stdout);
			return 0;
		}
		i += has_value ? 2 : 1;
	}
	if (i + 1 >= n || strcmp(words[i], "help") == 0) {
		if (n && words[n - 1][0] == '-')
			fputs("--json\n--rundir\n--color\n--quiet\n--verbose\n--help\n--version\n",
			      stdout);
		else
			offer_words(NULL, OPTS_VERB, NULL, 0, stdout);
		return 0;
	}
	path = verb_path(words[i]);
	if (path)
		(void)execute(path, first, words + i + 1, n - i - 1);
	free(path);
	return 1;
}
