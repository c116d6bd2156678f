/*
 * What the main() of every command has in common: options, help, completion, where to
 * print, the root call, and the exit code.
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct options options = { .lines = 10 };
 *		struct command command;
 *		int err;
 *
 *		if (!command_begin(&command, &table, argc, argv, &options))
 *			return command.exit_code;
 *		err = list(&command, &options);
 *		return command_end(&command, err);
 *	}
 */
#pragma once

#include <cell/call.h>
#include <cell/internal/opts.h>
#include <cell/internal/out.h>

#ifdef __cplusplus
extern "C" {
#endif

struct command {
	struct opts opts;
	struct out out;         /* the result */
	struct out err;         /* what people read */
	struct cell_call *call; /* see command_call() */
	struct cell_error error;
	char name[64];     /* "cell call" */
	bool shows_status; /* errors begin with the status's name */
	bool keeps_call;   /* a task of it still waits: leave it to the process's end */
	bool is_json;
	int exit_on_error; /* instead of the error's own exit code; 0: that */
	int exit_code;
};

/*
 * Parse ARGV into OPTIONS by TABLE. False if that is all there is to do (help, version,
 * completion, a usage error, which has been printed): return command->exit_code then. An
 * argument that is a cell's name (OPTS_CELL) is one.
 * Passes --rundir on as $CELL_RUNDIR, and quietens the library unless -v is given.
 */
bool command_begin(struct command *command, const struct opts_command *table, int argc,
		   char **argv, void *options);

/* The root call, opened when first asked for. */
struct cell_call *command_call(struct command *command);

/* Keep CODE and a text for command_end(), and return CODE. */
int command_fail(struct command *command, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A usage error that the table cannot see: printed at once, with the synopsis; returns 2. */
int command_usage(struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One line on stderr, unless -q was given. */
void command_note(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Print ERR (0: nothing) with its text: the command's own, else the call's. Closes the
 * call. Returns the exit code, which is 1 also if stdout could not be written; with
 * `keeps_call` it ends the process itself.
 */
int command_end(struct command *command, int err);

/* One JSON document to stdout: indented on a terminal or with -v, else on one line. Takes
 * VALUE. */
int command_json(struct command *command, json_t *value);

/* The I-th argument, or NULL. */
const char *command_arg(const struct command *command, size_t i);

#ifdef __cplusplus
}
#endif
