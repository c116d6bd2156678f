/*
 * The last spans, and the trees they make. Pure, and of bounded size: a new span takes the
 * place of the oldest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* About 250 bytes each: 8 MiB. */
#define SPANS_MAX 32768
#define SPAN_NAME_MAX 128
#define SPAN_CELL_MAX 64
#define TRACE_ID_SIZE 16
#define SPAN_ID_SIZE  8
/* Spans of one trace that are looked at. */
#define TRACE_SPANS_MAX 4096

struct span {
	uint8_t trace_id[TRACE_ID_SIZE];
	uint8_t span_id[SPAN_ID_SIZE];
	uint8_t parent_id[SPAN_ID_SIZE];
	bool has_parent;
	uint32_t status; /* gRPC's */
	uint64_t instance;
	uint64_t start_ns, duration_ns;
	char name[SPAN_NAME_MAX + 1];
	char cell[SPAN_CELL_MAX + 1];
};

struct traces;

/* For MAX spans at a time. NULL when out of memory. */
struct traces *traces_new(size_t max);
void traces_free(struct traces *traces); /* accepts NULL */

/* Keep a copy of SPAN. */
void traces_take(struct traces *traces, const struct span *span);

size_t traces_kept(const struct traces *traces);

struct trace_summary {
	uint8_t trace_id[TRACE_ID_SIZE];
	const struct span *first; /* that began first; until the next traces_take() */
	uint64_t start_ns, duration_ns;
	uint32_t n_spans, n_failed;
};

/* The last traces, newest end first, at most MAX; CELL "" = any. Returns how many. */
size_t traces_list(const struct traces *traces, const char *cell, bool only_failed,
		   struct trace_summary *ret, size_t max);

struct placed_span {
	const struct span *span;
	uint32_t depth;
};

enum trace_found { TRACE_FOUND, TRACE_ABSENT, TRACE_AMBIGUOUS };

/* The trace whose id begins with N hexadecimal DIGITS (0: the one that ended last). */
enum trace_found traces_find(const struct traces *traces, const char *digits,
			     uint8_t ret_id[TRACE_ID_SIZE]);

/*
 * The spans of trace ID: parents before children, siblings by their start. RET has room for
 * TRACE_SPANS_MAX. Parents that are not kept, or that form a circle, count as absent.
 */
size_t traces_tree(const struct traces *traces, const uint8_t id[TRACE_ID_SIZE],
		   struct placed_span *ret);
