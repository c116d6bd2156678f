/*
 * Walking libcell's intrusive lists.
 */
#pragma once

#include "../libcell/list.h"

/* Names of their own, so that one walk may stand inside another. */
#define LISTS_PASTE2(a, b) a##b
#define LISTS_PASTE(a, b) LISTS_PASTE2(a, b)
#define LISTS_AT LISTS_PASTE(at_, __LINE__)
#define LISTS_NEXT LISTS_PASTE(next_, __LINE__)

/* ENTRY itself may be unlinked or freed in the body; its successor may not. */
#define list_walk(entry, head, type, member)                                       \
	for (struct list *LISTS_AT = (head)->next, *LISTS_NEXT = LISTS_AT->next;   \
	     LISTS_AT != (head) &&                                                 \
	     ((entry) = list_entry(LISTS_AT, type, member), 1);                    \
	     LISTS_AT = LISTS_NEXT, LISTS_NEXT = LISTS_AT->next)

/* The same from the newest to the oldest; nothing may be unlinked. */
#define list_walk_back(entry, head, type, member)                                  \
	for (struct list *LISTS_AT = (head)->prev;                                 \
	     LISTS_AT != (head) &&                                                 \
	     ((entry) = list_entry(LISTS_AT, type, member), 1);                    \
	     LISTS_AT = LISTS_AT->prev)

#define list_first(head, type, member) \
	(list_is_empty(head) ? NULL : list_entry((head)->next, type, member))

/* To the end of LIST, from wherever it was. */
static inline void list_move(struct list *list, struct list *node)
{
	list_unlink(node);
	list_append(list, node);
}
