/* What compilers are called, and what they would have called their files. */
#include "command_work.h"

#include <string.h>

/* ---- compilers ----------------------------------------------------------------------------
 */

enum compiler_kind command_compiler_kind(const char *name)
{
	return strstr(base_name(name), "clang") ? COMPILER_CLANG : COMPILER_GCC;
}

bool command_is_wrapper(const char *name)
{
	static const char *const wrappers[] = { "ccache", "sccache", "distcc",
						"icecc",  "pump",    NULL };
	const char *base = base_name(name);

	for (size_t i = 0; wrappers[i]; i++)
		if (strcmp(base, wrappers[i]) == 0)
			return true;
	return false;
}

/* ---- names of files
 * -------------------------------------------------------------------------- */

/* Where the suffix of PATH begins, or its end. */
static size_t stem_len(const char *path)
{
	const char *base = base_name(path), *dot = strrchr(base, '.');

	return dot && dot != base ? (size_t)(dot - path) : strlen(path);
}

static const char *with_suffix(const char *path, const char *suffix, struct cell_arena *arena)
{
	return cell_arena_printf(arena, "%.*s%s", (int)stem_len(path), path, suffix);
}

const char *command_output(const struct command_line *line, const char *source,
			   struct cell_arena *arena)
{
	bool is_assembly = line->mode == COMMAND_ASSEMBLY;

	if (line->mode != COMMAND_OBJECT && !is_assembly)
		return NULL;
	return line->output
		       ? line->output
		       : with_suffix(base_name(source), is_assembly ? ".s" : ".o", arena);
}

const char *command_depfile(const struct command_line *line, const char *source,
			    struct cell_arena *arena)
{
	if (line->depfile)
		return line->depfile;
	if (line->output && strcmp(line->output, "-") != 0)
		return with_suffix(line->output, ".d", arena);
	if (line->mode == COMMAND_LINK)
		return cell_arena_printf(arena, "a-%s",
					 with_suffix(base_name(source), ".d", arena));
	return with_suffix(base_name(source), ".d", arena);
}

const char *command_dep_target(const struct command_line *line, const char *source,
			       struct cell_arena *arena)
{
	if (line->output && strcmp(line->output, "-") != 0 && !line->depfile_of_step)
		return line->output;
	return with_suffix(base_name(source), ".o", arena);
}

const char *command_dumpdir(const struct command_line *line, struct cell_arena *arena)
{
	if (line->dumpdir)
		return line->dumpdir;
	if (line->mode == COMMAND_LINK)
		return cell_arena_printf(arena, "%s-", line->output ? line->output : "a");
	if (!line->output)
		return "";
	return cell_arena_strndup(arena, line->output,
				  (size_t)(base_name(line->output) - line->output));
}

const char *command_dumpbase(const struct command_line *line, const char *source,
			     struct cell_arena *arena)
{
	const char *base = base_name(source);

	if (line->dumpbase)
		return line->dumpbase;
	if (line->mode == COMMAND_LINK || !line->output)
		return base;
	return with_suffix(base_name(line->output), base + stem_len(base), arena);
}
