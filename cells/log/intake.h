/*
 * From one instance's bytes to its lines: splitting, a rate, and repeats told as a number.
 * Pure: bytes and the time go in, lines come out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a line; the rest of a longer one is left out. libcell's own lines have 2 KiB. */
#define INTAKE_LINE_MAX 8192
/* Repeats and drops are told at most so long after they happened. */
#define INTAKE_HELD_MAX_NS UINT64_C(1000000000)

struct intake_counts {
	uint64_t lines; /* handed out, our own among them */
	uint64_t bytes;
	uint64_t dropped;
	uint64_t repeated;
	uint64_t cut;
};

/* A line: printable UTF-8 (and tabs), LEN bytes and a NUL. It lives for this call only. */
typedef void intake_line_fn(void *userdata, const char *text, size_t len);

struct intake {
	intake_line_fn *on_line;
	void *userdata;
	struct intake_counts *counts; /* may be shared by many */
	uint64_t rate;                /* lines a second; 0: all */
	double tokens;
	uint64_t filled_at_ns;
	uint64_t last_hash; /* of the last line handed out, 0 = none */
	size_t last_len;
	uint64_t repeats; /* held back */
	uint64_t drops;   /* held back */
	uint64_t held_since_ns;
	size_t len; /* of the line that is not complete */
	bool is_cut;
	char line[INTAKE_LINE_MAX + 1];
};

void intake_init(struct intake *intake, uint64_t rate, uint64_t now_ns,
		 struct intake_counts *counts, intake_line_fn *on_line, void *userdata);

void intake_feed(struct intake *intake, const char *bytes, size_t len, uint64_t now_ns);

/* When intake_tick() is due: something is held back. UINT64_MAX: nothing is. */
uint64_t intake_due_ns(const struct intake *intake);
void intake_tick(struct intake *intake, uint64_t now_ns);

/* The instance has ended: what is left comes out, a line without its newline too. */
void intake_end(struct intake *intake, uint64_t now_ns);
