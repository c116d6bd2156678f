#include <cell/arena.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cell/bytes.h>

/* Chunks double up to here; larger allocations get a chunk of their own size. */
#define ARENA_CHUNK_MAX ((size_t)1 << 20)
/* Sizes of a chunk that is worth keeping for the next large allocation. */
#define ARENA_SPARE_MIN ((size_t)64 << 10)
#define ARENA_SPARE_MAX ((size_t)4 << 20)

/*
 * Chunks form a list, newest first. Only the newest is allocated from: what is left
 * of an older one when it does not suffice is given up, so that a mark is no more
 * than a chunk and a position in it.
 */
struct cell_arena_chunk {
	struct cell_arena_chunk *older;
	size_t size;  /* of data */
	size_t grown; /* what the next chunk doubles: SIZE, unless one allocation made it large */
	_Alignas(CELL_ARENA_ALIGN) uint8_t data[];
};

/* Where an arena without a chunk points, so that an allocation of 0 bytes is not NULL. */
static _Alignas(CELL_ARENA_ALIGN) uint8_t arena_nothing[CELL_ARENA_ALIGN];

static void arena_use(struct cell_arena *arena, struct cell_arena_chunk *chunk, uint8_t *at)
{
	arena->chunk = chunk;
	arena->at = chunk ? at : arena_nothing;
	arena->end = chunk ? chunk->data + chunk->size : arena_nothing;
}

/*
 * Keep one large chunk for the next large allocation. Given back to the system each time,
 * a megabyte costs more in page faults than in copying.
 */
static void arena_free_chunk(struct cell_arena *arena, struct cell_arena_chunk *chunk)
{
	if (!arena->spare && chunk->size >= ARENA_SPARE_MIN && chunk->size <= ARENA_SPARE_MAX)
		arena->spare = chunk;
	else
		free(chunk);
}

/* Free the chunks newer than KEEP, or all if it is NULL. */
static void arena_drop(struct cell_arena *arena, const struct cell_arena_chunk *keep)
{
	struct cell_arena_chunk *chunk = arena->chunk;

	while (chunk && chunk != keep) {
		struct cell_arena_chunk *older = chunk->older;

		arena->held_bytes -= sizeof *chunk + chunk->size;
		arena_free_chunk(arena, chunk);
		chunk = older;
	}
	arena->chunk = chunk;
}

void cell_arena_init(struct cell_arena *arena, size_t limit_bytes)
{
	*arena = (struct cell_arena){ .limit_bytes = limit_bytes };
	arena_use(arena, NULL, NULL);
}

void cell_arena_deinit(struct cell_arena *arena)
{
	arena_drop(arena, NULL);
	arena_use(arena, NULL, NULL);
	cell_arena_trim(arena);
}

void cell_arena_trim(struct cell_arena *arena)
{
	free(arena->spare);
	arena->spare = NULL;
}

void cell_arena_reset(struct cell_arena *arena)
{
	struct cell_arena_chunk *oldest = arena->chunk;

	if (oldest && !oldest->older) {
		arena->at = oldest->data;
		return;
	}
	while (oldest && oldest->older)
		oldest = oldest->older;
	arena_drop(arena, oldest);
	arena_use(arena, oldest, oldest ? oldest->data : NULL);
}

struct cell_arena_mark cell_arena_mark(const struct cell_arena *arena)
{
	return (struct cell_arena_mark){ .chunk = arena->chunk, .at = arena->at };
}

void cell_arena_rewind(struct cell_arena *arena, struct cell_arena_mark mark)
{
	/* Marked before the first allocation: the first chunk is kept, as on a reset. */
	if (!mark.chunk) {
		cell_arena_reset(arena);
		return;
	}
	arena_drop(arena, mark.chunk);
	arena_use(arena, mark.chunk, mark.at);
}

bool cell_arena_is_behind(const struct cell_arena *arena, struct cell_arena_mark mark,
			  const void *at)
{
	uintptr_t where = (uintptr_t)at;

	for (const struct cell_arena_chunk *chunk = arena->chunk; chunk; chunk = chunk->older) {
		bool is_in = where >= (uintptr_t)chunk->data &&
			     where < (uintptr_t)(chunk->data + chunk->size);

		if (chunk == mark.chunk)
			return is_in && where >= (uintptr_t)mark.at;
		if (is_in)
			return true;
	}
	return false;
}

/*
 * The size of data of the next chunk, which must hold NEED bytes; 0 if the limit
 * forbids it. The first chunk always has the stated size (or what the limit leaves
 * of it), as it is the one that stays over resets.
 */
static size_t arena_chunk_size(const struct cell_arena *arena, size_t need, size_t *ret_grown)
{
	const size_t head = sizeof(struct cell_arena_chunk);
	size_t size = CELL_ARENA_CHUNK - head;
	size_t left = SIZE_MAX;

	if (arena->limit_bytes) {
		if (arena->limit_bytes <= arena->held_bytes ||
		    arena->limit_bytes - arena->held_bytes <= head)
			return 0;
		left = (arena->limit_bytes - arena->held_bytes - head) &
		       ~(size_t)(CELL_ARENA_ALIGN - 1);
	}
	if (arena->chunk)
		size = arena->chunk->grown >= ARENA_CHUNK_MAX / 2
			       ? ARENA_CHUNK_MAX - head
			       : 2 * (arena->chunk->grown + head) - head;
	*ret_grown = size;
	if (size < need) {
		*ret_grown = arena->chunk ? arena->chunk->grown : CELL_ARENA_CHUNK - head;
		size = need;
	}
	if (size > left)
		size = left;
	return size < need ? 0 : size;
}

static struct cell_arena_chunk *arena_add(struct cell_arena *arena, size_t need)
{
	size_t grown, size = arena_chunk_size(arena, need, &grown);
	struct cell_arena_chunk *chunk = arena->spare;

	if (!size || size > SIZE_MAX / 2)
		return NULL;
	if (chunk && size >= ARENA_SPARE_MIN && chunk->size >= size &&
	    (!arena->limit_bytes ||
	     chunk->size <= arena->limit_bytes - arena->held_bytes - sizeof *chunk)) {
		arena->spare = NULL;
	} else {
		chunk = malloc(sizeof *chunk + size);
		if (!chunk)
			return NULL;
		chunk->size = size;
	}
	chunk->older = arena->chunk;
	chunk->grown = grown;
	arena->held_bytes += sizeof *chunk + chunk->size;
	arena_use(arena, chunk, chunk->data);
	return chunk;
}

void *cell_arena_grow(struct cell_arena *arena, size_t size)
{
	size_t need;
	uint8_t *at;

	if (!cell_add(size, CELL_ARENA_ALIGN - 1, &need))
		return NULL;
	need &= ~(size_t)(CELL_ARENA_ALIGN - 1);
	if (!need)
		return arena_nothing;

	/* A large first allocation must not be what stays over resets. */
	if (!arena->chunk && need > CELL_ARENA_CHUNK - sizeof(struct cell_arena_chunk))
		(void)arena_add(arena, CELL_ARENA_ALIGN);
	if (!arena_add(arena, need))
		return NULL;
	at = arena->at;
	arena->at += need;
	return at;
}

void *cell_arena_calloc(struct cell_arena *arena, size_t n, size_t size)
{
	size_t bytes;
	void *at;

	if (!cell_mul(n, size, &bytes))
		return NULL;
	at = cell_arena_alloc(arena, bytes);
	if (at)
		memset(at, 0, bytes);
	return at;
}

char *cell_arena_strdup(struct cell_arena *arena, const char *text)
{
	return cell_arena_strndup(arena, text, strlen(text));
}

char *cell_arena_strndup(struct cell_arena *arena, const char *bytes, size_t len)
{
	size_t size;
	char *at;

	if (!cell_add(len, 1, &size))
		return NULL;
	at = cell_arena_alloc(arena, size);
	if (!at)
		return NULL;
	if (len)
		memcpy(at, bytes, len);
	at[len] = '\0';
	return at;
}

char *cell_arena_printf(struct cell_arena *arena, const char *format, ...)
{
	va_list args;
	char *at = NULL;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len >= 0)
		at = cell_arena_alloc(arena, (size_t)len + 1);
	if (at) {
		va_start(args, format);
		(void)vsnprintf(at, (size_t)len + 1, format, args);
		va_end(args);
	}
	return at;
}
