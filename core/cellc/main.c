/*
 * cellc: a compiler driver in front of the real one. Most of what it is asked for has nothing
 * to do with it: then it becomes the compiler, with the user's own words. The rest goes to
 * compile_run(), after the text of each source has been looked through.
 */
#include "compdb.h"
#include "compile.h"
#include "ide_files.h"
#include "link.h"
#include "process.h"
#include "project.h"
#include "seen.h"
#include "known.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct driver {
	struct cell_arena arena;
	struct command_line line;
	struct compiler compiler;
	struct seen seen;
	const char *home; /* of the caches; NULL = there are none */
	struct diag *diag;
	struct compile_source *sources;
	size_t n_sources;
	const char *ide; /* cellc --ide LIST: only what `cell ide` wants; else NULL */
	int in; /* a copy of standard input, if a source is read from it; else -1 */
	struct cell_error err;
};

static const char help[] =
	"cellc: compile C whose attributes are answered by cells\n"
	"\n"
	"  make CC=cellc             build any C project\n"
	"  cellc -O2 -c bank.c       as gcc would, with [[db::table]] and the like expanded\n"
	"  cellc -E bank.c           print the expanded text\n"
	"\n"
	"A file without such attributes is compiled by the real compiler, with your own words.\n"
	"\n"
	"Options beside those of the compiler, from the command line or $CELLC_FLAGS:\n"
	"  --locked             fail if an expansion differs from the lock in .cell; write nothing\n"
	"  --offline            connect to no cell; use what .cell has\n"
	"  --frozen             both\n"
	"  --fresh              ask cells again, whatever .cell has\n"
	"  --strict             what is optional and missing is an error\n"
	"  --fix                add what the code calls to [uses] of the manifest\n"
	"  --features NAME=off  leave out the attributes of a namespace\n"
	"  --cellc-verbose      say on stderr what is done\n"
	"\n"
	"The compiler is $CELLC_CC, else what .cell/project says, else gcc; its own help:\n"
	"gcc --help. See cellc(1).\n";

static int fail(const struct cell_error *err)
{
	(void)fprintf(stderr, "cellc: error: %s\n", err->text);
	return err->code == CELL_INVALID_ARGUMENT ? 2 : 1;
}

static void tell(const struct driver *driver, const char *what, const char *why)
{
	if (driver->line.verbose)
		(void)fprintf(stderr, "cellc: %s: %s\n", what, why);
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

/* ---- handing over --------------------------------------------------------------------- */

/* Become the compiler. Returns only an exit status. */
static int become(struct driver *driver)
{
	const char **argv = compiler_argv(&driver->compiler, &driver->arena,
					  (const char *const *)driver->line.argv + 1, NULL);

	if (!argv)
		return 1;
	/* What was read from standard input to look through it is read again. */
	if (driver->in >= 0 &&
	    (lseek(driver->in, 0, SEEK_SET) < 0 || dup2(driver->in, STDIN_FILENO) < 0))
		return 1;
	(void)process_exec(driver->compiler.path, argv, &driver->err);
	return fail(&driver->err);
}

/* Nothing to expand; what is linked may still have something to say. */
static int pass(struct driver *driver, const char *why)
{
	struct link link;
	int status, r;

	tell(driver, "passed to the compiler", why);
	if (driver->line.mode != COMMAND_LINK)
		return become(driver);
	r = link_read(&link, &driver->line, NULL, &driver->arena, &driver->err);
	if (r == 0 && link_is_plain(&link))
		return become(driver);
	if (r == 0)
		r = link_run(&link, &driver->line, &driver->compiler, NULL, &status);
	if (r == CELL_FAILED_PRECONDITION)
		(void)fprintf(stderr,
			      "cellc: error: %s\n"
			      "cellc: note: compile both with cellc, from one .cell and with "
			      "the same --features\n",
			      driver->err.text);
	else if (r < 0)
		return fail(&driver->err);
	process_end(r < 0 ? 1 : status);
}

/* ---- looking ----------------------------------------------------------------------------
 */

/* Standard input can be read once; it is wanted up to three times. */
static int input_copy(struct driver *driver)
{
	char buffer[65536];
	ssize_t n;
	int r = 0;

	driver->in = process_memory("stdin", &driver->err);
	if (driver->in < 0)
		return driver->in;
	while (r == 0 && (n = read(STDIN_FILENO, buffer, sizeof buffer)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		r = n < 0 ? -errno : process_write(driver->in, buffer, (size_t)n);
	}
	return r < 0 ? cell_fail(&driver->err, r, "reading standard input: %s", strerror(-r))
		     : 0;
}

/* Whether messages are to have colours, as gcc decides it. */
static bool is_colored(const struct command_line *line)
{
	const char *colors = getenv("GCC_COLORS"), *term = getenv("TERM");

	if (line->color_is_set)
		return line->color;
	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 &&
	       (!colors || *colors);
}

static void diag_open(struct driver *driver)
{
	struct diag_options options = {
		.color = is_colored(&driver->line),
		.as_json = driver->line.json_diagnostics,
		.warnings_are_errors = driver->line.warnings_are_errors,
		.no_warnings = driver->line.no_warnings,
	};

	driver->diag = diag_new(&options, STDERR_FILENO);
}

/*
 * Preprocess a source and look for attributes. Returns 0, PREPROCESS_REFUSED if the compiler
 * refuses it, -EINVAL after the scanner said what is wrong, or -errno.
 */
static int source_look(struct driver *driver, const struct command_input *input,
		       struct compile_source *source)
{
	bool is_stdin = strcmp(input->path, "-") == 0;
	struct recall *recall;
	int r = 0;

	source->input = input;
	if (is_stdin && driver->in < 0)
		r = input_copy(driver);
	if (r == 0)
		r = preprocess_source(&source->text, &driver->line, &driver->compiler, input,
				      driver->in, &driver->arena, &driver->err);
	if (r != 0)
		return r;
	if (!scan_may_find(source->text.text, source->text.len)) {
		seen_note(&driver->seen, source->text.text, source->text.len);
		return 0;
	}
	if (!driver->diag)
		diag_open(driver);
	recall = cell_arena_calloc(&driver->arena, 1, sizeof *recall);
	if (!recall)
		return cell_fail(&driver->err, -ENOMEM, "reading '%s'", input->path);
	recall_init(recall, &driver->line, &driver->compiler, input, &source->text,
		    driver->home, &driver->arena, driver->diag);
	source->recall = recall;
	/* An editor wants to know of each declaration. */
	source->has_attributes = !driver->ide && recall_find(recall);
	if (source->has_attributes) {
		tell(driver, input->path, "its expansion is remembered");
		return 0;
	}
	recall_listen(recall, true);
	r = scan_text(&source->scan, source->text.text, source->text.len,
		      is_stdin ? "<stdin>" : input->path, &driver->arena, driver->diag);
	recall_listen(recall, false);
	source->has_attributes = source->scan.n_attributes > 0;
	if (!source->has_attributes)
		seen_note(&driver->seen, source->text.text, source->text.len);
	return r;
}

/* Look at all of them. Returns as source_look(); *RET_ANY: there is something to expand. */
static int sources_look(struct driver *driver, bool *ret_any)
{
	const struct command_line *line = &driver->line;
	int r = 0;

	*ret_any = false;
	driver->sources =
		cell_arena_calloc(&driver->arena, line->n_sources, sizeof *driver->sources);
	if (!driver->sources)
		return cell_fail(&driver->err, -ENOMEM, "reading the sources");
	for (size_t i = 0; i < line->n_inputs && r == 0; i++) {
		struct compile_source *source = &driver->sources[driver->n_sources];

		if (line->inputs[i].kind != COMMAND_INPUT_C)
			continue;
		r = source_look(driver, &line->inputs[i], source);
		*ret_any |= source->has_attributes;
		driver->n_sources++;
	}
	return r;
}

/*
 * Text that somebody preprocessed already is compiled as it is; attributes in it are lost,
 * and that must not pass in silence.
 */
static void preprocessed_warn(struct driver *driver)
{
	for (size_t i = 0; i < driver->line.n_inputs; i++) {
		const char *path = driver->line.inputs[i].path, *text;
		struct scan scan = { 0 };
		size_t len;

		if (driver->line.inputs[i].kind != COMMAND_INPUT_C ||
		    on_read(NULL, path, &driver->arena, &text, &len) < 0 ||
		    !scan_may_find(text, len))
			continue;
		if (!driver->diag)
			diag_open(driver);
		if (scan_text(&scan, text, len, path, &driver->arena, driver->diag) == 0 &&
		    scan.n_attributes > 0)
			diag_say(driver->diag, SEVERITY_WARNING, &scan.attributes[0].at, NULL,
				 "attributes of cells in preprocessed text are not expanded");
	}
}

/* For `cell ide`: expansions as an editor wants them, and nothing compiled. */
static int ide(struct driver *driver, bool is_readable)
{
	int r = is_readable ? ide_files_write(driver->ide, &driver->line, &driver->compiler,
					      driver->sources, driver->n_sources,
					      &driver->arena, driver->diag)
			    : -EINVAL;

	diag_free(driver->diag);
	return r < 0;
}

static int look(struct driver *driver)
{
	bool any;
	int r, status;

	driver->home = pool_home(&driver->arena);
	seen_init(&driver->seen, driver->home, &driver->line, &driver->compiler,
		  &driver->arena);
	if (!driver->ide && seen_is_clean(&driver->seen))
		return pass(driver, "it is known to have no attributes of cells");
	r = sources_look(driver, &any);
	if (driver->ide)
		return ide(driver, r == 0);
	if (r == PREPROCESS_REFUSED)
		return pass(driver, "the compiler refuses a source");
	if (r == 0 && !any) {
		seen_keep(&driver->seen);
		return pass(driver, "there are no attributes of cells");
	}
	if (r < 0 && (!driver->diag || !diag_errors(driver->diag)))
		return fail(&driver->err);
	status = r < 0 ? 1
		       : compile_run(&driver->line, &driver->compiler, driver->sources,
				     driver->n_sources, &driver->arena, driver->diag);
	diag_free(driver->diag);
	process_end(status);
}

/* ---- the whole
 * ------------------------------------------------------------------------------ */

/* $CELLC_CC, else what the settings of the first source's project say, else gcc. */
static int compiler_choose(struct driver *driver)
{
	const char *words = getenv("CELLC_CC"), *near = "-";
	int r = 0;

	if (!words || !*words) {
		for (size_t i = driver->line.n_inputs; i > 0; i--)
			if (driver->line.inputs[i - 1].kind == COMMAND_INPUT_C)
				near = driver->line.inputs[i - 1].path;
		r = project_compiler(&words, near, &driver->arena, &driver->err);
	}
	if (r < 0)
		return r;
	return compiler_find(&driver->compiler, words && *words ? words : "gcc",
			     &driver->arena, &driver->err);
}

/* cellc --trust NS CELL KEY: what `cell macro trust` runs. */
static int trust(struct driver *driver, const char *ns, const char *cell, const char *key)
{
	struct project project;

	if (project_find(&project, "-", NULL, &driver->arena, &driver->err) < 0 ||
	    known_trust(&project, ns, cell, key, &driver->err) < 0)
		return fail(&driver->err);
	return 0;
}

/* $CELLC_COMPDB has a record of all that is compiled, with attributes or without. */
static void commands_record(struct driver *driver)
{
	const char *folder = getenv("CELLC_COMPDB");

	for (size_t i = 0; folder && *folder && i < driver->line.n_inputs; i++)
		if (driver->line.inputs[i].kind == COMMAND_INPUT_C)
			compdb_record(&driver->line, &driver->compiler,
				      &driver->line.inputs[i], folder, &driver->arena);
}

int main(int argc, char **argv)
{
	struct driver driver = { .in = -1 };

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(help, stdout) < 0 || fflush(stdout) != 0;
	cell_arena_init(&driver.arena, 0);
	if (argc == 5 && strcmp(argv[1], "--trust") == 0)
		return trust(&driver, argv[2], argv[3], argv[4]);
	if (argc > 3 && strcmp(argv[1], "--ide") == 0) {
		driver.ide = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (command_parse(&driver.line, argc, argv, getenv("CELLC_FLAGS"), on_read, NULL,
			  &driver.arena, &driver.err) < 0 ||
	    compiler_choose(&driver) < 0)
		return fail(&driver.err);
	if (!driver.ide)
		commands_record(&driver);
	if (driver.line.mode == COMMAND_PASS && driver.line.is_preprocessed)
		preprocessed_warn(&driver);
	if (driver.line.mode == COMMAND_PASS)
		return pass(&driver, driver.line.why_pass);
	if (driver.line.n_sources == 0)
		return pass(&driver, "there is no C source");
	if (driver.compiler.is_cxx)
		return pass(&driver, "the compiler takes C for C++");
	return look(&driver);
}
