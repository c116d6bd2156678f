/*
 * Memory that lives as long as one call.
 *
 * A bump allocator: allocating is a few instructions, nothing is freed alone, and
 * everything goes at once when the arena is reset, rewound or released. An arena
 * belongs to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the first chunk, kept over resets; later chunks double up to 1 MiB. */
#define CELL_ARENA_CHUNK 4096
/* Every allocation is aligned to this many bytes. */
#define CELL_ARENA_ALIGN 8

struct cell_arena_chunk;

struct cell_arena {
	uint8_t *at;                    /* next free byte */
	uint8_t *end;                   /* end of the current chunk */
	struct cell_arena_chunk *chunk; /* newest first; NULL before the first allocation */
	struct cell_arena_chunk *spare; /* a large one, kept for reuse; NULL = none */
	size_t held_bytes;              /* in all chunks but the spare one */
	size_t limit_bytes;             /* refuse to hold more; 0 = no limit */
};

struct cell_arena_mark {
	struct cell_arena_chunk *chunk;
	uint8_t *at;
};

/* Prepare ARENA. Allocates nothing. LIMIT_BYTES bounds what it may hold (0: none). */
void cell_arena_init(struct cell_arena *arena, size_t limit_bytes);

/* Give everything back to the system. ARENA may be used again after. Accepts zeroed ones. */
void cell_arena_deinit(struct cell_arena *arena);

/* Forget every allocation, keep the oldest chunk for reuse. */
void cell_arena_reset(struct cell_arena *arena);

/* Give back the large chunk that resets and rewinds may have kept for reuse (at most 4 MiB). */
void cell_arena_trim(struct cell_arena *arena);

/* Remember this point; cell_arena_rewind() frees all that was allocated since. */
struct cell_arena_mark cell_arena_mark(const struct cell_arena *arena);
void cell_arena_rewind(struct cell_arena *arena, struct cell_arena_mark mark);

/* Whether what was allocated AT came after the mark: rewinding frees it. */
bool cell_arena_is_behind(const struct cell_arena *arena, struct cell_arena_mark mark,
			  const void *at);

/* The slow path of cell_arena_alloc(): a new chunk. */
void *cell_arena_grow(struct cell_arena *arena, size_t size);

/*
 * SIZE bytes, uninitialised, aligned to CELL_ARENA_ALIGN. NULL if memory or the
 * arena's limit is exhausted. A SIZE of 0 gives a valid pointer.
 */
static inline void *cell_arena_alloc(struct cell_arena *arena, size_t size)
{
	size_t room = (size_t)(arena->end - arena->at);
	uint8_t *at = arena->at;

	if (__builtin_expect(size > room || ((size + 7) & ~(size_t)7) > room, 0))
		return cell_arena_grow(arena, size);
	arena->at = at + ((size + 7) & ~(size_t)7);
	return at;
}

/* N elements of SIZE bytes each, zeroed. NULL on overflow, too. */
void *cell_arena_calloc(struct cell_arena *arena, size_t n, size_t size);

/* A copy of TEXT, or of the LEN bytes at BYTES plus a NUL. */
char *cell_arena_strdup(struct cell_arena *arena, const char *text);
char *cell_arena_strndup(struct cell_arena *arena, const char *bytes, size_t len);

/* printf into the arena. NULL if it does not fit. */
char *cell_arena_printf(struct cell_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
