/*
 * What was said to a diag, as text.
 */
#pragma once

#include "cellc/diag.h"

#include <cell/arena.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int said_fd = -1;
static char said_text[65536];

static inline struct diag *said_new(void)
{
	static const struct diag_options plain = { 0 };

	said_fd = memfd_create("said", MFD_CLOEXEC);
	ck_assert_int_ge(said_fd, 0);
	return diag_new(&plain, said_fd);
}

/* Without the [-Wcell=NS] that ends messages. */
static inline void said_strip(char *text)
{
	for (char *tag; (tag = strstr(text, " [-Wcell="));) {
		char *end = strchr(tag, ']');

		ck_assert_ptr_nonnull(end);
		memmove(tag, end + 1, strlen(end + 1) + 1);
	}
}

/* Everything up to now, and the diag's end. */
static inline const char *said_end(struct diag *diag)
{
	ssize_t n;

	diag_free(diag);
	n = pread(said_fd, said_text, sizeof said_text - 1, 0);
	ck_assert_int_ge(n, 0);
	said_text[n] = 0;
	said_strip(said_text);
	close(said_fd);
	said_fd = -1;
	return said_text;
}

#define ck_assert_has(text, part)                                                          \
	ck_assert_msg(strstr((text), (part)) != NULL, "'%s' is not in:\n%s", (part), (text))
#define ck_assert_lacks(text, part)                                                        \
	ck_assert_msg(strstr((text), (part)) == NULL, "'%s' is in:\n%s", (part), (text))
