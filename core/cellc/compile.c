/*
 * Everything is made in a folder of ours beside the output. What is there is renamed when
 * the compiler and the cells have agreed; whatever fails, the folder goes and the old output
 * stays.
 */
#include "compile.h"

#include "blame.h"
#include "compdb.h"
#include "depfile.h"
#include "expand.h"
#include "link.h"
#include "process.h"
#include "record.h"
#include "session.h"
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Mistakes that a missing expansion makes, and that C lets pass with a warning. */
static const char *const strict_words[] = { "-Werror=implicit-function-declaration",
					    "-Werror=int-conversion",
					    "-Werror=incompatible-pointer-types", NULL };

/* In front of text for clang: it takes line markers for an extension from version 15 on. */
static const char clang_prologue[] =
	"#if __has_warning(\"-Wgnu-line-marker\")\n"
	"#pragma clang diagnostic ignored \"-Wgnu-line-marker\"\n"
	"#endif\n";

struct job {
	const struct command_line *line;
	const struct compiler *compiler;
	const struct compile_source *source;
	struct cell_arena *arena;
	struct diag *diag;
	struct session *session;
	struct project project;
	struct unit unit;
	struct expansion expansion;
	bool is_remembered;  /* text and expansion are of a memo */
	bool has_changed;    /* by provisioning: not to be remembered */
	const char *text;    /* spliced */
	size_t text_len;
	const struct splice_copy *copies;
	size_t n_copies;
	char folder[PATH_MAX]; /* ours, beside the output */
	const char *file;      /* the text in it */
	const char *output;    /* where it belongs; NULL = standard output, or none */
	const char *made;      /* where the compiler puts it */
	struct cell_error err;
};

static int say(struct job *job, int r)
{
	if (r < 0)
		diag_say(job->diag, SEVERITY_ERROR, NULL, NULL, "%s", job->err.text);
	return r;
}

static int no_memory(struct job *job)
{
	return say(job,
		   cell_fail(&job->err, -ENOMEM, "compiling '%s'", job->source->input->path));
}

static bool is_clang(const struct job *job)
{
	return job->compiler->kind == COMPILER_CLANG;
}

/* ---- files -------------------------------------------------------------------------------
 */

/* The folder of PATH, "." if it has none. */
static const char *folder_of(const char *path, struct cell_arena *arena)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	return slash == path ? "/" : cell_arena_strndup(arena, path, (size_t)(slash - path));
}

static const char *temp_folder(void)
{
	const char *temp = getenv("TMPDIR");

	return temp && *temp ? temp : "/tmp";
}

/* What is at PATH, if links are followed; PATH itself if nothing is. */
static const char *behind_links(const char *path, struct cell_arena *arena)
{
	char *real = realpath(path, NULL);
	const char *copy = real ? cell_arena_strdup(arena, real) : path;

	free(real);
	return copy ? copy : path;
}

/* /dev/null and the like are written to, never replaced. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* Text to a new file; its time is that of SOURCE, which __TIMESTAMP__ shows. */
static int file_put(struct job *job, const char *path, const char *const *texts,
		    const size_t *lens, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), r = 0;
	struct stat st;

	if (fd < 0)
		return cell_fail(&job->err, -errno, "writing '%s': %s", path,
				 strerror(errno));
	for (size_t i = 0; i < n && r == 0; i++)
		r = process_write(fd, texts[i], lens[i]);
	if (stat(job->source->input->path, &st) == 0) {
		struct timespec times[2] = { st.st_mtim, st.st_mtim };

		(void)futimens(fd, times);
	}
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r < 0 ? cell_fail(&job->err, r, "writing '%s': %s", path, strerror(-r)) : 0;
}

/* TEXT to PATH at once, or not at all. */
static int file_replace(struct job *job, const char *path, const char *text, size_t len)
{
	const char *real = behind_links(path, job->arena), *made;
	int r, fd;

	if (strcmp(path, "-") == 0 || is_special(real)) {
		fd = strcmp(path, "-") == 0 ? STDOUT_FILENO
					    : open(real, O_WRONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : process_write(fd, text, len);
		if (fd > STDOUT_FILENO)
			(void)close(fd);
		return r < 0 ? cell_fail(&job->err, r, "writing '%s': %s", path, strerror(-r))
			     : 0;
	}
	made = cell_arena_printf(job->arena, "%s.cellc-%ld", real, (long)getpid());
	if (!made)
		return cell_fail(&job->err, -ENOMEM, "writing '%s'", path);
	r = file_put(job, made, &text, &len, 1);
	if (r == 0) {
		/* When it was written counts here, for make. */
		(void)utimensat(AT_FDCWD, made, NULL, 0);
		if (rename(made, real) < 0)
			r = cell_fail(&job->err, -errno, "writing '%s': %s", path,
				      strerror(errno));
	}
	if (r < 0)
		(void)unlink(made);
	return r;
}

/* ---- the text
 * ------------------------------------------------------------------------------- */

/* What makes libclang see what the compiler sees. */
static const char *const *unit_flags(const struct job *job)
{
	const struct command_line *line = job->line;
	const struct compiler nothing = { 0 };

	/* clang's text keeps its #ifdef lines, which ask for the user's definitions. */
	return compiler_argv(&nothing, job->arena, line->target_flags,
			     is_clang(job) ? line->defines : NULL, NULL);
}

static const char *main_file(const struct job *job)
{
	const char *path = job->source->input->path;

	return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

/* Where everything is switched off, nothing is left behind. */
static void record_command(const struct job *job)
{
	const struct project *project = &job->project;

	if (!getenv("CELLC_COMPDB") && !project->locked && job->expansion.n_depends > 0)
		compdb_record(job->line, job->compiler, job->source->input,
			      must_printf(job->arena, "%s/" COMPDB_FOLDER, project->folder),
			      job->arena);
}

/* As it was the last time. */
static int text_recall(struct job *job)
{
	const struct memo *memo = &job->source->recall->memo;

	job->is_remembered = true;
	job->text = memo->text;
	job->text_len = memo->text_len;
	job->expansion = (struct expansion){
		.basis = memo->basis,
		.depends = memo->depends,
		.n_depends = memo->n_depends,
		.declared = memo->declared,
		.sites = memo->sites,
		.n_declared = memo->n_declared,
		.files = memo->files,
		.n_files = memo->n_files,
	};
	expand_remember(&job->expansion, &job->project, job->arena);
	record_command(job);
	return diag_errors(job->diag) ? -EINVAL : 0;
}

static int find_project(struct job *job, struct project *project)
{
	return say(job, recall_project(project, job->line, job->source->input->path,
				       job->arena, &job->err));
}

/* From the source's text to job->expansion, and UNIT that it belongs to. */
static int unit_expand(struct job *job, const struct project *project, struct unit *unit)
{
	const struct compile_source *source = job->source;
	const char *const *flags = unit_flags(job);
	struct unit_options options = {
		.main_file = main_file(job),
		.standard = job->line->standard,
		.target_flags = flags,
		.libclang = getenv("CELLC_LIBCLANG"),
	};
	int r;

	*unit = (struct unit){ .text = source->text.text,
			       .len = source->text.len,
			       .scan = source->scan };
	if (!flags)
		return no_memory(job);
	/* What was remembered was not scanned. */
	r = source->recall && source->recall->is_found
		    ? scan_text(&unit->scan, unit->text, unit->len, options.main_file,
				job->arena, job->diag)
		    : 0;
	if (r < 0)
		return r;
	r = unit_parse(unit, &options, job->arena, job->diag, &job->err);
	if (r < 0)
		return r == -EINVAL && diag_errors(job->diag) ? r : say(job, r);
	if (!job->session)
		job->session = session_new(project, job->diag);
	return expand_unit(&job->expansion, unit, job->session, project, job->arena,
			   job->diag);
}

static int text_expand(struct job *job)
{
	const char *notes, *spliced, *whole;
	struct unit *unit = &job->unit;
	int r = unit_expand(job, &job->project, unit);

	if (r < 0)
		return r;
	record_command(job);
	r = say(job, splice_with_copies(unit, &job->expansion.splice, job->arena, &spliced,
					&job->text_len, &job->copies, &job->n_copies,
					&job->err));
	if (r < 0)
		return r;
	notes = record_source(unit, &job->expansion, job->line, main_file(job), job->arena);
	whole = notes ? cell_arena_printf(job->arena, "%.*s%s", (int)job->text_len, spliced,
					  notes)
		      : NULL;
	if (!whole)
		return no_memory(job);
	job->text = whole;
	job->text_len += strlen(notes);
	return 0;
}

/* Of the memo, if there is one and it is not outdated by what was provisioned. */
static int text_make(struct job *job)
{
	struct recall *recall = job->source->recall;
	int r;

	if (!recall->has_project) {
		job->err = recall->err;
		return say(job, job->err.code);
	}
	job->project = recall->project;
	if (!job->session)
		job->session = recall->session ? recall->session
					       : session_new(&job->project, job->diag);
	if (recall->is_found && !job->has_changed)
		return text_recall(job);
	job->is_remembered = false;
	recall_listen(recall, true);
	r = text_expand(job);
	recall_listen(recall, false);
	return r;
}

/* The text in our folder, under the source's name: clang puts that in the object. */
static int text_put(struct job *job)
{
	const char *name = strrchr(job->source->input->path, '/');
	const char *texts[2] = { is_clang(job) ? clang_prologue : "", job->text };
	size_t lens[2] = { strlen(texts[0]), job->text_len };

	name = name ? name + 1 : job->source->input->path;
	/* ccache wants a suffix that it knows. */
	job->file = cell_arena_printf(job->arena, "%s/%s%s", job->folder,
				      strcmp(name, "-") == 0 ? "stdin" : name,
				      strchr(name, '.') ? "" : ".c");
	if (!job->file)
		return no_memory(job);
	return say(job, file_put(job, job->file, texts, lens, 2));
}

/* ---- the compiler
 * ------------------------------------------------------------------------------ */

struct words {
	const char **list;
	size_t n;
};

static void add(struct words *words, const char *word)
{
	words->list[words->n++] = word;
}

/* The suffix of the source, which gcc takes from names. */
static const char *suffix_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

	return dot ? dot : "";
}

static void add_gcc(struct job *job, struct words *words)
{
	const char *source = job->source->input->path;

	add(words, "-fpreprocessed");
	if (!job->source->text.is_plain)
		add(words, "-fdirectives-only");
	add(words, "-dumpdir");
	add(words, command_dumpdir(job->line, job->arena));
	add(words, "-dumpbase");
	add(words, command_dumpbase(job->line, source, job->arena));
	add(words, "-dumpbase-ext");
	add(words, suffix_of(source));
}

/* clang derives the name of its coverage notes from -o, which is not what the user said. */
static void add_clang(struct job *job, struct words *words)
{
	const char *output = job->output ? job->output : "";
	bool covers = false;
	char *real;

	for (const char **word = job->line->compile; *word; word++)
		covers |= strcmp(*word, "--coverage") == 0 ||
			  strcmp(*word, "-ftest-coverage") == 0 ||
			  strcmp(*word, "-fprofile-arcs") == 0;
	if (!covers || !*output)
		return;
	real = realpath(folder_of(output, job->arena), NULL);
	if (!real)
		return;
	output = strrchr(output, '/') ? strrchr(output, '/') + 1 : output;
	for (int i = 0; i < 2; i++) {
		add(words, "-Xclang");
		add(words, i ? "-coverage-data-file" : "-coverage-notes-file");
		add(words, "-Xclang");
		add(words,
		    cell_arena_printf(job->arena, "%s/%.*s%s", real,
				      (int)(strlen(output) - strlen(suffix_of(output))),
				      output, i ? ".gcda" : ".gcno"));
	}
	free(real);
}

static const char *mode_word(enum command_mode mode)
{
	switch (mode) {
	case COMMAND_CHECK: return "-fsyntax-only";
	case COMMAND_ASSEMBLY: return "-S";
	case COMMAND_PREPROCESS:
	case COMMAND_OBJECT:
	case COMMAND_LINK:
	case COMMAND_PASS: break;
	}
	return "-c";
}

/*
 * Returns its status, or negative. MESSAGES is a descriptor for what it says: then nothing is
 * made, and it says it in English; -1: it says it to the user.
 */
static int compiler_run(struct job *job, int messages)
{
	const char *list[32] = { 0 }, **argv;
	const char *const none[] = { NULL };
	struct words words = { list, 0 };
	struct process process;
	int status, r;

	if (is_clang(job))
		add_clang(job, &words);
	else
		add_gcc(job, &words);
	add(&words, "-x");
	add(&words, is_clang(job) && job->source->text.is_plain ? "cpp-output" : "c");
	add(&words, job->file);
	add(&words, messages >= 0 ? "-fsyntax-only" : mode_word(job->line->mode));
	if (messages >= 0) {
		(void)setenv("LC_ALL", "C", 1);
		add(&words, "-fno-diagnostics-color");
	} else if (job->made) {
		add(&words, "-o");
		add(&words, job->made);
	}
	for (size_t i = 0; i < words.n; i++)
		if (!list[i])
			return no_memory(job);
	/* Before the user's words: who says -Wno-… means it. */
	argv = compiler_argv(job->compiler, job->arena, strict_words, job->line->compile,
			     is_clang(job) && !job->source->text.is_plain ? job->line->defines
									  : none,
			     list, NULL);
	if (!argv)
		return no_memory(job);
	/* Or it would preprocess the text once more, without our flags. */
	if (job->compiler->is_wrapped)
		(void)setenv("CCACHE_NOCPP2", "1", 1);
	process = (struct process)PROCESS(job->compiler->path, argv);
	process.err = messages;
	r = say(job, process_run(&process, &status, &job->err));
	return r < 0 ? r : status;
}

/*
 * It has failed: if that is about generated text, notes say what that is of. The compiler is
 * asked again for that, so that what it says goes to the user unchanged, with his terminal's
 * width and colors; nobody waits for a build that has failed.
 */
static void failure_explain(struct job *job)
{
	struct cell_error err;
	const char *text;
	size_t len;
	int fd;

	if (job->line->json_diagnostics)
		return;
	/* A memo does not know what text is whose. */
	if (job->is_remembered) {
		job->has_changed = true;
		if (text_make(job) < 0)
			return;
	}
	fd = process_memory("messages", &err);
	if (fd < 0)
		return;
	if (compiler_run(job, fd) > 0 && process_text(fd, &text, &len, &err) == 0)
		blame_say(text, len, &job->unit, &job->expansion, &job->project, job->arena,
			  job->diag);
	(void)close(fd);
}

/* -E: the text as it reads after it, to where it belongs. */
static int text_print(struct job *job)
{
	const char *output = job->line->output, *text;
	int fd = process_memory("text", &job->err), status, r;
	size_t len;

	if (fd < 0)
		return say(job, fd);
	if (job->source->text.is_plain) {
		r = process_write(fd, job->text, job->text_len);
		status = 0;
	} else {
		r = preprocess_again(job->line, job->compiler, job->file, fd, job->arena,
				     &status, &job->err);
	}
	if (r == 0 && status == 0)
		r = process_text(fd, &text, &len, &job->err);
	if (r == 0 && status == 0)
		r = file_replace(job, output ? output : "-", text, len);
	(void)close(fd);
	return r < 0 ? say(job, r) : status;
}

/* ---- after it
 * ------------------------------------------------------------------------------------ */

static int dependencies_write(struct job *job)
{
	const struct compile_source *source = job->source;
	const char *path, *rules;
	int r;

	if (!job->line->writes_depfile)
		return 0;
	path = command_depfile(job->line, source->input->path, job->arena);
	rules = depfile_append(source->text.rules, source->text.rules_len,
			       job->expansion.depends, job->expansion.n_depends,
			       job->arena);
	if (!path || !rules)
		return no_memory(job);
	r = file_replace(job, path, rules, strlen(rules));
	return say(job, r);
}

/* Files that expansions ask for beside the build; their folders are made. */
static int files_write(struct job *job)
{
	const char *beside = folder_of(job->output ? job->output : ".", job->arena);

	for (size_t i = 0; i < job->expansion.n_files; i++) {
		const struct macro_file *file = &job->expansion.files[i];
		char *path = cell_arena_printf(job->arena, "%s/%s", beside ? beside : ".",
					       file->path);
		int r;

		if (!path)
			return no_memory(job);
		for (char *slash = path + strlen(beside) + 1; (slash = strchr(slash, '/'));
		     slash++) {
			*slash = '\0';
			(void)mkdir(path, 0777);
			*slash = '/';
		}
		r = file_replace(job, path, (const char *)file->content, file->n_content);
		if (r < 0)
			return say(job, r);
	}
	return 0;
}

static int output_move(struct job *job)
{
	if (!job->output || job->made == job->output)
		return 0;
	/* Provisioning may have made files that it depends on newer than it. */
	if (job->expansion.n_declared)
		(void)utimensat(AT_FDCWD, job->made, NULL, 0);
	if (rename(job->made, job->output) < 0)
		return say(job, cell_fail(&job->err, -errno, "writing '%s': %s", job->output,
					  strerror(errno)));
	return 0;
}

/* Where the output belongs, where it is made, and a folder of ours on the same disk. */
static int places_find(struct job *job)
{
	enum command_mode mode = job->line->mode;
	const char *output = command_output(job->line, job->source->input->path, job->arena);
	bool is_stdout = output && strcmp(output, "-") == 0;
	const char *folder = temp_folder();

	job->output = output && !is_stdout ? behind_links(output, job->arena) : NULL;
	if (job->output && !is_special(job->output))
		folder = folder_of(job->output, job->arena);
	if (!folder)
		return no_memory(job);
	if (say(job, process_folder(folder, job->folder, sizeof job->folder, &job->err)) < 0)
		return -1;
	if (is_stdout)
		job->made = "-";
	else if (job->output && is_special(job->output))
		job->made = job->output;
	else if (job->output || mode == COMMAND_LINK)
		job->made = cell_arena_printf(job->arena, "%s/made%s", job->folder,
					      mode == COMMAND_ASSEMBLY ? ".s" : ".o");
	else
		return 0;
	return job->made ? 0 : no_memory(job);
}

/* Expand, compile, provision. Returns 0, EXPAND_CHANGED, or negative; *RET_STATUS is what the
 * compiler returned. */
static int job_try(struct job *job, int *ret_status)
{
	int r = text_make(job);

	*ret_status = 0;
	if (r == 0)
		r = text_put(job);
	if (r < 0)
		return r;
	*ret_status = job->line->mode == COMMAND_PREPROCESS ? text_print(job)
							    : compiler_run(job, -1);
	if (*ret_status > 0 && job->line->mode != COMMAND_PREPROCESS)
		failure_explain(job);
	if (*ret_status < 0)
		return *ret_status;
	/* What only looks changes nothing. */
	if (*ret_status || job->line->mode == COMMAND_PREPROCESS ||
	    job->line->mode == COMMAND_CHECK)
		return 0;
	r = expand_provision(&job->expansion, job->session, job->diag, &job->has_changed);
	return r == 0 ? files_write(job) : r;
}

static int job_steps(struct job *job)
{
	int r = places_find(job), status = 0;

	if (r == 0)
		r = job_try(job, &status);
	if (r == EXPAND_CHANGED) {
		session_forget(job->session);
		r = job_try(job, &status);
	}
	if (r < 0 || status)
		return r < 0 ? 1 : status;
	r = dependencies_write(job);
	if (r == 0)
		r = output_move(job);
	if (r == 0 && !job->is_remembered && !job->has_changed)
		recall_keep(job->source->recall, &job->expansion, job->session, job->text,
			    job->text_len, job->copies, job->n_copies);
	return r < 0 ? 1 : 0;
}

/* gcc's first step says what its second does not; clang's second says all. */
static void messages_show(const struct job *job)
{
	if (!is_clang(job))
		(void)process_write(STDERR_FILENO, job->source->text.messages,
				    job->source->text.messages_len);
}

static int job_run(struct job *job)
{
	int status;

	messages_show(job);
	status = job_steps(job);
	session_free(job->session);
	job->session = NULL;
	return status;
}

/* ---- all of them
 * ------------------------------------------------------------------------------------- */

/* A source of ours that is none for us, among others that are: the user's words for it. */
static int plain_run(struct job *job)
{
	const struct command_line *line = job->line;
	const char **words = cell_arena_calloc(job->arena, line->n_expanded, sizeof *words);
	const char **argv;
	struct process process;
	size_t n = 0;
	int status, r;

	if (!words)
		return 1;
	for (size_t i = 1, input = 0; i < line->n_expanded; i++) {
		while (input < line->n_inputs && line->inputs[input].word < i)
			input++;
		if (input == line->n_inputs || line->inputs[input].word != i ||
		    &line->inputs[input] == job->source->input)
			words[n++] = line->expanded[i];
	}
	argv = compiler_argv(job->compiler, job->arena, words, NULL);
	if (!argv)
		return 1;
	process = (struct process)PROCESS(job->compiler->path, argv);
	r = say(job, process_run(&process, &status, &job->err));
	return r < 0 ? 1 : status;
}

static int link_all(struct job *job, const char *const *objects)
{
	struct link link;
	int status, r;

	r = link_read(&link, job->line, objects, job->arena, &job->err);
	if (r == 0)
		r = link_run(&link, job->line, job->compiler, objects, &status);
	if (r < 0) {
		(void)say(job, r);
		return 1;
	}
	return status;
}

int compile_run(const struct command_line *line, const struct compiler *compiler,
		const struct compile_source *sources, size_t n, struct cell_arena *arena,
		struct diag *diag)
{
	const char **objects = cell_arena_calloc(arena, line->n_inputs + 1, sizeof *objects);
	struct job job = { 0 };
	int status = 0, first = 0;

	if (!objects)
		return 1;
	/* As gcc does: all are compiled, and one that fails is the whole's failure. */
	for (size_t i = 0; i < n; i++) {
		job = (struct job){ .line = line,
				    .compiler = compiler,
				    .source = &sources[i],
				    .arena = arena,
				    .diag = diag };
		if (sources[i].has_attributes) {
			status = job_run(&job);
			objects[sources[i].input - line->inputs] = job.made;
		} else if (line->mode != COMMAND_LINK) {
			status = plain_run(&job);
		}
		first = first ? first : status;
	}
	if (first || line->mode != COMMAND_LINK)
		return first;
	return link_all(&job, objects);
}

/* ---- looking
 * ----------------------------------------------------------------------------------------- */

int compile_look(const struct command_line *line, const struct compiler *compiler,
		 const struct compile_source *source, struct project *ret_project,
		 struct unit *ret_unit, struct expansion *ret, struct cell_arena *arena,
		 struct diag *diag)
{
	struct job job = { .line = line,
			   .compiler = compiler,
			   .source = source,
			   .arena = arena,
			   .diag = diag };
	int r = find_project(&job, ret_project);

	if (r < 0)
		return r;
	ret_project->offline = ret_project->looks_only = true;
	ret_project->fresh = false;
	r = unit_expand(&job, ret_project, ret_unit);
	session_free(job.session);
	*ret = job.expansion;
	return r;
}
