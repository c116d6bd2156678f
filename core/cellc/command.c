/*
 * One table says for each option that matters how it is spelled, which steps want it, and
 * what it tells us. Whatever is not in it starts with '-', stands alone, and goes to every
 * step: that is right for -O2, -g, -std=, -m, -f and -W.
 */
#include "command.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum step { STEP_PREPROCESS = 1, STEP_COMPILE = 2, STEP_DEFINES = 4 };
#define STEP_BOTH (STEP_PREPROCESS | STEP_COMPILE)
#define STEP_NONE 0

/* How an option takes its argument. */
enum form {
	FORM_ALONE,  /* -c */
	FORM_NEXT,   /* -MF FILE: the next word */
	FORM_JOINED, /* -std=X: the rest of the word */
	FORM_EITHER  /* -oFILE, -o FILE */
};

enum action {
	DO_NOTHING,
	DO_PASS,
	DO_PREPROCESSED,
	DO_MODE_PREPROCESS,
	DO_MODE_CHECK,
	DO_MODE_ASSEMBLY,
	DO_MODE_OBJECT,
	DO_OUTPUT,
	DO_LANGUAGE,
	DO_LIBRARY,
	DO_DIRECTORY,
	DO_DEPENDENCIES,
	DO_DEPENDENCIES_USER,
	DO_DEPFILE,
	DO_DEP_TARGET,
	DO_DEP_PHONY,
	DO_PREPROCESSOR_WORDS, /* -Wp,… */
	DO_STANDARD,
	DO_TARGET,
	DO_SAVE_TEMPS,
	DO_LTO,
	DO_NO_LTO,
	DO_RELOCATABLE,
	DO_COLOR,
	DO_NO_COLOR,
	DO_FORMAT,
	DO_WERROR,
	DO_NO_WERROR,
	DO_NO_WARNINGS,
	DO_DUMPDIR,
	DO_DUMPBASE
};

struct option {
	const char *name;
	enum form form;
	unsigned steps;
	enum action action;
	const char *why; /* DO_PASS */
};

/* The longest name that fits wins, so the order is free. */
static const struct option options[] = {
	{ "-###", FORM_ALONE, STEP_NONE, DO_PASS, "-### compiles nothing" },
	{ "-v", FORM_ALONE, STEP_NONE, DO_PASS, "-v shows the compiler's own steps" },
	{ "--verbose", FORM_ALONE, STEP_NONE, DO_PASS, "-v shows the compiler's own steps" },
	{ "-V", FORM_ALONE, STEP_NONE, DO_PASS, "the compiler is asked for its version" },
	{ "--version", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked for its version" },
	{ "-dumpversion", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked about itself" },
	{ "-dumpfullversion", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked about itself" },
	{ "-dumpmachine", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked about itself" },
	{ "-dumpspecs", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked about itself" },
	{ "-print-", FORM_JOINED, STEP_NONE, DO_PASS, "the compiler is asked about itself" },
	{ "--print-", FORM_JOINED, STEP_NONE, DO_PASS, "the compiler is asked about itself" },
	{ "--help", FORM_JOINED, STEP_NONE, DO_PASS, "the compiler is asked for its help" },
	{ "--target-help", FORM_ALONE, STEP_NONE, DO_PASS,
	  "the compiler is asked for its help" },
	{ "-cc1", FORM_ALONE, STEP_NONE, DO_PASS, "-cc1 is clang's inside" },
	{ "-M", FORM_ALONE, STEP_NONE, DO_PASS, "-M compiles nothing" },
	{ "-MM", FORM_ALONE, STEP_NONE, DO_PASS, "-MM compiles nothing" },
	{ "-MG", FORM_ALONE, STEP_NONE, DO_PASS, "-MG compiles nothing" },
	{ "-dM", FORM_ALONE, STEP_NONE, DO_PASS, "-dM prints no program" },
	{ "-dD", FORM_ALONE, STEP_NONE, DO_PASS, "-dD prints no program" },
	{ "-dN", FORM_ALONE, STEP_NONE, DO_PASS, "-dN prints no program" },
	{ "-dI", FORM_ALONE, STEP_NONE, DO_PASS, "-dI prints no program" },
	{ "-dU", FORM_ALONE, STEP_NONE, DO_PASS, "-dU prints no program" },
	{ "-emit-llvm", FORM_ALONE, STEP_NONE, DO_PASS, "-emit-llvm makes no object" },
	{ "-emit-ast", FORM_ALONE, STEP_NONE, DO_PASS, "-emit-ast compiles nothing" },
	{ "--analyze", FORM_ALONE, STEP_NONE, DO_PASS, "--analyze compiles nothing" },
	{ "-fpreprocessed", FORM_ALONE, STEP_NONE, DO_PREPROCESSED, NULL },
	{ "-fdirectives-only", FORM_ALONE, STEP_NONE, DO_PREPROCESSED, NULL },
	{ "-frewrite-includes", FORM_ALONE, STEP_NONE, DO_PREPROCESSED, NULL },

	{ "-E", FORM_ALONE, STEP_NONE, DO_MODE_PREPROCESS, NULL },
	{ "-S", FORM_ALONE, STEP_NONE, DO_MODE_ASSEMBLY, NULL },
	{ "-c", FORM_ALONE, STEP_NONE, DO_MODE_OBJECT, NULL },
	{ "-fsyntax-only", FORM_ALONE, STEP_NONE, DO_MODE_CHECK, NULL },
	{ "-o", FORM_EITHER, STEP_NONE, DO_OUTPUT, NULL },
	{ "-x", FORM_EITHER, STEP_NONE, DO_LANGUAGE, NULL },

	{ "-D", FORM_EITHER, STEP_PREPROCESS | STEP_DEFINES, DO_NOTHING, NULL },
	{ "-U", FORM_EITHER, STEP_PREPROCESS | STEP_DEFINES, DO_NOTHING, NULL },
	{ "-I", FORM_EITHER, STEP_PREPROCESS, DO_DIRECTORY, NULL },
	{ "-iquote", FORM_EITHER, STEP_PREPROCESS, DO_DIRECTORY, NULL },
	{ "-isystem", FORM_EITHER, STEP_PREPROCESS, DO_DIRECTORY, NULL },
	{ "-idirafter", FORM_EITHER, STEP_PREPROCESS, DO_DIRECTORY, NULL },
	{ "-A", FORM_EITHER, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-F", FORM_EITHER, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-include", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-include-pch", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-imacros", FORM_EITHER, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-iprefix", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-iwithprefix", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-iwithprefixbefore", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-imultilib", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-ivfsoverlay", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-isysroot", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "-nostdinc", FORM_ALONE, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-undef", FORM_ALONE, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-C", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-CC", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-P", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-H", FORM_ALONE, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-Xpreprocessor", FORM_NEXT, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-Wp,", FORM_JOINED, STEP_PREPROCESS, DO_PREPROCESSOR_WORDS, NULL },

	{ "-MD", FORM_ALONE, STEP_NONE, DO_DEPENDENCIES, NULL },
	{ "-MMD", FORM_ALONE, STEP_NONE, DO_DEPENDENCIES_USER, NULL },
	{ "-MF", FORM_EITHER, STEP_NONE, DO_DEPFILE, NULL },
	{ "-MT", FORM_EITHER, STEP_NONE, DO_DEP_TARGET, NULL },
	{ "-MQ", FORM_EITHER, STEP_NONE, DO_DEP_TARGET, NULL },
	{ "-MP", FORM_ALONE, STEP_NONE, DO_DEP_PHONY, NULL },
	{ "-MV", FORM_ALONE, STEP_PREPROCESS, DO_NOTHING, NULL },
	{ "-MJ", FORM_EITHER, STEP_COMPILE, DO_NOTHING, NULL },

	{ "-L", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-l", FORM_EITHER, STEP_NONE, DO_LIBRARY, NULL },
	{ "-Wl,", FORM_JOINED, STEP_NONE, DO_NOTHING, NULL },
	{ "-Xlinker", FORM_NEXT, STEP_NONE, DO_NOTHING, NULL },
	{ "-T", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-e", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-u", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-z", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-h", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-R", FORM_EITHER, STEP_NONE, DO_NOTHING, NULL },
	{ "-s", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-r", FORM_ALONE, STEP_NONE, DO_RELOCATABLE, NULL },
	{ "-shared", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-static", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-static-pie", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-static-libgcc", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-rdynamic", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-pie", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-no-pie", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-nostdlib", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-nostartfiles", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-nodefaultlibs", FORM_ALONE, STEP_NONE, DO_NOTHING, NULL },
	{ "-fuse-ld=", FORM_JOINED, STEP_NONE, DO_NOTHING, NULL },

	{ "-Wa,", FORM_JOINED, STEP_COMPILE, DO_NOTHING, NULL },
	{ "-Xassembler", FORM_NEXT, STEP_COMPILE, DO_NOTHING, NULL },
	{ "-Xclang", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "-mllvm", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "--param", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "--param=", FORM_JOINED, STEP_BOTH, DO_NOTHING, NULL },
	{ "-B", FORM_EITHER, STEP_BOTH, DO_NOTHING, NULL },
	{ "-G", FORM_EITHER, STEP_BOTH, DO_NOTHING, NULL },
	{ "-aux-info", FORM_NEXT, STEP_COMPILE, DO_NOTHING, NULL },
	{ "-wrapper", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "-specs", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "-specs=", FORM_JOINED, STEP_BOTH, DO_NOTHING, NULL },
	{ "--sysroot", FORM_NEXT, STEP_BOTH, DO_TARGET, NULL },
	{ "--sysroot=", FORM_JOINED, STEP_BOTH, DO_TARGET, NULL },
	{ "-working-directory", FORM_NEXT, STEP_BOTH, DO_NOTHING, NULL },
	{ "--serialize-diagnostics", FORM_NEXT, STEP_COMPILE, DO_NOTHING, NULL },
	{ "-arch", FORM_NEXT, STEP_BOTH, DO_TARGET, NULL },
	{ "-target", FORM_NEXT, STEP_BOTH, DO_TARGET, NULL },
	{ "--target=", FORM_JOINED, STEP_BOTH, DO_TARGET, NULL },
	{ "-m", FORM_JOINED, STEP_BOTH, DO_TARGET, NULL },
	{ "-fpack-struct", FORM_JOINED, STEP_BOTH, DO_TARGET, NULL },
	{ "-fshort-enums", FORM_ALONE, STEP_BOTH, DO_TARGET, NULL },
	{ "-fshort-wchar", FORM_ALONE, STEP_BOTH, DO_TARGET, NULL },
	{ "-funsigned-char", FORM_ALONE, STEP_BOTH, DO_TARGET, NULL },
	{ "-fsigned-char", FORM_ALONE, STEP_BOTH, DO_TARGET, NULL },
	{ "-std=", FORM_JOINED, STEP_BOTH, DO_STANDARD, NULL },
	{ "--std=", FORM_JOINED, STEP_BOTH, DO_STANDARD, NULL },
	{ "-ansi", FORM_ALONE, STEP_BOTH, DO_STANDARD, NULL },
	{ "-save-temps", FORM_JOINED, STEP_COMPILE, DO_SAVE_TEMPS, NULL },
	{ "--save-temps", FORM_JOINED, STEP_COMPILE, DO_SAVE_TEMPS, NULL },
	{ "-flto", FORM_JOINED, STEP_COMPILE, DO_LTO, NULL },
	{ "-fno-lto", FORM_ALONE, STEP_COMPILE, DO_NO_LTO, NULL },
	{ "-dumpdir", FORM_NEXT, STEP_NONE, DO_DUMPDIR, NULL },
	{ "-dumpbase", FORM_NEXT, STEP_NONE, DO_DUMPBASE, NULL },
	{ "-dumpbase-ext", FORM_NEXT, STEP_NONE, DO_NOTHING, NULL },
	{ "-fdiagnostics-color", FORM_ALONE, STEP_BOTH, DO_COLOR, NULL },
	{ "-fdiagnostics-color=always", FORM_ALONE, STEP_BOTH, DO_COLOR, NULL },
	{ "-fdiagnostics-color=never", FORM_ALONE, STEP_BOTH, DO_NO_COLOR, NULL },
	{ "-fno-diagnostics-color", FORM_ALONE, STEP_BOTH, DO_NO_COLOR, NULL },
	{ "-fcolor-diagnostics", FORM_ALONE, STEP_BOTH, DO_COLOR, NULL },
	{ "-fno-color-diagnostics", FORM_ALONE, STEP_BOTH, DO_NO_COLOR, NULL },
	{ "-fdiagnostics-format=", FORM_JOINED, STEP_BOTH, DO_FORMAT, NULL },
	{ "-Werror", FORM_ALONE, STEP_BOTH, DO_WERROR, NULL },
	{ "-Wno-error", FORM_ALONE, STEP_BOTH, DO_NO_WERROR, NULL },
	{ "-w", FORM_ALONE, STEP_BOTH, DO_NO_WARNINGS, NULL },
};

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

static int no_memory(struct parser *parser)
{
	return cell_fail(parser->err, -ENOMEM, "reading the command line");
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- words -------------------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word at *AT before END, written to OUT with its NUL; false at the end. */
static bool word_next(const char **at, const char *end, char **out)
{
	char quote = '\0';

	while (*at < end && (is_space(**at) || !**at))
		(*at)++;
	if (*at == end)
		return false;
	for (; *at < end; (*at)++) {
		char c = **at;

		if (c == '\\' && *at + 1 < end) {
			*(*out)++ = *++*at;
		} else if (quote) {
			if (c == quote)
				quote = '\0';
			else
				*(*out)++ = c;
		} else if (c == '\'' || c == '"') {
			quote = c;
		} else if (is_space(c) || !c) {
			break;
		} else {
			*(*out)++ = c;
		}
	}
	*(*out)++ = '\0';
	return true;
}

int command_split(const char *text, size_t len, struct cell_arena *arena, char ***ret_words,
		  size_t *ret_n, struct cell_error *err)
{
	/* A word and its NUL never take more than the word and what ends it, but the last. */
	char *out = cell_arena_alloc(arena, len + 2);
	char **words = cell_arena_calloc(arena, len / 2 + 2, sizeof *words);
	const char *at = text;
	size_t n = 0;

	if (!out || !words)
		return cell_fail(err, -ENOMEM, "reading words");
	for (char *word = out; word_next(&at, text + len, &out); word = out)
		words[n++] = word;
	*ret_words = words;
	*ret_n = n;
	return 0;
}

/* Room for MORE words beyond those that are there. */
static int words_grow(struct parser *parser, size_t more)
{
	struct word *words;

	if (parser->n_words + more > COMMAND_WORDS_MAX)
		return cell_fail(parser->err, CELL_INVALID_ARGUMENT,
				 "more than %d words on the command line", COMMAND_WORDS_MAX);
	words = cell_arena_calloc(parser->arena, parser->n_words + more + 1, sizeof *words);
	if (!words)
		return no_memory(parser);
	if (parser->n_words)
		memcpy(words, parser->words, parser->n_words * sizeof *words);
	parser->words = words;
	return 0;
}

/* Put what the @file at INDEX holds in its place; that it cannot be read is no error. */
static int words_read(struct parser *parser, size_t index)
{
	struct word word = parser->words[index];
	const char *text;
	size_t len, n, behind = parser->n_words - index - 1;
	char **inner;
	int r;

	if (!parser->files_left || !parser->read ||
	    parser->read(parser->userdata, word.text + 1, parser->arena, &text, &len) < 0)
		return 1;
	parser->files_left--;
	r = command_split(text, len, parser->arena, &inner, &n, parser->err);
	if (r == 0)
		r = words_grow(parser, n);
	if (r < 0)
		return r;
	memmove(parser->words + index + n, parser->words + index + 1,
		behind * sizeof *parser->words);
	for (size_t i = 0; i < n; i++)
		parser->words[index + i] = (struct word){ inner[i], word.of, true };
	parser->n_words += n;
	parser->n_words--;
	return 0;
}

static int words_collect(struct parser *parser, int argc, char **argv)
{
	int r = words_grow(parser, (size_t)argc);

	if (r < 0)
		return r;
	for (int i = 0; i < argc; i++)
		parser->words[parser->n_words++] = (struct word){ argv[i], (size_t)i, false };
	for (size_t i = 1; i < parser->n_words;) {
		if (parser->words[i].text[0] != '@') {
			i++;
			continue;
		}
		r = words_read(parser, i);
		if (r < 0)
			return r;
		if (r > 0)
			i++;
	}
	return 0;
}

/* ---- cellc's own options ------------------------------------------------------------- */

static int features_add(struct parser *parser, const char *features)
{
	struct command_line *line = parser->line;

	if (!features || !*features)
		return cell_fail(parser->err, CELL_INVALID_ARGUMENT,
				 "--features needs NAME=on or NAME=off");
	line->features = line->features ? cell_arena_printf(parser->arena, "%s,%s",
							    line->features, features)
					: features;
	return line->features ? 0 : no_memory(parser);
}

/* Whether WORD is cellc's; then *RET_N of its words are used. NEXT may be NULL. */
static int own_option(struct parser *parser, const char *word, const char *next,
		      size_t *ret_n)
{
	struct command_line *line = parser->line;

	*ret_n = 1;
	if (strcmp(word, "--locked") == 0) {
		line->locked = true;
	} else if (strcmp(word, "--offline") == 0) {
		line->offline = true;
	} else if (strcmp(word, "--frozen") == 0) {
		line->locked = line->offline = true;
	} else if (strcmp(word, "--fresh") == 0) {
		line->fresh = true;
	} else if (strcmp(word, "--fix") == 0) {
		line->fix = true;
	} else if (strcmp(word, "--strict") == 0) {
		line->strict = true;
	} else if (strcmp(word, "--cellc-verbose") == 0) {
		line->verbose = true;
	} else if (strcmp(word, "--features") == 0) {
		*ret_n = 2;
		return features_add(parser, next);
	} else if (begins(word, "--features=")) {
		return features_add(parser, word + strlen("--features="));
	} else {
		*ret_n = 0;
	}
	return 0;
}

static int flags_parse(struct parser *parser, const char *flags)
{
	char **words;
	size_t n, used;
	int r = command_split(flags, strlen(flags), parser->arena, &words, &n, parser->err);

	for (size_t i = 0; r == 0 && i < n; i += used) {
		r = own_option(parser, words[i], i + 1 < n ? words[i + 1] : NULL, &used);
		if (r == 0 && used == 0)
			return cell_fail(parser->err, CELL_INVALID_ARGUMENT,
					 "CELLC_FLAGS: '%s' is no option of cellc's",
					 words[i]);
	}
	return r;
}

/* ---- the compiler's options ------------------------------------------------------------ */

static const struct option *option_find(const char *word)
{
	const struct option *best = NULL;
	size_t best_len = 0;

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		const struct option *option = &options[i];
		size_t len;

		if (option->name[1] != word[1])
			continue;
		len = strlen(option->name);
		if (len <= best_len || strncmp(word, option->name, len) != 0)
			continue;
		if (word[len] && option->form != FORM_JOINED && option->form != FORM_EITHER)
			continue;
		best = option;
		best_len = len;
	}
	return best;
}

static void push(const char **list, size_t *n, const char *word)
{
	list[(*n)++] = word;
}

static void step_push(struct parser *parser, unsigned steps, const char *word)
{
	struct command_line *line = parser->line;

	if (steps & STEP_PREPROCESS)
		push(line->preprocess, &parser->n_preprocess, word);
	if (steps & STEP_COMPILE)
		push(line->compile, &parser->n_compile, word);
	if (steps & STEP_DEFINES)
		push(line->defines, &parser->n_defines, word);
}

static void pass(struct command_line *line, const char *why)
{
	line->mode = COMMAND_PASS;
	if (!line->why_pass)
		line->why_pass = why;
}

static void dep_target(struct parser *parser, const char *option, const char *target)
{
	push(parser->line->dep_targets, &parser->n_targets, option);
	push(parser->line->dep_targets, &parser->n_targets, target);
}

/*
 * "-Wp,-MMD,FILE,-MT,X,-DNDEBUG": what concerns dependencies is ours, the rest is put
 * together again.
 */
static int preprocessor_words(struct parser *parser, const char *text)
{
	struct command_line *line = parser->line;
	char *copy = cell_arena_strdup(parser->arena, text), *rest;
	char *kept = cell_arena_alloc(parser->arena, strlen(text) + sizeof "-Wp,");
	size_t kept_len = 0;

	if (!copy || !kept)
		return no_memory(parser);
	rest = copy;
	for (char *word; (word = strsep(&rest, ","));) {
		bool takes_next = strcmp(word, "-MD") == 0 || strcmp(word, "-MMD") == 0 ||
				  strcmp(word, "-MF") == 0 || strcmp(word, "-MT") == 0 ||
				  strcmp(word, "-MQ") == 0;
		char *next = takes_next && rest ? strsep(&rest, ",") : NULL;

		if (next && word[2] == 'T') {
			dep_target(parser, "-MT", next);
		} else if (next && word[2] == 'Q') {
			dep_target(parser, "-MQ", next);
		} else if (next) {
			line->writes_depfile |= word[2] != 'F';
			line->depfile_user_only |= word[2] == 'M';
			line->depfile_of_step = true;
			line->depfile = next;
		} else if (strcmp(word, "-MP") == 0) {
			line->depfile_phony = true;
		} else if (strcmp(word, "-M") == 0 || strcmp(word, "-MM") == 0) {
			pass(line, "-M compiles nothing");
		} else {
			size_t len = strlen(word);

			memcpy(kept + kept_len, kept_len ? "," : "-Wp,", kept_len ? 1 : 4);
			kept_len += kept_len ? 1 : 4;
			memcpy(kept + kept_len, word, len);
			kept_len += len;
		}
	}
	kept[kept_len] = '\0';
	if (kept_len)
		step_push(parser, STEP_PREPROCESS, kept);
	return 0;
}

static void input_push(struct parser *parser, enum command_input_kind kind, const char *path,
		       size_t word)
{
	struct command_line *line = parser->line;

	line->inputs[line->n_inputs++] = (struct command_input){
		.kind = kind, .path = path, .word = word, .language = parser->language
	};
	if (kind == COMMAND_INPUT_C)
		line->n_sources++;
}

static bool ends_in(const char *path, const char *const *suffixes)
{
	const char *dot = strrchr(base_name(path), '.');

	for (; dot && *suffixes; suffixes++)
		if (strcmp(dot, *suffixes) == 0)
			return true;
	return false;
}

static void input_file(struct parser *parser, const char *path, size_t word)
{
	static const char *const others[] = { ".i",   ".ii", ".s",   ".S",   ".sx",  ".h",
					      ".cc",  ".cp", ".cxx", ".cpp", ".CPP", ".c++",
					      ".C",   ".hh", ".hpp", ".m",   ".mm",  ".f",
					      ".f90", ".F",  ".F90", ".go",  ".d",   ".adb",
					      ".ads", ".ll", ".bc",  NULL };
	static const char *const c[] = { ".c", NULL };
	enum command_input_kind kind = COMMAND_INPUT_LINKED;

	if (parser->language)
		kind = strcmp(parser->language, "c") == 0 ? COMMAND_INPUT_C
							  : COMMAND_INPUT_OTHER;
	else if (ends_in(path, c))
		kind = COMMAND_INPUT_C;
	else if (ends_in(path, others) || strcmp(path, "-") == 0)
		kind = COMMAND_INPUT_OTHER;
	input_push(parser, kind, path, word);
}

static void mode_set(struct command_line *line, enum command_mode mode)
{
	/* -fsyntax-only and -E end before -S, -S before -c; what ends first wins. */
	if (line->mode != COMMAND_PASS && mode < line->mode)
		line->mode = mode;
}

static int option_apply(struct parser *parser, const struct option *option,
			const char *argument, size_t word)
{
	struct command_line *line = parser->line;

	switch (option->action) {
	case DO_NOTHING: break;
	case DO_PASS: pass(line, option->why); break;
	case DO_PREPROCESSED: line->is_preprocessed = true; break;
	case DO_MODE_PREPROCESS: mode_set(line, COMMAND_PREPROCESS); break;
	case DO_MODE_CHECK: mode_set(line, COMMAND_CHECK); break;
	case DO_MODE_ASSEMBLY: mode_set(line, COMMAND_ASSEMBLY); break;
	case DO_MODE_OBJECT: mode_set(line, COMMAND_OBJECT); break;
	case DO_OUTPUT: line->output = argument; break;
	case DO_LANGUAGE:
		parser->language = strcmp(argument, "none") == 0 ? NULL : argument;
		break;
	case DO_LIBRARY: input_push(parser, COMMAND_INPUT_LIBRARY, argument, word); break;
	case DO_DIRECTORY: push(line->directories, &parser->n_directories, argument); break;
	case DO_DEPENDENCIES: line->writes_depfile = true; break;
	case DO_DEPENDENCIES_USER:
		line->writes_depfile = line->depfile_user_only = true;
		break;
	case DO_DEPFILE: line->depfile = argument; break;
	case DO_DEP_TARGET: dep_target(parser, option->name, argument); break;
	case DO_DEP_PHONY: line->depfile_phony = true; break;
	case DO_PREPROCESSOR_WORDS: return preprocessor_words(parser, argument);
	case DO_STANDARD: line->standard = argument ? argument : "c90"; break;
	case DO_TARGET: break; /* the words themselves are kept: see word_option() */
	case DO_SAVE_TEMPS: line->saves_temps = true; break;
	case DO_LTO: line->optimizes_links = true; break;
	case DO_NO_LTO: line->optimizes_links = false; break;
	case DO_RELOCATABLE: line->is_relocatable = true; break;
	case DO_COLOR: line->color = line->color_is_set = true; break;
	case DO_NO_COLOR:
		line->color = false;
		line->color_is_set = true;
		break;
	case DO_FORMAT: line->json_diagnostics = begins(argument, "json"); break;
	case DO_WERROR: line->warnings_are_errors = true; break;
	case DO_NO_WERROR: line->warnings_are_errors = false; break;
	case DO_NO_WARNINGS: line->no_warnings = true; break;
	case DO_DUMPDIR: line->dumpdir = argument; break;
	case DO_DUMPBASE: line->dumpbase = argument; break;
	}
	return 0;
}

/* The option at *AT, which is moved to its last word. */
static int word_option(struct parser *parser, size_t *at)
{
	const char *word = parser->words[*at].text, *argument = NULL, *second = NULL;
	const struct option *option = option_find(word);
	size_t first = *at;

	if (!option) {
		step_push(parser, STEP_BOTH, word);
		return 0;
	}
	if (option->form == FORM_JOINED ||
	    (option->form == FORM_EITHER && word[strlen(option->name)])) {
		argument = word + strlen(option->name);
	} else if (option->form != FORM_ALONE) {
		/* Without its argument it is for the compiler to complain. */
		if (*at + 1 == parser->n_words) {
			pass(parser->line, "an option lacks its argument");
			return 0;
		}
		second = argument = parser->words[++*at].text;
	}
	if (option->action != DO_PREPROCESSOR_WORDS) {
		step_push(parser, option->steps, word);
		if (second)
			step_push(parser, option->steps, second);
	}
	if (option->action == DO_TARGET) {
		push(parser->line->target_flags, &parser->n_target_flags, word);
		if (second)
			push(parser->line->target_flags, &parser->n_target_flags, second);
	}
	return option_apply(parser, option, argument, first);
}

static int word_own(struct parser *parser, size_t *at, bool *ret_is_ours)
{
	const struct word *word = &parser->words[*at];
	const char *next = *at + 1 < parser->n_words ? word[1].text : NULL;
	size_t used;
	int r;

	*ret_is_ours = false;
	/* The @file that it stood in would still have it when the compiler reads that. */
	if (word->is_from_file || !begins(word->text, "--"))
		return 0;
	r = own_option(parser, word->text, next, &used);
	if (r < 0 || used == 0)
		return r;
	*ret_is_ours = true;
	for (size_t i = 0; i < used; i++)
		parser->is_ours[word[i].of] = true;
	*at += used - 1;
	return 0;
}

static int words_understand(struct parser *parser)
{
	bool only_inputs = false, is_ours;
	int r;

	for (size_t i = 1; i < parser->n_words; i++) {
		const char *text = parser->words[i].text;

		if (only_inputs || text[0] != '-' || !text[1]) {
			input_file(parser, text, i);
			continue;
		}
		if (strcmp(text, "--") == 0) {
			only_inputs = true;
			continue;
		}
		r = word_own(parser, &i, &is_ours);
		if (r == 0 && !is_ours)
			r = word_option(parser, &i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the whole --------------------------------------------------------------------------
 */

/* argv and `expanded` without cellc's own; the inputs' indices follow. */
static int words_keep(struct parser *parser, int argc, char **argv)
{
	struct command_line *line = parser->line;
	size_t *moved = cell_arena_calloc(parser->arena, parser->n_words + 1, sizeof *moved);

	line->argv = cell_arena_calloc(parser->arena, (size_t)argc + 1, sizeof *line->argv);
	line->expanded =
		cell_arena_calloc(parser->arena, parser->n_words + 1, sizeof *line->expanded);
	if (!moved || !line->argv || !line->expanded)
		return no_memory(parser);
	for (int i = 0; i < argc; i++)
		if (!parser->is_ours[i])
			line->argv[line->argc++] = argv[i];
	for (size_t i = 0; i < parser->n_words; i++) {
		moved[i] = line->n_expanded;
		if (!parser->is_ours[parser->words[i].of] || parser->words[i].is_from_file)
			line->expanded[line->n_expanded++] = parser->words[i].text;
	}
	for (size_t i = 0; i < line->n_inputs; i++)
		line->inputs[i].word = moved[line->inputs[i].word];
	return 0;
}

static int lists_make(struct parser *parser)
{
	struct command_line *line = parser->line;
	struct cell_arena *arena = parser->arena;
	size_t n = parser->n_words + 1;

	/* -Wp,-MT,x,-MT,y makes two targets of one word. */
	for (size_t i = 0; i < parser->n_words; i++)
		if (begins(parser->words[i].text, "-Wp,"))
			n += strlen(parser->words[i].text);
	line->preprocess = cell_arena_calloc(arena, n, sizeof *line->preprocess);
	line->compile = cell_arena_calloc(arena, n, sizeof *line->compile);
	line->defines = cell_arena_calloc(arena, n, sizeof *line->defines);
	line->directories = cell_arena_calloc(arena, n, sizeof *line->directories);
	line->dep_targets = cell_arena_calloc(arena, 2 * n, sizeof *line->dep_targets);
	line->target_flags = cell_arena_calloc(arena, n, sizeof *line->target_flags);
	line->inputs = cell_arena_calloc(arena, n, sizeof *line->inputs);
	if (!line->preprocess || !line->compile || !line->defines || !line->directories ||
	    !line->dep_targets || !line->target_flags || !line->inputs)
		return no_memory(parser);
	return 0;
}

static void mode_finish(struct command_line *line)
{
	if (line->mode == COMMAND_PASS)
		return;
	if (line->is_preprocessed)
		pass(line, "the text is preprocessed already");
	else if (line->mode != COMMAND_LINK && line->n_sources == 0)
		pass(line, "there is no C source");
	else if (line->mode != COMMAND_LINK && line->n_sources > 1 && line->output)
		pass(line, "several sources into one output");
	else if (line->mode == COMMAND_LINK && line->n_inputs == 0)
		pass(line, "there is no input");
}

int command_parse(struct command_line *ret, int argc, char **argv, const char *cellc_flags,
		  command_read_fn *read, void *userdata, struct cell_arena *arena,
		  struct cell_error *err)
{
	struct parser parser = { .line = ret,
				 .arena = arena,
				 .err = err,
				 .read = read,
				 .userdata = userdata,
				 .files_left = COMMAND_FILES_MAX };
	int r;

	*ret = (struct command_line){ .mode = COMMAND_LINK };
	parser.is_ours = cell_arena_calloc(arena, (size_t)argc + 1, sizeof *parser.is_ours);
	if (!parser.is_ours)
		return no_memory(&parser);
	r = cellc_flags ? flags_parse(&parser, cellc_flags) : 0;
	if (r == 0)
		r = words_collect(&parser, argc, argv);
	if (r == 0)
		r = lists_make(&parser);
	if (r == 0)
		r = words_understand(&parser);
	if (r == 0)
		r = words_keep(&parser, argc, argv);
	if (r == 0)
		mode_finish(ret);
	return r;
}

/* ---- compilers ----------------------------------------------------------------------------
 */

enum compiler_kind command_compiler_kind(const char *name)
{
	return strstr(base_name(name), "clang") ? COMPILER_CLANG : COMPILER_GCC;
}

bool command_is_wrapper(const char *name)
{
	static const char *const wrappers[] = { "ccache", "sccache", "distcc",
						"icecc",  "pump",    NULL };
	const char *base = base_name(name);

	for (size_t i = 0; wrappers[i]; i++)
		if (strcmp(base, wrappers[i]) == 0)
			return true;
	return false;
}

/* ---- names of files
 * -------------------------------------------------------------------------- */

/* Where the suffix of PATH begins, or its end. */
static size_t stem_len(const char *path)
{
	const char *base = base_name(path), *dot = strrchr(base, '.');

	return dot && dot != base ? (size_t)(dot - path) : strlen(path);
}

static const char *with_suffix(const char *path, const char *suffix, struct cell_arena *arena)
{
	return cell_arena_printf(arena, "%.*s%s", (int)stem_len(path), path, suffix);
}

const char *command_output(const struct command_line *line, const char *source,
			   struct cell_arena *arena)
{
	bool is_assembly = line->mode == COMMAND_ASSEMBLY;

	if (line->mode != COMMAND_OBJECT && !is_assembly)
		return NULL;
	return line->output
		       ? line->output
		       : with_suffix(base_name(source), is_assembly ? ".s" : ".o", arena);
}

const char *command_depfile(const struct command_line *line, const char *source,
			    struct cell_arena *arena)
{
	if (line->depfile)
		return line->depfile;
	if (line->output && strcmp(line->output, "-") != 0)
		return with_suffix(line->output, ".d", arena);
	if (line->mode == COMMAND_LINK)
		return cell_arena_printf(arena, "a-%s",
					 with_suffix(base_name(source), ".d", arena));
	return with_suffix(base_name(source), ".d", arena);
}

const char *command_dep_target(const struct command_line *line, const char *source,
			       struct cell_arena *arena)
{
	if (line->output && strcmp(line->output, "-") != 0 && !line->depfile_of_step)
		return line->output;
	return with_suffix(base_name(source), ".o", arena);
}

const char *command_dumpdir(const struct command_line *line, struct cell_arena *arena)
{
	if (line->dumpdir)
		return line->dumpdir;
	if (line->mode == COMMAND_LINK)
		return cell_arena_printf(arena, "%s-", line->output ? line->output : "a");
	if (!line->output)
		return "";
	return cell_arena_strndup(arena, line->output,
				  (size_t)(base_name(line->output) - line->output));
}

const char *command_dumpbase(const struct command_line *line, const char *source,
			     struct cell_arena *arena)
{
	const char *base = base_name(source);

	if (line->dumpbase)
		return line->dumpbase;
	if (line->mode == COMMAND_LINK || !line->output)
		return base;
	return with_suffix(base_name(line->output), base + stem_len(base), arena);
}
