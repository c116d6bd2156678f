#include "preprocess.h"

#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Variables by which the first step would write what the second one writes again. */
static char **environment(struct cell_arena *arena)
{
	static const char *const dropped[] = { "DEPENDENCIES_OUTPUT=",
					       "SUNPRO_DEPENDENCIES=" };
	size_t n = 0, kept = 0;
	char **copy;

	if (!getenv("DEPENDENCIES_OUTPUT") && !getenv("SUNPRO_DEPENDENCIES"))
		return environ;
	while (environ[n])
		n++;
	copy = cell_arena_calloc(arena, n + 1, sizeof *copy);
	for (size_t i = 0; copy && i < n; i++)
		if (strncmp(environ[i], dropped[0], strlen(dropped[0])) != 0 &&
		    strncmp(environ[i], dropped[1], strlen(dropped[1])) != 0)
			copy[kept++] = environ[i];
	return copy;
}

/* -MD with every name spelled out, as nothing is derived from -o here. */
static const char *const *dependency_words(const struct command_line *line,
					   const char *source, int fd,
					   struct cell_arena *arena)
{
	const char **words;
	size_t n = 0, targets = 0;

	while (line->dep_targets[targets])
		targets++;
	words = cell_arena_calloc(arena, targets + 7, sizeof *words);
	if (!words || !line->writes_depfile)
		return words;
	words[n++] = line->depfile_user_only ? "-MMD" : "-MD";
	words[n++] = "-MF";
	words[n++] = cell_arena_printf(arena, "/dev/fd/%d", fd);
	if (line->depfile_phony)
		words[n++] = "-MP";
	memcpy(words + n, line->dep_targets, targets * sizeof *words);
	n += targets;
	if (!targets) {
		words[n++] = "-MQ";
		words[n++] = command_dep_target(line, source, arena);
	}
	for (size_t i = 0; i < n; i++)
		if (!words[i])
			return NULL;
	return words;
}

struct attempt {
	const struct compiler *compiler;
	const char *const *flags;
	const char *const *preprocess;
	const char *const *dependencies;
	const char *const *input;
	char **environment;
	int in, out, messages, rules;
};

/* What an attempt that failed has written goes. */
static int rewind_to_empty(int fd)
{
	return fd >= 0 && (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0) ? -errno : 0;
}

/* Returns 0, PREPROCESS_REFUSED, or -errno. */
static int attempt_run(const struct attempt *attempt, struct cell_arena *arena,
		       struct cell_error *err)
{
	const struct compiler *compiler = attempt->compiler;
	const char **argv =
		compiler_argv(compiler, arena, attempt->flags, attempt->preprocess,
			      attempt->dependencies, attempt->input, NULL);
	/* A cache has nothing to gain from this step. */
	struct process process =
		PROCESS(compiler->inner, argv ? argv + compiler->is_wrapped : NULL);
	int status, r;

	if (!argv)
		return cell_fail(err, -ENOMEM, "preprocessing");
	process.in = attempt->in;
	process.out = attempt->out;
	process.err = attempt->messages;
	process.kept = attempt->rules;
	process.environment = attempt->environment;
	if (attempt->in >= 0 && lseek(attempt->in, 0, SEEK_SET) < 0)
		return cell_fail(err, -errno, "reading standard input: %s", strerror(errno));
	r = process_run(&process, &status, err);
	return r < 0 ? r : status != 0 ? PREPROCESS_REFUSED : 0;
}

static int preprocess_into(struct preprocessed *ret, struct attempt *attempt,
			   struct cell_arena *arena, struct cell_error *err)
{
	static const char *const plain[] = { "-E", NULL };
	static const char *const gcc[] = { "-E", "-fdirectives-only", NULL };
	static const char *const clang[] = { "-E", "-frewrite-includes", NULL };
	int r;

	attempt->flags = attempt->compiler->kind == COMPILER_CLANG ? clang : gcc;
	r = attempt_run(attempt, arena, err);
	/* __COUNTER__ in an #if; a compiler that knows no such option. */
	if (r == PREPROCESS_REFUSED) {
		ret->is_plain = true;
		attempt->flags = plain;
		r = rewind_to_empty(attempt->out);
		if (r == 0)
			r = rewind_to_empty(attempt->messages);
		if (r == 0)
			r = rewind_to_empty(attempt->rules);
		if (r < 0)
			return cell_fail(err, r, "preprocessing: %s", strerror(-r));
		r = attempt_run(attempt, arena, err);
	}
	if (r != 0)
		return r;
	r = process_text(attempt->out, &ret->text, &ret->len, err);
	if (r == 0)
		r = process_text(attempt->messages, &ret->messages, &ret->messages_len, err);
	if (r == 0 && attempt->rules >= 0)
		r = process_text(attempt->rules, &ret->rules, &ret->rules_len, err);
	return r;
}

static void descriptor_close(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

int preprocess_source(struct preprocessed *ret, const struct command_line *line,
		      const struct compiler *compiler, const struct command_input *source,
		      int stdin_fd, struct cell_arena *arena, struct cell_error *err)
{
	const char *input[] = { source->language ? "-x" : source->path,
				source->language ? source->language : NULL, source->path,
				NULL };
	struct preprocessed made = { .text = "", .messages = "", .rules = "" };
	struct attempt attempt = { .compiler = compiler,
				   .preprocess = line->preprocess,
				   .input = input,
				   .environment = environment(arena),
				   .in = stdin_fd,
				   .out = process_memory("text", err),
				   .messages = process_memory("messages", err),
				   .rules = -1 };
	int r = attempt.out < 0 ? attempt.out : attempt.messages < 0 ? attempt.messages : 0;

	if (r == 0 && line->writes_depfile)
		r = attempt.rules = process_memory("rules", err);
	if (r >= 0) {
		attempt.dependencies =
			dependency_words(line, source->path, attempt.rules, arena);
		r = attempt.dependencies && attempt.environment
			    ? preprocess_into(&made, &attempt, arena, err)
			    : cell_fail(err, -ENOMEM, "preprocessing '%s'", source->path);
	}
	descriptor_close(attempt.out);
	descriptor_close(attempt.messages);
	descriptor_close(attempt.rules);
	if (r == 0)
		*ret = made;
	return r;
}

/* Set by COMPILER_GCC's -fdirectives-only text: it has the definitions itself. */
int preprocess_again(const struct command_line *line, const struct compiler *compiler,
		     const char *file, int out, struct cell_arena *arena, int *ret_status,
		     struct cell_error *err)
{
	static const char *const gcc[] = {
		"-E", "-fpreprocessed", "-fdirectives-only", "-x", "c", NULL
	};
	static const char *const clang[] = { "-E", "-x", "c", NULL };
	const char *input[] = { file, NULL }, **argv;
	struct process process;

	argv = compiler->kind == COMPILER_CLANG
		       ? compiler_argv(compiler, arena, line->compile, line->defines, clang,
				       input, NULL)
		       : compiler_argv(compiler, arena, line->compile, gcc, input, NULL);
	if (!argv)
		return cell_fail(err, -ENOMEM, "preprocessing");
	process = (struct process)PROCESS(compiler->inner, argv + compiler->is_wrapped);
	process.out = out;
	return process_run(&process, ret_status, err);
}
