#include "conf.h"

#include "../libcell/file.h"
#include "../libcell/guess.h"

#include <cell/defaults.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of a node.conf: a page of text is a long one. */
#define CONF_FILE_MAX 65536

bool conf_node_is_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= CONF_NODE_MAX && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789._-") == len;
}

void conf_init(struct conf *conf)
{
	memset(conf, 0, sizeof *conf);
	if (gethostname(conf->node, sizeof conf->node - 1) < 0)
		conf->node[0] = 0;
	conf->node[strcspn(conf->node, ".")] = 0;
	if (!conf_node_is_valid(conf->node))
		(void)snprintf(conf->node, sizeof conf->node, "node");
	(void)snprintf(conf->macro, sizeof conf->macro, "macro");
	conf->is_sandboxed = true;
	conf->limits = conf->limits_owner = conf->limits_boot = quota_defaults;
}

bool conf_list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (;;) {
		size_t n;

		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		if (n == 0)
			return false;
		if ((n == len && memcmp(list, word, n) == 0) || (n == 1 && *list == '*'))
			return true;
		list += n;
	}
}

const struct quota_limits *conf_limits(const struct conf *conf, const char *owner,
				       const struct quota_limits *of_kind)
{
	for (size_t i = 0; i < conf->n_quotas; i++)
		if (strcmp(conf->quotas[i].owner, owner) == 0)
			return &conf->quotas[i].limits;
	return of_kind;
}

/* ---- keys ------------------------------------------------------------------------------ */

/* What a parse carries: inih calls back with a key at a time. */
struct parse {
	struct conf *conf;
	const char *path;
	struct cell_error *err;
	int code;
};

typedef int set_fn(struct parse *parse, void *member, const char *value);

static int set_node(struct parse *parse, void *member, const char *value)
{
	if (!conf_node_is_valid(value))
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT,
				 "'%s' is no name of a node: letters, digits, '.', '_' and '-', at most %d",
				 value, CONF_NODE_MAX);
	(void)snprintf(member, CONF_NODE_MAX + 1, "%s", value);
	return 0;
}

static int set_cell(struct parse *parse, void *member, const char *value)
{
	if (value[0] && !cell_name_is_valid(value))
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT, "'%s' is no name of a cell", value);
	(void)snprintf(member, CELL_NAME_MAX + 1, "%s", value);
	return 0;
}

static int set_list(struct parse *parse, void *member, const char *value)
{
	if (strlen(value) >= CONF_LIST_MAX)
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT, "more than %d bytes",
				 CONF_LIST_MAX - 1);
	(void)snprintf(member, CONF_LIST_MAX, "%s", value);
	return 0;
}

static int set_folders(struct parse *parse, void *member, const char *value)
{
	if (strlen(value) >= sizeof parse->conf->cells)
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT, "more than %zu bytes",
				 sizeof parse->conf->cells - 1);
	(void)snprintf(member, sizeof parse->conf->cells, "%s", value);
	return 0;
}

static int set_sandbox(struct parse *parse, void *member, const char *value)
{
	bool *is_sandboxed = member;

	if (strcmp(value, "bwrap") != 0 && strcmp(value, "none") != 0)
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT, "'%s' is neither bwrap nor none",
				 value);
	*is_sandboxed = value[0] == 'b';
	return 0;
}

static int set_number(struct parse *parse, void *member, const char *value)
{
	uint64_t *number = member;
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)value[0]) || *end || errno)
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT, "'%s' is no number", value);
	return 0;
}

static int set_rate(struct parse *parse, void *member, const char *value)
{
	uint32_t *rate = member;
	uint64_t number;
	int r = set_number(parse, &number, value);

	if (r < 0)
		return r;
	if (number > 1000000)
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT, "at most 1000000 a second");
	*rate = (uint32_t)number;
	return 0;
}

static int set_size(struct parse *parse, void *member, const char *value)
{
	if (cell_size_parse(value, member) < 0)
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT,
				 "'%s' is no size, such as 32M or 1G", value);
	return 0;
}

struct key {
	const char *name;
	size_t offset;
	set_fn *set;
};

static const struct key node_keys[] = {
	{ "name", offsetof(struct conf, node), set_node },
	{ "cells", offsetof(struct conf, cells), set_folders },
	{ "resolver", offsetof(struct conf, resolver), set_cell },
	{ "gateway", offsetof(struct conf, gateway), set_cell },
	{ "log", offsetof(struct conf, log), set_cell },
	{ "macro", offsetof(struct conf, macro), set_cell },
	{ "spawn", offsetof(struct conf, spawn), set_list },
	{ "trusted", offsetof(struct conf, trusted), set_list },
	{ "sandbox", offsetof(struct conf, is_sandboxed), set_sandbox },
};

static const struct key quota_keys[] = {
	{ "connections", offsetof(struct quota_limits, max[QUOTA_CONNECTIONS]), set_number },
	{ "ring-bytes", offsetof(struct quota_limits, max[QUOTA_RING_BYTES]), set_size },
	{ "pending", offsetof(struct quota_limits, max[QUOTA_PENDING]), set_number },
	{ "activations", offsetof(struct quota_limits, activations_per_s), set_rate },
};

static int key_set(struct parse *parse, const struct key *keys, size_t n_keys, void *base,
		   const char *name, const char *value)
{
	struct guess guess = { .word = name };

	for (size_t i = 0; i < n_keys; i++) {
		if (strcmp(keys[i].name, name) == 0)
			return keys[i].set(parse, (char *)base + keys[i].offset, value);
		guess_try(&guess, keys[i].name);
	}
	if (guess.best)
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT,
				 "unknown key '%s'; did you mean '%s'?", name, guess.best);
	return cell_fail(parse->err, CELL_INVALID_ARGUMENT, "unknown key '%s'", name);
}

/* [quota], [quota owner], [quota boot], [quota greeter], [quota uid:1000] */
static struct quota_limits *quota_section(struct parse *parse, const char *section)
{
	struct conf *conf = parse->conf;
	const char *owner = section + strlen("quota");
	struct conf_quota *quota;

	owner += strspn(owner, " \t");
	if (!owner[0])
		return &conf->limits;
	if (strcmp(owner, "owner") == 0)
		return &conf->limits_owner;
	if (strcmp(owner, "boot") == 0)
		return &conf->limits_boot;
	for (size_t i = 0; i < conf->n_quotas; i++)
		if (strcmp(conf->quotas[i].owner, owner) == 0)
			return &conf->quotas[i].limits;
	if (conf->n_quotas == CONF_QUOTAS_MAX || strlen(owner) >= QUOTA_OWNER_MAX ||
	    (!cell_name_is_valid(owner) && strncmp(owner, "uid:", 4) != 0)) {
		(void)cell_fail(parse->err, CELL_INVALID_ARGUMENT,
				"[quota %s]: neither owner, boot, uid:NUMBER nor a cell's name, or "
				"more than %d of them", owner, CONF_QUOTAS_MAX);
		return NULL;
	}
	quota = &conf->quotas[conf->n_quotas++];
	(void)snprintf(quota->owner, sizeof quota->owner, "%s", owner);
	quota->limits = conf->limits;
	return &quota->limits;
}

static int parse_key(struct parse *parse, const char *section, const char *name, const char *value)
{
	struct quota_limits *limits;

	if (strcmp(section, "node") == 0)
		return key_set(parse, node_keys, sizeof node_keys / sizeof node_keys[0],
			       parse->conf, name, value);
	if (strncmp(section, "quota", 5) != 0 || !strchr(" \t", section[5]))
		return cell_fail(parse->err, CELL_INVALID_ARGUMENT,
				 section[0] ? "unknown section [%s]; there are [node] and [quota …]"
					    : "a key before the first section%s", section);
	limits = quota_section(parse, section);
	if (!limits)
		return CELL_INVALID_ARGUMENT;
	return key_set(parse, quota_keys, sizeof quota_keys / sizeof quota_keys[0], limits, name,
		       value);
}

/* inih's handler: 0 is a failure, and makes the line the result. */
static int on_key(void *userdata, const char *section, const char *name, const char *value)
{
	struct parse *parse = userdata;

	if (parse->code == 0)
		parse->code = parse_key(parse, section, name, value ? value : "");
	return parse->code == 0;
}

int conf_parse(struct conf *conf, const char *text, const char *path_for_messages,
	       struct cell_error *err)
{
	struct cell_error why = { 0 };
	struct parse parse = { .conf = conf, .path = path_for_messages, .err = &why };
	int line = ini_parse_string(text, on_key, &parse);

	if (line < 0)
		return cell_fail(err, -ENOMEM, "%s: no memory", path_for_messages);
	if (line == 0)
		return 0;
	return cell_fail(err, CELL_INVALID_ARGUMENT, "%s:%d: %s", path_for_messages, line,
			 why.text[0] ? why.text : "neither [section] nor key = value");
}

int conf_read(struct conf *conf, const char *path, struct cell_error *err)
{
	char *text = malloc(CONF_FILE_MAX + 2);
	ssize_t n = text ? file_read(path, text, CONF_FILE_MAX + 2) : -ENOMEM;
	int r;

	if (n == -EISDIR || n > CONF_FILE_MAX)
		r = cell_fail(err, CELL_INVALID_ARGUMENT, "%s: no file of at most %d bytes", path,
			      CONF_FILE_MAX);
	else if (n < 0)
		r = cell_fail(err, (int)n, "%s: %s", path, strerror((int)-n));
	else
		r = conf_parse(conf, text, path, err);
	free(text);
	return r;
}
