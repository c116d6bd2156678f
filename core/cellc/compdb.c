#include "compdb.h"

#include "folder.h"
#include "key.h"
#include "writer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_string(struct writer *out, const char *text)
{
	writer_put(out, "\"");
	for (const char *c = text; *c; c++)
		if (*c == '"' || *c == '\\')
			writer_put(out, "\\%c", *c);
		else if ((unsigned char)*c < ' ')
			writer_put(out, "\\u%04x", (unsigned char)*c);
		else
			writer_add(out, c, 1);
	writer_put(out, "\"");
}

/* Whether word I of the command is a C source, but not INPUT. */
static bool is_other_source(const struct command_line *line,
			    const struct command_input *input, size_t i)
{
	for (size_t k = 0; k < line->n_inputs; k++)
		if (line->inputs[k].word == i && line->inputs[k].kind == COMMAND_INPUT_C)
			return &line->inputs[k] != input;
	return false;
}

static void put_words(struct writer *out, const struct command_line *line,
		      const struct compiler *compiler, const struct command_input *input)
{
	put_string(out, compiler->inner);
	for (size_t i = compiler->is_wrapped ? 2 : 1; i < compiler->n_words; i++) {
		writer_put(out, ", ");
		put_string(out, compiler->words[i]);
	}
	for (size_t i = 1; i < line->n_expanded; i++) {
		if (is_other_source(line, input, i))
			continue;
		writer_put(out, ", ");
		put_string(out, line->expanded[i]);
	}
}

void compdb_record(const struct command_line *line, const struct compiler *compiler,
		   const struct command_input *input, const char *folder,
		   struct cell_arena *arena)
{
	const char *output = line->output ? line->output : "", *name;
	struct writer out = writer_new(arena);
	char *cwd = getcwd(NULL, 0);
	struct cell_error err;

	if (cwd && strcmp(input->path, "-") != 0 &&
	    (line->mode == COMMAND_ASSEMBLY || line->mode == COMMAND_OBJECT ||
	     line->mode == COMMAND_LINK)) {
		name = must_printf(arena, "%s\n%s\n%s", cwd, input->path, output);
		writer_put(&out, "{ \"directory\": ");
		put_string(&out, cwd);
		writer_put(&out, ", \"file\": ");
		put_string(&out, input->path);
		if (*output) {
			writer_put(&out, ", \"output\": ");
			put_string(&out, output);
		}
		writer_put(&out, ", \"arguments\": [");
		put_words(&out, line, compiler, input);
		writer_put(&out, "] },\n");
		(void)folder_write(must_printf(arena, "%s/%.32s.json", folder,
					       key_hash(name, strlen(name), arena)),
				   out.text, out.len, &err);
	}
	free(cwd);
}
