/*
 * Where a request's JSON comes from: the command line, a file ("@file") or stdin ("-"),
 * whole or line by line.
 */
#pragma once

#include <cell/call.h>
#include <stdbool.h>
#include <stddef.h>

/* A document or a line beyond this is refused: no message is that large. */
#define INPUT_MAX ((size_t)64 * 1024 * 1024)

struct input {
	const char *name; /* for errors: "request", "stdin", the file's */
	int fd;           /* -1: all there is, is in `text` */
	char *text;       /* what was read and not given out yet */
	size_t len;
	size_t size;
	size_t taken;  /* of it, by the last line */
	unsigned line; /* number of the last line */
	bool at_end;
};

/* Open what ARG names: "-", "@PATH", or JSON text. 0, or the error in CALL. */
int input_open(struct input *input, struct cell_call *call, const char *arg);
void input_close(struct input *input);

/* All of it; *RET_TEXT lives until input_close(). 0, or the error in CALL. */
int input_whole(struct input *input, struct cell_call *call, const char **ret_text,
		size_t *ret_len);

enum { INPUT_END = 1 };

/*
 * The next line that is not blank, without its newline; it lives until the next call. Waits
 * for it, while CALL's process goes on. 0, INPUT_END, or the error in CALL.
 */
int input_line(struct input *input, struct cell_call *call, const char **ret_text,
	       size_t *ret_len);
