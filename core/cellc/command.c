#include "command_work.h"

#include "option.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* ---- the compiler's options ---- */

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
		return parser_no_memory(parser);
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
		return parser_no_memory(parser);
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
		return parser_no_memory(parser);
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
		return parser_no_memory(&parser);
	r = cellc_flags ? own_flags(&parser, cellc_flags) : 0;
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
