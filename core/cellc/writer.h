/*
 * Building text, and lists, in an arena. Out of memory ends the program, as everywhere in a
 * compiler driver.
 */
#pragma once

#include <cell/arena.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer {
	struct cell_arena *arena;
	char *text; /* NUL-terminated; "" at first */
	size_t len, room;
};

struct writer writer_new(struct cell_arena *arena);
void writer_put(struct writer *writer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void writer_add(struct writer *writer, const char *bytes, size_t len);

/*
 * TEXT as one word: blanks, control characters, '%' and those of STOP become %XX. Decoding
 * is writer_unquote(): in place, -EINVAL for a '%' without two digits, or %00.
 */
void writer_quote(struct writer *writer, const char *text, const char *stop);
int writer_unquote(char *word);

/* POINTER, which is not NULL. */
void *must(void *pointer);
char *must_printf(struct cell_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* N + 1 elements zeroed. */
#define must_new(arena, type, n)                                                             \
	((type *)must(cell_arena_calloc((arena), (n) + 1, sizeof(type))))

/*
 * Room for one more at the end of LIST, which has N; a pointer to it, zeroed. LIST grows by
 * doubling: N must count all that this function added.
 */
#define must_add(arena, list, n)                                                             \
	((__typeof__(list))must_add_((arena), (void *)&(list), &(n), sizeof *(list)))
void *must_add_(struct cell_arena *arena, void *list, size_t *n, size_t size);

/*
 * Put those of MORE (N_MORE) that are not there yet behind the *N strings of *LIST, which
 * becomes another array, in ARENA. The strings are not copied.
 */
void strings_unite(struct cell_arena *arena, const char *const **list, size_t *n,
		   const char *const *more, size_t n_more);

/* Bytes as hexadecimal digits. */
const char *hex_of(struct cell_arena *arena, const uint8_t *bytes, size_t n);
/* *ret_n bytes; -EINVAL. */
int hex_parse(struct cell_arena *arena, const char *text, uint8_t **ret_bytes, size_t *ret_n);
