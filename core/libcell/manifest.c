/*
 * inih splits lines; it knows neither columns nor why a line is wrong. So its lines come
 * through our own reader, which counts them, keeps the raw text for columns, and refuses
 * what inih would swallow (long lines, lines without a `=`, text behind a section).
 * Everything else is one table: section, key, what its value must look like, and where in
 * struct cell_manifest it goes.
 */
#include "manifest.h"

#include "file.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cell/cell.h>

#include "guess.h"
#include "manifest_parser.h"

/* A path longer than this loses its front in messages, so that the message fits. */
#define PATH_SHOWN_MAX 80
/* What a manifest may hold in memory: all words of the largest text, some times over. */
#define ARENA_MAX (1024 * 1024)

static const char *const sections[MANIFEST_SECTIONS_MAX] = { "cell",   "uses",    "serves",
							     "limits", "sandbox", "macros",
							     "log",    NULL };

/* ---- failing ---- */

int manifest_fail_at(struct parser *parser, unsigned line, size_t column, const char *format,
		     ...)
{
	char text[CELL_ERROR_TEXT_MAX];
	size_t len = strlen(parser->path);
	bool is_cut = len > PATH_SHOWN_MAX;
	va_list args;

	if (parser->failed)
		return parser->failed;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	parser->failed =
		cell_fail(parser->err, CELL_INVALID_ARGUMENT, "%s%s:%u:%zu: %s",
			  is_cut ? "..." : "",
			  is_cut ? parser->path + len - PATH_SHOWN_MAX : parser->path, line,
			  column, text);
	return parser->failed;
}

struct manifest_shown manifest_show(const char *word)
{
	struct manifest_shown shown;
	size_t n = 0;

	for (; *word && n < sizeof shown.text - 4; word++)
		shown.text[n++] = (unsigned char)*word < 0x20 || *word == 0x7f ? '?' : *word;
	if (*word) {
		/* Do not end within a UTF-8 sequence. */
		while (n > 0 && ((unsigned char)shown.text[n - 1] & 0xc0) == 0x80)
			n--;
		if (n > 0 && (unsigned char)shown.text[n - 1] >= 0xc0)
			n--;
		memcpy(shown.text + n, "...", 3);
		n += 3;
	}
	shown.text[n] = '\0';
	return shown;
}

int manifest_no_memory(struct parser *parser)
{
	if (!parser->failed)
		parser->failed = cell_fail(parser->err, -ENOMEM, "reading manifest '%s'",
					   manifest_show(parser->path).text);
	return parser->failed;
}

/* ---- words and lists ---- */

/*
 * One more element at the end of *ARRAY, which has *N; zeroed, as is the one beyond it.
 * Room doubles inside the arena: the old copies are freed with everything else.
 */
void *manifest_list_push(struct parser *parser, void *array, size_t *n, size_t size)
{
	void *items, *old;

	memcpy(&old, array, sizeof old);
	if (*n >= CELL_MANIFEST_LIST_MAX) {
		(void)manifest_fail_at(parser, parser->line_number, parser->value_column,
				       "more than %d entries", CELL_MANIFEST_LIST_MAX);
		return NULL;
	}
	if ((*n & (*n - 1)) == 0) {
		items = cell_arena_calloc(&parser->manifest->arena, (*n ? 2 * *n : 1) + 1,
					  size);
		if (!items) {
			(void)manifest_no_memory(parser);
			return NULL;
		}
		if (*n)
			memcpy(items, old, *n * size);
		memcpy(array, &items, sizeof items);
		old = items;
	}
	return (char *)old + size * (*n)++;
}

/*
 * The next word at *AT, which is moved behind it; NULL at the end or on failure. Spaces,
 * and with COMMAS also commas, separate words; "double quotes" keep them together.
 */
char *manifest_word_next(struct parser *parser, char *value, char **at, bool commas,
			 size_t *ret_column)
{
	const char *separators = commas ? " \t," : " \t";
	char *from = *at + strspn(*at, separators), *to = from;
	bool quoted = false;
	char *word;

	*ret_column = parser->value_column + (size_t)(from - value);
	if (!*from)
		return NULL;
	word = from;
	for (; *from && (quoted || !strchr(separators, *from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	if (quoted) {
		(void)manifest_fail_at(parser, parser->line_number, *ret_column,
				       "the quote is never closed");
		return NULL;
	}
	*at = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

char *manifest_keep(struct parser *parser, const char *text)
{
	char *copy = cell_arena_strdup(&parser->manifest->arena, text);

	if (!copy)
		(void)manifest_no_memory(parser);
	return copy;
}

/* ---- lines ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t skip_blank(const char *line, size_t len, size_t at)
{
	while (at < len && is_blank(line[at]))
		at++;
	return at;
}

static int section_unknown(struct parser *parser, const char *name, size_t column)
{
	struct guess guess = { .word = name };

	for (size_t i = 0; sections[i]; i++)
		guess_try(&guess, sections[i]);
	if (guess.best)
		return manifest_fail_at(parser, parser->line_number, column,
					"unknown section [%s]; did you mean [%s]?",
					manifest_show(name).text, guess.best);
	return manifest_fail_at(parser, parser->line_number, column,
				"unknown section [%s]: there are cell, uses, serves, limits, "
				"sandbox, macros and log",
				manifest_show(name).text);
}

/* A line that starts with '[' at FROM. */
static int section_line(struct parser *parser, size_t from)
{
	const char *line = parser->line;
	const char *close = memchr(line + from, ']', parser->line_len - from);
	size_t rest;
	char *name;

	if (!close)
		return manifest_fail_at(parser, parser->line_number, from + 1,
					"the section has no ']'");
	rest = skip_blank(line, parser->line_len, (size_t)(close - line) + 1);
	if (rest < parser->line_len && line[rest] != ';' && line[rest] != '#')
		return manifest_fail_at(parser, parser->line_number, rest + 1,
					"text behind the section");
	name = cell_arena_strndup(&parser->manifest->arena, line + from + 1,
				  (size_t)(close - line) - from - 1);
	if (!name)
		return manifest_no_memory(parser);
	for (size_t i = 0; sections[i]; i++) {
		if (strcmp(name, sections[i]) != 0)
			continue;
		if (parser->section_line[i])
			return manifest_fail_at(parser, parser->line_number, from + 1,
						"section [%s] is on line %u already", name,
						parser->section_line[i]);
		parser->section_line[i] = parser->line_number;
		parser->section = sections[i];
		parser->key = NULL;
		parser->uses = NULL;
		return 0;
	}
	return section_unknown(parser, name, from + 2);
}

/* A line that is neither blank, comment nor section: find where its value starts. */
static int value_line(struct parser *parser, size_t from)
{
	const char *line = parser->line;
	size_t at = from;

	if (parser->indented && (parser->key || parser->uses)) {
		parser->value_column = from + 1;
		return 0;
	}
	if (!parser->section)
		return manifest_fail_at(parser, parser->line_number, from + 1,
					"this stands before the first section");
	while (at < parser->line_len && line[at] != '=' && line[at] != ':' &&
	       !(line[at] == ';' && at > from && is_blank(line[at - 1])))
		at++;
	if (at == parser->line_len || line[at] == ';')
		return manifest_fail_at(parser, parser->line_number, from + 1,
					"a line is 'key = value', and this one has no '='");
	parser->value_column = skip_blank(line, parser->line_len, at + 1) + 1;
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

	/* Room for a newline and the NUL. inih would cut the line and go on. */
	if (parser->line_len + 2 > (size_t)num) {
		(void)manifest_fail_at(
			parser, parser->line_number, (size_t)num - 1,
			"the line is longer than %d bytes; go on in an indented one",
			num - 2);
		return NULL;
	}
	from = skip_blank(parser->line, parser->line_len, 0);
	parser->indented = from > 0;
	if (from < parser->line_len && parser->line[from] != ';' &&
	    parser->line[from] != '#') {
		int r;

		if (parser->line[from] == '[' &&
		    !(parser->indented && (parser->key || parser->uses)))
			r = section_line(parser, from);
		else
			r = value_line(parser, from);
		if (r < 0)
			return NULL;
	}
	memcpy(str, parser->line, parser->line_len);
	str[parser->line_len] = '\n';
	str[parser->line_len + 1] = '\0';
	return str;
}

/* As inih does it for first lines; for those that go on, older versions do not. */
static void cut_comment(char *value)
{
	for (char *at = value; *at; at++) {
		if (*at == ';' && at > value && is_blank(at[-1])) {
			while (at > value && is_blank(at[-1]))
				at--;
			*at = '\0';
			return;
		}
	}
}

/* inih has a value, of a key or of a line that goes on. Returns 0 to report a failure. */
static int on_value(void *user, const char *section, const char *name, const char *text)
{
	struct parser *parser = user;
	size_t column = skip_blank(parser->line, parser->line_len, 0) + 1;
	char value[512];

	(void)section; /* cut to 50 bytes by inih; ours is whole */
	if (parser->failed)
		return 0;
	(void)snprintf(value, sizeof value, "%s", text);
	if (parser->indented && (parser->key || parser->uses)) {
		cut_comment(value);
		if (parser->uses)
			return manifest_uses_add(parser, value) == 0;
		if (!parser->key->is_list) {
			(void)manifest_fail_at(parser, parser->line_number, column,
					       "'%s' takes one value; this line is indented",
					       parser->key->name);
			return 0;
		}
		return parser->key->set(parser, parser->key, value) == 0;
	}
	if (!*name) {
		(void)manifest_fail_at(parser, parser->line_number, column,
				       "no key before the '='");
		return 0;
	}
	if (!*value) {
		(void)manifest_fail_at(parser, parser->line_number, parser->value_column,
				       "'%s' has no value", manifest_show(name).text);
		return 0;
	}
	if (strcmp(parser->section, "uses") == 0)
		return manifest_uses_line(parser, name, column, value) == 0;
	return manifest_key_line(parser, name, column, value) == 0;
}

/* ---- the whole ---- */

/* Offset of the first byte that is no UTF-8 text, or LEN. */
static size_t text_check(const char *text, size_t len)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t i = 0;

	while (i < len) {
		size_t more = 0;
		uint32_t c = s[i], least = 0;

		if (c < 0x80) {
			if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
				return i;
		} else if (c >= 0xc2 && c < 0xe0) {
			more = 1, c &= 0x1f, least = 0x80;
		} else if (c >= 0xe0 && c < 0xf0) {
			more = 2, c &= 0x0f, least = 0x800;
		} else if (c >= 0xf0 && c < 0xf5) {
			more = 3, c &= 0x07, least = 0x10000;
		} else {
			return i;
		}
		if (more >= len - i && more)
			return i;
		for (size_t k = 1; k <= more; k++) {
			if ((s[i + k] & 0xc0) != 0x80)
				return i;
			c = c << 6 | (s[i + k] & 0x3f);
		}
		if (more && (c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)))
			return i;
		i += more + 1;
	}
	return len;
}

static int text_fail(struct parser *parser, const char *text, size_t bad)
{
	unsigned line = 1;
	size_t start = 0;

	for (size_t i = 0; i < bad; i++)
		if (text[i] == '\n')
			line++, start = i + 1;
	return manifest_fail_at(parser, line, bad - start + 1, "byte 0x%02x is no text",
				(unsigned char)text[bad]);
}

static void manifest_defaults(struct cell_manifest *manifest)
{
	manifest->summary = "";
	manifest->version = "";
	manifest->start = CELL_START_DEMAND;
	manifest->restart = CELL_RESTART_ON_FAILURE;
	manifest->instances = 1;
	manifest->ready_timeout_ns = 10 * NS_PER_S;
	manifest->drain_timeout_ns = 30 * NS_PER_S;
	manifest->stop_timeout_ns = 2 * NS_PER_S;
	manifest->memory_bytes = UINT64_C(512) << 20;
	manifest->tasks = 64;
	/* Three descriptors for each of 4,096 connections, and a quarter to spare. */
	manifest->files = 16384;
	manifest->connections = 4096;
	manifest->payload_bytes = UINT64_C(1) << 30;
	manifest->call_timeout_ns = 30 * NS_PER_S;
	manifest->network = CELL_NETWORK_NONE;
	manifest->state = true;
	manifest->log_rate = 1000;
	manifest->log_size_bytes = UINT64_C(10) << 20;
}

/* The name in "folder/NAME.cell"; NULL if PATH does not end in ".cell". */
static const char *name_from_path(struct parser *parser)
{
	const char *slash = strrchr(parser->path, '/');
	const char *base = slash ? slash + 1 : parser->path;
	size_t len = strlen(base);

	if (len <= 5 || strcmp(base + len - 5, ".cell") != 0)
		return NULL;
	return cell_arena_strndup(&parser->manifest->arena, base, len - 5);
}

static int finish_name(struct parser *parser)
{
	struct cell_manifest *manifest = parser->manifest;
	const char *from_path = name_from_path(parser);
	unsigned line = manifest_line_of(parser, "cell", "name");

	if (!manifest->name && !from_path)
		return manifest_fail_at(parser, 1, 1, "[cell] has no name");
	if (!manifest->name) {
		if (!cell_name_is_valid(from_path))
			return manifest_fail_at(parser, 1, 1, "'%s' is no cell name",
						manifest_show(from_path).text);
		manifest->name = from_path;
	} else if (from_path && strcmp(manifest->name, from_path) != 0) {
		return manifest_fail_at(
			parser, line, 1,
			"the file is named for '%s', the cell '%s'; give both one name",
			manifest_show(from_path).text, manifest_show(manifest->name).text);
	}
	return 0;
}

static int finish_exec(struct parser *parser)
{
	struct cell_manifest *manifest = parser->manifest;
	const char *slash = strrchr(manifest->path, '/');
	const char *program;

	if (manifest->n_exec == 0) {
		const char **slot = manifest_list_push(parser, &manifest->exec,
						       &manifest->n_exec, sizeof *slot);

		if (!slot)
			return parser->failed;
		*slot = manifest->name;
	}
	program = manifest->exec[0];
	manifest->program = program;
	if (program[0] != '/')
		manifest->program =
			cell_arena_printf(&manifest->arena, "%.*s%s",
					  slash ? (int)(slash + 1 - manifest->path) : 2,
					  slash ? manifest->path : "./", program);
	return manifest->program ? 0 : manifest_no_memory(parser);
}

static int finish_instances(struct parser *parser)
{
	struct cell_manifest *manifest = parser->manifest;
	unsigned line = manifest_line_of(parser, "cell", "max-instances");

	if (!line)
		manifest->max_instances = manifest->instances > 16 ? manifest->instances : 16;
	if (manifest->instances > manifest->max_instances)
		return manifest_fail_at(parser, line, 1,
					"max-instances %u is less than instances %u",
					manifest->max_instances, manifest->instances);
	return 0;
}

static int finish_macros(struct parser *parser)
{
	struct cell_manifest *manifest = parser->manifest;
	const char **slot;
	char *name;

	for (size_t i = 0; sections[i]; i++)
		if (strcmp(sections[i], "macros") == 0)
			manifest->provides_macros = parser->section_line[i] != 0;
	if (!manifest->provides_macros || manifest->n_namespaces)
		return 0;
	/* The cell's own name, as an identifier. */
	slot = manifest_list_push(parser, &parser->namespaces, &manifest->n_namespaces,
				  sizeof *slot);
	name = slot ? manifest_keep(parser, manifest->name) : NULL;
	if (!name)
		return parser->failed;
	*slot = name;
	for (; *name; name++)
		if (*name == '-')
			*name = '_';
	return 0;
}

static int finish(struct parser *parser)
{
	struct cell_manifest *manifest = parser->manifest;
	int r;

	r = finish_name(parser);
	if (r == 0)
		r = finish_exec(parser);
	if (r == 0)
		r = finish_instances(parser);
	if (r == 0)
		r = finish_macros(parser);
	if (r < 0)
		return r;
	/* A program that is not libcell has nothing that would handle SIGSYS. */
	if (!manifest_line_of(parser, "sandbox", "report-denied"))
		manifest->report_denied = !manifest->init;
	manifest->serves_uids = parser->serves_uids;
	manifest->serves_remotes = parser->serves_remotes;
	manifest->read_only = parser->read_only;
	manifest->env = parser->env;
	manifest->namespaces = parser->namespaces;
	return 0;
}

static int parse(struct parser *parser, const char *text, size_t len)
{
	size_t bad;
	int r;

	if (len > CELL_MANIFEST_MAX)
		return manifest_fail_at(parser, 1, 1, "the manifest has %zu bytes, limit %d",
					len, CELL_MANIFEST_MAX);
	bad = text_check(text, len);
	if (bad < len)
		return text_fail(parser, text, bad);
	/* A byte-order mark is no part of the first line. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3, len -= 3;
	parser->at = text;
	parser->end = text + len;
	r = ini_parse_stream(on_read, parser, on_value, parser);
	if (parser->failed)
		return parser->failed;
	if (r < 0)
		return manifest_no_memory(parser);
	if (r > 0)
		return manifest_fail_at(parser, (unsigned)r, 1, "this is not 'key = value'");
	return finish(parser);
}

int cell_manifest_parse(struct cell_manifest **ret, const char *text, size_t len,
			const char *path_for_messages, struct cell_error *err)
{
	cell_cleanup(cell_manifest_freep) struct cell_manifest *manifest =
		calloc(1, sizeof *manifest);
	struct parser parser = { .manifest = manifest,
				 .err = err,
				 .path = path_for_messages };
	int r;

	if (!manifest)
		return manifest_no_memory(&parser);
	cell_arena_init(&manifest->arena, ARENA_MAX);
	manifest_defaults(manifest);
	manifest->path = manifest_keep(&parser, path_for_messages);
	if (!manifest->path)
		return parser.failed;
	r = parse(&parser, text, len);
	if (r < 0)
		return r;
	*ret = cell_steal(&manifest);
	return 0;
}

int cell_manifest_read(struct cell_manifest **ret, const char *path, struct cell_error *err)
{
	char *text = malloc(CELL_MANIFEST_MAX + 2);
	ssize_t n = text ? file_read(path, text, CELL_MANIFEST_MAX + 2) : -ENOMEM;
	int r;

	if (n < 0)
		r = cell_fail(err, (int)n, "reading manifest '%s': %s", path, strerror((int)-n));
	else
		r = cell_manifest_parse(ret, text, (size_t)n, path, err);
	free(text);
	return r;
}

void cell_manifest_free(struct cell_manifest *manifest)
{
	if (!manifest)
		return;
	cell_arena_deinit(&manifest->arena);
	free(manifest);
}

void cell_manifest_freep(struct cell_manifest **manifest)
{
	cell_manifest_free(*manifest);
}

struct cell_channels cell_manifest_uses(const struct cell_manifest *manifest,
					const char *cell, bool trusted)
{
	struct cell_channels set = trusted ? manifest->uses_any : CELL_CHANNELS_NONE;

	for (size_t i = 0; i < manifest->n_uses; i++)
		if (strcmp(manifest->uses[i].cell, cell) == 0)
			set = cell_channels_union(set, manifest->uses[i].channels);
	return set;
}

bool cell_manifest_serves_uid(const struct cell_manifest *manifest, uint32_t uid)
{
	/* (uid_t)-1 is a peer whose uid is not known here. */
	if (uid == UINT32_MAX)
		return false;
	for (size_t i = 0; i < manifest->n_serves_uids; i++)
		if (manifest->serves_uids[i] == uid)
			return true;
	return manifest->serves_any_uid;
}

bool cell_manifest_serves_remote(const struct cell_manifest *manifest, const char *node,
				 const char *cell)
{
	for (size_t i = 0; i < manifest->n_serves_remotes; i++) {
		const struct cell_manifest_remote *remote = &manifest->serves_remotes[i];

		if ((strcmp(remote->node, "*") == 0 || strcmp(remote->node, node) == 0) &&
		    (strcmp(remote->cell, "*") == 0 || strcmp(remote->cell, cell) == 0))
			return true;
	}
	return false;
}
