#include <cell/internal/command.h>

#include "../libcell/manifest.h"
#include "offer.h"

#include <cell/cell.h>
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* `--complete WORD...`, asked by the completion scripts, is in no table. */
#define COMPLETE "--complete"

static void name_make(struct command *command)
{
	const struct opts *opts = &command->opts;

	(void)snprintf(command->name, sizeof command->name, "%s%s%s",
		       opts->parent ? opts->parent->name : "", opts->parent ? " " : "",
		       opts->command->name);
}

static int usage_fail(struct command *command, const char *text)
{
	FILE *file = command->err.file;

	fprintf(file, "%s: %s\nusage: ", command->name, text);
	opts_synopsis(file, command->opts.parent, command->opts.command);
	fprintf(file, "%s --help says more\n", command->name);
	return 2;
}

static bool done(struct command *command, int exit_code)
{
	command->exit_code = exit_code;
	return false;
}

/* The first argument that is to be the name of a cell and is none, or NULL. */
static const char *misnamed(const struct opts *opts)
{
	const struct opts_argument *argument = opts->command->arguments;

	for (size_t i = 0; i < opts->n_args && argument && argument->name; i++) {
		if (argument->words == OPTS_CELL && !argument->may_be_path &&
		    !cell_name_is_valid(opts->args[i]))
			return opts->args[i];
		argument += !argument->repeats;
	}
	return NULL;
}

bool command_begin(struct command *command, const struct opts_command *table, int argc,
		   char **argv, void *options)
{
	const struct opts_common *common = &command->opts.common;
	struct cell_error err;
	int r;

	*command = (struct command){ .opts.command = table };
	/* Only how wide characters are; numbers stay as programs write them. */
	(void)setlocale(LC_CTYPE, "");
	if (argc >= 2 && strcmp(argv[1], COMPLETE) == 0) {
		opts_complete(stdout, table, argv + 2, (size_t)argc - 2, offer_words,
			      (void *)table);
		return done(command, 0);
	}
	r = opts_parse(&command->opts, table, argc, argv, options, &err);
	command->out = out_open(stdout, common->color);
	command->err = out_open(stderr, common->color);
	command->is_json = common->json;
	name_make(command);
	if (r < 0)
		return done(command, usage_fail(command, err.text));
	if (common->help) {
		opts_help(stdout, command->opts.parent, command->opts.command);
		return done(command, 0);
	}
	if (common->version) {
		printf("%s %s\n", command->name, cell_version());
		return done(command, 0);
	}
	if (misnamed(&command->opts))
		return done(command,
			    command_usage(command,
					  "'%.40s' is no name of a cell ([a-z][a-z0-9-]*, at "
					  "most %d)", misnamed(&command->opts), CELL_NAME_MAX));
	if (common->rundir && setenv("CELL_RUNDIR", common->rundir, 1) < 0)
		return done(command, usage_fail(command, strerror(errno)));
	return true;
}

struct cell_call *command_call(struct command *command)
{
	unsigned verbose = command->opts.common.verbose;
	char program[sizeof command->name];

	if (command->call)
		return command->call;
	(void)snprintf(program, sizeof program, "%s", command->name);
	for (char *blank; (blank = strchr(program, ' '));)
		*blank = '-';
	command->call = cell_open(program);
	/* The library's lines would stand between the command's own, unless they are wanted.
	 */
	if (verbose || !getenv("CELL_LOG"))
		(void)cell_log_set(verbose > 1 ? "debug" : verbose ? "info" : "err");
	return command->call;
}

int command_fail(struct command *command, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)cell_failv(&command->error, code, format, args);
	va_end(args);
	return code;
}

int command_usage(struct command *command, const char *format, ...)
{
	char text[CELL_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return usage_fail(command, text);
}

void command_note(const struct command *command, const char *format, ...)
{
	va_list args;

	if (command->opts.common.quiet)
		return;
	fprintf(command->err.file, "%s: ", command->name);
	va_start(args, format);
	vfprintf(command->err.file, format, args);
	va_end(args);
	fputc('\n', command->err.file);
}

/* The text for ERR: who set the same code last knows it. */
static const char *error_text(const struct command *command, int err)
{
	const struct cell_error *error = &command->error;

	if (error->code == err && error->text[0])
		return error->text;
	error = command->call ? cell_error(command->call) : NULL;
	return error && error->code == err && error->text[0] ? error->text : NULL;
}

int command_end(struct command *command, int err)
{
	const char *text = err < 0 ? error_text(command, err) : NULL;
	int exit_code = err < 0 ? cell_status_exit_code(err) : 0;

	if (err < 0 && command->exit_on_error)
		exit_code = command->exit_on_error;

	/* Results first, so that an error stands below them. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno != EPIPE)
			fprintf(command->err.file, "%s: writing the result: %s\n",
				command->name, strerror(errno));
		exit_code = exit_code ? exit_code : 1;
	}
	if (err < 0) {
		char plain[CELL_ERROR_TEXT_MAX];

		fprintf(command->err.file, "%s: ", command->name);
		if (command->shows_status || !text)
			out_print(&command->err, OUT_BAD, "%s%s", cell_status_name(err),
				  text ? ": " : "");
		fprintf(command->err.file, "%s\n",
			text ? out_plain(plain, sizeof plain, text) : "");
	}
	/* Its task holds what it works on, and nobody can take that away from it. */
	if (command->keeps_call) {
		(void)fflush(command->err.file);
		_exit(exit_code);
	}
	if (command->call)
		cell_close(command->call);
	command->call = NULL;
	return exit_code;
}

int command_json(struct command *command, json_t *value)
{
	int r;

	if (!value)
		return command_fail(command, -ENOMEM, "no memory for the result");
	r = out_json(stdout, value,
		     command->out.is_terminal || command->opts.common.verbose > 0);
	json_decref(value);
	return r;
}

const char *command_arg(const struct command *command, size_t i)
{
	return i < command->opts.n_args ? command->opts.args[i] : NULL;
}
