/*
 * Definitions by name: what schema.c builds and schema_find.c searches.
 */
#pragma once

#include <cell/arena.h>
#include <stddef.h>
#include <string.h>

/* All definitions of a kind, sorted by full name. */
struct schema_index {
	void **items; /* each begins with `const char *name` */
	size_t n;
};

struct schema_private {
	struct cell_arena arena; /* the model, and the strings of the unpacked set */
	struct schema_index messages;
	struct schema_index enums;
	struct schema_index services;
};

/* The name of one item. */
static inline const char *schema_index_name(const void *item)
{
	const char *name;

	memcpy(&name, item, sizeof name);
	return name;
}

/* The item of exactly that name, or NULL. */
void *schema_index_find(const struct schema_index *index, const char *name);
