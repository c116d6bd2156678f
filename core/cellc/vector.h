/*
 * Arrays that grow in an arena. cellc is short-lived, and without memory there is nothing
 * useful left for it to do: out of memory ends the program.
 */
#pragma once

#include "writer.h"

#include <stdlib.h>
#include <string.h>

static inline void *memory_check(void *memory)
{
	return must(memory);
}

/* N zeroed items of SIZE bytes. */
static inline void *memory_new(struct cell_arena *arena, size_t n, size_t size)
{
	return memory_check(cell_arena_calloc(arena, n, size));
}

static inline char *memory_copy(struct cell_arena *arena, const char *bytes, size_t len)
{
	return memory_check(cell_arena_strndup(arena, bytes, len));
}

/*
 * ITEMS with room for one more than N: the array itself, or a larger copy. What was left
 * behind stays in the arena: less than the array itself.
 */
static inline void *vector_room(struct cell_arena *arena, void *items, size_t n, size_t *room,
				size_t size)
{
	size_t more = *room ? *room * 2 : 16;
	void *larger;

	if (n < *room)
		return items;
	larger = memory_new(arena, more, size);
	if (n)
		memcpy(larger, items, n * size);
	*room = more;
	return larger;
}

/* struct { TYPE *items; size_t n, room; }: a new zeroed item at its end. */
#define VECTOR(type)                                                                          \
	struct {                                                                              \
		type *items;                                                                  \
		size_t n, room;                                                               \
	}
#define VECTOR_ADD(arena, vector)                                                             \
	((vector)->items = vector_room(arena, (vector)->items, (vector)->n, &(vector)->room,  \
				       sizeof *(vector)->items),                              \
	 &(vector)->items[(vector)->n++])
