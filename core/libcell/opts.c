#include <cell/internal/opts.h>

#include "guess.h"
#include "manifest.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* getopt_long()'s values for long options: beyond any letter. */
#define OPTION_BASE 256
/* Where help texts begin. */
#define HELP_COLUMN 26

/* The options that every command takes, into struct opts_common. */
static const struct opts_option common_options[] = {
	{ 0, "json", OPTS_FLAG, offsetof(struct opts_common, json),
	  .help = "print one JSON document" },
	{ 0, "rundir", OPTS_TEXT, offsetof(struct opts_common, rundir), .value = "DIR",
	  .help = "the node's run directory", .words = OPTS_FOLDER },
	{ 0, "color", OPTS_TEXT, offsetof(struct opts_common, color), .value = "WHEN",
	  .help = "auto, always or never", .choices = "auto|always|never" },
	{ 'q', "quiet", OPTS_COUNT, offsetof(struct opts_common, quiet), .help = "say less" },
	{ 'v', "verbose", OPTS_COUNT, offsetof(struct opts_common, verbose),
	  .help = "say more" },
	{ 'h', "help", OPTS_FLAG, offsetof(struct opts_common, help),
	  .help = "show this help" },
	{ 0, "version", OPTS_FLAG, offsetof(struct opts_common, version),
	  .help = "show the version" },
	{ 0 },
};

/* One option of a command or of all, and the struct that its value goes to. */
struct known {
	const struct opts_option *option;
	bool is_common;
};

struct table {
	struct known known[OPTS_MAX];
	size_t n;
};

static void table_add(struct table *table, const struct opts_command *command)
{
	for (const struct opts_option *o = command->options;
	     o && o->name && table->n < OPTS_MAX; o++)
		table->known[table->n++] = (struct known){ o, false };
}

static struct table table_make(const struct opts_command *parent,
			       const struct opts_command *command)
{
	struct table table = { .n = 0 };

	table_add(&table, command);
	if (parent)
		table_add(&table, parent);
	for (const struct opts_option *o = common_options; o->name && table.n < OPTS_MAX; o++)
		if (command->has_json || (parent && parent->has_json) ||
		    strcmp(o->name, "json") != 0)
			table.known[table.n++] = (struct known){ o, true };
	return table;
}

static bool takes_value(const struct opts_option *option)
{
	return option->type != OPTS_FLAG && option->type != OPTS_COUNT;
}

/* ---- values ------------------------------------------------------------------------ */

/* Whether TEXT is one of CHOICES, for WHAT: "--level", "ACTION". */
static int choice_check(const char *what, const char *choices, const char *text,
			struct cell_error *err)
{
	char list[128], *save = NULL;
	struct guess guess = { .word = text };

	(void)snprintf(list, sizeof list, "%s", choices);
	for (char *word = strtok_r(list, "|", &save); word;
	     word = strtok_r(NULL, "|", &save)) {
		if (strcmp(word, text) == 0)
			return 0;
		guess_try(&guess, word);
	}
	if (guess.best)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "%s: '%.60s' (did you mean '%s'?)", what, text, guess.best);
	return cell_fail(err, CELL_INVALID_ARGUMENT, "%s: '%.60s' is none of %s", what, text,
			 choices);
}

static int number_parse(const struct opts_option *option, const char *text, uint64_t *ret,
			struct cell_error *err)
{
	uint64_t max = option->max ? option->max : UINT64_MAX, value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "--%s: '%.60s' is no number",
				 option->name, text);
	if (errno || value < option->min || value > max)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "--%s: %.60s is not between %" PRIu64 " and %" PRIu64,
				 option->name, text, option->min, max);
	*ret = value;
	return 0;
}

/* TEXT is NULL for flags and counts. */
static int value_set(const struct opts_option *option, void *into, const char *text,
		     struct cell_error *err)
{
	void *member = (char *)into + option->offset;
	char what[64];
	int r = 0;

	switch (option->type) {
	case OPTS_FLAG: *(bool *)member = true; break;
	case OPTS_COUNT: ++*(unsigned *)member; break;
	case OPTS_TEXT:
		(void)snprintf(what, sizeof what, "--%s", option->name);
		r = option->choices ? choice_check(what, option->choices, text, err) : 0;
		if (r == 0)
			*(const char **)member = text;
		break;
	case OPTS_NUMBER: return number_parse(option, text, member, err);
	case OPTS_DURATION:
		if (cell_duration_parse(text, member) < 0)
			r = cell_fail(
				err, CELL_INVALID_ARGUMENT,
				"--%s: '%.60s' is no duration, such as 250ms, 10s or 2m",
				option->name, text);
		break;
	case OPTS_SIZE:
		if (cell_size_parse(text, member) < 0)
			r = cell_fail(err, CELL_INVALID_ARGUMENT,
				      "--%s: '%.60s' is no size, such as 512, 64M or 1G",
				      option->name, text);
		break;
	}
	return r;
}

/* ---- parsing ------------------------------------------------------------------------- */

/* What getopt_long() takes, made from a table. */
struct getopt_table {
	struct option longs[OPTS_MAX + 1];
	char letters[2 * OPTS_MAX + 4];
};

/* IN_ORDER: stop at the first word that is no option, which names a command. */
static struct getopt_table getopt_make(const struct table *table, bool in_order)
{
	struct getopt_table g = { 0 };
	char *to = g.letters;

	if (in_order)
		*to++ = '+';
	*to++ = ':';
	for (size_t i = 0; i < table->n; i++) {
		const struct opts_option *o = table->known[i].option;

		g.longs[i] =
			(struct option){ o->name,
					 takes_value(o) ? required_argument : no_argument,
					 NULL, OPTION_BASE + (int)i };
		if (!o->letter)
			continue;
		*to++ = o->letter;
		if (takes_value(o))
			*to++ = ':';
	}
	return g;
}

static int option_unknown(const struct table *table, const char *word, int letter,
			  struct cell_error *err)
{
	const char *name = word && strncmp(word, "--", 2) == 0 ? word + 2 : NULL;
	size_t len = name ? strcspn(name, "=") : 0;
	char typed[GUESS_MAX + 1];
	struct guess guess = { .word = typed };

	if (!name)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "unknown option '-%c'", letter);
	(void)snprintf(typed, sizeof typed, "%.*s", (int)(len > GUESS_MAX ? GUESS_MAX : len),
		       name);
	for (size_t i = 0; i < table->n; i++) {
		const struct opts_option *o = table->known[i].option;

		if (strcmp(o->name, typed) == 0)
			return cell_fail(err, CELL_INVALID_ARGUMENT, "--%s takes no value",
					 typed);
		guess_try(&guess, o->name);
	}
	if (guess.best)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "unknown option '--%s' (did you mean '--%s'?)", typed,
				 guess.best);
	return cell_fail(err, CELL_INVALID_ARGUMENT, "unknown option '--%s'", typed);
}

static const struct known *known_find(const struct table *table, int c)
{
	if (c >= OPTION_BASE)
		return &table->known[c - OPTION_BASE];
	for (size_t i = 0; i < table->n; i++)
		if (table->known[i].option->letter == c)
			return &table->known[i];
	return NULL;
}

/* Options up to the first word (IN_ORDER) or wherever they stand; optind is behind them. */
static int options_parse(const struct table *table, bool in_order, int argc, char **argv,
			 void *into, struct opts_common *common, struct cell_error *err)
{
	struct getopt_table g = getopt_make(table, in_order);
	const struct known *known;
	int c, r = 0;

	opterr = 0;
	optind = 0; /* glibc: begin anew */
	while (r == 0 && (c = getopt_long(argc, argv, g.letters, g.longs, NULL)) != -1) {
		/* argv was permuted: the word just read is the one before optind. */
		const char *word = optind > 0 ? argv[optind - 1] : NULL;

		if (c == ':') {
			known = known_find(table, optopt);
			return cell_fail(err, CELL_INVALID_ARGUMENT, "'%s' needs a value: %s",
					 word, known ? known->option->value : "");
		}
		if (c == '?')
			return option_unknown(table, word, optopt, err);
		known = known_find(table, c);
		r = value_set(known->option, known->is_common ? (void *)common : into, optarg,
			      err);
	}
	return r;
}

static int args_check(const struct opts_command *command, char **args, size_t n,
		      struct cell_error *err)
{
	const struct opts_argument *a = command->arguments;
	size_t i = 0;

	for (; a && a->name; a++) {
		if (i >= n && !a->is_optional)
			return cell_fail(err, CELL_INVALID_ARGUMENT, "%s is missing",
					 a->name);
		for (size_t end = a->repeats ? n : i + 1; i < n && i < end; i++)
			if (a->choices && choice_check(a->name, a->choices, args[i], err) < 0)
				return CELL_INVALID_ARGUMENT;
	}
	if (i < n)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "one argument too many: '%.60s'",
				 args[i]);
	return 0;
}

static const struct opts_command *command_find(const struct opts_command *command,
					       const char *word)
{
	for (const struct opts_command *const *c = command->commands; *c; c++)
		if (strcmp((*c)->name, word) == 0)
			return *c;
	return NULL;
}

static int command_unknown(const struct opts_command *command, const char *word,
			   struct cell_error *err)
{
	struct guess guess = { .word = word };
	char list[160] = "";
	size_t len = 0;

	for (const struct opts_command *const *c = command->commands; *c; c++) {
		guess_try(&guess, (*c)->name);
		if (len < sizeof list)
			len += (size_t)snprintf(list + len, sizeof list - len, "%s%s",
						len ? ", " : "", (*c)->name);
	}
	if (guess.best)
		return cell_fail(err, CELL_INVALID_ARGUMENT,
				 "unknown command '%.60s' (did you mean '%s'?)", word,
				 guess.best);
	return cell_fail(err, CELL_INVALID_ARGUMENT, "unknown command '%.60s': there are %s",
			 word, list);
}

int opts_parse(struct opts *ret, const struct opts_command *command, int argc, char **argv,
	       void *into, struct cell_error *err)
{
	bool has_commands = command->commands;
	struct table table = table_make(NULL, command);
	int r;

	*ret = (struct opts){ .command = command, .common = { .color = "auto" } };
	r = options_parse(&table, has_commands || command->in_order, argc, argv, into,
			  &ret->common, err);
	if (r == 0 && has_commands && !ret->common.help && !ret->common.version) {
		if (optind >= argc)
			return cell_fail(err, CELL_INVALID_ARGUMENT, "which command?");
		ret->command = command_find(command, argv[optind]);
		if (!ret->command) {
			ret->command = command;
			return command_unknown(command, argv[optind], err);
		}
		ret->parent = command;
		argc -= optind;
		argv += optind;
		table = table_make(command, ret->command);
		r = options_parse(&table, ret->command->in_order, argc, argv, into,
				  &ret->common, err);
	}
	if (ret->common.help || ret->common.version)
		return 0;
	if (r < 0)
		return r;
	ret->args = argv + optind;
	ret->n_args = (size_t)(argc - optind);
	return args_check(ret->command, ret->args, ret->n_args, err);
}

/* ---- help ---------------------------------------------------------------------------- */

/* Print WORD, on a new line that is indented by INDENT if it does not fit. */
static size_t fold(FILE *file, size_t column, size_t indent, const char *word)
{
	if (column + 1 + strlen(word) > OPTS_WIDTH) {
		fprintf(file, "\n%*s", (int)indent, "");
		column = indent;
	} else {
		fputc(' ', file);
		column++;
	}
	fputs(word, file);
	return column + strlen(word);
}

void opts_synopsis(FILE *file, const struct opts_command *parent,
		   const struct opts_command *command)
{
	char name[80], word[80];
	size_t indent, column;

	(void)snprintf(name, sizeof name, "%s%s%s", parent ? parent->name : "",
		       parent ? " " : "", command->name);
	fputs(name, file);
	indent = column = strlen(name);
	column = fold(file, column, indent + 1, "[OPTION]...");
	if (command->commands)
		column = fold(file, column, indent + 1, "COMMAND [ARGUMENT]...");
	for (const struct opts_argument *a = command->arguments; a && a->name; a++) {
		(void)snprintf(word, sizeof word, a->is_optional ? "[%s]%s" : "%s%s", a->name,
			       a->repeats ? "..." : "");
		column = fold(file, column, indent + 1, word);
	}
	fputc('\n', file);
}

/* LEFT in its column, TEXT folded in the other. */
static void help_row(FILE *file, const char *left, const char *text)
{
	size_t column = strlen(left) + 2;
	char *words = text ? strdup(text) : NULL, *save = NULL;

	fprintf(file, "  %s", left);
	if (column > HELP_COLUMN - 2 && words) {
		fputc('\n', file);
		column = 0;
	}
	fprintf(file, "%*s", words ? (int)(HELP_COLUMN - 1 - column) : 0, "");
	column = HELP_COLUMN - 1;
	for (char *word = words ? strtok_r(words, " ", &save) : NULL; word;
	     word = strtok_r(NULL, " ", &save))
		column = fold(file, column, HELP_COLUMN, word);
	fputc('\n', file);
	free(words);
}

static void help_options(FILE *file, const struct opts_option *options)
{
	for (const struct opts_option *o = options; o && o->name; o++) {
		char left[80], letter[8] = "    ";

		if (o->letter)
			(void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
		(void)snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name,
			       o->value ? " " : "", o->value ? o->value : "");
		help_row(file, left, o->help);
	}
}

/* Examples side by side with what they do, if that fits; else what they do in a line above.
 */
static void help_examples(FILE *file, const struct opts_example *examples)
{
	size_t widest = 0, whole = 0;

	for (const struct opts_example *e = examples; e->line; e++) {
		widest = strlen(e->line) > widest ? strlen(e->line) : widest;
		whole = strlen(e->what) > whole ? strlen(e->what) : whole;
	}
	fputs("\nExamples:\n", file);
	for (const struct opts_example *e = examples; e->line; e++) {
		if (2 + widest + 3 + whole <= OPTS_WIDTH)
			fprintf(file, "  %-*s   %s\n", (int)widest, e->line, e->what);
		else
			fprintf(file, "  # %s\n  %s\n", e->what, e->line);
	}
}

static void help_text(FILE *file, const char *text)
{
	char *words = strdup(text), *save = NULL;
	size_t column = OPTS_WIDTH;

	for (char *word = words ? strtok_r(words, " ", &save) : NULL; word;
	     word = strtok_r(NULL, " ", &save))
		column = fold(file, column, 0, word);
	fputc('\n', file);
	free(words);
}

void opts_help(FILE *file, const struct opts_command *parent,
	       const struct opts_command *command)
{
	bool has_json = command->has_json || (parent && parent->has_json);
	const char *page = parent ? parent->name : command->name;

	fprintf(file, "%s%s%s: %s\n", parent ? parent->name : "", parent ? " " : "",
		command->name, command->summary);
	if (command->text)
		help_text(file, command->text);
	if (command->examples)
		help_examples(file, command->examples);
	fputs("\nUsage:\n  ", file);
	opts_synopsis(file, parent, command);
	if (command->arguments && command->arguments->name && command->arguments->help)
		fputs("\nArguments:\n", file);
	for (const struct opts_argument *a = command->arguments; a && a->name; a++)
		if (a->help)
			help_row(file, a->name, a->help);
	if (command->commands)
		fputs("\nCommands:\n", file);
	for (const struct opts_command *const *c = command->commands; c && *c; c++)
		help_row(file, (*c)->name, (*c)->summary);
	if ((command->options && command->options->name) || has_json ||
	    (parent && parent->options && parent->options->name))
		fputs("\nOptions:\n", file);
	help_options(file, command->options);
	if (parent)
		help_options(file, parent->options);
	if (has_json)
		help_row(file, "    --json", common_options[0].help);
	fputs("\nEverywhere: -h, --help; --version; --rundir DIR; --color WHEN; -q, --quiet; -v,\n"
	      "--verbose. ",
	      file);
	/* "cell dht" is described in cell-dht(1). */
	fputs("Manual: man ", file);
	for (; *page; page++)
		fputc(*page == ' ' ? '-' : *page, file);
	fputc('\n', file);
}

/* ---- completion --------------------------------------------------------------------------
 */

static void offer_options(FILE *file, const struct table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct opts_option *o = table->known[i].option;

		fprintf(file, "--%s\t%s\n", o->name, o->help);
	}
}

static void offer_choices(FILE *file, const char *choices)
{
	for (const char *at = choices; at && *at;) {
		size_t len = strcspn(at, "|");

		fprintf(file, "%.*s\n", (int)len, at);
		at += len + (at[len] == '|');
	}
}

/* The option that WORD is, if it wants its value in the next word. */
static const struct opts_option *option_waiting(const struct table *table, const char *word)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct opts_option *o = table->known[i].option;
		size_t len = strlen(word);

		if (!takes_value(o) || len < 2 || word[0] != '-')
			continue;
		if (word[1] == '-' ? strcmp(word + 2, o->name) == 0
				   : o->letter && word[len - 1] == o->letter)
			return o;
	}
	return NULL;
}

/* Which argument is typed after N others. */
static const struct opts_argument *argument_at(const struct opts_command *command, size_t n)
{
	const struct opts_argument *a = command->arguments;

	for (; a && a->name; a++, n--)
		if (n == 0 || a->repeats)
			return a;
	return NULL;
}

void opts_complete(FILE *file, const struct opts_command *command, char **words,
		   size_t n_words, opts_offer_fn *offer, void *userdata)
{
	struct table table = table_make(NULL, command);
	const struct opts_option *waiting = NULL;
	const struct opts_argument *argument;
	const char *now = n_words ? words[n_words - 1] : "";
	bool only_args = false;
	char *args[32];
	size_t n_args = 0;

	for (size_t i = 0; i + 1 < n_words; i++) {
		const char *word = words[i];

		if (waiting) {
			waiting = NULL;
		} else if (!only_args && strcmp(word, "--") == 0) {
			only_args = true;
		} else if (!only_args && word[0] == '-' && word[1]) {
			waiting = option_waiting(&table, word);
		} else if (command->commands && n_args == 0) {
			const struct opts_command *parent = command;

			command = command_find(parent, word);
			if (!command)
				return;
			table = table_make(parent, command);
		} else if (n_args < sizeof args / sizeof args[0]) {
			args[n_args++] = words[i];
		}
	}
	if (waiting) {
		if (waiting->choices)
			offer_choices(file, waiting->choices);
		else
			offer(userdata, waiting->words, args, n_args, file);
		return;
	}
	if (!only_args && now[0] == '-') {
		offer_options(file, &table);
		return;
	}
	for (const struct opts_command *const *c = command->commands; c && *c; c++)
		fprintf(file, "%s\t%s\n", (*c)->name, (*c)->summary);
	argument = argument_at(command, n_args);
	if (argument && argument->choices)
		offer_choices(file, argument->choices);
	else if (argument)
		offer(userdata, argument->words, args, n_args, file);
}
