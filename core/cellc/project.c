/*
 * inih splits the lines; which column is wrong, and what was meant, it does not know, so the
 * raw line is kept beside. Sections and keys are one table.
 */
#include "project.h"

#include "../libcell/guess.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Words in one list. */
#define LIST_MAX 256

struct parser;
struct key;

/* Takes one word or the whole value; may change it. Fails through fail_at(). */
typedef int key_set_fn(struct parser *parser, const struct key *key, char *value);

struct key {
	const char *section;
	const char *name; /* NULL: any name, which is in parser->name */
	key_set_fn *set;
	size_t offset; /* in struct project */
	bool is_list;
};

struct list {
	const char **words;
	size_t n;
};

struct parser {
	struct project *project;
	struct cell_arena *arena;
	struct cell_error *err;
	const char *path;
	int failed;
	const char *at, *end;
	/* The line that inih has now. */
	const char *line;
	size_t line_len;
	unsigned line_number;
	bool is_indented;
	size_t value_column;
	const char *section;   /* of the table; NULL before the first */
	const struct key *key; /* the last one, for lines that go on */
	const char *name;
	struct list cells, off, on, order;
};

static key_set_fn set_text, set_bool, set_word, set_feature;

static const struct key keys[] = {
	{ "project", "program", set_text, offsetof(struct project, program), false },
	{ "build", "cells", set_word, offsetof(struct parser, cells), true },
	{ "build", "compiler", set_text, offsetof(struct project, compiler), false },
	{ "build", "locked", set_bool, offsetof(struct project, locked), false },
	{ "build", "offline", set_bool, offsetof(struct project, offline), false },
	{ "build", "strict", set_bool, offsetof(struct project, strict), false },
	{ "features", NULL, set_feature, 0, false },
	{ "order", "namespaces", set_word, offsetof(struct parser, order), true },
};
#define N_KEYS (sizeof keys / sizeof *keys)

/* ---- failing -------------------------------------------------------------------------- */

static int fail_at(struct parser *parser, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail_at(struct parser *parser, size_t column, const char *format, ...)
{
	char text[CELL_ERROR_TEXT_MAX];
	va_list args;

	if (parser->failed)
		return parser->failed;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	parser->failed = cell_fail(parser->err, CELL_INVALID_ARGUMENT, "%s:%u:%zu: %s",
				   parser->path, parser->line_number, column, text);
	return parser->failed;
}

static int no_memory(struct parser *parser)
{
	if (!parser->failed)
		parser->failed =
			cell_fail(parser->err, -ENOMEM, "reading '%s'", parser->path);
	return parser->failed;
}

static bool is_name(const char *word)
{
	size_t len = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789_-");

	return len > 0 && !word[len] && (word[0] < '0' || word[0] > '9') && word[0] != '-';
}

/* ---- values ------------------------------------------------------------------------------
 */

static int set_text(struct parser *parser, const struct key *key, char *value)
{
	const char *copy = cell_arena_strdup(parser->arena, value);

	if (!copy)
		return no_memory(parser);
	memcpy((char *)parser->project + key->offset, &copy, sizeof copy);
	return 0;
}

static int set_bool(struct parser *parser, const struct key *key, char *value)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return fail_at(parser, parser->value_column, "'%s' is yes or no, not '%s'",
			       key->name, value);
	memcpy((char *)parser->project + key->offset, &yes, sizeof yes);
	return 0;
}

static int list_add(struct parser *parser, struct list *list, const char *word)
{
	if (!list->words)
		list->words =
			cell_arena_calloc(parser->arena, LIST_MAX + 1, sizeof *list->words);
	if (!list->words)
		return no_memory(parser);
	if (list->n == LIST_MAX)
		return fail_at(parser, parser->value_column, "more than %d words", LIST_MAX);
	word = cell_arena_strdup(parser->arena, word);
	if (!word)
		return no_memory(parser);
	list->words[list->n++] = word;
	return 0;
}

static int set_word(struct parser *parser, const struct key *key, char *value)
{
	struct list *list = (struct list *)((char *)parser + key->offset);

	if (!is_name(value))
		return fail_at(parser, parser->value_column, "'%s' is no name", value);
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->words[i], value) == 0)
			return fail_at(parser, parser->value_column, "'%s' is there already",
				       value);
	return list_add(parser, list, value);
}

/* The last word on a feature counts. */
static int feature_set(struct parser *parser, const char *name, bool is_off)
{
	struct list *list = &parser->off;

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->words[i], name) == 0) {
			if (!is_off)
				list->words[i] = list->words[--list->n];
			return 0;
		}
	return is_off ? list_add(parser, list, name) : 0;
}

static int set_feature(struct parser *parser, const struct key *key, char *value)
{
	bool is_off = strcmp(value, "off") == 0;

	(void)key;
	if (!is_off && strcmp(value, "on") != 0)
		return fail_at(parser, parser->value_column, "'%s' is on or off, not '%s'",
			       parser->name, value);
	if (!is_name(parser->name))
		return fail_at(parser, 1, "'%s' is no namespace", parser->name);
	return feature_set(parser, parser->name, is_off);
}

/* Each word of VALUE, or all of it. */
static int value_set(struct parser *parser, const struct key *key, char *value)
{
	size_t first = parser->value_column;
	int r = 0;

	if (!key->is_list)
		return key->set(parser, key, value);
	for (char *at = value; r == 0;) {
		char *word = at + strspn(at, " \t,"), *end = word + strcspn(word, " \t,");
		char last = *end;

		if (word == end)
			break;
		parser->value_column = first + (size_t)(word - value);
		*end = '\0';
		r = key->set(parser, key, word);
		at = last ? end + 1 : end;
	}
	return r;
}

/* ---- lines
 * ---------------------------------------------------------------------------------- */

static size_t skip_blank(const struct parser *parser, size_t at)
{
	while (at < parser->line_len && strchr(" \t\r", parser->line[at]))
		at++;
	return at;
}

static int section_line(struct parser *parser, size_t from)
{
	const char *line = parser->line;
	const char *close = memchr(line + from, ']', parser->line_len - from);
	struct guess guess = { 0 };
	size_t rest;
	char *name;

	if (!close)
		return fail_at(parser, from + 1, "the section has no ']'");
	rest = skip_blank(parser, (size_t)(close - line) + 1);
	if (rest < parser->line_len && line[rest] != ';' && line[rest] != '#')
		return fail_at(parser, rest + 1, "text behind the section");
	name = cell_arena_strndup(parser->arena, line + from + 1,
				  (size_t)(close - line) - from - 1);
	if (!name)
		return no_memory(parser);
	guess.word = name;
	parser->key = NULL;
	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(name, keys[i].section) == 0) {
			parser->section = keys[i].section;
			return 0;
		}
		guess_try(&guess, keys[i].section);
	}
	if (guess.best)
		return fail_at(parser, from + 2,
			       "unknown section [%.40s]; did you mean [%s]?", name,
			       guess.best);
	return fail_at(
		parser, from + 2,
		"unknown section [%.40s]: there are project, build, features and order",
		name);
}

static int value_line(struct parser *parser, size_t from)
{
	size_t at = from;

	if (parser->is_indented && parser->key) {
		parser->value_column = from + 1;
		if (!parser->key->is_list)
			return fail_at(parser, from + 1,
				       "'%s' takes one value; this line is indented",
				       parser->name);
		return 0;
	}
	if (!parser->section)
		return fail_at(parser, from + 1, "this stands before the first section");
	while (at < parser->line_len && parser->line[at] != '=' && parser->line[at] != ':')
		at++;
	if (at == parser->line_len)
		return fail_at(parser, from + 1,
			       "a line is 'key = value', and this one has no '='");
	if (at == from)
		return fail_at(parser, from + 1, "no key before the '='");
	parser->value_column = skip_blank(parser, at + 1) + 1;
	return 0;
}

/* inih asks for lines as of fgets(). NULL ends it: at the end, or after a failure. */
static char *on_read(char *str, int num, void *stream)
{
	struct parser *parser = stream;
	const char *newline;
	size_t from;

	if (parser->failed || parser->at == parser->end)
		return NULL;
	parser->line = parser->at;
	parser->line_number++;
	newline = memchr(parser->at, '\n', (size_t)(parser->end - parser->at));
	parser->line_len = (size_t)((newline ? newline : parser->end) - parser->at);
	parser->at = newline ? newline + 1 : parser->end;
	if (memchr(parser->line, '\0', parser->line_len)) {
		(void)fail_at(parser, 1, "there is a NUL in the line");
		return NULL;
	}
	/* Room for a newline and the NUL. inih would cut the line and go on. */
	if (parser->line_len + 2 > (size_t)num) {
		(void)fail_at(parser, (size_t)num - 1, "the line is longer than %d bytes",
			      num - 2);
		return NULL;
	}
	from = skip_blank(parser, 0);
	parser->is_indented = from > 0;
	if (from < parser->line_len && parser->line[from] != ';' &&
	    parser->line[from] != '#') {
		bool is_section =
			parser->line[from] == '[' && !(parser->is_indented && parser->key);

		if ((is_section ? section_line(parser, from) : value_line(parser, from)) < 0)
			return NULL;
	}
	memcpy(str, parser->line, parser->line_len);
	str[parser->line_len] = '\n';
	str[parser->line_len + 1] = '\0';
	return str;
}

static const struct key *key_find(struct parser *parser, const char *name)
{
	struct guess guess = { .word = name };
	size_t column = skip_blank(parser, 0) + 1;

	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].section, parser->section) != 0)
			continue;
		if (!keys[i].name || strcmp(keys[i].name, name) == 0)
			return &keys[i];
		guess_try(&guess, keys[i].name);
	}
	if (guess.best)
		(void)fail_at(parser, column, "[%s] knows no '%.40s'; did you mean '%s'?",
			      parser->section, name, guess.best);
	else
		(void)fail_at(parser, column, "[%s] knows no '%.40s'", parser->section, name);
	return NULL;
}

/* inih has a value, of a key or of a line that goes on. Returns 0 to report a failure. */
static int on_value(void *user, const char *section, const char *name, const char *text)
{
	struct parser *parser = user;
	char value[512];

	(void)section; /* cut to 50 bytes by inih; ours is whole */
	if (parser->failed)
		return 0;
	(void)snprintf(value, sizeof value, "%s", text);
	/* Older versions of inih leave comments in lines that go on. */
	for (char *at = value; *at; at++)
		if (*at == ';' && at > value && strchr(" \t", at[-1]))
			*at = '\0';
	if (!(parser->is_indented && parser->key)) {
		parser->key = key_find(parser, name);
		parser->name = cell_arena_strdup(parser->arena, name);
		if (!parser->key)
			return 0;
		if (!parser->name)
			return no_memory(parser) == 0;
		if (!*value)
			return fail_at(parser, parser->value_column, "'%s' has no value",
				       parser->name) == 0;
	}
	return value_set(parser, parser->key, value) == 0;
}

/* ---- the whole
 * --------------------------------------------------------------------------------- */

static int features_parse(struct parser *parser, const char *features)
{
	char *copy = cell_arena_strdup(parser->arena, features), *rest = copy;
	int r = 0;

	if (!copy)
		return no_memory(parser);
	for (char *name; r == 0 && (name = strsep(&rest, ","));) {
		char *value = strchr(name, '=');

		if (!*name)
			continue;
		if (value)
			*value++ = '\0';
		if (!value || !is_name(name) ||
		    (strcmp(value, "on") != 0 && strcmp(value, "off") != 0))
			return cell_fail(parser->err, CELL_INVALID_ARGUMENT,
					 "--features: '%.80s' is not NAME=on or NAME=off",
					 name);
		r = feature_set(parser, name, strcmp(value, "off") == 0);
	}
	return r;
}

static int word_compare(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static const char **list_end(struct parser *parser, struct list *list)
{
	if (!list->words)
		list->words = cell_arena_calloc(parser->arena, 1, sizeof *list->words);
	if (list->words)
		list->words[list->n] = NULL;
	else
		(void)no_memory(parser);
	return list->words;
}

int project_parse(struct project *ret, const char *text, size_t len, const char *path,
		  const char *features, struct cell_arena *arena, struct cell_error *err)
{
	struct parser parser = { .project = ret,
				 .arena = arena,
				 .err = err,
				 .path = path,
				 .at = text,
				 .end = text + len };
	int r = 0;

	if (len > PROJECT_TEXT_MAX)
		return cell_fail(err, CELL_INVALID_ARGUMENT, "%s: %zu bytes, limit %d", path,
				 len, PROJECT_TEXT_MAX);
	/* A byte-order mark is no part of the first line. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		parser.at += 3;
	if (len)
		r = ini_parse_stream(on_read, &parser, on_value, &parser);
	if (parser.failed)
		return parser.failed;
	if (r != 0)
		return no_memory(&parser);
	r = features ? features_parse(&parser, features) : 0;
	if (r < 0)
		return r;
	if (parser.off.n)
		qsort(parser.off.words, parser.off.n, sizeof *parser.off.words, word_compare);
	ret->cells = list_end(&parser, &parser.cells);
	ret->features_off = list_end(&parser, &parser.off);
	ret->order = list_end(&parser, &parser.order);
	return parser.failed;
}

/* ---- folders
 * --------------------------------------------------------------------------------------- */

/* The folder of SOURCE, absolute and without links; NULL if there is none. */
static char *source_folder(const char *source, struct cell_arena *arena)
{
	const char *slash = strcmp(source, "-") == 0 ? NULL : strrchr(source, '/');
	char *folder = !slash ? cell_arena_strdup(arena, ".")
		       : slash == source
			       ? cell_arena_strdup(arena, "/")
			       : cell_arena_strndup(arena, source, (size_t)(slash - source));
	char *real = folder ? realpath(folder, NULL) : NULL;
	char *copy = real ? cell_arena_strdup(arena, real) : NULL;

	free(real);
	return copy;
}

static bool has(const char *folder, const char *name, uid_t owner, struct cell_arena *arena)
{
	const char *path = cell_arena_printf(arena, "%s/%s", folder, name);
	struct stat st;

	return path && stat(path, &st) == 0 &&
	       (st.st_uid == geteuid() || st.st_uid == 0 || st.st_uid == owner);
}

/* The nearest folder at or above FOLDER that has NAME; NULL if none has. */
static const char *folder_with(const char *folder, const char *name, struct cell_arena *arena)
{
	char *at = cell_arena_strdup(arena, folder);
	struct stat st;

	if (!at || stat(folder, &st) < 0)
		return NULL;
	for (;;) {
		char *slash;

		if (has(at, name, st.st_uid, arena))
			return at;
		slash = strrchr(at, '/');
		if (!slash || !at[1])
			return NULL;
		*(slash == at ? slash + 1 : slash) = '\0';
	}
}

static int settings_read(const char *path, struct cell_arena *arena, const char **ret_text,
			 size_t *ret_len, struct cell_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return cell_fail(err, -errno, "reading '%s': %s", path, strerror(errno));
	text = cell_arena_alloc(arena, PROJECT_TEXT_MAX + 1);
	n = text ? read(fd, text, PROJECT_TEXT_MAX + 1) : -1;
	if (n < 0) {
		int r = cell_fail(err, text ? -errno : -ENOMEM, "reading '%s': %s", path,
				  strerror(text ? errno : ENOMEM));

		(void)close(fd);
		return r;
	}
	(void)close(fd);
	*ret_text = text;
	*ret_len = (size_t)n;
	return 0;
}

/* The program is the cell whose manifest stands alone in ROOT. */
static int manifest_find(struct project *project, struct cell_arena *arena)
{
	DIR *dir = opendir(project->root);
	const char *program = NULL;
	size_t n = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		const char *dot = strrchr(entry->d_name, '.');

		if (!dot || dot == entry->d_name || strcmp(dot, ".cell") != 0)
			continue;
		n++;
		program = cell_arena_strndup(arena, entry->d_name,
					     (size_t)(dot - entry->d_name));
	}
	(void)closedir(dir);
	if (n == 1 && program) {
		project->manifest =
			cell_arena_printf(arena, "%s/%s.cell", project->root, program);
		if (!*project->program)
			project->program = program;
	}
	return n == 1 && !project->manifest ? -ENOMEM : 0;
}

int project_find(struct project *ret, const char *source, const char *features,
		 struct cell_arena *arena, struct cell_error *err)
{
	const char *folder = source_folder(source, arena), *text = "";
	struct project project = { .program = "" };
	size_t len = 0;
	int r = 0;

	if (!folder)
		return cell_fail(err, -errno, "looking for the project of '%s': %s", source,
				 strerror(errno));
	project.root = folder_with(folder, ".cell", arena);
	if (!project.root)
		project.root = folder_with(folder, ".git", arena);
	if (!project.root)
		project.root = source_folder("-", arena);
	if (!project.root)
		return cell_fail(err, -ENOENT, "the current folder is gone");
	project.folder = cell_arena_printf(arena, "%s/.cell", project.root);
	project.settings = cell_arena_printf(arena, "%s/project", project.folder);
	if (!project.folder || !project.settings)
		return cell_fail(err, -ENOMEM, "looking for the project of '%s'", source);
	r = settings_read(project.settings, arena, &text, &len, err);
	if (r < 0)
		return r;
	r = project_parse(&project, text, len, project.settings, features, arena, err);
	if (r < 0)
		return r;
	if (text[0] == '\0' && len == 0 && access(project.settings, F_OK) < 0)
		project.settings = NULL;
	if (manifest_find(&project, arena) < 0)
		return cell_fail(err, -ENOMEM, "looking for the project of '%s'", source);
	*ret = project;
	return 0;
}

int project_compiler(const char **ret, const char *source, struct cell_arena *arena,
		     struct cell_error *err)
{
	const char *folder = source_folder(source, arena), *root, *path, *text;
	struct project project = { 0 };
	size_t len;
	int r;

	*ret = NULL;
	root = folder ? folder_with(folder, ".cell/project", arena) : NULL;
	if (!root)
		return 0;
	path = cell_arena_printf(arena, "%s/.cell/project", root);
	if (!path)
		return cell_fail(err, -ENOMEM, "reading the project's settings");
	r = settings_read(path, arena, &text, &len, err);
	if (r == 0)
		r = project_parse(&project, text, len, path, NULL, arena, err);
	if (r < 0)
		return r;
	*ret = project.compiler;
	return 0;
}
