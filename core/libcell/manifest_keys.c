/* One table of all keys, and for each what its value must look like and where it goes. */
#include "manifest_parser.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "guess.h"

/* Run ADD for each word of VALUE. */
static int words_each(struct parser *parser, char *value, bool commas,
		      int (*add)(struct parser *parser, char *word, size_t column))
{
	char *at = value;
	size_t column;
	char *word;

	while ((word = manifest_word_next(parser, value, &at, commas, &column)))
		if (add(parser, word, column) < 0)
			break;
	return parser->failed;
}

/* ---- general setters ---- */

__attribute__((format(printf, 2, 3))) static int value_fail(struct parser *parser,
							    const char *format, ...)
{
	char text[CELL_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return manifest_fail_at(parser, parser->line_number, parser->value_column, "%s: %s",
				parser->key->name, text);
}

static void *member(struct parser *parser, const struct key *key)
{
	return (char *)parser->manifest + key->offset;
}

static int set_text(struct parser *parser, const struct key *key, char *value)
{
	const char *copy = manifest_keep(parser, value);

	if (copy)
		memcpy(member(parser, key), &copy, sizeof copy);
	return parser->failed;
}

static int set_choice(struct parser *parser, const struct key *key, char *value)
{
	struct guess guess = { .word = value };
	char list[96] = "";
	size_t len = 0;

	/* Every enum here is an int wide. */
	for (int i = 0; key->choices[i]; i++) {
		if (strcmp(value, key->choices[i]) == 0) {
			memcpy(member(parser, key), &i, sizeof i);
			return 0;
		}
		guess_try(&guess, key->choices[i]);
		len += (size_t)snprintf(list + len, sizeof list - len, "%s%s",
					i == 0                ? ""
					: key->choices[i + 1] ? ", "
							      : " or ",
					key->choices[i]);
	}
	if (guess.best)
		return value_fail(parser, "'%s' is not %s; did you mean '%s'?",
				  manifest_show(value).text, list, guess.best);
	return value_fail(parser, "'%s' is not %s", manifest_show(value).text, list);
}

static int set_bool(struct parser *parser, const struct key *key, char *value)
{
	static const char *const yes[] = { "yes", "true", "on" };
	static const char *const no[] = { "no", "false", "off" };

	for (size_t i = 0; i < 3; i++) {
		bool is_yes = strcmp(value, yes[i]) == 0;

		if (is_yes || strcmp(value, no[i]) == 0) {
			memcpy(member(parser, key), &is_yes, sizeof is_yes);
			return 0;
		}
	}
	return value_fail(parser, "'%s' is neither yes nor no", manifest_show(value).text);
}

/* "none" where it is allowed; else false. */
static bool is_none(const struct key *key, const char *value)
{
	return key->allows_none && strcmp(value, "none") == 0;
}

static int set_number(struct parser *parser, const struct key *key, char *value)
{
	uint64_t number = 0;
	uint32_t small;
	char *end = value;

	if (!is_none(key, value)) {
		errno = 0;
		if (isdigit((unsigned char)*value))
			number = strtoull(value, &end, 10);
		if (key->set == set_number && strcmp(key->name, "cpu") == 0 && *end == '%')
			end++;
		if (end == value || *end || errno)
			return value_fail(parser, "'%s' is not a whole number",
					  manifest_show(value).text);
		if (number < key->min || number > key->max)
			return value_fail(parser, "%s is not between %llu and %llu",
					  manifest_show(value).text,
					  (unsigned long long)key->min,
					  (unsigned long long)key->max);
	}
	small = (uint32_t)number;
	memcpy(member(parser, key), &small, sizeof small);
	return 0;
}

static int set_size(struct parser *parser, const struct key *key, char *value)
{
	uint64_t bytes = 0;

	if (!is_none(key, value)) {
		int r = cell_size_parse(value, &bytes);

		if (r == -EINVAL)
			return value_fail(parser, "'%s' is not a size such as 64M",
					  manifest_show(value).text);
		if (r < 0 || bytes < key->min || bytes > key->max)
			return value_fail(parser, "%s is not between %llu and %llu bytes",
					  manifest_show(value).text,
					  (unsigned long long)key->min,
					  (unsigned long long)key->max);
	}
	memcpy(member(parser, key), &bytes, sizeof bytes);
	return 0;
}

static int set_duration(struct parser *parser, const struct key *key, char *value)
{
	uint64_t ns;
	int r = cell_duration_parse(value, &ns);

	if (r == -EINVAL && *value && strspn(value, "0123456789.") == strlen(value))
		return value_fail(parser, "'%s' has no unit; did you mean '%ss'?",
				  manifest_show(value).text, manifest_show(value).text);
	if (r == -EINVAL)
		return value_fail(parser, "'%s' is not a time such as 10s or 250ms",
				  manifest_show(value).text);
	if (r < 0 || ns < key->min || ns > key->max)
		return value_fail(parser, "%s is not between %llu ms and %llu s",
				  manifest_show(value).text,
				  (unsigned long long)(key->min / NS_PER_MS),
				  (unsigned long long)(key->max / NS_PER_S));
	memcpy(member(parser, key), &ns, sizeof ns);
	return 0;
}

/* ---- setters of one key ---- */

static int set_name(struct parser *parser, const struct key *key, char *value)
{
	if (!cell_name_is_valid(value))
		return value_fail(
			parser,
			"'%s' is no cell name: a letter, then letters, digits and '-', "
			"lower case, at most %d",
			manifest_show(value).text, CELL_NAME_MAX);
	return set_text(parser, key, value);
}

static int set_version(struct parser *parser, const struct key *key, char *value)
{
	if (!manifest_is_word(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", ".+~-", 63))
		return value_fail(parser, "'%s' is no version such as 1.2.0",
				  manifest_show(value).text);
	return set_text(parser, key, value);
}

static int set_user(struct parser *parser, const struct key *key, char *value)
{
	bool is_number = strspn(value, "0123456789") == strlen(value);

	if (strcmp(value, "root") == 0 || (is_number && strtoull(value, NULL, 10) == 0))
		return value_fail(parser, "no cell runs as root");
	if (!manifest_is_word(value, "_0123456789", "-", 32))
		return value_fail(parser, "'%s' is no user name", manifest_show(value).text);
	return set_text(parser, key, value);
}

static int add_exec(struct parser *parser, char *word, size_t column)
{
	const char **slot;
	struct cell_manifest *manifest = parser->manifest;

	if (manifest->n_exec == 0 &&
	    (!*word || *word == '-' || word[strlen(word) - 1] == '/'))
		return manifest_fail_at(parser, parser->line_number, column,
					"exec: '%s' is no program", manifest_show(word).text);
	slot = manifest_list_push(parser, &manifest->exec, &manifest->n_exec, sizeof *slot);
	if (!slot)
		return parser->failed;
	*slot = manifest_keep(parser, word);
	return parser->failed;
}

static int set_exec(struct parser *parser, const struct key *key, char *value)
{
	(void)key;
	return words_each(parser, value, false, add_exec);
}

static int add_uid(struct parser *parser, char *word, size_t column)
{
	unsigned long long uid;
	uint32_t *slot;
	char *end;

	if (strcmp(word, "any") == 0) {
		parser->manifest->serves_any_uid = true;
		return 0;
	}
	errno = 0;
	uid = isdigit((unsigned char)*word) ? strtoull(word, &end, 10) : 0;
	/* The last uid is (uid_t)-1: nobody at all. */
	if (!isdigit((unsigned char)*word) || *end || errno || uid >= UINT32_MAX)
		return manifest_fail_at(parser, parser->line_number, column,
					"uid: '%s' is neither a number nor any",
					manifest_show(word).text);
	slot = manifest_list_push(parser, &parser->serves_uids,
				  &parser->manifest->n_serves_uids, sizeof *slot);
	if (slot)
		*slot = (uint32_t)uid;
	return parser->failed;
}

static int set_uid(struct parser *parser, const struct key *key, char *value)
{
	(void)key;
	return words_each(parser, value, true, add_uid);
}

static bool node_is_valid(const char *node)
{
	/* A node's name, or its key as text. */
	return manifest_is_word(node, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "._:+/=-", 128);
}

static int add_remote(struct parser *parser, char *word, size_t column)
{
	struct cell_manifest *manifest = parser->manifest;
	struct cell_manifest_remote *slot;
	char *slash = strrchr(word, '/');

	if (!slash)
		return manifest_fail_at(parser, parser->line_number, column,
					"remote: '%s' is not node/cell",
					manifest_show(word).text);
	*slash = '\0';
	if (strcmp(word, "*") != 0 && !node_is_valid(word))
		return manifest_fail_at(parser, parser->line_number, column,
					"remote: '%s' is no node", manifest_show(word).text);
	if (strcmp(slash + 1, "*") != 0 && !cell_name_is_valid(slash + 1))
		return manifest_fail_at(parser, parser->line_number,
					column + (size_t)(slash + 1 - word),
					"remote: '%s' is no cell name",
					manifest_show(slash + 1).text);
	slot = manifest_list_push(parser, &parser->serves_remotes,
				  &manifest->n_serves_remotes, sizeof *slot);
	if (!slot)
		return parser->failed;
	slot->node = manifest_keep(parser, word);
	slot->cell = manifest_keep(parser, slash + 1);
	return parser->failed;
}

static int set_remote(struct parser *parser, const struct key *key, char *value)
{
	(void)key;
	return words_each(parser, value, true, add_remote);
}

static int add_read_only(struct parser *parser, char *word, size_t column)
{
	const char *why = cell_mount_refusal(word);
	const char **slot;

	if (why)
		return manifest_fail_at(parser, parser->line_number, column,
					"read-only: '%s' %s", manifest_show(word).text, why);
	slot = manifest_list_push(parser, &parser->read_only, &parser->manifest->n_read_only,
				  sizeof *slot);
	if (slot)
		*slot = manifest_keep(parser, word);
	return parser->failed;
}

static int set_read_only(struct parser *parser, const struct key *key, char *value)
{
	(void)key;
	return words_each(parser, value, false, add_read_only);
}

static int add_env(struct parser *parser, char *word, size_t column)
{
	static const char *const ours[] = { "CELL_NAME",      "CELL_NODE",   "CELL_INSTANCE",
					    "CELL_STATEDIR",  "CELL_RUNDIR", "CELL_LOG",
					    "CELL_CONTROL_FD" };
	size_t len = strcspn(word, "=");
	const char **slot;

	for (size_t i = 0; i < len; i++)
		if (!isalpha((unsigned char)word[i]) && word[i] != '_' &&
		    (i == 0 || !isdigit((unsigned char)word[i])))
			len = 0;
	if (len == 0)
		return manifest_fail_at(parser, parser->line_number, column,
					"env: '%s' is neither NAME nor NAME=VALUE",
					manifest_show(word).text);
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (strlen(ours[i]) == len && strncmp(word, ours[i], len) == 0)
			return manifest_fail_at(parser, parser->line_number, column,
						"env: %s is set by the runtime", ours[i]);
	if (strncmp(word, "LD_", 3) == 0)
		return manifest_fail_at(parser, parser->line_number, column,
					"env: %s would load foreign code",
					manifest_show(word).text);
	slot = manifest_list_push(parser, &parser->env, &parser->manifest->n_env,
				  sizeof *slot);
	if (slot)
		*slot = manifest_keep(parser, word);
	return parser->failed;
}

static int set_env(struct parser *parser, const struct key *key, char *value)
{
	(void)key;
	return words_each(parser, value, false, add_env);
}

static int add_namespace(struct parser *parser, char *word, size_t column)
{
	static const char *const compilers[] = { "gnu", "clang", "gcc", "msvc", "omp" };
	const char **slot;

	if (!manifest_is_word(word, "_", "0123456789_", CELL_NAME_MAX))
		return manifest_fail_at(
			parser, parser->line_number, column,
			"namespace: '%s' is no name: letters, digits and '_', lower case",
			manifest_show(word).text);
	for (size_t i = 0; i < sizeof compilers / sizeof compilers[0]; i++)
		if (strcmp(word, compilers[i]) == 0)
			return manifest_fail_at(parser, parser->line_number, column,
						"namespace: '%s' belongs to a compiler",
						word);
	slot = manifest_list_push(parser, &parser->namespaces,
				  &parser->manifest->n_namespaces, sizeof *slot);
	if (slot)
		*slot = manifest_keep(parser, word);
	return parser->failed;
}

static int set_namespace(struct parser *parser, const struct key *key, char *value)
{
	(void)key;
	return words_each(parser, value, true, add_namespace);
}

static int set_level(struct parser *parser, const struct key *key, char *value)
{
	static const char *const levels[] = { "err", "warn", "info", "debug" };
	char *at = value;

	/* LEVEL or SUBSYSTEM=LEVEL, comma-separated, as $CELL_LOG has it. */
	do {
		size_t len = strcspn(at, ",");
		char *equals = memchr(at, '=', len);
		char *level = equals ? equals + 1 : at;
		size_t level_len = (size_t)(at + len - level);
		bool is_known = false;

		for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
			is_known |= strlen(levels[i]) == level_len &&
				    strncmp(level, levels[i], level_len) == 0;
		if (!is_known || equals == at)
			return manifest_fail_at(parser, parser->line_number,
						parser->value_column +
							(size_t)(level - value),
						"level: '%s' is not err, warn, info or debug",
						manifest_show(level).text);
		at += len;
	} while (*at++ == ',');
	return set_text(parser, key, value);
}

/* ---- the table of keys ---- */

static const char *const start_choices[] = { "demand", "boot", NULL };
static const char *const restart_choices[] = { "on-failure", "always", "never", NULL };
static const char *const network_choices[] = { "none", "host", NULL };

/* Two words for a bool, so that there is room for a third. */
static int set_speaks_for(struct parser *parser, const struct key *key, char *value)
{
	(void)key;
	parser->manifest->speaks_for_remote = strcmp(value, "remote") == 0;
	if (!parser->manifest->speaks_for_remote && strcmp(value, "none") != 0)
		return value_fail(parser, "'%s' is not none or remote",
				  manifest_show(value).text);
	return 0;
}

#define AT(member_name) .offset = offsetof(struct cell_manifest, member_name)
#define HOUR            (3600 * NS_PER_S)
static const struct key keys[] = {
	{ "cell", "name", set_name, AT(name) },
	{ "cell", "summary", set_text, AT(summary) },
	{ "cell", "version", set_version, AT(version) },
	{ "cell", "exec", set_exec, .is_list = true },
	{ "cell", "start", set_choice, AT(start), .choices = start_choices },
	{ "cell", "restart", set_choice, AT(restart), .choices = restart_choices },
	{ "cell", "instances", set_number, AT(instances), 1, 1024 },
	{ "cell", "max-instances", set_number, AT(max_instances), 1, 1024 },
	{ "cell", "user", set_user, AT(user) },
	{ "cell", "init", set_bool, AT(init) },
	{ "cell", "ready-timeout", set_duration, AT(ready_timeout_ns), 10 * NS_PER_MS, HOUR },
	{ "cell", "drain-timeout", set_duration, AT(drain_timeout_ns), 0, HOUR },
	{ "cell", "stop-timeout", set_duration, AT(stop_timeout_ns), 0, HOUR },

	{ "serves", "uid", set_uid, .is_list = true },
	{ "serves", "remote", set_remote, .is_list = true },
	{ "serves", "speaks-for", set_speaks_for, .is_list = false },

	/* 4 MiB is what bwrap and the dynamic linker need; a ring pair is charged 103 KiB. */
	{ "limits", "memory", set_size, AT(memory_bytes), UINT64_C(4) << 20,
	  UINT64_C(1) << 50, .allows_none = true },
	{ "limits", "cpu", set_number, AT(cpu_percent), 1, 100000, .allows_none = true },
	{ "limits", "tasks", set_number, AT(tasks), 1, 1000000, .allows_none = true },
	{ "limits", "files", set_number, AT(files), 32, 1048576 },
	{ "limits", "connections", set_number, AT(connections), 1, 65536 },
	{ "limits", "payload", set_size, AT(payload_bytes), 0, UINT64_C(1) << 30 },
	{ "limits", "call-timeout", set_duration, AT(call_timeout_ns), NS_PER_MS, 24 * HOUR },

	{ "sandbox", "network", set_choice, AT(network), .choices = network_choices },
	{ "sandbox", "state", set_bool, AT(state) },
	{ "sandbox", "report-denied", set_bool, AT(report_denied) },
	{ "sandbox", "read-only", set_read_only, .is_list = true },
	{ "sandbox", "env", set_env, .is_list = true },

	{ "macros", "namespace", set_namespace, .is_list = true },

	{ "log", "level", set_level, AT(log_level) },
	{ "log", "rate", set_number, AT(log_rate), 1, 1000000, .allows_none = true },
	{ "log", "size", set_size, AT(log_size_bytes), 4096, UINT64_C(1) << 40 },
};
#define N_KEYS (sizeof keys / sizeof keys[0])
static_assert(N_KEYS <= MANIFEST_KEYS_MAX, "raise MANIFEST_KEYS_MAX");

unsigned manifest_line_of(const struct parser *parser, const char *section, const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return parser->key_line[i];
	return 0;
}

static int key_unknown(struct parser *parser, const char *name, size_t column)
{
	struct guess guess = { .word = name };

	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].section, parser->section) == 0)
			guess_try(&guess, keys[i].name);
		else if (strcmp(keys[i].name, name) == 0)
			return manifest_fail_at(parser, parser->line_number, column,
						"'%s' belongs to section [%s]", name,
						keys[i].section);
	}
	if (guess.best)
		return manifest_fail_at(parser, parser->line_number, column,
					"unknown key '%s' in [%s]; did you mean '%s'?",
					manifest_show(name).text, parser->section,
					guess.best);
	return manifest_fail_at(parser, parser->line_number, column,
				"unknown key '%s' in [%s]", manifest_show(name).text,
				parser->section);
}

int manifest_key_line(struct parser *parser, const char *name, size_t column, char *value)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].section, parser->section) != 0 ||
		    strcmp(keys[i].name, name) != 0)
			continue;
		/* `exec` is one command, however many lines it takes. */
		if (parser->key_line[i] && (!keys[i].is_list || keys[i].set == set_exec))
			return manifest_fail_at(parser, parser->line_number, column,
						"'%s' is on line %u already", name,
						parser->key_line[i]);
		if (!parser->key_line[i])
			parser->key_line[i] = parser->line_number;
		parser->key = &keys[i];
		return keys[i].set(parser, &keys[i], value);
	}
	return key_unknown(parser, name, column);
}

/* ---- [uses] ---- */

static int channels_fail(struct parser *parser, const char *word, size_t column)
{
	struct guess guess = { .word = word };
	char names[4][CELL_CHANNEL_NAME_MAX];

	guess_try(&guess, "all");
	for (uint8_t i = 0; i < 4; i++)
		guess_try(&guess, cell_channel_name(i, names[i]));
	if (guess.best)
		return manifest_fail_at(parser, parser->line_number, column,
					"'%s' is no channel; did you mean '%s'?",
					manifest_show(word).text, guess.best);
	return manifest_fail_at(
		parser, parser->line_number, column,
		"'%s' is no channel: app, consensus, ops, macro, 0x80 to 0xff or all",
		manifest_show(word).text);
}

static int channels_add(struct parser *parser, struct cell_channels *set, const char *word,
			size_t column)
{
	char name[CELL_CHANNEL_NAME_MAX];
	unsigned long number;
	char *end;

	if (strcmp(word, "all") == 0) {
		*set = CELL_CHANNELS_ALL;
		return 0;
	}
	for (uint8_t i = 0; i < 4; i++) {
		if (strcmp(word, cell_channel_name(i, name)) == 0) {
			cell_channels_set(set, i);
			return 0;
		}
	}
	if (!isdigit((unsigned char)*word))
		return channels_fail(parser, word, column);
	number = strtoul(word, &end, 0);
	if (*end || number > 0xff)
		return channels_fail(parser, word, column);
	if (number >= 4 && number < 0x80)
		return manifest_fail_at(parser, parser->line_number, column,
					"channel %s is reserved", manifest_show(word).text);
	cell_channels_set(set, (uint8_t)number);
	return 0;
}

/* The line for CELL, made if there is none. NULL on failure. */
static struct cell_channels *uses_find(struct parser *parser, const char *cell)
{
	struct cell_manifest *manifest = parser->manifest;
	struct cell_manifest_use *use;

	if (strcmp(cell, "*") == 0)
		return &manifest->uses_any;
	for (size_t i = 0; i < manifest->n_uses; i++)
		if (strcmp(manifest->uses[i].cell, cell) == 0)
			return &manifest->uses[i].channels;
	use = manifest_list_push(parser, &manifest->uses, &manifest->n_uses, sizeof *use);
	if (!use)
		return NULL;
	use->cell = manifest_keep(parser, cell);
	use->line = parser->line_number;
	return use->cell ? &use->channels : NULL;
}

int manifest_uses_add(struct parser *parser, char *value)
{
	struct cell_channels *set = uses_find(parser, parser->uses);
	char *at = value;
	size_t column;
	char *word;

	if (!set)
		return parser->failed;
	while ((word = manifest_word_next(parser, value, &at, true, &column)))
		if (channels_add(parser, set, word, column) < 0)
			break;
	return parser->failed;
}

int manifest_uses_line(struct parser *parser, const char *cell, size_t column, char *value)
{
	bool is_any = strcmp(cell, "*") == 0;

	if (!is_any && !cell_name_is_valid(cell))
		return manifest_fail_at(parser, parser->line_number, column,
					"[uses] '%s' is no cell name",
					manifest_show(cell).text);
	for (size_t i = 0; i < parser->manifest->n_uses; i++)
		if (strcmp(parser->manifest->uses[i].cell, cell) == 0)
			return manifest_fail_at(parser, parser->line_number, column,
						"[uses] '%s' is on line %u already",
						manifest_show(cell).text,
						parser->manifest->uses[i].line);
	if (is_any && !cell_channels_is_empty(&parser->manifest->uses_any))
		return manifest_fail_at(parser, parser->line_number, column,
					"[uses] '*' is there already");
	parser->uses = manifest_keep(parser, cell);
	return parser->uses ? manifest_uses_add(parser, value) : parser->failed;
}
