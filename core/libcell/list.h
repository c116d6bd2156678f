/*
 * Intrusive doubly linked lists: the node sits in the struct that is listed, so that
 * linking allocates nothing and unlinking needs no search.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}

/* Also true for a node that is in no list. Zeroed nodes count as unlinked. */
static inline bool list_is_empty(const struct list *list)
{
	return !list->next || list->next == list;
}

static inline void list_append(struct list *list, struct list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

static inline void list_unlink(struct list *node)
{
	if (!node->next)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

#define list_entry(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))
