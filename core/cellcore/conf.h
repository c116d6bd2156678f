/*
 * node.conf: what this node is called, which cells play a part for it, what owners may
 * hold. cellcore(8) documents every key.
 */
#pragma once

#include "../libcell/manifest.h"
#include "quota.h"

#include <cell/error.h>
#include <stdbool.h>
#include <stddef.h>

/* Owners with limits of their own; one that needs more of them wants other defaults. */
#define CONF_QUOTAS_MAX 64
/* Bytes of a list of words. */
#define CONF_LIST_MAX 1024
/* A node's name: letters, digits, '.', '_' and '-'. It is part of a cgroup's path. */
#define CONF_NODE_MAX 63

struct conf_quota {
	char owner[QUOTA_OWNER_MAX];
	struct quota_limits limits;
};

struct conf {
	char node[CONF_NODE_MAX + 1];
	char resolver[CELL_NAME_MAX + 1]; /* cells with a part; "" = none */
	char gateway[CELL_NAME_MAX + 1];
	char log[CELL_NAME_MAX + 1];
	char macro[CELL_NAME_MAX + 1]; /* its `[uses] *` counts, for compile time; "macro" */
	char spawn[CONF_LIST_MAX];   /* cells that may spawn and retire, or "*" */
	char trusted[CONF_LIST_MAX]; /* cells whose `[uses] *` counts in full */
	char cells[8 * CONF_LIST_MAX]; /* folders of manifests, colon-separated */
	bool is_sandboxed;
	struct quota_limits limits;       /* of cells and foreign users */
	struct quota_limits limits_owner; /* of the node's own user and root */
	struct quota_limits limits_boot;  /* of cells that start with the node */
	struct conf_quota quotas[CONF_QUOTAS_MAX];
	size_t n_quotas;
};

/* The defaults; NODE is the host's name, as far as it makes one. */
void conf_init(struct conf *conf);

/*
 * Read PATH into CONF. A missing file is -ENOENT; a wrong one CELL_INVALID_ARGUMENT with
 * "path:line: what, and what may have been meant".
 */
int conf_read(struct conf *conf, const char *path, struct cell_error *err);
int conf_parse(struct conf *conf, const char *text, const char *path_for_messages,
	       struct cell_error *err);

/* Whether LIST (words between blanks) has WORD, or "*". */
bool conf_list_has(const char *list, const char *word);

/* Whether NAME can be a node's name. */
bool conf_node_is_valid(const char *name);

/* The limits of an owner: its own line, else those of its kind. */
const struct quota_limits *conf_limits(const struct conf *conf, const char *owner,
				       const struct quota_limits *of_kind);
