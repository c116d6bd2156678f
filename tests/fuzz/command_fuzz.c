/*
 * Command lines, @files and the settings of a project come from build systems and other
 * people. Whatever the words, parsing ends, and every index and list is what it promises.
 *
 * The input is words with NUL between them; an @file named "f" holds what is behind the
 * first empty word.
 */
#include "cellc/command.h"
#include "cellc/depfile.h"
#include "cellc/note.h"
#include "cellc/project.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS_MAX 256

struct input {
	const char *file;
	size_t file_len;
};

static int on_read(void *userdata, const char *path, struct cell_arena *arena,
		   const char **ret_text, size_t *ret_len)
{
	const struct input *input = userdata;

	(void)arena;
	if (strcmp(path, "f") != 0)
		return -1;
	*ret_text = input->file;
	*ret_len = input->file_len;
	return 0;
}

static size_t list_len(const char *const *list)
{
	size_t n = 0;

	cell_assert(list);
	while (list[n])
		n++;
	return n;
}

static void promises_hold(const struct command_line *line, struct cell_arena *arena)
{
	size_t sources = 0;

	cell_assert(!line->argv[line->argc] && !line->expanded[line->n_expanded]);
	(void)list_len(line->preprocess);
	(void)list_len(line->compile);
	(void)list_len(line->defines);
	(void)list_len(line->directories);
	(void)list_len(line->target_flags);
	cell_assert(list_len(line->dep_targets) % 2 == 0);
	cell_assert((line->mode == COMMAND_PASS) == (line->why_pass != NULL));
	for (size_t i = 0; i < line->n_inputs; i++) {
		const struct command_input *input = &line->inputs[i];

		cell_assert(input->path && input->word > 0 && input->word < line->n_expanded);
		cell_assert(i == 0 || line->inputs[i - 1].word <= input->word);
		if (input->kind != COMMAND_INPUT_C)
			continue;
		sources++;
		cell_assert(strcmp(line->expanded[input->word], input->path) == 0);
		(void)command_output(line, input->path, arena);
		cell_assert(command_depfile(line, input->path, arena));
		cell_assert(command_dep_target(line, input->path, arena));
		cell_assert(command_dumpdir(line, arena));
		cell_assert(command_dumpbase(line, input->path, arena));
	}
	cell_assert(sources == line->n_sources);
}

static int on_note(void *userdata, const struct note *note)
{
	(void)userdata;
	cell_assert(note->name && note->source && note->words && note->text);
	(void)(strlen(note->name) + strlen(note->source) + strlen(note->words) +
	       strlen(note->text));
	return 0;
}

static int on_object(void *userdata, const char *member, const uint8_t *bytes, size_t len)
{
	(void)member;
	(void)note_read_object(bytes, len, on_note, userdata, NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "cellc";
	char *text = malloc(size + 2), *argv[WORDS_MAX + 1] = { name };
	struct input input = { "", 0 };
	struct command_line line;
	struct project project = { .program = "" };
	struct cell_error err = { 0 };
	struct cell_arena arena;
	int argc = 1;

	cell_assert(text);
	if (size)
		memcpy(text, data, size);
	text[size] = text[size + 1] = '\0';
	cell_arena_init(&arena, 64u * 1024 * 1024);
	for (char *word = text; word < text + size && argc < WORDS_MAX;
	     word += strlen(word) + 1) {
		if (!*word) {
			input.file = word + 1;
			input.file_len = (size_t)(text + size - input.file);
			break;
		}
		argv[argc++] = word;
	}
	if (command_parse(&line, argc, argv, NULL, on_read, &input, &arena, &err) == 0)
		promises_hold(&line, &arena);
	else
		cell_assert(err.code == CELL_INVALID_ARGUMENT || err.code == -12);
	(void)command_parse(&line, 1, argv, text, NULL, NULL, &arena, &err);
	if (project_parse(&project, (const char *)data, size, "p", NULL, &arena, &err) == 0)
		(void)(list_len(project.cells) + list_len(project.order));
	(void)depfile_append((const char *)data, size, (const char *const *)argv, 1, &arena);
	if (note_is_archive(data, size))
		(void)note_each_object(data, size, on_object, NULL);
	(void)note_read_object(data, size, on_note, NULL, NULL);
	(void)note_read(data, size, size & 1, on_note, NULL, NULL);
	cell_arena_deinit(&arena);
	free(text);
	return 0;
}
