/*
 * `cell VERB …` becomes `cell-VERB …`.
 */
#pragma once

#include <cell/internal/command.h>

/*
 * Execute VERB with ARGS (N of them), after the common options that stood before it.
 * Returns only if that is not possible: the exit code, after saying why on stderr and what
 * may have been meant.
 */
int dispatch(const struct command *command, const char *verb, char **args, size_t n);

/*
 * Completion: WORDS (N of them) follow `cell`, the last is being typed. Lists verbs, or
 * executes the verb's own completion. Returns the exit code.
 */
int dispatch_complete(char **words, size_t n);

/* `cell help [VERB]`: the manual page on a terminal, else what VERB --help prints. */
int help(const struct command *command, const char *verb);

/* What there is: the verbs, in groups. */
void help_overview(FILE *file);
