/*
 * Options: one table per command yields parsing, help, synopses, completion and the
 * suggestion for a typo.
 *
 *	struct options { bool follow; uint64_t lines; };
 *	static const struct opts_option options[] = {
 *		{ 'f', "follow", OPTS_FLAG, offsetof(struct options, follow), .help = "…" },
 *		{ 'n', "lines", OPTS_NUMBER, offsetof(struct options, lines), .value = "N",
 *		  .help = "…" },
 *		{ 0 },
 *	};
 *
 * Nothing here prints to a terminal or exits: <cell/internal/command.h> does for commands.
 */
#pragma once

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Help never is wider. */
#define OPTS_WIDTH 80
/* Options of one command, common ones included. */
#define OPTS_MAX 64

enum opts_type {
	OPTS_FLAG,     /* bool */
	OPTS_COUNT,    /* unsigned: how often it was given */
	OPTS_TEXT,     /* const char * */
	OPTS_NUMBER,   /* uint64_t */
	OPTS_DURATION, /* uint64_t, ns; spelled "250ms", "2m" */
	OPTS_SIZE      /* uint64_t, bytes; spelled "64M" */
};

/* What a value or an argument names; completion offers those that there are. */
enum opts_words {
	OPTS_ANY,
	OPTS_CELL,   /* a cell that the node knows */
	OPTS_METHOD, /* a method of the cell named before it */
	OPTS_TYPE,   /* a message or method of that cell */
	OPTS_VERB,
	OPTS_FILE,
	OPTS_FOLDER,
	OPTS_OWN /* the command's own `offer` knows */
};

/* Offers what there is of WORDS: one candidate a line, a tab and what it is. */
typedef void opts_offer_fn(void *userdata, enum opts_words words, char **args, size_t n_args,
			   FILE *file);

struct opts_option {
	char letter;      /* 0: it has only a name */
	const char *name; /* NULL ends a table */
	enum opts_type type;
	size_t offset;     /* of its member in the command's struct of options */
	const char *value; /* what stands for the value in help; NULL for flags and counts */
	const char *help;  /* one line; defaults in parentheses */
	enum opts_words words;
	const char *choices; /* the only values: "auto|always|never" */
	uint64_t min;        /* of numbers */
	uint64_t max;        /* of numbers; 0: no limit */
};

struct opts_argument {
	const char *name; /* "CELL"; NULL ends a table */
	const char *help;
	enum opts_words words;
	const char *choices; /* the only values, as above */
	bool is_optional; /* so are those after it */
	bool repeats;     /* the last one only */
	bool may_be_path; /* OPTS_CELL: not only a name */
};

struct opts_example {
	const char *line; /* as typed; NULL ends a table */
	const char *what;
};

struct opts_command {
	const char *name;    /* "cell call"; for a command of a command its own word */
	const char *summary; /* as in the manual page's .Nd line */
	const char *text;    /* a paragraph after it, or NULL */
	const struct opts_example *examples; /* these four may be NULL */
	const struct opts_option *options;
	const struct opts_argument *arguments;
	const struct opts_command *const *commands; /* NULL-terminated; one must be chosen */
	bool has_json;                              /* it takes --json */
	/* What completion offers for OPTS_OWN, of this command and its commands; or NULL. */
	opts_offer_fn *offer;
	bool in_order; /* options end at the first word: what follows is for somebody else */
};

/* What every command takes. */
struct opts_common {
	const char *rundir; /* NULL: not given */
	const char *color;  /* "auto", "always", "never" */
	bool json;
	unsigned quiet;
	unsigned verbose;
	bool help;
	bool version;
};

struct opts {
	const struct opts_command *command; /* the one chosen, at last the one given */
	const struct opts_command *parent;  /* the one it is of, or NULL */
	struct opts_common common;
	char **args; /* what is no option, in order; part of argv */
	size_t n_args;
};

/*
 * Parse ARGV (argv[0] is skipped; its words are put in order: options first) by COMMAND's
 * table into the struct at INTO, which holds the defaults. Options of a command of a
 * command go to the same struct.
 *
 * With --help or --version nothing else is checked. Returns 0, or CELL_INVALID_ARGUMENT
 * saying which word is wrong, and what may have been meant. RET->command is set either way.
 */
int opts_parse(struct opts *ret, const struct opts_command *command, int argc, char **argv,
	       void *into, struct cell_error *err);

/* "cell call [OPTION]... CELL METHOD [REQUEST]", folded at OPTS_WIDTH. PARENT may be NULL. */
void opts_synopsis(FILE *file, const struct opts_command *parent,
		   const struct opts_command *command);

/* Summary, examples, synopsis, arguments, options. */
void opts_help(FILE *file, const struct opts_command *parent,
	       const struct opts_command *command);

/*
 * Completion: the N_WORDS words typed after the command, the last of which (it may be "")
 * is being typed. Writes candidates, one a line, with a tab and what they are; those that
 * do not begin with that word are left to the shell to drop.
 */
void opts_complete(FILE *file, const struct opts_command *command, char **words,
		   size_t n_words, opts_offer_fn *offer, void *userdata);

#ifdef __cplusplus
}
#endif
