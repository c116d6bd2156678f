/* cell cflags: what keeps a plain compiler quiet about attributes of cells. */
#include "folder.h"
#include "lock.h"
#include "verb_sources.h"
#include "writer.h"

#include <cell/cell.h>
#include <string.h>

#define SUFFIX ".schema.lock"

struct options {
	bool clang;
};

static const struct opts_option options[] = {
	{ 0, "clang", OPTS_FLAG, offsetof(struct options, clang), .help = "for clang (gcc)" },
	{ 0 },
};

static const struct opts_example examples[] = {
	{ "gcc $(cell cflags) -c bank.c", "compile without cellc: nothing is expanded" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell cflags",
	.summary = "print flags for compilers that do not know cells",
	.text = "For those who do not include <cell/attr.h>: words that make gcc or clang say "
		"nothing about attributes of the namespaces that .cell has locks of.",
	.examples = examples,
	.options = options,
};

/* cell:: is everybody's. */
static int print(struct command *command, const struct options *o, struct cell_arena *arena)
{
	struct cell_error err = { .code = 0 };
	struct project project;
	const char **names;
	size_t n;
	int r = sources_project(&project, command, arena);

	if (r < 0)
		return r;
	if (o->clang) {
		out_print(&command->out, OUT_PLAIN, "-Wno-unknown-attributes\n");
		return 0;
	}
	r = folder_list(project.folder, SUFFIX, arena, &names, &n, &err);
	if (r < 0)
		return command_fail(command, r, "%s", err.text);
	out_print(&command->out, OUT_PLAIN, "-Wno-attributes=cell::");
	for (size_t i = 0; i < n; i++) {
		char *ns = must(cell_arena_strndup(arena, names[i],
						   strlen(names[i]) - strlen(SUFFIX)));

		if (lock_namespace_is_valid(ns) && strcmp(ns, "cell") != 0)
			out_print(&command->out, OUT_PLAIN, " -Wno-attributes=%s::", ns);
	}
	out_print(&command->out, OUT_PLAIN, "\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct command command;
	struct cell_arena arena;
	int err;

	if (!command_begin(&command, &table, argc, argv, &o))
		return command.exit_code;
	cell_arena_init(&arena, 0);
	err = print(&command, &o, &arena);
	cell_arena_deinit(&arena);
	return command_end(&command, err);
}
