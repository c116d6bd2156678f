/*
 * Text that grows, and memory that stays: this program lives for one request, so it
 * frees nothing and stops when there is no memory.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* SIZE zeroed bytes. Never NULL. */
void *take(size_t size);

/* printf into taken memory. */
char *take_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct text {
	char *bytes; /* terminated, once something was put */
	size_t len;
	size_t room;
};

/* Append: formatted text, or text as it is. */
void text_put(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void text_add(struct text *text, const char *bytes);

/*
 * Append "HEAD(ARGS)TAIL", ARGS being n strings with ", " between them, broken into
 * lines before column 90 where possible.
 */
void text_put_call(struct text *text, const char *head, const char *const *args, size_t n,
		   const char *tail);
