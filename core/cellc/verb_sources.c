#include "verb_sources.h"

#include "command.h"
#include "compdb.h"
#include "folder.h"
#include "lock.h"
#include "writer.h"

#include <cell/cell.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATABASE_MAX (64 * 1024 * 1024)
#define LOCK_SUFFIX  ".schema.lock"

static const char *const no_words[] = { NULL };

int sources_project(struct project *ret, struct command *command, struct cell_arena *arena)
{
	struct cell_error err;
	int r = project_find(ret, "-", NULL, arena, &err);

	return r < 0 ? command_fail(command, r, "%s", err.text) : 0;
}

/* ---- compile_commands.json ---------------------------------------------------------------
 */

/* Whether WORD is about what comes out; *RET_N words are dropped then. */
static bool is_output(const char *word, size_t *ret_n)
{
	static const char *const alone[] = { "-c",   "-S",  "-E",  "-MD",
					     "-MMD", "-MP", "-MG", NULL };
	static const char *const with_value[] = { "-o", "-MF", "-MT", "-MQ", NULL };

	for (const char *const *w = alone; *w; w++)
		if (strcmp(word, *w) == 0) {
			*ret_n = 1;
			return true;
		}
	for (const char *const *w = with_value; *w; w++)
		if (strncmp(word, *w, strlen(*w)) == 0) {
			*ret_n = word[strlen(*w)] ? 1 : 2;
			return true;
		}
	return false;
}

/* The compiler's name, outputs and the source itself are left out. */
static void take_words(struct source_file *source, char **words, size_t n,
		       struct cell_arena *arena)
{
	const char **kept = must_new(arena, const char *, n);
	size_t n_kept = 0, used, first = 0;

	if (n > 1 && command_is_wrapper(words[0]))
		first = 1;
	if (n > first)
		source->compiler = words[first];
	for (size_t i = first + 1; i < n; i += used) {
		used = 1;
		if (!is_output(words[i], &used) && strcmp(words[i], source->path) != 0)
			kept[n_kept++] = words[i];
	}
	source->words = kept;
}

static void read_words(struct source_file *source, json_t *entry, struct cell_arena *arena)
{
	const char *line = json_string_value(json_object_get(entry, "command"));
	json_t *list = json_object_get(entry, "arguments");
	size_t n = json_array_size(list);
	char **words = must_new(arena, char *, n);

	if (line) {
		struct cell_error err;

		if (command_split(line, strlen(line), arena, &words, &n, &err) < 0)
			return;
	}
	for (size_t i = 0; !line && i < n; i++) {
		const char *word = json_string_value(json_array_get(list, i));

		words[i] = must(cell_arena_strdup(arena, word ? word : ""));
	}
	take_words(source, words, n, arena);
}

static bool is_c(const char *path)
{
	size_t len = strlen(path);

	return len > 2 && strcmp(path + len - 2, ".c") == 0;
}

static void read_database(struct sources *all, json_t *root, struct cell_arena *arena)
{
	for (size_t i = 0; i < json_array_size(root); i++) {
		json_t *entry = json_array_get(root, i);
		const char *file = json_string_value(json_object_get(entry, "file"));
		const char *folder = json_string_value(json_object_get(entry, "directory"));
		struct source_file *source;

		if (!file || !folder || !is_c(file))
			continue;
		source = must_add(arena, all->list, all->n);
		*source = (struct source_file){
			.path = must(cell_arena_strdup(arena, file)),
			.folder = must(cell_arena_strdup(arena, folder)),
			.words = no_words,
		};
		read_words(source, entry, arena);
	}
}

static int read_commands(struct sources *all, struct command *command, const char *path,
			 const char *text, size_t len, struct cell_arena *arena)
{
	json_error_t why;
	json_t *root = json_loadb(text, len, 0, &why);

	if (!json_is_array(root)) {
		json_decref(root);
		return command_fail(command, CELL_INVALID_ARGUMENT, "%s:%d: %s", path,
				    why.line, root ? "no list" : why.text);
	}
	read_database(all, root, arena);
	json_decref(root);
	return 0;
}

/* What cellc wrote down itself: each file is one entry and a comma. */
static int load_record(struct sources *all, struct command *command,
		       const struct project *project, struct cell_arena *arena)
{
	const char *folder = must_printf(arena, "%s/" COMPDB_FOLDER, project->folder);
	struct writer list = writer_new(arena);
	struct cell_error err = { .code = 0 };
	const char **names;
	size_t n, len;
	char *text;
	int r = folder_list(folder, ".json", arena, &names, &n, &err);

	for (size_t i = 0; i < n && r == 0; i++) {
		r = folder_read(must_printf(arena, "%s/%s", folder, names[i]), DATABASE_MAX,
				arena, &text, &len, &err);
		if (r == 0)
			writer_put(&list, "%s%s", i ? "" : "[", text);
	}
	if (r < 0)
		return command_fail(command, r, "%s", err.text);
	if (list.len < 2)
		return 0;
	memcpy(list.text + list.len - 2, "]", 2);
	return read_commands(all, command, folder, list.text, list.len - 1, arena);
}

/* Sources that are gone stay in the record. */
static void drop_absent(struct sources *all, struct cell_arena *arena)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct source_file *source = &all->list[i];
		const char *path = *source->path == '/'
					   ? source->path
					   : must_printf(arena, "%s/%s", source->folder,
							 source->path);

		if (access(path, R_OK) == 0)
			all->list[n++] = *source;
	}
	all->n = n;
}

static int load_database(struct sources *all, struct command *command,
			 const struct project *project, struct cell_arena *arena)
{
	const char *path = must_printf(arena, "%s/compile_commands.json", project->root);
	struct cell_error err = { .code = 0 };
	size_t len;
	char *text;
	int r = folder_read(path, DATABASE_MAX, arena, &text, &len, &err);

	if (r == 0)
		return read_commands(all, command, path, text, len, arena);
	if (r != -ENOENT)
		return command_fail(command, r, "%s", err.text);
	r = load_record(all, command, project, arena);
	drop_absent(all, arena);
	return r;
}

/* ---- locks
 * --------------------------------------------------------------------------------- */

static void add_used(struct sources *all, const char *path, const char *folder,
		     struct cell_arena *arena)
{
	if (*path == '<')
		return;
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->list[i].path, path) == 0)
			return;
	*must_add(arena, all->list, all->n) = (struct source_file){
		.path = must(cell_arena_strdup(arena, path)),
		.folder = folder,
		.words = no_words,
	};
}

static int read_locks(struct sources *all, struct command *command,
		      const struct project *project, struct cell_arena *arena)
{
	struct cell_error err = { .code = 0 };
	const char **names;
	size_t n, len;
	int r = folder_list(project->folder, LOCK_SUFFIX, arena, &names, &n, &err);

	for (size_t i = 0; i < n && r == 0; i++) {
		const char *path = must_printf(arena, "%s/%s", project->folder, names[i]);
		struct lock lock;
		char *text;

		r = folder_read(path, DATABASE_MAX, arena, &text, &len, &err);
		if (r == 0)
			r = lock_parse(&lock, names[i], text, len, path, arena, &err);
		for (size_t k = 0; r == 0 && k < lock.n_uses; k++)
			add_used(all, lock.uses[k].file, project->root, arena);
	}
	return r < 0 ? command_fail(command, r, "%s", err.text) : 0;
}

/* ---- finding
 * --------------------------------------------------------------------------------- */

static bool is_same_file(const struct source_file *source, const char *path,
			 struct cell_arena *arena)
{
	const char *from = *source->path == '/' ? source->path
						: must_printf(arena, "%s/%s", source->folder,
							      source->path);
	char *a = realpath(from, NULL), *b = realpath(path, NULL);
	bool same = a && b && strcmp(a, b) == 0;

	free(a);
	free(b);
	return same;
}

/* FILE with the words that the database has for it. */
static struct source_file pick(const struct sources *database, const char *file,
			       const char *cwd, struct cell_arena *arena)
{
	for (size_t i = 0; i < database->n; i++)
		if (is_same_file(&database->list[i], file, arena))
			return database->list[i];
	return (struct source_file){ .path = file, .folder = cwd, .words = no_words };
}

int sources_find(struct sources *ret, struct command *command, const struct project *project,
		 char *const *files, size_t n, struct cell_arena *arena)
{
	struct sources database = { .n = 0 }, picked = { .n = 0 };
	char *cwd = getcwd(NULL, 0);
	const char *here = must_printf(arena, "%s", cwd ? cwd : ".");
	int r = load_database(&database, command, project, arena);

	free(cwd);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (access(files[i], R_OK) < 0)
			return command_fail(command, -errno, "%s: %s", files[i],
					    strerror(errno));
		*must_add(arena, picked.list, picked.n) =
			pick(&database, files[i], here, arena);
	}
	if (n == 0 && database.n > 0)
		picked = database;
	if (n == 0 && database.n == 0)
		r = read_locks(&picked, command, project, arena);
	if (r == 0 && picked.n == 0)
		r = command_fail(
			command, CELL_NOT_FOUND,
			"%s: no locks, and no compile_commands.json (build something "
			"with CC=cellc, or name the files)",
			project->folder);
	*ret = picked;
	return r;
}

/* ---- running
 * --------------------------------------------------------------------------------- */

/* Beside this program, else by $PATH. */
static const char *compiler_path(struct cell_arena *arena)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	const char *path;

	self[n > 0 ? n : 0] = 0;
	if (strrchr(self, '/'))
		*strrchr(self, '/') = 0;
	path = must_printf(arena, "%s/cellc", self);
	return access(path, X_OK) == 0 ? path : "cellc";
}

static void add_words(const char ***words, size_t *n, const char *const *more,
		      struct cell_arena *arena)
{
	for (; more && *more; more++)
		*must_add(arena, *words, *n) = *more;
}

int sources_run(struct command *command, const struct source_file *source,
		const char *const *before, const char *const *behind, bool is_quiet,
		struct cell_arena *arena, int *ret_status)
{
	const char *program = compiler_path(arena);
	posix_spawn_file_actions_t actions;
	const char **words = NULL;
	size_t n = 0;
	int status, r;
	pid_t pid;

	*must_add(arena, words, n) = program;
	add_words(&words, &n, before, arena);
	add_words(&words, &n, source->words, arena);
	add_words(&words, &n, behind, arena);
	/* A header that only a lock names is looked at by itself. */
	if (!is_c(source->path))
		add_words(&words, &n, (const char *const[]){ "-x", "c", NULL }, arena);
	*must_add(arena, words, n) = source->path;
	*must_add(arena, words, n) = NULL;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addchdir_np(&actions, source->folder);
	if (is_quiet)
		(void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
						       O_WRONLY, 0);
	r = posix_spawnp(&pid, program, &actions, NULL, (char *const *)(uintptr_t)words,
			 environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (r)
		return command_fail(command, -r, "running %s: %s", program, strerror(r));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return command_fail(command, -errno, "%s: %s", program,
					    strerror(errno));
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}
