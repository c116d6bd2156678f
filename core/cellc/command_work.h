/*
 * One command line on its way through command_parse(), and what the parts of that call of
 * each other: words.c and own_option.c (command_names.c has the rest of command.h). Nobody
 * else includes this. What is wrong is in `err`.
 */
#pragma once

#include "command.h"

#include <errno.h>
#include <string.h>

/* A word of `expanded`: where it came from. */
struct word {
	char *text;
	size_t of;         /* its index in argv as given */
	bool is_from_file; /* of an @file */
};

struct parser {
	struct command_line *line;
	struct cell_arena *arena;
	struct cell_error *err;
	struct word *words; /* all of them; [0] is cellc itself */
	size_t n_words;
	bool *is_ours; /* by index in argv as given */
	command_read_fn *read;
	void *userdata;
	unsigned files_left;
	const char *language;
	size_t n_preprocess, n_compile, n_defines, n_directories, n_targets, n_target_flags;
	bool has_cxx_driver;
};

static inline int parser_no_memory(struct parser *parser)
{
	return cell_fail(parser->err, -ENOMEM, "reading the command line");
}

static inline bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* What is behind the last slash of PATH. */
static inline const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- words.c: what stands on the line, @files too ---- */

/*
 * Fill PARSER's words from ARGV (ARGC), with those of each @file that can be read in its
 * place. Returns 0, CELL_INVALID_ARGUMENT for too many, or -ENOMEM.
 */
int words_collect(struct parser *parser, int argc, char **argv);

/* ---- own_option.c: what is for cellc itself ---- */

/*
 * Take WORD if it is cellc's: then *RET_N of its words are used, else 0. NEXT, the word
 * behind it, may be NULL. Returns 0, CELL_INVALID_ARGUMENT if its argument is missing, or
 * -ENOMEM.
 */
int own_option(struct parser *parser, const char *word, const char *next, size_t *ret_n);

/* Take FLAGS, the text of $CELLC_FLAGS. Returns as own_option(); others are refused, too. */
int own_flags(struct parser *parser, const char *flags);
