/* cell ide: what clangd needs to see expansions as the compiler does. */
#include "compiler.h"
#include "folder.h"
#include "key.h"
#include "verb_sources.h"
#include "writer.h"

#include <cell/cell.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX   (16 * 1024 * 1024)
#define CONFIG_MAX (1024 * 1024)

/* In .clangd, around what is ours; a document of its own, so that all of the user's holds. */
#define CONFIG_BEGIN "# >>> cell ide"
#define CONFIG_END   "# <<< cell ide"

static const char config[] = CONFIG_BEGIN "\n"
	"---\n"
	"CompileFlags:\n"
	"  CompilationDatabase: .cell/ide\n"
	"  Add: [-Wno-unknown-attributes]\n"
	"  Remove: [-Wno-attributes=*]\n" CONFIG_END "\n";

/* An annotated file is not all that will be compiled: its handlers are called, for one. */
static const char *const annotated_words[] = { "-Wno-unused-function",
					       "-Wno-undefined-internal", NULL };

static const struct opts_example examples[] = {
	{ "cell build && cell ide", "let clangd know what was generated" },
	{ 0 },
};

static const struct opts_command table = {
	.name = "cell ide",
	.summary = "let clangd see what attributes expand to",
	.text = "Writes .cell/ide and a part of .clangd, so that an editor completes generated "
		"functions and added members, and marks no attribute as unknown. Only what the "
		"last build has left in .cell is read: no cell is asked.",
	.examples = examples,
};

struct ide {
	struct command *command;
	const struct project *project;
	struct cell_arena *arena;
	const char *folder; /* .cell/ide */
	const char *overlay;
	json_t *commands;
	struct copy {
		const char *path, *copy;
	} *copies;
	size_t n_copies;
	size_t n_old; /* sources whose attributes have changed since */
};

/* ---- the compiler's commands
 * --------------------------------------------------------------------------------- */

/* A wrapper hides where the compiler's own headers are. */
static const char *compiler_of(const struct ide *ide, const struct source_file *source)
{
	const char *words = getenv("CELLC_CC"), *slash;
	struct compiler compiler;
	struct cell_error err;

	if (source->compiler) {
		slash = strrchr(source->compiler, '/');
		if (strcmp(slash ? slash + 1 : source->compiler, "cellc") != 0)
			return source->compiler;
	}
	if (!words || !*words)
		words = ide->project->compiler;
	return compiler_find(&compiler, words && *words ? words : "gcc", ide->arena, &err) < 0
		       ? "gcc"
		       : compiler.inner;
}

static void add_word(json_t *words, const char *word)
{
	(void)json_array_append_new(words, json_string(word));
}

static bool is_listed(const struct ide *ide, const char *path)
{
	for (size_t i = 0; i < json_array_size(ide->commands); i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(ide->commands, i),
							     "file")),
			   path) == 0)
			return true;
	return false;
}

/* PATH, with the words of SOURCE; BEFORE is included before it, NULL = nothing. */
static void add_command(struct ide *ide, const struct source_file *source, const char *path,
			const char *before, bool is_header)
{
	json_t *words = json_array();
	char *folder = must(cell_arena_strdup(ide->arena, path));

	if (strrchr(folder, '/'))
		*strrchr(folder, '/') = 0;
	add_word(words, compiler_of(ide, source));
	for (const char *const *word = source->words; *word; word++)
		add_word(words, *word);
	add_word(words, "-ivfsoverlay");
	add_word(words, ide->overlay);
	if (before) {
		add_word(words, "-iquote");
		add_word(words, folder);
		add_word(words, "-include");
		add_word(words, before);
		for (const char *const *word = annotated_words; *word; word++)
			add_word(words, *word);
	}
	if (is_header) {
		add_word(words, "-x");
		add_word(words, "c-header");
	}
	add_word(words, path);
	(void)json_array_append_new(ide->commands,
				    json_pack("{s:s, s:s, s:o}", "directory", source->folder,
					      "file", path, "arguments", words));
}

/* ---- the sources
 * --------------------------------------------------------------------------------- */

static void add_copy(struct ide *ide, const char *path, const char *copy)
{
	for (size_t i = 0; i < ide->n_copies; i++)
		if (strcmp(ide->copies[i].path, path) == 0)
			return;
	*must_add(ide->arena, ide->copies, ide->n_copies) = (struct copy){ path, copy };
}

/* A line of a list: ide_files_write() says what is in it. */
static void take_line(struct ide *ide, const struct source_file *source, char *line,
		      bool *ret_is_there)
{
	const char *word = strsep(&line, "\t"), *path = strsep(&line, "\t"), *third = line;

	if (!path)
		return;
	if (strcmp(word, "copy") == 0 && third)
		add_copy(ide, path, third);
	else if (strcmp(word, "header") == 0 && !is_listed(ide, path))
		add_command(ide, source, path, third, true);
	else if (strcmp(word, "source") == 0 && third) {
		add_command(ide, source, path, third, false);
		*ret_is_there = true;
	}
}

static int take_source(struct ide *ide, const struct source_file *source)
{
	const char *path = *source->path == '/' ? source->path
						: must_printf(ide->arena, "%s/%s",
							      source->folder, source->path);
	const char *list = must_printf(ide->arena, "%s/lists/%.32s", ide->folder,
				       key_hash(path, strlen(path), ide->arena));
	const char *const before[] = { "--ide", list, NULL };
	bool is_loud = ide->command->opts.common.verbose > 0, is_there = false;
	char *text = NULL, *real;
	struct cell_error err;
	size_t len;
	int status, r;

	r = sources_run(ide->command, source, before, NULL, !is_loud, ide->arena, &status);
	if (r < 0)
		return r;
	ide->n_old += status != 0;
	if (status != 0)
		command_note(ide->command, "%s: not as it was built: build it", source->path);
	/* What is known of it from before is better than nothing. */
	r = folder_read(list, LIST_MAX, ide->arena, &text, &len, &err);
	if (r < 0 && r != -ENOENT)
		return command_fail(ide->command, r, "%s", err.text);
	for (char *line; text && (line = strsep(&text, "\n")) && *line;)
		take_line(ide, source, line, &is_there);
	real = realpath(path, NULL);
	if (!is_there && real)
		add_command(ide, source, must(cell_arena_strdup(ide->arena, real)), NULL,
			    false);
	free(real);
	return 0;
}

/* ---- the files
 * --------------------------------------------------------------------------------- */

static int write_text(struct ide *ide, const char *path, const char *text)
{
	struct cell_error err;
	int r = folder_write(path, text, strlen(text), &err);

	return r < 0 ? command_fail(ide->command, r, "%s", err.text) : 0;
}

static int write_json(struct ide *ide, const char *path, const json_t *json)
{
	char *text = must(json_dumps(json, JSON_INDENT(1)));
	int r = write_text(ide, path, must_printf(ide->arena, "%s\n", text));

	free(text);
	return r;
}

/* YAML takes JSON. The names in messages and jumps are those of the headers, not of copies. */
static int write_overlay(struct ide *ide)
{
	json_t *roots = json_array(), *overlay;
	int r;

	for (size_t i = 0; i < ide->n_copies; i++)
		(void)json_array_append_new(roots,
					    json_pack("{s:s, s:s, s:s}", "name",
						      ide->copies[i].path, "type", "file",
						      "external-contents",
						      ide->copies[i].copy));
	overlay = json_pack("{s:i, s:s, s:s, s:o}", "version", 0, "case-sensitive", "true",
			    "use-external-names", "false", "roots", roots);
	r = write_json(ide, ide->overlay, must(overlay));
	json_decref(overlay);
	return r;
}

/* The user's .clangd with our part in it, or with a new one. */
static int write_config(struct ide *ide)
{
	const char *path = must_printf(ide->arena, "%s/.clangd", ide->project->root);
	const char *begin, *end;
	struct writer out = writer_new(ide->arena);
	struct cell_error err;
	char *old = NULL;
	size_t len;
	int r = folder_read(path, CONFIG_MAX, ide->arena, &old, &len, &err);

	if (r < 0 && r != -ENOENT)
		return command_fail(ide->command, r, "%s", err.text);
	old = old ? old : must_printf(ide->arena, "%s", "");
	begin = strstr(old, CONFIG_BEGIN "\n");
	end = begin ? strstr(begin, CONFIG_END "\n") : NULL;
	if (begin && !end)
		return command_fail(ide->command, CELL_FAILED_PRECONDITION,
				    "%s: '" CONFIG_BEGIN "' without '" CONFIG_END
				    "': remove what is left of our lines",
				    path);
	if (!begin)
		begin = end = old + strlen(old);
	else
		end += strlen(CONFIG_END "\n");
	writer_add(&out, old, (size_t)(begin - old));
	if (out.len && out.text[out.len - 1] != '\n')
		writer_put(&out, "\n");
	writer_put(&out, "%s%s", config, end);
	return write_text(ide, path, out.text);
}

static int make(struct ide *ide, struct command *command)
{
	struct sources sources;
	int r = sources_find(&sources, command, ide->project, NULL, 0, ide->arena);

	for (size_t i = 0; i < sources.n && r == 0; i++)
		r = take_source(ide, &sources.list[i]);
	if (r == 0)
		r = write_overlay(ide);
	if (r == 0)
		r = write_json(ide,
			       must_printf(ide->arena, "%s/compile_commands.json",
					   ide->folder),
			       ide->commands);
	if (r == 0)
		r = write_config(ide);
	if (r == 0)
		command_note(command, "%zu file%s", json_array_size(ide->commands),
			     json_array_size(ide->commands) == 1 ? "" : "s");
	return r;
}

int main(int argc, char **argv)
{
	struct command command;
	struct cell_arena arena;
	struct project project;
	struct ide ide = { .command = &command, .project = &project, .arena = &arena };
	int err;

	if (!command_begin(&command, &table, argc, argv, NULL))
		return command.exit_code;
	cell_arena_init(&arena, 0);
	ide.commands = json_array();
	err = sources_project(&project, &command, &arena);
	if (err == 0) {
		ide.folder = must_printf(&arena, "%s/ide", project.folder);
		ide.overlay = must_printf(&arena, "%s/overlay.yaml", ide.folder);
		err = make(&ide, &command);
	}
	json_decref(ide.commands);
	cell_arena_deinit(&arena);
	return command_end(&command, err);
}
