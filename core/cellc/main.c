/*
 * cellc: a compiler driver in front of the real one. Most of what it is asked for has nothing
 * to do with it: then it becomes the compiler, with the user's own words.
 */
#include "compiler.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const struct cell_error *err)
{
	(void)fprintf(stderr, "cellc: error: %s\n", err->text);
	return err->code == CELL_INVALID_ARGUMENT ? 2 : 1;
}

/* An @file, for command_parse(). */
static int on_read(void *userdata, const char *path, struct cell_arena *arena,
		   const char **ret_text, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	char *text = NULL;
	ssize_t n = -1;

	(void)userdata;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode))
		text = cell_arena_alloc(arena, (size_t)stat.st_size + 1);
	if (text)
		n = read(fd, text, (size_t)stat.st_size);
	(void)close(fd);
	if (n < 0)
		return -EIO;
	*ret_text = text;
	*ret_len = (size_t)n;
	return 0;
}

int main(int argc, char **argv)
{
	struct command_line line;
	struct compiler compiler;
	struct cell_error err = { 0 };
	struct cell_arena arena;
	const char *words, **whole;

	cell_arena_init(&arena, 0);
	if (command_parse(&line, argc, argv, getenv("CELLC_FLAGS"), on_read, NULL, &arena,
			  &err) < 0)
		return fail(&err);
	words = getenv("CELLC_CC");
	if (compiler_find(&compiler, words && *words ? words : "gcc", &arena, &err) < 0)
		return fail(&err);
	whole = compiler_argv(&compiler, &arena, (const char *const *)line.argv + 1, NULL);
	if (!whole)
		return 1;
	(void)process_exec(compiler.path, whole, &err);
	return fail(&err);
}
