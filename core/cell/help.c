/* What `cell help` shows. */
#include "dispatch.h"

#include "verbs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The order in which somebody new meets them; what is in no group comes last. */
static const struct {
	const char *title;
	const char *const verbs[10];
} groups[] = {
	{ "Start and stop", { "init", "up", "down", "upgrade", "run", "retire" } },
	{ "Look", { "ps", "top", "health", "logs", "describe", "spy", "doctor" } },
	{ "Use", { "call" } },
	{ "Write", { "new", "build", "generate" } },
};
#define N_GROUPS (sizeof groups / sizeof groups[0])

static bool is_grouped(const char *name)
{
	for (size_t i = 0; i < N_GROUPS; i++)
		for (const char *const *verb = groups[i].verbs; *verb; verb++)
			if (strcmp(*verb, name) == 0)
				return true;
	return false;
}

static void verb_print(FILE *file, const struct verb *verb)
{
	fprintf(file, "  %-12s %.64s\n", verb->name, verb->summary);
}

void help_overview(FILE *file)
{
	struct verbs verbs;
	bool has_more = false;

	verbs_find(&verbs, true);
	fputs("cell: processes that call each other\n"
	      "\n"
	      "  cell up                                        start the node\n"
	      "  cell call greeter greet '{\"name\": \"Ada\"}'      call a cell\n"
	      "  cell ps                                        see what runs\n"
	      "  cell help call                                 read more about a verb\n"
	      "\n"
	      "Usage:\n"
	      "  cell [OPTION]... VERB [ARGUMENT]...\n",
	      file);
	for (size_t i = 0; i < N_GROUPS; i++) {
		fprintf(file, "\n%s:\n", groups[i].title);
		for (const char *const *name = groups[i].verbs; *name; name++)
			if (verbs_get(&verbs, *name))
				verb_print(file, verbs_get(&verbs, *name));
	}
	for (size_t i = 0; i < verbs.n; i++) {
		if (is_grouped(verbs.list[i].name))
			continue;
		if (!has_more)
			fputs("\nCells and others:\n", file);
		has_more = true;
		verb_print(file, &verbs.list[i]);
	}
	fputs("\n"
	      "Options:\n"
	      "      --rundir DIR       the node's run directory\n"
	      "      --json             print one JSON document\n"
	      "      --color WHEN       auto, always or never\n"
	      "  -q, --quiet            say less\n"
	      "  -v, --verbose          say more\n"
	      "  -h, --help             show this help\n"
	      "      --version          show the version\n",
	      file);
	verbs_free(&verbs);
}

/* The page in a pager, as man(1) has it. Returns if there is no man or no page. */
static void page_show(const char *name)
{
	char *path = verb_page(name);

	if (path) {
		(void)fflush(stdout);
		(void)execlp("man", "man", path, (char *)NULL);
		(void)execlp("mandoc", "mandoc", path, (char *)NULL);
	}
	free(path);
}

int help(const struct command *command, const char *verb)
{
	char name[128], option[] = "--help", *args[] = { option };

	if (!verb || strcmp(verb, "help") == 0) {
		help_overview(stdout);
		return 0;
	}
	(void)snprintf(name, sizeof name, "cell-%s", verb);
	if (command->out.is_terminal)
		page_show(name);
	return dispatch(command, verb, args, 1);
}
