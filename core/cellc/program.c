#include "program.h"

#include "folder.h"
#include "writer.h"

#include <cell/cell.h>
#include <stdlib.h>
#include <string.h>

#define FIRST          "program "
#define SIZE_MAX_BYTES (16u * 1024 * 1024)
#define KEY_DIGITS     64

static bool is_hex(const char *text)
{
	return text[strspn(text, "0123456789abcdef")] == 0;
}

/* The next line of *AT, NULL at the end. */
static char *line_take(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (!*line)
		return NULL;
	if (end)
		*end = 0;
	*at = end ? end + 1 : line + strlen(line);
	return line;
}

struct program program_read(const char *path, struct cell_arena *arena)
{
	struct program program = { .id = "" };
	char *text = NULL, *line;
	size_t len = 0;

	if (folder_read(path, SIZE_MAX_BYTES, arena, &text, &len, NULL) < 0)
		return program;
	line = line_take(&text);
	if (!line || strncmp(line, FIRST, strlen(FIRST)) != 0 ||
	    !is_hex(line + strlen(FIRST)))
		return program;
	program.id = line + strlen(FIRST);
	while ((line = line_take(&text)))
		if (strlen(line) == KEY_DIGITS && is_hex(line))
			*must_add(arena, program.keys, program.n_keys) = line;
	return program;
}

static bool has(const struct program *program, const char *key)
{
	for (size_t i = 0; i < program->n_keys; i++)
		if (strcmp(program->keys[i], key) == 0)
			return true;
	return false;
}

bool program_answered(const struct program *program, const char *id, const char *key)
{
	return strcmp(program->id, id) == 0 && has(program, key);
}

static int keys_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int program_write(const char *path, const char *id, const char *const *keys, size_t n_keys,
		  bool (*is_used)(const void *userdata, const char *key),
		  const void *userdata, struct cell_error *err)
{
	struct cell_arena arena;
	struct program old, new = { .id = id };
	struct writer out;
	int r;

	cell_arena_init(&arena, 0);
	old = program_read(path, &arena);
	for (size_t i = 0; strcmp(old.id, id) == 0 && i < old.n_keys; i++)
		if (is_used(userdata, old.keys[i]))
			*must_add(&arena, new.keys, new.n_keys) = old.keys[i];
	for (size_t i = 0; i < n_keys; i++)
		if (!has(&new, keys[i]))
			*must_add(&arena, new.keys, new.n_keys) = keys[i];
	if (new.n_keys)
		qsort((void *)new.keys, new.n_keys, sizeof *new.keys, keys_order);
	out = writer_new(&arena);
	writer_put(&out, FIRST "%s\n", id);
	for (size_t i = 0; i < new.n_keys; i++)
		writer_put(&out, "%s\n", new.keys[i]);
	r = folder_write(path, out.text, strlen(out.text), err);
	cell_arena_deinit(&arena);
	return r;
}
