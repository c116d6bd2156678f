#include "compiler.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether PATH can be run and is not cellc. */
static bool is_compiler(const char *path, const struct stat *self, struct stat *ret)
{
	return stat(path, ret) == 0 && S_ISREG(ret->st_mode) && access(path, X_OK) == 0 &&
	       (ret->st_dev != self->st_dev || ret->st_ino != self->st_ino);
}

static const char *path_find(const char *name, struct cell_arena *arena, struct stat *ret)
{
	const char *folders = getenv("PATH"), *end;
	struct stat self = { 0 };

	(void)stat("/proc/self/exe", &self);
	if (strchr(name, '/'))
		return is_compiler(name, &self, ret) ? name : NULL;
	if (!folders)
		folders = "/usr/local/bin:/usr/bin:/bin";
	for (;; folders = end + 1) {
		const char *path;

		end = strchrnul(folders, ':');
		path = end == folders
			       ? cell_arena_strdup(arena, name)
			       : cell_arena_printf(arena, "%.*s/%s", (int)(end - folders),
						   folders, name);
		if (!path || is_compiler(path, &self, ret))
			return path;
		if (!*end)
			return NULL;
	}
}

static unsigned long long mtime_of(const struct stat *stat)
{
	return (unsigned long long)stat->st_mtim.tv_sec * 1000000000ull +
	       (unsigned long long)stat->st_mtim.tv_nsec;
}

int compiler_find(struct compiler *ret, const char *words, struct cell_arena *arena,
		  struct cell_error *err)
{
	struct stat stat, inner;
	const char *name;
	char **list;
	size_t n;
	int r = command_split(words, strlen(words), arena, &list, &n, err);

	if (r < 0)
		return r;
	if (n == 0)
		return cell_fail(err, CELL_NOT_FOUND, "no compiler is named; set CELLC_CC");
	name = list[0];
	*ret = (struct compiler){ .words = (const char *const *)list, .n_words = n };
	if (command_is_wrapper(name) && n > 1) {
		ret->is_wrapped = true;
		name = list[1];
	}
	ret->kind = command_compiler_kind(name);
	ret->is_cxx = strstr(name, "++") != NULL;
	ret->path = path_find(list[0], arena, &stat);
	if (!ret->path)
		return cell_fail(err, CELL_NOT_FOUND,
				 "cannot run '%s': there is no such program, or it is cellc",
				 list[0]);
	ret->inner = ret->path;
	inner = stat;
	if (ret->is_wrapped) {
		ret->inner = path_find(name, arena, &inner);
		if (!ret->inner)
			return cell_fail(err, CELL_NOT_FOUND,
					 "cannot run '%s': there is no such program", name);
	}
	/* "cc" may be clang. */
	if (ret->kind == COMPILER_GCC) {
		char *real = realpath(ret->inner, NULL);

		if (real)
			ret->kind = command_compiler_kind(real);
		free(real);
	}
	ret->size = (unsigned long long)stat.st_size;
	ret->mtime_ns = mtime_of(&stat);
	ret->inode = (unsigned long long)stat.st_ino;
	ret->inner_size = (unsigned long long)inner.st_size;
	ret->inner_mtime_ns = mtime_of(&inner);
	ret->inner_inode = (unsigned long long)inner.st_ino;
	return 0;
}

static size_t list_len(const char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

const char **compiler_argv(const struct compiler *compiler, struct cell_arena *arena,
			   const char *const *list, ...)
{
	size_t n = compiler->n_words;
	const char **argv, **at;
	va_list args;

	va_start(args, list);
	for (const char *const *l = list; l; l = va_arg(args, const char *const *))
		n += list_len(l);
	va_end(args);
	at = argv = cell_arena_calloc(arena, n + 1, sizeof *argv);
	if (!argv)
		return NULL;
	if (compiler->n_words)
		memcpy(at, compiler->words, compiler->n_words * sizeof *at);
	at += compiler->n_words;
	va_start(args, list);
	for (const char *const *l = list; l; l = va_arg(args, const char *const *)) {
		size_t len = list_len(l);

		memcpy(at, l, len * sizeof *at);
		at += len;
	}
	va_end(args);
	return argv;
}
